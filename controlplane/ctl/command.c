/* SPDX-License-Identifier: BSD-3-Clause */
/* The command table, and its look-up. */

#include "controlplane/ctl/command.h"

#include <string.h>

#define ARGUMENT(name_, field_, text_)                                                  \
	{                                                                               \
		.name = (name_), .field = (field_), .kind = CTL_STRING, .text = (text_) \
	}
#define HUB ARGUMENT("HUB", "HubName_str", "name of the hub")

static const struct ctl_column hub_columns[] = {
	{"HUB", "HubName_str", CTL_TEXT, "name"},
	{"ONLINE", "Online_bool", CTL_YES_NO, "switches frames and takes logins"},
	{"SESSIONS", "NumSessions_u32", CTL_NUMBER, "sessions now"},
	{"USERS", "NumUsers_u32", CTL_NUMBER, "users defined"},
	{"MACS", "NumMacTables_u32", CTL_NUMBER, "entries in the MAC table"},
	{"IN-UNICAST", "Ex.Recv.UnicastCount_u64", CTL_NUMBER, "unicast frames into the hub"},
	{"IN-BROADCAST", "Ex.Recv.BroadcastCount_u64", CTL_NUMBER,
		"broadcast and multicast frames into the hub"},
	{"OUT-UNICAST", "Ex.Send.UnicastCount_u64", CTL_NUMBER, "unicast frames out of it"},
	{"OUT-BROADCAST", "Ex.Send.BroadcastCount_u64", CTL_NUMBER, "broadcast frames out of it"},
	{"CREATED (UTC)", "CreatedTime_dt", CTL_TIME, "when it was created"},
	{.title = NULL},
};

static const struct ctl_column hub_status_columns[] = {
	{"Hub", "HubName_str", CTL_TEXT, "name"},
	{"Online", "Online_bool", CTL_YES_NO, "switches frames and takes logins"},
	{"Sessions", "NumSessions_u32", CTL_NUMBER, "sessions now"},
	{"  client or monitor", "NumSessionsClient_u32", CTL_NUMBER, "of them in these modes"},
	{"  bridge or router", "NumSessionsBridge_u32", CTL_NUMBER, "of them in this mode"},
	{"Users", "NumUsers_u32", CTL_NUMBER, "users defined"},
	{"MAC addresses", "NumMacTables_u32", CTL_NUMBER, "entries in the MAC table"},
	{"  at most", "PatchbayMaxMacTables_u32", CTL_NUMBER, "its bound"},
	{"  learned", "PatchbayMacLearned_u64", CTL_NUMBER, "since start"},
	{"  moved", "PatchbayMacMoved_u64", CTL_NUMBER, "to another session"},
	{"  not learned: full", "PatchbayMacNotLearnedFull_u64", CTL_NUMBER,
		"table or bucket full"},
	{"  not learned: raced", "PatchbayMacNotLearnedRaced_u64", CTL_NUMBER,
		"lost a race, retried with the next frame"},
	{"  over a port's limit", "PatchbayMacNotLearnedLimit_u64", CTL_NUMBER,
		"not learned, frame dropped: port at its limit"},
	{"  evicted", "PatchbayMacEvicted_u64", CTL_NUMBER,
		"gave way to others, the table being full"},
	{"  aged", "PatchbayMacAged_u64", CTL_NUMBER, "removed because of age"},
	{"  flushed", "PatchbayMacFlushed_u64", CTL_NUMBER, "removed because their session left"},
	{"Created (UTC)", "CreatedTime_dt", CTL_TIME, "when it was created"},
	{.title = NULL},
};

static const struct ctl_column connection_columns[] = {
	{"CONNECTION", "Name_str", CTL_TEXT, "name, CID-<n>"},
	{"STATE", "PatchbayState_str", CTL_TEXT,
		"handshake, negotiating, established, admin or closing"},
	{"FROM", "Ip_ip", CTL_TEXT, "address of the peer"},
	{"PORT", "Port_u32", CTL_NUMBER, "TCP port of the peer"},
	{"LISTENER", "PatchbayListenerPort_u32", CTL_NUMBER, "port it came in through"},
	{"CONNECTED (UTC)", "ConnectedTime_dt", CTL_TIME, "when it was accepted"},
	{"ESTABLISHED (UTC)", "PatchbayEstablishedTime_dt", CTL_TIME, "when it joined its session"},
	{"HUB", "PatchbayHubName_str", CTL_TEXT, "hub of its session"},
	{"SESSION", "PatchbaySessionName_str", CTL_TEXT, "session it belongs to"},
	{.title = NULL},
};

