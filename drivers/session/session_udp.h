/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_SESSION_UDP_H
#define PATCHBAY_DRIVERS_SESSION_SESSION_UDP_H

/*
 * UDP acceleration of VPN sessions (wire.md section 7), as the control plane sees it.
 *
 * Each worker has one UDP socket of each address family, whose port peers are told at login: the port names the
 * worker. A session that negotiated it has a second path for its frames. TCP stays up; while datagrams are known
 * to arrive in both directions all frames go over UDP, and over TCP as soon as they are not. The rules of that
 * are in udp_path.h; what it can and cannot defend against in udp_table.h and udp_recent.h.
 *
 * Server and client do the same behind the login. Only that a session that we dialled has a socket for itself: two
 * of them to the same server would be one to it if they came from one address, and the login offers the port.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct session;
struct udp_socket;

#define SESSION_UDP_PORTS      5000u  /* looked at for a free one (wire.md 12: 40000..44999) */
#define SESSION_UDP_PORT_FIRST 40000u /* the original's */
#define SESSION_UDP_KEY_BYTES  32u

/* What was negotiated (7.2). */
struct session_udp_conf {
	uint8_t version; /* 1, 2 */
	bool encrypted;	 /* as the session; else datagrams are plain, whatever the version */
	bool fast;	 /* both sides detect a silent path within 2.1 s */
	/* Keys of the two directions: 20 bytes (version 1) or 32 (version 2). */
	uint8_t send_key[SESSION_UDP_KEY_BYTES];
	uint8_t receive_key[SESSION_UDP_KEY_BYTES];
	uint32_t send_cookie;		  /* in our datagrams */
	uint32_t receive_cookie;	  /* in the peer's */
	struct sockaddr_storage local;	  /* ours of the TCP connection */
	struct sockaddr_storage tcp_peer; /* the peer's */
	struct udp_socket *socket;	  /* we dialled: session_udp_dial()'s. NULL: the worker's */
	struct sockaddr_storage
		offered; /* what the peer told, with its port; unspecified address: tcp_peer's */
};

/*
 * Opens the sockets of all workers, on the first free ports from `first_port` on, else on any. After
 * session_driver_init(), before lcore_start(). -errno of socket() or bind(), -ENOMEM; then there is no UDP
 * acceleration, and nothing else is wrong.
 */
int session_udp_open(uint16_t first_port);
/* After lcore_stop(). */
void session_udp_close(void);

/* Who computes version 2, for the log: a driver of DPDK, or "OpenSSL". Control thread. */
const char *session_udp_engine(void);

/* Port of a worker's socket for AF_INET or AF_INET6; 0: there is none. Control thread. */
uint16_t session_udp_port(unsigned worker, unsigned family);

/*
 * A socket for a session that we are about to dial, on any port. session_create() takes it over when it succeeds;
 * else session_udp_hang_up(). -ENOTSUP: UDP acceleration is not open; -ENOMEM, -errno of socket() or bind().
 * Control thread.
 */
int session_udp_dial(unsigned worker, unsigned family, struct udp_socket **out);
uint16_t session_udp_dial_port(const struct udp_socket *sock);
void session_udp_hang_up(struct udp_socket *sock); /* NULL is fine */

/* Longest TCP segment whose frame fits a datagram (7.6). Pure. */
uint16_t session_udp_mss(bool ip6, bool encrypted);

struct session_udp_view {
	uint8_t version;
	bool encrypted;
	bool fast;
	bool active;   /* frames to the peer go over UDP now */
	uint16_t port; /* ours */
	uint64_t datagrams_in, datagrams_out;
	uint64_t bytes_in, bytes_out; /* of UDP payload */
	uint64_t frames_in, frames_out;
	uint64_t keepalives_in, keepalives_out;
	uint64_t forged;		 /* from the peer's address, but not sealed with its key */
	uint64_t malformed;		 /* sealed, but nothing that can be read */
	uint64_t stale;			 /* 30 s behind the newest */
	uint64_t repeated;		 /* had come before */
	uint64_t moves;			 /* the peer spoke from another address */
	uint64_t activations, fallbacks; /* TCP -> UDP, and back */
};

/* False, and zeros, if the session has no UDP acceleration. Relaxed snapshot. Control thread. */
bool session_udp_view(const struct session *s, struct session_udp_view *out);

struct session_udp_socket_view {
	uint16_t port;
	uint32_t sessions;
	uint64_t datagrams_in, datagrams_out;
	uint64_t calls_in, calls_out; /* system calls */
	uint64_t groups_in; /* messages of several datagrams, which the kernel had left together */
	uint64_t foreign;   /* no session's */
	uint64_t over_budget; /* more strangers than may be looked at in a second */
	uint64_t truncated;   /* longer than any datagram of the protocol */
	uint64_t blocked;     /* times the kernel took no more */
	uint64_t send_errors;
};

/* False if there is no such socket. Control thread. */
bool session_udp_socket_view(unsigned worker, unsigned family, struct session_udp_socket_view *out);

#endif
