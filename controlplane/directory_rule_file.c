/* SPDX-License-Identifier: BSD-3-Clause */
/* Access rules as text (directory_rule.h). */

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/directory_object.h"
#include "controlplane/directory_priv.h"
#include "controlplane/directory_rule.h"
#include "controlplane/directory_text.h"

#define RULE_MEMBERS 32u /* more than a rule has keys */

/* ---- values ----------------------------------------------------------------------------------- */

static void mask_of_prefix(uint8_t mask[16], unsigned prefix)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = prefix > 8 * i ? prefix - 8 * i : 0;

		mask[i] = bits >= 8 ? 0xff : (uint8_t)(0xff00u >> bits);
	}
}

/* "10.0.0.0/8", "10.0.0.1", "10.0.0.1/255.0.255.0"; the same in IPv6. */
static bool address_parse(const char *text, bool ipv6, uint8_t address[16], uint8_t mask[16])
{
	const char *slash = strchr(text, '/');
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	int family = ipv6 ? AF_INET6 : AF_INET;
	unsigned long prefix = ipv6 ? 128 : 32;
	char copy[INET6_ADDRSTRLEN], *end;

	memset(address, 0, 16);
	memset(mask, 0, 16);
	if (len >= sizeof(copy))
		return false;
	memcpy(copy, text, len);
	copy[len] = '\0';
	if (inet_pton(family, copy, address) != 1)
		return false;
	if (slash != NULL && inet_pton(family, slash + 1, mask) == 1)
		return true;
	if (slash != NULL) {
		unsigned long most = prefix;

		prefix = strtoul(slash + 1, &end, 10);
		if (slash[1] < '0' || slash[1] > '9' || *end != '\0' || prefix > most)
			return false;
	}
	mask_of_prefix(mask, (unsigned)prefix);
	memset(mask + (ipv6 ? 16 : 4), 0, ipv6 ? 0 : 12);
	return true;
}

static void read_address(struct config_reader *r, const config_setting_t *group, const char *name,
	bool ipv6, uint8_t address[16], uint8_t mask[16])
{
	const char *text = NULL;

	if (!config_reader_string(r, group, name, &text) || text == NULL)
		return;
	if (!address_parse(text, ipv6, address, mask))
		config_reader_error(r, config_reader_member(group, name),
			"is \"%s\", should be an %s address or network such as %s", text,
			ipv6 ? "IPv6" : "IPv4", ipv6 ? "fd00::/8" : "192.0.2.0/24");
}

static bool number_parse(const char *text, char **end, unsigned long most, unsigned long *out)
{
	*out = strtoul(text, end, 10);
	return text[0] >= '0' && text[0] <= '9' && *out <= most;
}

static void read_ports(struct config_reader *r, const config_setting_t *group, const char *name,
	uint16_t *first, uint16_t *last)
{
	unsigned long from = 0, to = 0;
	const char *text = NULL;
	char *end;

	if (!config_reader_string(r, group, name, &text) || text == NULL)
		return;
	if (number_parse(text, &end, 65535, &from)) {
		to = from;
		if (*end == '\0' ||
			(*end == '-' && number_parse(end + 1, &end, 65535, &to) && *end == '\0' &&
				from <= to)) {
			*first = (uint16_t)from;
			*last = (uint16_t)to;
			return;
		}
	}
	config_reader_error(r, config_reader_member(group, name),
		"is \"%s\", should be a port or a range such as \"80\" or \"1000-1999\", of 0 .. 65535",
		text);
}

static bool mac_parse(const char *text, char stop, uint64_t *out)
{
	*out = 0;
	for (unsigned i = 0; i < 6; i++) {
		char *end;
		unsigned long byte = strtoul(text, &end, 16);

		if (end != text + 2 || byte > 255 ||
			(i < 5 ? *end != ':' && *end != '-' : *end != stop))
			return false;
		*out = *out << 8 | byte;
		text = end + 1;
	}
	return true;
}

