/* SPDX-License-Identifier: BSD-3-Clause */
/* How a user proves who it is, as text in the directory file. Values of secrets never stand in a message. */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/base64.h"
#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

/* ---- bytes as text ------------------------------------------------------------------------------- */

int directory_read_hex(struct config_reader *r, const config_setting_t *group, const char *name,
	uint8_t *out, uint32_t max)
{
	static const char digits[] = "0123456789abcdef";
	const char *text = NULL;
	size_t len;

	if (!config_reader_string(r, group, name, &text) || text == NULL)
		return 0;
	len = strlen(text);
	for (size_t i = 0; i < len && len % 2 == 0 && len / 2 <= max; i++) {
		const char *at = strchr(digits, tolower((unsigned char)text[i]));

		if (at == NULL)
			len = 1;
		else if (i % 2 == 0)
			out[i / 2] = (uint8_t)((at - digits) << 4);
		else
			out[i / 2] |= (uint8_t)(at - digits);
	}
	if (len == 0 || len % 2 != 0 || len / 2 > max) {
		config_reader_error(r, config_reader_member(group, name),
			"should be 2 to %u hexadecimal digits, two for each byte", 2 * max);
		return 0;
	}
	return (int)(len / 2);
}

void directory_put_hex(
	FILE *f, const char *indent, const char *name, const uint8_t *bytes, uint32_t cnt)
{
	if (cnt == 0)
		return;
	fprintf(f, "%s%s = \"", indent, name);
	for (uint32_t i = 0; i < cnt; i++)
		fprintf(f, "%02x", bytes[i]);
	fputs("\";", f);
}

int directory_base64_decode(const char *text, uint8_t **out, size_t *size)
{
	size_t len = strlen(text);
	uint8_t *bytes;
	long got;

	if (len == 0 || len > BASE64_LEN((size_t)DIRECTORY_CERT_BYTES))
		return -EINVAL;
	bytes = malloc(len / 4 * 3 + 1);
	if (bytes == NULL)
		return -ENOMEM;
	got = base64_decode(text, len, bytes);
	if (got <= 0) {
		free(bytes);
		return -EINVAL;
	}
	*out = bytes;
	*size = (size_t)got;
	return 0;
}

/* Without memory the file is cut short, which its writer notices. */
void directory_put_base64(FILE *f, const uint8_t *bytes, size_t size)
{
	char text[BASE64_LEN(48) + 1];

	fputc('"', f);
	for (size_t at = 0; at < size; at += 48) {
		base64_encode(bytes + at, size - at < 48 ? size - at : 48, text);
		fputs(text, f);
	}
	fputc('"', f);
}

/* ---- reading ------------------------------------------------------------------------------------- */

static void read_password(
	struct config_reader *r, const config_setting_t *group, struct directory_user *user)
{
	const char *hash = NULL, *password = NULL;
	/* Each is read, and reported, also behind a wrong one. */
	bool typed = config_reader_string(r, group, "password_hash", &hash);
	int64_t updated_ms = user->updated_ms;

	typed = config_reader_string(r, group, "password", &password) && typed;
	if (!typed)
		return;
	if ((hash == NULL) == (password == NULL)) {
		config_reader_error(r, group, "should have either password_hash or password");
		return;
	}
	if (password != NULL) {
		if (strlen(password) >= DIRECTORY_NAME_BYTES)
			config_reader_error(r, config_reader_member(group, "password"),
				"has %zu bytes, should have at most 255", strlen(password));
		directory_user_set_password(user, password);
		user->updated_ms = updated_ms;
		return;
	}
	user->auth = DIRECTORY_AUTH_PASSWORD;
	if (!directory_kept(r, hash, user->hashed_password) &&
		!directory_hash_parse(hash, user->hashed_password))
		config_reader_error(r, config_reader_member(group, "password_hash"),
			"should be 40 hexadecimal digits");
}

static int read_certificate(
	struct config_reader *r, const config_setting_t *group, struct directory_user *user)
{
	const char *text = NULL;
	uint8_t *der;
	size_t size;
	int rc;

	if (!config_reader_string(r, group, "certificate", &text))
		return 0;
	rc = text == NULL ? -EINVAL : directory_base64_decode(text, &der, &size);
	if (rc == -EINVAL)
		config_reader_error(r,
			text == NULL ? group : config_reader_member(group, "certificate"),
			"certificate should be a certificate, its DER in Base64");
	if (rc != 0)
		return rc == -ENOMEM ? rc : 0;
	rc = directory_user_set_certificate(user, der, size);
	free(der);
	return rc;
}

static int read_name(
	struct config_reader *r, const config_setting_t *group, const char *name, char **out)
{
	const char *text = NULL;

