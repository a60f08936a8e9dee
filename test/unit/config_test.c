/* SPDX-License-Identifier: BSD-3-Clause */
/* patchbay.cfg: every rule of the table breaks with file, line and key; sample and man page follow it. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/config.h"
#include "controlplane/log.h"
#include "test/unit/said.h"

#define ROOT TEST_DATA_DIR "/../../.."

static struct config *load(const char *text, struct said *said)
{
	said_write(said, text);
	return config_load(said_path, said_hear, said);
}

static void test_defaults(void **)
{
	struct said said = {};
	struct config *none = config_load(NULL, said_hear, &said);
	struct config *empty = load("", &said);

	assert_non_null(none);
	assert_non_null(empty);
	assert_int_equal(said.lines, 0);
	assert_int_equal(none->workers, 1);
	assert_int_equal(none->worker_cpus[0], -1);
	assert_int_equal(none->listener_cnt, 3);
	assert_int_equal(none->listeners[0].port, 8888);
	assert_true(none->listeners[0].enabled);
	assert_string_equal(none->state_dir, "/var/lib/patchbay");
	assert_string_equal(none->admin_socket, "/var/lib/patchbay/admin.sock");
	assert_int_equal(none->poll, LCORE_POLL_ADAPTIVE);
	assert_int_equal(none->log_level, LOG_LEVEL_INFO);
	assert_int_equal(empty->listener_cnt, 3);
	config_free(none);
	config_free(empty);
}

/* What only a start looks at is named when the file is read again, key by key of the table. */
static void test_restart_keys(void **)
{
	struct said said;
	struct config *none = config_load(NULL, said_hear, &said), *other;
	struct config_key_info key;
	unsigned named = 0;
	char out[512];

	config_restart_keys(none, none, out, sizeof(out));
	assert_string_equal(out, "");
	other = load("log = { level = \"debug\"; }; listeners = ( { port = 443; } ); "
		     "state_dir = \"/x\";",
		&said);
	assert_int_equal(config_set_state_dir(other, none->state_dir), 0);
	config_restart_keys(none, other, out, sizeof(out));
	assert_string_equal(out, "");
	config_free(other);
	for (unsigned i = 0; config_key_info(i, &key); i++) {
		static const char *const values[] = {"\"json\"", "\"minute\"", "\"off\"",
			"\"always\"", "\"::1\"", "\"x\"", "false", "2", "1024", "65536", "131072",
			"600000", "[ 1 ]", "3000000L", "70000000L", "1", "3"};
		char text[128], name[64];
		bool differs = false;

		snprintf(name, sizeof(name), "%s%s%s", key.group != NULL ? key.group : "",
			key.group != NULL ? "." : "", key.name);
		if (strcmp(name, "state_dir") == 0 || strcmp(name, "listeners") == 0 ||
			strcmp(name, "log.level") == 0)
			continue;
		/* One of them is a value of the key, and not its default. */
		for (unsigned k = 0; k < sizeof(values) / sizeof(values[0]) && !differs; k++) {
			snprintf(text, sizeof(text), "%s = { %s = %s; };", key.group, key.name,
				values[k]);
			other = load(text, &said);
			if (other == NULL)
				continue;
			config_restart_keys(none, other, out, sizeof(out));
			differs = strcmp(out, name) == 0;
			config_free(other);
		}
		if (!differs)
			fail_msg("%s: a change of it is not told", name);
		named++;
	}
	assert_in_range(named, 30, 200);
	config_free(none);
}

