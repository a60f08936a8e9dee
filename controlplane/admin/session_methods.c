/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Sessions as administrators see them (admin-rpc.md 4.6). The session's own key, which the original returns,
 * is a secret that lets its holder join the session, and is not in any answer.
 */

#include <arpa/inet.h>
#include <netdb.h>
#include <string.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/policy_fields.h"
#include "controlplane/admin/udp_fields.h"
#include "controlplane/admin/walk.h"
#include "controlplane/bridges.h"
#include "dataplane/lcore.h"
#include "drivers/session/session_udp.h"
#include "drivers/session/wire/wire_error.h"

#define SESSION_STATUS_ESTABLISHED 3u
#define SESSION_STATUS_WAITING	   4u /* no connection at this moment */
#define DELETE_PATIENCE_MS	   5000u /* a worker that has not ended a session by then is in trouble */

/* A snapshot of the data path's half; zeros when that has ended already. */
static void session_counters_get(const struct vpn_session *vs, struct session_counters *c)
{
	memset(c, 0, sizeof(*c));
	if (vs->session != NULL)
		session_view(vs->session, c);
}

static int64_t last_rx_time_ms(const struct vpn_session *vs, const struct session_counters *c)
{
	uint64_t now = lcore_clock_ms();

	if (c->last_rx_ms == 0 || c->last_rx_ms > now)
		return vs->created_ms;
	return directory_now_ms() - (int64_t)(now - c->last_rx_ms);
}

static uint16_t peer_port(const struct sockaddr_storage *ss)
{
	/* sin_port and sin6_port stand at the same place. */
	return ntohs(((const struct sockaddr_in *)ss)->sin_port);
}

/* ---- EnumSession ----------------------------------------------------------------------------- */

static const struct admin_field enum_session_row[] = {
	ADMIN_STR("Name", 1, 299, "name of the session, SID-<USER>-<n>"),
	ADMIN_STR("Username", 0, 255, "user who logged in; Local Bridge"),
	ADMIN_IP("Ip", "address of the client, IPv4 only (else 0.0.0.0)"),
	ADMIN_IP("ClientIP", "address of the client"),
	ADMIN_STR("Hostname", 0, 63, "host name the client told, or its address"),
	ADMIN_INT("MaxNumTcp", 0, 32, "TCP connections granted; 0: not a client"),
	ADMIN_INT("CurrentNumTcp", 0, 33, "TCP connections now"),
	ADMIN_INT64("PacketSize", "bytes of frames, both directions"),
	ADMIN_INT64("PacketNum", "frames, both directions"),
	ADMIN_BOOL("RemoteSession", "on another member of a cluster"),
	ADMIN_BOOL("LinkMode", "a cascade that this server dials"),
	ADMIN_BOOL("SecureNATMode", "the hub's SecureNAT"),
	ADMIN_BOOL("BridgeMode", "a local bridge"),
	ADMIN_BOOL("Layer3Mode", "a virtual layer-3 switch"),
	ADMIN_BOOL("Client_BridgeMode", "client in bridge or router mode"),
	ADMIN_BOOL("Client_MonitorMode", "client in monitoring mode"),
	ADMIN_INT("VLanId", 0, 4095, "VLAN of the session, 0 = none"),
	ADMIN_DATA("UniqueId", 16, 16, "what tells this client's installation from others"),
	ADMIN_TIME("CreatedTime", "login"),
	ADMIN_TIME("LastCommTime", "last block or keep-alive from the client"),
	ADMIN_STR("PatchbayMode", 1, 15, "client, bridge (or router), monitor, local bridge"),
	ADMIN_INT("PatchbayLcore", 0, 63, "index of the worker that owns the session"),
	ADMIN_INT64("PatchbayQueuedFrames", "frames that wait for the client now"),
	ADMIN_INT64("PatchbayQueuedBytes", "bytes that wait for the client now"),
	ADMIN_STR("PatchbayUdp", 1, 7,
		"UDP acceleration: no, ready (negotiated, frames go over TCP), v1 or v2 (in use)"),
	ADMIN_END,
};

