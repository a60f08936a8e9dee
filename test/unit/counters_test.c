/* SPDX-License-Identifier: BSD-3-Clause */
/* Rounds of counters (controlplane/counters.h) for which there is no memory: told, and the next one is made. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/control.h"
#include "controlplane/counters.h"
#include "controlplane/directory.h"
#include "controlplane/store.h"
#include "dataplane/hub.h"
#include "dataplane/lcore.h"

#define FIRST	   4200u /* users of one hub: more than a turn notes, */
#define SECOND	   4200u /* so that this hub's are noted in the next, */
#define PATIENCE_S 20	 /* and there are more than fit into the room for the first's */

static struct event_base *base;
static bool no_memory; /* once */
static _Atomic unsigned puts_cnt;

struct event_base *control_base(void)
{
	return base;
}

/* In the place of the C library's. */
void *reallocarray(void *old, size_t cnt, size_t size)
{
	if (no_memory) {
		no_memory = false;
		return NULL;
	}
	return realloc(old, cnt * size);
}

int store_put(const char *, const char *, unsigned, const void *, unsigned long, unsigned)
{
	puts_cnt++;
	return 0;
}

void traffic_fold(const struct directory_hub *)
{
}

void traffic_of_hub(const struct directory_hub *, struct traffic_totals *out)
{
	*out = (struct traffic_totals){0};
}

unsigned lcore_count(void)
{
	return 0;
}

void lcore_view(unsigned, struct lcore_view *out)
{
	memset(out, 0, sizeof(*out));
}

static void hub_make(const char *name, unsigned users)
{
	struct directory_hub *hub;
	struct directory_user *user;
	char text[16];

	assert_int_equal(directory_hub_create(name, &hub), 0);
	hub->hub = (struct hub *)&base; /* it runs */
	for (unsigned i = 0; i < users; i++) {
		snprintf(text, sizeof(text), "u%u", i);
		assert_int_equal(directory_user_create(hub, text, &user), 0);
		user->login_cnt = 1;
	}
}

/* The outcome of a save. */
static int wait_for(uint64_t number)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	int error = 0;

	event_base_loopexit(base, &patience);
	while (!counters_saved(number, &error)) {
		assert_int_equal(event_base_loop(base, EVLOOP_ONCE), 0);
		assert_false(event_base_got_exit(base));
	}
	return error;
}

static int setup(void **)
{
	base = event_base_new();
	assert_non_null(base);
	hub_make("A", FIRST);
	hub_make("B", SECOND);
	puts_cnt = 0;
	return 0;
}

static int teardown(void **)
{
	counters_stop();
	directory_clear();
	event_base_free(base);
	return 0;
}

/* Not even the server's own line: nothing is written that has not all of it. */
static void none_for_the_first_line(void **)
{
	uint64_t number;
	int error;

	assert_int_equal(counters_start("/nonexistent", 86400), 0);
	no_memory = true;
	number = counters_save();
	assert_true(counters_saved(number, &error));
	assert_int_equal(error, -ENOMEM);
	assert_int_equal(puts_cnt, 0);
	assert_int_equal(wait_for(counters_save()), 0);
	assert_int_equal(puts_cnt, 1);
}

/* The round fails while another is wanted: whoever wants that gets it now, and not with the clock. */
static void none_while_another_is_wanted(void **)
{
	uint64_t first, second;
	int error;

	assert_int_equal(counters_start("/nonexistent", 86400), 0);
	first = counters_save();
	second = counters_save();
	assert_true(second > first);
	assert_false(counters_saved(first, &error));
	no_memory = true;
	assert_int_equal(wait_for(second), 0);
	assert_false(no_memory);
	assert_int_equal(puts_cnt, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(none_for_the_first_line, setup, teardown),
		cmocka_unit_test_setup_teardown(none_while_another_is_wanted, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
