/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the directory meets the data path: one hub.h object per hub. Apart, so that the rest needs no DPDK. */

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/access_list.h"
#include "controlplane/directory.h"
#include "controlplane/hubs.h"
#include "controlplane/log.h"
#include "dataplane/hub.h"
#include "drivers/session/wire/sha0.h"

#define MAC_AGE_S 600u /* hub.md section 2 */

/*
 * 00-AE and four bytes of a hash of machine and hub (hub.md 5.4): the same after each restart, and another one
 * in each hub and on each machine, so that two hubs that are joined do not take each other's for their own.
 */
static uint64_t probe_mac(const char *hub)
{
	uint8_t hash[SHA0_BYTES];
	char machine[256] = "";
	struct sha0 s;

	gethostname(machine, sizeof(machine) - 1);
	sha0_init(&s);
	sha0_update(&s, machine, strlen(machine) + 1);
	sha0_update(&s, hub, strlen(hub));
	sha0_final(&s, hash);
	return UINT64_C(0x00ae) << 32 | (uint64_t)hash[0] << 24 | (uint64_t)hash[1] << 16 |
		(uint64_t)hash[2] << 8 | hash[3];
}

static void hub_stop(struct directory_hub *hub)
{
	access_list_stop(hub);
	if (hub_destroy(hub->hub, NULL, NULL) < 0)
		log_warning("directory", "hub %s still has ports at its end", hub->name);
	hub->hub = NULL;
}

int directory_hub_start(struct directory_hub *hub)
{
	struct hub_conf conf = {.max_macs = hub->max_macs,
		.mac_age_s = MAC_AGE_S,
		.probe_mac = probe_mac(hub->name)};
	int error;

	hub->hub = hub_create(&conf);
	if (hub->hub == NULL) {
		error = errno != 0 ? errno : ENOMEM;

		log_error("directory", "hub %s: no memory for its MAC table of %u entries",
			hub->name, hub->max_macs);
		return -error;
	}
	error = hubs_options(hub);
	if (error == 0)
		error = access_list_start(hub);
	if (error == -EAGAIN) {
		log_notice("hub",
			"hub %s: frames pass as soon as its %u access rules have been compiled",
			hub->name, hub->access.cnt);
		error = 0;
	}
	if (error != 0)
		hub_stop(hub);
	else
		hub_set_online(hub->hub, hub->online && access_list_ready(hub));
	return error;
}

int directory_start(void)
{
	struct directory_hub *hub;
	int rc;

	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		rc = directory_hub_start(hub);
		if (rc != 0) {
			directory_stop();
			return rc;
		}
	}
	return 0;
}

void directory_stop(void)
{
	struct directory_hub *hub;

	TAILQ_FOREACH (hub, directory_hubs(), entry)
		if (hub->hub != NULL)
			hub_stop(hub);
}
