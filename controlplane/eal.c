/* SPDX-License-Identifier: BSD-3-Clause */
/* Starting DPDK's EAL (eal.h). */

#include <dirent.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_version.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/eal.h"
#include "controlplane/log.h"

/* Below the state directory; with room for the ":1" that the EAL may put behind it. */
#define TELEMETRY_SOCKET "/dpdk/patchbay/dpdk_telemetry.v2:99"

#define MAIN_LCORE 0u
#define ARGS_MAX   64
#define HUGE_DIR   "/sys/kernel/mm/hugepages"
/* Largest mbuf with its header and a cache line of the pool's, for sizing alone. */
#define MBUF_BYTES 2560u

static FILE *log_stream;
static _Thread_local bool hushed;

/* ---- DPDK's log into ours ---------------------------------------------------------------------- */

static ssize_t log_cookie_write(void *, const char *text, size_t size)
{
	int level = rte_log_cur_msg_loglevel();
	enum log_level ours = hushed		? LOG_LEVEL_DEBUG
		: level <= (int)RTE_LOG_ERR	? LOG_LEVEL_ERROR
		: level <= (int)RTE_LOG_WARNING ? LOG_LEVEL_WARNING
						: LOG_LEVEL_DEBUG;
	size_t len = size;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	if (len > 0)
		log_write(ours, "dpdk", "%.*s", (int)len, text);
	return (ssize_t)size;
}

void eal_hush(bool hush)
{
	hushed = hush;
}

static void open_log_stream(void)
{
	cookie_io_functions_t io = {.write = log_cookie_write};

	log_stream = fopencookie(NULL, "w", io);
	if (log_stream == NULL)
		return;
	setvbuf(log_stream, NULL, _IOLBF, 0);
	rte_openlog_stream(log_stream);
}

/* ---- arguments --------------------------------------------------------------------------------- */

struct args {
	char *v[ARGS_MAX + 1];
	int cnt;
	bool failed; /* out of memory, or too many */
};

static void __attribute__((format(printf, 2, 3))) add(struct args *a, const char *fmt, ...)
{
	va_list ap;

	if (a->cnt == ARGS_MAX) {
		a->failed = true;
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&a->v[a->cnt], fmt, ap) < 0)
		a->failed = true;
	else
		a->cnt++;
	va_end(ap);
}

static void args_free(struct args *a)
{
	for (int i = 0; i < a->cnt; i++)
		free(a->v[i]);
}

/* "0@(0,2),1@3,2@3" */
static void add_lcores(struct args *a, const struct eal_plan *plan)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	const char *separator = "";

	if (f == NULL) {
		a->failed = true;
		return;
	}
	fprintf(f, "%u@(", MAIN_LCORE);
	for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (!CPU_ISSET(cpu, &plan->control))
			continue;
		fprintf(f, "%s%d", separator, cpu);
		separator = ",";
	}
	fputc(')', f);
	for (unsigned w = 0; w < plan->workers; w++)
		fprintf(f, ",%u@%d", w + 1, plan->worker_cpus[w]);
	if (fclose(f) != 0) {
		a->failed = true;
	} else {
		add(a, "--lcores");
		add(a, "%s", text);
	}
	free(text);
}

