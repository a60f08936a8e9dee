/* SPDX-License-Identifier: BSD-3-Clause */
/* Short answers (wire.md 1.7, 3.4, 4.3, 5.1, 9). */
#include "drivers/session/wire/reply.h"

void reply_error_pack(struct pack_writer *w, uint32_t error, bool no_save_password)
{
	pack_add_int(w, "error", error);
	pack_add_bool(w, "no_save_password", no_save_password);
}

void reply_noop_pack(struct pack_writer *w)
{
	pack_add_int(w, "error", WIRE_ERROR_OK);
	pack_add_int(w, "noop", 1);
}

void reply_wait_pack(struct pack_writer *w)
{
	pack_add_int(w, "error", WIRE_ERROR_OK);
	pack_add_int(w, "noop", 2);
}

void reply_enum_hub_pack(struct pack_writer *w, const char *const *names, uint32_t count)
{
	uint32_t i;

	pack_begin_array(w, "HubName", PACK_STR, count);
	for (i = 0; i < count; i++)
		pack_value_str(w, names[i]);
	pack_add_int(w, "NumHub", count);
}

void reply_additional_pack(struct pack_writer *w, uint32_t error, enum wire_direction direction)
{
	pack_add_int(w, "direction", direction);
	pack_add_int(w, "error", error);
}

uint32_t reply_additional_unpack(const struct pack *p, enum wire_direction *direction)
{
	uint32_t error = pack_get_int(p, "error");
	uint32_t v = pack_get_int(p, "direction");

	*direction = WIRE_DIRECTION_BOTH;
	if (error)
		return error;
	if (v > WIRE_DIRECTION_TO_SERVER)
		return WIRE_ERROR_PROTOCOL;
	*direction = (enum wire_direction)v;
	return WIRE_ERROR_OK;
}

void reply_admin_pack(struct pack_writer *w, bool empty_password)
{
	pack_add_bool(w, "empty_password", empty_password);
}
