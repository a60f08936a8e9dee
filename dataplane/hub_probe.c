/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The hub's probes (reference/hub.md 5.4): every 5 s each host in the IP table is asked for its address, by
 * unicast and on its own port only, so that silent hosts stay in both tables.
 *
 * The control thread walks the table in slices and gives each worker a batch at a time of the hosts that
 * stand behind its ports; the worker makes the frames. A worker that has not done with its batch gets no
 * other: the hosts that the walk meets meanwhile are asked in the next round.
 */

#include <stdlib.h>

#include "dataplane/byte_order.h"
#include "dataplane/frame.h"
#include "dataplane/hub_priv.h"
#include "dataplane/inet_sum.h"
#include "dataplane/iptable.h"

#define PROBE_PERIOD_MS 5000u
#define PROBE_BATCH	256u  /* hosts */
#define PROBE_SLICE	1024u /* entries of the table that one call looks at */
#define PROBE_BYTES	90u   /* longest: IPv6, tagged */

struct probe_target {
	uint8_t addr[16];
	uint64_t mac;
	uint32_t port_idx;
	uint16_t port_gen;
	uint16_t vlan;
};

/* Control thread fills it while `busy` is false; the worker empties it and says so. */
struct probe_batch {
	_Atomic bool busy;
	struct hub *hub;
	unsigned n;
	struct probe_target target[PROBE_BATCH];
};

/* ---- frames ----------------------------------------------------------------------------------- */

static uint32_t ethernet(uint8_t *p, const struct probe_target *t, uint64_t self, uint32_t type)
{
	uint32_t at = 12;

	frame_mac_put(p, t->mac);
	frame_mac_put(p + 6, self);
	if (t->vlan != 0) {
		memcpy(p + at, (uint8_t[]){0x81, 0, (uint8_t)(t->vlan >> 8), (uint8_t)t->vlan}, 4);
		at += 4;
	}
	p[at] = (uint8_t)(type >> 8);
	p[at + 1] = (uint8_t)type;
	return at + 2;
}

static uint32_t arp(uint8_t *p, const struct probe_target *t, uint64_t self)
{
	static const uint8_t request[] = {0, 1, 8, 0, 6, 4, 0, 1};
	uint32_t at = ethernet(p, t, self, 0x0806);
	uint8_t *a = p + at, from[4];

	hub_probe_ip4(self, from);
	memcpy(a, request, sizeof(request));
	frame_mac_put(a + 8, self);
	memcpy(a + 14, from, 4);
	memcpy(a + 24, t->addr + 12, 4);
	return at + 28;
}

static uint32_t solicitation(uint8_t *p, const struct probe_target *t, uint64_t self)
{
	uint32_t at = ethernet(p, t, self, 0x86dd);
	uint8_t *a = p + at;

	a[0] = 0x60;
	a[5] = 32;
	a[6] = 58;
	a[7] = 255;
	hub_probe_ip6(self, a + 8);
	memcpy(a + 24, t->addr, 16);
	a[40] = 135;
	memcpy(a + 48, t->addr, 16);
	a[64] = 1; /* source link-layer address */
	a[65] = 1;
	frame_mac_put(a + 66, self);
	/* Over addresses and payload, its length and protocol. */
	put_be16(a + 42, ~inet_fold(inet_sum(a + 8, 64) + 32 + 58));
	return at + 72;
}

void hub_probe_ip4(uint64_t mac, uint8_t ip4[4])
{
	ip4[0] = 172;
	ip4[1] = 31;
	ip4[2] = (uint8_t)(mac >> 8);
	ip4[3] = (uint8_t)(1 + (mac & 0xff) % 254);
}

/* fe80:: and the MAC's modified EUI-64: fe80::2ae:xxff:fexx:xxxx. */
void hub_probe_ip6(uint64_t mac, uint8_t ip6[16])
{
	memset(ip6, 0, 16);
	ip6[0] = 0xfe;
	ip6[1] = 0x80;
	frame_mac_put(ip6 + 8, mac);
	memmove(ip6 + 13, ip6 + 11, 3);
	ip6[8] ^= 0x02;
	ip6[11] = 0xff;
	ip6[12] = 0xfe;
}

/* ---- worker ----------------------------------------------------------------------------------- */

static void probe_send(struct lcore *lc, struct hub *hub, const struct probe_target *t)
{
	struct port *port = port_get(t->port_idx, t->port_gen);
	uint8_t bytes[PROBE_BYTES] = {0}; /* what arp() and solicitation() leave out is zero */
	struct frame f = {.data = bytes};
	struct burst b;

	if (port == NULL || port->hub != hub || port->tx_lcore[lc->index] != lc->index)
		return;
	f.len = (uint16_t)(iptable_is_ip4(t->addr) ? arp(bytes, t, hub->probe_mac)
						   : solicitation(bytes, t, hub->probe_mac));
	burst_begin(&b, lc, hub);
	b.frame[0] = &f;
	b.n = 1;
	b.max_len = f.len;
	b.backed = false;
	b.borrowed = true;
	burst_to_port(&b, port, 1);
	burst_end(&b);
}

