/* SPDX-License-Identifier: BSD-3-Clause */
/* What is tested about frames that are about to be flooded: storms (reference/hub.md 7). */

#include "dataplane/hub_input_priv.h"
#include "dataplane/storm.h"

/* The addresses that make a storm's key: ARP's destination is nobody's. */
static bool passes(struct input *in, struct storm *storm, unsigned j)
{
	static const uint8_t none[16];
	const struct frame_class *c = burst_class(&in->b, j);

	return storm_pass(storm, &in->b.options->storm, in->keys[2 * j] & FDB_MAC_MASK, c->src,
		(c->classes & FRAME_ARP) != 0 ? none : c->dst, in->b.lc->now_ms);
}

uint64_t input_storm(struct input *in, uint64_t flood)
{
	struct storm *storm;
	uint64_t dropped = 0;

	if (in->b.rules == NULL || (in->b.rules->policy.flags & POLICY_F_STORM) == 0)
		return 0;
	storm = &port_part(in->port, in->b.lc)->storm;
	for (; flood != 0; flood &= flood - 1) {
		unsigned j = (unsigned)__builtin_ctzll(flood);

		if (passes(in, storm, j))
			continue;
		notice_violation(in->b.lc, in->port, STATS_DROP_IN_STORM, burst_class(&in->b, j),
			in->keys[2 * j]);
		input_drop(in, in->b.frame[j], STATS_DROP_IN_STORM);
		dropped |= UINT64_C(1) << j;
	}
	return dropped;
}
