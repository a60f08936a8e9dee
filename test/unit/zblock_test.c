/* SPDX-License-Identifier: BSD-3-Clause */
/* Compressed blocks (wire.md 6.4): a captured one, round trips, and everything that is none. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "drivers/session/wire/zblock.h"
#include "test/unit/vector.h"

static struct zblock *z;

/* In exact memory, so that sanitizers see every overrun. */
static int inflate_exact(const uint8_t *in, uint32_t len, uint8_t *out)
{
	struct vector copy = vector_copy(in, len);
	struct vector room = vector_copy(NULL, ZBLOCK_INFLATED_BYTES);
	int ret = zblock_inflate(z, copy.data, len, room.data);

	if (ret > 0)
		memcpy(out, room.data, (size_t)ret);
	vector_free(&copy);
	vector_free(&room);
	return ret;
}

/* What a stock client sent, twice, as a state must not remember. */
static void captured(void **)
{
	struct vector v = vector_load("group_compressed.hex");
	uint8_t out[BLOCK_FRAME_MAX];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(inflate_exact(v.data + 8, be32_get(v.data + 4), out), 42);
		assert_int_equal(out[0], 0xff);
		assert_int_equal(be16_get(out + 12), 0x0806);
		assert_int_equal(out[41], 1);
	}
	vector_free(&v);
}

/* Any length and content comes back, to us and to zlib's own one-shot call, and never grows beyond bound. */
static void round_trips(void **)
{
	uint8_t frame[BLOCK_FRAME_MAX], out[BLOCK_FRAME_MAX + 1];

	for (uint32_t len = 1; len <= BLOCK_FRAME_MAX; len++) {
		for (int kind = 0; kind < 3; kind++) {
			struct vector room = vector_copy(NULL, len + ZBLOCK_GROWTH);
			uLongf bytes = sizeof(out);
			uint32_t n;

			for (uint32_t i = 0; i < len; i++)
				frame[i] = kind == 0 ? 0
					: kind == 1  ? (uint8_t)random()
						     : (uint8_t)(i * len >> 3);
			n = zblock_deflate(z, frame, len, room.data);
			assert_in_range(n, 8, len + ZBLOCK_GROWTH);
			if (kind == 0 && len > 100)
				assert_true(n < 40);
			assert_int_equal(inflate_exact(room.data, n, out), len);
			assert_memory_equal(out, frame, len);
			assert_int_equal(uncompress(out, &bytes, room.data, n), Z_OK);
			assert_int_equal(bytes, len);
			vector_free(&room);
		}
	}
}

/* What zlib makes of a frame at a level, with a window that just holds it: 2 KiB, as the header's first byte says. */
static uLong deflated_at(int level, const uint8_t *frame, uint32_t len, uint8_t *out)
{
	z_stream s = {.next_in = (Bytef *)(uintptr_t)frame,
		.avail_in = len,
		.next_out = out,
		.avail_out = BLOCK_SIZE_MAX};

	assert_int_equal(deflateInit2(&s, level, Z_DEFLATED, 11, 5, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflate(&s, Z_FINISH), Z_STREAM_END);
	assert_int_equal(deflateEnd(&s), Z_OK);
	return s.total_out;
}

/*
 * For speed: byte for byte what zlib's level 1 makes, of a frame of which no other level makes the same. RFC 1950's header
 * says so, too: FLEVEL 0 is "fastest", and the block behind it is no stored one (level 0 makes those).
 */
static void level_for_speed(void **)
{
	uint8_t frame[1514], ours[sizeof(frame) + ZBLOCK_GROWTH], other[BLOCK_SIZE_MAX];
	uint32_t state = 1, n;
	uLong bytes;

	/* Words of few letters, in which a longer search finds longer matches. */
	for (size_t i = 0; i < sizeof(frame); i++) {
		state = state * 1103515245 + 12345;
		frame[i] = "abcd"[state >> 16 & (i % 7 ? 1 : 3)];
	}
	n = zblock_deflate(z, frame, sizeof(frame), ours);
	assert_int_equal(ours[0], 0x38);
	assert_int_equal(ours[1] >> 6, 0);
	assert_int_not_equal(ours[2] >> 1 & 3, 0);
	for (int level = 0; level <= 9; level++) {
		bytes = deflated_at(level, frame, sizeof(frame), other);
		print_message("level %d: %lu bytes\n", level, bytes);
		if (level == 1) {
			assert_int_equal(n, bytes);
			assert_memory_equal(ours, other, n);
		} else {
			assert_false(n == bytes && memcmp(ours + 2, other + 2, n - 2) == 0);
		}
	}
}

/* Level 0 to 9 of others, bytes behind the end, an empty stream. */
static void what_others_send(void **)
{
	uint8_t frame[1514], block[BLOCK_SIZE_MAX], out[BLOCK_FRAME_MAX];
	uLongf bytes;

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)(i % 100);
	for (int level = 0; level <= 9; level++) {
		bytes = sizeof(block) - 7;
		assert_int_equal(compress2(block, &bytes, frame, sizeof(frame), level), Z_OK);
		memset(block + bytes, 0xee, 7);
		assert_int_equal(inflate_exact(block, (uint32_t)bytes + 7, out), sizeof(frame));
		assert_memory_equal(out, frame, sizeof(frame));
	}
	bytes = sizeof(block);
	assert_int_equal(compress(block, &bytes, frame, 0), Z_OK);
	assert_int_equal(inflate_exact(block, (uint32_t)bytes, out), 0);
}

static void bombs(void **)
{
	static uint8_t zeros[3000000];
	uint8_t block[BLOCK_SIZE_MAX], out[BLOCK_FRAME_MAX];
	static const uLong sizes[] = {1601, 1602, 65536, sizeof(zeros)};

	for (unsigned i = 0; i < 4; i++) {
		uLongf bytes = sizeof(block);

		assert_int_equal(compress2(block, &bytes, zeros, sizes[i], 9), Z_OK);
		assert_int_equal(inflate_exact(block, (uint32_t)bytes, out), -EMSGSIZE);
	}
}

/* Every truncation, a broken checksum, raw deflate, a preset dictionary, noise. */
static void what_is_no_stream(void **)
{
	uint8_t frame[300], block[400], out[BLOCK_FRAME_MAX];
	uLongf bytes = sizeof(block);

	for (size_t i = 0; i < sizeof(frame); i++)
		frame[i] = (uint8_t)random();
	assert_int_equal(compress(block, &bytes, frame, sizeof(frame)), Z_OK);
	for (uint32_t len = 0; len < bytes; len++)
		assert_int_equal(inflate_exact(block, len, out), -EBADMSG);
	assert_int_equal(inflate_exact(block + 2, (uint32_t)bytes - 2, out), -EBADMSG);
	block[bytes - 1] ^= 1;
	assert_int_equal(inflate_exact(block, (uint32_t)bytes, out), -EBADMSG);
	block[bytes - 1] ^= 1;
	block[0] = 0x78;
	block[1] = 0xbb; /* FDICT */
	assert_int_equal(inflate_exact(block, (uint32_t)bytes, out), -EBADMSG);
	/* None of it is remembered. */
	block[1] = 0x9c;
	assert_int_equal(inflate_exact(block, (uint32_t)bytes, out), sizeof(frame));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(captured),
		cmocka_unit_test(round_trips),
		cmocka_unit_test(level_for_speed),
		cmocka_unit_test(what_others_send),
		cmocka_unit_test(bombs),
		cmocka_unit_test(what_is_no_stream),
	};
	int ret;

	z = zblock_create();
	ret = z == NULL ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
	zblock_destroy(z);
	return ret;
}
