/* SPDX-License-Identifier: BSD-3-Clause */
/* The hub on two workers: learning, switching, floods, drops with their counters, joins and leaves. */

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "dataplane/grace.h"
#include "dataplane/hub_priv.h"
#include "test/unit/fake_port.h"
#include "test/unit/worker.h"

#define WORKERS	  2u
#define RING_SIZE 256u
#define MBUFS	  4095u

static struct hub *hub;
/* a, b on worker 0, c on worker 1; fresh for each test. */
static struct fake_port a, b, c;

static int setup(void **)
{
	struct lcore_conf conf = {
		.workers = WORKERS,
		.ring_size = RING_SIZE,
		.mbufs = MBUFS,
	};

	return worker_eal(WORKERS) == 0 && lcore_init(&conf) == 0 && lcore_start() == 0 ? 0 : -1;
}

static int teardown(void **)
{
	lcore_stop();
	lcore_fini();
	return 0;
}

static void join_here(struct lcore *lc, void *arg)
{
	hub_port_join(lc, arg);
}

static void leave_here(struct lcore *lc, void *arg)
{
	hub_port_leave(lc, arg);
}

static void join(struct fake_port *f)
{
	assert_int_equal(port_reserve(&f->port), 0);
	worker_call(f->port.home, join_here, &f->port);
}

static void leave(struct fake_port *f)
{
	worker_call(f->port.home, leave_here, &f->port);
}

static bool hub_gone;

static void on_hub_gone(void *)
{
	hub_gone = true;
}

static int hub_setup(void **)
{
	struct hub_conf conf = {0};

	hub = hub_create(&conf);
	if (hub == NULL)
		return -1;
	hub_set_online(hub, true);
	fake_port_init(&a, hub, 0, 0);
	fake_port_init(&b, hub, 0, 0);
	fake_port_init(&c, hub, 1, 0);
	return 0;
}

/* Every test ends with the hub's end: nothing leaks, nothing waits. */
static int hub_teardown(void **)
{
	struct fake_port *all[] = {&a, &b, &c};

	for (unsigned i = 0; i < 3; i++) {
		if (all[i]->port.joined)
			leave(all[i]);
	}
	if (!worker_settle())
		return -1;
	for (unsigned i = 0; i < 3; i++)
		port_release(&all[i]->port);
	hub_gone = false;
	if (hub_destroy(hub, on_hub_gone, NULL) != 0 || !worker_settle() || !hub_gone)
		return -1;
	return rte_mempool_avail_count(lcore_pool(lcore_get(0))) == MBUFS ? 0 : -1;
}

/* ---- sending ---------------------------------------------------------------------------------- */

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
};

static void send_here(struct lcore *lc, void *arg)
{
	static _Thread_local uint8_t bytes[FRAME_BURST][2000];
	struct send *s = arg;
	struct frame frames[FRAME_BURST];

	for (unsigned i = 0; i < s->n; i++) {
		frames[i] = (struct frame){.data = bytes[i], .len = s->f[i].len};
		fake_frame_write(bytes[i], s->f[i].dst, s->f[i].src, s->f[i].vlan, s->f[i].serial,
			s->f[i].len);
		if (s->backed) {
			frames[i].m = lcore_mbuf_copy(lc, &frames[i]);
			if (frames[i].m == NULL)
				s->no_mbuf++;
			else
				frames[i].data = rte_pktmbuf_mtod(frames[i].m, uint8_t *);
		}
	}
	hub_input(lc, &s->from->port, frames, s->n);
}

static void add(struct send *s, uint64_t dst, uint64_t src, uint32_t serial)
{
	s->f[s->n].dst = dst;
	s->f[s->n].src = src;
	s->f[s->n].serial = serial;
	s->f[s->n].vlan = 0;
	s->f[s->n++].len = 60;
}

/* On the port's home worker; returns when all copies have arrived. */
static void send_all(struct send *s)
{
	worker_call(s->from->port.home, send_here, s);
	assert_int_equal(s->no_mbuf, 0);
	assert_true(worker_settle());
}

static void send_one(struct fake_port *from, uint64_t dst, uint64_t src, bool backed)
{
	struct send s = {.from = from, .backed = backed};

	add(&s, dst, src, 0);
	send_all(&s);
}

