/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Migration from the original: PatchbayUpload, PatchbayImport. Its file may be larger than a request, so that it comes in
 * parts; it is read on a slow helper.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/reading.h"
#include "controlplane/admin/upload.h"
#include "controlplane/errand.h"
#include "controlplane/import.h"
#include "controlplane/slow.h"
#include "dataplane/lcore.h"
#include "drivers/session/wire/wire_error.h"

#define PART_BYTES 524288u

static const struct admin_field no_fields[] = {ADMIN_END};

/* ---- PatchbayUpload -------------------------------------------------------------------------- */

static const struct admin_field upload_request[] = {
	ADMIN_REQUIRED_INT("Offset", 0, IMPORT_TEXT_MAX, "of the part in the text; 0 begins anew"),
	ADMIN_DATA("Data", 0, PART_BYTES, "the part"),
	ADMIN_END,
};

static int upload_step(struct admin_call *call)
{
	size_t size = 0;
	const uint8_t *data = admin_get_data(call, "Data", &size);
	int rc = data == NULL || size == 0 || memchr(data, '\0', size) != NULL
		? -EFBIG
		: upload_part(admin_get_int(call, "Offset"), data, size, IMPORT_TEXT_MAX,
			  lcore_clock_ms());

	switch (rc) {
	case 0:
		return ADMIN_DONE;
	case -ESPIPE:
		return admin_fail_field(call, "Offset",
			"should be %zu: somebody else has begun anew, or the last part came too long ago",
			upload_size());
	case -EFBIG:
		return admin_fail_field(call, "Data",
			"must be a text, with all parts at most %u bytes", IMPORT_TEXT_MAX);
	default:
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	}
}

const struct admin_method admin_method_patchbay_upload = {
	.name = "PatchbayUpload",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_RUNS,
	.text = "Takes the next part of a text for PatchbayImport; it is forgotten when that has read it, a new one "
		"begins, or five minutes after its last part. 38: not the next part, or too much.",
	.request = upload_request,
	.response = no_fields,
	.step = upload_step,
};

/* ---- PatchbayImport -------------------------------------------------------------------------- */

static const struct admin_field import_request[] = {
	ADMIN_BOOL("DryRun", "only say what would be taken"),
	ADMIN_END,
};

static const struct admin_field import_row[] = {
	ADMIN_INT("Line", 0, UINT32_MAX, "of the file"),
	ADMIN_STR("Path", 0, 1023, "where it stands in the file"),
	ADMIN_STR("Result", 0, 15, "taken, kept (for when it is supported), left"),
	ADMIN_STR("Text", 0, 1023, "what became of it"),
	ADMIN_END,
};

static const struct admin_field import_response[] = {
	ADMIN_ROWS("ImportList", import_row, "one record per line that is not simply structure"),
	ADMIN_END,
};

/* On a slow helper, and there until it is back, also without its caller. */
struct import_job {
	struct slow_job job; /* first */
	char *text;
	struct import *import;
	struct errand errand;
};

struct import_state {
	struct admin_reading reading; /* first */
	struct import_job *job;
	uint32_t row;
	bool listing;
};

static void job_free(struct import_job *j)
{
	import_free(j->import);
	if (j->text != NULL)
		explicit_bzero(j->text, strlen(j->text));
	free(j->text);
	free(j);
}

static void job_work(struct slow_job *job)
{
	struct import_job *j = (struct import_job *)job;

	j->import = import_read(j->text);
}

static void job_done(struct slow_job *job)
{
	struct import_job *j = (struct import_job *)job;

	if (errand_over(&j->errand))
		job_free(j);
}

static int import_begin(struct admin_call *call, struct import_state *st)
{
	if (upload_size() == 0)
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
			"there is no text: send it with PatchbayUpload first");
	st->job = calloc(1, sizeof(*st->job));
	if (st->job == NULL)
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	st->job->text = upload_take();
	st->job->job.work = job_work;
	st->job->job.done = job_done;
	slow_submit(&st->job->job);
	return ADMIN_WAIT;
}

/* The text is read: is it any good, and is it wanted? */
static int import_judge(struct admin_call *call, struct import_state *st)
{
	struct import *im = st->job->import;
	char *record;

	if (im == NULL)
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	if (import_wrong(im) != NULL)
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER, "%s", import_wrong(im));
	if (admin_get_bool(call, "DryRun"))
		return ADMIN_DONE;
	record = import_record(im);
	return admin_read_begin(call, record);
}

static int import_list(struct admin_call *call, struct import_state *st)
{
	struct import_line line;

	if (!st->listing)
		admin_rows_begin(call, "ImportList");
	st->listing = true;
	while (import_line_get(st->job->import, st->row, &line)) {
		if (!admin_room(call))
			return ADMIN_MORE;
		st->row++;
		admin_row_begin(call);
		admin_put_int(call, "Line", line.line);
		admin_put_str(call, "Path", line.path);
		admin_put_str(call, "Result", line.result);
		admin_put_str(call, "Text", line.text);
		admin_row_end(call);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

static int import_step(struct admin_call *call)
{
	struct import_state *st = call->state;
	int rc = ADMIN_DONE;

	if (st->job == NULL)
		return import_begin(call, st);
	if (!st->job->errand.over)
		return ADMIN_WAIT;
	if (!st->listing && st->reading.reading == NULL)
		rc = import_judge(call, st);
	else if (!st->listing)
		rc = admin_read_wait(call);
	return rc != ADMIN_DONE ? rc : import_list(call, st);
}

static void import_fini(struct admin_call *call)
{
	struct import_state *st = call->state;

	admin_read_fini(call);
	if (st->job == NULL)
		return;
	if (errand_forget(&st->job->errand))
		job_free(st->job);
}

const struct admin_method admin_method_patchbay_import = {
	.name = "PatchbayImport",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Takes hubs, users, groups, policies, source lists, listeners and passwords from a configuration file of "
		"the original, sent before with PatchbayUpload, and says line by line what became of it. Hubs of the "
		"same name are replaced. 38: nothing was changed.",
	.request = import_request,
	.response = import_response,
	.state_bytes = sizeof(struct import_state),
	.step = import_step,
	.fini = import_fini,
};
