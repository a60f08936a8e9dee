/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of the drop reasons, and reading of blocks that are being written. */

#include "dataplane/stats.h"

#include <assert.h>
#include <stddef.h>

static const char *const drop_in_names[] = {
#define X(sym, name, text) name,
	STATS_DROP_IN_LIST(X)
#undef X
};
static const char *const drop_in_texts[] = {
#define X(sym, name, text) text,
	STATS_DROP_IN_LIST(X)
#undef X
};
static const char *const drop_out_names[] = {
#define X(sym, name, text) name,
	STATS_DROP_OUT_LIST(X)
#undef X
};
static const char *const drop_out_texts[] = {
#define X(sym, name, text) text,
	STATS_DROP_OUT_LIST(X)
#undef X
};

const char *stats_drop_in_name(enum stats_drop_in reason)
{
	return (unsigned)reason < STATS_DROP_IN_CNT ? drop_in_names[reason] : NULL;
}

const char *stats_drop_in_text(enum stats_drop_in reason)
{
	return (unsigned)reason < STATS_DROP_IN_CNT ? drop_in_texts[reason] : NULL;
}

const char *stats_drop_out_name(enum stats_drop_out reason)
{
	return (unsigned)reason < STATS_DROP_OUT_CNT ? drop_out_names[reason] : NULL;
}

const char *stats_drop_out_text(enum stats_drop_out reason)
{
	return (unsigned)reason < STATS_DROP_OUT_CNT ? drop_out_texts[reason] : NULL;
}

static_assert(sizeof(struct stats_block) % sizeof(uint64_t) == 0);

void stats_fold(struct stats_block *sum, const struct stats_block *live)
{
	uint64_t *to = (uint64_t *)sum;
	const uint64_t *from = (const uint64_t *)live;

	/* Aligned 64-bit words: the writer's plain adds never tear, they are only seen late. */
	for (size_t i = 0; i < sizeof(*sum) / sizeof(*to); i++)
		to[i] += __atomic_load_n(&from[i], __ATOMIC_RELAXED);
}

static uint64_t words_sum(const uint64_t *words, unsigned n)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < n; i++)
		sum += words[i];
	return sum;
}

uint64_t stats_drop_in_sum(const struct stats_block *b)
{
	return words_sum(b->drop_in, STATS_DROP_IN_CNT);
}

uint64_t stats_drop_out_sum(const struct stats_block *b)
{
	return words_sum(b->drop_out, STATS_DROP_OUT_CNT);
}
