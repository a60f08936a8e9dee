/* SPDX-License-Identifier: BSD-3-Clause */
/* What leaves a hub on two workers: drops on the way out, devices and their references, leaving ports. */

#include "test/unit/hub_bed.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_mbuf.h>
#include <rte_ring_elem.h>

#include "dataplane/hub_options.h"
#include "dataplane/port_rules.h"
#include "test/unit/rule_frames.h"

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

/* Between ports that were configured for them, on one worker, across workers and to a device; never to others. */
static void jumbo_frames(void **)
{
	static struct fake_port d;
	struct send s = {.from = &a};

	assert_int_equal(lcore_jumbo_prepare(), 0);
	assert_int_equal(lcore_jumbo_prepare(), 0);
	fake_port_init(&d, hub, 1, PORT_F_MBUF);
	a.port.max_len = c.port.max_len = FRAME_JUMBO_MAX;
	d.port.max_len = 9000;
	join_and_learn();
	join(&d);
	send_one(&d, MAC_B, MAC_A + 16, false);
	fake_port_clear(&b);
	add(&s, MAC_B, MAC_A, 1);	   /* oversize */
	add(&s, MAC_C, MAC_A, 2);	   /* c */
	add(&s, MAC_A + 16, MAC_A, 3);	   /* oversize */
	add(&s, FAKE_BROADCAST, MAC_A, 4); /* c; oversize twice */
	for (unsigned i = 0; i < s.n; i++)
		s.f[i].len = FRAME_JUMBO_MAX;
	add(&s, MAC_A + 16, MAC_A, 5); /* d */
	s.f[4].len = 9000;
	add(&s, MAC_C, MAC_A, 6); /* too long for its own port */
	s.f[5].len = FRAME_JUMBO_MAX + 1;
	send_all(&s);
	ASSERT_CNT(0, 0, 2);
	assert_int_equal(atomic_load(&d.cnt), 1);
	assert_int_equal(c.len[0], FRAME_JUMBO_MAX);
	assert_int_equal(d.len[0], 9000);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_OVERSIZE), 4);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_LONG), 1);
	/* A port that was not configured for them neither gives nor takes them. */
	s.n = 1;
	s.from = &b;
	s.f[0].src = MAC_B;
	s.f[0].dst = MAC_C;
	send_all(&s);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_LONG), 2);
	assert_books_and_leave(&d, NULL);
}

static void a_full_ring_drops_and_counts(void **)
{
	struct send s = {.from = &a, .n = 0};
	struct worker_job hold;
	unsigned sent = 0;

	join_and_learn();
	for (unsigned i = 0; i < FRAME_BURST; i++)
		add(&s, i % 2 ? MAC_C : FAKE_BROADCAST, MAC_A, i);
	worker_hold(1, &hold);
	for (; sent < 2 * RING_SIZE; sent += FRAME_BURST) {
		s.backed = !s.backed;
		worker_call(0, send_here, &s);
	}
	assert_int_equal(s.no_mbuf, 0);
	worker_let_go(&hold);
	assert_true(worker_settle());
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_RING_FULL), sent - RING_SIZE);
	assert_int_equal(atomic_load(&c.cnt), RING_SIZE);
	assert_abc_books();
}

/* A port on worker 1 that notes in which turn it was given how much, and makes sockets ready. */
static struct {
	struct lcore_fd fd[3];
	unsigned ready;	      /* calls of on_ready() */
	unsigned ready_after; /* bursts before the first of them */
	unsigned bursts;
	unsigned frames[8]; /* by turn since the first burst, the last for all later ones */
	uint64_t first_turn;
	bool wake; /* the first burst makes fd[0] ready */
} turns;

static void make_ready(int fd)
{
	const uint64_t one = 1;

	(void)!write(fd, &one, sizeof(one));
}