/* "02:00:00:00:00:01", or with "/ff:ff:ff:00:00:00" behind. */
static void read_mac(struct config_reader *r, const config_setting_t *group, const char *name,
	uint32_t flag, struct access_rule *rule, uint64_t *mac, uint64_t *mask)
{
	const char *text = NULL, *slash;
	bool right;

	if (!config_reader_string(r, group, name, &text) || text == NULL)
		return;
	slash = strchr(text, '/');
	*mask = UINT64_C(0xffffffffffff);
	right = mac_parse(text, slash != NULL ? '/' : '\0', mac) &&
		(slash == NULL || mac_parse(slash + 1, '\0', mask));
	rule->flags |= flag;
	if (!right)
		config_reader_error(r, config_reader_member(group, name),
			"is \"%s\", should be a MAC address such as 02:00:00:00:00:01, or one with a mask "
			"such as 02:00:00:00:00:00/ff:ff:ff:00:00:00",
			text);
}

static void read_state(
	struct config_reader *r, const config_setting_t *group, struct access_rule *rule)
{
	const char *text = NULL;

	if (!config_reader_string(r, group, "tcp_state", &text) || text == NULL)
		return;
	rule->flags |= ACCESS_F_TCP_STATE;
	if (strcmp(text, "established") == 0)
		rule->flags |= ACCESS_F_ESTABLISHED;
	else if (strcmp(text, "opening") != 0)
		config_reader_error(r, config_reader_member(group, "tcp_state"),
			"is \"%s\", should be \"established\" or \"opening\"", text);
}

static int read_user(
	struct config_reader *r, const config_setting_t *group, const char *name, char **out)
{
	int rc = directory_read_text(r, group, name, out);
	const char *wrong = *out == NULL ? NULL : directory_rule_user_wrong(*out);

	if (wrong != NULL)
		config_reader_error(r, config_reader_member(group, name), "%s", wrong);
	return rc;
}

static void read_flag(struct config_reader *r, const config_setting_t *group, const char *name,
	uint32_t flag, struct access_rule *rule)
{
	bool on = false;

	config_reader_bool(r, group, name, &on);
	if (on)
		rule->flags |= flag;
}

static void read_numbers(
	struct config_reader *r, const config_setting_t *group, struct directory_rule *d)
{
	int64_t v = d->id;

	config_reader_int(r, group, "id", DIRECTORY_RULE_ID_MIN, UINT32_MAX, &v);
	d->id = (uint32_t)v;
	v = d->priority;
	config_reader_int(r, group, "priority", 0, UINT32_MAX, &v);
	d->priority = (uint32_t)v;
	v = 0;
	config_reader_int(r, group, "protocol", 0, 255, &v);
	d->rule.protocol = (uint8_t)v;
	v = 0;
	config_reader_int(r, group, "delay", 0, ACCESS_DELAY_MAX_MS, &v);
	d->rule.delay_ms = (uint16_t)v;
	v = 0;
	config_reader_int(r, group, "jitter", 0, 100, &v);
	d->rule.jitter = (uint8_t)v;
	v = 0;
	config_reader_int(r, group, "loss", 0, 100, &v);
	d->rule.loss = (uint8_t)v;
}

static int read_texts(
	struct config_reader *r, const config_setting_t *group, struct directory_rule *d)
{
	int rc = directory_read_text(r, group, "note", &d->note);

	if (rc == 0)
		rc = read_user(r, group, "source_user", &d->src_user);
	if (rc == 0)
		rc = read_user(r, group, "destination_user", &d->dst_user);
	if (rc == 0)
		rc = directory_read_text(r, group, "redirect", &d->url);
	if (rc == 0 && d->url != NULL && strlen(d->url) > ACCESS_URL_MAX)
		config_reader_error(r, config_reader_member(group, "redirect"),
			"has %zu bytes, should have at most %u", strlen(d->url), ACCESS_URL_MAX);
	return rc;
}

