/* SPDX-License-Identifier: BSD-3-Clause */
/* See udp_packet.h (wire.md 7.3). */

/* RC4 and SHA-1 as plain functions: through EVP each datagram of version 1 would look its algorithms up. */
#define OPENSSL_SUPPRESS_DEPRECATED

#include "drivers/session/wire/udp_packet.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rc4.h>
#include <openssl/sha.h>

#include "drivers/session/wire/be.h"

#define IV_BYTES    20u
#define ZERO_BYTES  20u /* behind the body of version 1 */
#define NONCE_BYTES 12u
#define TAG_BYTES   16u

struct udp_seal {
	enum udp_packet_form form;
	struct udp_aead *aead; /* version 2 */
	uint8_t key[UDP_PACKET_KEY_V1];
	uint8_t next[IV_BYTES]; /* version 1: next IV. Version 2: where nonces begin to count */
	uint64_t count;		/* version 2: datagrams sealed */
};

/* ---- version 2 by OpenSSL ---------------------------------------------------------------------- */

struct evp_aead {
	struct udp_aead aead;
	EVP_CIPHER_CTX *ctx;
	uint8_t key[UDP_PACKET_KEY_V2];
	bool keyed; /* when it is first used, which says which way */
};

static bool evp_seal(EVP_CIPHER_CTX *ctx, struct udp_datagram *d)
{
	uint8_t *text = d->data + NONCE_BYTES;
	size_t len = d->bytes - NONCE_BYTES - TAG_BYTES;
	int n;

	if (EVP_EncryptInit_ex(ctx, NULL, NULL, NULL, d->data) == 1 &&
		EVP_EncryptUpdate(ctx, text, &n, text, (int)len) == 1 &&
		EVP_EncryptFinal_ex(ctx, text + len, &n) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, TAG_BYTES, text + len) == 1)
		return true;
	memset(text, 0, len + TAG_BYTES);
	return false;
}

static bool evp_open(EVP_CIPHER_CTX *ctx, struct udp_datagram *d)
{
	uint8_t *text = d->data + NONCE_BYTES;
	size_t len = d->bytes - NONCE_BYTES - TAG_BYTES;
	int n;

	return EVP_DecryptInit_ex(ctx, NULL, NULL, NULL, d->data) == 1 &&
		EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, TAG_BYTES, text + len) == 1 &&
		EVP_DecryptUpdate(ctx, text, &n, text, (int)len) == 1 &&
		EVP_DecryptFinal_ex(ctx, text + len, &n) == 1;
}

static void evp_run(struct udp_aead *aead, bool sealing, struct udp_datagram *d, unsigned n)
{
	struct evp_aead *e = (struct evp_aead *)aead; /* its first member */

	if (!e->keyed)
		e->keyed = EVP_CipherInit_ex(e->ctx, EVP_chacha20_poly1305(), NULL, e->key, NULL,
				   sealing) == 1;
	for (unsigned i = 0; i < n; i++)
		d[i].ok = sealing ? evp_seal(e->ctx, &d[i]) : evp_open(e->ctx, &d[i]);
}

static void evp_destroy(struct udp_aead *aead)
{
	struct evp_aead *e = (struct evp_aead *)aead;

	EVP_CIPHER_CTX_free(e->ctx);
	OPENSSL_cleanse(e, sizeof(*e));
	free(e);
}

static struct udp_aead *evp_create(const uint8_t *key)
{
	struct evp_aead *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return NULL;
	e->aead = (struct udp_aead){.run = evp_run, .destroy = evp_destroy};
	memcpy(e->key, key, sizeof(e->key));
	e->ctx = EVP_CIPHER_CTX_new();
	if (e->ctx == NULL) {
		evp_destroy(&e->aead);
		return NULL;
	}
	return &e->aead;
}

/* ---- life -------------------------------------------------------------------------------------- */

struct udp_seal *udp_seal_create(enum udp_packet_form form, const uint8_t *key, const uint8_t *seed)
{
	struct udp_seal *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return NULL;
	s->form = form;
	memcpy(s->next, seed, sizeof(s->next));
	if (form == UDP_PACKET_V1)
		memcpy(s->key, key, UDP_PACKET_KEY_V1);
	if (form == UDP_PACKET_V2) {
		s->aead = evp_create(key);
		if (s->aead == NULL) {
			udp_seal_destroy(s);
			return NULL;
		}
	}
	return s;
}

void udp_seal_destroy(struct udp_seal *seal)
{
	if (seal == NULL)
		return;
	if (seal->aead != NULL)
		seal->aead->destroy(seal->aead);
	OPENSSL_cleanse(seal, sizeof(*seal));
	free(seal);
}

void udp_seal_set_aead(struct udp_seal *seal, struct udp_aead *aead)
{
	if (seal->aead != NULL)
		seal->aead->destroy(seal->aead);
	seal->aead = aead;
}

/* ---- building and reading ----------------------------------------------------------------------- */

/* Bytes in front of the body, and of what is neither body nor padding. */
static size_t body_at(enum udp_packet_form form)
{
	return form == UDP_PACKET_V2 ? NONCE_BYTES : form == UDP_PACKET_V1 ? IV_BYTES : 0;
}

static size_t overhead(enum udp_packet_form form)
{
	return form == UDP_PACKET_V2	? NONCE_BYTES + TAG_BYTES
		: form == UDP_PACKET_V1 ? IV_BYTES + ZERO_BYTES
					: 0;
}

size_t udp_packet_bytes(enum udp_packet_form form, uint32_t size, uint32_t padding)
{
	return UDP_PACKET_HEADER + size + overhead(form) + (form == UDP_PACKET_PLAIN ? 0 : padding);
}

