/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A worker's UDP sockets, one of each address family. The port names the worker: clients are told it at
 * login, and the sockets are not connected, because a peer's address may change and its datagrams have to be
 * seen before that can be told.
 */

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "drivers/session/session_priv.h"
#include "drivers/session/udp_engine.h"
#include "drivers/session/udp_priv.h"

/* Bytes in the kernel's queues, its own overhead included: about 4 ms of small datagrams at full rate. */
#define SOCKET_QUEUE_BYTES (4 << 20)

static struct udp_worker **workers;
static unsigned worker_cnt;

struct udp_worker *udp_worker_get(unsigned index)
{
	return index < worker_cnt ? workers[index] : NULL;
}

/* ---- opening: control thread -------------------------------------------------------------------- */

static void queue_set(int fd, int forced, int option)
{
	const int bytes = SOCKET_QUEUE_BYTES;

	/* The first needs CAP_NET_ADMIN, the second gets what sysctl allows. */
	if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof(bytes)) != 0)
		(void)setsockopt(fd, SOL_SOCKET, option, &bytes, sizeof(bytes));
}

static int bind_port(int fd, uint16_t family, uint16_t port)
{
	struct sockaddr_storage ss = {0};

	ss.ss_family = family;
	((struct sockaddr_in *)&ss)->sin_port = htons(port); /* where sin6_port stands, too */
	return bind(fd, (struct sockaddr *)&ss,
		       family == AF_INET ? sizeof(struct sockaddr_in)
					 : sizeof(struct sockaddr_in6)) != 0
		? -errno
		: 0;
}

/* A frame that does not fit is left to fragmentation (wire.md 7.3), so nothing may forbid it on the way. */
static void fragments_allow(int fd, uint16_t family)
{
	int v4 = IP_PMTUDISC_DONT, v6 = IPV6_PMTUDISC_DONT;

	if (family == AF_INET)
		(void)setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &v4, sizeof(v4));
	else
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, &v6, sizeof(v6));
}

/*
 * What was sent as one message, or what a network card's driver gathered, comes as one: the kernel goes through
 * its stack once for dozens of datagrams. Stock peers fill up to a random length, so that of theirs hardly any
 * two fit together; what other peers send in a row does. A kernel that cannot (before 5.0) gives each alone.
 */
static void groups_allow(int fd)
{
	int on = 1;

	(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on));
}

static int socket_open(struct udp_socket *sock, uint16_t family, uint16_t port)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, err;

	if (fd < 0)
		return -errno;
	if (family == AF_INET6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	err = bind_port(fd, family, port);
	if (err != 0) {
		close(fd);
		return err;
	}
	queue_set(fd, SO_RCVBUFFORCE, SO_RCVBUF);
	queue_set(fd, SO_SNDBUFFORCE, SO_SNDBUF);
	fragments_allow(fd, family);
	groups_allow(fd);
	sock->lfd.fd = fd;
	return 0;
}

static uint16_t socket_port(const struct udp_socket *sock)
{
	struct sockaddr_storage ss = {0};
	socklen_t len = sizeof(ss);

	(void)getsockname(sock->lfd.fd, (struct sockaddr *)&ss, &len);
	return ntohs(((const struct sockaddr_in *)&ss)->sin_port);
}

/*
 * The first free port from `first` on, of as many as the original looks at, else any. IPv6 that the machine does
 * not have is not an error: sessions over it cannot come either.
 */
static int socket_find(struct udp_socket *sock, uint16_t family, uint16_t first)
{
	int err = -EADDRINUSE;

	for (uint32_t port = first; port < first + SESSION_UDP_PORTS && port <= UINT16_MAX;
		port++) {
		err = socket_open(sock, family, (uint16_t)port);
		if (err != -EADDRINUSE && err != -EACCES)
			break;
	}
	if (err == -EADDRINUSE || err == -EACCES)
		err = socket_open(sock, family, 0);
	if (err == 0)
		sock->port = socket_port(sock);
	return err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL ? 0 : err;
}

static void socket_init(struct udp_socket *sock, struct udp_worker *uw, uint16_t family)
{
	sock->lfd = (struct lcore_fd){.fd = -1, .ready = udp_socket_ready};
	sock->family = family;
	sock->budget = family == AF_INET ? UDP_PACKET_BUDGET_IP4 : UDP_PACKET_BUDGET_IP6;
	sock->slots = UDP_BURST;
	sock->worker = uw;
	sock->table = &uw->table;
	TAILQ_INIT(&sock->waiting);
	for (unsigned i = 0; i < UDP_BURST; i++)
		sock->messages[i].msg_hdr =
			(struct msghdr){.msg_iov = &sock->iovs[i], .msg_iovlen = 1};
}

