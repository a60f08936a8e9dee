/* SPDX-License-Identifier: BSD-3-Clause */
/* See resolver.h. */

#include "controlplane/resolver.h"

#include <errno.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "controlplane/slow.h"

#define NAME_BYTES 256u

struct known {
	char name[NAME_BYTES]; /* "": free */
	int result;	       /* 0, -ENOENT; -EAGAIN: waits to be looked up */
	struct sockaddr_storage address;
	uint64_t until_ms, used_ms;
};

static struct {
	struct known names[RESOLVER_NAMES];
	struct lookup *running; /* NULL: no helper is at it */
} resolver;

struct lookup {
	struct slow_job job; /* first */
	char name[NAME_BYTES];
	int result;
	struct sockaddr_storage address;
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static int ask(const char *name, int flags, struct sockaddr_storage *out)
{
	struct addrinfo hints = {.ai_socktype = SOCK_DGRAM, .ai_flags = flags}, *list = NULL;

	memset(out, 0, sizeof(*out));
	if (getaddrinfo(name, NULL, &hints, &list) != 0 || list == NULL)
		return -ENOENT;
	memcpy(out, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	return 0;
}

static struct known *find(const char *name)
{
	for (unsigned i = 0; i < RESOLVER_NAMES; i++)
		if (strcasecmp(resolver.names[i].name, name) == 0)
			return &resolver.names[i];
	return NULL;
}

/* ---- the helper -------------------------------------------------------------------------------- */

static void lookup_next(void);

static void lookup_work(struct slow_job *job)
{
	struct lookup *l = (struct lookup *)job;

	l->result = ask(l->name, AI_ADDRCONFIG, &l->address);
}

static void lookup_done(struct slow_job *job)
{
	struct lookup *l = (struct lookup *)job;
	struct known *k = find(l->name);

	resolver.running = NULL;
	if (k != NULL) {
		k->result = l->result;
		k->address = l->address;
		k->until_ms = now_ms() + (l->result == 0 ? RESOLVER_KEEP_MS : RESOLVER_FAILED_MS);
	}
	free(l);
	lookup_next();
}

/* The one that waits longest. */
static void lookup_next(void)
{
	struct known *next = NULL;
	struct lookup *l;

	if (resolver.running != NULL)
		return;
	for (unsigned i = 0; i < RESOLVER_NAMES; i++) {
		struct known *k = &resolver.names[i];

		if (k->name[0] != '\0' && k->result == -EAGAIN &&
			(next == NULL || k->until_ms < next->until_ms))
			next = k;
	}
	l = next == NULL ? NULL : calloc(1, sizeof(*l));
	if (l == NULL)
		return; /* whoever asks again tries again */
	l->job.work = lookup_work;
	l->job.done = lookup_done;
	memcpy(l->name, next->name, sizeof(l->name));
	resolver.running = l;
	slow_submit(&l->job);
}

/* ---- asking ------------------------------------------------------------------------------------ */

static struct known *place(const char *name, uint64_t now)
{
	struct known *oldest = &resolver.names[0];

	for (unsigned i = 1; i < RESOLVER_NAMES; i++)
		if (resolver.names[i].used_ms < oldest->used_ms)
			oldest = &resolver.names[i];
	memset(oldest, 0, sizeof(*oldest));
	snprintf(oldest->name, sizeof(oldest->name), "%s", name);
	oldest->result = -EAGAIN;
	oldest->until_ms = now;
	return oldest;
}

int resolver_find(const char *name, struct sockaddr_storage *out)
{
	uint64_t now = now_ms();
	struct known *k;

	if (ask(name, AI_NUMERICHOST, out) == 0)
		return 0;
	if (name[0] == '\0' || strlen(name) >= NAME_BYTES)
		return -ENOENT;
	k = find(name);
	if (k == NULL)
		k = place(name, now);
	k->used_ms = now;
	if (k->result != -EAGAIN && k->until_ms <= now) {
		k->result = -EAGAIN;
		k->until_ms = now;
	}
	if (k->result == -EAGAIN) {
		lookup_next();
		/* Without helpers (slow.h) it has been found by now. */
		if (k->result == -EAGAIN)
			return -EAGAIN;
	}
	*out = k->address;
	return k->result;
}
