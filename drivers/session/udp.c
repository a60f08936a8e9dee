/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A session's half of UDP acceleration: made with the session, started and stopped with it, keep-alives at their
 * interval, and whether frames go this way at the moment.
 *
 * Towards addresses that have not answered go keep-alives alone, and those at their interval: a peer may name
 * any address as its own, so nobody gets more than a small datagram in half a second that a logged-in user sent
 * us after.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <rte_common.h>
#include <rte_random.h>

#include "drivers/session/session_priv.h"
#include "drivers/session/udp_engine.h"
#include "drivers/session/udp_priv.h"

#define ANSWER_GAP_MS 100u /* between keep-alives out of turn */
#define DESTINATIONS  4u

enum host_place {
	HOST_OFFERED,
	HOST_TCP,
	HOST_PEER, /* udp_table_prove()'s */
};
static_assert(HOST_PEER == UDP_MEMBER_HOSTS - 1, "udp_table_prove() takes the last one");

/* ---- life: control thread ------------------------------------------------------------------------ */

/* wire.md 7.6: what is left of 1454 bytes for a TCP segment in a frame in a datagram. */
uint16_t session_udp_mss(bool ip6, bool encrypted)
{
	return (uint16_t)(1454 - 8 - (ip6 ? 40 : 20) - (encrypted ? 40 : 0) - 4 - 8 - 8 - 2 - 1 -
		14 - 20 - 20);
}

static bool is_unspecified(const struct udp_address *a)
{
	static const uint8_t zeros[16];

	return memcmp(a->ip, zeros, sizeof(zeros)) == 0;
}

/* What no peer can have: multicast and broadcast, and this host itself unless the peer is here. */
static bool is_nobody(const struct udp_address *a, const struct udp_address *tcp)
{
	struct in6_addr ip6;

	if (a->family == AF_INET) {
		if (a->ip[0] == 127)
			return tcp->ip[0] != 127;
		return a->ip[0] == 0 || a->ip[0] >= 224;
	}
	memcpy(&ip6, a->ip, sizeof(ip6));
	return IN6_IS_ADDR_MULTICAST(&ip6) || IN6_IS_ADDR_V4MAPPED(&ip6) ||
		(IN6_IS_ADDR_LOOPBACK(&ip6) && !udp_address_equal(a, tcp));
}

/* Where the peer says it is; family 0 if that is where its TCP comes from, or cannot be. */
static void offered_take(struct session_udp *u, const struct sockaddr_storage *offered)
{
	struct udp_address tcp = u->tcp;

	if (!udp_address_from(&u->offered, offered)) {
		u->offered.family = 0;
		return;
	}
	u->port_be = u->offered.port_be;
	u->tcp.port_be = tcp.port_be = u->port_be;
	if (u->offered.family != u->tcp.family || is_unspecified(&u->offered) ||
		is_nobody(&u->offered, &tcp) || udp_address_equal(&u->offered, &tcp))
		u->offered.family = 0;
}

/* The faster engine, if there is one. */
static void engine_set(struct session_udp *u, const struct session_udp_conf *conf)
{
	struct udp_aead *out = udp_engine_create(conf->send_key, true);
	struct udp_aead *in = udp_engine_create(conf->receive_key, false);

	if (out != NULL)
		udp_seal_set_aead(u->sealing, out);
	if (in != NULL)
		udp_seal_set_aead(u->opening, in);
}

static int seals_make(struct session_udp *u, const struct session_udp_conf *conf)
{
	uint8_t seed[UDP_PACKET_SEED];

	if (RAND_bytes(seed, sizeof(seed)) != 1)
		return -EIO;
	u->sealing = udp_seal_create(u->form, conf->send_key, seed);
	u->opening = udp_seal_create(u->form, conf->receive_key, seed);
	OPENSSL_cleanse(seed, sizeof(seed));
	if (u->sealing == NULL || u->opening == NULL)
		return -ENOMEM;
	if (u->form == UDP_PACKET_V2)
		engine_set(u, conf);
	return 0;
}

static void timer_expire(struct lcore *lc, struct lcore_timer *t);
static bool judge(struct lcore *lc, struct session_udp *u);

