/* SPDX-License-Identifier: BSD-3-Clause */
/* Workers: their life, the turn, the clock, and what the control thread sees of them. */

#include "dataplane/hub_priv.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>

#include <rte_branch_prediction.h>
#include <rte_cpuflags.h>
#include <rte_cycles.h>
#include <rte_eal.h>
#include <rte_launch.h>
#include <rte_lcore.h>
#include <rte_log.h>
#include <rte_malloc.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "dataplane/grace.h"
#include "dataplane/hub_access_priv.h"
#include "dataplane/notice.h"

#define POOL_CACHE 256u
/* Per worker besides its cache: one burst in each place of the pipeline, one receive burst. */
#define POOL_FLIGHT 512u
#define POOL_MIN    16383u
#define JUMBO_MBUFS 2047u

RTE_LOG_REGISTER(lcore_logtype, patchbay.lcore, NOTICE);
#define LCORE_LOG(level, ...) rte_log(RTE_LOG_##level, lcore_logtype, "lcore: " __VA_ARGS__)

struct lcore *lcore_table[LCORE_MAX];
unsigned lcore_cnt;

static struct rte_mempool *pools[RTE_MAX_NUMA_NODES + 1]; /* by socket, last: any */
static bool bare[RTE_MAX_NUMA_NODES]; /* sockets whose want of memory was told */
static uint64_t clock_start_tsc;
static uint64_t clock_ms_mult; /* ms per cycle, 32.32 of 2^32: see lcore_tsc_to_ms() */
static bool running;
/* For what a usual buffer has no room for; all workers'. */
static _Atomic(struct rte_mempool *) jumbo_pool;

/* ---- clock ------------------------------------------------------------------------------------ */

uint64_t lcore_tsc_to_ms(uint64_t tsc)
{
	return (uint64_t)((unsigned __int128)tsc * clock_ms_mult >> 64);
}

uint64_t lcore_clock_ms(void)
{
	return lcore_tsc_to_ms(rte_rdtsc() - clock_start_tsc);
}

uint32_t lcore_clock_s(void)
{
	return (uint32_t)(lcore_clock_ms() / 1000) + 1;
}

uint64_t lcore_now_ms(const struct lcore *lc)
{
	return lc->now_ms;
}

uint64_t lcore_run_ms(const struct lcore *lc)
{
	return lc->now_ms - lc->stalled_ms;
}

uint32_t lcore_now_s(const struct lcore *lc)
{
	return lc->now_s;
}

void lcore_clock_update(struct lcore *lc, uint64_t tsc)
{
	lc->now_ms = lcore_tsc_to_ms(tsc - clock_start_tsc);
	lc->now_s = (uint32_t)(lc->now_ms / 1000) + 1;
}

static uint64_t us_to_tsc(unsigned us)
{
	return rte_get_tsc_hz() / 1000000 * us;
}

static void clock_init(void)
{
	/* ms = tsc * 1000 / hz, as a multiplication by 2^64 * 1000 / hz. */
	clock_ms_mult = (uint64_t)(((unsigned __int128)1000 << 64) / rte_get_tsc_hz());
	if (clock_start_tsc == 0)
		clock_start_tsc = rte_rdtsc();
	if (rte_cpu_get_flag_enabled(RTE_CPUFLAG_INVTSC) <= 0)
		LCORE_LOG(WARNING, "the TSC is not invariant here: timers may drift\n");
}

/* ---- the turn --------------------------------------------------------------------------------- */

/*
 * May the next turn wait in epoll? With spin_tsc = 0 and no polled port even a turn that worked says
 * yes: if a socket has more, that epoll returns at once, and one system call does for two.
 */
static bool idle_decide(struct lcore *lc, bool worked, uint64_t tsc)
{
	if (worked)
		lc->worked_tsc = tsc;
	if (lc->mode == LCORE_POLL_ALWAYS || lc->task_cnt + lc->flush_cnt > 0 ||
		lc->relay_mask != 0 || lc->epoll_at < lc->epoll_cnt)
		return false;
	if (worked)
		return lc->spin_tsc == 0 && TAILQ_EMPTY(&lc->polls);
	if (tsc - lc->worked_tsc >= lc->spin_tsc)
		return true;
	rte_pause();
	return false;
}

