/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Hubs come, change and go (admin-rpc.md 4.4). Settings of a hub are in force when the answer comes; going offline and
 * deleting are answered when all sessions have ended.
 */

#include <errno.h>
#include <string.h>

#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/who.h"
#include "controlplane/hubs.h"
#include "drivers/session/wire/wire_error.h"

#define HUB_TYPE_STANDALONE 0u

static const uint8_t zeros[DIRECTORY_HASH_BYTES];

#define HUB_FIELDS                                                                             \
	ADMIN_BOOL("Online", "takes part in switching and takes logins"),                      \
		ADMIN_INT("MaxSession", 0, DIRECTORY_SESSIONS_MAX,                             \
			"sessions at most, 0 = no limit"),                                     \
		ADMIN_BOOL("NoEnum", "hidden from the list that clients may ask for"),         \
		ADMIN_INT("HubType", 0, 2, "0 = standalone, all there is"),                    \
		ADMIN_BOOL("PatchbayRequireEncryption",                                        \
			"no session below TLS, whatever the client asks"),                     \
		ADMIN_STR("PatchbayManaged", 0, DIRECTORY_MANAGED_LINE - 1,                    \
			"networks whose addresses the IP table holds besides the usual ones, " \
			"32 at most, with a comma between"),                                   \
		ADMIN_INT("PatchbayMaxMacTables", DIRECTORY_MACS_MIN, DIRECTORY_MACS_MAX,      \
			"bound of the MAC table; CreateHub only")

static const struct admin_field hub_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_DATA("HashedPassword", 0, DIRECTORY_HASH_BYTES,
		"SHA0(password of its administrator); zeros in both: see AdminPasswordPlainText"),
	ADMIN_DATA("SecurePassword", 0, DIRECTORY_HASH_BYTES, "SHA0(password, ADMINISTRATOR)"),
	ADMIN_STR("AdminPasswordPlainText", 0, 255,
		"password of its administrator, before the hashes; SetHub without any: stays"),
	HUB_FIELDS,
	ADMIN_END,
};

static const struct admin_field hub_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_DATA("HashedPassword", DIRECTORY_HASH_BYTES, DIRECTORY_HASH_BYTES, "zeros"),
	ADMIN_DATA("SecurePassword", DIRECTORY_HASH_BYTES, DIRECTORY_HASH_BYTES, "zeros"),
	HUB_FIELDS,
	ADMIN_END,
};

static const struct admin_field name_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_END,
};

static void put_hub(struct admin_call *call, const struct directory_hub *hub)
{
	char managed[DIRECTORY_MANAGED_LINE];

	admin_put_str(call, "HubName", hub->name);
	admin_put_data(call, "HashedPassword", zeros, sizeof(zeros));
	admin_put_data(call, "SecurePassword", zeros, sizeof(zeros));
	admin_put_bool(call, "Online", hub->online);
	admin_put_int(call, "MaxSession", hub->max_sessions);
	admin_put_bool(call, "NoEnum", hub->no_enum);
	admin_put_int(call, "HubType", HUB_TYPE_STANDALONE);
	admin_put_bool(call, "PatchbayRequireEncryption", hub->require_encryption);
	directory_managed_line(&hub->managed, managed);
	admin_put_str(call, "PatchbayManaged", managed);
	admin_put_int(call, "PatchbayMaxMacTables", hub->max_macs);
}

/* ---- GetHub ---------------------------------------------------------------------------------- */

