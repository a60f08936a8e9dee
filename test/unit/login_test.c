/* SPDX-License-Identifier: BSD-3-Clause */
/* Hello and the client's message: the captured login, both roles against each other, bad fields. */
#include "drivers/session/wire/login.h"

#include <stdio.h>
#include <string.h>

#include "drivers/session/wire/hello.h"
#include "drivers/session/wire/reply.h"
#include "drivers/session/wire/sha0.h"
#include "test/unit/vector.h"

static struct pack_element index_login[PACK_LOGIN_ELEMENTS];
static struct bytebuf buf;
static struct pack_writer writer;
static struct pack pack;

static struct pack_writer *begin(void)
{
	bytebuf_free(&buf);
	bytebuf_init(&buf, 1 << 20);
	pack_writer_init(&writer, &buf);
	return &writer;
}

static const struct pack *parse(const void *data, size_t size_bytes)
{
	const struct pack_limits limits = {
		.max_bytes = 1 << 20, .max_elements = PACK_LOGIN_ELEMENTS, .max_values = 1024};

	assert_int_equal(
		pack_parse(&pack, data, size_bytes, &limits, index_login, PACK_LOGIN_ELEMENTS), 0);
	return &pack;
}

static const struct pack *end(void)
{
	assert_int_equal(pack_writer_finish(&writer), 0);
	return parse(buf.data, buf.len);
}

static int teardown(void **)
{
	bytebuf_free(&buf);
	return 0;
}

static void test_captured_login(void **)
{
	struct vector v = vector_load_body("login_request.hex");
	struct vector random = vector_hex("5cd0e11c0143666d16f4bca25a8a633cd7a7737f");
	uint8_t hash[SHA0_BYTES], secure[SHA0_BYTES];
	static const uint8_t address[4] = {10, 77, 0, 2};
	struct login_request r;

	assert_int_equal(login_request_unpack(&r, parse(v.data, v.size_bytes)), WIRE_ERROR_OK);
	assert_int_equal(r.method, LOGIN_METHOD_LOGIN);
	assert_string_equal(r.hubname, "HUBA");
	assert_string_equal(r.username, "alice");
	assert_int_equal(r.authtype, LOGIN_AUTH_PASSWORD);
	assert_true(r.has_secure_password);
	sha0_password_hash("alicepw", "alice", hash);
	sha0_secure_password(hash, random.data, secure);
	assert_memory_equal(r.secure_password, secure, SHA0_BYTES);
	assert_false(r.has_plain_password);
	assert_false(r.has_ticket);
	assert_null(r.cert.data);

	assert_string_equal(r.client.name, "SoftEther VPN Client Developer Edition");
	assert_int_equal(r.client.version, 501);
	assert_int_equal(r.client.build, 9674);
	assert_true(product_is_client(&r.client));
	assert_false(product_is_bridge(&r.client));

	assert_int_equal(r.max_connection, 1);
	assert_true(r.use_encrypt);
	assert_false(r.use_compress || r.half_connection || r.qos);
	assert_false(r.require_bridge_routing_mode || r.require_monitor_mode);
	assert_true(r.has_unique_id);
	assert_int_equal(r.unique_id[0], 'o');

	assert_true(r.udp.use);
	assert_int_equal(r.udp.version, 1);
	assert_int_equal(r.udp.max_version, 2);
	assert_int_equal(r.udp.client_port, 35558);
	assert_true(r.udp.has_key && r.udp.has_key_v2 && r.udp.hmac && r.udp.fast_detect);
	assert_memory_equal(r.udp.client_ip.addr, address, 4);

	assert_string_equal(r.node.client_host, "vm");
	assert_string_equal(r.node.client_os_version, "12 (bookworm)");
	assert_string_equal(r.node.server_host, "10.77.0.1");
	assert_memory_equal(r.node.client_ip.addr, address, 4);
	assert_true(r.node.client_port > 1024 && r.node.client_port < 65536);
	assert_true(r.node.has_unique_id);
	vector_free(&random);
	vector_free(&v);
}

static void test_captured_hello(void **)
{
	struct vector v = vector_load_body("hello_response.hex");
	struct hello h;

	assert_int_equal(hello_unpack(&h, parse(v.data, v.size_bytes)), WIRE_ERROR_OK);
	assert_string_equal(
		h.server.name, "SoftEther VPN Server Developer Edition (64 bit) (Open Source)");
	assert_int_equal(h.server.version, 501);
	assert_int_equal(h.server.build, 9674);
	assert_int_equal(h.random[0], 0xd1);
	assert_int_equal(h.random[19], 0xc8);
	vector_free(&v);
}

