/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_METHOD_H
#define PATCHBAY_CONTROLPLANE_ADMIN_METHOD_H

/*
 * The administration methods, each described once: name, fields with type, range and meaning, the role it
 * needs, its effect, and the function that does it. Everything that speaks administration is made from this
 * table: JSON-RPC on the local socket and over HTTPS, vpncmd's PACK RPC, and the reference page (reference.c). A
 * handler (call.h) therefore never sees an encoding.
 *
 * Names. Methods and fields are those of the original (reference/admin-rpc.md) with its spelling. What the
 * original does not have begins with "Patchbay": methods (PatchbayGetStats) and fields that we add to the
 * original's records (PatchbayState). Inside our own methods field names need no prefix.
 *
 * A field's name is its PACK name. JSON adds the original's suffix of the type (admin_type_suffix()):
 *   bool _bool   int _u32   int64 _u64   time _dt   str _str   ustr _utf   data _bin   ip _ip
 * `traffic` stands for eight int64 fields, `<name>Recv.BroadcastBytes` ... `<name>Send.UnicastCount`.
 * `rows` is a list of records: in JSON an array of objects under its own name (HubList), in PACK parallel
 * arrays (admin-rpc.md 2) in which that name does not appear. A request may have one list as well.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct admin_call;

enum admin_type {
	ADMIN_TYPE_BOOL,
	ADMIN_TYPE_INT,	  /* 32 bits, unsigned */
	ADMIN_TYPE_INT64, /* 64 bits, unsigned */
	ADMIN_TYPE_TIME,  /* ms since 1970 UTC, 0 = never; JSON: 2026-11-23T05:09:18.203Z */
	ADMIN_TYPE_STR,	  /* UTF-8 */
	ADMIN_TYPE_USTR,  /* UTF-8, the protocol's second string type */
	ADMIN_TYPE_DATA,  /* bytes; JSON: Base64 */
	ADMIN_TYPE_IP,	  /* IPv4 or IPv6 address; JSON: text */
	ADMIN_TYPE_TRAFFIC,
	ADMIN_TYPE_ROWS,
	ADMIN_TYPE_CNT
};

/* Who may call: admin-rpc.md 3. */
enum admin_role {
	ADMIN_ROLE_ANY,	   /* any administrator; a hub administrator sees his own hub */
	ADMIN_ROLE_SERVER, /* administrator of the whole server, else 52 */
	ADMIN_ROLE_HUB, /* server administrator, or the administrator of HubName; empty HubName: 38 */
};

enum admin_effect {
	ADMIN_EFFECT_NONE,   /* reads */
	ADMIN_EFFECT_RUNS,   /* changes what runs now; nothing of it is stored */
	ADMIN_EFFECT_STORED, /* changes the configuration; answered when it is durable */
};

#define ADMIN_F_REQUIRED (1u << 0) /* request: must be there, else 38 */
#define ADMIN_F_OPTIONAL (1u << 1) /* response: may be absent */

struct admin_field {
	const char *name; /* NULL ends a list */
	enum admin_type type;
	unsigned flags; /* ADMIN_F_* */
	uint64_t
		min; /* int, int64: value; str, ustr, data: bytes; rows of a request: records. Others: 0, 0 */
	uint64_t max;
	const char *text;		/* what it means, with unit */
	const struct admin_field *rows; /* ADMIN_TYPE_ROWS: the fields of one record */
};

struct admin_method {
	const char *name;
	enum admin_role role;
	enum admin_effect effect;
	const char *text;		    /* one sentence or two: what it does */
	const struct admin_field *request;  /* never NULL, may be empty */
	const struct admin_field *response; /* never NULL, may be empty */
	size_t state_bytes;		    /* call->state, zeroed before the first step */
	/* See call.h: ADMIN_DONE, ADMIN_MORE, ADMIN_WAIT, or a code of wire_error.h. */
	int (*step)(struct admin_call *call);
	/* Frees what `state` refers to; also when the caller left half way. May be NULL. */
	void (*fini)(struct admin_call *call);
};

/* Limits that the table keeps, so that encoders may use fixed arrays. */
#define ADMIN_FIELDS_MAX     128u /* fields of one record or request */
#define ADMIN_FIELD_NAME_MAX 63u  /* bytes, a PACK element name (admin-rpc.md 2) */
#define ADMIN_TRAFFIC_FIELDS 8u

/* All methods, sorted by name without regard to case. Constant; any thread. */
const struct admin_method *const *admin_methods(unsigned *cnt);
/* Case does not matter (admin-rpc.md 3). NULL: the caller answers 33. */
const struct admin_method *admin_method_find(const char *name);
const struct admin_field *admin_field_find(const struct admin_field *fields, const char *name);

