/* SPDX-License-Identifier: BSD-3-Clause */
/* Command line of patchbay-bench. */

#include <getopt.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/ssl.h>

#include "test/bench/load/options.h"

static const char *const pattern_names[] = {
	[PATTERN_PAIRS] = "pairs",
	[PATTERN_ONE_TO_ALL] = "one-to-all",
	[PATTERN_ALL_TO_ONE] = "all-to-one",
	[PATTERN_SINK] = "sink",
	[PATTERN_IDLE] = "idle",
};

/* The usual simple mix: 7 small, 4 middle, 1 long, here as Ethernet frames without FCS, interleaved. */
static const unsigned mix[OPTIONS_MIX_CNT] = {64, 590, 64, 64, 590, 64, 1514, 64, 590, 64, 64, 590};

const char *options_pattern_name(enum load_pattern pattern)
{
	return pattern_names[pattern];
}

static void usage(FILE *to)
{
	fputs("usage: patchbay-bench --server HOST:PORT [options]\n"
	      "Opens sessions to a server of the SoftEther VPN protocol, sends frames and counts what arrives.\n"
	      "  --server HOST:PORT   [ADDRESS]:PORT for IPv6\n"
	      "  --hub NAME           (DEFAULT)\n"
	      "  --user NAME          (guest)\n"
	      "  --password TEXT      left out: anonymous\n"
	      "  --sessions N         (2)\n"
	      "  --connections N      TCP connections per session, 1..32 (1)\n"
	      "  --parallel N         logins under way at a time (16)\n"
	      "  --tls 1.2|1.3        only this version\n"
	      "  --cipher NAME        OpenSSL's name of a suite\n"
	      "  --no-encrypt         data outside TLS\n"
	      "  --compress\n"
	      "  --udp 1|2            UDP acceleration up to this version; waits until it is in use\n"
	      "  --udp-groups         send and take datagrams in groups, as Patchbay does (left out: one by one, of\n"
	      "                       random lengths, as stock clients do)\n"
	      "  --pattern NAME       pairs, one-to-all, all-to-one, sink (each to itself), idle (pairs)\n"
	      "  --size N|mix         bytes of a frame, 64..1514, without FCS; mix: 7 of 64, 4 of 590, 1 of 1514\n"
	      "                       (1514)\n"
	      "  --fill text|random   what is in them (text)\n"
	      "  --rate N             frames per second of all together, evenly; left out: as fast as it goes\n"
	      "  --echo               receivers send them back: round trips (with --rate; not one-to-all, sink)\n"
	      "  --count N            so many frames per sending session instead of by time\n"
	      "  --window N           frames of a session under way at most without --rate (by size and number)\n"
	      "  --record N           frames in one TLS record at most (128, as the original's client sends)\n"
	      "  --warmup S           (1)\n"
	      "  --seconds S          what is measured (5)\n"
	      "  --pid N              the server's process: its CPU time and memory, with all descendants\n"
	      "  --cpu N              run on this CPU\n"
	      "  --json               one object on stdout instead of text\n"
	      "  --quiet              no progress on stderr\n"
	      "  --zlib-alone         no server: what compressing and inflating such frames costs alone\n"
	      "Exit status: 0; 1 when sessions could not be opened or were lost; 2 for bad arguments.\n",
		to);
}

