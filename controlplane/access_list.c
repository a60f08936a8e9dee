/* SPDX-License-Identifier: BSD-3-Clause */
/* Access lists into force (access_list.h). */

#include "controlplane/access_list.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "controlplane/access_names.h"
#include "controlplane/control.h"
#include "controlplane/directory.h"
#include "controlplane/hubs.h"
#include "controlplane/log.h"
#include "controlplane/slow.h"
#include "dataplane/hub.h"

#define LOOK_S \
	2 /* how often user lists are looked at; each hub's option says how old they may get */

/* One run of the compiler: owns all it refers to. */
struct run {
	struct slow_job job; /* first */
	struct access_list *list;
	struct access_rule *rules;
	uint32_t cnt;
	uint32_t serial;
	char *files[ACCESS_LISTS_MAX];
	uint64_t stamps[ACCESS_LISTS_MAX];
	struct access_names names[ACCESS_LISTS_MAX];
	uint32_t file_cnt;
	struct access_base *base; /* what came out */
};

struct access_list {
	struct directory_hub *hub; /* NULL: gone, a run is still under way */
	struct access_base *base;
	struct access_set *set; /* the one in force, for access_list_test() */
	uint32_t serial;	/* of the base; the next run's is larger */
	uint32_t last_serial;
	char *files[ACCESS_LISTS_MAX]; /* of the base's lists */
	uint64_t stamps[ACCESS_LISTS_MAX];
	uint32_t file_cnt;
	time_t looked_s;
	struct run *run;
	bool stale; /* the base is not what the directory has */
	bool dark; /* the hub is not to go online before its list is in force: access_list_ready() */
	uint32_t fresh_cnt;
	uint64_t asked, reached; /* numbers of access_list_changed() */
	uint64_t taken[ACCESS_SLOTS / 64];
	uint32_t rotor;
};

static struct event *look;

/* ---- slots ------------------------------------------------------------------------------------ */

/* A slot that was given back rests as long as possible: a set that is on its way out may still count there. */
static uint32_t slot_take(struct access_list *l)
{
	for (uint32_t k = 0; k < ACCESS_SLOTS; k++) {
		uint32_t slot = (l->rotor + k) % ACCESS_SLOTS;

		if (slot == 0 || (l->taken[slot / 64] >> slot % 64 & 1) != 0)
			continue;
		l->taken[slot / 64] |= UINT64_C(1) << slot % 64;
		l->rotor = slot + 1;
		return slot;
	}
	return 0; /* cannot be: there are twice as many as rules */
}

static void slot_give(struct access_list *l, struct directory_rule *rule)
{
	uint32_t slot = rule->rule.slot;

	if (slot != 0)
		l->taken[slot / 64] &= ~(UINT64_C(1) << slot % 64);
	rule->rule.slot = 0;
}

static void slot_ensure(struct access_list *l, struct directory_rule *rule)
{
	if (rule->rule.slot != 0)
		return;
	rule->rule.slot = slot_take(l);
	rule->hits_before = hub_access_hits(l->hub->hub, rule->rule.slot);
}

/* ---- rules for the data path ------------------------------------------------------------------ */

/* -1: there is no room for another. */
static int file_index(char *const *files, uint32_t cnt, const char *file)
{
	for (uint32_t i = 0; i < cnt; i++)
		if (strcmp(files[i], file) == 0)
			return (int)i;
	return -1;
}

/* False: the user list is not among `files`. */
static bool who_of(const char *user, char *const *files, uint32_t file_cnt, struct access_who *out)
{
	bool exclude;
	const char *file = access_names_file(user, &exclude);
	int index;

	*out = (struct access_who){.kind = ACCESS_WHO_ANY};
	if (user == NULL || user[0] == '\0')
		return true;
	if (file == NULL) {
		out->kind = ACCESS_WHO_NAME;
		out->name = access_name_key(user);
		return true;
	}
	index = file_index(files, file_cnt, file);
	out->kind = exclude ? ACCESS_WHO_UNLISTED : ACCESS_WHO_LISTED;
	out->list = index < 0 ? 0 : (uint32_t)index;
	return index >= 0;
}

