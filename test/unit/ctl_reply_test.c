/* SPDX-License-Identifier: BSD-3-Clause */
/* patchbayctl's parts: the answer cut into records in any pieces, text for terminals, tables, parameters. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/command.h"
#include "controlplane/ctl/lcore.h"
#include "controlplane/ctl/line.h"
#include "controlplane/ctl/reply.h"
#include "controlplane/ctl/table.h"
#include "controlplane/ctl/text.h"

struct seen {
	unsigned rows;
	char text[512];
};

static void on_row(void *ctx, const char *list, json_t *row)
{
	struct seen *s = ctx;
	char *text = json_dumps(row, JSON_COMPACT);
	size_t n = strlen(s->text);

	s->rows++;
	snprintf(s->text + n, sizeof(s->text) - n, "%s:%s ", list, text);
	free(text);
}

/* Feeds in pieces of `piece` bytes; the state at the end. */
static enum reply_state feed(struct reply *r, const char *text, size_t piece)
{
	enum reply_state state = REPLY_MORE;
	size_t size = strlen(text);

	for (size_t at = 0; at < size && state == REPLY_MORE; at += piece)
		state = reply_feed(r, text + at, size - at < piece ? size - at : piece);
	return state;
}

static void records_are_cut_out(void **)
{
	static const char text[] =
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"HubName_str\":\"a]},{\\\"\",\"MacTable\":["
		"{\"x\":\"}]\",\"y\":{\"z\":[1,{\"w\":2}]}} , {\"x\":\"\\\\\"}],\"n\":3,\"Empty\":[],"
		"\"Other\":[{\"k\":1}]}}\n";

	for (size_t piece = 1; piece < sizeof(text); piece += 3) {
		struct seen seen = {0};
		struct reply r = {.row = on_row, .ctx = &seen};
		json_t *result;

		assert_int_equal(feed(&r, text, piece), REPLY_END);
		assert_string_equal(seen.text,
			"MacTable:{\"x\":\"}]\",\"y\":{\"z\":[1,{\"w\":2}]}} "
			"MacTable:{\"x\":\"\\\\\"} Other:{\"k\":1} ");
		result = json_object_get(reply_document(&r), "result");
		assert_int_equal(json_array_size(json_object_get(result, "MacTable")), 0);
		assert_int_equal(json_integer_value(json_object_get(result, "n")), 3);
		assert_string_equal(
			json_string_value(json_object_get(result, "HubName_str")), "a]},{\"");
		reply_fini(&r);
	}
}

static void results_are_echoed_as_they_are(void **)
{
	static const char *const results[] = {
		"{}",
		"{\"L\":[{\"a\":1},{\"b\":\"}\"}],\"x\":{\"result\":{}}}",
	};

	for (unsigned i = 0; i < 2; i++) {
		char line[256];
		char *out = NULL;
		size_t size = 0;
		struct reply r = {.echo = open_memstream(&out, &size)};

		snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}\n",
			results[i]);
		assert_int_equal(feed(&r, line, 1), REPLY_END);
		fclose(r.echo);
		assert_int_equal(size, strlen(results[i]) + 1);
		assert_memory_equal(out, results[i], strlen(results[i]));
		assert_true(json_is_object(json_object_get(reply_document(&r), "result")));
		free(out);
		reply_fini(&r);
	}
}

static void errors_are_kept_whole(void **)
{
	struct seen seen = {0};
	struct reply r = {.row = on_row, .ctx = &seen};
	json_t *error;

	assert_int_equal(
		feed(&r,
			"{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":38,\"message\":\"m\","
			"\"data\":{\"field\":\"f\",\"l\":[{\"a\":1},{\"b\":2}]}}}\n",
			7),
		REPLY_END);
	assert_int_equal(seen.rows, 0);
	error = json_object_get(reply_document(&r), "error");
	assert_int_equal(json_integer_value(json_object_get(error, "code")), 38);
	assert_int_equal(json_array_size(json_object_get(json_object_get(error, "data"), "l")), 2);
	reply_fini(&r);
}

static void garbage_is_refused(void **)
{
	static const char *const bad[] = {
		"hello\n",
		"}\n",
		"[]\n",
		"{\"result\":{\"L\":[{\"a\":}]}}\n",
		"{\"result\":{\"L\":[{\"a\":1]}]}}\n",
		"{]\n",
		"HTTP/1.1 400 Bad Request\r\n\r\n",
	};
	char *deep = malloc(200);

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct reply r = {0};

		assert_int_equal(feed(&r, bad[i], 3), REPLY_BAD);
		reply_fini(&r);
	}
	memset(deep, '[', 199);
	deep[199] = '\0';
	for (int i = 0; i < 2; i++) {
		struct reply r = {0};

		assert_int_equal(feed(&r, deep, 50), REPLY_BAD);
		reply_fini(&r);
	}
	free(deep);
}

