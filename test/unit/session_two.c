/* SPDX-License-Identifier: BSD-3-Clause */
/* See session_two.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "test/unit/session_two.h"

struct bed_peer pa, pb, pc;
struct bed_session a, b;

int two_setup(void **)
{
	/* What a test that failed left behind would make the next ones fail, or crash, for reasons of its own. */
	if (bed_hub != NULL) {
		printf("the test before this one failed and left its sessions behind: giving up\n");
		exit(EXIT_FAILURE);
	}
	bed_hub_open();
	return 0;
}

int two_teardown(void **)
{
	bed_hub_close();
	return 0;
}

static bool got_frames(void *arg)
{
	struct bed_peer **of = arg;

	return of[0]->frames >= (uintptr_t)of[1];
}

void wait_frames(struct bed_peer *p, unsigned n)
{
	struct bed_peer *arg[2] = {p, (struct bed_peer *)(uintptr_t)n};

	assert_true(bed_wait(got_frames, arg));
}

bool connections_ended(void *arg)
{
	return ((struct bed_session *)arg)->connections_ended > 0;
}

/*
 * Whether what was copied has also been sent, dropped or put into a queue: the worker counts one after the other,
 * and may lose its CPU in between.
 */
static bool is_settled(const struct session_counters *now)
{
	return now->port.copies ==
		stats_sent_frames(&now->port) + stats_drop_out_sum(&now->port) + now->queued_frames;
}

void send_copies(struct bed_peer *p, unsigned dst, unsigned src, unsigned cnt, size_t len,
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
		} while (now->port.copies < before + sent || !is_settled(now));
	}
}

static bool has_keepalive(void *arg)
{
	return ((struct bed_peer *)arg)->keepalives > 0;
}

void wait_ready(struct bed_peer *p)
{
	assert_true(bed_wait(has_keepalive, p));
}

void open_two(unsigned worker_a, unsigned worker_b, uint32_t timeout_ms)
{
	bed_open(&a, &pa, worker_a, timeout_ms);
	bed_open(&b, &pb, worker_b, timeout_ms);
	wait_ready(&pa);
	wait_ready(&pb);
}

void end_two(void)
{
	bed_end(&a, SESSION_END_ADMIN);
	bed_end(&b, SESSION_END_ADMIN);
	bed_peer_close(&pa);
	bed_peer_close(&pb);
}

unsigned dense_record(uint8_t record[STREAM_RECORD_BYTES], size_t *record_bytes)
{
	uint8_t *at = record + BLOCK_GROUP_HEADER, frame[1600], block[100];
	uLongf bytes = sizeof(block);
	unsigned n = 0;

	/* From and to itself: all that it costs is to inflate it. */
	bed_frame(frame, 1, 1, 5, 1600);
	assert_int_equal(compress(block, &bytes, frame, sizeof(frame)), Z_OK);
	while (at + BLOCK_HEADER + bytes <= record + STREAM_RECORD_BYTES) {
		at = block_put_size(at, (uint32_t)bytes);
		memcpy(at, block, bytes);
		at += bytes;
		n++;
	}
	assert_true(n > 200);
	block_put_group(record, n);
	*record_bytes = (size_t)(at - record);
	return n;
}

bool peer_saw_close_notify(void *arg)
{
	return SSL_get_shutdown(((struct bed_peer *)arg)->tls.ssl) & SSL_RECEIVED_SHUTDOWN;
}

int two_run_tests(const char *name, const struct CMUnitTest *tests, size_t cnt)
{
	int ret;

	bed_start();
	ret = _cmocka_run_group_tests(name, tests, cnt, NULL, NULL);
	bed_stop();
	return ret;
}
