/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A frame on its way into the packet log: what the worker makes of it, and the line that comes of that. Any bytes of 14
 * or more: nothing is read behind the end, and the line is one line of twenty columns, or one JSON object.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/logs/packet_text.h"
#include "dataplane/lcore.h"
#include "dataplane/packet_log_priv.h"
#include "test/fuzz/require.h"

unsigned lcore_count(void)
{
	return 1;
}

/* As a reader of CSV counts. */
static unsigned columns(const char *p, size_t n)
{
	unsigned cnt = 1;
	bool quoted = false;

	for (size_t i = 0; i < n; i++) {
		REQUIRE((unsigned char)p[i] >= 0x20 && p[i] != 0x7f);
		if (p[i] == '"')
			quoted = !quoted;
		else if (p[i] == ',' && !quoted)
			cnt++;
	}
	REQUIRE(!quoted);
	return cnt;
}

static void line(const struct packet_record *rec, bool json)
{
	static const struct packet_names names = {
		.hub = "H", .from = "SID-A,\"-1", .to = "SID-B-2", .from_ip = "192.0.2.1"};
	static char bytes[PACKET_TEXT_MAX];
	struct text_line l;
	json_t *object;

	text_begin(&l, bytes, sizeof(bytes));
	packet_text(&l, json, rec, &names, &(struct packet_time){"date", "clock", "time"});
	REQUIRE(!l.cut);
	if (!json) {
		REQUIRE(columns(l.text, l.len) == 20);
		return;
	}
	object = json_loadb(l.text, l.len, JSON_REJECT_DUPLICATES, NULL);
	REQUIRE(json_is_object(object));
	REQUIRE(strcmp(json_string_value(json_object_get(object, "log")), "packet") == 0);
	json_decref(object);
}

static void log_it(const uint8_t *data, size_t size, bool http, uint8_t how)
{
	struct packet_record *rec;
	struct packet_look look;
	struct frame_class c;
	uint8_t *copy = malloc(size);

	/* In memory of its own length, for the sanitizer. */
	REQUIRE(copy);
	memcpy(copy, data, size);
	frame_classify(copy, (uint32_t)size, &c);
	packet_log_look(copy, (uint32_t)size, &c, http, &look);
	REQUIRE(look.capture >= 14 && look.capture <= size);
	REQUIRE((look.kinds & 1u << PACKET_LOG_ETHERNET) != 0 && look.kinds <= 255);
	if (how == PACKET_LOG_FULL)
		look.capture = (uint32_t)size;
	rec = malloc(sizeof(*rec) + look.capture);
	REQUIRE(rec);
	*rec = (struct packet_record){.captured = (uint16_t)look.capture,
		.frame_len = (uint16_t)size,
		.kinds = (uint8_t)look.kinds,
		.how = how,
		.opaque = size % 16 == 0};
	memcpy(rec->data, copy, look.capture);
	line(rec, false);
	line(rec, true);
	free(rec);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < FRAME_MIN_BYTES || size > FRAME_JUMBO_MAX)
		return 0;
	log_it(data, size, true, PACKET_LOG_HEADER);
	log_it(data, size, false, PACKET_LOG_FULL);
	return 0;
}
