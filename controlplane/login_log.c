/* SPDX-License-Identifier: BSD-3-Clause */
/* Formats the security lines; see the header for their shape. */

#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controlplane/log.h"
#include "controlplane/login.h"
#include "controlplane/login_log.h"
#include "controlplane/logs/logs.h"
#include "controlplane/registry.h"
#include "dataplane/hub.h"
#include "dataplane/packet_log.h"

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

/* ---- for auditors: the hub's security log (logs/logs.h) ---------------------------------------- */

static uint32_t log_id(const struct directory_hub *hub)
{
	return hub != NULL && hub->hub != NULL ? hub_log_id(hub->hub) : LOGS_NO_HUB;
}

struct endpoint {
	char ip[64];
	unsigned long port;
};

static void endpoint_get(const struct sockaddr_storage *peer, struct endpoint *out)
{
	char port[16] = "0";

	if (getnameinfo((const struct sockaddr *)peer, sizeof(*peer), out->ip, sizeof(out->ip),
		    port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		snprintf(out->ip, sizeof(out->ip), "unknown");
	out->port = strtoul(port, NULL, 10);
}

/* Always first and in this order: what fail2ban and the like look for. */
#define WHO(from_, user_, hub_)                                                                \
	LOG_WORD("ip", (from_).ip), LOG_NUMBER("port", (from_).port), LOG_TEXT("user", user_), \
		LOG_TEXT("hub", hub_)

static void security_accepted(const struct connection *c, const struct vpn_session *vs)
{
	struct endpoint from;

	endpoint_get(&c->peer, &from);
	logs_event(log_id(vs->hub), LOG_EVENT_LOGIN_ACCEPTED,
		(const struct log_field[]){WHO(from, vs->user, vs->hub->name),
			LOG_TEXT("session", vs->name), LOG_WORD("connection", c->name),
			LOG_WORD("mode",
				vs->monitor_mode	  ? "monitor"
					: vs->bridge_mode ? "bridge"
							  : "client"),
			LOG_WORD("cipher", vs->encrypt ? vs->tls_cipher : "none"),
			LOG_NUMBER("connections", vs->max_connections),
			LOG_NUMBER("timeout_ms", vs->timeout_ms),
			LOG_TEXT("client", vs->client_product),
			LOG_NUMBER("client_build", vs->client_build),
			LOG_TEXT("client_host", vs->client_host), LOG_END});
}

static void security_refused(
	const struct connection *c, const struct login_request *r, const struct login_verdict *v)
{
	struct endpoint from;

	endpoint_get(&c->peer, &from);
	logs_event(log_id(directory_hub_find(r->hubname)), LOG_EVENT_LOGIN_REFUSED,
		(const struct log_field[]){WHO(from, r->username, r->hubname),
			LOG_WORD("reason", v->reason), LOG_NUMBER("error", (unsigned)v->error),
			LOG_NUMBER("authtype", r->authtype), LOG_WORD("connection", c->name),
			LOG_TEXT("client", r->client.name), LOG_END});
}

static void security_admin(const struct connection *c, const char *kind, const char *hub_name,
	const struct product *client, enum wire_error error, const char *reason)
{
	struct endpoint from;
	bool ok = error == WIRE_ERROR_OK;

	endpoint_get(&c->peer, &from);
	logs_event(log_id(directory_hub_find(hub_name)),
		ok ? LOG_EVENT_ADMIN_ACCEPTED : LOG_EVENT_LOGIN_REFUSED,
		(const struct log_field[]){WHO(from, "administrator", hub_name),
			LOG_WORD("reason", ok ? NULL : reason),
			LOG_NUMBER("error", (unsigned)error), LOG_WORD("kind", kind),
			LOG_WORD("connection", c->name), LOG_TEXT("client", client->name),
			LOG_END});
}

static void security_password(
	const struct connection *c, const struct login_request *r, enum wire_error error)
{
	struct endpoint from;

	endpoint_get(&c->peer, &from);
	logs_event(log_id(directory_hub_find(r->hubname)),
		error == WIRE_ERROR_OK ? LOG_EVENT_PASSWORD_CHANGED : LOG_EVENT_PASSWORD_REFUSED,
		(const struct log_field[]){WHO(from, r->username, r->hubname),
			LOG_NUMBER("error", (unsigned)error), LOG_WORD("connection", c->name),
			LOG_END});
}

/* Connections of a session that is there: joined, refused, left. `connections` are what it has now. */
static void security_connection(const struct connection *c, const struct vpn_session *vs,
	enum log_event event, const char *reason, unsigned error)
{
	struct endpoint from;

	endpoint_get(&c->peer, &from);
	logs_event(log_id(vs != NULL ? vs->hub : NULL), event,
		(const struct log_field[]){
			WHO(from, vs != NULL ? vs->user : NULL, vs != NULL ? vs->hub->name : NULL),
			LOG_TEXT("session", vs != NULL ? vs->name : NULL),
			LOG_WORD("reason", reason), LOG_NUMBER("error", error),
			LOG_WORD("connection", c->name),
			LOG_NUMBER("connections", vs != NULL ? vs->connection_cnt : 0), LOG_END});
}

static void security_ended(const struct vpn_session *vs, const char *why, uint64_t duration_s,
	const struct session_counters *final)
{
	struct endpoint from;

	endpoint_get(&vs->peer, &from);
	logs_event(log_id(vs->hub), LOG_EVENT_SESSION_ENDED,
		(const struct log_field[]){WHO(from, vs->user, vs->hub->name),
			LOG_TEXT("session", vs->name), LOG_WORD("reason", why),
			LOG_NUMBER("duration_s", duration_s),
			LOG_NUMBER("in_frames", stats_in_frames(&final->port)),
			LOG_NUMBER("in_bytes",
				final->port.in.unicast_bytes + final->port.in.broadcast_bytes),
			LOG_NUMBER("out_frames", stats_sent_frames(&final->port)),
			LOG_NUMBER("out_bytes",
				final->port.out.unicast_bytes + final->port.out.broadcast_bytes),
			LOG_NUMBER("dropped_in", stats_drop_in_sum(&final->port)),
			LOG_NUMBER("dropped_out", stats_drop_out_sum(&final->port)), LOG_END});
}

/* ---- the diagnostic log ------------------------------------------------------------------------ */

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

	log_say(LOG_LEVEL_INFO, "login",
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
	security_accepted(c, vs);
}

void login_log_refused(
	const struct connection *c, const struct login_request *r, const struct login_verdict *v)
{
	char from[SOURCE_BYTES], hub[QUOTED_BYTES], user[QUOTED_BYTES], product[QUOTED_BYTES];

	log_say(LOG_LEVEL_INFO, "login",
		"login refused %s error=%u reason=%s authtype=%u hub=\"%s\" user=\"%s\" "
		"client=\"%s\"",
		source(from, c), (unsigned)v->error, v->reason, r->authtype,
		quoted(hub, sizeof(hub), r->hubname), quoted(user, sizeof(user), r->username),
		quoted(product, sizeof(product), r->client.name));
	security_refused(c, r, v);
}

void login_log_admin(const struct connection *c, const char *kind, const char *hub_name,
	const struct product *client, enum wire_error error, const char *reason)
{
	char from[SOURCE_BYTES], hub[QUOTED_BYTES], product[QUOTED_BYTES];

	if (error == WIRE_ERROR_OK)
		log_say(LOG_LEVEL_INFO, "login",
			"admin accepted %s kind=%s hub=\"%s\" client=\"%s\"", source(from, c), kind,
			quoted(hub, sizeof(hub), hub_name),
			quoted(product, sizeof(product), client->name));
	else
		log_say(LOG_LEVEL_INFO, "login",
			"login refused %s error=%u reason=%s kind=%s hub=\"%s\" client=\"%s\"",
			source(from, c), (unsigned)error, reason, kind,
			quoted(hub, sizeof(hub), hub_name),
			quoted(product, sizeof(product), client->name));
	security_admin(c, kind, hub_name, client, error, reason);
}

void login_log_password(
	const struct connection *c, const struct login_request *r, enum wire_error error)
{
	char from[SOURCE_BYTES], hub[QUOTED_BYTES], user[QUOTED_BYTES];

	log_say(LOG_LEVEL_INFO, "login", "password %s %s error=%u hub=\"%s\" user=\"%s\"",
		error == WIRE_ERROR_OK ? "changed" : "not changed", source(from, c),
		(unsigned)error, quoted(hub, sizeof(hub), r->hubname),
		quoted(user, sizeof(user), r->username));
	security_password(c, r, error);
}

void login_log_joined(const struct connection *c, const struct vpn_session *vs)
{
	char from[SOURCE_BYTES], hub[QUOTED_BYTES], name[QUOTED_BYTES + 64];

	log_say(LOG_LEVEL_INFO, "login",
		"connection joined %s hub=\"%s\" session=\"%s\" connections=%u", source(from, c),
		quoted(hub, sizeof(hub), vs->hub->name), quoted(name, sizeof(name), vs->name),
		vs->connection_cnt);
	security_connection(c, vs, LOG_EVENT_CONNECTION_JOINED, NULL, 0);
}

void login_log_not_joined(
	const struct connection *c, const struct vpn_session *vs, enum wire_error error)
{
	char from[SOURCE_BYTES], name[QUOTED_BYTES + 64];

	log_say(LOG_LEVEL_INFO, "login", "connection refused %s error=%u session=\"%s\"",
		source(from, c), (unsigned)error,
		quoted(name, sizeof(name), vs != NULL ? vs->name : ""));
	security_connection(
		c, vs, LOG_EVENT_CONNECTION_REFUSED, "additional_connect", (unsigned)error);
}

void login_log_left(const struct connection *c, const struct vpn_session *vs, const char *why)
{
	char from[SOURCE_BYTES], name[QUOTED_BYTES + 64];

	log_say(LOG_LEVEL_INFO, "login",
		"connection left %s reason=%s session=\"%s\" connections=%u", source(from, c), why,
		quoted(name, sizeof(name), vs->name), vs->connection_cnt);
	security_connection(c, vs, LOG_EVENT_CONNECTION_LEFT, why, 0);
}

void login_log_ended(
	const struct vpn_session *vs, const char *why, const struct session_counters *final)
{
	char hub[QUOTED_BYTES], name[QUOTED_BYTES + 64], user[QUOTED_BYTES];
	struct timespec now;
	int64_t duration_s;

	clock_gettime(CLOCK_REALTIME, &now);
	duration_s = (int64_t)now.tv_sec - vs->created_ms / 1000;
	log_say(LOG_LEVEL_INFO, "login",
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
	security_ended(vs, why, (uint64_t)(duration_s > 0 ? duration_s : 0), final);
}
