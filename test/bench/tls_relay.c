/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tls_relay: the floor under every figure of `scripts/bench`.
 *
 * A bare TLS relay: two sockets, OpenSSL, epoll, nothing else. What it costs per gigabyte is what the
 * kernel's TCP and the cipher charge anyway; a VPN server that also switches frames is judged by its
 * ratio to this. One process is forked for each part, so that the relay's CPU time is its own:
 *
 *	source --TLS--> relay --TLS--> sink
 *
 * Records are full (16 KiB) unless --record says otherwise. With --plain there is no TLS at all, the floor
 * under sessions without encryption. With --connections many are relayed in pairs, each way, with a record of
 * each under way: the floor under many sessions (relay_many.c). With --handshakes nothing is relayed: a client
 * connects so often, and what accept, handshake and end cost the server is the floor under logins. Prints one
 * JSON object.
 */

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "relay.h"

void relay_die(const char *what)
{
	fprintf(stderr, "tls_relay: %s: %s\n", what, errno ? strerror(errno) : "failed");
	ERR_print_errors_fp(stderr);
	exit(1);
}

double relay_now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

SSL_CTX *relay_context(const struct relay_options *opt, bool server)
{
	SSL_CTX *ctx = SSL_CTX_new(server ? TLS_server_method() : TLS_client_method());

	if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
		SSL_CTX_set_ciphersuites(ctx, opt->cipher) != 1)
		relay_die("TLS context (is the cipher a TLS 1.3 suite?)");
	SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_options(ctx, SSL_OP_IGNORE_UNEXPECTED_EOF);
	if (server) {
		EVP_PKEY *key = EVP_RSA_gen(2048);
		X509 *cert = X509_new();
		X509_NAME *name = X509_get_subject_name(cert);

		SSL_CTX_set_num_tickets(ctx, 0);
		X509_set_version(cert, 2);
		ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
		X509_gmtime_adj(X509_getm_notBefore(cert), 0);
		X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
		X509_NAME_add_entry_by_txt(
			name, "CN", MBSTRING_ASC, (const unsigned char *)"relay", -1, -1, 0);
		X509_set_issuer_name(cert, name);
		X509_set_pubkey(cert, key);
		if (X509_sign(cert, key, EVP_sha256()) == 0 ||
			SSL_CTX_use_certificate(ctx, cert) != 1 ||
			SSL_CTX_use_PrivateKey(ctx, key) != 1)
			relay_die("certificate");
		X509_free(cert);
		EVP_PKEY_free(key);
	}
	return ctx;
}

SSL *relay_dial(SSL_CTX *ctx, uint16_t port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);
	SSL *ssl = SSL_new(ctx);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0)
		relay_die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		relay_die("TLS connect");
	return ssl;
}

/* A connection of which nothing but its socket may be used. */
static int dial_plain(uint16_t port)
{
	struct sockaddr_in sin = {.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int one = 1, fd = socket(AF_INET, SOCK_STREAM, 0);

	if (fd < 0 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) != 0)
		relay_die("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	return fd;
}

static void source_plain(const struct relay_options *opt, uint16_t port)
{
	int fd = dial_plain(port);
	double end = relay_now_s() + opt->seconds;
	uint8_t *buf = calloc(1, opt->record_bytes);

	while (relay_now_s() < end)
		if (write(fd, buf, opt->record_bytes) <= 0)
			break;
	exit(0);
}

static void sink_plain(uint16_t port)
{
	static uint8_t buf[65536];
	int fd = dial_plain(port);

	while (read(fd, buf, sizeof(buf)) > 0)
		;
	exit(0);
}

static void source(const struct relay_options *opt, uint16_t port)
{
	SSL *ssl = relay_dial(relay_context(opt, false), port);
	double end = relay_now_s() + opt->seconds;
	uint8_t *buf = calloc(1, opt->record_bytes);

	for (unsigned i = 0; i < opt->record_bytes; i++)
		buf[i] = (uint8_t)(i * 131u);
	while (relay_now_s() < end)
		if (SSL_write(ssl, buf, (int)opt->record_bytes) <= 0)
			break;
	SSL_shutdown(ssl);
	exit(0);
}

static void sink(const struct relay_options *opt, uint16_t port)
{
	static uint8_t buf[16384];
	SSL *ssl = relay_dial(relay_context(opt, false), port);

	while (SSL_read(ssl, buf, sizeof(buf)) > 0)
		;
	exit(0);
}

SSL *relay_take(SSL_CTX *ctx, int lfd)
{
	int one = 1, fd = accept(lfd, NULL, NULL);
	SSL *ssl = SSL_new(ctx);

	if (fd < 0)
		relay_die("accept");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	SSL_set_fd(ssl, fd);
	/* Halves the reads per record; without it the floor would be a floor with a step in it. */
	SSL_set_read_ahead(ssl, 1);
	if (SSL_accept(ssl) != 1)
		relay_die("TLS accept");
	return ssl;
}

static void wait_for(int ep, int fd, uint32_t events)
{
	struct epoll_event ev = {.events = events}, got;

	epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev);
	while (epoll_wait(ep, &got, 1, -1) < 0 && errno == EINTR)
		;
}