static void turns_tx(struct port *port, struct lcore *lc, struct frame *const *, unsigned n)
{
	uint64_t at;

	if (turns.bursts++ == 0) {
		turns.first_turn = lc->seen.turns;
		if (turns.wake)
			make_ready(turns.fd[0].fd);
	}
	at = lc->seen.turns - turns.first_turn;
	turns.frames[at < 7 ? at : 7] += n;
	hub_count_copies(lc, port, n);
	hub_count_drop_out(lc, port, STATS_DROP_OUT_DEVICE, n);
}

static void on_ready(struct lcore *, struct lcore_fd *lfd, uint32_t)
{
	uint64_t count;

	(void)!read(lfd->fd, &count, sizeof(count));
	if (turns.ready++ == 0)
		turns.ready_after = turns.bursts;
}

static void fds_add(struct lcore *lc, void *)
{
	for (unsigned i = 0; i < 3; i++)
		(void)lcore_fd_add(lc, &turns.fd[i], EPOLLIN);
}

static void fds_del(struct lcore *lc, void *)
{
	for (unsigned i = 0; i < 3; i++)
		lcore_fd_del(lc, &turns.fd[i]);
}

/* Fills the ring towards c while worker 1 is held with `ready` sockets that wait, then lets it run. */
static void run_full_ring(unsigned ready)
{
	static const struct port_ops ops = {.kind = "turns", .tx_burst = turns_tx};
	struct send s = {.from = &a};
	struct worker_job hold;

	memset(&turns, 0, sizeof(turns));
	turns.wake = ready == 0;
	for (unsigned i = 0; i < 3; i++) {
		turns.fd[i] = (struct lcore_fd){.fd = eventfd(0, EFD_NONBLOCK), .ready = on_ready};
		assert_true(turns.fd[i].fd >= 0);
	}
	join_and_learn();
	c.port.ops = &ops;
	worker_call(1, fds_add, NULL);
	for (unsigned i = 0; i < FRAME_BURST; i++)
		add(&s, MAC_C, MAC_A, i);
	worker_hold(1, &hold);
	for (unsigned i = 0; i < ready; i++)
		make_ready(turns.fd[i].fd);
	for (unsigned sent = 0; sent < RING_SIZE; sent += FRAME_BURST)
		worker_call(0, send_here, &s);
	worker_let_go(&hold);
	assert_true(worker_settle());
	worker_call(1, fds_del, NULL);
	for (unsigned i = 0; i < 3; i++)
		close(turns.fd[i].fd);
	c.port.ops = &fake_port_ops;
}

/* With spin_us = 0 a worker goes from its work straight to epoll: also then it looks before it turns back. */
static void a_full_ring_does_not_hide_the_sockets(void **)
{
	run_full_ring(0);
	assert_int_equal(turns.ready, 1);
	assert_int_equal(turns.ready_after, 1);
}

/* Three sockets served in a turn are worth three batches. */
static void busy_sockets_do_not_starve_the_rings(void **)
{
	run_full_ring(3);
	assert_int_equal(turns.ready, 3);
	assert_int_equal(turns.frames[0], 3 * LCORE_RELAY_BATCH);
	assert_int_equal(turns.frames[1], LCORE_RELAY_BATCH);
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
	assert_books_and_leave(&d, NULL);
}

/* ---- edits ------------------------------------------------------------------------------------- */

static uint8_t seen[RULE_FRAME_BYTES + 8];

static void remember(struct port *port, struct lcore *lc, struct frame *const *frames, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		memcpy(seen, frames[i]->data,
			frames[i]->len < sizeof(seen) ? frames[i]->len : sizeof(seen));
	fake_port_ops.tx_burst(port, lc, frames, n);
}

