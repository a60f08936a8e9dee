/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Heads go through the wire parser in small reads, bodies into one allocation of their announced and
 * checked size.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>

#include "controlplane/dialogue.h"
#include "controlplane/negotiation.h"
#include "drivers/session/wire/hello.h"
#include "drivers/session/wire/pack.h"

/* Less than the smallest PACK with a method, so that the read that ends a head never passes its body. */
#define HEAD_READ_BYTES 64u
#define BODY_READ_BYTES 16384u
/* A list of 4096 hubs (wire.md 12) is the longest answer. */
#define OUT_LIMIT_BYTES (2u << 20)

struct dialogue *dialogue_create(void)
{
	struct dialogue *d = calloc(1, sizeof(*d));

	if (d == NULL)
		return NULL;
	if (RAND_bytes(d->random, sizeof(d->random)) != 1) {
		free(d);
		errno = EIO;
		return NULL;
	}
	bytebuf_init(&d->out, OUT_LIMIT_BYTES);
	http_parser_init(&d->http);
	return d;
}

static void body_free(struct dialogue *d)
{
	if (d->body != NULL)
		explicit_bzero(d->body, d->body_bytes);
	free(d->body);
	d->body = NULL;
	d->body_len = d->body_bytes = 0;
	d->in_body = false;
}

void dialogue_destroy(struct dialogue *d)
{
	if (d == NULL)
		return;
	body_free(d);
	bytebuf_free(&d->out);
	explicit_bzero(d, sizeof(*d));
	free(d);
}

size_t dialogue_want(const struct dialogue *d)
{
	uint32_t left = d->body_bytes - d->body_len;

	if (!d->in_body)
		return HEAD_READ_BYTES;
	return left < BODY_READ_BYTES ? left : BODY_READ_BYTES;
}

bool dialogue_closes(const struct dialogue *d)
{
	return d->closes;
}

/* ---- answers --------------------------------------------------------------------------------- */

static void answer_begin(struct pack_writer *w, struct bytebuf *body)
{
	bytebuf_init(body, OUT_LIMIT_BYTES);
	pack_writer_init(w, body);
}

/* Pads, closes and wraps the PACK. */
static int answer_end(struct dialogue *d, struct pack_writer *w, struct bytebuf *body)
{
	uint8_t padding[2 + PACK_PADDING_MAX];
	int err;

	if (RAND_bytes(padding, sizeof(padding)) == 1)
		pack_add_padding(
			w, padding + 2, (padding[0] << 8 | padding[1]) % (PACK_PADDING_MAX + 1));
	err = pack_writer_finish(w);
	if (err == 0) {
		http_build_pack_response(&d->out, body->data, body->len, time(NULL));
		err = d->out.error;
	}
	bytebuf_free(body);
	return err;
}

static int answer_hello(struct dialogue *d)
{
	struct hello hello = {
		.server =
			{
				.name = NEGOTIATION_PRODUCT,
				.version = NEGOTIATION_WIRE_VERSION,
				.build = NEGOTIATION_WIRE_BUILD,
			},
	};
	struct pack_writer w;
	struct bytebuf body;

	memcpy(hello.random, d->random, sizeof(hello.random));
	answer_begin(&w, &body);
	hello_pack(&hello, &w);
	return answer_end(d, &w, &body);
}

static int answer_noop(struct dialogue *d)
{
	struct pack_writer w;
	struct bytebuf body;

	answer_begin(&w, &body);
	reply_noop_pack(&w);
	return answer_end(d, &w, &body);
}

int dialogue_answer_wait(struct dialogue *d)
{
	struct pack_writer w;
	struct bytebuf body;

	answer_begin(&w, &body);
	reply_wait_pack(&w);
	return answer_end(d, &w, &body);
}

int dialogue_answer_welcome(struct dialogue *d, const struct welcome *welcome)
{
	struct pack_writer w;
	struct bytebuf body;

	answer_begin(&w, &body);
	welcome_pack(welcome, &w);
	return answer_end(d, &w, &body);
}

int dialogue_answer_joined(struct dialogue *d, enum wire_direction direction)
{
	struct pack_writer w;
	struct bytebuf body;

	answer_begin(&w, &body);
	reply_additional_pack(&w, WIRE_ERROR_OK, direction);
	return answer_end(d, &w, &body);
}

int dialogue_answer_admin(struct dialogue *d)
{
	struct pack_writer w;
	struct bytebuf body;

	answer_begin(&w, &body);
	reply_admin_pack(&w, false);
	return answer_end(d, &w, &body);
}

int dialogue_answer_error(struct dialogue *d, enum wire_error error, bool no_save_password)
{
	struct pack_writer w;
	struct bytebuf body;

	d->phase = DIALOGUE_FAREWELL;
	answer_begin(&w, &body);
	reply_error_pack(&w, error, no_save_password);
	return answer_end(d, &w, &body);
}

int dialogue_answer_hubs(struct dialogue *d, const char *const *names, uint32_t cnt)
{
	struct pack_writer w;
	struct bytebuf body;

	d->phase = DIALOGUE_FAREWELL;
	answer_begin(&w, &body);
	reply_enum_hub_pack(&w, names, cnt);
	return answer_end(d, &w, &body);
}

/* ---- what the peer says ---------------------------------------------------------------------- */

static enum dialogue_event refuse(struct dialogue *d, enum wire_error error)
{
	d->refused = error;
	return dialogue_answer_error(d, error, false) == 0 ? DIALOGUE_REFUSED : DIALOGUE_NO_MEMORY;
}

static void next_head(struct dialogue *d)
{
	body_free(d);
	http_parser_init(&d->http);
	explicit_bzero(&d->api, sizeof(d->api));
}

