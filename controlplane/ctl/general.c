/* SPDX-License-Identifier: BSD-3-Clause */
/* The general way of a command. */

#include <stdlib.h>
#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/listing.h"
#include "controlplane/ctl/show.h"

void listing_row(void *ctx, const char *list, json_t *row)
{
	const struct listing *l = ctx;

	if (strcmp(list, l->list) != 0)
		return;
	if (l->hub != NULL)
		table_cell(l->table, l->hub);
	show_row(l->table, l->columns, row);
}

int ctl_run_general(struct ctl_run *run)
{
	const struct ctl_command *c = run->command;
	struct listing listing = {.list = c->list, .columns = c->columns};
	struct reply reply = {.ctx = &listing};
	json_t *params = ctl_params(run);
	int rc;

	if (params == NULL)
		return CTL_USAGE;
	if (run->json) {
		reply.echo = run->out;
	} else if (c->list != NULL) {
		listing.table = show_table(run->out, c->columns);
		reply.row = listing_row;
	}
	rc = client_call(run->socket_path, c->method, params, &reply, c->hint);
	if (listing.table != NULL) {
		if (rc == CTL_OK || listing.table->flowing)
			table_end(listing.table);
		else
			table_drop(listing.table);
	} else if (rc == CTL_OK && !run->json) {
		if (c->columns != NULL)
			show_record(run->out, c->columns, client_result(&reply));
		else
			fprintf(run->out, "%s\n", c->done);
	}
	reply_fini(&reply);
	return rc;
}

int ctl_call_and_tell(struct ctl_run *run, const char *method, json_t *params)
{
	struct reply reply = {0};
	int rc;

	if (run->json)
		reply.echo = run->out;
	rc = client_call(run->socket_path, method, params, &reply, run->command->hint);
	if (rc == CTL_OK && !run->json)
		fprintf(run->out, "%s\n", run->command->done);
	reply_fini(&reply);
	return rc;
}
