/* SPDX-License-Identifier: BSD-3-Clause */
/* Data-phase codec: captured groups, every rule of wire.md 6.1, and splits at every byte. */
#include "drivers/session/wire/block.h"

#include <stdlib.h>
#include <string.h>

#include "test/unit/vector.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* A stream under construction, and what a receiver must make of it. */
struct stream {
	uint8_t bytes[1 << 15];
	size_t len;
};

static void put_be32(struct stream *s, uint32_t v)
{
	be32_put(s->bytes + s->len, v);
	s->len += 4;
}

static void put_fill(struct stream *s, uint32_t len, uint8_t first)
{
	for (uint32_t i = 0; i < len; i++)
		s->bytes[s->len++] = (uint8_t)(first + i);
}

static void put_block(struct stream *s, uint32_t len, uint8_t first)
{
	put_be32(s, len);
	put_fill(s, len, first);
}

/* Everything a whole stream yielded, in order, as one flat record. */
struct heard {
	uint8_t bytes[1 << 15];
	size_t len;
	uint32_t blocks, keepalives, empty, too_short, too_long;
	enum block_rx_status status;
	uint32_t group_left;
	size_t partial_max;
};

static void hear(struct heard *h, char kind, const struct block_span *s)
{
	h->bytes[h->len++] = (uint8_t)kind;
	be32_put(h->bytes + h->len, s->len);
	h->len += 4;
	memcpy(h->bytes + h->len, s->data, s->len);
	h->len += s->len;
}

/* Receive as a worker does: reads of `chunk` bytes, partial bytes kept in front of the next read,
 * which lies in memory of exactly that size. */
static struct heard *receive(
	const uint8_t *in, size_t len, size_t chunk, uint32_t max_spans, bool compressed)
{
	struct heard *h = calloc(1, sizeof(*h));
	struct block_span spans[64];
	struct block_rx_result res;
	struct block_rx rx;
	struct vector kept = vector_copy(NULL, 0);

	assert_non_null(h);
	block_rx_init(&rx, compressed);
	while (len && h->status <= BLOCK_RX_AGAIN) {
		size_t n = chunk < len ? chunk : len, at = 0;
		struct vector now = vector_copy(NULL, kept.size_bytes + n);

		memcpy(now.data, kept.data, kept.size_bytes);
		memcpy(now.data + kept.size_bytes, in, n);
		in += n;
		len -= n;
		do {
			block_rx_parse(
				&rx, now.data + at, now.size_bytes - at, spans, max_spans, &res);
			assert_true(res.count <= max_spans);
			for (uint32_t i = 0; i < res.count; i++) {
				assert_true(spans[i].data >= now.data + at);
				assert_true(spans[i].data + spans[i].len <=
					now.data + at + res.consumed);
				hear(h, 'b', &spans[i]);
			}
			if (res.keepalive.data) {
				hear(h, 'k', &res.keepalive);
				h->keepalives++;
			}
			h->blocks += res.count;
			h->empty += res.empty;
			h->too_short += res.too_short;
			h->too_long += res.too_long;
			assert_true(block_rx_alive(&res) ==
				(res.count || res.keepalive.data || res.empty || res.too_short ||
					res.too_long));
			at += res.consumed;
		} while (res.status == BLOCK_RX_AGAIN);
		h->status = res.status;
		vector_free(&kept);
		kept = vector_copy(now.data + at, now.size_bytes - at);
		if (h->status == BLOCK_RX_MORE && kept.size_bytes > h->partial_max)
			h->partial_max = kept.size_bytes;
		vector_free(&now);
	}
	assert_true(h->partial_max <= BLOCK_RX_PARTIAL_BYTES);
	h->group_left = rx.group_left;
	vector_free(&kept);
	return h;
}

static void assert_same(const struct heard *a, const struct heard *b)
{
	assert_int_equal(a->status, b->status);
	assert_int_equal(a->blocks, b->blocks);
	assert_int_equal(a->keepalives, b->keepalives);
	assert_int_equal(a->empty, b->empty);
	assert_int_equal(a->too_short, b->too_short);
	assert_int_equal(a->too_long, b->too_long);
	assert_int_equal(a->group_left, b->group_left);
	assert_int_equal(a->len, b->len);
	assert_memory_equal(a->bytes, b->bytes, a->len);
}

