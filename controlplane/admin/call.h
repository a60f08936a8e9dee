/* SPDX-License-Identifier: BSD-3-Clause */
#ifndef PATCHBAY_CONTROLPLANE_ADMIN_CALL_H
#define PATCHBAY_CONTROLPLANE_ADMIN_CALL_H

/*
 * One call of a method: its checked arguments, its result under way, its state between slices.
 *
 * A handler is a function step(call) that is called until it says it is done:
 *
 *   ADMIN_DONE   the result is complete
 *   ADMIN_MORE   call again after the loop has served others and the caller has read
 *   ADMIN_WAIT   call again in some ten milliseconds: what was asked for is not in force yet
 *   > 0          a code of wire_error.h (admin_fail() adds a sentence); only before the first put, or in the middle of long
 *                data (admin_put_data_begin()), which then ends early
 *
 * It makes rows while admin_room() is true. Between two steps anything may have gone: keep names, keys and
 * cursors in call->state, never pointers into directory or registry.
 *
 * Arguments were decoded and checked against the table before the first step, so that getters cannot fail.
 * Puts are checked against the table too: a field that is not described, of another type, or missing at
 * the end of a record is a programming error and asserted. Puts in the order of the table are the fast ones.
 *
 * Encodings stand behind struct admin_in and struct admin_out: JSON here, PACK later (which collects the
 * columns of a list, within a bound, before it writes them).
 *
 * Control thread only.
 */

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "controlplane/admin/method.h"
#include "dataplane/stats.h"

#define ADMIN_DONE 0
#define ADMIN_MORE (-1)
#define ADMIN_WAIT (-2)

struct admin_who;

struct admin_value {
	union {
		bool flag;
		uint64_t number; /* INT, INT64 */
		int64_t time_ms;
		struct {
			const void *bytes; /* STR, USTR: NUL follows, not counted */
			size_t size;
		};
		struct {
			sa_family_t family; /* AF_INET, AF_INET6; AF_UNSPEC reads as 0.0.0.0 */
			uint8_t address[16];
		};
		/* TRAFFIC: in = Recv, out = Send, as the hub and server see it (hub.md 10). */
		struct {
			struct stats_traffic in;
			struct stats_traffic out;
		} traffic;
	};
};

/* Where a result goes. The encoder embeds it; values are valid during the call only. */
struct admin_out;
struct admin_out_ops {
	void (*value)(struct admin_out *out, const struct admin_field *field,
		const struct admin_value *value);
	void (*rows_begin)(struct admin_out *out, const struct admin_field *field);
	void (*row_begin)(struct admin_out *out);
	void (*row_end)(struct admin_out *out);
	void (*rows_end)(struct admin_out *out);
	/* One long field of type data of the result itself, in parts of which all but the last divide by three. */
	void (*data_begin)(struct admin_out *out, const struct admin_field *field, size_t size);
	void (*data_part)(struct admin_out *out, const void *bytes, size_t size);
	void (*data_end)(struct admin_out *out);
	/* Bytes written that the caller has not taken yet, to pace a list. */
	size_t (*pending)(const struct admin_out *out);
};
struct admin_out {
	const struct admin_out_ops *ops;
};

/* Where arguments come from. */
struct admin_in;
struct admin_in_ops {
	/*
	 * 1: *value holds the field (memory lives as long as the admin_in); 0: it is absent; -1: it is there
	 * but not of the field's type, *why says what was expected. Ranges are checked by the caller.
	 */
	int (*get)(struct admin_in *in, const struct admin_field *field, struct admin_value *value,
		const char **why);
	/* Name of an argument that the method does not have, or NULL (also: does not care). */
	const char *(*unknown)(struct admin_in *in, const struct admin_field *fields);
	/*
	 * Lists. rows(): how many records the list has, 0 if it is absent, -1 if it is no list. row_get() and
	 * row_unknown() are get() and unknown() within record `row`; strings live as long as the admin_in.
	 */
	long (*rows)(struct admin_in *in, const struct admin_field *list, const char **why);
	int (*row_get)(struct admin_in *in, const struct admin_field *list, uint32_t row,
		const struct admin_field *field, struct admin_value *value, const char **why);
	const char *(*row_unknown)(
		struct admin_in *in, const struct admin_field *list, uint32_t row);
};
struct admin_in {
	const struct admin_in_ops *ops;
};

/* Who calls. */
struct admin_caller {
	bool server;	       /* administrator of the whole server */
	bool remote;	       /* came in through the network */
	struct admin_who *who; /* then: with what (who.h) */
	const char *hub_name;  /* else: of this hub */
	const char *via;       /* for the log: "local", later an address */
};

struct admin_call {
	const struct admin_method *method;
	const struct admin_caller *caller;
	struct admin_out *out;
	void *state;	     /* method->state_bytes, zeroed */
	unsigned steps;	     /* steps before this one */
	unsigned row_budget; /* rows this step may still make */
	size_t output_max;
	bool begun; /* something was put: too late for an error */

