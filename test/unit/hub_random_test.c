/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random traffic on two workers while ports of all kinds come, go and come back under new indices, MACs
 * move and are deleted, and the sweeper runs. At the end the books balance on every level and the pool is
 * whole; on the way no port is given a frame against its contract.
 */

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
#include "dataplane/hub.h"
#include "test/unit/fake_port.h"
#include "test/unit/worker.h"

#define WORKERS	   2u
#define PER_WORKER 5u
#define PORTS	   (WORKERS * PER_WORKER)
#define BURSTS	   15000u
#define MBUFS	   4095u
#define RING_SIZE  256u

/* A port and its lives. */
struct station {
	struct fake_port f;
	unsigned number;
	struct lcore_event left;
	struct grace_node grace;
	struct stats_block past; /* of earlier lives */
	unsigned broken;
	unsigned lives;
};

/* One worker's traffic, and its own random numbers. */
struct traffic {
	struct lcore_poll poll;
	struct station *station; /* [PER_WORKER] */
	uint64_t random;
	unsigned bursts;
	unsigned leaves;
	uint64_t sent;
	atomic_bool over;
};

static struct hub *hub;
static struct station stations[PORTS];
static struct traffic traffic[WORKERS];

static uint32_t pick(struct traffic *t, uint32_t below)
{
	t->random ^= t->random << 13;
	t->random ^= t->random >> 7;
	t->random ^= t->random << 17;
	return (uint32_t)(t->random >> 20) % below;
}

static uint64_t station_mac(unsigned number, unsigned i)
{
	return UINT64_C(0x020000000000) | (uint64_t)number << 8 | i;
}

static void station_init(struct station *s)
{
	static const uint32_t flags[PER_WORKER] = {
		0, PORT_F_MBUF, 0, PORT_F_MBUF, PORT_F_CHECK_MAC};
	unsigned kind = s->number % PER_WORKER;

	fake_port_init(&s->f, hub, s->number / PER_WORKER, flags[kind]);
	if (kind == 2)
		s->f.port.max_len = 500;
	if (kind == 3)
		fake_port_everywhere(&s->f);
	if (kind == 4)
		s->f.refuse = 7;
}

/* ---- worker side ------------------------------------------------------------------------------ */

static void one_frame(
	struct traffic *t, struct lcore *lc, struct station *s, uint8_t *bytes, struct frame *f)
{
	uint64_t src = station_mac(s->number, pick(t, 8));
	uint64_t dst = station_mac(pick(t, PORTS), pick(t, 8));
	uint16_t len = (uint16_t)(60 + pick(t, pick(t, 4) ? 200 : FRAME_MAX_BYTES - 60));

	switch (pick(t, 40)) {
	case 0:
		dst = FAKE_BROADCAST;
		break;
	case 1:
		src = station_mac(pick(t, PORTS), pick(t, 8)); /* roams */
		break;
	case 2:
		src = 0;
		break;
	case 3:
		len = (uint16_t)pick(t, FRAME_MIN_BYTES);
		break;
	case 4:
		dst = FAKE_BROADCAST - pick(t, 100) * 2;
		break;
	}
	fake_frame_write(bytes, dst, src, pick(t, 10) ? 0 : 5, 0, len);
	*f = (struct frame){.data = bytes, .len = len};
	if (pick(t, 2) == 0) {
		f->m = lcore_mbuf_copy(lc, f);
		if (f->m != NULL)
			f->data = rte_pktmbuf_mtod(f->m, uint8_t *);
	}
}

static void station_left(struct lcore_event *ev);

