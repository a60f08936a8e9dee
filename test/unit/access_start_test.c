/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The access list of a hub that begins: on whose time it is compiled, and what of the hub's is let through until then.
 * Helpers and loop are this file's, and a hub that has nothing but a place for its list.
 */

#include <errno.h>
#include <event2/event.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/access_list.h"
#include "controlplane/control.h"
#include "controlplane/directory.h"
#include "controlplane/directory_rule.h"
#include "controlplane/hubs.h"
#include "controlplane/slow.h"
#include "dataplane/access.h"
#include "dataplane/grace.h"
#include "dataplane/hub_priv.h"
#include "test/unit/worker.h"

static bool helpers; /* there are some; else all is done at once */
static struct slow_job *given;
static unsigned compiled, ready;
static struct hub data_path;
static struct event_base *base;
static bool
	no_hits; /* no memory for the counters that a hub's first list needs (hub_set_access()) */

/* By the linker (--wrap): limits of the process are no way, since a sanitizer ends a program that meets them. */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return no_hits && n == ACCESS_SLOTS ? NULL : __real_calloc(n, size);
}

void slow_submit(struct slow_job *job)
{
	if (helpers) {
		assert_null(given);
		given = job;
		return;
	}
	job->work(job);
	compiled++;
	job->done(job);
}

/* What a helper does, and what the loop is told. */
static void helper_runs(void)
{
	struct slow_job *job = given;

	assert_non_null(job);
	given = NULL;
	job->work(job);
	compiled++;
	job->done(job);
}

static struct access_set *in_force(void)
{
	return atomic_load(&data_path.access);
}

void hubs_rules_ready(struct directory_hub *hub)
{
	assert_true(access_list_ready(hub));
	assert_non_null(in_force());
	ready++;
}

struct event_base *control_base(void)
{
	return base;
}

static void rules_add(struct directory_hub *hub, uint32_t rules)
{
	for (uint32_t i = 0; i < rules; i++) {
		struct directory_rule *r = directory_rule_new();

		assert_non_null(r);
		r->id = i + 1;
		r->priority = i + 1;
		assert_int_equal(directory_rules_put(&hub->access, r), 0);
	}
}

static struct directory_hub *hub_of(uint32_t rules)
{
	struct directory_hub *hub;

	assert_int_equal(directory_hub_create("A", &hub), 0);
	hub->hub = &data_path;
	rules_add(hub, rules);
	return hub;
}

static int setup(void **)
{
	given = NULL;
	compiled = ready = 0;
	helpers = true;
	data_path.locals = 1;
	atomic_store(&data_path.online, false);
	return 0;
}

static int teardown(void **)
{
	struct directory_hub *hub = TAILQ_FIRST(directory_hubs());

	access_list_stop(hub);
	hub_access_end(&data_path);
	grace_poll();
	directory_clear();
	return 0;
}

/* While the daemon runs (a file that was read again): the control thread compiles nothing, and nothing passes. */
static void many_rules_wait_for_a_helper(void **)
{
	struct directory_hub *hub = hub_of(32768);
	struct access_list_view view;

	assert_int_equal(access_list_start(hub), -EAGAIN);
	assert_int_equal(compiled, 0);
	assert_null(in_force());
	assert_false(access_list_ready(hub));
	access_list_view(hub, &view);
	assert_true(view.compiling);
	helper_runs();
	assert_int_equal(ready, 1);
	assert_true(access_list_ready(hub));
	assert_non_null(in_force());
	access_list_view(hub, &view);
	assert_int_equal(view.base.rules, 32768);
	assert_null(given);
	/* Said once. */
	assert_int_equal(access_list_changed(hub), 0);
	assert_int_equal(ready, 1);
}

/* Few are in force at once, by the scan, and compiled beside. */
static void few_rules_are_scanned(void **)
{
	struct directory_hub *hub = hub_of(100);

	assert_int_equal(access_list_start(hub), 0);
	assert_int_equal(compiled, 0);
	assert_non_null(in_force());
	assert_true(access_list_ready(hub));
	helper_runs();
	assert_int_equal(ready, 0);
}

/* Before there are helpers, and ports: all of it, then and there. */
static void at_the_start_it_is_done_at_once(void **)
{
	struct directory_hub *hub = hub_of(5000);

	helpers = false;
	assert_int_equal(access_list_start(hub), 0);
	assert_int_equal(compiled, 1);
	assert_non_null(in_force());
	assert_true(access_list_ready(hub));
	assert_int_equal(ready, 0);
}

/* The hub goes before its list is compiled: nobody is told of it any more. */
static void a_hub_that_goes_meanwhile(void **)
{
	struct directory_hub *hub = hub_of(5000);

	assert_int_equal(access_list_start(hub), -EAGAIN);
	access_list_stop(hub);
	helper_runs();
	assert_int_equal(ready, 0);
	assert_null(in_force());
}

/* Rules that were given to a hub while it was offline are there before the first frame, however many they are. */
static void many_rules_of_a_hub_that_is_offline(void **)
{
	struct directory_hub *hub = hub_of(1);

	assert_int_equal(access_list_start(hub), 0);
	helper_runs();
	rules_add(hub, 5000);
	assert_int_not_equal(access_list_changed(hub), 0);
	assert_false(access_list_ready(hub));
	helper_runs();
	assert_true(access_list_ready(hub));
	assert_int_equal(ready, 1);
	/* One that is online stays so, with the list that it has. */
	atomic_store(&data_path.online, true);
	rules_add(hub, 5000);
	assert_int_not_equal(access_list_changed(hub), 0);
	assert_true(access_list_ready(hub));
	helper_runs();
	assert_int_equal(ready, 1);
}

/* A list that is compiled, and finds no memory on its way into force: tried again, or the hub would stay dark. */
static void no_memory_is_not_for_ever(void **)
{
	struct directory_hub *hub = hub_of(5000);

	base = event_base_new();
	assert_non_null(base);
	assert_int_equal(access_list_init(), 0);
	assert_int_equal(access_list_start(hub), -EAGAIN);
	no_hits = true;
	helper_runs();
	no_hits = false;
	assert_false(access_list_ready(hub));
	assert_null(given);
	/* The next look. */
	assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
	assert_true(access_list_ready(hub));
	assert_int_equal(ready, 1);
	access_list_fini();
	event_base_free(base);
	base = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(many_rules_wait_for_a_helper, setup, teardown),
		cmocka_unit_test_setup_teardown(few_rules_are_scanned, setup, teardown),
		cmocka_unit_test_setup_teardown(at_the_start_it_is_done_at_once, setup, teardown),
		cmocka_unit_test_setup_teardown(a_hub_that_goes_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(
			many_rules_of_a_hub_that_is_offline, setup, teardown),
		cmocka_unit_test_setup_teardown(no_memory_is_not_for_ever, setup, teardown),
	};

	if (worker_eal(0) != 0 || grace_init(1) != 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
