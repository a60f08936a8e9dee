/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LISTENER_H
#define PATCHBAY_CONTROLPLANE_LISTENER_H

/*
 * TCP listeners, IPv4 and IPv6, each equal to the others. A port that cannot be opened is reported and
 * skipped. Out of file descriptors or memory pauses accepting and resumes it (architecture.md 6.8).
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/config.h"
#include "controlplane/directory.h"

/* Counters of everything before login, one per reason; names stand in CLI and metrics. */
#define LISTENER_COUNTER_LIST(X)                                                              \
	X(accepted, "connections accepted")                                                   \
	X(refused_total, "closed at once: too many unestablished connections")                \
	X(refused_source, "closed at once: too many unestablished connections of one source") \
	X(handshakes_delayed, "handshakes that waited: too many under way")                   \
	X(accept_failed, "connections lost at accept")                                        \
	X(no_memory, "closed: out of memory")                                                 \
	X(accept_paused, "accepting paused: out of descriptors or memory")                    \
	X(not_tls, "closed: first bytes are not TLS")                                         \
	X(handshake_failed, "TLS handshake failed")                                           \
	X(timeout, "no login in time")                                                        \
	X(bytes_exceeded, "too many bytes before login")                                      \
	X(http_malformed, "closed: malformed HTTP")                                           \
	X(http_unrelated, "HTTP requests that are not ours, answered")                        \
	X(http_too_many, "closed: too many unrelated requests")                               \
	X(protocol_error, "malformed or unexpected PACK")                                     \
	X(peer_closed, "peer left before login")                                              \
	X(login_ok, "logins accepted")                                                        \
	X(login_failed, "logins refused")                                                     \
	X(password_changed, "users changed their passwords")                                  \
	X(password_refused, "users may not, or cannot, change their passwords")               \
	X(additional_ok, "additional connections accepted")                                   \
	X(additional_failed, "additional connections refused")                                \
	X(login_delayed, "attempts that waited because earlier ones had failed")              \
	X(admin_ok, "administrators let in")                                                  \
	X(admin_failed, "administrators refused")                                             \
	X(enum_hub, "hub lists given")                                                        \
	X(not_supported, "methods asked for that we do not offer")                            \
	X(closed_by_admin, "closed before login by an administrator or at the end")

struct listener_counters {
#define X(name, text) uint64_t name;
	LISTENER_COUNTER_LIST(X)
#undef X
};
extern struct listener_counters listener_counters; /* writer: control thread */

struct listener_info {
	uint16_t port;
	bool enabled;
	bool open; /* enabled and listening */
	int error; /* errno of the failed open, 0 */
	uint64_t accepted;
};

#define LISTENERS_MAX (CONFIG_LISTENERS_MAX + DIRECTORY_LISTENERS_MAX)

/*
 * Opens patchbay.cfg's listeners, with what the directory changed of them (after access_init()); reports each port that is taken. Number open, or
 * -EADDRINUSE when some were wanted and none could be opened. Control thread.
 */
int listener_start(const struct config *config);
/*
 * At run time, in force when they return; not stored (server_change.h). Connections that came in through one live
 * on without it. A port that cannot be opened is no error here: listener_info tells. -EEXIST, -ENOSPC, -ENOMEM;
 * -ENOENT.
 */
int listener_add(uint16_t port, bool enabled);
int listener_remove(uint16_t port);
int listener_enable(uint16_t port, bool enabled);
/* Stops accepting and forgets them (sessions and connections live on). */
void listener_stop(void);
unsigned listener_cnt(void);
bool listener_get(unsigned index, struct listener_info *out);

#endif
