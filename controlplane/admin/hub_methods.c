/* SPDX-License-Identifier: BSD-3-Clause */
/* Virtual hubs as administrators see them (admin-rpc.md 4.4). */

#include "controlplane/admin/call.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/walk.h"
#include "controlplane/bridges.h"
#include "dataplane/hub.h"
#include "drivers/session/wire/wire_error.h"

#define HUB_TYPE_STANDALONE 0u /* the only kind there is without a cluster */

const struct admin_field admin_hub_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_END,
};

int admin_hub_lookup(struct admin_call *call, struct directory_hub **hub)
{
	const char *name = admin_get_str(call, "HubName");

	*hub = directory_hub_find(name);
	if (*hub == NULL || (*hub)->hub == NULL)
		return admin_fail(call, WIRE_ERROR_HUB_NOT_FOUND, "no hub \"%s\"", name);
	return 0;
}

/* ---- EnumHub --------------------------------------------------------------------------------- */

static const struct admin_field enum_hub_row[] = {
	ADMIN_STR("HubName", 1, 255, "name"),
	ADMIN_BOOL("Online", "takes part in switching and accepts logins"),
	ADMIN_INT("HubType", 0, 2, "0 = standalone"),
	ADMIN_INT("NumSessions", 0, UINT32_MAX, "sessions now"),
	ADMIN_INT("NumUsers", 0, UINT32_MAX, "users defined"),
	ADMIN_INT("NumGroups", 0, UINT32_MAX, "groups defined"),
	ADMIN_INT("NumMacTables", 0, UINT32_MAX, "entries in the MAC table"),
	ADMIN_INT("NumIpTables", 0, UINT32_MAX, "entries in the IP table"),
	ADMIN_TIME("LastCommTime", "when something came last from a client, 0 = never"),
	ADMIN_TIME("CreatedTime", "when the hub was created"),
	ADMIN_TIME("LastLoginTime", "last login, 0 = none"),
	ADMIN_INT("NumLogin", 0, UINT32_MAX, "logins so far"),
	ADMIN_BOOL("IsTrafficFilled", "the Ex. fields are filled in"),
	ADMIN_TRAFFIC("Ex.", "frames and bytes so far; Recv = into the hub, Send = out of it"),
	ADMIN_END,
};

static const struct admin_field enum_hub_request[] = {ADMIN_END};
static const struct admin_field enum_hub_response[] = {
	ADMIN_ROWS("HubList", enum_hub_row, "one record per hub, in order of creation"),
	ADMIN_END,
};

static void put_enum_hub_row(struct admin_call *call, struct directory_hub *hub)
{
	struct traffic_totals traffic;

	traffic_of_hub(hub, &traffic);
	admin_row_begin(call);
	admin_put_str(call, "HubName", hub->name);
	admin_put_bool(call, "Online", hub->online);
	admin_put_int(call, "HubType", HUB_TYPE_STANDALONE);
	admin_put_int(call, "NumSessions", hub->session_cnt + bridges_up(hub));
	admin_put_int(call, "NumUsers", hub->user_cnt);
	admin_put_int(call, "NumGroups", hub->group_cnt);
	admin_put_int(call, "NumMacTables", fdb_count(hub_fdb(hub->hub)));
	admin_put_int(call, "NumIpTables", iptable_count(hub_iptable(hub->hub)));
	admin_put_time(call, "LastCommTime", hub->last_comm_ms);
	admin_put_time(call, "CreatedTime", hub->created_ms);
	admin_put_time(call, "LastLoginTime", hub->last_login_ms);
	admin_put_int(call, "NumLogin", hub->login_cnt);
	admin_put_bool(call, "IsTrafficFilled", true);
	admin_put_traffic(call, "Ex.", &traffic.in, &traffic.out);
	admin_row_end(call);
}

static int enum_hub_step(struct admin_call *call)
{
	struct hub_walk *walk = call->state;
	struct directory_hub *hub;

	if (call->steps == 0) {
		traffic_fold(
			call->caller->server ? NULL : directory_hub_find(call->caller->hub_name));
		admin_rows_begin(call, "HubList");
	}
	while (admin_room(call)) {
		hub = hub_walk_next(walk);
		if (hub == NULL) {
			admin_rows_end(call);
			return ADMIN_DONE;
		}
		if (hub->hub != NULL && admin_sees_hub(call, hub->name))
			put_enum_hub_row(call, hub);
	}
	return ADMIN_MORE;
}

const struct admin_method admin_method_enum_hub = {
	.name = "EnumHub",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the virtual hubs. A hub administrator gets his own.",
	.request = enum_hub_request,
	.response = enum_hub_response,
	.state_bytes = sizeof(struct hub_walk),
	.step = enum_hub_step,
};

/* ---- GetHubStatus ---------------------------------------------------------------------------- */

