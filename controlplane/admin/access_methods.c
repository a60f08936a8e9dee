/* SPDX-License-Identifier: BSD-3-Clause */
/* Access lists: the methods of the original (admin-rpc.md 4.7), and in access_text_methods.c our own. */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/access_list.h"
#include "controlplane/admin/access_edit.h"
#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/directory.h"
#include "dataplane/frame.h"
#include "drivers/session/wire/wire_error.h"

/* What a rule of IPv6 shows in the fields of IPv4: tools that know only those see something harmless. */
#define DUMMY_ADDRESS "\xdf\xff\xff\xfd"

/* The fields of a rule, without Id and UniqueId. */
#define RULE_FIELDS                                                                            \
	ADMIN_USTR("Note", 0, 1023, "for people"), ADMIN_BOOL("Active", "the rule counts"),    \
		ADMIN_INT("Priority", 0, UINT32_MAX, "the smallest is looked at first"),       \
		ADMIN_BOOL("Discard", "drop; else pass"),                                      \
		ADMIN_IP("SrcIpAddress", "IPv4 source; with a mask of 0: any"),                \
		ADMIN_IP("SrcSubnetMask", "mask, any bits"),                                   \
		ADMIN_IP("DestIpAddress", "IPv4 destination"),                                 \
		ADMIN_IP("DestSubnetMask", "mask, any bits"),                                  \
		ADMIN_INT("Protocol", 0, 255, "IP protocol; 0: any"),                          \
		ADMIN_INT("SrcPortStart", 0, 65535, "first source port; TCP and UDP; 0: any"), \
		ADMIN_INT("SrcPortEnd", 0, 65535, "last source port"),                         \
		ADMIN_INT("DestPortStart", 0, 65535, "first destination port"),                \
		ADMIN_INT("DestPortEnd", 0, 65535, "last destination port"),                   \
		ADMIN_STR("SrcUsername", 0, 255,                                               \
			"user or group that sends; include:FILE, exclude:FILE"),               \
		ADMIN_STR("DestUsername", 0, 255, "user or group that receives"),              \
		ADMIN_BOOL("CheckSrcMac", "the source MAC counts"),                            \
		ADMIN_DATA("SrcMacAddress", 0, 6, "source MAC"),                               \
		ADMIN_DATA("SrcMacMask", 0, 6, "its mask"),                                    \
		ADMIN_BOOL("CheckDstMac", "the destination MAC counts"),                       \
		ADMIN_DATA("DstMacAddress", 0, 6, "destination MAC"),                          \
		ADMIN_DATA("DstMacMask", 0, 6, "its mask"),                                    \
		ADMIN_BOOL("CheckTcpState", "Established counts; TCP only"),                   \
		ADMIN_BOOL("Established", "all but SYN without ACK; else only that"),          \
		ADMIN_INT("Delay", 0, ACCESS_DELAY_MAX_MS, "ms a frame waits"),                \
		ADMIN_INT("Jitter", 0, 100, "per cent of Delay, either way"),                  \
		ADMIN_INT("Loss", 0, 100, "per cent of frames that are lost"),                 \
		ADMIN_BOOL("IsIPv6", "conditions are about IPv6"),                             \
		ADMIN_STR("RedirectUrl", 0, ACCESS_URL_MAX, "web browsers are sent there"),    \
		ADMIN_DATA("SrcIpAddress6", 0, 16, "IPv6 source"),                             \
		ADMIN_DATA("SrcSubnetMask6", 0, 16, "mask"),                                   \
		ADMIN_DATA("DestIpAddress6", 0, 16, "IPv6 destination"),                       \
		ADMIN_DATA("DestSubnetMask6", 0, 16, "mask")

static const struct admin_field row_in[] = {
	ADMIN_INT("Id", 0, UINT32_MAX, "not looked at"),
	ADMIN_INT("UniqueId", 0, UINT32_MAX, "stays with the rule; 0: a new one"),
	RULE_FIELDS,
	ADMIN_STR("HubName", 0, 255, "not looked at"),
	ADMIN_INT64("PatchbayHits", "not looked at"),
	ADMIN_STR("PatchbayRule", 0, 8191, "not looked at"),
	ADMIN_END,
};

