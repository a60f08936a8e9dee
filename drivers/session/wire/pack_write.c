/* SPDX-License-Identifier: BSD-3-Clause */
/* PACK writer. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "drivers/session/wire/be.h"
#include "drivers/session/wire/pack.h"

/* What stock peers put into an IPv6 address's plain element: 192.0.2.254, octets reversed. */
#define IPV6_PLACEHOLDER 0xfe0200c0u

static void writer_fail(struct pack_writer *w, int error)
{
	if (!w->buf->error)
		w->buf->error = error;
}

void pack_writer_init(struct pack_writer *w, struct bytebuf *buf)
{
	w->buf = buf;
	w->start = buf->len;
	w->count = 0;
	w->values_left = 0;
	w->type = PACK_INT;
	w->dropping = false;
	bytebuf_append_be32(buf, 0);
}

int pack_writer_finish(struct pack_writer *w)
{
	if (w->values_left)
		writer_fail(w, -EINVAL);
	if (w->buf->error)
		return w->buf->error;
	be32_put(w->buf->data + w->start, w->count);
	return 0;
}

static bool name_taken(const struct pack_writer *w, const char *name, size_t len)
{
	uint32_t i;

	for (i = 0; i < w->count; i++) {
		const uint8_t *at = w->buf->data + w->start + w->name_at[i];

		if (be32_get(at) == len + 1 && !strncasecmp((const char *)at + 4, name, len))
			return true;
	}
	return false;
}

void pack_begin_array(struct pack_writer *w, const char *name, enum pack_type type, uint32_t n)
{
	size_t len = strlen(name);

	if (w->values_left || !len || len > PACK_NAME_MAX || n > PACK_VALUES_MAX) {
		writer_fail(w, -EINVAL);
		return;
	}
	if (w->buf->error || !n)
		return;
	w->values_left = n;
	w->type = (uint8_t)type;
	w->dropping = name_taken(w, name, len);
	if (w->dropping)
		return;
	if (w->count == PACK_WRITER_ELEMENTS) {
		writer_fail(w, -E2BIG);
		return;
	}
	w->name_at[w->count++] = (uint32_t)(w->buf->len - w->start);
	bytebuf_append_be32(w->buf, (uint32_t)len + 1);
	bytebuf_append(w->buf, name, len);
	bytebuf_append_be32(w->buf, type);
	bytebuf_append_be32(w->buf, n);
}

/* True if a value of this type is due and to be written. */
static bool value_due(struct pack_writer *w, enum pack_type type)
{
	if (w->buf->error)
		return false;
	if (!w->values_left || w->type != type) {
		writer_fail(w, -EINVAL);
		return false;
	}
	w->values_left--;
	return !w->dropping;
}

void pack_value_int(struct pack_writer *w, uint32_t v)
{
	if (value_due(w, PACK_INT))
		bytebuf_append_be32(w->buf, v);
}

void pack_value_int64(struct pack_writer *w, uint64_t v)
{
	if (value_due(w, PACK_INT64))
		bytebuf_append_be64(w->buf, v);
}

static void value_bytes(
	struct pack_writer *w, enum pack_type type, const void *v, size_t size_bytes)
{
	if (!value_due(w, type))
		return;
	if (size_bytes > UINT32_MAX) {
		writer_fail(w, -EMSGSIZE);
		return;
	}
	bytebuf_append_be32(w->buf, (uint32_t)size_bytes);
	bytebuf_append(w->buf, v, size_bytes);
}

void pack_value_str(struct pack_writer *w, const char *v)
{
	value_bytes(w, PACK_STR, v, strlen(v));
}

void pack_value_unistr(struct pack_writer *w, const char *v)
{
	value_bytes(w, PACK_UNISTR, v, strlen(v) + 1);
}

void pack_value_data(struct pack_writer *w, const void *v, size_t size_bytes)
{
	value_bytes(w, PACK_DATA, v, size_bytes);
}

void pack_add_int(struct pack_writer *w, const char *name, uint32_t v)
{
	pack_begin_array(w, name, PACK_INT, 1);
	pack_value_int(w, v);
}

void pack_add_bool(struct pack_writer *w, const char *name, bool v)
{
	pack_add_int(w, name, v);
}

void pack_add_int64(struct pack_writer *w, const char *name, uint64_t v)
{
	pack_begin_array(w, name, PACK_INT64, 1);
	pack_value_int64(w, v);
}

void pack_add_str(struct pack_writer *w, const char *name, const char *v)
{
	pack_begin_array(w, name, PACK_STR, 1);
	pack_value_str(w, v);
}

void pack_add_unistr(struct pack_writer *w, const char *name, const char *v)
{
	pack_begin_array(w, name, PACK_UNISTR, 1);
	pack_value_unistr(w, v);
}

void pack_add_data(struct pack_writer *w, const char *name, const void *v, size_t size_bytes)
{
	pack_begin_array(w, name, PACK_DATA, 1);
	pack_value_data(w, v, size_bytes);
}

void pack_add_ip(struct pack_writer *w, const char *prefix, const struct pack_ip *ip)
{
	static const uint8_t none[16];
	char name[PACK_NAME_MAX + 1];

	/* The longest companion must fit, or the address could not be read back. */
	if (snprintf(name, sizeof(name), "%s@ipv6_scope_id", prefix) >= (int)sizeof(name)) {
		writer_fail(w, -EINVAL);
		return;
	}
	pack_add_int(w, name, ip->is_ipv6 ? ip->scope_id : 0);
	snprintf(name, sizeof(name), "%s@ipv6_array", prefix);
	pack_add_data(w, name, ip->is_ipv6 ? ip->addr : none, sizeof(none));
	snprintf(name, sizeof(name), "%s@ipv6_bool", prefix);
	pack_add_bool(w, name, ip->is_ipv6);
	pack_add_int(
		w, prefix, ip->is_ipv6 ? IPV6_PLACEHOLDER : __builtin_bswap32(be32_get(ip->addr)));
}

void pack_add_padding(struct pack_writer *w, const void *random, size_t size_bytes)
{
	pack_add_data(w, "pencore", random,
		size_bytes < PACK_PADDING_MAX ? size_bytes : PACK_PADDING_MAX);
}