/* The number in HUGE_DIR/size/name; 0 if there is none. */
static unsigned long hugepages_read(const char *size, const char *name)
{
	char path[sizeof(HUGE_DIR) + NAME_MAX + 32];
	unsigned long pages;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s/%s", HUGE_DIR, size, name);
	f = fopen(path, "re");
	if (f == NULL)
		return 0;
	if (fscanf(f, "%lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages;
}

/* MiB of hugepages of any size that are free and that no other process has been promised. */
static unsigned long free_hugepages_mb(void)
{
	DIR *dir = opendir(HUGE_DIR);
	unsigned long mb = 0;
	struct dirent *e;

	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL) {
		unsigned long kb, pages, promised;

		if (sscanf(e->d_name, "hugepages-%lukB", &kb) != 1)
			continue;
		pages = hugepages_read(e->d_name, "free_hugepages");
		promised = hugepages_read(e->d_name, "resv_hugepages");
		if (pages > promised)
			mb += (pages - promised) * kb / 1024;
	}
	closedir(dir);
	return mb;
}

/*
 * What workers, mbufs and rings ask for, generously: without hugepages it is address space, of which only
 * what is touched counts; with them no more is taken than is needed.
 */
static unsigned memory_mb(const struct config *config)
{
	uint64_t pairs = (uint64_t)config->workers * (config->workers - 1);
	uint64_t mbufs = config->mbufs;
	uint64_t bytes;

	if (config->memory_mb != 0)
		return config->memory_mb;
	if (mbufs == 0)
		mbufs = 2 *
				(pairs * config->ring_size +
					config->workers * CONFIG_MBUFS_PER_WORKER) +
			16384;
	/* Rings of frames between each ordered pair of workers: 8 bytes an entry, two kinds. */
	bytes = mbufs * MBUF_BYTES + pairs * config->ring_size * 16;
	bytes += (uint64_t)config->workers * (32u << 20);
	return (unsigned)(bytes >> 20) + 256;
}

/* Set by a process for the one it becomes. */
#define GONE "PATCHBAY_HUGEPAGES_GONE"

/* Whether these options take hugepages because some were free when we looked: others may be quicker. */
static bool took_chance;

bool eal_again(void)
{
	return took_chance;
}

static void build_args(struct args *a, const struct config *config, const struct eal_plan *plan)
{
	unsigned mb = memory_mb(config);
	char *copy, *rest, *word;

	add(a, "patchbayd");
	add_lcores(a, plan);
	add(a, "--main-lcore");
	add(a, "%u", MAIN_LCORE);
	/* Says as a warning that nobody uses its old protocol. */
	add(a, "--log-level");
	add(a, "lib.telemetry:error");
	/*
	 * The EAL's runtime folder, with the telemetry socket, is in the state directory: that has one daemon,
	 * so that a restart after SIGKILL takes the folder over, and goes with it.
	 */
	add(a, "--file-prefix");
	add(a, "patchbay");
	if (setenv("RUNTIME_DIRECTORY", config->state_dir, 1) < 0)
		a->failed = true;
	if (strlen(config->state_dir) + sizeof(TELEMETRY_SOCKET) >
		sizeof(((struct sockaddr_un *)0)->sun_path))
		add(a, "--no-telemetry");
	if (config->eal_options[0] != '\0') {
		copy = strdup(config->eal_options);
		a->failed |= copy == NULL;
		rest = copy;
		while (rest != NULL && (word = strsep(&rest, " \t\n")) != NULL)
			if (word[0] != '\0')
				add(a, "%s", word);
		free(copy);
		return;
	}
	add(a, "--no-pci");
	/* --no-huge and --in-memory exclude each other in 22.11 (architecture.md 5.6). */
	took_chance = config->hugepages && getenv(GONE) == NULL && free_hugepages_mb() >= mb;
	unsetenv(GONE); /* a later start looks anew */
	if (took_chance) {
		add(a, "--in-memory");
	} else {
		add(a, "--no-huge");
		add(a, "--no-shconf");
	}
	add(a, "-m");
	add(a, "%u", mb);
}

/* ---- life -------------------------------------------------------------------------------------- */

/* What the telemetry socket leaves; the EAL itself removes nothing. */
static void remove_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL)
		if (e->d_name[0] != '.')
			unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	rmdir(path);
}

int eal_bind(const struct eal_plan *plan)
{
	return sched_setaffinity(0, sizeof(plan->control), &plan->control) < 0 ? -errno : 0;
}

int eal_start(const struct config *config, const struct eal_plan *plan)
{
	struct args args = {};
	char *argv[ARGS_MAX + 1]; /* the EAL reorders its copy */
	int rc;

	open_log_stream();
	build_args(&args, config, plan);
	if (args.failed) {
		args_free(&args);
		log_error("eal",
			"the EAL's options cannot be put together: too many, or out of memory");
		return -EINVAL;
	}
	memcpy(argv, args.v, sizeof(argv));
	rc = rte_eal_init(args.cnt, argv) < 0 ? -rte_errno : 0;
	if (rc < 0) {
		char line[1024] = "";

		for (int i = 1; i < args.cnt; i++)
			snprintf(
				line + strlen(line), sizeof(line) - strlen(line), " %s", args.v[i]);
		took_chance = took_chance && setenv(GONE, "1", 1) == 0;
		log_error("eal", "DPDK does not start: %s; its options:%s", strerror(-rc), line);
		if (took_chance)
			log_warning("eal",
				"the hugepages that were free cannot be had: beginning again without");
	} else {
		took_chance = false;
		log_notice("eal", "%s, %s", rte_version(),
			rte_eal_has_hugepages() ? "hugepages" : "no hugepages");
	}
	args_free(&args);
	return rc;
}

void eal_stop(void)
{
	char *runtime = strdup(rte_eal_get_runtime_dir());

	rte_eal_cleanup();
	if (runtime != NULL) {
		remove_folder(runtime);
		rmdir(dirname(runtime));
	}
	free(runtime);
	rte_openlog_stream(NULL);
	if (log_stream != NULL)
		fclose(log_stream);
	log_stream = NULL;
}
