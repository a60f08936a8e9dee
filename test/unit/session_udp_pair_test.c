/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * UDP acceleration between both roles of drivers/session (wire.md 7): what the login would have agreed upon is
 * made here, the rest is the code that serves real clients. All modes at once, because a path needs ten seconds
 * to be trusted.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "drivers/session/session_udp.h"
#include "test/unit/session_pair.h"

static const struct {
	const char *name;
	uint8_t version;
	bool encrypted, compress, ip6, unspecified;
} modes[] = {
	{"version 2", .version = 2, .encrypted = true},
	{"version 2, compressed", .version = 2, .encrypted = true, .compress = true},
	{"version 2 over IPv6", .version = 2, .encrypted = true, .ip6 = true},
	{"version 1", .version = 1, .encrypted = true, .unspecified = true},
	{"not encrypted", .version = 2, .unspecified = true},
};

#define PAIRS (sizeof(modes) / sizeof(modes[0]))

static struct pair pairs[PAIRS];
static struct udp_socket *dialled[PAIRS];

static struct sockaddr_storage loopback(bool ip6, uint16_t port, bool unspecified)
{
	struct sockaddr_storage ss = {0};

	if (ip6) {
		struct sockaddr_in6 *a = (struct sockaddr_in6 *)&ss;

		*a = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
		a->sin6_addr = unspecified ? in6addr_any : in6addr_loopback;
	} else {
		struct sockaddr_in *a = (struct sockaddr_in *)&ss;

		*a = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port)};
		a->sin_addr.s_addr = htonl(unspecified ? INADDR_ANY : INADDR_LOOPBACK);
	}
	return ss;
}

/* What one side is told; the two differ in who sends what, and in nothing that says who dialled. */
static struct session_udp_conf side(unsigned i, bool client)
{
	bool ip6 = modes[i].ip6;
	unsigned family = ip6 ? AF_INET6 : AF_INET;
	uint16_t theirs = client ? session_udp_port(0, family) : session_udp_dial_port(dialled[i]);
	struct session_udp_conf conf = {
		.socket = client ? dialled[i] : NULL,
		.version = modes[i].version,
		.encrypted = modes[i].encrypted,
		.fast = true,
		.send_cookie = client ? 0x1000 + i : 0x2000 + i,
		.receive_cookie = client ? 0x2000 + i : 0x1000 + i,
		.local = loopback(ip6, 0, false),
		.tcp_peer = loopback(ip6, 0, false),
		.offered = loopback(ip6, theirs, modes[i].unspecified),
	};

	memset(client ? conf.send_key : conf.receive_key, 0x11 + (int)i, SESSION_UDP_KEY_BYTES);
	memset(client ? conf.receive_key : conf.send_key, 0x77 + (int)i, SESSION_UDP_KEY_BYTES);
	return conf;
}

static bool both_active(void *arg)
{
	struct pair *p = arg;
	struct session_udp_view at_server, at_client;

	return session_udp_view(p->server.s, &at_server) &&
		session_udp_view(p->client.s, &at_client) && at_server.active && at_client.active;
}

static bool has_ip6(void)
{
	return session_udp_port(0, AF_INET6) != 0;
}

static bool is_skipped(unsigned i)
{
	return modes[i].ip6 && !has_ip6();
}

/* Ten seconds of both sides speaking, and not less: the last pair began at `began`. */
static void wait_all_active(uint64_t began)
{
	uint64_t from = bed_now_ms();

	for (unsigned i = 0; i < PAIRS; i++) {
		while (!is_skipped(i) && !both_active(&pairs[i])) {
			assert_true(bed_now_ms() - from < 60000);
			bed_pump();
		}
	}
	assert_true(bed_now_ms() - began >= 9500);
}

struct counted {
	const struct session *s;
	const struct session_udp_view *before;
};

/* A frame may be there before the worker that sent it, or took it in, has had the CPU to count it. */
static bool round_counted(void *arg)
{
	const struct counted *c = arg;
	struct session_udp_view v;

	return session_udp_view(c->s, &v) && v.frames_out - c->before->frames_out >= PAIR_ROUND &&
		v.frames_in - c->before->frames_in >= PAIR_ROUND;
}

