/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGS_PACKET_NOTE_H
#define PATCHBAY_CONTROLPLANE_LOGS_PACKET_NOTE_H

/*
 * What the note of a packet log line says about a payload (reference/logging-admin.md 3): names that are asked for,
 * requests, leases. Small bounded parsers over bytes that anybody may have sent: what does not parse leaves
 * the note as it was. Values that are not one plain word stand in quotes (text_quoted()), so that no value
 * looks like another key.
 *
 * Pure. Any thread.
 */

#include "controlplane/logs/log_text.h"

/* " Key=value", the value as it is or in quotes. The first one has no blank before it. */
void note_put(struct text_line *note, const char *key, const char *value, size_t n);

/* The payload of a UDP packet: the name of the first question. */
void note_dns(struct text_line *note, const uint8_t *p, size_t n);
/* From the fixed part of a BOOTP message. */
void note_dhcp(struct text_line *note, const uint8_t *p, size_t n);
/* The header of IKE; behind four zeros if `nat`. What the exchange is called, or NULL. */
const char *note_ike(struct text_line *note, const uint8_t *p, size_t n, bool nat);
/* The payload of a segment. */
void note_http(struct text_line *note, const uint8_t *p, size_t n);
/* A TLS ClientHello: the name of the server it wants. */
void note_tls(struct text_line *note, const uint8_t *p, size_t n);

#endif
