/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * patchbay.cfg (config.h). One table holds every key with its type, range and default; the reader, the
 * sample file, the man page and their test follow it. Only listeners and lcores.cpus need code of their own.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/config.h"
#include "controlplane/config_reader.h"
#include "controlplane/log.h"
#include "controlplane/logs/logs.h"
#include "dataplane/fdb.h"
#include "dataplane/packet_log.h"
#include "drivers/session/session_udp.h"
#include "drivers/session/staging.h"
#include "drivers/session/wire/welcome.h"

#define STATE_DIR_DEFAULT "/var/lib/patchbay"

enum key_type {
	KEY_UINT,
	KEY_UINT_POWER2,
	KEY_UINT64,
	KEY_BOOL,
	KEY_STRING,
	KEY_CHOICE, /* one of a list of words; an int in struct config */
	KEY_CPUS,
	KEY_LISTENERS,
};

struct key {
	const char *group;
	const char *name;
	enum key_type type;
	size_t offset; /* in struct config */
	int64_t min;
	int64_t max;
	int64_t value;		    /* default of numbers, booleans, choices */
	const char *text;	    /* default of strings */
	const char *const *choices; /* NULL-terminated, index = value */
};

static const char *const poll_choices[] = {
	[LCORE_POLL_ADAPTIVE] = "adaptive",
	[LCORE_POLL_ALWAYS] = "always",
	NULL,
};
static const char *const level_choices[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_NOTICE] = "notice",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
	NULL,
};

static const char *const format_choices[] = {"text", "json", NULL};
static const char *const rotation_choices[] = {
	[LOG_SWITCH_NONE] = "none",
	[LOG_SWITCH_SECOND] = "second",
	[LOG_SWITCH_MINUTE] = "minute",
	[LOG_SWITCH_HOUR] = "hour",
	[LOG_SWITCH_DAY] = "day",
	[LOG_SWITCH_MONTH] = "month",
	NULL,
};
static const char *const syslog_choices[] = {
	[LOGS_SYSLOG_OFF] = "off",
	[LOGS_SYSLOG_SERVER] = "server",
	[LOGS_SYSLOG_SECURITY] = "security",
	[LOGS_SYSLOG_PACKET] = "packet",
	NULL,
};

#define AT(field) offsetof(struct config, field)
#define UINT(group, name, field, min, max, value)                             \
	{                                                                     \
		group, name, KEY_UINT, AT(field), min, max, value, NULL, NULL \
	}
#define UINT64(group, name, field, min, max, value)                             \
	{                                                                       \
		group, name, KEY_UINT64, AT(field), min, max, value, NULL, NULL \
	}
#define STRING(group, name, field, text)                                \
	{                                                               \
		group, name, KEY_STRING, AT(field), 0, 0, 0, text, NULL \
	}
#define BOOL(group, name, field, value)                                   \
	{                                                                 \
		group, name, KEY_BOOL, AT(field), 0, 1, value, NULL, NULL \
	}
#define CHOICE(group, name, field, value, choices)                             \
	{                                                                      \
		group, name, KEY_CHOICE, AT(field), 0, 0, value, NULL, choices \
	}

