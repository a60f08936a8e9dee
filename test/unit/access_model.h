/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_ACCESS_MODEL_H
#define PATCHBAY_TEST_ACCESS_MODEL_H

/*
 * A model of access rules that knows neither keys nor parsers: a frame is made from facts, and the model looks at the
 * facts as reference/access-list.md says it. Rules and frames are drawn from few values, so that they meet.
 */

#include <stdbool.h>
#include <stdint.h>

#include "dataplane/access.h"

#define MODEL_BYTES  160u /* of the longest frame */
#define MODEL_PEOPLE 6u
#define MODEL_LISTS  2u

/* 0 .. below-1; the same numbers in every run. */
uint32_t any(uint32_t below);
bool one_in(uint32_t n);

/* Who may send and receive, 0 .. MODEL_PEOPLE-1, and lists of them. people_make() first. */
extern struct access_names model_lists[MODEL_LISTS];
void people_make(void);
struct access_party person(unsigned i);

void put16(uint8_t *p, uint32_t v);

struct facts {
	unsigned family; /* 4, 6, 0: something else, 1: ARP */
	uint8_t src[16], dst[16];
	uint8_t protocol;
	bool ports; /* visible */
	uint16_t sport, dport;
	bool tcp;
	uint8_t flags;
	uint64_t smac, dmac;
	uint8_t bytes[MODEL_BYTES];
	uint32_t len;
};

/* A frame, and all that is true of it. */
void facts_make(struct facts *f);

struct taste {
	bool names, macs, receivers, bare;
};

void rule_random(struct access_rule *r, uint32_t slot, const struct taste *t);

/* Whether the rule matches. from, to: people; -1: not known. */
bool model_rule(const struct access_rule *r, const struct facts *f, int from, int to);

#endif
