/* SPDX-License-Identifier: BSD-3-Clause */
/* IP table (admin-rpc.md 4.6). Instead of Key (hub_table.h), PatchbayIp with PatchbayVlanId name an entry. */

#include <netinet/in.h>
#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/hub_table.h"
#include "controlplane/admin/method_list.h"
#include "dataplane/frame.h"
#include "dataplane/hub.h"
#include "drivers/session/wire/wire_error.h"

#define VLAN_MAX 4095u

static uint32_t ip_handle(const uint8_t addr[16], uint16_t vlan)
{
	uint64_t part[2];

	memcpy(part, addr, sizeof(part));
	return hub_table_handle(part[0], part[1], vlan);
}

static void address(const uint8_t addr[16], struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	out->ss_family = iptable_is_ip4(addr) ? AF_INET : AF_INET6;
	if (out->ss_family == AF_INET)
		memcpy(&((struct sockaddr_in *)out)->sin_addr, addr + 12, 4);
	else
		memcpy(&((struct sockaddr_in6 *)out)->sin6_addr, addr, 16);
}

/* ---- EnumIpTable ----------------------------------------------------------------------------- */

static const struct admin_field enum_row[] = {
	ADMIN_INT("Key", 1, UINT32_MAX, "handle for DeleteIpTable"),
	ADMIN_STR("SessionName", 0, 299, "session behind which the address is"),
	ADMIN_IP("Ip", "address, IPv4 only (else 0.0.0.0)"),
	ADMIN_IP("IpV6", "address"),
	ADMIN_IP("IpAddress", "address"),
	ADMIN_BOOL("DhcpAllocated", "a DHCP server was seen to assign it"),
	ADMIN_TIME("CreatedTime", "when it was learned"),
	ADMIN_TIME("UpdatedTime", "last frame from it"),
	ADMIN_BOOL("RemoteItem", "learned by another member of a cluster"),
	ADMIN_DATA("PatchbayMacAddress", 6, 6, "MAC address it was seen with"),
	ADMIN_INT("PatchbayVlanId", 0, VLAN_MAX, "VLAN, 0 = untagged"),
	ADMIN_END,
};

static const struct admin_field enum_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_ROWS("IpTable", enum_row, "one record per address, in no order"),
	ADMIN_END,
};

static void put_row(struct admin_call *call, const struct iptable_entry *e)
{
	struct sockaddr_storage ip;
	uint8_t mac[6];

	frame_mac_put(mac, e->mac);
	address(e->addr, &ip);
	admin_row_begin(call);
	admin_put_int(call, "Key", ip_handle(e->addr, e->vlan));
	admin_put_str(call, "SessionName", hub_table_session_name(e->port_idx));
	admin_put_ip(call, "Ip", ip.ss_family == AF_INET ? &ip : NULL);
	admin_put_ip(call, "IpV6", &ip);
	admin_put_ip(call, "IpAddress", &ip);
	admin_put_bool(call, "DhcpAllocated", e->leased);
	admin_put_time(call, "CreatedTime", hub_table_calendar_ms(e->created_s));
	admin_put_time(call, "UpdatedTime", hub_table_calendar_ms(e->updated_s));
	admin_put_bool(call, "RemoteItem", false);
	admin_put_data(call, "PatchbayMacAddress", mac, sizeof(mac));
	admin_put_int(call, "PatchbayVlanId", e->vlan);
	admin_row_end(call);
}

static void put_ips(struct admin_call *call, struct hub *hub, uint64_t *cursor, size_t max)
{
	struct iptable_entry batch[HUB_TABLE_BATCH];
	size_t n = hub_ip_list(hub, cursor, batch, max);

	for (size_t i = 0; i < n; i++)
		put_row(call, &batch[i]);
}

static int enum_ip_step(struct admin_call *call)
{
	return hub_table_list_step(call, "IpTable", put_ips);
}

const struct admin_method admin_method_enum_ip_table = {
	.name = "EnumIpTable",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the IP table of a hub. 8: no such hub.",
	.request = admin_hub_request,
	.response = enum_response,
	.state_bytes = sizeof(struct hub_table_walk),
	.step = enum_ip_step,
};

/* ---- DeleteIpTable --------------------------------------------------------------------------- */

static const struct admin_field delete_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("Key", 1, UINT32_MAX, "handle from EnumIpTable; or give PatchbayIp"),
	ADMIN_IP("PatchbayIp", "address, instead of Key"),
	ADMIN_INT("PatchbayVlanId", 0, VLAN_MAX, "its VLAN, 0 = untagged (default)"),
	ADMIN_END,
};

static const struct admin_field delete_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("Key", 1, UINT32_MAX, "handle of the entry that is gone"),
	ADMIN_END,
};

struct delete_ip {
	uint64_t cursor;
	bool found;
	struct iptable_entry entry;
};

static int look_for_key(struct admin_call *call, struct hub *hub, uint64_t *cursor)
{
	struct delete_ip *st = call->state;
	struct iptable_entry batch[HUB_TABLE_BATCH];
	size_t n = hub_ip_list(hub, cursor, batch, HUB_TABLE_BATCH);

	for (size_t i = 0; i < n; i++) {
		if (ip_handle(batch[i].addr, batch[i].vlan) != admin_get_int(call, "Key"))
			continue;
		if (st->found &&
			(memcmp(st->entry.addr, batch[i].addr, 16) != 0 ||
				st->entry.vlan != batch[i].vlan))
			return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
				"two addresses share this Key: give PatchbayIp");
		st->found = true;
		st->entry = batch[i];
	}
	return 0;
}

static int delete_ip_step(struct admin_call *call)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct delete_ip *st = call->state;
	struct sockaddr_storage ip;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_delete_iptable);
	if (rc != 0)
		return rc;
	if (admin_has(call, "PatchbayIp")) {
		admin_get_ip(call, "PatchbayIp", &ip);
		memcpy(st->entry.addr, mapped, sizeof(mapped));
		if (ip.ss_family == AF_INET6)
			memcpy(st->entry.addr, &((struct sockaddr_in6 *)&ip)->sin6_addr, 16);
		else
			memcpy(st->entry.addr + 12, &((struct sockaddr_in *)&ip)->sin_addr, 4);
		st->entry.vlan = (uint16_t)admin_get_int(call, "PatchbayVlanId");
		st->found = true;
	} else if (!admin_has(call, "Key")) {
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER, "give Key or PatchbayIp");
	} else {
		rc = hub_table_search(call, hub->hub, &st->cursor, look_for_key);
		if (rc != ADMIN_DONE)
			return rc;
	}
	if (!st->found || hub_ip_delete(hub->hub, st->entry.addr, st->entry.vlan) != 0)
		return admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND,
			"hub %s has no such address in its table", hub->name);
	admin_put_str(call, "HubName", hub->name);
	admin_put_int(call, "Key", ip_handle(st->entry.addr, st->entry.vlan));
	return ADMIN_DONE;
}

const struct admin_method admin_method_delete_ip_table = {
	.name = "DeleteIpTable",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_RUNS,
	.text = "Deletes one entry of a hub's IP table; the next frame from the address brings it back. 8: no such "
		"hub, 29: no such entry, 38: no or an ambiguous Key.",
	.request = delete_request,
	.response = delete_response,
	.state_bytes = sizeof(struct delete_ip),
	.step = delete_ip_step,
};
