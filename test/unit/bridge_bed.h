/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_BRIDGE_BED_H
#define PATCHBAY_TEST_UNIT_BRIDGE_BED_H

/* A bridge of hub_bed.h's hub to a net_null device, which receives nothing and sends everything. */

#include "drivers/bridge/bridge.h"
#include "test/unit/hub_bed.h"

#define DEVICE "net_null0"

extern struct bridge *bridge;
extern unsigned lost, unplugged; /* so often was that said, since the test began */

int bridge_group_setup(void **);
int bridge_group_teardown(void **);
/* Makes the bridge; it is neither open nor plugged. */
int bridge_setup(void **state);
int bridge_teardown(void **state);
#define BRIDGE_TEST(f) cmocka_unit_test_setup_teardown(f, bridge_setup, bridge_teardown)

/* A device of events waits for bridge_driver_look(). */
bool bridge_rang(void);
void bridge_plug_in(void);
void bridge_pull_out(void);
void bridge_close_it(void);

#endif
