/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_RATION_H
#define PATCHBAY_DATAPLANE_RATION_H

/*
 * So many tries a millisecond for all who want some (fdb.h, "Full": large ports at a full MAC table), each his part:
 * who asks first, and for thousands, leaves the others theirs.
 *
 * How many want some is taken from the last millisecond in which anybody did, in which each left a mark in one of 256 cells; his part is
 * the ration divided by the marks, and at least one. When there are more of them than tries, cells are drawn. Which
 * cell is whose is drawn anew each millisecond, so that who shares one, or has none, fares better in the next: nothing
 * is kept of a port, and its place in the order of polling does not count. Beside marks that are few the whole ration
 * may be used at once.
 *
 * Of one worker, pure.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define RATION_MS	32u
#define RATION_CELLS	256u
#define RATION_LASTS_MS 16u

struct ration {
	uint64_t ms;
	uint32_t left;	/* for all, in this millisecond */
	uint32_t part;	/* for each */
	uint32_t drawn; /* cells below have a part */
	uint32_t marks;
	uint8_t used[RATION_CELLS];
	bool mark[RATION_CELLS]; /* wanted some */
};

static inline uint32_t ration_cell(const struct ration *r, uint32_t who)
{
	uint64_t x = (who ^ r->ms * UINT64_C(0xd6e8feb86659fd93)) * UINT64_C(0x9e3779b97f4a7c15);

	/* Twice: once spreads neighbours so evenly that the same ones would meet each time. */
	x = (x ^ x >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return (uint32_t)(x >> 56);
}

static inline void ration_begin(struct ration *r, uint64_t now_ms)
{
	/* Turns may take more than a millisecond; who wanted something much earlier wants nothing now. */
	uint32_t of = now_ms - r->ms <= RATION_LASTS_MS ? r->marks : 0;

	r->ms = now_ms;
	r->left = RATION_MS;
	r->part = of == 0 ? RATION_MS : of < RATION_MS ? RATION_MS / of : 1;
	r->drawn = of <= RATION_MS ? RATION_CELLS : RATION_CELLS * RATION_MS / of;
	r->marks = 0;
	memset(r->used, 0, sizeof(r->used));
	memset(r->mark, 0, sizeof(r->mark));
}

/* Tries that `who` may make now. */
static inline uint32_t ration_get(struct ration *r, uint32_t who, uint64_t now_ms)
{
	uint32_t cell, mine;

	if (r->ms != now_ms)
		ration_begin(r, now_ms);
	cell = ration_cell(r, who);
	if (cell >= r->drawn || r->used[cell] >= r->part)
		return 0;
	mine = r->part - r->used[cell];
	return mine < r->left ? mine : r->left;
}

/* After ration_get() in the same millisecond: so many were used, or some were missing (`more`). */
static inline void ration_use(struct ration *r, uint32_t who, uint32_t tries, bool more)
{
	uint32_t cell = ration_cell(r, who);

	if (tries == 0 && !more)
		return;
	r->marks += !r->mark[cell];
	r->mark[cell] = true;
	r->used[cell] = (uint8_t)(r->used[cell] + tries);
	r->left -= tries;
}

#endif
