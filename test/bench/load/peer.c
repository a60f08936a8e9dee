/* SPDX-License-Identifier: BSD-3-Clause */
/* See peer.h. */

#include <stdio.h>
#include <string.h>

#include "test/bench/load/dial.h"
#include "test/bench/load/member.h"
#include "test/bench/load/peer.h"
#include "test/bench/load/udp.h"

void peer_ready(struct load *l, struct peer *p)
{
	if (p->queued)
		return;
	p->queued = true;
	TAILQ_INSERT_TAIL(&l->ready, p, entry);
}

/* The least late connection, of equals the youngest (wire.md 6.5); NULL: all are full. */
static struct member *choose(const struct peer *p)
{
	struct member *best = NULL;

	for (unsigned i = 0; i < p->member_cnt; i++) {
		struct member *m = p->members[i];

		if (m->may_send && !m->blocked && (best == NULL || m->lateness <= best->lateness))
			best = m;
	}
	return best;
}

void peer_flush(struct load *l, struct peer *p)
{
	struct member *m;

	if (!traffic_waits(l, p))
		return;
	if (udp_ready(l, p)) {
		if (udp_transmit(l, p) && traffic_waits(l, p))
			peer_ready(l, p);
		return;
	}
	m = choose(p);
	if (m != NULL && member_transmit(l, m) && traffic_waits(l, p) && choose(p) != NULL)
		peer_ready(l, p);
}

void peer_member(struct load *l, struct peer *p, struct stream *stream,
	enum wire_direction direction, const uint8_t *rest, size_t rest_bytes)
{
	struct member *m = member_create(l, p, stream, direction != WIRE_DIRECTION_TO_CLIENT);

	p->members[p->member_cnt++] = m;
	l->members++;
	if (rest_bytes != 0) {
		uint8_t *at = l->plain + BLOCK_RX_PARTIAL_BYTES;

		memcpy(at, rest, rest_bytes);
		if (!member_plain(l, m, at, rest_bytes))
			return;
	}
	/* At once: what may have come between the answer and the raw socket, and the first keep-alive. */
	if (member_keepalive(l, m))
		m->watch.ready(l, &m->watch, 1u /* EPOLLIN */);
}

void peer_member_ended(struct load *l, struct member *m, const char *why)
{
	struct peer *p = m->peer;

	for (unsigned i = 0; i < p->member_cnt; i++) {
		if (p->members[i] != m)
			continue;
		p->member_cnt--;
		memmove(&p->members[i], &p->members[i + 1],
			(p->member_cnt - i) * sizeof(p->members[0]));
		break;
	}
	l->members--;
	member_destroy(l, m);
	if (p->member_cnt == 0) {
		l->lost++;
		load_failed(l, "a session was lost", why);
	} else {
		peer_ready(l, p);
	}
}

void peer_keepalive(struct load *l, struct peer *p)
{
	udp_keepalive(l, p);
	for (unsigned i = 0; i < p->member_cnt;) {
		struct member *m = p->members[i];

		if (member_keepalive(l, m))
			i++;
	}
}

void peer_close(struct load *l, struct peer *p)
{
	udp_close(l, p);
	while (p->member_cnt != 0)
		member_destroy(l, p->members[--p->member_cnt]);
}
