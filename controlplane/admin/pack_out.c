/* SPDX-License-Identifier: BSD-3-Clause */
/* Elements and columns of a PACK, value by value, into evbuffers. */

#include "controlplane/admin/pack_out.h"

#include <assert.h>
#include <errno.h>
#include <event2/buffer.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controlplane/admin/pack_in.h"
#include "controlplane/admin/utf8.h"
#include "drivers/session/wire/be.h"

/* Parts of an address, in the order in which they become columns (wire.md 2). */
static const char *const ip_parts[] = {"@ipv6_scope_id", "@ipv6_array", "@ipv6_bool", ""};
#define IP_PARTS	 4u
#define IPV6_PLACEHOLDER 0xfe0200c0u /* 192.0.2.254, octets reversed: as stock peers do */

static void add(struct pack_out *p, struct evbuffer *b, const void *bytes, size_t size)
{
	if (size == 0)
		return;
	if (evbuffer_add(b, bytes, size) != 0)
		p->failed = true;
	p->held += size;
}

static void add_be32(struct pack_out *p, struct evbuffer *b, uint32_t v)
{
	uint8_t bytes[4];

	be32_put(bytes, v);
	add(p, b, bytes, sizeof(bytes));
}

static void add_be64(struct pack_out *p, struct evbuffer *b, uint64_t v)
{
	add_be32(p, b, (uint32_t)(v >> 32));
	add_be32(p, b, (uint32_t)v);
}

/* ---- values ---------------------------------------------------------------------------------- */

static unsigned parts_of(const struct admin_field *f)
{
	return f->type == ADMIN_TYPE_IP		? IP_PARTS
		: f->type == ADMIN_TYPE_TRAFFIC ? ADMIN_TRAFFIC_FIELDS
						: 1;
}

enum pack_type pack_element_type(const struct admin_field *f, unsigned part)
{
	switch (f->type) {
	case ADMIN_TYPE_INT64:
	case ADMIN_TYPE_TIME:
	case ADMIN_TYPE_TRAFFIC:
		return PACK_INT64;
	case ADMIN_TYPE_STR:
		return PACK_STR;
	case ADMIN_TYPE_USTR:
		return PACK_UNISTR;
	case ADMIN_TYPE_DATA:
		return PACK_DATA;
	case ADMIN_TYPE_IP:
		return part == 1 ? PACK_DATA : PACK_INT;
	default:
		return PACK_INT;
	}
}

/* An element's name is in two pieces, both constants: what stands before and what behind. */
static void name_of(
	const struct admin_field *f, unsigned part, const char **prefix, const char **name)
{
	*prefix = f->type == ADMIN_TYPE_IP || f->type == ADMIN_TYPE_TRAFFIC ? f->name : "";
	*name = f->type == ADMIN_TYPE_IP	? ip_parts[part]
		: f->type == ADMIN_TYPE_TRAFFIC ? admin_traffic_name(part)
						: f->name;
}

/* Peers name themselves as they like; what we write is UTF-8. */
static void add_text(struct pack_out *p, struct evbuffer *b, const struct admin_value *v, bool nul)
{
	const uint8_t *bytes = v->bytes;
	uint32_t size = 0;
	size_t n;

	if (utf8_ok(bytes, v->size)) {
		add_be32(p, b, (uint32_t)v->size + nul);
		add(p, b, bytes, v->size);
	} else {
		for (size_t i = 0; i < v->size; i += n == 0 ? 1 : n) {
			n = utf8_len(bytes + i, v->size - i);
			size += n == 0 ? sizeof(UTF8_REPLACEMENT) - 1 : (uint32_t)n;
		}
		add_be32(p, b, size + nul);
		for (size_t i = 0; i < v->size; i += n == 0 ? 1 : n) {
			n = utf8_len(bytes + i, v->size - i);
			add(p, b, n == 0 ? (const void *)UTF8_REPLACEMENT : bytes + i,
				n == 0 ? sizeof(UTF8_REPLACEMENT) - 1 : n);
		}
	}
	if (nul)
		add(p, b, "", 1);
}

static void add_ip(
	struct pack_out *p, struct evbuffer *b, const struct admin_value *v, unsigned part)
{
	static const uint8_t none[16];
	bool v6 = v->family == AF_INET6;

	if (part == 0) {
		add_be32(p, b, 0); /* scopes are not kept */
	} else if (part == 1) {
		add_be32(p, b, sizeof(none));
		add(p, b, v6 ? v->address : none, sizeof(none));
	} else if (part == 2) {
		add_be32(p, b, v6);
	} else {
		add_be32(p, b,
			v6			       ? IPV6_PLACEHOLDER
				: v->family == AF_INET ? __builtin_bswap32(be32_get(v->address))
						       : 0);
	}
}

