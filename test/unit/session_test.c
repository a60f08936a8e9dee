/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drivers/session as a whole: peers that speak the data phase, real workers, a real hub. Every test that
 * moves frames ends with the books of hub, lcores and sessions adding up (bed_hub_close()).
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_common.h>
#include <zlib.h>

#include "drivers/session/staging.h"
#include "test/unit/session_bed.h"

static struct bed_peer pa, pb, pc;
static struct bed_session a, b;

static int setup(void **)
{
	bed_hub_open();
	return 0;
}

static int teardown(void **)
{
	bed_hub_close();
	return 0;
}

static bool got_frames(void *arg)
{
	struct bed_peer **of = arg;

	return of[0]->frames >= (uintptr_t)of[1];
}

static void wait_frames(struct bed_peer *p, unsigned n)
{
	struct bed_peer *arg[2] = {p, (struct bed_peer *)(uintptr_t)n};

	assert_true(bed_wait(got_frames, arg));
}

static bool connections_ended(void *arg)
{
	return ((struct bed_session *)arg)->connections_ended > 0;
}

/*
 * `cnt` frames for a session, numbered from 0, until all are in its accounts: in portions, because the ring
 * between two workers holds 1024 and one of them may be off its CPU.
 */
static void send_copies(struct bed_peer *p, unsigned dst, unsigned src, unsigned cnt, size_t len,
	const struct bed_session *to, struct session_counters *now)
{
	uint64_t until = bed_now_ms() + 15000, before;

	session_view(to->s, now);
	before = now->port.copies;
	for (unsigned sent = 0; sent < cnt;) {
		unsigned n = cnt - sent < 100 ? cnt - sent : 100;

		bed_send_frames(p, dst, src, sent, n, len);
		sent += n;
		do {
			bed_pump();
			assert_false(to->ended);
			session_view(to->s, now);
			assert_true(bed_now_ms() < until);
		} while (now->port.copies < before + sent);
	}
}

static bool has_keepalive(void *arg)
{
	return ((struct bed_peer *)arg)->keepalives > 0;
}

/* The first keep-alive says that the session stands in its hub. */
static void wait_ready(struct bed_peer *p)
{
	assert_true(bed_wait(has_keepalive, p));
}

static void open_two(unsigned worker_a, unsigned worker_b, uint32_t timeout_ms)
{
	bed_open(&a, &pa, worker_a, timeout_ms);
	bed_open(&b, &pb, worker_b, timeout_ms);
	wait_ready(&pa);
	wait_ready(&pb);
}

static void end_two(void)
{
	bed_end(&a, SESSION_END_ADMIN);
	bed_end(&b, SESSION_END_ADMIN);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
}

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

/* ---- compression (wire.md 6.4) ----------------------------------------------------------------- */

/* In order and complete both ways, whatever the frames are made of; a wave that takes many turns' shares. */
static void compressed(bool raw, bool noise, unsigned worker_b)
{
	bed_modes = (struct bed_modes){.raw = raw, .compress = true, .noise = noise};
	open_two(0, worker_b, 20000);
	bed_send_frames(&pa, 0, 1, 0, 1, 60);
	wait_frames(&pb, 1);
	bed_send_frames(&pb, 1, 2, 7, 1, 42);
	wait_frames(&pa, 1);
	assert_int_equal(pa.got[0].len, 42);
	for (unsigned i = 0; i < 3; i++) {
		bed_send_frames(&pa, 2, 1, 1000 + i * 1000, 1000, i == 1 ? 64 : 1514);
		wait_frames(&pb, 1 + (i + 1) * 1000);
		bed_send_frames(&pb, 1, 2, 5000 + i * 200, 200, 14 + i * 793);
		wait_frames(&pa, 1 + (i + 1) * 200);
	}
	for (unsigned i = 0; i < 3000; i++) {
		assert_int_equal(pb.got[1 + i].number, 1000 + i);
		assert_int_equal(pb.got[1 + i].len, i / 1000 == 1 ? 64 : 1514);
	}
	for (unsigned i = 200; i < 600; i++)
		assert_int_equal(pa.got[1 + i].number, 5000 + i);
	end_two();
	bed_modes = (struct bed_modes){0};
	assert_int_equal(stats_sent_frames(&b.final.port), 3001);
	assert_int_equal(b.final.port.out.unicast_bytes, 2000 * 1514 + 1000 * 64);
	assert_int_equal(stats_in_frames(&a.final.port), 3001);
	assert_int_equal(a.final.port.in.unicast_bytes, 2000 * 1514 + 1000 * 64);
	if (noise)
		assert_in_range(b.final.wire_bytes_out, 2000 * 1500, 2000 * 1570 + 1000 * 110);
	else
		assert_in_range(b.final.wire_bytes_out, 1, 2000 * 100 + 1000 * 80);
}

