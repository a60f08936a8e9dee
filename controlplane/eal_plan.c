/* SPDX-License-Identifier: BSD-3-Clause */
/* Which thread runs where (eal.h): pure, apart from the EAL, so that it can be tested for any machine. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/eal.h"

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
