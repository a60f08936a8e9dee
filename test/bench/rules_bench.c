/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What rules cost: cycles per frame of hub_input() and all it calls, on one worker, between two ports that
 * take and give plain bytes, without socket and TLS. 1024 stations, TCP segments of 64 bytes over IPv4, every
 * burst full. The cases take turns, some bursts each in an order that is drawn anew for every round, so that whatever
 * else the machine does meets all of them, none always goes first, and none always follows the same other. Before the
 * first turn of a round its frames are read, and a case's first pass over them is not counted: what is measured is a
 * hub at work, not what it takes to fetch frames and tables that somebody else threw out of the cache. (When
 * "none" came first and paid for cold frames, all ratios to it were flattered.) The median burst counts.
 *
 *   none      no policy at the ports, no IP table in the hub
 *   default   the default policy, default hub options (IP table, storm limiter, loop guard)
 *   every     every key that lets the frames pass, each limit set and never reached
 *   monitor   no policy, and a mirror that takes each frame
 *   log       no policy, and the packet log takes the headers of all frames; another thread reads them all
 *   none_again, log_full   both once more while nobody reads and the log's ring is full
 *
 *   access_N  an access list of N rules, one of which passes each frame; _miss: none of which matches any
 *
 *   rules_bench [MACs [bursts per case [frames per burst [case]]]]
 *
 * With a case only that one runs, for a profiler to look at; what it says is then of a warmer cache.
 * One line of JSON per case.
 */

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>

#include "dataplane/access.h"
#include "dataplane/fdb.h"
#include "dataplane/grace.h"
#include "dataplane/hub.h"
#include "dataplane/hub_options.h"
#include "dataplane/lcore.h"
#include "dataplane/packet_log.h"
#include "dataplane/port_rules.h"
#include "test/unit/rule_frames.h"

#define CASES	   13u
#define BURSTS	   64u /* in rotation, per side */
#define BLOCK	   16u /* of them, per side, that a case gets in its turn, */
#define PASSES	   4u  /* so often: the first warms up */
#define FRAME_STEP 128u
#define PORT_FIRST 1024u /* destination ports of the segments */
#define PORTS	   32u

struct sink {
	struct port port;
	struct stats_block stats;
	uint64_t taken;
};

struct setting {
	const char *name;
	struct hub *hub;
	struct sink side[2], mirror;
	uint32_t *cycles;
	unsigned calls; /* counted */
	unsigned runs;	/* and those that warm up */
	bool unread;	/* measured while nobody reads the packet log */
};

static struct {
	unsigned macs, rounds, burst;
	const char *only; /* this case, NULL: all of them */
	struct setting cases[CASES];
	uint8_t *bytes[2]; /* frames of each side, FRAME_STEP apart */
	uint16_t len;
	bool unread;	   /* which cases take part now */
	uint64_t logged;   /* records read */
	uint64_t read_sum; /* of their bytes, so that they are read */
	uint64_t touched;  /* the same of frames */
} bench;

static void sink_tx(struct port *port, struct lcore *lc, struct frame *const *frames, unsigned n)
{
	struct sink *s = (struct sink *)port;
	struct stats_traffic t = {.unicast_frames = n};

	hub_count_copies(lc, port, n);
	for (unsigned i = 0; i < n; i++)
		t.unicast_bytes += frames[i]->len;
	hub_count_sent(lc, port, &t);
	s->taken += n;
}

static const struct port_ops sink_ops = {.kind = "bench", .tx_burst = sink_tx};

static uint64_t mac_of(unsigned side, unsigned i)
{
	return UINT64_C(0x020000000000) | (uint64_t)side << 32 | i;
}

/* The station's address, 10.side.x.y. */
static void address_write(uint8_t *ip, unsigned side, unsigned i)
{
	ip[0] = 10;
	ip[1] = (uint8_t)side;
	ip[2] = (uint8_t)(i >> 8);
	ip[3] = (uint8_t)i;
}

