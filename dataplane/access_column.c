/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A burst by columns: what rules ask of a frame, one 32-bit word of the key per frame side by side, so that one condition
 * is compared with as many frames at once as a register of this CPU holds. What comes out is a mask over the burst.
 *
 * Only columns that some rule asks about are filled in.
 */

#include <rte_branch_prediction.h>
#include <rte_cpuflags.h>
#include <string.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif

#include "dataplane/access_priv.h"
#include "dataplane/frame.h"

#define HEADER ACCESS_COLUMN_HEADER
#define PORTS  ACCESS_COLUMN_PORTS
#define SRC_IP ACCESS_COLUMN_SRC
#define MACS   ACCESS_COLUMN_MACS

#define IPV4_BITS (3u << SRC_IP)
#define IPV6_BITS (0xfcu << SRC_IP) /* what IPv6 has besides */
#define MAC_BITS  (7u << MACS)

static_assert(offsetof(struct access_key, ports) == 4 * PORTS);
static_assert(offsetof(struct access_key, address) == 4 * SRC_IP);
static_assert(offsetof(struct access_key, macs) == 4 * MACS);
static_assert(offsetof(struct access_key, src_lists) == 4 * ACCESS_COLUMNS);

/* ---- comparing ------------------------------------------------------------------------------- */

static uint64_t word_plain(const uint32_t *col, uint32_t mask, uint32_t want, unsigned n)
{
	uint64_t m = 0;

	for (unsigned i = 0; i < n; i++)
		m |= (uint64_t)((col[i] & mask) == want) << i;
	return m;
}

static uint64_t ports_plain(const uint32_t *col, uint32_t first, uint32_t span, unsigned n)
{
	uint64_t m = 0;

	for (unsigned i = 0; i < n; i++) {
		bool lo = (uint16_t)(col[i] - first) <= (uint16_t)span;
		bool hi = (uint16_t)((col[i] >> 16) - (first >> 16)) <= (uint16_t)(span >> 16);

		m |= (uint64_t)(lo && hi) << i;
	}
	return m;
}

#ifdef __x86_64__

/* What DPDK's own flags ask of every x86 CPU is enough for this. */
static uint64_t word_sse(const uint32_t *col, uint32_t mask, uint32_t want, unsigned n)
{
	const __m128i m = _mm_set1_epi32((int)mask), w = _mm_set1_epi32((int)want);
	uint64_t hit = 0;

	for (unsigned i = 0; i < n; i += 4) {
		__m128i v = _mm_load_si128((const __m128i *)(col + i));

		v = _mm_cmpeq_epi32(_mm_and_si128(v, m), w);
		hit |= (uint64_t)(uint32_t)_mm_movemask_ps(_mm_castsi128_ps(v)) << i;
	}
	return hit;
}

static uint64_t ports_sse(const uint32_t *col, uint32_t first, uint32_t span, unsigned n)
{
	const __m128i f = _mm_set1_epi32((int)first), s = _mm_set1_epi32((int)span);
	const __m128i ones = _mm_set1_epi32(-1);
	uint64_t hit = 0;

	for (unsigned i = 0; i < n; i += 4) {
		__m128i v = _mm_load_si128((const __m128i *)(col + i));

		v = _mm_sub_epi16(v, f);
		v = _mm_cmpeq_epi16(_mm_min_epu16(v, s), v);
		v = _mm_cmpeq_epi32(v, ones);
		hit |= (uint64_t)(uint32_t)_mm_movemask_ps(_mm_castsi128_ps(v)) << i;
	}
	return hit;
}

__attribute__((target("avx2"))) static uint64_t word_avx2(
	const uint32_t *col, uint32_t mask, uint32_t want, unsigned n)
{
	const __m256i m = _mm256_set1_epi32((int)mask), w = _mm256_set1_epi32((int)want);
	uint64_t hit = 0;

	for (unsigned i = 0; i < n; i += 8) {
		__m256i v = _mm256_load_si256((const __m256i *)(col + i));

		v = _mm256_cmpeq_epi32(_mm256_and_si256(v, m), w);
		hit |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(v)) << i;
	}
	return hit;
}

__attribute__((target("avx2"))) static uint64_t ports_avx2(
	const uint32_t *col, uint32_t first, uint32_t span, unsigned n)
{
	const __m256i f = _mm256_set1_epi32((int)first), s = _mm256_set1_epi32((int)span);
	const __m256i ones = _mm256_set1_epi32(-1);
	uint64_t hit = 0;

	for (unsigned i = 0; i < n; i += 8) {
		__m256i v = _mm256_load_si256((const __m256i *)(col + i));

		v = _mm256_sub_epi16(v, f);
		v = _mm256_cmpeq_epi16(_mm256_min_epu16(v, s), v);
		v = _mm256_cmpeq_epi32(v, ones);
		hit |= (uint64_t)(uint32_t)_mm256_movemask_ps(_mm256_castsi256_ps(v)) << i;
	}
	return hit;
}

