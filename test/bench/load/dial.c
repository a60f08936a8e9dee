/* SPDX-License-Identifier: BSD-3-Clause */
/* See dial.h. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "drivers/session/wire/hello.h"
#include "drivers/session/wire/http.h"
#include "drivers/session/wire/login.h"
#include "drivers/session/wire/sha0.h"
#include "drivers/session/wire/wire_error.h"
#include "test/bench/load/dial.h"
#include "test/bench/load/udp.h"

#define ANSWER_BYTES 65536u /* of hello and welcome, which are a few KiB */

enum dial_state {
	DIAL_TLS,
	DIAL_HELLO,  /* signature sent */
	DIAL_ANSWER, /* login or additional_connect sent */
};

struct dial {
	struct watch watch;
	struct peer *peer;
	struct stream *stream;
	enum dial_state state;
	bool connected;
	size_t len;
	uint8_t buf[ANSWER_BYTES + STREAM_RECORD_BYTES];
};

static void dial_free(struct load *l, struct dial *d)
{
	l->dials--;
	free(d);
}

static void dial_failed(struct load *l, struct dial *d, const char *why)
{
	load_failed(l, d->peer->logged_in ? "additional connection" : "login", why);
	load_unwatch(l, stream_fd(d->stream));
	stream_shutdown(d->stream, l->io);
	(void)stream_send(d->stream, l->io);
	stream_close(d->stream);
	dial_free(l, d);
}

/* ---- messages -------------------------------------------------------------------------------- */

static void send_buf(struct load *l, struct dial *d, struct bytebuf *b)
{
	if (b->error == 0)
		(void)stream_write(
			d->stream, l->io, b->data, b->len); /* fails: the server says so */
}

static void signature_send(struct load *l, struct dial *d)
{
	uint8_t span[512];
	struct bytebuf b;

	bytebuf_init_fixed(&b, span, sizeof(span));
	http_build_signature(&b, "server");
	send_buf(l, d, &b);
	d->state = DIAL_HELLO;
}

static void request_fill(
	struct load *l, struct dial *d, struct login_request *r, const struct hello *h)
{
	const struct options *opt = l->opt;
	uint8_t hash[SHA0_BYTES];

	*r = (struct login_request){.method = LOGIN_METHOD_LOGIN,
		.client = {.name = "Patchbay load generator, VPN Client",
			.version = 501,
			.build = 9674},
		.max_connection = opt->connections,
		.use_encrypt = opt->encrypt,
		.use_compress = opt->compress};
	if (d->peer->logged_in) {
		r->method = LOGIN_METHOD_ADDITIONAL_CONNECT;
		memcpy(r->session_key, d->peer->session_key, sizeof(r->session_key));
		return;
	}
	snprintf(r->hubname, sizeof(r->hubname), "%s", opt->hub);
	snprintf(r->username, sizeof(r->username), "%s", opt->user);
	if (opt->udp != 0)
		(void)udp_offer(l, d->peer, &r->udp); /* without a socket: found missing later */
	if (opt->password != NULL) {
		r->authtype = LOGIN_AUTH_PASSWORD;
		r->has_secure_password = true;
		sha0_password_hash(opt->password, opt->user, hash);
		sha0_secure_password(hash, h->random, r->secure_password);
	}
}

static void login_send(struct load *l, struct dial *d, const struct hello *h)
{
	uint8_t pack[8192], span[10240];
	struct bytebuf body, b;
	struct login_request r;
	struct pack_writer w;

	request_fill(l, d, &r, h);
	bytebuf_init_fixed(&body, pack, sizeof(pack));
	pack_writer_init(&w, &body);
	login_request_pack(&r, &w);
	(void)pack_writer_finish(&w); /* fixed content that fits */
	bytebuf_init_fixed(&b, span, sizeof(span));
	http_build_pack_request(&b, "server", body.data, body.len, 0);
	send_buf(l, d, &b);
	d->state = DIAL_ANSWER;
}

/* ---- the end --------------------------------------------------------------------------------- */

static void data_phase(
	struct load *l, struct dial *d, enum wire_direction direction, size_t consumed)
{
	if (!d->peer->encrypt && stream_go_raw(d->stream) != 0) {
		dial_failed(l, d, "bytes behind the answer inside TLS, although encryption is off");
		return;
	}
	peer_member(l, d->peer, d->stream, direction, d->buf + consumed, d->len - consumed);
	dial_free(l, d);
}

