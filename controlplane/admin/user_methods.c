/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Users (admin-rpc.md 4.5). SetUser replaces the whole record, as the original does; what GetUser answers may be sent
 * back. Hashes of passwords are answered as zeros, and zeros keep the password that is there.
 */

#include <errno.h>
#include <string.h>

#include "controlplane/admin/account.h"
#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/policy_fields.h"
#include "controlplane/admin/user_auth.h"
#include "controlplane/registry.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field user_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_REQUIRED_STR("Name", 1, 255, "name of the user"),
	ADMIN_STR("GroupName", 0, 255, "group, empty = none"),
	ADMIN_USTR("Realname", 0, DIRECTORY_TEXT_BYTES - 1, "name of the person"),
	ADMIN_USTR("Note", 0, DIRECTORY_TEXT_BYTES - 1, "anything"),
	ADMIN_TIME("CreatedTime", "not looked at"),
	ADMIN_TIME("UpdatedTime", "not looked at"),
	ADMIN_TIME("ExpireTime", "when the account expires, 0 = never"),
	USER_AUTH_REQUEST,
	ADMIN_INT("NumLogin", 0, UINT32_MAX, "not looked at"),
	ADMIN_TIME("PatchbayLastLoginTime", "not looked at"),
	ADMIN_TRAFFIC_BACK,
	ADMIN_POLICY_REQUEST,
	ADMIN_BOOL("PatchbayEndSessions", "ends the sessions that run under the record of before"),
	ADMIN_INT("PatchbaySessions", 0, UINT32_MAX, "not looked at"),
	ADMIN_END,
};

static const struct admin_field user_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_STR("Name", 1, 255, "name of the user"),
	ADMIN_STR("GroupName", 0, 255, "group, empty = none"),
	ADMIN_USTR("Realname", 0, DIRECTORY_TEXT_BYTES - 1, "name of the person"),
	ADMIN_USTR("Note", 0, DIRECTORY_TEXT_BYTES - 1, "anything"),
	ADMIN_TIME("CreatedTime", "when the user was created"),
	ADMIN_TIME("UpdatedTime", "last change"),
	ADMIN_TIME("ExpireTime", "when the account expires, 0 = never"),
	USER_AUTH_RESPONSE,
	ADMIN_INT("NumLogin", 0, UINT32_MAX, "logins so far"),
	ADMIN_TIME("PatchbayLastLoginTime", "last of them, 0 = none"),
	ADMIN_TRAFFIC("", "frames and bytes of all sessions; Send = from the user, Recv = to him"),
	ADMIN_POLICY_RESPONSE,
	ADMIN_INT("PatchbaySessions", 0, UINT32_MAX,
		"sessions of the user that run now; behind a change: that go on as they were"),
	ADMIN_END,
};

static const struct admin_field name_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_REQUIRED_STR("Name", 1, 255, "name of the user"),
	ADMIN_BOOL("PatchbayEndSessions", "DeleteUser: ends the user's sessions"),
	ADMIN_END,
};

static int lookup(struct admin_call *call, struct directory_hub **hub, struct directory_user **user)
{
	int rc = admin_hub_lookup(call, hub);

	if (rc != 0)
		return rc;
	*user = directory_user_find(*hub, admin_get_str(call, "Name"));
	if (*user == NULL)
		return admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND, "hub %s has no user %s",
			(*hub)->name, admin_get_str(call, "Name"));
	return 0;
}

static void put_user(struct admin_call *call, const struct directory_hub *hub,
	const struct directory_user *user, uint32_t sessions)
{
	admin_put_str(call, "HubName", hub->name);
	admin_put_str(call, "Name", user->name);
	admin_put_str(call, "GroupName", user->group == NULL ? "" : user->group->name);
	admin_put_str(call, "Realname", user->real_name);
	admin_put_str(call, "Note", user->note);
	admin_put_time(call, "CreatedTime", user->created_ms);
	admin_put_time(call, "UpdatedTime", user->updated_ms);
	admin_put_time(call, "ExpireTime", user->expires_ms);
	user_auth_put(call, user);
	admin_put_int(call, "NumLogin", user->login_cnt);
	admin_put_time(call, "PatchbayLastLoginTime", user->last_login_ms);
	traffic_fold(hub);
	admin_put_traffic(call, "", &user->traffic.out, &user->traffic.in);
	admin_policy_put(call, user->use_policy, &user->policy);
	admin_put_int(call, "PatchbaySessions", sessions);
}

/* ---- GetUser --------------------------------------------------------------------------------- */

