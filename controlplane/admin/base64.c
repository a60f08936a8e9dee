/* SPDX-License-Identifier: BSD-3-Clause */
/* Base64 without a library, so that patchbayctl needs none for showing a MAC address. */

#include "controlplane/admin/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(const uint8_t *bytes, size_t size, char *text)
{
	for (size_t i = 0; i < size; i += 3) {
		size_t n = size - i < 3 ? size - i : 3;
		uint32_t v = (uint32_t)bytes[i] << 16;

		if (n > 1)
			v |= (uint32_t)bytes[i + 1] << 8;
		if (n > 2)
			v |= bytes[i + 2];
		*text++ = alphabet[v >> 18];
		*text++ = alphabet[v >> 12 & 63];
		*text++ = n > 1 ? alphabet[v >> 6 & 63] : '=';
		*text++ = n > 2 ? alphabet[v & 63] : '=';
	}
	*text = '\0';
}

static int digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

long base64_decode(const char *text, size_t len, uint8_t *bytes)
{
	long size = 0;

	if (len % 4 != 0)
		return -1;
	for (size_t i = 0; i < len; i += 4) {
		size_t pad = 0;
		uint32_t v = 0;

		if (i + 4 == len && text[i + 3] == '=')
			pad = text[i + 2] == '=' ? 2 : 1;
		for (size_t k = 0; k < 4 - pad; k++) {
			int d = digit(text[i + k]);

			if (d < 0)
				return -1;
			v |= (uint32_t)d << (18 - 6 * k);
		}
		if ((v & ((UINT32_C(1) << 8 * pad) - 1)) != 0)
			return -1;
		for (size_t k = 0; k < 3 - pad; k++)
			bytes[size++] = (uint8_t)(v >> (16 - 8 * k));
	}
	return size;
}
