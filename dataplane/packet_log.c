/* SPDX-License-Identifier: BSD-3-Clause */
/* The rings of packet records, one per worker, and what the packet log makes of a frame (packet_log.h). */

#include "dataplane/packet_log.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "dataplane/byte_order.h"
#include "dataplane/lcore.h"
#include "dataplane/packet_log_priv.h"

#define TCP_FLAGS_AT	13u
#define TCP_FIN_SYN_RST 0x07u
#define PROTO_TCP	6u
#define PROTO_UDP	17u
#define TCP_BYTES	20u
#define UDP_BYTES	8u
#define PORT_DNS	53u
#define PORT_ISAKMP	500u
#define PORT_NAT_T	4500u
#define PORT_OPENVPN	1194u
#define PORT_TLS	443u
#define DNS_BYTES	12u
#define DNS_RESPONSE	0x80u /* of the first byte of its flags */
#define IKE_BYTES	28u
#define BEHIND_L4	40u /* of a header that has options */
#define BEHIND_L3	64u

_Atomic(struct packet_ring *) packet_rings;

static uint32_t ring_bytes = PACKET_LOG_RING_DEFAULT;

/* ---- what a frame is -------------------------------------------------------------------------- */

static bool is_http_port(uint32_t port)
{
	return port == 80 || port == 8080 || port == 3128;
}

static bool is_http_request(const uint8_t *p, uint32_t bytes)
{
	static const char methods[][9] = {
		"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE "};

	for (unsigned i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		size_t n = strlen(methods[i]);

		if (bytes > n && memcmp(p, methods[i], n) == 0)
			return true;
	}
	return false;
}

/* A TLS record with a ClientHello. */
static bool is_client_hello(const uint8_t *p, uint32_t bytes)
{
	return bytes > 9 && p[0] == 0x16 && p[1] == 3 && p[5] == 1;
}

static void look_tcp(
	const uint8_t *data, uint32_t len, uint32_t at, bool http, struct packet_look *out)
{
	uint32_t to = be16(data + at + 2), header = (data[at + 12] >> 4) * 4u;

	out->kinds = PACKET_KINDS_TCP;
	if ((data[at + TCP_FLAGS_AT] & TCP_FIN_SYN_RST) != 0) {
		out->kinds = PACKET_KINDS_CONNECT;
		return;
	}
	if (header < TCP_BYTES || header >= len - at)
		return;
	at += header;
	if ((http && is_http_port(to) && is_http_request(data + at, len - at)) ||
		(to == PORT_TLS && is_client_hello(data + at, len - at))) {
		out->kinds = PACKET_KINDS_CONNECT;
		out->capture = len;
	}
}

/* The first packet of an OpenVPN client: a hard reset, versions 1 to 3. */
static bool is_openvpn(const uint8_t *p, uint32_t bytes)
{
	return bytes >= 14 && (p[0] >> 3 == 1 || p[0] >> 3 == 7 || p[0] >> 3 == 10);
}

/* A header of IKE, version 1 or 2, of an initiator who has no answer yet; on port 4500 behind four zeros. */
static bool is_ike(const uint8_t *p, uint32_t bytes, uint32_t port)
{
	static const uint8_t zeros[8];

	if (port == PORT_NAT_T) {
		if (bytes < 4 || memcmp(p, zeros, 4) != 0)
			return false;
		p += 4;
		bytes -= 4;
	}
	return bytes >= IKE_BYTES && (p[17] >> 4 == 1 || p[17] >> 4 == 2) &&
		memcmp(p + 8, zeros, 8) == 0;
}

static void look_udp(const uint8_t *data, uint32_t len, uint32_t at, struct packet_look *out)
{
	uint32_t to = be16(data + at + 2), bytes = len - at - UDP_BYTES;
	const uint8_t *p = data + at + UDP_BYTES;
	bool names = false;

	out->kinds = PACKET_KINDS_UDP;
	if (to == PORT_DNS)
		names = bytes >= DNS_BYTES && (p[2] & DNS_RESPONSE) == 0;
	else if (to == PORT_ISAKMP || to == PORT_NAT_T)
		names = is_ike(p, bytes, to);
	else if (to == PORT_OPENVPN)
		names = is_openvpn(p, bytes);
	if (names) {
		out->kinds |= 1u << PACKET_LOG_CONNECTION;
		out->capture = len;
	}
}

