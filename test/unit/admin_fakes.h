/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef TEST_UNIT_ADMIN_FAKES_H
#define TEST_UNIT_ADMIN_FAKES_H

/*
 * A server without a data path for the administration's tests: hubs, sessions, connections, workers and MAC
 * tables as plain data that the test fills in, behind the very functions that the methods call.
 */

#include <event2/event.h>

#include "controlplane/directory.h"
#include "controlplane/registry.h"
#include "controlplane/server_change.h"
#include "dataplane/fdb.h"
#include "dataplane/hub.h"
#include "dataplane/lcore.h"

struct hub {
	struct stats_block stats;
	uint32_t mac_cnt; /* MAC i is 02:00:00:00:00:00 + i, on port 1 */
	uint64_t deleted_mac;
	uint16_t deleted_vlan;
};

struct session {
	struct session_counters counters;
	uint32_t port_idx;
};

struct admin_fakes {
	struct event_base *base;
	struct lcore_view lcores[4];
	unsigned lcore_cnt;
	bool quiet;
	uint64_t clock_ms;
	unsigned session_deletes;
	unsigned connection_closes;
	int connection_close_result;
	uint8_t deleted_ip[16];
	unsigned saves;
	int save_error; /* what the disk answers */
	unsigned busy;	/* so many changes have to begin again: the directory is being read */
	bool busy_next;
	const char *config;	     /* what store_text_begin() reads, unmasked */
	bool text_later;	     /* not before fake_text_read() */
	int text_error;		     /* as it is then */
	struct store_text *text;     /* that waits for it */
	struct store_request **held; /* not NULL: the next change waits there for its answer */
	unsigned applied;	     /* settings put into force */
	unsigned log_lines;
	char log_line[512];
	uint64_t fdb_listed; /* entries handed out so far */
	/* Changes of the server: what was asked for, and when and how they settle. */
	struct directory_admin admin;
	enum server_listener_action listener_action;
	uint16_t listener_port;
	bool listener_enabled;
	char ciphers[DIRECTORY_CIPHERS_BYTES];
	char common_name[300];
	unsigned restarts;
	int change_error;
	unsigned change_waits;
	unsigned changes_forgotten;
};
extern struct admin_fakes fakes;

/* An empty server with one worker. */
void admin_fakes_reset(void);
void admin_fakes_free(void);
struct directory_hub *fake_hub(const char *name);
struct vpn_session *fake_session(struct directory_hub *hub, const char *name, const char *user);
void fake_session_remove(struct vpn_session *vs);
struct connection *fake_connection(struct vpn_session *vs);
void fake_connection_remove(struct connection *c);
/* The text that was asked for last is there. */
void fake_text_read(void);

#endif