static void test_hello_roles(void **)
{
	struct hello out = {.server = {"Patchbay", 501, 9999}, .random = {1, 2, 3}}, in;

	hello_pack(&out, begin());
	assert_int_equal(hello_unpack(&in, end()), WIRE_ERROR_OK);
	assert_memory_equal(&in, &out, sizeof(in));

	begin();
	pack_add_data(&writer, "random", out.random, 20);
	assert_int_equal(hello_unpack(&in, end()), WIRE_ERROR_NOT_VPN_SERVER);
	begin();
	pack_add_str(&writer, "hello", "x");
	pack_add_data(&writer, "random", out.random, 19);
	assert_int_equal(hello_unpack(&in, end()), WIRE_ERROR_NOT_VPN_SERVER);
	reply_error_pack(begin(), 105, false);
	assert_int_equal(hello_unpack(&in, end()), 105);
}

/* Field by field: comparing memory would compare padding. */
static void assert_same_ip(const struct pack_ip *a, const struct pack_ip *b)
{
	assert_int_equal(a->is_ipv6, b->is_ipv6);
	assert_int_equal(a->scope_id, b->scope_id);
	assert_memory_equal(a->addr, b->addr, sizeof(a->addr));
}

static void assert_same_options(const struct login_request *a, const struct login_request *b)
{
	assert_int_equal(a->method, b->method);
	assert_memory_equal(&a->client, &b->client, sizeof(a->client));
	assert_string_equal(a->hubname, b->hubname);
	assert_string_equal(a->username, b->username);
	assert_int_equal(a->client_id, b->client_id);
	assert_int_equal(a->max_connection, b->max_connection);
	assert_int_equal(a->use_encrypt, b->use_encrypt);
	assert_int_equal(a->use_compress, b->use_compress);
	assert_int_equal(a->half_connection, b->half_connection);
	assert_int_equal(a->qos, b->qos);
	assert_int_equal(a->require_bridge_routing_mode, b->require_bridge_routing_mode);
	assert_int_equal(a->require_monitor_mode, b->require_monitor_mode);
	assert_int_equal(a->has_unique_id, b->has_unique_id);
	assert_memory_equal(a->unique_id, b->unique_id, sizeof(a->unique_id));
	assert_int_equal(a->adjust_mss, b->adjust_mss);
}

static void assert_same_udp(const struct login_udp_offer *a, const struct login_udp_offer *b)
{
	assert_int_equal(a->use, b->use);
	assert_int_equal(a->hmac, b->hmac);
	assert_int_equal(a->fast_detect, b->fast_detect);
	assert_int_equal(a->has_key, b->has_key);
	assert_int_equal(a->has_key_v2, b->has_key_v2);
	assert_int_equal(a->version, b->version);
	assert_int_equal(a->max_version, b->max_version);
	assert_same_ip(&a->client_ip, &b->client_ip);
	assert_int_equal(a->client_port, b->client_port);
	assert_memory_equal(a->client_key, b->client_key, sizeof(a->client_key));
	assert_memory_equal(a->client_key_v2, b->client_key_v2, sizeof(a->client_key_v2));
}

static void assert_same_node(const struct login_node *a, const struct login_node *b)
{
	assert_string_equal(a->client_product, b->client_product);
	assert_string_equal(a->client_os, b->client_os);
	assert_string_equal(a->client_os_version, b->client_os_version);
	assert_string_equal(a->client_os_product_id, b->client_os_product_id);
	assert_string_equal(a->client_host, b->client_host);
	assert_string_equal(a->server_host, b->server_host);
	assert_string_equal(a->proxy_host, b->proxy_host);
	assert_same_ip(&a->client_ip, &b->client_ip);
	assert_int_equal(a->client_port, b->client_port);
	assert_int_equal(a->has_unique_id, b->has_unique_id);
	assert_memory_equal(a->unique_id, b->unique_id, sizeof(a->unique_id));
}