/* Each frame from a random station of one side to a random one of the other. */
static int frames_make(void)
{
	for (unsigned side = 0; side < 2; side++) {
		bench.bytes[side] = calloc(BURSTS * FRAME_BURST, FRAME_STEP);
		if (bench.bytes[side] == NULL)
			return -1;
		for (unsigned i = 0; i < BURSTS * FRAME_BURST; i++) {
			uint8_t *p = bench.bytes[side] + i * FRAME_STEP;
			unsigned from = (unsigned)lrand48() % (bench.macs / 2);
			unsigned to = (unsigned)lrand48() % (bench.macs / 2);
			struct rule_frame_of of = {
				.dst = mac_of(!side, to), .src = mac_of(side, from)};

			bench.len = (uint16_t)rule_frame_write(RF_TCP4_DATA, &of, p);
			address_write(p + 26, side, from);
			address_write(p + 30, !side, to);
			p[36] = PORT_FIRST >> 8;
			p[37] = (uint8_t)(PORT_FIRST + (unsigned)lrand48() % PORTS);
			/* Ten bytes of payload make 64. */
			p[17] += (uint8_t)(64 - bench.len);
			bench.len = 64;
		}
	}
	return 0;
}

/* ---- cases ------------------------------------------------------------------------------------ */

static const struct policy_input every = {
	.dhcp_filter = true,
	.dhcp_no_server = true,
	.dhcp_force = true,
	.check_mac = true,
	.check_ip = true,
	.arp_dhcp_only = true,
	.privacy_filter = true,
	.no_server = true,
	.rs_and_ra_filter = true,
	.ra_filter = true,
	.dhcpv6_filter = true,
	.dhcpv6_no_server = true,
	.check_ipv6 = true,
	.no_server_v6 = true,
	.filter_ipv6 = true,
	.filter_non_ip = true,
	.no_ra_router = true,
	.no_ra_router_outer_v6 = true,
	.max_mac = 65535,
	.max_ip = 65535,
	.max_ipv6 = 65535,
	.max_upload_bps = 4294967295,
	.max_download_bps = 4294967295,
	.vlan_id = 7,
	.user = 1,
};

static int port_make(struct sink *s, struct hub *hub, uint32_t flags, const struct policy_input *in)
{
	struct policy policy;

	s->port.ops = &sink_ops;
	s->port.hub = hub;
	s->port.flags = flags;
	s->port.max_len = FRAME_MAX_BYTES;
	s->port.stats[0] = &s->stats;
	if (in != NULL) {
		policy_compile(in, &policy);
		if (port_rules_set(&s->port, &policy) != 0)
			return -1;
	}
	return port_reserve(&s->port);
}

/*
 * An access list of n rules that pass, hit evenly: up to 32 by ports, up to 1024 by stations, 32 768 by both. Missed
 * all: the same for ports that no segment has, stations that are not there.
 */
static int list_make(struct hub *hub, unsigned n, bool miss)
{
	struct access_rule *rules = calloc(n, sizeof(*rules));
	struct access_conf conf = {.rules = rules, .rule_cnt = n};
	struct access_base *base;
	struct access_set *set;

	if (rules == NULL)
		return -1;
	for (unsigned i = 0; i < n; i++) {
		struct access_rule *r = &rules[i];
		unsigned first = n <= PORTS ? i * PORTS / n : i / 1024;
		unsigned last = n <= PORTS ? (i + 1) * PORTS / n - 1 : first;

		r->slot = i + 1;
		r->protocol = 6;
		if (n > PORTS) {
			address_write(r->src, i % 2, i % 1024 / 2);
			memset(r->src_mask, 0xff, 4);
			r->src[0] += miss;
		}
		if (n <= PORTS || n > 1024) {
			r->dst_port_first = (uint16_t)(PORT_FIRST + first + (miss ? 4096 : 0));
			r->dst_port_last = (uint16_t)(PORT_FIRST + last + (miss ? 4096 : 0));
		}
	}
	base = access_base_create(&conf);
	free(rules);
	if (base == NULL)
		return -1;
	set = access_set_create(&(struct access_set_conf){.base = base});
	access_base_put(base);
	return set == NULL ? -1 : hub_set_access(hub, set);
}