__attribute__((format(printf, 1, 2), noreturn)) static void wrong(const char *format, ...)
{
	va_list args;

	fputs("patchbay-bench: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("; --help tells what there is\n", stderr);
	exit(2);
}

static double number(const char *text, const char *what, double min, double max)
{
	char *end;
	double v = strtod(text, &end);

	if (*text == '\0' || *end != '\0' || !(v >= min && v <= max))
		wrong("--%s %s: must be a number from %g to %g", what, text, min, max);
	return v;
}

static unsigned whole(const char *text, const char *what, double min, double max)
{
	double v = number(text, what, min, max);

	if (v != (double)(unsigned)v)
		wrong("--%s %s: must be a whole number", what, text);
	return (unsigned)v;
}

static void server_parse(struct options *opt, const char *text)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	char host[256];
	const char *colon = strrchr(text, ':');
	size_t len = colon != NULL ? (size_t)(colon - text) : 0;
	int err;

	if (len == 0 || len >= sizeof(host))
		wrong("--server %s: must be HOST:PORT", text);
	memcpy(host, text, len);
	host[len] = '\0';
	if (host[0] == '[' && host[len - 1] == ']') {
		memmove(host, host + 1, len - 2);
		host[len - 2] = '\0';
	}
	err = getaddrinfo(host, colon + 1, &hints, &found);
	if (err != 0)
		wrong("--server %s: %s", text, gai_strerror(err));
	memcpy(&opt->server, found->ai_addr, found->ai_addrlen);
	opt->server_len = found->ai_addrlen;
	freeaddrinfo(found);
}

static void size_parse(struct options *opt, const char *text)
{
	opt->label = text;
	if (strcmp(text, "mix") == 0) {
		memcpy(opt->sizes, mix, sizeof(mix));
		opt->size_cnt = OPTIONS_MIX_CNT;
		return;
	}
	opt->sizes[0] = whole(text, "size", OPTIONS_SIZE_MIN, OPTIONS_SIZE_MAX);
	opt->size_cnt = 1;
}

static enum load_pattern pattern_parse(const char *text)
{
	for (unsigned i = 0; i < sizeof(pattern_names) / sizeof(pattern_names[0]); i++)
		if (strcmp(text, pattern_names[i]) == 0)
			return (enum load_pattern)i;
	wrong("--pattern %s: must be pairs, one-to-all, all-to-one, sink or idle", text);
}

static int tls_parse(const char *text)
{
	if (strcmp(text, "1.2") == 0)
		return TLS1_2_VERSION;
	if (strcmp(text, "1.3") == 0)
		return TLS1_3_VERSION;
	wrong("--tls %s: must be 1.2 or 1.3", text);
}

static enum load_fill fill_parse(const char *text)
{
	if (strcmp(text, "text") == 0)
		return FILL_TEXT;
	if (strcmp(text, "random") == 0)
		return FILL_RANDOM;
	wrong("--fill %s: must be text or random", text);
}

static const struct option longs[] = {
	{"server", 1, NULL, 's'},
	{"hub", 1, NULL, 'H'},
	{"user", 1, NULL, 'u'},
	{"password", 1, NULL, 'p'},
	{"sessions", 1, NULL, 'n'},
	{"connections", 1, NULL, 'c'},
	{"parallel", 1, NULL, 'P'},
	{"tls", 1, NULL, 't'},
	{"cipher", 1, NULL, 'C'},
	{"no-encrypt", 0, NULL, 'E'},
	{"compress", 0, NULL, 'z'},
	{"udp", 1, NULL, 'U'},
	{"udp-groups", 0, NULL, 'G'},
	{"pattern", 1, NULL, 'T'},
	{"size", 1, NULL, 'b'},
	{"fill", 1, NULL, 'f'},
	{"rate", 1, NULL, 'r'},
	{"echo", 0, NULL, 'e'},
	{"count", 1, NULL, 'N'},
	{"window", 1, NULL, 'w'},
	{"record", 1, NULL, 'R'},
	{"warmup", 1, NULL, 'W'},
	{"seconds", 1, NULL, 'S'},
	{"pid", 1, NULL, 'i'},
	{"cpu", 1, NULL, 'k'},
	{"json", 0, NULL, 'j'},
	{"quiet", 0, NULL, 'q'},
	{"zlib-alone", 0, NULL, 'Z'},
	{"help", 0, NULL, 'h'},
	{0},
};

