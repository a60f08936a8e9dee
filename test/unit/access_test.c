/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From TCP to a worker's hands, over a real socket with a real TLS client: what each kind of peer gets, and that nothing is
 * lost or let through on the way. (What it may cost, and administrators: access_limits_test.c.)
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/access.h"
#include "controlplane/linger.h"
#include "controlplane/listener.h"
#include "controlplane/negotiation.h"
#include "controlplane/registry.h"
#include "drivers/session/stream.h"
#include "drivers/session/wire/http.h"
#include "drivers/session/wire/reply.h"
#include "test/unit/front.h"

/* ---- login ----------------------------------------------------------------------------------- */

static void login_gives_a_session(void **)
{
	struct welcome w;
	struct vpn_session *vs;
	struct connection *c;

	assert_int_equal(client_login(&alice, &front, "Alice", "secret", &w), 0);
	assert_string_equal(w.session_name, "SID-ALICE-1");
	assert_int_equal(w.max_connection, 8);
	assert_int_equal(w.timeout_ms, 20000);
	assert_true(w.use_encrypt);
	assert_false(w.use_compress || w.half_connection || w.qos);
	assert_int_equal(w.policy.access, 1);
	/* Both ends are this host (wire.md 4.2.1). */
	assert_int_equal(w.policy.no_bridge, 0);
	assert_int_equal(w.policy.no_routing, 0);

	assert_non_null(fake_last);
	assert_true(fake_last->opened);
	assert_int_equal(fake_last->conf.max_connections, 8);
	assert_int_equal(registry_session_cnt(), 1);
	assert_int_equal(front.hub->session_cnt, 1);
	vs = registry_session_by_key(w.session_key);
	assert_non_null(vs);
	assert_ptr_equal(vs, registry_session_find(front.hub, "sid-alice-1"));
	assert_ptr_equal(vs, registry_session_by_port(session_port_idx(vs->session)));
	assert_string_equal(vs->user, "alice");
	assert_string_equal(vs->client_product, "Test VPN Client");
	c = TAILQ_FIRST(&vs->connections);
	assert_string_equal(c->name, w.connection_name);
	assert_int_equal(c->state, CONNECTION_ESTABLISHED);
	assert_int_equal(listener_counters.login_ok, 1);
	assert_int_equal(negotiation_cnt(), 0);

	fake_session_finish(fake_last, SESSION_END_ADMIN);
	assert_int_equal(registry_session_cnt(), 0);
	assert_int_equal(front.hub->session_cnt, 0);
	assert_null(registry_session_by_key(w.session_key));
	front_wait(client_dismissed(&alice));
	client_close(&alice);
	front_wait(access_quiet());
	assert_int_equal(linger_counters.peer_closed, 1);

	/* The number never goes back. */
	assert_int_equal(client_login(&alice, &front, "guest", "whatever", &w), 0);
	assert_string_equal(w.session_name, "SID-GUEST-2");
	client_close(&alice);
}

/* A connection, and the request on it. */
static void ask(struct client *c, const struct login_request *r)
{
	client_connect(c, &front);
	client_hello(c);
	client_request(c, r);
}

static void expect_refusal(const struct login_request *r, uint32_t error)
{
	client_login_refused(&alice, r, error);
}

static void begin(struct login_request *r, const char *hub, const char *user, const char *password)
{
	client_login_begin(&alice, &front, r, hub, user, password);
}

/* The answer to a login is a welcome. */
static void take_welcome(struct welcome *w)
{
	uint32_t error = 0;
	struct pack p;

	client_pack(&alice, &p);
	assert_int_equal(login_reply_unpack(&p, w, NULL, &error), LOGIN_REPLY_WELCOME);
}

