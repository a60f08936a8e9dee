/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_UDP_PRIV_H
#define PATCHBAY_DRIVERS_SESSION_UDP_PRIV_H

/*
 * Inside of UDP acceleration (wire.md section 7, architecture.md 6.9).
 *
 *   wire/udp_packet.c  datagrams: built, sealed, opened, read
 *   udp_engine.c       who computes ChaCha20-Poly1305: DPDK, or OpenSSL
 *   udp_path.c         whether the path carries frames now
 *   udp_recent.h       datagrams that come twice
 *   udp_table.c        whose datagram it is
 *   udp_socket.c       a worker's sockets: opened by the control thread, driven by the worker
 *   udp_rx.c           worker: datagrams in bursts -> sessions -> hub
 *   udp_tx.c           worker: staged frames -> datagrams of one size in a row -> few system calls
 *   udp.c              a session's half: made and freed with it, keep-alives, readiness, counters
 *
 * All sessions of a worker that peers opened share its socket of their address family; one that we dialled has
 * a socket for itself, with a table of one. What the kernel does not take of a batch
 * waits, sealed, in the socket's own buffer: one batch at most, and no session seals anything more for this
 * socket until it is gone. Frames wait as plaintext in staging meanwhile, where they can be dropped.
 */

#include <stdatomic.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "dataplane/lcore.h"
#include "drivers/session/session.h"
#include "drivers/session/session_udp.h"
#include "drivers/session/udp_path.h"
#include "drivers/session/udp_recent.h"
#include "drivers/session/udp_table.h"
#include "drivers/session/wire/udp_packet.h"

#define UDP_BURST 64u /* datagrams sealed, opened, switched at once; messages in one system call */
/* The longest datagram anybody may send us: a full frame that did not compress, padding, seals. */
#define UDP_DATAGRAM_MAX 2048u
#define UDP_OUT_BYTES	 (UDP_BURST * UDP_DATAGRAM_MAX)
#define UDP_TURN	 256u /* datagrams that one socket gets in a turn, before it looks again */
/*
 * Receiving, a message is one datagram, or a group of one size that the kernel did not take apart (UDP_GRO). As
 * long as single ones come a call has UDP_BURST slots, of which each touches one page; behind a group it has
 * UDP_GROUPS, or one call could bring more than a turn should, and twice as many behind each that was full of single
 * ones. (Not for a time: one group a second, from anybody, would cost all others a call for two datagrams.)
 */
#define UDP_GROUP_BYTES 65536u
#define UDP_GROUPS	2u
#define UDP_SLOT_BYTES	(UDP_GROUP_BYTES + 64u) /* so that not all begin in the same cache set */

struct session;
struct session_worker;
struct udp_worker;

/* Destination, source address, and size of the pieces: what one sendmsg() is told beside the bytes. */
#define UDP_CONTROL_BYTES 64u
/* What recvmmsg() says beside them: the size of the pieces. */
#define UDP_GROUP_CONTROL CMSG_SPACE(sizeof(int))

/* Counters of a socket: the worker writes, anybody reads (struct session_udp_socket_view). */
struct udp_socket_live {
	_Atomic uint64_t datagrams_in;
	_Atomic uint64_t datagrams_out;
	_Atomic uint64_t calls_in;
	_Atomic uint64_t calls_out;
	_Atomic uint64_t groups_in;
	_Atomic uint64_t foreign;
	_Atomic uint64_t over_budget;
	_Atomic uint64_t truncated;
	_Atomic uint64_t blocked;
	_Atomic uint64_t send_errors;
	_Atomic uint32_t sessions;
};

struct udp_socket {
	struct lcore_fd lfd; /* fd -1: there is none */
	uint16_t family;
	uint16_t port;
	uint16_t budget;  /* bytes of a datagram that padding may fill up to */
	bool registered;  /* the worker polls it */
	uint16_t slots;	  /* of the next recvmmsg(): UDP_GROUPS .. UDP_BURST */
	bool no_segments; /* the kernel refused to cut datagrams out of a longer one */
	struct udp_worker *worker;
	struct udp_table *table; /* the worker's; of a session that we dialled: for itself */
	/* The batch under way: messages [at, cnt) have not been taken. */
	unsigned at, cnt;
	TAILQ_HEAD(, session_udp) waiting; /* sessions with staged frames, while at < cnt */
	struct udp_socket_live live;
	struct mmsghdr messages[UDP_BURST];
	struct iovec iovs[UDP_BURST];
	struct stats_traffic traffic[UDP_BURST];
	struct sockaddr_storage to;
	uint8_t control[UDP_BURST][UDP_CONTROL_BYTES] __attribute__((aligned(16)));
	uint8_t *out; /* UDP_OUT_BYTES */
};

enum udp_family {
	UDP_IP4,
	UDP_IP6,
	UDP_FAMILIES
};

