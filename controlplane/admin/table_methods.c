/* SPDX-License-Identifier: BSD-3-Clause */
/* The method table speaks of itself: for patchbayctl's help, for programmers, for generated documentation. */

#include "controlplane/admin/call.h"
#include "controlplane/admin/json_out.h"
#include "controlplane/admin/method_list.h"
#include "drivers/session/wire/wire_error.h"

static const struct admin_field enum_method_request[] = {
	ADMIN_STR("Name", 0, ADMIN_FIELD_NAME_MAX, "only this method, with its fields"),
	ADMIN_END,
};

static const struct admin_field method_row[] = {
	ADMIN_STR("Name", 1, ADMIN_FIELD_NAME_MAX, "name of the method"),
	ADMIN_STR("Role", 1, 15, "who may call it: any, server or hub administrator"),
	ADMIN_STR("Effect", 1, 15,
		"reads; runs = changes what runs; stored = changes what is stored"),
	ADMIN_STR("Text", 1, 1023, "what it does, and its errors"),
	ADMIN_END,
};

static const struct admin_field field_row[] = {
	ADMIN_STR("Method", 1, ADMIN_FIELD_NAME_MAX, "method it belongs to"),
	ADMIN_STR("Where", 1, ADMIN_FIELD_NAME_MAX,
		"request, response, or the list it is a column of"),
	ADMIN_STR("Name", 0, ADMIN_FIELD_NAME_MAX, "name in the protocol"),
	ADMIN_STR("JsonName", 1, ADMIN_JSON_NAME_MAX, "name in JSON"),
	ADMIN_STR("Type", 1, 15, "bool, int, int64, time, str, ustr, data, ip, traffic or rows"),
	ADMIN_BOOL("Required", "request: must be given"),
	ADMIN_INT64("Min", "least value, or bytes"),
	ADMIN_INT64("Max", "greatest value, or bytes; 0 with Min 0: no range"),
	ADMIN_STR("Text", 1, 1023, "meaning"),
	ADMIN_END,
};

static const struct admin_field enum_method_response[] = {
	ADMIN_ROWS("MethodList", method_row, "the methods"),
	ADMIN_ROWS("FieldList", field_row, "fields of the method that was asked for"),
	ADMIN_END,
};

static void put_method(struct admin_call *call, const struct admin_method *m)
{
	admin_row_begin(call);
	admin_put_str(call, "Name", m->name);
	admin_put_str(call, "Role", admin_role_name(m->role));
	admin_put_str(call, "Effect", admin_effect_name(m->effect));
	admin_put_str(call, "Text", m->text);
	admin_row_end(call);
}

static void put_field_row(struct admin_call *call, const struct admin_method *m, const char *where,
	const struct admin_field *f)
{
	char json_name[ADMIN_JSON_NAME_MAX];

	json_field_name(f, json_name);
	admin_row_begin(call);
	admin_put_str(call, "Method", m->name);
	admin_put_str(call, "Where", where);
	admin_put_str(call, "Name", f->name);
	/* Traffic is eight fields with names of their own. */
	admin_put_str(call, "JsonName",
		f->type == ADMIN_TYPE_TRAFFIC ? "Recv.*_u64, Send.*_u64" : json_name);
	admin_put_str(call, "Type", admin_type_name(f->type));
	admin_put_bool(call, "Required", (f->flags & ADMIN_F_REQUIRED) != 0);
	admin_put_int64(call, "Min", f->min);
	admin_put_int64(call, "Max", f->max);
	admin_put_str(call, "Text", f->text);
	admin_row_end(call);
}

static void put_fields(struct admin_call *call, const struct admin_method *m, const char *where,
	const struct admin_field *fields)
{
	for (const struct admin_field *f = fields; f->name != NULL; f++) {
		put_field_row(call, m, where, f);
		for (const struct admin_field *r = f->rows; r != NULL && r->name != NULL; r++)
			put_field_row(call, m, f->name, r);
	}
}

static int enum_method_step(struct admin_call *call)
{
	const char *name = admin_get_str(call, "Name");
	const struct admin_method *const *methods;
	const struct admin_method *only = NULL;
	unsigned cnt;

	methods = admin_methods(&cnt);
	if (name[0] != '\0') {
		only = admin_method_find(name);
		if (only == NULL)
			return admin_fail(call, WIRE_ERROR_OBJECT_NOT_FOUND, "no method %s", name);
	}
	/* The table is small and fixed: one slice. */
	admin_rows_begin(call, "MethodList");
	for (unsigned i = 0; i < cnt; i++)
		if (only == NULL || only == methods[i])
			put_method(call, methods[i]);
	admin_rows_end(call);
	admin_rows_begin(call, "FieldList");
	if (only != NULL) {
		put_fields(call, only, "request", only->request);
		put_fields(call, only, "response", only->response);
	}
	admin_rows_end(call);
	return ADMIN_DONE;
}

const struct admin_method admin_method_patchbay_enum_method = {
	.name = "PatchbayEnumMethod",
	.role = ADMIN_ROLE_ANY,
	.effect = ADMIN_EFFECT_NONE,
	.text = "Lists the methods; with a name, that method and its fields. 29: no such method.",
	.request = enum_method_request,
	.response = enum_method_response,
	.step = enum_method_step,
};
