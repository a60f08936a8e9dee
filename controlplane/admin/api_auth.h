/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_API_AUTH_H
#define PATCHBAY_CONTROLPLANE_ADMIN_API_AUTH_H

/*
 * Who asks, out of the headers of a request to /api/ (admin-rpc.md 10): X-VPNADMIN-HUBNAME (missing: the whole
 * server) with X-VPNADMIN-PASSWORD, or HTTP Basic with the hub's name, "administrator" or nothing as user. And
 * what else of the headers matters. Pure.
 */

#include <stdbool.h>
#include <stddef.h>

#define API_AUTH_BYTES	256u
#define API_BODY_MAX	65536u /* of one request */
#define API_REBUILD_MAX 1024u

/* Holds a password: wipe it. */
struct api_auth {
	bool given;		  /* there are credentials */
	bool wrong;		  /* they cannot be read, or do not fit: nobody's */
	char hub[API_AUTH_BYTES]; /* "" = the server */
	char password[API_AUTH_BYTES];
	char host[API_AUTH_BYTES], origin[API_AUTH_BYTES];
	bool close;   /* Connection: close */
	bool chunked; /* a body that we do not read */
};

/* Takes note of one header. */
void api_auth_header(struct api_auth *a, const char *name, const char *value);
/*
 * A browser adds Origin where a page of somebody else makes it ask, perhaps with a password that it remembers.
 * True if that is so.
 */
bool api_auth_foreign(const struct api_auth *a);
/*
 * The head of a request with the same credentials and `body_bytes` of body, for the parser behind a hand-over.
 * Length.
 */
size_t api_auth_rebuild(
	const struct api_auth *a, bool http10, size_t body_bytes, char out[API_REBUILD_MAX]);

/* A whole answer that is not JSON: 401 with its challenge, 403, 404, 411. A constant. */
const char *api_auth_answer(unsigned status);

#endif
