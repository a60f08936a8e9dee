/* SPDX-License-Identifier: BSD-3-Clause */
/* See syslog_target.h. */

#include "controlplane/syslog_target.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/config.h"
#include "controlplane/control.h"
#include "controlplane/log.h"
#include "controlplane/logs/logs.h"
#include "controlplane/logs/syslog_out.h"
#include "controlplane/resolver.h"
#include "dataplane/lcore.h"

static_assert(DIRECTORY_SYSLOG_CNT == (int)LOGS_SYSLOG_CNT, "the same numbers");

static struct {
	struct directory_syslog now;
	bool named; /* by a name: to be looked up */
	bool told;  /* that there is no such name */
	uint64_t look_ms;
} target;

void syslog_target_get(struct directory_syslog *out)
{
	const struct config *config = control_config();
	const struct directory_syslog *set = directory_server_syslog();

	if (set->set) {
		*out = *set;
		return;
	}
	*out = (struct directory_syslog){.port = (uint16_t)config->log_syslog_port};
	if (config->log_syslog[0] == '\0' || strlen(config->log_syslog) >= sizeof(out->host))
		return;
	out->lines = (uint8_t)config->log_syslog_lines;
	strcpy(out->host, config->log_syslog);
}

static void in_force(const struct sockaddr_storage *to, socklen_t bytes)
{
	logs_syslog_set((enum logs_syslog)target.now.lines, to, bytes);
}

static void look(void)
{
	struct sockaddr_storage to;
	int rc = resolver_find(target.now.host, &to);

	if (rc == -EAGAIN)
		return;
	target.look_ms = lcore_clock_ms() + RESOLVER_KEEP_MS;
	if (rc != 0) {
		if (!target.told)
			log_warning("logs",
				"syslog server \"%s\": no such name; lines are lost until there is",
				target.now.host);
		target.told = true;
		return;
	}
	target.told = false;
	if (to.ss_family == AF_INET6)
		((struct sockaddr_in6 *)&to)->sin6_port = htons(target.now.port);
	else
		((struct sockaddr_in *)&to)->sin_port = htons(target.now.port);
	in_force(&to,
		to.ss_family == AF_INET6 ? sizeof(struct sockaddr_in6)
					 : sizeof(struct sockaddr_in));
}

void syslog_target_renew(void)
{
	struct sockaddr_storage to = {0};
	socklen_t bytes = 0;

	syslog_target_get(&target.now);
	target.told = false;
	target.look_ms = 0;
	if (target.now.lines != LOGS_SYSLOG_OFF)
		target.named = syslog_address(target.now.host, target.now.port, &to, &bytes) != 0;
	else
		target.named = false;
	in_force(&to, target.named ? 0 : bytes);
	if (target.named)
		look();
}

void syslog_target_run(void)
{
	if (target.named && lcore_clock_ms() >= target.look_ms)
		look();
}
