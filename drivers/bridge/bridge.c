/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Life of a bridge between the control thread and the workers.
 *
 * Each worker that has a queue gets two messages: attach, and later detach, which it answers. Messages of a
 * worker run in order, so its answer to the latter means that it knows nothing of the device any more, apart
 * from another worker that is in the middle of a turn and about to transmit on the port: for that there is
 * the grace period. Only then does unplugged() say that the device may be closed.
 */

#include "drivers/bridge/bridge.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_common.h>
#include <rte_eal.h>
#include <rte_malloc.h>

#include "dataplane/hub.h"
#include "dataplane/port_rules.h"
#include "drivers/bridge/bridge_priv.h"
#include "drivers/bridge/netdev.h"

/* Receive queues of devices per worker. The opener's thread: one at a time. */
static unsigned load[LCORE_MAX];

int bridge_fail(struct bridge *b, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(b->error, sizeof(b->error), fmt, ap);
	va_end(ap);
	return err;
}

void bridge_note(struct bridge *b, const char *fmt, ...)
{
	size_t at = strlen(b->note);
	va_list ap;

	if (at > 0 && at < sizeof(b->note) - 3)
		at += (size_t)snprintf(b->note + at, sizeof(b->note) - at, "; ");
	va_start(ap, fmt);
	vsnprintf(b->note + at, sizeof(b->note) - at, fmt, ap);
	va_end(ap);
}

/* ---- spreading ------------------------------------------------------------------------------- */

void bridge_worker_order(int socket, uint16_t *order)
{
	unsigned cnt = lcore_count();
	unsigned weight[LCORE_MAX];

	for (unsigned i = 0; i < cnt; i++) {
		struct lcore_view v;
		unsigned at = i;

		lcore_view(i, &v);
		weight[i] = load[i] +
			(socket >= 0 && v.socket >= 0 && v.socket != socket ? 1u << 16 : 0);
		for (; at > 0 && weight[order[at - 1]] > weight[i]; at--)
			order[at] = order[at - 1];
		order[at] = (uint16_t)i;
	}
}

void bridge_load(struct bridge *b)
{
	for (unsigned i = 0; i < b->rx_cnt; i++) {
		b->shares[b->rx[i].worker]++;
		load[b->rx[i].worker]++;
	}
}

void bridge_unload(struct bridge *b)
{
	for (unsigned i = 0; i < b->workers; i++)
		load[i] -= b->shares[i];
	memset(b->shares, 0, sizeof(b->shares));
}

/* ---- object ---------------------------------------------------------------------------------- */

void *bridge_zalloc(size_t bytes, int socket)
{
	int near = rte_eal_has_hugepages() ? socket : SOCKET_ID_ANY;
	void *p = rte_zmalloc_socket("bridge", (bytes + 63) / 64 * 64, 64, near);

	if (p == NULL && near != SOCKET_ID_ANY)
		p = rte_zmalloc_socket("bridge", (bytes + 63) / 64 * 64, 64, SOCKET_ID_ANY);
	return p;
}

int bridge_rx_near(struct bridge *b, int socket)
{
	struct bridge_rx *rx = bridge_zalloc(BRIDGE_RX_QUEUES_MAX * sizeof(*rx), socket);

	if (rx == NULL)
		return bridge_fail(b, -ENOMEM,
			"device %s: no memory for its queues (eal.memory_mb)", b->device);
	rte_free(b->rx);
	b->rx = rx;
	return 0;
}

/* The stats block of a worker stands where the worker is. */
static int worker_socket(unsigned index)
{
	struct lcore_view v;

	lcore_view(index, &v);
	return v.socket;
}

int bridge_create(const struct bridge_conf *conf, struct bridge **out)
{
	struct bridge *b = bridge_zalloc(sizeof(*b), SOCKET_ID_ANY);
	bool whole;

	if (b == NULL)
		return -ENOMEM;
	b->workers = lcore_count();
	b->ops = conf->kind == BRIDGE_TAP ? &tap_ops : &ethdev_ops;
	b->cb = conf->cb;
	b->ctx = conf->ctx;
	snprintf(b->device, sizeof(b->device), "%s", conf->device);
	b->port.ops = b->ops->port;
	b->port.hub = conf->hub;
	b->port.flags = conf->port_flags | (conf->kind == BRIDGE_DEVICE ? PORT_F_MBUF : 0);
	b->port.max_len = conf->max_frame;
	b->keep_offloads = conf->keep_offloads;
	b->limit_storms = conf->limit_storms;
	b->rx = bridge_zalloc(BRIDGE_RX_QUEUES_MAX * sizeof(*b->rx), SOCKET_ID_ANY);
	b->local = bridge_zalloc(b->workers * sizeof(*b->local), SOCKET_ID_ANY);
	whole = b->rx != NULL && b->local != NULL;
	for (unsigned i = 0; i < b->workers && whole; i++) {
		b->local[i].bridge = b;
		b->local[i].lfd.fd = -1;
		b->port.stats[i] = bridge_zalloc(sizeof(struct stats_block), worker_socket(i));
		whole = b->port.stats[i] != NULL;
	}
	if (!whole) {
		bridge_free(b);
		return -ENOMEM;
	}
	*out = b;
	return 0;
}

