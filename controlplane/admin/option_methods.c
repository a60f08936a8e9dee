/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Options of a hub (admin-rpc.md 4.4): extended ones and admin options, one table each (option_keys.h). A name that is
 * in no table is an error here; the original ignores or keeps it.
 */

#include <string.h>

#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "drivers/session/wire/wire_error.h"

#define OPTIONS_MAX 4096u /* what the original takes */

static const struct admin_field row_in[] = {
	{.name = "Name",
		.type = ADMIN_TYPE_STR,
		.flags = ADMIN_F_REQUIRED,
		.min = 1,
		.max = 63,
		.text = "name of the option; capitals do not count"},
	{.name = "Value",
		.type = ADMIN_TYPE_INT,
		.flags = ADMIN_F_REQUIRED,
		.max = UINT32_MAX,
		.text = "its value; flags are 0 or 1"},
	ADMIN_USTR("Descrption", 0, 1023, "not looked at (the original's spelling)"),
	ADMIN_INT("PatchbayDefault", 0, UINT32_MAX, "not looked at"),
	ADMIN_INT("PatchbayMin", 0, UINT32_MAX, "not looked at"),
	ADMIN_INT("PatchbayMax", 0, UINT32_MAX, "not looked at"),
	ADMIN_STR("PatchbayEffect", 0, 31, "not looked at"),
	ADMIN_END,
};

static const struct admin_field row_out[] = {
	ADMIN_STR("Name", 1, 63, "name of the option"),
	ADMIN_INT("Value", 0, UINT32_MAX, "its value; flags are 0 or 1"),
	ADMIN_USTR("Descrption", 1, 1023, "what it does (the original's spelling)"),
	ADMIN_INT("PatchbayDefault", 0, UINT32_MAX, "value of a new hub"),
	ADMIN_INT("PatchbayMin", 0, UINT32_MAX, "least value"),
	ADMIN_INT("PatchbayMax", 0, UINT32_MAX, "greatest value"),
	ADMIN_STR("PatchbayEffect", 1, 31, "when it is asked: at once, at login, ..., not yet"),
	ADMIN_END,
};

static const struct admin_field default_request[] = {
	ADMIN_STR("HubName", 0, 255, "not looked at"),
	ADMIN_END,
};

static const struct admin_field set_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("NumItem", 0, UINT32_MAX, "not looked at"),
	ADMIN_ROWS_IN("AdminOptionList", OPTIONS_MAX, row_in,
		"options to set; what is not in the list stays"),
	ADMIN_END,
};

static const struct admin_field response[] = {
	ADMIN_STR("HubName", 0, 255, "hub"),
	ADMIN_INT("NumItem", 0, UINT32_MAX, "options in the list"),
	ADMIN_ROWS("AdminOptionList", row_out, "one record per option"),
	ADMIN_END,
};

struct table {
	const struct option_key *keys;
	unsigned cnt;
};

static const struct table ext = {hub_ext_keys, HUB_EXT_CNT};
static const struct table admin = {hub_admin_keys, HUB_ADMIN_CNT};

