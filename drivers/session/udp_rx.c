/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams -> frames. A burst is received in one call, some of it as groups that are taken apart here; datagrams
 * that follow each other from one address are opened in a row with their session's key and reach the hub as one
 * burst. In a turn a socket makes no further call behind UDP_TURN datagrams, or when what they hold has used up the
 * turn's share of compression (session_zip.c); epoll is level-triggered and brings it back behind everybody else.
 *
 * Whoever cannot open what comes from an address where a session is alive is a forger: one decryption, one
 * counter. Only datagrams from other addresses are tried with other keys, within the budgets of udp_table.h.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/epoll.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "dataplane/hub.h"
#include "dataplane/mss.h"
#include "drivers/session/session_priv.h"
#include "drivers/session/udp_priv.h"

/* Frames of one session on their way to the hub; their bytes stand in slots or in the worker's scratch. */
struct delivery {
	struct frame frames[UDP_BURST];
	unsigned n;
	uint16_t mss;	   /* what TCP in them is held to, 0: nothing */
	unsigned inflated; /* slots of the scratch in use */
	unsigned too_short, too_long, malformed, inflates;
	uint64_t datagrams, bytes, keepalives, bodies, stale, repeated;
};

static void frame_add(struct delivery *dl, uint8_t *data, uint32_t len)
{
	if (len < BLOCK_FRAME_MIN) {
		dl->too_short++;
	} else if (len > BLOCK_FRAME_MAX) {
		dl->too_long++;
	} else {
		if (dl->mss != 0)
			(void)mss_clamp(data, len, dl->mss);
		dl->frames[dl->n++] = (struct frame){.data = data, .len = (uint16_t)len};
	}
}

static void frame_inflate(struct session *s, struct delivery *dl, const struct udp_packet *p)
{
	uint8_t *out = s->worker->inflated + (size_t)dl->inflated * ZIP_FRAME_BYTES;
	int len = zblock_inflate(s->worker->z, p->data, p->size, out);

	if (len == -EMSGSIZE) {
		dl->inflates++;
	} else if (len < 0) {
		dl->malformed++;
	} else {
		dl->inflated++;
		frame_add(dl, out, (uint32_t)len);
	}
}

/* One datagram that was opened with the session's key. */
static void accept_one(struct lcore *lc, struct session_udp *u, const struct udp_datagram *d,
	const struct udp_address *from, struct delivery *dl)
{
	uint64_t now_ms = lcore_now_ms(lc);
	enum udp_path_tick kind;
	struct udp_packet p;

	if (udp_packet_get(u->form, d, &p) != 0 || p.cookie != u->receive_cookie) {
		dl->bodies++;
		return;
	}
	if (udp_recent_seen(&u->recent, p.id)) {
		dl->repeated++;
		return;
	}
	kind = udp_path_receive(&u->path, p.tick, p.echo, now_ms);
	if (kind == UDP_PATH_STALE) {
		dl->stale++;
		return;
	}
	dl->datagrams++;
	dl->bytes += d->bytes;
	if (kind == UDP_PATH_FRESH && !udp_address_equal(&u->member.peer, from))
		udp_moved(lc, u, from);
	if (p.size == 0)
		dl->keepalives++;
	else if (p.compressed)
		frame_inflate(u->session, dl, &p);
	else
		/* Into our own buffer, where it may be changed. */
		frame_add(dl, (uint8_t *)(uintptr_t)p.data, p.size);
}

static void count_drops(struct lcore *lc, struct session *s, const struct delivery *dl)
{
	if (dl->too_short != 0)
		hub_count_drop_in(lc, &s->port, STATS_DROP_IN_SHORT, dl->too_short);
	if (dl->too_long != 0)
		hub_count_drop_in(lc, &s->port, STATS_DROP_IN_LONG, dl->too_long);
	if (dl->malformed != 0)
		hub_count_drop_in(lc, &s->port, STATS_DROP_IN_MALFORMED, dl->malformed);
	if (dl->inflates != 0)
		hub_count_drop_in(lc, &s->port, STATS_DROP_IN_INFLATES, dl->inflates);
}

/* What has been inflated since `begin` comes off the turn's share, whoever sent it and from wherever. */
static void inflated_spend(
	struct lcore *lc, struct session_udp *u, const struct delivery *dl, uint64_t begin)
{
	if (dl->inflated + dl->inflates + dl->malformed != 0)
		zip_spend(lc, u->session->worker, ZIP_IN, begin);
}

