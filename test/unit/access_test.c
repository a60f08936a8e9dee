/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * From TCP to a worker's hands, over a real socket with a real TLS client: what each kind of peer gets, what
 * it costs, and that nothing is lost or let through on the way.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/access.h"
#include "controlplane/linger.h"
#include "controlplane/listener.h"
#include "controlplane/negotiation.h"
#include "controlplane/registry.h"
#include "drivers/session/stream.h"
#include "drivers/session/wire/http.h"
#include "drivers/session/wire/preamble.h"
#include "drivers/session/wire/reply.h"
#include "drivers/session/wire/sha0.h"
#include "test/unit/front.h"

static struct front front;
static struct client alice, bob; /* large: not on the stack */

static int setup(void **)
{
	front_defaults(&front);
	front_start(&front);
	return 0;
}

static int teardown(void **)
{
	front_stop(&front);
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

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

static void expect_refusal(const struct login_request *r, uint32_t error)
{
	uint64_t failed = listener_counters.login_failed;

	client_request(&alice, r);
	assert_int_equal(client_error(&alice), error);
	assert_int_equal(listener_counters.login_failed, failed + 1);
	/* The server waits for one more PACK, or for the end. */
	assert_false(client_dismissed(&alice));
	client_request(&alice, r);
	front_wait(client_dismissed(&alice));
	client_close(&alice);
	front_wait(access_quiet());
	assert_int_equal(fake_sessions, 0);
	assert_int_equal(registry_session_cnt(), 0);
}

static void begin(struct login_request *r, const char *hub, const char *user, const char *password)
{
	client_connect(&alice, &front);
	client_hello(&alice);
	client_login_request(&alice, r, hub, user, password);
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
	struct bytebuf body, http;
	struct pack_writer pw;
	struct stream_io *io = stream_io_create();
	uint8_t got[64];

	begin(&r, "DEFAULT", "alice", "secret");
	bytebuf_init(&body, 65536);
	bytebuf_init(&http, 70000);
	pack_writer_init(&pw, &body);
	login_request_pack(&r, &pw);
	assert_int_equal(pack_writer_finish(&pw), 0);
	http_build_pack_request(&http, NULL, body.data, body.len, 0);
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
	bytebuf_free(&body);
	bytebuf_free(&http);
	client_close(&alice);
}

/* No encryption: the bytes of one segment behind the login's record are data (wire.md 6.6). */
static void raw_bytes_behind_the_login(void **)
{
	static const uint8_t behind[] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0, 3, 'a', 'b', 'c'};
	static uint8_t wire[70000];
	struct stream_io *io = stream_io_create();
	struct bytebuf body, http;
	struct login_request r;
	struct pack_writer pw;
	struct welcome w;
	uint32_t error = 0;
	uint8_t got[64];
	struct pack p;
	size_t n;

	begin(&r, "DEFAULT", "alice", "secret");
	r.use_encrypt = false;
	bytebuf_init(&body, 65536);
	bytebuf_init(&http, 70000);
	pack_writer_init(&pw, &body);
	login_request_pack(&r, &pw);
	assert_int_equal(pack_writer_finish(&pw), 0);
	http_build_pack_request(&http, NULL, body.data, body.len, 0);
	n = tls_peer_capture(&alice.tls, http.data, http.len, wire, sizeof(wire));
	memcpy(wire + n, behind, sizeof(behind));
	tls_peer_inject(&alice.tls, wire, n + sizeof(behind));
	client_pack(&alice, &p);
	assert_int_equal(login_reply_unpack(&p, &w, NULL, &error), LOGIN_REPLY_WELCOME);
	assert_false(w.use_encrypt);
	front_wait(fake_last != NULL && fake_last->opened);
	assert_null(stream_ssl(fake_last->streams[0]));
	assert_int_equal(stream_read(fake_last->streams[0], io, got, sizeof(got)), sizeof(behind));
	assert_memory_equal(got, behind, sizeof(behind));
	assert_int_equal(stream_park(fake_last->streams[0], io), 0);
	stream_io_destroy(io);
	bytebuf_free(&body);
	bytebuf_free(&http);
	client_close(&alice);
}

