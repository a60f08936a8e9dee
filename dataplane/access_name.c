/* SPDX-License-Identifier: BSD-3-Clause */
/* Names of users and groups as access rules compare them (access.h). No DPDK: who logs in is looked up here, too. */

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/access.h"

#define ROTL(x, b) ((x) << (b) | (x) >> (64 - (b)))

static void sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = ROTL(v[1], 13) ^ v[0];
	v[0] = ROTL(v[0], 32);
	v[2] += v[3];
	v[3] = ROTL(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = ROTL(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = ROTL(v[1], 17) ^ v[2];
	v[2] = ROTL(v[2], 32);
}

/*
 * A keyed hash, since somebody may choose the name he logs in with (an authentication server's users): he must not
 * be able to look for one that a rule takes for another.
 */
uint64_t access_name_key(const char *name)
{
	static uint64_t secret[2];
	static bool have;
	const char *domain = strchr(name, '\\'), *end = NULL;
	uint64_t v[4], word = 0;
	size_t n = 0;

	if (!have) {
		if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
			abort();
		have = true;
	}
	if (domain != NULL)
		name = domain + 1;
	else
		end = strrchr(name, '@');
	if (end == NULL)
		end = name + strlen(name);
	if (name == end)
		return 0;
	v[0] = secret[0] ^ UINT64_C(0x736f6d6570736575);
	v[1] = secret[1] ^ UINT64_C(0x646f72616e646f6d);
	v[2] = secret[0] ^ UINT64_C(0x6c7967656e657261);
	v[3] = secret[1] ^ UINT64_C(0x7465646279746573);
	for (; name < end; name++) {
		unsigned char c =
			(unsigned char)(*name >= 'a' && *name <= 'z' ? *name - 'a' + 'A' : *name);

		word |= (uint64_t)c << 8 * (n % 8);
		if (++n % 8 != 0)
			continue;
		v[3] ^= word;
		sip_round(v);
		sip_round(v);
		v[0] ^= word;
		word = 0;
	}
	word |= (uint64_t)n << 56;
	v[3] ^= word;
	sip_round(v);
	sip_round(v);
	v[0] ^= word;
	v[2] ^= 0xff;
	for (unsigned i = 0; i < 4; i++)
		sip_round(v);
	word = v[0] ^ v[1] ^ v[2] ^ v[3];
	return word != 0 ? word : 1;
}

static int by_key(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

void access_names_sort(uint64_t *key, uint32_t cnt)
{
	if (cnt > 1)
		qsort(key, cnt, sizeof(*key), by_key);
}
