/* SPDX-License-Identifier: BSD-3-Clause */
/* See report.h. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "test/bench/load/peer.h"
#include "test/bench/load/report.h"

#define BUSY_SHARE 0.95	  /* of a CPU: from here on something is full */
#define LATE_NS	   200000 /* a p99 of own lateness that is not the server's fault */

void moment_take(const struct load *l, struct moment *m)
{
	struct rusage own;

	(void)process_use(l->opt->pid, &m->server);
	getrusage(RUSAGE_SELF, &own);
	m->own_cpu_s = (double)(own.ru_utime.tv_sec + own.ru_stime.tv_sec) +
		(double)(own.ru_utime.tv_usec + own.ru_stime.tv_usec) / 1e6;
	m->sums = l->traffic.sums;
	m->wire = l->wire;
	m->wait_ns = l->wait_ns;
	m->ns = load_clock_ns();
}

/* ---- what follows from the numbers ----------------------------------------------------------- */

struct rates {
	double seconds;
	double frames, bytes;
	double cpu_s;
	double wire_to_server;
	double busy; /* share of this thread's time that it did not wait */
	double server_busy;
};

static double per(double a, double b)
{
	return b > 0 ? a / b : 0;
}

static struct rates rates_of(const struct moment *a, const struct moment *b)
{
	struct rates r = {.seconds = (double)(b->ns - a->ns) / 1e9,
		.frames = (double)(b->sums.frames - a->sums.frames),
		.bytes = (double)(b->sums.bytes - a->sums.bytes),
		.cpu_s = b->server.cpu_s - a->server.cpu_s,
		.wire_to_server = (double)(b->wire.to_server - a->wire.to_server)};

