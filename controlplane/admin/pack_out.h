/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_PACK_OUT_H
#define PATCHBAY_CONTROLPLANE_ADMIN_PACK_OUT_H

/*
 * PACK as the back end of a result (admin-rpc.md 2). A list is sent by columns, each with its number of values
 * before it, so nothing of an answer can leave before its last row is known: the columns are collected, one
 * evbuffer each in which the values already stand as on the wire, and joined at the end without copying.
 * How much that may become is the caller's to bound (pack_rpc.h).
 *
 * From the table come: ip = four elements, traffic = eight, NumItem beside every list. An element that has
 * the name of an earlier one but for case is left out, as the protocol demands of senders. Rows behind number
 * PACK_VALUES_MAX, the protocol's bound of an array, are counted in `cut` and left out.
 *
 * Control thread only.
 */

#include "controlplane/admin/call.h"
#include "drivers/session/wire/pack.h"

struct evbuffer;

#define PACK_OUT_COLUMNS  256u
#define PACK_OUT_ELEMENTS 512u

struct pack_out {
	struct admin_out out;  /* first */
	struct evbuffer *head; /* elements that are complete */
	uint32_t elements;
	struct {
		const char *prefix, *name; /* constants of the tables */
	} names[PACK_OUT_ELEMENTS];
	const struct admin_field *list;
	uint16_t first_column[ADMIN_FIELDS_MAX]; /* of each field of `list` */
	struct evbuffer *columns[PACK_OUT_COLUMNS];
	unsigned column_cnt;
	bool put[ADMIN_FIELDS_MAX]; /* in the row under way */
	uint32_t rows;
	uint32_t cut;
	bool cutting;
	size_t held; /* bytes collected, about */
	bool failed; /* out of memory */
};

/* -ENOMEM. */
int pack_out_init(struct pack_out *p);
/* Moves size and PACK (admin-rpc.md 3) to the end of `dst`. -ENOMEM: nothing was moved. */
int pack_out_finish(struct pack_out *p, struct evbuffer *dst);
/* Idempotent, also on a zeroed struct. */
void pack_out_fini(struct pack_out *p);

/* What a field, or a part of one that has several elements, is in a PACK: in requests as in results. */
enum pack_type pack_element_type(const struct admin_field *f, unsigned part);

/* An answer that is nothing but an error. -ENOMEM. */
int pack_out_error(struct evbuffer *dst, uint32_t code);

#endif
