/* SPDX-License-Identifier: BSD-3-Clause */
/* The workers' UDP sockets (wire.md 7), and UDP acceleration of one session for GetSessionStatus. */

#include <sys/socket.h>

#include "controlplane/admin/call.h"
#include "controlplane/admin/method_list.h"
#include "controlplane/admin/udp_fields.h"
#include "dataplane/lcore.h"
#include "drivers/session/session_udp.h"

static const struct admin_field no_request[] = {ADMIN_END};

static const struct admin_field enum_udp_row[] = {
	ADMIN_INT("Lcore", 0, LCORE_MAX - 1, "worker that owns the socket"),
	ADMIN_INT("IpVersion", 4, 6, "address family"),
	ADMIN_INT("Port", 1, 65535, "UDP port, told to the clients of this worker's sessions"),
	ADMIN_INT("Sessions", 0, UINT32_MAX, "sessions that use it"),
	ADMIN_INT64("DatagramsIn", "datagrams received"),
	ADMIN_INT64("DatagramsOut", "datagrams sent"),
	ADMIN_INT64("CallsIn", "system calls that received them"),
	ADMIN_INT64("GroupsIn", "messages in which the kernel had left several together"),
	ADMIN_INT64("CallsOut", "system calls that sent them"),
	ADMIN_INT64("Foreign", "datagrams that no session's key opened"),
	ADMIN_INT64("OverBudget", "of strangers, dropped because too many had been looked at"),
	ADMIN_INT64("Truncated", "longer than the protocol allows"),
	ADMIN_INT64("Blocked", "times the kernel took no more"),
	ADMIN_INT64("SendErrors", "messages that the kernel refused"),
	ADMIN_END,
};

static const struct admin_field enum_udp_response[] = {
	ADMIN_ROWS("UdpList", enum_udp_row, "one record per worker and address family"),
	ADMIN_END,
};

static void put_socket(struct admin_call *call, unsigned lcore, unsigned family)
{
	struct session_udp_socket_view v;

	if (!session_udp_socket_view(lcore, family, &v))
		return;
	admin_row_begin(call);
	admin_put_int(call, "Lcore", lcore);
	admin_put_int(call, "IpVersion", family == AF_INET ? 4 : 6);
	admin_put_int(call, "Port", v.port);
	admin_put_int(call, "Sessions", v.sessions);
	admin_put_int64(call, "DatagramsIn", v.datagrams_in);
	admin_put_int64(call, "DatagramsOut", v.datagrams_out);
	admin_put_int64(call, "CallsIn", v.calls_in);
	admin_put_int64(call, "GroupsIn", v.groups_in);
	admin_put_int64(call, "CallsOut", v.calls_out);
	admin_put_int64(call, "Foreign", v.foreign);
	admin_put_int64(call, "OverBudget", v.over_budget);
	admin_put_int64(call, "Truncated", v.truncated);
	admin_put_int64(call, "Blocked", v.blocked);
	admin_put_int64(call, "SendErrors", v.send_errors);
	admin_row_end(call);
}

static int enum_udp_step(struct admin_call *call)
{
	/* LCORE_MAX bounds them: one slice. */
	admin_rows_begin(call, "UdpList");
	for (unsigned i = 0; i < lcore_count(); i++) {
		put_socket(call, i, AF_INET);
		put_socket(call, i, AF_INET6);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_patchbay_enum_udp = {
	.name = "PatchbayEnumUdp",
	.role = ADMIN_ROLE_SERVER,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the workers' UDP sockets for UDP acceleration, with what came and went. None: it is "
		"switched off or could not be opened.",
	.request = no_request,
	.response = enum_udp_response,
	.step = enum_udp_step,
};

void put_session_udp(struct admin_call *call, const struct session *s)
{
	struct session_udp_view v = {0};

	if (s != NULL)
		(void)session_udp_view(s, &v);
	admin_put_bool(call, "IsUdpAccelerationEnabled", v.version != 0);
	admin_put_bool(call, "IsUsingUdpAcceleration", v.active);
	admin_put_int(call, "PatchbayUdpVersion", v.version);
	admin_put_int(call, "PatchbayUdpPort", v.port);
	admin_put_bool(call, "PatchbayUdpFastDetect", v.fast);
	admin_put_int64(call, "PatchbayUdpDatagramsIn", v.datagrams_in);
	admin_put_int64(call, "PatchbayUdpDatagramsOut", v.datagrams_out);
	admin_put_int64(call, "PatchbayUdpBytesIn", v.bytes_in);
	admin_put_int64(call, "PatchbayUdpBytesOut", v.bytes_out);
	admin_put_int64(call, "PatchbayUdpFramesIn", v.frames_in);
	admin_put_int64(call, "PatchbayUdpFramesOut", v.frames_out);
	admin_put_int64(call, "PatchbayUdpKeepalivesIn", v.keepalives_in);
	admin_put_int64(call, "PatchbayUdpKeepalivesOut", v.keepalives_out);
	admin_put_int64(call, "PatchbayUdpForged", v.forged);
	admin_put_int64(call, "PatchbayUdpMalformed", v.malformed);
	admin_put_int64(call, "PatchbayUdpStale", v.stale);
	admin_put_int64(call, "PatchbayUdpRepeated", v.repeated);
	admin_put_int64(call, "PatchbayUdpMoves", v.moves);
	admin_put_int64(call, "PatchbayUdpActivations", v.activations);
	admin_put_int64(call, "PatchbayUdpFallbacks", v.fallbacks);
}
