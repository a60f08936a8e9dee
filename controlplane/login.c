/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One check after the other, in the order of reference/policy.md section 7 (numbers here are those there), as far
 * as the features exist that they guard. All but hub and source address come after authentication, so that a
 * stranger learns nothing of them.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/rand.h>
#include <openssl/ssl.h>

#include "controlplane/auth/auth.h"
#include "controlplane/bridges.h"
#include "controlplane/config.h"
#include "controlplane/directory.h"
#include "controlplane/login.h"
#include "controlplane/login_policy.h"
#include "controlplane/login_udp.h"
#include "controlplane/registry.h"
#include "dataplane/lcore.h"
#include "dataplane/port.h"

#define ADMINISTRATOR "administrator" /* reserved: no user has this name */

static void refuse(struct login_verdict *v, enum wire_error error, const char *reason)
{
	v->error = error;
	v->reason = reason;
}

/* Checks 2 to 4: the hub, and whether it takes anybody from there. */
static bool where(
	struct login_verdict *v, const struct login_request *r, const struct login_facts *facts)
{
	v->hub = directory_hub_find(r->hubname);
	if (v->hub == NULL)
		refuse(v, WIRE_ERROR_HUB_NOT_FOUND, "no_hub");
	else if (!directory_source_allows(v->hub, facts->peer))
		refuse(v, WIRE_ERROR_ADDRESS_DENIED, "source");
	else if (!v->hub->online)
		refuse(v, WIRE_ERROR_HUB_OFFLINE, "hub_offline");
	return v->error == WIRE_ERROR_OK;
}

/* Check 5, and 6 for the administrator: while the hub has no password, nobody is its administrator. */
static bool administrator(
	struct login_verdict *v, const struct login_request *r, const uint8_t *random)
{
	struct directory_user stand_in = {.name = ADMINISTRATOR, .auth = DIRECTORY_AUTH_PASSWORD};
	const struct directory_admin *admin = &v->hub->admin;
	static const uint8_t none[DIRECTORY_HASH_BYTES];
	enum wire_error error;

	if (admin->set)
		memcpy(stand_in.hashed_password, admin->vpn_hash, DIRECTORY_HASH_BYTES);
	else
		directory_user_set_password(&stand_in, "");
	error = auth_check_password(&stand_in, r, random);
	/* The hash for VPN logins may be missing: the password was set as a hash alone. */
	if (error == WIRE_ERROR_OK && memcmp(stand_in.hashed_password, none, sizeof(none)) == 0)
		error = WIRE_ERROR_AUTH_FAILED;
	explicit_bzero(&stand_in, sizeof(stand_in));
	if (error != WIRE_ERROR_OK) {
		refuse(v, error, error == WIRE_ERROR_AUTH_TYPE ? "auth_type" : "password");
		return false;
	}
	if (!admin->set) {
		refuse(v, WIRE_ERROR_EMPTY_PASSWORD, "no_hub_password");
		return false;
	}
	v->administrator = true;
	v->user_name = ADMINISTRATOR;
	login_policy_administrator(&v->policy);
	return true;
}

/* Check 7. The user's own policy comes before what the server says. */
static bool vlan_by_radius(struct login_verdict *v, uint16_t vlan)
{
	const uint32_t *option = v->hub->ext_options;

	if (option[HUB_EXT_AssignVLanIdByRadiusAttribute] == 0)
		return true;
	if (vlan == 0 && option[HUB_EXT_DenyAllRadiusLoginWithNoVlanAssign] != 0) {
		refuse(v, WIRE_ERROR_ACCESS_DENIED, "no_vlan");
		return false;
	}
	if (v->policy.vlan_id == 0)
		v->policy.vlan_id = vlan;
	return true;
}

/* Checks 5 and 6. */
static bool who(
	struct login_verdict *v, const struct login_request *r, const struct login_facts *facts)
{
	struct auth_outcome outcome;
	struct directory_user *user;

