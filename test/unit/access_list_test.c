/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Access lists: random lists against random frames. Three answers must be one: the compiled set's (rte_acl, with fresh and
 * dead rules), the scan of its rules, and that of a model here that knows neither keys nor parsers: a frame is made from
 * facts, and the model looks at the facts as reference/access-list.md says it.
 *
 *   access_list_test [pairs]     a pair: one list, one frame. Default: a million.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/access_priv.h"
#include "dataplane/frame.h"
#include "test/unit/access_model.h"
#include "test/unit/worker.h"

#define RULES_MAX 1600u
#define FRAMES	  1024u /* for each list, */
#define TURNS	  32u	/* each so often, between other people */

static unsigned long pairs_wanted = 1000000;

/* ---- lists ------------------------------------------------------------------------------------ */

/* The list in force: rules in order, where each stands, and who is gone. */
static struct {
	struct access_rule rule[RULES_MAX];
	uint32_t order[RULES_MAX];
	unsigned cnt;
} list;

static struct access_rule base_rule[RULES_MAX];
static struct access_fresh fresh[RULES_MAX];
static uint32_t dead[RULES_MAX];

/* Base, fresh and dead rules at random, and in list[] what they come to. */
static struct access_set *set_random(unsigned rules, const struct taste *t)
{
	bool edited = one_in(2);
	struct access_conf conf = {
		.rules = base_rule, .lists = model_lists, .list_cnt = MODEL_LISTS};
	struct access_set_conf set_conf = {.fresh = fresh, .dead = dead};
	uint32_t slot = 0;
	struct access_set *set;

	list.cnt = 0;
	for (unsigned i = 0; i < rules; i++) {
		struct access_rule r;
		uint32_t k = 0;

		rule_random(&r, ++slot, t);
		if (edited && one_in(8)) {
			fresh[set_conf.fresh_cnt++] =
				(struct access_fresh){.before = conf.rule_cnt, .rule = r};
			for (unsigned n = set_conf.fresh_cnt - 1;
				n > 0 && fresh[n - 1].before == conf.rule_cnt; n--)
				k++;
			list.order[list.cnt] = access_order_before(conf.rule_cnt, k);
			list.rule[list.cnt++] = r;
			continue;
		}
		if (edited && one_in(8)) {
			dead[set_conf.dead_cnt++] = conf.rule_cnt;
		} else {
			list.order[list.cnt] = access_order_base(conf.rule_cnt);
			list.rule[list.cnt++] = r;
		}
		base_rule[conf.rule_cnt++] = r;
	}
	set_conf.base = access_base_create(&conf);
	assert_non_null(set_conf.base);
	set = access_set_create(&set_conf);
	assert_non_null(set);
	access_base_put(set_conf.base);
	return set;
}

static struct access_verdict model(const struct facts *f, int from, int to)
{
	struct access_verdict v = {.order = ACCESS_ORDER_END};
	bool second = false;

	for (unsigned i = 0; i < list.cnt; i++) {
		const struct access_rule *r = &list.rule[i];

		second = second || r->dst_who.kind != ACCESS_WHO_ANY;
		if (second && to < 0)
			break;
		if (!model_rule(r, f, from, second ? to : -1))
			continue;
		v.order = list.order[i];
		v.slot = r->slot;
		v.drop = (r->flags & ACCESS_F_DROP) != 0;
		v.inbound = !second;
		break;
	}
	return v;
}

static unsigned long matched;

static void check(const struct access_set *set, struct facts *frames, unsigned n, int from, int to)
{
	struct access_party sender = person((unsigned)from), receiver;
	struct access_key keys[FRAME_BURST], *key[FRAME_BURST];
	struct access_ids ids, to_ids;
	uint32_t first[FRAME_BURST], second[FRAME_BURST];
	bool exempt[FRAME_BURST];
	unsigned k = 0;

	access_ids_make(set->base, &sender, false, &ids);
	receiver = person((unsigned)to);
	access_ids_make(set->base, &receiver, true, &to_ids);
	for (unsigned i = 0; i < n; i++) {
		struct frame_class c;
		struct access_key fast;
		enum access_kind kind;

		frame_classify(frames[i].bytes, frames[i].len, &c);
		kind = access_key_of(frames[i].bytes, &c, false, &keys[i]);
		exempt[i] = kind == ACCESS_KIND_EXEMPT;
		assert_int_not_equal(kind, ACCESS_KIND_MALFORMED);
		if (access_key_fast(frames[i].bytes, frames[i].len, &fast))
			assert_memory_equal(&fast, &keys[i], sizeof(fast));
		if (!exempt[i])
			key[k++] = &keys[i];
	}
	if (k > 0) {
		access_set_find(set, key, k, &ids, NULL, 0, set->split, first);
		access_set_find(set, key, k, &ids, &to_ids, set->split, ACCESS_ORDER_END, second);
	}
	k = 0;
	for (unsigned i = 0; i < n; i++) {
		struct access_verdict want = model(&frames[i], from, to), asked;
		uint32_t got = ACCESS_ORDER_END;

		access_set_ask(
			set, frames[i].bytes, frames[i].len, &sender, &receiver, false, &asked);
		if (!exempt[i]) {
			got = first[k] != ACCESS_ORDER_END ? first[k] : second[k];
			k++;
		}
		matched += want.order != ACCESS_ORDER_END;
		if (got != want.order || asked.order != want.order)
			fail_msg("model %u, scan %u, tables %u", want.order, asked.order, got);
		assert_int_equal(asked.slot, want.slot);
		assert_int_equal(asked.drop, want.drop);
		if (want.order != ACCESS_ORDER_END)
			assert_int_equal(asked.inbound, want.inbound);
	}
}

