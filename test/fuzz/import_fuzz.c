/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The original's configuration: whatever stands in it, the parser ends within its bounds, and what the import took of it
 * is what the directory takes.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/directory_object.h"
#include "controlplane/directory_priv.h"
#include "controlplane/import.h"
#include "require.h"

static void load(const char *record)
{
	struct config_reader r = {.path = "import", .keeps = true};
	struct directory d;
	int rc;

	directory_init(&d);
	rc = directory_objects_read(&r, record, &d);
	REQUIRE(rc == 0 || rc == -ENOMEM);
	directory_free(&d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct import_line line;
	struct import *im;
	char *text, *record;
	uint32_t i;

	if (size > 100000 || memchr(data, '\0', size) != NULL)
		return 0;
	text = malloc(size + 1);
	REQUIRE(text);
	memcpy(text, data, size);
	text[size] = '\0';
	im = import_read(text);
	REQUIRE(im);
	record = import_record(im);
	if (import_wrong(im) == NULL) {
		REQUIRE(record);
		load(record);
		for (i = 0; import_line_get(im, i, &line); i++)
			REQUIRE(line.path && line.text && line.line >= 1 && line.line <= size + 1);
		REQUIRE(i <= IMPORT_LINES_MAX);
	}
	free(record);
	import_free(im);
	free(text);
	return 0;
}
