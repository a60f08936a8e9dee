/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rules of one shape: they ask for the same bits of a frame, each for another value. A thousand rules for a thousand
 * hosts are one lookup in a hash table then, where a trie takes a step, and a cache line, for every byte.
 *
 * The table is open, half empty, and made once. Rules with the same bits (for different port ranges, or users) stand in
 * it in their order, one behind the other, so that the first that holds is the right one. However frames are chosen, a
 * lookup ends after ACCESS_SHAPE_PROBE entries: a list for which it does not is not one for hashing.
 */

#include <errno.h>
#include <rte_hash_crc.h>
#include <rte_prefetch.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/access_priv.h"

#define HEADER	   ACCESS_COLUMN_HEADER
#define PORTS	   ACCESS_COLUMN_PORTS
#define CANDIDATES 64u
#define NEAR_RULES 4096u
#define NONE	   UINT32_MAX

/* ---- making ---------------------------------------------------------------------------------- */

/* The bits a rule asks for, and whether there is more to it. */
static void shape_of(const struct access_test *t, struct access_shape *s)
{
	uint32_t mask[ACCESS_COLUMNS], want[ACCESS_COLUMNS];

	memset(s, 0, sizeof(*s));
	memcpy(mask, t->mask, sizeof(mask));
	memcpy(want, t->want, sizeof(want));
	s->header_mask = mask[HEADER];
	s->header_want = want[HEADER];
	s->exact = t->src_who.kind == ACCESS_WHO_ANY;
	mask[HEADER] = mask[PORTS] = 0;
	for (unsigned i = 0; i < 2; i++) {
		if (t->port_first[i] == t->port_last[i])
			mask[PORTS] |= UINT32_C(0xffff) << (i == 0 ? 16 : 0);
		else if (t->port_first[i] != 0 || t->port_last[i] != 65535)
			s->exact = false;
	}
	for (unsigned c = 0, k = 0; c < ACCESS_COLUMNS; c++) {
		s->mask[c] = mask[c];
		if (mask[c] == 0)
			continue;
		s->columns |= 1u << c;
		if (k < ACCESS_SHAPE_WORDS)
			s->column[k++] = (uint8_t)c;
		else
			s->wide = true;
	}
	s->exact = s->exact && !s->wide;
}

static bool same_shape(const struct access_shape *a, const struct access_shape *b)
{
	return a->header_mask == b->header_mask && a->header_want == b->header_want &&
		a->exact == b->exact && memcmp(a->mask, b->mask, sizeof(a->mask)) == 0;
}

/* What a table is asked for: the words of an entry, and where to begin. */
struct probe {
	uint32_t word[ACCESS_SHAPE_WORDS];
	uint32_t hash;
};

static inline void probe_finish(const struct access_shape *s, struct probe *p)
{
	if (!s->wide)
		p->hash = rte_hash_crc_8byte((uint64_t)p->word[0] << 32 | p->word[1], p->word[2]);
	/* Neighbours stay neighbours in a CRC; spread them. */
	p->hash *= UINT32_C(0x9e3779b1);
	p->hash ^= p->hash >> 15;
}

static void probe_of_rule(
	const struct access_shape *s, const struct access_test *t, struct probe *p)
{
	uint32_t want[ACCESS_COLUMNS];

	memset(p, 0, sizeof(*p));
	memcpy(want, t->want, sizeof(want));
	want[PORTS] = ((uint32_t)t->port_first[0] << 16 | t->port_first[1]) & s->mask[PORTS];
	if (s->wide) {
		for (uint32_t left = s->columns; left != 0; left &= left - 1)
			p->hash = rte_hash_crc_4byte(want[__builtin_ctz(left)], p->hash);
		p->word[0] = p->hash;
	}
	for (unsigned k = 0; !s->wide && k < (unsigned)__builtin_popcount(s->columns); k++)
		p->word[k] = want[s->column[k]];
	probe_finish(s, p);
}

