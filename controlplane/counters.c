/* SPDX-License-Identifier: BSD-3-Clause */
/* See counters.h: when a round is due, and what goes into it. */

#include "controlplane/counters.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "controlplane/control.h"
#include "controlplane/counters_file.h"
#include "controlplane/directory.h"
#include "controlplane/log.h"
#include "controlplane/slow.h"
#include "controlplane/store.h"
#include "dataplane/lcore.h"

#define FILE_NAME  "counters"
#define VERSIONS   1u
#define FILE_BYTES 4294967296u /* more is none of ours */
#define SLICE	   4096u       /* objects a turn; a hub is never parted */

struct round {
	struct slow_job job; /* first */
	struct counters_line *lines;
	size_t cnt, cap;
	char *names;
	size_t names_size, names_cap;
	uint32_t before; /* sum of the text that is on the disk */
	/* the outcome */
	uint32_t sum;
	uint64_t bytes;
	int error;
	bool written;
};

/* Not the shared helpers: devices may keep those for seconds, and the end waits for this. */
static struct slow_pool pool = SLOW_POOL_NICE_INITIALIZER("pb-counters");

static struct {
	char *dir;
	struct event *due, *more;
	struct timeval period;
	struct round round;
	bool noting, writing;
	char last[DIRECTORY_NAME_BYTES]; /* hub noted last */
	unsigned noted;			 /* hubs noted */
	uint64_t number;		 /* of the round under way or done last */
	uint64_t wanted;		 /* a round of at least this number */
	bool failed_told;
	struct traffic_totals server_before;
	struct counters_status status;
} counters;

static void round_begin(void);

/* ---- loading ----------------------------------------------------------------------------------- */

struct loader {
	struct directory_hub *hub; /* of the lines that come; NULL: it is no more */
};

/* The object that was counted, or another of its name that came after it? The directory file has seconds. */
static bool is_same(int64_t created_ms, int64_t counted_ms)
{
	return created_ms / 1000 == counted_ms / 1000;
}

static void take(void *ctx, const struct counters_line *l, const char *name)
{
	struct loader *loader = ctx;
	struct directory_group *group;
	struct directory_user *user;

	switch (l->kind) {
	case COUNTERS_SERVER:
		counters.server_before = l->traffic;
		break;
	case COUNTERS_HUB:
		loader->hub = directory_hub_find(name);
		if (loader->hub != NULL && !is_same(loader->hub->created_ms, l->created_ms))
			loader->hub = NULL;
		if (loader->hub == NULL)
			break;
		loader->hub->login_cnt = l->login_cnt;
		loader->hub->last_login_ms = l->last_login_ms;
		loader->hub->last_comm_ms = l->last_comm_ms;
		loader->hub->traffic_before = l->traffic;
		break;
	case COUNTERS_GROUP:
		group = loader->hub == NULL ? NULL : directory_group_find(loader->hub, name);
		if (group != NULL)
			group->traffic = l->traffic;
		break;
	case COUNTERS_USER:
		user = loader->hub == NULL ? NULL : directory_user_find(loader->hub, name);
		if (user == NULL || !is_same(user->created_ms, l->created_ms))
			break;
		user->login_cnt = l->login_cnt;
		user->last_login_ms = l->last_login_ms;
		user->traffic = l->traffic;
		break;
	case COUNTERS_KIND_CNT:
		break;
	}
}

/* 0, or -errno: -ENOENT, -EINVAL: damaged. */
static int load(const char *path)
{
	struct loader loader = {.hub = NULL};
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;
	char *bytes = NULL;
	size_t size = 0;
	ssize_t n = 1;
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		rc = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size > (off_t)FILE_BYTES)
		rc = -EINVAL;
	else if ((bytes = malloc((size_t)st.st_size + 1)) == NULL)
		rc = -ENOMEM;
	while (rc == 0 && size < (size_t)st.st_size && n > 0) {
		n = read(fd, bytes + size, (size_t)st.st_size - size);
		if (n > 0)
			size += (size_t)n;
		else if (n < 0)
			rc = -errno;
	}
	close(fd);
	if (rc == 0)
		rc = counters_read(bytes, size, take, &loader);
	free(bytes);
	return rc;
}