/* Two tags of VLAN 0 in front of an advertisement, which hosts take off, do not save its router. */
static void a_router_behind_tags(void **)
{
	static const struct port_ops remembering_ops = {.kind = "fake", .tx_burst = remember};
	static const uint8_t tags[] = {0x81, 0, 0, 0, 0x88, 0xa8, 0, 0};
	struct rule_frame_of of = {.dst = FAKE_BROADCAST, .src = MAC_A, .host = 5};
	uint8_t bytes[RULE_FRAME_BYTES], behind[RULE_FRAME_BYTES + 8];
	uint32_t len = rule_frame_write(RF_RA, &of, bytes);
	struct send s = {.from = &a, .from_type = behind, .from_type_bytes = len - 12 + 8};
	const struct policy_input in = {.no_ra_router = true};
	struct policy policy;

	policy_compile(&in, &policy);
	assert_int_equal(port_rules_set(&b.port, &policy), 0);
	b.port.ops = &remembering_ops;
	join_and_learn();
	memcpy(behind, tags, sizeof(tags));
	memcpy(behind + sizeof(tags), bytes + 12, len - 12);
	add(&s, FAKE_BROADCAST, MAC_A, 0);
	s.f[0].len = (uint16_t)(len + sizeof(tags));
	send_all(&s);
	ASSERT_CNT(0, 1, 1);
	assert_memory_equal(seen + 12, tags, sizeof(tags));
	/* Lifetime of the router, behind Ethernet, tags, IPv6. */
	assert_int_equal(bytes[14 + 40 + 6], 7);
	assert_int_equal(seen[14 + 8 + 40 + 6] | seen[14 + 8 + 40 + 7], 0);
	assert_int_equal(rule_frame_icmp6_sum(seen + 14 + 8), 0);
	assert_abc_books();
	leave(&b);
	assert_true(worker_settle());
	port_rules_free(&b.port);
}

/* ---- devices ----------------------------------------------------------------------------------- */

/* One of each kind on each worker: references add up (the pool is whole at the end of each test). */
static void devices_get_references(void **)
{
	static struct fake_port d, e;
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
	for (uint32_t i = 0; i < 40; i++) {
		s.f[i].src = MAC_A + 0x100;
		if (s.f[i].len > d.port.max_len)
			s.f[i].len = (uint16_t)d.port.max_len;
	}
	send_all(&s);
	assert_int_equal(atomic_load(&d.cnt), 2 * (14 - 3));
	assert_int_equal(atomic_load(&e.cnt), 3 * 14);
	assert_books_and_leave(&d, &e);
}

/*
 * A whole burst from a device, every frame of which is edited (a SYN, for the MSS) and then flooded to another one: of
 * each frame both the mbuf it came in and the copy that went out are given back, which is twice as many as it has.
 */
static void an_edited_burst_flooded_to_devices(void **)
{
	static const uint8_t syn[] = {0x08, 0x00, 0x45, 0, 0, 44, 0, 0, 0, 0, 64, 6, 0, 0, 10, 9, 0,
		1, 10, 9, 0, 2, 0x0f, 0xa0, 0, 80, 0, 0, 0, 1, 0, 0, 0, 0, 0x60, 0x02, 0xff, 0xff,
		0, 0, 0, 0, 2, 4, 0x05, 0xb4};
	struct send s = {
		.from = &a, .backed = true, .from_type = syn, .from_type_bytes = sizeof(syn)};
	struct hub_options o;

	hub_options_default(&o);
	o.adjust_tcp_mss = 1300;
	assert_int_equal(hub_set_options(hub, &o), 0);
	a.port.flags |= PORT_F_MBUF;
	b.port.flags |= PORT_F_MBUF;
	join(&a);
	join(&b);
	for (uint32_t i = 0; i < FRAME_BURST; i++)
		add(&s, MAC_C, MAC_A, i);
	send_all(&s);
	ASSERT_CNT(0, FRAME_BURST, 0);
	assert_int_equal(atomic_load(&b.flooded), FRAME_BURST);
	assert_abc_books();
}

/* What devices were given, and held on to. */
static struct rte_mbuf *held[8];
static atomic_uint held_cnt;

static void hold_on(struct port *port, struct lcore *lc, struct frame *const *frames, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		unsigned at = atomic_fetch_add(&held_cnt, 1);

		if (at >= RTE_DIM(held))
			continue;
		rte_mbuf_refcnt_update(frames[i]->m, 1);
		held[at] = frames[i]->m;
	}
	fake_port_ops.tx_burst(port, lc, frames, n);
}