/* Counts what came, and gives the frames to the hub. */
static void deliver(struct lcore *lc, struct session_udp *u, struct delivery *dl)
{
	struct session *s = u->session;

	live_add(&u->live.datagrams_in, dl->datagrams);
	live_add(&u->live.bytes_in, dl->bytes);
	live_add(&u->live.keepalives_in, dl->keepalives);
	live_add(&u->live.frames_in, dl->n);
	live_add(&u->live.malformed, dl->bodies);
	live_add(&u->live.stale, dl->stale);
	live_add(&u->live.repeated, dl->repeated);
	count_drops(lc, s, dl);
	if (dl->datagrams != 0)
		udp_heard(lc, u);
	if (dl->n != 0)
		hub_input(lc, &s->port, dl->frames, dl->n);
}

/* Datagrams from where a living session is. */
static void take_run(struct lcore *lc, struct session_udp *u, struct udp_datagram *d, unsigned n,
	const struct udp_address *from)
{
	struct delivery dl = {.mss = session_mss(u->session)};
	uint64_t begin = rte_rdtsc();
	unsigned forged = 0;

	udp_packet_open(u->opening, d, n);
	for (unsigned i = 0; i < n; i++) {
		if (d[i].ok)
			accept_one(lc, u, &d[i], from, &dl);
		else
			forged++;
	}
	inflated_spend(lc, u, &dl, begin);
	live_add(&u->live.forged, forged);
	deliver(lc, u, &dl);
}

/* Tries one key on a copy, since opening leaves nothing of what it cannot open. */
static bool try_key(struct session_udp *u, const struct udp_datagram *d, struct udp_datagram *copy)
{
	struct udp_packet p;

	memcpy(copy->data, d->data, d->bytes);
	copy->bytes = d->bytes;
	udp_packet_open(u->opening, copy, 1);
	return copy->ok && udp_packet_get(u->form, copy, &p) == 0 && p.cookie == u->receive_cookie;
}

static void take_copy(struct lcore *lc, struct session_udp *u, const struct udp_datagram *copy,
	const struct udp_address *from)
{
	struct delivery dl = {.mss = session_mss(u->session)};
	uint64_t begin = rte_rdtsc();

	accept_one(lc, u, copy, from, &dl);
	inflated_spend(lc, u, &dl, begin);
	deliver(lc, u, &dl);
}

/* A datagram from where nobody is known to be alive; `was_here`: who was there last, or NULL. */
static void take_stranger(struct lcore *lc, struct udp_socket *sock, struct session_udp *was_here,
	const struct udp_datagram *d, const struct udp_address *from)
{
	struct udp_worker *uw = sock->worker;
	struct udp_datagram copy = {.data = uw->trial};
	struct udp_search search;
	struct udp_member *m;

	if (was_here != NULL && try_key(was_here, d, &copy)) {
		take_copy(lc, was_here, &copy, from);
		return;
	}
	udp_search_begin(&search, sock->table, from, lcore_now_ms(lc));
	while ((m = udp_search_next(&search)) != NULL) {
		struct session_udp *u = udp_of(m);

		if (u != was_here && u->socket == sock && try_key(u, d, &copy)) {
			take_copy(lc, u, &copy, from);
			return;
		}
	}
	live_add(search.out_of_budget ? &sock->live.over_budget : &sock->live.foreign, 1);
}

/* Datagrams that follow each other from where one living session is. */
struct run {
	struct session_udp *u;
	struct udp_address from;
	unsigned n;
	struct udp_datagram d[UDP_BURST];
};

static void run_end(struct lcore *lc, struct run *r)
{
	if (r->n != 0)
		take_run(lc, r->u, r->d, r->n, &r->from);
	r->n = 0;
}

static void run_add(struct lcore *lc, struct udp_socket *sock, struct run *r,
	const struct udp_datagram *d, const struct udp_address *from)
{
	struct udp_member *m;

	if (r->n == 0) {
		m = udp_table_find(sock->table, from);
		r->u = m != NULL ? udp_of(m) : NULL;
		/* Someone else may have the address of one who is not heard any more. */
		if (r->u == NULL || !r->u->path.since_set) {
			take_stranger(lc, sock, r->u, d, from);
			return;
		}
		r->from = *from;
	}
	r->d[r->n++] = *d;
	if (r->n == UDP_BURST)
		run_end(lc, r);
}

