/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_BRIDGE_NETDEV_H
#define PATCHBAY_DRIVERS_BRIDGE_NETDEV_H

/*
 * The kernel interface behind a DPDK device that only borrows one (net_af_packet, net_af_xdp, net_pcap): the
 * PMDs tell neither its link nor its end, and what its offloads do to frames is nothing to them.
 *
 * Offloads. A kernel that merges received segments (GRO, LRO) or leaves segmentation for later (TSO, GSO) hands
 * out frames of up to 64 KiB, which no hub can carry. They are switched off while some bridge uses the interface
 * and switched on again, those that were, behind the last one. A process that is killed cannot do the latter: so
 * they are written to a file before, and the next one does it (netdev_recover). What cannot be written down is
 * not switched.
 *
 * A veth is special: what it receives was never on a wire, and its other end, which may be in a namespace that we
 * cannot reach, decides about segmentation. That end segments as long as this one carries an XDP program; so
 * it is given one that passes everything. It is held by a descriptor and goes with it. (Not with jumbo
 * frames: a veth with a program carries 3.5 KiB at most.)
 *
 * Threads that open and close bridges (one at a time), except netdev_state().
 */

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

/* Name of the interface that the devargs of such a driver (or device of it) mean; false: none. Pure. */
bool netdev_name(const char *driver, const char *devargs, char name[IFNAMSIZ]);

/*
 * Longest frame that arrives whole through such a driver; UINT32_MAX: any. (A packet ring cuts off what is longer
 * than its slots, framesz in the devargs, without a word.) Pure.
 */
uint32_t netdev_frame_limit(const char *driver, const char *devargs);

enum netdev_state {
	NETDEV_UP,
	NETDEV_DOWN, /* set down, or without carrier */
	NETDEV_GONE, /* there is none of that name */
};
/* Any thread. */
enum netdev_state netdev_state(const char *name);

/*
 * Switches on again what a process that was killed had switched off, as `path` says, and from now on writes
 * there what is off. The number of interfaces. Once, before the first bridge opens.
 */
unsigned netdev_recover(const char *path);

/*
 * Offloads off, once more. `xdp_free`: nobody else wants its place for an XDP program. 0, or -errno: some stay on.
 * netdev_offloads_back() is due in either case.
 */
int netdev_offloads_off(const char *name, bool xdp_free);
void netdev_offloads_back(const char *name);

#endif
