/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_HISTOGRAM_H
#define PATCHBAY_TEST_BENCH_LOAD_HISTOGRAM_H

/*
 * Times in nanoseconds, counted in buckets whose width is a 64th of their value: percentiles are right to
 * under two percent, whatever the range, in a fixed 29 KiB. One thread.
 */

#include <stdint.h>

#define HISTOGRAM_SUB_BITS 6u
#define HISTOGRAM_BUCKETS  ((64u - HISTOGRAM_SUB_BITS + 1u) << HISTOGRAM_SUB_BITS)

struct histogram {
	uint64_t count;
	uint64_t max_ns;
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *h, uint64_t ns);
/* The smallest time that at least `share` (0..1) of all are not above; 0 when there are none. */
uint64_t histogram_percentile(const struct histogram *h, double share);

#endif