/* Everything a login can carry but the proof. */
static const struct login_request everything = {
	.method = LOGIN_METHOD_LOGIN,
	.client = {"Patchbay VPN Server (Cascade Mode)", 501, 9674},
	.hubname = "DEFAULT",
	.username = "bob",
	.client_id = 4,
	.max_connection = 8,
	.use_encrypt = true,
	.use_compress = true,
	.half_connection = true,
	.qos = true,
	.require_bridge_routing_mode = true,
	.require_monitor_mode = true,
	.has_unique_id = true,
	.unique_id = {9, 8, 7},
	.adjust_mss = 1200,
	.udp = {.use = true,
		.hmac = true,
		.fast_detect = true,
		.has_key = true,
		.has_key_v2 = true,
		.version = 1,
		.max_version = 2,
		.client_ip = {.is_ipv6 = true, .addr = {0x20, 1}, .scope_id = 2},
		.client_port = 40000,
		.client_key = {1},
		.client_key_v2 = {2}},
	.node = {.client_product = "p",
		.client_os = "o",
		.client_os_version = "v",
		.client_os_product_id = "i",
		.client_host = "h",
		.server_host = "s",
		.proxy_host = "x",
		.client_ip = {.addr = {192, 0, 2, 1}},
		.client_port = 53960,
		.unique_id = {5},
		.has_unique_id = true},
};

/* Built by the client's side and read by the server's, with each kind of proof. */
static void test_login_roles(void **)
{
	static struct login_request out, in;
	static const uint8_t cert[300] = {0x30}, sign[256] = {7};

	out = everything;
	for (int kind = 0; kind < 5; kind++) {
		switch (kind) {
		case 0:
			out.authtype = LOGIN_AUTH_ANONYMOUS;
			break;
		case 1:
			out.authtype = LOGIN_AUTH_PASSWORD;
			out.has_secure_password = true;
			memset(out.secure_password, 3, 20);
			break;
		case 2:
			out.authtype = LOGIN_AUTH_PLAIN_PASSWORD;
			out.has_secure_password = false;
			memset(out.secure_password, 0, 20);
			out.has_plain_password = true;
			strcpy(out.plain_password, "secret");
			break;
		case 3:
			out.authtype = LOGIN_AUTH_TICKET;
			out.has_plain_password = false;
			memset(out.plain_password, 0, sizeof(out.plain_password));
			out.has_ticket = true;
			memset(out.ticket, 4, 20);
			break;
		case 4:
			out.authtype = LOGIN_AUTH_CERT;
			out.has_ticket = false;
			memset(out.ticket, 0, 20);
			out.cert = (struct pack_span){cert, sizeof(cert)};
			out.sign = (struct pack_span){sign, sizeof(sign)};
			break;
		}
		login_request_pack(&out, begin());
		assert_int_equal(login_request_unpack(&in, end()), WIRE_ERROR_OK);
		assert_int_equal(in.cert.len, out.cert.len);
		assert_int_equal(in.sign.len, out.sign.len);
		if (in.cert.len)
			assert_memory_equal(in.cert.data, cert, sizeof(cert));
		if (in.sign.len)
			assert_memory_equal(in.sign.data, sign, sizeof(sign));
		assert_int_equal(in.authtype, out.authtype);
		assert_int_equal(in.has_secure_password, kind == 1);
		assert_int_equal(in.has_plain_password, kind == 2);
		assert_int_equal(in.has_ticket, kind == 3);
		assert_memory_equal(in.secure_password, out.secure_password, 20);
		assert_string_equal(in.plain_password, out.plain_password);
		assert_memory_equal(in.ticket, out.ticket, 20);
		assert_same_options(&in, &out);
		assert_same_udp(&in.udp, &out.udp);
		assert_same_node(&in.node, &out.node);
	}
	assert_true(product_is_bridge(&in.client));
}

/* The byte order of a port in the node information (wire.md 3.2.6). */
static void test_node_port_is_swapped(void **)
{
	struct login_request r = {.method = LOGIN_METHOD_LOGIN, .node = {.client_port = 53960}};

	login_request_pack(&r, begin());
	assert_int_equal(pack_get_int(end(), "ClientPort"), 0xc8d20000);
}

