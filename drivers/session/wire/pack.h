/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PACK, the protocol's message format (wire.md 2): a set of named elements, each a non-empty array
 * of values of one type.
 *
 * Reading. pack_parse checks a whole body once - every length, every bound, no two names that are
 * equal but for case - and leaves an index of elements, sorted by name, in memory the caller gave.
 * After that no getter can fail on the bytes. Nothing is copied: the `struct pack` is a view that
 * lives as long as both the body and the index. Lookup is by name (ASCII case ignored) *and* type;
 * a wrong type counts as absent; absent numbers are 0 and absent strings "" (wire.md 2), so most
 * callers need no presence test. Sorting and lookups cost O(n log n) and O(log n) comparisons
 * whatever the peer sends; there is no hash to collide.
 *
 * Writing. pack_writer appends to a bytebuf; a name given twice is dropped the second time, as the
 * protocol demands of senders. An error sticks in the bytebuf and pack_writer_finish reports it.
 *
 * No function here keeps state between calls elsewhere than in its arguments: any thread.
 */
#ifndef DRIVERS_SESSION_WIRE_PACK_H
#define DRIVERS_SESSION_WIRE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "drivers/session/wire/bytebuf.h"

#define PACK_NAME_MAX	  63	 /* wire.md 2: name bytes, the length field says one more */
#define PACK_ELEMENTS_MAX 262144 /* wire.md 2 */
#define PACK_VALUES_MAX	  262144 /* wire.md 2, per element */
#define PACK_PADDING_MAX  999	 /* wire.md 2, element `pencore` */

/* The smallest element is 4 + 1 + 4 + 4 + 4 bytes, so this many always index a body of that size:
 * 3855 for the 65536 bytes a client may send (wire.md 1.7). */
#define PACK_INDEX_FOR_BYTES(bytes) ((bytes) / 17)

/* Enough for any message before login (the stock login PACK has 78), and small enough to sit in a
 * connection's state. */
#define PACK_LOGIN_ELEMENTS 256

enum pack_type {
	PACK_INT = 0,
	PACK_DATA = 1,
	PACK_STR = 2,
	PACK_UNISTR = 3,
	PACK_INT64 = 4,
};

/* What one caller accepts; each field is further capped by the format's own bound. */
struct pack_limits {
	size_t max_bytes;      /* of the body as a whole */
	uint32_t max_elements; /* also capped by the index given */
	uint32_t max_values;   /* in all elements together */
};

/* Before login: 65536 bytes (wire.md 1.7), and no message of that phase has long arrays. */
extern const struct pack_limits pack_limits_login;
/* An administrator's request: whatever fits into 65536 bytes. */
extern const struct pack_limits pack_limits_admin;

/* One element of the index. Offsets count from the start of the body. */
struct pack_element {
	uint32_t name_at;
	uint32_t values_at;
	uint32_t value_count;
	uint8_t name_len;
	uint8_t type; /* enum pack_type */
};

/* View over a parsed body. */
struct pack {
	const uint8_t *data;
	size_t size_bytes; /* up to the end of the last element; trailing bytes are ignored */
	uint32_t count;	   /* elements */
	const struct pack_element *elements; /* sorted by name, ASCII case ignored */
};

/* A stretch of the body (or a constant ""); not NUL-terminated. */
struct pack_span {
	const uint8_t *data; /* NULL: absent (data only) */
	uint32_t len;
};

/* An address as the four elements of wire.md 2 carry it. Bytes in network order. */
struct pack_ip {
	bool is_ipv6;
	uint8_t addr[16]; /* IPv4: the first four, the rest zero */
	uint32_t scope_id;
};

/**
 * Validate a body and index it.
 * @param index  array of index_count entries, kept by the view; contents undefined on error.
 * @return 0; -EBADMSG malformed (truncated, bad name length, unknown type, no values, names equal
 *         but for case); -E2BIG more bytes, elements or values than limits or index allow.
 */
int pack_parse(struct pack *p, const void *body, size_t size_bytes,
	const struct pack_limits *limits, struct pack_element *index, uint32_t index_count);

/** Number of values of the element of that name and type, 0 if there is none. */
uint32_t pack_count(const struct pack *p, const char *name, enum pack_type type);

/** Value number i (from 0) of an int element, 0 if absent. */
uint32_t pack_get_int_at(const struct pack *p, const char *name, uint32_t i);
uint64_t pack_get_int64_at(const struct pack *p, const char *name, uint32_t i);

/** Value number i of a str or unistr element, "" if absent. Ends before the first NUL byte if it
 * contains any, since peers handle it as a C string. O(i): walk long arrays with pack_iter. */
struct pack_span pack_get_str_at(const struct pack *p, const char *name, uint32_t i);
struct pack_span pack_get_unistr_at(const struct pack *p, const char *name, uint32_t i);

/** Value number i of a data element; .data is NULL if absent (an empty value has .len 0 and .data
 * set). O(i). */
struct pack_span pack_get_data_at(const struct pack *p, const char *name, uint32_t i);

