/* SPDX-License-Identifier: BSD-3-Clause */
/* Reading the client's message after the hello (wire.md 3.2-3.5, 5.1, 9). */
#include "drivers/session/wire/login.h"

#include <string.h>
#include <strings.h>

static const char *const method_names[] = {
	[LOGIN_METHOD_UNKNOWN] = "unknown",
	[LOGIN_METHOD_NOOP] = "noop",
	[LOGIN_METHOD_LOGIN] = "login",
	[LOGIN_METHOD_ADDITIONAL_CONNECT] = "additional_connect",
	[LOGIN_METHOD_ENUM_HUB] = "enum_hub",
	[LOGIN_METHOD_PASSWORD] = "password",
	[LOGIN_METHOD_ADMIN] = "admin",
	[LOGIN_METHOD_FARM_CONNECT] = "farm_connect",
};

const char *login_method_name(enum login_method m)
{
	if ((unsigned int)m >= sizeof(method_names) / sizeof(method_names[0]))
		m = LOGIN_METHOD_UNKNOWN;
	return method_names[m];
}

static enum login_method method_unpack(const struct pack *p)
{
	char name[LOGIN_METHOD_MAX + 1];
	int m;

	if (pack_copy_str(p, "method", name, sizeof(name)))
		return LOGIN_METHOD_UNKNOWN;
	for (m = LOGIN_METHOD_LOGIN; m <= LOGIN_METHOD_FARM_CONNECT; m++)
		if (!strcasecmp(name, method_names[m]))
			return (enum login_method)m;
	return LOGIN_METHOD_UNKNOWN;
}

bool product_is_bridge(const struct product *c)
{
	return strcasestr(c->name, "server") || strcasestr(c->name, "bridge");
}

bool product_is_client(const struct product *c)
{
	return strcasestr(c->name, "client");
}

bool product_skips_noops(const struct product *c)
{
	return c->version > 502 || (c->version == 502 && c->build >= 5186);
}

/* A data element of 1..max bytes, or an absent one. */
static struct pack_span data_upto(const struct pack *p, const char *name, uint32_t max)
{
	struct pack_span s = pack_get_data(p, name);

	if (!s.len || s.len > max)
		s = (struct pack_span){0};
	return s;
}

static void udp_offer_unpack(struct login_udp_offer *u, const struct pack *p)
{
	u->use = pack_get_bool(p, "use_udp_acceleration");
	if (!u->use)
		return;
	u->version = pack_get_int(p, "udp_acceleration_version");
	u->max_version = pack_get_int(p, "udp_acceleration_max_version");
	if (!u->max_version)
		u->max_version = 1;
	/* Absent is 0.0.0.0: the server then uses the connection's address. */
	pack_get_ip(p, "udp_acceleration_client_ip", &u->client_ip);
	u->client_port = pack_get_int(p, "udp_acceleration_client_port");
	u->has_key = !pack_copy_data(
		p, "udp_acceleration_client_key", u->client_key, sizeof(u->client_key));
	u->has_key_v2 = !pack_copy_data(
		p, "udp_acceleration_client_key_v2", u->client_key_v2, sizeof(u->client_key_v2));
	u->hmac = pack_get_bool(p, "support_hmac_on_udp_acceleration");
	u->fast_detect = pack_get_bool(p, "support_udp_accel_fast_disconnect_detect");
}

static void node_unpack(struct login_node *n, const struct pack *p)
{
	pack_copy_str_cut(p, "ClientProductName", n->client_product, sizeof(n->client_product));
	pack_copy_str_cut(p, "ClientOsName", n->client_os, sizeof(n->client_os));
	pack_copy_str_cut(p, "ClientOsVer", n->client_os_version, sizeof(n->client_os_version));
	pack_copy_str_cut(
		p, "ClientOsProductId", n->client_os_product_id, sizeof(n->client_os_product_id));
	pack_copy_str_cut(p, "ClientHostname", n->client_host, sizeof(n->client_host));
	pack_copy_str_cut(p, "ServerHostname", n->server_host, sizeof(n->server_host));
	pack_copy_str_cut(p, "ProxyHostname", n->proxy_host, sizeof(n->proxy_host));
	pack_get_ip(p, "ClientIpAddress", &n->client_ip);
	n->client_port = __builtin_bswap32(pack_get_int(p, "ClientPort"));
	n->has_unique_id = !pack_copy_data(p, "UniqueId", n->unique_id, sizeof(n->unique_id));
}

