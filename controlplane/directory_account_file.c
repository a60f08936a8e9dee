/* SPDX-License-Identifier: BSD-3-Clause */
/* Users, groups and their policies as text in the directory file. */

#include <errno.h>
#include <string.h>

#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

static const char indent[] = "\t\t\t\t";

/* ---- reading ----------------------------------------------------------------------------------- */

static void read_policy(struct config_reader *r, const config_setting_t *parent, bool *use,
	struct policy_wire *policy)
{
	static const char *const names[] = {
#define POLICY_NAME(id, field, key, kind, min, max, def, cascade) #key,
		POLICY_KEYS(POLICY_NAME)
#undef POLICY_NAME
			NULL};
	const config_setting_t *group = directory_read_group(r, parent, "policy");

	if (group == NULL)
		return;
	config_reader_known(r, group, names);
	*use = true;
#define POLICY_READ(id, field, key, kind, min, max, def, cascade) \
	directory_read_value(r, group, #key, min, max, def, &policy->field);
	POLICY_KEYS(POLICY_READ)
#undef POLICY_READ
}

/* Groups stand before the users in the file's order of reading. */
static void read_membership(struct config_reader *r, const config_setting_t *group,
	struct directory_hub *hub, struct directory_user *user)
{
	const char *name = NULL;
	struct directory_group *g;

	if (!config_reader_string(r, group, "group", &name) || name == NULL)
		return;
	g = directory_group_find(hub, name);
	if (g == NULL)
		config_reader_error(r, config_reader_member(group, "group"),
			"is \"%s\", should be a group of this hub", name);
	else
		directory_user_join(user, g);
}

static int read_user_fields(struct config_reader *r, const config_setting_t *group,
	struct directory_hub *hub, struct directory_user *user)
{
	int rc;

	/* What a nameless user is thrown away with has no groups. */
	if (hub != NULL)
		read_membership(r, group, hub, user);
	read_policy(r, group, &user->use_policy, &user->policy);

	/* Written by hand without one: not known. Not now, which would be another time at each look. */
	user->created_ms = 0;
	directory_read_time(r, group, "created", &user->created_ms);
	user->updated_ms = user->created_ms;
	directory_read_time(r, group, "updated", &user->updated_ms);
	directory_read_time(r, group, "expires", &user->expires_ms);
	rc = directory_auth_read(r, group, user);
	if (rc == 0)
		rc = directory_read_text(r, group, "real_name", &user->real_name);
	return rc < 0 ? rc : directory_read_text(r, group, "note", &user->note);
}

static int read_group_fields(
	struct config_reader *r, const config_setting_t *group, struct directory_group *g)
{
	int rc;

	read_policy(r, group, &g->use_policy, &g->policy);
	rc = directory_read_text(r, group, "real_name", &g->real_name);
	return rc < 0 ? rc : directory_read_text(r, group, "note", &g->note);
}

/*
 * An element whose name is wrong is read all the same, into something that is thrown away, so that what
 * else is wrong with it is told in the same run.
 */
static int read_nameless(struct config_reader *r, const config_setting_t *group, bool is_group)
{
	struct directory scrap;
	struct directory_hub *hub;
	struct directory_group *g;
	struct directory_user *user;
	int rc;

	directory_init(&scrap);
	rc = directory_add_hub(&scrap, "scrap", &hub);
	if (rc == 0 && is_group) {
		rc = directory_add_group(hub, "scrap", &g);
		if (rc == 0)
			rc = read_group_fields(r, group, g);
	} else if (rc == 0) {
		rc = directory_add_user(hub, "scrap", &user);
		if (rc == 0)
			rc = read_user_fields(r, group, NULL, user);
	}
	directory_free(&scrap);
	return rc;
}

int directory_group_read(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub)
{
	static const char *const names[] = {"name", "real_name", "note", "policy", NULL};
	struct directory_group *g;
	const char *name;
	int rc;

	if (!config_setting_is_group(group)) {
		config_reader_error(
			r, group, "should be a group such as { name = \"staff\"; ... }");
		return 0;
	}
	config_reader_known(r, group, names);
	name = directory_read_name(r, group, directory_user_name_wrong);
	if (name == NULL)
		return read_nameless(r, group, true);
	rc = directory_add_group(hub, name, &g);
	if (rc == -EEXIST) {
		config_reader_error(r, config_reader_member(group, "name"),
			"is \"%s\", which an earlier group of this hub has already (capitals do not count)",
			name);
		return read_nameless(r, group, true);
	}
	return rc < 0 ? rc : read_group_fields(r, group, g);
}

int directory_user_read(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub)
{
	static const char *const names[] = {"name", "auth", "password_hash", "password",
		"certificate", "common_name", "serial", "radius_name", "created", "updated",
		"expires", "real_name", "note", "group", "policy", NULL};
	struct directory_user *user;
	const char *name;
	int rc;

	if (!config_setting_is_group(group)) {
		config_reader_error(r, group, "should be a group such as { name = \"vpn\"; ... }");
		return 0;
	}
	config_reader_known(r, group, names);
	name = directory_read_name(r, group, directory_user_name_wrong);
	if (name == NULL)
		return read_nameless(r, group, false);
	rc = directory_add_user(hub, name, &user);
	if (rc == -EEXIST) {
		config_reader_error(r, config_reader_member(group, "name"),
			"is \"%s\", which an earlier user of this hub has already (capitals do not count)",
			name);
		return read_nameless(r, group, false);
	}
	if (rc == 0)
		rc = read_user_fields(r, group, hub, user);
	if (rc == 0 && strcmp(name, "*") == 0 && user->auth != DIRECTORY_AUTH_RADIUS)
		config_reader_error(r, config_reader_member(group, "name"),
			"is \"*\", which only external authentication may use, should be another");
	return rc;
}

/* The elements of an optional list, at most `max`. */
static int read_list(struct config_reader *r, const config_setting_t *parent, const char *name,
	unsigned max, struct directory_hub *hub,
	int (*read)(struct config_reader *r, const config_setting_t *element,
		struct directory_hub *hub))
{
	const config_setting_t *list = config_reader_list(r, parent, name);
	int rc = 0;

