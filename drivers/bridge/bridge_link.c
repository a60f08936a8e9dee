/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Links that go down and come up, and devices that go.
 *
 * A device tells it from a thread of its own (EAL's interrupt thread, a vhost thread), which may touch nothing
 * of ours but one flag and an eventfd; the control thread then looks at all plugged devices. Link down: the
 * port leaves its hub on its home worker, so that its MAC entries are dead in the same moment and floods
 * cost nothing. Link up: it joins again under the generation that its leaving has begun.
 */

#include <errno.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "dataplane/hub.h"
#include "drivers/bridge/bridge_priv.h"

static struct {
	int fd;
	TAILQ_HEAD(, bridge) plugged;
} links = {.fd = -1, .plugged = TAILQ_HEAD_INITIALIZER(links.plugged)};

int bridge_link_init(void)
{
	links.fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	return links.fd < 0 ? -errno : 0;
}

void bridge_link_fini(void)
{
	if (links.fd >= 0)
		close(links.fd);
	links.fd = -1;
}

int bridge_driver_fd(void)
{
	return links.fd;
}

void bridge_ring(void)
{
	eventfd_write(links.fd, 1);
}

void bridge_link_watch(struct bridge *b)
{
	TAILQ_INSERT_TAIL(&links.plugged, b, entry);
	/* The link may have changed between the look at it and now. */
	bridge_ring();
}

void bridge_link_unwatch(struct bridge *b)
{
	if (b->entry.tqe_prev == NULL)
		return;
	TAILQ_REMOVE(&links.plugged, b, entry);
	b->entry.tqe_prev = NULL;
}

/* Home worker. */
static void msg_link(struct lcore *lc, struct lcore_msg *msg)
{
	struct bridge *b = msg->arg;
	struct port *port = &b->port;

	if (msg->u[0] == 0) {
		hub_port_leave(lc, port);
	} else if (!port->joined) {
		/*
		 * Other workers may be reading gen for frames that came in meanwhile: old or new, what they
		 * learn under it is dead or alive as the table says.
		 */
		__atomic_store_n(&port->gen,
			atomic_load_explicit(&port_gens[port->idx], memory_order_relaxed),
			__ATOMIC_RELAXED);
		hub_port_join(lc, port);
	}
}

static void look(struct bridge *b)
{
	bool gone = atomic_exchange_explicit(&b->gone, false, memory_order_acq_rel);
	bool up = gone ? b->link_up : b->ops->link(b, &gone);

	if (gone) {
		if (!b->lost_told) {
			b->lost_told = true;
			b->cb->lost(b->ctx);
		}
		return;
	}
	if (b->ops->count != NULL)
		b->ops->count(b);
	/* No room: the next look, at most a second away, sees the same difference. */
	if (up == b->link_up || lcore_msg_reserve(lcore_get(b->port.home), 1) != 0)
		return;
	b->link_up = up;
	lcore_msg_post(
		lcore_get(b->port.home), &(struct lcore_msg){.fn = msg_link, .arg = b, .u = {up}});
}

void bridge_driver_look(void)
{
	struct bridge *b, *next;
	eventfd_t count;

	eventfd_read(links.fd, &count);
	for (b = TAILQ_FIRST(&links.plugged); b != NULL; b = next) {
		/* lost() may unplug it, which takes it off the list. */
		next = TAILQ_NEXT(b, entry);
		look(b);
	}
	ethdev_pool_reap();
}
