/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_HUB_TABLE_H
#define PATCHBAY_CONTROLPLANE_ADMIN_HUB_TABLE_H

/*
 * What the methods of a hub's MAC table and IP table share. Both tables change while they are listed: a list is made in
 * slices, from a cursor that the table itself understands, UINT64_MAX at the end. Control thread only.
 *
 * Key, the 32-bit handle by which the protocol deletes an entry, is a keyed hash of what names the entry: it means the
 * same entry in every list, whatever the table does in between, and a peer cannot choose addresses that share one. Two
 * entries may still share a handle (one pair among 65 536 is as likely as not); such a delete is refused, and fields of
 * ours say which is meant.
 */

#include <stddef.h>
#include <stdint.h>

#include "controlplane/admin/call.h"
#include "dataplane/hub.h"

/* Entries copied out of a table at a time. */
#define HUB_TABLE_BATCH 64u

/* Never 0, which in a request means that no handle is given. */
uint32_t hub_table_handle(uint64_t a, uint64_t b, uint16_t vlan);

/* The tables' clock to the calendar. */
int64_t hub_table_calendar_ms(uint32_t clock_s);

/* Name of the session or local bridge that has this port; "" if it has gone. */
const char *hub_table_session_name(uint32_t port_idx);

/* call->state of a list; zeroed at the start. */
struct hub_table_walk {
	uint64_t cursor;
	const struct hub *hub; /* only compared: a new hub of the same name is another list */
};

/*
 * One step of a list: HubName, then `list` with what `put` makes of up to `max` entries from *cursor on.
 */
int hub_table_list_step(struct admin_call *call, const char *list,
	void (*put)(struct admin_call *call, struct hub *hub, uint64_t *cursor, size_t max));

/*
 * Looks a slice of a table through. `look` takes up to HUB_TABLE_BATCH entries from *cursor on; what it returns but 0
 * ends the call. ADMIN_DONE: all looked through; ADMIN_MORE: again in the next step.
 */
int hub_table_search(struct admin_call *call, struct hub *hub, uint64_t *cursor,
	int (*look)(struct admin_call *call, struct hub *hub, uint64_t *cursor));

#endif
