/* SPDX-License-Identifier: BSD-3-Clause */
/* Arguments out of a JSON object, type by type. */

#include "controlplane/admin/json_in.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/admin/base64.h"
#include "controlplane/admin/json_out.h"

struct json_decoded {
	struct json_decoded *next;
	size_t size;
	uint8_t bytes[];
};

bool json_time_parse(const char *text, int64_t *ms)
{
	struct tm tm = {0};
	unsigned fraction = 0;
	const char *p = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

	if (p == NULL || tm.tm_year < 70 || tm.tm_year > 8099)
		return false;
	if (*p == '.') {
		unsigned scale = 100;

		for (p++; *p >= '0' && *p <= '9'; p++, scale /= 10)
			fraction += scale * (unsigned)(*p - '0');
	}
	if (*p == 'Z')
		p++;
	if (*p != '\0')
		return false;
	*ms = (int64_t)timegm(&tm) * 1000 + fraction;
	return true;
}

static int get_data(struct json_in *j, json_t *v, struct admin_value *value)
{
	struct json_decoded *d;
	long size;

	if (!json_is_string(v))
		return -1;
	d = malloc(sizeof(*d) + json_string_length(v) + 1);
	if (d == NULL)
		return -1;
	d->next = j->decoded;
	d->size = json_string_length(v);
	j->decoded = d;
	size = base64_decode(json_string_value(v), json_string_length(v), d->bytes);
	value->bytes = d->bytes;
	value->size = (size_t)size;
	return size < 0 ? -1 : 1;
}

static int get_ip(json_t *v, struct admin_value *value)
{
	if (!json_is_string(v))
		return -1;
	value->family = AF_INET;
	if (inet_pton(AF_INET, json_string_value(v), value->address) == 1)
		return 1;
	value->family = AF_INET6;
	return inet_pton(AF_INET6, json_string_value(v), value->address) == 1 ? 1 : -1;
}

static int member_get(struct json_in *j, json_t *record, const struct admin_field *f,
	struct admin_value *value, const char **why)
{
	char name[ADMIN_JSON_NAME_MAX];
	json_t *v;

	json_field_name(f, name);
	v = json_object_get(record, name);
	if (v == NULL)
		return 0;
	switch (f->type) {
	case ADMIN_TYPE_BOOL:
		*why = "must be true or false";
		value->flag = json_is_true(v);
		return json_is_boolean(v) ? 1 : -1;
	case ADMIN_TYPE_INT:
	case ADMIN_TYPE_INT64:
		*why = "must be a whole number, not negative";
		if (!json_is_integer(v) || json_integer_value(v) < 0)
			return -1;
		value->number = (uint64_t)json_integer_value(v);
		return 1;
	case ADMIN_TYPE_TIME:
		*why = "must be a time like \"2026-11-23T05:09:18.203Z\"";
		return json_is_string(v) && json_time_parse(json_string_value(v), &value->time_ms)
			? 1
			: -1;
	case ADMIN_TYPE_STR:
	case ADMIN_TYPE_USTR:
		*why = "must be a string";
		if (!json_is_string(v))
			return -1;
		value->bytes = json_string_value(v);
		value->size = json_string_length(v);
		return 1;
	case ADMIN_TYPE_DATA:
		*why = "must be Base64 in a string";
		return get_data(j, v, value);
	case ADMIN_TYPE_IP:
		*why = "must be an IPv4 or IPv6 address in a string";
		return get_ip(v, value);
	default:
		*why = "cannot be given in JSON";
		return -1;
	}
}

/* Name of a member of `record` that is not among `fields`, or NULL. */
static const char *stranger(struct json_in *j, json_t *record, const struct admin_field *fields)
{
	char name[ADMIN_JSON_NAME_MAX];
	const char *key;
	json_t *value;

	json_object_foreach (record, key, value) {
		const struct admin_field *f = fields;

		for (; f->name != NULL; f++) {
			json_field_name(f, name);
			if (strcmp(name, key) == 0)
				break;
		}
		if (f->name == NULL) {
			snprintf(j->stranger, sizeof(j->stranger), "%s", key);
			return j->stranger;
		}
	}
	return NULL;
}

static int json_get(struct admin_in *in, const struct admin_field *f, struct admin_value *value,
	const char **why)
{
	struct json_in *j = (struct json_in *)in;

	return member_get(j, j->params, f, value, why);
}

static const char *json_unknown(struct admin_in *in, const struct admin_field *fields)
{
	struct json_in *j = (struct json_in *)in;

	return stranger(j, j->params, fields);
}

static long json_rows(struct admin_in *in, const struct admin_field *list, const char **why)
{
	struct json_in *j = (struct json_in *)in;
	json_t *v = json_object_get(j->params, list->name), *row;
	size_t i;

	*why = "must be a list of objects";
	if (v == NULL)
		return 0;
	if (!json_is_array(v))
		return -1;
	json_array_foreach (v, i, row)
		if (!json_is_object(row))
			return -1;
	return (long)json_array_size(v);
}

static json_t *row_of(const struct json_in *j, const struct admin_field *list, uint32_t row)
{
	return json_array_get(json_object_get(j->params, list->name), row);
}

static int json_row_get(struct admin_in *in, const struct admin_field *list, uint32_t row,
	const struct admin_field *f, struct admin_value *value, const char **why)
{
	struct json_in *j = (struct json_in *)in;

	return member_get(j, row_of(j, list, row), f, value, why);
}

static const char *json_row_unknown(
	struct admin_in *in, const struct admin_field *list, uint32_t row)
{
	struct json_in *j = (struct json_in *)in;

	return stranger(j, row_of(j, list, row), list->rows);
}

void json_in_init(struct json_in *j, json_t *params)
{
	static const struct admin_in_ops ops = {
		.get = json_get,
		.unknown = json_unknown,
		.rows = json_rows,
		.row_get = json_row_get,
		.row_unknown = json_row_unknown,
	};

	j->in.ops = &ops;
	j->params = params;
	j->decoded = NULL;
}

void json_in_fini(struct json_in *j)
{
	while (j->decoded != NULL) {
		struct json_decoded *d = j->decoded;

		j->decoded = d->next;
		explicit_bzero(d->bytes, d->size); /* a private key, perhaps */
		free(d);
	}
}
