/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_HUB_OPTIONS_H
#define PATCHBAY_DATAPLANE_HUB_OPTIONS_H

/*
 * The options of a hub that the data path enforces (reference/hub.md 11.1), as plain values. What other
 * parts keep (logging, login, SecureNAT) is the control plane's.
 *
 * hub_set_options() takes a whole set. It is published at once and as a whole: each worker's next burst
 * goes by the new one.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/packet_log.h"

struct hub;

/* An address range whose addresses go into the IP table besides the default ones. */
struct hub_range {
	uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;	  /* length of the prefix, of 128: IPv4's plus 96 */
};

#define HUB_RANGES_MAX		32u
#define HUB_FLOOD_QUOTA_DEFAULT 33554432u
#define HUB_STORM_DEFAULT	32u
#define HUB_LOOP_BLOCK_DEFAULT	60u

enum hub_loop_guard {
	HUB_LOOP_OFF,
	HUB_LOOP_ALARM, /* default: notice and counter */
	HUB_LOOP_BLOCK, /* and the younger of the two ports is blocked for a time */
};

struct hub_options {
	/* IP table: hub.md 5. */
	bool no_ip_table;
	bool no_address_polling_ipv4;
	bool no_address_polling_ipv6;
	bool manage_only_private_ip;		  /* default on */
	bool manage_only_local_unicast_ipv6;	  /* default on */
	struct hub_range managed[HUB_RANGES_MAX]; /* these too, either family */
	unsigned managed_cnt;
	/* ApplyIPv4AccessListOnArpPacket: access rules see ARP as IPv4, by sender and target. */
	bool access_on_arp;
	/* Frames are opaque: no rule that looks into them applies. */
	bool disable_ip_parsing;
	/* Storms: hub.md 7. */
	uint32_t
		storm_threshold; /* BroadcastStormDetectionThreshold, frames/s; 0 = HUB_STORM_DEFAULT */
	bool storm_strict;	 /* BroadcastLimiterStrictMode */
	/* Step 13. */
	bool filter_pppoe;
	bool filter_ospf;
	bool filter_ipv4;
	bool filter_ipv6;
	bool filter_non_ip;
	bool filter_bpdu;
	/* To sessions whose outer transport is IPv6; default on, as 5.01 has it. */
	bool no_ra_router_when_ipv6;
	/* MAC table and tags. */
	bool no_look_bpdu_bridge_id;
	bool no_manage_vlan_id;
	bool disable_check_mac_on_local_bridge;
	uint16_t vlan_type; /* VlanTypeId, default 0x8100: put in and taken out, not looked for */
	/* MSS clamp; 0 = none. */
	uint16_t adjust_tcp_mss;
	bool disable_adjust_tcp_mss;
	/* Privacy filter: default on, on, off. */
	bool privacy_drops_broadcasts;
	bool privacy_drops_arp;
	bool privacy_allows_same_user;
	/* DHCP answers to a client on this machine lose their router; default on. */
	bool remove_default_gateway_for_localhost;
	/* FloodingSendQueueBufferQuota, bytes over all workers; 0 = none. */
	uint32_t flood_quota_bytes;
	/* DetectDormantSessionInterval; 0 = off. */
	uint32_t dormant_s;
	/* Which frames the packet log takes (packet_log.h); default none. */
	struct packet_log_conf packet_log;
	/* What workers tell (notice.h): new stations; leases of stations that are not in the hub. */
	bool tells_macs;
	bool tells_all_leases;
	/* Ours. */
	enum hub_loop_guard loop_guard;
	uint32_t loop_block_s; /* 0 = HUB_LOOP_BLOCK_DEFAULT */
};

void hub_options_default(struct hub_options *out);

/*
 * -ENOMEM: the hub goes on with the options it has. -EINVAL: a range or its number makes no sense.
 * `options` is copied. Control thread.
 */
int hub_set_options(struct hub *hub, const struct hub_options *options);
/* What is in force. Control thread. */
const struct hub_options *hub_get_options(const struct hub *hub);

#endif
