/* SPDX-License-Identifier: BSD-3-Clause */
/* A bridge to a net_null device for unit tests (bridge_bed.h). */

#include "test/unit/bridge_bed.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_ethdev.h>

struct bridge *bridge;
unsigned lost, unplugged;

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

int bridge_group_setup(void **)
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

int bridge_group_teardown(void **)
{
	lcore_stop();
	bridge_driver_fini();
	lcore_fini();
	return 0;
}

int bridge_setup(void **state)
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

int bridge_teardown(void **state)
{
	bridge_free(bridge);
	return hub_teardown(state);
}

bool bridge_rang(void)
{
	struct pollfd pfd = {.fd = bridge_driver_fd(), .events = POLLIN};

	return poll(&pfd, 1, 0) == 1;
}

void bridge_plug_in(void)
{
	assert_int_equal(bridge_open(bridge), 0);
	assert_int_equal(bridge_plug(bridge), 0);
	assert_true(worker_settle());
	bridge_driver_look();
	assert_false(bridge_rang());
	assert_true(worker_settle());
}

void bridge_pull_out(void)
{
	unplugged = 0;
	bridge_unplug(bridge);
	assert_true(worker_settle());
	assert_int_equal(unplugged, 1);
}

void bridge_close_it(void)
{
	uint16_t id;

	bridge_close(bridge);
	/* Nobody knows the device any more. */
	assert_int_not_equal(rte_eth_dev_get_port_by_name(DEVICE, &id), 0);
}