/* The smallest login PACK of 3.2.6 is enough, and nothing more is sent than asked for. */
static void test_smallest_login(void **)
{
	static const char *const names[] = {"hubname", "username", "client_str"};
	struct login_request r = {.method = LOGIN_METHOD_LOGIN,
		.authtype = LOGIN_AUTH_ANONYMOUS,
		.hubname = "H",
		.username = "u",
		.client = {"c", 501, 9674},
		.max_connection = 1};
	const struct pack *p;

	login_request_pack(&r, begin());
	p = end();
	assert_int_equal(p->count, 15);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(pack_count(p, names[i], PACK_STR), 1);
	/* `HubName` would collide with `hubname`. */
	assert_int_equal(pack_get_str(p, "HUBNAME").data[0], 'H');
	assert_int_equal(pack_count(p, "qos", PACK_INT), 0);
	assert_int_equal(pack_count(p, "use_udp_acceleration", PACK_INT), 0);

	begin();
	pack_add_str(&writer, "method", "LOGIN");
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
	assert_int_equal(r.method, LOGIN_METHOD_LOGIN);
	assert_int_equal(r.authtype, 0);
	assert_string_equal(r.hubname, "");
}

static void test_methods(void **)
{
	static const struct {
		const char *name;
		enum login_method method;
	} cases[] = {{"enum_hub", LOGIN_METHOD_ENUM_HUB},
		{"farm_connect", LOGIN_METHOD_FARM_CONNECT}, {"Login", LOGIN_METHOD_LOGIN}};
	struct login_request r;
	char longest[600];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		begin();
		pack_add_str(&writer, "method", cases[i].name);
		assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
		assert_int_equal(r.method, cases[i].method);
	}
	begin();
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_PROTOCOL);
	assert_int_equal(r.method, LOGIN_METHOD_UNKNOWN);
	/* Names of our own enum are not methods. */
	begin();
	pack_add_str(&writer, "method", "noop");
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_PROTOCOL);
	begin();
	pack_add_int(&writer, "method", 1);
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_PROTOCOL);
	memset(longest, 'm', sizeof(longest));
	longest[599] = 0;
	begin();
	pack_add_str(&writer, "method", longest);
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_PROTOCOL);
	assert_string_equal(login_method_name((enum login_method)77), "unknown");
}

static void test_peer_error(void **)
{
	struct login_request r;

	begin();
	pack_add_str(&writer, "method", "login");
	pack_add_int(&writer, "error", 6);
	assert_int_equal(login_request_unpack(&r, end()), 6);
}

static void test_noop(void **)
{
	struct login_request r = {.method = LOGIN_METHOD_NOOP};

	login_request_pack(&r, begin());
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
	assert_int_equal(r.method, LOGIN_METHOD_NOOP);
	assert_int_equal(r.noop, 1);
	begin();
	pack_add_int(&writer, "noop", 2);
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
	assert_int_equal(r.method, LOGIN_METHOD_NOOP);
	assert_int_equal(r.noop, 2);
}

/* 255 bytes pass, 256 do not. */
static void test_name_bounds(void **)
{
	static const char *const fields[] = {"hubname", "username", "plain_password"};
	struct login_request r;
	char text[258];

	memset(text, 'n', sizeof(text));
	for (size_t i = 0; i < 3; i++)
		for (int len = 255; len <= 256; len++) {
			text[len] = 0;
			begin();
			pack_add_str(&writer, "method", "login");
			pack_add_str(&writer, fields[i], text);
			if (i == 2) {
				/* A credential that does not fit is one that is not there. */
				assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
				assert_int_equal(r.has_plain_password, len == 255);
			} else {
				assert_int_equal(login_request_unpack(&r, end()),
					len == 255 ? WIRE_ERROR_OK : WIRE_ERROR_PROTOCOL);
			}
			text[len] = 'n';
		}
	/* Displayed texts are cut instead. */
	text[257] = 0;
	begin();
	pack_add_str(&writer, "method", "login");
	pack_add_str(&writer, "client_str", text);
	pack_add_str(&writer, "ClientHostname", text);
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
	assert_int_equal(strlen(r.client.name), 255);
	assert_int_equal(strlen(r.node.client_host), 63);
}

