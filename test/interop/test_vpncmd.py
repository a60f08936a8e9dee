# SPDX-License-Identifier: BSD-3-Clause
# sanitize
"""Administration by the tools people have: the real vpncmd, against Patchbay and against Debian's server.

A script of vpncmd runs many commands in one go; each is looked at by itself. Reading commands are compared with
what Debian's server prints after the same set-up. Our own client of the same RPC adds what vpncmd cannot do.
"""

import calendar
import re
import struct
import time

import pytest

from lab import SERVER4, certs, frames, pack, wait_for
from lab.admin import Api, Rpc, RpcError, relative, vpncmd
from lab.server import ADMIN_PASSWORD
from lab.wireclient import Session, connect

pytestmark = pytest.mark.patchbay

JAPANESE = "利用者"


@pytest.fixture(name="cmd")
def fixture_cmd(lab):
    """cmd(*commands): what the server's administrator gets; every command must succeed unless it is (command, error)."""
    def run(*commands, **options):
        wanted = [c if isinstance(c, tuple) else (c, 0) for c in commands]
        done = vpncmd(lab.server.node, [c for c, _ in wanted], **options)
        got = [(d.command, d.error) for d in done]
        assert got == wanted, "\n".join(d.text for d in done if d.error)
        return done
    return run


@pytest.fixture(name="join")
def fixture_join(lab):
    """join(user): a session in hub DEFAULT that is ready."""
    joined = []

    def join(user="guest", **options):
        session = Session(connect(lab.nodes["wire"], SERVER4, 8888))
        joined.append(session.login("DEFAULT", user, **options))
        return session.wait_ready()

    yield join
    for session in joined:
        session.close()


def login_error(lab, hub="", password=ADMIN_PASSWORD):
    """The error of a login, 0 if it succeeds. By our own client: vpncmd asks for another password, for ever."""
    try:
        Rpc(lab.nodes["wire"], SERVER4, hub=hub, password=password).close()
        return 0
    except RpcError as refused:
        return refused.code


# ---- login ----------------------------------------------------------------------------------------

def test_who_may(lab):
    """The right password and no other; hub administrators; the errors of admin-rpc.md 1.6."""
    assert login_error(lab) == 0
    assert login_error(lab, password="wrong") == 12
    assert login_error(lab, password="") == 12
    assert login_error(lab, hub="default") == 0
    assert login_error(lab, hub="DEFAULT", password="wrong") == 12
    assert login_error(lab, hub="NONE") == 8
    log = lab.server.log()
    assert re.search(r"login refused ip=10[0-9.]+ port=\d+ listener=8888 connection=CID-\d+ error=12 "
                     r"reason=password kind=rpc hub=\"\" ", log)
    assert re.search(r"admin accepted ip=10[0-9.]+ .* kind=rpc hub=\"default\" ", log)


def test_no_password_no_way_in(make_lab):
    """A server whose administrator has no password is administered on the local socket alone."""
    lab = make_lab(hubs=[])
    lab.server.start()
    assert login_error(lab, password="") == 51
    assert login_error(lab, password="x") == 51
    assert login_error(lab, hub="DEFAULT", password="") == 51
    lab.server.rpc("SetServerPassword", PlainTextPassword_str="日本")
    assert login_error(lab, password="日本") == 0
    assert login_error(lab, password="") == 12
    # It has survived; and is nowhere to be read.
    lab.server.kill()
    lab.server.start()
    assert login_error(lab, password="日本") == 0
    assert "日本" not in lab.server.stored()
    lab.server.rpc("SetServerPassword", PlainTextPassword_str="")
    assert login_error(lab, password="日本") == 51
    lab.close()


