/* SPDX-License-Identifier: BSD-3-Clause */
/* See login_udp.h. */

#include <netinet/in.h>
#include <string.h>

#include <openssl/rand.h>

#include "controlplane/config.h"
#include "controlplane/login_udp.h"
#include "controlplane/registry.h"

#define VERSION_OLD 1u
#define VERSION_NEW 2u

/* The newest version that both know and that the client brought a key for; 0: none. */
static uint32_t version_choose(const struct login_udp_offer *offer, const struct config *config)
{
	uint32_t version = offer->max_version < config->udp_max_version ? offer->max_version
									: config->udp_max_version;

	if (version >= VERSION_NEW && !offer->has_key_v2)
		version = VERSION_OLD;
	if (version > VERSION_NEW)
		version = VERSION_NEW;
	if (version < config->udp_min_version || version < VERSION_OLD)
		return 0;
	return version == VERSION_OLD && !offer->has_key ? 0 : version;
}

/* An address of the wire with a port, as sockets have it. */
static void address_take(
	struct sockaddr_storage *ss, const struct pack_ip *ip, uint16_t port, unsigned family)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ss;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ss;

	memset(ss, 0, sizeof(*ss));
	ss->ss_family = (sa_family_t)family;
	in->sin_port = htons(port); /* where sin6_port stands, too */
	/* One of the other family says nothing: then it is where the TCP connection comes from. */
	if (ip->is_ipv6 != (family == AF_INET6))
		return;
	if (ip->is_ipv6)
		memcpy(&in6->sin6_addr, ip->addr, sizeof(in6->sin6_addr));
	else
		memcpy(&in->sin_addr, ip->addr, sizeof(in->sin_addr));
}

/* Our address as the client sees it; unspecified where that is of no use to it (7.2). */
static void address_tell(struct pack_ip *ip, const struct sockaddr_storage *local)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)local;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)local;

	*ip = (struct pack_ip){.is_ipv6 = local->ss_family == AF_INET6};
	if (ip->is_ipv6 && !IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr))
		memcpy(ip->addr, &in6->sin6_addr, sizeof(in6->sin6_addr));
	else if (!ip->is_ipv6 && ntohl(in->sin_addr.s_addr) >> 24 != IN_LOOPBACKNET)
		memcpy(ip->addr, &in->sin_addr, sizeof(in->sin_addr));
}

/* Keys for what we send, and two cookies that are neither 0 nor each other. */
static bool secrets_make(struct welcome_udp *u)
{
	do {
		if (RAND_bytes((unsigned char *)&u->server_cookie, sizeof(u->server_cookie)) != 1 ||
			RAND_bytes((unsigned char *)&u->client_cookie, sizeof(u->client_cookie)) !=
				1)
			return false;
	} while (u->server_cookie == 0 || u->client_cookie == 0 ||
		u->server_cookie == u->client_cookie);
	return RAND_bytes(u->server_key, sizeof(u->server_key)) == 1 &&
		RAND_bytes(u->server_key_v2, sizeof(u->server_key_v2)) == 1;
}

bool login_udp_grant(struct welcome *w, const struct login_request *r, const struct connection *c,
	const struct config *config, unsigned worker, struct session_udp_conf *conf)
{
	const struct login_udp_offer *offer = &r->udp;
	struct welcome_udp *u = &w->udp;
	unsigned family = c->local.ss_family;

	*u = (struct welcome_udp){0};
	if (!config->udp_enabled || !offer->use || offer->client_port == 0 ||
		offer->client_port > UINT16_MAX)
		return false;
	u->version = version_choose(offer, config);
	u->server_port = session_udp_port(worker, family);
	if (u->version == 0 || u->server_port == 0 || !secrets_make(u)) {
		*u = (struct welcome_udp){0};
		return false;
	}
	u->use = true;
	u->use_encryption = w->use_encrypt;
	u->hmac = offer->hmac;
	u->fast_detect = offer->fast_detect;
	address_tell(&u->server_ip, &c->local);

	*conf = (struct session_udp_conf){
		.version = (uint8_t)u->version,
		.encrypted = u->use_encryption,
		.fast = u->fast_detect,
		.send_cookie = u->client_cookie,
		.receive_cookie = u->server_cookie,
		.local = c->local,
		.tcp_peer = c->peer,
	};
	address_take(&conf->offered, &offer->client_ip, (uint16_t)offer->client_port, family);
	if (u->version == VERSION_OLD) {
		memcpy(conf->send_key, u->server_key, sizeof(u->server_key));
		memcpy(conf->receive_key, offer->client_key, sizeof(offer->client_key));
	} else {
		memcpy(conf->send_key, u->server_key_v2, sizeof(conf->send_key));
		memcpy(conf->receive_key, offer->client_key_v2, sizeof(conf->receive_key));
	}
	return true;
}
