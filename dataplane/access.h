/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_ACCESS_H
#define PATCHBAY_DATAPLANE_ACCESS_H

/*
 * The access list of a hub (reference/access-list.md): rules in order, of which the first that matches a frame
 * decides; no match passes.
 *
 * Two passes. Where the frame came in everything is known but who gets it: the list is looked through up to the
 * first rule that names a receiver. If a rule matches before that, it is final. Else the rest of the list is
 * looked through once for each receiver, on the worker that serves it.
 *
 * Three objects, all made by the control plane and never changed once a worker can see them:
 *
 *   struct access_rule   what people write: one flat record. Names of users and groups are keys here
 *                        (access_name_key()): the data path compares numbers.
 *   struct access_base   many rules, compiled for lookup (rte_acl; what does not compile in its bound is scanned in
 *                        order). Takes up to seconds to make: a slow helper does it. Shared by the sets.
 *   struct access_set    what a hub goes by: a base, the rules that came after it was compiled (a short list that
 *                        is scanned), and those of the base that are gone. Made in microseconds for each change.
 *
 * Where a rule stands in the list is a number, its *order*: bases leave room between theirs.
 *
 * Hits are counted for each rule by each worker in memory of its own, by the rule's *slot*: a small number that
 * stays with the rule while bases and sets come and go.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dataplane/grace.h"

struct hub;

#define ACCESS_RULES_MAX    32768u
#define ACCESS_FRESH_MAX    1024u  /* rules of a set that are not in its base */
#define ACCESS_SLOTS	    65536u /* 0 is never used */
#define ACCESS_DELAY_MAX_MS 10000u
#define ACCESS_URL_MAX	    255u /* bytes */
#define ACCESS_LISTS_MAX    31u	 /* user lists (include:, exclude:) of one hub */
#define ACCESS_COMPILE_MB   64u	 /* what a base may take, MiB */

#define ACCESS_F_DROP	     (1u << 0)
#define ACCESS_F_IPV6	     (1u << 1) /* of the two families, this one's conditions count */
#define ACCESS_F_SRC_MAC     (1u << 2) /* src_mac, src_mac_mask count */
#define ACCESS_F_DST_MAC     (1u << 3)
#define ACCESS_F_TCP_STATE   (1u << 4) /* the next one counts, TCP only */
#define ACCESS_F_ESTABLISHED (1u << 5) /* all but SYN without ACK; unset: only that */

/* Who sends or receives. */
enum access_who_kind {
	ACCESS_WHO_ANY,
	ACCESS_WHO_NAME,     /* user or group has this name */
	ACCESS_WHO_LISTED,   /* the user stands in a list ... */
	ACCESS_WHO_UNLISTED, /* ... or does not; ports without a user match neither */
};

struct access_who {
	enum access_who_kind kind;
	uint32_t list; /* index into access_conf.lists */
	uint64_t name; /* access_name_key() */
};

/* All zero: passes every frame. Only active rules get here. */
struct access_rule {
	uint32_t flags;	  /* ACCESS_F_* */
	uint32_t slot;	  /* of its hit counter, 1 .. ACCESS_SLOTS-1 */
	uint8_t protocol; /* 0: any */
	/* Host order; both 0: any. Else TCP and UDP only. */
	uint16_t src_port_first, src_port_last;
	uint16_t dst_port_first, dst_port_last;
	/* IPv4: the first four bytes. Address and mask all zero: any. Any bits may be in a mask. */
	uint8_t src[16], src_mask[16];
	uint8_t dst[16], dst_mask[16];
	uint64_t src_mac, src_mac_mask; /* as frame_mac() */
	uint64_t dst_mac, dst_mac_mask;
	struct access_who src_who, dst_who;
	/* Of rules that pass, and are decided where the frame came in. */
	uint16_t delay_ms; /* .. ACCESS_DELAY_MAX_MS */
	uint8_t jitter;	   /* per cent of delay_ms, either way */
	uint8_t loss;	   /* per cent of the frames */
	const char *url;   /* a web browser is sent there; NULL: no. Copied */
};

/* A list of users, sorted by access_names_sort(). */
struct access_names {
	uint32_t cnt;
	const uint64_t *key; /* access_name_key() */
};