static bool rule_of(const struct directory_rule *d, char *const *files, uint32_t file_cnt,
	struct access_rule *out)
{
	*out = d->rule;
	out->url = d->url;
	return who_of(d->src_user, files, file_cnt, &out->src_who) &&
		who_of(d->dst_user, files, file_cnt, &out->dst_who);
}

/* ---- compiling -------------------------------------------------------------------------------- */

static void files_free(char **files, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++)
		free(files[i]);
}

static void run_free(struct run *r)
{
	for (uint32_t i = 0; r->rules != NULL && i < r->cnt; i++)
		free((char *)(uintptr_t)r->rules[i].url);
	free(r->rules);
	for (uint32_t i = 0; i < r->file_cnt; i++)
		free((void *)(uintptr_t)r->names[i].key);
	files_free(r->files, r->file_cnt);
	free(r);
}

static int file_note(struct run *r, const char *user)
{
	const char *file = access_names_file(user, NULL);

	if (file == NULL || file_index(r->files, r->file_cnt, file) >= 0)
		return 0;
	if (r->file_cnt == ACCESS_LISTS_MAX)
		return -E2BIG;
	r->files[r->file_cnt] = strdup(file);
	return r->files[r->file_cnt] == NULL ? -ENOMEM : (r->file_cnt++, 0);
}

/* The list as it is now. NULL: no memory. */
static struct run *run_new(struct access_list *l)
{
	const struct directory_rules *rules = &l->hub->access;
	struct run *r = calloc(1, sizeof(*r));

	if (r == NULL)
		return NULL;
	r->list = l;
	r->serial = ++l->last_serial;
	r->rules = calloc((size_t)rules->cnt + 1, sizeof(*r->rules));
	if (r->rules == NULL)
		goto fail;
	for (uint32_t i = 0; i < rules->cnt; i++) {
		struct directory_rule *d = rules->rule[i];
		int rc = file_note(r, d->src_user);

		if (rc == 0)
			rc = file_note(r, d->dst_user);
		if (rc == -ENOMEM)
			goto fail;
		d->compiling_as = 0;
		/* Rules whose list finds no place are left out; access_change.c lets nobody come so far. */
		if (!d->active || !rule_of(d, r->files, r->file_cnt, &r->rules[r->cnt])) {
			r->rules[r->cnt].url = NULL;
			continue;
		}
		slot_ensure(l, d);
		r->rules[r->cnt].slot = d->rule.slot;
		r->rules[r->cnt].url = d->url == NULL ? NULL : strdup(d->url);
		d->compiling_as = (uint64_t)r->serial << 32 | r->cnt;
		r->cnt++;
		if (d->url != NULL && r->rules[r->cnt - 1].url == NULL)
			goto fail;
	}
	return r;

fail:
	run_free(r);
	return NULL;
}

/* On a slow helper. */
static void run_work(struct slow_job *job)
{
	struct run *r = (struct run *)job;
	struct access_conf conf = {
		.rules = r->rules, .rule_cnt = r->cnt, .lists = r->names, .list_cnt = r->file_cnt};

	for (uint32_t i = 0; i < r->file_cnt; i++) {
		/* The stamp first: what changes in between is read once more. */
		r->stamps[i] = access_names_stamp(r->files[i]);
		(void)access_names_read(r->files[i], &r->names[i]);
	}
	r->base = access_base_create(&conf);
}

static void publish(struct access_list *l);

static void list_free(struct access_list *l)
{
	access_base_put(l->base);
	files_free(l->files, l->file_cnt);
	free(l);
}

