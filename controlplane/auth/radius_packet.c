/* SPDX-License-Identifier: BSD-3-Clause */
/* See radius_packet.h. */

#include "controlplane/auth/radius_packet.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define HEADER_BYTES 20u
#define MD5_BYTES    16u

enum attribute {
	USER_NAME = 1,
	USER_PASSWORD = 2,
	SERVICE_TYPE = 6,
	CALLED_STATION_ID = 30,
	CALLING_STATION_ID = 31,
	NAS_IDENTIFIER = 32,
	PROXY_STATE = 33,
	NAS_PORT_TYPE = 61,
	TUNNEL_TYPE = 64,
	TUNNEL_MEDIUM_TYPE = 65,
	TUNNEL_CLIENT_ENDPOINT = 66,
	MESSAGE_AUTHENTICATOR = 80,
	TUNNEL_PRIVATE_GROUP_ID = 81,
};

/* MD5 over up to four pieces. */
static bool md5(
	uint8_t out[MD5_BYTES], const void *const pieces[], const size_t sizes[], unsigned cnt)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	bool ok = ctx != NULL && EVP_DigestInit_ex(ctx, EVP_md5(), NULL) == 1;

	for (unsigned i = 0; i < cnt && ok; i++)
		ok = EVP_DigestUpdate(ctx, pieces[i], sizes[i]) == 1;
	ok = ok && EVP_DigestFinal_ex(ctx, out, NULL) == 1;
	EVP_MD_CTX_free(ctx);
	return ok;
}

/* ---- the request ------------------------------------------------------------------------------- */

static uint8_t *put(uint8_t *at, enum attribute type, const void *bytes, size_t size)
{
	at[0] = (uint8_t)type;
	at[1] = (uint8_t)(size + 2);
	memcpy(at + 2, bytes, size);
	return at + 2 + size;
}

static uint8_t *put_text(uint8_t *at, enum attribute type, const char *text)
{
	return text[0] == '\0' ? at : put(at, type, text, strlen(text));
}

static uint8_t *put_number(uint8_t *at, enum attribute type, uint8_t number)
{
	return put(at, type, (const uint8_t[4]){0, 0, 0, number}, 4);
}

/* RFC 2865 5.2: each 16 bytes under MD5(secret, what came before). */
static bool hide(uint8_t *password, size_t padded, const char *secret, const uint8_t *authenticator)
{
	const uint8_t *before = authenticator;
	uint8_t mask[MD5_BYTES];
	bool ok = true;

	for (size_t at = 0; at < padded && ok; at += MD5_BYTES) {
		const void *pieces[] = {secret, before};
		const size_t sizes[] = {strlen(secret), MD5_BYTES};

		ok = md5(mask, pieces, sizes, 2);
		for (unsigned i = 0; i < MD5_BYTES; i++)
			password[at + i] ^= mask[i];
		before = password + at;
	}
	OPENSSL_cleanse(mask, sizeof(mask));
	return ok;
}

static uint8_t *put_password(
	uint8_t *at, const struct radius_ask *ask, const uint8_t *authenticator)
{
	uint8_t hidden[RADIUS_PASSWORD_MAX] = {0};
	size_t len = strlen(ask->password);
	size_t padded = len == 0 ? MD5_BYTES : (len + MD5_BYTES - 1) / MD5_BYTES * MD5_BYTES;

	memcpy(hidden, ask->password, len);
	if (hide(hidden, padded, ask->secret, authenticator))
		at = put(at, USER_PASSWORD, hidden, padded);
	else
		at = NULL;
	OPENSSL_cleanse(hidden, sizeof(hidden));
	return at;
}

static bool fits(const char *text, size_t max)
{
	return strlen(text) <= max;
}

long radius_request_build(uint8_t *out, const struct radius_ask *ask, uint8_t identifier,
	const uint8_t authenticator[RADIUS_AUTHENTICATOR_BYTES])
{
	static const uint8_t zeros[MD5_BYTES];
	uint8_t *at = out + HEADER_BYTES, *signature;
	unsigned bytes = 0;
	size_t size;

	if (ask->name[0] == '\0' || !fits(ask->name, RADIUS_TEXT_MAX) ||
		!fits(ask->nas_identifier, RADIUS_TEXT_MAX) ||
		!fits(ask->called, RADIUS_TEXT_MAX) || !fits(ask->calling, RADIUS_TEXT_MAX) ||
		!fits(ask->password, RADIUS_PASSWORD_MAX))
		return -EINVAL;
	/* First of all, which is what makes it hard to collide with. */
	signature = at + 2;
	at = put(at, MESSAGE_AUTHENTICATOR, zeros, sizeof(zeros));
	at = put_text(at, USER_NAME, ask->name);
	at = put_password(at, ask, authenticator);
	if (at == NULL)
		return -EINVAL;
	at = put_text(at, NAS_IDENTIFIER, ask->nas_identifier);
	at = put_number(at, SERVICE_TYPE, 2);  /* framed */
	at = put_number(at, NAS_PORT_TYPE, 5); /* virtual */
	at = put_number(at, TUNNEL_TYPE, 1);   /* as the original says: there is none for its own */
	at = put_number(at, TUNNEL_MEDIUM_TYPE, 1); /* IPv4 */
	at = put_text(at, CALLED_STATION_ID, ask->called);
	at = put_text(at, CALLING_STATION_ID, ask->calling);
	at = put_text(at, TUNNEL_CLIENT_ENDPOINT, ask->calling);
	at = put_text(at, PROXY_STATE, "L2:SEVPN"); /* which policies of servers look for */
	size = (size_t)(at - out);
	out[0] = RADIUS_ACCESS_REQUEST;
	out[1] = identifier;
	out[2] = (uint8_t)(size >> 8);
	out[3] = (uint8_t)size;
	memcpy(out + 4, authenticator, RADIUS_AUTHENTICATOR_BYTES);
	if (HMAC(EVP_md5(), ask->secret, (int)strlen(ask->secret), out, size, signature, &bytes) ==
		NULL)
		return -EINVAL;
	return (long)size;
}

