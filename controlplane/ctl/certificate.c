/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl certificate`: what the server shows to its clients. */

#include "controlplane/ctl/command.h"
#include "controlplane/ctl/file.h"

static int run_show(struct ctl_run *run)
{
	return ctl_show_certificate(run, "GetServerCert", json_object(), "Cert_bin");
}

const struct ctl_command ctl_certificate_commands[] = {
	{
		.noun = "certificate",
		.verb = "show",
		.text = "Print the server's certificate as PEM",
		.method = "GetServerCert",
		.run = run_show,
	},
	{
		.noun = "certificate",
		.verb = "set",
		.text = "Set the server's certificate and key, for connections from now on",
		.method = "SetServerCert",
		.arguments = {{.name = "CERTIFICATE",
				      .field = "Cert_bin",
				      .kind = CTL_CERT_FILE,
				      .text = "file with it, PEM or DER"},
			{.name = "KEY",
				.field = "Key_bin",
				.kind = CTL_KEY_FILE,
				.text = "file with its private key, PEM or DER"}},
		.done = "certificate set",
	},
	{
		.noun = "certificate",
		.verb = "regenerate",
		.text = "Make a new self-signed certificate, for connections from now on",
		.method = "RegenerateServerCert",
		.arguments = {CTL_ARGUMENT("NAME", "StrValue_str", "its common name")},
		.done = "certificate made",
	},
	{.noun = NULL},
};