	if (strcasecmp(r->username, ADMINISTRATOR) == 0)
		return administrator(v, r, facts->auth.random);
	auth_check(&outcome, v->hub, r, &facts->auth);
	v->need = outcome.need;
	memcpy(v->radius_name, outcome.radius_name, sizeof(v->radius_name));
	v->undecided = outcome.undecided;
	if (outcome.need != AUTH_NEEDS_NOTHING)
		return false;
	if (outcome.error != WIRE_ERROR_OK) {
		refuse(v, outcome.error, outcome.reason);
		return false;
	}
	user = outcome.user;
	v->user = user;
	v->user_name = strcmp(user->name, "*") == 0 ? r->username : user->name;
	v->expires_ms = user->expires_ms;
	v->policy = *directory_user_policy(user);
	v->no_save_password = v->policy.no_save_password;
	if (v->hub->admin_options[HUB_ADMIN_deny_empty_password] != 0 && !facts->same_host &&
		directory_user_password_empty(user)) {
		refuse(v, WIRE_ERROR_EMPTY_PASSWORD, "empty_password");
		return false;
	}
	return !outcome.by_radius || vlan_by_radius(v, outcome.vlan);
}

/* Check 8: only what calls itself a client is asked. */
static bool client_fits(struct login_verdict *v, const struct login_request *r)
{
	const uint32_t *option = v->hub->ext_options;

	if (!product_is_client(&r->client))
		return true;
	if (r->client.build < option[HUB_EXT_ClientMinimumRequiredBuild])
		refuse(v, WIRE_ERROR_CLIENT_TOO_OLD, "client_build");
	else if (option[HUB_EXT_RequiredClientId] != 0 &&
		r->client_id != option[HUB_EXT_RequiredClientId])
		refuse(v, WIRE_ERROR_CLIENT_ID, "client_id");
	return v->error == WIRE_ERROR_OK;
}

/* Checks 9 to 12. */
static bool may(
	struct login_verdict *v, const struct login_request *r, const struct login_facts *facts)
{
	const uint32_t *option = v->hub->admin_options;
	bool no_bridge = v->policy.no_bridge || option[HUB_ADMIN_deny_bridge] != 0;
	bool no_routing = v->policy.no_routing || option[HUB_ADMIN_deny_routing] != 0;

	v->monitor_mode = r->require_monitor_mode;
	v->bridge_mode = r->require_bridge_routing_mode || product_is_bridge(&r->client);
	if (v->expires_ms != 0 && v->expires_ms <= facts->now_ms)
		refuse(v, WIRE_ERROR_ACCESS_DENIED, "expired");
	else if (!v->policy.access)
		refuse(v, WIRE_ERROR_ACCESS_DENIED, "access");
	else if (v->monitor_mode && !v->policy.monitor_port)
		refuse(v, WIRE_ERROR_MONITOR_DENIED, "monitor");
	else if (v->bridge_mode && no_bridge && no_routing)
		refuse(v, WIRE_ERROR_BRIDGE_DENIED, "bridge");
	return v->error == WIRE_ERROR_OK;
}

