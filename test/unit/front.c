/* SPDX-License-Identifier: BSD-3-Clause */
/* See front.h. */

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>
#include <event2/event.h>
#include <openssl/pem.h>

#include "controlplane/access.h"
#include "controlplane/admin/remote.h"
#include "controlplane/bridges.h"
#include "controlplane/control.h"
#include "controlplane/directory_change.h"
#include "controlplane/linger.h"
#include "controlplane/listener.h"
#include "controlplane/registry.h"
#include "dataplane/hub.h"
#include "dataplane/lcore.h"
#include "drivers/session/session_udp.h"
#include "drivers/session/stream.h"
#include "drivers/session/wire/http.h"
#include "drivers/session/wire/reply.h"
#include "drivers/session/wire/sha0.h"
#include "test/unit/front.h"

/* ---- what other parts would bring ------------------------------------------------------------ */

static struct event_base *base;
static uint32_t next_port = 1;

struct session *fake_last;
unsigned fake_sessions;
int fake_create_error;
int fake_add_error;

struct event_base *control_base(void)
{
	return base;
}

unsigned lcore_count(void)
{
	return 2;
}

unsigned bridges_up(const struct directory_hub *)
{
	return 0;
}

const char *session_end_name(enum session_end why)
{
	static const char *const names[] = {
#define X(sym, name) name,
		SESSION_END_LIST(X)
#undef X
	};

	return names[why];
}

uint16_t session_udp_port(unsigned worker, unsigned)
{
	return (uint16_t)(40000 + worker);
}

int session_create(const struct session_conf *conf, struct session **out)
{
	if (fake_create_error != 0)
		return fake_create_error;
	*out = fake_last = calloc(1, sizeof(**out));
	assert_non_null(*out);
	fake_last->conf = *conf;
	fake_sessions++;
	next_port++;
	return 0;
}

void session_abandon(struct session *s)
{
	assert_false(s->opened);
	fake_last = NULL;
	fake_sessions--;
	free(s);
}

void session_open(struct session *s, struct stream *stream, uint64_t connection_id)
{
	assert_false(s->opened);
	s->opened = true;
	s->streams[0] = stream;
	s->ids[0] = connection_id;
	s->cnt = 1;
}

/* The place is nothing but a word. */
int session_reserve(struct session *s, struct session_connection **out)
{
	if (fake_add_error != 0)
		return fake_add_error;
	s->places++;
	*out = calloc(1, 1);
	return 0;
}

void session_unreserve(struct session *s, struct session_connection *place)
{
	s->places--;
	free(place);
}

void session_add(struct session *s, struct session_connection *place, struct stream *stream,
	uint64_t connection_id, enum session_direction direction)
{
	session_unreserve(s, place);
	assert_true(s->cnt < FAKE_CONNECTIONS_MAX);
	s->streams[s->cnt] = stream;
	s->directions[s->cnt] = direction;
	s->ids[s->cnt++] = connection_id;
}

int session_connection_close(struct session *s, uint64_t connection_id, enum session_end why)
{
	for (unsigned i = 0; i < s->cnt; i++) {
		if (s->ids[i] == connection_id) {
			struct stream *stream = s->streams[i];

			s->cnt--;
			s->streams[i] = s->streams[s->cnt];
			s->ids[i] = s->ids[s->cnt];
			s->conf.cb->connection_ended(s->conf.ctx, connection_id, why, stream);
			return 0;
		}
	}
	return 0;
}

void session_end(struct session *s, enum session_end)
{
	s->end_asked = true;
}

uint32_t session_port_idx(const struct session *)
{
	return next_port;
}

/* Nobody sends anything here. */
void session_view(const struct session *, struct session_counters *out)
{
	memset(out, 0, sizeof(*out));
}

uint64_t lcore_clock_ms(void)
{
	return 1;
}

void hub_stats(const struct hub *, struct stats_block *out)
{
	memset(out, 0, sizeof(*out));
}

