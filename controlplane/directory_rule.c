/* SPDX-License-Identifier: BSD-3-Clause */
/* Access rules in memory: order, ids, places (directory_rule.h). */

#include "controlplane/directory_rule.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

struct directory_rule *directory_rule_new(void)
{
	struct directory_rule *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->active = true;
	r->priority = DIRECTORY_RULE_PRIORITY_DEFAULT;
	return r;
}

void directory_rule_free(struct directory_rule *r)
{
	if (r == NULL)
		return;
	free(r->note);
	free(r->src_user);
	free(r->dst_user);
	free(r->url);
	free(r);
}

static bool text_copy(char **to, const char *from)
{
	*to = from == NULL ? NULL : strdup(from);
	return from == NULL || *to != NULL;
}

struct directory_rule *directory_rule_copy(const struct directory_rule *r)
{
	struct directory_rule *c = directory_rule_new();
	bool whole;

	if (c == NULL)
		return NULL;
	*c = *r;
	c->note = c->src_user = c->dst_user = c->url = NULL;
	whole = text_copy(&c->note, r->note) && text_copy(&c->src_user, r->src_user) &&
		text_copy(&c->dst_user, r->dst_user) && text_copy(&c->url, r->url);
	if (whole)
		return c;
	directory_rule_free(c);
	return NULL;
}

