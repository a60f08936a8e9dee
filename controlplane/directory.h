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
#define DIRECTORY_TEXT_BYTES 4096u /* real name and note */

/* hub.md section 2; reference limits of the product. */
#define DIRECTORY_HUBS_MAX  4096u
#define DIRECTORY_USERS_MAX 10000u /* per hub */
#define DIRECTORY_MACS_MIN  16u	   /* what fdb.h takes */
#define DIRECTORY_MACS_MAX  16777216u

#define DIRECTORY_LISTENERS_MAX 64u /* as CONFIG_LISTENERS_MAX */

#define DIRECTORY_BRIDGES_MAX	    256u
#define DIRECTORY_BRIDGE_NAME_BYTES 64u
#define DIRECTORY_DEVICE_BYTES	    512u
#define DIRECTORY_TAP_MAX	    11u /* with tap_ in front 15, what an interface may have */

struct hub;

/*
 * The administrator of the server or of a hub: what the protocol compares a password with (admin-rpc.md 1.5,
 * 4.4). Who has the hashes can log in, so they never leave the daemon but to the directory file.
 */
struct directory_admin {
	bool set; /* false, or the password is empty: nobody administers from the network */
	uint8_t hash[DIRECTORY_HASH_BYTES];	/* SHA0(password) */
	uint8_t vpn_hash[DIRECTORY_HASH_BYTES]; /* hubs: SHA0(password || "ADMINISTRATOR") */
};

/* A listener that was added, switched or removed at run time: stands above patchbay.cfg. */
struct directory_listener {
	uint16_t port;
	bool enabled;
	bool removed; /* patchbay.cfg has it, and it is not wanted */
};

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
	struct directory_user *index_next; /* directory's own */
};

struct directory_hub {
	char name[DIRECTORY_NAME_BYTES];
	bool online;
	bool no_enum;		 /* hidden from enum_hub */
	bool require_encryption; /* no session below TLS, whatever the client asks (wire.md 6.6) */
	uint32_t max_sessions;	 /* 0 = no limit of its own */
	uint32_t max_macs;	 /* bound of the MAC table */
	struct directory_admin admin;
	int64_t created_ms;
	uint32_t user_cnt;
	TAILQ_HEAD(directory_users, directory_user) users;
	TAILQ_ENTRY(directory_hub) entry;
	struct directory_hub *index_next;   /* directory's own, and so the next two */
	struct directory_user **user_index; /* by name, chained */
	uint32_t user_index_size;	    /* power of two, or 0 */

	struct hub *hub;	 /* the data path's object; made by directory_start() */
	uint32_t session_serial; /* next n of SID-<USER>-<n>; never goes back while the hub lives */
	uint32_t session_cnt;
};

TAILQ_HEAD(directory_hubs, directory_hub);

/* A local bridge (reference/bridge-cascade.md A). Server-wide: the hub may not exist (yet). */
struct directory_bridge {
	char name[DIRECTORY_BRIDGE_NAME_BYTES]; /* ours, unique in its hub */
	char hub[DIRECTORY_NAME_BYTES];
	char device[DIRECTORY_DEVICE_BYTES]; /* TAP: without tap_; else PCI address or devargs */
	bool tap;
	bool limit_broadcast; /* the storm limiter is on */
	bool monitor;	      /* receives only */
	TAILQ_ENTRY(directory_bridge) entry;
};

TAILQ_HEAD(directory_bridges, directory_bridge);

/* All hubs in order of creation. */
const struct directory_hubs *directory_hubs(void);
struct directory_hub *directory_hub_find(const char *name);
struct directory_user *directory_user_find(struct directory_hub *hub, const char *name);

/*
 * Parses a directory file. 0, or -EINVAL after reporting every error as "file:line: key: text". It replaces
 * what was loaded only when it is right as a whole. Not while hubs are started.
 */
int directory_load(const char *path, void (*report)(void *ctx, const char *line), void *ctx);
/* The whole directory as file text (malloc'ed, NUL-terminated; length in *size). NULL with ENOMEM. */
char *directory_serialise(size_t *size);

/*
 * What is wrong with a name, in words for people, or NULL. Hub: 1..255 of ASCII letters, digits, space and
 * -_().,+=@#!&~ , no dot or space at either end. User: 1..255 bytes of UTF-8 without control characters,
 * none of the reserved names (hub.md section 1).
 */
const char *directory_hub_name_wrong(const char *name);
const char *directory_user_name_wrong(const char *name);

/*
 * Creates in memory; the caller saves. -EEXIST, -EINVAL (name, see above), -ENOSPC (as many as there may be),
 * -ENOMEM. A new hub is online, without limit of its own; a new user's auth is anonymous until a password
 * is set.
 */
int directory_hub_create(const char *name, struct directory_hub **out);
int directory_user_create(struct directory_hub *hub, const char *name, struct directory_user **out);
/* Makes it a password user. The caller saves. */
void directory_user_set_password(struct directory_user *user, const char *password);

/* The server's administrator; never NULL. The caller of the second saves. */
const struct directory_admin *directory_server_admin(void);
void directory_server_set_admin(const struct directory_admin *admin);
/* Both hashes from a password; "" unsets. */
void directory_admin_set_password(struct directory_admin *admin, const char *password);
/*
 * From the hashes a tool made; those of an empty password unset. `vpn_hash` may be NULL: then nobody logs in to
 * the VPN as administrator until a password is set in clear.
 */
void directory_admin_set_hashes(
	struct directory_admin *admin, const uint8_t *hash, const uint8_t *vpn_hash);

/* Listeners changed at run time; false behind the last. */
bool directory_listener_get(unsigned index, struct directory_listener *out);
/* Sets the entry of a port, or (NULL) forgets it. -ENOSPC. The caller saves. */
int directory_listener_set(uint16_t port, const struct directory_listener *entry);

/* All bridges in order of creation. */
const struct directory_bridges *directory_bridges(void);
/* By device, or by name; case counts in devargs only. */
struct directory_bridge *directory_bridge_find(const char *hub, const char *which);
/* What is wrong with it, in words for people, or NULL. */
const char *directory_bridge_wrong(const char *device, bool tap, const char *name);
/* The name of a bridge that was given none: its device up to the first comma. */
void directory_bridge_default_name(const char *device, char name[DIRECTORY_BRIDGE_NAME_BYTES]);
/* As directory_hub_create(); -EEXIST: this hub has one of that device or name. */
int directory_bridge_create(const char *hub, const char *device, bool tap, const char *name,
	struct directory_bridge **out);
/* Takes it out of the list, to be freed or put back. The caller saves. */
void directory_bridge_take(struct directory_bridge *b);
void directory_bridge_put(struct directory_bridge *b);

/* Makes the data path's hubs for all (after lcore_init()). -errno of hub_create(). */
int directory_start(void);
/* Lets them go (no port joined any more); memory comes back by grace_poll(). */
void directory_stop(void);
/* Forgets everything. After directory_stop(). */
void directory_clear(void);

/* Milliseconds since 1970, UTC. Any thread. */
int64_t directory_now_ms(void);

#endif
