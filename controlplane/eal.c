/* SPDX-License-Identifier: BSD-3-Clause */
/* Starting DPDK's EAL (eal.h). */

#include <dirent.h>
#include <errno.h>
#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>
#include <rte_version.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/eal.h"
#include "controlplane/log.h"

#define MAIN_LCORE 0u
#define ARGS_MAX   64
#define PREFIX	   "patchbay-"
#define HUGE_DIR   "/sys/kernel/mm/hugepages"
/* Largest mbuf with its header and a cache line of the pool's, for sizing alone. */
#define MBUF_BYTES 2560u

static FILE *log_stream;

/* ---- the plan ---------------------------------------------------------------------------------- */

int eal_plan(const struct config *config, const cpu_set_t *allowed, struct eal_plan *out,
	char *error, unsigned error_size)
{
	int cpus[CPU_SETSIZE]; /* that nobody asked for by number, highest first */
	int cnt = 0, usable, next = 0, choices = 0;
	cpu_set_t taken;

	memset(out, 0, sizeof(*out));
	out->workers = config->workers;
	CPU_ZERO(&taken);
	for (unsigned w = 0; w < config->workers; w++) {
		int cpu = config->worker_cpus[w];

		if (cpu < 0) {
			choices++;
			continue;
		}
		if (!CPU_ISSET(cpu, allowed)) {
			snprintf(error, error_size,
				"lcores.cpus: worker %u asks for CPU %d, which this process may not use",
				w, cpu);
			return -EINVAL;
		}
		CPU_SET(cpu, &taken);
	}
	for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
		if (CPU_ISSET(cpu, allowed) && !CPU_ISSET(cpu, &taken))
			cpus[cnt++] = cpu;
	if (cnt == 0) {
		for (int cpu = CPU_SETSIZE - 1; cpu >= 0; cpu--)
			if (CPU_ISSET(cpu, allowed))
				cpus[cnt++] = cpu;
	}
	/* One is left to all other threads if the workers fit into the rest. */
	usable = choices < cnt ? cnt - 1 : cnt;
	for (unsigned w = 0; w < config->workers; w++) {
		int cpu = config->worker_cpus[w];

		if (cpu < 0)
			cpu = cpus[next++ % usable];
		out->worker_cpus[w] = cpu;
		CPU_SET(cpu, &taken);
	}
	CPU_XOR(&out->control, allowed, &taken);
	CPU_AND(&out->control, &out->control, allowed);
	if (CPU_COUNT(&out->control) == 0)
		out->control = *allowed;
	return 0;
}

/* ---- DPDK's log into ours ---------------------------------------------------------------------- */

static ssize_t log_cookie_write(void *, const char *text, size_t size)
{
	int level = rte_log_cur_msg_loglevel();
	enum log_level ours = level <= (int)RTE_LOG_ERR ? LOG_LEVEL_ERROR
		: level <= (int)RTE_LOG_WARNING		? LOG_LEVEL_WARNING
							: LOG_LEVEL_DEBUG;
	size_t len = size;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	if (len > 0)
		log_write(ours, "dpdk", "%.*s", (int)len, text);
	return (ssize_t)size;
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

/* MiB of hugepages that are free, of any size. */
static unsigned long free_hugepages_mb(void)
{
	DIR *dir = opendir(HUGE_DIR);
	unsigned long mb = 0;
	struct dirent *e;

	if (dir == NULL)
		return 0;
	while ((e = readdir(dir)) != NULL) {
		char path[sizeof(HUGE_DIR) + sizeof(e->d_name) + 32];
		unsigned long kb, pages;
		FILE *f;

		if (sscanf(e->d_name, "hugepages-%lukB", &kb) != 1)
			continue;
		snprintf(path, sizeof(path), "%s/%s/free_hugepages", HUGE_DIR, e->d_name);
		f = fopen(path, "re");
		if (f == NULL)
			continue;
		if (fscanf(f, "%lu", &pages) == 1)
			mb += pages * kb / 1024;
		fclose(f);
	}
	closedir(dir);
	return mb;
}

/* Without hugepages this is address space, of which only what is touched counts. */
static unsigned memory_mb(const struct config *config)
{
	uint64_t bytes = (uint64_t)config->mbufs * MBUF_BYTES;

	if (config->memory_mb != 0)
		return config->memory_mb;
	bytes += (uint64_t)config->workers * (config->staging_pool_bytes + (32u << 20));
	/* Rings of frames between each ordered pair of workers: 8 bytes an entry, two kinds. */
	bytes += (uint64_t)config->workers * config->workers * config->ring_size * 16;
	return (unsigned)(bytes >> 20) + 256;
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
	add(a, "--file-prefix");
	add(a, PREFIX "%d", getpid());
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
	if (config->hugepages && free_hugepages_mb() >= mb) {
		add(a, "--in-memory");
	} else {
		add(a, "--no-huge");
		add(a, "--no-shconf");
	}
	add(a, "-m");
	add(a, "%u", mb);
}

/* ---- life -------------------------------------------------------------------------------------- */

static const char *runtime_dir(void)
{
	const char *dir = getenv("RUNTIME_DIRECTORY");

	if (geteuid() != 0 && dir == NULL)
		dir = getenv("XDG_RUNTIME_DIR");
	return dir != NULL ? dir : geteuid() == 0 ? "/var/run" : "/tmp";
}

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

/* Folders of this process (all = false), and of processes of ours that were killed. */
static void clean_runtime(bool own)
{
	char base[512];
	struct dirent *e;
	DIR *dir;

	snprintf(base, sizeof(base), "%s/dpdk", runtime_dir());
	dir = opendir(base);
	if (dir == NULL)
		return;
	while ((e = readdir(dir)) != NULL) {
		char path[sizeof(base) + sizeof(e->d_name) + 1];
		int pid;

		if (sscanf(e->d_name, PREFIX "%d", &pid) != 1 || pid <= 0)
			continue;
		if (own ? pid != getpid() : kill(pid, 0) == 0 || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "%s/%s", base, e->d_name);
		remove_folder(path);
	}
	closedir(dir);
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

	clean_runtime(false);
	open_log_stream();
	build_args(&args, config, plan);
	if (args.failed) {
		args_free(&args);
		log_error("eal", "too many EAL options, or out of memory");
		return -EINVAL;
	}
	memcpy(argv, args.v, sizeof(argv));
	rc = rte_eal_init(args.cnt, argv) < 0 ? -rte_errno : 0;
	if (rc < 0) {
		char line[1024] = "";

		for (int i = 1; i < args.cnt; i++)
			snprintf(
				line + strlen(line), sizeof(line) - strlen(line), " %s", args.v[i]);
		log_error("eal", "DPDK does not start: %s; its options:%s", strerror(-rc), line);
	} else {
		log_notice("eal", "%s, %s", rte_version(),
			rte_eal_has_hugepages() ? "hugepages" : "no hugepages");
	}
	args_free(&args);
	return rc;
}

void eal_stop(void)
{
	rte_eal_cleanup();
	clean_runtime(true);
	rte_openlog_stream(NULL);
	if (log_stream != NULL)
		fclose(log_stream);
	log_stream = NULL;
}
