/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_JSON_IN_H
#define PATCHBAY_CONTROLPLANE_ADMIN_JSON_IN_H

/*
 * JSON as the source of arguments: an object whose member names carry the suffix of the field's type.
 * A member that the method does not have is an error: a mistyped optional parameter that is silently
 * ignored would delete the wrong thing.
 */

#include <jansson.h>

#include "controlplane/admin/call.h"

struct json_in {
	struct admin_in in;	      /* first */
	json_t *params;		      /* object or NULL; borrowed */
	struct json_decoded *decoded; /* bytes out of Base64, newest first */
	char stranger[ADMIN_FIELD_NAME_MAX + 1];
};

void json_in_init(struct json_in *j, json_t *params);
/* Frees what was decoded. */
void json_in_fini(struct json_in *j);

/* "2026-11-23T05:09:18.203Z" (fraction and Z may be missing) to ms since 1970; false if it is not that. */
bool json_time_parse(const char *text, int64_t *ms);

#endif
