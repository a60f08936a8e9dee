/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_LCORE_PRIV_H
#define PATCHBAY_DATAPLANE_LCORE_PRIV_H

/* The inside of a worker, shared by the lcore_*.c and hub_*.c files and by nobody else. */

#include <assert.h>
#include <sys/epoll.h>

#include <rte_ring.h>

#include "dataplane/doorbell.h"
#include "dataplane/lcore.h"
#include "dataplane/lcore_timer.h"

#define LCORE_MSG_RING	  1024u
#define LCORE_MSG_BURST	  32u /* messages per turn: the frames wait behind them */
#define LCORE_EVENT_RING  1024u
#define LCORE_EPOLL_BURST 64u
#define LCORE_POLL_MIN_US 50u  /* first sleep between looks at polled ports ... */
#define LCORE_POLL_MAX_US 500u /* ... and the longest: the first frame waits less than 1 ms */
/*
 * Sockets in one turn: a batch of them may bring 4 MiB for one and the same port before step 6 gives it a
 * chance to send. A recv of 64 KiB through a hub takes some 50 to 100 us; so this is still hundreds of KiB,
 * and what flushes and timers wait for.
 */
#define LCORE_SOCKETS_US 500u
/*
 * A turn that was held up for so long before its sockets leaves them, and its timers, to the next one: its clock stands
 * where it began, and what is read would count as heard then. Less than what any peer may be silent for beyond its
 * keep-alives.
 */
#define LCORE_HELD_UP_US   500000u
#define LCORE_EPOLL_GAP_US 20u /* while polled ports are busy, sockets are asked this often */
#define LCORE_RELAY_BATCH  64u

/* One frame on the way to another worker: 16 bytes, no pointer that could outlive its object. */
struct relay_item {
	struct rte_mbuf *m;
	uint32_t
		port; /* idx << PORT_GEN_BITS | gen of the target; RELAY_FLOOD | idx << .. of the source;
		       * RELAY_MIRROR */
	uint32_t hub; /* struct hub.ref */
};
#define RELAY_FLOOD  (1u << 31)
#define RELAY_MIRROR (1u << 30)
static_assert(sizeof(struct relay_item) == 16);
static_assert(PORT_MAX <= 1u << 18, "a port index leaves room for RELAY_*");

struct relay_out {
	struct rte_ring *ring; /* SPSC, this worker -> that one */
	unsigned n;
	struct relay_item item[LCORE_RELAY_BATCH];
};

TAILQ_HEAD(lcore_task_list, lcore_task);
TAILQ_HEAD(lcore_flush_list, lcore_flush);
TAILQ_HEAD(lcore_poll_list, lcore_poll);

struct lcore {
	/* ---- the turn: owner only ---- */
	unsigned index;
	unsigned lcore_id;
	int socket;
	int epoll_fd;
	enum lcore_poll_mode mode;
	uint64_t now_ms;
	uint64_t stalled_ms;	/* of it, without a CPU: see lcore_run_ms() */
	uint64_t stall_idle_ms; /* of that, in the last turn, which had found no work */
	uint64_t stall_tsc;	/* LCORE_STALL_MS */
	uint32_t now_s;
	uint64_t mark_tsc;	/* end of the last turn = begin of this one */
	uint64_t blocked_tsc;	/* spent blocking in this turn */
	uint64_t worked_tsc;	/* end of the last turn that did something */
	uint64_t spin_tsc;	/* how long to look again before blocking */
	uint64_t epoll_tsc;	/* last look at the sockets */
	uint64_t epoll_gap_tsc; /* while polls are busy */
	bool may_block;		/* idle decision of the last turn */
	bool polls_busy;	/* in the last turn */
	uint32_t poll_sleep_us;
	struct lcore_task_list tasks;
	struct lcore_flush_list flushes;
	struct lcore_poll_list polls;
	struct lcore_poll *poll_next; /* where the walk goes on; moved by lcore_poll_del() */
	unsigned task_cnt;
	unsigned flush_cnt;
	/* Sockets found ready: [at, cnt) wait, perhaps for the next turn; lcore_fd_del() blanks them. */
	struct epoll_event epoll_batch[LCORE_EPOLL_BURST];
	unsigned epoll_at, epoll_cnt;
	uint64_t sockets_tsc; /* share of a turn */
	uint64_t held_up_tsc; /* LCORE_HELD_UP_US */
	bool held_up;	      /* this turn leaves its sockets and timers: the next one does not */
	struct rte_mempool *pool;
	struct hub_scratch *scratch; /* for the burst under way (hub_priv.h) */
	uint64_t looks_ms;	     /* hub_ip.c: up to here the budget has been given out ... */
	uint32_t looks;		     /* ... and this is left of it */
	uint32_t strangers;	     /* ... and for new stations */
	struct park *park;	     /* frames that access rules delay (hub_park.c) */
	uint64_t relay_mask;	     /* workers with something in out[] */
	struct relay_out *out;	     /* [workers] */
	struct rte_ring **in;	     /* [workers]; NULL at index */
	struct rte_ring *msg_ring;
	struct rte_ring *event_ring;
	struct lcore_event *deferred_first, **deferred_last;
	bool events_posted; /* in this turn: one bell at its end */
	struct lcore_fd bell_fd;