/* A round goes over UDP, all of it, and TCP has nothing to do with it. */
static void over_udp(unsigned i)
{
	struct pair *p = &pairs[i];
	struct session_udp_view server[2], client[2];
	struct session_counters tcp[2];

	session_udp_view(p->server.s, &server[0]);
	session_udp_view(p->client.s, &client[0]);
	session_view(p->client.s, &tcp[0]);
	pair_exchange(p);
	(void)bed_wait(round_counted, &(struct counted){p->server.s, &server[0]});
	(void)bed_wait(round_counted, &(struct counted){p->client.s, &client[0]});
	session_udp_view(p->server.s, &server[1]);
	session_udp_view(p->client.s, &client[1]);
	session_view(p->client.s, &tcp[1]);
	assert_int_equal(server[1].frames_out - server[0].frames_out, PAIR_ROUND);
	assert_int_equal(server[1].frames_in - server[0].frames_in, PAIR_ROUND);
	assert_int_equal(client[1].frames_out - client[0].frames_out, PAIR_ROUND);
	assert_int_equal(client[1].frames_in - client[0].frames_in, PAIR_ROUND);
	assert_int_equal(
		server[1].forged + server[1].malformed + server[1].stale + server[1].repeated, 0);
	assert_int_equal(
		client[1].forged + client[1].malformed + client[1].stale + client[1].repeated, 0);
	assert_true(tcp[1].wire_bytes_out - tcp[0].wire_bytes_out < 2000); /* a keep-alive */
	assert_int_equal(server[1].version, modes[i].version);
	assert_int_equal(server[1].encrypted, modes[i].encrypted);
	/* Of 1514 and 100 bytes, nearly all zeros, about 35 are left; 51 around them, up to 31 of padding. */
	if (modes[i].compress) {
		assert_true(server[1].bytes_out - server[0].bytes_out < PAIR_ROUND * 300);
		assert_true(client[1].bytes_out - client[0].bytes_out < PAIR_ROUND * 145);
	}
}

/* What one side sent in one message, the other took in one. */
static void in_groups(void)
{
	struct session_udp_socket_view v;
	int on = 1, fd = socket(AF_INET, SOCK_DGRAM, 0);
	bool supported = setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)) == 0;

	close(fd);
	assert_true(session_udp_socket_view(0, AF_INET, &v));
	if (supported)
		assert_true(v.groups_in != 0);
	assert_int_equal(v.truncated, 0);
	/* On a busy machine one side sends before the other has its session; frames wait until both have met. */
	assert_in_range(v.foreign, 0, PAIR_ROUND - 1);
}

/* ---- one group among the datagrams of others ---- */

#define SINGLES 64u

static atomic_bool gate_open;

static void wait_for_gate(struct lcore *, struct lcore_msg *)
{
	while (!atomic_load(&gate_open))
		usleep(100);
}

static bool has_come(void *arg)
{
	struct session_udp_socket_view v;

	session_udp_socket_view(0, AF_INET, &v);
	return v.datagrams_in >= *(const uint64_t *)arg;
}

/* Three datagrams of one size as one message. False: this kernel does not. */
static bool send_group(int fd, const struct sockaddr_in *to)
{
	uint8_t control[CMSG_SPACE(sizeof(uint16_t))] __attribute__((aligned(8))) = {0};
	static uint8_t bytes[300];
	struct iovec vector = {.iov_base = bytes, .iov_len = sizeof(bytes)};
	struct msghdr mh = {.msg_name = (void *)(uintptr_t)to,
		.msg_namelen = sizeof(*to),
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	uint16_t piece = sizeof(bytes) / 3;

	*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(piece)),
		.cmsg_level = IPPROTO_UDP,
		.cmsg_type = UDP_SEGMENT};
	memcpy(CMSG_DATA(c), &piece, sizeof(piece));
	return sendmsg(fd, &mh, 0) == (ssize_t)sizeof(bytes);
}