static void a_record_without_end_is_bounded(void **)
{
	struct reply r = {0};
	char piece[4096];
	unsigned pieces = 0;

	memset(piece, 'x', sizeof(piece));
	assert_int_equal(feed(&r, "{\"result\":{\"L\":[{\"a\":\"", 64), REPLY_MORE);
	while (reply_feed(&r, piece, sizeof(piece)) == REPLY_MORE)
		assert_true(++pieces <= 2 * REPLY_ROW_MAX / sizeof(piece));
	reply_fini(&r);
}

static void check_text(const char *text, const char *safe, size_t columns)
{
	size_t n;
	char *t = text_printable(text, &n);

	assert_string_equal(t, safe);
	assert_int_equal(n, columns);
	free(t);
}

static void text_cannot_move_the_cursor(void **)
{
	check_text("plain", "plain", 5);
	check_text("\x1b[2Jred\r\n", "\\x1b[2Jred\\x0d\\x0a", 18);
	check_text("a\\b", "a\\\\b", 4);
	check_text("\xff\xfe", "\\xff\\xfe", 8);
	check_text("\xe3\x81\x82", "\xe3\x81\x82", 2); /* wide */
	check_text("\xc2\x9b", "\\u{9b}", 6);	       /* C1: CSI */
	check_text("\xe2\x80\xae"
		   "abc",
		"\\u{202e}abc", 11);		    /* right to left */
	check_text("\xe2\x80\x8b", "\\u{200b}", 8); /* no width */
	check_text("\xe3\x81", "\\xe3\\x81", 8);    /* cut */
}

static char *render(unsigned rows)
{
	char *out = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&out, &size);
	struct table *t = table_new(f);

	table_column(t, "NAME", false);
	table_column(t, "COUNT", true);
	table_column(t, "LAST", false);
	for (unsigned i = 0; i < rows; i++) {
		char n[16];

		snprintf(n, sizeof(n), "%u", i * 1000000);
		table_cell(t, i == 0 ? "\xe3\x81\x82\xe3\x81\x82\xe3\x81\x82" : "x");
		table_cell(t, n);
		table_cell(t, "");
		table_row_end(t);
	}
	table_end(t);
	fclose(f);
	return out;
}

static void tables_are_aligned(void **)
{
	char *text = render(2);
	unsigned lines = 0;

	assert_string_equal(text,
		"NAME      COUNT  LAST\n"
		"\xe3\x81\x82\xe3\x81\x82\xe3\x81\x82        0  -\n"
		"x       1000000  -\n");
	free(text);
	text = render(0);
	assert_string_equal(text, "NAME  COUNT  LAST\n");
	free(text);
	/* Beyond what is held back nothing is lost or doubled. */
	text = render(3 * TABLE_HELD_ROWS + 1);
	for (const char *p = text; *p != '\0'; p++)
		lines += *p == '\n';
	assert_int_equal(lines, 3 * TABLE_HELD_ROWS + 2);
	free(text);
}

static char *params_of(
	const char *noun, const char *verb, const char *a0, const char *a1, const char *o0)
{
	unsigned used;
	struct ctl_run run = {
		.command = ctl_command_find(noun, verb, &used),
		.arguments = {a0, a1},
		.options = {o0},
	};
	json_t *params = ctl_params(&run);
	char *text = params == NULL ? NULL : json_dumps(params, JSON_COMPACT | JSON_SORT_KEYS);

	json_decref(params);
	return text;
}

static void assert_params(char *text, const char *expected)
{
	if (expected == NULL) {
		assert_null(text);
		return;
	}
	assert_non_null(text);
	assert_string_equal(text, expected);
	free(text);
}

static void parameters_from_what_was_typed(void **)
{
	static const char mac[] = "{\"HubName_str\":\"h\",\"PatchbayMacAddress_bin\":\"AgAAAAAB\"}";

	assert_params(params_of("mac", "delete", "h", "02:00:00:00:00:01", NULL), mac);
	assert_params(params_of("mac", "delete", "h", "02-00-00-00-00-01", NULL), mac);
	assert_params(params_of("mac", "delete", "h", "0200.0000.0001", NULL), mac);
	assert_params(params_of("mac", "delete", "h", "020000000001", NULL), mac);
	assert_params(params_of("mac", "delete", "h", "02:00:00:00:00:01", "7"),
		"{\"HubName_str\":\"h\",\"PatchbayMacAddress_bin\":\"AgAAAAAB\","
		"\"PatchbayVlanId_u32\":7}");
	assert_params(params_of("mac", "delete", "h", "02:00:00:00:00", NULL), NULL);
	assert_params(params_of("mac", "delete", "h", "02:00:00:00:00:01:02", NULL), NULL);
	assert_params(params_of("mac", "delete", "h", "0:20:00:00:00:01", NULL), NULL);
	assert_params(params_of("mac", "delete", "h", "02:00:00:00:00:0g", NULL), NULL);
	assert_params(params_of("mac", "delete", "h", "02:00:00:00:00:01", "-7"), NULL);
	assert_params(params_of("mac", "delete", "h", "02:00:00:00:00:01", "7x"), NULL);
	assert_params(params_of("mac", "delete", "h", "02:00:00:00:00:01", ""), NULL);
	assert_params(params_of("mac", "list", "\xff", NULL, NULL), NULL);
	assert_params(params_of("rpc", NULL, "M", "{\"a\":1}", NULL), "{\"a\":1}");
	assert_params(params_of("rpc", NULL, "M", NULL, NULL), "{}");
	assert_params(params_of("rpc", NULL, "M", "[1]", NULL), NULL);
	assert_params(params_of("rpc", NULL, "M", "{", NULL), NULL);
	assert_params(params_of("session", "list", NULL, NULL, NULL), "{}");
}

