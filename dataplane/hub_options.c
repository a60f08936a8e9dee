/* SPDX-License-Identifier: BSD-3-Clause */
/* The options of a hub: defaults, and publication to the workers (hub_options.h). */

#include "dataplane/hub_options.h"

#include <errno.h>
#include <stdlib.h>

#include "dataplane/frame_class.h"
#include "dataplane/hub_priv.h"

void hub_options_default(struct hub_options *out)
{
	*out = (struct hub_options){
		.manage_only_private_ip = true,
		.manage_only_local_unicast_ipv6 = true,
		.no_ra_router_when_ipv6 = true,
		.vlan_type = 0x8100,
		.privacy_drops_broadcasts = true,
		.privacy_drops_arp = true,
		.remove_default_gateway_for_localhost = true,
		.flood_quota_bytes = HUB_FLOOD_QUOTA_DEFAULT,
		.loop_guard = HUB_LOOP_ALARM,
	};
}

static uint64_t classes(const struct hub_options *o)
{
	return (o->filter_pppoe ? FRAME_PPPOE : 0) | (o->filter_ospf ? FRAME_OSPF : 0) |
		(o->filter_ipv4 ? FRAME_IPV4 : 0) | (o->filter_ipv6 ? FRAME_IPV6 : 0) |
		(o->filter_non_ip ? FRAME_NON_IP : 0) | (o->filter_bpdu ? FRAME_BPDU : 0);
}

static bool valid(const struct hub_options *o)
{
	if (o->managed_cnt > HUB_RANGES_MAX || (unsigned)o->loop_guard > HUB_LOOP_BLOCK)
		return false;
	for (unsigned i = 0; i < o->managed_cnt; i++) {
		if (o->managed[i].bits > 128)
			return false;
	}
	for (unsigned k = 0; k < PACKET_LOG_KINDS; k++) {
		if (o->packet_log.how[k] > PACKET_LOG_FULL)
			return false;
	}
	return true;
}

/* What one worker may let wait. Rounded up: a quota that is not 0 does not become none. */
static uint64_t flood_share(const struct hub_options *o)
{
	return o->flood_quota_bytes == 0
		? UINT64_MAX
		: ((uint64_t)o->flood_quota_bytes + lcore_cnt - 1) / lcore_cnt;
}

/* By the kinds of a frame, as bits: the most that one of them asks for. */
static void log_rules(const struct hub_options *o, struct hub_rules *rules)
{
	const struct packet_log_conf *conf = &o->packet_log;

	for (unsigned kinds = 0; kinds < sizeof(rules->log_how); kinds++) {
		for (unsigned k = 0; k < PACKET_LOG_KINDS; k++) {
			if ((kinds >> k & 1) != 0 && conf->how[k] > rules->log_how[kinds])
				rules->log_how[kinds] = conf->how[k];
		}
		rules->logs |= rules->log_how[kinds] != PACKET_LOG_OFF;
	}
	rules->log_plain = !o->disable_ip_parsing && !conf->no_ipv4;
}

/* What stands for "the default" is replaced by it, so that the data path does not ask. */
static void complete(struct hub_options *o)
{
	if (o->storm_threshold == 0)
		o->storm_threshold = HUB_STORM_DEFAULT;
	if (o->loop_block_s == 0)
		o->loop_block_s = HUB_LOOP_BLOCK_DEFAULT;
	if (o->vlan_type == 0)
		o->vlan_type = 0x8100;
}

int hub_set_options(struct hub *hub, const struct hub_options *options)
{
	struct hub_rules *old = atomic_load_explicit(&hub->rules, memory_order_relaxed);
	struct hub_rules *rules;

	if (!valid(options))
		return -EINVAL;
	rules = calloc(1, sizeof(*rules));
	if (rules == NULL)
		return -ENOMEM;
	rules->options = *options;
	complete(&rules->options);
	rules->in_classes = options->disable_ip_parsing ? 0 : classes(options);
	rules->mss = options->disable_adjust_tcp_mss ? 0 : options->adjust_tcp_mss;
	rules->looks_in = rules->in_classes != 0 || rules->mss != 0 || options->no_manage_vlan_id;
	rules->no_ips = options->no_ip_table || options->disable_ip_parsing;
	rules->storm = (struct storm_limit){
		.threshold = rules->options.storm_threshold,
		.strict = options->storm_strict,
	};
	rules->flood_share = flood_share(options);
	log_rules(options, rules);
	if (rules->logs && packet_log_open() != 0) {
		free(rules);
		return -ENOMEM;
	}
	/* Release: who finds the rules finds them filled in. */
	atomic_store_explicit(&hub->rules, rules, memory_order_release);
	if (old != NULL)
		grace_defer(&old->grace, free, old);
	return 0;
}

const struct hub_options *hub_get_options(const struct hub *hub)
{
	return &hub_rules(hub)->options;
}
