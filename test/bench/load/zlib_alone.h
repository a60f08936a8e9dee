/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_ZLIB_ALONE_H
#define PATCHBAY_TEST_BENCH_LOAD_ZLIB_ALONE_H

#include "test/bench/load/options.h"

/*
 * The floor under compressed sessions: inflates and deflates the frames of the options, as a server has to do
 * with each, and nothing else, for opt->seconds. Prints CPU-s per GB. The exit status.
 */
int zlib_alone(const struct options *opt);

#endif