/*
 * A turn that took too long. That it found no work does not say that none came meanwhile: what did is found by the next
 * one, which must know of the stall before it judges ages. If it finds none either, nothing has waited.
 */
static void stall_note(struct lcore *lc, uint64_t busy_tsc, bool worked)
{
	if (!worked)
		lc->stalled_ms -= lc->stall_idle_ms;
	lc->stall_idle_ms = 0;
	if (likely(busy_tsc <= lc->stall_tsc))
		return;
	lc->stalled_ms += lcore_tsc_to_ms(busy_tsc - lc->stall_tsc);
	if (!worked)
		lc->stall_idle_ms = lcore_tsc_to_ms(busy_tsc - lc->stall_tsc);
}

static void lcore_turn(struct lcore *lc)
{
	unsigned work = 0, sockets;
	uint64_t tsc, busy;

	lc->blocked_tsc = 0;
	work += lcore_msg_run(lc);
	work += lcore_task_run(lc);
	sockets = lcore_io_run(lc, lc->may_block && work == 0);
	work += sockets + lcore_poll_run(lc);
	work += lcore_relay_run(lc, sockets);
	work += lcore_flush_run(lc);
	lcore_relay_flush(lc);
	/* Timers of sessions read sockets before they judge: not by the clock of before the stall, either. */
	if (likely(!lc->held_up))
		work += wheel_run(&lc->wheel, lc, lc->now_ms);
	/* What timers sent goes before the report: behind it, nothing of this turn names a hub any more. */
	lcore_relay_flush(lc);
	lcore_event_flush(lc);
	grace_quiescent(lc->index);

	tsc = rte_rdtsc();
	busy = tsc - lc->mark_tsc - lc->blocked_tsc;
	if (work > 0) {
		SEEN_ADD(lc, busy_cycles, busy);
		SEEN_ADD(lc, idle_cycles, lc->blocked_tsc);
	} else {
		SEEN_ADD(lc, idle_cycles, busy + lc->blocked_tsc);
	}
	SEEN_ADD(lc, turns, 1);
	stall_note(lc, busy, work > 0);
	__atomic_store_n(&lc->mark_tsc, tsc, __ATOMIC_RELAXED); /* lcore_view() reads it */
	lcore_clock_update(lc, tsc);
	lc->may_block = idle_decide(lc, work > 0, tsc);
}

static int lcore_main(void *arg)
{
	struct lcore *lc = arg;

	/* Sleeps between looks at polled ports are tens of us; the default slack is 50 us. */
	prctl(PR_SET_TIMERSLACK, 1000ul, 0, 0, 0);
	grace_register(lc->index);
	grace_online(lc->index);
	__atomic_store_n(&lc->seen.online, 1, __ATOMIC_RELAXED);
	lc->mark_tsc = rte_rdtsc();
	lc->worked_tsc = lc->mark_tsc;
	lcore_clock_update(lc, lc->mark_tsc);
	while (!atomic_load_explicit(&lc->stop, memory_order_relaxed))
		lcore_turn(lc);
	__atomic_store_n(&lc->seen.online, 0, __ATOMIC_RELAXED);
	grace_offline(lc->index);
	grace_unregister(lc->index);
	return 0;
}

/* ---- life ------------------------------------------------------------------------------------- */

static unsigned pool_size(const struct lcore_conf *conf, unsigned ring_size)
{
	unsigned n = conf->workers * (conf->workers - 1) * ring_size +
		conf->workers * (POOL_CACHE * 3 / 2 + POOL_FLIGHT);

	if (conf->mbufs != 0)
		return conf->mbufs;
	if (n < POOL_MIN)
		return POOL_MIN;
	/* 2^n - 1 wastes no slot of the pool's ring. */
	return (unsigned)rte_align32pow2(n + 1) - 1;
}

int lcore_near(int socket)
{
	return rte_eal_has_hugepages() && socket >= 0 ? socket : SOCKET_ID_ANY;
}