/* Not DPDK's random numbers: keep-alives show those of a worker to its peers, and all lcores' come from one seed. */
static uint32_t table_secret(void)
{
	uint32_t secret = (uint32_t)rte_rdtsc();

	(void)!getrandom(&secret, sizeof(secret), 0);
	return secret;
}

static void worker_free(struct udp_worker *uw)
{
	if (uw == NULL)
		return;
	for (unsigned f = 0; f < UDP_FAMILIES; f++) {
		if (uw->sockets[f].lfd.fd >= 0)
			close(uw->sockets[f].lfd.fd);
		free(uw->sockets[f].out);
	}
	free(uw->in);
	free(uw->trial);
	free(uw);
}

static struct udp_worker *worker_create(void)
{
	struct udp_worker *uw = aligned_alloc(64, RTE_ALIGN_CEIL(sizeof(*uw), 64));
	bool ok = true;

	if (uw == NULL)
		return NULL;
	memset(uw, 0, sizeof(*uw));
	socket_init(&uw->sockets[UDP_IP4], uw, AF_INET);
	socket_init(&uw->sockets[UDP_IP6], uw, AF_INET6);
	udp_table_init(&uw->table, table_secret(), lcore_clock_ms());
	uw->in = malloc(UDP_BURST * (size_t)UDP_SLOT_BYTES);
	uw->trial = malloc(UDP_DATAGRAM_MAX);
	for (unsigned f = 0; f < UDP_FAMILIES; f++) {
		uw->sockets[f].out = malloc(UDP_OUT_BYTES);
		ok = ok && uw->sockets[f].out != NULL;
	}
	if (uw->in == NULL || uw->trial == NULL || !ok) {
		worker_free(uw);
		return NULL;
	}
	for (unsigned i = 0; i < UDP_BURST; i++) {
		uw->iovs[i] = (struct iovec){.iov_base = uw->in + (size_t)i * UDP_SLOT_BYTES,
			.iov_len = UDP_GROUP_BYTES};
		uw->messages[i].msg_hdr = (struct msghdr){.msg_name = &uw->from[i],
			.msg_iov = &uw->iovs[i],
			.msg_iovlen = 1,
			.msg_control = uw->control[i]};
	}
	return uw;
}

static void msg_register(struct lcore *lc, struct lcore_msg *msg)
{
	struct udp_worker *uw = msg->arg;

	for (unsigned f = 0; f < UDP_FAMILIES; f++) {
		struct udp_socket *sock = &uw->sockets[f];

		if (sock->lfd.fd >= 0)
			sock->registered = lcore_fd_add(lc, &sock->lfd, EPOLLIN) == 0;
	}
}

void session_udp_close(void)
{
	for (unsigned i = 0; i < worker_cnt; i++)
		worker_free(workers[i]);
	free(workers);
	workers = NULL;
	worker_cnt = 0;
	udp_engine_close();
}

const char *session_udp_engine(void)
{
	return udp_engine_name();
}

int session_udp_open(uint16_t first_port)
{
	unsigned cnt = lcore_count();
	int err = -ENOMEM;

	workers = calloc(cnt, sizeof(struct udp_worker *));
	if (workers == NULL)
		return -ENOMEM;
	worker_cnt = cnt;
	for (unsigned i = 0; i < cnt; i++) {
		workers[i] = worker_create();
		err = workers[i] == NULL ? -ENOMEM : 0;
		if (err == 0)
			err = socket_find(&workers[i]->sockets[UDP_IP4], AF_INET, first_port);
		if (err == 0)
			err = socket_find(&workers[i]->sockets[UDP_IP6], AF_INET6, first_port);
		if (err == 0)
			err = lcore_msg_reserve(lcore_get(i), 1);
		if (err != 0) {
			session_udp_close();
			return err;
		}
	}
	(void)udp_engine_open(); /* else OpenSSL computes */
	for (unsigned i = 0; i < cnt; i++)
		lcore_msg_post(
			lcore_get(i), &(struct lcore_msg){.fn = msg_register, .arg = workers[i]});
	return 0;
}

