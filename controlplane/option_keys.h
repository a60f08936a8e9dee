/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_OPTION_KEYS_H
#define PATCHBAY_CONTROLPLANE_OPTION_KEYS_H

/*
 * The options of a hub as one table each: extended options (reference/hub.md 11.1), which say how the hub
 * behaves, and admin options (11.2), which fence in the hub's own administrator and bound the hub. Directory
 * file, admin methods, CLI and man page are made from these tables; a value is directory_hub's ext[] or admin[]
 * at the index that the enum gives.
 *
 * All are numbers; a flag is on when it is 1. X(Name, default, min, max, EFFECT, text). EFFECT:
 *   NOW    in force at once, for running sessions too
 *   LOGIN  asked at login
 *   ADMIN  asked when a hub administrator calls a method
 *   KEPT   stored and told, for what is not there yet; the text says what
 */

#include <stdbool.h>
#include <stdint.h>

#define HUB_EXT_OPTIONS(X)                                                                               \
	X(NoAddressPollingIPv4, 0, 0, 1, NOW, "do not ask known IPv4 hosts for signs of life")           \
	X(NoAddressPollingIPv6, 0, 0, 1, NOW, "do not ask known IPv6 hosts for signs of life")           \
	X(NoIpTable, 0, 0, 1, NOW, "keep no IP table; policies that need it rest")                       \
	X(NoMacAddressLog, 1, 0, 1, NOW, "do not log MAC addresses when they are learned")               \
	X(ManageOnlyPrivateIP, 1, 0, 1, NOW, "hold only private IPv4 addresses in the IP table")         \
	X(ManageOnlyLocalUnicastIPv6, 1, 0, 1, NOW, "hold only fe80::/10 of IPv6 in the IP table")       \
	X(DisableIPParsing, 0, 0, 1, NOW, "take every frame for opaque layer 2")                         \
	X(YieldAfterStorePacket, 0, 0, 1, KEPT, "no effect: workers do not wait for each other")         \
	X(NoSpinLockForPacketDelay, 0, 0, 1, KEPT, "coarse timers for delay rules")                      \
	X(BroadcastStormDetectionThreshold, 0, 0, 1000000, NOW,                                          \
		"floods per second from one source that count as a storm; 0: 32")                        \
	X(BroadcastLimiterStrictMode, 0, 0, 1, NOW,                                                      \
		"one source is a MAC address with either of the two IP addresses")                       \
	X(ClientMinimumRequiredBuild, 0, 0, 4294967295u, LOGIN,                                          \
		"refuse clients of a smaller build (error 87)")                                          \
	X(RequiredClientId, 0, 0, 4294967295u, LOGIN,                                                    \
		"refuse clients without this id (error 127)")                                            \
	X(FilterPPPoE, 0, 0, 1, NOW, "drop PPPoE")                                                       \
	X(FilterOSPF, 0, 0, 1, NOW, "drop OSPF")                                                         \
	X(FilterIPv4, 0, 0, 1, NOW, "drop IPv4 and ARP")                                                 \
	X(FilterIPv6, 0, 0, 1, NOW, "drop IPv6")                                                         \
	X(FilterNonIP, 0, 0, 1, NOW,                                                                     \
		"drop what is neither IPv4, ARP nor IPv6, behind one tag too")                           \
	X(FilterBPDU, 0, 0, 1, NOW, "drop spanning tree frames")                                         \
	X(NoIPv4PacketLog, 0, 0, 1, NOW, "leave IPv4 out of the packet log")                             \
	X(NoIPv6PacketLog, 0, 0, 1, NOW, "leave IPv6 out of the packet log")                             \
	X(NoIPv6DefaultRouterInRAWhenIPv6, 1, 0, 1, NOW,                                                 \
		"sessions that come in over IPv6 learn no default router from the hub")                  \
	X(NoLookBPDUBridgeId, 0, 0, 1, NOW, "learn BPDUs by their source address, not bridge id")        \
	X(FixForDLinkBPDU, 0, 0, 1, KEPT, "no effect: the flaw it works around is not here")             \
	X(NoManageVlanId, 0, 0, 1, NOW, "leave VLAN ids out of the MAC table")                           \
	X(VlanTypeId, 33024, 1536, 65535, NOW,                                                           \
		"EtherType of VLAN tags that are put in and taken out")                                  \
	X(AdjustTcpMssValue, 0, 0, 65535, NOW, "bound of TCP's maximum segment size; 0: none")           \
	X(DisableAdjustTcpMss, 0, 0, 1, NOW, "leave TCP's maximum segment size alone")                   \
	X(NoDhcpPacketLogOutsideHub, 1, 0, 1, NOW, "do not log leases that concern no session")          \
	X(DisableHttpParsing, 0, 0, 1, NOW, "no HTTP requests in the packet log")                        \
	X(DisableUdpAcceleration, 0, 0, 1, LOGIN, "refuse UDP acceleration")                             \
	X(DisableUdpFilterForLocalBridgeNic, 0, 0, 1, KEPT,                                              \
		"do not filter the DHCP of a bridged device's own system")                               \
	X(ApplyIPv4AccessListOnArpPacket, 0, 0, 1, NOW, "IPv4 access rules test ARP as well")            \
	X(RemoveDefGwOnDhcpForLocalhost, 1, 0, 1, NOW,                                                   \
		"DHCP tells no router to clients on the server's own host")                              \
	X(SecureNAT_MaxTcpSessionsPerIp, 0, 0, 4294967295u, KEPT,                                        \
		"NAT: TCP sessions per inner address")                                                   \
	X(SecureNAT_MaxTcpSynSentPerIp, 0, 0, 4294967295u, KEPT,                                         \
		"NAT: TCP connects under way per address")                                               \
	X(SecureNAT_MaxUdpSessionsPerIp, 0, 0, 4294967295u, KEPT,                                        \
		"NAT: UDP sessions per inner address")                                                   \
	X(SecureNAT_MaxDnsSessionsPerIp, 0, 0, 4294967295u, KEPT,                                        \
		"NAT: DNS queries per inner address")                                                    \
	X(SecureNAT_MaxIcmpSessionsPerIp, 0, 0, 4294967295u, KEPT, "NAT: pings per inner address")       \
	X(AccessListIncludeFileCacheLifetime, 30, 0, 4294967295u, NOW,                                   \
		"seconds for which files that access rules include are believed")                        \
	X(DisableKernelModeSecureNAT, 0, 0, 1, KEPT, "choice of the NAT engine")                         \
	X(DisableIpRawModeSecureNAT, 0, 0, 1, KEPT, "choice of the NAT engine")                          \
	X(DisableUserModeSecureNAT, 0, 0, 1, KEPT, "choice of the NAT engine")                           \
	X(DisableCheckMacOnLocalBridge, 0, 0, 1, NOW,                                                    \
		"local bridges may take over MAC addresses that are in use elsewhere")                   \
	X(DisableCorrectIpOffloadChecksum, 0, 0, 1, KEPT,                                                \
		"leave checksums alone that a bridged device has yet to fill in")                        \
	X(MaxLoggedPacketsPerMinute, 0, 0, 4294967295u, NOW,                                             \
		"frames of a session that the packet log takes; more are dropped")                       \
	X(DoNotSaveHeavySecurityLogs, 0, 0, 1, NOW, "no log line per frame that breaks a policy")        \
	X(DropBroadcastsInPrivacyFilterMode, 1, 0, 1, NOW, "PrivacyFilter stops broadcasts, too")        \
	X(DropArpInPrivacyFilterMode, 1, 0, 1, NOW, "PrivacyFilter stops ARP, too")                      \
	X(AllowSameUserInPrivacyFilterMode, 0, 0, 1, NOW,                                                \
		"PrivacyFilter lets the sessions of one user talk to each other")                        \
	X(SuppressClientUpdateNotification, 0, 0, 1, LOGIN,                                              \
		"clients tell nobody of newer versions")                                                 \
	X(FloodingSendQueueBufferQuota, 33554432, 0, 4294967295u, NOW,                                   \
		"bytes of floods that may wait for sessions, all together; 0: no bound")                 \
	X(AssignVLanIdByRadiusAttribute, 0, 0, 1, LOGIN, "RADIUS attribute 81 gives the VLAN")           \
	X(DenyAllRadiusLoginWithNoVlanAssign, 0, 0, 1, LOGIN, "RADIUS without a VLAN is refused")        \
	X(SecureNAT_RandomizeAssignIp, 0, 0, 1, KEPT, "virtual DHCP gives addresses in no order")        \
	X(DetectDormantSessionInterval, 0, 0, 4294967295u, NOW,                                          \
		"seconds of silence after which a client gets no floods; 0: never")                      \
	X(NoPhysicalIPOnPacketLog, 0, 0, 1, NOW, "no client addresses in the packet log")                \
	X(UseHubNameAsDhcpUserClassOption, 0, 0, 1, KEPT, "DHCP option 77 is the hub's name")            \
	X(UseHubNameAsRadiusNasId, 0, 0, 1, LOGIN, "RADIUS NAS-Identifier is the hub's name")            \
	X(AllowEapMatchUserByCert, 0, 0, 1, KEPT, "EAP over PPP finds users by certificate")             \
	X(DhcpDiscoverTimeoutMs, 5000, 1, 600000, KEPT, "DHCP of in-process layer-3 clients, ms")        \
	X(PatchbayLoopGuard, 1, 0, 2, NOW,                                                               \
		"a frame that comes back on another port: 0 nothing, 1 alarm, 2 block the younger port") \
	X(PatchbayLoopBlockSeconds, 60, 1, 86400, NOW, "for how long the loop guard blocks a port")

