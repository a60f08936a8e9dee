/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The life of one administration call between an encoding and a handler: roles, ranges and completeness are
 * judged here, from the table, so that neither side has to.
 */

#include "controlplane/admin/call.h"

#include <assert.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "controlplane/store.h"
#include "drivers/session/wire/wire_error.h"

int admin_fail(struct admin_call *call, int code, const char *fmt, ...)
{
	va_list ap;

	assert(!call->begun || call->in_data);
	va_start(ap, fmt);
	vsnprintf(call->error_text, sizeof(call->error_text), fmt, ap);
	va_end(ap);
	call->error = code;
	return code;
}

int admin_fail_field(struct admin_call *call, const char *field, const char *fmt, ...)
{
	va_list ap;

	assert(!call->begun);
	va_start(ap, fmt);
	vsnprintf(call->error_text, sizeof(call->error_text), fmt, ap);
	va_end(ap);
	snprintf(call->error_field, sizeof(call->error_field), "%s", field);
	call->error = WIRE_ERROR_INVALID_PARAMETER;
	return call->error;
}

static int bad_field(struct admin_call *call, const char *name, const char *why)
{
	snprintf(call->error_field, sizeof(call->error_field), "%s", name);
	return admin_fail(call, WIRE_ERROR_INVALID_PARAMETER, "%s", why);
}

static const char *range_wrong(
	const struct admin_field *f, const struct admin_value *v, char *why, size_t why_size)
{
	switch (f->type) {
	case ADMIN_TYPE_INT:
	case ADMIN_TYPE_INT64:
		if (v->number >= f->min && v->number <= f->max)
			return NULL;
		snprintf(why, why_size, "must be %" PRIu64 " to %" PRIu64, f->min, f->max);
		return why;
	case ADMIN_TYPE_STR:
	case ADMIN_TYPE_USTR:
	case ADMIN_TYPE_DATA:
		if (v->size >= f->min && v->size <= f->max)
			return NULL;
		if (v->size == 0)
			return "must not be empty";
		snprintf(why, why_size, "must have %" PRIu64 " to %" PRIu64 " bytes", f->min,
			f->max);
		return why;
	default:
		return NULL;
	}
}

/* The list's name, the record's number and the field's name: what the caller looks for. */
static int bad_row(struct admin_call *call, const struct admin_field *list, uint32_t row,
	const char *name, const char *why)
{
	char where[ADMIN_FIELD_NAME_MAX + 1];

	snprintf(where, sizeof(where), "%.30s[%u].%.20s", list->name, row, name);
	return bad_field(call, where, why);
}

static int row_check(struct admin_call *call, const struct admin_field *list, uint32_t row)
{
	struct admin_in *in = call->in;
	const char *stranger = in->ops->row_unknown(in, list, row);
	struct admin_value v;
	char why_text[64];

	if (stranger != NULL)
		return bad_row(call, list, row, stranger, "a record has no such field");
	for (const struct admin_field *f = list->rows; f->name != NULL; f++) {
		const char *why = "wrong type";
		int n = in->ops->row_get(in, list, row, f, &v, &why);

		if (n < 0)
			return bad_row(call, list, row, f->name, why);
		if (n == 0 && (f->flags & ADMIN_F_REQUIRED) != 0)
			return bad_row(call, list, row, f->name, "is missing");
		why = n == 0 ? NULL : range_wrong(f, &v, why_text, sizeof(why_text));
		if (why != NULL)
			return bad_row(call, list, row, f->name, why);
	}
	return 0;
}

static int list_decode(struct admin_call *call, const struct admin_field *f, unsigned i)
{
	const char *why = "must be a list of records";
	char why_text[64];
	long n = call->in->ops->rows(call->in, f, &why);
	int rc = 0;

	if (n < 0)
		return bad_field(call, f->name, why);
	if ((uint64_t)n > f->max) {
		snprintf(why_text, sizeof(why_text), "must have at most %" PRIu64 " records",
			f->max);
		return bad_field(call, f->name, why_text);
	}
	for (long row = 0; row < n && rc == 0; row++)
		rc = row_check(call, f, (uint32_t)row);
	call->args[i].number = (uint64_t)n;
	call->arg_set[i] = true;
	return rc;
}