#endif

const struct access_compare access_compare[ACCESS_FEW_WAYS] = {
	[ACCESS_FEW_PLAIN] = {word_plain, ports_plain},
#ifdef __x86_64__
	[ACCESS_FEW_SSE] = {word_sse, ports_sse},
	[ACCESS_FEW_AVX2] = {word_avx2, ports_avx2},
#endif
};

enum access_few_way access_few_best(void)
{
#ifdef __x86_64__
	return rte_cpu_get_flag_enabled(RTE_CPUFLAG_AVX2) > 0 ? ACCESS_FEW_AVX2 : ACCESS_FEW_SSE;
#else
	return ACCESS_FEW_PLAIN;
#endif
}

/* ---- columns --------------------------------------------------------------------------------- */

/* Ports as numbers, the source's in the upper half. */
static uint32_t ports_of(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return __builtin_bswap32(v);
}

void access_columns_put(
	struct access_columns *cols, uint32_t used, unsigned j, const struct access_key *key)
{
	uint32_t word[ACCESS_COLUMNS];

	memcpy(word, key, sizeof(word));
	word[PORTS] = ports_of(key->ports);
	for (; used != 0; used &= used - 1) {
		unsigned c = (unsigned)__builtin_ctz(used);

		cols->word[c][j] = word[c];
	}
}

/* Of the usual frame: EtherType, IPv4 header without options, TCP or UDP above, 48 bytes or more. */
#define TYPE_AT	     12u
#define IP_AT	     14u
#define ADDRESS_AT   26u
#define TCP_FLAGS_AT 47u
#define TCP_SYN	     0x02u
#define TCP_ACK	     0x10u
#define TCP	     6u
#define UDP	     17u

#ifdef __x86_64__

/*
 * Four frames at a time: their bytes are put in order by shuffles, turned into columns, and then judged by columns, too.
 * No branch but for runts; so it costs the same whatever mixture of protocols comes.
 */
#define MIN_BYTES 48u	 /* up to TCP's flags */
#define NO	  (-128) /* shuffles: a zero */

struct rough {
	uint64_t type[FRAME_BURST] __attribute__((aligned(32))); /* EtherType, version, fragment */
	int32_t room[FRAME_BURST] __attribute__((aligned(32)));	 /* bytes behind the MAC header */
};

/* One frame: header column as TCP flags, protocol, total length; ports; addresses. */
static inline __m128i row_of(const uint8_t *p, uint64_t *type)
{
	const __m128i from_ip =
		_mm_setr_epi8(NO, 11, 5, 4, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO);
	const __m128i from_address =
		_mm_setr_epi8(NO, NO, NO, NO, 11, 10, 9, 8, 0, 1, 2, 3, 4, 5, 6, 7);
	const __m128i what =
		_mm_setr_epi8(0, 1, 2, 8, 9, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO, NO);
	__m128i ip = _mm_loadu_si128((const __m128i *)(p + TYPE_AT));
	__m128i row = _mm_or_si128(_mm_shuffle_epi8(ip, from_ip),
		_mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(p + ADDRESS_AT)), from_address));

	_mm_storel_epi64((__m128i *)type, _mm_shuffle_epi8(ip, what));
	return _mm_insert_epi8(row, p[TCP_FLAGS_AT], 0);
}

/* Columns of four rows, from frame j on. */
static inline void rows_put(
	struct access_columns *cols, unsigned j, __m128i a, __m128i b, __m128i c, __m128i d)
{
	__m128i ab = _mm_unpacklo_epi32(a, b), cd = _mm_unpacklo_epi32(c, d);
	__m128i up = _mm_unpackhi_epi32(a, b), cup = _mm_unpackhi_epi32(c, d);

	_mm_store_si128((__m128i *)&cols->word[HEADER][j], _mm_unpacklo_epi64(ab, cd));
	_mm_store_si128((__m128i *)&cols->word[PORTS][j], _mm_unpackhi_epi64(ab, cd));
	_mm_store_si128((__m128i *)&cols->word[SRC_IP][j], _mm_unpacklo_epi64(up, cup));
	_mm_store_si128((__m128i *)&cols->word[SRC_IP + 1][j], _mm_unpackhi_epi64(up, cup));
}

