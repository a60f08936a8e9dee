/* SPDX-License-Identifier: BSD-3-Clause */
/* See upload.h. */

#include "controlplane/admin/upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 65536u

static struct {
	char *text;
	size_t size, room; /* without the NUL */
	uint64_t part_ms;  /* when the last part came */
} upload;

static void forget(void)
{
	if (upload.text != NULL)
		explicit_bzero(upload.text, upload.size);
	free(upload.text);
	upload.text = NULL;
	upload.size = upload.room = 0;
}

/* Not realloc(), which leaves what it moved where it was. */
static int grow(size_t want)
{
	size_t room = upload.room < ROOM_MIN ? ROOM_MIN : upload.room;
	char *larger;

	while (room < want)
		room *= 2;
	if (room == upload.room)
		return 0;
	larger = malloc(room + 1);
	if (larger == NULL)
		return -ENOMEM;
	if (upload.text != NULL) {
		memcpy(larger, upload.text, upload.size);
		explicit_bzero(upload.text, upload.size);
	}
	free(upload.text);
	upload.text = larger;
	upload.room = room;
	return 0;
}

int upload_part(size_t offset, const void *bytes, size_t size, size_t max, uint64_t now_ms)
{
	int rc;

	if (offset == 0)
		forget();
	if (offset != upload.size)
		return -ESPIPE;
	if (size > max || upload.size > max - size)
		return -EFBIG;
	rc = grow(upload.size + size);
	if (rc != 0)
		return rc;
	memcpy(upload.text + upload.size, bytes, size);
	upload.size += size;
	upload.text[upload.size] = '\0';
	upload.part_ms = now_ms;
	return 0;
}

size_t upload_size(void)
{
	return upload.size;
}

char *upload_take(void)
{
	char *text = upload.text;

	upload.text = NULL;
	upload.size = upload.room = 0;
	return text;
}

void upload_look(uint64_t now_ms)
{
	if (upload.text != NULL && now_ms - upload.part_ms >= UPLOAD_KEEP_MS)
		forget();
}
