/* SPDX-License-Identifier: BSD-3-Clause */
/* See session_pair.h. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/session/connection_set.h"
#include "test/unit/session_pair.h"

int pair_setup(void **)
{
	if (bed_hub != NULL) {
		printf("the test before this one failed and left its sessions behind: giving up\n");
		exit(EXIT_FAILURE);
	}
	return 0;
}

static bool has_keepalive(void *arg)
{
	return ((struct bed_peer *)arg)->keepalives > 0;
}

void pair_join(struct pair *p, bool first, enum session_direction direction)
{
	struct stream *at_server, *at_client;

	bed_modes.raw = p->mode.raw;
	bed_connect_both(&at_server, &at_client);
	bed_modes.raw = false;
	p->next_id++;
	if (first) {
		session_open(p->server.s, at_server, p->next_id);
		session_open(p->client.s, at_client, p->next_id);
		return;
	}
	assert_int_equal(bed_add(&p->server, at_server, p->next_id, direction), 0);
	assert_int_equal(bed_add(&p->client, at_client, p->next_id, direction), 0);
}

void pair_create(struct pair *p, const struct pair_mode *mode)
{
	struct session_conf conf = {.timeout_ms = 20000,
		.max_connections = (uint8_t)mode->links,
		.half_duplex = mode->half_duplex,
		.qos = mode->qos,
		.udp = mode->udp_server};

	memset(p, 0, sizeof(*p));
	p->mode = *mode;
	p->number = 1000;
	bed_hub_open();
	p->one = bed_hub;
	bed_open(&p->a, &p->pa, 0, 20000);
	bed_modes.compress = mode->compress;
	bed_open_conf(&p->server, NULL, &conf);
	bed_modes.compress = false;
	bed_hub_open();
	p->two = bed_hub;
	bed_open(&p->b, &p->pb, 1, 20000);
	bed_modes.compress = mode->compress;
	conf.worker = 1;
	conf.client = true;
	conf.interval_ms = mode->interval_ms;
	conf.life_ms = mode->life_ms;
	conf.udp = mode->udp_client;
	bed_open_conf(&p->client, NULL, &conf);
	bed_modes.compress = false;
	assert_true(bed_wait(has_keepalive, &p->pa));
	assert_true(bed_wait(has_keepalive, &p->pb));
}

static bool all_joined(void *arg)
{
	const struct pair *p = arg;
	struct session_counters at_server, at_client;

	session_view(p->server.s, &at_server);
	session_view(p->client.s, &at_client);
	return at_server.connections == p->mode.links && at_client.connections == p->mode.links;
}

void pair_open(struct pair *p, const struct pair_mode *mode)
{
	uint32_t to_client = 0, others = 1;

	pair_create(p, mode);
	pair_join(p, true, SESSION_BOTH);
	for (unsigned i = 1; i < mode->links; i++) {
		enum session_direction d =
			mode->half_duplex ? connection_direction(to_client, others) : SESSION_BOTH;

		to_client += d == SESSION_SERVER_TO_CLIENT;
		others += d != SESSION_SERVER_TO_CLIENT;
		pair_join(p, false, d);
	}
	assert_true(bed_wait(all_joined, p));
}

void pair_close_hubs(struct pair *p)
{
	bed_end(&p->a, SESSION_END_ADMIN);
	bed_end(&p->b, SESSION_END_ADMIN);
	bed_peer_close(&p->pa);
	bed_peer_close(&p->pb);
	bed_hub = p->one;
	bed_hub_close();
	bed_hub = p->two;
	bed_hub_close();
}

void pair_close(struct pair *p)
{
	bed_end(&p->server, SESSION_END_ADMIN);
	bed_end(&p->client, SESSION_END_SHUTDOWN);
	pair_close_hubs(p);
}

static bool heard(void *arg)
{
	struct bed_peer **of = arg;

	return of[0]->frames >= (uintptr_t)of[1];
}

void pair_wait_frames(struct bed_peer *peer, unsigned n)
{
	struct bed_peer *arg[2] = {peer, (struct bed_peer *)(uintptr_t)n};

	assert_true(bed_wait(heard, arg));
}

void pair_meet(struct pair *p)
{
	bed_send_frames(&p->pa, 0, 1, 1, 1, 60);
	pair_wait_frames(&p->pb, p->pb.frames + 1);
	bed_send_frames(&p->pb, 0, 2, 1, 1, 60);
	pair_wait_frames(&p->pa, p->pa.frames + 1);
}

void pair_exchange(struct pair *p)
{
	p->pa.frames = p->pb.frames = 0;
	for (unsigned i = 0; i < PAIR_ROUND / 50; i++) {
		bed_send_frames(&p->pa, 2, 1, p->number + i * 50, 50, 1514);
		bed_send_frames(&p->pb, 1, 2, p->number + i * 50, 50, 100);
		pair_wait_frames(&p->pa, (i + 1) * 50);
		pair_wait_frames(&p->pb, (i + 1) * 50);
	}
	for (unsigned i = 0; i < PAIR_ROUND; i++) {
		assert_int_equal(p->pa.got[i].number, p->number + i);
		assert_int_equal(p->pa.got[i].len, 100);
		assert_int_equal(p->pb.got[i].number, p->number + i);
		assert_int_equal(p->pb.got[i].len, 1514);
	}
	p->number += PAIR_ROUND;
}