static unsigned traffic_poll(struct lcore *lc, struct lcore_poll *p)
{
	static _Thread_local uint8_t bytes[FRAME_BURST][FRAME_MAX_BYTES];
	struct traffic *t = (struct traffic *)p;
	struct station *s = &t->station[pick(t, PER_WORKER)];
	struct frame frames[FRAME_BURST];
	unsigned n = 1 + pick(t, FRAME_BURST);

	if (t->bursts == 0) {
		atomic_store_explicit(&t->over, true, memory_order_release);
		return 0;
	}
	if (!s->f.port.joined)
		return 1;
	for (unsigned i = 0; i < n; i++)
		one_frame(t, lc, s, bytes[i], &frames[i]);
	hub_input(lc, &s->f.port, frames, n);
	t->sent += n;
	t->bursts--;
	if (pick(t, 50) == 0) {
		hub_port_leave(lc, &s->f.port);
		t->leaves++;
		lcore_event_post(lc, &s->left);
	}
	return n;
}

static void traffic_start(struct lcore *lc, void *arg)
{
	struct traffic *t = arg;

	t->poll.poll = traffic_poll;
	lcore_poll_add(lc, &t->poll);
}

static void traffic_stop(struct lcore *lc, void *arg)
{
	lcore_poll_del(lc, &((struct traffic *)arg)->poll);
}

static void join_msg(struct lcore *lc, struct lcore_msg *msg)
{
	hub_port_join(lc, &((struct station *)msg->arg)->f.port);
}

/* ---- control side ----------------------------------------------------------------------------- */

static void station_join(struct station *s)
{
	struct lcore_msg msg = {.fn = join_msg, .arg = s};
	struct lcore *lc = lcore_get(s->f.port.home);

	s->lives++;
	assert_int_equal(port_reserve(&s->f.port), 0);
	assert_int_equal(lcore_msg_reserve(lc, 1), 0);
	lcore_msg_post(lc, &msg);
}

static void station_settle(struct station *s)
{
	struct stats_block life;

	fake_port_stats(&s->f, &life);
	assert_int_equal(
		stats_in_frames(&life), life.switched + life.flooded + stats_drop_in_sum(&life));
	assert_int_equal(life.copies, stats_sent_frames(&life) + stats_drop_out_sum(&life));
	stats_fold(&s->past, &life);
	s->broken += atomic_load(&s->f.broken);
}

/* A grace period after it left: nobody can reach the port any more, its books are closed. */
static void station_return(void *arg)
{
	struct station *s = arg;

	station_settle(s);
	port_release(&s->f.port);
	station_init(s);
	station_join(s);
}

static void station_left(struct lcore_event *ev)
{
	struct station *s = (struct station *)((char *)ev - offsetof(struct station, left));

	grace_defer(&s->grace, station_return, s);
}

static bool traffic_over(void *)
{
	static unsigned deletions;

	grace_poll();
	hub_housekeep(hub, 64);
	(void)hub_mac_delete(hub, station_mac(deletions % PORTS, deletions / PORTS % 8), 0);
	deletions++;
	for (unsigned i = 0; i < WORKERS; i++) {
		if (!atomic_load_explicit(&traffic[i].over, memory_order_acquire))
			return false;
	}
	return true;
}

static int setup(void **)
{
	struct lcore_conf conf = {
		.workers = WORKERS,
		.ring_size = RING_SIZE,
		.mbufs = MBUFS,
		.spin_us = 5,
	};

	return worker_start(&conf);
}

static void leave_all(struct lcore *lc, void *)
{
	for (unsigned i = 0; i < PORTS; i++) {
		if (stations[i].f.port.home == lcore_index(lc))
			hub_port_leave(lc, &stations[i].f.port);
	}
}

static void gone(void *arg)
{
	*(bool *)arg = true;
}