/* Keys of one group stand together. */
static const struct key keys[] = {
	STRING(NULL, "state_dir", state_dir, STATE_DIR_DEFAULT),

	STRING("eal", "options", eal_options, ""),
	UINT("eal", "memory_mb", memory_mb, 0, 1048576, 0),
	BOOL("eal", "hugepages", hugepages, true),

	UINT("lcores", "workers", workers, 1, LCORE_MAX, 1),
	{"lcores", "cpus", KEY_CPUS, AT(worker_cpus), 0, CPU_SETSIZE - 1, 0, NULL, NULL},
	CHOICE("lcores", "poll", poll, LCORE_POLL_ADAPTIVE, poll_choices),
	UINT("lcores", "spin_us", spin_us, 0, 100000, LCORE_SPIN_US_DEFAULT),
	UINT("lcores", "mbufs", mbufs, 0, 16777216, 0),
	{"lcores", "ring_size", KEY_UINT_POWER2, AT(ring_size), 128, 65536, 1024, NULL, NULL},

	{NULL, "listeners", KEY_LISTENERS, AT(listeners), 1, 65535, 0, NULL, NULL},

	UINT("limits", "login_connections", login_connections, 1, 100000, 1000),
	UINT("limits", "login_connections_per_source", login_connections_per_source, 1, 100000,
		256),
	UINT("limits", "login_handshakes", login_handshakes, 1, 100000, 256),
	UINT("limits", "login_handshakes_per_source", login_handshakes_per_source, 1, 100000, 64),
	UINT("limits", "login_timeout_ms", login_timeout_ms, 1000, 300000, 30000),
	UINT("limits", "login_bytes", login_bytes, 71680, 16777216, 262144),
	UINT("limits", "handshake_threads", handshake_threads, 1, 32, 2),
	UINT("limits", "slow_threads", slow_threads, 2, 32, 2),
	UINT("limits", "sessions", sessions_max, 1, PORT_MAX - 1, 4096),
	UINT("limits", "mac_entries", mac_entries, 65536, 268435456, FDB_TOTAL_DEFAULT),
	UINT("limits", "session_connections", session_connections, 1, WELCOME_CONNECTIONS_MAX,
		WELCOME_CONNECTIONS_MAX),
	UINT64("limits", "staging_bytes", staging_bytes, 65536, 67108864, 2560000),
	UINT64("limits", "staging_pool_bytes", staging_pool_bytes, 1048576, 68719476736, 67108864),
	UINT("limits", "staging_age_ms", staging_age_ms, 0, 60000, STAGING_AGE_MS_DEFAULT),

	BOOL("udp_acceleration", "enabled", udp_enabled, true),
	UINT("udp_acceleration", "first_port", udp_first_port, 1, 65535, SESSION_UDP_PORT_FIRST),
	UINT("udp_acceleration", "min_version", udp_min_version, 1, 2, 1),
	UINT("udp_acceleration", "max_version", udp_max_version, 1, 2, 2),

	STRING("tls", "ciphers", tls_ciphers, ""),
	STRING("tls", "ciphersuites", tls_ciphersuites, ""),

	STRING("log", "file", log_file, ""),
	CHOICE("log", "level", log_level, LOG_LEVEL_INFO, level_choices),
	STRING("log", "directory", log_directory, ""),
	CHOICE("log", "format", log_format, 0, format_choices),
	CHOICE("log", "rotation", log_rotation, LOG_SWITCH_DAY, rotation_choices),
	UINT64("log", "file_bytes", log_file_bytes, 4096, 1099511627776, LOG_FILE_SIZE_MAX),
	{"log", "ring_bytes", KEY_UINT_POWER2, AT(log_ring_bytes), PACKET_LOG_RING_MIN,
		PACKET_LOG_RING_MAX, PACKET_LOG_RING_DEFAULT, NULL, NULL},
	UINT("log", "min_free_mb", log_min_free_mb, 0, 1000000000, 100),
	STRING("log", "syslog", log_syslog, ""),
	UINT("log", "syslog_port", log_syslog_port, 1, 65535, 514),
	CHOICE("log", "syslog_lines", log_syslog_lines, LOGS_SYSLOG_PACKET, syslog_choices),

	STRING("admin", "socket", admin_socket, ""),

	UINT("counters", "save_s", counters_save_s, 1, 86400, 300),

	STRING("metrics", "address", metrics_address, ""),
	UINT("metrics", "port", metrics_port, 1, 65535, 9464),
	STRING("metrics", "token", metrics_token, ""),
};
#define KEY_CNT (sizeof(keys) / sizeof(keys[0]))

static const uint16_t listener_defaults[] = {8888, 443, 992};

static void *field(struct config *config, const struct key *key)
{
	return (char *)config + key->offset;
}

