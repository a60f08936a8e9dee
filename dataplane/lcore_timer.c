/* SPDX-License-Identifier: BSD-3-Clause */
/* The timer wheel (lcore_timer.h says how it works). */

#include "dataplane/lcore_timer.h"

/* A timer fires in the first tick that begins at or after its time: never early. */
static uint64_t tick_of(uint64_t due_ms)
{
	return due_ms / LCORE_TICK_MS + (due_ms % LCORE_TICK_MS != 0);
}

void wheel_init(struct wheel *w, uint64_t now_ms)
{
	w->tick = now_ms / LCORE_TICK_MS;
	w->next_ms = UINT64_MAX;
	w->armed = 0;
	LIST_INIT(&w->expiring);
	for (unsigned i = 0; i < WHEEL_SLOTS; i++)
		LIST_INIT(&w->slot[i]);
}

void wheel_arm(struct wheel *w, struct lcore_timer *t, uint64_t due_ms)
{
	uint64_t tick = tick_of(due_ms);

	if (t->armed)
		LIST_REMOVE(t, entry);
	else
		w->armed++;
	if (tick <= w->tick)
		tick = w->tick + 1;
	t->armed = true;
	t->due_ms = due_ms;
	LIST_INSERT_HEAD(&w->slot[tick % WHEEL_SLOTS], t, entry);
	if (tick * LCORE_TICK_MS < w->next_ms)
		w->next_ms = tick * LCORE_TICK_MS;
}

void wheel_cancel(struct wheel *w, struct lcore_timer *t)
{
	if (!t->armed)
		return;
	LIST_REMOVE(t, entry);
	t->armed = false;
	w->armed--;
}

/* Slots in order of time; the first that holds a timer of this turn of the wheel settles it. */
static uint64_t wheel_next(const struct wheel *w)
{
	uint64_t next = UINT64_MAX;
	struct lcore_timer *t;

	if (w->armed == 0)
		return UINT64_MAX;
	for (uint64_t tick = w->tick + 1; tick <= w->tick + WHEEL_SLOTS; tick++) {
		LIST_FOREACH (t, &w->slot[tick % WHEEL_SLOTS], entry) {
			uint64_t due = tick_of(t->due_ms);

			if (due <= tick)
				return tick * LCORE_TICK_MS;
			if (due < next)
				next = due;
		}
	}
	return next * LCORE_TICK_MS;
}

unsigned wheel_run(struct wheel *w, struct lcore *lc, uint64_t now_ms)
{
	uint64_t now_tick = now_ms / LCORE_TICK_MS;
	uint64_t tick = w->tick;
	struct lcore_timer *t;
	unsigned fired = 0;

	if (now_tick <= w->tick)
		return 0;
	w->tick = now_tick;
	if (now_ms < w->next_ms)
		return 0;
	if (now_tick - tick > WHEEL_SLOTS)
		tick = now_tick - WHEEL_SLOTS;
	while (++tick <= now_tick) {
		struct lcore_timer *next;

		for (t = LIST_FIRST(&w->slot[tick % WHEEL_SLOTS]); t != NULL; t = next) {
			next = LIST_NEXT(t, entry);
			if (tick_of(t->due_ms) > now_tick)
				continue;
			LIST_REMOVE(t, entry);
			LIST_INSERT_HEAD(&w->expiring, t, entry);
		}
	}
	/* One by one from a list of its own: an expire() may cancel or re-arm any of those behind it. */
	while ((t = LIST_FIRST(&w->expiring)) != NULL) {
		LIST_REMOVE(t, entry);
		t->armed = false;
		w->armed--;
		fired++;
		t->expire(lc, t);
	}
	w->next_ms = wheel_next(w);
	return fired;
}
