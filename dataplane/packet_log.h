/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_PACKET_LOG_H
#define PATCHBAY_DATAPLANE_PACKET_LOG_H

/*
 * Which frames of a hub people want to read about, and the way there (reference/logging-admin.md 3).
 *
 * A worker writes no line and waits for nobody. Of each frame that is to be logged it puts a record into a
 * ring of its own: hub and ports by number, and of the bytes what the line will need - the headers, the
 * whole frame where the line says what is in it (a name that is asked for, an HTTP request, a lease) or its
 * bytes are wanted. One thread elsewhere takes the records out, finds the names and makes the lines. A record
 * that finds no room is a number: for the hub (hub_packets_unlogged()) and for the worker.
 *
 * A hub that logs nothing costs one test per burst. The rings are made when the first hub logs something.
 *
 * Kinds are the original's, as numbers of PacketLogConfig, and as there they contain each other: who logs IP
 * logs TCP. A frame is logged as that of its kinds says that wants most of it.
 */

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hub;

enum packet_log_kind {
	PACKET_LOG_CONNECTION, /* SYN, FIN, RST; and what tells what for: DNS query, HTTP, TLS, IKE, OpenVPN */
	PACKET_LOG_TCP,	 /* all of TCP */
	PACKET_LOG_DHCP, /* DHCP over IPv4 */
	PACKET_LOG_UDP,	 /* DHCP as well */
	PACKET_LOG_ICMP, /* both families */
	PACKET_LOG_IP,	 /* all of IP, both families */
	PACKET_LOG_ARP,
	PACKET_LOG_ETHERNET, /* every frame */
	PACKET_LOG_KINDS
};

enum packet_log_how {
	PACKET_LOG_OFF,
	PACKET_LOG_HEADER,
	PACKET_LOG_FULL, /* and all bytes of the frame */
};

/* What a hub logs: part of its options (hub_options.h). */
struct packet_log_conf {
	uint8_t how[PACKET_LOG_KINDS]; /* enum packet_log_how */
	bool no_ipv4, no_ipv6;	       /* nothing of that family, ARP included */
	bool no_http;		       /* HTTP requests are data like any other */
	uint32_t
		per_minute; /* frames of one port that are logged in a minute; more are dropped. 0 = any */
};

#define PACKET_LOG_RING_DEFAULT 4194304u
#define PACKET_LOG_RING_MIN	65536u
#define PACKET_LOG_RING_MAX	268435456u

/* A frame that is to be logged; `captured` bytes of it follow. Ports: idx << PORT_GEN_BITS | gen. */
struct packet_record {
	uint32_t bytes; /* of the whole record, a multiple of 16 */
	uint16_t captured;
	uint16_t frame_len;
	uint32_t hub;	/* struct hub.ref: hub_log_id() */
	uint32_t from;	/* port */
	uint32_t to;	/* port; 0: flooded */
	uint8_t kinds;	/* 1 << enum packet_log_kind, the ones that apply */
	uint8_t how;	/* PACKET_LOG_FULL: the bytes are wanted, and all of them are here */
	uint8_t opaque; /* the hub does not look into frames (DisableIPParsing) */
	uint8_t padding;
	uint64_t at_ms; /* lcore_clock_ms() */
	uint8_t data[];
};
static_assert(sizeof(struct packet_record) == 32);

/*
 * Size of each worker's ring from now on, a power of two; before the first hub logs anything. Control thread.
 */
void packet_log_set_ring(uint32_t bytes);
/* Makes the rings, once for all. -ENOMEM. Control thread; hub_set_options() calls it. */
int packet_log_open(void);
/* Gives them back; no worker runs and nobody reads. */
void packet_log_close(void);

/* How records name the hub, for as long as it lives. Control thread. */
uint32_t hub_log_id(const struct hub *hub);
/* Frames of the hub that were to be logged and found no room, since its start. Control thread. */
uint64_t hub_packets_unlogged(const struct hub *hub);
/* The same of a worker. Any thread. */
uint64_t packet_log_lost(unsigned worker);

/* ---- the reader: one thread ------------------------------------------------------------------- */

/* A place in the worker's ring up to which records may be taken now. */
uint64_t packet_log_head(unsigned worker);
/* The next record before `head`, NULL: there is none. Good until packet_log_release(). */
const struct packet_record *packet_log_next(unsigned worker, uint64_t head);
/* The worker may use the room of all that were taken. */
void packet_log_release(unsigned worker);

#endif
