/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_UDP_PATH_H
#define PATCHBAY_DRIVERS_SESSION_UDP_PATH_H

/*
 * Whether the UDP path of a session carries frames at this moment (wire.md 7.4, 7.5), as rules alone: no
 * socket, no clock, so that years of it can be tested in a second. Either side decides for itself.
 *
 * Both sides send datagrams all the time, keep-alives if nothing else. Each carries the sender's clock (tick)
 * and the highest tick that the sender has received (echo). A path is *alive* when the peer is heard and has
 * heard us lately; it is *ready* when it has been alive for 10 s without a break.
 *
 * Stricter than the protocol asks, which a receiver may be:
 * - Only a tick higher than all before makes alive: what an eavesdropper sends once more does not.
 * - The protocol believes in an echo for 30 s, so that a path on which only our direction is cut would swallow
 *   frames for half a minute. Here one tick at a time is watched, and has to come back in little more time than
 *   silence is given.
 * - When the peer's address changes (a NAT on the way), frames wait until a tick has come back that was sent
 *   to the new one. So nobody can point the stream of a session at a third party with one stolen datagram.
 *
 * Times are milliseconds of one monotonic clock. Our tick is that time plus 1, because 0 means none.
 */

#include <stdbool.h>
#include <stdint.h>

#define UDP_PATH_STABLE_MS	 10000u /* alive for so long makes ready */
#define UDP_PATH_SILENCE_FAST_MS 2100u
#define UDP_PATH_SILENCE_SLOW_MS 9000u
#define UDP_PATH_RETURN_FAST_MS \
	2400u /* for a tick to come back: two keep-alive intervals and 400 ms */
#define UDP_PATH_RETURN_SLOW_MS 9000u
#define UDP_PATH_ECHO_MS	30000u /* an echo older than this proves nothing */
#define UDP_PATH_WINDOW_MS	30000u /* ticks so far below the highest are refused */

struct udp_path {
	bool fast;	    /* both sides detect silence fast, and speak accordingly */
	uint64_t peer_tick; /* highest received, 0: none */
	uint64_t echoed;    /* our highest tick that came back */
	uint64_t watched;   /* our tick that has to come back, 0: all has */
	uint64_t behind;    /* the one that is watched next: the first sent behind it, 0: none */
	uint64_t proof;	    /* our ticks from here on went to the peer's present address */
	uint64_t alive_ms;  /* last alive; valid while since_set */
	uint64_t since_ms;  /* alive without a break since */
	bool since_set;
};

enum udp_path_tick {
	UDP_PATH_FRESH, /* higher than all before: its source is where the peer is now */
	UDP_PATH_LATE,	/* overtaken on the way, or of the same millisecond */
	UDP_PATH_STALE, /* to be dropped */
};

static inline uint64_t udp_path_tick(uint64_t now_ms)
{
	return now_ms + 1;
}

void udp_path_init(struct udp_path *p, bool fast);
/* A datagram that was sealed by the peer. */
enum udp_path_tick udp_path_receive(
	struct udp_path *p, uint64_t tick, uint64_t echo, uint64_t now_ms);
/* The peer speaks from another address now. */
void udp_path_moved(struct udp_path *p, uint64_t now_ms);
/* A datagram with our tick of now_ms goes to the peer's present address. */
void udp_path_sent(struct udp_path *p, uint64_t now_ms);
/* The peer is heard, and hears us. Forgets how long it was alive when that is over. */
bool udp_path_alive(struct udp_path *p, uint64_t now_ms);
/* Frames may go over it. */
bool udp_path_ready(struct udp_path *p, uint64_t now_ms);
/* When either may change by the passing of time alone; UINT64_MAX: never. */
uint64_t udp_path_next_ms(const struct udp_path *p, uint64_t now_ms);

/* Milliseconds to the next keep-alive, from 32 random bits. Pure. */
static inline uint32_t udp_path_interval_ms(bool fast, uint32_t random)
{
	return fast ? 500 + random % 501 : 1000 + random % 2001;
}

#endif
