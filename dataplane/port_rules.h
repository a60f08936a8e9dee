/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_PORT_RULES_H
#define PATCHBAY_DATAPLANE_PORT_RULES_H

/*
 * The policy of a port, and what its limits have to remember: one part for each worker that touches the port,
 * written by that worker alone. Where several do (a bridge with several queues), each has its share of every
 * rate.
 */

#include "dataplane/policy.h"
#include "dataplane/port.h"

/*
 * Gives the port a copy of `policy`. Before it joins; port->home and port->stats[] are set. Replaces an earlier
 * one. -ENOMEM. Control thread.
 */
int port_rules_set(struct port *port, const struct policy *policy);
/* With the port, when no worker knows it any more. Idempotent. */
void port_rules_free(struct port *port);

#endif
