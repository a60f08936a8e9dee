/* SPDX-License-Identifier: BSD-3-Clause */
/* See traffic.h. */

#include <stdlib.h>
#include <string.h>

#include "test/bench/load/peer.h"

/* A window without --window: so many frames, but not so many bytes, of one session resp. of all. */
#define WINDOW_FRAMES	    512u /* half of what the original queues for a session (wire.md 12) */
#define WINDOW_BYTES	    262144u
#define WINDOW_BYTES_LEAST  16384u
#define WINDOW_BYTES_OF_ALL 16777216u

/* A copy that is missing for so long is lost: with many sessions each has its turn seldom, and its window at once. */
#define GIVE_UP_NS	300000000u
#define GIVE_UP_EACH_NS 1000000u

/* ---- who sends to whom ----------------------------------------------------------------------- */

static bool flow_make(const struct options *opt, uint32_t i, struct flow *f)
{
	f->receivers = 1;
	switch (opt->pattern) {
	case PATTERN_PAIRS:
		f->to = i ^ 1;
		return true;
	case PATTERN_ONE_TO_ALL:
		f->to = FRAMES_TO_ALL;
		f->receivers = opt->sessions - 1;
		return i == 0;
	case PATTERN_ALL_TO_ONE:
		f->to = 0;
		return i != 0;
	case PATTERN_SINK:
		f->to = i;
		f->receivers = 0;
		return true;
	default:
		return false;
	}
}

static unsigned window_make(const struct options *opt, unsigned senders)
{
	unsigned bytes = WINDOW_BYTES, sum = 0, frames;

	if (opt->window != 0)
		return opt->window;
	if (senders != 0 && WINDOW_BYTES_OF_ALL / senders < bytes)
		bytes = WINDOW_BYTES_OF_ALL / senders;
	if (bytes < WINDOW_BYTES_LEAST)
		bytes = WINDOW_BYTES_LEAST;
	for (unsigned i = 0; i < opt->size_cnt; i++)
		sum += opt->sizes[i];
	frames = (unsigned)((uint64_t)bytes * opt->size_cnt / sum);
	if (opt->pattern == PATTERN_ALL_TO_ONE && frames > WINDOW_FRAMES / senders)
		frames = WINDOW_FRAMES / senders; /* they share one queue */
	if (frames > WINDOW_FRAMES)
		frames = WINDOW_FRAMES;
	return frames != 0 ? frames : 1;
}

void traffic_init(struct load *l)
{
	const struct options *opt = l->opt;
	struct traffic *t = &l->traffic;

	t->senders = malloc(opt->sessions * sizeof(*t->senders));
	if (t->senders == NULL)
		abort();
	for (uint32_t i = 0; i < opt->sessions; i++) {
		struct flow *f = &l->peers[i].flow;

		if (!flow_make(opt, i, f))
			continue;
		f->sends = true;
		f->position = t->sender_cnt;
		t->senders[t->sender_cnt++] = i;
	}
	t->window = window_make(opt, t->sender_cnt);
	if (opt->rate != 0)
		t->interval_ns = 1e9 / (opt->echo ? opt->rate / 2 : opt->rate);
}

void traffic_start(struct load *l)
{
	struct traffic *t = &l->traffic;

	t->running = true;
	t->start_ns = l->now_ns;
	for (unsigned i = 0; i < t->sender_cnt; i++) {
		struct peer *p = &l->peers[t->senders[i]];

		p->flow.open = true;
		p->flow.arrived_ns = l->now_ns;
		peer_ready(l, p);
	}
}

void traffic_measure(struct load *l, bool on)
{
	l->traffic.measuring = on;
	for (unsigned i = 0; i < l->opt->sessions; i++) {
		struct track *track = &l->peers[i].track;

		track->measured = on ? track->arrived : track->arrived - track->measured;
	}
}

/* ---- when ------------------------------------------------------------------------------------ */

static uint64_t due_ns(const struct traffic *t, uint64_t k)
{
	return t->start_ns + (uint64_t)((double)k * t->interval_ns);
}

void traffic_pace(struct load *l)
{
	struct traffic *t = &l->traffic;

	if (!t->running || l->opt->rate == 0)
		return;
	while (due_ns(t, t->due_cnt) <= l->now_ns) {
		struct peer *p = &l->peers[t->senders[t->due_cnt % t->sender_cnt]];

		if (l->opt->count != 0 && p->flow.due_cnt >= l->opt->count)
			return;
		p->flow.due_cnt++;
		t->due_cnt++;
		peer_ready(l, p);
	}
}

