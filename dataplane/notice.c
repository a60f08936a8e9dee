/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings of notices, one per worker (notice.h). */

#include "dataplane/notice.h"

#include <stdatomic.h>

#include "dataplane/frame_class.h"
#include "dataplane/hub_priv.h"

#define CELLS 256u

static_assert(STATS_DROP_IN_CNT <= 64, "a port and a reason are a number of 22 bits");

static struct {
	/* Worker. */
	_Atomic uint32_t head; /* control thread reads */
	uint32_t second;       /* the budget is of this one */
	uint32_t left;
	uint8_t told
		[CELLS]; /* violations of a port and reason; who share a cell share the number */
	_Atomic uint64_t lost; /* control thread reads */
	struct notice ring[NOTICE_RING];
	/* Control thread; the worker reads. */
	_Atomic uint32_t tail __attribute__((aligned(64)));
} notices[LCORE_MAX] __attribute__((aligned(64)));

static void second_begin(const struct lcore *lc)
{
	if (notices[lc->index].second == lc->now_s)
		return;
	notices[lc->index].second = lc->now_s;
	notices[lc->index].left = NOTICE_PER_SECOND;
	memset(notices[lc->index].told, 0, sizeof(notices[lc->index].told));
}

static void lose(const struct lcore *lc)
{
	atomic_store_explicit(&notices[lc->index].lost,
		atomic_load_explicit(&notices[lc->index].lost, memory_order_relaxed) + 1,
		memory_order_relaxed);
}

/* A place for the next record, or NULL. Not one of the last `spare` of this second, or of the ring. */
static struct notice *place(struct lcore *lc, uint32_t spare)
{
	uint32_t head = atomic_load_explicit(&notices[lc->index].head, memory_order_relaxed);
	/* Acquire pairs with notice_take(): the records that stood there have been read. */
	uint32_t waiting =
		head - atomic_load_explicit(&notices[lc->index].tail, memory_order_acquire);

	second_begin(lc);
	if (notices[lc->index].left <= spare || NOTICE_RING - waiting <= spare) {
		lose(lc);
		return NULL;
	}
	notices[lc->index].left--;
	return &notices[lc->index].ring[head % NOTICE_RING];
}

/* The same for a violation: one port's of one kind are only so many a second. */
static struct notice *place_for(
	struct lcore *lc, const struct port *port, enum stats_drop_in reason)
{
	/* As a product's upper bits, so that neighbours do not meet. */
	uint32_t cell = ((port->idx << 6 | (uint32_t)reason) * UINT32_C(0x9e3779b1)) >> 24;
	uint8_t *told = &notices[lc->index].told[cell];
	struct notice *n;

	second_begin(lc);
	if (*told >= NOTICE_PER_REASON) {
		lose(lc);
		return NULL;
	}
	n = place(lc, NOTICE_LOOPS);
	*told += n != NULL;
	return n;
}

static void publish(struct lcore *lc)
{
	uint32_t head = atomic_load_explicit(&notices[lc->index].head, memory_order_relaxed);

	atomic_store_explicit(&notices[lc->index].head, head + 1, memory_order_release);
}

void notice_violation(struct lcore *lc, const struct port *port, enum stats_drop_in reason,
	const struct frame_class *c, uint64_t key)
{
	struct notice *n = place_for(lc, port, reason);

	if (n == NULL)
		return;
	*n = (struct notice){
		.kind = NOTICE_VIOLATION,
		.reason = reason,
		.at_ms = lc->now_ms,
		.port_idx = port->idx,
		.port_gen = port->gen,
		.vlan = (uint16_t)(key >> FDB_VLAN_SHIFT & 0xfff),
		.mac = key & FDB_MAC_MASK,
	};
	if (c != NULL) {
		memcpy(n->src, c->src, sizeof(n->src));
		memcpy(n->dst, c->dst, sizeof(n->dst));
	}
	publish(lc);
}

void notice_loop(struct lcore *lc, enum notice_kind kind, const struct port *port,
	uint32_t other_idx, uint64_t mac)
{
	struct notice *n = place(lc, 0);

	if (n == NULL)
		return;
	*n = (struct notice){
		.kind = kind,
		.at_ms = lc->now_ms,
		.port_idx = port->idx,
		.port_gen = port->gen,
		.other_idx = other_idx,
		.mac = mac,
	};
	publish(lc);
}

void notice_station(struct lcore *lc, enum notice_kind kind, const struct port *port,
	uint32_t other_idx, uint64_t key)
{
	struct notice *n = place(lc, NOTICE_PER_SECOND / 2);

	if (n == NULL)
		return;
	*n = (struct notice){
		.kind = kind,
		.at_ms = lc->now_ms,
		.port_idx = port->idx,
		.port_gen = port->gen,
		.other_idx = other_idx,
		.vlan = (uint16_t)(key >> FDB_VLAN_SHIFT & 0xfff),
		.mac = key & FDB_MAC_MASK,
	};
	publish(lc);
}

void notice_lease(struct lcore *lc, const struct port *port, const struct port *other,
	const struct frame_class *c, uint64_t key)
{
	struct notice *n = place(lc, NOTICE_PER_SECOND / 2);

	if (n == NULL)
		return;
	*n = (struct notice){
		.kind = NOTICE_LEASE,
		.at_ms = lc->now_ms,
		.port_idx = port != NULL ? port->idx : 0,
		.port_gen = port != NULL ? port->gen : 0,
		.other_idx = other->idx,
		.vlan = (uint16_t)(key >> FDB_VLAN_SHIFT & 0xfff),
		.mac = key & FDB_MAC_MASK,
	};
	memcpy(n->src, c->lease, sizeof(n->src));
	memcpy(n->dst, c->src, sizeof(n->dst));
	publish(lc);
}

unsigned notice_take(unsigned worker, struct notice *out, unsigned max, uint64_t *lost)
{
	uint32_t tail = atomic_load_explicit(&notices[worker].tail, memory_order_relaxed);
	uint32_t head = atomic_load_explicit(&notices[worker].head, memory_order_acquire);
	unsigned n = head - tail < max ? head - tail : max;

	for (unsigned i = 0; i < n; i++)
		out[i] = notices[worker].ring[(tail + i) % NOTICE_RING];
	atomic_store_explicit(&notices[worker].tail, tail + n, memory_order_release);
	*lost = atomic_load_explicit(&notices[worker].lost, memory_order_relaxed);
	return n;
}

uint64_t notice_lost(unsigned worker)
{
	return atomic_load_explicit(&notices[worker].lost, memory_order_relaxed);
}
