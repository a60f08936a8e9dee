/* SPDX-License-Identifier: BSD-3-Clause */
/* From what was typed to the request's parameters. */

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/base64.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/file.h"

#define MAC_BYTES 6u
#define HEX_BYTES 64u /* serial numbers and digests */

/* 02:00:00:00:00:01, 02-00-..., 0200.0000.0001 or 020000000001. */
static bool mac_parse(const char *text, uint8_t mac[MAC_BYTES])
{
	unsigned digits = 0;

	memset(mac, 0, MAC_BYTES);
	for (const char *p = text; *p != '\0'; p++) {
		char c = (char)tolower((unsigned char)*p);

		if (isxdigit((unsigned char)c)) {
			uint8_t v = (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);

			if (digits == 2 * MAC_BYTES)
				return false;
			mac[digits / 2] = (uint8_t)(mac[digits / 2] << 4 | v);
			digits++;
		} else if ((c != ':' && c != '-' && c != '.') || digits % 2 != 0 || digits == 0) {
			return false;
		}
	}
	return digits == 2 * MAC_BYTES;
}

/* 0a1b2c, 0A:1B:2C; NULL after saying what is wrong. */
static json_t *hex_value(const char *name, const char *text)
{
	char digits[2 * HEX_BYTES + 1], base64[BASE64_LEN(HEX_BYTES) + 1];
	uint8_t bytes[HEX_BYTES];
	size_t cnt = 0;

	if (text[0] == '\0')
		return json_string("");
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == ':' && cnt % 2 == 0 && cnt > 0)
			continue;
		if (!isxdigit((unsigned char)*p) || cnt == 2 * HEX_BYTES) {
			cnt = 0;
			break;
		}
		digits[cnt++] = *p;
	}
	if (cnt == 0 || cnt % 2 != 0) {
		fprintf(stderr,
			"patchbayctl: %s: \"%s\" should be pairs of hexadecimal digits, %u at most\n",
			name, text, HEX_BYTES);
		return NULL;
	}
	for (size_t i = 0; i < cnt / 2; i++) {
		const char pair[3] = {digits[2 * i], digits[2 * i + 1], '\0'};

		bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	base64_encode(bytes, cnt / 2, base64);
	return json_string(base64);
}

json_t *ctl_value(enum ctl_kind kind, const char *name, const char *text)
{
	uint8_t mac[MAC_BYTES];
	char base64[BASE64_LEN(MAC_BYTES) + 1];
	json_error_t error;
	unsigned long long number;
	json_t *v = NULL;
	char *end;

	switch (kind) {
	case CTL_STRING:
		v = json_string(text);
		if (v == NULL)
			fprintf(stderr, "patchbayctl: %s: not UTF-8\n", name);
		return v;
	case CTL_FLAG:
		return json_true();
	case CTL_INTEGER:
		errno = 0;
		number = strtoull(text, &end, 10);
		if (!isdigit((unsigned char)text[0]) || *end != '\0' || errno != 0 ||
			number > UINT32_MAX) {
			fprintf(stderr, "patchbayctl: %s: \"%s\" is not a whole number\n", name,
				text);
			return NULL;
		}
		return json_integer((json_int_t)number);
	case CTL_MAC_ADDRESS:
		if (!mac_parse(text, mac)) {
			fprintf(stderr,
				"patchbayctl: %s: \"%s\" is not a MAC address "
				"(like 02:00:00:00:00:01)\n",
				name, text);
			return NULL;
		}
		base64_encode(mac, sizeof(mac), base64);
		return json_string(base64);
	case CTL_TIME_OF_DAY:
		if (strcmp(text, "never") == 0)
			return json_string("1970-01-01T00:00:00Z");
		if (strlen(text) == 10)
			return json_sprintf("%sT00:00:00Z", text);
		return json_string(text);
	case CTL_SWITCH:
		if (strcmp(text, "yes") == 0 || strcmp(text, "no") == 0)
			return json_boolean(text[0] == 'y');
		fprintf(stderr, "patchbayctl: %s: \"%s\" is not yes or no\n", name, text);
		return NULL;
	case CTL_HEX:
		return hex_value(name, text);
	case CTL_CERT_FILE:
	case CTL_KEY_FILE:
		return ctl_file_der(kind, text);
	case CTL_JSON:
		v = json_loads(text, JSON_REJECT_DUPLICATES, &error);
		if (v == NULL)
			fprintf(stderr, "patchbayctl: %s: not JSON: %s (at character %d)\n", name,
				error.text, error.position);
		else if (!json_is_object(v)) {
			fprintf(stderr, "patchbayctl: %s: must be an object, {...}\n", name);
			json_decref(v);
			v = NULL;
		}
		return v;
	}
	return NULL;
}

static bool add_all(json_t *params, const struct ctl_argument *a, const char *const *given)
{
	for (unsigned i = 0; a[i].name != NULL; i++) {
		json_t *v;

		if (given[i] == NULL || (a[i].field == NULL && a[i].kind == CTL_STRING))
			continue;
		v = ctl_value(a[i].kind, a[i].name, given[i]);
		if (v == NULL)
			return false;
		if (a[i].field != NULL)
			json_object_set_new(params, a[i].field, v);
		else if (a[i].kind == CTL_JSON) {
			json_object_update(params, v);
			json_decref(v);
		} else
			json_decref(v);
	}
	return true;
}

json_t *ctl_params(const struct ctl_run *run)
{
	json_t *params = json_object();

	if (!add_all(params, run->command->arguments, run->arguments) ||
		!add_all(params, run->command->options, run->options)) {
		json_decref(params);
		return NULL;
	}
	return params;
}

bool ctl_key_value(const char *word, char key[64], const char **value)
{
	const char *at = strchr(word, '=');
	size_t len = at == NULL ? 0 : (size_t)(at - word);

	if (len == 0 || len >= 64) {
		fprintf(stderr, "patchbayctl: \"%s\": should be KEY=VALUE\n", word);
		return false;
	}
	memcpy(key, word, len);
	key[len] = '\0';
	*value = at + 1;
	return true;
}

const char *ctl_option(const struct ctl_run *run, const char *name)
{
	const struct ctl_argument *o = run->command->options;

	for (unsigned i = 0; o[i].name != NULL; i++)
		if (strcmp(o[i].name, name) == 0)
			return run->options[i];
	return NULL;
}