static const struct admin_field enum_session_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_ROWS("SessionList", enum_session_row, "one record per session"),
	ADMIN_END,
};

static const char *mode_name(const struct vpn_session *vs)
{
	return vs->monitor_mode ? "monitor" : vs->bridge_mode ? "bridge" : "client";
}

static const char *udp_text(const struct vpn_session *vs)
{
	struct session_udp_view v;

	if (vs->session == NULL || !session_udp_view(vs->session, &v))
		return "no";
	return !v.active ? "ready" : v.version == 1 ? "v1" : "v2";
}

static void put_session_row(struct admin_call *call, const struct vpn_session *vs)
{
	struct session_counters c;
	const struct stats_traffic *in = &c.port.in;
	const struct stats_traffic *out = &c.port.out;

	session_counters_get(vs, &c);
	admin_row_begin(call);
	admin_put_str(call, "Name", vs->name);
	admin_put_str(call, "Username", vs->user);
	admin_put_ip(call, "Ip", vs->peer.ss_family == AF_INET ? &vs->peer : NULL);
	admin_put_ip(call, "ClientIP", &vs->peer);
	admin_put_str(call, "Hostname", vs->client_host);
	admin_put_int(call, "MaxNumTcp", vs->max_connections);
	admin_put_int(call, "CurrentNumTcp", vs->connection_cnt);
	admin_put_int64(call, "PacketSize",
		in->unicast_bytes + in->broadcast_bytes + out->unicast_bytes +
			out->broadcast_bytes);
	admin_put_int64(call, "PacketNum", stats_in_frames(&c.port) + stats_sent_frames(&c.port));
	admin_put_bool(call, "RemoteSession", false);
	/* The registry holds sessions that peers opened; other ports of a hub are not among them. */
	admin_put_bool(call, "LinkMode", false);
	admin_put_bool(call, "SecureNATMode", false);
	admin_put_bool(call, "BridgeMode", false);
	admin_put_bool(call, "Layer3Mode", false);
	admin_put_bool(call, "Client_BridgeMode", vs->bridge_mode);
	admin_put_bool(call, "Client_MonitorMode", vs->monitor_mode);
	admin_put_int(call, "VLanId", vs->policy.vlan_id);
	admin_put_data(call, "UniqueId", vs->unique_id, 16);
	admin_put_time(call, "CreatedTime", vs->created_ms);
	admin_put_time(call, "LastCommTime", last_rx_time_ms(vs, &c));
	admin_put_str(call, "PatchbayMode", mode_name(vs));
	admin_put_int(call, "PatchbayLcore", vs->worker);
	admin_put_int64(call, "PatchbayQueuedFrames", c.queued_frames);
	admin_put_int64(call, "PatchbayQueuedBytes", c.queued_bytes);
	admin_put_str(call, "PatchbayUdp", udp_text(vs));
	admin_row_end(call);
}

