/* SPDX-License-Identifier: BSD-3-Clause */
/* Edits of access lists (access_change.h). */

#include "controlplane/access_change.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/access_list.h"
#include "controlplane/access_names.h"
#include "controlplane/directory_change.h"
#include "controlplane/errand.h"
#include "controlplane/store.h"

struct access_change {
	struct store_request request;	     /* first */
	char hub_name[DIRECTORY_NAME_BYTES]; /* it may be gone when somebody asks */
	struct directory_hub *hub;	     /* until it is saved */
	void (*undo)(struct access_change *c);
	uint32_t id;
	struct directory_rule *gone;   /* was deleted */
	struct directory_rules before; /* were replaced */
	bool was_active;
	uint64_t number; /* access_list_changed() */
	struct errand errand;
	int error;
};

static void rule_end(struct directory_hub *hub, struct directory_rule *rule)
{
	if (rule == NULL)
		return;
	access_list_forget(hub, rule);
	directory_rule_free(rule);
}

static void rules_end(struct directory_hub *hub, struct directory_rules *rules)
{
	for (uint32_t i = 0; i < rules->cnt; i++)
		rule_end(hub, rules->rule[i]);
	free(rules->rule);
	*rules = (struct directory_rules){0};
}

static void on_saved(struct store_request *request, int error)
{
	struct access_change *c = (struct access_change *)request; /* first member */

	c->error = error;
	c->hub->changing = false;
	if (error != 0)
		c->undo(c);
	rule_end(c->hub, c->gone);
	c->gone = NULL;
	rules_end(c->hub, &c->before);
	/* Also when it was taken back: a neighbour's edit may have put it in force. */
	c->number = access_list_changed(c->hub);
	c->hub = NULL;
	if (errand_over(&c->errand))
		free(c);
}

static struct access_change *change_new(struct directory_hub *hub)
{
	struct access_change *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->hub = hub;
	c->request.done = on_saved;
	snprintf(c->hub_name, sizeof(c->hub_name), "%s", hub->name);
	return c;
}

static void begin(struct access_change *c, bool whole, void (*undo)(struct access_change *c),
	struct access_change **out)
{
	struct directory_object object = {.kind = whole ? "rules" : "rule", .hub = c->hub->name};
	char name[16] = "";

	if (!whole)
		snprintf(name, sizeof(name), "%" PRIu32, c->id);
	object.name = name;
	c->undo = undo;
	c->hub->changing = true;
	c->hub->wanted_ms = 0;
	*out = c;
	store_change(&c->request, &object, 1);
}

bool access_change_done(struct access_change *c, int *error)
{
	const struct directory_hub *hub;

	*error = c->error;
	if (!c->errand.over)
		return false;
	hub = directory_hub_find(c->hub_name);
	return c->error != 0 || c->number == 0 || hub == NULL ||
		access_list_reached(hub, c->number);
}

uint32_t access_change_id(const struct access_change *c)
{
	return c->id;
}

void access_change_forget(struct access_change *c)
{
	if (c == NULL)
		return;
	if (errand_forget(&c->errand))
		free(c);
}

/* ---- user lists ------------------------------------------------------------------------------- */

/* Distinct files that rules name; those that one more rule would name, too. */
struct files {
	const char *file[ACCESS_LISTS_MAX];
	uint32_t cnt;
	bool full;
};

static void files_add(struct files *f, const char *user)
{
	const char *file = access_names_file(user, NULL);

	if (file == NULL)
		return;
	for (uint32_t i = 0; i < f->cnt; i++)
		if (strcmp(f->file[i], file) == 0)
			return;
	if (f->cnt == ACCESS_LISTS_MAX)
		f->full = true;
	else
		f->file[f->cnt++] = file;
}

static int files_check(const struct directory_rules *rules, const struct directory_rule *more)
{
	struct files f = {.cnt = 0};

	if (more != NULL && access_names_file(more->src_user, NULL) == NULL &&
		access_names_file(more->dst_user, NULL) == NULL)
		return 0;
	for (uint32_t i = 0; i < rules->cnt; i++) {
		files_add(&f, rules->rule[i]->src_user);
		files_add(&f, rules->rule[i]->dst_user);
	}
	if (more != NULL) {
		files_add(&f, more->src_user);
		files_add(&f, more->dst_user);
	}
	return f.full ? -E2BIG : 0;
}

static uint32_t rules_max(const struct directory_hub *hub)
{
	uint32_t max = hub->admin_options[HUB_ADMIN_max_accesslists];

	return max != 0 && max < ACCESS_RULES_MAX ? max : ACCESS_RULES_MAX;
}

/* ---- edits ------------------------------------------------------------------------------------ */

