/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Order of start and end of the way in. The end runs against the start, but for one thing: helpers go
 * before the registry, since their last jobs still have connections there.
 */

#include "controlplane/access.h"
#include "controlplane/admin/remote.h"
#include "controlplane/admin/where.h"
#include "controlplane/auth/radius.h"
#include "controlplane/config.h"
#include "controlplane/handshake.h"
#include "controlplane/linger.h"
#include "controlplane/listener.h"
#include "controlplane/negotiation.h"
#include "controlplane/registry.h"
#include "controlplane/server_tls.h"
#include "controlplane/session_deadline.h"

int access_init(struct event_base *base, const struct config *config)
{
	int err = server_tls_init(config);

	if (err != 0)
		return err;
	/* All of them at once, which is how we end: before login, and what each session may have. */
	err = linger_init(base,
		config->login_connections + REMOTE_MAX +
			(config->session_connections + 1) * config->sessions_max);
	session_deadline_init(base);
	if (err == 0)
		err = registry_init(config);
	radius_init(base);
	if (err == 0)
		err = remote_init();
	if (err == 0)
		err = admin_where_init(config->state_dir);
	if (err == 0)
		err = negotiation_init(base, config);
	if (err == 0)
		err = handshake_init(base, config->handshake_threads);
	if (err != 0)
		access_fini();
	return err;
}

void access_shutdown(void)
{
	listener_stop();
	registry_shutdown();
}

bool access_quiet(void)
{
	return registry_quiet() && linger_cnt() == 0;
}

void access_fini(void)
{
	listener_stop();
	handshake_fini();
	registry_shutdown(); /* negotiations that are left; sessions hear nothing more */
	remote_fini();
	admin_where_fini();
	linger_fini();
	negotiation_fini();
	registry_fini();
	radius_fini();
	server_tls_fini();
}
