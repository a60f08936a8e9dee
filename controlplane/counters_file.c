/* SPDX-License-Identifier: BSD-3-Clause */
/* The text of the counters (counters_file.h). */

#include "controlplane/counters_file.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "controlplane/directory.h"

#define HEAD	 "patchbay counters 1\n"
#define END	 "end "
#define END_SIZE (sizeof(END) - 1 + 8 + 1) /* with the sum and the line's end */
#define NUMBERS	 12u			   /* of a line: four, and eight of traffic */

static const char *const kinds[COUNTERS_KIND_CNT] = {"server", "hub", "group", "user"};

static uint32_t sum(const char *text, size_t len)
{
	return (uint32_t)crc32_z(crc32_z(0, NULL, 0), (const unsigned char *)text, len);
}

/* ---- writing ----------------------------------------------------------------------------------- */

static void write_traffic(FILE *f, const struct stats_traffic *t)
{
	fprintf(f, " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64, t->unicast_frames,
		t->unicast_bytes, t->broadcast_frames, t->broadcast_bytes);
}

static void write_line(FILE *f, const struct counters_line *l, const char *names)
{
	fprintf(f, "%s %" PRId64 " %" PRIu32 " %" PRId64 " %" PRId64, kinds[l->kind], l->created_ms,
		l->login_cnt, l->last_login_ms, l->last_comm_ms);
	write_traffic(f, &l->traffic.in);
	write_traffic(f, &l->traffic.out);
	fprintf(f, " %s\n", names + l->name);
}

char *counters_write(const struct counters_line *lines, size_t cnt, const char *names, size_t *size)
{
	char *text = NULL;
	bool bad;
	FILE *f = open_memstream(&text, size);

	if (f == NULL)
		return NULL;
	fputs(HEAD, f);
	for (size_t i = 0; i < cnt; i++)
		write_line(f, &lines[i], names);
	/* What is there so far can be seen after a flush. */
	bad = fflush(f) != 0;
	if (!bad)
		fprintf(f, END "%08" PRIx32 "\n", sum(text, *size));
	bad |= ferror(f) != 0;
	bad |= fclose(f) != 0;
	if (bad) {
		free(text);
		errno = ENOMEM;
		return NULL;
	}
	return text;
}

/* ---- reading ----------------------------------------------------------------------------------- */

/* A number and the space behind it; *p moves on. */
static bool number(const char **p, uint64_t *out)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	errno = 0;
	*out = strtoull(*p, &end, 10);
	if (errno != 0 || *end != ' ')
		return false;
	*p = end + 1;
	return true;
}

static void take_traffic(struct stats_traffic *t, const uint64_t n[4])
{
	t->unicast_frames = n[0];
	t->unicast_bytes = n[1];
	t->broadcast_frames = n[2];
	t->broadcast_bytes = n[3];
}

/* One line without its end. */
static bool read_line(const char *text, struct counters_line *l, const char **name)
{
	uint64_t n[NUMBERS];

	*l = (struct counters_line){.kind = COUNTERS_KIND_CNT};
	for (unsigned k = 0; k < COUNTERS_KIND_CNT; k++) {
		size_t len = strlen(kinds[k]);

		if (strncmp(text, kinds[k], len) == 0 && text[len] == ' ') {
			l->kind = (enum counters_kind)k;
			text += len + 1;
			break;
		}
	}
	if (l->kind == COUNTERS_KIND_CNT)
		return false;
	for (unsigned i = 0; i < NUMBERS; i++)
		if (!number(&text, &n[i]))
			return false;
	if (n[0] > INT64_MAX || n[1] > UINT32_MAX || n[2] > INT64_MAX || n[3] > INT64_MAX ||
		strlen(text) >= DIRECTORY_NAME_BYTES)
		return false;
	l->created_ms = (int64_t)n[0];
	l->login_cnt = (uint32_t)n[1];
	l->last_login_ms = (int64_t)n[2];
	l->last_comm_ms = (int64_t)n[3];
	take_traffic(&l->traffic.in, n + 4);
	take_traffic(&l->traffic.out, n + 8);
	*name = text;
	return true;
}

/* All lines, with or without telling; false: one is wrong. `text` ends in NUL. */
static bool read_lines(char *text,
	void (*take)(void *ctx, const struct counters_line *line, const char *name), void *ctx)
{
	while (*text != '\0') {
		char *end = strchr(text, '\n');
		struct counters_line l;
		const char *name;
		bool ok;

		if (end == NULL)
			return false;
		*end = '\0';
		ok = read_line(text, &l, &name);
		if (ok && take != NULL)
			take(ctx, &l, name);
		*end = '\n';
		if (!ok)
			return false;
		text = end + 1;
	}
	return true;
}

int counters_read(const char *bytes, size_t size,
	void (*take)(void *ctx, const struct counters_line *line, const char *name), void *ctx)
{
	size_t head = sizeof(HEAD) - 1, whole;
	char *text, want[END_SIZE + 1];
	int rc = -EINVAL;

	if (size < head + END_SIZE || memcmp(bytes, HEAD, head) != 0 ||
		memchr(bytes, '\0', size) != NULL)
		return -EINVAL;
	whole = size - END_SIZE;
	snprintf(want, sizeof(want), END "%08" PRIx32 "\n", sum(bytes, whole));
	if (memcmp(bytes + whole, want, END_SIZE) != 0)
		return -EINVAL;
	text = strndup(bytes + head, whole - head);
	if (text == NULL)
		return -ENOMEM;
	if (read_lines(text, NULL, NULL)) {
		read_lines(text, take, ctx);
		rc = 0;
	}
	free(text);
	return rc;
}
