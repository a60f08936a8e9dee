/* SPDX-License-Identifier: BSD-3-Clause */
/* Commands on DPDK's telemetry socket (telemetry.h). */

#include "controlplane/telemetry.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include <rte_telemetry.h>

#include "dataplane/lcore.h"

#define NAME_BYTES 64u /* DPDK takes letters, digits, _ and / */

/* What the workers' memory outlives: DPDK's thread goes on until the EAL ends. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool running;

static int lcores(const char *, const char *, struct rte_tel_data *d)
{
	rte_tel_data_start_array(d, RTE_TEL_U64_VAL);
	for (unsigned i = 0; i < lcore_count(); i++)
		rte_tel_data_add_array_u64(d, i);
	return 0;
}

static void books(struct rte_tel_data *d, const struct stats_block *b)
{
	char name[NAME_BYTES];

	rte_tel_data_add_dict_u64(d, "in_frames", stats_in_frames(b));
	rte_tel_data_add_dict_u64(d, "switched", b->switched);
	rte_tel_data_add_dict_u64(d, "flooded", b->flooded);
	rte_tel_data_add_dict_u64(d, "copies", b->copies);
	rte_tel_data_add_dict_u64(d, "sent", stats_sent_frames(b));
	for (unsigned r = 0; r < STATS_DROP_IN_CNT; r++) {
		snprintf(name, sizeof(name), "drop_in/%s",
			stats_drop_in_name((enum stats_drop_in)r));
		rte_tel_data_add_dict_u64(d, name, b->drop_in[r]);
	}
	for (unsigned r = 0; r < STATS_DROP_OUT_CNT; r++) {
		snprintf(name, sizeof(name), "drop_out/%s",
			stats_drop_out_name((enum stats_drop_out)r));
		rte_tel_data_add_dict_u64(d, name, b->drop_out[r]);
	}
}

static int lcore(const char *, const char *params, struct rte_tel_data *d)
{
	struct lcore_view v;
	unsigned long index;
	char *end;

	if (params == NULL || params[0] < '0' || params[0] > '9')
		return -EINVAL;
	index = strtoul(params, &end, 10);
	if (*end != '\0' || index >= lcore_count())
		return -EINVAL;
	lcore_view((unsigned)index, &v);
	rte_tel_data_start_dict(d);
	rte_tel_data_add_dict_int(d, "cpu", v.cpu);
	rte_tel_data_add_dict_u64(d, "lcore_id", v.lcore_id);
	rte_tel_data_add_dict_u64(d, "busy_cycles", v.busy_cycles);
	rte_tel_data_add_dict_u64(d, "idle_cycles", v.idle_cycles);
	rte_tel_data_add_dict_u64(d, "turns", v.turns);
	rte_tel_data_add_dict_u64(d, "sleeps", v.sleeps);
	rte_tel_data_add_dict_u64(d, "doorbells", v.doorbells);
	rte_tel_data_add_dict_u64(d, "late_reports", v.late_reports);
	rte_tel_data_add_dict_u64(d, "polls", v.polls);
	rte_tel_data_add_dict_u64(d, "fds", v.fds);
	books(d, &v.stats);
	return 0;
}

static int guarded(int (*fn)(const char *, const char *, struct rte_tel_data *), const char *cmd,
	const char *params, struct rte_tel_data *d)
{
	int rc = -ENODEV;

	pthread_mutex_lock(&lock);
	if (running)
		rc = fn(cmd, params, d);
	pthread_mutex_unlock(&lock);
	return rc;
}

static int lcores_guarded(const char *cmd, const char *params, struct rte_tel_data *d)
{
	return guarded(lcores, cmd, params, d);
}

static int lcore_guarded(const char *cmd, const char *params, struct rte_tel_data *d)
{
	return guarded(lcore, cmd, params, d);
}

int telemetry_start(void)
{
	int rc = rte_telemetry_register_cmd(
		"/patchbay/lcores", lcores_guarded, "Indices of the workers. No parameters.");

	if (rc == 0)
		rc = rte_telemetry_register_cmd("/patchbay/lcore", lcore_guarded,
			"Cycles and books of a worker. Parameter: its index.");
	pthread_mutex_lock(&lock);
	running = rc == 0;
	pthread_mutex_unlock(&lock);
	return rc;
}

void telemetry_stop(void)
{
	pthread_mutex_lock(&lock);
	running = false;
	pthread_mutex_unlock(&lock);
}