void counters_load(const char *state_dir, void (*report)(void *ctx, const char *line), void *ctx)
{
	static const char *const names[] = {FILE_NAME, FILE_NAME ".1"};
	char path[4096], line[4352];

	for (unsigned i = 0; i < 2; i++) {
		int rc;

		snprintf(path, sizeof(path), "%s/%s", state_dir, names[i]);
		rc = load(path);
		if (rc == 0)
			return;
		if (rc == -ENOENT)
			continue;
		snprintf(line, sizeof(line), "%s: %s; %s", path,
			rc == -EINVAL ? "damaged" : strerror(-rc),
			i == 0 ? "the traffic and logins of the save before it are taken"
			       : "traffic and logins are counted from zero");
		report(ctx, line);
	}
}

/* ---- noting ------------------------------------------------------------------------------------ */

static bool is_zero(const struct counters_line *l)
{
	static const struct traffic_totals none;

	return l->login_cnt == 0 && l->last_login_ms == 0 &&
		memcmp(&l->traffic, &none, sizeof(none)) == 0;
}

static int note(struct round *r, const struct counters_line *line, const char *name)
{
	size_t len = strlen(name) + 1;

	if (r->cnt == r->cap) {
		size_t cap = r->cap == 0 ? 256 : 2 * r->cap;
		void *more = reallocarray(r->lines, cap, sizeof(*r->lines));

		if (more == NULL)
			return -ENOMEM;
		r->lines = more;
		r->cap = cap;
	}
	if (r->names_cap - r->names_size < len) {
		size_t cap = 2 * r->names_cap + len + 4096;
		char *more = realloc(r->names, cap);

		if (more == NULL)
			return -ENOMEM;
		r->names = more;
		r->names_cap = cap;
	}
	r->lines[r->cnt] = *line;
	r->lines[r->cnt++].name = r->names_size;
	memcpy(r->names + r->names_size, name, len);
	r->names_size += len;
	return 0;
}

static int note_hub(struct round *r, struct directory_hub *hub)
{
	struct counters_line l = {.kind = COUNTERS_HUB,
		.login_cnt = hub->login_cnt,
		.created_ms = hub->created_ms,
		.last_login_ms = hub->last_login_ms,
		.last_comm_ms = hub->last_comm_ms};
	const struct directory_group *group;
	const struct directory_user *user;
	int rc;

	/* One that is on its way out has no data path any more, and soon no record. */
	if (hub->hub == NULL)
		return 0;
	traffic_of_hub(hub, &l.traffic);
	rc = note(r, &l, hub->name);
	TAILQ_FOREACH (group, &hub->groups, entry) {
		l = (struct counters_line){.kind = COUNTERS_GROUP, .traffic = group->traffic};
		if (rc == 0 && !is_zero(&l))
			rc = note(r, &l, group->name);
	}
	TAILQ_FOREACH (user, &hub->users, entry) {
		l = (struct counters_line){.kind = COUNTERS_USER,
			.login_cnt = user->login_cnt,
			.created_ms = user->created_ms,
			.last_login_ms = user->last_login_ms,
			.traffic = user->traffic};
		if (rc == 0 && !is_zero(&l))
			rc = note(r, &l, user->name);
	}
	return rc;
}

/* The hub behind the one noted last; if that is no more, the one at its place. */
static struct directory_hub *next_hub(void)
{
	struct directory_hub *hub, *last;
	unsigned at = 0;

	if (counters.noted == 0)
		return TAILQ_FIRST(directory_hubs());
	last = directory_hub_find(counters.last);
	if (last != NULL)
		return TAILQ_NEXT(last, entry);
	TAILQ_FOREACH (hub, directory_hubs(), entry)
		if (++at == counters.noted)
			return hub;
	return NULL;
}

/* True when all is noted. */
static bool note_some(int *error)
{
	struct round *r = &counters.round;
	size_t begin = r->cnt;
	struct directory_hub *hub;

	*error = 0;
	while (r->cnt - begin < SLICE) {
		hub = next_hub();
		if (hub == NULL)
			return true;
		*error = note_hub(r, hub);
		if (*error != 0)
			return true;
		snprintf(counters.last, sizeof(counters.last), "%s", hub->name);
		counters.noted++;
	}
	return false;
}

/* ---- a round ----------------------------------------------------------------------------------- */

static void round_work(struct slow_job *job)
{
	struct round *r = (struct round *)job;
	size_t size = 0;
	char *text = counters_write(r->lines, r->cnt, r->names, &size);

	r->error = text == NULL ? -ENOMEM : 0;
	r->written = false;
	if (text != NULL) {
		r->sum = (uint32_t)crc32_z(0, (const unsigned char *)text, size);
		r->bytes = size;
		if (r->sum != r->before) {
			r->error = store_put(counters.dir, FILE_NAME, 0600, text, size, VERSIONS);
			r->written = r->error == 0;
		}
	}
	free(text);
}

