/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_STATS_H
#define PATCHBAY_DATAPLANE_STATS_H

/*
 * Counters of the data path.
 *
 * One shape, `struct stats_block`, serves three levels: an lcore, a hub (one block per worker) and a
 * port (one block per worker that may touch it). A block is written by exactly one worker with plain
 * adds, never reset, and read by anybody with relaxed loads; a reader sums blocks and subtracts a
 * baseline of its own where somebody asks for "since".
 *
 * The books must balance at all three levels and over their sum, whenever nothing is in flight:
 *
 *   in_frames = switched + flooded + sum(drop_in)
 *   copies    = sent + sum(drop_out)           (+ what waits in a queue at this moment: `queued`)
 *
 * A *frame in* is counted by the worker that received it, on the port it came from. A *copy* is one
 * attempt to give a frame to one port; it is counted by the worker that owns the receiving port, in
 * that port's block, so that per port and per lcore the second line stands by itself. A hand-over
 * between workers that fails (ring full, no mbuf) is counted as one copy and one drop by the worker
 * that tried, on the hub and lcore level, even where the relay would have fanned out to several ports.
 */

#include <stdint.h>
#include <string.h>

/* Why a received frame went nowhere: X(symbol, name in CLI and metrics, sentence for people). */
#define STATS_DROP_IN_LIST(X)                                                                     \
	X(SHORT, "short", "shorter than 14 bytes")                                                \
	X(LONG, "long", "longer than 1600 bytes (or the port's configured limit)")                \
	X(BAD_SOURCE, "bad_source", "source MAC all zero, all ones, or equal to the destination") \
	X(RECEIVE_ONLY, "receive_only", "sent by a port that may only receive (monitoring)")      \
	X(MAC_CONFLICT, "mac_conflict", "source MAC was in use on another port within 13 s")      \
	X(MAC_LIMIT, "mac_limit", "new source MAC, the port holds as many as it may")             \
	X(PROBE_MAC, "probe_mac", "from or to the address of the hub's own probes")               \
	X(OWN_PORT, "own_port", "destination is known on the port the frame came from")           \
	X(MALFORMED, "malformed", "block did not decode to a frame")                              \
	X(HUB_DOWN, "hub_down", "hub is offline or going away")                                   \
	X(INFLATES, "inflates", "compressed block that holds more than 1600 bytes")               \
	X(HEADER, "bad_header", "header of the packet is cut off or contradicts itself")          \
	X(UPLOAD, "upload_limit", "policy: more than MaxUpload")                                  \
	X(NO_SERVER, "no_server", "policy: NoServer, a TCP connection was accepted")              \
	X(NO_SERVER_V6, "no_server_v6", "policy: NoServerV6, a TCP connection was accepted")      \
	X(ARP_DHCP_ONLY, "arp_dhcp_only", "policy: ArpDhcpOnly, another group address")           \
	X(FILTER_IPV4, "filter_ipv4", "policy: FilterIPv4")                                       \
	X(FILTER_IPV6, "filter_ipv6", "policy: FilterIPv6")                                       \
	X(FILTER_NON_IP, "filter_non_ip", "policy: FilterNonIP")                                  \
	X(DHCP, "dhcp_filter", "policy: DHCPFilter")                                              \
	X(DHCPV6, "dhcpv6_filter", "policy: DHCPv6Filter")                                        \
	X(DHCP_SERVER, "dhcp_no_server", "policy: DHCPNoServer, a server's message")              \
	X(DHCPV6_SERVER, "dhcpv6_no_server", "policy: DHCPv6NoServer, a server's message")        \
	X(RS_RA, "rs_ra_filter", "policy: RSandRAFilter or RAFilter")                             \
	X(DHCP_FORCE, "dhcp_force", "policy: DHCPForce, source address without a lease")          \
	X(IP_CONFLICT, "ip_conflict", "source IP address was in use on another port within 13 s") \
	X(IP_LIMIT, "ip_limit", "new source IP address, the port holds as many as it may")        \
	X(STORM, "storm", "more frames to flood than the storm limiter allows")                   \
	X(LOOP, "loop", "port is blocked because frames came back on it")                         \
	X(HUB_PPPOE, "hub_filter_pppoe", "hub option FilterPPPoE")                                \
	X(HUB_OSPF, "hub_filter_ospf", "hub option FilterOSPF")                                   \
	X(HUB_IPV4, "hub_filter_ipv4", "hub option FilterIPv4")                                   \
	X(HUB_IPV6, "hub_filter_ipv6", "hub option FilterIPv6")                                   \
	X(HUB_NON_IP, "hub_filter_non_ip", "hub option FilterNonIP")                              \
	X(HUB_BPDU, "hub_filter_bpdu", "hub option FilterBPDU")                                   \
	X(ACCESS, "access_list", "access list: a rule that drops")                                \
	X(ACCESS_OVERLAP, "access_overlap",                                                       \
		"access list: TCP fragment that may write over flags which a rule asks for")      \
	X(ACCESS_LOSS, "access_loss", "access list: lost by a rule's Loss")                       \
	X(ACCESS_DELAY, "access_delay", "access list: too many frames wait for a rule's Delay")   \
	X(ACCESS_DELAY_SHARE, "access_delay_share",                                               \
		"access list: of the frames that wait for a Delay the port has its share")        \
	X(REDIRECT, "access_redirect", "access list: a request that a rule redirects")            \
	X(REDIRECT_LIMIT, "access_redirect_limit",                                                \
		"access list: a request to redirect, more than are answered at a time")           \
	X(SUPER, "super_frame",                                                                   \
		"longer than that: segments a kernel merged or did not cut (GRO, TSO)")           \
	X(LOG_LIMIT, "log_limit", "hub option MaxLoggedPacketsPerMinute")                         \
	X(NO_MBUF, "no_mbuf", "no mbuf for the copy that goes on instead of a device's buffer")

