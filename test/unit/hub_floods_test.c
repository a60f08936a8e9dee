/* SPDX-License-Identifier: BSD-3-Clause */
/* Floods that come back, that find a port asleep, or a queue that has too many of them. */

#include <unistd.h>

#include "dataplane/notice.h"
#include "test/unit/rules_bed.h"

static unsigned notices(enum notice_kind kind, struct notice *last)
{
	struct notice n[16];
	unsigned found = 0, got;
	uint64_t lost;

	for (unsigned w = 0; w < WORKERS; w++) {
		while ((got = notice_take(w, n, 16, &lost)) > 0) {
			for (unsigned i = 0; i < got; i++) {
				if (n[i].kind != kind)
					continue;
				*last = n[i];
				found++;
			}
		}
	}
	return found;
}

/* Each frame that a sends comes back from c, which is on another worker and joined later. */
static void go_round(unsigned frames)
{
	for (unsigned i = 0; i < frames; i++) {
		struct shot s = {.from = &a,
			.dst = FAKE_BROADCAST,
			.src = MAC_A,
			.host = (uint8_t)(i + 1),
			.kind = RF_UDP4};

		shoot(s);
		s.from = &c;
		shoot(s);
	}
}

static void test_loop(void **)
{
	struct hub_options o = defaults();
	struct notice n;

	join(&a);
	join(&b);
	usleep(40000);
	join(&c);
	notices(NOTICE_LOOP, &n);
	/* A host that moved is no loop. */
	go_round(4);
	assert_int_equal(notices(NOTICE_LOOP, &n), 0);
	o.loop_guard = HUB_LOOP_OFF;
	options(o);
	go_round(100);
	assert_int_equal(notices(NOTICE_LOOP, &n), 0);
	o.loop_guard = HUB_LOOP_BLOCK;
	options(o);
	for (unsigned i = 0; i < 50 && atomic_load(&c.port.blocked_until_s) == 0; i++)
		go_round(40);
	assert_true(atomic_load(&c.port.blocked_until_s) > 0);
	assert_int_equal(atomic_load(&a.port.blocked_until_s), 0);
	assert_true(notices(NOTICE_BLOCKED, &n) > 0);
	assert_int_equal(n.port_idx, c.port.idx);
	/* Neither from it nor to it. */
	fake_port_clear(&b);
	fake_port_clear(&c);
	go_round(5);
	ASSERT_CNT(atomic_load(&a.cnt), 5, 0);
	assert_true(hub_drop_in(STATS_DROP_IN_LOOP) >= 5);
	assert_abc_books();
}

static void test_dormant(void **)
{
	struct hub_options o = defaults();

	c.port.flags |= PORT_F_FLOOD_QUOTA;
	join_and_learn();
	o.dormant_s = 1;
	options(o);
	for (unsigned i = 0; i < 400 && hub_drop_out(STATS_DROP_OUT_DORMANT) == 0; i++) {
		usleep(20000);
		send_one(&a, FAKE_BROADCAST, MAC_A, false);
	}
	assert_true(hub_drop_out(STATS_DROP_OUT_DORMANT) > 0);
	/* Unicast reaches it; who speaks is awake. */
	fake_port_clear(&c);
	send_one(&a, MAC_C, MAC_A, false);
	assert_int_equal(atomic_load(&c.cnt), 1);
	send_one(&c, MAC_A, MAC_C, false);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	assert_int_equal(atomic_load(&c.cnt), 2);
	assert_abc_books();
}

/* What a driver says of its queue, on the port's worker. */
struct waiting {
	struct fake_port *of;
	int64_t more;
};

static void waiting_here(struct lcore *lc, void *arg)
{
	const struct waiting *w = arg;

	hub_flood_waiting(lc, &w->of->port, w->more);
}

static void waiting(struct fake_port *of, int64_t more)
{
	struct waiting w = {of, more};

	worker_call(of->port.home, waiting_here, &w);
}

static void test_flood_quota(void **)
{
	struct hub_options o = defaults();

	b.port.flags |= PORT_F_FLOOD_QUOTA;
	c.port.flags |= PORT_F_FLOOD_QUOTA;
	join_and_learn();
	fake_port_clear(&b);
	fake_port_clear(&c);
	/* Two workers, so 1000 bytes each: b's is over it, c's is not. */
	o.flood_quota_bytes = 2000;
	options(o);
	waiting(&b, 1001);
	waiting(&c, 1000);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	assert_int_equal(atomic_load(&b.cnt), 0);
	assert_int_equal(atomic_load(&c.cnt), 1);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_FLOOD_QUOTA), 1);
	/* What is for b alone, and floods to ports that do not count, pass. */
	send_one(&a, MAC_B, MAC_A, false);
	send_one(&c, FAKE_BROADCAST, MAC_C, false);
	assert_int_equal(atomic_load(&b.cnt), 1);
	assert_int_equal(atomic_load(&a.cnt), 1);
	/* One byte less, or no quota at all. */
	waiting(&b, -1);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	assert_int_equal(atomic_load(&b.cnt), 2);
	waiting(&b, INT32_MAX);
	o.flood_quota_bytes = 0;
	options(o);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	assert_int_equal(atomic_load(&b.cnt), 3);
	/* A share of a quota that is not 0 is not none. */
	o.flood_quota_bytes = 1;
	options(o);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	assert_int_equal(atomic_load(&b.cnt), 3);
	waiting(&b, -(int64_t)INT32_MAX - 1000);
	waiting(&c, -1000);
	assert_abc_books();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		RULES_TEST(test_loop),
		RULES_TEST(test_dormant),
		RULES_TEST(test_flood_quota),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
