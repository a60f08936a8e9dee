/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hello, a server's answer to the signature (wire.md 3.1), and the version fields that every
 * message of a client repeats.
 */
#ifndef DRIVERS_SESSION_WIRE_HELLO_H
#define DRIVERS_SESSION_WIRE_HELLO_H

#include <stdint.h>

#include "drivers/session/wire/wire_error.h"

struct pack;
struct pack_writer;

#define HELLO_RANDOM_BYTES 20
#define PRODUCT_MAX	   255 /* bytes of a product string, wire.md 12 */

/* Who a peer says it is. */
struct product {
	char name[PRODUCT_MAX + 1];
	uint32_t version; /* major * 100 + minor */
	uint32_t build;
};

struct hello {
	struct product server;
	uint8_t random[HELLO_RANDOM_BYTES]; /* fresh for each connection */
};

/** Server: add the hello's elements. */
void hello_pack(const struct hello *h, struct pack_writer *w);

/** Client: read a hello. @return WIRE_ERROR_OK; the `error` the server sent instead; or
 * WIRE_ERROR_NOT_VPN_SERVER if `hello` or the 20 random bytes are missing. */
enum wire_error hello_unpack(struct hello *h, const struct pack *p);

/** Client: add client_str, client_ver and client_build. */
void product_pack(const struct product *c, struct pack_writer *w);

/** Server: read them; a longer name is cut. */
void product_unpack(struct product *c, const struct pack *p);

#endif