static int case_make(struct setting *c, const char *name)
{
	const struct policy_input usual = {0};
	struct hub_conf conf = {.max_macs = bench.macs * 4};
	struct hub_options o;
	const struct policy_input *in = strcmp(name, "default") == 0 ? &usual
		: strcmp(name, "every") == 0			     ? &every
								     : NULL;

	c->name = name;
	c->unread = strcmp(name, "none_again") == 0 || strcmp(name, "log_full") == 0;
	c->hub = hub_create(&conf);
	c->cycles = malloc(2 * bench.rounds * sizeof(*c->cycles));
	if (c->hub == NULL || c->cycles == NULL)
		return -1;
	hub_options_default(&o);
	o.privacy_allows_same_user = true;
	if (in == NULL) {
		o.no_ip_table = true;
		o.loop_guard = HUB_LOOP_OFF;
	}
	if (strncmp(name, "log", 3) == 0)
		memset(o.packet_log.how, PACKET_LOG_HEADER, sizeof(o.packet_log.how));
	if (hub_set_options(c->hub, &o) != 0)
		return -1;
	if (strncmp(name, "access_", 7) == 0 &&
		list_make(c->hub, (unsigned)strtoul(name + 7, NULL, 10),
			strstr(name, "miss") != NULL) != 0)
		return -1;
	hub_set_online(c->hub, true);
	for (unsigned side = 0; side < 2; side++) {
		if (port_make(&c->side[side], c->hub, 0, in) != 0)
			return -1;
	}
	return strcmp(name, "monitor") == 0
		? port_make(&c->mirror, c->hub, PORT_F_MIRROR | PORT_F_RECEIVE_ONLY, NULL)
		: 0;
}

/* ---- on the worker ---------------------------------------------------------------------------- */

static atomic_int finished; /* 1 = stage done */
static struct lcore_task task;
static unsigned done;

static void join(struct lcore *lc, struct lcore_msg *)
{
	for (unsigned i = 0; i < CASES; i++) {
		for (unsigned side = 0; side < 2; side++)
			hub_port_join(lc, &bench.cases[i].side[side].port);
		if (bench.cases[i].mirror.port.hub != NULL)
			hub_port_join(lc, &bench.cases[i].mirror.port);
	}
	atomic_store(&finished, 1);
}

/* Each station says who it is, and is told its address by a server on the other side. */
static void learn(struct lcore *lc, struct lcore_msg *)
{
	for (unsigned i = 0; i < CASES; i++) {
		for (unsigned k = 0; k < bench.macs; k++) {
			unsigned side = k % 2;
			uint8_t bytes[RULE_FRAME_BYTES];
			struct rule_frame_of of = {
				.dst = mac_of(!side, 0), .src = mac_of(side, k / 2)};
			struct frame f = {.data = bytes};

			f.len = (uint16_t)rule_frame_write(RF_IPX, &of, bytes);
			if (bench.cases[i].side[side].port.rules != NULL)
				f.len = (uint16_t)rule_frame_write(RF_TCP4_SYN, &of, bytes);
			hub_input(lc, &bench.cases[i].side[side].port, &f, 1);
		}
	}
	atomic_store(&finished, 1);
}

static void burst_run(struct lcore *lc, struct setting *c, unsigned side, unsigned k, bool counts)
{
	struct frame frames[FRAME_BURST];
	uint8_t *p = bench.bytes[side] + k * FRAME_BURST * FRAME_STEP;
	uint64_t from;

	for (unsigned i = 0; i < bench.burst; i++)
		frames[i] = (struct frame){.data = p + i * FRAME_STEP, .len = bench.len};
	from = rte_rdtsc();
	hub_input(lc, &c->side[side].port, frames, bench.burst);
	if (counts)
		c->cycles[c->calls++] = (uint32_t)(rte_rdtsc() - from);
	c->runs++;
}

