/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_METRICS_H
#define PATCHBAY_CONTROLPLANE_METRICS_H

/*
 * What a monitoring system wants to know, at http://ADDRESS:PORT/metrics: a listener of its own that knows one
 * answer, off unless patchbay.cfg names an address (metrics.address). Plain HTTP, for a loopback address, a management
 * network or a proxy that adds TLS; with a token (metrics.token) it answers whoever sends it as a bearer and nobody
 * else.
 *
 * Two forms of one content: OpenMetrics 1.0 for who asks for it (Accept), the older text format of Prometheus for all
 * others. Names, labels and their meaning stand in the answer itself (HELP). Labels are bounded: lcores, reasons of
 * drops, kinds of events, and the first METRICS_HUBS hubs; never users, sessions or addresses. The rest of the hubs is
 * in the totals, and counted (patchbay_hubs_unlisted).
 *
 * Bounds: METRICS_CLIENTS connections, a request of METRICS_REQUEST bytes, METRICS_PATIENCE_S from accept to the last
 * byte of the answer, which ends the connection. A text is made at most once a second, however many ask for it: its
 * numbers are up to a second old.
 *
 * Control thread only.
 */

#include <stdbool.h>
#include <stddef.h>

#define METRICS_HUBS	   1024u
#define METRICS_CLIENTS	   16u
#define METRICS_REQUEST	   8192u
#define METRICS_PATIENCE_S 10

struct config;
struct evbuffer;

/*
 * Opens the listener if there is to be one; 0 also if it could not be opened, which has been logged: an appliance that
 * cannot be watched still works. -ENOMEM. After lcore_start(); `config` outlives metrics_stop().
 */
int metrics_start(const struct config *config);
/* Idempotent. */
void metrics_stop(void);

/* Appends a text of all there is to `out`. -ENOMEM: `out` has half of it. (metrics_text.c) */
int metrics_text(struct evbuffer *out, bool openmetrics);

/* One value of a label as it stands between quotes: backslash, quote and newline with a backslash. Cut to `size`. */
void metrics_label(const char *value, char *out, size_t size);

#endif
