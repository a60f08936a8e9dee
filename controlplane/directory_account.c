/* SPDX-License-Identifier: BSD-3-Clause */
/* Users and groups of a hub in memory (directory.h), and which policy applies to whom. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/directory_priv.h"
#include "drivers/session/wire/sha0.h"

const struct policy_wire *directory_policy_default(void)
{
	static struct policy_wire policy;
	static bool made;

	if (!made)
		policy_wire_default(&policy);
	made = true;
	return &policy;
}

/* ---- groups ------------------------------------------------------------------------------------ */

struct directory_group *directory_group_find(struct directory_hub *hub, const char *name)
{
	return name_entry_of(
		name_index_find(&hub->group_index, name), struct directory_group, index);
}

void directory_group_free(struct directory_group *group)
{
	if (group == NULL)
		return;
	free(group->real_name);
	free(group->note);
	free(group);
}

struct directory_group *directory_group_new(const char *name)
{
	struct directory_group *group = calloc(1, sizeof(*group));

	if (group == NULL)
		return NULL;
	strcpy(group->name, name);
	group->policy = *directory_policy_default();
	group->real_name = strdup("");
	group->note = strdup("");
	if (group->real_name == NULL || group->note == NULL) {
		directory_group_free(group);
		return NULL;
	}
	return group;
}

int directory_add_group(struct directory_hub *hub, const char *name, struct directory_group **out)
{
	struct directory_group *group;

	if (directory_user_name_wrong(name) != NULL)
		return -EINVAL;
	if (directory_group_find(hub, name) != NULL)
		return -EEXIST;
	if (hub->group_cnt >= DIRECTORY_GROUPS_MAX)
		return -ENOSPC;
	if (name_index_reserve(&hub->group_index) < 0)
		return -ENOMEM;
	group = directory_group_new(name);
	if (group == NULL)
		return -ENOMEM;
	directory_group_put(hub, group);
	*out = group;
	return 0;
}

int directory_group_create(
	struct directory_hub *hub, const char *name, struct directory_group **out)
{
	uint32_t max = hub->admin_options[HUB_ADMIN_max_groups];

	if (max != 0 && hub->group_cnt >= max && directory_group_find(hub, name) == NULL)
		return -ENOSPC;
	return directory_add_group(hub, name, out);
}

void directory_group_take(struct directory_hub *hub, struct directory_group *group)
{
	TAILQ_REMOVE(&hub->groups, group, entry);
	name_index_take(&hub->group_index, &group->index);
	hub->group_cnt--;
}

void directory_group_put(struct directory_hub *hub, struct directory_group *group)
{
	TAILQ_INSERT_TAIL(&hub->groups, group, entry);
	name_index_put(&hub->group_index, &group->index, group->name);
	hub->group_cnt++;
}

void directory_group_replace(
	struct directory_hub *hub, struct directory_group *old, struct directory_group *by)
{
	struct directory_user *user;

	TAILQ_INSERT_BEFORE(old, by, entry);
	directory_group_take(hub, old);
	name_index_put(&hub->group_index, &by->index, by->name);
	hub->group_cnt++;
	by->user_cnt = old->user_cnt;
	by->traffic = old->traffic;
	old->user_cnt = 0;
	TAILQ_FOREACH (user, &hub->users, entry)
		if (user->group == old)
			user->group = by;
}

/* ---- users ------------------------------------------------------------------------------------- */

struct directory_user *directory_user_find(struct directory_hub *hub, const char *name)
{
	return name_entry_of(name_index_find(&hub->user_index, name), struct directory_user, index);
}

void directory_user_free(struct directory_user *user)
{
	if (user == NULL)
		return;
	directory_user_forget_auth(user);
	free(user->real_name);
	free(user->note);
	free(user);
}

struct directory_user *directory_user_new(const char *name)
{
	struct directory_user *user = calloc(1, sizeof(*user));

	if (user == NULL)
		return NULL;
	strcpy(user->name, name);
	user->policy = *directory_policy_default();
	user->real_name = strdup("");
	user->note = strdup("");
	if (user->real_name == NULL || user->note == NULL) {
		directory_user_free(user);
		return NULL;
	}
	user->auth = DIRECTORY_AUTH_ANONYMOUS;
	user->created_ms = directory_now_ms();
	user->updated_ms = user->created_ms;
	return user;
}

