/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_OPTIONS_H
#define PATCHBAY_CONTROLPLANE_OPTIONS_H

/* patchbayd's command line: patchbayd(8). */

#include <stdbool.h>

#define OPTIONS_CONFIG_DEFAULT "/etc/patchbay/patchbay.cfg"

struct options {
	const char *config; /* NULL: the default file if it is there, else built-in defaults */
	const char *state;  /* NULL: what the configuration says */
	bool check;
};

/*
 * Fills *out with pointers into argv. True: go on. False: *status is the exit status; help or version has
 * been printed on stdout, or what is wrong on stderr (status 2).
 */
bool options_parse(int argc, char *argv[], struct options *out, int *status);

#endif
