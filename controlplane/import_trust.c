/* SPDX-License-Identifier: BSD-3-Clause */
/* What a hub of the original believes: authorities, revocations, RADIUS servers (import.h). */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/base64.h"
#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"
#include "controlplane/import_priv.h"

/* ---- certificates ------------------------------------------------------------------------------ */

/* As a certificate of `t`, which says what is none; 0, or -errno. */
static int put_certificate(struct import *im, FILE *f, uint32_t of, const char *name,
	const char *before, struct directory_trust *t)
{
	uint32_t i = import_child(&im->tree, of, name);
	uint8_t *der = NULL;
	size_t size = 0;
	int rc = i == IMPORT_NONE || im->tree.nodes[i].type != IMPORT_BYTES
		? -EINVAL
		: directory_base64_decode(im->tree.nodes[i].value, &der, &size);

	if (rc == 0)
		rc = directory_trust_add_ca(t, der, size);
	if (rc == 0) {
		fputs(before, f);
		directory_put_base64(f, der, size);
	}
	free(der);
	im->memory |= rc == -ENOMEM;
	return rc;
}

bool import_put_certificate(
	struct import *im, FILE *f, uint32_t of, const char *name, const char *before)
{
	struct directory_trust *t = directory_trust_copy(NULL);
	int rc;

	if (t == NULL) {
		im->memory = true;
		return false;
	}
	rc = put_certificate(im, f, of, name, before, t);
	directory_trust_unref(t);
	return rc == 0;
}

static void authorities(struct import *im, FILE *f, uint32_t list)
{
	const struct import_node *nodes = im->tree.nodes;
	struct directory_trust *t = directory_trust_copy(NULL);
	const char *before = " trusted = (\n";

	im->memory |= t == NULL;
	for (uint32_t i = nodes[list].child; i != IMPORT_NONE && !im->memory; i = nodes[i].next) {
		int rc = put_certificate(im, f, i, "X509", before, t);

		if (rc != 0) {
			import_say(im, i, IMPORT_LEFT,
				rc == -EEXIST		? "was there before"
					: rc == -ENOSPC ? "is one too many"
							: "is no certificate");
			continue;
		}
		before = ",\n";
		import_say(im, i, IMPORT_TAKEN, "an authority that the hub trusts");
	}
	if (before[0] == ',')
		fputs(" );\n", f);
	directory_trust_unref(t);
}

/* Hexadecimal digits or bytes, as hexadecimal digits of at most `max` bytes; false: none, or no such. */
static bool put_digits(struct import *im, FILE *f, uint32_t of, const char *name, const char *key,
	size_t min, size_t max)
{
	uint32_t i = import_child(&im->tree, of, name);
	const char *value = i == IMPORT_NONE ? "" : im->tree.nodes[i].value;
	uint8_t *bytes = NULL;
	size_t size = 0;

	if (value[0] == '\0')
		return false;
	if (im->tree.nodes[i].type == IMPORT_BYTES) {
		int rc = directory_base64_decode(value, &bytes, &size);

		im->memory |= rc == -ENOMEM;
		if (rc == 0 && size >= min && size <= max)
			directory_put_hex(f, " ", key, bytes, (uint32_t)size);
		free(bytes);
		return rc == 0 && size >= min && size <= max;
	}
	while (isxdigit((unsigned char)value[size]))
		size++;
	if (value[size] != '\0' || size % 2 != 0 || size / 2 < min || size / 2 > max)
		return false;
	fprintf(f, " %s = \"%s\";", key, value);
	return true;
}

bool import_put_serial(struct import *im, FILE *f, uint32_t of, const char *name)
{
	return put_digits(im, f, of, name, "serial", 1, DIRECTORY_SERIAL_BYTES);
}

/* Something of it, or nothing is written at all. */
static char *revocation(struct import *im, uint32_t i)
{
	bool any = false, wrong = false;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL) {
		im->memory = true;
		return NULL;
	}
	fputs("{", f);
	for (unsigned k = 0; k < CRL_NAME_CNT; k++) {
		const char *value = import_text(&im->tree, i, crl_name_field(k));

		if (value[0] == '\0')
			continue;
		any = true;
		wrong |= strlen(value) >= DIRECTORY_CRL_NAME_BYTES ||
			!directory_text_ok(value, false);
		directory_put_text(f, " ", crl_name_key(k), value);
	}
	any |= import_put_serial(im, f, i, "Serial");
	any |= put_digits(im, f, i, "DigestMD5", "md5", 16, 16);
	any |= put_digits(im, f, i, "DigestSHA1", "sha1", 20, 20);
	fputs(" }", f);
	im->memory |= fclose(f) != 0;
	if (any && !wrong && !im->memory)
		return text;
	free(text);
	return NULL;
}

