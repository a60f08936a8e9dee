# SPDX-License-Identifier: BSD-3-Clause
"""Every administration method with who may call it and a call that is right, written from logging-admin.md 6 and admin-rpc.md.

What the daemon says of its own table is compared with this, so that a method that is added there and not here is noticed.
"""

import base64
import dataclasses
import struct

# Rights (admin-rpc.md 3): anybody who is an administrator, the server's, or also the hub's own.
ANY, SERVER, HUB = "any", "server", "hub"


@dataclasses.dataclass
class Call:
    """params in the names of the PACK, without the hub's; passes: what whoever may call it is answered, 0 = done."""
    role: str
    params: dict = dataclasses.field(default_factory=dict)
    passes: tuple = (0,)
    fenced: bool = False  # the hub's own administrator may not, while its admin options are as they are made


GONE = (29,)  # what is named is not there, so that it can be asked again and again
KEY = {"Key": 4_000_000_000}
NAME = {"Name": "nobody-of-that-name"}
BRIDGE = {"DeviceName": "nodevice", "HubNameLB": "NOHUB", "TapMode": True}

CALLS = {
    # The server.
    "GetServerInfo": Call(ANY), "GetServerStatus": Call(ANY), "GetCaps": Call(ANY), "Test": Call(ANY, {"IntValue": 1}),
    "GetAdminMsg": Call(ANY), "GetServerCert": Call(ANY), "GetServerCipher": Call(ANY), "GetServerCipherList": Call(ANY),
    "GetBridgeSupport": Call(ANY), "EnumListener": Call(ANY), "EnumLocalBridge": Call(ANY), "EnumHub": Call(ANY),
    "EnumLogFile": Call(ANY), "ReadLogFile": Call(ANY, {"FilePath": "server_log/none.log"}, GONE),
    "GetDefaultHubAdminOptions": Call(ANY),
    "GetSysLog": Call(ANY), "SetSysLog": Call(SERVER, {"SaveType": 1, "Hostname": "", "Port": 0}, (38,)),
    "SetServerPassword": Call(SERVER, {}, (38,)),
    "SetServerCert": Call(SERVER, {"Cert": b"x", "Key": b"x"}, (4,)),
    "RegenerateServerCert": Call(SERVER, {"StrValue": "x" * 65}, (38,)),
    "SetServerCipher": Call(SERVER, {"String": "NONSENSE"}, (38,)),
    "GetConfig": Call(SERVER), "SetConfig": Call(SERVER, {"FileData": b"nonsense"}, (38,)), "Flush": Call(SERVER),
    "RebootServer": Call(SERVER, {"IntValue": 1}, (33,)),
    "CreateListener": Call(SERVER, {"Port": 8888}, (54,)), "DeleteListener": Call(SERVER, {"Port": 7}, (53,)),
    "EnableListener": Call(SERVER, {"Port": 7}, (53,)),
    "EnumEthernet": Call(SERVER), "EnumConnection": Call(SERVER), "GetConnectionInfo": Call(SERVER, NAME, GONE),
    "DisconnectConnection": Call(SERVER, NAME, GONE),
    "AddLocalBridge": Call(SERVER, {**BRIDGE, "HubNameLB": "."}, (38,)), "DeleteLocalBridge": Call(SERVER, BRIDGE, GONE),
    "CreateHub": Call(SERVER, {"HubName": "."}, (38,)), "DeleteHub": Call(SERVER, {"HubName": "NOHUB"}, (8,)),
    # Of ours, about the server.
    "PatchbayEnumMethod": Call(ANY), "PatchbayEnumPolicy": Call(ANY),
    "PatchbayEnumLcore": Call(SERVER), "PatchbayEnumUdp": Call(SERVER), "PatchbayGetListenerCounters": Call(SERVER),
    "PatchbayGetLogStatus": Call(SERVER), "PatchbayGetStats": Call(SERVER), "PatchbayGetStore": Call(SERVER),
    "PatchbayImport": Call(SERVER, {}, (38,)), "PatchbayQuiesce": Call(SERVER), "PatchbayReload": Call(SERVER),
    "PatchbayUpload": Call(SERVER, {"Offset": 0, "Data": b"nonsense"}),
    # A hub.
    "GetHub": Call(HUB), "SetHub": Call(HUB, {"HubType": 1}, (33,)), "SetHubOnline": Call(HUB, {"Online": True}),
    "GetHubStatus": Call(HUB),
    "GetHubLog": Call(HUB), "SetHubLog": Call(HUB, {"SaveSecurityLog": True, "SecurityLogSwitchType": 4}),
    "GetHubMsg": Call(HUB), "SetHubMsg": Call(HUB, {"Msg": b"\xff"}, (38,)),
    "GetHubRadius": Call(HUB), "SetHubRadius": Call(HUB, {"RadiusServerName": "a b c d e f g h i j"}, (38,)),
    "GetHubAdminOptions": Call(HUB), "SetHubAdminOptions": Call(HUB, fenced=True),
    "GetHubExtOptions": Call(HUB), "SetHubExtOptions": Call(HUB),
    "EnumUser": Call(HUB), "CreateUser": Call(HUB, {"Name": "alice", "AuthType": 0}, (66,)), "GetUser": Call(HUB, {"Name": "alice"}),
    "SetUser": Call(HUB, {**NAME, "AuthType": 0}, GONE), "DeleteUser": Call(HUB, NAME, GONE),
    "EnumGroup": Call(HUB), "CreateGroup": Call(HUB, {"Name": "staff"}, (67,)), "GetGroup": Call(HUB, {"Name": "staff"}),
    "SetGroup": Call(HUB, NAME, GONE), "DeleteGroup": Call(HUB, NAME, GONE),
    "EnumSession": Call(HUB), "GetSessionStatus": Call(HUB, NAME, GONE), "DeleteSession": Call(HUB, NAME, GONE),
    "EnumMacTable": Call(HUB), "DeleteMacTable": Call(HUB, KEY, GONE), "EnumIpTable": Call(HUB), "DeleteIpTable": Call(HUB, KEY, GONE),
    "EnumAccess": Call(HUB), "AddAccess": Call(HUB, {"Priority": 1, "Discard": True}), "DeleteAccess": Call(HUB, {"Id": 9999}, GONE),
    "SetAccessList": Call(HUB), "GetAcList": Call(HUB), "SetAcList": Call(HUB),
    "EnumCa": Call(HUB), "AddCa": Call(HUB, {"Cert": b"x"}, (38,)), "GetCa": Call(HUB, KEY, GONE), "DeleteCa": Call(HUB, KEY, GONE),
    "EnumCrl": Call(HUB), "AddCrl": Call(HUB, {}, (38,)), "GetCrl": Call(HUB, KEY, GONE),
    "SetCrl": Call(HUB, {**KEY, "CommonName": "x"}, GONE), "DelCrl": Call(HUB, KEY, GONE),
    "PatchbayAddAccess": Call(HUB, {"Rule": "nonsense"}, (38,)), "PatchbayEnableAccess": Call(HUB, {"Id": 9999}, GONE),
    "PatchbayReplaceAccess": Call(HUB, {"Rules": "nonsense"}, (38,)),
    "PatchbayTestAccess": Call(HUB, {"Frame": bytes(60)}),
}


def pack_params(params, fields):
    """As the PACK wants them: each value with the type of the table."""
    kinds = {"int": 0, "bool": 0, "data": 1, "str": 2, "ustr": 3, "int64": 4, "time": 4}
    types = {f["Name_str"]: f["Type_str"] for f in fields}
    return {n: (kinds[types.get(n, "str")], v) for n, v in params.items()}


def json_params(params, fields):
    """The same in JSON."""
    suffix = {f["Name_str"]: f["JsonName_str"] for f in fields if f["Where_str"] == "request"}
    return {suffix[n]: base64.b64encode(v).decode() if isinstance(v, bytes) else v for n, v in params.items()}


def pack_ip(text):
    """An IPv4 address as the PACK's number."""
    return struct.unpack("<I", bytes(map(int, text.split("."))))[0]
