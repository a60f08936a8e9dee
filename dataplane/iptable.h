/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_IPTABLE_H
#define PATCHBAY_DATAPLANE_IPTABLE_H

/*
 * IP table of one hub (reference/hub.md 5): which port an address lives behind. Policies go by it (MaxIP,
 * NoRouting, CheckIP, DHCPForce and their IPv6 twins) and administrators read it.
 *
 * Shape: buckets of eight entries, two candidate buckets per key {address, VLAN} (keyed hash, secret per
 * table). The whole table is reserved as address space and costs memory where it is used; a bitmap says
 * which buckets ever were, so that walks cost what there is.
 *
 * Who writes: any worker, in the turn in which it saw the frame; the control thread removes what is old.
 * Each entry has a version, odd while it is being written: a writer takes it by compare-and-swap or
 * gives up (not learned this time, counted), a reader that finds it odd or changed takes the entry for
 * absent. So nobody waits. A refresh, at most once a second, is one CAS of the owner word alone.
 *
 * An entry names its port by index and generation, as a MAC entry does: when the port leaves its entries are
 * dead at once. An entry lives 60 s after it was last seen, 300 s if a DHCP server assigned it.
 *
 * Full: at most max_entries. Then of the sixteen entries that share the new one's buckets the one goes whose life would
 * end first; so it is in a bucket pair that has no free place. Two workers that learn one key in the same moment may make two
 * entries; the one that no lookup finds grows old and goes.
 *
 * The number of entries of a port is kept in the port (port.h, ip_cnt); exact when one worker receives its
 * frames, else each further worker may add one.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct iptable;
struct port;

struct iptable_conf {
	uint32_t max_entries; /* 16 .. 16 777 216 */
	uint32_t age_s;	      /* 60 */
	uint32_t lease_age_s; /* 300 */
	uint64_t secret[2];
};

enum iptable_result {
	IPTABLE_KNOWN = 0, /* the port's own, refreshed */
	IPTABLE_LEARNED,
	IPTABLE_MOVED,	 /* was another port's */
	IPTABLE_IGNORED, /* not in the table, and not to be put there */
	IPTABLE_RACED,	 /* lost against another writer: not learned this time */
	/* The rules in `seen` refuse it: nothing was changed. */
	IPTABLE_CONFLICT,   /* another port used it within 13 s */
	IPTABLE_NO_LEASE,   /* no DHCP server assigned it to this port */
	IPTABLE_OVER_LIMIT, /* the port holds as many as it may */
};

struct iptable_seen {
	const uint8_t *addr; /* 16 bytes; IPv4 as ::ffff:a.b.c.d */
	uint16_t vlan;
	uint64_t mac;
	bool managed;	/* it may be put into the table */
	bool exclusive; /* CheckIP */
	bool leased;	/* DHCPForce */
	uint32_t limit; /* entries of its family the port may hold; 0 = any number */
};

struct iptable_entry {
	uint8_t addr[16];
	uint16_t vlan;
	uint64_t mac;
	uint32_t port_idx;
	uint16_t port_gen;
	bool leased;
	uint32_t created_s; /* lcore_clock_s() */
	uint32_t updated_s;
};

struct iptable_counters {
	uint64_t learned;
	uint64_t moved;
	uint64_t evicted; /* gave way to a new one while still alive */
	uint64_t raced;
	uint64_t aged; /* or their port had left */
};

/* NULL with errno ENOMEM or EINVAL. Control thread. */
struct iptable *iptable_create(const struct iptable_conf *conf);
/* After a grace period without readers. NULL is fine. Control thread. */
void iptable_destroy(struct iptable *t);

/* An address was seen as source on `port`. Worker, online reader; never waits. */
enum iptable_result iptable_learn(
	struct iptable *t, const struct iptable_seen *seen, struct port *port, uint32_t now_s);
/* A DHCP server assigned it to the host behind `port`: made or overwritten, whatever limits say. As above. */
enum iptable_result iptable_lease(
	struct iptable *t, const struct iptable_seen *seen, struct port *port, uint32_t now_s);

/*
 * Copies live entries from *cursor (start with 0) into out[0..max-1]; returns the number and moves the
 * cursor; *cursor == UINT64_MAX at the end, and only then: 0 entries alone do not mean the end. An entry that
 * exists throughout is reported once. Control thread, slice by slice.
 */
size_t iptable_list(const struct iptable *t, uint64_t *cursor, struct iptable_entry *out,
	size_t max, uint32_t now_s);
/* Removes one entry: 0 or -ENOENT. Control thread. */
int iptable_delete(struct iptable *t, const uint8_t addr[16], uint16_t vlan);
/* Removes what is old or whose port has left, in up to `buckets` used buckets. Control thread. */
void iptable_sweep(struct iptable *t, unsigned buckets, uint32_t now_s);

/* Any thread. Not yet swept entries count. */
uint32_t iptable_count(const struct iptable *t);
void iptable_counters(const struct iptable *t, struct iptable_counters *out);

/* ::ffff:a.b.c.d? */
static inline bool iptable_is_ip4(const uint8_t addr[16])
{
	uint64_t hi, lo;

	__builtin_memcpy(&hi, addr, 8);
	__builtin_memcpy(&lo, addr + 8, 8);
	return hi == 0 && (lo & 0xffffffff) == 0xffff0000;
}

#endif
