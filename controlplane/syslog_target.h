/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_SYSLOG_TARGET_H
#define PATCHBAY_CONTROLPLANE_SYSLOG_TARGET_H

/*
 * To which syslog server lines go, and which: what an administrator has set at run time (SetSysLog, in the directory),
 * else what patchbay.cfg says. The server may have a name; it is looked up again every minute (resolver.h), and until it
 * is known, lines are lost and counted (logs/logs.h).
 *
 * Control thread only.
 */

#include "controlplane/directory.h"

struct config;

/* patchbay.cfg's word, or the directory's, is another. */
void syslog_target_renew(void);
/* Once a second: names. */
void syslog_target_run(void);
/* What is in force: the directory's entry, or one made of patchbay.cfg. */
void syslog_target_get(struct directory_syslog *out);

#endif
