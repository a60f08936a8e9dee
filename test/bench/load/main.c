/* SPDX-License-Identifier: BSD-3-Clause */
/* patchbay-bench: the phases of a run, and the loop under them. See load.h. */

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "test/bench/load/dial.h"
#include "test/bench/load/report.h"
#include "test/bench/load/udp.h"
#include "test/bench/load/zlib_alone.h"

#define EVENTS_MAX     256
#define SWEEP_NS       100000000u
#define PROGRESS_NS    1000000000u
#define LOGIN_NS       120000000000u /* for all, without any progress */
#define ANNOUNCE_NS    1000000000u   /* then again, who was not heard */
#define ANNOUNCE_BURST 64u	     /* told and not yet heard */
#define LEARN_NS       30000000000u  /* without hearing anybody new */
#define DRAIN_NS       500000000u    /* without a frame: nothing comes any more */
#define DRAIN_MAX_NS   10000000000u
#define UDP_NS	       20000000000u /* ready after 10 to 11 s (wire.md 7.5) */
#define SETTLE_NS      200000000u

static uint64_t sweep_ns, progress_ns;
static volatile sig_atomic_t interrupted;

__attribute__((noreturn)) static void die(const char *what)
{
	fprintf(stderr, "patchbay-bench: %s: %s\n", what, strerror(errno));
	exit(1);
}

