/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams of RFC 5424, and of journald (syslog_out.h). */

#include "controlplane/logs/syslog_out.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/logs/log_text.h"

/* Facility 10, security messages; severities notice and informational. */
#define FACILITY 10u
#define NOTICE	 5u
#define INFO	 6u

static const char *const msgids[] = {"server", "security", "packet"};

void syslog_out_init(struct syslog_out *s)
{
	*s = (struct syslog_out){.fd = -1};
	if (gethostname(s->host, sizeof(s->host) - 1) != 0 || s->host[0] == '\0')
		snprintf(s->host, sizeof(s->host), "-");
}

void syslog_out_close(struct syslog_out *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

void syslog_out_target(struct syslog_out *s, const struct sockaddr_storage *to, socklen_t bytes)
{
	if (bytes == s->to_bytes && memcmp(to, &s->to, bytes) == 0)
		return;
	syslog_out_close(s);
	s->to_bytes = bytes;
	s->journal = false;
	if (bytes == 0)
		return;
	memcpy(&s->to, to, bytes);
	s->journal = to->ss_family == AF_UNIX &&
		strcmp(((const struct sockaddr_un *)&s->to)->sun_path, JOURNAL_SOCKET) == 0;
}

/* 0 or an errno. */
static int send_one(struct syslog_out *s, const char *text, size_t len)
{
	if (s->to_bytes == 0)
		return EDESTADDRREQ;
	if (s->fd < 0) {
		s->fd = socket(s->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (s->fd < 0)
			return errno;
	}
	/* Not connected: a receiver that comes back, or that is another, gets the next one. */
	if (sendto(s->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL, (struct sockaddr *)&s->to,
		    s->to_bytes) >= 0)
		return 0;
	return errno;
}

/* A field with its length before it, so that no byte of it can begin another one. */
static void journal_field(struct text_line *l, const char *name, const char *bytes, size_t n)
{
	uint8_t len[8];

	for (unsigned i = 0; i < sizeof(len); i++)
		len[i] = (uint8_t)((uint64_t)n >> 8 * i);
	text_printf(l, "%s\n", name);
	text_put(l, (const char *)len, sizeof(len));
	text_put(l, bytes, n);
	text_put(l, "\n", 1);
}

/* Everything but the message (systemd's JOURNAL_NATIVE_PROTOCOL; SYSLOG_* as journald makes them of /dev/log's). */
static void journal_make(struct text_line *l, unsigned severity, const char *msgid,
	const char *time, const char *hub)
{
	text_printf(l,
		"PRIORITY=%u\nSYSLOG_FACILITY=%u\nSYSLOG_IDENTIFIER=patchbayd\nSYSLOG_PID=%d\n"
		"PATCHBAY_LOG=%s\nPATCHBAY_TIME=%s\n",
		severity, FACILITY, (int)getpid(), msgid, time);
	if (hub[0] != '\0')
		journal_field(l, "PATCHBAY_HUB", hub, strlen(hub));
}

static void syslog_make(const struct syslog_out *s, struct text_line *l, unsigned severity,
	const char *msgid, const char *time, const char *hub)
{
	text_printf(l, "<%u>1 %s %s patchbayd %d %s ", FACILITY * 8 + severity, time, s->host,
		(int)getpid(), msgid);
	if (hub[0] != '\0') {
		/* Names of hubs have none of the characters that would have to be escaped here. */
		text_printf(l, "[hub@0 name=\"");
		text_put(l, hub, strlen(hub));
		text_put(l, "\"] ", 3);
	} else {
		text_put(l, "- ", 2);
	}
}

/* One line on its way: 0, or why not. */
static int line_send(struct syslog_out *s, unsigned severity, enum syslog_msgid msgid,
	const char *time, const char *hub, const char *line, size_t len)
{
	char bytes[JOURNAL_LINE_MAX];
	struct text_line l;

	text_begin(&l, bytes, s->journal ? JOURNAL_LINE_MAX : SYSLOG_LINE_MAX);
	if (s->journal) {
		journal_make(&l, severity, msgids[msgid], time, hub);
		journal_field(&l, "MESSAGE", line, len);
		return send_one(s, l.text, l.len);
	}
	syslog_make(s, &l, severity, msgids[msgid], time, hub);
	if (len > l.size - l.len)
		len = l.size - l.len;
	/* Not in the middle of a character. */
	while (len > 0 && l.len + len == l.size && ((unsigned char)line[len] & 0xc0) == 0x80)
		len--;
	text_put(&l, line, len);
	return send_one(s, l.text, l.len);
}

static bool tell(struct syslog_out *s, const char *time)
{
	const struct log_field fields[] = {
		LOG_NUMBER("lines", s->untold), LOG_TEXT("error", strerror(s->error)), LOG_END};
	char bytes[256];
	struct text_line l;

	text_begin(&l, bytes, sizeof(bytes));
	text_put(&l, "{", s->json);
	text_event(&l, s->json, "lines lost", fields);
	text_put(&l, "}", s->json);
	return line_send(s, NOTICE, SYSLOG_SERVER, time, "", l.text, l.len) == 0;
}

void syslog_out_line(struct syslog_out *s, enum syslog_msgid msgid, const char *time,
	const char *hub, const char *line, size_t len)
{
	int error;

	if (s->untold > 0 && tell(s, time))
		s->untold = 0;
	error = s->untold > 0
		? s->error
		: line_send(s, msgid == SYSLOG_PACKET ? INFO : NOTICE, msgid, time, hub, line, len);
	if (error == 0) {
		s->sent++;
		return;
	}
	s->error = error;
	s->untold++;
	s->lost++;
}

int syslog_address(const char *host, unsigned port, struct sockaddr_storage *out, socklen_t *bytes)
{
	const struct addrinfo hints = {
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV, .ai_socktype = SOCK_DGRAM};
	struct sockaddr_un *un = (struct sockaddr_un *)out;
	struct addrinfo *found;
	char service[8];

	memset(out, 0, sizeof(*out));
	if (strcmp(host, JOURNAL_NAME) == 0)
		host = JOURNAL_SOCKET;
	if (host[0] == '/') {
		if (strlen(host) >= sizeof(un->sun_path))
			return -EINVAL;
		un->sun_family = AF_UNIX;
		memcpy(un->sun_path, host, strlen(host) + 1);
		*bytes = sizeof(*un);
		return 0;
	}
	snprintf(service, sizeof(service), "%u", port);
	if (getaddrinfo(host, service, &hints, &found) != 0)
		return -EINVAL;
	memcpy(out, found->ai_addr, found->ai_addrlen);
	*bytes = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}