/* Once per worker. */
struct udp_worker {
	struct udp_table table;
	struct udp_socket sockets[UDP_FAMILIES];
	/* Receiving: */
	uint8_t *in;	/* UDP_BURST slots, of which only what has been used is memory */
	uint8_t *trial; /* UDP_DATAGRAM_MAX, for trying keys */
	struct mmsghdr messages[UDP_BURST];
	struct iovec iovs[UDP_BURST];
	struct sockaddr_storage from[UDP_BURST];
	uint8_t control[UDP_BURST][UDP_GROUP_CONTROL] __attribute__((aligned(16)));
};

/* Counters of a session: its worker writes, anybody reads (struct session_udp_view). */
struct udp_live {
	_Atomic uint64_t datagrams_in;
	_Atomic uint64_t datagrams_out;
	_Atomic uint64_t bytes_in;
	_Atomic uint64_t bytes_out;
	_Atomic uint64_t frames_in;
	_Atomic uint64_t frames_out;
	_Atomic uint64_t keepalives_in;
	_Atomic uint64_t keepalives_out;
	_Atomic uint64_t forged;
	_Atomic uint64_t malformed;
	_Atomic uint64_t stale;
	_Atomic uint64_t repeated;
	_Atomic uint64_t moves;
	_Atomic uint64_t fallbacks;
	_Atomic uint64_t activations;
	_Atomic bool active;
};

/* A session's half of UDP acceleration. Made and freed by the control thread, else its worker's. */
struct session_udp {
	struct session *session;
	struct udp_socket *socket;
	bool owns_socket; /* we dialled: from session_udp_dial() */
	struct udp_member member;
	struct udp_path path;
	enum udp_packet_form form;
	uint8_t version;
	bool waiting;	       /* in the socket's list */
	uint16_t mss;	       /* clamp while active */
	uint16_t port_be;      /* told at login; for all guesses of an address */
	uint16_t natt_port_be; /* told in a keep-alive over TCP, 0: none */
	uint32_t receive_cookie, send_cookie;
	struct udp_seal *sealing, *opening;
	struct udp_address local; /* source of what we send */
	struct udp_address
		offered;	/* where the peer says it is; family 0: where its TCP comes from */
	struct udp_address tcp; /* where that is */
	uint64_t keepalive_ms;	/* next one due */
	uint64_t answered_ms;	/* last one out of turn */
	struct lcore_timer timer;
	TAILQ_ENTRY(session_udp) wait;
	struct udp_live live;
	struct udp_recent recent;
};

#define udp_of(m) container_of(m, struct session_udp, member)

/* ---- udp_socket.c ---- */

/* Opens, and polls no more, the socket of a session that we dialled. Owner worker. */
void udp_socket_start(struct lcore *lc, struct udp_socket *sock);
void udp_socket_stop(struct lcore *lc, struct udp_socket *sock);

struct udp_worker *udp_worker_get(unsigned index); /* NULL: UDP acceleration is not open */
/* Sends [at, cnt) of the socket's batch; counts into *sent and *failed. False: the rest has to wait. */
bool udp_socket_push(struct lcore *lc, struct udp_socket *sock, struct stats_traffic *sent,
	struct stats_traffic *failed);
/* One small datagram now, or never. */
void udp_socket_send_one(struct udp_socket *sock, const struct udp_address *local,
	const struct udp_address *to, const uint8_t *datagram, size_t bytes);
/* Writes the control part of a message: source address and, unless 0, the size of its pieces. */
void udp_socket_control(
	struct msghdr *mh, uint8_t *buf, const struct udp_address *local, uint16_t segment_bytes);

/* ---- udp_rx.c ---- */

/* Takes what waits, a turn's share at most. Also from timers, before they judge who has been silent. */
void udp_socket_receive(struct lcore *lc, struct udp_socket *sock);
/* lcore_fd: datagrams wait, or there is room again. */
void udp_socket_ready(struct lcore *lc, struct lcore_fd *lfd, uint32_t events);

/* ---- udp_tx.c ---- */

/* Sends what the session has staged, as long as the socket takes it. */
void udp_transmit(struct lcore *lc, struct session_udp *u);

/* ---- udp.c ---- */

struct session_udp *udp_create(
	const struct session_udp_conf *conf, struct session *s, unsigned worker);
void udp_destroy(struct session_udp *u); /* NULL is fine */
void udp_start(struct lcore *lc, struct session_udp *u);
void udp_stop(struct lcore *lc, struct session_udp *u); /* idempotent */
/* Frames go over it now. Timer and datagrams change that, not those who ask. */
bool udp_active(const struct session_udp *u);
/* The peer proved to be at `from`: its newest datagram came from there. */
void udp_moved(struct lcore *lc, struct session_udp *u, const struct udp_address *from);
/* A datagram was taken: maybe the path is ready; says something soon to a peer that has not heard us yet. */
void udp_heard(struct lcore *lc, struct session_udp *u);
/* A keep-alive over TCP told the peer's port as others see it (wire.md 6.7). */
void udp_natt_port(struct session_udp *u, uint16_t port);
/* A TCP connection has joined: another place where the peer may be expected. */
void udp_expect(struct session_udp *u, int tcp_fd);

#endif