void load_failed(struct load *l, const char *what, const char *why)
{
	if (l->failed++ == 0)
		snprintf(l->failure, sizeof(l->failure), "%s: %s", what, why);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static void watch_control(struct load *l, int op, int fd, struct watch *w, uint32_t events)
{
	struct epoll_event ev = {.events = events, .data.ptr = w};

	if (epoll_ctl(l->epoll_fd, op, fd, &ev) != 0)
		die("epoll_ctl");
}

void load_watch(struct load *l, int fd, struct watch *w, uint32_t events)
{
	watch_control(l, EPOLL_CTL_ADD, fd, w, events);
}

void load_watch_change(struct load *l, int fd, struct watch *w, uint32_t events)
{
	watch_control(l, EPOLL_CTL_MOD, fd, w, events);
}

void load_unwatch(struct load *l, int fd)
{
	watch_control(l, EPOLL_CTL_DEL, fd, NULL, 0);
}

static void flush_ready(struct load *l)
{
	struct peer_ready now = TAILQ_HEAD_INITIALIZER(now);
	struct peer *p;

	/* Those that queue themselves again have their turn behind the sockets. */
	TAILQ_CONCAT(&now, &l->ready, entry);
	while ((p = TAILQ_FIRST(&now)) != NULL) {
		TAILQ_REMOVE(&now, p, entry);
		p->queued = false;
		peer_flush(l, p);
	}
}

/* With a rate it spins: to be woken would make it late. */
static int wait_ms(const struct load *l)
{
	if (!TAILQ_EMPTY(&l->ready) || (l->traffic.running && l->opt->rate != 0))
		return 0;
	return 20;
}

static void housekeeping(struct load *l)
{
	if (l->now_ns < sweep_ns)
		return;
	sweep_ns = l->now_ns + SWEEP_NS;
	traffic_sweep(l);
	for (unsigned i = 0; i < l->opt->sessions; i++)
		peer_keepalive(l, &l->peers[i]);
}

static void turn(struct load *l)
{
	struct epoll_event events[EVENTS_MAX];
	uint64_t before = load_clock_ns();
	int n = epoll_wait(l->epoll_fd, events, EVENTS_MAX, wait_ms(l));

	l->now_ns = load_clock_ns();
	l->wait_ns += l->now_ns - before;
	if (n < 0 && errno != EINTR)
		die("epoll_wait");
	/* An end takes only the own descriptor out of the set, so no event of this batch is stale. */
	for (int i = 0; i < n; i++) {
		struct watch *w = events[i].data.ptr;

		w->ready(l, w, events[i].events);
	}
	l->now_ns = load_clock_ns();
	traffic_pace(l);
	flush_ready(l);
	housekeeping(l);
}

static void progress(struct load *l, const char *phase)
{
	static uint64_t frames;
	struct tm tm;
	time_t now = time(NULL);

	if (l->opt->quiet || l->now_ns < progress_ns)
		return;
	progress_ns = l->now_ns + PROGRESS_NS;
	localtime_r(&now, &tm);
	fprintf(stderr,
		"[%02d:%02d:%02d] %s: %u of %u sessions, %u connections, %.3f million frames/s\n",
		tm.tm_hour, tm.tm_min, tm.tm_sec, phase, l->sessions, l->opt->sessions, l->members,
		(double)(l->traffic.sums.frames - frames) / 1e6);
	frames = l->traffic.sums.frames;
}

static void turns(struct load *l, uint64_t ns, const char *phase)
{
	for (uint64_t end = load_clock_ns() + ns; load_clock_ns() < end && !interrupted;) {
		turn(l);
		progress(l, phase);
	}
}

/* ---- phases ---------------------------------------------------------------------------------- */

static void log_in(struct load *l)
{
	uint64_t moved_ns = load_clock_ns();
	unsigned next = 0, seen = 0;

	while (!interrupted && (next < l->opt->sessions || l->dials != 0)) {
		while (next < l->opt->sessions && l->dials < l->opt->parallel)
			dial_start(l, &l->peers[next++]);
		turn(l);
		progress(l, "logging in");
		if (seen != l->sessions + l->failed) {
			seen = l->sessions + l->failed;
			moved_ns = l->now_ns;
		}
		if (l->now_ns - moved_ns > LOGIN_NS) {
			load_failed(l, "login", "the server does not answer");
			return;
		}
	}
}

static void connect_more(struct load *l)
{
	for (unsigned c = 1; c < l->opt->connections; c++) {
		unsigned next = 0;

		while (!interrupted && (next < l->opt->sessions || l->dials != 0)) {
			while (next < l->opt->sessions && l->dials < l->opt->parallel) {
				struct peer *p = &l->peers[next++];

				if (p->logged_in && c < p->granted)
					dial_start(l, p);
			}
			turn(l);
			progress(l, "connecting");
		}
	}
}

static void ask(struct load *l, struct peer *p)
{
	p->announce = true;
	peer_ready(l, p);
}

/*
 * Until session 1 has heard session 0, which a hub learns before it sends it on. A broadcast goes to everybody, who
 * may be thousands, so there is one a second and not one more than is needed.
 */
static void learn_first(struct load *l)
{
	const uint64_t end = load_clock_ns() + LEARN_NS;
	uint64_t again = 0;

	while (!interrupted && !l->traffic.first_heard && l->lost == 0) {
		if (l->now_ns >= again) {
			ask(l, &l->peers[0]);
			again = l->now_ns + ANNOUNCE_NS;
		}
		turn(l);
		progress(l, "telling the hub the first address");
		if (l->now_ns > end) {
			load_failed(l, "learning", "session 1 does not hear session 0");
			return;
		}
	}
}

/*
 * All others tell session 0, whose address is known, so that nothing of it is flooded: who has been heard there has
 * been learned. A few at a time; those of whom nothing was heard for a second tell again.
 */
static void learn_others(struct load *l)
{
	struct traffic *t = &l->traffic;
	uint64_t moved = load_clock_ns(), again = moved + ANNOUNCE_NS;
	unsigned asked = 0, heard = 0;
	char why[80];

	while (!interrupted && t->announced + 1 < l->sessions && l->lost == 0) {
		if (heard != t->announced) {
			heard = t->announced;
			moved = l->now_ns;
			again = moved + ANNOUNCE_NS;
		}
		while (asked + 1 < l->sessions && asked - heard < ANNOUNCE_BURST)
			ask(l, &l->peers[++asked]);
		for (unsigned i = 1; l->now_ns >= again && i <= asked; i++) {
			if (!l->peers[i].announced)
				ask(l, &l->peers[i]);
		}
		if (l->now_ns >= again)
			again = l->now_ns + ANNOUNCE_NS;
		turn(l);
		progress(l, "telling the hub the addresses");
		if (l->now_ns - moved > LEARN_NS) {
			snprintf(why, sizeof(why), "session 0 hears %u of %u others", heard,
				l->sessions - 1);
			load_failed(l, "learning", why);
			return;
		}
	}
}

static void learn(struct load *l)
{
	if (l->sessions == 1) {
		ask(l, &l->peers[0]);
		return;
	}
	learn_first(l);
	learn_others(l);
}

/* Until frames go by UDP in both directions: the server's answer is judged by what comes. */
static void udp_wait(struct load *l)
{
	uint64_t end = load_clock_ns() + UDP_NS;
	unsigned ready = 0;

	while (!interrupted && ready < l->opt->sessions) {
		turn(l);
		progress(l, "waiting for UDP acceleration");
		ready = 0;
		for (unsigned i = 0; i < l->opt->sessions; i++)
			ready += udp_ready(l, &l->peers[i]);
		if (l->now_ns > end) {
			load_failed(l, "UDP acceleration", "it did not come into use");
			return;
		}
	}
	turns(l, SETTLE_NS * 5,
		"waiting for UDP acceleration"); /* the server's side may be later */
}

static void drain(struct load *l)
{
	uint64_t end, frames = l->traffic.sums.frames, moved;

	l->now_ns = moved = load_clock_ns();
	end = moved + DRAIN_MAX_NS;
	l->traffic.running = false;
	while (!interrupted && !traffic_complete(l) && l->now_ns < end &&
		l->now_ns - moved < DRAIN_NS) {
		turn(l);
		progress(l, "draining");
		if (frames != l->traffic.sums.frames) {
			frames = l->traffic.sums.frames;
			moved = l->now_ns;
		}
	}
}

static void measure(struct load *l, struct report *r)
{
	traffic_start(l);
	if (l->opt->count == 0)
		turns(l, (uint64_t)(l->opt->warmup_s * 1e9), "warming up");
	traffic_measure(l, true);
	moment_take(l, &r->begin);
	if (l->opt->count == 0) {
		turns(l, (uint64_t)(l->opt->seconds * 1e9), "measuring");
	} else {
		uint64_t frames = 0, moved = load_clock_ns();

		while (!interrupted && !traffic_complete(l) &&
			load_clock_ns() - moved < DRAIN_MAX_NS) {
			turn(l);
			progress(l, "measuring");
			if (frames != l->traffic.sums.frames) {
				frames = l->traffic.sums.frames;
				moved = l->now_ns;
			}
		}
	}
	traffic_measure(l, false);
	moment_take(l, &r->end);
	drain(l);
}

static void run(struct load *l, struct report *r)
{
	moment_take(l, &r->login_begin);
	log_in(l);
	moment_take(l, &r->login_end);
	connect_more(l);
	if (l->opt->pattern == PATTERN_IDLE || l->opt->pid != 0)
		turns(l,
			l->opt->pattern == PATTERN_IDLE ? (uint64_t)(l->opt->seconds * 1e9)
							: SETTLE_NS,
			"idle");
	moment_take(l, &r->idle);
	if (l->failed != 0 || l->opt->pattern == PATTERN_IDLE)
		return;
	if (l->opt->udp != 0)
		udp_wait(l);
	if (l->failed == 0)
		learn(l);
	if (l->failed == 0)
		measure(l, r);
}

/* ---- start ----------------------------------------------------------------------------------- */

static SSL_CTX *context(const struct options *opt)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	int ok = ctx != NULL;

	if (ok && opt->tls_version != 0)
		ok = SSL_CTX_set_min_proto_version(ctx, opt->tls_version) == 1 &&
			SSL_CTX_set_max_proto_version(ctx, opt->tls_version) == 1;
	/* One name serves both: a suite of TLS 1.3 (which are capital letters and underlines), or a list. */
	if (ok && opt->cipher != NULL)
		ok = strncmp(opt->cipher, "TLS_", 4) == 0
			? SSL_CTX_set_ciphersuites(ctx, opt->cipher) == 1
			: SSL_CTX_set_cipher_list(ctx, opt->cipher) == 1;
	if (!ok) {
		fprintf(stderr,
			"patchbay-bench: --cipher %s: OpenSSL has no such suite; "
			"`openssl ciphers -v` lists them\n",
			opt->cipher != NULL ? opt->cipher : "");
		exit(2);
	}
	return ctx;
}

