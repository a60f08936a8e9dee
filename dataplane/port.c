/* SPDX-License-Identifier: BSD-3-Clause */
/* The port table: indices, generations, and the quarantine of indices that MAC entries may still name. */

#include "dataplane/port.h"

#include <errno.h>
#include <stddef.h>

#include "dataplane/hub_priv.h"

struct port_slot port_table[PORT_MAX];
_Atomic uint16_t port_gens[PORT_MAX];

/*
 * Free indices wait in a queue, so that one rests as long as possible before it is used again. Chains
 * through next[]; index 0 ends them. Control thread only.
 */
static struct {
	uint32_t next[PORT_MAX];
	uint64_t due[PORT_MAX]; /* quarantined and not fresh: the pass that frees it */
	uint32_t first, last;
	uint32_t unused; /* indices from here on have never been used */
} table = {.unused = 1};

static void free_put(uint32_t idx)
{
	table.next[idx] = 0;
	if (table.first == 0)
		table.first = idx;
	else
		table.next[table.last] = idx;
	table.last = idx;
}

int port_reserve(struct port *port)
{
	uint32_t idx = table.first;

	if (table.unused < PORT_MAX) {
		idx = table.unused++;
	} else if (idx != 0) {
		table.first = table.next[idx];
	} else {
		return -ENOSPC;
	}
	port->idx = idx;
	port->gen = atomic_load_explicit(&port_gens[idx], memory_order_relaxed);
	port->joined = false;
	return 0;
}

void port_release(struct port *port)
{
	struct port_quarantine *q;
	uint32_t idx = port->idx;

	if (idx == 0)
		return;
	port->idx = 0;
	/* hub_port_leave() moves the generation on: if it did not, no MAC entry ever named this port. */
	if (port->hub == NULL ||
		port->gen == atomic_load_explicit(&port_gens[idx], memory_order_relaxed)) {
		free_put(idx);
		return;
	}
	q = hub_quarantine(port->hub);
	table.next[idx] = 0;
	if (q->first == 0)
		q->first = idx;
	else
		table.next[q->last] = idx;
	q->last = idx;
	if (q->fresh == 0)
		q->fresh = idx;
}

/*
 * A pass that was under way at the release may have gone by the entry already, and one that had ended is
 * told again with every slice: so the first number heard after the release counts as "under way", and
 * two more must complete. Chains are in order of release, so the first that is not due ends the walk.
 */
void port_table_swept(const struct hub *hub, uint64_t passes)
{
	struct port_quarantine *q = hub_quarantine(hub);
	uint32_t idx;

	for (idx = q->fresh; idx != 0; idx = table.next[idx])
		table.due[idx] = passes + 2;
	q->fresh = 0;
	while ((idx = q->first) != 0 && table.due[idx] <= passes) {
		q->first = table.next[idx];
		free_put(idx);
	}
}

void port_table_hub_gone(const struct hub *hub)
{
	struct port_quarantine *q = hub_quarantine(hub);

	while (q->first != 0) {
		uint32_t idx = q->first;

		q->first = table.next[idx];
		free_put(idx);
	}
	q->fresh = 0;
}
