/* SPDX-License-Identifier: BSD-3-Clause */
/* The worker loop: messages, events, tasks, sockets, frame buffers. (Timers, sleep, stalls: lcore_time_test.c.) */

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_cycles.h>
#include <rte_mbuf.h>

#include "dataplane/lcore_priv.h"
#include "test/unit/worker.h"

#define WORKERS 2u

/* ---- messages --------------------------------------------------------------------------------- */

static atomic_uint msgs_ran;
static uint64_t msg_order[2 * LCORE_MSG_RING];

static void msg_note(struct lcore *, struct lcore_msg *msg)
{
	unsigned at = atomic_fetch_add(&msgs_ran, 1);

	msg_order[at] = msg->u[0];
}

static bool msgs_ran_are(void *arg)
{
	return atomic_load(&msgs_ran) == (unsigned)(uintptr_t)arg;
}

/* The ring is full while the worker is kept busy: every reserved post finds its place, no other can. */
static void a_reserved_post_never_fails(void **)
{
	struct worker_job hold;
	struct lcore *lc = lcore_get(0);
	unsigned n = 0;

	atomic_store(&msgs_ran, 0);
	assert_int_equal(lcore_msg_reserve(lc, LCORE_MSG_RING + 1), -EAGAIN);
	worker_hold(0, &hold);
	while (lcore_msg_reserve(lc, 1) == 0)
		n++;
	assert_int_equal(n, LCORE_MSG_RING);
	lcore_msg_unreserve(lc, 3);
	assert_int_equal(lcore_msg_reserve(lc, 4), -EAGAIN);
	assert_int_equal(lcore_msg_reserve(lc, 3), 0);
	for (unsigned i = 0; i < n; i++) {
		struct lcore_msg msg = {.fn = msg_note, .u = {i}};

		lcore_msg_post(lc, &msg);
	}
	assert_false(lcore_quiet());
	worker_let_go(&hold);
	assert_true(worker_until(msgs_ran_are, (void *)(uintptr_t)n));
	for (unsigned i = 0; i < n; i++)
		assert_int_equal(msg_order[i], i);
	assert_true(worker_settle());
	assert_int_equal(atomic_load(&lc->msgs_reserved), 0);
}

#define POSTERS 3u
#define POSTS	20000u
static atomic_uint poster_ran;

static void msg_count(struct lcore *, struct lcore_msg *)
{
	atomic_fetch_add(&poster_ran, 1);
}

static void *poster(void *arg)
{
	struct lcore *lc = lcore_get((unsigned)(uintptr_t)arg % WORKERS);
	struct lcore_msg msg = {.fn = msg_count};

	for (unsigned i = 0; i < POSTS; i++) {
		while (lcore_msg_reserve(lc, 1) != 0)
			sched_yield();
		lcore_msg_post(lc, &msg);
		/* Now and then long enough for the worker to fall asleep. */
		if (i % 500 == 0)
			worker_nap_ms(1);
	}
	return NULL;
}

static bool posters_ran(void *)
{
	return atomic_load(&poster_ran) == POSTERS * POSTS;
}

static void many_posters_wake_sleeping_workers(void **)
{
	struct lcore_view before[WORKERS], after;
	pthread_t thread[POSTERS];

	for (unsigned i = 0; i < WORKERS; i++)
		lcore_view(i, &before[i]);
	for (unsigned i = 0; i < POSTERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, poster, (void *)(uintptr_t)i), 0);
	for (unsigned i = 0; i < POSTERS; i++)
		pthread_join(thread[i], NULL);
	assert_true(worker_until(posters_ran, NULL));
	for (unsigned i = 0; i < WORKERS; i++) {
		lcore_view(i, &after);
		assert_true(after.sleeps > before[i].sleeps);
		assert_true(after.doorbells > before[i].doorbells);
	}
}

/* ---- events ----------------------------------------------------------------------------------- */

#define EVENTS 5000u

struct numbered_event {
	struct lcore_event ev;
	unsigned number;
};
static struct numbered_event numbered[EVENTS];
static unsigned events_ran, events_in_order;

