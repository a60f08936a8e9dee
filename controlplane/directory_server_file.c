/* SPDX-License-Identifier: BSD-3-Clause */
/* Administrators' passwords, ciphers, listeners and the syslog server as text in the directory file. */

#include <string.h>

#include "controlplane/directory_priv.h"
#include "controlplane/directory_text.h"

/* ---- administrators ---------------------------------------------------------------------------- */

static bool read_hash(struct config_reader *r, const config_setting_t *group, const char *name,
	const char *text, uint8_t out[DIRECTORY_HASH_BYTES])
{
	if (directory_kept(r, text, out) || directory_hash_parse(text, out))
		return true;
	config_reader_error(
		r, config_reader_member(group, name), "should be 40 hexadecimal digits");
	return false;
}

/* Values of secrets never stand in a message. */
void directory_admin_read(struct config_reader *r, const config_setting_t *group, bool hub,
	struct directory_admin *admin)
{
	const char *password = NULL, *hash = NULL, *vpn_hash = NULL;
	uint8_t hash_bytes[DIRECTORY_HASH_BYTES], vpn_bytes[DIRECTORY_HASH_BYTES];

	config_reader_string(r, group, "admin_password", &password);
	config_reader_string(r, group, "admin_password_hash", &hash);
	if (hub)
		config_reader_string(r, group, "admin_vpn_hash", &vpn_hash);
	if (password != NULL && (hash != NULL || vpn_hash != NULL)) {
		config_reader_error(r, config_reader_member(group, "admin_password"),
			"stands beside a hash: leave out the one or the other");
		return;
	}
	if (vpn_hash != NULL && hash == NULL) {
		config_reader_error(r, config_reader_member(group, "admin_vpn_hash"),
			"stands without admin_password_hash");
		return;
	}
	if (password != NULL) {
		if (strlen(password) >= DIRECTORY_NAME_BYTES)
			config_reader_error(r, config_reader_member(group, "admin_password"),
				"has %zu bytes, should have at most 255", strlen(password));
		directory_admin_set_password(admin, password);
	} else if (hash != NULL && read_hash(r, group, "admin_password_hash", hash, hash_bytes) &&
		(vpn_hash == NULL || read_hash(r, group, "admin_vpn_hash", vpn_hash, vpn_bytes))) {
		directory_admin_set_hashes(admin, hash_bytes, vpn_hash == NULL ? NULL : vpn_bytes);
	}
}

static void write_hash(
	FILE *f, const char *indent, const char *name, const uint8_t hash[DIRECTORY_HASH_BYTES])
{
	fprintf(f, "%s%s = \"", indent, name);
	for (unsigned i = 0; i < DIRECTORY_HASH_BYTES; i++)
		fprintf(f, "%02x", hash[i]);
	fputs("\";\n", f);
}

void directory_admin_write(
	FILE *f, const char *indent, bool hub, const struct directory_admin *admin)
{
	static const uint8_t none[DIRECTORY_HASH_BYTES];

	if (!admin->set)
		return;
	write_hash(f, indent, "admin_password_hash", admin->hash);
	if (hub && memcmp(admin->vpn_hash, none, sizeof(none)) != 0)
		write_hash(f, indent, "admin_vpn_hash", admin->vpn_hash);
}

/* ---- listeners --------------------------------------------------------------------------------- */

static void read_listener(
	struct config_reader *r, const config_setting_t *group, struct directory *d)
{
	static const char *const names[] = {"port", "enabled", "removed", NULL};
	struct directory_listener entry = {.enabled = true};
	int64_t port = 0;

	if (!config_setting_is_group(group)) {
		config_reader_error(r, group, "should be a group such as { port = 5555; }");
		return;
	}
	config_reader_known(r, group, names);
	if (config_reader_member(group, "port") == NULL) {
		config_reader_error(r, group, "port is missing");
		return;
	}
	if (!config_reader_int(r, group, "port", 1, 65535, &port))
		return;
	config_reader_bool(r, group, "enabled", &entry.enabled);
	config_reader_bool(r, group, "removed", &entry.removed);
	entry.port = (uint16_t)port;
	for (unsigned i = 0; i < d->listener_cnt; i++) {
		if (d->listeners[i].port == entry.port) {
			config_reader_error(r, config_reader_member(group, "port"),
				"is %u, which an earlier listener has already", entry.port);
			return;
		}
	}
	d->listeners[d->listener_cnt++] = entry;
}

void directory_listeners_read(
	struct config_reader *r, const config_setting_t *root, struct directory *d)
{
	const config_setting_t *list;

