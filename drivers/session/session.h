/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_SESSION_H
#define PATCHBAY_DRIVERS_SESSION_SESSION_H

/*
 * A VPN session as a hub port: the data phase of wire.md section 6.
 *
 * Session and connection are two objects (architecture.md 6.1). A session owns a port and 0..32
 * connections and lives without any until its time-out. It belongs to one worker for life, with all its
 * connections, TLS objects, timers and staging. The control plane creates it, hands connections to it,
 * asks it to end, and hears of ends through callbacks; it never touches what a worker owns.
 *
 * The same code serves a session that a peer opened and, later, one that we opened (cascade).
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/stats.h"

struct hub;
struct policy;
struct session;
struct session_connection;
struct session_udp_conf;
struct stream;

/* Why a connection or a session ended: name for lists and logs by session_end_name(). */
#define SESSION_END_LIST(X)                                                                    \
	X(PEER_CLOSED, "peer_closed")	/* EOF or close_notify */                              \
	X(RESET, "reset")		/* the socket said so */                               \
	X(TIMEOUT, "timeout")		/* wire.md 6.8 */                                      \
	X(PROTOCOL, "protocol")		/* stream format violated (wire.md 6.1) */             \
	X(TLS, "tls")			/* record layer error, KeyUpdate flood */              \
	X(ADMIN, "admin")		/* an administrator asked */                           \
	X(HUB_DOWN, "hub_down")		/* hub offline or deleted */                           \
	X(SHUTDOWN, "shutdown")		/* process ends */                                     \
	X(SESSION_GONE, "session_gone") /* connection arrived for a session that had ended */  \
	X(TOO_MANY, "too_many")		/* one connection more than tolerated */               \
	X(EXPIRED, "expired")		/* the account has */                                  \
	X(AUTO_DISCONNECT, "auto_disconnect") /* the policy's time is over */                  \
	X(LIFETIME, "lifetime") /* a connection that we dialled has lived as long as it may */ \
	X(NO_MEMORY, "no_memory")

enum session_end {
#define X(sym, name) SESSION_END_##sym,
	SESSION_END_LIST(X)
#undef X
	SESSION_END_CNT
};
const char *session_end_name(enum session_end why);

/*
 * Which way a connection carries data (wire.md 5.1). The side that it does not carry data to has no receive
 * time-out on it (6.8); a peer that is gone shows there by what TCP does not get acknowledged.
 */
enum session_direction {
	SESSION_BOTH = 0,
	SESSION_SERVER_TO_CLIENT = 1,
	SESSION_CLIENT_TO_SERVER = 2,
};

/* Bytes on the wire and the link's own accounts, beyond the port's stats_block. */
struct session_counters {
	struct stats_block port; /* viewpoint of the hub: in = from the peer */
	uint64_t wire_bytes_in;	 /* TCP payload */
	uint64_t wire_bytes_out;
	uint64_t keepalives_in;
	uint64_t keepalives_out;
	uint64_t connections_joined; /* since it began */
	uint64_t queued_frames;	     /* copies that wait in staging now */
	uint64_t queued_bytes;
	uint64_t last_rx_ms;  /* lcore_clock_ms() of the last block or keep-alive */
	uint32_t connections; /* now */
};

/* All run on the control thread. */
struct session_callbacks {
	/*
	 * A connection has left the session. `stream` now belongs to the control plane: close_notify is
	 * queued in it; finish it on the linger list. NULL when the socket is already dead.
	 */
	void (*connection_ended)(
		void *ctx, uint64_t connection_id, enum session_end why, struct stream *stream);
	/*
	 * The session has ended: no callback follows, its port is out of the hub. `final` is valid during
	 * the call. The driver frees the object by itself after a grace period.
	 */
	void (*ended)(void *ctx, enum session_end why, const struct session_counters *final);
	/*
	 * A session that we dialled wants one more connection (connection_growth.h): dial, and answer by
	 * session_add() or session_dial_failed(). May be NULL where session_conf.interval_ms is 0.
	 */
	void (*connection_wanted)(void *ctx);
};