static void compressed_tls(void **)
{
	compressed(false, false, 0);
}

static void compressed_raw(void **)
{
	compressed(true, false, 1);
}

static void compressed_in_vain(void **)
{
	compressed(false, true, 1);
}

/* What is no frame once inflated is dropped under its reason, and the connection goes on (wire.md 6.1). */
static void odd_compressed_blocks(void **)
{
	static const uint8_t zeros[400000];
	static const unsigned sizes[] = {13, 1601, 400000, 0, 1600};
	uint8_t buf[8192], *at = buf, frame[1600];

	bed_modes.compress = true;
	open_two(0, 1, 20000);
	at = block_put_group(at, RTE_DIM(sizes) + 1);
	at = block_put_size(at, 50); /* no zlib stream */
	memset(at, 0x55, 50);
	at += 50;
	for (unsigned i = 0; i < RTE_DIM(sizes); i++) {
		uLongf bytes = BLOCK_SIZE_MAX;
		const uint8_t *in = zeros;

		if (sizes[i] == 1600) {
			bed_frame(frame, 0, 1, 99, 1600);
			in = frame;
		}
		assert_int_equal(compress(at + BLOCK_HEADER, &bytes, in, sizes[i]), Z_OK);
		at = block_put_size(at, (uint32_t)bytes) + bytes;
	}
	tls_peer_write(&pa.tls, buf, at - buf);
	wait_frames(&pb, 1);
	assert_int_equal(pb.got[0].number, 99);
	assert_int_equal(pb.got[0].len, 1600);
	end_two();
	bed_modes.compress = false;
	assert_int_equal(a.final.port.drop_in[STATS_DROP_IN_SHORT], 2); /* 13 bytes, none */
	assert_int_equal(a.final.port.drop_in[STATS_DROP_IN_INFLATES], 2);
	assert_int_equal(a.final.port.drop_in[STATS_DROP_IN_MALFORMED], 1);
	assert_int_equal(stats_in_frames(&a.final.port), 6);
}

