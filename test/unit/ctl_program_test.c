/* SPDX-License-Identifier: BSD-3-Clause */
/* patchbayctl as a program, against a daemon that answers from a script: exit status, what is said and where. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define OUTPUT_MAX 8192u
#define RESULT(r)  "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":" r "}\n"
#define ERROR(c, m) \
	"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":" #c ",\"message\":\"" m "\"}}\n"

static char dir[32];
static char path[64];

/* One answer per connection, in order; each request is kept. */
struct daemon {
	const char *const *answers;
	char requests[4][512];
	unsigned cnt;
	int fd;
	pthread_t thread;
};

static void *serve(void *arg)
{
	struct daemon *d = arg;

	for (; d->answers[d->cnt] != NULL; d->cnt++) {
		const char *answer = d->answers[d->cnt];
		int fd = accept(d->fd, NULL, NULL);
		size_t size = 0;

		if (fd < 0)
			break;
		while (size < sizeof(d->requests[0]) - 1 &&
			read(fd, d->requests[d->cnt] + size, 1) == 1 &&
			d->requests[d->cnt][size++] != '\n')
			;
		for (size_t at = 0, n = strlen(answer); at < n; at += 7)
			(void)!send(fd, answer + at, n - at < 7 ? n - at : 7, MSG_NOSIGNAL);
		close(fd);
	}
	return NULL;
}

static void daemon_start(struct daemon *d, const char *const *answers)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	memset(d, 0, sizeof(*d));
	d->answers = answers;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	unlink(path);
	d->fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(d->fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(listen(d->fd, 8), 0);
	assert_int_equal(pthread_create(&d->thread, NULL, serve, d), 0);
}

static void daemon_stop(struct daemon *d)
{
	/* Wakes accept() if the program asked less than the script has. */
	shutdown(d->fd, SHUT_RDWR);
	pthread_join(d->thread, NULL);
	close(d->fd);
}

static char output[OUTPUT_MAX];
static char errors[OUTPUT_MAX];

static void read_all(const char *name, char *text)
{
	char p[96];
	FILE *f;
	size_t n;

	snprintf(p, sizeof(p), "%s/%s", dir, name);
	f = fopen(p, "r");
	assert_non_null(f);
	n = fread(text, 1, OUTPUT_MAX - 1, f);
	text[n] = '\0';
	fclose(f);
	unlink(p);
}

/* Exit status; fills output and errors. */
static int ctl(const char *arguments)
{
	char command[1024];
	int status;

	snprintf(command, sizeof(command),
		"exec >%s/out 2>%s/err; LC_ALL=C.UTF-8 PATCHBAY_SOCKET=%s " PATCHBAYCTL " %s", dir,
		dir, path, arguments);
	status = system(command);
	read_all("out", output);
	read_all("err", errors);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int ctl_against(const char *arguments, const char *const *answers, struct daemon *d)
{
	int status;

	daemon_start(d, answers);
	status = ctl(arguments);
	daemon_stop(d);
	return status;
}

static void wrong_usage_is_2(void **)
{
	static const struct {
		const char *typed;
		const char *told;
	} lines[] = {
		{"", "no command"},
		{"bogus", "bogus"},
		{"session", "no verb"},
		{"session bogus", "bogus"},
		{"session show DEFAULT", "NAME"},
		{"mac list", "HUB"},
		{"hub list extra", "extra"},
		{"hub list --bogus", "--bogus"},
		{"--vlan 3 mac delete h 02:00:00:00:00:01", "--vlan"},
		{"mac delete h 02:00:00:00:00:01 --vlan", "--vlan"},
		{"mac delete h 02:00:00:00:00:01 --vlan x", "whole number"},
		{"mac delete h nonsense", "MAC address"},
		{"stats --sessions=1", "no value"},
		{"rpc EnumHub '[1]'", "object"},
		{"--socket", "--socket"},
	};

	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(ctl(lines[i].typed), 2);
		assert_string_equal(output, "");
		assert_non_null(strstr(errors, lines[i].told));
	}
}

