/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The messages in a PACK, read by both roles: any bytes. Whatever was understood can be built and
 * read again to the same effect.
 */
#include <string.h>

#include "drivers/session/wire/reply.h"
#include "drivers/session/wire/welcome.h"
#include "test/fuzz/require.h"

static struct pack_element index_in[PACK_LOGIN_ELEMENTS], index_out[PACK_LOGIN_ELEMENTS];
static struct pack_writer writer;
static struct login_request request, again;

#define REQUIRE_TEXT(field) REQUIRE(memchr(field, 0, sizeof(field)))

static void touch(struct pack_span s)
{
	volatile uint8_t sum = 0;

	for (uint32_t i = 0; i < s.len; i++)
		sum = (uint8_t)(sum + s.data[i]);
}

static void check_texts(const struct login_request *r)
{
	REQUIRE_TEXT(r->client.name);
	REQUIRE_TEXT(r->hubname);
	REQUIRE_TEXT(r->username);
	REQUIRE_TEXT(r->plain_password);
	REQUIRE_TEXT(r->node.client_product);
	REQUIRE_TEXT(r->node.client_os);
	REQUIRE_TEXT(r->node.client_os_version);
	REQUIRE_TEXT(r->node.client_os_product_id);
	REQUIRE_TEXT(r->node.client_host);
	REQUIRE_TEXT(r->node.server_host);
	REQUIRE_TEXT(r->node.proxy_host);
	touch(r->cert);
	touch(r->sign);
	touch(r->ntlm);
	REQUIRE(r->cert.len <= LOGIN_CERT_MAX && r->sign.len <= LOGIN_SIGN_MAX);
}

static bool parse(struct pack *p, const void *data, size_t size, struct pack_element *index)
{
	const struct pack_limits limits = {
		.max_bytes = 1 << 18, .max_elements = PACK_LOGIN_ELEMENTS, .max_values = 1024};

	return !pack_parse(p, data, size, &limits, index, PACK_LOGIN_ELEMENTS);
}

/* The client's message: build what was read and read that. */
static void request_round(const struct pack *p)
{
	struct bytebuf buf;
	struct pack out;

	if (login_request_unpack(&request, p)) {
		check_texts(&request);
		return;
	}
	check_texts(&request);
	product_is_bridge(&request.client);
	product_is_client(&request.client);
	if (request.method == LOGIN_METHOD_FARM_CONNECT || request.method == LOGIN_METHOD_NOOP)
		return;
	bytebuf_init(&buf, 1 << 18);
	pack_writer_init(&writer, &buf);
	login_request_pack(&request, &writer);
	REQUIRE(!pack_writer_finish(&writer));
	REQUIRE(parse(&out, buf.data, buf.len, index_out));
	REQUIRE(!login_request_unpack(&again, &out));
	REQUIRE(again.method == request.method);
	REQUIRE(!strcmp(again.hubname, request.hubname));
	REQUIRE(!strcmp(again.username, request.username));
	REQUIRE(again.authtype == request.authtype);
	REQUIRE(again.max_connection == request.max_connection);
	REQUIRE(again.udp.use == request.udp.use);
	REQUIRE(again.udp.client_ip.is_ipv6 == request.udp.client_ip.is_ipv6);
	REQUIRE(!memcmp(again.session_key, request.session_key, sizeof(again.session_key)));
	REQUIRE(again.node.client_port == request.node.client_port);
	bytebuf_free(&buf);
}

static void grant(const struct login_request *r)
{
	struct welcome w = {0};
	struct policy_wire policy;

	policy_wire_default(&policy);
	policy.timeout_s = r->client_id;
	policy.max_connection = r->adjust_mss;
	welcome_grant(&w, r, &policy, r->protocol, false, true);
	REQUIRE(w.max_connection >= 1 && w.max_connection <= 32);
	REQUIRE(w.timeout_ms >= 5000 && w.timeout_ms <= 60000);
	REQUIRE(!w.half_connection || w.max_connection >= 2);
	REQUIRE(!w.qos || w.max_connection >= 2);
}

/* The server's messages. */
static void replies(const struct pack *p)
{
	enum wire_direction direction;
	struct redirect redirect;
	struct welcome welcome;
	struct hello hello;
	uint32_t error;

	if (!hello_unpack(&hello, p))
		REQUIRE_TEXT(hello.server.name);
	wire_error_text(reply_additional_unpack(p, &direction));
	REQUIRE(direction <= WIRE_DIRECTION_TO_SERVER);
	switch (login_reply_unpack(p, &welcome, &redirect, &error)) {
	case LOGIN_REPLY_WELCOME:
		REQUIRE(!error && *welcome.session_name && *welcome.connection_name);
		REQUIRE_TEXT(welcome.session_name);
		REQUIRE_TEXT(welcome.connection_name);
		touch(welcome.msg);
		REQUIRE(welcome.timeout_ms >= 5000 && welcome.timeout_ms <= 60000);
		welcome_limit(&welcome, 32);
		REQUIRE(welcome.max_connection >= 1 && welcome.max_connection <= 32);
		break;
	case LOGIN_REPLY_REDIRECT:
		REQUIRE(!error && redirect.port_count >= 1);
		REQUIRE(redirect.port_count <= REDIRECT_PORTS_MAX);
		touch(redirect.cert);
		touch(redirect.msg);
		break;
	case LOGIN_REPLY_ERROR:
		REQUIRE(error);
		break;
	case LOGIN_REPLY_SKIP:
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pack p;

	if (!parse(&p, data, size, index_in))
		return 0;
	request_round(&p);
	grant(&request);
	replies(&p);
	return 0;
}
