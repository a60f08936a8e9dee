/* SPDX-License-Identifier: BSD-3-Clause */
/* Records and their checksums (journal.h). */

#include "controlplane/journal.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

static unsigned long checksum(const char *text, size_t len)
{
	return crc32_z(crc32_z(0, NULL, 0), (const unsigned char *)text, len);
}

size_t journal_frame(const char *text, size_t len, char *out)
{
	int n = snprintf(out, JOURNAL_FRAME_MAX, "@ %zu %08lx\n", len, checksum(text, len));

	return (size_t)n;
}

/* Digits of `base` up to `stop`, which is passed; false if there is something else or too much of it. */
static bool number(const char **p, const char *end, unsigned base, char stop, unsigned long *out)
{
	unsigned digits = 0;

	for (*out = 0; *p < end && **p != stop; (*p)++, digits++) {
		char c = **p;
		unsigned v = c >= '0' && c <= '9' ? (unsigned)(c - '0')
			: c >= 'a' && c <= 'f'	  ? (unsigned)(c - 'a') + 10
						  : 16;

		if (v >= base || digits == 10)
			return false;
		*out = *out * base + v;
	}
	if (*p == end || digits == 0)
		return false;
	(*p)++;
	return true;
}

enum journal_step journal_next(
	const char *bytes, size_t size, size_t *at, const char **text, size_t *len)
{
	const char *p = bytes + *at, *end = bytes + size;
	unsigned long want, sum;

	if (*at == 0) {
		if (size < sizeof(JOURNAL_HEAD) - 1 ||
			memcmp(bytes, JOURNAL_HEAD, sizeof(JOURNAL_HEAD) - 1) != 0)
			return JOURNAL_DAMAGED;
		p += sizeof(JOURNAL_HEAD) - 1;
	}
	if (p == end)
		return JOURNAL_END;
	if (end - p < 2 || p[0] != '@' || p[1] != ' ')
		return JOURNAL_DAMAGED;
	p += 2;
	if (!number(&p, end, 10, ' ', &want) || want > JOURNAL_RECORD_MAX ||
		!number(&p, end, 16, '\n', &sum) || (size_t)(end - p) < want + 1 ||
		p[want] != '\n' || checksum(p, want) != sum || memchr(p, '\0', want) != NULL)
		return JOURNAL_DAMAGED;
	*text = p;
	*len = want;
	*at = (size_t)(p - bytes) + want + 1;
	return JOURNAL_RECORD;
}