/* What says how the sessions are; false: not one of these options. */
static bool option_session(struct options *opt, int c)
{
	switch (c) {
	case 's':
		server_parse(opt, optarg);
		return true;
	case 'H':
		opt->hub = optarg;
		return true;
	case 'u':
		opt->user = optarg;
		return true;
	case 'p':
		opt->password = optarg;
		return true;
	case 'n':
		opt->sessions = whole(optarg, "sessions", 1, OPTIONS_SESSIONS_MAX);
		return true;
	case 'c':
		opt->connections = whole(optarg, "connections", 1, OPTIONS_CONNECTIONS_MAX);
		return true;
	case 'P':
		opt->parallel = whole(optarg, "parallel", 1, 1000);
		return true;
	case 't':
		opt->tls_version = tls_parse(optarg);
		return true;
	case 'C':
		opt->cipher = optarg;
		return true;
	case 'E':
		opt->encrypt = false;
		return true;
	case 'z':
		opt->compress = true;
		return true;
	case 'U':
		opt->udp = whole(optarg, "udp", 1, 2);
		return true;
	case 'G':
		opt->udp_groups = true;
		return true;
	default:
		return false;
	}
}

static bool option_traffic(struct options *opt, int c)
{
	switch (c) {
	case 'T':
		opt->pattern = pattern_parse(optarg);
		return true;
	case 'b':
		size_parse(opt, optarg);
		return true;
	case 'f':
		opt->fill = fill_parse(optarg);
		return true;
	case 'r':
		opt->rate = number(optarg, "rate", 0.1, 1e8);
		return true;
	case 'e':
		opt->echo = true;
		return true;
	case 'N':
		opt->count = (uint64_t)number(optarg, "count", 1, 4e9);
		return true;
	case 'w':
		opt->window = whole(optarg, "window", 1, 1e6);
		return true;
	case 'R':
		opt->record_frames = whole(optarg, "record", 1, 1e6);
		return true;
	case 'W':
		opt->warmup_s = number(optarg, "warmup", 0, 3600);
		return true;
	case 'S':
		opt->seconds = number(optarg, "seconds", 0.1, 86400);
		return true;
	case 'i':
		opt->pid = (pid_t)whole(optarg, "pid", 1, 4194304);
		return true;
	case 'k':
		opt->cpu = (int)whole(optarg, "cpu", 0, 1023);
		return true;
	case 'j':
		opt->json = true;
		return true;
	case 'q':
		opt->quiet = true;
		return true;
	case 'Z':
		opt->zlib_alone = true;
		return true;
	default:
		return false;
	}
}

static void check(const struct options *opt)
{
	if (opt->zlib_alone)
		return;
	if (opt->server_len == 0)
		wrong("--server is missing");
	if (opt->sessions < 2 && opt->pattern != PATTERN_SINK && opt->pattern != PATTERN_IDLE)
		wrong("--pattern %s needs two sessions or more", pattern_names[opt->pattern]);
	if (opt->pattern == PATTERN_PAIRS && opt->sessions % 2 != 0)
		wrong("--pattern pairs needs an even number of sessions");
	if (opt->echo &&
		(opt->rate == 0 || opt->pattern == PATTERN_ONE_TO_ALL ||
			opt->pattern == PATTERN_SINK))
		wrong("--echo needs --rate, and pairs or all-to-one");
	if (opt->udp_groups && opt->udp == 0)
		wrong("--udp-groups needs --udp");
	if (opt->rate != 0 && opt->window != 0)
		wrong("--window has no meaning with --rate");
}

void options_parse(struct options *opt, int argc, char **argv)
{
	int c;

	*opt = (struct options){.hub = "DEFAULT",
		.user = "guest",
		.sessions = 2,
		.connections = 1,
		.parallel = 16,
		.encrypt = true,
		.sizes = {OPTIONS_SIZE_MAX},
		.size_cnt = 1,
		.label = "1514",
		.record_frames = 128,
		.warmup_s = 1,
		.seconds = 5,
		.cpu = -1};
	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		if (option_session(opt, c) || option_traffic(opt, c))
			continue;
		if (c == 'h') {
			usage(stdout);
			exit(0);
		}
		fputs("patchbay-bench: --help tells what there is\n", stderr);
		exit(2);
	}
	if (optind != argc)
		wrong("%s: not an option", argv[optind]);
	check(opt);
}
