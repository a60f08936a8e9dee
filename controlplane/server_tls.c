/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The context in force, the one before it, and how the one becomes the other (server_tls.h). What waits for the disk
 * or makes a key runs on a slow helper with objects of its own; contexts change hands on the control thread alone.
 */

#include "controlplane/server_tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "controlplane/config.h"
#include "controlplane/directory.h"
#include "controlplane/errand.h"
#include "controlplane/log.h"
#include "controlplane/registry.h"
#include "controlplane/slow.h"
#include "controlplane/tls_context.h"

#define WHY_BYTES     320u
#define ADDRESS_BYTES 16u

struct server_tls_change {
	struct slow_job job; /* first */
	struct certificate_pair pair;
	char common_name[4 * CERTIFICATE_NAME_MAX + 1];
	bool make;   /* one for common_name */
	bool reread; /* from the files; nothing is written */
	struct errand errand;
	int error;
	char why[WHY_BYTES];
	char ciphers[TLS_CIPHERS_BYTES], ciphersuites[TLS_CIPHERS_BYTES]; /* to try it with */
};

static struct {
	const struct config *config;
	struct certificate_pair pair; /* in force */
	SSL_CTX *now;
	SSL_CTX *before; /* NULL: there was no other certificate */
	struct certificate_pair before_pair;
	uint32_t epoch; /* of `now`; `before` has the one before. Counts certificates, from 1 */
	uint8_t *before_peers; /* addresses of the sessions that came in with it, sorted */
	size_t before_peer_cnt;
	bool changing;
} tls;

/* ---- ciphers ----------------------------------------------------------------------------------- */

static bool ciphers_of(const char *list, char ciphers[TLS_CIPHERS_BYTES],
	char ciphersuites[TLS_CIPHERS_BYTES], char *error, unsigned error_size)
{
	int a = snprintf(ciphers, TLS_CIPHERS_BYTES, "%s", tls.config->tls_ciphers);
	int b = snprintf(ciphersuites, TLS_CIPHERS_BYTES, "%s", tls.config->tls_ciphersuites);

	if (a < (int)TLS_CIPHERS_BYTES && b < (int)TLS_CIPHERS_BYTES &&
		tls_context_ciphers_split(list, ciphers, ciphersuites))
		return true;
	snprintf(error, error_size, "a list of ciphers is too long");
	return false;
}

bool server_tls_ciphers_ok(const char *list, char *error, unsigned error_size)
{
	char ciphers[TLS_CIPHERS_BYTES], ciphersuites[TLS_CIPHERS_BYTES];

	return ciphers_of(list, ciphers, ciphersuites, error, error_size) &&
		tls_context_ciphers_ok(ciphers, ciphersuites, error, error_size);
}

void server_tls_ciphers(char *out, unsigned size)
{
	tls_context_ciphers_of(tls.now, ":", out, size);
}

/* With the directory's ciphers. NULL: see `error`. */
static SSL_CTX *context_of(const struct certificate_pair *pair, char *error, unsigned error_size)
{
	char ciphers[TLS_CIPHERS_BYTES], ciphersuites[TLS_CIPHERS_BYTES];
	SSL_CTX *ctx = NULL;

	if (ciphers_of(directory_server_ciphers(), ciphers, ciphersuites, error, error_size))
		ctx = tls_context_create(pair, ciphers, ciphersuites, error, error_size);
	return ctx;
}

/* ---- peers that have seen the certificate before ------------------------------------------------- */

static void address_of(const struct sockaddr_storage *peer, uint8_t out[ADDRESS_BYTES])
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;

	memset(out, 0, ADDRESS_BYTES);
	if (peer->ss_family == AF_INET) {
		out[10] = out[11] = 0xff;
		memcpy(out + 12, &v4->sin_addr, 4);
	} else if (peer->ss_family == AF_INET6) {
		memcpy(out, &v6->sin6_addr, ADDRESS_BYTES);
	}
}

static int by_address(const void *a, const void *b)
{
	return memcmp(a, b, ADDRESS_BYTES);
}

/* Without memory for them they are shown the new one, and come back with a new session when they notice. */
static void peers_keep(void)
{
	const struct vpn_session *vs;
	size_t cnt = 0;

	free(tls.before_peers);
	tls.before_peer_cnt = 0;
	tls.before_peers = malloc((registry_session_cnt() + (size_t)1) * ADDRESS_BYTES);
	if (tls.before_peers == NULL)
		return;
	TAILQ_FOREACH (vs, registry_sessions(), entry)
		if (vs->tls_epoch == tls.epoch && cnt < registry_session_cnt())
			address_of(&vs->peer, tls.before_peers + cnt++ * ADDRESS_BYTES);
	tls.before_peer_cnt = cnt;
	qsort(tls.before_peers, cnt, ADDRESS_BYTES, by_address);
}

