/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_NOTICE_LOG_H
#define PATCHBAY_CONTROLPLANE_NOTICE_LOG_H

/*
 * What the workers noticed (dataplane/notice.h), in the log: who broke which rule, and between whom there is a
 * loop. A limit for each reason and hub, so that a storm does not hide a conflict of addresses, nor the stations of one hub
 * those of another; the counters have all.
 *
 * Control thread only.
 */

#include <stddef.h>
#include <stdint.h>

struct notice;

#define NOTICE_LOG_TEXT 1536u

/* Takes what stands in the workers' rings, at most a ring of each, and logs it. About once a second. */
void notice_log_run(void);
/* One notice as a sentence; names of hub and session as they are now. */
void notice_log_text(const struct notice *n, char *out, size_t size);

/* What nobody was told of, since start. */
struct notice_log_counters {
	uint64_t lost; /* notices that found no room on a worker: too many in a second */
	uint64_t held; /* lines held back: too many of a kind in a hub */
};
void notice_log_counters(struct notice_log_counters *out);

#endif
