/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory read anew on behalf of a method (reading.h). */

#include "controlplane/admin/reading.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/errand.h"
#include "controlplane/log.h"
#include "controlplane/store.h"
#include "drivers/session/wire/wire_error.h"

/* Lives until the store's answer, also without its caller. */
struct reading {
	struct store_reload reload;
	struct errand errand;
	int error;
};

static void reading_free(struct reading *r)
{
	free(r->reload.report);
	free(r->reload.record);
	free(r);
}

static void was_read(struct store_reload *reload, int error)
{
	struct reading *r = reload->state;
	char *line, *rest = reload->report;

	r->error = error;
	for (line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
		if (line[0] != '\0')
			log_error("directory", "%s", line);
	if (errand_over(&r->errand))
		reading_free(r);
}

int admin_read_begin(struct admin_call *call, char *record)
{
	struct admin_reading *st = call->state;
	struct reading *r = calloc(1, sizeof(*r));

	if (r == NULL) {
		free(record);
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	}
	r->reload.done = was_read;
	r->reload.state = r;
	r->reload.record = record;
	if (store_reload_begin(&r->reload) != 0) {
		reading_free(r);
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"the directory is being read already: try again in a moment");
	}
	st->reading = r;
	return ADMIN_WAIT;
}

int admin_read_wait(struct admin_call *call)
{
	const struct admin_reading *st = call->state;
	const struct reading *r = st->reading;

	if (!r->errand.over)
		return ADMIN_WAIT;
	if (r->error == 0)
		return ADMIN_DONE;
	/* was_read() has cut the report into lines: this is the first. */
	if (r->reload.report != NULL)
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
			"nothing was changed: %s (the log has all that is wrong)",
			r->reload.report);
	return admin_fail(
		call, WIRE_ERROR_INTERNAL, "nothing was changed: %s", strerror(-r->error));
}

void admin_read_fini(struct admin_call *call)
{
	struct admin_reading *st = call->state;

	if (st->reading == NULL)
		return;
	if (errand_forget(&st->reading->errand))
		reading_free(st->reading);
}

char *admin_take_config(struct admin_call *call, int *rc)
{
	size_t size;
	const uint8_t *data = admin_get_data(call, "FileData", &size);
	char *text;

	if (data == NULL || memchr(data, '\0', size) != NULL) {
		*rc = admin_fail_field(call, "FileData", "must be a text");
		return NULL;
	}
	if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
		data += 3;
		size -= 3;
	}
	text = malloc(size + 1);
	if (text == NULL) {
		*rc = admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
		return NULL;
	}
	memcpy(text, data, size);
	text[size] = '\0';
	return text;
}
