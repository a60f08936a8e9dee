/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIRECTORY_TEXT_H
#define PATCHBAY_CONTROLPLANE_DIRECTORY_TEXT_H

/* The parts of the directory file that have a source file of their own, as directory_file.c sees them. */

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "controlplane/config_reader.h"
#include "controlplane/directory.h"

struct directory;
struct directory_hub;

/* Member `bridges` of the file. Reports what is wrong; -ENOMEM. */
int directory_bridges_read(
	struct config_reader *r, const config_setting_t *root, struct directory *d);
/* The same as text; nothing if there are none. */
void directory_bridges_write(FILE *f, const struct directory *d);
/* One of them, as a value of the list. */
int directory_bridge_read(
	struct config_reader *r, const config_setting_t *group, struct directory *d);
void directory_bridge_write(FILE *f, const struct directory_bridge *b);

/* Members `admin_password`, `admin_password_hash` and, of a hub, `admin_vpn_hash` of a group. */
void directory_admin_read(struct config_reader *r, const config_setting_t *group, bool hub,
	struct directory_admin *admin);
void directory_admin_write(
	FILE *f, const char *indent, bool hub, const struct directory_admin *admin);
/* Member `log` of a hub; not written when it is as usual. */
void directory_log_read(
	struct config_reader *r, const config_setting_t *parent, struct directory_log *log);
void directory_log_write(FILE *f, const struct directory_log *log);
/* Member `listeners`. */
void directory_listeners_read(
	struct config_reader *r, const config_setting_t *root, struct directory *d);
void directory_listeners_write(FILE *f, const struct directory *d);

/* The members of the file that are the server's settings, all together: the two above, and what joins them. */
#define DIRECTORY_SERVER_NAMES \
	"admin_password", "admin_password_hash", "ciphers", "listeners", "syslog"
void directory_server_read(
	struct config_reader *r, const config_setting_t *root, struct directory *d);
void directory_server_write(FILE *f, const struct directory *d);

/* One hub of the file, with all that is in it. Reports what is wrong; -ENOMEM. */
int directory_hub_read(struct config_reader *r, const config_setting_t *group, struct directory *d);
void directory_hub_write(FILE *f, const struct directory_hub *hub);
/* The same without users and groups, which have objects of their own (directory_object.h). */
void directory_hub_settings_write(FILE *f, const struct directory_hub *hub);
/* Members `groups` and `users` of a hub. */
int directory_accounts_read(
	struct config_reader *r, const config_setting_t *hub_setting, struct directory_hub *hub);
void directory_accounts_write(FILE *f, const struct directory_hub *hub);
/* One of them, as a value of its list; reads at the end, and -EEXIST is reported. */
int directory_user_read(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub);
void directory_user_write(FILE *f, const struct directory_user *user);
int directory_group_read(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub);
void directory_group_write(FILE *f, const struct directory_group *group);
/* The file's text read as a whole: its root, or a value that holds the same. Reports; -ENOMEM. */
int directory_root_read(struct config_reader *r, const config_setting_t *root, struct directory *d);
void directory_root_write(FILE *f, const struct directory *d);
/* How a user proves who it is: member `auth` and those that belong to it. -ENOMEM. */
int directory_auth_read(
	struct config_reader *r, const config_setting_t *group, struct directory_user *user);
void directory_auth_write(FILE *f, const char *indent, const struct directory_user *user);
/* Members `trusted`, `revoked` and `radius` of a hub; nothing is written of what is empty. -ENOMEM. */
int directory_trust_read(
	struct config_reader *r, const config_setting_t *group, struct directory_hub *hub);
void directory_trust_write(FILE *f, const struct directory_trust *t);
void directory_radius_read(
	struct config_reader *r, const config_setting_t *parent, struct directory_radius *radius);
void directory_radius_write(FILE *f, const struct directory_radius *radius);

/* ---- values: what is wrong is reported, and *out stays as it was ------------------------------ */

void directory_read_time(
	struct config_reader *r, const config_setting_t *group, const char *name, int64_t *out);
/* Replaces a malloc'ed text. -ENOMEM. */
int directory_read_text(
	struct config_reader *r, const config_setting_t *group, const char *name, char **out);
/* The name of a list element, judged by `wrong`; NULL after reporting. */
const char *directory_read_name(struct config_reader *r, const config_setting_t *group,
	const char *(*wrong)(const char *name));
/* A key of policy or options. */
void directory_read_value(struct config_reader *r, const config_setting_t *group, const char *name,
	uint32_t min, uint32_t max, uint32_t def, uint32_t *out);
/* Member `name`, a group; NULL if absent or reported. */
const config_setting_t *directory_read_group(
	struct config_reader *r, const config_setting_t *parent, const char *name);
/*
 * True if `text` is DIRECTORY_KEPT where that means something: the hash is then a mark that directory_kept_fill() looks
 * for, which takes the one of the same object in `old`, and reports where there is none.
 */
bool directory_kept(
	const struct config_reader *r, const char *text, uint8_t out[DIRECTORY_HASH_BYTES]);
void directory_kept_fill(struct config_reader *r, struct directory *d, struct directory *old);
/* Member `kept`: text of an import as it was, any bytes but NUL. -ENOMEM. */
int directory_kept_read(struct config_reader *r, const config_setting_t *group, char **out);
void directory_kept_write(FILE *f, const char *indent, const char *kept);
/* 40 hexadecimal digits. */
bool directory_hash_parse(const char *text, uint8_t out[DIRECTORY_HASH_BYTES]);

/* At most `max` bytes as hexadecimal digits; how many, 0 if it is absent or reported. */
int directory_read_hex(struct config_reader *r, const config_setting_t *group, const char *name,
	uint8_t *out, uint32_t max);
/* A certificate as it stands there; free() *out. -EINVAL, -ENOMEM. */
int directory_base64_decode(const char *text, uint8_t **out, size_t *size);

/* `name = "digits";` without a line's end, nothing for no bytes. */
void directory_put_hex(
	FILE *f, const char *indent, const char *name, const uint8_t *bytes, uint32_t cnt);
/* In quotes. */
void directory_put_base64(FILE *f, const uint8_t *bytes, size_t size);
/* A string as libconfig reads it back. */
void directory_put_string(FILE *f, const char *text);
void directory_put_part(FILE *f, const char *text, size_t size);
/* `name = value;` on a line; nothing for an empty text or the time 0. */
void directory_put_text(FILE *f, const char *indent, const char *name, const char *text);
void directory_put_time(FILE *f, const char *indent, const char *name, int64_t ms);
void directory_put_hash(FILE *f, const char *indent, const char *name, const uint8_t *hash);
/* ` name = value;`, nothing for the default. */
void directory_put_value(
	FILE *f, const char *name, uint32_t min, uint32_t max, uint32_t def, uint32_t value);

#endif
