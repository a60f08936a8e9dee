/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DRIVERS_SESSION_UDP_TABLE_H
#define PATCHBAY_DRIVERS_SESSION_UDP_TABLE_H

/*
 * Whose datagram is it? A worker's sessions by the addresses their datagrams come from (architecture.md 6.9).
 * Datagrams name no session; what tells is their source, and in the end only the key that opens them.
 *
 *   by address   the session that last proved, with its key, to speak from there: one look
 *   by host      sessions that may be expected from that host, whatever the port: behind a NAT that moved
 *   all          anybody: a peer that has a new address altogether
 *
 * Trying keys costs a decryption each, and anybody can send datagrams. So tries are counted: so many for one
 * datagram, and so many in a second, for expected hosts and for strangers apart, so that strangers cannot use
 * up what a session behind a NAT needs. The walk over all goes on where the last one ended; of one host those come
 * first that are new there, then those that were tried longest ago, since hundreds may share a NAT's address.
 *
 * One thread per table. No sockets, no memory of its own: members stand in their sessions.
 */

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <sys/socket.h>

#define UDP_TABLE_BUCKETS      1024u
#define UDP_MEMBER_HOSTS       3u /* address offered, that of its TCP connection, the present one */
#define UDP_TRIES_PER_DATAGRAM 128u
#define UDP_TRIES_HOST_PER_S   2048u /* about 2 ms of decryption, */
#define UDP_TRIES_ALL_PER_S    1024u /* and 1 ms, in a second */

struct udp_address {
	uint16_t family; /* AF_INET, AF_INET6; 0: none */
	uint16_t port_be;
	uint32_t scope; /* of link-local IPv6 addresses */
	uint8_t ip[16]; /* IPv4: the first four bytes, the others 0 */
};

struct udp_member;
LIST_HEAD(udp_members, udp_member);
TAILQ_HEAD(udp_hosts, udp_host);

struct udp_host {
	TAILQ_ENTRY(udp_host) entry;
	struct udp_address ip; /* port 0 */
	struct udp_member *member;
	bool listed;
};

struct udp_member {
	struct udp_address peer; /* where it proved to be; family 0: nowhere yet */
	LIST_ENTRY(udp_member) by_address;
	struct udp_host hosts[UDP_MEMBER_HOSTS];
	TAILQ_ENTRY(udp_member) entry;
	uint64_t tried; /* serial of the last search that tried it */
};

struct udp_budget {
	uint32_t left;
	uint64_t since_ms;
};

struct udp_table {
	uint32_t secret; /* of the hashes */
	unsigned cnt;
	uint64_t serial; /* of searches */
	struct udp_budget host_budget, all_budget;
	TAILQ_HEAD(, udp_member) all;
	struct udp_member *cursor; /* where the next walk over all begins; NULL: first */
	struct udp_members by_address[UDP_TABLE_BUCKETS];
	struct udp_hosts by_host[UDP_TABLE_BUCKETS];
};

/* From and to what sockets speak. False: neither IPv4 nor IPv6. */
bool udp_address_from(struct udp_address *a, const struct sockaddr_storage *ss);
/* Returns the length of *ss. */
socklen_t udp_address_to(const struct udp_address *a, struct sockaddr_storage *ss);

static inline bool udp_address_equal(const struct udp_address *a, const struct udp_address *b)
{
	return __builtin_memcmp(a, b, sizeof(*a)) == 0;
}

void udp_table_init(struct udp_table *t, uint32_t secret, uint64_t now_ms);
void udp_table_add(struct udp_table *t, struct udp_member *m);
/* Out of everything; idempotent for the entries. */
void udp_table_remove(struct udp_table *t, struct udp_member *m);
/* Expects it from a host from now on, in one of its places; family 0 clears the place. */
void udp_table_expect(
	struct udp_table *t, struct udp_member *m, unsigned place, const struct udp_address *a);
/* It has proved to be there. Who was there before is there no longer. */
void udp_table_prove(struct udp_table *t, struct udp_member *m, const struct udp_address *a);

struct udp_member *udp_table_find(const struct udp_table *t, const struct udp_address *a);

/* A search among those that are not known to be at `a`: first by host, then all. */
struct udp_search {
	struct udp_table *table;
	struct udp_address ip;
	unsigned bucket;
	struct udp_host *host;	       /* next by host */
	struct udp_member *begin, *at; /* of the walk over all */
	unsigned left;		       /* tries of this datagram */
	bool walking;
	bool out_of_budget;
};

void udp_search_begin(
	struct udp_search *s, struct udp_table *t, const struct udp_address *a, uint64_t now_ms);
/*
 * The next one to try; each is offered once. NULL: none left, or (out_of_budget) more than may be tried now.
 */
struct udp_member *udp_search_next(struct udp_search *s);

#endif