/* Why a copy did not leave: the same columns. */
#define STATS_DROP_OUT_LIST(X)                                                                \
	X(RING_FULL, "ring_full", "ring to the worker that owns the port was full")           \
	X(NO_MBUF, "no_mbuf", "no mbuf to carry the frame to another worker or a device")     \
	X(PORT_GONE, "port_gone", "port left the hub while the copy was on its way")          \
	X(STAGING_FULL, "staging_full", "port's staging queue was at its hard bound")         \
	X(STAGING_FLOOD, "staging_flood", "flooded copy, staging queue above its soft bound") \
	X(STAGING_POOL, "staging_pool", "worker's staging memory was used up")                \
	X(STAGING_AGE, "staging_age", "waited too long for the receiver's socket")            \
	X(SESSION_END, "session_end", "copy still waited when its session ended")             \
	X(NO_CONNECTION, "no_connection", "session had no connection to send on")             \
	X(OVERSIZE, "oversize", "longer than the receiving port can carry")                   \
	X(DEVICE, "device", "device or kernel did not take the frame")                        \
	X(RS_RA, "rs_ra_filter", "receiver's policy: RSandRAFilter")                          \
	X(DHCP, "dhcp_filter", "receiver's policy: DHCPFilter")                               \
	X(DHCPV6, "dhcpv6_filter", "receiver's policy: DHCPv6Filter")                         \
	X(ARP_DHCP_ONLY, "arp_dhcp_only", "receiver's policy: ArpDhcpOnly")                   \
	X(FILTER_IPV4, "filter_ipv4", "receiver's policy: FilterIPv4")                        \
	X(FILTER_IPV6, "filter_ipv6", "receiver's policy: FilterIPv6")                        \
	X(FILTER_NON_IP, "filter_non_ip", "receiver's policy: FilterNonIP")                   \
	X(PRIVACY, "privacy_filter", "policy: PrivacyFilter at both ends")                    \
	X(DOWNLOAD, "download_limit", "receiver's policy: more than MaxDownload")             \
	X(VLAN, "vlan", "receiver's policy: VLanId, the frame does not carry it")             \
	X(DORMANT, "dormant", "flooded copy, receiver silent longer than the hub allows")     \
	X(FLOOD_QUOTA, "flood_quota", "flooded copy, more of them wait than the hub allows")  \
	X(ACCESS, "access_list", "access list: a rule that drops what goes to the receiver")  \
	X(LOOP, "loop", "receiver is blocked because frames came back on it")

enum stats_drop_in {
#define X(sym, name, text) STATS_DROP_IN_##sym,
	STATS_DROP_IN_LIST(X)
#undef X
	STATS_DROP_IN_CNT
};

enum stats_drop_out {
#define X(sym, name, text) STATS_DROP_OUT_##sym,
	STATS_DROP_OUT_LIST(X)
#undef X
	STATS_DROP_OUT_CNT
};

/* Unicast/broadcast split as reference/hub.md section 10: broadcast = I/G bit of the destination. */
struct stats_traffic {
	uint64_t unicast_frames;
	uint64_t unicast_bytes; /* frame lengths without FCS */
	uint64_t broadcast_frames;
	uint64_t broadcast_bytes;
};

struct stats_block {
	struct stats_traffic in;  /* accepted from ports, before any drop decision */
	struct stats_traffic out; /* copies that left (sent) */
	uint64_t switched;	  /* frames in with exactly one destination port */
	uint64_t flooded;	  /* frames in given to every other member */
	uint64_t copies;	  /* attempts to give a frame to a port */
	uint64_t drop_in[STATS_DROP_IN_CNT];
	uint64_t drop_out[STATS_DROP_OUT_CNT];
};

/* Name as it stands in CLI, JSON and metrics; never NULL for a valid reason. Any thread. */
const char *stats_drop_in_name(enum stats_drop_in reason);
const char *stats_drop_out_name(enum stats_drop_out reason);
/* The sentence for people. Any thread. */
const char *stats_drop_in_text(enum stats_drop_in reason);
const char *stats_drop_out_text(enum stats_drop_out reason);

/*
 * Adds a block that another thread may be writing to `sum` (private to the caller), word by word with
 * relaxed loads. Any thread.
 */
void stats_fold(struct stats_block *sum, const struct stats_block *live);

/* Sums over all reasons: the last term of each line of the books. */
uint64_t stats_drop_in_sum(const struct stats_block *b);
uint64_t stats_drop_out_sum(const struct stats_block *b);

static inline void stats_traffic_add(struct stats_traffic *sum, const struct stats_traffic *t)
{
	sum->unicast_frames += t->unicast_frames;
	sum->unicast_bytes += t->unicast_bytes;
	sum->broadcast_frames += t->broadcast_frames;
	sum->broadcast_bytes += t->broadcast_bytes;
}

static inline uint64_t stats_in_frames(const struct stats_block *b)
{
	return b->in.unicast_frames + b->in.broadcast_frames;
}

static inline uint64_t stats_sent_frames(const struct stats_block *b)
{
	return b->out.unicast_frames + b->out.broadcast_frames;
}

#endif