/* Blocks of a few bytes that each are a full frame: hundreds in a record, gone through in several turns. */
static void dense_compressed_blocks(void **)
{
	static uint8_t buf[STREAM_RECORD_BYTES];
	uint8_t *at = buf + BLOCK_GROUP_HEADER, frame[1600], block[100];
	uLongf bytes = sizeof(block);
	unsigned n = 0;

	bed_modes.compress = true;
	open_two(0, 0, 20000);
	bed_frame(
		frame, 1, 1, 5, 1600); /* from and to itself: all that it costs is to inflate it */
	assert_int_equal(compress(block, &bytes, frame, sizeof(frame)), Z_OK);
	while (at + BLOCK_HEADER + bytes <= buf + sizeof(buf)) {
		at = block_put_size(at, (uint32_t)bytes);
		memcpy(at, block, bytes);
		at += bytes;
		n++;
	}
	assert_true(n > 200);
	block_put_group(buf, n);
	for (unsigned i = 0; i < 32; i++)
		tls_peer_write(&pa.tls, buf, at - buf);
	bed_send_frames(&pa, 0, 1, 77, 1, 60); /* behind all of them */
	wait_frames(&pb, 1);
	assert_int_equal(pb.got[0].number, 77);
	end_two();
	bed_modes.compress = false;
	assert_int_equal(a.final.port.drop_in[STATS_DROP_IN_BAD_SOURCE], 32 * n);
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

static bool peer_saw_close_notify(void *arg)
{
	return SSL_get_shutdown(((struct bed_peer *)arg)->tls.ssl) & SSL_RECEIVED_SHUTDOWN;
}

/*
 * A mute peer, and one that trickles bytes of a block that never ends, are cut after the time-out with
 * close_notify, and the session, which heard nothing for as long, ends with it (hub.md 2: 20.3 s).
 */
static void timeout(void **)
{
	uint8_t head[8];
	uint64_t from = bed_now_ms(), cut;

	bed_open(&a, &pa, 0, 400);
	wait_ready(&pa);
	block_put_size(block_put_group(head, 1), 100);
	tls_peer_write(&pa.tls, head, 8);
	while (!connections_ended(&a)) {
		tls_peer_write(&pa.tls, "", 1);
		bed_sleep_ms(20);
		bed_pump();
		assert_true(bed_now_ms() - from < 5000);
	}
	cut = bed_now_ms();
	assert_in_range(cut - from, 390, 1500);
	assert_int_equal(a.connection_why[0], SESSION_END_TIMEOUT);
	assert_true(bed_wait(peer_saw_close_notify, &pa));
	while (!a.ended) {
		bed_pump();
		assert_true(bed_now_ms() - cut < 5000);
	}
	assert_in_range(bed_now_ms() - cut, 0, 300);
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
static atomic_bool gate, crowd_there;

static void crowd_ready(struct lcore *, struct lcore_fd *lfd, uint32_t)
{
	uint64_t count;

	(void)!read(lfd->fd, &count, sizeof(count));
}

static void crowd_add(struct lcore *lc, struct lcore_msg *)
{
	for (unsigned i = 0; i < CROWD; i++)
		(void)lcore_fd_add(lc, &crowd[i], EPOLLIN);
	atomic_store(&crowd_there, true);
}

static void crowd_del(struct lcore *lc, struct lcore_msg *)
{
	for (unsigned i = 0; i < CROWD; i++)
		lcore_fd_del(lc, &crowd[i]);
	atomic_store(&crowd_there, false);
}

static void hold(struct lcore *, struct lcore_msg *)
{
	while (!atomic_load(&gate))
		bed_sleep_ms(1);
}

static void post(void (*fn)(struct lcore *lc, struct lcore_msg *msg))
{
	assert_int_equal(lcore_msg_reserve(lcore_get(0), 1), 0);
	lcore_msg_post(lcore_get(0), &(struct lcore_msg){.fn = fn});
}

/*
 * The worker stands still for longer than the time-out. The keep-alive that came meanwhile waits behind
 * more ready sockets than several turns take: it is heard before the connection is judged.
 */
static void a_pause_of_the_worker_is_not_the_peers(void **)
{
	const uint64_t one = 1;

	bed_open(&a, &pa, 0, 1000);
	wait_ready(&pa);
	for (unsigned i = 0; i < CROWD; i++) {
		crowd[i] = (struct lcore_fd){.fd = eventfd(0, EFD_NONBLOCK), .ready = crowd_ready};
		assert_true(crowd[i].fd >= 0);
	}
	post(crowd_add);
	while (!atomic_load(&crowd_there))
		bed_sleep_ms(1);
	atomic_store(&gate, false);
	post(hold);
	for (unsigned i = 0; i < CROWD; i++)
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
	for (unsigned i = 0; i < CROWD; i++)
		close(crowd[i].fd);
	bed_peer_close(&pa);
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
	atomic_store(&gate, false);
	post(sampler_start);
	post(hold);
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
	atomic_store(&gate, false);
	post(hold);
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

/* The connection is lost, the session stays, what came for it waits, and a new connection brings it. */
static void lost_connection_is_replaced(void **)
{
	struct session_counters now;

	open_two(0, 1, 20000);
	bed_send_frames(&pb, 0, 2, 1, 1, 60);
	wait_frames(&pa, 1);
	bed_peer_close(&pb);
	assert_true(bed_wait(connections_ended, &b));
	assert_int_equal(b.connection_why[0], SESSION_END_PEER_CLOSED);
	assert_false(b.ended);
	/* 1024 wait, the rest is dropped and counted. */
	send_copies(&pa, 2, 1, 1100, 60, &b, &now);
	assert_int_equal(now.queued_frames, 1024);
	assert_int_equal(now.port.drop_out[STATS_DROP_OUT_NO_CONNECTION], 76);
	assert_int_equal(now.connections, 0);
	assert_int_equal(bed_add(&b, bed_connect(&pb, TLS1_2_VERSION), 777, SESSION_BOTH), 0);
	wait_frames(&pb, 1024);
	for (unsigned i = 0; i < 1024; i++)
		assert_int_equal(pb.got[i].number, i);
	bed_send_frames(&pb, 1, 2, 42, 1, 60);
	wait_frames(&pa, 2);
	end_two();
	assert_int_equal(b.connections_ended, 2);
	assert_int_equal(b.connection_id[1], 777);
	assert_int_equal(b.final.connections_joined, 2);
}

/* Reset by the network: nothing to say goodbye to, the session lives on. */
static void reset_connection(void **)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};

	bed_open(&a, &pa, 0, 20000);
	wait_ready(&pa);
	assert_int_equal(setsockopt(pa.tls.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard)), 0);
	bed_peer_close(&pa);
	assert_true(bed_wait(connections_ended, &a));
	assert_int_equal(a.connection_why[0], SESSION_END_RESET);
	assert_false(a.stream_given[0]);
	assert_false(a.ended);
	bed_end(&a, SESSION_END_HUB_DOWN);
}

