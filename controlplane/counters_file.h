/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_COUNTERS_FILE_H
#define PATCHBAY_CONTROLPLANE_COUNTERS_FILE_H

/*
 * The text of <state>/counters, a line for each object; users and groups are those of the hub above them:
 *
 *	patchbay counters 1
 *	server <traffic>
 *	hub <created> <logins> <last login> <last frame> <traffic> <name>
 *	group 0 0 0 0 <traffic> <name>
 *	user <created> <logins> <last login> 0 <traffic> <name>
 *	end <CRC-32 of all before, 8 hex digits>
 *
 * Times are milliseconds since 1970; traffic is eight numbers: unicast frames and bytes, broadcast frames and bytes
 * in, then the same out, as the hub sees it. A name goes to the end of its line (it has no control characters).
 * `created` tells an object from one of the same name that was there before it.
 *
 * Pure; any thread.
 */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "controlplane/traffic_totals.h"

enum counters_kind {
	COUNTERS_SERVER,
	COUNTERS_HUB,
	COUNTERS_GROUP,
	COUNTERS_USER,
	COUNTERS_KIND_CNT
};

struct counters_line {
	enum counters_kind kind;
	uint32_t login_cnt;
	int64_t created_ms;
	int64_t last_login_ms;
	int64_t last_comm_ms;
	struct traffic_totals traffic;
	size_t name; /* writing: offset of its name in the names that go with the lines; reading: 0 */
};

/* The whole text, malloc'ed; its length in *size. NULL with ENOMEM. */
char *counters_write(
	const struct counters_line *lines, size_t cnt, const char *names, size_t *size);

/*
 * Gives every line to take(), the name being valid during the call. -EINVAL: it is not whole, or none of ours; then
 * take() has not been called.
 */
int counters_read(const char *bytes, size_t size,
	void (*take)(void *ctx, const struct counters_line *line, const char *name), void *ctx);

#endif