/* -ENOSPC: some lookup would take too long. */
static int table_fill(const struct access_base *base, struct access_shape *s, const uint8_t *of,
	uint8_t self, uint32_t cnt)
{
	uint32_t run = 0;

	for (uint32_t i = 0; i < cnt; i++) {
		struct access_shape_entry *e;
		struct probe p;
		uint32_t at;

		if (of[i] != self)
			continue;
		probe_of_rule(s, &base->test[i], &p);
		for (at = p.hash & s->slot_mask; s->table[at].rule != 0;
			at = (at + 1) & s->slot_mask)
			continue;
		e = &s->table[at];
		memcpy(e->word, p.word, sizeof(e->word));
		e->rule = i + 1;
	}
	/* Twice around, for the run that goes over the end. */
	for (uint32_t i = 0; i < 2 * (s->slot_mask + 1); i++) {
		run = s->table[i & s->slot_mask].rule != 0 ? run + 1 : 0;
		if (run >= ACCESS_SHAPE_PROBE)
			return -ENOSPC;
	}
	return 0;
}

static int table_make(const struct access_base *base, struct access_shape *s, const uint8_t *of,
	uint8_t self, uint32_t cnt)
{
	int rc = -ENOSPC;

	/* Half empty, or more so where it still fits into a near cache or would make too long a run otherwise. */
	for (unsigned room = s->rules <= NEAR_RULES ? 4 : 2; room <= 8 && rc == -ENOSPC;
		room *= 2) {
		uint32_t slots = 64;

		while (slots < room * s->rules)
			slots *= 2;
		free(s->table);
		s->table = aligned_alloc(64, slots * sizeof(*s->table));
		if (s->table == NULL)
			return -ENOMEM;
		memset(s->table, 0, slots * sizeof(*s->table));
		s->slot_mask = slots - 1;
		rc = table_fill(base, s, of, self, cnt);
	}
	return rc;
}

/* of[i] = shape of rule i. -ENOSPC: there are too many. */
static int sort(
	const struct access_base *base, uint32_t cnt, struct access_shape *shape, uint8_t *of)
{
	uint32_t shapes = 0;

	for (uint32_t i = 0; i < cnt; i++) {
		struct access_shape s;
		uint32_t k;

		shape_of(&base->test[i], &s);
		for (k = 0; k < shapes && !same_shape(&s, &shape[k]); k++)
			continue;
		if (k == CANDIDATES)
			return -ENOSPC;
		if (k == shapes)
			shape[shapes++] = s;
		shape[k].rules++;
		of[i] = (uint8_t)k;
	}
	return 0;
}

int access_shapes_make(struct access_base *base, uint32_t cnt, uint32_t *rest, uint32_t *rest_cnt)
{
	struct access_quick *quick = &base->quick;
	struct access_shape *shape = calloc(CANDIDATES, sizeof(*shape));
	uint8_t *of = malloc(cnt);
	int rc = shape == NULL || of == NULL ? -ENOMEM : sort(base, cnt, shape, of);

	for (uint32_t k = 0; k < CANDIDATES && rc == 0; k++) {
		struct access_shape *s = &shape[k];

		/* One without any bits has nothing to hash. */
		if (s->rules < ACCESS_SHAPE_LEAST || s->columns == 0) {
			s->rules = 0;
			continue;
		}
		if (quick->shape_cnt == ACCESS_SHAPES_MAX) {
			rc = -ENOSPC;
			break;
		}
		rc = table_make(base, s, of, (uint8_t)k, cnt);
		quick->columns |= s->columns | 1u << HEADER;
		if (!s->exact)
			quick->columns |= 1u << PORTS;
		quick->shape[quick->shape_cnt++] = *s;
	}
	for (uint32_t i = 0; i < cnt && rc == 0; i++) {
		if (shape[of[i]].rules != 0)
			continue;
		if (*rest_cnt == ACCESS_FEW_RULES)
			rc = -ENOSPC;
		else
			rest[(*rest_cnt)++] = i;
	}
	free(of);
	free(shape);
	return rc;
}

/* ---- finding --------------------------------------------------------------------------------- */