static int get_hub_step(struct admin_call *call)
{
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	put_hub(call, hub);
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_hub = {
	.name = "GetHub",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells the settings of a hub. 8: no such hub.",
	.request = admin_hub_request,
	.response = hub_response,
	.step = get_hub_step,
};

/* ---- CreateHub, SetHub, SetHubOnline --------------------------------------------------------- */

static bool take_hash(struct admin_call *call, const char *name, const uint8_t **hash)
{
	size_t size;

	*hash = admin_get_data(call, name, &size);
	return *hash != NULL && size == DIRECTORY_HASH_BYTES && memcmp(*hash, zeros, size) != 0;
}

static void take_password(struct admin_call *call, struct directory_admin *admin)
{
	const uint8_t *hash, *vpn_hash;
	bool has_vpn = take_hash(call, "SecurePassword", &vpn_hash);

	/* A tool that keeps the password sends neither, or an empty text beside zeros. */
	if (admin_get_str(call, "AdminPasswordPlainText")[0] != '\0')
		directory_admin_set_password(admin, admin_get_str(call, "AdminPasswordPlainText"));
	else if (take_hash(call, "HashedPassword", &hash))
		directory_admin_set_hashes(admin, hash, has_vpn ? vpn_hash : NULL);
}

static bool asks_for_password(struct admin_call *call)
{
	const uint8_t *hash;

	return admin_get_str(call, "AdminPasswordPlainText")[0] != '\0' ||
		take_hash(call, "HashedPassword", &hash);
}

static int take_managed(struct admin_call *call, struct directory_managed *out)
{
	char wrong[DIRECTORY_MANAGED_TEXT];

	if (!admin_has(call, "PatchbayManaged") ||
		directory_managed_line_parse(admin_get_str(call, "PatchbayManaged"), out, wrong))
		return 0;
	if (out->cnt == HUB_RANGES_MAX)
		return admin_fail_field(
			call, "PatchbayManaged", "should have at most %u networks", HUB_RANGES_MAX);
	return admin_fail_field(call, "PatchbayManaged",
		"has \"%s\", should have networks such as 198.51.100.0/24 (prefix 0 to 32) or "
		"2001:db8::/32 (0 to 128), none with all of IPv4 in it",
		wrong);
}

static int create_hub_begin(struct admin_call *call)
{
	struct admin_change *st = call->state;
	struct directory_settings s = {
		.online = !admin_has(call, "Online") || admin_get_bool(call, "Online"),
		.no_enum = admin_get_bool(call, "NoEnum"),
		.require_encryption = admin_get_bool(call, "PatchbayRequireEncryption"),
		.max_sessions = admin_get_int(call, "MaxSession"),
	};
	const char *name = admin_get_str(call, "HubName");
	const char *wrong = directory_hub_name_wrong(name);
	int rc;

	if (wrong != NULL)
		return admin_fail_field(call, "HubName", "%s", wrong);
	if (admin_get_int(call, "HubType") != HUB_TYPE_STANDALONE)
		return admin_fail(call, WIRE_ERROR_NOT_SUPPORTED, "there are no clusters");
	rc = take_managed(call, &s.managed);
	if (rc != 0)
		return rc;
	directory_log_default(&s.log);
	directory_radius_default(&s.radius);
	option_defaults(hub_ext_keys, HUB_EXT_CNT, s.ext_options);
	option_defaults(hub_admin_keys, HUB_ADMIN_CNT, s.admin_options);
	take_password(call, &s.admin);
	rc = directory_change_hub_create(name, &s,
		admin_has(call, "PatchbayMaxMacTables")
			? admin_get_int(call, "PatchbayMaxMacTables")
			: 65536,
		&st->change);
	return admin_change_begun(call, rc, WIRE_ERROR_HUB_EXISTS, WIRE_ERROR_TOO_MANY_HUBS);
}

static int create_hub_answer(struct admin_call *call)
{
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	put_hub(call, hub);
	return ADMIN_DONE;
}

static int create_hub_step(struct admin_call *call)
{
	return admin_change_step(call, create_hub_begin, create_hub_answer);
}

const struct admin_method admin_method_create_hub = {
	.name = "CreateHub",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Creates a hub. 38: bad name, 57: exists, 58: too many.",
	.request = hub_request,
	.response = hub_response,
	.state_bytes = sizeof(struct admin_change),
	.step = create_hub_step,
	.fini = admin_change_fini,
};

/* What is set is in force; offline is when nothing runs any more. */
static int settings_wait(struct admin_call *call, struct directory_hub **hub)
{
	int rc = admin_change_wait(call);

	if (rc == ADMIN_DONE)
		rc = admin_hub_lookup(call, hub);
	if (rc != 0)
		return rc;
	return !(*hub)->online && !hubs_quiet(*hub) ? ADMIN_WAIT : ADMIN_DONE;
}

/* For a hub administrator who may not, that part is left out without a word (admin-rpc.md 4.4). */
static bool may_switch(const struct admin_call *call, const struct directory_hub *hub, bool online)
{
	return call->caller->server ||
		hub->admin_options[online ? HUB_ADMIN_no_online : HUB_ADMIN_no_offline] == 0;
}

static int set_hub_begin(struct admin_call *call)
{
	struct directory_managed managed;
	struct directory_settings s;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc == 0 && asks_for_password(call))
		rc = admin_fenced(call, hub, HUB_ADMIN_no_change_admin_password);
	if (rc != 0)
		return rc;
	if (admin_get_int(call, "HubType") != HUB_TYPE_STANDALONE)
		return admin_fail(call, WIRE_ERROR_NOT_SUPPORTED, "there are no clusters");
	if (admin_has(call, "PatchbayMaxMacTables") &&
		admin_get_int(call, "PatchbayMaxMacTables") != hub->max_macs)
		return admin_fail_field(call, "PatchbayMaxMacTables",
			"cannot be changed while the hub runs: it is %u", hub->max_macs);
	rc = take_managed(call, &managed);
	if (rc == 0)
		rc = admin_settings_copy(call, hub, &s);
	if (rc != 0)
		return rc;
	if (admin_has(call, "PatchbayManaged"))
		s.managed = managed;
	if (admin_has(call, "Online") && may_switch(call, hub, admin_get_bool(call, "Online")))
		s.online = admin_get_bool(call, "Online");
	if (admin_has(call, "NoEnum"))
		s.no_enum = admin_get_bool(call, "NoEnum");
	if (admin_has(call, "MaxSession"))
		s.max_sessions = admin_get_int(call, "MaxSession");
	if (admin_has(call, "PatchbayRequireEncryption"))
		s.require_encryption = admin_get_bool(call, "PatchbayRequireEncryption");
	take_password(call, &s.admin);
	/* It would close the door behind itself (admin-rpc.md 4.4). */
	if (!s.admin.set && hub->admin.set && !call->caller->server && call->caller->remote) {
		directory_settings_free(&s);
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
			"an empty password leaves the hub without an administrator: the server's may set it");
	}
	return admin_settings_change(call, hub, &s, 0);
}

