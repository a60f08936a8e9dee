/* SPDX-License-Identifier: BSD-3-Clause */
/* Rules, and the file they are in (where.h). The disk is a slow helper's; rules change hands on the control thread. */

#include "controlplane/admin/where.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/log.h"
#include "controlplane/slow.h"

#define LOOK_EVERY 3u /* seconds */

/* ---- rules ------------------------------------------------------------------------------------- */

/* Blanks off both ends; `text` is changed. */
static char *trim(char *text)
{
	size_t len;

	text += strspn(text, " \t\r");
	len = strlen(text);
	while (len > 0 && strchr(" \t\r", text[len - 1]) != NULL)
		text[--len] = '\0';
	return text;
}

static bool rule_parse(char *line, struct where_rule *rule)
{
	char *hub = line + strcspn(line, " \t");

	*rule = (struct where_rule){0};
	if (*hub != '\0') {
		*hub++ = '\0';
		hub = trim(hub);
		if (strlen(hub) >= sizeof(rule->hub))
			return false;
		strcpy(rule->hub, hub);
	}
	rule->everybody = strcmp(line, "*") == 0;
	return rule->everybody || directory_source_parse(line, &rule->source);
}

static int rules_add(struct where_rules *r, const struct where_rule *rule)
{
	struct where_rule *more;

	/* Room for twice as many whenever their number is a power of two. */
	if ((r->cnt & (r->cnt - 1)) == 0) {
		more = reallocarray(r->rules, r->cnt == 0 ? 1 : 2 * (size_t)r->cnt, sizeof(*more));
		if (more == NULL)
			return -ENOMEM;
		r->rules = more;
	}
	r->rules[r->cnt++] = *rule;
	return 0;
}

int where_parse(const char *text, struct where_rules *out)
{
	char *copy = strdup(text), *rest = copy, *line;
	struct where_rule rule;
	uint32_t number = 0;
	int rc = 0;

	*out = (struct where_rules){0};
	if (copy == NULL)
		return -ENOMEM;
	while (rc == 0 && (line = strsep(&rest, "\n")) != NULL) {
		char *slashes = strstr(line, "//");

		number++;
		if (slashes != NULL)
			*slashes = '\0';
		line[strcspn(line, "#")] = '\0';
		line = trim(line);
		if (line[0] == '\0')
			continue;
		if (out->cnt < WHERE_RULES_MAX && rule_parse(line, &rule)) {
			rc = rules_add(out, &rule);
		} else if (out->wrong++ == 0) {
			out->wrong_line = number;
		}
	}
	free(copy);
	if (rc != 0)
		where_rules_free(out);
	return rc;
}

void where_rules_free(struct where_rules *r)
{
	free(r->rules);
	*r = (struct where_rules){0};
}

static bool source_fits(const struct directory_source *s, const uint8_t *address, bool ipv6)
{
	unsigned bytes = ipv6 ? 16 : 4;

	if (s->ipv6 != ipv6)
		return false;
	for (unsigned i = 0; i < bytes; i++)
		if ((address[i] & s->mask[i]) != (s->address[i] & s->mask[i]))
			return false;
	return true;
}

bool where_rules_allow(
	const struct where_rules *r, const struct sockaddr_storage *peer, const char *hub)
{
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)peer;
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)peer;
	bool mapped = peer->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr);
	bool ipv6 = peer->ss_family == AF_INET6 && !mapped;
	const uint8_t *address = peer->ss_family == AF_INET ? (const uint8_t *)&v4->sin_addr
		: mapped				    ? v6->sin6_addr.s6_addr + 12
							    : v6->sin6_addr.s6_addr;

	for (uint32_t i = 0; i < r->cnt; i++) {
		const struct where_rule *rule = &r->rules[i];

		if (rule->hub[0] != '\0' && strcasecmp(rule->hub, hub) != 0)
			continue;
		if (rule->everybody || source_fits(&rule->source, address, ipv6))
			return true;
	}
	return false;
}

/* ---- the file ---------------------------------------------------------------------------------- */

struct look {
	struct slow_job job; /* first */
	struct stat seen;    /* all 0: there is no file */
	bool was_there;
	bool news;
	int error; /* of reading it */
	struct where_rules rules;
};