/* Frames that the window of a flow has room for. */
static unsigned window_room(const struct load *l, const struct flow *f)
{
	uint64_t made = (uint64_t)f->seq * f->receivers, gone = f->arrived + f->given_up, under_way;

	if (f->receivers == 0)
		return l->traffic.window;
	under_way = made > gone ? (made - gone + f->receivers - 1) / f->receivers : 0;
	return under_way < l->traffic.window ? l->traffic.window - (unsigned)under_way : 0;
}

static unsigned flow_waits(const struct load *l, const struct flow *f)
{
	if (!f->sends || !l->traffic.running)
		return 0;
	if (l->opt->rate != 0)
		return f->due_cnt - f->seq;
	if (!f->open || (l->opt->count != 0 && f->seq >= l->opt->count))
		return 0;
	return window_room(l, f);
}

bool traffic_waits(const struct load *l, const struct peer *p)
{
	return p->announce || p->echo_cnt != 0 || flow_waits(l, &p->flow) != 0;
}

static void window_update(struct load *l, struct peer *p)
{
	if (l->opt->rate != 0 || p->flow.open ||
		window_room(l, &p->flow) < (l->traffic.window + 1) / 2)
		return;
	p->flow.open = true;
	peer_ready(l, p);
}

void traffic_sweep(struct load *l)
{
	struct traffic *t = &l->traffic;
	const uint64_t patience_ns = GIVE_UP_NS + (uint64_t)t->sender_cnt * GIVE_UP_EACH_NS;

	for (unsigned i = 0; t->running && i < t->sender_cnt; i++) {
		struct peer *p = &l->peers[t->senders[i]];
		struct flow *f = &p->flow;
		uint64_t made = (uint64_t)f->seq * f->receivers, gone = f->arrived + f->given_up;

		if (f->open || made <= gone || l->now_ns < f->arrived_ns + patience_ns)
			continue;
		f->given_up += made - gone;
		f->arrived_ns = l->now_ns;
		window_update(l, p);
	}
}

/* ---- out ------------------------------------------------------------------------------------- */

static unsigned next_echo(struct load *l, struct peer *p, uint8_t *frame)
{
	const struct echo e = p->echoes[p->echo_first];

	p->echo_first = (p->echo_first + 1) % PEER_ECHOES_MAX;
	p->echo_cnt--;
	l->traffic.sums.sent++;
	frames_write(frame, e.size, p->index, e.from, STAMP_ECHO, e.from, e.seq, e.due_ns);
	return e.size;
}

static void own_late(struct load *l, const struct peer *p, uint64_t due)
{
	uint64_t from = due > p->unblocked_ns ? due : p->unblocked_ns;

	if (l->traffic.measuring)
		histogram_add(&l->traffic.own_late, l->now_ns > from ? l->now_ns - from : 0);
}

unsigned traffic_next(struct load *l, struct peer *p, uint8_t *frame)
{
	const struct options *opt = l->opt;
	struct traffic *t = &l->traffic;
	struct flow *f = &p->flow;
	uint64_t due = l->now_ns;
	unsigned size;

	if (p->announce) {
		p->announce = false;
		frames_write(frame, OPTIONS_SIZE_MIN, p->index, p->index == 0 ? FRAMES_TO_ALL : 0,
			STAMP_ANNOUNCE, p->index, 0, due);
		return OPTIONS_SIZE_MIN;
	}
	if (p->echo_cnt != 0)
		return next_echo(l, p, frame);
	if (flow_waits(l, f) == 0)
		return 0;
	if (opt->rate != 0) {
		due = due_ns(t, (uint64_t)f->seq * t->sender_cnt + f->position);
		own_late(l, p, due);
	}
	size = opt->sizes[f->seq % opt->size_cnt];
	frames_write(frame, size, p->index, f->to, STAMP_DATA, p->index, f->seq, due);
	f->seq++;
	t->sums.sent++;
	f->open = window_room(l, f) != 0;
	return size;
}

size_t traffic_fill(struct load *l, struct peer *p, uint8_t *at, size_t room)
{
	uint8_t frame[OPTIONS_SIZE_MAX];
	uint8_t *const end = at + room, *group = NULL, *begin = at;
	const unsigned extra = p->compress ? ZBLOCK_GROWTH : 0;
	uint32_t blocks = 0, total = 0, bytes;
	unsigned size;

	l->now_ns = load_clock_ns();
	while (total < l->opt->record_frames &&
		(size_t)(end - at) >=
			BLOCK_GROUP_HEADER + BLOCK_HEADER + OPTIONS_SIZE_MAX + extra) {
		uint8_t *block = blocks % BLOCK_GROUP_MAX == 0 ? at + BLOCK_GROUP_HEADER : at;

		if (p->compress) {
			size = traffic_next(l, p, frame);
			if (size == 0)
				break;
			bytes = zblock_deflate(l->z, frame, size, block + BLOCK_HEADER);
			l->traffic.sums.compressed_bytes += bytes;
		} else {
			size = traffic_next(l, p, block + BLOCK_HEADER);
			if (size == 0)
				break;
			bytes = size;
		}
		l->traffic.sums.uncompressed_bytes += size;
		if (block != at) {
			if (group != NULL)
				block_put_group(group, BLOCK_GROUP_MAX);
			group = at;
			blocks = 0;
		}
		block_put_size(block, bytes);
		at = block + BLOCK_HEADER + bytes;
		blocks++;
		total++;
	}
	if (group != NULL)
		block_put_group(group, blocks);
	return (size_t)(at - begin);
}

