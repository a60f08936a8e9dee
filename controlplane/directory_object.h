/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_DIRECTORY_OBJECT_H
#define PATCHBAY_CONTROLPLANE_DIRECTORY_OBJECT_H

/*
 * The directory as objects that change one by one: what the journal (journal.h, store.h) is made of. An object
 * has a kind, perhaps a hub, and a name: user "taro" of hub "DEFAULT", the settings of hub "DEFAULT", the settings
 * of the server. A change says which objects it changed; each is written down as it is then, or as gone:
 *
 *	objects = (
 *	{ kind = "user"; hub = "DEFAULT"; name = "taro";
 *	  value = { name = "taro"; auth = "password"; ... }; },
 *	{ kind = "bridge"; hub = "LAB"; name = "eth1"; } );		gone: it has no value
 *
 * One record is one change: all of its objects or none. `value` is the group that stands for the object in
 * directory.cfg, written and read by the very functions that write and read that file.
 *
 * How an object joins. Is it small, and changed together with its hub (an option, a list of some lines)? Then it
 * is a member of the hub's settings: written and read in directory_hub_file.c, changed through
 * directory_change_settings(), and nothing is to be done here. (The same with the server's settings:
 * directory_server_write() and directory_server_read() in directory_file.c.) Can there be thousands in a hub (access
 * rules, certificates)? Then it has a kind of its own: a row in the table at the end of directory_object.c with
 *
 *   write	the value, `{ ... }`, of the object as it stands in the directory; false: there is none of that name
 *   read	puts the object of a value in the place of the one of that name, or at the end; reports what is
 *		wrong through `r`; -ENOMEM
 *   remove	takes it out and frees it; none of that name: nothing
 *
 * and in directory_hub_replace() it moves from the old hub object to the new one, as users do. Then a change is
 *
 *	const struct directory_object o = {"rule", hub->name, "17"};
 *	change->request.done = on_saved;		0: durable; else take it back
 *	store_change(&change->request, &o, 1);
 *
 * write runs on the control thread. read and remove run on any thread, on a directory that nobody else sees: they
 * may use only what they are given (no directory_now, no global, nothing of the data path) and must not be slow.
 * A name is what the kind takes for one: at most DIRECTORY_OBJECT_NAME bytes, unique in its hub.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "controlplane/config_reader.h"

#define DIRECTORY_OBJECT_NAME  511u
#define DIRECTORY_OBJECTS_MAX  16u	 /* of one change */
#define DIRECTORY_OBJECT_BYTES 67108864u /* of one record: a whole directory is the largest */

struct directory;

struct directory_object {
	const char *kind;
	const char *hub; /* "": none */
	const char *name;
};

/* The whole directory as one object, for changes that say no more; costs what the directory is large. */
#define DIRECTORY_OBJECT_ALL        \
	(struct directory_object)   \
	{                           \
		"directory", "", "" \
	}

/*
 * The text of a record with these objects as they are in the directory in force now: malloc'ed, NUL-terminated, its
 * length in *size. NULL with ENOMEM, or EFBIG. Control thread.
 */
char *directory_objects_write(const struct directory_object *objects, unsigned cnt, size_t *size);
/*
 * Does what a record says to `d`. Reports what is wrong with it through `r` (whose path names the record), after which
 * `d` is not to be used. -EINVAL after reporting, -ENOMEM. Any thread.
 */
int directory_objects_read(struct config_reader *r, const char *text, struct directory *d);

#endif
