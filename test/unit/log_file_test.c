/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Logs on disk and to a syslog server: one name, nothing lost and nothing half when the file is changed; a full disk
 * and a stuck server cost lines that are counted and told once.
 */

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/logs/log_file.h"
#include "controlplane/logs/log_walk.h"
#include "controlplane/logs/syslog_out.h"

static char root[64], folder[128];

static int setup(void **)
{
	strcpy(root, "/tmp/patchbay-log-test.XXXXXX");
	if (mkdtemp(root) == NULL)
		return -1;
	snprintf(folder, sizeof(folder), "%s/security_log/HUB", root);
	return 0;
}

static int teardown(void **)
{
	char command[96];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	return system(command);
}

static struct tm day(int d, int hour)
{
	return (struct tm){.tm_year = 126, .tm_mon = 10, .tm_mday = d, .tm_hour = hour};
}

static void say(struct log_file *f, const struct tm *now, unsigned n)
{
	char text[32];

	snprintf(text, sizeof(text), "line %u", n);
	log_file_line(f, now, text, strlen(text));
}

/* The whole file, NUL behind it; "" if there is none. */
static char *content(const char *name)
{
	static char bytes[65536];
	char path[400];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, O_RDONLY);
	n = fd >= 0 ? read(fd, bytes, sizeof(bytes) - 1) : 0;
	if (fd >= 0)
		close(fd);
	bytes[n > 0 ? n : 0] = '\0';
	return bytes;
}

static void test_by_time(void **)
{
	struct tm one = day(26, 1), two = day(27, 0), three = day(27, 5);
	struct log_file f;

	log_file_init(&f, folder, "sec", "\r\n");
	say(&f, &one, 1);
	log_file_flush(&f);
	assert_string_equal(content("sec.log"), "line 1\r\n");
	/* Today the file on disk is not of that day: its time is told by its first line. */
	say(&f, &two, 2);
	say(&f, &three, 3);
	log_file_flush(&f);
	assert_string_equal(content("sec.log"), "line 2\r\nline 3\r\n");
	assert_string_equal(content("sec_20261126.log"), "line 1\r\n");
	/* By the hour from now on. */
	log_file_set(&f, LOG_SWITCH_HOUR, LOG_FILE_SIZE_MAX);
	say(&f, &three, 4);
	log_file_close(&f);
	assert_string_equal(content("sec.log"), "line 4\r\n");
	assert_string_equal(content("sec_20261127.log"), "line 2\r\nline 3\r\n");
	assert_int_equal(f.written, 4);
	assert_int_equal(f.lost, 0);
}

static void test_by_size(void **)
{
	struct tm now = day(26, 1);
	struct log_file f;

	log_file_init(&f, folder, "sec", "\n");
	log_file_set(&f, LOG_SWITCH_NONE, 16);
	for (unsigned i = 0; i < 6; i++)
		say(&f, &now, i);
	log_file_close(&f);
	assert_string_equal(content("sec~01.log"), "line 0\nline 1\n");
	assert_string_equal(content("sec~02.log"), "line 2\nline 3\n");
	assert_string_equal(content("sec.log"), "line 4\nline 5\n");
}

/* A restart goes on in the file of today, and puts one of another day aside by its own time. */
static void test_found(void **)
{
	struct timespec old[2] = {{.tv_sec = 1000000000}, {.tv_sec = 1000000000}};
	time_t t = time(NULL);
	char path[256];
	struct log_file f;
	struct tm now;

	localtime_r(&t, &now);
	log_file_init(&f, folder, "sec", "\n");
	say(&f, &now, 1);
	log_file_close(&f);
	say(&f, &now, 2);
	log_file_close(&f);
	assert_string_equal(content("sec.log"), "line 1\nline 2\n");
	snprintf(path, sizeof(path), "%s/sec.log", folder);
	assert_int_equal(utimensat(AT_FDCWD, path, old, 0), 0);
	say(&f, &now, 3);
	log_file_close(&f);
	assert_string_equal(content("sec.log"), "line 3\n");
	localtime_r(&old[0].tv_sec, &now);
	snprintf(path, sizeof(path), "sec_%04d%02d%02d.log", now.tm_year + 1900, now.tm_mon + 1,
		now.tm_mday);
	assert_string_equal(content(path), "line 1\nline 2\n");
}

