/* SPDX-License-Identifier: BSD-3-Clause */
/* Hubs and their settings as text in the directory file; their users and groups: directory_account_file.c. */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

/* ---- reading ----------------------------------------------------------------------------------- */

static void read_options(struct config_reader *r, const config_setting_t *parent, const char *name,
	const struct option_key *keys, unsigned cnt, uint32_t *values)
{
	const config_setting_t *group = directory_read_group(r, parent, name);

	if (group == NULL)
		return;
	for (int i = 0; i < config_setting_length(group); i++) {
		const config_setting_t *s = config_setting_get_elem(group, (unsigned)i);
		int k = option_find(keys, cnt, config_setting_name(s));

		if (k < 0)
			config_reader_error(r, s,
				"unknown key; `patchbayctl hub option HUB` and directory.cfg(5) list "
				"what there is");
		else
			directory_read_value(r, group, config_setting_name(s), keys[k].min,
				keys[k].max, keys[k].def, &values[k]);
	}
}

static void read_source(
	struct config_reader *r, const config_setting_t *group, struct directory_source *s)
{
	static const char *const names[] = {"priority", "deny", "address", NULL};
	const char *address = NULL;
	int64_t priority = 0;

	if (!config_setting_is_group(group)) {
		config_reader_error(r, group,
			"should be a group such as { priority = 10; deny = true; address = \"192.0.2.0/24\"; }");
		return;
	}
	config_reader_known(r, group, names);
	config_reader_int(r, group, "priority", 0, UINT32_MAX, &priority);
	s->priority = (uint32_t)priority;
	config_reader_bool(r, group, "deny", &s->deny);
	if (!config_reader_string(r, group, "address", &address))
		return;
	if (address == NULL)
		config_reader_error(r, group, "address is missing");
	else if (!directory_source_parse(address, s))
		config_reader_error(r, config_reader_member(group, "address"),
			"is \"%s\", should be an address or a network such as 192.0.2.0/24 or fd00::/8",
			address);
}

static int read_sources(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub)
{
	const config_setting_t *list = config_reader_list(r, group, "sources");
	int cnt = list == NULL ? 0 : config_setting_length(list);

	if (cnt > (int)DIRECTORY_SOURCES_MAX) {
		config_reader_error(r, list, "has %d sources, should have at most %u", cnt,
			DIRECTORY_SOURCES_MAX);
		return 0;
	}
	if (cnt == 0)
		return 0;
	hub->sources = calloc((size_t)cnt, sizeof(*hub->sources));
	if (hub->sources == NULL)
		return -ENOMEM;
	for (int i = 0; i < cnt; i++)
		read_source(r, config_setting_get_elem(list, (unsigned)i), &hub->sources[i]);
	hub->source_cnt = (uint32_t)cnt;
	directory_sources_sort(hub->sources, hub->source_cnt);
	return 0;
}

/* Networks of the IP table; an array of texts is one, too. */
static void read_managed(
	struct config_reader *r, const config_setting_t *group, struct directory_managed *out)
{
	const config_setting_t *list = config_reader_member(group, "managed");
	int cnt = list == NULL ? 0 : config_setting_length(list);

	if (list == NULL)
		return;
	if (!config_setting_is_list(list) && !config_setting_is_array(list)) {
		config_reader_error(r, list,
			"should be a list of networks such as (\"198.51.100.0/24\", \"2001:db8::/32\")");
		return;
	}
	if (cnt > (int)HUB_RANGES_MAX) {
		config_reader_error(
			r, list, "has %d networks, should have at most %u", cnt, HUB_RANGES_MAX);
		return;
	}
	for (int i = 0; i < cnt; i++) {
		const config_setting_t *s = config_setting_get_elem(list, (unsigned)i);
		const char *text = config_setting_get_string(s);

		if (text == NULL || !directory_managed_parse(text, &out->range[i]))
			config_reader_error(r, s,
				"is \"%s\", should be a network such as 198.51.100.0/24 (prefix 0 to 32) "
				"or 2001:db8::/32 (0 to 128) that does not have all of IPv4 in it",
				text == NULL ? "?" : text);
	}
	out->cnt = (uint32_t)cnt;
}

static int read_message(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub)
{
	const char *text = NULL, *wrong;

	if (!config_reader_string(r, group, "message", &text) || text == NULL || text[0] == '\0')
		return 0;
	wrong = directory_message_wrong(text);
	if (wrong != NULL) {
		config_reader_error(r, config_reader_member(group, "message"), "%s", wrong);
		return 0;
	}
	free(hub->message);
	hub->message = strdup(text);
	return hub->message == NULL ? -ENOMEM : 0;
}

static int read_hub_fields(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub)
{
	int64_t number;
	int rc;

	config_reader_bool(r, group, "online", &hub->online);
	config_reader_bool(r, group, "no_enum", &hub->no_enum);
	config_reader_bool(r, group, "require_encryption", &hub->require_encryption);
	number = hub->max_sessions;
	config_reader_int(r, group, "max_sessions", 0, DIRECTORY_SESSIONS_MAX, &number);
	hub->max_sessions = (uint32_t)number;
	number = hub->max_macs;
	config_reader_int(r, group, "max_macs", DIRECTORY_MACS_MIN, DIRECTORY_MACS_MAX, &number);
	hub->max_macs = (uint32_t)number;
	hub->created_ms = 0; /* as of users */
	directory_read_time(r, group, "created", &hub->created_ms);
	directory_admin_read(r, group, true, &hub->admin);
	read_options(r, group, "options", hub_ext_keys, HUB_EXT_CNT, hub->ext_options);
	read_options(r, group, "admin_options", hub_admin_keys, HUB_ADMIN_CNT, hub->admin_options);
	read_managed(r, group, &hub->managed);
	directory_log_read(r, group, &hub->log);
	directory_radius_read(r, group, &hub->radius);
	rc = read_message(r, group, hub);
	if (rc == 0)
		rc = read_sources(r, group, hub);
	if (rc == 0)
		rc = directory_trust_read(r, group, hub);
	if (rc == 0)
		rc = directory_rules_read(r, group, &hub->access);
	if (rc == 0)
		rc = directory_kept_read(r, group, &hub->kept);
	return rc < 0 ? rc : directory_accounts_read(r, group, hub);
}

