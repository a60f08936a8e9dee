/* SPDX-License-Identifier: BSD-3-Clause */
/* The functions behind the administration's methods, over plain data. */

#include "test/unit/admin_fakes.h"
#include "drivers/session/session_udp.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/auth/radius.h"
#include "controlplane/config.h"
#include "controlplane/control.h"
#include "controlplane/counters.h"
#include "controlplane/hubs.h"
#include "controlplane/import.h"
#include "controlplane/linger.h"
#include "controlplane/listener.h"
#include "controlplane/log.h"
#include "controlplane/server_tls.h"
#include "controlplane/slow.h"
#include "controlplane/store.h"
#include "controlplane/syslog_target.h"
#include "controlplane/tls_context.h"

struct admin_fakes fakes;
struct listener_counters listener_counters;
struct radius_counters radius_counters;
struct linger_counters linger_counters;

static struct connections connections = TAILQ_HEAD_INITIALIZER(connections);
static struct vpn_sessions sessions = TAILQ_HEAD_INITIALIZER(sessions);
static uint32_t session_cnt;
static uint64_t last_connection_id;

void admin_fakes_reset(void)
{
	admin_fakes_free();
	memset(&fakes, 0, sizeof(fakes));
	memset(&listener_counters, 0, sizeof(listener_counters));
	fakes.lcore_cnt = 1;
	fakes.quiet = true;
	fakes.clock_ms = 100000;
}

void admin_fakes_free(void)
{
	struct directory_hub *hub;

	while (!TAILQ_EMPTY(&connections))
		fake_connection_remove(TAILQ_FIRST(&connections));
	while (!TAILQ_EMPTY(&sessions))
		fake_session_remove(TAILQ_FIRST(&sessions));
	TAILQ_FOREACH (hub, directory_hubs(), entry)
		free(hub->hub);
	directory_clear();
}

struct directory_hub *fake_hub(const char *name)
{
	struct directory_hub *hub = NULL;

	assert(directory_hub_create(name, &hub) == 0);
	hub->hub = calloc(1, sizeof(*hub->hub));
	return hub;
}

struct vpn_session *fake_session(struct directory_hub *hub, const char *name, const char *user)
{
	struct vpn_session *vs = calloc(1, sizeof(*vs));
	struct sockaddr_in *peer = (struct sockaddr_in *)&vs->peer;

	session_cnt++;
	snprintf(vs->name, sizeof(vs->name), "%s", name);
	snprintf(vs->user, sizeof(vs->user), "%s", user);
	/* Distinct, and with bytes that would end a string. */
	memcpy(vs->key, &vs, sizeof(vs));
	vs->hub = hub;
	vs->session = calloc(1, sizeof(*vs->session));
	vs->session->port_idx = session_cnt;
	vs->max_connections = 1;
	vs->encrypt = true;
	vs->created_ms = 1700000000000;
	peer->sin_family = AF_INET;
	peer->sin_addr.s_addr = htonl(0xc0000201);
	peer->sin_port = htons(40000);
	TAILQ_INIT(&vs->connections);
	TAILQ_INSERT_TAIL(&sessions, vs, entry);
	hub->session_cnt++;
	return vs;
}

void fake_session_remove(struct vpn_session *vs)
{
	TAILQ_REMOVE(&sessions, vs, entry);
	session_cnt--;
	vs->hub->session_cnt--;
	free(vs->session);
	free(vs);
}

struct connection *fake_connection(struct vpn_session *vs)
{
	struct connection *c = calloc(1, sizeof(*c));
	struct sockaddr_in6 *peer = (struct sockaddr_in6 *)&c->peer;

	c->id = ++last_connection_id;
	snprintf(c->name, sizeof(c->name), "CID-%llu", (unsigned long long)c->id);
	c->state = vs == NULL ? CONNECTION_NEGOTIATING : CONNECTION_ESTABLISHED;
	peer->sin6_family = AF_INET6;
	peer->sin6_addr.s6_addr[0] = 0xfd;
	peer->sin6_addr.s6_addr[15] = 1;
	peer->sin6_port = htons(50000);
	c->connected_ms = 1700000000000;
	c->listener_port = 443;
	c->session = vs;
	if (vs != NULL) {
		TAILQ_INSERT_TAIL(&vs->connections, c, session_entry);
		vs->connection_cnt++;
	}
	TAILQ_INSERT_TAIL(&connections, c, entry);
	return c;
}

