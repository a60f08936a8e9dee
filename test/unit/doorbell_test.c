/* SPDX-License-Identifier: BSD-3-Clause */
/* Doorbell: no wake-up is lost, none is written to somebody who is awake. No EAL. */

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/doorbell.h"

#define ROUNDS	  200000u
#define PRODUCERS 2u
#define LOST_MS	  5000 /* far beyond any scheduling delay: work waits and nobody rang */

static struct doorbell bell;
static atomic_uint made;
static atomic_uint done;

static bool readable(int fd, int timeout_ms)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};

	return poll(&p, 1, timeout_ms) == 1;
}

static void rings_only_a_sleeper(void **)
{
	assert_int_equal(doorbell_init(&bell), 0);
	doorbell_ring(&bell);
	assert_false(readable(bell.fd, 0));
	doorbell_arm(&bell);
	doorbell_ring(&bell);
	doorbell_ring(&bell);
	assert_true(readable(bell.fd, 0));
	/* Two rings, one write: the first took the flag. */
	uint64_t count = 0;
	assert_int_equal(read(bell.fd, &count, sizeof(count)), sizeof(count));
	assert_int_equal(count, 1);
	doorbell_arm(&bell);
	doorbell_disarm(&bell);
	doorbell_ring(&bell);
	assert_false(readable(bell.fd, 0));
	doorbell_fini(&bell);
}

/*
 * Makes one piece of work, then waits until all that was made is done: so that the sleeper goes to sleep
 * again and again, and each ring meets it on the way there. The pause moves the meeting point.
 */
static void *producer(void *arg)
{
	unsigned pause = (unsigned)(uintptr_t)arg;

	for (unsigned i = 0; i < ROUNDS / PRODUCERS; i++) {
		unsigned mine = atomic_fetch_add_explicit(&made, 1, memory_order_release) + 1;

		doorbell_ring(&bell);
		while ((int)(atomic_load_explicit(&done, memory_order_acquire) - mine) < 0)
			sched_yield();
		for (unsigned k = (i * 7 + pause) % 200; k > 0; k--)
			atomic_signal_fence(memory_order_seq_cst);
	}
	return NULL;
}

static void no_wake_up_is_lost(void **)
{
	pthread_t thread[PRODUCERS];
	unsigned seen = 0, slept = 0, lost = 0;

	assert_int_equal(doorbell_init(&bell), 0);
	for (unsigned i = 0; i < PRODUCERS; i++)
		assert_int_equal(
			pthread_create(&thread[i], NULL, producer, (void *)(uintptr_t)(i * 31)), 0);
	while (seen < ROUNDS) {
		unsigned now = atomic_load_explicit(&made, memory_order_acquire);

		if (now != seen) {
			seen = now;
			atomic_store_explicit(&done, seen, memory_order_release);
			continue;
		}
		doorbell_arm(&bell);
		if (atomic_load_explicit(&made, memory_order_acquire) == seen) {
			slept++;
			if (readable(bell.fd, LOST_MS))
				doorbell_clear(&bell);
			else
				lost++;
		}
		doorbell_disarm(&bell);
	}
	for (unsigned i = 0; i < PRODUCERS; i++)
		pthread_join(thread[i], NULL);
	assert_int_equal(lost, 0);
	/* Otherwise the test did not test anything. */
	assert_true(slept > 1000);
	doorbell_fini(&bell);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rings_only_a_sleeper),
		cmocka_unit_test(no_wake_up_is_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
