/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Compressed blocks on a worker (wire.md 6.4). Frames are deflated when their connection is about to send
 * them and not when they are staged, so that a frame that is dropped costs nothing.
 *
 * To deflate a full frame takes as long as to encrypt a dozen, and a record of 16 KiB may hold hundreds of
 * tiny blocks that each inflate to a full frame. So all compressing sessions of a worker share ZIP_SHARE_US
 * in a turn for each way; what they have left to do then is a task of the next turn, first come, first
 * served. The share is renewed by a task too, which is queued before the first that has to wait.
 */

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <rte_common.h>
#include <rte_cycles.h>

#include "dataplane/hub.h"
#include "dataplane/mss.h"
#include "drivers/session/session_priv.h"

#define ZIP_SHARE_US 1000u

static_assert(ZIP_FRAME_BYTES >= ZBLOCK_INFLATED_BYTES, "a frame and the byte that is too much");

static void zip_renew(struct lcore *, struct lcore_task *task)
{
	struct session_worker *w = container_of(task, struct session_worker, zip_renew);

	w->zip_left[ZIP_IN] = w->zip_left[ZIP_OUT] = w->zip_share;
}

int zip_init(struct session_worker *w)
{
	w->z = zblock_create();
	w->inflated = malloc((size_t)FRAME_BURST * ZIP_FRAME_BYTES);
	w->deflated = malloc(STREAM_RECORD_BYTES);
	w->zip_share = (int64_t)(rte_get_tsc_hz() / 1000000 * ZIP_SHARE_US);
	w->zip_renew.run = zip_renew;
	zip_renew(NULL, &w->zip_renew);
	return w->z == NULL || w->inflated == NULL || w->deflated == NULL ? -ENOMEM : 0;
}

void zip_fini(struct session_worker *w)
{
	zblock_destroy(w->z);
	free(w->inflated);
	free(w->deflated);
}

bool zip_has_share(const struct session_worker *w, enum zip_way way)
{
	return w->zip_left[way] > 0;
}

void zip_spend(struct lcore *lc, struct session_worker *w, enum zip_way way, uint64_t from)
{
	w->zip_left[way] -= (int64_t)(rte_rdtsc() - from);
	lcore_task_add(lc, &w->zip_renew);
}

void zip_input(struct lcore *lc, struct session *s, const struct block_span *spans, unsigned n)
{
	struct session_worker *w = s->worker;
	struct frame frames[FRAME_BURST];
	unsigned cnt = 0, too_short = 0, inflates = 0, malformed = 0;
	uint64_t from = rte_rdtsc();
	const uint16_t mss = session_mss(s);

	for (unsigned i = 0; i < n; i++) {
		uint8_t *out = w->inflated + (size_t)cnt * ZIP_FRAME_BYTES;
		int len = zblock_inflate(w->z, spans[i].data, spans[i].len, out);

		if (len >= BLOCK_FRAME_MIN) {
			if (mss != 0)
				(void)mss_clamp(out, (uint32_t)len, mss);
			frames[cnt++] = (struct frame){.data = out, .len = (uint16_t)len};
		} else if (len >= 0) {
			too_short++;
		} else if (len == -EMSGSIZE) {
			inflates++;
		} else {
			malformed++;
		}
	}
	zip_spend(lc, w, ZIP_IN, from);
	if (too_short != 0)
		hub_count_drop_in(lc, &s->port, STATS_DROP_IN_SHORT, too_short);
	if (inflates != 0)
		hub_count_drop_in(lc, &s->port, STATS_DROP_IN_INFLATES, inflates);
	if (malformed != 0)
		hub_count_drop_in(lc, &s->port, STATS_DROP_IN_MALFORMED, malformed);
	if (cnt != 0)
		hub_input(lc, &s->port, frames, cnt);
}

size_t zip_group(struct lcore *lc, struct session_worker *w, const struct staging_chunk *chunk,
	uint32_t *to, uint32_t *frames, struct stats_traffic *sent)
{
	const uint8_t *const end = chunk->data + chunk->bytes;
	const uint8_t *in = chunk->data + chunk->taken;
	uint8_t *out = w->deflated + BLOCK_GROUP_HEADER;
	uint64_t from = rte_rdtsc();
	uint32_t n;

	for (n = 0; n < STAGING_GROUP_FRAMES && in < end; n++) {
		const uint8_t *data = in + BLOCK_HEADER;
		uint32_t len = be32_get(in), bytes;

		if (out + BLOCK_HEADER + len + ZBLOCK_GROWTH > w->deflated + STREAM_RECORD_BYTES)
			break;
		bytes = zblock_deflate(w->z, data, len, out + BLOCK_HEADER);
		out = block_put_size(out, bytes) + bytes;
		in = data + len;
		if (data[0] & 1) {
			sent->broadcast_frames++;
			sent->broadcast_bytes += len;
		} else {
			sent->unicast_frames++;
			sent->unicast_bytes += len;
		}
	}
	block_put_group(w->deflated, n);
	zip_spend(lc, w, ZIP_OUT, from);
	*to = (uint32_t)(in - chunk->data);
	*frames = n;
	return (size_t)(out - w->deflated);
}

void zip_resume(struct lcore *lc, struct lcore_task *task)
{
	struct session *s = container_of(task, struct session, resume);

	lcore_flush_add(lc, &s->flush);
}
