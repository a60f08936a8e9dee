/* SPDX-License-Identifier: BSD-3-Clause */
/* Both files read again, at a signal (reload.h). */

#include "controlplane/reload.h"

#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/where.h"
#include "controlplane/config.h"
#include "controlplane/log.h"
#include "controlplane/notify.h"
#include "controlplane/server_change.h"
#include "controlplane/server_tls.h"
#include "controlplane/store.h"
#include "controlplane/syslog_target.h"

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

static void config_again(void)
{
	struct config *fresh;
	char later[512];

	if (again.path == NULL)
		return;
	fresh = config_load(again.path, report, NULL);
	/* The command line may have said where the state is, and with it the socket. */
	if (fresh != NULL && config_set_state_dir(fresh, again.config->state_dir) != 0) {
		config_free(fresh);
		fresh = NULL;
	}
	if (fresh == NULL) {
		log_error("config", "%s: not taken, what was in force stays", again.path);
		return;
	}
	memcpy(again.config->listeners, fresh->listeners, sizeof(fresh->listeners));
	again.config->listener_cnt = fresh->listener_cnt;
	again.config->log_level = fresh->log_level;
	log_set_level(fresh->log_level);
	config_restart_keys(again.config, fresh, later, sizeof(later));
	if (later[0] != '\0')
		log_warning(
			"config", "%s: these hold from the next start on: %s", again.path, later);
	config_free(fresh);
	server_listeners_renew();
	syslog_target_renew();
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
	server_tls_reload();
	admin_where_look(true);
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
