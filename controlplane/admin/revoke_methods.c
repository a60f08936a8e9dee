/* SPDX-License-Identifier: BSD-3-Clause */
/* Revoked certificates of a hub (admin-rpc.md 4.9). An entry with nothing filled would revoke everything: refused. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/admin/change.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/trust.h"
#include "drivers/session/wire/wire_error.h"

#define INFO_BYTES 2048u
#define NAME_MAX   (DIRECTORY_CRL_NAME_BYTES - 1)
/* In a request empty means not filled. */
#define ENTRY_FIELDS                                                                      \
	ADMIN_DATA("Serial", 0, DIRECTORY_SERIAL_BYTES, "serial number"),                 \
		ADMIN_USTR("CommonName", 0, NAME_MAX, "common name of the subject (CN)"), \
		ADMIN_USTR("Organization", 0, NAME_MAX, "organization (O)"),              \
		ADMIN_USTR("Unit", 0, NAME_MAX, "organizational unit (OU)"),              \
		ADMIN_USTR("Country", 0, NAME_MAX, "country (C)"),                        \
		ADMIN_USTR("State", 0, NAME_MAX, "state (ST)"),                           \
		ADMIN_USTR("Local", 0, NAME_MAX, "locality (L)"),                         \
		ADMIN_DATA("DigestMD5", 0, 16, "MD5 of the DER; zeros: not filled"),      \
		ADMIN_DATA("DigestSHA1", 0, 20, "SHA-1 of the DER; zeros: not filled")

#define KEY_FIELD           \
	ADMIN_REQUIRED_INT( \
		"Key", 0, UINT32_MAX, "as EnumCrl told it; the daemon's next start gives others")

static const struct admin_field add_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("Key", 0, UINT32_MAX, "not looked at"),
	ENTRY_FIELDS,
	ADMIN_END,
};

static const struct admin_field set_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	KEY_FIELD,
	ENTRY_FIELDS,
	ADMIN_END,
};

static const struct admin_field key_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	KEY_FIELD,
	ENTRY_FIELDS, /* tools send the whole record */
	ADMIN_END,
};

#define OPTIONAL(name_, type_, max_, text_)                                                 \
	{                                                                                   \
		.name = (name_), .type = (type_), .flags = ADMIN_F_OPTIONAL, .max = (max_), \
		.text = (text_)                                                             \
	}

static const struct admin_field get_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("Key", 0, UINT32_MAX, "handle"),
	OPTIONAL("Serial", ADMIN_TYPE_DATA, DIRECTORY_SERIAL_BYTES, "serial number"),
	OPTIONAL("CommonName", ADMIN_TYPE_USTR, NAME_MAX, "common name of the subject (CN)"),
	OPTIONAL("Organization", ADMIN_TYPE_USTR, NAME_MAX, "organization (O)"),
	OPTIONAL("Unit", ADMIN_TYPE_USTR, NAME_MAX, "organizational unit (OU)"),
	OPTIONAL("Country", ADMIN_TYPE_USTR, NAME_MAX, "country (C)"),
	OPTIONAL("State", ADMIN_TYPE_USTR, NAME_MAX, "state (ST)"),
	OPTIONAL("Local", ADMIN_TYPE_USTR, NAME_MAX, "locality (L)"),
	OPTIONAL("DigestMD5", ADMIN_TYPE_DATA, 16, "MD5 of the DER"),
	OPTIONAL("DigestSHA1", ADMIN_TYPE_DATA, 20, "SHA-1 of the DER"),
	ADMIN_END,
};

static const struct admin_field no_response[] = {ADMIN_END};

/* ---- changing ---------------------------------------------------------------------------------- */

static int take_digest(
	struct admin_call *call, const char *field, uint8_t *out, size_t want, bool *has)
{
	static const uint8_t zeros[20];
	size_t size;
	const uint8_t *bytes = admin_get_data(call, field, &size);

	*has = false;
	if (bytes == NULL || size == 0)
		return 0;
	if (size != want)
		return admin_fail_field(call, field, "must have %zu bytes", want);
	memcpy(out, bytes, want);
	*has = memcmp(bytes, zeros, want) != 0;
	return 0;
}

