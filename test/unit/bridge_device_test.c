/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a bridge asks of a NIC, and what it makes of mbufs in several segments. There is no NIC here: the device is
 * net_null, and between it and the driver stand the functions of rte_ethdev.h below, which note what was asked and
 * answer for a device that can more, or less. What it "receives" is put into its place by exchanging the receive function.
 */

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_bus.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_ether.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "drivers/bridge/bridge_priv.h"
#include "test/unit/bridge_bed.h"

#define NIC_SOCKET 1
#define NIC_MTU	   1700u

/* What the device says of itself. */
static struct {
	uint64_t rss;
	uint16_t queues;
	const char *driver; /* NULL: its own */
	int socket;	    /* -1: none, and no huge pages */
	int promiscuous;    /* answer */
	bool pci;
	bool on_pci; /* by its address, too */
	int queue_error;
	bool bare;		/* its node has no memory */
	bool stays;		/* it cannot be removed */
	struct rte_device *all; /* the device that all ports stand on; NULL: each on its own */
} nic;

/* What it was asked. */
static struct {
	struct rte_eth_conf conf;
	uint16_t rx_queues, tx_queues;
	unsigned rx_set_up, tx_set_up;
	unsigned promiscuous, allmulticast, mtu_set;
	unsigned wrong_socket; /* a queue on another than the device's */
	uint64_t offloads;     /* of any queue */
	int pool_socket, memory_socket;
	struct rte_mempool *pool;
	unsigned other_pool; /* a queue that receives into another one */
} asked;

/* ---- between driver and device ---------------------------------------------------------------- */

#define REAL(f) ((__typeof__(&(f)))dlsym(RTLD_NEXT, #f))

int rte_eth_dev_info_get(uint16_t id, struct rte_eth_dev_info *info)
{
	int rc = REAL(rte_eth_dev_info_get)(id, info);

	if (rc == 0 && nic.queues != 0) {
		info->flow_type_rss_offloads = nic.rss;
		info->max_rx_queues = info->max_tx_queues = nic.queues;
		info->max_mtu = 9000;
		if (nic.driver != NULL)
			info->driver_name = nic.driver;
		if (nic.all != NULL)
			info->device = nic.all;
	}
	return rc;
}

int rte_eth_dev_socket_id(uint16_t id)
{
	return nic.queues != 0 ? nic.socket : REAL(rte_eth_dev_socket_id)(id);
}

/* While the bridge opens: its memory is asked for as on a machine with huge pages on two nodes. */
int rte_eal_has_hugepages(void)
{
	return nic.queues != 0 && nic.socket >= 0 ? 1 : REAL(rte_eal_has_hugepages)();
}

struct rte_mempool *rte_pktmbuf_pool_create(
	const char *name, unsigned n, unsigned cache, uint16_t priv, uint16_t room, int socket)
{
	uint16_t queues = nic.queues;
	struct rte_mempool *pool;

	asked.pool_socket = socket;
	if (nic.bare && socket == nic.socket)
		return NULL;
	nic.queues = 0;
	pool = REAL(rte_pktmbuf_pool_create)(name, n, cache, priv, room, SOCKET_ID_ANY);
	nic.queues = queues;
	if (pool != NULL)
		pool->socket_id = socket;
	asked.pool = pool;
	return pool;
}

void *rte_zmalloc_socket(const char *type, size_t size, unsigned align, int socket)
{
	if (type != NULL && strcmp(type, "bridge") == 0)
		asked.memory_socket = socket;
	if (nic.bare && socket == nic.socket)
		return NULL;
	return REAL(rte_zmalloc_socket)(type, size, align, SOCKET_ID_ANY);
}

struct rte_bus *rte_bus_find_by_device(const struct rte_device *device)
{
	return nic.pci ? NULL : REAL(rte_bus_find_by_device)(device);
}

const char *rte_bus_name(const struct rte_bus *bus)
{
	return nic.on_pci ? "pci" : REAL(rte_bus_name)(bus);
}

