/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Captured bytes for tests: files under test/unit/data with hex pairs, blanks and lines that begin
 * with '#'. Also the cmocka include in the order it wants.
 */
#ifndef TEST_UNIT_VECTOR_H
#define TEST_UNIT_VECTOR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* After the four above, on which it relies. */
#include <cmocka.h>

struct vector {
	uint8_t *data; /* heap, exactly size_bytes long so that sanitizers see every overrun */
	size_t size_bytes;
};

/** Load data/<name>; ends the program if that fails. Free with vector_free. */
struct vector vector_load(const char *name);

/** Copy of the bytes behind the first empty line: the body of a captured HTTP message. */
struct vector vector_load_body(const char *name);

/** Exact-size heap copy of a span; data NULL leaves the bytes unset. */
struct vector vector_copy(const void *data, size_t size_bytes);

/** Bytes of a hex string of even length. */
struct vector vector_hex(const char *hex);

void vector_free(struct vector *v);

#endif