static const struct admin_field get_hub_status_response[] = {
	ADMIN_STR("HubName", 1, 255, "name"),
	ADMIN_BOOL("Online", "takes part in switching and accepts logins"),
	ADMIN_INT("HubType", 0, 2, "0 = standalone"),
	ADMIN_INT("NumSessions", 0, UINT32_MAX, "sessions now"),
	ADMIN_INT("NumSessionsClient", 0, UINT32_MAX, "of them in client or monitoring mode"),
	ADMIN_INT("NumSessionsBridge", 0, UINT32_MAX,
		"of them in bridge or router mode, or local bridges"),
	ADMIN_INT("NumUsers", 0, UINT32_MAX, "users defined"),
	ADMIN_INT("NumGroups", 0, UINT32_MAX, "groups defined"),
	ADMIN_INT("NumMacTables", 0, UINT32_MAX, "entries in the MAC table"),
	ADMIN_INT("NumIpTables", 0, UINT32_MAX, "entries in the IP table"),
	ADMIN_TRAFFIC("", "frames and bytes so far; Recv = into the hub, Send = out of it"),
	ADMIN_TIME("LastCommTime", "when something came last from a client, 0 = never"),
	ADMIN_TIME("CreatedTime", "when the hub was created"),
	ADMIN_TIME("LastLoginTime", "last login, 0 = none"),
	ADMIN_INT("NumLogin", 0, UINT32_MAX, "logins so far"),
	ADMIN_INT("PatchbayMaxMacTables", 0, UINT32_MAX, "bound of the MAC table"),
	ADMIN_INT64("PatchbayMacLearned", "MAC addresses learned since start"),
	ADMIN_INT64("PatchbayMacMoved", "MAC addresses that moved to another port"),
	ADMIN_INT64("PatchbayMacNotLearnedFull", "not learned: table or bucket full"),
	ADMIN_INT64("PatchbayMacNotLearnedCrowded",
		"of these: buckets full or growth to come, not at its bound"),
	ADMIN_INT64("PatchbayMacNotLearnedRaced", "not learned: lost a race, retried later"),
	ADMIN_INT64("PatchbayMacNotLearnedLimit", "not learned, frame dropped: port at its limit"),
	ADMIN_INT64("PatchbayMacNotLearnedRationed",
		"not tried: table full, the port holds much, and tried often in this millisecond"),
	ADMIN_INT64("PatchbayMacEvicted", "entries that gave way to others, the table being full"),
	ADMIN_INT64("PatchbayMacAged", "entries removed because of age"),
	ADMIN_INT64("PatchbayMacFlushed", "entries removed because their port left"),
	ADMIN_END,
};

static void put_mac_counters(struct admin_call *call, const struct fdb *fdb)
{
	struct fdb_counters c;

	fdb_counters(fdb, &c);
	admin_put_int(call, "PatchbayMaxMacTables", fdb_capacity_bound(fdb));
	admin_put_int64(call, "PatchbayMacLearned", c.learned);
	admin_put_int64(call, "PatchbayMacMoved", c.moved);
	admin_put_int64(call, "PatchbayMacNotLearnedFull", c.not_learned_full);
	admin_put_int64(call, "PatchbayMacNotLearnedCrowded", c.not_learned_crowded);
	admin_put_int64(call, "PatchbayMacNotLearnedRaced", c.not_learned_raced);
	admin_put_int64(call, "PatchbayMacNotLearnedLimit", c.not_learned_limit);
	admin_put_int64(call, "PatchbayMacNotLearnedRationed", c.not_learned_rationed);
	admin_put_int64(call, "PatchbayMacEvicted", c.evicted);
	admin_put_int64(call, "PatchbayMacAged", c.aged);
	admin_put_int64(call, "PatchbayMacFlushed", c.flushed);
}

static int get_hub_status_step(struct admin_call *call)
{
	const struct vpn_session *vs;
	struct directory_hub *hub;
	struct traffic_totals traffic;
	uint32_t bridges = 0;
	uint32_t sessions = 0;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	TAILQ_FOREACH (vs, registry_sessions(), entry) {
		if (vs->hub != hub)
			continue;
		sessions++;
		bridges += vs->bridge_mode;
	}
	bridges += bridges_up(hub);
	sessions += bridges_up(hub);
	traffic_fold(hub);
	traffic_of_hub(hub, &traffic);
	admin_put_str(call, "HubName", hub->name);
	admin_put_bool(call, "Online", hub->online);
	admin_put_int(call, "HubType", HUB_TYPE_STANDALONE);
	admin_put_int(call, "NumSessions", sessions);
	admin_put_int(call, "NumSessionsClient", sessions - bridges);
	admin_put_int(call, "NumSessionsBridge", bridges);
	admin_put_int(call, "NumUsers", hub->user_cnt);
	admin_put_int(call, "NumGroups", hub->group_cnt);
	admin_put_int(call, "NumMacTables", fdb_count(hub_fdb(hub->hub)));
	admin_put_int(call, "NumIpTables", iptable_count(hub_iptable(hub->hub)));
	admin_put_traffic(call, "", &traffic.in, &traffic.out);
	admin_put_time(call, "LastCommTime", hub->last_comm_ms);
	admin_put_time(call, "CreatedTime", hub->created_ms);
	admin_put_time(call, "LastLoginTime", hub->last_login_ms);
	admin_put_int(call, "NumLogin", hub->login_cnt);
	put_mac_counters(call, hub_fdb(hub->hub));
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_hub_status = {
	.name = "GetHubStatus",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells the state and the totals of one hub. 8: no such hub.",
	.request = admin_hub_request,
	.response = get_hub_status_response,
	.step = get_hub_status_step,
};
