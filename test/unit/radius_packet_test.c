/* SPDX-License-Identifier: BSD-3-Clause */
/* RADIUS packets: the request as RFC 2865's example has it, and every way in which a reply may be wrong. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "controlplane/auth/radius_packet.h"

#define SECRET "xyzzy5461"

/* RFC 2865 7.1: its request authenticator, secret and password, and the hidden password that come of them. */
static const uint8_t authenticator[16] = {0x0f, 0x40, 0x3f, 0x94, 0x73, 0x97, 0x80, 0x57, 0xbd,
	0x83, 0xd5, 0xcb, 0x98, 0xf4, 0x22, 0x7a};
static const uint8_t hidden[16] = {0x0d, 0xbe, 0x70, 0x8d, 0x93, 0xd4, 0x13, 0xce, 0x31, 0x96, 0xe4,
	0x3f, 0x78, 0x2a, 0x0a, 0xee};

static const struct radius_ask nemo = {
	.name = "nemo",
	.password = "arctangent",
	.secret = SECRET,
	.nas_identifier = "nas",
	.called = "HUB",
	.calling = "192.0.2.1",
};

static const uint8_t *attribute(const uint8_t *packet, size_t size, uint8_t type)
{
	for (size_t at = 20; at < size; at += packet[at + 1]) {
		assert_in_range(packet[at + 1], 2, size - at);
		if (packet[at] == type)
			return packet + at;
	}
	return NULL;
}

static void request_is_that_of_the_rfc(void **)
{
	uint8_t packet[RADIUS_PACKET_MAX], mac[16], copy[RADIUS_PACKET_MAX];
	long size = radius_request_build(packet, &nemo, 7, authenticator);
	const uint8_t *a;

	assert_true(size > 20);
	assert_int_equal(packet[0], 1);
	assert_int_equal(packet[1], 7);
	assert_int_equal(packet[2] << 8 | packet[3], size);
	assert_memory_equal(packet + 4, authenticator, 16);
	assert_int_equal(packet[20], 80); /* first */
	a = attribute(packet, (size_t)size, 1);
	assert_int_equal(a[1], 6);
	assert_memory_equal(a + 2, "nemo", 4);
	a = attribute(packet, (size_t)size, 2);
	assert_int_equal(a[1], 18);
	/* RFC 2865 7.1 hides "arctangent" under the same secret and authenticator. */
	assert_memory_equal(a + 2, hidden, 16);
	memcpy(copy, packet, (size_t)size);
	memset(copy + 22, 0, 16);
	HMAC(EVP_md5(), SECRET, (int)strlen(SECRET), copy, (size_t)size, mac, NULL);
	assert_memory_equal(packet + 22, mac, 16);
	assert_memory_equal(attribute(packet, (size_t)size, 33) + 2, "L2:SEVPN", 8);
}

static void what_does_not_fit(void **)
{
	uint8_t packet[RADIUS_PACKET_MAX];
	char name[300], password[200];
	struct radius_ask ask = nemo;

	memset(name, 'n', sizeof(name));
	memset(password, 'p', sizeof(password));
	ask.name = name;
	name[254] = '\0';
	assert_int_equal(radius_request_build(packet, &ask, 1, authenticator), -EINVAL);
	name[253] = '\0';
	assert_true(radius_request_build(packet, &ask, 1, authenticator) > 253);
	ask.password = password;
	password[129] = '\0';
	assert_int_equal(radius_request_build(packet, &ask, 1, authenticator), -EINVAL);
	password[128] = '\0';
	assert_true(radius_request_build(packet, &ask, 1, authenticator) > 128);
	ask.name = "";
	assert_int_equal(radius_request_build(packet, &ask, 1, authenticator), -EINVAL);
}

/* A reply as a server makes it. */
static size_t reply_make(
	uint8_t *out, uint8_t code, uint8_t id, bool with_mac, const void *attributes, size_t bytes)
{
	uint8_t seed[RADIUS_PACKET_MAX + 64];
	size_t size = 20;

	out[0] = code;
	out[1] = id;
	memcpy(out + size, attributes, bytes);
	size += bytes;
	if (with_mac) {
		out[size] = 80;
		out[size + 1] = 18;
		memset(out + size + 2, 0, 16);
		size += 18;
	}
	out[2] = (uint8_t)(size >> 8);
	out[3] = (uint8_t)size;
	memcpy(out + 4, authenticator, 16);
	if (with_mac)
		HMAC(EVP_md5(), SECRET, (int)strlen(SECRET), out, size, out + size - 16, NULL);
	memcpy(seed, out, size);
	memcpy(seed + size, SECRET, strlen(SECRET));
	EVP_Digest(seed, size + strlen(SECRET), out + 4, NULL, EVP_md5(), NULL);
	return size;
}

static enum radius_judgement judge(const uint8_t *packet, size_t size, bool signed_only)
{
	struct radius_reply reply;
	/* Exactly that long, for the sanitizer. */
	uint8_t *exact = malloc(size + (size == 0));
	enum radius_judgement j;

