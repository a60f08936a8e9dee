/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_CERTIFICATE_H
#define PATCHBAY_CONTROLPLANE_CERTIFICATE_H

/*
 * The daemon's certificate: <state>/server.crt and <state>/server.key (mode 0600). Made at the first start:
 * self-signed, RSA-2048 with SHA-256 (what the oldest peers take, wire.md 1.2), common name = host name, good
 * for more than ten years. Kept for good, since clients may have pinned it; a person may put others there.
 */

/*
 * Makes what is missing. 0, or -errno after reporting. A key without its certificate gets a new
 * certificate; a certificate without its key is an error, never overwritten. Blocks (makes a key).
 */
int certificate_ensure(
	const char *state_dir, void (*report)(void *ctx, const char *line), void *ctx);

#endif
