/* SPDX-License-Identifier: BSD-3-Clause */
/* From the policy in the directory to the session's own (login_policy.h). */

#include "controlplane/login_policy.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include "controlplane/directory.h"
#include "dataplane/access.h"

void login_policy_administrator(struct policy_wire *policy)
{
	policy_wire_default(policy);
	policy->no_broadcast_limiter = 1;
	policy->monitor_port = 1;
}

/* The smaller of two bounds of which 0 is none. */
static uint32_t bound(uint32_t value, uint32_t most)
{
	return most != 0 && (value == 0 || value > most) ? most : value;
}

void login_policy_adjust(struct policy_wire *p, const struct directory_hub *hub, bool bridge_mode,
	bool monitor_mode, bool same_host)
{
	const uint32_t *option = hub->admin_options;

	if (p->max_connection == 0)
		p->max_connection = policy_keys[POLICY_ID_MaxConnection].def;
	if (p->timeout_s == 0)
		p->timeout_s = policy_keys[POLICY_ID_TimeOut].def;
	if (option[HUB_ADMIN_deny_qos] != 0)
		p->no_qos = 1;
	p->max_download_bps = bound(p->max_download_bps, option[HUB_ADMIN_max_bitrates_download]);
	p->max_upload_bps = bound(p->max_upload_bps, option[HUB_ADMIN_max_bitrates_upload]);
	if (option[HUB_ADMIN_deny_bridge] != 0)
		p->no_bridge = 1;
	if (option[HUB_ADMIN_deny_routing] != 0)
		p->no_routing = 1;
	if (!monitor_mode)
		p->monitor_port = 0;
	if (!bridge_mode)
		p->no_bridge = p->no_routing = 1;
	if (same_host)
		p->no_bridge = p->no_routing = 0;
}

/* FNV-1a of the folded name; never 0. */
static uint64_t user_hash(const char *user)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (const char *c = user; *c != '\0'; c++)
		h = (h ^ (uint64_t)(unsigned char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c)) *
			UINT64_C(1099511628211);
	return user[0] == '\0' ? 0 : h | 1;
}

void login_policy_compile(const struct policy_wire *p, const char *user, const char *group,
	const struct sockaddr_storage *peer, bool same_host, struct policy *out)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
	struct policy_input in = {
#define FLAG(field) .field = p->field != 0
		FLAG(dhcp_filter),
		FLAG(dhcp_no_server),
		FLAG(dhcp_force),
		FLAG(no_bridge),
		FLAG(no_routing),
		FLAG(check_mac),
		FLAG(check_ip),
		FLAG(arp_dhcp_only),
		FLAG(privacy_filter),
		FLAG(no_server),
		FLAG(no_broadcast_limiter),
		FLAG(rs_and_ra_filter),
		FLAG(ra_filter),
		FLAG(dhcpv6_filter),
		FLAG(dhcpv6_no_server),
		FLAG(no_routing_v6),
		FLAG(check_ipv6),
		FLAG(no_server_v6),
		FLAG(filter_ipv4),
		FLAG(filter_ipv6),
		FLAG(filter_non_ip),
		FLAG(no_ra_router),
		FLAG(no_ra_router_outer_v6),
#undef FLAG
		.vlan_id = (uint16_t)(p->vlan_id <= POLICY_VLAN_MAX ? p->vlan_id : 0),
		.max_mac = p->max_mac,
		.max_ip = p->max_ip,
		.max_ipv6 = p->max_ipv6,
		.max_upload_bps = p->max_upload_bps,
		.max_download_bps = p->max_download_bps,
		.outer_ipv6 = peer->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr),
		.same_host = same_host,
		.user = user_hash(user),
		.user_name = access_name_key(user),
		.group_name = access_name_key(group),
		.listable = user[0] != '\0',
	};

	policy_compile(&in, out);
}
