/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two lists and three indexes. Keys and names are hashed with a key of the process; the port index is an
 * array as long as the port table.
 *
 * An ended session is taken out of all indexes at once. Its record stays until the last of its connections
 * has come back from the worker, so that a connection that was under way to it finds its owner.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include <openssl/crypto.h>

#include "controlplane/config.h"
#include "controlplane/keyed_hash.h"
#include "controlplane/linger.h"
#include "controlplane/login_log.h"
#include "controlplane/logs/logs.h"
#include "controlplane/negotiation.h"
#include "controlplane/registry.h"
#include "controlplane/session_deadline.h"
#include "dataplane/port.h"
#include "drivers/session/connection_set.h"

#define BUCKETS_MAX 65536u

LIST_HEAD(session_bucket, vpn_session);

static struct {
	struct keyed_hash hash;
	struct connections connections;
	struct vpn_sessions sessions;
	uint32_t session_cnt;
	uint64_t next_connection;
	uint32_t bucket_mask;
	struct session_bucket *by_key;
	struct session_bucket *by_name;
	struct vpn_session **by_port; /* PORT_MAX entries */
	uint32_t worker_sessions[LCORE_MAX];
} reg = {
	.connections = TAILQ_HEAD_INITIALIZER(reg.connections),
	.sessions = TAILQ_HEAD_INITIALIZER(reg.sessions),
};

static void session_connection_ended(
	void *ctx, uint64_t connection_id, enum session_end why, struct stream *stream);
static void session_ended(void *ctx, enum session_end why, const struct session_counters *final);

static const struct session_callbacks callbacks = {
	.connection_ended = session_connection_ended,
	.ended = session_ended,
};

int registry_init(const struct config *config)
{
	uint32_t buckets = 64;

	while (buckets < config->sessions_max && buckets < BUCKETS_MAX)
		buckets *= 2;
	reg.bucket_mask = buckets - 1;
	reg.by_key = calloc(buckets, sizeof(*reg.by_key));
	reg.by_name = calloc(buckets, sizeof(*reg.by_name));
	reg.by_port = calloc(PORT_MAX, sizeof(struct vpn_session *));
	if (reg.by_key == NULL || reg.by_name == NULL || reg.by_port == NULL) {
		registry_fini();
		return -ENOMEM;
	}
	return keyed_hash_init(&reg.hash);
}

void registry_fini(void)
{
	struct vpn_session *vs;
	struct connection *c;

	while ((c = TAILQ_FIRST(&reg.connections)) != NULL)
		registry_connection_remove(c);
	while ((vs = TAILQ_FIRST(&reg.sessions)) != NULL) {
		TAILQ_REMOVE(&reg.sessions, vs, entry);
		session_deadline_stop(vs);
		explicit_bzero(vs->key, sizeof(vs->key));
		free(vs);
	}
	reg.session_cnt = 0;
	memset(reg.worker_sessions, 0, sizeof(reg.worker_sessions));
	free(reg.by_key);
	free(reg.by_name);
	free(reg.by_port);
	reg.by_key = reg.by_name = NULL;
	reg.by_port = NULL;
}

/* ---- connections ----------------------------------------------------------------------------- */

const struct connections *registry_connections(void)
{
	return &reg.connections;
}

struct connection *registry_connection_find(const char *name)
{
	struct connection *c;

