/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a frame is to the rules of a hub: any bytes of 14 or more. Nothing is read behind the end, layers stand in
 * their order within the frame, and a VLAN tag in front hides nothing.
 */
#include <string.h>

#include "dataplane/frame_class.h"
#include "test/fuzz/require.h"

#define TAG_AT	   12u
#define TAG_BYTES  4u
#define SNAP_BYTES 8u

/* In memory of its own length, for the sanitizer. */
static void classify(const uint8_t *data, size_t size, struct frame_class *out)
{
	uint8_t *copy = malloc(size);

	REQUIRE(copy);
	memcpy(copy, data, size);
	frame_classify(copy, (uint32_t)size, out);
	free(copy);
}

static void require_sane(const struct frame_class *c, size_t size)
{
	const uint64_t layer3 = c->classes & (FRAME_IPV4 | FRAME_IPV6 | FRAME_NON_IP);

	/* One of them, and only one. */
	REQUIRE(layer3 != 0 && (layer3 & (layer3 - 1)) == 0);
	REQUIRE(c->l3_at >= 14u + ((c->classes & FRAME_TAGGED) != 0 ? TAG_BYTES : 0));
	REQUIRE(c->l3_at <= 14u + TAG_BYTES + FRAME_CLASS_WRAPPERS * SNAP_BYTES);
	REQUIRE(c->l3_at <= size && c->vlan <= 4095);
	REQUIRE(c->l4_at == 0 || (c->l4_at >= c->l3_at + 20u && c->l4_at + 4u <= size));
	if ((c->classes & (FRAME_TCP4_ANSWER | FRAME_TCP6_ANSWER)) != 0)
		REQUIRE((c->classes & FRAME_TCP_SYN) != 0);
	if ((c->classes &
		    (FRAME_TCP_SYN | FRAME_RS | FRAME_RA | FRAME_DHCP4_ACK | FRAME_DHCP6_LEASE |
			    FRAME_ADVERTISED)) != 0)
		REQUIRE(c->l4_at != 0);
	if ((c->classes & FRAME_GROUP_OTHER) != 0)
		REQUIRE((c->classes & FRAME_BROADCAST) != 0);
}

static void require_same_behind_tag(const uint8_t *data, size_t size, const struct frame_class *c)
{
	static const uint8_t tag[TAG_BYTES] = {0x81, 0x00, 0x00, 0x07};
	static uint8_t tagged[FRAME_JUMBO_MAX + TAG_BYTES];
	/* A BPDU never has a tag: there it is no BPDU. */
	const uint64_t differ = FRAME_TAGGED | FRAME_BPDU;
	struct frame_class t;

	memcpy(tagged, data, TAG_AT);
	memcpy(tagged + TAG_AT, tag, TAG_BYTES);
	memcpy(tagged + TAG_AT + TAG_BYTES, data + TAG_AT, size - TAG_AT);
	classify(tagged, size + TAG_BYTES, &t);
	require_sane(&t, size + TAG_BYTES);
	REQUIRE(t.vlan == 7 && (t.classes & ~differ) == (c->classes & ~differ));
	REQUIRE(t.l4_at == (c->l4_at != 0 ? c->l4_at + TAG_BYTES : 0));
	REQUIRE(memcmp(t.src, c->src, 16) == 0 && memcmp(t.dst, c->dst, 16) == 0);
	REQUIRE(memcmp(t.lease, c->lease, 16) == 0 && t.client == c->client);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct frame_class c;

	if (size < FRAME_MIN_BYTES || size > FRAME_JUMBO_MAX)
		return 0;
	classify(data, size, &c);
	require_sane(&c, size);
	if ((c.classes & FRAME_TAGGED) == 0 && (data[12] != 0x81 || data[13] != 0x00))
		require_same_behind_tag(data, size, &c);
	return 0;
}
