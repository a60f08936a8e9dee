/* SPDX-License-Identifier: BSD-3-Clause */
/* The PACK RPC on an administrator's connection: be32 size, PACK, in both directions (admin-rpc.md 3). */

#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/admin.h"
#include "controlplane/admin/pack_rpc.h"
#include "controlplane/admin/remote.h"
#include "drivers/session/wire/be.h"

static void *pack_open(void)
{
	return calloc(1, sizeof(struct pack_rpc));
}

static void pack_close(void *state)
{
	pack_rpc_end(state);
	free(state);
}

static int said(int rc)
{
	return rc < 0 && rc != ADMIN_MORE && rc != ADMIN_WAIT ? REMOTE_CLOSE : rc;
}

static int pack_input(void *state, const struct admin_who *who, const uint8_t *in, size_t len,
	size_t *taken, struct evbuffer *out)
{
	uint8_t *body;
	uint32_t size;

	if (len < 4)
		return REMOTE_MORE_INPUT;
	size = be32_get(in);
	if (size > PACK_IN_BYTES)
		return REMOTE_CLOSE;
	if (len - 4 < size)
		return REMOTE_MORE_INPUT;
	body = malloc(size + 1);
	if (body == NULL)
		return REMOTE_CLOSE;
	memcpy(body, in + 4, size);
	*taken = 4 + size;
	return said(pack_rpc_begin(state, body, size, &who->caller, out));
}

static int pack_step(void *state, struct evbuffer *out)
{
	return said(pack_rpc_step(state, ADMIN_SLICE_ROWS, out));
}

static void pack_sent(void *state)
{
	pack_rpc_sent(state);
}

const struct remote_protocol remote_pack = {
	.kind = "rpc",
	.input_max = 4 + PACK_IN_BYTES,
	.open = pack_open,
	.close = pack_close,
	.input = pack_input,
	.step = pack_step,
	.sent = pack_sent,
};
