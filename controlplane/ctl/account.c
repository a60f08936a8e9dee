/* SPDX-License-Identifier: BSD-3-Clause */
/* Users and groups: the daemon takes whole records, so what is set is read, changed and written back. */

#include "controlplane/ctl/account.h"

#include <stdio.h>

#include "controlplane/ctl/client.h"

static json_t *named(const struct ctl_run *run)
{
	return json_pack(
		"{s:s, s:s}", "HubName_str", run->arguments[0], "Name_str", run->arguments[1]);
}

json_t *record_get(const struct ctl_run *run)
{
	struct reply reply = {0};
	json_t *record = NULL;
	char method[64];

	snprintf(method, sizeof(method), "Get%s", run->command->method + 3);

	if (client_call(run->socket_path, method, named(run), &reply, run->command->hint) == CTL_OK)
		record = json_deep_copy(client_result(&reply));
	reply_fini(&reply);
	return record;
}

static void tell_sessions(const struct ctl_run *run, json_t *result)
{
	json_int_t n = json_integer_value(json_object_get(result, "PatchbaySessions_u32"));

	fprintf(run->out, "%s\n", run->command->done);
	if (n > 0)
		fprintf(run->out,
			"%lld running session%s as before, until the next login; --end-sessions ends %s.\n",
			(long long)n, n == 1 ? " goes on" : "s go on", n == 1 ? "it" : "them");
}

int record_put(struct ctl_run *run, json_t *record)
{
	struct reply reply = {0};
	int rc;

	if (run->json)
		reply.echo = run->out;
	rc = client_call(
		run->socket_path, run->command->method, record, &reply, run->command->hint);
	if (rc == CTL_OK && !run->json)
		tell_sessions(run, client_result(&reply));
	reply_fini(&reply);
	return rc;
}

json_t *record_merge(json_t *record, json_t *params)
{
	json_object_update(record, params);
	json_decref(params);
	return record;
}

int record_send(struct ctl_run *run)
{
	json_t *params = ctl_params(run);

	return params == NULL ? CTL_USAGE : record_put(run, params);
}

int record_set(struct ctl_run *run)
{
	json_t *params = ctl_params(run), *record;

	if (params == NULL)
		return CTL_USAGE;
	record = record_get(run);
	if (record == NULL) {
		json_decref(params);
		return CTL_FAILED;
	}
	return record_put(run, record_merge(record, params));
}
