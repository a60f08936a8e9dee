/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_WHERE_H
#define PATCHBAY_CONTROLPLANE_ADMIN_WHERE_H

/*
 * From where administrators may come through the network: <state>/adminip.txt, in the original's form (admin-rpc.md 1.6).
 *
 *	# what is behind this, or two slashes, is a comment
 *	192.0.2.0/24		one rule a line: address, prefix or mask; for every administrator
 *	2001:db8::/32 SALES	for the administrator of this hub alone
 *	*			everybody
 *
 * Without the file everybody may try. With it only who a rule allows; a line that is none is told in the log and
 * allows nobody, and a file that cannot be read allows nobody at all. The local socket is no part of it. Looked at
 * when an administrator comes, before his password is; who is there already stays (the password's change sends away).
 *
 * A slow helper looks every few seconds whether the file is another. Control thread only, but for where_parse().
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controlplane/directory.h"

#define WHERE_FILE	"adminip.txt"
#define WHERE_RULES_MAX 4096u
#define WHERE_BYTES_MAX 1048576u

struct where_rule {
	struct directory_source source; /* address and mask; the rest of it is not looked at */
	bool everybody;
	char hub[DIRECTORY_NAME_BYTES]; /* "": for every administrator */
};

struct where_rules {
	struct where_rule *rules;
	uint32_t cnt;
	uint32_t wrong;	     /* lines that are no rule, */
	uint32_t wrong_line; /* the first of them, from 1 */
};

/* Text of the file, NUL-terminated. -ENOMEM. Pure. */
int where_parse(const char *text, struct where_rules *out);
void where_rules_free(struct where_rules *r);
bool where_rules_allow(
	const struct where_rules *r, const struct sockaddr_storage *peer, const char *hub);

/* Reads the file at once. -ENAMETOOLONG. */
int admin_where_init(const char *state_dir);
void admin_where_fini(void);
/* Once a second; or (`now`) without waiting for the next look. */
void admin_where_look(bool now);
/* `hub` "": the server's administrator. */
bool admin_where_allows(const struct sockaddr_storage *peer, const char *hub);

#endif