static int args_decode(struct admin_call *call, struct admin_in *in)
{
	const struct admin_field *request = call->method->request;
	const char *stranger = in->ops->unknown(in, request);
	char why_text[64];

	if (stranger != NULL)
		return bad_field(call, stranger, "this method has no such parameter");
	for (unsigned i = 0; request[i].name != NULL; i++) {
		const struct admin_field *f = &request[i];
		const char *why = "wrong type";
		int n;

		assert(i < ADMIN_FIELDS_MAX);
		if (f->type == ADMIN_TYPE_ROWS) {
			n = list_decode(call, f, i);
			if (n != 0)
				return n;
			continue;
		}
		n = in->ops->get(in, f, &call->args[i], &why);
		if (n < 0)
			return bad_field(call, f->name, why);
		if (n == 0) {
			if (f->flags & ADMIN_F_REQUIRED)
				return bad_field(call, f->name, "is missing");
			continue;
		}
		why = range_wrong(f, &call->args[i], why_text, sizeof(why_text));
		if (why != NULL)
			return bad_field(call, f->name, why);
		call->arg_set[i] = true;
	}
	return 0;
}

static int role_check(struct admin_call *call)
{
	const struct admin_caller *who = call->caller;
	const char *hub;

	switch (call->method->role) {
	case ADMIN_ROLE_ANY:
		return 0;
	case ADMIN_ROLE_SERVER:
		if (!who->server)
			return admin_fail(call, WIRE_ERROR_NOT_ENOUGH_RIGHTS,
				"%s needs the administrator of the server", call->method->name);
		return 0;
	case ADMIN_ROLE_HUB:
		hub = admin_get_str(call, "HubName");
		if (hub[0] == '\0')
			return bad_field(call, "HubName", "must not be empty");
		if (!admin_sees_hub(call, hub))
			return admin_fail(call, WIRE_ERROR_NOT_ENOUGH_RIGHTS,
				"%s: hub %s is not yours", call->method->name, hub);
		return 0;
	}
	return WIRE_ERROR_INTERNAL;
}

int admin_call_begin(struct admin_call *call, const struct admin_method *method,
	const struct admin_caller *caller, struct admin_in *in, struct admin_out *out)
{
	int rc;

	memset(call, 0, sizeof(*call));
	call->method = method;
	call->caller = caller;
	call->out = out;
	call->in = in;
	call->fields[0] = method->response;
	/* A foreigner to the whole method learns nothing from the order in which parameters are judged. */
	if (method->role == ADMIN_ROLE_SERVER && (rc = role_check(call)) != 0)
		return rc;
	rc = args_decode(call, in);
	if (rc == 0)
		rc = role_check(call);
	if (rc == 0 && method->state_bytes > 0) {
		call->state = calloc(1, method->state_bytes);
		if (call->state == NULL)
			rc = admin_fail(call, WIRE_ERROR_INTERNAL, "out of memory");
	}
	return rc;
}

/* Every field of a record that is not optional has been put: the table does not promise too much. */
static void record_check(const struct admin_call *call, unsigned depth)
{
	const struct admin_field *f = call->fields[depth];

	for (unsigned i = 0; f[i].name != NULL; i++)
		assert((f[i].flags & ADMIN_F_OPTIONAL) != 0 || call->put[depth][i]);
}

