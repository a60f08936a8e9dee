/* SPDX-License-Identifier: BSD-3-Clause */
/* Completion (complete.h), and the commands behind it: `patchbayctl completion`. */

#include "controlplane/ctl/complete.h"

#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"

/* Which names stand for an argument of a name. */
struct names {
	const char *argument;
	const char *noun; /* NULL: of any command */
	const char *method;
	const char *list;
	const char *field;
	bool of_hub; /* those of the hub in the first argument */
};

static const struct names all_names[] = {
	{"HUB", NULL, "EnumHub", "HubList", "HubName_str", false},
	{"USER", NULL, "EnumUser", "UserList", "Name_str", true},
	{"GROUP", NULL, "EnumGroup", "GroupList", "Name_str", true},
	{"NAME", "session", "EnumSession", "SessionList", "Name_str", true},
	{"NAME", "bridge", "EnumLocalBridge", "LocalBridgeList", "PatchbayName_str", true},
	{"NAME", "connection", "EnumConnection", "ConnectionList", "Name_str", false},
	{"PORT", "listener", "EnumListener", "ListenerList", "Ports_u32", false},
	{"KEY", "ca", "EnumCa", "CAList", "Key_u32", true},
	{"KEY", "crl", "EnumCrl", "CRLList", "Key_u32", true},
	{"METHOD", NULL, "PatchbayEnumMethod", "MethodList", "Name_str", false},
};

struct finder {
	json_t *found;
	const char *last;
	const struct names *names;
};

static void offer(struct finder *f, const char *text)
{
	json_t *other;
	size_t i;

	if (text == NULL || strncmp(text, f->last, strlen(f->last)) != 0)
		return;
	json_array_foreach (f->found, i, other)
		if (strcmp(json_string_value(other), text) == 0)
			return;
	json_array_append_new(f->found, json_string(text));
}

static void on_name(void *ctx, const char *list, json_t *row)
{
	struct finder *f = ctx;
	const json_t *v = json_object_get(row, f->names->field);
	char number[24];

	if (strcmp(list, f->names->list) != 0)
		return;
	if (json_is_integer(v)) {
		snprintf(number, sizeof(number), "%lld", (long long)json_integer_value(v));
		offer(f, number);
	} else {
		offer(f, json_string_value(v));
	}
}

/* client_call() tells errors on stderr, where nobody wants them while he types. */
static void call_hushed(
	const char *socket_path, const char *method, json_t *params, struct reply *reply)
{
	int kept = dup(STDERR_FILENO);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	if (kept >= 0 && null >= 0)
		dup2(null, STDERR_FILENO);
	client_call(socket_path, method, params, reply, NULL);
	if (kept >= 0 && null >= 0)
		dup2(kept, STDERR_FILENO);
	if (kept >= 0)
		close(kept);
	if (null >= 0)
		close(null);
}

static void offer_names(struct finder *f, const struct ctl_command *c, const char *argument,
	const char *hub, const char *socket_path)
{
	for (size_t i = 0; i < sizeof(all_names) / sizeof(all_names[0]); i++) {
		const struct names *n = &all_names[i];
		struct reply reply = {.row = on_name, .ctx = f};

		if (strcmp(n->argument, argument) != 0 ||
			(n->noun != NULL && strcmp(n->noun, c->noun) != 0) ||
			(n->of_hub && hub == NULL))
			continue;
		f->names = n;
		call_hushed(socket_path, n->method,
			n->of_hub ? json_pack("{s:s}", "HubName_str", hub) : NULL, &reply);
		reply_fini(&reply);
		return;
	}
}

static void offer_options(struct finder *f, const struct ctl_command *c)
{
	for (const struct ctl_argument *o = c == NULL ? NULL : c->options;
		o != NULL && o->name != NULL; o++)
		offer(f, o->name);
	offer(f, "--help");
	offer(f, "--json");
	offer(f, "--socket");
	if (c == NULL)
		offer(f, "--version");
}

static void offer_verbs(struct finder *f, const char *noun)
{
	const struct ctl_command *c;

	for (unsigned i = 0; (c = ctl_command_at(i)) != NULL; i++)
		if (noun == NULL)
			offer(f, c->noun);
		else if (strcmp(c->noun, noun) == 0)
			offer(f, c->verb);
}

/* The option that still waits for its value; NULL: none. */
static const struct ctl_argument *waiting(const struct ctl_command *c, const char *word)
{
	for (const struct ctl_argument *o = c == NULL ? NULL : c->options;
		o != NULL && o->name != NULL; o++)
		if (o->kind != CTL_FLAG && strcmp(o->name, word) == 0)
			return o;
	return NULL;
}