/* The size of datagrams that the kernel left together, 0: it is one. */
static uint32_t group_piece(const struct msghdr *mh)
{
	const struct cmsghdr *c = mh->msg_control;
	int bytes;

	if (mh->msg_controllen < CMSG_LEN(sizeof(bytes)) || c->cmsg_level != IPPROTO_UDP ||
		c->cmsg_type != UDP_GRO)
		return 0;
	memcpy(&bytes, CMSG_DATA(c), sizeof(bytes));
	return bytes > 0 ? (uint32_t)bytes : 0;
}

/* One message; returns how many datagrams it was. */
static unsigned take_message(struct lcore *lc, struct udp_socket *sock, struct run *r, unsigned i)
{
	const struct mmsghdr *m = &sock->worker->messages[i];
	uint32_t left = m->msg_len, piece = group_piece(&m->msg_hdr);
	struct udp_datagram d = {.data = m->msg_hdr.msg_iov->iov_base};
	struct udp_address from;
	unsigned cnt = 1;

	if (piece != 0 && piece < left) {
		cnt = (left + piece - 1) / piece;
		live_add(&sock->live.groups_in, 1);
	} else {
		piece = left;
	}
	if ((m->msg_hdr.msg_flags & MSG_TRUNC) != 0 || piece > UDP_DATAGRAM_MAX ||
		!udp_address_from(&from, &sock->worker->from[i])) {
		live_add(&sock->live.truncated, cnt);
		return cnt;
	}
	if (r->n != 0 && !udp_address_equal(&r->from, &from))
		run_end(lc, r);
	for (unsigned k = 0; k < cnt; k++, d.data += piece, left -= piece) {
		d.bytes = RTE_MIN(piece, left);
		run_add(lc, sock, r, &d, &from);
	}
	return cnt;
}

/* One call; returns how many datagrams it brought, and whether there may be more. */
static unsigned receive_burst(struct lcore *lc, struct udp_socket *sock, bool *more)
{
	struct udp_worker *uw = sock->worker;
	unsigned slots = sock->slots, cnt = 0;
	struct run r;
	int n;

	r.n = 0;
	for (unsigned i = 0; i < slots; i++) {
		uw->messages[i].msg_hdr.msg_namelen = sizeof(uw->from[i]);
		uw->messages[i].msg_hdr.msg_controllen = sizeof(uw->control[i]);
	}
	n = recvmmsg(sock->lfd.fd, uw->messages, slots, MSG_DONTWAIT, NULL);
	live_add(&sock->live.calls_in, 1);
	*more = n == (int)slots;
	for (int i = 0; i < n; i++)
		cnt += take_message(lc, sock, &r, (unsigned)i);
	run_end(lc, &r);
	if (n > 0 && cnt > (unsigned)n)
		sock->slots = UDP_GROUPS;
	else if (*more)
		sock->slots = (uint16_t)RTE_MIN(2 * slots, UDP_BURST);
	live_add(&sock->live.datagrams_in, cnt);
	return cnt;
}

void udp_socket_receive(struct lcore *lc, struct udp_socket *sock)
{
	const struct session_worker *w = session_worker_get(lcore_index(lc));
	unsigned taken = 0;
	bool more = true;

	do {
		taken += receive_burst(lc, sock, &more);
	} while (more && taken < UDP_TURN && zip_has_share(w, ZIP_IN));
}

/* There is room again: the rest of the batch, then whoever waited for it. */
static void resume(struct lcore *lc, struct udp_socket *sock)
{
	struct stats_traffic sent = {0}, failed = {0}; /* counted when they were committed */
	struct session_udp *u;

	if (!udp_socket_push(lc, sock, &sent, &failed))
		return;
	(void)lcore_fd_mod(lc, &sock->lfd, EPOLLIN);
	while ((u = TAILQ_FIRST(&sock->waiting)) != NULL) {
		TAILQ_REMOVE(&sock->waiting, u, wait);
		u->waiting = false;
		lcore_flush_add(lc, &u->session->flush);
	}
}

void udp_socket_ready(struct lcore *lc, struct lcore_fd *lfd, uint32_t events)
{
	struct udp_socket *sock = container_of(lfd, struct udp_socket, lfd);

	if (events & EPOLLOUT)
		resume(lc, sock);
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		udp_socket_receive(lc, sock);
}
