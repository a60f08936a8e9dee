/* SPDX-License-Identifier: BSD-3-Clause */
/* The policy of a port and the state of its limits (port_rules.h). */

#include "dataplane/port_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/port_rules_priv.h"

int port_rules_set(struct port *port, const struct policy *policy)
{
	unsigned first = port->home, last = port->home;
	struct port_rules *r;
	size_t bytes;

	for (unsigned i = 0; i < LCORE_MAX; i++) {
		if (port->stats[i] == NULL)
			continue;
		first = i < first ? i : first;
		last = i > last ? i : last;
	}
	bytes = sizeof(*r) + (last - first + 1) * sizeof(r->part[0]);
	r = aligned_alloc(64, bytes);
	if (r == NULL)
		return -ENOMEM;
	memset(r, 0, bytes);
	r->policy = *policy;
	r->first = first;
	r->parts = last - first + 1;
	port_rules_free(port);
	port->rules = r;
	port->max_macs = policy->max_macs;
	return 0;
}

void port_rules_free(struct port *port)
{
	free(port->rules);
	port->rules = NULL;
}
