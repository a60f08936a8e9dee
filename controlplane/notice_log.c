/* SPDX-License-Identifier: BSD-3-Clause */
/* The workers' notices in the log (notice_log.h). */

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/bridges.h"
#include "controlplane/log.h"
#include "controlplane/logs/logs.h"
#include "controlplane/notice_log.h"
#include "controlplane/registry.h"
#include "dataplane/lcore.h"
#include "dataplane/notice.h"
#include "dataplane/packet_log.h"

#define BATCH 32u
/* As many lines of one kind or reason at once, and then a minute. */
#define LINES_BURST	 5u
#define LINES_PER_MINUTE 6u
/* Stations and leases: an auditor wants them one by one. */
#define STATIONS_BURST	    512u
#define STATIONS_PER_MINUTE 1200u
#define PORT_TEXT	    600u /* names of hub and session with some room */

static struct notice_log_counters counters;

/*
 * Who a port is. The index is another's only after two more passes over the MAC table, which this thread makes
 * behind notice_log_run(): a notice that is taken names nobody else.
 */
static void port_text(uint32_t port_idx, char out[PORT_TEXT])
{
	const struct vpn_session *vs = registry_session_by_port(port_idx);
	const struct local_bridge *lb = vs == NULL ? bridges_by_port(port_idx) : NULL;

	if (vs != NULL)
		snprintf(out, PORT_TEXT, "%s in hub \"%s\"", vs->name, vs->hub->name);
	else if (lb != NULL)
		snprintf(out, PORT_TEXT, "%s in hub \"%s\"", lb->session_name,
			lb->hub != NULL ? lb->hub->name : "");
	else
		snprintf(out, PORT_TEXT, "a session that has ended");
}

/* The same without the hub. */
static void port_name(uint32_t port_idx, char out[PORT_TEXT])
{
	const struct vpn_session *vs = registry_session_by_port(port_idx);
	const struct local_bridge *lb = vs == NULL ? bridges_by_port(port_idx) : NULL;

	snprintf(out, PORT_TEXT, "%s",
		vs != NULL	     ? vs->name
			: lb != NULL ? lb->session_name
				     : "(ended)");
}

/* "" for none; IPv4 as such. */
static void address_text(const uint8_t a[16], char out[INET6_ADDRSTRLEN])
{
	static const uint8_t none[16], mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(a, none, sizeof(none)) == 0)
		out[0] = '\0';
	else if (memcmp(a, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, a + sizeof(mapped), out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, a, out, INET6_ADDRSTRLEN);
}

static void mac_text(uint64_t mac, char out[18])
{
	snprintf(out, 18, "%02x:%02x:%02x:%02x:%02x:%02x", (unsigned)(mac >> 40 & 0xff),
		(unsigned)(mac >> 32 & 0xff), (unsigned)(mac >> 24 & 0xff),
		(unsigned)(mac >> 16 & 0xff), (unsigned)(mac >> 8 & 0xff), (unsigned)(mac & 0xff));
}

static void violation_text(const struct notice *n, const char *port, char *out, size_t size)
{
	char mac[18], src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], vlan[16] = "";

	mac_text(n->mac, mac);
	address_text(n->src, src);
	address_text(n->dst, dst);
	if (n->vlan != 0)
		snprintf(vlan, sizeof(vlan), " VLAN %u", n->vlan);
	snprintf(out, size, "%s: frame from %s%s%s%s%s%s dropped: %s (%s)", port, mac, vlan,
		src[0] != '\0' ? " " : "", src, dst[0] != '\0' ? " to " : "", dst,
		stats_drop_in_text(n->reason), stats_drop_in_name(n->reason));
}

