/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_SLOW_H
#define PATCHBAY_CONTROLPLANE_SLOW_H

/*
 * Slow helpers: a small pool of threads for what may wait for somebody else - fsync, devices, name
 * resolution. They keep no login waiting. (Handshakes have helpers of their own: those only compute.)
 */

#include <pthread.h>
#include <stdbool.h>

#define SLOW_THREADS_MAX 32u

struct slow_job {
	void (*work)(
		struct slow_job *job); /* on a helper: may block, touches only the job's own data */
	void (*done)(
		struct slow_job *job); /* on the control thread afterwards; owns the job again */
	struct slow_job *next;	       /* slow's own */
};

/* A pool of its own for work that must not stand behind a device's; everything below goes for it as well. */
struct slow_queue {
	struct slow_job *head;
	struct slow_job **tail;
};

struct event;

struct slow_pool {
	const char *name; /* of its threads, at most 12 letters count */
	int nice;	  /* above 0: what may take its time */
	pthread_mutex_t lock;
	pthread_cond_t more;
	pthread_t threads[SLOW_THREADS_MAX];
	unsigned thread_cnt;
	bool stop;
	struct slow_queue todo;
	struct slow_queue finished;
	int done_fd;
	struct event *done_event;
};
#define SLOW_POOL_AT_NICE(name_, nice_)                                              \
	{                                                                            \
		.name = (name_), .nice = (nice_), .lock = PTHREAD_MUTEX_INITIALIZER, \
		.more = PTHREAD_COND_INITIALIZER, .done_fd = -1                      \
	}
#define SLOW_POOL_INITIALIZER(name_)	  SLOW_POOL_AT_NICE(name_, 0)
#define SLOW_POOL_NICE_INITIALIZER(name_) SLOW_POOL_AT_NICE(name_, 10)

/* With one thread jobs run in the order in which they were given. */
int slow_pool_init(struct slow_pool *pool, unsigned threads);
void slow_pool_submit(struct slow_pool *pool, struct slow_job *job);
void slow_pool_fini(struct slow_pool *pool);

/* The shared pool. -errno. Control thread, before the loop runs. */
int slow_init(unsigned threads);
/*
 * Queues the job (embedded in the caller's object; no bound needed since each object queues once). While no
 * helper runs - before slow_init() and from slow_fini() on - work() and done() run at once in the caller.
 * Control thread.
 */
void slow_submit(struct slow_job *job);
/* Finishes what is queued, joins, runs the done() that are due. Before control_fini(). */
void slow_fini(void);
/*
 * The same, but -ETIMEDOUT when a helper has not come back by then: a device's probe may never. Its thread and
 * its job are still there, so that the process has to end without further ado.
 */
int slow_fini_within(unsigned patience_ms);

#endif
