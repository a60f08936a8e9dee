/* SPDX-License-Identifier: BSD-3-Clause */
/* Hello and version fields (wire.md 3.1). */
#include "drivers/session/wire/hello.h"

#include "drivers/session/wire/pack.h"

void hello_pack(const struct hello *h, struct pack_writer *w)
{
	pack_add_int(w, "build", h->server.build);
	pack_add_str(w, "hello", h->server.name);
	pack_add_data(w, "random", h->random, sizeof(h->random));
	pack_add_int(w, "version", h->server.version);
}

enum wire_error hello_unpack(struct hello *h, const struct pack *p)
{
	uint32_t error = pack_get_int(p, "error");

	*h = (struct hello){0};
	if (error)
		return (enum wire_error)error;
	if (!pack_count(p, "hello", PACK_STR) ||
		pack_copy_data(p, "random", h->random, sizeof(h->random)))
		return WIRE_ERROR_NOT_VPN_SERVER;
	pack_copy_str_cut(p, "hello", h->server.name, sizeof(h->server.name));
	h->server.version = pack_get_int(p, "version");
	h->server.build = pack_get_int(p, "build");
	return WIRE_ERROR_OK;
}

void product_pack(const struct product *c, struct pack_writer *w)
{
	pack_add_int(w, "client_build", c->build);
	pack_add_str(w, "client_str", c->name);
	pack_add_int(w, "client_ver", c->version);
}

void product_unpack(struct product *c, const struct pack *p)
{
	pack_copy_str_cut(p, "client_str", c->name, sizeof(c->name));
	c->version = pack_get_int(p, "client_ver");
	c->build = pack_get_int(p, "client_build");
}