int directory_rule_read(
	struct config_reader *r, const config_setting_t *group, struct directory_rule **out)
{
	static const char *const names[] = {"id", "active", "priority", "drop", "ipv6", "source",
		"destination", "protocol", "source_ports", "destination_ports", "source_user",
		"destination_user", "source_mac", "destination_mac", "tcp_state", "delay", "jitter",
		"loss", "redirect", "note", NULL};
	struct directory_rule *d;
	struct access_rule *a;
	unsigned errors = r->errors;
	bool ipv6;
	int rc;

	*out = NULL;
	if (!config_setting_is_group(group)) {
		config_reader_error(
			r, group, "should be a group such as { priority = 10; drop = true; }");
		return 0;
	}
	d = directory_rule_new();
	if (d == NULL)
		return -ENOMEM;
	a = &d->rule;
	config_reader_known(r, group, names);
	read_numbers(r, group, d);
	config_reader_bool(r, group, "active", &d->active);
	read_flag(r, group, "drop", ACCESS_F_DROP, a);
	read_flag(r, group, "ipv6", ACCESS_F_IPV6, a);
	ipv6 = (a->flags & ACCESS_F_IPV6) != 0;
	read_address(r, group, "source", ipv6, a->src, a->src_mask);
	read_address(r, group, "destination", ipv6, a->dst, a->dst_mask);
	read_ports(r, group, "source_ports", &a->src_port_first, &a->src_port_last);
	read_ports(r, group, "destination_ports", &a->dst_port_first, &a->dst_port_last);
	read_mac(r, group, "source_mac", ACCESS_F_SRC_MAC, a, &a->src_mac, &a->src_mac_mask);
	read_mac(r, group, "destination_mac", ACCESS_F_DST_MAC, a, &a->dst_mac, &a->dst_mac_mask);
	read_state(r, group, a);
	rc = read_texts(r, group, d);
	directory_rule_normalise(d);
	if (rc == 0 && r->errors == errors)
		*out = d;
	else
		directory_rule_free(d);
	return rc;
}

/* ---- writing ---------------------------------------------------------------------------------- */

static void put_address(
	FILE *f, const char *name, bool ipv6, const uint8_t *address, const uint8_t *mask)
{
	unsigned bytes = ipv6 ? 16 : 4, prefix = 0;
	char text[INET6_ADDRSTRLEN];
	uint8_t same[16];
	bool any = false;

	for (unsigned i = 0; i < bytes; i++)
		any |= (address[i] | mask[i]) != 0;
	if (!any)
		return;
	inet_ntop(ipv6 ? AF_INET6 : AF_INET, address, text, sizeof(text));
	fprintf(f, " %s = \"%s", name, text);
	while (prefix < 8 * bytes && (mask[prefix / 8] & 0x80u >> prefix % 8) != 0)
		prefix++;
	mask_of_prefix(same, prefix);
	if (memcmp(mask, same, bytes) != 0) {
		inet_ntop(ipv6 ? AF_INET6 : AF_INET, mask, text, sizeof(text));
		fprintf(f, "/%s", text);
	} else if (prefix < 8 * bytes) {
		fprintf(f, "/%u", prefix);
	}
	fputs("\";", f);
}

static void put_ports(FILE *f, const char *name, uint16_t first, uint16_t last)
{
	if (first == 0 && last == 0)
		return;
	if (first == last)
		fprintf(f, " %s = \"%u\";", name, first);
	else
		fprintf(f, " %s = \"%u-%u\";", name, first, last);
}

static void put_mac(FILE *f, const char *name, bool there, uint64_t mac, uint64_t mask)
{
	if (!there)
		return;
	fprintf(f, " %s = \"", name);
	for (unsigned i = 0; i < 6; i++)
		fprintf(f, "%s%02x", i > 0 ? ":" : "", (unsigned)(mac >> (40 - 8 * i) & 255));
	for (unsigned i = 0; i < 6 && mask != UINT64_C(0xffffffffffff); i++)
		fprintf(f, "%s%02x", i > 0 ? ":" : "/", (unsigned)(mask >> (40 - 8 * i) & 255));
	fputs("\";", f);
}

