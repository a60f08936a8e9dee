/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A user changes the own password (wire.md 3.5): proves to know the old one, and sends the hash of the new. Answered
 * when the change stands on the disk, or was taken back. Attempts are held back like those of logins, as they are as
 * good for guessing.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/auth/password.h"
#include "controlplane/directory.h"
#include "controlplane/directory_change.h"
#include "controlplane/listener.h"
#include "controlplane/login_log.h"
#include "controlplane/negotiation_priv.h"
#include "controlplane/registry.h"

#define DISK_POLL_MS 10u

/* The user as it is, with the new password; NULL: no memory. */
static struct directory_user *changed(const struct directory_user *old, const uint8_t *hash)
{
	struct directory_user *user = directory_user_new(old->name);

	if (user == NULL)
		return NULL;
	user->group = old->group;
	user->auth = DIRECTORY_AUTH_PASSWORD;
	memcpy(user->hashed_password, hash, DIRECTORY_HASH_BYTES);
	user->use_policy = old->use_policy;
	user->policy = old->policy;
	user->created_ms = old->created_ms;
	user->expires_ms = old->expires_ms;
	user->login_cnt = old->login_cnt;
	user->last_login_ms = old->last_login_ms;
	free(user->real_name);
	free(user->note);
	user->real_name = strdup(old->real_name != NULL ? old->real_name : "");
	user->note = strdup(old->note != NULL ? old->note : "");
	if (user->real_name != NULL && user->note != NULL)
		return user;
	directory_user_free(user);
	return NULL;
}

/* May this request change a password, and whose? */
static enum wire_error judge(
	struct negotiation *n, struct directory_hub **hub, struct directory_user **user)
{
	const struct login_request *r = &n->dialogue->request;
	bool proven;

	*user = NULL;
	*hub = directory_hub_find(r->hubname);
	if (*hub == NULL)
		return WIRE_ERROR_HUB_NOT_FOUND;
	if (!directory_source_allows(*hub, &n->connection->peer))
		return WIRE_ERROR_ADDRESS_DENIED;
	*user = directory_user_find(*hub, r->username);
	proven = auth_password_old(*user, r, n->dialogue->random);
	if (*user != NULL && (*user)->auth != DIRECTORY_AUTH_PASSWORD)
		return WIRE_ERROR_NOT_PASSWORD_USER;
	if (!proven)
		return WIRE_ERROR_OLD_PASSWORD_WRONG;
	if (directory_user_policy(*user)->fix_password ||
		(*hub)->admin_options[HUB_ADMIN_deny_change_user_password] != 0)
		return WIRE_ERROR_NOT_ENOUGH_RIGHTS;
	return WIRE_ERROR_OK;
}

static void answer(struct negotiation *n, enum wire_error error)
{
	const struct login_request *r = &n->dialogue->request;

	if (error == WIRE_ERROR_OK)
		listener_counters.password_changed++;
	else
		listener_counters.password_refused++;
	login_log_password(n->connection, r, error);
	negotiation_refuse(n, error, false);
}

/* 0: on its way. -EBUSY: another change of the hub is. */
static int begin(struct negotiation *n, struct directory_hub *hub, struct directory_user *old)
{
	struct directory_user *by = changed(old, n->dialogue->request.new_password);
	int rc;

	if (by == NULL)
		return -ENOMEM;
	rc = directory_change_user(hub, old, by, &n->change);
	if (rc == -EBUSY)
		directory_user_free(by);
	return rc;
}

void negotiation_password(struct negotiation *n)
{
	const struct login_request *r = &n->dialogue->request;
	char account[2 * DIRECTORY_NAME_BYTES];
	struct directory_hub *hub;
	struct directory_user *user;
	enum wire_error error;
	int rc;

	if (n->change != NULL) {
		if (directory_change_done(n->change, &rc))
			answer(n, rc == 0 ? WIRE_ERROR_OK : WIRE_ERROR_INTERNAL);
		else if (negotiation_rest(n, DISK_POLL_MS) != 0)
			answer(n, WIRE_ERROR_INTERNAL);
		return;
	}
	snprintf(account, sizeof(account), "%s/%s", r->hubname, r->username);
	if (negotiation_hold(n, account) > 0)
		return;
	error = judge(n, &hub, &user);
	if (error == WIRE_ERROR_OLD_PASSWORD_WRONG || error == WIRE_ERROR_HUB_NOT_FOUND ||
		error == WIRE_ERROR_NOT_PASSWORD_USER)
		negotiation_judged(n, account, true);
	else if (user != NULL)
		negotiation_judged(n, account, false);
	if (error != WIRE_ERROR_OK) {
		answer(n, error);
		return;
	}
	rc = begin(n, hub, user);
	if ((rc != 0 && rc != -EBUSY) || negotiation_rest(n, DISK_POLL_MS) != 0)
		answer(n, WIRE_ERROR_INTERNAL);
}