static void the_books_balance_after_anything(void **)
{
	struct hub_conf conf = {.max_macs = 256};
	struct stats_block ports = {0}, all = {0}, of_hub;
	uint64_t sent = 0, leaves = 0, lives = 0;
	bool hub_gone = false;

	hub = hub_create(&conf);
	assert_non_null(hub);
	hub_set_online(hub, true);
	for (unsigned i = 0; i < PORTS; i++) {
		stations[i].number = i;
		stations[i].left.fn = station_left;
		station_init(&stations[i]);
		station_join(&stations[i]);
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		traffic[i].station = &stations[i * PER_WORKER];
		traffic[i].random = 88172645463325252u + i;
		traffic[i].bursts = BURSTS;
		worker_call(i, traffic_start, &traffic[i]);
	}
	while (!worker_until(traffic_over, NULL))
		;
	assert_true(worker_settle());
	for (unsigned i = 0; i < WORKERS; i++)
		worker_call(i, traffic_stop, &traffic[i]);
	for (unsigned i = 0; i < WORKERS; i++)
		worker_call(i, leave_all, NULL);
	assert_true(worker_settle());
	for (unsigned i = 0; i < PORTS; i++) {
		station_settle(&stations[i]);
		port_release(&stations[i].f.port);
		assert_int_equal(stations[i].broken, 0);
		stats_fold(&ports, &stations[i].past);
		lives += stations[i].lives;
	}
	for (unsigned i = 0; i < WORKERS; i++) {
		struct lcore_view view;

		lcore_view(i, &view);
		assert_int_equal(stats_in_frames(&view.stats),
			view.stats.switched + view.stats.flooded + stats_drop_in_sum(&view.stats));
		assert_int_equal(view.stats.copies,
			stats_sent_frames(&view.stats) + stats_drop_out_sum(&view.stats));
		stats_fold(&all, &view.stats);
		sent += traffic[i].sent;
		leaves += traffic[i].leaves;
	}
	hub_stats(hub, &of_hub);
	/* Hub and workers agree in every counter; ports in all but what no port was there to count. */
	assert_memory_equal(&of_hub, &all, sizeof(all));
	assert_int_equal(stats_in_frames(&of_hub), sent);
	assert_memory_equal(&of_hub.in, &ports.in, sizeof(ports.in));
	assert_memory_equal(&of_hub.out, &ports.out, sizeof(ports.out));
	assert_memory_equal(of_hub.drop_in, ports.drop_in, sizeof(ports.drop_in));
	assert_int_equal(of_hub.copies - ports.copies,
		stats_drop_out_sum(&of_hub) - stats_drop_out_sum(&ports));
	assert_int_equal(lives, PORTS + leaves);
	print_message("%u frames, %u copies, %u leaves; ring_full %u, port_gone %u, no_mbuf %u, "
		      "oversize %u, mac_conflict %u\n",
		(unsigned)sent, (unsigned)of_hub.copies, (unsigned)leaves,
		(unsigned)of_hub.drop_out[STATS_DROP_OUT_RING_FULL],
		(unsigned)of_hub.drop_out[STATS_DROP_OUT_PORT_GONE],
		(unsigned)of_hub.drop_out[STATS_DROP_OUT_NO_MBUF],
		(unsigned)of_hub.drop_out[STATS_DROP_OUT_OVERSIZE],
		(unsigned)of_hub.drop_in[STATS_DROP_IN_MAC_CONFLICT]);
	/* The run went where it was meant to go. */
	assert_true(leaves > 100 && of_hub.switched > sent / 4 && of_hub.flooded > 0);
	assert_true(of_hub.drop_in[STATS_DROP_IN_BAD_SOURCE] > 0 &&
		of_hub.drop_in[STATS_DROP_IN_SHORT] > 0 &&
		of_hub.drop_in[STATS_DROP_IN_OWN_PORT] > 0 &&
		of_hub.drop_out[STATS_DROP_OUT_OVERSIZE] > 0 &&
		of_hub.drop_out[STATS_DROP_OUT_DEVICE] > 0);
	assert_int_equal(hub_destroy(hub, gone, &hub_gone), 0);
	assert_true(worker_settle());
	assert_true(hub_gone);
	assert_int_equal(rte_mempool_avail_count(lcore_pool(lcore_get(0))), MBUFS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_books_balance_after_anything),
	};

	return cmocka_run_group_tests(tests, setup, worker_stop);
}
