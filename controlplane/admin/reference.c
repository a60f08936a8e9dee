/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Writes patchbay-api(7), the reference page of all administration methods, from the method table: what the page says
 * is what the program does. A program of the build, not installed.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "controlplane/admin/method.h"

/* Text as it stands, for troff: no control lines, no escapes of its own. */
static void put(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		if (*p == '\\')
			fputs("\\e", stdout);
		else if (*p == '-')
			fputs("\\-", stdout);
		else if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n'))
			printf("\\&%c", *p);
		else
			putchar(*p);
}

static const char introduction[] =
	".SH NAME\n"
	"patchbay\\-api \\- administration methods of the Patchbay daemon\n"
	".SH DESCRIPTION\n"
	"Every method below can be called\n"
	".IP \\(bu 2\n"
	"as JSON\\-RPC 2.0 over HTTPS: POST to\n"
	".I https://HOST:PORT/api/\n"
	"on any listener, with the headers X\\-VPNADMIN\\-PASSWORD and, for the administrator of a hub,\n"
	"X\\-VPNADMIN\\-HUBNAME;\n"
	".IP \\(bu 2\n"
	"as JSON\\-RPC 2.0 on the daemon's local socket, one document per line:\n"
	".BR \"patchbayctl rpc\" ;\n"
	".IP \\(bu 2\n"
	"by the original's tools (vpncmd, Server Manager), which know those whose name does not begin with \\(lqPatchbay\\(rq.\n"
	".PP\n"
	"Field names are those of JSON. The suffix tells the type: _bool; _u32 and _u64, whole numbers; _dt, UTC time like\n"
	"2026\\-11\\-23T05:09:18.203Z, where 1970 stands for none; _str and _utf, text in UTF\\-8; _bin, bytes in Base64; _ip, an\n"
	"address. Ranges are of the number, or of the bytes of a text. A \\(lqtraffic\\(rq field stands for eight _u64 fields,\n"
	"Recv and Send, each with BroadcastBytes, BroadcastCount, UnicastBytes, UnicastCount.\n"
	".PP\n"
	"Errors are those of the protocol: among them 8 no such hub, 29 no such object, 33 not supported, 38 a parameter is\n"
	"wrong, 52 not allowed, 66 and 67 a user or group of that name is there. A call is answered when what it changed is in force and durable.\n"
	".PP\n"
	"Methods of the original that are not here answer 33, and GetCaps names nothing of theirs, so that tools hide it. Not there\n"
	"yet: cascades (CreateLink ...), SecureNAT, layer\\-3 switches (AddL3Switch ...). Not meant to be: clusters; protocols other\n"
	"than this one with their ports (GetPortsUDP, SetPortsUDP, GetProtoOptions, IPsec, OpenVPN: the UDP ports of UDP acceleration\n"
	"are one for each worker, from\n"
	".I udp_acceleration.first_port\n"
	"in\n"
	".BR patchbay.cfg (5)\n"
	"on); GetKeep and SetKeep, which send something now and then so that a dial\\-up line of the server's does not hang up: a router\n"
	"in front of a server does that where it is still needed, and an appliance should send nothing to third parties on its own;\n"
	"services of the original's makers (dynamic DNS, Azure relay, licences); Crash and Debug.\n"
	".SH METHODS\n";

static void range(const struct admin_field *f)
{
	switch (f->type) {
	case ADMIN_TYPE_INT:
		if (f->max != UINT32_MAX || f->min != 0)
			printf(" (%" PRIu64 " to %" PRIu64 ")", f->min, f->max);
		break;
	case ADMIN_TYPE_STR:
	case ADMIN_TYPE_USTR:
	case ADMIN_TYPE_DATA:
		if (f->max != 0)
			printf(" (%" PRIu64 " to %" PRIu64 " bytes)", f->min, f->max);
		break;
	case ADMIN_TYPE_ROWS:
		if (f->max != 0)
			printf(" (at most %" PRIu64 " records)", f->max);
		break;
	default:
		break;
	}
}

static void fields(const struct admin_field *list, bool request)
{
	for (const struct admin_field *f = list; f->name != NULL; f++) {
		const char *suffix = admin_type_suffix(f->type);

		fputs(".TP\n.B ", stdout);
		put(f->name[0] == '\0' ? "(traffic)" : f->name);
		if (suffix[0] != '\0') {
			putchar('_');
			put(suffix);
		} else if (f->type == ADMIN_TYPE_TRAFFIC && f->name[0] != '\0') {
			put(" (traffic)");
		}
		putchar('\n');
		put(f->text);
		range(f);
		if (request && (f->flags & ADMIN_F_REQUIRED) != 0)
			fputs("; required", stdout);
		if (!request && (f->flags & ADMIN_F_OPTIONAL) != 0)
			fputs("; may be absent", stdout);
		fputs(".\n", stdout);
		if (f->type == ADMIN_TYPE_ROWS) {
			fputs(".RS\n", stdout);
			fields(f->rows, request);
			fputs(".RE\n", stdout);
		}
	}
}

static void method(const struct admin_method *m)
{
	static const char *const roles[] = {
		[ADMIN_ROLE_ANY] = "any administrator",
		[ADMIN_ROLE_SERVER] = "administrator of the server",
		[ADMIN_ROLE_HUB] = "administrator of the server or of the hub",
	};
	static const char *const effects[] = {
		[ADMIN_EFFECT_NONE] = "reads",
		[ADMIN_EFFECT_RUNS] = "changes what runs, stores nothing",
		[ADMIN_EFFECT_STORED] = "changes the configuration",
	};

	fputs(".SS ", stdout);
	put(m->name);
	putchar('\n');
	put(m->text);
	printf("\n.br\nFor: %s. Effect: %s.\n", roles[m->role], effects[m->effect]);
	if (m->request[0].name != NULL) {
		fputs(".PP\nRequest:\n.RS\n", stdout);
		fields(m->request, true);
		fputs(".RE\n", stdout);
	}
	if (m->response[0].name != NULL) {
		fputs(".PP\nResponse:\n.RS\n", stdout);
		fields(m->response, false);
		fputs(".RE\n", stdout);
	}
}

int main(void)
{
	unsigned cnt;
	const struct admin_method *const *all = admin_methods(&cnt);

	fputs(".\\\" SPDX-License-Identifier: BSD-3-Clause\n"
	      ".\\\" Made by controlplane/admin/reference.c from the method table; not to be edited.\n"
	      ".TH PATCHBAY-API 7 \"\" \"Patchbay " PATCHBAY_VERSION "\" \"Administration\"\n",
		stdout);
	fputs(introduction, stdout);
	for (unsigned i = 0; i < cnt; i++)
		method(all[i]);
	fputs(".SH SEE ALSO\n.BR patchbayctl (1),\n.BR patchbayd (8)\n", stdout);
	return fflush(stdout) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
