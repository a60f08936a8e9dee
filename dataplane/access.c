/* SPDX-License-Identifier: BSD-3-Clause */
/* Bases and sets: their making, their end, and how a hub gets one (access.h). */

#include "dataplane/access.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "dataplane/access_priv.h"
#include "dataplane/hub_access_priv.h"
#include "dataplane/hub_priv.h"

/* ---- bases ------------------------------------------------------------------------------------ */

static uint64_t *names_of(
	const struct access_test *test, uint32_t cnt, bool dst, uint32_t *name_cnt)
{
	uint64_t *names = malloc(((size_t)cnt + 1) * sizeof(*names));
	uint32_t n = 0, k = 0;

	if (names == NULL)
		return NULL;
	for (uint32_t i = 0; i < cnt; i++) {
		const struct access_who_test *who = dst ? &test[i].dst_who : &test[i].src_who;

		if (who->kind == ACCESS_WHO_NAME)
			names[n++] = who->name;
	}
	access_names_sort(names, n);
	for (uint32_t i = 0; i < n; i++) {
		if (k == 0 || names[k - 1] != names[i])
			names[k++] = names[i];
	}
	*name_cnt = k;
	return names;
}

static int lists_copy(struct access_base *base, const struct access_conf *conf)
{
	for (uint32_t i = 0; i < conf->list_cnt; i++) {
		uint64_t *key = malloc(((size_t)conf->lists[i].cnt + 1) * sizeof(*key));

		if (key == NULL)
			return -ENOMEM;
		if (conf->lists[i].cnt > 0)
			memcpy(key, conf->lists[i].key, conf->lists[i].cnt * sizeof(*key));
		base->lists[i] = (struct access_names){.cnt = conf->lists[i].cnt, .key = key};
		base->list_cnt = i + 1;
	}
	return 0;
}

/* The texts of `n` rules one behind the other, and actions[i].url into them. NULL: no memory, or none. */
static int urls_copy(const struct access_rule *rule, size_t stride, uint32_t n,
	struct access_action *action, char **out)
{
	size_t bytes = 0;
	char *to;

	for (uint32_t i = 0; i < n; i++) {
		const struct access_rule *r = (const void *)((const uint8_t *)rule + i * stride);

		bytes += r->url != NULL ? strlen(r->url) + 1 : 0;
	}
	*out = NULL;
	if (bytes == 0)
		return 0;
	to = *out = malloc(bytes);
	if (to == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		const struct access_rule *r = (const void *)((const uint8_t *)rule + i * stride);

		if (r->url == NULL)
			continue;
		action[i].url = to;
		to = stpcpy(to, r->url) + 1;
	}
	return 0;
}

static void base_free(struct access_base *base)
{
	access_tables_free(base);
	access_quick_free(base);
	for (uint32_t i = 0; i < base->list_cnt; i++)
		free((void *)(uintptr_t)base->lists[i].key);
	free(base->glance);
	free(base->test);
	free(base->action);
	free(base->brief);
	free(base->urls);
	free(base->src_names);
	free(base->dst_names);
	free(base);
}

static void glance_make(const struct access_test *t, struct access_glance *g)
{
	memcpy(g->mask, t->mask, sizeof(g->mask));
	memcpy(g->want, t->want, sizeof(g->want));
	for (unsigned i = 0; i < 2; i++) {
		g->port_first[i] = t->port_first[i];
		g->port_span[i] = (uint16_t)(t->port_last[i] - t->port_first[i]);
	}
	g->whole = t->src_who.kind == ACCESS_WHO_ANY && t->dst_who.kind == ACCESS_WHO_ANY;
	for (unsigned i = 2; i < ACCESS_KEY_WORDS; i++)
		g->whole = g->whole && t->mask[i] == 0;
}

static void base_fill(struct access_base *base, const struct access_conf *conf)
{
	base->end = base->split = base->cnt;
	for (uint32_t i = 0; i < base->cnt; i++) {
		struct access_test *t = &base->test[i];

		access_test_make(&conf->rules[i], t);
		access_action_make(&conf->rules[i], &base->action[i]);
		base->brief[i] = base->action[i].slot | (uint32_t)base->action[i].flags << 16;
		glance_make(t, &base->glance[i]);
		if (base->split == base->cnt && t->dst_who.kind != ACCESS_WHO_ANY)
			base->split = i;
		if (base->end == base->cnt && access_test_all(t))
			base->end = i;
		base->tcp_state_cnt += access_test_tcp_state(t);
	}
}