/* ---- in -------------------------------------------------------------------------------------- */

/* Returns how many frames are missing before this one that nobody missed until now. */
static uint32_t track_count(struct track *t, uint32_t seq)
{
	if (seq >= t->next) {
		uint32_t step = seq + 1 - t->next;

		t->window = step < 64 ? t->window << step | 1 : 1;
		t->next = seq + 1;
		t->arrived++;
		return step - 1;
	}
	if (t->next - 1 - seq < 64) {
		uint64_t bit = 1ull << (t->next - 1 - seq);

		if (t->window & bit) {
			t->duplicated++;
			return 0;
		}
		t->window |= bit;
	}
	t->reordered++;
	t->arrived++;
	return 0;
}

static void echo_put(struct load *l, struct peer *p, const struct stamp *stamp, unsigned size)
{
	if (p->echoes == NULL)
		p->echoes = malloc(PEER_ECHOES_MAX * sizeof(*p->echoes));
	if (p->echoes == NULL)
		abort();
	if (p->echo_cnt == PEER_ECHOES_MAX) {
		l->traffic.echo_full++;
		return;
	}
	p->echoes[(p->echo_first + p->echo_cnt++) % PEER_ECHOES_MAX] =
		(struct echo){.from = stamp_from(stamp),
			.seq = stamp->seq,
			.due_ns = stamp_due_ns(stamp),
			.size = size};
	peer_ready(l, p);
}

static void delivered(struct load *l, const struct stamp *stamp, unsigned size, bool timed)
{
	struct traffic *t = &l->traffic;
	uint64_t due = stamp_due_ns(stamp);

	t->sums.frames++;
	t->sums.bytes += size;
	if (t->measuring && timed)
		histogram_add(&t->latency, l->now_ns > due ? l->now_ns - due : 0);
}

static void arrived_data(struct load *l, struct peer *p, const struct stamp *stamp, unsigned size)
{
	struct peer *from = &l->peers[stamp_from(stamp)];
	struct flow *f = &from->flow;
	struct track *track = f->to == FRAMES_TO_ALL ? &p->track : &from->track;
	const uint64_t before = track->arrived;

	if (!f->sends || (f->to != p->index && f->to != FRAMES_TO_ALL)) {
		l->traffic.misrouted++;
		return;
	}
	/* What was overtaken is nearly always lost: the window must not wait for it. */
	f->given_up += track_count(track, stamp->seq);
	if (track->arrived == before)
		return; /* the same once more: it makes up for none that is lost */
	f->arrived++;
	f->arrived_ns = l->now_ns;
	delivered(l, stamp, size, !l->opt->echo);
	if (l->opt->echo)
		echo_put(l, p, stamp, size);
	else
		window_update(l, from);
}

void traffic_arrived(struct load *l, struct peer *p, const uint8_t *frame, unsigned size)
{
	struct stamp stamp;

	if (!frames_read(frame, size, &stamp) || stamp_from(&stamp) >= l->opt->sessions) {
		l->traffic.foreign++;
		return;
	}
	switch (stamp_kind(&stamp)) {
	case STAMP_DATA:
		arrived_data(l, p, &stamp, size);
		break;
	case STAMP_ECHO:
		if (stamp_from(&stamp) != p->index) {
			l->traffic.misrouted++;
			break;
		}
		(void)track_count(&p->back, stamp.seq);
		delivered(l, &stamp, size, true);
		break;
	default:
		l->traffic.first_heard |= p->index == 1 && stamp_from(&stamp) == 0;
		if (p->index == 0 && !l->peers[stamp_from(&stamp)].announced) {
			l->peers[stamp_from(&stamp)].announced = true;
			l->traffic.announced++;
		}
		break;
	}
}

bool traffic_complete(const struct load *l)
{
	const struct traffic *t = &l->traffic;

	for (unsigned i = 0; i < t->sender_cnt; i++) {
		const struct peer *p = &l->peers[t->senders[i]];
		const struct flow *f = &p->flow;

		if (f->arrived < (uint64_t)f->seq * f->receivers ||
			(l->opt->echo && p->back.arrived < p->track.arrived))
			return false;
		if (l->opt->count != 0 && t->running && f->seq < l->opt->count)
			return false;
	}
	return true;
}
