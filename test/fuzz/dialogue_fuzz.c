/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * All that a stranger can say inside TLS: preamble, signature, PACKs, farewell, as negotiation.c drives it.
 * What happens must not depend on how the bytes arrived, nothing may happen after an end, and a request
 * never swallows what stands behind it. First byte: size of the pieces.
 */
#include <string.h>

#include "controlplane/dialogue.h"
#include "test/fuzz/require.h"

struct transcript {
	enum dialogue_event said[256];
	unsigned cnt;
	size_t used; /* bytes taken when it ended */
};

static struct transcript whole, pieces;

static void say(struct transcript *t, enum dialogue_event ev)
{
	if (ev == DIALOGUE_MORE)
		return;
	REQUIRE(t->cnt < sizeof(t->said) / sizeof(t->said[0]));
	t->said[t->cnt++] = ev;
}

/* True when the connection would end here. */
static bool ends(struct dialogue *d, enum dialogue_event ev)
{
	switch (ev) {
	case DIALOGUE_TOO_MANY:
	case DIALOGUE_MALFORMED:
	case DIALOGUE_DONE:
	case DIALOGUE_NO_MEMORY:
		return true;
	case DIALOGUE_API:
		REQUIRE(d->body_bytes >= 1 && d->body_bytes <= API_BODY_MAX);
		dialogue_next(d);
		break;
	case DIALOGUE_REQUEST:
		REQUIRE(d->request.method != LOGIN_METHOD_UNKNOWN);
		REQUIRE(dialogue_answer_error(d, WIRE_ERROR_AUTH_FAILED, false) == 0);
		break;
	default:
		break;
	}
	REQUIRE(d->out.error == 0);
	bytebuf_reset(&d->out);
	return dialogue_closes(d);
}

static void converse(const uint8_t *data, size_t size, size_t piece, struct transcript *t)
{
	struct dialogue *d = dialogue_create();
	enum dialogue_event ev = DIALOGUE_MORE;
	size_t taken, n;
	uint8_t *copy;

	REQUIRE(d);
	memset(t, 0, sizeof(*t));
	while (t->used < size) {
		n = dialogue_want(d);
		REQUIRE(n >= 1);
		n = n < piece ? n : piece;
		n = n < size - t->used ? n : size - t->used;
		/* Exactly that much memory, so that reading on is seen. */
		copy = malloc(n);
		REQUIRE(copy);
		memcpy(copy, data + t->used, n);
		ev = dialogue_feed(d, copy, n, &taken);
		free(copy);
		REQUIRE(taken <= n && (ev != DIALOGUE_MORE || taken > 0));
		t->used += taken;
		say(t, ev);
		if (ends(d, ev))
			break;
	}
	dialogue_destroy(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size || size > 200000)
		return 0;
	converse(data + 1, size - 1, size, &whole);
	converse(data + 1, size - 1, 1 + data[0], &pieces);
	REQUIRE(whole.cnt == pieces.cnt && whole.used == pieces.used);
	REQUIRE(!memcmp(whole.said, pieces.said, sizeof(whole.said)));
	return 0;
}
