/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory as a text, and read anew: GetConfig, SetConfig, PatchbayReload. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/reading.h"
#include "controlplane/directory.h"
#include "controlplane/store.h"
#include "drivers/session/wire/wire_error.h"

#define TEXT_MAX ADMIN_CONFIG_BYTES

static const struct admin_field no_fields[] = {ADMIN_END};

static int reload_step(struct admin_call *call)
{
	struct admin_reading *st = call->state;

	return st->reading == NULL ? admin_read_begin(call, NULL) : admin_read_wait(call);
}

const struct admin_method admin_method_patchbay_reload = {
	.name = "PatchbayReload",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_RUNS,
	.text = "Reads the directory file as somebody edited it, with the changes since on top, and puts it into "
		"force. Sessions of hubs that stay go on. 38: something is wrong with it, and nothing was changed.",
	.request = no_fields,
	.response = no_fields,
	.state_bytes = sizeof(struct admin_reading),
	.step = reload_step,
	.fini = admin_read_fini,
};

/* ---- GetConfig, SetConfig ---------------------------------------------------------------------- */

static const struct admin_field config_response[] = {
	ADMIN_STR("FileName", 0, 255, "where the text belongs"),
	ADMIN_DATA("FileData", 0, TEXT_MAX,
		"the directory as text, UTF-8; hashes and secrets are masked"),
	ADMIN_END,
};

/* The string whose opening quote is at `quote` is the value of a secret. */
static bool is_secret(const char *text, const char *quote)
{
	static const char *const keys[] = {"hash = ", "secret = ", "private_key = ", "kept = "};

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		size_t len = strlen(keys[i]);

		if ((size_t)(quote - text) >= len && memcmp(quote - len, keys[i], len) == 0)
			return true;
	}
	return false;
}

/* Secrets are for the disk alone: every string of such a key becomes "kept". What stands in a string is no key. */
static char *mask(const char *text, size_t *size)
{
	char *out = NULL;
	FILE *f = open_memstream(&out, size);

	if (f == NULL)
		return NULL;
	while (*text != '\0') {
		const char *quote = strchrnul(text, '"'), *end = quote;

		if (*quote == '"') {
			for (end++; *end != '\0' && *end != '"'; end++)
				end += *end == '\\' && end[1] != '\0'; /* what follows is no end */
			end += *end == '"';
		}
		fwrite(text, 1, (size_t)(quote - text), f);
		if (*quote == '"' && is_secret(text, quote))
			fputs("\"" DIRECTORY_KEPT "\"", f);
		else
			fwrite(quote, 1, (size_t)(end - quote), f);
		text = end;
	}
	if (fclose(f) != 0) {
		free(out);
		return NULL;
	}
	return out;
}

static int get_config_step(struct admin_call *call)
{
	size_t size, masked_size;
	char *text = directory_serialise(&size);
	char *masked = text == NULL ? NULL : mask(text, &masked_size);

	if (text != NULL)
		explicit_bzero(text, size);
	free(text);
	if (masked == NULL)
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	if (masked_size > TEXT_MAX) {
		free(masked);
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"the directory is too large for one answer: read the file on the server");
	}
	admin_put_str(call, "FileName", "directory.cfg");
	admin_put_data(call, "FileData", masked, masked_size);
	free(masked);
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_config = {
	.name = "GetConfig",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "The whole directory as text. Hashes and secrets are masked by a word that SetConfig understands as "
		"`as it is`; who needs them copies the file.",
	.request = no_fields,
	.response = config_response,
	.step = get_config_step,
};

static const struct admin_field config_request[] = {
	ADMIN_STR("FileName", 0, 255, "not looked at"),
	ADMIN_DATA("FileData", 1, TEXT_MAX,
		"the directory as text; or a configuration of the original, which is imported"),
	ADMIN_END,
};

static int set_config_step(struct admin_call *call)
{
	struct admin_reading *st = call->state;
	char *text, *record;
	int rc = 0;

	if (st->reading != NULL)
		return admin_read_wait(call);
	text = admin_take_config(call, &rc);
	if (text == NULL)
		return rc;
	/* On one line with the beginning, so that lines are told as the sender counts them. */
	if (asprintf(&record, "%s%s\n}; } );",
		    "objects = ( { kind = \"directory\"; hub = \"\"; name = \"\"; value = { ",
		    text) < 0)
		rc = admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	else
		rc = admin_read_begin(call, record);
	explicit_bzero(text, strlen(text));
	free(text);
	return rc;
}

const struct admin_method admin_method_set_config = {
	.name = "SetConfig",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Puts another directory in the place of the one there is, at once and without a restart: sessions of "
		"hubs that stay go on. 38: something is wrong with it, and nothing was changed.",
	.request = config_request,
	.response = no_fields,
	.state_bytes = sizeof(struct admin_reading),
	.step = set_config_step,
	.fini = admin_read_fini,
};
