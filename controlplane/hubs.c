/* SPDX-License-Identifier: BSD-3-Clause */
/* Settings into force, and the end of hubs (hubs.h). */

#include "controlplane/hubs.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/access_list.h"
#include "controlplane/bridges.h"
#include "controlplane/control.h"
#include "controlplane/directory.h"
#include "controlplane/hub_logs.h"
#include "controlplane/log.h"
#include "controlplane/registry.h"
#include "dataplane/hub.h"
#include "dataplane/hub_options.h"

#define LOOK_MS 20

/* By the link that the directory needs no more: the end of a hub must not want memory. */
static struct directory_hubs dying = TAILQ_HEAD_INITIALIZER(dying);
static struct event *look;
static uint64_t last_number;

int hubs_options(struct directory_hub *hub)
{
	const uint32_t *o = hub->ext_options;
	struct hub_options options;

	hub_options_default(&options);
	options.no_ip_table = o[HUB_EXT_NoIpTable];
	options.no_address_polling_ipv4 = o[HUB_EXT_NoAddressPollingIPv4];
	options.no_address_polling_ipv6 = o[HUB_EXT_NoAddressPollingIPv6];
	options.manage_only_private_ip = o[HUB_EXT_ManageOnlyPrivateIP];
	options.manage_only_local_unicast_ipv6 = o[HUB_EXT_ManageOnlyLocalUnicastIPv6];
	options.managed_cnt = hub->managed.cnt;
	memcpy(options.managed, hub->managed.range, sizeof(options.managed));
	options.access_on_arp = o[HUB_EXT_ApplyIPv4AccessListOnArpPacket];
	options.disable_ip_parsing = o[HUB_EXT_DisableIPParsing];
	options.storm_threshold = o[HUB_EXT_BroadcastStormDetectionThreshold];
	options.storm_strict = o[HUB_EXT_BroadcastLimiterStrictMode];
	options.filter_pppoe = o[HUB_EXT_FilterPPPoE];
	options.filter_ospf = o[HUB_EXT_FilterOSPF];
	options.filter_ipv4 = o[HUB_EXT_FilterIPv4];
	options.filter_ipv6 = o[HUB_EXT_FilterIPv6];
	options.filter_non_ip = o[HUB_EXT_FilterNonIP];
	options.filter_bpdu = o[HUB_EXT_FilterBPDU];
	options.no_ra_router_when_ipv6 = o[HUB_EXT_NoIPv6DefaultRouterInRAWhenIPv6];
	options.no_look_bpdu_bridge_id = o[HUB_EXT_NoLookBPDUBridgeId];
	options.no_manage_vlan_id = o[HUB_EXT_NoManageVlanId];
	options.disable_check_mac_on_local_bridge = o[HUB_EXT_DisableCheckMacOnLocalBridge];
	options.vlan_type = (uint16_t)o[HUB_EXT_VlanTypeId];
	options.adjust_tcp_mss = (uint16_t)o[HUB_EXT_AdjustTcpMssValue];
	options.disable_adjust_tcp_mss = o[HUB_EXT_DisableAdjustTcpMss];
	options.privacy_drops_broadcasts = o[HUB_EXT_DropBroadcastsInPrivacyFilterMode];
	options.privacy_drops_arp = o[HUB_EXT_DropArpInPrivacyFilterMode];
	options.privacy_allows_same_user = o[HUB_EXT_AllowSameUserInPrivacyFilterMode];
	options.remove_default_gateway_for_localhost = o[HUB_EXT_RemoveDefGwOnDhcpForLocalhost];
	options.flood_quota_bytes = o[HUB_EXT_FloodingSendQueueBufferQuota];
	options.dormant_s = o[HUB_EXT_DetectDormantSessionInterval];
	options.loop_guard = (enum hub_loop_guard)o[HUB_EXT_PatchbayLoopGuard];
	options.loop_block_s = o[HUB_EXT_PatchbayLoopBlockSeconds];
	hub_logs_options(hub, &options);
	/* Names first: no frame is logged before them. */
	hub_logs_set(hub);
	return hub_set_options(hub->hub, &options);
}

/* Whoever comes now is refused, and frames go nowhere; then everybody goes. */
static void down(struct directory_hub *hub, bool gone)
{
	hub_set_online(hub->hub, false);
	(void)registry_sessions_of(hub, NULL, NULL, true, SESSION_END_HUB_DOWN);
	bridges_hub_down(hub, gone);
}

int hubs_apply(struct directory_hub *hub)
{
	bool was = hub_online(hub->hub);
	int rc = hubs_options(hub);

	if (hub->online && !was && access_list_ready(hub)) {
		log_say(LOG_LEVEL_NOTICE, "hub", "hub %s is online", hub->name);
		hub_logs_event(hub, LOG_EVENT_HUB_ONLINE);
		hub_set_online(hub->hub, true);
		bridges_hub_up(hub);
	} else if (!hub->online && (was || !access_list_ready(hub))) {
		log_say(LOG_LEVEL_NOTICE, "hub", "hub %s is offline", hub->name);
		hub_logs_event(hub, LOG_EVENT_HUB_OFFLINE);
		down(hub, false);
	}
	return rc;
}

void hubs_rules_ready(struct directory_hub *hub)
{
	if (hub->doomed == 0 && hubs_apply(hub) != 0)
		log_error("hub", "hub %s: no memory for its options", hub->name);
}

bool hubs_quiet(const struct directory_hub *hub)
{
	return hub->session_cnt == 0 && bridges_hub_quiet(hub);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void forget(struct directory_hub *hub)
{
	TAILQ_REMOVE(&dying, hub, entry);
	directory_hub_free(hub);
}

/* hub_destroy() has its own grace period; the directory's part may go at once. */
static void end(struct directory_hub *hub)
{
	if (!hubs_quiet(hub) || hub->record_cnt != 0)
		return;
	if (hub->hub != NULL) {
		hub_logs_gone(hub);
		if (hub_destroy(hub->hub, NULL, NULL) != 0)
			return;
	}
	access_list_stop(hub);
	hub->hub = NULL;
	forget(hub);
}

static void look_due(evutil_socket_t, short, void *)
{
	const struct timeval soon = {.tv_usec = LOOK_MS * 1000};
	struct directory_hub *hub, *next;

	for (hub = TAILQ_FIRST(&dying); hub != NULL; hub = next) {
		next = TAILQ_NEXT(hub, entry);
		end(hub);
	}
	if (!TAILQ_EMPTY(&dying))
		event_add(look, &soon);
}

uint64_t hubs_doom(struct directory_hub *hub)
{
	uint64_t number = ++last_number;

	down(hub, true);
	hub->doomed = number;
	TAILQ_INSERT_TAIL(&dying, hub, entry);
	look_due(-1, 0, NULL);
	return number;
}

bool hubs_doomed_gone(uint64_t number)
{
	const struct directory_hub *hub;

	TAILQ_FOREACH (hub, &dying, entry)
		if (hub->doomed == number)
			return false;
	return true;
}

int hubs_init(void)
{
	look = evtimer_new(control_base(), look_due, NULL);
	return look == NULL ? -ENOMEM : 0;
}

void hubs_fini(void)
{
	struct directory_hub *hub;

	while ((hub = TAILQ_FIRST(&dying)) != NULL) {
		access_list_stop(hub);
		if (hub->hub != NULL && hub_destroy(hub->hub, NULL, NULL) != 0)
			log_warning("hub", "hub %s still has ports at its end", hub->name);
		forget(hub);
	}
	if (look != NULL)
		event_free(look);
	look = NULL;
}
