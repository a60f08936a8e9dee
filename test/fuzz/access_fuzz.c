/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Access rules from text to frames: a list as an administrator writes it, a user list as it stands in a file, and frames.
 * Whatever is taken is written again and read as the same; what looking by columns, going through the rules and asking
 * from the bytes find is one rule.
 *
 * Input: the rules, a zero, the user list, a zero, frames with a byte of length before each.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/access_names.h"
#include "controlplane/directory_rule.h"
#include "dataplane/access_priv.h"
#include "dataplane/frame.h"
#include "require.h"

#define RULES 200u

/* libconfig forgets strings of a text that it does not take. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig\n";
}

static void report(void *, const char *line)
{
	REQUIRE(line[0] != '\0');
}

/* The next part up to a zero, as a string. */
static char *part(const uint8_t **data, size_t *size)
{
	const uint8_t *end = *size == 0 ? NULL : memchr(*data, '\0', *size);
	size_t len = end != NULL ? (size_t)(end - *data) : *size;
	char *text = malloc(len + 1);

	REQUIRE(text != NULL);
	memcpy(text, *data, len);
	text[len] = '\0';
	*data += end != NULL ? len + 1 : len;
	*size -= end != NULL ? len + 1 : len;
	return text;
}

static void written_again(const struct directory_rules *rules)
{
	struct directory_rules again = {0};
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	REQUIRE(f != NULL);
	for (uint32_t i = 0; i < rules->cnt; i++) {
		fputs(i != 0 ? ", " : "", f);
		directory_rule_write(f, rules->rule[i]);
	}
	REQUIRE(fclose(f) == 0);
	REQUIRE(directory_rules_parse(text, report, NULL, &again) == 0);
	REQUIRE(directory_rules_sort(&again) == 0);
	REQUIRE(again.cnt == rules->cnt);
	for (uint32_t i = 0; i < rules->cnt; i++)
		REQUIRE(directory_rule_same(again.rule[i], rules->rule[i]));
	directory_rules_clear(&again);
	free(text);
}

static void who(const char *text, struct access_who *out)
{
	bool exclude;

	*out = (struct access_who){0};
	if (text == NULL || text[0] == '\0')
		return;
	if (access_names_file(text, &exclude) != NULL) {
		out->kind = exclude ? ACCESS_WHO_UNLISTED : ACCESS_WHO_LISTED;
		return;
	}
	out->kind = ACCESS_WHO_NAME;
	out->name = access_name_key(text);
}

static void frame(const struct access_set *set, const uint8_t *bytes, uint16_t len)
{
	static struct access_columns columns;
	const struct access_party from = {.user = access_name_key("alice"),
		.group = access_name_key("staff"),
		.listable = true};
	const struct access_party to = {.user = access_name_key("bob")};
	const struct access_quick *quick = &set->base->quick;
	struct frame one = {.data = (uint8_t *)(uintptr_t)bytes, .len = len}, *burst = &one;
	struct access_verdict v;
	struct access_found found;
	struct access_key key;
	struct frame_class c;
	uint32_t want, got = UINT32_MAX;

	access_set_ask(set, bytes, len, &from, &to, true, &v);
	frame_classify(bytes, len, &c);
	if (access_key_of(bytes, &c, true, &key) >= ACCESS_KIND_EXEMPT) {
		REQUIRE(v.order == ACCESS_ORDER_END);
		return;
	}
	if (!quick->usable)
		return;
	want = access_base_scan(set, &key, &from, NULL, 0, set->base->cnt);
	if (access_columns_fill(&columns, quick->columns, &burst, 1) == 0)
		access_columns_put(&columns, quick->columns, 0, &key);
	access_quick_find(set->base, &columns, 1, 1, &from, &found);
	for (uint32_t i = 0; i < found.few_cnt; i++)
		got = (found.few[i] & 1) != 0 ? quick->few[i].index : got;
	if ((found.hashed & 1) != 0)
		got = found.rule[0];
	REQUIRE(got == want);
	REQUIRE(v.order == (want == UINT32_MAX ? ACCESS_ORDER_END : access_order_base(want)));
}

static void match(const struct directory_rules *rules, const struct access_names *list,
	const uint8_t *data, size_t size)
{
	struct access_rule *flat = calloc(rules->cnt + 1, sizeof(*flat));
	struct access_conf conf = {.rules = flat,
		.rule_cnt = rules->cnt,
		.lists = list,
		.list_cnt = 1,
		.max_bytes = 1 /* rte_acl has random tests of its own */};
	struct access_set_conf set_conf = {0};
	struct access_set *set;

	REQUIRE(flat != NULL);
	for (uint32_t i = 0; i < rules->cnt; i++) {
		flat[i] = rules->rule[i]->rule;
		flat[i].slot = i + 1;
		flat[i].url = rules->rule[i]->url;
		who(rules->rule[i]->src_user, &flat[i].src_who);
		who(rules->rule[i]->dst_user, &flat[i].dst_who);
	}
	set_conf.base = access_base_create(&conf);
	REQUIRE(set_conf.base != NULL);
	set = access_set_create(&set_conf);
	REQUIRE(set != NULL);
	access_base_put(set_conf.base);
	while (size > 1) {
		uint8_t len = data[0] < size - 1 ? data[0] : (uint8_t)(size - 1);
		/* On the heap: nothing is read behind the end. */
		uint8_t *bytes = malloc(len + 1u);

		REQUIRE(bytes != NULL);
		memcpy(bytes, data + 1, len);
		if (len >= FRAME_MIN_BYTES)
			frame(set, bytes, len);
		free(bytes);
		data += 1 + len;
		size -= 1u + len;
	}
	access_set_free(set);
	free(flat);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct directory_rules rules = {0};
	struct access_names list;
	char *text = part(&data, &size), *names = part(&data, &size);
	int rc = directory_rules_parse(text, report, NULL, &rules);

	REQUIRE(rc == 0 || rc == -EINVAL || rc == -ENOMEM);
	REQUIRE(access_names_parse(names, &list) == 0);
	for (uint32_t i = 1; i < list.cnt; i++)
		REQUIRE(list.key[i - 1] <= list.key[i]);
	if (rc == 0 && rules.cnt <= RULES) {
		REQUIRE(directory_rules_sort(&rules) == 0);
		written_again(&rules);
		match(&rules, &list, data, size);
	}
	directory_rules_clear(&rules);
	free((void *)(uintptr_t)list.key);
	free(names);
	free(text);
	return 0;
}
