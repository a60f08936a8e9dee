/* SPDX-License-Identifier: BSD-3-Clause */
/* What is logged of a hub, and how many lines there were (admin-rpc.md 4.4, logging-admin.md 3). */

#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/logs/log_file.h"
#include "controlplane/logs/logs.h"
#include "controlplane/notice_log.h"
#include "dataplane/hub.h"
#include "dataplane/packet_log.h"
#include "drivers/session/wire/wire_error.h"

#define PACKET_LOG_CONFIG 16u /* the protocol's; the second half is not used */

static const struct admin_field kind_row[] = {
	ADMIN_INT("PacketLogConfig", 0, 2,
		"0 not logged, 1 headers, 2 and all bytes; in this order: TCP connections, TCP, DHCP, UDP, "
		"ICMP, IP, ARP, Ethernet, eight that are not used"),
	ADMIN_END,
};

#define LOG_FIELDS                                                                                        \
	ADMIN_BOOL("SaveSecurityLog", "the security log is written"),                                     \
		ADMIN_INT("SecurityLogSwitchType", 0, LOG_SWITCH_CNT - 1,                                 \
			"when a new file is begun: 0 never, 1 second, 2 minute, 3 hour, 4 day, 5 month"), \
		ADMIN_BOOL("SavePacketLog", "the packet log is written"),                                 \
		ADMIN_INT("PacketLogSwitchType", 0, LOG_SWITCH_CNT - 1,                                   \
			"the same for the packet log")

static const struct admin_field set_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	LOG_FIELDS,
	ADMIN_ROWS_IN("PacketLogConfigList", PACKET_LOG_CONFIG, kind_row,
		"what the packet log takes; absent: stays"),
	ADMIN_END,
};

static const struct admin_field response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	LOG_FIELDS,
	ADMIN_INT64(
		"PatchbayUnlogged", "frames that were to be logged and found no room, since start"),
	ADMIN_ROWS("PacketLogConfigList", kind_row, "what the packet log takes"),
	ADMIN_END,
};

static int put_log(struct admin_call *call)
{
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	admin_put_str(call, "HubName", hub->name);
	admin_put_bool(call, "SaveSecurityLog", hub->log.security);
	admin_put_int(call, "SecurityLogSwitchType", hub->log.security_switch);
	admin_put_bool(call, "SavePacketLog", hub->log.packet);
	admin_put_int(call, "PacketLogSwitchType", hub->log.packet_switch);
	admin_put_int64(call, "PatchbayUnlogged", hub_packets_unlogged(hub->hub));
	admin_rows_begin(call, "PacketLogConfigList");
	for (unsigned k = 0; k < PACKET_LOG_CONFIG; k++) {
		admin_row_begin(call);
		admin_put_int(
			call, "PacketLogConfig", k < DIRECTORY_LOG_KINDS ? hub->log.kinds[k] : 0);
		admin_row_end(call);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

/* For a hub administrator who may not, the cycles stay as they are without a word. */
static void take_switches(
	struct admin_call *call, const struct directory_hub *hub, struct directory_log *log)
{
	if (!call->caller->server && hub->admin_options[HUB_ADMIN_no_change_log_switch_type] != 0)
		return;
	if (admin_has(call, "SecurityLogSwitchType"))
		log->security_switch = (uint8_t)admin_get_int(call, "SecurityLogSwitchType");
	if (admin_has(call, "PacketLogSwitchType"))
		log->packet_switch = (uint8_t)admin_get_int(call, "PacketLogSwitchType");
}

static int set_begin(struct admin_call *call)
{
	uint32_t rows = admin_row_cnt(call, "PacketLogConfigList");
	struct directory_settings s;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_change_log_config);
	if (rc == 0)
		rc = admin_settings_copy(call, hub, &s);
	if (rc != 0)
		return rc;
	if (admin_has(call, "SaveSecurityLog"))
		s.log.security = admin_get_bool(call, "SaveSecurityLog");
	if (admin_has(call, "SavePacketLog"))
		s.log.packet = admin_get_bool(call, "SavePacketLog");
	take_switches(call, hub, &s.log);
	for (uint32_t k = 0; k < rows && k < DIRECTORY_LOG_KINDS; k++)
		s.log.kinds[k] =
			(uint8_t)admin_row_int(call, "PacketLogConfigList", k, "PacketLogConfig");
	return admin_settings_change(call, hub, &s, 0);
}

static int set_step(struct admin_call *call)
{
	return admin_change_step(call, set_begin, put_log);
}

const struct admin_method admin_method_get_hub_log = {
	.name = "GetHubLog",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells what is logged of a hub. 8: no such hub.",
	.request = admin_hub_request,
	.response = response,
	.step = put_log,
};

const struct admin_method admin_method_set_hub_log = {
	.name = "SetHubLog",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Sets what is logged of a hub; in force when it is answered. 8: no such hub.",
	.request = set_request,
	.response = response,
	.state_bytes = sizeof(struct admin_change),
	.step = set_step,
	.fini = admin_change_fini,
};

/* ---- PatchbayGetLogStatus -------------------------------------------------------------------- */

static const struct admin_field no_request[] = {ADMIN_END};

static const struct admin_field status_response[] = {
	ADMIN_STR("Folder", 0, 4095, "where the logs are"),
	ADMIN_STR("Format", 4, 4, "text or json"),
	ADMIN_INT64("Written", "lines written to disk, since start"),
	ADMIN_INT64("Sent", "lines sent to the syslog server"),
	ADMIN_INT64("LostRing", "events that found no room on their way to the thread that writes"),
	ADMIN_INT64("LostDisk", "lines that the disk did not take"),
	ADMIN_INT64("LostSyslog", "lines that the syslog server did not take"),
	ADMIN_INT64("Unlogged",
		"frames that were to be logged and found no room in their worker's ring"),
	ADMIN_INT64("Removed", "log files removed because the disk was full"),
	ADMIN_INT64("NoticesLost",
		"stations, leases and broken rules nobody was told of: too many in a second"),
	ADMIN_INT64("NoticesHeld", "lines about such held back: too many of a kind in a hub"),
	ADMIN_END,
};

static int status_step(struct admin_call *call)
{
	struct notice_log_counters notices;
	struct logs_counters c;

	logs_counters(&c);
	notice_log_counters(&notices);
	admin_put_str(call, "Folder", logs_folder());
	admin_put_str(call, "Format", logs_is_json() ? "json" : "text");
	admin_put_int64(call, "Written", c.written);
	admin_put_int64(call, "Sent", c.sent);
	admin_put_int64(call, "LostRing", c.lost_ring);
	admin_put_int64(call, "LostDisk", c.lost_disk);
	admin_put_int64(call, "LostSyslog", c.lost_syslog);
	admin_put_int64(call, "Unlogged", c.unlogged);
	admin_put_int64(call, "Removed", c.removed);
	admin_put_int64(call, "NoticesLost", notices.lost);
	admin_put_int64(call, "NoticesHeld", notices.held);
	return ADMIN_DONE;
}

const struct admin_method admin_method_patchbay_get_log_status = {
	.name = "PatchbayGetLogStatus",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells where the logs are, and how many lines were written and lost.",
	.request = no_request,
	.response = status_response,
	.step = status_step,
};
