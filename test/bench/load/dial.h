/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_DIAL_H
#define PATCHBAY_TEST_BENCH_LOAD_DIAL_H

/*
 * A connection from connect() to the data phase, without waiting anywhere: TLS, signature, hello, login or
 * additional_connect (wire.md 1 to 5). It ends in peer_member() or load_failed(), and then is no more.
 */

#include "test/bench/load/peer.h"

/* Begins one for a session: its login if it has none, else one more connection. Counted in l->dials. */
void dial_start(struct load *l, struct peer *p);

#endif
