/* SPDX-License-Identifier: BSD-3-Clause */
/* See udp_aead.h. */

#include <stdlib.h>
#include <string.h>

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>

#include "drivers/session/wire/udp_packet.h"
#include "test/bench/load/udp_aead.h"

#define KEY   32u
#define NONCE 12u
#define TAG   16u

struct mb_aead {
	struct udp_aead aead;
	uint8_t key[KEY];
};

static IMB_MGR *manager; /* of the process's one thread */

static bool compute(const struct mb_aead *e, bool sealing, const struct udp_datagram *d)
{
	uint8_t tag[TAG], *text = d->data + NONCE;
	uint32_t len = d->bytes - NONCE - TAG;
	IMB_JOB *job = IMB_GET_NEXT_JOB(manager);

	*job = (IMB_JOB){.cipher_mode = IMB_CIPHER_CHACHA20_POLY1305,
		.hash_alg = IMB_AUTH_CHACHA20_POLY1305,
		.cipher_direction = sealing ? IMB_DIR_ENCRYPT : IMB_DIR_DECRYPT,
		.chain_order = sealing ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER,
		.enc_keys = e->key,
		.dec_keys = e->key,
		.key_len_in_bytes = KEY,
		.iv = d->data,
		.iv_len_in_bytes = NONCE,
		.src = text,
		.dst = text,
		.msg_len_to_cipher_in_bytes = len,
		.msg_len_to_hash_in_bytes = len,
		.auth_tag_output = sealing ? text + len : tag,
		.auth_tag_output_len_in_bytes = TAG,
		.u.CHACHA20_POLY1305.aad = d->data}; /* of no length */
	job = IMB_SUBMIT_JOB(manager);
	return job != NULL && job->status == IMB_STATUS_COMPLETED &&
		(sealing || CRYPTO_memcmp(tag, text + len, TAG) == 0);
}

static void run(struct udp_aead *aead, bool sealing, struct udp_datagram *d, unsigned n)
{
	const struct mb_aead *e = (const struct mb_aead *)aead; /* its first member */

	for (unsigned i = 0; i < n; i++) {
		d[i].ok = compute(e, sealing, &d[i]);
		if (sealing && !d[i].ok)
			memset(d[i].data + NONCE, 0, d[i].bytes - NONCE);
	}
}

static void destroy(struct udp_aead *aead)
{
	OPENSSL_cleanse(((struct mb_aead *)aead)->key, KEY);
	free(aead);
}

struct udp_aead *udp_aead_create(const uint8_t *key)
{
	struct mb_aead *e;

	if (manager == NULL) {
		manager = alloc_mb_mgr(0);
		if (manager != NULL)
			init_mb_mgr_auto(manager, NULL);
	}
	e = manager != NULL && imb_get_errno(manager) == 0 ? malloc(sizeof(*e)) : NULL;
	if (e == NULL)
		return NULL;
	e->aead = (struct udp_aead){.run = run, .destroy = destroy};
	memcpy(e->key, key, KEY);
	return &e->aead;
}
