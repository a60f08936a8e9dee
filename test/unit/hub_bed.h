/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_HUB_BED_H
#define PATCHBAY_TEST_UNIT_HUB_BED_H

/*
 * A hub on two workers with three recording ports: a, b on worker 0, c on worker 1. Fresh for each test;
 * each ends with the hub's end, a whole pool and nothing waiting.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/hub_priv.h"
#include "test/unit/fake_port.h"
#include "test/unit/worker.h"

#define WORKERS	  2u
#define RING_SIZE 256u
#define MBUFS	  4095u

#define MAC_A UINT64_C(0x02000000000a)
#define MAC_B UINT64_C(0x02000000000b)
#define MAC_C UINT64_C(0x02000000000c)
/* The hub's own. */
#define MAC_PROBE UINT64_C(0x00ae00000001)

extern struct hub *hub;
extern struct fake_port a, b, c;

/* Group and test fixtures. */
int bed_setup(void **);
int bed_teardown(void **);
int hub_setup(void **);
int hub_teardown(void **);
#define HUB_TEST(f) cmocka_unit_test_setup_teardown(f, hub_setup, hub_teardown)

void join(struct fake_port *f);
void leave(struct fake_port *f);
/* All three forget what they have received. */
void clear_ports(void);
/* All three join and say who they are. */
void join_and_learn(void);

/* One call of hub_input(). */
struct send {
	struct fake_port *from;
	unsigned n;
	bool backed;
	struct {
		uint64_t dst, src;
		uint16_t vlan, len;
		uint32_t serial;
	} f[FRAME_BURST];
	unsigned no_mbuf;
	/* Instead of what stands there: bytes from the EtherType (offset 12) on, in every frame or in each its own. */
	const uint8_t *from_type, *each_from_type[FRAME_BURST];
	unsigned from_type_bytes;
};

void add(struct send *s, uint64_t dst, uint64_t src, uint32_t serial);
void send_here(struct lcore *lc, void *arg);
/* On the port's home worker; returns when all copies have arrived. */
void send_all(struct send *s);
void send_one(struct fake_port *from, uint64_t dst, uint64_t src, bool backed);

/* The hub's access list from now on; rule i gets slot i + 1. */
void set_rules(struct access_rule *rule, uint32_t cnt);
/* The same over these rules as the base, with what `set` says of changes; the slots are the caller's. */
void set_base(struct access_rule *rule, uint32_t cnt, struct access_set_conf *set);

/* Ports, hub and workers each for themselves; what ports saw is what the hub saw of them. */
void assert_books(struct fake_port *const *ports, unsigned n);
void assert_abc_books(void);
/* For one port of the test's own, or two (else y is NULL): the books of all, then these are gone. */
void assert_books_and_leave(struct fake_port *x, struct fake_port *y);
uint64_t hub_drop_in(enum stats_drop_in reason);
uint64_t hub_drop_out(enum stats_drop_out reason);

#define ASSERT_CNT(na, nb, nc)                             \
	do {                                               \
		assert_int_equal(atomic_load(&a.cnt), na); \
		assert_int_equal(atomic_load(&b.cnt), nb); \
		assert_int_equal(atomic_load(&c.cnt), nc); \
	} while (0)

#endif
