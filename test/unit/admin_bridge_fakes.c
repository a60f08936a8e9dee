/* SPDX-License-Identifier: BSD-3-Clause */
/* Local bridges for the administration's tests: there are none, and adding one finds the list full. */

#include <errno.h>
#include <string.h>

#include "controlplane/bridges.h"
#include "controlplane/notice_log.h"

const char *bridges_state_name(enum bridges_state)
{
	return "waiting";
}

struct local_bridge *bridges_next(uint64_t)
{
	return NULL;
}

struct local_bridge *bridges_by_port(uint32_t)
{
	return NULL;
}

unsigned bridges_up(const struct directory_hub *)
{
	return 0;
}

struct local_bridge *bridges_session_find(const struct directory_hub *, const char *)
{
	return NULL;
}

void bridges_view(const struct local_bridge *, struct bridge_view *out)
{
	memset(out, 0, sizeof(*out));
}

int bridges_add(const struct directory_bridge *, struct bridges_change **)
{
	return -ENOSPC;
}

int bridges_delete(const char *, const char *, struct bridges_change **)
{
	return -ENOENT;
}

bool bridges_change_done(const struct bridges_change *, int *error)
{
	*error = 0;
	return true;
}

void bridges_change_forget(struct bridges_change *)
{
}

void bridge_queues_text(const struct bridge *, unsigned, char *text, size_t size)
{
	if (size > 0)
		text[0] = '\0';
}

void notice_log_counters(struct notice_log_counters *out)
{
	*out = (struct notice_log_counters){.lost = 2, .held = 5};
}
