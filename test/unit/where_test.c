/* SPDX-License-Identifier: BSD-3-Clause */
/* From where administrators may come (controlplane/admin/where.h): the file's lines, and who they allow. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/admin/where.h"
#include "controlplane/control.h"

/* No loop runs here: nothing is looked at in the background. */
struct event_base *control_base(void)
{
	return NULL;
}

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage out = {0};
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&out;

	if (strchr(text, ':') != NULL) {
		v6->sin6_family = AF_INET6;
		assert_int_equal(inet_pton(AF_INET6, text, &v6->sin6_addr), 1);
	} else {
		v4->sin_family = AF_INET;
		assert_int_equal(inet_pton(AF_INET, text, &v4->sin_addr), 1);
	}
	return out;
}

static bool allows(const char *rules, const char *from, const char *hub)
{
	struct sockaddr_storage peer = address(from);
	struct where_rules r;
	bool ok;

	assert_int_equal(where_parse(rules, &r), 0);
	assert_int_equal(r.wrong, 0);
	ok = where_rules_allow(&r, &peer, hub);
	where_rules_free(&r);
	return ok;
}

static void who_is_allowed(void **)
{
	static const struct {
		const char *rules, *from, *hub;
		bool allowed;
	} cases[] = {
		{"", "192.0.2.1", "", false},
		{"# nobody\n\n// at all\n", "127.0.0.1", "", false},
		{"*", "192.0.2.1", "", true},
		{"*", "2001:db8::1", "A", true},
		{"192.0.2.1", "192.0.2.1", "", true},
		{"192.0.2.1", "192.0.2.2", "", false},
		{"192.0.2.1", "::ffff:192.0.2.1", "", true},
		{"192.0.2.0/24", "192.0.2.255", "A", true},
		{"192.0.2.0/255.255.255.0", "192.0.3.0", "A", false},
		{"192.0.2.0/255.255.255.0\r\n", "192.0.2.9", "A", true},
		{"2001:db8::/32", "2001:db8:1::1", "", true},
		{"2001:db8::/32", "2001:db9::1", "", false},
		{"2001:db8::/32", "192.0.2.1", "", false},
		{"0.0.0.0/0", "192.0.2.1", "", true},
		{"0.0.0.0/0", "2001:db8::1", "", false},
		{"192.0.2.1 SALES", "192.0.2.1", "", false},
		{"192.0.2.1 SALES", "192.0.2.1", "sales", true},
		{"192.0.2.1 SALES", "192.0.2.1", "OTHER", false},
		{" \t192.0.2.1 \t A HUB \t# with a blank", "192.0.2.1", "a hub", true},
		{"* SALES // all", "2001:db8::1", "SALES", true},
		{"* SALES\n192.0.2.1", "192.0.2.1", "", true},
		{"10.0.0.1\n10.0.0.2\n10.0.0.3\n10.0.0.4\n10.0.0.5\n", "10.0.0.5", "", true},
	};

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (allows(cases[i].rules, cases[i].from, cases[i].hub) != cases[i].allowed)
			fail_msg("%s: %s hub %s", cases[i].rules, cases[i].from, cases[i].hub);
}

/* What is no rule allows nobody, and is counted; the others hold. */
static void lines_that_are_none(void **)
{
	static const char text[] =
		"10.0.0.1\nnonsense\n10.0.0.0/33\n10.0.0.256\n*x\n2001:db8::/129\n10.0.0.9\n";
	struct sockaddr_storage peer = address("10.0.0.9");
	char long_hub[400];
	struct where_rules r;

	assert_int_equal(where_parse(text, &r), 0);
	assert_int_equal(r.cnt, 2);
	assert_int_equal(r.wrong, 5);
	assert_int_equal(r.wrong_line, 2);
	assert_true(where_rules_allow(&r, &peer, ""));
	where_rules_free(&r);
	snprintf(long_hub, sizeof(long_hub), "* %0300d\n", 0);
	assert_int_equal(where_parse(long_hub, &r), 0);
	assert_int_equal(r.cnt, 0);
	assert_int_equal(r.wrong, 1);
	where_rules_free(&r);
}

static void as_many_as_there_may_be(void **)
{
	static char text[(WHERE_RULES_MAX + 10) * 2 + 1];
	struct where_rules r;

	for (unsigned i = 0; i < WHERE_RULES_MAX + 10; i++)
		memcpy(text + i * (size_t)2, "*\n", 2);
	assert_int_equal(where_parse(text, &r), 0);
	assert_int_equal(r.cnt, WHERE_RULES_MAX);
	assert_int_equal(r.wrong, 10);
	where_rules_free(&r);
}

/* Without a file everybody may try; a link that leads nowhere is no such case. */
static void no_file(void **)
{
	struct sockaddr_storage peer = address("192.0.2.1");
	char dir[] = "/tmp/pb-where-XXXXXX", path[64];

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/" WHERE_FILE, dir);
	assert_int_equal(admin_where_init(dir), 0);
	assert_true(admin_where_allows(&peer, ""));
	admin_where_fini();
	assert_int_equal(symlink("nowhere", path), 0);
	assert_int_equal(admin_where_init(dir), 0);
	assert_false(admin_where_allows(&peer, ""));
	/* No helper runs here: it is looked at once. */
	assert_int_equal(unlink(path), 0);
	admin_where_look(true);
	assert_true(admin_where_allows(&peer, ""));
	admin_where_fini();
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(who_is_allowed),
		cmocka_unit_test(lines_that_are_none),
		cmocka_unit_test(as_many_as_there_may_be),
		cmocka_unit_test(no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