int rte_eth_dev_get_mtu(uint16_t id, uint16_t *mtu)
{
	int rc = REAL(rte_eth_dev_get_mtu)(id, mtu);

	*mtu = nic.pci ? NIC_MTU : *mtu;
	return rc;
}

int rte_eth_dev_set_mtu(uint16_t id, uint16_t mtu)
{
	asked.mtu_set++;
	return REAL(rte_eth_dev_set_mtu)(id, mtu);
}

int rte_eth_dev_configure(
	uint16_t id, uint16_t rx_queues, uint16_t tx_queues, const struct rte_eth_conf *conf)
{
	struct rte_eth_conf plain = *conf;

	asked.conf = *conf;
	asked.rx_queues = rx_queues;
	asked.tx_queues = tx_queues;
	/* net_null knows no MTU. */
	plain.rxmode.mtu = 0;
	return REAL(rte_eth_dev_configure)(id, rx_queues, tx_queues, &plain);
}

int rte_eth_rx_queue_setup(uint16_t id, uint16_t queue, uint16_t descriptors, unsigned socket,
	const struct rte_eth_rxconf *conf, struct rte_mempool *pool)
{
	asked.rx_set_up++;
	asked.wrong_socket += socket != (unsigned)nic.socket;
	asked.offloads |= conf->offloads;
	asked.other_pool += pool != asked.pool;
	if (nic.queue_error != 0)
		return nic.queue_error;
	return REAL(rte_eth_rx_queue_setup)(
		id, queue, descriptors, (unsigned)SOCKET_ID_ANY, conf, pool);
}

int rte_eth_tx_queue_setup(uint16_t id, uint16_t queue, uint16_t descriptors, unsigned socket,
	const struct rte_eth_txconf *conf)
{
	asked.tx_set_up++;
	asked.wrong_socket += socket != (unsigned)nic.socket;
	asked.offloads |= conf->offloads;
	return REAL(rte_eth_tx_queue_setup)(id, queue, descriptors, (unsigned)SOCKET_ID_ANY, conf);
}

int rte_eth_promiscuous_enable(uint16_t id)
{
	asked.promiscuous++;
	return nic.promiscuous != 0 ? nic.promiscuous : REAL(rte_eth_promiscuous_enable)(id);
}

int rte_eth_allmulticast_enable(uint16_t id)
{
	asked.allmulticast++;
	return REAL(rte_eth_allmulticast_enable)(id);
}

int rte_dev_remove(struct rte_device *device)
{
	return nic.stays ? -EBUSY : REAL(rte_dev_remove)(device);
}

/* ---- what is asked ---------------------------------------------------------------------------- */

static int setup(void **state)
{
	memset(&nic, 0, sizeof(nic));
	memset(&asked, 0, sizeof(asked));
	return bridge_setup(state);
}

#define DEVICE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, bridge_teardown)

/* So that the next device gets a pool of its own. */
static void forget_pools(void)
{
	for (unsigned i = 0; i < 3; i++) {
		assert_true(worker_settle());
		bridge_driver_look();
	}
}

static void a_nic(uint16_t queues, int socket)
{
	nic.queues = queues;
	nic.socket = socket;
	nic.rss = RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_ETH;
}

