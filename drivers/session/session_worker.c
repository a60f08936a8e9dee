/* SPDX-License-Identifier: BSD-3-Clause */
/* What a worker has once for all its sessions: scratch, staging memory, buffers for partial blocks. */

#include <errno.h>
#include <stdlib.h>

#include "drivers/session/session_priv.h"

#define CARRIES_CACHED_MAX 64u

static struct session_worker *workers;
static unsigned worker_cnt;

void session_driver_fini(void)
{
	for (unsigned i = 0; i < worker_cnt; i++) {
		struct session_worker *w = &workers[i];

		while (w->carries != NULL) {
			struct carry *c = w->carries;

			w->carries = c->next;
			free(c);
		}
		stream_io_destroy(w->io);
		free(w->plain);
		zip_fini(w);
		staging_pool_fini(&w->pool);
	}
	free(workers);
	workers = NULL;
	worker_cnt = 0;
}

int session_driver_init(uint64_t staging_pool_bytes_per_worker)
{
	unsigned cnt = lcore_count();

	workers = aligned_alloc(64, cnt * sizeof(*workers));
	if (workers == NULL)
		return -ENOMEM;
	for (unsigned i = 0; i < cnt; i++)
		workers[i] = (struct session_worker){0};
	worker_cnt = cnt;
	for (unsigned i = 0; i < cnt; i++) {
		struct session_worker *w = &workers[i];

		w->io = stream_io_create();
		w->plain = malloc(BLOCK_RX_PARTIAL_BYTES + SESSION_PLAIN_BYTES);
		if (w->io == NULL || w->plain == NULL || zip_init(w) != 0 ||
			staging_pool_init(&w->pool, staging_pool_bytes_per_worker) != 0) {
			session_driver_fini();
			return -ENOMEM;
		}
	}
	return 0;
}

struct session_worker *session_worker_get(unsigned index)
{
	return index < worker_cnt ? &workers[index] : NULL;
}

struct carry *carry_get(struct session_worker *w)
{
	struct carry *c = w->carries;

	if (c == NULL)
		return malloc(sizeof(*c));
	w->carries = c->next;
	w->carries_cached--;
	return c;
}

void carry_put(struct session_worker *w, struct carry *c)
{
	if (c == NULL)
		return;
	if (w->carries_cached >= CARRIES_CACHED_MAX) {
		free(c);
		return;
	}
	c->next = w->carries;
	w->carries = c;
	w->carries_cached++;
}
