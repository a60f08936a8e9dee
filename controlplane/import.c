/* SPDX-License-Identifier: BSD-3-Clause */
/* The original's configuration in the words of ours: the server, and the report (import.h). */

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/directory_text.h"
#include "controlplane/import_priv.h"
#include "drivers/session/wire/sha0.h"

#define PATH_BYTES 1024u
#define SAY_BYTES  512u

/* ---- the report ------------------------------------------------------------------------------- */

static size_t path_of(const struct import_tree *tree, uint32_t node, char *out, size_t size)
{
	const struct import_node *n = &tree->nodes[node];
	size_t len;

	if (n->parent == IMPORT_NONE)
		return 0;
	len = path_of(tree, n->parent, out, size);
	if (len + strlen(n->name) + 2 > size)
		return len;
	if (len > 0)
		out[len++] = '/';
	strcpy(out + len, n->name);
	return len + strlen(n->name);
}

/* What was quoted from the file goes to a terminal. */
static void clean(char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < 0x20 || *text == 0x7f)
			*text = '?';
}

void import_say(struct import *im, uint32_t node, enum import_result result, const char *fmt, ...)
{
	static const char *const names[] = {"taken", "kept", "left"};
	char path[PATH_BYTES] = "", text[SAY_BYTES];
	struct import_line *line;
	va_list ap;

	if (im->line_cnt >= IMPORT_LINES_MAX || im->memory)
		return;
	if (im->line_cnt == im->line_cap) {
		uint32_t cap = im->line_cap == 0 ? 256 : 2 * im->line_cap;
		struct import_line *larger = realloc(im->lines, cap * sizeof(*larger));

		if (larger == NULL) {
			im->memory = true;
			return;
		}
		im->lines = larger;
		im->line_cap = cap;
	}
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	path_of(&im->tree, node, path, sizeof(path));
	if (im->line_cnt == IMPORT_LINES_MAX - 1)
		snprintf(text, sizeof(text), "and more, which is not listed");
	clean(path);
	clean(text);
	line = &im->lines[im->line_cnt];
	*line = (struct import_line){.line = im->tree.nodes[node].line,
		.path = strdup(path),
		.result = names[result],
		.text = strdup(text)};
	im->memory |= line->path == NULL || line->text == NULL;
	im->line_cnt++;
}

static bool is_known(const char *const *known, const char *name)
{
	while (*known != NULL && strcasecmp(*known, name) != 0)
		known++;
	return *known != NULL;
}

void import_say_rest(struct import *im, uint32_t group, const char *const *known, const char *why)
{
	const struct import_node *nodes = im->tree.nodes;

	if (group == IMPORT_NONE)
		return;
	for (uint32_t i = nodes[group].child; i != IMPORT_NONE; i = nodes[i].next)
		if (!is_known(known, nodes[i].name))
			import_say(im, i, IMPORT_LEFT, "%s", why);
}

bool import_put_hash(struct import *im, FILE *f, uint32_t of, const char *name, const char *key,
	const uint8_t *unless)
{
	uint8_t hash[SHA0_BYTES];
	bool there = import_bytes(&im->tree, of, name, hash, sizeof(hash));

	if (there && unless != NULL)
		there = !sha0_equal(hash, unless, sizeof(hash));
	if (there)
		directory_put_hash(f, " ", key, hash);
	explicit_bzero(hash, sizeof(hash));
	return there;
}

/* ---- the server ------------------------------------------------------------------------------- */

static void listeners(struct import *im, FILE *f, uint32_t list)
{
	const struct import_node *nodes = im->tree.nodes;
	bool seen[65536] = {false};
	const char *separator = " listeners = (";
	unsigned cnt = 0;

	if (list == IMPORT_NONE)
		return;
	for (uint32_t i = nodes[list].child; i != IMPORT_NONE; i = nodes[i].next) {
		uint64_t port = import_number(&im->tree, i, "Port", 0);
		bool enabled = import_number(&im->tree, i, "Enabled", 1) != 0;

		if (port == 0 || port > 65535 || seen[port] || cnt == DIRECTORY_LISTENERS_MAX) {
			import_say(im, i, IMPORT_LEFT, "no port, one twice, or one too many");
			continue;
		}
		seen[port] = true;
		cnt++;
		fprintf(f, "%s { port = %u; enabled = %s; }", separator, (unsigned)port,
			enabled ? "true" : "false");
		separator = ",";
		import_say(im, i, IMPORT_TAKEN, "TCP port %u%s", (unsigned)port,
			enabled ? "" : ", disabled");
	}
	if (cnt > 0)
		fputs(" );\n", f);
}

static void server(struct import *im, FILE *f)
{
	static const char *const known[] = {"HashedPassword", NULL};
	uint32_t conf = import_child(&im->tree, 0, "ServerConfiguration");
	uint32_t password = import_child(&im->tree, conf, "HashedPassword");
	uint8_t empty[SHA0_BYTES];

	sha0_password_hash("", "", empty);
	fputs("{ kind = \"server\"; value = {", f);
	if (import_put_hash(im, f, conf, "HashedPassword", "admin_password_hash", empty))
		import_say(im, password, IMPORT_TAKEN, "the administrator's password");
	else if (password != IMPORT_NONE)
		import_say(im, password, IMPORT_LEFT, "empty: the password here stays as it is");
	listeners(im, f, import_child(&im->tree, 0, "ListenerList"));
	fputs(" }; }", f);
	import_say_rest(im, conf, known,
		"no such setting here; the certificate is taken with --certificate");
}

