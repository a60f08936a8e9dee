/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a peer may ask for after the hello (wire.md 3.1), and the hand-over to a worker in the order of
 * architecture.md 6.2: reserve, then the welcome, then the stream.
 */

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/ssl.h>

#include "controlplane/admin/api_auth.h"
#include "controlplane/admin/remote.h"
#include "controlplane/admin/where.h"
#include "controlplane/config.h"
#include "controlplane/directory.h"
#include "controlplane/listener.h"
#include "controlplane/login.h"
#include "controlplane/login_log.h"
#include "controlplane/negotiation_priv.h"
#include "controlplane/registry.h"
#include "controlplane/server_tls.h"
#include "drivers/session/stream.h"

static_assert((int)SESSION_SERVER_TO_CLIENT == (int)WIRE_DIRECTION_TO_CLIENT &&
		(int)SESSION_CLIENT_TO_SERVER == (int)WIRE_DIRECTION_TO_SERVER,
	"directions are the wire's numbers");

/*
 * Gives the connection, with the answer in its stream, to its session: to the place reserved in it, or
 * (NULL) as its first. False if it ended instead; then what was reserved is free again.
 */
static bool hand_over(
	struct negotiation *n, struct vpn_session *vs, struct session_connection *place)
{
	/* Nothing has changed since the answer named it. */
	enum session_direction direction = registry_session_direction(vs);
	struct connection *c = n->connection;
	struct stream *stream = n->stream;
	int err = negotiation_flush(n);

	SSL_clear_options(stream_ssl(stream), SSL_OP_CLEANSE_PLAINTEXT);
	/* What the socket does not take now goes along in the stream, and is still TLS (wire.md 6.6). */
	if ((err != 0 && err != -EAGAIN) || n->out_at != n->dialogue->out.len ||
		(!vs->encrypt && stream_go_raw(stream) != 0) || negotiation_park(n) != 0) {
		if (place != NULL)
			session_unreserve(vs->session, place);
		else
			registry_session_abandon(vs);
		negotiation_lost(n);
		return false;
	}
	negotiation_watch(n, 0);
	negotiation_free(n);
	if (place != NULL)
		registry_session_join(vs, c, place, stream, direction);
	else
		registry_session_open(vs, c, stream);
	return true;
}