static void refusals_have_their_codes(void **)
{
	static const uint32_t types[] = {4, 95, 96, 97, 98, 99, 100, UINT32_MAX};
	struct login_request r;
	struct directory_user *late;

	begin(&r, "NONE", "alice", "secret");
	expect_refusal(&r, WIRE_ERROR_HUB_NOT_FOUND);
	begin(&r, "DEFAULT", "alice", "wrong");
	expect_refusal(&r, WIRE_ERROR_AUTH_FAILED);
	begin(&r, "DEFAULT", "nobody", "secret");
	expect_refusal(&r, WIRE_ERROR_AUTH_FAILED);
	begin(&r, "DEFAULT", "alice", "secret");
	r.authtype = LOGIN_AUTH_ANONYMOUS;
	expect_refusal(&r, WIRE_ERROR_AUTH_FAILED);
	/* A certificate is asked for, and there is none. */
	begin(&r, "DEFAULT", "alice", "secret");
	r.authtype = LOGIN_AUTH_CERT;
	expect_refusal(&r, WIRE_ERROR_AUTH_FAILED);
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		begin(&r, "DEFAULT", "alice", "secret");
		r.authtype = types[i];
		r.has_ticket = true;
		expect_refusal(&r, WIRE_ERROR_AUTH_TYPE);
	}
	begin(&r, "DEFAULT", "alice", "secret");
	r.require_monitor_mode = true;
	expect_refusal(&r, WIRE_ERROR_MONITOR_DENIED);

	front.hub->online = false;
	begin(&r, "DEFAULT", "alice", "wrong");
	expect_refusal(&r, WIRE_ERROR_HUB_OFFLINE);
	front.hub->online = true;

	assert_int_equal(directory_user_create(front.hub, "late", &late), 0);
	late->auth = DIRECTORY_AUTH_ANONYMOUS;
	late->expires_ms = 1;
	begin(&r, "DEFAULT", "late", "");
	expect_refusal(&r, WIRE_ERROR_ACCESS_DENIED);

	fake_create_error = -ENOSPC;
	begin(&r, "DEFAULT", "alice", "secret");
	expect_refusal(&r, WIRE_ERROR_TOO_MANY_SESSIONS);
	fake_create_error = -ENOMEM;
	begin(&r, "DEFAULT", "alice", "secret");
	expect_refusal(&r, WIRE_ERROR_INTERNAL);
}

static void sessions_are_limited(void **)
{
	struct welcome w;

	front.hub->max_sessions = 1;
	assert_int_equal(client_login(&alice, &front, "alice", "secret", &w), 0);
	assert_int_equal(client_login(&bob, &front, "guest", "", &w), WIRE_ERROR_TOO_MANY_SESSIONS);
	client_close(&bob);
	front.hub->max_sessions = 0;
	front.config.sessions_max = 1;
	assert_int_equal(client_login(&bob, &front, "guest", "", &w), WIRE_ERROR_TOO_MANY_SESSIONS);
	client_close(&bob);
	client_close(&alice);
}

/* Frames and keep-alives that a hasty client sends behind its login reach the worker, whole. */
static void bytes_behind_the_login_stay_in_the_stream(void **)
{
	static const uint8_t behind[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3, 'a', 'b', 'c'};
	struct login_request r;
	struct bytebuf http;
	struct stream_io *io = stream_io_create();
	uint8_t got[64];

	begin(&r, "DEFAULT", "alice", "secret");
	client_request_write(&r, &http);
	bytebuf_append(&http, behind, sizeof(behind));
	tls_peer_write(&alice.tls, http.data, http.len); /* one record */
	tls_peer_write(&alice.tls, behind, sizeof(behind));
	front_wait(fake_last != NULL && fake_last->opened);
	assert_int_equal(stream_read(fake_last->streams[0], io, got, sizeof(got)), sizeof(behind));
	assert_memory_equal(got, behind, sizeof(behind));
	(void)stream_fill(fake_last->streams[0], io); /* the worker reads once unconditionally */
	assert_int_equal(stream_read(fake_last->streams[0], io, got, sizeof(got)), sizeof(behind));
	assert_int_equal(stream_park(fake_last->streams[0], io), 0);
	stream_io_destroy(io);
	bytebuf_free(&http);
	client_close(&alice);
}