static int set_hub_step(struct admin_call *call)
{
	struct admin_change *st = call->state;
	struct directory_hub *hub;
	int rc;

	if (st->change == NULL)
		return set_hub_begin(call);
	rc = settings_wait(call, &hub);
	if (rc != ADMIN_DONE)
		return rc;
	/* Who changed the password that he came in with stays. */
	if (asks_for_password(call))
		admin_who_renew(call->caller->who);
	put_hub(call, hub);
	return ADMIN_DONE;
}

const struct admin_method admin_method_set_hub = {
	.name = "SetHub",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Changes the settings of a hub that are given; in force when it is answered. 8: no such hub.",
	.request = hub_request,
	.response = hub_response,
	.state_bytes = sizeof(struct admin_change),
	.step = set_hub_step,
	.fini = admin_change_fini,
};

static const struct admin_field online_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_BOOL("Online", "true: online, false or missing: offline"),
	ADMIN_END,
};

static const struct admin_field online_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_BOOL("Online", "as it is now"),
	ADMIN_END,
};

static int set_hub_online_step(struct admin_call *call)
{
	bool online = admin_get_bool(call, "Online");
	struct admin_change *st = call->state;
	struct directory_settings s;
	struct directory_hub *hub;
	int rc;

	if (st->change == NULL) {
		rc = admin_hub_lookup(call, &hub);
		if (rc == 0)
			rc = admin_fenced(
				call, hub, online ? HUB_ADMIN_no_online : HUB_ADMIN_no_offline);
		if (rc == 0)
			rc = admin_settings_copy(call, hub, &s);
		if (rc != 0)
			return rc;
		s.online = online;
		return admin_settings_change(call, hub, &s, 0);
	}
	rc = settings_wait(call, &hub);
	if (rc != ADMIN_DONE)
		return rc;
	admin_put_str(call, "HubName", hub->name);
	admin_put_bool(call, "Online", hub->online);
	return ADMIN_DONE;
}

const struct admin_method admin_method_set_hub_online = {
	.name = "SetHubOnline",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Takes a hub online, or offline: then all its sessions end. 8: no such hub.",
	.request = online_request,
	.response = online_response,
	.state_bytes = sizeof(struct admin_change),
	.step = set_hub_online_step,
	.fini = admin_change_fini,
};

/* ---- DeleteHub ------------------------------------------------------------------------------- */

static int delete_hub_begin(struct admin_call *call)
{
	struct admin_change *st = call->state;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	return admin_change_begun(call, directory_change_hub_delete(hub, &st->change), 0, 0);
}

static int delete_hub_answer(struct admin_call *call)
{
	admin_put_str(call, "HubName", admin_get_str(call, "HubName"));
	return ADMIN_DONE;
}

static int delete_hub_step(struct admin_call *call)
{
	return admin_change_step(call, delete_hub_begin, delete_hub_answer);
}

const struct admin_method admin_method_delete_hub = {
	.name = "DeleteHub",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Deletes a hub with its users and groups; its sessions end, its local bridges wait for another hub of "
		"that name. 8: no such hub.",
	.request = admin_hub_request,
	.response = name_response,
	.state_bytes = sizeof(struct admin_change),
	.step = delete_hub_step,
	.fini = admin_change_fini,
};
