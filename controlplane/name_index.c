/* SPDX-License-Identifier: BSD-3-Clause */
/* Hash chains by name (name_index.h). */

#include "controlplane/name_index.h"

#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#define SIZE_MIN 16u

/* FNV-1a of the folded name. Names in the tables come from administrators, so it needs no secret. */
static uint32_t name_hash(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name != '\0'; name++) {
		unsigned char c = (unsigned char)*name;

		h = (h ^ (c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c)) * 16777619u;
	}
	return h ^ h >> 15;
}

static struct name_entry **chain_of(const struct name_index *index, const char *name)
{
	return &index->chains[name_hash(name) & (index->size - 1)];
}

int name_index_reserve(struct name_index *index)
{
	struct name_index larger = {.size = index->size == 0 ? SIZE_MIN : index->size * 2};

	if (index->cnt < index->size)
		return 0;
	larger.chains = calloc(larger.size, sizeof(struct name_entry *));
	if (larger.chains == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < index->size; i++) {
		struct name_entry *e = index->chains[i], *next;

		for (; e != NULL; e = next) {
			next = e->next;
			name_index_put(&larger, e, e->name);
		}
	}
	free(index->chains);
	*index = larger;
	return 0;
}

void name_index_put(struct name_index *index, struct name_entry *e, const char *name)
{
	struct name_entry **chain = chain_of(index, name);

	e->name = name;
	e->next = *chain;
	*chain = e;
	index->cnt++;
}

void name_index_take(struct name_index *index, struct name_entry *e)
{
	struct name_entry **at = chain_of(index, e->name);

	while (*at != e)
		at = &(*at)->next;
	*at = e->next;
	index->cnt--;
}

struct name_entry *name_index_find(const struct name_index *index, const char *name)
{
	struct name_entry *e;

	if (index->size == 0)
		return NULL;
	e = *chain_of(index, name);
	while (e != NULL && strcasecmp(e->name, name) != 0)
		e = e->next;
	return e;
}

void name_index_free(struct name_index *index)
{
	free(index->chains);
	*index = (struct name_index){0};
}
