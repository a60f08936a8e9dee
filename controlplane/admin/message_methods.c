/* SPDX-License-Identifier: BSD-3-Clause */
/* What a hub tells people when they log in (admin-rpc.md 4.4): clients with a window show it. */

#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field set_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_DATA("Msg", 0, DIRECTORY_MESSAGE_BYTES,
		"the message, UTF-8, 20000 characters at most; empty = none"),
	ADMIN_END,
};

static const struct admin_field response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_DATA("Msg", 0, DIRECTORY_MESSAGE_BYTES, "the message, UTF-8; empty = none"),
	ADMIN_END,
};

static int get_hub_msg_step(struct admin_call *call)
{
	struct directory_hub *hub;
	const char *text;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	text = hub->message == NULL ? "" : hub->message;
	admin_put_str(call, "HubName", hub->name);
	admin_put_data(call, "Msg", text, strlen(text));
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_hub_msg = {
	.name = "GetHubMsg",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells what a hub shows to people who log in. 8: no such hub.",
	.request = admin_hub_request,
	.response = response,
	.step = get_hub_msg_step,
};

/* A tool may send the byte that ends its text. */
static int take(struct admin_call *call, char **message)
{
	size_t size;
	const char *bytes = admin_get_data(call, "Msg", &size), *wrong;
	char *text;

	if (size > 0 && bytes[size - 1] == '\0')
		size--;
	if (size > 0 && memchr(bytes, '\0', size) != NULL)
		return admin_fail_field(call, "Msg", "must not have a zero byte in it");
	text = strndup(size == 0 ? "" : bytes, size);
	if (text == NULL)
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	wrong = directory_message_wrong(text);
	free(*message);
	*message = size == 0 ? NULL : text;
	if (size == 0)
		free(text);
	return wrong == NULL ? 0 : admin_fail_field(call, "Msg", "%s", wrong);
}

static int set_begin(struct admin_call *call)
{
	struct directory_settings s;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_change_msg);
	if (rc == 0)
		rc = admin_settings_copy(call, hub, &s);
	if (rc != 0)
		return rc;
	return admin_settings_change(call, hub, &s, take(call, &s.message));
}

static int set_hub_msg_step(struct admin_call *call)
{
	return admin_change_step(call, set_begin, get_hub_msg_step);
}

const struct admin_method admin_method_set_hub_msg = {
	.name = "SetHubMsg",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "What a hub shows to people, from their next login on: clients with a window do. 8: no such hub.",
	.request = set_request,
	.response = response,
	.state_bytes = sizeof(struct admin_change),
	.step = set_hub_msg_step,
	.fini = admin_change_fini,
};
