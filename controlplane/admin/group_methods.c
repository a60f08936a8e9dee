/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups of users (admin-rpc.md 4.5). Who is a member is a matter of SetUser. */

#include <errno.h>
#include <string.h>

#include "controlplane/admin/account.h"
#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/policy_fields.h"
#include "controlplane/registry.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field group_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_REQUIRED_STR("Name", 1, 255, "name of the group"),
	ADMIN_USTR("Realname", 0, DIRECTORY_TEXT_BYTES - 1, "what the group is"),
	ADMIN_USTR("Note", 0, DIRECTORY_TEXT_BYTES - 1, "anything"),
	ADMIN_TRAFFIC_BACK,
	ADMIN_POLICY_REQUEST,
	ADMIN_BOOL("PatchbayEndSessions",
		"ends sessions of members that run under the record of before"),
	ADMIN_INT("PatchbayUsers", 0, UINT32_MAX, "not looked at"),
	ADMIN_INT("PatchbaySessions", 0, UINT32_MAX, "not looked at"),
	ADMIN_END,
};

static const struct admin_field group_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_STR("Name", 1, 255, "name of the group"),
	ADMIN_USTR("Realname", 0, DIRECTORY_TEXT_BYTES - 1, "what the group is"),
	ADMIN_USTR("Note", 0, DIRECTORY_TEXT_BYTES - 1, "anything"),
	ADMIN_TRAFFIC(
		"", "frames and bytes of sessions of members; Send = from them, Recv = to them"),
	ADMIN_POLICY_RESPONSE,
	ADMIN_INT("PatchbayUsers", 0, UINT32_MAX, "members"),
	ADMIN_INT("PatchbaySessions", 0, UINT32_MAX,
		"sessions that logged in as members; behind a change: that go on as they were"),
	ADMIN_END,
};

static const struct admin_field name_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_REQUIRED_STR("Name", 1, 255, "name of the group"),
	ADMIN_BOOL("PatchbayEndSessions", "DeleteGroup: ends sessions of members"),
	ADMIN_END,
};

static int lookup(
	struct admin_call *call, struct directory_hub **hub, struct directory_group **group)
{
	int rc = admin_hub_lookup(call, hub);

	if (rc != 0)
		return rc;
	*group = directory_group_find(*hub, admin_get_str(call, "Name"));
	if (*group == NULL)
		return admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND, "hub %s has no group %s",
			(*hub)->name, admin_get_str(call, "Name"));
	return 0;
}

static void put_group(struct admin_call *call, const struct directory_hub *hub,
	const struct directory_group *group, uint32_t sessions)
{
	admin_put_str(call, "HubName", hub->name);
	admin_put_str(call, "Name", group->name);
	admin_put_str(call, "Realname", group->real_name);
	admin_put_str(call, "Note", group->note);
	traffic_fold(hub);
	admin_put_traffic(call, "", &group->traffic.out, &group->traffic.in);
	admin_policy_put(call, group->use_policy, &group->policy);
	admin_put_int(call, "PatchbayUsers", group->user_cnt);
	admin_put_int(call, "PatchbaySessions", sessions);
}

/* ---- GetGroup -------------------------------------------------------------------------------- */

static int get_group_step(struct admin_call *call)
{
	struct directory_hub *hub;
	struct directory_group *group;
	int rc = lookup(call, &hub, &group);

	if (rc != 0)
		return rc;
	put_group(call, hub, group,
		registry_sessions_of(hub, NULL, group->name, false, SESSION_END_ADMIN));
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_group = {
	.name = "GetGroup",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells everything about one group. 8: no such hub, 29: no such group.",
	.request = name_request,
	.response = group_response,
	.step = get_group_step,
};

/* ---- CreateGroup, SetGroup ------------------------------------------------------------------- */

static int take_group(
	struct admin_call *call, const struct directory_group *old, struct directory_group **out)
{
	const char *name = old != NULL ? old->name : admin_get_str(call, "Name");
	const char *wrong = directory_user_name_wrong(name);
	struct directory_group *group;
	int rc;

	if (wrong != NULL)
		return admin_fail_field(call, "Name", "%s", wrong);
	group = directory_group_new(name);
	if (group == NULL)
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	group->use_policy = admin_policy_get(call, &group->policy);
	rc = admin_take_text(call, "Realname", &group->real_name);
	if (rc == 0)
		rc = admin_take_text(call, "Note", &group->note);
	if (rc == 0)
		*out = group;
	else
		directory_group_free(group);
	return rc;
}

static int change_begin(struct admin_call *call, bool create)
{
	struct admin_change *st = call->state;
	struct directory_group *old = NULL, *by = NULL;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_change_groups);
	if (rc == 0 && !create)
		rc = lookup(call, &hub, &old);
	if (rc != 0)
		return rc;
	if (hub->changing)
		return ADMIN_WAIT;
	rc = take_group(call, old, &by);
	if (rc != 0)
		return rc;
	rc = directory_change_group(hub, old, by, &st->change);
	if (rc == -EBUSY)
		directory_group_free(by); /* made anew when it is its turn */
	return admin_change_begun(call, rc, WIRE_ERROR_GROUP_EXISTS, WIRE_ERROR_TOO_MANY_GROUPS);
}

