/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_PASSWORD_H
#define PATCHBAY_CONTROLPLANE_CTL_PASSWORD_H

#include <jansson.h>
#include <stdbool.h>

/*
 * A password from the terminal (twice, unseen) or the first line of standard input. malloc'ed, to be cleansed and
 * freed; NULL after saying on stderr why there is none. `whose`: for the prompt.
 */
char *ctl_password(const char *whose);

/*
 * Where `field` of params is "-": replaces it by what ctl_password() gives, so that the secret stands in no list of
 * processes. False after an error that was told.
 */
bool ctl_secret_option(json_t *params, const char *field, const char *whose);

#endif
