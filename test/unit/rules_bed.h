/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_RULES_BED_H
#define PATCHBAY_TEST_UNIT_RULES_BED_H

/* What hubs and their ports are told to do with frames, and frames of every kind to try it with: on hub_bed.h. */

#include "dataplane/hub_options.h"
#include "dataplane/port_rules.h"
#include "test/unit/hub_bed.h"
#include "test/unit/rule_frames.h"

/* A burst of frames that are the same. */
struct shot {
	struct fake_port *from;
	uint64_t dst, src; /* a BPDU goes where BPDUs go */
	uint16_t vlan;
	uint8_t host; /* 0: 5 */
	enum rule_frame kind;
	unsigned n; /* 0: 1 */
	/* Bytes of the test's own, from `over_at` on; NULL: none. */
	const uint8_t *over;
	uint32_t over_at, over_bytes;
};
/* On the port's home worker; returns when all copies have arrived. */
void shoot(struct shot s);

/* The port's policy. Tests that give one are RULES_TESTs, after which it is gone. */
void rules(struct fake_port *f, struct policy_input in);
int rules_teardown(void **state);
#define RULES_TEST(f) cmocka_unit_test_setup_teardown(f, hub_setup, rules_teardown)

/* Options of the hub. */
struct hub_options defaults(void);
void options(struct hub_options o);

#endif
