/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Invariants of fuzz targets: like assert, but never compiled away and without output, since the
 * sanitizer's stack trace says where. Also the entry point's prototype.
 */
#ifndef TEST_FUZZ_REQUIRE_H
#define TEST_FUZZ_REQUIRE_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define REQUIRE(condition)        \
	do {                      \
		if (!(condition)) \
			abort();  \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
