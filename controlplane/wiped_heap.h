/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_WIPED_HEAP_H
#define PATCHBAY_CONTROLPLANE_WIPED_HEAP_H

/*
 * Memory of libraries that secrets pass through, and that have no call to wipe it: libevent's buffers hold what
 * administrators send, jansson's trees the passwords in it. They get a malloc() whose free() wipes.
 */

/* Before the first call of either library, and before there are threads. */
void wiped_heap_init(void);

#endif
