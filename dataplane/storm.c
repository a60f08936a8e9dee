/* SPDX-License-Identifier: BSD-3-Clause */
/* The limiter of broadcast storms (storm.h). */

#include "dataplane/storm.h"

#include <string.h>

#define FRAME_UNITS 1000u

/* Who makes two keys collide limits himself: nothing is shared with another port. */
static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

static uint64_t mix_address(uint64_t h, const uint8_t *a)
{
	uint64_t half[2];

	memcpy(half, a, sizeof(half));
	return mix(mix(h, half[0]), half[1]);
}

static unsigned find(const struct storm *s, const uint64_t *in, uint64_t key)
{
	unsigned at = STORM_RECORDS;

	if (in[s->last] == key)
		return s->last;
	for (unsigned i = 0; i < STORM_RECORDS; i++)
		at = in[i] == key ? i : at;
	return at;
}

static unsigned oldest(const struct storm *s, uint32_t now_ms)
{
	unsigned at = 0;
	uint32_t age = 0;

	for (unsigned i = 0; i < STORM_RECORDS; i++) {
		uint32_t this = now_ms - s->record[i].at_ms;

		if (s->key[i] == 0)
			return i;
		if (this >= age) {
			age = this;
			at = i;
		}
	}
	return at;
}

/* The bucket after this frame, and whether it passes. */
static bool charge(struct storm_record *r, uint32_t threshold, uint32_t now_ms)
{
	uint64_t depth = (uint64_t)threshold * FRAME_UNITS, most = depth + depth / 2;
	/* threshold frames a second are as many thousandths of a frame a millisecond. */
	uint64_t leaked = (uint64_t)(now_ms - r->at_ms) * threshold;
	uint64_t level = r->level > leaked ? r->level - leaked : 0;
	bool pass = level + FRAME_UNITS <= depth;

	level += FRAME_UNITS;
	if (level > most)
		level = most;
	if (level > UINT32_MAX)
		level = UINT32_MAX;
	r->level = (uint32_t)level;
	r->at_ms = now_ms;
	return pass;
}

bool storm_pass(struct storm *s, const struct storm_limit *limit, uint64_t mac, const uint8_t *src,
	const uint8_t *dst, uint64_t now_ms)
{
	uint64_t by_src = mix_address(mix(1, mac), src) | 1;
	uint64_t by_dst = mix_address(mix(2, mac), dst) | 1;
	uint64_t key = mix_address(by_src, dst) | 1;
	unsigned at = find(s, s->key, key);

	if (at == STORM_RECORDS && limit->strict) {
		at = find(s, s->by_src, by_src);
		if (at == STORM_RECORDS)
			at = find(s, s->by_dst, by_dst);
	}
	if (at == STORM_RECORDS) {
		at = oldest(s, (uint32_t)now_ms);
		s->key[at] = key;
		s->by_src[at] = by_src;
		s->by_dst[at] = by_dst;
		s->record[at] = (struct storm_record){.at_ms = (uint32_t)now_ms};
	}
	s->last = at;
	return charge(&s->record[at], limit->threshold, (uint32_t)now_ms);
}