	if (list == NULL)
		return 0;
	if (config_setting_length(list) > (int)max) {
		config_reader_error(r, list, "has %d %s, should have at most %u",
			config_setting_length(list), name, max);
		return 0;
	}
	for (int i = 0; i < config_setting_length(list) && rc == 0; i++)
		rc = read(r, config_setting_get_elem(list, (unsigned)i), hub);
	return rc;
}

int directory_accounts_read(
	struct config_reader *r, const config_setting_t *hub_setting, struct directory_hub *hub)
{
	int rc = read_list(
		r, hub_setting, "groups", DIRECTORY_GROUPS_MAX, hub, directory_group_read);

	return rc < 0
		? rc
		: read_list(r, hub_setting, "users", DIRECTORY_USERS_MAX, hub, directory_user_read);
}

/* ---- writing ----------------------------------------------------------------------------------- */

static void put_policy(FILE *f, bool use, const struct policy_wire *policy)
{
	if (!use)
		return;
	fprintf(f, "%spolicy = {", indent);
#define POLICY_PUT(id, field, key, kind, min, max, def, cascade) \
	directory_put_value(f, #key, min, max, def, policy->field);
	POLICY_KEYS(POLICY_PUT)
#undef POLICY_PUT
	fputs(" };\n", f);
}

void directory_group_write(FILE *f, const struct directory_group *group)
{
	fprintf(f, "\t\t\t{\n%sname = ", indent);
	directory_put_string(f, group->name);
	fputs(";\n", f);
	directory_put_text(f, indent, "real_name", group->real_name);
	directory_put_text(f, indent, "note", group->note);
	put_policy(f, group->use_policy, &group->policy);
	fputs("\t\t\t}", f);
}

void directory_user_write(FILE *f, const struct directory_user *user)
{
	fprintf(f, "\t\t\t{\n%sname = ", indent);
	directory_put_string(f, user->name);
	fputs(";\n", f);
	directory_auth_write(f, indent, user);
	directory_put_time(f, indent, "created", user->created_ms);
	directory_put_time(f, indent, "updated", user->updated_ms);
	directory_put_time(f, indent, "expires", user->expires_ms);
	directory_put_text(f, indent, "real_name", user->real_name);
	directory_put_text(f, indent, "note", user->note);
	if (user->group != NULL)
		directory_put_text(f, indent, "group", user->group->name);
	put_policy(f, user->use_policy, &user->policy);
	fputs("\t\t\t}", f);
}

void directory_accounts_write(FILE *f, const struct directory_hub *hub)
{
	const struct directory_group *group;
	const struct directory_user *user;
	const char *separator = "\t\tgroups = (\n";

	TAILQ_FOREACH (group, &hub->groups, entry) {
		fputs(separator, f);
		directory_group_write(f, group);
		separator = ",\n";
	}
	if (!TAILQ_EMPTY(&hub->groups))
		fputs("\n\t\t);\n", f);
	fputs("\t\tusers = (", f);
	separator = "\n";
	TAILQ_FOREACH (user, &hub->users, entry) {
		fputs(separator, f);
		directory_user_write(f, user);
		separator = ",\n";
	}
	fputs("\n\t\t);\n", f);
}
