/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The short answers of a server (wire.md 1.7, 3.4, 4.3, 5.1, 9), each as builder and reader.
 * Builders add elements only; padding and HTTP come from the caller.
 */
#ifndef DRIVERS_SESSION_WIRE_REPLY_H
#define DRIVERS_SESSION_WIRE_REPLY_H

#include <stdbool.h>
#include <stdint.h>

#include "drivers/session/wire/pack.h"
#include "drivers/session/wire/wire_error.h"

/* Direction of a member connection (wire.md 5.1, 5.3), as on the wire. */
enum wire_direction {
	WIRE_DIRECTION_BOTH = 0,
	WIRE_DIRECTION_TO_CLIENT = 1,
	WIRE_DIRECTION_TO_SERVER = 2,
};

/** {error, no_save_password}: refuses any method, and with WIRE_ERROR_OK answers `password`. */
void reply_error_pack(struct pack_writer *w, uint32_t error, bool no_save_password);

/** `error` of any reply; 0 if absent. */
static inline uint32_t reply_error(const struct pack *p)
{
	return pack_get_int(p, "error");
}

/** {error 0, noop 1}: answer to a client's no-op; the client sends the same (1.7). */
void reply_noop_pack(struct pack_writer *w);

/** {error 0, noop 2}: to a client that waits for an answer; it skips it (1.7). */
void reply_wait_pack(struct pack_writer *w);

/** {HubName[], NumHub}: the hubs that may be listed. */
void reply_enum_hub_pack(struct pack_writer *w, const char *const *names, uint32_t count);

/** {error, direction}: answer to additional_connect. */
void reply_additional_pack(struct pack_writer *w, uint32_t error, enum wire_direction direction);

/**
 * Client: read the answer to additional_connect.
 * @return the error code; *direction is valid with WIRE_ERROR_OK. An unknown direction gives
 *         WIRE_ERROR_PROTOCOL.
 */
uint32_t reply_additional_unpack(const struct pack *p, enum wire_direction *direction);

/** {empty_password}: accepts an administration connection (wire.md 9). */
void reply_admin_pack(struct pack_writer *w, bool empty_password);

#endif
