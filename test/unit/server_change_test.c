/* SPDX-License-Identifier: BSD-3-Clause */
/* Changes of the server (controlplane/server_change.h) while the disk has not answered, which the test does. */

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "controlplane/config.h"
#include "controlplane/control.h"
#include "controlplane/listener.h"
#include "controlplane/server_change.h"
#include "controlplane/server_tls.h"
#include "controlplane/store.h"
#include "controlplane/syslog_target.h"

static struct store_request *waiting;
static bool frozen;
static unsigned renewed;
static const struct config no_config;

void store_change(struct store_request *request, const struct directory_object *object, unsigned)
{
	assert_string_equal(object->kind, "server");
	assert_null(waiting);
	waiting = request;
}

bool store_frozen(void)
{
	return frozen;
}

const struct config *control_config(void)
{
	return &no_config;
}

void server_tls_renew(void)
{
	renewed++;
}

void syslog_target_renew(void)
{
	renewed++;
}

/* One port is open, and what is done to others goes well. */
bool listener_get(unsigned index, struct listener_info *out)
{
	*out = (struct listener_info){.port = 443};
	return index == 0;
}

int listener_add(uint16_t, bool)
{
	return 0;
}

int listener_remove(uint16_t)
{
	return 0;
}

int listener_enable(uint16_t, bool)
{
	return 0;
}

static void disk_says(int error)
{
	struct store_request *request = waiting;

	assert_non_null(request);
	waiting = NULL;
	request->done(request, error);
}

static int end(struct server_change *c)
{
	int error;

	assert_true(server_change_done(c, &error));
	server_change_forget(c);
	return error;
}

static int all_are_busy(void)
{
	struct directory_admin admin = {.set = true};
	struct directory_syslog syslog = {.set = true};
	struct server_change *c;

	return server_change_admin(&admin, &c) == -EBUSY &&
		server_change_ciphers("x", &c) == -EBUSY &&
		server_change_syslog(&syslog, &c) == -EBUSY &&
		server_change_listener(SERVER_LISTENER_ADD, 5555, true, &c) == -EBUSY;
}

/*
 * The server's settings are one object on the disk: a second change that was written while the first waits would have
 * that in it, and bring it back when the disk has refused it.
 */
static void one_at_a_time(void **)
{
	struct directory_listener entry;
	struct server_change *c;

	assert_int_equal(server_change_listener(SERVER_LISTENER_ADD, 5555, true, &c), 0);
	assert_true(directory_listener_get(0, &entry));
	assert_true(all_are_busy());
	assert_int_equal(server_change_listener(SERVER_LISTENER_REMOVE, 5555, false, &c), -EBUSY);
	disk_says(-ENOSPC);
	assert_int_equal(end(c), -ENOSPC);
	assert_false(directory_listener_get(0, &entry));

	assert_int_equal(server_change_ciphers("first", &c), 0);
	disk_says(0);
	assert_int_equal(end(c), 0);
	assert_int_equal(server_change_ciphers("second", &c), 0);
	assert_true(all_are_busy());
	disk_says(-EIO);
	assert_int_equal(end(c), -EIO);
	assert_string_equal(directory_server_ciphers(), "first");
	assert_int_equal(renewed, 1);

	frozen = true;
	assert_true(all_are_busy());
	frozen = false;
	directory_clear();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_at_a_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
