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

/* Of the usual frame: EtherType, IPv4 header without options, TCP or UDP above. */
#define TYPE_AT	     12u
#define IP_AT	     14u
#define TTL_AT	     22u
#define ADDRESS_AT   26u
#define L4_AT	     34u
#define TCP_FLAGS_AT 47u
#define TCP_SYN	     0x02u
#define TCP_ACK	     0x10u
#define TCP	     6u
#define UDP	     17u
#define LITTLE(x)    (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? (x) : __builtin_bswap64(x))

static uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, 8);
	return LITTLE(v);
}

uint64_t access_columns_fill(
	struct access_columns *cols, uint32_t used, struct frame *const *frame, unsigned n)
{
	uint64_t usual = 0;

	for (unsigned j = 0; j < n; j++) {
		const uint8_t *p = frame[j]->data;
		uint32_t len = frame[j]->len, total, protocol, l4;
		uint64_t first, second;
		bool tcp;

		if (unlikely(len < L4_AT + 8))
			continue;
		first = load64(p + TYPE_AT);	  /* EtherType, 0x45, TOS, length, identification */
		second = load64(p + TYPE_AT + 8); /* fragment, TTL, protocol, checksum, address */
		total = __builtin_bswap16((uint16_t)(first >> 32));
		protocol = (uint8_t)(second >> 24);
		tcp = protocol == TCP;
		if (unlikely((first & 0xffffff) != 0x450008 || (second & 0xff1f) != 0 ||
			    (!tcp && protocol != UDP) || total > len - IP_AT ||
			    total < (tcp ? 40u : 28u)))
			continue;
		/* A UDP datagram may end before there: without a branch, some other byte is read. */
		l4 = p[tcp ? TCP_FLAGS_AT : TTL_AT] & (TCP_SYN | TCP_ACK);
		l4 = tcp ? ACCESS_L4_IS_TCP | ACCESS_L4_TCP | ACCESS_L4_PORTS |
				(l4 != TCP_SYN ? ACCESS_L4_ESTABLISHED : 0)
			 : ACCESS_L4_IS_UDP | ACCESS_L4_PORTS;
		usual |= UINT64_C(1) << j;
		cols->word[HEADER][j] = access_header_word(ACCESS_KIND_IPV4, protocol, l4);
		cols->word[PORTS][j] = ports_of(p + L4_AT);
		if ((used & IPV4_BITS) != 0) {
			memcpy(&cols->word[SRC_IP][j], p + ADDRESS_AT, 4);
			memcpy(&cols->word[SRC_IP + 1][j], p + ADDRESS_AT + 4, 4);
		}
		if ((used & MAC_BITS) != 0) {
			for (unsigned i = 0; i < 3; i++)
				memcpy(&cols->word[MACS + i][j], p + 4 * i, 4);
		}
	}
	/* What IPv6 alone has is nothing here. */
	for (uint32_t left = used & IPV6_BITS; left != 0; left &= left - 1)
		memset(cols->word[__builtin_ctz(left)], 0, n * sizeof(uint32_t));
	return usual;
}
