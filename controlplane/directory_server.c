/* SPDX-License-Identifier: BSD-3-Clause */
/* What the directory holds of the server as a whole: its administrator, and what was changed at run time. */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "controlplane/directory_priv.h"
#include "drivers/session/wire/sha0.h"

/* ---- administrators ---------------------------------------------------------------------------- */

const struct directory_admin *directory_server_admin(void)
{
	return &directory_now.admin;
}

void directory_server_set_admin(const struct directory_admin *admin)
{
	directory_now.admin = *admin;
}

void directory_admin_set_password(struct directory_admin *admin, const char *password)
{
	explicit_bzero(admin, sizeof(*admin));
	if (password[0] == '\0')
		return;
	admin->set = true;
	sha0_password_hash(password, "", admin->hash);
	sha0_password_hash(password, "ADMINISTRATOR", admin->vpn_hash);
}

void directory_admin_set_hashes(
	struct directory_admin *admin, const uint8_t *hash, const uint8_t *vpn_hash)
{
	uint8_t empty[SHA0_BYTES];

	explicit_bzero(admin, sizeof(*admin));
	sha0_password_hash("", "", empty);
	if (sha0_equal(hash, empty, sizeof(empty)))
		return;
	admin->set = true;
	memcpy(admin->hash, hash, sizeof(admin->hash));
	if (vpn_hash != NULL)
		memcpy(admin->vpn_hash, vpn_hash, sizeof(admin->vpn_hash));
}

/* ---- ciphers ----------------------------------------------------------------------------------- */

const char *directory_server_ciphers(void)
{
	return directory_now.ciphers;
}

void directory_server_set_ciphers(const char *ciphers)
{
	snprintf(directory_now.ciphers, sizeof(directory_now.ciphers), "%s", ciphers);
}

/* ---- syslog ------------------------------------------------------------------------------------ */

const struct directory_syslog *directory_server_syslog(void)
{
	return &directory_now.syslog;
}

void directory_server_set_syslog(const struct directory_syslog *syslog)
{
	directory_now.syslog = *syslog;
}

/* ---- listeners --------------------------------------------------------------------------------- */

bool directory_listener_get(unsigned index, struct directory_listener *out)
{
	if (index >= directory_now.listener_cnt)
		return false;
	*out = directory_now.listeners[index];
	return true;
}

int directory_listener_set(uint16_t port, const struct directory_listener *entry)
{
	struct directory *d = &directory_now;
	unsigned i = 0;

	while (i < d->listener_cnt && d->listeners[i].port != port)
		i++;
	if (entry == NULL) {
		if (i == d->listener_cnt)
			return 0;
		d->listener_cnt--;
		memmove(&d->listeners[i], &d->listeners[i + 1],
			(d->listener_cnt - i) * sizeof(d->listeners[0]));
		return 0;
	}
	if (i == d->listener_cnt) {
		if (i == DIRECTORY_LISTENERS_MAX)
			return -ENOSPC;
		d->listener_cnt++;
	}
	d->listeners[i] = *entry;
	return 0;
}
