/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_ADMIN_H
#define PATCHBAY_CONTROLPLANE_ADMIN_ADMIN_H

/*
 * Local administration: a unix stream socket for root alone that speaks JSON-RPC 2.0 with the methods of
 * method.h. patchbayctl is its usual client.
 *
 * One JSON document per line in both directions; one request of a caller at a time, answered in order.
 * `params` is an object, field names carry the original's suffixes. `id` is a string, a number or null and
 * is echoed; a request without one (a notification) and a batch are refused. Errors: -32700 not JSON,
 * -32600 not a request, -32602 params not an object; else the protocol's code (wire_error.h) with its text,
 * 33 for an unknown method, 38 with data.field for a bad parameter.
 *
 * A long list is written while it is made: valid JSON arrives in pieces, nothing is collected. A call runs in
 * slices between the other events of the loop and stops while its caller does not read. If a list has to be
 * broken off (the caller is told by the connection closing) the line stays without its end.
 *
 * Bounds: ADMIN_CLIENTS_MAX callers, ADMIN_REQUEST_MAX bytes of request and about ADMIN_OUTPUT_MAX bytes of
 * answer held for each; a caller that takes nothing for ADMIN_STALL_S seconds, sends nothing more of
 * a line begun for that long, or asks nothing for ADMIN_IDLE_S is disconnected.
 */

#define ADMIN_CLIENTS_MAX 32u
#define ADMIN_REQUEST_MAX 12582912u /* 32 768 access rules as text; the caller is root */
#define ADMIN_OUTPUT_MAX  65536u    /* a slice more is made only below this */
#define ADMIN_SLICE_ROWS  64u	    /* rows made in one go */
#ifndef ADMIN_STALL_S		    /* a test cannot wait that long */
#define ADMIN_STALL_S 20
#endif
#define ADMIN_IDLE_S 600

/*
 * Opens the socket (mode 0600; peers other than root and our own user are refused by their credentials) and
 * serves it on control_base(). A socket left behind by a process that died is replaced; one that somebody
 * answers on is -EADDRINUSE. -ENAMETOOLONG, -EACCES ... Control thread.
 */
int admin_start(const char *socket_path);
/* Closes all callers, removes the socket. Idempotent. Control thread. */
void admin_stop(void);

#endif
