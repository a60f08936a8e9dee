/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_DOORBELL_H
#define PATCHBAY_DATAPLANE_DOORBELL_H

/*
 * How a producer wakes a thread that sleeps in epoll, and costs nothing while it does not sleep.
 *
 *   sleeper                              producer
 *   S1  sleeping = 1                     P1  put work into a ring
 *   S2  full fence                       P2  full fence
 *   S3  look at the rings once more      P3  if sleeping: swap it with 0, write the eventfd
 *   S4  nothing there: block
 *
 * Either P1 is seen in S3, or S1 is seen in P3: with a full fence between store and load on both sides
 * both cannot miss. The swap makes one write of many producers. A bell that rings although the sleeper
 * found work in S3 stays in the eventfd and shows up in the next epoll: harmless. No EAL.
 */

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct doorbell {
	_Atomic uint32_t sleeping; /* sleeper: 1, 0; producers: 0 */
	int fd;			   /* eventfd, non-blocking, for the sleeper's epoll (level) */
};

/* 0 or negative errno. */
static inline int doorbell_init(struct doorbell *bell)
{
	atomic_init(&bell->sleeping, 0);
	bell->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return bell->fd < 0 ? -errno : 0;
}

static inline void doorbell_fini(struct doorbell *bell)
{
	if (bell->fd >= 0)
		close(bell->fd);
	bell->fd = -1;
}

/* Sleeper, before the last look at its rings (S1, S2). */
static inline void doorbell_arm(struct doorbell *bell)
{
	atomic_store_explicit(&bell->sleeping, 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_seq_cst);
}

/* Sleeper, when it is awake again or did not sleep. */
static inline void doorbell_disarm(struct doorbell *bell)
{
	atomic_store_explicit(&bell->sleeping, 0, memory_order_relaxed);
}

/* Producer, once per burst, after the enqueue. Any thread. */
static inline void doorbell_ring(struct doorbell *bell)
{
	const uint64_t one = 1;

	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load_explicit(&bell->sleeping, memory_order_relaxed) != 0 &&
		atomic_exchange_explicit(&bell->sleeping, 0, memory_order_relaxed) != 0) {
		/* Fails only when the counter is full, and then it is readable anyway. */
		ssize_t written = write(bell->fd, &one, sizeof(one));

		(void)written;
	}
}

/* Sleeper, when epoll reports the fd. */
static inline void doorbell_clear(struct doorbell *bell)
{
	uint64_t count;
	ssize_t got = read(bell->fd, &count, sizeof(count));

	(void)got;
}

#endif
