/* SPDX-License-Identifier: BSD-3-Clause */
/* A port that records what it is given (fake_port.h). */

#include "test/unit/fake_port.h"

#include <string.h>

#include <rte_mbuf.h>

#define SERIAL_AT 18u /* behind a VLAN tag too */

void fake_frame_write(
	uint8_t *buf, uint64_t dst, uint64_t src, uint16_t vlan, uint32_t serial, uint16_t len)
{
	memset(buf, 0x5a, len);
	frame_mac_put(buf, dst);
	frame_mac_put(buf + 6, src);
	buf[12] = vlan != 0 ? 0x81 : 0x88;
	buf[13] = vlan != 0 ? 0x00 : 0xb5;
	if (vlan != 0) {
		buf[14] = (uint8_t)(vlan >> 8 | 0xa0); /* priority bits are no part of the key */
		buf[15] = (uint8_t)vlan;
	}
	if (len >= SERIAL_AT + sizeof(serial))
		memcpy(buf + SERIAL_AT, &serial, sizeof(serial));
}

static bool contract_kept(const struct port *port, const struct frame *f)
{
	if (f->len > port->max_len || f->len < FRAME_MIN_BYTES)
		return false;
	if ((port->flags & PORT_F_MBUF) == 0)
		return f->m == NULL;
	return f->m != NULL && f->data == rte_pktmbuf_mtod(f->m, uint8_t *) &&
		f->len == f->m->data_len && rte_mbuf_refcnt_read(f->m) > 0;
}

static void fake_tx_burst(
	struct port *port, struct lcore *lc, struct frame *const *frames, unsigned n)
{
	struct fake_port *f = (struct fake_port *)port;
	struct stats_traffic sent = {0};
	unsigned refused = 0;

	if (port->tx_lcore[lcore_index(lc)] != lcore_index(lc) ||
		(n == 0 && (port->flags & PORT_F_FLOOD_QUOTA) == 0) || n > FRAME_BURST)
		atomic_fetch_add(&f->broken, 1);
	hub_count_copies(lc, port, n);
	for (unsigned i = 0; i < n; i++) {
		const struct frame *fr = frames[i];
		unsigned at = atomic_fetch_add(&f->cnt, 1);

		if (!contract_kept(port, fr))
			atomic_fetch_add(&f->broken, 1);
		if ((fr->flags & FRAME_F_FLOOD) != 0)
			atomic_fetch_add(&f->flooded, 1);
		if (at < FAKE_LOG) {
			f->serial[at] = 0;
			if (fr->len >= SERIAL_AT + sizeof(f->serial[at]))
				memcpy(&f->serial[at], fr->data + SERIAL_AT, sizeof(f->serial[at]));
			f->len[at] = fr->len;
		}
		if (f->refuse != 0 && at % f->refuse == 0) {
			refused++;
		} else if (frame_is_broadcast(fr)) {
			sent.broadcast_frames++;
			sent.broadcast_bytes += fr->len;
		} else {
			sent.unicast_frames++;
			sent.unicast_bytes += fr->len;
		}
		if (fr->m != NULL)
			rte_pktmbuf_free(fr->m);
	}
	hub_count_sent(lc, port, &sent);
	if (refused > 0)
		hub_count_drop_out(lc, port, STATS_DROP_OUT_DEVICE, refused);
}

const struct port_ops fake_port_ops = {.kind = "fake", .tx_burst = fake_tx_burst};

void fake_port_init(struct fake_port *f, struct hub *hub, unsigned home, uint32_t flags)
{
	memset(f, 0, sizeof(*f));
	f->port.ops = &fake_port_ops;
	f->port.hub = hub;
	f->port.home = (uint16_t)home;
	f->port.flags = flags;
	f->port.max_len = FRAME_MAX_BYTES;
	memset(f->port.tx_lcore, (int)home, sizeof(f->port.tx_lcore));
	f->port.stats[home] = &f->stats[home];
}

void fake_port_everywhere(struct fake_port *f)
{
	for (unsigned i = 0; i < lcore_count(); i++) {
		f->port.tx_lcore[i] = (uint8_t)i;
		f->port.stats[i] = &f->stats[i];
	}
}

void fake_port_clear(struct fake_port *f)
{
	atomic_store(&f->cnt, 0);
	atomic_store(&f->flooded, 0);
}

void fake_port_stats(const struct fake_port *f, struct stats_block *out)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < lcore_count(); i++)
		stats_fold(out, &f->stats[i]);
}
