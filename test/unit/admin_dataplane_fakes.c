/* SPDX-License-Identifier: BSD-3-Clause */
/* The data path for the administration's tests: workers, hubs, MAC and IP tables, out of struct admin_fakes. */

#include "test/unit/admin_fakes.h"

#include <errno.h>
#include <string.h>

unsigned lcore_count(void)
{
	return fakes.lcore_cnt;
}

void lcore_view(unsigned index, struct lcore_view *out)
{
	*out = fakes.lcores[index];
	out->index = index;
}

unsigned lcore_mbufs_in_use(void)
{
	return 0;
}

bool lcore_quiet(void)
{
	return fakes.quiet;
}

uint64_t lcore_clock_ms(void)
{
	return fakes.clock_ms;
}

uint32_t lcore_clock_s(void)
{
	return (uint32_t)(fakes.clock_ms / 1000);
}

void hub_stats(const struct hub *hub, struct stats_block *out)
{
	*out = hub->stats;
}

struct fdb *hub_fdb(struct hub *hub)
{
	return (struct fdb *)hub;
}

const struct iptable *hub_iptable(const struct hub *)
{
	return NULL;
}

uint32_t iptable_count(const struct iptable *)
{
	return 3;
}

/* Three addresses: 192.0.2.1, .2 and fd00::1. */
size_t hub_ip_list(const struct hub *, uint64_t *cursor, struct iptable_entry *out, size_t max)
{
	size_t n = 0;

	for (; n < max && *cursor < 3; (*cursor)++, n++) {
		out[n] = (struct iptable_entry){.port_idx = 1,
			.mac = 7,
			.leased = *cursor == 1,
			.created_s = 40,
			.updated_s = 90};
		if (*cursor < 2)
			memcpy(out[n].addr,
				(uint8_t[16]){[10] = 255, 255, 192, 0, 2, (uint8_t)(*cursor + 1)},
				16);
		else
			memcpy(out[n].addr, (uint8_t[16]){0xfd, [15] = 1}, 16);
	}
	if (*cursor >= 3)
		*cursor = UINT64_MAX;
	return n;
}

int hub_ip_delete(struct hub *, const uint8_t addr[16], uint16_t vlan)
{
	memcpy(fakes.deleted_ip, addr, 16);
	return addr[15] <= 2 && vlan == 0 ? 0 : -ENOENT;
}

int hub_mac_delete(struct hub *hub, uint64_t mac, uint16_t vlan)
{
	if (mac < UINT64_C(0x020000000000) || mac >= UINT64_C(0x020000000000) + hub->mac_cnt)
		return -ENOENT;
	hub->deleted_mac = mac;
	hub->deleted_vlan = vlan;
	return 0;
}

uint32_t fdb_count(const struct fdb *fdb)
{
	return ((const struct hub *)fdb)->mac_cnt;
}

uint32_t fdb_capacity_bound(const struct fdb *)
{
	return 65536;
}

void fdb_counters(const struct fdb *, struct fdb_counters *out)
{
	*out = (struct fdb_counters){.learned = 5, .aged = 2};
}

size_t fdb_list(const struct fdb *fdb, uint64_t *cursor, struct fdb_entry *out, size_t max)
{
	const struct hub *hub = (const struct hub *)fdb;
	size_t n = 0;

	while (n < max && *cursor < hub->mac_cnt) {
		out[n] = (struct fdb_entry){
			.mac = UINT64_C(0x020000000000) + *cursor,
			.port_idx = 1,
			.created_s = 40,
			.updated_s = 90,
		};
		(*cursor)++;
		n++;
	}
	if (*cursor >= hub->mac_cnt)
		*cursor = UINT64_MAX;
	fakes.fdb_listed += n;
	return n;
}