void fake_session_finish(struct session *s, enum session_end why)
{
	struct session_counters final = {0};

	while (s->cnt > 0)
		(void)session_connection_close(s, s->ids[0], why);
	s->conf.cb->ended(s->conf.ctx, why, &final);
	if (fake_last == s)
		fake_last = NULL;
	fake_sessions--;
	free(s);
}

/* ---- the fake of admin/remote ---- */

unsigned fake_remotes;
struct admin_who fake_remote_who;
bool fake_remote_full;
const struct remote_protocol remote_pack = {.kind = "rpc"};
const struct remote_protocol remote_api = {.kind = "api"};

int remote_init(void)
{
	return 0;
}

void remote_fini(void)
{
}

bool remote_room(const struct admin_who *)
{
	return !fake_remote_full;
}

/* Keeps nothing: the connection ends as if its administrator had left at once. */
void remote_start(struct connection *c, struct stream *stream,
	const struct remote_protocol *protocol, const struct admin_who *who, const void *, size_t)
{
	assert_true(protocol == &remote_pack || protocol == &remote_api);
	fake_remotes++;
	fake_remote_who = *who;
	c->state = CONNECTION_ADMIN;
	registry_connection_linger(c, stream);
}

/* ---- server ---------------------------------------------------------------------------------- */

static char directory_path[] = "/tmp/patchbay-front-XXXXXX";
static char certificate_path[64], key_path[64];

static void certificate_write(void)
{
	SSL_CTX *ctx = tls_peer_server_ctx();
	FILE *f;

	if (certificate_path[0] != '\0')
		return;
	assert_non_null(mkdtemp(directory_path));
	snprintf(certificate_path, sizeof(certificate_path), "%s/server.crt", directory_path);
	snprintf(key_path, sizeof(key_path), "%s/server.key", directory_path);
	f = fopen(certificate_path, "w");
	assert_non_null(f);
	assert_int_equal(PEM_write_X509(f, SSL_CTX_get0_certificate(ctx)), 1);
	fclose(f);
	f = fopen(key_path, "w");
	assert_non_null(f);
	assert_int_equal(
		PEM_write_PrivateKey(f, SSL_CTX_get0_privatekey(ctx), NULL, NULL, 0, NULL, NULL),
		1);
	fclose(f);
}

__attribute__((destructor)) static void certificate_remove(void)
{
	if (certificate_path[0] == '\0')
		return;
	(void)unlink(certificate_path);
	(void)unlink(key_path);
	(void)rmdir(directory_path);
	tls_peer_cleanup();
}

static uint16_t port_choose(void)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&sin, len), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&sin, &len), 0);
	close(fd);
	return ntohs(sin.sin_port);
}

void front_defaults(struct front *f)
{
	static char none[] = "";

	*f = (struct front){
		.config =
			{
				.login_connections = 1000,
				.login_connections_per_source = 500,
				.login_handshakes = 64,
				.login_handshakes_per_source = 16,
				.login_timeout_ms = 20000,
				.login_bytes = 262144,
				.handshake_threads = 1,
				.sessions_max = 100,
				.session_connections = 32,
				.tls_ciphers = none,
				.tls_ciphersuites = none,
				.listener_cnt = 1,
				.listeners = {{.enabled = true}},
			},
	};
}

static void directory_fill(struct front *f)
{
	struct directory_user *user;

	assert_int_equal(directory_hub_create("DEFAULT", &f->hub), 0);
	f->hub->online = true;
	assert_int_equal(directory_user_create(f->hub, "alice", &user), 0);
	user->auth = DIRECTORY_AUTH_PASSWORD;
	sha0_password_hash("secret", "alice", user->hashed_password);
	assert_int_equal(directory_user_create(f->hub, "guest", &user), 0);
	user->auth = DIRECTORY_AUTH_ANONYMOUS;
}