void fake_connection_remove(struct connection *c)
{
	if (c->session != NULL) {
		TAILQ_REMOVE(&c->session->connections, c, session_entry);
		c->session->connection_cnt--;
	}
	TAILQ_REMOVE(&connections, c, entry);
	free(c);
}

/* ---- control, log ---------------------------------------------------------------------------- */

struct event_base *control_base(void)
{
	return fakes.base;
}

void log_write(enum log_level, const char *, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fakes.log_line, sizeof(fakes.log_line), fmt, ap);
	va_end(ap);
	fakes.log_lines++;
}

void log_say(enum log_level, const char *, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(fakes.log_line, sizeof(fakes.log_line), fmt, ap);
	va_end(ap);
	fakes.log_lines++;
}

/* Of the folder that log_fakes.c names, which is not there: done at once. */
void slow_submit(struct slow_job *job)
{
	job->work(job);
	job->done(job);
}

bool log_limit_pass(struct log_limit *, uint64_t *suppressed)
{
	*suppressed = 0;
	return true;
}

uint64_t log_lost(void)
{
	return 0;
}

const struct config *control_config(void)
{
	static const struct config config = {.sessions_max = 4096};

	return &config;
}

static X509 *certificate;

__attribute__((destructor)) static void certificate_forget(void)
{
	X509_free(certificate);
}

X509 *server_tls_certificate(void)
{
	EVP_PKEY *key;

	if (certificate != NULL)
		return certificate;
	key = EVP_EC_gen("P-256");
	certificate = X509_new();
	X509_set_version(certificate, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), 0);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
	X509_set_pubkey(certificate, key);
	X509_sign(certificate, key, EVP_sha256());
	EVP_PKEY_free(key);
	return certificate;
}

STACK_OF(X509) * server_tls_chain(void)
{
	return NULL;
}

void server_tls_ciphers(char *out, unsigned size)
{
	snprintf(out, size, "%s", "TLS_AES_256_GCM_SHA384:AES256-SHA");
}

void tls_context_ciphers_known(char *out, unsigned size)
{
	snprintf(out, size, "%s", "TLS_AES_256_GCM_SHA384;AES256-SHA");
}

bool server_tls_ciphers_ok(const char *list, char *error, unsigned error_size)
{
	snprintf(error, error_size, "no such cipher");
	return strcmp(list, "NONSENSE") != 0;
}

const char *directory_server_ciphers(void)
{
	return fakes.ciphers;
}

int server_change_ciphers(const char *ciphers, struct server_change **out)
{
	snprintf(fakes.ciphers, sizeof(fakes.ciphers), "%s", ciphers);
	*out = (struct server_change *)&fakes;
	return 0;
}

bool certificate_pair_parse(struct certificate_pair *pair, struct certificate_der cert,
	struct certificate_der, const struct certificate_der *, unsigned, char *error,
	unsigned error_size)
{
	*pair = (struct certificate_pair){0};
	snprintf(error, error_size, "no certificate");
	return cert.bytes[0] == 0x30;
}

void certificate_pair_free(struct certificate_pair *)
{
}

/* Settled when the test says so. */
int server_tls_change(
	struct certificate_pair *, const char *common_name, struct server_tls_change **out)
{
	snprintf(fakes.common_name, sizeof(fakes.common_name), "%s",
		common_name == NULL ? "" : common_name);
	*out = (struct server_tls_change *)&fakes;
	return 0;
}

bool server_tls_change_done(const struct server_tls_change *, int *error, const char **why)
{
	*error = fakes.change_error;
	*why = "no";
	return fakes.change_waits-- == 0;
}

void server_tls_change_forget(struct server_tls_change *change)
{
	fakes.changes_forgotten += change != NULL;
}

void control_restart(void)
{
	fakes.restarts++;
}

/* ---- changes of the server ------------------------------------------------------------------- */

