/* SPDX-License-Identifier: BSD-3-Clause */
/* The method table as a whole, and the words of its types. */

#include "controlplane/admin/method.h"

#include <string.h>
#include <strings.h>

#include "controlplane/admin/method_list.h"

static const struct admin_method *const methods[] = {
#define X(symbol) &admin_method_##symbol,
	ADMIN_METHOD_LIST(X)
#undef X
};
#define METHOD_CNT (sizeof(methods) / sizeof(methods[0]))

static const struct {
	const char *name;
	const char *suffix;
} types[ADMIN_TYPE_CNT] = {
	[ADMIN_TYPE_BOOL] = {"bool", "bool"},
	[ADMIN_TYPE_INT] = {"int", "u32"},
	[ADMIN_TYPE_INT64] = {"int64", "u64"},
	[ADMIN_TYPE_TIME] = {"time", "dt"},
	[ADMIN_TYPE_STR] = {"str", "str"},
	[ADMIN_TYPE_USTR] = {"ustr", "utf"},
	[ADMIN_TYPE_DATA] = {"data", "bin"},
	[ADMIN_TYPE_IP] = {"ip", "ip"},
	[ADMIN_TYPE_TRAFFIC] = {"traffic", ""},
	[ADMIN_TYPE_ROWS] = {"rows", ""},
};

const struct admin_method *const *admin_methods(unsigned *cnt)
{
	*cnt = METHOD_CNT;
	return methods;
}

const struct admin_method *admin_method_find(const char *name)
{
	size_t lo = 0;
	size_t hi = METHOD_CNT;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;
		int d = strcasecmp(name, methods[mid]->name);

		if (d == 0)
			return methods[mid];
		if (d < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

const struct admin_field *admin_field_find(const struct admin_field *fields, const char *name)
{
	for (; fields->name != NULL; fields++)
		if (strcmp(fields->name, name) == 0)
			return fields;
	return NULL;
}

const char *admin_type_suffix(enum admin_type type)
{
	return types[type].suffix;
}

const char *admin_type_name(enum admin_type type)
{
	return types[type].name;
}

const char *admin_role_name(enum admin_role role)
{
	static const char *const names[] = {
		[ADMIN_ROLE_ANY] = "any",
		[ADMIN_ROLE_SERVER] = "server",
		[ADMIN_ROLE_HUB] = "hub",
	};

	return names[role];
}

const char *admin_effect_name(enum admin_effect effect)
{
	static const char *const names[] = {
		[ADMIN_EFFECT_NONE] = "reads",
		[ADMIN_EFFECT_RUNS] = "runs",
		[ADMIN_EFFECT_STORED] = "stored",
	};

	return names[effect];
}

const char *admin_traffic_name(unsigned i)
{
	static const char *const names[ADMIN_TRAFFIC_FIELDS] = {
		"Recv.BroadcastBytes",
		"Recv.BroadcastCount",
		"Recv.UnicastBytes",
		"Recv.UnicastCount",
		"Send.BroadcastBytes",
		"Send.BroadcastCount",
		"Send.UnicastBytes",
		"Send.UnicastCount",
	};

	return names[i];
}