void dialogue_next(struct dialogue *d)
{
	next_head(d);
}

/* An answer of the preamble that needs no more bytes. */
static enum dialogue_event preamble_event(struct dialogue *d, enum preamble_answer a)
{
	next_head(d);
	if (a == PREAMBLE_CLOSE)
		return DIALOGUE_TOO_MANY;
	if (a == PREAMBLE_SIGNATURE) {
		d->phase = DIALOGUE_METHOD;
		return answer_hello(d) == 0 ? DIALOGUE_HELLO : DIALOGUE_NO_MEMORY;
	}
	preamble_reply(&d->out, a, time(NULL));
	d->closes = preamble_closes(a);
	return d->out.error == 0 ? DIALOGUE_UNRELATED : DIALOGUE_NO_MEMORY;
}

static bool body_begin(struct dialogue *d, uint32_t bytes)
{
	body_free(d); /* a request's body outlives its answer */
	d->body = malloc(bytes);
	if (d->body == NULL)
		return false;
	d->body_bytes = bytes;
	d->body_len = 0;
	d->in_body = true;
	return true;
}

static enum dialogue_event head_done(struct dialogue *d)
{
	const struct http_head *h = &d->http.head;
	enum preamble_answer a;
	uint32_t body_bytes = 0;
	int64_t pack_bytes;

	if (d->phase == DIALOGUE_PREAMBLE) {
		a = preamble_head(&d->preamble, h, &body_bytes);
		if (a != PREAMBLE_NEED_BODY)
			return preamble_event(d, a);
		return body_begin(d, body_bytes) ? DIALOGUE_MORE : DIALOGUE_NO_MEMORY;
	}
	pack_bytes = http_check_pack_request(h);
	if (d->phase == DIALOGUE_FAREWELL && pack_bytes < 0)
		return DIALOGUE_DONE;
	if (pack_bytes < 0)
		return refuse(d, WIRE_ERROR_DISCONNECTED);
	return body_begin(d, (uint32_t)pack_bytes) ? DIALOGUE_MORE : DIALOGUE_NO_MEMORY;
}

static enum dialogue_event noop_event(struct dialogue *d)
{
	uint32_t kind = d->request.noop;

	next_head(d);
	if (++d->noops > LOGIN_NOOP_MAX)
		return refuse(d, WIRE_ERROR_PROTOCOL);
	/* 2 is itself an answer and wants none (wire.md 1.7). */
	if (kind == 1 && answer_noop(d) != 0)
		return DIALOGUE_NO_MEMORY;
	return DIALOGUE_NOOP;
}

static enum dialogue_event method_done(struct dialogue *d)
{
	struct pack_element index[PACK_LOGIN_ELEMENTS];
	struct pack pack;
	enum wire_error error;

	if (pack_parse(&pack, d->body, d->body_bytes, &pack_limits_login, index,
		    PACK_LOGIN_ELEMENTS) != 0)
		return refuse(d, WIRE_ERROR_DISCONNECTED);
	error = login_request_unpack(&d->request, &pack);
	if (error != WIRE_ERROR_OK)
		return refuse(d, error);
	if (d->request.method == LOGIN_METHOD_NOOP)
		return noop_event(d);
	return DIALOGUE_REQUEST;
}

static enum dialogue_event body_done(struct dialogue *d)
{
	/* The bytes stay for now: the head is judged with them, a request's certificate points there. */
	d->in_body = false;
	switch (d->phase) {
	case DIALOGUE_PREAMBLE:
		if (preamble_is_api(&d->http.head))
			return DIALOGUE_API;
		return preamble_event(d, preamble_body(&d->http.head, d->body, d->body_bytes));
	case DIALOGUE_METHOD:
		http_parser_init(&d->http);
		return method_done(d);
	case DIALOGUE_FAREWELL:
		break;
	}
	return DIALOGUE_DONE;
}

/* Headers matter to the JSON API alone, which is asked before the signature. */
static enum http_event parse_head(
	struct dialogue *d, const uint8_t *bytes, size_t len, size_t *consumed)
{
	enum http_event ev;
	size_t n;

	if (d->phase != DIALOGUE_PREAMBLE)
		return http_parse_head(&d->http, bytes, len, consumed);
	do {
		ev = http_parse(&d->http, bytes + *consumed, len - *consumed, &n);
		*consumed += n;
		if (ev == HTTP_HEADER)
			api_auth_header(&d->api, d->http.name, d->http.value);
	} while (ev == HTTP_HEADER);
	return ev;
}

enum dialogue_event dialogue_feed(
	struct dialogue *d, const uint8_t *bytes, size_t len, size_t *consumed)
{
	enum dialogue_event ev;
	size_t n;

	*consumed = 0;
	if (!d->in_body) {
		switch (parse_head(d, bytes, len, consumed)) {
		case HTTP_HEAD_DONE:
			break;
		case HTTP_BAD:
			return d->phase == DIALOGUE_FAREWELL ? DIALOGUE_DONE : DIALOGUE_MALFORMED;
		default:
			return DIALOGUE_MORE;
		}
		/* Only a head with a body to come goes on; whatever else it was has been answered. */
		ev = head_done(d);
		if (ev != DIALOGUE_MORE)
			return ev;
	}
	n = d->body_bytes - d->body_len;
	if (n > len - *consumed)
		n = len - *consumed;
	memcpy(d->body + d->body_len, bytes + *consumed, n);
	d->body_len += n;
	*consumed += n;
	return d->body_len < d->body_bytes ? DIALOGUE_MORE : body_done(d);
}
