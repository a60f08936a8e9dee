/* SPDX-License-Identifier: BSD-3-Clause */
/* What a terminal may be shown. The locale decides which characters there are (setlocale() in main). */

#include "controlplane/ctl/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

#define ESCAPE_MAX 12u /* bytes of "\u{10ffff}" */

/* Invisible characters and those that turn the direction of writing: names that look like others. */
static bool is_treacherous(wchar_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
		(c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0xad;
}

char *text_printable(const char *text, size_t *columns)
{
	size_t left = strlen(text);
	char *safe = malloc(left * ESCAPE_MAX + 1);
	char *to = safe;
	mbstate_t state = {0};

	if (safe == NULL)
		return NULL;
	*columns = 0;
	while (left > 0) {
		wchar_t c;
		int width = -1;
		size_t n;

		/* Nearly all there is; every locale we meet has ASCII in these places. */
		if (*text >= ' ' && *text <= '~' && *text != '\\') {
			*to++ = *text++;
			(*columns)++;
			left--;
			continue;
		}
		n = mbrtowc(&c, text, left, &state);
		if (n == 0 || n > left) {
			memset(&state, 0, sizeof(state));
			n = 1;
			width = sprintf(to, "\\x%02x", (uint8_t)*text);
			to += width;
		} else if (c == '\\' || !iswprint((wint_t)c) || is_treacherous(c)) {
			width = sprintf(to,
				c == '\\'	   ? "\\\\"
					: c < 0x80 ? "\\x%02x"
						   : "\\u{%x}",
				(unsigned)c);
			to += width;
		} else {
			width = wcwidth(c);
			memcpy(to, text, n);
			to += n;
		}
		*columns += width < 0 ? 1 : (size_t)width;
		text += n;
		left -= n;
	}
	*to = '\0';
	return safe;
}