static int get_user_step(struct admin_call *call)
{
	struct directory_hub *hub;
	struct directory_user *user;
	int rc = lookup(call, &hub, &user);

	if (rc != 0)
		return rc;
	put_user(call, hub, user,
		registry_sessions_of(hub, user->name, NULL, false, SESSION_END_ADMIN));
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_user = {
	.name = "GetUser",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells everything about one user but the password. 8: no such hub, 29: no such user.",
	.request = name_request,
	.response = user_response,
	.step = get_user_step,
};

/* ---- CreateUser, SetUser --------------------------------------------------------------------- */

/* The record of the request; NULL after an error is set in *rc. */
static struct directory_user *take_user(struct admin_call *call, struct directory_hub *hub,
	const struct directory_user *old, int *rc)
{
	const char *name = old != NULL ? old->name : admin_get_str(call, "Name");
	const char *group = admin_get_str(call, "GroupName");
	const char *wrong = directory_user_name_wrong(name);
	struct directory_user *user;

	*rc = 0;
	if (wrong == NULL && strcmp(name, "*") == 0 &&
		admin_get_int(call, "AuthType") != DIRECTORY_AUTH_RADIUS)
		wrong = "is *, which only external authentication (4) may use";
	if (wrong != NULL) {
		*rc = admin_fail_field(call, "Name", "%s", wrong);
		return NULL;
	}
	user = directory_user_new(name);
	if (user == NULL) {
		*rc = admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
		return NULL;
	}
	if (old != NULL)
		user->created_ms = old->created_ms;
	user->expires_ms = admin_get_time(call, "ExpireTime");
	user->use_policy = admin_policy_get(call, &user->policy);
	*rc = user_auth_take(call, user, old);
	if (*rc == 0)
		*rc = admin_take_text(call, "Realname", &user->real_name);
	if (*rc == 0)
		*rc = admin_take_text(call, "Note", &user->note);
	if (*rc == 0 && group[0] != '\0') {
		/* Not yet counted as a member: that is when the user is in the directory. */
		user->group = directory_group_find(hub, group);
		if (user->group == NULL)
			*rc = admin_fail(call, WIRE_ERROR_GROUP_NOT_FOUND, "hub %s has no group %s",
				hub->name, group);
	}
	if (*rc == 0)
		return user;
	directory_user_free(user);
	return NULL;
}

static int change_begin(struct admin_call *call, bool create)
{
	struct admin_change *st = call->state;
	struct directory_user *old, *by;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_change_users);
	if (rc == 0 && !create)
		rc = lookup(call, &hub, &old);
	if (rc != 0)
		return rc;
	if (hub->changing)
		return ADMIN_WAIT;
	by = take_user(call, hub, create ? NULL : old, &rc);
	if (by == NULL)
		return rc;
	rc = directory_change_user(hub, create ? NULL : old, by, &st->change);
	if (rc == -EBUSY)
		directory_user_free(by); /* made anew when it is its turn */
	return admin_change_begun(call, rc, WIRE_ERROR_USER_EXISTS, WIRE_ERROR_TOO_MANY_HUB_USERS);
}

static int change_step(struct admin_call *call, bool create)
{
	struct admin_change *st = call->state;
	struct directory_user *user;
	struct directory_hub *hub;
	int rc;

	if (st->change == NULL)
		return change_begin(call, create);
	rc = admin_change_wait(call);
	if (rc != ADMIN_DONE)
		return rc;
	/* Somebody may have deleted it since. */
	rc = lookup(call, &hub, &user);
	if (rc != 0)
		return rc;
	put_user(call, hub, user,
		create ? 0 : admin_account_sessions_left(call, hub, ADMIN_ACCOUNT_USER));
	return ADMIN_DONE;
}

static int create_user_step(struct admin_call *call)
{
	return change_step(call, true);
}

const struct admin_method admin_method_create_user = {
	.name = "CreateUser",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Creates a user. 8: no such hub, 7: a method that is not offered, 38: bad name, 63: too many, 65: no such group, 66: exists, 77: no RSA "
		"key of 1024 to 4096 bits.",
	.request = user_request,
	.response = user_response,
	.state_bytes = sizeof(struct admin_change),
	.step = create_user_step,
	.fini = admin_change_fini,
};

static int set_user_step(struct admin_call *call)
{
	return change_step(call, false);
}

const struct admin_method admin_method_set_user = {
	.name = "SetUser",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Replaces the whole record of a user, but for a password that is not given. In force from the "
		"user's next login on. 8: no such hub, 29: no such user, and as CreateUser.",
	.request = user_request,
	.response = user_response,
	.state_bytes = sizeof(struct admin_change),
	.step = set_user_step,
	.fini = admin_change_fini,
};

/* ---- DeleteUser ------------------------------------------------------------------------------ */

static const struct admin_field delete_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_STR("Name", 1, 255, "name of the user who is gone"),
	ADMIN_INT("PatchbaySessions", 0, UINT32_MAX, "sessions of the user that go on"),
	ADMIN_END,
};

static int delete_begin(struct admin_call *call)
{
	struct admin_change *st = call->state;
	struct directory_user *user;
	struct directory_hub *hub;
	int rc = lookup(call, &hub, &user);

	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_change_users);
	if (rc != 0)
		return rc;
	return admin_change_begun(call, directory_change_user(hub, user, NULL, &st->change), 0, 0);
}

