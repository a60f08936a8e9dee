/* SPDX-License-Identifier: BSD-3-Clause */
/* Steps 2, 3, 4 and 6 of a turn: tasks, sockets and sleep, polls, flushes; and timers' front door. */

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include <rte_cycles.h>

#include "dataplane/grace.h"
#include "dataplane/lcore_priv.h"

/* ---- tasks and flushes ------------------------------------------------------------------------ */

void lcore_task_add(struct lcore *lc, struct lcore_task *task)
{
	if (task->queued)
		return;
	task->queued = true;
	TAILQ_INSERT_TAIL(&lc->tasks, task, entry);
	lc->task_cnt++;
}

void lcore_task_cancel(struct lcore *lc, struct lcore_task *task)
{
	if (!task->queued)
		return;
	task->queued = false;
	TAILQ_REMOVE(&lc->tasks, task, entry);
	lc->task_cnt--;
}

/* Up to a mark behind what is there now: what a task adds runs in the next turn, behind the sockets. */
unsigned lcore_task_run(struct lcore *lc)
{
	struct lcore_task mark, *task;
	unsigned ran = 0;

	if (lc->task_cnt == 0)
		return 0;
	TAILQ_INSERT_TAIL(&lc->tasks, &mark, entry);
	while ((task = TAILQ_FIRST(&lc->tasks)) != &mark) {
		lcore_task_cancel(lc, task);
		task->run(lc, task);
		ran++;
	}
	TAILQ_REMOVE(&lc->tasks, &mark, entry);
	return ran;
}

void lcore_flush_add(struct lcore *lc, struct lcore_flush *fl)
{
	if (fl->queued)
		return;
	fl->queued = true;
	TAILQ_INSERT_TAIL(&lc->flushes, fl, entry);
	lc->flush_cnt++;
}

void lcore_flush_cancel(struct lcore *lc, struct lcore_flush *fl)
{
	if (!fl->queued)
		return;
	fl->queued = false;
	TAILQ_REMOVE(&lc->flushes, fl, entry);
	lc->flush_cnt--;
}

unsigned lcore_flush_run(struct lcore *lc)
{
	struct lcore_flush mark, *fl;
	unsigned ran = 0;

	if (lc->flush_cnt == 0)
		return 0;
	TAILQ_INSERT_TAIL(&lc->flushes, &mark, entry);
	while ((fl = TAILQ_FIRST(&lc->flushes)) != &mark) {
		lcore_flush_cancel(lc, fl);
		fl->flush(lc, fl);
		ran++;
	}
	TAILQ_REMOVE(&lc->flushes, &mark, entry);
	return ran;
}

/* ---- polls ------------------------------------------------------------------------------------ */

void lcore_poll_add(struct lcore *lc, struct lcore_poll *p)
{
	TAILQ_INSERT_TAIL(&lc->polls, p, entry);
	SEEN_ADD(lc, polls, 1);
}

void lcore_poll_del(struct lcore *lc, struct lcore_poll *p)
{
	if (lc->poll_next == p)
		lc->poll_next = TAILQ_NEXT(p, entry);
	TAILQ_REMOVE(&lc->polls, p, entry);
	SEEN_ADD(lc, polls, -1u);
}

unsigned lcore_poll_run(struct lcore *lc)
{
	unsigned frames = 0;
	struct lcore_poll *p;

	for (p = TAILQ_FIRST(&lc->polls); p != NULL; p = lc->poll_next) {
		lc->poll_next = TAILQ_NEXT(p, entry);
		frames += p->poll(lc, p);
	}
	lc->polls_busy = frames > 0;
	if (frames > 0)
		lc->poll_sleep_us = LCORE_POLL_MIN_US;
	return frames;
}

/* ---- timers ----------------------------------------------------------------------------------- */

void lcore_timer_arm(struct lcore *lc, struct lcore_timer *t, uint64_t due_ms)
{
	wheel_arm(&lc->wheel, t, due_ms);
}

void lcore_timer_cancel(struct lcore *lc, struct lcore_timer *t)
{
	wheel_cancel(&lc->wheel, t);
}

/* ---- sockets ---------------------------------------------------------------------------------- */

static void bell_ready(struct lcore *lc, struct lcore_fd *, uint32_t)
{
	doorbell_clear(&lc->bell);
	SEEN_ADD(lc, doorbells, 1);
}

int lcore_io_init(struct lcore *lc)
{
	int rc;

	TAILQ_INIT(&lc->tasks);
	TAILQ_INIT(&lc->flushes);
	TAILQ_INIT(&lc->polls);
	lc->poll_sleep_us = LCORE_POLL_MIN_US;
	rc = doorbell_init(&lc->bell);
	if (rc != 0)
		return rc;
	lc->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (lc->epoll_fd < 0)
		return -errno;
	lc->bell_fd = (struct lcore_fd){.fd = lc->bell.fd, .ready = bell_ready};
	rc = lcore_fd_add(lc, &lc->bell_fd, EPOLLIN);
	SEEN_ADD(lc, fds, -1u); /* operators count sockets and devices */
	return rc;
}

void lcore_io_fini(struct lcore *lc)
{
	if (lc->epoll_fd >= 0)
		close(lc->epoll_fd);
	lc->epoll_fd = -1;
	doorbell_fini(&lc->bell);
}

int lcore_fd_add(struct lcore *lc, struct lcore_fd *lfd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = lfd};

	if (epoll_ctl(lc->epoll_fd, EPOLL_CTL_ADD, lfd->fd, &ev) != 0)
		return -errno;
	lfd->events = events;
	SEEN_ADD(lc, fds, 1);
	return 0;
}