def test_from_where(lab):
    """adminip.txt: who no line allows is refused before his password is looked at; noticed while the daemon runs."""
    file, server = lab.server.state / "adminip.txt", lab.server

    def write(text):
        before = len(re.findall("rules say from where", server.log()))
        file.write_text(text, encoding="utf-8")
        wait_for("the rules", lambda: len(re.findall("rules say from where", server.log())) > before)

    def errors():
        return [login_error(lab, hub) for hub in ("", "default", "SECOND", "NONE")]

    usual = [0, 0, 0, 8]
    assert errors() == usual
    write("# who may\n127.0.0.1 // this host\n10.77.0.0/24 DEFAULT # and its neighbours\n")
    assert errors() == [109, 0, 109, 109]
    for _ in range(8):  # no guess: nobody waits longer for it
        assert login_error(lab, password="wrong") == 109
    assert vpncmd(server.node, ["HubList"])[0].error == 0
    with Api(lab.nodes["wire"], SERVER4) as api, pytest.raises(RpcError) as refused:
        api.call("Test")
    assert refused.value.code == 403
    assert re.search(r"login refused ip=10[0-9.]+ .* error=109 reason=source kind=rpc hub=\"\" ", server.log())
    write("nonsense\n10.77.0.11/33\n10.77.0.0/255.255.255.0 SECOND\n")
    assert errors() == [109, 109, 0, 109]
    assert "adminip.txt:1: should be an address" in server.log()
    write("")
    assert errors() == [109] * 4
    assert server.rpc("Test", IntValue_u32=1)["IntValue_u32"] == 1
    server.kill()
    server.start()
    assert errors() == [109] * 4
    write("*\n")
    assert errors() == usual
    file.unlink()
    file.mkdir()
    wait_for("nobody", lambda: errors() == [109] * 4)
    file.rmdir()
    wait_for("everybody", lambda: errors() == usual)


# ---- the server -----------------------------------------------------------------------------------

def test_server(lab, cmd):
    """Server, capabilities, certificate."""
    saved = lab.server.node.folder / "got.cer"
    info, status, caps, *_ = cmd("ServerInfoGet", "ServerStatusGet", "Caps", f"ServerCertGet {relative(saved)}",
                                 ("RouterList", 33), ("Crash yes", 33), "About")
    assert info.items()["Server Type"] == "Standalone Server"
    assert status.items()["Number of Virtual Hubs"] == "3"
    assert caps.items()["Local Bridge is Supported"] == "Yes"
    assert caps.items()["SecureNAT is Supported"] == "No"
    with Rpc(lab.nodes["wire"], SERVER4) as rpc:
        shown = rpc.conn.certificate()
        assert rpc.call("GetServerCert")["Cert"] == [shown]
    assert certs.openssl("x509", "-in", saved, "-outform", "DER") == shown


def test_listeners(lab, cmd):
    """Added, switched and removed while it runs; a session that came in over one outlives it; a restart keeps it."""
    cmd("ListenerCreate 5556", ("ListenerCreate 5556", 54), ("ListenerDelete 5557", 53))
    session = Session(connect(lab.nodes["wire"], SERVER4, 5556))
    session.login("DEFAULT", "guest")
    session.wait_ready()
    cmd("ListenerDisable 5556")
    with pytest.raises(OSError):
        connect(lab.nodes["wire"], SERVER4, 5556)
    cmd("ListenerEnable 5556")
    connect(lab.nodes["wire"], SERVER4, 5556).close()
    done = cmd("ListenerDelete 5556", "ListenerDelete 992", "ListenerCreate 5558", "ListenerDisable 5558",
               "ListenerCreate 5559", "ListenerList")
    assert [(r["Port Number"], r["Status"]) for r in done[-1].rows()] == [
        ("TCP 8888", "Listening"), ("TCP 443", "Listening"), ("TCP 5558", "Stopped"), ("TCP 5559", "Listening")]
    with pytest.raises(OSError):
        connect(lab.nodes["wire"], SERVER4, 5556)
    assert session.name in [s["name"] for s in lab.server.sessions("DEFAULT")]
    session.close()
    lab.server.kill()
    lab.server.start()
    assert cmd("ListenerList")[0].text == done[-1].text
    cmd("ListenerDelete 5558", "ListenerDelete 5559", "ListenerCreate 992")
    lab.server.rpc("Flush")
    assert "listeners" not in (lab.server.state / "directory.cfg").read_text("utf-8")


def test_password(lab, cmd):
    """A new password; whoever set it stays, who came with the old one leaves, and nothing tells it."""
    with Rpc(lab.nodes["wire"], SERVER4) as other:
        cmd(f"ServerPasswordSet {JAPANESE}", "HubList")
        other.send(pack.encode({"function_name": "EnumHub"}))
        assert other.ended()
    assert login_error(lab) == 12
    cmd("ServerPasswordSet adminpw", password=JAPANESE)
    assert login_error(lab) == 0


# ---- sessions, tables, connections ----------------------------------------------------------------