/* A stranger's group costs those who send single datagrams a few small calls, not one for every two of theirs. */
static void a_group_of_a_stranger(void)
{
	struct sockaddr_storage ss = loopback(false, session_udp_port(0, AF_INET), false);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct lcore_msg msg = {.fn = wait_for_gate};
	struct session_udp_socket_view before, after;
	uint64_t wanted;

	assert_true(session_udp_socket_view(0, AF_INET, &before));
	wanted = before.datagrams_in + 3;
	if (!send_group(fd, (const struct sockaddr_in *)&ss)) {
		close(fd);
		return;
	}
	assert_true(bed_wait(has_come, &wanted));
	assert_int_equal(lcore_msg_reserve(lcore_get(0), 1), 0);
	lcore_msg_post(lcore_get(0), &msg);
	assert_true(session_udp_socket_view(0, AF_INET, &before));
	for (unsigned i = 0; i < SINGLES; i++)
		assert_int_equal(sendto(fd, &i, sizeof(i), 0, (const struct sockaddr *)&ss,
					 sizeof(struct sockaddr_in)),
			sizeof(i));
	atomic_store(&gate_open, true);
	wanted = before.datagrams_in + SINGLES;
	assert_true(bed_wait(has_come, &wanted));
	assert_true(session_udp_socket_view(0, AF_INET, &after));
	/* 2, 4, 8, 16, 32, the rest, and what others sent meanwhile. */
	assert_in_range(after.calls_in - before.calls_in, 1, 16);
	close(fd);
}

/* ---- a worker that was off its CPU ---- */

#define PAUSE_MS 3000u
#define CROWD	 300u

static struct lcore_fd crowd[CROWD];
static atomic_bool held, crowd_gone;

static void crowd_ready(struct lcore *, struct lcore_fd *lfd, uint32_t)
{
	uint64_t count;

	(void)!read(lfd->fd, &count, sizeof(count));
}

static void hold(struct lcore *lc, struct lcore_msg *msg)
{
	for (unsigned i = 0; i < msg->u[0]; i++)
		(void)lcore_fd_add(lc, &crowd[i], EPOLLIN);
	atomic_store(&held, true);
	wait_for_gate(lc, msg);
}

static void crowd_del(struct lcore *lc, struct lcore_msg *msg)
{
	for (unsigned i = 0; i < msg->u[0]; i++)
		lcore_fd_del(lc, &crowd[i]);
	atomic_store(&crowd_gone, true);
}

static void post(void (*fn)(struct lcore *lc, struct lcore_msg *msg), unsigned cnt)
{
	assert_int_equal(lcore_msg_reserve(lcore_get(0), 1), 0);
	lcore_msg_post(lcore_get(0), &(struct lcore_msg){.fn = fn, .u = {cnt}});
}

static bool server_active(void *arg)
{
	struct session_udp_view v;

	return session_udp_view(((struct pair *)arg)->server.s, &v) && v.active;
}

/*
 * The servers' worker stands still for longer than a peer may be silent. What the peers said meanwhile waits in the
 * UDP socket: behind a frame for one of them that came by TCP before, and behind so many sockets that flushes and timers
 * have their turn before it. Nobody takes the peers for silent, and the frame goes over UDP (architecture.md 6.7).
 */
