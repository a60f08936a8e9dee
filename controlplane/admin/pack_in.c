/* SPDX-License-Identifier: BSD-3-Clause */
/* Arguments out of a PACK, type by type. */

#include "controlplane/admin/pack_in.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/utf8.h"
#include "drivers/session/wire/be.h"

#define TIME_MS_MAX INT64_C(253402300799999) /* end of the year 9999 */

/* Text or bytes. An empty one counts as absent where the table asks for more and does not insist. */
static int get_span(const struct pack_in *p, const struct admin_field *f, struct admin_value *value,
	const char **why)
{
	struct pack_span s;

	if (f->type == ADMIN_TYPE_DATA) {
		if (pack_count(&p->pack, f->name, PACK_DATA) == 0)
			return 0;
		s = pack_get_data(&p->pack, f->name);
	} else if (f->type == ADMIN_TYPE_STR) {
		if (pack_count(&p->pack, f->name, PACK_STR) == 0)
			return 0;
		s = pack_get_str(&p->pack, f->name);
	} else {
		if (pack_count(&p->pack, f->name, PACK_UNISTR) == 0)
			return 0;
		s = pack_get_unistr(&p->pack, f->name);
	}
	if (s.len == 0 && f->min > 0 && (f->flags & ADMIN_F_REQUIRED) == 0)
		return 0;
	*why = "must be UTF-8";
	if (f->type != ADMIN_TYPE_DATA && !utf8_ok(s.data, s.len))
		return -1;
	value->bytes = s.data;
	value->size = s.len;
	return 1;
}

static int get_number(
	const struct pack_in *p, const struct admin_field *f, struct admin_value *value)
{
	enum pack_type type = f->type == ADMIN_TYPE_INT ? PACK_INT : PACK_INT64;

	if (pack_count(&p->pack, f->name, type) == 0)
		return 0;
	value->number = type == PACK_INT ? pack_get_int(&p->pack, f->name)
					 : pack_get_int64(&p->pack, f->name);
	return value->number == 0 && f->min > 0 && (f->flags & ADMIN_F_REQUIRED) == 0 ? 0 : 1;
}

static int get_ip(const struct pack_in *p, const struct admin_field *f, struct admin_value *value)
{
	struct pack_ip ip;

	if (pack_get_ip(&p->pack, f->name, &ip) != 0)
		return 0;
	value->family = ip.is_ipv6 ? AF_INET6 : AF_INET;
	memcpy(value->address, ip.addr, sizeof(value->address));
	return 1;
}

static int pack_in_get(struct admin_in *in, const struct admin_field *f, struct admin_value *value,
	const char **why)
{
	const struct pack_in *p = (const struct pack_in *)in;

	switch (f->type) {
	case ADMIN_TYPE_BOOL:
		value->flag = pack_get_bool(&p->pack, f->name);
		return pack_count(&p->pack, f->name, PACK_INT) > 0;
	case ADMIN_TYPE_INT:
	case ADMIN_TYPE_INT64:
		return get_number(p, f, value);
	case ADMIN_TYPE_TIME:
		if (pack_count(&p->pack, f->name, PACK_INT64) == 0)
			return 0;
		*why = "must be a time before the year 10000";
		value->time_ms = (int64_t)pack_get_int64(&p->pack, f->name);
		return value->time_ms >= 0 && value->time_ms <= TIME_MS_MAX ? 1 : -1;
	case ADMIN_TYPE_STR:
	case ADMIN_TYPE_USTR:
	case ADMIN_TYPE_DATA:
		return get_span(p, f, value, why);
	case ADMIN_TYPE_IP:
		return get_ip(p, f, value);
	default:
		*why = "cannot be given in a PACK";
		return -1;
	}
}

static const char *pack_in_unknown(struct admin_in *, const struct admin_field *)
{
	return NULL;
}

int pack_in_init(struct pack_in *p, uint8_t *body, size_t size)
{
	static const struct admin_in_ops ops = {
		.get = pack_in_get,
		.unknown = pack_in_unknown,
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