	/* ---- owner writes, control thread reads ---- */
	struct stats_block stats __attribute__((aligned(64)));
	struct {
		uint64_t turns;
		uint64_t busy_cycles;
		uint64_t idle_cycles;
		uint64_t sleeps;
		uint64_t doorbells;
		uint64_t events_deferred;
		uint64_t msgs_done;
		uint64_t events_made;
		uint64_t relays_made;
		uint64_t relays_done; /* received and handled, or lost on the way out */
		uint32_t polls;
		uint32_t fds;
		uint32_t online;
	} seen __attribute__((aligned(64)));
	_Atomic uint32_t deferred; /* events wait for room in the ring: control rings back */

	/* ---- others write ---- */
	struct doorbell bell __attribute__((aligned(64)));
	_Atomic uint32_t msgs_reserved __attribute__((aligned(64))); /* places of the ring taken */
	_Atomic uint64_t msgs_made;
	_Atomic bool stop;

	/* ---- control thread only ---- */
	struct {
		uint64_t turns;
		uint64_t since_ms;
		uint64_t late;
	} watch;
	uint64_t events_done;

	struct wheel wheel __attribute__((aligned(64)));
};

struct hub_scratch;
struct park;

extern struct lcore *lcore_table[LCORE_MAX];
extern unsigned lcore_cnt;

/* A counter of `seen`: one writer, readers elsewhere. */
#define SEEN_ADD(lc, field, n) \
	__atomic_store_n(&(lc)->seen.field, (lc)->seen.field + (n), __ATOMIC_RELAXED)

/* ---- lcore.c ---- */
uint64_t lcore_tsc_to_ms(uint64_t tsc);
void lcore_clock_update(struct lcore *lc, uint64_t tsc);

/*
 * Memory near a worker, while workers are made (control thread): on its socket if that has some, else on any - slower,
 * but a node without huge pages is no reason not to start. SOCKET_ID_ANY where all memory is one heap.
 */
int lcore_near(int socket);
/*
 * What there was not on the socket `near` was found elsewhere: told once for each. Found nowhere, it is no want of
 * memory there alone, or none at all, and whoever asked fails.
 */
void lcore_went_far(int near);
/* Zeroed, aligned to 64 bytes, for rte_free(). NULL: there is none anywhere. */
void *lcore_zalloc(const char *type, size_t bytes, int socket);

/* ---- lcore_msg.c ---- */
int lcore_msg_init(struct lcore *lc);
void lcore_msg_fini(struct lcore *lc);
unsigned lcore_msg_run(struct lcore *lc);
void lcore_event_flush(
	struct lcore *lc); /* step 9: overflow first, then the control thread's bell */
int lcore_events_init(void);
void lcore_events_fini(void);

/* ---- lcore_io.c ---- */
int lcore_io_init(struct lcore *lc);
void lcore_io_fini(struct lcore *lc);
unsigned lcore_task_run(struct lcore *lc);
unsigned lcore_flush_run(struct lcore *lc);
unsigned lcore_poll_run(struct lcore *lc);
unsigned lcore_io_run(struct lcore *lc, bool block);

/* ---- lcore_relay.c ---- */
int lcore_relay_init(unsigned ring_size);
void lcore_relay_fini(void);
unsigned lcore_relay_run(struct lcore *lc, unsigned sockets);
void lcore_relay_send(struct lcore *lc, unsigned to);
void lcore_relay_flush(struct lcore *lc);
bool lcore_relay_waiting(const struct lcore *lc);

/*
 * One frame for another worker. Consumes the reference. Leaves with the batch, or in step 7 of the turn;
 * what the ring cannot take is freed and counted ring_full. Order per worker pair is kept.
 */
static inline void lcore_relay_push(
	struct lcore *lc, unsigned to, struct rte_mbuf *m, uint32_t port, uint32_t hub_ref)
{
	struct relay_out *o = &lc->out[to];

	o->item[o->n++] = (struct relay_item){.m = m, .port = port, .hub = hub_ref};
	lc->relay_mask |= UINT64_C(1) << to;
	SEEN_ADD(lc, relays_made, 1);
	if (o->n == LCORE_RELAY_BATCH)
		lcore_relay_send(lc, to);
}

#endif
