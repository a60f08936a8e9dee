/* SPDX-License-Identifier: BSD-3-Clause */
/* Data-phase codec (wire.md 6.1-6.3). The receive loop runs on workers for every frame. */
#include "drivers/session/wire/block.h"

#include <string.h>

static const char natt_port_tag[12] = {'N', 'A', 'T', 'T', '_', 'M', 'Y', '_', 'P', 'O', 'R', 'T'};
static const char natt_ip_tag[10] = {'N', 'A', 'T', 'T', '_', 'M', 'Y', '_', 'I', 'P'};

void block_rx_parse(struct block_rx *rx, const uint8_t *in, size_t len, struct block_span *spans,
	uint32_t max, struct block_rx_result *res)
{
	const uint32_t len_min = rx->compressed ? 1 : BLOCK_FRAME_MIN;
	const uint32_t len_max = rx->compressed ? BLOCK_SIZE_MAX : BLOCK_FRAME_MAX;
	uint32_t group_left = rx->group_left;
	uint32_t count = 0, size;
	size_t at = 0;

	*res = (struct block_rx_result){.status = BLOCK_RX_MORE};
	for (;;) {
		if (len - at < BLOCK_HEADER)
			break;
		size = be32_get(in + at);
		if (group_left) {
			if (size > BLOCK_SIZE_MAX) {
				res->status = BLOCK_RX_BAD_BLOCK;
				break;
			}
			if (len - at - BLOCK_HEADER < size)
				break;
			at += BLOCK_HEADER;
			group_left--;
			if (__builtin_expect(size - len_min <= len_max - len_min, 1)) {
				spans[count].data = in + at;
				spans[count].len = size;
				at += size;
				if (++count == max) {
					res->status = BLOCK_RX_AGAIN;
					break;
				}
				continue;
			}
			at += size;
			if (!size)
				res->empty++;
			else if (size < len_min)
				res->too_short++;
			else
				res->too_long++;
			continue;
		}
		if (size != BLOCK_KEEPALIVE_MARK) {
			group_left = size; /* 0: an empty group, nothing follows */
			at += BLOCK_GROUP_HEADER;
			continue;
		}
		if (len - at < BLOCK_KEEPALIVE_HEADER)
			break;
		size = be32_get(in + at + 4);
		if (size > BLOCK_KEEPALIVE_MAX) {
			res->status = BLOCK_RX_BAD_KEEPALIVE;
			break;
		}
		if (len - at - BLOCK_KEEPALIVE_HEADER < size)
			break;
		res->keepalive = (struct block_span){in + at + BLOCK_KEEPALIVE_HEADER, size};
		at += BLOCK_KEEPALIVE_HEADER + size;
		res->status = BLOCK_RX_AGAIN;
		break;
	}
	rx->group_left = group_left;
	res->count = count;
	res->consumed = at;
}

uint16_t block_keepalive_natt_port(const struct block_span *payload)
{
	const uint8_t *p = payload->data;
	uint32_t left = payload->len;
	const uint32_t ip_bytes = sizeof(natt_ip_tag) + 16;

	if (left >= ip_bytes && !memcmp(p, natt_ip_tag, sizeof(natt_ip_tag))) {
		p += ip_bytes;
		left -= ip_bytes;
	}
	if (left < sizeof(natt_port_tag) + 2 || memcmp(p, natt_port_tag, sizeof(natt_port_tag)))
		return 0;
	return be16_get(p + sizeof(natt_port_tag));
}

size_t block_tx_group(
	uint8_t *dst, size_t cap, const struct block_span *blocks, uint32_t count, uint32_t *taken)
{
	size_t at = BLOCK_GROUP_HEADER;
	uint32_t n;

	for (n = 0; n < count; n++) {
		size_t need = BLOCK_HEADER + (size_t)blocks[n].len;

		if (at > cap || need > cap - at)
			break;
		memcpy(block_put_size(dst + at, blocks[n].len), blocks[n].data, blocks[n].len);
		at += need;
	}
	*taken = n;
	if (!n)
		return 0;
	block_put_group(dst, n);
	return at;
}
