/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_DATAPLANE_ACCESS_PRIV_H
#define PATCHBAY_DATAPLANE_ACCESS_PRIV_H

/*
 * The inside of access lists: keys, tests, columns, bases and sets. access_*.c, hub_access.c, hub_park.c.
 *
 * A frame becomes a *key* of seven words, a rule a *test* on such a key: masked words that must be equal, and two
 * ranges of ports. All that a rule asks about the packet is in there, so that scanning is a loop over masks. The
 * same bytes are what rte_acl reads.
 */

#include <assert.h>

#include "dataplane/access.h"
#include "dataplane/frame.h"
#include "dataplane/frame_class.h"

struct rte_acl_ctx;

enum access_kind {
	ACCESS_KIND_OTHER,
	ACCESS_KIND_IPV4,
	ACCESS_KIND_IPV6,
	ACCESS_KIND_CNT,
	ACCESS_KIND_EXEMPT = ACCESS_KIND_CNT, /* ARP: no rule matches */
	ACCESS_KIND_MALFORMED,
	ACCESS_KIND_OVERLAP, /* FRAME_TCP4_OVERLAP, where rules ask for TCP's flags */
};

/* What is visible of the layer above: one byte, the first that rte_acl looks at. */
#define ACCESS_L4_PORTS	      (1u << 0)
#define ACCESS_L4_TCP	      (1u << 1)
#define ACCESS_L4_ESTABLISHED (1u << 2)
#define ACCESS_L4_IS_TCP      (1u << 3) /* the protocol, fragments included */
#define ACCESS_L4_IS_UDP      (1u << 4)
#define ACCESS_L4_IS_ICMP     (1u << 5)
#define ACCESS_L4_IS_ICMP6    (1u << 6)

#define ACCESS_KEY_WORDS 7u

/* Wire order throughout. */
struct access_key {
	union {
		struct {
			uint8_t kind; /* enum access_kind */
			uint8_t protocol;
			uint8_t l4; /* ACCESS_L4_* */
			uint8_t zero;
			uint8_t ports[4];     /* source, destination */
			uint8_t address[32];  /* IPv4: 4 and 4, then zero. IPv6: 16 and 16 */
			uint8_t macs[12];     /* as in the frame: destination, source */
			uint8_t src_lists[4]; /* these, and who: rte_acl only */
		};
		uint64_t word[ACCESS_KEY_WORDS];
	};
	uint8_t src_who[4];
	uint8_t dst_who[4];
	uint8_t dst_lists[4];
	uint8_t pad[4];
};

/* A who as a test: what it asks for. */
struct access_who_test {
	uint8_t kind; /* enum access_who_kind */
	uint32_t list;
	uint64_t name;
};

struct access_test {
	uint64_t mask[ACCESS_KEY_WORDS];
	uint64_t want[ACCESS_KEY_WORDS];
	uint16_t port_first[2], port_last[2]; /* host order; 0 .. 65535: any */
	bool ranges;			      /* ports have to be looked at */
	struct access_who_test src_who, dst_who;
};

#define ACCESS_ACT_DROP	   (1u << 0)
#define ACCESS_ACT_SPECIAL (1u << 1) /* delay, loss or URL */

/* What happens then. */
struct access_action {
	uint32_t slot;
	uint8_t flags; /* ACCESS_ACT_* */
	uint8_t jitter;
	uint8_t loss;
	uint16_t delay_ms;
	const char *url;
};

/* The first two words of a test: most tests fail here. */
struct access_glance {
	uint64_t mask[2];
	uint64_t want[2];
	uint16_t port_first[2], port_span[2]; /* host order */
	bool whole;			      /* there is no more to it */
};

/*
 * A burst by columns: word[c][j] is the c-th 32-bit word of frame j's key, but that ports are numbers, the source's
 * in the upper half. Short lists are compared with these (access_quick.c).
 */
#define ACCESS_COLUMNS 13u /* of the key: all that is not who */

struct access_columns {
	uint32_t word[ACCESS_COLUMNS][FRAME_BURST] __attribute__((aligned(64)));
};

#define ACCESS_FEW_RULES 32u /* up to so many are compared rule by rule */

/* With what instructions; all give the same. */
enum access_few_way {
	ACCESS_FEW_PLAIN,
	ACCESS_FEW_SSE,
	ACCESS_FEW_AVX2,
	ACCESS_FEW_WAYS,
};

struct access_few_rule {
	uint32_t index;	   /* in the base */
	uint32_t columns;  /* bit per column that is asked about */
	bool header_again; /* of the header it asks what the rule before does */
	uint32_t port_first, port_span;
	uint32_t mask[ACCESS_COLUMNS], want[ACCESS_COLUMNS];
};

/*
 * Rules that ask for the same bits, each for other values of them: found by hashing those bits (access_shape.c).
 * Port ranges and names are not among the bits: what was found is tested for them.
 */