	memcpy(exact, packet, size);
	j = radius_reply_parse(exact, size, 7, authenticator, SECRET, signed_only, &reply);
	free(exact);
	return j;
}

static void right_replies(void **)
{
	static const uint8_t codes[] = {2, 3, 11};
	uint8_t packet[RADIUS_PACKET_MAX];
	struct radius_reply reply;

	for (unsigned i = 0; i < 3; i++) {
		size_t size = reply_make(packet, codes[i], 7, true, "\x12\x04hi", 4);

		assert_int_equal(
			radius_reply_parse(packet, size, 7, authenticator, SECRET, true, &reply),
			RADIUS_REPLY_RIGHT);
		assert_int_equal(reply.code, codes[i]);
		/* Behind the packet's own length stands padding. */
		packet[size] = 0xff;
		assert_int_equal(judge(packet, size + 1, true), RADIUS_REPLY_RIGHT);
	}
}

static void every_bit_counts(void **)
{
	uint8_t packet[RADIUS_PACKET_MAX];
	size_t size = reply_make(packet, 3, 7, true, "\x12\x04hi", 4);

	for (size_t bit = 0; bit < 8 * size; bit++) {
		packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_not_equal(judge(packet, size, true), RADIUS_REPLY_RIGHT);
		packet[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(judge(packet, cut, true), RADIUS_REPLY_MALFORMED);
}

static void wrong_replies(void **)
{
	uint8_t packet[RADIUS_PACKET_MAX];
	size_t size;

	size = reply_make(packet, 2, 8, true, "", 0);
	assert_int_equal(judge(packet, size, true), RADIUS_REPLY_FOREIGN);
	size = reply_make(packet, 5, 7, true, "", 0);
	assert_int_equal(judge(packet, size, true), RADIUS_REPLY_UNEXPECTED);
	size = reply_make(packet, 1, 7, true, "", 0);
	assert_int_equal(judge(packet, size, true), RADIUS_REPLY_UNEXPECTED);
	size = reply_make(packet, 2, 7, false, "", 0);
	assert_int_equal(judge(packet, size, true), RADIUS_REPLY_UNSIGNED);
	assert_int_equal(judge(packet, size, false), RADIUS_REPLY_RIGHT);
	/* One that is there is looked at, whatever is asked for: here it is of zeros. */
	size = reply_make(packet, 2, 7, false, "\x50\x12\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18);
	assert_int_equal(judge(packet, size, false), RADIUS_REPLY_FORGED);
	/* Two of them, one of another length, attributes of no length or beyond the end. */
	size = reply_make(packet, 2, 7, true, "\x50\x12\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18);
	assert_int_equal(judge(packet, size, true), RADIUS_REPLY_MALFORMED);
	size = reply_make(packet, 2, 7, false, "\x50\x03\0", 3);
	assert_int_equal(judge(packet, size, false), RADIUS_REPLY_MALFORMED);
	size = reply_make(packet, 2, 7, false, "\x12\x00", 2);
	assert_int_equal(judge(packet, size, false), RADIUS_REPLY_MALFORMED);
	size = reply_make(packet, 2, 7, false, "\x12\x05hi", 4);
	assert_int_equal(judge(packet, size, false), RADIUS_REPLY_MALFORMED);
	size = reply_make(packet, 2, 7, false, "\x12", 1);
	assert_int_equal(judge(packet, size, false), RADIUS_REPLY_MALFORMED);
}

static void vlans(void **)
{
	static const struct {
		const char *bytes;
		size_t size;
		uint16_t vlan;
	} rows[] = {
		{"\x51\x05"
		 "123",
			5, 123},
		{"\x51\x06\x01"
		 "123",
			6, 123},
		{"\x51\x06"
		 "4095",
			6, 4095},
		{"\x51\x06"
		 "4096",
			6, 0},
		{"\x51\x07"
		 "00012",
			7, 0},
		{"\x51\x04"
		 "1a",
			4, 0},
		{"\x51\x02", 2, 0},
		{"\x51\x03\x01", 3, 0},
		{"\x51\x03"
		 "0"
		 "\x51\x03"
		 "9",
			6, 9},
	};

	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t packet[RADIUS_PACKET_MAX];
		struct radius_reply reply;
		size_t size = reply_make(packet, 2, 7, true, rows[i].bytes, rows[i].size);

		assert_int_equal(
			radius_reply_parse(packet, size, 7, authenticator, SECRET, true, &reply),
			RADIUS_REPLY_RIGHT);
		assert_int_equal(reply.vlan, rows[i].vlan);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(request_is_that_of_the_rfc),
		cmocka_unit_test(what_does_not_fit),
		cmocka_unit_test(right_replies),
		cmocka_unit_test(every_bit_counts),
		cmocka_unit_test(wrong_replies),
		cmocka_unit_test(vlans),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