/* Rule i, all of it, and frame j. */
static bool holds(const struct access_base *base, const struct access_columns *cols, unsigned j,
	uint32_t i, const struct access_party *from)
{
	const struct access_test *t = &base->test[i];
	uint32_t mask[ACCESS_COLUMNS], want[ACCESS_COLUMNS], ports = cols->word[PORTS][j];

	memcpy(mask, t->mask, sizeof(mask));
	memcpy(want, t->want, sizeof(want));
	for (unsigned c = 0; c < ACCESS_COLUMNS; c++) {
		if (c != PORTS && mask[c] != 0 && (cols->word[c][j] & mask[c]) != want[c])
			return false;
	}
	return ports >> 16 >= t->port_first[0] && ports >> 16 <= t->port_last[0] &&
		(ports & 0xffff) >= t->port_first[1] && (ports & 0xffff) <= t->port_last[1] &&
		access_who_holds(&t->src_who, from, base->lists);
}

static void probe_narrow(const struct access_shape *s, const struct access_columns *cols,
	unsigned n, struct probe *p)
{
	/* A word that the shape does not have is masked away. */
	const uint32_t *col[ACCESS_SHAPE_WORDS];
	uint32_t mask[ACCESS_SHAPE_WORDS];
	unsigned words = (unsigned)__builtin_popcount(s->columns);

	for (unsigned k = 0; k < ACCESS_SHAPE_WORDS; k++) {
		col[k] = cols->word[k < words ? s->column[k] : HEADER];
		mask[k] = k < words ? s->mask[s->column[k]] : 0;
	}
	for (unsigned j = 0; j < n; j++) {
		for (unsigned k = 0; k < ACCESS_SHAPE_WORDS; k++)
			p[j].word[k] = col[k][j] & mask[k];
		probe_finish(s, &p[j]);
		rte_prefetch0(&s->table[p[j].hash & s->slot_mask]);
	}
}

static void probe_wide(const struct access_shape *s, const struct access_columns *cols, unsigned n,
	struct probe *p)
{
	for (unsigned j = 0; j < n; j++) {
		uint32_t hash = 0;

		for (uint32_t left = s->columns; left != 0; left &= left - 1) {
			unsigned c = (unsigned)__builtin_ctz(left);

			hash = rte_hash_crc_4byte(cols->word[c][j] & s->mask[c], hash);
		}
		p[j] = (struct probe){.word = {hash}, .hash = hash};
		probe_finish(s, &p[j]);
		rte_prefetch0(&s->table[p[j].hash & s->slot_mask]);
	}
}

/* The first rule of the shape that frame j matches, NONE. */
static inline uint32_t look(const struct access_base *base, const struct access_shape *s,
	const struct access_columns *cols, unsigned j, const struct probe *p,
	const struct access_party *from)
{
	for (uint32_t at = p->hash;; at++) {
		const struct access_shape_entry *e = &s->table[at & s->slot_mask];
		uint32_t odd = (e->word[0] ^ p->word[0]) | (e->word[1] ^ p->word[1]) |
			(e->word[2] ^ p->word[2]);

		if (e->rule == 0)
			return NONE;
		if (odd == 0 && (s->exact || holds(base, cols, j, e->rule - 1, from)))
			return e->rule - 1;
	}
}

uint64_t access_shapes_find(const struct access_base *base, const struct access_columns *cols,
	unsigned n, uint64_t open, const struct access_party *from, uint32_t *rule)
{
	const struct access_quick *quick = &base->quick;
	const struct access_compare *by = &access_compare[quick->way];
	struct probe p[FRAME_BURST];
	uint64_t found = 0;

	for (unsigned k = 0; k < quick->shape_cnt; k++) {
		const struct access_shape *s = &quick->shape[k];
		uint64_t m = open & by->word(cols->word[HEADER], s->header_mask, s->header_want, n);

		if (m == 0)
			continue;
		if (s->wide)
			probe_wide(s, cols, n, p);
		else
			probe_narrow(s, cols, n, p);
		for (; m != 0; m &= m - 1) {
			unsigned j = (unsigned)__builtin_ctzll(m);
			uint32_t i = look(base, s, cols, j, &p[j], from);

			if (i == NONE || ((found >> j & 1) != 0 && rule[j] < i))
				continue;
			rule[j] = i;
			found |= UINT64_C(1) << j;
		}
	}
	return found;
}