int admin_call_step(struct admin_call *call, unsigned rows, size_t output_max)
{
	int rc;

	/* The directory is being read anew: whoever wants to change it is next. */
	if (call->steps == 0 && call->method->effect == ADMIN_EFFECT_STORED && store_frozen())
		return ADMIN_WAIT;
	call->row_budget = rows;
	call->output_max = output_max;
	rc = call->method->step(call);
	call->steps++;
	if (rc == ADMIN_DONE) {
		assert(call->depth == 0 && !call->in_rows && !call->in_data);
		record_check(call, 0);
	} else if (rc > 0) {
		assert(!call->begun || call->in_data);
		if (call->in_data)
			call->out->ops->data_end(call->out);
		call->in_data = false;
		call->error = rc;
		if (call->error_text[0] == '\0')
			snprintf(call->error_text, sizeof(call->error_text), "%s",
				wire_error_text((uint32_t)rc));
	}
	return rc;
}

void admin_call_end(struct admin_call *call)
{
	if (call->state != NULL && call->method->fini != NULL)
		call->method->fini(call);
	free(call->state);
	call->state = NULL;
}

/* ---- arguments ------------------------------------------------------------------------------- */

static const struct admin_value *arg(
	const struct admin_call *call, const char *name, unsigned types_mask)
{
	const struct admin_field *request = call->method->request;

	for (unsigned i = 0; request[i].name != NULL; i++) {
		if (strcmp(request[i].name, name) != 0)
			continue;
		assert((types_mask & 1u << request[i].type) != 0);
		return call->arg_set[i] ? &call->args[i] : NULL;
	}
	assert(!"argument is not in the method's table");
	return NULL;
}

bool admin_has(const struct admin_call *call, const char *name)
{
	return arg(call, name, ~0u) != NULL;
}

uint32_t admin_get_int(const struct admin_call *call, const char *name)
{
	const struct admin_value *v = arg(call, name, 1u << ADMIN_TYPE_INT);

	return v == NULL ? 0 : (uint32_t)v->number;
}

uint64_t admin_get_int64(const struct admin_call *call, const char *name)
{
	const struct admin_value *v = arg(call, name, 1u << ADMIN_TYPE_INT64);

	return v == NULL ? 0 : v->number;
}

bool admin_get_bool(const struct admin_call *call, const char *name)
{
	const struct admin_value *v = arg(call, name, 1u << ADMIN_TYPE_BOOL);

	return v != NULL && v->flag;
}

const char *admin_get_str(const struct admin_call *call, const char *name)
{
	const struct admin_value *v = arg(call, name, 1u << ADMIN_TYPE_STR | 1u << ADMIN_TYPE_USTR);

	return v == NULL ? "" : v->bytes;
}

const void *admin_get_data(const struct admin_call *call, const char *name, size_t *size)
{
	const struct admin_value *v = arg(call, name, 1u << ADMIN_TYPE_DATA);

	*size = v == NULL ? 0 : v->size;
	return v == NULL ? NULL : v->bytes;
}

int64_t admin_get_time(const struct admin_call *call, const char *name)
{
	const struct admin_value *v = arg(call, name, 1u << ADMIN_TYPE_TIME);

	return v == NULL ? 0 : v->time_ms;
}

uint32_t admin_row_cnt(const struct admin_call *call, const char *list)
{
	const struct admin_value *v = arg(call, list, 1u << ADMIN_TYPE_ROWS);

	return v == NULL ? 0 : (uint32_t)v->number;
}

/* False if the record has no such field. The record was checked before the first step. */
static bool row_value(const struct admin_call *call, const char *list, uint32_t row,
	const char *name, struct admin_value *v)
{
	const struct admin_field *l = admin_field_find(call->method->request, list);
	const struct admin_field *f;
	const char *why;

	assert(l != NULL && l->type == ADMIN_TYPE_ROWS);
	f = admin_field_find(l->rows, name);
	assert(f != NULL);
	return call->in->ops->row_get(call->in, l, row, f, v, &why) == 1;
}

bool admin_row_has(const struct admin_call *call, const char *list, uint32_t row, const char *name)
{
	struct admin_value v;

	return row_value(call, list, row, name, &v);
}

uint32_t admin_row_int(
	const struct admin_call *call, const char *list, uint32_t row, const char *name)
{
	struct admin_value v;

	return row_value(call, list, row, name, &v) ? (uint32_t)v.number : 0;
}

