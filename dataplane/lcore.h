/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_LCORE_H
#define PATCHBAY_DATAPLANE_LCORE_H

/*
 * A worker: one pinned EAL lcore that runs everything it owns to completion, turn after turn.
 *
 * One turn:
 *   1 messages   from the control thread (ring, bounded share per turn)
 *   2 tasks      work that said it has more to do (struct lcore_task)
 *   3 sockets    epoll, no wait while busy (struct lcore_fd); within half a millisecond, the rest next turn
 *   4 polls      ports without an fd (struct lcore_poll)
 *   5 rings      frames from other workers, a batch for each socket served
 *   6 flushes    everything that collected output in this turn (struct lcore_flush), once each
 *   7 handover   frames collected for other workers: one enqueue and at most one doorbell per worker
 *   8 timers     after the sockets, so that a worker which was off the CPU reads before it judges
 *                (architecture.md 6.7); a turn that was held up leaves both to the next one
 *   9 report     quiescent state; idle decision
 *
 * Idle: with `adaptive` a worker that found nothing looks again for spin_us, then lets step 3 of its next
 * turn wait: it goes offline (grace.h), publishes `sleeping`, looks at its rings once more, and blocks in
 * epoll with its doorbell (eventfd) armed and a time-out from its timers and polls. A producer enqueues, issues a full fence, and rings the doorbell
 * only if `sleeping` is set. With `always` it never blocks.
 *
 * Everything here except what says otherwise is called by the worker itself, inside a turn.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "dataplane/frame.h"
#include "dataplane/port.h"
#include "dataplane/stats.h"

struct lcore;
struct rte_mempool;
struct rte_mbuf;

/* ---- messages: control -> worker ------------------------------------------------------------ */

struct lcore_msg {
	void (*fn)(struct lcore *lc, struct lcore_msg *msg); /* runs on the worker */
	void *arg;
	uint64_t u[2];
};

/*
 * Reserves n places on the worker's message ring, so that the post that follows cannot fail
 * (architecture.md 6.2). -EAGAIN when the ring could not hold them. Control threads.
 */
int lcore_msg_reserve(struct lcore *lc, unsigned n);
/* Gives an unused reservation back. Control threads. */
void lcore_msg_unreserve(struct lcore *lc, unsigned n);
/* Posts into a reserved place; copies *msg; rings the doorbell if the worker sleeps. Control threads. */
void lcore_msg_post(struct lcore *lc, const struct lcore_msg *msg);

/* ---- events: worker -> control -------------------------------------------------------------- */

/*
 * Lives inside the object it speaks of; belongs to the control thread from post until fn has run. Never
 * lost: when the ring is full it waits on a list of the worker's and goes with a later turn.
 */
struct lcore_event {
	void (*fn)(struct lcore_event *ev); /* runs on the control thread */
	struct lcore_event *next;	    /* lcore's own */
};
void lcore_event_post(struct lcore *lc, struct lcore_event *ev);
/* fd that becomes readable when worker events wait; drain with lcore_events_run(). Control thread. */
int lcore_events_fd(void);
/* Runs waiting events of all workers, at most `max`; returns how many ran. Control thread. */
unsigned lcore_events_run(unsigned max);

/* ---- sockets -------------------------------------------------------------------------------- */

struct lcore_fd {
	int fd;
	/* events: EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP. May remove itself, also others. */
	void (*ready)(struct lcore *lc, struct lcore_fd *lfd, uint32_t events);
	uint32_t events; /* what is registered now; lcore's own */
};
/* `events` as for epoll_ctl, may include EPOLLET. 0 or negative errno. */
int lcore_fd_add(struct lcore *lc, struct lcore_fd *lfd, uint32_t events);
int lcore_fd_mod(struct lcore *lc, struct lcore_fd *lfd, uint32_t events);
/* Safe inside ready(), also for another lfd of the same batch: it will not be called any more. */
void lcore_fd_del(struct lcore *lc, struct lcore_fd *lfd);

/* ---- tasks, flushes, polls, timers ---------------------------------------------------------- */

/* Run in step 2 of the next turn; the worker does not sleep while one waits. Idempotent. */
struct lcore_task {
	TAILQ_ENTRY(lcore_task) entry;
	void (*run)(struct lcore *lc, struct lcore_task *task);
	bool queued;
};
void lcore_task_add(struct lcore *lc, struct lcore_task *task);
void lcore_task_cancel(struct lcore *lc, struct lcore_task *task);

/* Run in step 6 of this turn, once however often it was asked for. Idempotent. */
struct lcore_flush {
	TAILQ_ENTRY(lcore_flush) entry;
	void (*flush)(struct lcore *lc, struct lcore_flush *fl);
	bool queued;
};
void lcore_flush_add(struct lcore *lc, struct lcore_flush *fl);
void lcore_flush_cancel(struct lcore *lc, struct lcore_flush *fl);

/* Polled in step 4 of every turn; returns frames handled (0 = idle). */
struct lcore_poll {
	TAILQ_ENTRY(lcore_poll) entry;
	unsigned (*poll)(struct lcore *lc, struct lcore_poll *p);
};
void lcore_poll_add(struct lcore *lc, struct lcore_poll *p);
void lcore_poll_del(struct lcore *lc, struct lcore_poll *p);

