/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_PACK_RPC_H
#define PATCHBAY_CONTROLPLANE_ADMIN_PACK_RPC_H

/*
 * The PACK RPC of vpncmd and the Server Manager (admin-rpc.md 3): a request PACK in, a response PACK with its
 * size before it out, whatever carries them. Holds one call at a time.
 *
 * An answer cannot leave before it is complete, so a long list is what a caller can make us hold: at most
 * PACK_RPC_ANSWER_MAX bytes (error 110 beyond), and only PACK_RPC_BIG_MAX callers at a time more than
 * PACK_RPC_SMALL: the others wait where they are, with what they have, until one of those has been taken. A
 * list longer than the protocol's arrays (PACK_VALUES_MAX) is cut, with a line in the log.
 *
 * Control thread only.
 */

#include "controlplane/admin/pack_in.h"
#include "controlplane/admin/pack_out.h"

#define PACK_RPC_ANSWER_MAX (64u << 20)
#define PACK_RPC_SMALL	    (256u << 10)
#define PACK_RPC_BIG_MAX    2u

struct pack_rpc {
	struct pack_out out;
	struct pack_in in;
	struct admin_call call;
	uint8_t *body;
	size_t body_size;
	bool calling;
	bool big; /* is one of PACK_RPC_BIG_MAX, until pack_rpc_sent() */
};

/*
 * Begins the request in `body` (malloc'ed, size + 1 bytes; taken, wiped and freed at the end). ADMIN_DONE: answered
 * already, an error is in `dst`; ADMIN_MORE: go on with pack_rpc_step(); -EBADMSG: no PACK, close; -ENOMEM: close.
 */
int pack_rpc_begin(struct pack_rpc *rpc, uint8_t *body, size_t size,
	const struct admin_caller *caller, struct evbuffer *dst);
/* One slice: ADMIN_DONE (answered into `dst`), ADMIN_MORE, ADMIN_WAIT; -ENOMEM: close. */
int pack_rpc_step(struct pack_rpc *rpc, unsigned rows, struct evbuffer *dst);
/* The caller has taken all of the answer. */
void pack_rpc_sent(struct pack_rpc *rpc);
/* Gives everything back; also in the middle of a call. Idempotent, also on a zeroed struct. */
void pack_rpc_end(struct pack_rpc *rpc);

#endif
