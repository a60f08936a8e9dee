/* SPDX-License-Identifier: BSD-3-Clause */
/* The source address list of a hub (admin-rpc.md 4.8), and the policy keys in words. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/policy_text.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field row_in[] = {
	{.name = "IpAddress",
		.type = ADMIN_TYPE_IP,
		.flags = ADMIN_F_REQUIRED,
		.text = "address, or a network's"},
	ADMIN_INT("Id", 0, UINT32_MAX, "not looked at"),
	ADMIN_BOOL("Deny", "refuse (109); else let in"),
	ADMIN_BOOL("Masked", "SubnetMask counts; else it is one address"),
	ADMIN_IP("SubnetMask", "mask, of the same family"),
	ADMIN_INT("Priority", 0, UINT32_MAX, "the smallest that matches decides"),
	ADMIN_STR("PatchbayNetwork", 0, DIRECTORY_SOURCE_TEXT, "not looked at"),
	ADMIN_END,
};

static const struct admin_field row_out[] = {
	ADMIN_IP("IpAddress", "address, or a network's"),
	ADMIN_INT("Id", 1, UINT32_MAX, "place in the list"),
	ADMIN_BOOL("Deny", "refuse (109); else let in"),
	ADMIN_BOOL("Masked", "SubnetMask counts; else it is one address"),
	ADMIN_IP("SubnetMask", "mask, of the same family"),
	ADMIN_INT("Priority", 0, UINT32_MAX, "the smallest that matches decides"),
	ADMIN_STR("PatchbayNetwork", 1, DIRECTORY_SOURCE_TEXT, "both as text"),
	ADMIN_END,
};

static const struct admin_field set_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("NumItem", 0, UINT32_MAX, "not looked at"),
	ADMIN_ROWS_IN("ACList", DIRECTORY_SOURCES_MAX, row_in, "the whole list"),
	ADMIN_END,
};

static const struct admin_field response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("NumItem", 0, DIRECTORY_SOURCES_MAX, "lines in the list"),
	ADMIN_ROWS(
		"ACList", row_out, "one record per line, in the order in which they are looked at"),
	ADMIN_END,
};

static void to_address(const uint8_t *bytes, bool ipv6, struct sockaddr_storage *out)
{
	memset(out, 0, sizeof(*out));
	out->ss_family = ipv6 ? AF_INET6 : AF_INET;
	if (ipv6)
		memcpy(&((struct sockaddr_in6 *)out)->sin6_addr, bytes, 16);
	else
		memcpy(&((struct sockaddr_in *)out)->sin_addr, bytes, 4);
}

static void from_address(const struct sockaddr_storage *a, uint8_t *bytes)
{
	if (a->ss_family == AF_INET6)
		memcpy(bytes, &((const struct sockaddr_in6 *)a)->sin6_addr, 16);
	else
		memcpy(bytes, &((const struct sockaddr_in *)a)->sin_addr, 4);
}

static void put_row(struct admin_call *call, const struct directory_source *s, uint32_t id)
{
	static const uint8_t ones[16] = {
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255};
	struct sockaddr_storage address, mask;
	char text[DIRECTORY_SOURCE_TEXT];

	to_address(s->address, s->ipv6, &address);
	to_address(s->mask, s->ipv6, &mask);
	directory_source_text(s, text);
	admin_row_begin(call);
	admin_put_ip(call, "IpAddress", &address);
	admin_put_int(call, "Id", id);
	admin_put_bool(call, "Deny", s->deny);
	admin_put_bool(call, "Masked", memcmp(s->mask, ones, s->ipv6 ? 16 : 4) != 0);
	admin_put_ip(call, "SubnetMask", &mask);
	admin_put_int(call, "Priority", s->priority);
	admin_put_str(call, "PatchbayNetwork", text);
	admin_row_end(call);
}

/* ---- GetAcList ------------------------------------------------------------------------------- */

/* The list may be another one in the next slice: it is told from where it was left. */
struct list {
	struct admin_change change; /* first: SetAcList */
	bool begun;
	uint32_t next;
};

