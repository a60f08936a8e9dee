/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A security policy as numbers: the 38 keys of reference/policy.md section 2, in one table that the
 * welcome PACK, the admin RPC, the directory file and the CLI are all generated from.
 *
 * The struct is flat and free of pointers: it is copied into a session when it starts and stays
 * as it was for the session's life (policy.md 1). What the values mean is the port filters' business.
 */
#ifndef DRIVERS_SESSION_WIRE_POLICY_WIRE_H
#define DRIVERS_SESSION_WIRE_POLICY_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct pack;
struct pack_writer;

/*
 * X(id, field, Key, KIND, min, max, default, cascade): KIND BOOL (0 or 1) or NUMBER. Where min is above 0
 * and the default is 0, the value 0 means "not set, no limit" and is valid too. cascade 0: the key
 * does not exist for cascades. Keys from id 22 on are the "version 3" set (policy.md 6).
 */
#define POLICY_KEYS(X)                                                                  \
	X(0, access, Access, BOOL, 0, 1, 1, 0)                                          \
	X(1, dhcp_filter, DHCPFilter, BOOL, 0, 1, 0, 1)                                 \
	X(2, dhcp_no_server, DHCPNoServer, BOOL, 0, 1, 0, 1)                            \
	X(3, dhcp_force, DHCPForce, BOOL, 0, 1, 0, 1)                                   \
	X(4, no_bridge, NoBridge, BOOL, 0, 1, 0, 0)                                     \
	X(5, no_routing, NoRouting, BOOL, 0, 1, 0, 0)                                   \
	X(6, check_mac, CheckMac, BOOL, 0, 1, 0, 1)                                     \
	X(7, check_ip, CheckIP, BOOL, 0, 1, 0, 1)                                       \
	X(8, arp_dhcp_only, ArpDhcpOnly, BOOL, 0, 1, 0, 1)                              \
	X(9, privacy_filter, PrivacyFilter, BOOL, 0, 1, 0, 1)                           \
	X(10, no_server, NoServer, BOOL, 0, 1, 0, 1)                                    \
	X(11, no_broadcast_limiter, NoBroadcastLimiter, BOOL, 0, 1, 0, 1)               \
	X(12, monitor_port, MonitorPort, BOOL, 0, 1, 0, 0)                              \
	X(13, max_connection, MaxConnection, NUMBER, 1, 32, 32, 0)                      \
	X(14, timeout_s, TimeOut, NUMBER, 5, 60, 20, 0)                                 \
	X(15, max_mac, MaxMac, NUMBER, 1, 65535, 0, 1)                                  \
	X(16, max_ip, MaxIP, NUMBER, 1, 65535, 0, 1)                                    \
	X(17, max_upload_bps, MaxUpload, NUMBER, 1, 4294967295, 0, 1)                   \
	X(18, max_download_bps, MaxDownload, NUMBER, 1, 4294967295, 0, 1)               \
	X(19, fix_password, FixPassword, BOOL, 0, 1, 0, 0)                              \
	X(20, multi_logins, MultiLogins, NUMBER, 1, 65535, 0, 0)                        \
	X(21, no_qos, NoQoS, BOOL, 0, 1, 0, 0)                                          \
	X(22, rs_and_ra_filter, RSandRAFilter, BOOL, 0, 1, 0, 1)                        \
	X(23, ra_filter, RAFilter, BOOL, 0, 1, 0, 1)                                    \
	X(24, dhcpv6_filter, DHCPv6Filter, BOOL, 0, 1, 0, 1)                            \
	X(25, dhcpv6_no_server, DHCPv6NoServer, BOOL, 0, 1, 0, 1)                       \
	X(26, no_routing_v6, NoRoutingV6, BOOL, 0, 1, 0, 0)                             \
	X(27, check_ipv6, CheckIPv6, BOOL, 0, 1, 0, 1)                                  \
	X(28, no_server_v6, NoServerV6, BOOL, 0, 1, 0, 1)                               \
	X(29, max_ipv6, MaxIPv6, NUMBER, 1, 65535, 0, 1)                                \
	X(30, no_save_password, NoSavePassword, BOOL, 0, 1, 0, 0)                       \
	X(31, auto_disconnect_s, AutoDisconnect, NUMBER, 1, 4294967295, 0, 0)           \
	X(32, filter_ipv4, FilterIPv4, BOOL, 0, 1, 0, 1)                                \
	X(33, filter_ipv6, FilterIPv6, BOOL, 0, 1, 0, 1)                                \
	X(34, filter_non_ip, FilterNonIP, BOOL, 0, 1, 0, 1)                             \
	X(35, no_ra_router, NoIPv6DefaultRouterInRA, BOOL, 0, 1, 0, 1)                  \
	X(36, no_ra_router_outer_v6, NoIPv6DefaultRouterInRAWhenIPv6, BOOL, 0, 1, 0, 0) \
	X(37, vlan_id, VLanId, NUMBER, 1, 4095, 0, 1)

#define POLICY_KEY_COUNT     38
#define POLICY_VERSION3_FROM 22

/* Effective or stored values, host byte order; booleans are 0 or 1. */
struct policy_wire {
#define POLICY_FIELD(id, field, key, kind, min, max, def, cascade) uint32_t field;
	POLICY_KEYS(POLICY_FIELD)
#undef POLICY_FIELD
};

enum policy_id {
#define POLICY_ID(id, field, key, kind, min, max, def, cascade) POLICY_ID_##key = id,
	POLICY_KEYS(POLICY_ID)
#undef POLICY_ID
};

enum policy_kind {
	POLICY_BOOL,
	POLICY_NUMBER,
};

struct policy_key {
	const char *key; /* name without "policy:" */
	enum policy_kind kind;
	uint32_t min, max, def;
	bool cascade; /* exists in a cascade's policy */
};

/* Index = id as the tools show it. */
extern const struct policy_key policy_keys[POLICY_KEY_COUNT];

/** The default policy: Access, MaxConnection 32, TimeOut 20, all else 0. */
void policy_wire_default(struct policy_wire *p);

/** Id of a key by name (without "policy:", ASCII case ignored), or -ENOENT. */
int policy_key_find(const char *key);

/** Value by id, which must be below POLICY_KEY_COUNT. */
uint32_t policy_wire_get(const struct policy_wire *p, unsigned int id);

/** Set by id. @return 0; -ERANGE outside the key's range; -ENOENT no such id. */
int policy_wire_set(struct policy_wire *p, unsigned int id, uint32_t value);

/** 0 if value is one the key's range allows (0 = not set included), -ERANGE if not. */
int policy_value_check(unsigned int id, uint32_t value);

/** Add the 38 elements `policy:<Key>` and `policy:Ver3` = 1. */
void policy_wire_pack(const struct policy_wire *p, struct pack_writer *w);

/**
 * Take the elements `policy:<Key>` into *p. An absent element is 0; without `policy:Ver3` the keys
 * from 22 on are left as they were (policy.md 6). Values are not checked: a peer's view of its
 * own policy is not ours to correct, and an administrator's goes through policy_value_check.
 */
void policy_wire_unpack(struct policy_wire *p, const struct pack *pack);

#endif
