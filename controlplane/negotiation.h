/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_NEGOTIATION_H
#define PATCHBAY_CONTROLPLANE_NEGOTIATION_H

/*
 * A connection between accept and login (wire.md 1.3-1.7, 3, 4): first byte, TLS handshake, HTTP preamble,
 * signature, hello, one PACK with a method, its answer. One state machine per connection, driven by its
 * socket and one absolute deadline; nothing a peer does before login makes it hold more than one PACK's
 * body, send it a frame, or reach a worker.
 *
 * Control thread only.
 */

#include <stdbool.h>
#include <stdint.h>

struct config;
struct connection;
struct event_base;
struct limits_source;
struct negotiation;

#define NEGOTIATION_PRODUCT	 "Patchbay VPN Server"
#define NEGOTIATION_WIRE_VERSION 501u /* what peers see in the hello (wire.md 3.1) */
#define NEGOTIATION_WIRE_BUILD	 9674u
#define NEGOTIATION_FAREWELL_MS	 5000u /* after an answer that ends the connection, wire.md 4.3 */

/* After server_tls_init(). `config` outlives negotiation_fini(). -ENOMEM. */
int negotiation_init(struct event_base *base, const struct config *config);
void negotiation_fini(void);

/*
 * Starts with an accepted, non-blocking socket, which it owns from here on (also on error: closed, counted).
 * Checks the limits of source_limits.h first.
 */
void negotiation_start(int fd, uint16_t listener_port);

/* Ends it with close_notify where TLS is up. The object may be gone when this returns. */
void negotiation_close(struct negotiation *n);

/*
 * A connection keeps its place among those that have not logged in until it is closed, so that one source
 * cannot fill the list of lingering streams: called with connection->budget when it goes.
 */
void negotiation_budget_return(struct limits_source *budget);

/* Connections that are neither established nor closing. */
unsigned negotiation_cnt(void);

#endif
