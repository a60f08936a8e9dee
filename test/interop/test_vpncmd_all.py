# SPDX-License-Identifier: BSD-3-Clause
"""Every command that the real vpncmd has in its server and hub modes, by its own list: driven by a test, or answered
that there is no such method (33), or none of the server's business. A command that vpncmd has and nobody names here fails.
"""

import pathlib
import re

import pytest

from lab import SERVER4, certs, frames, wait_for
from lab.admin import relative, vpncmd
from lab.sessions import BRIDGE
from lab.wireclient import Session, connect

pytestmark = pytest.mark.patchbay

# These ask no server.
LOCAL = {"About", "Check", "Hub", "MakeCert", "MakeCert2048", "TrafficClient", "TrafficServer"}
# Answered 33 (unless REFUSED says otherwise), and why. The first word is the command.
NOT_THERE = {
    "cascades are not there yet": [
        "CascadeList", "CascadeCreate c /SERVER:192.0.2.1:443 /HUB:X /USERNAME:u", "CascadeSet c /SERVER:192.0.2.1:443 /HUB:X",
        "CascadeGet c", "CascadeDelete c", "CascadeUsernameSet c /USERNAME:u", "CascadeAnonymousSet c",
        "CascadePasswordSet c /PASSWORD:x /TYPE:standard", "CascadeCertSet c /LOADCERT:{cert} /LOADKEY:{key}",
        "CascadeCertGet c /SAVECERT:{out}", "CascadeEncryptEnable c", "CascadeEncryptDisable c", "CascadeCompressEnable c",
        "CascadeCompressDisable c", "CascadeHttpHeaderAdd c /NAME:n /DATA:d", "CascadeHttpHeaderDelete c /NAME:n",
        "CascadeHttpHeaderGet c", "CascadeProxyNone c", "CascadeProxyHttp c /SERVER:192.0.2.1:80 /USERNAME:u /PASSWORD:p",
        "CascadeProxySocks c /SERVER:192.0.2.1:80 /USERNAME:u /PASSWORD:p",
        "CascadeProxySocks5 c /SERVER:192.0.2.1:80 /USERNAME:u /PASSWORD:p", "CascadeServerCertEnable c",
        "CascadeServerCertDisable c", "CascadeServerCertSet c /LOADCERT:{cert}", "CascadeServerCertDelete c",
        "CascadeServerCertGet c /SAVECERT:{out}",
        "CascadeDetailSet c /MAXTCP:1 /INTERVAL:1 /TTL:0 /HALF:no /NOQOS:no", "CascadePolicySet c /NAME:MaxMac /VALUE:5",
        "CascadeStatusGet c", "CascadeRename c /NEW:d", "CascadeOnline c", "CascadeOffline c"],
    "SecureNAT is not there yet": [
        "SecureNatEnable", "SecureNatDisable", "SecureNatStatusGet", "SecureNatHostGet",
        "SecureNatHostSet /MAC:02:00:00:00:00:01 /IP:192.0.2.1 /MASK:255.255.255.0", "NatGet", "NatEnable", "NatDisable",
        "NatSet /MTU:1500 /TCPTIMEOUT:1800 /UDPTIMEOUT:60 /LOG:yes", "NatTable", "DhcpGet", "DhcpEnable", "DhcpDisable",
        "DhcpSet /START:192.0.2.10 /END:192.0.2.20 /MASK:255.255.255.0 /EXPIRE:7200 /GW:none /DNS:none /DNS2:none /DOMAIN:none "
        "/LOG:yes /PUSHROUTE:none", "DhcpTable"],
    "layer 3 switches are not there yet": [
        "RouterList", "RouterAdd r", "RouterDelete r", "RouterStart r", "RouterStop r", "RouterIfList r",
        "RouterIfAdd r /HUB:DEFAULT /IP:192.0.2.1/24", "RouterIfDel r /HUB:DEFAULT", "RouterTableList r",
        "RouterTableAdd r /NETWORK:10.0.0.0/8 /GATEWAY:192.0.2.2 /METRIC:1",
        "RouterTableDel r /NETWORK:10.0.0.0/8 /GATEWAY:192.0.2.2 /METRIC:1"],
    "there are no clusters": [
        "ClusterSettingGet", "ClusterSettingStandalone", "ClusterSettingController /WEIGHT:100 /ONLY:no",
        "ClusterSettingMember 192.0.2.1:443 /IP:none /PORTS:443 /PASSWORD:x /WEIGHT:100", "ClusterMemberList",
        "ClusterMemberInfoGet 1", "ClusterMemberCertGet 1 /SAVECERT:{out}", "ClusterConnectionStatusGet",
        "HubCreateDynamic x /PASSWORD:y", "HubCreateStatic x /PASSWORD:y", "HubSetStatic DEFAULT", "HubSetDynamic DEFAULT"],
    "other protocols are not spoken": [
        "PortsUDPSet 1194", "PortsUDPGet", "ProtoOptionsGet OpenVPN", "ProtoOptionsSet OpenVPN /NAME:Enabled /VALUE:true",
        "IPsecEnable /L2TP:no /L2TPRAW:no /ETHERIP:no /PSK:x /DEFAULTHUB:DEFAULT", "IPsecGet",
        "EtherIpClientAdd i /HUB:DEFAULT /USERNAME:u /PASSWORD:p", "EtherIpClientDelete i", "EtherIpClientList",
        "OpenVpnMakeConfig {out}", "VpnOverIcmpDnsEnable /ICMP:no /DNS:no", "VpnOverIcmpDnsGet"],
    "services of the original's makers": [
        "DynamicDnsGetStatus", "DynamicDnsSetHostname x", "VpnAzureGetStatus", "VpnAzureSetEnable no", "LicenseAdd x",
        "LicenseDel 1", "LicenseList", "LicenseStatus"],
    "not needed: the daemon keeps nobody's line up": [
        "KeepEnable", "KeepDisable", "KeepSet /HOST:192.0.2.1:80 /PROTOCOL:tcp /INTERVAL:50", "KeepGet"],
    "for the original's developers": ["Debug 1 /ARG:x", "Crash yes"],
    "a private key is told to nobody: the certificate comes without": ["ServerKeyGet {out}"],
    "Windows domains are not asked: users have no such method": ["UserNTLMSet alice /ALIAS:x"],
}
# Methods that are there and refuse this.
REFUSED = {"ServerKeyGet": 52, "UserNTLMSet": 7}