static struct {
	/* Stays after the end: a helper may still be looking. */
	char path[4096 + sizeof(WHERE_FILE)];
	bool on;
	struct stat seen;
	bool there;
	struct where_rules rules;
	struct look look;
	bool looking;
	unsigned seconds;
} where;

static bool same_file(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
		a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int file_read(struct look *l)
{
	int fd = open(where.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char *text = NULL;
	ssize_t n = 0;
	size_t at = 0;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &l->seen) < 0)
		rc = -errno;
	else if (!S_ISREG(l->seen.st_mode))
		rc = -EINVAL;
	else if (l->seen.st_size > WHERE_BYTES_MAX)
		rc = -EFBIG;
	else if ((text = malloc((size_t)l->seen.st_size + 1)) == NULL)
		rc = -ENOMEM;
	while (rc == 0 && at < (size_t)l->seen.st_size &&
		(n = read(fd, text + at, (size_t)l->seen.st_size - at)) > 0)
		at += (size_t)n;
	if (rc == 0 && n < 0)
		rc = -errno;
	if (rc == 0) {
		text[at] = '\0';
		rc = where_parse(text, &l->rules);
	}
	free(text);
	close(fd);
	return rc;
}

/* On a helper. */
static void look_work(struct slow_job *job)
{
	struct look *l = (struct look *)job;
	struct stat now = {0};

	if (stat(where.path, &now) < 0) {
		l->error = -errno;
		/* A link that leads nowhere was to say something. */
		if (l->error == -ENOENT && lstat(where.path, &now) < 0)
			l->error = 0;
	}
	if (l->error != 0) {
		l->news = true;
		l->seen = now;
		return;
	}
	l->news = !same_file(&now, &l->seen) || (now.st_ino != 0) != l->was_there;
	l->seen = now;
	if (l->news && now.st_ino != 0)
		l->error = file_read(l);
	/* Gone between the two: what the next look finds. */
	if (l->error == -ENOENT) {
		l->error = 0;
		l->seen = (struct stat){0};
	}
}

static void tell(const struct look *l)
{
	static struct log_limit limit = LOG_LIMIT(3, 6);

	if (l->error != 0)
		log_limited(&limit, LOG_LEVEL_ERROR, "admin",
			"%s: cannot be read (%s): nobody administers from the network", where.path,
			strerror(-l->error));
	else if (!where.there)
		log_notice("admin", "%s is no more: administrators may come from everywhere",
			where.path);
	else
		log_notice("admin", "%s: %u rules say from where administrators may come",
			where.path, where.rules.cnt);
	if (where.rules.wrong > 0)
		log_error("admin",
			"%s:%u: should be an address, a network such as 192.0.2.0/24, or *, and perhaps "
			"a hub (%u such lines, which allow nobody)",
			where.path, where.rules.wrong_line, where.rules.wrong);
}

static void look_done(struct slow_job *job)
{
	struct look *l = (struct look *)job;

	where.looking = false;
	if (!l->news || !where.on) {
		where_rules_free(&l->rules);
		return;
	}
	where_rules_free(&where.rules);
	where.rules = l->rules;
	l->rules = (struct where_rules){0};
	where.seen = l->seen;
	where.there = l->error != 0 || l->seen.st_ino != 0;
	tell(l);
}

void admin_where_look(bool now)
{
	if (where.looking || !where.on || (!now && ++where.seconds % LOOK_EVERY != 0))
		return;
	where.looking = true;
	where.look = (struct look){
		.job = {.work = look_work, .done = look_done},
		.seen = where.seen,
		.was_there = where.there,
	};
	slow_submit(&where.look.job);
}

bool admin_where_allows(const struct sockaddr_storage *peer, const char *hub)
{
	return !where.there || where_rules_allow(&where.rules, peer, hub);
}

int admin_where_init(const char *state_dir)
{
	if ((size_t)snprintf(where.path, sizeof(where.path), "%s/" WHERE_FILE, state_dir) >=
		sizeof(where.path))
		return -ENAMETOOLONG;
	where.on = true;
	/* At a start there is nobody yet whom the disk could keep waiting. */
	where.look = (struct look){.job = {.work = look_work, .done = look_done}};
	look_work(&where.look.job);
	look_done(&where.look.job);
	return 0;
}

void admin_where_fini(void)
{
	where_rules_free(&where.rules);
	where.on = false;
	where.there = false;
	where.seen = (struct stat){0};
}