/* Hashed over the flows that the device can tell apart, and of those what spreads TCP and UDP over IP; nothing else. */
static void receive_side_scaling(void **)
{
	a_nic(8, -1);
	assert_int_equal(bridge_open(bridge), 0);
	assert_int_equal(asked.rx_queues, WORKERS);
	assert_int_equal(asked.tx_queues, WORKERS);
	assert_int_equal(asked.conf.rxmode.mq_mode, RTE_ETH_MQ_RX_RSS);
	assert_int_equal(asked.conf.rx_adv_conf.rss_conf.rss_hf,
		RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP);
	/* The device's own key. */
	assert_null(asked.conf.rx_adv_conf.rss_conf.rss_key);
	bridge_close_it();
	/* None that helps; and one queue, where there is nothing to spread. */
	nic.rss = RTE_ETH_RSS_ETH;
	assert_int_equal(bridge_open(bridge), 0);
	assert_int_equal(asked.conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
	assert_int_equal(asked.conf.rx_adv_conf.rss_conf.rss_hf, 0);
	bridge_close_it();
	a_nic(1, -1);
	assert_int_equal(bridge_open(bridge), 0);
	assert_int_equal(asked.rx_queues, 1);
	assert_int_equal(asked.conf.rxmode.mq_mode, RTE_ETH_MQ_RX_NONE);
	bridge_close_it();
	/* No offload anywhere: shared mbufs are sent, tags stay in frames, and nothing comes in pieces. */
	assert_int_equal(
		asked.offloads | asked.conf.rxmode.offloads | asked.conf.txmode.offloads, 0);
}

/* Asked for always; a device that knows only one mode will do, one that cannot is given back with a message. */
static void promiscuous_mode(void **)
{
	a_nic(2, -1);
	assert_int_equal(bridge_open(bridge), 0);
	assert_int_equal(asked.promiscuous, 1);
	assert_int_equal(asked.allmulticast, 1);
	bridge_close_it();
	nic.promiscuous = -ENOTSUP;
	assert_int_equal(bridge_open(bridge), 0);
	assert_int_equal(asked.promiscuous, 2);
	bridge_close_it();
	nic.promiscuous = -EIO;
	assert_int_equal(bridge_open(bridge), -EIO);
	assert_non_null(strstr(bridge_error(bridge), "no promiscuous mode"));
	bridge_close_it();
	nic.promiscuous = 0;
	bridge_plug_in();
	bridge_pull_out();
	bridge_close_it();
}

/* Rings, buffers and what is polled stand where the device does; without huge pages there is only one place. */
static void numa_socket(void **)
{
	a_nic(2, NIC_SOCKET);
	assert_int_equal(bridge_open(bridge), 0);
	assert_int_equal(asked.rx_set_up, 2);
	assert_int_equal(asked.tx_set_up, 2);
	assert_int_equal(asked.wrong_socket, 0);
	assert_int_equal(asked.other_pool, 0);
	assert_int_equal(asked.pool_socket, NIC_SOCKET);
	assert_int_equal(asked.memory_socket, NIC_SOCKET);
	bridge_close_it();
	memset(&asked, 0, sizeof(asked));
	a_nic(1, -1);
	assert_int_equal(bridge_open(bridge), 0);
	assert_int_equal(asked.wrong_socket, 0);
	assert_int_equal(asked.memory_socket, SOCKET_ID_ANY);
	bridge_close_it();
	/* A queue that cannot be had: said, and everything is given back. */
	nic.queue_error = -ENOMEM;
	assert_int_equal(bridge_open(bridge), -ENOMEM);
	assert_non_null(
		strstr(bridge_error(bridge), "cannot be configured: Cannot allocate memory"));
	bridge_close_it();
}

/* A node without memory: the device runs on another one's, and an operator is told. */
static void no_memory_on_its_node(void **)
{
	struct bridge_view v;

	forget_pools();
	a_nic(2, NIC_SOCKET);
	nic.bare = true;
	bridge_plug_in();
	assert_int_equal(asked.pool_socket, SOCKET_ID_ANY);
	assert_int_equal(asked.memory_socket, SOCKET_ID_ANY);
	assert_int_equal(asked.rx_set_up + asked.tx_set_up, 4);
	assert_int_equal(asked.wrong_socket, 4);
	bridge_view(bridge, &v);
	assert_non_null(strstr(v.note, "NUMA node 1 has no memory"));
	bridge_pull_out();
	bridge_close_it();
	/* There is some again: nothing to tell. */
	memset(&asked, 0, sizeof(asked));
	nic.bare = false;
	bridge_plug_in();
	assert_int_equal(asked.pool_socket, NIC_SOCKET);
	assert_int_equal(asked.wrong_socket, 0);
	bridge_view(bridge, &v);
	assert_string_equal(v.note, "");
	bridge_pull_out();
	bridge_close_it();
}

/* Buffers of a driver that keeps them go with its device; not from under one that is still there. */
static void a_device_that_stays_keeps_its_buffers(void **)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	forget_pools();
	a_nic(1, -1);
	nic.driver = "net_af_xdp";
	assert_int_equal(bridge_open(bridge), 0);
	snprintf(name, sizeof(name), "%s", asked.pool->name);
	nic.stays = true;
	bridge_close(bridge);
	assert_non_null(rte_mempool_lookup(name));
	/* It was not probed by this opening, and so is not removed by it. */
	assert_int_equal(bridge_open(bridge), 0);
	bridge_close(bridge);
	assert_non_null(rte_mempool_lookup(name));
	nic.stays = false;
	assert_int_equal(rte_eal_hotplug_remove("vdev", DEVICE), 0);
	/* One that goes. */
	assert_int_equal(bridge_open(bridge), 0);
	snprintf(name, sizeof(name), "%s", asked.pool->name);
	bridge_close_it();
	assert_null(rte_mempool_lookup(name));
}

