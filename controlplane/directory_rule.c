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

int directory_rules_reserve(struct directory_rules *rules)
{
	uint32_t room = rules->room == 0 ? 16 : 2 * rules->room;
	struct directory_rule **more;

	if (rules->cnt < rules->room)
		return 0;
	more = realloc(rules->rule, room * sizeof(struct directory_rule *));
	if (more == NULL)
		return -ENOMEM;
	rules->rule = more;
	rules->room = room;
	return 0;
}

int directory_rules_put(struct directory_rules *rules, struct directory_rule *rule)
{
	uint32_t lo = 0, hi = rules->cnt;

	if (rules->cnt >= ACCESS_RULES_MAX)
		return -ENOSPC;
	if (directory_rules_reserve(rules) != 0)
		return -ENOMEM;
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

/* ---- ids of many ------------------------------------------------------------------------------ */

/* FNV-1a. */
static uint32_t mix(uint32_t hash, const void *bytes, size_t size)
{
	for (const uint8_t *p = bytes, *end = p + size; p < end; p++)
		hash = (hash ^ *p) * 16777619u;
	return hash;
}

static uint32_t mix_text(uint32_t hash, const char *text)
{
	return text == NULL ? mix(hash, "", 1) : mix(hash, text, strlen(text) + 1);
}

/*
 * The id of a rule that brings none: of what it says, so that a file without ids that is read again - by a start, by a
 * fold - means the same rules by them. Edits stand in the journal by id.
 */
static uint32_t id_of(const struct directory_rule *r)
{
	const struct access_rule *a = &r->rule;
	const uint64_t numbers[] = {r->priority, a->flags, a->protocol, a->src_port_first,
		a->src_port_last, a->dst_port_first, a->dst_port_last, a->src_mac, a->src_mac_mask,
		a->dst_mac, a->dst_mac_mask, a->delay_ms, a->jitter, a->loss};
	uint32_t hash = mix(2166136261u, numbers, sizeof(numbers));

	hash = mix(hash, a->src, sizeof(a->src));
	hash = mix(hash, a->src_mask, sizeof(a->src_mask));
	hash = mix(hash, a->dst, sizeof(a->dst));
	hash = mix(hash, a->dst_mask, sizeof(a->dst_mask));
	hash = mix_text(hash, r->note);
	hash = mix_text(hash, r->src_user);
	hash = mix_text(hash, r->dst_user);
	return mix_text(hash, r->url) | DIRECTORY_RULE_ID_MIN;
}

/* Ids that are taken, 0 for a free place; and where to go on from one that is. */
struct taken {
	uint32_t id, next;
};

/* The places are another secret's each time: who chooses the ids does not choose where they crowd. */
struct taken_set {
	struct taken *at;
	uint32_t mask;
	uint64_t key;
};

static struct taken *taken_at(const struct taken_set *set, uint32_t id)
{
	uint32_t at = (uint32_t)(id * set->key >> 32) & set->mask;

	while (set->at[at].id != 0 && set->at[at].id != id)
		at = (at + 1) & set->mask;
	return &set->at[at];
}

/* The first free one from `id` on. All that were on the way leave word for who comes there next: nobody goes it twice. */
static uint32_t take_from(const struct taken_set *set, uint32_t id)
{
	uint32_t from = id;
	struct taken *t = taken_at(set, id);

	while (t->id != 0) {
		id = t->next;
		t = taken_at(set, id);
	}
	t->id = id;
	t->next = (id + 1) | DIRECTORY_RULE_ID_MIN;
	while (from != id) {
		struct taken *passed = taken_at(set, from);

		from = passed->next;
		passed->next = t->next;
	}
	return id;
}

int directory_rules_sort(struct directory_rules *rules)
{
	struct taken_set set = {.mask = 63, .key = (uint64_t)id_random() << 32 | id_random() | 1};

	while (set.mask < 2 * rules->cnt)
		set.mask = 2 * set.mask + 1;
	set.at = rules->cnt == 0 ? NULL : calloc((size_t)set.mask + 1, sizeof(*set.at));
	if (set.at == NULL)
		return rules->cnt == 0 ? 0 : -ENOMEM;
	/* What brings one keeps it, unless an earlier rule has it. */
	for (uint32_t i = 0; i < rules->cnt; i++) {
		struct directory_rule *r = rules->rule[i];

		if (r->id < DIRECTORY_RULE_ID_MIN || taken_at(&set, r->id)->id != 0)
			r->id = 0;
		else
			(void)take_from(&set, r->id);
	}
	for (uint32_t i = 0; i < rules->cnt; i++)
		if (rules->rule[i]->id == 0)
			rules->rule[i]->id = take_from(&set, id_of(rules->rule[i]));
	free(set.at);
	qsort(rules->rule, rules->cnt, sizeof(struct directory_rule *), by_order);
	return 0;
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
