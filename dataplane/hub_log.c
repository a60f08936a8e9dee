/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The packet log's part of a burst (packet_log.h): what is to be logged goes into this worker's ring, in order of
 * arrival, behind all decisions about it but the receiver's limits (reference/logging-admin.md 3).
 *
 * Nearly all frames are TCP and UDP over plain IPv4. What kind those are is in four of their bytes, and what their
 * line needs is in the first 64, so they are not parsed here.
 */

#include <rte_branch_prediction.h>
#include <rte_byteorder.h>

#include "dataplane/byte_order.h"
#include "dataplane/hub_input_priv.h"
#include "dataplane/packet_log_priv.h"

#define MINUTE_S    60u
#define PLAIN_BYTES 64u /* Ethernet, IPv4, TCP and some */

/* ---- kinds ------------------------------------------------------------------------------------ */

/*
 * Whether a segment may begin something that the line tells of (packet_log_look()): bulk data to such ports is most
 * of what there is, and its first byte says that it is none.
 */
static inline bool may_tell_tcp(const uint8_t *p, uint32_t len)
{
	uint32_t to = be16(p + 36), at = 34 + (p[46] >> 4) * 4u;

	if (to != 443 && to != 80 && to != 8080 && to != 3128)
		return false;
	return at < len && (to == 443 ? p[at] == 0x16 : p[at] >= 'A' && p[at] <= 'Z');
}

static inline bool may_tell_udp(uint32_t to)
{
	return to == 53 || to == 67 || to == 68 || to == 500 || to == 4500 || to == 1194;
}

/* IPv4 without options, whole, TCP or UDP that tells nothing more. */
static inline bool look_plain(const uint8_t *p, uint32_t len, struct packet_look *out)
{
	uint32_t head;

	if (len < 54)
		return false;
	memcpy(&head, p + 12, sizeof(head));
	/* EtherType, version and length; then fragment bits. */
	if ((head & RTE_BE32(0xffffff00)) != RTE_BE32(0x08004500) || be16(p + 16) < 40 ||
		(be16(p + 20) & 0x3fff) != 0)
		return false;
	if (p[23] == 6 && !may_tell_tcp(p, len))
		out->kinds = (p[47] & 7) != 0 ? PACKET_KINDS_CONNECT : PACKET_KINDS_TCP;
	else if (p[23] == 17 && !may_tell_udp(be16(p + 36)))
		out->kinds = PACKET_KINDS_UDP;
	else
		return false;
	out->capture = len < PLAIN_BYTES ? len : PLAIN_BYTES;
	return true;
}

/* False: of a family that is left out. */
static bool look_closer(struct burst *b, unsigned j, struct packet_look *out)
{
	const struct packet_log_conf *conf = &b->options->options.packet_log;
	const struct frame_class *c = burst_class(b, j);

	if ((conf->no_ipv4 && (c->classes & FRAME_IPV4) != 0) ||
		(conf->no_ipv6 && (c->classes & FRAME_IPV6) != 0))
		return false;
	packet_log_look(b->frame[j]->data, b->frame[j]->len, c, !conf->no_http, out);
	return true;
}

/* ---- who gets it ------------------------------------------------------------------------------ */

/* Frames of groups whose port's policy will not have them: they are not logged. */
static uint64_t refused(struct input *in)
{
	uint64_t out = 0;

	for (unsigned i = 0; i < in->groups.n; i++) {
		const struct burst_group *g = &in->groups.group[i];
		const struct port *port =
			port_get(g->port >> PORT_GEN_BITS, g->port & ((1u << PORT_GEN_BITS) - 1));

		if (port == NULL || port->rules == NULL)
			continue;
		for (uint64_t left = g->mask; left != 0; left &= left - 1) {
			unsigned j = (unsigned)__builtin_ctzll(left);

			if (burst_is_refused(&in->b, port, j))
				out |= UINT64_C(1) << j;
		}
	}
	return out;
}

/*
 * How many more frames of the port are logged in this minute. The port's count is read here and written at the end of
 * the burst (log_taken()), and not at all by what is over the limit, since workers of one device share its line. So
 * each of them may be wrong by a burst.
 */