static const struct admin_field row_out[] = {
	ADMIN_INT("Id", 1, ACCESS_RULES_MAX, "place in the list"),
	ADMIN_INT("UniqueId", 1, UINT32_MAX, "stays with the rule"),
	RULE_FIELDS,
	ADMIN_INT64("PatchbayHits", "frames that this rule decided, since it is there"),
	ADMIN_STR("PatchbayRule", 1, 8191, "all of it as text, as directory.cfg has it"),
	ADMIN_END,
};

static const struct admin_field add_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("Id", 0, UINT32_MAX, "not looked at"),
	ADMIN_INT("UniqueId", 0, UINT32_MAX, "not looked at"),
	RULE_FIELDS,
	ADMIN_END,
};

static const struct admin_field set_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_ROWS_IN("AccessList", ACCESS_RULES_MAX, row_in, "the whole list"),
	ADMIN_END,
};

static const struct admin_field delete_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_REQUIRED_INT("Id", 1, UINT32_MAX, "place in the list, or UniqueId"),
	ADMIN_END,
};

static const struct admin_field enum_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_BOOL("PatchbayStateOnly", "no rules, only how they are in force"),
	ADMIN_END,
};

static const struct admin_field enum_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("PatchbayTables", 0, UINT32_MAX, "compiled tables"),
	ADMIN_INT("PatchbayScanned", 0, ACCESS_RULES_MAX,
		"active rules that are scanned in order, since few, or since they do not compile in their bound"),
	ADMIN_INT("PatchbayFresh", 0, ACCESS_RULES_MAX,
		"rules that are scanned until the next run of the compiler"),
	ADMIN_BOOL("PatchbayCompiling", "the compiler runs"),
	ADMIN_INT("PatchbayCompileMs", 0, UINT32_MAX, "what its last run took, ms"),
	ADMIN_INT64("PatchbayParked",
		"frames of all hubs that wait for a rule's Delay; 0 to administrators of one"),
	ADMIN_INT64("PatchbayParkRefused",
		"frames of all hubs that found no room to wait, since the start; 0 likewise"),
	ADMIN_ROWS("AccessList", row_out, "one record per rule, in the order of evaluation"),
	ADMIN_END,
};

static const struct admin_field id_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("Id", 0, ACCESS_RULES_MAX, "place in the list; 0: gone"),
	ADMIN_INT("UniqueId", 0, UINT32_MAX, "stays with the rule"),
	ADMIN_END,
};

/* ---- records ---------------------------------------------------------------------------------- */

/* One value of a record, wherever it comes from: a row of a list, or the arguments of a call. */
struct source {
	struct admin_call *call;
	const char *list; /* NULL: arguments */
	uint32_t row;
};

static uint32_t get_int(const struct source *s, const char *name)
{
	return s->list == NULL ? admin_get_int(s->call, name)
			       : admin_row_int(s->call, s->list, s->row, name);
}

static bool get_bool(const struct source *s, const char *name)
{
	return s->list == NULL ? admin_get_bool(s->call, name)
			       : admin_row_bool(s->call, s->list, s->row, name);
}

static bool has(const struct source *s, const char *name)
{
	return s->list == NULL ? admin_has(s->call, name)
			       : admin_row_has(s->call, s->list, s->row, name);
}

static void get_ip4(const struct source *s, const char *name, uint8_t out[16])
{
	struct sockaddr_storage a;

	if (s->list == NULL)
		admin_get_ip(s->call, name, &a);
	else
		admin_row_ip(s->call, s->list, s->row, name, &a);
	memset(out, 0, 16);
	if (a.ss_family == AF_INET)
		memcpy(out, &((struct sockaddr_in *)&a)->sin_addr, 4);
}

static void get_data(const struct source *s, const char *name, uint8_t *out, size_t bytes)
{
	size_t size = 0;
	const void *data = s->list == NULL ? admin_get_data(s->call, name, &size)
					   : admin_row_data(s->call, s->list, s->row, name, &size);

	memset(out, 0, bytes);
	if (data != NULL && size == bytes)
		memcpy(out, data, bytes);
}

static uint64_t get_mac(const struct source *s, const char *name)
{
	uint8_t mac[6];
	uint64_t v = 0;

	get_data(s, name, mac, sizeof(mac));
	for (unsigned i = 0; i < 6; i++)
		v = v << 8 | mac[i];
	return v;
}

