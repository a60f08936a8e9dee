/* SPDX-License-Identifier: BSD-3-Clause */
/* Formats the security lines; see the header for their shape. */

#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "controlplane/log.h"
#include "controlplane/login.h"
#include "controlplane/login_log.h"
#include "controlplane/registry.h"

#define QUOTED_BYTES (2 * DIRECTORY_NAME_BYTES)
#define SOURCE_BYTES 192

/* With quotes and backslashes escaped; control characters are log.h's business. */
static const char *quoted(char *dst, size_t size, const char *src)
{
	size_t n = 0;

	for (; *src != '\0' && n + 3 < size; src++) {
		if (*src == '"' || *src == '\\')
			dst[n++] = '\\';
		dst[n++] = *src;
	}
	dst[n] = '\0';
	return dst;
}

static const char *source(char dst[SOURCE_BYTES], const struct connection *c)
{
	char ip[64] = "?", port[16] = "0";

	(void)getnameinfo((const struct sockaddr *)&c->peer, sizeof(c->peer), ip, sizeof(ip), port,
		sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV);
	snprintf(dst, SOURCE_BYTES, "ip=%s port=%s listener=%u connection=%s", ip, port,
		c->listener_port, c->name);
	return dst;
}

void login_log_accepted(const struct connection *c, const struct vpn_session *vs)
{
	char from[SOURCE_BYTES], hub[QUOTED_BYTES], name[QUOTED_BYTES + 64], user[QUOTED_BYTES],
		product[QUOTED_BYTES];

	log_info("login",
		"login accepted %s hub=\"%s\" session=\"%s\" worker=%u mode=%s cipher=%s "
		"client_build=%u user=\"%s\" client=\"%s\"",
		source(from, c), quoted(hub, sizeof(hub), vs->hub->name),
		quoted(name, sizeof(name), vs->name), vs->worker,
		vs->monitor_mode	  ? "monitor"
			: vs->bridge_mode ? "bridge"
					  : "client",
		vs->encrypt ? vs->tls_cipher : "none", vs->client_build,
		quoted(user, sizeof(user), vs->user),
		quoted(product, sizeof(product), vs->client_product));
}

void login_log_refused(
	const struct connection *c, const struct login_request *r, const struct login_verdict *v)
{
	char from[SOURCE_BYTES], hub[QUOTED_BYTES], user[QUOTED_BYTES], product[QUOTED_BYTES];

	log_info("login",
		"login refused %s error=%u reason=%s authtype=%u hub=\"%s\" user=\"%s\" "
		"client=\"%s\"",
		source(from, c), (unsigned)v->error, v->reason, r->authtype,
		quoted(hub, sizeof(hub), r->hubname), quoted(user, sizeof(user), r->username),
		quoted(product, sizeof(product), r->client.name));
}

void login_log_admin(const struct connection *c, const char *kind, const char *hub_name,
	const struct product *client, enum wire_error error, const char *reason)
{
	char from[SOURCE_BYTES], hub[QUOTED_BYTES], product[QUOTED_BYTES];

	if (error == WIRE_ERROR_OK)
		log_info("login", "admin accepted %s kind=%s hub=\"%s\" client=\"%s\"",
			source(from, c), kind, quoted(hub, sizeof(hub), hub_name),
			quoted(product, sizeof(product), client->name));
	else
		log_info("login",
			"login refused %s error=%u reason=%s kind=%s hub=\"%s\" client=\"%s\"",
			source(from, c), (unsigned)error, reason, kind,
			quoted(hub, sizeof(hub), hub_name),
			quoted(product, sizeof(product), client->name));
}

void login_log_joined(const struct connection *c, const struct vpn_session *vs)
{
	char from[SOURCE_BYTES], hub[QUOTED_BYTES], name[QUOTED_BYTES + 64];

	log_info("login", "connection joined %s hub=\"%s\" session=\"%s\" connections=%u",
		source(from, c), quoted(hub, sizeof(hub), vs->hub->name),
		quoted(name, sizeof(name), vs->name), vs->connection_cnt);
}

void login_log_not_joined(
	const struct connection *c, const struct vpn_session *vs, enum wire_error error)
{
	char from[SOURCE_BYTES], name[QUOTED_BYTES + 64];

	log_info("login", "connection refused %s error=%u session=\"%s\"", source(from, c),
		(unsigned)error, quoted(name, sizeof(name), vs != NULL ? vs->name : ""));
}

void login_log_left(const struct connection *c, const struct vpn_session *vs, const char *why)
{
	char from[SOURCE_BYTES], name[QUOTED_BYTES + 64];

	log_info("login", "connection left %s reason=%s session=\"%s\" connections=%u",
		source(from, c), why, quoted(name, sizeof(name), vs->name), vs->connection_cnt);
}

void login_log_ended(
	const struct vpn_session *vs, const char *why, const struct session_counters *final)
{
	char hub[QUOTED_BYTES], name[QUOTED_BYTES + 64], user[QUOTED_BYTES];
	struct timespec now;
	int64_t duration_s;

	clock_gettime(CLOCK_REALTIME, &now);
	duration_s = (int64_t)now.tv_sec - vs->created_ms / 1000;
	log_info("login",
		"session ended reason=%s duration_s=%" PRId64 " in_frames=%" PRIu64
		" in_bytes=%" PRIu64 " out_frames=%" PRIu64 " out_bytes=%" PRIu64
		" dropped_in=%" PRIu64 " dropped_out=%" PRIu64 " hub=\"%s\" session=\"%s\" "
		"user=\"%s\"",
		why, duration_s, stats_in_frames(&final->port),
		final->port.in.unicast_bytes + final->port.in.broadcast_bytes,
		stats_sent_frames(&final->port),
		final->port.out.unicast_bytes + final->port.out.broadcast_bytes,
		stats_drop_in_sum(&final->port), stats_drop_out_sum(&final->port),
		quoted(hub, sizeof(hub), vs->hub->name), quoted(name, sizeof(name), vs->name),
		quoted(user, sizeof(user), vs->user));
}
