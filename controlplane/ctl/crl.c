/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl crl`: certificates that a hub takes no more. */

#include "controlplane/ctl/command.h"

#define CTL_CRL_KEY                                                     \
	{                                                               \
		.name = "KEY", .field = "Key_u32", .kind = CTL_INTEGER, \
		.text = "handle of the revocation, from the list"       \
	}

#define CRL_TEXT(name_, field_, text_)                                                   \
	{                                                                                \
		.name = (name_), .value = "TEXT", .field = (field_), .kind = CTL_STRING, \
		.text = (text_)                                                          \
	}
#define CRL_HEX(name_, field_, text_)                                                \
	{                                                                            \
		.name = (name_), .value = "HEX", .field = (field_), .kind = CTL_HEX, \
		.text = (text_)                                                      \
	}
/* Certificates in which all that is given is equal are revoked. */
#define CRL_OPTIONS                                                                        \
	CRL_HEX("--serial", "Serial_bin", "serial number"),                                \
		CRL_TEXT("--common-name", "CommonName_utf", "subject's common name (CN)"), \
		CRL_TEXT("--organization", "Organization_utf", "organization (O)"),        \
		CRL_TEXT("--unit", "Unit_utf", "organizational unit (OU)"),                \
		CRL_TEXT("--country", "Country_utf", "country (C)"),                       \
		CRL_TEXT("--state", "State_utf", "state (ST)"),                            \
		CRL_TEXT("--locality", "Local_utf", "locality (L)"),                       \
		CRL_HEX("--md5", "DigestMD5_bin", "MD5 of the certificate's DER"),         \
		CRL_HEX("--sha1", "DigestSHA1_bin", "SHA-1 of the certificate's DER")

static const struct ctl_column crl_columns[] = {
	{"KEY", "Key_u32", CTL_NUMBER, "handle until the daemon's next start"},
	{"REVOKED", "CrlInfo_utf", CTL_TEXT, "what a certificate has that is revoked"},
	{.title = NULL},
};

static const struct ctl_column crl_lines[] = {
	{"Hub", "HubName_str", CTL_TEXT, "name"},
	{"Key", "Key_u32", CTL_NUMBER, "handle until the daemon's next start"},
	{"Serial", "Serial_bin", CTL_BYTES, "serial number"},
	{"Common name", "CommonName_utf", CTL_TEXT, "CN"},
	{"Organization", "Organization_utf", CTL_TEXT, "O"},
	{"Unit", "Unit_utf", CTL_TEXT, "OU"},
	{"Country", "Country_utf", CTL_TEXT, "C"},
	{"State", "State_utf", CTL_TEXT, "ST"},
	{"Locality", "Local_utf", CTL_TEXT, "L"},
	{"MD5", "DigestMD5_bin", CTL_BYTES, "of the certificate's DER"},
	{"SHA-1", "DigestSHA1_bin", CTL_BYTES, "of the certificate's DER"},
	{.title = NULL},
};

const struct ctl_command ctl_crl_commands[] = {
	{
		.noun = "crl",
		.verb = "list",
		.text = "Revoked certificates of a hub",
		.method = "EnumCrl",
		.arguments = {CTL_HUB},
		.list = "CRLList",
		.columns = crl_columns,
	},
	{
		.noun = "crl",
		.verb = "show",
		.text = "What one revocation matches",
		.method = "GetCrl",
		.arguments = {CTL_HUB, CTL_CRL_KEY},
		.columns = crl_lines,
		.hint = "`patchbayctl crl list HUB` shows the revocations.",
	},
	{
		.noun = "crl",
		.verb = "add",
		.text = "Revoke certificates in which all that is given is equal, from the next login on",
		.method = "AddCrl",
		.arguments = {CTL_HUB},
		.options = {CRL_OPTIONS},
		.done = "revocation added",
		.hint = "give at least one of the options: `patchbayctl crl add --help`",
	},
	{
		.noun = "crl",
		.verb = "set",
		.text = "Replace a revocation as a whole: what is not given does not matter then",
		.method = "SetCrl",
		.arguments = {CTL_HUB, CTL_CRL_KEY},
		.options = {CRL_OPTIONS},
		.done = "revocation replaced",
		.hint = "`patchbayctl crl list HUB` shows the revocations.",
	},
	{
		.noun = "crl",
		.verb = "delete",
		.text = "Take a revocation back",
		.method = "DelCrl",
		.arguments = {CTL_HUB, CTL_CRL_KEY},
		.done = "revocation deleted",
		.hint = "`patchbayctl crl list HUB` shows the revocations.",
	},
	{.noun = NULL},
};
