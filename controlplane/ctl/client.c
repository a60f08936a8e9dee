/* SPDX-License-Identifier: BSD-3-Clause */
/* The way to the daemon: a line there, a line back. */

#include "controlplane/ctl/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "controlplane/ctl/text.h"

#define PATIENCE_S 60 /* without a byte from the daemon; longer than any call waits */

static int connect_failed(const char *path, int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		fprintf(stderr,
			"patchbayctl: no daemon answers on %s.\n"
			"Start patchbayd, or name its socket with --socket or PATCHBAY_SOCKET.\n",
			path);
		break;
	case EACCES:
	case EPERM:
		fprintf(stderr, "patchbayctl: no permission for %s. Run patchbayctl as root.\n",
			path);
		break;
	default:
		fprintf(stderr, "patchbayctl: cannot connect to %s: %s\n", path, strerror(error));
	}
	return -1;
}

static int open_socket(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return connect_failed(path, ENAMETOOLONG);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return connect_failed(path, errno);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
		int error = errno;

		close(fd);
		return connect_failed(path, error);
	}
	return fd;
}

static bool send_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t n = send(fd, bytes, size, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		/* The daemon may have said why before it hung up: read that. */
		if (n < 0 && errno == EPIPE)
			return true;
		if (n <= 0)
			return false;
		bytes += n;
		size -= (size_t)n;
	}
	return true;
}

static bool send_request(int fd, const char *method, json_t *params)
{
	json_t *request = json_pack("{s:s, s:i, s:s, s:o*}", "jsonrpc", "2.0", "id", 1, "method",
		method, "params", params);
	char *line = request == NULL ? NULL : json_dumps(request, JSON_COMPACT);
	bool ok = line != NULL && send_all(fd, line, strlen(line)) && send_all(fd, "\n", 1);

	free(line);
	json_decref(request);
	return ok;
}

static enum reply_state receive(int fd, struct reply *reply)
{
	static char bytes[65536];
	enum reply_state state = REPLY_MORE;

	while (state == REPLY_MORE) {
		ssize_t n = recv(fd, bytes, sizeof(bytes), 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			fprintf(stderr, "patchbayctl: %s\n",
				n == 0 ? "the daemon closed the connection before the end of its answer"
					: errno == EAGAIN ? "the daemon does not answer"
							  : strerror(errno));
			return REPLY_BAD;
		}
		state = reply_feed(reply, bytes, (size_t)n);
		if (state == REPLY_BAD)
			fprintf(stderr, "patchbayctl: what answers there is not patchbayd\n");
	}
	return state;
}

static int tell_error(const char *method, json_t *error, const char *hint)
{
	const char *message = json_string_value(json_object_get(error, "message"));
	json_int_t code = json_integer_value(json_object_get(error, "code"));
	size_t columns;
	char *safe = text_printable(message == NULL ? "no reason given" : message, &columns);

	fprintf(stderr, "patchbayctl: %s: %s (error %lld)\n", method, safe == NULL ? "" : safe,
		(long long)code);
	if (code == 33)
		fprintf(stderr, "`patchbayctl methods` lists what this daemon can do.\n");
	else if (code == 8)
		fprintf(stderr, "`patchbayctl hub list` shows the hubs.\n");
	else if (hint != NULL)
		fprintf(stderr, "%s\n", hint);
	free(safe);
	return CTL_FAILED;
}

int client_call_unless(const char *socket_path, const char *method, json_t *params,
	struct reply *reply, int absent, const char *hint)
{
	int fd = open_socket(socket_path);
	enum reply_state state = REPLY_BAD;
	json_t *error;

	if (fd < 0) {
		json_decref(params);
		return CTL_FAILED;
	}
	if (send_request(fd, method, params))
		state = receive(fd, reply);
	else
		fprintf(stderr, "patchbayctl: cannot send to %s: %s\n", socket_path,
			strerror(errno));
	close(fd);
	if (state != REPLY_END)
		return CTL_FAILED;
	error = json_object_get(reply_document(reply), "error");
	if (error != NULL && absent != 0 &&
		json_integer_value(json_object_get(error, "code")) == absent)
		return CTL_ABSENT;
	if (error != NULL)
		return tell_error(method, error, hint);
	if (client_result(reply) == NULL) {
		fprintf(stderr, "patchbayctl: what answers there is not patchbayd\n");
		return CTL_FAILED;
	}
	return CTL_OK;
}

int client_call(const char *socket_path, const char *method, json_t *params, struct reply *reply,
	const char *hint)
{
	return client_call_unless(socket_path, method, params, reply, 0, hint);
}

json_t *client_result(const struct reply *reply)
{
	json_t *result = json_object_get(reply_document(reply), "result");

	return json_is_object(result) ? result : NULL;
}