/* -ENOMEM; empty is none. */
static int get_text(const struct source *s, const char *name, char **out)
{
	const char *text = s->list == NULL ? admin_get_str(s->call, name)
					   : admin_row_str(s->call, s->list, s->row, name);

	if (text == NULL || text[0] == '\0')
		return 0;
	*out = strdup(text);
	return *out == NULL ? -ENOMEM : 0;
}

static void take_addresses(const struct source *s, struct access_rule *a)
{
	if ((a->flags & ACCESS_F_IPV6) != 0) {
		get_data(s, "SrcIpAddress6", a->src, 16);
		get_data(s, "SrcSubnetMask6", a->src_mask, 16);
		get_data(s, "DestIpAddress6", a->dst, 16);
		get_data(s, "DestSubnetMask6", a->dst_mask, 16);
		return;
	}
	get_ip4(s, "SrcIpAddress", a->src);
	get_ip4(s, "SrcSubnetMask", a->src_mask);
	get_ip4(s, "DestIpAddress", a->dst);
	get_ip4(s, "DestSubnetMask", a->dst_mask);
}

static void take_rule(const struct source *s, struct directory_rule *d)
{
	struct access_rule *a = &d->rule;

	d->active = !has(s, "Active") || get_bool(s, "Active");
	d->priority = get_int(s, "Priority");
	a->flags = (get_bool(s, "Discard") ? ACCESS_F_DROP : 0) |
		(get_bool(s, "IsIPv6") ? ACCESS_F_IPV6 : 0) |
		(get_bool(s, "CheckSrcMac") ? ACCESS_F_SRC_MAC : 0) |
		(get_bool(s, "CheckDstMac") ? ACCESS_F_DST_MAC : 0) |
		(get_bool(s, "CheckTcpState") ? ACCESS_F_TCP_STATE : 0) |
		(get_bool(s, "Established") ? ACCESS_F_ESTABLISHED : 0);
	take_addresses(s, a);
	a->protocol = (uint8_t)get_int(s, "Protocol");
	a->src_port_first = (uint16_t)get_int(s, "SrcPortStart");
	a->src_port_last = (uint16_t)get_int(s, "SrcPortEnd");
	a->dst_port_first = (uint16_t)get_int(s, "DestPortStart");
	a->dst_port_last = (uint16_t)get_int(s, "DestPortEnd");
	a->src_mac = get_mac(s, "SrcMacAddress");
	a->src_mac_mask = get_mac(s, "SrcMacMask");
	a->dst_mac = get_mac(s, "DstMacAddress");
	a->dst_mac_mask = get_mac(s, "DstMacMask");
	a->delay_ms = (uint16_t)get_int(s, "Delay");
	a->jitter = (uint8_t)get_int(s, "Jitter");
	a->loss = (uint8_t)get_int(s, "Loss");
}

/* 0 and *out; else the error. */
static int rule_from(const struct source *s, const struct directory_hub *hub, uint32_t id,
	struct directory_rule **out)
{
	struct directory_rule *d = directory_rule_new();
	int rc = d == NULL ? -ENOMEM : get_text(s, "Note", &d->note);

	if (rc == 0)
		rc = get_text(s, "SrcUsername", &d->src_user);
	if (rc == 0)
		rc = get_text(s, "DestUsername", &d->dst_user);
	if (rc == 0)
		rc = get_text(s, "RedirectUrl", &d->url);
	if (rc == 0) {
		take_rule(s, d);
		d->id = id;
		rc = admin_access_fit(s->call, hub, d);
	} else {
		rc = admin_fail(s->call, WIRE_ERROR_INTERNAL, "out of memory");
	}
	if (rc != 0) {
		directory_rule_free(d);
		return rc;
	}
	*out = d;
	return 0;
}

static void put_ip4(struct admin_call *call, const char *name, const void *bytes)
{
	struct sockaddr_storage a = {.ss_family = AF_INET};

	memcpy(&((struct sockaddr_in *)&a)->sin_addr, bytes, 4);
	admin_put_ip(call, name, &a);
}

static void put_mac(struct admin_call *call, const char *name, uint64_t mac)
{
	uint8_t bytes[6];

	frame_mac_put(bytes, mac);
	admin_put_data(call, name, bytes, sizeof(bytes));
}

