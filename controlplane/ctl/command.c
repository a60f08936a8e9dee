/* SPDX-License-Identifier: BSD-3-Clause */
/* All commands, noun by noun, and their look-up. */

#include "controlplane/ctl/command.h"

#include <string.h>

#define LIST(noun_) ctl_##noun_##_commands,
static const struct ctl_command *const nouns[] = {CTL_NOUNS(LIST)};
#define NOUN_CNT (sizeof(nouns) / sizeof(nouns[0]))

const struct ctl_command *ctl_command_at(unsigned index)
{
	for (unsigned i = 0; i < NOUN_CNT; i++)
		for (const struct ctl_command *c = nouns[i]; c->noun != NULL; c++)
			if (index-- == 0)
				return c;
	return NULL;
}

bool ctl_noun_exists(const char *noun)
{
	const struct ctl_command *c;

	for (unsigned i = 0; (c = ctl_command_at(i)) != NULL; i++)
		if (strcmp(c->noun, noun) == 0)
			return true;
	return false;
}

const struct ctl_command *ctl_command_find(const char *noun, const char *verb, unsigned *used)
{
	const struct ctl_command *c;

	for (unsigned i = 0; (c = ctl_command_at(i)) != NULL; i++) {
		if (strcmp(c->noun, noun) != 0)
			continue;
		if (c->verb == NULL || (verb != NULL && strcmp(c->verb, verb) == 0)) {
			*used = c->verb == NULL ? 1 : 2;
			return c;
		}
	}
	return NULL;
}
