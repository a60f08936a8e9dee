/* SPDX-License-Identifier: BSD-3-Clause */
/* The port table: indices, their generations and their quarantine. No EAL, no hub. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/hub_priv.h"
#include "dataplane/port.h"

/* A hub is only a place for its quarantine here. */
static struct {
	struct port_quarantine q;
} fake[2];
#define HUB(i) ((struct hub *)&fake[i])

struct port_quarantine *hub_quarantine(const struct hub *hub)
{
	return &fake[hub == HUB(1)].q;
}

/* What hub_port_join() and hub_port_leave() do to the table. */
static void join(struct port *p, struct hub *hub)
{
	p->hub = hub;
	atomic_store(&port_table[p->idx].port, p);
}

static void leave(struct port *p)
{
	atomic_store(&port_gens[p->idx], (p->gen + 1) & ((1u << PORT_GEN_BITS) - 1));
	atomic_store(&port_table[p->idx].port, NULL);
}

/* Uses every index that is free now up; returns how many. */
static unsigned exhaust(struct port *p, unsigned max)
{
	unsigned n = 0;

	while (n < max && port_reserve(&p[n]) == 0)
		n++;
	return n;
}

static struct port *all;

static void indices_are_distinct_and_bounded(void **)
{
	static uint8_t used[PORT_MAX];
	struct port extra = {0};

	all = calloc(PORT_MAX, sizeof(*all));
	assert_non_null(all);
	assert_int_equal(exhaust(all, PORT_MAX), PORT_MAX - 1);
	for (unsigned i = 0; i < PORT_MAX - 1; i++) {
		assert_true(all[i].idx > 0 && all[i].idx < PORT_MAX);
		assert_int_equal(used[all[i].idx]++, 0);
		assert_null(port_get(all[i].idx, all[i].gen));
	}
	assert_int_equal(port_reserve(&extra), -ENOSPC);
}

static void a_port_is_found_under_its_generation_only(void **)
{
	struct port *p = &all[10];

	join(p, HUB(0));
	assert_ptr_equal(port_get(p->idx, p->gen), p);
	assert_null(port_get(p->idx, p->gen + 1));
	leave(p);
	assert_null(port_get(p->idx, p->gen));
}

/* all[10] has left hub 0. */
static void an_index_rests_for_two_more_passes(void **)
{
	uint32_t idx = all[10].idx;
	uint16_t gen = all[10].gen;
	struct port p = {0};

	port_table_swept(HUB(0), 5);
	port_release(&all[10]);
	assert_int_equal(all[10].idx, 0);
	port_release(&all[10]); /* twice does no harm */
	assert_int_equal(port_reserve(&p), -ENOSPC);
	/* The same number again: no pass has ended since. Other hubs' passes do not count. */
	port_table_swept(HUB(0), 5);
	port_table_swept(HUB(1), 100);
	assert_int_equal(port_reserve(&p), -ENOSPC);
	port_table_swept(HUB(0), 6);
	assert_int_equal(port_reserve(&p), -ENOSPC);
	port_table_swept(HUB(0), 7);
	assert_int_equal(port_reserve(&p), 0);
	assert_int_equal(p.idx, idx);
	assert_int_equal(p.gen, gen + 1);
	all[10] = p;
}

static void never_joined_is_free_at_once(void **)
{
	struct port p = {0};
	uint32_t idx = all[20].idx;

	all[20].hub = HUB(0);
	port_release(&all[20]);
	assert_int_equal(port_reserve(&p), 0);
	assert_int_equal(p.idx, idx);
	all[20] = p;
}

static void releases_at_different_times_become_free_in_order(void **)
{
	struct port p = {0};
	uint32_t idx[3];

	for (unsigned i = 0; i < 3; i++) {
		idx[i] = all[30 + i].idx;
		join(&all[30 + i], HUB(1));
		leave(&all[30 + i]);
	}
	port_release(&all[30]);
	port_table_swept(HUB(1), 100);
	port_release(&all[31]);
	port_table_swept(HUB(1), 101);
	port_release(&all[32]);
	port_table_swept(HUB(1), 102);
	assert_int_equal(port_reserve(&p), 0);
	assert_int_equal(p.idx, idx[0]);
	assert_int_equal(port_reserve(&p), -ENOSPC);
	port_table_swept(HUB(1), 103);
	assert_int_equal(port_reserve(&p), 0);
	assert_int_equal(p.idx, idx[1]);
	assert_int_equal(port_reserve(&p), -ENOSPC);
	/* The last one waits for a pass that never comes: its hub goes. */
	port_table_hub_gone(HUB(1));
	assert_int_equal(port_reserve(&p), 0);
	assert_int_equal(p.idx, idx[2]);
	assert_int_equal(fake[1].q.first, 0);
	assert_int_equal(fake[1].q.fresh, 0);
}

static void generations_wrap_within_their_bits(void **)
{
	struct port *p = &all[40];

	for (unsigned i = 0; i < (1u << PORT_GEN_BITS) + 3; i++) {
		join(p, HUB(0));
		assert_true(p->gen < 1u << PORT_GEN_BITS);
		leave(p);
		port_release(p);
		port_table_hub_gone(HUB(0));
		assert_int_equal(port_reserve(p), 0);
	}
	assert_int_equal(p->gen, 3);
	free(all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(indices_are_distinct_and_bounded),
		cmocka_unit_test(a_port_is_found_under_its_generation_only),
		cmocka_unit_test(an_index_rests_for_two_more_passes),
		cmocka_unit_test(never_joined_is_free_at_once),
		cmocka_unit_test(releases_at_different_times_become_free_in_order),
		cmocka_unit_test(generations_wrap_within_their_bits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
