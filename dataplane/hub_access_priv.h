/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_HUB_ACCESS_PRIV_H
#define PATCHBAY_DATAPLANE_HUB_ACCESS_PRIV_H

/* What rules that pass do besides: hub_park.c (delay), hub_redirect.c. Worker. */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/stats.h"

struct burst;
struct input;
struct lcore;

/*
 * Frames that wait. Bounded for each rule and port (access-list.md 5 has no bound), and for the worker as a whole: a
 * rule must not take the buffers of everybody else. Nor may a port, through however many rules, have more of the
 * worker's places than are free at that moment: n ports that want more than there is come to a share of 1/(n+1) each,
 * and as much stays for whoever comes next. One alone has half of them.
 */
#define PARK_MAX	 2048u /* frames of a worker */
#define PARK_RULE_FRAMES 1024u /* of one rule and port */
#define PARK_RULE_BYTES	 (512u << 10)

struct park;

/* -ENOMEM. Before the worker runs. */
int hub_park_init(struct lcore *lc);
/* Frees it and what waits. The worker runs no more. */
void hub_park_fini(struct lcore *lc);

/* Sums over workers. Control thread. */
void lcore_parked(uint64_t *waiting, uint64_t *refused);

/*
 * A copy of frame j comes back through hub_input_again() in delay_ms: STATS_DROP_IN_CNT. Else there is no room for it, and
 * as what it is to be dropped: STATS_DROP_IN_ACCESS_DELAY, or _DELAY_SHARE for want of the port's share.
 */
enum stats_drop_in hub_park(struct input *in, unsigned j, uint32_t slot, uint32_t delay_ms);

/* How many pairs of a rule and a port have frames that wait: what is kept per pair is theirs alone. The worker, or tests. */
unsigned hub_park_shares(const struct lcore *lc);

/* Frame j is a TCP segment that is answered with a redirection: payload, ACK, and no SYN, RST, URG. */
bool hub_redirects(struct burst *b, unsigned j);
/*
 * Answers in the server's name, if its sender is a session of a user. An answer costs as much as a hundred frames, so a
 * worker makes HUB_REDIRECTS_MS of them in a millisecond for one hub: browsers repeat a request that nobody answers.
 * Returns as what the request is to be dropped: STATS_DROP_IN_REDIRECT, or _REDIRECT_LIMIT.
 */
#define HUB_REDIRECTS_MS 4u
enum stats_drop_in hub_redirect(struct input *in, unsigned j, const char *url);

#endif
