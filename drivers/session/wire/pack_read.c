/* SPDX-License-Identifier: BSD-3-Clause */
/* PACK reader: one validating pass, an index sorted by name, getters that cannot fail. */
#include <errno.h>
#include <string.h>

#include "drivers/session/wire/be.h"
#include "drivers/session/wire/pack.h"

/* No message before login has long arrays; a hub list, the longest a server sends, is not read here. */
const struct pack_limits pack_limits_login = {
	.max_bytes = 65536, .max_elements = PACK_LOGIN_ELEMENTS, .max_values = 1024};
const struct pack_limits pack_limits_admin = {
	.max_bytes = 65536, .max_elements = PACK_INDEX_FOR_BYTES(65536), .max_values = 65536 / 4};

/* Walks the body during pack_parse. */
struct cursor {
	const uint8_t *data;
	size_t size_bytes;
	size_t at;
};

static bool cursor_be32(struct cursor *c, uint32_t *v)
{
	if (c->size_bytes - c->at < 4)
		return false;
	*v = be32_get(c->data + c->at);
	c->at += 4;
	return true;
}

static bool cursor_skip(struct cursor *c, uint64_t n)
{
	if (c->size_bytes - c->at < n)
		return false;
	c->at += n;
	return true;
}

static inline uint8_t fold(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? c | 0x20 : c;
}

static int name_compare(const uint8_t *a, uint32_t a_len, const uint8_t *b, uint32_t b_len)
{
	uint32_t n = a_len < b_len ? a_len : b_len, i;

	for (i = 0; i < n; i++) {
		int d = fold(a[i]) - fold(b[i]);

		if (d)
			return d;
	}
	return (int)a_len - (int)b_len;
}

static int element_compare(
	const uint8_t *body, const struct pack_element *a, const struct pack_element *b)
{
	return name_compare(body + a->name_at, a->name_len, body + b->name_at, b->name_len);
}

static void sift_down(const uint8_t *body, struct pack_element *e, uint32_t root, uint32_t count)
{
	struct pack_element moving = e[root];
	uint32_t child;

	while ((child = 2 * root + 1) < count) {
		if (child + 1 < count && element_compare(body, &e[child], &e[child + 1]) < 0)
			child++;
		if (element_compare(body, &moving, &e[child]) >= 0)
			break;
		e[root] = e[child];
		root = child;
	}
	e[root] = moving;
}

/* Heap sort: no recursion, no memory, and no input that makes it slow. */
static void elements_sort(const uint8_t *body, struct pack_element *e, uint32_t count)
{
	uint32_t i;

	for (i = count / 2; i-- > 0;)
		sift_down(body, e, i, count);
	for (i = count; i-- > 1;) {
		struct pack_element last = e[i];

		e[i] = e[0];
		e[0] = last;
		sift_down(body, e, 0, i);
	}
}

static bool values_skip(struct cursor *c, uint32_t type, uint32_t count)
{
	uint32_t len;

	if (type == PACK_INT)
		return cursor_skip(c, (uint64_t)count * 4);
	if (type == PACK_INT64)
		return cursor_skip(c, (uint64_t)count * 8);
	/* Each turn consumes at least four bytes of the body, which bounds the loop. */
	while (count--)
		if (!cursor_be32(c, &len) || !cursor_skip(c, len))
			return false;
	return true;
}

static int element_parse(struct cursor *c, struct pack_element *e, uint32_t *values_left)
{
	uint32_t name_field, type, count;

	if (!cursor_be32(c, &name_field) || name_field < 2 || name_field > PACK_NAME_MAX + 1)
		return -EBADMSG;
	e->name_len = (uint8_t)(name_field - 1);
	e->name_at = (uint32_t)c->at;
	if (!cursor_skip(c, e->name_len))
		return -EBADMSG;
	/* Peers handle names as C strings: with a NUL inside, theirs and ours would differ. */
	if (memchr(c->data + e->name_at, 0, e->name_len))
		return -EBADMSG;
	if (!cursor_be32(c, &type) || type > PACK_INT64 || !cursor_be32(c, &count) || !count)
		return -EBADMSG;
	if (count > PACK_VALUES_MAX || count > *values_left)
		return -E2BIG;
	*values_left -= count;
	e->type = (uint8_t)type;
	e->value_count = count;
	e->values_at = (uint32_t)c->at;
	return values_skip(c, type, count) ? 0 : -EBADMSG;
}

int pack_parse(struct pack *p, const void *body, size_t size_bytes,
	const struct pack_limits *limits, struct pack_element *index, uint32_t index_count)
{
	struct cursor c = {.data = body, .size_bytes = size_bytes};
	uint32_t values_left = limits->max_values;
	uint32_t count, i;
	int ret;

	*p = (struct pack){.data = body, .elements = index};
	if (size_bytes > limits->max_bytes || size_bytes > UINT32_MAX)
		return -E2BIG;
	if (!cursor_be32(&c, &count))
		return -EBADMSG;
	if (count > PACK_ELEMENTS_MAX || count > limits->max_elements || count > index_count)
		return -E2BIG;
	for (i = 0; i < count; i++) {
		ret = element_parse(&c, &index[i], &values_left);
		if (ret)
			return ret;
	}
	elements_sort(body, index, count);
	for (i = 1; i < count; i++)
		if (!element_compare(body, &index[i - 1], &index[i]))
			return -EBADMSG;
	p->count = count;
	p->size_bytes = c.at;
	return 0;
}

