/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Devices that go by themselves, as a NIC does that is pulled out. There is none here: the events that its
 * driver would raise from the EAL's interrupt thread are raised for a net_null device, from a thread of our own.
 */

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_ethdev.h>
#include <rte_mempool.h>

#include "drivers/bridge/bridge.h"
#include "test/unit/hub_bed.h"

#define DEVICE "net_null0"

/* What drivers call; their header is not installed. */
struct rte_eth_dev;
struct rte_eth_dev *rte_eth_dev_allocated(const char *name);
int rte_eth_dev_callback_process(
	struct rte_eth_dev *dev, enum rte_eth_event_type event, void *ret_param);

static struct bridge *bridge;
static unsigned lost, unplugged;

static void on_lost(void *ctx)
{
	assert_ptr_equal(ctx, &bridge);
	lost++;
}

static void on_unplugged(void *ctx)
{
	assert_ptr_equal(ctx, &bridge);
	unplugged++;
}

static const struct bridge_callbacks callbacks = {.lost = on_lost, .unplugged = on_unplugged};

static int group_setup(void **)
{
	char dir[] = "/tmp/patchbay-bridge-XXXXXX";
	unsigned restored;
	int rc;

	if (bed_setup(NULL) != 0 || mkdtemp(dir) == NULL)
		return -1;
	rc = bridge_driver_init(dir, &restored);
	rmdir(dir);
	return rc;
}

static int group_teardown(void **)
{
	lcore_stop();
	bridge_driver_fini();
	lcore_fini();
	return 0;
}

static int setup(void **state)
{
	struct bridge_conf conf = {
		.kind = BRIDGE_DEVICE,
		.device = DEVICE ",no-rx=1",
		.max_frame = FRAME_MAX_BYTES,
		.cb = &callbacks,
		.ctx = &bridge,
	};

	lost = unplugged = 0;
	if (hub_setup(state) != 0)
		return -1;
	conf.hub = hub;
	return bridge_create(&conf, &bridge);
}

static int teardown(void **state)
{
	bridge_free(bridge);
	return hub_teardown(state);
}

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

static bool rang(void)
{
	struct pollfd pfd = {.fd = bridge_driver_fd(), .events = POLLIN};

	return poll(&pfd, 1, 0) == 1;
}

static void plug(void)
{
	assert_int_equal(bridge_open(bridge), 0);
	assert_int_equal(bridge_plug(bridge), 0);
	assert_true(worker_settle());
	bridge_driver_look();
	assert_false(rang());
	assert_true(worker_settle());
}

static void unplug(void)
{
	unplugged = 0;
	bridge_unplug(bridge);
	assert_true(worker_settle());
	assert_int_equal(unplugged, 1);
}

static void close_it(void)
{
	uint16_t id;

	bridge_close(bridge);
	/* Nobody knows the device any more. */
	assert_int_not_equal(rte_eth_dev_get_port_by_name(DEVICE, &id), 0);
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
		plug();
		before = sent();
		send_one(&a, UINT64_C(0xffffffffffff), MAC_A, true);
		assert_int_equal(sent(), before + 1);
		raise_event(RTE_ETH_EVENT_INTR_RMV);
		assert_true(rang());
		/* Until the control thread has looked, nothing has changed. */
		assert_int_equal(lost, turn - 1);
		bridge_driver_look();
		assert_int_equal(lost, turn);
		/* A driver may say it again, and links change while a device goes. */
		raise_event(RTE_ETH_EVENT_INTR_RMV);
		raise_event(RTE_ETH_EVENT_INTR_LSC);
		bridge_driver_look();
		assert_int_equal(lost, turn);
		unplug();
		bridge_driver_look();
		send_one(&a, UINT64_C(0xffffffffffff), MAC_A, true);
		assert_int_equal(sent(), before + 1);
		close_it();
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
	assert_true(rang());
	bridge_driver_look();
	assert_int_equal(lost, 1);
	unplug();
	close_it();
}

/* The event comes while the bridge is being unplugged by its operator: nobody is told that it is lost. */
static void test_removed_while_it_is_unplugged(void **)
{
	plug();
	bridge_unplug(bridge);
	raise_event(RTE_ETH_EVENT_INTR_RMV);
	bridge_driver_look();
	assert_true(worker_settle());
	assert_int_equal(unplugged, 1);
	bridge_driver_look();
	assert_int_equal(lost, 0);
	close_it();
	/* Nor does the next life of the device know of it. */
	plug();
	bridge_driver_look();
	assert_int_equal(lost, 0);
	unplug();
	close_it();
}

#define BRIDGE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		BRIDGE_TEST(test_removed),
		BRIDGE_TEST(test_removed_before_it_is_plugged),
		BRIDGE_TEST(test_removed_while_it_is_unplugged),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
