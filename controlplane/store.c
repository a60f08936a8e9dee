/* SPDX-License-Identifier: BSD-3-Clause */
/* The directory on disk (store.h): what is asked for, and which thread of the store does it when. */

#include "controlplane/store.h"

#include <errno.h>
#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "controlplane/control.h"
#include "controlplane/directory_priv.h"
#include "controlplane/journal.h"
#include "controlplane/log.h"
#include "controlplane/slow.h"
#include "controlplane/store_priv.h"

#define SETTLED_MAX 4u
#define QUIET_MS    1000     /* without a change: time to fold */
#define FOLD_BYTES  1048576u /* at once when the journal has more, and more than the file is large */
#define LOOK_S \
	5 /* between two looks whether somebody edited the file; also after a fold that failed */
#define END_BYTES    33554432u /* more is left to the next start */
#define BUFFER_BYTES 65536u    /* kept for the next commit */

struct commit {
	struct slow_job job; /* first */
	char *bytes;
	size_t size, cap;
	uint64_t segment;
	int error;
	struct store_request *requests;
};

struct fold_job {
	struct slow_job job; /* first */
	struct store_fold fold;
	struct store_request *flushers; /* answered by it */
};

struct look_job {
	struct slow_job job; /* first */
	struct store_identity seen;
};

static struct slow_pool commit_pool = SLOW_POOL_INITIALIZER("pb-store");
static struct slow_pool fold_pool = SLOW_POOL_NICE_INITIALIZER("pb-fold");

static struct {
	char *dir;
	bool loaded; /* what is in memory may go to the disk */
	bool threads;
	struct store_segment open; /* the commit thread's while `committing` */
	uint64_t segment;	   /* where the next record goes */
	bool segment_used;	   /* something is in it */
	uint64_t closed_bytes;	   /* of segments before it */
	uint64_t open_bytes;
	uint64_t torn; /* at the end of the last segment, as loaded */
	struct store_identity file;
	bool committing, folding, looking, fold_wanted;
	bool frozen; /* store_freeze() */
	void (*calm)(void);
	struct commit commit;
	struct fold_job fold;
	struct look_job look;
	char *waiting_bytes; /* records for the next commit */
	size_t waiting_size, waiting_cap;
	struct store_request *waiting, **waiting_tail;
	struct store_request *flushers;
	struct event *quiet, *watch;
	void (*settled[SETTLED_MAX])(void);
	struct store_status status;
} store = {.waiting_tail = &store.waiting, .open = {.fd = -1}};

static void commit_begin(void);
static void fold_begin(void);

/* ---- loading ----------------------------------------------------------------------------------- */

int store_init(const char *state_dir)
{
	store.dir = strdup(state_dir);
	store.segment = 1;
	return store.dir != NULL ? 0 : -ENOMEM;
}

void store_fini(void)
{
	store_segment_close(&store.open);
	free(store.dir);
	store.dir = NULL;
	store.loaded = false;
	store.segment_used = false;
	store.closed_bytes = store.open_bytes = store.torn = 0;
	store.status = (struct store_status){0};
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 || errno != ENOENT;
}

/* The youngest earlier version that loads, or 0; *any: there is one at all. */
static unsigned loadable_version(const char *path, bool *any)
{
	struct directory scrap;
	unsigned found = 0;

	*any = false;
	for (unsigned v = 1; v <= STORE_VERSIONS && found == 0; v++) {
		char *version;

		if (asprintf(&version, "%s.%u", path, v) < 0)
			break;
		if (exists(version)) {
			*any = true;
			directory_init(&scrap);
			if (directory_read_file(version, NULL, NULL, &scrap) == 0)
				found = v;
			directory_free(&scrap);
		}
		free(version);
	}
	return found;
}

