/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_BRIDGE_BRIDGE_H
#define PATCHBAY_DRIVERS_BRIDGE_BRIDGE_H

/*
 * A local bridge as a hub port: a kernel TAP of our own, or any device that DPDK drives - a NIC by its PCI
 * address or a virtual device by its devargs (reference/bridge-cascade.md section A).
 *
 * Devices come and go while everything else runs (architecture.md 6.6), in steps that the owner takes:
 *
 *   bridge_create()   control thread: the object; nothing is touched yet
 *   bridge_open()     slow helper: probe, configure, start; may take seconds
 *   bridge_plug()     control thread: a message to each worker that has a queue; the port joins its hub
 *   bridge_unplug()   control thread: each worker drops its queue and says so; the port leaves; grace
 *                     period; then unplugged()
 *   bridge_close()    slow helper: stop and close. From here it may be opened again
 *   bridge_free()     control thread
 *
 * A device that has gone by itself is told by lost(): the owner unplugs, closes, and tries again. A device
 * whose link is down stays plugged, but its port has left the hub and its MAC entries are dead with that.
 *
 * Queues. A TAP has one for each worker. A device has as many receive queues as there are workers, if it has
 * as many, or all that its devargs asked for; they are spread over the workers, least loaded first, those of
 * the device's NUMA socket before others. A worker without a transmit queue of its own hands its frames to
 * one that has one, over the ring between them (port.h, tx_lcore).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/stats.h"

#define BRIDGE_DEVICE_BYTES 512u /* devargs with NUL */
#define BRIDGE_ERROR_BYTES  384u
#define BRIDGE_NOTE_BYTES   160u

struct bridge;
struct hub;

enum bridge_kind {
	BRIDGE_TAP,    /* device: name of the kernel interface to make, at most 15 characters */
	BRIDGE_DEVICE, /* device: PCI address or devargs */
};

/* On the control thread. */
struct bridge_callbacks {
	/* The device has gone; once per open. bridge_unplug() is due. */
	void (*lost)(void *ctx);
	/* No worker knows the device any more: bridge_close() may run. */
	void (*unplugged)(void *ctx);
};

struct bridge_conf {
	enum bridge_kind kind;
	const char *device; /* copied; shorter than BRIDGE_DEVICE_BYTES */
	struct hub *hub;
	uint32_t port_flags; /* PORT_F_RECEIVE_ONLY, PORT_F_CHECK_LAN, ... but not PORT_F_MBUF */
	uint32_t max_frame;  /* longest frame in and out, FRAME_MAX_BYTES .. FRAME_JUMBO_MAX */
	bool limit_storms;   /* the storm limiter is on for what comes from there */
	bool keep_offloads;  /* a borrowed kernel interface stays as it is (netdev.h) */
	const struct bridge_callbacks *cb;
	void *ctx;
};

/*
 * Per-worker buffers: after lcore_init(), before lcore_start(). -ENOMEM. The folder is for what has to outlast a
 * kill: which offloads of kernel interfaces are off (netdev.h). *restored: of how many they were switched on
 * again, because the last process did not.
 */
int bridge_driver_init(const char *state_dir, unsigned *restored);
/* After lcore_fini() has run no bridge may be left. */
void bridge_driver_fini(void);
/* Readable when some device's link has changed or it has gone: call bridge_driver_look(). */
int bridge_driver_fd(void);
/*
 * Looks after all plugged devices: link, removal; and frees memory of closed ones that no frame lives in any
 * more. Control thread; when the fd says so, and about once a second for devices that tell nothing.
 */
void bridge_driver_look(void);

/* -ENOMEM. Control thread. */
int bridge_create(const struct bridge_conf *conf, struct bridge **out);
/* Neither open nor plugged, or workers have stopped for good. NULL is fine. Control thread. */
void bridge_free(struct bridge *b);

/*
 * 0 or -errno, with a sentence in bridge_error(). A thread that may wait; one bridge of the process at a
 * time opens or closes (the EAL's device lists have no lock).
 */
int bridge_open(struct bridge *b);
/* Idempotent. As bridge_open(). Also when workers have stopped for good. */
void bridge_close(struct bridge *b);
/* Why bridge_open() failed; "" if it did not. Not while bridge_open() runs. */
const char *bridge_error(const struct bridge *b);

/* -EAGAIN (a worker's message ring is full: try later), -ENOSPC (no port index), -ENOMEM. Control thread. */
int bridge_plug(struct bridge *b);
/* Of a plugged bridge. Never fails, idempotent; unplugged() follows. Control thread. */
void bridge_unplug(struct bridge *b);

/* What lists show. Control thread. */
struct bridge_view {
	struct stats_block port; /* viewpoint of the hub: in = from the device */
	bool plugged;
	bool link_up;
	char mac[18]; /* of the device, "" = unknown */
	char driver[32];
	/* The device's own count of frames that nobody ever saw, of a second ago at most. */
	uint64_t missed; /* received and dropped, because its queue was full */
	uint64_t faults; /* received badly or without a buffer, or taken and not sent */
	char note[BRIDGE_NOTE_BYTES]; /* what is less than it should be; "" = nothing */
	unsigned rx_queues;
	unsigned tx_queues;
	unsigned worker; /* home: the one that fans floods out to it */
};
void bridge_view(const struct bridge *b, struct bridge_view *out);
/* Index in the port table, 0 while not plugged. */
uint32_t bridge_port_idx(const struct bridge *b);
/* "0 2": the receive queues that worker `index` has of it; "" = none. BRIDGE_QUEUES_BYTES hold all. */
#define BRIDGE_QUEUES_BYTES 256u
void bridge_queues_text(const struct bridge *b, unsigned index, char *text, size_t size);

#endif
