/* SPDX-License-Identifier: BSD-3-Clause */
/* See who.h. */

#include "controlplane/admin/who.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controlplane/registry.h"
#include "drivers/session/wire/sha0.h"

static const struct directory_admin nobody;

/* The record that a hub name means; one that nothing matches if there is none. */
static const struct directory_admin *record(const char *hub_name, bool *exists)
{
	const struct directory_hub *hub;

	*exists = true;
	if (hub_name[0] == '\0')
		return directory_server_admin();
	hub = directory_hub_find(hub_name);
	*exists = hub != NULL;
	return hub != NULL ? &hub->admin : &nobody;
}

static enum wire_error decide(struct admin_who *who, const char *hub, bool exists, bool equal,
	const struct directory_admin *admin, const char **reason)
{
	if (!exists) {
		*reason = "no_hub";
		return WIRE_ERROR_HUB_NOT_FOUND;
	}
	if (!directory_server_admin()->set || !admin->set) {
		*reason = "no_password_set";
		return WIRE_ERROR_EMPTY_PASSWORD;
	}
	if (!equal) {
		*reason = "password";
		return WIRE_ERROR_ACCESS_DENIED;
	}
	*reason = "ok";
	memset(who, 0, sizeof(*who));
	snprintf(who->hub, sizeof(who->hub), "%s", hub);
	memcpy(who->hash, admin->hash, sizeof(who->hash));
	who->caller.server = hub[0] == '\0';
	who->caller.remote = true;
	who->caller.hub_name = who->hub;
	who->caller.via = who->via;
	return WIRE_ERROR_OK;
}

enum wire_error admin_who_by_proof(struct admin_who *who, const char *hub, const uint8_t *proof,
	const uint8_t *random, const char **reason)
{
	uint8_t expected[SHA0_BYTES];
	bool exists, equal;
	const struct directory_admin *admin = record(hub, &exists);

	sha0_secure_password(admin->hash, random, expected);
	equal = sha0_equal(expected, proof, sizeof(expected));
	explicit_bzero(expected, sizeof(expected));
	return decide(who, hub, exists, equal, admin, reason);
}

enum wire_error admin_who_by_password(
	struct admin_who *who, const char *hub, const char *password, const char **reason)
{
	uint8_t given[SHA0_BYTES];
	bool exists, equal;
	const struct directory_admin *admin = record(hub, &exists);

	sha0_password_hash(password, "", given);
	equal = sha0_equal(given, admin->hash, sizeof(given));
	explicit_bzero(given, sizeof(given));
	return decide(who, hub, exists, equal, admin, reason);
}

void admin_who_via(struct admin_who *who, const char *kind, const struct connection *c)
{
	char ip[64] = "?";

	(void)getnameinfo((const struct sockaddr *)&c->peer, sizeof(c->peer), ip, sizeof(ip), NULL,
		0, NI_NUMERICHOST);
	snprintf(who->via, sizeof(who->via), "%s %s %s", kind, c->name, ip);
	who->caller.hub_name = who->hub;
	who->caller.via = who->via;
	who->caller.who = who;
}

void admin_who_renew(struct admin_who *who)
{
	bool exists;
	const struct directory_admin *admin;

	if (who == NULL)
		return;
	admin = record(who->hub, &exists);
	if (exists)
		memcpy(who->hash, admin->hash, sizeof(who->hash));
}

bool admin_who_still(const struct admin_who *who)
{
	bool exists;
	const struct directory_admin *admin = record(who->hub, &exists);

	return exists && admin->set && directory_server_admin()->set &&
		sha0_equal(admin->hash, who->hash, sizeof(who->hash));
}
