/* SPDX-License-Identifier: BSD-3-Clause */
/* Local bridges in the directory: the server-wide list, what may stand in it, reading and writing. */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/directory_priv.h"

static const char name_chars[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.:-";

const struct directory_bridges *directory_bridges(void)
{
	return &directory_now.bridges;
}

/*
 * Behind a PCI address mac= says which of the ports there (drivers/bridge/ethdev.c). In devargs of a virtual device it
 * is the driver's, and may be anything.
 */
static bool port_wrong(const char *device)
{
	const char *mac = strstr(device, ",mac=");
	const char *address = strncmp(device, "pci:", 4) == 0 ? device + 4 : device;

	if (mac == NULL || address[strspn(address, "0123456789abcdefABCDEF:.")] != ',')
		return false;
	mac += 5;
	for (unsigned i = 0; i < 17; i++)
		if (i % 3 == 2 ? mac[i] != ':' : !isxdigit((unsigned char)mac[i]))
			return true;
	return mac[17] != '\0' && mac[17] != ',';
}

const char *directory_bridge_wrong(const char *device, bool tap, const char *name)
{
	size_t len = strlen(device);

	if (tap &&
		(len == 0 || len > DIRECTORY_TAP_MAX || strspn(device, name_chars) != len ||
			strchr(device, ':') != NULL))
		return "the TAP's name should have 1 to 11 ASCII letters, digits or _.-";
	if (!tap && (len == 0 || len >= DIRECTORY_DEVICE_BYTES))
		return "the device should have 1 to 511 characters";
	for (const char *p = device; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~')
			return "the device should have only printable ASCII, and no space";
	if (!tap && port_wrong(device))
		return "mac= behind a PCI address should be a port's, such as 00:11:22:33:44:55";
	len = strlen(name);
	if (len == 0 || len >= DIRECTORY_BRIDGE_NAME_BYTES || strspn(name, name_chars) != len)
		return "the name should have 1 to 63 ASCII letters, digits or _.:-";
	return NULL;
}

void directory_bridge_default_name(const char *device, char name[DIRECTORY_BRIDGE_NAME_BYTES])
{
	size_t len = strcspn(device, ",");

	if (len >= DIRECTORY_BRIDGE_NAME_BYTES)
		len = DIRECTORY_BRIDGE_NAME_BYTES - 1;
	memcpy(name, device, len);
	name[len] = '\0';
}

static struct directory_bridge *find(const struct directory *d, const char *hub, const char *which)
{
	struct directory_bridge *b, *by_name = NULL;

	TAILQ_FOREACH (b, &d->bridges, entry) {
		if (strcasecmp(b->hub, hub) != 0)
			continue;
		if (b->tap ? strcasecmp(b->device, which) == 0 : strcmp(b->device, which) == 0)
			return b;
		if (strcasecmp(b->name, which) == 0)
			by_name = b;
	}
	return by_name;
}

struct directory_bridge *directory_bridge_find(const char *hub, const char *which)
{
	return find(&directory_now, hub, which);
}

int directory_bridge_add(struct directory *d, const char *hub, const char *device, bool tap,
	const char *name, struct directory_bridge **out)
{
	struct directory_bridge *b;

	if (directory_hub_name_wrong(hub) != NULL ||
		directory_bridge_wrong(device, tap, name) != NULL)
		return -EINVAL;
	if (find(d, hub, device) != NULL || find(d, hub, name) != NULL)
		return -EEXIST;
	if (d->bridge_cnt >= DIRECTORY_BRIDGES_MAX)
		return -ENOSPC;
	b = calloc(1, sizeof(*b));
	if (b == NULL)
		return -ENOMEM;
	strcpy(b->hub, hub);
	strcpy(b->device, device);
	strcpy(b->name, name);
	b->tap = tap;
	b->max_frame = DIRECTORY_FRAME_MIN;
	TAILQ_INSERT_TAIL(&d->bridges, b, entry);
	d->bridge_cnt++;
	*out = b;
	return 0;
}

int directory_bridge_create(const char *hub, const char *device, bool tap, const char *name,
	struct directory_bridge **out)
{
	return directory_bridge_add(&directory_now, hub, device, tap, name, out);
}

void directory_bridge_take(struct directory_bridge *b)
{
	TAILQ_REMOVE(&directory_now.bridges, b, entry);
	directory_now.bridge_cnt--;
}

void directory_bridge_put(struct directory_bridge *b)
{
	TAILQ_INSERT_TAIL(&directory_now.bridges, b, entry);
	directory_now.bridge_cnt++;
}

void directory_bridges_free(struct directory *d)
{
	struct directory_bridge *b;

	while ((b = TAILQ_FIRST(&d->bridges)) != NULL) {
		TAILQ_REMOVE(&d->bridges, b, entry);
		free(b);
	}
	d->bridge_cnt = 0;
}
