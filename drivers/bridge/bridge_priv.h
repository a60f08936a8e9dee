/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_BRIDGE_BRIDGE_PRIV_H
#define PATCHBAY_DRIVERS_BRIDGE_BRIDGE_PRIV_H

/*
 * Inside of the bridge driver.
 *
 *   bridge.c          control thread: life, messages to the workers, events back; what workers do with them
 *   bridge_link.c     control thread: link state and devices that have gone
 *   tap.c             TAP: opening and closing; worker: reading and writing
 *   ethdev.c          DPDK device: opening and closing
 *   ethdev_port.c     worker: mbufs from a device to the hub and back
 *   ethdev_pool.c     the memory that devices receive into
 *   ethdev_preload.c  how much of it one kind of device keeps
 *   netdev.c          the kernel interface behind some devices
 *   checksum.c        completing checksums that a kernel or a guest left to hardware
 */

#include <net/if.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "dataplane/grace.h"
#include "dataplane/lcore.h"
#include "dataplane/port.h"
#include "drivers/bridge/bridge.h"

#define BRIDGE_RX_QUEUES_MAX 64u
#define BRIDGE_FRAME_MIN     60u /* towards a device: architecture.md 6.10 */

/* A receive queue of a device; polled by one worker. */
struct bridge_rx {
	struct lcore_poll poll;
	struct bridge *bridge;
	uint16_t queue;
	uint16_t worker;
} __attribute__((aligned(64)));

/* What one worker has of a bridge. Prepared by the opener, then the worker's alone. */
struct bridge_local {
	struct bridge *bridge;
	struct lcore_fd lfd; /* TAP: this worker's queue */
	uint16_t tx_queue;   /* device: only where tx_lcore[] names this worker */
	bool involved;	     /* has a queue or is home: gets messages */
	bool attached;
	bool lost_told;
	struct lcore_event lost;
	struct lcore_event detached;
} __attribute__((aligned(64)));

/* What distinguishes the kinds. */
struct bridge_ops {
	const struct port_ops *port;
	/* A thread that may wait. On error everything is as before, and b->error says why. */
	int (*open)(struct bridge *b);
	void (*close)(struct bridge *b);
	/* The worker itself: begin and stop to receive. -errno: the device is lost. */
	int (*attach)(struct lcore *lc, struct bridge *b);
	void (*detach)(struct lcore *lc, struct bridge *b);
	/* Control thread, plugged: false = link down. Sets *gone if the device is no more. */
	bool (*link)(struct bridge *b, bool *gone);
	/* Control thread, plugged: reads the device's own counters into b. NULL = it has none. */
	void (*count)(struct bridge *b);
};

struct bridge {
	struct port port; /* first: the hub's view */

	/* ---- written by create and open, then read by all ---- */
	const struct bridge_ops *ops;
	uint16_t device_id; /* ethdev */
	bool repair;	    /* a kernel or guest behind it: unfinished checksums, unsegmented TCP */
	bool copies;	    /* what it receives goes on as a copy: its buffers are nowhere else */
	bool lent; /* what it receives may be somebody else's as well: then it goes on as a copy */
	bool any_room; /* its buffers need not be longer than its frames */
	bool keep_offloads;
	bool limit_storms;
	unsigned workers;
	unsigned rx_cnt;
	unsigned tx_cnt;
	struct bridge_rx *rx;	    /* [BRIDGE_RX_QUEUES_MAX], near the device */
	struct bridge_local *local; /* [workers] */

	/* ---- who opens and closes: one thread at a time ---- */
	char device[BRIDGE_DEVICE_BYTES];
	char error[BRIDGE_ERROR_BYTES];
	char mac[18];
	char driver[32];
	char note[BRIDGE_NOTE_BYTES];
	char netdev[IFNAMSIZ]; /* kernel interface behind the device, "" = none */
	bool netdev_changed;   /* its offloads are off */
	bool open;
	bool hotplugged; /* probed by us: removed with the bridge */
	bool lsc;	 /* the device tells link changes itself */
	uint64_t owner;
	struct rte_mempool *pool;
	unsigned shares[LCORE_MAX]; /* receive queues of each worker, in the load table */

