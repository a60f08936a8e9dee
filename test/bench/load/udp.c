/* SPDX-License-Identifier: BSD-3-Clause */
/* See udp.h. */

#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/rand.h>

#include "drivers/session/udp_path.h"
#include "drivers/session/wire/udp_packet.h"
#include "test/bench/load/udp.h"
#include "test/bench/load/udp_aead.h"

#define BATCH	       32u
#define DATAGRAM_BYTES 2048u
#define SOCKET_BUFFER  (4 << 20) /* what we receive must not be lost here */
#define KEEPALIVE_ROOM 1000u	 /* wire.md 7.3 */
/* With --udp-groups: what the kernel cuts at most out of one message, and what it hands over at most as one. */
#define GROUP_BYTES    65000u
#define GROUP_DATAGRAM 1452u

struct udp_link {
	struct watch watch;
	struct peer *peer;
	int fd; /* connected to the server's port once that is known */
	enum udp_packet_form form;
	struct udp_seal *out, *in;
	struct udp_path path;
	uint32_t cookie_server, cookie_own;
	uint32_t budget;
	uint64_t keepalive_ms;
	uint8_t key[UDP_PACKET_KEY_V1];
	uint8_t key_v2[128];
};

static uint8_t scratch[BATCH][DATAGRAM_BYTES] __attribute__((aligned(64)));
static uint8_t group[65536];

static uint32_t random32(void)
{
	static uint64_t state = 0x9e3779b97f4a7c15u;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)(state >> 32);
}

static uint64_t now_ms(const struct load *l)
{
	return l->now_ns / 1000000u;
}

/* ---- out ------------------------------------------------------------------------------------- */

/* `padding`: at random, 0 to UDP_PACKET_PADDING_MAX. */
static uint32_t build(struct load *l, struct udp_link *u, uint8_t *at, uint32_t size,
	bool compressed, uint32_t padding)
{
	struct udp_packet packet = {.cookie = u->cookie_server,
		.tick = udp_path_tick(now_ms(l)),
		.echo = u->path.peer_tick,
		.data = udp_packet_payload(u->form, at),
		.size = (uint16_t)size,
		.compressed = compressed};
	uint32_t room =
		udp_packet_padding_room(u->form, size, size != 0 ? u->budget : KEEPALIVE_ROOM);

	return (uint32_t)udp_packet_put(u->form, &packet, padding % (room + 1), at);
}

/* Datagrams of one size in a row are one message, which the kernel cuts; a shorter one may end it. */
static void send_groups(struct udp_link *u, const struct udp_datagram *d, unsigned n)
{
	struct iovec vectors[BATCH];

	for (unsigned i = 0; i < n;) {
		uint8_t control[CMSG_SPACE(sizeof(uint16_t))] __attribute__((aligned(8))) = {0};
		struct msghdr mh = {.msg_iov = vectors,
			.msg_control = control,
			.msg_controllen = sizeof(control)};
		uint32_t size = d[i].bytes, bytes = 0;
		uint16_t segment = (uint16_t)size;
		struct cmsghdr *c = CMSG_FIRSTHDR(&mh);

		do {
			vectors[mh.msg_iovlen++] =
				(struct iovec){.iov_base = d[i].data, .iov_len = d[i].bytes};
			bytes += d[i].bytes;
		} while (d[i++].bytes == size && i < n && size <= GROUP_DATAGRAM &&
			d[i].bytes <= size && bytes + d[i].bytes <= GROUP_BYTES);
		*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(segment)),
			.cmsg_level = IPPROTO_UDP,
			.cmsg_type = UDP_SEGMENT};
		memcpy(CMSG_DATA(c), &segment, sizeof(segment));
		if (mh.msg_iovlen == 1)
			mh.msg_controllen = 0;
		(void)sendmsg(u->fd, &mh, MSG_DONTWAIT);
	}
}

static void send_batch(struct load *l, struct udp_link *u, struct udp_datagram *d, unsigned n)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec vectors[BATCH];

	udp_packet_seal(u->out, d, n);
	for (unsigned i = 0; i < n; i++) {
		vectors[i] = (struct iovec){.iov_base = d[i].data, .iov_len = d[i].bytes};
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
		l->wire.to_server += d[i].bytes;
	}
	/* What the kernel does not take is lost, as datagrams are, and counted with the others. */
	if (l->opt->udp_groups)
		send_groups(u, d, n);
	else
		(void)sendmmsg(u->fd, messages, n, MSG_DONTWAIT);
	udp_path_sent(&u->path, now_ms(l));
}

