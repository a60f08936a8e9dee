/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_LOAD_H
#define PATCHBAY_TEST_BENCH_LOAD_LOAD_H

/*
 * patchbay-bench: many sessions to one server from one thread.
 *
 *   options      the command line
 *   dial         a connection from connect() to the data phase
 *   member       a TCP connection in its data phase: bytes to frames and back
 *   peer         a session: its member connections, which of them sends
 *   frames       what the test frames look like
 *   traffic      who sends what to whom and when; what arrived, what did not
 *   histogram, process, report
 *   main         the phases: log in, learn, warm up, measure, drain, report
 *
 * A session's frames are only built when one of its sockets takes them, so nothing queues up in here: what is
 * late is late because the server, the kernel or this thread was, and a frame carries the time when it was
 * due. Without --rate each session has a bounded number of frames under way (the window), because a server
 * that is offered more than it can deliver has to drop, and what dropping costs is not what is asked for.
 *
 * The vocabulary of the protocol and the byte stream are Patchbay's own (drivers/session/wire, stream), which
 * have been checked against the original; both servers are measured by the same client.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <time.h>

#include "drivers/session/stream.h"
#include "drivers/session/wire/block.h"
#include "drivers/session/wire/zblock.h"
#include "test/bench/load/frames.h"
#include "test/bench/load/histogram.h"
#include "test/bench/load/options.h"
#include "test/bench/load/traffic.h"

#define LOAD_BURST 64u /* blocks parsed at a time */

/* Plaintext of one recv and a record begun before it, behind a partial block. */
#define LOAD_PLAIN_BYTES (STREAM_RECV_BYTES + 2u * STREAM_RECORD_BYTES)

struct load;
struct peer;

/* Something in the epoll set. */
struct watch {
	void (*ready)(struct load *l, struct watch *w, uint32_t events);
};

/* Bytes on the wire, without the login. */
struct wire_bytes {
	uint64_t to_server;
	uint64_t from_server;
};

struct load {
	const struct options *opt;
	struct ssl_ctx_st *ctx;
	struct stream_io *io;
	struct zblock *z;
	int epoll_fd;
	uint64_t now_ns;  /* read after each wait and each recv */
	uint64_t wait_ns; /* spent in epoll_wait() with nothing to do */
	uint8_t *plain;	  /* BLOCK_RX_PARTIAL_BYTES, then LOAD_PLAIN_BYTES */
	uint8_t record[STREAM_RECORD_BYTES];
	uint8_t inflated[ZBLOCK_INFLATED_BYTES];
	struct peer *peers;		    /* opt->sessions */
	TAILQ_HEAD(peer_ready, peer) ready; /* may have something to send */
	struct traffic traffic;
	struct wire_bytes wire;
	char cipher[64]; /* of the first session */
	/* logins */
	unsigned dials;	   /* under way */
	unsigned sessions; /* logged in so far */
	unsigned members;  /* member connections there are */
	unsigned failed;   /* sessions or connections that could not be made */
	unsigned lost;	   /* sessions that ended by themselves */
	char failure[160]; /* the first of them in words */
};

static inline uint64_t load_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Puts fd into the epoll set, changes what is asked for; exits when the kernel refuses. */
void load_watch(struct load *l, int fd, struct watch *w, uint32_t events);
void load_watch_change(struct load *l, int fd, struct watch *w, uint32_t events);
void load_unwatch(struct load *l, int fd);
/* Remembers the first failure for the report; counts it. */
void load_failed(struct load *l, const char *what, const char *why);

#endif
