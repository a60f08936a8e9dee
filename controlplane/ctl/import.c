/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl import`: a configuration of the original, sent in parts and taken as far as there is a place for it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/base64.h"
#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/file.h"
#include "controlplane/ctl/reply.h"

#define CONFIG_BYTES 25165824u /* what the daemon takes */
#define PART_BYTES \
	393216u /* a multiple of three; with Base64 and JSON around it below a request's bound */

static const struct ctl_column import_columns[] = {
	{"LINE", "Line_u32", CTL_NUMBER, "of the file"},
	{"RESULT", "Result_str", CTL_TEXT, "taken, kept for when it is supported, left"},
	{"WHERE", "Path_str", CTL_TEXT, "in the file"},
	{"WHAT", "Text_str", CTL_TEXT, "became of it"},
	{.title = NULL},
};

static int send_part(struct ctl_run *run, const uint8_t *part, size_t size, size_t offset)
{
	struct reply reply = {0};
	char *text = malloc(BASE64_LEN(size) + 1);
	json_t *params;
	int rc;

	if (text == NULL) {
		fputs("patchbayctl: out of memory\n", stderr);
		return CTL_FAILED;
	}
	base64_encode(part, size, text);
	params = json_pack("{s:I, s:s}", "Offset_u32", (json_int_t)offset, "Data_bin", text);
	explicit_bzero(text, BASE64_LEN(size));
	free(text);
	rc = client_call(run->socket_path, "PatchbayUpload", params, &reply, NULL);
	reply_fini(&reply);
	return rc;
}

/* The Base64 behind `byte NAME ` in a line of the file; malloc'ed, NULL: there is none. */
static char *bytes_of(const char *text, const char *name)
{
	char key[64];
	const char *at = text;

	snprintf(key, sizeof(key), "byte %s ", name);
	while ((at = strstr(at, key)) != NULL) {
		if (at > text && (at[-1] == '\t' || at[-1] == ' ' || at[-1] == '\n'))
			return strndup(at + strlen(key), strcspn(at + strlen(key), "\r\n"));
		at++;
	}
	return NULL;
}

/* The server's certificate and key go by the method that they have: the daemon judges whether they are a pair. */
static int set_certificate(struct ctl_run *run, const char *path)
{
	size_t size;
	char *text = ctl_file_read(path, CONFIG_BYTES, &size), *cert, *key;
	struct reply reply = {0};
	int rc = CTL_FAILED;

	if (text == NULL)
		return CTL_FAILED;
	cert = bytes_of(text, "ServerCert");
	key = bytes_of(text, "ServerKey");
	if (cert == NULL || key == NULL)
		fprintf(stderr, "patchbayctl: %s: has no ServerCert with a ServerKey\n", path);
	else
		rc = client_call(run->socket_path, "SetServerCert",
			json_pack("{s:s, s:s}", "Cert_bin", cert, "Key_bin", key), &reply,
			"the rest has been taken");
	if (rc == CTL_OK && !run->json)
		fputs("\nThe server's certificate is in force for new connections.\n", run->out);
	reply_fini(&reply);
	if (key != NULL)
		explicit_bzero(key, strlen(key));
	explicit_bzero(text, size);
	free(cert);
	free(key);
	free(text);
	return rc;
}

static int run_import(struct ctl_run *run)
{
	static uint8_t part[PART_BYTES];
	const char *path = run->arguments[0];
	FILE *f = fopen(path, "re");
	size_t offset = 0, got;
	int rc = CTL_OK;

	if (f == NULL) {
		fprintf(stderr, "patchbayctl: %s: %s\n", path, strerror(errno));
		return CTL_FAILED;
	}
	while (rc == CTL_OK && (got = fread(part, 1, sizeof(part), f)) > 0) {
		rc = send_part(run, part, got, offset);
		offset += got;
	}
	if (rc == CTL_OK && (ferror(f) != 0 || offset == 0)) {
		fprintf(stderr, "patchbayctl: %s: %s\n", path,
			offset == 0 ? "is empty" : "cannot be read");
		rc = CTL_FAILED;
	}
	fclose(f);
	explicit_bzero(part, sizeof(part));
	if (rc == CTL_OK)
		rc = ctl_run_general(run);
	if (rc == CTL_OK && ctl_option(run, "--certificate") != NULL &&
		ctl_option(run, "--dry-run") == NULL)
		rc = set_certificate(run, path);
	return rc;
}

const struct ctl_command ctl_import_commands[] = {
	{
		.noun = "import",
		.text = "Take over the configuration of a SoftEther VPN server",
		.method = "PatchbayImport",
		.arguments = {{.name = "FILE",
			.kind = CTL_STRING,
			.text = "its vpn_server.config, written while it was stopped"}},
		.options = {{.name = "--dry-run",
				    .field = "DryRun_bool",
				    .kind = CTL_FLAG,
				    .text = "only say what would become of it"},
			{.name = "--certificate",
				.kind = CTL_FLAG,
				.text = "take the server's certificate and key, too"}},
		.list = "ImportList",
		.columns = import_columns,
		.hint = "nothing was changed",
		.run = run_import,
	},
	{.noun = NULL},
};
