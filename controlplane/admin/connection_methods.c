/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * TCP connections (admin-rpc.md 4.3). The original lists only those that negotiate; here every connection
 * from accept to close is in the list, with its state.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/walk.h"
#include "dataplane/lcore.h"
#include "drivers/session/wire/wire_error.h"

/* Numbers of the field Type. */
#define TYPE_CLIENT	  0u
#define TYPE_INITIALISING 1u
#define TYPE_LOGIN	  2u
#define TYPE_ADDITIONAL	  3u
#define TYPE_ADMIN	  5u

#define CLOSE_PATIENCE_MS 5000u

static const char *state_name(enum connection_state state)
{
	switch (state) {
	case CONNECTION_HANDSHAKE:
		return "handshake";
	case CONNECTION_NEGOTIATING:
		return "negotiating";
	case CONNECTION_ESTABLISHED:
		return "established";
	case CONNECTION_ADMIN:
		return "admin";
	case CONNECTION_CLOSING:
		return "closing";
	}
	return "";
}

static uint32_t type_of(const struct connection *c)
{
	if (c->state == CONNECTION_HANDSHAKE)
		return TYPE_INITIALISING;
	if (c->state == CONNECTION_ADMIN)
		return TYPE_ADMIN;
	if (c->session == NULL)
		return TYPE_LOGIN;
	return c == TAILQ_FIRST(&c->session->connections) ? TYPE_CLIENT : TYPE_ADDITIONAL;
}

static const char *peer_text(const struct connection *c, char text[INET6_ADDRSTRLEN])
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&c->peer;
	const struct sockaddr_in *sin = (const struct sockaddr_in *)&c->peer;
	const void *address = c->peer.ss_family == AF_INET6 ? (const void *)&sin6->sin6_addr
							    : (const void *)&sin->sin_addr;

	text[0] = '\0';
	inet_ntop(c->peer.ss_family, address, text, INET6_ADDRSTRLEN);
	return text;
}

static uint16_t peer_port(const struct connection *c)
{
	/* sin_port and sin6_port stand at the same place. */
	return ntohs(((const struct sockaddr_in *)&c->peer)->sin_port);
}

/* What list and single view have in common; both tables end in these fields. */
#define OUR_FIELDS                                                                                \
	ADMIN_STR(                                                                                \
		"PatchbayState", 1, 15, "handshake, negotiating, established, admin or closing"), \
		ADMIN_TIME("PatchbayEstablishedTime", "when it joined its session"),              \
		ADMIN_INT("PatchbayListenerPort", 1, 65535, "listener it came in through"),       \
		ADMIN_STR("PatchbayHubName", 0, 255, "hub of its session"),                       \
		ADMIN_STR("PatchbaySessionName", 0, 299, "session it belongs to")

static void put_our_fields(struct admin_call *call, const struct connection *c)
{
	const struct vpn_session *vs = c->session;

	admin_put_str(call, "PatchbayState", state_name(c->state));
	admin_put_time(call, "PatchbayEstablishedTime", c->established_ms);
	admin_put_int(call, "PatchbayListenerPort", c->listener_port);
	admin_put_str(call, "PatchbayHubName", vs == NULL ? "" : vs->hub->name);
	admin_put_str(call, "PatchbaySessionName", vs == NULL ? "" : vs->name);
}

/* ---- EnumConnection -------------------------------------------------------------------------- */

static const struct admin_field enum_connection_row[] = {
	ADMIN_IP("Ip", "address of the peer"),
	ADMIN_INT("Port", 0, 65535, "TCP port of the peer"),
	ADMIN_STR("Name", 1, 31, "name of the connection, CID-<n>"),
	ADMIN_STR("Hostname", 0, 63, "address of the peer as text (names are not looked up)"),
	ADMIN_TIME("ConnectedTime", "when it was accepted"),
	ADMIN_INT("Type", 0, UINT32_MAX,
		"0 = first of a session, 1 = TLS handshake, 2 = login, 3 = additional, "
		"5 = administrator"),
	OUR_FIELDS,
	ADMIN_END,
};

static const struct admin_field no_request[] = {ADMIN_END};
static const struct admin_field enum_connection_response[] = {
	ADMIN_ROWS("ConnectionList", enum_connection_row,
		"one record per TCP connection, in order of acceptance"),
	ADMIN_END,
};

static int enum_connection_step(struct admin_call *call)
{
	struct connection_walk *walk = call->state;
	char text[INET6_ADDRSTRLEN];

	if (call->steps == 0)
		admin_rows_begin(call, "ConnectionList");
	while (admin_room(call)) {
		const struct connection *c = connection_walk_next(walk);

		if (c == NULL) {
			admin_rows_end(call);
			return ADMIN_DONE;
		}
		admin_row_begin(call);
		admin_put_ip(call, "Ip", &c->peer);
		admin_put_int(call, "Port", peer_port(c));
		admin_put_str(call, "Name", c->name);
		admin_put_str(call, "Hostname", peer_text(c, text));
		admin_put_time(call, "ConnectedTime", c->connected_ms);
		admin_put_int(call, "Type", type_of(c));
		put_our_fields(call, c);
		admin_row_end(call);
	}
	connection_walk_pause(walk);
	return ADMIN_MORE;
}

