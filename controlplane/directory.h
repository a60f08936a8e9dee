/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIRECTORY_H
#define PATCHBAY_CONTROLPLANE_DIRECTORY_H

/*
 * The directory: hubs with their settings, users and groups (later access lists, cascades ...), the security
 * policy database of the product. In memory with an index of our own (libconfig searches named members one
 * by one), on disk as <state>/directory.cfg, written by store.h. Who changes it while the daemon runs does so
 * through directory_change.h, which makes changes durable or takes them back.
 *
 * Names compare case-insensitively (ASCII), keep the case they were given. Control thread only; pointers
 * are valid until the next change.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "controlplane/directory_rule.h"
#include "controlplane/directory_trust.h"
#include "controlplane/name_index.h"
#include "controlplane/option_keys.h"
#include "controlplane/traffic_totals.h"
#include "dataplane/hub_options.h"
#include "drivers/session/wire/policy_wire.h"

struct sockaddr_storage;

#define DIRECTORY_NAME_BYTES 256u /* hub and user names: 1..255 bytes + NUL */
#define DIRECTORY_HASH_BYTES 20u
#define DIRECTORY_TEXT_BYTES 4096u /* real name and note */
/* Of a hub's message (admin-rpc.md 4.4); in bytes because all of a welcome has 65536. */
#define DIRECTORY_MESSAGE_CHARS 20000u
#define DIRECTORY_MESSAGE_BYTES 60000u
#define DIRECTORY_KEPT		"kept" /* in place of a secret, in a text that was given out: as it is */

/* hub.md section 2; reference limits of the product. */
#define DIRECTORY_HUBS_MAX     4096u
#define DIRECTORY_USERS_MAX    10000u /* per hub, and so the next two */
#define DIRECTORY_GROUPS_MAX   10000u
#define DIRECTORY_SOURCES_MAX  4096u
#define DIRECTORY_MACS_MIN     16u /* what fdb.h takes */
#define DIRECTORY_MACS_MAX     16777216u
#define DIRECTORY_SESSIONS_MAX 100000u /* of a hub's own limit */

#define DIRECTORY_CIPHERS_BYTES 1024u
#define DIRECTORY_LISTENERS_MAX 64u /* as CONFIG_LISTENERS_MAX */

#define DIRECTORY_BRIDGES_MAX	    256u
#define DIRECTORY_BRIDGE_NAME_BYTES 64u
#define DIRECTORY_DEVICE_BYTES	    512u
#define DIRECTORY_FRAME_MIN	    1600u /* max_frame: what always passes (wire.md 6.1) */
#define DIRECTORY_FRAME_MAX	    9216u
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

#define DIRECTORY_SYSLOG_PORT 514u
#define DIRECTORY_SYSLOG_CNT  4 /* off, server, security, packet: as enum logs_syslog */

/* The syslog server, set at run time: stands above patchbay.cfg. */
struct directory_syslog {
	bool set;
	uint8_t lines; /* .. DIRECTORY_SYSLOG_CNT-1; the protocol's SaveType */
	uint16_t port;
	char host[DIRECTORY_NAME_BYTES]; /* name, address, or path of a UNIX socket */
};

/* auth.md section 2; numbers as in admin-rpc.md 4.5. 5, the NT domain, is not offered. */
enum directory_auth {
	DIRECTORY_AUTH_ANONYMOUS = 0,
	DIRECTORY_AUTH_PASSWORD = 1,
	DIRECTORY_AUTH_CERTIFICATE = 2, /* this very certificate */
	DIRECTORY_AUTH_SIGNED = 3,	/* one that an authority of the hub has signed */
	DIRECTORY_AUTH_RADIUS = 4,
};

#define DIRECTORY_RADIUS_SERVERS_BYTES	1024u
#define DIRECTORY_RADIUS_SECRET_BYTES	256u
#define DIRECTORY_RADIUS_PORT		1812u
#define DIRECTORY_RADIUS_RETRY_MIN_MS	500u
#define DIRECTORY_RADIUS_RETRY_MS	1000u
#define DIRECTORY_RADIUS_TIMEOUT_MIN_MS 1000u
#define DIRECTORY_RADIUS_TIMEOUT_MS	15000u
#define DIRECTORY_RADIUS_TIMEOUT_MAX_MS 60000u
#define DIRECTORY_REJECTS		8u

