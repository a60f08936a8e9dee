/* SPDX-License-Identifier: BSD-3-Clause */
/* The listener of /metrics (metrics.h): one request, one answer, and the connection ends. */

#include "controlplane/metrics.h"

#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "controlplane/accept_pause.h"
#include "controlplane/config.h"
#include "controlplane/control.h"
#include "controlplane/log.h"
#include "dataplane/lcore.h"
#include "drivers/session/wire/http.h"

#define FRESH_MS	 1000u
#define TYPE_OPENMETRICS "application/openmetrics-text; version=1.0.0; charset=utf-8"
#define TYPE_TEXT	 "text/plain; version=0.0.4; charset=utf-8"

struct client {
	struct bufferevent *bev;
	struct event *patience;
	bool answered;
	TAILQ_ENTRY(client) entry;
};

/* A text as it was made last; forms differ in a few words, so each is kept for itself. */
struct kept {
	struct evbuffer *text;
	uint64_t made_ms;
};

static struct {
	struct accept_pause accept;
	TAILQ_HEAD(, client) clients;
	unsigned client_cnt;
	const char *token; /* config's; "" = everybody is answered */
	struct kept kept[2];
} metrics = {.clients = TAILQ_HEAD_INITIALIZER(metrics.clients)};

static void client_free(struct client *c)
{
	TAILQ_REMOVE(&metrics.clients, c, entry);
	metrics.client_cnt--;
	event_free(c->patience);
	bufferevent_free(c->bev);
	free(c);
}

/* ---- answers --------------------------------------------------------------------------------- */

/* The text, made anew when it is a second old; NULL without memory. */
static struct evbuffer *text_now(bool openmetrics)
{
	struct kept *k = &metrics.kept[openmetrics];
	uint64_t now_ms = lcore_clock_ms();

	if (k->text != NULL && now_ms - k->made_ms < FRESH_MS)
		return k->text;
	if (k->text != NULL)
		evbuffer_free(k->text);
	k->text = evbuffer_new();
	k->made_ms = now_ms;
	if (k->text == NULL || metrics_text(k->text, openmetrics) == 0)
		return k->text;
	evbuffer_free(k->text);
	k->text = NULL;
	return NULL;
}

/* `body` NULL: the status says all. */
static void answer(struct client *c, const char *status, const char *more, const char *type,
	struct evbuffer *body, bool head_only)
{
	struct evbuffer *out = bufferevent_get_output(c->bev);
	size_t len = body != NULL ? evbuffer_get_length(body) : 0;

	evbuffer_add_printf(out,
		"HTTP/1.1 %s\r\nConnection: close\r\nCache-Control: no-store\r\nContent-Type: %s\r\n"
		"Content-Length: %zu\r\n%s\r\n",
		status, type, len, more);
	/* The same bytes for all who ask in this second, without a copy. */
	if (body != NULL && !head_only)
		(void)evbuffer_add_buffer_reference(out, body);
	c->answered = true;
	bufferevent_disable(c->bev, EV_READ);
}

static bool token_is(const char *value)
{
	static const char scheme[] = "Bearer ";
	size_t len = strlen(metrics.token);

	if (strncasecmp(value, scheme, sizeof(scheme) - 1) != 0)
		return false;
	value += sizeof(scheme) - 1;
	value += strspn(value, " ");
	return strlen(value) == len && CRYPTO_memcmp(value, metrics.token, len) == 0;
}

struct request {
	bool allowed;
	bool openmetrics;
};

static void header(struct request *r, const char *name, const char *value)
{
	if (strcasecmp(name, "Authorization") == 0)
		r->allowed |= token_is(value);
	else if (strcasecmp(name, "Accept") == 0)
		r->openmetrics |= strstr(value, "application/openmetrics-text") != NULL;
}

static void judge(struct client *c, const struct http_head *h, const struct request *r)
{
	bool get = strcasecmp(h->first, "GET") == 0, head = strcasecmp(h->first, "HEAD") == 0;
	struct evbuffer *text;

	if (!r->allowed) {
		answer(c, "401 Unauthorized", "WWW-Authenticate: Bearer\r\n", TYPE_TEXT, NULL,
			false);
	} else if (!get && !head) {
		answer(c, "405 Method Not Allowed", "Allow: GET, HEAD\r\n", TYPE_TEXT, NULL, false);
	} else if (strcmp(h->second, "/metrics") != 0) {
		answer(c, "404 Not Found", "", TYPE_TEXT, NULL, false);
	} else {
		text = text_now(r->openmetrics);
		if (text == NULL)
			answer(c, "503 Service Unavailable", "", TYPE_TEXT, NULL, false);
		else
			answer(c, "200 OK", "", r->openmetrics ? TYPE_OPENMETRICS : TYPE_TEXT, text,
				head);
	}
}

