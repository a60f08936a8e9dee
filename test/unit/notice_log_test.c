/* SPDX-License-Identifier: BSD-3-Clause */
/* What workers noticed, as lines of the log: who, what, why; bounded; nobody forges a line. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "controlplane/bridges.h"
#include "controlplane/log.h"
#include "controlplane/notice_log.h"
#include "controlplane/registry.h"
#include "dataplane/lcore.h"
#include "dataplane/notice.h"

#define SESSION_PORT 7u
#define BRIDGE_PORT  8u
#define OTHER_PORT   9u
#define WORKERS	     2u

static struct directory_hub hub = {.name = "OFFICE"}, other_hub = {.name = "LAB"};
static struct vpn_session session = {.name = "SID-EVE-3", .hub = &hub};
static struct vpn_session other = {.name = "SID-BOB-1", .hub = &other_hub};
static struct local_bridge bridge = {.session_name = "SID-LOCALBRIDGE-1", .hub = &hub};

/* Workers of the test: what waits, all alike. */
static struct notice waiting[WORKERS];
static unsigned waiting_cnt[WORKERS];
static uint64_t lost_cnt[WORKERS];

struct vpn_session *registry_session_by_port(uint32_t port_idx)
{
	return port_idx == SESSION_PORT ? &session : port_idx == OTHER_PORT ? &other : NULL;
}

struct local_bridge *bridges_by_port(uint32_t port_idx)
{
	return port_idx == BRIDGE_PORT ? &bridge : NULL;
}

unsigned lcore_count(void)
{
	return WORKERS;
}

unsigned notice_take(unsigned worker, struct notice *out, unsigned max, uint64_t *lost)
{
	unsigned n = waiting_cnt[worker] < max ? waiting_cnt[worker] : max;

	assert_true(worker < WORKERS);
	for (unsigned i = 0; i < n; i++)
		out[i] = waiting[worker];
	waiting_cnt[worker] -= n;
	*lost = lost_cnt[worker];
	return n;
}

static struct notice violation(enum stats_drop_in reason)
{
	return (struct notice){
		.kind = NOTICE_VIOLATION,
		.reason = reason,
		.port_idx = SESSION_PORT,
		.mac = UINT64_C(0x0200000000fe),
	};
}

#define assert_text(n, text_)                           \
	do {                                            \
		char got_[NOTICE_LOG_TEXT];             \
		notice_log_text(n, got_, sizeof(got_)); \
		assert_string_equal(got_, text_);       \
	} while (0)

static void test_texts(void **)
{
	struct notice n = violation(STATS_DROP_IN_MAC_LIMIT);

	assert_text(&n,
		"SID-EVE-3 in hub \"OFFICE\": frame from 02:00:00:00:00:fe dropped: new source "
		"MAC, the port holds as many as it may (mac_limit)");
	n = violation(STATS_DROP_IN_IP_CONFLICT);
	n.vlan = 12;
	memcpy(n.src, (uint8_t[16]){[10] = 0xff, 0xff, 10, 0, 0, 5}, 16);
	memcpy(n.dst, (uint8_t[16]){0xfe, 0x80, [15] = 9}, 16);
	assert_text(&n,
		"SID-EVE-3 in hub \"OFFICE\": frame from 02:00:00:00:00:fe VLAN 12 10.0.0.5 to "
		"fe80::9 dropped: source IP address was in use on another port within 13 s "
		"(ip_conflict)");
	n = (struct notice){.kind = NOTICE_LOOP,
		.port_idx = SESSION_PORT,
		.other_idx = BRIDGE_PORT,
		.mac = 0x0200deadbeef};
	assert_text(&n,
		"loop: frames from 02:00:de:ad:be:ef of SID-LOCALBRIDGE-1 in hub \"OFFICE\" come "
		"back through SID-EVE-3 in hub \"OFFICE\"");
	n.kind = NOTICE_BLOCKED;
	n.other_idx = 99;
	assert_text(&n,
		"loop: SID-EVE-3 in hub \"OFFICE\" is blocked for a time, because of a loop with a "
		"session that has ended");
}

