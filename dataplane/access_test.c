/* SPDX-License-Identifier: BSD-3-Clause */
/* One rule and one frame: what reference/access-list.md 3 says, as masks (access_priv.h). */

#include <stdlib.h>
#include <string.h>

#include "dataplane/access_priv.h"
#include "dataplane/frame.h"

/* ---- who -------------------------------------------------------------------------------------- */

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool listed(const struct access_names *names, uint64_t key)
{
	return names->cnt > 0 && bsearch(&key, names->key, names->cnt, sizeof(key), by_key) != NULL;
}

bool access_who_holds(const struct access_who_test *who, const struct access_party *party,
	const struct access_names *lists)
{
	switch (who->kind) {
	case ACCESS_WHO_ANY:
		return true;
	case ACCESS_WHO_NAME:
		return party != NULL && who->name != 0 &&
			(who->name == party->user || who->name == party->group);
	default:
		return party != NULL && party->listable &&
			listed(&lists[who->list], party->user) == (who->kind == ACCESS_WHO_LISTED);
	}
}

/* ---- rules to tests -------------------------------------------------------------------------- */

static bool any_bit(const uint8_t *p, unsigned n)
{
	uint8_t all = 0;

	for (unsigned i = 0; i < n; i++)
		all |= p[i];
	return all != 0;
}

/* A condition on n bytes of the key at `at`. */
static void put(
	struct access_test *t, size_t at, const uint8_t *want, const uint8_t *mask, size_t n)
{
	uint8_t *m = (uint8_t *)t->mask + at, *w = (uint8_t *)t->want + at;

	for (size_t i = 0; i < n; i++) {
		m[i] |= mask[i];
		w[i] |= want[i] & mask[i];
	}
}

static void put_byte(struct access_test *t, size_t at, uint8_t want, uint8_t mask)
{
	put(t, at, &want, &mask, 1);
}

static void put_mac(struct access_test *t, size_t at, uint64_t mac, uint64_t mask)
{
	uint8_t w[6], m[6];

	frame_mac_put(w, mac);
	frame_mac_put(m, mask);
	put(t, at, w, m, 6);
}

static bool put_addresses(struct access_test *t, const struct access_rule *r)
{
	unsigned bytes = (r->flags & ACCESS_F_IPV6) != 0 ? 16 : 4;
	bool src = any_bit(r->src, bytes) || any_bit(r->src_mask, bytes);
	bool dst = any_bit(r->dst, bytes) || any_bit(r->dst_mask, bytes);

	if (src)
		put(t, offsetof(struct access_key, address), r->src, r->src_mask, bytes);
	if (dst)
		put(t, offsetof(struct access_key, address) + bytes, r->dst, r->dst_mask, bytes);
	return src || dst;
}

static bool put_port(struct access_test *t, unsigned i, uint16_t first, uint16_t last)
{
	uint8_t want[2] = {(uint8_t)(first >> 8), (uint8_t)first}, ones[2] = {0xff, 0xff};

	t->port_first[i] = 0;
	t->port_last[i] = 65535;
	if (first == 0 && last == 0)
		return false;
	t->port_first[i] = first;
	t->port_last[i] = last;
	if (first == last)
		put(t, offsetof(struct access_key, ports) + 2 * i, want, ones, 2);
	else
		t->ranges = true;
	return true;
}