	TAILQ_FOREACH (c, &reg.connections, entry) {
		if (strcasecmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

static int64_t wall_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static socklen_t address_len(const struct sockaddr *sa)
{
	return sa->sa_family == AF_INET6 ? sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
}

struct connection *registry_connection_add(
	const struct sockaddr *peer, const struct sockaddr *local, uint16_t listener_port)
{
	struct connection *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return NULL;
	c->id = ++reg.next_connection;
	snprintf(c->name, sizeof(c->name), "CID-%llu", (unsigned long long)c->id);
	c->state = CONNECTION_HANDSHAKE;
	memcpy(&c->peer, peer, address_len(peer));
	memcpy(&c->local, local, address_len(local));
	c->listener_port = listener_port;
	c->connected_ms = wall_ms();
	TAILQ_INSERT_TAIL(&reg.connections, c, entry);
	return c;
}

static void connection_leave(struct connection *c)
{
	struct vpn_session *vs = c->session;

	if (vs == NULL)
		return;
	TAILQ_REMOVE(&vs->connections, c, session_entry);
	vs->connection_cnt--;
	c->session = NULL;
}

void registry_connection_remove(struct connection *c)
{
	if (c == NULL)
		return;
	connection_leave(c);
	if (c->budget != NULL)
		negotiation_budget_return(c->budget);
	TAILQ_REMOVE(&reg.connections, c, entry);
	free(c);
}

static void lingered(void *arg)
{
	registry_connection_remove(arg);
}

void registry_connection_linger(struct connection *c, struct stream *stream)
{
	c->state = CONNECTION_CLOSING;
	linger_add(stream, lingered, c);
}

int registry_connection_close(const char *name)
{
	struct connection *c = registry_connection_find(name);

	if (c == NULL)
		return -ENOENT;
	if (c->negotiation != NULL) {
		negotiation_close(c->negotiation);
		return 0;
	}
	if (c->close != NULL) {
		c->close(c);
		return 0;
	}
	if (c->session == NULL || c->session->session == NULL)
		return 0; /* on its way out already */
	return session_connection_close(c->session->session, c->id, SESSION_END_ADMIN);
}

/* ---- indexes of sessions --------------------------------------------------------------------- */

static struct session_bucket *key_bucket(const uint8_t key[REGISTRY_KEY_BYTES])
{
	return &reg.by_key[keyed_hash(&reg.hash, key, REGISTRY_KEY_BYTES) & reg.bucket_mask];
}

/* Names compare without case, and are unique within their hub. */
static struct session_bucket *name_bucket(const struct directory_hub *hub, const char *name)
{
	struct {
		const struct directory_hub *hub;
		char name[sizeof(((struct vpn_session *)0)->name)];
	} key = {.hub = hub};
	size_t len = 0;

	for (; name[len] != '\0' && len < sizeof(key.name); len++)
		key.name[len] =
			name[len] >= 'a' && name[len] <= 'z' ? name[len] - 'a' + 'A' : name[len];
	return &reg.by_name[keyed_hash(&reg.hash, &key, sizeof(key.hub) + len) & reg.bucket_mask];
}

const struct vpn_sessions *registry_sessions(void)
{
	return &reg.sessions;
}

uint32_t registry_session_cnt(void)
{
	return reg.session_cnt;
}

uint32_t registry_worker_sessions(unsigned worker)
{
	return reg.worker_sessions[worker];
}

struct vpn_session *registry_session_find(const struct directory_hub *hub, const char *name)
{
	struct vpn_session *vs;

	LIST_FOREACH (vs, name_bucket(hub, name), name_entry) {
		if (vs->hub == hub && strcasecmp(vs->name, name) == 0)
			return vs;
	}
	return NULL;
}

struct vpn_session *registry_session_by_key(const uint8_t key[REGISTRY_KEY_BYTES])
{
	struct vpn_session *vs;

	LIST_FOREACH (vs, key_bucket(key), key_entry) {
		if (CRYPTO_memcmp(vs->key, key, REGISTRY_KEY_BYTES) == 0)
			return vs->ending ? NULL : vs;
	}
	return NULL;
}

struct vpn_session *registry_session_by_port(uint32_t port_idx)
{
	return port_idx < PORT_MAX ? reg.by_port[port_idx] : NULL;
}

/* policy.md 7, check 14: whoever may bridge or route. */
static bool counts_as_bridge(const struct vpn_session *vs)
{
	return !vs->policy.no_bridge || !vs->policy.no_routing;
}

/* Takes a session out of lists, indexes and counts; the record lives on. */
static void session_unlist(struct vpn_session *vs)
{
	uint32_t idx = session_port_idx(vs->session);

	TAILQ_REMOVE(&reg.sessions, vs, entry);
	LIST_REMOVE(vs, key_entry);
	LIST_REMOVE(vs, name_entry);
	if (reg.by_port[idx] == vs)
		reg.by_port[idx] = NULL;
	reg.session_cnt--;
	reg.worker_sessions[vs->worker]--;
	vs->hub->session_cnt--;
	vs->hub->bridge_mode_cnt -= counts_as_bridge(vs);
	session_deadline_stop(vs);
	vs->session = NULL;
	vs->ending = true;
}

static void session_free(struct vpn_session *vs)
{
	vs->hub->record_cnt--;
	explicit_bzero(vs->key, sizeof(vs->key));
	free(vs);
}

/* ---- life of sessions ------------------------------------------------------------------------ */

#define WHO_BYTES (DIRECTORY_NAME_BYTES + 400u)

/* As access rules that redirect tell it to web servers. */
static void who_text(const struct vpn_session *vs, char *out, size_t size)
{
	char address[INET6_ADDRSTRLEN] = "";
	const char *text = address;

	(void)getnameinfo((const struct sockaddr *)&vs->peer, sizeof(vs->peer), address,
		sizeof(address), NULL, 0, NI_NUMERICHOST);
	/* An IPv4 peer of a socket for both families. */
	if (strncmp(address, "::ffff:", 7) == 0 && strchr(address, '.') != NULL)
		text += 7;
	snprintf(out, size, "%s|%s|%s", vs->user, vs->name, text);
}

int registry_session_add(struct vpn_session *vs, struct session_conf *conf)
{
	char who[WHO_BYTES];
	int err;

	conf->cb = &callbacks;
	conf->ctx = vs;
	who_text(vs, who, sizeof(who));
	conf->who = who;
	err = session_create(conf, &vs->session);
	conf->who = NULL;
	if (err != 0)
		return err;
	TAILQ_INIT(&vs->connections);
	TAILQ_INSERT_TAIL(&reg.sessions, vs, entry);
	LIST_INSERT_HEAD(key_bucket(vs->key), vs, key_entry);
	LIST_INSERT_HEAD(name_bucket(vs->hub, vs->name), vs, name_entry);
	reg.by_port[session_port_idx(vs->session)] = vs;
	logs_port_set(session_port_idx(vs->session), vs->name, &vs->peer);
	reg.session_cnt++;
	reg.worker_sessions[vs->worker]++;
	vs->hub->session_cnt++;
	vs->hub->record_cnt++;
	vs->hub->bridge_mode_cnt += counts_as_bridge(vs);
	return 0;
}

void registry_session_abandon(struct vpn_session *vs)
{
	struct session *s = vs->session;

	session_unlist(vs);
	session_abandon(s);
	session_free(vs);
}

static void connection_join(
	struct vpn_session *vs, struct connection *c, enum session_direction direction)
{
	c->direction = direction;
	c->state = CONNECTION_ESTABLISHED;
	c->established_ms = wall_ms();
	c->session = vs;
	TAILQ_INSERT_TAIL(&vs->connections, c, session_entry);
	vs->connection_cnt++;
}

void registry_session_open(struct vpn_session *vs, struct connection *c, struct stream *stream)
{
	connection_join(vs, c, vs->half_duplex ? SESSION_CLIENT_TO_SERVER : SESSION_BOTH);
	session_open(vs->session, stream, c->id);
	session_deadline_start(vs);
}

enum session_direction registry_session_direction(const struct vpn_session *vs)
{
	const struct connection *c;
	uint32_t to_client = 0;

	if (!vs->half_duplex)
		return SESSION_BOTH;
	TAILQ_FOREACH (c, &vs->connections, session_entry)
		to_client += c->direction == SESSION_SERVER_TO_CLIENT;
	return connection_direction(to_client, vs->connection_cnt - to_client);
}

void registry_session_join(struct vpn_session *vs, struct connection *c,
	struct session_connection *place, struct stream *stream, enum session_direction direction)
{
	connection_join(vs, c, direction);
	session_add(vs->session, place, stream, c->id, direction);
}

int registry_session_delete(const struct directory_hub *hub, const char *name)
{
	struct vpn_session *vs = registry_session_find(hub, name);

	if (vs == NULL)
		return -ENOENT;
	vs->ending = true;
	session_end(vs->session, SESSION_END_ADMIN);
	return 0;
}

uint32_t registry_user_sessions(
	const struct directory_hub *hub, const char *user, const uint8_t *installation)
{
	const struct vpn_session *vs;
	uint32_t n = 0;

	TAILQ_FOREACH (vs, &reg.sessions, entry) {
		if (vs->hub != hub || vs->ending || vs->connection_cnt == 0 ||
			strcasecmp(vs->user, user) != 0)
			continue;
		n += installation == NULL || !vs->has_installation ||
			memcmp(vs->installation, installation, sizeof(vs->installation)) != 0;
	}
	return n;
}

uint32_t registry_sessions_of(const struct directory_hub *hub, const char *user, const char *group,
	bool end, enum session_end why)
{
	struct vpn_session *vs;
	uint32_t n = 0;

	TAILQ_FOREACH (vs, &reg.sessions, entry) {
		if (vs->hub != hub || vs->ending ||
			(user != NULL && strcasecmp(vs->user, user) != 0) ||
			(group != NULL && strcasecmp(vs->group, group) != 0))
			continue;
		n++;
		if (!end)
			continue;
		vs->ending = true;
		session_end(vs->session, why);
	}
	return n;
}

static void session_connection_ended(
	void *ctx, uint64_t connection_id, enum session_end why, struct stream *stream)
{
	struct vpn_session *vs = ctx;
	struct connection *c;

	TAILQ_FOREACH (c, &vs->connections, session_entry) {
		if (c->id == connection_id)
			break;
	}
	if (c == NULL) {
		if (stream != NULL)
			linger_add(stream, NULL, NULL);
		return;
	}
	connection_leave(c);
	login_log_left(c, vs, session_end_name(why));
	if (stream != NULL)
		registry_connection_linger(c, stream);
	else
		registry_connection_remove(c);
	if (vs->session == NULL && vs->connection_cnt == 0)
		session_free(vs);
}

static void session_ended(void *ctx, enum session_end why, const struct session_counters *final)
{
	struct vpn_session *vs = ctx;

	login_log_ended(vs, session_end_name(why), final);
	traffic_fold_final(vs, final);
	session_unlist(vs);
	if (vs->connection_cnt == 0)
		session_free(vs);
}

/* ---- the end --------------------------------------------------------------------------------- */

void registry_shutdown(void)
{
	struct connection *c, *next;
	struct vpn_session *vs;

	TAILQ_FOREACH (vs, &reg.sessions, entry) {
		vs->ending = true;
		session_end(vs->session, SESSION_END_SHUTDOWN);
	}
	for (c = TAILQ_FIRST(&reg.connections); c != NULL; c = next) {
		next = TAILQ_NEXT(c, entry);
		if (c->negotiation != NULL)
			negotiation_close(c->negotiation);
		else if (c->close != NULL)
			c->close(c);
	}
}

bool registry_quiet(void)
{
	return TAILQ_EMPTY(&reg.connections) && TAILQ_EMPTY(&reg.sessions);
}