bool admin_row_bool(const struct admin_call *call, const char *list, uint32_t row, const char *name)
{
	struct admin_value v;

	return row_value(call, list, row, name, &v) && v.flag;
}

const void *admin_row_data(const struct admin_call *call, const char *list, uint32_t row,
	const char *name, size_t *size)
{
	struct admin_value v;
	bool there = row_value(call, list, row, name, &v);

	*size = there ? v.size : 0;
	return there ? v.bytes : NULL;
}

const char *admin_row_str(
	const struct admin_call *call, const char *list, uint32_t row, const char *name)
{
	struct admin_value v;

	return row_value(call, list, row, name, &v) ? v.bytes : "";
}

static void to_address(const struct admin_value *v, struct sockaddr_storage *out)
{
	out->ss_family = v->family;
	if (v->family == AF_INET)
		memcpy(&((struct sockaddr_in *)out)->sin_addr, v->address, 4);
	else if (v->family == AF_INET6)
		memcpy(&((struct sockaddr_in6 *)out)->sin6_addr, v->address, 16);
}

void admin_get_ip(const struct admin_call *call, const char *name, struct sockaddr_storage *out)
{
	const struct admin_value *v = arg(call, name, 1u << ADMIN_TYPE_IP);

	memset(out, 0, sizeof(*out));
	if (v != NULL)
		to_address(v, out);
}

void admin_row_ip(const struct admin_call *call, const char *list, uint32_t row, const char *name,
	struct sockaddr_storage *out)
{
	struct admin_value v;

	memset(out, 0, sizeof(*out));
	if (row_value(call, list, row, name, &v))
		to_address(&v, out);
}

bool admin_sees_hub(const struct admin_call *call, const char *hub_name)
{
	const struct admin_caller *who = call->caller;

	return who->server || (who->hub_name != NULL && strcasecmp(who->hub_name, hub_name) == 0);
}

/* ---- result ---------------------------------------------------------------------------------- */

bool admin_room(const struct admin_call *call)
{
	return call->row_budget > 0 && call->out->ops->pending(call->out) < call->output_max;
}

void admin_spend(struct admin_call *call, unsigned rows)
{
	call->row_budget -= rows < call->row_budget ? rows : call->row_budget;
}

/* The field that is put, marked as put. Handlers put in the table's order, so the first look hits. */
static const struct admin_field *put_field(struct admin_call *call, const char *name)
{
	unsigned d = call->depth;
	const struct admin_field *f = call->fields[d];
	unsigned i = call->next[d];

	if (f[i].name == NULL || strcmp(f[i].name, name) != 0) {
		for (i = 0; f[i].name != NULL && strcmp(f[i].name, name) != 0; i++)
			;
		assert(f[i].name != NULL);
	}
	assert(!call->put[d][i]);
	call->put[d][i] = true;
	call->next[d] = i + 1;
	call->begun = true;
	return &f[i];
}

static void put(
	struct admin_call *call, const char *name, unsigned types_mask, const struct admin_value *v)
{
	const struct admin_field *f = put_field(call, name);

	assert((types_mask & 1u << f->type) != 0 && !call->in_data);
	/* Between rows nothing but rows. */
	assert(call->in_rows == (call->depth == 1));
	call->out->ops->value(call->out, f, v);
}

void admin_put_bool(struct admin_call *call, const char *name, bool v)
{
	put(call, name, 1u << ADMIN_TYPE_BOOL, &(struct admin_value){.flag = v});
}

void admin_put_int(struct admin_call *call, const char *name, uint32_t v)
{
	put(call, name, 1u << ADMIN_TYPE_INT, &(struct admin_value){.number = v});
}

void admin_put_int64(struct admin_call *call, const char *name, uint64_t v)
{
	put(call, name, 1u << ADMIN_TYPE_INT64, &(struct admin_value){.number = v});
}

void admin_put_time(struct admin_call *call, const char *name, int64_t ms)
{
	put(call, name, 1u << ADMIN_TYPE_TIME, &(struct admin_value){.time_ms = ms});
}

