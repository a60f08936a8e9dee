/* SPDX-License-Identifier: BSD-3-Clause */
/* Failed logins: the delay grows, belongs to one source, ends with success or time, and the table has an end. */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "controlplane/throttle.h"

static struct throttle *t;
static uint64_t now = 1000000;

static struct sockaddr *from(const char *text)
{
	static struct sockaddr_storage ss;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *v4 = (struct sockaddr_in *)&ss;

	ss = (struct sockaddr_storage){0};
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		ss.ss_family = AF_INET6;
	return (struct sockaddr *)&ss;
}

static uint32_t wait_for(const char *ip, const char *account)
{
	return throttle_wait_ms(t, from(ip), account, now);
}

static uint32_t fail_from(const char *ip, const char *account)
{
	return throttle_failed(t, from(ip), account, now);
}

static int setup(void **)
{
	t = throttle_create();
	return t == NULL;
}

static int teardown(void **)
{
	throttle_destroy(t);
	return 0;
}

static void the_delay_grows(void **)
{
	uint32_t expected = THROTTLE_STEP_MS;

	for (uint32_t i = 1; i < THROTTLE_FREE; i++) {
		assert_int_equal(fail_from("192.0.2.1", "H/u"), i);
		assert_int_equal(wait_for("192.0.2.1", "H/u"), 0);
	}
	for (uint32_t i = THROTTLE_FREE; i < 40; i++) {
		assert_int_equal(fail_from("192.0.2.1", "H/u"), i);
		assert_int_equal(wait_for("192.0.2.1", "h/U"), expected);
		now += expected - 1;
		assert_int_equal(wait_for("192.0.2.1", "H/u"), 1);
		now++;
		if (i < THROTTLE_SOURCE_FREE)
			assert_int_equal(wait_for("192.0.2.1", "H/u"), 0);
		expected = expected * 2 < THROTTLE_MAX_MS ? expected * 2 : THROTTLE_MAX_MS;
	}
}

/* Whatever somebody does elsewhere: the account is as it was from here. */
static void nobody_locks_out_somebody_else(void **)
{
	for (int i = 0; i < 100; i++)
		fail_from("192.0.2.1", "H/victim");
	assert_int_equal(wait_for("192.0.2.1", "H/victim"), THROTTLE_MAX_MS);
	assert_int_equal(wait_for("192.0.2.2", "H/victim"), 0);
	/* Many failures make the source as a whole wait. */
	assert_int_equal(wait_for("192.0.2.1", "H/other"), THROTTLE_MAX_MS);
}

static void a_few_failures_do_not_touch_other_accounts(void **)
{
	for (unsigned i = 0; i < THROTTLE_SOURCE_FREE - 1; i++)
		fail_from("192.0.2.1", "H/u");
	assert_true(wait_for("192.0.2.1", "H/u") > 0);
	assert_int_equal(wait_for("192.0.2.1", "H/v"), 0);
	assert_int_equal(wait_for("192.0.2.1", "G/u"), 0);
}

/* Behind one address there are many; who is known there does not suffer for the others. */
static void who_has_succeeded_does_not_wait_for_others(void **)
{
	throttle_succeeded(t, from("192.0.2.1"), "H/good", now);
	for (int i = 0; i < 100; i++)
		fail_from("192.0.2.1", "H/bad");
	assert_int_equal(wait_for("192.0.2.1", "H/good"), 0);
	assert_int_equal(wait_for("192.0.2.1", "H/new"), THROTTLE_MAX_MS);
	fail_from("192.0.2.1", "H/good");
	assert_int_equal(wait_for("192.0.2.1", "H/good"), THROTTLE_MAX_MS);
}

static void success_and_time_forget(void **)
{
	for (int i = 0; i < 5; i++)
		fail_from("192.0.2.1", "H/u");
	throttle_succeeded(t, from("192.0.2.1"), "h/u", now);
	assert_int_equal(wait_for("192.0.2.1", "H/u"), 0);
	assert_int_equal(fail_from("192.0.2.1", "H/u"), 1);
	for (int i = 0; i < 5; i++)
		fail_from("192.0.2.1", "H/u");
	now += THROTTLE_FORGET_MS;
	assert_int_equal(wait_for("192.0.2.1", "H/u"), 0);
	assert_int_equal(fail_from("192.0.2.1", "H/u"), 1);
}

static void sources_of_ipv6_are_64_bits_wide(void **)
{
	for (int i = 0; i < 5; i++)
		fail_from("2001:db8:0:1::1", "H/u");
	assert_true(wait_for("2001:db8:0:1:ffff::2", "H/u") > 0);
	assert_int_equal(wait_for("2001:db8:0:2::1", "H/u"), 0);
	for (int i = 0; i < 5; i++)
		fail_from("::ffff:192.0.2.1", "H/u");
	assert_true(wait_for("192.0.2.1", "H/u") > 0);
	assert_int_equal(wait_for("192.0.2.2", "H/u"), 0);
}

/* When it is full, the oldest goes; the newest is still known. */
static void the_table_has_an_end(void **)
{
	char account[32];

	for (int i = 0; i < 5; i++)
		fail_from("192.0.2.1", "H/old");
	for (unsigned i = 0; i < THROTTLE_ENTRIES + 10; i++) {
		snprintf(account, sizeof(account), "H/%u", i);
		for (int k = 0; k < 3; k++)
			fail_from("192.0.2.9", account);
	}
	assert_int_equal(wait_for("192.0.2.1", "H/old"), 0);
	assert_true(wait_for("192.0.2.9", account) > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
		T(the_delay_grows),
		T(nobody_locks_out_somebody_else),
		T(a_few_failures_do_not_touch_other_accounts),
		T(who_has_succeeded_does_not_wait_for_others),
		T(success_and_time_forget),
		T(sources_of_ipv6_are_64_bits_wide),
		T(the_table_has_an_end),
#undef T
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
