/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl log`: what is logged of a hub, when files are changed, and the files themselves. */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/admin/base64.h"
#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/show.h"

#define FOLLOW_US 300000
#define PATH_MAX_ 400u

/* In the order of PacketLogConfig. */
static const char *const kinds[] = {
	"tcp_connections", "tcp", "dhcp", "udp", "icmp", "ip", "arp", "ethernet"};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))
static const char *const hows[] = {"off", "header", "full"};
static const char *const cycles[] = {"none", "second", "minute", "hour", "day", "month"};
#define CYCLES (sizeof(cycles) / sizeof(cycles[0]))

static int find_word(const char *const *words, unsigned cnt, const char *word)
{
	for (unsigned i = 0; i < cnt; i++) {
		if (strcmp(words[i], word) == 0)
			return (int)i;
	}
	return -1;
}

/* ---- kinds, set, rotation ---------------------------------------------------------------------- */

struct log_view {
	unsigned config[16], n;
};

static void on_kind(void *ctx, const char *list, json_t *row)
{
	struct log_view *v = ctx;

	if (strcmp(list, "PacketLogConfigList") == 0 && v->n < 16)
		v->config[v->n++] = (unsigned)show_number(row, "PacketLogConfig_u32");
}

/* The hub's settings; the reply's document holds those that are no list. */
static int log_get(const struct ctl_run *run, struct log_view *v, struct reply *reply)
{
	*v = (struct log_view){0};
	*reply = (struct reply){.row = on_kind, .ctx = v};
	return client_call(run->socket_path, "GetHubLog",
		json_pack("{s:s}", "HubName_str", run->arguments[0]), reply, NULL);
}

static const char *cycle_of(const json_t *r, const char *field)
{
	uint64_t n = show_number(r, field);

	return n < CYCLES ? cycles[n] : "?";
}

static int run_kinds(struct ctl_run *run)
{
	struct log_view v;
	struct reply reply;
	struct table *t;
	json_t *r;
	int rc;

	if (run->json)
		return ctl_run_general(run);
	rc = log_get(run, &v, &reply);
	if (rc == CTL_OK) {
		r = client_result(&reply);
		show_line(run->out, "security log",
			json_is_true(json_object_get(r, "SaveSecurityLog_bool")) ? "on" : "off");
		show_line(run->out, "packet log",
			json_is_true(json_object_get(r, "SavePacketLog_bool")) ? "on" : "off");
		fputc('\n', run->out);
		t = table_new(run->out);
		if (t != NULL) {
			table_column(t, "PACKET LOG TAKES", false);
			table_column(t, "HOW", false);
			for (unsigned i = 0; i < KINDS && i < v.n; i++) {
				table_cell(t, kinds[i]);
				table_cell(t, v.config[i] < 3 ? hows[v.config[i]] : "?");
				table_row_end(t);
			}
			table_end(t);
		}
	}
	reply_fini(&reply);
	return rc;
}

static bool take_yes_no(json_t *params, const char *field, const char *name, const char *text)
{
	json_t *value;

	if (text == NULL)
		return true;
	value = ctl_value(CTL_SWITCH, name, text);
	return value != NULL && json_object_set_new(params, field, value) == 0;
}

/* KIND=HOW words into the list as it is to be. */
static bool take_kinds(const struct ctl_run *run, struct log_view *v)
{
	const char *text;
	char key[64];
	int how;

	for (unsigned i = 0; i < run->rest_cnt; i++) {
		int kind;

		if (!ctl_key_value(run->rest[i], key, &text))
			return false;
		kind = find_word(kinds, KINDS, key);
		how = find_word(hows, 3, text);
		if ((kind < 0 && strcmp(key, "all") != 0) || how < 0) {
			fprintf(stderr,
				"patchbayctl: \"%s\": should be KIND=off, header or full, KIND one of "
				"tcp_connections, tcp, dhcp, udp, icmp, ip, arp, ethernet, all\n",
				run->rest[i]);
			return false;
		}
		for (unsigned k = 0; k < KINDS; k++) {
			if (kind < 0 || k == (unsigned)kind)
				v->config[k] = (unsigned)how;
		}
	}
	return true;
}

static int run_set(struct ctl_run *run)
{
	json_t *params = json_pack("{s:s}", "HubName_str", run->arguments[0]), *list;
	struct log_view v;
	struct reply reply;
	int rc;

	if (!take_yes_no(params, "SaveSecurityLog_bool", "--security", run->options[0]) ||
		!take_yes_no(params, "SavePacketLog_bool", "--packet", run->options[1])) {
		json_decref(params);
		return CTL_USAGE;
	}
	if (run->rest_cnt == 0)
		return ctl_call_and_tell(run, "SetHubLog", params);
	rc = log_get(run, &v, &reply);
	reply_fini(&reply);
	if (rc == CTL_OK && !take_kinds(run, &v))
		rc = CTL_USAGE;
	if (rc != CTL_OK) {
		json_decref(params);
		return rc;
	}
	list = json_array();
	for (unsigned i = 0; i < 16; i++)
		json_array_append_new(list, json_pack("{s:i}", "PacketLogConfig_u32", v.config[i]));
	json_object_set_new(params, "PacketLogConfigList", list);
	return ctl_call_and_tell(run, "SetHubLog", params);
}

static bool take_cycle(json_t *params, const char *field, const char *name, const char *text)
{
	int cycle = text == NULL ? 0 : find_word(cycles, CYCLES, text);

	if (cycle < 0) {
		fprintf(stderr,
			"patchbayctl: %s \"%s\": should be none, second, minute, hour, day or month\n",
			name, text);
		return false;
	}
	return text == NULL || json_object_set_new(params, field, json_integer(cycle)) == 0;
}

static int run_rotation(struct ctl_run *run)
{
	json_t *params;
	struct log_view v;
	struct reply reply;
	int rc;

	if (run->options[0] == NULL && run->options[1] == NULL) {
		if (run->json) {
			params = json_pack("{s:s}", "HubName_str", run->arguments[0]);
			return ctl_call_and_tell(run, "GetHubLog", params);
		}
		rc = log_get(run, &v, &reply);
		if (rc == CTL_OK) {
			json_t *r = client_result(&reply);

			show_line(
				run->out, "security log", cycle_of(r, "SecurityLogSwitchType_u32"));
			show_line(run->out, "packet log", cycle_of(r, "PacketLogSwitchType_u32"));
		}
		reply_fini(&reply);
		return rc;
	}
	params = json_pack("{s:s}", "HubName_str", run->arguments[0]);
	if (!take_cycle(params, "SecurityLogSwitchType_u32", "--security", run->options[0]) ||
		!take_cycle(params, "PacketLogSwitchType_u32", "--packet", run->options[1])) {
		json_decref(params);
		return CTL_USAGE;
	}
	return ctl_call_and_tell(run, "SetHubLog", params);
}

/* The daemon's word for a file that is not there. */
#define ERROR_OBJECT_NOT_FOUND 29

/* ---- get, follow ------------------------------------------------------------------------------- */

/* server, security HUB, packet HUB, or a path from `log list`. */
static bool path_of(const struct ctl_run *run, char path[PATH_MAX_])
{
	const char *log = run->arguments[0], *hub = run->arguments[1];

	if (strchr(log, '/') != NULL && hub == NULL)
		snprintf(path, PATH_MAX_, "%s", log);
	else if (strcmp(log, "server") == 0 && hub == NULL)
		snprintf(path, PATH_MAX_, "server_log/vpn.log");
	else if (strcmp(log, "security") == 0 && hub != NULL)
		snprintf(path, PATH_MAX_, "security_log/%s/sec.log", hub);
	else if (strcmp(log, "packet") == 0 && hub != NULL)
		snprintf(path, PATH_MAX_, "packet_log/%s/pkt.log", hub);
	else
		return false;
	return true;
}

/* Bytes as they come; with --json each line as an object. */
struct printer {
	const struct ctl_run *run;
	char *line;
	size_t n, room;
};

static void print_line(struct printer *p)
{
	json_t *o;

	while (p->n > 0 && (p->line[p->n - 1] == '\n' || p->line[p->n - 1] == '\r'))
		p->n--;
	o = json_object();
	json_object_set_new(o, "line", json_stringn(p->line, p->n));
	json_dumpf(o, p->run->out, JSON_COMPACT);
	fputc('\n', p->run->out);
	json_decref(o);
	p->n = 0;
}

static void print(struct printer *p, const uint8_t *bytes, size_t n)
{
	if (!p->run->json) {
		fwrite(bytes, 1, n, p->run->out);
		fflush(p->run->out);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (p->n == p->room) {
			size_t room = p->room == 0 ? 4096 : 2 * p->room;
			char *line = realloc(p->line, room);

			if (line == NULL)
				return;
			p->line = line;
			p->room = room;
		}
		p->line[p->n++] = (char)bytes[i];
		if (bytes[i] == '\n')
			print_line(p);
	}
	fflush(p->run->out);
}

struct place {
	char path[PATH_MAX_];
	uint64_t id; /* of the file; 0: not known yet */
	uint64_t offset, size;
};

/*
 * A piece from where we are: bytes in *n. `id`, `size`: of what has that name now. Exit status, or CTL_ABSENT if there
 * is none and `may_be_absent`.
 */
static int read_piece_if_any(
	struct printer *p, struct place *at, uint64_t *id, size_t *n, bool may_be_absent)
{
	struct reply reply = {0};
	json_t *r;
	const char *text;
	uint8_t *bytes;
	long got;
	int rc = client_call_unless(p->run->socket_path, "ReadLogFile",
		json_pack("{s:s, s:I}", "FilePath_str", at->path, "PatchbayOffset_u64",
			(json_int_t)at->offset),
		&reply, may_be_absent ? ERROR_OBJECT_NOT_FOUND : 0,
		"`patchbayctl log list` shows what there is.");

	*n = 0;
	if (rc == CTL_OK) {
		r = client_result(&reply);
		*id = show_number(r, "PatchbayFileId_u64");
		at->size = show_number(r, "PatchbayFileSize_u64");
		text = json_string_value(json_object_get(r, "Buffer_bin"));
		bytes = text == NULL || (at->id != 0 && *id != at->id) ? NULL
								       : malloc(strlen(text) + 1);
		got = bytes == NULL ? 0 : base64_decode(text, strlen(text), bytes);
		if (got > 0) {
			print(p, bytes, (size_t)got);
			at->offset += (uint64_t)got;
			*n = (size_t)got;
		}
		free(bytes);
	}
	reply_fini(&reply);
	return rc;
}

static int read_piece(struct printer *p, struct place *at, uint64_t *id, size_t *n)
{
	return read_piece_if_any(p, at, id, n, false);
}

/* Everything from where we are to the end. */
static int read_rest(struct printer *p, struct place *at)
{
	uint64_t id;
	size_t n;
	int rc;

	do {
		rc = read_piece(p, at, &id, &n);
		if (rc == CTL_OK && at->id == 0)
			at->id = id;
	} while (rc == CTL_OK && n > 0);
	return rc;
}

static int run_get(struct ctl_run *run)
{
	struct printer p = {.run = run};
	struct place at = {.offset = 0};
	int rc;

	if (!path_of(run, at.path)) {
		fprintf(stderr,
			"patchbayctl: which log? server, security HUB, packet HUB, or a path from "
			"`patchbayctl log list`\n");
		return CTL_USAGE;
	}
	rc = read_rest(&p, &at);
	if (p.n > 0)
		print_line(&p);
	free(p.line);
	return rc;
}

/* ---- follow across changes of the file ---------------------------------------------------------- */

struct file {
	uint64_t id;
	char changed[32]; /* as in JSON: in order as text */
	char path[PATH_MAX_];
};

struct files {
	char stem[PATH_MAX_]; /* path of the log without ".log" */
	struct file *file;
	size_t n, room;
};

/* A file of this log that was put aside, or the one that is written. */
static void on_file(void *ctx, const char *list, json_t *row)
{
	struct files *fs = ctx;
	const char *path = json_string_value(json_object_get(row, "FilePath_str"));
	const char *changed = json_string_value(json_object_get(row, "UpdatedTime_dt"));

	if (strcmp(list, "LogFiles") != 0 || path == NULL || changed == NULL ||
		strncmp(path, fs->stem, strlen(fs->stem)) != 0)
		return;
	if (fs->n == fs->room) {
		size_t room = fs->room == 0 ? 64 : 2 * fs->room;
		struct file *file = realloc(fs->file, room * sizeof(*file));

		if (file == NULL)
			return;
		fs->file = file;
		fs->room = room;
	}
	fs->file[fs->n].id = show_number(row, "PatchbayFileId_u64");
	snprintf(fs->file[fs->n].changed, sizeof(fs->file[fs->n].changed), "%s", changed);
	snprintf(fs->file[fs->n].path, sizeof(fs->file[fs->n].path), "%s", path);
	fs->n++;
}

static int by_time(const void *a, const void *b)
{
	const struct file *x = a, *y = b;
	int rc = strcmp(x->changed, y->changed);

	return rc != 0 ? rc : strcmp(x->path, y->path);
}

/* Every file of the log at `at`, the oldest first. Exit status; files_free() in any case. */
static int files_list(struct printer *p, const struct place *at, struct files *fs)
{
	struct reply reply = {.row = on_file, .ctx = fs};
	int rc;

	memset(fs, 0, sizeof(*fs));
	snprintf(fs->stem, sizeof(fs->stem), "%s", at->path);
	fs->stem[strlen(fs->stem) - 4] = '\0';
	rc = client_call(p->run->socket_path, "EnumLogFile", json_object(), &reply, NULL);
	if (rc == CTL_OK && fs->n > 0)
		qsort(fs->file, fs->n, sizeof(*fs->file), by_time);
	reply_fini(&reply);
	return rc;
}

static bool files_has(const struct files *fs, uint64_t id)
{
	for (size_t i = 0; i < fs->n; i++)
		if (fs->file[i].id == id)
			return true;
	return false;
}

/*
 * The file that we read was put aside, and perhaps more after it: what came last stands there. Then *at is at the
 * begin of the one that is written now. `known`: we have read none yet, and all but these are to be read.
 */
static int catch_up(struct printer *p, struct place *at, const struct files *known)
{
	bool found = known != NULL;
	struct files fs;
	int rc = files_list(p, at, &fs);

	for (size_t i = 0; rc == CTL_OK && i < fs.n; i++) {
		struct place old = {.id = fs.file[i].id};

		if (strcmp(fs.file[i].path, at->path) == 0 ||
			(known != NULL && files_has(known, old.id)))
			continue;
		if (old.id == at->id) {
			found = true;
			old.offset = at->offset;
		} else if (!found) {
			continue;
		}
		snprintf(old.path, sizeof(old.path), "%s", fs.file[i].path);
		rc = read_rest(p, &old);
		/* It may still have the stable name as well. */
		if (old.id == at->id)
			at->offset = old.offset;
	}
	for (size_t i = 0; i < fs.n; i++) {
		if (strcmp(fs.file[i].path, at->path) == 0) {
			/* The same still, if it was changed back: then go on. */
			at->offset = fs.file[i].id == at->id ? at->offset : 0;
			at->id = fs.file[i].id;
		}
	}
	free(fs.file);
	return rc;
}

/* A log that has no line yet has no file: waits for it. All that comes then is new. */
static int await_first(struct printer *p, struct place *at)
{
	struct files known;
	uint64_t id;
	size_t n;
	int rc = files_list(p, at, &known);

	at->offset = UINT32_MAX * (uint64_t)1024;
	while (rc == CTL_OK && (rc = read_piece_if_any(p, at, &id, &n, true)) == CTL_ABSENT) {
		rc = CTL_OK;
		usleep(FOLLOW_US);
	}
	at->offset = 0;
	if (rc == CTL_OK)
		rc = catch_up(p, at, &known);
	free(known.file);
	return rc;
}

static int run_follow(struct ctl_run *run)
{
	struct printer p = {.run = run};
	struct place at = {.offset = 0};
	uint64_t id = 0;
	size_t n;
	int rc;

	if (!path_of(run, at.path) || strlen(at.path) < 5) {
		fprintf(stderr, "patchbayctl: which log? server, security HUB, packet HUB\n");
		return CTL_USAGE;
	}
	/* From its end on; the first answer tells where that is. */
	at.offset = UINT32_MAX * (uint64_t)1024;
	rc = read_piece_if_any(&p, &at, &id, &n, true);
	if (rc == CTL_ABSENT) {
		rc = await_first(&p, &at);
	} else {
		at.offset = run->options[0] != NULL ? 0 : at.size;
		at.id = id;
	}
	while (rc == CTL_OK && !ferror(run->out)) {
		rc = read_piece(&p, &at, &id, &n);
		if (rc == CTL_OK && id != at.id) {
			rc = catch_up(&p, &at, NULL);
		} else if (n == 0) {
			usleep(FOLLOW_US);
		}
	}
	free(p.line);
	return rc;
}

/* ---- commands ---------------------------------------------------------------------------------- */

static const struct ctl_column file_columns[] = {
	{"FILE", "FilePath_str", CTL_TEXT, "path below the log folder"},
	{"BYTES", "PatchbayFileSize_u64", CTL_NUMBER, "how long it is"},
	{"CHANGED", "UpdatedTime_dt", CTL_TIME, "last line"},
	{.title = NULL},
};

static const struct ctl_column status_columns[] = {
	{"folder", "Folder_str", CTL_TEXT, "where the logs are"},
	{"format", "Format_str", CTL_TEXT, "text or json"},
	{"lines written", "Written_u64", CTL_NUMBER, "to disk, since start"},
	{"lines sent", "Sent_u64", CTL_NUMBER, "to the syslog server"},
	{"lost, no room", "LostRing_u64", CTL_NUMBER,
		"events that came faster than they are written"},
	{"lost, disk", "LostDisk_u64", CTL_NUMBER, "that the disk did not take"},
	{"lost, syslog", "LostSyslog_u64", CTL_NUMBER, "that the syslog server did not take"},
	{"frames not logged", "Unlogged_u64", CTL_NUMBER,
		"that came faster than lines are written"},
	{"notices lost", "NoticesLost_u64", CTL_NUMBER,
		"stations and broken rules nobody was told of: too many in a second"},
	{"lines held back", "NoticesHeld_u64", CTL_NUMBER,
		"about such: too many of a kind in a hub"},
	{"files removed", "Removed_u64", CTL_NUMBER, "because the disk was full"},
	{.title = NULL},
};

#define CTL_LOG                                                                             \
	CTL_ARGUMENT("LOG", NULL,                                                           \
		"server, security or packet, or a path that `patchbayctl log list` shows"), \
	{                                                                                   \
		.name = "HUB", .kind = CTL_STRING, .optional = true, .text = "of this hub"  \
	}

const struct ctl_command ctl_log_commands[] = {
	{
		.noun = "log",
		.verb = "status",
		.text = "Where the logs are, how many lines were written and how many lost",
		.method = "PatchbayGetLogStatus",
		.columns = status_columns,
	},
	{
		.noun = "log",
		.verb = "kinds",
		.text = "What is logged of a hub",
		.method = "GetHubLog",
		.arguments = {CTL_HUB},
		.run = run_kinds,
	},
	{
		.noun = "log",
		.verb = "set",
		.text = "Set what is logged of a hub; in force at once",
		.method = "SetHubLog",
		.arguments = {CTL_HUB},
		.options = {{.name = "--security",
				    .value = "yes|no",
				    .kind = CTL_SWITCH,
				    .text = "write the security log"},
			{.name = "--packet",
				.value = "yes|no",
				.kind = CTL_SWITCH,
				.text = "write the packet log"}},
		.rest = "[KIND=HOW]...",
		.rest_text =
			"frames for the packet log: tcp_connections, tcp, dhcp, udp, icmp, ip, arp, "
			"ethernet or all; off, header or full",
		.done = "log set",
		.run = run_set,
	},
	{
		.noun = "log",
		.verb = "rotation",
		.text = "Show or set when new log files of a hub are begun",
		.method = "SetHubLog",
		.arguments = {CTL_HUB},
		.options = {{.name = "--security",
				    .value = "CYCLE",
				    .kind = CTL_STRING,
				    .text = "none, second, minute, hour, day or month"},
			{.name = "--packet",
				.value = "CYCLE",
				.kind = CTL_STRING,
				.text = "the same for the packet log"}},
		.done = "rotation set",
		.run = run_rotation,
	},
	{
		.noun = "log",
		.verb = "list",
		.text = "The log files",
		.method = "EnumLogFile",
		.list = "LogFiles",
		.columns = file_columns,
	},
	{
		.noun = "log",
		.verb = "get",
		.text = "Print a log file",
		.method = "ReadLogFile",
		.arguments = {CTL_LOG},
		.run = run_get,
	},
	{
		.noun = "log",
		.verb = "follow",
		.text = "Print lines of a log as they come, across changes of the file",
		.method = "ReadLogFile",
		.arguments = {CTL_LOG},
		.options = {{.name = "--all",
			.kind = CTL_FLAG,
			.text = "begin with what is in the file"}},
		.run = run_follow,
	},
	{.noun = NULL},
};
