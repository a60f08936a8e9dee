/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A small JSON writer instead of a tree: a tree of a long list would be the unbounded memory that slices
 * are there to avoid.
 */

#include "controlplane/admin/json_out.h"

#include <arpa/inet.h>
#include <event2/buffer.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/admin/base64.h"
#include "controlplane/admin/utf8.h"

void json_out_flush(struct json_out *j)
{
	if (j->used > 0)
		evbuffer_add(j->buf, j->text, j->used);
	j->used = 0;
}

static void add(struct json_out *j, const char *text, size_t len)
{
	if (len > sizeof(j->text) - j->used)
		json_out_flush(j);
	if (len > sizeof(j->text)) {
		evbuffer_add(j->buf, text, len);
		return;
	}
	memcpy(j->text + j->used, text, len);
	j->used += len;
}

static void add_text(struct json_out *j, const char *text)
{
	add(j, text, strlen(text));
}

static void add_string(struct json_out *j, const char *bytes, size_t size)
{
	const uint8_t *p = (const uint8_t *)bytes;

	add(j, "\"", 1);
	for (size_t i = 0; i < size;) {
		char esc[8];
		size_t n = utf8_len(p + i, size - i);

		if (n == 0) {
			add_text(j, UTF8_REPLACEMENT);
			i++;
			continue;
		}
		if (p[i] == '"' || p[i] == '\\') {
			add(j, "\\", 1);
			add(j, bytes + i, 1);
		} else if (p[i] < 0x20 || p[i] == 0x7f) {
			snprintf(esc, sizeof(esc), "\\u%04x", p[i]);
			add_text(j, esc);
		} else {
			add(j, bytes + i, n);
		}
		i += n;
	}
	add(j, "\"", 1);
}

static void begin(struct json_out *j, const char *member)
{
	if (j->begun)
		return;
	j->begun = true;
	add_text(j, "{\"jsonrpc\":\"2.0\",\"id\":");
	add_text(j, j->id);
	add_text(j, ",\"");
	add_text(j, member);
	add_text(j, "\":{");
}

/* Our own names need no escapes. */
static void add_key(struct json_out *j, const char *prefix, const char *name, const char *suffix)
{
	begin(j, "result");
	if (j->comma)
		add(j, ",", 1);
	j->comma = true;
	add(j, "\"", 1);
	add_text(j, prefix);
	add_text(j, name);
	if (suffix[0] != '\0') {
		add(j, "_", 1);
		add_text(j, suffix);
	}
	add(j, "\":", 2);
}

static void add_number(struct json_out *j, uint64_t v)
{
	char digits[24];
	char *p = digits + sizeof(digits);

	do
		*--p = (char)('0' + v % 10);
	while ((v /= 10) > 0);
	add(j, p, (size_t)(digits + sizeof(digits) - p));
}

static void add_time(struct json_out *j, int64_t ms)
{
	time_t s = ms / 1000;
	struct tm tm;
	char text[64];

	gmtime_r(&s, &tm);
	snprintf(text, sizeof(text), "\"%04d-%02d-%02dT%02d:%02d:%02d.%03dZ\"", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, (int)(ms % 1000));
	add_text(j, text);
}

static void add_base64(struct json_out *j, const uint8_t *bytes, size_t size)
{
	char text[BASE64_LEN(48) + 1];

	for (size_t i = 0; i < size; i += 48) {
		base64_encode(bytes + i, size - i < 48 ? size - i : 48, text);
		add_text(j, text);
	}
}

static void add_data(struct json_out *j, const uint8_t *bytes, size_t size)
{
	add(j, "\"", 1);
	add_base64(j, bytes, size);
	add(j, "\"", 1);
}

static void add_ip(struct json_out *j, const struct admin_value *v)
{
	char text[INET6_ADDRSTRLEN] = "0.0.0.0";

	if (v->family == AF_INET || v->family == AF_INET6)
		inet_ntop(v->family, v->address, text, sizeof(text));
	add_string(j, text, strlen(text));
}

static void add_traffic(struct json_out *j, const char *prefix, const struct admin_value *v)
{
	const struct stats_traffic *in = &v->traffic.in;
	const struct stats_traffic *out = &v->traffic.out;
	const uint64_t numbers[ADMIN_TRAFFIC_FIELDS] = {
		in->broadcast_bytes,
		in->broadcast_frames,
		in->unicast_bytes,
		in->unicast_frames,
		out->broadcast_bytes,
		out->broadcast_frames,
		out->unicast_bytes,
		out->unicast_frames,
	};

	for (unsigned i = 0; i < ADMIN_TRAFFIC_FIELDS; i++) {
		add_key(j, prefix, admin_traffic_name(i), admin_type_suffix(ADMIN_TYPE_INT64));
		add_number(j, numbers[i]);
	}
}