static void test_credential_sizes(void **)
{
	static const uint8_t bytes[LOGIN_CERT_MAX + 1];
	struct login_request r;

	for (size_t len = 19; len <= 21; len++) {
		begin();
		pack_add_str(&writer, "method", "login");
		pack_add_data(&writer, "secure_password", bytes, len);
		pack_add_data(&writer, "ticket", bytes, len);
		pack_add_data(&writer, "unique_id", bytes, len);
		assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
		assert_int_equal(r.has_secure_password, len == 20);
		assert_int_equal(r.has_ticket, len == 20);
		assert_int_equal(r.has_unique_id, len == 20);
	}
	for (uint32_t extra = 0; extra < 2; extra++) {
		begin();
		pack_add_str(&writer, "method", "login");
		pack_add_data(&writer, "cert", bytes, LOGIN_CERT_MAX + extra);
		pack_add_data(&writer, "sign", bytes, LOGIN_SIGN_MAX + extra);
		assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
		assert_int_equal(r.cert.data != NULL, !extra);
		assert_int_equal(r.sign.data != NULL, !extra);
	}
	begin();
	pack_add_str(&writer, "method", "login");
	pack_add_data(&writer, "cert", bytes, 0);
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
	assert_null(r.cert.data);
}

static void test_udp_offer(void **)
{
	struct login_request r;

	/* Without the flag nothing of the offer counts; an absent max_version is 1. */
	for (int use = 0; use < 2; use++) {
		begin();
		pack_add_str(&writer, "method", "login");
		pack_add_bool(&writer, "use_udp_acceleration", use);
		pack_add_int(&writer, "udp_acceleration_client_port", 7);
		pack_add_data(&writer, "udp_acceleration_client_key_v2", "short", 5);
		assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
		assert_int_equal(r.udp.use, use);
		assert_int_equal(r.udp.client_port, use ? 7 : 0);
		assert_int_equal(r.udp.max_version, use);
		assert_false(r.udp.has_key || r.udp.has_key_v2);
	}
}

static void test_additional_connect(void **)
{
	struct vector v = vector_load_body("additional_request.hex");
	struct login_request r,
		out = {.method = LOGIN_METHOD_ADDITIONAL_CONNECT,
			.client = {"c", 501, 1},
			.session_key = {4, 5, 6}};

	assert_int_equal(login_request_unpack(&r, parse(v.data, v.size_bytes)), WIRE_ERROR_OK);
	assert_int_equal(r.method, LOGIN_METHOD_ADDITIONAL_CONNECT);
	assert_int_equal(r.session_key[0], 0xdd);
	assert_int_equal(r.session_key[19], 0x2c);
	vector_free(&v);

	login_request_pack(&out, begin());
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
	assert_same_options(&r, &out);
	assert_memory_equal(r.session_key, out.session_key, 20);
	begin();
	pack_add_str(&writer, "method", "additional_connect");
	pack_add_data(&writer, "session_key", out.session_key, 19);
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_PROTOCOL);
	begin();
	pack_add_str(&writer, "method", "additional_connect");
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_PROTOCOL);
}

static void test_password_method(void **)
{
	static const uint8_t ntlm[16] = {1};
	struct login_request r,
		out = {.method = LOGIN_METHOD_PASSWORD,
			.hubname = "h",
			.username = "u",
			.secure_old_password = {1},
			.new_password = {2},
			.ntlm = {ntlm, 16}};

	login_request_pack(&out, begin());
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
	assert_int_equal(r.ntlm.len, 16);
	assert_memory_equal(r.ntlm.data, ntlm, 16);
	assert_same_options(&r, &out);
	assert_memory_equal(r.secure_old_password, out.secure_old_password, 20);
	assert_memory_equal(r.new_password, out.new_password, 20);
	/* An ill-sized NTLM hash is one that is not there. */
	out.ntlm.len = 15;
	login_request_pack(&out, begin());
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
	assert_null(r.ntlm.data);
	for (int missing = 0; missing < 2; missing++) {
		begin();
		pack_add_str(&writer, "method", "password");
		pack_add_data(&writer, missing ? "new_password" : "secure_old_password", ntlm, 16);
		pack_add_data(&writer, missing ? "secure_old_password" : "new_password",
			out.new_password, 20);
		assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_PROTOCOL);
	}
}

static void test_admin_method(void **)
{
	struct login_request r,
		out = {.method = LOGIN_METHOD_ADMIN,
			.hubname = "h",
			.has_secure_password = true,
			.secure_password = {3},
			.accept_empty_password = true};

	login_request_pack(&out, begin());
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_OK);
	assert_same_options(&r, &out);
	assert_true(r.has_secure_password && r.accept_empty_password);
	assert_memory_equal(r.secure_password, out.secure_password, 20);
	begin();
	pack_add_str(&writer, "method", "admin");
	assert_int_equal(login_request_unpack(&r, end()), WIRE_ERROR_PROTOCOL);
}

