/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl import`: a configuration of the original, sent in parts and taken as far as there is a place for it. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/base64.h"
#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/reply.h"

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
	return rc == CTL_OK ? ctl_run_general(run) : rc;
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
			.text = "only say what would become of it"}},
		.list = "ImportList",
		.columns = import_columns,
		.hint = "nothing was changed",
		.run = run_import,
	},
	{.noun = NULL},
};
