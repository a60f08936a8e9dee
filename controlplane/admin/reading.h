/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_READING_H
#define PATCHBAY_CONTROLPLANE_ADMIN_READING_H

/* Methods that have the directory read anew (store_reload_begin()): what they share. Control thread. */

#include <stddef.h>

struct admin_call;
struct reading;

#define ADMIN_CONFIG_BYTES 8388608u /* of a configuration in a request or an answer */

/* First member of such a method's state. */
struct admin_reading {
	struct reading *reading; /* NULL: not begun */
};

/* ADMIN_WAIT, or an error. `record` (malloc'ed, NULL: the file) goes with it in any case. */
int admin_read_begin(struct admin_call *call, char *record);
/* Afterwards: ADMIN_WAIT until it is over, then ADMIN_DONE or the error, with the first line of what is wrong. */
int admin_read_wait(struct admin_call *call);
void admin_read_fini(struct admin_call *call);

/* FileData as text, malloc'ed, without a byte order mark. NULL after an error is set in *rc. */
char *admin_take_config(struct admin_call *call, int *rc);

#endif
