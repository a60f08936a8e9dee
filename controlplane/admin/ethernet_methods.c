/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a bridge could be made to (admin-rpc.md 4.10): the kernel's Ethernet interfaces, each as the words that
 * AddLocalBridge takes, so that what a tool shows is what it may be given.
 */

#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/directory.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field no_request[] = {ADMIN_END};

static const struct admin_field row[] = {
	ADMIN_STR("DeviceName", 1, DIRECTORY_DEVICE_BYTES - 1,
		"device as AddLocalBridge takes it: a packet socket on the interface"),
	ADMIN_USTR("NetworkConnectionName", 0, IFNAMSIZ, "name of the interface"),
	ADMIN_END,
};

static const struct admin_field response[] = {
	ADMIN_INT("NumItem", 0, UINT32_MAX, "interfaces in the list"),
	ADMIN_ROWS("EthList", row, "one record per interface"),
	ADMIN_END,
};

/* Ethernet, and no TAP of ours. The kernel answers from memory. (sysfs may show another network namespace's.) */
static bool may_be_bridged(int fd, const char *name)
{
	struct ifreq request = {0};

	if (strncmp(name, "tap_", 4) == 0 || strlen(name) >= IFNAMSIZ)
		return false;
	strcpy(request.ifr_name, name);
	return ioctl(fd, SIOCGIFHWADDR, &request) == 0 &&
		request.ifr_hwaddr.sa_family == ARPHRD_ETHER;
}

static int enum_ethernet_step(struct admin_call *call)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct if_nameindex *all = fd < 0 ? NULL : if_nameindex();
	char device[2 * IFNAMSIZ + 32];
	uint32_t cnt = 0;

	if (all == NULL) {
		if (fd >= 0)
			close(fd);
		return admin_fail(call, WIRE_ERROR_INTERNAL, "the interfaces cannot be listed");
	}
	for (const struct if_nameindex *i = all; i->if_index != 0; i++)
		cnt += may_be_bridged(fd, i->if_name);
	admin_put_int(call, "NumItem", cnt);
	admin_rows_begin(call, "EthList");
	/* One that came between the two looks is in the next list. */
	for (const struct if_nameindex *i = all; i->if_index != 0 && cnt > 0; i++) {
		if (!may_be_bridged(fd, i->if_name))
			continue;
		snprintf(device, sizeof(device), "net_af_packet_%.16s,iface=%.16s", i->if_name,
			i->if_name);
		admin_row_begin(call);
		admin_put_str(call, "DeviceName", device);
		admin_put_str(call, "NetworkConnectionName", i->if_name);
		admin_row_end(call);
		cnt--;
	}
	admin_rows_end(call);
	if_freenameindex(all);
	close(fd);
	return ADMIN_DONE;
}

const struct admin_method admin_method_enum_ethernet = {
	.name = "EnumEthernet",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the kernel's Ethernet interfaces as devices that a hub could be bridged to. Others that DPDK drives "
		"(PCI addresses, vhost) are not in the list and can be given all the same.",
	.request = no_request,
	.response = response,
	.step = enum_ethernet_step,
};
