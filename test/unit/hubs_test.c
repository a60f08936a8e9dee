/* SPDX-License-Identifier: BSD-3-Clause */
/* The end of hubs, also when there is no memory for anything. What hubs.c calls is here, and notes what it is told. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <event2/event.h>

#include "controlplane/access_list.h"
#include "controlplane/bridges.h"
#include "controlplane/control.h"
#include "controlplane/directory.h"
#include "controlplane/hub_logs.h"
#include "controlplane/hubs.h"
#include "controlplane/registry.h"
#include "dataplane/hub.h"
#include "dataplane/hub_options.h"

static struct event_base *base;
static bool no_memory, bridges_are_quiet;
static unsigned destroyed, freed, ended, applied;

/* By the linker (--wrap): a sanitizer has a calloc() of its own, and needs it before main(). */
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

struct event_base *control_base(void)
{
	return base;
}

bool access_list_ready(const struct directory_hub *)
{
	return true;
}

void access_list_stop(struct directory_hub *)
{
}

void directory_hub_free(struct directory_hub *hub)
{
	free(hub);
	freed++;
}

void bridges_hub_up(struct directory_hub *)
{
}

void bridges_hub_down(struct directory_hub *, bool)
{
}

bool bridges_hub_quiet(const struct directory_hub *)
{
	return bridges_are_quiet;
}

uint32_t registry_sessions_of(
	const struct directory_hub *, const char *, const char *, bool, enum session_end)
{
	ended++;
	return 0;
}

void hub_logs_options(const struct directory_hub *, struct hub_options *)
{
}

void hub_logs_set(const struct directory_hub *)
{
}

void hub_logs_gone(const struct directory_hub *)
{
}

void hub_logs_event(const struct directory_hub *, enum log_event)
{
}

bool hub_online(const struct hub *)
{
	return true;
}

void hub_set_online(struct hub *, bool)
{
}

void hub_options_default(struct hub_options *)
{
}

int hub_set_options(struct hub *, const struct hub_options *)
{
	applied++;
	return 0;
}

int hub_destroy(struct hub *, void (*)(void *), void *)
{
	destroyed++;
	return 0;
}

static struct directory_hub *a_hub(const char *name)
{
	static char data_path;
	struct directory_hub *hub = calloc(1, sizeof(*hub));

	assert_non_null(hub);
	strcpy(hub->name, name);
	hub->online = true;
	hub->hub = (struct hub *)&data_path;
	return hub;
}

/* Sessions and bridges first; each has its number, and a list that comes too late brings none of them back. */
static void hubs_end_without_memory(void **)
{
	struct directory_hub *one = a_hub("ONE"), *two = a_hub("TWO");
	uint64_t first, second;

	destroyed = freed = ended = applied = 0;
	bridges_are_quiet = true;
	one->session_cnt = 1;
	hubs_rules_ready(one);
	assert_int_equal(applied, 1);
	no_memory = true;
	first = hubs_doom(one);
	bridges_are_quiet = false;
	second = hubs_doom(two);
	no_memory = false;
	assert_true(first != 0 && second != 0 && first != second);
	assert_int_equal(ended, 2);
	assert_int_equal(destroyed, 0);
	assert_false(hubs_doomed_gone(first));
	assert_false(hubs_doomed_gone(second));
	hubs_rules_ready(one);
	assert_int_equal(applied, 1);
	/* The last session has gone, bridges have not. */
	one->session_cnt = 0;
	event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(destroyed, 0);
	bridges_are_quiet = true;
	two->record_cnt = 1;
	event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(destroyed, 1);
	assert_true(hubs_doomed_gone(first));
	assert_false(hubs_doomed_gone(second));
	two->record_cnt = 0;
	event_base_loop(base, EVLOOP_ONCE);
	assert_int_equal(destroyed, 2);
	assert_true(hubs_doomed_gone(second));
	assert_int_equal(freed, 2);
	/* Nothing is looked after any more. */
	assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 1);
}

/* One that is quiet goes at once; one that is not goes with the daemon. */
static void at_the_end_of_all(void **)
{
	struct directory_hub *hub = a_hub("ONE");

	destroyed = 0;
	bridges_are_quiet = true;
	assert_true(hubs_doomed_gone(hubs_doom(hub)));
	assert_int_equal(destroyed, 1);
	hub = a_hub("TWO");
	hub->session_cnt = 1;
	assert_false(hubs_doomed_gone(hubs_doom(hub)));
	hubs_fini();
	assert_int_equal(destroyed, 2);
	assert_int_equal(hubs_init(), 0);
}

static int setup(void **)
{
	base = event_base_new();
	return base == NULL ? -1 : hubs_init();
}

static int teardown(void **)
{
	hubs_fini();
	event_base_free(base);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hubs_end_without_memory),
		cmocka_unit_test(at_the_end_of_all),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
