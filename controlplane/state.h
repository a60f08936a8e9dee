/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_STATE_H
#define PATCHBAY_CONTROLPLANE_STATE_H

/*
 * The state directory: one daemon at a time works in it. Holds the directory and its earlier versions, the
 * certificate and its key, the password of the first start, the admin socket and the lock.
 */

/*
 * Creates `path` (mode 0700) and what is missing above it, and locks it for the life of the process. 0, or
 * -errno after reporting; -EBUSY: another daemon works here, named with its pid.
 */
int state_open(const char *path, void (*report)(void *ctx, const char *line), void *ctx);
/* Lets it go. Idempotent. */
void state_close(void);

#endif