#define MAC_A UINT64_C(0x02000000000a)
#define MAC_B UINT64_C(0x02000000000b)
#define MAC_C UINT64_C(0x02000000000c)

static void join_and_learn(void)
{
	join(&a);
	join(&b);
	join(&c);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	send_one(&b, FAKE_BROADCAST, MAC_B, false);
	send_one(&c, FAKE_BROADCAST, MAC_C, false);
	fake_port_clear(&a);
	fake_port_clear(&b);
	fake_port_clear(&c);
}

static void assert_balanced(const struct stats_block *s)
{
	assert_int_equal(stats_in_frames(s), s->switched + s->flooded + stats_drop_in_sum(s));
	assert_int_equal(s->copies, stats_sent_frames(s) + stats_drop_out_sum(s));
}

/* Ports, hub and workers each for themselves; what ports saw is what the hub saw of them. */
static void assert_books(struct fake_port *const *ports, unsigned n)
{
	struct stats_block of_ports = {0}, of_hub, one;
	struct lcore_view view;

	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(atomic_load(&ports[i]->broken), 0);
		fake_port_stats(ports[i], &one);
		assert_balanced(&one);
		stats_fold(&of_ports, &one);
	}
	hub_stats(hub, &of_hub);
	assert_balanced(&of_hub);
	assert_int_equal(stats_in_frames(&of_hub), stats_in_frames(&of_ports));
	assert_int_equal(of_hub.in.unicast_bytes, of_ports.in.unicast_bytes);
	assert_int_equal(of_hub.in.broadcast_bytes, of_ports.in.broadcast_bytes);
	assert_int_equal(of_hub.out.unicast_bytes, of_ports.out.unicast_bytes);
	assert_int_equal(stats_sent_frames(&of_hub), stats_sent_frames(&of_ports));
	for (unsigned i = 0; i < WORKERS; i++) {
		lcore_view(i, &view);
		assert_balanced(&view.stats);
	}
}

static void assert_abc_books(void)
{
	struct fake_port *all[] = {&a, &b, &c};

	assert_books(all, 3);
}

#define ASSERT_CNT(na, nb, nc)                             \
	do {                                               \
		assert_int_equal(atomic_load(&a.cnt), na); \
		assert_int_equal(atomic_load(&b.cnt), nb); \
		assert_int_equal(atomic_load(&c.cnt), nc); \
	} while (0)

static uint64_t hub_drop_in(enum stats_drop_in reason)
{
	struct stats_block s;

	hub_stats(hub, &s);
	return s.drop_in[reason];
}

static uint64_t hub_drop_out(enum stats_drop_out reason)
{
	struct stats_block s;

	hub_stats(hub, &s);
	return s.drop_out[reason];
}

/* ---- learning and switching -------------------------------------------------------------------- */

static void unknown_floods_known_goes_to_one_port(void **)
{
	struct stats_block s;

	join(&a);
	join(&b);
	join(&c);
	assert_int_equal(hub_members(hub), 3);
	send_one(&a, MAC_B, MAC_A, false);
	ASSERT_CNT(0, 1, 1);
	assert_int_equal(atomic_load(&b.flooded), 1);
	assert_int_equal(atomic_load(&c.flooded), 1);
	/* The answer teaches both workers, and is itself no flood. */
	send_one(&b, MAC_A, MAC_B, false);
	ASSERT_CNT(1, 1, 1);
	assert_int_equal(atomic_load(&a.flooded), 0);
	send_one(&c, MAC_A, MAC_C, true);
	ASSERT_CNT(2, 1, 1);
	send_one(&a, MAC_C, MAC_A, true);
	send_one(&a, MAC_B, MAC_A, true);
	ASSERT_CNT(2, 2, 2);
	send_one(&a, FAKE_BROADCAST, MAC_A, true);
	ASSERT_CNT(2, 3, 3);
	/* A multicast source is accepted, a multicast destination never looked up. */
	send_one(&a, MAC_B, UINT64_C(0x010000000001), false);
	send_one(&b, UINT64_C(0x010000000001), MAC_B, false);
	ASSERT_CNT(3, 4, 4);
	hub_stats(hub, &s);
	assert_int_equal(s.in.unicast_frames, 6);
	assert_int_equal(s.in.broadcast_frames, 2);
	assert_int_equal(s.in.broadcast_bytes, 120);
	assert_int_equal(s.switched, 5);
	assert_int_equal(s.flooded, 3);
	assert_abc_books();
}

