/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory as text (directory.h): strict reading, and writing that any libconfig reads back. */

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/config_reader.h"
#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

#define FILE_VERSION	 1
#define HUB_SESSIONS_MAX 100000

/* ---- reading ----------------------------------------------------------------------------------- */

/* "2026-11-23T05:01:45.123Z", milliseconds optional. False if it is not exactly that. */
static bool time_parse(const char *text, int64_t *out)
{
	struct tm tm = {0};
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	int ms = 0;
	time_t t;

	if (rest == NULL)
		return false;
	if (*rest == '.') {
		for (int i = 1; i <= 3; i++) {
			if (!isdigit((unsigned char)rest[i]))
				return false;
			ms = ms * 10 + rest[i] - '0';
		}
		rest += 4;
	}
	if (strcmp(rest, "Z") != 0)
		return false;
	t = timegm(&tm);
	if (t < 0)
		return false;
	*out = (int64_t)t * 1000 + ms;
	return true;
}

static void read_time(
	struct config_reader *r, const config_setting_t *group, const char *name, int64_t *out)
{
	const char *text = NULL;

	if (config_reader_string(r, group, name, &text) && text != NULL && !time_parse(text, out))
		config_reader_error(r, config_reader_member(group, name),
			"is \"%s\", should be a time such as \"2026-11-23T05:01:45Z\" (UTC)", text);
}

static int read_text(
	struct config_reader *r, const config_setting_t *group, const char *name, char **out)
{
	const config_setting_t *where = config_reader_member(group, name);
	const char *text = NULL;
	char *copy;

