/* SPDX-License-Identifier: BSD-3-Clause */
/* What is on the disk, and bringing it up to date: Flush, PatchbayGetStore. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "controlplane/admin/call.h"
#include "controlplane/counters.h"
#include "controlplane/errand.h"
#include "controlplane/store.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field no_fields[] = {ADMIN_END};

/* ---- Flush ----------------------------------------------------------------------------------- */

static const struct admin_field flush_response[] = {
	ADMIN_INT("IntValue", 0, UINT32_MAX, "bytes of the directory file"),
	ADMIN_END,
};

/* Lives until the answer of the store, also without its caller. */
struct flush {
	struct store_request request; /* first */
	uint64_t counters;	      /* their save */
	struct errand errand;
	int error;
};

struct flush_state {
	struct flush *flush;
};

static void flushed(struct store_request *request, int error)
{
	struct flush *f = (struct flush *)request;

	f->error = error;
	if (errand_over(&f->errand))
		free(f);
}

static int flush_step(struct admin_call *call)
{
	struct flush_state *st = call->state;
	struct store_status status;
	int error;

	if (st->flush == NULL) {
		st->flush = calloc(1, sizeof(*st->flush));
		if (st->flush == NULL)
			return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
		st->flush->request.done = flushed;
		st->flush->counters = counters_save();
		store_flush(&st->flush->request);
	}
	if (!st->flush->errand.over || !counters_saved(st->flush->counters, &error))
		return ADMIN_WAIT;
	if (st->flush->error == -ESTALE)
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"somebody else wrote the directory file: read it first (patchbayctl store "
			"reload); changes are safe in the journal");
	if (st->flush->error != 0)
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"the directory file is not up to date, but changes are safe in the journal: %s",
			strerror(-st->flush->error));
	if (error != 0)
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"traffic and logins were not saved: %s", strerror(-error));
	store_status(&status);
	admin_put_int(call, "IntValue",
		status.file_bytes > UINT32_MAX ? UINT32_MAX : (uint32_t)status.file_bytes);
	return ADMIN_DONE;
}

static void flush_fini(struct admin_call *call)
{
	struct flush_state *st = call->state;

	if (st->flush == NULL)
		return;
	if (errand_forget(&st->flush->errand))
		free(st->flush);
}

const struct admin_method admin_method_flush = {
	.name = "Flush",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_RUNS,
	.text = "Brings the directory file up to date with the journal, and saves traffic and logins. Changes are durable "
		"before that: each was when it was answered.",
	.request = no_fields,
	.response = flush_response,
	.state_bytes = sizeof(struct flush_state),
	.step = flush_step,
	.fini = flush_fini,
};

/* ---- PatchbayGetStore ------------------------------------------------------------------------ */

static const struct admin_field store_response[] = {
	ADMIN_BOOL("Edited", "somebody else wrote the directory file, and it waits to be read"),
	ADMIN_BOOL("Folding", "the journal is being brought into the file"),
	ADMIN_STR("FoldError", 0, 255, "why that failed last time, empty: it did not"),
	ADMIN_INT64("FileBytes", "of the directory file as it was read or written last"),
	ADMIN_INT64("JournalBytes", "of changes that are not in the file yet"),
	ADMIN_INT64("Segment", "number of the journal's segment that is written now or next"),
	ADMIN_INT64("Changes", "that became durable since the start"),
	ADMIN_INT64("Refused", "changes that the disk refused since the start"),
	ADMIN_INT64(
		"Syncs", "writes that made changes durable: those that came together share one"),
	ADMIN_INT64("Folds", "times the file was brought up to date"),
	ADMIN_TIME("Folded", "when that was last"),
	ADMIN_TIME(
		"CountersSaved", "when traffic and logins were saved last, 0: not since the start"),
	ADMIN_STR("CountersError", 0, 255, "why their last save failed, empty: it did not"),
	ADMIN_INT64("CountersBytes", "of their file"),
	ADMIN_INT64(
		"CountersSaves", "since the start; nothing is written when nothing was counted"),
	ADMIN_END,
};

static int store_step(struct admin_call *call)
{
	struct counters_status c;
	struct store_status s;

	counters_status(&c);
	store_status(&s);
	admin_put_bool(call, "Edited", s.edited);
	admin_put_bool(call, "Folding", s.folding);
	admin_put_str(call, "FoldError", s.fold_error == 0 ? "" : strerror(-s.fold_error));
	admin_put_int64(call, "FileBytes", s.file_bytes);
	admin_put_int64(call, "JournalBytes", s.journal_bytes);
	admin_put_int64(call, "Segment", s.segment);
	admin_put_int64(call, "Changes", s.changes);
	admin_put_int64(call, "Refused", s.refused);
	admin_put_int64(call, "Syncs", s.syncs);
	admin_put_int64(call, "Folds", s.folds);
	admin_put_time(call, "Folded", s.folded_ms);
	admin_put_time(call, "CountersSaved", c.saved_ms);
	admin_put_str(call, "CountersError", c.error == 0 ? "" : strerror(-c.error));
	admin_put_int64(call, "CountersBytes", c.bytes);
	admin_put_int64(call, "CountersSaves", c.saves);
	return ADMIN_DONE;
}

const struct admin_method admin_method_patchbay_get_store = {
	.name = "PatchbayGetStore",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "How things stand with the directory on the disk: the file, the journal of changes beside it.",
	.request = no_fields,
	.response = store_response,
	.step = store_step,
};