void lcore_went_far(int near)
{
	if (!bare[near])
		LCORE_LOG(WARNING,
			"NUMA node %d has too little memory for its workers: some of theirs is on another node, "
			"which is slower (more huge pages there, or lcores.cpus of another node)\n",
			near);
	bare[near] = true;
}

void *lcore_zalloc(const char *type, size_t bytes, int socket)
{
	int near = lcore_near(socket);
	void *p = rte_zmalloc_socket(type, bytes, 64, near);

	if (p != NULL || near == SOCKET_ID_ANY)
		return p;
	p = rte_zmalloc_socket(type, bytes, 64, SOCKET_ID_ANY);
	if (p != NULL)
		lcore_went_far(near);
	return p;
}

static struct rte_mempool *pool_at(int near, unsigned mbufs)
{
	int at = near != SOCKET_ID_ANY ? near : RTE_MAX_NUMA_NODES;
	char name[RTE_MEMPOOL_NAMESIZE];

	if (pools[at] == NULL) {
		snprintf(name, sizeof(name), "patchbay_mbuf_%d", at);
		pools[at] = rte_pktmbuf_pool_create(
			name, mbufs, POOL_CACHE, 0, RTE_MBUF_DEFAULT_BUF_SIZE, near);
	}
	return pools[at];
}

/*
 * The pool of a socket; without huge pages all memory is one heap and one pool serves everybody, and so does that of
 * the sockets without memory: each is large enough for all workers.
 */
static struct rte_mempool *pool_get(int socket, unsigned mbufs)
{
	int near = lcore_near(socket);
	struct rte_mempool *pool = pool_at(near, mbufs);

	if (pool != NULL || near == SOCKET_ID_ANY)
		return pool;
	pool = pool_at(SOCKET_ID_ANY, mbufs);
	if (pool != NULL)
		lcore_went_far(near);
	return pool;
}

static int lcore_create(const struct lcore_conf *conf, unsigned lcore_id, unsigned mbufs)
{
	int socket = (int)rte_lcore_to_socket_id(lcore_id);
	struct lcore *lc = lcore_zalloc("lcore", sizeof(*lc), socket);
	int rc;

	if (lc == NULL)
		return -ENOMEM;
	lc->index = lcore_cnt;
	lc->lcore_id = lcore_id;
	lc->socket = socket;
	lc->mode = conf->poll;
	lc->spin_tsc = us_to_tsc(conf->spin_us);
	lc->epoll_gap_tsc = us_to_tsc(LCORE_EPOLL_GAP_US);
	lc->sockets_tsc = us_to_tsc(LCORE_SOCKETS_US);
	lc->held_up_tsc = us_to_tsc(LCORE_HELD_UP_US);
	lc->stall_tsc = us_to_tsc(LCORE_STALL_MS * 1000);
	lc->epoll_fd = -1;
	lc->bell.fd = -1;
	lcore_table[lcore_cnt++] = lc;
	lcore_clock_update(lc, rte_rdtsc());
	wheel_init(&lc->wheel, lc->now_ms);
	lc->pool = pool_get(lc->socket, mbufs);
	lc->scratch = aligned_alloc(64, (sizeof(*lc->scratch) + 63) / 64 * 64);
	if (lc->pool == NULL || lc->scratch == NULL)
		return -ENOMEM;
	memset(lc->scratch->recent, 0, sizeof(lc->scratch->recent));
	if (getrandom(lc->scratch->secret, sizeof(lc->scratch->secret), 0) !=
		(ssize_t)sizeof(lc->scratch->secret))
		return -EIO;
	rc = hub_park_init(lc);
	if (rc == 0)
		rc = lcore_msg_init(lc);
	return rc != 0 ? rc : lcore_io_init(lc);
}