static void add_undo(struct access_change *c)
{
	uint32_t at;

	if (directory_rules_find(&c->hub->access, c->id, &at) != NULL)
		c->gone = directory_rules_take(&c->hub->access, at);
}

int access_change_add(
	struct directory_hub *hub, struct directory_rule *rule, struct access_change **out)
{
	struct access_change *c = NULL;
	int rc;

	if (directory_change_whole_free(hub) != 0)
		return -EBUSY;
	rc = hub->access.cnt >= rules_max(hub) ? -ENOSPC : files_check(&hub->access, rule);
	if (rc == 0) {
		c = change_new(hub);
		rc = c == NULL ? -ENOMEM : directory_rules_put(&hub->access, rule);
	}
	if (rc != 0) {
		free(c);
		directory_rule_free(rule);
		return rc;
	}
	c->id = rule->id;
	begin(c, false, add_undo, out);
	return 0;
}

static void delete_undo(struct access_change *c)
{
	/* There is room: it was there before. */
	if (directory_rules_put(&c->hub->access, c->gone) == 0)
		c->gone = NULL;
}

int access_change_delete(struct directory_hub *hub, uint32_t at, struct access_change **out)
{
	struct access_change *c;

	if (directory_change_whole_free(hub) != 0)
		return -EBUSY;
	c = change_new(hub);
	if (c == NULL)
		return -ENOMEM;
	c->gone = directory_rules_take(&hub->access, at);
	c->id = c->gone->id;
	begin(c, false, delete_undo, out);
	return 0;
}

static void active_undo(struct access_change *c)
{
	struct directory_rule *rule = directory_rules_find(&c->hub->access, c->id, NULL);

	if (rule != NULL)
		rule->active = c->was_active;
}

int access_change_active(
	struct directory_hub *hub, uint32_t at, bool active, struct access_change **out)
{
	struct access_change *c;

	if (directory_change_whole_free(hub) != 0)
		return -EBUSY;
	c = change_new(hub);
	if (c == NULL)
		return -ENOMEM;
	c->id = hub->access.rule[at]->id;
	c->was_active = hub->access.rule[at]->active;
	hub->access.rule[at]->active = active;
	begin(c, false, active_undo, out);
	return 0;
}

/* Rules of the same id that are the same go on counting, and stay compiled. */
static void inherit(struct directory_rules *to, struct directory_rules *from);

static void replace_undo(struct access_change *c)
{
	struct directory_rules new = c->hub->access;

	inherit(&c->before, &new);
	c->hub->access = c->before;
	c->before = new;
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = (*(struct directory_rule *const *)a)->id,
		 y = (*(struct directory_rule *const *)b)->id;

	return x < y ? -1 : x > y;
}

static void inherit(struct directory_rules *to, struct directory_rules *from)
{
	size_t bytes = from->cnt * sizeof(struct directory_rule *);
	struct directory_rule **sorted = malloc(bytes + 1);

	if (sorted == NULL)
		return; /* they begin anew */
	if (from->cnt > 0) {
		memcpy(sorted, from->rule, bytes);
		qsort(sorted, from->cnt, sizeof(*sorted), by_id);
	}
	for (uint32_t i = 0; i < to->cnt; i++) {
		struct directory_rule **old =
			bsearch(&to->rule[i], sorted, from->cnt, sizeof(*sorted), by_id);

		if (old != NULL && directory_rule_same(to->rule[i], *old))
			access_list_inherit(to->rule[i], *old);
	}
	free(sorted);
}

int access_change_replace(
	struct directory_hub *hub, struct directory_rules *rules, struct access_change **out)
{
	struct access_change *c = NULL;
	int rc;

	if (directory_change_whole_free(hub) != 0)
		return -EBUSY;
	rc = rules->cnt > rules_max(hub) ? -ENOSPC : files_check(rules, NULL);
	if (rc == 0) {
		c = change_new(hub);
		rc = c == NULL ? -ENOMEM : directory_rules_sort(rules);
	}
	if (rc != 0) {
		free(c);
		directory_rules_clear(rules);
		return rc;
	}
	inherit(rules, &hub->access);
	c->before = hub->access;
	hub->access = *rules;
	*rules = (struct directory_rules){0};
	begin(c, true, replace_undo, out);
	return 0;
}

void access_change_adopt(struct directory_hub *hub, struct directory_rules *rules)
{
	struct directory_rules before = hub->access;

	if (before.cnt == 0 && rules->cnt == 0)
		return;
	inherit(rules, &before);
	hub->access = *rules;
	*rules = (struct directory_rules){0};
	rules_end(hub, &before);
	(void)access_list_changed(hub);
}