int directory_add_user(struct directory_hub *hub, const char *name, struct directory_user **out)
{
	struct directory_user *user;

	if (directory_user_name_wrong(name) != NULL)
		return -EINVAL;
	if (directory_user_find(hub, name) != NULL)
		return -EEXIST;
	if (hub->user_cnt >= DIRECTORY_USERS_MAX)
		return -ENOSPC;
	if (name_index_reserve(&hub->user_index) < 0)
		return -ENOMEM;
	user = directory_user_new(name);
	if (user == NULL)
		return -ENOMEM;
	directory_user_put(hub, user);
	*out = user;
	return 0;
}

int directory_user_create(struct directory_hub *hub, const char *name, struct directory_user **out)
{
	uint32_t max = hub->admin_options[HUB_ADMIN_max_users];

	if (max != 0 && hub->user_cnt >= max && directory_user_find(hub, name) == NULL)
		return -ENOSPC;
	return directory_add_user(hub, name, out);
}

/* A user that is out of the directory keeps its group's name by pointer, but counts no more as a member. */
void directory_user_take(struct directory_hub *hub, struct directory_user *user)
{
	TAILQ_REMOVE(&hub->users, user, entry);
	name_index_take(&hub->user_index, &user->index);
	hub->user_cnt--;
	if (user->group != NULL)
		user->group->user_cnt--;
}

void directory_user_put(struct directory_hub *hub, struct directory_user *user)
{
	TAILQ_INSERT_TAIL(&hub->users, user, entry);
	name_index_put(&hub->user_index, &user->index, user->name);
	hub->user_cnt++;
	if (user->group != NULL)
		user->group->user_cnt++;
}

void directory_user_replace(
	struct directory_hub *hub, struct directory_user *old, struct directory_user *by)
{
	by->traffic = old->traffic;
	TAILQ_INSERT_BEFORE(old, by, entry);
	directory_user_take(hub, old);
	name_index_put(&hub->user_index, &by->index, by->name);
	hub->user_cnt++;
	if (by->group != NULL)
		by->group->user_cnt++;
}

void directory_user_join(struct directory_user *user, struct directory_group *group)
{
	if (user->group != NULL)
		user->group->user_cnt--;
	user->group = group;
	if (group != NULL)
		group->user_cnt++;
}

void directory_user_forget_auth(struct directory_user *user)
{
	user->auth = DIRECTORY_AUTH_ANONYMOUS;
	explicit_bzero(user->hashed_password, sizeof(user->hashed_password));
	free(user->cert);
	user->cert = NULL;
	user->cert_bytes = 0;
	user->serial_bytes = 0;
	free(user->common_name);
	user->common_name = NULL;
	free(user->radius_name);
	user->radius_name = NULL;
}

int directory_user_set_certificate(struct directory_user *user, const uint8_t *der, size_t size)
{
	uint8_t *copy = malloc(size);

	if (copy == NULL)
		return -ENOMEM;
	memcpy(copy, der, size);
	directory_user_forget_auth(user);
	user->auth = DIRECTORY_AUTH_CERTIFICATE;
	user->cert = copy;
	user->cert_bytes = (uint32_t)size;
	return 0;
}

void directory_user_set_password(struct directory_user *user, const char *password)
{
	directory_user_forget_auth(user);
	user->auth = DIRECTORY_AUTH_PASSWORD;
	sha0_password_hash(password, user->name, user->hashed_password);
	user->updated_ms = directory_now_ms();
}

bool directory_user_password_empty(const struct directory_user *user)
{
	uint8_t empty[DIRECTORY_HASH_BYTES];

	if (user->auth == DIRECTORY_AUTH_ANONYMOUS)
		return true;
	if (user->auth != DIRECTORY_AUTH_PASSWORD)
		return false;
	sha0_password_hash("", user->name, empty);
	return sha0_equal(empty, user->hashed_password, sizeof(empty));
}

const struct policy_wire *directory_user_policy(const struct directory_user *user)
{
	if (user->use_policy)
		return &user->policy;
	if (user->group != NULL && user->group->use_policy)
		return &user->group->policy;
	return directory_policy_default();
}
