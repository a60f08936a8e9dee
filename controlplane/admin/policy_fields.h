/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_POLICY_FIELDS_H
#define PATCHBAY_CONTROLPLANE_ADMIN_POLICY_FIELDS_H

/*
 * A security policy as fields of a record: UsePolicy, policy:<Key> 38 times, policy:Ver3 (reference/policy.md 6).
 * Ranges are the table's, so that a value outside is refused with the key's name before a handler sees it.
 */

#include "controlplane/admin/call.h"
#include "drivers/session/wire/policy_wire.h"

#define ADMIN_POLICY_BOOL(key_, min_, max_, def_) .type = ADMIN_TYPE_BOOL
/* 0 is "not set" where it is the default below the range. */
#define ADMIN_POLICY_NUMBER(key_, min_, max_, def_) \
	.type = ADMIN_TYPE_INT, .min = (def_) == 0 ? 0 : (min_), .max = (max_)
#define ADMIN_POLICY_FIELD(flags_, key_, kind_, min_, max_, def_)             \
	{.name = "policy:" key_,                                              \
		.flags = (flags_),                                            \
		.text = "key " key_ " of the policy, see PatchbayEnumPolicy", \
		ADMIN_POLICY_##kind_(key_, min_, max_, def_)},

/* For a request or a record that may have one. */
#define ADMIN_POLICY_REQUEST_X(id, field, key, kind, min, max, def, cascade) \
	ADMIN_POLICY_FIELD(0, #key, kind, min, max, def)
#define ADMIN_POLICY_RESPONSE_X(id, field, key, kind, min, max, def, cascade) \
	ADMIN_POLICY_FIELD(ADMIN_F_OPTIONAL, #key, kind, min, max, def)

#define ADMIN_POLICY_REQUEST                                                           \
	ADMIN_BOOL("UsePolicy", "there is a policy; else its keys are not looked at"), \
		POLICY_KEYS(ADMIN_POLICY_REQUEST_X)                                    \
			ADMIN_BOOL("policy:Ver3", "keys from id 22 on are there")
#define ADMIN_POLICY_RESPONSE                                                              \
	ADMIN_BOOL("UsePolicy", "there is a policy; else its keys are missing"),           \
		POLICY_KEYS(ADMIN_POLICY_RESPONSE_X)                                       \
	{                                                                                  \
		.name = "policy:Ver3", .type = ADMIN_TYPE_BOOL, .flags = ADMIN_F_OPTIONAL, \
		.text = "keys from id 22 on are there"                                     \
	}

/* The policy of the request: what is not given has its default. False if it says there is none. */
bool admin_policy_get(const struct admin_call *call, struct policy_wire *out);
/* UsePolicy, and the keys if `use`. */
void admin_policy_put(struct admin_call *call, bool use, const struct policy_wire *policy);
/* The keys alone. */
void admin_policy_put_keys(struct admin_call *call, const struct policy_wire *policy);

#endif
