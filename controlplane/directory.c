/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory in memory (directory.h): names, and hubs as ordered lists for listing and saving with an index
 * for finding. Users and groups: directory_account.c.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/directory_priv.h"

struct directory directory_now = {
	.hubs = TAILQ_HEAD_INITIALIZER(directory_now.hubs),
	.bridges = TAILQ_HEAD_INITIALIZER(directory_now.bridges),
};

/* ---- names and texts --------------------------------------------------------------------------- */

/* Bytes of the UTF-8 sequence at p, 0 if it is none. */
static unsigned utf8_sequence(const unsigned char *p)
{
	static const struct {
		unsigned char lead_min, lead_max, second_min, second_max;
		unsigned bytes;
	} forms[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (p[0] < 0x80)
		return 1;
	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (p[0] < forms[i].lead_min || p[0] > forms[i].lead_max)
			continue;
		if (p[1] < forms[i].second_min || p[1] > forms[i].second_max)
			return 0;
		for (unsigned k = 2; k < forms[i].bytes; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].bytes;
	}
	return 0;
}

bool directory_text_ok(const char *text, bool lines)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p != '\0') {
		unsigned n = utf8_sequence(p);

		if (n == 0)
			return false;
		if (n == 1 && (*p < 0x20 || *p == 0x7f) && !(lines && (*p == '\n' || *p == '\t')))
			return false;
		p += n;
	}
	return true;
}

const char *directory_message_wrong(const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned chars = 0;

	for (unsigned n; *p != '\0'; p += n, chars++) {
		n = utf8_sequence(p);
		if (n == 0 || (n == 1 && (*p < 0x20 || *p == 0x7f) && strchr("\r\n\t", *p) == NULL))
			return "should be UTF-8 without control characters";
	}
	if (chars > DIRECTORY_MESSAGE_CHARS ||
		(size_t)(p - (const unsigned char *)text) > DIRECTORY_MESSAGE_BYTES)
		return "should have at most 20000 characters, and 60000 bytes";
	return NULL;
}

const char *directory_hub_name_wrong(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
		" -_().,+=@#!&~";
	size_t len = strlen(name);

	if (len == 0 || len >= DIRECTORY_NAME_BYTES)
		return "should have 1 to 255 characters";
	if (strspn(name, allowed) != len)
		return "should have only ASCII letters, digits, space and -_().,+=@#!&~";
	if (name[0] == '.' || name[len - 1] == '.' || name[0] == ' ' || name[len - 1] == ' ')
		return "should not begin or end with a dot or a space";
	return NULL;
}

