/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Opening and closing DPDK devices: everything here may take seconds and runs on a slow helper, one device at
 * a time. What the operator configured on the device (MTU, speed) is left alone.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_bus.h>
#include <rte_dev.h>
#include <rte_devargs.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_mempool.h>

#include "dataplane/hub.h"
#include "drivers/bridge/bridge_priv.h"
#include "drivers/bridge/netdev.h"

#define DESCRIPTORS 512u /* per queue, as far as the device allows */
#define MBUFS_PER_RX \
	512u /* besides its descriptors: bursts, rings to other workers, others' queues */
#define MBUFS_PER_WORKER 512u /* cached, and one burst in each place of the pipeline */

/* What is known of a virtual driver beforehand. */
static const struct {
	const char *driver;
	bool all_queues; /* its devargs say how many there are, and its peer may use any of them */
	bool unfinished; /* its peer, a kernel or a guest, may leave checksums to hardware */
	bool keeps;	 /* does not give its buffers back when it is closed */
	bool any_room;	 /* takes buffers of any length; NICs may count in units of 1 KiB */
	bool lent;	 /* hands out the very mbufs that were sent to it, which a flood shares */
} known[] = {
	{"net_vhost", true, true, false, true, false},
	{"net_ring", false, false, false, true, true},
	{"net_pcap", true, false, false, true, false},
	{"net_af_packet", true, true, false, false, false},
	{"net_af_xdp", true, true, true, false, false},
	{"net_virtio", false, true, false, false, false},
	{"net_virtio_user", false, true, false, false, false},
	{"net_memif", false, true, false, true, false},
	{"net_tap", false, true, false, false, false},
};

/* ---- finding --------------------------------------------------------------------------------- */

/* What the operator asks for. */
struct wanted {
	char device[BRIDGE_DEVICE_BYTES]; /* as DPDK is told of it */
	char name[RTE_DEV_NAME_MAX_LEN];
	bool representor; /* it is one that DPDK may have to make first */
	bool by_mac;	  /* the port of the device that has this address; else its first one */
	struct rte_ether_addr mac;
};

/*
 * Takes mac= out of it, which DPDK understands when it looks for ports, and not every driver when it makes them. A virtual
 * device has one port, and its mac= is the driver's.
 */
static int take_mac(struct bridge *b, struct wanted *w)
{
	char *at = strstr(w->device, ",mac="), *rest, text[RTE_ETHER_ADDR_FMT_SIZE];
	size_t len;

	if (at == NULL)
		return 0;
	len = strcspn(at + 5, ",");
	rest = at + 5 + len;
	snprintf(text, sizeof(text), "%.*s", (int)len, at + 5);
	if (len != sizeof(text) - 1 || rte_ether_unformat_addr(text, &w->mac) != 0)
		return bridge_fail(b, -EINVAL,
			"device %s: mac= should be the MAC address of one of its ports, such as "
			"00:11:22:33:44:55",
			b->device);
	memmove(at, rest, strlen(rest) + 1);
	w->by_mac = true;
	return 0;
}

static int parse(struct bridge *b, struct wanted *w)
{
	struct rte_devargs args = {0};
	int rc = rte_devargs_parse(&args, b->device);
	bool nic = rc == 0 && strcmp(rte_bus_name(args.bus), "vdev") != 0;

	memset(w, 0, sizeof(*w));
	snprintf(w->device, sizeof(w->device), "%s", b->device);
	snprintf(w->name, sizeof(w->name), "%s", args.name);
	free(args.data);
	if (rc != 0)
		return bridge_fail(b, -EINVAL,
			"\"%s\" is neither a PCI address nor a virtual device DPDK knows "
			"(such as net_vhost0,iface=/run/a.sock)",
			b->device);
	w->representor = nic && strstr(w->device, ",representor=") != NULL;
	return nic ? take_mac(b, w) : 0;
}

static bool is_on(uint16_t id, const char *name, struct rte_eth_dev_info *info)
{
	return rte_eth_dev_info_get(id, info) == 0 && info->device != NULL &&
		strcmp(rte_dev_name(info->device), name) == 0;
}

static bool is_wanted(const struct wanted *w, uint16_t id, const struct rte_eth_dev_info *info)
{
	struct rte_ether_addr mac;

	if (w->by_mac)
		return rte_eth_macaddr_get(id, &mac) == 0 && rte_is_same_ether_addr(&mac, &w->mac);
	/* Those of virtual functions stand on the device of their physical one. */
	return !w->representor &&
		(info->dev_flags == NULL || (*info->dev_flags & RTE_ETH_DEV_REPRESENTOR) == 0);
}

