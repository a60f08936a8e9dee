/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_UDP_H
#define PATCHBAY_TEST_BENCH_LOAD_UDP_H

/*
 * UDP acceleration of a session, the client's side (wire.md 7): a socket per session, as a client has. When
 * the path works is judged by the server's own rules (drivers/session/udp_path.h).
 */

#include <stdbool.h>

#include "test/bench/load/peer.h"

/* Opens the socket and fills in the offer; false and nothing offered if there is none. */
bool udp_offer(struct load *l, struct peer *p, struct login_udp_offer *offer);
/* The server's answer; without `use` the socket is closed. False: it makes no sense. */
bool udp_answer(struct load *l, struct peer *p, const struct welcome_udp *answer);
/* Whether frames go this way now. */
bool udp_ready(struct load *l, struct peer *p);
/* Sends a batch of frames; true if some were sent. */
bool udp_transmit(struct load *l, struct peer *p);
/* Keep-alives, at their interval. */
void udp_keepalive(struct load *l, struct peer *p);
void udp_close(struct load *l, struct peer *p);

#endif
