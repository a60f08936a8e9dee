/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Adding and deleting local bridges: into the directory, onto the disk, and only then into force. When the disk
 * refuses, the directory is as it was before.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>

#include "controlplane/bridges.h"
#include "controlplane/errand.h"
#include "controlplane/log.h"
#include "controlplane/store.h"

struct bridges_change {
	struct store_request request;
	struct directory_bridge *entry; /* added: in the list; deleted: out of it, ours */
	struct directory_bridge what;	/* a copy, for asking after it */
	TAILQ_ENTRY(bridges_change) leaving_entry; /* or of coming */
	bool adds;
	struct errand errand; /* over: saved, or refused */
	int error;
};

/* Out of the directory, and back there if the disk says no: their devices and names are not free. */
static TAILQ_HEAD(, bridges_change) leaving = TAILQ_HEAD_INITIALIZER(leaving);

/* In the directory before the disk has answered: not to be deleted again before that. */
static TAILQ_HEAD(, bridges_change) coming = TAILQ_HEAD_INITIALIZER(coming);

static bool same(const struct directory_bridge *leaves, const char *device, bool tap)
{
	return leaves->tap || tap ? strcasecmp(leaves->device, device) == 0
				  : strcmp(leaves->device, device) == 0;
}

static bool is_leaving(const struct directory_bridge *wanted, const char *name)
{
	const struct bridges_change *c;

	TAILQ_FOREACH (c, &leaving, leaving_entry)
		if (strcasecmp(c->what.hub, wanted->hub) == 0 &&
			(same(&c->what, wanted->device, wanted->tap) ||
				strcasecmp(c->what.name, name) == 0))
			return true;
	return false;
}

static bool is_coming(const struct directory_bridge *entry)
{
	const struct bridges_change *c;

	TAILQ_FOREACH (c, &coming, leaving_entry)
		if (c->entry == entry)
			return true;
	return false;
}

static void added(struct bridges_change *c)
{
	TAILQ_REMOVE(&coming, c, leaving_entry);
	if (c->error == 0)
		c->error = bridges_begin(&c->what);
	if (c->error == 0) {
		log_notice("bridge", "hub %s: bridge %s added", c->what.hub, c->what.name);
		return;
	}
	directory_bridge_take(c->entry);
	free(c->entry);
}

static void deleted(struct bridges_change *c)
{
	TAILQ_REMOVE(&leaving, c, leaving_entry);
	if (c->error != 0) {
		directory_bridge_put(c->entry);
		return;
	}
	free(c->entry);
	log_notice("bridge", "hub %s: bridge %s deleted", c->what.hub, c->what.name);
	bridges_end(&c->what);
}

static void on_saved(struct store_request *request, int error)
{
	struct bridges_change *c = (struct bridges_change *)request; /* first member */

	c->error = error;
	if (c->adds)
		added(c);
	else
		deleted(c);
	c->entry = NULL;
	if (errand_over(&c->errand))
		free(c);
}

static struct bridges_change *begin(struct bridges_change *c, struct directory_bridge *entry)
{
	c->request.done = on_saved;
	c->entry = entry;
	c->what = *entry;
	store_change(
		&c->request, &(struct directory_object){"bridge", c->what.hub, c->what.name}, 1);
	return c;
}

int bridges_add(const struct directory_bridge *wanted, struct bridges_change **out)
{
	struct bridges_change *c = calloc(1, sizeof(*c));
	char name[DIRECTORY_BRIDGE_NAME_BYTES];
	struct directory_bridge *entry;
	int rc;

	if (c == NULL)
		return -ENOMEM;
	strcpy(name, wanted->name);
	if (name[0] == '\0')
		directory_bridge_default_name(wanted->device, name);
	/* Who has waited may find that the directory is being read anew by now. */
	rc = store_frozen() || is_leaving(wanted, name)
		? -EBUSY
		: directory_bridge_create(wanted->hub, wanted->device, wanted->tap, name, &entry);
	if (rc != 0) {
		free(c);
		return rc;
	}
	entry->limit_broadcast = wanted->limit_broadcast;
	entry->monitor = wanted->monitor;
	entry->keep_offloads = wanted->keep_offloads;
	entry->max_frame = wanted->max_frame;
	c->adds = true;
	TAILQ_INSERT_TAIL(&coming, c, leaving_entry);
	*out = begin(c, entry);
	return 0;
}

int bridges_delete(const char *hub, const char *which, struct bridges_change **out)
{
	struct directory_bridge *entry;
	struct bridges_change *c;

	if (store_frozen())
		return -EBUSY;
	entry = directory_bridge_find(hub, which);
	if (entry == NULL)
		return -ENOENT;
	if (is_coming(entry))
		return -EBUSY;
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		return -ENOMEM;
	directory_bridge_take(entry);
	TAILQ_INSERT_TAIL(&leaving, c, leaving_entry);
	*out = begin(c, entry);
	return 0;
}

bool bridges_change_done(const struct bridges_change *c, int *error)
{
	*error = c->error;
	if (!c->errand.over)
		return false;
	return c->adds || c->error != 0 || !bridges_alive(&c->what);
}

void bridges_change_forget(struct bridges_change *c)
{
	if (c == NULL)
		return;
	if (errand_forget(&c->errand))
		free(c);
}