	struct admin_in *in; /* for the records of a list; until the end of the call */
	struct admin_value args[ADMIN_FIELDS_MAX];
	bool arg_set[ADMIN_FIELDS_MAX];

	/* What has been put of the record under way: [0] the result, [1] a row. */
	const struct admin_field *fields[2];
	bool put[2][ADMIN_FIELDS_MAX];
	unsigned next[2]; /* where the next put is looked for first */
	unsigned depth;
	bool in_rows;
	bool in_data;		   /* admin_put_data_begin() */
	size_t data_at, data_size; /* of it */

	int error;	      /* answer instead of the result, 0 = none */
	char error_text[256]; /* with the sentence of admin_fail() */
	/* Bad parameter, else "": its name in the table, or as the caller wrote it. */
	char error_field[ADMIN_FIELD_NAME_MAX + 1];
};

/*
 * Prepares a call: checks role, then every argument against the table (38 with the field named, 52). 0, or
 * the code, with error_text set; admin_call_end() is due either way. `in` must live until the end.
 */
int admin_call_begin(struct admin_call *call, const struct admin_method *method,
	const struct admin_caller *caller, struct admin_in *in, struct admin_out *out);
/*
 * One slice: at most `rows` rows and until `output_max` bytes are pending. Returns what step() returned; when
 * that is ADMIN_DONE the result has been checked for completeness.
 */
int admin_call_step(struct admin_call *call, unsigned rows, size_t output_max);
/* Frees state. In any phase. */
void admin_call_end(struct admin_call *call);

/* ---- for handlers ---------------------------------------------------------------------------- */

bool admin_has(const struct admin_call *call, const char *name);
/* Absent: 0, false, "". */
uint32_t admin_get_int(const struct admin_call *call, const char *name);
uint64_t admin_get_int64(const struct admin_call *call, const char *name);
bool admin_get_bool(const struct admin_call *call, const char *name);
const char *admin_get_str(const struct admin_call *call, const char *name);
const void *admin_get_data(const struct admin_call *call, const char *name, size_t *size);
int64_t admin_get_time(const struct admin_call *call, const char *name);
/* AF_UNSPEC if absent. */
void admin_get_ip(const struct admin_call *call, const char *name, struct sockaddr_storage *out);

/* Records of a list in the request, checked as all arguments are. row < admin_row_cnt(). */
uint32_t admin_row_cnt(const struct admin_call *call, const char *list);
bool admin_row_has(const struct admin_call *call, const char *list, uint32_t row, const char *name);
uint32_t admin_row_int(
	const struct admin_call *call, const char *list, uint32_t row, const char *name);
bool admin_row_bool(
	const struct admin_call *call, const char *list, uint32_t row, const char *name);
const char *admin_row_str(
	const struct admin_call *call, const char *list, uint32_t row, const char *name);
/* NULL if absent. */
const void *admin_row_data(const struct admin_call *call, const char *list, uint32_t row,
	const char *name, size_t *size);
/* AF_UNSPEC if absent. */
void admin_row_ip(const struct admin_call *call, const char *list, uint32_t row, const char *name,
	struct sockaddr_storage *out);

/* True while another row may be made in this step. */
bool admin_room(const struct admin_call *call);
/* Counts work that makes no row (entries looked at) against the step's budget. */
void admin_spend(struct admin_call *call, unsigned rows);

/* May the caller see this hub? For methods of role ANY. */
bool admin_sees_hub(const struct admin_call *call, const char *hub_name);

void admin_put_bool(struct admin_call *call, const char *name, bool v);
void admin_put_int(struct admin_call *call, const char *name, uint32_t v);
void admin_put_int64(struct admin_call *call, const char *name, uint64_t v);
void admin_put_time(struct admin_call *call, const char *name, int64_t ms);
/* STR and USTR. NULL reads as "". Bytes that are not UTF-8 are replaced by the encoder. */
void admin_put_str(struct admin_call *call, const char *name, const char *v);
void admin_put_data(struct admin_call *call, const char *name, const void *bytes, size_t size);
/*
 * Data too long for one step: begin, and then in each step more, with the same bytes, until it says that they are whole
 * (true). Nothing else is put in between.
 */
void admin_put_data_begin(struct admin_call *call, const char *name, size_t size);
bool admin_put_data_more(struct admin_call *call, const void *bytes);
void admin_put_ip(struct admin_call *call, const char *name, const struct sockaddr_storage *v);
void admin_put_traffic(struct admin_call *call, const char *name, const struct stats_traffic *in,
	const struct stats_traffic *out);

void admin_rows_begin(struct admin_call *call, const char *name);
void admin_row_begin(struct admin_call *call);
void admin_row_end(struct admin_call *call);
void admin_rows_end(struct admin_call *call);

/* As admin_fail() with 38, naming the parameter that is wrong. */
int admin_fail_field(struct admin_call *call, const char *field, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Sets the sentence of an error and returns `code`: return admin_fail(call, ...). */
int admin_fail(struct admin_call *call, int code, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
