/* SPDX-License-Identifier: BSD-3-Clause */
/* See udp_table.h. */

#include <string.h>

#include <rte_jhash.h>

#include "drivers/session/udp_table.h"

bool udp_address_from(struct udp_address *a, const struct sockaddr_storage *ss)
{
	memset(a, 0, sizeof(*a));
	if (ss->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)ss;

		a->port_be = in->sin_port;
		memcpy(a->ip, &in->sin_addr, 4);
	} else if (ss->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)ss;

		a->port_be = in6->sin6_port;
		memcpy(a->ip, &in6->sin6_addr, 16);
		if (IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr))
			a->scope = in6->sin6_scope_id;
	} else {
		return false;
	}
	a->family = ss->ss_family;
	return true;
}

socklen_t udp_address_to(const struct udp_address *a, struct sockaddr_storage *ss)
{
	memset(ss, 0, sizeof(struct sockaddr_in6));
	ss->ss_family = a->family;
	if (a->family == AF_INET) {
		struct sockaddr_in *in = (struct sockaddr_in *)ss;

		in->sin_port = a->port_be;
		memcpy(&in->sin_addr, a->ip, 4);
		return sizeof(*in);
	}
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	in6->sin6_port = a->port_be;
	in6->sin6_scope_id = a->scope;
	memcpy(&in6->sin6_addr, a->ip, 16);
	return sizeof(*in6);
}

static unsigned bucket(const struct udp_table *t, const struct udp_address *a)
{
	return rte_jhash(a, sizeof(*a), t->secret) % UDP_TABLE_BUCKETS;
}

static struct udp_address host_of(const struct udp_address *a)
{
	struct udp_address ip = *a;

	ip.port_be = 0;
	return ip;
}

void udp_table_init(struct udp_table *t, uint32_t secret, uint64_t now_ms)
{
	memset(t, 0, sizeof(*t));
	t->secret = secret;
	TAILQ_INIT(&t->all);
	for (unsigned i = 0; i < UDP_TABLE_BUCKETS; i++)
		TAILQ_INIT(&t->by_host[i]);
	t->host_budget = (struct udp_budget){UDP_TRIES_HOST_PER_S, now_ms};
	t->all_budget = (struct udp_budget){UDP_TRIES_ALL_PER_S, now_ms};
}

void udp_table_add(struct udp_table *t, struct udp_member *m)
{
	memset(m, 0, sizeof(*m));
	TAILQ_INSERT_TAIL(&t->all, m, entry);
	t->cnt++;
}

static void unprove(struct udp_member *m)
{
	if (m->peer.family != 0)
		LIST_REMOVE(m, by_address);
	m->peer.family = 0;
}

void udp_table_expect(
	struct udp_table *t, struct udp_member *m, unsigned place, const struct udp_address *a)
{
	struct udp_host *h = &m->hosts[place];
	struct udp_address ip = host_of(a);

	if (h->listed && udp_address_equal(&h->ip, &ip))
		return;
	if (h->listed)
		TAILQ_REMOVE(&t->by_host[bucket(t, &h->ip)], h, entry);
	h->listed = a->family != 0;
	if (!h->listed)
		return;
	h->ip = ip;
	h->member = m;
	TAILQ_INSERT_HEAD(&t->by_host[bucket(t, &ip)], h, entry);
}

void udp_table_remove(struct udp_table *t, struct udp_member *m)
{
	static const struct udp_address nowhere;

	if (t->cursor == m)
		t->cursor = TAILQ_NEXT(m, entry);
	TAILQ_REMOVE(&t->all, m, entry);
	t->cnt--;
	unprove(m);
	for (unsigned i = 0; i < UDP_MEMBER_HOSTS; i++)
		udp_table_expect(t, m, i, &nowhere);
}

struct udp_member *udp_table_find(const struct udp_table *t, const struct udp_address *a)
{
	struct udp_member *m;

	LIST_FOREACH (m, &t->by_address[bucket(t, a)], by_address) {
		if (udp_address_equal(&m->peer, a))
			return m;
	}
	return NULL;
}

void udp_table_prove(struct udp_table *t, struct udp_member *m, const struct udp_address *a)
{
	struct udp_member *before = udp_table_find(t, a);

	if (before == m)
		return;
	if (before != NULL)
		unprove(before);
	unprove(m);
	m->peer = *a;
	LIST_INSERT_HEAD(&t->by_address[bucket(t, a)], m, by_address);
	udp_table_expect(t, m, UDP_MEMBER_HOSTS - 1, a);
}

static void budget_renew(struct udp_budget *b, uint32_t per_s, uint64_t now_ms)
{
	if (now_ms - b->since_ms >= 1000)
		*b = (struct udp_budget){per_s, now_ms};
}

void udp_search_begin(
	struct udp_search *s, struct udp_table *t, const struct udp_address *a, uint64_t now_ms)
{
	budget_renew(&t->host_budget, UDP_TRIES_HOST_PER_S, now_ms);
	budget_renew(&t->all_budget, UDP_TRIES_ALL_PER_S, now_ms);
	t->serial++;
	*s = (struct udp_search){.table = t, .ip = host_of(a), .left = UDP_TRIES_PER_DATAGRAM};
	s->bucket = bucket(t, &s->ip);
	s->host = TAILQ_FIRST(&t->by_host[s->bucket]);
}

/* One more try out of the budget; false if there is none. */
static bool spend(struct udp_search *s, struct udp_budget *b)
{
	if (s->left == 0 || b->left == 0) {
		s->out_of_budget = true;
		return false;
	}
	s->left--;
	b->left--;
	return true;
}

static struct udp_member *next_by_host(struct udp_search *s)
{
	while (s->host != NULL) {
		struct udp_host *h = s->host;
		struct udp_member *m = h->member;

		if (!udp_address_equal(&h->ip, &s->ip) || m->tried == s->table->serial) {
			s->host = TAILQ_NEXT(h, entry);
			continue;
		}
		if (!spend(s, &s->table->host_budget))
			return NULL;
		s->host = TAILQ_NEXT(h, entry);
		m->tried = s->table->serial;
		/* Behind all others: the next datagram from here begins with those that this one was not worth. */
		TAILQ_REMOVE(&s->table->by_host[s->bucket], h, entry);
		TAILQ_INSERT_TAIL(&s->table->by_host[s->bucket], h, entry);
		return m;
	}
	return NULL;
}

static struct udp_member *after(struct udp_table *t, struct udp_member *m)
{
	struct udp_member *next = m != NULL ? TAILQ_NEXT(m, entry) : NULL;

	return next != NULL ? next : TAILQ_FIRST(&t->all);
}

struct udp_member *udp_search_next(struct udp_search *s)
{
	struct udp_table *t = s->table;
	struct udp_member *m;

	if (s->out_of_budget)
		return NULL;
	if (!s->walking) {
		m = next_by_host(s);
		if (m != NULL || s->out_of_budget)
			return m;
		s->walking = true;
		s->begin = s->at = t->cursor != NULL ? t->cursor : TAILQ_FIRST(&t->all);
	}
	while (s->at != NULL) {
		m = s->at;
		if (m->tried != t->serial && !spend(s, &t->all_budget))
			break;
		s->at = after(t, m);
		t->cursor = s->at;
		if (s->at == s->begin)
			s->at = NULL;
		if (m->tried != t->serial) {
			m->tried = t->serial;
			return m;
		}
	}
	return NULL;
}