/* ---- replies ----------------------------------------------------------------------------------- */

/* A tag of one byte may stand before the text (RFC 2868 3.6). */
static uint16_t vlan_number(const uint8_t *text, size_t len)
{
	unsigned number = 0;

	if (len > 0 && text[0] < 0x20) {
		text++;
		len--;
	}
	if (len == 0 || len > 4)
		return 0;
	for (size_t i = 0; i < len; i++) {
		if (text[i] < '0' || text[i] > '9')
			return 0;
		number = 10 * number + (text[i] - '0');
	}
	return number <= 4095 ? (uint16_t)number : 0;
}

/* Offset of the one Message-Authenticator, 0 if there is none; false: attributes do not fill the packet. */
static bool attributes_read(
	const uint8_t *packet, size_t size, size_t *signature, struct radius_reply *out)
{
	size_t at = HEADER_BYTES;

	*signature = 0;
	out->vlan = 0;
	while (at < size) {
		size_t bytes = size - at < 2 ? 0 : packet[at + 1];

		if (bytes < 2 || bytes > size - at)
			return false;
		if (packet[at] == MESSAGE_AUTHENTICATOR) {
			if (bytes != 2 + MD5_BYTES || *signature != 0)
				return false;
			*signature = at + 2;
		} else if (packet[at] == TUNNEL_PRIVATE_GROUP_ID && out->vlan == 0) {
			out->vlan = vlan_number(packet + at + 2, bytes - 2);
		}
		at += bytes;
	}
	return true;
}

static bool response_authenticator_right(
	const uint8_t *packet, size_t size, const uint8_t *authenticator, const char *secret)
{
	const void *pieces[] = {packet, authenticator, packet + HEADER_BYTES, secret};
	const size_t sizes[] = {4, RADIUS_AUTHENTICATOR_BYTES, size - HEADER_BYTES, strlen(secret)};
	uint8_t expected[MD5_BYTES];

	return md5(expected, pieces, sizes, 4) &&
		CRYPTO_memcmp(expected, packet + 4, MD5_BYTES) == 0;
}

/* Over the reply with the request's authenticator and a field of zeros (RFC 2869 5.14). */
static bool signature_right(const uint8_t *packet, size_t size, size_t signature,
	const uint8_t *authenticator, const char *secret)
{
	uint8_t copy[RADIUS_PACKET_MAX], expected[MD5_BYTES];
	unsigned bytes = 0;

	memcpy(copy, packet, size);
	memcpy(copy + 4, authenticator, RADIUS_AUTHENTICATOR_BYTES);
	memset(copy + signature, 0, MD5_BYTES);
	return HMAC(EVP_md5(), secret, (int)strlen(secret), copy, size, expected, &bytes) != NULL &&
		CRYPTO_memcmp(expected, packet + signature, MD5_BYTES) == 0;
}

enum radius_judgement radius_reply_parse(const uint8_t *bytes, size_t size, uint8_t identifier,
	const uint8_t authenticator[RADIUS_AUTHENTICATOR_BYTES], const char *secret,
	bool signed_only, struct radius_reply *out)
{
	size_t length, signature;

	if (size < HEADER_BYTES)
		return RADIUS_REPLY_MALFORMED;
	length = (size_t)bytes[2] << 8 | bytes[3];
	/* Bytes behind the packet's own length are padding (RFC 2865 3). */
	if (length < HEADER_BYTES || length > size || length > RADIUS_PACKET_MAX)
		return RADIUS_REPLY_MALFORMED;
	if (bytes[0] != RADIUS_ACCESS_ACCEPT && bytes[0] != RADIUS_ACCESS_REJECT &&
		bytes[0] != RADIUS_ACCESS_CHALLENGE)
		return RADIUS_REPLY_UNEXPECTED;
	if (bytes[1] != identifier)
		return RADIUS_REPLY_FOREIGN;
	out->code = (enum radius_code)bytes[0];
	if (!attributes_read(bytes, length, &signature, out))
		return RADIUS_REPLY_MALFORMED;
	if (!response_authenticator_right(bytes, length, authenticator, secret))
		return RADIUS_REPLY_FORGED;
	if (signature == 0)
		return signed_only ? RADIUS_REPLY_UNSIGNED : RADIUS_REPLY_RIGHT;
	return signature_right(bytes, length, signature, authenticator, secret)
		? RADIUS_REPLY_RIGHT
		: RADIUS_REPLY_FORGED;
}