/* Settled when the test says so. */
int server_change_admin(const struct directory_admin *admin, struct server_change **out)
{
	fakes.admin = *admin;
	*out = (struct server_change *)&fakes;
	return 0;
}

int server_change_listener(
	enum server_listener_action action, uint16_t port, bool enabled, struct server_change **out)
{
	bool exists = port == 443 || port == 992 || port == 8888;

	if (exists == (action == SERVER_LISTENER_ADD))
		return exists ? -EEXIST : -ENOENT;
	fakes.listener_action = action;
	fakes.listener_port = port;
	fakes.listener_enabled = enabled;
	*out = (struct server_change *)&fakes;
	return 0;
}

int server_change_syslog(const struct directory_syslog *, struct server_change **out)
{
	*out = (struct server_change *)&fakes;
	return 0;
}

void syslog_target_get(struct directory_syslog *out)
{
	*out = (struct directory_syslog){
		.set = true, .lines = 2, .port = 514, .host = "log.example.net"};
}

bool server_change_done(const struct server_change *, int *error)
{
	*error = fakes.change_error;
	return fakes.change_waits-- == 0;
}

void server_change_forget(struct server_change *change)
{
	fakes.changes_forgotten += change != NULL;
}

/* Readable in a test: the hash is the password. */
void directory_admin_set_password(struct directory_admin *admin, const char *password)
{
	admin->set = password[0] != '\0';
	snprintf((char *)admin->hash, sizeof(admin->hash), "%s", password);
}

void directory_admin_set_hashes(struct directory_admin *admin, const uint8_t *hash, const uint8_t *)
{
	admin->set = hash[0] != 0;
	memcpy(admin->hash, hash, sizeof(admin->hash));
}

const struct directory_admin *directory_server_admin(void)
{
	return &fakes.admin;
}

/* ---- directory ------------------------------------------------------------------------------- */

int64_t directory_now_ms(void)
{
	return 1700000100000;
}

/* The disk: answers at once. */
void store_change(struct store_request *request, const struct directory_object *, unsigned)
{
	fakes.saves++;
	if (fakes.held != NULL) {
		*fakes.held = request;
		fakes.held = NULL;
		return;
	}
	request->done(request, fakes.save_error);
}

void store_flush(struct store_request *request)
{
	request->done(request, fakes.save_error);
}

uint64_t counters_save(void)
{
	return 1;
}

bool counters_saved(uint64_t, int *error)
{
	*error = 0;
	return true;
}

void counters_status(struct counters_status *out)
{
	*out = (struct counters_status){.saved_ms = 0};
}

void counters_server(struct traffic_totals *out)
{
	*out = (struct traffic_totals){.in = {.unicast_frames = 0}};
}

void store_status(struct store_status *out)
{
	*out = (struct store_status){.changes = fakes.saves};
}

/* What import_test.c tests. */
struct import *import_read(const char *)
{
	return NULL;
}

void import_free(struct import *)
{
}

const char *import_wrong(const struct import *)
{
	return NULL;
}

char *import_record(struct import *)
{
	return NULL;
}

bool import_line_get(const struct import *, uint32_t, struct import_line *)
{
	return false;
}

int store_reload_begin(struct store_reload *)
{
	return -EBUSY;
}

/* Asked when a call begins, and again when its change does: it is the second that is told to wait. */
bool store_frozen(void)
{
	if (fakes.busy == 0)
		return false;
	fakes.busy_next = !fakes.busy_next;
	if (!fakes.busy_next)
		fakes.busy--;
	return !fakes.busy_next;
}

/* Reads what it is told, at once or when the test says so. */
int store_text_begin(struct store_text *text)
{
	fakes.text = text;
	if (!fakes.text_later)
		fake_text_read();
	return 0;
}

void fake_text_read(void)
{
	struct store_text *text = fakes.text;

	fakes.text = NULL;
	if (fakes.text_error == 0)
		text->bytes =
			directory_masked(fakes.config == NULL ? "" : fakes.config, &text->size);
	text->done(text, fakes.text_error);
}

void store_on_settled(void (*)(void))
{
}