static void a_pause_of_the_worker(struct pair *p, unsigned sockets)
{
	const uint64_t one = 1;
	struct session_udp_view server[2], client[2];

	for (unsigned i = 0; i < sockets; i++) {
		crowd[i] = (struct lcore_fd){.fd = eventfd(0, EFD_NONBLOCK), .ready = crowd_ready};
		assert_true(crowd[i].fd >= 0);
	}
	assert_true(bed_wait(server_active, p));
	atomic_store(&gate_open, false);
	atomic_store(&held, false);
	post(hold, sockets);
	while (!atomic_load(&held))
		bed_sleep_ms(1);
	session_udp_view(p->server.s, &server[0]);
	session_udp_view(p->client.s, &client[0]);
	p->pb.frames = 0;
	bed_send_frames(&p->pa, 2, 1, 1, 1, 200);
	for (unsigned i = 0; i < sockets; i++)
		assert_int_equal(write(crowd[i].fd, &one, sizeof(one)), sizeof(one));
	bed_sleep_ms(PAUSE_MS);
	session_udp_view(p->client.s, &client[1]);
	atomic_store(&gate_open, true);
	pair_wait_frames(&p->pb, 1);
	atomic_store(&crowd_gone, false);
	post(crowd_del, sockets);
	while (!atomic_load(&crowd_gone))
		bed_pump();
	session_udp_view(p->server.s, &server[1]);
	for (unsigned i = 0; i < sockets; i++)
		close(crowd[i].fd);
	/* On a machine that is busy the other worker may have had no CPU either, and been silent. */
	if (client[1].datagrams_out - client[0].datagrams_out < 3)
		return;
	assert_int_equal(server[1].fallbacks, server[0].fallbacks);
	assert_int_equal(server[1].frames_out, server[0].frames_out + 1);
}

static bool fallen_back(void *arg)
{
	struct session_udp_view at_client;

	return session_udp_view(((struct pair *)arg)->client.s, &at_client) && !at_client.active;
}

/*
 * Frames before, at, and behind the change to UDP; then one side goes, and the other notices within the time
 * of fast detection, on a machine that may be busy.
 */
static void both_roles(void **)
{
	uint64_t began = 0, from;

	for (unsigned i = 0; i < PAIRS; i++) {
		struct session_udp_conf server, client;

		if (is_skipped(i))
			continue;
		assert_int_equal(
			session_udp_dial(1, modes[i].ip6 ? AF_INET6 : AF_INET, &dialled[i]), 0);
		server = side(i, false);
		client = side(i, true);
		began = bed_now_ms();
		pair_open(&pairs[i],
			&(struct pair_mode){.links = 1,
				.compress = modes[i].compress,
				.raw = !modes[i].encrypted,
				.udp_server = &server,
				.udp_client = &client});
		pair_meet(&pairs[i]);
		pair_exchange(&pairs[i]); /* over TCP */
	}
	wait_all_active(began);
	for (unsigned i = 0; i < PAIRS; i++) {
		if (!is_skipped(i))
			over_udp(i);
	}
	in_groups();
	a_group_of_a_stranger();
	bed_end(&pairs[0].server, SESSION_END_ADMIN);
	from = bed_now_ms();
	assert_true(bed_wait(fallen_back, &pairs[0]));
	assert_in_range(bed_now_ms() - from, 1000, 20000);
	bed_end(&pairs[0].client, SESSION_END_SHUTDOWN);
	pair_close_hubs(&pairs[0]);
	a_pause_of_the_worker(&pairs[1], 0);
	a_pause_of_the_worker(&pairs[1], CROWD);
	for (unsigned i = 1; i < PAIRS; i++) {
		if (!is_skipped(i))
			pair_close(&pairs[i]);
	}
}

/* Dialled in vain: the socket goes, whoever has it. */
static void in_vain(void **)
{
	struct session_udp_conf udp;
	struct bed_session bs;
	struct session_conf conf = {.worker = 1,
		.timeout_ms = 20000,
		.max_connections = 1,
		.client = true,
		.udp = &udp};
	struct udp_socket *sock;

	assert_int_equal(session_udp_dial(1, AF_INET, &sock), 0);
	assert_true(session_udp_dial_port(sock) != 0);
	session_udp_hang_up(sock);
	session_udp_hang_up(NULL);
	assert_int_equal(session_udp_dial(1, AF_UNIX, &sock), -ENOTSUP);
	bed_hub_open();
	assert_int_equal(session_udp_dial(1, AF_INET, &dialled[0]), 0);
	udp = side(0, true);
	bed_open_conf(&bs, NULL, &conf);
	session_abandon(bs.s);
	bed_hub_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {PAIR_TEST(in_vain), PAIR_TEST(both_roles)};
	int ret;

	bed_start_udp();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bed_stop();
	return ret;
}
