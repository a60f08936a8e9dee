/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One FIFO for all helpers under one mutex: a job costs a millisecond of RSA, so the lock is no matter. What
 * is done comes back on a second list, and an eventfd wakes the control thread.
 */

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include <event2/event.h>

#include "controlplane/handshake.h"
#include "drivers/session/stream.h"

/* Workers and the control thread keep 0: established sessions come before new ones. */
#define HELPER_NICE 10

STAILQ_HEAD(jobs, handshake_job);

static struct {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct jobs waiting;
	struct jobs done;
	bool stop;
	unsigned pending; /* control thread only */
	int done_fd;
	struct event *done_event;
	pthread_t *threads;
	unsigned thread_cnt;
} helpers = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.work = PTHREAD_COND_INITIALIZER,
	.done_fd = -1,
};

static void *helper_main(void *arg)
{
	struct stream_io *io = arg;
	struct handshake_job *job;
	bool wake;

	/* On Linux `who` 0 is the calling thread alone. Failing means equal priority, no more. */
	(void)setpriority(PRIO_PROCESS, 0, HELPER_NICE);
	pthread_mutex_lock(&helpers.lock);
	for (;;) {
		while (STAILQ_EMPTY(&helpers.waiting) && !helpers.stop)
			pthread_cond_wait(&helpers.work, &helpers.lock);
		if (helpers.stop)
			break;
		job = STAILQ_FIRST(&helpers.waiting);
		STAILQ_REMOVE_HEAD(&helpers.waiting, entry);
		pthread_mutex_unlock(&helpers.lock);

		if (job->compute != NULL) {
			job->compute(job);
			job->result = 0;
		} else {
			job->result = stream_handshake(job->stream, io);
		}

		pthread_mutex_lock(&helpers.lock);
		wake = STAILQ_EMPTY(&helpers.done);
		STAILQ_INSERT_TAIL(&helpers.done, job, entry);
		if (wake)
			(void)eventfd_write(helpers.done_fd, 1);
	}
	pthread_mutex_unlock(&helpers.lock);
	stream_io_destroy(io);
	return NULL;
}

static void jobs_finish(struct jobs *jobs)
{
	struct handshake_job *job;

	while ((job = STAILQ_FIRST(jobs)) != NULL) {
		STAILQ_REMOVE_HEAD(jobs, entry);
		helpers.pending--;
		job->done(job);
	}
}

static void done_ready(evutil_socket_t fd, short, void *)
{
	struct jobs done = STAILQ_HEAD_INITIALIZER(done);
	eventfd_t value;

	(void)eventfd_read(fd, &value);
	pthread_mutex_lock(&helpers.lock);
	STAILQ_CONCAT(&done, &helpers.done);
	pthread_mutex_unlock(&helpers.lock);
	jobs_finish(&done);
}

static int helper_start(unsigned i)
{
	struct stream_io *io = stream_io_create();
	int err;

	if (io == NULL)
		return -ENOMEM;
	err = pthread_create(&helpers.threads[i], NULL, helper_main, io);
	if (err != 0) {
		stream_io_destroy(io);
		return -err;
	}
	(void)pthread_setname_np(helpers.threads[i], "pb-handshake");
	helpers.thread_cnt++;
	return 0;
}

int handshake_init(struct event_base *base, unsigned threads)
{
	int err;

	STAILQ_INIT(&helpers.waiting);
	STAILQ_INIT(&helpers.done);
	helpers.stop = false;
	helpers.done_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	if (helpers.done_fd < 0)
		return -errno;
	helpers.threads = calloc(threads, sizeof(*helpers.threads));
	helpers.done_event =
		event_new(base, helpers.done_fd, EV_READ | EV_PERSIST, done_ready, NULL);
	if (helpers.threads == NULL || helpers.done_event == NULL ||
		event_add(helpers.done_event, NULL) != 0) {
		handshake_fini();
		return -ENOMEM;
	}
	for (unsigned i = 0; i < threads; i++) {
		err = helper_start(i);
		if (err != 0) {
			handshake_fini();
			return err;
		}
	}
	return 0;
}

void handshake_submit(struct handshake_job *job)
{
	helpers.pending++;
	pthread_mutex_lock(&helpers.lock);
	STAILQ_INSERT_TAIL(&helpers.waiting, job, entry);
	pthread_cond_signal(&helpers.work);
	pthread_mutex_unlock(&helpers.lock);
}

unsigned handshake_pending(void)
{
	return helpers.pending;
}

void handshake_fini(void)
{
	struct handshake_job *job;

	pthread_mutex_lock(&helpers.lock);
	helpers.stop = true;
	pthread_cond_broadcast(&helpers.work);
	pthread_mutex_unlock(&helpers.lock);
	for (unsigned i = 0; i < helpers.thread_cnt; i++)
		pthread_join(helpers.threads[i], NULL);
	helpers.thread_cnt = 0;
	free(helpers.threads);
	helpers.threads = NULL;
	/* Never computed: to their owners they look like a peer that said too little. */
	STAILQ_FOREACH (job, &helpers.waiting, entry)
		job->result = -EAGAIN;
	STAILQ_CONCAT(&helpers.done, &helpers.waiting);
	jobs_finish(&helpers.done);
	if (helpers.done_event != NULL)
		event_free(helpers.done_event);
	helpers.done_event = NULL;
	if (helpers.done_fd >= 0)
		close(helpers.done_fd);
	helpers.done_fd = -1;
}
