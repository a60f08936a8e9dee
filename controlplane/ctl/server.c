/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl server`: the daemon as a whole. */

#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/password.h"

static int run_password(struct ctl_run *run)
{
	bool remove = ctl_option(run, "--remove") != NULL;
	char *password = remove ? strdup("") : ctl_password("the server's administrator");
	json_t *params;

	if (password == NULL)
		return CTL_FAILED;
	if (password[0] == '\0' && !remove) {
		fputs("patchbayctl: an empty password ends administration from the network; nothing was "
		      "changed, --remove does that\n",
			stderr);
		free(password);
		return CTL_FAILED;
	}
	params = json_pack("{s:s}", "PlainTextPassword_str", password);
	explicit_bzero(password, strlen(password));
	free(password);
	if (params == NULL) {
		fputs("patchbayctl: the password is not UTF-8\n", stderr);
		return CTL_FAILED;
	}
	return ctl_call_and_tell(run, "SetServerPassword", params);
}

static int run_cipher(struct ctl_run *run)
{
	if (run->arguments[0] == NULL)
		return ctl_run_general(run);
	return ctl_call_and_tell(
		run, "SetServerCipher", json_pack("{s:s}", "String_str", run->arguments[0]));
}

static const struct ctl_column cipher_lines[] = {
	{"Chosen", "String_str", CTL_TEXT, "~DEFAULT~: as patchbay.cfg says"},
	{"In force", "PatchbayInForce_str", CTL_TEXT, "for the next handshake, the best first"},
	{.title = NULL},
};

static const struct ctl_column server_columns[] = {
	{"Product", "ServerProductName_str", CTL_TEXT, "as peers are told"},
	{"Version", "ServerVersionString_str", CTL_TEXT, "of Patchbay"},
	{"Build", "ServerBuildInfoString_str", CTL_TEXT, "what it was built with"},
	{"Protocol version", "ServerVerInt_u32", CTL_NUMBER, "as peers are told"},
	{"Protocol build", "ServerBuildInt_u32", CTL_NUMBER, "as peers are told"},
	{"Host", "ServerHostName_str", CTL_TEXT, "host name"},
	{"Kernel", "KernelVersion_str", CTL_TEXT, "release and build"},
	{"Process", "PatchbayPid_u32", CTL_NUMBER, "process id"},
	{.title = NULL},
};

const struct ctl_command ctl_server_commands[] = {
	{
		.noun = "server",
		.verb = "show",
		.text = "Product, version and host",
		.method = "GetServerInfo",
		.columns = server_columns,
	},
	{
		.noun = "server",
		.verb = "password",
		.text = "Set the password of the server's administrator: asks, or reads standard input",
		.method = "SetServerPassword",
		.options = {{.name = "--remove",
			.kind = CTL_FLAG,
			.text = "nobody administers from the network then"}},
		.done = "password set",
		.run = run_password,
	},
	{
		.noun = "server",
		.verb = "cipher",
		.text = "Show which ciphers TLS may choose from, or set them",
		.method = "GetServerCipher",
		.arguments = {{.name = "LIST",
			.kind = CTL_STRING,
			.optional = true,
			.text = "names with : between; ~DEFAULT~: as patchbay.cfg says"}},
		.columns = cipher_lines,
		.done = "ciphers set",
		.hint = "`patchbayctl rpc GetServerCipherList` lists the names.",
		.run = run_cipher,
	},
	{.noun = NULL},
};