static void welcome(struct load *l, struct dial *d, const struct pack *pack, size_t consumed)
{
	struct peer *p = d->peer;
	enum wire_direction direction = WIRE_DIRECTION_BOTH;
	struct welcome w;
	uint32_t error = 0;

	if (p->logged_in) {
		error = reply_additional_unpack(pack, &direction);
	} else if (login_reply_unpack(pack, &w, NULL, &error) == LOGIN_REPLY_WELCOME) {
		welcome_limit(&w, l->opt->connections);
		p->logged_in = true;
		p->granted = w.max_connection;
		p->encrypt = w.use_encrypt;
		p->compress = w.use_compress;
		memcpy(p->session_key, w.session_key, sizeof(p->session_key));
		l->sessions++;
		(void)udp_answer(l, p, &w.udp); /* refused: likewise */
		if (l->cipher[0] == '\0')
			snprintf(l->cipher, sizeof(l->cipher), "%s",
				SSL_get_cipher(stream_ssl(d->stream)));
		error = WIRE_ERROR_OK;
	} else if (error == WIRE_ERROR_OK) {
		error = WIRE_ERROR_PROTOCOL;
	}
	if (error != WIRE_ERROR_OK)
		dial_failed(l, d, wire_error_text(error));
	else
		data_phase(l, d, direction, consumed);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* Looks whether a whole answer stands in the buffer. 0 and the PACK, -EAGAIN, -EPROTO. */
static int answer_parse(
	struct dial *d, struct pack *pack, struct pack_element *index, size_t *consumed)
{
	struct http_parser http;
	int64_t body;
	size_t head;

	http_parser_init(&http);
	switch (http_parse_head(&http, d->buf, d->len, &head)) {
	case HTTP_HEAD_DONE:
		break;
	case HTTP_BAD:
		return -EPROTO;
	default:
		return -EAGAIN;
	}
	body = http_check_pack_response(&http.head, ANSWER_BYTES / 2);
	if (body < 0)
		return -EPROTO;
	if (d->len - head < (size_t)body)
		return -EAGAIN;
	*consumed = head + (size_t)body;
	return pack_parse(pack, d->buf + head, (size_t)body, &pack_limits_login, index,
		       PACK_LOGIN_ELEMENTS) == 0
		? 0
		: -EPROTO;
}

/* True while the dial lives. */
static bool answer_take(struct load *l, struct dial *d)
{
	struct pack_element index[PACK_LOGIN_ELEMENTS];
	struct hello hello;
	struct pack pack;
	enum wire_error error;
	size_t consumed;
	int err = answer_parse(d, &pack, index, &consumed);

	if (err == -EAGAIN)
		return true;
	if (err != 0) {
		dial_failed(l, d, "the answer is not of this protocol");
		return false;
	}
	if (d->state == DIAL_ANSWER) {
		welcome(l, d, &pack, consumed);
		return false;
	}
	error = hello_unpack(&hello, &pack);
	if (error != WIRE_ERROR_OK) {
		dial_failed(l, d, wire_error_text(error));
		return false;
	}
	d->len = 0;
	login_send(l, d, &hello);
	return true;
}

/* ---- events ---------------------------------------------------------------------------------- */

/* True while the dial lives. */
static bool receive(struct load *l, struct dial *d)
{
	ssize_t filled = stream_fill(d->stream, l->io), n;

	if (d->state == DIAL_TLS) {
		int err = stream_handshake(d->stream, l->io);

		if (err == 0) {
			signature_send(l, d);
		} else if (err != -EAGAIN || filled == 0) {
			dial_failed(l, d, "the TLS handshake failed");
			return false;
		}
	}
	while (d->state != DIAL_TLS && d->len <= ANSWER_BYTES) {
		n = stream_read(d->stream, l->io, d->buf + d->len, STREAM_RECORD_BYTES);
		if (n <= 0) {
			if (n == -EAGAIN)
				break;
			dial_failed(
				l, d, n == 0 ? "the server closed the connection" : "TLS error");
			return false;
		}
		d->len += (size_t)n;
		if (!answer_take(l, d))
			return false;
	}
	if (filled == 0 || (filled < 0 && filled != -EAGAIN)) {
		dial_failed(l, d, "the connection ended");
		return false;
	}
	return true;
}

static void dial_ready(struct load *l, struct watch *w, uint32_t events)
{
	struct dial *d = (struct dial *)w;
	ssize_t left;

	if (!d->connected && events & EPOLLOUT) {
		d->connected = true;
		(void)stream_handshake(d->stream, l->io); /* makes the ClientHello */
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP) && !receive(l, d))
		return;
	left = stream_send(d->stream, l->io);
	if (left < 0 || stream_park(d->stream, l->io) != 0) {
		dial_failed(l, d, "the connection broke");
		return;
	}
	load_watch_change(
		l, stream_fd(d->stream), &d->watch, left > 0 ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

void dial_start(struct load *l, struct peer *p)
{
	const struct options *opt = l->opt;
	int fd = socket(opt->server.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct dial *d = malloc(sizeof(*d));

	if (fd < 0 || d == NULL ||
		(connect(fd, (const struct sockaddr *)&opt->server, opt->server_len) != 0 &&
			errno != EINPROGRESS)) {
		load_failed(l, "connect", strerror(errno));
		free(d);
		if (fd >= 0)
			close(fd);
		return;
	}
	d->watch.ready = dial_ready;
	d->peer = p;
	d->state = DIAL_TLS;
	d->connected = false;
	d->len = 0;
	d->stream = stream_tls_connect(l->ctx, fd, NULL);
	if (d->stream == NULL) {
		load_failed(l, "connect", "no memory for TLS");
		free(d);
		return;
	}
	l->dials++;
	load_watch(l, fd, &d->watch, EPOLLIN | EPOLLOUT);
}