static bool is_wanted(const struct setting *c)
{
	return bench.only == NULL || strcmp(bench.only, c->name) == 0;
}

static void frames_touch(unsigned k)
{
	for (unsigned side = 0; side < 2; side++) {
		const uint8_t *p = bench.bytes[side] + (size_t)k * FRAME_BURST * FRAME_STEP;

		for (unsigned i = 0; i < BLOCK * FRAME_BURST; i++)
			bench.touched += p[i * FRAME_STEP] + p[i * FRAME_STEP + 63];
	}
}

/* Those that take part now, in an order of its own for every call. */
static unsigned order_draw(struct setting **order)
{
	unsigned n = 0;

	for (unsigned i = 0; i < CASES; i++) {
		struct setting *c = &bench.cases[i];
		unsigned at;

		if (c->unread != bench.unread || !is_wanted(c))
			continue;
		at = (unsigned)lrand48() % (n + 1);
		order[n++] = order[at];
		order[at] = c;
	}
	return n;
}

static void task_run(struct lcore *lc, struct lcore_task *t)
{
	struct setting *order[CASES] = {NULL};

	for (unsigned k = 0; k < BURSTS && done < bench.rounds; k += BLOCK) {
		unsigned n = order_draw(order);

		frames_touch(k);
		for (unsigned i = 0; i < n; i++) {
			for (unsigned j = 0; j < PASSES * 2 * BLOCK; j++)
				burst_run(lc, order[i], j % 2, k + j / 2 % BLOCK, j >= 2 * BLOCK);
		}
		done += (PASSES - 1) * BLOCK;
	}
	if (done < bench.rounds)
		lcore_task_add(lc, t);
	else
		atomic_store(&finished, 1);
}

static void measure(struct lcore *lc, struct lcore_msg *)
{
	for (unsigned i = 0; i < CASES; i++) {
		if (bench.cases[i].unread != bench.unread)
			continue;
		bench.cases[i].side[0].taken = 0;
		bench.cases[i].side[1].taken = 0;
		bench.cases[i].mirror.taken = 0;
		bench.cases[i].calls = 0;
		bench.cases[i].runs = 0;
	}
	done = 0;
	task.run = task_run;
	lcore_task_add(lc, &task);
}

/* Takes what stands in the packet log, all bytes of it. */
static void log_read(void)
{
	uint64_t sum = 0;
	uint64_t head = packet_log_head(0);
	const struct packet_record *rec;

	while ((rec = packet_log_next(0, head)) != NULL) {
		for (unsigned i = 0; i < rec->captured; i += 16)
			sum += rec->data[i];
		bench.logged++;
	}
	bench.read_sum += sum;
	packet_log_release(0);
}

static bool stage(void (*fn)(struct lcore *lc, struct lcore_msg *msg))
{
	struct lcore_msg msg = {.fn = fn};

	atomic_store(&finished, 0);
	if (lcore_msg_reserve(lcore_get(0), 1) != 0)
		return false;
	lcore_msg_post(lcore_get(0), &msg);
	while (atomic_load(&finished) == 0) {
		if (!bench.unread)
			log_read();
		usleep(50);
	}
	return true;
}

/* ---- control thread --------------------------------------------------------------------------- */

/* Leases for all stations, as a DHCP server's answers would make them; needs no traffic. */
static void leases_make(struct setting *c)
{
	for (unsigned k = 0; k < bench.macs; k++) {
		uint8_t addr[16] = {[10] = 0xff, 0xff};
		struct iptable_seen seen = {.addr = addr, .mac = mac_of(k % 2, k / 2)};

		address_write(addr + 12, k % 2, k / 2);
		seen.vlan =
			c->side[k % 2].port.rules != NULL && strcmp(c->name, "every") == 0 ? 7 : 0;
		iptable_lease((struct iptable *)(uintptr_t)hub_iptable(c->hub), &seen,
			&c->side[k % 2].port, lcore_clock_s());
	}
}