static void test_captured_groups(void **)
{
	struct vector one = vector_load("group_one_block.hex");
	struct vector two = vector_load("group_two_blocks.hex");
	struct block_span spans[4];
	struct block_rx_result res;
	struct block_rx rx;

	block_rx_init(&rx, false);
	block_rx_parse(&rx, one.data, one.size_bytes, spans, 4, &res);
	assert_int_equal(res.status, BLOCK_RX_MORE);
	assert_int_equal(res.consumed, one.size_bytes);
	assert_int_equal(res.count, 1);
	assert_ptr_equal(spans[0].data, one.data + 8);
	assert_int_equal(spans[0].len, 42);
	assert_int_equal(rx.group_left, 0);

	block_rx_parse(&rx, two.data, two.size_bytes, spans, 4, &res);
	assert_int_equal(res.consumed, two.size_bytes);
	assert_int_equal(res.count, 2);
	assert_int_equal(spans[0].len, 90);
	assert_int_equal(spans[1].len, 70);
	assert_ptr_equal(spans[1].data, two.data + 0x66);
	assert_int_equal(rx.group_left, 0);
	vector_free(&one);
	vector_free(&two);
}

static void test_captured_keepalives(void **)
{
	const struct {
		const char *file;
		uint32_t len;
	} cases[] = {{"keepalive_client.hex", 170}, {"keepalive_server.hex", 49}};

	for (size_t i = 0; i < COUNT(cases); i++) {
		struct vector v = vector_load(cases[i].file);
		struct block_span spans[1];
		struct block_rx_result res;
		struct block_rx rx;

		block_rx_init(&rx, true);
		block_rx_parse(&rx, v.data, v.size_bytes, spans, 1, &res);
		assert_int_equal(res.status, BLOCK_RX_AGAIN);
		assert_int_equal(res.count, 0);
		assert_int_equal(res.consumed, v.size_bytes);
		assert_ptr_equal(res.keepalive.data, v.data + 8);
		assert_int_equal(res.keepalive.len, cases[i].len);
		assert_true(block_rx_alive(&res));
		vector_free(&v);
	}
}

static void test_captured_compressed(void **)
{
	struct vector v = vector_load("group_compressed.hex");
	struct block_span spans[1];
	struct block_rx_result res;
	struct block_rx rx;

	block_rx_init(&rx, true);
	block_rx_parse(&rx, v.data, v.size_bytes, spans, 1, &res);
	assert_int_equal(res.count, 1);
	assert_int_equal(spans[0].len, 39);
	assert_int_equal(spans[0].data[0], 0x78);
	assert_int_equal(spans[0].data[1], 0x9c);
	vector_free(&v);
}

/* A stream in which everything occurs. */
static struct stream *mixed_stream(void)
{
	struct stream *s = calloc(1, sizeof(*s));

	assert_non_null(s);
	put_be32(s, 0);		 /* empty group */
	put_be32(s, 0xffffffff); /* keep-alive without payload */
	put_be32(s, 0);
	put_be32(s, 3);
	put_block(s, 14, 1);
	put_block(s, 0, 0);
	put_block(s, 60, 2);
	put_be32(s, 0xffffffff);
	put_be32(s, 17);
	put_fill(s, 17, 9);
	put_be32(s, 5);
	put_block(s, 13, 3);
	put_block(s, 1600, 4);
	put_block(s, 1601, 5);
	put_block(s, 1, 6);
	put_block(s, 3200, 7);
	put_be32(s, 0);
	put_be32(s, 0);
	put_be32(s, 0xffffffff);
	put_be32(s, 512);
	put_fill(s, 512, 200);
	put_be32(s, 2);
	put_block(s, 1514, 10);
	return s;
}

