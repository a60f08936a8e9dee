/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * JSON-RPC 2.0 over HTTPS at /api/ (admin-rpc.md 10): requests of HTTP/1.1, each with its credentials, each with
 * one JSON document; the answer is written while it is made, in chunks when it is long.
 */

#include <event2/buffer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/admin/admin.h"
#include "controlplane/admin/api_auth.h"
#include "controlplane/admin/remote.h"
#include "controlplane/admin/rpc.h"
#include "drivers/session/wire/http.h"
#include "drivers/session/wire/preamble.h"

#define API_IDLE_S  60
#define SHORT_BYTES 16384u /* an answer up to this goes with its length */

struct api {
	struct rpc rpc;
	struct evbuffer *body; /* made, and not yet in the output */
	bool streaming;	       /* the answer's head has left */
	bool http10;
	bool close;
};

static void *api_open(void)
{
	struct api *a = calloc(1, sizeof(*a));

	if (a == NULL)
		return NULL;
	a->body = evbuffer_new();
	if (a->body == NULL) {
		free(a);
		return NULL;
	}
	return a;
}

static void api_close(void *state)
{
	struct api *a = state;

	rpc_end(&a->rpc);
	evbuffer_free(a->body);
	free(a);
}

static void head(const struct api *a, struct evbuffer *out, const char *length)
{
	evbuffer_add_printf(out,
		"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nConnection: %s\r\n"
		"Content-Type: application/json; charset=utf-8\r\n%s"
		"X-Content-Type-Options: nosniff\r\n\r\n",
		a->close ? "close" : "Keep-Alive", length);
}

/* Moves what was made into the output; `done`: there is no more of it. */
static void put(struct api *a, struct evbuffer *out, bool done)
{
	size_t len = evbuffer_get_length(a->body);
	char length[64];

	if (!a->streaming && !done && len < SHORT_BYTES)
		return;
	if (!a->streaming) {
		snprintf(length, sizeof(length), "Content-Length: %zu\r\n", len);
		head(a, out, done ? length : a->http10 ? "" : "Transfer-Encoding: chunked\r\n");
		a->streaming = !done;
		if (done) {
			evbuffer_add_buffer(out, a->body);
			return;
		}
	}
	if (a->http10) {
		evbuffer_add_buffer(out, a->body);
		return;
	}
	if (len > 0) {
		evbuffer_add_printf(out, "%zx\r\n", len);
		evbuffer_add_buffer(out, a->body);
		evbuffer_add(out, "\r\n", 2);
	}
	if (done)
		evbuffer_add(out, "0\r\n\r\n", 5);
}

static int go_on(struct api *a, int rc, struct evbuffer *out)
{
	put(a, out, rc == ADMIN_DONE);
	if (rc != ADMIN_DONE)
		return rc;
	a->streaming = false;
	return a->close ? REMOTE_CLOSE : ADMIN_DONE;
}

static int refuse(struct evbuffer *out, unsigned status)
{
	const char *answer = api_auth_answer(status);

	evbuffer_add(out, answer, strlen(answer));
	return REMOTE_CLOSE;
}

/* The credentials of each request have to be those the connection was let in with. */
static bool same(const struct admin_who *who, const struct api_auth *auth)
{
	struct admin_who now;
	const char *reason;
	bool ok = auth->given && !auth->wrong && !api_auth_foreign(auth) &&
		strcasecmp(auth->hub, who->hub) == 0 &&
		admin_who_by_password(&now, auth->hub, auth->password, &reason) == WIRE_ERROR_OK;

	explicit_bzero(&now, sizeof(now));
	return ok;
}

/* 0: the head is whole, *taken its length; REMOTE_MORE_INPUT; REMOTE_CLOSE. */
static int parse_head(struct http_parser *http, struct api_auth *auth, const uint8_t *in,
	size_t len, size_t *taken)
{
	enum http_event ev;
	size_t n;

	http_parser_init(http);
	*taken = 0;
	do {
		ev = http_parse(http, in + *taken, len - *taken, &n);
		*taken += n;
		if (ev == HTTP_HEADER)
			api_auth_header(auth, http->name, http->value);
	} while (ev == HTTP_HEADER);
	return ev == HTTP_HEAD_DONE ? 0 : ev == HTTP_MORE ? REMOTE_MORE_INPUT : REMOTE_CLOSE;
}

static int api_request(struct api *a, const struct admin_who *who, struct http_parser *http,
	struct api_auth *auth, const uint8_t *in, size_t len, size_t *taken, struct evbuffer *out)
{
	const struct http_head *h = &http->head;
	size_t head_bytes;
	int rc = parse_head(http, auth, in, len, &head_bytes);

	if (rc != 0)
		return rc;
	if (!preamble_is_api(h))
		return refuse(out, 404);
	if (!h->has_content_length || auth->chunked || h->content_length > API_BODY_MAX)
		return refuse(out, 411);
	if (len - head_bytes < h->content_length)
		return REMOTE_MORE_INPUT;
	if (!same(who, auth))
		return refuse(out, 401);
	*taken = head_bytes + h->content_length;
	a->http10 = strcasecmp(h->third, "HTTP/1.0") == 0;
	a->close = auth->close || a->http10;
	return go_on(a,
		rpc_begin(&a->rpc, (const char *)in + head_bytes, h->content_length, &who->caller,
			a->body),
		out);
}

static int api_input(void *state, const struct admin_who *who, const uint8_t *in, size_t len,
	size_t *taken, struct evbuffer *out)
{
	static struct http_parser http; /* control thread */
	struct api_auth auth = {0};
	int rc = api_request(state, who, &http, &auth, in, len, taken, out);

	explicit_bzero(&auth, sizeof(auth));
	explicit_bzero(&http, sizeof(http));
	return rc;
}

static int api_step(void *state, struct evbuffer *out)
{
	struct api *a = state;

	return go_on(a, rpc_step(&a->rpc, ADMIN_SLICE_ROWS, ADMIN_OUTPUT_MAX), out);
}

const struct remote_protocol remote_api = {
	.kind = "api",
	.input_max = HTTP_HEAD_MAX + API_BODY_MAX,
	.idle_s = API_IDLE_S,
	.open = api_open,
	.close = api_close,
	.input = api_input,
	.step = api_step,
};
