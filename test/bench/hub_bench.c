/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Cycles per frame of hub_input() and what it calls, on one lcore: two fake devices whose frames are
 * mbufs, every burst full, stations known. The devices keep the mbufs for the next round, so that
 * neither the pool nor a NIC is measured.
 *
 *   hub_bench [MACs per port [frame bytes [rounds [frames per burst]]]]
 */

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_mbuf.h>
#include <rte_prefetch.h>

#include "dataplane/fdb.h"
#include "dataplane/grace.h"
#include "dataplane/hub.h"
#include "dataplane/lcore.h"

#define POOL_BURSTS 64u /* bursts in rotation: 4096 frames, as a NIC's descriptors would be */

struct device {
	struct port port;
	struct stats_block stats;
	uint64_t taken;
};

static struct {
	unsigned macs, len, rounds, burst;
	unsigned learned; /* stations from here on come next */
	struct device dev[2];
	struct rte_mbuf *m[2][POOL_BURSTS][FRAME_BURST];
	uint32_t *cycles; /* of each hub_input() call */
	unsigned calls;
} bench;

static void device_tx(struct port *port, struct lcore *lc, struct frame *const *frames, unsigned n)
{
	struct device *dev = (struct device *)port;
	struct stats_traffic t = {0};

	hub_count_copies(lc, port, n);
	for (unsigned i = 0; i < n; i++) {
		uint64_t group = frame_is_broadcast(frames[i]);

		t.broadcast_frames += group;
		t.broadcast_bytes += frames[i]->len & -group;
		t.unicast_bytes += frames[i]->len;
	}
	t.unicast_frames = n - t.broadcast_frames;
	t.unicast_bytes -= t.broadcast_bytes;
	hub_count_sent(lc, port, &t);
	dev->taken += n;
}

static const struct port_ops device_ops = {.kind = "bench", .tx_burst = device_tx};

static void mac_write(uint8_t *p, unsigned side, unsigned i)
{
	p[0] = 0x02;
	p[1] = (uint8_t)side;
	p[2] = 0;
	p[3] = (uint8_t)(i >> 16);
	p[4] = (uint8_t)(i >> 8);
	p[5] = (uint8_t)i;
}

/* Every frame from a random station of one side to a random station of the other. */
static int frames_make(struct lcore *lc)
{
	for (unsigned side = 0; side < 2; side++) {
		for (unsigned i = 0; i < POOL_BURSTS * FRAME_BURST; i++) {
			struct rte_mbuf *m = rte_pktmbuf_alloc(lcore_pool(lc));
			uint8_t *p;

			if (m == NULL)
				return -1;
			p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)bench.len);
			mac_write(p, !side, (unsigned)lrand48() % bench.macs);
			mac_write(p + 6, side, (unsigned)lrand48() % bench.macs);
			p[12] = 0x08;
			p[13] = 0x00;
			bench.m[side][i / FRAME_BURST][i % FRAME_BURST] = m;
		}
	}
	return 0;
}

/* A few at a time: the table starts small, and it is housekeeping that lets it grow. */
static void learn_some(struct lcore *lc)
{
	unsigned end = bench.learned + 256 < bench.macs ? bench.learned + 256 : bench.macs;
	uint8_t bytes[64] = {0};

	for (unsigned side = 0; side < 2; side++) {
		for (unsigned i = bench.learned; i < end; i++) {
			struct frame f = {.data = bytes, .len = 64};

			mac_write(bytes, side, i);
			bytes[0] = 0xff;
			mac_write(bytes + 6, side, i);
			hub_input(lc, &bench.dev[side].port, &f, 1);
		}
	}
	bench.learned = end < bench.macs ? end : 0;
}

