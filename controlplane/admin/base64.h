/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_BASE64_H
#define PATCHBAY_CONTROLPLANE_ADMIN_BASE64_H

/* Base64 of RFC 4648 section 4, for fields of type data in JSON: daemon and patchbayctl alike. Pure. */

#include <stddef.h>
#include <stdint.h>

#define BASE64_LEN(bytes) (((bytes) + 2) / 3 * 4)

/* Writes BASE64_LEN(size) characters and a NUL to `text`. */
void base64_encode(const uint8_t *bytes, size_t size, char *text);
/*
 * Decodes `len` characters into `bytes` (room for len / 4 * 3). Size, or -1: wrong length, a character outside
 * the alphabet, padding anywhere but at the end, or stray bits behind the last byte.
 */
long base64_decode(const char *text, size_t len, uint8_t *bytes);

#endif
