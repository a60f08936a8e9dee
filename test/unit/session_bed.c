/* SPDX-License-Identifier: BSD-3-Clause */
/* See session_bed.h. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <rte_eal.h>
#include <zlib.h>

#include "dataplane/grace.h"
#include "dataplane/lcore.h"
#include "drivers/session/session_udp.h"
#include "test/unit/session_bed.h"

#define PEERS_MAX 48u

struct hub *bed_hub;
struct bed_modes bed_modes;
static struct stream_io *control_io;
static struct bed_peer *peers[PEERS_MAX];
static uint64_t next_id = 1;

static void start(bool udp)
{
	char *argv[] = {"session_test", "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry",
		"-m", "256", "--log-level=*:error", "--lcores=0@0,1@0,2@1"};
	struct lcore_conf conf = {.workers = 2, .poll = LCORE_POLL_ADAPTIVE, .spin_us = 10};

	assert_true(rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv) >= 0);
	assert_int_equal(lcore_init(&conf), 0);
	assert_int_equal(session_driver_init(16 << 20), 0);
	if (udp)
		assert_int_equal(session_udp_open(0), 0);
	assert_int_equal(lcore_start(), 0);
	control_io = stream_io_create();
	assert_non_null(control_io);
}

void bed_start(void)
{
	start(false);
}

void bed_start_udp(void)
{
	start(true);
}

void bed_stop(void)
{
	while (grace_poll() != 0)
		bed_pump();
	lcore_stop();
	session_udp_close();
	session_driver_fini();
	lcore_fini();
	stream_io_destroy(control_io);
	tls_peer_cleanup();
	(void)rte_eal_cleanup();
}

void bed_hub_open(void)
{
	struct hub_conf conf = {.max_macs = 1024, .mac_age_s = 600};

	bed_hub = hub_create(&conf);
	assert_non_null(bed_hub);
	hub_set_online(bed_hub, true);
}

static bool quiet(void *)
{
	return lcore_quiet() && hub_members(bed_hub) == 0;
}

static void hub_gone(void *arg)
{
	*(bool *)arg = true;
}

static bool is_true(void *arg)
{
	return *(bool *)arg;
}

static void books_balance(const struct stats_block *b)
{
	uint64_t in = b->switched + b->flooded, out = stats_sent_frames(b);

	for (unsigned i = 0; i < STATS_DROP_IN_CNT; i++)
		in += b->drop_in[i];
	for (unsigned i = 0; i < STATS_DROP_OUT_CNT; i++)
		out += b->drop_out[i];
	assert_int_equal(stats_in_frames(b), in);
	assert_int_equal(b->copies, out);
}

void bed_hub_close(void)
{
	struct stats_block sum;
	bool gone = false;

	assert_true(bed_wait(quiet, NULL));
	hub_stats(bed_hub, &sum);
	books_balance(&sum);
	for (unsigned i = 0; i < lcore_count(); i++) {
		struct lcore_view v;

		lcore_view(i, &v);
		books_balance(&v.stats);
	}
	assert_int_equal(hub_destroy(bed_hub, hub_gone, &gone), 0);
	assert_true(bed_wait(is_true, &gone));
	bed_hub = NULL;
}

/* ---- time ------------------------------------------------------------------------------------- */

uint64_t bed_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

void bed_sleep_ms(unsigned ms)
{
	struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	nanosleep(&ts, NULL);
}

/* ---- peers ------------------------------------------------------------------------------------ */

static void peer_frame(struct bed_peer *p, const struct block_span *span)
{
	uint8_t frame[BLOCK_FRAME_MAX];
	uLongf len = sizeof(frame);
	const uint8_t *data = span->data;

	if (p->rx.compressed) {
		assert_int_equal(uncompress(frame, &len, span->data, span->len), Z_OK);
		data = frame;
	} else {
		len = span->len;
	}
	p->got[p->frames].len = (uint16_t)len;
	memcpy(p->last, data, len < sizeof(p->last) ? len : sizeof(p->last));
	if (len >= 18)
		p->got[p->frames].number = be32_get(data + 14);
	p->frames++;
}

static void peer_parse(struct bed_peer *p)
{
	struct block_span spans[64];
	struct block_rx_result res;
	size_t used = 0;

	do {
		block_rx_parse(&p->rx, p->plain + used, p->plain_bytes - used, spans, 64, &res);
		for (unsigned i = 0; i < res.count; i++) {
			assert_true(p->frames < BED_FRAMES_MAX);
			peer_frame(p, &spans[i]);
		}
		if (res.keepalive.data != NULL) {
			assert_true(res.keepalive.len <= BLOCK_KEEPALIVE_SEND);
			p->keepalives++;
		}
		used += res.consumed;
	} while (res.status == BLOCK_RX_AGAIN);
	assert_int_equal(res.status, BLOCK_RX_MORE);
	p->plain_bytes -= used;
	memmove(p->plain, p->plain + used, p->plain_bytes);
}

