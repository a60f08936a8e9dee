/* SPDX-License-Identifier: BSD-3-Clause */
/* Durable changes from a method's point of view, and policies as fields. */

#include "controlplane/admin/change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/policy_fields.h"
#include "dataplane/lcore.h"
#include "drivers/session/wire/wire_error.h"

#define PATIENCE_MS 10000u /* a disk, or a device that has to be closed */

int admin_change_begun(struct admin_call *call, int rc, int exists, int full)
{
	struct admin_change *st = call->state;

	switch (rc) {
	case 0:
		st->asked_ms = lcore_clock_ms();
		return ADMIN_WAIT;
	case -EBUSY:
		return ADMIN_WAIT;
	case -EEXIST:
		return exists;
	case -ENOSPC:
		return full;
	case -EINVAL:
		return WIRE_ERROR_INVALID_PARAMETER;
	default:
		return admin_fail(call, WIRE_ERROR_INTERNAL, "%s", strerror(-rc));
	}
}

int admin_change_wait(struct admin_call *call)
{
	struct admin_change *st = call->state;
	int error;

	if (!directory_change_done(st->change, &error)) {
		if (lcore_clock_ms() - st->asked_ms < PATIENCE_MS)
			return ADMIN_WAIT;
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"not all of it is over yet: see the log, session list and bridge list");
	}
	if (error == 0)
		return ADMIN_DONE;
	return admin_fail(call, WIRE_ERROR_INTERNAL, "not saved, so nothing was changed: %s",
		strerror(-error));
}

int admin_change_step(struct admin_call *call, int (*begin)(struct admin_call *call),
	int (*answer)(struct admin_call *call))
{
	const struct admin_change *st = call->state;
	int rc;

	if (st->change == NULL)
		return begin(call);
	rc = admin_change_wait(call);
	return rc == ADMIN_DONE ? answer(call) : rc;
}

void admin_change_fini(struct admin_call *call)
{
	struct admin_change *st = call->state;

	directory_change_forget(st->change);
}

int admin_server_change_wait(struct admin_call *call)
{
	const struct admin_server_change *st = call->state;
	int error;

	if (!server_change_done(st->change, &error))
		return ADMIN_WAIT;
	if (error == 0)
		return ADMIN_DONE;
	return admin_fail(call, WIRE_ERROR_INTERNAL, "not saved, so nothing was changed: %s",
		strerror(-error));
}

void admin_server_change_fini(struct admin_call *call)
{
	struct admin_server_change *st = call->state;

	server_change_forget(st->change);
}

int admin_settings_copy(
	struct admin_call *call, const struct directory_hub *hub, struct directory_settings *s)
{
	if (hub->changing)
		return ADMIN_WAIT;
	if (directory_settings_get(hub, s) != 0)
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	return 0;
}

int admin_settings_change(
	struct admin_call *call, struct directory_hub *hub, struct directory_settings *s, int rc)
{
	struct admin_change *st = call->state;

	if (rc == 0)
		rc = directory_change_settings(hub, s, &st->change);
	if (rc != 0)
		directory_settings_free(s);
	return rc > 0
		? rc
		: admin_change_begun(call, rc, WIRE_ERROR_OBJECT_EXISTS, WIRE_ERROR_TOO_MANY_ITEMS);
}

int admin_fenced(struct admin_call *call, const struct directory_hub *hub, unsigned option)
{
	if (call->caller->server || hub->admin_options[option] == 0)
		return 0;
	return admin_fail(call, WIRE_ERROR_NOT_ENOUGH_RIGHTS,
		"the admin option %s of hub %s does not allow it", hub_admin_keys[option].name,
		hub->name);
}

int admin_take_text(struct admin_call *call, const char *field, char **out)
{
	const char *text = admin_get_str(call, field);
	char *copy;

	if (!directory_text_ok(text, true))
		return admin_fail_field(call, field, "must be UTF-8 without control characters");
	copy = strdup(text);
	if (copy == NULL)
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	free(*out);
	*out = copy;
	return 0;
}

/* ---- policies -------------------------------------------------------------------------------- */

static const char *field_name(char name[ADMIN_FIELD_NAME_MAX + 1], unsigned id)
{
	snprintf(name, ADMIN_FIELD_NAME_MAX + 1, "policy:%s", policy_keys[id].key);
	return name;
}

bool admin_policy_get(const struct admin_call *call, struct policy_wire *out)
{
	char name[ADMIN_FIELD_NAME_MAX + 1];

	policy_wire_default(out);
	if (!admin_get_bool(call, "UsePolicy"))
		return false;
	for (unsigned id = 0; id < POLICY_KEY_COUNT; id++) {
		if (!admin_has(call, field_name(name, id)))
			continue;
		/* In range: the request was checked. */
		(void)policy_wire_set(out, id,
			policy_keys[id].kind == POLICY_BOOL ? admin_get_bool(call, name)
							    : admin_get_int(call, name));
	}
	return true;
}

void admin_policy_put_keys(struct admin_call *call, const struct policy_wire *policy)
{
	char name[ADMIN_FIELD_NAME_MAX + 1];

	for (unsigned id = 0; id < POLICY_KEY_COUNT; id++) {
		if (policy_keys[id].kind == POLICY_BOOL)
			admin_put_bool(
				call, field_name(name, id), policy_wire_get(policy, id) != 0);
		else
			admin_put_int(call, field_name(name, id), policy_wire_get(policy, id));
	}
	admin_put_bool(call, "policy:Ver3", true);
}

void admin_policy_put(struct admin_call *call, bool use, const struct policy_wire *policy)
{
	admin_put_bool(call, "UsePolicy", use);
	if (use)
		admin_policy_put_keys(call, policy);
}
