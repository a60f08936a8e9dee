/* SPDX-License-Identifier: BSD-3-Clause */
/* A hub's life, its members, and what the control thread asks of it. */

#include "dataplane/hub.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "dataplane/hub_priv.h"

/* Control thread writes, workers read while online (hub_by_ref()). */
static struct {
	_Atomic(struct hub *) hub[HUB_MAX];
	uint16_t gen[HUB_MAX]; /* control thread: of the hub that is there or comes next */
	uint32_t rotor;	       /* where the search for a free slot goes on */
} hubs;

/* One call for all hubs: the control thread then looks through them. */
static struct {
	struct lcore_event event;
	_Atomic bool posted;
	void (*fn)(void);
} pressure;

static void pressure_told(struct lcore_event *)
{
	/* First: a worker that finds it taken back posts again. */
	atomic_store(&pressure.posted, false);
	if (pressure.fn != NULL)
		pressure.fn();
}

void hub_on_pressure(void (*fn)(void))
{
	pressure.fn = fn;
}

void hub_press(struct lcore *lc, struct hub *hub)
{
	if (!fdb_call(hub->fdb) || atomic_exchange(&pressure.posted, true))
		return;
	pressure.event.fn = pressure_told;
	lcore_event_post(lc, &pressure.event);
}

/* ---- life: control thread --------------------------------------------------------------------- */

static_assert(FDB_PORTS == PORT_MAX, "a MAC entry names any port");

static int hub_publish(struct hub *hub)
{
	for (uint32_t k = 0; k < HUB_MAX; k++) {
		uint32_t idx = (hubs.rotor + k) % HUB_MAX;

		if (atomic_load_explicit(&hubs.hub[idx], memory_order_relaxed) != NULL)
			continue;
		hubs.rotor = idx + 1;
		hub->ref = idx | (uint32_t)hubs.gen[idx] << 16;
		/* Release: a worker that finds the hub finds it filled in. */
		atomic_store_explicit(&hubs.hub[idx], hub, memory_order_release);
		return 0;
	}
	return -ENOSPC;
}

static void hub_unpublish(struct hub *hub)
{
	uint32_t idx = hub->ref & 0xffff;

	hubs.gen[idx]++;
	atomic_store_explicit(&hubs.hub[idx], NULL, memory_order_release);
}

struct hub *hub_by_ref(uint32_t ref)
{
	struct hub *hub = atomic_load_explicit(&hubs.hub[ref & 0xffff], memory_order_acquire);

	return hub != NULL && hub->ref == ref ? hub : NULL;
}

struct hub *hub_create(const struct hub_conf *conf)
{
	struct fdb_conf fdb = {
		.max_entries = conf->max_macs != 0 ? conf->max_macs : 65536,
		.age_s = conf->mac_age_s != 0 ? conf->mac_age_s : 600,
		.socket = -1,
		.gens = port_gens,
	};
	struct iptable_conf ips = {
		.max_entries = conf->max_ips != 0 ? conf->max_ips : 65536,
		.age_s = 60,
		.lease_age_s = 300,
	};
	unsigned locals = lcore_count();
	size_t size_bytes = sizeof(struct hub) + locals * sizeof(struct hub_local);
	struct hub_options options;
	struct hub *hub;
	int err;