int session_udp_dial(unsigned worker, unsigned family, struct udp_socket **out)
{
	struct udp_worker *uw = udp_worker_get(worker);
	struct udp_socket *sock;
	int err = -ENOMEM;

	if (uw == NULL || (family != AF_INET && family != AF_INET6))
		return -ENOTSUP;
	sock = calloc(1, sizeof(*sock));
	if (sock == NULL)
		return -ENOMEM;
	socket_init(sock, uw, (uint16_t)family);
	sock->table = malloc(sizeof(*sock->table));
	sock->out = malloc(UDP_OUT_BYTES);
	if (sock->table != NULL && sock->out != NULL)
		err = socket_open(sock, (uint16_t)family, 0);
	if (err != 0) {
		session_udp_hang_up(sock);
		return err;
	}
	udp_table_init(sock->table, table_secret(), lcore_clock_ms());
	sock->port = socket_port(sock);
	*out = sock;
	return 0;
}

uint16_t session_udp_dial_port(const struct udp_socket *sock)
{
	return sock->port;
}

void session_udp_hang_up(struct udp_socket *sock)
{
	if (sock == NULL)
		return;
	if (sock->lfd.fd >= 0)
		close(sock->lfd.fd);
	free(sock->table);
	free(sock->out);
	free(sock);
}

void udp_socket_start(struct lcore *lc, struct udp_socket *sock)
{
	sock->registered = lcore_fd_add(lc, &sock->lfd, EPOLLIN) == 0;
}

void udp_socket_stop(struct lcore *lc, struct udp_socket *sock)
{
	if (sock->registered)
		lcore_fd_del(lc, &sock->lfd);
	sock->registered = false;
}

static const struct udp_socket *socket_of(unsigned worker, unsigned family)
{
	const struct udp_worker *uw = udp_worker_get(worker);

	if (uw == NULL || (family != AF_INET && family != AF_INET6))
		return NULL;
	return &uw->sockets[family == AF_INET ? UDP_IP4 : UDP_IP6];
}

uint16_t session_udp_port(unsigned worker, unsigned family)
{
	const struct udp_socket *sock = socket_of(worker, family);

	return sock != NULL && sock->lfd.fd >= 0 ? sock->port : 0;
}

bool session_udp_socket_view(unsigned worker, unsigned family, struct session_udp_socket_view *out)
{
	const struct udp_socket *sock = socket_of(worker, family);

	if (sock == NULL || sock->lfd.fd < 0)
		return false;
	out->port = sock->port;
#define VIEW(field) out->field = atomic_load_explicit(&sock->live.field, memory_order_relaxed)
	VIEW(datagrams_in);
	VIEW(datagrams_out);
	VIEW(calls_in);
	VIEW(calls_out);
	VIEW(groups_in);
	VIEW(foreign);
	VIEW(over_budget);
	VIEW(truncated);
	VIEW(blocked);
	VIEW(send_errors);
	VIEW(sessions);
#undef VIEW
	return true;
}

/* ---- sending: owner worker ---------------------------------------------------------------------- */

/*
 * A session's datagrams leave from the address that its peer knows, whatever route they take: NATs and
 * firewalls on the way let in only what looks like an answer.
 */
void udp_socket_control(
	struct msghdr *mh, uint8_t *buf, const struct udp_address *local, uint16_t segment_bytes)
{
	struct cmsghdr *c = (struct cmsghdr *)(void *)buf;
	size_t used;

	memset(buf, 0, UDP_CONTROL_BYTES);
	if (local->family == AF_INET) {
		struct in_pktinfo info = {0};

		memcpy(&info.ipi_spec_dst, local->ip, 4);
		*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(info)),
			.cmsg_level = IPPROTO_IP,
			.cmsg_type = IP_PKTINFO};
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		used = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = {.ipi6_ifindex = local->scope};

		memcpy(&info.ipi6_addr, local->ip, 16);
		*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(info)),
			.cmsg_level = IPPROTO_IPV6,
			.cmsg_type = IPV6_PKTINFO};
		memcpy(CMSG_DATA(c), &info, sizeof(info));
		used = CMSG_SPACE(sizeof(info));
	}
	if (segment_bytes != 0) {
		c = (struct cmsghdr *)(void *)(buf + used);
		*c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(segment_bytes)),
			.cmsg_level = IPPROTO_UDP,
			.cmsg_type = UDP_SEGMENT};
		memcpy(CMSG_DATA(c), &segment_bytes, sizeof(segment_bytes));
		used += CMSG_SPACE(sizeof(segment_bytes));
	}
	mh->msg_control = buf;
	mh->msg_controllen = used;
}

