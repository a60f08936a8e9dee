/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups and users of the original's hub (import.h). */

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/directory_text.h"
#include "controlplane/import_priv.h"
#include "controlplane/name_index.h"
#include "drivers/session/wire/policy_wire.h"

#define TIME_END INT64_C(4102444800000) /* 2100, ms */

struct taken {
	struct name_entry entry; /* first */
};

/* Names of groups or users that are in the record: each once, without regard to case. */
static bool take_name(struct import *im, struct name_index *index, const char *name)
{
	struct taken *t;

	if (name_index_find(index, name) != NULL)
		return false;
	t = calloc(1, sizeof(*t));
	if (t == NULL || name_index_reserve(index) < 0) {
		free(t);
		im->memory = true;
		return false;
	}
	name_index_put(index, &t->entry, name);
	return true;
}

static void names_free(struct name_index *index)
{
	for (uint32_t i = 0; i < index->size; i++) {
		struct name_entry *e = index->chains[i];

		while (e != NULL) {
			struct name_entry *next = e->next;

			free(e);
			e = next;
		}
	}
	name_index_free(index);
}

/* A key that is out of its range keeps its default, and that is told. */
static void policy_value(struct import *im, FILE *f, uint32_t policy, const char *key, uint32_t min,
	uint32_t max, uint32_t def)
{
	uint32_t i = import_child(&im->tree, policy, key);
	uint64_t value = import_number(&im->tree, policy, key, def);

	if (value > max || (value < min && value != def))
		import_say(im, i, IMPORT_LEFT, "should be from %" PRIu32 " to %" PRIu32, min, max);
	else
		directory_put_value(f, key, min, max, def, (uint32_t)value);
}

static void put_policy(struct import *im, FILE *f, uint32_t of)
{
	static const char *const known[] = {
#define NAME(id, field, key, kind, min, max, def, cascade) #key,
		POLICY_KEYS(NAME)
#undef NAME
			"Ver3",
		NULL};
	uint32_t policy = import_child(&im->tree, of, "Policy");

	if (policy == IMPORT_NONE)
		return;
	fputs(" policy = {", f);
#define PUT(id, field, key, kind, min, max, def, cascade) \
	policy_value(im, f, policy, #key, min, max, def);
	POLICY_KEYS(PUT)
#undef PUT
	fputs(" };\n", f);
	import_say_rest(im, policy, known, "there is no such policy here");
	import_say(im, policy, IMPORT_TAKEN, "its policy");
}

static void put_text(struct import *im, FILE *f, uint32_t of, const char *name, const char *key)
{
	const char *text = import_text(&im->tree, of, name);

	if (strlen(text) >= DIRECTORY_TEXT_BYTES || !directory_text_ok(text, true))
		import_say(im, import_child(&im->tree, of, name), IMPORT_LEFT,
			"is too long, or no text");
	else
		directory_put_text(f, " ", key, text);
}

static void put_time(struct import *im, FILE *f, uint32_t of, const char *name, const char *key)
{
	uint64_t ms = import_time(&im->tree, of, name);

	if (ms >= (uint64_t)TIME_END)
		import_say(im, import_child(&im->tree, of, name), IMPORT_LEFT, "is no time");
	else
		directory_put_time(f, " ", key, (int64_t)ms);
}

static void put_name(FILE *f, const char *separator, const char *name)
{
	fprintf(f, "%s { name = ", separator);
	directory_put_string(f, name);
	fputs(";\n", f);
}

static void groups(struct import *im, FILE *f, uint32_t list, struct name_index *taken)
{
	const struct import_node *nodes = im->tree.nodes;
	const char *separator = " groups = (\n";

	for (uint32_t i = nodes[list].child; i != IMPORT_NONE && !im->memory; i = nodes[i].next) {
		const char *wrong = directory_user_name_wrong(nodes[i].name);

		if (wrong != NULL || taken->cnt == DIRECTORY_GROUPS_MAX ||
			!take_name(im, taken, nodes[i].name)) {
			import_say(im, i, IMPORT_LEFT, "its name %s",
				wrong != NULL ? wrong : "was there before, or is one too many");
			continue;
		}
		put_name(f, separator, nodes[i].name);
		separator = ",\n";
		put_text(im, f, i, "RealName", "real_name");
		put_text(im, f, i, "Note", "note");
		import_say(im, i, IMPORT_TAKEN, "group %s", nodes[i].name);
		put_policy(im, f, i);
		fputs(" }", f);
	}
	if (taken->cnt > 0)
		fputs(" );\n", f);
}

static const char *auth_name(uint64_t type)
{
	static const char *const names[] = {"no password", "a password", "a certificate",
		"a signed certificate", "RADIUS", "a Windows domain"};

	return type < sizeof(names) / sizeof(names[0]) ? names[type] : "an unknown kind";
}

/* NULL: it can be taken. */
static const char *user_wrong(struct import *im, uint32_t user, struct name_index *taken)
{
	const char *name = im->tree.nodes[user].name;
	const char *wrong = directory_user_name_wrong(name);
	uint64_t auth = import_number(&im->tree, user, "AuthType", 0);
	uint8_t hash[DIRECTORY_HASH_BYTES];
	bool hashed = import_bytes(&im->tree, user, "AuthPassword", hash, sizeof(hash));

	explicit_bzero(hash, sizeof(hash));
	if (wrong != NULL)
		return wrong;
	if (auth > DIRECTORY_AUTH_RADIUS)
		return "is authenticated in a way that there is not here";
	if (strcmp(name, "*") == 0 && auth != DIRECTORY_AUTH_RADIUS)
		return "stands for everybody, which only RADIUS makes sense of here";
	if (auth == 1 && !hashed)
		return "has a password without a hash";
	if (taken->cnt == DIRECTORY_USERS_MAX)
		return "is one too many";
	return take_name(im, taken, name) ? NULL : "was there before";
}

/* A name of at most 255 bytes, or none; false: it is no such. */
static bool put_auth_name(
	struct import *im, FILE *f, uint32_t user, const char *name, const char *key)
{
	const char *text = import_text(&im->tree, user, name);

	if (strlen(text) >= DIRECTORY_NAME_BYTES || !directory_text_ok(text, false))
		return false;
	directory_put_text(f, " ", key, text);
	return true;
}

/* False: what is compared at a login is not right, and without it more would be let in than before. */
static bool put_auth(struct import *im, FILE *f, uint32_t node, uint64_t auth)
{
	static const char *const names[] = {
		"anonymous", "password", "certificate", "signed", "radius"};
	bool ok = true;

	fprintf(f, " auth = \"%s\";\n", names[auth]);
	switch (auth) {
	case DIRECTORY_AUTH_PASSWORD:
		(void)import_put_hash(im, f, node, "AuthPassword", "password_hash", NULL);
		break;
	case DIRECTORY_AUTH_CERTIFICATE:
		ok = import_put_certificate(im, f, node, "AuthUserCert", " certificate = ");
		fputs(";\n", f);
		break;
	case DIRECTORY_AUTH_SIGNED:
		ok = put_auth_name(im, f, node, "AuthCommonName", "common_name") &&
			(import_child(&im->tree, node, "AuthSerial") == IMPORT_NONE ||
				import_put_serial(im, f, node, "AuthSerial"));
		break;
	case DIRECTORY_AUTH_RADIUS:
		ok = put_auth_name(im, f, node, "AuthRadiusUsername", "radius_name");
		break;
	default:
		break;
	}
	return ok;
}

/* put_auth() as a text of its own, malloc'ed; NULL. */
static char *auth_text(struct import *im, uint32_t node, uint64_t auth)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	bool ok = f != NULL && put_auth(im, f, node, auth);

	im->memory |= f == NULL || fclose(f) != 0;
	if (ok && !im->memory)
		return text;
	free(text);
	return NULL;
}

