/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGS_PACKET_TEXT_H
#define PATCHBAY_CONTROLPLANE_LOGS_PACKET_TEXT_H

/*
 * A record of the packet log as a line (reference/logging-admin.md 3): the original's columns, without a header line,
 *
 *   date, time, source session, destination session, source MAC, destination MAC, EtherType, size, type, subtype,
 *   source IP, source port, destination IP, destination port, seq, ack, note, data, source physical IP,
 *   destination physical IP
 *
 * "-" for what there is not, and fields that could break the line in quotes (log_text.h); or the same as JSON, where
 * what there is not is left out.
 *
 * Pure. Any thread.
 */

#include "controlplane/logs/log_text.h"

struct packet_record;

#define PACKET_TEXT_MAX 24576u /* a jumbo frame in hex, and the rest */

/* NULL or "" for what is not known. */
struct packet_names {
	const char *hub; /* JSON only */
	const char *from, *to;
	const char *from_ip, *to_ip;
	bool no_ips; /* the last two columns are not there */
};

/* `date` and `clock`: the first two columns; JSON has `time` instead. */
struct packet_time {
	const char *date, *clock, *json;
};

void packet_text(struct text_line *l, bool json, const struct packet_record *rec,
	const struct packet_names *names, const struct packet_time *when);

#endif
