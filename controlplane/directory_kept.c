/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Secrets that come back masked (directory.h: DIRECTORY_KEPT). Who is given the directory as a text is not given
 * hashes; when he gives it back, changed, they stay what they were.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

#define MARK 0xfe /* of each byte: no hash is that */

#define KEPT_BYTES 2097152u /* of what an import left: import.h bounds it well below */

int directory_kept_read(struct config_reader *r, const config_setting_t *group, char **out)
{
	const char *text = NULL;

	if (!config_reader_string(r, group, "kept", &text) || text == NULL)
		return 0;
	if (strlen(text) > KEPT_BYTES) {
		config_reader_error(r, config_reader_member(group, "kept"),
			"has %zu bytes, should have at most %u", strlen(text), KEPT_BYTES);
		return 0;
	}
	free(*out);
	*out = strdup(text);
	return *out == NULL ? -ENOMEM : 0;
}

void directory_kept_write(FILE *f, const char *indent, const char *kept)
{
	if (kept == NULL)
		return;
	fprintf(f, "%s%s = ", indent, DIRECTORY_KEPT);
	directory_put_string(f, kept);
	fputs(";\n", f);
}

/* What was masked as a whole. */
static void text_fill(char **kept, char **old)
{
	char *masked = *kept;

	if (masked == NULL || strcmp(masked, DIRECTORY_KEPT) != 0)
		return;
	*kept = *old;
	*old = NULL;
	free(masked);
}

static bool marked(const uint8_t hash[DIRECTORY_HASH_BYTES])
{
	for (unsigned i = 0; i < DIRECTORY_HASH_BYTES; i++)
		if (hash[i] != MARK)
			return false;
	return true;
}

bool directory_kept(
	const struct config_reader *r, const char *text, uint8_t out[DIRECTORY_HASH_BYTES])
{
	if (!r->keeps || strcmp(text, DIRECTORY_KEPT) != 0)
		return false;
	memset(out, MARK, DIRECTORY_HASH_BYTES);
	return true;
}

static void admin_fill(struct config_reader *r, struct directory_admin *admin,
	const struct directory_admin *old, const char *whose)
{
	if (!admin->set || (!marked(admin->hash) && !marked(admin->vpn_hash)))
		return;
	if (old == NULL || !old->set)
		config_reader_error(r, NULL,
			"the password of %s is \"" DIRECTORY_KEPT "\", but there was none", whose);
	else
		*admin = *old;
}

static void radius_fill(
	struct config_reader *r, struct directory_hub *hub, const struct directory_hub *old)
{
	if (strcmp(hub->radius.secret, DIRECTORY_KEPT) != 0)
		return;
	if (old == NULL || old->radius.secret[0] == '\0')
		config_reader_error(r, NULL,
			"hub %s: the RADIUS secret is \"" DIRECTORY_KEPT "\", but there was none",
			hub->name);
	else
		memcpy(hub->radius.secret, old->radius.secret, sizeof(hub->radius.secret));
}

static void users_fill(
	struct config_reader *r, struct directory_hub *hub, struct directory_hub *old_hub)
{
	const struct directory_user *old;
	struct directory_user *user;

	TAILQ_FOREACH (user, &hub->users, entry) {
		if (user->auth != DIRECTORY_AUTH_PASSWORD || !marked(user->hashed_password))
			continue;
		old = old_hub == NULL ? NULL : directory_user_find(old_hub, user->name);
		if (old == NULL || old->auth != DIRECTORY_AUTH_PASSWORD)
			config_reader_error(r, NULL,
				"hub %s: the hash of user %s is \"" DIRECTORY_KEPT
				"\", but there was none",
				hub->name, user->name);
		else
			memcpy(user->hashed_password, old->hashed_password,
				sizeof(user->hashed_password));
	}
}

void directory_kept_fill(struct config_reader *r, struct directory *d, struct directory *old)
{
	struct directory_hub *hub, *was;

	if (!r->keeps)
		return;
	admin_fill(r, &d->admin, &old->admin, "the server");
	text_fill(&d->kept, &old->kept);
	TAILQ_FOREACH (hub, &d->hubs, entry) {
		was = directory_find_hub(old, hub->name);
		admin_fill(r, &hub->admin, was == NULL ? NULL : &was->admin, hub->name);
		radius_fill(r, hub, was);
		users_fill(r, hub, was);
		if (was != NULL)
			text_fill(&hub->kept, &was->kept);
	}
}
