/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl ca`: the certificate authorities that a hub trusts, for users of type "signed". */

#include "controlplane/ctl/command.h"
#include "controlplane/ctl/file.h"

#define CTL_CA_KEY                                                      \
	{                                                               \
		.name = "KEY", .field = "Key_u32", .kind = CTL_INTEGER, \
		.text = "handle of the authority, from the list"        \
	}

static int run_show(struct ctl_run *run)
{
	json_t *params = ctl_params(run);

	return params == NULL ? 2 : ctl_show_certificate(run, "GetCa", params, "Cert_bin");
}

static const struct ctl_column ca_columns[] = {
	{"KEY", "Key_u32", CTL_NUMBER, "handle until the daemon's next start"},
	{"SUBJECT", "SubjectName_utf", CTL_TEXT, "whose it is"},
	{"ISSUER", "IssuerName_utf", CTL_TEXT, "who signed it"},
	{"EXPIRES (UTC)", "Expires_dt", CTL_TIME, "when it ends"},
	{.title = NULL},
};

const struct ctl_command ctl_ca_commands[] = {
	{
		.noun = "ca",
		.verb = "list",
		.text = "Certificate authorities that a hub trusts",
		.method = "EnumCa",
		.arguments = {CTL_HUB},
		.list = "CAList",
		.columns = ca_columns,
	},
	{
		.noun = "ca",
		.verb = "show",
		.text = "Print the certificate of an authority as PEM",
		.method = "GetCa",
		.arguments = {CTL_HUB, CTL_CA_KEY},
		.hint = "`patchbayctl ca list HUB` shows the authorities.",
		.run = run_show,
	},
	{
		.noun = "ca",
		.verb = "add",
		.text = "Trust a certificate authority, from the next login on",
		.method = "AddCa",
		.arguments = {CTL_HUB,
			{.name = "FILE",
				.field = "Cert_bin",
				.kind = CTL_CERT_FILE,
				.text = "its certificate, PEM or DER; -: standard input"}},
		.done = "authority added",
	},
	{
		.noun = "ca",
		.verb = "delete",
		.text = "Trust an authority no more; sessions go on",
		.method = "DeleteCa",
		.arguments = {CTL_HUB, CTL_CA_KEY},
		.done = "authority deleted",
		.hint = "`patchbayctl ca list HUB` shows the authorities.",
	},
	{.noun = NULL},
};