/* `values` NULL: the defaults. */
static int put_options(
	struct admin_call *call, const char *hub, const struct table *t, const uint32_t *values)
{
	admin_put_str(call, "HubName", hub);
	admin_put_int(call, "NumItem", t->cnt);
	/* Some dozens: one slice. */
	admin_rows_begin(call, "AdminOptionList");
	for (unsigned i = 0; i < t->cnt; i++) {
		const struct option_key *k = &t->keys[i];

		admin_row_begin(call);
		admin_put_str(call, "Name", k->name);
		admin_put_int(call, "Value", values == NULL ? k->def : values[i]);
		admin_put_str(call, "Descrption", k->text);
		admin_put_int(call, "PatchbayDefault", k->def);
		admin_put_int(call, "PatchbayMin", k->min);
		admin_put_int(call, "PatchbayMax", k->max);
		admin_put_str(call, "PatchbayEffect", option_effect_name(k->effect));
		admin_row_end(call);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

static int get_step(struct admin_call *call, const struct table *t)
{
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	return put_options(call, hub->name, t, t == &ext ? hub->ext_options : hub->admin_options);
}

static int take_options(struct admin_call *call, const struct table *t, uint32_t *values)
{
	uint32_t cnt = admin_row_cnt(call, "AdminOptionList");

	for (uint32_t row = 0; row < cnt; row++) {
		const char *name = admin_row_str(call, "AdminOptionList", row, "Name");
		uint32_t value = admin_row_int(call, "AdminOptionList", row, "Value");
		int k = option_find(t->keys, t->cnt, name);

		if (k < 0)
			return admin_fail_field(call, name, "there is no such option");
		if (value != t->keys[k].def && (value < t->keys[k].min || value > t->keys[k].max))
			return admin_fail_field(call, t->keys[k].name, "is %u, must be %u to %u",
				value, t->keys[k].min, t->keys[k].max);
		values[k] = value;
	}
	return 0;
}

static int may_set(struct admin_call *call, const struct directory_hub *hub, const struct table *t)
{
	if (t == &ext)
		return admin_fenced(call, hub, HUB_ADMIN_deny_hub_admin_change_ext_option);
	if (call->caller->server ||
		hub->admin_options[HUB_ADMIN_allow_hub_admin_change_option] != 0)
		return 0;
	return admin_fail(call, WIRE_ERROR_NOT_ENOUGH_RIGHTS,
		"the admin options of hub %s are the server administrator's", hub->name);
}

static int set_begin(struct admin_call *call, const struct table *t)
{
	struct directory_settings s;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc == 0)
		rc = may_set(call, hub, t);
	if (rc == 0)
		rc = admin_settings_copy(call, hub, &s);
	if (rc != 0)
		return rc;
	rc = take_options(call, t, t == &ext ? s.ext_options : s.admin_options);
	return admin_settings_change(call, hub, &s, rc);
}

static int set_step(struct admin_call *call, const struct table *t)
{
	struct admin_change *st = call->state;
	int rc;

	if (st->change == NULL)
		return set_begin(call, t);
	rc = admin_change_wait(call);
	return rc == ADMIN_DONE ? get_step(call, t) : rc;
}

static int get_ext_step(struct admin_call *call)
{
	return get_step(call, &ext);
}

static int set_ext_step(struct admin_call *call)
{
	return set_step(call, &ext);
}

static int get_admin_step(struct admin_call *call)
{
	return get_step(call, &admin);
}

static int set_admin_step(struct admin_call *call)
{
	return set_step(call, &admin);
}

static int default_step(struct admin_call *call)
{
	return put_options(call, "", &admin, NULL);
}

const struct admin_method admin_method_get_hub_ext_options = {
	.name = "GetHubExtOptions",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the extended options of a hub: how it behaves. 8: no such hub.",
	.request = admin_hub_request,
	.response = response,
	.step = get_ext_step,
};

const struct admin_method admin_method_set_hub_ext_options = {
	.name = "SetHubExtOptions",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Sets extended options of a hub; in force when it is answered. 8: no such hub, 38: no such option, or "
		"a value out of its range.",
	.request = set_request,
	.response = response,
	.state_bytes = sizeof(struct admin_change),
	.step = set_ext_step,
	.fini = admin_change_fini,
};

const struct admin_method admin_method_get_hub_admin_options = {
	.name = "GetHubAdminOptions",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the admin options of a hub: its bounds, and what its administrator may not do. 8: no such hub.",
	.request = admin_hub_request,
	.response = response,
	.step = get_admin_step,
};

const struct admin_method admin_method_set_hub_admin_options = {
	.name = "SetHubAdminOptions",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Sets admin options of a hub; in force when it is answered, at login where they say so. 8: no such hub, "
		"38: no such option, or a value out of its range.",
	.request = set_request,
	.response = response,
	.state_bytes = sizeof(struct admin_change),
	.step = set_admin_step,
	.fini = admin_change_fini,
};

const struct admin_method admin_method_get_default_hub_admin_options = {
	.name = "GetDefaultHubAdminOptions",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the admin options with their defaults.",
	.request = default_request,
	.response = response,
	.step = default_step,
};
