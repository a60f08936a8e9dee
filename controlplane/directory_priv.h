/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIRECTORY_PRIV_H
#define PATCHBAY_CONTROLPLANE_DIRECTORY_PRIV_H

/*
 * What the files of the directory share: a directory that is being read
 * stands beside the one in force until it has proved right as a whole.
 */

#include <stdbool.h>

#include "controlplane/directory.h"

struct directory {
	struct directory_hubs hubs;
	struct name_index hub_index;
	struct directory_bridges bridges;
	uint32_t bridge_cnt;
	struct directory_admin admin;
	struct directory_listener listeners[DIRECTORY_LISTENERS_MAX];
	unsigned listener_cnt;
	char ciphers[DIRECTORY_CIPHERS_BYTES]; /* "": patchbay.cfg's */
	char *kept;			       /* as a hub's, of the server; NULL: nothing */
	struct directory_syslog syslog;
	uint64_t journal; /* the first segment of the journal that is not in it (store.h) */
};

extern struct directory directory_now; /* in force */

void directory_init(struct directory *d);
void directory_free(struct directory *d);
/* What `from` has goes to `to`, which had nothing; `from` is then as directory_init() makes it. */
void directory_move(struct directory *to, struct directory *from);
struct directory_hub *directory_find_hub(const struct directory *d, const char *name);
/* As directory_hub_create(), in `d`. */
int directory_add_hub(struct directory *d, const char *name, struct directory_hub **out);
void directory_take_hub(struct directory *d, struct directory_hub *hub);
/*
 * `by`, the last of d's hubs, takes the place of `old`, which is in none any more: before `next` (NULL: it stays
 * where it is) and with all that has objects of its own (users, groups). Frees `old`.
 */
void directory_hub_replace(struct directory *d, struct directory_hub *old, struct directory_hub *by,
	struct directory_hub *next);

/*
 * Everything of `from` that has objects of its own goes to `hub`, whose own goes away with `from`: users and groups. What
 * is known of a user since the start stays with the name.
 */
void directory_hub_adopt(struct directory_hub *hub, struct directory_hub *from);

/* As directory_load(), into `d`, which is empty and stays so on error. Any thread. */
int directory_read_file(const char *path, void (*report)(void *ctx, const char *line), void *ctx,
	struct directory *d);
/* The same with a text that came from elsewhere: `name` stands for the file, and it includes no other. */
int directory_read_text_as(const char *name, const char *text,
	void (*report)(void *ctx, const char *line), void *ctx, struct directory *d);
/* As directory_serialise(), of `d`. Any thread. */
char *directory_text_of(const struct directory *d, size_t *size);

/* As directory_user_create() and directory_group_create(), up to the product's limits only. */
int directory_add_user(struct directory_hub *hub, const char *name, struct directory_user **out);
int directory_add_group(struct directory_hub *hub, const char *name, struct directory_group **out);

/* As directory_bridge_create(), in `d`. */
int directory_bridge_add(struct directory *d, const char *hub, const char *device, bool tap,
	const char *name, struct directory_bridge **out);
void directory_bridges_free(struct directory *d);

#endif