bool udp_transmit(struct load *l, struct peer *p)
{
	struct udp_link *u = p->udp;
	struct udp_datagram d[BATCH];
	uint8_t frame[OPTIONS_SIZE_MAX];
	uint32_t padding = random32();
	unsigned n = 0;

	l->now_ns = load_clock_ns();
	for (; n < BATCH; n++) {
		uint8_t *payload = udp_packet_payload(u->form, scratch[n]);
		uint32_t size = traffic_next(l, p, p->compress ? frame : payload);

		if (size == 0)
			break;
		l->traffic.sums.uncompressed_bytes += size;
		if (p->compress) {
			size = zblock_deflate(l->z, frame, size, payload);
			l->traffic.sums.compressed_bytes += size;
		}
		/* Stock peers draw for each datagram, Patchbay for a batch. */
		if (!l->opt->udp_groups)
			padding = random32();
		d[n] = (struct udp_datagram){.data = scratch[n],
			.bytes = build(l, u, scratch[n], size, p->compress, padding)};
	}
	if (n != 0)
		send_batch(l, u, d, n);
	return n != 0;
}

void udp_keepalive(struct load *l, struct peer *p)
{
	struct udp_link *u = p->udp;
	struct udp_datagram d;

	if (u == NULL || u->out == NULL || now_ms(l) < u->keepalive_ms)
		return;
	u->keepalive_ms = now_ms(l) + udp_path_interval_ms(u->path.fast, random32());
	d = (struct udp_datagram){
		.data = scratch[0], .bytes = build(l, u, scratch[0], 0, false, random32())};
	send_batch(l, u, &d, 1);
}

bool udp_ready(struct load *l, struct peer *p)
{
	return p->udp != NULL && p->udp->out != NULL && udp_path_ready(&p->udp->path, now_ms(l));
}

/* ---- in -------------------------------------------------------------------------------------- */

static void arrived(struct load *l, struct udp_link *u, const struct udp_datagram *d)
{
	struct udp_packet packet;
	int size;

	if (!d->ok || udp_packet_get(u->form, d, &packet) != 0 || packet.cookie != u->cookie_own ||
		udp_path_receive(&u->path, packet.tick, packet.echo, now_ms(l)) == UDP_PATH_STALE) {
		l->traffic.corrupt++;
		return;
	}
	if (packet.size == 0)
		return;
	l->traffic.by_udp++;
	if (!packet.compressed) {
		traffic_arrived(l, u->peer, packet.data, packet.size);
		return;
	}
	size = zblock_inflate(l->z, packet.data, packet.size, l->inflated);
	if (size < 0)
		l->traffic.corrupt++;
	else
		traffic_arrived(l, u->peer, l->inflated, (unsigned)size);
}

static void take(struct load *l, struct udp_link *u, struct udp_datagram *d, unsigned n)
{
	udp_packet_open(u->in, d, n);
	for (unsigned i = 0; i < n; i++) {
		l->wire.from_server += d[i].bytes;
		arrived(l, u, &d[i]);
	}
}