struct session_udp *udp_create(
	const struct session_udp_conf *conf, struct session *s, unsigned worker)
{
	struct udp_worker *uw = udp_worker_get(worker);
	bool ip6 = conf->tcp_peer.ss_family == AF_INET6;
	struct session_udp *u;

	if (uw == NULL ||
		(conf->socket == NULL && session_udp_port(worker, conf->tcp_peer.ss_family) == 0))
		return NULL;
	u = calloc(1, sizeof(*u));
	if (u == NULL)
		return NULL;
	u->session = s;
	u->socket = conf->socket != NULL ? conf->socket : &uw->sockets[ip6 ? UDP_IP6 : UDP_IP4];
	u->version = conf->version;
	u->form = !conf->encrypted   ? UDP_PACKET_PLAIN
		: conf->version == 1 ? UDP_PACKET_V1
				     : UDP_PACKET_V2;
	u->mss = session_udp_mss(ip6, conf->encrypted);
	u->receive_cookie = conf->receive_cookie;
	u->send_cookie = conf->send_cookie;
	u->timer.expire = timer_expire;
	(void)udp_address_from(&u->local, &conf->local);
	(void)udp_address_from(&u->tcp, &conf->tcp_peer);
	offered_take(u, &conf->offered);
	udp_path_init(&u->path, conf->fast);
	if (seals_make(u, conf) != 0) {
		udp_destroy(u);
		return NULL;
	}
	return u;
}

void udp_destroy(struct session_udp *u)
{
	if (u == NULL)
		return;
	udp_seal_destroy(u->sealing);
	udp_seal_destroy(u->opening);
	if (u->owns_socket)
		session_udp_hang_up(u->socket);
	free(u);
}

bool session_udp_view(const struct session *s, struct session_udp_view *out)
{
	const struct session_udp *u = s->udp;

	memset(out, 0, sizeof(*out));
	if (u == NULL)
		return false;
	out->version = u->version;
	out->encrypted = u->form != UDP_PACKET_PLAIN;
	out->fast = u->path.fast;
	out->port = u->socket->port;
#define VIEW(field) out->field = atomic_load_explicit(&u->live.field, memory_order_relaxed)
	VIEW(active);
	VIEW(datagrams_in);
	VIEW(datagrams_out);
	VIEW(bytes_in);
	VIEW(bytes_out);
	VIEW(frames_in);
	VIEW(frames_out);
	VIEW(keepalives_in);
	VIEW(keepalives_out);
	VIEW(forged);
	VIEW(malformed);
	VIEW(stale);
	VIEW(repeated);
	VIEW(moves);
	VIEW(activations);
	VIEW(fallbacks);
#undef VIEW
	return true;
}

/* ---- keep-alives: owner worker -------------------------------------------------------------------- */

static unsigned destination_add(
	struct udp_address *to, unsigned n, const struct udp_address *a, uint16_t port_be)
{
	to[n] = *a;
	to[n].port_be = port_be;
	if (a->family == 0 || port_be == 0)
		return n;
	for (unsigned i = 0; i < n; i++) {
		if (udp_address_equal(&to[i], &to[n]))
			return n;
	}
	return n + 1;
}

/* Where a keep-alive goes: to the peer; while the path is not ready also to where it might be (7.5), `guess`. */
static unsigned destinations(struct session_udp *u, bool guess, struct udp_address *to)
{
	unsigned n = destination_add(to, 0, &u->member.peer, u->member.peer.port_be);

	if (!guess)
		return n;
	n = destination_add(to, n, &u->offered, u->port_be);
	n = destination_add(to, n, &u->tcp, u->port_be);
	return destination_add(to, n, &u->tcp, u->natt_port_be);
}

static void keepalive_send(struct lcore *lc, struct session_udp *u, bool guess)
{
	uint8_t datagram[UDP_PACKET_HEADER + 40 + UDP_PACKET_PADDING_MAX];
	struct udp_address to[DESTINATIONS + 1];
	unsigned n = destinations(u, guess, to);
	uint64_t now_ms = lcore_now_ms(lc);
	struct udp_packet p = {
		.cookie = u->send_cookie,
		.tick = udp_path_tick(now_ms),
		.echo = u->path.peer_tick,
	};

	for (unsigned i = 0; i < n; i++) {
		/* Sealed anew for each, so that they cannot be told to be the same. */
		uint32_t padding = (uint32_t)rte_rand_max(UDP_PACKET_PADDING_MAX + 1);
		struct udp_datagram d = {.data = datagram,
			.bytes = (uint32_t)udp_packet_put(u->form, &p, padding, datagram)};

		udp_packet_seal(u->sealing, &d, 1);
		udp_socket_send_one(u->socket, &u->local, &to[i], d.data, d.bytes);
		live_add(&u->live.datagrams_out, 1);
		live_add(&u->live.bytes_out, d.bytes);
		live_add(&u->live.keepalives_out, 1);
	}
	if (n != 0)
		udp_path_sent(&u->path, now_ms);
}

static void timer_arm(struct lcore *lc, struct session_udp *u)
{
	uint64_t next = udp_path_next_ms(&u->path, lcore_now_ms(lc));

	lcore_timer_arm(lc, &u->timer, RTE_MIN(next, u->keepalive_ms));
}