/* A bridge that is up is a session of its hub, without a client. */
static void put_bridge_row(struct admin_call *call, const struct local_bridge *lb)
{
	static const uint8_t no_id[16];
	struct bridge_view v;

	bridges_view(lb, &v);
	admin_row_begin(call);
	admin_put_str(call, "Name", lb->session_name);
	admin_put_str(call, "Username", "Local Bridge");
	admin_put_ip(call, "Ip", NULL);
	admin_put_ip(call, "ClientIP", NULL);
	admin_put_str(call, "Hostname", lb->conf.name);
	admin_put_int(call, "MaxNumTcp", 0);
	admin_put_int(call, "CurrentNumTcp", 0);
	admin_put_int64(call, "PacketSize",
		v.port.in.unicast_bytes + v.port.in.broadcast_bytes + v.port.out.unicast_bytes +
			v.port.out.broadcast_bytes);
	admin_put_int64(call, "PacketNum", stats_in_frames(&v.port) + stats_sent_frames(&v.port));
	admin_put_bool(call, "RemoteSession", false);
	admin_put_bool(call, "LinkMode", false);
	admin_put_bool(call, "SecureNATMode", false);
	admin_put_bool(call, "BridgeMode", true);
	admin_put_bool(call, "Layer3Mode", false);
	admin_put_bool(call, "Client_BridgeMode", false);
	admin_put_bool(call, "Client_MonitorMode", lb->conf.monitor);
	admin_put_int(call, "VLanId", 0);
	admin_put_data(call, "UniqueId", no_id, sizeof(no_id));
	admin_put_time(call, "CreatedTime", lb->up_ms);
	admin_put_time(call, "LastCommTime", lb->up_ms);
	admin_put_str(call, "PatchbayMode", "local bridge");
	admin_put_int(call, "PatchbayLcore", v.worker);
	admin_put_int64(call, "PatchbayQueuedFrames", 0);
	admin_put_int64(call, "PatchbayQueuedBytes", 0);
	admin_put_str(call, "PatchbayUdp", "no");
	admin_row_end(call);
}

struct enum_session {
	struct session_walk walk; /* first: walk_fini() */
	bool clients_done;
	uint64_t last_bridge;
};

/* True when there is none left. */
static bool put_bridges(struct admin_call *call, struct enum_session *st)
{
	const struct directory_hub *hub = directory_hub_find(admin_get_str(call, "HubName"));

	while (admin_room(call)) {
		const struct local_bridge *lb = bridges_next(st->last_bridge);

		if (lb == NULL)
			return true;
		st->last_bridge = lb->id;
		if (lb->state == BRIDGES_UP && lb->hub == hub)
			put_bridge_row(call, lb);
	}
	return false;
}

static int enum_session_step(struct admin_call *call)
{
	struct enum_session *st = call->state;
	struct session_walk *walk = &st->walk;
	struct vpn_session *vs;

	if (call->steps == 0) {
		struct directory_hub *hub;
		int rc = admin_hub_lookup(call, &hub);

		if (rc == 0)
			rc = admin_fenced(call, hub, HUB_ADMIN_no_enum_session);
		if (rc != 0)
			return rc;
		if (session_walk_start(walk, hub) != 0)
			return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
		admin_put_str(call, "HubName", hub->name);
		admin_rows_begin(call, "SessionList");
	}
	while (!st->clients_done && admin_room(call)) {
		vs = session_walk_next(walk);
		if (vs == NULL)
			st->clients_done = true;
		else
			put_session_row(call, vs);
	}
	if (!st->clients_done || !put_bridges(call, st))
		return ADMIN_MORE;
	admin_rows_end(call);
	return ADMIN_DONE;
}

static void walk_fini(struct admin_call *call)
{
	session_walk_end(call->state);
}

const struct admin_method admin_method_enum_session = {
	.name = "EnumSession",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the sessions of a hub. 8: no such hub.",
	.request = admin_hub_request,
	.response = enum_session_response,
	.state_bytes = sizeof(struct enum_session),
	.step = enum_session_step,
	.fini = walk_fini,
};

/* ---- GetSessionStatus ------------------------------------------------------------------------ */

static const struct admin_field session_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_REQUIRED_STR("Name", 1, 299, "name of the session"),
	ADMIN_END,
};

