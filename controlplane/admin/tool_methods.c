/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What tools ask when they start (admin-rpc.md 6, 7): which features there are, and calls whose answer is always
 * the same.
 */

#include <stdio.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/config.h"
#include "controlplane/control.h"
#include "controlplane/directory.h"

static const struct admin_field no_request[] = {ADMIN_END};

/* ---- GetCaps --------------------------------------------------------------------------------- */

/*
 * X(name, value, text). What is not here is not there: tools take a missing one for 0 and hide what is behind
 * it. A feature that lands adds its line.
 */
#define CAPS(X)                                                                             \
	X(i_max_packet_size, 1600, "bytes of a frame")                                      \
	X(i_max_hubs, DIRECTORY_HUBS_MAX, "virtual hubs")                                   \
	X(i_max_sessions, control_config()->sessions_max, "sessions")                       \
	X(i_max_user_creation, UINT32_MAX, "users of the server")                           \
	X(i_max_clients, UINT32_MAX, "client licences")                                     \
	X(i_max_bridges, UINT32_MAX, "bridge licences")                                     \
	X(i_max_users_per_hub, DIRECTORY_USERS_MAX, "users of a hub")                       \
	X(i_max_mac_tables, DIRECTORY_MACS_MAX, "entries of a hub's MAC table, at most")    \
	X(i_max_access_lists, ACCESS_RULES_MAX, "access rules of a hub")                    \
	X(b_support_ex_acl, 1, "delay, jitter and loss in access rules")                    \
	X(b_support_ipv6_acl, 1, "IPv6 in access rules")                                    \
	X(b_support_redirect_url_acl, 1, "redirection in access rules")                     \
	X(b_support_acl_group, 1, "groups in access rules")                                 \
	X(b_support_check_mac, 1, "MAC addresses in access rules")                          \
	X(b_support_check_tcp_state, 1, "TCP state in access rules")                        \
	X(i_max_groups_per_hub, DIRECTORY_GROUPS_MAX, "groups of a hub")                    \
	X(i_max_ip_tables, 65536, "entries of a hub's IP table")                            \
	X(b_support_policy_ver_3, 1, "all keys of a security policy")                       \
	X(b_support_limit_multilogin, 1, "policy MultiLogins")                              \
	X(b_support_qos, 1, "policy NoQoS")                                                 \
	X(b_support_vlan, 1, "policy VLanId")                                               \
	X(b_support_hub_admin_option, 1, "admin options of hubs")                           \
	X(b_support_hub_ext_options, 1, "extended options of hubs")                         \
	X(b_support_radius, 1, "RADIUS")                                                    \
	X(b_support_radius_retry_interval_and_several_servers, 1, "several RADIUS servers") \
	X(b_support_crl, 1, "revoked certificates")                                         \
	X(b_support_ac, 1, "source address lists")                                          \
	X(b_support_ipv6_ac, 1, "IPv6 in source address lists")                             \
	X(b_support_msg, 1, "messages of hubs")                                             \
	X(b_support_hide_hub, 1, "hubs that are not listed to clients")                     \
	X(b_support_config_hub, 1, "hubs can be configured")                                \
	X(b_support_config_log, 1, "what is logged of hubs can be configured")              \
	X(b_support_read_log, 1, "log files can be read")                                   \
	X(b_support_config_rw, 1, "the configuration can be read and written")              \
	X(b_support_udp_acceleration, control_config()->udp_enabled, "UDP acceleration")    \
	X(b_support_autodelete, 1, "old log files go when the disk is full")                \
	X(b_standalone, 1, "is a standalone server")                                        \
	X(b_bridge, 0, "is a bridge only")                                                  \
	X(b_cluster_controller, 0, "is a cluster's controller")                             \
	X(b_cluster_member, 0, "is a member of a cluster")                                  \
	X(b_vpn_client_connect, 1, "VPN clients may connect")                               \
	X(b_local_bridge, 1, "local bridges")                                               \
	X(b_tap_supported, 1, "local bridges to TAP devices")                               \
	X(b_must_install_pcap, 0, "a packet capture library has to be installed")           \
	X(b_cluster_hub_type_fixed, 1, "the type of a hub cannot be changed")               \
	X(b_is_softether, 1, "speaks the protocol of version 4 and later")                  \
	X(b_vpn3, 1, "version 3 or later")                                                  \
	X(b_vpn4, 1, "version 4 or later")

