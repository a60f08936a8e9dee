/* SPDX-License-Identifier: BSD-3-Clause */
/* See utf8.h. */

#include "controlplane/admin/utf8.h"

size_t utf8_len(const uint8_t *p, size_t left)
{
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;
	uint32_t v;

	if (n == 1)
		return 1;
	if (p[0] < 0xc2 || p[0] > 0xf4 || left < n)
		return 0;
	v = p[0] & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		v = v << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && (v < 0x800 || (v >= 0xd800 && v <= 0xdfff))) ||
		(n == 4 && (v < 0x10000 || v > 0x10ffff)))
		return 0;
	return n;
}

bool utf8_ok(const void *bytes, size_t size)
{
	const uint8_t *p = bytes;

	while (size > 0) {
		size_t n = utf8_len(p, size);

		if (n == 0)
			return false;
		p += n;
		size -= n;
	}
	return true;
}