int lcore_init(const struct lcore_conf *conf)
{
	unsigned ring_size = conf->ring_size != 0 ? conf->ring_size : 1024;
	unsigned lcore_id, mbufs;
	int rc;

	if (lcore_cnt != 0)
		return -EALREADY;
	if (conf->workers == 0 || conf->workers > LCORE_MAX ||
		conf->workers != rte_lcore_count() - 1 || !rte_is_power_of_2(ring_size) ||
		ring_size < 2 * LCORE_RELAY_BATCH || conf->spin_us > 1000000)
		return -EINVAL;
	clock_init();
	mbufs = pool_size(conf, ring_size);
	rc = grace_init(conf->workers);
	if (rc == 0)
		rc = lcore_events_init();
	if (rc != 0)
		goto fail;
	RTE_LCORE_FOREACH_WORKER (lcore_id) {
		rc = lcore_create(conf, lcore_id, mbufs);
		if (rc != 0)
			goto fail;
	}
	rc = lcore_relay_init(ring_size);
	if (rc != 0)
		goto fail;
	return 0;
fail:
	lcore_fini();
	return rc;
}

int lcore_start(void)
{
	for (unsigned i = 0; i < lcore_cnt; i++) {
		int rc =
			rte_eal_remote_launch(lcore_main, lcore_table[i], lcore_table[i]->lcore_id);

		if (rc != 0) {
			running = i > 0;
			lcore_stop();
			return rc;
		}
	}
	running = true;
	return 0;
}

void lcore_stop(void)
{
	if (!running)
		return;
	for (unsigned i = 0; i < lcore_cnt; i++) {
		/* The worker looks at `stop` between arming its bell and blocking: it cannot miss this. */
		atomic_store_explicit(&lcore_table[i]->stop, true, memory_order_relaxed);
		doorbell_ring(&lcore_table[i]->bell);
	}
	for (unsigned i = 0; i < lcore_cnt; i++)
		rte_eal_wait_lcore(lcore_table[i]->lcore_id);
	running = false;
}

void lcore_fini(void)
{
	lcore_stop();
	lcore_relay_fini();
	for (unsigned i = 0; i < lcore_cnt; i++) {
		lcore_io_fini(lcore_table[i]);
		lcore_msg_fini(lcore_table[i]);
		hub_park_fini(lcore_table[i]);
		free(lcore_table[i]->scratch);
		rte_free(lcore_table[i]);
		lcore_table[i] = NULL;
	}
	lcore_cnt = 0;
	rte_mempool_free(atomic_exchange_explicit(&jumbo_pool, NULL, memory_order_relaxed));
	for (unsigned i = 0; i < RTE_DIM(pools); i++) {
		rte_mempool_free(pools[i]);
		pools[i] = NULL;
	}
	memset(bare, 0, sizeof(bare));
	lcore_events_fini();
	grace_fini();
}

/* ---- identity and memory ---------------------------------------------------------------------- */

unsigned lcore_count(void)
{
	return lcore_cnt;
}

struct lcore *lcore_get(unsigned index)
{
	return index < lcore_cnt ? lcore_table[index] : NULL;
}

unsigned lcore_index(const struct lcore *lc)
{
	return lc->index;
}

struct rte_mempool *lcore_pool(struct lcore *lc)
{
	return lc->pool;
}

struct stats_block *lcore_stats(struct lcore *lc)
{
	return &lc->stats;
}

int lcore_jumbo_prepare(void)
{
	struct rte_mempool *pool = atomic_load_explicit(&jumbo_pool, memory_order_relaxed);

	if (pool != NULL)
		return 0;
	pool = rte_pktmbuf_pool_create("patchbay_jumbo", JUMBO_MBUFS, POOL_CACHE / 8, 0,
		RTE_PKTMBUF_HEADROOM + FRAME_JUMBO_MAX, SOCKET_ID_ANY);
	if (pool == NULL)
		return -ENOMEM;
	/* Release pairs with lcore_mbuf_copy(): who sees the pool sees it made. */
	atomic_store_explicit(&jumbo_pool, pool, memory_order_release);
	return 0;
}

struct rte_mbuf *lcore_mbuf_copy(struct lcore *lc, const struct frame *f)
{
	struct rte_mempool *pool = lc->pool;
	struct rte_mbuf *m;
	char *to;

