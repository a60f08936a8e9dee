/* SPDX-License-Identifier: BSD-3-Clause */
/* Random access rules, random frames, and what the one says to the other (access_model.h). */

#include <string.h>

#include "test/unit/access_model.h"

/* ---- chance ----------------------------------------------------------------------------------- */

static uint64_t state = 88172645463325252u;

uint32_t any(uint32_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 16) % below;
}

bool one_in(uint32_t n)
{
	return any(n) == 0;
}

/* ---- people ----------------------------------------------------------------------------------- */

static const char *const user_name[MODEL_PEOPLE] = {
	"ann", "bob", "Carl", "dora", "eve", "Local Bridge"};
static const char *const group_name[MODEL_PEOPLE] = {"staff", "staff", "guests", "", "ann", ""};
static uint64_t listed_key[2][3];
struct access_names model_lists[MODEL_LISTS];

struct access_party person(unsigned i)
{
	return (struct access_party){
		.user = access_name_key(user_name[i]),
		.group = access_name_key(group_name[i]),
		.listable = i != MODEL_PEOPLE - 1,
	};
}

static bool model_listed(unsigned list, unsigned who)
{
	/* List 0: ann, carl, the bridge. List 1: bob. */
	return list == 0 ? who == 0 || who == 2 || who == MODEL_PEOPLE - 1 : who == 1;
}

void people_make(void)
{
	static const char *const zero[] = {"corp\\ann", "CARL@example.net", "local bridge"};

	for (unsigned i = 0; i < 3; i++)
		listed_key[0][i] = access_name_key(zero[i]);
	listed_key[1][0] = access_name_key("Bob");
	access_names_sort(listed_key[0], 3);
	model_lists[0] = (struct access_names){.cnt = 3, .key = listed_key[0]};
	model_lists[1] = (struct access_names){.cnt = 1, .key = listed_key[1]};
}

/* ---- frames ----------------------------------------------------------------------------------- */

static const uint8_t protocols[] = {6, 6, 17, 17, 1, 58, 47, 89};
static const uint16_t ports[] = {0, 1, 50, 80, 443, 1024, 65535};

static void ip_random(uint8_t *ip, unsigned bytes)
{
	memset(ip, 0, 16);
	ip[0] = bytes == 4 ? 10 : 0xfd;
	ip[bytes - 2] = (uint8_t)any(3);
	ip[bytes - 1] = (uint8_t)any(4);
}

static uint64_t mac_random(void)
{
	return UINT64_C(0x020000000000) + any(4) + ((uint64_t)any(3) << 24);
}

void put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put_mac(uint8_t *p, uint64_t mac)
{
	for (unsigned i = 0; i < 6; i++)
		p[i] = (uint8_t)(mac >> (40 - 8 * i));
}

/* Layer 4 at p, of a first or a later fragment. Returns its length. */
static uint32_t put_l4(struct facts *f, uint8_t *p, bool later)
{
	static const uint8_t tcp_flags[] = {0x02, 0x12, 0x10, 0x18, 0x04, 0x03, 0};

	memset(p, 0, 24);
	if (later)
		return 24;
	if (f->protocol != 6 && f->protocol != 17)
		return 24;
	f->ports = true;
	f->sport = ports[any(sizeof(ports) / sizeof(ports[0]))];
	f->dport = ports[any(sizeof(ports) / sizeof(ports[0]))];
	put16(p, f->sport);
	put16(p + 2, f->dport);
	if (f->protocol == 6) {
		f->tcp = true;
		f->flags = tcp_flags[any(sizeof(tcp_flags))];
		p[12] = 0x50;
		p[13] = f->flags;
	}
	return 24;
}

static uint32_t put_ip4(struct facts *f, uint8_t *p)
{
	uint32_t header = one_in(4) ? 24 : 20, l4;
	bool later = one_in(5);

	memset(p, 0, header);
	p[0] = (uint8_t)(0x40 | header / 4);
	p[8] = 64;
	p[9] = f->protocol;
	put16(p + 6, later ? 0x2005 : one_in(6) ? 0x2000 : 0);
	memcpy(p + 12, f->src, 4);
	memcpy(p + 16, f->dst, 4);
	l4 = put_l4(f, p + header, later);
	put16(p + 2, header + l4);
	return header + l4;
}

