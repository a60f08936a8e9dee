/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames that an access rule delays (reference/access-list.md 5): each worker keeps copies of those it received, in a
 * heap by the time at which they go on, and looks at it while there are any. Jitter reorders, as is intended.
 */

#include <errno.h>
#include <stdlib.h>

#include <rte_mbuf.h>

#include "dataplane/access.h"
#include "dataplane/hub_access_priv.h"
#include "dataplane/hub_input_priv.h"

#define SHARES 4096u /* places of the table below: at most half of them are taken */

static_assert(SHARES >= 2 * PARK_MAX && (SHARES & (SHARES - 1)) == 0);

struct parked {
	uint64_t due_ms;
	struct rte_mbuf *m;
	uint32_t serial; /* of equal times the one that came first */
	uint32_t port;	 /* index and generation */
	uint32_t slot;	 /* of the rule */
	uint32_t hub;	 /* struct hub.ref */
};

/* What one rule holds of one port's frames. Linear probing; no frames: nobody's place. */
struct share {
	uint64_t who; /* who_of() */
	uint32_t frames;
	uint32_t bytes;
};

struct park {
	struct lcore_poll poll;
	bool polled;
	uint32_t serial;
	uint32_t n;
	uint32_t shares;  /* that have frames */
	uint64_t refused; /* control thread reads */
	uint64_t waiting; /* n, for the control thread */
	struct parked heap[PARK_MAX];
	struct share share[SHARES];
	uint16_t of_port
		[PORT_MAX]; /* frames by index: of a port that has left they are its successor's, until they go */
};

static_assert(PARK_MAX <= UINT16_MAX);

/* ---- shares ----------------------------------------------------------------------------------- */

static uint64_t who_of(uint32_t port, uint32_t slot)
{
	return (uint64_t)port << 32 | slot;
}

static uint32_t home_of(uint64_t who)
{
	return (uint32_t)((who * UINT64_C(0x9e3779b97f4a7c15)) >> 52) & (SHARES - 1);
}

/* Its place, or the free one where it would be: there is one, as each share has a frame and those are PARK_MAX. */
static struct share *share_find(struct park *p, uint64_t who)
{
	uint32_t i = home_of(who);

	while (p->share[i].frames != 0 && p->share[i].who != who)
		i = (i + 1) & (SHARES - 1);
	return &p->share[i];
}

/* How many frames of its port wait, whichever rules delay them. */
static uint16_t *port_frames(struct park *p, uint64_t who)
{
	return &p->of_port[who >> 32 >> PORT_GEN_BITS];
}

static void share_take(struct park *p, struct share *s, uint64_t who, uint32_t bytes)
{
	(*port_frames(p, who))++;
	if (s->frames == 0) {
		*s = (struct share){.who = who};
		p->shares++;
	}
	s->frames++;
	s->bytes += bytes;
}

/*
 * With its last frame a share gives its place back, and those behind it that were pushed past it move up: the table
 * never holds more than what waits, however long some frame does.
 */
static void share_give(struct park *p, uint64_t who, uint32_t bytes)
{
	struct share *s = share_find(p, who);
	uint32_t hole = (uint32_t)(s - p->share);

	(*port_frames(p, who))--;
	s->bytes -= bytes;
	if (--s->frames > 0)
		return;
	p->shares--;
	for (uint32_t i = (hole + 1) & (SHARES - 1); p->share[i].frames != 0;
		i = (i + 1) & (SHARES - 1)) {
		uint32_t home = home_of(p->share[i].who);

		if (((i - home) & (SHARES - 1)) < ((i - hole) & (SHARES - 1)))
			continue;
		p->share[hole] = p->share[i];
		hole = i;
	}
	p->share[hole].frames = 0;
}

/* ---- heap ------------------------------------------------------------------------------------- */

static bool before(const struct parked *a, const struct parked *b)
{
	return a->due_ms != b->due_ms ? a->due_ms < b->due_ms
				      : (int32_t)(a->serial - b->serial) < 0;
}

static void heap_put(struct park *p, const struct parked *e)
{
	uint32_t i = p->n++;

	for (; i > 0 && before(e, &p->heap[(i - 1) / 2]); i = (i - 1) / 2)
		p->heap[i] = p->heap[(i - 1) / 2];
	p->heap[i] = *e;
}

static struct parked heap_take(struct park *p)
{
	struct parked first = p->heap[0], last = p->heap[--p->n];
	uint32_t i = 0;

	for (;;) {
		uint32_t child = 2 * i + 1;

		if (child >= p->n)
			break;
		if (child + 1 < p->n && before(&p->heap[child + 1], &p->heap[child]))
			child++;
		if (!before(&p->heap[child], &last))
			break;
		p->heap[i] = p->heap[child];
		i = child;
	}
	p->heap[i] = last;
	return first;
}

static void told(struct park *p)
{
	__atomic_store_n(&p->waiting, p->n, __ATOMIC_RELAXED);
}

/* ---- out -------------------------------------------------------------------------------------- */