static int change_step(struct admin_call *call, bool create)
{
	struct admin_change *st = call->state;
	struct directory_group *group;
	struct directory_hub *hub;
	int rc;

	if (st->change == NULL)
		return change_begin(call, create);
	rc = admin_change_wait(call);
	if (rc != ADMIN_DONE)
		return rc;
	rc = lookup(call, &hub, &group);
	if (rc != 0)
		return rc;
	put_group(call, hub, group,
		create ? 0 : admin_account_sessions_left(call, hub, ADMIN_ACCOUNT_GROUP));
	return ADMIN_DONE;
}

static int create_group_step(struct admin_call *call)
{
	return change_step(call, true);
}

const struct admin_method admin_method_create_group = {
	.name = "CreateGroup",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Creates a group. 8: no such hub, 38: bad name, 64: too many, 67: exists.",
	.request = group_request,
	.response = group_response,
	.state_bytes = sizeof(struct admin_change),
	.step = create_group_step,
	.fini = admin_change_fini,
};

static int set_group_step(struct admin_call *call)
{
	return change_step(call, false);
}

const struct admin_method admin_method_set_group = {
	.name = "SetGroup",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Replaces the whole record of a group. In force from its members' next logins on. 8: no such hub, "
		"29: no such group.",
	.request = group_request,
	.response = group_response,
	.state_bytes = sizeof(struct admin_change),
	.step = set_group_step,
	.fini = admin_change_fini,
};

/* ---- DeleteGroup ----------------------------------------------------------------------------- */

static const struct admin_field delete_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_STR("Name", 1, 255, "name of the group that is gone"),
	ADMIN_INT("PatchbaySessions", 0, UINT32_MAX, "sessions of members that go on as they were"),
	ADMIN_END,
};

static int delete_begin(struct admin_call *call)
{
	struct admin_change *st = call->state;
	struct directory_group *group;
	struct directory_hub *hub;
	int rc = lookup(call, &hub, &group);

	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_change_groups);
	if (rc != 0)
		return rc;
	return admin_change_begun(
		call, directory_change_group(hub, group, NULL, &st->change), 0, 0);
}

static int delete_answer(struct admin_call *call)
{
	return admin_account_gone(call, ADMIN_ACCOUNT_GROUP);
}

static int delete_group_step(struct admin_call *call)
{
	return admin_change_step(call, delete_begin, delete_answer);
}

const struct admin_method admin_method_delete_group = {
	.name = "DeleteGroup",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Deletes a group; its members are in none then. 8: no such hub, 29: no such group.",
	.request = name_request,
	.response = delete_response,
	.state_bytes = sizeof(struct admin_change),
	.step = delete_group_step,
	.fini = admin_change_fini,
};

/* ---- EnumGroup ------------------------------------------------------------------------------- */

static const struct admin_field enum_row[] = {
	ADMIN_STR("Name", 1, 255, "name of the group"),
	ADMIN_USTR("Realname", 0, DIRECTORY_TEXT_BYTES - 1, "what the group is"),
	ADMIN_USTR("Note", 0, DIRECTORY_TEXT_BYTES - 1, "anything"),
	ADMIN_INT("NumUsers", 0, UINT32_MAX, "members"),
	ADMIN_BOOL("DenyAccess", "its policy has Access off"),
	ADMIN_BOOL("PatchbayUsePolicy", "it has a policy"),
	ADMIN_END,
};

static const struct admin_field enum_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_ROWS("GroupList", enum_row, "one record per group, in order of creation"),
	ADMIN_END,
};

struct enum_group {
	uint32_t met;
	char last[DIRECTORY_NAME_BYTES];
};

static void put_row(struct admin_call *call, const struct directory_group *group)
{
	admin_row_begin(call);
	admin_put_str(call, "Name", group->name);
	admin_put_str(call, "Realname", group->real_name);
	admin_put_str(call, "Note", group->note);
	admin_put_int(call, "NumUsers", group->user_cnt);
	admin_put_bool(call, "DenyAccess", group->use_policy && group->policy.access == 0);
	admin_put_bool(call, "PatchbayUsePolicy", group->use_policy);
	admin_row_end(call);
}

/* Groups may come and go between two slices: behind the last one met, else by position. */
static struct directory_group *next_group(struct directory_hub *hub, struct enum_group *st)
{
	struct directory_group *group = NULL;
	uint32_t skip = st->met;

	if (st->met > 0)
		group = directory_group_find(hub, st->last);
	if (group != NULL)
		return TAILQ_NEXT(group, entry);
	TAILQ_FOREACH (group, &hub->groups, entry)
		if (skip-- == 0)
			break;
	return group;
}

static int enum_group_step(struct admin_call *call)
{
	struct enum_group *st = call->state;
	struct directory_hub *hub = directory_hub_find(admin_get_str(call, "HubName"));
	struct directory_group *group;

	if (call->steps == 0) {
		int rc = admin_hub_lookup(call, &hub);

		if (rc != 0)
			return rc;
		admin_put_str(call, "HubName", hub->name);
		admin_rows_begin(call, "GroupList");
	}
	group = hub == NULL ? NULL : next_group(hub, st);
	while (group != NULL && admin_room(call)) {
		put_row(call, group);
		st->met++;
		memcpy(st->last, group->name, sizeof(st->last));
		group = TAILQ_NEXT(group, entry);
	}
	if (group != NULL)
		return ADMIN_MORE;
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_enum_group = {
	.name = "EnumGroup",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the groups of a hub. 8: no such hub.",
	.request = admin_hub_request,
	.response = enum_response,
	.state_bytes = sizeof(struct enum_group),
	.step = enum_group_step,
};
