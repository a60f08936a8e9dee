/* SPDX-License-Identifier: BSD-3-Clause */
/* Growing or fixed byte buffer for building messages. */
#include "drivers/session/wire/bytebuf.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/session/wire/be.h"

#define FIRST_BYTES 1024
#define PRINTF_MAX  512

void bytebuf_init(struct bytebuf *b, size_t limit_bytes)
{
	*b = (struct bytebuf){.limit_bytes = limit_bytes};
}

void bytebuf_init_fixed(struct bytebuf *b, void *span, size_t size_bytes)
{
	*b = (struct bytebuf){
		.data = span, .cap = size_bytes, .limit_bytes = size_bytes, .fixed = true};
}

void bytebuf_free(struct bytebuf *b)
{
	if (!b->fixed && b->data) {
		explicit_bzero(b->data, b->len);
		free(b->data);
	}
	*b = (struct bytebuf){0};
}

void bytebuf_reset(struct bytebuf *b)
{
	b->len = 0;
	b->error = 0;
}

/* malloc and wipe instead of realloc: the old block may hold secrets. */
static int bytebuf_grow(struct bytebuf *b, size_t need)
{
	size_t cap = b->cap ? b->cap : FIRST_BYTES;
	uint8_t *data;

	if (need > b->limit_bytes || b->fixed)
		return -EMSGSIZE;
	if (cap > b->limit_bytes)
		cap = b->limit_bytes;
	while (cap < need)
		cap = cap > b->limit_bytes / 2 ? b->limit_bytes : cap * 2;
	data = malloc(cap ? cap : 1);
	if (!data)
		return -ENOMEM;
	if (b->data) {
		memcpy(data, b->data, b->len);
		explicit_bzero(b->data, b->len);
		free(b->data);
	}
	b->data = data;
	b->cap = cap;
	return 0;
}

uint8_t *bytebuf_extend(struct bytebuf *b, size_t size_bytes)
{
	uint8_t *at;

	if (b->error)
		return NULL;
	if (size_bytes > SIZE_MAX - b->len) {
		b->error = -EMSGSIZE;
		return NULL;
	}
	/* An empty request on an empty buffer still has to return a place. */
	if (b->len + size_bytes > b->cap || !b->data) {
		b->error = bytebuf_grow(b, b->len + size_bytes);
		if (b->error)
			return NULL;
	}
	at = b->data + b->len;
	b->len += size_bytes;
	return at;
}

void bytebuf_append(struct bytebuf *b, const void *src, size_t size_bytes)
{
	uint8_t *at = bytebuf_extend(b, size_bytes);

	if (at && size_bytes)
		memcpy(at, src, size_bytes);
}

void bytebuf_append_text(struct bytebuf *b, const char *text)
{
	bytebuf_append(b, text, strlen(text));
}

void bytebuf_printf(struct bytebuf *b, const char *format, ...)
{
	char text[PRINTF_MAX];
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text)) {
		if (!b->error)
			b->error = -EMSGSIZE;
		return;
	}
	bytebuf_append(b, text, (size_t)n);
}

void bytebuf_append_be32(struct bytebuf *b, uint32_t v)
{
	uint8_t *at = bytebuf_extend(b, sizeof(v));

	if (at)
		be32_put(at, v);
}

void bytebuf_append_be64(struct bytebuf *b, uint64_t v)
{
	uint8_t *at = bytebuf_extend(b, sizeof(v));

	if (at)
		be64_put(at, v);
}
