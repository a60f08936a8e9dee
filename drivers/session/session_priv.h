/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_SESSION_PRIV_H
#define PATCHBAY_DRIVERS_SESSION_SESSION_PRIV_H

/*
 * Inside of the session driver.
 *
 *   session.c           control thread: life, messages to the worker, events back
 *   session_port.c      worker: the port (staging in, flush out), start and end
 *   connection_set.c    rules of the connections: who may join, which way, over which one next
 *   connection.c        worker: one TCP connection: bytes in -> frames, records out, its ends
 *   connection_timer.c  worker: keep-alives and time-outs
 *   session_zip.c       worker: compressed blocks in and out, and their share of a turn
 *   udp*.c              worker: the second path of its frames (udp_priv.h)
 *   session_worker.c    what a worker has once for all its sessions
 *
 * Who touches what: every struct names it. A message and the event that answers it carry ownership, so
 * nothing of a connection may be touched behind a call that can have ended it.
 */

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "dataplane/grace.h"
#include "dataplane/hub_options.h"
#include "dataplane/lcore.h"
#include "dataplane/port.h"
#include "drivers/session/connection_growth.h"
#include "drivers/session/connection_set.h"
#include "drivers/session/session.h"
#include "drivers/session/staging.h"
#include "drivers/session/stream.h"
#include "drivers/session/wire/block.h"
#include "drivers/session/wire/zblock.h"

/* Plaintext of one fill: what recv gave and a record begun before it, behind a carried partial block. */
#define SESSION_PLAIN_BYTES (STREAM_RECV_BYTES + 2u * STREAM_RECORD_BYTES)

/* Holds a partial block between two turns. */
struct carry {
	struct carry *next; /* in the worker's cache */
	uint8_t data[BLOCK_RX_PARTIAL_BYTES];
};

/* The two kinds of work on compressed blocks, each with a share of its own. */
enum zip_way {
	ZIP_IN,
	ZIP_OUT,
	ZIP_WAYS
};

/* Distance of inflated frames in the scratch: ZBLOCK_INFLATED_BYTES in whole cache lines. */
#define ZIP_FRAME_BYTES 1664u

/* Once per worker; the worker itself, apart from init and fini. */
struct session_worker {
	struct stream_io *io;
	uint8_t *plain; /* BLOCK_RX_PARTIAL_BYTES, then SESSION_PLAIN_BYTES */
	struct staging_pool pool;
	struct carry *carries;
	/* Compression, session_zip.c: */
	struct zblock *z;
	uint8_t *inflated;	    /* FRAME_BURST times ZIP_FRAME_BYTES */
	uint8_t *deflated;	    /* STREAM_RECORD_BYTES */
	int64_t zip_left[ZIP_WAYS]; /* TSC cycles of this turn's share */
	int64_t zip_share;
	struct lcore_task zip_renew;
	unsigned carries_cached;
} __attribute__((aligned(64)));

/* One TCP connection of a session. Made by the control thread, worked by the worker, freed by the former. */
struct session_connection {
	struct session *session;
	struct connection_member member;
	struct stream *stream;
	uint64_t id; /* the control plane's */
	struct lcore_fd lfd;
	struct lcore_timer timer; /* next keep-alive or receive time-out, whichever comes first */
	struct block_rx rx;
	struct carry *carry; /* partial block, NULL: none */
	uint32_t carry_bytes;
	uint32_t keepalive_ms;	/* interval drawn for the next keep-alive */
	uint64_t last_rx_ms;	/* complete block or keep-alive header */
	uint64_t last_tx_ms;	/* keep-alive or group */
	uint64_t bytes_in_seen; /* of the stream, already in the session's counters */
	uint64_t bytes_out_seen;
	bool dead;    /* socket unusable: no close_notify */
	bool backlog; /* received records wait for the next turn: `more` is queued */
	struct lcore_task more;
	enum session_end why;
	struct lcore_event ended;
};

/* Written by the owner worker alone, read by anybody. */
struct session_live {
	_Atomic uint64_t wire_bytes_in;
	_Atomic uint64_t wire_bytes_out;
	_Atomic uint64_t keepalives_in;
	_Atomic uint64_t keepalives_out;
	_Atomic uint64_t connections_joined;
	_Atomic uint64_t queued_frames;
	_Atomic uint64_t queued_bytes;
	_Atomic uint64_t last_rx_ms;
	_Atomic uint32_t connections;
};

enum session_state {
	SESSION_NEW,   /* not yet opened on the worker */
	SESSION_LIVE,  /* joined to the hub */
	SESSION_ENDED, /* left it; waits for the control thread's last message */
};

struct session {
	struct port port; /* first: the hub's view */

	/* ---- written before open, then read by both sides ---- */
	struct lcore *lc;
	struct session_worker *worker;
	uint32_t timeout_ms;
	bool half_duplex;
	bool compress;
	bool client;
	uint16_t adjust_mss;
	struct session_udp *udp; /* NULL: none was negotiated; its inside is the worker's */
	const struct session_callbacks *cb;
	void *ctx;

	/* ---- control thread ---- */
	bool end_asked; /* nothing is posted any more but END */
	enum session_end end_why;
	struct session_connection *first; /* made by session_create() so that open cannot fail */
	struct grace_node grace;	  /* END that found no room, later the end of the object */

