/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/session as a whole: peers that speak the data phase, real workers, a real hub; what goes through,
 * time-outs, and how sessions end. Connections, compression and queues have files of their own. Every test that
 * moves frames ends with the books of hub, lcores and sessions adding up (bed_hub_close()).
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "dataplane/hub_options.h"
#include "test/unit/session_two.h"

static void exchange(unsigned worker_a, unsigned worker_b)
{
	open_two(worker_a, worker_b, 20000);
	/* A flood teaches the hub where station 1 is ... */
	bed_send_frames(&pa, 0, 1, 0, 1, 60);
	wait_frames(&pb, 1);
	/* ... so the answer goes there alone, and teaches station 2. */
	bed_send_frames(&pb, 1, 2, 7, 1, 42);
	wait_frames(&pa, 1);
	assert_int_equal(pa.got[0].number, 7);
	assert_int_equal(pa.got[0].len, 42); /* not padded */
	/* In order and complete, small and full frames, in both directions. */
	for (unsigned i = 0; i < 10; i++) {
		bed_send_frames(&pa, 2, 1, 1000 + i * 100, 100, 1514);
		bed_send_frames(&pb, 1, 2, 5000 + i * 200, 200, 64);
		/* No more under way than staging holds: nothing may be dropped here. */
		wait_frames(&pb, 1 + (i + 1) * 100);
		wait_frames(&pa, 1 + (i + 1) * 200);
	}
	for (unsigned i = 0; i < 1000; i++) {
		assert_int_equal(pb.got[1 + i].number, 1000 + i);
		assert_int_equal(pb.got[1 + i].len, 1514);
	}
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(pa.got[1 + i].number, 5000 + i);
	end_two();
	assert_int_equal(stats_in_frames(&a.final.port), 1001);
	assert_int_equal(stats_sent_frames(&a.final.port), 2001);
	assert_int_equal(stats_in_frames(&b.final.port), 2001);
	assert_int_equal(b.final.port.in.broadcast_frames, 0);
	assert_int_equal(a.final.port.in.broadcast_frames, 1);
	assert_int_equal(a.final.port.in.unicast_bytes, 1000 * 1514);
	assert_true(a.final.wire_bytes_in > 1000 * 1514);
	assert_true(a.final.wire_bytes_in < 1000 * 1514 + 20000);
	assert_int_equal(a.final.queued_frames, 0);
}

static void exchange_on_one_worker(void **)
{
	exchange(0, 0);
}

static void exchange_across_workers(void **)
{
	exchange(0, 1);
}

/* The same below TLS, and an end without a goodbye in band. */
static void exchange_raw(void **)
{
	bed_modes.raw = true;
	exchange(0, 1);
	bed_modes.raw = false;
	assert_true(a.stream_given[0]);
}

/* A group cut at every byte, each byte a record of its own: boundaries mean nothing (wire.md 6.1). */
static void blocks_cut_anywhere(void **)
{
	uint8_t buf[512], *at = buf;

	open_two(0, 1, 20000);
	at = block_put_group(at, 2);
	at = block_put_size(at, 100);
	at += bed_frame(at, 0, 1, 1, 100);
	at = block_put_size(at, 100);
	at += bed_frame(at, 0, 1, 2, 100);
	for (const uint8_t *p = buf; p < at; p++) {
		tls_peer_write(&pa.tls, p, 1);
		bed_sleep_ms(1);
	}
	wait_frames(&pb, 2);
	assert_int_equal(pb.got[0].number, 1);
	assert_int_equal(pb.got[1].number, 2);
	end_two();
}

/* Frames that are too short or too long are counted away, and the connection goes on. */
static void odd_frames_are_counted(void **)
{
	uint8_t buf[4096], *at = buf;

	open_two(0, 0, 20000);
	at = block_put_group(at, 4);
	at = block_put_size(at, 13);
	at += bed_frame(at, 0, 1, 1, 13);
	at = block_put_size(at, 0);
	at = block_put_size(at, 1601);
	at += bed_frame(at, 0, 1, 2, 1601);
	at = block_put_size(at, 1600);
	at += bed_frame(at, 0, 1, 3, 1600);
	tls_peer_write(&pa.tls, buf, at - buf);
	wait_frames(&pb, 1);
	assert_int_equal(pb.got[0].number, 3);
	end_two();
	assert_int_equal(a.final.port.drop_in[STATS_DROP_IN_SHORT], 1);
	assert_int_equal(a.final.port.drop_in[STATS_DROP_IN_LONG], 1);
	assert_int_equal(stats_in_frames(&a.final.port), 3);
}

