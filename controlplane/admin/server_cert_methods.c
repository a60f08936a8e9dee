/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The certificate that peers are shown (admin-rpc.md 4.1). Its private key comes in and never goes out, also to the
 * server's administrator: who administers for an hour could play the server for years. It is in the state directory.
 */

#include <errno.h>
#include <string.h>

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/server_tls.h"
#include "drivers/session/wire/wire_error.h"

#define DER_MAX 32768u

static const struct admin_field no_request[] = {ADMIN_END};

static const struct admin_field chain_row[] = {
	ADMIN_DATA("Chain", 1, DER_MAX, "certificate, X.509 DER"),
	ADMIN_END,
};

/* ---- GetServerCert --------------------------------------------------------------------------- */

static const struct admin_field get_response[] = {
	ADMIN_DATA("Cert", 0, UINT16_MAX, "certificate, X.509 DER"),
	ADMIN_INT("Flag1", 0, 1, "1: it may sign others"),
	ADMIN_ROWS("ChainList", chain_row,
		"certificates between it and an authority, the nearest first"),
	ADMIN_END,
};

static bool put_cert(struct admin_call *call, const char *field, const X509 *cert)
{
	unsigned char *der = NULL;
	int size = cert == NULL ? -1 : i2d_X509(cert, &der);
	bool ok = size > 0 && (unsigned)size <= UINT16_MAX;

	if (ok)
		admin_put_data(call, field, der, (size_t)size);
	OPENSSL_free(der);
	return ok;
}

