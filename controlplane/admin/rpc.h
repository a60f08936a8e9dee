/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_RPC_H
#define PATCHBAY_CONTROLPLANE_ADMIN_RPC_H

/*
 * JSON-RPC 2.0: one line in, one line out, whatever carries the lines. Holds one call at a time.
 * Control thread only.
 */

#include <jansson.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/json_in.h"
#include "controlplane/admin/json_out.h"

#define RPC_ID_MAX 256u /* bytes of an id's JSON text */

/* JSON-RPC 2.0 section 5.1; other codes are the protocol's. */
#define RPC_ERROR_PARSE	  (-32700)
#define RPC_ERROR_REQUEST (-32600)
#define RPC_ERROR_PARAMS  (-32602)
#define RPC_ERROR_BUSY	  (-32000) /* too many callers */

struct rpc {
	struct json_out out;
	struct json_in in;
	struct admin_call call;
	json_t *request;
	char id[RPC_ID_MAX + 1];
	bool calling; /* call is to be ended */
};

/*
 * Begins the request in `line` (no newline needed) and writes to `buf`, which stays borrowed until the end.
 * ADMIN_DONE: it has been answered already (an error). ADMIN_MORE: go on with rpc_step().
 */
int rpc_begin(struct rpc *rpc, const char *line, size_t len, const struct admin_caller *caller,
	struct evbuffer *buf);
/* One slice of the call: ADMIN_DONE (answered, error or not), ADMIN_MORE or ADMIN_WAIT. */
int rpc_step(struct rpc *rpc, unsigned rows, size_t output_max);
/* Gives everything back; also in the middle of a call. Idempotent. */
void rpc_end(struct rpc *rpc);

/* An error line that answers no particular request. */
void rpc_error(struct evbuffer *buf, int code, const char *message);

#endif
