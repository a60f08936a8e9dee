/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGS_LOG_EVENTS_H
#define PATCHBAY_CONTROLPLANE_LOGS_LOG_EVENTS_H

/*
 * The kinds of lines in security logs and the server log, in one place: nobody can log another one, and
 * test/interop/test_log_kinds.py wants to see of each when it comes and when it does not. Those that are a hub's stand in
 * its security log, if that is kept, and in the server log; the others in the latter alone.
 *
 * The words stay: scrapers look for them.
 */

/* X(symbol, words, when) */
#define LOG_EVENT_LIST(X)                                                                       \
	X(LOGIN_ACCEPTED, "login accepted", "a user's session begins")                          \
	X(LOGIN_REFUSED, "login refused", "a user or an administrator was not let in")          \
	X(ADMIN_ACCEPTED, "admin accepted", "an administrator came over the network")           \
	X(PASSWORD_CHANGED, "password changed", "a user has set the own password")              \
	X(PASSWORD_REFUSED, "password not changed", "a user was not allowed to")                \
	X(CONNECTION_JOINED, "connection joined", "one more TCP connection of a session")       \
	X(CONNECTION_REFUSED, "connection refused", "one that no session takes")                \
	X(CONNECTION_LEFT, "connection left", "a TCP connection of a session has ended")        \
	X(SESSION_ENDED, "session ended", "a session is over: why, how long, how much")         \
	X(ADMINISTRATION, "administration", "something was changed, or a change refused")       \
	X(HUB_ONLINE, "hub online", "the hub takes sessions")                                   \
	X(HUB_OFFLINE, "hub offline", "it does no longer")                                      \
	X(BRIDGE_UP, "bridge up", "a local bridge has its device and is in the hub")            \
	X(BRIDGE_DOWN, "bridge down", "it is out of the hub")                                   \
	X(POLICY_VIOLATION, "policy violation", "a frame was dropped by a rule: an example")    \
	X(LOOP, "loop", "frames come back on another port")                                     \
	X(PORT_BLOCKED, "port blocked", "and the port is out of the hub for a time")            \
	X(MAC_LEARNED, "mac learned", "a MAC address is new")                                   \
	X(MAC_MOVED, "mac moved", "a MAC address is on another port than before")               \
	X(DHCP_LEASE, "dhcp lease", "a DHCP server gave an address")                            \
	X(PACKETS_LOST, "packet log lines lost",                                                \
		"frames that found no room on the way to the log")                              \
	X(NOTICES_LOST, "notices lost", "stations, leases and broken rules nobody was told of") \
	X(LINES_LOST, "lines lost", "lines of this log that found no room, or no disk")

enum log_event {
#define X(symbol, words, when) LOG_EVENT_##symbol,
	LOG_EVENT_LIST(X)
#undef X
	LOG_EVENT_CNT
};

#endif