	if (!config_reader_string(r, group, name, &text) || text == NULL)
		return 0;
	if (strlen(text) >= DIRECTORY_TEXT_BYTES) {
		config_reader_error(r, where, "has %zu bytes, should have less than %u",
			strlen(text), DIRECTORY_TEXT_BYTES);
		return 0;
	}
	if (!directory_text_ok(text, true)) {
		config_reader_error(r, where, "should be UTF-8 without control characters");
		return 0;
	}
	copy = strdup(text);
	if (copy == NULL)
		return -ENOMEM;
	free(*out);
	*out = copy;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool directory_hash_parse(const char *text, uint8_t out[DIRECTORY_HASH_BYTES])
{
	if (strlen(text) != 2 * DIRECTORY_HASH_BYTES)
		return false;
	for (unsigned i = 0; i < DIRECTORY_HASH_BYTES; i++) {
		int hi = hex_digit(text[2 * i]), lo = hex_digit(text[2 * i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

/* Values of secrets never stand in a message. */
static void read_auth(
	struct config_reader *r, const config_setting_t *group, struct directory_user *user)
{
	const char *auth = NULL, *hash = NULL, *password = NULL;
	/* Each is read, and reported, also behind a wrong one. */
	bool typed = config_reader_string(r, group, "auth", &auth);

	typed = config_reader_string(r, group, "password_hash", &hash) && typed;
	typed = config_reader_string(r, group, "password", &password) && typed;

	if (config_reader_member(group, "auth") == NULL)
		config_reader_error(
			r, group, "auth is missing, should be \"password\" or \"anonymous\"");
	if (!typed || auth == NULL)
		return;
	if (strcmp(auth, "anonymous") == 0) {
		user->auth = DIRECTORY_AUTH_ANONYMOUS;
		if (hash != NULL || password != NULL)
			config_reader_error(r, config_reader_member(group, "auth"),
				"is \"anonymous\", which has no password: leave out the one or the other");
		return;
	}
	if (strcmp(auth, "password") != 0) {
		config_reader_error(r, config_reader_member(group, "auth"),
			"is \"%s\", should be \"password\" or \"anonymous\"", auth);
		return;
	}
	if ((hash == NULL) == (password == NULL)) {
		config_reader_error(r, group, "should have either password_hash or password");
		return;
	}
	if (password != NULL) {
		int64_t updated_ms = user->updated_ms;

		if (strlen(password) >= DIRECTORY_NAME_BYTES)
			config_reader_error(r, config_reader_member(group, "password"),
				"has %zu bytes, should have at most 255", strlen(password));
		directory_user_set_password(user, password);
		user->updated_ms = updated_ms;
		return;
	}
	user->auth = DIRECTORY_AUTH_PASSWORD;
	if (!directory_hash_parse(hash, user->hashed_password))
		config_reader_error(r, config_reader_member(group, "password_hash"),
			"should be 40 hexadecimal digits");
}

/* The name of a list element; NULL after reporting. */
static const char *read_name(struct config_reader *r, const config_setting_t *group,
	const char *(*wrong)(const char *name))
{
	const char *name = NULL, *what;

	if (config_reader_member(group, "name") == NULL) {
		config_reader_error(r, group, "name is missing");
		return NULL;
	}
	if (!config_reader_string(r, group, "name", &name))
		return NULL;
	what = wrong(name);
	if (what == NULL)
		return name;
	config_reader_error(r, config_reader_member(group, "name"), "is \"%s\", %s", name, what);
	return NULL;
}

static int read_user_fields(
	struct config_reader *r, const config_setting_t *group, struct directory_user *user)
{
	int rc;

	read_time(r, group, "created", &user->created_ms);
	user->updated_ms = user->created_ms;
	read_time(r, group, "updated", &user->updated_ms);
	read_time(r, group, "expires", &user->expires_ms);
	read_auth(r, group, user);
	rc = read_text(r, group, "real_name", &user->real_name);
	return rc < 0 ? rc : read_text(r, group, "note", &user->note);
}

static int read_hub_fields(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub);

/*
 * An element whose name is wrong is read all the same, into something that is thrown away, so that what
 * else is wrong with it is told in the same run.
 */
static int read_nameless(struct config_reader *r, const config_setting_t *group, bool is_hub)
{
	struct directory scrap;
	struct directory_hub *hub;
	struct directory_user *user;
	int rc;

	directory_init(&scrap);
	rc = directory_add_hub(&scrap, "scrap", &hub);
	if (rc == 0 && is_hub) {
		rc = read_hub_fields(r, group, hub);
	} else if (rc == 0) {
		rc = directory_user_create(hub, "scrap", &user);
		if (rc == 0)
			rc = read_user_fields(r, group, user);
	}
	directory_free(&scrap);
	return rc;
}

static int read_user(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub)
{
	static const char *const names[] = {"name", "auth", "password_hash", "password", "created",
		"updated", "expires", "real_name", "note", NULL};
	struct directory_user *user;
	const char *name;
	int rc;

	if (!config_setting_is_group(group)) {
		config_reader_error(r, group, "should be a group such as { name = \"vpn\"; ... }");
		return 0;
	}
	config_reader_known(r, group, names);
	name = read_name(r, group, directory_user_name_wrong);
	if (name == NULL)
		return read_nameless(r, group, false);
	if (strcmp(name, "*") == 0) {
		config_reader_error(r, config_reader_member(group, "name"),
			"is \"*\", which only external authentication may use, should be another");
		return read_nameless(r, group, false);
	}
	rc = directory_user_create(hub, name, &user);
	if (rc == -EEXIST) {
		config_reader_error(r, config_reader_member(group, "name"),
			"is \"%s\", which an earlier user of this hub has already (capitals do not count)",
			name);
		return read_nameless(r, group, false);
	}
	return rc < 0 ? rc : read_user_fields(r, group, user);
}

static int read_users(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub)
{
	const config_setting_t *users = config_reader_list(r, group, "users");
	int rc = 0;

	if (users == NULL)
		return 0;
	if (config_setting_length(users) > (int)DIRECTORY_USERS_MAX) {
		config_reader_error(r, users, "has %d users, should have at most %u",
			config_setting_length(users), DIRECTORY_USERS_MAX);
		return 0;
	}
	for (int i = 0; i < config_setting_length(users) && rc == 0; i++)
		rc = read_user(r, config_setting_get_elem(users, (unsigned)i), hub);
	return rc;
}

static int read_hub_fields(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub)
{
	int64_t number;

	config_reader_bool(r, group, "online", &hub->online);
	config_reader_bool(r, group, "no_enum", &hub->no_enum);
	config_reader_bool(r, group, "require_encryption", &hub->require_encryption);
	number = hub->max_sessions;
	config_reader_int(r, group, "max_sessions", 0, HUB_SESSIONS_MAX, &number);
	hub->max_sessions = (uint32_t)number;
	number = hub->max_macs;
	config_reader_int(r, group, "max_macs", DIRECTORY_MACS_MIN, DIRECTORY_MACS_MAX, &number);
	hub->max_macs = (uint32_t)number;
	directory_admin_read(r, group, true, &hub->admin);
	read_time(r, group, "created", &hub->created_ms);
	return read_users(r, group, hub);
}

static int read_hub(struct config_reader *r, const config_setting_t *group, struct directory *d)
{
	static const char *const names[] = {"name", "online", "max_sessions", "max_macs", "no_enum",
		"require_encryption", "admin_password", "admin_password_hash", "admin_vpn_hash",
		"created", "users", NULL};
	struct directory_hub *hub;
	const char *name;
	int rc;

	if (!config_setting_is_group(group)) {
		config_reader_error(
			r, group, "should be a group such as { name = \"DEFAULT\"; ... }");
		return 0;
	}
	config_reader_known(r, group, names);
	name = read_name(r, group, directory_hub_name_wrong);
	if (name == NULL)
		return read_nameless(r, group, true);
	rc = directory_add_hub(d, name, &hub);
	if (rc == -EEXIST) {
		config_reader_error(r, config_reader_member(group, "name"),
			"is \"%s\", which an earlier hub has already (capitals do not count)",
			name);
		return read_nameless(r, group, true);
	}
	return rc < 0 ? rc : read_hub_fields(r, group, hub);
}

static int read_directory(
	struct config_reader *r, const config_setting_t *root, struct directory *d)
{
	static const char *const names[] = {"version", "hubs", "bridges", "admin_password",
		"admin_password_hash", "listeners", NULL};
	const config_setting_t *hubs;
	int64_t version = FILE_VERSION;
	int rc = 0;

	config_reader_known(r, root, names);
	config_reader_int(r, root, "version", FILE_VERSION, FILE_VERSION, &version);
	directory_admin_read(r, root, false, &d->admin);
	directory_listeners_read(r, root, d);
	/* A file cut to nothing parses as an empty one: it must not pass for a directory. */
	if (config_reader_member(root, "hubs") == NULL)
		config_reader_error(r, NULL, "hubs is missing, should be a list ( )");
	hubs = config_reader_list(r, root, "hubs");
	if (hubs == NULL)
		return 0;
	if (config_setting_length(hubs) > (int)DIRECTORY_HUBS_MAX) {
		config_reader_error(r, hubs, "has %d hubs, should have at most %u",
			config_setting_length(hubs), DIRECTORY_HUBS_MAX);
		return 0;
	}
	for (int i = 0; i < config_setting_length(hubs) && rc == 0; i++)
		rc = read_hub(r, config_setting_get_elem(hubs, (unsigned)i), d);
	return rc == 0 ? directory_bridges_read(r, root, d) : rc;
}

int directory_load(const char *path, void (*report)(void *ctx, const char *line), void *ctx)
{
	struct config_reader r = {.path = path, .report = report, .ctx = ctx};
	struct directory fresh;
	config_t cfg;
	int rc = 0;

	directory_init(&fresh);
	if (config_reader_parse(&r, &cfg))
		rc = read_directory(&r, config_root_setting(&cfg), &fresh);
	config_destroy(&cfg);
	if (rc < 0)
		config_reader_error(&r, NULL, "%s", strerror(-rc));
	if (r.errors > 0) {
		directory_free(&fresh);
		return rc < 0 ? rc : -EINVAL;
	}
	directory_free(&directory_now);
	directory_now = fresh;
	/* A tail queue's head is pointed at by its first element. */
	TAILQ_INIT(&directory_now.hubs);
	TAILQ_CONCAT(&directory_now.hubs, &fresh.hubs, entry);
	TAILQ_INIT(&directory_now.bridges);
	TAILQ_CONCAT(&directory_now.bridges, &fresh.bridges, entry);
	return 0;
}

/* ---- writing ----------------------------------------------------------------------------------- */

void directory_put_string(FILE *f, const char *text)
{
	fputc('"', f);
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '"' || c == '\\')
			fprintf(f, "\\%c", c);
		else if (c == '\n')
			fputs("\\n", f);
		else if (c == '\t')
			fputs("\\t", f);
		else if (c < 0x20 || c == 0x7f)
			fprintf(f, "\\x%02x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

static void put_time(FILE *f, const char *indent, const char *name, int64_t ms)
{
	time_t t = (time_t)(ms / 1000);
	char text[40];
	struct tm tm;

	if (ms == 0)
		return;
	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	fprintf(f, "%s%s = \"%s.%03dZ\";\n", indent, name, text, (int)(ms % 1000));
}

static void put_user(FILE *f, const struct directory_user *user)
{
	static const char indent[] = "\t\t\t\t";

	fprintf(f, "\t\t\t{\n%sname = ", indent);
	directory_put_string(f, user->name);
	fputs(";\n", f);
	if (user->auth == DIRECTORY_AUTH_PASSWORD) {
		fprintf(f, "%sauth = \"password\";\n%spassword_hash = \"", indent, indent);
		for (unsigned i = 0; i < DIRECTORY_HASH_BYTES; i++)
			fprintf(f, "%02x", user->hashed_password[i]);
		fputs("\";\n", f);
	} else {
		fprintf(f, "%sauth = \"anonymous\";\n", indent);
	}
	put_time(f, indent, "created", user->created_ms);
	put_time(f, indent, "updated", user->updated_ms);
	put_time(f, indent, "expires", user->expires_ms);
	if (user->real_name[0] != '\0') {
		fprintf(f, "%sreal_name = ", indent);
		directory_put_string(f, user->real_name);
		fputs(";\n", f);
	}
	if (user->note[0] != '\0') {
		fprintf(f, "%snote = ", indent);
		directory_put_string(f, user->note);
		fputs(";\n", f);
	}
	fputs("\t\t\t}", f);
}

static void put_hub(FILE *f, const struct directory_hub *hub)
{
	const struct directory_user *user;
	const char *separator = "\n";

	fputs("\t{\n\t\tname = ", f);
	directory_put_string(f, hub->name);
	fprintf(f, ";\n\t\tonline = %s;\n\t\tno_enum = %s;\n\t\trequire_encryption = %s;\n",
		hub->online ? "true" : "false", hub->no_enum ? "true" : "false",
		hub->require_encryption ? "true" : "false");
	fprintf(f, "\t\tmax_sessions = %" PRIu32 ";\n\t\tmax_macs = %" PRIu32 ";\n",
		hub->max_sessions, hub->max_macs);
	directory_admin_write(f, "\t\t", true, &hub->admin);
	put_time(f, "\t\t", "created", hub->created_ms);
	fputs("\t\tusers = (", f);
	TAILQ_FOREACH (user, &hub->users, entry) {
		fputs(separator, f);
		put_user(f, user);
		separator = ",\n";
	}
	fputs("\n\t\t);\n\t}", f);
}

char *directory_serialise(size_t *size)
{
	const struct directory_hub *hub;
	const char *separator = "\n";
	char *text = NULL;
	FILE *f = open_memstream(&text, size);
	bool failed;

	if (f == NULL) {
		errno = ENOMEM;
		return NULL;
	}
	fprintf(f,
		"# Hubs and users of Patchbay: see directory.cfg(5). Written by patchbayd;\n"
		"# edit it only while the daemon is stopped, then try `patchbayd --check`.\n"
		"version = %d;\n\n",
		FILE_VERSION);
	directory_admin_write(f, "", false, directory_server_admin());
	fputs("hubs = (", f);
	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		fputs(separator, f);
		put_hub(f, hub);
		separator = ",\n";
	}
	fputs("\n);\n", f);
	directory_bridges_write(f);
	directory_listeners_write(f);
	failed = ferror(f) != 0;
	if (fclose(f) != 0 || failed) {
		free(text);
		errno = ENOMEM;
		return NULL;
	}
	return text;
}