void negotiation_refuse(struct negotiation *n, enum wire_error error, bool no_save_password)
{
	if (dialogue_answer_error(n->dialogue, error, no_save_password) != 0)
		listener_counters.no_memory++; /* then the farewell is a short one */
	negotiation_farewell(n);
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* True if the negotiation is no more (it became a session, or ended). */
static bool method_login(struct negotiation *n)
{
	const struct login_request *r = &n->dialogue->request;
	struct connection *c = n->connection;
	struct login_verdict v;
	struct vpn_session *vs = NULL;
	struct login_facts facts = {
		.auth = {.random = n->dialogue->random},
		.peer = &c->peer,
		.same_host = login_same_host(&c->peer, &c->local),
		.now_ms = wall_ms(),
		.sessions = registry_session_cnt(),
		.sessions_max = negotiation_config()->sessions_max,
		.connections_max = negotiation_config()->session_connections,
	};

	char account[2 * DIRECTORY_NAME_BYTES];

	snprintf(account, sizeof(account), "%s/%s", r->hubname, r->username);
	if (negotiation_hold(n, account) > 0)
		return false;
	negotiation_proof_facts(n, &facts.auth);
	login_decide(&v, r, &facts);
	if (v.need != AUTH_NEEDS_NOTHING) {
		if (negotiation_prove(n, &v) == 0)
			return false;
		v.error = WIRE_ERROR_AUTH_FAILED;
		v.reason = "cannot_ask";
		v.undecided = true;
	}
	if (v.error == WIRE_ERROR_AUTH_FAILED && !v.undecided && negotiation_feign(n, v.hub))
		return false;
	/* Whatever is refused before the password was looked at says nothing of who it is. */
	if ((v.error == WIRE_ERROR_AUTH_FAILED && !v.undecided) ||
		v.error == WIRE_ERROR_HUB_NOT_FOUND)
		negotiation_judged(n, account, true);
	else if (v.user != NULL || v.administrator)
		negotiation_judged(n, account, false);
	if (v.error == WIRE_ERROR_OK)
		v.error = login_open(&v, r, c, stream_ssl(n->stream), negotiation_config(), &vs);
	if (v.error == WIRE_ERROR_OK)
		vs->tls_epoch = server_tls_epoch(stream_ssl(n->stream));
	if (v.error == WIRE_ERROR_OK && dialogue_answer_welcome(n->dialogue, &v.welcome) != 0) {
		registry_session_abandon(vs);
		v.error = WIRE_ERROR_INTERNAL;
		v.reason = "no_memory";
		bytebuf_reset(&n->dialogue->out);
	}
	if (v.error != WIRE_ERROR_OK) {
		listener_counters.login_failed++;
		login_log_refused(c, r, &v);
		negotiation_refuse(n, v.error, v.no_save_password);
		return false;
	}
	if (hand_over(n, vs, NULL)) {
		listener_counters.login_ok++;
		v.hub->login_cnt++;
		v.hub->last_login_ms = facts.now_ms;
		if (v.user != NULL) {
			v.user->login_cnt++;
			v.user->last_login_ms = facts.now_ms;
		}
		login_log_accepted(c, vs);
	}
	return true;
}

static bool method_additional(struct negotiation *n)
{
	struct vpn_session *vs = registry_session_by_key(n->dialogue->request.session_key);
	struct connection *c = n->connection;
	struct session_connection *place = NULL;
	enum wire_error error = WIRE_ERROR_OK;

	if (vs == NULL)
		error = WIRE_ERROR_SESSION_GONE;
	else if (vs->connection_cnt > vs->max_connections) /* one more is tolerated, wire.md 5.4 */
		error = WIRE_ERROR_TOO_MANY_CONNECTIONS;
	else if (session_reserve(vs->session, &place) != 0)
		error = WIRE_ERROR_INTERNAL; /* the peer tries again, wire.md 5.2 */
	else if (dialogue_answer_joined(
			 n->dialogue, (enum wire_direction)registry_session_direction(vs)) != 0)
		error = WIRE_ERROR_INTERNAL;
	if (error != WIRE_ERROR_OK) {
		if (place != NULL) {
			session_unreserve(vs->session, place);
			bytebuf_reset(&n->dialogue->out);
		}
		listener_counters.additional_failed++;
		login_log_not_joined(c, vs, error);
		negotiation_refuse(n, error, false);
		return false;
	}
	if (hand_over(n, vs, place)) {
		listener_counters.additional_ok++;
		login_log_joined(c, vs);
	}
	return true;
}

/* True if the negotiation is no more: the connection is an administrator's now, or ended. */
static bool method_admin(struct negotiation *n)
{
	const struct login_request *r = &n->dialogue->request;
	struct connection *c = n->connection;
	struct stream *stream = n->stream;
	char account[DIRECTORY_NAME_BYTES + 8];
	const char *reason;
	struct admin_who who;
	enum wire_error error;
	int err;

	if (!admin_where_allows(&c->peer, r->hubname)) {
		login_log_admin(
			c, "rpc", r->hubname, &r->client, WIRE_ERROR_ADDRESS_DENIED, "source");
		listener_counters.admin_failed++;
		negotiation_refuse(n, WIRE_ERROR_ADDRESS_DENIED, false);
		return false;
	}
	snprintf(account, sizeof(account), "%s//admin", r->hubname);
	if (negotiation_hold(n, account) > 0)
		return false;
	error = admin_who_by_proof(
		&who, r->hubname, r->secure_password, n->dialogue->random, &reason);
	(void)negotiation_judged(n, account, error != WIRE_ERROR_OK);

	if (error == WIRE_ERROR_OK && !remote_room(&who)) {
		error = WIRE_ERROR_NOT_ACCEPTING;
		reason = "too_many";
	}
	if (error == WIRE_ERROR_OK && dialogue_answer_admin(n->dialogue) != 0) {
		error = WIRE_ERROR_INTERNAL;
		reason = "no_memory";
		bytebuf_reset(&n->dialogue->out);
	}
	login_log_admin(c, "rpc", r->hubname, &r->client, error, reason);
	if (error != WIRE_ERROR_OK) {
		listener_counters.admin_failed++;
		negotiation_refuse(n, error, false);
		return false;
	}
	err = negotiation_flush(n);
	if ((err != 0 && err != -EAGAIN) || n->out_at != n->dialogue->out.len ||
		negotiation_park(n) != 0) {
		negotiation_lost(n);
		return true;
	}
	listener_counters.admin_ok++;
	negotiation_watch(n, 0);
	negotiation_free(n);
	remote_start(c, stream, &remote_pack, &who, NULL, 0);
	explicit_bzero(&who, sizeof(who));
	return true;
}

static void method_enum_hub(struct negotiation *n)
{
	const struct directory_hub *hub;
	const char **names;
	uint32_t cnt = 0;
	int err;

	TAILQ_FOREACH (hub, directory_hubs(), entry)
		cnt++;
	names = calloc(cnt + 1, sizeof(*names));
	if (names == NULL) {
		negotiation_refuse(n, WIRE_ERROR_INTERNAL, false);
		return;
	}
	cnt = 0;
	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		if (!hub->no_enum)
			names[cnt++] = hub->name;
	}
	err = dialogue_answer_hubs(n->dialogue, names, cnt);
	free(names);
	if (err != 0) {
		bytebuf_reset(&n->dialogue->out);
		negotiation_refuse(n, WIRE_ERROR_INTERNAL, false);
		return;
	}
	listener_counters.enum_hub++;
	negotiation_farewell(n);
}

