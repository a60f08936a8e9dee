/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A TAP of our own: one queue (file descriptor) for each worker, in that worker's epoll. The kernel sends the
 * answers of a flow to the queue on which the flow was written last, so that a conversation tends to stay on
 * one worker. (net_tap of DPDK would do one readv() per frame as well, but behind a real-time signal.)
 *
 * Frames are read into a buffer of the worker and travel borrowed. The kernel gives complete frames:
 * no offload is offered to it, so it segments and checksums before we read.
 */

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <rte_common.h>

#include "dataplane/hub.h"
#include "drivers/bridge/bridge_priv.h"

#define TUN_DEVICE     "/dev/net/tun"
#define TAP_QUEUE_LEN  1000
#define TAP_BYTES      2048u /* a buffer has room for a burst of such; fewer, if they are longer */
#define TAP_MAC_PREFIX 0x5e  /* reference/bridge-cascade.md A.3 */

/* Frames of one burst, one behind the other, each at the begin of a cache line; the worker's. */
struct tap_buffer {
	uint8_t bytes[FRAME_BURST * TAP_BYTES];
};
static_assert(sizeof(struct tap_buffer) > 8 * FRAME_JUMBO_MAX);
static struct tap_buffer *buffers[LCORE_MAX];

int tap_init(void)
{
	for (unsigned i = 0; i < lcore_count(); i++) {
		/* Not touched until there is a TAP. */
		buffers[i] = aligned_alloc(64, sizeof(*buffers[i]));
		if (buffers[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

void tap_fini(void)
{
	for (unsigned i = 0; i < LCORE_MAX; i++) {
		free(buffers[i]);
		buffers[i] = NULL;
	}
}

/* ---- worker ---------------------------------------------------------------------------------- */

static void tap_receive(struct lcore *lc, struct bridge *b, int fd)
{
	struct tap_buffer *buffer = buffers[lcore_index(lc)];
	struct frame frames[FRAME_BURST];
	/* What is longer comes cut off, and is too long all the same. */
	size_t room = b->port.max_len + 1, at = 0;
	unsigned n = 0;
	bool gone = false;

	while (n < FRAME_BURST && at + room <= sizeof(buffer->bytes)) {
		ssize_t got = read(fd, buffer->bytes + at, room);

		if (got > 0) {
			frames[n++] =
				(struct frame){.data = buffer->bytes + at, .len = (uint16_t)got};
			at += ((size_t)got + 63) / 64 * 64;
		} else if (got == 0 || errno != EINTR) {
			/* EBADFD: somebody has deleted the interface. */
			gone = got < 0 && errno != EAGAIN && errno != ENOBUFS && errno != EIO;
			break;
		}
	}
	if (n > 0)
		hub_input(lc, &b->port, frames, n);
	if (gone) {
		lcore_fd_del(lc, &b->local[lcore_index(lc)].lfd);
		bridge_lose(lc, b);
	}
}

static void tap_ready(struct lcore *lc, struct lcore_fd *lfd, uint32_t)
{
	struct bridge_local *local = container_of(lfd, struct bridge_local, lfd);

	tap_receive(lc, local->bridge, lfd->fd);
}

static void tap_tx_burst(
	struct port *port, struct lcore *lc, struct frame *const *frames, unsigned n)
{
	static const uint8_t padding[BRIDGE_FRAME_MIN];
	struct bridge *b = container_of(port, struct bridge, port);
	int fd = b->local[lcore_index(lc)].lfd.fd;
	struct stats_traffic sent = {0};
	unsigned failed = 0;

	for (unsigned i = 0; i < n; i++) {
		const struct frame *f = frames[i];
		struct iovec iov[2] = {{.iov_base = f->data, .iov_len = f->len}};
		int cnt = 1;

		if (f->len < BRIDGE_FRAME_MIN) {
			iov[cnt].iov_base = (void *)(uintptr_t)padding;
			iov[cnt++].iov_len = BRIDGE_FRAME_MIN - f->len;
		}
		/* EAGAIN, ENOBUFS, EIO while the interface is down: dropped, never waited for. */
		if (writev(fd, iov, cnt) < 0) {
			failed++;
		} else if (frame_is_broadcast(f)) {
			sent.broadcast_frames++;
			sent.broadcast_bytes += f->len;
		} else {
			sent.unicast_frames++;
			sent.unicast_bytes += f->len;
		}
	}
	hub_count_copies(lc, port, n);
	hub_count_sent(lc, port, &sent);
	if (failed > 0)
		hub_count_drop_out(lc, port, STATS_DROP_OUT_DEVICE, failed);
}

static const struct port_ops tap_port_ops = {
	.kind = "bridge",
	.tx_burst = tap_tx_burst,
};

static int tap_attach(struct lcore *lc, struct bridge *b)
{
	struct lcore_fd *lfd = &b->local[lcore_index(lc)].lfd;

	lfd->ready = tap_ready;
	return lcore_fd_add(lc, lfd, EPOLLIN);
}

static void tap_detach(struct lcore *lc, struct bridge *b)
{
	lcore_fd_del(lc, &b->local[lcore_index(lc)].lfd);
}

/* ---- opening --------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t h, const char *text)
{
	for (; *text != '\0'; text++)
		h = (h ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
	return (h ^ h >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
}

/* The same for the same interface of the same machine each time, so that leases and neighbours stay. */
static void tap_mac(const char *name, uint8_t mac[6])
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);
	char id[64] = "";
	struct utsname uts;
	FILE *f = fopen("/etc/machine-id", "re");

	if (f != NULL) {
		if (fgets(id, sizeof(id), f) == NULL)
			id[0] = '\0';
		fclose(f);
	}
	h = mix(h, id);
	if (uname(&uts) == 0)
		h = mix(h, uts.nodename);
	h = mix(h, name);
	mac[0] = TAP_MAC_PREFIX;
	for (unsigned i = 1; i < 6; i++)
		mac[i] = (uint8_t)(h >> 8 * i);
}

static void tap_close(struct bridge *b)
{
	/* Not persistent: it goes with its last file descriptor. */
	for (unsigned i = 0; i < b->workers; i++) {
		if (b->local[i].lfd.fd >= 0)
			close(b->local[i].lfd.fd);
		b->local[i].lfd.fd = -1;
	}
}

static int tap_open_queue(struct bridge *b, unsigned i)
{
	struct ifreq ifr = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_MULTI_QUEUE};
	int fd = open(TUN_DEVICE, O_RDWR | O_NONBLOCK | O_CLOEXEC);

	if (fd < 0)
		return bridge_fail(b, -errno, "%s: %s%s", TUN_DEVICE, strerror(errno),
			errno == EPERM || errno == EACCES ? " (a TAP needs CAP_NET_ADMIN)" : "");
	b->local[i].lfd.fd = fd;
	/* The first must make it; the others join what is ours. */
	if (i == 0)
		ifr.ifr_flags |= (short)IFF_TUN_EXCL;
	memcpy(ifr.ifr_name, b->device, strlen(b->device));
	if (ioctl(fd, TUNSETIFF, &ifr) < 0) {
		if (errno == EBUSY)
			return bridge_fail(b, -EBUSY, "interface %s is there already, and not ours",
				b->device);
		return bridge_fail(
			b, -errno, "interface %s, queue %u: %s", b->device, i, strerror(errno));
	}
	return 0;
}

/* MAC, queue length, up. */
static int tap_set_up(struct bridge *b)
{
	struct ifreq ifr = {0};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	uint8_t mac[6];
	int rc = 0;

	if (fd < 0)
		return bridge_fail(b, -errno, "interface %s: %s", b->device, strerror(errno));
	memcpy(ifr.ifr_name, b->device, strlen(b->device));
	tap_mac(b->device, mac);
	ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(ifr.ifr_hwaddr.sa_data, mac, sizeof(mac));
	if (ioctl(fd, SIOCSIFHWADDR, &ifr) < 0)
		rc = -errno;
	ifr.ifr_qlen = TAP_QUEUE_LEN;
	if (rc == 0 && ioctl(fd, SIOCSIFTXQLEN, &ifr) < 0)
		rc = -errno;
	if (rc == 0 && ioctl(fd, SIOCGIFFLAGS, &ifr) < 0)
		rc = -errno;
	ifr.ifr_flags |= IFF_UP;
	if (rc == 0 && ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		rc = -errno;
	close(fd);
	if (rc != 0)
		return bridge_fail(
			b, rc, "interface %s cannot be set up: %s", b->device, strerror(-rc));
	snprintf(b->mac, sizeof(b->mac), "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2],
		mac[3], mac[4], mac[5]);
	return 0;
}

static int tap_open(struct bridge *b)
{
	uint16_t order[LCORE_MAX];
	int rc = 0;

	if (strlen(b->device) >= IFNAMSIZ || b->device[0] == '\0')
		return bridge_fail(b, -EINVAL, "interface name %s has more than %d characters",
			b->device, IFNAMSIZ - 1);
	for (unsigned i = 0; i < b->workers && rc == 0; i++)
		rc = tap_open_queue(b, i);
	if (rc == 0)
		rc = tap_set_up(b);
	if (rc != 0) {
		tap_close(b);
		return rc;
	}
	bridge_worker_order(-1, order);
	b->port.home = order[0];
	b->rx_cnt = b->workers < BRIDGE_RX_QUEUES_MAX ? b->workers : BRIDGE_RX_QUEUES_MAX;
	b->tx_cnt = b->workers;
	for (unsigned i = 0; i < b->workers; i++) {
		b->rx[i] = (struct bridge_rx){
			.bridge = b, .queue = (uint16_t)i, .worker = (uint16_t)i};
		b->local[i].involved = true;
		b->port.tx_lcore[i] = (uint8_t)i;
	}
	snprintf(b->driver, sizeof(b->driver), "tap");
	return 0;
}

/* A worker hears of the end of a TAP on its descriptor; it has no link to lose before that. */
static bool tap_link(struct bridge *, bool *)
{
	return true;
}

static_assert(LCORE_MAX <= BRIDGE_RX_QUEUES_MAX, "a TAP has a queue for each worker");

const struct bridge_ops tap_ops = {
	.port = &tap_port_ops,
	.open = tap_open,
	.close = tap_close,
	.attach = tap_attach,
	.detach = tap_detach,
	.link = tap_link,
};
