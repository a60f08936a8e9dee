/* SPDX-License-Identifier: BSD-3-Clause */
/* The policy table's functions, all generated from POLICY_KEYS. */
#include "drivers/session/wire/policy_wire.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <strings.h>

#include "drivers/session/wire/pack.h"

const struct policy_key policy_keys[POLICY_KEY_COUNT] = {
#define POLICY_ROW(id, field, name, kind_, min_, max_, def_, cascade_) \
	[id] = {.key = #name,                                          \
		.kind = POLICY_##kind_,                                \
		.min = min_,                                           \
		.max = max_,                                           \
		.def = def_,                                           \
		.cascade = cascade_},
	POLICY_KEYS(POLICY_ROW)
#undef POLICY_ROW
};

/* The struct is an array of numbers in id order; get and set rely on it. */
#define POLICY_ORDER(id, field, key, kind, min, max, def, cascade) \
	static_assert(offsetof(struct policy_wire, field) == (id) * sizeof(uint32_t), #key);
POLICY_KEYS(POLICY_ORDER)
#undef POLICY_ORDER
static_assert(sizeof(struct policy_wire) == POLICY_KEY_COUNT * sizeof(uint32_t), "38 keys");

static uint32_t *policy_slot(struct policy_wire *p, unsigned int id)
{
	return (uint32_t *)((char *)p + id * sizeof(uint32_t));
}

void policy_wire_default(struct policy_wire *p)
{
	*p = (struct policy_wire){
#define POLICY_DEFAULT(id, field, key, kind, min, max, def, cascade) .field = def,
		POLICY_KEYS(POLICY_DEFAULT)
#undef POLICY_DEFAULT
	};
}

int policy_key_find(const char *key)
{
	int id;

	for (id = 0; id < POLICY_KEY_COUNT; id++)
		if (!strcasecmp(policy_keys[id].key, key))
			return id;
	return -ENOENT;
}

uint32_t policy_wire_get(const struct policy_wire *p, unsigned int id)
{
	return *policy_slot((struct policy_wire *)p, id);
}

int policy_value_check(unsigned int id, uint32_t value)
{
	const struct policy_key *k;

	if (id >= POLICY_KEY_COUNT)
		return -ENOENT;
	k = &policy_keys[id];
	if (value == k->def || (value >= k->min && value <= k->max))
		return 0;
	return -ERANGE;
}

int policy_wire_set(struct policy_wire *p, unsigned int id, uint32_t value)
{
	int ret = policy_value_check(id, value);

	if (!ret)
		*policy_slot(p, id) = value;
	return ret;
}

static const char *policy_element(char name[PACK_NAME_MAX + 1], const char *key)
{
	snprintf(name, PACK_NAME_MAX + 1, "policy:%s", key);
	return name;
}

void policy_wire_pack(const struct policy_wire *p, struct pack_writer *w)
{
	char name[PACK_NAME_MAX + 1];
	unsigned int id;

	for (id = 0; id < POLICY_KEY_COUNT; id++)
		pack_add_int(w, policy_element(name, policy_keys[id].key), policy_wire_get(p, id));
	pack_add_bool(w, policy_element(name, "Ver3"), true);
}

void policy_wire_unpack(struct policy_wire *p, const struct pack *pack)
{
	char name[PACK_NAME_MAX + 1];
	unsigned int id, end = POLICY_KEY_COUNT;

	if (!pack_get_bool(pack, policy_element(name, "Ver3")))
		end = POLICY_VERSION3_FROM;
	for (id = 0; id < end; id++) {
		uint32_t v = pack_get_int(pack, policy_element(name, policy_keys[id].key));

		*policy_slot(p, id) = policy_keys[id].kind == POLICY_BOOL ? v != 0 : v;
	}
}
