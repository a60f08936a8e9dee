/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The way in for those who are no users, or not yet: administrators, guesses, strangers, and what a peer may cost before its
 * login (time, bytes, handshakes, descriptors). Over real sockets, as access_test.c.
 */

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
#include "drivers/session/wire/preamble.h"
#include "drivers/session/wire/reply.h"
#include "drivers/session/wire/sha0.h"
#include "test/unit/front.h"

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

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

/* Milliseconds of the quickest of some logins: that of the others may be the machine's. */
static int64_t quickest_login(const char *user, const char *password)
{
	struct welcome w;
	int64_t best = INT64_MAX;

	for (unsigned i = 0; i < 5 && best >= 900; i++) {
		int64_t begun = now_ms(), took;

		assert_int_equal(client_login(&bob, &front, user, password, &w), 0);
		took = now_ms() - begun;
		best = took < best ? took : best;
		client_close(&bob);
	}
	return best;
}

/* The third wrong password costs a second before the next attempt is judged, right or wrong. */
static void guessing_is_slow(void **)
{
	struct login_request r;
	struct welcome w;
	int64_t begun;

	for (unsigned i = 0; i < 3; i++) {
		client_login_begin(&alice, &front, &r, "DEFAULT", "alice", "wrong");
		client_login_refused(&alice, &r, WIRE_ERROR_AUTH_FAILED);
		/* Not a guess: it does not begin to count anew. */
		client_login_begin(&alice, &front, &r, "DEFAULT", "alice", "wrong");
		r.authtype = 99;
		client_login_refused(&alice, &r, WIRE_ERROR_AUTH_TYPE);
	}
	assert_int_equal(listener_counters.login_delayed, 1);
	client_login_begin(&alice, &front, &r, "DEFAULT", "alice", "wrong");
	client_login_refused(&alice, &r, WIRE_ERROR_AUTH_FAILED);
	begun = now_ms();
	assert_true(quickest_login("guest", "") < 900);
	assert_int_equal(client_login(&alice, &front, "alice", "secret", &w), 0);
	assert_true(now_ms() - begun >= 1000);
	client_close(&alice);
}

/* ---- what is no login ------------------------------------------------------------------------- */

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

	for (int i = 0; i < 100; i++) {
		silent[i] = client_socket(&front);
		client_open(&half[i], &front, TLS1_3_VERSION);
		(void)tls_peer_handshake(&half[i].tls); /* ClientHello, and then nothing */
		if (i % 2 == 0)
			assert_int_equal(send(silent[i], "\x16\x03\x01", 3, MSG_NOSIGNAL), 3);
	}
	front_wait(negotiation_cnt() == 200);
	assert_true(quickest_login("alice", "secret") < 900);
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

	/* front_defaults() allows one source 16 at a time: the others wait, and all get through. */
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
	front.config.login_timeout_ms = 2000; /* a busy machine takes its time for a handshake */
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

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, front_setup, front_teardown)
		T(administrators),
		T(guessing_is_slow),
		T(probe_and_strangers),
		T(malformed_packs),
		T(not_tls),
		T(half_open_handshakes_delay_nobody),
		T(helpers_are_shared),
		T(budgets),
		T(closing_counts),
		T(bytes_before_login_are_limited),
		T(failed_handshake_gets_its_alert),
		T(out_of_descriptors_pauses),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
