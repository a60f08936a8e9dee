/* SPDX-License-Identifier: BSD-3-Clause */
/* The kinds of objects that the journal knows (directory_object.h): the table is at the end. */

#include "controlplane/directory_object.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

struct kind {
	const char *name;
	bool in_hub; /* `hub` names one that there must be */
	bool (*write)(FILE *f, const struct directory *d, const struct directory_object *o);
	int (*read)(struct config_reader *r, const config_setting_t *value, struct directory *d,
		const struct directory_object *o);
	void (*remove)(struct directory *d, const struct directory_object *o);
};

/* ---- the whole -------------------------------------------------------------------------------- */

static bool all_write(FILE *f, const struct directory *d, const struct directory_object *)
{
	fputs("{\n", f);
	directory_root_write(f, d);
	fputc('}', f);
	return true;
}

static int all_read(struct config_reader *r, const config_setting_t *value, struct directory *d,
	const struct directory_object *)
{
	struct directory old;
	int rc;

	directory_move(&old, d);
	rc = directory_root_read(r, value, d);
	if (rc == 0)
		directory_kept_fill(r, d, &old);
	d->journal = old.journal;
	directory_free(&old);
	return rc;
}

/* ---- the server ------------------------------------------------------------------------------- */

static bool server_write(FILE *f, const struct directory *d, const struct directory_object *)
{
	fputs("{\n", f);
	directory_server_write(f, d);
	fputc('}', f);
	return true;
}

static int server_read(struct config_reader *r, const config_setting_t *value, struct directory *d,
	const struct directory_object *)
{
	static const char *const names[] = {DIRECTORY_SERVER_NAMES, NULL};

	config_reader_known(r, value, names);
	/* An import says only what it knows. */
	if (!r->keeps)
		explicit_bzero(&d->admin, sizeof(d->admin));
	if (!r->keeps || config_reader_member(value, "listeners") != NULL)
		d->listener_cnt = 0;
	if (!r->keeps || config_reader_member(value, "ciphers") != NULL)
		d->ciphers[0] = '\0';
	if (!r->keeps || config_reader_member(value, "syslog") != NULL)
		d->syslog.set = false;
	directory_server_read(r, value, d);
	return 0;
}

/* ---- what an import left for later ------------------------------------------------------------- */

static bool kept_write(FILE *f, const struct directory *d, const struct directory_object *)
{
	if (d->kept == NULL)
		return false;
	fputs("{ text = ", f);
	directory_put_string(f, d->kept);
	fputs("; }", f);
	return true;
}

static int kept_read(struct config_reader *r, const config_setting_t *value, struct directory *d,
	const struct directory_object *)
{
	const char *text = NULL;

	if (!config_reader_string(r, value, "text", &text) || text == NULL)
		return 0;
	free(d->kept);
	d->kept = strdup(text);
	return d->kept == NULL ? -ENOMEM : 0;
}

static void kept_remove(struct directory *d, const struct directory_object *)
{
	free(d->kept);
	d->kept = NULL;
}

/* ---- hubs ------------------------------------------------------------------------------------- */

static bool hub_write(FILE *f, const struct directory *d, const struct directory_object *o)
{
	const struct directory_hub *hub = directory_find_hub(d, o->name);

	if (hub != NULL)
		directory_hub_settings_write(f, hub);
	return hub != NULL;
}

static int hub_read(struct config_reader *r, const config_setting_t *value, struct directory *d,
	const struct directory_object *o)
{
	struct directory_hub *old = directory_find_hub(d, o->name), *next = NULL, *by;
	int rc;

	if (old != NULL) {
		next = TAILQ_NEXT(old, entry);
		directory_take_hub(d, old);
	}
	rc = directory_hub_read(r, value, d);
	by = directory_find_hub(d, o->name);
	if (by == NULL || r->errors > 0 || rc < 0)
		directory_hub_free(old);
	else if (old != NULL)
		directory_hub_replace(d, old, by, next);
	return rc;
}

static void hub_remove(struct directory *d, const struct directory_object *o)
{
	struct directory_hub *hub = directory_find_hub(d, o->name);

	if (hub == NULL)
		return;
	directory_take_hub(d, hub);
	directory_hub_free(hub);
}

/* ---- users and groups ------------------------------------------------------------------------- */

