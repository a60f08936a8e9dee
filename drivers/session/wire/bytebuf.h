/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A byte buffer to build messages in: either grows on the heap up to a stated limit, or fills a
 * span the caller owns. The first failure sticks in `error`, so that a builder appends without
 * checking every call and its caller looks once at the end.
 *
 * Control threads and tests; the data path writes into its own record buffers (block.h) instead.
 * Not thread-safe: one owner at a time.
 */
#ifndef DRIVERS_SESSION_WIRE_BYTEBUF_H
#define DRIVERS_SESSION_WIRE_BYTEBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytebuf {
	uint8_t *data;	    /* `len` bytes are valid; may be NULL while len is 0 */
	size_t len;	    /* bytes written */
	size_t cap;	    /* bytes available at `data` */
	size_t limit_bytes; /* never grows past this */
	int error;  /* 0, -ENOMEM (heap), -EMSGSIZE (too small), or a builder's own; sticky */
	bool fixed; /* `data` belongs to the caller and never moves */
};

/** Start an empty buffer that grows on the heap up to limit_bytes. Allocates nothing yet.
 * End it with bytebuf_free. */
void bytebuf_init(struct bytebuf *b, size_t limit_bytes);

/** Start an empty buffer over the caller's span; the span must outlive the buffer. */
void bytebuf_init_fixed(struct bytebuf *b, void *span, size_t size_bytes);

/** Release the heap memory of a growing buffer after wiping it (messages carry session keys and
 * password hashes). A fixed buffer only forgets its span. Accepts a zeroed struct. */
void bytebuf_free(struct bytebuf *b);

/** Forget content and error, keep the memory. */
void bytebuf_reset(struct bytebuf *b);

/** Make room for size_bytes more and account for them. Returns where they start, to be filled by
 * the caller at once (a later call may move the data), or NULL with the error set. */
uint8_t *bytebuf_extend(struct bytebuf *b, size_t size_bytes);

/** Append a copy of size_bytes bytes. src may be NULL if size_bytes is 0, and must not point
 * into the buffer. */
void bytebuf_append(struct bytebuf *b, const void *src, size_t size_bytes);

/** Append a C string without its terminator. */
void bytebuf_append_text(struct bytebuf *b, const char *text);

/** Append formatted text without terminator; for short lines of known size (up to 511 bytes, a
 * longer result sets -EMSGSIZE). */
void bytebuf_printf(struct bytebuf *b, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** Append one big-endian integer. */
void bytebuf_append_be32(struct bytebuf *b, uint32_t v);
void bytebuf_append_be64(struct bytebuf *b, uint64_t v);

#endif
