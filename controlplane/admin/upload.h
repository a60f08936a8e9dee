/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_UPLOAD_H
#define PATCHBAY_CONTROLPLANE_ADMIN_UPLOAD_H

/*
 * A text that is larger than a request, as it comes in parts (PatchbayUpload), until somebody takes it. There is one:
 * whoever begins anew is the one who counts. It may have passwords and keys in it, so it does not wait for ever: five
 * minutes after its last part it is forgotten, and wiped, as every copy that grew out of place is.
 *
 * Control thread only.
 */

#include <stddef.h>
#include <stdint.h>

#define UPLOAD_KEEP_MS 300000u

/*
 * The next part, no NUL in it; offset 0 begins anew. 0; -ESPIPE: it should begin at upload_size(); -EFBIG: more than
 * `max` bytes with all before; -ENOMEM. After an error the parts before are still there.
 */
int upload_part(size_t offset, const void *bytes, size_t size, size_t max, uint64_t now_ms);
size_t upload_size(void);
/* The whole, NUL-terminated, malloc'ed, for the caller to wipe; NULL: there is none. */
char *upload_take(void);
/* Once a second. */
void upload_look(uint64_t now_ms);

#endif
