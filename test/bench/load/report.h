/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_REPORT_H
#define PATCHBAY_TEST_BENCH_LOAD_REPORT_H

/* What was measured, as text or JSON. */

#include "test/bench/load/load.h"
#include "test/bench/load/process.h"

/* A moment: differences of two of them are what is reported. */
struct moment {
	uint64_t ns;
	uint64_t wait_ns;
	double own_cpu_s;
	struct process_use server;
	struct traffic_sums sums;
	struct wire_bytes wire;
};

struct report {
	struct moment login_begin,
		login_end;	  /* of the sessions; additional connections come behind */
	struct moment idle;	  /* all connected, before any frame */
	struct moment begin, end; /* of what is measured */
	uint64_t lost, reordered, duplicated;		/* of the whole run, warm-up included */
	double fair_slowest, fair_median, fair_fastest; /* frames per second of a flow */
	unsigned starved;				/* flows of which nothing arrived */
	const char *bottleneck;				/* NULL: not this program */
};

void moment_take(const struct load *l, struct moment *m);
/* Fills in what follows from the sessions. */
void report_judge(const struct load *l, struct report *r);
void report_text(const struct load *l, const struct report *r);
void report_json(const struct load *l, const struct report *r);

#endif
