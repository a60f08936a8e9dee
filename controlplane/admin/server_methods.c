/* SPDX-License-Identifier: BSD-3-Clause */
/* The server as a whole (admin-rpc.md 4.1). What tools like vpncmd ask first. */

#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/counters.h"
#include "controlplane/log.h"
#include "controlplane/negotiation.h"
#include "controlplane/registry.h"
#include "dataplane/hub.h"
#include "dataplane/iptable.h"
#include "dataplane/lcore.h"

#define SERVER_TYPE_STANDALONE 0u
#define OS_TYPE_LINUX	       3100u

static const struct admin_field no_request[] = {ADMIN_END};

/* ---- GetServerInfo --------------------------------------------------------------------------- */

static const struct admin_field get_server_info_response[] = {
	ADMIN_STR("ServerProductName", 1, 255, "product, as peers are told"),
	ADMIN_STR("ServerVersionString", 1, 255, "version of Patchbay"),
	ADMIN_STR("ServerBuildInfoString", 1, 255, "what it was built with"),
	ADMIN_INT("ServerVerInt", 0, UINT32_MAX, "version of the protocol that peers are told"),
	ADMIN_INT("ServerBuildInt", 0, UINT32_MAX, "build that peers are told"),
	ADMIN_STR("ServerHostName", 0, 255, "host name"),
	ADMIN_INT("ServerType", 0, 2, "0 = standalone"),
	ADMIN_STR("ServerFamilyName", 1, 63, "product family"),
	ADMIN_INT("OsType", 0, UINT32_MAX, "3100 = Linux"),
	ADMIN_STR("OsSystemName", 0, 63, "operating system"),
	ADMIN_STR("KernelName", 0, 63, "kernel"),
	ADMIN_STR("KernelVersion", 0, 255, "kernel release and build"),
	ADMIN_INT("PatchbayPid", 1, UINT32_MAX, "process id"),
	ADMIN_END,
};

