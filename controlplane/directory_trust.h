/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIRECTORY_TRUST_H
#define PATCHBAY_CONTROLPLANE_DIRECTORY_TRUST_H

/*
 * Whose signatures a hub believes (reference/auth.md 2): certificates of authorities, and the entries by which
 * certificates are revoked. One object holds both lists of one hub. It never changes: who changes a list copies the
 * object, changes the copy while nobody else knows it, and puts it in the other's place (directory_change.h). So a
 * handshake helper that compares with it needs no lock, only that somebody holds a reference meanwhile.
 *
 * References are counted by the control thread alone. NULL stands for two empty lists.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct x509_st;

#define DIRECTORY_CAS_MAX	 256u
#define DIRECTORY_CRLS_MAX	 4096u
#define DIRECTORY_CERT_BYTES	 65535u /* DER; the login takes 100000, nobody has such */
#define DIRECTORY_SERIAL_BYTES	 64u	/* RFC 5280 has 20; the original takes any */
#define DIRECTORY_CRL_NAME_BYTES 256u

/* Parts of a subject by which an entry revokes, as the protocol names them. */
enum crl_name {
	CRL_NAME_COMMON,
	CRL_NAME_ORGANIZATION,
	CRL_NAME_UNIT,
	CRL_NAME_COUNTRY,
	CRL_NAME_STATE,
	CRL_NAME_LOCAL,
	CRL_NAME_CNT
};

struct directory_ca {
	uint32_t key; /* handle for tools, until the daemon's next start */
	struct x509_st *x509;
	uint8_t *der;
	uint32_t der_bytes;
};

/* Matches a certificate in which everything is equal that is filled here; something always is. */
struct directory_crl {
	uint32_t key;
	char *names[CRL_NAME_CNT]; /* UTF-8; NULL: not filled. Case does not count. */
	uint8_t serial[DIRECTORY_SERIAL_BYTES];
	uint32_t serial_bytes; /* 0: not filled; leading zeros do not count */
	bool has_md5, has_sha1;
	uint8_t md5[16]; /* of the DER */
	uint8_t sha1[20];
};

struct directory_trust {
	unsigned refs;
	uint32_t next_key;
	uint32_t ca_cnt, crl_cnt;
	uint32_t ca_room, crl_room;
	struct directory_ca *cas;
	struct directory_crl *crls;
};

struct directory_trust *directory_trust_ref(struct directory_trust *t); /* NULL is fine */
void directory_trust_unref(struct directory_trust *t);
/* A copy with one reference; of NULL, two empty lists. NULL: no memory. */
struct directory_trust *directory_trust_copy(const struct directory_trust *t);

/*
 * For a copy that nobody else has. A certificate is parsed: -EBADMSG. -EEXIST (the same certificate), -ENOSPC,
 * -ENOMEM.
 */
int directory_trust_add_ca(struct directory_trust *t, const uint8_t *der, size_t size);
/* Copies what it points to, gives it a key. -EINVAL: nothing is filled. -ENOSPC, -ENOMEM. */
int directory_trust_add_crl(struct directory_trust *t, const struct directory_crl *entry);
/* In place of the entry with this key, which stays. -ENOENT, and as above. */
int directory_trust_set_crl(
	struct directory_trust *t, uint32_t key, const struct directory_crl *entry);
/* -ENOENT. */
int directory_trust_delete_ca(struct directory_trust *t, uint32_t key);
int directory_trust_delete_crl(struct directory_trust *t, uint32_t key);

/* NULL if there is none. */
const struct directory_ca *directory_trust_ca(const struct directory_trust *t, uint32_t key);
const struct directory_crl *directory_trust_crl(const struct directory_trust *t, uint32_t key);

/* "common_name", "organization" ...: keys of the directory file. */
const char *crl_name_key(enum crl_name name);
/* "CommonName", "Organization" ...: fields of the protocol, and keys of the original's configuration. */
const char *crl_name_field(enum crl_name name);

#endif
