/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_HANDSHAKE_H
#define PATCHBAY_CONTROLPLANE_HANDSHAKE_H

/*
 * Handshake helpers: threads that only compute. A job is one stream that has received bytes; the helper
 * advances its TLS handshake by one step and gives it back. It touches no socket and waits for nobody, so a
 * peer that goes silent costs no helper anything. First come, first served; who may queue is source_limits.h's
 * business, which bounds the queue.
 *
 * Helpers are nicer than workers (setpriority on the thread) and run where the thread that starts them may
 * run, that is, off the workers' CPUs when there are others.
 */

#include <sys/queue.h>

struct event_base;
struct stream;

struct handshake_job {
	struct stream *stream; /* the helper's from submit to done() */
	/* Instead of a step of `stream`: something else that only computes; touches the owner's own data alone. */
	void (*compute)(struct handshake_job *job);
	int result; /* of stream_handshake(): 0, -EAGAIN, -EPROTO, -ENOMEM; -EAGAIN: never computed */
	void (*done)(struct handshake_job *job); /* control thread; the stream is ours again */
	STAILQ_ENTRY(handshake_job) entry;
};

/* -errno. Control thread. */
int handshake_init(struct event_base *base, unsigned threads);
void handshake_submit(struct handshake_job *job);
/* Jobs submitted and not yet done. */
unsigned handshake_pending(void);
/* Lets running jobs end, joins, and runs done() for every job still there. Idempotent. */
void handshake_fini(void);

#endif
