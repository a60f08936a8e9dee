/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One check after the other, in the order of reference/policy.md section 7, as far as the features exist
 * that they guard. Expiry and modes come after authentication, so that a stranger learns nothing of them.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "controlplane/auth/auth.h"
#include "controlplane/config.h"
#include "controlplane/directory.h"
#include "controlplane/login.h"
#include "controlplane/registry.h"
#include "dataplane/lcore.h"
#include "dataplane/port.h"

static void refuse(struct login_verdict *v, enum wire_error error, const char *reason)
{
	v->error = error;
	v->reason = reason;
}

/* Checks 2 to 5: hub, then who. */
static bool who(struct login_verdict *v, const struct login_request *r, const uint8_t *random)
{
	struct directory_user *user;
	enum wire_error error;

	v->hub = directory_hub_find(r->hubname);
	if (v->hub == NULL) {
		refuse(v, WIRE_ERROR_HUB_NOT_FOUND, "no_hub");
		return false;
	}
	if (!v->hub->online) {
		refuse(v, WIRE_ERROR_HUB_OFFLINE, "hub_offline");
		return false;
	}
	user = directory_user_find(v->hub, r->username);
	error = auth_check(user, r, random);
	if (error != WIRE_ERROR_OK) {
		refuse(v, error,
			error == WIRE_ERROR_AUTH_TYPE ? "auth_type"
				: user == NULL	      ? "no_user"
						      : "password");
		return false;
	}
	v->user = user;
	return true;
}

/* The session's own copy of the policy (policy.md 1, last paragraph). */
static void policy_adjust(struct policy_wire *policy, const struct login_verdict *v, bool same_host)
{
	if (!v->monitor_mode)
		policy->monitor_port = 0;
	if (!v->bridge_mode)
		policy->no_bridge = policy->no_routing = 1;
	if (same_host)
		policy->no_bridge = policy->no_routing = 0;
}

static void grant(
	struct login_verdict *v, const struct login_request *r, const struct login_facts *facts)
{
	struct login_request wish = *r;

	wish.use_encrypt |= v->hub->require_encryption;
	welcome_grant(
		&v->welcome, &wish, &v->policy, facts->connections_max, v->monitor_mode, true);
	v->welcome.policy = v->policy;
	v->welcome.vlan_id = v->policy.vlan_id;
	explicit_bzero(&wish, sizeof(wish));
}

void login_decide(
	struct login_verdict *v, const struct login_request *r, const struct login_facts *facts)
{
	*v = (struct login_verdict){.error = WIRE_ERROR_OK, .reason = "ok"};
	policy_wire_default(&v->policy);
	if (!who(v, r, facts->random))
		return;
	v->no_save_password = v->policy.no_save_password;
	if (v->user->expires_ms != 0 && v->user->expires_ms <= facts->now_ms) {
		refuse(v, WIRE_ERROR_ACCESS_DENIED, "expired");
		return;
	}
	if (!v->policy.access) {
		refuse(v, WIRE_ERROR_ACCESS_DENIED, "access");
		return;
	}
	v->monitor_mode = r->require_monitor_mode;
	if (v->monitor_mode && !v->policy.monitor_port) {
		refuse(v, WIRE_ERROR_MONITOR_DENIED, "monitor");
		return;
	}
	v->bridge_mode = r->require_bridge_routing_mode || product_is_bridge(&r->client);
	if (v->bridge_mode && v->policy.no_bridge && v->policy.no_routing) {
		refuse(v, WIRE_ERROR_BRIDGE_DENIED, "bridge");
		return;
	}
	if (v->hub->max_sessions != 0 && v->hub->session_cnt >= v->hub->max_sessions) {
		refuse(v, WIRE_ERROR_TOO_MANY_SESSIONS, "hub_sessions");
		return;
	}
	if (facts->sessions >= facts->sessions_max) {
		refuse(v, WIRE_ERROR_TOO_MANY_SESSIONS, "server_sessions");
		return;
	}
	policy_adjust(&v->policy, v, facts->same_host);
	grant(v, r, facts);
}

/* ---- opening --------------------------------------------------------------------------------- */

/* SID-<USER>-<n>, at most 255 bytes (wire.md 4.1): a long user name is cut, the number never. */
static void session_name(char *dst, size_t size, const char *user, uint32_t n)
{
	char number[16];
	int number_len = snprintf(number, sizeof(number), "-%u", n);
	size_t room = (size < LOGIN_NAME_LEN + 1 ? size : LOGIN_NAME_LEN + 1) - 1;
	size_t at = 4;

	memcpy(dst, "SID-", 4);
	while (*user != '\0' && at + number_len < room) {
		dst[at++] = *user >= 'a' && *user <= 'z' ? *user - 'a' + 'A' : *user;
		user++;
	}
	memcpy(dst + at, number, number_len + 1);
}