static const struct admin_field get_session_status_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_STR("Name", 1, 299, "name of the session"),
	ADMIN_STR("Username", 0, 255, "user who logged in"),
	ADMIN_STR("GroupName", 0, 255, "group of the user at login, empty = none"),
	ADMIN_IP("SessionStatus_ClientIp", "address of the client, IPv4 only (else 0.0.0.0)"),
	ADMIN_DATA("SessionStatus_ClientIp6", 16, 16, "address of the client, IPv6 (else zeros)"),
	ADMIN_STR("SessionStatus_ClientHostName", 0, 63, "host name the client told"),
	ADMIN_IP("Client_Ip_Address", "address of the client"),
	ADMIN_STR("CipherName", 0, 63, "TLS cipher of the first connection; empty: not encrypted"),
	ADMIN_STR("SessionName", 1, 299, "name of the session, again"),
	ADMIN_STR("ConnectionName", 0, 31, "name of its oldest connection"),
	ADMIN_BOOL("Active", "the session exists"),
	ADMIN_BOOL("Connected", "it has a connection now"),
	ADMIN_INT("SessionStatus", 0, 5, "3 = established, 4 = waiting for a new connection"),
	ADMIN_INT("ServerPort", 1, 65535, "listener it came in through"),
	ADMIN_INT("NumConnectionsEstablished", 0, UINT32_MAX, "connections it has had so far"),
	ADMIN_BOOL("HalfConnection", "each connection carries one direction"),
	ADMIN_BOOL("QoS", "a connection for frames that go first"),
	ADMIN_INT("MaxTcpConnections", 1, 32, "TCP connections granted"),
	ADMIN_INT("NumTcpConnections", 0, 33, "TCP connections now"),
	ADMIN_BOOL("UseEncrypt", "TLS in the data phase"),
	ADMIN_BOOL("UseCompress", "compression of frames"),
	ADMIN_BOOL("IsBridgeMode", "bridge or router mode"),
	ADMIN_BOOL("IsMonitorMode", "monitoring mode"),
	ADMIN_INT("VLanId", 0, 4095, "VLAN of the session, 0 = none"),
	ADMIN_POLICY_RESPONSE,
	ADMIN_TIME("StartTime", "login"),
	ADMIN_TIME("CurrentConnectionEstablishTime", "when its oldest connection was established"),
	ADMIN_INT64("TotalSendSize", "bytes of frames from the client"),
	ADMIN_INT64("TotalRecvSize", "bytes of frames to the client"),
	ADMIN_INT64("TotalSendSizeReal", "bytes of TCP payload from the client"),
	ADMIN_INT64("TotalRecvSizeReal", "bytes of TCP payload to the client"),
	ADMIN_TRAFFIC(
		"", "as the client sees it: Send = it sent into the hub, Recv = it was given"),
	ADMIN_STR("ClientProductName", 0, 255, "product of the client, as it said"),
	ADMIN_INT("ClientProductVer", 0, UINT32_MAX, "its version, 100 * major + minor"),
	ADMIN_INT("ClientProductBuild", 0, UINT32_MAX, "its build"),
	ADMIN_STR("ClientHostname", 0, 63, "host name the client told"),
	ADMIN_DATA("UniqueId", 16, 16, "what tells this client's installation from others"),
	ADMIN_IP("ClientIpAddress", "address of the client"),
	ADMIN_INT("ClientPort", 0, 65535, "TCP port of the client's first connection"),
	ADMIN_STR("PatchbayTlsVersion", 0, 15, "TLS version of the first connection"),
	ADMIN_STR("PatchbayMode", 1, 15, "client, bridge (or router), monitor"),
	ADMIN_TIME(
		"PatchbayExpireTime", "when the account expires and the session ends, 0 = never"),
	ADMIN_INT("PatchbayTimeout", 0, UINT32_MAX, "time-out, ms"),
	ADMIN_INT("PatchbayLcore", 0, 63, "index of the worker that owns the session"),
	ADMIN_TIME("PatchbayLastCommTime", "last block or keep-alive from the client"),
	ADMIN_INT64("PatchbayKeepalivesIn", "keep-alives from the client"),
	ADMIN_INT64("PatchbayKeepalivesOut", "keep-alives to the client"),
	ADMIN_INT64("PatchbayQueuedFrames", "frames that wait for the client now"),
	ADMIN_INT64("PatchbayQueuedBytes", "bytes that wait for the client now"),
	ADMIN_SESSION_UDP,
	ADMIN_END,
};

