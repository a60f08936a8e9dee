/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Recognises the fixed image of the long signature (wire.md 1.5) by its SHA-256, so that the image
 * itself, which is not ours, is not shipped. The library's only use of OpenSSL: everybody who links
 * this links it anyway, and an own SHA-256 would be code to test for nothing.
 */
#include <openssl/evp.h>
#include <string.h>

#include "drivers/session/wire/preamble.h"

static const uint8_t watermark_sha256[32] = {0x96, 0xa7, 0x06, 0xbb, 0xab, 0x37, 0x8e, 0xc3, 0x7d,
	0xfe, 0xf2, 0x1e, 0x02, 0xb1, 0xa3, 0xc1, 0x77, 0xfb, 0xeb, 0xef, 0xfa, 0x03, 0x9e, 0xb0,
	0xef, 0xac, 0x91, 0x86, 0x30, 0xdf, 0x12, 0xa0};

bool preamble_is_watermark(const uint8_t mark[PREAMBLE_MARK_BYTES])
{
	uint8_t digest[sizeof(watermark_sha256)];

	/* Every GIF of that kind begins so: spares the hash for what is obviously something else. */
	if (memcmp(mark, "GIF89a", 6))
		return false;
	if (!EVP_Digest(mark, PREAMBLE_MARK_BYTES, digest, NULL, EVP_sha256(), NULL))
		return false;
	return !memcmp(digest, watermark_sha256, sizeof(digest));
}
