/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * MAC table (admin-rpc.md 4.6).
 *
 * Key, the 32-bit handle by which the protocol deletes an entry, is a keyed hash of VLAN and MAC: it means the
 * same entry in every list, whatever the table does in between, and a peer cannot choose addresses that
 * share one. Two entries may still share a handle (one pair among 65 536 is as likely as not); such a delete
 * is refused, and MacAddress with VlanId, which are ours, say which is meant.
 */

#include <openssl/rand.h>
#include <stdio.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/bridges.h"
#include "controlplane/registry.h"
#include "dataplane/frame.h"
#include "dataplane/hub.h"
#include "dataplane/lcore.h"
#include "drivers/session/wire/wire_error.h"

#define MAC_BYTES 6u
#define VLAN_MAX  4094u
#define BATCH	  64u /* entries copied out of the table at a time */

static void mac_bytes(uint64_t mac, uint8_t bytes[MAC_BYTES])
{
	for (unsigned i = 0; i < MAC_BYTES; i++)
		bytes[i] = (uint8_t)(mac >> (40 - 8 * i));
}

/* Never 0, which in a request means that no handle is given. */
static uint32_t mac_handle(uint64_t mac, uint16_t vlan)
{
	static uint64_t secret[2];
	uint64_t v = (uint64_t)vlan << 48 | mac;

	if (secret[0] == 0 && RAND_bytes((uint8_t *)secret, sizeof(secret)) != 1)
		secret[0] = 1;
	for (unsigned round = 0; round < 3; round++) {
		v = (v ^ secret[round & 1]) * UINT64_C(0x9e3779b97f4a7c15);
		v ^= v >> 29;
	}
	v = (uint32_t)(v >> 32);
	return v == 0 ? 1 : (uint32_t)v;
}

/* The fdb's clock to the calendar. */
static int64_t calendar_ms(uint32_t clock_s)
{
	return directory_now_ms() - ((int64_t)lcore_clock_s() - clock_s) * 1000;
}

/* ---- EnumMacTable ---------------------------------------------------------------------------- */

static const struct admin_field hub_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_END,
};

static const struct admin_field enum_mac_row[] = {
	ADMIN_INT("Key", 1, UINT32_MAX, "handle for DeleteMacTable"),
	ADMIN_STR("SessionName", 0, 299, "session behind which the address is"),
	ADMIN_DATA("MacAddress", MAC_BYTES, MAC_BYTES, "MAC address"),
	ADMIN_INT("VlanId", 0, VLAN_MAX, "VLAN, 0 = untagged"),
	ADMIN_TIME("CreatedTime", "when it was learned"),
	ADMIN_TIME("UpdatedTime", "last frame from it"),
	ADMIN_BOOL("RemoteItem", "learned by another member of a cluster"),
	ADMIN_END,
};

static const struct admin_field enum_mac_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_ROWS("MacTable", enum_mac_row, "one record per address, in no order"),
	ADMIN_END,
};

struct enum_mac {
	uint64_t cursor;
	const struct hub *hub; /* only compared: a new hub of the same name is another list */
};

static void put_mac_row(struct admin_call *call, const struct fdb_entry *e)
{
	const struct vpn_session *vs = registry_session_by_port(e->port_idx);
	const struct local_bridge *lb = vs == NULL ? bridges_by_port(e->port_idx) : NULL;
	uint8_t bytes[MAC_BYTES];

	mac_bytes(e->mac, bytes);
	admin_row_begin(call);
	admin_put_int(call, "Key", mac_handle(e->mac, e->vlan));
	admin_put_str(call, "SessionName",
		vs != NULL	     ? vs->name
			: lb != NULL ? lb->session_name
				     : "");
	admin_put_data(call, "MacAddress", bytes, sizeof(bytes));
	admin_put_int(call, "VlanId", e->vlan);
	admin_put_time(call, "CreatedTime", calendar_ms(e->created_s));
	admin_put_time(call, "UpdatedTime", calendar_ms(e->updated_s));
	admin_put_bool(call, "RemoteItem", false);
	admin_row_end(call);
}

