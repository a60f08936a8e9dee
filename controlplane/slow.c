/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Pools of slow helpers (slow.h): a queue in, a queue of finished jobs out, and an eventfd that wakes the
 * control thread's loop for the latter.
 */

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "controlplane/control.h"
#include "controlplane/slow.h"

static struct slow_pool shared = SLOW_POOL_INITIALIZER("pb-slow");

static void queue_init(struct slow_queue *q)
{
	q->head = NULL;
	q->tail = &q->head;
}

static void queue_put(struct slow_queue *q, struct slow_job *job)
{
	job->next = NULL;
	*q->tail = job;
	q->tail = &job->next;
}

static struct slow_job *queue_take(struct slow_queue *q)
{
	struct slow_job *job = q->head;

	if (job != NULL) {
		q->head = job->next;
		if (q->head == NULL)
			q->tail = &q->head;
	}
	return job;
}

static void *slow_thread(void *arg)
{
	struct slow_pool *slow = arg;

	/* Of this thread alone, on Linux. */
	if (slow->nice != 0)
		(void)setpriority(PRIO_PROCESS, (id_t)gettid(), slow->nice);
	pthread_mutex_lock(&slow->lock);
	for (;;) {
		struct slow_job *job = queue_take(&slow->todo);

		if (job == NULL) {
			if (slow->stop)
				break;
			pthread_cond_wait(&slow->more, &slow->lock);
			continue;
		}
		pthread_mutex_unlock(&slow->lock);
		job->work(job);
		pthread_mutex_lock(&slow->lock);
		queue_put(&slow->finished, job);
		eventfd_write(slow->done_fd, 1);
	}
	pthread_mutex_unlock(&slow->lock);
	return NULL;
}

static void run_finished(struct slow_pool *slow)
{
	struct slow_job *job;

	for (;;) {
		pthread_mutex_lock(&slow->lock);
		job = queue_take(&slow->finished);
		pthread_mutex_unlock(&slow->lock);
		if (job == NULL)
			return;
		job->done(job);
	}
}

static void done_ready(evutil_socket_t fd, short, void *arg)
{
	eventfd_t n;

	eventfd_read(fd, &n);
	run_finished(arg);
}

int slow_pool_init(struct slow_pool *slow, unsigned threads)
{
	sigset_t all, old;
	int rc = 0;

	if (threads == 0 || threads > SLOW_THREADS_MAX)
		return -EINVAL;
	queue_init(&slow->todo);
	queue_init(&slow->finished);
	slow->stop = false;
	slow->done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (slow->done_fd < 0)
		return -errno;
	slow->done_event =
		event_new(control_base(), slow->done_fd, EV_READ | EV_PERSIST, done_ready, slow);
	if (slow->done_event == NULL || event_add(slow->done_event, NULL) < 0) {
		slow_pool_fini(slow);
		return -ENOMEM;
	}

	/* Signals belong to the control thread's loop. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	for (slow->thread_cnt = 0; slow->thread_cnt < threads && rc == 0;) {
		char name[16];

		rc = pthread_create(&slow->threads[slow->thread_cnt], NULL, slow_thread, slow);
		if (rc != 0)
			break;
		snprintf(name, sizeof(name), "%.12s-%u", slow->name, slow->thread_cnt % 100);
		pthread_setname_np(slow->threads[slow->thread_cnt], name);
		slow->thread_cnt++;
	}
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (rc != 0)
		slow_pool_fini(slow);
	return -rc;
}

void slow_pool_submit(struct slow_pool *slow, struct slow_job *job)
{
	if (slow->thread_cnt == 0) {
		job->work(job);
		job->done(job);
		return;
	}
	pthread_mutex_lock(&slow->lock);
	queue_put(&slow->todo, job);
	pthread_cond_signal(&slow->more);
	pthread_mutex_unlock(&slow->lock);
}

static int join_all(struct slow_pool *slow, const struct timespec *deadline)
{
	for (; slow->thread_cnt > 0; slow->thread_cnt--) {
		pthread_t last = slow->threads[slow->thread_cnt - 1];

		if (deadline == NULL)
			pthread_join(last, NULL);
		else if (pthread_clockjoin_np(last, NULL, CLOCK_MONOTONIC, deadline) != 0)
			return -ETIMEDOUT;
	}
	return 0;
}

static int fini(struct slow_pool *slow, const struct timespec *deadline)
{
	int rc;

	pthread_mutex_lock(&slow->lock);
	slow->stop = true;
	pthread_cond_broadcast(&slow->more);
	pthread_mutex_unlock(&slow->lock);
	rc = join_all(slow, deadline);
	if (rc != 0 || slow->done_fd < 0)
		return rc;
	run_finished(slow); /* their owners still want their answer */
	if (slow->done_event != NULL)
		event_free(slow->done_event);
	slow->done_event = NULL;
	close(slow->done_fd);
	slow->done_fd = -1;
	return 0;
}

void slow_pool_fini(struct slow_pool *slow)
{
	fini(slow, NULL);
}

int slow_init(unsigned threads)
{
	return slow_pool_init(&shared, threads);
}

void slow_submit(struct slow_job *job)
{
	slow_pool_submit(&shared, job);
}

void slow_fini(void)
{
	fini(&shared, NULL);
}

int slow_fini_within(unsigned patience_ms)
{
	struct timespec deadline;

	clock_gettime(CLOCK_MONOTONIC, &deadline);
	deadline.tv_sec += patience_ms / 1000;
	deadline.tv_nsec += patience_ms % 1000 * 1000000L;
	if (deadline.tv_nsec >= 1000000000L) {
		deadline.tv_sec++;
		deadline.tv_nsec -= 1000000000L;
	}
	return fini(&shared, &deadline);
}