static void help_at_every_level(void **)
{
	assert_int_equal(ctl("--help"), 0);
	assert_non_null(strstr(output, "session delete HUB NAME"));
	assert_int_equal(ctl("session --help"), 0);
	assert_non_null(strstr(output, "session delete HUB NAME"));
	assert_null(strstr(output, "mac list"));
	assert_int_equal(ctl("mac delete --help"), 0);
	assert_non_null(strstr(output, "--vlan"));
	assert_non_null(strstr(output, "DeleteMacTable"));
	assert_int_equal(ctl("--version"), 0);
	assert_non_null(strstr(output, "patchbayctl "));
	assert_string_equal(errors, "");
}

static void no_daemon_is_1(void **)
{
	unlink(path);
	assert_int_equal(ctl("hub list"), 1);
	assert_string_equal(output, "");
	assert_non_null(strstr(errors, path));
	assert_non_null(strstr(errors, "--socket"));
	assert_int_equal(ctl("hub list --socket /nonexistent/x"), 1);
	assert_non_null(strstr(errors, "/nonexistent/x"));
}

static void errors_of_the_daemon_are_1(void **)
{
	static const char *const no_hub[] = {ERROR(8, "no hub \\u001b[31mx"), NULL};
	static const char *const cut[] = {
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"MacTable\":[{\"VlanId_u32\":1},",
		NULL};
	static const char *const nonsense[] = {"SSH-2.0-OpenSSH\n", NULL};
	struct daemon d;

	assert_int_equal(ctl_against("mac list x", no_hub, &d), 1);
	assert_string_equal(output, "");
	assert_non_null(strstr(errors, "no hub \\x1b[31mx (error 8)"));
	assert_non_null(strstr(errors, "hub list"));
	assert_int_equal(ctl_against("mac list x --json", cut, &d), 1);
	assert_non_null(strstr(errors, "before the end"));
	assert_int_equal(ctl_against("mac list x", cut, &d), 1);
	assert_string_equal(output, "");
	assert_int_equal(ctl_against("mac list x", nonsense, &d), 1);
	assert_non_null(strstr(errors, "not patchbayd"));
}

static void tables_and_json(void **)
{
	static const char *const macs[] = {
		RESULT("{\"HubName_str\":\"a\",\"MacTable\":[{\"Key_u32\":1,\"SessionName_str\":"
		       "\"SID-\\u001b-1\",\"MacAddress_bin\":\"AgAAAAAB\",\"VlanId_u32\":12,"
		       "\"CreatedTime_dt\":\"2026-11-23T05:09:18.203Z\",\"UpdatedTime_dt\":"
		       "\"1970-01-01T00:00:00.000Z\"}]}"),
		NULL};
	struct daemon d;

	assert_int_equal(ctl_against("mac list a", macs, &d), 0);
	assert_string_equal(errors, "");
	assert_string_equal(output,
		"MAC                VLAN  SESSION     LEARNED (UTC)        LAST FRAME (UTC)\n"
		"02:00:00:00:00:01    12  SID-\\x1b-1  2026-11-23 05:09:18  -\n");
	assert_non_null(strstr(d.requests[0], "\"method\":\"EnumMacTable\""));
	assert_non_null(strstr(d.requests[0], "\"HubName_str\":\"a\""));

	assert_int_equal(ctl_against("--json mac list a", macs, &d), 0);
	assert_memory_equal(output, "{\"HubName_str\":\"a\",\"MacTable\":[{\"Key_u32\":1,", 44);
	assert_non_null(strstr(output, "}]}\n"));

	static const char *const deleted[] = {
		RESULT("{\"HubName_str\":\"a\",\"Key_u32\":1}"), NULL};

	assert_int_equal(ctl_against("mac delete a 02-00-00-00-00-01 --vlan=12", deleted, &d), 0);
	assert_string_equal(output, "MAC address deleted\n");
	assert_non_null(strstr(d.requests[0], "\"PatchbayVlanId_u32\":12"));
}

static void sessions_of_all_hubs(void **)
{
	static const char *const answers[] = {
		RESULT("{\"HubList\":[{\"HubName_str\":\"a\"},{\"HubName_str\":\"b\"}]}"),
		RESULT("{\"HubName_str\":\"a\",\"SessionList\":[{\"Name_str\":\"SID-A-1\"}]}"),
		RESULT("{\"HubName_str\":\"b\",\"SessionList\":[{\"Name_str\":\"SID-B-1\"}]}"),
		NULL};
	struct daemon d;

	assert_int_equal(ctl_against("session list", answers, &d), 0);
	assert_non_null(strstr(output, "a    SID-A-1"));
	assert_non_null(strstr(output, "b    SID-B-1"));
	assert_non_null(strstr(d.requests[2], "\"HubName_str\":\"b\""));
}