static bool learned(void)
{
	for (unsigned i = 0; i < 50; i++) {
		unsigned full = 0;

		if (!stage(learn))
			return false;
		for (unsigned k = 0; k < CASES; k++) {
			hub_housekeep(bench.cases[k].hub, 1u << 20);
			full += fdb_count(hub_fdb(bench.cases[k].hub)) >= bench.macs;
		}
		grace_poll();
		if (full == CASES)
			return true;
	}
	return false;
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Returns whether every frame arrived. */
static bool report(struct setting *c)
{
	double hz = (double)rte_get_tsc_hz(), median, best;
	uint64_t want = (uint64_t)c->runs * bench.burst;
	uint64_t got = c->side[0].taken + c->side[1].taken;

	qsort(c->cycles, c->calls, sizeof(*c->cycles), by_value);
	median = c->cycles[c->calls / 2] / (double)bench.burst;
	best = c->cycles[c->calls / 100] / (double)bench.burst;
	printf("{\"case\": \"%s\", \"cycles\": %.1f, \"cycles_p1\": %.1f, \"ns\": %.2f, "
	       "\"macs\": %u, \"burst\": %u, \"arrived\": %s}\n",
		c->name, median, best, median / hz * 1e9, bench.macs, bench.burst,
		got == want ? "true" : "false");
	if (got != want)
		fprintf(stderr, "%s: %llu of %llu frames arrived\n", c->name,
			(unsigned long long)got, (unsigned long long)want);
	return got == want && (c->mirror.port.hub == NULL || c->mirror.taken == want);
}

static unsigned arg(int argc, char **argv, int at, unsigned otherwise)
{
	return argc > at ? (unsigned)strtoul(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	static const char *const names[CASES] = {"none", "default", "every", "monitor", "log",
		"none_again", "log_full", "access_10", "access_10_miss", "access_1000",
		"access_1000_miss", "access_32768", "access_32768_miss"};
	char *eal[] = {"rules_bench", "--lcores=0@0,1@1", "--no-huge", "--no-shconf", "--no-pci",
		"-m", "256", "--no-telemetry", "--log-level=*:error", NULL};
	struct lcore_conf conf = {.workers = 1};
	bool whole = true;
	uint64_t logged;

	bench.macs = arg(argc, argv, 1, 1024);
	bench.rounds = arg(argc, argv, 2, 20000);
	bench.burst = arg(argc, argv, 3, FRAME_BURST);
	bench.only = argc > 4 ? argv[4] : NULL;
	bench.rounds += (PASSES - 1) * BLOCK - 1;
	bench.rounds -= bench.rounds % ((PASSES - 1) * BLOCK);
	if (bench.macs < 2 || bench.macs > 100000 || bench.rounds == 0 || bench.burst == 0 ||
		bench.burst > FRAME_BURST) {
		fprintf(stderr, "rules_bench [MACs [bursts per case [frames per burst [case]]]]\n");
		return 2;
	}
	if (rte_eal_init(9, eal) < 0 || lcore_init(&conf) != 0 || frames_make() != 0)
		return 1;
	for (unsigned i = 0; i < CASES; i++) {
		if (case_make(&bench.cases[i], names[i]) != 0)
			return 1;
	}
	if (lcore_start() != 0 || !stage(join))
		return 1;
	for (unsigned i = 0; i < CASES; i++)
		leases_make(&bench.cases[i]);
	if (!learned())
		return 1;
	log_read();
	bench.logged = 0;
	if (!stage(measure))
		return 1;
	log_read();
	logged = bench.logged;
	bench.unread = true;
	if (!stage(measure))
		return 1;
	lcore_stop();
	fprintf(stderr, "packet log: %llu records read, %llu lost\n", (unsigned long long)logged,
		(unsigned long long)packet_log_lost(0));
	for (unsigned i = 0; i < CASES; i++)
		whole = (!is_wanted(&bench.cases[i]) || report(&bench.cases[i])) && whole;
	return whole ? 0 : 1;
}
