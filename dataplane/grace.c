/* SPDX-License-Identifier: BSD-3-Clause */
/* Grace periods over one rte_rcu QSBR variable (grace.h says who does what). */

#include "dataplane/grace.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>

#include <rte_rcu_qsbr.h>

static struct rte_rcu_qsbr *qsbr;

/* In order of tokens; control thread only. */
static struct {
	struct grace_node *first;
	struct grace_node **last;
	unsigned count;
} waiting = {.last = &waiting.first};

int grace_init(unsigned readers)
{
	size_t size_bytes;

	if (qsbr != NULL)
		return -EALREADY;
	if (readers == 0)
		return -EINVAL;
	size_bytes = (rte_rcu_qsbr_get_memsize(readers) + 63) & ~(size_t)63;
	qsbr = aligned_alloc(64, size_bytes);
	if (qsbr == NULL)
		return -ENOMEM;
	if (rte_rcu_qsbr_init(qsbr, readers) != 0) {
		free(qsbr);
		qsbr = NULL;
		return -EINVAL;
	}
	return 0;
}

void grace_fini(void)
{
	free(qsbr);
	qsbr = NULL;
	waiting.first = NULL;
	waiting.last = &waiting.first;
	waiting.count = 0;
}

int grace_register(unsigned reader)
{
	return rte_rcu_qsbr_thread_register(qsbr, reader) == 0 ? 0 : -EINVAL;
}

void grace_unregister(unsigned reader)
{
	rte_rcu_qsbr_thread_unregister(qsbr, reader);
}

void grace_online(unsigned reader)
{
	rte_rcu_qsbr_thread_online(qsbr, reader);
}

void grace_quiescent(unsigned reader)
{
	rte_rcu_qsbr_quiescent(qsbr, reader);
}

void grace_offline(unsigned reader)
{
	rte_rcu_qsbr_thread_offline(qsbr, reader);
}

uint64_t grace_start(void)
{
	return rte_rcu_qsbr_start(qsbr);
}

bool grace_passed(uint64_t token)
{
	return rte_rcu_qsbr_check(qsbr, token, false) == 1;
}

void grace_defer(struct grace_node *node, void (*fn)(void *arg), void *arg)
{
	node->next = NULL;
	node->fn = fn;
	node->arg = arg;
	node->token = grace_start();
	*waiting.last = node;
	waiting.last = &node->next;
	waiting.count++;
}

unsigned grace_poll(void)
{
	/* What fn defers again waits for the next poll: no loop without end while no reader is there. */
	unsigned todo = waiting.count;

	while (todo-- > 0) {
		struct grace_node *node = waiting.first;

		if (!grace_passed(node->token))
			break;
		waiting.first = node->next;
		if (waiting.first == NULL)
			waiting.last = &waiting.first;
		waiting.count--;
		node->fn(node->arg);
	}
	return waiting.count;
}