static int enum_mac_step(struct admin_call *call)
{
	struct enum_mac *st = call->state;
	struct directory_hub *hub;
	struct fdb_entry batch[BATCH];
	size_t n;

	if (call->steps == 0) {
		int rc = admin_hub_lookup(call, &hub);

		if (rc != 0)
			return rc;
		st->hub = hub->hub;
		admin_put_str(call, "HubName", hub->name);
		admin_rows_begin(call, "MacTable");
	} else {
		hub = directory_hub_find(admin_get_str(call, "HubName"));
	}
	/* A hub that has gone meanwhile has no addresses. */
	if (hub == NULL || hub->hub != st->hub)
		st->cursor = UINT64_MAX;
	if (st->cursor != UINT64_MAX && admin_room(call)) {
		size_t max = call->row_budget < BATCH ? call->row_budget : BATCH;

		n = fdb_list(hub_fdb(hub->hub), &st->cursor, batch, max);
		for (size_t i = 0; i < n; i++)
			put_mac_row(call, &batch[i]);
	}
	if (st->cursor != UINT64_MAX)
		return ADMIN_MORE;
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_enum_mac_table = {
	.name = "EnumMacTable",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the MAC table of a hub. 8: no such hub.",
	.request = hub_request,
	.response = enum_mac_response,
	.state_bytes = sizeof(struct enum_mac),
	.step = enum_mac_step,
};

/* ---- DeleteMacTable -------------------------------------------------------------------------- */

static const struct admin_field delete_mac_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("Key", 1, UINT32_MAX, "handle from EnumMacTable; or give PatchbayMacAddress"),
	ADMIN_DATA("PatchbayMacAddress", MAC_BYTES, MAC_BYTES, "MAC address, instead of Key"),
	ADMIN_INT("PatchbayVlanId", 0, VLAN_MAX, "its VLAN, 0 = untagged (default)"),
	ADMIN_END,
};

static const struct admin_field delete_mac_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("Key", 1, UINT32_MAX, "handle of the entry that is gone"),
	ADMIN_END,
};

struct delete_mac {
	uint64_t cursor;
	bool found;
	struct fdb_entry entry;
};

/* Looks a slice of the table through for the handle. ADMIN_DONE: looked through, st->found. */
static int find_handle(struct admin_call *call, struct fdb *fdb, struct delete_mac *st)
{
	uint32_t key = admin_get_int(call, "Key");
	struct fdb_entry batch[BATCH];

	while (st->cursor != UINT64_MAX) {
		size_t n = fdb_list(fdb, &st->cursor, batch, BATCH);

		for (size_t i = 0; i < n; i++) {
			if (mac_handle(batch[i].mac, batch[i].vlan) != key)
				continue;
			/* An entry may be reported twice when the table grows. */
			if (st->found &&
				(st->entry.mac != batch[i].mac || st->entry.vlan != batch[i].vlan))
				return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
					"two addresses share this Key: give PatchbayMacAddress");
			st->found = true;
			st->entry = batch[i];
		}
		/* Looking is cheaper than making rows. */
		admin_spend(call, 4);
		if (st->cursor != UINT64_MAX && !admin_room(call))
			return ADMIN_MORE;
	}
	return ADMIN_DONE;
}

static int delete_mac_step(struct admin_call *call)
{
	struct delete_mac *st = call->state;
	struct directory_hub *hub;
	const uint8_t *mac;
	size_t size;
	int rc = admin_hub_lookup(call, &hub);

	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_delete_mactable);
	if (rc != 0)
		return rc;
	mac = admin_get_data(call, "PatchbayMacAddress", &size);
	if (mac != NULL) {
		st->entry.mac = frame_mac(mac);
		st->entry.vlan = (uint16_t)admin_get_int(call, "PatchbayVlanId");
		st->found = true;
	} else if (!admin_has(call, "Key")) {
		return admin_fail(
			call, WIRE_ERROR_INVALID_PARAMETER, "give Key or PatchbayMacAddress");
	} else {
		rc = find_handle(call, hub_fdb(hub->hub), st);
		if (rc != ADMIN_DONE)
			return rc;
	}
	if (!st->found || hub_mac_delete(hub->hub, st->entry.mac, st->entry.vlan) != 0)
		return admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND,
			"hub %s has no such MAC address in its table", hub->name);
	admin_put_str(call, "HubName", hub->name);
	admin_put_int(call, "Key", mac_handle(st->entry.mac, st->entry.vlan));
	return ADMIN_DONE;
}

const struct admin_method admin_method_delete_mac_table = {
	.name = "DeleteMacTable",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_RUNS,
	.text = "Deletes one entry of a hub's MAC table; the next frame from the address brings it back. "
		"8: no such hub, 29: no such entry, 38: no or an ambiguous Key.",
	.request = delete_mac_request,
	.response = delete_mac_response,
	.state_bytes = sizeof(struct delete_mac),
	.step = delete_mac_step,
};