void notice_log_text(const struct notice *n, char *out, size_t size)
{
	char port[PORT_TEXT], other[PORT_TEXT], mac[18];

	port_text(n->port_idx, port);
	switch (n->kind) {
	case NOTICE_VIOLATION:
		violation_text(n, port, out, size);
		return;
	case NOTICE_LOOP:
		port_text(n->other_idx, other);
		mac_text(n->mac, mac);
		snprintf(out, size, "loop: frames from %s of %s come back through %s", mac, other,
			port);
		return;
	case NOTICE_BLOCKED:
		port_text(n->other_idx, other);
		snprintf(out, size, "loop: %s is blocked for a time, because of a loop with %s",
			port, other);
		return;
	case NOTICE_LEARNED:
	case NOTICE_MOVED:
	case NOTICE_LEASE:
	case NOTICE_CNT:
		break; /* in the security log alone */
	}
	snprintf(out, size, "%s: notice of an unknown kind", port);
}

static bool is_of_station(const struct notice *n)
{
	return n->kind >= NOTICE_LEARNED;
}

/* How much of each kind is said of one hub; made with its first notice, goes with the hub. */
struct notice_limits {
	struct log_limit violations[STATS_DROP_IN_CNT], kinds[NOTICE_CNT];
};

static struct log_limit *limit_of(const struct notice *n, struct directory_hub *hub)
{
	/* Of those who have left their hub, and without memory. */
	static struct notice_limits nobodys;
	struct notice_limits *of = &nobodys;
	struct log_limit *limit;

	if (hub != NULL && hub->notice_limits == NULL)
		hub->notice_limits = calloc(1, sizeof(*of));
	if (hub != NULL && hub->notice_limits != NULL)
		of = hub->notice_limits;
	limit = n->kind == NOTICE_VIOLATION ? &of->violations[n->reason] : &of->kinds[n->kind];
	limit->burst = is_of_station(n) ? STATIONS_BURST : LINES_BURST;
	limit->per_minute = is_of_station(n) ? STATIONS_PER_MINUTE : LINES_PER_MINUTE;
	return limit;
}

static struct directory_hub *hub_of(uint32_t port_idx)
{
	const struct vpn_session *vs = registry_session_by_port(port_idx);
	const struct local_bridge *lb = vs == NULL ? bridges_by_port(port_idx) : NULL;

	return vs != NULL ? vs->hub : lb != NULL ? lb->hub : NULL;
}

/* The same for the hub's security log, in fields. */
static void security(const struct notice *n, const struct directory_hub *hub, uint64_t held)
{
	static const enum log_event events[] = {[NOTICE_VIOLATION] = LOG_EVENT_POLICY_VIOLATION,
		[NOTICE_LOOP] = LOG_EVENT_LOOP,
		[NOTICE_BLOCKED] = LOG_EVENT_PORT_BLOCKED};
	const struct vpn_session *vs = registry_session_by_port(n->port_idx);
	char mac[18], src[INET6_ADDRSTRLEN], dst[INET6_ADDRSTRLEN], port[PORT_TEXT] = "";

	if (hub == NULL || hub->hub == NULL)
		return;
	if (n->kind == NOTICE_VIOLATION &&
		hub->ext_options[HUB_EXT_DoNotSaveHeavySecurityLogs] != 0)
		return;
	mac_text(n->mac, mac);
	address_text(n->src, src);
	address_text(n->dst, dst);
	if (n->kind != NOTICE_VIOLATION)
		port_text(n->other_idx, port);
	logs_event(hub_log_id(hub->hub), events[n->kind],
		(const struct log_field[]){LOG_TEXT("user", vs != NULL ? vs->user : NULL),
			LOG_TEXT("hub", hub->name),
			LOG_TEXT("session", vs != NULL ? vs->name : NULL),
			LOG_WORD("reason",
				n->kind == NOTICE_VIOLATION ? stats_drop_in_name(n->reason) : NULL),
			LOG_WORD("mac", mac), LOG_NUMBER("vlan", n->vlan),
			LOG_WORD("src", src[0] != '\0' ? src : NULL),
			LOG_WORD("dst", dst[0] != '\0' ? dst : NULL),
			LOG_TEXT("other", port[0] != '\0' ? port : NULL),
			LOG_NUMBER("not_shown", held), LOG_END});
}