/* A hub whose name is wrong is read all the same, so that what else is wrong is told in the same run. */
static int read_nameless(struct config_reader *r, const config_setting_t *group)
{
	struct directory scrap;
	struct directory_hub *hub;
	int rc;

	directory_init(&scrap);
	rc = directory_add_hub(&scrap, "scrap", &hub);
	if (rc == 0)
		rc = read_hub_fields(r, group, hub);
	directory_free(&scrap);
	return rc;
}

int directory_hub_read(struct config_reader *r, const config_setting_t *group, struct directory *d)
{
	static const char *const names[] = {"name", "online", "max_sessions", "max_macs", "no_enum",
		"require_encryption", "created", "admin_password", "admin_password_hash",
		"admin_vpn_hash", "message", "options", "admin_options", "managed", "log",
		"sources", "access", "radius", "trusted", "revoked", "kept", "groups", "users",
		NULL};
	struct directory_hub *hub;
	const char *name;
	int rc;

	if (!config_setting_is_group(group)) {
		config_reader_error(
			r, group, "should be a group such as { name = \"DEFAULT\"; ... }");
		return 0;
	}
	config_reader_known(r, group, names);
	name = directory_read_name(r, group, directory_hub_name_wrong);
	if (name == NULL)
		return read_nameless(r, group);
	rc = directory_add_hub(d, name, &hub);
	if (rc == -EEXIST) {
		config_reader_error(r, config_reader_member(group, "name"),
			"is \"%s\", which an earlier hub has already (capitals do not count)",
			name);
		return read_nameless(r, group);
	}
	return rc < 0 ? rc : read_hub_fields(r, group, hub);
}

/* ---- writing ----------------------------------------------------------------------------------- */

static void put_options(FILE *f, const char *name, const struct option_key *keys, unsigned cnt,
	const uint32_t *values)
{
	bool any = false;

	for (unsigned i = 0; i < cnt; i++)
		any |= values[i] != keys[i].def;
	if (!any)
		return;
	fprintf(f, "\t\t%s = {", name);
	for (unsigned i = 0; i < cnt; i++)
		directory_put_value(
			f, keys[i].name, keys[i].min, keys[i].max, keys[i].def, values[i]);
	fputs(" };\n", f);
}

static void put_sources(FILE *f, const struct directory_hub *hub)
{
	const char *separator = "\t\tsources = (\n";
	char text[DIRECTORY_SOURCE_TEXT];

	for (uint32_t i = 0; i < hub->source_cnt; i++) {
		const struct directory_source *s = &hub->sources[i];

		directory_source_text(s, text);
		fprintf(f, "%s\t\t\t{ priority = %" PRIu32 "%s; deny = %s; address = \"%s\"; }",
			separator, s->priority, s->priority > INT32_MAX ? "L" : "",
			s->deny ? "true" : "false", text);
		separator = ",\n";
	}
	if (hub->source_cnt > 0)
		fputs("\n\t\t);\n", f);
}

static void put_managed(FILE *f, const struct directory_managed *managed)
{
	char text[DIRECTORY_MANAGED_TEXT];

	if (managed->cnt == 0)
		return;
	fputs("\t\tmanaged = (", f);
	for (uint32_t i = 0; i < managed->cnt; i++) {
		directory_managed_text(&managed->range[i], text);
		fprintf(f, "%s\"%s\"", i == 0 ? "" : ", ", text);
	}
	fputs(");\n", f);
}

static void put_settings(FILE *f, const struct directory_hub *hub)
{
	fputs("\t{\n\t\tname = ", f);
	directory_put_string(f, hub->name);
	fprintf(f, ";\n\t\tonline = %s;\n\t\tno_enum = %s;\n\t\trequire_encryption = %s;\n",
		hub->online ? "true" : "false", hub->no_enum ? "true" : "false",
		hub->require_encryption ? "true" : "false");
	fprintf(f, "\t\tmax_sessions = %" PRIu32 ";\n\t\tmax_macs = %" PRIu32 ";\n",
		hub->max_sessions, hub->max_macs);
	directory_put_time(f, "\t\t", "created", hub->created_ms);
	directory_admin_write(f, "\t\t", true, &hub->admin);
	if (hub->message != NULL)
		directory_put_text(f, "\t\t", "message", hub->message);
	put_options(f, "options", hub_ext_keys, HUB_EXT_CNT, hub->ext_options);
	put_options(f, "admin_options", hub_admin_keys, HUB_ADMIN_CNT, hub->admin_options);
	put_managed(f, &hub->managed);
	directory_log_write(f, &hub->log);
	put_sources(f, hub);
	directory_radius_write(f, &hub->radius);
	directory_trust_write(f, hub->trust);
	directory_kept_write(f, "\t\t", hub->kept);
}

void directory_hub_settings_write(FILE *f, const struct directory_hub *hub)
{
	put_settings(f, hub);
	fputs("\t}", f);
}

void directory_hub_write(FILE *f, const struct directory_hub *hub)
{
	put_settings(f, hub);
	directory_rules_write(f, &hub->access);
	directory_accounts_write(f, hub);
	fputs("\t}", f);
}
