/* SPDX-License-Identifier: BSD-3-Clause */
/* Listeners (admin-rpc.md 4.2) and the counters of everything before login. */

#include <errno.h>
#include <string.h>

#include "controlplane/admin/change.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/auth/radius.h"
#include "controlplane/linger.h"
#include "controlplane/listener.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field no_request[] = {ADMIN_END};

static const struct admin_field enum_listener_row[] = {
	ADMIN_INT("Ports", 1, 65535, "TCP port"),
	ADMIN_BOOL("Enables", "is meant to listen"),
	ADMIN_BOOL("Errors", "enabled, but the port could not be opened"),
	ADMIN_STR("PatchbayError", 0, 127, "why it could not be opened"),
	ADMIN_INT64("PatchbayAccepted", "connections accepted"),
	ADMIN_END,
};

static const struct admin_field enum_listener_response[] = {
	ADMIN_ROWS("ListenerList", enum_listener_row, "one record per listener"),
	ADMIN_END,
};

static int enum_listener_step(struct admin_call *call)
{
	struct listener_info info;

	/* CONFIG_LISTENERS_MAX bounds them: one slice. */
	admin_rows_begin(call, "ListenerList");
	for (unsigned i = 0; listener_get(i, &info); i++) {
		bool error = info.enabled && !info.open;

		admin_row_begin(call);
		admin_put_int(call, "Ports", info.port);
		admin_put_bool(call, "Enables", info.enabled);
		admin_put_bool(call, "Errors", error);
		admin_put_str(call, "PatchbayError",
			error && info.error != 0 ? strerror(info.error) : "");
		admin_put_int64(call, "PatchbayAccepted", info.accepted);
		admin_row_end(call);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_enum_listener = {
	.name = "EnumListener",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the TCP listeners.",
	.request = no_request,
	.response = enum_listener_response,
	.step = enum_listener_step,
};

/* ---- CreateListener, DeleteListener, EnableListener ------------------------------------------ */

static const struct admin_field switch_request[] = {
	ADMIN_REQUIRED_INT("Port", 1, 65535, "TCP port"),
	ADMIN_BOOL("Enable", "listen (default: no)"),
	ADMIN_END,
};

static const struct admin_field port_request[] = {
	ADMIN_REQUIRED_INT("Port", 1, 65535, "TCP port"),
	ADMIN_END,
};

static const struct admin_field port_response[] = {
	ADMIN_INT("Port", 1, 65535, "TCP port"),
	ADMIN_END,
};

static int listener_change_step(
	struct admin_call *call, enum server_listener_action action, bool enable)
{
	struct admin_server_change *st = call->state;
	uint32_t port = admin_get_int(call, "Port");
	int error = 0;

	if (st->change == NULL) {
		error = server_change_listener(action, (uint16_t)port, enable, &st->change);
		if (error == -EBUSY)
			return ADMIN_WAIT;
		if (error == -EEXIST)
			return admin_fail(call, WIRE_ERROR_LISTENER_EXISTS,
				"there is a listener on TCP port %u already", port);
		if (error == -ENOENT)
			return admin_fail(call, WIRE_ERROR_LISTENER_NOT_FOUND,
				"there is no listener on TCP port %u", port);
		if (error == -ENOSPC)
			return admin_fail(call, WIRE_ERROR_TOO_MANY_ITEMS,
				"there are as many listeners as there may be");
		if (error != 0)
			return admin_fail(call, WIRE_ERROR_INTERNAL, "%s", strerror(-error));
		return ADMIN_WAIT;
	}
	error = admin_server_change_wait(call);
	if (error == ADMIN_DONE)
		admin_put_int(call, "Port", port);
	return error;
}

static int create_listener_step(struct admin_call *call)
{
	return listener_change_step(call, SERVER_LISTENER_ADD, admin_get_bool(call, "Enable"));
}

const struct admin_method admin_method_create_listener = {
	.name = "CreateListener",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Adds a TCP listener; a port that cannot be opened shows in EnumListener. 54: there is one.",
	.request = switch_request,
	.response = port_response,
	.state_bytes = sizeof(struct admin_server_change),
	.step = create_listener_step,
	.fini = admin_server_change_fini,
};

static int delete_listener_step(struct admin_call *call)
{
	return listener_change_step(call, SERVER_LISTENER_REMOVE, false);
}

const struct admin_method admin_method_delete_listener = {
	.name = "DeleteListener",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Removes a TCP listener; sessions that came in through it live on. 53: there is none.",
	.request = port_request,
	.response = port_response,
	.state_bytes = sizeof(struct admin_server_change),
	.step = delete_listener_step,
	.fini = admin_server_change_fini,
};

static int enable_listener_step(struct admin_call *call)
{
	return listener_change_step(call, SERVER_LISTENER_SWITCH, admin_get_bool(call, "Enable"));
}

const struct admin_method admin_method_enable_listener = {
	.name = "EnableListener",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Switches a TCP listener on or off; sessions that came in through it live on. 53: there is none.",
	.request = switch_request,
	.response = port_response,
	.state_bytes = sizeof(struct admin_server_change),
	.step = enable_listener_step,
	.fini = admin_server_change_fini,
};

/* ---- PatchbayGetListenerCounters ------------------------------------------------------------- */

static const struct admin_field counter_row[] = {
	ADMIN_STR("Name", 1, 63, "short name, for programs"),
	ADMIN_INT64("Value", "count since start"),
	ADMIN_STR("Text", 1, 255, "sentence for people"),
	ADMIN_END,
};

static const struct admin_field get_listener_counters_response[] = {
	ADMIN_ROWS("CounterList", counter_row, "one record per counter"),
	ADMIN_END,
};

static void put_counter(struct admin_call *call, const char *name, uint64_t value, const char *text)
{
	admin_row_begin(call);
	admin_put_str(call, "Name", name);
	admin_put_int64(call, "Value", value);
	admin_put_str(call, "Text", text);
	admin_row_end(call);
}

static int get_listener_counters_step(struct admin_call *call)
{
	admin_rows_begin(call, "CounterList");
#define X(name, text) put_counter(call, #name, listener_counters.name, text);
	LISTENER_COUNTER_LIST(X)
#undef X
#define X(name, text) put_counter(call, #name, radius_counters.name, text);
	RADIUS_COUNTER_LIST(X)
#undef X
#define X(name, text) put_counter(call, "linger_" #name, linger_counters.name, text);
	LINGER_COUNTER_LIST(X)
#undef X
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_patchbay_get_listener_counters = {
	.name = "PatchbayGetListenerCounters",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells what became of connections before and at login: one counter per outcome.",
	.request = no_request,
	.response = get_listener_counters_response,
	.step = get_listener_counters_step,
};