static void event_note(struct lcore_event *ev)
{
	events_in_order += ((struct numbered_event *)ev)->number == events_ran;
	events_ran++;
}

static void post_events(struct lcore *lc, void *)
{
	for (unsigned i = 0; i < EVENTS; i++) {
		numbered[i] = (struct numbered_event){.ev.fn = event_note, .number = i};
		lcore_event_post(lc, &numbered[i].ev);
	}
}

static bool events_ran_are(void *arg)
{
	return events_ran == (unsigned)(uintptr_t)arg;
}

/* More than the ring holds, in one turn, and a worker that sleeps while they wait. */
static void events_overflow_and_keep_their_order(void **)
{
	struct pollfd p = {.fd = lcore_events_fd(), .events = POLLIN};
	struct lcore_view before, after;

	events_ran = events_in_order = 0;
	lcore_view(1, &before);
	worker_call(1, post_events, NULL);
	worker_nap_ms(20);
	lcore_view(1, &after);
	assert_true(after.events_deferred - before.events_deferred == EVENTS - LCORE_EVENT_RING);
	assert_false(lcore_quiet());
	/* A bounded share leaves the fd readable for the rest. */
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_int_equal(lcore_events_run(10), 10);
	assert_int_equal(poll(&p, 1, 5000), 1);
	assert_true(worker_until(events_ran_are, (void *)(uintptr_t)EVENTS));
	assert_int_equal(events_in_order, EVENTS);
	assert_true(worker_settle());
	assert_int_equal(lcore_events_run(10), 0);
	assert_int_equal(poll(&p, 1, 0), 0);
}

/* The fd alone is the control thread's wake-up: none is lost while both sides go back and forth. */
struct echo {
	struct lcore_event ev;
	atomic_uint seen;
};

static void echo_seen(struct lcore_event *ev)
{
	atomic_fetch_add(&((struct echo *)ev)->seen, 1);
}

static void echo_post(struct lcore *lc, struct lcore_msg *msg)
{
	lcore_event_post(lc, &((struct echo *)msg->arg)->ev);
}

static void no_event_is_lost(void **)
{
	struct pollfd p = {.fd = lcore_events_fd(), .events = POLLIN};

	for (unsigned i = 0; i < 5000; i++) {
		struct echo e[WORKERS] = {0};

		for (unsigned w = 0; w < WORKERS; w++) {
			struct lcore_msg msg = {.fn = echo_post, .arg = &e[w]};

			e[w].ev.fn = echo_seen;
			assert_int_equal(lcore_msg_reserve(lcore_get(w), 1), 0);
			lcore_msg_post(lcore_get(w), &msg);
		}
		while (atomic_load(&e[0].seen) + atomic_load(&e[1].seen) < 2) {
			assert_int_equal(poll(&p, 1, 5000), 1);
			lcore_events_run(i % 3 == 0 ? 1 : 100);
		}
	}
}

/* ---- tasks, flushes ---------------------------------------------------------------------------- */

static struct {
	struct lcore_task task, other;
	struct lcore_flush flush, cancelled;
	unsigned ran, other_ran, flushed, cancelled_ran;
	uint64_t turn_first, turn_last;
} work;

static void work_flush(struct lcore *, struct lcore_flush *)
{
	work.flushed++;
}

static void cancelled_flush(struct lcore *, struct lcore_flush *)
{
	work.cancelled_ran++;
}

static void other_run(struct lcore *, struct lcore_task *)
{
	work.other_ran++;
}

static void work_run(struct lcore *lc, struct lcore_task *task)
{
	if (work.ran++ == 0) {
		work.turn_first = lc->seen.turns;
		/* Behind this one in the same list: taken off before its turn comes. */
		lcore_task_cancel(lc, &work.other);
	}
	work.turn_last = lc->seen.turns;
	lcore_flush_add(lc, &work.flush);
	lcore_flush_add(lc, &work.flush);
	lcore_flush_add(lc, &work.cancelled);
	lcore_flush_cancel(lc, &work.cancelled);
	if (work.ran < 5)
		lcore_task_add(lc, task);
}

