/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl bridge`: hubs bridged to devices. */

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/show.h"

static int run_create(struct ctl_run *run)
{
	/* In the order of the table: --dev, --tap. */
	const char *dev = run->options[0], *tap = run->options[1];
	struct reply reply = {0};
	json_t *params;
	int rc;

	if ((dev == NULL) == (tap == NULL)) {
		fprintf(stderr, "patchbayctl: give either --dev or --tap\n");
		return CTL_USAGE;
	}
	params = ctl_params(run);
	if (params == NULL)
		return CTL_USAGE;
	json_object_set_new(params, "TapMode_bool", json_boolean(tap != NULL));
	if (run->json)
		reply.echo = run->out;
	rc = client_call(run->socket_path, run->command->method, params, &reply, NULL);
	if (rc == CTL_OK && !run->json)
		fprintf(run->out, "%s\n", run->command->done);
	reply_fini(&reply);
	return rc;
}

static const struct ctl_column bridge_columns[] = {
	{"HUB", "HubNameLB_str", CTL_TEXT, "hub"},
	{"NAME", "PatchbayName_str", CTL_TEXT, "name of the bridge"},
	{"DEVICE", "DeviceName_str", CTL_TEXT, "PCI address, devargs, or name of the TAP"},
	{"TAP", "TapMode_bool", CTL_YES_NO, "a kernel interface tap_<DEVICE>"},
	{"STATE", "PatchbayState_str", CTL_TEXT, "waiting, opening, up, unplugged or closing"},
	{"LINK", "PatchbayLink_bool", CTL_YES_NO, "its link is up"},
	{"SESSION", "PatchbaySessionName_str", CTL_TEXT, "name in the hub"},
	{"DRIVER", "PatchbayDriver_str", CTL_TEXT, "driver of the device"},
	{"RXQ", "PatchbayRxQueues_u32", CTL_NUMBER, "receive queues"},
	{"TXQ", "PatchbayTxQueues_u32", CTL_NUMBER, "transmit queues"},
	{"IN-UNICAST", "Patchbay.Recv.UnicastCount_u64", CTL_NUMBER, "unicast frames into the hub"},
	{"IN-BROADCAST", "Patchbay.Recv.BroadcastCount_u64", CTL_NUMBER,
		"broadcast frames into it"},
	{"OUT-UNICAST", "Patchbay.Send.UnicastCount_u64", CTL_NUMBER, "unicast frames out of it"},
	{"OUT-BROADCAST", "Patchbay.Send.BroadcastCount_u64", CTL_NUMBER, "broadcast frames"},
	{"MISSED", "PatchbayMissed_u64", CTL_NUMBER, "dropped by the device, its queue full"},
	{"FAULTS", "PatchbayFaults_u64", CTL_NUMBER, "received badly, or taken and not sent"},
	{"WAITS FOR", "PatchbayError_str", CTL_TEXT, "why it is not up"},
	{.title = NULL},
};

const struct ctl_command ctl_bridge_commands[] = {
	{
		.noun = "bridge",
		.verb = "list",
		.text = "The local bridges, and what those that are not up wait for",
		.method = "EnumLocalBridge",
		.list = "LocalBridgeList",
		.columns = bridge_columns,
	},
	{
		.noun = "bridge",
		.verb = "create",
		.text = "Bridge a hub to a device of DPDK, or to a TAP; either --dev or --tap",
		.method = "AddLocalBridge",
		.arguments = {CTL_ARGUMENT(
			"HUB", "HubNameLB_str", "name of the hub; it may come later")},
		.options = {{.name = "--dev",
				    .value = "DEV",
				    .field = "DeviceName_str",
				    .kind = CTL_STRING,
				    .text = "PCI address, or devargs like net_vhost0,iface=/run/a.sock"},
			{.name = "--tap",
				.value = "TAP",
				.field = "DeviceName_str",
				.kind = CTL_STRING,
				.text = "make a kernel interface tap_<TAP> (at most 11 characters)"},
			{.name = "--name",
				.value = "N",
				.field = "PatchbayName_str",
				.kind = CTL_STRING,
				.text = "name of the bridge (default: DEV up to a comma, or TAP)"},
			{.name = "--limit-broadcast",
				.field = "PatchbayLimitBroadcast_bool",
				.kind = CTL_FLAG,
				.text = "switch the storm limiter on for it"},
			{.name = "--monitor",
				.field = "PatchbayMonitor_bool",
				.kind = CTL_FLAG,
				.text = "receive only: a copy of every frame of the hub"},
			{.name = "--keep-offloads",
				.field = "PatchbayKeepOffloads_bool",
				.kind = CTL_FLAG,
				.text = "leave GRO, TSO and the like of a kernel interface on"},
			{.name = "--max-frame",
				.value = "BYTES",
				.field = "PatchbayMaxFrame_u32",
				.kind = CTL_INTEGER,
				.text = "longest frame, 1600 to 9216 (default: 1600)"}},
		.done = "bridge created; `patchbayctl bridge list` tells when it is up",
		.run = run_create,
	},
	{
		.noun = "bridge",
		.verb = "delete",
		.text = "End a local bridge; answered when its device is closed",
		.method = "DeleteLocalBridge",
		.arguments = {CTL_ARGUMENT("HUB", "HubNameLB_str", "name of the hub"),
			CTL_ARGUMENT(
				"NAME", "DeviceName_str", "name of the bridge, or its device")},
		.done = "bridge deleted",
		.hint = "`patchbayctl bridge list` shows the bridges.",
	},
	{.noun = NULL},
};