static void test_mixed(void **)
{
	struct stream *s = mixed_stream();
	struct heard *plain = receive(s->bytes, s->len, s->len, 64, false);
	struct heard *zipped = receive(s->bytes, s->len, s->len, 64, true);

	assert_int_equal(plain->status, BLOCK_RX_MORE);
	assert_int_equal(plain->blocks, 4); /* 14, 60, 1600, 1514 */
	assert_int_equal(plain->keepalives, 3);
	assert_int_equal(plain->empty, 1);
	assert_int_equal(plain->too_short, 2); /* 13, 1 */
	assert_int_equal(plain->too_long, 2);  /* 1601, 3200 */
	assert_int_equal(plain->group_left, 1);

	/* Compressed blocks have any size up to 3200. */
	assert_int_equal(zipped->blocks, 8);
	assert_int_equal(zipped->empty, 1);
	assert_int_equal(zipped->too_short + zipped->too_long, 0);
	free(plain);
	free(zipped);
	free(s);
}

/* Whatever the reads look like, the result is the same. */
static void test_any_split(void **)
{
	static const size_t chunks[] = {1, 2, 3, 4, 5, 7, 8, 13, 64, 1000, 1448, 3203, 3204, 3205};
	struct stream *s = mixed_stream();

	for (int zip = 0; zip < 2; zip++) {
		struct heard *whole = receive(s->bytes, s->len, s->len, 64, zip), *parts;

		for (size_t i = 0; i < COUNT(chunks); i++)
			for (uint32_t max = 1; max <= 64; max = max * 4 - 1) {
				parts = receive(s->bytes, s->len, chunks[i], max, zip);
				assert_same(parts, whole);
				free(parts);
			}
		free(whole);
	}
	free(s);
}

/* Two reads, cut at every byte of the stream. */
static void test_cut_everywhere(void **)
{
	struct stream *s = mixed_stream();
	struct heard *whole = receive(s->bytes, s->len, s->len, 64, false), *cut;

	for (size_t at = 1; at < s->len; at++) {
		/* A first read of `at` bytes, then of at most as many again, and so on: covers the
		 * cut and some of its multiples. */
		cut = receive(s->bytes, s->len, at, 64, false);
		assert_same(cut, whole);
		free(cut);
	}
	free(whole);
	free(s);
}

/* A truncated stream never yields more than the whole one did, and never reads past its end
 * (exact-size memory, sanitizer flavour). */
static void test_truncated(void **)
{
	struct stream *s = mixed_stream();
	struct heard *whole = receive(s->bytes, s->len, s->len, 64, false), *part;

	for (size_t len = 1; len < s->len; len++) {
		part = receive(s->bytes, len, len, 64, false);
		assert_int_equal(part->status, BLOCK_RX_MORE);
		assert_true(part->len <= whole->len);
		assert_memory_equal(part->bytes, whole->bytes, part->len);
		free(part);
	}
	free(whole);
	free(s);
}

static void test_block_too_big(void **)
{
	uint8_t bytes[12];
	struct block_span spans[4];
	struct block_rx_result res;
	struct block_rx rx;

	/* The header alone decides, before any of the body came. */
	block_rx_init(&rx, false);
	be32_put(bytes, 2);
	be32_put(bytes + 4, 3201);
	block_rx_parse(&rx, bytes, 8, spans, 4, &res);
	assert_int_equal(res.status, BLOCK_RX_BAD_BLOCK);
	assert_int_equal(res.consumed, 4);
	assert_false(block_rx_alive(&res));

	be32_put(bytes + 4, 0xffffffff);
	block_rx_init(&rx, true);
	block_rx_parse(&rx, bytes, 8, spans, 4, &res);
	assert_int_equal(res.status, BLOCK_RX_BAD_BLOCK);

	block_rx_init(&rx, true);
	be32_put(bytes + 4, 3200);
	block_rx_parse(&rx, bytes, 8, spans, 4, &res);
	assert_int_equal(res.status, BLOCK_RX_MORE);
	assert_int_equal(res.consumed, 4);
}

