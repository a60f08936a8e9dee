/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_WHO_H
#define PATCHBAY_CONTROLPLANE_ADMIN_WHO_H

/*
 * Administrators who come through the network (admin-rpc.md 1.5, 1.6, 10): which of the two there are they want
 * to be, and whether they know its password. An empty hub name is the server's administrator, any other that of
 * the hub. While the server has no password nobody administers from the network, also not from this host;
 * a hub without a password has no administrator of its own.
 *
 * Control thread only.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/admin/call.h"
#include "controlplane/directory.h"
#include "drivers/session/wire/wire_error.h"

struct connection;

struct admin_who {
	struct admin_caller caller; /* points into this object: do not copy one without the other */
	char hub[DIRECTORY_NAME_BYTES];
	char via[128];			    /* "rpc CID-5 192.0.2.1", for the log */
	uint8_t hash[DIRECTORY_HASH_BYTES]; /* of the password that was right */
};

/*
 * By the proof SHA0(hash || random) that vpncmd sends, or by the password itself. WIRE_ERROR_OK with *who filled
 * in; WIRE_ERROR_HUB_NOT_FOUND, WIRE_ERROR_ACCESS_DENIED (12, wrong password), WIRE_ERROR_EMPTY_PASSWORD (51,
 * there is none). The same work is done whatever the answer. *reason is a constant word for the log.
 */
enum wire_error admin_who_by_proof(struct admin_who *who, const char *hub, const uint8_t *proof,
	const uint8_t *random, const char **reason);
enum wire_error admin_who_by_password(
	struct admin_who *who, const char *hub, const char *password, const char **reason);

/* Completes *who for a connection: `kind` is "rpc" or "api". */
void admin_who_via(struct admin_who *who, const char *kind, const struct connection *c);

/*
 * Whoever changed its own password need not leave: for the method that changes it, when it is done. NULL (the local
 * socket) is fine.
 */
void admin_who_renew(struct admin_who *who);

/* False once the password has been changed or the hub deleted: whoever came in with it has to leave. */
bool admin_who_still(const struct admin_who *who);

#endif