/* The RADIUS servers of a hub (reference/auth.md 5). */
struct directory_radius {
	char servers
		[DIRECTORY_RADIUS_SERVERS_BYTES]; /* names or addresses, with space , or ; between; "" none */
	char secret[DIRECTORY_RADIUS_SECRET_BYTES];
	char realm[DIRECTORY_NAME_BYTES]; /* names are sent with @realm behind; "" not */
	uint16_t port;
	uint32_t retry_ms;     /* to the next server, or the same one again */
	uint32_t timeout_ms;   /* of the whole */
	bool unsigned_replies; /* those without Message-Authenticator count too (CVE-2024-3596) */
};

struct directory_group {
	char name[DIRECTORY_NAME_BYTES];
	char *real_name;
	char *note;
	bool use_policy;
	struct policy_wire policy; /* the default one while !use_policy */
	uint32_t user_cnt;
	struct traffic_totals traffic; /* of sessions of members; traffic_fold() first */
	TAILQ_ENTRY(directory_group) entry;
	struct name_entry index;
};

struct directory_user {
	char name[DIRECTORY_NAME_BYTES];
	char *real_name;
	char *note;
	struct directory_group *group; /* NULL: none */
	enum directory_auth auth;
	uint8_t hashed_password
		[DIRECTORY_HASH_BYTES]; /* SHA0(password || UPPER(name)), wire.md 3.2.2 */
	uint8_t *cert;			/* certificate: its DER */
	uint32_t cert_bytes;
	uint32_t serial_bytes; /* signed: the serial it must have; 0 any */
	uint8_t serial[DIRECTORY_SERIAL_BYTES];
	char *common_name;	   /* signed: the name it must have; NULL any */
	char *radius_name;	   /* RADIUS: the name there; NULL the same */
	bool use_policy;	   /* else the group's, else the default one */
	struct policy_wire policy; /* the default one while !use_policy */
	int64_t created_ms;	   /* since 1970, UTC */
	int64_t updated_ms;
	int64_t expires_ms; /* 0 = never */
	/* Not part of the record: counters.h keeps them. */
	uint32_t login_cnt;
	int64_t last_login_ms;
	struct traffic_totals traffic; /* traffic_fold() first */
	TAILQ_ENTRY(directory_user) entry;
	struct name_entry index;
};

/* One line of a hub's source address list (reference/auth.md 7). The address has no bits outside the mask. */
struct directory_source {
	uint32_t priority; /* the smallest decides first; of equals the one that was first */
	bool deny;
	bool ipv6;
	uint8_t address[16]; /* IPv4: the first four bytes */
	uint8_t mask[16];    /* any bits, as the protocol has it */
};

/* Networks whose addresses the IP table holds besides the usual ones (hub_options.h). */
struct directory_managed {
	uint32_t cnt;
	struct hub_range range[HUB_RANGES_MAX];
};

/* What is logged of a hub, and how long a file lasts (logs/logs.h); numbers of admin-rpc.md 4.4. */
#define DIRECTORY_LOG_KINDS 8u
struct directory_log {
	bool security;
	bool packet;
	uint8_t security_switch; /* enum log_switch */
	uint8_t packet_switch;
	uint8_t kinds
		[DIRECTORY_LOG_KINDS]; /* by enum packet_log_kind: 0 no, 1 header, 2 all bytes */
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
	uint32_t ext_options[HUB_EXT_CNT];
	uint32_t admin_options[HUB_ADMIN_CNT];
	struct directory_radius radius;
	struct directory_trust *trust; /* NULL: nobody is trusted, nothing revoked */
	struct directory_log log;
	struct directory_managed managed;
	uint64_t unlogged_seen, unlogged_told; /* hub_logs_look() */
	struct notice_limits
		*notice_limits; /* notice_log.c; NULL until there is something to say */
	uint16_t rejects_ms
		[DIRECTORY_REJECTS];	  /* how long its RADIUS servers took for the last ones, */
	uint32_t reject_cnt;		  /* and how many there were: negotiation_proof.c */
	struct directory_source *sources; /* in the order in which they are looked at */
	uint32_t source_cnt;
	struct directory_rules access; /* the access list */
	struct access_list
		*access_run; /* what runs of it (access_list.h); made when first needed */
	char *message;	     /* shown to people when they log in; NULL: none */
	char *kept;	     /* of an import, for when it is supported: import.h; NULL: nothing */
	uint32_t user_cnt;
	TAILQ_HEAD(directory_users, directory_user) users;
	uint32_t group_cnt;
	TAILQ_HEAD(directory_groups, directory_group) groups;
	TAILQ_ENTRY(directory_hub) entry; /* of the directory's list; then of that of hubs.c, */
	uint64_t doomed;		  /* which gave it this number; 0: in force */
	struct name_entry index;	  /* directory's own, and so the next two */
	struct name_index user_index;
	struct name_index group_index;
	bool changing;	       /* a change is on its way to the disk: directory_change.h */
	uint32_t user_changes; /* the same of its users */
	int64_t wanted_ms;     /* since when a change of the whole waits for those */