static void test_product_kinds(void **)
{
	const struct product client = {.name = "some vpn CLIENT"};
	const struct product bridge = {.name = "VPN bRiDgE"};
	const struct product other = {.name = "toaster"};

	assert_true(product_is_client(&client));
	assert_true(product_is_bridge(&bridge));
	assert_false(product_is_client(&other) || product_is_bridge(&other));
}

static void test_replies(void **)
{
	static const char *const hubs[] = {"DEFAULT", "LAB"};
	struct vector v = vector_load_body("additional_response.hex");
	enum wire_direction direction;
	const struct pack *p;

	assert_int_equal(reply_additional_unpack(parse(v.data, v.size_bytes), &direction), 0);
	assert_int_equal(direction, WIRE_DIRECTION_BOTH);
	vector_free(&v);
	v = vector_load_body("error_response.hex");
	assert_int_equal(reply_error(parse(v.data, v.size_bytes)), WIRE_ERROR_AUTH_FAILED);
	vector_free(&v);

	reply_additional_pack(begin(), 0, WIRE_DIRECTION_TO_SERVER);
	assert_int_equal(reply_additional_unpack(end(), &direction), 0);
	assert_int_equal(direction, WIRE_DIRECTION_TO_SERVER);
	reply_additional_pack(begin(), 13, WIRE_DIRECTION_BOTH);
	assert_int_equal(reply_additional_unpack(end(), &direction), WIRE_ERROR_SESSION_GONE);
	reply_additional_pack(begin(), 0, (enum wire_direction)3);
	assert_int_equal(reply_additional_unpack(end(), &direction), WIRE_ERROR_PROTOCOL);

	reply_enum_hub_pack(begin(), hubs, 2);
	p = end();
	assert_int_equal(pack_get_int(p, "NumHub"), 2);
	assert_int_equal(pack_count(p, "HubName", PACK_STR), 2);
	assert_memory_equal(pack_get_str_at(p, "HubName", 1).data, "LAB", 3);
	assert_int_equal(pack_count(p, "error", PACK_INT), 0);
	reply_enum_hub_pack(begin(), hubs, 0);
	p = end();
	assert_int_equal(pack_count(p, "NumHub", PACK_INT), 1);
	assert_int_equal(pack_get_int(p, "NumHub"), 0);

	reply_noop_pack(begin());
	p = end();
	assert_int_equal(pack_get_int(p, "noop"), 1);
	assert_int_equal(pack_count(p, "error", PACK_INT), 1);
	assert_int_equal(reply_error(p), 0);
	reply_error_pack(begin(), 9, true);
	p = end();
	assert_int_equal(reply_error(p), 9);
	assert_true(pack_get_bool(p, "no_save_password"));
	reply_admin_pack(begin(), true);
	p = end();
	assert_int_equal(pack_get_int(p, "empty_password"), 1);
	assert_int_equal(pack_count(p, "error", PACK_INT), 0);
}

static void test_error_texts(void **)
{
	assert_string_equal(wire_error_text(0), "success");
	assert_string_equal(wire_error_text(9), "authentication failed");
	assert_string_equal(wire_error_text(152), "TLS: handshake failed");
	assert_string_equal(wire_error_text(22), "unknown error");
	assert_string_equal(wire_error_text(UINT32_MAX), "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_captured_login),
		cmocka_unit_test(test_captured_hello),
		cmocka_unit_test(test_hello_roles),
		cmocka_unit_test(test_login_roles),
		cmocka_unit_test(test_node_port_is_swapped),
		cmocka_unit_test(test_smallest_login),
		cmocka_unit_test(test_methods),
		cmocka_unit_test(test_peer_error),
		cmocka_unit_test(test_noop),
		cmocka_unit_test(test_name_bounds),
		cmocka_unit_test(test_credential_sizes),
		cmocka_unit_test(test_udp_offer),
		cmocka_unit_test(test_additional_connect),
		cmocka_unit_test(test_password_method),
		cmocka_unit_test(test_admin_method),
		cmocka_unit_test(test_product_kinds),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_error_texts),
	};

	return cmocka_run_group_tests(tests, NULL, teardown);
}
