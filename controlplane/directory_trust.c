/* SPDX-License-Identifier: BSD-3-Clause */
/* See directory_trust.h. */

#include "controlplane/directory_trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509.h>

const char *crl_name_key(enum crl_name name)
{
	static const char *const keys[CRL_NAME_CNT] = {
		[CRL_NAME_COMMON] = "common_name",
		[CRL_NAME_ORGANIZATION] = "organization",
		[CRL_NAME_UNIT] = "unit",
		[CRL_NAME_COUNTRY] = "country",
		[CRL_NAME_STATE] = "state",
		[CRL_NAME_LOCAL] = "local",
	};

	return keys[name];
}

const char *crl_name_field(enum crl_name name)
{
	static const char *const fields[CRL_NAME_CNT] = {
		[CRL_NAME_COMMON] = "CommonName",
		[CRL_NAME_ORGANIZATION] = "Organization",
		[CRL_NAME_UNIT] = "Unit",
		[CRL_NAME_COUNTRY] = "Country",
		[CRL_NAME_STATE] = "State",
		[CRL_NAME_LOCAL] = "Local",
	};

	return fields[name];
}

/* ---- life -------------------------------------------------------------------------------------- */

static void ca_free(struct directory_ca *ca)
{
	X509_free(ca->x509);
	free(ca->der);
}

static void crl_free(struct directory_crl *crl)
{
	for (unsigned i = 0; i < CRL_NAME_CNT; i++)
		free(crl->names[i]);
}

struct directory_trust *directory_trust_ref(struct directory_trust *t)
{
	if (t != NULL)
		t->refs++;
	return t;
}

void directory_trust_unref(struct directory_trust *t)
{
	if (t == NULL || --t->refs > 0)
		return;
	for (uint32_t i = 0; i < t->ca_cnt; i++)
		ca_free(&t->cas[i]);
	for (uint32_t i = 0; i < t->crl_cnt; i++)
		crl_free(&t->crls[i]);
	free(t->cas);
	free(t->crls);
	free(t);
}

static bool crl_copy(struct directory_crl *to, const struct directory_crl *from)
{
	*to = *from;
	memset(to->names, 0, sizeof(to->names));
	for (unsigned i = 0; i < CRL_NAME_CNT; i++) {
		if (from->names[i] == NULL)
			continue;
		to->names[i] = strdup(from->names[i]);
		if (to->names[i] == NULL) {
			crl_free(to);
			return false;
		}
	}
	return true;
}

static bool ca_copy(struct directory_ca *to, const struct directory_ca *from)
{
	*to = *from;
	to->der = malloc(from->der_bytes);
	if (to->der == NULL)
		return false;
	memcpy(to->der, from->der, from->der_bytes);
	X509_up_ref(to->x509);
	return true;
}

struct directory_trust *directory_trust_copy(const struct directory_trust *t)
{
	struct directory_trust *copy = calloc(1, sizeof(*copy));
	uint32_t cas = t == NULL ? 0 : t->ca_cnt, crls = t == NULL ? 0 : t->crl_cnt;

	if (copy == NULL)
		return NULL;
	copy->refs = 1;
	copy->next_key = t == NULL ? 1 : t->next_key;
	copy->ca_room = cas + 1;
	copy->crl_room = crls + 1;
	copy->cas = calloc(copy->ca_room, sizeof(*copy->cas));
	copy->crls = calloc(copy->crl_room, sizeof(*copy->crls));
	if (copy->cas == NULL || copy->crls == NULL) {
		directory_trust_unref(copy);
		return NULL;
	}
	for (; copy->ca_cnt < cas; copy->ca_cnt++) {
		if (!ca_copy(&copy->cas[copy->ca_cnt], &t->cas[copy->ca_cnt])) {
			directory_trust_unref(copy);
			return NULL;
		}
	}
	for (; copy->crl_cnt < crls; copy->crl_cnt++) {
		if (!crl_copy(&copy->crls[copy->crl_cnt], &t->crls[copy->crl_cnt])) {
			directory_trust_unref(copy);
			return NULL;
		}
	}
	return copy;
}

/* ---- changing ---------------------------------------------------------------------------------- */

/* Room for one more behind `cnt`; doubled when there is none, so that reading a long list is not quadratic. */
static bool grow(void **list, uint32_t cnt, uint32_t *room, size_t bytes)
{
	void *more;

	if (cnt < *room)
		return true;
	more = realloc(*list, ((size_t)cnt * 2 + 1) * bytes);
	if (more == NULL)
		return false;
	*list = more;
	*room = cnt * 2 + 1;
	return true;
}

