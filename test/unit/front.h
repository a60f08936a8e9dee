/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_UNIT_FRONT_H
#define PATCHBAY_TEST_UNIT_FRONT_H

/*
 * The whole way in (controlplane/access.h) on a loopback port, with the real directory in memory and a fake
 * in place of drivers/session, and OpenSSL clients that talk to it. One thread: waiting means running the
 * loop until a condition holds, or failing after FRONT_PATIENCE_MS.
 */

#include <stdbool.h>
#include <stdint.h>

#include "controlplane/admin/who.h"
#include "controlplane/config.h"
#include "controlplane/directory.h"
#include "drivers/session/session.h"
#include "drivers/session/wire/hello.h"
#include "drivers/session/wire/login.h"
#include "drivers/session/wire/pack.h"
#include "drivers/session/wire/welcome.h"
#include "test/unit/tls_peer.h"

#define FRONT_PATIENCE_MS 10000

/* ---- server ---- */

struct front {
	struct config config; /* defaults of front_defaults(); change before front_start() */
	uint16_t port;
	struct directory_hub
		*hub; /* "DEFAULT", online; users alice (password "secret"), guest (anonymous) */
};

void front_defaults(struct front *f);
void front_start(struct front *f);
/* Ends everything, forgets the directory, sets counters to zero. */
void front_stop(struct front *f);
/* One turn of the loop. */
void front_turn(void);
/* The server of a test that needs but one, as front_defaults() has it: fixtures. */
extern struct front front;
int front_setup(void **);
int front_teardown(void **);
/* Runs the loop until the condition holds. */
#define front_wait(cond)                                                \
	do {                                                            \
		for (int left_ = FRONT_PATIENCE_MS; !(cond); left_--) { \
			assert_true(left_ > 0);                         \
			front_turn();                                   \
		}                                                       \
	} while (0)

/* ---- the fake of drivers/session ---- */

#define FAKE_CONNECTIONS_MAX 33u

struct session {
	struct session_conf conf;
	struct stream *streams[FAKE_CONNECTIONS_MAX];
	uint64_t ids[FAKE_CONNECTIONS_MAX];
	unsigned cnt;
	enum session_direction directions[FAKE_CONNECTIONS_MAX];
	unsigned places; /* reserved for more */
	bool opened;
	bool end_asked;
};
extern struct session *fake_last; /* the one created last, NULL once it is gone */
extern unsigned fake_sessions;	  /* alive */
extern int fake_create_error;	  /* what session_create() answers, 0 = succeeds */
extern int fake_add_error;	  /* session_reserve() likewise */
/* Gives all connections back and ends it, as a worker's answers would. */
void fake_session_finish(struct session *s, enum session_end why);

/* ---- the fake of admin/remote.h ---- */

extern unsigned fake_remotes; /* administrators handed over */
extern struct admin_who fake_remote_who;
extern bool fake_remote_full;

/* ---- client ---- */

struct client {
	struct tls_peer tls;
	uint8_t in[70000]; /* plaintext received and not yet taken */
	size_t in_len;
	uint8_t random[HELLO_RANDOM_BYTES];
};
extern struct client alice, bob; /* large: not on the stack */

/* TCP only. */
int client_socket(const struct front *f);
void client_open(struct client *c, const struct front *f, int version);
/* ... with handshake. */
void client_connect(struct client *c, const struct front *f);
void client_close(struct client *c);
/* True once the server's close_notify and then its FIN have been seen, without a reset before. */
bool client_dismissed(struct client *c);

/*
 * Waits for one HTTP response: status, and its body in *body (valid until the next call). -1 if the server
 * ended the connection instead.
 */
int client_response(struct client *c, const uint8_t **body, size_t *len);
/* Parses the body of a 200 response as PACK. */
void client_pack(struct client *c, struct pack *p);
void client_text(struct client *c, const char *text);
/* The signature; takes the hello. */
void client_hello(struct client *c);
/* A PACK request with its head. bytebuf_free() is the caller's. */
void client_request_write(const struct login_request *r, struct bytebuf *http);
/* Sends it in one record. */
void client_request(struct client *c, const struct login_request *r);
/* A login with the password that belongs to this connection's random. */
void client_login_request(struct client *c, struct login_request *r, const char *hub,
	const char *user, const char *password);
/* client_connect() to welcome; returns the error code. */
uint32_t client_login(struct client *c, const struct front *f, const char *user,
	const char *password, struct welcome *w);
/* Waits for an error PACK. */
uint32_t client_error(struct client *c);
/* Connection, signature, and a request that can be changed before it is sent. */
void client_login_begin(struct client *c, const struct front *f, struct login_request *r,
	const char *hub, const char *user, const char *password);
/* Sends the request: it is refused with this code, the connection ended, and nothing is left of it. */
void client_login_refused(struct client *c, const struct login_request *r, uint32_t error);

#endif
