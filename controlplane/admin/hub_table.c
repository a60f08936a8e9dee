/* SPDX-License-Identifier: BSD-3-Clause */
/* Lists of a hub's tables in slices (hub_table.h). */

#include "controlplane/admin/hub_table.h"

#include <openssl/rand.h>

#include "controlplane/admin/hub_lookup.h"
#include "controlplane/bridges.h"
#include "controlplane/registry.h"
#include "dataplane/lcore.h"

uint32_t hub_table_handle(uint64_t a, uint64_t b, uint16_t vlan)
{
	static uint64_t secret[3];
	const uint64_t part[3] = {a, b, vlan};
	uint64_t v = 0;

	if (secret[0] == 0 && RAND_bytes((uint8_t *)secret, sizeof(secret)) != 1)
		secret[0] = 1;
	for (unsigned round = 0; round < 3; round++) {
		v = (v ^ secret[round] ^ part[round]) * UINT64_C(0x9e3779b97f4a7c15);
		v ^= v >> 29;
	}
	return (uint32_t)(v >> 32) == 0 ? 1 : (uint32_t)(v >> 32);
}

int64_t hub_table_calendar_ms(uint32_t clock_s)
{
	return directory_now_ms() - ((int64_t)lcore_clock_s() - clock_s) * 1000;
}

const char *hub_table_session_name(uint32_t port_idx)
{
	const struct vpn_session *vs = registry_session_by_port(port_idx);
	const struct local_bridge *lb = vs == NULL ? bridges_by_port(port_idx) : NULL;

	return vs != NULL ? vs->name : lb != NULL ? lb->session_name : "";
}

int hub_table_list_step(struct admin_call *call, const char *list,
	void (*put)(struct admin_call *call, struct hub *hub, uint64_t *cursor, size_t max))
{
	struct hub_table_walk *st = call->state;
	struct directory_hub *hub;

	if (call->steps == 0) {
		int rc = admin_hub_lookup(call, &hub);

		if (rc != 0)
			return rc;
		st->hub = hub->hub;
		admin_put_str(call, "HubName", hub->name);
		admin_rows_begin(call, list);
	} else {
		hub = directory_hub_find(admin_get_str(call, "HubName"));
	}
	/* A hub that has gone meanwhile has no addresses. */
	if (hub == NULL || hub->hub != st->hub)
		st->cursor = UINT64_MAX;
	if (st->cursor != UINT64_MAX && admin_room(call))
		put(call, hub->hub, &st->cursor,
			call->row_budget < HUB_TABLE_BATCH ? call->row_budget : HUB_TABLE_BATCH);
	if (st->cursor != UINT64_MAX)
		return ADMIN_MORE;
	admin_rows_end(call);
	return ADMIN_DONE;
}

int hub_table_search(struct admin_call *call, struct hub *hub, uint64_t *cursor,
	int (*look)(struct admin_call *call, struct hub *hub, uint64_t *cursor))
{
	while (*cursor != UINT64_MAX) {
		int rc = look(call, hub, cursor);

		if (rc != 0)
			return rc;
		/* Looking is cheaper than making rows. */
		admin_spend(call, 4);
		if (*cursor != UINT64_MAX && !admin_room(call))
			return ADMIN_MORE;
	}
	return ADMIN_DONE;
}