/* No encryption: the bytes of one segment behind the login's record are data (wire.md 6.6). */
static void raw_bytes_behind_the_login(void **)
{
	static const uint8_t behind[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3, 'a', 'b', 'c'};
	static uint8_t wire[70000];
	struct stream_io *io = stream_io_create();
	struct bytebuf http;
	struct login_request r;
	struct welcome w;
	uint8_t got[64];
	size_t n;

	begin(&r, "DEFAULT", "alice", "secret");
	r.use_encrypt = false;
	client_request_write(&r, &http);
	n = tls_peer_capture(&alice.tls, http.data, http.len, wire, sizeof(wire));
	memcpy(wire + n, behind, sizeof(behind));
	tls_peer_inject(&alice.tls, wire, n + sizeof(behind));
	take_welcome(&w);
	assert_false(w.use_encrypt);
	front_wait(fake_last != NULL && fake_last->opened);
	assert_null(stream_ssl(fake_last->streams[0]));
	assert_int_equal(stream_read(fake_last->streams[0], io, got, sizeof(got)), sizeof(behind));
	assert_memory_equal(got, behind, sizeof(behind));
	assert_int_equal(stream_park(fake_last->streams[0], io), 0);
	stream_io_destroy(io);
	bytebuf_free(&http);
	client_close(&alice);
}

static void tls12_too(void **)
{
	struct login_request r;
	struct welcome w;

	client_open(&alice, &front, TLS1_2_VERSION);
	front_wait(tls_peer_handshake(&alice.tls) == 1);
	client_hello(&alice);
	client_login_request(&alice, &r, "default", "ALICE", "secret");
	client_request(&alice, &r);
	take_welcome(&w);
	assert_false(SSL_session_reused(alice.tls.ssl));
	client_close(&alice);
}

static void byte_by_byte(void **)
{
	static const char signature[] =
		"POST /vpnsvc/connect.cgi HTTP/1.1\r\nContent-Length: 10\r\n\r\nVPNCONNECT";
	struct pack p;
	struct hello hello;

	client_connect(&alice, &front);
	for (const char *at = signature; *at != '\0'; at++) {
		tls_peer_write(&alice.tls, at, 1);
		front_turn();
	}
	client_pack(&alice, &p);
	assert_int_equal(hello_unpack(&hello, &p), WIRE_ERROR_OK);
	client_close(&alice);
}

/* ---- other methods --------------------------------------------------------------------------- */

static void additional_connections(void **)
{
	static struct client more[3];
	struct login_request r = {.method = LOGIN_METHOD_ADDITIONAL_CONNECT};
	enum wire_direction direction = WIRE_DIRECTION_TO_CLIENT;
	struct welcome w;
	struct session *s;
	struct pack p;

	front.config.session_connections = 1;
	ask(&bob, &r);
	assert_int_equal(client_error(&bob), WIRE_ERROR_SESSION_GONE);
	client_close(&bob);

	assert_int_equal(client_login(&alice, &front, "alice", "secret", &w), 0);
	s = fake_last;
	memcpy(r.session_key, w.session_key, sizeof(r.session_key));
	/* Granted one, one more is tolerated, the next refused (wire.md 5.4). */
	ask(&more[0], &r);
	client_pack(&more[0], &p);
	assert_int_equal(reply_additional_unpack(&p, &direction), WIRE_ERROR_OK);
	assert_int_equal(direction, WIRE_DIRECTION_BOTH);
	assert_int_equal(s->cnt, 2);
	ask(&more[1], &r);
	assert_int_equal(client_error(&more[1]), WIRE_ERROR_TOO_MANY_CONNECTIONS);

	/* Without any connection the session lives, and is rejoined. */
	while (s->cnt > 0)
		session_connection_close(s, s->ids[0], SESSION_END_RESET);
	assert_int_equal(registry_session_cnt(), 1);
	client_connect(&more[2], &front);
	client_hello(&more[2]);
	fake_add_error = -EAGAIN; /* no room on the worker's ring: told so, and tried again */
	client_request(&more[2], &r);
	assert_int_equal(client_error(&more[2]), WIRE_ERROR_INTERNAL);
	client_close(&more[2]);
	fake_add_error = 0;
	ask(&more[2], &r);
	client_pack(&more[2], &p);
	assert_int_equal(reply_additional_unpack(&p, &direction), WIRE_ERROR_OK);
	assert_int_equal(s->cnt, 1);
	assert_int_equal(s->places, 0);

	/* Once it is to end, it is gone for peers, though the worker has not answered yet. */
	assert_int_equal(registry_session_delete(front.hub, "SID-ALICE-1"), 0);
	assert_true(s->end_asked);
	ask(&bob, &r);
	assert_int_equal(client_error(&bob), WIRE_ERROR_SESSION_GONE);
	assert_int_equal(listener_counters.additional_ok, 2);
	client_close(&bob);
	client_close(&alice);
	for (unsigned i = 0; i < 3; i++)
		client_close(&more[i]);
}