static void put_text(FILE *f, const char *name, const char *text)
{
	if (text == NULL || text[0] == '\0')
		return;
	fprintf(f, " %s = ", name);
	directory_put_string(f, text);
	fputc(';', f);
}

static void put_number(FILE *f, const char *name, uint32_t v)
{
	if (v != 0)
		fprintf(f, " %s = %" PRIu32 ";", name, v);
}

void directory_rule_write(FILE *f, const struct directory_rule *d)
{
	const struct access_rule *a = &d->rule;
	bool ipv6 = (a->flags & ACCESS_F_IPV6) != 0;

	fprintf(f, "{ id = %" PRIu32 "L; priority = %" PRIu32 "%s;", d->id, d->priority,
		d->priority > INT32_MAX ? "L" : "");
	if (!d->active)
		fputs(" active = false;", f);
	fprintf(f, " drop = %s;", (a->flags & ACCESS_F_DROP) != 0 ? "true" : "false");
	if (ipv6)
		fputs(" ipv6 = true;", f);
	put_address(f, "source", ipv6, a->src, a->src_mask);
	put_address(f, "destination", ipv6, a->dst, a->dst_mask);
	put_number(f, "protocol", a->protocol);
	put_ports(f, "source_ports", a->src_port_first, a->src_port_last);
	put_ports(f, "destination_ports", a->dst_port_first, a->dst_port_last);
	put_text(f, "source_user", d->src_user);
	put_text(f, "destination_user", d->dst_user);
	put_mac(f, "source_mac", (a->flags & ACCESS_F_SRC_MAC) != 0, a->src_mac, a->src_mac_mask);
	put_mac(f, "destination_mac", (a->flags & ACCESS_F_DST_MAC) != 0, a->dst_mac,
		a->dst_mac_mask);
	if ((a->flags & ACCESS_F_TCP_STATE) != 0)
		fprintf(f, " tcp_state = \"%s\";",
			(a->flags & ACCESS_F_ESTABLISHED) != 0 ? "established" : "opening");
	put_number(f, "delay", a->delay_ms);
	put_number(f, "jitter", a->jitter);
	put_number(f, "loss", a->loss);
	put_text(f, "redirect", d->url);
	put_text(f, "note", d->note);
	fputs(" }", f);
}

/* ---- lists ------------------------------------------------------------------------------------ */

int directory_rules_read(
	struct config_reader *r, const config_setting_t *hub, struct directory_rules *rules)
{
	const config_setting_t *list = config_reader_list(r, hub, "access");
	int cnt = list == NULL ? 0 : config_setting_length(list), rc = 0;

	if (cnt > (int)ACCESS_RULES_MAX) {
		config_reader_error(
			r, list, "has %d rules, should have at most %u", cnt, ACCESS_RULES_MAX);
		return 0;
	}
	for (int i = 0; i < cnt && rc == 0; i++) {
		struct directory_rule *d;

		rc = directory_rule_read(r, config_setting_get_elem(list, (unsigned)i), &d);
		if (rc == 0 && d != NULL) {
			rc = directory_rules_reserve(rules);
			if (rc == 0)
				rules->rule[rules->cnt++] = d;
			else
				directory_rule_free(d);
		}
	}
	return rc == 0 ? directory_rules_sort(rules) : rc;
}

void directory_rules_write(FILE *f, const struct directory_rules *rules)
{
	const char *separator = "\t\taccess = (\n\t\t\t";

	for (uint32_t i = 0; i < rules->cnt; i++) {
		fputs(separator, f);
		directory_rule_write(f, rules->rule[i]);
		separator = ",\n\t\t\t";
	}
	if (rules->cnt > 0)
		fputs("\n\t\t);\n", f);
}

