/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_NOTIFY_H
#define PATCHBAY_CONTROLPLANE_NOTIFY_H

/*
 * Tells the service manager how we are: one datagram to the socket named by $NOTIFY_SOCKET (sd_notify(3)
 * describes it), nothing if there is none. Never blocks.
 */
void notify_ready(void);
/* Followed by notify_ready() when it is over. */
void notify_reloading(void);
void notify_stopping(void);

#endif