/* Header words of four frames from their rough ones; returns which of them are usual. */
static inline unsigned headers_finish(uint32_t *header, const struct rough *rough, unsigned j)
{
	const __m128i kinds = _mm_set1_epi64x(0xff1fffffffll);
	const __m128i usual_kind = _mm_set1_epi64x(0x0000450008ll);
	__m128i h = _mm_load_si128((const __m128i *)header);
	__m128i room = _mm_load_si128((const __m128i *)&rough->room[j]);
	__m128i total = _mm_srli_epi32(h, 16), protocol, tcp, udp, need, l4, opens, bad, k0, k1;

	protocol = _mm_and_si128(h, _mm_set1_epi32(0xff00));
	tcp = _mm_cmpeq_epi32(protocol, _mm_set1_epi32(TCP << 8));
	udp = _mm_cmpeq_epi32(protocol, _mm_set1_epi32(UDP << 8));
	need = _mm_or_si128(
		_mm_and_si128(tcp, _mm_set1_epi32(40)), _mm_and_si128(udp, _mm_set1_epi32(28)));
	bad = _mm_or_si128(_mm_cmpgt_epi32(need, total), _mm_cmpgt_epi32(total, room));
	opens = _mm_cmpeq_epi32(
		_mm_and_si128(h, _mm_set1_epi32(TCP_SYN | TCP_ACK)), _mm_set1_epi32(TCP_SYN));
	l4 = _mm_or_si128(
		_mm_and_si128(tcp,
			_mm_set1_epi32((ACCESS_L4_IS_TCP | ACCESS_L4_TCP | ACCESS_L4_PORTS) << 16)),
		_mm_and_si128(udp, _mm_set1_epi32((ACCESS_L4_IS_UDP | ACCESS_L4_PORTS) << 16)));
	l4 = _mm_or_si128(l4,
		_mm_andnot_si128(
			opens, _mm_and_si128(tcp, _mm_set1_epi32(ACCESS_L4_ESTABLISHED << 16))));
	h = _mm_or_si128(_mm_or_si128(protocol, l4), _mm_set1_epi32(ACCESS_KIND_IPV4));
	_mm_store_si128((__m128i *)header, h);
	k0 = _mm_load_si128((const __m128i *)&rough->type[j]);
	k1 = _mm_load_si128((const __m128i *)&rough->type[j + 2]);
	k0 = _mm_cmpeq_epi64(_mm_and_si128(k0, kinds), usual_kind);
	k1 = _mm_cmpeq_epi64(_mm_and_si128(k1, kinds), usual_kind);
	/* Both halves of each are alike: one of them is enough. */
	k0 = _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(k0), _mm_castsi128_ps(k1), 0x88));
	k0 = _mm_and_si128(k0, _mm_andnot_si128(bad, _mm_or_si128(tcp, udp)));
	return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(k0));
}

/* Four frames, or fewer at the end of a burst; what is too short is as good as nothing. */
static inline void four_fill(struct access_columns *cols, struct rough *rough,
	struct frame *const *frame, unsigned n, unsigned j)
{
	static const uint8_t nothing[MIN_BYTES];
	__m128i row[4];

	for (unsigned i = 0; i < 4; i++) {
		bool there = j + i < n && likely(frame[j + i]->len >= MIN_BYTES);

		rough->room[j + i] = there ? (int32_t)frame[j + i]->len - (int32_t)IP_AT : -1;
		row[i] = row_of(there ? frame[j + i]->data : nothing, &rough->type[j + i]);
	}
	rows_put(cols, j, row[0], row[1], row[2], row[3]);
}

static uint64_t usual_fill(struct access_columns *cols, struct frame *const *frame, unsigned n)
{
	struct rough rough;
	uint64_t usual = 0;

	for (unsigned j = 0; j < n; j += 4) {
		four_fill(cols, &rough, frame, n, j);
		usual |= (uint64_t)headers_finish(&cols->word[HEADER][j], &rough, j) << j;
	}
	return usual;
}

#else

#define MIN_BYTES 48u /* up to TCP's flags */

static uint64_t usual_fill(struct access_columns *cols, struct frame *const *frame, unsigned n)
{
	uint64_t usual = 0;

	for (unsigned j = 0; j < n; j++) {
		struct access_key key;

		if (frame[j]->len < MIN_BYTES ||
			!access_key_fast(frame[j]->data, frame[j]->len, &key))
			continue;
		access_columns_put(cols, IPV4_BITS | 1u << HEADER | 1u << PORTS, j, &key);
		usual |= UINT64_C(1) << j;
	}
	return usual;
}

#endif

uint64_t access_columns_fill(
	struct access_columns *cols, uint32_t used, struct frame *const *frame, unsigned n)
{
	uint64_t usual = usual_fill(cols, frame, n);

	if ((used & MAC_BITS) != 0) {
		for (unsigned j = 0; j < n; j++) {
			for (unsigned i = 0; i < 3; i++)
				memcpy(&cols->word[MACS + i][j], frame[j]->data + 4 * i, 4);
		}
	}
	/* What IPv6 alone has is nothing here. */
	for (uint32_t left = used & IPV6_BITS; left != 0; left &= left - 1)
		memset(cols->word[__builtin_ctz(left)], 0, n * sizeof(uint32_t));
	return usual;
}
