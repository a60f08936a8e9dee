/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_SESSION_BED_H
#define PATCHBAY_TEST_UNIT_SESSION_BED_H

/*
 * A test bed for the session driver: the real worker loop on two lcores, one hub, and VPN peers that are
 * plain TLS clients speaking the data phase. The test's own thread is the control thread and all peers.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/hub.h"
#include "dataplane/lcore.h"
#include "drivers/session/session.h"
#include "drivers/session/stream.h"
#include "drivers/session/wire/block.h"
#include "test/unit/tls_peer.h"

#define BED_FRAMES_MAX 4096u
#define BED_ENDS_MAX   64u

/* What a peer has received. */
struct bed_peer {
	struct tls_peer tls;
	struct block_rx rx;
	uint8_t plain[65536];
	size_t plain_bytes;
	unsigned frames;
	unsigned keepalives;
	uint8_t last[64]; /* the last frame's beginning */
	struct {
		uint32_t number; /* bytes 14..17 of the frame */
		uint16_t len;
	} got[BED_FRAMES_MAX];
};

/* What the control thread has heard of a session. */
struct bed_session {
	struct session *s;
	unsigned connections_ended;
	enum session_end connection_why[BED_ENDS_MAX];
	uint64_t connection_id[BED_ENDS_MAX];
	bool stream_given[BED_ENDS_MAX];
	unsigned wanted; /* connections that it asked us to dial */
	bool ended;
	enum session_end why;
	struct session_counters final;
};

extern struct hub *bed_hub;

/* EAL, two workers, session driver. Aborts on failure. */
void bed_start(void);
/* ... and their UDP sockets, on any port. */
void bed_start_udp(void);
void bed_stop(void);
/* Fresh hub, so that each test's books begin at zero. */
void bed_hub_open(void);
/* Destroys it and checks that its books balance. */
void bed_hub_close(void);

/* How bed_connect() and bed_open_conf() make connections and sessions until it is changed back. */
struct bed_modes {
	bool raw;      /* below TLS */
	bool compress; /* every block a zlib stream */
	bool noise;    /* frames that cannot be compressed */
};
extern struct bed_modes bed_modes;

/* Opens a TCP connection over loopback, TLS handshake done; the peer's side is in *p. */
struct stream *bed_connect(struct bed_peer *p, int version);
/* The same with a stream of ours at either end: what bed_modes.raw says holds for both. */
void bed_connect_both(struct stream **server, struct stream **client);
/* The test's own thread's, for streams that no worker has yet. */
struct stream_io *bed_io(void);
/* From now on bed_pump() does not read what the peer receives. */
void bed_peer_neglect(struct bed_peer *p);
/* ... and from now on again. */
void bed_peer_attend(struct bed_peer *p);
void bed_peer_close(struct bed_peer *p);
void bed_open(struct bed_session *bs, struct bed_peer *p, unsigned worker, uint32_t timeout_ms);
/* The same with as many connections granted. */
void bed_open_many(struct bed_session *bs, struct bed_peer *p, unsigned worker, uint32_t timeout_ms,
	unsigned connections);
/* With any configuration: what is not about the bed itself is taken from *conf. */
void bed_open_conf(struct bed_session *bs, struct bed_peer *p, const struct session_conf *conf);
/* session_reserve() and session_add(); its error. The stream stays the caller's then. */
int bed_add(struct bed_session *bs, struct stream *stream, uint64_t id,
	enum session_direction direction);
void bed_end(struct bed_session *bs, enum session_end why);

/* Runs the control thread and reads all peers registered by bed_connect(), until cond or 10 s. */
bool bed_wait(bool (*cond)(void *arg), void *arg);
void bed_pump(void);
/* The same without events: what workers report stays where it is. */
void bed_sleep_ms(unsigned ms);
uint64_t bed_now_ms(void);

/* One frame: dst, src by station number (0 = broadcast), payload begins with `number`. */
size_t bed_frame(uint8_t *buf, unsigned dst, unsigned src, uint32_t number, size_t len);
/* `cnt` frames numbered from `first`, in groups, encrypted and sent. */
void bed_send_frames(
	struct bed_peer *p, unsigned dst, unsigned src, uint32_t first, unsigned cnt, size_t len);
/* The same in one record at most, without waiting: what the socket does not take is lost, errors ignored. */
void bed_try_frames(struct bed_peer *p, unsigned dst, unsigned src, unsigned cnt, size_t len);
void bed_send_keepalive(struct bed_peer *p);

#endif