static void a_burst_keeps_its_order(void **)
{
	struct send s = {.from = &a};

	join_and_learn();
	/* Floods between unicast frames, local and remote receivers: each sees its frames as sent. */
	for (uint32_t i = 0; i < FRAME_BURST; i++)
		add(&s, i % 4 == 0 ? FAKE_BROADCAST : i % 2 ? MAC_B : MAC_C, MAC_A, i);
	for (unsigned backed = 0; backed < 2; backed++) {
		fake_port_clear(&a);
		fake_port_clear(&b);
		fake_port_clear(&c);
		s.backed = backed;
		send_all(&s);
		ASSERT_CNT(0, 16 + 32, 16 + 16);
		for (unsigned i = 1; i < 48; i++)
			assert_true(b.serial[i] > b.serial[i - 1]);
		for (unsigned i = 1; i < 32; i++)
			assert_true(c.serial[i] > c.serial[i - 1]);
		for (unsigned i = 0; i < 48; i++)
			assert_true(b.serial[i] % 4 == 0 || b.serial[i] % 2 == 1);
	}
	assert_abc_books();
}

static void vlans_are_apart(void **)
{
	struct send s = {.from = &a};

	join_and_learn();
	add(&s, FAKE_BROADCAST, MAC_A, 0);
	s.f[0].vlan = 7;
	send_all(&s);
	fake_port_clear(&a);
	fake_port_clear(&b);
	fake_port_clear(&c);
	/* MAC_B is known without a tag only. */
	s.f[0].dst = MAC_B;
	send_all(&s);
	ASSERT_CNT(0, 1, 1);
	s.from = &b;
	s.f[0].dst = MAC_A;
	s.f[0].src = MAC_B;
	send_all(&s);
	ASSERT_CNT(1, 1, 1);
	s.f[0].vlan = 8;
	send_all(&s);
	ASSERT_CNT(2, 1, 2);
}

static void a_station_moves(void **)
{
	join_and_learn();
	send_one(&c, FAKE_BROADCAST, MAC_B, false);
	fake_port_clear(&b);
	fake_port_clear(&c);
	send_one(&a, MAC_B, MAC_A, false);
	ASSERT_CNT(1, 0, 1);
}

static void check_mac_refuses_a_fresh_address(void **)
{
	c.port.flags |= PORT_F_CHECK_MAC;
	join_and_learn();
	send_one(&c, MAC_A, MAC_B, false);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MAC_CONFLICT), 1);
	ASSERT_CNT(0, 0, 0);
	send_one(&a, MAC_B, MAC_A, false);
	ASSERT_CNT(0, 1, 0);
	/* Its own address it may use. */
	send_one(&c, MAC_A, MAC_C, false);
	ASSERT_CNT(1, 1, 0);
	assert_abc_books();
}

/* ---- drops on the way in ----------------------------------------------------------------------- */

static void bad_frames_are_counted_and_the_others_pass(void **)
{
	struct send s = {.from = &a};

	join_and_learn();
	add(&s, MAC_B, MAC_A, 1);
	add(&s, MAC_B, 0, 2);
	add(&s, MAC_B, UINT64_C(0xffffffffffff), 3);
	add(&s, MAC_A, MAC_A, 4);
	add(&s, MAC_A, MAC_A - 1, 5); /* own port */
	add(&s, MAC_B, MAC_A, 6);
	s.f[5].len = 13;
	add(&s, MAC_B, MAC_A, 7);
	s.f[6].len = FRAME_MAX_BYTES + 1;
	add(&s, MAC_B, MAC_A, 8);
	s.f[7].len = FRAME_MAX_BYTES;
	add(&s, MAC_B, MAC_A, 9);
	s.f[8].len = 0;
	for (unsigned backed = 0; backed < 2; backed++) {
		s.backed = backed;
		send_all(&s);
	}
	assert_int_equal(hub_drop_in(STATS_DROP_IN_BAD_SOURCE), 6);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_OWN_PORT), 2);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_SHORT), 4);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_LONG), 2);
	ASSERT_CNT(0, 4, 0);
	assert_int_equal(b.serial[0], 1);
	assert_int_equal(b.serial[1], 8);
	assert_int_equal(b.len[1], FRAME_MAX_BYTES);
	assert_abc_books();
}

