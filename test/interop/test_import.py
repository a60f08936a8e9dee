# SPDX-License-Identifier: BSD-3-Clause
"""Migration: what Debian's softether-vpnserver wrote is taken over, said line by line, and its users log in."""

import base64
import json
import re
import shutil

import pytest

from lab import SERVER4, LabError, certs
from lab.admin import Rpc
from lab.radius import FakeRadius
from lab.server import Group, Hub, User
from lab.traffic import join
from lab.wireclient import Session, connect

pytestmark = pytest.mark.patchbay

HUBS = [
    Hub("DEFAULT", [User("alice", "alicepw", group="staff"), User("bob", "bobpw"), User("guest"),
                    User("old", "oldpw", expires="2030-01-02T03:04:05Z", policy={"MaxMac": 5, "NoBridge": True})],
        groups=[Group("staff", policy={"TimeOut": 33, "DHCPForce": True})], max_sessions=17,
        options={"NoIpTable": 1}, admin_options={"max_users": 50},
        sources=[(10, False, "10.0.0.0/8"), (20, True, "2001:db8::/32")]),
    Hub("CLOSED", [], online=False),
]
FAKE4 = "10.77.0.11"  # where the tests have a RADIUS server
MESSAGE = "お知らせ $ \"x\" \\\r\nsecond"
MORE = ["Hub DEFAULT", *(f"UserCreate {u} /GROUP:none /REALNAME:none /NOTE:none" for u in ("rad", "exact", "any", "named", "*")),
        "UserRadiusSet rad /ALIAS:r", "UserRadiusSet * /ALIAS:none", "UserSignedSet any /CN:none /SERIAL:none",
        "UserSignedSet named /CN:two /SERIAL:1f04", f"RadiusServerSet {FAKE4}:1645 /SECRET:geheim /RETRY_INTERVAL:1000",
        "CrlAdd /SERIAL:1f05 /MD5: /SHA1: /CN: /O: /OU: /C: /ST: /L:", "LogDisable security",
        "LogSwitchSet packet /SWITCH:hour", "LogPacketSaveType /TYPE:tcpdata /SAVE:full",
        "AccessAdd discard /MEMO:web /PRIORITY:10 /SRCUSERNAME:alice /DESTUSERNAME: /SRCMAC: /DESTMAC: /SRCIP:10.0.0.0/8 "
        "/DESTIP:1.2.3.4/32 /PROTOCOL:tcp /SRCPORT: /DESTPORT:80-90 /TCPSTATE:",
        "AccessAddEx pass /MEMO:slow /PRIORITY:20 /SRCUSERNAME: /DESTUSERNAME:staff /SRCMAC:02-00-00-00-00-01/FF-FF-FF-FF-FF-FF "
        "/DESTMAC: /SRCIP:0.0.0.0/0 /DESTIP:0.0.0.0/0 /PROTOCOL: /SRCPORT: /DESTPORT: /TCPSTATE: /DELAY:10 /JITTER:20 /LOSS:30 "
        "/REDIRECTURL:",
        "AccessAdd6 discard /MEMO:six /PRIORITY:30 /SRCUSERNAME: /DESTUSERNAME: /SRCMAC: /DESTMAC: /SRCIP:fd00::/8 /DESTIP:::/0 "
        "/PROTOCOL:udp /SRCPORT:53 /DESTPORT: /TCPSTATE:",
        "CascadeCreate up /SERVER:10.1.1.1:443 /HUB:REM /USERNAME:u", "RouterAdd sw1", "ServerPasswordSet srvpw"]
RULES = ['priority = 10; drop = true; source = "10.0.0.0/8"; destination = "1.2.3.4"; protocol = 6; '
         'destination_ports = "80-90"; source_user = "alice"; note = "web";',
         'priority = 20; drop = false; destination_user = "staff"; source_mac = "02:00:00:00:00:01"; delay = 10; jitter = 20; '
         'loss = 30; note = "slow";',
         'priority = 30; drop = true; ipv6 = true; source = "fd00::/8"; protocol = 17; source_ports = "53"; note = "six";']


@pytest.fixture(scope="module", name="pki")
def fixture_pki(tmp_path_factory):
    """An authority, three that it signed, and one that nobody did."""
    folder = tmp_path_factory.mktemp("pki")
    ca = certs.make(folder, "ca", "/CN=Test CA", ca=True)
    return {"ca": ca, "alone": certs.make(folder, "alone", "/CN=alone"),
            **{name: certs.make(folder, name, f"/CN={name}", issuer=ca, serial=0x1f03 + i)
               for i, name in enumerate(("one", "two", "three"))}}


