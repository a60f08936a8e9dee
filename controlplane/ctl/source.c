/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl source`: from which addresses users of a hub may log in. */

#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"

static void on_source(void *ctx, const char *list, json_t *row)
{
	if (strcmp(list, "ACList") == 0)
		json_array_append(ctx, row);
}

/* The list as the daemon has it; NULL after an error that was told. */
static json_t *sources_get(const struct ctl_run *run)
{
	json_t *rows = json_array();
	struct reply reply = {.row = on_source, .ctx = rows};
	int rc = client_call(run->socket_path, "GetAcList",
		json_pack("{s:s}", "HubName_str", run->arguments[0]), &reply, NULL);

	reply_fini(&reply);
	if (rc == CTL_OK)
		return rows;
	json_decref(rows);
	return NULL;
}

static int sources_set(struct ctl_run *run, json_t *rows)
{
	return ctl_call_and_tell(run, "SetAcList",
		json_pack("{s:s, s:o}", "HubName_str", run->arguments[0], "ACList", rows));
}

/* 32 of 32 bits for IPv4, and so on: the daemon wants a mask. False: the length makes no sense. */
static bool mask_text(const char *prefix, bool ipv6, char text[64])
{
	char *end;
	unsigned long bits = strtoul(prefix, &end, 10);
	size_t n = 0;

	if (prefix[0] < '0' || prefix[0] > '9' || *end != '\0' || bits > (ipv6 ? 128 : 32))
		return false;
	text[0] = '\0';
	for (unsigned i = 0; i < (ipv6 ? 8u : 4u); i++) {
		unsigned width = ipv6 ? 16 : 8;
		unsigned take = bits > (unsigned long)width * i ? (unsigned)bits - width * i : 0;
		unsigned part;

		if (take > width)
			take = width;
		part = ((1u << take) - 1) << (width - take);
		n += (size_t)snprintf(text + n, 64 - n, ipv6 ? "%s%x" : "%s%u",
			i == 0	       ? ""
				: ipv6 ? ":"
				       : ".",
			part);
	}
	return true;
}

static int run_add(struct ctl_run *run)
{
	const char *what = run->arguments[1], *slash = strchr(run->arguments[2], '/');
	size_t len =
		slash == NULL ? strlen(run->arguments[2]) : (size_t)(slash - run->arguments[2]);
	char address[64], mask[64] = "";
	json_t *rows, *row, *priority;

	if (strcmp(what, "allow") != 0 && strcmp(what, "deny") != 0) {
		fprintf(stderr, "patchbayctl: \"%s\": should be allow or deny\n", what);
		return CTL_USAGE;
	}
	snprintf(address, sizeof(address), "%.*s", len < sizeof(address) ? (int)len : 0,
		run->arguments[2]);
	if (slash != NULL && strpbrk(slash + 1, ".:") != NULL)
		snprintf(mask, sizeof(mask), "%s", slash + 1);
	else if (slash != NULL && !mask_text(slash + 1, strchr(address, ':') != NULL, mask)) {
		fprintf(stderr, "patchbayctl: \"%s\": no prefix length of that family\n",
			run->arguments[2]);
		return CTL_USAGE;
	}
	priority = ctl_value(
		CTL_INTEGER, "--priority", run->options[0] == NULL ? "100" : run->options[0]);
	if (priority == NULL)
		return CTL_USAGE;
	rows = sources_get(run);
	if (rows == NULL) {
		json_decref(priority);
		return CTL_FAILED;
	}
	row = json_pack("{s:s, s:b, s:b, s:o}", "IpAddress_ip", address, "Deny_bool",
		what[0] == 'd', "Masked_bool", mask[0] != '\0', "Priority_u32", priority);
	if (mask[0] != '\0')
		json_object_set_new(row, "SubnetMask_ip", json_string(mask));
	json_array_append_new(rows, row);
	return sources_set(run, rows);
}

static int run_delete(struct ctl_run *run)
{
	json_t *rows, *number = ctl_value(CTL_INTEGER, "N", run->arguments[1]);
	json_int_t n = json_integer_value(number);

	json_decref(number);
	if (number == NULL)
		return CTL_USAGE;
	rows = sources_get(run);
	if (rows == NULL)
		return CTL_FAILED;
	if (n < 1 || json_array_remove(rows, (size_t)n - 1) != 0) {
		fprintf(stderr, "patchbayctl: hub %s has no source %lld\n%s\n", run->arguments[0],
			(long long)n, run->command->hint);
		json_decref(rows);
		return CTL_FAILED;
	}
	return sources_set(run, rows);
}

static const struct ctl_column source_columns[] = {
	{"N", "Id_u32", CTL_NUMBER, "place in the list"},
	{"PRIORITY", "Priority_u32", CTL_NUMBER, "the smallest that matches decides"},
	{"DENY", "Deny_bool", CTL_YES_NO, "refused with error 109; else let in"},
	{"ADDRESS", "PatchbayNetwork_str", CTL_TEXT, "address or network"},
	{.title = NULL},
};

const struct ctl_command ctl_source_commands[] = {
	{
		.noun = "source",
		.verb = "list",
		.text = "From which addresses users of a hub may log in",
		.method = "GetAcList",
		.arguments = {CTL_HUB},
		.list = "ACList",
		.columns = source_columns,
	},
	{
		.noun = "source",
		.verb = "add",
		.text = "Add a line to the source address list of a hub; it holds for logins from now on",
		.method = "SetAcList",
		.arguments = {CTL_HUB,
			CTL_ARGUMENT("allow|deny", NULL, "what becomes of who comes from there"),
			CTL_ARGUMENT(
				"ADDRESS", NULL, "address or network: 192.0.2.0/24, fd00::/8")},
		.options = {{.name = "--priority",
			.value = "N",
			.kind = CTL_INTEGER,
			.text = "the smallest that matches decides (default 100)"}},
		.done = "source added",
		.run = run_add,
	},
	{
		.noun = "source",
		.verb = "delete",
		.text = "Delete a line of it",
		.method = "SetAcList",
		.arguments = {CTL_HUB, CTL_ARGUMENT("N", NULL, "its number in the list")},
		.done = "source deleted",
		.hint = "`patchbayctl source list HUB` shows the list.",
		.run = run_delete,
	},
	{.noun = NULL},
};
