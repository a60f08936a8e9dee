/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_LISTING_H
#define PATCHBAY_CONTROLPLANE_CTL_LISTING_H

/* One list of an answer as rows of a table. */

#include "controlplane/ctl/command.h"
#include "controlplane/ctl/table.h"

struct listing {
	const char *list;
	const struct ctl_column *columns;
	struct table *table;
	const char *hub; /* first column, when not NULL */
};

/* For struct reply's `row`, with a struct listing as context; rows of other lists are passed over. */
void listing_row(void *ctx, const char *list, json_t *row);

#endif
