/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Local bridges (admin-rpc.md 4.10). The original's DeviceName is the name of a network interface; here it is
 * whatever DPDK can drive, or with TapMode the name of a TAP.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/bridges.h"
#include "dataplane/lcore.h"
#include "drivers/session/wire/wire_error.h"

#define DELETE_PATIENCE_MS 10000u /* closing some devices takes seconds */

/* ---- AddLocalBridge -------------------------------------------------------------------------- */

static const struct admin_field add_request[] = {
	ADMIN_REQUIRED_STR("DeviceName", 1, DIRECTORY_DEVICE_BYTES - 1,
		"PCI address or DPDK devargs (net_vhost0,iface=/run/a.sock); TapMode: name of the TAP"),
	ADMIN_REQUIRED_STR("HubNameLB", 1, 255, "hub; it may come later"),
	ADMIN_BOOL("TapMode", "make a kernel interface tap_<DeviceName>"),
	ADMIN_STR("PatchbayName", 0, DIRECTORY_BRIDGE_NAME_BYTES - 1,
		"short name (default: DeviceName up to its first comma)"),
	ADMIN_BOOL("PatchbayLimitBroadcast", "the storm limiter is on for what comes from there"),
	ADMIN_BOOL("PatchbayMonitor", "receives only, and a copy of everything"),
	ADMIN_BOOL("PatchbayKeepOffloads",
		"leave GRO, TSO and the like of a kernel interface behind the device on"),
	ADMIN_INT("PatchbayMaxFrame", 0, DIRECTORY_FRAME_MAX,
		"longest frame in bytes, 0 or 1600 .. 9216 (0 = 1600)"),
	ADMIN_END,
};

static const struct admin_field change_response[] = {
	ADMIN_STR("DeviceName", 1, DIRECTORY_DEVICE_BYTES - 1, "device"),
	ADMIN_STR("HubNameLB", 1, 255, "hub"),
	ADMIN_END,
};

struct change {
	struct bridges_change *change;
	uint64_t asked_ms;
};

static int add_begin(struct admin_call *call, struct change *st)
{
	struct directory_bridge wanted = {
		.tap = admin_get_bool(call, "TapMode"),
		.limit_broadcast = admin_get_bool(call, "PatchbayLimitBroadcast"),
		.monitor = admin_get_bool(call, "PatchbayMonitor"),
		.keep_offloads = admin_get_bool(call, "PatchbayKeepOffloads"),
		.max_frame = admin_get_int(call, "PatchbayMaxFrame"),
	};
	const char *name = admin_get_str(call, "PatchbayName");
	const char *what;
	int rc;

	snprintf(wanted.device, sizeof(wanted.device), "%s", admin_get_str(call, "DeviceName"));
	snprintf(wanted.hub, sizeof(wanted.hub), "%s", admin_get_str(call, "HubNameLB"));
	snprintf(wanted.name, sizeof(wanted.name), "%s", name);
	what = directory_hub_name_wrong(wanted.hub);
	if (what != NULL)
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER, "the hub's name %s", what);
	if (name[0] == '\0')
		directory_bridge_default_name(wanted.device, wanted.name);
	what = directory_bridge_wrong(wanted.device, wanted.tap, wanted.name);
	if (what != NULL)
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER, "%s", what);
	if (wanted.max_frame == 0)
		wanted.max_frame = DIRECTORY_FRAME_MIN;
	if (wanted.max_frame < DIRECTORY_FRAME_MIN)
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
			"the longest frame should have %u to %u bytes", DIRECTORY_FRAME_MIN,
			DIRECTORY_FRAME_MAX);
	rc = bridges_add(&wanted, &st->change);
	switch (rc) {
	case 0:
	case -EBUSY:
		return ADMIN_WAIT;
	case -EEXIST:
		/* The same once more is no error (bridge-cascade.md A.1); another under its name is. */
		if (directory_bridge_find(wanted.hub, wanted.device) != NULL &&
			strcmp(directory_bridge_find(wanted.hub, wanted.device)->device,
				wanted.device) == 0)
			return ADMIN_DONE;
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
			"hub %s has another bridge \"%s\"", wanted.hub, wanted.name);
	case -ENOSPC:
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
			"there are %u bridges already", DIRECTORY_BRIDGES_MAX);
	default:
		return admin_fail(call, WIRE_ERROR_INTERNAL, "%s", strerror(-rc));
	}
}

