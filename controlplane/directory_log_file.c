/* SPDX-License-Identifier: BSD-3-Clause */
/* What is logged of a hub, as text in the directory file: in words, so that nobody has to know the numbers. */

#include <stdio.h>
#include <string.h>

#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"
#include "controlplane/logs/log_file.h"

static const char *const kind_names[DIRECTORY_LOG_KINDS + 1] = {
	"tcp_connections", "tcp", "dhcp", "udp", "icmp", "ip", "arp", "ethernet", NULL};
static const char *const how_names[] = {"off", "header", "full", NULL};
static const char *const switch_names[] = {
	"none", "second", "minute", "hour", "day", "month", NULL};

const char *directory_log_kind_name(unsigned kind)
{
	return kind < DIRECTORY_LOG_KINDS ? kind_names[kind] : NULL;
}

static void read_word(struct config_reader *r, const config_setting_t *group, const char *name,
	const char *const *words, uint8_t *out)
{
	const char *text = NULL;
	char list[96] = "";
	size_t len = 0;

	if (!config_reader_string(r, group, name, &text) || text == NULL)
		return;
	for (unsigned i = 0; words[i] != NULL; i++) {
		if (strcmp(words[i], text) == 0) {
			*out = (uint8_t)i;
			return;
		}
		len += (size_t)snprintf(
			list + len, sizeof(list) - len, "%s%s", i == 0 ? "" : ", ", words[i]);
	}
	config_reader_error(r, config_reader_member(group, name), "is \"%s\", should be one of: %s",
		text, list);
}

void directory_log_read(
	struct config_reader *r, const config_setting_t *parent, struct directory_log *log)
{
	static const char *const names[] = {"security", "security_rotation", "packet",
		"packet_rotation", "tcp_connections", "tcp", "dhcp", "udp", "icmp", "ip", "arp",
		"ethernet", NULL};
	const config_setting_t *group = directory_read_group(r, parent, "log");

	if (group == NULL)
		return;
	config_reader_known(r, group, names);
	config_reader_bool(r, group, "security", &log->security);
	config_reader_bool(r, group, "packet", &log->packet);
	read_word(r, group, "security_rotation", switch_names, &log->security_switch);
	read_word(r, group, "packet_rotation", switch_names, &log->packet_switch);
	for (unsigned k = 0; k < DIRECTORY_LOG_KINDS; k++)
		read_word(r, group, kind_names[k], how_names, &log->kinds[k]);
}

void directory_log_write(FILE *f, const struct directory_log *log)
{
	struct directory_log usual;

	directory_log_default(&usual);
	if (memcmp(log, &usual, sizeof(usual)) == 0)
		return;
	fprintf(f,
		"\t\tlog = { security = %s; security_rotation = \"%s\"; packet = %s; "
		"packet_rotation = \"%s\";\n\t\t\t",
		log->security ? "true" : "false", switch_names[log->security_switch],
		log->packet ? "true" : "false", switch_names[log->packet_switch]);
	for (unsigned k = 0; k < DIRECTORY_LOG_KINDS; k++)
		fprintf(f, "%s = \"%s\"; ", kind_names[k], how_names[log->kinds[k]]);
	fputs("};\n", f);
}