/* Flooded to three devices on two workers: one mbuf, the sender's own if it has one. */
static void a_flood_is_one_mbuf(void **)
{
	static const struct port_ops holding_ops = {.kind = "fake", .tx_burst = hold_on};
	static struct fake_port d;

	fake_port_init(&d, hub, 0, PORT_F_MBUF);
	b.port.flags |= PORT_F_MBUF;
	c.port.flags |= PORT_F_MBUF;
	b.port.ops = c.port.ops = d.port.ops = &holding_ops;
	join(&a);
	join(&b);
	join(&c);
	join(&d);
	for (unsigned backed = 0; backed < 2; backed++) {
		atomic_store(&held_cnt, 0);
		send_one(&a, FAKE_BROADCAST, MAC_A, backed != 0);
		assert_int_equal(atomic_load(&held_cnt), 3);
		assert_ptr_equal(held[0], held[1]);
		assert_ptr_equal(held[0], held[2]);
		assert_int_equal(rte_mbuf_refcnt_read(held[0]), 3);
		for (unsigned i = 0; i < 3; i++)
			rte_pktmbuf_free(held[i]);
	}
	leave(&d);
	assert_true(worker_settle());
	port_release(&d.port);
}

/* A device that is blocked gives up its own reference to a flood, not that of the next device. */
static void a_blocked_device_costs_the_next_nothing(void **)
{
	static struct fake_port d, e;
	struct send s = {.from = &a};

	fake_port_init(&d, hub, 0, PORT_F_MBUF);
	fake_port_init(&e, hub, 0, PORT_F_MBUF);
	join_and_learn();
	join(&d);
	join(&e);
	atomic_store(&d.port.blocked_until_s, UINT32_MAX);
	for (uint32_t i = 0; i < 10; i++)
		add(&s, FAKE_BROADCAST, MAC_A, i);
	for (unsigned backed = 0; backed < 2; backed++) {
		s.backed = backed;
		send_all(&s);
	}
	assert_int_equal(atomic_load(&d.cnt), 0);
	assert_int_equal(atomic_load(&e.cnt), 2 * 10);
	assert_int_equal(hub_drop_out(STATS_DROP_OUT_LOOP), 2 * 10);
	assert_books_and_leave(&d, &e);
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
	while (!atomic_load(&worker_gate))
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
	atomic_store(&worker_gate, false);
	worker_post(1, &job);
	while (!rte_ring_empty(lcore_get(1)->msg_ring))
		sched_yield();
	worker_call(0, send_here, &s);
	worker_let_go(&job);
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
	worker_hold(0, &hold);
	assert_int_equal(
		rte_ring_enqueue_bulk_elem(lcore_get(1)->in[0], item, sizeof(item[0]), 2, NULL), 2);
	SEEN_ADD(lcore_get(0), relays_made, 2);
	doorbell_ring(&lcore_get(1)->bell);
	worker_let_go(&hold);
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		HUB_TEST(too_long_for_the_receiver),
		HUB_TEST(jumbo_frames),
		HUB_TEST(a_full_ring_drops_and_counts),
		HUB_TEST(a_full_ring_does_not_hide_the_sockets),
		HUB_TEST(busy_sockets_do_not_starve_the_rings),
		HUB_TEST(no_mbuf_drops_and_counts),
		HUB_TEST(a_router_behind_tags),
		HUB_TEST(devices_get_references),
		HUB_TEST(a_flood_is_one_mbuf),
		HUB_TEST(an_edited_burst_flooded_to_devices),
		HUB_TEST(a_blocked_device_costs_the_next_nothing),
		HUB_TEST(a_device_of_several_workers),
		HUB_TEST(a_leave_makes_its_macs_dead_at_once),
		HUB_TEST(a_copy_on_its_way_to_a_port_that_left),
		HUB_TEST(a_copy_on_its_way_in_a_hub_that_went),
		HUB_TEST(a_port_may_leave_inside_a_flood),
	};

	return cmocka_run_group_tests(tests, bed_setup, bed_teardown);
}