static int change_done(struct admin_call *call)
{
	admin_put_str(call, "DeviceName", admin_get_str(call, "DeviceName"));
	admin_put_str(call, "HubNameLB", admin_get_str(call, "HubNameLB"));
	return ADMIN_DONE;
}

static int not_saved(struct admin_call *call, int error)
{
	return admin_fail(call, WIRE_ERROR_INTERNAL, "not saved, so nothing was changed: %s",
		strerror(-error));
}

static int add_step(struct admin_call *call)
{
	struct change *st = call->state;
	int error, rc;

	if (st->change == NULL) {
		rc = add_begin(call, st);
		return rc == ADMIN_DONE ? change_done(call) : rc;
	}
	if (!bridges_change_done(st->change, &error))
		return ADMIN_WAIT;
	return error != 0 ? not_saved(call, error) : change_done(call);
}

static void change_fini(struct admin_call *call)
{
	struct change *st = call->state;

	bridges_change_forget(st->change);
}

const struct admin_method admin_method_add_local_bridge = {
	.name = "AddLocalBridge",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Bridges a hub to a device or a TAP; hub and device may come later (EnumLocalBridge tells what "
		"it waits for). The same pair again is no error.",
	.request = add_request,
	.response = change_response,
	.state_bytes = sizeof(struct change),
	.step = add_step,
	.fini = change_fini,
};

/* ---- DeleteLocalBridge ----------------------------------------------------------------------- */

static const struct admin_field delete_request[] = {
	ADMIN_REQUIRED_STR("DeviceName", 1, DIRECTORY_DEVICE_BYTES - 1, "device or short name"),
	ADMIN_REQUIRED_STR("HubNameLB", 1, 255, "hub"),
	ADMIN_BOOL("TapMode", "not looked at: names tell"),
	ADMIN_END,
};

static int delete_step(struct admin_call *call)
{
	struct change *st = call->state;
	const char *hub = admin_get_str(call, "HubNameLB");
	const char *which = admin_get_str(call, "DeviceName");
	int error, rc;

	if (st->change == NULL) {
		rc = bridges_delete(hub, which, &st->change);
		if (rc == -EBUSY)
			return ADMIN_WAIT;
		if (rc == -ENOENT)
			return admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND,
				"hub %s has no bridge %s", hub, which);
		if (rc != 0)
			return admin_fail(call, WIRE_ERROR_INTERNAL, "%s", strerror(-rc));
		st->asked_ms = lcore_clock_ms();
		return ADMIN_WAIT;
	}
	if (!bridges_change_done(st->change, &error)) {
		if (lcore_clock_ms() - st->asked_ms < DELETE_PATIENCE_MS)
			return ADMIN_WAIT;
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"bridge %s is deleted, but its device is not closed yet", which);
	}
	return error != 0 ? not_saved(call, error) : change_done(call);
}

const struct admin_method admin_method_delete_local_bridge = {
	.name = "DeleteLocalBridge",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Ends a local bridge; answered when its device is closed. 29: no such bridge.",
	.request = delete_request,
	.response = change_response,
	.state_bytes = sizeof(struct change),
	.step = delete_step,
	.fini = change_fini,
};

/* ---- EnumLocalBridge ------------------------------------------------------------------------- */

static const struct admin_field no_request[] = {ADMIN_END};

