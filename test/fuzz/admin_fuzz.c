/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A request of the PACK RPC from its bytes to its answer, as the server's or a hub's administrator (first byte),
 * against the real method table over the unit tests' fakes. An answer is always one well-formed PACK; what is no
 * PACK has none; what a hub's administrator may not see is not in it.
 */
#include <errno.h>
#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/pack_rpc.h"
#include "drivers/session/wire/be.h"
#include "test/fuzz/require.h"
#include "test/unit/admin_fakes.h"

/* In no description of a field or an option. */
#define SECRET_HUB "zq7hidden"

static const struct admin_caller callers[] = {
	{.server = true, .via = "fuzz"},
	{.hub_name = "a", .via = "fuzz"},
};

static void world(void)
{
	struct directory_hub *hub;

	admin_fakes_reset();
	hub = fake_hub("a");
	hub->hub->mac_cnt = 5;
	fake_connection(fake_session(hub, "SID-U-1", "u"));
	fake_session(fake_hub(SECRET_HUB), "SID-V-1", "v");
}

static bool tells(const uint8_t *bytes, size_t len)
{
	return memmem(bytes, len, SECRET_HUB, sizeof(SECRET_HUB) - 1) != NULL;
}

static void judge(struct evbuffer *answer, bool hub_only)
{
	static struct pack_element index[2048];
	static const struct pack_limits limits = {1 << 24, 2048, 1 << 20};
	size_t len = evbuffer_get_length(answer);
	uint8_t *bytes = evbuffer_pullup(answer, -1);
	struct pack p;

	REQUIRE(len >= 8 && be32_get(bytes) == len - 4);
	REQUIRE(pack_parse(&p, bytes + 4, len - 4, &limits, index, 2048) == 0);
	REQUIRE(p.size_bytes == len - 4);
	if (hub_only)
		REQUIRE(!tells(bytes, len));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct pack_rpc rpc;
	const struct admin_caller *who;
	struct evbuffer *answer;
	uint8_t *body;
	int rc;

	if (size == 0 || size > 1 << 16)
		return 0;
	who = &callers[data[0] & 1];
	world();
	answer = evbuffer_new();
	body = malloc(size); /* a byte of it is the one that may be written to */
	REQUIRE(answer && body);
	memcpy(body, data + 1, size - 1);
	rc = pack_rpc_begin(&rpc, body, size - 1, who, answer);
	for (unsigned n = 0; rc == ADMIN_MORE || rc == ADMIN_WAIT; n++) {
		REQUIRE(n < 100000 && evbuffer_get_length(answer) == 0);
		fakes.clock_ms += 10;
		rc = pack_rpc_step(&rpc, 3, answer);
	}
	if (rc == ADMIN_DONE)
		/* Who gives a user of his own that name reads it again: that tells him nothing. */
		judge(answer, !who->server && !tells(data, size));
	else
		REQUIRE(rc == -EBADMSG && evbuffer_get_length(answer) == 0);
	pack_rpc_end(&rpc);
	evbuffer_free(answer);
	admin_fakes_free();
	return 0;
}