static unsigned worker_choose(void)
{
	unsigned best = 0;

	for (unsigned i = 1; i < lcore_count(); i++) {
		if (registry_worker_sessions(i) < registry_worker_sessions(best))
			best = i;
	}
	return best;
}

static struct vpn_session *session_fill(const struct login_verdict *v,
	const struct login_request *r, const struct connection *c, const struct ssl_st *ssl)
{
	struct vpn_session *vs = calloc(1, sizeof(*vs));
	struct timespec now;

	if (vs == NULL)
		return NULL;
	if (RAND_bytes(vs->key, sizeof(vs->key)) != 1 ||
		RAND_bytes((unsigned char *)&vs->key32, sizeof(vs->key32)) != 1) {
		free(vs);
		return NULL;
	}
	session_name(vs->name, sizeof(vs->name), v->user->name, v->hub->session_serial++);
	clock_gettime(CLOCK_REALTIME, &now);
	vs->created_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	vs->hub = v->hub;
	memcpy(vs->user, v->user->name, sizeof(vs->user));
	vs->worker = worker_choose();
	vs->max_connections = v->welcome.max_connection;
	vs->timeout_ms = v->welcome.timeout_ms;
	vs->bridge_mode = v->bridge_mode;
	vs->monitor_mode = v->monitor_mode;
	vs->encrypt = v->welcome.use_encrypt;
	vs->compress = v->welcome.use_compress;
	vs->half_duplex = v->welcome.half_connection;
	vs->qos = v->welcome.qos;
	memcpy(vs->unique_id, r->unique_id, sizeof(vs->unique_id));
	memcpy(vs->client_product, c->client_product, sizeof(vs->client_product));
	snprintf(vs->client_host, sizeof(vs->client_host), "%s", r->node.client_host);
	vs->client_version = c->client_version;
	vs->client_build = c->client_build;
	vs->peer = c->peer;
	vs->listener_port = c->listener_port;
	vs->tls_version = SSL_version(ssl);
	snprintf(vs->tls_cipher, sizeof(vs->tls_cipher), "%s", SSL_get_cipher_name(ssl));
	return vs;
}

static void welcome_fill(
	struct welcome *w, const struct vpn_session *vs, const struct connection *c)
{
	/* The name may be longer than what the wire has room for. */
	snprintf(w->session_name, sizeof(w->session_name), "%.*s", (int)sizeof(w->session_name) - 1,
		vs->name);
	snprintf(w->connection_name, sizeof(w->connection_name), "%s", c->name);
	memcpy(w->session_key, vs->key, sizeof(w->session_key));
	w->session_key_32 = vs->key32;
}

enum wire_error login_open(struct login_verdict *v, const struct login_request *r,
	const struct connection *c, const struct ssl_st *ssl, const struct config *config,
	struct vpn_session **out)
{
	struct vpn_session *vs = session_fill(v, r, c, ssl);
	struct session_conf conf;
	int err;

	if (vs == NULL) {
		v->reason = "no_memory";
		return WIRE_ERROR_INTERNAL;
	}
	conf = (struct session_conf){
		.hub = vs->hub->hub,
		.worker = vs->worker,
		.timeout_ms = vs->timeout_ms,
		.max_connections = vs->max_connections,
		.half_duplex = vs->half_duplex,
		.qos = vs->qos,
		.compress = vs->compress,
		.port_flags = PORT_F_FLOOD_QUOTA,
		.staging_bytes = config->staging_bytes,
		.staging_age_ms = config->staging_age_ms,
	};
	err = registry_session_add(vs, &conf);
	if (err != 0) {
		free(vs);
		v->reason = err == -EAGAIN ? "worker_busy"
			: err == -ENOSPC   ? "no_port"
					   : "no_memory";
		return err == -ENOMEM ? WIRE_ERROR_INTERNAL : WIRE_ERROR_TOO_MANY_SESSIONS;
	}
	welcome_fill(&v->welcome, vs, c);
	*out = vs;
	return WIRE_ERROR_OK;
}

bool login_same_host(const struct sockaddr_storage *peer, const struct sockaddr_storage *local)
{
	const struct sockaddr_in *p4 = (const struct sockaddr_in *)peer;
	const struct sockaddr_in *l4 = (const struct sockaddr_in *)local;
	const struct sockaddr_in6 *p6 = (const struct sockaddr_in6 *)peer;
	const struct sockaddr_in6 *l6 = (const struct sockaddr_in6 *)local;

	if (peer->ss_family != local->ss_family)
		return false;
	if (peer->ss_family == AF_INET)
		return p4->sin_addr.s_addr == l4->sin_addr.s_addr ||
			ntohl(p4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	if (peer->ss_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&p6->sin6_addr, &l6->sin6_addr);
	return false;
}
