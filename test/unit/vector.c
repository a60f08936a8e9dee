/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads the captured bytes under test/unit/data. */
#include "test/unit/vector.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int nibble(int c)
{
	const char *digits = "0123456789abcdef";
	const char *at = c ? strchr(digits, tolower(c)) : NULL;

	return at ? (int)(at - digits) : -1;
}

static void die(const char *name, const char *why)
{
	fprintf(stderr, "test vector %s: %s\n", name, why);
	exit(1);
}

struct vector vector_copy(const void *data, size_t size_bytes)
{
	/* malloc(0) may return NULL, which parsers need not accept. */
	struct vector v = {.data = malloc(size_bytes ? size_bytes : 1), .size_bytes = size_bytes};

	if (!v.data)
		die("copy", "no memory");
	if (data && size_bytes)
		memcpy(v.data, data, size_bytes);
	return v;
}

struct vector vector_hex(const char *hex)
{
	struct vector v = {.data = malloc(strlen(hex) / 2 + 1)};

	if (!v.data)
		die(hex, "no memory");
	for (; *hex; hex += 2) {
		while (*hex == ' ' || *hex == '\n')
			hex++;
		if (!*hex)
			break;
		if (nibble(hex[0]) < 0 || nibble(hex[1]) < 0)
			die(hex, "not hex");
		v.data[v.size_bytes++] = (uint8_t)(nibble(hex[0]) << 4 | nibble(hex[1]));
	}
	return v;
}

struct vector vector_load(const char *name)
{
	char path[512], line[512], *text = NULL;
	size_t len = 0, n;
	struct vector v;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", TEST_DATA_DIR, name);
	f = fopen(path, "r");
	if (!f)
		die(path, "cannot open");
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#')
			continue;
		n = strlen(line);
		text = realloc(text, len + n + 1);
		if (!text)
			die(path, "no memory");
		memcpy(text + len, line, n + 1);
		len += n;
	}
	fclose(f);
	if (!text)
		die(path, "empty");
	v = vector_hex(text);
	free(text);
	return v;
}

struct vector vector_load_body(const char *name)
{
	struct vector all = vector_load(name), body;
	uint8_t *at = memmem(all.data, all.size_bytes, "\r\n\r\n", 4);

	if (!at)
		die(name, "no empty line");
	at += 4;
	body = vector_copy(at, all.size_bytes - (size_t)(at - all.data));
	vector_free(&all);
	return body;
}

void vector_free(struct vector *v)
{
	free(v->data);
	*v = (struct vector){0};
}
