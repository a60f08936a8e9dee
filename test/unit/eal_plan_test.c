/* SPDX-License-Identifier: BSD-3-Clause */
/* Which thread runs where, for machines we do not have. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/eal.h"

/* CPUs as text: "0-3" is "0123"; workers' CPUs in order; asked: per worker, '.' = chosen. */
static const struct {
	const char *allowed;
	unsigned workers;
	const char *asked;
	const char *expected; /* per worker */
	const char *control;
} cases[] = {
	{"01", 1, "", "1", "0"}, /* the embedded default on two cores */
	{"0", 1, "", "0", "0"},
	{"0", 3, "", "000", "0"},
	{"01", 2, "", "10", "01"},
	{"01", 8, "", "10101010", "01"},
	{"0123", 1, "", "3", "012"},
	{"0123", 3, "", "321", "0"},
	{"0123", 4, "", "3210", "0123"},
	{"2357", 2, "", "75", "23"},
	{"0123", 2, "1", "13", "02"},
	{"0123", 2, ".0", "30", "12"},
	{"01", 1, "0", "0", "1"},
	{"01", 2, "1", "10", "01"},
	{"01", 2, "11", "11", "0"},
	{"01", 4, "01", "0110", "01"},
	{"0123", 3, "33", "332", "01"},
};

static void test_plans(void **)
{
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config config = {.workers = cases[i].workers};
		struct eal_plan plan;
		cpu_set_t allowed, control;
		char error[128] = "";

		CPU_ZERO(&allowed);
		CPU_ZERO(&control);
		for (const char *c = cases[i].allowed; *c != '\0'; c++)
			CPU_SET(*c - '0', &allowed);
		for (const char *c = cases[i].control; *c != '\0'; c++)
			CPU_SET(*c - '0', &control);
		for (unsigned w = 0; w < LCORE_MAX; w++)
			config.worker_cpus[w] = -1;
		for (unsigned w = 0; cases[i].asked[w] != '\0'; w++)
			if (cases[i].asked[w] != '.')
				config.worker_cpus[w] = cases[i].asked[w] - '0';
		assert_int_equal(eal_plan(&config, &allowed, &plan, error, sizeof(error)), 0);
		assert_int_equal(plan.workers, cases[i].workers);
		for (unsigned w = 0; w < plan.workers; w++)
			if (plan.worker_cpus[w] != cases[i].expected[w] - '0')
				fail_msg("case %u, worker %u: CPU %d", i, w, plan.worker_cpus[w]);
		if (!CPU_EQUAL(&plan.control, &control))
			fail_msg("case %u: control CPUs", i);
	}
}

static void test_not_allowed(void **)
{
	struct config config = {.workers = 1, .worker_cpus = {5}};
	struct eal_plan plan;
	cpu_set_t allowed;
	char error[128] = "";

	CPU_ZERO(&allowed);
	CPU_SET(0, &allowed);
	assert_int_not_equal(eal_plan(&config, &allowed, &plan, error, sizeof(error)), 0);
	assert_non_null(strstr(error, "CPU 5"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plans),
		cmocka_unit_test(test_not_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
