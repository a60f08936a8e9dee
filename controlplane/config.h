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

#define CONFIG_LISTENERS_MAX 64u

struct config_listener {
	uint16_t port;
	bool enabled;
};

struct config {
	char *state_dir;    /* default /var/lib/patchbay */
	char *admin_socket; /* default <state_dir>/admin.sock */

	/* eal */
	char *eal_options; /* "" = decided by us: no NIC, hugepages if there are any */
	unsigned memory_mb;
	bool hugepages; /* auto: used when reserved */

	/* lcores */
	unsigned workers;
	int worker_cpus[LCORE_MAX]; /* CPU per worker; -1 = chosen by us */
	enum lcore_poll_mode poll;
	unsigned spin_us;
	unsigned mbufs;
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
	unsigned sessions_max;
	uint64_t staging_bytes;	     /* per session */
	uint64_t staging_pool_bytes; /* per worker */

	/* tls */
	char *tls_ciphers;	/* TLS 1.2 cipher list, "" = OpenSSL's default */
	char *tls_ciphersuites; /* TLS 1.3, "" = OpenSSL's default */

	/* log */
	char *log_file; /* "" = stderr */
	int log_level;	/* LOG_* of log.h */
};

/*
 * Reads `path` (NULL: all defaults) and returns the configuration, or NULL after writing *every* error as a
 * line "file:line: key: what is wrong and what would be right" through report(). Pure: touches nothing.
 */
struct config *config_load(
	const char *path, void (*report)(void *ctx, const char *line), void *ctx);
void config_free(struct config *config);

#endif
