/* SPDX-License-Identifier: BSD-3-Clause */
/* drivers/session/connection_set: the rules of wire.md 5.3, 5.4 and 6.5, one after the other. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "drivers/session/connection_set.h"

static struct connection_set set;
static struct connection_member m[CONNECTION_SET_MAX + 1];

static void fill(unsigned cnt, uint8_t granted, bool qos)
{
	connection_set_init(&set, granted, qos);
	for (unsigned i = 0; i < cnt; i++) {
		connection_member_init(&m[i], SESSION_BOTH, false);
		assert_true(connection_set_admits(&set));
		connection_set_join(&set, &m[i]);
	}
}

static void assert_chosen(enum connection_lane lane, const struct connection_member *wanted)
{
	assert_ptr_equal(connection_set_choose(&set, lane), wanted);
}

/* Granted and one more, whatever was granted; room again when one leaves. */
static void granted_and_one_more(void **)
{
	for (uint8_t granted = 1; granted <= 32; granted++) {
		fill(granted + 1u, granted, false);
		assert_false(connection_set_admits(&set));
		assert_true(connection_set_leave(&set, &m[granted / 2]));
		assert_false(connection_set_leave(&set, &m[granted / 2]));
		assert_true(connection_set_admits(&set));
		assert_int_equal(set.cnt, granted);
		for (unsigned i = 1; i < set.cnt; i++)
			assert_true(set.members[i - 1] < set.members[i]); /* order of joining */
	}
	/* A number that no welcome holds does not write past the end. */
	fill(CONNECTION_SET_MAX, 255, false);
	assert_false(connection_set_admits(&set));
}

/* Directions as the side sees them that accepted, and the side that dialled. */
static void directions(void **)
{
	struct connection_member x;

	for (unsigned client = 0; client < 2; client++) {
		connection_member_init(&x, SESSION_BOTH, client);
		assert_true(x.may_send && x.may_receive);
		connection_member_init(&x, SESSION_SERVER_TO_CLIENT, client);
		assert_true(x.may_send == !client && x.may_receive == !!client);
		connection_member_init(&x, SESSION_CLIENT_TO_SERVER, client);
		assert_true(x.may_send == !!client && x.may_receive == !client);
	}
}

/* The least late one, of equals the youngest, none whose socket is full. */
static void choice_by_lateness(void **)
{
	fill(4, 4, false);
	assert_chosen(LANE_NORMAL, &m[3]);
	assert_chosen(LANE_PRIORITY, &m[3]); /* no priority in this session */
	connection_member_wrote(&m[3], true);
	assert_chosen(LANE_NORMAL, &m[2]);
	connection_member_wrote(&m[2], true);
	connection_member_wrote(&m[1], true);
	connection_member_wrote(&m[0], true);
	assert_chosen(LANE_NORMAL, NULL);
	/* Room for some, but not all written: later than one that never was. */
	m[3].blocked = m[1].blocked = false;
	connection_member_wrote(&m[3], true);
	m[3].blocked = false;
	assert_chosen(LANE_NORMAL, &m[1]);
	connection_member_wrote(&m[3], false);
	assert_chosen(LANE_NORMAL, &m[3]);
	/* One that may not send is never taken. */
	connection_member_init(&m[4], SESSION_CLIENT_TO_SERVER, false);
	connection_set_join(&set, &m[4]);
	assert_chosen(LANE_NORMAL, &m[3]);
	assert_true(connection_set_leave(&set, &m[3]));
	assert_chosen(LANE_NORMAL, &m[1]);
}

/* Of two or more that may send the youngest is for priority frames, late or not. */
static void priority_has_its_own(void **)
{
	fill(1, 4, true);
	assert_chosen(LANE_NORMAL, &m[0]);
	assert_chosen(LANE_PRIORITY, &m[0]);
	fill(4, 4, true);
	assert_chosen(LANE_NORMAL, &m[2]); /* as measured, wire.md 6.5 */
	assert_chosen(LANE_PRIORITY, &m[3]);
	m[3].lateness = 9;
	assert_chosen(LANE_PRIORITY, &m[3]);
	/* Full: priority frames share the others, normal ones do not get it in return. */
	connection_member_wrote(&m[3], true);
	assert_chosen(LANE_PRIORITY, &m[2]);
	for (unsigned i = 0; i < 3; i++)
		connection_member_wrote(&m[i], true);
	connection_member_wrote(&m[3], false);
	assert_chosen(LANE_NORMAL, NULL);
	assert_chosen(LANE_PRIORITY, &m[3]);
	/* Half duplex: one that only receives is not counted, one that alone may send is shared. */
	fill(2, 4, true);
	connection_member_init(&m[2], SESSION_CLIENT_TO_SERVER, false);
	connection_set_join(&set, &m[2]);
	assert_chosen(LANE_PRIORITY, &m[1]);
	assert_chosen(LANE_NORMAL, &m[0]);
	assert_true(connection_set_leave(&set, &m[1]));
	assert_chosen(LANE_PRIORITY, &m[0]);
	assert_chosen(LANE_NORMAL, &m[0]);
	assert_true(connection_set_leave(&set, &m[0]));
	assert_chosen(LANE_PRIORITY, NULL);
	assert_chosen(LANE_NORMAL, NULL);
}

/* 2, 1, 1, 2, 1, 2, ... (wire.md 5.3), and what is missing comes back first. */
static void half_duplex_directions(void **)
{
	static const enum session_direction wanted[] = {2, 1, 1, 2, 1, 2, 1, 2, 1, 2};
	uint32_t to_client = 0, others = 1; /* the first is the client's */

	for (unsigned i = 1; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		enum session_direction d = connection_direction(to_client, others);

		assert_int_equal(d, wanted[i]);
		to_client += d == SESSION_SERVER_TO_CLIENT;
		others += d == SESSION_CLIENT_TO_SERVER;
	}
	assert_int_equal(connection_direction(2, 0), SESSION_CLIENT_TO_SERVER);
	assert_int_equal(connection_direction(0, 1), SESSION_SERVER_TO_CLIENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(granted_and_one_more),
		cmocka_unit_test(directions),
		cmocka_unit_test(choice_by_lateness),
		cmocka_unit_test(priority_has_its_own),
		cmocka_unit_test(half_duplex_directions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