void packet_log_look(const uint8_t *data, uint32_t len, const struct frame_class *c, bool http,
	struct packet_look *out)
{
	uint32_t want = c->l4_at != 0 ? c->l4_at + BEHIND_L4 : c->l3_at + BEHIND_L3;

	out->capture = want < len ? want : len;
	if ((c->classes & FRAME_ARP) != 0) {
		out->kinds = PACKET_KINDS_ARP;
	} else if ((c->classes & FRAME_DHCP4) != 0) {
		out->kinds = PACKET_KINDS_DHCP;
		out->capture = len;
	} else if (c->l4_at != 0 && c->proto == PROTO_TCP) {
		look_tcp(data, len, c->l4_at, http, out);
	} else if (c->l4_at != 0 && c->proto == PROTO_UDP) {
		look_udp(data, len, c->l4_at, out);
	} else if (c->l4_at != 0) {
		out->kinds = PACKET_KINDS_ICMP;
	} else {
		out->kinds =
			(c->classes & FRAME_PACKET) != 0 ? PACKET_KINDS_IP : PACKET_KINDS_ETHER;
	}
}

/* ---- rings ------------------------------------------------------------------------------------ */

void packet_log_set_ring(uint32_t bytes)
{
	ring_bytes = bytes;
}

int packet_log_open(void)
{
	size_t head = sizeof(struct packet_ring) * lcore_count();
	struct packet_ring *rings;
	uint8_t *bytes;

	if (atomic_load_explicit(&packet_rings, memory_order_relaxed) != NULL)
		return 0;
	rings = aligned_alloc(64, head);
	/* All of it now: a page that is missing would be a worker's fault. */
	bytes = mmap(NULL, (size_t)ring_bytes * lcore_count(), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (rings == NULL || bytes == MAP_FAILED) {
		free(rings);
		if (bytes != MAP_FAILED)
			munmap(bytes, (size_t)ring_bytes * lcore_count());
		return -ENOMEM;
	}
	memset(rings, 0, head);
	for (unsigned i = 0; i < lcore_count(); i++) {
		rings[i].bytes = bytes + (size_t)i * ring_bytes;
		rings[i].size = ring_bytes;
	}
	/* Release: who finds them finds them filled in. */
	atomic_store_explicit(&packet_rings, rings, memory_order_release);
	return 0;
}

void packet_log_close(void)
{
	struct packet_ring *rings = atomic_load_explicit(&packet_rings, memory_order_relaxed);

	if (rings == NULL)
		return;
	atomic_store_explicit(&packet_rings, NULL, memory_order_relaxed);
	munmap(rings[0].bytes, (size_t)rings[0].size * lcore_count());
	free(rings);
}

static struct packet_ring *ring_of(unsigned worker)
{
	struct packet_ring *rings = atomic_load_explicit(&packet_rings, memory_order_acquire);

	return rings == NULL ? NULL : &rings[worker];
}

uint64_t packet_log_lost(unsigned worker)
{
	struct packet_ring *r = ring_of(worker);

	return r == NULL ? 0 : atomic_load_explicit(&r->lost, memory_order_relaxed);
}

uint64_t packet_log_head(unsigned worker)
{
	struct packet_ring *r = ring_of(worker);

	/* Acquire pairs with packet_ring_publish(): the records before it are whole. */
	return r == NULL ? 0 : atomic_load_explicit(&r->published, memory_order_acquire);
}

const struct packet_record *packet_log_next(unsigned worker, uint64_t head)
{
	struct packet_ring *r = ring_of(worker);
	const struct packet_record *rec;

	while (r != NULL && r->cursor != head) {
		rec = (const void *)(r->bytes + (r->cursor & (r->size - 1)));
		r->cursor += rec->bytes;
		if (rec->captured != PACKET_PADDING)
			return rec;
	}
	return NULL;
}

void packet_log_release(unsigned worker)
{
	struct packet_ring *r = ring_of(worker);

	/* Release: the worker writes over what was read. */
	if (r != NULL)
		atomic_store_explicit(&r->tail, r->cursor, memory_order_release);
}