/* A MAC address that is new or elsewhere, or an address that a DHCP server gave: the security log alone has it. */
static void station(const struct notice *n, const struct directory_hub *hub, uint64_t held)
{
	static const enum log_event events[NOTICE_CNT] = {[NOTICE_LEARNED] = LOG_EVENT_MAC_LEARNED,
		[NOTICE_MOVED] = LOG_EVENT_MAC_MOVED,
		[NOTICE_LEASE] = LOG_EVENT_DHCP_LEASE};
	const struct vpn_session *vs = registry_session_by_port(n->port_idx);
	char mac[18], lease[INET6_ADDRSTRLEN], server[INET6_ADDRSTRLEN], other[PORT_TEXT] = "",
									 port[PORT_TEXT] = "";

	if (hub == NULL || hub->hub == NULL)
		return;
	mac_text(n->mac, mac);
	address_text(n->src, lease);
	address_text(n->dst, server);
	if (n->other_idx != 0)
		port_name(n->other_idx, other);
	if (n->port_idx != 0)
		port_name(n->port_idx, port);
	logs_event(hub_log_id(hub->hub), events[n->kind],
		(const struct log_field[]){LOG_TEXT("user", vs != NULL ? vs->user : NULL),
			LOG_TEXT("hub", hub->name),
			LOG_TEXT("session", port[0] != '\0' ? port : NULL), LOG_WORD("mac", mac),
			LOG_NUMBER("vlan", n->vlan),
			LOG_WORD("lease", lease[0] != '\0' ? lease : NULL),
			LOG_WORD("server", server[0] != '\0' ? server : NULL),
			LOG_TEXT("other", other[0] != '\0' ? other : NULL),
			LOG_NUMBER("not_shown", held), LOG_END});
}

static void say(const struct notice *n)
{
	enum log_level level = n->kind == NOTICE_VIOLATION ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
	struct directory_hub *hub = hub_of(n->port_idx != 0 ? n->port_idx : n->other_idx);
	char text[NOTICE_LOG_TEXT];
	uint64_t held;

	/* Asked first: most of a flood costs no text. */
	if (!log_limit_pass(limit_of(n, hub), &held)) {
		counters.held++;
		return;
	}
	if (is_of_station(n)) {
		station(n, hub, held);
		return;
	}
	security(n, hub, held);
	notice_log_text(n, text, sizeof(text));
	if (held > 0)
		log_say(level, "hub", "%s (%llu like this not shown)", text,
			(unsigned long long)held);
	else
		log_say(level, "hub", "%s", text);
}

/* Returns how many the worker had no room for since start. */
static uint64_t run_worker(unsigned worker)
{
	struct notice batch[BATCH];
	uint64_t lost = 0;
	unsigned n;

	for (unsigned taken = 0; taken < NOTICE_RING; taken += n) {
		n = notice_take(worker, batch, BATCH, &lost);
		for (unsigned i = 0; i < n; i++)
			say(&batch[i]);
		if (n < BATCH)
			break;
	}
	return lost;
}

/* None in this second, and there were some: it is over, and is said. Whose they were nobody knows. */
static void tell_lost(uint64_t lost)
{
	static uint64_t told;

	if (lost == counters.lost && lost != told) {
		logs_event(LOGS_NO_HUB, LOG_EVENT_NOTICES_LOST,
			(const struct log_field[]){LOG_NUMBER("notices", lost - told),
				LOG_WORD("error", "too_many"), LOG_END});
		log_say(LOG_LEVEL_WARNING, "hub",
			"%llu stations, leases and broken rules nobody was told of: too many at "
			"once",
			(unsigned long long)(lost - told));
		told = lost;
	}
	counters.lost = lost;
}

void notice_log_run(void)
{
	uint64_t lost = 0;

	for (unsigned i = 0; i < lcore_count(); i++)
		lost += run_worker(i);
	tell_lost(lost);
}

void notice_log_counters(struct notice_log_counters *out)
{
	*out = counters;
}
