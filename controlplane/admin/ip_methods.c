/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * IP table (admin-rpc.md 4.6). Key is a keyed hash of VLAN and address, as in the MAC table (mac_methods.c); a delete
 * whose Key two addresses share is refused, and PatchbayIp with PatchbayVlanId say which is meant.
 */

#include <netinet/in.h>
#include <openssl/rand.h>
#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/bridges.h"
#include "controlplane/registry.h"
#include "dataplane/hub.h"
#include "dataplane/lcore.h"
#include "drivers/session/wire/wire_error.h"

#define VLAN_MAX 4095u
#define BATCH	 64u /* entries copied out of the table at a time */

/* Never 0, which in a request means that no handle is given. */
static uint32_t ip_handle(const uint8_t addr[16], uint16_t vlan)
{
	static uint64_t secret[3];
	uint64_t part[2], v;

	if (secret[0] == 0 && RAND_bytes((uint8_t *)secret, sizeof(secret)) != 1)
		secret[0] = 1;
	memcpy(part, addr, sizeof(part));
	v = vlan;
	for (unsigned round = 0; round < 3; round++) {
		v = (v ^ secret[round] ^ part[round & 1]) * UINT64_C(0x9e3779b97f4a7c15);
		v ^= v >> 29;
	}
	return (uint32_t)(v >> 32) == 0 ? 1 : (uint32_t)(v >> 32);
}

static int64_t calendar_ms(uint32_t clock_s)
{
	return directory_now_ms() - ((int64_t)lcore_clock_s() - clock_s) * 1000;
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

static const struct admin_field hub_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_END,
};

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

struct enum_ip {
	uint64_t cursor;
	const struct hub *hub; /* only compared */
};

static void put_row(struct admin_call *call, const struct iptable_entry *e)
{
	const struct vpn_session *vs = registry_session_by_port(e->port_idx);
	const struct local_bridge *lb = vs == NULL ? bridges_by_port(e->port_idx) : NULL;
	struct sockaddr_storage ip;
	uint8_t mac[6];

	for (unsigned i = 0; i < sizeof(mac); i++)
		mac[i] = (uint8_t)(e->mac >> (40 - 8 * i));
	address(e->addr, &ip);
	admin_row_begin(call);
	admin_put_int(call, "Key", ip_handle(e->addr, e->vlan));
	admin_put_str(call, "SessionName",
		vs != NULL	     ? vs->name
			: lb != NULL ? lb->session_name
				     : "");
	admin_put_ip(call, "Ip", ip.ss_family == AF_INET ? &ip : NULL);
	admin_put_ip(call, "IpV6", &ip);
	admin_put_ip(call, "IpAddress", &ip);
	admin_put_bool(call, "DhcpAllocated", e->leased);
	admin_put_time(call, "CreatedTime", calendar_ms(e->created_s));
	admin_put_time(call, "UpdatedTime", calendar_ms(e->updated_s));
	admin_put_bool(call, "RemoteItem", false);
	admin_put_data(call, "PatchbayMacAddress", mac, sizeof(mac));
	admin_put_int(call, "PatchbayVlanId", e->vlan);
	admin_row_end(call);
}

static int enum_ip_step(struct admin_call *call)
{
	struct iptable_entry batch[BATCH];
	struct enum_ip *st = call->state;
	struct directory_hub *hub;

	if (call->steps == 0) {
		int rc = admin_hub_lookup(call, &hub);

		if (rc != 0)
			return rc;
		st->hub = hub->hub;
		admin_put_str(call, "HubName", hub->name);
		admin_rows_begin(call, "IpTable");
	} else {
		hub = directory_hub_find(admin_get_str(call, "HubName"));
	}
	/* A hub that has gone meanwhile has no addresses. */
	if (hub == NULL || hub->hub != st->hub)
		st->cursor = UINT64_MAX;
	if (st->cursor != UINT64_MAX && admin_room(call)) {
		size_t max = call->row_budget < BATCH ? call->row_budget : BATCH;
		size_t n = hub_ip_list(hub->hub, &st->cursor, batch, max);

		for (size_t i = 0; i < n; i++)
			put_row(call, &batch[i]);
	}
	if (st->cursor != UINT64_MAX)
		return ADMIN_MORE;
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_enum_ip_table = {
	.name = "EnumIpTable",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the IP table of a hub. 8: no such hub.",
	.request = hub_request,
	.response = enum_response,
	.state_bytes = sizeof(struct enum_ip),
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

/* Looks a slice of the table through for the handle. ADMIN_DONE: looked through, st->found. */
static int find_handle(struct admin_call *call, const struct hub *hub, struct delete_ip *st)
{
	uint32_t key = admin_get_int(call, "Key");
	struct iptable_entry batch[BATCH];

	while (st->cursor != UINT64_MAX) {
		size_t n = hub_ip_list(hub, &st->cursor, batch, BATCH);

		for (size_t i = 0; i < n; i++) {
			if (ip_handle(batch[i].addr, batch[i].vlan) != key)
				continue;
			if (st->found &&
				(memcmp(st->entry.addr, batch[i].addr, 16) != 0 ||
					st->entry.vlan != batch[i].vlan))
				return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
					"two addresses share this Key: give PatchbayIp");
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
		rc = find_handle(call, hub->hub, st);
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