static void run_tell(const struct access_list *l, const struct run *r)
{
	struct access_base_view v;

	access_base_view(r->base, &v);
	for (uint32_t i = 0; i < r->file_cnt; i++)
		if (r->stamps[i] == 0)
			log_warning("access", "hub %s: user list %s is not there and lists nobody",
				l->hub->name, r->files[i]);
	if (v.scanned > 64)
		log_warning("access",
			"hub %s: %u of %u access rules do not compile in their bound and are scanned for "
			"every frame: rules for whole networks at both ends are what takes room",
			l->hub->name, v.scanned, v.rules);
	else
		log_debug("access", "hub %s: %u access rules compiled in %u ms", l->hub->name,
			v.rules, v.compile_ms);
}

/* The base is what the run made; rules that are still there know their places in it. */
static void run_install(struct access_list *l, struct run *r)
{
	const struct directory_rules *rules = &l->hub->access;

	run_tell(l, r);
	access_base_put(l->base);
	l->base = r->base;
	r->base = NULL;
	l->serial = r->serial;
	for (uint32_t i = 0; i < rules->cnt; i++) {
		struct directory_rule *d = rules->rule[i];

		if (d->compiling_as >> 32 == r->serial)
			d->compiled_as = d->compiling_as;
	}
	files_free(l->files, l->file_cnt);
	memcpy(l->files, r->files, sizeof(l->files));
	memcpy(l->stamps, r->stamps, sizeof(l->stamps));
	l->file_cnt = r->file_cnt;
	for (uint32_t i = 0; i < r->file_cnt; i++)
		free((void *)(uintptr_t)r->names[i].key);
	r->file_cnt = 0;
}

static void run_done(struct slow_job *job)
{
	struct run *r = (struct run *)job;
	struct access_list *l = r->list;

	l->run = NULL;
	if (l->hub == NULL) {
		access_base_put(r->base);
		run_free(r);
		list_free(l);
		return;
	}
	if (r->base == NULL) {
		log_error("access",
			"hub %s: no memory to compile its access list; tried again in a moment",
			l->hub->name);
		run_free(r);
		return; /* look_due() */
	}
	run_install(l, r);
	run_free(r);
	publish(l);
}

static void compile(struct access_list *l)
{
	struct run *r;

	if (l->run != NULL)
		return;
	r = run_new(l);
	if (r == NULL) {
		log_error("access", "hub %s: no memory to compile its access list", l->hub->name);
		return;
	}
	l->run = r;
	r->job.work = run_work;
	r->job.done = run_done;
	slow_submit(&r->job);
}

/* ---- publication ------------------------------------------------------------------------------ */

/* What the set has besides the base. */
struct delta {
	struct access_fresh fresh[ACCESS_FRESH_MAX];
	uint32_t fresh_cnt;
	uint32_t *dead;
	uint32_t dead_cnt;
	bool full;
};

static void delta_dead(struct delta *d, uint32_t from, uint32_t to)
{
	for (uint32_t i = from; i < to; i++)
		d->dead[d->dead_cnt++] = i;
}

/* False: of a file that has more user lists than there is room for; it is not in force, and the log says so. */
static bool list_fits(const struct access_list *l, const struct directory_rule *r)
{
	struct access_rule rule;

	return l->file_cnt < ACCESS_LISTS_MAX || rule_of(r, l->files, l->file_cnt, &rule);
}

/* Returns the number of rules that are in force. */
static uint32_t delta_make(struct access_list *l, uint32_t base_cnt, struct delta *d)
{
	const struct directory_rules *rules = &l->hub->access;
	uint32_t at = 0, cnt = 0;

	for (uint32_t i = 0; i < rules->cnt && !d->full; i++) {
		struct directory_rule *r = rules->rule[i];
		uint32_t index = (uint32_t)r->compiled_as;

		if (!r->active)
			continue;
		cnt++;
		if (r->compiled_as >> 32 == l->serial && index >= at && l->serial != 0) {
			delta_dead(d, at, index);
			at = index + 1;
			continue;
		}
		if (!list_fits(l, r))
			continue;
		slot_ensure(l, r);
		d->full = d->fresh_cnt == ACCESS_FRESH_MAX ||
			!rule_of(r, l->files, l->file_cnt, &d->fresh[d->fresh_cnt].rule);
		if (!d->full)
			d->fresh[d->fresh_cnt++].before = at;
	}
	if (!d->full)
		delta_dead(d, at, base_cnt);
	return cnt;
}

