/* SPDX-License-Identifier: BSD-3-Clause */
/* patchbayd's command line (options.h). */

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/options.h"

#define EXIT_USAGE 2

static const char help_text[] =
	"Usage: patchbayd [--config FILE] [--state DIR] [--check]\n"
	"Virtual hubs for SoftEther VPN clients, switched by pinned workers.\n"
	"\n"
	"  -c, --config FILE  machine settings; default " OPTIONS_CONFIG_DEFAULT "\n"
	"                     if that is there, else built-in defaults\n"
	"  -s, --state DIR    hubs, users, certificate; default /var/lib/patchbay\n"
	"  -t, --check        read both files, tell every error, and end: 0 = none, 1 = errors\n"
	"  -V, --version      print the version and end\n"
	"  -h, --help         print this and end\n"
	"\n"
	"Runs in the foreground; SIGINT or SIGTERM ends it. See patchbayd(8), patchbay.cfg(5).\n";

bool options_parse(int argc, char *argv[], struct options *out, int *status)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"state", required_argument, NULL, 's'},
		{"check", no_argument, NULL, 't'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	int c;

	memset(out, 0, sizeof(*out));
	*status = EXIT_USAGE;
	optind = 1;
	while ((c = getopt_long(argc, argv, "c:s:tVh", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			out->config = optarg;
			break;
		case 's':
			out->state = optarg;
			break;
		case 't':
			out->check = true;
			break;
		case 'V':
			printf("patchbayd %s\n", PATCHBAY_VERSION);
			*status = EXIT_SUCCESS;
			return false;
		case 'h':
			fputs(help_text, stdout);
			*status = EXIT_SUCCESS;
			return false;
		default: /* getopt has told what is wrong */
			fputs("Try 'patchbayd --help'.\n", stderr);
			return false;
		}
	}
	if (optind < argc) {
		fprintf(stderr, "%s: unexpected argument '%s'\nTry 'patchbayd --help'.\n", argv[0],
			argv[optind]);
		return false;
	}
	if ((out->config != NULL && out->config[0] == '\0') ||
		(out->state != NULL && out->state[0] == '\0')) {
		fprintf(stderr, "%s: a path is empty\nTry 'patchbayd --help'.\n", argv[0]);
		return false;
	}
	return true;
}
