/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_ACCOUNT_H
#define PATCHBAY_CONTROLPLANE_CTL_ACCOUNT_H

/*
 * A record of a hub (arguments: hub, name) that is read, changed and written back as a whole. Written it is by the
 * command's method (SetUser, DeleteGroup ...), read by the one that has Get in the place of its first three letters.
 */

#include <jansson.h>

#include "controlplane/ctl/command.h"

/* An option of those that change or delete it. */
#define RECORD_END_SESSIONS_TEXT "end sessions that run under the settings of before"
#define RECORD_END_SESSIONS                                                                      \
	{                                                                                        \
		.name = "--end-sessions", .field = "PatchbayEndSessions_bool", .kind = CTL_FLAG, \
		.text = RECORD_END_SESSIONS_TEXT                                                 \
	}

/* The record as the daemon has it, the caller's; NULL after an error that was told. */
json_t *record_get(const struct ctl_run *run);

/* What was typed over what there is; takes over params, returns record. */
json_t *record_merge(json_t *record, json_t *params);

/* Sends the record (taken over) and tells what became of it, and of sessions that go on as before. Exit status. */
int record_put(struct ctl_run *run, json_t *record);

/* Commands that need no more: what was typed alone (create, delete), and over what there is (set). Exit status. */
int record_send(struct ctl_run *run);
int record_set(struct ctl_run *run);

#endif
