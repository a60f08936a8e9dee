/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl access`: the packet filter of a hub. */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/file.h"

#define FRAME_BYTES 1600u
#define FILE_BYTES  33554432u

/* ---- rules as text ---------------------------------------------------------------------------- */

/* Keys whose values are texts: quotes may be left away on the command line. */
static bool is_text(const char *key)
{
	static const char *const keys[] = {"source", "destination", "source_ports",
		"destination_ports", "source_user", "destination_user", "source_mac",
		"destination_mac", "tcp_state", "redirect", "note"};

	for (unsigned i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static void put_quoted(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text != '\0'; text++) {
		if (*text == '"' || *text == '\\')
			fputc('\\', f);
		fputc(*text, f);
	}
	fputc('"', f);
}

/* key=value words as one rule; NULL after saying what is wrong. malloc'ed. */
static char *rule_text(const struct ctl_run *run)
{
	char *text = NULL, key[64];
	const char *value;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	fputc('{', f);
	for (unsigned i = 0; i < run->rest_cnt; i++) {
		if (!ctl_key_value(run->rest[i], key, &value)) {
			fclose(f);
			free(text);
			return NULL;
		}
		fprintf(f, " %s = ", key);
		if (is_text(key) && value[0] != '"')
			put_quoted(f, value);
		else
			fputs(value, f);
		fputc(';', f);
	}
	fputs(" }", f);
	fclose(f);
	return text;
}

static int run_add(struct ctl_run *run)
{
	char *text = rule_text(run);
	json_t *params;

	if (text == NULL)
		return CTL_USAGE;
	params = json_pack("{s:s, s:s}", "HubName_str", run->arguments[0], "Rule_str", text);
	free(text);
	if (params == NULL) {
		fprintf(stderr, "patchbayctl: the rule is not UTF-8\n");
		return CTL_USAGE;
	}
	return ctl_call_and_tell(run, "PatchbayAddAccess", params);
}

static int run_replace(struct ctl_run *run)
{
	size_t size;
	char *text = ctl_file_read(run->arguments[1], FILE_BYTES, &size);
	json_t *params;

	if (text == NULL)
		return CTL_USAGE;
	params = json_pack("{s:s, s:s}", "HubName_str", run->arguments[0], "Rules_str", text);
	free(text);
	if (params == NULL) {
		fprintf(stderr, "patchbayctl: %s is not UTF-8\n", run->arguments[1]);
		return CTL_USAGE;
	}
	return ctl_call_and_tell(run, "PatchbayReplaceAccess", params);
}

/* ---- on and off ------------------------------------------------------------------------------- */

static int switch_rule(struct ctl_run *run, bool on)
{
	json_t *id = ctl_value(CTL_INTEGER, "ID", run->arguments[1]);

	if (id == NULL)
		return CTL_USAGE;
	return ctl_call_and_tell(run, "PatchbayEnableAccess",
		json_pack("{s:s, s:o, s:b}", "HubName_str", run->arguments[0], "Id_u32", id,
			"Active_bool", on));
}

static int run_enable(struct ctl_run *run)
{
	return switch_rule(run, true);
}

static int run_disable(struct ctl_run *run)
{
	return switch_rule(run, false);
}

/* ---- test ------------------------------------------------------------------------------------- */

static int hex_digit(char c)
{
	return c >= '0' && c <= '9'    ? c - '0'
		: c >= 'a' && c <= 'f' ? c - 'a' + 10
		: c >= 'A' && c <= 'F' ? c - 'A' + 10
				       : -1;
}

/* Hexadecimal digits, with blanks and colons between them; false after saying what is wrong. */
static bool hex_parse(const char *text, uint8_t *out, size_t *size)
{
	int high = -1;

	*size = 0;
	for (; *text != '\0'; text++) {
		int digit = hex_digit(*text);

		if (strchr(" :-\n\t", *text) != NULL && high < 0)
			continue;
		if (digit < 0 || *size == FRAME_BYTES) {
			fprintf(stderr,
				digit < 0
					? "patchbayctl: FRAME should be hexadecimal digits, from the destination MAC on\n"
					: "patchbayctl: FRAME has more than 1600 bytes\n");
			return false;
		}
		if (high < 0) {
			high = digit;
			continue;
		}
		out[(*size)++] = (uint8_t)(high << 4 | digit);
		high = -1;
	}
	if (high < 0)
		return true;
	fprintf(stderr, "patchbayctl: FRAME has an odd number of digits\n");
	return false;
}

static void base64(const uint8_t *in, size_t size, char *out)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < size; i += 3) {
		uint32_t v = (uint32_t)in[i] << 16 | (i + 1 < size ? (uint32_t)in[i + 1] << 8 : 0) |
			(i + 2 < size ? in[i + 2] : 0);

		*out++ = digits[v >> 18];
		*out++ = digits[v >> 12 & 63];
		*out++ = i + 1 < size ? digits[v >> 6 & 63] : '=';
		*out++ = i + 2 < size ? digits[v & 63] : '=';
	}
	*out = '\0';
}

static int run_test(struct ctl_run *run)
{
	uint8_t frame[FRAME_BYTES];
	char text[FRAME_BYTES / 3 * 4 + 8];
	struct reply reply = {0};
	json_t *params;
	size_t size;
	int rc;

	if (!hex_parse(run->arguments[1], frame, &size))
		return CTL_USAGE;
	base64(frame, size, text);
	params = json_pack("{s:s, s:s}", "HubName_str", run->arguments[0], "Frame_bin", text);
	if (run->options[0] != NULL)
		json_object_set_new(params, "From_str", json_string(run->options[0]));
	if (run->options[1] != NULL)
		json_object_set_new(params, "To_str", json_string(run->options[1]));
	if (run->json) {
		return ctl_call_and_tell(run, "PatchbayTestAccess", params);
	}
	rc = client_call(run->socket_path, "PatchbayTestAccess", params, &reply, NULL);
	if (rc == CTL_OK) {
		json_int_t id =
			json_integer_value(json_object_get(client_result(&reply), "Id_u32"));

		if (id == 0)
			fprintf(run->out, "no rule matches: pass\n");
		else
			fprintf(run->out, "rule %lld: %s\n%s\n", (long long)id,
				json_is_true(json_object_get(client_result(&reply), "Discard_bool"))
					? "drop"
					: "pass",
				json_string_value(
					json_object_get(client_result(&reply), "Rule_str")));
	}
	reply_fini(&reply);
	return rc;
}

/* ---- the commands ----------------------------------------------------------------------------- */

static const struct ctl_column access_columns[] = {
	{"ID", "Id_u32", CTL_NUMBER,
		"place in the list: the first active rule that matches decides"},
	{"PRIORITY", "Priority_u32", CTL_NUMBER, "the smallest is looked at first"},
	{"ACTIVE", "Active_bool", CTL_YES_NO, "the rule counts"},
	{"DROP", "Discard_bool", CTL_YES_NO, "what it does; else the frame passes"},
	{"HITS", "PatchbayHits_u64", CTL_NUMBER, "frames that it decided about"},
	{"UNIQUE", "UniqueId_u32", CTL_NUMBER, "id that stays with the rule"},
	{"RULE", "PatchbayRule_str", CTL_TEXT, "all of it, as directory.cfg has it"},
	{.title = NULL},
};

static const struct ctl_column state_columns[] = {
	{"tables", "PatchbayTables_u32", CTL_NUMBER, "compiled tables"},
	{"scanned", "PatchbayScanned_u32", CTL_NUMBER,
		"rules that are scanned for every frame: few, or they do not compile in their bound"},
	{"fresh", "PatchbayFresh_u32", CTL_NUMBER,
		"rules that wait for the compiler, and are scanned until then"},
	{"compiling", "PatchbayCompiling_bool", CTL_YES_NO, "the compiler runs"},
	{"compile ms", "PatchbayCompileMs_u32", CTL_NUMBER, "what its last run took"},
	{"parked", "PatchbayParked_u64", CTL_NUMBER,
		"frames that wait for a rule's delay, all hubs"},
	{"park refused", "PatchbayParkRefused_u64", CTL_NUMBER,
		"frames that found no room to wait, all hubs"},
	{.title = NULL},
};

/* How a list is in force, without the list. */
static int run_state(struct ctl_run *run)
{
	json_t *params = json_pack(
		"{s:s, s:b}", "HubName_str", run->arguments[0], "PatchbayStateOnly_bool", 1);
	struct reply reply = {.echo = run->json ? run->out : NULL};
	int rc = client_call(run->socket_path, "EnumAccess", params, &reply, run->command->hint);

	for (const struct ctl_column *c = state_columns;
		rc == CTL_OK && !run->json && c->title != NULL; c++) {
		const json_t *v = json_object_get(client_result(&reply), c->field);

		if (c->format == CTL_YES_NO)
			fprintf(run->out, "%-14s%s\n", c->title, json_is_true(v) ? "yes" : "no");
		else
			fprintf(run->out, "%-14s%lld\n", c->title,
				(long long)json_integer_value(v));
	}
	reply_fini(&reply);
	return rc;
}

const struct ctl_command ctl_access_commands[] = {
	{
		.noun = "access",
		.verb = "list",
		.text = "List the access rules of a hub in the order in which they are looked at",
		.method = "EnumAccess",
		.arguments = {CTL_HUB},
		.list = "AccessList",
		.columns = access_columns,
	},
	{
		.noun = "access",
		.verb = "state",
		.text = "Show how the access list of a hub is in force: compiled, or scanned",
		.method = "EnumAccess",
		.arguments = {CTL_HUB},
		.columns = state_columns,
		.run = run_state,
	},
	{
		.noun = "access",
		.verb = "add",
		.text = "Add an access rule; answered when it is in force",
		.method = "PatchbayAddAccess",
		.arguments = {CTL_HUB},
		.rest = "KEY=VALUE",
		.rest_text =
			"of the rule: priority=10 drop=true destination=10.0.0.0/8 destination_ports=80-90 "
			"protocol=6 source_user=staff ...; directory.cfg(5) lists the keys",
		.done = "added",
		.run = run_add,
	},
	{
		.noun = "access",
		.verb = "delete",
		.text = "Delete an access rule",
		.method = "DeleteAccess",
		.arguments = {CTL_HUB,
			{.name = "ID",
				.field = "Id_u32",
				.kind = CTL_INTEGER,
				.text = "place in the list, or the rule's unique id"}},
		.done = "deleted",
		.hint = "see `patchbayctl access list`",
	},
	{
		.noun = "access",
		.verb = "replace",
		.text = "Replace the whole access list of a hub by the rules in a file",
		.method = "PatchbayReplaceAccess",
		.arguments = {CTL_HUB,
			CTL_ARGUMENT("FILE", NULL,
				"rules { ... }, { ... } as in directory.cfg; -: standard input")},
		.done = "replaced",
		.run = run_replace,
	},
	{
		.noun = "access",
		.verb = "enable",
		.text = "Switch an access rule on",
		.method = "PatchbayEnableAccess",
		.arguments = {CTL_HUB,
			CTL_ARGUMENT("ID", NULL, "place in the list, or the rule's unique id")},
		.done = "enabled",
		.hint = "see `patchbayctl access list`",
		.run = run_enable,
	},
	{
		.noun = "access",
		.verb = "disable",
		.text = "Switch an access rule off; it stays in the list",
		.method = "PatchbayEnableAccess",
		.arguments = {CTL_HUB,
			CTL_ARGUMENT("ID", NULL, "place in the list, or the rule's unique id")},
		.done = "disabled",
		.hint = "see `patchbayctl access list`",
		.run = run_disable,
	},
	{
		.noun = "access",
		.verb = "test",
		.text = "Say which access rule would decide about a frame",
		.method = "PatchbayTestAccess",
		.arguments = {CTL_HUB,
			CTL_ARGUMENT("FRAME", NULL,
				"in hexadecimal digits, from the destination MAC on")},
		.options =
			{{.name = "--from",
				 .value = "USER",
				 .kind = CTL_STRING,
				 .optional = true,
				 .text = "who sends: a user, with his group, or a special session's name"},
				{.name = "--to",
					.value = "USER",
					.kind = CTL_STRING,
					.optional = true,
					.text = "who receives; else only the first pass is made"}},
		.run = run_test,
	},
	{.noun = NULL},
};
