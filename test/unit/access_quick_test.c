/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Lists that are looked through by columns: random lists of few rules, and of many in few shapes, against random frames,
 * with each kind of instructions. What they find is what the model says, and what going through the rules in order says.
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
#include "test/unit/access_model.h"
#include "test/unit/worker.h"

#define RULES_MAX 4000u
#define FRAMES	  1024u
#define NONE	  UINT32_MAX

static struct access_rule rule[RULES_MAX];
static struct facts frames[FRAMES];
static struct access_columns columns; /* large, and full of what was there before */
static unsigned long matched, asked, hashed;

static struct access_base *base_make(uint32_t cnt)
{
	struct access_conf conf = {.rules = rule,
		.rule_cnt = cnt,
		.lists = model_lists,
		.list_cnt = MODEL_LISTS,
		.max_bytes = 1 /* no tables: they are another test's */};
	struct access_base *base = access_base_create(&conf);

	assert_non_null(base);
	return base;
}

/* The first rule that matches, NONE. */
static uint32_t model(const struct facts *f, uint32_t cnt, int from)
{
	for (uint32_t i = 0; i < cnt; i++) {
		if (model_rule(&rule[i], f, from, -1))
			return i;
	}
	return NONE;
}

/* The columns of n frames; returns those that rules apply to. */
static uint64_t columns_of(uint32_t used, const struct facts *f, unsigned n)
{
	struct frame data[FRAME_BURST], *frame[FRAME_BURST];
	uint64_t open;

	for (unsigned j = 0; j < n; j++) {
		data[j] = (struct frame){
			.data = (uint8_t *)(uintptr_t)f[j].bytes, .len = (uint16_t)f[j].len};
		frame[j] = &data[j];
	}
	open = access_columns_fill(&columns, used, frame, n);
	for (unsigned j = 0; j < n; j++) {
		struct access_key key, fast;
		struct frame_class c;

		/* The same frames are usual to both, but for those that are very short. */
		assert_int_equal(open >> j & 1,
			f[j].len >= 48 && access_key_fast(f[j].bytes, f[j].len, &fast));
		if ((open >> j & 1) != 0)
			continue;
		frame_classify(f[j].bytes, f[j].len, &c);
		if (access_key_of(f[j].bytes, &c, false, &key) >= ACCESS_KIND_EXEMPT)
			continue;
		access_columns_put(&columns, used, j, &key);
		open |= UINT64_C(1) << j;
	}
	return open;
}

static uint32_t found_for(
	const struct access_base *base, const struct access_found *found, unsigned j)
{
	uint32_t index = NONE;

	for (uint32_t i = 0; i < found->few_cnt; i++) {
		if ((found->few[i] >> j & 1) == 0)
			continue;
		/* Nobody is found twice. */
		assert_int_equal(index, NONE);
		index = base->quick.few[i].index;
	}
	if ((found->hashed >> j & 1) == 0)
		return index;
	assert_int_equal(index, NONE);
	hashed++;
	return found->rule[j];
}

static void check(
	const struct access_base *base, uint32_t cnt, const struct facts *f, unsigned n, int from)
{
	const struct access_set set = {.base = (struct access_base *)(uintptr_t)base};
	struct access_party sender = person((unsigned)from);
	struct access_found found;
	uint64_t open = columns_of(base->quick.columns, f, n);

	access_quick_find(base, &columns, n, open, &sender, &found);
	for (unsigned j = 0; j < n; j++) {
		uint32_t want = model(&f[j], cnt, from), got = found_for(base, &found, j);
		struct frame_class c;
		struct access_key key;

		asked++;
		matched += want != NONE;
		if (got != want)
			fail_msg("way %d, %u rules: model %u, found %u", base->quick.way, cnt, want,
				got);
		frame_classify(f[j].bytes, f[j].len, &c);
		if (access_key_of(f[j].bytes, &c, false, &key) < ACCESS_KIND_EXEMPT)
			assert_int_equal(
				access_base_scan(&set, &key, &sender, NULL, 0, base->cnt), want);
	}
}

/* Every way, full bursts and the last, short one. */
static void check_all(struct access_base *base, uint32_t cnt)
{
	for (unsigned way = 0; way <= (unsigned)access_few_best(); way++) {
		assert_true(base->quick.usable);
		base->quick.way = way;
		for (unsigned i = 0; i < FRAMES; i++)
			facts_make(&frames[i]);
		for (unsigned at = 0; at < FRAMES; at += FRAME_BURST)
			check(base, cnt, frames + at, at % 3 == 0 ? FRAME_BURST : 1 + any(63),
				(int)any(MODEL_PEOPLE));
	}
}