static const char *tls_version_name(int version)
{
	switch (version) {
	case 0x0303:
		return "TLSv1.2";
	case 0x0304:
		return "TLSv1.3";
	default:
		return "";
	}
}

static void put_session_link(struct admin_call *call, const struct vpn_session *vs,
	const struct session_counters *counters)
{
	const struct connection *first = TAILQ_FIRST(&vs->connections);

	admin_put_str(call, "CipherName", vs->encrypt ? vs->tls_cipher : "");
	admin_put_str(call, "SessionName", vs->name);
	admin_put_str(call, "ConnectionName", first == NULL ? "" : first->name);
	admin_put_bool(call, "Active", true);
	admin_put_bool(call, "Connected", first != NULL);
	admin_put_int(call, "SessionStatus",
		first != NULL ? SESSION_STATUS_ESTABLISHED : SESSION_STATUS_WAITING);
	admin_put_int(call, "ServerPort", vs->listener_port);
	admin_put_int(call, "NumConnectionsEstablished", (uint32_t)counters->connections_joined);
	admin_put_bool(call, "HalfConnection", vs->half_duplex);
	admin_put_bool(call, "QoS", vs->qos);
	admin_put_int(call, "MaxTcpConnections", vs->max_connections);
	admin_put_int(call, "NumTcpConnections", vs->connection_cnt);
	admin_put_bool(call, "UseEncrypt", vs->encrypt);
	admin_put_bool(call, "UseCompress", vs->compress);
	admin_put_bool(call, "IsBridgeMode", vs->bridge_mode);
	admin_put_bool(call, "IsMonitorMode", vs->monitor_mode);
	admin_put_int(call, "VLanId", vs->policy.vlan_id);
	admin_policy_put(call, true, &vs->policy);
	admin_put_time(call, "StartTime", vs->created_ms);
	admin_put_time(
		call, "CurrentConnectionEstablishTime", first == NULL ? 0 : first->established_ms);
}

static void put_session_traffic(struct admin_call *call, const struct session_counters *c)
{
	const struct stats_traffic *in = &c->port.in;
	const struct stats_traffic *out = &c->port.out;

	admin_put_int64(call, "TotalSendSize", in->unicast_bytes + in->broadcast_bytes);
	admin_put_int64(call, "TotalRecvSize", out->unicast_bytes + out->broadcast_bytes);
	admin_put_int64(call, "TotalSendSizeReal", c->wire_bytes_in);
	admin_put_int64(call, "TotalRecvSizeReal", c->wire_bytes_out);
	/* hub.md 10: a session is looked at from its client, the other way round than hub and server. */
	admin_put_traffic(call, "", out, in);
}

