/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CONFIG_H
#define PATCHBAY_CONTROLPLANE_CONFIG_H

/*
 * patchbay.cfg: what belongs to the machine (libconfig; written by people, only read by us). Every key has
 * a default; the embedded default is an empty file. Keys, types, units, defaults, ranges: config/
 * patchbay.cfg.sample and patchbay.cfg(5), which follow the table in config.c.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/lcore.h"

#define CONFIG_LISTENERS_MAX	64u
#define CONFIG_MBUFS_PER_WORKER 4096u /* at least, where the number is given */

struct config_listener {
	uint16_t port;
	bool enabled;
};

struct config {
	char *state_dir;    /* default /var/lib/patchbay */
	char *admin_socket; /* default <state_dir>/admin.sock */

	/* eal */
	char *eal_options;  /* "" = decided by us: no NIC, hugepages if there are any (eal.h) */
	unsigned memory_mb; /* 0 = what workers and mbufs need */
	bool hugepages;	    /* true: used when enough are free; false: never */

	/* lcores */
	unsigned workers;
	int worker_cpus[LCORE_MAX]; /* CPU per worker; -1 = chosen by us */
	enum lcore_poll_mode poll;
	unsigned spin_us;
	unsigned mbufs; /* 0 = what rings and bursts can hold (lcore.h) */
	unsigned ring_size;

	/* listeners */
	struct config_listener listeners[CONFIG_LISTENERS_MAX];
	unsigned listener_cnt;

	/* limits before login (architecture.md 6, wire.md 12) */
	unsigned login_connections;	       /* unestablished, in total */
	unsigned login_connections_per_source; /* per source address (IPv6: /64) */
	unsigned login_handshakes;	       /* TLS handshakes under way, in total */
	unsigned login_handshakes_per_source;
	unsigned login_timeout_ms; /* accept to welcome, absolute */
	unsigned login_bytes;	   /* received before login, per connection */
	unsigned handshake_threads;
	unsigned slow_threads;
	unsigned sessions_max;
	unsigned mac_entries;	      /* MAC tables of all hubs together */
	unsigned session_connections; /* TCP connections of one session, at most */
	uint64_t staging_bytes;	      /* per session */
	uint64_t staging_pool_bytes;  /* per worker */
	uint32_t staging_age_ms;      /* 0: no bound by age */

	/* udp_acceleration (wire.md 7) */
	bool udp_enabled;
	unsigned udp_first_port;
	unsigned udp_min_version;
	unsigned udp_max_version;

	/* tls */
	char *tls_ciphers;	/* TLS 1.2 cipher list, "" = OpenSSL's default */
	char *tls_ciphersuites; /* TLS 1.3, "" = OpenSSL's default */

	/* counters (counters.h) */
	unsigned counters_save_s;

	/* metrics */
	char *metrics_address; /* "" = off */
	unsigned metrics_port;
	char *metrics_token; /* "" = none is asked for */

	/* log */
	char *log_file;	     /* "" = stderr */
	int log_level;	     /* enum log_level of log.h */
	char *log_directory; /* "" = <state_dir>/logs */
	int log_format;	     /* 0 text, 1 JSON lines */
	int log_rotation;    /* of the server log: enum log_switch of logs/log_file.h */
	uint64_t log_file_bytes;
	unsigned log_ring_bytes; /* of each worker, for the packet log */
	unsigned log_min_free_mb;
	char *log_syslog; /* "" = none; numeric address, or path of a UNIX socket */
	unsigned log_syslog_port;
	int log_syslog_lines; /* enum logs_syslog of logs/logs.h */
};

/*
 * Reads `path` (NULL: all defaults) and returns the configuration, or NULL after writing *every* error as a
 * line "file:line: key: what is wrong and what would be right" through report(). Pure: touches nothing.
 */
struct config *config_load(
	const char *path, void (*report)(void *ctx, const char *line), void *ctx);
/*
 * The same for `--check`, which goes on to the directory: returns what could be understood (defaults for the
 * rest) and the number of errors. NULL only when out of memory.
 */
struct config *config_check(
	const char *path, void (*report)(void *ctx, const char *line), void *ctx, unsigned *errors);
/* Replaces the state directory (`--state`), and with it the default of what lies in it. -ENOMEM. */
int config_set_state_dir(struct config *config, const char *path);
void config_free(struct config *config);

/*
 * Names of the keys ("log.format, limits.sessions") that differ between the two and hold from a start on: all but
 * listeners and log.level, and but state_dir, which the command line may have set. "" if none does.
 */
void config_restart_keys(
	const struct config *running, const struct config *fresh, char *out, size_t size);

/* One key, as documentation and tests want it. */
struct config_key_info {
	const char *group; /* NULL: top level */
	const char *name;
	const char *type;      /* for people: "integer", "string", ... */
	char default_text[64]; /* as it would stand in the file */
	char range_text[96];   /* "1 .. 64", "adaptive | always", ""; */
};
/* The index-th key of the table; false behind the last. */
bool config_key_info(unsigned index, struct config_key_info *out);

#endif