/* Looks at what there is from its begin: requests are short, and mostly come whole. */
static void on_readable(struct bufferevent *bev, void *arg)
{
	static struct http_parser http; /* control thread */
	struct evbuffer *in = bufferevent_get_input(bev);
	size_t len = evbuffer_get_length(in), at = 0, n;
	const uint8_t *bytes = evbuffer_pullup(in, -1);
	struct request r = {.allowed = metrics.token[0] == '\0'};
	struct client *c = arg;
	enum http_event ev;

	if (c->answered || bytes == NULL)
		return;
	http_parser_init(&http);
	do {
		ev = http_parse(&http, bytes + at, len - at, &n);
		at += n;
		if (ev == HTTP_HEADER)
			header(&r, http.name, http.value);
	} while (ev == HTTP_HEADER);
	if (ev == HTTP_HEAD_DONE)
		judge(c, &http.head, &r);
	explicit_bzero(&http, sizeof(http));
	if (ev == HTTP_BAD || (ev == HTTP_MORE && len >= METRICS_REQUEST))
		client_free(c);
}

static void on_written(struct bufferevent *bev, void *arg)
{
	struct client *c = arg;

	if (c->answered && evbuffer_get_length(bufferevent_get_output(bev)) == 0)
		client_free(c);
}

static void on_event(struct bufferevent *, short what, void *arg)
{
	struct client *c = arg;

	/* It may have closed its sending side only, behind the request. */
	if ((what & BEV_EVENT_EOF) != 0 && c->answered)
		return;
	client_free(c);
}

static void out_of_patience(evutil_socket_t, short, void *arg)
{
	client_free(arg);
}

/* ---- listener -------------------------------------------------------------------------------- */

static void on_accept(struct evconnlistener *, evutil_socket_t fd, struct sockaddr *, int, void *)
{
	const struct timeval patience = {.tv_sec = METRICS_PATIENCE_S};
	struct client *c;

	c = metrics.client_cnt < METRICS_CLIENTS ? calloc(1, sizeof(*c)) : NULL;
	if (c == NULL) {
		close(fd);
		return;
	}
	if (!accept_events(fd, out_of_patience, c, &c->bev, &c->patience)) {
		free(c);
		return;
	}
	TAILQ_INSERT_TAIL(&metrics.clients, c, entry);
	metrics.client_cnt++;
	evtimer_add(c->patience, &patience);
	bufferevent_setcb(c->bev, on_readable, on_written, on_event, c);
	bufferevent_setwatermark(c->bev, EV_READ, 0, METRICS_REQUEST);
	bufferevent_enable(c->bev, EV_READ | EV_WRITE);
}

/* The length of *out; 0: no IP address. */
static socklen_t address_of(const struct config *config, struct sockaddr_storage *out)
{
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;
	struct sockaddr_in *v4 = (struct sockaddr_in *)out;

	memset(out, 0, sizeof(*out));
	if (inet_pton(AF_INET, config->metrics_address, &v4->sin_addr) == 1) {
		v4->sin_family = AF_INET;
		v4->sin_port = htons((uint16_t)config->metrics_port);
		return sizeof(*v4);
	}
	if (inet_pton(AF_INET6, config->metrics_address, &v6->sin6_addr) == 1) {
		v6->sin6_family = AF_INET6;
		v6->sin6_port = htons((uint16_t)config->metrics_port);
		return sizeof(*v6);
	}
	return 0;
}

int metrics_start(const struct config *config)
{
	struct evconnlistener *listener = NULL;
	struct sockaddr_storage address;
	socklen_t len;

	if (config->metrics_address[0] == '\0')
		return 0;
	metrics.token = config->metrics_token;
	len = address_of(config, &address);
	if (len != 0)
		listener = evconnlistener_new_bind(control_base(), on_accept, &metrics.accept,
			LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC | LEV_OPT_REUSEABLE,
			METRICS_CLIENTS, (struct sockaddr *)&address, (int)len);
	if (listener == NULL) {
		log_error("metrics", "%s port %u cannot be opened: %s", config->metrics_address,
			config->metrics_port, len == 0 ? "no IP address" : strerror(errno));
		return 0;
	}
	if (accept_pause_init(&metrics.accept, listener, "metrics") != 0)
		return -ENOMEM;
	log_info("metrics", "at http://%s:%u/metrics%s", config->metrics_address,
		config->metrics_port, metrics.token[0] != '\0' ? ", with a token" : "");
	return 0;
}

void metrics_stop(void)
{
	struct client *c;

	accept_pause_fini(&metrics.accept);
	while ((c = TAILQ_FIRST(&metrics.clients)) != NULL)
		client_free(c);
	for (unsigned i = 0; i < 2; i++) {
		if (metrics.kept[i].text != NULL)
			evbuffer_free(metrics.kept[i].text);
		metrics.kept[i] = (struct kept){0};
	}
}