static void test_values(void **)
{
	struct said said;
	struct config *c = load(
		"state_dir = \"/srv/pb\";\n"
		"eal = { options = \"--no-huge -m 64\"; hugepages = false; };\n"
		"lcores = { workers = 3; cpus = [ 5, 7 ]; poll = \"always\"; "
		"ring_size = 4096; mbufs = 65536; };\n"
		"listeners = ( { port = 443; }, { port = 5555; enabled = false; } );\n"
		"limits = { staging_pool_bytes = 8589934592L; sessions = 7; session_connections = 5; };\n"
		"log = { file = \"/x\"; level = \"debug\"; };\n"
		"tls = { ciphers = \"HIGH\"; };\n",
		&said);

	assert_string_equal(said.text, "");
	assert_non_null(c);
	assert_string_equal(c->admin_socket, "/srv/pb/admin.sock");
	assert_string_equal(c->eal_options, "--no-huge -m 64");
	assert_false(c->hugepages);
	assert_int_equal(c->workers, 3);
	assert_int_equal(c->worker_cpus[0], 5);
	assert_int_equal(c->worker_cpus[1], 7);
	assert_int_equal(c->worker_cpus[2], -1);
	assert_int_equal(c->poll, LCORE_POLL_ALWAYS);
	assert_int_equal(c->ring_size, 4096);
	assert_int_equal(c->mbufs, 65536);
	assert_int_equal(c->listener_cnt, 2);
	assert_int_equal(c->listeners[1].port, 5555);
	assert_false(c->listeners[1].enabled);
	assert_int_equal(c->staging_pool_bytes, 8589934592);
	assert_int_equal(c->sessions_max, 7);
	assert_int_equal(c->session_connections, 5);
	assert_int_equal(c->log_level, LOG_LEVEL_DEBUG);
	assert_string_equal(c->tls_ciphers, "HIGH");
	assert_int_equal(config_set_state_dir(c, "/elsewhere"), 0);
	assert_string_equal(c->admin_socket, "/elsewhere/admin.sock");
	config_free(c);
	c = load("admin = { socket = \"/run/x.sock\"; };", &said);
	assert_int_equal(config_set_state_dir(c, "/elsewhere"), 0);
	assert_string_equal(c->admin_socket, "/run/x.sock");
	config_free(c);
}

/* Text, and where the one error must be reported: ":line: key: " */
static const struct {
	const char *text;
	const char *where;
	const char *what;
} wrong[] = {
	{"colour = 1;", ":1: colour: ", "unknown key"},
	{"lcores = {\n speed = 1;\n};", ":2: lcores.speed: ", "unknown key"},
	{"eal = {\n options = \"-m 64 -l0-3\";\n};", ":2: eal.options: ", "contains -l"},
	{"lcores = 5;", ":1: lcores: ", "group"},
	{"lcores = { workers = 0; };", ":1: lcores.workers: ", "from 1 to 64"},
	{"lcores = { workers = 65; };", ":1: lcores.workers: ", "from 1 to 64"},
	{"lcores = { workers = 99999999999999999999; };", ":1: lcores.workers: ", "from 1 to 64"},
	{"lcores = { workers = \"2\"; };", ":1: lcores.workers: ", "is a string"},
	{"lcores = { workers = 2.5; };", ":1: lcores.workers: ", "is a decimal number"},
	{"lcores = { workers = true; };", ":1: lcores.workers: ", "is a boolean"},
	{"lcores = { cpus = 3; };", ":1: lcores.cpus: ", "array"},
	{"lcores = { cpus = [ -1 ]; };", ":1: lcores.cpus[0]: ", "from 0"},
	{"lcores = { cpus = [ 1, 2 ]; };", ":1: lcores.cpus: ", "2 CPUs for 1 workers"},
	{"lcores = { poll = \"sometimes\"; };", ":1: lcores.poll: ", "adaptive, always"},
	{"lcores = { poll = 1; };", ":1: lcores.poll: ", "is an integer"},
	{"lcores = { ring_size = 1000; };", ":1: lcores.ring_size: ", "power of two"},
	{"lcores = { ring_size = 64; };", ":1: lcores.ring_size: ", "from 128"},
	{"lcores = { mbufs = 100; };", ":1: lcores.mbufs: ", "at least 4096"},
	{"eal = { hugepages = 1; };", ":1: eal.hugepages: ", "true or false"},
	{"eal = { options = 1; };", ":1: eal.options: ", "should be a string"},
	{"eal = { options = \"-m 9 --lcores=1@2\"; };", ":1: eal.options: ", "contains --lcores"},
	{"eal = { options = \"-l 1\"; };", ":1: eal.options: ", "contains -l"},
	{"listeners = { port = 3; };", ":1: listeners: ", "list"},
	{"listeners = ( 443 );", ":1: listeners[0]: ", "group"},
	{"listeners = ( { } );", ":1: listeners[0]: ", "port is missing"},
	{"listeners = ( { port = 0; } );", ":1: listeners[0].port: ", "from 1 to 65535"},
	{"listeners = ( { port = 65536; } );", ":1: listeners[0].port: ", "from 1 to 65535"},
	{"listeners = ( { port = 1; },\n{ port = 1; } );", ":2: listeners[1].port: ", "earlier"},
	{"listeners = ( { port = 1; name = 2; } );", ":1: listeners[0].name: ", "unknown key"},
	{"listeners = ( { port = 1; enabled = 0; } );", ":1: listeners[0].enabled: ", "true or"},
	{"listeners = ( { port = 1; enabled = false; } );", ":1: listeners: ", "no enabled"},
	{"listeners = ( );", ":1: listeners: ", "no enabled"},
	{"limits = {\nstaging_bytes = 2000000; staging_pool_bytes = 1048576; };",
		":2: limits.staging_bytes: ", "not be above"},
	{"limits = { login_bytes = -5; };", ":1: limits.login_bytes: ", "is -5"},
	{"log = { level = \"loud\"; };", ":1: log.level: ", "warning"},
	{"state_dir = \"here\";", ":1: state_dir: ", "absolute"},
	{"lcores = {", ":1: ", "syntax error"},
	{"a = 1;\na = 2;", ":2: ", "duplicate"},
	{"\n\nx = \"\\e[31m\";\x01", ":3: ", "syntax error"},
};

