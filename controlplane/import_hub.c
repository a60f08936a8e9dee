/* SPDX-License-Identifier: BSD-3-Clause */
/* A virtual hub of the original as one of ours (import.h). */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/directory_text.h"
#include "controlplane/import_priv.h"
#include "drivers/session/wire/sha0.h"

/* The file's word where it is not the option's. */
static const struct {
	const char *file, *option;
} renamed[] = {
	{"NoArpPolling", "NoAddressPollingIPv4"},
	{"NoIPv6AddrPolling", "NoAddressPollingIPv6"},
};

static int option_of(const struct option_key *keys, unsigned cnt, const char *name)
{
	for (unsigned i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++)
		if (strcasecmp(renamed[i].file, name) == 0)
			name = renamed[i].option;
	return option_find(keys, cnt, name);
}

/* "0x8100" of VlanTypeId, and numbers. */
static bool option_value(const struct import_node *n, uint64_t *out)
{
	char *end;

	*out = n->number;
	if (n->type == IMPORT_BOOL || n->type == IMPORT_NUMBER)
		return true;
	if (n->type != IMPORT_STRING || n->value[0] < '0' || n->value[0] > '9')
		return false;
	*out = strtoull(n->value, &end, 0);
	return *end == '\0';
}

static void options(struct import *im, FILE *f, uint32_t group, const char *name,
	const struct option_key *keys, unsigned cnt, const char *const *known)
{
	const struct import_node *nodes = im->tree.nodes;

	if (group == IMPORT_NONE)
		return;
	fprintf(f, " %s = {", name);
	for (uint32_t i = nodes[group].child; i != IMPORT_NONE; i = nodes[i].next) {
		int k = option_of(keys, cnt, nodes[i].name);
		bool elsewhere = false;
		uint64_t value;

		for (const char *const *e = known; *e != NULL; e++)
			elsewhere |= strcasecmp(*e, nodes[i].name) == 0;
		if (elsewhere)
			continue;
		if (k < 0) {
			import_say(im, i, IMPORT_LEFT, "there is no such option here");
			continue;
		}
		if (!option_value(&nodes[i], &value) || value > keys[k].max ||
			(value < keys[k].min && value != keys[k].def)) {
			import_say(im, i, IMPORT_LEFT, "should be from %" PRIu64 " to %" PRIu64,
				(uint64_t)keys[k].min, (uint64_t)keys[k].max);
			continue;
		}
		/* Each once, as libconfig wants it. */
		if (import_child(&im->tree, group, nodes[i].name) != i)
			continue;
		directory_put_value(
			f, keys[k].name, keys[k].min, keys[k].max, keys[k].def, (uint32_t)value);
		import_say(im, i, IMPORT_TAKEN, "option %s", keys[k].name);
	}
	fputs(" };\n", f);
}

static void sources(struct import *im, FILE *f, uint32_t list)
{
	const struct import_node *nodes = im->tree.nodes;
	const char *separator = " sources = (";
	uint32_t cnt = 0;

	if (list == IMPORT_NONE)
		return;
	for (uint32_t i = nodes[list].child; i != IMPORT_NONE; i = nodes[i].next) {
		const char *address = import_text(&im->tree, i, "IpAddress");
		const char *mask = import_text(&im->tree, i, "NetMask");
		uint64_t priority = import_number(&im->tree, i, "Priority", 0);
		bool deny = import_number(&im->tree, i, "Deny", 0) != 0;
		char text[DIRECTORY_SOURCE_TEXT + DIRECTORY_SOURCE_TEXT];
		struct directory_source s;
		int n = mask[0] == '\0' ? snprintf(text, sizeof(text), "%s", address)
					: snprintf(text, sizeof(text), "%s/%s", address, mask);

		if (n < 0 || (size_t)n >= sizeof(text) || !directory_source_parse(text, &s) ||
			priority > UINT32_MAX || cnt == DIRECTORY_SOURCES_MAX) {
			import_say(im, i, IMPORT_LEFT, "not an address, or one line too many");
			continue;
		}
		cnt++;
		directory_source_text(&s, text);
		fprintf(f, "%s { priority = %" PRIu64 "L; deny = %s; address = \"%s\"; }",
			separator, priority, deny ? "true" : "false", text);
		separator = ",";
		import_say(im, i, IMPORT_TAKEN, "%s logins from %s", deny ? "deny" : "allow", text);
	}
	if (cnt > 0)
		fputs(" );\n", f);
}