	struct hub *hub; /* the data path's object; made by directory_start() */
	struct traffic_totals traffic_before; /* this daemon started */
	uint32_t login_cnt;		      /* counters.h keeps these over restarts */
	int64_t last_login_ms;
	int64_t last_comm_ms;	 /* last block of a peer; traffic_fold() first */
	uint32_t session_serial; /* next n of SID-<USER>-<n>; never goes back while the hub lives */
	uint32_t session_cnt;	 /* registry's: sessions that peers opened, */
	uint32_t bridge_mode_cnt; /* of them those that may bridge or route, */
	uint32_t record_cnt;	  /* and what still points here, ended ones included */
};

TAILQ_HEAD(directory_hubs, directory_hub);

/* A local bridge (reference/bridge-cascade.md A). Server-wide: the hub may not exist (yet). */
struct directory_bridge {
	char name[DIRECTORY_BRIDGE_NAME_BYTES]; /* ours, unique in its hub */
	char hub[DIRECTORY_NAME_BYTES];
	char device[DIRECTORY_DEVICE_BYTES]; /* TAP: without tap_; else PCI address or devargs */
	bool tap;
	bool limit_broadcast; /* the storm limiter is on */
	bool monitor;	      /* receives only, and a copy of everything */
	bool keep_offloads;   /* a kernel interface behind the device stays as it is */
	uint32_t max_frame;   /* longest frame, bytes */
	TAILQ_ENTRY(directory_bridge) entry;
};

TAILQ_HEAD(directory_bridges, directory_bridge);

/* Security log by the day; no packet log, and were it switched on, TCP connections and DHCP. */
void directory_log_default(struct directory_log *log);
/* "tcp_connections", "tcp", ... as in the directory file; NULL behind the last. */
const char *directory_log_kind_name(unsigned kind);

/* All hubs in order of creation. */
const struct directory_hubs *directory_hubs(void);
struct directory_hub *directory_hub_find(const char *name);
struct directory_user *directory_user_find(struct directory_hub *hub, const char *name);
struct directory_group *directory_group_find(struct directory_hub *hub, const char *name);

/*
 * Parses a directory file. 0, or -EINVAL after reporting every error as "file:line: key: text". It replaces
 * what was loaded only when it is right as a whole. Not while hubs are started.
 */
int directory_load(const char *path, void (*report)(void *ctx, const char *line), void *ctx);
/* The whole directory as file text (malloc'ed, NUL-terminated; length in *size). NULL with ENOMEM. */
char *directory_serialise(size_t *size);
/* Such a text with DIRECTORY_KEPT in the place of every hash and secret, likewise. Any thread. */
char *directory_masked(const char *text, size_t *size);

/* What is wrong with a message of a hub, in words for people, or NULL. Lines may end in \r\n. */
const char *directory_message_wrong(const char *text);
/* Strict UTF-8 (no overlong forms, no surrogates) without control characters; `lines` allows \n and \t. */
bool directory_text_ok(const char *text, bool lines);

/*
 * What is wrong with a name, in words for people, or NULL. Hub: 1..255 of ASCII letters, digits, space and
 * -_().,+=@#!&~ , no dot or space at either end. User: 1..255 bytes of UTF-8 without control characters,
 * none of the reserved names (hub.md section 1).
 */
const char *directory_hub_name_wrong(const char *name);
const char *directory_user_name_wrong(const char *name);

/*
 * Creates in memory; the caller saves. -EEXIST, -EINVAL (name, see above; a group's is judged as a user's),
 * -ENOSPC (as many as there may be: the limits above, or the hub's admin options), -ENOMEM. A new hub is
 * online, without limit of its own; a new user's auth is anonymous until a password is set.
 */
int directory_hub_create(const char *name, struct directory_hub **out);
int directory_user_create(struct directory_hub *hub, const char *name, struct directory_user **out);
int directory_group_create(
	struct directory_hub *hub, const char *name, struct directory_group **out);
/* Makes it a password user. The caller saves. */
void directory_user_set_password(struct directory_user *user, const char *password);
/* Makes it a user with this certificate. -ENOMEM. The caller saves. */
int directory_user_set_certificate(struct directory_user *user, const uint8_t *der, size_t size);
/* Forgets what the user's method compares with, as a new record has it: anonymous. */
void directory_user_forget_auth(struct directory_user *user);
/*
 * What is wrong with a list of RADIUS servers, in words for people, or NULL: at most DIRECTORY_RADIUS_LIST names or
 * addresses. And the next of it: copies the name, moves *list behind it; false at the end.
 */
