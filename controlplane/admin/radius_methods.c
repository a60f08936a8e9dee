/* SPDX-License-Identifier: BSD-3-Clause */
/* The RADIUS servers of a hub (admin-rpc.md 4.4). The secret goes in and never comes out. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field set_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_STR("RadiusServerName", 0, DIRECTORY_RADIUS_SERVERS_BYTES - 1,
		"names or addresses, with a space, comma or semicolon between; empty = none"),
	ADMIN_INT("RadiusPort", 1, 65535, "UDP port of all of them"),
	ADMIN_STR("RadiusSecret", 0, DIRECTORY_RADIUS_SECRET_BYTES - 1,
		"secret shared with all of them; missing: it stays as it is, as long as servers and port do"),
	ADMIN_INT("RadiusRetryInterval", 0, UINT32_MAX,
		"ms until the next server is asked, or the same again; below 500: 500"),
	ADMIN_INT("RadiusRetryTimeout", 0, UINT32_MAX,
		"ms until a login fails that nobody answered, 1000 to 60000"),
	ADMIN_STR("PatchbayRealm", 0, 255, "names are sent with @realm behind; empty = not"),
	ADMIN_BOOL("PatchbayRequireMessageAuthenticator",
		"replies without a Message-Authenticator are not believed (CVE-2024-3596); true unless given"),
	ADMIN_BOOL("PatchbayHasSecret", "not looked at"),
	ADMIN_END,
};

/* The names are the original's; it answers an empty HubName. */
static const struct admin_field response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_STR(
		"RadiusServerName", 0, DIRECTORY_RADIUS_SERVERS_BYTES - 1, "servers, empty = none"),
	ADMIN_INT("RadiusPort", 1, 65535, "UDP port"),
	ADMIN_STR("RadiusSecret", 0, 1, "empty: secrets are never told"),
	ADMIN_INT("RadiusRetryInterval", 0, UINT32_MAX, "ms until the next server is asked"),
	ADMIN_INT(
		"RadiusRetryTimeout", 0, UINT32_MAX, "ms until a login fails that nobody answered"),
	ADMIN_STR("PatchbayRealm", 0, 255, "names are sent with @realm behind"),
	ADMIN_BOOL("PatchbayRequireMessageAuthenticator",
		"replies without a Message-Authenticator are not believed"),
	ADMIN_BOOL("PatchbayHasSecret", "there is a secret"),
	ADMIN_END,
};

static int get_hub_radius_step(struct admin_call *call)
{
	const struct directory_radius *radius;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	radius = &hub->radius;
	admin_put_str(call, "HubName", hub->name);
	admin_put_str(call, "RadiusServerName", radius->servers);
	admin_put_int(call, "RadiusPort", radius->port);
	admin_put_str(call, "RadiusSecret", "");
	admin_put_int(call, "RadiusRetryInterval", radius->retry_ms);
	admin_put_int(call, "RadiusRetryTimeout", radius->timeout_ms);
	admin_put_str(call, "PatchbayRealm", radius->realm);
	admin_put_bool(call, "PatchbayRequireMessageAuthenticator", !radius->unsigned_replies);
	admin_put_bool(call, "PatchbayHasSecret", radius->secret[0] != '\0');
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_hub_radius = {
	.name = "GetHubRadius",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells which RADIUS servers a hub asks, but not the secret. 8: no such hub.",
	.request = admin_hub_request,
	.response = response,
	.step = get_hub_radius_step,
};

static uint32_t within(uint32_t v, uint32_t min, uint32_t max)
{
	return v < min ? min : v > max ? max : v;
}

static int take(struct admin_call *call, struct directory_radius *radius)
{
	const char *servers = admin_get_str(call, "RadiusServerName");
	const char *wrong = directory_radius_servers_wrong(servers);
	bool elsewhere, had_one = radius->secret[0] != '\0';

	if (wrong != NULL)
		return admin_fail_field(call, "RadiusServerName", "%s", wrong);
	if (!directory_text_ok(admin_get_str(call, "RadiusSecret"), false))
		return admin_fail_field(
			call, "RadiusSecret", "must be UTF-8 without control characters");
	if (!directory_text_ok(admin_get_str(call, "PatchbayRealm"), false))
		return admin_fail_field(
			call, "PatchbayRealm", "must be UTF-8 without control characters");
	elsewhere = strcmp(radius->servers, servers) != 0 ||
		(admin_has(call, "RadiusPort") &&
			admin_get_int(call, "RadiusPort") != radius->port);
	snprintf(radius->servers, sizeof(radius->servers), "%s", servers);
	if (admin_has(call, "RadiusPort"))
		radius->port = (uint16_t)admin_get_int(call, "RadiusPort");
	/*
	 * Tools that read and write back send what they were told: nothing. But what a secret makes of passwords is for
	 * the servers it was given for: who names others might learn it from what is sent to them.
	 */
	if (admin_get_str(call, "RadiusSecret")[0] != '\0')
		snprintf(radius->secret, sizeof(radius->secret), "%s",
			admin_get_str(call, "RadiusSecret"));
	else if (elsewhere)
		explicit_bzero(radius->secret, sizeof(radius->secret));
	if (admin_get_int(call, "RadiusRetryTimeout") != 0)
		radius->timeout_ms = within(admin_get_int(call, "RadiusRetryTimeout"),
			DIRECTORY_RADIUS_TIMEOUT_MIN_MS, DIRECTORY_RADIUS_TIMEOUT_MAX_MS);
	if (admin_get_int(call, "RadiusRetryInterval") != 0)
		radius->retry_ms = within(admin_get_int(call, "RadiusRetryInterval"),
			DIRECTORY_RADIUS_RETRY_MIN_MS, DIRECTORY_RADIUS_TIMEOUT_MAX_MS);
	if (admin_has(call, "PatchbayRealm"))
		snprintf(radius->realm, sizeof(radius->realm), "%s",
			admin_get_str(call, "PatchbayRealm"));
	if (admin_has(call, "PatchbayRequireMessageAuthenticator"))
		radius->unsigned_replies =
			!admin_get_bool(call, "PatchbayRequireMessageAuthenticator");
	if (radius->servers[0] != '\0' && radius->secret[0] == '\0')
		return admin_fail_field(call, "RadiusSecret", "is missing: %s",
			had_one ? "other servers need it given anew, also if it is the same"
				: "without one anybody could answer");
	return 0;
}

static int set_begin(struct admin_call *call)
{
	struct directory_settings s;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc == 0)
		rc = admin_settings_copy(call, hub, &s);
	if (rc != 0)
		return rc;
	return admin_settings_change(call, hub, &s, take(call, &s.radius));
}

static int set_hub_radius_step(struct admin_call *call)
{
	return admin_change_step(call, set_begin, get_hub_radius_step);
}

const struct admin_method admin_method_set_hub_radius = {
	.name = "SetHubRadius",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Which RADIUS servers a hub asks about its users of type 4, from the next login on. Without servers the "
		"secret is forgotten, too; with other servers, or another port, it has to be given anew. 8: no such hub, 38: "
		"no list of servers, or no secret.",
	.request = set_request,
	.response = response,
	.state_bytes = sizeof(struct admin_change),
	.step = set_hub_radius_step,
	.fini = admin_change_fini,
};