/* Looked for among all sessions only where there was one of that address. */
static bool wants_before(const struct sockaddr_storage *peer)
{
	uint8_t address[ADDRESS_BYTES], other[ADDRESS_BYTES];
	const struct vpn_session *vs;

	if (tls.before == NULL || tls.before_peer_cnt == 0)
		return false;
	address_of(peer, address);
	if (bsearch(address, tls.before_peers, tls.before_peer_cnt, ADDRESS_BYTES, by_address) ==
		NULL)
		return false;
	TAILQ_FOREACH (vs, registry_sessions(), entry) {
		if (vs->tls_epoch + 1 != tls.epoch || vs->ending ||
			vs->connection_cnt >= vs->max_connections)
			continue;
		address_of(&vs->peer, other);
		if (memcmp(address, other, ADDRESS_BYTES) == 0)
			return true;
	}
	return false;
}

struct ssl_ctx_st *server_tls_context(const struct sockaddr_storage *peer)
{
	return wants_before(peer) ? tls.before : tls.now;
}

/* ---- in force ---------------------------------------------------------------------------------- */

uint32_t server_tls_epoch(const struct ssl_st *ssl)
{
	const SSL_CTX *ctx = SSL_get_SSL_CTX(ssl);

	return ctx == tls.now ? tls.epoch : ctx == tls.before ? tls.epoch - 1 : 0;
}

/* Another certificate, which is taken over. */
static void put_in_force(SSL_CTX *ctx, struct certificate_pair *pair)
{
	SSL_CTX_free(tls.before);
	tls.before = tls.now;
	certificate_pair_free(&tls.before_pair);
	tls.before_pair = tls.pair;
	peers_keep();
	tls.epoch++;
	tls.pair = *pair;
	*pair = (struct certificate_pair){0};
	tls.now = ctx;
}

/* Ciphers that are in force no more are not for those who are shown the earlier certificate, either. */
static void before_renew(void)
{
	char error[WHY_BYTES];

	if (tls.before == NULL)
		return;
	SSL_CTX_free(tls.before);
	tls.before = context_of(&tls.before_pair, error, sizeof(error));
	if (tls.before == NULL)
		log_warning(
			"tls", "the earlier certificate is shown to nobody any more: %s", error);
}

void server_tls_renew(void)
{
	char error[WHY_BYTES];
	SSL_CTX *ctx;

	if (tls.now == NULL)
		return;
	ctx = context_of(&tls.pair, error, sizeof(error));
	if (ctx == NULL) {
		log_error("tls", "ciphers: %s; what was in force stays", error);
		return;
	}
	SSL_CTX_free(tls.now);
	tls.now = ctx;
	before_renew();
}

struct x509_st *server_tls_certificate(void)
{
	return tls.pair.cert;
}

struct stack_st_X509 *server_tls_chain(void)
{
	return tls.pair.chain;
}

/* ---- another certificate ------------------------------------------------------------------------- */

static void change_free(struct server_tls_change *c)
{
	certificate_pair_free(&c->pair);
	free(c);
}

static void make(struct server_tls_change *c)
{
	c->pair.key = certificate_key_make();
	c->pair.chain = sk_X509_new_null();
	if (c->pair.key != NULL)
		c->pair.cert = certificate_self_signed(c->pair.key, c->common_name);
	if (c->pair.cert == NULL || c->pair.chain == NULL) {
		c->error = -EINVAL;
		snprintf(c->why, sizeof(c->why),
			"OpenSSL makes no certificate of that name (1 to %u characters)",
			CERTIFICATE_NAME_MAX);
	}
}

/* On a helper: nothing is written that would not do. */
static void change_work(struct slow_job *job)
{
	struct server_tls_change *c = (struct server_tls_change *)job;
	SSL_CTX *trial;

	if (c->make)
		make(c);
	else if (c->reread &&
		!certificate_pair_read(&c->pair, tls.config->state_dir, c->why, sizeof(c->why)))
		c->error = -EINVAL;
	if (c->error != 0)
		return;
	trial = tls_context_create(&c->pair, c->ciphers, c->ciphersuites, c->why, sizeof(c->why));
	if (trial == NULL)
		c->error = -EINVAL;
	else if (!c->reread)
		c->error = certificate_pair_write(tls.config->state_dir, &c->pair);
	SSL_CTX_free(trial);
}