static void set_number(struct config *config, const struct key *key, int64_t value)
{
	switch (key->type) {
	case KEY_UINT:
	case KEY_UINT_POWER2:
		*(unsigned *)field(config, key) = (unsigned)value;
		break;
	case KEY_UINT64:
		*(uint64_t *)field(config, key) = (uint64_t)value;
		break;
	case KEY_BOOL:
		*(bool *)field(config, key) = value != 0;
		break;
	case KEY_CHOICE:
		*(int *)field(config, key) = (int)value;
		break;
	default:
		break;
	}
}

static int set_string(struct config *config, const struct key *key, const char *text)
{
	char *copy = strdup(text);
	char **at = field(config, key);

	if (copy == NULL)
		return -ENOMEM;
	free(*at);
	*at = copy;
	return 0;
}

static int set_defaults(struct config *config)
{
	for (unsigned i = 0; i < LCORE_MAX; i++)
		config->worker_cpus[i] = -1;
	for (unsigned i = 0; i < sizeof(listener_defaults) / sizeof(listener_defaults[0]); i++)
		config->listeners[i] = (struct config_listener){listener_defaults[i], true};
	config->listener_cnt = sizeof(listener_defaults) / sizeof(listener_defaults[0]);
	for (const struct key *key = keys; key < keys + KEY_CNT; key++) {
		if (key->type != KEY_STRING)
			set_number(config, key, key->value);
		else if (set_string(config, key, key->text) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void join_choices(const struct key *key, const char *separator, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (const char *const *c = key->choices; *c != NULL && len < size; c++)
		len += (size_t)snprintf(
			out + len, size - len, "%s%s", c == key->choices ? "" : separator, *c);
}

static void read_choice(struct config_reader *r, const config_setting_t *group,
	const struct key *key, struct config *config)
{
	const char *text = NULL;
	char list[96];

	if (!config_reader_string(r, group, key->name, &text) || text == NULL)
		return;
	for (int i = 0; key->choices[i] != NULL; i++) {
		if (strcmp(key->choices[i], text) == 0) {
			set_number(config, key, i);
			return;
		}
	}
	join_choices(key, ", ", list, sizeof(list));
	config_reader_error(r, config_reader_member(group, key->name),
		"is \"%s\", should be one of: %s", text, list);
}

/* cpus = [ 2, 3 ]: element i for worker i; fewer than workers: the others are chosen. */
static void read_cpus(struct config_reader *r, const config_setting_t *group, const struct key *key,
	struct config *config)
{
	const config_setting_t *s = config_reader_member(group, key->name);

	if (s == NULL)
		return;
	if (!config_setting_is_array(s) && !config_setting_is_list(s)) {
		config_reader_error(r, s, "should be an array of CPU numbers such as [ 2, 3 ]");
		return;
	}
	if (config_setting_length(s) > (int)LCORE_MAX) {
		config_reader_error(r, s, "has %d elements, should have at most %u",
			config_setting_length(s), LCORE_MAX);
		return;
	}
	for (int i = 0; i < config_setting_length(s); i++) {
		int64_t cpu;

		if (config_reader_value_int(
			    r, config_setting_get_elem(s, (unsigned)i), key->min, key->max, &cpu))
			config->worker_cpus[i] = (int)cpu;
	}
	if (config_setting_length(s) > (int)config->workers)
		config_reader_error(r, s,
			"names %d CPUs for %u workers, should name one per worker",
			config_setting_length(s), config->workers);
}

static void read_listener(struct config_reader *r, const config_setting_t *s, const struct key *key,
	struct config *config)
{
	static const char *const names[] = {"port", "enabled", NULL};
	struct config_listener listener = {.enabled = true};
	int64_t port = 0;

	if (!config_setting_is_group(s)) {
		config_reader_error(r, s, "should be a group such as { port = 443; }");
		return;
	}
	config_reader_known(r, s, names);
	config_reader_bool(r, s, "enabled", &listener.enabled);
	if (config_reader_member(s, "port") == NULL)
		config_reader_error(r, s, "port is missing, should be from %d to %d", (int)key->min,
			(int)key->max);
	if (!config_reader_int(r, s, "port", key->min, key->max, &port) || port == 0)
		return;
	for (unsigned i = 0; i < config->listener_cnt; i++) {
		if (config->listeners[i].port == port) {
			config_reader_error(r, config_reader_member(s, "port"),
				"is %d, which an earlier listener has already", (int)port);
			return;
		}
	}
	listener.port = (uint16_t)port;
	config->listeners[config->listener_cnt++] = listener;
}

static void read_listeners(struct config_reader *r, const config_setting_t *group,
	const struct key *key, struct config *config)
{
	const config_setting_t *s = config_reader_list(r, group, key->name);

	if (s == NULL)
		return;
	if (config_setting_length(s) > (int)CONFIG_LISTENERS_MAX) {
		config_reader_error(r, s, "has %d listeners, should have at most %u",
			config_setting_length(s), CONFIG_LISTENERS_MAX);
		return;
	}
	config->listener_cnt = 0;
	for (int i = 0; i < config_setting_length(s); i++)
		read_listener(r, config_setting_get_elem(s, (unsigned)i), key, config);
	for (unsigned i = 0; i < config->listener_cnt; i++)
		if (config->listeners[i].enabled)
			return;
	if (r->errors == 0)
		config_reader_error(r, s, "has no enabled listener, should have at least one");
}

static int read_key(struct config_reader *r, const config_setting_t *group, const struct key *key,
	struct config *config)
{
	const char *text = NULL;
	int64_t number = key->value;
	bool flag = key->value != 0;

	switch (key->type) {
	case KEY_UINT:
	case KEY_UINT64:
		if (config_reader_int(r, group, key->name, key->min, key->max, &number))
			set_number(config, key, number);
		break;
	case KEY_UINT_POWER2:
		if (!config_reader_int(r, group, key->name, key->min, key->max, &number))
			break;
		if ((number & (number - 1)) != 0)
			config_reader_error(r, config_reader_member(group, key->name),
				"is %lld, should be a power of two", (long long)number);
		else
			set_number(config, key, number);
		break;
	case KEY_BOOL:
		if (config_reader_bool(r, group, key->name, &flag))
			set_number(config, key, flag);
		break;
	case KEY_STRING:
		if (config_reader_string(r, group, key->name, &text) && text != NULL)
			return set_string(config, key, text);
		break;
	case KEY_CHOICE:
		read_choice(r, group, key, config);
		break;
	case KEY_CPUS:
		read_cpus(r, group, key, config);
		break;
	case KEY_LISTENERS:
		read_listeners(r, group, key, config);
		break;
	}
	return 0;
}

static bool same_group(const char *a, const char *b)
{
	return a == b || (a != NULL && b != NULL && strcmp(a, b) == 0);
}

/* Names that may stand in `group` (NULL: top level), NULL-terminated. */
static void names_of(const char *group, const char *names[KEY_CNT + 1])
{
	unsigned cnt = 0;

	for (const struct key *key = keys; key < keys + KEY_CNT; key++) {
		if (same_group(key->group, group))
			names[cnt++] = key->name;
		else if (group == NULL && !same_group(key->group, key[-1].group))
			names[cnt++] = key->group;
	}
	names[cnt] = NULL;
}

static int read_tree(struct config_reader *r, const config_setting_t *root, struct config *config)
{
	const char *names[KEY_CNT + 1];
	const config_setting_t *group = root;

	names_of(NULL, names);
	config_reader_known(r, root, names);
	for (const struct key *key = keys; key < keys + KEY_CNT; key++) {
		if (key == keys || !same_group(key->group, key[-1].group)) {
			group = key->group != NULL ? config_reader_member(root, key->group) : root;
			if (group != NULL && !config_setting_is_group(group)) {
				config_reader_error(r, group, "should be a group { }");
				group = NULL;
			} else if (group != NULL && group != root) {
				names_of(key->group, names);
				config_reader_known(r, group, names);
			}
		}
		if (group != NULL && read_key(r, group, key, config) < 0)
			return -ENOMEM;
	}
	return 0;
}

static const config_setting_t *find(
	const config_setting_t *root, const char *group, const char *name)
{
	const config_setting_t *g = config_reader_member(root, group);

	return g != NULL && config_setting_is_group(g) ? config_reader_member(g, name) : NULL;
}

static bool is_address(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET, text, &address) == 1 || inet_pton(AF_INET6, text, &address) == 1;
}

/* Rules between keys. Reported at the key that the file sets; defaults agree with each other. */
static void check_together(
	struct config_reader *r, const config_setting_t *root, const struct config *config)
{
	static const char *const ours[] = {"--lcores", "-l", "-c", "--main-lcore", "--file-prefix",
		"--log-level", "--syslog", "--proc-type", NULL};
	char *copy, *rest, *word;

	if (config->staging_bytes > config->staging_pool_bytes)
		config_reader_error(r, find(root, "limits", "staging_bytes"),
			"limits.staging_bytes is %llu, should not be above limits.staging_pool_bytes (%llu)",
			(unsigned long long)config->staging_bytes,
			(unsigned long long)config->staging_pool_bytes);
	if (config->udp_min_version > config->udp_max_version)
		config_reader_error(r, find(root, "udp_acceleration", "min_version"),
			"udp_acceleration.min_version is %u, should not be above udp_acceleration.max_version (%u)",
			config->udp_min_version, config->udp_max_version);
	if (config->metrics_address[0] != '\0' && !is_address(config->metrics_address))
		config_reader_error(r, find(root, "metrics", "address"),
			"metrics.address is \"%s\", should be an IP address such as 127.0.0.1 or ::1, or empty: off",
			config->metrics_address);
	/* Fewer could not even fill the workers' caches and bursts. */
	if (config->mbufs != 0 && config->mbufs < config->workers * CONFIG_MBUFS_PER_WORKER)
		config_reader_error(r, find(root, "lcores", "mbufs"),
			"lcores.mbufs is %u, should be 0 (chosen) or at least %u for %u workers",
			config->mbufs, config->workers * CONFIG_MBUFS_PER_WORKER, config->workers);
	if (config->state_dir[0] != '/')
		config_reader_error(r, config_reader_member(root, "state_dir"),
			"is \"%s\", should be an absolute path", config->state_dir);
	copy = strdup(config->eal_options);
	rest = copy;
	while (rest != NULL && (word = strsep(&rest, " \t\n")) != NULL) {
		for (const char *const *o = ours; *o != NULL; o++) {
			size_t len = strlen(*o);

			/* A value may stick to a short option: -l0-3. */
			if (strncmp(word, *o, len) == 0 &&
				(word[len] == '\0' || word[len] == '=' || len == 2))
				config_reader_error(r, find(root, "eal", "options"),
					"contains %s, which follows from other keys: leave it out",
					*o);
		}
	}
	free(copy);
}

struct config *config_check(
	const char *path, void (*report)(void *ctx, const char *line), void *ctx, unsigned *errors)
{
	struct config_reader r = {.path = path, .report = report, .ctx = ctx};
	struct config *config = calloc(1, sizeof(*config));
	config_t cfg;
	int rc;

	*errors = 0;
	if (config == NULL)
		return NULL;
	rc = set_defaults(config);
	if (rc == 0 && path != NULL) {
		if (config_reader_parse(&r, &cfg)) {
			rc = read_tree(&r, config_root_setting(&cfg), config);
			if (rc == 0)
				check_together(&r, config_root_setting(&cfg), config);
		}
		config_destroy(&cfg);
	}
	if (rc == 0)
		rc = config_set_state_dir(config, NULL);
	if (rc < 0) {
		config_free(config);
		return NULL;
	}
	*errors = r.errors;
	return config;
}

struct config *config_load(const char *path, void (*report)(void *ctx, const char *line), void *ctx)
{
	unsigned errors;
	struct config *config = config_check(path, report, ctx, &errors);

	if (config != NULL && errors > 0) {
		config_free(config);
		return NULL;
	}
	if (config == NULL && report != NULL)
		report(ctx, "out of memory");
	return config;
}

int config_set_state_dir(struct config *config, const char *path)
{
	char *dir = path != NULL ? strdup(path) : NULL;
	char *old_default = NULL;
	int rc = -ENOMEM;

	if (path != NULL && dir == NULL)
		return -ENOMEM;
	if (asprintf(&old_default, "%s/admin.sock", config->state_dir) < 0) {
		old_default = NULL;
		goto out;
	}
	if (config->admin_socket[0] == '\0' || strcmp(config->admin_socket, old_default) == 0) {
		char *socket = NULL;

		if (asprintf(&socket, "%s/admin.sock", dir != NULL ? dir : config->state_dir) < 0)
			goto out;
		free(config->admin_socket);
		config->admin_socket = socket;
	}
	if (dir != NULL) {
		free(config->state_dir);
		config->state_dir = dir;
		dir = NULL;
	}
	rc = 0;
out:
	free(old_default);
	free(dir);
	return rc;
}

void config_free(struct config *config)
{
	if (config == NULL)
		return;
	for (const struct key *key = keys; key < keys + KEY_CNT; key++)
		if (key->type == KEY_STRING)
			free(*(char **)field(config, key));
	free(config);
}

/* ---- comparing --------------------------------------------------------------------------------- */

static bool same_value(const struct config *a, const struct config *b, const struct key *key)
{
	static const size_t bytes[] = {
		[KEY_UINT] = sizeof(unsigned),
		[KEY_UINT_POWER2] = sizeof(unsigned),
		[KEY_UINT64] = sizeof(uint64_t),
		[KEY_BOOL] = sizeof(bool),
		[KEY_CHOICE] = sizeof(int),
		[KEY_CPUS] = sizeof(((struct config *)0)->worker_cpus),
	};
	const void *x = (const char *)a + key->offset, *y = (const char *)b + key->offset;

	if (key->type == KEY_STRING)
		return strcmp(*(char *const *)x, *(char *const *)y) == 0;
	return memcmp(x, y, bytes[key->type]) == 0;
}

void config_restart_keys(
	const struct config *running, const struct config *fresh, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (const struct key *key = keys; key < keys + KEY_CNT && len < size; key++) {
		if (key->type == KEY_LISTENERS || key->offset == AT(log_level) ||
			key->offset == AT(state_dir) || same_value(running, fresh, key))
			continue;
		len += (size_t)snprintf(out + len, size - len, "%s%s%s%s", len > 0 ? ", " : "",
			key->group != NULL ? key->group : "", key->group != NULL ? "." : "",
			key->name);
	}
}

bool config_key_info(unsigned index, struct config_key_info *out)
{
	static const char *const types[] = {
		[KEY_UINT] = "integer",
		[KEY_UINT_POWER2] = "integer, power of two",
		[KEY_UINT64] = "integer",
		[KEY_BOOL] = "boolean",
		[KEY_STRING] = "string",
		[KEY_CHOICE] = "string",
		[KEY_CPUS] = "array of integers",
		[KEY_LISTENERS] = "list of groups",
	};
	const struct key *key = keys + index;

	if (index >= KEY_CNT)
		return false;
	*out = (struct config_key_info){key->group, key->name, types[key->type], "", ""};
	if (key->type == KEY_STRING) {
		snprintf(out->default_text, sizeof(out->default_text), "\"%s\"", key->text);
	} else if (key->type == KEY_CHOICE) {
		snprintf(out->default_text, sizeof(out->default_text), "\"%s\"",
			key->choices[key->value]);
		join_choices(key, " | ", out->range_text, sizeof(out->range_text));
	} else if (key->type == KEY_BOOL) {
		strcpy(out->default_text, key->value != 0 ? "true" : "false");
	} else {
		if (key->type != KEY_CPUS && key->type != KEY_LISTENERS)
			snprintf(out->default_text, sizeof(out->default_text), "%lld",
				(long long)key->value);
		snprintf(out->range_text, sizeof(out->range_text), "%lld .. %lld",
			(long long)key->min, (long long)key->max);
	}
	return true;
}
