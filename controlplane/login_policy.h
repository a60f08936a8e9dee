/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGIN_POLICY_H
#define PATCHBAY_CONTROLPLANE_LOGIN_POLICY_H

/*
 * The session's own copy of a policy: what a user's, group's or the default policy becomes by the hub's admin
 * options and the kind of login (reference/policy.md 1), and the part of it that the data path enforces.
 * Made at login, kept for the session's life. Pure.
 */

#include <stdbool.h>

#include "dataplane/policy.h"
#include "drivers/session/wire/policy_wire.h"

struct directory_hub;
struct login_verdict;
struct sockaddr_storage;

/* Of the hub's administrator, who logs in with the hub's password. */
void login_policy_administrator(struct policy_wire *policy);

/* policy.md 1, in the order that stands there. */
void login_policy_adjust(struct policy_wire *policy, const struct directory_hub *hub,
	bool bridge_mode, bool monitor_mode, bool same_host);

/* `user`: the name that logged in; "" = nobody's. `group`: its group's, or "". */
void login_policy_compile(const struct policy_wire *policy, const char *user, const char *group,
	const struct sockaddr_storage *peer, bool same_host, struct policy *out);

#endif
