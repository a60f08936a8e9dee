/* SPDX-License-Identifier: BSD-3-Clause */
/* patchbayctl: one command line, or with `shell` many. */

#include <locale.h>
#include <stdlib.h>

#include "controlplane/ctl/line.h"

#define SOCKET_DEFAULT "/var/lib/patchbay/admin.sock"

int main(int argc, char **argv)
{
	const char *socket_path = getenv("PATCHBAY_SOCKET");

	setlocale(LC_CTYPE, "");
	if (socket_path == NULL || socket_path[0] == '\0')
		socket_path = SOCKET_DEFAULT;
	return ctl_line(argc - 1, argv + 1, socket_path, false);
}
