/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_SHA1_H
#define PATCHBAY_DATAPLANE_SHA1_H

/*
 * SHA-1 (RFC 3174), for the one thing that wants it: the tag of a redirection (reference/access-list.md 5), which a web
 * server checks with the same secret. Not for secrets of ours. The data path links no library that has it, and SHA-0,
 * which is this but for a rotation, is the protocol's, which knows nothing of ours (drivers/session/wire/sha0.c). Pure.
 */

#include <stddef.h>
#include <stdint.h>

#define SHA1_BYTES 20u

void sha1(const void *data, size_t size, uint8_t digest[SHA1_BYTES]);

#endif
