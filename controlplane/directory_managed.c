/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Networks whose addresses the IP table of a hub holds besides the usual ones (reference/hub.md 5): each as text, and all
 * of them in one line, which is how they are asked for and told.
 */

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/directory.h"

#define MAPPED_BITS 96u /* of ::ffff:0:0/96 */

static const uint8_t mapped[16] = {[10] = 0xff, [11] = 0xff};

/* "/24" behind an address of `most` bits; none is all of them. */
static bool prefix_parse(const char *slash, unsigned most, unsigned *bits)
{
	unsigned long n;
	char *end;

	*bits = most;
	if (slash == NULL)
		return true;
	if (!isdigit((unsigned char)slash[1]))
		return false;
	n = strtoul(slash + 1, &end, 10);
	*bits = (unsigned)n;
	return *end == '\0' && n <= most;
}

static void clear_host(struct hub_range *range)
{
	for (unsigned i = 0; i < sizeof(range->addr); i++) {
		unsigned bits = range->bits > 8 * i ? range->bits - 8 * i : 0;

		if (bits < 8)
			range->addr[i] &= (uint8_t)(0xff00u >> bits);
	}
}

bool directory_managed_parse(const char *text, struct hub_range *out)
{
	const char *slash = strchr(text, '/');
	size_t len = slash == NULL ? strlen(text) : (size_t)(slash - text);
	bool ip6 = memchr(text, ':', len) != NULL;
	struct hub_range around;
	char address[INET6_ADDRSTRLEN];
	unsigned bits;

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	memcpy(out->addr, mapped, sizeof(out->addr));
	if (inet_pton(ip6 ? AF_INET6 : AF_INET, address, out->addr + (ip6 ? 0 : 12)) != 1 ||
		!prefix_parse(slash, ip6 ? 128 : 32, &bits))
		return false;
	out->bits = (uint8_t)(ip6 ? bits : bits + MAPPED_BITS);
	clear_host(out);
	/* An IPv6 network around ::ffff:0:0/96 would be all of IPv4, too: nobody means that. */
	around.bits = out->bits;
	memcpy(around.addr, mapped, sizeof(around.addr));
	clear_host(&around);
	return out->bits >= MAPPED_BITS || memcmp(around.addr, out->addr, sizeof(around.addr)) != 0;
}

void directory_managed_text(const struct hub_range *range, char out[DIRECTORY_MANAGED_TEXT])
{
	bool ip6 = range->bits < MAPPED_BITS || memcmp(range->addr, mapped, 12) != 0;
	unsigned bits = ip6 ? range->bits : range->bits - MAPPED_BITS;
	char address[INET6_ADDRSTRLEN];

	inet_ntop(ip6 ? AF_INET6 : AF_INET, range->addr + (ip6 ? 0 : 12), address, sizeof(address));
	if (bits == (ip6 ? 128 : 32))
		snprintf(out, DIRECTORY_MANAGED_TEXT, "%s", address);
	else
		snprintf(out, DIRECTORY_MANAGED_TEXT, "%s/%u", address, bits);
}

void directory_managed_line(
	const struct directory_managed *managed, char out[DIRECTORY_MANAGED_LINE])
{
	char text[DIRECTORY_MANAGED_TEXT];
	size_t at = 0;

	out[0] = '\0';
	for (unsigned i = 0; i < managed->cnt; i++) {
		directory_managed_text(&managed->range[i], text);
		at += (size_t)snprintf(
			out + at, DIRECTORY_MANAGED_LINE - at, "%s%s", i == 0 ? "" : ",", text);
	}
}

bool directory_managed_line_parse(
	const char *line, struct directory_managed *out, char wrong[DIRECTORY_MANAGED_TEXT])
{
	*out = (struct directory_managed){.cnt = 0};
	for (line += strspn(line, ", "); *line != '\0'; line += strspn(line, ", ")) {
		size_t len = strcspn(line, ", ");

		snprintf(wrong, DIRECTORY_MANAGED_TEXT, "%.*s", (int)len, line);
		if (len >= DIRECTORY_MANAGED_TEXT || out->cnt == HUB_RANGES_MAX ||
			!directory_managed_parse(wrong, &out->range[out->cnt]))
			return false;
		out->cnt++;
		line += len;
	}
	return true;
}