static void tls12_too(void **)
{
	struct login_request r;
	struct welcome w;
	struct pack p;
	uint32_t error;

	client_open(&alice, &front, TLS1_2_VERSION);
	front_wait(tls_peer_handshake(&alice.tls) == 1);
	client_hello(&alice);
	client_login_request(&alice, &r, "default", "ALICE", "secret");
	client_request(&alice, &r);
	client_pack(&alice, &p);
	assert_int_equal(login_reply_unpack(&p, &w, NULL, &error), LOGIN_REPLY_WELCOME);
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
	client_connect(&bob, &front);
	client_hello(&bob);
	client_request(&bob, &r);
	assert_int_equal(client_error(&bob), WIRE_ERROR_SESSION_GONE);
	client_close(&bob);

	assert_int_equal(client_login(&alice, &front, "alice", "secret", &w), 0);
	s = fake_last;
	memcpy(r.session_key, w.session_key, sizeof(r.session_key));
	/* Granted one, one more is tolerated, the next refused (wire.md 5.4). */
	client_connect(&more[0], &front);
	client_hello(&more[0]);
	client_request(&more[0], &r);
	client_pack(&more[0], &p);
	assert_int_equal(reply_additional_unpack(&p, &direction), WIRE_ERROR_OK);
	assert_int_equal(direction, WIRE_DIRECTION_BOTH);
	assert_int_equal(s->cnt, 2);
	client_connect(&more[1], &front);
	client_hello(&more[1]);
	client_request(&more[1], &r);
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
	client_connect(&more[2], &front);
	client_hello(&more[2]);
	client_request(&more[2], &r);
	client_pack(&more[2], &p);
	assert_int_equal(reply_additional_unpack(&p, &direction), WIRE_ERROR_OK);
	assert_int_equal(s->cnt, 1);
	assert_int_equal(s->places, 0);

	/* Once it is to end, it is gone for peers, though the worker has not answered yet. */
	assert_int_equal(registry_session_delete(front.hub, "SID-ALICE-1"), 0);
	assert_true(s->end_asked);
	client_connect(&bob, &front);
	client_hello(&bob);
	client_request(&bob, &r);
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
	client_pack(&alice, &p);
	assert_int_equal(login_reply_unpack(&p, &w, NULL, &error), LOGIN_REPLY_WELCOME);
	assert_int_equal(w.max_connection, 4);
	s = fake_last;
	assert_int_equal(s->conf.max_connections, 4);
	r = (struct login_request){.method = LOGIN_METHOD_ADDITIONAL_CONNECT};
	memcpy(r.session_key, w.session_key, sizeof(r.session_key));
	for (error = 0; error == 0; cnt++) {
		enum wire_direction direction;

		assert_true(cnt < 8);
		client_connect(&more[cnt], &front);
		client_hello(&more[cnt]);
		client_request(&more[cnt], &r);
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
	uint32_t error = 0;
	struct pack p;

	begin(&r, "DEFAULT", "alice", "secret");
	r.max_connection = 1;
	r.half_connection = true;
	client_request(&alice, &r);
	client_pack(&alice, &p);
	assert_int_equal(login_reply_unpack(&p, &w, NULL, &error), LOGIN_REPLY_WELCOME);
	assert_int_equal(w.max_connection, 2);
	assert_true(w.half_connection);
	assert_true(fake_last->conf.half_duplex);
	fake_session_finish(fake_last, SESSION_END_ADMIN);
	client_close(&alice);

	begin(&r, "DEFAULT", "alice", "secret");
	r.max_connection = 7;
	r.half_connection = true;
	client_request(&alice, &r);
	client_pack(&alice, &p);
	assert_int_equal(login_reply_unpack(&p, &w, NULL, &error), LOGIN_REPLY_WELCOME);
	assert_int_equal(w.max_connection, 7);
	s = fake_last;
	r = (struct login_request){.method = LOGIN_METHOD_ADDITIONAL_CONNECT};
	memcpy(r.session_key, w.session_key, sizeof(r.session_key));
	for (unsigned i = 0; i < 8; i++) {
		if (i == 7) { /* both ways in but one are gone */
			(void)session_connection_close(s, s->ids[5], SESSION_END_RESET);
			(void)session_connection_close(s, s->ids[3], SESSION_END_RESET);
		}
		client_connect(&more[i], &front);
		client_hello(&more[i]);
		client_request(&more[i], &r);
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
	client_connect(&alice, &front);
	client_hello(&alice);
	client_request(&alice, &r);
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

/* ---- HTTP ------------------------------------------------------------------------------------ */

/* ---- administrators -------------------------------------------------------------------------- */

static uint32_t admin_login(const char *hub, const char *password)
{
	struct login_request r = {.method = LOGIN_METHOD_ADMIN, .accept_empty_password = true};
	uint8_t hash[SHA0_BYTES];
	uint32_t error;
	struct pack p;

	client_connect(&alice, &front);
	client_hello(&alice);
	snprintf(r.hubname, sizeof(r.hubname), "%s", hub);
	snprintf(r.client.name, sizeof(r.client.name), "Test Admin Tool");
	sha0_password_hash(password, "", hash);
	sha0_secure_password(hash, alice.random, r.secure_password);
	r.has_secure_password = true;
	client_request(&alice, &r);
	client_pack(&alice, &p);
	error = reply_error(&p);
	client_close(&alice);
	front_wait(access_quiet());
	return error;
}

static void administrators(void **)
{
	struct directory_admin admin = {0};

	/* Without a password of the server nobody administers, with whatever proof. */
	assert_int_equal(admin_login("", ""), WIRE_ERROR_EMPTY_PASSWORD);
	assert_int_equal(admin_login("", "x"), WIRE_ERROR_EMPTY_PASSWORD);
	directory_admin_set_password(&front.hub->admin, "hubpw");
	assert_int_equal(admin_login("DEFAULT", "hubpw"), WIRE_ERROR_EMPTY_PASSWORD);
	assert_int_equal(fake_remotes, 0);

	directory_admin_set_password(&admin, "serverpw");
	directory_server_set_admin(&admin);
	assert_int_equal(admin_login("", "serverpw"), 0);
	assert_int_equal(fake_remotes, 1);
	assert_true(fake_remote_who.caller.server);
	assert_int_equal(admin_login("default", "hubpw"), 0);
	assert_int_equal(fake_remotes, 2);
	assert_false(fake_remote_who.caller.server);
	assert_string_equal(fake_remote_who.hub, "default");
	assert_true(admin_who_still(&fake_remote_who));

	assert_int_equal(admin_login("", ""), WIRE_ERROR_ACCESS_DENIED);
	assert_int_equal(admin_login("", "hubpw"), WIRE_ERROR_ACCESS_DENIED);
	assert_int_equal(admin_login("DEFAULT", "serverpw"), WIRE_ERROR_ACCESS_DENIED);
	assert_int_equal(admin_login("NONE", "serverpw"), WIRE_ERROR_HUB_NOT_FOUND);
	fake_remote_full = true;
	assert_int_equal(admin_login("", "serverpw"), WIRE_ERROR_NOT_ACCEPTING);
	fake_remote_full = false;
	/* A password that has been changed lets nobody stay; a hub without one has no administrator. */
	directory_admin_set_password(&front.hub->admin, "");
	assert_false(admin_who_still(&fake_remote_who));
	assert_int_equal(admin_login("DEFAULT", ""), WIRE_ERROR_EMPTY_PASSWORD);
	assert_int_equal(fake_remotes, 2);
	assert_int_equal(listener_counters.admin_ok, 2);
	assert_int_equal(negotiation_cnt(), 0);
	fake_remotes = 0;
}

/* The third wrong password costs a second before the next attempt is judged, right or wrong. */
static void guessing_is_slow(void **)
{
	struct login_request r;
	struct welcome w;
	int64_t begun;

	for (unsigned i = 0; i < 3; i++) {
		begin(&r, "DEFAULT", "alice", "wrong");
		expect_refusal(&r, WIRE_ERROR_AUTH_FAILED);
		/* Not a guess: it does not begin to count anew. */
		begin(&r, "DEFAULT", "alice", "wrong");
		r.authtype = 99;
		expect_refusal(&r, WIRE_ERROR_AUTH_TYPE);
	}
	assert_int_equal(listener_counters.login_delayed, 1);
	begin(&r, "DEFAULT", "alice", "wrong");
	expect_refusal(&r, WIRE_ERROR_AUTH_FAILED);
	begun = now_ms();
	assert_int_equal(client_login(&bob, &front, "guest", "", &w), 0);
	client_close(&bob);
	assert_true(now_ms() - begun < 900);
	assert_int_equal(client_login(&alice, &front, "alice", "secret", &w), 0);
	assert_true(now_ms() - begun >= 1000);
	client_close(&alice);
}

static void probe_and_strangers(void **)
{
	const uint8_t *body;
	size_t len;

	client_connect(&alice, &front);
	client_text(&alice, "GET / HTTP/1.1\r\nX-VPN: 1\r\nHost: 127.0.0.1\r\n\r\n");
	assert_int_equal(client_response(&alice, &body, &len), 200);
	assert_true(preamble_probe_passed(body, len));
	for (int i = 0; i < 16; i++) {
		client_text(&alice, "GET /index.php HTTP/1.0\n\n");
		assert_int_equal(client_response(&alice, &body, &len), 404);
	}
	client_text(&alice, "BREW / HTTP/1.1\r\n\r\n");
	assert_int_equal(client_response(&alice, &body, &len), 501);
	client_hello(&alice); /* the 19th */
	client_close(&alice);
	front_wait(access_quiet());
	assert_int_equal(listener_counters.http_unrelated, 18);

	client_connect(&alice, &front);
	for (int i = 0; i < 19; i++) {
		client_text(&alice, "GET /x HTTP/1.1\r\n\r\n");
		assert_int_equal(client_response(&alice, &body, &len), 404);
	}
	client_text(&alice, "GET /x HTTP/1.1\r\n\r\n");
	front_wait(client_dismissed(&alice));
	assert_int_equal(listener_counters.http_too_many, 1);
	client_close(&alice);

	client_connect(&alice, &front);
	client_text(&alice, "POST / HTTP/1.1\r\nContent-Length: 9\r\n\r\n");
	assert_int_equal(client_response(&alice, &body, &len), 403);
	front_wait(client_dismissed(&alice));
	client_close(&alice);

	client_connect(&alice, &front);
	client_text(&alice, "GET /\r\n\r\n");
	front_wait(client_dismissed(&alice));
	assert_int_equal(listener_counters.http_malformed, 1);
	client_close(&alice);
}

static void refuse_pack(const char *head, const void *body, size_t len, uint32_t error)
{
	uint64_t before = listener_counters.protocol_error;

	client_connect(&alice, &front);
	client_hello(&alice);
	client_text(&alice, head);
	if (len > 0) {
		for (size_t at = 0; at < len; at += 16384)
			tls_peer_write(&alice.tls, (const uint8_t *)body + at,
				len - at < 16384 ? len - at : 16384);
	}
	assert_int_equal(client_error(&alice), error);
	assert_int_equal(listener_counters.protocol_error, before + 1);
	/* Ended by what stood behind a refused head, or by whatever comes next. */
	if (!client_dismissed(&alice))
		client_text(&alice, "anything else\r\n\r\n");
	front_wait(client_dismissed(&alice));
	client_close(&alice);
	front_wait(access_quiet());
}

static void malformed_packs(void **)
{
	static uint8_t zeros[65536];
	static const char octets[] = "POST /vpnsvc/vpn.cgi HTTP/1.1\r\nContent-Type: "
				     "application/octet-stream\r\nContent-Length: ";
	char head[256];

	snprintf(head, sizeof(head), "%s65537\r\n\r\n", octets);
	refuse_pack(head, NULL, 0, WIRE_ERROR_DISCONNECTED);
	/* An empty PACK of the greatest size: readable, but without a method. */
	snprintf(head, sizeof(head), "%s65536\r\n\r\n", octets);
	refuse_pack(head, zeros, sizeof(zeros), WIRE_ERROR_PROTOCOL);
	zeros[3] = 1; /* an element whose name has no length */
	snprintf(head, sizeof(head), "%s64\r\n\r\n", octets);
	refuse_pack(head, zeros, 64, WIRE_ERROR_DISCONNECTED);
	zeros[3] = 0;
	refuse_pack("POST /vpnsvc/vpn.cgi HTTP/1.1\r\nContent-Length: 4\r\n\r\n", zeros, 4,
		WIRE_ERROR_DISCONNECTED);
	refuse_pack("GET /vpnsvc/vpn.cgi HTTP/1.1\r\n\r\n", NULL, 0, WIRE_ERROR_DISCONNECTED);
}

/* ---- limits ---------------------------------------------------------------------------------- */

static void not_tls(void **)
{
	char byte;
	int fd = client_socket(&front);

	assert_int_equal(send(fd, "GET / HTTP/1.1\r\n\r\n", 18, MSG_NOSIGNAL), 18);
	front_wait(listener_counters.not_tls == 1);
	assert_true(recv(fd, &byte, 1, 0) <= 0);
	close(fd);
	front_wait(access_quiet());
}

/* Two hundred peers that stop at different points of the handshake, one that is dead: nobody waits. */
static void half_open_handshakes_delay_nobody(void **)
{
	static struct client half[100];
	int silent[100];
	struct welcome w;
	int64_t begin_ms;

	for (int i = 0; i < 100; i++) {
		silent[i] = client_socket(&front);
		client_open(&half[i], &front, TLS1_3_VERSION);
		(void)tls_peer_handshake(&half[i].tls); /* ClientHello, and then nothing */
		if (i % 2 == 0)
			assert_int_equal(send(silent[i], "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
	}
	front_wait(negotiation_cnt() == 200);
	begin_ms = now_ms();
	assert_int_equal(client_login(&alice, &front, "alice", "secret", &w), 0);
	assert_true(now_ms() - begin_ms < 1000);
	client_close(&alice);
	for (int i = 0; i < 100; i++) {
		close(silent[i]);
		client_close(&half[i]);
	}
	front_wait(negotiation_cnt() == 0);
}

static void helpers_are_shared(void **)
{
	static struct client many[40];
	unsigned done = 0;

	/* setup() allows one source 16 at a time: the others wait, and all get through. */
	for (int i = 0; i < 40; i++) {
		client_open(&many[i], &front, TLS1_3_VERSION);
		(void)tls_peer_handshake(&many[i].tls);
	}
	for (int left = FRONT_PATIENCE_MS; done < 40 && left > 0; left--) {
		front_turn();
		done = 0;
		for (int i = 0; i < 40; i++)
			done += tls_peer_handshake(&many[i].tls) == 1;
	}
	assert_int_equal(done, 40);
	assert_true(listener_counters.handshakes_delayed > 0);
	for (int i = 0; i < 40; i++)
		client_close(&many[i]);
}

/* A line each 10 ms: as fast as the loop turns they would soon be more than a head may have. */
static void drip(struct client *c)
{
	static int64_t last_ms;

	if (now_ms() - last_ms < 10)
		return;
	last_ms = now_ms();
	client_text(c, "A: b\r\n");
}

static void budgets(void **)
{
	int fds[3];
	char byte;

	front_stop(&front);
	front_defaults(&front);
	front.config.login_connections_per_source = 2;
	front.config.login_timeout_ms = 300;
	front_start(&front);
	for (int i = 0; i < 3; i++)
		fds[i] = client_socket(&front);
	front_wait(listener_counters.refused_source == 1);
	assert_int_equal(recv(fds[2], &byte, 1, 0), 0);
	/* The others have said nothing: cut at the deadline, and their places are free again. */
	front_wait(listener_counters.timeout == 2);
	assert_int_equal(recv(fds[0], &byte, 1, 0), 0);
	for (int i = 0; i < 3; i++)
		close(fds[i]);

	/* The deadline is absolute: a peer that drips is cut too, and with close_notify. */
	client_connect(&alice, &front);
	client_text(&alice, "GET / HTTP/1.1\r\n");
	front_wait(client_dismissed(&alice) || (drip(&alice), false));
	assert_int_equal(listener_counters.timeout, 3);
	client_close(&alice);

	front_wait(access_quiet());
}

/* Who does not answer our close_notify keeps its place meanwhile, and its source no more than its share. */
static void closing_counts(void **)
{
	char byte;
	int fd;

	front_stop(&front);
	front_defaults(&front);
	front.config.login_connections_per_source = 1;
	front_start(&front);
	client_connect(&alice, &front);
	client_text(&alice, "what\r\n\r\n");
	front_wait(listener_counters.http_malformed == 1);
	assert_int_equal(negotiation_cnt(), 0);
	assert_int_equal(linger_cnt(), 1);
	fd = client_socket(&front);
	front_wait(listener_counters.refused_source == 1);
	assert_int_equal(recv(fd, &byte, 1, 0), 0);
	close(fd);

	client_close(&alice);
	front_wait(access_quiet());
	fd = client_socket(&front);
	front_wait(negotiation_cnt() == 1);
	assert_int_equal(listener_counters.refused_source, 1);
	close(fd);
	front_wait(access_quiet());
}

/* Heads of almost 64 KiB, one after the other, each of them allowed. */
static void bytes_before_login_are_limited(void **)
{
	static const char line[] = "X: 0123456789012345678901234567890123456789\r\n";
	static char head[60000];
	size_t at = 0;

	for (; at + sizeof(line) < sizeof(head); at += sizeof(line) - 1)
		memcpy(head + at, line, sizeof(line));
	client_connect(&alice, &front);
	for (int i = 0; i < 5; i++) {
		client_text(&alice, "GET /x HTTP/1.1\r\n");
		for (size_t sent = 0; sent < at; sent += 10000)
			tls_peer_write(
				&alice.tls, head + sent, at - sent < 10000 ? at - sent : 10000);
		client_text(&alice, "\r\n");
		for (int turn = 0; turn < 20; turn++)
			front_turn();
	}
	front_wait(listener_counters.bytes_exceeded == 1);
	assert_int_equal(listener_counters.http_unrelated, 4);
	front_wait(client_dismissed(&alice));
	client_close(&alice);
}

static void out_of_descriptors_pauses(void **)
{
	struct rlimit old, tight;
	int fd, probe = open("/dev/null", O_RDONLY | O_CLOEXEC);

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	fd = client_socket(&front); /* in the backlog: nobody has run the loop */
	tight = old;
	tight.rlim_cur = (rlim_t)fd + 1;
	close(probe);
	/* Fill what lies below. */
	probe = dup(fd);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	while (dup(fd) >= 0)
		;
	front_wait(listener_counters.accept_paused == 1);
	for (int i = 0; i < 300; i++)
		front_turn(); /* retries, and it is still one pause */
	assert_int_equal(listener_counters.accept_paused, 1);
	assert_int_equal(listener_counters.accepted, 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	front_wait(listener_counters.accepted == 1);
	close(probe);
	close(fd);
}

static void failed_handshake_gets_its_alert(void **)
{
	static const char nonsense[] = "\x16\x03\x01\x00\x05hello";
	int fd = client_socket(&front);
	uint8_t alert[7];

	assert_int_equal(send(fd, nonsense, sizeof(nonsense) - 1, MSG_NOSIGNAL), 10);
	front_wait(listener_counters.handshake_failed == 1);
	assert_int_equal(recv(fd, alert, sizeof(alert), 0), sizeof(alert));
	assert_int_equal(alert[0], 21);
	assert_int_equal(recv(fd, alert, sizeof(alert), 0), 0); /* FIN, not RST */
	close(fd);
	front_wait(access_quiet());
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
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
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
		T(administrators),
		T(guessing_is_slow),
		T(noops_and_methods_not_served),
		T(probe_and_strangers),
		T(malformed_packs),
		T(not_tls),
		T(half_open_handshakes_delay_nobody),
		T(helpers_are_shared),
		T(budgets),
		T(closing_counts),
		T(bytes_before_login_are_limited),
		T(failed_handshake_gets_its_alert),
		T(close_by_name),
		T(shutdown_says_goodbye_to_all),
		T(out_of_descriptors_pauses),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
