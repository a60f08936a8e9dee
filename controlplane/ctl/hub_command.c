/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands that change hubs: online and offline, password, options, source addresses. */

#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/show.h"

/* Calls, echoes or says that it is done. Consumes params. */
static int call_and_tell(struct ctl_run *run, const char *method, json_t *params)
{
	struct reply reply = {0};
	int rc;

	if (run->json)
		reply.echo = run->out;
	rc = client_call(run->socket_path, method, params, &reply, run->command->hint);
	if (rc == CTL_OK && !run->json)
		fprintf(run->out, "%s\n", run->command->done);
	reply_fini(&reply);
	return rc;
}

int ctl_run_hub_online(struct ctl_run *run)
{
	return call_and_tell(run, "SetHubOnline",
		json_pack("{s:s, s:b}", "HubName_str", run->arguments[0], "Online_bool", 1));
}

int ctl_run_hub_offline(struct ctl_run *run)
{
	return call_and_tell(run, "SetHubOnline",
		json_pack("{s:s, s:b}", "HubName_str", run->arguments[0], "Online_bool", 0));
}

int ctl_run_hub_password(struct ctl_run *run)
{
	char *password = ctl_password("the hub's administrator");
	json_t *params;

	if (password == NULL)
		return CTL_FAILED;
	if (password[0] == '\0') {
		fputs("patchbayctl: an empty password opens nothing; nothing was changed\n",
			stderr);
		free(password);
		return CTL_FAILED;
	}
	params = json_pack("{s:s, s:s}", "HubName_str", run->arguments[0],
		"AdminPasswordPlainText_str", password);
	explicit_bzero(password, strlen(password));
	free(password);
	return call_and_tell(run, "SetHub", params);
}

/* ---- options --------------------------------------------------------------------------------- */

static const struct ctl_column option_columns[] = {
	{"OPTION", "Name_str", CTL_TEXT, "name"},
	{"VALUE", "Value_u32", CTL_NUMBER, "flags are 0 or 1"},
	{"DEFAULT", "PatchbayDefault_u32", CTL_NUMBER, "value of a new hub"},
	{"MIN", "PatchbayMin_u32", CTL_NUMBER, "least value"},
	{"MAX", "PatchbayMax_u32", CTL_NUMBER, "greatest value"},
	{"IN FORCE", "PatchbayEffect_str", CTL_TEXT, "at once, at login, ..., or not yet"},
	{"EFFECT", "Descrption_utf", CTL_TEXT, "what it does"},
	{.title = NULL},
};

/* The list of NAME=VALUE; NULL after saying what is wrong. */
static json_t *option_rows(const struct ctl_run *run)
{
	json_t *rows = json_array();

	for (unsigned i = 0; i < run->rest_cnt; i++) {
		const char *text;
		char name[64];
		json_t *v;

		if (!ctl_key_value(run->rest[i], name, &text)) {
			json_decref(rows);
			return NULL;
		}
		if (strcmp(text, "yes") == 0 || strcmp(text, "no") == 0)
			v = json_integer(text[0] == 'y');
		else
			v = ctl_value(CTL_INTEGER, name, text);
		if (v == NULL) {
			json_decref(rows);
			return NULL;
		}
		json_array_append_new(
			rows, json_pack("{s:s, s:o}", "Name_str", name, "Value_u32", v));
	}
	return rows;
}

static int run_option(struct ctl_run *run, const char *get, const char *set)
{
	struct ctl_command listing = *run->command;
	json_t *rows;

	if (run->rest_cnt == 0) {
		listing.method = get;
		listing.list = "AdminOptionList";
		listing.columns = option_columns;
		run->command = &listing;
		return ctl_run_general(run);
	}
	rows = option_rows(run);
	if (rows == NULL)
		return CTL_USAGE;
	return call_and_tell(run, set,
		json_pack("{s:s, s:o}", "HubName_str", run->arguments[0], "AdminOptionList", rows));
}

int ctl_run_hub_option(struct ctl_run *run)
{
	return run_option(run, "GetHubExtOptions", "SetHubExtOptions");
}

int ctl_run_hub_admin_option(struct ctl_run *run)
{
	return run_option(run, "GetHubAdminOptions", "SetHubAdminOptions");
}

/* ---- source addresses ------------------------------------------------------------------------ */

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
	return call_and_tell(run, "SetAcList",
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

int ctl_run_source_add(struct ctl_run *run)
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

int ctl_run_source_delete(struct ctl_run *run)
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
