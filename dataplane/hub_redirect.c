/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A rule that sends web browsers elsewhere (reference/access-list.md 5): the segment that carries a request is answered
 * in the server's name with one that carries an HTTP redirection. The original goes no further; the server never hears
 * of it, and the segments that open the connection have passed.
 */

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "dataplane/access.h"
#include "dataplane/byte_order.h"
#include "dataplane/hub_access_priv.h"
#include "dataplane/hub_input_priv.h"
#include "dataplane/inet_sum.h"
#include "dataplane/sha1.h"

#define PROTO_TCP  6u
#define TCP_SYN	   0x02u
#define TCP_RST	   0x04u
#define TCP_PSH	   0x08u
#define TCP_ACK	   0x10u
#define TCP_URG	   0x20u
#define TCP_BYTES  20u
#define IPV4_BYTES 20u
#define IPV6_BYTES 40u
#define WINDOW	   65535u
#define TTL	   128u
#define HOP_LIMIT  64u
#define MAC_BYTES  6u

/* Where the packet ends, behind which there may be padding. */
static uint32_t packet_end(const struct frame_class *c, const struct frame *f)
{
	const uint8_t *ip = f->data + c->l3_at;
	uint32_t said = c->l3 == FRAME_L3_IPV4 ? be16(ip + 2) : be16(ip + 4) + IPV6_BYTES;
	uint32_t room = f->len - c->l3_at;

	return c->l3_at + (said < room && said > IPV4_BYTES ? said : room);
}

/* Bytes behind the TCP header. */
static uint32_t payload_of(const struct frame_class *c, const struct frame *f)
{
	uint32_t end = packet_end(c, f);
	uint32_t at = c->l4_at + (f->data[c->l4_at + 12] >> 4) * 4u;

	return at < end ? end - at : 0;
}

bool hub_redirects(struct burst *b, unsigned j)
{
	const struct frame_class *c = burst_class(b, j);

	return (c->l3 == FRAME_L3_IPV4 || c->l3 == FRAME_L3_IPV6) && c->proto == PROTO_TCP &&
		c->l4_at != 0 &&
		(c->tcp_flags & (TCP_ACK | TCP_SYN | TCP_RST | TCP_URG)) == TCP_ACK &&
		payload_of(c, b->frame[j]) > 0;
}

/* ---- the answer ------------------------------------------------------------------------------- */

static void put_ip(
	const struct frame_class *c, const uint8_t *asked, uint8_t *ip, uint32_t l4_bytes)
{
	if (c->l3 == FRAME_L3_IPV4) {
		memset(ip, 0, IPV4_BYTES);
		ip[0] = 0x45;
		put_be16(ip + 2, IPV4_BYTES + l4_bytes);
		ip[8] = TTL;
		ip[9] = PROTO_TCP;
		memcpy(ip + 12, asked + 16, 4);
		memcpy(ip + 16, asked + 12, 4);
		put_be16(ip + 10, ~inet_fold(inet_sum(ip, IPV4_BYTES)));
		return;
	}
	memset(ip, 0, IPV6_BYTES);
	ip[0] = 0x60;
	put_be16(ip + 4, l4_bytes);
	ip[6] = PROTO_TCP;
	ip[7] = HOP_LIMIT;
	memcpy(ip + 8, asked + 24, 16);
	memcpy(ip + 24, asked + 8, 16);
}

static void put_tcp(const uint8_t *asked, uint32_t payload, uint8_t *tcp)
{
	memset(tcp, 0, TCP_BYTES);
	memcpy(tcp, asked + 2, 2);
	memcpy(tcp + 2, asked, 2);
	memcpy(tcp + 4, asked + 8, 4);
	put_be32(tcp + 8, be32(asked + 4) + payload);
	tcp[12] = TCP_BYTES / 4 << 4;
	tcp[13] = TCP_ACK | TCP_PSH;
	put_be16(tcp + 14, WINDOW);
}

