/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIRECTORY_RULE_H
#define PATCHBAY_CONTROLPLANE_DIRECTORY_RULE_H

/*
 * The access list of a hub as the directory has it (reference/access-list.md): rules in the order in which they are
 * looked at - by priority, of equals those that pass first, then by their ids. What the workers go by is made from it by
 * access_list.h.
 *
 * As text a rule is a group of libconfig, in the directory file as on patchbayctl's command line:
 *
 *	{ id = 2147483649L; priority = 10; drop = true; protocol = 6; destination = "10.0.0.0/8";
 *	  destination_ports = "80-90"; source_user = "staff"; }
 *
 * Control thread, but for reading and writing text.
 */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "controlplane/config_reader.h"
#include "dataplane/access.h"

struct directory;
struct directory_hub;
struct directory_object;

#define DIRECTORY_RULE_ID_MIN		0x80000000u /* below: places in the list (admin-rpc.md 4.7) */
#define DIRECTORY_RULE_PRIORITY_DEFAULT 1000u

struct directory_rule {
	uint32_t id; /* stays with the rule, unique in its hub */
	uint32_t priority;
	bool active;
	struct access_rule rule; /* but for who and url, which are the texts here */
	char *note;		 /* NULL: none, and so the next */
	char *src_user;		 /* user or group; include:FILE, exclude:FILE */
	char *dst_user;
	char *url;
	/* access_list.c: where it stands in what was compiled, and what its counter showed when it got it. */
	uint64_t compiled_as;  /* serial of that base << 32 | index; 0: in none */
	uint64_t compiling_as; /* the same of the base that is being made */
	uint64_t hits_before;
};

/* Part of a directory_hub. */
struct directory_rules {
	struct directory_rule **rule; /* in order */
	uint32_t cnt, room;
};

/* A rule that matches everything and passes. NULL: no memory. */
struct directory_rule *directory_rule_new(void);
struct directory_rule *directory_rule_copy(const struct directory_rule *rule);
void directory_rule_free(struct directory_rule *rule);
/* The same conditions and effects; id, active and what access_list.c keeps do not count. */
bool directory_rule_same(const struct directory_rule *a, const struct directory_rule *b);
/* Makes a rule what the original stores (access-list.md 3): ports in order. */
void directory_rule_normalise(struct directory_rule *rule);

/* Room for one more: rules->rule[rules->cnt] is there. -ENOMEM. */
int directory_rules_reserve(struct directory_rules *rules);
/* Takes the rule over; an id that is 0 or taken is replaced. -ENOMEM, -ENOSPC (ACCESS_RULES_MAX): it is not taken. */
int directory_rules_put(struct directory_rules *rules, struct directory_rule *rule);
/* By id, or by place (1 ..). *at may be NULL. */
struct directory_rule *directory_rules_find(
	const struct directory_rules *rules, uint32_t id, uint32_t *at);
/* Out of the list; the caller's. */
struct directory_rule *directory_rules_take(struct directory_rules *rules, uint32_t at);
void directory_rules_clear(struct directory_rules *rules);
/*
 * All at once: sorts, and gives ids to those without, or with one that an earlier rule has: the same ones for the same
 * list. -ENOMEM.
 */
int directory_rules_sort(struct directory_rules *rules);

/*
 * A rule from a group; reports what is wrong. -ENOMEM. *out: NULL after reporting. A name of a user list must not
 * lead out of the folder it is looked for in.
 */
int directory_rule_read(
	struct config_reader *r, const config_setting_t *group, struct directory_rule **out);
/* `{ ... }` on one line. */
void directory_rule_write(FILE *f, const struct directory_rule *rule);
/*
 * Many from a text: `{ ... }, { ... }` or `access = ( ... );`, or one without braces. Errors go to report; -EINVAL
 * after that, -ENOMEM. Any thread.
 */
int directory_rules_parse(const char *text, void (*report)(void *ctx, const char *line), void *ctx,
	struct directory_rules *out);
/* What is wrong with include:FILE or a name, in words, or NULL. */
const char *directory_rule_user_wrong(const char *text);

/* Member `access` of a hub. -ENOMEM. */
int directory_rules_read(
	struct config_reader *r, const config_setting_t *hub, struct directory_rules *rules);
void directory_rules_write(FILE *f, const struct directory_rules *rules);

/* The kinds "rule" (name: its id) and "rules" (all of a hub) of directory_object.h. */
bool directory_rule_object_write(
	FILE *f, const struct directory *d, const struct directory_object *o);
int directory_rule_object_read(struct config_reader *r, const config_setting_t *value,
	struct directory *d, const struct directory_object *o);
void directory_rule_object_remove(struct directory *d, const struct directory_object *o);
bool directory_rules_object_write(
	FILE *f, const struct directory *d, const struct directory_object *o);
int directory_rules_object_read(struct config_reader *r, const config_setting_t *value,
	struct directory *d, const struct directory_object *o);

#endif
