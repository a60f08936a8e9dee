/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The tables of a base: its rules, cut into stretches, each an rte_acl context for each kind of frame.
 *
 * rte_acl builds tries over bytes, and what such a trie needs depends on how rules overlap: 32 768 rules for hosts take
 * half a second and a few MiB, as many with random prefixes at both ends minutes and gigabytes. So it is told a bound,
 * and grows from a small stretch to larger ones while that goes well. A stretch that does not even compile at its
 * smallest, and all behind it, is scanned in order; few rules are, too, since that is faster.
 *
 * Fields that no rule of a trie asks about cost nothing: rte_acl takes them out. A rule's place in the base is its
 * priority and its result, so the answer is the first that matches.
 */

#include <rte_acl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dataplane/access_priv.h"

#define SCAN_RULES   24u  /* up to so many are scanned faster than looked up */
#define FIRST_RULES  256u /* of the first stretch */
#define LEAST_RULES  64u
#define GROWTH	     4u
#define WORST	     12u
#define LEAST_BYTES  ((size_t)1 << 20)
#define PATIENCE_MS  6000u /* then the rest is scanned */
#define PRIORITY_MAX (RTE_ACL_MAX_PRIORITY - 1)

#define AT(member) offsetof(struct access_key, member)
#define BYTE	   RTE_ACL_FIELD_TYPE_BITMASK
#define RANGE	   RTE_ACL_FIELD_TYPE_RANGE

/* Fields of every kind, then the addresses: two words or eight. input_index: groups of four bytes. */
enum {
	FIELD_L4,
	FIELD_HEADER,
	FIELD_PORT_SRC,
	FIELD_PORT_DST,
	FIELD_MAC,
	FIELD_SRC_LISTS = FIELD_MAC + 3,
	FIELD_SRC_WHO,
	FIELD_DST_WHO,
	FIELD_DST_LISTS,
	FIELD_ADDRESS,
	FIELD_CNT = FIELD_ADDRESS + 8,
};

#define WORD(index, input, at)          \
	[index] = {.type = BYTE,        \
		.size = 4,              \
		.field_index = index,   \
		.input_index = (input), \
		.offset = (at)}

static const struct rte_acl_field_def fields[FIELD_CNT] = {
	[FIELD_L4] = {.type = BYTE,
		.size = 1,
		.field_index = FIELD_L4,
		.input_index = 0,
		.offset = AT(l4)},
	WORD(FIELD_HEADER, 1, AT(kind)),
	[FIELD_PORT_SRC] = {.type = RANGE,
		.size = 2,
		.field_index = FIELD_PORT_SRC,
		.input_index = 2,
		.offset = AT(ports)},
	[FIELD_PORT_DST] = {.type = RANGE,
		.size = 2,
		.field_index = FIELD_PORT_DST,
		.input_index = 2,
		.offset = AT(ports) + 2},
	WORD(FIELD_MAC, 3, AT(macs)),
	WORD(FIELD_MAC + 1, 4, AT(macs) + 4),
	WORD(FIELD_MAC + 2, 5, AT(macs) + 8),
	WORD(FIELD_SRC_LISTS, 6, AT(src_lists)),
	WORD(FIELD_SRC_WHO, 7, AT(src_who)),
	WORD(FIELD_DST_WHO, 8, AT(dst_who)),
	WORD(FIELD_DST_LISTS, 9, AT(dst_lists)),
	WORD(FIELD_ADDRESS, 10, AT(address)),
	WORD(FIELD_ADDRESS + 1, 11, AT(address) + 4),
	WORD(FIELD_ADDRESS + 2, 12, AT(address) + 8),
	WORD(FIELD_ADDRESS + 3, 13, AT(address) + 12),
	WORD(FIELD_ADDRESS + 4, 14, AT(address) + 16),
	WORD(FIELD_ADDRESS + 5, 15, AT(address) + 20),
	WORD(FIELD_ADDRESS + 6, 16, AT(address) + 24),
	WORD(FIELD_ADDRESS + 7, 17, AT(address) + 28),
};

RTE_ACL_RULE_DEF(table_rule, FIELD_CNT);

static unsigned field_cnt(enum access_kind kind)
{
	return kind == ACCESS_KIND_IPV6	   ? FIELD_CNT
		: kind == ACCESS_KIND_IPV4 ? FIELD_ADDRESS + 2
					   : FIELD_ADDRESS;
}

/* ---- one rule --------------------------------------------------------------------------------- */

