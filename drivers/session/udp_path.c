/* SPDX-License-Identifier: BSD-3-Clause */
/* See udp_path.h. */

#include "drivers/session/udp_path.h"

void udp_path_init(struct udp_path *p, bool fast)
{
	*p = (struct udp_path){.fast = fast, .proof = 1};
}

static uint64_t silence_ms(const struct udp_path *p)
{
	return p->fast ? UDP_PATH_SILENCE_FAST_MS : UDP_PATH_SILENCE_SLOW_MS;
}

static uint64_t return_ms(const struct udp_path *p)
{
	return p->fast ? UDP_PATH_RETURN_FAST_MS : UDP_PATH_RETURN_SLOW_MS;
}

/* The peer has not told of a tick for too long: what we send does not arrive. */
static bool unheard(const struct udp_path *p, uint64_t now_ms)
{
	return p->watched != 0 && udp_path_tick(now_ms) - p->watched >= return_ms(p);
}

bool udp_path_alive(struct udp_path *p, uint64_t now_ms)
{
	if (p->since_set && (now_ms - p->alive_ms >= silence_ms(p) || unheard(p, now_ms)))
		p->since_set = false;
	return p->since_set;
}

static void echo_take(struct udp_path *p, uint64_t echo, uint64_t now_ms)
{
	/* Of a tick that we have not had yet nothing can have come back. */
	if (echo <= p->echoed || echo > udp_path_tick(now_ms))
		return;
	p->echoed = echo;
	if (p->watched == 0 || echo < p->watched)
		return;
	p->watched = p->behind > echo ? p->behind : 0;
	p->behind = 0;
}

enum udp_path_tick udp_path_receive(
	struct udp_path *p, uint64_t tick, uint64_t echo, uint64_t now_ms)
{
	uint64_t gap;

	if (tick == 0 || (p->peer_tick > tick && p->peer_tick - tick >= UDP_PATH_WINDOW_MS))
		return UDP_PATH_STALE;
	if (tick <= p->peer_tick) {
		echo_take(p, echo, now_ms);
		return UDP_PATH_LATE;
	}
	gap = tick - p->peer_tick;
	p->peer_tick = tick;
	echo_take(p, echo, now_ms);
	/*
	 * Was it silent until now? By the peer's clock it may not have been: then it was us who did not look,
	 * because the worker was off its CPU (architecture.md 6.7).
	 */
	if (p->since_set && now_ms - p->alive_ms >= silence_ms(p) && gap >= silence_ms(p))
		p->since_set = false;
	if (p->echoed != 0 && udp_path_tick(now_ms) - p->echoed <= UDP_PATH_ECHO_MS &&
		!unheard(p, now_ms)) {
		p->alive_ms = now_ms;
		if (!p->since_set)
			p->since_ms = now_ms;
		p->since_set = true;
	}
	return UDP_PATH_FRESH;
}

void udp_path_moved(struct udp_path *p, uint64_t now_ms)
{
	p->proof = udp_path_tick(now_ms);
	p->watched = p->behind = 0; /* what went to the old address need not come back */
}

void udp_path_sent(struct udp_path *p, uint64_t now_ms)
{
	uint64_t tick = udp_path_tick(now_ms);

	if (p->watched == 0 && p->peer_tick != 0)
		p->watched = tick;
	else if (p->behind == 0 && tick > p->watched)
		p->behind = tick;
}

bool udp_path_ready(struct udp_path *p, uint64_t now_ms)
{
	return udp_path_alive(p, now_ms) && now_ms - p->since_ms >= UDP_PATH_STABLE_MS &&
		p->echoed >= p->proof;
}

uint64_t udp_path_next_ms(const struct udp_path *p, uint64_t now_ms)
{
	uint64_t at;

	if (!p->since_set)
		return UINT64_MAX;
	at = p->alive_ms + silence_ms(p);
	if (p->watched != 0 && p->watched - 1 + return_ms(p) < at)
		at = p->watched - 1 + return_ms(p);
	if (now_ms - p->since_ms < UDP_PATH_STABLE_MS && p->since_ms + UDP_PATH_STABLE_MS < at)
		at = p->since_ms + UDP_PATH_STABLE_MS;
	return at;
}
