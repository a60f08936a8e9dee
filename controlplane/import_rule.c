/* SPDX-License-Identifier: BSD-3-Clause */
/* Access lists and log settings of the original's hub (import.h). */

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/directory_rule.h"
#include "controlplane/directory_text.h"
#include "controlplane/import_priv.h"

/* ---- access list ------------------------------------------------------------------------------- */

static void put_text(struct import *im, FILE *f, uint32_t rule, const char *name, const char *key)
{
	directory_put_text(f, " ", key, import_text(&im->tree, rule, name));
}

static void put_number(struct import *im, FILE *f, uint32_t rule, const char *name, const char *key)
{
	uint64_t value = import_number(&im->tree, rule, name, 0);

	if (value != 0)
		fprintf(f, " %s = %" PRIu64 "%s;", key, value, value > INT32_MAX ? "L" : "");
}

/* "10.0.0.0/255.0.0.0"; a mask without a bit says nothing. */
static void put_network(
	struct import *im, FILE *f, uint32_t rule, const char *which, const char *key, bool ipv6)
{
	char name[32], text[160];
	const char *address, *mask;

	snprintf(name, sizeof(name), "%sIpAddress%s", which, ipv6 ? "6" : "");
	address = import_text(&im->tree, rule, name);
	snprintf(name, sizeof(name), "%sSubnetMask%s", which, ipv6 ? "6" : "");
	mask = import_text(&im->tree, rule, name);
	if (address[0] == '\0' || strcmp(mask, "0.0.0.0") == 0 || strcmp(mask, "::") == 0)
		return;
	snprintf(text, sizeof(text), "%s%s%s", address, mask[0] == '\0' ? "" : "/", mask);
	directory_put_text(f, " ", key, text);
}

static void put_ports(struct import *im, FILE *f, uint32_t rule, const char *which, const char *key)
{
	char name[32];
	uint64_t from, to;

	snprintf(name, sizeof(name), "%sPortStart", which);
	from = import_number(&im->tree, rule, name, 0);
	snprintf(name, sizeof(name), "%sPortEnd", which);
	to = import_number(&im->tree, rule, name, 0);
	if (from != 0 || to != 0)
		fprintf(f, " %s = \"%" PRIu64 "-%" PRIu64 "\";", key, from, to < from ? from : to);
}

static void put_mac(struct import *im, FILE *f, uint32_t rule, const char *which, const char *key)
{
	char name[32], text[80];
	const char *address, *mask;

	snprintf(name, sizeof(name), "Check%sMac", which);
	if (import_number(&im->tree, rule, name, 0) == 0)
		return;
	snprintf(name, sizeof(name), "%sMacAddress", which);
	address = import_text(&im->tree, rule, name);
	snprintf(name, sizeof(name), "%sMacMask", which);
	mask = import_text(&im->tree, rule, name);
	snprintf(text, sizeof(text), "%s%s%s", address, mask[0] == '\0' ? "" : "/", mask);
	/* Empty would be no condition: then it is not to be taken. */
	fprintf(f, " %s = ", key);
	directory_put_string(f, text);
	fputc(';', f);
}