void admin_put_str(struct admin_call *call, const char *name, const char *v)
{
	struct admin_value value = {.bytes = v == NULL ? "" : v};

	value.size = strlen(value.bytes);
	put(call, name, 1u << ADMIN_TYPE_STR | 1u << ADMIN_TYPE_USTR, &value);
}

void admin_put_data(struct admin_call *call, const char *name, const void *bytes, size_t size)
{
	struct admin_value value = {.bytes = bytes, .size = size};

	put(call, name, 1u << ADMIN_TYPE_DATA, &value);
}

#define DATA_PART      12288u /* divides by three */
#define DATA_PART_ROWS 16u    /* of a step's budget: so much work is it */

void admin_put_data_begin(struct admin_call *call, const char *name, size_t size)
{
	const struct admin_field *f = put_field(call, name);

	assert(f->type == ADMIN_TYPE_DATA && call->depth == 0 && !call->in_rows && !call->in_data);
	call->in_data = true;
	call->data_at = 0;
	call->data_size = size;
	call->out->ops->data_begin(call->out, f, size);
}

bool admin_put_data_more(struct admin_call *call, const void *bytes)
{
	assert(call->in_data);
	while (call->data_at < call->data_size && admin_room(call)) {
		size_t left = call->data_size - call->data_at;
		size_t n = left < DATA_PART ? left : DATA_PART;

		call->out->ops->data_part(call->out, (const uint8_t *)bytes + call->data_at, n);
		call->data_at += n;
		admin_spend(call, DATA_PART_ROWS);
	}
	if (call->data_at < call->data_size)
		return false;
	call->out->ops->data_end(call->out);
	call->in_data = false;
	return true;
}

void admin_put_ip(struct admin_call *call, const char *name, const struct sockaddr_storage *v)
{
	struct admin_value value = {.family = AF_UNSPEC};
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (v != NULL && v->ss_family == AF_INET) {
		value.family = AF_INET;
		memcpy(value.address, &((const struct sockaddr_in *)v)->sin_addr, 4);
	} else if (v != NULL && v->ss_family == AF_INET6) {
		const uint8_t *a = ((const struct sockaddr_in6 *)v)->sin6_addr.s6_addr;

		/* IPv4 that came in through an IPv6 socket is IPv4 to everybody who reads lists. */
		value.family = memcmp(a, mapped, 12) == 0 ? AF_INET : AF_INET6;
		if (value.family == AF_INET)
			memcpy(value.address, a + 12, 4);
		else
			memcpy(value.address, a, 16);
	}
	put(call, name, 1u << ADMIN_TYPE_IP, &value);
}

void admin_put_traffic(struct admin_call *call, const char *name, const struct stats_traffic *in,
	const struct stats_traffic *out)
{
	struct admin_value value = {.traffic = {.in = *in, .out = *out}};

	put(call, name, 1u << ADMIN_TYPE_TRAFFIC, &value);
}

void admin_rows_begin(struct admin_call *call, const char *name)
{
	const struct admin_field *f;

	assert(call->depth == 0 && !call->in_rows);
	f = put_field(call, name);
	assert(f->type == ADMIN_TYPE_ROWS);
	call->fields[1] = f->rows;
	call->in_rows = true;
	call->out->ops->rows_begin(call->out, f);
}

void admin_row_begin(struct admin_call *call)
{
	assert(call->in_rows && call->depth == 0);
	call->depth = 1;
	memset(call->put[1], 0, sizeof(call->put[1]));
	call->next[1] = 0;
	admin_spend(call, 1);
	call->out->ops->row_begin(call->out);
}

void admin_row_end(struct admin_call *call)
{
	assert(call->depth == 1);
	record_check(call, 1);
	call->depth = 0;
	call->out->ops->row_end(call->out);
}

void admin_rows_end(struct admin_call *call)
{
	assert(call->in_rows && call->depth == 0);
	call->in_rows = false;
	call->out->ops->rows_end(call->out);
}