static const struct ctl_column session_status_columns[] = {
	{"Session", "Name_str", CTL_TEXT, "name"},
	{"Hub", "HubName_str", CTL_TEXT, "hub"},
	{"User", "Username_str", CTL_TEXT, "user who logged in"},
	{"From", "ClientIpAddress_ip", CTL_TEXT, "address of the client"},
	{"  port", "ClientPort_u32", CTL_NUMBER, "its TCP port"},
	{"  host", "ClientHostname_str", CTL_TEXT, "host name it told"},
	{"  product", "ClientProductName_str", CTL_TEXT, "product it told"},
	{"  build", "ClientProductBuild_u32", CTL_NUMBER, "its build"},
	{"Login (UTC)", "StartTime_dt", CTL_TIME, "start of the session"},
	{"Last heard of (UTC)", "PatchbayLastCommTime_dt", CTL_TIME, "last block or keep-alive"},
	{"Connected", "Connected_bool", CTL_YES_NO, "has a TCP connection now"},
	{"  connections now", "NumTcpConnections_u32", CTL_NUMBER, "TCP connections"},
	{"  granted", "MaxTcpConnections_u32", CTL_NUMBER, "TCP connections at most"},
	{"  so far", "NumConnectionsEstablished_u32", CTL_NUMBER, "TCP connections it has had"},
	{"Listener", "ServerPort_u32", CTL_NUMBER, "port it came in through"},
	{"TLS", "PatchbayTlsVersion_str", CTL_TEXT, "version"},
	{"  cipher", "CipherName_str", CTL_TEXT, "cipher"},
	{"Compression", "UseCompress_bool", CTL_YES_NO, "of frames"},
	{"Half duplex", "HalfConnection_bool", CTL_YES_NO, "one direction per connection"},
	{"Priority", "QoS_bool", CTL_YES_NO, "some frames go first (QoS)"},
	{"Bridge or router", "IsBridgeMode_bool", CTL_YES_NO, "mode"},
	{"Monitoring", "IsMonitorMode_bool", CTL_YES_NO, "mode"},
	{"Time-out (ms)", "PatchbayTimeout_u32", CTL_NUMBER, "without a sign of life"},
	{"Lcore", "PatchbayLcore_u32", CTL_NUMBER, "worker that owns it"},
	{"From client (bytes)", "TotalSendSize_u64", CTL_NUMBER, "of frames"},
	{"  on the wire", "TotalSendSizeReal_u64", CTL_NUMBER, "bytes of TCP payload"},
	{"  unicast frames", "Send.UnicastCount_u64", CTL_NUMBER, "into the hub"},
	{"  broadcast frames", "Send.BroadcastCount_u64", CTL_NUMBER, "into the hub"},
	{"To client (bytes)", "TotalRecvSize_u64", CTL_NUMBER, "of frames"},
	{"  on the wire", "TotalRecvSizeReal_u64", CTL_NUMBER, "bytes of TCP payload"},
	{"  unicast frames", "Recv.UnicastCount_u64", CTL_NUMBER, "out of the hub"},
	{"  broadcast frames", "Recv.BroadcastCount_u64", CTL_NUMBER, "out of the hub"},
	{"  waiting frames", "PatchbayQueuedFrames_u64", CTL_NUMBER, "not sent yet"},
	{"  waiting bytes", "PatchbayQueuedBytes_u64", CTL_NUMBER, "not sent yet"},
	{"Keep-alives in", "PatchbayKeepalivesIn_u64", CTL_NUMBER, "from the client"},
	{"Keep-alives out", "PatchbayKeepalivesOut_u64", CTL_NUMBER, "to the client"},
	{.title = NULL},
};

static const struct ctl_column mac_columns[] = {
	{"MAC", "MacAddress_bin", CTL_MAC, "address"},
	{"VLAN", "VlanId_u32", CTL_NUMBER, "0 = untagged"},
	{"SESSION", "SessionName_str", CTL_TEXT, "session behind which it is"},
	{"LEARNED (UTC)", "CreatedTime_dt", CTL_TIME, "when it was learned"},
	{"LAST FRAME (UTC)", "UpdatedTime_dt", CTL_TIME, "last frame from it"},
	{.title = NULL},
};

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
	{"WAITS FOR", "PatchbayError_str", CTL_TEXT, "why it is not up"},
	{.title = NULL},
};