static void round_over(int error)
{
	struct round *r = &counters.round;

	r->cnt = r->names_size = 0;
	counters.status.error = error;
	if (error != 0 && !counters.failed_told)
		log_warning("store",
			"traffic and logins could not be saved: %s; tried again, until then a "
			"restart loses them",
			strerror(-error));
	counters.failed_told = error != 0;
}

static void round_done(struct slow_job *job)
{
	struct round *r = (struct round *)job;

	counters.writing = false;
	if (r->error == 0)
		r->before = r->sum;
	if (r->written) {
		counters.status.saved_ms = directory_now_ms();
		counters.status.bytes = r->bytes;
		counters.status.saves++;
	}
	round_over(r->error);
	if (counters.wanted > counters.number)
		round_begin();
}

/* Before anything was written. Who has asked meanwhile waits for the next, which may fare better. */
static void round_failed(int error)
{
	round_over(error);
	if (counters.wanted > counters.number)
		round_begin();
}

static void on_more(evutil_socket_t, short, void *)
{
	static const struct timeval soon = {.tv_sec = 0};
	int error;

	if (!note_some(&error)) {
		evtimer_add(counters.more, &soon);
		return;
	}
	counters.noting = false;
	if (error != 0) {
		round_failed(error);
		return;
	}
	counters.writing = true;
	slow_pool_submit(&pool, &counters.round.job);
}

static void note_server(int *error)
{
	struct counters_line l = {.kind = COUNTERS_SERVER};

	counters_server(&l.traffic);
	*error = note(&counters.round, &l, "");
}

static void round_begin(void)
{
	int error;

	if (counters.noting || counters.writing)
		return;
	counters.number++;
	counters.noting = true;
	counters.noted = 0;
	traffic_fold(NULL);
	note_server(&error);
	if (error == 0) {
		on_more(-1, 0, NULL);
		return;
	}
	counters.noting = false;
	round_failed(error);
}

static void on_due(evutil_socket_t, short, void *)
{
	counters_save();
}

int counters_start(const char *state_dir, unsigned save_s)
{
	counters.dir = strdup(state_dir);
	counters.due = event_new(control_base(), -1, EV_PERSIST, on_due, NULL);
	counters.more = evtimer_new(control_base(), on_more, NULL);
	counters.period = (struct timeval){.tv_sec = save_s};
	counters.round.job = (struct slow_job){.work = round_work, .done = round_done};
	if (counters.dir == NULL || counters.due == NULL || counters.more == NULL ||
		event_add(counters.due, &counters.period) < 0)
		return -ENOMEM;
	return slow_pool_init(&pool, 1);
}

void counters_stop(void)
{
	struct round *r = &counters.round;
	int error = 0;

	if (counters.dir == NULL)
		return;
	if (counters.due != NULL)
		event_free(counters.due);
	if (counters.more != NULL)
		event_free(counters.more);
	counters.due = counters.more = NULL;
	counters.wanted = 0;
	slow_pool_fini(&pool); /* what it writes is older than what there is now */
	counters.noting = false;
	counters.noted = 0;
	r->cnt = r->names_size = 0;
	traffic_fold(NULL);
	note_server(&error);
	while (error == 0 && !note_some(&error))
		;
	if (error == 0) {
		round_work(&r->job);
		error = r->error;
	}
	round_over(error);
	free(r->lines);
	free(r->names);
	*r = (struct round){.cnt = 0};
	free(counters.dir);
	counters.dir = NULL;
}

uint64_t counters_save(void)
{
	counters.wanted = counters.number + 1;
	round_begin();
	return counters.wanted;
}

bool counters_saved(uint64_t number, int *error)
{
	*error = counters.status.error;
	return counters.number > number ||
		(counters.number == number && !counters.noting && !counters.writing);
}

/* ---- what is counted here ---------------------------------------------------------------------- */

void counters_server(struct traffic_totals *out)
{
	*out = counters.server_before;
	for (unsigned i = 0; i < lcore_count(); i++) {
		struct lcore_view v;

		lcore_view(i, &v);
		stats_traffic_add(&out->in, &v.stats.in);
		stats_traffic_add(&out->out, &v.stats.out);
	}
}

void counters_status(struct counters_status *out)
{
	*out = counters.status;
}
