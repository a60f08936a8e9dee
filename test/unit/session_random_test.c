/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions and connections that come, talk, stall, break and go in random order on two workers, while the
 * control thread hears of it late. What is checked is what must hold after any history: each session ends
 * exactly once and after its connections, the books balance, nothing leaks (sanitizers), and the worker is
 * left without sockets and reservations. The seed is printed; give it as argument to repeat a run.
 */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <cmocka.h>

#include "test/unit/session_bed.h"

#define SLOTS 5u
#define LINKS 2u /* granted 1, one more tolerated */
#define STEPS 400u

struct slot {
	struct bed_session bs;
	struct bed_peer peer[LINKS];
	bool peer_open[LINKS];
	bool live;	/* opened, ended() not yet heard */
	bool end_asked; /* by us */
};

static struct slot slots[SLOTS];
static uint32_t seed;

static unsigned draw(unsigned below)
{
	seed = seed * 1664525 + 1013904223;
	return (unsigned)((uint64_t)seed * below >> 32);
}

static void slot_open(struct slot *sl)
{
	/* Some time-outs are so short that sessions end in the middle of everything. */
	static const uint32_t timeouts[] = {150, 400, 20000};

	bed_open(&sl->bs, &sl->peer[0], draw(2), timeouts[draw(3)]);
	sl->peer_open[0] = true;
	sl->live = true;
	sl->end_asked = false;
}

static void peer_drop(struct slot *sl, unsigned link)
{
	struct linger hard = {.l_onoff = 1, .l_linger = 0};

	if (!sl->peer_open[link])
		return;
	if (draw(3) == 0)
		(void)setsockopt(sl->peer[link].tls.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
	bed_peer_close(&sl->peer[link]);
	sl->peer_open[link] = false;
}

static void slot_join(struct slot *sl, unsigned link)
{
	struct stream *s;

	if (sl->peer_open[link])
		return;
	s = bed_connect(&sl->peer[link], draw(2) ? TLS1_3_VERSION : TLS1_2_VERSION);
	sl->peer_open[link] = true;
	/* bed_connect() pumps nothing, so bs.s is as valid as it was. */
	if (bed_add(&sl->bs, s, draw(4), SESSION_BOTH) != 0)
		stream_close(s);
}

static void peer_talk(struct slot *sl, unsigned self, unsigned link)
{
	/* A peer that has been dropped by us finds its socket closed: that is its problem. */
	if (sl->peer_open[link] &&
		!(SSL_get_shutdown(sl->peer[link].tls.ssl) & SSL_RECEIVED_SHUTDOWN))
		bed_try_frames(
			&sl->peer[link], draw(SLOTS + 1), self + 1, 1 + draw(60), 60 + draw(1455));
}

static void step(void)
{
	unsigned self = draw(SLOTS), link = draw(LINKS);
	struct slot *sl = &slots[self];

	if (sl->live && sl->bs.ended) {
		sl->live = false;
		for (unsigned i = 0; i < LINKS; i++)
			peer_drop(sl, i);
	}
	if (!sl->live) {
		slot_open(sl);
		return;
	}
	switch (draw(12)) {
	case 0:
		peer_drop(sl, link);
		break;
	case 1:
		slot_join(sl, link);
		break;
	case 2:
		if (draw(4) == 0)
			session_end(sl->bs.s, SESSION_END_ADMIN);
		break;
	case 3:
		(void)session_connection_close(sl->bs.s, draw(4), SESSION_END_ADMIN);
		break;
	case 4:
		bed_sleep_ms(draw(60));
		break;
	case 5:
		if (sl->peer_open[link])
			bed_peer_neglect(&sl->peer[link]);
		break;
	default:
		peer_talk(sl, self, link);
		break;
	}
	if (draw(2))
		bed_pump();
	for (unsigned i = 0; i < SLOTS; i++) {
		for (unsigned j = 0; j < LINKS; j++)
			slots[i].peer[j].frames = 0; /* the array of numbers is not wanted here */
	}
}

static void random_life(void **)
{
	struct lcore_view v;

	bed_hub_open();
	for (unsigned i = 0; i < STEPS; i++)
		step();
	for (unsigned i = 0; i < SLOTS; i++) {
		struct slot *sl = &slots[i];

		if (sl->live && !sl->bs.ended)
			session_end(sl->bs.s, SESSION_END_SHUTDOWN);
		while (sl->live && !sl->bs.ended)
			bed_pump();
		for (unsigned j = 0; j < LINKS; j++)
			peer_drop(sl, j);
	}
	bed_hub_close();
	for (unsigned i = 0; i < 2; i++) {
		lcore_view(i, &v);
		assert_int_equal(v.fds, 0);
		assert_int_equal(v.msgs_reserved, 0);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_life)};
	int ret;

	seed = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : (uint32_t)time(NULL);
	printf("seed %u\n", seed);
	bed_start();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	bed_stop();
	return ret;
}