static int get_server_info_step(struct admin_call *call)
{
	char host[256] = "";
	char kernel[200];
	struct utsname uts;

	gethostname(host, sizeof(host) - 1);
	uname(&uts);
	snprintf(kernel, sizeof(kernel), "%s %s", uts.release, uts.version);
	admin_put_str(call, "ServerProductName", NEGOTIATION_PRODUCT);
	admin_put_str(call, "ServerVersionString", "Patchbay " PATCHBAY_VERSION);
	admin_put_str(call, "ServerBuildInfoString", "compiler " __VERSION__);
	admin_put_int(call, "ServerVerInt", NEGOTIATION_WIRE_VERSION);
	admin_put_int(call, "ServerBuildInt", NEGOTIATION_WIRE_BUILD);
	admin_put_str(call, "ServerHostName", host);
	admin_put_int(call, "ServerType", SERVER_TYPE_STANDALONE);
	admin_put_str(call, "ServerFamilyName", "Patchbay");
	admin_put_int(call, "OsType", OS_TYPE_LINUX);
	admin_put_str(call, "OsSystemName", uts.sysname);
	admin_put_str(call, "KernelName", uts.sysname);
	admin_put_str(call, "KernelVersion", kernel);
	admin_put_int(call, "PatchbayPid", (uint32_t)getpid());
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_server_info = {
	.name = "GetServerInfo",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells product, version and operating system.",
	.request = no_request,
	.response = get_server_info_response,
	.step = get_server_info_step,
};

/* ---- GetServerStatus ------------------------------------------------------------------------- */

static const struct admin_field get_server_status_response[] = {
	ADMIN_INT("ServerType", 0, 2, "0 = standalone"),
	ADMIN_INT("NumHubTotal", 0, UINT32_MAX, "hubs"),
	ADMIN_INT("NumHubStandalone", 0, UINT32_MAX, "hubs that are not of a cluster"),
	ADMIN_INT("NumHubStatic", 0, UINT32_MAX, "static hubs of a cluster"),
	ADMIN_INT("NumHubDynamic", 0, UINT32_MAX, "dynamic hubs of a cluster"),
	ADMIN_INT("NumSessionsTotal", 0, UINT32_MAX, "sessions now"),
	ADMIN_INT("NumSessionsLocal", 0, UINT32_MAX, "of them on this server"),
	ADMIN_INT("NumSessionsRemote", 0, UINT32_MAX, "of them on other members of a cluster"),
	ADMIN_INT("NumTcpConnections", 0, UINT32_MAX, "TCP connections in all states"),
	ADMIN_INT("NumTcpConnectionsLocal", 0, UINT32_MAX, "of them on this server"),
	ADMIN_INT("NumTcpConnectionsRemote", 0, UINT32_MAX, "of them on other members"),
	ADMIN_INT("NumMacTables", 0, UINT32_MAX, "entries in all MAC tables"),
	ADMIN_INT("NumIpTables", 0, UINT32_MAX, "entries in all IP tables"),
	ADMIN_INT("NumUsers", 0, UINT32_MAX, "users of all hubs"),
	ADMIN_INT("NumGroups", 0, UINT32_MAX, "groups of all hubs"),
	ADMIN_TIME("CurrentTime", "the server's clock"),
	ADMIN_INT64("CurrentTick", "ms since start"),
	ADMIN_TIME("StartTime", "when the server was started"),
	ADMIN_TRAFFIC("", "frames and bytes so far; Recv = into hubs, Send = out of them"),
	ADMIN_INT64("TotalMemory", "bytes of memory and swap of the host"),
	ADMIN_INT64("UsedMemory", "bytes of both in use"),
	ADMIN_INT64("FreeMemory", "bytes of both free"),
	ADMIN_INT64("TotalPhys", "bytes of memory of the host"),
	ADMIN_INT64("UsedPhys", "bytes of it in use"),
	ADMIN_INT64("FreePhys", "bytes of it free"),
	ADMIN_INT64("PatchbayResident", "bytes of memory that the daemon occupies"),
	ADMIN_INT("PatchbayLcores", 1, LCORE_MAX, "workers"),
	ADMIN_INT64("PatchbayLogLost", "log lines lost because the log could not keep up"),
	ADMIN_END,
};

static void put_memory(struct admin_call *call)
{
	struct sysinfo si = {0};
	FILE *statm = fopen("/proc/self/statm", "re");
	unsigned long long pages = 0;
	uint64_t phys;
	uint64_t total;

	sysinfo(&si);
	phys = (uint64_t)si.totalram * si.mem_unit;
	total = phys + (uint64_t)si.totalswap * si.mem_unit;
	if (statm != NULL) {
		if (fscanf(statm, "%*u %llu", &pages) != 1)
			pages = 0;
		fclose(statm);
	}
	admin_put_int64(call, "TotalMemory", total);
	admin_put_int64(
		call, "UsedMemory", total - (uint64_t)(si.freeram + si.freeswap) * si.mem_unit);
	admin_put_int64(call, "FreeMemory", (uint64_t)(si.freeram + si.freeswap) * si.mem_unit);
	admin_put_int64(call, "TotalPhys", phys);
	admin_put_int64(call, "UsedPhys", phys - (uint64_t)si.freeram * si.mem_unit);
	admin_put_int64(call, "FreePhys", (uint64_t)si.freeram * si.mem_unit);
	admin_put_int64(call, "PatchbayResident", pages * (uint64_t)sysconf(_SC_PAGESIZE));
}

static void put_counts(struct admin_call *call)
{
	const struct directory_hub *hub;
	const struct connection *c;
	uint32_t sessions = registry_session_cnt();
	uint32_t connections = 0;
	uint32_t hubs = 0;
	uint32_t users = 0;
	uint32_t groups = 0;
	uint32_t macs = 0;
	uint32_t ips = 0;

	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		hubs++;
		users += hub->user_cnt;
		groups += hub->group_cnt;
		if (hub->hub == NULL)
			continue;
		macs += fdb_count(hub_fdb(hub->hub));
		ips += iptable_count(hub_iptable(hub->hub));
	}
	TAILQ_FOREACH (c, registry_connections(), entry)
		connections++;
	admin_put_int(call, "NumHubTotal", hubs);
	admin_put_int(call, "NumHubStandalone", hubs);
	/* There is no cluster, so nothing is of it. */
	admin_put_int(call, "NumHubStatic", 0);
	admin_put_int(call, "NumHubDynamic", 0);
	admin_put_int(call, "NumSessionsTotal", sessions);
	admin_put_int(call, "NumSessionsLocal", sessions);
	admin_put_int(call, "NumSessionsRemote", 0);
	admin_put_int(call, "NumTcpConnections", connections);
	admin_put_int(call, "NumTcpConnectionsLocal", connections);
	admin_put_int(call, "NumTcpConnectionsRemote", 0);
	admin_put_int(call, "NumMacTables", macs);
	admin_put_int(call, "NumIpTables", ips);
	admin_put_int(call, "NumUsers", users);
	admin_put_int(call, "NumGroups", groups);
}

static int get_server_status_step(struct admin_call *call)
{
	struct traffic_totals traffic;
	int64_t now_ms = directory_now_ms();
	uint64_t tick_ms = lcore_clock_ms();

	counters_server(&traffic);
	admin_put_int(call, "ServerType", SERVER_TYPE_STANDALONE);
	put_counts(call);
	admin_put_time(call, "CurrentTime", now_ms);
	admin_put_int64(call, "CurrentTick", tick_ms);
	admin_put_time(call, "StartTime", now_ms - (int64_t)tick_ms);
	admin_put_traffic(call, "", &traffic.in, &traffic.out);
	put_memory(call);
	admin_put_int(call, "PatchbayLcores", lcore_count());
	admin_put_int64(call, "PatchbayLogLost", log_lost());
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_server_status = {
	.name = "GetServerStatus",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells what the server has and does at this moment.",
	.request = no_request,
	.response = get_server_status_response,
	.step = get_server_status_step,
};
