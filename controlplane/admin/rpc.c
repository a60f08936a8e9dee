/* SPDX-License-Identifier: BSD-3-Clause */
/* The envelope of JSON-RPC: what is a request, what answers it, and the log line of a change. */

#include "controlplane/admin/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controlplane/admin/audit.h"
#include "drivers/session/wire/wire_error.h"

static int refuse(struct rpc *rpc, int code, const char *message, const char *field)
{
	json_out_error(&rpc->out, code, message, field);
	rpc_end(rpc);
	return ADMIN_DONE;
}

/* The id as it goes into the answer. False: there is none that could be echoed. */
static bool id_take(struct rpc *rpc)
{
	json_t *id = json_object_get(rpc->request, "id");
	char *text;
	bool ok;

	if (id == NULL || !(json_is_string(id) || json_is_number(id) || json_is_null(id)))
		return false;
	text = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
	ok = text != NULL && strlen(text) <= RPC_ID_MAX;
	if (ok)
		snprintf(rpc->id, sizeof(rpc->id), "%s", text);
	free(text);
	return ok;
}

/* The answer to a call that failed, with the field's name as this encoding spells it. */
static int answer_error(struct rpc *rpc)
{
	const struct admin_call *call = &rpc->call;
	const struct admin_field *f;
	char name[ADMIN_JSON_NAME_MAX];
	char message[sizeof(call->error_text) + sizeof(name) + 32];

	if (call->error_field[0] == '\0')
		return refuse(rpc, call->error, call->error_text, NULL);
	snprintf(name, sizeof(name), "%s", call->error_field);
	f = admin_field_find(call->method->request, call->error_field);
	if (f != NULL)
		json_field_name(f, name);
	snprintf(message, sizeof(message), "%s: %s: %s", wire_error_text((uint32_t)call->error),
		name, call->error_text);
	return refuse(rpc, call->error, message, name);
}

int rpc_begin(struct rpc *rpc, const char *line, size_t len, const struct admin_caller *caller,
	struct evbuffer *buf)
{
	const struct admin_method *method;
	json_t *params;
	const char *name;
	const char *version;
	json_error_t error;
	char text[JSON_ERROR_TEXT_LENGTH + 32];

	memset(rpc, 0, sizeof(*rpc));
	snprintf(rpc->id, sizeof(rpc->id), "null");
	json_out_init(&rpc->out, buf, rpc->id);
	rpc->request = json_loadb(line, len, JSON_REJECT_DUPLICATES, &error);
	if (rpc->request == NULL) {
		snprintf(text, sizeof(text), "not JSON: %s", error.text);
		return refuse(rpc, RPC_ERROR_PARSE, text, NULL);
	}
	if (json_is_array(rpc->request))
		return refuse(rpc, RPC_ERROR_REQUEST, "batches are not served", NULL);
	if (!id_take(rpc))
		return refuse(rpc, RPC_ERROR_REQUEST,
			"a request needs an id: a string, a number or null", NULL);
	version = json_string_value(json_object_get(rpc->request, "jsonrpc"));
	name = json_string_value(json_object_get(rpc->request, "method"));
	if (version == NULL || strcmp(version, "2.0") != 0 || name == NULL)
		return refuse(rpc, RPC_ERROR_REQUEST,
			"a request needs \"jsonrpc\":\"2.0\" and a method", NULL);
	params = json_object_get(rpc->request, "params");
	if (params != NULL && !json_is_object(params))
		return refuse(rpc, RPC_ERROR_PARAMS, "params must be an object", NULL);
	method = admin_method_find(name);
	if (method == NULL)
		return refuse(rpc, WIRE_ERROR_NOT_SUPPORTED,
			"not supported: there is no such method (PatchbayEnumMethod lists them)",
			NULL);
	json_in_init(&rpc->in, params);
	rpc->calling = true;
	if (admin_call_begin(&rpc->call, method, caller, &rpc->in.in, &rpc->out.out) != 0)
		return answer_error(rpc);
	return ADMIN_MORE;
}

int rpc_step(struct rpc *rpc, unsigned rows, size_t output_max)
{
	int rc = admin_call_step(&rpc->call, rows, output_max);

	json_out_flush(&rpc->out);
	if (rc == ADMIN_MORE || rc == ADMIN_WAIT)
		return rc;
	audit_change(&rpc->call);
	if (rc != ADMIN_DONE)
		return answer_error(rpc);
	json_out_result_end(&rpc->out);
	rpc_end(rpc);
	return ADMIN_DONE;
}

void rpc_end(struct rpc *rpc)
{
	if (rpc->calling) {
		admin_call_end(&rpc->call);
		json_in_fini(&rpc->in);
		rpc->calling = false;
	}
	json_decref(rpc->request);
	rpc->request = NULL;
}

void rpc_error(struct evbuffer *buf, int code, const char *message)
{
	struct json_out out;

	json_out_init(&out, buf, "null");
	json_out_error(&out, code, message, NULL);
}
