/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compressing sessions (wire.md 6.4): complete and in order, blocks that are not what they should be, and that they
 * take turns: with a share of a cycle (session_zip.c) each turn has one piece of work, which can be counted.
 */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_common.h>
#include <zlib.h>

#include "drivers/session/session_priv.h"
#include "drivers/session/udp_priv.h"
#include "test/unit/session_two.h"

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

/* Hundreds of them in a record, gone through in several turns. */
static void dense_compressed_blocks(void **)
{
	static uint8_t record[STREAM_RECORD_BYTES];
	size_t bytes;
	unsigned n = dense_record(record, &bytes);

	bed_modes.compress = true;
	open_two(0, 0, 20000);
	for (unsigned i = 0; i < 32; i++)
		tls_peer_write(&pa.tls, record, bytes);
	bed_send_frames(&pa, 0, 1, 77, 1, 60); /* behind all of them */
	wait_frames(&pb, 1);
	assert_int_equal(pb.got[0].number, 77);
	end_two();
	bed_modes.compress = false;
	assert_int_equal(a.final.port.drop_in[STATS_DROP_IN_BAD_SOURCE], 32 * n);
}

/* ---- the share of a turn ----------------------------------------------------------------------- */

static struct {
	struct lcore_task task;
	struct session *in, *out;
	int64_t share;		    /* as it was */
	uint64_t in_seen, out_seen; /* frames so far */
	uint64_t in_most, out_most; /* in one turn */
	uint64_t turns;		    /* in which there were some */
	unsigned
		stall_at; /* frames in the queue of `out` at which the worker loses its CPU for a while */
	bool stalled;
	atomic_bool there, stop;
} sampler;

static atomic_bool gate, held;

static void hold(struct lcore *, struct lcore_msg *)
{
	atomic_store(&held, true);
	while (!atomic_load(&gate))
		usleep(1000);
}

static void share_set(int64_t share)
{
	struct session_worker *w = session_worker_get(0);

	sampler.share = w->zip_share;
	w->zip_share = w->zip_left[ZIP_IN] = w->zip_left[ZIP_OUT] = share;
}

static void step(uint64_t now, uint64_t *seen, uint64_t *most)
{
	if (now - *seen > *most)
		*most = now - *seen;
	*seen = now;
}

/* Once a turn. */
static void sample(struct lcore *lc, struct lcore_task *task)
{
	struct session_counters in, out;

	session_view(sampler.in, &in);
	session_view(sampler.out, &out);
	sampler.turns += stats_in_frames(&in.port) != sampler.in_seen ||
		stats_sent_frames(&out.port) != sampler.out_seen;
	step(stats_in_frames(&in.port), &sampler.in_seen, &sampler.in_most);
	step(stats_sent_frames(&out.port), &sampler.out_seen, &sampler.out_most);
	if (sampler.stalled) { /* the first turn whose clock knows of it */
		sampler.stalled = false;
		share_set(sampler.share);
	}
	if (sampler.stall_at != 0 && out.queued_frames >= sampler.stall_at) {
		sampler.stall_at = 0;
		sampler.stalled = true;
		usleep(800000);
	}
	if (!atomic_load(&sampler.stop))
		lcore_task_add(lc, task);
	else
		atomic_store(&sampler.there, false);
}

static void sampler_add(struct lcore *lc, struct lcore_msg *msg)
{
	share_set((int64_t)msg->u[0]);
	sampler.task.run = sample;
	lcore_task_add(lc, &sampler.task);
	atomic_store(&sampler.there, true);
}

static void share_restore(struct lcore *, struct lcore_msg *)
{
	share_set(sampler.share);
	atomic_store(&sampler.stop, true);
}

static void post(void (*fn)(struct lcore *lc, struct lcore_msg *msg), uint64_t u)
{
	assert_int_equal(lcore_msg_reserve(lcore_get(0), 1), 0);
	lcore_msg_post(lcore_get(0), &(struct lcore_msg){.fn = fn, .u = {u}});
}

/* Worker 0 with a share of so many cycles, held up until `gate`. */
static void sampler_start(struct session *in, struct session *out, int64_t share, unsigned stall_at)
{
	memset(&sampler, 0, sizeof(sampler));
	sampler.in = in;
	sampler.out = out;
	sampler.stall_at = stall_at;
	atomic_store(&gate, false);
	atomic_store(&held, false);
	post(sampler_add, (uint64_t)share);
	post(hold, 0);
	/* A worker that wakes up looks at its sockets first, and must not find anything there. */
	while (!atomic_load(&held))
		bed_sleep_ms(1);
}

static void sampler_end(bool restore)
{
	if (restore)
		post(share_restore, 0);
	else
		atomic_store(&sampler.stop, true);
	while (atomic_load(&sampler.there))
		bed_sleep_ms(1);
}

/* Who brings blocks that are dear to inflate has one full record a turn, however much is there. */
static void inflating_takes_turns(void **)
{
	static uint8_t record[STREAM_RECORD_BYTES];
	size_t bytes;
	unsigned n = dense_record(record, &bytes);

	bed_modes.compress = true;
	bed_open(&a, &pa, 0, 20000);
	bed_modes.compress = false;
	bed_open(&b, &pb, 0, 20000);
	wait_ready(&pa);
	wait_ready(&pb);
	sampler_start(a.s, b.s, 1, 0);
	for (unsigned i = 0; i < 6; i++)
		tls_peer_write(&pa.tls, record, bytes);
	atomic_store(&gate, true);
	bed_modes.compress = true;
	bed_send_frames(&pa, 0, 1, 77, 1, 60);
	bed_modes.compress = false;
	wait_frames(&pb, 1);
	sampler_end(true);
	assert_true(sampler.in_seen > 6 * n);
	assert_in_range(sampler.in_most, n, n + 1); /* and the frame behind them */
	assert_true(sampler.turns >= 6);
	end_two();
}

