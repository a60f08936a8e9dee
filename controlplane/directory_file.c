/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory as text (directory.h): strict reading, and writing that any libconfig reads back. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/config_reader.h"
#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

#define FILE_VERSION 1
#define JOURNAL_NUMBER_MAX \
	INT64_C(99999999999999) /* of a segment: more than are ever written, and names hold it */

int directory_root_read(struct config_reader *r, const config_setting_t *root, struct directory *d)
{
	static const char *const names[] = {
		"version", "journal", "kept", "hubs", "bridges", DIRECTORY_SERVER_NAMES, NULL};
	const config_setting_t *hubs;
	int64_t version = FILE_VERSION, journal = 0;
	int rc = directory_kept_read(r, root, &d->kept);

	config_reader_known(r, root, names);
	config_reader_int(r, root, "version", FILE_VERSION, FILE_VERSION, &version);
	config_reader_int(r, root, "journal", 0, JOURNAL_NUMBER_MAX, &journal);
	d->journal = (uint64_t)journal;
	directory_server_read(r, root, d);
	/* A file cut to nothing parses as an empty one: it must not pass for a directory. */
	if (config_reader_member(root, "hubs") == NULL)
		config_reader_error(r, NULL, "hubs is missing, should be a list ( )");
	hubs = config_reader_list(r, root, "hubs");
	if (hubs == NULL)
		return 0;
	if (config_setting_length(hubs) > (int)DIRECTORY_HUBS_MAX) {
		config_reader_error(r, hubs, "has %d hubs, should have at most %u",
			config_setting_length(hubs), DIRECTORY_HUBS_MAX);
		return 0;
	}
	for (int i = 0; i < config_setting_length(hubs) && rc == 0; i++)
		rc = directory_hub_read(r, config_setting_get_elem(hubs, (unsigned)i), d);
	return rc == 0 ? directory_bridges_read(r, root, d) : rc;
}

/* What was parsed, if it parsed, into `d`. */
static int read_parsed(struct config_reader *r, config_t *cfg, bool parsed, struct directory *d)
{
	int rc = parsed ? directory_root_read(r, config_root_setting(cfg), d) : 0;

	config_destroy(cfg);
	if (rc < 0)
		config_reader_error(r, NULL, "%s", strerror(-rc));
	if (r->errors == 0)
		return 0;
	directory_free(d);
	return rc < 0 ? rc : -EINVAL;
}

int directory_read_file(const char *path, void (*report)(void *ctx, const char *line), void *ctx,
	struct directory *d)
{
	struct config_reader r = {.path = path, .report = report, .ctx = ctx};
	config_t cfg;
	bool parsed = config_reader_parse(&r, &cfg);

	return read_parsed(&r, &cfg, parsed, d);
}

int directory_read_text_as(const char *name, const char *text,
	void (*report)(void *ctx, const char *line), void *ctx, struct directory *d)
{
	struct config_reader r = {.path = name, .report = report, .ctx = ctx};
	config_t cfg;
	bool parsed = config_reader_parse_text(&r, &cfg, text);

	return read_parsed(&r, &cfg, parsed, d);
}

int directory_load(const char *path, void (*report)(void *ctx, const char *line), void *ctx)
{
	struct directory fresh;
	int rc;

	directory_init(&fresh);
	rc = directory_read_file(path, report, ctx, &fresh);
	if (rc < 0)
		return rc;
	directory_free(&directory_now);
	directory_move(&directory_now, &fresh);
	return 0;
}

void directory_root_write(FILE *f, const struct directory *d)
{
	const struct directory_hub *hub;
	const char *separator = "\n";

	fprintf(f, "version = %d;\n", FILE_VERSION);
	if (d->journal != 0)
		fprintf(f, "journal = %" PRIu64 "%s;\n", d->journal,
			d->journal > INT32_MAX ? "L" : "");
	fputc('\n', f);
	directory_server_write(f, d);
	fputs("hubs = (", f);
	TAILQ_FOREACH (hub, &d->hubs, entry) {
		fputs(separator, f);
		directory_hub_write(f, hub);
		separator = ",\n";
	}
	fputs("\n);\n", f);
	directory_bridges_write(f, d);
	directory_kept_write(f, "", d->kept);
}

char *directory_text_of(const struct directory *d, size_t *size)
{
	char *text = NULL;
	FILE *f = open_memstream(&text, size);
	bool failed;

	if (f == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	fputs("# Hubs, users and groups of Patchbay: see directory.cfg(5). Written by patchbayd, which keeps\n"
	      "# changes in directory.journal.* until they are in here. Edit it as you like, try\n"
	      "# `patchbayd --check`, then let the daemon read it: `patchbayctl store reload`.\n",
		f);
	directory_root_write(f, d);
	failed = ferror(f) != 0;
	if (fclose(f) != 0 || failed) {
		free(text);
		errno = ENOMEM;
		return NULL;
	}
	return text;
}

char *directory_serialise(size_t *size)
{
	return directory_text_of(&directory_now, size);
}
