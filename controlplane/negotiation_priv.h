/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_NEGOTIATION_PRIV_H
#define PATCHBAY_CONTROLPLANE_NEGOTIATION_PRIV_H

/*
 * Inside of a negotiation, shared by negotiation.c (life, TLS, bytes) and negotiation_method.c (what the
 * peer asked for, and the hand-over).
 */

#include <event2/event.h>

#include "controlplane/dialogue.h"
#include "controlplane/handshake.h"
#include "controlplane/negotiation.h"

struct directory_change;
struct directory_hub;
struct limits_source;
struct login_verdict;
struct negotiation_proof;
struct stream;

enum negotiation_state {
	NEGOTIATION_FIRST_BYTE, /* nothing received yet; no TLS object either */
	NEGOTIATION_HANDSHAKE,	/* the stream is ours, the peer's turn */
	NEGOTIATION_WAITING,	/* bytes are there, the helpers are busy */
	NEGOTIATION_COMPUTING,	/* the stream is a helper's */
	NEGOTIATION_TALKING,	/* dialogue */
};

struct negotiation {
	enum negotiation_state state;
	bool ended; /* while computing: end when the helper gives the stream back */
	bool farewell;
	bool feigned; /* negotiation_feign() */
	bool holding; /* `held` runs: nothing is read or answered until then */
	struct connection *connection;
	int fd; /* -1 once the stream has it */
	struct stream *stream;
	struct limits_source *source;
	struct event *io_event;
	short io_what; /* what io_event waits for, 0 = not armed */
	struct event *deadline;
	struct handshake_job job;
	struct dialogue *dialogue;
	struct event
		*held; /* an attempt waits for its turn (throttle.h); NULL while none ever did */
	struct negotiation_proof
		*proof; /* of who the peer is, found out elsewhere; NULL: nothing yet */
	struct directory_change *change; /* a password on its way to the disk, NULL: none */
	size_t out_at;			 /* bytes of dialogue->out already in the stream */
	TAILQ_ENTRY(negotiation) entry;	 /* of `waiting` */
};

const struct config *negotiation_config(void);

/* Frees the object and its budgets; neither stream nor connection. */
void negotiation_free(struct negotiation *n);
/* Ends the connection: with close_notify where TLS is up, and patiently in any case where it began. */
void negotiation_end(struct negotiation *n);
/* The peer left or its socket died: no counter of ours if all had been said. */
void negotiation_lost(struct negotiation *n);
/* An answer that ends the connection is on its way: a last PACK or EOF, but not for long (wire.md 4.3). */
void negotiation_farewell(struct negotiation *n);
/* Answers with an error PACK, farewell. */
void negotiation_refuse(struct negotiation *n, enum wire_error error, bool no_save_password);

/* EV_READ, EV_WRITE, or 0 while the stream is not ours. Level-triggered. */
void negotiation_watch(struct negotiation *n, short what);
/* Moves answers into the stream and the stream's bytes into the socket. 0 all gone, -EAGAIN, -errno. */
int negotiation_flush(struct negotiation *n);
/* stream_park() from the control thread's scratch. */
int negotiation_park(struct negotiation *n);

/*
 * What login_decide() needs to know and has to ask others for (negotiation_proof.c): begins to find it out, and calls
 * negotiation_resume() when it is known. 0; -ENOMEM, -EBUSY and others: it cannot be found out.
 */
int negotiation_prove(struct negotiation *n, const struct login_verdict *v);
/*
 * A refusal that no RADIUS server was asked about comes as late as one of theirs, so that the clock does not tell who is
 * their user, who is another's, and who is none. True: the negotiation rests, and negotiation_method() is called again.
 */
bool negotiation_feign(struct negotiation *n, const struct directory_hub *hub);
struct auth_facts;
/* What is known by now. */
void negotiation_proof_facts(const struct negotiation *n, struct auth_facts *facts);
/* Idempotent. While a helper examines something the negotiation is COMPUTING, and this is not called. */
void negotiation_proof_free(struct negotiation *n);
/* Goes on with a request that rested. */
void negotiation_resume(struct negotiation *n);
struct event_base *negotiation_base(void);
/* The connection may take that much longer. */
void negotiation_patience(struct negotiation *n, uint32_t ms);

/* Answers dialogue->request. True if the negotiation is no more: it became a connection, or ended. */
bool negotiation_method(struct negotiation *n);
/* The same for method "password", which ends in an answer, or rests (negotiation_rest()). */
void negotiation_password(struct negotiation *n);

/*
 * Is it too early for an attempt at this account? 0: no. 1: yes, the negotiation rests and negotiation_method() is called
 * again later. -ENOMEM.
 */
int negotiation_hold(struct negotiation *n, const char *account);
/* The negotiation rests so long, then negotiation_method() is called again. 0, -ENOMEM. */
int negotiation_rest(struct negotiation *n, uint32_t ms);
/* An attempt was judged. */
void negotiation_judged(struct negotiation *n, const char *account, bool failed);

#endif