void bridge_free(struct bridge *b)
{
	if (b == NULL)
		return;
	/* The workers stopped while it was being unplugged: grace periods may still name it, for good. */
	if (b->unplugging && b->plugged)
		return;
	if (b->plugged)
		bridge_link_unwatch(b);
	port_rules_free(&b->port);
	for (unsigned i = 0; i < b->workers; i++)
		rte_free(b->port.stats[i]);
	rte_free(b->rx);
	rte_free(b->local);
	rte_free(b);
}

int bridge_open(struct bridge *b)
{
	int rc;

	b->error[0] = b->note[0] = '\0';
	atomic_store_explicit(&b->gone, false, memory_order_relaxed);
	rc = 0;
	if (b->port.max_len > FRAME_MAX_BYTES && lcore_jumbo_prepare() != 0)
		rc = bridge_fail(b, -ENOMEM,
			"device %s: no memory for frames of %u bytes (eal.memory_mb)", b->device,
			b->port.max_len);
	if (rc == 0)
		rc = b->ops->open(b);
	b->open = rc == 0;
	if (rc == 0)
		bridge_load(b);
	return rc;
}

void bridge_close(struct bridge *b)
{
	if (!b->open)
		return;
	b->open = false;
	b->ops->close(b);
	bridge_unload(b);
}

const char *bridge_error(const struct bridge *b)
{
	return b->error;
}

/* ---- worker ---------------------------------------------------------------------------------- */

static void on_lost(struct lcore_event *ev)
{
	struct bridge *b = container_of(ev, struct bridge_local, lost)->bridge;

	if (b->lost_told || b->unplugging || !b->plugged)
		return;
	b->lost_told = true;
	b->cb->lost(b->ctx);
}

void bridge_lose(struct lcore *lc, struct bridge *b)
{
	struct bridge_local *local = &b->local[lcore_index(lc)];

	if (local->lost_told)
		return;
	local->lost_told = true;
	local->lost.fn = on_lost;
	lcore_event_post(lc, &local->lost);
}

static void on_detached(struct lcore_event *ev);

static void msg_attach(struct lcore *lc, struct lcore_msg *msg)
{
	struct bridge *b = msg->arg;
	struct bridge_local *local = &b->local[lcore_index(lc)];

	local->attached = true;
	local->lost_told = false;
	if (lcore_index(lc) == b->port.home && msg->u[0] != 0)
		hub_port_join(lc, &b->port);
	if (b->ops->attach(lc, b) != 0)
		bridge_lose(lc, b);
}

static void msg_detach(struct lcore *lc, struct lcore_msg *msg)
{
	struct bridge *b = msg->arg;
	struct bridge_local *local = &b->local[lcore_index(lc)];

	if (local->attached)
		b->ops->detach(lc, b);
	local->attached = false;
	if (lcore_index(lc) == b->port.home)
		hub_port_leave(lc, &b->port);
	local->detached.fn = on_detached;
	lcore_event_post(lc, &local->detached);
}

/* ---- control thread -------------------------------------------------------------------------- */

/* Reserves one place on the ring of each worker that has to do with it, or none. */
static int reserve_all(struct bridge *b)
{
	for (unsigned i = 0; i < b->workers; i++) {
		int rc = b->local[i].involved ? lcore_msg_reserve(lcore_get(i), 1) : 0;

		if (rc == 0)
			continue;
		while (i-- > 0)
			if (b->local[i].involved)
				lcore_msg_unreserve(lcore_get(i), 1);
		return rc;
	}
	return 0;
}

static void attach_post(struct bridge *b, unsigned worker)
{
	lcore_msg_post(lcore_get(worker),
		&(struct lcore_msg){.fn = msg_attach, .arg = b, .u = {b->link_up}});
}

