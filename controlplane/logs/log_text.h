/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGS_LOG_TEXT_H
#define PATCHBAY_CONTROLPLANE_LOGS_LOG_TEXT_H

/*
 * Lines of logs, made so that nobody who may choose a name or a byte of a frame can make a reader believe
 * something else: whatever comes from outside is escaped by the one rule of the place where it stands, control
 * characters and what is not UTF-8 become \xNN, and other characters of any script stay as they are.
 *
 *   word="..."   quoted: \" \\ \n \r \t \xNN
 *   JSON         as RFC 8259 has it; bytes that are no UTF-8: \u00NN
 *   columns      a field with a comma, a quote, a backslash, a control character or a blank at an end stands in
 *                quotes, with "" for a quote and \\ \n \r \t \xNN within; "-" for an empty one
 *
 * A line has a bound. What does not fit is left out at the end of a whole field, and `cut` says so.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_line {
	char *text; /* never with a NUL at its end */
	size_t size, len;
	bool cut;
};

void text_begin(struct text_line *l, char *buffer, size_t size);
/* All of it or nothing. */
void text_put(struct text_line *l, const char *bytes, size_t n);
void text_printf(struct text_line *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* With its quotes. */
void text_quoted(struct text_line *l, const char *bytes, size_t n);
void text_json(struct text_line *l, const char *bytes, size_t n);
void text_column(struct text_line *l, const char *bytes, size_t n);
/* Digits in capitals. */
void text_hex(struct text_line *l, const uint8_t *bytes, size_t n);

/*
 * A field of an event: `key` a literal without anything to escape. Text lines have key=value, with quotes where
 * the value came from outside; JSON has members.
 */
enum log_value {
	LOG_VALUE_END,
	LOG_VALUE_TEXT,	  /* from outside: quoted */
	LOG_VALUE_WORD,	  /* ours, or an address: letters, digits, .:-_ only */
	LOG_VALUE_NUMBER, /* unsigned */
};
struct log_field {
	const char *key;
	enum log_value type;
	const char *text; /* NULL: the field is left out */
	uint64_t number;
};
#define LOG_TEXT(key_, text_)                                          \
	{                                                              \
		.key = (key_), .type = LOG_VALUE_TEXT, .text = (text_) \
	}
#define LOG_WORD(key_, text_)                                          \
	{                                                              \
		.key = (key_), .type = LOG_VALUE_WORD, .text = (text_) \
	}
#define LOG_NUMBER(key_, number_)                                            \
	{                                                                    \
		.key = (key_), .type = LOG_VALUE_NUMBER, .number = (number_) \
	}
#define LOG_END                       \
	{                             \
		.type = LOG_VALUE_END \
	}

/* `login refused ip=192.0.2.1 user="bob"`; or `"event":"login refused","ip":"192.0.2.1","user":"bob"`. */
void text_event(struct text_line *l, bool json, const char *event, const struct log_field *fields);

#endif
