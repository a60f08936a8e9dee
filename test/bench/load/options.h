/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_TEST_BENCH_LOAD_OPTIONS_H
#define PATCHBAY_TEST_BENCH_LOAD_OPTIONS_H

/* What patchbay-bench is asked to do: its command line. */

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#define OPTIONS_SESSIONS_MAX	10000u
#define OPTIONS_CONNECTIONS_MAX 32u
#define OPTIONS_SIZE_MIN	64u
#define OPTIONS_SIZE_MAX	1514u
#define OPTIONS_MIX_CNT		12u /* frames after which a mix of sizes repeats */

enum load_pattern {
	PATTERN_PAIRS,	    /* 0 and 1, 2 and 3, ...: each sends to the other */
	PATTERN_ONE_TO_ALL, /* 0 broadcasts */
	PATTERN_ALL_TO_ONE, /* all others to 0 */
	PATTERN_SINK,	    /* each to itself, which a hub does not deliver: the way in alone */
	PATTERN_IDLE,	    /* no frames: logins, memory */
};

enum load_fill {
	FILL_TEXT,   /* words: compresses to about a half */
	FILL_RANDOM, /* does not compress */
};

struct options {
	struct sockaddr_storage server;
	socklen_t server_len;
	const char *hub;
	const char *user;
	const char *password; /* NULL: anonymous */
	unsigned sessions;
	unsigned connections; /* TCP connections per session */
	unsigned parallel;    /* logins under way at a time */
	int tls_version;      /* TLS1_2_VERSION, TLS1_3_VERSION; 0: what both can */
	const char *cipher;   /* suite or list for that version; NULL: OpenSSL's choice */
	bool encrypt;
	bool compress;
	unsigned udp;	 /* highest version of UDP acceleration; 0: off */
	bool udp_groups; /* datagrams of a size in a row as one message, both ways */
	enum load_pattern pattern;
	unsigned sizes[OPTIONS_MIX_CNT]; /* frame lengths, in turn */
	unsigned size_cnt;
	enum load_fill fill;
	double rate;	 /* frames per second of all sessions together; 0: as fast as it goes */
	bool echo;	 /* every frame comes back: round trips */
	uint64_t count;	 /* frames per sending session, then it ends; 0: by time */
	unsigned window; /* frames of a session under way at most; 0: chosen by size and number */
	unsigned record_frames; /* in one TLS record at most */
	double warmup_s;
	double seconds;
	pid_t pid; /* server process; 0: unknown */
	int cpu;   /* where to run; -1 anywhere */
	bool json;
	bool quiet;	   /* no progress */
	bool zlib_alone;   /* no server: what compression costs alone */
	const char *label; /* text of --size for the report */
};

/* Prints what is wrong, or the help, and exits (2, 0) unless *opt can be used. */
void options_parse(struct options *opt, int argc, char **argv);
const char *options_pattern_name(enum load_pattern pattern);

#endif