void front_start(struct front *f)
{
	int ret = -EADDRINUSE;

	certificate_write();
	f->config.state_dir = directory_path;
	base = event_base_new();
	assert_non_null(base);
	directory_fill(f);
	assert_int_equal(access_init(base, &f->config), 0);
	for (int i = 0; i < 20 && ret < 0; i++) {
		f->port = f->config.listeners[0].port = port_choose();
		ret = listener_start(&f->config);
		if (ret < 0)
			listener_stop();
	}
	assert_int_equal(ret, 1);
}

void front_stop(struct front *)
{
	access_shutdown();
	while (fake_sessions > 0) {
		assert_non_null(TAILQ_FIRST(registry_sessions()));
		fake_session_finish(
			TAILQ_FIRST(registry_sessions())->session, SESSION_END_SHUTDOWN);
	}
	access_fini();
	assert_true(access_quiet());
	directory_clear();
	event_base_free(base);
	base = NULL;
	memset(&listener_counters, 0, sizeof(listener_counters));
	memset(&linger_counters, 0, sizeof(linger_counters));
	fake_create_error = fake_add_error = 0;
}

struct front front;

int front_setup(void **)
{
	front_defaults(&front);
	front_start(&front);
	return 0;
}

int front_teardown(void **)
{
	front_stop(&front);
	return 0;
}

void front_turn(void)
{
	static const struct timeval tick = {.tv_usec = 1000};

	/* At most a millisecond: helpers work in the meantime. */
	(void)event_base_loopexit(base, &tick);
	(void)event_base_loop(base, EVLOOP_ONCE);
}

/* ---- client ---------------------------------------------------------------------------------- */

struct client alice, bob;

int client_socket(const struct front *f)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
		.sin_port = htons(f->port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&sin, sizeof(sin)), 0);
	/* As stock clients do (wire.md 1.1). */
	assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)), 0);
	return fd;
}

void client_open(struct client *c, const struct front *f, int version)
{
	memset(c, 0, sizeof(*c));
	tls_peer_attach(&c->tls, version, client_socket(f));
}

void client_connect(struct client *c, const struct front *f)
{
	client_open(c, f, TLS1_3_VERSION);
	front_wait(tls_peer_handshake(&c->tls) == 1);
}

void client_close(struct client *c)
{
	tls_peer_close(&c->tls);
}

static void client_pull(struct client *c)
{
	c->in_len += tls_peer_read(&c->tls, c->in + c->in_len, sizeof(c->in) - c->in_len);
}