#define DIRECTORY_RADIUS_LIST 8u
const char *directory_radius_servers_wrong(const char *servers);
bool directory_radius_next(const char **list, char name[DIRECTORY_NAME_BYTES]);
void directory_radius_default(struct directory_radius *radius);
/* True if it is the empty one; also for anonymous users. */
bool directory_user_password_empty(const struct directory_user *user);

/* NULL leaves a group. */
void directory_user_join(struct directory_user *user, struct directory_group *group);
/* The policy that applies at login: the user's, else the group's, else the default one (policy.md 1). */
const struct policy_wire *directory_user_policy(const struct directory_user *user);
const struct policy_wire *directory_policy_default(void);

/* Out of lists and index, to be freed or put back (at the end). A group must have no members. */
void directory_user_take(struct directory_hub *hub, struct directory_user *user);
void directory_user_put(struct directory_hub *hub, struct directory_user *user);
void directory_user_free(struct directory_user *user);
/* One that is in no directory yet, like directory_user_create() makes them. NULL: no memory. */
struct directory_user *directory_user_new(const char *name);
struct directory_group *directory_group_new(const char *name);
/* In place of `old`, which is then in no directory; the names are the same. */
void directory_user_replace(
	struct directory_hub *hub, struct directory_user *old, struct directory_user *by);
/* Members go along. */
void directory_group_replace(
	struct directory_hub *hub, struct directory_group *old, struct directory_group *by);
void directory_group_take(struct directory_hub *hub, struct directory_group *group);
void directory_group_put(struct directory_hub *hub, struct directory_group *group);
void directory_group_free(struct directory_group *group);
void directory_hub_take(struct directory_hub *hub);
void directory_hub_put(struct directory_hub *hub);
void directory_hub_free(struct directory_hub *hub);

/* Puts the lines into the order in which they are looked at, and clears address bits outside the masks. */
void directory_sources_sort(struct directory_source *sources, uint32_t cnt);
/* May a peer from there log in to the hub? No line matches: yes. IPv4 in IPv6 counts as IPv4. */
bool directory_source_allows(const struct directory_hub *hub, const struct sockaddr_storage *peer);
/* "192.0.2.0/24", "fd00::/8", "10.0.0.1", "10.0.0.0/255.0.255.0". False if it is none of that. */
bool directory_source_parse(const char *text, struct directory_source *out);
/* The same as text: a prefix where the mask is one. */
#define DIRECTORY_SOURCE_TEXT 96u
void directory_source_text(const struct directory_source *s, char out[DIRECTORY_SOURCE_TEXT]);

/*
 * A network for the IP table: "198.51.100.0/24", "2001:db8::/32", "192.0.2.1"; bits outside the prefix are cleared. False
 * if it is none, or an IPv6 network that all of IPv4 would be in.
 */
bool directory_managed_parse(const char *text, struct hub_range *out);
#define DIRECTORY_MANAGED_TEXT 64u
void directory_managed_text(const struct hub_range *range, char out[DIRECTORY_MANAGED_TEXT]);
/* All of them with , (or on input a space) between. False: too many, or `wrong` is none. */
#define DIRECTORY_MANAGED_LINE 2048u
void directory_managed_line(
	const struct directory_managed *managed, char out[DIRECTORY_MANAGED_LINE]);
bool directory_managed_line_parse(
	const char *line, struct directory_managed *out, char wrong[DIRECTORY_MANAGED_TEXT]);

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

/* The ciphers an administrator chose, above patchbay.cfg; "": none. The caller of the second saves. */
const char *directory_server_ciphers(void);
void directory_server_set_ciphers(const char *ciphers);

/* Listeners changed at run time; false behind the last. */
bool directory_listener_get(unsigned index, struct directory_listener *out);
/* Sets the entry of a port, or (NULL) forgets it. -ENOSPC. The caller saves. */
int directory_listener_set(uint16_t port, const struct directory_listener *entry);

/* The syslog server set at run time; never NULL. The caller of the second saves. */
const struct directory_syslog *directory_server_syslog(void);
void directory_server_set_syslog(const struct directory_syslog *syslog);

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
/* The same for one that is new. */
int directory_hub_start(struct directory_hub *hub);
/* Lets them go (no port joined any more); memory comes back by grace_poll(). */
void directory_stop(void);
/* Forgets everything. After directory_stop(). */
void directory_clear(void);

/* Milliseconds since 1970, UTC. Any thread. */
int64_t directory_now_ms(void);

#endif
