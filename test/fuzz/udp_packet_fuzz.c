/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams: any bytes, opened as each form with a fixed key; and any body, sealed and opened again, so that the
 * reader behind the cipher sees what a peer that holds the key may send. First byte: form.
 */
#include <string.h>

#include "drivers/session/udp_path.h"
#include "drivers/session/udp_recent.h"
#include "drivers/session/wire/udp_packet.h"
#include "test/fuzz/require.h"

static const uint8_t key[UDP_PACKET_KEY_V2] = {1, 2, 3};
static const uint8_t seed[UDP_PACKET_SEED] = {4, 5, 6};

static void read_body(enum udp_packet_form form, const struct udp_datagram *d)
{
	struct udp_packet p;
	struct udp_path path;
	static struct udp_recent recent;

	if (udp_packet_get(form, d, &p) != 0)
		return;
	REQUIRE(p.data >= d->data && p.data + p.size <= d->data + d->bytes);
	udp_path_init(&path, true);
	(void)udp_recent_seen(&recent, p.id);
	(void)udp_path_receive(&path, p.tick, p.echo, 5000);
	(void)udp_path_receive(&path, p.echo, p.tick, 6000);
	(void)udp_path_ready(&path, 20000);
	(void)udp_path_next_ms(&path, 20000);
}

/* Exactly as many bytes as came. */
static struct udp_datagram exact(const uint8_t *data, size_t size)
{
	struct udp_datagram d = {.data = malloc(size + 1), .bytes = (uint32_t)size};

	REQUIRE(d.data);
	memcpy(d.data, data, size);
	return d;
}

static void as_it_came(enum udp_packet_form form, const uint8_t *data, size_t size)
{
	struct udp_seal *in = udp_seal_create(form, key, seed);
	struct udp_datagram d = exact(data, size);

	REQUIRE(in);
	udp_packet_open(in, &d, 1);
	if (d.ok)
		read_body(form, &d);
	free(d.data);
	udp_seal_destroy(in);
}

/* What a peer with the key makes of these bytes as a frame, and as a whole body. */
static void sealed(enum udp_packet_form form, const uint8_t *data, size_t size)
{
	struct udp_seal *out = udp_seal_create(form, key, seed);
	struct udp_seal *in = udp_seal_create(form, key, seed);
	struct udp_packet p = {.cookie = 7, .tick = 8, .echo = 9, .data = data}, q;
	struct udp_datagram d;
	uint32_t padding = size > 2 ? data[1] & 31 : 0;

	REQUIRE(out && in);
	p.size = (uint16_t)(size < 1600 ? size : 1600);
	d.bytes = (uint32_t)udp_packet_bytes(form, p.size, padding);
	d.data = malloc(d.bytes);
	REQUIRE(d.data && udp_packet_put(form, &p, padding, d.data) == d.bytes);
	udp_packet_seal(out, &d, 1);
	udp_packet_open(in, &d, 1);
	REQUIRE(d.ok && udp_packet_get(form, &d, &q) == 0);
	REQUIRE(q.size == p.size && memcmp(q.data, data, q.size) == 0);
	/* The same memory with a body of the peer's making. */
	memcpy(udp_packet_payload(form, d.data) - UDP_PACKET_HEADER, data,
		size < UDP_PACKET_HEADER + (size_t)p.size ? size
							  : UDP_PACKET_HEADER + (size_t)p.size);
	read_body(form, &d);
	free(d.data);
	udp_seal_destroy(out);
	udp_seal_destroy(in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum udp_packet_form form;

	if (!size || size > 2100)
		return 0;
	form = (enum udp_packet_form)(data[0] % 3);
	as_it_came(form, data + 1, size - 1);
	sealed(form, data + 1, size - 1);
	return 0;
}