/* What is not there yet, as the lines that it is. */
static void keep(struct import *im, FILE *f, uint32_t hub)
{
	static const struct {
		const char *name, *for_when;
	} parts[] = {
		{"CascadeList", "there are cascades"},
		{"SecureNAT", "there is SecureNAT"},
	};
	uint32_t total = 0;
	bool any = false;

	for (unsigned p = 0; p < sizeof(parts) / sizeof(parts[0]); p++) {
		uint32_t i = import_child(&im->tree, hub, parts[p].name), size;
		const struct import_node *n;

		if (i == IMPORT_NONE || im->tree.nodes[i].child == IMPORT_NONE)
			continue;
		n = &im->tree.nodes[i];
		size = n->text_to - n->text_from + 1;
		if (total + size > IMPORT_KEPT_MAX) {
			import_say(im, i, IMPORT_LEFT, "too long to be kept");
			continue;
		}
		total += size;
		/* Strings side by side are one to libconfig. */
		fputs(any ? "\n " : " kept = ", f);
		any = true;
		directory_put_part(f, im->text + n->text_from, size);
		import_say(im, i, IMPORT_KEPT, "as text, for when %s", parts[p].for_when);
	}
	if (any)
		fputs(";\n", f);
}

static void fields(struct import *im, FILE *f, uint32_t hub)
{
	uint32_t option = import_child(&im->tree, hub, "Option");
	uint64_t sessions = import_number(&im->tree, option, "MaxSession", 0);
	uint64_t created = import_time(&im->tree, hub, "CreatedTime");
	uint8_t empty[SHA0_BYTES];

	fprintf(f, " online = %s; no_enum = %s;\n",
		import_number(&im->tree, hub, "Online", 1) != 0 ? "true" : "false",
		import_number(&im->tree, option, "NoEnum", 0) != 0 ? "true" : "false");
	if (sessions <= DIRECTORY_SESSIONS_MAX)
		fprintf(f, " max_sessions = %" PRIu64 ";\n", sessions);
	else
		import_say(im, import_child(&im->tree, option, "MaxSession"), IMPORT_LEFT,
			"should be at most %u", DIRECTORY_SESSIONS_MAX);
	if (created < INT64_C(4102444800000))
		directory_put_time(f, " ", "created", (int64_t)created);
	sha0_password_hash("", "", empty);
	if (import_put_hash(im, f, hub, "HashedPassword", "admin_password_hash", empty))
		(void)import_put_hash(im, f, hub, "SecurePassword", "admin_vpn_hash", NULL);
}

static void message(struct import *im, FILE *f, uint32_t hub)
{
	uint32_t group = import_child(&im->tree, hub, "Message");
	const char *text = import_text(&im->tree, group, "MessageText");
	const char *wrong = directory_message_wrong(text);

	if (wrong != NULL)
		import_say(im, import_child(&im->tree, group, "MessageText"), IMPORT_LEFT, "%s",
			wrong);
	else if (text[0] != '\0') {
		directory_put_text(f, " ", "message", text);
		import_say(im, group, IMPORT_TAKEN, "message");
	}
}

void import_hub(struct import *im, FILE *f, uint32_t hub)
{
	static const char *const known[] = {"HashedPassword", "SecurePassword", "Online",
		"CreatedTime", "Option", "AdminOption", "AccessList", "CascadeList", "LogSetting",
		"SecureNAT", "Message", "SecurityAccountDatabase", "Type", "Traffic",
		"LastCommTime", "LastLoginTime", "NumLogin", "RadiusServerName", "RadiusServerPort",
		"RadiusSecret", "RadiusRetryInterval", "RadiusRealm", NULL};
	static const char *const fields_of_option[] = {"MaxSession", "NoEnum", NULL};
	static const char *const none[] = {NULL};
	const struct import_node *n = &im->tree.nodes[hub];
	const char *wrong = directory_hub_name_wrong(n->name);
	uint32_t database = import_child(&im->tree, hub, "SecurityAccountDatabase");

	if (wrong != NULL || import_child(&im->tree, n->parent, n->name) != hub) {
		import_say(im, hub, IMPORT_LEFT, "the hub's name %s",
			wrong != NULL ? wrong : "was there before");
		return;
	}
	import_say(im, hub, IMPORT_TAKEN, "hub %s", n->name);
	fputs(",\n{ kind = \"hub\"; name = \"", f);
	fputs(n->name, f); /* nothing in it needs an escape */
	fprintf(f, "\"; },\n{ kind = \"hub\"; name = \"%s\"; value = { name = \"%s\";\n", n->name,
		n->name);
	fields(im, f, hub);
	message(im, f, hub);
	options(im, f, import_child(&im->tree, hub, "Option"), "options", hub_ext_keys, HUB_EXT_CNT,
		fields_of_option);
	options(im, f, import_child(&im->tree, hub, "AdminOption"), "admin_options", hub_admin_keys,
		HUB_ADMIN_CNT, none);
	sources(im, f, import_child(&im->tree, database, "IPAccessControlList"));
	import_radius(im, f, hub);
	import_access(im, f, import_child(&im->tree, hub, "AccessList"));
	import_log(im, f, import_child(&im->tree, hub, "LogSetting"));
	if (database != IMPORT_NONE)
		import_trust(im, f, database);
	keep(im, f, hub);
	import_accounts(im, f, database);
	fputs("}; }", f);
	import_say_rest(im, hub, known, "there is nothing of the kind here");
}
