/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGS_LOGS_PRIV_H
#define PATCHBAY_CONTROLPLANE_LOGS_LOGS_PRIV_H

/* Between the front of the logs (logs.c) and their thread (logs_thread.c). */

#include <pthread.h>

#include "controlplane/logs/logs.h"
#include "controlplane/logs/syslog_out.h"

#define LOGS_NAME 300u
#define LOGS_IP	  48u

/* What stands in the ring, in order. */
enum logs_item_kind {
	LOGS_ITEM_EVENT,   /* text */
	LOGS_ITEM_MESSAGE, /* text; of the diagnostic log */
	LOGS_ITEM_HUB,	   /* struct logs_hub_item */
	LOGS_ITEM_GONE,
	LOGS_ITEM_UNLOGGED, /* number */
};

struct logs_item {
	uint32_t bytes; /* of what follows */
	uint32_t hub;
	enum logs_item_kind kind;
	int64_t at_ms; /* since 1970 */
};

struct logs_hub_item {
	struct logs_hub_conf conf;
	char name[256];
};

struct logs_shared {
	pthread_mutex_t lock; /* held for a copy, never across a system call */
	pthread_cond_t more;
	bool running, stop;
	char *ring; /* LOGS_RING_BYTES of items, each of them whole or not there */
	uint64_t head, tail;
	uint64_t lost_untold;
	struct logs_counters counters;
	enum logs_syslog syslog;
	struct sockaddr_storage syslog_to;
	socklen_t syslog_to_bytes;
	/* Constant while the thread runs. */
	char folder[LOG_FILE_PATH];
	struct logs_conf conf;
	pthread_t thread;
};
extern struct logs_shared logs;

extern const char *const logs_event_words[LOG_EVENT_CNT];

/* Room is kept for what must not be lost: hubs that come and go. */
#define LOGS_RESERVE_BYTES 65536u

void *logs_thread(void *);

/* Name and address of a port, "" where there is none. Any thread. */
void logs_port_get(uint32_t port_idx, char name[LOGS_NAME], char ip[LOGS_IP]);

/* ---- logs_room.c: the thread's */
/* When there is too little room on the disk: removes the oldest files that were put aside. How many. */
unsigned logs_make_room(const char *folder, uint64_t min_free_bytes);

#endif
