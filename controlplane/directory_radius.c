/* SPDX-License-Identifier: BSD-3-Clause */
/* The RADIUS servers of a hub as a list in one text, as the protocol has it (directory.h). */

#include <string.h>

#include "controlplane/directory.h"

static const char separators[] = " \t,;";

bool directory_radius_next(const char **list, char name[DIRECTORY_NAME_BYTES])
{
	const char *at = *list + strspn(*list, separators);
	size_t len = strcspn(at, separators);

	*list = at + len;
	if (len == 0)
		return false;
	if (len >= DIRECTORY_NAME_BYTES)
		len = DIRECTORY_NAME_BYTES - 1; /* refused before it came here */
	memcpy(name, at, len);
	name[len] = '\0';
	return true;
}

const char *directory_radius_servers_wrong(const char *servers)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_:%";
	char name[DIRECTORY_NAME_BYTES];
	const char *at = servers;
	unsigned cnt = 0;

	if (strlen(servers) >= DIRECTORY_RADIUS_SERVERS_BYTES)
		return "should have less than 1024 bytes";
	while (directory_radius_next(&at, name)) {
		if (strlen(name) == DIRECTORY_NAME_BYTES - 1 ||
			strspn(name, allowed) != strlen(name))
			return "should be names or addresses of servers with a space, comma or semicolon between";
		if (++cnt > DIRECTORY_RADIUS_LIST)
			return "should have at most 8 servers";
	}
	return NULL;
}

void directory_radius_default(struct directory_radius *radius)
{
	memset(radius, 0, sizeof(*radius));
	radius->port = DIRECTORY_RADIUS_PORT;
	radius->retry_ms = DIRECTORY_RADIUS_RETRY_MS;
	radius->timeout_ms = DIRECTORY_RADIUS_TIMEOUT_MS;
}