/* ---- who is sent there ------------------------------------------------------------------------ */

#define TAG	   "<INFO>"
#define WHO_BYTES  700u
#define URL_BYTES  1000u /* with headers it fits into a frame */
#define TIME_BYTES 64u

/* YYYYMMDDhhmmss in UTC. Not by gmtime_r(), which takes a lock. */
static void time_text(char out[TIME_BYTES])
{
	struct timespec now;
	uint64_t days, z, era, day, year, month;
	unsigned second;

	clock_gettime(CLOCK_REALTIME, &now);
	days = (uint64_t)now.tv_sec / 86400;
	second = (unsigned)((uint64_t)now.tv_sec % 86400);
	/* Years that begin in March, in eras of 400, have their odd day at the end. */
	z = days + 719468;
	era = z / 146097;
	day = z % 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= 365 * year + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	day -= (153 * month + 2) / 5;
	month = month < 10 ? month + 3 : month - 9;
	year += era * 400 + (month <= 2);
	snprintf(out, TIME_BYTES, "%04u%02u%02u%02u%02u%02u", (unsigned)year % 10000,
		(unsigned)month % 100, (unsigned)day % 100 + 1, second / 3600, second / 60 % 60,
		second % 60);
}

/* "user|session|address|time|" and, in hexadecimal (capitals), the SHA-1 of that and the secret. False: too long. */
static bool tag_text(const char *who, const char *secret, char *out, size_t size)
{
	char time[TIME_BYTES];
	uint8_t digest[SHA1_BYTES];
	int len, all;

	time_text(time);
	len = snprintf(out, size, "%s|%s|", who, time);
	if (len < 0 || (size_t)len >= size)
		return false;
	all = snprintf(out + len, size - (size_t)len, "%s", secret);
	if (all < 0 || (size_t)all >= size - (size_t)len || (size_t)len + 2 * SHA1_BYTES >= size)
		return false;
	sha1(out, (size_t)(len + all), digest);
	for (unsigned i = 0; i < SHA1_BYTES; i++) {
		out[len++] = "0123456789ABCDEF"[digest[i] >> 4];
		out[len++] = "0123456789ABCDEF"[digest[i] & 15];
	}
	out[len] = '\0';
	return true;
}

