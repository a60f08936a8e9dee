# SPDX-License-Identifier: BSD-3-Clause
"""Migration: what Debian's softether-vpnserver wrote is taken over, said line by line, and its users log in."""

import json
import shutil

import pytest

from lab import SERVER4, LabError
from lab.server import Group, Hub, User
from lab.traffic import join
from lab.wireclient import LoginError, Session, connect

pytestmark = pytest.mark.patchbay

HUBS = [
    Hub("DEFAULT", [User("alice", "alicepw", group="staff"), User("bob", "bobpw"), User("guest"),
                    User("old", "oldpw", expires="2030-01-02T03:04:05Z", policy={"MaxMac": 5, "NoBridge": True})],
        groups=[Group("staff", policy={"TimeOut": 33, "DHCPForce": True})], max_sessions=17,
        options={"NoIpTable": 1}, admin_options={"max_users": 50},
        sources=[(10, False, "10.0.0.0/8"), (20, True, "2001:db8::/32")]),
    Hub("CLOSED", [], online=False),
]
MORE = ["Hub DEFAULT", "UserCreate rad /GROUP:none /REALNAME:none /NOTE:none", "UserRadiusSet rad /ALIAS:r",
        "CascadeCreate up /SERVER:10.1.1.1:443 /HUB:REM /USERNAME:u", "RouterAdd sw1", "ServerPasswordSet srvpw"]


@pytest.fixture(scope="module", name="written")
def fixture_written(make_lab, tmp_path_factory):
    """The file as Debian's server wrote it."""
    lab = make_lab(kind="softether", hubs=HUBS)
    lab.server.start()
    lab.server.control(*MORE)
    lab.server.stop()
    copy = tmp_path_factory.mktemp("import") / "vpn_server.config"
    shutil.copy(next(lab.nodes["server"].folder.rglob("vpn_server.config")), copy)
    lab.close()
    return copy


def code(lab, hub, user, password=None):
    """0, or the code of the refusal."""
    try:
        Session(connect(lab.nodes["wire"], SERVER4, 8888)).login(hub, user, password).close()
        return 0
    except LoginError as e:
        return e.code


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
        "alice": "taken", "bob": "taken", "guest": "taken", "old": "taken", "rad": "left"}
    assert words["VirtualHUB/DEFAULT/CascadeList"]["Result_str"] == "kept"
    assert words["VirtualLayer3SwitchList"]["Result_str"] == "kept"
    assert words["DDnsClient"]["Result_str"] == "left"

    users = {u["Name_str"]: u for u in lab.server.rpc("EnumUser", HubName_str="DEFAULT")["UserList"]}
    assert sorted(users) == ["alice", "bob", "guest", "old"]
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