/* Granted one: a second is tolerated, a third is not. */
static void one_more_than_granted(void **)
{
	bed_open(&a, &pa, 0, 20000);
	wait_ready(&pa);
	assert_int_equal(bed_add(&a, bed_connect(&pb, TLS1_3_VERSION), 50, SESSION_BOTH), 0);
	wait_ready(&pb);
	assert_int_equal(bed_add(&a, bed_connect(&pc, TLS1_3_VERSION), 51, SESSION_BOTH), 0);
	assert_true(bed_wait(connections_ended, &a));
	assert_int_equal(a.connection_id[0], 51);
	assert_int_equal(a.connection_why[0], SESSION_END_TOO_MANY);
	assert_true(bed_wait(peer_saw_close_notify, &pc));
	/* One of the two closed on request: the other carries on. */
	assert_int_equal(session_connection_close(a.s, 50, SESSION_END_ADMIN), 0);
	assert_true(bed_wait(peer_saw_close_notify, &pb));
	assert_int_equal(session_connection_close(a.s, 4711, SESSION_END_ADMIN), 0); /* nobody */
	bed_end(&a, SESSION_END_ADMIN);
	assert_int_equal(a.connections_ended, 3);
	assert_true(bed_wait(peer_saw_close_notify, &pa));
	bed_peer_close(&pa);
	bed_peer_close(&pb);
	bed_peer_close(&pc);
}

/* With two connections frames leave over the one that joined last (wire.md 6.5). */
static void youngest_connection_carries(void **)
{
	open_two(0, 0, 20000);
	assert_int_equal(bed_add(&b, bed_connect(&pc, TLS1_3_VERSION), 60, SESSION_BOTH), 0);
	wait_ready(&pc);
	bed_send_frames(&pa, 0, 1, 0, 500, 200);
	wait_frames(&pc, 500);
	assert_int_equal(pb.frames, 0);
	/* A connection that only receives carries nothing out, not even keep-alives. */
	assert_int_equal(session_connection_close(b.s, 60, SESSION_END_ADMIN), 0);
	assert_true(bed_wait(peer_saw_close_notify, &pc));
	bed_peer_close(&pc);
	assert_int_equal(
		bed_add(&b, bed_connect(&pc, TLS1_3_VERSION), 61, SESSION_CLIENT_TO_SERVER), 0);
	bed_send_frames(&pa, 0, 1, 0, 10, 200);
	wait_frames(&pb, 10);
	bed_send_frames(&pc, 0, 2, 5, 1, 60);
	wait_frames(&pa, 1);
	assert_int_equal(pc.frames, 0);
	assert_int_equal(pc.keepalives, 0);
	end_two();
	bed_peer_close(&pc);
}