static void malformed_here(struct lcore *lc, void *)
{
	hub_count_drop_in(lc, &a.port, STATS_DROP_IN_MALFORMED, 3);
}

static void what_never_became_a_frame_is_in_the_books(void **)
{
	join_and_learn();
	worker_call(0, malformed_here, NULL);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_MALFORMED), 3);
	assert_abc_books();
}

static void an_offline_hub_takes_nothing(void **)
{
	join_and_learn();
	hub_set_online(hub, false);
	assert_false(hub_online(hub));
	send_one(&a, MAC_B, MAC_A, true);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	ASSERT_CNT(0, 0, 0);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_HUB_DOWN), 2);
	hub_set_online(hub, true);
	send_one(&a, MAC_B, MAC_A, true);
	ASSERT_CNT(0, 1, 0);
	assert_abc_books();
}

static void a_monitor_injects_nothing_and_gets_no_floods(void **)
{
	c.port.flags |= PORT_F_RECEIVE_ONLY | PORT_F_MIRROR;
	join_and_learn();
	assert_int_equal(hub_members(hub), 3);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_RECEIVE_ONLY), 1);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	ASSERT_CNT(0, 1, 0);
	/* Not learned either: MAC_C is unknown. */
	send_one(&a, MAC_C, MAC_A, false);
	ASSERT_CNT(0, 2, 0);
	assert_int_equal(atomic_load(&b.flooded), 2);
	assert_abc_books();
}

/* ---- drops on the way out ---------------------------------------------------------------------- */

static void too_long_for_the_receiver(void **)
{
	struct send s = {.from = &a};

	b.port.max_len = 100;
	c.port.max_len = 99;
	join_and_learn();
	add(&s, MAC_B, MAC_A, 1);
	s.f[0].len = 101;
	add(&s, MAC_B, MAC_A, 2);
	s.f[1].len = 100;
	add(&s, FAKE_BROADCAST, MAC_A, 3);
	s.f[2].len = 100;
	add(&s, MAC_C, MAC_A, 4);
	s.f[3].len = 1500;
	for (unsigned backed = 0; backed < 2; backed++) {
		s.backed = backed;
		send_all(&s);
	}
	ASSERT_CNT(0, 4, 0);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_OVERSIZE), 2 + 2 + 2);
	assert_abc_books();
}

static atomic_bool gate;

static void wait_gate(struct lcore *, void *)
{
	while (!atomic_load(&gate))
		sched_yield();
}

static void hold_worker(unsigned index, struct worker_job *job)
{
	atomic_store(&gate, false);
	*job = (struct worker_job){.fn = wait_gate};
	worker_post(index, job);
	while (!rte_ring_empty(lcore_get(index)->msg_ring))
		sched_yield();
}

static void a_full_ring_drops_and_counts(void **)
{
	struct send s = {.from = &a, .n = 0};
	struct worker_job hold;
	unsigned sent = 0;

	join_and_learn();
	for (unsigned i = 0; i < FRAME_BURST; i++)
		add(&s, i % 2 ? MAC_C : FAKE_BROADCAST, MAC_A, i);
	hold_worker(1, &hold);
	for (; sent < 2 * RING_SIZE; sent += FRAME_BURST) {
		s.backed = !s.backed;
		worker_call(0, send_here, &s);
	}
	assert_int_equal(s.no_mbuf, 0);
	atomic_store(&gate, true);
	worker_wait(&hold);
	assert_true(worker_settle());
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_RING_FULL), sent - RING_SIZE);
	assert_int_equal(atomic_load(&c.cnt), RING_SIZE);
	assert_abc_books();
}

/* On the worker, so that its own cache is empty too. */
static void send_without_mbufs(struct lcore *lc, void *arg)
{
	static struct rte_mbuf *taken[MBUFS];
	unsigned n = 0;

	while (n < MBUFS && (taken[n] = rte_pktmbuf_alloc(lcore_pool(lc))) != NULL)
		n++;
	send_here(lc, arg);
	while (n > 0)
		rte_pktmbuf_free(taken[--n]);
}

