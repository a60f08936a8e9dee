/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory as a text, and read anew: GetConfig, SetConfig, PatchbayReload. */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/reading.h"
#include "controlplane/errand.h"
#include "controlplane/log.h"
#include "controlplane/store.h"
#include "dataplane/lcore.h"
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

/* The store's thread reads it, and the answer goes out by and by (store.h: store_text_begin()). */
struct config_read {
	struct store_text text;
	struct errand errand;
	bool given_up; /* text and place are gone: the reader was too slow */
	int error;
	unsigned place;
	uint64_t since_ms; /* it has been there for the reader */
	char via[64];
};

struct config_get {
	struct config_read *read; /* NULL: not begun */
	bool putting;
};

/*
 * Texts that are made or on their way: who wants one more waits, so that many callers do not hold many. A place is not
 * for ever: when all are taken, the text that has been there longest is given up if its reader had time enough.
 */
#define READS_MAX    4u
#define READ_TIME_MS 60000u
static struct config_read *reads[READS_MAX];
static struct log_limit given_up_limit = LOG_LIMIT(4, 4);

static void read_free(struct config_read *r)
{
	if (!r->given_up)
		reads[r->place] = NULL;
	free(r->text.bytes);
	free(r);
}

static void give_up(struct config_read *r)
{
	uint64_t held;

	reads[r->place] = NULL;
	free(r->text.bytes);
	r->text.bytes = NULL;
	r->given_up = true;
	if (log_limit_pass(&given_up_limit, &held))
		log_warning("admin",
			"%s: GetConfig given up: its reader did not fetch the text within %u seconds, and others wait",
			r->via, READ_TIME_MS / 1000);
}

/* A free place, perhaps just made; NULL: the caller waits. */
static struct config_read **place_find(void)
{
	struct config_read *oldest = NULL;
	unsigned place;

	for (unsigned i = 0; i < READS_MAX; i++) {
		if (reads[i] == NULL)
			return &reads[i];
		/* What the store has still to read is not its caller's fault. */
		if (reads[i]->errand.over &&
			(oldest == NULL || reads[i]->since_ms < oldest->since_ms))
			oldest = reads[i];
	}
	if (oldest == NULL || lcore_clock_ms() - oldest->since_ms < READ_TIME_MS)
		return NULL;
	place = oldest->place;
	give_up(oldest);
	return &reads[place];
}

static void text_read(struct store_text *text, int error)
{
	struct config_read *r = text->state;

	r->error = error;
	r->since_ms = lcore_clock_ms();
	if (errand_over(&r->errand))
		read_free(r);
}

static int get_begin(struct admin_call *call, struct config_get *st)
{
	struct config_read **place = place_find(), *r;

	if (place == NULL)
		return ADMIN_WAIT;
	r = calloc(1, sizeof(*r));
	if (r == NULL)
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	r->text.done = text_read;
	r->text.state = r;
	r->text.max = TEXT_MAX;
	snprintf(r->via, sizeof(r->via), "%s", call->caller->via);
	r->place = (unsigned)(place - reads);
	*place = r;
	if (store_text_begin(&r->text) != 0) {
		read_free(r);
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	}
	st->read = r;
	return ADMIN_WAIT;
}

static int get_fail(struct admin_call *call, int error)
{
	if (error == -ESTALE)
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"directory.cfg was edited on the server and is not in force: read it first "
			"(patchbayctl store reload), then ask again");
	if (error == -EFBIG)
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"the directory is too large for one answer: read the file on the server");
	return admin_fail(call, WIRE_ERROR_INTERNAL, "the directory cannot be read back: %s",
		strerror(-error));
}

static int get_config_step(struct admin_call *call)
{
	struct config_get *st = call->state;
	struct config_read *r = st->read;

	if (r == NULL)
		return get_begin(call, st);
	if (!r->errand.over)
		return ADMIN_WAIT;
	if (r->given_up)
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"the text was not fetched within %u seconds while others waited for theirs: ask again",
			READ_TIME_MS / 1000);
	if (r->error != 0)
		return get_fail(call, r->error);
	if (!st->putting) {
		admin_put_str(call, "FileName", "directory.cfg");
		admin_put_data_begin(call, "FileData", r->text.size);
		st->putting = true;
	}
	return admin_put_data_more(call, r->text.bytes) ? ADMIN_DONE : ADMIN_MORE;
}

static void get_config_fini(struct admin_call *call)
{
	struct config_get *st = call->state;

	if (st->read == NULL)
		return;
	if (errand_forget(&st->read->errand))
		read_free(st->read);
}

const struct admin_method admin_method_get_config = {
	.name = "GetConfig",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "The whole directory as text, with every change that was answered before. Hashes and secrets are masked "
		"by a word that SetConfig understands as `as it is`; who needs them copies the file. An error while "
		"directory.cfg has been edited by hand and waits to be read; and, behind the part that has left, for who "
		"does not fetch the text within a minute while others wait for theirs.",
	.request = no_fields,
	.response = config_response,
	.state_bytes = sizeof(struct config_get),
	.step = get_config_step,
	.fini = get_config_fini,
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