static bool user_write(FILE *f, const struct directory *d, const struct directory_object *o)
{
	struct directory_hub *hub = directory_find_hub(d, o->hub);
	const struct directory_user *user = hub == NULL ? NULL : directory_user_find(hub, o->name);

	if (user != NULL)
		directory_user_write(f, user);
	return user != NULL;
}

static int user_read(struct config_reader *r, const config_setting_t *value, struct directory *d,
	const struct directory_object *o)
{
	struct directory_hub *hub = directory_find_hub(d, o->hub);
	struct directory_user *old = directory_user_find(hub, o->name), *next = NULL, *by;
	int rc;

	if (old != NULL) {
		next = TAILQ_NEXT(old, entry);
		directory_user_take(hub, old);
		directory_user_free(old);
	}
	rc = directory_user_read(r, value, hub);
	by = directory_user_find(hub, o->name);
	if (by != NULL && next != NULL) {
		TAILQ_REMOVE(&hub->users, by, entry);
		TAILQ_INSERT_BEFORE(next, by, entry);
	}
	return rc;
}

static void user_remove(struct directory *d, const struct directory_object *o)
{
	struct directory_hub *hub = directory_find_hub(d, o->hub);
	struct directory_user *user = directory_user_find(hub, o->name);

	if (user == NULL)
		return;
	directory_user_take(hub, user);
	directory_user_free(user);
}

static bool group_write(FILE *f, const struct directory *d, const struct directory_object *o)
{
	struct directory_hub *hub = directory_find_hub(d, o->hub);
	const struct directory_group *group =
		hub == NULL ? NULL : directory_group_find(hub, o->name);

	if (group != NULL)
		directory_group_write(f, group);
	return group != NULL;
}

/* Members of one go to the other, or into none. */
static void members_move(
	struct directory_hub *hub, struct directory_group *from, struct directory_group *to)
{
	struct directory_user *user;

	TAILQ_FOREACH (user, &hub->users, entry)
		if (user->group == from)
			directory_user_join(user, to);
}

static int group_read(struct config_reader *r, const config_setting_t *value, struct directory *d,
	const struct directory_object *o)
{
	struct directory_hub *hub = directory_find_hub(d, o->hub);
	struct directory_group *old = directory_group_find(hub, o->name), *next = NULL, *by;
	int rc;

	if (old != NULL) {
		next = TAILQ_NEXT(old, entry);
		directory_group_take(hub, old);
	}
	rc = directory_group_read(r, value, hub);
	by = directory_group_find(hub, o->name);
	if (by != NULL && next != NULL) {
		TAILQ_REMOVE(&hub->groups, by, entry);
		TAILQ_INSERT_BEFORE(next, by, entry);
	}
	if (old != NULL) {
		members_move(hub, old, by);
		directory_group_free(old);
	}
	return rc;
}

static void group_remove(struct directory *d, const struct directory_object *o)
{
	struct directory_hub *hub = directory_find_hub(d, o->hub);
	struct directory_group *group = directory_group_find(hub, o->name);

	if (group == NULL)
		return;
	members_move(hub, group, NULL);
	directory_group_take(hub, group);
	directory_group_free(group);
}

/* ---- bridges: of a hub that need not be there -------------------------------------------------- */

static struct directory_bridge *bridge_of(
	const struct directory *d, const struct directory_object *o)
{
	struct directory_bridge *b;

	TAILQ_FOREACH (b, &d->bridges, entry)
		if (strcasecmp(b->hub, o->hub) == 0 && strcasecmp(b->name, o->name) == 0)
			return b;
	return NULL;
}

static bool bridge_write(FILE *f, const struct directory *d, const struct directory_object *o)
{
	const struct directory_bridge *b = bridge_of(d, o);

	if (b != NULL)
		directory_bridge_write(f, b);
	return b != NULL;
}

static void bridge_remove(struct directory *d, const struct directory_object *o)
{
	struct directory_bridge *b = bridge_of(d, o);

	if (b == NULL)
		return;
	TAILQ_REMOVE(&d->bridges, b, entry);
	d->bridge_cnt--;
	free(b);
}

static int bridge_read(struct config_reader *r, const config_setting_t *value, struct directory *d,
	const struct directory_object *o)
{
	bridge_remove(d, o);
	return directory_bridge_read(r, value, d);
}

/* ---- the table -------------------------------------------------------------------------------- */

