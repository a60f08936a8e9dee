/* SPDX-License-Identifier: BSD-3-Clause */
/* See histogram.h. */

#include "test/bench/load/histogram.h"

static unsigned bucket_of(uint64_t ns)
{
	unsigned shift;

	if (ns < 1u << HISTOGRAM_SUB_BITS)
		return (unsigned)ns;
	shift = 63u - (unsigned)__builtin_clzll(ns) - HISTOGRAM_SUB_BITS;
	return (shift << HISTOGRAM_SUB_BITS) + (unsigned)(ns >> shift);
}

/* Middle of a bucket. */
static uint64_t bucket_ns(unsigned bucket)
{
	unsigned shift;

	if (bucket < 2u << HISTOGRAM_SUB_BITS)
		return bucket;
	shift = (bucket >> HISTOGRAM_SUB_BITS) - 1u;
	return (((uint64_t)bucket - ((uint64_t)shift << HISTOGRAM_SUB_BITS)) << shift) +
		(1ull << shift) / 2;
}

void histogram_add(struct histogram *h, uint64_t ns)
{
	h->buckets[bucket_of(ns)]++;
	h->count++;
	if (ns > h->max_ns)
		h->max_ns = ns;
}

uint64_t histogram_percentile(const struct histogram *h, double share)
{
	uint64_t wanted = (uint64_t)(share * (double)h->count + 0.999999), seen = 0;

	if (h->count == 0)
		return 0;
	for (unsigned b = 0; b < HISTOGRAM_BUCKETS; b++) {
		seen += h->buckets[b];
		if (seen >= wanted && seen != 0) {
			uint64_t ns = bucket_ns(b);

			return ns < h->max_ns ? ns : h->max_ns;
		}
	}
	return h->max_ns;
}
