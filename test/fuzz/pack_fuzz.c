/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * PACK reader: any bytes. What parses must be found by name, readable by every getter, and survive
 * being written and read again.
 */
#include <string.h>

#include "drivers/session/wire/pack.h"
#include "test/fuzz/require.h"

static struct pack_element index_in[PACK_INDEX_FOR_BYTES(65536)];
static struct pack_element index_out[PACK_WRITER_ELEMENTS];
static struct pack_writer writer;

static void touch(struct pack_span s)
{
	volatile uint8_t sum = 0;

	for (uint32_t i = 0; i < s.len; i++)
		sum = (uint8_t)(sum + s.data[i]);
}

static void copy_element(
	struct pack_writer *w, const struct pack *p, const struct pack_element *e, const char *name)
{
	struct pack_iter it = pack_iter_start(p, name, e->type);
	struct pack_span s;
	uint32_t n = 0;

	pack_begin_array(w, name, e->type, e->value_count);
	if (e->type == PACK_INT) {
		for (n = 0; n < e->value_count; n++)
			pack_value_int(w, pack_get_int_at(p, name, n));
	} else if (e->type == PACK_INT64) {
		for (n = 0; n < e->value_count; n++)
			pack_value_int64(w, pack_get_int64_at(p, name, n));
	}
	while (pack_iter_next(&it, &s)) {
		touch(s);
		n++;
		if (e->type == PACK_DATA) {
			pack_value_data(w, s.data, s.len);
			continue;
		}
		char *text = malloc((size_t)s.len + 1);

		REQUIRE(text && !memchr(s.data, 0, s.len));
		memcpy(text, s.data, s.len);
		text[s.len] = 0;
		if (e->type == PACK_STR)
			pack_value_str(w, text);
		else
			pack_value_unistr(w, text);
		free(text);
	}
	REQUIRE(n == e->value_count);
}

static bool same_span(struct pack_span a, struct pack_span b)
{
	return a.len == b.len && !memcmp(a.data, b.data, a.len);
}

static void compare_element(
	const struct pack *a, const struct pack *b, const struct pack_element *e, const char *name)
{
	struct pack_iter x = pack_iter_start(a, name, e->type);
	struct pack_iter y = pack_iter_start(b, name, e->type);
	struct pack_span s, t;

	REQUIRE(pack_count(b, name, e->type) == e->value_count);
	for (uint32_t i = 0; i < e->value_count; i++) {
		REQUIRE(pack_get_int_at(a, name, i) == pack_get_int_at(b, name, i));
		REQUIRE(pack_get_int64_at(a, name, i) == pack_get_int64_at(b, name, i));
	}
	while (pack_iter_next(&x, &s)) {
		REQUIRE(pack_iter_next(&y, &t));
		REQUIRE(same_span(s, t));
	}
	REQUIRE(!pack_iter_next(&y, &t));
}

static void try_all_getters(const struct pack *p, const char *name)
{
	char text[8];
	struct pack_ip ip;

	for (int type = PACK_INT; type <= PACK_INT64; type++)
		pack_count(p, name, type);
	touch(pack_get_str_at(p, name, 1));
	touch(pack_get_unistr(p, name));
	touch(pack_get_data(p, name));
	pack_get_ip(p, name, &ip);
	pack_copy_str_cut(p, name, text, sizeof(text));
	REQUIRE(memchr(text, 0, sizeof(text)));
	pack_copy_str(p, name, text, sizeof(text));
	REQUIRE(memchr(text, 0, sizeof(text)));
	pack_copy_data(p, name, text, sizeof(text));
}

static void element_name(char name[PACK_NAME_MAX + 1], const struct pack *p, uint32_t i)
{
	memcpy(name, p->data + p->elements[i].name_at, p->elements[i].name_len);
	name[p->elements[i].name_len] = 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[PACK_NAME_MAX + 1];
	struct bytebuf buf;
	struct pack in, out;
	uint32_t i;

	pack_parse(&in, data, size, &pack_limits_login, index_in, PACK_LOGIN_ELEMENTS);
	if (pack_parse(&in, data, size, &pack_limits_admin, index_in, PACK_INDEX_FOR_BYTES(65536)))
		return 0;
	REQUIRE(in.size_bytes <= size);

	bytebuf_init(&buf, 1 << 20);
	pack_writer_init(&writer, &buf);
	for (i = 0; i < in.count; i++) {
		element_name(name, &in, i);
		REQUIRE(strlen(name) == in.elements[i].name_len);
		REQUIRE(pack_count(&in, name, in.elements[i].type) == in.elements[i].value_count);
		try_all_getters(&in, name);
		copy_element(&writer, &in, &in.elements[i], name);
	}
	if (in.count > PACK_WRITER_ELEMENTS) {
		REQUIRE(pack_writer_finish(&writer));
	} else {
		const struct pack_limits wide = {1 << 20, PACK_WRITER_ELEMENTS, 1 << 20};

		REQUIRE(!pack_writer_finish(&writer));
		REQUIRE(!pack_parse(
			&out, buf.data, buf.len, &wide, index_out, PACK_WRITER_ELEMENTS));
		REQUIRE(out.count == in.count && out.size_bytes == buf.len);
		for (i = 0; i < in.count; i++) {
			element_name(name, &in, i);
			compare_element(&in, &out, &in.elements[i], name);
		}
	}
	bytebuf_free(&buf);
	return 0;
}