#define STATS_ROW(level, in, switched, short_, sent, queued)                                      \
	"{\"Level_str\":\"" level "\",\"Name_str\":\"\",\"In_u64\":" #in                          \
	",\"Switched_u64\":" #switched ",\"Flooded_u64\":0,\"Copies_u64\":20,\"Sent_u64\":" #sent \
	",\"QueuedFrames_u64\":" #queued ",\"DropIn.short_u64\":" #short_                         \
	",\"DropOut.ring_full_u64\":4}"

static void books_and_their_balance(void **)
{
	static const char *const answers[] = {
		RESULT("{\"ReasonList\":[{\"Name_str\":\"DropIn.short\",\"Text_str\":\"too short\"},"
		       "{\"Name_str\":\"DropOut.ring_full\",\"Text_str\":\"ring was full\"},"
		       "{\"Name_str\":\"DropOut.other\",\"Text_str\":\"never happened\"}],"
		       "\"StatsList\":[" STATS_ROW("total", 10, 7, 3, 15, 1) "," STATS_ROW(
			       "lcore", 10, 7, 1, 18, 0) "]}"),
		RESULT("{\"LcoreList\":[{\"Index_u32\":0,\"BusyCycles_u64\":25,\"IdleCycles_u64\":75}]"
		       "}"),
		NULL};
	struct daemon d;

	assert_int_equal(ctl_against("stats", answers, &d), 0);
	assert_non_null(strstr(output, "balanced"));
	assert_non_null(strstr(output, "in +2, copies -2"));
	assert_non_null(strstr(output, "3  DropIn.short       too short"));
	assert_non_null(strstr(output, "4  DropOut.ring_full  ring was full"));
	assert_null(strstr(output, "never happened"));
	assert_non_null(strstr(output, "25.0%"));
}

static void busy_share_over_an_interval(void **)
{
	static const char *const answers[] = {
		RESULT("{\"LcoreList\":[{\"Index_u32\":0,\"Pinned_bool\":true,\"Cpu_u32\":3,"
		       "\"BusyCycles_u64\":1000,\"IdleCycles_u64\":0}]}"),
		RESULT("{\"LcoreList\":[{\"Index_u32\":0,\"Pinned_bool\":true,\"Cpu_u32\":3,"
		       "\"BusyCycles_u64\":1010,\"IdleCycles_u64\":90}]}"),
		NULL};
	struct daemon d;

	assert_int_equal(ctl_against("lcore list --interval 1", answers, &d), 0);
	assert_non_null(strstr(output, "LAST 1 S"));
	assert_non_null(strstr(output, "10.0%"));
}

static void completion(void **)
{
	static const char *const hubs[] = {
		RESULT("{\"HubList\":[{\"HubName_str\":\"ALPHA\"},{\"HubName_str\":\"BETA\"}]}"),
		NULL};
	static const char *const users[] = {
		RESULT("{\"UserList\":[{\"Name_str\":\"ann\"},{\"Name_str\":\"bob\"}]}"), NULL};
	struct daemon d;

	assert_int_equal(ctl("completion words -- sta"), 0);
	assert_string_equal(output, "status\nstats\n");
	assert_int_equal(ctl("completion words -- mac ''"), 0);
	assert_string_equal(output, "list\ndelete\n");
	assert_int_equal(ctl("completion words -- stats --s"), 0);
	assert_string_equal(output, "--sessions\n--socket\n");
	assert_int_equal(ctl("completion words -- hub set x --no-enum ''"), 0);
	assert_string_equal(output, "no\nyes\n");
	assert_int_equal(ctl_against("completion words -- --json mac list ''", hubs, &d), 0);
	assert_string_equal(output, "ALPHA\nBETA\n");
	assert_int_equal(ctl_against("completion words -- user show ALPHA b", users, &d), 0);
	assert_string_equal(output, "bob\n");
	assert_non_null(strstr(d.requests[0], "\"HubName_str\":\"ALPHA\""));
	/* Without a daemon, and where nothing is known: nothing, and no message among what is typed. */
	assert_int_equal(ctl("completion words -- mac list ''"), 0);
	assert_string_equal(output, "");
	assert_string_equal(errors, "");
	assert_int_equal(ctl("completion words -- bogus ''"), 0);
	assert_string_equal(output, "");
	assert_int_equal(ctl("completion words"), 0);
	assert_non_null(strstr(output, "status\n"));
	assert_int_equal(ctl("completion bash"), 0);
	assert_non_null(strstr(output, "complete -o default -F _patchbayctl patchbayctl"));
}

