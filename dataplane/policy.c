/* SPDX-License-Identifier: BSD-3-Clause */
/* From the keys of a security policy to what the data path tests (policy.h). */

#include "dataplane/policy.h"

#include <assert.h>

#include "dataplane/frame_class.h"

/* Least values that are enforced, and those that the mode bits stand for (reference/hub.md 4 to 6). */
#define MACS_LEAST	3u
#define MACS_NO_BRIDGE	3u
#define IP4S_LEAST	4u
#define IP4S_NO_ROUTING 4u
#define IP6S_LEAST	5u
#define IP6S_NO_ROUTING 15u

/* The smaller of the two that are set, never below `least`; 0 = neither is. */
static uint32_t limit(bool restricted, uint32_t at, uint32_t max, uint32_t least)
{
	uint32_t to = max;

	if (restricted && (max == 0 || at < max))
		to = at;
	return to != 0 && to < least ? least : to;
}

static uint64_t classes_in(const struct policy_input *p)
{
	return (p->no_server ? FRAME_TCP4_ANSWER : 0) | (p->no_server_v6 ? FRAME_TCP6_ANSWER : 0) |
		(p->arp_dhcp_only ? FRAME_GROUP_OTHER : 0) | (p->filter_ipv4 ? FRAME_IPV4 : 0) |
		(p->filter_ipv6 ? FRAME_IPV6 : 0) | (p->filter_non_ip ? FRAME_NON_IP : 0) |
		(p->dhcp_filter ? FRAME_DHCP4 : 0) | (p->dhcpv6_filter ? FRAME_DHCP6 : 0) |
		(p->dhcp_no_server ? FRAME_DHCP4_SERVER : 0) |
		(p->dhcpv6_no_server ? FRAME_DHCP6_SERVER : 0) |
		(p->rs_and_ra_filter ? FRAME_RS | FRAME_RA : 0) | (p->ra_filter ? FRAME_RA : 0);
}

static uint64_t classes_out(const struct policy_input *p)
{
	return (p->rs_and_ra_filter ? FRAME_RS | FRAME_RA : 0) |
		(p->dhcp_filter ? FRAME_DHCP4 : 0) | (p->dhcpv6_filter ? FRAME_DHCP6 : 0) |
		(p->arp_dhcp_only ? FRAME_GROUP_OTHER : 0) | (p->filter_ipv4 ? FRAME_IPV4 : 0) |
		(p->filter_ipv6 ? FRAME_IPV6 : 0) | (p->filter_non_ip ? FRAME_NON_IP : 0);
}

static uint32_t flags(const struct policy_input *p)
{
	bool no_router = p->no_ra_router || (p->no_ra_router_outer_v6 && p->outer_ipv6);

	return (p->check_mac ? POLICY_F_CHECK_MAC : 0) | (p->check_ip ? POLICY_F_CHECK_IP4 : 0) |
		(p->check_ipv6 ? POLICY_F_CHECK_IP6 : 0) |
		(p->dhcp_force ? POLICY_F_DHCP_FORCE : 0) |
		(p->privacy_filter ? POLICY_F_PRIVACY : 0) |
		(p->no_broadcast_limiter ? 0 : POLICY_F_STORM) |
		(no_router ? POLICY_F_NO_RA_ROUTER : 0) |
		(p->outer_ipv6 ? POLICY_F_OUTER_IPV6 : 0) | (p->same_host ? POLICY_F_SAME_HOST : 0);
}

void policy_compile(const struct policy_input *in, struct policy *out)
{
	assert(in->vlan_id <= POLICY_VLAN_MAX);
	*out = (struct policy){
		.in_classes = classes_in(in),
		.out_classes = classes_out(in),
		.flags = flags(in),
		.max_macs = limit(in->no_bridge, MACS_NO_BRIDGE, in->max_mac, MACS_LEAST),
		.max_ip4s = limit(in->no_routing, IP4S_NO_ROUTING, in->max_ip, IP4S_LEAST),
		.max_ip6s = limit(in->no_routing_v6, IP6S_NO_ROUTING, in->max_ipv6, IP6S_LEAST),
		.upload_bps = in->max_upload_bps,
		.download_bps = in->max_download_bps,
		.user = in->user,
		.user_name = in->user_name,
		.group_name = in->group_name,
		.listable = in->listable,
		.vlan = in->vlan_id,
	};
}
