/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_HUBS_H
#define PATCHBAY_CONTROLPLANE_HUBS_H

/*
 * Hubs that run: what a change of the directory means for the data path, for sessions and bridges. A hub that goes
 * offline ends all its sessions; one that is deleted does so, and is freed when the last of them, with its
 * connections, has come back from its worker.
 *
 * Control thread only.
 */

#include <stdbool.h>
#include <stdint.h>

struct directory_hub;

/* Before the first change; the timer of dying hubs. -ENOMEM. */
int hubs_init(void);
/* Workers have stopped and sessions are gone: frees what is still dying. */
void hubs_fini(void);

/* The hub's options as they stand in the directory, into the data path. -ENOMEM: the old ones go on. */
int hubs_options(struct directory_hub *hub);
/* All of its settings, at once: options, and online or offline with what that means. As hubs_options(). */
int hubs_apply(struct directory_hub *hub);
/*
 * The access list of a hub that began without it is in force (access_list_start()): frames may pass, unless the hub is
 * offline or on its way out.
 */
void hubs_rules_ready(struct directory_hub *hub);
/* Nothing of it runs: neither sessions nor bridges. */
bool hubs_quiet(const struct directory_hub *hub);

/*
 * The end of a hub that is in the directory no more. A number by which to ask whether it is gone, never 0; the
 * pointer is not to be used again.
 */
uint64_t hubs_doom(struct directory_hub *hub);
bool hubs_doomed_gone(uint64_t number);

#endif