static void shell_from_a_pipe(void **)
{
	static const char *const answers[] = {
		RESULT("{\"HubList\":[{\"HubName_str\":\"ALPHA\"}]}"), ERROR(8, "no hub"), NULL};
	struct daemon d;

	assert_int_equal(
		ctl_against("shell <<'END'\n# comment\n\n--json hub list\nmac list 'x y'\nEND\n",
			answers, &d),
		1);
	assert_string_equal(output, "{\"HubList\":[{\"HubName_str\":\"ALPHA\"}]}\n");
	assert_non_null(strstr(errors, "no hub"));
	assert_non_null(strstr(d.requests[1], "\"HubName_str\":\"x y\""));
	assert_int_equal(ctl("shell </dev/null"), 0);
	assert_int_equal(ctl("shell <<'END'\nexit\nbogus\nEND\n"), 0);
	assert_int_equal(ctl("shell <<'END'\n'open\nEND\n"), 2);
	assert_non_null(strstr(errors, "quote"));
}

static void rates_of_two_readings(void **)
{
#define STATS(in, dropped)                                                                        \
	RESULT("{\"StatsList\":[{\"Level_str\":\"hub\",\"Name_str\":\"H\",\"HubName_str\":\"H\"," \
	       "\"In_u64\":" #in ",\"DropIn.x_u64\":" #dropped                                    \
	       ",\"Sent_u64\":7,\"QueuedBytes_u64\":9},"                                          \
	       "{\"Level_str\":\"total\",\"Name_str\":\"\",\"HubName_str\":\"\",\"In_u64\":5}]}")
	static const char *const answers[] = {STATS(0, 0), STATS(4000000, 2000000), NULL};
	struct daemon d;
	unsigned long long in, drops, waiting;
	double seconds;

	assert_int_equal(ctl_against("--json watch hub --count 1", answers, &d), 0);
	assert_int_equal(sscanf(output, "{\"Seconds_real\":%lf", &seconds), 1);
	assert_int_equal(
		sscanf(strstr(output, "\"InFrames_u64\""), "\"InFrames_u64\":%llu", &in), 1);
	assert_int_equal(sscanf(strstr(output, "\"Drops_u64\""), "\"Drops_u64\":%llu", &drops), 1);
	assert_int_equal(
		sscanf(strstr(output, "\"Waiting_u64\""), "\"Waiting_u64\":%llu", &waiting), 1);
	/* One row of one level, and rates over the time that is told. */
	assert_null(strstr(strstr(output, "InFrames_u64") + 1, "InFrames_u64"));
	assert_true(seconds >= 1.0);
	assert_true((double)in * seconds > 3999900.0 && (double)in * seconds < 4000100.0);
	assert_true((double)drops * seconds > 1999900.0 && (double)drops * seconds < 2000100.0);
	assert_int_equal(waiting, 9);
	assert_int_equal(ctl("watch hub --interval 0"), 2);
}

static int setup(void **)
{
	strcpy(dir, "/tmp/ctl-test.XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	return 0;
}

static int teardown(void **)
{
	unlink(path);
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_usage_is_2),
		cmocka_unit_test(help_at_every_level),
		cmocka_unit_test(no_daemon_is_1),
		cmocka_unit_test(errors_of_the_daemon_are_1),
		cmocka_unit_test(tables_and_json),
		cmocka_unit_test(sessions_of_all_hubs),
		cmocka_unit_test(books_and_their_balance),
		cmocka_unit_test(busy_share_over_an_interval),
		cmocka_unit_test(completion),
		cmocka_unit_test(shell_from_a_pipe),
		cmocka_unit_test(rates_of_two_readings),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