static void timer_expire(struct lcore *lc, struct lcore_timer *t)
{
	struct session_udp *u = container_of(t, struct session_udp, timer);
	uint64_t now_ms = lcore_now_ms(lc);
	bool ready;

	/* Sockets first: behind a pause of the worker this one may not have had its turn yet. */
	if (udp_active(u) && udp_path_next_ms(&u->path, now_ms) <= now_ms)
		udp_socket_receive(lc, u->socket);
	ready = judge(lc, u);
	if (now_ms >= u->keepalive_ms) {
		keepalive_send(lc, u, !ready);
		u->keepalive_ms = now_ms + udp_path_interval_ms(u->path.fast, (uint32_t)rte_rand());
	}
	timer_arm(lc, u);
}

void udp_heard(struct lcore *lc, struct session_udp *u)
{
	uint64_t now_ms = lcore_now_ms(lc);

	if (!udp_active(u))
		(void)judge(lc, u);
	/*
	 * A peer that has proved itself and has not heard us: it need not wait for the interval. All other places where
	 * it might be do, or it could have a third party, whose address it offered, spoken to as often as it likes.
	 */
	if (u->path.echoed >= u->path.proof || now_ms - u->answered_ms < ANSWER_GAP_MS)
		return;
	u->answered_ms = now_ms;
	keepalive_send(lc, u, false);
}

/* ---- state: owner worker --------------------------------------------------------------------------- */

bool udp_active(const struct session_udp *u)
{
	return atomic_load_explicit(&u->live.active, memory_order_relaxed) &&
		u->member.peer.family != 0;
}

/*
 * Looks at the clock: may frames go over it now? Publishes changes. Behind the sockets or behind a datagram only
 * (architecture.md 6.7): after a pause of the worker, what proves that the peer was never silent may still be unread
 * while frames for it come from other sockets.
 */
static bool judge(struct lcore *lc, struct session_udp *u)
{
	struct session *s = u->session;
	bool ready = udp_path_ready(&u->path, lcore_now_ms(lc)) && u->member.peer.family != 0;
	bool was = atomic_load_explicit(&u->live.active, memory_order_relaxed);

	if (ready == was)
		return ready;
	live_set(&u->live.active, ready);
	if (ready)
		live_add(&u->live.activations, 1);
	else
		live_add(&u->live.fallbacks, 1);
	session_mss_changed(s, ready ? u->mss : 0);
	/* What waits goes the other way now. */
	if (!staging_is_empty(&s->staging))
		lcore_flush_add(lc, &s->flush);
	return ready;
}

void udp_moved(struct lcore *lc, struct session_udp *u, const struct udp_address *from)
{
	bool first = u->member.peer.family == 0;

	udp_table_prove(u->socket->table, &u->member, from);
	udp_path_moved(&u->path, lcore_now_ms(lc));
	if (!first)
		live_add(&u->live.moves, 1);
	(void)judge(lc, u);
}

void udp_natt_port(struct session_udp *u, uint16_t port)
{
	u->natt_port_be = htons(port);
}

void udp_expect(struct session_udp *u, int tcp_fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	struct udp_address a;

	if (getpeername(tcp_fd, (struct sockaddr *)&ss, &len) != 0 || !udp_address_from(&a, &ss) ||
		a.family != u->socket->family)
		return;
	u->tcp = a;
	u->tcp.port_be = u->port_be;
	udp_table_expect(u->socket->table, &u->member, HOST_TCP, &u->tcp);
}

void udp_start(struct lcore *lc, struct session_udp *u)
{
	struct udp_table *table = u->socket->table;

	if (u->owns_socket)
		udp_socket_start(lc, u->socket);
	udp_table_add(table, &u->member);
	udp_table_expect(table, &u->member, HOST_OFFERED, &u->offered);
	udp_table_expect(table, &u->member, HOST_TCP, &u->tcp);
	live_add(&u->socket->live.sessions, 1);
	keepalive_send(lc, u, true);
	u->keepalive_ms =
		lcore_now_ms(lc) + udp_path_interval_ms(u->path.fast, (uint32_t)rte_rand());
	timer_arm(lc, u);
}

void udp_stop(struct lcore *lc, struct session_udp *u)
{
	lcore_timer_cancel(lc, &u->timer);
	udp_table_remove(u->socket->table, &u->member);
	live_add(&u->socket->live.sessions, -1u);
	if (u->waiting)
		TAILQ_REMOVE(&u->socket->waiting, u, wait);
	u->waiting = false;
	live_set(&u->live.active, false);
	if (u->owns_socket)
		udp_socket_stop(lc, u->socket);
}