/* Answers a call of the JSON API that is not let in; the connection may try again, as often as others. */
static bool api_refuse(struct negotiation *n, unsigned status)
{
	bytebuf_append_text(&n->dialogue->out, api_auth_answer(status));
	dialogue_next(n->dialogue);
	return false;
}

/* The stream becomes an administrator's, with the request that was read once more before it. */
static bool api_hand_over(struct negotiation *n, const struct admin_who *who)
{
	const struct dialogue *d = n->dialogue;
	struct connection *c = n->connection;
	struct stream *stream = n->stream;
	struct bytebuf first;
	char head[API_REBUILD_MAX];

	bytebuf_init(&first, API_REBUILD_MAX + API_BODY_MAX);
	bytebuf_append(&first, head,
		api_auth_rebuild(&d->api, strcasecmp(d->http.head.third, "HTTP/1.0") == 0,
			d->body_bytes, head));
	bytebuf_append(&first, d->body, d->body_bytes);
	explicit_bzero(head, sizeof(head));
	if (first.error != 0 || negotiation_park(n) != 0) {
		bytebuf_free(&first);
		negotiation_lost(n);
		return true;
	}
	negotiation_watch(n, 0);
	negotiation_free(n);
	remote_start(c, stream, &remote_api, who, first.data, first.len);
	bytebuf_free(&first);
	return true;
}

/* True if the negotiation is no more. */
static bool method_api(struct negotiation *n)
{
	static const struct product nobody = {.name = ""};
	const struct api_auth *api = &n->dialogue->api;
	char account[DIRECTORY_NAME_BYTES + 8];
	enum wire_error error;
	struct admin_who who;
	const char *reason;
	bool gone;

	if (api->chunked)
		return api_refuse(n, 411);
	if (api_auth_foreign(api))
		return api_refuse(n, 403);
	if (!admin_where_allows(&n->connection->peer, api->hub)) {
		login_log_admin(n->connection, "api", api->hub, &nobody, WIRE_ERROR_ADDRESS_DENIED,
			"source");
		listener_counters.admin_failed++;
		return api_refuse(n, 403);
	}
	if (!api->given) /* no guess: it asks what is wanted */
		return api_refuse(n, 401);
	snprintf(account, sizeof(account), "%s//admin", api->hub);
	if (negotiation_hold(n, account) > 0)
		return false;
	error = admin_who_by_password(&who, api->hub, api->password, &reason);
	if (api->wrong) {
		error = WIRE_ERROR_ACCESS_DENIED;
		reason = "unreadable";
	}
	negotiation_judged(n, account, error != WIRE_ERROR_OK);
	if (error == WIRE_ERROR_OK && !remote_room(&who)) {
		error = WIRE_ERROR_NOT_ACCEPTING;
		reason = "too_many";
	}
	login_log_admin(n->connection, "api", api->hub, &nobody, error, reason);
	if (error != WIRE_ERROR_OK) {
		listener_counters.admin_failed++;
		explicit_bzero(&who, sizeof(who));
		return api_refuse(n, 401);
	}
	listener_counters.admin_ok++;
	gone = api_hand_over(n, &who);
	explicit_bzero(&who, sizeof(who));
	return gone;
}

bool negotiation_method(struct negotiation *n)
{
	const struct login_request *r = &n->dialogue->request;
	struct connection *c = n->connection;

	if (n->dialogue->phase == DIALOGUE_PREAMBLE)
		return method_api(n);

	memcpy(c->client_product, r->client.name, sizeof(c->client_product));
	c->client_version = r->client.version;
	c->client_build = r->client.build;
	switch (r->method) {
	case LOGIN_METHOD_LOGIN:
		return method_login(n);
	case LOGIN_METHOD_ADDITIONAL_CONNECT:
		return method_additional(n);
	case LOGIN_METHOD_ADMIN:
		return method_admin(n);
	case LOGIN_METHOD_ENUM_HUB:
		method_enum_hub(n);
		return false;
	case LOGIN_METHOD_FARM_CONNECT:
		listener_counters.not_supported++;
		negotiation_refuse(n, WIRE_ERROR_NOT_CONTROLLER, false);
		return false;
	case LOGIN_METHOD_PASSWORD:
		negotiation_password(n);
		return false;
	default:
		listener_counters.not_supported++;
		negotiation_refuse(n, WIRE_ERROR_NOT_SUPPORTED, false);
		return false;
	}
}
