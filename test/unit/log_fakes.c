/* SPDX-License-Identifier: BSD-3-Clause */
/* The logs of auditors for tests of what writes into them: nothing is kept. */

#include "controlplane/logs/logs.h"
#include "dataplane/hub.h"
#include "dataplane/packet_log.h"

void logs_event(uint32_t, enum log_event, const struct log_field *)
{
}

void logs_port_set(uint32_t, const char *, const struct sockaddr_storage *)
{
}

void logs_counters(struct logs_counters *out)
{
	*out = (struct logs_counters){.written = 7, .lost_disk = 1};
}

const char *logs_folder(void)
{
	return "/nonexistent";
}

bool logs_is_json(void)
{
	return false;
}

uint32_t hub_log_id(const struct hub *)
{
	return 0;
}

uint64_t hub_packets_unlogged(const struct hub *)
{
	return 3;
}
