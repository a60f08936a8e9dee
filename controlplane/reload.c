/* SPDX-License-Identifier: BSD-3-Clause */
/* Both files read again, at a signal (reload.h). */

#include "controlplane/reload.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/config.h"
#include "controlplane/log.h"
#include "controlplane/notify.h"
#include "controlplane/server_change.h"
#include "controlplane/store.h"

static struct {
	struct config *config;
	const char *path;
	struct store_reload directory;
	bool reading; /* `directory` is the store's */
} again;

void reload_init(struct config *config, const char *path)
{
	again.config = config;
	again.path = path;
}

static void report(void *, const char *line)
{
	log_error("config", "%s", line);
}

/* Numbers and texts that only a start looks at; state_dir may have come from the command line. */
static bool needs_restart(const struct config *a, const struct config *b)
{
	return strcmp(a->eal_options, b->eal_options) != 0 || a->memory_mb != b->memory_mb ||
		a->hugepages != b->hugepages || a->workers != b->workers || a->poll != b->poll ||
		memcmp(a->worker_cpus, b->worker_cpus, sizeof(a->worker_cpus)) != 0 ||
		a->spin_us != b->spin_us || a->mbufs != b->mbufs || a->ring_size != b->ring_size ||
		a->login_connections != b->login_connections ||
		a->login_connections_per_source != b->login_connections_per_source ||
		a->login_handshakes != b->login_handshakes ||
		a->login_handshakes_per_source != b->login_handshakes_per_source ||
		a->login_timeout_ms != b->login_timeout_ms || a->login_bytes != b->login_bytes ||
		a->handshake_threads != b->handshake_threads ||
		a->slow_threads != b->slow_threads || a->sessions_max != b->sessions_max ||
		a->mac_entries != b->mac_entries ||
		a->session_connections != b->session_connections ||
		a->staging_bytes != b->staging_bytes ||
		a->staging_pool_bytes != b->staging_pool_bytes ||
		a->staging_age_ms != b->staging_age_ms || a->udp_enabled != b->udp_enabled ||
		a->udp_first_port != b->udp_first_port ||
		a->udp_min_version != b->udp_min_version ||
		a->udp_max_version != b->udp_max_version ||
		strcmp(a->tls_ciphers, b->tls_ciphers) != 0 ||
		strcmp(a->tls_ciphersuites, b->tls_ciphersuites) != 0 ||
		strcmp(a->metrics_address, b->metrics_address) != 0 ||
		a->metrics_port != b->metrics_port ||
		strcmp(a->metrics_token, b->metrics_token) != 0 ||
		strcmp(a->log_file, b->log_file) != 0;
}

static void config_again(void)
{
	struct config *fresh;

	if (again.path == NULL)
		return;
	fresh = config_load(again.path, report, NULL);
	if (fresh == NULL) {
		log_error("config", "%s: not taken, what was in force stays", again.path);
		return;
	}
	memcpy(again.config->listeners, fresh->listeners, sizeof(fresh->listeners));
	again.config->listener_cnt = fresh->listener_cnt;
	again.config->log_level = fresh->log_level;
	log_set_level(fresh->log_level);
	if (needs_restart(again.config, fresh))
		log_warning("config",
			"%s: listeners and log.level are in force; what else is different there holds "
			"from the next start on",
			again.path);
	config_free(fresh);
	server_listeners_renew();
	log_notice("config", "%s read again", again.path);
}

static void directory_again(struct store_reload *reload, int error)
{
	char *line, *rest = reload->report;

	again.reading = false;
	for (line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n"))
		if (line[0] != '\0')
			log_error("directory", "%s", line);
	free(reload->report);
	if (error != 0)
		log_error("directory", "not read again, what was in force stays: %s",
			strerror(-error));
	notify_ready();
}

void reload_all(void)
{
	log_notice("control", "reading patchbay.cfg and the directory again");
	notify_reloading();
	config_again();
	/* A second signal before the first has been served: the store's thread is at work in `directory`. */
	if (!again.reading) {
		again.directory = (struct store_reload){.done = directory_again};
		again.reading = store_reload_begin(&again.directory) == 0;
		if (again.reading)
			return;
	}
	log_warning("directory", "is being read already");
	if (!again.reading)
		notify_ready(); /* an administrator reads it: nothing of ours will say so */
}