static uint64_t traffic_number(const struct admin_value *v, unsigned part)
{
	const struct stats_traffic *t = part < 4 ? &v->traffic.in : &v->traffic.out;

	switch (part % 4) {
	case 0:
		return t->broadcast_bytes;
	case 1:
		return t->broadcast_frames;
	case 2:
		return t->unicast_bytes;
	default:
		return t->unicast_frames;
	}
}

static void add_value(struct pack_out *p, struct evbuffer *b, const struct admin_field *f,
	const struct admin_value *v, unsigned part)
{
	switch (f->type) {
	case ADMIN_TYPE_BOOL:
		add_be32(p, b, v->flag);
		break;
	case ADMIN_TYPE_INT:
		add_be32(p, b, (uint32_t)v->number);
		break;
	case ADMIN_TYPE_INT64:
		add_be64(p, b, v->number);
		break;
	case ADMIN_TYPE_TIME:
		add_be64(p, b,
			v->time_ms <= PACK_TIME_EARLY_MS
				? 0
				: (uint64_t)v->time_ms - PACK_TIME_EARLY_MS);
		break;
	case ADMIN_TYPE_STR:
	case ADMIN_TYPE_USTR:
		add_text(p, b, v, f->type == ADMIN_TYPE_USTR);
		break;
	case ADMIN_TYPE_DATA:
		add_be32(p, b, (uint32_t)v->size);
		add(p, b, v->bytes, v->size);
		break;
	case ADMIN_TYPE_IP:
		add_ip(p, b, v, part);
		break;
	case ADMIN_TYPE_TRAFFIC:
		add_be64(p, b, traffic_number(v, part));
		break;
	default:
		break;
	}
}

/* ---- elements -------------------------------------------------------------------------------- */

static bool names_equal(const char *a1, const char *a2, const char *b1, const char *b2)
{
	char a[2 * PACK_NAME_MAX], b[2 * PACK_NAME_MAX];

	snprintf(a, sizeof(a), "%s%s", a1, a2);
	snprintf(b, sizeof(b), "%s%s", b1, b2);
	return strcasecmp(a, b) == 0;
}

/* The head of an element; false if there is one of that name already. */
static bool element_begin(struct pack_out *p, const char *prefix, const char *name,
	enum pack_type type, uint32_t values)
{
	size_t len = strlen(prefix) + strlen(name);

	assert(len > 0 && len <= PACK_NAME_MAX && p->elements < PACK_OUT_ELEMENTS);
	for (uint32_t i = 0; i < p->elements; i++) {
		if (names_equal(p->names[i].prefix, p->names[i].name, prefix, name))
			return false;
	}
	p->names[p->elements].prefix = prefix;
	p->names[p->elements].name = name;
	p->elements++;
	add_be32(p, p->head, (uint32_t)len + 1);
	add(p, p->head, prefix, strlen(prefix));
	add(p, p->head, name, strlen(name));
	add_be32(p, p->head, type);
	add_be32(p, p->head, values);
	return true;
}

static void pack_value(
	struct admin_out *out, const struct admin_field *f, const struct admin_value *v)
{
	struct pack_out *p = (struct pack_out *)out;
	const char *prefix, *name;

	if (p->cutting)
		return;
	for (unsigned part = 0; part < parts_of(f); part++) {
		if (p->list != NULL) {
			unsigned i = (unsigned)(f - p->list->rows);

			p->put[i] = true;
			add_value(p, p->columns[p->first_column[i] + part], f, v, part);
			continue;
		}
		name_of(f, part, &prefix, &name);
		if (element_begin(p, prefix, name, pack_element_type(f, part), 1))
			add_value(p, p->head, f, v, part);
	}
}

static void pack_rows_begin(struct admin_out *out, const struct admin_field *f)
{
	struct pack_out *p = (struct pack_out *)out;

	p->list = f;
	p->rows = 0;
	p->column_cnt = 0;
	for (const struct admin_field *r = f->rows; r->name != NULL; r++) {
		p->first_column[r - f->rows] = (uint16_t)p->column_cnt;
		for (unsigned part = 0; part < parts_of(r); part++) {
			assert(p->column_cnt < PACK_OUT_COLUMNS);
			p->columns[p->column_cnt] = evbuffer_new();
			if (p->columns[p->column_cnt] == NULL)
				p->failed = true;
			else
				p->column_cnt++;
		}
	}
	/* Without its columns a list is nowhere to be put; the answer is an error anyhow. */
	p->cutting = p->failed;
}

