/* SPDX-License-Identifier: BSD-3-Clause */
/* See wiped_heap.h. What malloc() gave can be given back to free(), too: a string of jansson's, for one. */

#include "controlplane/wiped_heap.h"

#include <event2/event.h>
#include <jansson.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

static void wiped_free(void *p)
{
	if (p == NULL)
		return;
	explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

/* Not realloc(), which leaves what it moved where it was. */
static void *wiped_realloc(void *p, size_t size)
{
	size_t had = p == NULL ? 0 : malloc_usable_size(p);
	void *moved = malloc(size);

	if (moved == NULL)
		return NULL;
	if (had > 0)
		memcpy(moved, p, had < size ? had : size);
	wiped_free(p);
	return moved;
}

void wiped_heap_init(void)
{
	event_set_mem_functions(malloc, wiped_realloc, wiped_free);
	json_set_alloc_funcs(malloc, wiped_free);
}
