/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CTL_FILE_H
#define PATCHBAY_CONTROLPLANE_CTL_FILE_H

/* Files that commands are given. What is wrong with one is said on stderr, with its name. */

#include <jansson.h>
#include <stddef.h>

#include "controlplane/ctl/command.h"

/*
 * The whole file of at most `most` bytes, "-": standard input, a NUL behind it; NULL after saying why not.
 * malloc'ed.
 */
char *ctl_file_read(const char *path, size_t most, size_t *size);

/*
 * A certificate (CTL_CERT_FILE) or private key (CTL_KEY_FILE) from a file in PEM or DER, as the Base64 of its DER; of
 * a PEM file the first that is there. NULL after saying what is wrong. A key that is protected by a passphrase is
 * refused: the daemon could not open it.
 */
json_t *ctl_file_der(enum ctl_kind kind, const char *path);

/* Calls `method` and prints the certificate in `field` of the answer as PEM, or with --json the answer. Exit status. */
int ctl_show_certificate(
	struct ctl_run *run, const char *method, json_t *params, const char *field);

#endif
