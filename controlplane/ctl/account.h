/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_ACCOUNT_H
#define PATCHBAY_CONTROLPLANE_CTL_ACCOUNT_H

/* A record of a hub (arguments: hub, name) that is read, changed and written back as a whole. */

#include <jansson.h>

#include "controlplane/ctl/command.h"

/* The record as the daemon has it, the caller's; NULL after an error that was told. */
json_t *record_get(const struct ctl_run *run, const char *method);

/* What was typed over what there is; takes over params, returns record. */
json_t *record_merge(json_t *record, json_t *params);

/* Sends the record (taken over) and tells what became of it, and of sessions that go on as before. Exit status. */
int record_put(struct ctl_run *run, const char *method, json_t *record);

#endif