	if (config_reader_member(root, "listeners") == NULL)
		return;
	list = config_reader_list(r, root, "listeners");
	if (list == NULL)
		return;
	if (config_setting_length(list) > (int)DIRECTORY_LISTENERS_MAX) {
		config_reader_error(r, list, "has %d listeners, should have at most %u",
			config_setting_length(list), DIRECTORY_LISTENERS_MAX);
		return;
	}
	for (int i = 0; i < config_setting_length(list); i++)
		read_listener(r, config_setting_get_elem(list, (unsigned)i), d);
}

void directory_listeners_write(FILE *f, const struct directory *d)
{
	const char *separator = "\nlisteners = (\n";

	for (unsigned i = 0; i < d->listener_cnt; i++) {
		const struct directory_listener *l = &d->listeners[i];

		fprintf(f, "%s\t{ port = %u; enabled = %s; removed = %s; }", separator, l->port,
			l->enabled ? "true" : "false", l->removed ? "true" : "false");
		separator = ",\n";
	}
	if (d->listener_cnt > 0)
		fputs("\n);\n", f);
}

/* ---- ciphers ----------------------------------------------------------------------------------- */

/* Whether OpenSSL knows them is seen when they come into force. */
static void ciphers_read(struct config_reader *r, const config_setting_t *root, struct directory *d)
{
	const char *text = NULL;

	if (!config_reader_string(r, root, "ciphers", &text) || text == NULL)
		return;
	if (strlen(text) >= sizeof(d->ciphers) || !directory_text_ok(text, false))
		config_reader_error(r, config_reader_member(root, "ciphers"),
			"should be at most %zu bytes of text", sizeof(d->ciphers) - 1);
	else
		snprintf(d->ciphers, sizeof(d->ciphers), "%s", text);
}

static void ciphers_write(FILE *f, const struct directory *d)
{
	if (d->ciphers[0] == '\0')
		return;
	fputs("ciphers = ", f);
	directory_put_string(f, d->ciphers);
	fputs(";\n", f);
}

/* ---- syslog ------------------------------------------------------------------------------------ */

static const char *const syslog_lines[DIRECTORY_SYSLOG_CNT] = {
	"off", "server", "security", "packet"};

static void syslog_read(
	struct config_reader *r, const config_setting_t *root, struct directory_syslog *out)
{
	static const char *const names[] = {"lines", "host", "port", NULL};
	const config_setting_t *group = config_reader_member(root, "syslog");
	struct directory_syslog entry = {.set = true};
	const char *lines = NULL, *host = "";
	int64_t port = DIRECTORY_SYSLOG_PORT;

	if (group == NULL)
		return;
	if (!config_setting_is_group(group)) {
		config_reader_error(r, group,
			"should be a group such as { lines = \"security\"; host = \"192.0.2.1\"; }");
		return;
	}
	config_reader_known(r, group, names);
	config_reader_string(r, group, "lines", &lines);
	config_reader_string(r, group, "host", &host);
	config_reader_int(r, group, "port", 1, 65535, &port);
	while (entry.lines < DIRECTORY_SYSLOG_CNT &&
		(lines == NULL || strcmp(lines, syslog_lines[entry.lines]) != 0))
		entry.lines++;
	if (entry.lines == DIRECTORY_SYSLOG_CNT) {
		config_reader_error(r, group, "lines should be off, server, security or packet");
		return;
	}
	if (strlen(host) >= sizeof(entry.host) || (host[0] == '\0' && entry.lines != 0)) {
		config_reader_error(r, group, "host should have 1 to 255 bytes");
		return;
	}
	strcpy(entry.host, host);
	entry.port = (uint16_t)port;
	*out = entry;
}

static void syslog_write(FILE *f, const struct directory_syslog *s)
{
	if (!s->set)
		return;
	fprintf(f, "\nsyslog = { lines = \"%s\"; host = ", syslog_lines[s->lines]);
	directory_put_string(f, s->host);
	fprintf(f, "; port = %u; };\n", s->port);
}

/* ---- all of it --------------------------------------------------------------------------------- */

void directory_server_read(
	struct config_reader *r, const config_setting_t *root, struct directory *d)
{
	directory_admin_read(r, root, false, &d->admin);
	ciphers_read(r, root, d);
	directory_listeners_read(r, root, d);
	syslog_read(r, root, &d->syslog);
}

void directory_server_write(FILE *f, const struct directory *d)
{
	directory_admin_write(f, "", false, &d->admin);
	ciphers_write(f, d);
	directory_listeners_write(f, d);
	syslog_write(f, &d->syslog);
}
