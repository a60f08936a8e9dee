/* SPDX-License-Identifier: BSD-3-Clause */
/* The original's configuration text, read into a tree (import_tree.h). */

#include "controlplane/import_tree.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/admin/base64.h"

#define TIME_EARLY_MS UINT64_C(32400000) /* nine hours */

bool import_is_original(const char *text)
{
	const char *p = strstr(text, "declare root");

	/* First on a line, as libconfig could not have it. */
	return p != NULL && (p == text || p[-1] == '\n');
}

void import_tree_free(struct import_tree *tree)
{
	if (tree->copy != NULL)
		explicit_bzero(tree->copy, tree->copy_size);
	free(tree->copy);
	free(tree->nodes);
	*tree = (struct import_tree){0};
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* In place: it only gets shorter. A lone $ is empty; a NUL ends the text. */
static void decode(char *text)
{
	char *to = text;

	if (strcmp(text, "$") == 0) {
		*text = '\0';
		return;
	}
	for (const char *p = text; *p != '\0'; p++) {
		int hi, lo;

		if (*p != '$' || (hi = hex(p[1])) < 0 || (lo = hex(p[2])) < 0) {
			*to++ = *p;
			continue;
		}
		*to++ = (char)(hi << 4 | lo);
		p += 2;
	}
	*to = '\0';
}

static bool number(const char *text, uint64_t *out)
{
	bool negative = *text == '-';
	uint64_t v = 0;

	if (negative)
		text++;
	if (*text == '\0')
		return false;
	for (; *text != '\0'; text++) {
		unsigned digit = (unsigned)(*text - '0');

		if (digit > 9 || v > (UINT64_MAX - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*out = negative ? 0 - v : v;
	return true;
}

static bool type_of(const char *word, enum import_type *type)
{
	static const struct {
		const char *word;
		enum import_type type;
	} words[] = {
		{"bool", IMPORT_BOOL},
		{"uint", IMPORT_NUMBER},
		{"int", IMPORT_NUMBER},
		{"uint64", IMPORT_NUMBER},
		{"int64", IMPORT_NUMBER},
		{"string", IMPORT_STRING},
		{"ip", IMPORT_STRING},
		{"byte", IMPORT_BYTES},
		{"declare", IMPORT_GROUP},
	};

	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcmp(words[i].word, word) != 0)
			continue;
		*type = words[i].type;
		return true;
	}
	return false;
}

/* The next blank-separated word of *p, which moves on; "" at the end. */
static char *word(char **p)
{
	char *begin = *p + strspn(*p, " \t"), *end = begin + strcspn(begin, " \t");

	*p = *end == '\0' ? end : end + 1;
	*end = '\0';
	return begin;
}

static struct import_node *add(struct import_tree *tree)
{
	if (tree->cnt == tree->cap) {
		uint32_t cap = tree->cap == 0 ? 1024 : tree->cap * 2;
		struct import_node *larger = realloc(tree->nodes, cap * sizeof(*larger));

		if (larger == NULL)
			return NULL;
		tree->nodes = larger;
		tree->cap = cap;
	}
	tree->nodes[tree->cnt] = (struct import_node){
		.parent = IMPORT_NONE, .child = IMPORT_NONE, .next = IMPORT_NONE, .value = ""};
	return &tree->nodes[tree->cnt++];
}

struct reading {
	struct import_tree *tree;
	uint32_t line;
	uint32_t open[IMPORT_DEPTH_MAX], last[IMPORT_DEPTH_MAX]; /* groups, and their last child */
	unsigned depth;
	bool wants_brace; /* behind `declare NAME` */
	bool memory;	  /* was short */
};

static bool wrong(struct reading *r, const char *what)
{
	r->tree->wrong = what;
	r->tree->wrong_line = r->line;
	return false;
}

/* The node goes behind its brothers. */
static void link_in(struct reading *r, uint32_t index)
{
	struct import_node *nodes = r->tree->nodes;
	uint32_t parent = r->open[r->depth - 1], *last = &r->last[r->depth - 1];

	nodes[index].parent = parent;
	if (*last == IMPORT_NONE)
		nodes[parent].child = index;
	else
		nodes[*last].next = index;
	*last = index;
}

static bool read_item(struct reading *r, char *p, uint32_t from)
{
	char *type_word = word(&p), *name = word(&p), *value = p + strspn(p, " \t");
	struct import_node *node;
	enum import_type type;
	uint32_t index;

	if (!type_of(type_word, &type) || *name == '\0')
		return wrong(r, "is not `TYPE NAME VALUE`");
	if ((r->depth == 0) != (r->tree->cnt == 0) || (r->depth == 0 && type != IMPORT_GROUP))
		return wrong(r, "stands outside of `declare root { }`");
	node = add(r->tree);
	if (node == NULL) {
		r->memory = true;
		return false;
	}
	index = r->tree->cnt - 1;
	decode(name);
	node->type = type;
	node->line = r->line;
	node->name = name;
	if (type == IMPORT_STRING)
		decode(value);
	if (type == IMPORT_BYTES && strcmp(value, "$") == 0)
		*value = '\0';
	node->value = value;
	if (type == IMPORT_BOOL)
		node->number = strcasecmp(value, "true") == 0;
	else if (type == IMPORT_NUMBER && !number(value, &node->number))
		return wrong(r, "has no number for a value");
	if (r->depth > 0)
		link_in(r, index);
	if (type != IMPORT_GROUP)
		return true;
	if (r->depth == IMPORT_DEPTH_MAX)
		return wrong(r, "is declared too deep");
	node->value = "";
	node->text_from = from;
	r->open[r->depth] = index;
	r->last[r->depth++] = IMPORT_NONE;
	r->wants_brace = true;
	return true;
}

/* One line without its end; blanks at both ends are gone. */
static bool read_line(struct reading *r, char *p, uint32_t from, uint32_t to)
{
	struct import_node *group;

	if (*p == '\0' || *p == '#')
		return true;
	if (r->wants_brace) {
		r->wants_brace = false;
		return strcmp(p, "{") == 0 || wrong(r, "should be the { of what was declared");
	}
	if (strcmp(p, "}") != 0)
		return read_item(r, p, from);
	if (r->depth == 0)
		return wrong(r, "closes what was not opened");
	group = &r->tree->nodes[r->open[--r->depth]];
	group->last_line = r->line;
	group->text_to = to;
	return true;
}

bool import_tree_read(struct import_tree *tree, const char *text)
{
	struct reading r = {.tree = tree};
	size_t size = strlen(text);
	char *p;

	*tree = (struct import_tree){0};
	if (size > IMPORT_TEXT_MAX)
		return wrong(&r, "the text is too long");
	tree->copy = strdup(text);
	if (tree->copy == NULL)
		return false;
	tree->copy_size = size;
	p = tree->copy;
	if (strncmp(p, "\xef\xbb\xbf", 3) == 0)
		p += 3;
	while (*p != '\0') {
		char *end = p + strcspn(p, "\n"), *stop = end;
		uint32_t from = (uint32_t)(p - tree->copy), to = (uint32_t)(end - tree->copy);
		bool last = *end == '\0';

		r.line++;
		while (stop > p && (stop[-1] == '\r' || stop[-1] == ' ' || stop[-1] == '\t'))
			stop--;
		*stop = '\0';
		if (!read_line(&r, p + strspn(p, " \t"), from, to))
			return false;
		p = last ? end : end + 1;
	}
	if (r.depth > 0 || tree->cnt == 0)
		return wrong(&r, "ends before everything is closed");
	return true;
}

uint32_t import_child(const struct import_tree *tree, uint32_t of, const char *name)
{
	uint32_t i;

	if (of == IMPORT_NONE)
		return IMPORT_NONE;
	for (i = tree->nodes[of].child; i != IMPORT_NONE; i = tree->nodes[i].next)
		if (strcasecmp(tree->nodes[i].name, name) == 0)
			break;
	return i;
}

uint64_t import_number(const struct import_tree *tree, uint32_t of, const char *name, uint64_t none)
{
	uint32_t i = import_child(tree, of, name);

	if (i == IMPORT_NONE ||
		(tree->nodes[i].type != IMPORT_NUMBER && tree->nodes[i].type != IMPORT_BOOL))
		return none;
	return tree->nodes[i].number;
}

uint64_t import_time(const struct import_tree *tree, uint32_t of, const char *name)
{
	uint64_t ms = import_number(tree, of, name, 0);

	return ms == 0 || ms > UINT64_MAX - TIME_EARLY_MS ? ms : ms + TIME_EARLY_MS;
}

const char *import_text(const struct import_tree *tree, uint32_t of, const char *name)
{
	uint32_t i = import_child(tree, of, name);

	return i == IMPORT_NONE || tree->nodes[i].type != IMPORT_STRING ? "" : tree->nodes[i].value;
}

bool import_bytes(
	const struct import_tree *tree, uint32_t of, const char *name, uint8_t *out, size_t size)
{
	uint32_t i = import_child(tree, of, name);
	uint8_t bytes[64];
	if (i == IMPORT_NONE || tree->nodes[i].type != IMPORT_BYTES || size > sizeof(bytes) - 3 ||
		strlen(tree->nodes[i].value) != (size + 2) / 3 * 4)
		return false;
	if (base64_decode(tree->nodes[i].value, strlen(tree->nodes[i].value), bytes) != (long)size)
		return false;
	memcpy(out, bytes, size);
	explicit_bzero(bytes, sizeof(bytes));
	return true;
}
