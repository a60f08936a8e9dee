/* SPDX-License-Identifier: BSD-3-Clause */
/* Access lists as text (directory_rule.h), and what would become of a frame: what patchbayctl uses. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/access_list.h"
#include "controlplane/admin/access_edit.h"
#include "controlplane/admin/hub_lookup.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/directory.h"
#include "controlplane/errand.h"
#include "controlplane/slow.h"
#include "dataplane/frame.h"
#include "drivers/session/wire/wire_error.h"

#define RULES_BYTES 33554432u /* 32 768 rules of a kilobyte */
#define FIRST_BYTES 200u      /* of what is said about a text */

static const struct admin_field id_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("Id", 0, ACCESS_RULES_MAX, "place in the list"),
	ADMIN_INT("UniqueId", 0, UINT32_MAX, "stays with the rule"),
	ADMIN_END,
};

/* The first thing that is wrong with a text, for the answer. */
static void report_first(void *ctx, const char *line)
{
	char *first = ctx;

	if (first[0] == '\0')
		snprintf(first, FIRST_BYTES, "%s", line);
}

/* What directory_rules_parse() said of argument `field`, and whether its rules will do. 0 or the error. */
static int judge(struct admin_call *call, struct admin_access *st, const struct directory_hub *hub,
	const char *field, int rc, const char *first)
{
	if (rc == -ENOMEM)
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	if (rc != 0)
		return admin_fail_field(call, field, "%s", first);
	for (uint32_t i = 0; i < st->rules.cnt && rc == 0; i++)
		rc = admin_access_fit(call, hub, st->rules.rule[i]);
	st->parsed = rc == 0;
	return rc;
}

/* ---- PatchbayAddAccess ------------------------------------------------------------------------ */

static const struct admin_field add_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_REQUIRED_STR("Rule", 1, 8191, "the rule as text: priority = 10; drop = true; ..."),
	ADMIN_END,
};

static int add_begin(struct admin_call *call, struct admin_access *st, struct directory_hub *hub)
{
	char first[FIRST_BYTES] = "";
	int rc = 0;

	if (!st->parsed)
		rc = judge(call, st, hub, "Rule",
			directory_rules_parse(
				admin_get_str(call, "Rule"), report_first, first, &st->rules),
			first);
	if (rc != 0)
		return rc;
	if (st->rules.cnt != 1)
		return admin_fail_field(call, "Rule", "should be one rule, not %u", st->rules.cnt);
	rc = access_change_add(hub, st->rules.rule[0], &st->change);
	if (rc != -EBUSY)
		st->rules.cnt = 0; /* it was taken over */
	return admin_access_begun(call, rc);
}

static int add_step(struct admin_call *call)
{
	return admin_access_step(call, add_begin);
}

const struct admin_method admin_method_patchbay_add_access = {
	.name = "PatchbayAddAccess",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Adds an access rule that is given as text; answered when it is in force. 8: no such hub, 38: what is wrong "
		"with the text, 62: as many rules as there may be.",
	.request = add_request,
	.response = id_response,
	.state_bytes = sizeof(struct admin_access),
	.step = add_step,
	.fini = admin_access_fini,
};

/* ---- PatchbayReplaceAccess -------------------------------------------------------------------- */

static const struct admin_field replace_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_STR("Rules", 0, RULES_BYTES, "the whole list as text: { ... }, { ... }"),
	ADMIN_END,
};

/* On a slow helper, and there until it is back, also without its caller: 32 768 rules take a second. */
struct parsing {
	struct slow_job job; /* first */
	char *text;
	struct directory_rules rules;
	char first[FIRST_BYTES];
	int rc;
	struct errand errand;
};

struct replace {
	struct admin_access access; /* first */
	struct parsing *parsing;
};

static void parsing_free(struct parsing *p)
{
	directory_rules_clear(&p->rules);
	free(p->text);
	free(p);
}

static void parsing_work(struct slow_job *job)
{
	struct parsing *p = (struct parsing *)job;

	p->rc = directory_rules_parse(p->text, report_first, p->first, &p->rules);
}

static void parsing_done(struct slow_job *job)
{
	struct parsing *p = (struct parsing *)job;

	if (errand_over(&p->errand))
		parsing_free(p);
}

static int parsing_begin(struct admin_call *call, struct replace *r)
{
	struct parsing *p = calloc(1, sizeof(*p));

	if (p != NULL)
		p->text = strdup(admin_get_str(call, "Rules"));
	if (p == NULL || p->text == NULL) {
		free(p);
		return admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	}
	r->parsing = p;
	p->job.work = parsing_work;
	p->job.done = parsing_done;
	slow_submit(&p->job);
	return ADMIN_WAIT;
}

static int replace_begin(
	struct admin_call *call, struct admin_access *st, struct directory_hub *hub)
{
	struct replace *r = (struct replace *)st;
	struct parsing *p = r->parsing;
	int rc = 0;

	if (p == NULL)
		return parsing_begin(call, r);
	if (!p->errand.over)
		return ADMIN_WAIT;
	if (!st->parsed) {
		st->rules = p->rules;
		p->rules = (struct directory_rules){0};
		rc = judge(call, st, hub, "Rules", p->rc, p->first);
	}
	if (rc != 0)
		return rc;
	return admin_access_begun(call, access_change_replace(hub, &st->rules, &st->change));
}

