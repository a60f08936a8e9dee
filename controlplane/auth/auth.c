/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Chooses the method (reference/auth.md 2): an anonymous user first, whatever was sent; then by the type
 * that the peer names.
 */

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/auth/auth.h"
#include "controlplane/auth/password.h"

static void answer(struct auth_outcome *o, enum wire_error error, const char *reason)
{
	o->error = error;
	o->reason = reason;
}

static void answer_password(struct auth_outcome *o, const struct directory_user *user, bool ok)
{
	if (ok)
		answer(o, WIRE_ERROR_OK, "ok");
	else
		answer(o, WIRE_ERROR_AUTH_FAILED, user == NULL ? "no_user" : "password");
}

/* ---- RADIUS ------------------------------------------------------------------------------------ */

/*
 * Whose record an external method is about: the user's, or, if there is no such user, that of `*`. Sessions and logs
 * then show the name that the peer sent, so it has to be one that a user could have.
 */
static struct directory_user *external(
	struct directory_hub *hub, struct directory_user *user, const char *name)
{
	if (user == NULL && directory_user_name_wrong(name) == NULL && strcmp(name, "*") != 0)
		user = directory_user_find(hub, "*");
	return user != NULL && user->auth == DIRECTORY_AUTH_RADIUS ? user : NULL;
}

/* False: it does not fit. */
static bool radius_name(struct auth_outcome *o, const struct directory_hub *hub,
	const struct directory_user *user, const struct login_request *r)
{
	bool own = strcmp(user->name, "*") != 0;
	const char *name = user->radius_name != NULL && own ? user->radius_name
		: own					    ? user->name
							    : r->username;
	const char *realm = hub->radius.realm;
	int len = snprintf(o->radius_name, sizeof(o->radius_name), "%s%s%s", name,
		realm[0] != '\0' ? "@" : "", realm);

	return len > 0 && (size_t)len < sizeof(o->radius_name);
}

static void by_radius(struct auth_outcome *o, const struct directory_hub *hub,
	struct directory_user *user, const struct login_request *r, const struct auth_facts *facts)
{
	/*
	 * An empty password is nobody's: some servers pass it on to directories that take it for an anonymous
	 * question, and say yes.
	 */
	if (!r->has_plain_password || r->plain_password[0] == '\0' ||
		hub->radius.servers[0] == '\0' || !radius_name(o, hub, user, r)) {
		answer(o, WIRE_ERROR_AUTH_FAILED,
			hub->radius.servers[0] == '\0' ? "no_radius_server" : "password");
		return;
	}
	if (facts->radius == NULL || strcmp(facts->radius_name, o->radius_name) != 0) {
		o->need = AUTH_NEEDS_RADIUS;
		return;
	}
	switch (facts->radius->result) {
	case RADIUS_ACCEPTED:
		answer(o, WIRE_ERROR_OK, "ok");
		o->user = user;
		o->by_radius = true;
		o->vlan = facts->radius->vlan;
		return;
	case RADIUS_REJECTED:
		answer(o, WIRE_ERROR_AUTH_FAILED, "radius_rejected");
		return;
	case RADIUS_SILENT:
		answer(o, WIRE_ERROR_AUTH_FAILED,
			facts->radius->unsigned_seen ? "radius_unsigned" : "radius_silent");
		o->undecided = true;
		return;
	}
}

/* ---- all of them ------------------------------------------------------------------------------- */

void auth_check(struct auth_outcome *o, struct directory_hub *hub, const struct login_request *r,
	const struct auth_facts *facts)
{
	struct directory_user *user = directory_user_find(hub, r->username);
	struct directory_user *elsewhere;

	memset(o, 0, sizeof(*o));
	/* The template is no user: nobody logs in by its name. */
	if (user != NULL && strcmp(user->name, "*") == 0)
		user = NULL;
	o->user = user;
	if (user != NULL && user->auth == DIRECTORY_AUTH_ANONYMOUS) {
		answer(o, WIRE_ERROR_OK, "ok");
		return;
	}
	switch (r->authtype) {
	case LOGIN_AUTH_ANONYMOUS:
		answer_password(o, user, false);
		break;
	case LOGIN_AUTH_PASSWORD:
		answer_password(o, user, auth_password_proof(user, r, facts->random));
		break;
	case LOGIN_AUTH_PLAIN_PASSWORD:
		answer_password(o, user, auth_password_plain(user, r));
		elsewhere = external(hub, user, r->username);
		if (elsewhere != NULL)
			by_radius(o, hub, elsewhere, r, facts);
		break;
	case LOGIN_AUTH_CERT:
		if (facts->certificate == NULL || facts->certificate->trust != hub->trust) {
			o->need = AUTH_NEEDS_CERTIFICATE;
			break;
		}
		o->error = auth_certificate_fits(facts->certificate, user, &o->reason)
			? WIRE_ERROR_OK
			: WIRE_ERROR_AUTH_FAILED;
		break;
	default:
		/*
		 * Tickets (99) exist only in clusters, and 96 to 98 mean "already authenticated" between parts
		 * of one stock server: from the network they must never be believed (wire.md 3.2.1).
		 */
		answer(o, WIRE_ERROR_AUTH_TYPE, "auth_type");
		break;
	}
	if (o->error != WIRE_ERROR_OK)
		o->user = NULL;
}

enum wire_error auth_check_password(
	const struct directory_user *user, const struct login_request *r, const uint8_t *random)
{
	bool ok;

	switch (r->authtype) {
	case LOGIN_AUTH_PASSWORD:
		ok = auth_password_proof(user, r, random);
		break;
	case LOGIN_AUTH_PLAIN_PASSWORD:
		ok = auth_password_plain(user, r);
		break;
	case LOGIN_AUTH_ANONYMOUS:
	case LOGIN_AUTH_CERT:
		ok = false;
		break;
	default:
		return WIRE_ERROR_AUTH_TYPE;
	}
	return ok ? WIRE_ERROR_OK : WIRE_ERROR_AUTH_FAILED;
}