/* "u32" for INT and so on; "" for TRAFFIC and ROWS, which have none. */
const char *admin_type_suffix(enum admin_type type);
/* "int", "time", ... as in the documentation. */
const char *admin_type_name(enum admin_type type);
const char *admin_role_name(enum admin_role role);	 /* any, server, hub */
const char *admin_effect_name(enum admin_effect effect); /* reads, runs, stored */
/* "Recv.BroadcastBytes" ... in the order of the protocol. i < ADMIN_TRAFFIC_FIELDS. */
const char *admin_traffic_name(unsigned i);

/* Writing tables: one line per field. */
#define ADMIN_END            \
	{                    \
		.name = NULL \
	}
#define ADMIN_BOOL(name_, text_)                                          \
	{                                                                 \
		.name = (name_), .type = ADMIN_TYPE_BOOL, .text = (text_) \
	}
#define ADMIN_INT(name_, min_, max_, text_)                                            \
	{                                                                              \
		.name = (name_), .type = ADMIN_TYPE_INT, .min = (min_), .max = (max_), \
		.text = (text_)                                                        \
	}
#define ADMIN_INT64(name_, text_)                                                            \
	{                                                                                    \
		.name = (name_), .type = ADMIN_TYPE_INT64, .max = INT64_MAX, .text = (text_) \
	}
#define ADMIN_TIME(name_, text_)                                          \
	{                                                                 \
		.name = (name_), .type = ADMIN_TYPE_TIME, .text = (text_) \
	}
#define ADMIN_STR(name_, min_, max_, text_)                                            \
	{                                                                              \
		.name = (name_), .type = ADMIN_TYPE_STR, .min = (min_), .max = (max_), \
		.text = (text_)                                                        \
	}
#define ADMIN_USTR(name_, min_, max_, text_)                                            \
	{                                                                               \
		.name = (name_), .type = ADMIN_TYPE_USTR, .min = (min_), .max = (max_), \
		.text = (text_)                                                         \
	}
#define ADMIN_DATA(name_, min_, max_, text_)                                            \
	{                                                                               \
		.name = (name_), .type = ADMIN_TYPE_DATA, .min = (min_), .max = (max_), \
		.text = (text_)                                                         \
	}
#define ADMIN_IP(name_, text_)                                          \
	{                                                               \
		.name = (name_), .type = ADMIN_TYPE_IP, .text = (text_) \
	}
#define ADMIN_TRAFFIC(prefix_, text_)                                          \
	{                                                                      \
		.name = (prefix_), .type = ADMIN_TYPE_TRAFFIC, .text = (text_) \
	}
/* The same in a request that takes a whole record back: a client may send what it got, and nobody reads it. */
#define ADMIN_TRAFFIC_BACK                                           \
	ADMIN_INT64("Recv.BroadcastBytes", "not looked at"),         \
		ADMIN_INT64("Recv.BroadcastCount", "not looked at"), \
		ADMIN_INT64("Recv.UnicastBytes", "not looked at"),   \
		ADMIN_INT64("Recv.UnicastCount", "not looked at"),   \
		ADMIN_INT64("Send.BroadcastBytes", "not looked at"), \
		ADMIN_INT64("Send.BroadcastCount", "not looked at"), \
		ADMIN_INT64("Send.UnicastBytes", "not looked at"),   \
		ADMIN_INT64("Send.UnicastCount", "not looked at")
#define ADMIN_ROWS(name_, rows_, text_)                                                    \
	{                                                                                  \
		.name = (name_), .type = ADMIN_TYPE_ROWS, .rows = (rows_), .text = (text_) \
	}
/* A list in a request, with how many records it may have. */
#define ADMIN_ROWS_IN(name_, max_, rows_, text_)                                          \
	{                                                                                 \
		.name = (name_), .type = ADMIN_TYPE_ROWS, .max = (max_), .rows = (rows_), \
		.text = (text_)                                                           \
	}
/* The same with flags, e.g. ADMIN_WITH(ADMIN_F_REQUIRED, STR, "HubName", 1, 255, "..."). */
#define ADMIN_REQUIRED_STR(name_, min_, max_, text_)                                               \
	{                                                                                          \
		.name = (name_), .type = ADMIN_TYPE_STR, .flags = ADMIN_F_REQUIRED, .min = (min_), \
		.max = (max_), .text = (text_)                                                     \
	}

#define ADMIN_REQUIRED_INT(name_, min_, max_, text_)                                               \
	{                                                                                          \
		.name = (name_), .type = ADMIN_TYPE_INT, .flags = ADMIN_F_REQUIRED, .min = (min_), \
		.max = (max_), .text = (text_)                                                     \
	}

#endif
