/* SPDX-License-Identifier: BSD-3-Clause */
/* `patchbayctl session`: of one hub or of all; one of them in full. */

#include <string.h>

#include "controlplane/ctl/client.h"
#include "controlplane/ctl/command.h"
#include "controlplane/ctl/listing.h"
#include "controlplane/ctl/show.h"

static const struct ctl_column session_columns[] = {
	{"SESSION", "Name_str", CTL_TEXT, "name"},
	{"USER", "Username_str", CTL_TEXT, "user who logged in"},
	{"MODE", "PatchbayMode_str", CTL_TEXT, "client, bridge (or router), monitor, local bridge"},
	{"FROM", "ClientIP_ip", CTL_TEXT, "address of the client"},
	{"HOST", "Hostname_str", CTL_TEXT, "host name it told"},
	{"TCP", "CurrentNumTcp_u32", CTL_NUMBER, "connections now"},
	{"MAX", "MaxNumTcp_u32", CTL_NUMBER, "connections granted"},
	{"LCORE", "PatchbayLcore_u32", CTL_NUMBER, "worker that owns it"},
	{"FRAMES", "PacketNum_u64", CTL_NUMBER, "both directions"},
	{"BYTES", "PacketSize_u64", CTL_NUMBER, "both directions"},
	{"WAITING", "PatchbayQueuedBytes_u64", CTL_NUMBER, "bytes not sent yet"},
	{"UDP", "PatchbayUdp_str", CTL_TEXT, "UDP acceleration: no, ready (but on TCP), v1 or v2"},
	{"LOGIN (UTC)", "CreatedTime_dt", CTL_TIME, "start of the session"},
	{"LAST HEARD (UTC)", "LastCommTime_dt", CTL_TIME, "last sign of life"},
	{.title = NULL},
};

static void on_hub(void *ctx, const char *list, json_t *row)
{
	json_t *names = ctx;

	if (strcmp(list, "HubList") == 0)
		json_array_append(names, json_object_get(row, "HubName_str"));
}

/* The hub that was named, or all. NULL after an error that was told. */
static json_t *hub_names(const struct ctl_run *run)
{
	json_t *names = json_array();
	struct reply reply = {.row = on_hub, .ctx = names};
	int rc = CTL_OK;

	if (run->arguments[0] != NULL)
		json_array_append_new(names, json_string(run->arguments[0]));
	else
		rc = client_call(run->socket_path, "EnumHub", NULL, &reply, NULL);
	reply_fini(&reply);
	if (rc == CTL_OK)
		return names;
	json_decref(names);
	return NULL;
}

static int list_sessions(struct ctl_run *run, struct listing *l, json_t *names)
{
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		struct reply reply = {.row = listing_row, .ctx = l};
		int rc;

		if (run->json)
			reply.echo = run->out;
		l->hub = json_string_value(name);
		rc = client_call(run->socket_path, run->command->method,
			json_pack("{s:O}", "HubName_str", name), &reply, NULL);
		reply_fini(&reply);
		if (rc != CTL_OK)
			return rc;
	}
	return CTL_OK;
}

static int run_list(struct ctl_run *run)
{
	struct listing l = {.list = run->command->list, .columns = session_columns};
	json_t *params = ctl_params(run);
	json_t *names;
	int rc;

	if (params == NULL)
		return CTL_USAGE;
	json_decref(params);
	names = hub_names(run);
	if (names == NULL)
		return CTL_FAILED;
	if (!run->json) {
		l.table = table_new(run->out);
		table_column(l.table, "HUB", false);
		for (const struct ctl_column *c = session_columns; c->title != NULL; c++)
			table_column(l.table, c->title, c->format == CTL_NUMBER);
	}
	rc = list_sessions(run, &l, names);
	if (l.table != NULL && (rc == CTL_OK || l.table->rows > 0))
		table_end(l.table);
	else if (l.table != NULL)
		table_drop(l.table);
	json_decref(names);
	return rc;
}

static const struct ctl_column session_status_columns[] = {
	{"Session", "Name_str", CTL_TEXT, "name"},
	{"Hub", "HubName_str", CTL_TEXT, "hub"},
	{"User", "Username_str", CTL_TEXT, "user who logged in"},
	{"  group", "GroupName_str", CTL_TEXT, "group of the user at login"},
	{"Mode", "PatchbayMode_str", CTL_TEXT, "client, bridge (or router), monitor"},
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
	{"VLAN", "VLanId_u32", CTL_NUMBER, "0 = none"},
	{"Ends (UTC)", "PatchbayExpireTime_dt", CTL_TIME, "when the account expires"},
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
	{"UDP acceleration", "IsUdpAccelerationEnabled_bool", CTL_YES_NO, "negotiated"},
	{"  in use now", "IsUsingUdpAcceleration_bool", CTL_YES_NO, "frames go over UDP"},
	{"  version", "PatchbayUdpVersion_u32", CTL_NUMBER, "1 or 2; 0: none"},
	{"  port here", "PatchbayUdpPort_u32", CTL_NUMBER, "of the worker's socket"},
	{"  frames in", "PatchbayUdpFramesIn_u64", CTL_NUMBER, "over UDP"},
	{"  frames out", "PatchbayUdpFramesOut_u64", CTL_NUMBER, "over UDP"},
	{"  bytes in", "PatchbayUdpBytesIn_u64", CTL_NUMBER, "of UDP payload"},
	{"  bytes out", "PatchbayUdpBytesOut_u64", CTL_NUMBER, "of UDP payload"},
	{"  keep-alives in", "PatchbayUdpKeepalivesIn_u64", CTL_NUMBER, "datagrams"},
	{"  keep-alives out", "PatchbayUdpKeepalivesOut_u64", CTL_NUMBER, "datagrams"},
	{"  forged", "PatchbayUdpForged_u64", CTL_NUMBER, "from its address without its key"},
	{"  malformed", "PatchbayUdpMalformed_u64", CTL_NUMBER, "with its key, but unreadable"},
	{"  stale", "PatchbayUdpStale_u64", CTL_NUMBER, "30 s behind the newest"},
	{"  repeated", "PatchbayUdpRepeated_u64", CTL_NUMBER, "had come before"},
	{"  address changes", "PatchbayUdpMoves_u64", CTL_NUMBER, "of the client"},
	{"  TCP to UDP", "PatchbayUdpActivations_u64", CTL_NUMBER, "times"},
	{"  UDP to TCP", "PatchbayUdpFallbacks_u64", CTL_NUMBER, "times"},
	{.title = NULL},
};

const struct ctl_command ctl_session_commands[] = {
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
		.run = run_list,
	},
	{
		.noun = "session",
		.verb = "show",
		.text = "Everything about one session",
		.method = "GetSessionStatus",
		.arguments = {CTL_HUB, CTL_ARGUMENT("NAME", "Name_str", "name of the session")},
		.columns = session_status_columns,
		.hint = "`patchbayctl session list` shows the sessions.",
	},
	{
		.noun = "session",
		.verb = "delete",
		.text = "End a session and its connections",
		.method = "DeleteSession",
		.arguments = {CTL_HUB, CTL_ARGUMENT("NAME", "Name_str", "name of the session")},
		.done = "session ended",
		.hint = "`patchbayctl session list` shows the sessions.",
	},
	{.noun = NULL},
};
