/* SPDX-License-Identifier: BSD-3-Clause */
/* Into the directory, onto the disk, and only then reported; or taken back (directory_change.h). */

#include "controlplane/directory_change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/errand.h"
#include "controlplane/hubs.h"
#include "controlplane/log.h"
#include "controlplane/store.h"

struct directory_change {
	struct store_request request;
	struct directory_hub *hub; /* changing; NULL once it is gone */
	const char *user;	   /* the change is of this user alone, beside others of the hub */
	TAILQ_ENTRY(directory_change) entry; /* of `users`, or of `leaving` */
	/* What it takes to end the change well, or to take it back. */
	void (*keep)(struct directory_change *c);
	void (*undo)(struct directory_change *c);
	struct directory_user *old_user, *new_user;
	struct directory_group *old_group, *new_group;
	struct directory_user **members; /* of a group that is deleted */
	struct directory_settings before;
	uint64_t doomed;      /* of hubs_doom(); 0 = none */
	struct errand errand; /* over: saved, or refused */
	int error;
};

#define WANTED_MS \
	50 /* for a change of the whole hub that waits for those of its users to be over */

/* Changes of users on their way to the disk: as many as there are callers. */
static TAILQ_HEAD(change_list, directory_change) users = TAILQ_HEAD_INITIALIZER(users);
/* Hubs that are gone from the directory, and come back to it if the disk says no: their names are not free. */
static struct change_list leaving = TAILQ_HEAD_INITIALIZER(leaving);

static void change_free(struct directory_change *c)
{
	free(c->members);
	directory_settings_free(&c->before);
	free(c);
}

static void on_saved(struct store_request *request, int error)
{
	struct directory_change *c = (struct directory_change *)request; /* first member */

	c->error = error;
	if (c->user != NULL) {
		TAILQ_REMOVE(&users, c, entry);
		c->hub->user_changes--;
	} else if (c->hub != NULL) {
		c->hub->changing = false;
	}
	if (error == 0)
		c->keep(c);
	else
		c->undo(c);
	if (errand_over(&c->errand))
		change_free(c);
}

static struct directory_change *change_new(struct directory_hub *hub)
{
	struct directory_change *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->hub = hub;
	c->request.done = on_saved;
	return c;
}

int directory_change_whole_free(struct directory_hub *hub)
{
	if (store_frozen())
		return -EBUSY;
	if (hub->user_changes > 0)
		hub->wanted_ms = directory_now_ms();
	return hub->changing || hub->user_changes > 0 ? -EBUSY : 0;
}

/* -EBUSY: the hub as a whole is, or wants to be, or this user. */
static int user_free(const struct directory_hub *hub, const char *name)
{
	const struct directory_change *c;
	int64_t waited = directory_now_ms() - hub->wanted_ms;

	if (store_frozen() || hub->changing ||
		(hub->wanted_ms != 0 && waited >= 0 && waited < WANTED_MS))
		return -EBUSY;
	TAILQ_FOREACH (c, &users, entry)
		if (c->hub == hub && strcasecmp(c->user, name) == 0)
			return -EBUSY;
	return 0;
}

static void begin(struct directory_change *c, const struct directory_object *object,
	void (*keep)(struct directory_change *c), void (*undo)(struct directory_change *c),
	struct directory_change **out)
{
	c->keep = keep;
	c->undo = undo;
	if (c->user != NULL) {
		TAILQ_INSERT_TAIL(&users, c, entry);
		c->hub->user_changes++;
	} else if (c->hub != NULL) {
		c->hub->changing = true;
		c->hub->wanted_ms = 0;
	}
	*out = c;
	store_change(&c->request, object, 1);
}

bool directory_change_done(const struct directory_change *c, int *error)
{
	*error = c->error;
	return c->errand.over && (c->error != 0 || c->doomed == 0 || hubs_doomed_gone(c->doomed));
}

void directory_change_forget(struct directory_change *c)
{
	if (c == NULL)
		return;
	if (errand_forget(&c->errand))
		change_free(c);
}

/* ---- users ----------------------------------------------------------------------------------- */

static void user_keep(struct directory_change *c)
{
	directory_user_free(c->old_user);
}

static void user_undo(struct directory_change *c)
{
	if (c->old_user != NULL && c->new_user != NULL)
		directory_user_replace(c->hub, c->new_user, c->old_user);
	else if (c->old_user != NULL)
		directory_user_put(c->hub, c->old_user);
	else
		directory_user_take(c->hub, c->new_user);
	directory_user_free(c->new_user);
}

/* Room for one more under this name; the limits are those of directory_user_create(). */
static int user_room(struct directory_hub *hub, const char *name)
{
	uint32_t max = hub->admin_options[HUB_ADMIN_max_users];

	if (directory_user_find(hub, name) != NULL)
		return -EEXIST;
	if (hub->user_cnt >= DIRECTORY_USERS_MAX || (max != 0 && hub->user_cnt >= max))
		return -ENOSPC;
	return name_index_reserve(&hub->user_index);
}

