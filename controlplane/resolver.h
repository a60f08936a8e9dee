/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_RESOLVER_H
#define PATCHBAY_CONTROLPLANE_RESOLVER_H

/*
 * Names to addresses without waiting. A name is looked up by a slow helper, one name at a time, so that a name server
 * that is silent keeps no more than one helper; what was found is remembered for a minute, that nothing was found for
 * ten seconds. Whoever wants an address asks again until there is an answer.
 *
 * Control thread only.
 */

#include <stdint.h>
#include <sys/socket.h>

#define RESOLVER_NAMES	   64u /* remembered; the one that was used longest ago goes */
#define RESOLVER_KEEP_MS   60000u
#define RESOLVER_FAILED_MS 10000u

/*
 * 0 with the address, port 0: the first that the system gives. -EAGAIN: is being looked up, ask again in a moment.
 * -ENOENT: there is none. -ENOMEM. An address in words is answered at once. Another name of more than 255 bytes: -ENOENT.
 */
int resolver_find(const char *name, struct sockaddr_storage *out);

#endif