def test_sessions_and_macs(lab, cmd, join):
    """Listed, looked at, removed."""
    a, b = join(), join("alice", password="alicepw")
    mac = frames.mac(1, 77)
    a.send(frames.frame(frames.BROADCAST, mac))
    assert b.wait_frame(lambda f: f[6:12] == mac)
    _, sessions, one, macs = cmd("Hub DEFAULT", "SessionList", f"SessionGet {a.name}", "MacTable")
    assert {(r["Session Name"], r["User Name"]) for r in sessions.rows()} == {(a.name, "guest"), (b.name, "alice")}
    assert one.items()["User Name (Authentication)"] == "guest"
    (row,) = macs.rows()
    assert (row["Session Name"], row["MAC Address"].lower()) == (a.name, mac.hex("-"))
    cmd("Hub DEFAULT", f"MacDelete {row['ID']}", (f"MacDelete {row['ID']}", 29), (f"SessionGet {a.name}9", 29),
        (f"SessionDisconnect {a.name}9", 29), f"SessionDisconnect {a.name}")
    assert a.wait_end()
    assert [s["name"] for s in lab.server.sessions("DEFAULT")] == [b.name]


def test_connections(lab, cmd, join):
    """The tool sees itself, and ends a session's connection."""
    a = join()
    rows = cmd("ConnectionList")[0].rows()
    assert {r["Type"] for r in rows} >= {"Management RPC", "Client"}, rows
    name = next(c["name"] for c in lab.server.connections() if c["session"] == a.name)
    one, *_ = cmd(f"ConnectionGet {name}", ("ConnectionGet CID-0", 29), ("ConnectionDisconnect CID-0", 29),
                  f"ConnectionDisconnect {name}")
    assert one.items()["Connection Name"] == name
    assert a.wait_end()


def test_bridges(cmd):
    """A local bridge to a TAP comes and goes."""
    (devices,) = cmd("BridgeDeviceList")
    assert "net_af_packet_wan0,iface=wan0" in devices.text and "iface=lo" not in devices.text
    done = cmd("BridgeCreate DEFAULT /DEVICE:pbcmd /TAP:yes", "BridgeList", "Hub DEFAULT", "SessionList",
               "BridgeDelete DEFAULT /DEVICE:pbcmd", ("BridgeDelete DEFAULT /DEVICE:pbcmd", 29), "BridgeList")
    (row,) = done[1].rows()
    assert (row["Virtual Hub Name"], row["Network Adapter or Tap Device Name"]) == ("DEFAULT", "pbcmd")
    assert not done[-1].rows()


# ---- accounts -------------------------------------------------------------------------------------

def test_accounts(lab, cmd):
    """Hub, user, group, policy, options, source addresses: every command, in Japanese, and who is not there."""
    user, name, note, group = JAPANESE, "山田太郎", "覚え書き", "グループ"
    done = {d.command.split(" ")[0]: d for d in cmd(
        "HubCreate HUBX /PASSWORD:hubxpw", ("HubCreate HUBX /PASSWORD:x", 57), "Hub HUBX", "SetHubPassword newpw", "SetMaxSession 7",
        "SetEnumDeny", "Offline", "Online", "OptionsGet",
        f"GroupCreate {group} /REALNAME:none /NOTE:none", f"GroupPolicySet {group} /NAME:MaxMac /VALUE:5",
        f"UserCreate {user} /GROUP:{group} /REALNAME:{name} /NOTE:{note}",
        (f"UserCreate {user} /GROUP:none /REALNAME:none /NOTE:none", 66), f"UserPasswordSet {user} /PASSWORD:秘密", f"UserGet {user}",
        "UserList", f"GroupGet {group}", "GroupList", f"GroupUnjoin {user}", f"GroupJoin {group} /USERNAME:{user}",
        f"UserPolicySet {user} /NAME:MaxIP /VALUE:6", f"UserPolicyRemove {user}",
        f'UserExpiresSet {user} /EXPIRES:"2030/01/01 00:00:00"', "AdminOptionList", "AdminOptionSet max_users /VALUE:10",
        "ExtOptionList", "AcAdd allow /PRIORITY:100 /IP:10.0.0.0/8", "AcAdd6 deny /PRIORITY:200 /IP:2001:db8::/32",
        "AcList", "StatusGet")}
    cmd("Hub HUBX", ("UserGet nobody", 29), ("UserDelete nobody", 29), ("GroupGet nobody", 29), ("GroupDelete nobody", 29))
    assert (done["UserGet"].items()["User Name"], done["UserGet"].items()["Full Name"]) == (user, name)
    assert [(r["User Name"], r["Full Name"], r["Group Name"], r["Description"]) for r in done["UserList"].rows()] == [
        (user, name, group, note)]
    assert len(done["AcList"].rows()) == 2
    got = lab.server.rpc("GetUser", HubName_str="HUBX", Name_str=user)
    assert (got["Realname_utf"], got["Note_utf"], got["GroupName_str"]) == (name, note, group)
    assert set(got.get("HashedKey_bin", "A")) <= set("A="), "a hash is nobody's business"
    text = lab.server.stored()
    assert all(word in text for word in (user, name, note, group)) and "秘密" not in text
    Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("HUBX", user, "秘密").close()
    assert login_error(lab, hub="HUBX", password="newpw") == 0
    cmd("Hub HUBX", "AcDel 1", "AcDel 1", f"UserDelete {user}", (f"UserDelete {user}", 29), f"GroupDelete {group}")
    cmd("HubDelete HUBX", ("HubDelete HUBX", 8))