static uint32_t smaller_set(uint32_t a, uint32_t b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/* Check 13. Sessions of the same installation do not count: it may be coming back (policy.md 4). */
static bool few_logins(struct login_verdict *v, const struct login_request *r)
{
	uint32_t most = smaller_set(
		v->policy.multi_logins, v->hub->admin_options[HUB_ADMIN_max_multilogins_per_user]);

	if (most != 0 &&
		registry_user_sessions(v->hub, v->user_name,
			r->node.has_unique_id ? r->node.unique_id : NULL) >= most)
		refuse(v, WIRE_ERROR_TOO_MANY_LOGINS, "multi_logins");
	return v->error == WIRE_ERROR_OK;
}

/* Checks 14 and 15; the policy has been adjusted, since that tells which mode a session counts as. */
static bool room(struct login_verdict *v, const struct login_facts *facts)
{
	const uint32_t *option = v->hub->admin_options;
	uint32_t bridges = bridges_up(v->hub);
	uint32_t sessions = v->hub->session_cnt + bridges;
	uint32_t most = smaller_set(v->hub->max_sessions, option[HUB_ADMIN_max_sessions]);
	bool bridge = !v->policy.no_bridge || !v->policy.no_routing;
	uint32_t alike = v->hub->bridge_mode_cnt + bridges;

	if (!bridge)
		alike = sessions - alike;
	if (most != 0 && sessions >= most)
		refuse(v, WIRE_ERROR_TOO_MANY_SESSIONS, "hub_sessions");
	most = option[bridge ? HUB_ADMIN_max_sessions_bridge : HUB_ADMIN_max_sessions_client];
	if (v->error == WIRE_ERROR_OK && option[HUB_ADMIN_max_sessions_client_bridge_apply] != 0 &&
		most != 0 && alike >= most)
		refuse(v, WIRE_ERROR_TOO_MANY_SESSIONS,
			bridge ? "hub_sessions_bridge" : "hub_sessions_client");
	if (v->error == WIRE_ERROR_OK && facts->sessions >= facts->sessions_max)
		refuse(v, WIRE_ERROR_TOO_MANY_SESSIONS, "server_sessions");
	return v->error == WIRE_ERROR_OK;
}

static void grant(
	struct login_verdict *v, const struct login_request *r, const struct login_facts *facts)
{
	struct login_request wish = *r;

	wish.use_encrypt |= v->hub->require_encryption;
	welcome_grant(
		&v->welcome, &wish, &v->policy, facts->connections_max, v->monitor_mode, true);
	v->udp_allowed = v->hub->ext_options[HUB_EXT_DisableUdpAcceleration] == 0;
	v->welcome.policy = v->policy;
	v->welcome.vlan_id = v->policy.vlan_id;
	v->welcome.suppress_update_notification =
		v->hub->ext_options[HUB_EXT_SuppressClientUpdateNotification] != 0;
	explicit_bzero(&wish, sizeof(wish));
}

void login_decide(
	struct login_verdict *v, const struct login_request *r, const struct login_facts *facts)
{
	*v = (struct login_verdict){
		.error = WIRE_ERROR_OK, .reason = "ok", .same_host = facts->same_host};
	if (!where(v, r, facts) || !who(v, r, facts) || !client_fits(v, r) || !may(v, r, facts) ||
		!few_logins(v, r))
		return;
	login_policy_adjust(&v->policy, v->hub, v->bridge_mode, v->monitor_mode, facts->same_host);
	if (room(v, facts))
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
	session_name(vs->name, sizeof(vs->name), v->user_name, v->hub->session_serial++);
	clock_gettime(CLOCK_REALTIME, &now);
	vs->created_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
	vs->hub = v->hub;
	snprintf(vs->user, sizeof(vs->user), "%s", v->user_name);
	if (v->user != NULL && v->user->group != NULL)
		memcpy(vs->group, v->user->group->name, sizeof(vs->group));
	vs->policy = v->policy;
	vs->same_host = v->same_host;
	vs->expires_ms = v->expires_ms;
	vs->has_installation = r->node.has_unique_id;
	memcpy(vs->installation, r->node.unique_id, sizeof(vs->installation));
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
	/* The hub's own: the welcome is written before anybody else can change it. */
	if (vs->hub->message != NULL)
		w->msg = (struct pack_span){.data = (const uint8_t *)vs->hub->message,
			.len = (uint32_t)strlen(vs->hub->message)};
}

enum wire_error login_open(struct login_verdict *v, const struct login_request *r,
	const struct connection *c, const struct ssl_st *ssl, const struct config *config,
	struct vpn_session **out)
{
	struct vpn_session *vs = session_fill(v, r, c, ssl);
	struct session_udp_conf udp = {0};
	struct session_conf conf;
	struct policy policy;
	int err;

	if (vs == NULL) {
		v->reason = "no_memory";
		return WIRE_ERROR_INTERNAL;
	}
	login_policy_compile(&v->policy, v->user_name, vs->group, &c->peer, v->same_host, &policy);
	conf = (struct session_conf){
		.hub = vs->hub->hub,
		.worker = vs->worker,
		.timeout_ms = vs->timeout_ms,
		.max_connections = vs->max_connections,
		.half_duplex = vs->half_duplex,
		.qos = vs->qos,
		.compress = vs->compress,
		.adjust_mss = r->adjust_mss <= UINT16_MAX ? (uint16_t)r->adjust_mss : 0,
		.port_flags = PORT_F_FLOOD_QUOTA |
			(vs->monitor_mode ? PORT_F_MIRROR | PORT_F_RECEIVE_ONLY : 0),
		.policy = &policy,
		.staging_bytes = config->staging_bytes,
		.staging_age_ms = config->staging_age_ms,
	};
	if (v->udp_allowed && login_udp_grant(&v->welcome, r, c, config, vs->worker, &udp))
		conf.udp = &udp;
	err = registry_session_add(vs, &conf);
	explicit_bzero(&udp, sizeof(udp));
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