static void fresh(void)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/sec.log", folder);
	assert_int_equal(unlink(path), 0);
}

/* Names that are taken are left alone. */
static void test_never_over(void **)
{
	struct tm one = day(26, 1), two = day(27, 1);
	struct log_file f;

	for (unsigned i = 0; i < 3; i++) {
		log_file_init(&f, folder, "sec", "\n");
		say(&f, &one, i);
		log_file_flush(&f);
		say(&f, &two, 9);
		log_file_close(&f);
		fresh();
	}
	assert_string_equal(content("sec_20261126.log"), "line 0\n");
	assert_string_equal(content("sec_20261126~01.log"), "line 1\n");
	assert_string_equal(content("sec_20261126~02.log"), "line 2\n");
}

/* The disk takes some bytes and then no more: whole lines stay, the others are counted, and it is told once. */
static void test_full(void **)
{
	struct rlimit was, small;
	struct tm now = day(26, 1);
	struct log_file f;
	char *text;

	log_file_init(&f, folder, "sec", "\n");
	say(&f, &now, 0);
	log_file_flush(&f);
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = (struct rlimit){.rlim_cur = 17, .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (unsigned i = 1; i < 5; i++)
		say(&f, &now, i);
	log_file_flush(&f);
	/* 7 bytes a line: room for one more and half of another. */
	assert_string_equal(content("sec.log"), "line 0\nline 1\n");
	assert_int_equal(f.lost, 3);
	say(&f, &now, 5);
	log_file_flush(&f);
	assert_int_equal(f.untold, 4);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	f.retry_s = 0;
	say(&f, &now, 6);
	say(&f, &now, 7);
	log_file_close(&f);
	text = content("sec.log");
	assert_memory_equal(text, "line 0\nline 1\n{\"time\":", 22);
	assert_non_null(strstr(text,
		"\"event\":\"lines lost\",\"lines\":4,\"error\":\"File too large\"}\n"
		"line 6\nline 7\n"));
	assert_null(strstr(strstr(text, "lines lost") + 1, "lines lost"));
	assert_int_equal(f.lost, 4);
	assert_int_equal(f.untold, 0);
}

/*
 * A disk that is full for long, with more lines than the buffer holds: each is on the disk or counted, whether it was lost
 * at a flush, for want of room in the buffer, or together with the line that was to tell of the others.
 */
static void test_each_line_is_counted(void **)
{
	struct rlimit was, small;
	struct tm now = day(26, 1);
	struct log_file f;
	unsigned said = 0, there = 0;

	log_file_init(&f, folder, "sec", "\n");
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	small = (struct rlimit){.rlim_cur = 100, .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (unsigned turn = 0; turn < 3; turn++) {
		for (unsigned i = 0; i < 2 * LOG_FILE_BUFFER / 10; i++)
			say(&f, &now, said++);
		f.retry_s = 0;
		say(&f, &now, said++);
		log_file_flush(&f);
		assert_int_equal(f.written + f.lost, said);
	}
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	for (const char *at = content("sec.log"); (at = strchr(at, '\n')) != NULL; at++)
		there++;
	assert_int_equal(there, f.written);
	log_file_close(&f);
}

/* A folder that cannot be made, and can be later. */
static void test_no_folder(void **)
{
	char blocked[128];
	struct tm now = day(26, 1);
	struct log_file f;
	int fd;

	snprintf(blocked, sizeof(blocked), "%s/security_log", root);
	fd = open(blocked, O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	log_file_init(&f, folder, "sec", "\r\n");
	say(&f, &now, 1);
	say(&f, &now, 2);
	assert_int_equal(f.lost, 2);
	assert_int_equal(f.error, ENOTDIR);
	assert_int_equal(unlink(blocked), 0);
	f.retry_s = 0;
	say(&f, &now, 3);
	log_file_close(&f);
	assert_string_equal(content("sec.log"),
		"2026-11-26 01:00:00.000 lines lost lines=2 error=\"Not a directory\"\r\nline 3\r\n");
}

/* ---- paths ------------------------------------------------------------------------------------ */

static void test_paths(void **)
{
	static const char *const good[] = {"server_log/vpn.log", "server_log/vpn_20261126.log",
		"security_log/HUB/sec.log", "packet_log/A b.c/pkt_2026112613~01.log"};
	static const char *const bad[] = {"", "/etc/passwd", "server_log/../x.log",
		"server_log/vpn", "security_log/sec.log", "security_log/../sec.log",
		"security_log/./sec.log", "security_log/HUB/../sec.log", "security_log/HUB/vpn.log",
		"packet_log/H/pkt.log/x", "packet_log//pkt.log", "server_log/vpn_%s.log",
		"server_log//vpn.log"};
	struct log_walk_file f;

	for (unsigned i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		if (!log_walk_parse(good[i], &f))
			fail_msg("%s", good[i]);
	assert_true(log_walk_parse(good[2], &f));
	assert_string_equal(f.hub, "HUB");
	assert_false(f.aside);
	assert_true(log_walk_parse(good[3], &f));
	assert_true(f.aside);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (log_walk_parse(bad[i], &f))
			fail_msg("%s", bad[i]);
}

static void count_file(void *ctx, const struct log_walk_file *f)
{
	unsigned *n = ctx;

	(*n)++;
	assert_string_equal(f->path, "security_log/HUB/sec.log");
	assert_int_equal(f->bytes, 7);
}

static void test_walk(void **)
{
	struct tm now = day(26, 1);
	struct log_walk_file f;
	struct log_file log;
	char path[256], bytes[16];
	unsigned n = 0;

	log_file_init(&log, folder, "sec", "\n");
	say(&log, &now, 1);
	log_file_close(&log);
	/* A link, and a file that is none of ours. */
	snprintf(path, sizeof(path), "%s/sec_1.log", folder);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	snprintf(path, sizeof(path), "%s/notes.txt", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	log_walk(root, count_file, &n);
	assert_int_equal(n, 1);
	assert_int_equal(log_walk_read(root, "security_log/HUB/sec.log", 5, bytes, 16, &f), 2);
	assert_memory_equal(bytes, "1\n", 2);
	assert_int_equal(log_walk_read(root, "security_log/HUB/sec.log", 7, bytes, 16, &f), 0);
	assert_true(log_walk_read(root, "security_log/HUB/sec_1.log", 0, bytes, 16, &f) < 0);
	assert_int_equal(log_walk_read(root, "security_log/NO/sec.log", 0, bytes, 16, &f), -ENOENT);
}

/* ---- syslog ----------------------------------------------------------------------------------- */

/* Nobody reads: the socket is full soon, nothing waits, and who reads again hears how many were lost. */
static void test_stuck_syslog(void **)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct sockaddr_storage to;
	struct syslog_out s;
	char text[4096], path[sizeof(root) + 16];
	uint64_t sent, lost;
	socklen_t bytes;
	ssize_t n;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	snprintf(path, sizeof(path), "%s/log", root);
	snprintf(name.sun_path, sizeof(name.sun_path), "%s", path);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(syslog_address(path, 514, &to, &bytes), 0);
	syslog_out_init(&s);
	syslog_out_target(&s, &to, bytes);
	syslog_out_line(&s, SYSLOG_SECURITY, "2026-11-26T13:57:27.904Z", "HUB", "login 利用者", 16);
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_memory_equal(text, "<85>1 2026-11-26T13:57:27.904Z ", 31);
	assert_non_null(strstr(text, " patchbayd "));
	assert_non_null(strstr(text, " security [hub@0 name=\"HUB\"] login 利用者"));
	for (unsigned i = 0; i < 20000 && s.lost < 100; i++)
		syslog_out_line(&s, SYSLOG_PACKET, "-", "HUB", "x", 1);
	assert_true(s.lost >= 100);
	sent = s.sent;
	lost = s.lost;
	while (recv(fd, text, sizeof(text), 0) > 0)
		;
	syslog_out_line(&s, SYSLOG_PACKET, "-", "HUB", "y", 1);
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	text[n] = '\0';
	assert_non_null(
		strstr(text, "lines lost lines=100 error=\"Resource temporarily unavailable\""));
	n = recv(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0 && text[n - 1] == 'y');
	assert_int_equal(s.sent, sent + 1);
	assert_int_equal(s.lost, lost);
	/* The server is gone: counted, and nothing else. */
	close(fd);
	unlink(path);
	syslog_out_line(&s, SYSLOG_SERVER, "-", "", "z", 1);
	assert_int_equal(s.lost, lost + 1);
	syslog_out_close(&s);
	assert_int_equal(syslog_address("192.0.2.1", 514, &to, &bytes), 0);
	assert_int_equal(syslog_address("not an address", 514, &to, &bytes), -EINVAL);
}

/* A field of a record in journald's protocol; NULL: it has none of that name. *n: its length. */
static const char *field_of(const char *text, size_t left, const char *name, size_t *n)
{
	size_t len = strlen(name);

	while (left > 0) {
		const char *end = memchr(text, '\n', left), *value = memchr(text, '=', left);
		uint64_t bytes = 0;

		assert_non_null(end);
		if (value != NULL && value < end) {
			*n = (size_t)(end - value) - 1;
			if ((size_t)(value - text) == len && memcmp(text, name, len) == 0)
				return value + 1;
			left -= (size_t)(end + 1 - text);
			text = end + 1;
			continue;
		}
		memcpy(&bytes, end + 1, sizeof(bytes));
		*n = bytes;
		value = end + 1 + sizeof(bytes);
		assert_true(value + bytes < text + left && value[bytes] == '\n');
		if ((size_t)(end - text) == len && memcmp(text, name, len) == 0)
			return value;
		left -= (size_t)(value + bytes + 1 - text);
		text = value + bytes + 1;
	}
	return NULL;
}

#define assert_field(name, want)                                      \
	do {                                                          \
		size_t len_ = 0;                                      \
		const char *got_ = field_of(text, size, name, &len_); \
		assert_non_null(got_);                                \
		assert_int_equal(len_, strlen(want));                 \
		assert_memory_equal(got_, want, len_);                \
	} while (0)

/* To journald's socket, and to no other, go its own records: fields, of which none can hold another. */
static void test_journald(void **)
{
	static char text[2 * JOURNAL_LINE_MAX], line[JOURNAL_LINE_MAX - 600];
	struct sockaddr_storage to, there;
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	const char *forged = "a\nPRIORITY=0\nb";
	struct syslog_out s;
	socklen_t bytes, there_bytes;
	size_t size, len;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s/log", root);
	assert_int_equal(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	assert_int_equal(syslog_address("journald", 0, &to, &bytes), 0);
	assert_string_equal(((struct sockaddr_un *)&to)->sun_path, JOURNAL_SOCKET);
	assert_int_equal(syslog_address(name.sun_path, 0, &there, &there_bytes), 0);
	syslog_out_init(&s);
	syslog_out_target(&s, &there, there_bytes);
	assert_false(s.journal);
	syslog_out_target(&s, &to, bytes);
	assert_true(s.journal);
	/* The real socket is not the test's. */
	s.to = there;
	syslog_out_line(
		&s, SYSLOG_SECURITY, "2026-11-26T13:57:27.904Z", "HUB", forged, strlen(forged));
	size = (size_t)recv(fd, text, sizeof(text), 0);
	assert_field("MESSAGE", forged);
	assert_field("PRIORITY", "5");
	assert_field("SYSLOG_FACILITY", "10");
	assert_field("SYSLOG_IDENTIFIER", "patchbayd");
	assert_field("PATCHBAY_LOG", "security");
	assert_field("PATCHBAY_HUB", "HUB");
	assert_field("PATCHBAY_TIME", "2026-11-26T13:57:27.904Z");
	/* All of a long line. */
	memset(line, 'x', sizeof(line));
	syslog_out_line(&s, SYSLOG_PACKET, "-", "", line, sizeof(line));
	size = (size_t)recv(fd, text, sizeof(text), 0);
	assert_non_null(field_of(text, size, "MESSAGE", &len));
	assert_int_equal(len, sizeof(line));
	assert_field("PRIORITY", "6");
	assert_null(field_of(text, size, "PATCHBAY_HUB", &len));
	assert_int_equal(s.lost, 0);
	/* And back to the other form. */
	syslog_out_target(&s, &there, there_bytes - 1);
	assert_false(s.journal);
	close(fd);
	unlink(name.sun_path);
	syslog_out_close(&s);
}

#define FILE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FILE_TEST(test_by_time),
		FILE_TEST(test_by_size),
		FILE_TEST(test_found),
		FILE_TEST(test_never_over),
		FILE_TEST(test_full),
		FILE_TEST(test_each_line_is_counted),
		FILE_TEST(test_no_folder),
		cmocka_unit_test(test_paths),
		FILE_TEST(test_walk),
		FILE_TEST(test_stuck_syslog),
		FILE_TEST(test_journald),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