# What is theirs and what is ours, and what passes with time: everything else has to be the same. The original's
# record of a hub or server has more of what Patchbay does not have yet.
DIFFERENT = re.compile(r"Product|Version|Build|Host Name|Operating System|Kernel|Memory|Started|Current Time|Clock|"
                       r"^ID$|Shared Secret|Created|Updated|Last|Transfer|Packets|Size|Logins|Number of Active Sockets|Sockets|SecureNAT", re.I)
# In the lab's folder: AUTHORITY stands for a certificate there.
SETUP = ["HubCreate SAME /PASSWORD:pw", "Hub SAME", "GroupCreate g /REALNAME:組 /NOTE:none", "UserCreate u /GROUP:g /REALNAME:名 /NOTE:注",
         "UserPasswordSet u /PASSWORD:pw", "UserCreate v /GROUP:none /REALNAME:none /NOTE:none", "UserAnonymousSet v",
         "UserPolicySet v /NAME:MaxMac /VALUE:5", "GroupPolicySet g /NAME:NoBridge /VALUE:no", "SetMaxSession 9",
         "AcAdd allow /PRIORITY:100 /IP:10.0.0.0/8", "AcAdd6 deny /PRIORITY:200 /IP:2001:db8::/32",
         "CAAdd AUTHORITY", "CrlAdd /SERIAL:0102 /MD5: /SHA1: /CN:gone.example /O:組 /OU: /C:JP /ST: /L:",
         'RadiusServerSet "127.0.0.1,192.0.2.1:1645" /SECRET:s3 /RETRY_INTERVAL:1500',
         "UserCreate r /GROUP:none /REALNAME:none /NOTE:none", "UserRadiusSet r /ALIAS:other",
         "UserCreate c /GROUP:none /REALNAME:none /NOTE:none", "UserCertSet c /LOADCERT:AUTHORITY",
         "UserCreate s /GROUP:none /REALNAME:none /NOTE:none", "UserSignedSet s /CN:cn.example /SERIAL:0A0B",
         'UserExpiresSet s /EXPIRES:"2030/01/01 00:00:00"']
READING = ["ServerInfoGet", "ServerStatusGet", "Hub SAME", "StatusGet", "UserList", "UserGet u", "UserGet v", "GroupList", "GroupGet g",
           "OptionsGet", "AcList", "SessionList", "MacTable", "AdminOptionList",
           "CAList", "CrlList", "RadiusServerGet", "UserGet r", "UserGet c", "UserGet s"]


def seen(done):
    """What a reading command printed, as {item or row: values} without what may differ."""
    rows = done.rows()
    if rows and set(rows[0]) == {"Item", "Value"}:
        return {r["Item"]: r["Value"] for r in rows if not DIFFERENT.search(r["Item"])}
    return sorted(({k: v for k, v in r.items() if k and not DIFFERENT.search(k)} for r in rows), key=repr)


def test_same_as_the_original(make_lab):
    """The same set-up and the same questions to Debian's server: the same answers, but for what is theirs."""
    answers, folder = [], make_lab().server.node.folder
    authority = relative(certs.make(folder, "authority", "/CN=root.example/O=組/OU=Unit/C=JP", ca=True, days=3650).cert)
    for kind, port, password in (("softether", 5555, None), ("patchbay", 8888, ADMIN_PASSWORD)):
        lab = make_lab(kind=kind)
        lab.server.start()
        node = lab.server.node
        done = vpncmd(node, [c.replace("AUTHORITY", authority) for c in SETUP + READING], port=port, password=password)
        assert not [d.command for d in done if d.error], kind
        answers.append({d.command: seen(d) for d in done[len(SETUP):]})
        # The tool shows times as they are, though the PACK has them nine hours early.
        shown = done[-1].items()["Created on"]
        assert abs(time.mktime(time.strptime(re.sub(r" \(.*\)", "", shown), "%Y-%m-%d %H:%M:%S")) - time.time()) < 600, kind
        if kind == "patchbay":
            expires = lab.server.rpc("GetUser", HubName_str="SAME", Name_str="s")["ExpireTime_dt"]
            assert time.strftime("%Y-%m-%d %H:%M", time.localtime(calendar.timegm(time.strptime(expires[:16], "%Y-%m-%dT%H:%M")))) \
                == "2030-01-01 00:00"
        lab.close()
    theirs, ours = answers
    for command, want in theirs.items():
        assert ours[command] == want, command


