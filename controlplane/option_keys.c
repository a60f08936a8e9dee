/* SPDX-License-Identifier: BSD-3-Clause */
/* The tables of hub options as data. */

#include "controlplane/option_keys.h"

#include <strings.h>

#define OPTION_ROW(name_, def_, min_, max_, effect_, text_) \
	{.name = #name_,                                    \
		.def = (def_),                              \
		.min = (min_),                              \
		.max = (max_),                              \
		.effect = OPTION_##effect_,                 \
		.text = (text_)},

const struct option_key hub_ext_keys[HUB_EXT_CNT] = {HUB_EXT_OPTIONS(OPTION_ROW)};
const struct option_key hub_admin_keys[HUB_ADMIN_CNT] = {HUB_ADMIN_OPTIONS(OPTION_ROW)};

int option_find(const struct option_key *keys, unsigned cnt, const char *name)
{
	for (unsigned i = 0; i < cnt; i++)
		if (strcasecmp(keys[i].name, name) == 0)
			return (int)i;
	return -1;
}

void option_defaults(const struct option_key *keys, unsigned cnt, uint32_t *values)
{
	for (unsigned i = 0; i < cnt; i++)
		values[i] = keys[i].def;
}

const char *option_effect_name(enum option_effect effect)
{
	static const char *const names[] = {
		[OPTION_NOW] = "at once",
		[OPTION_LOGIN] = "at login",
		[OPTION_ADMIN] = "for hub administrators",
		[OPTION_KEPT] = "not yet",
	};

	return names[effect];
}
