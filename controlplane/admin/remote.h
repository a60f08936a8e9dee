/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_REMOTE_H
#define PATCHBAY_CONTROLPLANE_ADMIN_REMOTE_H

/*
 * Administrators' connections: TLS streams that negotiation.c hands over once their peer has proved to be an
 * administrator (who.h). This file moves bytes, paces calls and keeps the bounds; what is said on them is a
 * struct remote_protocol's.
 *
 * A caller sends a request, gets its answer, and only then is the next one looked at: it makes us hold one
 * request and one slice of an answer (PACK: one answer, pack_rpc.h). One that takes nothing for ADMIN_STALL_S
 * seconds, or leaves half a request standing that long, is disconnected; so is one whose password is changed
 * meanwhile. Bounds: REMOTE_MAX connections, of which REMOTE_HUB_MAX may be one hub's administrator's, and
 * REMOTE_SERVER_ONLY are kept for the server's administrator.
 *
 * Control thread only.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/admin/who.h"

struct connection;
struct evbuffer;
struct stream;

#define REMOTE_MAX	   256u
#define REMOTE_HUB_MAX	   32u
#define REMOTE_SERVER_ONLY 64u
#define REMOTE_OUTPUT_MAX  65536u /* a slice more is made only below this */

struct remote_protocol {
	const char *kind; /* "rpc", "api" */
	size_t input_max; /* bytes of one request, with all that frames it */
	unsigned idle_s;  /* between two requests; 0: as long as the peer is there */
	/* Makes and frees what the protocol keeps per connection. NULL: out of memory. */
	void *(*open)(void);
	void (*close)(void *state);
	/*
	 * Takes one request out of `in`, if it is there whole, and says how many bytes that were. REMOTE_MORE_INPUT;
	 * ADMIN_DONE (answered); ADMIN_MORE, ADMIN_WAIT (a call is under way: step()); REMOTE_CLOSE: when what is in `out`
	 * has left.
	 */
	int (*input)(void *state, const struct admin_who *who, const uint8_t *in, size_t len,
		size_t *taken, struct evbuffer *out);
	/* One slice: as input(), but never REMOTE_MORE_INPUT. */
	int (*step)(void *state, struct evbuffer *out);
	/* `out` is empty. May be NULL. */
	void (*sent)(void *state);
};
#define REMOTE_MORE_INPUT (-100)
#define REMOTE_CLOSE	  (-101)

extern const struct remote_protocol remote_pack; /* vpncmd */
extern const struct remote_protocol remote_api;	 /* JSON over HTTPS */

/* -ENOMEM. After linger_init(). */
int remote_init(void);
/* Closes what is left. Idempotent. */
void remote_fini(void);

/* May this administrator have one more connection? */
bool remote_room(const struct admin_who *who);
/*
 * Takes connection and stream (parked; what waits in it is sent first). `first`: bytes that were read already. Without
 * memory the connection ends politely.
 */
void remote_start(struct connection *c, struct stream *stream,
	const struct remote_protocol *protocol, const struct admin_who *who, const void *first,
	size_t first_len);
unsigned remote_cnt(void);

#endif