struct access_base *access_base_create(const struct access_conf *conf)
{
	struct access_base *base = calloc(1, sizeof(*base));
	size_t n = (size_t)conf->rule_cnt + 1;

	if (base == NULL)
		return NULL;
	base->refs = 1;
	base->cnt = conf->rule_cnt;
	base->glance = calloc(n, sizeof(*base->glance));
	base->test = calloc(n, sizeof(*base->test));
	base->action = calloc(n, sizeof(*base->action));
	base->brief = calloc(n, sizeof(*base->brief));
	if (base->glance == NULL || base->test == NULL || base->action == NULL ||
		base->brief == NULL || lists_copy(base, conf) != 0)
		goto fail;
	base_fill(base, conf);
	if (urls_copy(conf->rules, sizeof(*conf->rules), base->cnt, base->action, &base->urls) != 0)
		goto fail;
	base->src_names = names_of(base->test, base->cnt, false, &base->src_name_cnt);
	base->dst_names = names_of(base->test, base->cnt, true, &base->dst_name_cnt);
	if (base->src_names == NULL || base->dst_names == NULL)
		goto fail;
	if (access_quick_make(base, access_few_best()) != 0)
		goto fail;
	access_tables_make(base, conf->max_bytes);
	return base;

fail:
	base_free(base);
	return NULL;
}

struct access_base *access_base_get(struct access_base *base)
{
	base->refs++;
	return base;
}

void access_base_put(struct access_base *base)
{
	if (base != NULL && --base->refs == 0)
		base_free(base);
}

void access_base_view(const struct access_base *base, struct access_base_view *out)
{
	*out = (struct access_base_view){.rules = base->cnt, .compile_ms = base->compile_ms};
	for (uint32_t i = 0; i < base->chunk_cnt; i++) {
		const struct access_chunk *c = &base->chunk[i];

		if (c->scanned)
			out->scanned += c->to - c->from;
		for (unsigned k = 0; k < ACCESS_KIND_CNT; k++)
			out->tables += c->table[k].acl != NULL;
	}
}

/* ---- sets ------------------------------------------------------------------------------------- */

void access_set_free(struct access_set *set)
{
	if (set == NULL)
		return;
	access_base_put(set->base);
	free(set->dead);
	free(set->fresh_order);
	free(set->fresh_test);
	free(set->fresh_action);
	free(set->urls);
	free(set);
}

static bool is_dead(const struct access_set *set, uint32_t i)
{
	return set->dead != NULL && (set->dead[i / 64] >> i % 64 & 1) != 0;
}

/* Where the second pass begins. */
static uint32_t split_of(const struct access_set *set)
{
	const struct access_base *base = set->base;
	uint32_t split = ACCESS_ORDER_END;

	for (uint32_t i = base->split; i < base->cnt; i++) {
		if (base->test[i].dst_who.kind == ACCESS_WHO_ANY || is_dead(set, i))
			continue;
		split = access_order_base(i);
		break;
	}
	for (uint32_t i = 0; i < set->fresh_cnt; i++) {
		if (set->fresh_test[i].dst_who.kind == ACCESS_WHO_ANY)
			continue;
		return set->fresh_order[i] < split ? set->fresh_order[i] : split;
	}
	return split;
}

static bool asks_tcp_state(const struct access_set *set, const struct access_set_conf *conf)
{
	uint32_t cnt = set->base->tcp_state_cnt;

	for (uint32_t i = 0; i < set->fresh_cnt; i++)
		cnt += access_test_tcp_state(&set->fresh_test[i]);
	for (uint32_t i = 0; i < conf->dead_cnt; i++)
		cnt -= access_test_tcp_state(&set->base->test[conf->dead[i]]);
	return cnt != 0;
}

