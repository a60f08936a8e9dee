/* SPDX-License-Identifier: BSD-3-Clause */
/* The journal as a power cut may leave it: read to its end or to the damage, never beyond, and what was framed comes back. */

#include <string.h>

#include "controlplane/journal.h"
#include "require.h"

static void read_all(const char *bytes, size_t size)
{
	size_t at = 0, before, len;
	const char *text;

	for (;;) {
		enum journal_step step;

		before = at;
		step = journal_next(bytes, size, &at, &text, &len);
		REQUIRE(at <= size);
		if (step != JOURNAL_RECORD) {
			REQUIRE(at == before);
			return;
		}
		REQUIRE(at > before && text >= bytes && text + len < bytes + size);
		REQUIRE(memchr(text, '\0', len) == NULL);
	}
}

/* The input as a text: one whole record, and then the same cut off. */
static void there_and_back(const uint8_t *data, size_t size)
{
	size_t head = sizeof(JOURNAL_HEAD) - 1, at = 0, len, end;
	char *file = malloc(head + JOURNAL_FRAME_MAX + size + 1);
	const char *text;

	REQUIRE(file);
	memcpy(file, JOURNAL_HEAD, head);
	end = head + journal_frame((const char *)data, size, file + head);
	memcpy(file + end, data, size);
	end += size;
	file[end++] = '\n';
	REQUIRE(journal_next(file, end, &at, &text, &len) == JOURNAL_RECORD);
	REQUIRE(at == end && len == size && memcmp(text, data, size) == 0);
	REQUIRE(journal_next(file, end, &at, &text, &len) == JOURNAL_END);
	at = 0;
	REQUIRE(journal_next(file, end - 1, &at, &text, &len) == JOURNAL_DAMAGED);
	free(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > 100000)
		return 0;
	read_all((const char *)data, size);
	if (memchr(data, '\0', size) == NULL)
		there_and_back(data, size);
	return 0;
}