static void agree(void **)
{
	static const unsigned sizes[] = {1, 8, 20, 40, 60, 100, 150, 200};
	static struct facts frames[FRAMES];
	unsigned long pairs = 0;
	unsigned round = 0;

	for (; pairs < pairs_wanted; round++) {
		unsigned rules = round % 20 == 19 ? 1500 : sizes[round % 8];
		struct taste t = {.names = one_in(2),
			.macs = one_in(2),
			.receivers = one_in(3),
			.bare = one_in(2)};
		struct access_set *set = set_random(rules, &t);

		for (unsigned i = 0; i < FRAMES; i++)
			facts_make(&frames[i]);
		for (unsigned k = 0; k < TURNS; k++) {
			int from = (int)any(MODEL_PEOPLE), to = (int)any(MODEL_PEOPLE);

			for (unsigned i = 0; i < FRAMES; i += FRAME_BURST)
				check(set, frames + i, FRAME_BURST, from, to);
		}
		pairs += TURNS * FRAMES;
		access_set_free(set);
	}
	printf("%lu pairs, %lu matched, %u lists\n", pairs, matched, round);
	/* A test in which nothing happens proves nothing. */
	assert_true(matched > pairs / 4 && matched < pairs - pairs / 50);
}

/* ---- what random lists do not show ------------------------------------------------------------ */

static struct access_base *base_of(uint32_t cnt, size_t max_bytes, struct access_rule *rules)
{
	struct access_conf conf = {.rules = rules, .rule_cnt = cnt, .max_bytes = max_bytes};

	return access_base_create(&conf);
}

/* 32 768 rules for hosts: all of them in tables, and each is found. */
static void whole(void **)
{
	struct access_rule *rules = calloc(ACCESS_RULES_MAX, sizeof(*rules));
	struct access_base_view view;
	struct access_base *base;
	struct access_set *set;
	struct access_key key, *keys[1] = {&key};
	struct access_ids ids;
	const struct access_party nobody = {0};

	assert_non_null(rules);
	for (uint32_t i = 0; i < ACCESS_RULES_MAX; i++) {
		struct access_rule *r = &rules[i];

		r->slot = i + 1;
		r->src[0] = 10;
		r->src[2] = (uint8_t)(i >> 8 & 3);
		r->src[3] = (uint8_t)i;
		memset(r->src_mask, 0xff, 4);
		r->protocol = 6;
		r->dst_port_first = r->dst_port_last = (uint16_t)(1000 + i / 1024);
	}
	base = base_of(ACCESS_RULES_MAX, 0, rules);
	assert_non_null(base);
	access_base_view(base, &view);
	printf("%u rules: %u tables, %u scanned, %u ms\n", view.rules, view.tables, view.scanned,
		view.compile_ms);
	assert_int_equal(view.scanned, 0);
	set = access_set_create(&(struct access_set_conf){.base = base});
	access_base_put(base);
	access_ids_make(set->base, &nobody, false, &ids);
	for (uint32_t i = 0; i < ACCESS_RULES_MAX; i += 37) {
		uint32_t order;

		memset(&key, 0, sizeof(key));
		key.kind = ACCESS_KIND_IPV4;
		key.protocol = 6;
		key.l4 = ACCESS_L4_IS_TCP | ACCESS_L4_PORTS | ACCESS_L4_TCP | ACCESS_L4_ESTABLISHED;
		put16(key.ports + 2, 1000 + i / 1024);
		memcpy(key.address, rules[i].src, 4);
		access_set_find(set, keys, 1, &ids, NULL, 0, set->split, &order);
		assert_int_equal(order, access_order_base(i));
		assert_int_equal(access_set_action(set, order)->slot, i + 1);
	}
	access_set_free(set);
	free(rules);
}

/* What does not fit into its bound is scanned, says so, and finds the same. */
static void bounded(void **)
{
	struct access_rule *rules = calloc(6000, sizeof(*rules));
	struct access_base_view view;
	struct access_base *base;

	assert_non_null(rules);
	for (uint32_t i = 0; i < 6000; i++) {
		struct access_rule *r = &rules[i];

		r->slot = i + 1;
		for (unsigned k = 0; k < 4; k++) {
			r->src[k] = (uint8_t)any(256);
			r->dst[k] = (uint8_t)any(256);
			r->src_mask[k] = (uint8_t)any(256);
			r->dst_mask[k] = (uint8_t)any(256);
		}
	}
	base = base_of(6000, (size_t)4 << 20, rules);
	assert_non_null(base);
	access_base_view(base, &view);
	printf("random masks: %u tables, %u of %u scanned, %u ms\n", view.tables, view.scanned,
		view.rules, view.compile_ms);
	assert_true(view.scanned > 3000);
	access_base_put(base);
	free(rules);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agree),
		cmocka_unit_test(whole),
		cmocka_unit_test(bounded),
	};

	if (argc > 1)
		pairs_wanted = strtoul(argv[1], NULL, 10);
	if (worker_eal(0) != 0)
		return 1;
	people_make();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