static void no_mbuf_drops_and_counts(void **)
{
	static struct fake_port d;
	struct fake_port *all[] = {&a, &b, &c, &d};
	struct send s = {.from = &a};

	fake_port_init(&d, hub, 0, PORT_F_MBUF);
	join_and_learn();
	join(&d);
	send_one(&d, FAKE_BROADCAST, MAC_A + 0x100, true);
	fake_port_clear(&b);
	add(&s, MAC_C, MAC_A, 1);	   /* another worker */
	add(&s, FAKE_BROADCAST, MAC_A, 2); /* another worker and a device */
	add(&s, MAC_A + 0x100, MAC_A, 3);  /* a device */
	add(&s, MAC_B, MAC_A, 4);	   /* between ports of one worker no mbuf is needed */
	worker_call(0, send_without_mbufs, &s);
	assert_true(worker_settle());
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_NO_MBUF), 1 + 2 + 1);
	assert_int_equal(atomic_load(&b.cnt), 2);
	assert_int_equal(atomic_load(&d.cnt), 0);
	assert_books(all, 4);
	leave(&d);
	assert_true(worker_settle());
	port_release(&d.port);
}

/* ---- devices ----------------------------------------------------------------------------------- */

/* One of each kind on each worker: references add up (the pool is whole at the end of each test). */
static void devices_get_references(void **)
{
	static struct fake_port d, e;
	struct fake_port *all[] = {&a, &b, &c, &d, &e};
	struct send s = {.from = &a};

	fake_port_init(&d, hub, 0, PORT_F_MBUF);
	fake_port_init(&e, hub, 1, PORT_F_MBUF);
	b.port.flags |= PORT_F_MBUF;
	d.port.max_len = 200;
	join_and_learn();
	join(&d);
	join(&e);
	for (uint32_t i = 0; i < 40; i++) {
		add(&s, i % 3 == 0 ? FAKE_BROADCAST : i % 3 == 1 ? MAC_B : MAC_C, MAC_A, i);
		s.f[i].len = i % 5 == 0 ? 300 : 64;
	}
	for (unsigned backed = 0; backed < 2; backed++) {
		s.backed = backed;
		s.from = &a;
		send_all(&s);
	}
	ASSERT_CNT(0, 2 * (14 + 13), 2 * (14 + 13));
	assert_int_equal(atomic_load(&d.cnt), 2 * (14 - 3));
	assert_int_equal(atomic_load(&e.cnt), 2 * 14);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_OVERSIZE), 2 * 3);
	/* From a device, itself a member for floods. */
	s.from = &d;
	s.backed = true;
	for (uint32_t i = 0; i < 40; i++)
		s.f[i].src = MAC_A + 0x100;
	send_all(&s);
	assert_int_equal(atomic_load(&d.cnt), 2 * (14 - 3));
	assert_int_equal(atomic_load(&e.cnt), 3 * 14);
	assert_books(all, 5);
	leave(&d);
	leave(&e);
	assert_true(worker_settle());
	port_release(&d.port);
	port_release(&e.port);
}

static void device_rx_elsewhere(struct lcore *lc, void *arg)
{
	send_here(lc, arg);
}

/* A device with queues on both workers: home 1, receives and transmits on 0 as well. */
static void a_device_of_several_workers(void **)
{
	struct send s = {.from = &c, .backed = true};

	c.port.flags |= PORT_F_MBUF;
	fake_port_everywhere(&c);
	join_and_learn();
	/* Unicast from worker 0 goes out there, no ring. */
	send_one(&a, MAC_C, MAC_A, false);
	assert_int_equal(c.stats[0].copies, 1);
	/* What it receives on worker 0 and floods does not come back to it by way of its home. */
	fake_port_clear(&c);
	add(&s, FAKE_BROADCAST, MAC_C, 1);
	add(&s, MAC_A, MAC_C, 2);
	worker_call(0, device_rx_elsewhere, &s);
	assert_true(worker_settle());
	ASSERT_CNT(2, 1, 0);
	assert_abc_books();
}

