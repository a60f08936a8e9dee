/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_NAME_INDEX_H
#define PATCHBAY_CONTROLPLANE_NAME_INDEX_H

/*
 * Objects by name, ASCII letters without case: hash chains through the objects themselves, so that ten thousand
 * of them cost a look-up no more than ten. The index owns no object. Control thread.
 */

#include <stddef.h>
#include <stdint.h>

/* Embedded in the object. */
struct name_entry {
	const char *name; /* the object's own */
	struct name_entry *next;
};

struct name_index {
	struct name_entry **chains;
	uint32_t size; /* power of two, or 0 */
	uint32_t cnt;
};

/* Makes room for one more, so that the next name_index_put() cannot fail. -ENOMEM. */
int name_index_reserve(struct name_index *index);
/* `name` stays where it is and as it is until the entry is taken. */
void name_index_put(struct name_index *index, struct name_entry *e, const char *name);
void name_index_take(struct name_index *index, struct name_entry *e);
struct name_entry *name_index_find(const struct name_index *index, const char *name);
/* Forgets all; the objects are the caller's. */
void name_index_free(struct name_index *index);

/* The object around an entry that may be NULL. */
#define name_entry_of(e, type, member) \
	((e) == NULL ? NULL : (type *)(void *)((char *)(e)-offsetof(type, member)))

#endif