static void the_man_page_names_every_command(void **)
{
	static char page[1u << 17];
	const struct ctl_command *c;
	FILE *f = fopen(TEST_DATA_DIR "/../../../config/patchbayctl.1", "r");
	size_t n;

	assert_non_null(f);
	n = fread(page, 1, sizeof(page) - 1, f);
	page[n] = '\0';
	fclose(f);
	for (unsigned i = 0; (c = ctl_command_at(i)) != NULL; i++) {
		char name[64];

		snprintf(name, sizeof(name), "%s%s%s", c->noun, c->verb == NULL ? "" : " ",
			c->verb == NULL ? "" : c->verb);
		assert_non_null(strstr(page, name));
	}
}

static void lines_are_cut_into_words(void **)
{
	static const struct {
		const char *line;
		int cnt;
		const char *words[4];
	} cases[] = {
		{"", 0, {NULL}},
		{" \t\n", 0, {NULL}},
		{"# nothing", 0, {NULL}},
		{"hub list\n", 2, {"hub", "list"}},
		{"  a  b # c", 2, {"a", "b"}},
		{"a#b", 1, {"a#b"}},
		{"'a b' \"c 'd'\" e\\ f", 3, {"a b", "c 'd'", "e f"}},
		{"'' \"\"", 2, {"", ""}},
		{"a'b'\"c\"d", 1, {"abcd"}},
		{"'a\\b' \"a\\\"b\"", 2, {"a\\b", "a\"b"}},
		{"'open", -1, {NULL}},
		{"\"open'", -1, {NULL}},
		{"end\\", 1, {"end\\"}},
	};
	char many[4 * CTL_LINE_WORDS_MAX];
	char *words[CTL_LINE_WORDS_MAX + 1];

	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64];

		strcpy(text, cases[i].line);
		assert_int_equal(ctl_words(text, words), cases[i].cnt);
		for (int k = 0; k < cases[i].cnt; k++)
			assert_string_equal(words[k], cases[i].words[k]);
		if (cases[i].cnt >= 0)
			assert_null(words[cases[i].cnt]);
	}
	memset(many, 0, sizeof(many));
	for (unsigned i = 0; i <= CTL_LINE_WORDS_MAX; i++)
		strcat(many, "x ");
	assert_int_equal(ctl_words(many, words), -1);
	memset(many, 0, sizeof(many));
	for (unsigned i = 0; i < CTL_LINE_WORDS_MAX; i++)
		strcat(many, "x ");
	assert_int_equal(ctl_words(many, words), CTL_LINE_WORDS_MAX);
}

static void commands_are_described(void **)
{
	const struct ctl_command *c;

	for (unsigned i = 0; (c = ctl_command_at(i)) != NULL; i++) {
		const struct ctl_column *k;
		unsigned used;
		unsigned columns = 0;

		assert_ptr_equal(ctl_command_find(c->noun, c->verb, &used), c);
		assert_int_equal(used, c->verb == NULL ? 1 : 2);
		assert_non_null(c->text);
		assert_true(c->method != NULL || c->run != NULL);
		/* Something is shown in each case. */
		assert_true(c->run != NULL || c->columns != NULL || c->done != NULL);
		for (k = c->columns; k != NULL && k->title != NULL; k++, columns++)
			assert_true(k->field != NULL && k->text != NULL);
		assert_true(columns <= (c->list != NULL ? TABLE_COLUMNS_MAX : CTL_COLUMNS_MAX));
	}
	assert_false(ctl_noun_exists("sessions"));
}

static void shares(void **)
{
	char text[16];

	assert_string_equal(
		lcore_share((struct lcore_cycles){100, 100}, (struct lcore_cycles){200, 400}, text),
		"25.0%");
	/* A worker that slept all the time has told nothing new. */
	assert_string_equal(
		lcore_share((struct lcore_cycles){100, 100}, (struct lcore_cycles){100, 100}, text),
		"0.0%");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_cut_out),
		cmocka_unit_test(results_are_echoed_as_they_are),
		cmocka_unit_test(errors_are_kept_whole),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(a_record_without_end_is_bounded),
		cmocka_unit_test(text_cannot_move_the_cursor),
		cmocka_unit_test(tables_are_aligned),
		cmocka_unit_test(parameters_from_what_was_typed),
		cmocka_unit_test(commands_are_described),
		cmocka_unit_test(the_man_page_names_every_command),
		cmocka_unit_test(lines_are_cut_into_words),
		cmocka_unit_test(shares),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
