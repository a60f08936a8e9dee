/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Events of many threads at once through the logs' ring and thread, while files are changed by size: each is a whole line of
 * the log, in its thread's order, or counted as lost. Also under the thread sanitizer.
 *
 * usage: logs_stress_test EVENTS-OF-EACH-THREAD
 */

#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/logs/logs.h"

#define THREADS	  4u
#define MAX_BYTES 300000u

static unsigned events;
static char folder[] = "/tmp/patchbay-logs-stress.XXXXXX";
static unsigned expected[THREADS], lines, wrong, told_lost;

static void *say(void *arg)
{
	unsigned me = (unsigned)(uintptr_t)arg;

	for (unsigned n = 0; n < events; n++) {
		const struct log_field fields[] = {LOG_NUMBER("thread", me), LOG_NUMBER("n", n),
			LOG_TEXT("name", "a\"b\n利用者"), LOG_END};

		logs_event(LOGS_NO_HUB, LOG_EVENT_ADMINISTRATION, fields);
		/* A pause now and then: else all but the first ring of them would be lost. */
		if (n % 256 == 255)
			usleep(1000);
	}
	return NULL;
}

static void judge(const char *line)
{
	static const char tail[] = " name=\"a\\\"b\\n利用者\"\r\n";
	const char *at = strstr(line, "administration thread=");
	unsigned me, n, lost;
	int len = 0;

	if (at == NULL) {
		at = strstr(line, "lines lost lines=");
		if (at == NULL || sscanf(at, "lines lost lines=%u", &lost) != 1)
			wrong++;
		else
			told_lost += lost;
		return;
	}
	lines++;
	if (sscanf(at, "administration thread=%u n=%u%n", &me, &n, &len) != 2 || me >= THREADS ||
		n < expected[me] || strcmp(at + len, tail) != 0) {
		wrong++;
		return;
	}
	expected[me] = n + 1;
}

static void read_file(const char *path)
{
	char line[8192];
	FILE *f = fopen(path, "r");

	if (f == NULL)
		return;
	while (fgets(line, sizeof(line), f) != NULL)
		judge(line);
	fclose(f);
}

static int forget(const char *path, const struct stat *, int, struct FTW *)
{
	return remove(path);
}

int main(int argc, char **argv)
{
	const struct logs_conf conf = {
		.folder = folder, .max_bytes = MAX_BYTES, .packet_ring_bytes = 65536};
	struct logs_counters c;
	pthread_t thread[THREADS];
	char path[sizeof(folder) + 64];
	unsigned files = 0;

	events = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20000;
	if (mkdtemp(folder) == NULL || logs_init(&conf) != 0)
		return 1;
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&thread[i], NULL, say, (void *)(uintptr_t)i) != 0)
			return 1;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
	logs_fini();
	logs_counters(&c);
	/* Those that were put aside: vpn.log, vpn~01.log, ..., the oldest first. */
	for (unsigned i = 1; i < 10000; i++) {
		snprintf(path, sizeof(path), "%s/server_log/vpn~%02u.log", folder, i);
		if (access(path, R_OK) != 0)
			break;
		read_file(path);
		files++;
	}
	snprintf(path, sizeof(path), "%s/server_log/vpn.log", folder);
	read_file(path);
	nftw(folder, forget, 8, FTW_DEPTH | FTW_PHYS);
	printf("%u events: %u lines in %u files, %llu lost, %u told of, %u wrong\n",
		THREADS * events, lines, files + 1, (unsigned long long)c.lost_ring, told_lost,
		wrong);
	return wrong == 0 && lines + c.lost_ring == THREADS * events && told_lost <= c.lost_ring &&
			lines > 0 && c.lost_disk == 0
		? 0
		: 1;
}
