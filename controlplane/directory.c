/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The directory in memory (directory.h): ordered lists for listing and saving, and hash chains for finding,
 * so that ten thousand users cost a login no more than ten.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/directory_priv.h"
#include "drivers/session/wire/sha0.h"

#define INDEX_SIZE_MIN 16u

struct directory directory_now = {
	.hubs = TAILQ_HEAD_INITIALIZER(directory_now.hubs),
	.bridges = TAILQ_HEAD_INITIALIZER(directory_now.bridges),
};

static unsigned char fold(char c)
{
	return (unsigned char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
}

static bool name_equal(const char *a, const char *b)
{
	while (*a != '\0' && fold(*a) == fold(*b)) {
		a++;
		b++;
	}
	return fold(*a) == fold(*b);
}

/* FNV-1a of the folded name. Names in the tables come from administrators, so it needs no secret. */
static uint32_t name_hash(const char *name)
{
	uint32_t h = 2166136261u;

	for (; *name != '\0'; name++)
		h = (h ^ fold(*name)) * 16777619u;
	return h ^ h >> 15;
}

int64_t directory_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* ---- names and texts --------------------------------------------------------------------------- */

/* Bytes of the UTF-8 sequence at p, 0 if it is none. */
static unsigned utf8_sequence(const unsigned char *p)
{
	static const struct {
		unsigned char lead_min, lead_max, second_min, second_max;
		unsigned bytes;
	} forms[] = {
		{0xc2, 0xdf, 0x80, 0xbf, 2},
		{0xe0, 0xe0, 0xa0, 0xbf, 3},
		{0xe1, 0xec, 0x80, 0xbf, 3},
		{0xed, 0xed, 0x80, 0x9f, 3},
		{0xee, 0xef, 0x80, 0xbf, 3},
		{0xf0, 0xf0, 0x90, 0xbf, 4},
		{0xf1, 0xf3, 0x80, 0xbf, 4},
		{0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (p[0] < 0x80)
		return 1;
	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (p[0] < forms[i].lead_min || p[0] > forms[i].lead_max)
			continue;
		if (p[1] < forms[i].second_min || p[1] > forms[i].second_max)
			return 0;
		for (unsigned k = 2; k < forms[i].bytes; k++)
			if ((p[k] & 0xc0) != 0x80)
				return 0;
		return forms[i].bytes;
	}
	return 0;
}

bool directory_text_ok(const char *text, bool lines)
{
	const unsigned char *p = (const unsigned char *)text;

	while (*p != '\0') {
		unsigned n = utf8_sequence(p);

		if (n == 0)
			return false;
		if (n == 1 && (*p < 0x20 || *p == 0x7f) && !(lines && (*p == '\n' || *p == '\t')))
			return false;
		p += n;
	}
	return true;
}

const char *directory_hub_name_wrong(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
		" -_().,+=@#!&~";
	size_t len = strlen(name);

	if (len == 0 || len >= DIRECTORY_NAME_BYTES)
		return "should have 1 to 255 characters";
	if (strspn(name, allowed) != len)
		return "should have only ASCII letters, digits, space and -_().,+=@#!&~";
	if (name[0] == '.' || name[len - 1] == '.' || name[0] == ' ' || name[len - 1] == ' ')
		return "should not begin or end with a dot or a space";
	return NULL;
}

const char *directory_user_name_wrong(const char *name)
{
	static const char *const reserved[] = {
		"link", "Cascade", "SecureNAT", "localbridge", "Local Bridge", "administrator"};
	size_t len = strlen(name);

	if (len == 0 || len >= DIRECTORY_NAME_BYTES)
		return "should have 1 to 255 bytes";
	if (!directory_text_ok(name, false))
		return "should be UTF-8 without control characters";
	for (unsigned i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++)
		if (name_equal(name, reserved[i]))
			return "is reserved, should be another";
	if (len >= 5) {
		char head[6] = "";

		memcpy(head, name, 5);
		if (name_equal(head, "L3SW_"))
			return "begins with L3SW_, which is reserved, should be another";
	}
	return NULL;
}

/* ---- hubs -------------------------------------------------------------------------------------- */

void directory_init(struct directory *d)
{
	memset(d, 0, sizeof(*d));
	TAILQ_INIT(&d->hubs);
	TAILQ_INIT(&d->bridges);
}

static void user_free(struct directory_user *user)
{
	explicit_bzero(user->hashed_password, sizeof(user->hashed_password));
	free(user->real_name);
	free(user->note);
	free(user);
}

static void hub_free(struct directory_hub *hub)
{
	struct directory_user *user;

	while ((user = TAILQ_FIRST(&hub->users)) != NULL) {
		TAILQ_REMOVE(&hub->users, user, entry);
		user_free(user);
	}
	explicit_bzero(&hub->admin, sizeof(hub->admin));
	free(hub->user_index);
	free(hub);
}

void directory_free(struct directory *d)
{
	struct directory_hub *hub;

	while ((hub = TAILQ_FIRST(&d->hubs)) != NULL) {
		TAILQ_REMOVE(&d->hubs, hub, entry);
		hub_free(hub);
	}
	directory_bridges_free(d);
	explicit_bzero(&d->admin, sizeof(d->admin));
	free(d->hub_index);
	directory_init(d);
}

void directory_clear(void)
{
	directory_free(&directory_now);
}

const struct directory_hubs *directory_hubs(void)
{
	return &directory_now.hubs;
}

struct directory_hub *directory_find_hub(const struct directory *d, const char *name)
{
	struct directory_hub *hub;

	if (d->hub_index_size == 0)
		return NULL;
	hub = d->hub_index[name_hash(name) & (d->hub_index_size - 1)];
	while (hub != NULL && !name_equal(hub->name, name))
		hub = hub->index_next;
	return hub;
}

struct directory_hub *directory_hub_find(const char *name)
{
	return directory_find_hub(&directory_now, name);
}

static void hub_index_put(struct directory *d, struct directory_hub *hub)
{
	struct directory_hub **slot = &d->hub_index[name_hash(hub->name) & (d->hub_index_size - 1)];

	hub->index_next = *slot;
	*slot = hub;
}

static int hub_index_reserve(struct directory *d)
{
	uint32_t size = d->hub_index_size == 0 ? INDEX_SIZE_MIN : d->hub_index_size * 2;
	struct directory_hub **index, *hub;

	if (d->hub_cnt < d->hub_index_size)
		return 0;
	index = calloc(size, sizeof(*index));
	if (index == NULL)
		return -ENOMEM;
	free(d->hub_index);
	d->hub_index = index;
	d->hub_index_size = size;
	TAILQ_FOREACH (hub, &d->hubs, entry)
		hub_index_put(d, hub);
	return 0;
}

int directory_add_hub(struct directory *d, const char *name, struct directory_hub **out)
{
	struct directory_hub *hub;

	if (directory_hub_name_wrong(name) != NULL)
		return -EINVAL;
	if (directory_find_hub(d, name) != NULL)
		return -EEXIST;
	if (d->hub_cnt >= DIRECTORY_HUBS_MAX)
		return -ENOSPC;
	if (hub_index_reserve(d) < 0)
		return -ENOMEM;
	hub = calloc(1, sizeof(*hub));
	if (hub == NULL)
		return -ENOMEM;
	strcpy(hub->name, name);
	hub->online = true;
	hub->max_macs = 65536;
	hub->created_ms = directory_now_ms();
	hub->session_serial = 1;
	TAILQ_INIT(&hub->users);
	TAILQ_INSERT_TAIL(&d->hubs, hub, entry);
	d->hub_cnt++;
	hub_index_put(d, hub);
	*out = hub;
	return 0;
}

int directory_hub_create(const char *name, struct directory_hub **out)
{
	return directory_add_hub(&directory_now, name, out);
}

/* ---- users ------------------------------------------------------------------------------------- */

struct directory_user *directory_user_find(struct directory_hub *hub, const char *name)
{
	struct directory_user *user;

	if (hub->user_index_size == 0)
		return NULL;
	user = hub->user_index[name_hash(name) & (hub->user_index_size - 1)];
	while (user != NULL && !name_equal(user->name, name))
		user = user->index_next;
	return user;
}

static void user_index_put(struct directory_hub *hub, struct directory_user *user)
{
	struct directory_user **slot =
		&hub->user_index[name_hash(user->name) & (hub->user_index_size - 1)];

	user->index_next = *slot;
	*slot = user;
}

static int user_index_reserve(struct directory_hub *hub)
{
	uint32_t size = hub->user_index_size == 0 ? INDEX_SIZE_MIN : hub->user_index_size * 2;
	struct directory_user **index, *user;

	if (hub->user_cnt < hub->user_index_size)
		return 0;
	index = calloc(size, sizeof(struct directory_user *));
	if (index == NULL)
		return -ENOMEM;
	free(hub->user_index);
	hub->user_index = index;
	hub->user_index_size = size;
	TAILQ_FOREACH (user, &hub->users, entry)
		user_index_put(hub, user);
	return 0;
}

int directory_user_create(struct directory_hub *hub, const char *name, struct directory_user **out)
{
	struct directory_user *user;

	if (directory_user_name_wrong(name) != NULL)
		return -EINVAL;
	if (directory_user_find(hub, name) != NULL)
		return -EEXIST;
	if (hub->user_cnt >= DIRECTORY_USERS_MAX)
		return -ENOSPC;
	if (user_index_reserve(hub) < 0)
		return -ENOMEM;
	user = calloc(1, sizeof(*user));
	if (user == NULL)
		return -ENOMEM;
	strcpy(user->name, name);
	user->real_name = strdup("");
	user->note = strdup("");
	if (user->real_name == NULL || user->note == NULL) {
		user_free(user);
		return -ENOMEM;
	}
	user->auth = DIRECTORY_AUTH_ANONYMOUS;
	user->created_ms = directory_now_ms();
	user->updated_ms = user->created_ms;
	TAILQ_INSERT_TAIL(&hub->users, user, entry);
	hub->user_cnt++;
	user_index_put(hub, user);
	*out = user;
	return 0;
}

void directory_user_set_password(struct directory_user *user, const char *password)
{
	user->auth = DIRECTORY_AUTH_PASSWORD;
	sha0_password_hash(password, user->name, user->hashed_password);
	user->updated_ms = directory_now_ms();
}