static void report_versions(const char *path, const char *what, unsigned version,
	void (*report)(void *ctx, const char *line), void *ctx)
{
	char *line;
	int n;

	if (version == 0)
		n = asprintf(&line, "%s: %s; no earlier version would load", path, what);
	else
		n = asprintf(&line,
			"%s: %s; the youngest earlier version that would load is %s.%u "
			"(to go back to it: cp -p %s.%u %s)",
			path, what, path, version, path, version, path);
	if (n < 0)
		return;
	report(ctx, line);
	free(line);
}

/* Which file it is that memory stands for now. */
static void file_take(void)
{
	int dirfd = open(store.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	store.file = (struct store_identity){0};
	if (dirfd < 0)
		return;
	(void)store_identify(dirfd, STORE_FILE, &store.file);
	close(dirfd);
}

/* The file at `path` with the journal on top, into the directory in force. */
static int load(const char *path, void (*report)(void *ctx, const char *line), void *ctx)
{
	uint64_t first, last, bytes;
	struct directory fresh;
	int rc;

	directory_init(&fresh);
	file_take();
	rc = directory_read_file(path, report, ctx, &fresh);
	if (rc == 0)
		rc = store_segments_replay(store.dir, UINT64_MAX, &fresh, &store.torn, report, ctx);
	if (rc == 0)
		rc = store_segments_find(store.dir, &first, &last, &bytes);
	if (rc < 0) {
		directory_free(&fresh);
		return rc;
	}
	store.segment = last >= fresh.journal ? last + 1 : fresh.journal;
	store.closed_bytes = last >= fresh.journal ? bytes : 0;
	store_segment_close(&store.open);
	store.segment_used = false;
	store.open_bytes = 0;
	directory_clear();
	directory_move(&directory_now, &fresh);
	return 0;
}

int store_load(void (*report)(void *ctx, const char *line), void *ctx)
{
	uint64_t first = 0, last, bytes;
	bool there, any;
	unsigned version;
	char *path;
	int rc;

	store.loaded = false;
	if (asprintf(&path, "%s/" STORE_FILE, store.dir) < 0)
		return -ENOMEM;
	there = exists(path);
	rc = there ? load(path, report, ctx) : -ENOENT;
	if (rc < 0) {
		directory_clear();
		version = loadable_version(path, &any);
		(void)store_segments_find(store.dir, &first, &last, &bytes);
		if (there) {
			report_versions(
				path, "does not load and is left as it is", version, report, ctx);
		} else if (any || first != 0) {
			report_versions(path, "is missing, but earlier versions are here", version,
				report, ctx);
			rc = -EINVAL;
		}
	}
	store.loaded = rc == 0 || rc == -ENOENT;
	free(path);
	return rc;
}

int store_save_now(void)
{
	size_t size;
	char *text;
	int rc;

	if (!store.loaded)
		return -EPERM;
	directory_now.journal = store.segment;
	text = directory_serialise(&size);
	if (text == NULL)
		return -errno;
	rc = store_put(store.dir, STORE_FILE, 0600, text, size, STORE_VERSIONS);
	explicit_bzero(text, size);
	free(text);
	if (rc == 0)
		file_take();
	return rc;
}

/* ---- committing -------------------------------------------------------------------------------- */

static void answer(struct store_request *list, int error)
{
	while (list != NULL) {
		struct store_request *next = list->next;

		list->done(list, list->error != 0 ? list->error : error);
		list = next;
	}
}

static void tell_settled(void)
{
	for (unsigned i = 0; i < SETTLED_MAX && store.settled[i] != NULL; i++)
		store.settled[i]();
}

/* Frozen, and nothing is on its way any more. */
static void calm_look(void)
{
	void (*calm)(void) = store.calm;

	if (calm == NULL || store.committing || store.waiting != NULL || store.folding)
		return;
	store.calm = NULL;
	calm();
}

static void commit_work(struct slow_job *job)
{
	struct commit *c = (struct commit *)job;

	if (c->error == 0 && c->size > 0)
		c->error =
			store_segment_append(&store.open, store.dir, c->segment, c->bytes, c->size);
}

static void count(const struct commit *c)
{
	static struct log_limit limit = LOG_LIMIT(3, 6);
	const struct store_request *r;

	for (r = c->requests; r != NULL; r = r->next) {
		store.status.changes += c->error == 0 && r->error == 0;
		store.status.refused += c->error != 0 || r->error != 0;
	}
	if (c->error < 0) {
		log_limited(&limit, LOG_LEVEL_ERROR, "store",
			"%s: the journal is not written, changes are refused: %s%s", store.dir,
			strerror(-c->error),
			store.open.broken ? " (and until a restart: see it for half a change)"
					  : "");
		return;
	}
	store.status.syncs++;
	store.segment_used = true;
	store.open_bytes += c->size;
}

static void fold_soon(void)
{
	const struct timeval quiet = {.tv_sec = QUIET_MS / 1000, .tv_usec = QUIET_MS % 1000 * 1000};
	uint64_t bytes = store.open_bytes + store.closed_bytes;

	if (bytes > FOLD_BYTES && bytes > (uint64_t)store.file.size && !store.status.edited &&
		store.status.fold_error == 0)
		store.fold_wanted = true;
	else if (store.quiet != NULL)
		evtimer_add(store.quiet, &quiet);
}

static void commit_done(struct slow_job *job)
{
	struct commit *c = (struct commit *)job;
	struct store_request *requests = c->requests;
	int error = c->error;

	store.committing = false;
	count(c);
	explicit_bzero(c->bytes, c->size);
	c->size = 0;
	c->requests = NULL;
	if (error == 0)
		fold_soon();
	answer(requests, error);
	tell_settled();
	if (store.fold_wanted)
		fold_begin();
	commit_begin();
	calm_look();
}

/* Takes all that waits into one sync, unless one is under way. */
static void commit_begin(void)
{
	struct commit *c = &store.commit;
	char *spare = c->bytes;
	size_t spare_cap = c->cap;

	if (store.committing || store.waiting == NULL)
		return;
	store.committing = true;
	c->requests = store.waiting;
	store.waiting = NULL;
	store.waiting_tail = &store.waiting;
	c->bytes = store.waiting_bytes;
	c->size = store.waiting_size;
	c->cap = store.waiting_cap;
	if (spare_cap > BUFFER_BYTES) {
		free(spare);
		spare = NULL;
		spare_cap = 0;
	}
	store.waiting_bytes = spare;
	store.waiting_cap = spare_cap;
	store.waiting_size = 0;
	c->segment = store.segment;
	c->error = store.loaded ? 0 : -EPERM;
	if (c->error == 0 && store.open_bytes + store.closed_bytes + c->size > STORE_JOURNAL_BYTES)
		c->error = -EFBIG;
	c->job.work = commit_work;
	c->job.done = commit_done;
	slow_pool_submit(&commit_pool, &c->job);
}

/* A record behind those that wait. */
static int append(const char *text, size_t size)
{
	size_t need = store.waiting_size + size + JOURNAL_FRAME_MAX;

	if (need > store.waiting_cap) {
		size_t cap = need < BUFFER_BYTES ? BUFFER_BYTES : 2 * need;
		char *larger = malloc(cap);

		if (larger == NULL)
			return -ENOMEM;
		if (store.waiting_size > 0) {
			memcpy(larger, store.waiting_bytes, store.waiting_size);
			explicit_bzero(store.waiting_bytes, store.waiting_size);
		}
		free(store.waiting_bytes);
		store.waiting_bytes = larger;
		store.waiting_cap = cap;
	}
	store.waiting_size += journal_frame(text, size, store.waiting_bytes + store.waiting_size);
	memcpy(store.waiting_bytes + store.waiting_size, text, size);
	store.waiting_size += size;
	store.waiting_bytes[store.waiting_size++] = '\n';
	return 0;
}

void store_record(struct store_request *request, const char *text, size_t size)
{
	request->next = NULL;
	request->error = text == NULL ? -errno : append(text, size);
	*store.waiting_tail = request;
	store.waiting_tail = &request->next;
	commit_begin();
}

void store_change(
	struct store_request *request, const struct directory_object *objects, unsigned cnt)
{
	size_t size;
	char *text = directory_objects_write(objects, cnt, &size);

	store_record(request, text, size);
	if (text != NULL) {
		explicit_bzero(text, size);
		free(text);
	}
}

void store_save(struct store_request *request)
{
	store_change(request, &DIRECTORY_OBJECT_ALL, 1);
}

void store_on_settled(void (*settled)(void))
{
	for (unsigned i = 0; i < SETTLED_MAX; i++) {
		if (store.settled[i] == NULL)
			store.settled[i] = settled;
		if (store.settled[i] == settled)
			return;
	}
	abort(); /* a table in this program is too small */
}

/* ---- folding ----------------------------------------------------------------------------------- */

static void edited(bool now)
{
	if (now && !store.status.edited)
		log_warning("store",
			"%s/" STORE_FILE
			" was changed by somebody else. It is left as it is and comes "
			"into force with `patchbayctl store reload`; changes go on into the journal",
			store.dir);
	store.status.edited = now;
}

static void fold_work(struct slow_job *job)
{
	store_fold(&((struct fold_job *)job)->fold);
}

static void fold_done(struct slow_job *job)
{
	static struct log_limit limit = LOG_LIMIT(3, 6);
	struct fold_job *f = (struct fold_job *)job;
	struct store_request *flushers = f->flushers;
	int error = f->fold.error;

	f->flushers = NULL;
	store.folding = false;
	store.status.fold_error = error;
	if (error == 0) {
		store.file = f->fold.written;
		store.closed_bytes = 0;
		store.status.folds++;
		store.status.folded_ms = directory_now_ms();
		edited(false);
	} else if (error == -ESTALE) {
		edited(true);
	} else {
		log_limited(&limit, LOG_LEVEL_ERROR, "store",
			"%s/" STORE_FILE
			" is not brought up to date, the journal keeps its changes: %s%s%s",
			store.dir, strerror(-error), f->fold.why[0] != '\0' ? ": " : "",
			f->fold.why);
	}
	answer(flushers, error);
	tell_settled();
	if (store.flushers != NULL)
		fold_begin();
	calm_look();
}

/* Now, or when the commit under way is over: the open segment is closed for it. */
static void fold_begin(void)
{
	struct fold_job *f = &store.fold;

	store.fold_wanted = store.committing;
	if (store.committing || store.folding || store.frozen || !store.loaded)
		return;
	f->flushers = store.flushers;
	store.flushers = NULL;
	if (store.segment_used) {
		store.segment++;
		store.segment_used = false;
		store.closed_bytes += store.open_bytes;
		store.open_bytes = 0;
		/* Removed later while it is open, it would keep the file system from being made read-only. */
		if (!store.open.broken)
			store_segment_close(&store.open);
	}
	if (store.closed_bytes == 0) {
		answer(f->flushers, 0);
		f->flushers = NULL;
		return;
	}
	store.folding = true;
	f->fold.dir = store.dir;
	f->fold.before = store.segment;
	f->fold.expected = store.file;
	f->job.work = fold_work;
	f->job.done = fold_done;
	slow_pool_submit(&fold_pool, &f->job);
}

void store_flush(struct store_request *request)
{
	request->error = 0;
	request->next = store.flushers;
	store.flushers = request;
	fold_begin();
}

/* ---- looking ----------------------------------------------------------------------------------- */

static void look_work(struct slow_job *job)
{
	struct look_job *l = (struct look_job *)job;
	int dirfd = open(store.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	l->seen = (struct store_identity){0};
	if (dirfd < 0)
		return;
	(void)store_identify(dirfd, STORE_FILE, &l->seen);
	close(dirfd);
}

/* One thread folds and looks, so that what was seen is older than no fold that has begun since. */
static void look_done(struct slow_job *job)
{
	struct look_job *l = (struct look_job *)job;

	store.looking = false;
	if (store.folding || store.frozen)
		return;
	edited(!store_same(&l->seen, &store.file));
	if (!store.status.edited && store.closed_bytes + store.open_bytes > 0 &&
		!evtimer_pending(store.quiet, NULL))
		fold_begin();
}

static void watch_due(evutil_socket_t, short, void *)
{
	if (store.looking || store.folding || store.frozen)
		return;
	store.looking = true;
	store.look.job.work = look_work;
	store.look.job.done = look_done;
	slow_pool_submit(&fold_pool, &store.look.job);
}

static void quiet_due(evutil_socket_t, short, void *)
{
	fold_begin();
}

/* ---- for store_reload.c ------------------------------------------------------------------------ */

bool store_frozen(void)
{
	return store.frozen;
}

void store_freeze(void (*calm)(void))
{
	store.frozen = true;
	store.calm = calm;
	calm_look();
}

void store_thaw(const struct store_identity *file)
{
	store.frozen = false;
	if (file != NULL) {
		store.file = *file;
		edited(false);
		/* A file from elsewhere may count further than we: what came before its number would not be read again. */
		if (directory_now.journal > store.segment) {
			store.segment = directory_now.journal;
			store.segment_used = false;
			store.closed_bytes += store.open_bytes;
			store.open_bytes = 0;
		}
	}
	tell_settled();
	if (store.flushers != NULL || store.fold_wanted)
		fold_begin();
	else if (store.closed_bytes + store.open_bytes > 0)
		fold_soon();
}

void store_base(struct store_base *out)
{
	out->dir = store.dir;
	out->file = store.file;
	out->before = store.segment;
	out->bytes = store.segment_used ? JOURNAL_HEAD_BYTES + store.open_bytes : 0;
}

void store_beside(struct slow_job *job)
{
	slow_pool_submit(&fold_pool, job);
}

void store_status(struct store_status *out)
{
	*out = store.status;
	out->folding = store.folding;
	out->segment = store.segment;
	out->file_bytes = (uint64_t)store.file.size;
	out->journal_bytes = store.closed_bytes + store.open_bytes;
}

/* ---- start and end ----------------------------------------------------------------------------- */

int store_start(void)
{
	const struct timeval look = {.tv_sec = LOOK_S};
	int rc = 0;

	if (store.torn > 0) {
		rc = store_segment_trim(store.dir, store.segment - 1, store.torn);
		log_notice("store",
			"the journal ended in a change that was being written when the power went; it "
			"was never answered, and is left out");
		store.torn = 0;
	}
	store.quiet = evtimer_new(control_base(), quiet_due, NULL);
	store.watch = event_new(control_base(), -1, EV_PERSIST, watch_due, NULL);
	if (store.quiet == NULL || store.watch == NULL || event_add(store.watch, &look) < 0)
		return -ENOMEM;
	if (rc == 0)
		rc = slow_pool_init(&commit_pool, 1);
	if (rc == 0)
		rc = slow_pool_init(&fold_pool, 1);
	store.threads = rc == 0;
	if (rc == 0)
		fold_begin();
	return rc;
}

void store_stop(void)
{
	if (!store.threads)
		return;
	store.threads = false;
	slow_pool_fini(&commit_pool);
	slow_pool_fini(&fold_pool);
	event_free(store.quiet);
	event_free(store.watch);
	store.quiet = store.watch = NULL;
	if (!store.status.edited && store.closed_bytes + store.open_bytes < END_BYTES)
		fold_begin();
	free(store.commit.bytes);
	free(store.waiting_bytes);
	store.commit.bytes = store.waiting_bytes = NULL;
	store.commit.cap = store.waiting_cap = store.waiting_size = 0;
}