static void work_start(struct lcore *lc, void *)
{
	work.task.run = work_run;
	work.other.run = other_run;
	work.flush.flush = work_flush;
	work.cancelled.flush = cancelled_flush;
	lcore_task_add(lc, &work.task);
	lcore_task_add(lc, &work.task);
	lcore_task_add(lc, &work.other);
}

static bool work_done(void *)
{
	return __atomic_load_n(&work.flushed, __ATOMIC_ACQUIRE) == 5;
}

static void a_task_runs_once_a_turn_and_a_flush_too(void **)
{
	worker_call(0, work_start, NULL);
	assert_true(worker_until(work_done, NULL));
	worker_nap_ms(5);
	assert_int_equal(work.ran, 5);
	assert_int_equal(work.other_ran, 0);
	assert_int_equal(work.flushed, 5);
	assert_int_equal(work.cancelled_ran, 0);
	/* Adding itself means the next turn, never again in this one. */
	assert_int_equal(work.turn_last - work.turn_first, 4);
}

/* ---- sockets ---------------------------------------------------------------------------------- */

static struct {
	struct lcore_fd lfd[2];
	int peer[2];
	unsigned calls[2];
	int rc;
} sock;

/* Both are ready in one batch; the first to be called removes both. */
static void sock_ready(struct lcore *lc, struct lcore_fd *lfd, uint32_t)
{
	sock.calls[lfd == &sock.lfd[1]]++;
	lcore_fd_del(lc, &sock.lfd[0]);
	lcore_fd_del(lc, &sock.lfd[1]);
}

static void sock_add(struct lcore *lc, void *)
{
	for (unsigned i = 0; i < 2; i++) {
		sock.lfd[i].ready = sock_ready;
		sock.rc |= lcore_fd_add(lc, &sock.lfd[i], EPOLLIN);
	}
	/* Ready before the next epoll, so that one batch holds both. */
	for (unsigned i = 0; i < 2; i++)
		sock.rc |= write(sock.peer[i], "x", 1) != 1;
}

static bool sock_called(void *)
{
	return __atomic_load_n(&sock.calls[0], __ATOMIC_ACQUIRE) +
		__atomic_load_n(&sock.calls[1], __ATOMIC_ACQUIRE) >
		0;
}

static void a_removed_fd_is_not_called_in_its_batch(void **)
{
	struct lcore_view view;

	for (unsigned i = 0; i < 2; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		sock.lfd[i].fd = pair[0];
		sock.peer[i] = pair[1];
	}
	worker_call(0, sock_add, NULL);
	assert_int_equal(sock.rc, 0);
	assert_true(worker_until(sock_called, NULL));
	worker_nap_ms(5);
	assert_int_equal(sock.calls[0] + sock.calls[1], 1);
	lcore_view(0, &view);
	assert_int_equal(view.fds, 0);
	for (unsigned i = 0; i < 2; i++) {
		close(sock.lfd[i].fd);
		close(sock.peer[i]);
	}
}

#define SLOW_SOCKETS 8u
#define SLOW_US	     200u

static struct {
	struct lcore_fd lfd[SLOW_SOCKETS];
	int peer[SLOW_SOCKETS];
	struct lcore_flush flush;
	unsigned calls[SLOW_SOCKETS];
	unsigned flushes;
	unsigned most, since_flush; /* sockets served between two flushes */
	_Atomic unsigned served;
} slow;

static void slow_flush(struct lcore *, struct lcore_flush *)
{
	slow.flushes++;
	slow.since_flush = 0;
}

/* As a socket that brings 64 KiB. */
static void slow_ready(struct lcore *lc, struct lcore_fd *lfd, uint32_t)
{
	uint64_t until = rte_rdtsc() + rte_get_tsc_hz() / 1000000 * SLOW_US;
	char c;

	while (rte_rdtsc() < until)
		;
	assert_int_equal(read(lfd->fd, &c, 1), 1);
	slow.calls[lfd - slow.lfd]++;
	if (++slow.since_flush > slow.most)
		slow.most = slow.since_flush;
	lcore_flush_add(lc, &slow.flush);
	atomic_fetch_add(&slow.served, 1);
}