/* Those that are due and come from one port of one hub, one behind the other. */
static unsigned take_due(
	struct park *p, uint64_t now_ms, uint32_t *port, uint32_t *hub, struct frame *frames)
{
	unsigned n = 0;

	while (n < FRAME_BURST && p->n > 0 && p->heap[0].due_ms <= now_ms) {
		struct parked e;
		struct rte_mbuf *m;

		if (n > 0 && p->heap[0].port != *port)
			break;
		e = heap_take(p);
		*port = e.port;
		*hub = e.hub;
		m = e.m;
		share_give(p, who_of(e.port, e.slot), m->data_len);
		frames[n++] = (struct frame){
			.data = rte_pktmbuf_mtod(m, uint8_t *), .m = m, .len = m->data_len};
	}
	return n;
}

/* Their port has left. They were not counted as received yet, and are lost as what is on its way between workers. */
static void forget(struct lcore *lc, uint32_t hub, struct frame *frames, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		rte_pktmbuf_free(frames[i].m);
	hub_count_lost(lc, hub_by_ref(hub), STATS_DROP_OUT_PORT_GONE, n);
}

static unsigned park_poll(struct lcore *lc, struct lcore_poll *poll)
{
	struct park *p = (struct park *)poll; /* first member */
	struct frame frames[FRAME_BURST];
	unsigned done = 0, n;
	uint32_t port = 0, hub = 0;

	/* No more than what waits now: what is parked again meanwhile is not due. */
	while (done < PARK_MAX && (n = take_due(p, lc->now_ms, &port, &hub, frames)) > 0) {
		struct port *from =
			port_get(port >> PORT_GEN_BITS, port & ((1u << PORT_GEN_BITS) - 1));

		if (from != NULL)
			hub_input_again(lc, from, frames, n);
		else
			forget(lc, hub, frames, n);
		done += n;
	}
	if (p->n == 0) {
		lcore_poll_del(lc, &p->poll);
		p->polled = false;
	}
	told(p);
	return done;
}

/* ---- in --------------------------------------------------------------------------------------- */

static enum stats_drop_in refused(struct park *p, enum stats_drop_in reason)
{
	__atomic_store_n(&p->refused, p->refused + 1, __ATOMIC_RELAXED);
	return reason;
}

enum stats_drop_in hub_park(struct input *in, unsigned j, uint32_t slot, uint32_t delay_ms)
{
	struct lcore *lc = in->b.lc;
	struct park *p = lc->park;
	struct frame *f = in->b.frame[j];
	uint32_t port = in->port->idx << PORT_GEN_BITS | in->port->gen;
	uint64_t who = who_of(port, slot);
	struct share *s;
	struct parked e;

	if (p->n == PARK_MAX)
		return refused(p, STATS_DROP_IN_ACCESS_DELAY);
	s = share_find(p, who);
	if (s->frames > 0 && (s->frames >= PARK_RULE_FRAMES || s->bytes + f->len > PARK_RULE_BYTES))
		return refused(p, STATS_DROP_IN_ACCESS_DELAY);
	if (*port_frames(p, who) >= PARK_MAX - p->n)
		return refused(p, STATS_DROP_IN_ACCESS_DELAY_SHARE);
	/* Always a copy: a device's own buffers are not to wait here. */
	e.m = lcore_mbuf_copy(lc, f);
	if (e.m == NULL)
		return refused(p, STATS_DROP_IN_ACCESS_DELAY);
	share_take(p, s, who, f->len);
	e.due_ms = lc->now_ms + delay_ms;
	e.serial = p->serial++;
	e.port = port;
	e.slot = slot;
	e.hub = in->b.hub->ref;
	heap_put(p, &e);
	burst_bury(&in->b, f);
	if (!p->polled) {
		p->polled = true;
		lcore_poll_add(lc, &p->poll);
	}
	told(p);
	return STATS_DROP_IN_CNT;
}

/* ---- life ------------------------------------------------------------------------------------- */

int hub_park_init(struct lcore *lc)
{
	lc->park = calloc(1, sizeof(*lc->park));
	if (lc->park == NULL)
		return -ENOMEM;
	lc->park->poll.poll = park_poll;
	return 0;
}

void hub_park_fini(struct lcore *lc)
{
	if (lc->park == NULL)
		return;
	while (lc->park->n > 0)
		rte_pktmbuf_free(heap_take(lc->park).m);
	free(lc->park);
	lc->park = NULL;
}

unsigned hub_park_shares(const struct lcore *lc)
{
	return lc->park->shares;
}

void lcore_parked(uint64_t *waiting, uint64_t *refused_cnt)
{
	*waiting = *refused_cnt = 0;
	for (unsigned i = 0; i < lcore_cnt; i++) {
		const struct park *p = lcore_table[i]->park;

		*waiting += __atomic_load_n(&p->waiting, __ATOMIC_RELAXED);
		*refused_cnt += __atomic_load_n(&p->refused, __ATOMIC_RELAXED);
	}
}
