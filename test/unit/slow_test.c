/* SPDX-License-Identifier: BSD-3-Clause */
/* Slow helpers: work elsewhere, answers on the control thread, nothing lost at the end. */

#include <errno.h>
#include <event2/event.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/control.h"
#include "controlplane/slow.h"

#define JOBS 200u

static struct event_base *base;
static _Atomic unsigned worked;
static unsigned answered;
static pthread_t control_thread;
static sem_t gate;

struct event_base *control_base(void)
{
	return base;
}

struct job {
	struct slow_job job;
	pthread_t ran_on;
	char thread_name[16];
	bool done;
};

static void work(struct slow_job *j)
{
	struct job *job = (struct job *)j;

	job->ran_on = pthread_self();
	pthread_getname_np(job->ran_on, job->thread_name, sizeof(job->thread_name));
	worked++;
}

static void work_waiting(struct slow_job *j)
{
	sem_wait(&gate);
	work(j);
}

static void done(struct slow_job *j)
{
	struct job *job = (struct job *)j;

	assert_true(pthread_equal(pthread_self(), control_thread));
	assert_false(job->done);
	job->done = true;
	answered++;
}

static void begin(unsigned threads)
{
	base = event_base_new();
	assert_non_null(base);
	assert_int_equal(slow_init(threads), 0);
	control_thread = pthread_self();
	worked = 0;
	answered = 0;
}

static void end(void)
{
	slow_fini();
	event_base_free(base);
	base = NULL;
}

static void test_all_answered(void **)
{
	static struct job jobs[JOBS];

	memset(jobs, 0, sizeof(jobs));
	begin(3);
	for (unsigned i = 0; i < JOBS; i++) {
		jobs[i].job.work = work;
		jobs[i].job.done = done;
		slow_submit(&jobs[i].job);
	}
	while (answered < JOBS)
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	assert_int_equal(worked, JOBS);
	for (unsigned i = 0; i < JOBS; i++) {
		assert_true(jobs[i].done);
		assert_false(pthread_equal(jobs[i].ran_on, control_thread));
		assert_memory_equal(jobs[i].thread_name, "pb-slow-", 8);
	}
	end();
}

/* One that waits for somebody keeps no other waiting. */
static void test_one_waits(void **)
{
	struct job slow = {.job = {.work = work_waiting, .done = done}};
	struct job quick[5] = {};

	begin(2);
	slow_submit(&slow.job);
	for (unsigned i = 0; i < 5; i++) {
		quick[i].job = (struct slow_job){.work = work, .done = done};
		slow_submit(&quick[i].job);
	}
	while (answered < 5)
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	assert_false(slow.done);
	sem_post(&gate);
	while (answered < 6)
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	assert_true(slow.done);
	end();
}

static void test_end_finishes(void **)
{
	static struct job jobs[JOBS];

	memset(jobs, 0, sizeof(jobs));
	begin(2);
	for (unsigned i = 0; i < JOBS; i++) {
		jobs[i].job = (struct slow_job){.work = work, .done = done};
		slow_submit(&jobs[i].job);
	}
	end(); /* the loop never ran */
	assert_int_equal(worked, JOBS);
	assert_int_equal(answered, JOBS);
}

static void test_end_within(void **)
{
	struct job stuck = {.job = {.work = work_waiting, .done = done}};
	struct job other = {.job = {.work = work, .done = done}};

	sem_init(&gate, 0, 0);
	begin(2);
	slow_submit(&stuck.job);
	slow_submit(&other.job);
	/* The one that never comes back is given up; what it keeps busy is not torn down. */
	assert_int_equal(slow_fini_within(50), -ETIMEDOUT);
	assert_false(stuck.done);
	sem_post(&gate);
	assert_int_equal(slow_fini_within(5000), 0);
	assert_true(stuck.done && other.done);
	end();
	sem_destroy(&gate);
}

static void test_without_helpers(void **)
{
	struct job job = {.job = {.work = work, .done = done}};

	control_thread = pthread_self();
	slow_submit(&job.job);
	assert_true(job.done);
	assert_true(pthread_equal(job.ran_on, control_thread));
}

static int setup(void **)
{
	return sem_init(&gate, 0, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_answered),
		cmocka_unit_test(test_one_waits),
		cmocka_unit_test(test_end_finishes),
		cmocka_unit_test(test_end_within),
		cmocka_unit_test(test_without_helpers),
	};

	return cmocka_run_group_tests(tests, setup, NULL);
}