static void peer_read(struct bed_peer *p)
{
	ssize_t n;

	do {
		n = tls_peer_read(
			&p->tls, p->plain + p->plain_bytes, sizeof(p->plain) - p->plain_bytes);
		p->plain_bytes += n;
		peer_parse(p);
	} while (n > 0);
}

/* A TCP connection over loopback: the end that was accepted does not block, the other one as *flags say. */
static void tcp_pair(int *ours, int *theirs, int flags)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t addr_size = sizeof(addr);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &addr_size), 0);
	*theirs = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(*theirs, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(fcntl(*theirs, F_SETFL, flags), 0);
	*ours = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
	assert_true(*ours >= 0);
	close(listener);
}

static int handshake_step(struct stream *s)
{
	int ret;

	(void)stream_fill(s, control_io);
	ret = stream_handshake(s, control_io);
	assert_true(ret == 0 || ret == -EAGAIN);
	assert_true(stream_send(s, control_io) >= 0);
	return ret;
}

struct stream_io *bed_io(void)
{
	return control_io;
}

void bed_connect_both(struct stream **server, struct stream **client)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int ours, theirs, at_server = -EAGAIN, at_client = -EAGAIN;

	tcp_pair(&ours, &theirs, O_NONBLOCK);
	*server = stream_tls_accept(tls_peer_server_ctx(), ours);
	*client = stream_tls_connect(ctx, theirs, NULL);
	SSL_CTX_free(ctx);
	assert_true(*server != NULL && *client != NULL);
	for (int i = 0; i < 5000 && (at_server != 0 || at_client != 0); i++) {
		if (at_client != 0)
			at_client = handshake_step(*client);
		if (at_server != 0)
			at_server = handshake_step(*server);
	}
	assert_int_equal(at_server | at_client, 0);
	if (bed_modes.raw) {
		assert_int_equal(stream_go_raw(*server), 0);
		assert_int_equal(stream_go_raw(*client), 0);
	}
	assert_int_equal(stream_park(*server, control_io), 0);
	assert_int_equal(stream_park(*client, control_io), 0);
}

struct stream *bed_connect(struct bed_peer *p, int version)
{
	int ours, theirs, ret = -EAGAIN, peer_ret = 0;
	struct stream *s;

	tcp_pair(&ours, &theirs, 0);
	memset(p, 0, sizeof(*p));
	block_rx_init(&p->rx, bed_modes.compress);
	tls_peer_attach(&p->tls, version, theirs);
	s = stream_tls_accept(tls_peer_server_ctx(), ours);
	assert_non_null(s);
	for (int i = 0; i < 1000 && (ret != 0 || peer_ret != 1); i++) {
		struct pollfd pfd[2] = {
			{.fd = ours, .events = POLLIN}, {.fd = theirs, .events = POLLIN}};

		peer_ret = tls_peer_handshake(&p->tls);
		if (stream_fill(s, control_io) < 0 && ret != 0)
			(void)poll(pfd, 2, 10);
		ret = stream_handshake(s, control_io);
		assert_true(ret == 0 || ret == -EAGAIN);
		assert_true(stream_send(s, control_io) >= 0);
	}
	assert_int_equal(ret, 0);
	assert_int_equal(peer_ret, 1);
	if (bed_modes.raw)
		assert_int_equal(stream_go_raw(s), 0);
	p->tls.raw = bed_modes.raw;
	assert_int_equal(stream_park(s, control_io), 0);
	bed_peer_attend(p);
	return s;
}

void bed_peer_attend(struct bed_peer *p)
{
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		if (peers[i] == NULL) {
			peers[i] = p;
			return;
		}
	}
	fail_msg("too many peers");
}

void bed_peer_neglect(struct bed_peer *p)
{
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		if (peers[i] == p)
			peers[i] = NULL;
	}
}

void bed_peer_close(struct bed_peer *p)
{
	bed_peer_neglect(p);
	tls_peer_close(&p->tls);
}

size_t bed_frame(uint8_t *buf, unsigned dst, unsigned src, uint32_t number, size_t len)
{
	memset(buf, 0, len);
	if (dst == 0) {
		memset(buf, 0xff, 6);
	} else {
		buf[0] = 0x02;
		buf[5] = (uint8_t)dst;
	}
	buf[6] = 0x02;
	buf[11] = (uint8_t)src;
	if (len >= 14)
		be16_put(buf + 12, 0x88b5); /* local experimental */
	if (len >= 18)
		be32_put(buf + 14, number);
	return len;
}

/* One group of at most a record; returns its bytes and how many frames it holds. */
static size_t group_make(
	uint8_t *buf, unsigned dst, unsigned src, uint32_t first, unsigned *cnt, size_t len)
{
	uint8_t *at = buf + BLOCK_GROUP_HEADER;
	unsigned n = 0;

	while (n < *cnt && at + BLOCK_HEADER + len + 32 <= buf + STREAM_RECORD_BYTES) {
		uint8_t frame[BLOCK_SIZE_MAX];
		uLongf bytes = len + 32;

		bed_frame(frame, dst, src, first + n, len);
		for (size_t i = 18; bed_modes.noise && i < len; i++)
			frame[i] = (uint8_t)random();
		if (!bed_modes.compress) {
			bytes = len;
			memcpy(at + BLOCK_HEADER, frame, len);
		} else {
			assert_int_equal(compress(at + BLOCK_HEADER, &bytes, frame, len), Z_OK);
		}
		at = block_put_size(at, (uint32_t)bytes) + bytes;
		n++;
	}
	block_put_group(buf, n);
	*cnt = n;
	return (size_t)(at - buf);
}