	if (!config_reader_string(r, group, name, &text) || text == NULL)
		return 0;
	if (text[0] == '\0' || strlen(text) >= DIRECTORY_NAME_BYTES ||
		!directory_text_ok(text, false)) {
		config_reader_error(r, config_reader_member(group, name),
			"should be 1 to 255 bytes of UTF-8 without control characters");
		return 0;
	}
	free(*out);
	*out = strdup(text);
	return *out == NULL ? -ENOMEM : 0;
}

static int read_signed(
	struct config_reader *r, const config_setting_t *group, struct directory_user *user)
{
	user->auth = DIRECTORY_AUTH_SIGNED;
	user->serial_bytes = (uint32_t)directory_read_hex(
		r, group, "serial", user->serial, sizeof(user->serial));
	return read_name(r, group, "common_name", &user->common_name);
}

static int read_radius(
	struct config_reader *r, const config_setting_t *group, struct directory_user *user)
{
	user->auth = DIRECTORY_AUTH_RADIUS;
	return read_name(r, group, "radius_name", &user->radius_name);
}

static int read_anonymous(
	struct config_reader *, const config_setting_t *, struct directory_user *user)
{
	user->auth = DIRECTORY_AUTH_ANONYMOUS;
	return 0;
}

static int read_password_user(
	struct config_reader *r, const config_setting_t *group, struct directory_user *user)
{
	read_password(r, group, user);
	return 0;
}

/* Every method with the keys that are its own; a key of another is an error. */
static const struct {
	const char *name;
	const char *keys[3];
	int (*read)(struct config_reader *r, const config_setting_t *group,
		struct directory_user *user);
} methods[] = {
	[DIRECTORY_AUTH_ANONYMOUS] = {"anonymous", {NULL}, read_anonymous},
	[DIRECTORY_AUTH_PASSWORD] = {"password", {"password_hash", "password", NULL},
		read_password_user},
	[DIRECTORY_AUTH_CERTIFICATE] = {"certificate", {"certificate", NULL}, read_certificate},
	[DIRECTORY_AUTH_SIGNED] = {"signed", {"common_name", "serial", NULL}, read_signed},
	[DIRECTORY_AUTH_RADIUS] = {"radius", {"radius_name", NULL}, read_radius},
};
#define METHOD_CNT   (sizeof(methods) / sizeof(methods[0]))
#define METHODS_TEXT "\"password\", \"anonymous\", \"certificate\", \"signed\" or \"radius\""

int directory_auth_read(
	struct config_reader *r, const config_setting_t *group, struct directory_user *user)
{
	const char *auth = NULL;
	unsigned method = 0;

	if (config_reader_member(group, "auth") == NULL)
		config_reader_error(r, group, "auth is missing, should be " METHODS_TEXT);
	if (!config_reader_string(r, group, "auth", &auth) || auth == NULL)
		return 0;
	while (method < METHOD_CNT && strcmp(auth, methods[method].name) != 0)
		method++;
	if (method == METHOD_CNT) {
		config_reader_error(r, config_reader_member(group, "auth"),
			"is \"%s\", should be " METHODS_TEXT, auth);
		return 0;
	}
	for (unsigned other = 0; other < METHOD_CNT; other++)
		for (unsigned k = 0; other != method && methods[other].keys[k] != NULL; k++)
			if (config_reader_member(group, methods[other].keys[k]) != NULL)
				config_reader_error(r, config_reader_member(group, "auth"),
					"is \"%s\", which has no %s: leave out the one or the other",
					auth, methods[other].keys[k]);
	return methods[method].read(r, group, user);
}

/* ---- writing ------------------------------------------------------------------------------------- */

void directory_auth_write(FILE *f, const char *indent, const struct directory_user *user)
{
	fprintf(f, "%sauth = \"%s\";\n", indent, methods[user->auth].name);
	switch (user->auth) {
	case DIRECTORY_AUTH_ANONYMOUS:
		break;
	case DIRECTORY_AUTH_PASSWORD:
		directory_put_hash(f, indent, "password_hash", user->hashed_password);
		break;
	case DIRECTORY_AUTH_CERTIFICATE:
		fprintf(f, "%scertificate = ", indent);
		directory_put_base64(f, user->cert, user->cert_bytes);
		fputs(";\n", f);
		break;
	case DIRECTORY_AUTH_SIGNED:
		if (user->common_name != NULL)
			directory_put_text(f, indent, "common_name", user->common_name);
		directory_put_hex(f, indent, "serial", user->serial, user->serial_bytes);
		if (user->serial_bytes > 0)
			fputc('\n', f);
		break;
	case DIRECTORY_AUTH_RADIUS:
		if (user->radius_name != NULL)
			directory_put_text(f, indent, "radius_name", user->radius_name);
		break;
	}
}
