/* SPDX-License-Identifier: BSD-3-Clause */
/* Welcome and redirect (wire.md 4.1, 4.2, 4.5). */
#include "drivers/session/wire/welcome.h"

#include <string.h>

static uint32_t clamp(uint32_t v, uint32_t low, uint32_t high)
{
	return v < low ? low : v > high ? high : v;
}

void welcome_grant(struct welcome *w, const struct login_request *r,
	const struct policy_wire *policy, uint32_t connections_cap, bool monitor,
	bool hub_allows_qos)
{
	uint32_t cap = clamp(connections_cap, 1, WELCOME_CONNECTIONS_MAX);
	uint32_t n = r->max_connection;

	/* A stored policy may hold any number, so no product before the bound. */
	w->timeout_ms = WELCOME_TIMEOUT_STD_MS;
	if (policy->timeout_s)
		w->timeout_ms = clamp(
			policy->timeout_s > 60 ? WELCOME_TIMEOUT_MAX_MS : policy->timeout_s * 1000,
			WELCOME_TIMEOUT_MIN_MS, WELCOME_TIMEOUT_MAX_MS);

	w->use_encrypt = r->use_encrypt;
	w->use_compress = r->use_compress;
	w->half_connection = r->half_connection && cap >= 2;
	w->qos = r->qos && !policy->no_qos && !monitor && hub_allows_qos &&
		cap >= (w->half_connection ? 4 : 2);

	if (policy->max_connection && n > policy->max_connection)
		n = policy->max_connection;
	n = clamp(n, 1, cap);
	if (w->half_connection && n < 2)
		n = 2;
	if (w->qos && n < (w->half_connection ? 4u : 2u))
		n = w->half_connection ? 4 : 2;
	w->max_connection = n;
}

static void udp_pack(const struct welcome_udp *u, struct pack_writer *pw)
{
	if (!u->use)
		return;
	pack_add_bool(pw, "use_udp_acceleration", true);
	pack_add_int(pw, "udp_acceleration_version", u->version);
	pack_add_ip(pw, "udp_acceleration_server_ip", &u->server_ip);
	pack_add_int(pw, "udp_acceleration_server_port", u->server_port);
	pack_add_data(pw, "udp_acceleration_server_key", u->server_key, sizeof(u->server_key));
	pack_add_data(
		pw, "udp_acceleration_server_key_v2", u->server_key_v2, sizeof(u->server_key_v2));
	pack_add_int(pw, "udp_acceleration_server_cookie", u->server_cookie);
	pack_add_int(pw, "udp_acceleration_client_cookie", u->client_cookie);
	pack_add_bool(pw, "udp_acceleration_use_encryption", u->use_encryption);
	pack_add_bool(pw, "use_hmac_on_udp_acceleration", u->hmac);
	pack_add_bool(pw, "udp_accel_fast_disconnect_detect", u->fast_detect);
}

/* What a client could not use counts as a refusal (7.2, last paragraph). */
static void udp_unpack(struct welcome_udp *u, const struct pack *p)
{
	bool usable = pack_get_bool(p, "use_udp_acceleration");

	u->version = pack_get_int(p, "udp_acceleration_version");
	if (u->version == 0)
		u->version = 1;
	/* Absent is 0.0.0.0: where the TCP connection goes to. */
	pack_get_ip(p, "udp_acceleration_server_ip", &u->server_ip);
	u->server_port = pack_get_int(p, "udp_acceleration_server_port");
	u->server_cookie = pack_get_int(p, "udp_acceleration_server_cookie");
	u->client_cookie = pack_get_int(p, "udp_acceleration_client_cookie");
	u->use_encryption = pack_get_bool(p, "udp_acceleration_use_encryption");
	u->hmac = pack_get_bool(p, "use_hmac_on_udp_acceleration");
	u->fast_detect = pack_get_bool(p, "udp_accel_fast_disconnect_detect");
	usable &= u->server_port != 0 && u->server_port <= UINT16_MAX && u->version <= 2 &&
		u->server_cookie != 0 && u->client_cookie != 0;
	/* Both keys are there, but a version needs only its own. */
	if (pack_copy_data(
		    p, "udp_acceleration_server_key", u->server_key, sizeof(u->server_key)) &&
		u->version == 1 && u->use_encryption)
		usable = false;
	if (pack_copy_data(p, "udp_acceleration_server_key_v2", u->server_key_v2,
		    sizeof(u->server_key_v2)) &&
		u->version == 2 && u->use_encryption)
		usable = false;
	u->use = usable;
	if (!usable)
		*u = (struct welcome_udp){0};
}

void welcome_pack(const struct welcome *w, struct pack_writer *pw)
{
	pack_add_str(pw, "connection_name", w->connection_name);
	pack_add_str(pw, "session_name", w->session_name);
	pack_add_int(pw, "max_connection", w->max_connection);
	pack_add_bool(pw, "use_encrypt", w->use_encrypt);
	pack_add_bool(pw, "use_compress", w->use_compress);
	pack_add_bool(pw, "half_connection", w->half_connection);
	pack_add_bool(pw, "qos", w->qos);
	pack_add_int(pw, "timeout", w->timeout_ms);
	pack_add_data(pw, "session_key", w->session_key, sizeof(w->session_key));
	pack_add_int(pw, "session_key_32", w->session_key_32);
	policy_wire_pack(&w->policy, pw);
	pack_add_int(pw, "vlan_id", w->vlan_id);
	pack_add_bool(pw, "is_azure_session", false);
	pack_add_bool(pw, "enable_udp_recovery", false);
	pack_add_bool(pw, "suppress_client_update_notification", w->suppress_update_notification);
	pack_add_data(pw, "Msg", w->msg.data, w->msg.len);
	udp_pack(&w->udp, pw);
}

