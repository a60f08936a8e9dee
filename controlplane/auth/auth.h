/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_AUTH_AUTH_H
#define PATCHBAY_CONTROLPLANE_AUTH_AUTH_H

/*
 * Is the peer who it says it is (reference/auth.md 2)? An unknown user costs the same work as a wrong
 * password or certificate and gets the same answer.
 *
 * Certificates are examined by a helper and RADIUS servers asked, neither of which can be waited for: then the
 * outcome says what is needed, and the question is put again with it. Nothing is remembered in between, so that what
 * was changed in the directory meanwhile counts.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/auth/certificate.h"
#include "controlplane/auth/radius.h"
#include "controlplane/directory.h"
#include "drivers/session/wire/login.h"
#include "drivers/session/wire/wire_error.h"

enum auth_need {
	AUTH_NEEDS_NOTHING,
	AUTH_NEEDS_CERTIFICATE, /* the request's, examined against the hub's trust */
	AUTH_NEEDS_RADIUS,	/* an answer about `radius_name` */
};

/* What is known besides the request. */
struct auth_facts {
	const uint8_t *random;			    /* 20 bytes of this connection's hello */
	const struct auth_certificate *certificate; /* examined, or NULL */
	const struct radius_answer *radius;	    /* or NULL */
	const char *radius_name;		    /* of that answer */
};

struct auth_outcome {
	enum auth_need need; /* not nothing: the rest says nothing, but for radius_name */
	enum wire_error
		error; /* OK, AUTH_FAILED, or AUTH_TYPE: not offered, or never from the network */
	const char *reason; /* a constant word for the log */
	/* True: nothing was found out about the peer, so it has not failed either (no server answered). */
	bool undecided;
	struct directory_user
		*user; /* OK: whose record applies; that of `*` if there is no other */
	uint16_t vlan; /* OK: by RADIUS, 0 none */
	bool by_radius;
	char radius_name[RADIUS_TEXT_MAX + 1];
};

/* About r->username in `hub`. Writes all of *o. */
void auth_check(struct auth_outcome *o, struct directory_hub *hub, const struct login_request *r,
	const struct auth_facts *facts);

/* The same for a password user who is in no directory. OK, AUTH_FAILED or AUTH_TYPE. */
enum wire_error auth_check_password(
	const struct directory_user *user, const struct login_request *r, const uint8_t *random);

#endif