bool client_dismissed(struct client *c)
{
	char byte;

	client_pull(c);
	return SSL_get_shutdown(c->tls.ssl) & SSL_RECEIVED_SHUTDOWN &&
		recv(c->tls.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 0;
}

static bool client_lost(struct client *c)
{
	char byte;
	ssize_t n = recv(c->tls.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	return n == 0 || (n < 0 && errno != EAGAIN);
}

int client_response(struct client *c, const uint8_t **body, size_t *len)
{
	static uint8_t taken[sizeof(c->in)];
	struct http_parser http;
	size_t used = 0;

	for (int left = FRONT_PATIENCE_MS; left > 0; left--) {
		client_pull(c);
		http_parser_init(&http);
		if (http_parse_head(&http, c->in, c->in_len, &used) == HTTP_HEAD_DONE &&
			c->in_len - used >= http.head.content_length) {
			*len = http.head.content_length;
			memcpy(taken, c->in + used, *len);
			*body = taken;
			c->in_len -= used + *len;
			memmove(c->in, c->in + used + *len, c->in_len);
			return atoi(http.head.second);
		}
		if (client_lost(c))
			return -1;
		front_turn();
	}
	fail_msg("no response");
	return -1;
}

void client_pack(struct client *c, struct pack *p)
{
	static struct pack_element index[PACK_INDEX_FOR_BYTES(70000)];
	const uint8_t *body;
	size_t len;

	assert_int_equal(client_response(c, &body, &len), 200);
	assert_int_equal(pack_parse(p, body, len, &pack_limits_admin, index,
				 sizeof(index) / sizeof(index[0])),
		0);
}

void client_text(struct client *c, const char *text)
{
	tls_peer_write(&c->tls, text, strlen(text));
}

void client_hello(struct client *c)
{
	struct bytebuf b;
	struct hello hello;
	struct pack p;

	bytebuf_init(&b, 4096);
	http_build_signature(&b, "127.0.0.1");
	tls_peer_write(&c->tls, b.data, b.len);
	bytebuf_free(&b);
	client_pack(c, &p);
	assert_int_equal(hello_unpack(&hello, &p), WIRE_ERROR_OK);
	memcpy(c->random, hello.random, sizeof(c->random));
}

void client_request_write(const struct login_request *r, struct bytebuf *http)
{
	struct bytebuf body;
	struct pack_writer w;

	bytebuf_init(&body, 65536);
	bytebuf_init(http, 70000);
	pack_writer_init(&w, &body);
	login_request_pack(r, &w);
	assert_int_equal(pack_writer_finish(&w), 0);
	http_build_pack_request(http, "127.0.0.1", body.data, body.len, 0);
	bytebuf_free(&body);
}

void client_request(struct client *c, const struct login_request *r)
{
	struct bytebuf http;

	client_request_write(r, &http);
	tls_peer_write(&c->tls, http.data, http.len);
	bytebuf_free(&http);
}

void client_login_request(struct client *c, struct login_request *r, const char *hub,
	const char *user, const char *password)
{
	uint8_t hash[SHA0_BYTES];

	*r = (struct login_request){
		.method = LOGIN_METHOD_LOGIN,
		.client = {.name = "Test VPN Client", .version = 501, .build = 9674},
		.authtype = LOGIN_AUTH_PASSWORD,
		.has_secure_password = true,
		.max_connection = 8,
		.use_encrypt = true,
	};
	snprintf(r->hubname, sizeof(r->hubname), "%s", hub);
	snprintf(r->username, sizeof(r->username), "%s", user);
	sha0_password_hash(password, user, hash);
	sha0_secure_password(hash, c->random, r->secure_password);
}

uint32_t client_login(struct client *c, const struct front *f, const char *user,
	const char *password, struct welcome *w)
{
	struct login_request r;
	struct pack p;
	uint32_t error = 0;

	client_connect(c, f);
	client_hello(c);
	client_login_request(c, &r, "DEFAULT", user, password);
	client_request(c, &r);
	client_pack(c, &p);
	return login_reply_unpack(&p, w, NULL, &error) == LOGIN_REPLY_WELCOME ? 0 : error;
}

uint32_t client_error(struct client *c)
{
	struct pack p;

	client_pack(c, &p);
	assert_int_equal(pack_count(&p, "error", PACK_INT), 1);
	return reply_error(&p);
}

/* ---- the directory never changes here: who would change his password is refused before ------------ */

int directory_change_user(struct directory_hub *, struct directory_user *, struct directory_user *,
	struct directory_change **)
{
	return -EBUSY;
}

bool directory_change_done(const struct directory_change *, int *)
{
	return false;
}

void directory_change_forget(struct directory_change *)
{
}

void client_login_begin(struct client *c, const struct front *f, struct login_request *r,
	const char *hub, const char *user, const char *password)
{
	client_connect(c, f);
	client_hello(c);
	client_login_request(c, r, hub, user, password);
}

void client_login_refused(struct client *c, const struct login_request *r, uint32_t error)
{
	uint64_t failed = listener_counters.login_failed;

	client_request(c, r);
	assert_int_equal(client_error(c), error);
	assert_int_equal(listener_counters.login_failed, failed + 1);
	/* The server waits for one more PACK, or for the end. */
	assert_false(client_dismissed(c));
	client_request(c, r);
	front_wait(client_dismissed(c));
	client_close(c);
	front_wait(access_quiet());
	assert_int_equal(fake_sessions, 0);
	assert_int_equal(registry_session_cnt(), 0);
}