static void few(void **)
{
	for (unsigned round = 0; round < 60; round++) {
		const struct taste t = {.names = one_in(2), .macs = one_in(2), .bare = one_in(2)};
		uint32_t cnt = 1 + any(ACCESS_FEW_RULES);
		struct access_base *base;

		for (uint32_t i = 0; i < cnt; i++)
			rule_random(&rule[i], i + 1, &t);
		base = base_make(cnt);
		assert_int_equal(base->quick.shape_cnt, 0);
		check_all(base, cnt);
		access_base_put(base);
	}
	assert_true(matched > asked / 4 && matched < asked);
}

/* Values are drawn anew, what is asked for stays. */
static void values_random(struct access_rule *r, const struct access_rule *of, uint32_t slot)
{
	const struct taste all = {.macs = true};
	struct access_rule other;

	rule_random(&other, slot, &all);
	*r = *of;
	r->slot = slot;
	r->flags ^= other.flags & ACCESS_F_DROP;
	for (unsigned i = 0; i < 16; i++) {
		r->src[i] = (uint8_t)(r->src_mask[i] != 0 ? other.src[i] : of->src[i]);
		r->dst[i] = (uint8_t)(r->dst_mask[i] != 0 ? other.dst[i] : of->dst[i]);
	}
	/* Other addresses than frames have, too: else every frame meets the first few. */
	r->src[2] += (uint8_t)(one_in(2) ? any(200) : 0);
	r->src[1] += (uint8_t)(one_in(2) ? any(200) : 0);
	if (of->dst_port_first == of->dst_port_last && of->dst_port_first != 0)
		r->dst_port_first = r->dst_port_last = one_in(2) ? 80 : (uint16_t)(1 + any(65535));
	r->src_mac ^= of->src_mac ^ other.src_mac;
	r->dst_mac ^= of->dst_mac ^ other.dst_mac;
}

/* A list of up to 8 shapes and some other rules. */
static uint32_t shaped_random(void)
{
	struct access_rule of[ACCESS_SHAPES_MAX];
	unsigned shapes = 1 + any(4), others = any(12);
	uint32_t cnt = 40 + any(one_in(8) ? 3000 : 300);

	for (unsigned k = 0; k < shapes; k++) {
		const struct taste t = {.names = one_in(3), .macs = one_in(3)};

		rule_random(&of[k], 1, &t);
		if (one_in(2))
			memset(of[k].src_mask, 0xff, 16);
	}
	for (uint32_t i = 0; i < cnt; i++)
		values_random(&rule[i], &of[any(shapes)], i + 1);
	for (unsigned i = 0; i < others; i++) {
		const struct taste t = {.names = true, .macs = true, .bare = one_in(3)};
		uint32_t at = any(cnt);

		rule_random(&rule[at], at + 1, &t);
	}
	return cnt;
}

static void shapes(void **)
{
	unsigned usable = 0, rounds = 0;

	matched = asked = hashed = 0;
	for (; usable < 60 && rounds < 3000; rounds++) {
		uint32_t cnt = shaped_random();
		struct access_base *base = base_make(cnt);

		if (base->quick.usable && base->quick.shape_cnt > 0) {
			usable++;
			check_all(base, cnt);
		}
		access_base_put(base);
	}
	printf("%u of %u lists, %lu frames: %lu matched, %lu by hash\n", usable, rounds, asked,
		matched, hashed);
	assert_int_equal(usable, 60);
	assert_true(hashed > asked / 40);
}

/* However a list is chosen, no lookup takes more than its steps: what would is not hashed. */
static void crowded(void **)
{
	struct access_base *base;

	/* The same host for everybody by name, and then by port range: one value, many rules. */
	for (unsigned by_name = 0; by_name < 2; by_name++) {
		for (uint32_t i = 0; i < 100; i++) {
			rule[i] = (struct access_rule){.slot = i + 1, .src = {10, 0, 0, 1}};
			memset(rule[i].src_mask, 0xff, 4);
			if (by_name != 0)
				rule[i].src_who =
					(struct access_who){.kind = ACCESS_WHO_NAME, .name = 1 + i};
			else {
				rule[i].dst_port_first = (uint16_t)(100 * i + 1);
				rule[i].dst_port_last = (uint16_t)(100 * i + 50);
			}
		}
		base = base_make(100);
		assert_false(base->quick.usable);
		access_base_put(base);
	}
	/* Other masks for each. */
	for (uint32_t i = 0; i < 100; i++) {
		rule[i] = (struct access_rule){.slot = i + 1, .src = {10, 0, 0, 1}};
		rule[i].src_mask[0] = (uint8_t)(i + 1);
	}
	base = base_make(100);
	assert_false(base->quick.usable);
	access_base_put(base);
	/* A receiver's name: a second pass. */
	rule[99].dst_who = (struct access_who){.kind = ACCESS_WHO_NAME, .name = 7};
	base = base_make(100);
	assert_false(base->quick.usable);
	access_base_put(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(few),
		cmocka_unit_test(shapes),
		cmocka_unit_test(crowded),
	};

	if (worker_eal(0) != 0)
		return 1;
	people_make();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