	r.busy = 1 - per((double)(b->wait_ns - a->wait_ns) / 1e9, r.seconds);
	r.server_busy = per(r.cpu_s, r.seconds);
	return r;
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static void judge_fairness(const struct load *l, struct report *r)
{
	const struct traffic *t = &l->traffic;
	const bool all = l->opt->pattern == PATTERN_ONE_TO_ALL;
	unsigned cnt = all ? l->opt->sessions - 1 : t->sender_cnt;
	double seconds = (double)(r->end.ns - r->begin.ns) / 1e9;
	uint64_t *arrived = calloc(cnt + 1, sizeof(*arrived));

	if (arrived == NULL || cnt == 0 || seconds <= 0) {
		free(arrived);
		return;
	}
	for (unsigned i = 0; i < cnt; i++)
		arrived[i] = l->peers[all ? i + 1 : t->senders[i]].track.measured;
	for (unsigned i = 0; i < cnt; i++)
		r->starved += arrived[i] == 0;
	qsort(arrived, cnt, sizeof(*arrived), compare);
	r->fair_slowest = (double)arrived[0] / seconds;
	r->fair_median = (double)arrived[cnt / 2] / seconds;
	r->fair_fastest = (double)arrived[cnt - 1] / seconds;
	free(arrived);
}

static void judge_losses(const struct load *l, struct report *r)
{
	const struct traffic *t = &l->traffic;

	for (unsigned i = 0; i < l->opt->sessions; i++) {
		const struct peer *p = &l->peers[i];

		r->reordered += p->track.reordered + p->back.reordered;
		r->duplicated += p->track.duplicated + p->back.duplicated;
	}
	for (unsigned i = 0; i < t->sender_cnt; i++) {
		const struct peer *p = &l->peers[t->senders[i]];
		uint64_t made = (uint64_t)p->flow.seq * p->flow.receivers;

		r->lost += made > p->flow.arrived ? made - p->flow.arrived : 0;
		if (l->opt->echo)
			r->lost += p->track.arrived - p->back.arrived;
	}
}

static void judge_bottleneck(const struct load *l, struct report *r)
{
	struct rates rates = rates_of(&r->begin, &r->end);

	if (l->opt->pattern == PATTERN_IDLE)
		return;
	if (l->opt->rate != 0) {
		if (histogram_percentile(&l->traffic.own_late, 0.99) > LATE_NS)
			r->bottleneck = "it was late with frames that no socket held back";
		return;
	}
	if (rates.busy < BUSY_SHARE)
		return;
	if (l->opt->pid == 0)
		r->bottleneck =
			"it never waited (whether the server did is not known without --pid)";
	else if (rates.server_busy < BUSY_SHARE)
		r->bottleneck = "it never waited, and the server had time to spare";
}

void report_judge(const struct load *l, struct report *r)
{
	judge_fairness(l, r);
	judge_losses(l, r);
	judge_bottleneck(l, r);
}

/* ---- text ------------------------------------------------------------------------------------ */

static void text_logins(const struct load *l, const struct report *r)
{
	struct rates login = rates_of(&r->login_begin, &r->login_end);

	printf("%u sessions, %u connections: %.2f s, %.1f logins/s", l->sessions, l->members,
		login.seconds, per(l->sessions, login.seconds));
	if (l->opt->pid != 0)
		printf(", server CPU %.3f ms per login, memory %.1f KiB per session",
			per(login.cpu_s * 1e3, l->sessions),
			per(((double)r->idle.server.resident_bytes -
				    (double)r->login_begin.server.resident_bytes) /
					1024,
				l->sessions));
	printf("; %s\n", l->cipher);
}

static void text_latency(const struct load *l)
{
	const struct histogram *h = &l->traffic.latency;

	if (h->count != 0)
		printf("%s from when due, us: p50 %.1f  p99 %.1f  p99.9 %.1f  max %.1f  (%" PRIu64
		       ")\n",
			l->opt->echo ? "round trip" : "one way",
			(double)histogram_percentile(h, 0.5) / 1e3,
			(double)histogram_percentile(h, 0.99) / 1e3,
			(double)histogram_percentile(h, 0.999) / 1e3, (double)h->max_ns / 1e3,
			h->count);
}

void report_text(const struct load *l, const struct report *r)
{
	struct rates t = rates_of(&r->begin, &r->end);

	text_logins(l, r);
	if (l->opt->pattern == PATTERN_IDLE)
		return;
	printf("%.2f s of %s, %s bytes: %.0f frames/s, %.3f Gbit/s\n", t.seconds,
		options_pattern_name(l->opt->pattern), l->opt->label, per(t.frames, t.seconds),
		per(t.bytes * 8e-9, t.seconds));
	if (l->opt->pid != 0)
		printf("server: %.3f CPU-s/GB, %.3f CPU-s/GB on the wire, %.3f CPU-s per million frames, "
		       "%.0f%% of a CPU\n",
			per(t.cpu_s * 1e9, t.bytes), per(t.cpu_s * 1e9, t.wire_to_server),
			per(t.cpu_s * 1e6, t.frames), t.server_busy * 100);
	printf("lost %" PRIu64 ", reordered %" PRIu64 ", duplicated %" PRIu64 " of %" PRIu64
	       " sent (warm-up included)\n",
		r->lost, r->reordered, r->duplicated, l->traffic.sums.sent);
	text_latency(l);
	printf("frames/s of a session: slowest %.1f, median %.1f, fastest %.1f; %u got none\n",
		r->fair_slowest, r->fair_median, r->fair_fastest, r->starved);
	printf("this program: %.0f%% busy%s%s\n", t.busy * 100,
		r->bottleneck != NULL ? "; IT WAS THE BOTTLENECK: " : "",
		r->bottleneck != NULL ? r->bottleneck : "");
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_logins(const struct load *l, const struct report *r)
{
	struct rates login = rates_of(&r->login_begin, &r->login_end);

	printf("\"sessions\": %u, \"connections\": %u, \"failed\": %u, \"sessions_lost\": %u, "
	       "\"cipher\": \"%s\", \"login_s\": %.4f, \"login_cpu_s\": %.3f, ",
		l->sessions, l->members, l->failed, l->lost, l->cipher, login.seconds, login.cpu_s);
	printf("\"rss_before\": %" PRIu64 ", \"rss_idle\": %" PRIu64 ", ",
		r->login_begin.server.resident_bytes, r->idle.server.resident_bytes);
}

void report_json(const struct load *l, const struct report *r)
{
	struct rates t = rates_of(&r->begin, &r->end);
	const struct histogram *h = &l->traffic.latency;

	printf("{\"pattern\": \"%s\", \"size\": \"%s\", ", options_pattern_name(l->opt->pattern),
		l->opt->label);
	json_logins(l, r);
	printf("\"seconds\": %.4f, \"frames\": %.0f, \"bytes\": %.0f, \"wire_to_server\": %.0f, "
	       "\"cpu_s\": %.3f, ",
		t.seconds, t.frames, t.bytes, t.wire_to_server, t.cpu_s);
	printf("\"frames_per_s\": %.1f, \"gbit_s\": %.4f, \"cpu_s_per_gb\": %.4f, "
	       "\"cpu_s_per_wire_gb\": %.4f, \"cpu_s_per_million_frames\": %.4f, ",
		per(t.frames, t.seconds), per(t.bytes * 8e-9, t.seconds),
		per(t.cpu_s * 1e9, t.bytes), per(t.cpu_s * 1e9, t.wire_to_server),
		per(t.cpu_s * 1e6, t.frames));
	printf("\"sent\": %" PRIu64 ", \"lost\": %" PRIu64 ", \"reordered\": %" PRIu64
	       ", \"duplicated\": %" PRIu64 ", \"foreign\": %" PRIu64 ", \"misrouted\": %" PRIu64
	       ", \"corrupt\": %" PRIu64 ", \"echo_full\": %" PRIu64 ", ",
		l->traffic.sums.sent, r->lost, r->reordered, r->duplicated, l->traffic.foreign,
		l->traffic.misrouted, l->traffic.corrupt, l->traffic.echo_full);
	printf("\"by_udp\": %" PRIu64 ", ", l->traffic.by_udp);
	printf("\"compressed_to\": %.4f, ",
		per((double)l->traffic.sums.compressed_bytes,
			(double)l->traffic.sums.uncompressed_bytes));
	printf("\"latency\": {\"kind\": \"%s\", \"count\": %" PRIu64
	       ", \"p50_us\": %.1f, \"p99_us\": %.1f, \"p999_us\": %.1f, \"max_us\": %.1f}, ",
		l->opt->echo ? "round trip" : "one way", h->count,
		(double)histogram_percentile(h, 0.5) / 1e3,
		(double)histogram_percentile(h, 0.99) / 1e3,
		(double)histogram_percentile(h, 0.999) / 1e3, (double)h->max_ns / 1e3);
	printf("\"fairness\": {\"slowest\": %.2f, \"median\": %.2f, \"fastest\": %.2f, "
	       "\"starved\": %u}, ",
		r->fair_slowest, r->fair_median, r->fair_fastest, r->starved);
	printf("\"generator\": {\"busy\": %.3f, \"cpu_s\": %.3f, \"server_busy\": %.3f, "
	       "\"bottleneck\": %s%s%s}}\n",
		t.busy, r->end.own_cpu_s - r->begin.own_cpu_s, t.server_busy,
		r->bottleneck != NULL ? "\"" : "", r->bottleneck != NULL ? r->bottleneck : "null",
		r->bottleneck != NULL ? "\"" : "");
}
