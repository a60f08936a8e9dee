/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ACCEPT_PAUSE_H
#define PATCHBAY_CONTROLPLANE_ACCEPT_PAUSE_H

/*
 * A listener of libevent that pauses when accept() fails: out of descriptors, most likely, and whoever waits would make
 * the loop spin. After a second it looks again. (The VPN's own listeners are listener.h.) Control thread.
 */

#include <event2/event.h>
#include <stdbool.h>

struct bufferevent;
struct evconnlistener;

struct accept_pause {
	struct evconnlistener *listener; /* NULL: closed */
	struct event *again;
	const char *area; /* of the log */
};

/* Takes over the listener, which was made with `p` as its argument; freed also on error. -ENOMEM, as for NULL. */
int accept_pause_init(struct accept_pause *p, struct evconnlistener *listener, const char *area);
void accept_pause_fini(struct accept_pause *p);

/* What each caller has, a buffered socket and a timer. False: no memory, and fd is closed. */
bool accept_events(evutil_socket_t fd, event_callback_fn due, void *arg, struct bufferevent **bev,
	struct event **timer);

#endif
