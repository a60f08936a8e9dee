/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Replies of RADIUS servers: any bytes, and any attributes in a packet whose authenticators are right, as a server
 * that knows the secret may send them. What is believed has the identifier that was asked with.
 */
#include <string.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "controlplane/auth/radius_packet.h"
#include "test/fuzz/require.h"

#define SECRET "secret"

static const uint8_t authenticator[RADIUS_AUTHENTICATOR_BYTES] = {1, 2, 3};

static enum radius_judgement judge(const uint8_t *data, size_t size, struct radius_reply *reply)
{
	uint8_t *exact = malloc(size + 1);
	enum radius_judgement j;

	REQUIRE(exact);
	memcpy(exact, data, size);
	j = radius_reply_parse(exact, size, 7, authenticator, SECRET, true, reply);
	free(exact);
	return j;
}

/* Signed as RFC 2869 5.14 and RFC 2865 3 want it. */
static void sealed(const uint8_t *attributes, size_t bytes)
{
	uint8_t packet[RADIUS_PACKET_MAX], seed[RADIUS_PACKET_MAX + sizeof(SECRET)];
	struct radius_reply reply;
	size_t size = 38 + bytes;
	enum radius_judgement j;

	if (size > sizeof(packet))
		return;
	packet[0] = RADIUS_ACCESS_ACCEPT;
	packet[1] = 7;
	packet[2] = (uint8_t)(size >> 8);
	packet[3] = (uint8_t)size;
	memcpy(packet + 4, authenticator, sizeof(authenticator));
	memcpy(packet + 20, "\x50\x12\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18);
	memcpy(packet + 38, attributes, bytes);
	HMAC(EVP_md5(), SECRET, (int)strlen(SECRET), packet, size, packet + 22, NULL);
	memcpy(seed, packet, size);
	memcpy(seed + size, SECRET, strlen(SECRET));
	EVP_Digest(seed, size + strlen(SECRET), packet + 4, NULL, EVP_md5(), NULL);
	j = judge(packet, size, &reply);
	REQUIRE(j == RADIUS_REPLY_RIGHT || j == RADIUS_REPLY_MALFORMED);
	REQUIRE(j != RADIUS_REPLY_RIGHT || reply.vlan <= 4095);
	packet[1]++;
	REQUIRE(judge(packet, size, &reply) == RADIUS_REPLY_FOREIGN);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct radius_reply reply;

	/* Nobody guesses two MD5s. */
	REQUIRE(judge(data, size, &reply) != RADIUS_REPLY_RIGHT);
	sealed(data, size);
	return 0;
}