void redirect_pack(const struct redirect *r, struct pack_writer *pw)
{
	uint32_t i;

	pack_add_int(pw, "Redirect", 1);
	pack_add_ip(pw, "Ip", &r->ip);
	pack_begin_array(pw, "Port", PACK_INT, r->port_count);
	for (i = 0; i < r->port_count; i++)
		pack_value_int(pw, r->ports[i]);
	pack_add_data(pw, "Ticket", r->ticket, sizeof(r->ticket));
	pack_add_data(pw, "Cert", r->cert.data, r->cert.len);
	pack_add_data(pw, "Msg", r->msg.data, r->msg.len);
}

/*
 * No server may grant anything beyond these bounds (4.2). Taken as it comes, a short one would have us send keep-alives
 * without pause and cut connections that are well; a long one would keep a dead session for weeks, and does not fit the
 * int in which the kernel is told of it.
 */
static uint32_t timeout_get(const struct pack *p)
{
	uint32_t ms = pack_get_int(p, "timeout");

	return ms == 0 ? WELCOME_TIMEOUT_NONE_MS
		       : clamp(ms, WELCOME_TIMEOUT_MIN_MS, WELCOME_TIMEOUT_MAX_MS);
}

static bool welcome_unpack(struct welcome *w, const struct pack *p)
{
	if (pack_copy_str(p, "session_name", w->session_name, sizeof(w->session_name)) ||
		pack_copy_str(
			p, "connection_name", w->connection_name, sizeof(w->connection_name)) ||
		pack_copy_data(p, "session_key", w->session_key, sizeof(w->session_key)))
		return false;
	if (!*w->session_name || !*w->connection_name)
		return false;
	w->max_connection = pack_get_int(p, "max_connection");
	w->use_encrypt = pack_get_bool(p, "use_encrypt");
	w->use_compress = pack_get_bool(p, "use_compress");
	w->half_connection = pack_get_bool(p, "half_connection");
	w->qos = pack_get_bool(p, "qos");
	w->timeout_ms = timeout_get(p);
	w->session_key_32 = pack_get_int(p, "session_key_32");
	policy_wire_unpack(&w->policy, p);
	w->no_save_password_hint = w->policy.no_save_password;
	w->vlan_id = pack_get_int(p, "vlan_id");
	w->msg = pack_get_data(p, "Msg");
	udp_unpack(&w->udp, p);
	return true;
}

static bool redirect_unpack(struct redirect *r, const struct pack *p)
{
	uint32_t i, v;

	*r = (struct redirect){0};
	r->port_count = pack_count(p, "Port", PACK_INT);
	if (!r->port_count || r->port_count > REDIRECT_PORTS_MAX)
		return false;
	for (i = 0; i < r->port_count; i++) {
		v = pack_get_int_at(p, "Port", i);
		if (!v || v > UINT16_MAX)
			return false;
		r->ports[i] = (uint16_t)v;
	}
	r->cert = pack_get_data(p, "Cert");
	r->msg = pack_get_data(p, "Msg");
	return r->cert.len && !pack_get_ip(p, "Ip", &r->ip) &&
		!pack_copy_data(p, "Ticket", r->ticket, sizeof(r->ticket));
}

enum login_reply login_reply_unpack(
	const struct pack *p, struct welcome *w, struct redirect *r, uint32_t *error)
{
	*w = (struct welcome){0};
	*error = pack_get_int(p, "error");
	if (*error) {
		w->no_save_password_hint = pack_get_bool(p, "no_save_password");
		return LOGIN_REPLY_ERROR;
	}
	/* A client's own no-op is answered with 1 or 2, and a server may push 2 unasked. */
	if (pack_get_int(p, "noop"))
		return LOGIN_REPLY_SKIP;
	*error = WIRE_ERROR_PROTOCOL;
	if (pack_get_int(p, "Redirect")) {
		if (!r || !redirect_unpack(r, p))
			return LOGIN_REPLY_ERROR;
		*error = WIRE_ERROR_OK;
		return LOGIN_REPLY_REDIRECT;
	}
	if (!welcome_unpack(w, p))
		return LOGIN_REPLY_ERROR;
	*error = WIRE_ERROR_OK;
	return LOGIN_REPLY_WELCOME;
}

void welcome_limit(struct welcome *w, uint32_t own_max)
{
	uint32_t n = w->max_connection < own_max ? w->max_connection : own_max;
	uint32_t low = w->half_connection ? 2 : 1;

	if (w->qos)
		low = w->half_connection ? 4 : 2;
	w->max_connection = clamp(n, low, WELCOME_CONNECTIONS_MAX);
}