/* The default policy has no rule but the storm limiter, and that is off for bridges unless asked for. */
static int set_rules(struct bridge *b)
{
	const struct policy_input nothing = {.user_name = access_name_key("Local Bridge")};
	struct policy policy;

	b->port.party.user = access_name_key("Local Bridge");
	if (!b->limit_storms)
		return 0;
	policy_compile(&nothing, &policy);
	return port_rules_set(&b->port, &policy);
}

int bridge_plug(struct bridge *b)
{
	bool gone = false;
	int rc = set_rules(b);

	if (rc != 0)
		return rc;
	rc = port_reserve(&b->port);
	if (rc != 0)
		return rc;
	rc = reserve_all(b);
	if (rc != 0) {
		port_release(&b->port);
		return rc;
	}
	b->plugged = true;
	b->unplugging = false;
	b->lost_told = false;
	b->link_up = b->ops->link(b, &gone);
	/* Home first: what the others receive finds the port there when it is answered. */
	attach_post(b, b->port.home);
	for (unsigned i = 0; i < b->workers; i++)
		if (b->local[i].involved && i != b->port.home)
			attach_post(b, i);
	bridge_link_watch(b);
	return 0;
}

/* The messages wait for room with the grace periods if need be, like a session's last one. */
static void detach_post(void *arg)
{
	struct bridge *b = arg;

	for (unsigned i = 0; i < b->workers; i++) {
		uint64_t bit = UINT64_C(1) << i;

		if ((b->detach_left & bit) == 0 || lcore_msg_reserve(lcore_get(i), 1) != 0)
			continue;
		b->detach_left &= ~bit;
		lcore_msg_post(lcore_get(i), &(struct lcore_msg){.fn = msg_detach, .arg = b});
	}
	if (b->detach_left != 0)
		grace_defer(&b->grace, detach_post, b);
}

void bridge_unplug(struct bridge *b)
{
	if (!b->plugged || b->unplugging)
		return;
	b->unplugging = true;
	bridge_link_unwatch(b);
	b->waiting = 0;
	b->detach_left = 0;
	for (unsigned i = 0; i < b->workers; i++) {
		if (!b->local[i].involved)
			continue;
		b->waiting++;
		b->detach_left |= UINT64_C(1) << i;
	}
	detach_post(b);
}

static void nobody_left(void *arg)
{
	struct bridge *b = arg;

	port_release(&b->port);
	b->plugged = false;
	b->cb->unplugged(b->ctx);
}

static void on_detached(struct lcore_event *ev)
{
	struct bridge *b = container_of(ev, struct bridge_local, detached)->bridge;

	if (--b->waiting == 0)
		grace_defer(&b->grace, nobody_left, b);
}

/* ---- view ------------------------------------------------------------------------------------ */

void bridge_view(const struct bridge *b, struct bridge_view *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < b->workers; i++)
		stats_fold(&out->port, b->port.stats[i]);
	out->plugged = b->plugged && !b->unplugging;
	if (!out->plugged)
		return;
	out->link_up = b->link_up;
	snprintf(out->mac, sizeof(out->mac), "%s", b->mac);
	snprintf(out->driver, sizeof(out->driver), "%s", b->driver);
	out->rx_queues = b->rx_cnt;
	out->tx_queues = b->tx_cnt;
	out->worker = b->port.home;
	out->missed = b->missed;
	out->faults = b->faults;
	snprintf(out->note, sizeof(out->note), "%s", b->note);
}

uint32_t bridge_port_idx(const struct bridge *b)
{
	return b->port.idx;
}

void bridge_queues_text(const struct bridge *b, unsigned index, char *text, size_t size)
{
	size_t at = 0;

	if (size > 0)
		text[0] = '\0';
	if (!b->plugged || b->unplugging)
		return;
	for (unsigned i = 0; i < b->rx_cnt && at < size; i++)
		if (b->rx[i].worker == index)
			at += (size_t)snprintf(
				text + at, size - at, "%s%u", at > 0 ? " " : "", b->rx[i].queue);
}

/* ---- driver ---------------------------------------------------------------------------------- */

int bridge_driver_init(const char *state_dir, unsigned *restored)
{
	char path[PATH_MAX];
	int rc = bridge_link_init();

	snprintf(path, sizeof(path), "%s/offloads", state_dir);
	*restored = netdev_recover(path);
	if (rc == 0)
		rc = tap_init();
	if (rc != 0)
		bridge_driver_fini();
	return rc;
}

void bridge_driver_fini(void)
{
	tap_fini();
	ethdev_pool_fini();
	bridge_link_fini();
}