static int list_step(struct admin_call *call, struct list *st)
{
	struct directory_hub *hub;
	int rc;

	if (!st->begun) {
		rc = admin_hub_lookup(call, &hub);
		if (rc != 0)
			return rc;
		st->begun = true;
		admin_put_str(call, "HubName", hub->name);
		admin_put_int(call, "NumItem", hub->source_cnt);
		admin_rows_begin(call, "ACList");
	}
	hub = directory_hub_find(admin_get_str(call, "HubName"));
	while (hub != NULL && st->next < hub->source_cnt) {
		if (!admin_room(call))
			return ADMIN_MORE;
		put_row(call, &hub->sources[st->next], st->next + 1);
		st->next++;
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

static int get_ac_list_step(struct admin_call *call)
{
	return list_step(call, call->state);
}

const struct admin_method admin_method_get_ac_list = {
	.name = "GetAcList",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists from which addresses the hub's users may log in. 8: no such hub.",
	.request = admin_hub_request,
	.response = response,
	.state_bytes = sizeof(struct list),
	.step = get_ac_list_step,
};

/* ---- SetAcList ------------------------------------------------------------------------------- */

static int take_row(struct admin_call *call, uint32_t row, struct directory_source *s)
{
	struct sockaddr_storage address, mask;

	admin_row_ip(call, "ACList", row, "IpAddress", &address);
	admin_row_ip(call, "ACList", row, "SubnetMask", &mask);
	s->priority = admin_row_int(call, "ACList", row, "Priority");
	s->deny = admin_row_bool(call, "ACList", row, "Deny");
	s->ipv6 = address.ss_family == AF_INET6;
	from_address(&address, s->address);
	memset(s->mask, 255, sizeof(s->mask));
	if (!admin_row_bool(call, "ACList", row, "Masked"))
		return 0;
	if (mask.ss_family != address.ss_family)
		return admin_fail_field(call, "ACList",
			"record %u: address and mask are not of one family", row + 1);
	from_address(&mask, s->mask);
	return 0;
}

static int set_begin(struct admin_call *call)
{
	uint32_t cnt = admin_row_cnt(call, "ACList");
	struct directory_settings s;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_change_access_control_list);
	if (rc == 0)
		rc = admin_settings_copy(call, hub, &s);
	if (rc != 0)
		return rc;
	free(s.sources);
	s.source_cnt = cnt;
	s.sources = calloc((size_t)cnt + 1, sizeof(*s.sources));
	rc = s.sources == NULL ? -ENOMEM : 0;
	for (uint32_t row = 0; row < cnt && rc == 0; row++)
		rc = take_row(call, row, &s.sources[row]);
	return admin_settings_change(call, hub, &s, rc);
}

static int set_ac_list_step(struct admin_call *call)
{
	struct list *st = call->state;
	int rc = ADMIN_DONE;

	if (st->change.change == NULL)
		return set_begin(call);
	if (!st->begun)
		rc = admin_change_wait(call);
	return rc == ADMIN_DONE ? list_step(call, st) : rc;
}

const struct admin_method admin_method_set_ac_list = {
	.name = "SetAcList",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Replaces the list of addresses from which the hub's users may log in; running sessions go on. 8: no such "
		"hub, 38: more than 4096 lines, or address and mask that do not fit.",
	.request = set_request,
	.response = response,
	.state_bytes = sizeof(struct list),
	.step = set_ac_list_step,
	.fini = admin_change_fini,
};

/* ---- PatchbayEnumPolicy ---------------------------------------------------------------------- */

static const struct admin_field no_request[] = {ADMIN_END};

static const struct admin_field policy_row[] = {
	ADMIN_INT("Id", 0, POLICY_KEY_COUNT - 1, "number of the key"),
	ADMIN_STR("Key", 1, 63, "name"),
	ADMIN_STR("Type", 1, 15, "flag or number"),
	ADMIN_INT("Min", 0, UINT32_MAX, "least value"),
	ADMIN_INT("Max", 0, UINT32_MAX, "greatest value"),
	ADMIN_INT("Default", 0, UINT32_MAX, "value in the default policy; 0 below Min: no limit"),
	ADMIN_STR("Unit", 0, 31, "unit of the value"),
	ADMIN_STR("Side", 1, 31,
		"where it is asked: login, session, client, in (frames from the session), out, between"),
	ADMIN_STR("Effect", 1, 255, "what it does"),
	ADMIN_BOOL("Cascade", "cascades have it, too"),
	ADMIN_END,
};

static const struct admin_field policy_response[] = {
	ADMIN_ROWS("PolicyList", policy_row, "one record per key"),
	ADMIN_END,
};

static int enum_policy_step(struct admin_call *call)
{
	admin_rows_begin(call, "PolicyList");
	for (unsigned id = 0; id < POLICY_KEY_COUNT; id++) {
		const struct policy_key *k = &policy_keys[id];

		admin_row_begin(call);
		admin_put_int(call, "Id", id);
		admin_put_str(call, "Key", k->key);
		admin_put_str(call, "Type", k->kind == POLICY_BOOL ? "flag" : "number");
		admin_put_int(call, "Min", k->min);
		admin_put_int(call, "Max", k->max);
		admin_put_int(call, "Default", k->def);
		admin_put_str(call, "Unit", policy_texts[id].unit);
		admin_put_str(call, "Side", policy_texts[id].side);
		admin_put_str(call, "Effect", policy_texts[id].effect);
		admin_put_bool(call, "Cascade", k->cascade);
		admin_row_end(call);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_patchbay_enum_policy = {
	.name = "PatchbayEnumPolicy",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Explains the keys of a security policy.",
	.request = no_request,
	.response = policy_response,
	.step = enum_policy_step,
};
