/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The generator of `scripts/bench pktgen` where there is no Pktgen-DPDK: frames at a rate that is given, from DPDK
 * port 0, and what arrives of them at port 1. (testpmd can only send as fast as it is let.)
 *
 *   paced EAL-ARGUMENTS
 *
 * Reads trials from stdin, a line each: frames per second, bytes without FCS, seconds. Answers each with a line of
 * JSON: `late`: frames that were due and were not taken by the port, because it was full or we had no CPU; they
 * were not offered, and a trial with many says nothing about the other side. `sent`: taken; `received`: of this trial,
 * at port 1; `disordered`: of them, behind a later one.
 */

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#define BURST	    32u
#define DESCRIPTORS 256u
#define MBUFS	    8191u
#define STAMP_AT    14u
#define LATE_MAX    64u /* frames that may be made up for at once: a burst, not a flood */
#define DRAIN_MS    300u

struct stamp {
	uint32_t trial;
	uint32_t unused;
	uint64_t number;
};

static const uint8_t station[2][6] = {{0x02, 0, 0, 0, 0x70, 0}, {0x02, 0, 0, 0, 0x70, 1}};
static struct rte_mempool *pool;
static uint32_t trial;

static void open_port(uint16_t port)
{
	struct rte_eth_conf conf = {0};

	if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
		rte_eth_rx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL, pool) != 0 ||
		rte_eth_tx_queue_setup(port, 0, DESCRIPTORS, SOCKET_ID_ANY, NULL) != 0 ||
		rte_eth_dev_start(port) != 0)
		rte_exit(EXIT_FAILURE, "port %u does not start\n", port);
	rte_eth_promiscuous_enable(port);
}

static struct rte_mbuf *frame(unsigned from, bool broadcast, uint16_t size, uint64_t number)
{
	struct stamp stamp = {.trial = trial, .number = number};
	struct rte_mbuf *m = rte_pktmbuf_alloc(pool);
	uint8_t *p;

	if (m == NULL)
		return NULL;
	p = (uint8_t *)rte_pktmbuf_append(m, size);
	if (p == NULL)
		rte_exit(EXIT_FAILURE, "%u bytes do not fit a buffer\n", size);
	memset(p, broadcast ? 0xff : 0, 6);
	if (!broadcast)
		memcpy(p, station[!from], 6);
	memcpy(p + 6, station[from], 6);
	p[12] = 0x88;
	p[13] = 0xb5;
	memcpy(p + STAMP_AT, &stamp, sizeof(stamp));
	return m;
}

struct arrivals {
	uint64_t frames, disordered, next;
};

static void receive(uint16_t port, struct arrivals *a)
{
	struct rte_mbuf *m[BURST];
	uint16_t n = rte_eth_rx_burst(port, 0, m, BURST);

	for (uint16_t i = 0; i < n; i++) {
		const uint8_t *p = rte_pktmbuf_mtod(m[i], const uint8_t *);
		struct stamp stamp;

		memcpy(&stamp, p + STAMP_AT, sizeof(stamp));
		if (m[i]->data_len < STAMP_AT + sizeof(stamp) || p[12] != 0x88 || p[13] != 0xb5 ||
			stamp.trial != trial)
			continue;
		a->frames++;
		a->disordered += stamp.number < a->next;
		a->next = stamp.number + 1;
	}
	rte_pktmbuf_free_bulk(m, n);
}

/* Both stations are heard at the other port: the hub has learned them. */
static void introduce(void)
{
	struct arrivals at[2] = {0};

	trial++;
	while (at[0].frames == 0 || at[1].frames == 0) {
		for (uint16_t port = 0; port < 2; port++) {
			struct rte_mbuf *m = frame(port, true, 60, 0);

			if (m != NULL && rte_eth_tx_burst(port, 0, &m, 1) == 0)
				rte_pktmbuf_free(m);
		}
		rte_delay_us_sleep(10000);
		for (uint16_t port = 0; port < 2; port++)
			receive(port, &at[port]);
	}
}

static void run(double rate, unsigned size, double seconds)
{
	const double per_tick = rate / (double)rte_get_tsc_hz();
	const uint64_t due_all = (uint64_t)(rate * seconds);
	uint64_t begin, due = 0, sent = 0, late = 0, end;
	struct arrivals got = {0}, back = {0};

	introduce();
	trial++;
	begin = rte_rdtsc();
	while (due < due_all) {
		uint64_t now = (uint64_t)((double)(rte_rdtsc() - begin) * per_tick);
		struct rte_mbuf *m[BURST];
		uint16_t n = 0, taken;

		due = now < due_all ? now : due_all;
		/* Time that we did not have is not made up for. */
		if (due - sent - late > LATE_MAX)
			late = due - sent - LATE_MAX;
		while (n < BURST && sent + late + n < due &&
			(m[n] = frame(0, false, (uint16_t)size, sent + n)) != NULL)
			n++;
		taken = n > 0 ? rte_eth_tx_burst(0, 0, m, n) : 0;
		rte_pktmbuf_free_bulk(m + taken, n - taken);
		sent += taken;
		receive(1, &got);
		receive(0, &back);
	}
	late = due_all - sent;
	for (end = rte_rdtsc() + rte_get_tsc_hz() / 1000 * DRAIN_MS; rte_rdtsc() < end;)
		receive(1, &got);
	printf("{\"due\": %" PRIu64 ", \"sent\": %" PRIu64 ", \"late\": %" PRIu64
	       ", \"received\": %" PRIu64 ", \"disordered\": %" PRIu64 "}\n",
		due_all, sent, late, got.frames, got.disordered);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	double rate, seconds;
	unsigned size;

	if (rte_eal_init(argc, argv) < 0 || rte_eth_dev_count_avail() != 2)
		rte_exit(EXIT_FAILURE, "needs two ports\n");
	pool = rte_pktmbuf_pool_create(
		"paced", MBUFS, 256, 0, RTE_MBUF_DEFAULT_BUF_SIZE, SOCKET_ID_ANY);
	if (pool == NULL)
		rte_exit(EXIT_FAILURE, "no memory\n");
	for (uint16_t port = 0; port < 2; port++)
		open_port(port);
	puts("ready");
	fflush(stdout);
	while (scanf("%lf %u %lf", &rate, &size, &seconds) == 3) {
		if (size < 60 || size > 1600 || rate <= 0 || seconds <= 0)
			rte_exit(EXIT_FAILURE, "60 to 1600 bytes, rate and seconds above 0\n");
		run(rate, size, seconds);
	}
	rte_eal_cleanup();
	return 0;
}