void udp_socket_send_one(struct udp_socket *sock, const struct udp_address *local,
	const struct udp_address *to, const uint8_t *datagram, size_t bytes)
{
	uint8_t control[UDP_CONTROL_BYTES] __attribute__((aligned(16)));
	struct iovec iov = {.iov_base = (uint8_t *)(uintptr_t)datagram, .iov_len = bytes};
	struct sockaddr_storage ss;
	struct msghdr mh = {.msg_name = &ss, .msg_iov = &iov, .msg_iovlen = 1};

	mh.msg_namelen = udp_address_to(to, &ss);
	udp_socket_control(&mh, control, local, 0);
	live_add(&sock->live.calls_out, 1);
	if (sendmsg(sock->lfd.fd, &mh, MSG_DONTWAIT) < 0)
		live_add(&sock->live.send_errors, 1);
	else
		live_add(&sock->live.datagrams_out, 1);
}

/* The size of the pieces a message is to be cut into, 0: it is one datagram. */
static uint16_t segment_of(const struct msghdr *mh)
{
	size_t at = CMSG_ALIGN(((const struct cmsghdr *)mh->msg_control)->cmsg_len);
	uint16_t bytes;

	if (at >= mh->msg_controllen)
		return 0;
	memcpy(&bytes, (const uint8_t *)mh->msg_control + at + CMSG_LEN(0), sizeof(bytes));
	return bytes;
}

/*
 * A message of many datagrams that the kernel refuses to cut: one by one then, now or never. Drivers without
 * checksums of their own refuse always (EIO), others when the path takes only shorter datagrams than the
 * device (EINVAL, EMSGSIZE).
 */
static bool send_pieces(struct udp_socket *sock, const struct msghdr *whole, uint16_t segment)
{
	struct iovec piece = {.iov_base = whole->msg_iov->iov_base};
	size_t left = whole->msg_iov->iov_len;
	struct msghdr mh = *whole;
	bool any = false;

	mh.msg_iov = &piece;
	mh.msg_controllen = CMSG_ALIGN(((const struct cmsghdr *)mh.msg_control)->cmsg_len);
	for (; left != 0; left -= piece.iov_len) {
		piece.iov_len = left < segment ? left : segment;
		live_add(&sock->live.calls_out, 1);
		if (sendmsg(sock->lfd.fd, &mh, MSG_DONTWAIT) < 0) {
			live_add(&sock->live.send_errors, 1);
		} else {
			live_add(&sock->live.datagrams_out, 1);
			any = true;
		}
		piece.iov_base = (uint8_t *)piece.iov_base + piece.iov_len;
	}
	return any;
}

static void message_taken(struct udp_socket *sock, unsigned i)
{
	uint16_t segment = segment_of(&sock->messages[i].msg_hdr);
	size_t bytes = sock->iovs[i].iov_len;

	live_add(&sock->live.datagrams_out, segment == 0 ? 1 : (bytes + segment - 1) / segment);
}

/* The first message that the kernel did not take, and why. False: it has to wait. */
static bool message_failed(
	struct udp_socket *sock, int err, struct stats_traffic *sent, struct stats_traffic *failed)
{
	const struct msghdr *mh = &sock->messages[sock->at].msg_hdr;
	const struct stats_traffic *traffic = &sock->traffic[sock->at];
	uint16_t segment;

	if (err == EAGAIN || err == ENOBUFS)
		return false;
	segment = segment_of(mh);
	sock->at++;
	if (segment != 0 && (err == EIO || err == EINVAL || err == EMSGSIZE || err == EOPNOTSUPP)) {
		sock->no_segments |= err == EIO || err == EOPNOTSUPP;
		stats_traffic_add(send_pieces(sock, mh, segment) ? sent : failed, traffic);
		return true;
	}
	live_add(&sock->live.send_errors, 1);
	stats_traffic_add(failed, traffic);
	return true;
}

bool udp_socket_push(struct lcore *lc, struct udp_socket *sock, struct stats_traffic *sent,
	struct stats_traffic *failed)
{
	while (sock->at < sock->cnt) {
		int n = sendmmsg(sock->lfd.fd, &sock->messages[sock->at], sock->cnt - sock->at,
			MSG_DONTWAIT);
		int err = errno;

		live_add(&sock->live.calls_out, 1);
		for (int i = 0; i < n; i++) {
			message_taken(sock, sock->at);
			stats_traffic_add(sent, &sock->traffic[sock->at++]);
		}
		if (n < 0 && err != EINTR && !message_failed(sock, err, sent, failed)) {
			live_add(&sock->live.blocked, 1);
			(void)lcore_fd_mod(lc, &sock->lfd, EPOLLIN | EPOLLOUT);
			return false;
		}
	}
	sock->at = sock->cnt = 0;
	return true;
}
