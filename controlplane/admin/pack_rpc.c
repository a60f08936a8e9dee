/* SPDX-License-Identifier: BSD-3-Clause */
/* The envelope of the PACK RPC, and the bounds of what its answers may hold. */

#include "controlplane/admin/pack_rpc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/audit.h"
#include "controlplane/log.h"
#include "drivers/session/wire/wire_error.h"

static unsigned big_cnt;
static struct log_limit cut_limit = LOG_LIMIT(3, 2);

/* Everything but the place among the big ones, which the answer still needs. */
static void call_end(struct pack_rpc *rpc)
{
	if (rpc->calling)
		admin_call_end(&rpc->call);
	rpc->calling = false;
	pack_out_fini(&rpc->out);
	pack_in_fini(&rpc->in);
	if (rpc->body != NULL)
		explicit_bzero(rpc->body, rpc->body_size);
	free(rpc->body);
	rpc->body = NULL;
}

static int refuse(struct pack_rpc *rpc, uint32_t code, struct evbuffer *dst)
{
	call_end(rpc);
	return pack_out_error(dst, code) == 0 ? ADMIN_DONE : -ENOMEM;
}

int pack_rpc_begin(struct pack_rpc *rpc, uint8_t *body, size_t size,
	const struct admin_caller *caller, struct evbuffer *dst)
{
	const struct admin_method *method;
	int rc;

	memset(rpc, 0, sizeof(*rpc));
	rpc->body = body;
	rpc->body_size = size;
	rc = pack_in_init(&rpc->in, body, size);
	if (rc == 0)
		rc = pack_out_init(&rpc->out);
	if (rc != 0) {
		call_end(rpc);
		return rc == -ENOMEM ? -ENOMEM : -EBADMSG;
	}
	method = admin_method_find(rpc->in.method);
	if (method == NULL)
		return refuse(rpc, WIRE_ERROR_NOT_SUPPORTED, dst);
	rpc->calling = true;
	rc = admin_call_begin(&rpc->call, method, caller, &rpc->in.in, &rpc->out.out);
	return rc == 0 ? ADMIN_MORE : refuse(rpc, (uint32_t)rc, dst);
}

/* May it go on collecting? */
static bool room(struct pack_rpc *rpc)
{
	if (rpc->big || rpc->out.held <= PACK_RPC_SMALL)
		return true;
	if (big_cnt >= PACK_RPC_BIG_MAX)
		return false;
	rpc->big = true;
	big_cnt++;
	return true;
}

static int answer(struct pack_rpc *rpc, struct evbuffer *dst)
{
	uint64_t held;

	if (rpc->out.cut > 0 && log_limit_pass(&cut_limit, &held))
		log_warning("admin",
			"%s: %s: the list has %u rows more than the protocol can carry, left out",
			rpc->call.caller->via, rpc->call.method->name, rpc->out.cut);
	if (pack_out_finish(&rpc->out, dst) != 0)
		return refuse(rpc, WIRE_ERROR_OUT_OF_MEMORY, dst);
	call_end(rpc);
	return ADMIN_DONE;
}

int pack_rpc_step(struct pack_rpc *rpc, unsigned rows, struct evbuffer *dst)
{
	int rc;

	if (!room(rpc))
		return ADMIN_WAIT;
	rc = admin_call_step(&rpc->call, rows, SIZE_MAX);
	if (rc == ADMIN_MORE || rc == ADMIN_WAIT) {
		if (rpc->out.held > PACK_RPC_ANSWER_MAX || rpc->out.failed)
			return refuse(rpc, WIRE_ERROR_TOO_MANY_ITEMS, dst);
		return rc;
	}
	audit_change(&rpc->call);
	return rc == ADMIN_DONE ? answer(rpc, dst) : refuse(rpc, (uint32_t)rc, dst);
}

void pack_rpc_sent(struct pack_rpc *rpc)
{
	if (rpc->big)
		big_cnt--;
	rpc->big = false;
}

void pack_rpc_end(struct pack_rpc *rpc)
{
	call_end(rpc);
	pack_rpc_sent(rpc);
}
