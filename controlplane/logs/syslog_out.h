/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_LOGS_SYSLOG_OUT_H
#define PATCHBAY_CONTROLPLANE_LOGS_SYSLOG_OUT_H

/*
 * Lines to a syslog server: RFC 5424 in datagrams, over UDP, or over a UNIX socket such as /dev/log. Or to journald in
 * its own protocol ("journald", or the path of its socket), which keeps what a line is of as fields that journalctl finds:
 * PATCHBAY_LOG and PATCHBAY_HUB beside MESSAGE. (Behind /dev/log journald takes RFC 5424's header for text.)
 *
 * Sending never waits: what the socket does not take at once is lost and
 * counted, and the next line that it takes is preceded by one that says how many were.
 *
 * One thread, but for where to send to: syslog_out_target() may come from any.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#define SYSLOG_LINE_MAX	 2048u	/* every receiver should take that (RFC 5424 6.1) */
#define JOURNAL_LINE_MAX 25600u /* the longest line there is, and its fields */
#define JOURNAL_NAME	 "journald"
#define JOURNAL_SOCKET	 "/run/systemd/journal/socket"

enum syslog_msgid {
	SYSLOG_SERVER,
	SYSLOG_SECURITY,
	SYSLOG_PACKET
};

struct syslog_out {
	int fd; /* -1 */
	bool journal;
	bool json; /* what it says itself is said so */
	struct sockaddr_storage to;
	socklen_t to_bytes; /* 0: nowhere known (yet) */
	char host[64];
	uint64_t sent, lost;
	uint64_t untold;
	int error;
};

void syslog_out_init(struct syslog_out *s);
/* `bytes` 0: nowhere. */
void syslog_out_target(struct syslog_out *s, const struct sockaddr_storage *to, socklen_t bytes);
/* `time` as RFC 3339 has it; `hub` or "". */
void syslog_out_line(struct syslog_out *s, enum syslog_msgid msgid, const char *time,
	const char *hub, const char *line, size_t len);
void syslog_out_close(struct syslog_out *s);

/*
 * The address of "journald", "/dev/log", or of a numeric one. -EINVAL: neither, it is a name that somebody has to look up.
 */
int syslog_address(const char *host, unsigned port, struct sockaddr_storage *out, socklen_t *bytes);

#endif
