/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_AUDIT_H
#define PATCHBAY_CONTROLPLANE_ADMIN_AUDIT_H

struct admin_call;

/*
 * Every change leaves a line in the log, whatever encoding it came in: who, what, on what, with what result
 * (logging-admin.md 6). Nothing for a call that only reads. After the call's last step, control thread.
 */
void audit_change(const struct admin_call *call);

#endif
