/* SPDX-License-Identifier: BSD-3-Clause */
/* Edits of access lists from a method's point of view (access_edit.h). */

#include "controlplane/admin/access_edit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/access_names.h"
#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/directory.h"
#include "dataplane/lcore.h"
#include "drivers/session/wire/wire_error.h"

#define PATIENCE_MS 60000u /* a list that hardly compiles, on a busy machine */

bool admin_access_find(
	struct admin_call *call, const struct directory_hub *hub, uint32_t *at, int *rc)
{
	uint32_t id = admin_get_int(call, "Id");

	if (directory_rules_find(&hub->access, id, at) != NULL)
		return true;
	*rc = admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND, "hub %s has no rule %u; there are %u",
		hub->name, id, hub->access.cnt);
	return false;
}

static int check_user(struct admin_call *call, const struct directory_hub *hub, const char *field,
	const char *user)
{
	const char *wrong = user == NULL ? NULL : directory_rule_user_wrong(user);

	if (wrong != NULL)
		return admin_fail_field(call, field, "%s", wrong);
	if (user != NULL && !directory_text_ok(user, false))
		return admin_fail_field(call, field, "must be UTF-8 without control characters");
	return access_names_file(user, NULL) == NULL
		? 0
		: admin_fenced(call, hub, HUB_ADMIN_no_access_list_include_file);
}

/* From a record the parameter is its list's. */
static const char *name_of(const struct admin_call *call, const char *field)
{
	return admin_field_find(call->method->request, field) != NULL
		? field
		: call->method->request[1].name;
}

int admin_access_fit(
	struct admin_call *call, const struct directory_hub *hub, struct directory_rule *rule)
{
	int rc = check_user(call, hub, name_of(call, "SrcUsername"), rule->src_user);

	if (rc == 0)
		rc = check_user(call, hub, name_of(call, "DestUsername"), rule->dst_user);
	if (rc == 0 && rule->url != NULL && !directory_text_ok(rule->url, false))
		rc = admin_fail_field(call, name_of(call, "RedirectUrl"),
			"must be UTF-8 without control characters");
	if (rc == 0 && rule->note != NULL && !directory_text_ok(rule->note, true))
		rc = admin_fail_field(
			call, name_of(call, "Note"), "must be UTF-8 without control characters");
	if (hub->admin_options[HUB_ADMIN_no_delay_jitter_packet_loss] != 0)
		rule->rule.delay_ms = rule->rule.jitter = rule->rule.loss = 0;
	directory_rule_normalise(rule);
	return rc;
}

int admin_access_begun(struct admin_call *call, int rc)
{
	struct admin_access *st = call->state;

	switch (rc) {
	case 0:
		st->asked_ms = lcore_clock_ms();
		return ADMIN_WAIT;
	case -EBUSY:
		return ADMIN_WAIT;
	case -ENOSPC:
		return admin_fail(call, WIRE_ERROR_TOO_MANY_ACCESS_RULES,
			"a hub has at most %u access rules, or as many as its admin option max_accesslists says",
			ACCESS_RULES_MAX);
	case -E2BIG:
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
			"rules of a hub name at most %u user lists", ACCESS_LISTS_MAX);
	default:
		return admin_fail(call, WIRE_ERROR_INTERNAL, "%s", strerror(-rc));
	}
}

static int wait_for_it(struct admin_call *call)
{
	struct admin_access *st = call->state;
	const struct directory_hub *hub;
	uint32_t at = 0;
	int error;

	if (!access_change_done(st->change, &error)) {
		if (lcore_clock_ms() - st->asked_ms < PATIENCE_MS)
			return ADMIN_WAIT;
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"stored, but not in force yet: see the log and `patchbayctl access list`");
	}
	if (error != 0)
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"not saved, so nothing was changed: %s", strerror(-error));
	hub = directory_hub_find(admin_get_str(call, "HubName"));
	admin_put_str(call, "HubName", admin_get_str(call, "HubName"));
	if (hub != NULL && access_change_id(st->change) != 0 &&
		directory_rules_find(&hub->access, access_change_id(st->change), &at) != NULL)
		at++;
	admin_put_int(call, "Id", at);
	admin_put_int(call, "UniqueId", access_change_id(st->change));
	return ADMIN_DONE;
}

int admin_access_step(struct admin_call *call,
	int (*begin)(struct admin_call *call, struct admin_access *st, struct directory_hub *hub))
{
	struct admin_access *st = call->state;
	struct directory_hub *hub;
	int rc;

	if (st->change != NULL)
		return wait_for_it(call);
	rc = admin_hub_lookup(call, &hub);
	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_change_access_list);
	if (rc != 0)
		return rc;
	return hub->changing ? ADMIN_WAIT : begin(call, st, hub);
}

void admin_access_fini(struct admin_call *call)
{
	struct admin_access *st = call->state;

	access_change_forget(st->change);
	directory_rules_clear(&st->rules);
}

char *admin_access_text(const struct directory_rule *rule)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	directory_rule_write(f, rule);
	fclose(f);
	return text;
}
