/* SPDX-License-Identifier: BSD-3-Clause */
/* The rings of notices (dataplane/notice.h): bounded, and nobody fills them for all others. */

#include "dataplane/notice.h"
#include "test/unit/hub_bed.h"

#define KEY UINT64_C(0x0200000000ee)
#define ALL 1000u

/* What one port and one reason have, in whatever it is that they have broken. */
static void violate(
	struct lcore *lc, const struct fake_port *port, enum stats_drop_in reason, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		notice_violation(lc, &port->port, reason, NULL, KEY);
}

static void everything(struct lcore *lc, const struct fake_port *port)
{
	for (unsigned r = 0; r < STATS_DROP_IN_CNT; r++)
		violate(lc, port, (enum stats_drop_in)r, 64);
}

/* How many of `kind` (and, of violations, of this port and reason) worker 0 has told. */
static struct notice told[NOTICE_RING];
static unsigned told_cnt;

static void take(void)
{
	uint64_t lost;

	told_cnt = notice_take(0, told, NOTICE_RING, &lost);
}

static unsigned count(enum notice_kind kind)
{
	unsigned n = 0;

	for (unsigned i = 0; i < told_cnt; i++)
		n += told[i].kind == kind;
	return n;
}

static unsigned count_of(const struct fake_port *port, enum stats_drop_in reason)
{
	unsigned n = 0;

	for (unsigned i = 0; i < told_cnt; i++)
		n += told[i].kind == NOTICE_VIOLATION && told[i].port_idx == port->port.idx &&
			told[i].reason == reason;
	return n;
}

/* All in one turn, so in one second; in seconds of its own, so that nothing was told in them before. */
static uint32_t second;

static void first_of_all(struct lcore *lc, void *)
{
	uint32_t now_s = lc->now_s;

	lc->now_s = second += 1000;
	violate(lc, &a, STATS_DROP_IN_MAC_LIMIT, ALL);
	violate(lc, &b, STATS_DROP_IN_MAC_LIMIT, 1);
	violate(lc, &a, STATS_DROP_IN_IP_LIMIT, 1);
	notice_station(lc, NOTICE_MOVED, &b.port, a.port.idx, KEY);
	lc->now_s++;
	violate(lc, &a, STATS_DROP_IN_MAC_LIMIT, ALL);
	lc->now_s = now_s;
}

/* Who breaks a rule a thousand times is told of, and so is who breaks one once, and he himself for another. */
static void one_does_not_hide_the_others(void **)
{
	uint64_t before, lost;

	join(&a);
	join(&b);
	take();
	before = notice_lost(0);
	worker_call(0, first_of_all, NULL);
	take();
	assert_int_equal(count_of(&a, STATS_DROP_IN_MAC_LIMIT), 2 * NOTICE_PER_REASON);
	assert_int_equal(count_of(&b, STATS_DROP_IN_MAC_LIMIT), 1);
	assert_int_equal(count_of(&a, STATS_DROP_IN_IP_LIMIT), 1);
	assert_int_equal(count(NOTICE_MOVED), 1);
	lost = notice_lost(0);
	assert_int_equal(lost - before, 2 * (ALL - NOTICE_PER_REASON));
}

static void then_loops(struct lcore *lc, void *arg)
{
	const unsigned *seconds = arg;
	uint32_t now_s = lc->now_s;

	lc->now_s = second += 1000;
	for (unsigned i = 0; i < *seconds; i++, lc->now_s++)
		everything(lc, &a);
	lc->now_s -= *seconds == 1;
	for (unsigned i = 0; i < NOTICE_LOOPS + 1; i++)
		notice_loop(
			lc, i % 2 == 0 ? NOTICE_LOOP : NOTICE_BLOCKED, &b.port, a.port.idx, KEY);
	lc->now_s = now_s;
}

/* Loops come with storms: they are told whatever else is, in a second that has been used up, in a ring that is full. */
static void loops_are_always_told(void **)
{
	static const struct {
		unsigned seconds, violations;
	} row[] = {
		{1, NOTICE_PER_SECOND - NOTICE_LOOPS},
		{10, NOTICE_RING - NOTICE_LOOPS},
	};

	join(&a);
	join(&b);
	for (unsigned i = 0; i < RTE_DIM(row); i++) {
		take();
		worker_call(0, then_loops, (void *)(uintptr_t)&row[i].seconds);
		take();
		assert_int_equal(count(NOTICE_VIOLATION), row[i].violations);
		assert_int_equal(count(NOTICE_LOOP) + count(NOTICE_BLOCKED), NOTICE_LOOPS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HUB_TEST(one_does_not_hide_the_others),
		HUB_TEST(loops_are_always_told),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
