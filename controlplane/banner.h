/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_BANNER_H
#define PATCHBAY_CONTROLPLANE_BANNER_H

/*
 * The first start, and what every start prints for the person in front of the terminal: listeners, hub,
 * user, password, and the lines with which a client connects. On stdout, which is no log: the password is
 * shown there, and left out where stdout is the journal's or a socket.
 */

#include <stdbool.h>

#define BANNER_HUB	     "DEFAULT"
#define BANNER_USER	     "vpn"
#define BANNER_PASSWORD_FILE "initial-password"

/*
 * Puts hub DEFAULT and user vpn with a fresh password into the (empty) directory and saves it; the password
 * is in <state>/initial-password, mode 0600, before the directory is. -errno after logging.
 */
int banner_first_start(const char *state_dir);

/* Prints, the password only at the first start. After listener_start(). */
void banner_print(const char *state_dir, bool first_start);

#endif