/* The port, or -ENODEV; *ports is how many the device has, 0 if DPDK does not know it (yet). */
static int find_port(const struct wanted *w, struct rte_eth_dev_info *info, unsigned *ports)
{
	struct rte_eth_dev_info at;
	int found = -ENODEV;
	uint16_t id;

	*ports = 0;
	/* Also those that an earlier owner still has. */
	for (id = rte_eth_find_next(0); id < RTE_MAX_ETHPORTS; id = rte_eth_find_next(id + 1u)) {
		if (!is_on(id, w->name, &at))
			continue;
		++*ports;
		if (found >= 0 || !is_wanted(w, id, &at))
			continue;
		found = id;
		*info = at;
	}
	return found;
}

/* Another port of the device is somebody's. */
static bool is_shared(uint16_t own_id, const char *name)
{
	struct rte_eth_dev_owner owner;
	struct rte_eth_dev_info at;
	uint16_t id;

	for (id = rte_eth_find_next(0); id < RTE_MAX_ETHPORTS; id = rte_eth_find_next(id + 1u))
		if (id != own_id && is_on(id, name, &at) &&
			rte_eth_dev_owner_get(id, &owner) == 0 && owner.id != RTE_ETH_DEV_NO_OWNER)
			return true;
	return false;
}

/* The device is there, and what was asked for is not one of its ports: which there are. */
static int no_such_port(struct bridge *b, const struct wanted *w)
{
	char list[8 * RTE_ETHER_ADDR_FMT_SIZE + 8] = "", text[RTE_ETHER_ADDR_FMT_SIZE];
	struct rte_eth_dev_info at;
	struct rte_ether_addr mac;
	size_t len = 0;
	uint16_t id;

	for (id = rte_eth_find_next(0); id < RTE_MAX_ETHPORTS; id = rte_eth_find_next(id + 1u)) {
		if (!is_on(id, w->name, &at) || rte_eth_macaddr_get(id, &mac) != 0)
			continue;
		rte_ether_format_addr(text, sizeof(text), &mac);
		if (len + sizeof(text) + 4 > sizeof(list)) {
			snprintf(list + len, sizeof(list) - len, " ...");
			break;
		}
		len += (size_t)snprintf(
			list + len, sizeof(list) - len, "%s%s", len > 0 ? " " : "", text);
	}
	return bridge_fail(b, -ENODEV, "device %s: %s; write %s,mac= and one of: %s", b->device,
		w->by_mac ? "none of its ports has that address" : "which of its ports", w->device,
		list);
}

static int own(struct bridge *b)
{
	struct rte_eth_dev_owner owner = {0};

	if (rte_eth_dev_owner_new(&owner.id) != 0)
		return bridge_fail(b, -ENODEV, "%s: no owner id", b->device);
	snprintf(owner.name, sizeof(owner.name), "patchbay bridge");
	if (rte_eth_dev_owner_set(b->device_id, &owner) != 0)
		return bridge_fail(b, -EBUSY, "%s is in use already, by another bridge", b->device);
	b->owner = owner.id;
	return 0;
}

/* What the drivers return says little, and most of them say -1 for everything. */
static void say_why(struct bridge *b, int err, const char *name)
{
	char netdev[IFNAMSIZ];

	if (netdev_name(name, b->device, netdev) && netdev_state(netdev) == NETDEV_GONE)
		bridge_fail(b, err, "device %s: there is no interface %s", b->device, netdev);
	else
		bridge_fail(b, err,
			"device %s: %s (missing, in use by another program, or wrong options; "
			"a PCI device needs eal.options without --no-pci)",
			b->device, err == -EPERM ? "its driver refused it" : strerror(-err));
}

static int find_or_probe(struct bridge *b, struct rte_eth_dev_info *info)
{
	struct wanted w;
	unsigned ports;
	int id, rc = parse(b, &w);

	if (rc != 0)
		return rc;
	id = find_port(&w, info, &ports);
	b->hotplugged = false;
	if (id < 0 && (ports == 0 || w.representor)) {
		rc = rte_dev_probe(w.device);
		b->hotplugged = rc == 0 && ports == 0;
		id = rc == 0 ? find_port(&w, info, &ports) : rc;
	}
	/* A device that has others is kept: to make a NIC anew at every try would be slow. */
	if (id < 0 && ports > 0)
		return no_such_port(b, &w);
	if (id < 0) {
		say_why(b, id, w.name);
		return id;
	}
	if (ports > 1 && !w.by_mac)
		bridge_note(b,
			"the first of %u ports of its device: %s,mac=ADDRESS chooses another",
			ports, w.device);
	b->device_id = (uint16_t)id;
	return own(b);
}

