/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_UTF8_H
#define PATCHBAY_CONTROLPLANE_ADMIN_UTF8_H

/* Well-formed UTF-8 (RFC 3629), for both encodings: callers send what they like. Pure. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* Length of the sequence at p, of which `left` bytes are there; 0 if there is none. */
size_t utf8_len(const uint8_t *p, size_t left);
bool utf8_ok(const void *bytes, size_t size);

#endif
