/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices that go by themselves, as a NIC does that is pulled out. There is none here: the events that its
 * driver would raise from the EAL's interrupt thread are raised for a net_null device, from a thread of our own.
 */

#include <pthread.h>

#include <rte_ethdev.h>

#include "test/unit/bridge_bed.h"

/* What drivers call; their header is not installed. */
struct rte_eth_dev;
struct rte_eth_dev *rte_eth_dev_allocated(const char *name);
int rte_eth_dev_callback_process(
	struct rte_eth_dev *dev, enum rte_eth_event_type event, void *ret_param);

/* ---- steps ------------------------------------------------------------------------------------ */

static void *raise_here(void *event)
{
	rte_eth_dev_callback_process(
		rte_eth_dev_allocated(DEVICE), *(const enum rte_eth_event_type *)event, NULL);
	return NULL;
}

static void raise_event(enum rte_eth_event_type event)
{
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, raise_here, &event), 0);
	pthread_join(thread, NULL);
}

static uint64_t sent(void)
{
	struct bridge_view v;

	bridge_view(bridge, &v);
	return stats_sent_frames(&v.port);
}

/* ---- tests ------------------------------------------------------------------------------------ */

/* The driver says that the device has gone: told once, unplugged, closed; then it is there again. */
static void test_removed(void **)
{
	uint64_t before;

	join(&a);
	for (unsigned turn = 1; turn <= 3; turn++) {
		bridge_plug_in();
		before = sent();
		send_one(&a, UINT64_C(0xffffffffffff), MAC_A, true);
		assert_int_equal(sent(), before + 1);
		raise_event(RTE_ETH_EVENT_INTR_RMV);
		assert_true(bridge_rang());
		/* Until the control thread has looked, nothing has changed. */
		assert_int_equal(lost, turn - 1);
		bridge_driver_look();
		assert_int_equal(lost, turn);
		/* A driver may say it again, and links change while a device goes. */
		raise_event(RTE_ETH_EVENT_INTR_RMV);
		raise_event(RTE_ETH_EVENT_INTR_LSC);
		bridge_driver_look();
		assert_int_equal(lost, turn);
		bridge_pull_out();
		bridge_driver_look();
		send_one(&a, UINT64_C(0xffffffffffff), MAC_A, true);
		assert_int_equal(sent(), before + 1);
		bridge_close_it();
	}
	assert_int_equal(lost, 3);
}

/* The event comes between open and plug: it is not forgotten. */
static void test_removed_before_it_is_plugged(void **)
{
	assert_int_equal(bridge_open(bridge), 0);
	raise_event(RTE_ETH_EVENT_INTR_RMV);
	bridge_driver_look();
	assert_int_equal(lost, 0);
	assert_int_equal(bridge_plug(bridge), 0);
	assert_true(bridge_rang());
	bridge_driver_look();
	assert_int_equal(lost, 1);
	bridge_pull_out();
	bridge_close_it();
}

/* The event comes while the bridge is being unplugged by its operator: nobody is told that it is lost. */
static void test_removed_while_it_is_unplugged(void **)
{
	bridge_plug_in();
	bridge_unplug(bridge);
	raise_event(RTE_ETH_EVENT_INTR_RMV);
	bridge_driver_look();
	assert_true(worker_settle());
	assert_int_equal(unplugged, 1);
	bridge_driver_look();
	assert_int_equal(lost, 0);
	bridge_close_it();
	/* Nor does the next life of the device know of it. */
	bridge_plug_in();
	bridge_driver_look();
	assert_int_equal(lost, 0);
	bridge_pull_out();
	bridge_close_it();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(test_removed),
		BRIDGE_TEST(test_removed_before_it_is_plugged),
		BRIDGE_TEST(test_removed_while_it_is_unplugged),
	};

	return cmocka_run_group_tests(tests, bridge_group_setup, bridge_group_teardown);
}
