/* SPDX-License-Identifier: BSD-3-Clause */
/* The certificate authorities that a hub trusts (admin-rpc.md 4.9). */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/x509.h>

#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/trust.h"
#include "drivers/session/wire/wire_error.h"

#define NAME_BYTES 512u

static const struct admin_field no_response[] = {ADMIN_END};

static const struct admin_field key_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_REQUIRED_INT(
		"Key", 0, UINT32_MAX, "as EnumCa told it; the daemon's next start gives others"),
	ADMIN_END,
};

/* ---- changing ---------------------------------------------------------------------------------- */

int trust_change_step(struct admin_call *call, unsigned fence,
	int (*change)(struct admin_call *call, struct directory_trust *t))
{
	struct admin_change *st = call->state;
	struct directory_settings s;
	struct directory_trust *t;
	struct directory_hub *hub;
	int rc;

	if (st->change != NULL)
		return admin_change_wait(call);
	rc = admin_hub_lookup(call, &hub);
	if (rc == 0)
		rc = admin_fenced(call, hub, fence);
	if (rc == 0)
		rc = admin_settings_copy(call, hub, &s);
	if (rc != 0)
		return rc;
	t = directory_trust_copy(hub->trust);
	directory_trust_unref(s.trust);
	s.trust = t;
	return admin_settings_change(call, hub, &s, t == NULL ? -ENOMEM : change(call, t));
}

static const struct admin_field add_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	{.name = "Cert",
		.type = ADMIN_TYPE_DATA,
		.flags = ADMIN_F_REQUIRED,
		.min = 1,
		.max = DIRECTORY_CERT_BYTES,
		.text = "certificate of the authority, X.509 DER"},
	ADMIN_END,
};

static int add(struct admin_call *call, struct directory_trust *t)
{
	size_t size;
	const uint8_t *der = admin_get_data(call, "Cert", &size);
	int rc = directory_trust_add_ca(t, der, size);

	/* Once is enough: it is there. */
	if (rc == -EEXIST)
		rc = 0;
	return rc == -EBADMSG
		? admin_fail_field(call, "Cert", "must be an X.509 certificate in DER")
		: rc;
}

static int add_ca_step(struct admin_call *call)
{
	return trust_change_step(call, HUB_ADMIN_no_change_cert_list, add);
}

const struct admin_method admin_method_add_ca = {
	.name = "AddCa",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "The hub trusts this authority: users of type 3 may come in with what it has signed. 8: no such hub, 38: no "
		"certificate, 110: more than 256.",
	.request = add_request,
	.response = no_response,
	.state_bytes = sizeof(struct admin_change),
	.step = add_ca_step,
	.fini = admin_change_fini,
};

static int delete (struct admin_call *call, struct directory_trust *t)
{
	if (directory_trust_delete_ca(t, admin_get_int(call, "Key")) == 0)
		return 0;
	return admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND, "hub %s has no authority %u",
		admin_get_str(call, "HubName"), admin_get_int(call, "Key"));
}

static int delete_ca_step(struct admin_call *call)
{
	return trust_change_step(call, HUB_ADMIN_no_change_cert_list, delete);
}

const struct admin_method admin_method_delete_ca = {
	.name = "DeleteCa",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "The hub trusts the authority no more; sessions go on. 8: no such hub, 29: no such authority.",
	.request = key_request,
	.response = no_response,
	.state_bytes = sizeof(struct admin_change),
	.step = delete_ca_step,
	.fini = admin_change_fini,
};

/* ---- reading ----------------------------------------------------------------------------------- */

static const struct admin_field get_response[] = {
	ADMIN_DATA("Cert", 1, DIRECTORY_CERT_BYTES, "certificate of the authority, X.509 DER"),
	ADMIN_END,
};

static int get_ca_step(struct admin_call *call)
{
	const struct directory_ca *ca;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	ca = directory_trust_ca(hub->trust, admin_get_int(call, "Key"));
	if (ca == NULL)
		return admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND, "hub %s has no authority %u",
			hub->name, admin_get_int(call, "Key"));
	admin_put_data(call, "Cert", ca->der, ca->der_bytes);
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_ca = {
	.name = "GetCa",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells the certificate of an authority that the hub trusts. 8: no such hub, 29: no such authority.",
	.request = key_request,
	.response = get_response,
	.step = get_ca_step,
};

static const struct admin_field enum_row[] = {
	ADMIN_INT("Key", 0, UINT32_MAX, "handle, until the daemon's next start"),
	ADMIN_USTR("SubjectName", 0, NAME_BYTES, "whose it is"),
	ADMIN_USTR("IssuerName", 0, NAME_BYTES, "who signed it"),
	ADMIN_TIME("Expires", "when it ends"),
	ADMIN_END,
};

static const struct admin_field enum_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_ROWS("CAList", enum_row, "one record per authority, in the order in which they came"),
	ADMIN_END,
};

/* "CN, O, OU, C": the last of each, what is there. */
static void name_put(struct admin_call *call, const char *field, const X509_NAME *name)
{
	static const int nids[] = {
		NID_commonName, NID_organizationName, NID_organizationalUnitName, NID_countryName};
	char text[NAME_BYTES + 1] = "";
	size_t len = 0;

	for (unsigned i = 0; i < sizeof(nids) / sizeof(nids[0]); i++) {
		int at = X509_NAME_get_index_by_NID(name, nids[i], -1);
		unsigned char *utf8 = NULL;
		int n = at < 0 ? -1
			       : ASN1_STRING_to_UTF8(&utf8,
					 X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));

		if (n > 0 && len + (size_t)n + 2 <= NAME_BYTES) {
			memcpy(text + len, ", ", len > 0 ? 2 : 0);
			len += len > 0 ? 2 : 0;
			memcpy(text + len, utf8, (size_t)n);
			len += (size_t)n;
		}
		OPENSSL_free(utf8);
	}
	text[len] = '\0';
	admin_put_str(call, field, text);
}

static int64_t ends_ms(const X509 *x509)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(x509), &tm) != 1)
		return 0;
	return (int64_t)timegm(&tm) * 1000;
}

static int enum_ca_step(struct admin_call *call)
{
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	admin_put_str(call, "HubName", hub->name);
	admin_rows_begin(call, "CAList");
	/* At most 256: one slice. */
	for (uint32_t i = 0; hub->trust != NULL && i < hub->trust->ca_cnt; i++) {
		const struct directory_ca *ca = &hub->trust->cas[i];

		admin_row_begin(call);
		admin_put_int(call, "Key", ca->key);
		name_put(call, "SubjectName", X509_get_subject_name(ca->x509));
		name_put(call, "IssuerName", X509_get_issuer_name(ca->x509));
		admin_put_time(call, "Expires", ends_ms(ca->x509));
		admin_row_end(call);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_enum_ca = {
	.name = "EnumCa",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the certificate authorities that the hub trusts. 8: no such hub.",
	.request = admin_hub_request,
	.response = enum_response,
	.step = enum_ca_step,
};
