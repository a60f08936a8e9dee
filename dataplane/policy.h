/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_POLICY_H
#define PATCHBAY_DATAPLANE_POLICY_H

/*
 * What a port may do: the enforced part of a security policy (reference/policy.md), flat and immutable.
 *
 * The control plane fills in `struct policy_input`, plain values named as the keys are, after it has merged
 * whatever there is to merge (the mode of the session, admin options, the session's host). policy_compile()
 * turns it into masks over classes of frames (frame_class.h) and a few numbers. A port keeps its copy for
 * life: a policy changes at the next login (policy.md 1).
 *
 * A policy that asks for nothing costs one test per burst; one that looks into frames costs the parsing,
 * and an AND per frame.
 */

#include <stdbool.h>
#include <stdint.h>

#define POLICY_VLAN_MAX 4095u

/* All zero: no rule at all, and the storm limiter on. Comment: policy.md's id. */
struct policy_input {
	/* From the port. */
	bool dhcp_filter;	   /*  1, both ways */
	bool dhcp_no_server;	   /*  2 */
	bool dhcp_force;	   /*  3 */
	bool no_bridge;		   /*  4; client mode sets it */
	bool no_routing;	   /*  5; client mode sets it */
	bool check_mac;		   /*  6 */
	bool check_ip;		   /*  7 */
	bool arp_dhcp_only;	   /*  8, both ways */
	bool privacy_filter;	   /*  9, where both ends have it */
	bool no_server;		   /* 10 */
	bool no_broadcast_limiter; /* 11 */
	bool rs_and_ra_filter;	   /* 22, both ways */
	bool ra_filter;		   /* 23 */
	bool dhcpv6_filter;	   /* 24, both ways */
	bool dhcpv6_no_server;	   /* 25 */
	bool no_routing_v6;	   /* 26 */
	bool check_ipv6;	   /* 27 */
	bool no_server_v6;	   /* 28 */
	bool filter_ipv4;	   /* 32, both ways */
	bool filter_ipv6;	   /* 33, both ways */
	bool filter_non_ip;	   /* 34, both ways */
	/* To the port. */
	bool no_ra_router;	    /* 35 */
	bool no_ra_router_outer_v6; /* 36 */
	/* Limits; 0 = none. */
	uint16_t vlan_id;	   /* 37: 0 .. POLICY_VLAN_MAX */
	uint32_t max_mac;	   /* 15; what is enforced is 3 at least */
	uint32_t max_ip;	   /* 16; 4 at least */
	uint32_t max_ipv6;	   /* 29; 5 at least */
	uint32_t max_upload_bps;   /* 17 */
	uint32_t max_download_bps; /* 18 */
	/* Facts about the session. */
	bool outer_ipv6; /* its outer transport is IPv6 */
	bool same_host;	 /* its peer runs on this machine (hub.md 3 step 9) */
	uint64_t user;	 /* equal for sessions of one user (a hash of the name), 0 = nobody's */
	/* As access lists know it: access_name_key(), 0 = none. */
	uint64_t user_name;
	uint64_t group_name;
	bool listable; /* a user's session: include: and exclude: lists are about it */
};

#define POLICY_F_CHECK_MAC    (1u << 0)
#define POLICY_F_CHECK_IP4    (1u << 1)
#define POLICY_F_CHECK_IP6    (1u << 2)
#define POLICY_F_DHCP_FORCE   (1u << 3)
#define POLICY_F_PRIVACY      (1u << 4)
#define POLICY_F_STORM	      (1u << 5) /* the limiter is on */
#define POLICY_F_NO_RA_ROUTER (1u << 6) /* router lifetime 0 in what goes to it */
#define POLICY_F_OUTER_IPV6   (1u << 7)
#define POLICY_F_SAME_HOST    (1u << 8)

struct policy {
	uint64_t in_classes;  /* FRAME_*: dropped when they come from the port */
	uint64_t out_classes; /* dropped when they go to it */
	uint32_t flags;	      /* POLICY_F_* */
	uint32_t max_macs;    /* effective limits, 0 = none */
	uint32_t max_ip4s;
	uint32_t max_ip6s;
	uint32_t upload_bps;
	uint32_t download_bps;
	uint64_t user;
	uint64_t user_name;
	uint64_t group_name;
	bool listable;
	uint16_t vlan;
};

/* Pure, any thread. vlan_id is in its range (asserted); every other value is allowed. */
void policy_compile(const struct policy_input *in, struct policy *out);

#endif