int directory_change_user(struct directory_hub *hub, struct directory_user *old,
	struct directory_user *by, struct directory_change **out)
{
	const char *name = by != NULL ? by->name : old->name;
	struct directory_object object = {"user", hub->name, name};
	struct directory_change *c;
	int rc = 0;

	if (user_free(hub, name) != 0)
		return -EBUSY;
	if (old == NULL)
		rc = user_room(hub, by->name);
	c = rc == 0 ? change_new(hub) : NULL;
	if (c == NULL) {
		directory_user_free(by);
		return rc != 0 ? rc : -ENOMEM;
	}
	c->old_user = old;
	c->new_user = by;
	c->user = name;
	if (old != NULL && by != NULL) {
		by->login_cnt = old->login_cnt;
		by->last_login_ms = old->last_login_ms;
		directory_user_replace(hub, old, by);
	} else if (by != NULL) {
		directory_user_put(hub, by);
	} else {
		directory_user_take(hub, old);
	}
	begin(c, &object, user_keep, user_undo, out);
	return 0;
}

/* ---- groups ---------------------------------------------------------------------------------- */

static void group_keep(struct directory_change *c)
{
	directory_group_free(c->old_group);
}

static void group_undo(struct directory_change *c)
{
	if (c->old_group != NULL && c->new_group != NULL) {
		directory_group_replace(c->hub, c->new_group, c->old_group);
	} else if (c->old_group != NULL) {
		directory_group_put(c->hub, c->old_group);
		for (struct directory_user **u = c->members; *u != NULL; u++)
			directory_user_join(*u, c->old_group);
	} else {
		directory_group_take(c->hub, c->new_group);
	}
	directory_group_free(c->new_group);
}

static int group_room(struct directory_hub *hub, const char *name)
{
	uint32_t max = hub->admin_options[HUB_ADMIN_max_groups];

	if (directory_group_find(hub, name) != NULL)
		return -EEXIST;
	if (hub->group_cnt >= DIRECTORY_GROUPS_MAX || (max != 0 && hub->group_cnt >= max))
		return -ENOSPC;
	return name_index_reserve(&hub->group_index);
}

/* All members leave; who they were stays in c->members, NULL behind the last. -ENOMEM. */
static int members_leave(struct directory_change *c, struct directory_group *group)
{
	struct directory_user *user;
	uint32_t n = 0;

	c->members = calloc((size_t)group->user_cnt + 1, sizeof(struct directory_user *));
	if (c->members == NULL)
		return -ENOMEM;
	TAILQ_FOREACH (user, &c->hub->users, entry) {
		if (user->group != group)
			continue;
		c->members[n++] = user;
		directory_user_join(user, NULL);
	}
	return 0;
}

int directory_change_group(struct directory_hub *hub, struct directory_group *old,
	struct directory_group *by, struct directory_change **out)
{
	struct directory_object object = {"group", hub->name, by != NULL ? by->name : old->name};
	struct directory_change *c = NULL;
	int rc = 0;

	if (directory_change_whole_free(hub) != 0)
		return -EBUSY;
	if (old == NULL)
		rc = group_room(hub, by->name);
	if (rc == 0) {
		c = change_new(hub);
		rc = c == NULL ? -ENOMEM : 0;
	}
	if (rc == 0 && by == NULL)
		rc = members_leave(c, old);
	if (rc != 0) {
		directory_group_free(by);
		free(c);
		return rc;
	}
	c->old_group = old;
	c->new_group = by;
	if (old != NULL && by != NULL)
		directory_group_replace(hub, old, by);
	else if (by != NULL)
		directory_group_put(hub, by);
	else
		directory_group_take(hub, old);
	begin(c, &object, group_keep, group_undo, out);
	return 0;
}

/* ---- settings -------------------------------------------------------------------------------- */

int directory_settings_get(const struct directory_hub *hub, struct directory_settings *out)
{
	*out = (struct directory_settings){
		.online = hub->online,
		.no_enum = hub->no_enum,
		.require_encryption = hub->require_encryption,
		.max_sessions = hub->max_sessions,
		.admin = hub->admin,
		.log = hub->log,
		.managed = hub->managed,
		.radius = hub->radius,
		.trust = directory_trust_ref(hub->trust),
		.source_cnt = hub->source_cnt,
	};
	memcpy(out->ext_options, hub->ext_options, sizeof(out->ext_options));
	memcpy(out->admin_options, hub->admin_options, sizeof(out->admin_options));
	out->message = hub->message == NULL ? NULL : strdup(hub->message);
	if (hub->message != NULL && out->message == NULL) {
		directory_settings_free(out);
		return -ENOMEM;
	}
	if (hub->source_cnt == 0)
		return 0;
	out->sources = calloc(hub->source_cnt, sizeof(*out->sources));
	if (out->sources == NULL) {
		directory_settings_free(out);
		return -ENOMEM;
	}
	memcpy(out->sources, hub->sources, hub->source_cnt * sizeof(*out->sources));
	return 0;
}