/* ---- one of several ports ---------------------------------------------------------------------- */

#define SECOND "net_null1"

static const struct bridge_callbacks no_callbacks;

/* Opens a bridge to DEVICE with these options behind it, beside the first one. */
static int open_other(const char *options, struct bridge **out)
{
	struct bridge_conf conf = {
		.kind = BRIDGE_DEVICE,
		.max_frame = FRAME_MAX_BYTES,
		.hub = hub,
		.cb = &no_callbacks,
	};
	char device[BRIDGE_DEVICE_BYTES];

	snprintf(device, sizeof(device), "%s,no-rx=1%s", DEVICE, options);
	conf.device = device;
	assert_int_equal(bridge_create(&conf, out), 0);
	return bridge_open(*out);
}

static void cannot_open(const char *options, int error, const char *why)
{
	struct bridge *other;

	assert_int_equal(open_other(options, &other), error);
	assert_non_null(strstr(bridge_error(other), why));
	bridge_free(other);
}

static void mac_of(const char *name, char text[RTE_ETHER_ADDR_FMT_SIZE])
{
	struct rte_ether_addr mac;
	uint16_t id;

	assert_int_equal(rte_eth_dev_get_port_by_name(name, &id), 0);
	assert_int_equal(rte_eth_macaddr_get(id, &mac), 0);
	rte_ether_format_addr(text, RTE_ETHER_ADDR_FMT_SIZE, &mac);
}

/* A NIC with two ports at one PCI address: mac= says which; and who closes one leaves the other where it is. */
static void a_port_of_several(void **)
{
	char first[RTE_ETHER_ADDR_FMT_SIZE], second[RTE_ETHER_ADDR_FMT_SIZE], options[64];
	struct rte_eth_dev_info info;
	struct bridge *other;
	uint16_t id;

	a_nic(1, -1);
	nic.pci = true;
	assert_int_equal(bridge_open(bridge), 0);
	assert_string_equal(bridge->note, "");
	assert_int_equal(rte_eal_hotplug_add("vdev", SECOND, "no-rx=1"), 0);
	assert_int_equal(rte_eth_dev_get_port_by_name(DEVICE, &id), 0);
	assert_int_equal(rte_eth_dev_info_get(id, &info), 0);
	nic.all = info.device;
	nic.on_pci = true;
	mac_of(DEVICE, first);
	mac_of(SECOND, second);
	assert_string_not_equal(first, second);

	snprintf(options, sizeof(options), ",mac=%s", second);
	assert_int_equal(open_other(options, &other), 0);
	assert_string_equal(other->mac, second);
	assert_string_equal(other->note, "");
	/* Taken is taken, by whatever name. */
	cannot_open("", -EBUSY, "in use already");
	cannot_open(options, -EBUSY, "in use already");
	bridge_close(bridge);
	assert_int_equal(rte_eth_dev_get_port_by_name(DEVICE, &id), 0);
	/* Without a choice the first one, which is told. */
	assert_int_equal(bridge_open(bridge), 0);
	assert_string_equal(bridge->mac, first);
	assert_non_null(strstr(bridge->note, "the first of 2 ports"));

	cannot_open(",mac=02:00:00:00:00:01", -ENODEV, first);
	cannot_open(",mac=02:00:00:00:00:01", -ENODEV, second);
	cannot_open(",representor=7", -ENODEV, "which of its ports");
	cannot_open(",mac=fixed", -EINVAL, "should be the MAC address");
	cannot_open(",mac=02:00:00:00:00:0123", -EINVAL, "should be the MAC address");
	cannot_open(",mac=", -EINVAL, "should be the MAC address");

	bridge_close(other);
	bridge_free(other);
	bridge_close(bridge);
	nic.all = NULL;
	nic.on_pci = false;
	assert_int_equal(rte_eal_hotplug_remove("vdev", SECOND), 0);
	assert_int_equal(rte_eal_hotplug_remove("vdev", DEVICE), 0);
}

