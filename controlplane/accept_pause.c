/* SPDX-License-Identifier: BSD-3-Clause */
/* See accept_pause.h. */

#include "controlplane/accept_pause.h"

#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/listener.h>
#include <event2/util.h>
#include <string.h>
#include <unistd.h>

#include "controlplane/control.h"
#include "controlplane/log.h"

#define PAUSE_S 1

static void on_error(struct evconnlistener *listener, void *arg)
{
	static struct log_limit limit = LOG_LIMIT(5, 6);
	const struct timeval pause = {.tv_sec = PAUSE_S};
	struct accept_pause *p = arg;
	int error = EVUTIL_SOCKET_ERROR();
	uint64_t held;

	if (log_limit_pass(&limit, &held))
		log_warning(p->area, "accept: %s", strerror(error));
	evconnlistener_disable(listener);
	evtimer_add(p->again, &pause);
}

static void on_again(evutil_socket_t, short, void *arg)
{
	struct accept_pause *p = arg;

	evconnlistener_enable(p->listener);
}

int accept_pause_init(struct accept_pause *p, struct evconnlistener *listener, const char *area)
{
	p->listener = listener;
	p->area = area;
	p->again = listener == NULL ? NULL : evtimer_new(control_base(), on_again, p);
	if (p->again == NULL) {
		accept_pause_fini(p);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(listener, on_error);
	return 0;
}

void accept_pause_fini(struct accept_pause *p)
{
	if (p->listener != NULL)
		evconnlistener_free(p->listener);
	if (p->again != NULL)
		event_free(p->again);
	*p = (struct accept_pause){0};
}

bool accept_events(evutil_socket_t fd, event_callback_fn due, void *arg, struct bufferevent **bev,
	struct event **timer)
{
	*bev = bufferevent_socket_new(control_base(), fd, BEV_OPT_CLOSE_ON_FREE);
	*timer = evtimer_new(control_base(), due, arg);
	if (*bev != NULL && *timer != NULL)
		return true;
	if (*timer != NULL)
		event_free(*timer);
	if (*bev != NULL)
		bufferevent_free(*bev);
	else
		close(fd);
	return false;
}