const struct admin_method admin_method_enum_connection = {
	.name = "EnumConnection",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the TCP connections, whatever their state.",
	.request = no_request,
	.response = enum_connection_response,
	.state_bytes = sizeof(struct connection_walk),
	.step = enum_connection_step,
};

/* ---- GetConnectionInfo ----------------------------------------------------------------------- */

static const struct admin_field name_request[] = {
	ADMIN_REQUIRED_STR("Name", 1, 31, "name of the connection, CID-<n>"),
	ADMIN_END,
};

static const struct admin_field get_connection_info_response[] = {
	ADMIN_STR("Name", 1, 31, "name of the connection"),
	ADMIN_IP("Ip", "address of the peer"),
	ADMIN_INT("Port", 0, 65535, "TCP port of the peer"),
	ADMIN_TIME("ConnectedTime", "when it was accepted"),
	ADMIN_STR("Hostname", 0, 63, "address of the peer as text"),
	ADMIN_STR("ClientStr", 0, 255, "product of the client, as it said"),
	ADMIN_INT("ClientVer", 0, UINT32_MAX, "its version, 100 * major + minor"),
	ADMIN_INT("ClientBuild", 0, UINT32_MAX, "its build"),
	ADMIN_INT("Type", 0, UINT32_MAX, "as in EnumConnection"),
	OUR_FIELDS,
	ADMIN_END,
};

static int no_connection(struct admin_call *call)
{
	return admin_fail(
		call, WIRE_ERROR_OBJECT_NOT_FOUND, "no connection %s", admin_get_str(call, "Name"));
}

static int get_connection_info_step(struct admin_call *call)
{
	const struct connection *c = registry_connection_find(admin_get_str(call, "Name"));
	char text[INET6_ADDRSTRLEN];

	if (c == NULL)
		return no_connection(call);
	admin_put_str(call, "Name", c->name);
	admin_put_ip(call, "Ip", &c->peer);
	admin_put_int(call, "Port", peer_port(c));
	admin_put_time(call, "ConnectedTime", c->connected_ms);
	admin_put_str(call, "Hostname", peer_text(c, text));
	admin_put_str(call, "ClientStr", c->client_product);
	admin_put_int(call, "ClientVer", c->client_version);
	admin_put_int(call, "ClientBuild", c->client_build);
	admin_put_int(call, "Type", type_of(c));
	put_our_fields(call, c);
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_connection_info = {
	.name = "GetConnectionInfo",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells everything about one TCP connection. 29: no such connection.",
	.request = name_request,
	.response = get_connection_info_response,
	.step = get_connection_info_step,
};

/* ---- DisconnectConnection -------------------------------------------------------------------- */

static const struct admin_field disconnect_connection_response[] = {
	ADMIN_STR("Name", 1, 31, "name of the connection that is gone or closing"),
	ADMIN_END,
};

struct disconnect {
	uint64_t begun_ms;
	bool asked;
};

/* 0 = somebody sees to it; ADMIN_WAIT = the worker's ring is full at this moment; or the error. */
static int disconnect_ask(struct admin_call *call, struct disconnect *st)
{
	int rc = registry_connection_close(admin_get_str(call, "Name"));

	if (rc == -ENOENT)
		return no_connection(call);
	st->asked = rc == 0;
	return rc == 0 ? 0 : ADMIN_WAIT;
}

static int disconnect_connection_step(struct admin_call *call)
{
	struct disconnect *st = call->state;
	const char *name = admin_get_str(call, "Name");
	const struct connection *c;
	bool impatient;

	if (call->steps == 0)
		st->begun_ms = lcore_clock_ms();
	impatient = lcore_clock_ms() - st->begun_ms >= CLOSE_PATIENCE_MS;
	if (!st->asked) {
		int rc = disconnect_ask(call, st);

		if (rc > 0 || (rc == ADMIN_WAIT && !impatient))
			return rc;
	}
	/* In force when it carries nothing any more; saying goodbye may take its peer 2 s longer. */
	c = registry_connection_find(name);
	if (c != NULL && c->state != CONNECTION_CLOSING) {
		if (!impatient)
			return ADMIN_WAIT;
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"connection %s was told to end but has not yet (see lcore list)", name);
	}
	admin_put_str(call, "Name", name);
	return ADMIN_DONE;
}

const struct admin_method admin_method_disconnect_connection = {
	.name = "DisconnectConnection",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_RUNS,
	.text = "Closes a TCP connection in any state; its session, if it has one, goes on and may be "
		"rejoined. 29: no such connection.",
	.request = name_request,
	.response = disconnect_connection_response,
	.state_bytes = sizeof(struct disconnect),
	.step = disconnect_connection_step,
};