/* ---- leaving ----------------------------------------------------------------------------------- */

static void a_leave_makes_its_macs_dead_at_once(void **)
{
	uint32_t idx;
	uint16_t gen;

	join_and_learn();
	idx = c.port.idx;
	gen = c.port.gen;
	assert_ptr_equal(port_get(idx, gen), &c.port);
	leave(&c);
	leave(&c);
	assert_null(port_get(idx, gen));
	assert_int_equal(hub_members(hub), 2);
	send_one(&a, MAC_C, MAC_A, false);
	ASSERT_CNT(0, 1, 0);
	assert_int_equal(atomic_load(&b.flooded), 1);
	assert_int_equal(hub_destroy(hub, NULL, NULL), -EBUSY);
	assert_abc_books();
}

static void relay_then_leave(struct lcore *lc, void *)
{
	while (!atomic_load(&gate))
		sched_yield();
	hub_port_leave(lc, &c.port);
}

static void a_copy_on_its_way_to_a_port_that_left(void **)
{
	struct worker_job job = {.fn = relay_then_leave};
	struct send s = {.from = &a};

	join_and_learn();
	add(&s, MAC_C, MAC_A, 1);
	add(&s, MAC_C, MAC_A, 2);
	add(&s, FAKE_BROADCAST, MAC_A, 3);
	atomic_store(&gate, false);
	worker_post(1, &job);
	while (!rte_ring_empty(lcore_get(1)->msg_ring))
		sched_yield();
	worker_call(0, send_here, &s);
	atomic_store(&gate, true);
	worker_wait(&job);
	assert_true(worker_settle());
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_PORT_GONE), 2);
	ASSERT_CNT(0, 1, 0);
	assert_abc_books();
}

/* The hub itself is gone, and its slot used again, when the copy is taken out of the ring. */
static void a_copy_on_its_way_in_a_hub_that_went(void **)
{
	struct hub_conf conf = {0};
	struct hub *other = hub_create(&conf), *next;
	struct lcore_view before, after;
	uint32_t ref;

	assert_non_null(other);
	ref = other->ref;
	assert_ptr_equal(hub_by_ref(ref), other);
	lcore_view(1, &before);
	assert_int_equal(hub_destroy(other, NULL, NULL), 0);
	assert_null(hub_by_ref(ref));
	assert_true(worker_settle());
	next = hub_create(&conf);
	assert_non_null(next);
	assert_ptr_not_equal(hub_by_ref(ref), next);
	struct rte_mbuf *m[2] = {rte_pktmbuf_alloc(lcore_pool(lcore_get(0))),
		rte_pktmbuf_alloc(lcore_pool(lcore_get(0)))};
	struct relay_item item[2] = {
		{.m = m[0], .port = 5 << PORT_GEN_BITS, .hub = ref},
		{.m = m[1], .port = RELAY_FLOOD | 5 << PORT_GEN_BITS, .hub = ref},
	};
	struct worker_job hold;

	/* Put into the ring in worker 0's place, while that one is held. */
	hold_worker(0, &hold);
	assert_int_equal(
		rte_ring_enqueue_bulk_elem(lcore_get(1)->in[0], item, sizeof(item[0]), 2, NULL), 2);
	SEEN_ADD(lcore_get(0), relays_made, 2);
	doorbell_ring(&lcore_get(1)->bell);
	atomic_store(&gate, true);
	worker_wait(&hold);
	assert_true(worker_settle());
	lcore_view(1, &after);
	assert_int_equal(after.stats.drop_out[STATS_DROP_OUT_PORT_GONE] -
			before.stats.drop_out[STATS_DROP_OUT_PORT_GONE],
		2);
	assert_int_equal(hub_destroy(next, NULL, NULL), 0);
	assert_true(worker_settle());
}

/* A session that ends inside its own tx_burst while a flood walks the members. */
static unsigned quits_seen;

static void quitting_tx(struct port *port, struct lcore *lc, struct frame *const *, unsigned n)
{
	quits_seen++;
	hub_count_copies(lc, port, n);
	hub_count_drop_out(lc, port, STATS_DROP_OUT_SESSION_END, n);
	hub_port_leave(lc, port);
}

