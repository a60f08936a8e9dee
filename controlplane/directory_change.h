/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIRECTORY_CHANGE_H
#define PATCHBAY_CONTROLPLANE_DIRECTORY_CHANGE_H

/*
 * Changes of hubs, users and groups while the daemon runs: made in memory, saved, and only then reported as done;
 * when the disk refuses, the directory is as it was before.
 *
 * One change of a hub as a whole (settings, groups) at a time, and one of each user: while it is on its way to the disk
 * every other begin answers -EBUSY, which means "again in a moment". So what a change takes back can be nobody
 * else's. Changes of different users go side by side, and share a write (store.h).
 *
 * What a change means for what runs: users and groups are read at login, so that running sessions go on as they
 * are. Settings of a hub are in force when the change is reported (hubs.h).
 *
 * Control thread only.
 */

#include <stdbool.h>

#include "controlplane/directory.h"

struct directory_change;

/*
 * Puts `by` in the place of `old`; either may be NULL: creates, deletes. `by` was made by directory_user_new() and
 * belongs to the directory from here on, also on error. -EBUSY (see above; `by` is still the caller's), -ENOSPC,
 * -ENOMEM. An `old` of NULL with a name that exists is -EEXIST.
 */
int directory_change_user(struct directory_hub *hub, struct directory_user *old,
	struct directory_user *by, struct directory_change **out);
/* The same. Members of a group that is deleted are in none. */
int directory_change_group(struct directory_hub *hub, struct directory_group *old,
	struct directory_group *by, struct directory_change **out);

/* All that may be set about a hub that exists. */
struct directory_settings {
	bool online;
	bool no_enum;
	bool require_encryption;
	uint32_t max_sessions;
	struct directory_admin admin;
	struct directory_radius radius;
	struct directory_trust *trust; /* a reference, or NULL */
	uint32_t ext_options[HUB_EXT_CNT];
	uint32_t admin_options[HUB_ADMIN_CNT];
	struct directory_log log;
	struct directory_managed managed;
	struct directory_source *sources; /* malloc'ed, or NULL */
	uint32_t source_cnt;
	char *message; /* malloc'ed, or NULL */
};

/* A copy of what is set, to be changed and given to the next, or freed. -ENOMEM. */
int directory_settings_get(const struct directory_hub *hub, struct directory_settings *out);
void directory_settings_free(struct directory_settings *s);
/* Into the hub, and no further; what it owned is freed. Takes what *s owns. */
void directory_settings_put(struct directory_hub *hub, struct directory_settings *s);
/* Takes what *s owns, unless -EBUSY or -ENOMEM. */
int directory_change_settings(
	struct directory_hub *hub, struct directory_settings *s, struct directory_change **out);

/*
 * A hub with these settings, running at once. Takes what *s owns. As directory_hub_create(), -errno of
 * directory_hub_start(), and -EBUSY while one of that name is on its way out.
 */
int directory_change_hub_create(const char *name, struct directory_settings *s, uint32_t max_macs,
	struct directory_change **out);
/* Gone for logins at once; reported when all its sessions have ended. */
int directory_change_hub_delete(struct directory_hub *hub, struct directory_change **out);

/*
 * For changes of what a hub has that are made elsewhere (access_change.h), and set hub->changing: 0, or -EBUSY while
 * anything of the hub is on its way, or the directory is read anew. Changes of users then leave a gap.
 */
int directory_change_whole_free(struct directory_hub *hub);

/* True when it is over; *error: 0 or why it was taken back. */
bool directory_change_done(const struct directory_change *change, int *error);
/* The caller has no more interest; the change itself goes on. NULL is fine. */
void directory_change_forget(struct directory_change *change);

#endif
