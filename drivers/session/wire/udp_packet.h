/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A datagram of UDP acceleration (wire.md 7.3): one frame or nothing, behind a header with the receiver's
 * cookie and two clocks, sealed with the key of its direction.
 *
 *   plain body    cookie 4 | tick 8 | echo 8 | size 2 | flag 1 | frame | padding
 *   no encryption body, without padding
 *   version 1     IV 20 | RC4(SHA1(key | IV), body | 20 zero bytes)
 *   version 2     nonce 12 | ChaCha20-Poly1305(key, nonce, body) | tag 16
 *
 * Version 1 is what peers older than 2019 speak. Its zero bytes tell a foreign datagram from one of ours but do
 * not protect the frame in it: who can change bits on the way can change bits of the frame.
 *
 * Datagrams are built and read as plain ones, and sealed and opened in place, many of one key at a time: what
 * the cipher costs to begin with is paid once for all, and another engine than OpenSSL can be put behind it
 * (struct udp_aead).
 *
 * No sockets, no clock, no allocation behind udp_seal_create(). One thread per object.
 */
#ifndef DRIVERS_SESSION_WIRE_UDP_PACKET_H
#define DRIVERS_SESSION_WIRE_UDP_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UDP_PACKET_HEADER	23u
#define UDP_PACKET_PADDING_MAX	31u /* random length up to this (7.3) */
#define UDP_PACKET_KEY_V1	20u
#define UDP_PACKET_KEY_V2	32u   /* of the 128 bytes negotiated (vectors/12) */
#define UDP_PACKET_SEED		20u   /* random bytes for the first IV or nonce */
#define UDP_PACKET_BUDGET_IP4	1426u /* bytes of a datagram that padding may fill up to (7.3) */
#define UDP_PACKET_BUDGET_IP6	1406u
#define UDP_PACKET_OVERHEAD_MAX (UDP_PACKET_HEADER + 40u + UDP_PACKET_PADDING_MAX)

enum udp_packet_form {
	UDP_PACKET_PLAIN, /* not encrypted, whatever the version */
	UDP_PACKET_V1,
	UDP_PACKET_V2,
};

struct udp_packet {
	uint32_t cookie; /* the receiver's */
	uint64_t tick;	 /* sender's monotonic milliseconds, never 0 */
	uint64_t echo;	 /* highest tick the sender has received, 0 if none */
	uint64_t id;	 /* of the sealed datagram: no two of one key have the same. 0 if plain */
	const uint8_t *data; /* frame or zlib stream, `size` bytes; size 0: keep-alive */
	uint16_t size;
	bool compressed; /* data is one zlib stream */
};

/* A datagram in memory, from its first byte (IV, nonce, or cookie) to its last. */
struct udp_datagram {
	uint8_t *data;
	uint32_t bytes;
	bool ok; /* set by udp_packet_open(): sealed with this key */
};

/* ChaCha20-Poly1305 with one key, whoever computes it. The owner embeds it. */
struct udp_aead {
	/*
	 * Encrypts (datagrams are nonce, text, room for the tag) or decrypts and checks, in place. Sets ok;
	 * an encryption that failed leaves nothing readable. Called with sealing always the same.
	 */
	void (*run)(struct udp_aead *aead, bool sealing, struct udp_datagram *d, unsigned n);
	/* Wipes the key, frees the object. */
	void (*destroy)(struct udp_aead *aead);
};

/* One direction of one session: its key, ready to use, and the next IV or nonce. */
struct udp_seal;

/**
 * @param key   UDP_PACKET_KEY_V1 or _V2 bytes, by form; unused for UDP_PACKET_PLAIN.
 * @param seed  UDP_PACKET_SEED random bytes; a new one for each object that seals.
 * @return NULL without memory.
 */
struct udp_seal *udp_seal_create(
	enum udp_packet_form form, const uint8_t *key, const uint8_t *seed);
/** Wipes the key. NULL is fine. */
void udp_seal_destroy(struct udp_seal *seal);
/** From now on another engine computes version 2, which was made with the same key; takes it over. */
void udp_seal_set_aead(struct udp_seal *seal, struct udp_aead *aead);

/** Bytes of a datagram with a body of that size and padding. Plain ones have no padding. */
size_t udp_packet_bytes(enum udp_packet_form form, uint32_t size, uint32_t padding);

/**
 * Most random padding of a datagram: 0..UDP_PACKET_PADDING_MAX, so that it stays within `budget` bytes, where
 * the frame does not exceed that by itself.
 */
uint32_t udp_packet_padding_room(enum udp_packet_form form, uint32_t size, uint32_t budget);

/**
 * Builds a datagram that is still to be sealed. Of *p the id is not read; p->data may stand where it belongs
 * already (udp_packet_payload()).
 * @param out  room for udp_packet_bytes().
 * @return its bytes.
 */
size_t udp_packet_put(
	enum udp_packet_form form, const struct udp_packet *p, uint32_t padding, uint8_t *out);
/** Where the frame stands in a datagram. */
uint8_t *udp_packet_payload(enum udp_packet_form form, uint8_t *datagram);

/** Seals datagrams that udp_packet_put() built. */
void udp_packet_seal(struct udp_seal *seal, struct udp_datagram *d, unsigned n);

/**
 * Opens datagrams: d[i].ok, or it was sealed with another key, changed on the way, or is no datagram; what
 * stands in it then has no meaning. Plain ones are all ok: the caller looks at the cookie.
 */
void udp_packet_open(struct udp_seal *seal, struct udp_datagram *d, unsigned n);

/**
 * Reads an opened datagram. @return 0, or -EPROTO if its body is malformed.
 * @param p  p->data points into the datagram.
 */
int udp_packet_get(enum udp_packet_form form, const struct udp_datagram *d, struct udp_packet *p);

#endif