static void a_port_may_leave_inside_a_flood(void **)
{
	static const struct port_ops quitting = {.kind = "quits", .tx_burst = quitting_tx};
	static struct fake_port q;

	fake_port_init(&q, hub, 0, 0);
	q.port.ops = &quitting;
	quits_seen = 0;
	/* Between a and b in the list of members. */
	join(&a);
	join(&q);
	join(&b);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	assert_int_equal(quits_seen, 1);
	ASSERT_CNT(0, 1, 0);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	assert_int_equal(quits_seen, 1);
	ASSERT_CNT(0, 2, 0);
	port_release(&q.port);
}

static void hubs_are_apart(void **)
{
	struct hub_conf conf = {0};
	struct hub *other = hub_create(&conf);
	static struct fake_port x, y;

	assert_non_null(other);
	hub_set_online(other, true);
	fake_port_init(&x, other, 0, 0);
	fake_port_init(&y, other, 1, 0);
	join_and_learn();
	join(&x);
	join(&y);
	/* The same addresses on the other side. */
	send_one(&x, FAKE_BROADCAST, MAC_B, false);
	send_one(&y, FAKE_BROADCAST, MAC_C, false);
	send_one(&x, MAC_C, MAC_B, false);
	ASSERT_CNT(0, 0, 0);
	assert_int_equal(atomic_load(&x.cnt), 1);
	assert_int_equal(atomic_load(&y.cnt), 2);
	send_one(&a, MAC_B, MAC_A, false);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	ASSERT_CNT(0, 2, 1);
	assert_int_equal(atomic_load(&x.cnt), 1);
	assert_int_equal(atomic_load(&y.cnt), 2);
	leave(&x);
	leave(&y);
	assert_true(worker_settle());
	port_release(&x.port);
	port_release(&y.port);
	assert_int_equal(hub_destroy(other, NULL, NULL), 0);
	assert_abc_books();
}

static void a_mac_is_deleted(void **)
{
	join_and_learn();
	assert_int_equal(hub_mac_delete(hub, MAC_B, 0), 0);
	assert_int_equal(hub_mac_delete(hub, MAC_B, 0), -ENOENT);
	assert_int_equal(hub_mac_delete(hub, MAC_A, 5), -ENOENT);
	send_one(&a, MAC_B, MAC_A, false);
	ASSERT_CNT(0, 1, 1);
}

static void an_index_comes_back_after_housekeeping(void **)
{
	uint64_t passes;
	uint32_t idx;

	join_and_learn();
	idx = c.port.idx;
	leave(&c);
	assert_true(worker_settle());
	port_release(&c.port);
	passes = fdb_sweep_passes(hub_fdb(hub));
	for (unsigned i = 0; i < 100000 && fdb_sweep_passes(hub_fdb(hub)) < passes + 4; i++)
		hub_housekeep(hub, 4096);
	assert_true(fdb_sweep_passes(hub_fdb(hub)) >= passes + 4);
	assert_int_equal(fdb_count(hub_fdb(hub)), 2);
	assert_true(hub->quarantine.first == 0);
	assert_true(idx != 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, hub_setup, hub_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(unknown_floods_known_goes_to_one_port),
		TEST(a_burst_keeps_its_order),
		TEST(vlans_are_apart),
		TEST(a_station_moves),
		TEST(check_mac_refuses_a_fresh_address),
		TEST(bad_frames_are_counted_and_the_others_pass),
		TEST(what_never_became_a_frame_is_in_the_books),
		TEST(an_offline_hub_takes_nothing),
		TEST(a_monitor_injects_nothing_and_gets_no_floods),
		TEST(too_long_for_the_receiver),
		TEST(a_full_ring_drops_and_counts),
		TEST(no_mbuf_drops_and_counts),
		TEST(devices_get_references),
		TEST(a_device_of_several_workers),
		TEST(a_leave_makes_its_macs_dead_at_once),
		TEST(a_copy_on_its_way_to_a_port_that_left),
		TEST(a_copy_on_its_way_in_a_hub_that_went),
		TEST(a_port_may_leave_inside_a_flood),
		TEST(hubs_are_apart),
		TEST(a_mac_is_deleted),
		TEST(an_index_comes_back_after_housekeeping),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