	if (locals == 0) {
		errno = EINVAL;
		return NULL;
	}
	if (getrandom(fdb.secret, sizeof(fdb.secret), 0) != (ssize_t)sizeof(fdb.secret) ||
		getrandom(ips.secret, sizeof(ips.secret), 0) != (ssize_t)sizeof(ips.secret)) {
		errno = EIO;
		return NULL;
	}
	hub = aligned_alloc(64, size_bytes);
	if (hub == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	memset(hub, 0, size_bytes);
	hub->locals = locals;
	/* No frame has this address. */
	hub->probe_mac = conf->probe_mac != 0 ? conf->probe_mac : UINT64_MAX;
	for (unsigned i = 0; i < locals; i++) {
		TAILQ_INIT(&hub->local[i].members);
		TAILQ_INIT(&hub->local[i].mirrors);
	}
	hub->fdb = fdb_create(&fdb);
	if (hub->fdb == NULL) {
		err = -errno;
		goto fail;
	}
	hub->ips = iptable_create(&ips);
	if (hub->ips == NULL) {
		err = -errno;
		goto fail_fdb;
	}
	hub->probe_cursor = UINT64_MAX;
	hub_options_default(&options);
	err = hub_set_options(hub, &options);
	if (err != 0)
		goto fail_ips;
	err = hub_publish(hub);
	if (err != 0)
		goto fail_rules;
	return hub;

fail_rules:
	free(atomic_load_explicit(&hub->rules, memory_order_relaxed));
fail_ips:
	iptable_destroy(hub->ips);
fail_fdb:
	fdb_destroy(hub->fdb);
fail:
	free(hub);
	errno = -err;
	return NULL;
}

static void hub_free(void *arg)
{
	struct hub *hub = arg;
	void (*done)(void *) = hub->done;
	void *done_arg = hub->done_arg;

	if (!hub_probes_end(hub)) {
		grace_defer(&hub->grace, hub_free, hub);
		return;
	}
	port_table_hub_gone(hub);
	fdb_destroy(hub->fdb);
	iptable_destroy(hub->ips);
	hub_access_end(hub);
	free(atomic_load_explicit(&hub->rules, memory_order_relaxed));
	free(hub);
	if (done != NULL)
		done(done_arg);
}

int hub_destroy(struct hub *hub, void (*done)(void *arg), void *arg)
{
	if (hub_members(hub) != 0)
		return -EBUSY;
	hub_set_online(hub, false);
	hub_unpublish(hub);
	hub->done = done;
	hub->done_arg = arg;
	/*
	 * A worker reaches a hub through one of its ports (there is none any more) or through a relay,
	 * which is looked up by hub_by_ref() in the turn that uses it. Both are over after a grace period.
	 */
	grace_defer(&hub->grace, hub_free, hub);
	return 0;
}

void hub_set_online(struct hub *hub, bool online)
{
	atomic_store_explicit(&hub->online, online, memory_order_relaxed);
}

bool hub_online(const struct hub *hub)
{
	return atomic_load_explicit(&hub->online, memory_order_relaxed);
}

/* ---- members: home worker --------------------------------------------------------------------- */

static void joined_set(struct hub_local *local, uint32_t by)
{
	uint32_t n = atomic_load_explicit(&local->joined, memory_order_relaxed);

	atomic_store_explicit(&local->joined, n + by, memory_order_relaxed);
}

void hub_port_join(struct lcore *lc, struct port *port)
{
	struct hub *hub = port->hub;
	struct hub_local *local = &hub->local[lc->index];

	if (port->joined)
		return;
	port->joined = true;
	port->joined_ms = lc->now_ms;
	port->last_in_s = lc->now_s;
	atomic_store_explicit(&port->blocked_until_s, 0, memory_order_relaxed);
	atomic_store_explicit(&port->ip_cnt[0], 0, memory_order_relaxed);
	atomic_store_explicit(&port->ip_cnt[1], 0, memory_order_relaxed);
	joined_set(local, 1);
	if ((port->flags & PORT_F_MIRROR) != 0) {
		if (TAILQ_EMPTY(&local->mirrors))
			atomic_fetch_or_explicit(&hub->mirror_workers, UINT64_C(1) << lc->index,
				memory_order_relaxed);
		TAILQ_INSERT_TAIL(&local->mirrors, port, member);
	} else {
		if (TAILQ_EMPTY(&local->members))
			atomic_fetch_or_explicit(
				&hub->workers, UINT64_C(1) << lc->index, memory_order_relaxed);
		TAILQ_INSERT_TAIL(&local->members, port, member);
		local->devices += (port->flags & PORT_F_MBUF) != 0;
	}
	/* Release pairs with the acquire in port_get(): who finds the port finds it filled in. */
	atomic_store_explicit(&port_table[port->idx].port, port, memory_order_release);
}

void hub_port_leave(struct lcore *lc, struct port *port)
{
	struct hub *hub = port->hub;
	struct hub_local *local = &hub->local[lc->index];

	if (!port->joined)
		return;
	port->joined = false;
	/* From here on every MAC entry that names the port is a miss, on any worker. */
	atomic_store_explicit(&port_gens[port->idx], (port->gen + 1) & ((1u << PORT_GEN_BITS) - 1),
		memory_order_release);
	atomic_store_explicit(&port_table[port->idx].port, NULL, memory_order_release);
	joined_set(local, -1u);
	if ((port->flags & PORT_F_MIRROR) != 0) {
		if (local->walk_next == port)
			local->walk_next = TAILQ_NEXT(port, member);
		TAILQ_REMOVE(&local->mirrors, port, member);
		if (TAILQ_EMPTY(&local->mirrors))
			atomic_fetch_and_explicit(&hub->mirror_workers, ~(UINT64_C(1) << lc->index),
				memory_order_relaxed);
		return;
	}
	/* A flood may be walking the list, and this call come from the port it has just served. */
	if (local->walk_next == port)
		local->walk_next = TAILQ_NEXT(port, member);
	TAILQ_REMOVE(&local->members, port, member);
	local->devices -= (port->flags & PORT_F_MBUF) != 0;
	if (TAILQ_EMPTY(&local->members))
		atomic_fetch_and_explicit(
			&hub->workers, ~(UINT64_C(1) << lc->index), memory_order_relaxed);
}

/* ---- counting: the worker that touches the port ----------------------------------------------- */

/* The port's block for this worker; the lcore's stands in when a driver gave none. */
static inline struct stats_block *port_stats(struct lcore *lc, struct port *port)
{
	return port->stats[lc->index];
}

void hub_count_drop_in(struct lcore *lc, struct port *port, enum stats_drop_in reason, unsigned n)
{
	struct stats_block *level[] = {
		port_stats(lc, port), &port->hub->local[lc->index].stats, &lc->stats};

	for (unsigned i = 0; i < 3; i++) {
		if (level[i] == NULL)
			continue;
		level[i]->in.unicast_frames += n;
		level[i]->drop_in[reason] += n;
	}
}

void hub_count_copies(struct lcore *lc, struct port *port, unsigned n)
{
	struct stats_block *own = port_stats(lc, port);

	if (own != NULL)
		own->copies += n;
	port->hub->local[lc->index].stats.copies += n;
	lc->stats.copies += n;
}

void hub_count_sent(struct lcore *lc, struct port *port, const struct stats_traffic *t)
{
	struct stats_block *own = port_stats(lc, port);

	if (own != NULL)
		stats_traffic_add(&own->out, t);
	stats_traffic_add(&port->hub->local[lc->index].stats.out, t);
	stats_traffic_add(&lc->stats.out, t);
}

void hub_count_drop_out(struct lcore *lc, struct port *port, enum stats_drop_out reason, unsigned n)
{
	struct stats_block *own = port_stats(lc, port);

	if (own != NULL)
		own->drop_out[reason] += n;
	port->hub->local[lc->index].stats.drop_out[reason] += n;
	lc->stats.drop_out[reason] += n;
}

void hub_flood_waiting(struct lcore *lc, struct port *port, int64_t more)
{
	/* Modulo 2^64: a negative one takes away what was added before. */
	port->hub->local[lc->index].flood_waiting += (uint64_t)more;
}

void hub_count_lost(struct lcore *lc, struct hub *hub, enum stats_drop_out reason, unsigned n)
{
	if (hub != NULL) {
		hub->local[lc->index].stats.copies += n;
		hub->local[lc->index].stats.drop_out[reason] += n;
	}
	lc->stats.copies += n;
	lc->stats.drop_out[reason] += n;
}

/* ---- control thread --------------------------------------------------------------------------- */

struct fdb *hub_fdb(struct hub *hub)
{
	return hub->fdb;
}

struct port_quarantine *hub_quarantine(const struct hub *hub)
{
	/* The quarantine is the port table's; a hub only keeps it. */
	return (struct port_quarantine *)(uintptr_t)&hub->quarantine;
}

int hub_mac_delete(struct hub *hub, uint64_t mac, uint16_t vlan)
{
	return fdb_delete(hub->fdb, fdb_key(mac, vlan));
}

void hub_stats(const struct hub *hub, struct stats_block *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < hub->locals; i++)
		stats_fold(out, &hub->local[i].stats);
}

unsigned hub_members(const struct hub *hub)
{
	unsigned n = 0;

	for (unsigned i = 0; i < hub->locals; i++)
		n += atomic_load_explicit(&hub->local[i].joined, memory_order_relaxed);
	return n;
}

void hub_housekeep(struct hub *hub, unsigned slots)
{
	fdb_sweep(hub->fdb, slots, lcore_clock_s());
	port_table_swept(hub, fdb_sweep_passes(hub->fdb));
	iptable_sweep(hub->ips, slots / 8 + 1, lcore_clock_s());
	hub_probe(hub, lcore_clock_ms());
}

size_t hub_ip_list(const struct hub *hub, uint64_t *cursor, struct iptable_entry *out, size_t max)
{
	return iptable_list(hub->ips, cursor, out, max, lcore_clock_s());
}

int hub_ip_delete(struct hub *hub, const uint8_t addr[16], uint16_t vlan)
{
	return iptable_delete(hub->ips, addr, vlan);
}

const struct iptable *hub_iptable(const struct hub *hub)
{
	return hub->ips;
}