/* A NIC keeps the MTU it has: rte_eth_dev_configure() is told that one. A virtual device is told none. */
static void mtu_is_kept(void **)
{
	a_nic(2, -1);
	assert_int_equal(bridge_open(bridge), 0);
	assert_int_equal(asked.conf.rxmode.mtu, 0);
	bridge_close_it();
	nic.pci = true;
	assert_int_equal(bridge_open(bridge), 0);
	assert_int_equal(asked.conf.rxmode.mtu, NIC_MTU);
	assert_int_equal(asked.mtu_set, 0);
	bridge_close_it();
}

/* ---- several segments ------------------------------------------------------------------------- */

static struct rte_mempool *segments;
static struct rte_mbuf *arriving[4];
static atomic_uint arrive;
static uint8_t bytes[16384], got[4096];
static unsigned got_len;

static uint16_t receive(void *, struct rte_mbuf **mbufs, uint16_t)
{
	unsigned n = atomic_exchange(&arrive, 0);

	memcpy(mbufs, arriving, n * sizeof(arriving[0]));
	return (uint16_t)n;
}

static void receive_here(struct lcore *, void *id)
{
	rte_eth_fp_ops[*(uint16_t *)id].rx_pkt_burst = receive;
}

static void keep_bytes(struct port *port, struct lcore *lc, struct frame *const *frames, unsigned n)
{
	if (n > 0 && frames[0]->len <= sizeof(got)) {
		memcpy(got, frames[0]->data, frames[0]->len);
		got_len = frames[0]->len;
	}
	fake_port_ops.tx_burst(port, lc, frames, n);
}

static const struct port_ops keeping_ops = {.kind = "fake", .tx_burst = keep_bytes};

