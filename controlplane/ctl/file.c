/* SPDX-License-Identifier: BSD-3-Clause */
/* See file.h. PEM is Base64 between two lines: no library of cryptography is needed to take it out or put it there. */

#include "controlplane/ctl/file.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/base64.h"
#include "controlplane/ctl/client.h"

#define DER_FILE_BYTES 65536u /* far beyond any certificate or key */
#define PEM_LINE       64u
#define DER_SEQUENCE   0x30

char *ctl_file_read(const char *path, size_t most, size_t *size)
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	char *bytes = NULL;
	size_t room = 0;

	*size = 0;
	if (f == NULL) {
		fprintf(stderr, "patchbayctl: %s: %s\n", path, strerror(errno));
		return NULL;
	}
	for (;;) {
		size_t got;

		if (*size + 1 >= room) {
			char *more = realloc(bytes, room == 0 ? 65536 : 2 * room);

			if (more == NULL)
				break;
			bytes = more;
			room = room == 0 ? 65536 : 2 * room;
		}
		got = fread(bytes + *size, 1, room - *size - 1, f);
		*size += got;
		if (got == 0 || *size > most)
			break;
	}
	if (bytes == NULL || *size > most || ferror(f) != 0) {
		if (bytes != NULL && *size <= most)
			fprintf(stderr, "patchbayctl: %s: %s\n", path, strerror(errno));
		else
			fprintf(stderr, "patchbayctl: %s: more than %zu bytes\n", path, most);
		free(bytes);
		bytes = NULL;
	}
	if (f != stdin)
		fclose(f);
	if (bytes != NULL)
		bytes[*size] = '\0';
	return bytes;
}

/* ---- PEM and DER ------------------------------------------------------------------------------ */

/* Behind the line that begins the first block whose label ends with `what`; NULL: there is none. */
static char *block_begin(char *text, const char *what, bool *locked)
{
	static const char begin[] = "-----BEGIN ";

	while ((text = strstr(text, begin)) != NULL) {
		char *label = text + sizeof(begin) - 1, *end = strstr(label, "-----");

		if (end == NULL)
			return NULL;
		text = end + 5;
		if ((size_t)(end - label) >= strlen(what) &&
			strncmp(end - strlen(what), what, strlen(what)) == 0) {
			*locked = strncmp(label, "ENCRYPTED", 9) == 0;
			return text;
		}
	}
	return NULL;
}

/* The Base64 of the block in place, without white space; false: it does not end, or is none. */
static bool block_join(char *text, bool *locked)
{
	char *end = strstr(text, "-----END "), *out = text;
	uint8_t *der;
	long size;

	if (end == NULL)
		return false;
	if (memchr(text, ':', (size_t)(end - text)) != NULL) {
		*locked = true; /* Proc-Type: 4,ENCRYPTED */
		return true;
	}
	for (char *p = text; p < end; p++)
		if (!isspace((unsigned char)*p))
			*out++ = *p;
	*out = '\0';
	der = malloc((size_t)(out - text) + 1);
	size = der == NULL ? -1 : base64_decode(text, (size_t)(out - text), der);
	if (size > 0)
		explicit_bzero(der, (size_t)size);
	free(der);
	return size > 0;
}

json_t *ctl_file_der(enum ctl_kind kind, const char *path)
{
	const char *what = kind == CTL_KEY_FILE ? "PRIVATE KEY" : "CERTIFICATE";
	const char *wrong = NULL;
	size_t size;
	char *bytes = ctl_file_read(path, DER_FILE_BYTES, &size), *block;
	bool locked = false;
	json_t *v = NULL;

	if (bytes == NULL)
		return NULL;
	block = block_begin(bytes, what, &locked);
	if (block != NULL) {
		if (!block_join(block, &locked))
			wrong = "its PEM is damaged";
		else if (locked)
			wrong = "is protected by a passphrase; `openssl pkey -in FILE -out NEW` takes it away";
		else
			v = json_string(block);
	} else if (size > 0 && (uint8_t)bytes[0] == DER_SEQUENCE) {
		char *text = malloc(BASE64_LEN(size) + 1);

		if (text != NULL) {
			base64_encode((const uint8_t *)bytes, size, text);
			v = json_string(text);
			explicit_bzero(text, BASE64_LEN(size));
		}
		free(text);
	} else {
		wrong = kind == CTL_KEY_FILE ? "holds no private key in PEM or DER"
					     : "holds no certificate in PEM or DER";
	}
	if (v == NULL)
		fprintf(stderr, "patchbayctl: %s: %s\n", path,
			wrong == NULL ? "out of memory" : wrong);
	explicit_bzero(bytes, size);
	free(bytes);
	return v;
}

int ctl_show_certificate(struct ctl_run *run, const char *method, json_t *params, const char *field)
{
	struct reply reply = {.echo = run->json ? run->out : NULL};
	int rc = client_call(run->socket_path, method, params, &reply, run->command->hint);

	if (rc == CTL_OK && !run->json) {
		const char *text = json_string_value(json_object_get(client_result(&reply), field));

		fputs("-----BEGIN CERTIFICATE-----\n", run->out);
		for (size_t at = 0, len = text == NULL ? 0 : strlen(text); at < len; at += PEM_LINE)
			fprintf(run->out, "%.*s\n", (int)PEM_LINE, text + at);
		fputs("-----END CERTIFICATE-----\n", run->out);
	}
	reply_fini(&reply);
	return rc;
}