static bool is_for(const struct access_test *t, enum access_kind kind)
{
	uint8_t mask = ((const uint8_t *)t->mask)[AT(kind)];

	return mask == 0 || ((const uint8_t *)t->want)[AT(kind)] == kind;
}

static uint32_t be32(const void *base, size_t at)
{
	uint32_t v;

	memcpy(&v, (const uint8_t *)base + at, 4);
	return __builtin_bswap32(v);
}

static void put_word(struct table_rule *r, unsigned field, uint32_t want, uint32_t mask)
{
	r->field[field].value.u32 = want & mask;
	r->field[field].mask_range.u32 = mask;
}

static void put_who(struct table_rule *r, const struct access_who_test *who, unsigned name_field,
	unsigned list_field, const uint64_t *names, uint32_t name_cnt)
{
	uint32_t bit;

	switch (who->kind) {
	case ACCESS_WHO_ANY:
		return;
	case ACCESS_WHO_NAME:
		put_word(r, name_field, access_name_id(names, name_cnt, who->name), UINT32_MAX);
		return;
	default:
		bit = 1u << who->list;
		put_word(r, list_field,
			ACCESS_LISTS_BIT | (who->kind == ACCESS_WHO_LISTED ? bit : 0),
			ACCESS_LISTS_BIT | bit);
	}
}

static void rule_make(
	const struct access_base *base, uint32_t index, uint32_t from, struct table_rule *r)
{
	const struct access_test *t = &base->test[index];
	const uint8_t *mask = (const uint8_t *)t->mask, *want = (const uint8_t *)t->want;

	memset(r, 0, sizeof(*r));
	r->data.category_mask = 1;
	r->data.priority = (int32_t)(PRIORITY_MAX - (index - from));
	r->data.userdata = index - from + 1;
	r->field[FIELD_L4].value.u8 = want[AT(l4)];
	r->field[FIELD_L4].mask_range.u8 = mask[AT(l4)];
	/* Of the header the protocol alone, where no bit of l4 says it. */
	if (mask[AT(protocol)] != 0 && access_protocol_bit(want[AT(protocol)]) == 0)
		put_word(r, FIELD_HEADER, (uint32_t)want[AT(protocol)] << 16, 0xffu << 16);
	for (unsigned i = 0; i < 2; i++) {
		r->field[FIELD_PORT_SRC + i].value.u16 = t->port_first[i];
		r->field[FIELD_PORT_SRC + i].mask_range.u16 = t->port_last[i];
	}
	for (unsigned i = 0; i < 3; i++)
		put_word(r, FIELD_MAC + i, be32(t->want, AT(macs) + 4 * i),
			be32(t->mask, AT(macs) + 4 * i));
	for (unsigned i = 0; i < 8; i++)
		put_word(r, FIELD_ADDRESS + i, be32(t->want, AT(address) + 4 * i),
			be32(t->mask, AT(address) + 4 * i));
	put_who(r, &t->src_who, FIELD_SRC_WHO, FIELD_SRC_LISTS, base->src_names,
		base->src_name_cnt);
	put_who(r, &t->dst_who, FIELD_DST_WHO, FIELD_DST_LISTS, base->dst_names,
		base->dst_name_cnt);
}

/* ---- one stretch ------------------------------------------------------------------------------ */

static struct rte_acl_ctx *context_new(uint32_t rules)
{
	static uint32_t serial;
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param param = {
		.name = name,
		.socket_id = SOCKET_ID_ANY,
		.rule_size = RTE_ACL_RULE_SZ(FIELD_CNT),
		.max_rule_num = rules,
	};

	snprintf(name, sizeof(name), "access_%u", __atomic_add_fetch(&serial, 1, __ATOMIC_RELAXED));
	return rte_acl_create(&param);
}

/* 0; 1: no rule is for this kind; negative: it does not compile. */
static int table_make(const struct access_base *base, uint32_t from, uint32_t to,
	enum access_kind kind, size_t max_bytes, struct access_table *out)
{
	struct rte_acl_config config = {.num_categories = 1, .num_fields = field_cnt(kind)};
	struct table_rule r;
	uint32_t cnt = 0;
	int rc = 0;

	for (uint32_t i = from; i < to; i++)
		cnt += is_for(&base->test[i], kind);
	if (cnt == 0)
		return 1;
	out->acl = context_new(cnt);
	if (out->acl == NULL)
		return -1;
	for (uint32_t i = from; i < to && rc == 0; i++) {
		if (!is_for(&base->test[i], kind))
			continue;
		rule_make(base, i, from, &r);
		rc = rte_acl_add_rules(out->acl, (const struct rte_acl_rule *)&r, 1);
	}
	config.max_size = max_bytes;
	memcpy(config.defs, fields, field_cnt(kind) * sizeof(fields[0]));
	if (rc == 0)
		rc = rte_acl_build(out->acl, &config);
	/* The rules themselves stay with the context: rte_acl has no call to give them back alone. */
	return rc;
}

