/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_TEXT_H
#define PATCHBAY_CONTROLPLANE_CTL_TEXT_H

/*
 * Text from the wire on a person's terminal: names of users and products are whatever a peer chose, so
 * everything that could move the cursor, change colours or turn the writing direction is shown as an escape.
 */

#include <stddef.h>

/* A malloc'ed copy that is safe to print, and in *columns the columns it takes. NULL with ENOMEM. */
char *text_printable(const char *text, size_t *columns);

#endif