@pytest.fixture(scope="module", name="written")
def fixture_written(make_lab, tmp_path_factory, pki):
    """The file as Debian's server wrote it."""
    lab = make_lab(kind="softether", hubs=HUBS)
    lab.server.start()
    with Rpc(lab.nodes["wire"], SERVER4, hub="DEFAULT", password=HUBS[0].password) as rpc:
        rpc.call("SetHubMsg", HubName="DEFAULT", Msg=MESSAGE.encode())
    lab.server.control(*MORE, f"UserCertSet exact /LOADCERT:{pki['alone'].cert}",
                       f"CAAdd {'../' * 16}{str(pki['ca'].cert).lstrip('/')}")
    lab.server.stop()
    copy = tmp_path_factory.mktemp("import") / "vpn_server.config"
    shutil.copy(next(lab.nodes["server"].folder.rglob("vpn_server.config")), copy)
    lab.close()
    return copy


def code(lab, hub, user, password=None):
    """0, or the code of the refusal."""
    return Session(connect(lab.nodes["wire"], SERVER4, 8888)).refusal(hub, user, password)


def test_taken_over(make_lab, written):
    """Every line has its word; hubs, users, groups, policies are there; the real client comes in with its password."""
    lab = make_lab(hubs=[Hub("STAYS", [User("here", "herepw")]), Hub("DEFAULT", [User("gone", "x")])])
    lab.server.start()
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("STAYS", "here", "herepw")
    dry = lab.server.ctl("import", str(written), "--dry-run")["ImportList"]
    assert code(lab, "DEFAULT", "gone", "x") == 0, "a dry run changes nothing"
    said = lab.server.ctl("import", str(written))["ImportList"]
    assert said == dry
    lines = written.read_text("utf-8-sig").splitlines()
    words = {line["Path_str"]: line for line in said}
    assert all(lines[w["Line_u32"] - 1].split()[1] == path.rpartition("/")[2] for path, w in words.items())
    people = "VirtualHUB/DEFAULT/SecurityAccountDatabase/UserList/"
    assert {u: words[people + u]["Result_str"] for u in ("alice", "bob", "guest", "old", "rad")} == {
        "alice": "taken", "bob": "taken", "guest": "taken", "old": "taken", "rad": "taken"}
    assert words["VirtualHUB/DEFAULT/Message"]["Result_str"] == "taken"
    assert base64.b64decode(lab.server.rpc("GetHubMsg", HubName_str="DEFAULT")["Msg_bin"]).decode() == MESSAGE
    assert words["VirtualHUB/DEFAULT/CascadeList"]["Result_str"] == "kept"
    assert words["VirtualLayer3SwitchList"]["Result_str"] == "kept"
    assert words["DDnsClient"]["Result_str"] == "left"

    users = {u["Name_str"]: u for u in lab.server.rpc("EnumUser", HubName_str="DEFAULT")["UserList"]}
    assert sorted(users) == ["*", "alice", "any", "bob", "exact", "guest", "named", "old", "rad"]
    assert users["old"]["Expires_dt"].startswith("2030-01-02T03:04:05")
    old = lab.server.rpc("GetUser", HubName_str="DEFAULT", Name_str="old")
    assert old["policy:MaxMac_u32"] == 5 and old["policy:NoBridge_bool"]
    staff = lab.server.rpc("GetGroup", HubName_str="DEFAULT", Name_str="staff")
    assert staff["policy:TimeOut_u32"] == 33 and staff["policy:DHCPForce_bool"]
    assert lab.server.rpc("GetHub", HubName_str="DEFAULT")["MaxSession_u32"] == 17
    options = {o["Name_str"]: o["Value_u32"] for o in
               lab.server.rpc("GetHubExtOptions", HubName_str="DEFAULT")["AdminOptionList"]}
    assert options["NoIpTable"] == 1
    assert len(lab.server.rpc("GetAcList", HubName_str="DEFAULT")["ACList"]) == 2
    assert {5555, 8888, 443} <= {p["Ports_u32"] for p in lab.server.rpc("EnumListener")["ListenerList"]}
    assert code(lab, "CLOSED", "x") == 10 and code(lab, "DEFAULT", "gone", "x") == 9
    assert session.name in [s["name"] for s in lab.server.sessions("STAYS")], "who is not concerned goes on"
    session.close()

    a = lab.client("a", "192.168.50.1")
    join(a, 8888)
    assert "alice" in [s["user"] for s in lab.server.sessions("DEFAULT")]
    a.leave()
    lab.server.kill()
    lab.server.start()
    assert code(lab, "DEFAULT", "bob", "bobpw") == 0 and code(lab, "DEFAULT", "bob", "wrong") == 9
    assert "CascadeList" in lab.server.stored() and "sw1" in lab.server.stored()