static int base_empty(struct access_list *l)
{
	const struct access_conf none = {0};

	if (l->base == NULL)
		l->base = access_base_create(&none);
	return l->base == NULL ? -ENOMEM : 0;
}

/* 0: in force; -EAGAIN: after the next run; -ENOMEM. */
static int publish_delta(struct access_list *l, struct delta *d)
{
	struct access_base_view v;
	struct access_set *set = NULL;
	uint32_t cnt;

	access_base_view(l->base, &v);
	d->dead = malloc(((size_t)v.rules + 1) * sizeof(*d->dead));
	if (d->dead == NULL)
		return -ENOMEM;
	cnt = delta_make(l, v.rules, d);
	l->stale = d->fresh_cnt > 0 || d->dead_cnt > 0 || d->full;
	if (d->full)
		return -EAGAIN;
	if (cnt > 0) {
		set = access_set_create(&(struct access_set_conf){.base = l->base,
			.fresh = d->fresh,
			.fresh_cnt = d->fresh_cnt,
			.dead = d->dead,
			.dead_cnt = d->dead_cnt});
		if (set == NULL)
			return -ENOMEM;
	}
	if (hub_set_access(l->hub->hub, set) != 0) {
		access_set_free(set);
		return -ENOMEM;
	}
	l->set = set;
	l->fresh_cnt = d->fresh_cnt;
	return 0;
}

static void publish(struct access_list *l)
{
	struct delta *d = calloc(1, sizeof(*d));
	int rc = base_empty(l);

	if (d == NULL)
		rc = -ENOMEM;
	if (rc == 0)
		rc = publish_delta(l, d);
	if (rc == 0) {
		l->reached = l->asked;
		if (l->dark) {
			l->dark = false;
			hubs_rules_ready(l->hub);
		}
	} else if (rc == -ENOMEM)
		log_error("access",
			"hub %s: no memory to put its access list in force; the earlier one is",
			l->hub->name);
	if (l->stale)
		compile(l);
	if (d != NULL)
		free(d->dead);
	free(d);
}

/* ---- life ------------------------------------------------------------------------------------- */

static struct access_list *list_of(struct directory_hub *hub)
{
	if (hub->access_run == NULL) {
		hub->access_run = calloc(1, sizeof(*hub->access_run));
		if (hub->access_run != NULL)
			hub->access_run->hub = hub;
	}
	return hub->access_run;
}

int access_list_start(struct directory_hub *hub)
{
	struct access_list *l;

	if (hub->access.cnt == 0)
		return 0;
	l = list_of(hub);
	if (l == NULL)
		return -ENOMEM;
	l->asked++;
	/* Few rules are scanned until they are compiled. Before there are helpers all is done when this returns. */
	publish(l);
	if (l->reached == l->asked)
		return 0;
	if (l->run == NULL)
		return -ENOMEM;
	l->dark = true;
	return -EAGAIN;
}

bool access_list_ready(const struct directory_hub *hub)
{
	return hub->access_run == NULL || !hub->access_run->dark;
}

void access_list_stop(struct directory_hub *hub)
{
	struct access_list *l = hub->access_run;

	hub->access_run = NULL;
	if (l == NULL)
		return;
	/* The set is the hub's, and goes with it. */
	l->hub = NULL;
	if (l->run == NULL)
		list_free(l);
}

