/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What compressing sessions add to the round trip of others on their worker (issue 4: not more than a few milliseconds),
 * in both ways that blocks are worked on, each beside the same load without compression and beside what the budget of
 * session_zip.c is there to prevent: the same load without it.
 *
 *	set at full rate, all on worker 1:        two sessions in a hub of their own, on worker 1, too:
 *	  inflating: all of them send               one -- worker 1 -- other, and back
 *	  deflating: the first floods to all others
 *
 * Time is what the worker had its CPU for between a frame's way into the one socket and out of the other, so that a
 * machine that is busy with other things adds little; and of it the median of many, of which the best of some rounds
 * counts. What a turn may cost is asked of this machine, too.
 */

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#include "drivers/session/session_priv.h"
#include "test/unit/session_pair.h"
#include "test/unit/session_two.h"

#define WORKER	    1u
#define SET	    6u	/* sessions of a set */
#define PINGS	    15u /* for a median */
#define ROUNDS	    6u	/* at most: a machine that is busy is asked again */
#define FULL_BYTES  1514u
#define FULL_FRAMES 10u /* in a record */
#define LEG_GAP_US  5000u
#define QUEUE_BYTES 131072 /* of a socket: two recvs, so that a set is gone soon after it stops */

/* Sessions that are kept busy together, in a hub of their own. */
struct set {
	struct hub *hub;
	unsigned senders; /* the first ones; the others only receive */
	struct bed_session s[SET];
	struct bed_peer p[SET];
	size_t at[SET];		    /* of the record that is under way */
	_Atomic uint64_t sent[SET]; /* bytes */
};

static struct set zipped, plain;
static uint8_t zipped_record[STREAM_RECORD_BYTES], plain_record[STREAM_RECORD_BYTES];
static size_t zipped_bytes, plain_bytes;

/* ---- what the worker is told ------------------------------------------------------------------- */

static clockid_t worker_clock;
static int64_t usual_share;
static atomic_bool told;

static void share_set(struct lcore *, struct lcore_msg *msg)
{
	struct session_worker *w = session_worker_get(WORKER);

	pthread_getcpuclockid(pthread_self(), &worker_clock);
	if (usual_share == 0)
		usual_share = w->zip_share;
	w->zip_share = msg->u[0] ? INT64_MAX / 2 : usual_share;
	w->zip_left[ZIP_IN] = w->zip_left[ZIP_OUT] = w->zip_share;
	atomic_store(&told, true);
}

static void budget(bool given)
{
	atomic_store(&told, false);
	assert_int_equal(lcore_msg_reserve(lcore_get(WORKER), 1), 0);
	lcore_msg_post(lcore_get(WORKER), &(struct lcore_msg){.fn = share_set, .u = {!given}});
	while (!atomic_load(&told))
		bed_sleep_ms(1);
}

static double clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

/* ---- a set and who keeps it busy --------------------------------------------------------------- */

static pthread_t driver_thread;
static _Atomic(struct set *) driven;
static atomic_bool driver_over;

static void feed(struct set *set, unsigned i)
{
	const uint8_t *record = set == &zipped ? zipped_record : plain_record;
	size_t bytes = set == &zipped ? zipped_bytes : plain_bytes;
	ssize_t n;

	do {
		n = send(set->p[i].tls.fd, record + set->at[i], bytes - set->at[i],
			MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n > 0) {
			set->at[i] = (set->at[i] + (size_t)n) % bytes;
			atomic_fetch_add(&set->sent[i], (uint64_t)n);
		}
	} while (n > 0);
}

static void *drive(void *)
{
	static uint8_t sink[262144];
	struct pollfd pfd[SET];

	while (!atomic_load(&driver_over)) {
		struct set *set = atomic_load(&driven);

		if (set == NULL) {
			bed_sleep_ms(1);
			continue;
		}
		for (unsigned i = 0; i < SET; i++)
			pfd[i] = (struct pollfd){.fd = set->p[i].tls.fd,
				.events = i < set->senders ? POLLIN | POLLOUT : POLLIN};
		(void)poll(pfd, SET, 10);
		for (unsigned i = 0; i < SET; i++) {
			if (pfd[i].revents & POLLIN)
				(void)recv(pfd[i].fd, sink, sizeof(sink), MSG_DONTWAIT);
			if (pfd[i].revents & POLLOUT)
				feed(set, i);
		}
	}
	return NULL;
}

