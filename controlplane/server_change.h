/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_SERVER_CHANGE_H
#define PATCHBAY_CONTROLPLANE_SERVER_CHANGE_H

/*
 * Changes of the server as a whole at run time: its administrator's password, ciphers, listeners, the syslog server. Each goes into the
 * directory, onto the disk, and is then in force; when the disk refuses, it is as it was before.
 *
 * Control thread only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/directory.h"

struct server_change;

enum server_listener_action {
	SERVER_LISTENER_ADD,
	SERVER_LISTENER_REMOVE,
	SERVER_LISTENER_SWITCH, /* on or off */
};

/* Begins; *out is to be asked, and forgotten in the end. -EBUSY: another one is on its way, again in a moment; -ENOMEM. */
int server_change_admin(const struct directory_admin *admin, struct server_change **out);
/* A list that server_tls_ciphers_ok() has found good; "": patchbay.cfg's. As above, and -EINVAL: too long. */
int server_change_ciphers(const char *ciphers, struct server_change **out);
int server_change_syslog(const struct directory_syslog *syslog, struct server_change **out);
/* As above, and -EEXIST (add), -ENOENT (others), -ENOSPC. `enabled` says nothing when removing. */
int server_change_listener(enum server_listener_action action, uint16_t port, bool enabled,
	struct server_change **out);

/* True once it is durable and in force, or (*error negative) refused and taken back. */
bool server_change_done(const struct server_change *change, int *error);
/* The change goes on without its caller. NULL is fine. */
void server_change_forget(struct server_change *change);

/* Opens, closes, switches listeners as patchbay.cfg and the directory now have it. Nothing is written down. */
void server_listeners_renew(void);

#endif