	if (unlikely(f->len > RTE_MBUF_DEFAULT_DATAROOM)) {
		pool = atomic_load_explicit(&jumbo_pool, memory_order_acquire);
		if (pool == NULL)
			return NULL;
	}
	m = rte_pktmbuf_alloc(pool);
	if (m == NULL)
		return NULL;
	to = rte_pktmbuf_append(m, f->len);
	if (to == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	memcpy(to, f->data, f->len);
	return m;
}

/* ---- view: control thread --------------------------------------------------------------------- */

static int pinned_cpu(unsigned lcore_id)
{
	rte_cpuset_t set = rte_lcore_cpuset(lcore_id);

	if (CPU_COUNT(&set) != 1)
		return -1;
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, &set))
			return cpu;
	}
	return -1;
}

void lcore_view(unsigned index, struct lcore_view *out)
{
	const struct lcore *lc = lcore_table[index];
	uint64_t mark_tsc;

#define SEEN(field) __atomic_load_n(&lc->seen.field, __ATOMIC_RELAXED)
	*out = (struct lcore_view){
		.index = index,
		.lcore_id = lc->lcore_id,
		.cpu = pinned_cpu(lc->lcore_id),
		.socket = lc->socket,
		.busy_cycles = SEEN(busy_cycles),
		.idle_cycles = SEEN(idle_cycles),
		.turns = SEEN(turns),
		.sleeps = SEEN(sleeps),
		.doorbells = SEEN(doorbells),
		.late_reports = lc->watch.late,
		.polls = SEEN(polls),
		.fds = SEEN(fds),
		.msgs_reserved = atomic_load_explicit(&lc->msgs_reserved, memory_order_relaxed),
		.events_deferred = SEEN(events_deferred),
		.notices_lost = notice_lost(index),
	};
	/* What a worker that blocks now has not told yet; without it one that sleeps for hours looks busy. */
	mark_tsc = __atomic_load_n(&lc->mark_tsc, __ATOMIC_RELAXED);
	if (SEEN(online) == 0 && mark_tsc != 0)
		out->idle_cycles += rte_rdtsc() - mark_tsc;
	stats_fold(&out->stats, &lc->stats);
#undef SEEN
}

unsigned lcore_mbufs_in_use(void)
{
	struct rte_mempool *jumbo = atomic_load_explicit(&jumbo_pool, memory_order_acquire);
	unsigned n = jumbo != NULL ? rte_mempool_in_use_count(jumbo) : 0;

	for (unsigned i = 0; i < RTE_DIM(pools); i++)
		n += pools[i] != NULL ? rte_mempool_in_use_count(pools[i]) : 0;
	return n;
}

unsigned lcore_watchdog(void)
{
	uint64_t now_ms = lcore_clock_ms();
	unsigned silent = 0;

	for (unsigned i = 0; i < lcore_cnt; i++) {
		struct lcore *lc = lcore_table[i];
		uint64_t turns = __atomic_load_n(&lc->seen.turns, __ATOMIC_RELAXED);

		if (turns != lc->watch.turns ||
			__atomic_load_n(&lc->seen.online, __ATOMIC_RELAXED) == 0) {
			lc->watch.turns = turns;
			lc->watch.since_ms = now_ms;
			continue;
		}
		if (now_ms - lc->watch.since_ms < 1000)
			continue;
		lc->watch.late++;
		silent++;
	}
	return silent;
}

bool lcore_quiet(void)
{
	uint64_t done = 0, made = 0;

	/*
	 * All `done` before all `made`: both only grow, so that equality means that everything made before
	 * the first load was done by then, and nothing was made since.
	 */
	for (unsigned i = 0; i < lcore_cnt; i++) {
		struct lcore *lc = lcore_table[i];

		done += __atomic_load_n(&lc->seen.msgs_done, __ATOMIC_ACQUIRE);
		done += __atomic_load_n(&lc->seen.relays_done, __ATOMIC_ACQUIRE);
		done += lc->events_done;
	}
	for (unsigned i = 0; i < lcore_cnt; i++) {
		struct lcore *lc = lcore_table[i];

		made += atomic_load_explicit(&lc->msgs_made, memory_order_relaxed);
		made += __atomic_load_n(&lc->seen.relays_made, __ATOMIC_RELAXED);
		made += __atomic_load_n(&lc->seen.events_made, __ATOMIC_RELAXED);
	}
	return done == made;
}