static bool same_certificate(const struct certificate_pair *pair)
{
	bool same = X509_cmp(pair->cert, tls.pair.cert) == 0 &&
		sk_X509_num(pair->chain) == sk_X509_num(tls.pair.chain);

	for (int i = 0; same && i < sk_X509_num(pair->chain); i++)
		same = X509_cmp(sk_X509_value(pair->chain, i), sk_X509_value(tls.pair.chain, i)) ==
			0;
	return same;
}

static void change_done(struct slow_job *job)
{
	struct server_tls_change *c = (struct server_tls_change *)job;
	bool news;
	SSL_CTX *ctx = NULL;

	tls.changing = false;
	/* We end: what is on the disk is the next start's. */
	if (tls.now == NULL) {
		if (errand_over(&c->errand))
			change_free(c);
		return;
	}
	/* It is on the disk; OpenSSL has taken it once already, so that this is but memory. */
	news = c->error == 0 && (!c->reread || !same_certificate(&c->pair));
	if (news)
		ctx = context_of(&c->pair, c->why, sizeof(c->why));
	if (news && ctx == NULL)
		c->error = -ENOMEM;
	if (ctx != NULL) {
		char name[256] = "";

		X509_NAME_oneline(X509_get_subject_name(c->pair.cert), name, sizeof(name));
		put_in_force(ctx, &c->pair);
		log_notice("certificate", "another certificate is in force: %s", name);
	} else if (c->error != 0) {
		log_error("certificate", "not changed: %s",
			c->why[0] != '\0' ? c->why : strerror(-c->error));
	}
	if (errand_over(&c->errand))
		change_free(c);
}

static int change_begin(struct server_tls_change *c)
{
	if (tls.changing) {
		free(c);
		return -EBUSY;
	}
	/* A list that is too long was never in force. */
	(void)ciphers_of(
		directory_server_ciphers(), c->ciphers, c->ciphersuites, c->why, sizeof(c->why));
	c->why[0] = '\0';
	tls.changing = true;
	c->job.work = change_work;
	c->job.done = change_done;
	slow_submit(&c->job);
	return 0;
}

int server_tls_change(
	struct certificate_pair *pair, const char *common_name, struct server_tls_change **out)
{
	struct server_tls_change *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->make = pair == NULL;
	if (common_name != NULL)
		snprintf(c->common_name, sizeof(c->common_name), "%s", common_name);
	if (pair != NULL)
		c->pair = *pair;
	rc = change_begin(c);
	if (rc != 0)
		return rc;
	if (pair != NULL)
		*pair = (struct certificate_pair){0};
	*out = c;
	return 0;
}

void server_tls_reload(void)
{
	struct server_tls_change *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return;
	c->reread = true;
	c->errand.forgotten = true;
	/* Being changed already: then that is what is read. */
	(void)change_begin(c);
}

bool server_tls_change_done(const struct server_tls_change *change, int *error, const char **why)
{
	*error = change->error;
	*why = change->why;
	return change->errand.over;
}

void server_tls_change_forget(struct server_tls_change *change)
{
	if (change == NULL)
		return;
	if (errand_forget(&change->errand))
		change_free(change);
}

/* ---- start and end ------------------------------------------------------------------------------- */

int server_tls_init(const struct config *config)
{
	char error[WHY_BYTES];

	tls.config = config;
	tls.epoch = 1;
	if (!certificate_pair_read(&tls.pair, config->state_dir, error, sizeof(error))) {
		log_error("tls", "%s: %s", config->state_dir, error);
		return -EINVAL;
	}
	tls.now = context_of(&tls.pair, error, sizeof(error));
	if (tls.now == NULL && directory_server_ciphers()[0] != '\0') {
		/* What an administrator chose when another OpenSSL was here is no reason to be away. */
		log_error("tls", "%s: going on with the ciphers of patchbay.cfg", error);
		tls.now = tls_context_create(&tls.pair, config->tls_ciphers,
			config->tls_ciphersuites, error, sizeof(error));
	}
	if (tls.now != NULL)
		return 0;
	log_error("tls", "%s", error);
	server_tls_fini();
	return -EINVAL;
}

void server_tls_fini(void)
{
	SSL_CTX_free(tls.now);
	SSL_CTX_free(tls.before);
	free(tls.before_peers);
	certificate_pair_free(&tls.pair);
	certificate_pair_free(&tls.before_pair);
	tls.now = tls.before = NULL;
	tls.before_peers = NULL;
	tls.before_peer_cnt = 0;
}