/* Nobody sends any more, and the worker has taken all that was sent. */
static bool is_taken(void *arg)
{
	const struct set *set = arg;
	struct session_counters now;

	for (unsigned i = 0; i < set->senders; i++) {
		session_view(set->s[i].s, &now);
		if (now.wire_bytes_in < atomic_load(&set->sent[i]))
			return false;
	}
	return true;
}

static void switch_to(struct set *set)
{
	struct set *before = atomic_exchange(&driven, set);

	bed_sleep_ms(20); /* a round of the driver's may be under way */
	if (before != NULL && before != set)
		assert_true(bed_wait(is_taken, before));
	bed_sleep_ms(50);
}

static void set_open(struct set *set, bool compress, unsigned senders)
{
	const struct session_conf conf = {
		.worker = WORKER, .timeout_ms = 60000, .max_connections = 1};
	const int bytes = QUEUE_BYTES;

	memset(set, 0, sizeof(*set));
	set->senders = senders;
	bed_hub_open();
	set->hub = bed_hub;
	for (unsigned i = 0; i < SET; i++) {
		struct stream *stream;

		/* Who floods to all others does not compress himself: one way at a time. */
		bed_modes = (struct bed_modes){
			.raw = true, .compress = compress && (i != 0 || senders == SET)};
		bed_open_conf(&set->s[i], NULL, &conf);
		stream = bed_connect(&set->p[i], TLS1_3_VERSION);
		(void)setsockopt(stream_fd(stream), SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
		(void)setsockopt(set->p[i].tls.fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
		session_open(set->s[i].s, stream, 1000 + i);
		wait_ready(&set->p[i]);
		bed_peer_neglect(&set->p[i]); /* the driver's from now on */
	}
	bed_modes = (struct bed_modes){0};
}

static void set_close(struct set *set)
{
	for (unsigned i = 0; i < SET; i++) {
		bed_end(&set->s[i], SESSION_END_ADMIN);
		bed_peer_close(&set->p[i]);
	}
	bed_hub = set->hub;
	bed_hub_close();
}

/* ---- the round trip of others ------------------------------------------------------------------ */

static struct bed_session one, other;
static struct bed_peer at_one, at_other;
static struct hub *quiet_hub;

/* One frame from peer to peer; how long the worker had its CPU meanwhile, in ms. */
static double leg_ms(struct bed_peer *from, struct bed_peer *to, unsigned dst, unsigned src)
{
	struct pollfd pfd = {.fd = to->tls.fd, .events = POLLIN};
	double begin, end;

	to->frames = 0;
	/* At any moment of a turn: the answer before this left at the end of one. */
	usleep((useconds_t)random() % LEG_GAP_US);
	begin = clock_ms(worker_clock);
	bed_send_frames(from, dst, src, 1, 1, 60);
	do {
		assert_int_equal(poll(&pfd, 1, 60000), 1);
		end = clock_ms(worker_clock);
		bed_pump();
	} while (to->frames == 0); /* it was a keep-alive */
	return end - begin;
}

static int by_value(const void *x, const void *y)
{
	double a_ms = *(const double *)x, b_ms = *(const double *)y;

	return a_ms < b_ms ? -1 : a_ms > b_ms;
}

static double round_trip_ms(struct set *set, bool with_budget)
{
	unsigned cnt = with_budget ? PINGS : PINGS / 3; /* those are long */
	double ms[PINGS];

	budget(with_budget);
	switch_to(set);
	for (unsigned i = 0; i < cnt; i++)
		ms[i] = leg_ms(&at_one, &at_other, 2, 1) + leg_ms(&at_other, &at_one, 1, 2);
	qsort(ms, cnt, sizeof(ms[0]), by_value);
	return ms[cnt / 2];
}

static void quiet_open(void)
{
	bed_hub_open();
	quiet_hub = bed_hub;
	bed_modes.raw = true;
	bed_open(&one, &at_one, WORKER, 60000);
	bed_open(&other, &at_other, WORKER, 60000);
	bed_modes.raw = false;
	wait_ready(&at_one);
	wait_ready(&at_other);
	budget(true);
	/* The hub learns who is where. */
	(void)leg_ms(&at_one, &at_other, 0, 1);
	(void)leg_ms(&at_other, &at_one, 1, 2);
}

static void quiet_close(void)
{
	bed_end(&one, SESSION_END_ADMIN);
	bed_end(&other, SESSION_END_ADMIN);
	bed_peer_close(&at_one);
	bed_peer_close(&at_other);
	bed_hub = quiet_hub;
	bed_hub_close();
}

static double least(double so_far, double ms)
{
	return so_far < 0 || ms < so_far ? ms : so_far;
}

/* `piece_ms`: what one record takes on this machine, by which a turn may go beyond its share. */
static void judge(const char *what, double piece_ms)
{
	/*
	 * Two ways, each of which waits for half a turn and then for its own, of both shares and a piece beyond each; and
	 * two turns in which the tester had no CPU to see it.
	 */
	const double may = 5 * (2.0 + 2 * piece_ms);
	double without = -1, with = -1, unbounded = -1;
	bool good = false;

	for (unsigned i = 0; i < ROUNDS && !good; i++) {
		without = least(without, round_trip_ms(&plain, true));
		with = least(with, round_trip_ms(&zipped, true));
		unbounded = least(unbounded, round_trip_ms(&zipped, false));
		good = with - without < may && unbounded - without > 2 * (with - without);
	}
	switch_to(NULL);
	budget(true);
	print_message(
		"%s: round trip %.2f ms, beside compressing sessions %.2f, without their budget %.2f; "
		"a record %.2f ms, may add %.1f\n",
		what, without, with, unbounded, piece_ms, may);
	assert_true(good);
}

/* A record of full frames of noise. */
static size_t full_record(uint8_t *record, unsigned dst, unsigned src)
{
	uint8_t *at = record + BLOCK_GROUP_HEADER;

	for (unsigned i = 0; i < FULL_FRAMES; i++) {
		at = block_put_size(at, FULL_BYTES);
		bed_frame(at, dst, src, i, FULL_BYTES);
		for (unsigned k = 18; k < FULL_BYTES; k++)
			at[k] = (uint8_t)random();
		at += FULL_BYTES;
	}
	block_put_group(record, FULL_FRAMES);
	return (size_t)(at - record);
}

static void beside(const char *what, unsigned senders, double piece_ms)
{
	quiet_open();
	set_open(&plain, false, senders);
	set_open(&zipped, true, senders);
	judge(what, piece_ms);
	set_close(&zipped);
	set_close(&plain);
	quiet_close();
}

/* Who sends blocks of a few bytes that each are a full frame. */
static void inflating(void **)
{
	uint8_t frame[ZIP_FRAME_BYTES];
	struct zblock *z = zblock_create();
	unsigned n = dense_record(zipped_record, &zipped_bytes);
	size_t block = (zipped_bytes - BLOCK_GROUP_HEADER) / n;
	double from = clock_ms(CLOCK_THREAD_CPUTIME_ID);

	for (unsigned i = 0; i < n; i++)
		assert_true(zblock_inflate(z,
				    zipped_record + BLOCK_GROUP_HEADER + i * block + BLOCK_HEADER,
				    (uint32_t)block - BLOCK_HEADER, frame) > 0);
	from = clock_ms(CLOCK_THREAD_CPUTIME_ID) - from;
	zblock_destroy(z);
	plain_bytes = full_record(plain_record, 1, 1); /* to himself, as those */
	beside("inflating", SET, from);
}

/* Who floods to all others. */
static void deflating(void **)
{
	uint8_t out[FULL_BYTES + ZBLOCK_GROWTH];
	struct zblock *z = zblock_create();
	double from;

	plain_bytes = zipped_bytes = full_record(plain_record, 0, 1);
	memcpy(zipped_record, plain_record, plain_bytes);
	from = clock_ms(CLOCK_THREAD_CPUTIME_ID);
	for (unsigned i = 0; i < FULL_FRAMES; i++)
		zblock_deflate(z,
			plain_record + BLOCK_GROUP_HEADER + i * (BLOCK_HEADER + FULL_BYTES) +
				BLOCK_HEADER,
			FULL_BYTES, out);
	from = clock_ms(CLOCK_THREAD_CPUTIME_ID) - from;
	zblock_destroy(z);
	beside("deflating", 1, from);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		PAIR_TEST(inflating),
		PAIR_TEST(deflating),
	};
	int ret;

	bed_start();
	if (pthread_create(&driver_thread, NULL, drive, NULL) != 0)
		return EXIT_FAILURE;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	atomic_store(&driver_over, true);
	pthread_join(driver_thread, NULL);
	bed_stop();
	return ret;
}