def word(line):
    """The command in a line."""
    return line.split(" ")[0]


def test_every_command_is_named(lab):
    """vpncmd's own list against the lines in this folder's tests and the tables here; and nothing is named that is not there."""
    (help_, ) = vpncmd(lab.server.node, ["?"])
    listed = set(re.findall(r"^ ([A-Z]\w+) +- ", help_.text, re.M))
    assert len(listed) > 180, help_.text
    absent = {word(line) for lines in NOT_THERE.values() for line in lines}
    assert absent | LOCAL <= listed, (absent | LOCAL) - listed
    # As the tests write them: at the begin of a text.
    folder = pathlib.Path(__file__).parent
    written = "".join(p.read_text("utf-8") for p in sorted(folder.glob("test_*.py")) if p != pathlib.Path(__file__))
    driven = set(re.findall(r"""["'](\w+)(?=[ "'])""", written)) | {word(line) for line in MORE}
    nobody = listed - driven - absent - LOCAL
    assert not nobody, f"commands of vpncmd that no test names: {sorted(nobody)}"


def test_what_is_not_there(lab):
    """The protocol's own answer for each, and nothing has changed by it."""
    folder = lab.server.node.folder
    made = certs.make(folder, "cert", "/CN=x")
    names = {"cert": relative(made.cert), "key": relative(made.key), "out": relative(folder / "out")}
    before = lab.server.stored()
    lines = [line.format(**names) for some in NOT_THERE.values() for line in some]
    done = vpncmd(lab.server.node, ["Hub DEFAULT", *lines])
    assert [d.command for d in done] == ["Hub DEFAULT", *lines]
    assert {d.command: d.error for d in done[1:] if d.error != REFUSED.get(word(d.command), 33)} == {}
    assert not (folder / "out").exists() and lab.server.stored() == before


RULE6 = ("pass /MEMO:six /PRIORITY:7 /SRCUSERNAME: /DESTUSERNAME: /SRCMAC: /DESTMAC: /SRCIP:2001:db8::/32 /DESTIP:::/0 /PROTOCOL:udp "
         "/SRCPORT: /DESTPORT:53 /TCPSTATE: /DELAY:5 /JITTER:6 /LOSS:7 /REDIRECTURL:")
# Lines of commands that no other test drives; test_the_rest looks at what each has done.
MORE = ["SetEnumDeny", "SetEnumAllow", "GroupCreate g /REALNAME:a /NOTE:b", "GroupPolicySet g /NAME:MaxMac /VALUE:5",
        "GroupSet g /REALNAME:名 /NOTE:注", "GroupPolicyRemove g", "UserSet alice /GROUP:g /REALNAME:アリス /NOTE:二",
        "AccessAddEx6 " + RULE6, "IpTable", "ConfigGet", "ConfigSet"]


def test_the_rest(lab):
    """Commands whose method is there and that no other test drives: each does what it says."""
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest", **BRIDGE).wait_ready()
    session.send(frames.arp_request(frames.mac(1, 91), "10.9.91.1", "10.9.91.9"))
    wait_for("the IP table", lambda: lab.server.rpc("EnumIpTable", HubName_str="DEFAULT")["IpTable"])
    saved = lab.server.node.folder / "got.cfg"
    done = {d.command: d for d in vpncmd(lab.server.node, ["Hub DEFAULT", *MORE[:-1], f"ConfigGet {relative(saved)}"])}
    session.close()
    assert {c: d.error for c, d in done.items() if d.error} == {}
    assert lab.server.rpc("GetHub", HubName_str="DEFAULT")["NoEnum_bool"] is False
    group = lab.server.rpc("GetGroup", HubName_str="DEFAULT", Name_str="g")
    assert (group["Realname_utf"], group["Note_utf"], group["UsePolicy_bool"]) == ("名", "注", False)
    user = lab.server.rpc("GetUser", HubName_str="DEFAULT", Name_str="alice")
    assert (user["GroupName_str"], user["Realname_utf"], user["Note_utf"]) == ("g", "アリス", "二")
    (rule,) = lab.server.rpc("EnumAccess", HubName_str="DEFAULT")["AccessList"]
    assert (rule["IsIPv6_bool"], rule["Delay_u32"], rule["Jitter_u32"], rule["Loss_u32"]) == (True, 5, 6, 7)
    assert [r["IP Address"] for r in done["IpTable"].rows()] == ["10.9.91.1"]
    text = saved.read_text("utf-8-sig")
    assert "アリス" in text and "アリス" in done["ConfigGet"].text
    # Given back with a change: in force at once.
    saved.write_text(text.replace("アリス", "かぐや"), "utf-8")
    (setting,) = vpncmd(lab.server.node, [f"ConfigSet {relative(saved)}"])
    assert setting.error == 0, setting.text
    wait_for("the configuration", lambda: lab.server.rpc(
        "GetUser", HubName_str="DEFAULT", Name_str="alice")["Realname_utf"] == "かぐや")