/* Points into the request. */
static int take(struct admin_call *call, struct directory_crl *crl)
{
	const uint8_t *serial;
	size_t size;
	int rc;

	*crl = (struct directory_crl){0};
	serial = admin_get_data(call, "Serial", &size);
	if (serial != NULL && size > 0) {
		memcpy(crl->serial, serial, size);
		crl->serial_bytes = (uint32_t)size;
	}
	for (unsigned i = 0; i < CRL_NAME_CNT; i++) {
		const char *text = admin_get_str(call, crl_name_field(i));

		if (text[0] == '\0')
			continue;
		if (!directory_text_ok(text, false))
			return admin_fail_field(call, crl_name_field(i),
				"must be UTF-8 without control characters");
		crl->names[i] = (char *)text;
	}
	rc = take_digest(call, "DigestMD5", crl->md5, sizeof(crl->md5), &crl->has_md5);
	return rc != 0
		? rc
		: take_digest(call, "DigestSHA1", crl->sha1, sizeof(crl->sha1), &crl->has_sha1);
}

static int said(struct admin_call *call, int rc)
{
	if (rc == -EINVAL)
		return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER,
			"an entry with nothing filled would revoke everything");
	if (rc == -ENOENT)
		return admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND, "hub %s has no revocation %u",
			admin_get_str(call, "HubName"), admin_get_int(call, "Key"));
	return rc;
}

static int add(struct admin_call *call, struct directory_trust *t)
{
	struct directory_crl crl;
	int rc = take(call, &crl);

	return rc != 0 ? rc : said(call, directory_trust_add_crl(t, &crl));
}

static int add_crl_step(struct admin_call *call)
{
	return trust_change_step(call, HUB_ADMIN_no_change_crl_list, add);
}

const struct admin_method admin_method_add_crl = {
	.name = "AddCrl",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Revokes the certificates in which all that is given is equal, from the next login on. 8: no such hub, 38: "
		"nothing is given, 110: more than 4096.",
	.request = add_request,
	.response = no_response,
	.state_bytes = sizeof(struct admin_change),
	.step = add_crl_step,
	.fini = admin_change_fini,
};

static int set(struct admin_call *call, struct directory_trust *t)
{
	struct directory_crl crl;
	int rc = take(call, &crl);

	return rc != 0 ? rc
		       : said(call, directory_trust_set_crl(t, admin_get_int(call, "Key"), &crl));
}

static int set_crl_step(struct admin_call *call)
{
	return trust_change_step(call, HUB_ADMIN_no_change_crl_list, set);
}

const struct admin_method admin_method_set_crl = {
	.name = "SetCrl",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Replaces a revocation. 8: no such hub, 29: no such revocation, 38: nothing is given.",
	.request = set_request,
	.response = no_response,
	.state_bytes = sizeof(struct admin_change),
	.step = set_crl_step,
	.fini = admin_change_fini,
};

static int delete (struct admin_call *call, struct directory_trust *t)
{
	return said(call, directory_trust_delete_crl(t, admin_get_int(call, "Key")));
}

static int del_crl_step(struct admin_call *call)
{
	return trust_change_step(call, HUB_ADMIN_no_change_crl_list, delete);
}

const struct admin_method admin_method_del_crl = {
	.name = "DelCrl",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Takes a revocation back. 8: no such hub, 29: no such revocation.",
	.request = key_request,
	.response = no_response,
	.state_bytes = sizeof(struct admin_change),
	.step = del_crl_step,
	.fini = admin_change_fini,
};

/* ---- reading ----------------------------------------------------------------------------------- */

static int get_crl_step(struct admin_call *call)
{
	const struct directory_crl *crl;
	struct directory_hub *hub;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	crl = directory_trust_crl(hub->trust, admin_get_int(call, "Key"));
	if (crl == NULL)
		return said(call, -ENOENT);
	admin_put_str(call, "HubName", hub->name);
	admin_put_int(call, "Key", crl->key);
	if (crl->serial_bytes > 0)
		admin_put_data(call, "Serial", crl->serial, crl->serial_bytes);
	for (unsigned i = 0; i < CRL_NAME_CNT; i++)
		if (crl->names[i] != NULL)
			admin_put_str(call, crl_name_field(i), crl->names[i]);
	if (crl->has_md5)
		admin_put_data(call, "DigestMD5", crl->md5, sizeof(crl->md5));
	if (crl->has_sha1)
		admin_put_data(call, "DigestSHA1", crl->sha1, sizeof(crl->sha1));
	return ADMIN_DONE;
}