void bed_send_frames(
	struct bed_peer *p, unsigned dst, unsigned src, uint32_t first, unsigned cnt, size_t len)
{
	uint8_t buf[STREAM_RECORD_BYTES];

	while (cnt > 0) {
		unsigned n = cnt;
		size_t bytes = group_make(buf, dst, src, first, &n, len);

		tls_peer_write(&p->tls, buf, bytes);
		first += n;
		cnt -= n;
	}
}

void bed_try_frames(struct bed_peer *p, unsigned dst, unsigned src, unsigned cnt, size_t len)
{
	uint8_t buf[STREAM_RECORD_BYTES];
	size_t bytes = group_make(buf, dst, src, 0, &cnt, len);

	tls_peer_try_write(&p->tls, buf, bytes);
}

void bed_send_keepalive(struct bed_peer *p)
{
	uint8_t buf[BLOCK_KEEPALIVE_HEADER + 5] = {0};

	block_put_keepalive(buf, 5);
	tls_peer_write(&p->tls, buf, sizeof(buf));
}

/* ---- sessions --------------------------------------------------------------------------------- */

/* What the control plane's linger list does, without waiting. */
static void on_connection_ended(void *ctx, uint64_t id, enum session_end why, struct stream *stream)
{
	struct bed_session *bs = ctx;
	unsigned i = bs->connections_ended++;

	assert_false(bs->ended);
	assert_true(i < BED_ENDS_MAX);
	bs->connection_id[i] = id;
	bs->connection_why[i] = why;
	bs->stream_given[i] = stream != NULL;
	if (stream != NULL)
		(void)stream_send(stream, control_io);
	stream_close(stream);
}

static void on_ended(void *ctx, enum session_end why, const struct session_counters *final)
{
	struct bed_session *bs = ctx;

	assert_false(bs->ended);
	bs->ended = true;
	bs->why = why;
	bs->final = *final;
	books_balance(&final->port);
	bs->s = NULL;
}

static void on_wanted(void *ctx)
{
	((struct bed_session *)ctx)->wanted++;
}

static const struct session_callbacks callbacks = {
	.connection_ended = on_connection_ended,
	.ended = on_ended,
	.connection_wanted = on_wanted,
};

void bed_open(struct bed_session *bs, struct bed_peer *p, unsigned worker, uint32_t timeout_ms)
{
	bed_open_many(bs, p, worker, timeout_ms, 1);
}

int bed_add(struct bed_session *bs, struct stream *stream, uint64_t id,
	enum session_direction direction)
{
	struct session_connection *place;
	int err = session_reserve(bs->s, &place);

	if (err == 0)
		session_add(bs->s, place, stream, id, direction);
	return err;
}

void bed_open_many(struct bed_session *bs, struct bed_peer *p, unsigned worker, uint32_t timeout_ms,
	unsigned connections)
{
	bed_open_conf(bs, p,
		&(struct session_conf){.worker = worker,
			.timeout_ms = timeout_ms,
			.max_connections = (uint8_t)connections});
}

void bed_open_conf(struct bed_session *bs, struct bed_peer *p, const struct session_conf *wish)
{
	struct session_conf conf = *wish;

	conf.hub = bed_hub;
	conf.compress = bed_modes.compress;
	conf.port_flags = PORT_F_FLOOD_QUOTA;
	conf.cb = &callbacks;
	conf.ctx = bs;
	memset(bs, 0, sizeof(*bs));
	assert_int_equal(session_create(&conf, &bs->s), 0);
	if (p == NULL)
		return;
	session_open(bs->s, bed_connect(p, TLS1_3_VERSION), next_id++);
}

static bool session_ended(void *arg)
{
	return ((struct bed_session *)arg)->ended;
}

void bed_end(struct bed_session *bs, enum session_end why)
{
	session_end(bs->s, why);
	assert_true(bed_wait(session_ended, bs));
	assert_int_equal(bs->why, why);
}

void bed_pump(void)
{
	struct pollfd pfd = {.fd = lcore_events_fd(), .events = POLLIN};

	(void)poll(&pfd, 1, 1);
	(void)lcore_events_run(64);
	(void)grace_poll();
	for (unsigned i = 0; i < PEERS_MAX; i++) {
		if (peers[i] != NULL)
			peer_read(peers[i]);
	}
}

/* Longer than anything takes where a dozen others want the CPU, too. */
#define WAIT_MS 40000u

bool bed_wait(bool (*cond)(void *arg), void *arg)
{
	uint64_t until = bed_now_ms() + WAIT_MS;

	while (!cond(arg)) {
		if (bed_now_ms() > until)
			return false;
		bed_pump();
	}
	return true;
}
