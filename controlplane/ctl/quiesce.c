/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl quiesce`: waits until the books can balance. */

#include "controlplane/ctl/command.h"

static const struct ctl_column quiet_columns[] = {
	{"Quiet", "Quiet_bool", CTL_YES_NO, "no frame under way"},
	{"Waiting frames", "QueuedFrames_u64", CTL_NUMBER, "in sessions"},
	{"Waiting bytes", "QueuedBytes_u64", CTL_NUMBER, "in sessions"},
	{"Frame buffers", "FrameBuffers_u32", CTL_NUMBER, "of the workers, in use"},
	{.title = NULL},
};

const struct ctl_command ctl_quiesce_commands[] = {
	{
		.noun = "quiesce",
		.text = "Wait until no frame is under way, so that the books balance exactly",
		.method = "PatchbayQuiesce",
		.options = {{.name = "--timeout",
			.value = "MS",
			.field = "TimeoutMs_u32",
			.kind = CTL_INTEGER,
			.text = "how long to wait, ms (default 2000)"}},
		.columns = quiet_columns,
	},
	{.noun = NULL},
};