const struct admin_method admin_method_get_crl = {
	.name = "GetCrl",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Tells what a revocation matches. 8: no such hub, 29: no such revocation.",
	.request = key_request,
	.response = get_response,
	.step = get_crl_step,
};

static const struct admin_field enum_row[] = {
	ADMIN_INT("Key", 0, UINT32_MAX, "handle, until the daemon's next start"),
	ADMIN_USTR("CrlInfo", 0, INFO_BYTES, "what it matches, in words"),
	ADMIN_END,
};

static const struct admin_field enum_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("NumItem", 0, DIRECTORY_CRLS_MAX, "how many"),
	ADMIN_ROWS("CRLList", enum_row, "one record per revocation"),
	ADMIN_END,
};

/* Like the original: Subject="CN=x, O=y", Serial="1F 03", MD5="..", SHA1=".."; the last three if they are filled. */
static void put_hex(FILE *f, const char *title, const uint8_t *bytes, uint32_t cnt)
{
	if (cnt == 0)
		return;
	fprintf(f, ", %s=\"", title);
	for (uint32_t i = 0; i < cnt; i++)
		fprintf(f, "%s%02X", i > 0 ? " " : "", bytes[i]);
	fputc('"', f);
}

static void info(const struct directory_crl *crl, char out[INFO_BYTES + 1])
{
	static const char *const titles[CRL_NAME_CNT] = {"CN", "O", "OU", "C", "ST", "L"};
	FILE *f = fmemopen(out, INFO_BYTES + 1, "w");
	const char *separator = "";

	out[0] = '\0';
	if (f == NULL)
		return;
	fputs("Subject=\"", f);
	for (unsigned i = 0; i < CRL_NAME_CNT; i++) {
		if (crl->names[i] == NULL)
			continue;
		fprintf(f, "%s%s=%s", separator, titles[i], crl->names[i]);
		separator = ", ";
	}
	fputc('"', f);
	put_hex(f, "Serial", crl->serial, crl->serial_bytes);
	put_hex(f, "MD5", crl->md5, crl->has_md5 ? sizeof(crl->md5) : 0);
	put_hex(f, "SHA1", crl->sha1, crl->has_sha1 ? sizeof(crl->sha1) : 0);
	fclose(f);
	out[INFO_BYTES] = '\0';
}

struct enum_crl {
	bool begun;
	uint32_t next;
};

static int enum_crl_step(struct admin_call *call)
{
	struct enum_crl *st = call->state;
	char text[INFO_BYTES + 1];
	struct directory_hub *hub;
	int rc;

	if (!st->begun) {
		rc = admin_hub_lookup(call, &hub);
		if (rc != 0)
			return rc;
		st->begun = true;
		admin_put_str(call, "HubName", hub->name);
		admin_put_int(call, "NumItem", hub->trust == NULL ? 0 : hub->trust->crl_cnt);
		admin_rows_begin(call, "CRLList");
	}
	/* The list may be another one in the next slice: it is told from where it was left. */
	hub = directory_hub_find(admin_get_str(call, "HubName"));
	while (hub != NULL && hub->trust != NULL && st->next < hub->trust->crl_cnt) {
		const struct directory_crl *crl = &hub->trust->crls[st->next];

		if (!admin_room(call))
			return ADMIN_MORE;
		admin_row_begin(call);
		admin_put_int(call, "Key", crl->key);
		info(crl, text);
		admin_put_str(call, "CrlInfo", text);
		admin_row_end(call);
		st->next++;
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_enum_crl = {
	.name = "EnumCrl",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the revoked certificates of a hub. 8: no such hub.",
	.request = admin_hub_request,
	.response = enum_response,
	.state_bytes = sizeof(struct enum_crl),
	.step = enum_crl_step,
};