static void replace_fini(struct admin_call *call)
{
	struct replace *r = call->state;

	if (r->parsing != NULL && errand_forget(&r->parsing->errand))
		parsing_free(r->parsing);
	admin_access_fini(call);
}

static int replace_step(struct admin_call *call)
{
	return admin_access_step(call, replace_begin);
}

const struct admin_method admin_method_patchbay_replace_access = {
	.name = "PatchbayReplaceAccess",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Replaces the access list by one that is given as text; rules with the id of one that is the same keep their "
		"counters. 8: no such hub, 38: what is wrong with the text, 62: more rules than there may be.",
	.request = replace_request,
	.response = id_response,
	.state_bytes = sizeof(struct replace),
	.step = replace_step,
	.fini = replace_fini,
};

/* ---- PatchbayEnableAccess --------------------------------------------------------------------- */

static const struct admin_field enable_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_REQUIRED_INT("Id", 1, UINT32_MAX, "place in the list, or UniqueId"),
	ADMIN_BOOL("Active", "the rule counts"),
	ADMIN_END,
};

static int enable_begin(struct admin_call *call, struct admin_access *st, struct directory_hub *hub)
{
	bool active = admin_get_bool(call, "Active");
	uint32_t at;
	int rc;

	if (!admin_access_find(call, hub, &at, &rc))
		return rc;
	return admin_access_begun(call, access_change_active(hub, at, active, &st->change));
}

static int enable_step(struct admin_call *call)
{
	return admin_access_step(call, enable_begin);
}

const struct admin_method admin_method_patchbay_enable_access = {
	.name = "PatchbayEnableAccess",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_STORED,
	.text = "Switches a rule of the access list on or off. 8: no such hub, 29: no such rule.",
	.request = enable_request,
	.response = id_response,
	.state_bytes = sizeof(struct admin_access),
	.step = enable_step,
	.fini = admin_access_fini,
};

/* ---- PatchbayTestAccess ----------------------------------------------------------------------- */

static const struct admin_field test_request[] = {
	ADMIN_REQUIRED_STR("HubName", 1, 255, "hub"),
	ADMIN_DATA("Frame", FRAME_MIN_BYTES, FRAME_MAX_BYTES,
		"Ethernet frame without FCS; none: no rule is found"),
	ADMIN_STR("From", 0, 255, "user that sends; a group of his counts, too"),
	ADMIN_STR("To", 0, 255, "user that receives; without it the first pass alone is made"),
	ADMIN_END,
};

static const struct admin_field test_response[] = {
	ADMIN_STR("HubName", 1, 255, "hub"),
	ADMIN_INT("Id", 0, ACCESS_RULES_MAX, "place of the rule that decides; 0: none does"),
	ADMIN_INT("UniqueId", 0, UINT32_MAX, "the rule's"),
	ADMIN_BOOL("Discard", "the frame is dropped"),
	ADMIN_BOOL("Inbound", "decided before the receiver is known"),
	ADMIN_STR("Rule", 0, 8191, "the rule as text"),
	ADMIN_END,
};

/* A user of the directory brings his group; any other name stands for itself. */
static void party_of(struct directory_hub *hub, const char *name, struct access_party *out)
{
	const struct directory_user *user = directory_user_find(hub, name);

	*out = (struct access_party){
		.user = access_name_key(name),
		.group = user != NULL && user->group != NULL ? access_name_key(user->group->name)
							     : 0,
		.listable = user != NULL,
	};
}

static int test_step(struct admin_call *call)
{
	const struct directory_rule *rule;
	struct access_party from, to;
	struct access_verdict verdict = {0};
	struct directory_hub *hub;
	const void *frame;
	uint32_t at = 0;
	size_t size = 0;
	char *text;
	int rc = admin_hub_lookup(call, &hub);

	if (rc != 0)
		return rc;
	frame = admin_get_data(call, "Frame", &size);
	party_of(hub, admin_get_str(call, "From"), &from);
	party_of(hub, admin_get_str(call, "To"), &to);
	rule = frame == NULL ? NULL
			     : access_list_test(hub, frame, (uint32_t)size, &from,
				       admin_has(call, "To") ? &to : NULL, &verdict);
	admin_put_str(call, "HubName", hub->name);
	if (rule != NULL && directory_rules_find(&hub->access, rule->id, &at) != NULL)
		at++;
	text = rule == NULL ? NULL : admin_access_text(rule);
	admin_put_int(call, "Id", at);
	admin_put_int(call, "UniqueId", rule == NULL ? 0 : rule->id);
	admin_put_bool(call, "Discard", verdict.drop);
	admin_put_bool(call, "Inbound", verdict.inbound);
	admin_put_str(call, "Rule", text);
	free(text);
	return ADMIN_DONE;
}

const struct admin_method admin_method_patchbay_test_access = {
	.name = "PatchbayTestAccess",
	.role = ADMIN_ROLE_HUB,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Says which rule of the access list would decide about a frame. 8: no such hub.",
	.request = test_request,
	.response = test_response,
	.step = test_step,
};
