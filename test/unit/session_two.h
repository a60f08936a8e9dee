/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_SESSION_TWO_H
#define PATCHBAY_TEST_UNIT_SESSION_TWO_H

/*
 * What most tests of sessions begin with: a hub, two sessions in it, a peer for each and one to spare, and how to
 * wait for what they do. Behind cmocka.h.
 */

#include "test/unit/session_bed.h"

extern struct bed_peer pa, pb, pc;
extern struct bed_session a, b;

/* A test with a fresh hub, whose books balance behind it. */
#define TWO_TEST(fn)  cmocka_unit_test_setup_teardown(fn, two_setup, two_teardown)
#define two_run(list) two_run_tests(#list, list, sizeof(list) / sizeof((list)[0]))

int two_setup(void **state);
int two_teardown(void **state);
/* All of them on one bed; what main() returns. */
int two_run_tests(const char *name, const struct CMUnitTest *tests, size_t cnt);

/* a with pa, b with pb, both ready. */
void open_two(unsigned worker_a, unsigned worker_b, uint32_t timeout_ms);
void end_two(void);

/* The first keep-alive says that the session stands in its hub. */
void wait_ready(struct bed_peer *p);
/* Until the peer has got so many in all. */
void wait_frames(struct bed_peer *p, unsigned n);
/*
 * `cnt` frames for a session, numbered from 0, until all are in its accounts: in portions, because the ring
 * between two workers holds 1024 and one of them may be off its CPU.
 */
void send_copies(struct bed_peer *p, unsigned dst, unsigned src, unsigned cnt, size_t len,
	const struct bed_session *to, struct session_counters *now);

/* A full record of compressed blocks of a few bytes that each are a full frame; returns how many. */
unsigned dense_record(uint8_t record[STREAM_RECORD_BYTES], size_t *record_bytes);

/* For bed_wait(): of a session, of a peer. */
bool connections_ended(void *arg);
bool peer_saw_close_notify(void *arg);

#endif
