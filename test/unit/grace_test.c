/* SPDX-License-Identifier: BSD-3-Clause */
/* Grace periods: deferred calls in order, held up by one reader, and a stress that frees under readers. */

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "dataplane/grace.h"

static unsigned order[4];
static unsigned order_cnt;

static void note(void *arg)
{
	order[order_cnt++] = *(unsigned *)arg;
}

static void init_is_checked(void **)
{
	assert_int_equal(grace_init(0), -EINVAL);
	assert_int_equal(grace_init(2), 0);
	assert_int_equal(grace_init(2), -EALREADY);
	grace_fini();
	assert_int_equal(grace_init(2), 0);
	grace_fini();
}

static void an_online_reader_holds_it_up(void **)
{
	unsigned one = 1, two = 2;
	struct grace_node a, b;

	order_cnt = 0;
	assert_int_equal(grace_init(2), 0);
	assert_int_equal(grace_register(0), 0);
	assert_int_equal(grace_register(1), 0);
	grace_online(0);
	grace_online(1);

	grace_defer(&a, note, &one);
	grace_defer(&b, note, &two);
	assert_int_equal(grace_poll(), 2);
	grace_quiescent(0);
	assert_int_equal(grace_poll(), 2);
	assert_int_equal(order_cnt, 0);
	/* Offline counts as passed: a sleeping worker holds nobody up. */
	grace_offline(1);
	assert_int_equal(grace_poll(), 0);
	assert_int_equal(order_cnt, 2);
	assert_int_equal(order[0], 1);
	assert_int_equal(order[1], 2);

	grace_offline(0);
	grace_unregister(0);
	grace_unregister(1);
	grace_fini();
}

static struct grace_node again;
static unsigned again_cnt;

static void defer_again(void *)
{
	again_cnt++;
	grace_defer(&again, defer_again, NULL);
}

static void what_defers_again_waits_for_the_next_poll(void **)
{
	assert_int_equal(grace_init(1), 0);
	again_cnt = 0;
	grace_defer(&again, defer_again, NULL);
	assert_int_equal(grace_poll(), 1);
	assert_int_equal(again_cnt, 1);
	assert_int_equal(grace_poll(), 1);
	assert_int_equal(again_cnt, 2);
	grace_fini();
}

/* ---- readers and a publisher ------------------------------------------------------------------- */

#define READERS 2u
#define ROUNDS	20000u

struct thing {
	struct grace_node grace;
	uint64_t a, b; /* equal while the thing is alive */
};

static _Atomic(struct thing *) published;
static atomic_bool over;
static atomic_uint broken;
static unsigned freed;

static void thing_free(void *arg)
{
	struct thing *t = arg;

	/* What a reader must never see; under sanitizers the free itself is caught too. */
	t->b = ~t->a;
	free(t);
	freed++;
}

static void *reader(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;
	uint64_t turns = 0;

	if (grace_register(me) != 0)
		atomic_fetch_add(&broken, 1);
	grace_online(me);
	while (!atomic_load(&over)) {
		struct thing *t = atomic_load_explicit(&published, memory_order_acquire);

		for (unsigned i = 0; t != NULL && i < 10; i++) {
			if (t->a != t->b)
				atomic_fetch_add(&broken, 1);
		}
		if (++turns % 64 == 0) {
			grace_offline(me);
			sched_yield();
			grace_online(me);
		}
		grace_quiescent(me);
	}
	grace_offline(me);
	grace_unregister(me);
	return NULL;
}

static void nothing_is_freed_under_a_reader(void **)
{
	pthread_t thread[READERS];
	struct thing *last;

	assert_int_equal(grace_init(READERS), 0);
	for (unsigned i = 0; i < READERS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, reader, (void *)(uintptr_t)i), 0);
	for (uint64_t i = 1; i <= ROUNDS; i++) {
		struct thing *t = calloc(1, sizeof(*t)), *old;

		assert_non_null(t);
		t->a = t->b = i;
		old = atomic_exchange_explicit(&published, t, memory_order_acq_rel);
		if (old != NULL)
			grace_defer(&old->grace, thing_free, old);
		if (i % 16 == 0)
			grace_poll();
	}
	while (grace_poll() > 0)
		sched_yield();
	atomic_store(&over, true);
	for (unsigned i = 0; i < READERS; i++)
		pthread_join(thread[i], NULL);
	last = atomic_load(&published);
	free(last);
	assert_int_equal(freed, ROUNDS - 1);
	assert_int_equal(atomic_load(&broken), 0);
	grace_fini();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(init_is_checked),
		cmocka_unit_test(an_online_reader_holds_it_up),
		cmocka_unit_test(what_defers_again_waits_for_the_next_poll),
		cmocka_unit_test(nothing_is_freed_under_a_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
