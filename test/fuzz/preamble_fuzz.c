/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A server's side of a connection before login: any byte stream, taken whole and in pieces. The
 * answers must not depend on how the bytes arrived, and nothing may be answered after a close.
 * First byte: size of the pieces.
 */
#include <string.h>

#include "drivers/session/wire/preamble.h"
#include "test/fuzz/require.h"

/* What a run said: one record for each head, and how it ended. */
struct transcript {
	struct {
		struct http_head head;
		enum preamble_answer answer;
	} said[PREAMBLE_REQUESTS_MAX + 2];
	uint32_t count;
	enum http_event last;
	size_t consumed;
};

static struct http_parser parser;
static struct transcript whole, pieces;

static enum http_event parse_in_pieces(
	const uint8_t *data, size_t size, size_t piece, size_t *consumed)
{
	enum http_event ev = HTTP_MORE;
	size_t n;

	*consumed = 0;
	http_parser_init(&parser);
	while (ev == HTTP_MORE && *consumed < size) {
		size_t take = size - *consumed < piece ? size - *consumed : piece;
		/* Exactly that much memory, so that reading on is seen. */
		uint8_t *copy = malloc(take);

		REQUIRE(copy);
		memcpy(copy, data + *consumed, take);
		ev = http_parse_head(&parser, copy, take, &n);
		REQUIRE(n <= take && (ev != HTTP_MORE || n == take));
		*consumed += n;
		free(copy);
	}
	return ev;
}

static void check_head(const struct http_head *h)
{
	int64_t n = http_check_pack_request(h);

	REQUIRE(strnlen(h->first, sizeof(h->first)) < sizeof(h->first));
	REQUIRE(strnlen(h->second, sizeof(h->second)) < sizeof(h->second));
	REQUIRE(strnlen(h->third, sizeof(h->third)) < sizeof(h->third));
	REQUIRE(strnlen(h->content_type, sizeof(h->content_type)) < sizeof(h->content_type));
	REQUIRE(n < 0 || (n >= 1 && n <= HTTP_PACK_TO_SERVER));
	n = http_check_pack_response(h, 1 << 20);
	REQUIRE(n < 0 || (n >= 1 && n <= 1 << 20));
}

static void check_reply(enum preamble_answer a)
{
	struct bytebuf b;

	bytebuf_init(&b, 4096);
	preamble_reply(&b, a, 1);
	REQUIRE(!b.error);
	bytebuf_free(&b);
}

static void serve(const uint8_t *data, size_t size, size_t piece, struct transcript *t)
{
	struct preamble p = {0};
	enum preamble_answer a = PREAMBLE_NOT_FOUND;
	uint32_t need;
	size_t n;

	memset(t, 0, sizeof(*t));
	while (!preamble_closes(a) && a != PREAMBLE_SIGNATURE) {
		t->last = parse_in_pieces(data + t->consumed, size - t->consumed, piece, &n);
		if (t->last != HTTP_HEAD_DONE)
			return;
		t->consumed += n;
		check_head(&parser.head);
		a = preamble_head(&p, &parser.head, &need);
		if (a == PREAMBLE_NEED_BODY) {
			REQUIRE(need >= 1 && need <= PREAMBLE_API_MAX);
			if (size - t->consumed < need)
				return;
			a = preamble_body(&parser.head, data + t->consumed, need);
			REQUIRE(a != PREAMBLE_NEED_BODY);
			t->consumed += need;
		}
		check_reply(a);
		REQUIRE(t->count < PREAMBLE_REQUESTS_MAX + 1);
		t->said[t->count].head = parser.head;
		t->said[t->count++].answer = a;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t piece;

	if (!size)
		return 0;
	piece = 1 + data[0];
	serve(data + 1, size - 1, size, &whole);
	serve(data + 1, size - 1, piece, &pieces);
	REQUIRE(whole.count == pieces.count && whole.last == pieces.last);
	for (uint32_t i = 0; i < whole.count; i++) {
		REQUIRE(whole.said[i].answer == pieces.said[i].answer);
		REQUIRE(!memcmp(
			&whole.said[i].head, &pieces.said[i].head, sizeof(whole.said[i].head)));
	}
	preamble_probe_passed(data + 1, size - 1);
	return 0;
}
