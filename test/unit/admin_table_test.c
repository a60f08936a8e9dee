/* SPDX-License-Identifier: BSD-3-Clause */
/* The method table is the documentation and the seam for three encodings: this is what it promises. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>
#include <strings.h>

#include "controlplane/admin/json_out.h"
#include "controlplane/admin/method.h"

static void methods_are_sorted_and_found(void **)
{
	unsigned cnt;
	const struct admin_method *const *m = admin_methods(&cnt);

	assert_true(cnt >= 18);
	for (unsigned i = 0; i < cnt; i++) {
		if (i > 0)
			assert_true(strcasecmp(m[i - 1]->name, m[i]->name) < 0);
		assert_ptr_equal(admin_method_find(m[i]->name), m[i]);
	}
	assert_ptr_equal(admin_method_find("enumHUB"), admin_method_find("EnumHub"));
	assert_null(admin_method_find("EnumHubs"));
	assert_null(admin_method_find(""));
	assert_null(admin_method_find("zzz"));
}

static void check_text(const char *text)
{
	assert_non_null(text);
	assert_true(strlen(text) >= 3);
	assert_true(strlen(text) <= 1023);
}

static void check_fields(const struct admin_field *fields, bool request, bool rows)
{
	unsigned cnt = 0;

	assert_non_null(fields);
	for (const struct admin_field *f = fields; f->name != NULL; f++, cnt++) {
		char name[ADMIN_JSON_NAME_MAX];
		const char *suffix = admin_type_suffix(f->type);

		assert_true(f->type < ADMIN_TYPE_CNT);
		check_text(f->text);
		assert_true(f->min <= f->max);
		assert_true(strlen(f->name) <= ADMIN_FIELD_NAME_MAX);
		/* Unique without regard to case (a PACK element's rule), and none is another's JSON name. */
		for (const struct admin_field *g = fields; g != f; g++)
			assert_true(strcasecmp(f->name, g->name) != 0);
		json_field_name(f, name);
		if (suffix[0] != '\0') {
			size_t n = strlen(name) - strlen(suffix);

			assert_true(f->name[0] != '\0');
			assert_string_equal(name + n, suffix);
			assert_int_equal(name[n - 1], '_');
		}
		if (f->type == ADMIN_TYPE_INT)
			assert_true(f->max > 0 && f->max <= UINT32_MAX);
		if (f->type == ADMIN_TYPE_STR || f->type == ADMIN_TYPE_USTR ||
			f->type == ADMIN_TYPE_DATA)
			assert_true(f->max > 0);
		if (request) {
			assert_true(f->type != ADMIN_TYPE_TRAFFIC);
			/* Nobody may send a list without end. */
			assert_true(f->type != ADMIN_TYPE_ROWS || f->max > 0);
			assert_int_equal(f->flags & ADMIN_F_OPTIONAL, 0);
		} else {
			assert_int_equal(f->flags & ADMIN_F_REQUIRED, 0);
		}
		/* Lists hold records, records hold no lists: PACK's parallel arrays can do no more. */
		assert_true((f->type == ADMIN_TYPE_ROWS) == (f->rows != NULL));
		assert_false(rows && f->type == ADMIN_TYPE_ROWS);
		if (f->rows != NULL)
			check_fields(f->rows, request, true);
	}
	assert_true(cnt <= ADMIN_FIELDS_MAX);
}

static void every_method_is_described(void **)
{
	unsigned cnt;
	const struct admin_method *const *m = admin_methods(&cnt);

	for (unsigned i = 0; i < cnt; i++) {
		const struct admin_field *hub;

		check_text(m[i]->text);
		check_fields(m[i]->request, true, false);
		check_fields(m[i]->response, false, false);
		assert_non_null(m[i]->step);
		/* What a role is judged by must be there to judge. */
		hub = admin_field_find(m[i]->request, "HubName");
		if (m[i]->role == ADMIN_ROLE_HUB) {
			assert_non_null(hub);
			assert_int_equal(hub->type, ADMIN_TYPE_STR);
		}
		/* State that is not freed needs no fini, but a fini needs state. */
		if (m[i]->fini != NULL)
			assert_true(m[i]->state_bytes > 0);
	}
}

/* In PACK all columns of a result lie side by side. */
static void columns_do_not_collide_with_members(void **)
{
	unsigned cnt;
	const struct admin_method *const *m = admin_methods(&cnt);

	for (unsigned i = 0; i < cnt; i++) {
		/* Our own methods are not in vpncmd's vocabulary; their lists may share names. */
		if (strncmp(m[i]->name, "Patchbay", 8) == 0)
			continue;
		for (const struct admin_field *f = m[i]->response; f->name != NULL; f++)
			for (const struct admin_field *r = f->rows; r && r->name != NULL; r++)
				assert_null(admin_field_find(m[i]->response, r->name));
	}
}

static void suffixes_are_the_originals(void **)
{
	assert_string_equal(admin_type_suffix(ADMIN_TYPE_BOOL), "bool");
	assert_string_equal(admin_type_suffix(ADMIN_TYPE_INT), "u32");
	assert_string_equal(admin_type_suffix(ADMIN_TYPE_INT64), "u64");
	assert_string_equal(admin_type_suffix(ADMIN_TYPE_TIME), "dt");
	assert_string_equal(admin_type_suffix(ADMIN_TYPE_STR), "str");
	assert_string_equal(admin_type_suffix(ADMIN_TYPE_USTR), "utf");
	assert_string_equal(admin_type_suffix(ADMIN_TYPE_DATA), "bin");
	assert_string_equal(admin_type_suffix(ADMIN_TYPE_IP), "ip");
}

/* Names that Debian's server 5.01 answered with, as far as we answer them. */
static void names_are_the_originals(void **)
{
	static const char *const names[][2] = {
		{"GetServerInfo", "ServerVersionString"},
		{"GetServerStatus", "NumSessionsTotal"},
		{"EnumListener", "Ports"},
		{"EnumConnection", "ConnectedTime"},
		{"EnumHub", "NumMacTables"},
		{"EnumHub", "Ex."},
		{"GetHubStatus", "NumSessionsClient"},
		{"EnumSession", "Client_BridgeMode"},
		{"EnumSession", "CurrentNumTcp"},
		{"EnumMacTable", "VlanId"},
		{"GetSessionStatus", "SessionStatus_ClientHostName"},
		{"DeleteMacTable", "HubName"},
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const struct admin_method *m = admin_method_find(names[i][0]);
		const struct admin_field *f;
		bool found;

		assert_non_null(m);
		found = admin_field_find(m->response, names[i][1]) != NULL;
		for (f = m->response; f->name != NULL; f++)
			found |= f->rows != NULL && admin_field_find(f->rows, names[i][1]) != NULL;
		assert_true(found);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(methods_are_sorted_and_found),
		cmocka_unit_test(every_method_is_described),
		cmocka_unit_test(columns_do_not_collide_with_members),
		cmocka_unit_test(suffixes_are_the_originals),
		cmocka_unit_test(names_are_the_originals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