static const struct admin_field caps_row[] = {
	ADMIN_STR("CapsName", 1, 63, "name"),
	ADMIN_INT("CapsValue", 0, UINT32_MAX, "number, or 1 = yes"),
	ADMIN_USTR("CapsDescrption", 0, 255, "meaning"),
	ADMIN_END,
};

static const struct admin_field get_caps_response[] = {
#define X(name, value, text) ADMIN_INT("caps_" #name, 0, UINT32_MAX, text),
	CAPS(X)
#undef X
		ADMIN_ROWS("CapsList", caps_row, "the same as a list"),
	ADMIN_END,
};

static void put_caps_row(
	struct admin_call *call, const char *name, uint32_t value, const char *text)
{
	admin_row_begin(call);
	admin_put_str(call, "CapsName", name);
	admin_put_int(call, "CapsValue", value);
	admin_put_str(call, "CapsDescrption", text);
	admin_row_end(call);
}

static int get_caps_step(struct admin_call *call)
{
#define X(name, value, text) admin_put_int(call, "caps_" #name, value);
	CAPS(X)
#undef X
	admin_rows_begin(call, "CapsList");
#define X(name, value, text) put_caps_row(call, #name, value, text);
	CAPS(X)
#undef X
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_caps = {
	.name = "GetCaps",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells what this server can do and how much of it; what is not in the answer it cannot.",
	.request = no_request,
	.response = get_caps_response,
	.step = get_caps_step,
};

/* ---- GetBridgeSupport ------------------------------------------------------------------------ */

static const struct admin_field get_bridge_support_response[] = {
	ADMIN_BOOL("IsBridgeSupportedOs", "there are local bridges"),
	ADMIN_BOOL("IsWinPcapNeeded", "a packet capture library has to be installed"),
	ADMIN_END,
};

static int get_bridge_support_step(struct admin_call *call)
{
	admin_put_bool(call, "IsBridgeSupportedOs", true);
	admin_put_bool(call, "IsWinPcapNeeded", false);
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_bridge_support = {
	.name = "GetBridgeSupport",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells whether there are local bridges: yes.",
	.request = no_request,
	.response = get_bridge_support_response,
	.step = get_bridge_support_step,
};

/* ---- GetAdminMsg ----------------------------------------------------------------------------- */

static const struct admin_field get_admin_msg_response[] = {
	ADMIN_DATA("Msg", 0, 65535, "what a tool should show its user: nothing"),
	ADMIN_END,
};

static int get_admin_msg_step(struct admin_call *call)
{
	admin_put_data(call, "Msg", "", 0);
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_admin_msg = {
	.name = "GetAdminMsg",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "A message for the users of tools; there is none.",
	.request = no_request,
	.response = get_admin_msg_response,
	.step = get_admin_msg_step,
};

/* ---- Test ------------------------------------------------------------------------------------ */

static const struct admin_field test_request[] = {
	ADMIN_INT("IntValue", 0, UINT32_MAX, "number"),
	ADMIN_INT64("Int64Value", "number"),
	ADMIN_STR("StrValue", 0, 255, "text"),
	ADMIN_USTR("UniStrValue", 0, 255, "text"),
	ADMIN_END,
};

static const struct admin_field test_response[] = {
	ADMIN_INT("IntValue", 0, UINT32_MAX, "the number"),
	ADMIN_INT64("Int64Value", "the number"),
	ADMIN_STR("StrValue", 0, 255, "IntValue as text"),
	ADMIN_USTR("UniStrValue", 0, 255, "the text"),
	ADMIN_END,
};

static int test_step(struct admin_call *call)
{
	char digits[16];

	snprintf(digits, sizeof(digits), "%u", admin_get_int(call, "IntValue"));
	admin_put_int(call, "IntValue", admin_get_int(call, "IntValue"));
	admin_put_int64(call, "Int64Value", admin_get_int64(call, "Int64Value"));
	admin_put_str(call, "StrValue", digits);
	admin_put_str(call, "UniStrValue", admin_get_str(call, "UniStrValue"));
	return ADMIN_DONE;
}

const struct admin_method admin_method_test = {
	.name = "Test",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Sends back what it was sent, to try a connection.",
	.request = test_request,
	.response = test_response,
	.step = test_step,
};