/**
 * Read address number i spread over the elements prefix, prefix@ipv6_bool, @ipv6_array and
 * @ipv6_scope_id.
 * @return 0; -ENOENT if absent or ill-sized (then *ip is 0.0.0.0).
 */
int pack_get_ip_at(const struct pack *p, const char *prefix, uint32_t i, struct pack_ip *ip);

static inline uint32_t pack_get_int(const struct pack *p, const char *name)
{
	return pack_get_int_at(p, name, 0);
}

static inline bool pack_get_bool(const struct pack *p, const char *name)
{
	return pack_get_int_at(p, name, 0) != 0;
}

static inline uint64_t pack_get_int64(const struct pack *p, const char *name)
{
	return pack_get_int64_at(p, name, 0);
}

static inline struct pack_span pack_get_str(const struct pack *p, const char *name)
{
	return pack_get_str_at(p, name, 0);
}

static inline struct pack_span pack_get_unistr(const struct pack *p, const char *name)
{
	return pack_get_unistr_at(p, name, 0);
}

static inline struct pack_span pack_get_data(const struct pack *p, const char *name)
{
	return pack_get_data_at(p, name, 0);
}

static inline int pack_get_ip(const struct pack *p, const char *prefix, struct pack_ip *ip)
{
	return pack_get_ip_at(p, prefix, 0, ip);
}

/**
 * Copy the first value of a str element as a C string.
 * @param size  of dst, terminator included.
 * @return 0 (also for an absent one, which gives ""); -EMSGSIZE if it does not fit (dst is "").
 */
int pack_copy_str(const struct pack *p, const char *name, char *dst, size_t size);

/** As pack_copy_str, but cuts what does not fit: for texts that are only displayed. */
void pack_copy_str_cut(const struct pack *p, const char *name, char *dst, size_t size);

/** Copy the first value of a data element if it is exactly size_bytes long.
 * @return 0; -ENOENT absent; -EMSGSIZE other length (dst untouched in both cases). */
int pack_copy_data(const struct pack *p, const char *name, void *dst, size_t size_bytes);

/* Walks the values of one str, unistr or data element in order, each in O(1). */
struct pack_iter {
	const uint8_t *next;
	uint32_t left; /* values not yet returned */
	uint8_t type;
};

/** Start at the first value; an absent element gives an iterator that ends at once. */
struct pack_iter pack_iter_start(const struct pack *p, const char *name, enum pack_type type);
/** Next value into *value (strings cut at a NUL as above); false at the end. */
bool pack_iter_next(struct pack_iter *it, struct pack_span *value);

/* A message under construction. */
#define PACK_WRITER_ELEMENTS 512
struct pack_writer {
	struct bytebuf *buf;
	size_t start;	      /* offset of the element count in buf */
	uint32_t count;	      /* elements written */
	uint32_t values_left; /* of the array under way */
	uint8_t type;	      /* of the array under way */
	bool dropping;	      /* the array under way has a name that exists already */
	uint32_t name_at[PACK_WRITER_ELEMENTS]; /* offsets of the name lengths from `start` */
};

/** Begin a message at the end of buf, which must outlive the writer. */
void pack_writer_init(struct pack_writer *w, struct bytebuf *buf);

/**
 * Fill in the element count.
 * @return 0; -EINVAL an array is unfinished, was empty or of another type, or a name is empty or
 *         longer than 63 bytes; -E2BIG more than PACK_WRITER_ELEMENTS elements; else the
 *         bytebuf's error.
 */
int pack_writer_finish(struct pack_writer *w);

void pack_add_int(struct pack_writer *w, const char *name, uint32_t v);
void pack_add_bool(struct pack_writer *w, const char *name, bool v);
void pack_add_int64(struct pack_writer *w, const char *name, uint64_t v);
/** C strings; unistr is UTF-8 and gets its trailing NUL here. */
void pack_add_str(struct pack_writer *w, const char *name, const char *v);
void pack_add_unistr(struct pack_writer *w, const char *name, const char *v);
void pack_add_data(struct pack_writer *w, const char *name, const void *v, size_t size_bytes);
void pack_add_ip(struct pack_writer *w, const char *prefix, const struct pack_ip *ip);

/** The element `pencore`, last of every message over HTTP. size_bytes is cut to 999; the caller
 * brings the random bytes (and a random size), because nothing here has a source of them. */
void pack_add_padding(struct pack_writer *w, const void *random, size_t size_bytes);

/** An array: one element with n values, which must follow at once, n calls of the fitting
 * pack_value_*. n = 0 writes nothing at all, since an element cannot be empty. */
void pack_begin_array(struct pack_writer *w, const char *name, enum pack_type type, uint32_t n);
void pack_value_int(struct pack_writer *w, uint32_t v);
void pack_value_int64(struct pack_writer *w, uint64_t v);
void pack_value_str(struct pack_writer *w, const char *v);
void pack_value_unistr(struct pack_writer *w, const char *v);
void pack_value_data(struct pack_writer *w, const void *v, size_t size_bytes);

#endif
