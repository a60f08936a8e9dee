/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The protocol's error codes (wire.md 4.4): numbers that peers see in `error` elements and that
 * the administration interfaces share. Not errno: a function that returns one of these says so.
 */
#ifndef DRIVERS_SESSION_WIRE_WIRE_ERROR_H
#define DRIVERS_SESSION_WIRE_WIRE_ERROR_H

#include <stdint.h>

/* X(number, NAME, text for people) */
#define WIRE_ERRORS(X)                                                                         \
	X(0, OK, "success")                                                                    \
	X(1, CONNECT_FAILED, "cannot connect")                                                 \
	X(2, NOT_VPN_SERVER, "the peer does not speak this protocol")                          \
	X(3, DISCONNECTED, "connection lost or request unreadable")                            \
	X(4, PROTOCOL, "protocol error")                                                       \
	X(5, NOT_VPN_CLIENT, "the peer is not a VPN client")                                   \
	X(6, CANCELLED, "cancelled by the user")                                               \
	X(7, AUTH_TYPE, "authentication type not supported")                                   \
	X(8, HUB_NOT_FOUND, "no such hub")                                                     \
	X(9, AUTH_FAILED, "authentication failed")                                             \
	X(10, HUB_OFFLINE, "the hub is offline")                                               \
	X(11, SESSION_REMOVED, "the session was removed")                                      \
	X(12, ACCESS_DENIED, "access denied")                                                  \
	X(13, SESSION_GONE, "session not found or timed out")                                  \
	X(14, NOT_TCP_SESSION, "the session does not use TCP")                                 \
	X(15, TOO_MANY_CONNECTIONS, "too many connections in the session")                     \
	X(16, TOO_MANY_SESSIONS, "too many sessions")                                          \
	X(17, PROXY_CONNECT, "cannot connect to the proxy")                                    \
	X(18, PROXY, "proxy error")                                                            \
	X(19, PROXY_AUTH, "proxy authentication failed")                                       \
	X(20, TOO_MANY_LOGINS, "too many sessions of this user")                               \
	X(21, LICENCE, "licence error")                                                        \
	X(23, INTERNAL, "internal error")                                                      \
	X(29, OBJECT_NOT_FOUND, "object not found")                                            \
	X(33, NOT_SUPPORTED, "not supported")                                                  \
	X(38, INVALID_PARAMETER, "invalid parameter")                                          \
	X(46, NOT_CONTROLLER, "not a cluster controller")                                      \
	X(49, NO_CLUSTER_MEMBER, "no cluster member can host the hub")                         \
	X(51, EMPTY_PASSWORD, "an empty password is accepted from the server's own host only") \
	X(52, NOT_ENOUGH_RIGHTS, "not enough rights")                                          \
	X(53, LISTENER_NOT_FOUND, "no such listener")                                          \
	X(54, LISTENER_EXISTS, "there is such a listener already")                             \
	X(57, HUB_EXISTS, "there is a hub of that name")                                       \
	X(58, TOO_MANY_HUBS, "too many hubs")                                                  \
	X(62, TOO_MANY_ACCESS_RULES, "too many access rules in the hub")                       \
	X(63, TOO_MANY_HUB_USERS, "too many users in the hub")                                 \
	X(64, TOO_MANY_GROUPS, "too many groups in the hub")                                   \
	X(65, GROUP_NOT_FOUND, "no such group")                                                \
	X(66, USER_EXISTS, "there is a user of that name")                                     \
	X(67, GROUP_EXISTS, "there is a group of that name")                                   \
	X(68, NOT_PASSWORD_USER, "the user does not use password authentication")              \
	X(69, OLD_PASSWORD_WRONG, "the old password is wrong")                                 \
	X(77, CERT_KEY, "keys of such certificates are not supported")                         \
	X(85, CERT_NOT_TRUSTED, "the server's certificate is not trusted")                     \
	X(87, CLIENT_TOO_OLD, "the client's version is too old")                               \
	X(101, CLOCK_DIFFERENCE, "the clocks differ too much")                                 \
	X(103, CLIENT_LICENCES, "client licences exhausted")                                   \
	X(104, BRIDGE_LICENCES, "bridge licences exhausted")                                   \
	X(105, NOT_ACCEPTING, "the server cannot accept the connection now")                   \
	X(106, CERT_EXPIRED, "the server's certificate has expired")                           \
	X(107, MONITOR_DENIED, "monitoring mode denied")                                       \
	X(108, BRIDGE_DENIED, "bridge or router mode denied")                                  \
	X(109, ADDRESS_DENIED, "the client's address is denied")                               \
	X(110, TOO_MANY_ITEMS, "too many items")                                               \
	X(111, OUT_OF_MEMORY, "out of memory")                                                 \
	X(112, OBJECT_EXISTS, "there is one already")                                          \
	X(114, LICENCE_NOT_FOUND, "no licence")                                                \
	X(115, LICENCE_EXPIRED, "the licence has expired")                                     \
	X(116, LICENCE_CONFLICT, "licence conflict")                                           \
	X(123, BETA_EXPIRED, "the beta version has expired")                                   \
	X(124, BRAND_SERVER, "brand of the server does not match")                             \
	X(125, BRAND_CLIENT, "brand of the client does not match")                             \
	X(126, AUTO_DISCONNECTED, "the automatic disconnect time has come")                    \
	X(127, CLIENT_ID, "the client id does not match")                                      \
	X(128, TOO_MANY_USERS, "too many users defined on the server")                         \
	X(138, PASSWORD_RESET_NEEDED, "the password must be set again")                        \
	X(149, TLS_HOST_NAME, "TLS: host name mismatch")                                       \
	X(150, TLS_VERSION, "TLS: no common version")                                          \
	X(151, TLS_CIPHER, "TLS: no common cipher")                                            \
	X(152, TLS_HANDSHAKE, "TLS: handshake failed")

enum wire_error {
#define WIRE_ERROR_ENUM(number, name, text) WIRE_ERROR_##name = number,
	WIRE_ERRORS(WIRE_ERROR_ENUM)
#undef WIRE_ERROR_ENUM
};

/** Text for logs and the CLI, a constant; "unknown error" for numbers not in the table. */
const char *wire_error_text(uint32_t code);

#endif
