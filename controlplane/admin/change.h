/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_CHANGE_H
#define PATCHBAY_CONTROLPLANE_ADMIN_CHANGE_H

/* What methods share that change the directory: a handler is called again until the change is durable. */

#include "controlplane/admin/call.h"
#include "controlplane/directory_change.h"
#include "controlplane/server_change.h"

/* First member of a handler's state; admin_change_fini() is its fini. */
struct admin_change {
	struct directory_change *change; /* NULL: not begun */
	uint64_t asked_ms;
};

/*
 * Behind directory_change_*(): ADMIN_WAIT when it has begun (or is to be begun again: -EBUSY), else the error that
 * belongs to `rc`: `exists` and `full` are the method's codes for -EEXIST and -ENOSPC.
 */
int admin_change_begun(struct admin_call *call, int rc, int exists, int full);
/* In later steps: ADMIN_WAIT, ADMIN_DONE, or the error with which it was taken back. */
int admin_change_wait(struct admin_call *call);
/*
 * The whole step() of a method whose change is all it waits for: `begin` until the change has begun, then the wait, then
 * `answer`. Both are as a step().
 */
int admin_change_step(struct admin_call *call, int (*begin)(struct admin_call *call),
	int (*answer)(struct admin_call *call));
void admin_change_fini(struct admin_call *call);

/*
 * Around an edit of a hub's settings: first a copy of them, if nothing of the hub is on its way (0, ADMIN_WAIT or an
 * error); then, with what the edit said (0, a code or -errno), the beginning of the change and the step's result.
 * Takes what *s owns in any case.
 */
int admin_settings_copy(
	struct admin_call *call, const struct directory_hub *hub, struct directory_settings *s);
int admin_settings_change(
	struct admin_call *call, struct directory_hub *hub, struct directory_settings *s, int rc);

/* The same for changes of the server (server_change.h). */
struct admin_server_change {
	struct server_change *change;
};
int admin_server_change_wait(struct admin_call *call);
void admin_server_change_fini(struct admin_call *call);

/* 52 if the caller is a hub administrator whom this admin option of the hub (enum hub_admin_option) fences in. */
int admin_fenced(struct admin_call *call, const struct directory_hub *hub, unsigned option);

/* Texts and times of a record, checked. `field` names the parameter. -1 after an error is set. */
int admin_take_text(struct admin_call *call, const char *field, char **out);

#endif
