/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A list that is looked through by columns (access_column.c): rule by rule over the whole burst, not frame by frame over
 * the rules. A rule costs a few instructions for eight frames, no branch depends on which rule a frame meets, and what is
 * done about a rule is done once for all its frames. Rules that there are many of, all of one shape, are hashed
 * (access_shape.c), and the smaller index decides between the two.
 *
 * Lists for which neither will do are rte_acl's (access_table.c); so is every list while rules have been added or taken
 * away since its base was made, or when receivers have names in it.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/access_priv.h"

#define HEADER	   ACCESS_COLUMN_HEADER
#define PORTS	   ACCESS_COLUMN_PORTS
#define HEADER_BIT (1u << HEADER)
#define PORTS_BIT  (1u << PORTS)

static void few_add(struct access_quick *quick, const struct access_test *t, uint32_t index)
{
	struct access_few_rule *r = &quick->few[quick->few_cnt];

	r->index = index;
	memcpy(r->mask, t->mask, sizeof(r->mask));
	memcpy(r->want, t->want, sizeof(r->want));
	for (unsigned c = 0; c < ACCESS_COLUMNS; c++)
		r->columns |= (uint32_t)(c != PORTS && r->mask[c] != 0) << c;
	r->port_first = (uint32_t)t->port_first[0] << 16 | t->port_first[1];
	r->port_span = (uint32_t)(uint16_t)(t->port_last[0] - t->port_first[0]) << 16 |
		(uint16_t)(t->port_last[1] - t->port_first[1]);
	if (r->port_span != UINT32_MAX)
		r->columns |= PORTS_BIT;
	r->header_again = quick->few_cnt > 0 && (r[-1].columns & HEADER_BIT) != 0 &&
		r[-1].mask[HEADER] == r->mask[HEADER] && r[-1].want[HEADER] == r->want[HEADER];
	quick->columns |= r->columns;
	quick->few_cnt++;
}

int access_quick_make(struct access_base *base, enum access_few_way way)
{
	struct access_quick *quick = &base->quick;
	uint32_t cnt = base->end < base->cnt ? base->end + 1 : base->cnt;
	uint32_t rest[ACCESS_FEW_RULES], rest_cnt = 0;
	int rc = 0;

	memset(quick, 0, sizeof(*quick));
	quick->way = way;
	if (base->split < cnt)
		return 0;
	if (cnt > ACCESS_FEW_RULES) {
		rc = access_shapes_make(base, cnt, rest, &rest_cnt);
	} else {
		for (; rest_cnt < cnt; rest_cnt++)
			rest[rest_cnt] = rest_cnt;
	}
	if (rc != 0) {
		access_quick_free(base);
		return rc == -ENOSPC ? 0 : rc;
	}
	for (uint32_t i = 0; i < rest_cnt; i++)
		few_add(quick, &base->test[rest[i]], rest[i]);
	quick->usable = true;
	return 0;
}

void access_quick_free(struct access_base *base)
{
	struct access_quick *quick = &base->quick;

	for (uint32_t i = 0; i < quick->shape_cnt; i++)
		free(quick->shape[i].table);
	quick->shape_cnt = 0;
	quick->usable = false;
}

/* Of the frames in m, those for which no hashed rule stands before this one. */
static uint64_t not_before(const struct access_found *found, uint64_t m, uint32_t index)
{
	for (uint64_t left = m & found->hashed; left != 0; left &= left - 1) {
		unsigned j = (unsigned)__builtin_ctzll(left);

		if (found->rule[j] < index)
			m &= ~(UINT64_C(1) << j);
	}
	return m;
}

void access_quick_find(const struct access_base *base, const struct access_columns *cols,
	unsigned n, uint64_t open, const struct access_party *from, struct access_found *out)
{
	const struct access_quick *quick = &base->quick;
	const struct access_compare *by = &access_compare[quick->way];
	uint64_t header = 0;
	uint32_t i;

	out->hashed =
		quick->shape_cnt > 0 ? access_shapes_find(base, cols, n, open, from, out->rule) : 0;
	for (i = 0; i < quick->few_cnt && open != 0; i++) {
		const struct access_few_rule *r = &quick->few[i];
		uint32_t left = r->columns & ~(HEADER_BIT | PORTS_BIT);
		uint64_t m = open;

		if ((r->columns & HEADER_BIT) != 0) {
			if (!r->header_again)
				header = by->word(
					cols->word[HEADER], r->mask[HEADER], r->want[HEADER], n);
			m &= header;
		}
		if ((r->columns & PORTS_BIT) != 0 && m != 0)
			m &= by->ports(cols->word[PORTS], r->port_first, r->port_span, n);
		for (; left != 0 && m != 0; left &= left - 1) {
			unsigned c = (unsigned)__builtin_ctz(left);

			m &= by->word(cols->word[c], r->mask[c], r->want[c], n);
		}
		if (m != 0 && !access_who_holds(&base->test[r->index].src_who, from, base->lists))
			m = 0;
		m = not_before(out, m, r->index);
		out->few[i] = m;
		out->hashed &= ~m;
		open &= ~m;
	}
	out->few_cnt = i;
}
