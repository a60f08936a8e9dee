/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_PORT_RULES_PRIV_H
#define PATCHBAY_DATAPLANE_PORT_RULES_PRIV_H

/* The inside of a port's rules: the hub's files alone. */

#include "dataplane/port_rules.h"

/* One worker's part. */
struct port_part {
	uint64_t last_in_ms; /* the port sent something (dormant test) */
} __attribute__((aligned(64)));

struct port_rules {
	struct policy policy;
	unsigned first, parts; /* workers first .. first + parts - 1 have a part */
	struct port_part part[] __attribute__((aligned(64)));
};

#endif
