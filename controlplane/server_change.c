/* SPDX-License-Identifier: BSD-3-Clause */
/* See server_change.h. */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/config.h"
#include "controlplane/control.h"
#include "controlplane/errand.h"
#include "controlplane/listener.h"
#include "controlplane/log.h"
#include "controlplane/server_change.h"
#include "controlplane/server_tls.h"
#include "controlplane/store.h"
#include "controlplane/syslog_target.h"

struct server_change {
	struct store_request request; /* first */
	enum {
		OF_ADMIN,
		OF_LISTENER,
		OF_CIPHERS,
		OF_SYSLOG,
	} of;
	struct errand errand;
	int error;

	struct directory_admin old_admin, new_admin;
	struct directory_syslog old_syslog, new_syslog;

	enum server_listener_action action;
	uint16_t port;
	bool enabled;
	bool had_entry; /* what the directory said of the port before */
	struct directory_listener old_entry;

	char old_ciphers[DIRECTORY_CIPHERS_BYTES], new_ciphers[DIRECTORY_CIPHERS_BYTES];
};

/*
 * They are one object on the disk, written whole: what a second one would write while the first waits has the first in
 * it, and would make durable what the disk has refused. So the second waits.
 */
static bool changing;

static bool entry_find(uint16_t port, struct directory_listener *out)
{
	for (unsigned i = 0; directory_listener_get(i, out); i++)
		if (out->port == port)
			return true;
	return false;
}

static void change_free(struct server_change *c)
{
	explicit_bzero(c, sizeof(*c));
	free(c);
}

static void take_back(const struct server_change *c)
{
	switch (c->of) {
	case OF_LISTENER:
		(void)directory_listener_set(c->port, c->had_entry ? &c->old_entry : NULL);
		break;
	case OF_ADMIN:
		directory_server_set_admin(&c->old_admin);
		break;
	case OF_CIPHERS:
		directory_server_set_ciphers(c->old_ciphers);
		break;
	case OF_SYSLOG:
		directory_server_set_syslog(&c->old_syslog);
		break;
	}
}

static void put_in_force(const struct server_change *c)
{
	int rc = 0;

	if (c->of == OF_CIPHERS) {
		server_tls_renew();
		log_notice("tls", "ciphers are now: %s",
			c->new_ciphers[0] != '\0' ? c->new_ciphers : "those of patchbay.cfg");
		return;
	}
	if (c->of == OF_SYSLOG) {
		syslog_target_renew();
		log_notice("admin", "the syslog server was changed");
		return;
	}
	if (c->of == OF_ADMIN) {
		log_notice("admin",
			c->new_admin.set ? "the server's password was changed"
					 : "the server's password was removed");
		return;
	}
	switch (c->action) {
	case SERVER_LISTENER_ADD:
		rc = listener_add(c->port, c->enabled);
		break;
	case SERVER_LISTENER_REMOVE:
		rc = listener_remove(c->port);
		break;
	case SERVER_LISTENER_SWITCH:
		rc = listener_enable(c->port, c->enabled);
		break;
	}
	/* Somebody else did the same meanwhile, or memory is short: the next start has it. */
	if (rc != 0)
		log_warning("listener", "TCP port %u: stored, but not in force: %s", c->port,
			strerror(-rc));
}

static void on_saved(struct store_request *request, int error)
{
	struct server_change *c = (struct server_change *)request;

	c->error = error;
	changing = false;
	if (error != 0)
		take_back(c);
	else
		put_in_force(c);
	if (errand_over(&c->errand))
		change_free(c);
}

/* 0, -EBUSY, -ENOMEM. */
static int change_new(struct server_change **out)
{
	if (changing || store_frozen())
		return -EBUSY;
	*out = calloc(1, sizeof(**out));
	return *out == NULL ? -ENOMEM : 0;
}

static struct server_change *begin(struct server_change *c)
{
	c->request.done = on_saved;
	changing = true;
	store_change(&c->request, &(struct directory_object){"server", "", ""}, 1);
	return c;
}

int server_change_admin(const struct directory_admin *admin, struct server_change **out)
{
	struct server_change *c;
	int rc = change_new(&c);

	if (rc != 0)
		return rc;
	c->old_admin = *directory_server_admin();
	c->new_admin = *admin;
	directory_server_set_admin(admin);
	*out = begin(c);
	return 0;
}