static const struct ctl_column listener_columns[] = {
	{"PORT", "Ports_u32", CTL_NUMBER, "TCP port"},
	{"ENABLED", "Enables_bool", CTL_YES_NO, "is meant to listen"},
	{"FAILED", "Errors_bool", CTL_YES_NO, "enabled, but could not be opened"},
	{"ACCEPTED", "PatchbayAccepted_u64", CTL_NUMBER, "connections accepted"},
	{"ERROR", "PatchbayError_str", CTL_TEXT, "why it could not be opened"},
	{.title = NULL},
};

static const struct ctl_column counter_columns[] = {
	{"COUNT", "Value_u64", CTL_NUMBER, "since start"},
	{"NAME", "Name_str", CTL_TEXT, "name for programs"},
	{"MEANING", "Text_str", CTL_TEXT, "what is counted"},
	{.title = NULL},
};

static const struct ctl_column server_columns[] = {
	{"Product", "ServerProductName_str", CTL_TEXT, "as peers are told"},
	{"Version", "ServerVersionString_str", CTL_TEXT, "of Patchbay"},
	{"Build", "ServerBuildInfoString_str", CTL_TEXT, "what it was built with"},
	{"Protocol version", "ServerVerInt_u32", CTL_NUMBER, "as peers are told"},
	{"Protocol build", "ServerBuildInt_u32", CTL_NUMBER, "as peers are told"},
	{"Host", "ServerHostName_str", CTL_TEXT, "host name"},
	{"Kernel", "KernelVersion_str", CTL_TEXT, "release and build"},
	{"Process", "PatchbayPid_u32", CTL_NUMBER, "process id"},
	{.title = NULL},
};

static const struct ctl_column quiet_columns[] = {
	{"Quiet", "Quiet_bool", CTL_YES_NO, "no frame under way"},
	{"Waiting frames", "QueuedFrames_u64", CTL_NUMBER, "in sessions"},
	{"Waiting bytes", "QueuedBytes_u64", CTL_NUMBER, "in sessions"},
	{.title = NULL},
};