static void round_run(struct lcore *lc)
{
	struct frame frames[FRAME_BURST];
	uint64_t from;

	for (unsigned k = 0; k < POOL_BURSTS; k++) {
		for (unsigned side = 0; side < 2; side++) {
			for (unsigned i = 0; i < bench.burst; i++) {
				struct rte_mbuf *m = bench.m[side][k][i];

				rte_prefetch0(rte_pktmbuf_mtod(m, void *)); /* as drivers do */
				frames[i] = (struct frame){.data = rte_pktmbuf_mtod(m, uint8_t *),
					.m = m,
					.len = m->data_len};
			}
			from = rte_rdtsc();
			hub_input(lc, &bench.dev[side].port, frames, bench.burst);
			bench.cycles[bench.calls++] = (uint32_t)(rte_rdtsc() - from);
		}
	}
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

static atomic_int finished; /* 1 = stage done, -1 = failed */
static struct lcore_task task;

static void task_run(struct lcore *lc, struct lcore_task *t)
{
	round_run(lc);
	if (--bench.rounds > 0)
		lcore_task_add(lc, t);
	else
		atomic_store(&finished, 1);
}

static void join(struct lcore *lc, struct lcore_msg *)
{
	for (unsigned side = 0; side < 2; side++)
		hub_port_join(lc, &bench.dev[side].port);
	atomic_store(&finished, frames_make(lc) == 0 ? 1 : -1);
}

static void learn(struct lcore *lc, struct lcore_msg *)
{
	learn_some(lc);
	atomic_store(&finished, 1);
}

static void measure(struct lcore *lc, struct lcore_msg *)
{
	for (unsigned side = 0; side < 2; side++)
		bench.dev[side].taken = 0;
	task.run = task_run;
	lcore_task_add(lc, &task);
}

/* One stage on the worker; false if it failed. */
static bool stage(void (*fn)(struct lcore *lc, struct lcore_msg *msg))
{
	struct lcore_msg msg = {.fn = fn};

	atomic_store(&finished, 0);
	if (lcore_msg_reserve(lcore_get(0), 1) != 0)
		return false;
	lcore_msg_post(lcore_get(0), &msg);
	while (atomic_load(&finished) == 0)
		usleep(50);
	return atomic_load(&finished) > 0;
}

/* The table grows by housekeeping: learn again what did not fit meanwhile. */
static bool learned(struct hub *hub)
{
	for (unsigned i = 0; i < 20 + bench.macs / 20; i++) {
		if (!stage(learn))
			return false;
		for (unsigned k = 0; k < 8; k++) {
			hub_housekeep(hub, 1u << 24);
			grace_poll();
		}
		if (fdb_count(hub_fdb(hub)) >= 2 * bench.macs)
			return true;
	}
	fprintf(stderr, "only %u of %u MACs learned\n", fdb_count(hub_fdb(hub)), 2 * bench.macs);
	return true;
}

static unsigned arg(int argc, char **argv, int at, unsigned otherwise)
{
	return argc > at ? (unsigned)strtoul(argv[at], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	char *eal[] = {"hub_bench", "--lcores=0@0,1@1", "--no-huge", "--no-shconf", "--no-pci",
		"-m", "256", "--no-telemetry", "--log-level=*:error", NULL};
	struct lcore_conf conf = {.workers = 1, .mbufs = 16383};
	struct hub_conf hub_conf = {0};
	uint64_t frames;
	double per_frame;
	struct hub *hub;

	bench.macs = arg(argc, argv, 1, 512);
	bench.len = arg(argc, argv, 2, 64);
	bench.rounds = arg(argc, argv, 3, 2000);
	bench.burst = arg(argc, argv, 4, FRAME_BURST);
	hub_conf.max_macs = bench.macs * 4;
	if (bench.macs == 0 || bench.len < 60 || bench.len > FRAME_MAX_BYTES || bench.rounds == 0 ||
		bench.burst == 0 || bench.burst > FRAME_BURST) {
		fprintf(stderr,
			"hub_bench [MACs per port [frame bytes [rounds [frames per burst]]]]\n");
		return 2;
	}
	if (rte_eal_init(9, eal) < 0 || lcore_init(&conf) != 0)
		return 1;
	hub = hub_create(&hub_conf);
	if (hub == NULL)
		return 1;
	hub_set_online(hub, true);
	for (unsigned side = 0; side < 2; side++) {
		struct port *p = &bench.dev[side].port;

		p->ops = &device_ops;
		p->hub = hub;
		p->flags = PORT_F_MBUF;
		p->max_len = 1518;
		p->stats[0] = &bench.dev[side].stats;
		if (port_reserve(p) != 0)
			return 1;
	}
	frames = 2ull * POOL_BURSTS * bench.rounds;
	bench.cycles = malloc(frames * sizeof(*bench.cycles));
	frames *= bench.burst;
	if (bench.cycles == NULL || lcore_start() != 0 || !stage(join) || !learned(hub) ||
		!stage(measure))
		return 1;
	lcore_stop();
	/* The median call: one that was pre-empted or interrupted says nothing about the code. */
	qsort(bench.cycles, bench.calls, sizeof(*bench.cycles), by_value);
	per_frame = bench.cycles[bench.calls / 2] / (double)bench.burst;
	printf("%u MACs, %u bytes, bursts of %u: %.1f cycles/frame median, %.1f 1st percentile "
	       "(%.1f Mpps at %.2f GHz)\n",
		2 * bench.macs, bench.len, bench.burst, per_frame,
		bench.cycles[bench.calls / 100] / (double)bench.burst,
		(double)rte_get_tsc_hz() / 1e6 / per_frame, (double)rte_get_tsc_hz() / 1e9);
	if (bench.dev[0].taken + bench.dev[1].taken != frames) {
		fprintf(stderr, "%" PRIu64 " frames lost\n",
			frames - bench.dev[0].taken - bench.dev[1].taken);
		return 1;
	}
	return 0;
}