static void plug_receiver(const char *driver)
{
	uint16_t id;

	segments = rte_pktmbuf_pool_create(
		"segments", 63, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	assert_non_null(segments);
	a_nic(1, -1);
	nic.driver = driver;
	a.port.ops = &keeping_ops;
	join(&a);
	bridge_plug_in();
	assert_int_equal(rte_eth_dev_get_port_by_name(DEVICE, &id), 0);
	for (unsigned i = 0; i < WORKERS; i++)
		worker_call(i, receive_here, &id);
}

static void unplug_receiver(void)
{
	assert_true(worker_settle());
	bridge_pull_out();
	bridge_close_it();
	leave(&a);
	assert_true(worker_settle());
	assert_int_equal(rte_mempool_in_use_count(segments), 0);
	rte_mempool_free(segments);
}

/* `len` of bytes[] in `n` segments, the first of `head` bytes. */
static struct rte_mbuf *chain(uint32_t len, unsigned n, uint32_t head)
{
	struct rte_mbuf *first = NULL, *m;
	uint32_t at = 0;

	for (unsigned i = 0; i < n; i++) {
		uint32_t part = i == 0 ? head : i == n - 1 ? len - at : (len - head) / (n - 1);

		m = rte_pktmbuf_alloc(segments);
		assert_non_null(m);
		memcpy(rte_pktmbuf_append(m, (uint16_t)part), bytes + at, part);
		at += part;
		if (first == NULL)
			first = m;
		else
			assert_int_equal(rte_pktmbuf_chain(first, m), 0);
	}
	return first;
}

static bool taken(void *)
{
	return atomic_load(&arrive) == 0;
}

static void nothing(struct lcore *, void *)
{
}

static void arrives(struct rte_mbuf *m)
{
	got_len = 0;
	fake_port_clear(&a);
	arriving[0] = m;
	atomic_store(&arrive, 1);
	assert_true(worker_until(taken, NULL));
	/* The turn in which it was taken is over when each worker has done something else. */
	for (unsigned i = 0; i < WORKERS; i++)
		worker_call(i, nothing, NULL);
	assert_true(worker_settle());
}

static void arrives_whole(struct rte_mbuf *m, uint32_t len)
{
	uint64_t before = hub_drop_in(STATS_DROP_IN_LONG);

	arrives(m);
	assert_int_equal(atomic_load(&a.cnt), 1);
	assert_int_equal(atomic_load(&a.broken), 0);
	assert_int_equal(got_len, len);
	assert_memory_equal(got, bytes, len);
	assert_int_equal(hub_drop_in(STATS_DROP_IN_LONG), before);
}

static void is_dropped(struct rte_mbuf *m, enum stats_drop_in reason)
{
	struct bridge_view before, after;

	bridge_view(bridge, &before);
	arrives(m);
	bridge_view(bridge, &after);
	assert_int_equal(atomic_load(&a.cnt), 0);
	assert_int_equal(after.port.drop_in[reason], before.port.drop_in[reason] + 1);
}

/* What fits one buffer becomes one segment, with all its bytes; what does not is dropped and counted. */
static void chains_are_made_one_or_dropped(void **)
{
	struct rte_mbuf *m, *kept;

	fake_frame_write(bytes, FAKE_BROADCAST, MAC_C, 0, 77, 1600);
	for (unsigned i = 22; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
	plug_receiver(NULL);
	arrives_whole(chain(1514, 3, 700), 1514);
	arrives_whole(chain(1600, 2, 1), 1600); /* not even a header in the first */
	arrives_whole(chain(64, 8, 8), 64);
	/* One that somebody else holds as well: copied, theirs is as it was. */
	m = chain(900, 3, 300);
	for (kept = m; kept != NULL; kept = kept->next)
		rte_mbuf_refcnt_update(kept, 1);
	arrives_whole(m, 900);
	assert_int_equal(m->nb_segs, 3);
	assert_int_equal(m->data_len, 300);
	assert_memory_equal(rte_pktmbuf_mtod(m, void *), bytes, 300);
	rte_pktmbuf_free(m);
	/* Longer than a session's frame, but in one buffer; than the buffer; than a length can say. */
	is_dropped(chain(1700, 2, 850), STATS_DROP_IN_LONG);
	is_dropped(chain(3000, 3, 1000), STATS_DROP_IN_LONG);
	is_dropped(chain(9000, 6, 1500), STATS_DROP_IN_LONG);
	unplug_receiver();
}

/* A tag that was taken out of a chain is put back. */
static void a_tag_is_put_back(void **)
{
	struct rte_mbuf *m;

	fake_frame_write(bytes, FAKE_BROADCAST, MAC_C, 5, 78, 400);
	plug_receiver(NULL);
	m = chain(400, 2, 200);
	memmove(rte_pktmbuf_adj(m, 4), bytes, 12);
	m->vlan_tci = 0xa005;
	m->ol_flags |= RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_VLAN_STRIPPED;
	arrives_whole(m, 400);
	unplug_receiver();
}

/* From a guest that leaves cutting to hardware, in pieces: said by its name. */
static void a_super_frame_in_pieces(void **)
{
	fake_frame_write(bytes, FAKE_BROADCAST, MAC_C, 0, 79, 1600);
	bytes[12] = 0x08;
	bytes[13] = 0x00;
	bytes[14] = 0x45;
	bytes[23] = 6;
	plug_receiver("net_virtio");
	is_dropped(chain(9000, 6, 1500), STATS_DROP_IN_SUPER);
	unplug_receiver();
}

/* From a driver that keeps its buffers: the copy that goes on has all segments. */
static void a_chain_is_copied_whole(void **)
{
	fake_frame_write(bytes, FAKE_BROADCAST, MAC_C, 0, 80, 1600);
	plug_receiver("net_af_xdp");
	arrives_whole(chain(1200, 3, 400), 1200);
	arrives_whole(chain(1200, 1, 1200), 1200);
	is_dropped(chain(9000, 6, 1500), STATS_DROP_IN_LONG);
	unplug_receiver();
}

/* On each worker, so that its own cache is empty too. */
static struct rte_mbuf *taken_mbufs[WORKERS][MBUFS];
static unsigned taken_cnt[WORKERS];

static void take_mbufs(struct lcore *lc, void *)
{
	unsigned i = lcore_index(lc);

	while (taken_cnt[i] < MBUFS &&
		(taken_mbufs[i][taken_cnt[i]] = rte_pktmbuf_alloc(lcore_pool(lc))) != NULL)
		taken_cnt[i]++;
}

static void give_mbufs(struct lcore *lc, void *)
{
	unsigned i = lcore_index(lc);

	while (taken_cnt[i] > 0)
		rte_pktmbuf_free(taken_mbufs[i][--taken_cnt[i]]);
}

/* What cannot be copied for want of an mbuf says so: it is neither malformed nor too long. */
static void a_copy_without_mbuf(void **)
{
	fake_frame_write(bytes, FAKE_BROADCAST, MAC_C, 0, 81, 1600);
	plug_receiver("net_af_xdp");
	for (unsigned i = 0; i < WORKERS; i++)
		worker_call(i, take_mbufs, NULL);
	is_dropped(chain(1200, 1, 1200), STATS_DROP_IN_NO_MBUF);
	is_dropped(chain(1200, 3, 400), STATS_DROP_IN_NO_MBUF);
	/* This one would not go on with mbufs either. */
	is_dropped(chain(1700, 1, 1700), STATS_DROP_IN_LONG);
	for (unsigned i = 0; i < WORKERS; i++)
		worker_call(i, give_mbufs, NULL);
	arrives_whole(chain(1200, 1, 1200), 1200);
	unplug_receiver();
}

/*
 * net_ring hands out what was sent to it, and others may hold the same mbuf, with words of their own in it
 * (HUB_MBUF_JUDGED, the port it came from): what goes to another worker is a copy.
 */
static void a_lent_mbuf_is_left_alone(void **)
{
	struct rte_mbuf *m;

	fake_frame_write(bytes, FAKE_BROADCAST, MAC_C, 0, 82, 600);
	plug_receiver("net_ring");
	/* a is on one worker, c on the other: one of them is reached by a ring. */
	join(&c);
	m = chain(600, 1, 600);
	m->port = 0x1234;
	m->hash.usr = 0xabcd;
	rte_mbuf_refcnt_update(m, 1);
	arrives_whole(m, 600);
	assert_int_equal(atomic_load(&c.cnt), 1);
	assert_int_equal(rte_mbuf_refcnt_read(m), 1);
	assert_int_equal(m->port, 0x1234);
	assert_int_equal(m->hash.usr, 0xabcd);
	rte_pktmbuf_free(m);
	/* Nobody else's: as it is. */
	arrives_whole(chain(600, 1, 600), 600);
	leave(&c);
	unplug_receiver();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		DEVICE_TEST(receive_side_scaling),
		DEVICE_TEST(promiscuous_mode),
		DEVICE_TEST(numa_socket),
		DEVICE_TEST(no_memory_on_its_node),
		DEVICE_TEST(a_device_that_stays_keeps_its_buffers),
		DEVICE_TEST(a_port_of_several),
		DEVICE_TEST(mtu_is_kept),
		DEVICE_TEST(chains_are_made_one_or_dropped),
		DEVICE_TEST(a_tag_is_put_back),
		DEVICE_TEST(a_super_frame_in_pieces),
		DEVICE_TEST(a_chain_is_copied_whole),
		DEVICE_TEST(a_copy_without_mbuf),
		DEVICE_TEST(a_lent_mbuf_is_left_alone),
	};

	return cmocka_run_group_tests(tests, bridge_group_setup, bridge_group_teardown);
}