static void bridges(struct import *im, FILE *f)
{
	static const char *const settings[] = {"DoNotDisableOffloading", NULL};
	const struct import_node *nodes = im->tree.nodes;
	uint32_t list = import_child(&im->tree, 0, "LocalBridgeList");

	if (list == IMPORT_NONE)
		return;
	for (uint32_t i = nodes[list].child; i != IMPORT_NONE; i = nodes[i].next) {
		const char *device = import_text(&im->tree, i, "DeviceName");
		const char *hub = import_text(&im->tree, i, "HubName");
		bool tap = import_number(&im->tree, i, "TapMode", 0) != 0;

		if (is_known(settings, nodes[i].name))
			continue;
		if (!tap || directory_hub_name_wrong(hub) != NULL ||
			directory_bridge_wrong(device, true, device) != NULL) {
			import_say(im, i, IMPORT_LEFT,
				"hub %s to device %s: name the device as Patchbay does, with "
				"patchbayctl bridge create",
				hub, device);
			continue;
		}
		fputs(",\n{ kind = \"bridge\"; hub = ", f);
		directory_put_string(f, hub);
		fputs("; name = ", f);
		directory_put_string(f, device);
		fputs("; value = { hub = ", f);
		directory_put_string(f, hub);
		fputs("; name = ", f);
		directory_put_string(f, device);
		fputs("; tap = ", f);
		directory_put_string(f, device);
		fprintf(f, "; monitor = %s; limit_broadcast = %s; }; }",
			import_number(&im->tree, i, "MonitorMode", 0) != 0 ? "true" : "false",
			import_number(&im->tree, i, "LimitBroadcast", 0) != 0 ? "true" : "false");
		import_say(im, i, IMPORT_TAKEN, "hub %s to tap_%s", hub, device);
	}
}

static void rest_of_root(struct import *im, FILE *f)
{
	static const char *const known[] = {"ServerConfiguration", "ListenerList",
		"LocalBridgeList", "VirtualHUB", "VirtualLayer3SwitchList", "ConfigRevision", NULL};
	uint32_t l3 = import_child(&im->tree, 0, "VirtualLayer3SwitchList");
	const struct import_node *n;

	import_say_rest(im, 0, known, "there is nothing of the kind here");
	if (l3 == IMPORT_NONE || im->tree.nodes[l3].child == IMPORT_NONE)
		return;
	n = &im->tree.nodes[l3];
	if (n->text_to - n->text_from > IMPORT_KEPT_MAX) {
		import_say(im, l3, IMPORT_LEFT, "too long to be kept");
		return;
	}
	fputs(",\n{ kind = \"kept\"; value = { text = ", f);
	directory_put_part(f, im->text + n->text_from, n->text_to - n->text_from);
	fputs("; }; }", f);
	import_say(im, l3, IMPORT_KEPT, "as text, for when there are layer 3 switches");
}

static void convert(struct import *im, FILE *f)
{
	const struct import_node *nodes = im->tree.nodes;
	uint32_t hubs = import_child(&im->tree, 0, "VirtualHUB");

	fputs("objects = (\n", f);
	server(im, f);
	for (uint32_t i = hubs == IMPORT_NONE ? IMPORT_NONE : nodes[hubs].child; i != IMPORT_NONE;
		i = nodes[i].next)
		import_hub(im, f, i);
	bridges(im, f);
	rest_of_root(im, f);
	fputs(" );", f);
}

/* ---- from outside ----------------------------------------------------------------------------- */

struct import *import_read(const char *text)
{
	struct import *im = calloc(1, sizeof(*im));
	size_t size;
	FILE *f;
	bool ok;

	if (im == NULL)
		return NULL;
	im->text = text;
	if (!import_tree_read(&im->tree, text)) {
		if (im->tree.wrong == NULL)
			im->memory = true;
		else
			snprintf(im->wrong, sizeof(im->wrong), "line %u %s", im->tree.wrong_line,
				im->tree.wrong);
	} else {
		f = open_memstream(&im->record, &size);
		if (f != NULL) {
			convert(im, f);
			ok = ferror(f) == 0;
			im->memory |= fclose(f) != 0 || !ok;
		} else {
			im->memory = true;
		}
	}
	import_tree_free(&im->tree);
	im->text = NULL;
	if (!im->memory)
		return im;
	import_free(im);
	return NULL;
}

void import_free(struct import *im)
{
	if (im == NULL)
		return;
	for (uint32_t i = 0; i < im->line_cnt; i++) {
		free((void *)im->lines[i].path);
		free((void *)im->lines[i].text);
	}
	free(im->lines);
	if (im->record != NULL)
		explicit_bzero(im->record, strlen(im->record));
	free(im->record);
	import_tree_free(&im->tree);
	free(im);
}

const char *import_wrong(const struct import *im)
{
	return im->wrong[0] != '\0' ? im->wrong : NULL;
}

char *import_record(struct import *im)
{
	char *record = im->record;

	im->record = NULL;
	return record;
}

bool import_line_get(const struct import *im, uint32_t index, struct import_line *out)
{
	if (index >= im->line_cnt)
		return false;
	*out = im->lines[index];
	return true;
}
