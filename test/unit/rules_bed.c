/* SPDX-License-Identifier: BSD-3-Clause */
/* See rules_bed.h. */

#include "test/unit/rules_bed.h"

#include <stdlib.h>
#include <string.h>

static void shoot_here(struct lcore *lc, void *arg)
{
	static _Thread_local uint8_t bytes[FRAME_BURST][RULE_FRAME_BYTES];
	const struct shot *s = arg;
	struct rule_frame_of of = {.dst = s->dst, .src = s->src, .vlan = s->vlan, .host = s->host};
	struct frame frames[FRAME_BURST];

	for (unsigned i = 0; i < s->n; i++) {
		uint32_t len = rule_frame_write(s->kind, &of, bytes[i]);

		if (s->over != NULL)
			memcpy(bytes[i] + s->over_at, s->over, s->over_bytes);
		frames[i] = (struct frame){.data = bytes[i], .len = (uint16_t)len};
	}
	hub_input(lc, &s->from->port, frames, s->n);
}

void shoot(struct shot s)
{
	s.n = s.n != 0 ? s.n : 1;
	s.host = s.host != 0 ? s.host : 5;
	if (s.kind == RF_BPDU)
		s.dst = UINT64_C(0x0180c2000000);
	worker_call(s.from->port.home, shoot_here, &s);
	assert_true(worker_settle());
}

void rules(struct fake_port *f, struct policy_input in)
{
	struct policy p;

	policy_compile(&in, &p);
	assert_int_equal(port_rules_set(&f->port, &p), 0);
}

int rules_teardown(void **state)
{
	struct port_rules *all[] = {a.port.rules, b.port.rules, c.port.rules};
	int rc = hub_teardown(state);

	for (unsigned i = 0; i < 3; i++)
		free(all[i]);
	return rc;
}

void options(struct hub_options o)
{
	assert_int_equal(hub_set_options(hub, &o), 0);
}

struct hub_options defaults(void)
{
	struct hub_options o;

	hub_options_default(&o);
	return o;
}