def prove(lab, source, user, made):
    """0, or the code of a login with a certificate."""
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888, source=f"10.77.0.{source}"))
    return session.refusal("DEFAULT", user, authtype=3, cert=made.der, sign=made.prove(session.random))


def test_what_else_a_hub_has(make_lab, written, pki):
    """Certificates, authorities, revocations, RADIUS, access lists, log settings and the server's own certificate."""
    lab = make_lab(hubs=[Hub("STAYS", [User("here", "herepw")])])
    lab.server.start()
    lab.nodes["wire"].run("sh", "-c", "for i in $(seq 100 119); do ip addr add 10.77.0.$i/24 dev eth0; done")
    said = {r["Path_str"]: r["Result_str"] for r in lab.server.ctl("import", str(written), "--certificate")["ImportList"]}
    hub = "VirtualHUB/DEFAULT/"
    for path in ("AccessList/1", "AccessList/2", "AccessList/3", "LogSetting", "RadiusServerName", "SecurityAccountDatabase/CertList/Cert0",
                 "SecurityAccountDatabase/CrlList/Crl0", "SecurityAccountDatabase/UserList/exact", "SecurityAccountDatabase/UserList/*"):
        assert said[hub + path] == "taken", path
    tries = [("exact", "alone", 0), ("exact", "one", 9), ("any", "one", 0), ("any", "three", 9), ("any", "alone", 9),
             ("named", "two", 0), ("named", "one", 9)]
    assert [prove(lab, 100 + i, u, pki[c]) for i, (u, c, _) in enumerate(tries)] == [code for _, _, code in tries]
    with FakeRadius(lab.nodes["wire"], FAKE4, 1645, "geheim", lambda q, s: s.send(q.reply(), q.peer)) as radius:
        for user in ("rad", "somebody"):
            Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", user, plain="pw").close()
        assert [q.get(1) for q in radius.requests] == [b"r", b"somebody"]
    rules = lab.server.rpc("EnumAccess", HubName_str="DEFAULT")["AccessList"]
    assert [r["PatchbayRule_str"].partition("L; ")[2].rstrip(" }") for r in rules] == RULES
    log = lab.server.rpc("GetHubLog", HubName_str="DEFAULT")
    assert (log["SaveSecurityLog_bool"], log["SavePacketLog_bool"], log["PacketLogSwitchType_u32"]) == (False, True, 3)
    assert re.search(r"^ *tcp +full", lab.server.ctl_run("log", "kinds", "DEFAULT", as_json=False).stdout, re.M)
    text = written.read_text("utf-8-sig")
    theirs = base64.b64decode(re.search(r"byte ServerCert (\S+)", text)[1])
    assert base64.b64decode(lab.server.rpc("GetServerCert")["Cert_bin"]) == theirs
    conn = connect(lab.nodes["wire"], SERVER4, 8888)
    assert conn.certificate() == theirs
    conn.close()
    assert "geheim" not in json.dumps(said)
    lab.server.kill()
    lab.server.start()
    assert prove(lab, 110, "named", pki["two"]) == 0
    assert [r["UniqueId_u32"] for r in lab.server.rpc("EnumAccess", HubName_str="DEFAULT")["AccessList"]] == [
        r["UniqueId_u32"] for r in rules]


def test_not_taken(make_lab, tmp_path):
    """What is none of its texts is refused with the line, and changes nothing."""
    lab = make_lab()
    lab.server.start()
    before = json.dumps(lab.server.rpc("EnumHub"))
    wrong = tmp_path / "wrong.config"
    for text, line in (("declare root\n{\n\tuint X notanumber\n}\n", "line 3"), ("declare root\n{\n", "line 2"),
                       ("hubs = ( );\n", "line 1")):
        wrong.write_text(text, "utf-8")
        with pytest.raises(LabError, match=line):
            lab.server.ctl("import", str(wrong))
    assert json.dumps(lab.server.rpc("EnumHub")) == before
