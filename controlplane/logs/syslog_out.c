/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams of RFC 5424 (syslog_out.h). */

#include "controlplane/logs/syslog_out.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/logs/log_text.h"

/* Facility 10, security messages; severities notice and informational. */
#define PRI_NOTICE (10u * 8u + 5u)
#define PRI_INFO   (10u * 8u + 6u)

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
	if (bytes > 0)
		memcpy(&s->to, to, bytes);
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

static void make(const struct syslog_out *s, struct text_line *l, unsigned pri, const char *msgid,
	const char *time, const char *hub)
{
	text_printf(l, "<%u>1 %s %s patchbayd %d %s ", pri, time, s->host, (int)getpid(), msgid);
	if (hub[0] != '\0') {
		/* Names of hubs have none of the characters that would have to be escaped here. */
		text_printf(l, "[hub@0 name=\"");
		text_put(l, hub, strlen(hub));
		text_put(l, "\"] ", 3);
	} else {
		text_put(l, "- ", 2);
	}
}

static bool tell(struct syslog_out *s, const char *time)
{
	char bytes[256];
	struct text_line l;

	text_begin(&l, bytes, sizeof(bytes));
	make(s, &l, PRI_NOTICE, msgids[SYSLOG_SERVER], time, "");
	text_printf(&l, "lines lost lines=%llu error=\"%s\"", (unsigned long long)s->untold,
		strerror(s->error));
	return send_one(s, l.text, l.len) == 0;
}

void syslog_out_line(struct syslog_out *s, enum syslog_msgid msgid, const char *time,
	const char *hub, const char *line, size_t len)
{
	char bytes[SYSLOG_LINE_MAX];
	struct text_line l;
	int error;

	if (s->untold > 0 && tell(s, time))
		s->untold = 0;
	text_begin(&l, bytes, sizeof(bytes));
	make(s, &l, msgid == SYSLOG_PACKET ? PRI_INFO : PRI_NOTICE, msgids[msgid], time, hub);
	if (len > l.size - l.len)
		len = l.size - l.len;
	/* Not in the middle of a character. */
	while (len > 0 && l.len + len == l.size && ((unsigned char)line[len] & 0xc0) == 0x80)
		len--;
	text_put(&l, line, len);
	error = s->untold > 0 ? s->error : send_one(s, l.text, l.len);
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
