/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a login has to be asked elsewhere: a helper examines a certificate, servers are asked by RADIUS. Meanwhile the
 * negotiation rests. When the answer is there the login is decided from the start, so that neither what the
 * administrator has changed in between nor a throttle that others' failures have closed is passed by.
 */

#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include <event2/event.h>
#include <openssl/rand.h>

#include "controlplane/directory.h"
#include "controlplane/listener.h"
#include "controlplane/login.h"
#include "controlplane/negotiation_priv.h"
#include "controlplane/registry.h"
#include "drivers/session/stream.h"

/* Between two words to a peer that waits: well below the 15 s after which stock clients give up. */
#define WAIT_WORD_MS 5000u
/* Servers that take longer to say no (freeradius: 1 s) are told from nothing; who mistypes should not wait for ever. */
#define FEIGN_MAX_MS 3000u

struct negotiation_proof {
	struct negotiation *n;
	struct handshake_job job;
	struct auth_certificate certificate;
	struct directory_trust *trust; /* a reference, as long as the certificate points there */
	bool certificate_known;
	struct radius_request *radius; /* under way, or NULL */
	struct radius_answer answer;
	bool radius_known;
	char radius_name[RADIUS_TEXT_MAX + 1];
	uint64_t asked_ms;  /* on the monotonic clock */
	struct event *word; /* to a peer that waits */
	struct event *gone; /* it may have left */
	unsigned words;
};

void negotiation_proof_facts(const struct negotiation *n, struct auth_facts *facts)
{
	const struct negotiation_proof *p = n->proof;

	facts->certificate = p != NULL && p->certificate_known ? &p->certificate : NULL;
	facts->radius = p != NULL && p->radius_known ? &p->answer : NULL;
	facts->radius_name = p != NULL ? p->radius_name : NULL;
}

void negotiation_proof_free(struct negotiation *n)
{
	struct negotiation_proof *p = n->proof;

	if (p == NULL)
		return;
	n->proof = NULL;
	radius_cancel(p->radius);
	directory_trust_unref(p->trust);
	if (p->word != NULL)
		event_free(p->word);
	if (p->gone != NULL)
		event_free(p->gone);
	free(p);
}

/* ---- certificates ------------------------------------------------------------------------------ */

static struct negotiation_proof *of_job(struct handshake_job *job)
{
	return (void *)((char *)job - offsetof(struct negotiation_proof, job));
}

/* On a helper. */
static void examine(struct handshake_job *job)
{
	auth_certificate_examine(&of_job(job)->certificate);
}

static void examined(struct handshake_job *job)
{
	struct negotiation_proof *p = of_job(job);
	struct negotiation *n = p->n;

	n->state = NEGOTIATION_TALKING;
	/* Never examined: the helpers have ended, and so do we. */
	if (n->ended || job->result != 0) {
		negotiation_end(n);
		return;
	}
	p->certificate_known = true;
	negotiation_resume(n);
}

static int ask_helper(
	struct negotiation_proof *p, const struct login_request *r, struct directory_hub *hub)
{
	struct negotiation *n = p->n;
	int rc = negotiation_park(n);

	if (rc != 0)
		return rc;
	directory_trust_unref(p->trust);
	p->trust = directory_trust_ref(hub->trust);
	/* The request's bytes stay where they are until the dialogue goes on. */
	p->certificate = (struct auth_certificate){
		.cert = r->cert.data,
		.cert_bytes = r->cert.len,
		.sign = r->sign.data,
		.sign_bytes = r->sign.len,
		.random = n->dialogue->random,
		.trust = p->trust,
		.now_ms = directory_now_ms(),
	};
	p->job.compute = examine;
	p->job.done = examined;
	n->state = NEGOTIATION_COMPUTING;
	handshake_submit(&p->job);
	return 0;
}

/* ---- RADIUS ------------------------------------------------------------------------------------ */

static void say_wait(evutil_socket_t, short, void *arg)
{
	static const struct timeval again = {.tv_sec = WAIT_WORD_MS / 1000};
	struct negotiation_proof *p = arg;
	struct negotiation *n = p->n;
	int rc = 0;

	/* One that takes nothing hears no more; more words than this would be taken for an error. */
	if (n->dialogue->out.len == 0 && p->words++ < LOGIN_NOOP_MAX) {
		rc = dialogue_answer_wait(n->dialogue);
		if (rc == 0)
			rc = negotiation_flush(n);
	}
	if (rc != 0 && rc != -EAGAIN && rc != -ENOMEM) {
		negotiation_lost(n);
		return;
	}
	(void)evtimer_add(p->word, &again);
}

