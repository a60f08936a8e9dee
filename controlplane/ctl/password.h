/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_PASSWORD_H
#define PATCHBAY_CONTROLPLANE_CTL_PASSWORD_H

/*
 * A password from the terminal (twice, unseen) or the first line of standard input. malloc'ed, to be cleansed and
 * freed; NULL after saying on stderr why there is none. `whose`: for the prompt.
 */
char *ctl_password(const char *whose);

#endif
