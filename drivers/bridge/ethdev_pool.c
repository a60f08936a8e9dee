/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Memory that devices receive into. A pool may go only when all its buffers are back, and those of a device
 * that was closed may still stand in another device's transmit ring, which gives them back when it sends
 * again. So a closed device's pool rests here: it is taken by the next device it fits, or freed when it has
 * been complete for a grace period (a worker may just have put the last buffer into its cache).
 */

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/queue.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "drivers/bridge/bridge_priv.h"

#define CACHE	  256u
#define ROUND_MAX 65536u

struct resting {
	struct rte_mempool *pool;
	int socket;
	uint16_t room;
	bool complete;
	uint64_t token; /* of the grace period since it was seen complete */
	LIST_ENTRY(resting) entry;
};

static struct {
	pthread_mutex_t lock; /* openers and the control thread; never a worker */
	LIST_HEAD(, resting) list;
	unsigned serial;
} pools = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct rte_mempool *take(unsigned mbufs, uint16_t room, int socket)
{
	struct rte_mempool *pool = NULL;
	struct resting *r;

	pthread_mutex_lock(&pools.lock);
	LIST_FOREACH (r, &pools.list, entry) {
		if (r->pool->size == mbufs && r->room == room &&
			(r->socket == socket || socket < 0))
			break;
	}
	if (r != NULL) {
		LIST_REMOVE(r, entry);
		pool = r->pool;
		free(r);
	}
	pthread_mutex_unlock(&pools.lock);
	return pool;
}

/*
 * Room for the longest frame and the tag that a driver took out of it; if that will do the usual size, unless the
 * device takes less. Closer buffers are more of them on a page: where a hypervisor backs our huge pages with small
 * ones, testpmd io over 32 768 frames took 500 cycles a frame with 2 176 bytes of room, 400 with 1 792, 330 with 1 088.
 */
static uint16_t data_room(uint32_t max_len, bool any_room)
{
	uint32_t room = RTE_PKTMBUF_HEADROOM + (max_len + 4 + 63) / 64 * 64;

	return (uint16_t)(any_room || room > RTE_MBUF_DEFAULT_BUF_SIZE ? room
								       : RTE_MBUF_DEFAULT_BUF_SIZE);
}

static struct rte_mempool *take_or_make(unsigned mbufs, uint16_t room, int socket)
{
	char name[RTE_MEMPOOL_NAMESIZE];
	struct rte_mempool *pool = take(mbufs, room, socket);

	if (pool != NULL)
		return pool;
	snprintf(name, sizeof(name), "patchbay_dev_%u", pools.serial++);
	return rte_pktmbuf_pool_create(name, mbufs, CACHE, 0, room, socket);
}

struct rte_mempool *ethdev_pool_get(unsigned mbufs, uint32_t max_len, bool any_room, int socket)
{
	uint16_t room = data_room(max_len, any_room);
	struct rte_mempool *pool;

	/* 2^n - 1 wastes no slot of the pool's ring; of a large one the buffers are what costs. */
	if (mbufs < ROUND_MAX)
		mbufs = (unsigned)rte_align32pow2(mbufs + 1) - 1;
	if (!rte_eal_has_hugepages())
		socket = SOCKET_ID_ANY;
	pool = take_or_make(mbufs, room, socket);
	/* Slower across the nodes than here, but not nothing. */
	if (pool == NULL && socket != SOCKET_ID_ANY)
		pool = take_or_make(mbufs, room, SOCKET_ID_ANY);
	return pool;
}

void ethdev_pool_put(struct rte_mempool *pool, bool home)
{
	struct resting *r;

	if (home) {
		rte_mempool_free(pool);
		return;
	}
	r = calloc(1, sizeof(*r));
	/* Without these few bytes the pool stays for the life of the process: better than one freed early. */
	if (pool == NULL || r == NULL) {
		free(r);
		return;
	}
	r->pool = pool;
	r->socket = pool->socket_id;
	r->room = rte_pktmbuf_data_room_size(pool);
	pthread_mutex_lock(&pools.lock);
	LIST_INSERT_HEAD(&pools.list, r, entry);
	pthread_mutex_unlock(&pools.lock);
}

static bool may_go(struct resting *r)
{
	if (!rte_mempool_full(r->pool)) {
		r->complete = false;
		return false;
	}
	if (r->complete)
		return grace_passed(r->token);
	r->complete = true;
	r->token = grace_start();
	return false;
}

void ethdev_pool_reap(void)
{
	struct resting *r, *next;

	pthread_mutex_lock(&pools.lock);
	for (r = LIST_FIRST(&pools.list); r != NULL; r = next) {
		next = LIST_NEXT(r, entry);
		if (!may_go(r))
			continue;
		LIST_REMOVE(r, entry);
		rte_mempool_free(r->pool);
		free(r);
	}
	pthread_mutex_unlock(&pools.lock);
}

void ethdev_pool_fini(void)
{
	struct resting *r;

	while ((r = LIST_FIRST(&pools.list)) != NULL) {
		LIST_REMOVE(r, entry);
		rte_mempool_free(r->pool);
		free(r);
	}
}