#define HUB_ADMIN_OPTIONS(X)                                                                       \
	X(allow_hub_admin_change_option, 0, 0, 1, ADMIN,                                           \
		"hub administrators may change these options")                                     \
	X(deny_hub_admin_change_ext_option, 0, 0, 1, ADMIN,                                        \
		"hub administrators may not change the extended options")                          \
	X(max_users, 0, 0, 4294967295u, NOW, "users at most (error 63); 0: 10000")                 \
	X(max_groups, 0, 0, 4294967295u, NOW, "groups at most (error 64); 0: 10000")               \
	X(max_accesslists, 0, 0, 4294967295u, NOW, "access rules at most")                         \
	X(max_sessions, 0, 0, 4294967295u, LOGIN, "sessions at most (error 16)")                   \
	X(max_sessions_client_bridge_apply, 0, 0, 1, LOGIN, "the next two are in force")           \
	X(max_sessions_client, 0, 0, 4294967295u, LOGIN,                                           \
		"client mode sessions at most (error 16)")                                         \
	X(max_sessions_bridge, 0, 0, 4294967295u, LOGIN,                                           \
		"bridge and router mode sessions at most (error 16)")                              \
	X(max_multilogins_per_user, 0, 0, 4294967295u, LOGIN,                                      \
		"bounds policy MultiLogins (error 20)")                                            \
	X(max_bitrates_download, 0, 0, 4294967295u, LOGIN, "bounds policy MaxDownload, bit/s")     \
	X(max_bitrates_upload, 0, 0, 4294967295u, LOGIN, "bounds policy MaxUpload, bit/s")         \
	X(deny_empty_password, 0, 0, 1, LOGIN,                                                     \
		"without a password only from the server's own host (error 51)")                   \
	X(deny_bridge, 0, 0, 1, LOGIN, "policy NoBridge for every session")                        \
	X(deny_routing, 0, 0, 1, LOGIN, "policy NoRouting for every session")                      \
	X(deny_qos, 0, 0, 1, LOGIN, "policy NoQoS for every session")                              \
	X(deny_change_user_password, 0, 0, 1, LOGIN, "users may not change their passwords")       \
	X(no_change_users, 0, 0, 1, ADMIN, "hub administrators may not change users")              \
	X(no_change_groups, 0, 0, 1, ADMIN, "hub administrators may not change groups")            \
	X(no_securenat, 0, 0, 1, KEPT, "hub administrators may not touch SecureNAT")               \
	X(no_securenat_enablenat, 0, 0, 1, KEPT, "nor switch its NAT on")                          \
	X(no_securenat_enabledhcp, 0, 0, 1, KEPT, "nor switch its DHCP on")                        \
	X(no_cascade, 0, 0, 1, KEPT, "hub administrators may not change cascades")                 \
	X(no_online, 0, 0, 1, ADMIN, "hub administrators may not bring the hub online")            \
	X(no_offline, 0, 0, 1, ADMIN, "hub administrators may not take the hub offline")           \
	X(no_change_log_config, 0, 0, 1, ADMIN,                                                    \
		"hub administrators may not change what is logged")                                \
	X(no_change_log_switch_type, 0, 0, 1, ADMIN, "nor when log files are changed")             \
	X(no_disconnect_session, 0, 0, 1, ADMIN, "hub administrators may not end sessions")        \
	X(no_delete_iptable, 0, 0, 1, ADMIN,                                                       \
		"hub administrators may not delete from the IP table")                             \
	X(no_delete_mactable, 0, 0, 1, ADMIN,                                                      \
		"hub administrators may not delete from the MAC table")                            \
	X(no_enum_session, 0, 0, 1, ADMIN, "hub administrators may not list sessions")             \
	X(no_query_session, 0, 0, 1, ADMIN, "hub administrators may not look at a session")        \
	X(no_change_admin_password, 0, 0, 1, ADMIN,                                                \
		"hub administrators may not change their password")                                \
	X(no_change_access_list, 0, 0, 1, ADMIN, "hub administrators may not change access rules") \
	X(no_change_access_control_list, 0, 0, 1, ADMIN,                                           \
		"hub administrators may not change the source address list")                       \
	X(no_change_cert_list, 0, 0, 1, ADMIN, "hub administrators may not change trusted CAs")    \
	X(no_change_crl_list, 0, 0, 1, ADMIN, "hub administrators may not change revocations")     \
	X(no_read_log_file, 0, 0, 1, ADMIN, "hub administrators may not read log files")           \
	X(no_change_msg, 0, 0, 1, ADMIN, "hub administrators may not change the message")          \
	X(no_delay_jitter_packet_loss, 0, 0, 1, ADMIN,                                             \
		"access rules may not delay or lose frames")                                       \
	X(no_access_list_include_file, 0, 0, 1, ADMIN, "access rules may not include files")

