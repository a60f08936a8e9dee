/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl store`: the directory on the disk. */

#include "controlplane/ctl/command.h"

static const struct ctl_column store_columns[] = {
	{"Edited", "Edited_bool", CTL_YES_NO, "somebody else wrote directory.cfg: `store reload`"},
	{"Folding", "Folding_bool", CTL_YES_NO, "the journal is being brought into it"},
	{"Fold error", "FoldError_str", CTL_TEXT, "why that failed last time"},
	{"File bytes", "FileBytes_u64", CTL_NUMBER, "of directory.cfg"},
	{"Journal bytes", "JournalBytes_u64", CTL_NUMBER, "of changes that are not in it yet"},
	{"Segment", "Segment_u64", CTL_NUMBER, "of the journal, open or next"},
	{"Changes", "Changes_u64", CTL_NUMBER, "durable since the start"},
	{"Refused", "Refused_u64", CTL_NUMBER, "by the disk"},
	{"Syncs", "Syncs_u64", CTL_NUMBER, "that made changes durable"},
	{"Folds", "Folds_u64", CTL_NUMBER, "that succeeded"},
	{"Last fold", "Folded_dt", CTL_TIME, "UTC"},
	{"Counters saved", "CountersSaved_dt", CTL_TIME, "traffic and logins; UTC"},
	{"  error", "CountersError_str", CTL_TEXT, "why their last save failed"},
	{"  bytes", "CountersBytes_u64", CTL_NUMBER, "of their file"},
	{"  saves", "CountersSaves_u64", CTL_NUMBER, "since the start"},
	{.title = NULL},
};

static const struct ctl_column flush_columns[] = {
	{"File bytes", "IntValue_u32", CTL_NUMBER, "of directory.cfg"},
	{.title = NULL},
};

const struct ctl_command ctl_store_commands[] = {
	{
		.noun = "store",
		.verb = "show",
		.text = "How things stand with the directory on the disk",
		.method = "PatchbayGetStore",
		.columns = store_columns,
	},
	{
		.noun = "store",
		.verb = "flush",
		.text = "Bring directory.cfg up to date, save counters; changes are durable before that",
		.method = "Flush",
		.columns = flush_columns,
	},
	{
		.noun = "store",
		.verb = "reload",
		.text = "Read directory.cfg as it was edited; sessions go on",
		.method = "PatchbayReload",
		.done = "read, and in force",
		.hint = "patchbayd --check tells all that is wrong with the file",
	},
	{.noun = NULL},
};
