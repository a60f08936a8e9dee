/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_UDP_FIELDS_H
#define PATCHBAY_CONTROLPLANE_ADMIN_UDP_FIELDS_H

/* What GetSessionStatus tells about UDP acceleration (udp_methods.c puts it). */

struct admin_call;
struct session;

#define ADMIN_SESSION_UDP                                                                       \
	ADMIN_BOOL("IsUdpAccelerationEnabled", "UDP acceleration was negotiated"),              \
		ADMIN_BOOL("IsUsingUdpAcceleration", "frames to the client go over UDP now"),   \
		ADMIN_INT("PatchbayUdpVersion", 0, 2, "its version; 0: none was negotiated"),   \
		ADMIN_INT("PatchbayUdpPort", 0, 65535, "UDP port of the server for it"),        \
		ADMIN_BOOL("PatchbayUdpFastDetect", "a silent path is noticed within 2.1 s"),   \
		ADMIN_INT64("PatchbayUdpDatagramsIn", "datagrams from the client"),             \
		ADMIN_INT64("PatchbayUdpDatagramsOut", "datagrams to the client"),              \
		ADMIN_INT64("PatchbayUdpBytesIn", "bytes of UDP payload from the client"),      \
		ADMIN_INT64("PatchbayUdpBytesOut", "bytes of UDP payload to the client"),       \
		ADMIN_INT64("PatchbayUdpFramesIn", "frames from the client over UDP"),          \
		ADMIN_INT64("PatchbayUdpFramesOut", "frames to the client over UDP"),           \
		ADMIN_INT64("PatchbayUdpKeepalivesIn", "of the datagrams, keep-alives"),        \
		ADMIN_INT64("PatchbayUdpKeepalivesOut", "of the datagrams, keep-alives"),       \
		ADMIN_INT64("PatchbayUdpForged", "from its address, but not with its key"),     \
		ADMIN_INT64("PatchbayUdpMalformed", "with its key, but unreadable"),            \
		ADMIN_INT64("PatchbayUdpStale", "datagrams 30 s behind the newest"),            \
		ADMIN_INT64("PatchbayUdpRepeated", "datagrams that had come before"),           \
		ADMIN_INT64("PatchbayUdpMoves", "times the client spoke from another address"), \
		ADMIN_INT64("PatchbayUdpActivations", "times its frames went over to UDP"),     \
		ADMIN_INT64("PatchbayUdpFallbacks", "times they went back to TCP")

/* `s` NULL: it has ended. Control thread. */
void put_session_udp(struct admin_call *call, const struct session *s);

#endif