int server_change_ciphers(const char *ciphers, struct server_change **out)
{
	struct server_change *c;
	int rc;

	if (strlen(ciphers) >= DIRECTORY_CIPHERS_BYTES)
		return -EINVAL;
	rc = change_new(&c);
	if (rc != 0)
		return rc;
	c->of = OF_CIPHERS;
	strcpy(c->old_ciphers, directory_server_ciphers());
	strcpy(c->new_ciphers, ciphers);
	directory_server_set_ciphers(ciphers);
	*out = begin(c);
	return 0;
}

int server_change_syslog(const struct directory_syslog *syslog, struct server_change **out)
{
	struct server_change *c;
	int rc = change_new(&c);

	if (rc != 0)
		return rc;
	c->of = OF_SYSLOG;
	c->old_syslog = *directory_server_syslog();
	c->new_syslog = *syslog;
	directory_server_set_syslog(syslog);
	*out = begin(c);
	return 0;
}

static bool listening(uint16_t port)
{
	struct listener_info info;

	for (unsigned i = 0; listener_get(i, &info); i++)
		if (info.port == port)
			return true;
	return false;
}

/* patchbay.cfg's own word on the port: what needs no entry above it. */
static const struct config_listener *configured(uint16_t port)
{
	const struct config *config = control_config();

	for (unsigned i = 0; i < config->listener_cnt; i++)
		if (config->listeners[i].port == port)
			return &config->listeners[i];
	return NULL;
}

int server_change_listener(
	enum server_listener_action action, uint16_t port, bool enabled, struct server_change **out)
{
	const struct config_listener *conf = configured(port);
	bool removing = action == SERVER_LISTENER_REMOVE;
	struct directory_listener entry = {
		.port = port, .enabled = enabled && !removing, .removed = removing};
	bool as_configured = removing ? conf == NULL : conf != NULL && conf->enabled == enabled;
	struct server_change *c;
	int rc;

	if (changing || store_frozen())
		return -EBUSY; /* which may be about this port */
	if (listening(port) == (action == SERVER_LISTENER_ADD))
		return action == SERVER_LISTENER_ADD ? -EEXIST : -ENOENT;
	rc = change_new(&c);
	if (rc != 0)
		return rc;
	c->of = OF_LISTENER;
	c->action = action;
	c->port = port;
	c->enabled = enabled;
	c->had_entry = entry_find(port, &c->old_entry);
	rc = directory_listener_set(port, as_configured ? NULL : &entry);
	if (rc != 0) {
		free(c);
		return rc;
	}
	*out = begin(c);
	return 0;
}

/* What a port should be: the directory's word, else patchbay.cfg's. False: there should be none. */
static bool wanted(uint16_t port, bool *enabled)
{
	const struct config_listener *conf = configured(port);
	struct directory_listener entry;

	if (entry_find(port, &entry)) {
		*enabled = entry.enabled;
		return !entry.removed;
	}
	*enabled = conf != NULL && conf->enabled;
	return conf != NULL;
}

static void listener_renew(uint16_t port)
{
	bool enabled, there = wanted(port, &enabled);
	int rc = 0;

	if (!there && listening(port))
		rc = listener_remove(port);
	else if (there && !listening(port))
		rc = listener_add(port, enabled);
	else if (there)
		rc = listener_enable(port, enabled);
	if (rc != 0)
		log_warning("listener", "TCP port %u: %s", port, strerror(-rc));
}

void server_listeners_renew(void)
{
	const struct config *config = control_config();
	struct directory_listener entry;
	uint16_t ports[LISTENERS_MAX];
	struct listener_info info;
	unsigned cnt = 0;

	while (cnt < LISTENERS_MAX && listener_get(cnt, &info))
		ports[cnt++] = info.port;
	for (unsigned i = 0; i < cnt; i++)
		listener_renew(ports[i]);
	for (unsigned i = 0; i < config->listener_cnt; i++)
		if (!listening(config->listeners[i].port))
			listener_renew(config->listeners[i].port);
	for (unsigned i = 0; directory_listener_get(i, &entry); i++)
		if (!listening(entry.port))
			listener_renew(entry.port);
}

bool server_change_done(const struct server_change *c, int *error)
{
	*error = c->error;
	return c->errand.over;
}

void server_change_forget(struct server_change *c)
{
	if (c == NULL)
		return;
	if (errand_forget(&c->errand))
		change_free(c);
}
