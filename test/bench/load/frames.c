/* SPDX-License-Identifier: BSD-3-Clause */
/* See frames.h. */

#include <string.h>

#include "drivers/session/wire/be.h"
#include "test/bench/load/frames.h"

#define FILL_BYTES 65536u
#define FILL_STEP  97u /* each frame begins elsewhere in the filling */

static uint8_t filling[FILL_BYTES + OPTIONS_SIZE_MAX];
static uint32_t run_id;

/* xorshift64: the same filling in every run. */
static uint32_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return (uint32_t)(*state >> 32);
}

static void fill_text(uint64_t *state)
{
	/* A log's vocabulary; the numbers between make it compress to a half and not to a tenth. */
	static const char *const words[] = {"session ", "accepted ", "from ", "address ", "port ",
		"closed ", "error ", "timeout ", "user=", "hub=", "bytes ", "frames ",
		"warning: ", "connection ", "to ", "the "};

	for (size_t at = 0; at < sizeof(filling);) {
		uint32_t r = random_next(state);
		const char *word = words[r & 15];
		size_t len = strlen(word), left = sizeof(filling) - at;
		unsigned digits = 2 + (r >> 4 & 3);

		memcpy(filling + at, word, len < left ? len : left);
		at += len < left ? len : left;
		for (unsigned i = 0; i < digits && at < sizeof(filling); i++)
			filling[at++] = (uint8_t)('0' + random_next(state) % 10);
		if (at < sizeof(filling))
			filling[at++] = r >> 8 & 7 ? ' ' : '\n';
	}
}

void frames_init(enum load_fill fill, uint32_t run)
{
	uint64_t state = 88172645463325252u;

	run_id = run;
	if (fill == FILL_TEXT) {
		fill_text(&state);
		return;
	}
	for (size_t i = 0; i < sizeof(filling); i++)
		filling[i] = (uint8_t)random_next(&state);
}

void frames_mac(uint32_t session, uint8_t mac[6])
{
	mac[0] = 0x0a; /* locally administered, one host */
	mac[1] = (uint8_t)run_id;
	mac[2] = (uint8_t)(run_id >> 8);
	mac[3] = (uint8_t)(session >> 16);
	mac[4] = (uint8_t)(session >> 8);
	mac[5] = (uint8_t)session;
}

static uint32_t ip_of(uint32_t session)
{
	return session == FRAMES_TO_ALL ? 0x0affffff : 0x0a000000 + (session & 0xffff) + 1;
}

static void ip_write(uint8_t *p, unsigned size, uint32_t sender, uint32_t to)
{
	uint32_t sum = 0;

	p[0] = 0x45;
	p[1] = 0; /* not a priority frame (wire.md 6.5) */
	be16_put(p + 2, (uint16_t)(size - 14));
	be32_put(p + 4, 0x4000); /* no identification, do not fragment */
	p[8] = 64;
	p[9] = 17;
	be16_put(p + 10, 0);
	be32_put(p + 12, ip_of(sender));
	be32_put(p + 16, ip_of(to));
	for (unsigned i = 0; i < 20; i += 2)
		sum += be16_get(p + i);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	be16_put(p + 10, (uint16_t)~sum);
	be16_put(p + 20, 40000);
	be16_put(p + 22, 40001);
	be16_put(p + 24, (uint16_t)(size - 34));
	be16_put(p + 26, 0); /* no checksum */
}

void frames_write(uint8_t *at, unsigned size, uint32_t sender, uint32_t to, enum stamp_kind kind,
	uint32_t from, uint32_t seq, uint64_t due_ns)
{
	const unsigned head = FRAMES_HEADER_BYTES + sizeof(struct stamp);
	const struct stamp stamp = {.run = run_id,
		.from = from | (uint32_t)kind << STAMP_KIND_SHIFT,
		.seq = seq,
		.due_low = (uint32_t)due_ns,
		.due_high = (uint32_t)(due_ns >> 32)};

	if (to == FRAMES_TO_ALL)
		memset(at, 0xff, 6);
	else
		frames_mac(to, at);
	frames_mac(sender, at + 6);
	be16_put(at + 12, 0x0800);
	ip_write(at + 14, size, sender, to);
	memcpy(at + FRAMES_HEADER_BYTES, &stamp, sizeof(stamp));
	memcpy(at + head, filling + seq * FILL_STEP % FILL_BYTES, size - head);
}

bool frames_read(const uint8_t *frame, unsigned size, struct stamp *stamp)
{
	if (size < FRAMES_HEADER_BYTES + sizeof(*stamp))
		return false;
	memcpy(stamp, frame + FRAMES_HEADER_BYTES, sizeof(*stamp));
	return stamp->run == run_id && stamp_kind(stamp) >= STAMP_DATA &&
		stamp_kind(stamp) <= STAMP_ANNOUNCE && frame[12] == 0x08 && frame[13] == 0x00;
}