/* The member that makes a list of the text. */
static char *as_list(const char *text)
{
	const char *at = text + strspn(text, " \t\r\n");
	bool whole = strncmp(at, "access", 6) == 0;
	bool many = *at == '{' || *at == '(';
	char *out = NULL;

	if (asprintf(&out, "%s%s%s",
		    whole		 ? ""
			    : *at == '(' ? "access = "
			    : many	 ? "access = ( "
					 : "access = ( { ",
		    text,
		    whole		 ? ""
			    : *at == '(' ? ";"
			    : many	 ? " );"
					 : " } );") < 0)
		return NULL;
	return out;
}

int directory_rules_parse(const char *text, void (*report)(void *ctx, const char *line), void *ctx,
	struct directory_rules *out)
{
	static const char *const names[] = {"access", NULL};
	struct config_reader r = {
		.path = "rules", .report = report, .ctx = ctx, .members = RULE_MEMBERS};
	char *list = as_list(text);
	config_t cfg;
	int rc = 0;

	*out = (struct directory_rules){0};
	if (list == NULL)
		return -ENOMEM;
	if (config_reader_parse_text(&r, &cfg, list)) {
		config_reader_known(&r, config_root_setting(&cfg), names);
		rc = directory_rules_read(&r, config_root_setting(&cfg), out);
	}
	config_destroy(&cfg);
	free(list);
	if (rc == 0 && r.errors > 0)
		rc = -EINVAL;
	if (rc != 0)
		directory_rules_clear(out);
	return rc;
}

/* ---- objects of the journal ------------------------------------------------------------------- */

static struct directory_rule *rule_of(
	struct directory_hub *hub, const struct directory_object *o, uint32_t *at)
{
	unsigned long id = strtoul(o->name, NULL, 10);

	return id < DIRECTORY_RULE_ID_MIN || id > UINT32_MAX
		? NULL
		: directory_rules_find(&hub->access, (uint32_t)id, at);
}

bool directory_rule_object_write(
	FILE *f, const struct directory *d, const struct directory_object *o)
{
	struct directory_hub *hub = directory_find_hub(d, o->hub);
	const struct directory_rule *rule = hub == NULL ? NULL : rule_of(hub, o, NULL);

	if (rule != NULL)
		directory_rule_write(f, rule);
	return rule != NULL;
}

void directory_rule_object_remove(struct directory *d, const struct directory_object *o)
{
	struct directory_hub *hub = directory_find_hub(d, o->hub);
	uint32_t at;

	if (rule_of(hub, o, &at) != NULL)
		directory_rule_free(directory_rules_take(&hub->access, at));
}

int directory_rule_object_read(struct config_reader *r, const config_setting_t *value,
	struct directory *d, const struct directory_object *o)
{
	struct directory_hub *hub = directory_find_hub(d, o->hub);
	struct directory_rule *rule;
	int rc = directory_rule_read(r, value, &rule);

	if (rc != 0 || rule == NULL)
		return rc;
	directory_rule_object_remove(d, o);
	rc = directory_rules_put(&hub->access, rule);
	if (rc != 0)
		directory_rule_free(rule);
	if (rc == -ENOSPC)
		config_reader_error(
			r, value, "is one rule more than the %u a hub may have", ACCESS_RULES_MAX);
	return rc == -ENOSPC ? 0 : rc;
}

bool directory_rules_object_write(
	FILE *f, const struct directory *d, const struct directory_object *o)
{
	const struct directory_hub *hub = directory_find_hub(d, o->hub);

	if (hub == NULL)
		return false;
	fputs("{\n", f);
	directory_rules_write(f, &hub->access);
	fputc('}', f);
	return true;
}

int directory_rules_object_read(struct config_reader *r, const config_setting_t *value,
	struct directory *d, const struct directory_object *o)
{
	static const char *const names[] = {"access", NULL};
	struct directory_hub *hub = directory_find_hub(d, o->hub);

	config_reader_known(r, value, names);
	directory_rules_clear(&hub->access);
	return directory_rules_read(r, value, &hub->access);
}