static X509 *parse(const uint8_t *der, size_t size)
{
	const uint8_t *at = der;
	X509 *x509 = d2i_X509(NULL, &at, (long)size);

	if (x509 != NULL && at != der + size) {
		X509_free(x509);
		x509 = NULL;
	}
	ERR_clear_error();
	return x509;
}

int directory_trust_add_ca(struct directory_trust *t, const uint8_t *der, size_t size)
{
	void *list = t->cas;
	struct directory_ca *ca;

	if (size == 0 || size > DIRECTORY_CERT_BYTES)
		return -EBADMSG;
	for (uint32_t i = 0; i < t->ca_cnt; i++)
		if (t->cas[i].der_bytes == size && memcmp(t->cas[i].der, der, size) == 0)
			return -EEXIST;
	if (t->ca_cnt >= DIRECTORY_CAS_MAX)
		return -ENOSPC;
	if (!grow(&list, t->ca_cnt, &t->ca_room, sizeof(*t->cas)))
		return -ENOMEM;
	t->cas = list;
	ca = &t->cas[t->ca_cnt];
	memset(ca, 0, sizeof(*ca));
	ca->x509 = parse(der, size);
	if (ca->x509 == NULL)
		return -EBADMSG;
	ca->der = malloc(size);
	if (ca->der == NULL) {
		ca_free(ca);
		return -ENOMEM;
	}
	memcpy(ca->der, der, size);
	ca->der_bytes = (uint32_t)size;
	ca->key = t->next_key++;
	t->ca_cnt++;
	return 0;
}

static bool filled(const struct directory_crl *crl)
{
	for (unsigned i = 0; i < CRL_NAME_CNT; i++)
		if (crl->names[i] != NULL)
			return true;
	return crl->serial_bytes > 0 || crl->has_md5 || crl->has_sha1;
}

int directory_trust_add_crl(struct directory_trust *t, const struct directory_crl *entry)
{
	void *list = t->crls;

	if (!filled(entry))
		return -EINVAL;
	if (t->crl_cnt >= DIRECTORY_CRLS_MAX)
		return -ENOSPC;
	if (!grow(&list, t->crl_cnt, &t->crl_room, sizeof(*t->crls)))
		return -ENOMEM;
	t->crls = list;
	if (!crl_copy(&t->crls[t->crl_cnt], entry))
		return -ENOMEM;
	t->crls[t->crl_cnt].key = t->next_key++;
	t->crl_cnt++;
	return 0;
}

int directory_trust_set_crl(
	struct directory_trust *t, uint32_t key, const struct directory_crl *entry)
{
	struct directory_crl *old = (struct directory_crl *)directory_trust_crl(t, key);
	struct directory_crl by;

	if (old == NULL)
		return -ENOENT;
	if (!filled(entry))
		return -EINVAL;
	if (!crl_copy(&by, entry))
		return -ENOMEM;
	crl_free(old);
	*old = by;
	old->key = key;
	return 0;
}

int directory_trust_delete_ca(struct directory_trust *t, uint32_t key)
{
	struct directory_ca *ca = (struct directory_ca *)directory_trust_ca(t, key);

	if (ca == NULL)
		return -ENOENT;
	ca_free(ca);
	t->ca_cnt--;
	memmove(ca, ca + 1, (size_t)(t->cas + t->ca_cnt - ca) * sizeof(*ca));
	return 0;
}

int directory_trust_delete_crl(struct directory_trust *t, uint32_t key)
{
	struct directory_crl *crl = (struct directory_crl *)directory_trust_crl(t, key);

	if (crl == NULL)
		return -ENOENT;
	crl_free(crl);
	t->crl_cnt--;
	memmove(crl, crl + 1, (size_t)(t->crls + t->crl_cnt - crl) * sizeof(*crl));
	return 0;
}

/* ---- looking ----------------------------------------------------------------------------------- */

const struct directory_ca *directory_trust_ca(const struct directory_trust *t, uint32_t key)
{
	for (uint32_t i = 0; t != NULL && i < t->ca_cnt; i++)
		if (t->cas[i].key == key)
			return &t->cas[i];
	return NULL;
}

const struct directory_crl *directory_trust_crl(const struct directory_trust *t, uint32_t key)
{
	for (uint32_t i = 0; t != NULL && i < t->crl_cnt; i++)
		if (t->crls[i].key == key)
			return &t->crls[i];
	return NULL;
}