static void fresh_fill(struct access_set *set, const struct access_set_conf *conf)
{
	uint32_t before = UINT32_MAX, k = 0;

	for (uint32_t i = 0; i < conf->fresh_cnt; i++) {
		const struct access_fresh *f = &conf->fresh[i];

		k = f->before == before ? k + 1 : 0;
		before = f->before;
		set->fresh_order[i] = access_order_before(before, k);
		access_test_make(&f->rule, &set->fresh_test[i]);
		access_action_make(&f->rule, &set->fresh_action[i]);
	}
}

struct access_set *access_set_create(const struct access_set_conf *conf)
{
	struct access_set *set = calloc(1, sizeof(*set));
	size_t n = (size_t)conf->fresh_cnt + 1;

	if (set == NULL)
		return NULL;
	set->base = access_base_get(conf->base);
	set->fresh_cnt = conf->fresh_cnt;
	set->fresh_order = calloc(n, sizeof(*set->fresh_order));
	set->fresh_test = calloc(n, sizeof(*set->fresh_test));
	set->fresh_action = calloc(n, sizeof(*set->fresh_action));
	if (conf->dead_cnt > 0)
		set->dead = calloc(conf->base->cnt / 64 + 1, sizeof(*set->dead));
	if (set->fresh_order == NULL || set->fresh_test == NULL || set->fresh_action == NULL ||
		(conf->dead_cnt > 0 && set->dead == NULL))
		goto fail;
	fresh_fill(set, conf);
	if (set->fresh_cnt > 0 &&
		urls_copy(&conf->fresh->rule, sizeof(*conf->fresh), set->fresh_cnt,
			set->fresh_action, &set->urls) != 0)
		goto fail;
	for (uint32_t i = 0; i < conf->dead_cnt; i++)
		set->dead[conf->dead[i] / 64] |= UINT64_C(1) << conf->dead[i] % 64;
	set->split = split_of(set);
	set->asks_tcp_state = asks_tcp_state(set, conf);
	set->quick = set->fresh_cnt == 0 && set->dead == NULL && set->base->quick.usable;
	return set;

fail:
	access_set_free(set);
	return NULL;
}

/* ---- a hub's ---------------------------------------------------------------------------------- */

static void hits_free(struct access_hits *hits)
{
	if (hits == NULL)
		return;
	for (unsigned i = 0; i < hits->workers; i++)
		free(hits->cnt[i]);
	free(hits);
}

static struct access_hits *hits_create(unsigned workers)
{
	struct access_hits *hits = calloc(1, sizeof(*hits) + workers * sizeof(hits->cnt[0]));

	if (hits == NULL)
		return NULL;
	hits->workers = workers;
	for (unsigned i = 0; i < workers; i++) {
		/* Pages that nobody counts in are never touched. */
		hits->cnt[i] = calloc(ACCESS_SLOTS, sizeof(uint64_t));
		if (hits->cnt[i] == NULL) {
			hits_free(hits);
			return NULL;
		}
	}
	return hits;
}

static void set_gone(void *arg)
{
	access_set_free(arg);
}

int hub_set_access(struct hub *hub, struct access_set *set)
{
	struct access_set *old = atomic_load_explicit(&hub->access, memory_order_relaxed);

	if (set != NULL) {
		if (hub->access_hits == NULL)
			hub->access_hits = hits_create(hub->locals);
		if (hub->access_hits == NULL)
			return -ENOMEM;
		set->hits = hub->access_hits;
	}
	/* Release: who finds the set finds it filled in. */
	atomic_store_explicit(&hub->access, set, memory_order_release);
	if (old != NULL)
		grace_defer(&old->grace, set_gone, old);
	return 0;
}

void hub_access_parked(const struct hub *, uint64_t *waiting, uint64_t *refused)
{
	lcore_parked(waiting, refused);
}

uint64_t hub_access_hits(const struct hub *hub, uint32_t slot)
{
	uint64_t sum = 0;

	for (unsigned i = 0; hub->access_hits != NULL && i < hub->access_hits->workers; i++)
		sum += __atomic_load_n(&hub->access_hits->cnt[i][slot], __ATOMIC_RELAXED);
	return sum;
}

void hub_access_end(struct hub *hub)
{
	access_set_free(atomic_load_explicit(&hub->access, memory_order_relaxed));
	atomic_store_explicit(&hub->access, NULL, memory_order_relaxed);
	hits_free(hub->access_hits);
	hub->access_hits = NULL;
}