static void test_wrong(void **)
{
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		struct said said;
		char where[128];

		assert_null(load(wrong[i].text, &said));
		snprintf(where, sizeof(where), "%s%s", said_path, wrong[i].where);
		if (said.lines != 1 || strncmp(said.text, where, strlen(where)) != 0 ||
			strstr(said.text, wrong[i].what) == NULL)
			fail_msg("%s\nshould say %s ... %s, says\n%s", wrong[i].text, where,
				wrong[i].what, said.text);
	}
}

static void test_all_at_once(void **)
{
	struct said said;
	unsigned errors;
	struct config *c;

	assert_null(load("lcores = { workers = 0;\n poll = \"x\";\n speed = 3; };\n"
			 "limits = { sessions = \"many\"; };\n"
			 "listeners = ( { port = 70000; }, 443 );\ncolour = \"red\";\n"
			 "state_dir = 7;\n",
		&said));
	assert_int_equal(said.lines, 8);
	/* config_check() gives what could be understood. */
	load("state_dir = \"/srv\"; lcores = { workers = 0; };", &said);
	c = config_check(said_path, NULL, NULL, &errors);
	assert_non_null(c);
	assert_int_equal(errors, 1);
	assert_string_equal(c->state_dir, "/srv");
	config_free(c);
}

static void test_unreadable(void **)
{
	struct said said = {};

	assert_null(config_load("/nonexistent/patchbay.cfg", said_hear, &said));
	assert_non_null(strstr(said.text, "/nonexistent/patchbay.cfg: cannot be read"));
	memset(&said, 0, sizeof(said));
	assert_null(config_load("/tmp", said_hear, &said));
	assert_non_null(strstr(said.text, "/tmp: is a directory"));
}

static char *file_text(const char *name)
{
	char *text = calloc(1, 65536);
	FILE *f = fopen(name, "r");

	assert_non_null(text);
	if (f == NULL)
		fail_msg("%s cannot be read", name);
	assert_true(fread(text, 1, 65535, f) > 0);
	fclose(f);
	return text;
}

/* Both follow the table: a key that is added there is missed here. */
static void test_documents(void **)
{
	char *sample = file_text(ROOT "/config/patchbay.cfg.sample");
	char *man = file_text(ROOT "/config/patchbay.cfg.5");
	struct config_key_info key;
	struct said said = {};
	struct config *c = config_load(ROOT "/config/patchbay.cfg.sample", said_hear, &said);
	unsigned i;

	assert_string_equal(said.text, "");
	assert_non_null(c);
	config_free(c);
	for (i = 0; config_key_info(i, &key); i++) {
		char line[512];

		snprintf(line, sizeof(line), "%s = %s%s", key.name, key.default_text,
			key.default_text[0] != '\0' ? ";" : "");
		if (strstr(sample, line) == NULL)
			fail_msg("patchbay.cfg.sample has no \"%s\"", line);
		snprintf(line, sizeof(line), "\\fB%s%s%s\\fR (%s%s%s%s%s)",
			key.group != NULL ? key.group : "", key.group != NULL ? "." : "", key.name,
			key.type, key.range_text[0] != '\0' ? ", " : "", key.range_text,
			key.default_text[0] != '\0' ? ", default " : "", key.default_text);
		if (strstr(man, line) == NULL)
			fail_msg("patchbay.cfg.5 has no \"%s\"", line);
	}
	assert_true(i > 20);
	free(sample);
	free(man);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_restart_keys),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_all_at_once),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_documents),
	};

	return cmocka_run_group_tests(tests, said_setup, said_teardown);
}