static void pack_row_begin(struct admin_out *out)
{
	struct pack_out *p = (struct pack_out *)out;

	p->cutting = p->failed || p->rows >= PACK_VALUES_MAX;
	if (p->cutting)
		p->cut++;
	else
		p->rows++;
	memset(p->put, 0, sizeof(p->put));
}

/* An optional field that is missing in one row would shift the rows behind it: it gets an empty value. */
static void pack_row_end(struct admin_out *out)
{
	static const struct admin_value empty = {.bytes = "", .size = 0};
	static const struct admin_value zero;
	struct pack_out *p = (struct pack_out *)out;

	for (const struct admin_field *f = p->list->rows; f->name != NULL && !p->cutting; f++) {
		bool text = f->type == ADMIN_TYPE_STR || f->type == ADMIN_TYPE_USTR ||
			f->type == ADMIN_TYPE_DATA;

		if (!p->put[f - p->list->rows])
			pack_value(out, f, text ? &empty : &zero);
	}
	p->cutting = false;
}

static void pack_rows_end(struct admin_out *out)
{
	static const struct admin_field num_item = {.name = "NumItem", .type = ADMIN_TYPE_INT};
	struct pack_out *p = (struct pack_out *)out;
	const struct admin_field *list = p->list;
	const char *prefix, *name;
	unsigned column = 0;

	p->list = NULL;
	p->cutting = false;
	for (const struct admin_field *r = list->rows; r->name != NULL && !p->failed; r++) {
		for (unsigned part = 0; part < parts_of(r); part++, column++) {
			name_of(r, part, &prefix, &name);
			/* An element cannot be empty, so a list that is has none. */
			if (p->rows == 0 ||
				!element_begin(
					p, prefix, name, pack_element_type(r, part), p->rows))
				continue;
			if (evbuffer_add_buffer(p->head, p->columns[column]) != 0)
				p->failed = true;
		}
	}
	while (p->column_cnt > 0)
		evbuffer_free(p->columns[--p->column_cnt]);
	pack_value(out, &num_item, &(struct admin_value){.number = p->rows});
}

static void pack_data_begin(struct admin_out *out, const struct admin_field *f, size_t size)
{
	struct pack_out *p = (struct pack_out *)out;

	/* Cutting: there is one of that name, which a table has only by mistake. */
	p->cutting = !element_begin(p, "", f->name, PACK_DATA, 1);
	if (!p->cutting)
		add_be32(p, p->head, (uint32_t)size);
}

static void pack_data_part(struct admin_out *out, const void *bytes, size_t size)
{
	struct pack_out *p = (struct pack_out *)out;

	if (!p->cutting)
		add(p, p->head, bytes, size);
}

static void pack_data_end(struct admin_out *out)
{
	((struct pack_out *)out)->cutting = false;
}

static size_t pack_pending(const struct admin_out *out)
{
	return ((const struct pack_out *)out)->held;
}

int pack_out_init(struct pack_out *p)
{
	static const struct admin_out_ops ops = {
		.value = pack_value,
		.rows_begin = pack_rows_begin,
		.row_begin = pack_row_begin,
		.row_end = pack_row_end,
		.rows_end = pack_rows_end,
		.data_begin = pack_data_begin,
		.data_part = pack_data_part,
		.data_end = pack_data_end,
		.pending = pack_pending,
	};

	memset(p, 0, sizeof(*p));
	p->out.ops = &ops;
	p->head = evbuffer_new();
	return p->head == NULL ? -ENOMEM : 0;
}

int pack_out_finish(struct pack_out *p, struct evbuffer *dst)
{
	size_t size = evbuffer_get_length(p->head) + 4;
	uint8_t head[8];

	if (p->failed || size > UINT32_MAX)
		return -ENOMEM;
	be32_put(head, (uint32_t)size);
	be32_put(head + 4, p->elements);
	/* Prepended, so that the two go over together or not at all. */
	if (evbuffer_prepend(p->head, head, sizeof(head)) != 0)
		return -ENOMEM;
	return evbuffer_add_buffer(dst, p->head) == 0 ? 0 : -ENOMEM;
}

void pack_out_fini(struct pack_out *p)
{
	while (p->column_cnt > 0)
		evbuffer_free(p->columns[--p->column_cnt]);
	if (p->head != NULL)
		evbuffer_free(p->head);
	p->head = NULL;
}

int pack_out_error(struct evbuffer *dst, uint32_t code)
{
	static const struct admin_field error = {.name = "error", .type = ADMIN_TYPE_INT};
	struct pack_out p;
	int rc = pack_out_init(&p);

	if (rc == 0) {
		pack_value(&p.out, &error, &(struct admin_value){.number = code});
		rc = pack_out_finish(&p, dst);
	}
	pack_out_fini(&p);
	return rc;
}
