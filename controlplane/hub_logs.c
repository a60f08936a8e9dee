/* SPDX-License-Identifier: BSD-3-Clause */
/* A hub's log settings, in force (hub_logs.h). */

#include "controlplane/hub_logs.h"

#include "controlplane/directory.h"
#include "controlplane/logs/logs.h"
#include "dataplane/hub.h"
#include "dataplane/hub_options.h"
#include "dataplane/packet_log.h"

static_assert(DIRECTORY_LOG_KINDS == PACKET_LOG_KINDS, "kinds are the same numbers everywhere");

void hub_logs_options(const struct directory_hub *hub, struct hub_options *out)
{
	struct packet_log_conf *conf = &out->packet_log;

	for (unsigned k = 0; k < PACKET_LOG_KINDS; k++)
		conf->how[k] = hub->log.packet ? hub->log.kinds[k] : PACKET_LOG_OFF;
	conf->no_ipv4 = hub->ext_options[HUB_EXT_NoIPv4PacketLog];
	conf->no_ipv6 = hub->ext_options[HUB_EXT_NoIPv6PacketLog];
	conf->no_http = hub->ext_options[HUB_EXT_DisableHttpParsing];
	out->tells_macs = !hub->ext_options[HUB_EXT_NoMacAddressLog];
	out->tells_all_leases = !hub->ext_options[HUB_EXT_NoDhcpPacketLogOutsideHub];
	conf->per_minute = hub->ext_options[HUB_EXT_MaxLoggedPacketsPerMinute];
}

void hub_logs_set(const struct directory_hub *hub)
{
	const struct logs_hub_conf conf = {
		.security = hub->log.security,
		.packet = hub->log.packet,
		.security_switch = (enum log_switch)hub->log.security_switch,
		.packet_switch = (enum log_switch)hub->log.packet_switch,
		.no_physical_ip = hub->ext_options[HUB_EXT_NoPhysicalIPOnPacketLog],
	};

	logs_hub_set(hub_log_id(hub->hub), hub->name, &conf);
}

void hub_logs_gone(const struct directory_hub *hub)
{
	logs_hub_gone(hub_log_id(hub->hub));
}

void hub_logs_event(const struct directory_hub *hub, enum log_event event)
{
	logs_event(hub_log_id(hub->hub), event,
		(const struct log_field[]){LOG_TEXT("hub", hub->name), LOG_END});
}

void hub_logs_bridge(const struct directory_hub *hub, enum log_event event, const char *session,
	const char *bridge, const char *device, const char *why)
{
	logs_event(hub_log_id(hub->hub), event,
		(const struct log_field[]){LOG_TEXT("hub", hub->name), LOG_TEXT("session", session),
			LOG_TEXT("bridge", bridge), LOG_TEXT("device", device),
			LOG_TEXT("reason", why), LOG_END});
}

void hub_logs_look(void)
{
	struct directory_hub *hub;

	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		uint64_t now = hub_packets_unlogged(hub->hub);

		/* None in this second, and there were some: it is over. */
		if (now == hub->unlogged_seen && now != hub->unlogged_told) {
			logs_hub_unlogged(hub_log_id(hub->hub), now - hub->unlogged_told);
			hub->unlogged_told = now;
		}
		hub->unlogged_seen = now;
	}
}
