/* SPDX-License-Identifier: BSD-3-Clause */
/* A hub's authorities, revocations and RADIUS servers as text in the directory file. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

/* ---- reading ------------------------------------------------------------------------------------- */

static int read_ca(
	struct config_reader *r, const config_setting_t *value, struct directory_trust *t)
{
	const char *text = config_setting_get_string(value);
	uint8_t *der = NULL;
	size_t size = 0;
	int rc = text == NULL ? -EINVAL : directory_base64_decode(text, &der, &size);

	if (rc == 0)
		rc = directory_trust_add_ca(t, der, size);
	free(der);
	if (rc == -EEXIST)
		config_reader_error(r, value, "stands there twice");
	else if (rc == -EINVAL || rc == -EBADMSG)
		config_reader_error(r, value, "should be a certificate, its DER in Base64");
	return rc == -ENOMEM ? rc : 0;
}

static int read_crl(
	struct config_reader *r, const config_setting_t *group, struct directory_trust *t)
{
	static const char *const names[] = {"common_name", "organization", "unit", "country",
		"state", "local", "serial", "md5", "sha1", NULL};
	struct directory_crl crl = {0};
	int rc = 0;

	if (!config_setting_is_group(group)) {
		config_reader_error(r, group, "should be a group such as { serial = \"1f03\"; }");
		return 0;
	}
	config_reader_known(r, group, names);
	for (unsigned i = 0; i < CRL_NAME_CNT && rc == 0; i++) {
		const char *text = NULL;

		if (!config_reader_string(r, group, crl_name_key(i), &text) || text == NULL)
			continue;
		if (text[0] == '\0' || strlen(text) >= DIRECTORY_CRL_NAME_BYTES ||
			!directory_text_ok(text, false))
			config_reader_error(r, config_reader_member(group, crl_name_key(i)),
				"should be 1 to 255 bytes of UTF-8 without control characters");
		crl.names[i] = (char *)text; /* the copy is added */
	}
	crl.serial_bytes =
		(uint32_t)directory_read_hex(r, group, "serial", crl.serial, sizeof(crl.serial));
	crl.has_md5 = directory_read_hex(r, group, "md5", crl.md5, sizeof(crl.md5)) != 0;
	crl.has_sha1 = directory_read_hex(r, group, "sha1", crl.sha1, sizeof(crl.sha1)) != 0;
	rc = directory_trust_add_crl(t, &crl);
	if (rc == -EINVAL)
		config_reader_error(r, group, "is empty, which would revoke everything");
	return rc == -ENOMEM ? rc : 0;
}

static int read_list(struct config_reader *r, const config_setting_t *parent, const char *name,
	unsigned max, struct directory_trust *t,
	int (*read)(struct config_reader *r, const config_setting_t *element,
		struct directory_trust *t))
{
	const config_setting_t *list = config_reader_member(parent, name) == NULL
		? NULL
		: config_reader_list(r, parent, name);
	int cnt = list == NULL ? 0 : config_setting_length(list);
	int rc = 0;

	if (cnt > (int)max) {
		config_reader_error(r, list, "has %d elements, should have at most %u", cnt, max);
		return 0;
	}
	for (int i = 0; i < cnt && rc == 0; i++)
		rc = read(r, config_setting_get_elem(list, (unsigned)i), t);
	return rc;
}

int directory_trust_read(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub)
{
	int rc;

	if (config_reader_member(group, "trusted") == NULL &&
		config_reader_member(group, "revoked") == NULL)
		return 0;
	directory_trust_unref(hub->trust);
	hub->trust = directory_trust_copy(NULL);
	if (hub->trust == NULL)
		return -ENOMEM;
	rc = read_list(r, group, "trusted", DIRECTORY_CAS_MAX, hub->trust, read_ca);
	return rc < 0 ? rc
		      : read_list(r, group, "revoked", DIRECTORY_CRLS_MAX, hub->trust, read_crl);
}

static void read_text(struct config_reader *r, const config_setting_t *group, const char *name,
	char *out, size_t size, const char *(*wrong)(const char *text))
{
	const char *text = NULL, *what = NULL;

	if (!config_reader_string(r, group, name, &text) || text == NULL)
		return;
	if (wrong != NULL)
		what = wrong(text);
	if (what == NULL && strlen(text) >= size)
		what = "is too long";
	if (what == NULL && !directory_text_ok(text, false))
		what = "should be UTF-8 without control characters";
	if (what != NULL)
		config_reader_error(r, config_reader_member(group, name), "%s", what);
	else
		snprintf(out, size, "%s", text);
}

