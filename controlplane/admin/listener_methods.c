/* SPDX-License-Identifier: BSD-3-Clause */
/* Listeners (admin-rpc.md 4.2) and the counters of everything before login. */

#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/linger.h"
#include "controlplane/listener.h"

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