/* The smaller of wish and limit is granted, that many and one more get in, then the door is shut. */
static void as_many_connections_as_granted(void **)
{
	static struct client more[8];
	struct login_request r;
	struct session *s;
	struct welcome w;
	struct pack p;
	uint32_t error = 0;
	unsigned cnt = 0;

	front.config.session_connections = 4;
	begin(&r, "DEFAULT", "alice", "secret");
	r.max_connection = 32;
	client_request(&alice, &r);
	take_welcome(&w);
	assert_int_equal(w.max_connection, 4);
	s = fake_last;
	assert_int_equal(s->conf.max_connections, 4);
	r = (struct login_request){.method = LOGIN_METHOD_ADDITIONAL_CONNECT};
	memcpy(r.session_key, w.session_key, sizeof(r.session_key));
	for (error = 0; error == 0; cnt++) {
		enum wire_direction direction;

		assert_true(cnt < 8);
		ask(&more[cnt], &r);
		client_pack(&more[cnt], &p);
		error = reply_additional_unpack(&p, &direction);
	}
	assert_int_equal(error, WIRE_ERROR_TOO_MANY_CONNECTIONS);
	assert_int_equal(s->cnt, 5);
	assert_int_equal(s->places, 0);
	front.config.session_connections = 32;
	client_close(&alice);
	while (cnt > 0)
		client_close(&more[--cnt]);
}

/* 2, 1, 1, 2, 1, 2, ...; a direction that died is what comes next (wire.md 5.3). */
static void directions_of_half_duplex(void **)
{
	static const enum wire_direction expected[] = {1, 1, 2, 1, 2, 1, 2};
	static struct client more[8];
	enum wire_direction direction;
	struct login_request r;
	struct session *s;
	struct welcome w;
	struct pack p;

	begin(&r, "DEFAULT", "alice", "secret");
	r.max_connection = 1;
	r.half_connection = true;
	client_request(&alice, &r);
	take_welcome(&w);
	assert_int_equal(w.max_connection, 2);
	assert_true(w.half_connection);
	assert_true(fake_last->conf.half_duplex);
	fake_session_finish(fake_last, SESSION_END_ADMIN);
	client_close(&alice);

	begin(&r, "DEFAULT", "alice", "secret");
	r.max_connection = 7;
	r.half_connection = true;
	client_request(&alice, &r);
	take_welcome(&w);
	assert_int_equal(w.max_connection, 7);
	s = fake_last;
	r = (struct login_request){.method = LOGIN_METHOD_ADDITIONAL_CONNECT};
	memcpy(r.session_key, w.session_key, sizeof(r.session_key));
	for (unsigned i = 0; i < 8; i++) {
		if (i == 7) { /* both ways in but one are gone */
			(void)session_connection_close(s, s->ids[5], SESSION_END_RESET);
			(void)session_connection_close(s, s->ids[3], SESSION_END_RESET);
		}
		ask(&more[i], &r);
		client_pack(&more[i], &p);
		assert_int_equal(reply_additional_unpack(&p, &direction), WIRE_ERROR_OK);
		assert_int_equal(direction, i == 7 ? 2 : expected[i]);
		assert_int_equal(s->directions[s->cnt - 1], direction);
	}
	client_close(&alice);
	for (unsigned i = 0; i < 8; i++)
		client_close(&more[i]);
}

static void hub_list(void **)
{
	struct login_request r = {.method = LOGIN_METHOD_ENUM_HUB};
	struct directory_hub *hidden, *other;
	struct pack p;

	assert_int_equal(directory_hub_create("HIDDEN", &hidden), 0);
	hidden->no_enum = true;
	assert_int_equal(directory_hub_create("OTHER", &other), 0);
	ask(&alice, &r);
	client_pack(&alice, &p);
	assert_int_equal(pack_count(&p, "HubName", PACK_STR), 2);
	assert_int_equal(pack_get_int(&p, "NumHub"), 2);
	assert_memory_equal(pack_get_str_at(&p, "HubName", 1).data, "OTHER", 5);
	assert_int_equal(listener_counters.enum_hub, 1);
	client_close(&alice);
	front_wait(access_quiet());
	/* Said all it wanted: not "left before login". */
	assert_int_equal(listener_counters.peer_closed, 0);
}

