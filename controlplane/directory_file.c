/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory as text (directory.h): strict reading, and writing that any libconfig reads back. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/config_reader.h"
#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

#define FILE_VERSION 1

static int read_directory(
	struct config_reader *r, const config_setting_t *root, struct directory *d)
{
	static const char *const names[] = {"version", "hubs", "bridges", "admin_password",
		"admin_password_hash", "listeners", NULL};
	const config_setting_t *hubs;
	int64_t version = FILE_VERSION;
	int rc = 0;

	config_reader_known(r, root, names);
	config_reader_int(r, root, "version", FILE_VERSION, FILE_VERSION, &version);
	directory_admin_read(r, root, false, &d->admin);
	directory_listeners_read(r, root, d);
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

int directory_load(const char *path, void (*report)(void *ctx, const char *line), void *ctx)
{
	struct config_reader r = {.path = path, .report = report, .ctx = ctx};
	struct directory fresh;
	config_t cfg;
	int rc = 0;

	directory_init(&fresh);
	if (config_reader_parse(&r, &cfg))
		rc = read_directory(&r, config_root_setting(&cfg), &fresh);
	config_destroy(&cfg);
	if (rc < 0)
		config_reader_error(&r, NULL, "%s", strerror(-rc));
	if (r.errors > 0) {
		directory_free(&fresh);
		return rc < 0 ? rc : -EINVAL;
	}
	directory_free(&directory_now);
	directory_now = fresh;
	/* A tail queue's head is pointed at by its first element. */
	TAILQ_INIT(&directory_now.hubs);
	TAILQ_CONCAT(&directory_now.hubs, &fresh.hubs, entry);
	TAILQ_INIT(&directory_now.bridges);
	TAILQ_CONCAT(&directory_now.bridges, &fresh.bridges, entry);
	return 0;
}

char *directory_serialise(size_t *size)
{
	const struct directory_hub *hub;
	const char *separator = "\n";
	char *text = NULL;
	FILE *f = open_memstream(&text, size);
	bool failed;

	if (f == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	fprintf(f,
		"# Hubs, users and groups of Patchbay: see directory.cfg(5). Written by patchbayd;\n"
		"# edit it only while the daemon is stopped, then try `patchbayd --check`.\n"
		"version = %d;\n\n",
		FILE_VERSION);
	directory_admin_write(f, "", false, directory_server_admin());
	fputs("hubs = (", f);
	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		fputs(separator, f);
		directory_hub_write(f, hub);
		separator = ",\n";
	}
	fputs("\n);\n", f);
	directory_bridges_write(f);
	directory_listeners_write(f);
	failed = ferror(f) != 0;
	if (fclose(f) != 0 || failed) {
		free(text);
		errno = ENOMEM;
		return NULL;
	}
	return text;
}