static void put_addresses(struct admin_call *call, const struct access_rule *a)
{
	static const uint8_t none[16];
	bool ipv6 = (a->flags & ACCESS_F_IPV6) != 0;

	put_ip4(call, "SrcIpAddress", ipv6 ? (const void *)DUMMY_ADDRESS : a->src);
	put_ip4(call, "SrcSubnetMask", ipv6 ? (const void *)"\xff\xff\xff\xff" : a->src_mask);
	put_ip4(call, "DestIpAddress", ipv6 ? (const void *)DUMMY_ADDRESS : a->dst);
	put_ip4(call, "DestSubnetMask", ipv6 ? (const void *)"\xff\xff\xff\xff" : a->dst_mask);
	admin_put_data(call, "SrcIpAddress6", ipv6 ? a->src : none, 16);
	admin_put_data(call, "SrcSubnetMask6", ipv6 ? a->src_mask : none, 16);
	admin_put_data(call, "DestIpAddress6", ipv6 ? a->dst : none, 16);
	admin_put_data(call, "DestSubnetMask6", ipv6 ? a->dst_mask : none, 16);
}

static void put_rule(struct admin_call *call, const struct directory_rule *d)
{
	const struct access_rule *a = &d->rule;

	admin_put_str(call, "Note", d->note);
	admin_put_bool(call, "Active", d->active);
	admin_put_int(call, "Priority", d->priority);
	admin_put_bool(call, "Discard", (a->flags & ACCESS_F_DROP) != 0);
	put_addresses(call, a);
	admin_put_int(call, "Protocol", a->protocol);
	admin_put_int(call, "SrcPortStart", a->src_port_first);
	admin_put_int(call, "SrcPortEnd", a->src_port_last);
	admin_put_int(call, "DestPortStart", a->dst_port_first);
	admin_put_int(call, "DestPortEnd", a->dst_port_last);
	admin_put_str(call, "SrcUsername", d->src_user);
	admin_put_str(call, "DestUsername", d->dst_user);
	admin_put_bool(call, "CheckSrcMac", (a->flags & ACCESS_F_SRC_MAC) != 0);
	put_mac(call, "SrcMacAddress", a->src_mac);
	put_mac(call, "SrcMacMask", a->src_mac_mask);
	admin_put_bool(call, "CheckDstMac", (a->flags & ACCESS_F_DST_MAC) != 0);
	put_mac(call, "DstMacAddress", a->dst_mac);
	put_mac(call, "DstMacMask", a->dst_mac_mask);
	admin_put_bool(call, "CheckTcpState", (a->flags & ACCESS_F_TCP_STATE) != 0);
	admin_put_bool(call, "Established", (a->flags & ACCESS_F_ESTABLISHED) != 0);
	admin_put_int(call, "Delay", a->delay_ms);
	admin_put_int(call, "Jitter", a->jitter);
	admin_put_int(call, "Loss", a->loss);
	admin_put_bool(call, "IsIPv6", (a->flags & ACCESS_F_IPV6) != 0);
	admin_put_str(call, "RedirectUrl", d->url);
}

/* ---- EnumAccess ------------------------------------------------------------------------------- */

struct walk {
	bool begun;
	uint32_t next;
};

