/* SPDX-License-Identifier: BSD-3-Clause */
/* Compiling of policies (dataplane/policy.h): each key by itself, and the limits' least values. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dataplane/frame_class.h"
#include "dataplane/policy.h"

static const struct {
	struct policy_input in;
	uint64_t in_classes, out_classes;
	uint32_t flags;
} keys[] = {
	{{.no_broadcast_limiter = true}, 0, 0, 0},
	{{.dhcp_filter = true}, FRAME_DHCP4, FRAME_DHCP4, POLICY_F_STORM},
	{{.dhcp_no_server = true}, FRAME_DHCP4_SERVER, 0, POLICY_F_STORM},
	{{.dhcp_force = true}, 0, 0, POLICY_F_STORM | POLICY_F_DHCP_FORCE},
	{{.check_mac = true}, 0, 0, POLICY_F_STORM | POLICY_F_CHECK_MAC},
	{{.check_ip = true}, 0, 0, POLICY_F_STORM | POLICY_F_CHECK_IP4},
	{{.check_ipv6 = true}, 0, 0, POLICY_F_STORM | POLICY_F_CHECK_IP6},
	{{.arp_dhcp_only = true}, FRAME_GROUP_OTHER, FRAME_GROUP_OTHER, POLICY_F_STORM},
	{{.privacy_filter = true}, 0, 0, POLICY_F_STORM | POLICY_F_PRIVACY},
	{{.no_server = true}, FRAME_TCP4_ANSWER, 0, POLICY_F_STORM},
	{{.no_server_v6 = true}, FRAME_TCP6_ANSWER, 0, POLICY_F_STORM},
	{{.rs_and_ra_filter = true}, FRAME_RS | FRAME_RA, FRAME_RS | FRAME_RA, POLICY_F_STORM},
	{{.ra_filter = true}, FRAME_RA, 0, POLICY_F_STORM},
	{{.dhcpv6_filter = true}, FRAME_DHCP6, FRAME_DHCP6, POLICY_F_STORM},
	{{.dhcpv6_no_server = true}, FRAME_DHCP6_SERVER, 0, POLICY_F_STORM},
	{{.filter_ipv4 = true}, FRAME_IPV4, FRAME_IPV4, POLICY_F_STORM},
	{{.filter_ipv6 = true}, FRAME_IPV6, FRAME_IPV6, POLICY_F_STORM},
	{{.filter_non_ip = true}, FRAME_NON_IP, FRAME_NON_IP, POLICY_F_STORM},
	{{.no_ra_router = true}, 0, 0, POLICY_F_STORM | POLICY_F_NO_RA_ROUTER},
	{{.no_ra_router_outer_v6 = true}, 0, 0, POLICY_F_STORM},
	{{.no_ra_router_outer_v6 = true, .outer_ipv6 = true}, 0, 0,
		POLICY_F_STORM | POLICY_F_NO_RA_ROUTER | POLICY_F_OUTER_IPV6},
	{{.same_host = true}, 0, 0, POLICY_F_STORM | POLICY_F_SAME_HOST},
};

static void test_keys(void **)
{
	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct policy p;

		policy_compile(&keys[i].in, &p);
		if (p.in_classes != keys[i].in_classes || p.out_classes != keys[i].out_classes ||
			p.flags != keys[i].flags)
			fail_msg("row %u", i);
		assert_int_equal(p.max_macs + p.max_ip4s + p.max_ip6s, 0);
		assert_int_equal(p.upload_bps + p.download_bps, 0);
	}
}

static void test_limits(void **)
{
	static const struct {
		struct policy_input in;
		uint32_t macs, ip4s, ip6s;
	} rows[] = {
		{{0}, 0, 0, 0},
		{{.no_bridge = true, .no_routing = true, .no_routing_v6 = true}, 3, 4, 15},
		{{.max_mac = 1, .max_ip = 1, .max_ipv6 = 1}, 3, 4, 5},
		{{.max_mac = 70, .max_ip = 80, .max_ipv6 = 90}, 70, 80, 90},
		{{.no_bridge = true, .max_mac = 70}, 3, 0, 0},
		{{.no_routing = true, .max_ip = 2}, 0, 4, 0},
		{{.no_routing_v6 = true, .max_ipv6 = 9}, 0, 0, 9},
		{{.no_routing_v6 = true, .max_ipv6 = 20}, 0, 0, 15},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct policy p;

		policy_compile(&rows[i].in, &p);
		if (p.max_macs != rows[i].macs || p.max_ip4s != rows[i].ip4s ||
			p.max_ip6s != rows[i].ip6s)
			fail_msg("row %u", i);
	}
}

static void test_values_are_kept(void **)
{
	const struct policy_input in = {
		.vlan_id = 4095, .max_upload_bps = 4294967295, .max_download_bps = 1, .user = 7};
	struct policy p;

	policy_compile(&in, &p);
	assert_int_equal(p.vlan, 4095);
	assert_int_equal(p.upload_bps, 4294967295);
	assert_int_equal(p.download_bps, 1);
	assert_int_equal(p.user, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_values_are_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