/* Once: a peer that says something waits all the same, and its end is seen when it is told something. */
static void readable(evutil_socket_t fd, short, void *arg)
{
	struct negotiation_proof *p = arg;
	uint8_t byte;

	ssize_t got = recv(fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);

	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		negotiation_lost(p->n);
}

static uint64_t monotonic_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A hub that has gone meanwhile needs none. */
static void reject_remember(const struct negotiation_proof *p)
{
	struct directory_hub *hub = directory_hub_find(p->n->dialogue->request.hubname);
	uint64_t ms = monotonic_ms() - p->asked_ms;

	if (hub != NULL)
		hub->rejects_ms[hub->reject_cnt++ % DIRECTORY_REJECTS] =
			(uint16_t)(ms < FEIGN_MAX_MS ? ms : FEIGN_MAX_MS);
}

bool negotiation_feign(struct negotiation *n, const struct directory_hub *hub)
{
	const struct login_request *r = &n->dialogue->request;
	uint32_t known = hub == NULL ? 0 : hub->reject_cnt;
	uint8_t dice;

	if (known > DIRECTORY_REJECTS)
		known = DIRECTORY_REJECTS;
	if (n->feigned || known == 0 || hub->radius.servers[0] == '\0' ||
		r->authtype != LOGIN_AUTH_PLAIN_PASSWORD ||
		(n->proof != NULL && n->proof->radius_known) || RAND_bytes(&dice, 1) != 1)
		return false;
	n->feigned = true;
	return negotiation_rest(n, hub->rejects_ms[dice % known]) == 0;
}

static void answered(void *ctx, const struct radius_answer *answer)
{
	struct negotiation_proof *p = ctx;

	p->radius = NULL;
	p->answer = *answer;
	p->radius_known = true;
	if (answer->result == RADIUS_REJECTED)
		reject_remember(p);
	(void)evtimer_del(p->word);
	(void)event_del(p->gone);
	negotiation_resume(p->n);
}

static int ask_servers(
	struct negotiation_proof *p, const struct login_request *r, const struct login_verdict *v)
{
	static const struct timeval first = {.tv_sec = WAIT_WORD_MS / 1000};
	struct negotiation *n = p->n;
	char ip[64] = "";
	struct radius_ask ask = {
		.name = p->radius_name,
		.password = r->plain_password,
		.nas_identifier = v->hub->ext_options[HUB_EXT_UseHubNameAsRadiusNasId] != 0
			? v->hub->name
			: NEGOTIATION_PRODUCT,
		.called = v->hub->name,
		.calling = ip,
	};

	(void)getnameinfo((const struct sockaddr *)&n->connection->peer,
		sizeof(n->connection->peer), ip, sizeof(ip), NULL, 0, NI_NUMERICHOST);
	memcpy(p->radius_name, v->radius_name, sizeof(p->radius_name));
	p->radius_known = false;
	if (p->word == NULL)
		p->word = evtimer_new(negotiation_base(), say_wait, p);
	if (p->word == NULL ||
		(product_skips_noops(&r->client) && evtimer_add(p->word, &first) != 0))
		return -ENOMEM;
	if (p->gone == NULL)
		p->gone = event_new(negotiation_base(), stream_fd(n->stream), EV_READ, readable, p);
	if (p->gone == NULL || event_add(p->gone, NULL) != 0)
		return -ENOMEM;
	p->asked_ms = monotonic_ms();
	p->radius = radius_ask(v->hub, &ask, answered, p);
	if (p->radius == NULL) {
		int err = errno;

		(void)evtimer_del(p->word);
		(void)event_del(p->gone);
		return -err;
	}
	negotiation_patience(n, v->hub->radius.timeout_ms);
	return 0;
}

int negotiation_prove(struct negotiation *n, const struct login_verdict *v)
{
	const struct login_request *r = &n->dialogue->request;
	int rc;

	if (n->proof == NULL)
		n->proof = calloc(1, sizeof(*n->proof));
	if (n->proof == NULL)
		return -ENOMEM;
	n->proof->n = n;
	rc = v->need == AUTH_NEEDS_CERTIFICATE ? ask_helper(n->proof, r, v->hub)
					       : ask_servers(n->proof, r, v);
	if (rc != 0)
		return rc;
	n->holding = true;
	/* What the peer says meanwhile waits in its socket, and so does its end. */
	negotiation_watch(n, 0);
	return 0;
}