enum {
	MANY = 8
};
static struct bed_peer many[MANY];

/* Frames of a round, by their numbers, on whatever connection they came. */
static bool round_complete(void *arg)
{
	unsigned first = *(unsigned *)arg, cnt = 0;

	for (unsigned i = 0; i < MANY; i++) {
		for (unsigned k = 0; k < many[i].frames; k++)
			cnt += many[i].got[k].number - first < 50;
	}
	return cnt == 50;
}

static unsigned not_given_back(void)
{
	return MANY - b.connections_ended;
}

static bool all_given_back(void *)
{
	return not_given_back() == 0;
}

/*
 * Of eight connections the favourite is not read, so others take over and nothing is lost (wire.md 6.5);
 * then they end one after the other by either side, and those that are left carry on.
 */
static void connections_come_and_go(void **)
{
	unsigned sent = 0, first = 1000000;

	bed_open(&a, &pa, 0, 20000);
	bed_open_many(&b, &many[0], 1, 20000, MANY);
	wait_ready(&pa);
	wait_ready(&many[0]);
	for (unsigned i = 1; i < MANY; i++) {
		assert_int_equal(
			bed_add(&b, bed_connect(&many[i], TLS1_3_VERSION), 100 + i, SESSION_BOTH),
			0);
		wait_ready(&many[i]);
	}
	bed_peer_neglect(&many[MANY - 1]);
	/* Frame for frame behind what has come, until the socket nobody reads holds what it can. */
	while (many[MANY - 2].frames < 200 && sent < 40000) {
		bed_send_frames(&pa, 0, 1, sent, 100, 1514);
		sent += 100;
		bed_pump();
	}
	assert_true(many[MANY - 2].frames >= 200);
	bed_peer_close(&many[MANY - 1]);
	for (unsigned i = MANY - 2; i > 0; i--) {
		if (i % 2)
			assert_int_equal(
				session_connection_close(b.s, 100 + i, SESSION_END_ADMIN), 0);
		else
			bed_peer_close(&many[i]);
		while (not_given_back() > i)
			bed_pump();
		if (i % 2)
			bed_peer_close(&many[i]);
		first += 50;
		bed_send_frames(&pa, 0, 1, first, 50, 300);
		assert_true(bed_wait(round_complete, &first));
	}
	bed_end(&a, SESSION_END_ADMIN);
	bed_end(&b, SESSION_END_ADMIN);
	assert_true(bed_wait(all_given_back, NULL));
	assert_int_equal(b.final.connections_joined, MANY);
	assert_int_equal(b.final.port.drop_out[STATS_DROP_OUT_STAGING_FULL], 0);
	assert_int_equal(b.final.port.drop_out[STATS_DROP_OUT_STAGING_FLOOD], 0);
	bed_peer_close(&pa);
	bed_peer_close(&many[0]);
}

/*
 * Half duplex (wire.md 5.3): frames and keep-alives go where the direction allows, what has no way out
 * waits, and each direction lives and dies by itself.
 */