/* Blocks before the offending one are still delivered. */
static void test_bad_after_good(void **)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct heard *h;

	assert_non_null(s);
	put_be32(s, 3);
	put_block(s, 100, 1);
	put_block(s, 100, 2);
	put_be32(s, 4000);
	h = receive(s->bytes, s->len, s->len, 64, false);
	assert_int_equal(h->status, BLOCK_RX_BAD_BLOCK);
	assert_int_equal(h->blocks, 2);
	free(h);
	free(s);
}

static void test_keepalive_too_big(void **)
{
	uint8_t bytes[8];
	struct block_span spans[4];
	struct block_rx_result res;
	struct block_rx rx;

	block_rx_init(&rx, false);
	be32_put(bytes, 0xffffffff);
	be32_put(bytes + 4, 513);
	block_rx_parse(&rx, bytes, 8, spans, 4, &res);
	assert_int_equal(res.status, BLOCK_RX_BAD_KEEPALIVE);
	be32_put(bytes + 4, 512);
	block_rx_parse(&rx, bytes, 8, spans, 4, &res);
	assert_int_equal(res.status, BLOCK_RX_MORE);
	assert_int_equal(res.consumed, 0);
	assert_null(res.keepalive.data);
	assert_false(block_rx_alive(&res));
}

/* The largest count is a group, not a keep-alive, and lives on across calls. */
static void test_huge_group(void **)
{
	uint8_t bytes[4 + 18];
	struct block_span spans[4];
	struct block_rx_result res;
	struct block_rx rx;

	memset(bytes, 0, sizeof(bytes));
	be32_put(bytes, 0xfffffffe);
	be32_put(bytes + 4, 14);
	block_rx_init(&rx, false);
	block_rx_parse(&rx, bytes, sizeof(bytes), spans, 4, &res);
	assert_int_equal(res.count, 1);
	assert_int_equal(rx.group_left, 0xfffffffd);
	/* Inside a group the mark is just a size that is too big. */
	be32_put(bytes, 0xffffffff);
	block_rx_parse(&rx, bytes, 4, spans, 4, &res);
	assert_int_equal(res.status, BLOCK_RX_BAD_BLOCK);
}

/* 300 blocks in one group, taken 64 at a time. */
static void test_group_of_300(void **)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct heard *h;

	assert_non_null(s);
	put_be32(s, 300);
	for (int i = 0; i < 300; i++)
		put_block(s, 60, (uint8_t)i);
	h = receive(s->bytes, s->len, s->len, 64, false);
	assert_int_equal(h->blocks, 300);
	assert_int_equal(h->group_left, 0);
	free(h);
	free(s);
}

static void test_array_full(void **)
{
	struct stream *s = calloc(1, sizeof(*s));
	struct block_span spans[2];
	struct block_rx_result res;
	struct block_rx rx;

	assert_non_null(s);
	put_be32(s, 3);
	for (int i = 0; i < 3; i++)
		put_block(s, 20, (uint8_t)i);
	block_rx_init(&rx, false);
	block_rx_parse(&rx, s->bytes, s->len, spans, 2, &res);
	assert_int_equal(res.status, BLOCK_RX_AGAIN);
	assert_int_equal(res.count, 2);
	assert_int_equal(res.consumed, 4 + 2 * 24);
	assert_int_equal(rx.group_left, 1);
	block_rx_parse(&rx, s->bytes + res.consumed, s->len - res.consumed, spans, 2, &res);
	assert_int_equal(res.status, BLOCK_RX_MORE);
	assert_int_equal(res.count, 1);
	assert_int_equal(spans[0].data[0], 2);
	free(s);
}

static void test_nothing(void **)
{
	struct block_span spans[1];
	struct block_rx_result res;
	struct block_rx rx;

	block_rx_init(&rx, false);
	block_rx_parse(&rx, NULL, 0, spans, 1, &res);
	assert_int_equal(res.status, BLOCK_RX_MORE);
	assert_int_equal(res.consumed, 0);
	assert_int_equal(res.count, 0);
}

static void test_frame_len(void **)
{
	assert_false(block_frame_len_ok(0));
	assert_false(block_frame_len_ok(13));
	assert_true(block_frame_len_ok(14));
	assert_true(block_frame_len_ok(1600));
	assert_false(block_frame_len_ok(1601));
	assert_false(block_frame_len_ok(UINT32_MAX));
}