void access_test_make(const struct access_rule *r, struct access_test *t)
{
	const size_t l4 = offsetof(struct access_key, l4);
	bool packet, ports;

	memset(t, 0, sizeof(*t));
	packet = put_addresses(t, r);
	ports = put_port(t, 0, r->src_port_first, r->src_port_last);
	ports = put_port(t, 1, r->dst_port_first, r->dst_port_last) || ports;
	if (ports)
		put_byte(t, l4, ACCESS_L4_PORTS, ACCESS_L4_PORTS);
	if (r->protocol != 0) {
		uint8_t bit = access_protocol_bit(r->protocol);

		put_byte(t, offsetof(struct access_key, protocol), r->protocol, 0xff);
		put_byte(t, l4, bit, bit);
	}
	if ((r->flags & ACCESS_F_TCP_STATE) != 0)
		put_byte(t, l4,
			ACCESS_L4_TCP |
				((r->flags & ACCESS_F_ESTABLISHED) != 0 ? ACCESS_L4_ESTABLISHED
									: 0),
			ACCESS_L4_TCP | ACCESS_L4_ESTABLISHED);
	/* What asks for a packet is for its family alone; what does not is for every frame. */
	if (packet || ports || r->protocol != 0 || (r->flags & ACCESS_F_TCP_STATE) != 0)
		put_byte(t, offsetof(struct access_key, kind),
			(r->flags & ACCESS_F_IPV6) != 0 ? ACCESS_KIND_IPV6 : ACCESS_KIND_IPV4,
			0xff);
	if ((r->flags & ACCESS_F_DST_MAC) != 0)
		put_mac(t, offsetof(struct access_key, macs), r->dst_mac, r->dst_mac_mask);
	if ((r->flags & ACCESS_F_SRC_MAC) != 0)
		put_mac(t, offsetof(struct access_key, macs) + 6, r->src_mac, r->src_mac_mask);
	t->src_who = (struct access_who_test){
		.kind = (uint8_t)r->src_who.kind, .list = r->src_who.list, .name = r->src_who.name};
	t->dst_who = (struct access_who_test){
		.kind = (uint8_t)r->dst_who.kind, .list = r->dst_who.list, .name = r->dst_who.name};
}

void access_action_make(const struct access_rule *r, struct access_action *out)
{
	bool drop = (r->flags & ACCESS_F_DROP) != 0;
	bool special = r->delay_ms != 0 || r->loss != 0 || r->url != NULL;

	*out = (struct access_action){
		.slot = r->slot,
		.flags = (uint8_t)((drop ? ACCESS_ACT_DROP : 0) |
			(special && !drop ? ACCESS_ACT_SPECIAL : 0)),
		.jitter = r->jitter,
		.loss = r->loss,
		.delay_ms = r->delay_ms,
	};
}

/* ---- tests ------------------------------------------------------------------------------------ */

static bool in_ranges(const struct access_test *t, const struct access_key *key)
{
	for (unsigned i = 0; i < 2; i++) {
		uint32_t port = (uint32_t)key->ports[2 * i] << 8 | key->ports[2 * i + 1];

		if (port < t->port_first[i] || port > t->port_last[i])
			return false;
	}
	return true;
}

bool access_test_key(const struct access_test *t, const struct access_key *key)
{
	uint64_t odd = 0;

	for (unsigned i = 0; i < ACCESS_KEY_WORDS; i++)
		odd |= (key->word[i] & t->mask[i]) ^ t->want[i];
	return odd == 0 && (!t->ranges || in_ranges(t, key));
}

bool access_test_holds(const struct access_test *t, const struct access_key *key,
	const struct access_party *from, const struct access_party *to,
	const struct access_names *lists)
{
	return access_test_key(t, key) && access_who_holds(&t->src_who, from, lists) &&
		access_who_holds(&t->dst_who, to, lists);
}

bool access_test_tcp_state(const struct access_test *t)
{
	const uint8_t *mask = (const uint8_t *)t->mask;

	return (mask[offsetof(struct access_key, l4)] & ACCESS_L4_ESTABLISHED) != 0;
}

bool access_test_all(const struct access_test *t)
{
	uint64_t any = 0;

	for (unsigned i = 0; i < ACCESS_KEY_WORDS; i++)
		any |= t->mask[i];
	return any == 0 && !t->ranges && t->src_who.kind == ACCESS_WHO_ANY &&
		t->dst_who.kind == ACCESS_WHO_ANY;
}
