/* SPDX-License-Identifier: BSD-3-Clause */
/* The policy of a port and the state of its limits (port_rules.h). */

#include "dataplane/port_rules.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/port_rules_priv.h"

static void looks_set(struct port_rules *r)
{
	const struct policy *p = &r->policy;

	r->looks_in = p->in_classes != 0 || p->upload_bps != 0 || p->vlan != 0;
	r->looks_ip = p->max_ip4s != 0 || p->max_ip6s != 0 ||
		(p->flags & (POLICY_F_CHECK_IP4 | POLICY_F_CHECK_IP6 | POLICY_F_DHCP_FORCE)) != 0;
	r->looks_out = p->out_classes != 0 || p->download_bps != 0 || p->vlan != 0 ||
		(p->flags & (POLICY_F_PRIVACY | POLICY_F_SAME_HOST)) != 0;
	r->looks_out_ip6 = (p->flags & (POLICY_F_NO_RA_ROUTER | POLICY_F_OUTER_IPV6)) != 0;
	r->tag_bytes = p->vlan != 0 ? 4 : 0;
}

int port_rules_set(struct port *port, const struct policy *policy)
{
	/* The records of the storm limiter come last, and most of a part are they. */
	size_t part_bytes = (policy->flags & POLICY_F_STORM) != 0
		? sizeof(struct port_part)
		: (offsetof(struct port_part, storm) + 63) / 64 * 64;
	unsigned first = port->home, last = port->home;
	struct port_rules *r;
	size_t bytes;

	for (unsigned i = 0; i < LCORE_MAX; i++) {
		if (port->stats[i] == NULL)
			continue;
		first = i < first ? i : first;
		last = i > last ? i : last;
	}
	bytes = sizeof(*r) + (last - first + 1) * part_bytes;
	r = aligned_alloc(64, bytes);
	if (r == NULL)
		return -ENOMEM;
	memset(r, 0, bytes);
	r->policy = *policy;
	r->first = first;
	r->parts = last - first + 1;
	r->part_bytes = part_bytes;
	looks_set(r);
	for (unsigned i = 0; i < r->parts; i++) {
		struct port_part *part = (struct port_part *)(void *)(r->part + i * part_bytes);

		meter_init(&part->up, policy->upload_bps / r->parts, lcore_clock_ms());
		meter_init(&part->down, policy->download_bps / r->parts, lcore_clock_ms());
	}
	port_rules_free(port);
	port->rules = r;
	port->max_macs = policy->max_macs;
	port->party = (struct access_party){
		.user = policy->user_name,
		.group = policy->group_name,
		.listable = policy->listable,
	};
	if ((policy->flags & POLICY_F_CHECK_MAC) != 0)
		port->flags |= PORT_F_CHECK_MAC;
	return 0;
}

void port_rules_free(struct port *port)
{
	free(port->rules);
	port->rules = NULL;
}