#define ACCESS_SHAPES_MAX  8u
#define ACCESS_SHAPE_LEAST 16u /* rules; fewer are compared one by one */
#define ACCESS_SHAPE_PROBE 16u /* entries that a lookup touches at most */
#define ACCESS_SHAPE_WORDS 3u

struct access_shape_entry {
	uint32_t word[ACCESS_SHAPE_WORDS]; /* the bits; or a hash, where there are more */
	uint32_t rule;			   /* index + 1; 0: empty, the search ends */
};

struct access_shape {
	uint32_t header_mask, header_want; /* the same of all its rules */
	uint32_t columns;		   /* but the header */
	uint32_t mask[ACCESS_COLUMNS];
	bool exact; /* what has the bits matches: no more to test */
	bool wide;  /* more than ACCESS_SHAPE_WORDS columns */
	uint8_t column[ACCESS_SHAPE_WORDS];
	uint32_t rules;
	uint32_t slot_mask; /* of the table: slots - 1 */
	struct access_shape_entry *table;
};

/*
 * A whole list by columns: rules that are compared one by one, and shapes. Not for every list (access_quick_make()).
 */
struct access_quick {
	bool usable;
	uint32_t columns; /* that are to be filled in */
	enum access_few_way way;
	uint32_t few_cnt, shape_cnt;
	struct access_few_rule few[ACCESS_FEW_RULES];
	struct access_shape shape[ACCESS_SHAPES_MAX];
};

/* What was found for a burst. */
struct access_found {
	uint32_t few_cnt;		/* rules of quick->few that were tried ... */
	uint64_t few[ACCESS_FEW_RULES]; /* and the frames that each is the first to match */
	uint64_t hashed;	    /* frames that some rule of a shape is the first to match: */
	uint32_t rule[FRAME_BURST]; /* its index. Of others anything */
};

/* Rules from..to-1 for the frames of one kind. */
struct access_table {
	struct rte_acl_ctx *acl; /* NULL: none of these rules is for this kind */
};

struct access_chunk {
	uint32_t from, to;
	bool scanned; /* no tables: in order */
	struct access_table table[ACCESS_KIND_CNT];
};

#define ACCESS_CHUNKS_MAX 64u

struct access_base {
	uint32_t refs;
	uint32_t cnt;
	uint32_t end;	/* rules from here on are behind one that matches everything */
	uint32_t split; /* the first rule that names a receiver, or cnt */
	struct access_glance *glance;
	struct access_test *test;
	struct access_action *action;
	char *urls;
	uint32_t list_cnt;
	struct access_names lists[ACCESS_LISTS_MAX]; /* keys owned */
	/* Keys of names that rules ask for, sorted; a name's id is its place + 1. */
	uint64_t *src_names, *dst_names;
	uint32_t src_name_cnt, dst_name_cnt;
	uint32_t chunk_cnt;
	struct access_chunk chunk[ACCESS_CHUNKS_MAX];
	struct access_quick quick;
	uint32_t *brief; /* of each action: slot | flags << 16 */
	uint32_t compile_ms;
	uint32_t tcp_state_cnt; /* rules that ask for the state of a connection */
};

struct access_set {
	struct access_base *base;
	uint32_t
		split; /* order from which on rules wait for the receiver; ACCESS_ORDER_END: none */
	uint32_t fresh_cnt;
	uint64_t *dead; /* bit per rule of the base, or NULL: none */
	uint32_t *fresh_order;
	struct access_test *fresh_test;
	struct access_action *fresh_action;
	char *urls;
	bool quick; /* the base's `quick` is all there is: no fresh, dead, nor receiver's rules */
	bool asks_tcp_state;
	struct access_hits *hits; /* the hub's; set when published */
	struct grace_node grace;
};

struct access_hits {
	unsigned workers;
	uint64_t *cnt[]; /* by worker: [ACCESS_SLOTS] */
};

#define ACCESS_LISTS_BIT (1u << ACCESS_LISTS_MAX)

/* Who a port is, as the tables of a base want it. */
struct access_ids {
	struct access_party party;
	uint32_t id[2];	 /* of the names in the base; the second only if both are there */
	unsigned id_cnt; /* 1 or 2; id[0] = 0: none */
	uint32_t lists;	 /* bit per list the user stands in; ACCESS_LISTS_BIT: listable */
};

/* ---- access_key.c ---- */

/* Fills *key from what frame_classify() found. MACs come from `data`. Pure. */
enum access_kind access_key_of(
	const uint8_t *data, const struct frame_class *c, bool arp, struct access_key *key);
/* The same for the usual frame, from its bytes; false: it is none, ask frame_classify(). Pure. */
bool access_key_fast(const uint8_t *data, uint32_t len, struct access_key *key);
/* ACCESS_L4_IS_*, 0: it has none and rte_acl reads the number. */
uint8_t access_protocol_bit(uint8_t protocol);

/* The first 32 bits of a key. */
static inline uint32_t access_header_word(uint32_t kind, uint32_t protocol, uint32_t l4)
{
	return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? kind | protocol << 8 | l4 << 16
							 : kind << 24 | protocol << 16 | l4 << 8;
}

