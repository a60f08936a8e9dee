/* SPDX-License-Identifier: BSD-3-Clause */
/* MAC table (admin-rpc.md 4.6). Instead of Key (hub_table.h), PatchbayMacAddress with PatchbayVlanId name an entry. */

#include "controlplane/admin/call.h"
#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/hub_table.h"
#include "controlplane/admin/method_list.h"
#include "dataplane/frame.h"
#include "dataplane/hub.h"
#include "drivers/session/wire/wire_error.h"

#define MAC_BYTES 6u
#define VLAN_MAX  4094u

static uint32_t mac_handle(uint64_t mac, uint16_t vlan)
{
	return hub_table_handle(mac, 0, vlan);
}

/* ---- EnumMacTable ---------------------------------------------------------------------------- */

static const struct admin_field enum_mac_row[] = {
	ADMIN_INT("Key", 1, UINT32_MAX, "handle for DeleteMacTable"),
	ADMIN_STR("SessionName", 0, 299, "session behind which the address is"),
	ADMIN_DATA("MacAddress", MAC_BYTES, MAC_BYTES, "MAC address"),
	ADMIN_INT("VlanId", 0, VLAN_MAX, "VLAN, 0 = untagged"),
	ADMIN_TIME("CreatedTime", "when it was learned"),
	ADMIN_TIME("UpdatedTime",
		"last frame from it; in tables of more than 131 072 addresses up to 3 s earlier"),
	ADMIN_BOOL("RemoteItem", "learned by another member of a cluster"),
	ADMIN_END,
};

static const struct admin_field enum_mac_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_ROWS("MacTable", enum_mac_row, "one record per address, in no order"),
	ADMIN_END,
};

static void put_mac_row(struct admin_call *call, const struct fdb_entry *e)
{
	uint8_t bytes[MAC_BYTES];

	frame_mac_put(bytes, e->mac);
	admin_row_begin(call);
	admin_put_int(call, "Key", mac_handle(e->mac, e->vlan));
	admin_put_str(call, "SessionName", hub_table_session_name(e->port_idx));
	admin_put_data(call, "MacAddress", bytes, sizeof(bytes));
	admin_put_int(call, "VlanId", e->vlan);
	admin_put_time(call, "CreatedTime", hub_table_calendar_ms(e->created_s));
	admin_put_time(call, "UpdatedTime", hub_table_calendar_ms(e->updated_s));
	admin_put_bool(call, "RemoteItem", false);
	admin_row_end(call);
}

static void put_macs(struct admin_call *call, struct hub *hub, uint64_t *cursor, size_t max)
{
	struct fdb_entry batch[HUB_TABLE_BATCH];
	size_t n = fdb_list(hub_fdb(hub), cursor, batch, max);

	for (size_t i = 0; i < n; i++)
		put_mac_row(call, &batch[i]);
}

static int enum_mac_step(struct admin_call *call)
{
	return hub_table_list_step(call, "MacTable", put_macs);
}

const struct admin_method admin_method_enum_mac_table = {
	.name = "EnumMacTable",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the MAC table of a hub. 8: no such hub.",
	.request = admin_hub_request,
	.response = enum_mac_response,
	.state_bytes = sizeof(struct hub_table_walk),
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

static int look_for_key(struct admin_call *call, struct hub *hub, uint64_t *cursor)
{
	struct delete_mac *st = call->state;
	struct fdb_entry batch[HUB_TABLE_BATCH];
	size_t n = fdb_list(hub_fdb(hub), cursor, batch, HUB_TABLE_BATCH);

	for (size_t i = 0; i < n; i++) {
		if (mac_handle(batch[i].mac, batch[i].vlan) != admin_get_int(call, "Key"))
			continue;
		/* An entry may be reported twice when the table grows. */
		if (st->found && (st->entry.mac != batch[i].mac || st->entry.vlan != batch[i].vlan))
			return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
				"two addresses share this Key: give PatchbayMacAddress");
		st->found = true;
		st->entry = batch[i];
	}
	return 0;
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
		rc = hub_table_search(call, hub->hub, &st->cursor, look_for_key);
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
