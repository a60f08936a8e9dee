/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_PACK_IN_H
#define PATCHBAY_CONTROLPLANE_ADMIN_PACK_IN_H

/*
 * A PACK as the source of arguments. What differs from JSON: tools send whole records, so an element that the
 * method does not have is ignored; and they have no other way to leave something out than to send it empty, so
 * an optional argument that must not be empty or 0 counts as absent when it is. Text has to be UTF-8.
 *
 * Nothing is copied: strings stay in the body, where a zero byte follows each of them. (The byte behind a
 * value is the high byte of the next length, which no length below 16 MiB uses, or the one that pack_in_init()
 * puts behind the last.)
 *
 * Control thread only.
 */

#include "controlplane/admin/call.h"
#include "drivers/session/wire/pack.h"

#define PACK_IN_ELEMENTS 1024u
/*
 * Times in a PACK are nine hours early: the original counts from 1970 in Japan. (Tried on 5.01: CurrentTime, CreatedTime,
 * and an ExpireTime that vpncmd sends; its tables show them right.) 0 is none. In JSON they are what they are.
 */
#define PACK_TIME_EARLY_MS 32400000

#define PACK_IN_BYTES (14u << 20) /* of a request: 32 768 access rules; below the 16 MiB above */

#define PACK_IN_CURSORS 48u /* columns of a list that are walked at a time */
struct pack_cursor {
	char name[PACK_NAME_MAX + 1];
	enum pack_type type;
	struct pack_iter iter;
	uint32_t row;
	struct pack_span value; /* of `row` */
};

struct pack_in {
	struct admin_in in; /* first */
	struct pack pack;
	struct pack_element *index;
	struct pack_cursor cursors[PACK_IN_CURSORS];
	unsigned cursor_next;		       /* to be used for another column */
	char method[ADMIN_FIELD_NAME_MAX + 1]; /* function_name, "" if there is none */
};

/*
 * Parses `body`, of which size + 1 bytes are ours to write to; it must live until the end. -EBADMSG, -E2BIG, -ENOMEM.
 */
int pack_in_init(struct pack_in *p, uint8_t *body, size_t size);
/* Idempotent, also on a zeroed struct. Not the body. */
void pack_in_fini(struct pack_in *p);

#endif