static const struct pack_element *pack_find(
	const struct pack *p, const char *name, enum pack_type type)
{
	uint32_t name_len = (uint32_t)strlen(name);
	uint32_t low = 0, high = p->count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		const struct pack_element *e = &p->elements[mid];
		int d = name_compare(
			(const uint8_t *)name, name_len, p->data + e->name_at, e->name_len);

		if (!d)
			return e->type == type ? e : NULL;
		if (d < 0)
			high = mid;
		else
			low = mid + 1;
	}
	return NULL;
}

uint32_t pack_count(const struct pack *p, const char *name, enum pack_type type)
{
	const struct pack_element *e = pack_find(p, name, type);

	return e ? e->value_count : 0;
}

uint32_t pack_get_int_at(const struct pack *p, const char *name, uint32_t i)
{
	const struct pack_element *e = pack_find(p, name, PACK_INT);

	if (!e || i >= e->value_count)
		return 0;
	return be32_get(p->data + e->values_at + (size_t)i * 4);
}

uint64_t pack_get_int64_at(const struct pack *p, const char *name, uint32_t i)
{
	const struct pack_element *e = pack_find(p, name, PACK_INT64);

	if (!e || i >= e->value_count)
		return 0;
	return be64_get(p->data + e->values_at + (size_t)i * 8);
}

struct pack_iter pack_iter_start(const struct pack *p, const char *name, enum pack_type type)
{
	const struct pack_element *e = NULL;

	if (type == PACK_STR || type == PACK_UNISTR || type == PACK_DATA)
		e = pack_find(p, name, type);
	if (!e)
		return (struct pack_iter){.type = (uint8_t)type};
	return (struct pack_iter){
		.next = p->data + e->values_at, .left = e->value_count, .type = e->type};
}

bool pack_iter_next(struct pack_iter *it, struct pack_span *value)
{
	const uint8_t *nul;

	if (!it->left) {
		*value = (struct pack_span){
			.data = it->type == PACK_DATA ? NULL : (const uint8_t *)""};
		return false;
	}
	value->len = be32_get(it->next);
	value->data = it->next + 4;
	it->next = value->data + value->len;
	it->left--;
	if (it->type != PACK_DATA) {
		nul = memchr(value->data, 0, value->len);
		if (nul)
			value->len = (uint32_t)(nul - value->data);
	}
	return true;
}

static struct pack_span pack_get_span_at(
	const struct pack *p, const char *name, enum pack_type type, uint32_t i)
{
	struct pack_iter it = pack_iter_start(p, name, type);
	struct pack_span value;

	while (pack_iter_next(&it, &value))
		if (!i--)
			break;
	return value;
}

struct pack_span pack_get_str_at(const struct pack *p, const char *name, uint32_t i)
{
	return pack_get_span_at(p, name, PACK_STR, i);
}

struct pack_span pack_get_unistr_at(const struct pack *p, const char *name, uint32_t i)
{
	return pack_get_span_at(p, name, PACK_UNISTR, i);
}

struct pack_span pack_get_data_at(const struct pack *p, const char *name, uint32_t i)
{
	return pack_get_span_at(p, name, PACK_DATA, i);
}

/* Name of one of an address's companion elements; false if no element can be called that. */
static bool ip_element_name(char name[PACK_NAME_MAX + 1], const char *prefix, const char *suffix)
{
	size_t n = strlen(prefix), m = strlen(suffix);

	if (n + m > PACK_NAME_MAX)
		return false;
	memcpy(name, prefix, n);
	memcpy(name + n, suffix, m + 1);
	return true;
}

int pack_get_ip_at(const struct pack *p, const char *prefix, uint32_t i, struct pack_ip *ip)
{
	char name[PACK_NAME_MAX + 1];
	struct pack_span v6;
	uint32_t v;

	*ip = (struct pack_ip){0};
	if (ip_element_name(name, prefix, "@ipv6_bool") && pack_get_int_at(p, name, i)) {
		if (!ip_element_name(name, prefix, "@ipv6_array"))
			return -ENOENT;
		v6 = pack_get_data_at(p, name, i);
		if (!v6.data || v6.len != sizeof(ip->addr))
			return -ENOENT;
		ip->is_ipv6 = true;
		memcpy(ip->addr, v6.data, sizeof(ip->addr));
		if (ip_element_name(name, prefix, "@ipv6_scope_id"))
			ip->scope_id = pack_get_int_at(p, name, i);
		return 0;
	}
	if (i >= pack_count(p, prefix, PACK_INT))
		return -ENOENT;
	/* The integer's octets are reversed (wire.md 2). */
	v = __builtin_bswap32(pack_get_int_at(p, prefix, i));
	be32_put(ip->addr, v);
	return 0;
}

int pack_copy_str(const struct pack *p, const char *name, char *dst, size_t size)
{
	struct pack_span s = pack_get_str(p, name);

	dst[0] = 0;
	if (s.len >= size)
		return -EMSGSIZE;
	memcpy(dst, s.data, s.len);
	dst[s.len] = 0;
	return 0;
}

void pack_copy_str_cut(const struct pack *p, const char *name, char *dst, size_t size)
{
	struct pack_span s = pack_get_str(p, name);
	size_t n = s.len < size ? s.len : size - 1;

	memcpy(dst, s.data, n);
	dst[n] = 0;
}

int pack_copy_data(const struct pack *p, const char *name, void *dst, size_t size_bytes)
{
	struct pack_span s = pack_get_data(p, name);

	if (!s.data)
		return -ENOENT;
	if (s.len != size_bytes)
		return -EMSGSIZE;
	memcpy(dst, s.data, size_bytes);
	return 0;
}