/* One rule in our words, malloc'ed; whether it makes sense, the directory's own reader says. */
static char *rule_text(struct import *im, uint32_t rule, uint32_t id)
{
	bool ipv6 = import_number(&im->tree, rule, "IsIPv6", 0) != 0;
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	if (f == NULL)
		return NULL;
	fprintf(f, "{ id = %" PRIu32 "L; active = %s; drop = %s;%s", id,
		import_number(&im->tree, rule, "Active", 1) != 0 ? "true" : "false",
		import_number(&im->tree, rule, "Discard", 0) != 0 ? "true" : "false",
		ipv6 ? " ipv6 = true;" : "");
	put_number(im, f, rule, "Priority", "priority");
	put_network(im, f, rule, "Src", "source", ipv6);
	put_network(im, f, rule, "Dest", "destination", ipv6);
	put_number(im, f, rule, "Protocol", "protocol");
	put_ports(im, f, rule, "Src", "source_ports");
	put_ports(im, f, rule, "Dest", "destination_ports");
	put_text(im, f, rule, "SrcUsername", "source_user");
	put_text(im, f, rule, "DestUsername", "destination_user");
	put_mac(im, f, rule, "Src", "source_mac");
	put_mac(im, f, rule, "Dst", "destination_mac");
	if (import_number(&im->tree, rule, "CheckTcpState", 0) != 0)
		fprintf(f, " tcp_state = \"%s\";",
			import_number(&im->tree, rule, "Established", 0) != 0 ? "established"
									      : "opening");
	put_number(im, f, rule, "Delay", "delay");
	put_number(im, f, rule, "Jitter", "jitter");
	put_number(im, f, rule, "Loss", "loss");
	put_text(im, f, rule, "RedirectUrl", "redirect");
	put_text(im, f, rule, "Note", "note");
	fputs(" }", f);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

/* What is wrong, shortened: "rules:1: access[0].source: is ..." */
static void note_wrong(void *ctx, const char *line)
{
	char *wrong = ctx;

	if (wrong[0] == '\0')
		snprintf(wrong, IMPORT_WRONG_BYTES, "%s", line);
}

static bool rule_ok(struct import *im, const char *text, char wrong[IMPORT_WRONG_BYTES])
{
	struct directory_rules rules;
	int rc = directory_rules_parse(text, note_wrong, wrong, &rules);

	im->memory |= rc == -ENOMEM;
	directory_rules_clear(&rules);
	return rc == 0;
}

void import_access(struct import *im, FILE *f, uint32_t list)
{
	const struct import_node *nodes = im->tree.nodes;
	const char *separator = " access = (\n";
	uint32_t cnt = 0;

	if (list == IMPORT_NONE)
		return;
	for (uint32_t i = nodes[list].child; i != IMPORT_NONE && !im->memory; i = nodes[i].next) {
		char wrong[IMPORT_WRONG_BYTES] = "", *text;

		if (cnt == ACCESS_RULES_MAX) {
			import_say(im, i, IMPORT_LEFT, "is one rule too many");
			continue;
		}
		text = rule_text(im, i, DIRECTORY_RULE_ID_MIN + cnt + 1);
		im->memory |= text == NULL;
		if (text != NULL && rule_ok(im, text, wrong)) {
			fprintf(f, "%s%s", separator, text);
			separator = ",\n";
			cnt++;
			import_say(im, i, IMPORT_TAKEN, "a rule of the access list");
		} else {
			import_say(im, i, IMPORT_LEFT, "a rule that cannot be here: %s", wrong);
		}
		free(text);
	}
	if (cnt > 0)
		fputs(" );\n", f);
}

/* ---- log settings ------------------------------------------------------------------------------ */

static void put_word(struct import *im, FILE *f, uint32_t of, const char *name, const char *key,
	const char *const *words, unsigned cnt)
{
	uint32_t i = import_child(&im->tree, of, name);
	uint64_t value = import_number(&im->tree, of, name, cnt);

	if (value < cnt)
		fprintf(f, " %s = \"%s\";", key, words[value]);
	else if (i != IMPORT_NONE)
		import_say(im, i, IMPORT_LEFT, "should be from 0 to %u", cnt - 1);
}

void import_log(struct import *im, FILE *f, uint32_t log)
{
	static const char *const cycles[] = {"none", "second", "minute", "hour", "day", "month"};
	static const char *const how[] = {"off", "header", "full"};
	static const struct {
		const char *name, *key;
	} kinds[] = {
		{"PACKET_LOG_TCP_CONN", "tcp_connections"},
		{"PACKET_LOG_TCP", "tcp"},
		{"PACKET_LOG_DHCP", "dhcp"},
		{"PACKET_LOG_UDP", "udp"},
		{"PACKET_LOG_ICMP", "icmp"},
		{"PACKET_LOG_IP", "ip"},
		{"PACKET_LOG_ARP", "arp"},
		{"PACKET_LOG_ETHERNET", "ethernet"},
	};

	if (log == IMPORT_NONE)
		return;
	fprintf(f, " log = { security = %s; packet = %s;",
		import_number(&im->tree, log, "SaveSecurityLog", 1) != 0 ? "true" : "false",
		import_number(&im->tree, log, "SavePacketLog", 0) != 0 ? "true" : "false");
	put_word(im, f, log, "SecurityLogSwitchType", "security_rotation", cycles, 6);
	put_word(im, f, log, "PacketLogSwitchType", "packet_rotation", cycles, 6);
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
		put_word(im, f, log, kinds[k].name, kinds[k].key, how, 3);
	fputs(" };\n", f);
	import_say(im, log, IMPORT_TAKEN, "what is logged, and when files change");
}
