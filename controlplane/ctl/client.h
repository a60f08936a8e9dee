/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_CLIENT_H
#define PATCHBAY_CONTROLPLANE_CTL_CLIENT_H

/*
 * One call to the daemon. Errors are told on stderr, in words that say what to do next.
 */

#include <jansson.h>

#include "controlplane/ctl/reply.h"

/* Exit status of patchbayctl. */
#define CTL_OK	   0
#define CTL_FAILED 1 /* the daemon said no, or is not there */
#define CTL_USAGE  2
/* Of client_call_unless() alone; never an exit status. */
#define CTL_ABSENT 3

/*
 * Calls `method` with `params` (consumed; NULL = none) on the socket and feeds the answer to `reply`, whose
 * document holds the result afterwards. CTL_OK or CTL_FAILED. `hint` (may be NULL) is said after an error
 * that the daemon answered with.
 */
int client_call(const char *socket_path, const char *method, json_t *params, struct reply *reply,
	const char *hint);

/* The same, but where the daemon answers with the error `absent`: CTL_ABSENT, and not a word. */
int client_call_unless(const char *socket_path, const char *method, json_t *params,
	struct reply *reply, int absent, const char *hint);

/* The result in a reply that went well: an object, borrowed. */
json_t *client_result(const struct reply *reply);

#endif
