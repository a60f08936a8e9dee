/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CONTROL_H
#define PATCHBAY_CONTROLPLANE_CONTROL_H

/*
 * The control thread: one libevent loop on EAL's main lcore. Listeners, logins, configuration, the admin
 * socket, worker events, grace periods and MAC ageing all run in its callbacks. A callback never waits: not
 * for a worker, a disk, a name server or a device (architecture.md 2, 6.5). What would wait goes to
 * slow.h, what burns CPU in a handshake goes to handshake.h.
 */

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct config;

/* The loop; valid from control_init() to control_fini(). */
struct event_base *control_base(void);
/* The configuration in force (immutable; replaced as a whole on reload). */
const struct config *control_config(void);

/* Makes the loop; SIGINT, SIGTERM and SIGHUP become control_stop(), a second one ends at once. -ENOMEM. */
int control_init(const struct config *config);
/* Worker event pump, hub housekeeping, watchdog. After lcore_init() and directory_start(). -ENOMEM. */
int control_start(void);
/* Runs the loop, and grace_poll() while something waits for it, until control_stop() has done its work. */
void control_run(void);
/*
 * Begins the orderly end: listeners closed, every session and connection ended with close_notify, all of it
 * within 3 s (architecture.md 6.3). Control thread (a signal handler's event).
 */
void control_stop(void);
bool control_stopping(void);
/* The same in a moment, when whoever asked has his answer; then the process begins again (control_restarting()). */
void control_restart(void);
bool control_restarting(void);
void control_fini(void);

#endif
