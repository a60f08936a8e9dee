/* SPDX-License-Identifier: BSD-3-Clause */
/* Local bridges as text in the directory file. */

#include <errno.h>
#include <string.h>

#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

int directory_bridge_read(
	struct config_reader *r, const config_setting_t *group, struct directory *d)
{
	static const char *const names[] = {"name", "hub", "tap", "device", "limit_broadcast",
		"monitor", "keep_offloads", "max_frame", NULL};
	const char *name = NULL, *hub = NULL, *tap = NULL, *device = NULL, *what;
	char default_name[DIRECTORY_BRIDGE_NAME_BYTES];
	bool limit_broadcast = false, monitor = false, keep_offloads = false;
	int64_t max_frame = DIRECTORY_FRAME_MIN;
	struct directory_bridge *b;
	int rc;

	if (!config_setting_is_group(group)) {
		config_reader_error(r, group,
			"should be a group such as { hub = \"DEFAULT\"; tap = \"lan\"; }");
		return 0;
	}
	config_reader_known(r, group, names);
	config_reader_string(r, group, "name", &name);
	config_reader_string(r, group, "hub", &hub);
	config_reader_string(r, group, "tap", &tap);
	config_reader_string(r, group, "device", &device);
	config_reader_bool(r, group, "limit_broadcast", &limit_broadcast);
	config_reader_bool(r, group, "monitor", &monitor);
	config_reader_bool(r, group, "keep_offloads", &keep_offloads);
	config_reader_int(
		r, group, "max_frame", DIRECTORY_FRAME_MIN, DIRECTORY_FRAME_MAX, &max_frame);
	if (hub == NULL || (tap == NULL) == (device == NULL)) {
		config_reader_error(r, group, "should have hub, and either tap or device");
		return 0;
	}
	what = directory_hub_name_wrong(hub);
	if (what != NULL) {
		config_reader_error(
			r, config_reader_member(group, "hub"), "is \"%s\", %s", hub, what);
		return 0;
	}
	if (name == NULL) {
		directory_bridge_default_name(tap != NULL ? tap : device, default_name);
		name = default_name;
	}
	what = directory_bridge_wrong(tap != NULL ? tap : device, tap != NULL, name);
	if (what != NULL) {
		config_reader_error(r, group, "%s", what);
		return 0;
	}
	rc = directory_bridge_add(d, hub, tap != NULL ? tap : device, tap != NULL, name, &b);
	if (rc == -EEXIST) {
		config_reader_error(r, group,
			"is \"%s\" of hub %s, which an earlier bridge is already", name, hub);
		return 0;
	}
	if (rc != 0)
		return rc;
	b->limit_broadcast = limit_broadcast;
	b->monitor = monitor;
	b->keep_offloads = keep_offloads;
	b->max_frame = (uint32_t)max_frame;
	return 0;
}

int directory_bridges_read(
	struct config_reader *r, const config_setting_t *root, struct directory *d)
{
	const config_setting_t *list;
	int rc = 0;

	if (config_reader_member(root, "bridges") == NULL)
		return 0;
	list = config_reader_list(r, root, "bridges");
	if (list == NULL)
		return 0;
	if (config_setting_length(list) > (int)DIRECTORY_BRIDGES_MAX) {
		config_reader_error(r, list, "has %d bridges, should have at most %u",
			config_setting_length(list), DIRECTORY_BRIDGES_MAX);
		return 0;
	}
	for (int i = 0; i < config_setting_length(list) && rc == 0; i++)
		rc = directory_bridge_read(r, config_setting_get_elem(list, (unsigned)i), d);
	return rc;
}

void directory_bridge_write(FILE *f, const struct directory_bridge *b)
{
	fputs("\t{\n\t\tname = ", f);
	directory_put_string(f, b->name);
	fputs(";\n\t\thub = ", f);
	directory_put_string(f, b->hub);
	fprintf(f, ";\n\t\t%s = ", b->tap ? "tap" : "device");
	directory_put_string(f, b->device);
	fprintf(f, ";\n\t\tlimit_broadcast = %s;\n\t\tmonitor = %s;\n",
		b->limit_broadcast ? "true" : "false", b->monitor ? "true" : "false");
	fprintf(f, "\t\tkeep_offloads = %s;\n\t\tmax_frame = %u;\n\t}",
		b->keep_offloads ? "true" : "false", b->max_frame);
}

void directory_bridges_write(FILE *f, const struct directory *d)
{
	const struct directory_bridge *b;
	const char *separator = "\nbridges = (\n";

	TAILQ_FOREACH (b, &d->bridges, entry) {
		fputs(separator, f);
		directory_bridge_write(f, b);
		separator = ",\n";
	}
	if (!TAILQ_EMPTY(&d->bridges))
		fputs("\n);\n", f);
}