static uint32_t put_ip6(struct facts *f, uint8_t *p)
{
	uint32_t at = 40, l4;
	uint8_t *next = p + 6;
	bool later = false;

	memset(p, 0, 80);
	p[0] = 0x60;
	p[7] = 64;
	memcpy(p + 8, f->src, 16);
	memcpy(p + 24, f->dst, 16);
	if (one_in(4)) {
		*next = 60; /* destination options, 8 bytes */
		next = p + at;
		at += 8;
	}
	if (one_in(4)) {
		*next = 44;
		later = one_in(2);
		next = p + at;
		put16(p + at + 2, later ? 0x0010 : 0x0001);
		at += 8;
	}
	*next = f->protocol;
	l4 = put_l4(f, p + at, later);
	put16(p + 4, at - 40 + l4);
	return at + l4;
}

void facts_make(struct facts *f)
{
	static const unsigned families[] = {4, 4, 4, 6, 6, 0, 1};
	static const uint16_t types[] = {[0] = 0x8137, [1] = 0x0806, [4] = 0x0800, [6] = 0x86dd};
	uint32_t at = 12;

	memset(f, 0, sizeof(*f));
	f->family = families[any(7)];
	f->smac = mac_random();
	f->dmac = one_in(6) ? UINT64_C(0xffffffffffff) : mac_random();
	put_mac(f->bytes, f->dmac);
	put_mac(f->bytes + 6, f->smac);
	if (one_in(6)) {
		put16(f->bytes + at, 0x8100);
		put16(f->bytes + at + 2, 5);
		at += 4;
	}
	put16(f->bytes + at, types[f->family]);
	at += 2;
	if (f->family >= 4) {
		ip_random(f->src, f->family == 4 ? 4 : 16);
		ip_random(f->dst, f->family == 4 ? 4 : 16);
		f->protocol = protocols[any(sizeof(protocols))];
	}
	if (f->family == 4) {
		at += put_ip4(f, f->bytes + at);
	} else if (f->family == 6) {
		at += put_ip6(f, f->bytes + at);
	} else if (f->family == 1) {
		static const uint8_t arp[] = {0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 1, 10, 0, 0, 1,
			0, 0, 0, 0, 0, 0, 10, 0, 0, 2};

		memcpy(f->bytes + at, arp, sizeof(arp));
		at += sizeof(arp);
	} else {
		at += 46;
	}
	f->len = at;
}

/* ---- rules ------------------------------------------------------------------------------------ */

static void who_random(struct access_who *w, bool may)
{
	static const char *const names[] = {
		"ANN", "corp\\bob", "staff", "guests", "nobody", "eve@example.net", "LOCAL BRIDGE"};

	memset(w, 0, sizeof(*w));
	if (!may || !one_in(3))
		return;
	if (one_in(3)) {
		w->kind = one_in(2) ? ACCESS_WHO_LISTED : ACCESS_WHO_UNLISTED;
		w->list = any(2);
		return;
	}
	w->kind = ACCESS_WHO_NAME;
	w->name = access_name_key(names[any(sizeof(names) / sizeof(names[0]))]);
}

static void range_random(uint16_t *first, uint16_t *last)
{
	uint16_t a = ports[any(sizeof(ports) / sizeof(ports[0]))],
		 b = ports[any(sizeof(ports) / sizeof(ports[0]))];

	if (one_in(2))
		b = a;
	*first = a < b ? a : b;
	*last = a < b ? b : a;
}

static void mask_random(uint8_t *mask, unsigned bytes)
{
	memset(mask, 0xff, bytes);
	if (one_in(2))
		mask[bytes - 1] = (uint8_t)(0xff00u >> any(9));
	if (one_in(3))
		mask[bytes - 2] = one_in(2) ? 0 : 0x55;
}