static uint32_t log_room(const struct input *in)
{
	uint32_t max = in->b.options->options.packet_log.per_minute, now_s = in->b.lc->now_s, cnt;
	struct port *port = in->port;

	if (max == 0)
		return UINT32_MAX;
	if (now_s - atomic_load_explicit(&port->log_minute_s, memory_order_relaxed) >= MINUTE_S) {
		atomic_store_explicit(&port->log_minute_s, now_s, memory_order_relaxed);
		atomic_store_explicit(&port->log_cnt, 0, memory_order_relaxed);
	}
	cnt = atomic_load_explicit(&port->log_cnt, memory_order_relaxed);
	return cnt < max ? max - cnt : 0;
}

static void log_taken(const struct input *in, uint32_t n)
{
	if (n != 0 && in->b.options->options.packet_log.per_minute != 0)
		atomic_fetch_add_explicit(&in->port->log_cnt, n, memory_order_relaxed);
}

static uint64_t drop_excess(struct input *in, uint64_t excess)
{
	for (uint64_t left = excess; left != 0; left &= left - 1)
		input_drop(in, in->b.frame[__builtin_ctzll(left)], STATS_DROP_IN_LOG_LIMIT);
	for (unsigned i = 0; i < in->groups.n; i++)
		in->groups.group[i].mask &= ~excess;
	in->unlogged = excess;
	return excess;
}

/* ---- records ---------------------------------------------------------------------------------- */

static inline void fill(const struct input *in, struct packet_record *rec, unsigned j,
	const struct packet_look *look, uint8_t how, uint32_t to)
{
	const struct frame *f = in->b.frame[j];

	rec->captured = (uint16_t)look->capture;
	rec->frame_len = f->len;
	rec->hub = in->b.hub->ref;
	rec->from = in->port->idx << PORT_GEN_BITS | in->port->gen;
	rec->to = to;
	rec->kinds = (uint8_t)look->kinds;
	rec->how = how;
	rec->opaque = in->b.options->options.disable_ip_parsing;
	rec->padding = 0;
	rec->at_ms = in->b.lc->now_ms;
	if (likely(look->capture == PLAIN_BYTES))
		memcpy(rec->data, f->data, PLAIN_BYTES);
	else
		memcpy(rec->data, f->data, look->capture);
}

static void count_lost(struct input *in, struct packet_ring *ring, unsigned n)
{
	_Atomic uint64_t *level[] = {&in->b.local->unlogged, &ring->lost};

	for (unsigned i = 0; i < 2; i++)
		atomic_store_explicit(level[i],
			atomic_load_explicit(level[i], memory_order_relaxed) + n,
			memory_order_relaxed);
}

uint64_t input_log(struct input *in, uint64_t flood)
{
	struct burst *b = &in->b;
	const struct hub_rules *rules = b->options;
	struct packet_ring *ring =
		atomic_load_explicit(&packet_rings, memory_order_acquire) + b->lc->index;
	const uint32_t room = log_room(in);
	uint64_t excess = 0, left = flood | input_grouped(in);
	uint32_t taken = 0;
	unsigned lost = 0;

	for (left &= ~refused(in); left != 0; left &= left - 1) {
		unsigned j = (unsigned)__builtin_ctzll(left);
		const struct frame *f = b->frame[j];
		struct packet_record *rec;
		struct packet_look look;
		uint8_t how;

		if ((unlikely(!rules->log_plain) || !look_plain(f->data, f->len, &look)) &&
			!look_closer(b, j, &look))
			continue;
		how = rules->log_how[look.kinds];
		if (how == PACKET_LOG_OFF)
			continue;
		if (unlikely(taken == room)) {
			excess |= UINT64_C(1) << j;
			continue;
		}
		taken++;
		if (how == PACKET_LOG_FULL)
			look.capture = f->len;
		rec = packet_ring_reserve(ring, look.capture);
		if (unlikely(rec == NULL)) {
			lost++;
			continue;
		}
		/* What is flooded goes to nobody in particular. */
		fill(in, rec, j, &look, how,
			(flood >> j & 1) != 0 ? 0 : (uint32_t)in->values[2 * j + 1]);
	}
	packet_ring_publish(ring);
	log_taken(in, taken);
	if (unlikely(lost > 0))
		count_lost(in, ring, lost);
	return unlikely(excess != 0) ? drop_excess(in, excess) : 0;
}

uint32_t hub_log_id(const struct hub *hub)
{
	return hub->ref;
}

uint64_t hub_packets_unlogged(const struct hub *hub)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < hub->locals; i++)
		n += atomic_load_explicit(&hub->local[i].unlogged, memory_order_relaxed);
	return n;
}
