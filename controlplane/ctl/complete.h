/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_COMPLETE_H
#define PATCHBAY_CONTROLPLANE_CTL_COMPLETE_H

/*
 * What could be typed next, out of the command tables and, for names of hubs, users, groups and the like, out of the
 * daemon. Says nothing when the daemon is not there.
 */

#include <jansson.h>

/*
 * `words`: what stands before the word under way, `cnt` of them; `last`: that word, perhaps "". A new array of strings,
 * those that begin with `last`, without repetitions; empty: nothing is known, or it is free text.
 */
json_t *ctl_complete(char *const words[], unsigned cnt, const char *last, const char *socket_path);

#endif