static void revocations(struct import *im, FILE *f, uint32_t list)
{
	const struct import_node *nodes = im->tree.nodes;
	const char *separator = " revoked = (\n";
	unsigned cnt = 0;

	for (uint32_t i = nodes[list].child; i != IMPORT_NONE && !im->memory; i = nodes[i].next) {
		char *text = cnt < DIRECTORY_CRLS_MAX ? revocation(im, i) : NULL;

		if (text == NULL) {
			import_say(im, i, IMPORT_LEFT, "says nothing, or is one too many");
			continue;
		}
		fprintf(f, "%s%s", separator, text);
		free(text);
		separator = ",\n";
		cnt++;
		import_say(im, i, IMPORT_TAKEN, "a revocation");
	}
	if (cnt > 0)
		fputs(" );\n", f);
}

void import_trust(struct import *im, FILE *f, uint32_t database)
{
	uint32_t list = import_child(&im->tree, database, "CertList");

	if (list != IMPORT_NONE)
		authorities(im, f, list);
	list = import_child(&im->tree, database, "CrlList");
	if (list != IMPORT_NONE)
		revocations(im, f, list);
}

/* ---- RADIUS ------------------------------------------------------------------------------------ */

/* The file has the secret as bytes. NULL: there is none that could be one here; malloc'ed. */
static char *secret_of(struct import *im, uint32_t hub)
{
	uint32_t i = import_child(&im->tree, hub, "RadiusSecret");
	uint8_t *bytes = NULL;
	char *text = NULL;
	size_t size;

	if (i == IMPORT_NONE)
		return NULL;
	if (im->tree.nodes[i].type == IMPORT_BYTES) {
		if (directory_base64_decode(im->tree.nodes[i].value, &bytes, &size) == 0)
			text = strndup((const char *)bytes, size);
		if (bytes != NULL)
			explicit_bzero(bytes, size);
		free(bytes);
	} else {
		text = strdup(im->tree.nodes[i].value);
	}
	if (text != NULL && text[0] != '\0' && strlen(text) < DIRECTORY_RADIUS_SECRET_BYTES &&
		directory_text_ok(text, false))
		return text;
	free(text);
	return NULL;
}

void import_radius(struct import *im, FILE *f, uint32_t hub)
{
	const char *servers = import_text(&im->tree, hub, "RadiusServerName");
	const char *realm = import_text(&im->tree, hub, "RadiusRealm");
	uint64_t port = import_number(&im->tree, hub, "RadiusServerPort", DIRECTORY_RADIUS_PORT);
	uint64_t retry = import_number(&im->tree, hub, "RadiusRetryInterval", 0);
	uint32_t node = import_child(&im->tree, hub, "RadiusServerName");
	const char *wrong = directory_radius_servers_wrong(servers);
	char *secret;

	if (servers[0] == '\0')
		return;
	secret = secret_of(im, hub);
	if (secret == NULL)
		wrong = "have no secret that could be one";
	else if (port == 0 || port > 65535)
		wrong = "have no port";
	else if (strlen(servers) >= DIRECTORY_RADIUS_SERVERS_BYTES ||
		!directory_text_ok(servers, false) || strlen(realm) >= DIRECTORY_NAME_BYTES ||
		!directory_text_ok(realm, false))
		wrong = "are too long, or no text";
	if (wrong != NULL) {
		import_say(im, node, IMPORT_LEFT, "the RADIUS servers %s", wrong);
	} else {
		fputs(" radius = {", f);
		directory_put_text(f, " ", "servers", servers);
		directory_put_text(f, " ", "secret", secret);
		directory_put_text(f, " ", "realm", realm);
		fprintf(f, " port = %" PRIu64 ";", port);
		if (retry >= DIRECTORY_RADIUS_RETRY_MIN_MS &&
			retry <= DIRECTORY_RADIUS_TIMEOUT_MAX_MS)
			fprintf(f, " retry_ms = %" PRIu64 ";", retry);
		fputs(" };\n", f);
		import_say(im, node, IMPORT_TAKEN,
			"RADIUS servers %s, port %" PRIu64
			", with their secret; replies must be signed here (radius set --signed-replies)",
			servers, port);
	}
	if (secret != NULL)
		explicit_bzero(secret, strlen(secret));
	free(secret);
}
