/* SPDX-License-Identifier: BSD-3-Clause */
/* Resumable walks over what may change between two slices of a listing. */

#include "controlplane/admin/walk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int session_walk_start(struct session_walk *w, const struct directory_hub *hub)
{
	const struct vpn_sessions *sessions = registry_sessions();
	const struct vpn_session *vs;
	size_t max = registry_session_cnt();

	w->cnt = 0;
	w->next = 0;
	w->keys = calloc(max + 1, sizeof(w->keys[0]));
	if (w->keys == NULL)
		return -ENOMEM;
	TAILQ_FOREACH (vs, sessions, entry) {
		if (hub != NULL && vs->hub != hub)
			continue;
		if (w->cnt == max)
			break;
		memcpy(w->keys[w->cnt++], vs->key, REGISTRY_KEY_BYTES);
	}
	return 0;
}

struct vpn_session *session_walk_next(struct session_walk *w)
{
	while (w->next < w->cnt) {
		struct vpn_session *vs = registry_session_by_key(w->keys[w->next++]);

		if (vs != NULL)
			return vs;
	}
	return NULL;
}

void session_walk_end(struct session_walk *w)
{
	if (w->keys != NULL)
		explicit_bzero(w->keys, w->cnt * sizeof(w->keys[0]));
	free(w->keys);
	w->keys = NULL;
}

struct directory_hub *hub_walk_next(struct hub_walk *w)
{
	struct directory_hub *hub = NULL;

	if (w->met > 0) {
		hub = directory_hub_find(w->last);
		if (hub != NULL)
			hub = TAILQ_NEXT(hub, entry);
	}
	if (hub == NULL && (w->met == 0 || directory_hub_find(w->last) == NULL)) {
		unsigned skip = w->met;

		/* The first, or by position because the one we stood on has gone. */
		TAILQ_FOREACH (hub, directory_hubs(), entry)
			if (skip-- == 0)
				break;
	}
	if (hub == NULL)
		return NULL;
	w->met++;
	snprintf(w->last, sizeof(w->last), "%s", hub->name);
	return hub;
}

struct connection *connection_walk_next(struct connection_walk *w)
{
	struct connection *c;

	if (w->at != NULL) {
		c = TAILQ_NEXT(w->at, entry);
	} else {
		TAILQ_FOREACH (c, registry_connections(), entry)
			if (c->id > w->last_id)
				break;
	}
	w->at = c;
	if (c != NULL)
		w->last_id = c->id;
	else
		w->last_id = UINT64_MAX;
	return c;
}

void connection_walk_pause(struct connection_walk *w)
{
	w->at = NULL;
}