void directory_radius_read(
	struct config_reader *r, const config_setting_t *parent, struct directory_radius *radius)
{
	static const char *const names[] = {"servers", "port", "secret", "realm", "retry_ms",
		"timeout_ms", "require_message_authenticator", NULL};
	const config_setting_t *group = directory_read_group(r, parent, "radius");
	int64_t number;
	bool required;

	if (group == NULL)
		return;
	config_reader_known(r, group, names);
	read_text(r, group, "servers", radius->servers, sizeof(radius->servers),
		directory_radius_servers_wrong);
	read_text(r, group, "secret", radius->secret, sizeof(radius->secret), NULL);
	read_text(r, group, "realm", radius->realm, sizeof(radius->realm), NULL);
	number = radius->port;
	config_reader_int(r, group, "port", 1, 65535, &number);
	radius->port = (uint16_t)number;
	number = radius->retry_ms;
	config_reader_int(r, group, "retry_ms", DIRECTORY_RADIUS_RETRY_MIN_MS,
		DIRECTORY_RADIUS_TIMEOUT_MAX_MS, &number);
	radius->retry_ms = (uint32_t)number;
	number = radius->timeout_ms;
	config_reader_int(r, group, "timeout_ms", DIRECTORY_RADIUS_TIMEOUT_MIN_MS,
		DIRECTORY_RADIUS_TIMEOUT_MAX_MS, &number);
	radius->timeout_ms = (uint32_t)number;
	required = !radius->unsigned_replies;
	config_reader_bool(r, group, "require_message_authenticator", &required);
	radius->unsigned_replies = !required;
}

/* ---- writing ------------------------------------------------------------------------------------- */

static void put_crl(FILE *f, const struct directory_crl *crl)
{
	fputs("\t\t\t{", f);
	for (unsigned i = 0; i < CRL_NAME_CNT; i++) {
		if (crl->names[i] == NULL)
			continue;
		fprintf(f, " %s = ", crl_name_key(i));
		directory_put_string(f, crl->names[i]);
		fputc(';', f);
	}
	directory_put_hex(f, " ", "serial", crl->serial, crl->serial_bytes);
	directory_put_hex(f, " ", "md5", crl->md5, crl->has_md5 ? sizeof(crl->md5) : 0);
	directory_put_hex(f, " ", "sha1", crl->sha1, crl->has_sha1 ? sizeof(crl->sha1) : 0);
	fputs(" }", f);
}

void directory_trust_write(FILE *f, const struct directory_trust *t)
{
	for (uint32_t i = 0; t != NULL && i < t->ca_cnt; i++) {
		fputs(i == 0 ? "\t\ttrusted = (\n\t\t\t" : ",\n\t\t\t", f);
		directory_put_base64(f, t->cas[i].der, t->cas[i].der_bytes);
	}
	if (t != NULL && t->ca_cnt > 0)
		fputs("\n\t\t);\n", f);
	for (uint32_t i = 0; t != NULL && i < t->crl_cnt; i++) {
		fputs(i == 0 ? "\t\trevoked = (\n" : ",\n", f);
		put_crl(f, &t->crls[i]);
	}
	if (t != NULL && t->crl_cnt > 0)
		fputs("\n\t\t);\n", f);
}

void directory_radius_write(FILE *f, const struct directory_radius *radius)
{
	struct directory_radius plain;

	directory_radius_default(&plain);
	if (radius->servers[0] == '\0' && radius->secret[0] == '\0' && radius->realm[0] == '\0' &&
		radius->port == plain.port && radius->retry_ms == plain.retry_ms &&
		radius->timeout_ms == plain.timeout_ms && !radius->unsigned_replies)
		return;
	fputs("\t\tradius = {\n", f);
	directory_put_text(f, "\t\t\t", "servers", radius->servers);
	directory_put_text(f, "\t\t\t", "secret", radius->secret);
	directory_put_text(f, "\t\t\t", "realm", radius->realm);
	fprintf(f,
		"\t\t\tport = %u;\n\t\t\tretry_ms = %" PRIu32 ";\n\t\t\ttimeout_ms = %" PRIu32
		";\n",
		radius->port, radius->retry_ms, radius->timeout_ms);
	if (radius->unsigned_replies)
		fputs("\t\t\trequire_message_authenticator = false;\n", f);
	fputs("\t\t};\n", f);
}
