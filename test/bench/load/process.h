/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_PROCESS_H
#define PATCHBAY_TEST_BENCH_LOAD_PROCESS_H

/* What a server process and all its descendants have used so far, from /proc. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct process_use {
	double cpu_s; /* user and system, children that have ended included; in steps of 10 ms */
	uint64_t resident_bytes;
};

/* False if there is no such process (any more); *use is zero then. */
bool process_use(pid_t pid, struct process_use *use);

#endif
