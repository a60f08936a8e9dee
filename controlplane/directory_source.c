/* SPDX-License-Identifier: BSD-3-Clause */
/* The source address list of a hub: from which addresses its users may log in (reference/auth.md 7). */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/directory.h"

static unsigned address_bytes(const struct directory_source *s)
{
	return s->ipv6 ? 16 : 4;
}

static void mask_clear(struct directory_source *s)
{
	for (unsigned i = 0; i < address_bytes(s); i++)
		s->address[i] &= s->mask[i];
	memset(s->address + address_bytes(s), 0, 16 - address_bytes(s));
	memset(s->mask + address_bytes(s), 0, 16 - address_bytes(s));
}

/* An insertion: lists are short or come in order, and equals stay as they were. */
void directory_sources_sort(struct directory_source *sources, uint32_t cnt)
{
	for (uint32_t i = 0; i < cnt; i++) {
		struct directory_source s = sources[i];
		uint32_t at = i;

		mask_clear(&s);
		for (; at > 0 && sources[at - 1].priority > s.priority; at--)
			sources[at] = sources[at - 1];
		sources[at] = s;
	}
}

static bool matches(const struct directory_source *s, bool ipv6, const uint8_t *address)
{
	if (s->ipv6 != ipv6)
		return false;
	for (unsigned i = 0; i < address_bytes(s); i++)
		if ((address[i] & s->mask[i]) != s->address[i])
			return false;
	return true;
}

bool directory_source_allows(const struct directory_hub *hub, const struct sockaddr_storage *peer)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
	const uint8_t *address = (const uint8_t *)&((const struct sockaddr_in *)peer)->sin_addr;
	bool ipv6 = false;

	if (peer->ss_family == AF_INET6) {
		ipv6 = !IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
		address = v6->sin6_addr.s6_addr + (ipv6 ? 0 : 12);
	}
	for (uint32_t i = 0; i < hub->source_cnt; i++)
		if (matches(&hub->sources[i], ipv6, address))
			return !hub->sources[i].deny;
	return true;
}

static void mask_of_prefix(uint8_t mask[16], unsigned prefix)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned bits = prefix > 8 * i ? prefix - 8 * i : 0;

		mask[i] = bits >= 8 ? 0xff : (uint8_t)(0xff00u >> bits);
	}
}

/* Bits of the prefix that the mask is, or -1. */
static int prefix_of_mask(const uint8_t *mask, unsigned bytes)
{
	uint8_t same[16];
	unsigned prefix = 0;

	while (prefix < 8 * bytes && (mask[prefix / 8] & 0x80u >> prefix % 8) != 0)
		prefix++;
	mask_of_prefix(same, prefix);
	return memcmp(mask, same, bytes) == 0 ? (int)prefix : -1;
}

bool directory_source_parse(const char *text, struct directory_source *out)
{
	const char *slash = strchr(text, '/');
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	char address[INET6_ADDRSTRLEN];
	unsigned long prefix;
	char *end;
	int family;

	memset(out->address, 0, sizeof(out->address));
	memset(out->mask, 0, sizeof(out->mask));
	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	out->ipv6 = strchr(address, ':') != NULL;
	family = out->ipv6 ? AF_INET6 : AF_INET;
	if (inet_pton(family, address, out->address) != 1)
		return false;
	prefix = 8 * address_bytes(out);
	if (slash != NULL && inet_pton(family, slash + 1, out->mask) == 1) {
		mask_clear(out);
		return true;
	}
	if (slash != NULL) {
		if (slash[1] < '0' || slash[1] > '9')
			return false;
		prefix = strtoul(slash + 1, &end, 10);
		if (*end != '\0' || prefix > 8 * address_bytes(out))
			return false;
	}
	mask_of_prefix(out->mask, (unsigned)prefix);
	mask_clear(out);
	return true;
}

void directory_source_text(const struct directory_source *s, char out[DIRECTORY_SOURCE_TEXT])
{
	int family = s->ipv6 ? AF_INET6 : AF_INET;
	int prefix = prefix_of_mask(s->mask, address_bytes(s));
	char address[INET6_ADDRSTRLEN], mask[INET6_ADDRSTRLEN];

	inet_ntop(family, s->address, address, sizeof(address));
	inet_ntop(family, s->mask, mask, sizeof(mask));
	if (prefix == (int)(8 * address_bytes(s)))
		snprintf(out, DIRECTORY_SOURCE_TEXT, "%s", address);
	else if (prefix >= 0)
		snprintf(out, DIRECTORY_SOURCE_TEXT, "%s/%d", address, prefix);
	else
		snprintf(out, DIRECTORY_SOURCE_TEXT, "%s/%s", address, mask);
}