static void half_duplex(void **)
{
	const struct session_conf conf = {
		.worker = 1, .timeout_ms = 20000, .max_connections = 3, .half_duplex = true};
	struct session_counters now;

	bed_open(&a, &pa, 0, 20000);
	wait_ready(&pa);
	bed_open_conf(&b, &pb, &conf);
	bed_send_frames(&pb, 0, 2, 7, 1, 60); /* client to server: the first connection */
	wait_frames(&pa, 1);
	send_copies(&pa, 2, 1, 1100, 100, &b, &now);
	assert_int_equal(now.queued_frames, STAGING_FRAMES_ALONE);
	assert_int_equal(
		now.port.drop_out[STATS_DROP_OUT_NO_CONNECTION], 1100 - STAGING_FRAMES_ALONE);
	assert_int_equal(pb.keepalives, 0);
	assert_int_equal(
		bed_add(&b, bed_connect(&pc, TLS1_3_VERSION), 50, SESSION_SERVER_TO_CLIENT), 0);
	wait_frames(&pc, STAGING_FRAMES_ALONE);
	assert_true(pc.keepalives > 0);
	/* The way in dies: the way out goes on, and the other way round. */
	bed_peer_close(&pb);
	assert_true(bed_wait(connections_ended, &b));
	bed_send_frames(&pa, 2, 1, 0, 10, 100);
	wait_frames(&pc, STAGING_FRAMES_ALONE + 10);
	assert_int_equal(
		bed_add(&b, bed_connect(&pb, TLS1_3_VERSION), 51, SESSION_CLIENT_TO_SERVER), 0);
	bed_send_frames(&pb, 1, 2, 8, 1, 60);
	wait_frames(&pa, 2);
	bed_peer_close(&pc);
	while (b.connections_ended < 2)
		bed_pump();
	bed_send_frames(&pb, 1, 2, 9, 1, 60);
	wait_frames(&pa, 3);
	assert_int_equal(pb.frames + pb.keepalives, 0);
	bed_end(&a, SESSION_END_ADMIN);
	bed_end(&b, SESSION_END_ADMIN);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
}

/* What the server sends on has no receive time-out; what it receives on has (wire.md 6.8). */
static void half_duplex_time_outs(void **)
{
	const struct session_conf conf = {
		.timeout_ms = 500, .max_connections = 2, .half_duplex = true};
	uint64_t from = bed_now_ms();

	bed_open_conf(&a, &pa, &conf);
	assert_int_equal(
		bed_add(&a, bed_connect(&pb, TLS1_3_VERSION), 50, SESSION_SERVER_TO_CLIENT), 0);
	while (bed_now_ms() - from < 1500) {
		if (bed_now_ms() - from < 750)
			bed_send_keepalive(&pa);
		bed_pump();
		bed_sleep_ms(20);
	}
	assert_int_equal(a.connections_ended, 1);
	assert_int_equal(a.connection_why[0], SESSION_END_TIMEOUT);
	assert_int_not_equal(a.connection_id[0], 50);
	assert_true(pb.keepalives > 1);
	assert_false(a.ended);
	bed_end(&a, SESSION_END_ADMIN);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
}

/* The dialling side is the same code with the directions turned round. */
static void half_duplex_as_client(void **)
{
	const struct session_conf conf = {
		.timeout_ms = 20000, .max_connections = 2, .half_duplex = true, .client = true};

	bed_open_conf(&a, &pa, &conf);
	wait_ready(&pa);
	assert_int_equal(
		bed_add(&a, bed_connect(&pb, TLS1_3_VERSION), 50, SESSION_SERVER_TO_CLIENT), 0);
	bed_open(&b, &pc, 0, 20000);
	wait_ready(&pc);
	bed_send_frames(&pb, 0, 1, 1, 20, 60);
	wait_frames(&pc, 20);
	bed_send_frames(&pc, 1, 2, 1, 20, 60);
	wait_frames(&pa, 20);
	assert_int_equal(pb.frames + pb.keepalives, 0);
	end_two();
	bed_peer_close(&pc);
}

#define FIRST 1000000u /* numbers of frames that go first */

/* `cnt` broadcast frames that go first in sessions with priority, numbered from `number`. */
static void send_first(struct bed_peer *p, unsigned src, uint32_t number, unsigned cnt)
{
	uint8_t buf[4096], *at = block_put_group(buf, cnt);

	for (unsigned i = 0; i < cnt; i++) {
		uint8_t *frame = block_put_size(at, 60);

		at = frame + bed_frame(frame, 0, src, FIRST + number + i, 60);
		be16_put(frame + 12, 0x0800);
		/* The number stands where lengths do, which the hub believes: a broadcast of any kind will do. */
		frame[15] = 0xb8;
	}
	tls_peer_write(&p->tls, buf, at - buf);
}

