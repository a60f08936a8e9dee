/* SPDX-License-Identifier: BSD-3-Clause */
/* Arguments out of a PACK, type by type. */

#include "controlplane/admin/pack_in.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/pack_out.h"
#include "controlplane/admin/utf8.h"
#include "drivers/session/wire/be.h"

#define TIME_MS_MAX INT64_C(253402300799999) /* end of the year 9999 */

/*
 * Value number i of a text or data element. Lists are walked row by row, each column for itself, so a cursor per
 * column makes that linear; the protocol's own lookup would start from the front each time.
 */
static struct pack_span span_at(
	struct pack_in *p, const char *name, enum pack_type type, uint32_t i)
{
	struct pack_cursor *c = &p->cursors[p->cursor_next];
	struct pack_span s = {0};

	if (i == 0) {
		struct pack_iter first = pack_iter_start(&p->pack, name, type);

		(void)pack_iter_next(&first, &s);
		return s;
	}
	for (unsigned k = 0; k < PACK_IN_CURSORS; k++) {
		if (p->cursors[k].type == type && strcmp(p->cursors[k].name, name) == 0)
			c = &p->cursors[k];
	}
	if (c == &p->cursors[p->cursor_next] && strcmp(c->name, name) != 0) {
		p->cursor_next = (p->cursor_next + 1) % PACK_IN_CURSORS;
		snprintf(c->name, sizeof(c->name), "%s", name);
		c->type = type;
		c->row = UINT32_MAX;
	}
	if (c->row == UINT32_MAX || c->row > i) {
		c->iter = pack_iter_start(&p->pack, name, type);
		c->row = 0;
		(void)pack_iter_next(&c->iter, &c->value);
	}
	while (c->row < i && pack_iter_next(&c->iter, &c->value))
		c->row++;
	return c->row == i ? c->value : s;
}

/* Where the table asks for more than nothing and does not insist, nothing means absent. */
static bool counts_as_absent(const struct admin_field *f, bool nothing)
{
	return nothing && f->min > 0 && (f->flags & ADMIN_F_REQUIRED) == 0;
}

static int get_span(struct pack_in *p, const struct admin_field *f, uint32_t i,
	struct admin_value *value, const char **why)
{
	struct pack_span s = span_at(p, f->name, pack_element_type(f, 0), i);

	if (counts_as_absent(f, s.len == 0))
		return 0;
	*why = "must be UTF-8";
	if (f->type != ADMIN_TYPE_DATA && !utf8_ok(s.data, s.len))
		return -1;
	value->bytes = s.data;
	value->size = s.len;
	return 1;
}

static int get_ip(
	struct pack_in *p, const struct admin_field *f, uint32_t i, struct admin_value *value)
{
	char name[PACK_NAME_MAX + 1];
	struct pack_span v6;

	memset(value->address, 0, sizeof(value->address));
	snprintf(name, sizeof(name), "%s@ipv6_bool", f->name);
	if (pack_get_int_at(&p->pack, name, i) != 0) {
		snprintf(name, sizeof(name), "%s@ipv6_array", f->name);
		v6 = span_at(p, name, PACK_DATA, i);
		if (v6.len != sizeof(value->address))
			return 0;
		value->family = AF_INET6;
		memcpy(value->address, v6.data, sizeof(value->address));
		return 1;
	}
	value->family = AF_INET;
	/* Its octets stand reversed (wire.md 2). */
	be32_put(value->address, __builtin_bswap32(pack_get_int_at(&p->pack, f->name, i)));
	return 1;
}

/* Value number i of a field: that of a request's own, or that of a list's row. */
static int get_at(struct pack_in *p, const struct admin_field *f, uint32_t i,
	struct admin_value *value, const char **why)
{
	if (f->type == ADMIN_TYPE_TRAFFIC || f->type == ADMIN_TYPE_ROWS) {
		*why = "cannot be given in a PACK";
		return -1;
	}
	if (i >= pack_count(&p->pack, f->name, pack_element_type(f, 0)))
		return 0;
	switch (f->type) {
	case ADMIN_TYPE_BOOL:
		value->flag = pack_get_int_at(&p->pack, f->name, i) != 0;
		return 1;
	case ADMIN_TYPE_INT:
		value->number = pack_get_int_at(&p->pack, f->name, i);
		return !counts_as_absent(f, value->number == 0);
	case ADMIN_TYPE_INT64:
		value->number = pack_get_int64_at(&p->pack, f->name, i);
		return !counts_as_absent(f, value->number == 0);
	case ADMIN_TYPE_TIME:
		*why = "must be a time before the year 10000";
		value->time_ms = (int64_t)pack_get_int64_at(&p->pack, f->name, i);
		if (value->time_ms < 0 || value->time_ms > TIME_MS_MAX - PACK_TIME_EARLY_MS)
			return -1;
		value->time_ms += value->time_ms == 0 ? 0 : PACK_TIME_EARLY_MS;
		return 1;
	case ADMIN_TYPE_IP:
		return get_ip(p, f, i, value);
	default:
		return get_span(p, f, i, value, why);
	}
}

static int pack_in_get(struct admin_in *in, const struct admin_field *f, struct admin_value *value,
	const char **why)
{
	return get_at((struct pack_in *)in, f, 0, value, why);
}

static const char *pack_in_unknown(struct admin_in *, const struct admin_field *)
{
	return NULL;
}

/* As many as its longest column has values; the others' missing ones are absent. */
static long pack_in_rows(struct admin_in *in, const struct admin_field *list, const char **)
{
	struct pack_in *p = (struct pack_in *)in;
	uint32_t rows = 0;

	for (const struct admin_field *f = list->rows; f->name != NULL; f++) {
		uint32_t n = pack_count(&p->pack, f->name, pack_element_type(f, 0));

		rows = n > rows ? n : rows;
	}
	return rows;
}

static int pack_in_row_get(struct admin_in *in, const struct admin_field *, uint32_t row,
	const struct admin_field *f, struct admin_value *value, const char **why)
{
	return get_at((struct pack_in *)in, f, row, value, why);
}

static const char *pack_in_row_unknown(struct admin_in *, const struct admin_field *, uint32_t)
{
	return NULL;
}

int pack_in_init(struct pack_in *p, uint8_t *body, size_t size)
{
	static const struct admin_in_ops ops = {
		.get = pack_in_get,
		.unknown = pack_in_unknown,
		.rows = pack_in_rows,
		.row_get = pack_in_row_get,
		.row_unknown = pack_in_row_unknown,
	};
	static const struct pack_limits limits = {
		.max_bytes = PACK_IN_BYTES,
		.max_elements = PACK_IN_ELEMENTS,
		.max_values = PACK_VALUES_MAX,
	};
	int rc;

	memset(p, 0, sizeof(*p));
	p->in.ops = &ops;
	p->index = malloc(PACK_IN_ELEMENTS * sizeof(p->index[0]));
	if (p->index == NULL)
		return -ENOMEM;
	rc = pack_parse(&p->pack, body, size, &limits, p->index, PACK_IN_ELEMENTS);
	if (rc != 0) {
		pack_in_fini(p);
		return rc;
	}
	body[p->pack.size_bytes] = 0;
	if (pack_copy_str(&p->pack, "function_name", p->method, sizeof(p->method)) != 0)
		p->method[0] = '\0'; /* longer than any name there is */
	return 0;
}

void pack_in_fini(struct pack_in *p)
{
	free(p->index);
	p->index = NULL;
}