static void noops_and_methods_not_served(void **)
{
	struct login_request r = {.method = LOGIN_METHOD_PASSWORD};
	static const char head[] = "POST /vpnsvc/vpn.cgi HTTP/1.1\r\nContent-Type: "
				   "application/octet-stream\r\nContent-Length: 50\r\n\r\n";
	struct bytebuf b;
	struct pack_writer w;
	struct pack p;

	bytebuf_init(&b, 4096);
	pack_writer_init(&w, &b);
	pack_add_int(&w, "error", 0);
	pack_add_int(&w, "noop", 1);
	assert_int_equal(pack_writer_finish(&w), 0);
	assert_int_equal(b.len, 45);
	bytebuf_append(&b, "extra", 5); /* bytes behind the last element are ignored */
	client_connect(&alice, &front);
	client_hello(&alice);
	for (int i = 0; i < LOGIN_NOOP_MAX; i++) {
		client_text(&alice, head);
		tls_peer_write(&alice.tls, b.data, b.len);
		client_pack(&alice, &p);
		assert_int_equal(pack_get_int(&p, "noop"), 1);
	}
	client_request(&alice, &r);
	assert_int_equal(client_error(&alice), WIRE_ERROR_HUB_NOT_FOUND);
	client_close(&alice);

	client_connect(&alice, &front);
	client_hello(&alice);
	for (int i = 0; i < LOGIN_NOOP_MAX; i++) {
		client_text(&alice, head);
		tls_peer_write(&alice.tls, b.data, b.len);
		client_pack(&alice, &p);
	}
	client_text(&alice, head);
	tls_peer_write(&alice.tls, b.data, b.len);
	assert_int_equal(client_error(&alice), WIRE_ERROR_PROTOCOL);
	client_close(&alice);
	bytebuf_free(&b);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void close_by_name(void **)
{
	struct welcome w;
	char name[64];

	client_connect(&alice, &front);
	client_hello(&alice);
	snprintf(name, sizeof(name), "%s", TAILQ_FIRST(registry_connections())->name);
	assert_int_equal(registry_connection_close("CID-0"), -ENOENT);
	assert_int_equal(registry_connection_close(name), 0);
	front_wait(client_dismissed(&alice));
	client_close(&alice);
	front_wait(access_quiet());

	assert_int_equal(client_login(&alice, &front, "alice", "secret", &w), 0);
	assert_int_equal(registry_connection_close(w.connection_name), 0);
	front_wait(client_dismissed(&alice));
	assert_int_equal(registry_session_cnt(), 1); /* the session goes on */
	client_close(&alice);
}

static void shutdown_says_goodbye_to_all(void **)
{
	static struct client negotiating, shaking;
	struct welcome w;
	int silent = client_socket(&front);
	char byte;

	assert_int_equal(client_login(&alice, &front, "alice", "secret", &w), 0);
	client_connect(&negotiating, &front);
	client_hello(&negotiating);
	client_open(&shaking, &front, TLS1_3_VERSION);
	(void)tls_peer_handshake(&shaking.tls);
	front_wait(negotiation_cnt() == 3);
	access_shutdown();
	assert_true(fake_last->end_asked);
	fake_session_finish(fake_last, SESSION_END_SHUTDOWN);
	front_wait(client_dismissed(&negotiating));
	front_wait(client_dismissed(&alice));
	front_wait(recv(silent, &byte, 1, MSG_DONTWAIT) == 0);
	close(silent);
	client_close(&negotiating);
	client_close(&alice);
	client_close(&shaking);
	front_wait(access_quiet());
	assert_int_equal(linger_counters.cut + linger_counters.timed_out, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, front_setup, front_teardown)
		T(login_gives_a_session),
		T(refusals_have_their_codes),
		T(sessions_are_limited),
		T(bytes_behind_the_login_stay_in_the_stream),
		T(raw_bytes_behind_the_login),
		T(tls12_too),
		T(byte_by_byte),
		T(additional_connections),
		T(as_many_connections_as_granted),
		T(directions_of_half_duplex),
		T(hub_list),
		T(noops_and_methods_not_served),
		T(close_by_name),
		T(shutdown_says_goodbye_to_all),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
