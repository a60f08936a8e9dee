/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGS_LOGS_H
#define PATCHBAY_CONTROLPLANE_LOGS_LOGS_H

/*
 * The logs that an auditor reads (reference/logging-admin.md), below one folder:
 *
 *   server_log/vpn.log             life of the process, connections, administration; every hub's security lines too
 *   security_log/<HUB>/sec.log     who, whence, result: logins, logouts, administration, rules that were broken
 *   packet_log/<HUB>/pkt.log       one line per selected frame
 *
 * Whoever has something to say makes the text of it and puts it into a bounded ring; workers put records of
 * frames into rings of their own (dataplane/packet_log.h). One thread takes everything out, adds time and names,
 * and writes. It alone ever waits for a disk. What finds no room, what a disk does not take and what a syslog
 * server does not take are three counters, and each is said once in the log itself when it is over. All that
 * was taken is written out LOGS_FLUSH_MS later at the latest, so a process that is killed loses no more than that.
 *
 * (log.h is the other log: diagnostics, to stderr or one file. All its lines from "info" on stand in the server
 * log as well.)
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "controlplane/logs/log_events.h"
#include "controlplane/logs/log_file.h"
#include "controlplane/logs/log_text.h"

#define LOGS_FLUSH_MS	250
#define LOGS_NO_HUB	UINT32_MAX
#define LOGS_EVENT_MAX	4096u /* bytes of an event's text */
#define LOGS_RING_BYTES 1048576u

struct logs_conf {
	const char *folder;
	bool json;		       /* JSON lines instead of text */
	enum log_switch server_switch; /* cycle of the server log */
	uint64_t max_bytes;	       /* of a file */
	uint32_t packet_ring_bytes;    /* of each worker */
	uint64_t
		min_free_bytes; /* less on the disk: the oldest files that were put aside go; 0 = never */
};

/* Starts the thread. -errno: the folder cannot be made or written to. Control thread. */
int logs_init(const struct logs_conf *conf);
/* Writes out what waits and joins; a disk that does not answer within half a second is left. Idempotent. */
void logs_fini(void);

/* ---- what is logged: control thread ----------------------------------------------------------- */

struct logs_hub_conf {
	bool security, packet; /* written to disk, or sent */
	enum log_switch security_switch, packet_switch;
	bool no_physical_ip;
};

/* A hub comes, or its settings change; `id` is hub_log_id(). Before any frame of it can be logged. */
void logs_hub_set(uint32_t id, const char *name, const struct logs_hub_conf *conf);
void logs_hub_gone(uint32_t id);
/* The hub's packets_unlogged has grown by so many and grows no more: said in its packet log. */
void logs_hub_unlogged(uint32_t id, uint64_t frames);
/* A port is to be known by this name, and its peer by this address (NULL: has none). Before it joins. */
void logs_port_set(uint32_t port_idx, const char *name, const struct sockaddr_storage *peer);

/* Which lines go to a syslog server, and then not to disk (SaveType: logging-admin.md 5). */
enum logs_syslog {
	LOGS_SYSLOG_OFF,
	LOGS_SYSLOG_SERVER,
	LOGS_SYSLOG_SECURITY, /* these too */
	LOGS_SYSLOG_PACKET,   /* and these: all */
	LOGS_SYSLOG_CNT
};
/* `bytes` 0: the address is not known (yet), lines are lost and counted. */
void logs_syslog_set(enum logs_syslog save, const struct sockaddr_storage *to, socklen_t bytes);

/* ---- what happened: any thread but a worker ---------------------------------------------------- */

/* A line in the hub's security log and in the server log; LOGS_NO_HUB: in the latter only. */
void logs_event(uint32_t hub_id, enum log_event event, const struct log_field *fields);
/* A line of the diagnostic log; log.c's tap. */
void logs_message(const char *level, const char *area, const char *text, size_t len);

enum logs_log {
	LOGS_SERVER,
	LOGS_SECURITY,
	LOGS_PACKET,
	LOGS_CNT
};

struct logs_counters {
	uint64_t written;	       /* lines to disk */
	uint64_t sent;		       /* to the syslog server */
	uint64_t lost_ring;	       /* events that found no room */
	uint64_t lost_disk;	       /* lines that the disk did not take */
	uint64_t lost_syslog;	       /* that the server did not take */
	uint64_t unlogged;	       /* frames whose worker's ring was full */
	uint64_t removed;	       /* files that went because the disk was full */
	uint64_t written_by[LOGS_CNT]; /* of `written` and `lost_disk`: by log */
	uint64_t lost_disk_by[LOGS_CNT];
};
void logs_counters(struct logs_counters *out);
/* "" before logs_init(). */
const char *logs_folder(void);
bool logs_is_json(void);

#endif
