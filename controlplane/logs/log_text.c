/* SPDX-License-Identifier: BSD-3-Clause */
/* Escaping (log_text.h): each character is judged once, and put whole or not at all. */

#include "controlplane/logs/log_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/log.h"

void text_begin(struct text_line *l, char *buffer, size_t size)
{
	*l = (struct text_line){.text = buffer, .size = size};
}

void text_put(struct text_line *l, const char *bytes, size_t n)
{
	if (l->cut || n > l->size - l->len) {
		l->cut = true;
		return;
	}
	memcpy(l->text + l->len, bytes, n);
	l->len += n;
}

void text_printf(struct text_line *l, const char *fmt, ...)
{
	char text[256];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n > 0)
		text_put(l, text, (size_t)n < sizeof(text) ? (size_t)n : sizeof(text) - 1);
}

enum place {
	PLACE_QUOTED,
	PLACE_JSON,
	PLACE_COLUMN
};

/* The short form of a control character, or 0. */
static char short_form(unsigned char c)
{
	return c == '\n' ? 'n' : c == '\r' ? 'r' : c == '\t' ? 't' : 0;
}

/* One character, or one byte of what is none; how many bytes it was. */
static size_t put_one(struct text_line *l, enum place place, const unsigned char *p, size_t left)
{
	size_t n = log_shown_bytes(p, left);

	if (n == 1 && *p == '"') {
		text_put(l, place == PLACE_COLUMN ? "\"\"" : "\\\"", 2);
	} else if (n == 1 && *p == '\\') {
		text_put(l, "\\\\", 2);
	} else if (n > 0) {
		text_put(l, (const char *)p, n);
	} else if (short_form(*p) != 0) {
		text_printf(l, "\\%c", short_form(*p));
		return 1;
	} else {
		text_printf(l, place == PLACE_JSON ? "\\u00%02x" : "\\x%02x", *p);
		return 1;
	}
	return n;
}

/* From one quote to the other, or not at all. */
static void put_between(struct text_line *l, enum place place, const char *bytes, size_t n)
{
	size_t before = l->len;

	text_put(l, "\"", 1);
	for (size_t at = 0; at < n;)
		at += put_one(l, place, (const unsigned char *)bytes + at, n - at);
	text_put(l, "\"", 1);
	if (l->cut)
		l->len = before;
}

void text_quoted(struct text_line *l, const char *bytes, size_t n)
{
	put_between(l, PLACE_QUOTED, bytes, n);
}

void text_json(struct text_line *l, const char *bytes, size_t n)
{
	put_between(l, PLACE_JSON, bytes, n);
}

static bool is_plain(const char *bytes, size_t n)
{
	if (bytes[0] == ' ' || bytes[n - 1] == ' ' || (n == 1 && bytes[0] == '-'))
		return false;
	for (size_t at = 0; at < n;) {
		unsigned char c = (unsigned char)bytes[at];
		size_t one = c >= ' ' && c < 0x7f
			? 1
			: log_shown_bytes((const unsigned char *)bytes + at, n - at);

		if (one == 0 || bytes[at] == ',' || bytes[at] == '"' || bytes[at] == '\\')
			return false;
		at += one;
	}
	return true;
}

void text_column(struct text_line *l, const char *bytes, size_t n)
{
	if (n == 0)
		text_put(l, "-", 1);
	else if (is_plain(bytes, n))
		text_put(l, bytes, n);
	else
		put_between(l, PLACE_COLUMN, bytes, n);
}

void text_hex(struct text_line *l, const uint8_t *bytes, size_t n)
{
	static const char digits[] = "0123456789ABCDEF";

	if (l->cut || 2 * n > l->size - l->len) {
		l->cut = true;
		return;
	}
	for (size_t i = 0; i < n; i++) {
		l->text[l->len++] = digits[bytes[i] >> 4];
		l->text[l->len++] = digits[bytes[i] & 15];
	}
}

static void put_value(struct text_line *l, bool json, const struct log_field *f)
{
	if (f->type == LOG_VALUE_NUMBER)
		text_printf(l, "%llu", (unsigned long long)f->number);
	else if (json)
		text_json(l, f->text, strlen(f->text));
	else if (f->type == LOG_VALUE_TEXT)
		text_quoted(l, f->text, strlen(f->text));
	else
		text_put(l, f->text, strlen(f->text));
}

void text_event(struct text_line *l, bool json, const char *event, const struct log_field *fields)
{
	if (json) {
		text_put(l, "\"event\":", 8);
		text_json(l, event, strlen(event));
	} else {
		text_put(l, event, strlen(event));
	}
	for (const struct log_field *f = fields; f->type != LOG_VALUE_END; f++) {
		size_t before = l->len;

		if (f->type != LOG_VALUE_NUMBER && f->text == NULL)
			continue;
		text_printf(l, json ? ",\"%s\":" : " %s=", f->key);
		put_value(l, json, f);
		/* Half a field would be a wrong one. */
		if (l->cut) {
			l->len = before;
			return;
		}
	}
}
