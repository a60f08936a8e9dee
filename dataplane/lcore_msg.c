/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages from control threads to a worker, events from workers to the control thread. */

#include <errno.h>
#include <stdio.h>

#include <rte_ring.h>
#include <rte_ring_elem.h>

#include "dataplane/lcore_priv.h"

/* Set by the worker that posts first, cleared by the control thread before it looks. */
static struct {
	int fd;
	_Atomic bool signalled;
} events = {.fd = -1};

int lcore_msg_init(struct lcore *lc)
{
	char name[RTE_RING_NAMESIZE];

	lc->deferred_last = &lc->deferred_first;
	/*
	 * Posters are pre-emptible threads: with relaxed tail sync (RTS) one that lost its CPU between
	 * reserving and publishing does not make the others spin on it (design-options 1.4).
	 */
	snprintf(name, sizeof(name), "patchbay_msg_%u", lc->index);
	lc->msg_ring = rte_ring_create_elem(name, sizeof(struct lcore_msg), LCORE_MSG_RING,
		SOCKET_ID_ANY, RING_F_MP_RTS_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	snprintf(name, sizeof(name), "patchbay_ev_%u", lc->index);
	lc->event_ring = rte_ring_create(name, LCORE_EVENT_RING, SOCKET_ID_ANY,
		RING_F_SP_ENQ | RING_F_SC_DEQ | RING_F_EXACT_SZ);
	return lc->msg_ring == NULL || lc->event_ring == NULL ? -ENOMEM : 0;
}

void lcore_msg_fini(struct lcore *lc)
{
	rte_ring_free(lc->msg_ring);
	rte_ring_free(lc->event_ring);
	lc->msg_ring = NULL;
	lc->event_ring = NULL;
}

/* ---- messages --------------------------------------------------------------------------------- */

int lcore_msg_reserve(struct lcore *lc, unsigned n)
{
	uint32_t taken = atomic_load_explicit(&lc->msgs_reserved, memory_order_relaxed);

	do {
		if (n > LCORE_MSG_RING - taken)
			return -EAGAIN;
		/* Acquire pairs with the release in lcore_msg_run(): its places are really free. */
	} while (!atomic_compare_exchange_weak_explicit(
		&lc->msgs_reserved, &taken, taken + n, memory_order_acquire, memory_order_relaxed));
	return 0;
}

void lcore_msg_unreserve(struct lcore *lc, unsigned n)
{
	atomic_fetch_sub_explicit(&lc->msgs_reserved, n, memory_order_release);
}

void lcore_msg_post(struct lcore *lc, const struct lcore_msg *msg)
{
	/* Before the enqueue, so that lcore_quiet() never sees more done than made. */
	atomic_fetch_add_explicit(&lc->msgs_made, 1, memory_order_relaxed);
	/*
	 * Places in the ring are given out by msgs_reserved and come back only after the dequeue, so
	 * there is room: what can fail here is a caller that did not reserve.
	 */
	if (rte_ring_enqueue_elem(lc->msg_ring, (void *)(uintptr_t)msg, sizeof(*msg)) != 0)
		rte_panic("lcore %u: message posted without a reservation\n", lc->index);
	doorbell_ring(&lc->bell);
}

unsigned lcore_msg_run(struct lcore *lc)
{
	struct lcore_msg msg[LCORE_MSG_BURST];
	unsigned n;

	if (rte_ring_empty(lc->msg_ring))
		return 0;
	n = rte_ring_dequeue_burst_elem(lc->msg_ring, msg, sizeof(msg[0]), LCORE_MSG_BURST, NULL);
	atomic_fetch_sub_explicit(&lc->msgs_reserved, n, memory_order_release);
	for (unsigned i = 0; i < n; i++)
		msg[i].fn(lc, &msg[i]);
	__atomic_store_n(&lc->seen.msgs_done, lc->seen.msgs_done + n, __ATOMIC_RELEASE);
	return n;
}

/* ---- events ----------------------------------------------------------------------------------- */

int lcore_events_init(void)
{
	events.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	atomic_store(&events.signalled, false);
	return events.fd < 0 ? -errno : 0;
}

void lcore_events_fini(void)
{
	if (events.fd >= 0)
		close(events.fd);
	events.fd = -1;
}

static void events_signal(void)
{
	const uint64_t one = 1;

	/*
	 * A full fence between the enqueue and this swap; pairs with the swap in lcore_events_run(): either
	 * the control thread's drain sees the event, or this swap sees its `false` and signals again.
	 */
	if (!atomic_exchange_explicit(&events.signalled, true, memory_order_seq_cst)) {
		ssize_t written = write(events.fd, &one, sizeof(one));

		(void)written;
	}
}

void lcore_event_post(struct lcore *lc, struct lcore_event *ev)
{
	SEEN_ADD(lc, events_made, 1);
	lc->events_posted = true;
	/* Behind what already waits: order is kept. */
	if (lc->deferred_first == NULL && rte_ring_sp_enqueue(lc->event_ring, ev) == 0)
		return;
	SEEN_ADD(lc, events_deferred, 1);
	ev->next = NULL;
	*lc->deferred_last = ev;
	lc->deferred_last = &ev->next;
}

static void deferred_drain(struct lcore *lc)
{
	while (lc->deferred_first != NULL) {
		struct lcore_event *ev = lc->deferred_first;
		struct lcore_event *next = ev->next;

		if (rte_ring_sp_enqueue(lc->event_ring, ev) != 0)
			return;
		/* From here on ev belongs to the control thread. */
		lc->deferred_first = next;
		lc->events_posted = true;
	}
	lc->deferred_last = &lc->deferred_first;
}

void lcore_event_flush(struct lcore *lc)
{
	if (lc->deferred_first != NULL) {
		/*
		 * The ring was full, so the control thread will drain it. Pairs with events_drain(): either
		 * it sees `deferred` behind its dequeue and rings our bell, or the second attempt here,
		 * behind the fence, finds the room it made.
		 */
		atomic_store_explicit(&lc->deferred, 1, memory_order_relaxed);
		atomic_thread_fence(memory_order_seq_cst);
		deferred_drain(lc);
		if (lc->deferred_first == NULL)
			atomic_store_explicit(&lc->deferred, 0, memory_order_relaxed);
	}
	if (lc->events_posted) {
		lc->events_posted = false;
		events_signal();
	}
}

int lcore_events_fd(void)
{
	return events.fd;
}

static unsigned events_drain(struct lcore *lc, unsigned max)
{
	unsigned ran = 0;
	void *ev;

	while (ran < max && rte_ring_sc_dequeue(lc->event_ring, &ev) == 0) {
		((struct lcore_event *)ev)->fn(ev);
		ran++;
	}
	lc->events_done += ran;
	if (ran > 0) {
		atomic_thread_fence(memory_order_seq_cst);
		if (atomic_load_explicit(&lc->deferred, memory_order_relaxed) != 0)
			doorbell_ring(&lc->bell);
	}
	return ran;
}

unsigned lcore_events_run(unsigned max)
{
	uint64_t count;
	unsigned ran = 0;
	ssize_t got = read(events.fd, &count, sizeof(count));

	(void)got;
	/* Before the look at the rings: see events_signal(). */
	atomic_exchange_explicit(&events.signalled, false, memory_order_seq_cst);
	for (unsigned i = 0; i < lcore_cnt && ran < max; i++)
		ran += events_drain(lcore_table[i], max - ran);
	for (unsigned i = 0; i < lcore_cnt; i++) {
		if (!rte_ring_empty(lcore_table[i]->event_ring)) {
			events_signal();
			break;
		}
	}
	return ran;
}
