/* SPDX-License-Identifier: BSD-3-Clause */
/* See api_auth.h. */

#include "controlplane/admin/api_auth.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "controlplane/admin/base64.h"

static void copy(struct api_auth *a, char dst[API_AUTH_BYTES], const char *src)
{
	size_t len = strlen(src);

	if (len >= API_AUTH_BYTES)
		a->wrong = true;
	else
		memcpy(dst, src, len + 1);
}

static void basic(struct api_auth *a, const char *value)
{
	char text[2 * API_AUTH_BYTES + 4];
	char *colon;
	long size;

	value += strspn(value, " ");
	a->given = true;
	if (strlen(value) > BASE64_LEN(sizeof(text) - 4)) {
		a->wrong = true;
		return;
	}
	size = base64_decode(value, strlen(value), (unsigned char *)text);
	if (size < 0 || memchr(text, 0, (size_t)size) != NULL) {
		a->wrong = true;
		return;
	}
	text[size] = '\0';
	colon = strchr(text, ':');
	if (colon == NULL) {
		a->wrong = true;
	} else {
		*colon = '\0';
		copy(a, a->hub, strcasecmp(text, "administrator") == 0 ? "" : text);
		copy(a, a->password, colon + 1);
	}
	explicit_bzero(text, sizeof(text));
}

void api_auth_header(struct api_auth *a, const char *name, const char *value)
{
	if (strcasecmp(name, "X-VPNADMIN-HUBNAME") == 0) {
		copy(a, a->hub, value);
	} else if (strcasecmp(name, "X-VPNADMIN-PASSWORD") == 0) {
		a->given = true;
		copy(a, a->password, value);
	} else if (strcasecmp(name, "Authorization") == 0) {
		if (strncasecmp(value, "Basic ", 6) == 0)
			basic(a, value + 6);
	} else if (strcasecmp(name, "Host") == 0) {
		copy(a, a->host, value);
	} else if (strcasecmp(name, "Origin") == 0) {
		copy(a, a->origin, value);
	} else if (strcasecmp(name, "Connection") == 0) {
		a->close = strcasecmp(value, "close") == 0;
	} else if (strcasecmp(name, "Transfer-Encoding") == 0) {
		a->chunked = true;
	}
}

bool api_auth_foreign(const struct api_auth *a)
{
	static const char scheme[] = "https://";

	if (a->origin[0] == '\0')
		return false;
	return strncasecmp(a->origin, scheme, sizeof(scheme) - 1) != 0 ||
		strcasecmp(a->origin + sizeof(scheme) - 1, a->host) != 0;
}

size_t api_auth_rebuild(
	const struct api_auth *a, bool http10, size_t body_bytes, char out[API_REBUILD_MAX])
{
	char plain[2 * API_AUTH_BYTES + 1];
	char coded[BASE64_LEN(sizeof(plain)) + 1];
	int len = snprintf(plain, sizeof(plain), "%s:%s", a->hub, a->password);

	base64_encode((unsigned char *)plain, (size_t)len, coded);
	len = snprintf(out, API_REBUILD_MAX,
		"POST /api/ HTTP/1.%d\r\nAuthorization: Basic %s\r\nContent-Length: %zu\r\n%s\r\n",
		!http10, coded, body_bytes, a->close ? "Connection: close\r\n" : "");
	explicit_bzero(plain, sizeof(plain));
	explicit_bzero(coded, sizeof(coded));
	return (size_t)len;
}

#define ANSWER(status, more) \
	"HTTP/1.1 " status "\r\nConnection: Keep-Alive\r\n" more "Content-Length: 0\r\n\r\n"

const char *api_auth_answer(unsigned status)
{
	switch (status) {
	case 401:
		return ANSWER("401 Unauthorized",
			"WWW-Authenticate: Basic realm=\"Patchbay: a hub's name, or administrator\"\r\n");
	case 403:
		return ANSWER("403 Forbidden", "");
	case 411:
		return ANSWER("411 Length Required", "");
	default:
		return ANSWER("404 Not Found", "");
	}
}