enum hub_ext_option {
#define OPTION_ID(name, def, min, max, effect, text) HUB_EXT_##name,
	HUB_EXT_OPTIONS(OPTION_ID)
#undef OPTION_ID
	HUB_EXT_CNT
};

enum hub_admin_option {
#define OPTION_ID(name, def, min, max, effect, text) HUB_ADMIN_##name,
	HUB_ADMIN_OPTIONS(OPTION_ID)
#undef OPTION_ID
	HUB_ADMIN_CNT
};

enum option_effect {
	OPTION_NOW,
	OPTION_LOGIN,
	OPTION_ADMIN,
	OPTION_KEPT,
};

struct option_key {
	const char *name;
	uint32_t def, min, max;
	enum option_effect effect;
	const char *text;
};

/* Index = enum hub_ext_option, enum hub_admin_option. */
extern const struct option_key hub_ext_keys[HUB_EXT_CNT];
extern const struct option_key hub_admin_keys[HUB_ADMIN_CNT];

/* Index by name, case of ASCII letters does not matter; -1. */
int option_find(const struct option_key *keys, unsigned cnt, const char *name);
void option_defaults(const struct option_key *keys, unsigned cnt, uint32_t *values);
/* "at once", "at login" ... for people. */
const char *option_effect_name(enum option_effect effect);

#endif