static unsigned firsts(const struct bed_peer *p)
{
	unsigned n = 0;

	for (unsigned i = 0; i < p->frames; i++)
		n += p->got[i].number >= FIRST;
	return n;
}

/* Of three connections the youngest carries what goes first, the next the rest (wire.md 6.5, measured). */
static void priority_has_a_connection(void **)
{
	const struct session_conf conf = {
		.worker = 1, .timeout_ms = 20000, .max_connections = 3, .qos = true};

	bed_open(&a, &pa, 0, 20000);
	bed_open_conf(&b, &pb, &conf);
	wait_ready(&pa);
	wait_ready(&pb);
	send_first(&pa, 1, 0, 10);
	bed_send_frames(&pa, 0, 1, 0, 10, 60);
	wait_frames(&pb, 20); /* alone it carries all */
	assert_int_equal(bed_add(&b, bed_connect(&many[0], TLS1_3_VERSION), 50, SESSION_BOTH), 0);
	wait_ready(&many[0]);
	assert_int_equal(bed_add(&b, bed_connect(&many[1], TLS1_3_VERSION), 51, SESSION_BOTH), 0);
	wait_ready(&many[1]);
	for (unsigned i = 0; i < 10; i++) {
		bed_send_frames(&pa, 0, 1, i * 20, 20, 600);
		send_first(&pa, 1, i * 5, 5);
	}
	wait_frames(&many[0], 200);
	wait_frames(&many[1], 50);
	assert_int_equal(pb.frames, 20);
	assert_int_equal(firsts(&many[0]), 0);
	assert_int_equal(firsts(&many[1]), 50);
	/* It ends: the next youngest takes its place. */
	bed_peer_close(&many[1]);
	assert_true(bed_wait(connections_ended, &b));
	send_first(&pa, 1, 0, 5);
	bed_send_frames(&pa, 0, 1, 0, 5, 600);
	wait_frames(&many[0], 205);
	wait_frames(&pb, 25);
	assert_int_equal(firsts(&many[0]), 5);
	end_two();
	bed_peer_close(&many[0]);
}

/* Behind a full socket what goes first overtakes what waits in staging, and nothing is lost. */
static void priority_overtakes(void **)
{
	const struct session_conf conf = {
		.worker = 1, .timeout_ms = 20000, .max_connections = 2, .qos = true};
	struct session_counters now;
	unsigned sent = 0, last_first = 0;

	bed_open(&a, &pa, 0, 20000);
	bed_open_conf(&b, &pb, &conf);
	wait_ready(&pa);
	wait_ready(&pb);
	bed_send_frames(&pb, 0, 2, 0, 1, 60);
	wait_frames(&pa, 1);
	bed_peer_neglect(&pb);
	do { /* until the socket is full and a good deal waits */
		bed_send_frames(&pa, 2, 1, sent, 20, 1514);
		sent += 20;
		do {
			bed_sleep_ms(1);
			session_view(b.s, &now);
		} while (now.port.copies < sent);
	} while (now.queued_frames < 400);
	assert_true(sent + 5 < BED_FRAMES_MAX);
	send_first(&pa, 1, 0, 5);
	while (now.port.copies < sent + 5) {
		bed_sleep_ms(1);
		session_view(b.s, &now);
	}
	bed_peer_attend(&pb);
	wait_frames(&pb, sent + 5);
	for (unsigned i = 0, normal = 0; i < pb.frames; i++) {
		if (pb.got[i].number >= FIRST)
			last_first = i;
		else
			assert_int_equal(pb.got[i].number, normal++);
	}
	assert_int_equal(firsts(&pb), 5);
	assert_true(last_first + 300 < pb.frames);
	end_two();
	assert_int_equal(stats_drop_out_sum(&b.final.port), 0);
}

