/* SPDX-License-Identifier: BSD-3-Clause */
/* Where the directory meets the data path: one hub.h object per hub. Apart, so that the rest needs no DPDK. */

#include <errno.h>

#include "controlplane/directory.h"
#include "controlplane/log.h"
#include "dataplane/hub.h"

#define MAC_AGE_S 600u /* hub.md section 2 */

int directory_start(void)
{
	struct directory_hub *hub;

	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		struct hub_conf conf = {.max_macs = hub->max_macs, .mac_age_s = MAC_AGE_S};

		hub->hub = hub_create(&conf);
		if (hub->hub == NULL) {
			int error = errno != 0 ? errno : ENOMEM;

			log_error("directory", "hub %s: no memory for its MAC table of %u entries",
				hub->name, hub->max_macs);
			directory_stop();
			return -error;
		}
		hub_set_online(hub->hub, hub->online);
	}
	return 0;
}

void directory_stop(void)
{
	struct directory_hub *hub;

	TAILQ_FOREACH (hub, directory_hubs(), entry) {
		if (hub->hub == NULL)
			continue;
		if (hub_destroy(hub->hub, NULL, NULL) < 0)
			log_warning("directory", "hub %s still has ports at its end", hub->name);
		hub->hub = NULL;
	}
}