	/* ---- told by any thread, looked at by the control thread ---- */
	_Atomic bool gone;

	/* ---- control thread ---- */
	bool plugged;
	bool unplugging;
	bool lost_told;
	bool link_up;
	uint64_t missed, faults; /* bridge_view */
	unsigned waiting;	 /* workers that have not said yet that they let go */
	uint64_t detach_left;	 /* workers that the message has still to go to */
	const struct bridge_callbacks *cb;
	void *ctx;
	struct grace_node grace;
	TAILQ_ENTRY(bridge) entry; /* plugged ones */
};

extern const struct bridge_ops tap_ops;
extern const struct bridge_ops ethdev_ops;

/* Adds to b->note, as far as there is room. */
void bridge_note(struct bridge *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Sets b->error, returns err. */
int bridge_fail(struct bridge *b, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* `bytes` of zeros near `socket` if there is memory (-1: anywhere), on cache lines of their own, for rte_free(); NULL. */
void *bridge_zalloc(size_t bytes, int socket);
/* Of the thread that opens: rx[] anew, near the device. -ENOMEM. */
int bridge_rx_near(struct bridge *b, int socket);

/* Worker: the device has gone; the control thread hears it once. */
void bridge_lose(struct lcore *lc, struct bridge *b);
/* Any thread: something about some link is new. */
void bridge_ring(void);

/*
 * Workers in the order in which a device should use them: those of `socket` (-1: no preference) first, then by
 * the number of device queues they have. Fills order[0..lcore_count()-1].
 */
void bridge_worker_order(int socket, uint16_t *order);
/* Accounts b's receive queues to their workers; bridge_unload() takes that back. */
void bridge_load(struct bridge *b);
void bridge_unload(struct bridge *b);

/* ---- bridge_link.c ---- */
int bridge_link_init(void);
void bridge_link_fini(void);
void bridge_link_watch(struct bridge *b);
void bridge_link_unwatch(struct bridge *b);

/* ---- tap.c ---- */
int tap_init(void);
void tap_fini(void);

/* ---- ethdev_port.c ---- */
extern const struct port_ops ethdev_port_ops;
unsigned ethdev_poll(struct lcore *lc, struct lcore_poll *p);

/* ---- ethdev_preload.c ---- */

/* Buffers that the device of these devargs will not give back before it is closed. A thread that may wait. */
unsigned ethdev_preload(const char *devargs);

/* ---- ethdev_pool.c: threads that open and close, control thread ---- */

/*
 * At least `mbufs` buffers for frames of max_len near `socket`, or anywhere if there is no memory there; a closed
 * device's, if it fits. any_room: they need not have the usual length. NULL.
 */
struct rte_mempool *ethdev_pool_get(unsigned mbufs, uint32_t max_len, bool any_room, int socket);
/* The device is closed; frames of it may still be anywhere, unless all are known to be `home`. */
void ethdev_pool_put(struct rte_mempool *pool, bool home);
/* Frees what is left behind and complete. Control thread. */
void ethdev_pool_reap(void);
/* All of it, workers having stopped. */
void ethdev_pool_fini(void);

/* ---- checksum.c: pure ---- */

/*
 * Completes what an offloading sender left to hardware (reference/hub.md 3.1 step 6): an IPv4 header checksum
 * of 0, and a TCP or UDP checksum that is just the sum of the pseudo header. Behind at most one VLAN tag. Right
 * checksums stay as they are. `frame` has `len` bytes and is ours alone. True if something was written.
 */
bool checksum_complete(uint8_t *frame, uint32_t len);

/*
 * Whether a frame that is too long is one that a kernel made from several, or left to be cut into several: TCP
 * or UDP over IP, behind at most one VLAN tag, also if its end is missing.
 */
bool checksum_is_super(const uint8_t *frame, uint32_t len);

#endif