static void test_natt_port(void **)
{
	uint8_t with_ip[10 + 16 + 14], plain[20] = "NATT_MY_PORT";
	struct block_span s = {plain, 14};

	be16_put(plain + 12, 40001);
	assert_int_equal(block_keepalive_natt_port(&s), 40001);
	s.len = sizeof(plain);
	assert_int_equal(block_keepalive_natt_port(&s), 40001);
	s.len = 13;
	assert_int_equal(block_keepalive_natt_port(&s), 0);
	s.len = 0;
	assert_int_equal(block_keepalive_natt_port(&s), 0);

	memset(with_ip, 0xaa, sizeof(with_ip));
	memcpy(with_ip, "NATT_MY_IP", 10);
	memcpy(with_ip + 26, plain, 14);
	s = (struct block_span){with_ip, sizeof(with_ip)};
	assert_int_equal(block_keepalive_natt_port(&s), 40001);
	s.len--;
	assert_int_equal(block_keepalive_natt_port(&s), 0);
	with_ip[0] = 'n';
	s.len++;
	assert_int_equal(block_keepalive_natt_port(&s), 0);
}

static void test_tx_group(void **)
{
	static const uint8_t frame[60] = {1, 2, 3};
	const struct block_span blocks[3] = {{frame, 60}, {frame, 42}, {frame, 14}};
	uint8_t out[4 + 64 + 46 + 18];
	uint32_t taken;
	struct heard *h;

	assert_int_equal(block_group_bytes(3, 60 + 42 + 14), sizeof(out));
	assert_int_equal(block_tx_group(out, sizeof(out), blocks, 3, &taken), sizeof(out));
	assert_int_equal(taken, 3);
	assert_int_equal(be32_get(out), 3);
	h = receive(out, sizeof(out), sizeof(out), 64, false);
	assert_int_equal(h->blocks, 3);
	assert_int_equal(h->group_left, 0);
	assert_int_equal(h->status, BLOCK_RX_MORE);
	free(h);

	/* One byte less: the last block waits, and the count says so. */
	assert_int_equal(block_tx_group(out, sizeof(out) - 1, blocks, 3, &taken), 4 + 64 + 46);
	assert_int_equal(taken, 2);
	assert_int_equal(be32_get(out), 2);
	assert_int_equal(block_tx_group(out, 4 + 63, blocks, 3, &taken), 0);
	assert_int_equal(taken, 0);
	assert_int_equal(block_tx_group(out, 3, blocks, 3, &taken), 0);
	assert_int_equal(block_tx_group(out, sizeof(out), blocks, 0, &taken), 0);
}

static void test_tx_reproduces_capture(void **)
{
	struct vector two = vector_load("group_two_blocks.hex");
	const struct block_span blocks[2] = {{two.data + 8, 90}, {two.data + 0x66, 70}};
	uint8_t out[172], *end;
	uint32_t taken;

	assert_int_equal(block_tx_group(out, sizeof(out), blocks, 2, &taken), two.size_bytes);
	assert_memory_equal(out, two.data, two.size_bytes);
	vector_free(&two);

	two = vector_load("keepalive_server.hex");
	end = block_put_keepalive(out, 49);
	assert_ptr_equal(end, out + 8);
	assert_memory_equal(out, two.data, 8);
	vector_free(&two);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captured_groups),
		cmocka_unit_test(test_captured_keepalives),
		cmocka_unit_test(test_captured_compressed),
		cmocka_unit_test(test_mixed),
		cmocka_unit_test(test_any_split),
		cmocka_unit_test(test_cut_everywhere),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_block_too_big),
		cmocka_unit_test(test_bad_after_good),
		cmocka_unit_test(test_keepalive_too_big),
		cmocka_unit_test(test_huge_group),
		cmocka_unit_test(test_group_of_300),
		cmocka_unit_test(test_array_full),
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_frame_len),
		cmocka_unit_test(test_natt_port),
		cmocka_unit_test(test_tx_group),
		cmocka_unit_test(test_tx_reproduces_capture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