/* One byte of a tag as a URL may have it. */
static size_t put_escaped(char *to, unsigned char c)
{
	static const char plain[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~|:@";

	if (c != '\0' && strchr(plain, c) != NULL) {
		*to = (char)c;
		return 1;
	}
	to[0] = '%';
	to[1] = "0123456789ABCDEF"[c >> 4];
	to[2] = "0123456789ABCDEF"[c & 15];
	return 3;
}

/* The rule up to `end`, with who is sent in the place of the tag at `at`. False: it does not fit. */
static bool put_tagged(
	const char *rule, const char *at, const char *end, const char *who, char out[URL_BYTES])
{
	char tag[WHO_BYTES + ACCESS_URL_MAX];
	size_t n = (size_t)(at - rule);

	if (!tag_text(who, end + 1, tag, sizeof(tag)))
		return false;
	memcpy(out, rule, n);
	for (const char *p = tag; *p != '\0'; p++) {
		if (n + 4 + (size_t)(end - at) > URL_BYTES)
			return false;
		n += put_escaped(out + n, (unsigned char)*p);
	}
	at += strlen(TAG);
	memcpy(out + n, at, (size_t)(end - at));
	out[n + (size_t)(end - at)] = '\0';
	return true;
}

/*
 * What stands in a rule, with the sender in the place of <INFO> if there is a secret to vouch for it (behind the last |, and
 * cut off with it). A sender that does not fit, and a secret of no length, leave the tag as it is; what is behind the | goes
 * to nobody all the same, and be it the tag.
 */
static const char *url_for(const char *rule, const char *who, char out[URL_BYTES])
{
	const char *at = strstr(rule, TAG), *secret = strrchr(rule, '|');

	if (at == NULL || secret == NULL)
		return rule;
	if (who == NULL || secret < at || secret[1] == '\0' ||
		!put_tagged(rule, at, secret, who, out)) {
		memcpy(out, rule, (size_t)(secret - rule));
		out[secret - rule] = '\0';
	}
	return out;
}

/* Length of the answer in `to` (HUB_SCRATCH_BYTES). */
static uint32_t answer(
	const struct frame_class *c, const struct frame *f, const char *url, uint8_t *to)
{
	uint32_t ip_bytes = c->l3 == FRAME_L3_IPV4 ? IPV4_BYTES : IPV6_BYTES;
	uint8_t *ip = to + c->l3_at, *tcp = ip + ip_bytes;
	uint32_t text, l4_bytes;
	uint64_t check;

	memcpy(to, f->data + MAC_BYTES, MAC_BYTES);
	memcpy(to + MAC_BYTES, f->data, MAC_BYTES);
	memcpy(to + 12, f->data + 12, c->l3_at - 12u); /* the tag, too */
	text = (uint32_t)snprintf((char *)tcp + TCP_BYTES,
		HUB_SCRATCH_BYTES - (size_t)(tcp + TCP_BYTES - to),
		"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\n"
		"Cache-Control: no-store\r\nLocation: %s\r\n\r\n",
		url);
	l4_bytes = TCP_BYTES + text;
	put_ip(c, f->data + c->l3_at, ip, l4_bytes);
	put_tcp(f->data + c->l4_at, payload_of(c, f), tcp);
	/* Of the pseudo header the addresses stand together in either family. */
	check = inet_sum(ip + (ip_bytes == IPV4_BYTES ? 12 : 8), ip_bytes == IPV4_BYTES ? 8 : 32) +
		PROTO_TCP + l4_bytes + inet_sum(tcp, l4_bytes);
	put_be16(tcp + 16, ~inet_fold(check));
	return c->l3_at + ip_bytes + l4_bytes;
}

/* Whether this millisecond's ration has one left, which is taken. */
static bool ration_take(struct hub_local *local, uint64_t now_ms)
{
	if (local->redirects_ms != now_ms) {
		local->redirects_ms = now_ms;
		local->redirects = HUB_REDIRECTS_MS;
	}
	if (local->redirects == 0)
		return false;
	local->redirects--;
	return true;
}

enum stats_drop_in hub_redirect(struct input *in, unsigned j, const char *url)
{
	const struct port *port = in->port;
	struct lcore *lc = in->b.lc;
	const struct frame_class *c = burst_class(&in->b, j);
	struct frame f = {.data = lc->scratch->out[FRAME_BURST - 1]};
	char whole[URL_BYTES];
	struct port *to;
	struct burst b;

	if (!port->party.listable)
		return STATS_DROP_IN_REDIRECT;
	/* Sessions transmit where they receive. */
	to = port_get(port->idx, port->gen);
	if (to == NULL || to->tx_lcore[lc->index] != lc->index)
		return STATS_DROP_IN_REDIRECT;
	if (!ration_take(in->b.local, lc->now_ms))
		return STATS_DROP_IN_REDIRECT_LIMIT;
	f.len = (uint16_t)answer(c, in->b.frame[j], url_for(url, port->who, whole), f.data);
	burst_begin(&b, lc, in->b.hub);
	b.frame[0] = &f;
	b.n = 1;
	b.max_len = f.len;
	b.backed = false;
	b.borrowed = true;
	b.judged = 1;
	burst_to_port(&b, to, 1);
	burst_end(&b);
	/* Both bursts use the same scratch memory. */
	in->b.classified &= ~UINT64_C(1);
	in->b.usual &= ~UINT64_C(1);
	return STATS_DROP_IN_REDIRECT;
}