/* A block over 3200 bytes closes the connection, not the session; what came before it is delivered. */
static void bad_block_closes_the_connection(void **)
{
	uint8_t buf[512], *at = buf;

	open_two(0, 1, 20000);
	at = block_put_group(at, 2);
	at = block_put_size(at, 60);
	at += bed_frame(at, 0, 1, 9, 60);
	at = block_put_size(at, 3201);
	tls_peer_write(&pa.tls, buf, at - buf);
	assert_true(bed_wait(connections_ended, &a));
	assert_int_equal(a.connection_why[0], SESSION_END_PROTOCOL);
	assert_true(a.stream_given[0]);
	wait_frames(&pb, 1);
	assert_false(a.ended);
	bed_pump();
	assert_int_equal(
		SSL_get_shutdown(pa.tls.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
	end_two();
}

/*
 * A mute peer, and one that trickles bytes of a block that never ends, are cut after the time-out with
 * close_notify, and the session, which heard nothing for as long, ends with it (hub.md 2: 20.3 s).
 */
static void timeout(void **)
{
	uint8_t head[8];
	uint64_t from = bed_now_ms(), cut;

	bed_open(&a, &pa, 0, 2000);
	wait_ready(&pa);
	block_put_size(block_put_group(head, 1), 100);
	tls_peer_write(&pa.tls, head, 8);
	while (!connections_ended(&a)) {
		tls_peer_write(&pa.tls, "", 1);
		bed_sleep_ms(20);
		bed_pump();
		assert_true(bed_now_ms() - from < 20000);
	}
	cut = bed_now_ms();
	assert_in_range(cut - from, 1990, 15000);
	assert_int_equal(a.connection_why[0], SESSION_END_TIMEOUT);
	assert_true(bed_wait(peer_saw_close_notify, &pa));
	while (!a.ended) {
		bed_pump();
		assert_true(bed_now_ms() - cut < 20000);
	}
	assert_in_range(bed_now_ms() - cut, 0, 1500);
	assert_int_equal(a.why, SESSION_END_TIMEOUT);
	assert_int_equal(hub_members(bed_hub), 0);
	bed_peer_close(&pa);
}

/* Silent on one connection, not on another that was lost: the session waits from what it heard last. */
static void mute_connection_of_a_live_session(void **)
{
	uint64_t from, heard = 0;

	bed_open(&a, &pa, 0, 1500);
	wait_ready(&pa);
	assert_int_equal(bed_add(&a, bed_connect(&pb, TLS1_3_VERSION), 50, SESSION_BOTH), 0);
	wait_ready(&pb);
	for (from = bed_now_ms(); bed_now_ms() - from < 800; bed_sleep_ms(20)) {
		heard = bed_now_ms();
		bed_send_keepalive(&pb);
		bed_pump();
	}
	bed_peer_close(&pb);
	while (a.connections_ended < 2)
		bed_pump();
	assert_int_equal(a.connection_id[0], 50); /* closed, or reset if a keep-alive was unread */
	assert_int_equal(a.connection_why[1], SESSION_END_TIMEOUT);
	while (!a.ended)
		bed_pump();
	assert_true(bed_now_ms() - heard >= 1490);
	assert_int_equal(a.why, SESSION_END_TIMEOUT);
	bed_peer_close(&pa);
}

/* ---- a worker that was off its CPU ------------------------------------------------------------- */

#define CROWD 300u

static struct lcore_fd crowd[CROWD];
static unsigned crowd_cnt;
static atomic_bool gate, held, crowd_there;

static void crowd_ready(struct lcore *, struct lcore_fd *lfd, uint32_t)
{
	uint64_t count;

	(void)!read(lfd->fd, &count, sizeof(count));
}

static void crowd_add(struct lcore *lc, struct lcore_msg *)
{
	for (unsigned i = 0; i < crowd_cnt; i++)
		(void)lcore_fd_add(lc, &crowd[i], EPOLLIN);
	atomic_store(&crowd_there, true);
}

static void crowd_del(struct lcore *lc, struct lcore_msg *)
{
	for (unsigned i = 0; i < crowd_cnt; i++)
		lcore_fd_del(lc, &crowd[i]);
	atomic_store(&crowd_there, false);
}

static void hold(struct lcore *, struct lcore_msg *)
{
	atomic_store(&held, true);
	while (!atomic_load(&gate))
		bed_sleep_ms(1);
}

static void post(void (*fn)(struct lcore *lc, struct lcore_msg *msg))
{
	assert_int_equal(lcore_msg_reserve(lcore_get(0), 1), 0);
	lcore_msg_post(lcore_get(0), &(struct lcore_msg){.fn = fn});
}

/* Until `gate`. Waited for, because a worker that wakes up looks at its sockets before it hears of this. */
static void hold_worker(void)
{
	atomic_store(&gate, false);
	atomic_store(&held, false);
	post(hold);
	while (!atomic_load(&held))
		bed_sleep_ms(1);
}

/* The worker stands still for longer than the time-out. The keep-alive that came meanwhile waits behind other sockets. */
static void pause_behind(unsigned sockets)
{
	const uint64_t one = 1;

	crowd_cnt = sockets;
	bed_open(&a, &pa, 0, 1000);
	wait_ready(&pa);
	for (unsigned i = 0; i < crowd_cnt; i++) {
		crowd[i] = (struct lcore_fd){.fd = eventfd(0, EFD_NONBLOCK), .ready = crowd_ready};
		assert_true(crowd[i].fd >= 0);
	}
	post(crowd_add);
	while (!atomic_load(&crowd_there))
		bed_sleep_ms(1);
	hold_worker();
	for (unsigned i = 0; i < crowd_cnt; i++)
		assert_int_equal(write(crowd[i].fd, &one, sizeof(one)), sizeof(one));
	bed_send_keepalive(&pa);
	bed_sleep_ms(1200);
	atomic_store(&gate, true);
	bed_sleep_ms(50);
	post(crowd_del);
	while (atomic_load(&crowd_there))
		bed_sleep_ms(1);
	bed_pump();
	assert_int_equal(a.connections_ended, 0);
	bed_end(&a, SESSION_END_ADMIN);
	assert_int_equal(a.final.keepalives_in, 1);
	for (unsigned i = 0; i < crowd_cnt; i++)
		close(crowd[i].fd);
	bed_peer_close(&pa);
}

/*
 * It is heard before the connection is judged, also behind more sockets than several turns take; and it counts as heard
 * now, not when the turn began that was held up.
 */
static void a_pause_of_the_worker_is_not_the_peers(void **)
{
	pause_behind(CROWD);
	pause_behind(0);
}

/* ---- a peer of tiny records ------------------------------------------------------------------- */

static struct {
	struct lcore_task task;
	uint64_t seen, most;
	atomic_bool stop;
} sampler;

/* How many keep-alives, one record each, the worker takes in one turn. */
static void sample(struct lcore *lc, struct lcore_task *task)
{
	struct session_counters now;

	session_view(a.s, &now);
	if (now.keepalives_in - sampler.seen > sampler.most)
		sampler.most = now.keepalives_in - sampler.seen;
	sampler.seen = now.keepalives_in;
	if (!atomic_load(&sampler.stop))
		lcore_task_add(lc, task);
}

static void sampler_start(struct lcore *lc, struct lcore_msg *)
{
	sampler.task.run = sample;
	lcore_task_add(lc, &sampler.task);
}

static bool all_sampled(void *)
{
	struct session_counters now;

	session_view(a.s, &now);
	return now.keepalives_in == 1500;
}

/* What one recv brought is gone through in several turns, completely and in order. */
static void tiny_records_take_turns(void **)
{
	open_two(0, 1, 20000);
	memset(&sampler, 0, sizeof(sampler));
	post(sampler_start);
	hold_worker();
	for (unsigned i = 0; i < 1500; i++)
		bed_send_keepalive(&pa);
	bed_send_frames(&pa, 0, 1, 77, 1, 60);
	atomic_store(&gate, true);
	wait_frames(&pb, 1);
	assert_int_equal(pb.got[0].number, 77);
	assert_true(bed_wait(all_sampled, NULL));
	bed_sleep_ms(20);
	atomic_store(&sampler.stop, true);
	bed_sleep_ms(20);
	/* Twice the share of 256 where the end of a backlog and a recv meet in a turn. */
	assert_in_range(sampler.most, 100, 512);
	/* The last words of a peer that closes behind them are heard as well. */
	hold_worker();
	for (unsigned i = 0; i < 600; i++)
		bed_send_keepalive(&pa);
	bed_send_frames(&pa, 0, 1, 78, 1, 60);
	assert_int_equal(shutdown(pa.tls.fd, SHUT_WR), 0);
	atomic_store(&gate, true);
	wait_frames(&pb, 2);
	assert_int_equal(pb.got[1].number, 78);
	assert_true(bed_wait(connections_ended, &a));
	assert_int_equal(a.connection_why[0], SESSION_END_PEER_CLOSED);
	end_two();
}

/* ---- system calls ------------------------------------------------------------------------------ */

#define FDS 1024

static _Thread_local bool counts_sends; /* worker 0, while the test below runs */
static struct {
	struct lcore_task task;
	unsigned in_turn[FDS], most, all;
	atomic_bool on;
} sends;

/* The C library's, for this program. */
ssize_t send(int fd, const void *buf, size_t size, int flags)
{
	if (counts_sends && fd < FDS) {
		sends.in_turn[fd]++;
		sends.all++;
	}
	return sendto(fd, buf, size, flags, NULL, 0);
}

static void sends_turn(struct lcore *lc, struct lcore_task *task)
{
	for (unsigned fd = 0; fd < FDS; fd++) {
		if (sends.in_turn[fd] > sends.most)
			sends.most = sends.in_turn[fd];
		sends.in_turn[fd] = 0;
	}
	counts_sends = atomic_load(&sends.on);
	if (counts_sends)
		lcore_task_add(lc, task);
}

static void sends_start(struct lcore *lc, struct lcore_msg *)
{
	sends.task.run = sends_turn;
	lcore_task_add(lc, &sends.task);
}

static bool sends_over(void *)
{
	return !atomic_load(&sends.on) && lcore_quiet();
}

/* However many records bring what a session is sent in a turn, it leaves by one send() in one record. */
static void one_send_a_turn(void **)
{
	struct bed_session c;

	open_two(0, 0, 20000);
	bed_open(&c, &pc, 0, 20000);
	wait_ready(&pc);
	bed_send_frames(&pb, 0, 2, 0, 1, 60);
	wait_frames(&pa, 1);
	memset(&sends, 0, sizeof(sends));
	atomic_store(&sends.on, true);
	post(sends_start);
	hold_worker();
	for (unsigned i = 0; i < 20; i++) {
		bed_send_frames(&pa, 2, 1, i, 1, 100);
		bed_send_frames(&pc, 2, 3, i, 1, 100);
	}
	atomic_store(&gate, true);
	wait_frames(&pb, 40);
	atomic_store(&sends.on, false);
	assert_true(bed_wait(sends_over, NULL));
	bed_end(&c, SESSION_END_ADMIN);
	bed_peer_close(&pc);
	end_two();
	assert_int_equal(sends.most, 1);
	assert_in_range(sends.all, 1, 10); /* not the 40 that came */
}

/* Keep-alives alone keep it up, and ours come as often as wire.md 6.7 says. */
static void keepalives_keep_it_up(void **)
{
	uint64_t from;
	unsigned sent = 0;

	bed_open(&a, &pa, 1, 500);
	wait_ready(&pa);
	from = bed_now_ms();
	while (bed_now_ms() - from < 1500) {
		bed_send_keepalive(&pa);
		sent++;
		for (int i = 0; i < 20; i++) {
			bed_sleep_ms(4);
			bed_pump();
		}
	}
	assert_int_equal(a.connections_ended, 0);
	/* 1500 ms at 100..250 ms each; the bed is not a real-time system. */
	assert_in_range(pa.keepalives, 4, 17);
	bed_end(&a, SESSION_END_ADMIN);
	assert_int_equal(a.final.keepalives_in, sent);
	assert_int_equal(a.final.keepalives_out, pa.keepalives);
	bed_peer_close(&pa);
}

#define SYN_BYTES  60u
#define SYN_MSS_AT (14u + 20u + 20u + 2u)

/* A TCP SYN to everybody that can take segments of 1460 bytes, as the last frame so far. */
static void send_syn(struct bed_peer *p, unsigned src)
{
	uint8_t buf[BLOCK_GROUP_HEADER + BLOCK_HEADER + SYN_BYTES] = {0};
	uint8_t *frame = block_put_size(block_put_group(buf, 1), SYN_BYTES);

	bed_frame(frame, 0, src, 0, SYN_BYTES);
	be16_put(frame + 12, 0x0800);
	frame[14] = 0x45;
	be16_put(frame + 16, 44); /* bytes of the packet */
	frame[22] = 64;
	frame[23] = 6;
	be32_put(frame + 26, 0x0a000001);
	be32_put(frame + 30, 0x0a000002);
	frame[46] = 6 << 4; /* bytes of the header, in words */
	frame[47] = 0x02;   /* SYN */
	frame[54] = 2;
	frame[55] = 4;
	be16_put(frame + SYN_MSS_AT, 1460);
	tls_peer_write(&p->tls, buf, sizeof(buf));
}

static uint16_t syn_through(struct bed_peer *from, unsigned src, struct bed_peer *to)
{
	unsigned before = to->frames;

	send_syn(from, src);
	wait_frames(to, before + 1);
	return be16_get(to->last + SYN_MSS_AT);
}

/* A session's own bound holds TCP to it both ways, and DisableAdjustTcpMss switches that off as well (hub.md 3). */
static void segment_size(void **)
{
	const struct session_conf conf = {
		.worker = 1, .timeout_ms = 20000, .max_connections = 1, .adjust_mss = 1200};
	struct hub_options options = *hub_get_options(bed_hub);

	bed_open(&a, &pa, 0, 20000);
	bed_open_conf(&b, &pb, &conf);
	wait_ready(&pa);
	wait_ready(&pb);
	assert_int_equal(syn_through(&pb, 2, &pa), 1200);
	assert_int_equal(syn_through(&pa, 1, &pb), 1200);
	options.disable_adjust_tcp_mss = true;
	assert_int_equal(hub_set_options(bed_hub, &options), 0);
	assert_int_equal(syn_through(&pb, 2, &pa), 1460);
	assert_int_equal(syn_through(&pa, 1, &pb), 1460);
	end_two();
}

/* The session ends by itself while the control thread, unaware, hands it a connection. */
static void add_meets_the_end(void **)
{
	struct stream *s;

	bed_open(&a, &pa, 0, 300);
	wait_ready(&pa);
	s = bed_connect(&pb, TLS1_3_VERSION);
	/* Nobody pumps events: the worker ends connection and session on its own. */
	bed_sleep_ms(1200);
	assert_int_equal(hub_members(bed_hub), 0);
	assert_int_equal(bed_add(&a, s, 99, SESSION_BOTH), 0);
	assert_int_equal(session_connection_close(a.s, 99, SESSION_END_ADMIN), 0);
	assert_true(bed_wait(peer_saw_close_notify, &pb));
	while (!a.ended)
		bed_pump();
	assert_int_equal(a.why, SESSION_END_TIMEOUT);
	assert_int_equal(a.connections_ended, 2);
	assert_int_equal(a.connection_why[1], SESSION_END_SESSION_GONE);
	assert_true(a.stream_given[1]);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
}

/* After session_end() the caller keeps its stream; ending twice is ending once. */
static void add_after_end_is_refused(void **)
{
	struct stream *s;

	bed_open(&a, &pa, 1, 20000);
	s = bed_connect(&pb, TLS1_3_VERSION);
	session_end(a.s, SESSION_END_HUB_DOWN);
	session_end(a.s, SESSION_END_ADMIN);
	assert_int_equal(bed_add(&a, s, 99, SESSION_BOTH), -ENOTCONN);
	assert_int_equal(session_connection_close(a.s, 1, SESSION_END_ADMIN), 0);
	while (!a.ended)
		bed_pump();
	assert_int_equal(a.why, SESSION_END_HUB_DOWN);
	assert_int_equal(a.connections_ended, 1);
	stream_close(s);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
}

/* The worker's message ring is full when the session is to end: it ends later, and nobody waits for it. */
static void end_finds_no_room(void **)
{
	struct lcore *lc = lcore_get(0);
	unsigned places = 0;
	struct stream *s;

	bed_open(&a, &pa, 0, 20000);
	wait_ready(&pa);
	s = bed_connect(&pb, TLS1_3_VERSION);
	while (lcore_msg_reserve(lc, 1) == 0)
		places++;
	assert_true(places > 100);
	assert_int_equal(bed_add(&a, s, 9, SESSION_BOTH), -EAGAIN);
	assert_int_equal(session_connection_close(a.s, 1, SESSION_END_ADMIN), -EAGAIN);
	session_end(a.s, SESSION_END_ADMIN);
	for (int i = 0; i < 20; i++)
		bed_pump();
	assert_false(a.ended);
	lcore_msg_unreserve(lc, places);
	while (!a.ended)
		bed_pump();
	assert_int_equal(a.why, SESSION_END_ADMIN);
	assert_true(bed_wait(peer_saw_close_notify, &pa));
	stream_close(s);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
}

/* What an abandoned or refused session reserved is free again. */
static void abandon_gives_everything_back(void **)
{
	struct lcore_view before, after;
	uint32_t idx;

	lcore_view(0, &before);
	bed_open(&a, NULL, 0, 20000);
	idx = session_port_idx(a.s);
	assert_true(idx != 0);
	lcore_view(0, &after);
	assert_int_equal(after.msgs_reserved, before.msgs_reserved + 1);
	session_abandon(a.s);
	lcore_view(0, &after);
	assert_int_equal(after.msgs_reserved, before.msgs_reserved);
}

/* Many at once on both workers, one flood reaches all of them, all end together. */
static void many_sessions(void **)
{
	enum {
		CNT = 8
	};
	static struct bed_peer p[CNT];
	static struct bed_session s[CNT];

	for (unsigned i = 0; i < CNT; i++) {
		bed_open(&s[i], &p[i], i % 2, 20000);
		wait_ready(&p[i]);
	}
	bed_send_frames(&p[0], 0, 1, 0, 50, 300);
	for (unsigned i = 1; i < CNT; i++)
		wait_frames(&p[i], 50);
	assert_int_equal(p[0].frames, 0);
	for (unsigned i = 0; i < CNT; i++)
		session_end(s[i].s, SESSION_END_SHUTDOWN);
	for (unsigned i = 0; i < CNT; i++) {
		while (!s[i].ended)
			bed_pump();
		assert_int_equal(s[i].connections_ended, 1);
		assert_true(bed_wait(peer_saw_close_notify, &p[i]));
		bed_peer_close(&p[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO_TEST(exchange_on_one_worker),
		TWO_TEST(exchange_across_workers),
		TWO_TEST(exchange_raw),
		TWO_TEST(blocks_cut_anywhere),
		TWO_TEST(odd_frames_are_counted),
		TWO_TEST(bad_block_closes_the_connection),
		TWO_TEST(timeout),
		TWO_TEST(mute_connection_of_a_live_session),
		TWO_TEST(a_pause_of_the_worker_is_not_the_peers),
		TWO_TEST(tiny_records_take_turns),
		TWO_TEST(one_send_a_turn),
		TWO_TEST(keepalives_keep_it_up),
		TWO_TEST(segment_size),
		TWO_TEST(add_meets_the_end),
		TWO_TEST(add_after_end_is_refused),
		TWO_TEST(end_finds_no_room),
		TWO_TEST(abandon_gives_everything_back),
		TWO_TEST(many_sessions),
	};

	return two_run(tests);
}