static struct sockaddr_storage loopback(uint16_t port)
{
	struct sockaddr_storage ss = {0};

	*(struct sockaddr_in *)&ss = (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	return ss;
}

/* So many datagrams to worker 0, each a full frame in a few bytes, from one who never says that he has heard us. */
static void send_dense_datagrams(int fd, uint32_t cookie, unsigned cnt)
{
	struct sockaddr_storage to = loopback(session_udp_port(0, AF_INET));
	uint8_t frame[1600], block[100], datagram[sizeof(block) + UDP_PACKET_HEADER];
	uLongf bytes = sizeof(block);

	bed_frame(frame, 1, 1, 5, sizeof(frame));
	assert_int_equal(compress(block, &bytes, frame, sizeof(frame)), Z_OK);
	for (unsigned i = 0; i < cnt; i++) {
		struct udp_packet p = {.cookie = cookie,
			.tick = i + 1,
			.data = block,
			.size = (uint16_t)bytes,
			.compressed = true};
		size_t n = udp_packet_put(UDP_PACKET_PLAIN, &p, 0, datagram);

		assert_int_equal(sendto(fd, datagram, n, 0, (const struct sockaddr *)&to,
					 sizeof(struct sockaddr_in)),
			n);
	}
}

static bool datagrams_came(void *)
{
	struct session_udp_view v;

	return session_udp_view(a.s, &v) && v.frames_in == UDP_TURN;
}

/*
 * The same over UDP, also from where nobody is known to be alive: behind the first call of a turn, which brings
 * UDP_BURST, the share is asked.
 */
static void inflating_datagrams_takes_turns(void **)
{
	int fd = socket(AF_INET, SOCK_DGRAM, 0);
	struct session_udp_conf udp = {.version = 2,
		.fast = true,
		.send_cookie = 1,
		.receive_cookie = 2,
		.local = loopback(0),
		.tcp_peer = loopback(0),
		.offered = loopback(1)};
	const struct session_conf conf = {
		.worker = 0, .timeout_ms = 20000, .max_connections = 1, .udp = &udp};

	bed_modes.compress = true;
	bed_open_conf(&a, &pa, &conf);
	bed_modes.compress = false;
	bed_open(&b, &pb, 0, 20000);
	wait_ready(&pa);
	wait_ready(&pb);
	sampler_start(a.s, b.s, 1, 0);
	send_dense_datagrams(fd, udp.receive_cookie, UDP_TURN);
	atomic_store(&gate, true);
	assert_true(bed_wait(datagrams_came, NULL));
	sampler_end(true);
	assert_in_range(sampler.in_most, 1, UDP_BURST);
	assert_true(sampler.turns >= UDP_TURN / UDP_BURST);
	end_two();
	close(fd);
	assert_int_equal(a.final.port.drop_in[STATS_DROP_IN_BAD_SOURCE], UDP_TURN);
}

/* Whoever is sent to by a compressing session has one record a turn, and nothing is lost by it. */
static void deflating_takes_turns(void **)
{
	const unsigned record_frames = STREAM_RECORD_BYTES / (BLOCK_HEADER + 1514);

	bed_open(&a, &pa, 0, 20000);
	bed_modes.compress = true;
	bed_open(&b, &pb, 0, 20000);
	bed_modes.compress = false;
	wait_ready(&pa);
	wait_ready(&pb);
	sampler_start(a.s, b.s, 1, 0);
	bed_send_frames(&pa, 0, 1, 0, 50, 1514); /* what the sockets hold meanwhile */
	atomic_store(&gate, true);
	bed_send_frames(&pa, 0, 1, 50, 450, 1514);
	wait_frames(&pb, 500);
	sampler_end(true);
	for (unsigned i = 0; i < 500; i++)
		assert_int_equal(pb.got[i].number, i);
	assert_in_range(sampler.out_most, 1, record_frames);
	assert_true(sampler.turns >= 500 / record_frames);
	/* More than one record came in a turn, so it was not the receiving that held it to one. */
	assert_true(sampler.in_most > record_frames);
	end_two();
}

/*
 * What waits for a share does not get old while the worker has no CPU: that is not the receiver's fault, and dropping
 * it would not make anything faster.
 */
static void a_stall_makes_no_frame_old(void **)
{
	const struct session_conf conf = {
		.worker = 0, .timeout_ms = 20000, .max_connections = 1, .staging_age_ms = 300};

	bed_open(&a, &pa, 0, 20000);
	bed_modes.compress = true;
	bed_open_conf(&b, &pb, &conf);
	bed_modes.compress = false;
	wait_ready(&pa);
	wait_ready(&pb);
	/* No share at all until the worker has stood still with all of them in the queue. */
	sampler_start(a.s, b.s, 0, 100);
	bed_send_frames(&pa, 0, 1, 0, 100, 600);
	atomic_store(&gate, true);
	wait_frames(&pb, 100);
	sampler_end(false);
	assert_int_equal(sampler.stall_at, 0);
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(pb.got[i].number, i);
	end_two();
	assert_int_equal(stats_drop_out_sum(&b.final.port), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO_TEST(compressed_tls),
		TWO_TEST(compressed_raw),
		TWO_TEST(compressed_in_vain),
		TWO_TEST(odd_compressed_blocks),
		TWO_TEST(dense_compressed_blocks),
		TWO_TEST(inflating_takes_turns),
		TWO_TEST(inflating_datagrams_takes_turns),
		TWO_TEST(deflating_takes_turns),
		TWO_TEST(a_stall_makes_no_frame_old),
	};
	int ret;

	bed_start_udp();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bed_stop();
	return ret;
}