/* One direction only: the way back carries no plaintext here, as in a one-way bulk transfer. */
static void forward(SSL *from, SSL *to, struct relay_report *rep)
{
	static uint8_t buf[16384];
	int ein = epoll_create1(0), eout = epoll_create1(0);
	struct epoll_event ev = {.events = EPOLLIN};
	int n;

	epoll_ctl(ein, EPOLL_CTL_ADD, SSL_get_fd(from), &ev);
	epoll_ctl(eout, EPOLL_CTL_ADD, SSL_get_fd(to), &ev);
	for (;;) {
		ERR_clear_error();
		n = SSL_read(from, buf, sizeof(buf));
		if (n <= 0) {
			if (SSL_get_error(from, n) != SSL_ERROR_WANT_READ)
				break;
			wait_for(ein, SSL_get_fd(from), EPOLLIN);
			continue;
		}
		for (int off = 0; off < n;) {
			int w = SSL_write(to, buf + off, n - off);

			if (w > 0) {
				off += w;
				continue;
			}
			if (SSL_get_error(to, w) != SSL_ERROR_WANT_WRITE)
				return;
			wait_for(eout, SSL_get_fd(to), EPOLLOUT);
		}
		rep->bytes += (unsigned)n;
	}
}

void relay_nonblock(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

double relay_cpu_s(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
		(double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

void relay_pin(int cpu)
{
	cpu_set_t set;

	if (cpu < 0)
		return;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set) != 0)
		relay_die("affinity");
}

/* Blocking, one buffer of 64 KiB: as plain as a relay can be. */
static void relay_plain(const struct relay_options *opt, int lfd, int out)
{
	static uint8_t buf[65536];
	struct relay_report rep = {.cipher = "none"};
	double cpu0, t0;
	int from, to;
	ssize_t n;

	relay_pin(opt->cpu);
	if (write(out, "r", 1) != 1)
		relay_die("pipe");
	from = accept(lfd, NULL, NULL);
	if (from < 0 || write(out, "s", 1) != 1)
		relay_die("accept");
	to = accept(lfd, NULL, NULL);
	if (to < 0)
		relay_die("accept");
	cpu0 = relay_cpu_s();
	t0 = relay_now_s();
	while ((n = read(from, buf, sizeof(buf))) > 0) {
		for (ssize_t off = 0, w; off < n; off += w) {
			w = write(to, buf + off, (size_t)(n - off));
			if (w <= 0)
				relay_die("write");
		}
		rep.bytes += (uint64_t)n;
	}
	rep.cpu_s = relay_cpu_s() - cpu0;
	rep.wall_s = relay_now_s() - t0;
	if (write(out, &rep, sizeof(rep)) != (ssize_t)sizeof(rep))
		relay_die("pipe");
	exit(0);
}

static void relay(const struct relay_options *opt, int lfd, int out)
{
	SSL_CTX *ctx = relay_context(opt, true);
	struct relay_report rep = {0};
	double cpu0, t0;
	SSL *from, *to;

	relay_pin(opt->cpu);
	/* The certificate is made: only now may the two others come. */
	if (write(out, "r", 1) != 1)
		relay_die("pipe");
	from = relay_take(ctx, lfd);
	if (write(out, "s", 1) != 1)
		relay_die("pipe");
	to = relay_take(ctx, lfd);
	relay_nonblock(SSL_get_fd(from));
	relay_nonblock(SSL_get_fd(to));
	snprintf(rep.cipher, sizeof(rep.cipher), "%s", SSL_get_cipher(from));
	cpu0 = relay_cpu_s();
	t0 = relay_now_s();
	forward(from, to, &rep);
	rep.cpu_s = relay_cpu_s() - cpu0;
	rep.wall_s = relay_now_s() - t0;
	SSL_shutdown(to);
	if (write(out, &rep, sizeof(rep)) != (ssize_t)sizeof(rep))
		relay_die("pipe");
	exit(0);
}

uint16_t relay_open_listener(int *lfd)
{
	struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(sin);

	*lfd = socket(AF_INET, SOCK_STREAM, 0);
	if (*lfd < 0 || bind(*lfd, (struct sockaddr *)&sin, len) != 0 || listen(*lfd, 4) != 0 ||
		getsockname(*lfd, (struct sockaddr *)&sin, &len) != 0)
		relay_die("listen");
	return ntohs(sin.sin_port);
}

static void report_print(const struct relay_options *opt, const struct relay_report *rep)
{
	printf("{\"cipher\": \"%s\", \"record_bytes\": %u, \"connections\": %u, \"bytes\": %llu, "
	       "\"cpu_s\": %.4f, \"wall_s\": %.4f, \"cpu_s_per_gb\": %.4f, \"gbit_s\": %.4f}\n",
		rep->cipher, opt->record_bytes, opt->connections != 0 ? opt->connections : 2,
		(unsigned long long)rep->bytes, rep->cpu_s, rep->wall_s,
		rep->bytes ? rep->cpu_s * 1e9 / (double)rep->bytes : 0.0,
		rep->wall_s > 0 ? (double)rep->bytes * 8e-9 / rep->wall_s : 0.0);
}

static void run(const struct relay_options *opt)
{
	struct relay_report rep;
	pid_t pids[3];
	uint16_t port;
	int lfd, pipefd[2];
	char c;

	port = relay_open_listener(&lfd);
	if (pipe(pipefd) != 0)
		relay_die("pipe");
	pids[0] = fork();
	if (pids[0] == 0 && opt->plain)
		relay_plain(opt, lfd, pipefd[1]);
	if (pids[0] == 0)
		relay(opt, lfd, pipefd[1]);
	if (read(pipefd[0], &c, 1) != 1)
		relay_die("relay");
	pids[1] = fork();
	if (pids[1] == 0 && opt->plain)
		source_plain(opt, port);
	if (pids[1] == 0)
		source(opt, port);
	if (read(pipefd[0], &c, 1) != 1)
		relay_die("relay");
	pids[2] = fork();
	if (pids[2] == 0 && opt->plain)
		sink_plain(port);
	if (pids[2] == 0)
		sink(opt, port);
	close(pipefd[1]);
	if (read(pipefd[0], &rep, sizeof(rep)) != (ssize_t)sizeof(rep))
		relay_die("relay ended early");
	for (int i = 0; i < 3; i++)
		waitpid(pids[i], NULL, 0);
	report_print(opt, &rep);
}

/* The client's half of --handshakes. */
static void handshake_client(const struct relay_options *opt, uint16_t port)
{
	SSL_CTX *ctx = relay_context(opt, false);
	char byte;

	for (unsigned i = 0; i < opt->handshakes; i++) {
		SSL *ssl = relay_dial(ctx, port);
		int fd = SSL_get_fd(ssl);

		(void)SSL_read(ssl, &byte, 1); /* until the server ends it */
		SSL_free(ssl);
		close(fd);
	}
	exit(0);
}

static void handshakes(const struct relay_options *opt)
{
	SSL_CTX *ctx = relay_context(opt, true);
	int lfd;
	uint16_t port = relay_open_listener(&lfd);
	pid_t client = fork();
	double cpu0, t0 = relay_now_s();

	if (client == 0)
		handshake_client(opt, port);
	relay_pin(opt->cpu);
	cpu0 = relay_cpu_s();
	for (unsigned i = 0; i < opt->handshakes; i++) {
		SSL *ssl = relay_take(ctx, lfd);
		int fd = SSL_get_fd(ssl);

		SSL_shutdown(ssl);
		SSL_free(ssl);
		close(fd);
	}
	printf("{\"handshakes\": %u, \"cpu_ms_each\": %.4f, \"wall_s\": %.4f}\n", opt->handshakes,
		(relay_cpu_s() - cpu0) * 1e3 / opt->handshakes, relay_now_s() - t0);
	waitpid(client, NULL, 0);
}

static void usage(FILE *to)
{
	fprintf(to,
		"usage: tls_relay [--cipher SUITE] [--seconds N] [--record BYTES] [--cpu N] [--plain]\n"
		"       tls_relay --connections N [--cipher SUITE] [--seconds N] [--record BYTES] [--cpu N]\n"
		"       tls_relay --handshakes N [--cipher SUITE] [--cpu N]\n"
		"  --cipher SUITE  TLS 1.3 suite (TLS_AES_256_GCM_SHA384)\n"
		"  --seconds N     how long the source sends (5)\n"
		"  --record BYTES  plaintext of a record, 1..16384 (16384)\n"
		"  --plain         no TLS\n"
		"  --connections N so many in pairs, each way, a record of each under way\n"
		"  --handshakes N  so many connections instead, RSA-2048\n"
		"  --cpu N         pin the relay there\n");
}

static unsigned number(const char *text, const char *what, unsigned long max)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	if (*text == '\0' || *end != '\0' || v > max) {
		fprintf(stderr, "tls_relay: %s must be a number up to %lu\n", what, max);
		exit(2);
	}
	return (unsigned)v;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {{"cipher", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'},
		{"record", 1, NULL, 'r'}, {"cpu", 1, NULL, 'p'}, {"plain", 0, NULL, 'x'},
		{"connections", 1, NULL, 'm'}, {"handshakes", 1, NULL, 'n'}, {"help", 0, NULL, 'h'},
		{0}};
	struct relay_options opt = {
		.cipher = "TLS_AES_256_GCM_SHA384", .seconds = 5, .record_bytes = 16384, .cpu = -1};
	struct relay_report rep;
	int c;

	while ((c = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
		switch (c) {
		case 'c':
			opt.cipher = optarg;
			break;
		case 's':
			opt.seconds = number(optarg, "--seconds", 3600);
			break;
		case 'r':
			opt.record_bytes = number(optarg, "--record", 16384);
			break;
		case 'p':
			opt.cpu = (int)number(optarg, "--cpu", 1023);
			break;
		case 'x':
			opt.plain = true;
			break;
		case 'm':
			opt.connections = number(optarg, "--connections", 10000);
			break;
		case 'n':
			opt.handshakes = number(optarg, "--handshakes", 1000000);
			break;
		case 'h':
			usage(stdout);
			return 0;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (optind != argc || opt.record_bytes == 0 || opt.connections % 2 != 0 ||
		(opt.connections != 0 && opt.plain)) {
		usage(stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	if (opt.handshakes != 0)
		handshakes(&opt);
	else if (opt.connections != 0 && relay_many(&opt, &rep))
		report_print(&opt, &rep);
	else if (opt.connections == 0)
		run(&opt);
	return 0;
}
