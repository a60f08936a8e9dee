/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_PORT_RULES_PRIV_H
#define PATCHBAY_DATAPLANE_PORT_RULES_PRIV_H

/* The inside of a port's rules: the hub's files alone. */

#include "dataplane/lcore_priv.h"
#include "dataplane/meter.h"
#include "dataplane/port_rules.h"
#include "dataplane/storm.h"

/* One worker's part. */
struct port_part {
	struct meter up;
	struct meter down;
	struct storm storm; /* there only if the policy has the limiter */
} __attribute__((aligned(64)));

struct port_rules {
	struct policy policy;
	bool looks_in;	       /* some rule looks at every frame from the port, or changes it */
	bool looks_ip;	       /* some rule is about the source addresses of its frames */
	bool looks_out;	       /* the same for frames to the port */
	bool looks_out_ip6;    /* only those with EtherType IPv6 */
	uint32_t tag_bytes;    /* what comes off a frame on its way to the port */
	unsigned first, parts; /* workers first .. first + parts - 1 have a part */
	size_t part_bytes;
	uint8_t part[] __attribute__((aligned(64)));
};

/* This worker's part of a port that it touches and that has rules. */
static inline struct port_part *port_part(const struct port *port, const struct lcore *lc)
{
	struct port_rules *r = port->rules;

	return (struct port_part *)(void *)(r->part + (lc->index - r->first) * r->part_bytes);
}

#endif
