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
	{.noun = NULL},
};