/* The longest names fit with everything else; a hub that is gone is no pointer to follow. */
static void test_long_names(void **)
{
	struct notice n = {
		.kind = NOTICE_LOOP, .port_idx = SESSION_PORT, .other_idx = SESSION_PORT};
	char text[NOTICE_LOG_TEXT];

	memset(session.name, 's', sizeof(session.name) - 1);
	memset(hub.name, 'h', sizeof(hub.name) - 1);
	notice_log_text(&n, text, sizeof(text));
	assert_string_equal(text + strlen(text) - 2, "h\"");
	memset(session.name, 0, sizeof(session.name));
	strcpy(session.name, "SID-EVE-3");
	memset(hub.name, 0, sizeof(hub.name));
	strcpy(hub.name, "OFFICE");
	bridge.hub = NULL;
	n.port_idx = BRIDGE_PORT;
	notice_log_text(&n, text, sizeof(text));
	assert_non_null(strstr(text, "SID-LOCALBRIDGE-1 in hub \"\""));
	bridge.hub = &hub;
}

static unsigned lines_with(const char *path, const char *what)
{
	char line[4096];
	unsigned cnt = 0;
	FILE *f = fopen(path, "r");

	assert_non_null(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		cnt += strstr(line, what) != NULL;
	}
	fclose(f);
	return cnt;
}

static void test_bounded(void **)
{
	char path[] = "/tmp/patchbay-notice-log-test.XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	strcpy(session.name, "SID-\x1b[2J\nEVE");
	assert_int_equal(log_init(path, LOG_LEVEL_INFO), 0);
	/* More than rings hold: what is left is for the next second. */
	waiting[0] = violation(STATS_DROP_IN_STORM);
	waiting_cnt[0] = NOTICE_RING + 44;
	waiting[1] = violation(STATS_DROP_IN_IP_CONFLICT);
	waiting_cnt[1] = 1;
	notice_log_run();
	assert_int_equal(waiting_cnt[0], 44);
	assert_int_equal(waiting_cnt[1], 0);
	notice_log_run();
	assert_int_equal(waiting_cnt[0], 0);
	log_fini();
	/* A storm says some lines, and hides nothing else. */
	assert_in_range(lines_with(path, "(storm)"), 1, 10);
	assert_int_equal(lines_with(path, "(ip_conflict)"), 1);
	assert_int_equal(lines_with(path, "\x1b"), 0);
	assert_true(lines_with(path, "SID-?[2J?EVE in hub") > 0);
	unlink(path);
}

/* `cnt` notices of one kind about this port. */
static void noticed(enum notice_kind kind, enum stats_drop_in reason, uint32_t port, unsigned cnt)
{
	waiting[0] = violation(reason);
	waiting[0].kind = kind;
	waiting[0].port_idx = port;
	for (waiting_cnt[0] = cnt; waiting_cnt[0] > 0;)
		notice_log_run();
}

/* What happens in one hub takes nothing from what is said of another. */
static void test_each_hub_for_itself(void **)
{
	char path[] = "/tmp/patchbay-notice-log-test.XXXXXX";
	struct notice_log_counters before, after;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(log_init(path, LOG_LEVEL_INFO), 0);
	noticed(NOTICE_VIOLATION, STATS_DROP_IN_UPLOAD, SESSION_PORT, 100);
	noticed(NOTICE_VIOLATION, STATS_DROP_IN_UPLOAD, OTHER_PORT, 1);
	log_fini();
	assert_in_range(lines_with(path, "in hub \"OFFICE\": frame from"), 1, 20);
	assert_int_equal(lines_with(path, "SID-BOB-1 in hub \"LAB\": frame from"), 1);
	unlink(path);
	/* Stations, of which there are many more lines, stand in the security log alone. */
	notice_log_counters(&before);
	noticed(NOTICE_LEARNED, 0, SESSION_PORT, 2000);
	notice_log_counters(&after);
	assert_in_range(after.held - before.held, 1000, 1999);
	before = after;
	noticed(NOTICE_LEARNED, 0, OTHER_PORT, 500);
	notice_log_counters(&after);
	assert_int_equal(after.held, before.held);
}

/* What found no room on a worker is counted, and said once when it is over: of all of them together. */
static void test_lost(void **)
{
	char path[] = "/tmp/patchbay-notice-log-test.XXXXXX";
	struct notice_log_counters c;
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(log_init(path, LOG_LEVEL_INFO), 0);
	lost_cnt[0] = 7;
	notice_log_run();
	lost_cnt[1] = 3;
	notice_log_run();
	notice_log_counters(&c);
	assert_int_equal(c.lost, 10);
	/* In the second of their coming it is not over, then it is, and then it has been said. */
	notice_log_run();
	notice_log_run();
	lost_cnt[1] = 4;
	notice_log_run();
	notice_log_run();
	log_fini();
	assert_int_equal(lines_with(path, "nobody was told of"), 2);
	assert_int_equal(lines_with(path, "10 stations"), 1);
	assert_int_equal(lines_with(path, "1 stations"), 1);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_each_hub_for_itself),
		cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