uint64_t access_list_changed(struct directory_hub *hub)
{
	struct access_list *l = list_of(hub);

	if (hub->hub == NULL)
		return 0;
	if (l == NULL) {
		log_error("access", "hub %s: no memory for its access list", hub->name);
		return 0;
	}
	l->asked++;
	publish(l);
	/* Somebody who edits a hub that is offline means the rules to be there when it is online. */
	if (l->reached != l->asked && !hub_online(hub->hub))
		l->dark = true;
	return l->reached == l->asked ? 0 : l->asked;
}

bool access_list_reached(const struct directory_hub *hub, uint64_t number)
{
	return hub->access_run == NULL || hub->access_run->reached >= number;
}

void access_list_forget(struct directory_hub *hub, struct directory_rule *rule)
{
	if (hub->access_run != NULL)
		slot_give(hub->access_run, rule);
}

void access_list_inherit(struct directory_rule *by, struct directory_rule *from)
{
	by->rule.slot = from->rule.slot;
	by->hits_before = from->hits_before;
	by->compiled_as = from->compiled_as;
	by->compiling_as = from->compiling_as;
	from->rule.slot = 0;
}

uint64_t access_list_hits(const struct directory_hub *hub, const struct directory_rule *rule)
{
	return rule->rule.slot == 0 || hub->hub == NULL
		? 0
		: hub_access_hits(hub->hub, rule->rule.slot) - rule->hits_before;
}

void access_list_view(const struct directory_hub *hub, struct access_list_view *out)
{
	const struct access_list *l = hub->access_run;

	*out = (struct access_list_view){0};
	if (hub->hub != NULL)
		hub_access_parked(hub->hub, &out->parked, &out->refused);
	if (l == NULL)
		return;
	if (l->base != NULL)
		access_base_view(l->base, &out->base);
	out->fresh = l->fresh_cnt;
	out->compiling = l->run != NULL;
}

const struct directory_rule *access_list_test(const struct directory_hub *hub, const uint8_t *data,
	uint32_t len, const struct access_party *from, const struct access_party *to,
	struct access_verdict *verdict)
{
	const struct access_list *l = hub->access_run;

	*verdict = (struct access_verdict){.order = ACCESS_ORDER_END};
	if (l == NULL || l->set == NULL)
		return NULL;
	access_set_ask(l->set, data, len, from, to,
		hub->ext_options[HUB_EXT_ApplyIPv4AccessListOnArpPacket] != 0, verdict);
	for (uint32_t i = 0; verdict->slot != 0 && i < hub->access.cnt; i++)
		if (hub->access.rule[i]->rule.slot == verdict->slot)
			return hub->access.rule[i];
	return NULL;
}

/* ---- user lists ------------------------------------------------------------------------------- */

static void files_look(struct access_list *l, time_t now_s)
{
	uint32_t life_s = l->hub->ext_options[HUB_EXT_AccessListIncludeFileCacheLifetime];
	bool changed = false;

	if (now_s - l->looked_s < (time_t)life_s && l->looked_s != 0)
		return;
	l->looked_s = now_s;
	for (uint32_t i = 0; i < l->file_cnt; i++)
		changed |= access_names_stamp(l->files[i]) != l->stamps[i];
	if (changed)
		compile(l);
}

static void look_due(evutil_socket_t, short, void *)
{
	struct directory_hub *hub;
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		struct access_list *l = hub->access_run;

		if (l != NULL && (l->stale || l->reached != l->asked) && l->run == NULL)
			publish(l); /* there was no memory */
		else if (l != NULL && l->file_cnt > 0)
			files_look(l, now.tv_sec);
	}
}

int access_list_init(void)
{
	const struct timeval often = {.tv_sec = LOOK_S};

	look = event_new(control_base(), -1, EV_PERSIST, look_due, NULL);
	return look == NULL || event_add(look, &often) != 0 ? -ENOMEM : 0;
}

void access_list_fini(void)
{
	if (look != NULL)
		event_free(look);
	look = NULL;
}