const char *directory_user_name_wrong(const char *name)
{
	static const char *const reserved[] = {
		"link", "Cascade", "SecureNAT", "localbridge", "Local Bridge", "administrator"};
	size_t len = strlen(name);

	if (len == 0 || len >= DIRECTORY_NAME_BYTES)
		return "should have 1 to 255 bytes";
	if (!directory_text_ok(name, false))
		return "should be UTF-8 without control characters";
	for (unsigned i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (strcasecmp(name, reserved[i]) == 0)
			return "is reserved, should be another";
	if (strncasecmp(name, "L3SW_", 5) == 0)
		return "begins with L3SW_, which is reserved, should be another";
	return NULL;
}

/* ---- hubs -------------------------------------------------------------------------------------- */

void directory_init(struct directory *d)
{
	memset(d, 0, sizeof(*d));
	TAILQ_INIT(&d->hubs);
	TAILQ_INIT(&d->bridges);
}

void directory_hub_free(struct directory_hub *hub)
{
	struct directory_user *user;
	struct directory_group *group;

	if (hub == NULL)
		return;
	while ((user = TAILQ_FIRST(&hub->users)) != NULL) {
		TAILQ_REMOVE(&hub->users, user, entry);
		directory_user_free(user);
	}
	while ((group = TAILQ_FIRST(&hub->groups)) != NULL) {
		TAILQ_REMOVE(&hub->groups, group, entry);
		directory_group_free(group);
	}
	name_index_free(&hub->user_index);
	name_index_free(&hub->group_index);
	explicit_bzero(&hub->admin, sizeof(hub->admin));
	explicit_bzero(&hub->radius, sizeof(hub->radius));
	directory_trust_unref(hub->trust);
	free(hub->sources);
	directory_rules_clear(&hub->access);
	free(hub->message);
	free(hub->kept);
	free(hub->notice_limits);
	free(hub);
}

void directory_free(struct directory *d)
{
	struct directory_hub *hub;

	while ((hub = TAILQ_FIRST(&d->hubs)) != NULL) {
		TAILQ_REMOVE(&d->hubs, hub, entry);
		directory_hub_free(hub);
	}
	directory_bridges_free(d);
	free(d->kept);
	explicit_bzero(&d->admin, sizeof(d->admin));
	name_index_free(&d->hub_index);
	directory_init(d);
}

void directory_move(struct directory *to, struct directory *from)
{
	*to = *from;
	/* A tail queue's head is pointed at by its first element. */
	TAILQ_INIT(&to->hubs);
	TAILQ_CONCAT(&to->hubs, &from->hubs, entry);
	TAILQ_INIT(&to->bridges);
	TAILQ_CONCAT(&to->bridges, &from->bridges, entry);
	explicit_bzero(&from->admin, sizeof(from->admin));
	directory_init(from);
}

void directory_clear(void)
{
	directory_free(&directory_now);
}

const struct directory_hubs *directory_hubs(void)
{
	return &directory_now.hubs;
}

struct directory_hub *directory_find_hub(const struct directory *d, const char *name)
{
	return name_entry_of(name_index_find(&d->hub_index, name), struct directory_hub, index);
}

struct directory_hub *directory_hub_find(const char *name)
{
	return directory_find_hub(&directory_now, name);
}

void directory_log_default(struct directory_log *log)
{
	/* TCP connections and DHCP are what the original logs; 4 is a day. */
	*log = (struct directory_log){.security = true,
		.security_switch = 4,
		.packet_switch = 4,
		.kinds = {[0] = 1, [2] = 1}};
}

int directory_add_hub(struct directory *d, const char *name, struct directory_hub **out)
{
	struct directory_hub *hub;

	if (directory_hub_name_wrong(name) != NULL)
		return -EINVAL;
	if (directory_find_hub(d, name) != NULL)
		return -EEXIST;
	if (d->hub_index.cnt >= DIRECTORY_HUBS_MAX)
		return -ENOSPC;
	if (name_index_reserve(&d->hub_index) < 0)
		return -ENOMEM;
	hub = calloc(1, sizeof(*hub));
	if (hub == NULL)
		return -ENOMEM;
	strcpy(hub->name, name);
	hub->online = true;
	hub->max_macs = 65536;
	hub->created_ms = directory_now_ms();
	hub->session_serial = 1;
	directory_log_default(&hub->log);
	option_defaults(hub_ext_keys, HUB_EXT_CNT, hub->ext_options);
	option_defaults(hub_admin_keys, HUB_ADMIN_CNT, hub->admin_options);
	directory_radius_default(&hub->radius);
	TAILQ_INIT(&hub->users);
	TAILQ_INIT(&hub->groups);
	TAILQ_INSERT_TAIL(&d->hubs, hub, entry);
	name_index_put(&d->hub_index, &hub->index, hub->name);
	*out = hub;
	return 0;
}

int directory_hub_create(const char *name, struct directory_hub **out)
{
	return directory_add_hub(&directory_now, name, out);
}

void directory_take_hub(struct directory *d, struct directory_hub *hub)
{
	TAILQ_REMOVE(&d->hubs, hub, entry);
	name_index_take(&d->hub_index, &hub->index);
}

void directory_hub_take(struct directory_hub *hub)
{
	directory_take_hub(&directory_now, hub);
}

void directory_hub_replace(struct directory *d, struct directory_hub *old, struct directory_hub *by,
	struct directory_hub *next)
{
	TAILQ_CONCAT(&by->groups, &old->groups, entry);
	by->group_cnt = old->group_cnt;
	by->group_index = old->group_index;
	old->group_index = (struct name_index){0};
	TAILQ_CONCAT(&by->users, &old->users, entry);
	by->user_cnt = old->user_cnt;
	by->user_index = old->user_index;
	old->user_index = (struct name_index){0};
	directory_rules_clear(&by->access);
	by->access = old->access;
	old->access = (struct directory_rules){0};
	directory_hub_free(old);
	if (next == NULL)
		return;
	TAILQ_REMOVE(&d->hubs, by, entry);
	TAILQ_INSERT_BEFORE(next, by, entry);
}

void directory_hub_put(struct directory_hub *hub)
{
	TAILQ_INSERT_TAIL(&directory_now.hubs, hub, entry);
	/* There is room: it was here before, and the index never shrinks. */
	name_index_put(&directory_now.hub_index, &hub->index, hub->name);
}

void directory_hub_adopt(struct directory_hub *hub, struct directory_hub *from)
{
	struct directory_users old_users = TAILQ_HEAD_INITIALIZER(old_users);
	struct directory_groups old_groups = TAILQ_HEAD_INITIALIZER(old_groups);
	struct name_index users = hub->user_index, groups = hub->group_index;
	uint32_t user_cnt = hub->user_cnt, group_cnt = hub->group_cnt;
	struct directory_user *user, *old;
	struct directory_group *group, *was;

	TAILQ_FOREACH (user, &from->users, entry) {
		old = directory_user_find(hub, user->name);
		if (old == NULL)
			continue;
		user->login_cnt = old->login_cnt;
		user->last_login_ms = old->last_login_ms;
		user->traffic = old->traffic;
	}
	TAILQ_FOREACH (group, &from->groups, entry) {
		was = directory_group_find(hub, group->name);
		if (was != NULL)
			group->traffic = was->traffic;
	}
	TAILQ_CONCAT(&old_users, &hub->users, entry);
	TAILQ_CONCAT(&hub->users, &from->users, entry);
	TAILQ_CONCAT(&from->users, &old_users, entry);
	hub->user_index = from->user_index;
	hub->user_cnt = from->user_cnt;
	from->user_index = users;
	from->user_cnt = user_cnt;
	TAILQ_CONCAT(&old_groups, &hub->groups, entry);
	TAILQ_CONCAT(&hub->groups, &from->groups, entry);
	TAILQ_CONCAT(&from->groups, &old_groups, entry);
	hub->group_index = from->group_index;
	hub->group_cnt = from->group_cnt;
	free(hub->kept);
	hub->kept = from->kept;
	from->kept = NULL;
	from->group_index = groups;
	from->group_cnt = group_cnt;
}