void directory_settings_free(struct directory_settings *s)
{
	explicit_bzero(&s->admin, sizeof(s->admin));
	explicit_bzero(&s->radius, sizeof(s->radius));
	directory_trust_unref(s->trust);
	s->trust = NULL;
	free(s->sources);
	s->sources = NULL;
	s->source_cnt = 0;
	free(s->message);
	s->message = NULL;
}

/* The hub has them now; what it owned before is gone. */
void directory_settings_put(struct directory_hub *hub, struct directory_settings *s)
{
	hub->online = s->online;
	hub->no_enum = s->no_enum;
	hub->require_encryption = s->require_encryption;
	hub->max_sessions = s->max_sessions;
	hub->admin = s->admin;
	hub->log = s->log;
	hub->managed = s->managed;
	hub->radius = s->radius;
	directory_trust_unref(hub->trust);
	hub->trust = s->trust;
	s->trust = NULL;
	memcpy(hub->ext_options, s->ext_options, sizeof(hub->ext_options));
	memcpy(hub->admin_options, s->admin_options, sizeof(hub->admin_options));
	free(hub->sources);
	hub->sources = s->sources;
	hub->source_cnt = s->source_cnt;
	directory_sources_sort(hub->sources, hub->source_cnt);
	s->sources = NULL;
	free(hub->message);
	hub->message = s->message;
	s->message = NULL;
	directory_settings_free(s);
}

static void settings_keep(struct directory_change *c)
{
	c->error = hubs_apply(c->hub);
}

static void settings_undo(struct directory_change *c)
{
	directory_settings_put(c->hub, &c->before);
}

int directory_change_settings(
	struct directory_hub *hub, struct directory_settings *s, struct directory_change **out)
{
	const struct directory_object object = {"hub", "", hub->name};
	struct directory_change *c;

	if (directory_change_whole_free(hub) != 0)
		return -EBUSY;
	c = change_new(hub);
	if (c == NULL)
		return -ENOMEM;
	if (directory_settings_get(hub, &c->before) != 0) {
		free(c);
		return -ENOMEM;
	}
	directory_settings_put(hub, s);
	begin(c, &object, settings_keep, settings_undo, out);
	return 0;
}

/* ---- hubs ------------------------------------------------------------------------------------ */

static void create_keep(struct directory_change *c)
{
	log_notice("hub", "hub %s created", c->hub->name);
}

/* Somebody may have logged in already. */
static void create_undo(struct directory_change *c)
{
	directory_hub_take(c->hub);
	hubs_doom(c->hub);
	c->hub = NULL;
}

static bool is_leaving(const char *name)
{
	const struct directory_change *c;

	TAILQ_FOREACH (c, &leaving, entry)
		if (strcasecmp(c->hub->name, name) == 0)
			return true;
	return false;
}

int directory_change_hub_create(const char *name, struct directory_settings *s, uint32_t max_macs,
	struct directory_change **out)
{
	struct directory_change *c = change_new(NULL);
	int rc = store_frozen() || is_leaving(name) ? -EBUSY : c == NULL ? -ENOMEM : 0;

	if (rc == 0)
		rc = directory_hub_create(name, &c->hub);
	if (rc == 0) {
		c->hub->max_macs = max_macs;
		directory_settings_put(c->hub, s);
		rc = directory_hub_start(c->hub);
		if (rc != 0) {
			directory_hub_take(c->hub);
			directory_hub_free(c->hub);
		}
	}
	if (rc != 0) {
		directory_settings_free(s);
		free(c);
		return rc;
	}
	begin(c, &(struct directory_object){"hub", "", c->hub->name}, create_keep, create_undo,
		out);
	return 0;
}

static void delete_keep(struct directory_change *c)
{
	log_notice("hub", "hub %s deleted", c->hub->name);
	TAILQ_REMOVE(&leaving, c, entry);
	c->doomed = hubs_doom(c->hub);
	c->hub = NULL;
}

static void delete_undo(struct directory_change *c)
{
	TAILQ_REMOVE(&leaving, c, entry);
	directory_hub_put(c->hub);
}

int directory_change_hub_delete(struct directory_hub *hub, struct directory_change **out)
{
	const struct directory_object object = {"hub", "", hub->name};
	struct directory_change *c;

	if (directory_change_whole_free(hub) != 0)
		return -EBUSY;
	c = change_new(hub);
	if (c == NULL)
		return -ENOMEM;
	directory_hub_take(hub);
	TAILQ_INSERT_TAIL(&leaving, c, entry);
	begin(c, &object, delete_keep, delete_undo, out);
	return 0;
}
