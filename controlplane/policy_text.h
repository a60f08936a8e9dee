/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_POLICY_TEXT_H
#define PATCHBAY_CONTROLPLANE_POLICY_TEXT_H

/* The words to the numbers of policy_wire.h, for `patchbayctl policy list`. */

#include "drivers/session/wire/policy_wire.h"

struct policy_text {
	const char *unit; /* "" for a flag or a plain number */
	const char *
		side; /* login, session, client, in = frames from the session, out, in and out, between */
	const char *effect;
};

/* Index = id. */
extern const struct policy_text policy_texts[POLICY_KEY_COUNT];

#endif