# ---- roles ----------------------------------------------------------------------------------------

def test_hub_administrator(lab, cmd):
    """Reads the server, changes nothing of it, sees his own hub alone."""
    lists = cmd("ServerInfoGet", "ServerStatusGet", "HubList", "ListenerList", "BridgeList", ("ListenerCreate 5560", 52),
                ("ListenerDelete 443", 52), ("ServerPasswordSet x", 52), ("ConnectionList", 52),
                ("BridgeCreate DEFAULT /DEVICE:x /TAP:yes", 52), "StatusGet", "SessionList", "MacTable",
                ("Hub SECOND", 52), hub="DEFAULT")
    assert [r["Virtual Hub Name"] for r in lists[2].rows()] == ["DEFAULT"]
    with Rpc(lab.nodes["wire"], SERVER4, hub="DEFAULT") as rpc:
        with pytest.raises(RpcError) as refused:
            rpc.call("EnumSession", HubName="SECOND")
        assert refused.value.code == 52


# ---- the RPC itself -------------------------------------------------------------------------------

def test_malformed(lab):
    """What is no request ends the connection politely and nothing else; unknown and empty calls are 33."""
    bodies = [b"", b"\0", bytes(4), struct.pack(">I", 1), b"\xff" * 64]
    for body in bodies:
        with Rpc(lab.nodes["wire"], SERVER4) as rpc:
            if body == bytes(4):  # a PACK without elements asks for no method
                rpc.send(body)
                assert pack.first(rpc.recv(), "error") == 33
                continue
            rpc.send(body)
            assert rpc.ended(), body
    with Rpc(lab.nodes["wire"], SERVER4) as rpc:
        rpc.conn.send(struct.pack(">I", 1 << 30))
        assert rpc.ended()
    with Rpc(lab.nodes["wire"], SERVER4) as rpc:
        for code, method, params in [(33, "NoSuchMethod", {}), (38, "EnumSession", {}), (8, "EnumSession", {"HubName": "X"}),
                                     (38, "EnumSession", {"HubName": "x" * 300}), (29, "GetSessionStatus",
                                                                                   {"HubName": "DEFAULT", "Name": "X"})]:
            with pytest.raises(RpcError) as refused:
                rpc.call(method, **params)
            assert refused.value.code == code, method
        # Byte by byte, and two requests in one record: each has its answer, in order.
        one = pack.encode({"function_name": "Test", "IntValue": 1})
        two = pack.encode({"function_name": "Test", "IntValue": 2})
        for byte in struct.pack(">I", len(one)) + one:
            rpc.conn.send(bytes([byte]))
        assert rpc.recv()["IntValue"] == [1]
        rpc.conn.send(b"".join(struct.pack(">I", len(b)) + b for b in (two, one)))
        assert [rpc.recv()["IntValue"], rpc.recv()["IntValue"]] == [[2], [1]]


def test_many_administrators(lab):
    """A hundred at once are served; the list of connections names them; they end when they are told to."""
    many = [Rpc(lab.nodes["wire"], SERVER4) for _ in range(100)]
    for rpc in many:
        rpc.send(pack.encode({"function_name": "EnumConnection"}))
    for rpc in many:
        assert len(rpc.recv()["Name"]) >= 100
    names = [c["name"] for c in lab.server.connections() if c["state"] == "admin"]
    assert len(names) == 100
    lab.server.rpc("DisconnectConnection", Name_str=names[0])
    assert any(rpc.ended(0.1) for rpc in many[:3]) or many[0].ended()
    for rpc in many:
        rpc.close()
    wait_for("administrators gone", lambda: all(c["state"] not in ("admin", "closing")
                                                for c in lab.server.connections()))


def test_shutdown_says_goodbye(make_lab):
    """An end of the daemon ends administrators' connections with close_notify."""
    lab = make_lab()
    lab.server.start()
    rpc = Rpc(lab.nodes["wire"], SERVER4)
    assert lab.server.stop() == 0
    assert rpc.ended()
    lab.close()
