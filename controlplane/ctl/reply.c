/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cuts records out of a stream of JSON. Only strings and brackets are understood here; jansson judges each
 * piece afterwards, so whatever is not JSON is found there.
 *
 * Depth 1 is the answer, 2 the members of its result, 3 a list in it, 4 a record of that list.
 */

#include "controlplane/ctl/reply.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_ANSWER 1u
#define DEPTH_RESULT 2u
#define DEPTH_LIST   3u
#define DEPTH_MAX    64u

static bool append(struct reply_buffer *b, char c, size_t max)
{
	if (b->size == b->room) {
		size_t room = b->room == 0 ? 1024 : b->room * 2;
		char *bytes = b->size >= max ? NULL : realloc(b->bytes, room);

		if (bytes == NULL)
			return false;
		b->bytes = bytes;
		b->room = room;
	}
	b->bytes[b->size++] = c;
	return true;
}

static bool record_end(struct reply *r)
{
	json_t *row = json_loadb(r->record.bytes, r->record.size, 0, NULL);

	if (row == NULL)
		return false;
	if (r->row != NULL)
		r->row(r->ctx, r->list, row);
	json_decref(row);
	r->in_record = false;
	r->record.size = 0;
	return true;
}

static void string_byte(struct reply *r, char c)
{
	if (r->escaped)
		r->escaped = false;
	else if (c == '\\')
		r->escaped = true;
	else if (c == '"') {
		r->in_string = false;
		r->text[r->text_len] = '\0';
		if (r->depth == DEPTH_ANSWER)
			strcpy(r->member, r->text);
		return;
	}
	/* Names are what matters; a longer text is cut. */
	if (r->text_len + 1 < sizeof(r->text))
		r->text[r->text_len++] = c;
}

static bool open_bracket(struct reply *r, char c)
{
	if (r->depth == DEPTH_RESULT && c == '[' && strcmp(r->member, "result") == 0)
		strcpy(r->list, r->text);
	else if (r->depth == DEPTH_ANSWER && c == '{' && strcmp(r->member, "result") == 0)
		r->echoing = r->echo != NULL;
	else if (r->depth == DEPTH_LIST && c == '{' && r->list[0] != '\0' && r->echo == NULL)
		r->in_record = true;
	r->depth++;
	return r->depth <= DEPTH_MAX;
}

/* False when the byte is out of place. Sets *keep when it belongs to the document without records. */
static bool plain_byte(struct reply *r, char c, bool *keep)
{
	/* Between the records of a list that is emptied stand commas that go with them. */
	*keep = !(r->depth == DEPTH_LIST && r->list[0] != '\0' && c == ',');
	switch (c) {
	case '"':
		r->in_string = true;
		r->text_len = 0;
		return true;
	case '{':
	case '[':
		return open_bracket(r, c);
	case '}':
	case ']':
		if (r->depth == 0)
			return false;
		r->depth--;
		if (r->depth == DEPTH_RESULT)
			r->list[0] = '\0';
		return true;
	default:
		return true;
	}
}

static bool byte(struct reply *r, char c)
{
	bool was_echoing = r->echoing;
	bool was_record = r->in_record;
	bool keep = true;

	if (r->in_string)
		string_byte(r, c);
	else if (!plain_byte(r, c, &keep))
		return false;
	if (r->echoing || was_echoing) {
		fputc(c, r->echo);
		if (r->depth == DEPTH_ANSWER && !r->in_string && c == '}') {
			r->echoing = false;
			r->echoed = true;
		}
		/* An empty object takes its place. */
		if (was_echoing && r->echoing)
			return true;
		return append(&r->shell, c, REPLY_SHELL_MAX);
	}
	if (r->in_record || was_record) {
		if (!append(&r->record, c, REPLY_ROW_MAX))
			return false;
		return r->depth > DEPTH_LIST || r->in_string || record_end(r);
	}
	return !keep || append(&r->shell, c, REPLY_SHELL_MAX);
}

enum reply_state reply_feed(struct reply *r, const char *bytes, size_t size)
{
	if (r->bad)
		return REPLY_BAD;
	for (size_t i = 0; i < size; i++) {
		if (bytes[i] == '\n' && r->depth == 0 && r->shell.size > 0) {
			r->document = json_loadb(r->shell.bytes, r->shell.size, 0, NULL);
			r->bad = !json_is_object(r->document);
			if (r->echoed && !r->bad)
				fputc('\n', r->echo);
			return r->bad ? REPLY_BAD : REPLY_END;
		}
		if (!byte(r, bytes[i])) {
			r->bad = true;
			return REPLY_BAD;
		}
	}
	return REPLY_MORE;
}

json_t *reply_document(const struct reply *r)
{
	return r->document;
}

void reply_fini(struct reply *r)
{
	free(r->shell.bytes);
	free(r->record.bytes);
	json_decref(r->document);
}