static void slow_add(struct lcore *lc, void *)
{
	slow.flush.flush = slow_flush;
	for (unsigned i = 0; i < SLOW_SOCKETS; i++) {
		slow.lfd[i].ready = slow_ready;
		(void)lcore_fd_add(lc, &slow.lfd[i], EPOLLIN);
		(void)!write(slow.peer[i], "xy", 2); /* ready twice */
	}
}

static bool slow_served(void *)
{
	return atomic_load(&slow.served) == 2 * SLOW_SOCKETS;
}

static void slow_del(struct lcore *lc, void *)
{
	for (unsigned i = 0; i < SLOW_SOCKETS; i++)
		lcore_fd_del(lc, &slow.lfd[i]);
}

/* What takes long in a batch is spread over turns, with flushes between, and none is left behind. */
static void sockets_have_a_share_of_a_turn(void **)
{
	for (unsigned i = 0; i < SLOW_SOCKETS; i++) {
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
		slow.lfd[i].fd = pair[0];
		slow.peer[i] = pair[1];
	}
	worker_call(0, slow_add, NULL);
	assert_true(worker_until(slow_served, NULL));
	worker_call(0, slow_del, NULL);
	for (unsigned i = 0; i < SLOW_SOCKETS; i++) {
		assert_int_equal(slow.calls[i], 2);
		close(slow.lfd[i].fd);
		close(slow.peer[i]);
	}
	assert_in_range(slow.most, 1, 4); /* 500 us */
	assert_true(slow.flushes >= 4);
}

/* ---- memory, configuration -------------------------------------------------------------------- */

static void copy_frame(struct lcore *lc, void *arg)
{
	uint8_t bytes[FRAME_MAX_BYTES];
	struct frame f = {.data = bytes, .len = sizeof(bytes)};
	struct rte_mbuf *m;
	unsigned *bad = arg;

	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7);
	m = lcore_mbuf_copy(lc, &f);
	*bad = m == NULL || m->data_len != sizeof(bytes) || m->nb_segs != 1 ||
		memcmp(rte_pktmbuf_mtod(m, void *), bytes, sizeof(bytes)) != 0;
	rte_pktmbuf_free(m);
}

static void a_frame_is_copied_whole(void **)
{
	unsigned bad = 1;

	worker_call(0, copy_frame, &bad);
	assert_int_equal(bad, 0);
	assert_int_equal(rte_mempool_avail_count(lcore_pool(lcore_get(0))), 4095);
}

static void configuration_is_checked(void **)
{
	struct lcore_conf conf = {.workers = WORKERS};

	assert_int_equal(lcore_init(&conf), -EALREADY);
	lcore_stop();
	lcore_fini();
	assert_int_equal(lcore_count(), 0);
	conf.workers = WORKERS + 1;
	assert_int_equal(lcore_init(&conf), -EINVAL);
	conf.workers = 0;
	assert_int_equal(lcore_init(&conf), -EINVAL);
	conf = (struct lcore_conf){.workers = WORKERS, .ring_size = 100};
	assert_int_equal(lcore_init(&conf), -EINVAL);
	/* What is left of an attempt is gone: the next one works. */
	conf.ring_size = 0;
	conf.mbufs = 1023;
	assert_int_equal(lcore_init(&conf), 0);
	assert_int_equal(lcore_start(), 0);
	assert_true(worker_settle());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reserved_post_never_fails),
		cmocka_unit_test(many_posters_wake_sleeping_workers),
		cmocka_unit_test(events_overflow_and_keep_their_order),
		cmocka_unit_test(no_event_is_lost),
		cmocka_unit_test(a_task_runs_once_a_turn_and_a_flush_too),
		cmocka_unit_test(a_removed_fd_is_not_called_in_its_batch),
		cmocka_unit_test(sockets_have_a_share_of_a_turn),
		cmocka_unit_test(a_frame_is_copied_whole),
		cmocka_unit_test(configuration_is_checked),
	};

	return cmocka_run_group_tests(tests, worker_start_two, worker_stop);
}