static void chunk_free(struct access_chunk *c)
{
	for (unsigned k = 0; k < ACCESS_KIND_CNT; k++)
		rte_acl_free(c->table[k].acl);
	memset(c->table, 0, sizeof(c->table));
}

static bool chunk_make(const struct access_base *base, uint32_t from, uint32_t to, size_t max_bytes,
	struct access_chunk *out)
{
	*out = (struct access_chunk){.from = from, .to = to};
	for (unsigned k = 0; k < ACCESS_KIND_CNT; k++) {
		if (table_make(base, from, to, k, max_bytes, &out->table[k]) < 0) {
			chunk_free(out);
			return false;
		}
	}
	return true;
}

/* ---- all -------------------------------------------------------------------------------------- */

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void scan_from(struct access_base *base, uint32_t from, uint32_t to)
{
	if (from < to)
		base->chunk[base->chunk_cnt++] =
			(struct access_chunk){.from = from, .to = to, .scanned = true};
}

/* Sizes that are tried: they grow from `size` while that goes well, and shrink where it does not. */
struct growth {
	uint32_t size;
	bool peaked; /* a larger one failed */
	uint64_t deadline_ms;
	size_t bytes; /* per rule, twice its share */
};

static size_t chunk_bytes(const struct growth *g, uint32_t rules)
{
	size_t bytes = g->bytes * rules;

	return bytes > LEAST_BYTES ? bytes : LEAST_BYTES;
}

/* One more stretch from `at` on, no further than `end`; false: nothing compiles there. */
static bool chunk_add(struct access_base *base, struct growth *g, uint32_t at, uint32_t end)
{
	struct access_chunk *out = &base->chunk[base->chunk_cnt], larger;
	uint64_t took_ms = now_ms();

	for (;;) {
		uint32_t to = end - at > g->size ? at + g->size : end;

		if (chunk_make(base, at, to, chunk_bytes(g, to - at), out))
			break;
		g->peaked = true;
		if (g->size <= LEAST_RULES || now_ms() > g->deadline_ms)
			return false;
		g->size /= GROWTH;
	}
	while (!g->peaked && out->to < end) {
		uint32_t size = g->size * GROWTH;
		uint32_t to = end - at > size ? at + size : end;

		/* It may take much longer than its size says, and cannot be stopped. */
		took_ms = now_ms() - took_ms;
		if (now_ms() + WORST * took_ms > g->deadline_ms) {
			g->peaked = true;
			break;
		}
		took_ms = now_ms();
		if (!chunk_make(base, at, to, chunk_bytes(g, to - at), &larger)) {
			g->peaked = true;
			break;
		}
		chunk_free(out);
		*out = larger;
		g->size = size;
	}
	base->chunk_cnt++;
	return true;
}

void access_tables_make(struct access_base *base, size_t max_bytes)
{
	uint64_t start_ms = now_ms();
	uint32_t rules = base->end, at = 0;
	struct growth g = {.size = FIRST_RULES, .deadline_ms = start_ms + PATIENCE_MS};

	if (max_bytes == 0)
		max_bytes = (size_t)ACCESS_COMPILE_MB << 20;
	if (rules > 0)
		g.bytes = 2 * max_bytes / rules + 1;
	while (at < rules) {
		/* Rules that name receivers are not looked at in the first pass: no stretch has both. */
		uint32_t end = at < base->split && base->split < rules ? base->split : rules;

		if (end - at <= SCAN_RULES || max_bytes < LEAST_BYTES) {
			scan_from(base, at, end);
			at = end;
			continue;
		}
		if (base->chunk_cnt + 2 >= ACCESS_CHUNKS_MAX || now_ms() > g.deadline_ms ||
			!chunk_add(base, &g, at, end))
			break;
		at = base->chunk[base->chunk_cnt - 1].to;
	}
	scan_from(base, at, rules);
	base->compile_ms = (uint32_t)(now_ms() - start_ms);
}

void access_tables_free(struct access_base *base)
{
	for (uint32_t i = 0; i < base->chunk_cnt; i++)
		chunk_free(&base->chunk[i]);
	base->chunk_cnt = 0;
}