static int get_server_cert_step(struct admin_call *call)
{
	X509 *cert = server_tls_certificate();
	STACK_OF(X509) *chain = server_tls_chain();

	if (!put_cert(call, "Cert", cert))
		return admin_fail(call, WIRE_ERROR_INTERNAL, "there is no certificate");
	admin_put_int(call, "Flag1", X509_check_ca(cert) == 1);
	admin_rows_begin(call, "ChainList");
	for (int i = 0; i < sk_X509_num(chain); i++) {
		admin_row_begin(call);
		if (!put_cert(call, "Chain", sk_X509_value(chain, i)))
			admin_put_data(call, "Chain", "", 0);
		admin_row_end(call);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_server_cert = {
	.name = "GetServerCert",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells the certificate that peers are shown. The private key is never told; it is in the state directory.",
	.request = no_request,
	.response = get_response,
	.step = get_server_cert_step,
};

/* ---- changing --------------------------------------------------------------------------------- */

struct cert_change {
	struct server_tls_change *change;
};

static void cert_change_fini(struct admin_call *call)
{
	struct cert_change *st = call->state;

	server_tls_change_forget(st->change);
}

/* Behind server_tls_change(). The pair is freed if it was not taken. */
static int begun(struct admin_call *call, int rc, struct certificate_pair *pair)
{
	if (pair != NULL)
		certificate_pair_free(pair);
	if (rc == 0 || rc == -EBUSY)
		return ADMIN_WAIT;
	return admin_fail(call, WIRE_ERROR_INTERNAL, "%s", strerror(-rc));
}

/* ADMIN_WAIT, ADMIN_DONE, or the error; `code` if it is the caller's fault. */
static int settled(struct admin_call *call, int code)
{
	const struct cert_change *st = call->state;
	const char *why;
	int error;

	if (!server_tls_change_done(st->change, &error, &why))
		return ADMIN_WAIT;
	if (error == -EINVAL)
		return admin_fail(call, code, "%s", why);
	if (error != 0)
		return admin_fail(call, WIRE_ERROR_INTERNAL,
			"not saved, so nothing was changed: %s", strerror(-error));
	return ADMIN_DONE;
}

static const struct admin_field set_request[] = {
	{.name = "Cert",
		.type = ADMIN_TYPE_DATA,
		.flags = ADMIN_F_REQUIRED,
		.min = 1,
		.max = DER_MAX,
		.text = "certificate, X.509 DER"},
	{.name = "Key",
		.type = ADMIN_TYPE_DATA,
		.flags = ADMIN_F_REQUIRED,
		.min = 1,
		.max = DER_MAX,
		.text = "its RSA key, DER (PKCS#1 or PKCS#8), not encrypted"},
	ADMIN_INT("Flag1", 0, UINT32_MAX, "not looked at"),
	ADMIN_ROWS_IN("ChainList", CERTIFICATE_CHAIN_MAX, chain_row,
		"certificates between it and an authority, the nearest first"),
	ADMIN_END,
};

static const struct admin_field set_response[] = {
	ADMIN_INT("Flag1", 0, 1, "1: it may sign others"),
	ADMIN_END,
};

static int set_begin(struct admin_call *call, struct cert_change *st)
{
	struct certificate_der cert, key, chain[CERTIFICATE_CHAIN_MAX];
	unsigned cnt = admin_row_cnt(call, "ChainList");
	struct certificate_pair pair;
	char error[256];

	cert.bytes = admin_get_data(call, "Cert", &cert.size);
	key.bytes = admin_get_data(call, "Key", &key.size);
	for (unsigned i = 0; i < cnt; i++)
		chain[i].bytes = admin_row_data(call, "ChainList", i, "Chain", &chain[i].size);
	if (!certificate_pair_parse(&pair, cert, key, chain, cnt, error, sizeof(error)))
		return admin_fail(call, WIRE_ERROR_PROTOCOL, "%s", error);
	return begun(call, server_tls_change(&pair, NULL, &st->change), &pair);
}

static int set_server_cert_step(struct admin_call *call)
{
	struct cert_change *st = call->state;
	int rc = st->change == NULL ? set_begin(call, st) : settled(call, WIRE_ERROR_PROTOCOL);

	if (rc == ADMIN_DONE)
		admin_put_int(call, "Flag1", X509_check_ca(server_tls_certificate()) == 1);
	return rc;
}

const struct admin_method admin_method_set_server_cert = {
	.name = "SetServerCert",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Replaces the certificate, for all listeners from the next handshake on; sessions go on. 4: no certificate, "
		"no RSA key, one that is not the certificate's, or one too weak for OpenSSL's security level.",
	.request = set_request,
	.response = set_response,
	.state_bytes = sizeof(struct cert_change),
	.step = set_server_cert_step,
	.fini = cert_change_fini,
};

/* ---- RegenerateServerCert ------------------------------------------------------------------------ */

static const struct admin_field regenerate_request[] = {
	ADMIN_REQUIRED_STR(
		"StrValue", 1, 4 * CERTIFICATE_NAME_MAX, "common name, at most 64 characters"),
	ADMIN_END,
};

static const struct admin_field regenerate_response[] = {
	ADMIN_STR("StrValue", 1, 4 * CERTIFICATE_NAME_MAX, "common name"),
	ADMIN_END,
};

static int regenerate_server_cert_step(struct admin_call *call)
{
	struct cert_change *st = call->state;
	const char *name = admin_get_str(call, "StrValue");
	int rc;

	if (st->change == NULL)
		return begun(call, server_tls_change(NULL, name, &st->change), NULL);
	rc = settled(call, WIRE_ERROR_INVALID_PARAMETER);
	if (rc == ADMIN_DONE)
		admin_put_str(call, "StrValue", name);
	return rc;
}

const struct admin_method admin_method_regenerate_server_cert = {
	.name = "RegenerateServerCert",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Makes a new RSA-2048 key and a self-signed certificate of this name, and puts them in the place of those "
		"there are, as SetServerCert does. 38: no such name can be.",
	.request = regenerate_request,
	.response = regenerate_response,
	.state_bytes = sizeof(struct cert_change),
	.step = regenerate_server_cert_step,
	.fini = cert_change_fini,
};