static int delete_answer(struct admin_call *call)
{
	return admin_account_gone(call, ADMIN_ACCOUNT_USER);
}

static int delete_user_step(struct admin_call *call)
{
	return admin_change_step(call, delete_begin, delete_answer);
}

const struct admin_method admin_method_delete_user = {
	.name = "DeleteUser",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Deletes a user. Running sessions go on, unless they are to end. 8: no such hub, 29: no such user.",
	.request = name_request,
	.response = delete_response,
	.state_bytes = sizeof(struct admin_change),
	.step = delete_user_step,
	.fini = admin_change_fini,
};

/* ---- EnumUser -------------------------------------------------------------------------------- */

static const struct admin_field enum_row[] = {
	ADMIN_STR("Name", 1, 255, "name of the user"),
	ADMIN_STR("GroupName", 0, 255, "group, empty = none"),
	ADMIN_USTR("Realname", 0, DIRECTORY_TEXT_BYTES - 1, "name of the person"),
	ADMIN_USTR("Note", 0, DIRECTORY_TEXT_BYTES - 1, "anything"),
	ADMIN_INT("AuthType", 0, 5, USER_AUTH_TYPES),
	ADMIN_TIME("LastLoginTime", "last login, 0 = none"),
	ADMIN_INT("NumLogin", 0, UINT32_MAX, "logins so far"),
	ADMIN_BOOL("DenyAccess", "the policy that applies has Access off"),
	ADMIN_BOOL("IsTrafficFilled", "the next fields say something"),
	ADMIN_TRAFFIC(
		"Ex.", "frames and bytes of all sessions; Send = from the user, Recv = to him"),
	ADMIN_BOOL("IsExpiresFilled", "the next field says something"),
	ADMIN_TIME("Expires", "when the account expires, 0 = never"),
	ADMIN_STR("PatchbayPolicy", 1, 15, "whose policy applies: user, group or default"),
	ADMIN_END,
};

static const struct admin_field enum_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_ROWS("UserList", enum_row, "one record per user, in order of creation"),
	ADMIN_END,
};

/* Users may come and go between two slices: by position, with the name as a check. */
struct enum_user {
	uint32_t met;
	char last[DIRECTORY_NAME_BYTES];
};

static void put_row(struct admin_call *call, const struct directory_user *user)
{
	bool of_group = !user->use_policy && user->group != NULL && user->group->use_policy;

	admin_row_begin(call);
	admin_put_str(call, "Name", user->name);
	admin_put_str(call, "GroupName", user->group == NULL ? "" : user->group->name);
	admin_put_str(call, "Realname", user->real_name);
	admin_put_str(call, "Note", user->note);
	admin_put_int(call, "AuthType", user->auth);
	admin_put_time(call, "LastLoginTime", user->last_login_ms);
	admin_put_int(call, "NumLogin", user->login_cnt);
	admin_put_bool(call, "DenyAccess", directory_user_policy(user)->access == 0);
	admin_put_bool(call, "IsTrafficFilled", true);
	admin_put_traffic(call, "Ex.", &user->traffic.out, &user->traffic.in);
	admin_put_bool(call, "IsExpiresFilled", true);
	admin_put_time(call, "Expires", user->expires_ms);
	admin_put_str(call, "PatchbayPolicy",
		user->use_policy   ? "user"
			: of_group ? "group"
				   : "default");
	admin_row_end(call);
}

static struct directory_user *next_user(struct directory_hub *hub, struct enum_user *st)
{
	struct directory_user *user = NULL;
	uint32_t skip = st->met;

	if (st->met > 0)
		user = directory_user_find(hub, st->last);
	if (user != NULL)
		return TAILQ_NEXT(user, entry);
	TAILQ_FOREACH (user, &hub->users, entry)
		if (skip-- == 0)
			break;
	return user;
}

static int enum_user_step(struct admin_call *call)
{
	struct enum_user *st = call->state;
	struct directory_hub *hub = directory_hub_find(admin_get_str(call, "HubName"));
	struct directory_user *user;

	if (call->steps == 0) {
		int rc = admin_hub_lookup(call, &hub);

		if (rc != 0)
			return rc;
		admin_put_str(call, "HubName", hub->name);
		traffic_fold(hub);
		admin_rows_begin(call, "UserList");
	}
	user = hub == NULL ? NULL : next_user(hub, st);
	while (user != NULL && admin_room(call)) {
		put_row(call, user);
		st->met++;
		memcpy(st->last, user->name, sizeof(st->last));
		user = TAILQ_NEXT(user, entry);
	}
	if (user != NULL)
		return ADMIN_MORE;
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_enum_user = {
	.name = "EnumUser",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the users of a hub. 8: no such hub.",
	.request = admin_hub_request,
	.response = enum_response,
	.state_bytes = sizeof(struct enum_user),
	.step = enum_user_step,
};
