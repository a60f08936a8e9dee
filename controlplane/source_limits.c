/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * One array of entries, as many as connections may exist, on a free list; buckets chain them. Nothing is
 * allocated after start, so a flood of sources costs a refused connection each and no memory.
 */

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "controlplane/keyed_hash.h"
#include "controlplane/source_limits.h"

/* IPv4: ::ffff:a.b.c.d; IPv6: the /64, rest zero. Both fit one key, and never meet. */
#define SOURCE_KEY_BYTES 16

struct limits_source {
	uint8_t key[SOURCE_KEY_BYTES];
	unsigned connections;
	unsigned handshakes;
	LIST_ENTRY(limits_source) entry; /* bucket or free list */
};
LIST_HEAD(sources, limits_source);

struct limits {
	struct limits_conf conf;
	struct keyed_hash hash;
	unsigned connections;
	unsigned handshakes;
	unsigned source_cnt;
	uint32_t bucket_mask;
	struct sources *buckets;
	struct limits_source *entries;
	struct sources unused;
};

struct limits *limits_create(const struct limits_conf *conf)
{
	struct limits *l = calloc(1, sizeof(*l));
	uint32_t buckets = 16;

	if (l == NULL)
		return NULL;
	l->conf = *conf;
	while (buckets < conf->connections)
		buckets *= 2;
	l->bucket_mask = buckets - 1;
	l->buckets = calloc(buckets, sizeof(*l->buckets));
	l->entries = calloc(conf->connections + 1, sizeof(*l->entries));
	if (l->buckets == NULL || l->entries == NULL || keyed_hash_init(&l->hash) != 0) {
		limits_destroy(l);
		errno = ENOMEM;
		return NULL;
	}
	LIST_INIT(&l->unused);
	for (unsigned i = 0; i < conf->connections; i++)
		LIST_INSERT_HEAD(&l->unused, &l->entries[i], entry);
	return l;
}

void limits_destroy(struct limits *l)
{
	if (l == NULL)
		return;
	free(l->buckets);
	free(l->entries);
	free(l);
}

static void source_key(const struct sockaddr *peer, uint8_t key[SOURCE_KEY_BYTES])
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;

	memset(key, 0, SOURCE_KEY_BYTES);
	if (peer->sa_family == AF_INET) {
		key[10] = key[11] = 0xff;
		memcpy(key + 12, &v4->sin_addr, 4);
	} else if (peer->sa_family == AF_INET6) {
		memcpy(key, &v6->sin6_addr, IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr) ? 16 : 8);
	}
}

enum limits_verdict limits_connection_begin(
	struct limits *l, const struct sockaddr *peer, struct limits_source **source)
{
	uint8_t key[SOURCE_KEY_BYTES];
	struct limits_source *s;
	struct sources *bucket;

	*source = NULL;
	if (l->connections >= l->conf.connections)
		return LIMITS_TOTAL;
	source_key(peer, key);
	bucket = &l->buckets[keyed_hash(&l->hash, key, sizeof(key)) & l->bucket_mask];
	LIST_FOREACH (s, bucket, entry) {
		if (memcmp(s->key, key, sizeof(key)) == 0)
			break;
	}
	if (s == NULL) {
		if (l->conf.connections_per_source == 0)
			return LIMITS_SOURCE;
		s = LIST_FIRST(&l->unused); /* there is one: fewer sources than connections */
		LIST_REMOVE(s, entry);
		memcpy(s->key, key, sizeof(key));
		s->connections = s->handshakes = 0;
		LIST_INSERT_HEAD(bucket, s, entry);
		l->source_cnt++;
	} else if (s->connections >= l->conf.connections_per_source) {
		return LIMITS_SOURCE;
	}
	s->connections++;
	l->connections++;
	*source = s;
	return LIMITS_OK;
}

void limits_connection_end(struct limits *l, struct limits_source *source)
{
	l->connections--;
	if (--source->connections > 0)
		return;
	LIST_REMOVE(source, entry);
	LIST_INSERT_HEAD(&l->unused, source, entry);
	l->source_cnt--;
}

enum limits_verdict limits_handshake_begin(struct limits *l, struct limits_source *source)
{
	if (l->handshakes >= l->conf.handshakes)
		return LIMITS_TOTAL;
	if (source->handshakes >= l->conf.handshakes_per_source)
		return LIMITS_SOURCE;
	l->handshakes++;
	source->handshakes++;
	return LIMITS_OK;
}

void limits_handshake_end(struct limits *l, struct limits_source *source)
{
	l->handshakes--;
	source->handshakes--;
}

unsigned limits_connections(const struct limits *l)
{
	return l->connections;
}

unsigned limits_handshakes(const struct limits *l)
{
	return l->handshakes;
}

unsigned limits_sources(const struct limits *l)
{
	return l->source_cnt;
}