static void user(struct import *im, FILE *f, uint32_t node, struct name_index *group_names)
{
	const char *group = import_text(&im->tree, node, "GroupName");
	uint64_t auth = import_number(&im->tree, node, "AuthType", 0);

	put_time(im, f, node, "CreatedTime", "created");
	put_time(im, f, node, "UpdatedTime", "updated");
	put_time(im, f, node, "ExpireTime", "expires");
	put_text(im, f, node, "RealName", "real_name");
	put_text(im, f, node, "Note", "note");
	if (group[0] != '\0' && name_index_find(group_names, group) != NULL)
		directory_put_text(f, " ", "group", group);
	else if (group[0] != '\0')
		import_say(im, import_child(&im->tree, node, "GroupName"), IMPORT_LEFT,
			"there is no group %s", group);
	import_say(im, node, IMPORT_TAKEN, "user %s, with %s", im->tree.nodes[node].name,
		auth_name(auth));
	put_policy(im, f, node);
}

static void users(struct import *im, FILE *f, uint32_t list, struct name_index *group_names,
	struct name_index *taken)
{
	const struct import_node *nodes = im->tree.nodes;
	const char *separator = " users = (\n";

	for (uint32_t i = nodes[list].child; i != IMPORT_NONE && !im->memory; i = nodes[i].next) {
		const char *wrong = user_wrong(im, i, taken);
		char *auth;

		if (wrong != NULL) {
			import_say(im, i, IMPORT_LEFT, "user %s (%s): %s", nodes[i].name,
				auth_name(import_number(&im->tree, i, "AuthType", 0)), wrong);
			continue;
		}
		auth = auth_text(im, i, import_number(&im->tree, i, "AuthType", 0));
		if (auth == NULL) {
			import_say(im, i, IMPORT_LEFT,
				"user %s: its certificate, serial number or name is none",
				nodes[i].name);
			continue;
		}
		put_name(f, separator, nodes[i].name);
		fputs(auth, f);
		free(auth);
		separator = ",\n";
		user(im, f, i, group_names);
		fputs(" }", f);
	}
	if (separator[0] == ',')
		fputs(" );\n", f);
}

void import_accounts(struct import *im, FILE *f, uint32_t database)
{
	static const char *const known[] = {
		"GroupList", "UserList", "IPAccessControlList", "CertList", "CrlList", NULL};
	struct name_index group_names = {0}, user_names = {0};
	uint32_t list = import_child(&im->tree, database, "GroupList");

	if (list != IMPORT_NONE)
		groups(im, f, list, &group_names);
	list = import_child(&im->tree, database, "UserList");
	if (list != IMPORT_NONE)
		users(im, f, list, &group_names, &user_names);
	names_free(&group_names);
	names_free(&user_names);
	import_say_rest(im, database, known, "there is nothing of the kind here");
}