static void login_unpack(struct login_request *r, const struct pack *p)
{
	r->authtype = pack_get_int(p, "authtype");
	r->has_secure_password = !pack_copy_data(
		p, "secure_password", r->secure_password, sizeof(r->secure_password));
	r->has_ticket = !pack_copy_data(p, "ticket", r->ticket, sizeof(r->ticket));
	r->has_plain_password = pack_count(p, "plain_password", PACK_STR) &&
		!pack_copy_str(p, "plain_password", r->plain_password, sizeof(r->plain_password));
	r->cert = data_upto(p, "cert", LOGIN_CERT_MAX);
	r->sign = data_upto(p, "sign", LOGIN_SIGN_MAX);

	r->protocol = pack_get_int(p, "protocol");
	r->client_id = pack_get_int(p, "client_id");
	r->max_connection = pack_get_int(p, "max_connection");
	r->use_encrypt = pack_get_bool(p, "use_encrypt");
	r->use_compress = pack_get_bool(p, "use_compress");
	r->half_connection = pack_get_bool(p, "half_connection");
	r->qos = pack_get_bool(p, "qos");
	r->require_bridge_routing_mode = pack_get_bool(p, "require_bridge_routing_mode");
	r->require_monitor_mode = pack_get_bool(p, "require_monitor_mode");
	r->has_unique_id = !pack_copy_data(p, "unique_id", r->unique_id, sizeof(r->unique_id));
	r->adjust_mss = pack_get_int(p, "adjust_mss");
	udp_offer_unpack(&r->udp, p);
	node_unpack(&r->node, p);
}

static bool names_unpack(struct login_request *r, const struct pack *p)
{
	return !pack_copy_str(p, "hubname", r->hubname, sizeof(r->hubname)) &&
		!pack_copy_str(p, "username", r->username, sizeof(r->username));
}

enum wire_error login_request_unpack(struct login_request *r, const struct pack *p)
{
	uint32_t error = pack_get_int(p, "error");
	bool ok = true;

	*r = (struct login_request){0};
	product_unpack(&r->client, p);
	if (error)
		return (enum wire_error)error;
	r->noop = pack_get_int(p, "noop");
	r->method = r->noop ? LOGIN_METHOD_NOOP : method_unpack(p);

	switch (r->method) {
	case LOGIN_METHOD_UNKNOWN:
		ok = false;
		break;
	case LOGIN_METHOD_LOGIN:
		ok = names_unpack(r, p);
		login_unpack(r, p);
		break;
	case LOGIN_METHOD_ADDITIONAL_CONNECT:
		ok = !pack_copy_data(p, "session_key", r->session_key, sizeof(r->session_key));
		break;
	case LOGIN_METHOD_PASSWORD:
		ok = names_unpack(r, p) &&
			!pack_copy_data(p, "secure_old_password", r->secure_old_password,
				sizeof(r->secure_old_password)) &&
			!pack_copy_data(
				p, "new_password", r->new_password, sizeof(r->new_password));
		r->ntlm = pack_get_data(p, "new_password_ntlm");
		if (r->ntlm.len != 16)
			r->ntlm = (struct pack_span){0};
		break;
	case LOGIN_METHOD_ADMIN:
		ok = !pack_copy_str(p, "hubname", r->hubname, sizeof(r->hubname)) &&
			!pack_copy_data(p, "secure_password", r->secure_password,
				sizeof(r->secure_password));
		r->has_secure_password = ok;
		r->accept_empty_password = pack_get_bool(p, "accept_empty_password");
		break;
	case LOGIN_METHOD_NOOP:
	case LOGIN_METHOD_ENUM_HUB:
	case LOGIN_METHOD_FARM_CONNECT:
		break;
	}
	return ok ? WIRE_ERROR_OK : WIRE_ERROR_PROTOCOL;
}