static void batch_run(struct lcore *lc, struct lcore_msg *msg)
{
	struct probe_batch *batch = msg->arg;

	for (unsigned i = 0; i < batch->n; i++)
		probe_send(lc, batch->hub, &batch->target[i]);
	/* The hub lives until this is false: see hub_probes_end(). */
	atomic_store_explicit(&batch->busy, false, memory_order_release);
}

/* ---- control thread --------------------------------------------------------------------------- */

static bool wanted(const struct hub *hub, const struct iptable_entry *e, uint32_t now_s)
{
	const struct hub_options *o = &hub_rules(hub)->options;

	return e->mac != 0 && now_s - e->created_s >= PROBE_PERIOD_MS / 1000 &&
		!(iptable_is_ip4(e->addr) ? o->no_address_polling_ipv4
					  : o->no_address_polling_ipv6);
}

/* The worker that sends to this entry's port; -1: nobody can. */
static int worker_of(const struct hub *hub, const struct iptable_entry *e)
{
	const struct port *port = port_get(e->port_idx, e->port_gen);

	return port != NULL && port->hub == hub ? port->tx_lcore[port->home] : -1;
}

static struct probe_batch *batch_of(struct hub *hub, unsigned worker)
{
	struct probe_batch *b = hub->probes[worker];

	if (b == NULL) {
		b = calloc(1, sizeof(*b));
		if (b == NULL)
			return NULL;
		b->hub = hub;
		hub->probes[worker] = b;
	}
	/* Acquire pairs with batch_run(). */
	return atomic_load_explicit(&b->busy, memory_order_acquire) ? NULL : b;
}

static void batches_send(struct hub *hub)
{
	for (unsigned w = 0; w < hub->locals; w++) {
		struct probe_batch *b = hub->probes[w];

		if (b == NULL || atomic_load_explicit(&b->busy, memory_order_acquire) || b->n == 0)
			continue;
		if (lcore_msg_reserve(lcore_get(w), 1) != 0) {
			b->n = 0;
			continue;
		}
		atomic_store_explicit(&b->busy, true, memory_order_relaxed);
		lcore_msg_post(lcore_get(w), &(struct lcore_msg){.fn = batch_run, .arg = b});
	}
}

void hub_probe(struct hub *hub, uint64_t now_ms)
{
	struct iptable_entry e;
	uint32_t now_s = (uint32_t)(now_ms / 1000) + 1;
	bool full = false;

	if (hub->probe_mac == UINT64_MAX || hub_rules(hub)->no_ips || !hub_online(hub))
		return;
	if (hub->probe_cursor == UINT64_MAX) {
		if (now_ms < hub->probe_due_ms)
			return;
		hub->probe_cursor = 0;
		hub->probe_due_ms = now_ms + PROBE_PERIOD_MS;
	}
	for (unsigned w = 0; w < hub->locals; w++) {
		struct probe_batch *b = hub->probes[w];

		if (b != NULL && !atomic_load_explicit(&b->busy, memory_order_acquire))
			b->n = 0;
	}
	for (unsigned i = 0; i < PROBE_SLICE && !full && hub->probe_cursor != UINT64_MAX; i++) {
		struct probe_batch *b;
		int worker;

		if (iptable_list(hub->ips, &hub->probe_cursor, &e, 1, now_s) == 0)
			continue;
		worker = wanted(hub, &e, now_s) ? worker_of(hub, &e) : -1;
		b = worker < 0 ? NULL : batch_of(hub, (unsigned)worker);
		if (b == NULL)
			continue;
		b->target[b->n] = (struct probe_target){
			.mac = e.mac,
			.port_idx = e.port_idx,
			.port_gen = e.port_gen,
			.vlan = e.vlan,
		};
		memcpy(b->target[b->n].addr, e.addr, sizeof(e.addr));
		full = ++b->n == PROBE_BATCH;
	}
	batches_send(hub);
}

bool hub_probes_end(struct hub *hub)
{
	for (unsigned w = 0; w < hub->locals; w++) {
		struct probe_batch *b = hub->probes[w];

		if (b != NULL && atomic_load_explicit(&b->busy, memory_order_acquire))
			return false;
	}
	for (unsigned w = 0; w < hub->locals; w++) {
		free(hub->probes[w]);
		hub->probes[w] = NULL;
	}
	return true;
}
