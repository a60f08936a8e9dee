/* SPDX-License-Identifier: BSD-3-Clause */
/* Building the client's message after the hello: the other side of login.c. */
#include "drivers/session/wire/login.h"
#include "drivers/session/wire/reply.h"
#include "drivers/session/wire/sha0.h"

static void flag_pack(struct pack_writer *w, const char *name, bool v)
{
	if (v)
		pack_add_bool(w, name, true);
}

static void text_pack(struct pack_writer *w, const char *name, const char *v)
{
	if (*v)
		pack_add_str(w, name, v);
}

static void credential_pack(const struct login_request *r, struct pack_writer *w)
{
	if (r->authtype == LOGIN_AUTH_PASSWORD)
		pack_add_data(w, "secure_password", r->secure_password, sizeof(r->secure_password));
	if (r->authtype == LOGIN_AUTH_PLAIN_PASSWORD)
		pack_add_str(w, "plain_password", r->plain_password);
	if (r->authtype == LOGIN_AUTH_TICKET)
		pack_add_data(w, "ticket", r->ticket, sizeof(r->ticket));
	if (r->authtype == LOGIN_AUTH_CERT) {
		pack_add_data(w, "cert", r->cert.data, r->cert.len);
		pack_add_data(w, "sign", r->sign.data, r->sign.len);
	}
}

static void udp_offer_pack(const struct login_udp_offer *u, struct pack_writer *w)
{
	if (!u->use)
		return;
	pack_add_bool(w, "use_udp_acceleration", true);
	pack_add_int(w, "udp_acceleration_version", u->version);
	pack_add_int(w, "udp_acceleration_max_version", u->max_version);
	pack_add_ip(w, "udp_acceleration_client_ip", &u->client_ip);
	pack_add_int(w, "udp_acceleration_client_port", u->client_port);
	if (u->has_key)
		pack_add_data(
			w, "udp_acceleration_client_key", u->client_key, sizeof(u->client_key));
	if (u->has_key_v2)
		pack_add_data(w, "udp_acceleration_client_key_v2", u->client_key_v2,
			sizeof(u->client_key_v2));
	flag_pack(w, "support_hmac_on_udp_acceleration", u->hmac);
	flag_pack(w, "support_udp_accel_fast_disconnect_detect", u->fast_detect);
}

static void node_pack(const struct login_node *n, struct pack_writer *w)
{
	static const uint8_t none[sizeof(n->client_ip.addr)];

	text_pack(w, "ClientProductName", n->client_product);
	text_pack(w, "ClientOsName", n->client_os);
	text_pack(w, "ClientOsVer", n->client_os_version);
	text_pack(w, "ClientOsProductId", n->client_os_product_id);
	text_pack(w, "ClientHostname", n->client_host);
	text_pack(w, "ServerHostname", n->server_host);
	text_pack(w, "ProxyHostname", n->proxy_host);
	if (!sha0_equal(n->client_ip.addr, none, sizeof(none)))
		pack_add_ip(w, "ClientIpAddress", &n->client_ip);
	if (n->client_port)
		pack_add_int(w, "ClientPort", __builtin_bswap32(n->client_port));
	if (n->has_unique_id)
		pack_add_data(w, "UniqueId", n->unique_id, sizeof(n->unique_id));
}

static void login_pack(const struct login_request *r, struct pack_writer *w)
{
	pack_add_str(w, "hubname", r->hubname);
	pack_add_str(w, "username", r->username);
	pack_add_int(w, "authtype", r->authtype);
	credential_pack(r, w);
	/* The server shows `hello` as the client's name (wire.md 3.2.5). */
	pack_add_str(w, "hello", r->client.name);
	pack_add_int(w, "version", r->client.version);
	pack_add_int(w, "build", r->client.build);
	pack_add_int(w, "protocol", r->protocol);
	pack_add_int(w, "max_connection", r->max_connection);
	pack_add_bool(w, "use_encrypt", r->use_encrypt);
	pack_add_bool(w, "use_compress", r->use_compress);
	pack_add_bool(w, "half_connection", r->half_connection);
	flag_pack(w, "qos", r->qos);
	flag_pack(w, "require_bridge_routing_mode", r->require_bridge_routing_mode);
	flag_pack(w, "require_monitor_mode", r->require_monitor_mode);
	if (r->client_id)
		pack_add_int(w, "client_id", r->client_id);
	if (r->has_unique_id)
		pack_add_data(w, "unique_id", r->unique_id, sizeof(r->unique_id));
	if (r->adjust_mss)
		pack_add_int(w, "adjust_mss", r->adjust_mss);
	udp_offer_pack(&r->udp, w);
	node_pack(&r->node, w);
}

void login_request_pack(const struct login_request *r, struct pack_writer *w)
{
	if (r->method == LOGIN_METHOD_NOOP) {
		reply_noop_pack(w);
		return;
	}
	if (r->method == LOGIN_METHOD_UNKNOWN || r->method == LOGIN_METHOD_FARM_CONNECT)
		return;
	pack_add_str(w, "method", login_method_name(r->method));
	product_pack(&r->client, w);
	switch (r->method) {
	case LOGIN_METHOD_LOGIN:
		login_pack(r, w);
		break;
	case LOGIN_METHOD_ADDITIONAL_CONNECT:
		pack_add_data(w, "session_key", r->session_key, sizeof(r->session_key));
		break;
	case LOGIN_METHOD_PASSWORD:
		pack_add_str(w, "hubname", r->hubname);
		pack_add_str(w, "username", r->username);
		pack_add_data(w, "secure_old_password", r->secure_old_password,
			sizeof(r->secure_old_password));
		pack_add_data(w, "new_password", r->new_password, sizeof(r->new_password));
		if (r->ntlm.data)
			pack_add_data(w, "new_password_ntlm", r->ntlm.data, r->ntlm.len);
		break;
	case LOGIN_METHOD_ADMIN:
		text_pack(w, "hubname", r->hubname);
		pack_add_data(w, "secure_password", r->secure_password, sizeof(r->secure_password));
		flag_pack(w, "accept_empty_password", r->accept_empty_password);
		break;
	default:
		break;
	}
}