struct typed {
	const char *noun;
	const struct ctl_command *command;
	const char *arguments[CTL_ARGUMENTS_MAX];
	unsigned argument_cnt;
	const struct ctl_argument *option; /* waits for its value */
	bool path;			   /* --socket waits */
};

static void take(struct typed *t, const char *word)
{
	unsigned used;

	if (t->option != NULL || t->path) {
		t->option = NULL;
		t->path = false;
	} else if (word[0] == '-' && word[1] != '\0') {
		t->option = waiting(t->command, word);
		t->path = strcmp(word, "--socket") == 0;
	} else if (t->noun == NULL) {
		t->noun = word;
		t->command = ctl_command_find(word, NULL, &used);
	} else if (t->command == NULL) {
		t->command = ctl_command_find(t->noun, word, &used);
	} else if (t->argument_cnt < CTL_ARGUMENTS_MAX) {
		t->arguments[t->argument_cnt++] = word;
	}
}

json_t *ctl_complete(char *const words[], unsigned cnt, const char *last, const char *socket_path)
{
	struct finder f = {.found = json_array(), .last = last};
	struct typed t = {0};
	const struct ctl_argument *next;

	for (unsigned i = 0; i < cnt; i++)
		take(&t, words[i]);
	next = t.option;
	if (next == NULL && t.command != NULL && t.argument_cnt < CTL_ARGUMENTS_MAX)
		next = &t.command->arguments[t.argument_cnt];
	if (t.path)
		;
	else if (t.option == NULL && last[0] == '-')
		offer_options(&f, t.command);
	else if (t.command == NULL)
		offer_verbs(&f, t.noun);
	else if (next != NULL && next->name != NULL) {
		if (next->kind == CTL_SWITCH) {
			offer(&f, "no");
			offer(&f, "yes");
		} else {
			offer_names(&f, t.command, t.option != NULL ? next->value : next->name,
				t.arguments[0], socket_path);
		}
	}
	return f.found;
}

/* ---- the commands ---------------------------------------------------------------------------- */

static const char bash_script[] =
	"# Completion of patchbayctl for bash: eval \"$(patchbayctl completion bash)\"\n"
	"_patchbayctl()\n"
	"{\n"
	"\tlocal cur words cword\n"
	"\t# = and : part words of bash, but not of ours.\n"
	"\tif declare -F _get_comp_words_by_ref >/dev/null; then\n"
	"\t\t_get_comp_words_by_ref -n =: cur words cword\n"
	"\telse\n"
	"\t\tcur=${COMP_WORDS[COMP_CWORD]} words=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD\n"
	"\tfi\n"
	"\tlocal IFS=$'\\n'\n"
	"\tmapfile -t COMPREPLY < <(\"${words[0]}\" completion words -- \"${words[@]:1:cword}\" 2>/dev/null)\n"
	"\t[ ${#COMPREPLY[@]} -eq 0 ] || mapfile -t COMPREPLY < <(printf '%q\\n' \"${COMPREPLY[@]}\")\n"
	"\tif declare -F __ltrim_colon_completions >/dev/null; then __ltrim_colon_completions \"$cur\"; fi\n"
	"}\n"
	"complete -o default -F _patchbayctl patchbayctl\n";

static int run_bash(struct ctl_run *run)
{
	fputs(bash_script, run->out);
	return CTL_OK;
}

static int run_words(struct ctl_run *run)
{
	unsigned cnt = run->rest_cnt > 0 ? run->rest_cnt - 1 : 0;
	json_t *found = ctl_complete((char *const *)(uintptr_t)run->rest, cnt,
		run->rest_cnt > 0 ? run->rest[cnt] : "", run->socket_path);
	json_t *word;
	size_t i;

	if (run->json) {
		json_dumpf(found, run->out, JSON_COMPACT);
		fputc('\n', run->out);
	} else {
		json_array_foreach (found, i, word)
			fprintf(run->out, "%s\n", json_string_value(word));
	}
	json_decref(found);
	return CTL_OK;
}

const struct ctl_command ctl_completion_commands[] = {
	{
		.noun = "completion",
		.verb = "bash",
		.text = "The completion script of patchbayctl for bash",
		.run = run_bash,
	},
	{
		.noun = "completion",
		.verb = "words",
		.text = "What could stand in place of the last word, for completion scripts",
		.rest = "[WORD]...",
		.rest_text = "the words up to the one that is typed; -- before them",
		.run = run_words,
	},
	{.noun = NULL},
};