struct session_conf {
	struct hub *hub;
	unsigned worker;	 /* lcore index, chosen by the control plane, for life */
	uint32_t timeout_ms;	 /* communication time-out, both meanings of wire.md 6.8 */
	uint8_t max_connections; /* granted; one more is tolerated (wire.md 5.4) */
	bool half_duplex;	 /* connections have a direction (wire.md 5.3) */
	bool qos;		 /* some frames go first (wire.md 6.5) */
	bool compress;		 /* every block is a zlib stream (wire.md 6.4) */
	bool client;		 /* we dialled: directions mean the opposite */
	/* Of the side that dialled (wire.md 5.2, 5.5); interval 0: the caller opens and ends by itself. */
	uint32_t interval_ms; /* between attempts to open another connection */
	uint32_t life_ms;     /* of each connection; 0: for ever */
	uint32_t port_flags;  /* PORT_F_*; monitoring mode: PORT_F_MIRROR | PORT_F_RECEIVE_ONLY */
	uint16_t adjust_mss;  /* TCP inside is held to segments of so many bytes; 0: not */
	const struct session_udp_conf *udp; /* session_udp.h; copied. NULL: no UDP acceleration */
	const struct policy *policy;	    /* dataplane/policy.h; copied. NULL: no rule at all */
	const char *who; /* "user|session|address" (port.h); copied. NULL: none */
	uint32_t
		staging_bytes; /* hard bound of what waits for the peer; 0 = STAGING_HARD_DEFAULT */
	uint32_t staging_age_ms; /* frames that waited for longer are dropped; 0 = none */
	const struct session_callbacks *cb;
	void *ctx;
};

/* Per-worker state (scratch, staging memory): after lcore_init(), before lcore_start(). -ENOMEM. */
int session_driver_init(uint64_t staging_pool_bytes_per_worker);
void session_driver_fini(void);

/*
 * Allocates a session and reserves all that opening it needs: port index, a place on the worker's message
 * ring. Nothing is visible yet. -ENOMEM, -ENOSPC (no port index), -EAGAIN (worker's
 * ring full). Control thread. The caller writes the welcome only after this succeeded
 * (architecture.md 6.2).
 */
int session_create(const struct session_conf *conf, struct session **out);
/* Undoes session_create() when the welcome could not be sent. Control thread. */
void session_abandon(struct session *s);

/*
 * Hands the first connection over (after the welcome went into the stream; unsent bytes go along) and
 * opens the session: joins the hub, reads once unconditionally, sends a keep-alive if it may. Its direction
 * follows from the mode. Cannot fail. `stream` must be parked. Control thread; it does not touch the stream again.
 */
void session_open(struct session *s, struct stream *stream, uint64_t connection_id);

/*
 * Another connection comes in two steps, as the first one does: a place for it is reserved, so that the
 * peer is told "joined" only when nothing can fail any more. -EAGAIN (worker's ring full), -ENOMEM,
 * -ENOTCONN (session_end() was called, or the session is known to have ended). Control thread.
 */
int session_reserve(struct session *s, struct session_connection **out);
/* Gives the place back, when the answer could not be sent. Control thread. */
void session_unreserve(struct session *s, struct session_connection *place);
/*
 * Hands the connection, parked, to the session. Cannot fail; nothing may have ended the session since
 * session_reserve(), which is to say: both in one callback. If the worker has ended it meanwhile, the
 * stream comes back by connection_ended(SESSION_GONE), before ended(). Control thread.
 */
void session_add(struct session *s, struct session_connection *place, struct stream *stream,
	uint64_t connection_id, enum session_direction direction);

/* What connection_wanted() asked for came to nothing; the next attempt is an interval's. Control thread. */
void session_dial_failed(struct session *s);

/*
 * Asks the worker to end one connection with close_notify; the answer is connection_ended(), unless it
 * had ended by itself, which has its own. -EAGAIN (worker's ring full). Control thread.
 */
int session_connection_close(struct session *s, uint64_t connection_id, enum session_end why);

/*
 * Asks the worker to end an opened session; the answer is connection_ended() for each connection, then
 * ended(). Idempotent; never fails. Control thread.
 */
void session_end(struct session *s, enum session_end why);

/* Relaxed snapshot while it lives (until ended()). Control thread. */
void session_view(const struct session *s, struct session_counters *out);

/* Index in the port table, for joining MAC entries with sessions. */
uint32_t session_port_idx(const struct session *s);
unsigned session_worker(const struct session *s);

#endif