static int enum_step(struct admin_call *call)
{
	struct walk *st = call->state;
	struct directory_hub *hub;
	struct access_list_view v;
	int rc;

	if (!st->begun) {
		rc = admin_hub_lookup(call, &hub);
		if (rc != 0)
			return rc;
		st->begun = true;
		access_list_view(hub, &v);
		admin_put_str(call, "HubName", hub->name);
		admin_put_int(call, "PatchbayTables", v.base.tables);
		admin_put_int(call, "PatchbayScanned", v.base.scanned);
		admin_put_int(call, "PatchbayFresh", v.fresh);
		admin_put_bool(call, "PatchbayCompiling", v.compiling);
		admin_put_int(call, "PatchbayCompileMs", v.base.compile_ms);
		/* What other hubs do is no business of this one's administrator. */
		admin_put_int64(call, "PatchbayParked", call->caller->server ? v.parked : 0);
		admin_put_int64(call, "PatchbayParkRefused", call->caller->server ? v.refused : 0);
		admin_rows_begin(call, "AccessList");
	}
	hub = directory_hub_find(admin_get_str(call, "HubName"));
	while (hub != NULL && st->next < hub->access.cnt &&
		!admin_get_bool(call, "PatchbayStateOnly")) {
		const struct directory_rule *d = hub->access.rule[st->next];
		char *text;

		if (!admin_room(call))
			return ADMIN_MORE;
		text = admin_access_text(d);
		admin_row_begin(call);
		admin_put_int(call, "Id", ++st->next);
		admin_put_int(call, "UniqueId", d->id);
		put_rule(call, d);
		admin_put_int64(call, "PatchbayHits", access_list_hits(hub, d));
		admin_put_str(call, "PatchbayRule", text == NULL ? "{ }" : text);
		admin_row_end(call);
		free(text);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_enum_access = {
	.name = "EnumAccess",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the access list in the order of evaluation, with how often each rule decided. 8: no such hub.",
	.request = enum_request,
	.response = enum_response,
	.state_bytes = sizeof(struct walk),
	.step = enum_step,
};

/* ---- AddAccess, DeleteAccess, SetAccessList --------------------------------------------------- */

static int add_begin(struct admin_call *call, struct admin_access *st, struct directory_hub *hub)
{
	const struct source s = {.call = call};
	struct directory_rule *rule = NULL;
	int rc = rule_from(&s, hub, 0, &rule);

	if (rc != 0)
		return rc;
	rc = access_change_add(hub, rule, &st->change);
	if (rc == -EBUSY)
		directory_rule_free(rule);
	return admin_access_begun(call, rc);
}

static int add_step(struct admin_call *call)
{
	return admin_access_step(call, add_begin);
}

const struct admin_method admin_method_add_access = {
	.name = "AddAccess",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Adds a rule to the access list; answered when it is in force. 8: no such hub, 38: a value out of its "
		"range, 62: as many rules as there may be.",
	.request = add_request,
	.response = id_response,
	.state_bytes = sizeof(struct admin_access),
	.step = add_step,
	.fini = admin_access_fini,
};

static int delete_begin(struct admin_call *call, struct admin_access *st, struct directory_hub *hub)
{
	uint32_t at;
	int rc;

	if (!admin_access_find(call, hub, &at, &rc))
		return rc;
	return admin_access_begun(call, access_change_delete(hub, at, &st->change));
}

static int delete_step(struct admin_call *call)
{
	return admin_access_step(call, delete_begin);
}

const struct admin_method admin_method_delete_access = {
	.name = "DeleteAccess",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Removes a rule from the access list. 8: no such hub, 29: no such rule.",
	.request = delete_request,
	.response = id_response,
	.state_bytes = sizeof(struct admin_access),
	.step = delete_step,
	.fini = admin_access_fini,
};

/* A list of 32 768 rules is taken slice by slice. */
static int set_take(struct admin_call *call, struct admin_access *st, struct directory_hub *hub)
{
	uint32_t cnt = admin_row_cnt(call, "AccessList");

	if (st->rules.rule == NULL) {
		st->rules.rule = calloc((size_t)cnt + 1, sizeof(struct directory_rule *));
		if (st->rules.rule == NULL)
			return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
		st->rules.room = cnt + 1;
	}
	while (st->rules.cnt < cnt) {
		struct source s = {.call = call, .list = "AccessList", .row = st->rules.cnt};
		uint32_t id = admin_row_int(call, "AccessList", s.row, "UniqueId");
		int rc;

		if (!admin_room(call))
			return ADMIN_MORE;
		admin_spend(call, 1);
		rc = rule_from(&s, hub, id, &st->rules.rule[s.row]);
		if (rc != 0)
			return rc;
		st->rules.cnt++;
	}
	return 0;
}

static int set_begin(struct admin_call *call, struct admin_access *st, struct directory_hub *hub)
{
	int rc = set_take(call, st, hub);

	if (rc != 0)
		return rc;
	return admin_access_begun(call, access_change_replace(hub, &st->rules, &st->change));
}

static int set_step(struct admin_call *call)
{
	return admin_access_step(call, set_begin);
}

const struct admin_method admin_method_set_access_list = {
	.name = "SetAccessList",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Replaces the access list as a whole; rules that stay as they were keep their counters. 8: no such hub, 38: "
		"a value out of its range, 62: more rules than there may be.",
	.request = set_request,
	.response = id_response,
	.state_bytes = sizeof(struct admin_access),
	.step = set_step,
	.fini = admin_access_fini,
};