const struct ctl_command ctl_commands[] = {
	{
		.noun = "status",
		.text = "What the daemon is, has and does",
		.method = "GetServerStatus",
		.run = ctl_run_status,
	},
	{
		.noun = "server",
		.verb = "show",
		.text = "Product, version and host",
		.method = "GetServerInfo",
		.columns = server_columns,
	},
	{
		.noun = "hub",
		.verb = "list",
		.text = "The virtual hubs",
		.method = "EnumHub",
		.list = "HubList",
		.columns = hub_columns,
	},
	{
		.noun = "hub",
		.verb = "show",
		.text = "One hub and the counters of its MAC table",
		.method = "GetHubStatus",
		.arguments = {HUB},
		.columns = hub_status_columns,
	},
	{
		.noun = "connection",
		.verb = "list",
		.text = "TCP connections in all states",
		.method = "EnumConnection",
		.list = "ConnectionList",
		.columns = connection_columns,
	},
	{
		.noun = "connection",
		.verb = "close",
		.text = "Close a TCP connection; its session may be rejoined by its client",
		.method = "DisconnectConnection",
		.arguments = {ARGUMENT("NAME", "Name_str", "name of the connection, CID-<n>")},
		.done = "connection closed",
		.hint = "`patchbayctl connection list` shows the connections.",
	},
	{
		.noun = "session",
		.verb = "list",
		.text = "Sessions of a hub, or of all",
		.method = "EnumSession",
		.arguments = {{.name = "HUB",
			.field = "HubName_str",
			.kind = CTL_STRING,
			.optional = true,
			.text = "name of the hub (default: every hub)"}},
		.list = "SessionList",
		.run = ctl_run_session_list,
	},
	{
		.noun = "session",
		.verb = "show",
		.text = "Everything about one session",
		.method = "GetSessionStatus",
		.arguments = {HUB, ARGUMENT("NAME", "Name_str", "name of the session")},
		.columns = session_status_columns,
		.hint = "`patchbayctl session list` shows the sessions.",
	},
	{
		.noun = "session",
		.verb = "delete",
		.text = "End a session and its connections",
		.method = "DeleteSession",
		.arguments = {HUB, ARGUMENT("NAME", "Name_str", "name of the session")},
		.done = "session ended",
		.hint = "`patchbayctl session list` shows the sessions.",
	},
	{
		.noun = "mac",
		.verb = "list",
		.text = "The MAC table of a hub",
		.method = "EnumMacTable",
		.arguments = {HUB},
		.list = "MacTable",
		.columns = mac_columns,
	},
	{
		.noun = "mac",
		.verb = "delete",
		.text = "Delete one entry; the next frame from the address brings it back",
		.method = "DeleteMacTable",
		.arguments = {HUB,
			{.name = "MAC",
				.field = "PatchbayMacAddress_bin",
				.kind = CTL_MAC_ADDRESS,
				.text = "address, 02:00:00:00:00:01 or 02-00-00-00-00-01"}},
		.options = {{.name = "--vlan",
			.value = "N",
			.field = "PatchbayVlanId_u32",
			.kind = CTL_INTEGER,
			.text = "VLAN of the entry (default: 0, untagged)"}},
		.done = "MAC address deleted",
		.hint = "`patchbayctl mac list HUB` shows the table.",
	},
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
		.arguments = {ARGUMENT(
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
				.text = "receive only"}},
		.done = "bridge created; `patchbayctl bridge list` tells when it is up",
		.run = ctl_run_bridge_create,
	},
	{
		.noun = "bridge",
		.verb = "delete",
		.text = "End a local bridge; answered when its device is closed",
		.method = "DeleteLocalBridge",
		.arguments = {ARGUMENT("HUB", "HubNameLB_str", "name of the hub"),
			ARGUMENT("NAME", "DeviceName_str", "name of the bridge, or its device")},
		.done = "bridge deleted",
		.hint = "`patchbayctl bridge list` shows the bridges.",
	},
	{
		.noun = "stats",
		.text = "The books: frames in and copies out, drops by reason, cycles per lcore",
		.method = "PatchbayGetStats",
		.options = {{.name = "--hub",
				    .value = "HUB",
				    .field = "HubName_str",
				    .kind = CTL_STRING,
				    .text = "only this hub"},
			{.name = "--sessions",
				.field = "Sessions_bool",
				.kind = CTL_FLAG,
				.text = "a line per session, too"}},
		.run = ctl_run_stats,
	},
	{
		.noun = "lcore",
		.verb = "list",
		.text = "The workers: where they run, what they own, how busy they are",
		.method = "PatchbayEnumLcore",
		.options = {{.name = "--interval",
			.value = "S",
			.kind = CTL_INTEGER,
			.text = "busy share over S seconds from now, instead of since start"}},
		.list = "LcoreList",
		.run = ctl_run_lcore_list,
	},
	{
		.noun = "listener",
		.verb = "list",
		.text = "The TCP listeners",
		.method = "EnumListener",
		.list = "ListenerList",
		.columns = listener_columns,
	},
	{
		.noun = "listener",
		.verb = "counters",
		.text = "What became of connections before and at login",
		.method = "PatchbayGetListenerCounters",
		.list = "CounterList",
		.columns = counter_columns,
	},
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
	{
		.noun = "rpc",
		.text = "Call any method; prints its result as JSON",
		.arguments = {ARGUMENT("METHOD", NULL, "name of the method"),
			{.name = "JSON",
				.kind = CTL_JSON,
				.optional = true,
				.text = "its parameters, an object (default: none)"}},
		.run = ctl_run_rpc,
	},
	{
		.noun = "methods",
		.text = "The methods of the daemon; with a name, the fields of one",
		.method = "PatchbayEnumMethod",
		.arguments = {{.name = "METHOD",
			.field = "Name_str",
			.kind = CTL_STRING,
			.optional = true,
			.text = "only this one, with its fields"}},
		.run = ctl_run_methods,
	},
};
const unsigned ctl_command_cnt = sizeof(ctl_commands) / sizeof(ctl_commands[0]);

bool ctl_noun_exists(const char *noun)
{
	for (unsigned i = 0; i < ctl_command_cnt; i++)
		if (strcmp(ctl_commands[i].noun, noun) == 0)
			return true;
	return false;
}

const struct ctl_command *ctl_command_find(const char *noun, const char *verb, unsigned *used)
{
	for (unsigned i = 0; i < ctl_command_cnt; i++) {
		const struct ctl_command *c = &ctl_commands[i];

		if (strcmp(c->noun, noun) != 0)
			continue;
		if (c->verb == NULL || (verb != NULL && strcmp(c->verb, verb) == 0)) {
			*used = c->verb == NULL ? 1 : 2;
			return c;
		}
	}
	return NULL;
}