static int get_session_status_step(struct admin_call *call)
{
	static const uint8_t no_ip6[16];
	const struct vpn_session *vs;
	struct directory_hub *hub;
	struct session_counters c;
	int rc = admin_hub_lookup(call, &hub);
	bool ip6;

	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_query_session);
	if (rc != 0)
		return rc;
	vs = registry_session_find(hub, admin_get_str(call, "Name"));
	if (vs == NULL && bridges_session_find(hub, admin_get_str(call, "Name")) != NULL)
		return admin_fail(call, WIRE_ERROR_NOT_SUPPORTED,
			"session %s is a local bridge: EnumLocalBridge tells about it",
			admin_get_str(call, "Name"));
	if (vs == NULL)
		return admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND, "hub %s has no session %s",
			hub->name, admin_get_str(call, "Name"));
	session_counters_get(vs, &c);
	ip6 = vs->peer.ss_family == AF_INET6;
	admin_put_str(call, "HubName", hub->name);
	admin_put_str(call, "Name", vs->name);
	admin_put_str(call, "Username", vs->user);
	admin_put_str(call, "GroupName", vs->group);
	admin_put_ip(call, "SessionStatus_ClientIp", ip6 ? NULL : &vs->peer);
	admin_put_data(call, "SessionStatus_ClientIp6",
		ip6 ? ((const struct sockaddr_in6 *)&vs->peer)->sin6_addr.s6_addr : no_ip6, 16);
	admin_put_str(call, "SessionStatus_ClientHostName", vs->client_host);
	admin_put_ip(call, "Client_Ip_Address", &vs->peer);
	put_session_link(call, vs, &c);
	put_session_traffic(call, &c);
	admin_put_str(call, "ClientProductName", vs->client_product);
	admin_put_int(call, "ClientProductVer", vs->client_version);
	admin_put_int(call, "ClientProductBuild", vs->client_build);
	admin_put_str(call, "ClientHostname", vs->client_host);
	admin_put_data(call, "UniqueId", vs->unique_id, 16);
	admin_put_ip(call, "ClientIpAddress", &vs->peer);
	admin_put_int(call, "ClientPort", peer_port(&vs->peer));
	admin_put_str(call, "PatchbayTlsVersion", tls_version_name(vs->tls_version));
	admin_put_str(call, "PatchbayMode", mode_name(vs));
	admin_put_time(call, "PatchbayExpireTime", vs->expires_ms);
	admin_put_int(call, "PatchbayTimeout", vs->timeout_ms);
	admin_put_int(call, "PatchbayLcore", vs->worker);
	admin_put_time(call, "PatchbayLastCommTime", last_rx_time_ms(vs, &c));
	admin_put_int64(call, "PatchbayKeepalivesIn", c.keepalives_in);
	admin_put_int64(call, "PatchbayKeepalivesOut", c.keepalives_out);
	admin_put_int64(call, "PatchbayQueuedFrames", c.queued_frames);
	admin_put_int64(call, "PatchbayQueuedBytes", c.queued_bytes);
	put_session_udp(call, vs->session);
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_session_status = {
	.name = "GetSessionStatus",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells everything about one session. 8: no such hub, 29: no such session.",
	.request = session_request,
	.response = get_session_status_response,
	.step = get_session_status_step,
};

/* ---- DeleteSession --------------------------------------------------------------------------- */

static const struct admin_field delete_session_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_STR("Name", 1, 299, "name of the session that is gone"),
	ADMIN_END,
};

struct delete_session {
	uint64_t asked_ms;
};

static int delete_session_step(struct admin_call *call)
{
	struct delete_session *st = call->state;
	const char *name = admin_get_str(call, "Name");
	const struct vpn_session *vs;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc == 0)
		rc = admin_fenced(call, hub, HUB_ADMIN_no_disconnect_session);
	if (rc != 0)
		return rc;
	vs = registry_session_find(hub, name);
	if (call->steps == 0) {
		if (vs == NULL && bridges_session_find(hub, name) != NULL)
			return admin_fail(call, WIRE_ERROR_NOT_SUPPORTED,
				"session %s is a local bridge: DeleteLocalBridge ends it", name);
		if (vs == NULL || registry_session_delete(hub, name) != 0)
			return admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND,
				"hub %s has no session %s", hub->name, name);
		st->asked_ms = lcore_clock_ms();
		return ADMIN_WAIT;
	}
	/* In force when the worker says that the port has left the hub. */
	if (vs != NULL && vs->session != NULL) {
		if (lcore_clock_ms() - st->asked_ms < DELETE_PATIENCE_MS)
			return ADMIN_WAIT;
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"session %s was told to end but has not yet (see lcore list)", name);
	}
	admin_put_str(call, "HubName", hub->name);
	admin_put_str(call, "Name", name);
	return ADMIN_DONE;
}

const struct admin_method admin_method_delete_session = {
	.name = "DeleteSession",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_RUNS,
	.text = "Ends a session and closes its connections; answered when it has left the hub. "
		"8: no such hub, 29: no such session.",
	.request = session_request,
	.response = delete_session_response,
	.state_bytes = sizeof(struct delete_session),
	.step = delete_session_step,
};
