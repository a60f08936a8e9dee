/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_FAKE_PORT_H
#define PATCHBAY_TEST_UNIT_FAKE_PORT_H

/*
 * A port that records what it is given, and checks the contract of port.h on the way. Frames carry a
 * serial number behind the Ethernet header, so that order and completeness can be judged.
 */

#include <stdatomic.h>
#include <stdint.h>

#include "dataplane/hub.h"
#include "dataplane/lcore.h"

#define FAKE_LOG 4096u

struct fake_port {
	struct port port;
	struct stats_block stats[4];
	unsigned refuse; /* one in so many copies is dropped as `device`; 0 = none */
	/* What arrived; written by the transmitting worker(s), read when all is quiet. */
	atomic_uint cnt;
	atomic_uint flooded;
	atomic_uint broken; /* contract violations */
	uint32_t serial[FAKE_LOG];
	uint16_t len[FAKE_LOG];
};

extern const struct port_ops fake_port_ops;

/* Fills in everything but hub and index: home, one tx worker unless `every_worker`. */
void fake_port_init(struct fake_port *f, struct hub *hub, unsigned home, uint32_t flags);
/* The port can transmit on every worker (a device with a queue for each). */
void fake_port_everywhere(struct fake_port *f);
/* Forgets what arrived. */
void fake_port_clear(struct fake_port *f);
/* Sums the blocks of all workers. */
void fake_port_stats(const struct fake_port *f, struct stats_block *out);

#define FAKE_BROADCAST UINT64_C(0xffffffffffff)

/* Writes an Ethernet frame of `len` bytes with a serial number into buf. */
void fake_frame_write(
	uint8_t *buf, uint64_t dst, uint64_t src, uint16_t vlan, uint32_t serial, uint16_t len);

#endif
