/* SPDX-License-Identifier: BSD-3-Clause */
/* Mirrors (dataplane/hub_mirror.c): who gets what, in which order, and at whose cost. */

#include <errno.h>

#include "test/unit/hub_bed.h"

#define MIRROR (PORT_F_MIRROR | PORT_F_RECEIVE_ONLY)

static struct fake_port near, far; /* mirrors on worker 0 and 1 */

static void mirrors_join(uint32_t flags)
{
	fake_port_init(&near, hub, 0, flags);
	fake_port_init(&far, hub, 1, flags);
	join(&near);
	join(&far);
}

static void mirrors_leave(void)
{
	assert_books_and_leave(&near, &far);
}

/* Unicast to this worker and the other one, broadcast, unknown: once each, in order. */
static void each_frame_once(bool backed)
{
	struct send s = {.from = &a, .backed = backed};

	join_and_learn();
	mirrors_join(MIRROR | (backed ? PORT_F_MBUF : 0));
	add(&s, MAC_B, MAC_A, 1);
	add(&s, FAKE_BROADCAST, MAC_A, 2);
	add(&s, MAC_C, MAC_A, 3);
	add(&s, UINT64_C(0x020000000099), MAC_A, 4);
	add(&s, MAC_B, MAC_A, 5);
	send_all(&s);
	ASSERT_CNT(0, 4, 3);
	assert_int_equal(atomic_load(&near.cnt), 5);
	assert_int_equal(atomic_load(&far.cnt), 5);
	for (uint32_t i = 0; i < 5; i++) {
		assert_int_equal(near.serial[i], i + 1);
		assert_int_equal(far.serial[i], i + 1);
	}
	assert_int_equal(atomic_load(&near.flooded), 0);
	mirrors_leave();
}

static void test_sessions_get_each_frame_once(void **)
{
	each_frame_once(false);
}

static void test_devices_get_each_frame_once(void **)
{
	each_frame_once(true);
}

/* Nothing that was dropped on the way in, nothing that stays on its port, nothing that others hold. */
static void test_not_what_was_dropped(void **)
{
	join_and_learn();
	mirrors_join(MIRROR);
	send_one(&a, MAC_A + 1, MAC_A + 1, false);
	send_one(&a, MAC_A, UINT64_C(0x020000000077), false);
	send_one(&a, MAC_PROBE, MAC_A, false);
	assert_int_equal(atomic_load(&near.cnt), 0);
	assert_int_equal(atomic_load(&far.cnt), 0);
	/* What a mirror sends goes nowhere and is not learned. */
	send_one(&near, FAKE_BROADCAST, UINT64_C(0x020000000055), false);
	ASSERT_CNT(0, 0, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_RECEIVE_ONLY), 1);
	assert_int_equal(fdb_delete(hub_fdb(hub), fdb_key(UINT64_C(0x020000000055), 0)), -ENOENT);
	mirrors_leave();
}

static void test_receiver_without_mirror_gets_the_same(void **)
{
	join_and_learn();
	mirrors_join(MIRROR);
	leave(&far);
	send_one(&a, MAC_C, MAC_A, true);
	ASSERT_CNT(0, 0, 1);
	assert_int_equal(atomic_load(&near.cnt), 1);
	assert_int_equal(atomic_load(&far.cnt), 0);
	join(&far);
	mirrors_leave();
}

/* A worker that does not look at its ring: mirrors get half of it, the hub's own frames all. */
static void test_ring_is_left_to_frames(void **)
{
	struct send s = {.from = &a};
	struct worker_job held;
	unsigned to_c = 0;

	join_and_learn();
	mirrors_join(MIRROR);
	for (unsigned i = 0; i < FRAME_BURST; i++)
		add(&s, i % 4 == 0 ? MAC_C : MAC_B, MAC_A, i);
	worker_hold(1, &held);
	for (unsigned k = 0; k < 8; k++, to_c += FRAME_BURST / 4)
		worker_call(0, send_here, &s);
	atomic_store(&worker_gate, true);
	assert_true(worker_settle());
	assert_int_equal(atomic_load(&c.cnt), to_c);
	assert_int_equal(atomic_load(&near.cnt), 8 * FRAME_BURST);
	assert_in_range(atomic_load(&far.cnt), FRAME_BURST, RING_SIZE / 2 + FRAME_BURST);
	assert_int_equal(
		atomic_load(&far.cnt) + hub_drop_out(STATS_DROP_OUT_RING_FULL), 8 * FRAME_BURST);
	mirrors_leave();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		HUB_TEST(test_sessions_get_each_frame_once),
		HUB_TEST(test_devices_get_each_frame_once),
		HUB_TEST(test_not_what_was_dropped),
		HUB_TEST(test_receiver_without_mirror_gets_the_same),
		HUB_TEST(test_ring_is_left_to_frames),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
