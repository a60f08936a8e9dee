/* SPDX-License-Identifier: BSD-3-Clause */
/* Which kernel interface devargs mean, and what passes through their driver. (Offloads: test_bridge_netdev.py.) */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/bridge/netdev.h"

static void test_name(void **)
{
	char name[IFNAMSIZ];

	assert_true(netdev_name("net_af_packet", "net_af_packet0,iface=eth0", name));
	assert_string_equal(name, "eth0");
	assert_true(netdev_name("net_af_xdp", "net_af_xdp0,queue_count=2,iface=veth1", name));
	assert_string_equal(name, "veth1");
	assert_true(netdev_name("net_pcap", "net_pcap0,rx_iface=lo,tx_iface=lo", name));
	assert_string_equal(name, "lo");
	assert_true(netdev_name("net_pcap", "net_pcap0,iface=fifteen_charact", name));
	assert_string_equal(name, "fifteen_charact");
	/* Its own, a file, a socket; too long, empty, of another argument. */
	assert_false(netdev_name("net_tap", "net_tap0,iface=dtap0", name));
	assert_false(netdev_name("net_vhost", "net_vhost0,iface=/run/a.sock", name));
	assert_false(netdev_name("net_pcap", "net_pcap0,rx_pcap=iface=eth0", name));
	assert_false(netdev_name("net_af_packet", "net_af_packet0,iface=sixteen_characts", name));
	assert_false(netdev_name("net_af_packet", "net_af_packet0,iface=", name));
	assert_false(netdev_name("net_af_packet", "iface=eth0", name));
	assert_false(netdev_name("net_af_packet", "net_af_packet0,xiface=eth0,ifacex=eth1", name));
}

static void test_frame_limit(void **)
{
	assert_int_equal(netdev_frame_limit("net_memif", "net_memif0,framesz=100"), UINT32_MAX);
	assert_int_equal(netdev_frame_limit("net_af_packet", "net_af_packet0,iface=a"), 2048 - 67);
	assert_int_equal(
		netdev_frame_limit("net_af_packet", "net_af_packet0,framesz=16384,iface=a"),
		16384 - 67);
	assert_int_equal(netdev_frame_limit("net_af_packet", "net_af_packet0,framesz=66"), 0);
	assert_int_equal(netdev_frame_limit("net_af_packet", "net_af_packet0,framesz=-1"), 0);
}

static void test_state(void **)
{
	assert_int_equal(netdev_state("no-such-card"), NETDEV_GONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_frame_limit),
		cmocka_unit_test(test_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
