/* SPDX-License-Identifier: BSD-3-Clause */
/* A hub on two workers for unit tests (hub_bed.h). */

#include "test/unit/hub_bed.h"

#include <string.h>

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "dataplane/access.h"
#include "dataplane/grace.h"

struct hub *hub;
struct fake_port a, b, c;

int bed_setup(void **)
{
	struct lcore_conf conf = {
		.workers = WORKERS,
		.ring_size = RING_SIZE,
		.mbufs = MBUFS,
	};

	return worker_start(&conf);
}

int bed_teardown(void **state)
{
	return worker_stop(state);
}

static void join_here(struct lcore *lc, void *arg)
{
	hub_port_join(lc, arg);
}

static void leave_here(struct lcore *lc, void *arg)
{
	hub_port_leave(lc, arg);
}

void join(struct fake_port *f)
{
	assert_int_equal(port_reserve(&f->port), 0);
	worker_call(f->port.home, join_here, &f->port);
}

void leave(struct fake_port *f)
{
	worker_call(f->port.home, leave_here, &f->port);
}

static bool hub_gone;

static void on_hub_gone(void *)
{
	hub_gone = true;
}

int hub_setup(void **)
{
	struct hub_conf conf = {.probe_mac = MAC_PROBE};

	hub = hub_create(&conf);
	if (hub == NULL)
		return -1;
	hub_set_online(hub, true);
	fake_port_init(&a, hub, 0, 0);
	fake_port_init(&b, hub, 0, 0);
	fake_port_init(&c, hub, 1, 0);
	return 0;
}

int hub_teardown(void **)
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

void send_here(struct lcore *lc, void *arg)
{
	static _Thread_local uint8_t bytes[FRAME_BURST][FRAME_JUMBO_MAX + 1];
	struct send *s = arg;
	struct frame frames[FRAME_BURST];

	for (unsigned i = 0; i < s->n; i++) {
		frames[i] = (struct frame){.data = bytes[i], .len = s->f[i].len};
		fake_frame_write(bytes[i], s->f[i].dst, s->f[i].src, s->f[i].vlan, s->f[i].serial,
			s->f[i].len);
		if (s->from_type_bytes != 0)
			memcpy(bytes[i] + 12,
				s->from_type != NULL ? s->from_type : s->each_from_type[i],
				s->from_type_bytes);
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

void add(struct send *s, uint64_t dst, uint64_t src, uint32_t serial)
{
	s->f[s->n].dst = dst;
	s->f[s->n].src = src;
	s->f[s->n].serial = serial;
	s->f[s->n].vlan = 0;
	s->f[s->n++].len = 60;
}

void send_all(struct send *s)
{
	worker_call(s->from->port.home, send_here, s);
	assert_int_equal(s->no_mbuf, 0);
	assert_true(worker_settle());
}

void send_one(struct fake_port *from, uint64_t dst, uint64_t src, bool backed)
{
	struct send s = {.from = from, .backed = backed};

	add(&s, dst, src, 0);
	send_all(&s);
}

void clear_ports(void)
{
	fake_port_clear(&a);
	fake_port_clear(&b);
	fake_port_clear(&c);
}

void join_and_learn(void)
{
	join(&a);
	join(&b);
	join(&c);
	send_one(&a, FAKE_BROADCAST, MAC_A, false);
	send_one(&b, FAKE_BROADCAST, MAC_B, false);
	send_one(&c, FAKE_BROADCAST, MAC_C, false);
	clear_ports();
}

/* ---- access rules ----------------------------------------------------------------------------- */

void set_base(struct access_rule *rule, uint32_t cnt, struct access_set_conf *set)
{
	struct access_conf conf = {.rules = rule, .rule_cnt = cnt};
	struct access_set *made;

	set->base = access_base_create(&conf);
	assert_non_null(set->base);
	made = access_set_create(set);
	access_base_put(set->base);
	assert_non_null(made);
	assert_int_equal(hub_set_access(hub, made), 0);
}

void set_rules(struct access_rule *rule, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		rule[i].slot = i + 1;
	set_base(rule, cnt, &(struct access_set_conf){0});
}

/* ---- books ------------------------------------------------------------------------------------ */

static void assert_balanced(const struct stats_block *s)
{
	assert_int_equal(stats_in_frames(s), s->switched + s->flooded + stats_drop_in_sum(s));
	assert_int_equal(s->copies, stats_sent_frames(s) + stats_drop_out_sum(s));
}

void assert_books(struct fake_port *const *ports, unsigned n)
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

void assert_abc_books(void)
{
	struct fake_port *all[] = {&a, &b, &c};

	assert_books(all, 3);
}

void assert_books_and_leave(struct fake_port *x, struct fake_port *y)
{
	struct fake_port *all[] = {&a, &b, &c, x, y};

	assert_books(all, y == NULL ? 4 : 5);
	leave(x);
	if (y != NULL)
		leave(y);
	assert_true(worker_settle());
	port_release(&x->port);
	if (y != NULL)
		port_release(&y->port);
}

uint64_t hub_drop_in(enum stats_drop_in reason)
{
	struct stats_block s;

	hub_stats(hub, &s);
	return s.drop_in[reason];
}

uint64_t hub_drop_out(enum stats_drop_out reason)
{
	struct stats_block s;

	hub_stats(hub, &s);
	return s.drop_out[reason];
}