/*
 * The key of a user's or group's name: without domain (DOM\user, user@dom) and without regard to case (ASCII). Differs
 * from one run of the process to the next. 0 for the empty name alone. Any thread, after the first call.
 */
uint64_t access_name_key(const char *name);
void access_names_sort(uint64_t *key, uint32_t cnt);

/* ---- making ---------------------------------------------------------------------------------- */

struct access_base;
struct access_set;

struct access_conf {
	const struct access_rule *rules; /* in order */
	uint32_t rule_cnt;		 /* .. ACCESS_RULES_MAX */
	const struct access_names *lists;
	uint32_t list_cnt; /* .. ACCESS_LISTS_MAX */
	size_t max_bytes;  /* for what is compiled; 0 = ACCESS_COMPILE_MB, 1 = nothing: scan */
};

/* How a base came out. */
struct access_base_view {
	uint32_t rules;
	uint32_t scanned; /* of them: in order, since they would not compile in the bound */
	uint32_t tables;  /* rte_acl contexts */
	uint32_t compile_ms;
};

/* Copies what it needs. NULL: no memory. Any one thread; may take seconds. One reference is the caller's. */
struct access_base *access_base_create(const struct access_conf *conf);
/* References: control thread. Frees with the last one; no worker may know it then. */
struct access_base *access_base_get(struct access_base *base);
void access_base_put(struct access_base *base);
void access_base_view(const struct access_base *base, struct access_base_view *out);

/* Order of a rule of the base, and of the k-th (< ACCESS_FRESH_MAX) of those that stand before it. */
#define ACCESS_ORDER_SHIFT 12u
#define ACCESS_ORDER_END   (UINT32_MAX)
static inline uint32_t access_order_base(uint32_t index)
{
	return index << ACCESS_ORDER_SHIFT | ((1u << ACCESS_ORDER_SHIFT) - 1);
}
static inline uint32_t access_order_before(uint32_t index, uint32_t k)
{
	return index << ACCESS_ORDER_SHIFT | k;
}

/* Rules that are not in the base. */
struct access_fresh {
	uint32_t
		before; /* stands before this rule of the base, and behind earlier ones of the same */
	struct access_rule rule;
};

struct access_set_conf {
	struct access_base *base;	  /* the set takes a reference of its own */
	const struct access_fresh *fresh; /* in order */
	uint32_t fresh_cnt;		  /* .. ACCESS_FRESH_MAX */
	const uint32_t *dead; /* indices of rules of the base that are gone, ascending */
	uint32_t dead_cnt;
};

/* NULL: no memory. Lists of fresh rules are the base's. Control thread. */
struct access_set *access_set_create(const struct access_set_conf *conf);
/* For a set that was never published. Control thread. */
void access_set_free(struct access_set *set);

/*
 * Publishes: every burst from now on goes by it; NULL: no list. The one before is freed after a grace period.
 * -ENOMEM (counters): the old one stays. Control thread.
 */
int hub_set_access(struct hub *hub, struct access_set *set);

/* Hits so far of the rule in this slot, summed over workers; never goes back. Control thread. */
uint64_t hub_access_hits(const struct hub *hub, uint32_t slot);
/* Frames that wait for their time now, and those that found no room: sums over workers. Control thread. */
void hub_access_parked(const struct hub *hub, uint64_t *waiting, uint64_t *refused);

/* ---- asking ---------------------------------------------------------------------------------- */

/* A sender or receiver as rules see it. */
struct access_party {
	uint64_t user, group; /* access_name_key(); 0: none */
	bool listable;	      /* a session of a user: include: and exclude: apply */
};

struct access_verdict {
	uint32_t order; /* of the rule; ACCESS_ORDER_END: none matched, the frame passes */
	uint32_t slot;	/* 0: none */
	bool drop;
	bool inbound; /* decided before anybody asked who gets it */
};

/*
 * What the set says to this frame, from the rules themselves, without the compiled tables. `to` may be NULL: then
 * only the first pass is made. `arp`: rules apply to ARP (hub option). Pure; any thread that may read the set.
 */
void access_set_ask(const struct access_set *set, const uint8_t *data, uint32_t len,
	const struct access_party *from, const struct access_party *to, bool arp,
	struct access_verdict *out);

#endif
