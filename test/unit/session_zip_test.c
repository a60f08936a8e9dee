/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compressing sessions (wire.md 6.4): complete and in order, and blocks that are not what they should be.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <rte_common.h>
#include <zlib.h>

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TWO_TEST(compressed_tls),
		TWO_TEST(compressed_raw),
		TWO_TEST(compressed_in_vain),
		TWO_TEST(odd_compressed_blocks),
		TWO_TEST(dense_compressed_blocks),
	};

	return two_run(tests);
}