/* What waited for a second is dropped, also while the socket stays full; what is new gets its place. */
static void old_frames_are_dropped(void **)
{
	const struct session_conf conf = {
		.worker = 1, .timeout_ms = 20000, .max_connections = 1, .staging_age_ms = 300};
	struct session_counters now = {0};
	unsigned sent = 0;

	bed_open(&a, &pa, 0, 20000);
	bed_open_conf(&b, &pb, &conf);
	wait_ready(&pa);
	wait_ready(&pb);
	bed_send_frames(&pb, 0, 2, 0, 1, 60);
	wait_frames(&pa, 1);
	bed_peer_neglect(&pb);
	while (now.queued_frames < 400) {
		bed_send_frames(&pa, 2, 1, sent, 20, 1514);
		sent += 20;
		do {
			bed_sleep_ms(1);
			session_view(b.s, &now);
		} while (now.port.copies < sent);
	}
	bed_sleep_ms(400);
	bed_send_frames(&pa, 2, 1, sent++, 1, 1514); /* the old make room for it */
	do {
		bed_pump();
		session_view(b.s, &now);
	} while (now.queued_frames > 1);
	assert_true(now.port.drop_out[STATS_DROP_OUT_STAGING_AGE] >= 400);
	bed_peer_attend(&pb);
	wait_frames(&pb, sent - (unsigned)now.port.drop_out[STATS_DROP_OUT_STAGING_AGE]);
	assert_int_equal(pb.got[pb.frames - 1].number, sent - 1);
	end_two();
}

/*
 * A receiver that does not read: its staging fills up to the bounds, floods are dropped first, the sender
 * is not held up, and everything is accounted for when the session ends.
 */
static void slow_receiver(void **)
{
	struct session_counters now = {0};
	uint64_t until;
	unsigned number = 0;

	open_two(0, 1, 20000);
	bed_send_frames(&pb, 0, 2, 0, 1, 60);
	wait_frames(&pa, 1);
	bed_peer_neglect(&pb);
	until = bed_now_ms() + 10000;
	while (now.port.drop_out[STATS_DROP_OUT_STAGING_FLOOD] < 100 ||
		now.port.drop_out[STATS_DROP_OUT_STAGING_FULL] < 100) {
		bed_send_frames(&pa, number % 2 ? 2 : 0, 1, number, 100, 1514);
		number++;
		session_view(b.s, &now);
		assert_true(now.queued_bytes <= STAGING_HARD_DEFAULT);
		assert_true(bed_now_ms() < until);
	}
	/* The kernel may have taken two records more in this moment. */
	assert_true(now.queued_bytes > STAGING_HARD_DEFAULT - 3 * STAGING_CHUNK_BYTES);
	assert_int_equal(pb.frames, 0);
	bed_end(&b, SESSION_END_ADMIN);
	assert_true(b.final.port.drop_out[STATS_DROP_OUT_SESSION_END] > 200);
	assert_int_equal(b.final.queued_frames, 0);
	bed_end(&a, SESSION_END_ADMIN);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
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
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(exchange_on_one_worker),
		T(exchange_across_workers),
		T(exchange_raw),
		T(compressed_tls),
		T(compressed_raw),
		T(compressed_in_vain),
		T(odd_compressed_blocks),
		T(dense_compressed_blocks),
		T(blocks_cut_anywhere),
		T(odd_frames_are_counted),
		T(bad_block_closes_the_connection),
		T(timeout),
		T(mute_connection_of_a_live_session),
		T(a_pause_of_the_worker_is_not_the_peers),
		T(tiny_records_take_turns),
		T(keepalives_keep_it_up),
		T(lost_connection_is_replaced),
		T(reset_connection),
		T(one_more_than_granted),
		T(youngest_connection_carries),
		T(connections_come_and_go),
		T(half_duplex),
		T(half_duplex_time_outs),
		T(half_duplex_as_client),
		T(priority_has_a_connection),
		T(priority_overtakes),
		T(old_frames_are_dropped),
		T(slow_receiver),
		T(add_meets_the_end),
		T(add_after_end_is_refused),
		T(end_finds_no_room),
		T(abandon_gives_everything_back),
		T(many_sessions),
	};
#undef T
	int ret;

	bed_start();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bed_stop();
	return ret;
}