/* Datagrams one by one, as a stock peer's kernel hands them over. */
static void receive_single(struct load *l, struct udp_link *u)
{
	struct mmsghdr messages[BATCH] = {0};
	struct iovec vectors[BATCH];
	struct udp_datagram d[BATCH];
	int n;

	for (unsigned i = 0; i < BATCH; i++) {
		vectors[i] = (struct iovec){.iov_base = scratch[i], .iov_len = DATAGRAM_BYTES};
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	n = recvmmsg(u->fd, messages, BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0 || u->in == NULL)
		return; /* a refused port shows here once, and is no end */
	l->now_ns = load_clock_ns();
	for (int i = 0; i < n; i++)
		d[i] = (struct udp_datagram){.data = scratch[i], .bytes = messages[i].msg_len};
	take(l, u, d, (unsigned)n);
}

/* What the server sent as one message. */
static void receive_group(struct load *l, struct udp_link *u)
{
	uint8_t control[CMSG_SPACE(sizeof(int))] __attribute__((aligned(8)));
	struct iovec vector = {.iov_base = group, .iov_len = sizeof(group)};
	struct msghdr mh = {.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control)};
	ssize_t bytes = recvmsg(u->fd, &mh, MSG_DONTWAIT);
	const struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
	struct udp_datagram d[BATCH];
	int piece = (int)bytes;
	unsigned n = 0;

	if (bytes <= 0 || u->in == NULL)
		return;
	if (c != NULL && c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
		memcpy(&piece, CMSG_DATA(c), sizeof(piece));
	l->now_ns = load_clock_ns();
	for (ssize_t at = 0; at < bytes; at += piece) {
		d[n++] = (struct udp_datagram){.data = group + at,
			.bytes = (uint32_t)(bytes - at < piece ? bytes - at : piece)};
		if (n == BATCH) {
			take(l, u, d, n);
			n = 0;
		}
	}
	take(l, u, d, n);
}

static void link_ready(struct load *l, struct watch *w, uint32_t)
{
	struct udp_link *u = (struct udp_link *)w;

	if (l->opt->udp_groups)
		receive_group(l, u);
	else
		receive_single(l, u);
}

/* ---- life ------------------------------------------------------------------------------------ */

bool udp_offer(struct load *l, struct peer *p, struct login_udp_offer *offer)
{
	const bool is_ipv6 = l->opt->server.ss_family == AF_INET6;
	struct sockaddr_storage own = {.ss_family = l->opt->server.ss_family};
	socklen_t len = is_ipv6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	struct udp_link *u = calloc(1, sizeof(*u));
	int buffer = SOCKET_BUFFER, on = 1;

	if (u == NULL)
		return false;
	u->fd = socket(own.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (u->fd < 0 || bind(u->fd, (struct sockaddr *)&own, len) != 0 ||
		getsockname(u->fd, (struct sockaddr *)&own, &len) != 0 ||
		RAND_bytes(u->key, sizeof(u->key)) != 1 ||
		RAND_bytes(u->key_v2, sizeof(u->key_v2)) != 1) {
		if (u->fd >= 0)
			close(u->fd);
		free(u);
		return false;
	}
	(void)setsockopt(u->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof(buffer));
	if (l->opt->udp_groups)
		(void)setsockopt(u->fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
	u->watch.ready = link_ready;
	u->peer = p;
	p->udp = u;
	*offer = (struct login_udp_offer){.use = true,
		.hmac = true,
		.fast_detect = true,
		.has_key = true,
		.has_key_v2 = true,
		.version = 1,
		.max_version = l->opt->udp,
		.client_ip = {.is_ipv6 = is_ipv6}, /* none: that of the TCP connection */
		.client_port = ntohs(is_ipv6 ? ((struct sockaddr_in6 *)&own)->sin6_port
					     : ((struct sockaddr_in *)&own)->sin_port)};
	memcpy(offer->client_key, u->key, sizeof(u->key));
	memcpy(offer->client_key_v2, u->key_v2, sizeof(u->key_v2));
	return true;
}

static int link_connect(struct load *l, const struct udp_link *u, const struct welcome_udp *answer)
{
	struct sockaddr_storage to = l->opt->server; /* the address that TCP reached */

	if (to.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&to)->sin6_port = htons((uint16_t)answer->server_port);
	else
		((struct sockaddr_in *)&to)->sin_port = htons((uint16_t)answer->server_port);
	return connect(u->fd, (struct sockaddr *)&to, l->opt->server_len);
}

static void engine_set(struct udp_seal *seal, const uint8_t *key)
{
	struct udp_aead *aead = udp_aead_create(key);

	if (aead != NULL)
		udp_seal_set_aead(seal, aead);
}

bool udp_answer(struct load *l, struct peer *p, const struct welcome_udp *answer)
{
	struct udp_link *u = p->udp;
	uint8_t seed[UDP_PACKET_SEED];
	bool v2 = answer->version == 2;

	if (u == NULL)
		return true;
	if (!answer->use || link_connect(l, u, answer) != 0 ||
		RAND_bytes(seed, sizeof(seed)) != 1) {
		udp_close(l, p);
		return false;
	}
	u->form = !answer->use_encryption ? UDP_PACKET_PLAIN : v2 ? UDP_PACKET_V2 : UDP_PACKET_V1;
	u->out = udp_seal_create(u->form, v2 ? u->key_v2 : u->key, seed);
	u->in = udp_seal_create(u->form, v2 ? answer->server_key_v2 : answer->server_key, seed);
	if (u->out == NULL || u->in == NULL)
		abort();
	if (u->form == UDP_PACKET_V2) {
		engine_set(u->out, u->key_v2);
		engine_set(u->in, answer->server_key_v2);
	}
	u->cookie_server = answer->server_cookie;
	u->cookie_own = answer->client_cookie;
	u->budget = l->opt->server.ss_family == AF_INET6 ? UDP_PACKET_BUDGET_IP6
							 : UDP_PACKET_BUDGET_IP4;
	udp_path_init(&u->path, answer->fast_detect);
	load_watch(l, u->fd, &u->watch, EPOLLIN);
	return true;
}

void udp_close(struct load *l, struct peer *p)
{
	struct udp_link *u = p->udp;

	if (u == NULL)
		return;
	p->udp = NULL;
	if (u->out != NULL)
		load_unwatch(l, u->fd);
	udp_seal_destroy(u->out);
	udp_seal_destroy(u->in);
	close(u->fd);
	free(u);
}
