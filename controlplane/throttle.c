/* SPDX-License-Identifier: BSD-3-Clause */
/* See throttle.h. Entries in hash chains, and in one list by the time of their last use. */

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "controlplane/keyed_hash.h"
#include "controlplane/throttle.h"

#define BUCKETS	      (THROTTLE_ENTRIES / 2)
#define ACCOUNT_BYTES 520u

struct entry {
	uint64_t key; /* keyed hash of source, or of source and account */
	bool used;
	bool good; /* the last attempt succeeded */
	uint32_t failures;
	uint64_t at_ms;	  /* last attempt */
	uint64_t free_ms; /* no attempt is judged before */
	LIST_ENTRY(entry) chain;
	TAILQ_ENTRY(entry) age;
};
LIST_HEAD(chain, entry);

struct throttle {
	struct keyed_hash hash;
	struct chain buckets[BUCKETS];
	TAILQ_HEAD(, entry) by_age; /* longest ago first; unused ones before */
	struct entry entries[THROTTLE_ENTRIES];
};

struct throttle *throttle_create(void)
{
	struct throttle *t = calloc(1, sizeof(*t));

	if (t == NULL || keyed_hash_init(&t->hash) != 0) {
		free(t);
		errno = ENOMEM;
		return NULL;
	}
	TAILQ_INIT(&t->by_age);
	for (unsigned i = 0; i < THROTTLE_ENTRIES; i++)
		TAILQ_INSERT_TAIL(&t->by_age, &t->entries[i], age);
	return t;
}

void throttle_destroy(struct throttle *t)
{
	free(t);
}

/* The peer's address as a source, then the account in capitals. 0 bytes of account: the source alone. */
static uint64_t key_of(const struct throttle *t, const struct sockaddr *peer, const char *account)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
	uint8_t bytes[17 + ACCOUNT_BYTES] = {0};
	size_t len = 17;

	if (peer->sa_family == AF_INET) {
		bytes[10] = bytes[11] = 0xff;
		memcpy(bytes + 12, &v4->sin_addr, 4);
	} else if (peer->sa_family == AF_INET6) {
		memcpy(bytes, &v6->sin6_addr, IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? 16 : 8);
	}
	bytes[16] = account != NULL;
	for (; account != NULL && *account != '\0' && len < sizeof(bytes); account++)
		bytes[len++] = (uint8_t)(*account >= 'a' && *account <= 'z' ? *account - 'a' + 'A'
									    : *account);
	return keyed_hash(&t->hash, bytes, len);
}

static struct entry *find(struct throttle *t, uint64_t key)
{
	struct entry *e;

	LIST_FOREACH (e, &t->buckets[key % BUCKETS], chain)
		if (e->key == key)
			return e;
	return NULL;
}

/* The entry of a key, made if need be; what it knew is too old if that was long ago. */
static struct entry *use(struct throttle *t, uint64_t key, uint64_t now_ms)
{
	struct entry *e = find(t, key);

	if (e == NULL) {
		e = TAILQ_FIRST(&t->by_age);
		if (e->used)
			LIST_REMOVE(e, chain);
		memset(e, 0, offsetof(struct entry, chain));
		e->used = true;
		e->key = key;
		LIST_INSERT_HEAD(&t->buckets[key % BUCKETS], e, chain);
	} else if (now_ms - e->at_ms >= THROTTLE_FORGET_MS) {
		e->failures = 0;
	}
	e->at_ms = now_ms;
	TAILQ_REMOVE(&t->by_age, e, age);
	TAILQ_INSERT_TAIL(&t->by_age, e, age);
	return e;
}

static uint32_t left(const struct entry *e, uint64_t now_ms)
{
	return e != NULL && e->free_ms > now_ms ? (uint32_t)(e->free_ms - now_ms) : 0;
}

uint32_t throttle_wait_ms(
	struct throttle *t, const struct sockaddr *peer, const char *account, uint64_t now_ms)
{
	const struct entry *of_account = find(t, key_of(t, peer, account));
	uint32_t account_ms = left(of_account, now_ms);
	uint32_t source_ms = left(find(t, key_of(t, peer, NULL)), now_ms);

	if (of_account != NULL && of_account->good)
		return account_ms;
	return source_ms > account_ms ? source_ms : account_ms;
}

static uint32_t count(struct throttle *t, uint64_t key, uint32_t gratis, uint64_t now_ms)
{
	struct entry *e = use(t, key, now_ms);
	uint64_t wait_ms = 0;

	e->good = false;
	e->failures++;
	if (e->failures >= gratis) {
		uint32_t doublings = e->failures - gratis;

		wait_ms =
			doublings < 16 ? (uint64_t)THROTTLE_STEP_MS << doublings : THROTTLE_MAX_MS;
		if (wait_ms > THROTTLE_MAX_MS)
			wait_ms = THROTTLE_MAX_MS;
	}
	e->free_ms = now_ms + wait_ms;
	return e->failures;
}

uint32_t throttle_failed(
	struct throttle *t, const struct sockaddr *peer, const char *account, uint64_t now_ms)
{
	(void)count(t, key_of(t, peer, NULL), THROTTLE_SOURCE_FREE, now_ms);
	return count(t, key_of(t, peer, account), THROTTLE_FREE, now_ms);
}

void throttle_succeeded(
	struct throttle *t, const struct sockaddr *peer, const char *account, uint64_t now_ms)
{
	struct entry *e = use(t, key_of(t, peer, account), now_ms);

	e->good = true;
	e->failures = 0;
	e->free_ms = now_ms;
}