static const struct kind kinds[] = {
	{"directory", false, all_write, all_read, NULL},
	{"server", false, server_write, server_read, NULL},
	{"kept", false, kept_write, kept_read, kept_remove},
	{"hub", false, hub_write, hub_read, hub_remove},
	{"user", true, user_write, user_read, user_remove},
	{"group", true, group_write, group_read, group_remove},
	{"rule", true, directory_rule_object_write, directory_rule_object_read,
		directory_rule_object_remove},
	{"rules", true, directory_rules_object_write, directory_rules_object_read, NULL},
	{"bridge", false, bridge_write, bridge_read, bridge_remove},
};

static const struct kind *kind_find(const char *name)
{
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (strcmp(kinds[i].name, name) == 0)
			return &kinds[i];
	return NULL;
}

/* ---- records ---------------------------------------------------------------------------------- */

static bool object_write(FILE *f, const struct directory_object *o)
{
	const struct kind *kind = kind_find(o->kind);
	char *value = NULL;
	size_t size = 0;
	FILE *v = open_memstream(&value, &size);
	bool there, ok;

	if (v == NULL)
		return false;
	/* Apart, because it is the value that says whether there is one. */
	there = kind->write(v, &directory_now, o);
	ok = ferror(v) == 0;
	ok &= fclose(v) == 0;
	fprintf(f, "{ kind = \"%s\"; hub = ", o->kind);
	directory_put_string(f, o->hub);
	fputs("; name = ", f);
	directory_put_string(f, o->name);
	if (there && ok) {
		fputs("; value =\n", f);
		fwrite(value, 1, size, f);
	}
	fputs("; }", f);
	if (value != NULL)
		explicit_bzero(value, size);
	free(value);
	return ok;
}

char *directory_objects_write(const struct directory_object *objects, unsigned cnt, size_t *size)
{
	const char *separator = "objects = (\n";
	char *text = NULL;
	FILE *f = open_memstream(&text, size);
	bool ok = true;

	if (f == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	for (unsigned i = 0; i < cnt && ok; i++) {
		fputs(separator, f);
		ok = object_write(f, &objects[i]);
		separator = ",\n";
	}
	fputs(" );", f);
	ok &= ferror(f) == 0;
	ok &= fclose(f) == 0;
	if (ok && *size <= DIRECTORY_OBJECT_BYTES)
		return text;
	if (text != NULL)
		explicit_bzero(text, *size);
	free(text);
	errno = ok ? EFBIG : ENOMEM;
	return NULL;
}

static int object_read(struct config_reader *r, const config_setting_t *group, struct directory *d)
{
	static const char *const names[] = {"kind", "hub", "name", "value", NULL};
	struct directory_object o = {NULL, "", ""};
	const config_setting_t *value;
	const struct kind *kind;

	if (!config_setting_is_group(group)) {
		config_reader_error(r, group, "should be a group { kind = ...; }");
		return 0;
	}
	config_reader_known(r, group, names);
	if (!config_reader_string(r, group, "kind", &o.kind) ||
		!config_reader_string(r, group, "hub", &o.hub) ||
		!config_reader_string(r, group, "name", &o.name))
		return 0;
	kind = o.kind == NULL ? NULL : kind_find(o.kind);
	if (kind == NULL || strlen(o.name) > DIRECTORY_OBJECT_NAME) {
		config_reader_error(r, group, "this program knows no such object");
		return 0;
	}
	value = directory_read_group(r, group, "value");
	if (value == NULL) {
		if (kind->remove == NULL && r->errors == 0)
			config_reader_error(r, group, "%s cannot be gone", o.kind);
	}
	if (r->errors > 0)
		return 0;
	if (kind->in_hub && directory_find_hub(d, o.hub) == NULL) {
		/* Edited away by hand since: what was in it went with it. */
		return 0;
	}
	if (value != NULL)
		return kind->read(r, value, d, &o);
	kind->remove(d, &o);
	return 0;
}

int directory_objects_read(struct config_reader *r, const char *text, struct directory *d)
{
	static const char *const names[] = {"objects", NULL};
	const config_setting_t *list;
	config_t cfg;
	int rc = 0;

	if (config_reader_parse_text(r, &cfg, text)) {
		config_reader_known(r, config_root_setting(&cfg), names);
		list = config_reader_list(r, config_root_setting(&cfg), "objects");
		for (int i = 0; list != NULL && i < config_setting_length(list) && rc == 0; i++)
			rc = object_read(r, config_setting_get_elem(list, (unsigned)i), d);
	}
	config_destroy(&cfg);
	if (rc < 0)
		return rc;
	return r->errors == 0 ? 0 : -EINVAL;
}