void rule_random(struct access_rule *r, uint32_t slot, const struct taste *t)
{
	unsigned bytes = 4;

	memset(r, 0, sizeof(*r));
	r->slot = slot;
	r->flags = one_in(2) ? ACCESS_F_DROP : 0;
	if (one_in(3)) {
		r->flags |= ACCESS_F_IPV6;
		bytes = 16;
	}
	if (!one_in(3)) {
		ip_random(r->src, bytes);
		mask_random(r->src_mask, bytes);
	}
	if (!one_in(3)) {
		ip_random(r->dst, bytes);
		mask_random(r->dst_mask, bytes);
	}
	if (one_in(40))
		memset(r->src_mask, 0, 16); /* an address and no mask: the family */
	if (one_in(3))
		r->protocol = protocols[any(sizeof(protocols))];
	if (one_in(4))
		range_random(&r->src_port_first, &r->src_port_last);
	if (one_in(2))
		range_random(&r->dst_port_first, &r->dst_port_last);
	if (one_in(6))
		r->flags |= ACCESS_F_TCP_STATE | (one_in(2) ? ACCESS_F_ESTABLISHED : 0);
	if (t->macs && one_in(3)) {
		r->flags |= ACCESS_F_SRC_MAC;
		r->src_mac = mac_random();
		r->src_mac_mask = one_in(2) ? UINT64_C(0xffffffffffff) : UINT64_C(0xffffff0000ff);
	}
	if (t->macs && one_in(3)) {
		r->flags |= ACCESS_F_DST_MAC;
		r->dst_mac = mac_random();
		r->dst_mac_mask = one_in(2) ? UINT64_C(0xffffffffffff) : UINT64_C(0x000000000003);
	}
	who_random(&r->src_who, t->names);
	who_random(&r->dst_who, t->receivers && one_in(4));
	if (t->bare && one_in(60)) {
		uint32_t flags = r->flags & (ACCESS_F_DROP | ACCESS_F_IPV6);

		memset(r, 0, sizeof(*r));
		r->slot = slot;
		r->flags = flags;
	}
}

/* ---- the model -------------------------------------------------------------------------------- */

static bool zero16(const uint8_t *p, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if (p[i] != 0)
			return false;
	return true;
}

static bool model_address(const uint8_t *have, const uint8_t *want, const uint8_t *mask, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		if ((have[i] & mask[i]) != (want[i] & mask[i]))
			return false;
	return true;
}

static bool model_who(const struct access_who *w, int who)
{
	if (w->kind == ACCESS_WHO_ANY)
		return true;
	if (who < 0)
		return false;
	if (w->kind == ACCESS_WHO_NAME)
		return w->name == access_name_key(user_name[who]) ||
			(group_name[who][0] != '\0' && w->name == access_name_key(group_name[who]));
	return who != MODEL_PEOPLE - 1 &&
		model_listed(w->list, (unsigned)who) == (w->kind == ACCESS_WHO_LISTED);
}

static bool model_packet(const struct access_rule *r, const struct facts *f)
{
	unsigned n = (r->flags & ACCESS_F_IPV6) != 0 ? 16 : 4;
	bool src = !zero16(r->src, n) || !zero16(r->src_mask, n);
	bool dst = !zero16(r->dst, n) || !zero16(r->dst_mask, n);
	bool sports = r->src_port_first != 0 || r->src_port_last != 0;
	bool dports = r->dst_port_first != 0 || r->dst_port_last != 0;
	bool state_asked = (r->flags & ACCESS_F_TCP_STATE) != 0;
	bool established = !((f->flags & 0x02) != 0 && (f->flags & 0x10) == 0);

	if (!src && !dst && !sports && !dports && !state_asked && r->protocol == 0)
		return true;
	if (f->family != ((r->flags & ACCESS_F_IPV6) != 0 ? 6u : 4u))
		return false;
	if (src && !model_address(f->src, r->src, r->src_mask, n))
		return false;
	if (dst && !model_address(f->dst, r->dst, r->dst_mask, n))
		return false;
	if (r->protocol != 0 && f->protocol != r->protocol)
		return false;
	if ((sports || dports) && !f->ports)
		return false;
	if (sports && (f->sport < r->src_port_first || f->sport > r->src_port_last))
		return false;
	if (dports && (f->dport < r->dst_port_first || f->dport > r->dst_port_last))
		return false;
	return !state_asked || (f->tcp && established == ((r->flags & ACCESS_F_ESTABLISHED) != 0));
}

bool model_rule(const struct access_rule *r, const struct facts *f, int from, int to)
{
	if (f->family == 1)
		return false;
	if ((r->flags & ACCESS_F_SRC_MAC) != 0 && ((f->smac ^ r->src_mac) & r->src_mac_mask) != 0)
		return false;
	if ((r->flags & ACCESS_F_DST_MAC) != 0 && ((f->dmac ^ r->dst_mac) & r->dst_mac_mask) != 0)
		return false;
	return model_packet(r, f) && model_who(&r->src_who, from) && model_who(&r->dst_who, to);
}
