/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIALOGUE_H
#define PATCHBAY_CONTROLPLANE_DIALOGUE_H

/*
 * What is said inside TLS before the data phase (wire.md 1.3-1.7, 3.1): HTTP requests, the signature, the
 * hello, one PACK with a method, its answer, a last PACK or the end. Bytes in, events and answers out; no
 * socket, no clock, no directory. Allocates one body of at most 65536 bytes.
 *
 * Never reads beyond a PACK: the caller reads at most dialogue_want() bytes at a time, which is little while
 * a head is under way and exactly the rest of a body afterwards. So whatever a peer sends behind its login
 * stays in its stream, for the worker.
 *
 * One owner at a time.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/admin/api_auth.h"
#include "drivers/session/wire/bytebuf.h"
#include "drivers/session/wire/http.h"
#include "drivers/session/wire/login.h"
#include "drivers/session/wire/preamble.h"
#include "drivers/session/wire/reply.h"
#include "drivers/session/wire/welcome.h"

enum dialogue_event {
	DIALOGUE_MORE,	    /* all bytes taken, nothing to do yet */
	DIALOGUE_UNRELATED, /* a request that is not ours was answered (answer in `out`) */
	DIALOGUE_TOO_MANY,  /* one unrelated request too many: close */
	DIALOGUE_MALFORMED, /* HTTP that no peer sends: close without answer */
	DIALOGUE_API, /* a call of the JSON API: `api` and `body` are filled, dialogue_next() goes on */
	DIALOGUE_HELLO,	    /* signature seen, hello in `out` */
	DIALOGUE_NOOP,	    /* no-op, answered if it wants to be */
	DIALOGUE_REQUEST,   /* `request` is filled: answer with one of dialogue_answer_*() */
	DIALOGUE_REFUSED,   /* unreadable or unknown PACK, error in `out`; the farewell follows */
	DIALOGUE_NO_MEMORY, /* close */
	DIALOGUE_DONE,	    /* the PACK after the farewell was read: close */
};

/* About 9 KiB. Fields other than those named in the functions are private. */
struct dialogue {
	struct bytebuf out; /* to be sent; the caller empties it with bytebuf_reset() */
	struct login_request request;
	uint8_t random[HELLO_RANDOM_BYTES];
	enum wire_error refused; /* DIALOGUE_REFUSED: with what */

	enum {
		DIALOGUE_PREAMBLE, /* before the signature */
		DIALOGUE_METHOD,   /* hello sent */
		DIALOGUE_FAREWELL, /* final answer given */
	} phase;
	bool in_body;
	bool closes; /* after `out` was sent */
	unsigned noops;
	struct api_auth api; /* of the head under way, before the signature */
	struct preamble preamble;
	struct http_parser http;
	uint8_t *body;
	uint32_t body_len;
	uint32_t body_bytes;
};

/* NULL with ENOMEM, or EIO if there is no randomness. */
struct dialogue *dialogue_create(void);
/* Wipes secrets and frees; NULL is fine. */
void dialogue_destroy(struct dialogue *d);

/* How many bytes to read at most before the next dialogue_feed(); at least 1. */
size_t dialogue_want(const struct dialogue *d);

/*
 * Takes bytes up to the next event; *consumed says how many. With `out` filled it must be sent before the
 * peer can be expected to go on.
 */
enum dialogue_event dialogue_feed(
	struct dialogue *d, const uint8_t *bytes, size_t len, size_t *consumed);

/* DIALOGUE_API: forgets the call, whose answer is in `out`, and waits for the next request. */
void dialogue_next(struct dialogue *d);

/* True if the connection ends once `out` has been sent, without waiting for the peer. */
bool dialogue_closes(const struct dialogue *d);

/* Final answers to a request; each but the first three turns to the farewell. 0, -ENOMEM, -EMSGSIZE. */
int dialogue_answer_welcome(struct dialogue *d, const struct welcome *w);
int dialogue_answer_joined(struct dialogue *d, enum wire_direction direction);
int dialogue_answer_admin(struct dialogue *d);
int dialogue_answer_error(struct dialogue *d, enum wire_error error, bool no_save_password);
/* A no-op that the peer did not ask for, so that it goes on waiting (wire.md 1.7). */
int dialogue_answer_wait(struct dialogue *d);
int dialogue_answer_hubs(struct dialogue *d, const char *const *names, uint32_t cnt);

#endif