/* Coarse timer wheel, LCORE_TICK_MS; O(1) arm and cancel; re-arming moves it. */
#define LCORE_TICK_MS 16u
struct lcore_timer {
	LIST_ENTRY(lcore_timer) entry;
	uint64_t due_ms; /* lcore_now_ms() clock */
	void (*expire)(struct lcore *lc, struct lcore_timer *t);
	bool armed;
};
void lcore_timer_arm(struct lcore *lc, struct lcore_timer *t, uint64_t due_ms);
void lcore_timer_cancel(struct lcore *lc, struct lcore_timer *t);

/* ---- the clock: read once a turn ------------------------------------------------------------- */

uint64_t lcore_now_ms(const struct lcore *lc); /* since start, TSC */
/*
 * The same without the times in which this worker had work and no CPU (turns beyond LCORE_STALL_MS): for what waits
 * for the worker. A turn that found no work counts if the next one does. Frames are too old when a receiver has been
 * slow, not when the machine has.
 */
#define LCORE_STALL_MS 20u
uint64_t lcore_run_ms(const struct lcore *lc);
uint32_t lcore_now_s(const struct lcore *lc); /* the fdb clock: seconds since start, from 1 */
/* The same clock for the control thread. */
uint64_t lcore_clock_ms(void);
uint32_t lcore_clock_s(void);

/* ---- identity, memory, counters -------------------------------------------------------------- */

unsigned lcore_index(const struct lcore *lc); /* 0 .. lcore_count()-1 */
struct rte_mempool *lcore_pool(struct lcore *lc);
struct stats_block *lcore_stats(struct lcore *lc);

/* The bytes of a frame, copied into a fresh mbuf; NULL (counted by the caller) if there is none. */
struct rte_mbuf *lcore_mbuf_copy(struct lcore *lc, const struct frame *f);
/*
 * Makes, once, the pool that such copies come from when the frame is longer than a usual buffer: before any port
 * with a max_len above FRAME_MAX_BYTES joins. A thread that may wait, one at a time. -ENOMEM.
 */
int lcore_jumbo_prepare(void);

/* ---- life and view: control thread ----------------------------------------------------------- */

enum lcore_poll_mode {
	LCORE_POLL_ADAPTIVE,
	LCORE_POLL_ALWAYS,
};

struct lcore_conf {
	unsigned workers; /* 1 .. LCORE_MAX; must equal the EAL worker lcores */
	enum lcore_poll_mode poll;
	unsigned ring_size; /* entries per ordered pair of workers, power of two; 0 = 1024 */
	unsigned mbufs;	    /* in the one pool per socket; 0 = what rings and bursts can hold, at
			     * least 16383 (2 KiB buffers: about 38 MiB). Devices come on top */
	unsigned spin_us; /* adaptive: how long an idle worker looks again before it blocks. 0 = it
			     * blocks at once, which costs least CPU per byte and some latency */
};

#define LCORE_SPIN_US_DEFAULT 10u

/*
 * Allocates workers, rings, pool, grace periods: near their workers, or on another NUMA node with a warning.
 * After rte_eal_init(). -ENOMEM, -EINVAL.
 */
int lcore_init(const struct lcore_conf *conf);
/* Launches the worker loops on the EAL worker lcores. */
int lcore_start(void);
/* Asks all to stop after the turn, and waits for them (shutdown only). */
void lcore_stop(void);
void lcore_fini(void);

unsigned lcore_count(void);
struct lcore *lcore_get(unsigned index);

/* What `lcore list` shows; read with relaxed loads while the worker runs. */
struct lcore_view {
	unsigned index;
	unsigned lcore_id; /* EAL's */
	int cpu;	   /* where it runs now (pinned: always the same); -1 floating */
	int socket;
	uint64_t busy_cycles; /* turns that did something */
	uint64_t idle_cycles; /* turns that did not, and blocking */
	uint64_t turns;
	uint64_t sleeps;       /* times it blocked */
	uint64_t doorbells;    /* times somebody woke it */
	uint64_t late_reports; /* seconds-long silences while online (architecture.md 6.5) */
	uint32_t polls;	       /* polled queues */
	uint32_t fds;
	uint32_t msgs_reserved; /* of the message ring */
	uint64_t events_deferred;
	uint64_t notices_lost; /* notice.h */
	struct stats_block stats;
};
void lcore_view(unsigned index, struct lcore_view *out);
/*
 * Frame buffers of the workers' own pools that are not free: 0 when nothing is under way (a device may keep some
 * until it sends again). A moment's truth. (Devices receive into pools of their own.)
 */
unsigned lcore_mbufs_in_use(void);
/* Checks the workers' reports (call about once a second): counts and returns silent online workers. */
unsigned lcore_watchdog(void);

/*
 * True when nothing is under way between workers: message and relay rings empty, no event deferred. For
 * tests and for balancing the books; a moment's truth only.
 */
bool lcore_quiet(void);

#endif