static const struct admin_field enum_row[] = {
	ADMIN_STR("DeviceName", 1, DIRECTORY_DEVICE_BYTES - 1, "device, or name of the TAP"),
	ADMIN_STR("HubNameLB", 1, 255, "hub"),
	ADMIN_BOOL("Online", "the hub is there and online"),
	ADMIN_BOOL("Active", "the device is open"),
	ADMIN_BOOL("TapMode", "a kernel interface of our own"),
	ADMIN_STR("PatchbayName", 1, DIRECTORY_BRIDGE_NAME_BYTES - 1, "short name"),
	ADMIN_STR("PatchbayState", 1, 15, "waiting, opening, up, unplugged or closing"),
	ADMIN_STR("PatchbayError", 0, BRIDGE_ERROR_BYTES - 1, "what it waits for"),
	ADMIN_STR("PatchbaySessionName", 0, 39, "session in the hub, SID-LOCALBRIDGE-<n>"),
	ADMIN_STR("PatchbayDriver", 0, 31, "driver of the device"),
	ADMIN_STR("PatchbayMac", 0, 17, "MAC address of the device itself"),
	ADMIN_BOOL("PatchbayLink", "its link is up"),
	ADMIN_INT("PatchbayRxQueues", 0, UINT32_MAX, "receive queues"),
	ADMIN_INT("PatchbayTxQueues", 0, UINT32_MAX, "transmit queues"),
	ADMIN_INT("PatchbayLcore", 0, LCORE_MAX - 1, "worker that floods to it"),
	ADMIN_BOOL("PatchbayLimitBroadcast", "the storm limiter is on"),
	ADMIN_BOOL("PatchbayMonitor", "receives only, and a copy of everything"),
	ADMIN_BOOL("PatchbayKeepOffloads", "offloads of a kernel interface behind it stay on"),
	ADMIN_INT("PatchbayMaxFrame", DIRECTORY_FRAME_MIN, DIRECTORY_FRAME_MAX,
		"longest frame, bytes"),
	ADMIN_STR("PatchbayNote", 0, BRIDGE_NOTE_BYTES - 1, "what is less than it should be"),
	ADMIN_INT64(
		"PatchbayMissed", "frames the device itself dropped, its receive queue being full"),
	ADMIN_INT64("PatchbayFaults",
		"frames the device received badly, had no buffer for, or took and did not send"),
	ADMIN_TIME("PatchbayUpTime", "when it came up, 0 = is not"),
	ADMIN_TRAFFIC("Patchbay.", "Recv = from the device into the hub, Send = out to it"),
	ADMIN_END,
};

static const struct admin_field enum_response[] = {
	ADMIN_ROWS("LocalBridgeList", enum_row, "one record per bridge, in order of creation"),
	ADMIN_END,
};

struct enum_bridges {
	uint64_t last_id;
};

static void put_row(struct admin_call *call, const struct local_bridge *lb)
{
	const struct directory_hub *hub = directory_hub_find(lb->conf.hub);
	bool up = lb->state == BRIDGES_UP;
	struct bridge_view v;

	bridges_view(lb, &v);
	admin_row_begin(call);
	admin_put_str(call, "DeviceName", lb->conf.device);
	admin_put_str(call, "HubNameLB", lb->conf.hub);
	admin_put_bool(call, "Online", hub != NULL && hub->online);
	admin_put_bool(call, "Active", up);
	admin_put_bool(call, "TapMode", lb->conf.tap);
	admin_put_str(call, "PatchbayName", lb->conf.name);
	admin_put_str(call, "PatchbayState", bridges_state_name(lb->state));
	admin_put_str(call, "PatchbayError", lb->error);
	admin_put_str(call, "PatchbaySessionName", up ? lb->session_name : "");
	admin_put_str(call, "PatchbayDriver", v.driver);
	admin_put_str(call, "PatchbayMac", v.mac);
	admin_put_bool(call, "PatchbayLink", v.link_up);
	admin_put_int(call, "PatchbayRxQueues", v.rx_queues);
	admin_put_int(call, "PatchbayTxQueues", v.tx_queues);
	admin_put_int(call, "PatchbayLcore", v.worker);
	admin_put_bool(call, "PatchbayLimitBroadcast", lb->conf.limit_broadcast);
	admin_put_bool(call, "PatchbayMonitor", lb->conf.monitor);
	admin_put_bool(call, "PatchbayKeepOffloads", lb->conf.keep_offloads);
	admin_put_int(call, "PatchbayMaxFrame", lb->conf.max_frame);
	admin_put_str(call, "PatchbayNote", v.note);
	admin_put_int64(call, "PatchbayMissed", v.missed);
	admin_put_int64(call, "PatchbayFaults", v.faults);
	admin_put_time(call, "PatchbayUpTime", up ? lb->up_ms : 0);
	admin_put_traffic(call, "Patchbay.", &v.port.in, &v.port.out);
	admin_row_end(call);
}

static int enum_step(struct admin_call *call)
{
	struct enum_bridges *st = call->state;
	const struct local_bridge *lb;

	if (call->steps == 0)
		admin_rows_begin(call, "LocalBridgeList");
	while (admin_room(call)) {
		lb = bridges_next(st->last_id);
		if (lb == NULL) {
			admin_rows_end(call);
			return ADMIN_DONE;
		}
		st->last_id = lb->id;
		if (admin_sees_hub(call, lb->conf.hub))
			put_row(call, lb);
	}
	return ADMIN_MORE;
}

const struct admin_method admin_method_enum_local_bridge = {
	.name = "EnumLocalBridge",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the local bridges, and what those that are not up wait for.",
	.request = no_request,
	.response = enum_response,
	.state_bytes = sizeof(struct enum_bridges),
	.step = enum_step,
};