static void pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		die("--cpu");
}

/* A descriptor for each connection, as far as this process may have them. */
static void files(const struct options *opt)
{
	struct rlimit limit;
	rlim_t wanted = (rlim_t)opt->sessions * opt->connections + 64;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted)
		return;
	limit.rlim_cur = wanted;
	if (limit.rlim_max < wanted)
		limit.rlim_max = wanted;
	if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
		die("so many connections (RLIMIT_NOFILE)");
}

static void interrupt(int signal_number)
{
	interrupted = signal_number;
}

static void start(struct load *l, const struct options *opt)
{
	uint32_t run;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	pin(opt->cpu);
	files(opt);
	prctl(PR_SET_TIMERSLACK, 1000ul, 0, 0, 0);
	if (RAND_bytes((uint8_t *)&run, sizeof(run)) != 1)
		die("random numbers");
	frames_init(opt->fill, run);
	l->opt = opt;
	l->ctx = context(opt);
	l->io = stream_io_create();
	l->z = zblock_create();
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	l->plain = malloc(BLOCK_RX_PARTIAL_BYTES + LOAD_PLAIN_BYTES);
	l->peers = calloc(opt->sessions, sizeof(*l->peers));
	if (l->io == NULL || l->z == NULL || l->epoll_fd < 0 || l->plain == NULL ||
		l->peers == NULL)
		die("start");
	TAILQ_INIT(&l->ready);
	for (unsigned i = 0; i < opt->sessions; i++)
		l->peers[i].index = i;
	traffic_init(l);
	l->now_ns = load_clock_ns();
}

static void finish(struct load *l)
{
	for (unsigned i = 0; i < l->opt->sessions; i++) {
		peer_close(l, &l->peers[i]);
		free(l->peers[i].echoes);
	}
	free(l->peers);
	free(l->plain);
	free(l->traffic.senders);
	close(l->epoll_fd);
	zblock_destroy(l->z);
	stream_io_destroy(l->io);
	SSL_CTX_free(l->ctx);
}

int main(int argc, char **argv)
{
	static struct load load;
	static struct report report;
	static struct options opt;

	options_parse(&opt, argc, argv);
	if (opt.zlib_alone) {
		pin(opt.cpu);
		return zlib_alone(&opt);
	}
	start(&load, &opt);
	run(&load, &report);
	report_judge(&load, &report);
	if (opt.json)
		report_json(&load, &report);
	else
		report_text(&load, &report);
	finish(&load);
	if (load.failed != 0)
		fprintf(stderr, "patchbay-bench: %u failures, the first: %s\n", load.failed,
			load.failure);
	return load.failed != 0 || interrupted ? 1 : 0;
}