int directory_hub_start(struct directory_hub *hub)
{
	hub->hub = calloc(1, sizeof(*hub->hub));
	return hub->hub == NULL ? -ENOMEM : 0;
}

int hubs_apply(struct directory_hub *)
{
	fakes.applied++;
	return 0;
}

bool hubs_quiet(const struct directory_hub *)
{
	return true;
}

uint64_t hubs_doom(struct directory_hub *hub)
{
	free(hub->hub);
	directory_hub_free(hub);
	return 1;
}

bool hubs_doomed_gone(uint64_t)
{
	return true;
}

/* ---- registry -------------------------------------------------------------------------------- */

const struct connections *registry_connections(void)
{
	return &connections;
}

const struct vpn_sessions *registry_sessions(void)
{
	return &sessions;
}

uint32_t registry_session_cnt(void)
{
	return session_cnt;
}

struct connection *registry_connection_find(const char *name)
{
	struct connection *c;

	TAILQ_FOREACH (c, &connections, entry)
		if (strcasecmp(c->name, name) == 0)
			break;
	return c;
}

struct vpn_session *registry_session_find(const struct directory_hub *hub, const char *name)
{
	struct vpn_session *vs;

	TAILQ_FOREACH (vs, &sessions, entry)
		if (vs->hub == hub && strcasecmp(vs->name, name) == 0)
			break;
	return vs;
}

struct vpn_session *registry_session_by_key(const uint8_t key[REGISTRY_KEY_BYTES])
{
	struct vpn_session *vs;

	TAILQ_FOREACH (vs, &sessions, entry)
		if (memcmp(vs->key, key, REGISTRY_KEY_BYTES) == 0)
			break;
	return vs;
}

struct vpn_session *registry_session_by_port(uint32_t port_idx)
{
	struct vpn_session *vs;

	TAILQ_FOREACH (vs, &sessions, entry)
		if (vs->session != NULL && vs->session->port_idx == port_idx)
			break;
	return vs;
}

uint32_t registry_sessions_of(const struct directory_hub *hub, const char *user, const char *group,
	bool end, enum session_end)
{
	struct vpn_session *vs;
	uint32_t n = 0;

	TAILQ_FOREACH (vs, &sessions, entry) {
		if (vs->hub != hub || (user != NULL && strcasecmp(vs->user, user) != 0) ||
			(group != NULL && strcasecmp(vs->group, group) != 0))
			continue;
		vs->ending = vs->ending || end;
		n++;
	}
	return n;
}

uint32_t registry_worker_sessions(unsigned worker)
{
	const struct vpn_session *vs;
	uint32_t n = 0;

	TAILQ_FOREACH (vs, &sessions, entry)
		n += vs->worker == worker;
	return n;
}

int registry_connection_close(const char *name)
{
	fakes.connection_closes++;
	if (fakes.connection_close_result != 0)
		return fakes.connection_close_result;
	return registry_connection_find(name) == NULL ? -ENOENT : 0;
}

int registry_session_delete(const struct directory_hub *hub, const char *name)
{
	fakes.session_deletes++;
	return registry_session_find(hub, name) == NULL ? -ENOENT : 0;
}

bool session_udp_view(const struct session *, struct session_udp_view *out)
{
	*out = (struct session_udp_view){
		.version = 2, .active = true, .port = 40001, .frames_in = 5, .frames_out = 6};
	return true;
}

bool session_udp_socket_view(unsigned worker, unsigned family, struct session_udp_socket_view *out)
{
	*out = (struct session_udp_socket_view){
		.port = (uint16_t)(40000 + worker), .datagrams_in = 7, .foreign = 3};
	return family == AF_INET;
}

void session_view(const struct session *s, struct session_counters *out)
{
	*out = s->counters;
}

/* ---- listeners ------------------------------------------------------------------------------- */

bool listener_get(unsigned index, struct listener_info *out)
{
	static const struct listener_info infos[] = {
		{.port = 443, .enabled = true, .open = true, .accepted = 7},
		{.port = 992, .enabled = true, .error = EADDRINUSE},
		{.port = 8888},
	};

	if (index >= 3)
		return false;
	*out = infos[index];
	return true;
}