static void json_value(
	struct admin_out *out, const struct admin_field *f, const struct admin_value *v)
{
	struct json_out *j = (struct json_out *)out;

	if (f->type == ADMIN_TYPE_TRAFFIC) {
		add_traffic(j, f->name, v);
		return;
	}
	add_key(j, "", f->name, admin_type_suffix(f->type));
	switch (f->type) {
	case ADMIN_TYPE_BOOL:
		add_text(j, v->flag ? "true" : "false");
		break;
	case ADMIN_TYPE_INT:
	case ADMIN_TYPE_INT64:
		add_number(j, v->number);
		break;
	case ADMIN_TYPE_TIME:
		add_time(j, v->time_ms);
		break;
	case ADMIN_TYPE_STR:
	case ADMIN_TYPE_USTR:
		add_string(j, v->bytes, v->size);
		break;
	case ADMIN_TYPE_DATA:
		add_data(j, v->bytes, v->size);
		break;
	case ADMIN_TYPE_IP:
		add_ip(j, v);
		break;
	default:
		break;
	}
}

static void json_rows_begin(struct admin_out *out, const struct admin_field *f)
{
	struct json_out *j = (struct json_out *)out;

	add_key(j, "", f->name, "");
	add(j, "[", 1);
	j->comma = false;
}

static void json_row_begin(struct admin_out *out)
{
	struct json_out *j = (struct json_out *)out;

	add_text(j, j->comma ? ",{" : "{");
	j->comma = false;
}

static void json_row_end(struct admin_out *out)
{
	struct json_out *j = (struct json_out *)out;

	add(j, "}", 1);
	j->comma = true;
}

static void json_rows_end(struct admin_out *out)
{
	struct json_out *j = (struct json_out *)out;

	add(j, "]", 1);
	j->comma = true;
}

static void json_data_begin(struct admin_out *out, const struct admin_field *f, size_t)
{
	struct json_out *j = (struct json_out *)out;

	add_key(j, "", f->name, admin_type_suffix(f->type));
	add(j, "\"", 1);
}

static void json_data_part(struct admin_out *out, const void *bytes, size_t size)
{
	add_base64((struct json_out *)out, bytes, size);
}

static void json_data_end(struct admin_out *out)
{
	add((struct json_out *)out, "\"", 1);
}

static size_t json_pending(const struct admin_out *out)
{
	const struct json_out *j = (const struct json_out *)out;

	return evbuffer_get_length(j->buf) + j->used;
}

void json_out_init(struct json_out *j, struct evbuffer *buf, const char *id)
{
	static const struct admin_out_ops ops = {
		.value = json_value,
		.rows_begin = json_rows_begin,
		.row_begin = json_row_begin,
		.row_end = json_row_end,
		.rows_end = json_rows_end,
		.data_begin = json_data_begin,
		.data_part = json_data_part,
		.data_end = json_data_end,
		.pending = json_pending,
	};

	j->out.ops = &ops;
	j->buf = buf;
	j->id = id;
	j->begun = false;
	j->comma = false;
	j->used = 0;
}

void json_out_result_end(struct json_out *j)
{
	begin(j, "result");
	add_text(j, "}}\n");
	json_out_flush(j);
}

void json_out_error(struct json_out *j, int code, const char *message, const char *field)
{
	char head[32];

	if (j->begun)
		/* A result that ends early. It has left, so all that can be done is to have an error stand behind it. */
		add_text(j, "},\"error\":{");
	begin(j, "error");
	snprintf(head, sizeof(head), "\"code\":%d,\"message\":", code);
	add_text(j, head);
	add_string(j, message, strlen(message));
	if (field != NULL) {
		add_text(j, ",\"data\":{\"field\":");
		add_string(j, field, strlen(field));
		add_text(j, "}");
	}
	add_text(j, "}}\n");
	json_out_flush(j);
}

void json_field_name(const struct admin_field *field, char name[ADMIN_JSON_NAME_MAX])
{
	const char *suffix = admin_type_suffix(field->type);

	snprintf(name, ADMIN_JSON_NAME_MAX, "%s%s%s", field->name, suffix[0] == '\0' ? "" : "_",
		suffix);
}