static bool text_same(const char *a, const char *b)
{
	return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

bool directory_rule_same(const struct directory_rule *a, const struct directory_rule *b)
{
	const struct access_rule *x = &a->rule, *y = &b->rule;

	return a->priority == b->priority && x->flags == y->flags && x->protocol == y->protocol &&
		x->src_port_first == y->src_port_first && x->src_port_last == y->src_port_last &&
		x->dst_port_first == y->dst_port_first && x->dst_port_last == y->dst_port_last &&
		memcmp(x->src, y->src, 16) == 0 && memcmp(x->src_mask, y->src_mask, 16) == 0 &&
		memcmp(x->dst, y->dst, 16) == 0 && memcmp(x->dst_mask, y->dst_mask, 16) == 0 &&
		x->src_mac == y->src_mac && x->src_mac_mask == y->src_mac_mask &&
		x->dst_mac == y->dst_mac && x->dst_mac_mask == y->dst_mac_mask &&
		x->delay_ms == y->delay_ms && x->jitter == y->jitter && x->loss == y->loss &&
		text_same(a->note, b->note) && text_same(a->src_user, b->src_user) &&
		text_same(a->dst_user, b->dst_user) && text_same(a->url, b->url);
}

static void ports_order(uint16_t first, uint16_t *last)
{
	if (first != 0 && *last < first)
		*last = first;
}

void directory_rule_normalise(struct directory_rule *r)
{
	ports_order(r->rule.src_port_first, &r->rule.src_port_last);
	ports_order(r->rule.dst_port_first, &r->rule.dst_port_last);
	if ((r->rule.flags & ACCESS_F_SRC_MAC) == 0)
		r->rule.src_mac = r->rule.src_mac_mask = 0;
	if ((r->rule.flags & ACCESS_F_DST_MAC) == 0)
		r->rule.dst_mac = r->rule.dst_mac_mask = 0;
	if ((r->rule.flags & ACCESS_F_TCP_STATE) == 0)
		r->rule.flags &= ~ACCESS_F_ESTABLISHED;
}

/* ---- lists ------------------------------------------------------------------------------------ */

/* Of equals those that pass first. */
static int compare(const struct directory_rule *a, const struct directory_rule *b)
{
	bool drop_a = (a->rule.flags & ACCESS_F_DROP) != 0,
	     drop_b = (b->rule.flags & ACCESS_F_DROP) != 0;

	if (a->priority != b->priority)
		return a->priority < b->priority ? -1 : 1;
	if (drop_a != drop_b)
		return drop_b ? -1 : 1;
	return a->id < b->id ? -1 : a->id > b->id;
}

static int by_order(const void *a, const void *b)
{
	return compare(*(struct directory_rule *const *)a, *(struct directory_rule *const *)b);
}

static int by_id(const void *a, const void *b)
{
	uint32_t x = (*(struct directory_rule *const *)a)->id,
		 y = (*(struct directory_rule *const *)b)->id;

	return x < y ? -1 : x > y;
}

struct directory_rule *directory_rules_find(
	const struct directory_rules *rules, uint32_t id, uint32_t *at)
{
	uint32_t i = id - 1;

	if (id >= DIRECTORY_RULE_ID_MIN) {
		for (i = 0; i < rules->cnt && rules->rule[i]->id != id; i++)
			;
	}
	if (i >= rules->cnt)
		return NULL;
	if (at != NULL)
		*at = i;
	return rules->rule[i];
}

static uint32_t id_random(void)
{
	uint32_t id = 0;

	if (getrandom(&id, sizeof(id), 0) != (ssize_t)sizeof(id))
		id = (uint32_t)random();
	return id | DIRECTORY_RULE_ID_MIN;
}

int directory_rules_put(struct directory_rules *rules, struct directory_rule *rule)
{
	uint32_t lo = 0, hi = rules->cnt;

	if (rules->cnt >= ACCESS_RULES_MAX)
		return -ENOSPC;
	if (rules->cnt == rules->room) {
		uint32_t room = rules->room == 0 ? 16 : 2 * rules->room;
		struct directory_rule **more =
			realloc(rules->rule, room * sizeof(struct directory_rule *));

		if (more == NULL)
			return -ENOMEM;
		rules->rule = more;
		rules->room = room;
	}
	while (rule->id < DIRECTORY_RULE_ID_MIN ||
		directory_rules_find(rules, rule->id, NULL) != NULL)
		rule->id = id_random();
	while (lo < hi) {
		uint32_t at = lo + (hi - lo) / 2;

		if (compare(rules->rule[at], rule) < 0)
			lo = at + 1;
		else
			hi = at;
	}
	memmove(&rules->rule[lo + 1], &rules->rule[lo],
		(rules->cnt - lo) * sizeof(struct directory_rule *));
	rules->rule[lo] = rule;
	rules->cnt++;
	return 0;
}

struct directory_rule *directory_rules_take(struct directory_rules *rules, uint32_t at)
{
	struct directory_rule *rule = rules->rule[at];

	rules->cnt--;
	memmove(&rules->rule[at], &rules->rule[at + 1],
		(rules->cnt - at) * sizeof(struct directory_rule *));
	return rule;
}

void directory_rules_clear(struct directory_rules *rules)
{
	for (uint32_t i = 0; i < rules->cnt; i++)
		directory_rule_free(rules->rule[i]);
	free(rules->rule);
	*rules = (struct directory_rules){0};
}

void directory_rules_sort(struct directory_rules *rules)
{
	bool again = rules->cnt > 0;

	while (again) {
		again = false;
		for (uint32_t i = 0; i < rules->cnt; i++)
			if (rules->rule[i]->id < DIRECTORY_RULE_ID_MIN)
				rules->rule[i]->id = id_random();
		qsort(rules->rule, rules->cnt, sizeof(struct directory_rule *), by_id);
		for (uint32_t i = 1; i < rules->cnt; i++) {
			if (rules->rule[i]->id != rules->rule[i - 1]->id)
				continue;
			rules->rule[i]->id = 0;
			again = true;
		}
	}
	if (rules->cnt > 0)
		qsort(rules->rule, rules->cnt, sizeof(struct directory_rule *), by_order);
}

const char *directory_rule_user_wrong(const char *text)
{
	const char *file = NULL;

	if (strncasecmp(text, "include:", 8) == 0 || strncasecmp(text, "exclude:", 8) == 0)
		file = text + 8;
	if (strlen(text) > 255)
		return "is longer than 255 bytes";
	if (file == NULL)
		return NULL;
	if (file[0] == '\0')
		return "names no file behind include: or exclude:";
	if (file[0] == '/' || strstr(file, "..") != NULL)
		return "should name a file in the folder `lists` of the state directory";
	return NULL;
}