/* ---- queues ---------------------------------------------------------------------------------- */

/*
 * rx queue i belongs to the i-th worker in order, around if there are more; the first workers own the transmit
 * queues, the others hand over to them.
 */
static void spread(struct bridge *b, int socket)
{
	uint16_t order[LCORE_MAX];

	bridge_worker_order(socket, order);
	b->port.home = order[0];
	for (unsigned i = 0; i < b->workers; i++) {
		b->local[i].involved = false;
		b->local[i].tx_queue = 0;
	}
	b->local[b->port.home].involved = true;
	for (unsigned i = 0; i < b->rx_cnt; i++) {
		b->rx[i] = (struct bridge_rx){
			.poll.poll = ethdev_poll,
			.bridge = b,
			.queue = (uint16_t)i,
			.worker = order[i % b->workers],
		};
		b->local[b->rx[i].worker].involved = true;
	}
	for (unsigned i = 0; i < b->workers; i++) {
		b->port.tx_lcore[order[i]] = (uint8_t)order[i % b->tx_cnt];
		if (i < b->tx_cnt)
			b->local[order[i]].tx_queue = (uint16_t)i;
	}
}

static unsigned at_most(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static int count_queues(struct bridge *b, const struct rte_eth_dev_info *info)
{
	bool all = false;

	b->repair = b->copies = b->any_room = b->lent = false;
	for (unsigned i = 0; i < RTE_DIM(known); i++) {
		if (strcmp(info->driver_name, known[i].driver) != 0)
			continue;
		all = known[i].all_queues;
		b->repair = known[i].unfinished;
		b->copies = known[i].keeps;
		b->any_room = known[i].any_room;
		b->lent = known[i].lent;
	}
	b->rx_cnt = at_most(all ? BRIDGE_RX_QUEUES_MAX : b->workers, info->max_rx_queues);
	b->tx_cnt = at_most(b->workers, info->max_tx_queues);
	if (b->rx_cnt == 0 || b->tx_cnt == 0)
		return bridge_fail(b, -EINVAL, "device %s has %u receive and %u transmit queues",
			b->device, info->max_rx_queues, info->max_tx_queues);
	return 0;
}

/* The packet ring's driver wants buffers that hold a whole slot. */
static uint32_t buffer_len(const struct bridge *b, const struct rte_eth_dev_info *info)
{
	uint32_t slot = netdev_frame_limit(info->driver_name, b->device);

	return slot != UINT32_MAX && slot > b->port.max_len ? slot : b->port.max_len;
}

static int set_up_queues(struct bridge *b, const struct rte_eth_dev_info *info)
{
	struct rte_eth_rxconf rx = info->default_rxconf;
	struct rte_eth_txconf tx = info->default_txconf;
	uint16_t rxd = DESCRIPTORS, txd = DESCRIPTORS;
	int socket = rte_eth_dev_socket_id(b->device_id);
	unsigned mbufs;
	int rc = rte_eth_dev_adjust_nb_rx_tx_desc(b->device_id, &rxd, &txd);

	if (rc != 0)
		return rc;
	mbufs = b->rx_cnt * (rxd + MBUFS_PER_RX) + b->tx_cnt * txd + b->workers * MBUFS_PER_WORKER;
	mbufs += ethdev_preload(b->device);
	b->pool = ethdev_pool_get(mbufs, buffer_len(b, info), b->any_room, socket);
	if (b->pool == NULL)
		return bridge_fail(b, -ENOMEM,
			"device %s: no memory for %u frame buffers (eal.memory_mb)", b->device,
			mbufs);
	if (rte_eal_has_hugepages() && socket >= 0 && b->pool->socket_id != socket) {
		bridge_note(b,
			"its NUMA node %d has no memory for its buffers, which are elsewhere "
			"(eal.memory_mb)",
			socket);
		socket = SOCKET_ID_ANY;
	}
	/* No VLAN stripping, no LRO, no scatter; no fast free, because floods are sent shared. */
	rx.offloads = 0;
	tx.offloads = 0;
	for (uint16_t q = 0; q < b->rx_cnt && rc == 0; q++)
		rc = rte_eth_rx_queue_setup(b->device_id, q, rxd, (unsigned)socket, &rx, b->pool);
	for (uint16_t q = 0; q < b->tx_cnt && rc == 0; q++)
		rc = rte_eth_tx_queue_setup(b->device_id, q, txd, (unsigned)socket, &tx);
	return rc;
}

/* ---- the device ------------------------------------------------------------------------------ */

/* A thread of the EAL or of the device. */
static int ethdev_event(uint16_t, enum rte_eth_event_type type, void *arg, void *)
{
	struct bridge *b = arg;

	if (type == RTE_ETH_EVENT_INTR_RMV)
		atomic_store_explicit(&b->gone, true, memory_order_release);
	bridge_ring();
	return 0;
}

static bool is_virtual(const struct rte_eth_dev_info *info)
{
	const struct rte_bus *bus = rte_bus_find_by_device(info->device);

	return bus != NULL && strcmp(rte_bus_name(bus), "vdev") == 0;
}

/*
 * Jumbo frames. The MTU of a NIC is what it receives at most, and nobody but us could set it; without max_frame it
 * stays as it is. Virtual devices do not look at theirs and say too little, but two have limits of their own:
 * what is longer than a slot of the packet ring would arrive cut off, and a frame of AF_XDP fits a page.
 */
static int set_length(struct bridge *b, const struct rte_eth_dev_info *info, uint16_t *mtu)
{
	uint32_t need = b->port.max_len - RTE_ETHER_HDR_LEN;
	uint32_t slot = netdev_frame_limit(info->driver_name, b->device);

	if (b->port.max_len > slot)
		return bridge_fail(b, -EINVAL,
			"device %s: its packet ring holds frames of %u bytes, not %u: give it "
			"framesz=%u,blocksz=%u",
			b->device, slot, b->port.max_len, rte_align32pow2(b->port.max_len * 5 / 4),
			rte_align32pow2(b->port.max_len * 5 / 4) * 4);
	if (rte_eth_dev_get_mtu(b->device_id, mtu) != 0 || is_virtual(info)) {
		*mtu = 0;
		slot = strcmp(info->driver_name, "net_af_xdp") == 0 ? info->max_rx_pktlen
								    : UINT32_MAX;
	} else if (b->port.max_len > FRAME_MAX_BYTES) {
		slot = (uint32_t)info->max_mtu + RTE_ETHER_HDR_LEN;
		*mtu = (uint16_t)(need > *mtu ? need : *mtu);
	}
	if (b->port.max_len > slot)
		return bridge_fail(b, -EINVAL,
			"device %s cannot carry frames of %u bytes, only of %u (max_frame)",
			b->device, b->port.max_len, slot);
	return 0;
}

static int configure(struct bridge *b, const struct rte_eth_dev_info *info)
{
	struct rte_eth_conf conf = {0};
	uint16_t mtu;
	int rc = set_length(b, info, &mtu);
	uint64_t rss =
		(RTE_ETH_RSS_IP | RTE_ETH_RSS_TCP | RTE_ETH_RSS_UDP) & info->flow_type_rss_offloads;

	if (rc != 0)
		return rc;
	conf.rxmode.mtu = mtu;
	b->lsc = info->dev_flags != NULL && (*info->dev_flags & RTE_ETH_DEV_INTR_LSC) != 0;
	conf.intr_conf.lsc = b->lsc;
	if (b->rx_cnt > 1 && rss != 0) {
		conf.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
		conf.rx_adv_conf.rss_conf.rss_hf = rss;
	}
	return rte_eth_dev_configure(b->device_id, (uint16_t)b->rx_cnt, (uint16_t)b->tx_cnt, &conf);
}

static int start(struct bridge *b)
{
	int rc = rte_eth_dev_start(b->device_id);

	if (rc != 0)
		return rc;
	/* Some virtual devices know only one mode, and say so. */
	rc = rte_eth_promiscuous_enable(b->device_id);
	if (rc != 0 && rc != -ENOTSUP)
		return bridge_fail(
			b, rc, "device %s: no promiscuous mode: %s", b->device, strerror(-rc));
	rte_eth_allmulticast_enable(b->device_id);
	return 0;
}

static void note_identity(struct bridge *b, const struct rte_eth_dev_info *info)
{
	struct rte_ether_addr mac;

	snprintf(b->driver, sizeof(b->driver), "%s", info->driver_name);
	b->mac[0] = '\0';
	if (rte_eth_macaddr_get(b->device_id, &mac) == 0)
		rte_ether_format_addr(b->mac, sizeof(b->mac), &mac);
}

static void unregister(struct bridge *b, enum rte_eth_event_type type)
{
	/* -EAGAIN: it runs at this moment. */
	while (rte_eth_dev_callback_unregister(b->device_id, type, ethdev_event, b) == -EAGAIN)
		usleep(1000);
}

/* The kernel interface behind it, if it borrows one. */
static void take_netdev(struct bridge *b, const struct rte_eth_dev_info *info)
{
	/* A program of its own, or frames longer than one may see on a veth. */
	bool taken =
		strcmp(info->driver_name, "net_af_xdp") == 0 || b->port.max_len > FRAME_MAX_BYTES;
	int rc;

	b->netdev_changed = false;
	if (!netdev_name(info->driver_name, b->device, b->netdev))
		b->netdev[0] = '\0';
	if (b->netdev[0] == '\0' || b->keep_offloads)
		return;
	b->netdev_changed = true;
	rc = netdev_offloads_off(b->netdev, !taken);
	if (rc != 0)
		bridge_note(b, "offloads of %s stay on (%s); super_frame counts what that costs",
			b->netdev, strerror(-rc));
}

/* From any state behind find_or_probe(). */
static void let_go(struct bridge *b)
{
	struct rte_eth_dev_info info;
	bool removed = false;

	if (b->netdev_changed)
		netdev_offloads_back(b->netdev);
	b->netdev_changed = false;
	unregister(b, RTE_ETH_EVENT_INTR_LSC);
	unregister(b, RTE_ETH_EVENT_INTR_RMV);
	rte_eth_dev_stop(b->device_id);
	rte_eth_dev_owner_unset(b->device_id, b->owner);
	if (b->hotplugged && rte_eth_dev_info_get(b->device_id, &info) == 0 &&
		!is_shared(b->device_id, rte_dev_name(info.device)))
		removed = rte_dev_remove(info.device) == 0;
	/* A device that stays still knows its buffers. */
	ethdev_pool_put(b->pool, b->copies && removed);
	b->pool = NULL;
}

static int ethdev_open(struct bridge *b)
{
	struct rte_eth_dev_info info;
	int rc = find_or_probe(b, &info);

	if (rc != 0)
		return rc;
	rc = count_queues(b, &info);
	if (rc == 0)
		rc = bridge_rx_near(b, rte_eth_dev_socket_id(b->device_id));
	if (rc == 0)
		rc = configure(b, &info);
	if (rc == 0)
		take_netdev(b, &info);
	if (rc == 0)
		rc = set_up_queues(b, &info);
	if (rc == 0) {
		rte_eth_dev_callback_register(
			b->device_id, RTE_ETH_EVENT_INTR_LSC, ethdev_event, b);
		rte_eth_dev_callback_register(
			b->device_id, RTE_ETH_EVENT_INTR_RMV, ethdev_event, b);
		rc = start(b);
	}
	if (rc != 0) {
		if (b->error[0] == '\0')
			bridge_fail(b, rc, "device %s cannot be configured: %s", b->device,
				strerror(-rc));
		let_go(b);
		return rc;
	}
	note_identity(b, &info);
	spread(b, rte_eth_dev_socket_id(b->device_id));
	return 0;
}

static void ethdev_close(struct bridge *b)
{
	let_go(b);
}

/* ---- worker ---------------------------------------------------------------------------------- */

static int ethdev_attach(struct lcore *lc, struct bridge *b)
{
	for (unsigned i = 0; i < b->rx_cnt; i++)
		if (b->rx[i].worker == lcore_index(lc))
			lcore_poll_add(lc, &b->rx[i].poll);
	return 0;
}

static void ethdev_detach(struct lcore *lc, struct bridge *b)
{
	for (unsigned i = 0; i < b->rx_cnt; i++)
		if (b->rx[i].worker == lcore_index(lc))
			lcore_poll_del(lc, &b->rx[i].poll);
}

static bool ethdev_link(struct bridge *b, bool *gone)
{
	struct rte_eth_link link = {0};
	int rc = rte_eth_link_get_nowait(b->device_id, &link);

	if (rte_eth_dev_is_removed(b->device_id) > 0)
		*gone = true;
	if (b->netdev[0] != '\0') {
		enum netdev_state state = netdev_state(b->netdev);

		*gone = *gone || state == NETDEV_GONE;
		return state == NETDEV_UP;
	}
	/* A device that cannot tell has none to lose. */
	return rc != 0 || link.link_status == RTE_ETH_LINK_UP;
}

static void ethdev_count(struct bridge *b)
{
	struct rte_eth_stats s;

	if (rte_eth_stats_get(b->device_id, &s) != 0)
		return;
	b->missed = s.imissed;
	b->faults = s.ierrors + s.rx_nombuf + s.oerrors;
}

const struct bridge_ops ethdev_ops = {
	.port = &ethdev_port_ops,
	.open = ethdev_open,
	.close = ethdev_close,
	.attach = ethdev_attach,
	.detach = ethdev_detach,
	.link = ethdev_link,
	.count = ethdev_count,
};