uint32_t udp_packet_padding_room(enum udp_packet_form form, uint32_t size, uint32_t budget)
{
	size_t bytes = udp_packet_bytes(form, size, 0);

	if (form == UDP_PACKET_PLAIN || bytes >= budget)
		return 0;
	return budget - bytes < UDP_PACKET_PADDING_MAX ? (uint32_t)(budget - bytes)
						       : UDP_PACKET_PADDING_MAX;
}

uint8_t *udp_packet_payload(enum udp_packet_form form, uint8_t *datagram)
{
	return datagram + body_at(form) + UDP_PACKET_HEADER;
}

size_t udp_packet_put(
	enum udp_packet_form form, const struct udp_packet *p, uint32_t padding, uint8_t *out)
{
	uint8_t *body = out + body_at(form), *payload = body + UDP_PACKET_HEADER;

	if (form == UDP_PACKET_PLAIN)
		padding = 0;
	be32_put(body, p->cookie);
	be64_put(body + 4, p->tick);
	be64_put(body + 12, p->echo);
	be16_put(body + 20, p->size);
	body[22] = p->compressed;
	if (p->size != 0 && p->data != payload)
		memcpy(payload, p->data, p->size);
	memset(payload + p->size, 0, padding + overhead(form) - body_at(form));
	return udp_packet_bytes(form, p->size, padding);
}

int udp_packet_get(enum udp_packet_form form, const struct udp_datagram *d, struct udp_packet *p)
{
	const uint8_t *body = d->data + body_at(form);
	size_t room;

	*p = (struct udp_packet){0};
	if (d->bytes < overhead(form) + UDP_PACKET_HEADER)
		return -EPROTO;
	room = d->bytes - overhead(form) - UDP_PACKET_HEADER;
	p->cookie = be32_get(body);
	p->tick = be64_get(body + 4);
	p->echo = be64_get(body + 12);
	p->size = be16_get(body + 20);
	p->compressed = body[22] == 1;
	p->data = body + UDP_PACKET_HEADER;
	/* Of IV and nonce, the part in which they differ whoever made them: counted, or at random. */
	if (form != UDP_PACKET_PLAIN)
		p->id = be64_get(d->data + 4);
	return p->size <= room ? 0 : -EPROTO;
}

/* ---- version 1 ---------------------------------------------------------------------------------- */

static void rc4_key(RC4_KEY *rc4, const struct udp_seal *seal, const uint8_t *iv)
{
	uint8_t digest[SHA_DIGEST_LENGTH];
	SHA_CTX sha;

	SHA1_Init(&sha);
	SHA1_Update(&sha, seal->key, UDP_PACKET_KEY_V1);
	SHA1_Update(&sha, iv, IV_BYTES);
	SHA1_Final(digest, &sha);
	RC4_set_key(rc4, sizeof(digest), digest);
}

static void rc4_seal(struct udp_seal *seal, struct udp_datagram *d)
{
	uint8_t *body = d->data + IV_BYTES;
	size_t len = d->bytes - IV_BYTES;
	RC4_KEY rc4;

	memcpy(d->data, seal->next, IV_BYTES);
	rc4_key(&rc4, seal, d->data);
	RC4(&rc4, len, body, body);
	/* Key stream that nobody has seen: as unforeseeable as an IV has to be. */
	memcpy(seal->next, body + len - IV_BYTES, IV_BYTES);
	d->ok = true;
}

static void rc4_open(const struct udp_seal *seal, struct udp_datagram *d)
{
	static const uint8_t zeros[ZERO_BYTES];
	uint8_t *body = d->data + IV_BYTES;
	size_t len = d->bytes - IV_BYTES;
	RC4_KEY rc4;

	rc4_key(&rc4, seal, d->data);
	RC4(&rc4, len, body, body);
	d->ok = memcmp(body + len - ZERO_BYTES, zeros, ZERO_BYTES) == 0;
}

/* ---- sealing and opening ------------------------------------------------------------------------- */

void udp_packet_seal(struct udp_seal *seal, struct udp_datagram *d, unsigned n)
{
	/* Each datagram of a key needs a nonce of its own; nobody gains from knowing the next. */
	for (unsigned i = 0; i < n && seal->form == UDP_PACKET_V2; i++) {
		memcpy(d[i].data, seal->next, 4);
		be64_put(d[i].data + 4, be64_get(seal->next + 4) + seal->count++);
	}
	if (seal->form == UDP_PACKET_V2)
		seal->aead->run(seal->aead, true, d, n);
	for (unsigned i = 0; i < n && seal->form == UDP_PACKET_V1; i++)
		rc4_seal(seal, &d[i]);
}

/* Those too short to be sealed at all are not shown to the cipher. */
static unsigned long_enough(
	const struct udp_seal *seal, struct udp_datagram *d, unsigned from, unsigned n)
{
	while (from < n && d[from].bytes >= overhead(seal->form) + UDP_PACKET_HEADER)
		from++;
	return from;
}

void udp_packet_open(struct udp_seal *seal, struct udp_datagram *d, unsigned n)
{
	for (unsigned at = 0; at < n;) {
		unsigned to = long_enough(seal, d, at, n);

		if (to == at) {
			d[at++].ok = false;
			continue;
		}
		if (seal->form == UDP_PACKET_V2)
			seal->aead->run(seal->aead, false, d + at, to - at);
		for (; at < to && seal->form != UDP_PACKET_V2; at++) {
			if (seal->form == UDP_PACKET_V1)
				rc4_open(seal, &d[at]);
			else
				d[at].ok = true;
		}
		at = to;
	}
}
