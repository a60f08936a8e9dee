/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIRECTORY_H
#define PATCHBAY_CONTROLPLANE_DIRECTORY_H

/*
 * The directory: hubs and their users (later groups, policies, access lists, cascades ...), the security
 * policy database of the product. In memory with an index of our own (libconfig searches named members one
 * by one), on disk as <state>/directory.cfg, written by store.h.
 *
 * Names compare case-insensitively (ASCII), keep the case they were given. Control thread only; pointers
 * are valid until the next change.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define DIRECTORY_NAME_BYTES 256u /* hub and user names: 1..255 bytes + NUL */
#define DIRECTORY_HASH_BYTES 20u

struct hub;

/* auth.md section 2; numbers as in admin-rpc.md 4.5. */
enum directory_auth {
	DIRECTORY_AUTH_ANONYMOUS = 0,
	DIRECTORY_AUTH_PASSWORD = 1,
};

struct directory_user {
	char name[DIRECTORY_NAME_BYTES];
	char *real_name;
	char *note;
	enum directory_auth auth;
	uint8_t hashed_password
		[DIRECTORY_HASH_BYTES]; /* SHA0(password || UPPER(name)), wire.md 3.2.2 */
	int64_t created_ms;		/* since 1970, UTC */
	int64_t updated_ms;
	int64_t expires_ms; /* 0 = never */
	TAILQ_ENTRY(directory_user) entry;
};

struct directory_hub {
	char name[DIRECTORY_NAME_BYTES];
	bool online;
	bool no_enum;	       /* hidden from enum_hub */
	uint32_t max_sessions; /* 0 = no limit of its own */
	uint32_t max_macs;     /* bound of the MAC table */
	int64_t created_ms;
	uint32_t user_cnt;
	TAILQ_HEAD(, directory_user) users;
	TAILQ_ENTRY(directory_hub) entry;

	struct hub *hub;	 /* the data path's object; made by directory_start() */
	uint32_t session_serial; /* next n of SID-<USER>-<n>; never goes back while the hub lives */
	uint32_t session_cnt;
};

TAILQ_HEAD(directory_hubs, directory_hub);

/* All hubs in order of creation. */
const struct directory_hubs *directory_hubs(void);
struct directory_hub *directory_hub_find(const char *name);
struct directory_user *directory_user_find(struct directory_hub *hub, const char *name);

/*
 * Parses a directory file. 0, or -EINVAL after reporting every error as "file:line: key: text". `text`
 * replaces what was loaded only when it is right as a whole.
 */
int directory_load(const char *path, void (*report)(void *ctx, const char *line), void *ctx);
/* The whole directory as file text (malloc'ed, NUL-terminated; length in *size). NULL with ENOMEM. */
char *directory_serialise(size_t *size);

/* Creates in memory; the caller saves. -EEXIST, -EINVAL (name, see admin-rpc.md 4.4/4.5), -ENOMEM. */
int directory_hub_create(const char *name, struct directory_hub **out);
int directory_user_create(struct directory_hub *hub, const char *name, struct directory_user **out);

/* Makes the data path's hubs for all (after lcore_init()). */
int directory_start(void);
void directory_clear(void);

#endif