/* ---- access_column.c ---- */

#define ACCESS_COLUMN_HEADER 0u /* kind, protocol, l4 */
#define ACCESS_COLUMN_PORTS  1u
#define ACCESS_COLUMN_SRC    2u /* IPv4: one each; IPv6: four each */
#define ACCESS_COLUMN_MACS   10u

/* The mask of those of n frames for which (col & mask) == want. Bits from n on may be anything. */
typedef uint64_t access_word_fn(const uint32_t *col, uint32_t mask, uint32_t want, unsigned n);
/* Both halves, each as 16 bits: col - first <= span. */
typedef uint64_t access_ports_fn(const uint32_t *col, uint32_t first, uint32_t span, unsigned n);

struct access_compare {
	access_word_fn *word;
	access_ports_fn *ports;
};

extern const struct access_compare access_compare[ACCESS_FEW_WAYS];

/* The fastest this CPU has. */
enum access_few_way access_few_best(void);
/*
 * Fills those of the columns `used` for the usual frames (those of access_key_fast() that have 48 bytes), and returns their
 * mask. The others are access_columns_put()'s. Header, ports and IPv4 are always filled. n <= FRAME_BURST. Pure.
 */
uint64_t access_columns_fill(
	struct access_columns *cols, uint32_t used, struct frame *const *frame, unsigned n);
void access_columns_put(
	struct access_columns *cols, uint32_t used, unsigned j, const struct access_key *key);

/* ---- access_quick.c ---- */

/*
 * Fills base->quick from its tests, if the list fits: up to ACCESS_FEW_RULES rules, or more that come in few shapes, and
 * none names a receiver. -ENOMEM: no memory. Any one thread.
 */
int access_quick_make(struct access_base *base, enum access_few_way way);
void access_quick_free(struct access_base *base);
/*
 * Who is the first to match each frame in `open`, of n. quick->columns of these frames are filled in; those of others may
 * be anything. No rule of the base has gone. Pure.
 */
void access_quick_find(const struct access_base *base, const struct access_columns *cols,
	unsigned n, uint64_t open, const struct access_party *from, struct access_found *out);

/* ---- access_shape.c ---- */

/*
 * Sorts rules 0..cnt-1 into base->quick.shape[]; those that are left over go to rest[ACCESS_FEW_RULES], in order.
 * -ENOSPC: they do not fit; -ENOMEM. In both cases access_quick_free() is still to be called.
 */
int access_shapes_make(struct access_base *base, uint32_t cnt, uint32_t *rest, uint32_t *rest_cnt);
/* Frames of `open` that some rule of a shape matches: *rule[j] is the smallest index. */
uint64_t access_shapes_find(const struct access_base *base, const struct access_columns *cols,
	unsigned n, uint64_t open, const struct access_party *from, uint32_t *rule);

/* ---- access_test.c ---- */

void access_test_make(const struct access_rule *rule, struct access_test *out);
bool access_who_holds(const struct access_who_test *who, const struct access_party *party,
	const struct access_names *lists);
/* Without sender and receiver. */
bool access_test_key(const struct access_test *t, const struct access_key *key);
bool access_test_holds(const struct access_test *t, const struct access_key *key,
	const struct access_party *from, const struct access_party *to,
	const struct access_names *lists);
/* It asks for nothing. */
bool access_test_all(const struct access_test *t);
/* It asks whether a TCP segment opens a connection. */
bool access_test_tcp_state(const struct access_test *t);
void access_action_make(const struct access_rule *rule, struct access_action *out);

/* ---- access_table.c ---- */

/* Fills base->chunk[]. max_bytes as access_conf. */
void access_tables_make(struct access_base *base, size_t max_bytes);
void access_tables_free(struct access_base *base);

/* ---- access_find.c ---- */

/* Place + 1 of a key among the sorted names of a base; 0: it is none of them. */
uint32_t access_name_id(const uint64_t *names, uint32_t cnt, uint64_t key);
void access_ids_make(const struct access_base *base, const struct access_party *party, bool dst,
	struct access_ids *out);
/* Rules from..to-1 of the base in order; UINT32_MAX: none. `to` of the parties may be NULL: nobody. */
uint32_t access_base_scan(const struct access_set *set, const struct access_key *key,
	const struct access_party *from_party, const struct access_party *to_party, uint32_t from,
	uint32_t to);
/*
 * The first rule in lo <= order < hi for each of n (<= FRAME_BURST) keys: order[i], ACCESS_ORDER_END: none.
 * `to`: NULL in the first pass.
 */
void access_set_find(const struct access_set *set, struct access_key *const *key, unsigned n,
	const struct access_ids *from, const struct access_ids *to, uint32_t lo, uint32_t hi,
	uint32_t *order);
/* What the rule of this order does. */
const struct access_action *access_set_action(const struct access_set *set, uint32_t order);

#endif