int lcore_fd_mod(struct lcore *lc, struct lcore_fd *lfd, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = lfd};

	/* Edge-triggered registrations are re-armed by a modification that changes nothing. */
	if (lfd->events == events && (events & (EPOLLET | EPOLLONESHOT)) == 0)
		return 0;
	if (epoll_ctl(lc->epoll_fd, EPOLL_CTL_MOD, lfd->fd, &ev) != 0)
		return -errno;
	lfd->events = events;
	return 0;
}

void lcore_fd_del(struct lcore *lc, struct lcore_fd *lfd)
{
	if (epoll_ctl(lc->epoll_fd, EPOLL_CTL_DEL, lfd->fd, NULL) == 0)
		SEEN_ADD(lc, fds, -1u);
	lfd->events = 0;
	for (unsigned i = lc->epoll_at; i < lc->epoll_cnt; i++) {
		if (lc->epoll_batch[i].data.ptr == lfd)
			lc->epoll_batch[i].data.ptr = NULL;
	}
}

/* How long this worker may sleep, in us; -1 = until somebody wakes it. */
static int64_t sleep_us(const struct lcore *lc)
{
	int64_t us = -1;

	if (lc->wheel.next_ms != UINT64_MAX)
		us = lc->wheel.next_ms > lc->now_ms
			? (int64_t)(lc->wheel.next_ms - lc->now_ms) * 1000
			: 0;
	if (!TAILQ_EMPTY(&lc->polls) && (us < 0 || us > (int64_t)lc->poll_sleep_us))
		us = (int64_t)lc->poll_sleep_us;
	return us;
}

static int epoll_sleep(struct lcore *lc, struct epoll_event *ev, int64_t us)
{
	struct timespec ts = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
	int n;

	/* Milliseconds do for timers; only polled ports need the finer call (Linux 5.11). */
	if (us >= 0 && us % 1000 != 0) {
		n = epoll_pwait2(lc->epoll_fd, ev, LCORE_EPOLL_BURST, &ts, NULL);
		if (n >= 0 || errno != ENOSYS)
			return n;
	}
	if (us > INT32_MAX)
		us = INT32_MAX;
	return epoll_wait(
		lc->epoll_fd, ev, LCORE_EPOLL_BURST, us < 0 ? -1 : (int)((us + 999) / 1000));
}

/* Anything that came in while nobody would have rung the bell. */
static bool work_waits(const struct lcore *lc)
{
	return atomic_load_explicit(&lc->stop, memory_order_relaxed) ||
		!rte_ring_empty(lc->msg_ring) || lcore_relay_waiting(lc);
}

static int io_block(struct lcore *lc, struct epoll_event *ev)
{
	uint64_t from = rte_rdtsc(), to;
	int n;

	grace_offline(lc->index);
	doorbell_arm(&lc->bell);
	if (work_waits(lc)) {
		/* A ring that never runs dry must not keep the sockets from being looked at. */
		n = epoll_wait(lc->epoll_fd, ev, LCORE_EPOLL_BURST, 0);
	} else {
		__atomic_store_n(&lc->seen.online, 0, __ATOMIC_RELAXED);
		n = epoll_sleep(lc, ev, sleep_us(lc));
		__atomic_store_n(&lc->seen.online, 1, __ATOMIC_RELAXED);
		SEEN_ADD(lc, sleeps, 1);
		if (lc->poll_sleep_us < LCORE_POLL_MAX_US)
			lc->poll_sleep_us = lc->poll_sleep_us * 2 < LCORE_POLL_MAX_US
				? lc->poll_sleep_us * 2
				: LCORE_POLL_MAX_US;
	}
	doorbell_disarm(&lc->bell);
	grace_online(lc->index);
	to = rte_rdtsc();
	lc->blocked_tsc = to - from;
	lcore_clock_update(lc, to);
	return n;
}

/* Looks for ready sockets, unless some of the last look still wait: those have waited longest. */
static void sockets_look(struct lcore *lc, bool block)
{
	int n;

	if (lc->epoll_at < lc->epoll_cnt)
		return;
	lc->epoll_at = lc->epoll_cnt = 0;
	if (block) {
		n = io_block(lc, lc->epoll_batch);
	} else {
		/* mark_tsc: begin of this turn. A system call per turn would cost a busy NIC 20 %. */
		if (lc->polls_busy && lc->mark_tsc - lc->epoll_tsc < lc->epoll_gap_tsc)
			return;
		n = epoll_wait(lc->epoll_fd, lc->epoll_batch, LCORE_EPOLL_BURST, 0);
	}
	lc->epoll_tsc = lc->mark_tsc;
	lc->epoll_cnt = n > 0 ? (unsigned)n : 0;
}

unsigned lcore_io_run(struct lcore *lc, bool block)
{
	unsigned ran = 0;
	uint64_t now, until;

	sockets_look(lc, block);
	now = rte_rdtsc();
	lc->held_up = !lc->held_up && now - lc->mark_tsc - lc->blocked_tsc > lc->held_up_tsc;
	if (unlikely(lc->held_up))
		return 0;
	until = now + lc->sockets_tsc;
	while (lc->epoll_at < lc->epoll_cnt) {
		const struct epoll_event *ev = &lc->epoll_batch[lc->epoll_at++];
		struct lcore_fd *lfd = ev->data.ptr;

		if (lfd == NULL)
			continue;
		lfd->ready(lc, lfd, ev->events);
		ran++;
		if (rte_rdtsc() > until)
			break;
	}
	return ran;
}