	/* ---- owner worker ---- */
	enum session_state state __attribute__((aligned(64)));
	enum session_end why;
	uint16_t mss; /* what TCP inside is held to now, 0: nothing */
	struct staging staging;
	uint32_t flood_told; /* staging.flood_bytes as the hub knows it */
	struct lcore_flush flush;
	struct lcore_task resume; /* the rest of a flush that used up the turn's share */
	struct lcore_timer alone; /* armed while there is no connection */
	struct connection_set set;
	struct connection_growth growth; /* of the side that dialled */
	struct lcore_timer grow;	 /* its next step */
	uint32_t dials_failed_seen;
	struct lcore_event ending; /* ended by itself: asks for the last message */
	struct lcore_event
		ended; /* last message seen: nothing of the worker's refers to it any more */

	/* The worker asks for a connection; the event is the control thread's while `wanting`. */
	struct lcore_event wanted;
	_Atomic bool wanting;
	_Atomic uint32_t dials_failed; /* control thread counts */

	struct session_live live;
};

#define connection_of(m) container_of(m, struct session_connection, member)

/* Single writer: a plain add that readers may watch. */
#define live_add(counter, n)             \
	atomic_store_explicit((counter), \
		atomic_load_explicit((counter), memory_order_relaxed) + (n), memory_order_relaxed)
#define live_set(counter, v) atomic_store_explicit((counter), (v), memory_order_relaxed)

/* ---- session_worker.c ---- */

struct session_worker *session_worker_get(unsigned index);
/* A buffer for a partial block; NULL without memory. */
struct carry *carry_get(struct session_worker *w);
void carry_put(struct session_worker *w, struct carry *c);

/* ---- session_port.c: owner worker ---- */

extern const struct port_ops session_port_ops;
void session_start(struct lcore *lc, struct session *s, struct session_connection *c);
/* Ends it now: out of the hub, staging dropped, connections ended. Idempotent. */
void session_stop(struct lcore *lc, struct session *s, enum session_end why);
void session_flush(struct lcore *lc, struct lcore_flush *fl);
/* A connection has come or gone. */
void session_connections_changed(struct lcore *lc, struct session *s);
void session_alone_expire(struct lcore *lc, struct lcore_timer *t);

/* What TCP inside is held to in this burst, 0: nothing. The hub may switch it all off (hub.md 3 step 2). */
static inline uint16_t session_mss(const struct session *s)
{
	return s->mss == 0 || hub_get_options(s->port.hub)->disable_adjust_tcp_mss ? 0 : s->mss;
}
/* The UDP path has room for TCP segments of so many bytes; 0: it carries no frames now. */
void session_mss_changed(struct session *s, uint16_t udp_mss);

/* ---- session_growth.c: owner worker ---- */

void growth_start(struct lcore *lc, struct session *s);
/* Connections have come or gone: looks again, soon. */
void growth_changed(struct lcore *lc, struct session *s);
/* An attempt of ours has brought a connection, which may join or not. */
void growth_answered(struct session *s);
void growth_stop(struct lcore *lc, struct session *s);

/* ---- connection.c: owner worker ---- */

/* Takes the connection into its session, or ends it at once (session over, too many, no memory). */
void connection_join(struct lcore *lc, struct session *s, struct session_connection *c);
/* One recv, and what it brings to the hub. False: the connection has ended under the call. */
bool connection_receive(struct lcore *lc, struct session_connection *c);
/* Removes it from the session, says close_notify, hands it to the control thread. */
void connection_end(struct lcore *lc, struct session_connection *c, enum session_end why);
/*
 * Takes up to two chunks of a lane of its session's staging, encrypts and sends. 0: sent all it took; -EAGAIN:
 * the socket is full, EPOLLOUT will tell; -EPIPE: the connection has ended under the call.
 */
int connection_transmit(struct lcore *lc, struct session_connection *c, enum connection_lane lane);
/* Sends what waits in the stream, with the same answers. */
int connection_send(struct lcore *lc, struct session_connection *c);

/* ---- session_zip.c: owner worker ---- */

/* Scratch and states of a worker; -ENOMEM. Control thread. */
int zip_init(struct session_worker *w);
void zip_fini(struct session_worker *w);
/* False when this turn's share of the worker is used up: go on in the next, by a task. */
bool zip_has_share(const struct session_worker *w, enum zip_way way);
/* Inflates n <= FRAME_BURST blocks and gives the frames to the hub. */
void zip_input(struct lcore *lc, struct session *s, const struct block_span *spans, unsigned n);
/*
 * Deflates the first frames of `chunk` into one group in w->deflated, at most a record. Returns its bytes;
 * *to and *frames are what staging_take() wants once it is written; adds to *sent.
 */
size_t zip_group(struct lcore *lc, struct session_worker *w, const struct staging_chunk *chunk,
	uint32_t *to, uint32_t *frames, struct stats_traffic *sent);
/* Takes the time since `from` (TSC) off the turn's share. */
void zip_spend(struct lcore *lc, struct session_worker *w, enum zip_way way, uint64_t from);
/* lcore_task: the rest of a flush. */
void zip_resume(struct lcore *lc, struct lcore_task *task);

/* ---- connection_timer.c: owner worker ---- */

void connection_timer_start(struct lcore *lc, struct session_connection *c);
void connection_timer_expire(struct lcore *lc, struct lcore_timer *t);

/* ---- session.c: runs on the control thread ---- */

void session_on_connection_ended(struct lcore_event *ev);
void session_on_ending(struct lcore_event *ev);

#endif
