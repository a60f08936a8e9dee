/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What waits in a session for its peer: what goes first, what gets too old, what a slow receiver loses, and that
 * nobody else notices.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/session/staging.h"

#include "test/unit/session_two.h"

static struct bed_peer pd;

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

/* As open_two(); the second session is as `conf` says. */
static void open_with(const struct session_conf *conf)
{
	bed_open(&a, &pa, 0, 20000);
	bed_open_conf(&b, &pb, conf);
	wait_ready(&pa);
	wait_ready(&pb);
}

/* The hub knows b's station, and its peer does not read any more. */
static void neglect_b(void)
{
	bed_send_frames(&pb, 0, 2, 0, 1, 60);
	wait_frames(&pa, 1);
	bed_peer_neglect(&pb);
}

/* Until its socket is full and a good deal waits in staging. How many were sent. */
static unsigned fill_b(struct session_counters *now)
{
	unsigned sent = 0;

	do {
		bed_send_frames(&pa, 2, 1, sent, 20, 1514);
		sent += 20;
		do {
			bed_sleep_ms(1);
			session_view(b.s, now);
		} while (now->port.copies < sent);
	} while (now->queued_frames < 400);
	return sent;
}

/* Of three connections the youngest carries what goes first, the next the rest (wire.md 6.5, measured). */
static void priority_has_a_connection(void **)
{
	const struct session_conf conf = {
		.worker = 1, .timeout_ms = 20000, .max_connections = 3, .qos = true};

	open_with(&conf);
	send_first(&pa, 1, 0, 10);
	bed_send_frames(&pa, 0, 1, 0, 10, 60);
	wait_frames(&pb, 20); /* alone it carries all */
	assert_int_equal(bed_add(&b, bed_connect(&pc, TLS1_3_VERSION), 50, SESSION_BOTH), 0);
	wait_ready(&pc);
	assert_int_equal(bed_add(&b, bed_connect(&pd, TLS1_3_VERSION), 51, SESSION_BOTH), 0);
	wait_ready(&pd);
	for (unsigned i = 0; i < 10; i++) {
		bed_send_frames(&pa, 0, 1, i * 20, 20, 600);
		send_first(&pa, 1, i * 5, 5);
	}
	wait_frames(&pc, 200);
	wait_frames(&pd, 50);
	assert_int_equal(pb.frames, 20);
	assert_int_equal(firsts(&pc), 0);
	assert_int_equal(firsts(&pd), 50);
	/* It ends: the next youngest takes its place. */
	bed_peer_close(&pd);
	assert_true(bed_wait(connections_ended, &b));
	send_first(&pa, 1, 0, 5);
	bed_send_frames(&pa, 0, 1, 0, 5, 600);
	wait_frames(&pc, 205);
	wait_frames(&pb, 25);
	assert_int_equal(firsts(&pc), 5);
	end_two();
	bed_peer_close(&pc);
}

/* Behind a full socket what goes first overtakes what waits in staging, and nothing is lost. */
static void priority_overtakes(void **)
{
	const struct session_conf conf = {
		.worker = 1, .timeout_ms = 20000, .max_connections = 2, .qos = true};
	struct session_counters now;
	unsigned sent, last_first = 0;

	open_with(&conf);
	neglect_b();
	sent = fill_b(&now);
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
	struct session_counters now;
	unsigned sent;

	open_with(&conf);
	neglect_b();
	sent = fill_b(&now);
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
	neglect_b();
	until = bed_now_ms() + 10000;
	while (now.port.drop_out[STATS_DROP_OUT_STAGING_FLOOD] < 100 ||
		now.port.drop_out[STATS_DROP_OUT_STAGING_FULL] < 100) {
		bed_send_frames(&pa, number % 2 ? 2 : 0, 1, number, 100, 1514);
		number++;
		session_view(b.s, &now);
		if (now.port.drop_out[STATS_DROP_OUT_STAGING_FULL] !=
			0) /* hundreds of frames behind the first */
			assert_true(now.port.drop_out[STATS_DROP_OUT_STAGING_FLOOD] != 0);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO_TEST(priority_has_a_connection),
		TWO_TEST(priority_overtakes),
		TWO_TEST(old_frames_are_dropped),
		TWO_TEST(slow_receiver),
	};

	return two_run(tests);
}
