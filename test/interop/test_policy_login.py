# SPDX-License-Identifier: BSD-3-Clause
"""Who gets in, in which mode and with which policy: reference/policy.md 1 and 7, hub.md 6, auth.md 7.

One hub per rule, so that all of it stands in the configuration and the same test code asks Patchbay and the
original (--server=softether).
"""

import contextlib
import datetime
import os

import pytest

from lab import SERVER4, SERVER6, Group, Hub, LabError, User, pack, wait_for
from lab.wireclient import LoginError, Session, connect

WIRE4, OTHER4 = "10.77.0.11", "10.77.0.99"
STAFF = Group("staff", {"MaxIP": 8, "TimeOut": 9})
BOTH = {"NoBridge": True, "NoRouting": True}

DEFAULT = [
    User("plain", "pw"),
    User("own", "pw", group="staff", policy={"MaxMac": 9, "TimeOut": 7}),
    User("member", "pw", group="staff"),
    User("bare", "pw", group="nopolicy"),
    User("denied", "pw", policy={"Access": False}),
    User("expired", "pw", expires="2020-01-01T00:00:00Z"),
    User("later", "pw", expires="2035-01-01T00:00:00Z"),
    User("watcher", "pw", policy={"MonitorPort": True}),
    User("nobridge", "pw", policy={"NoBridge": True}),
    User("norouting", "pw", policy={"NoRouting": True}),
    User("neither", "pw", policy=BOTH),
    User("twice", "pw", policy={"MultiLogins": 2}),
    User("few", "pw", policy={"MaxConnection": 4}),
    User("nosave", "pw", policy={"NoSavePassword": True, "Access": False}),
    User("tagged", "pw", policy={"VLanId": 7, "AutoDisconnect": 3600, "MaxUpload": 4294967295}),
    User("empty", ""),
    User("guest"),
    User("changes", "pw"),
    User("fixed", "pw", policy={"FixPassword": True}),
    User("noqos", "pw", policy={"NoQoS": True}),
]
HUBS = [
    Hub("DEFAULT", DEFAULT, groups=[STAFF, Group("nopolicy")]),
    Hub("FULL", [User("u", "pw")], max_sessions=1),
    Hub("SOURCES", [User("u", "pw")], sources=[
        (30, True, "10.77.0.0/24"), (20, False, f"{WIRE4}/32"), (10, True, "10.99.0.0/16")]),
    Hub("REFUSES", [User("u", "pw")], online=False, sources=[(1, True, "10.77.0.0/24")]),
    Hub("FENCED", [User("u", "pw"), User("empty", ""), User("guest"), User("watcher", policy={"MonitorPort": True})],
        admin_options={"deny_empty_password": True, "deny_bridge": True, "deny_routing": True, "deny_qos": True,
                       "max_bitrates_download": 3000000, "max_bitrates_upload": 4000000,
                       "max_multilogins_per_user": 1}),
    Hub("HALFOPEN", [User("u", "pw")], admin_options={"deny_routing": True}),
    Hub("MODES", [User("u", "pw"), User("v", "pw")], admin_options={
        "max_sessions_client_bridge_apply": True, "max_sessions_client": 1, "max_sessions_bridge": 2}),
    Hub("BOUNDED", [User("u", "pw")], admin_options={"max_sessions": 1}),
    Hub("NEWER", [User("u", "pw")], options={"ClientMinimumRequiredBuild": 9675}),
    Hub("BRANDED", [User("u", "pw")], options={"RequiredClientId": 4711}),
    Hub("STILL", [User("u", "pw")], options={"SuppressClientUpdateNotification": True}),
    Hub("FIXED", [User("u", "pw")], admin_options={"deny_change_user_password": True}),
    Hub("OPEN", [User("u", "pw")], password=""),
]
# vpncmd cannot be told an empty password by a script.
NO_TOOL = pytest.mark.patchbay
BRIDGE, MONITOR = {"require_bridge_routing_mode": 1}, {"require_monitor_mode": 1}


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """The hubs above."""
    lab = make_lab(hubs=HUBS)
    lab.server.start()
    return lab


@pytest.fixture(name="enter")
def fixture_enter(lab):
    """enter(hub, user, password="pw", **login): a session; gone from the server after the test."""
    made = []

    def enter(hub, user, password="pw", host=SERVER4, source=None, node="wire", **more):
        session = Session(connect(lab.nodes[node], host, 8888, source=source))
        if "client" in more:
            session.CLIENT = {**session.CLIENT, **more.pop("client")}
        session.login(hub, user, password, **more)
        made.append((hub, session))
        return session

    yield enter
    for hub, session in made:
        if session.name in [s["name"] for s in lab.server.sessions(hub)]:
            with contextlib.suppress(LabError):  # it may end by itself meanwhile
                lab.server.delete_session(hub, session.name)
        session.close()


def code(enter, *args, **options):
    """0, or the code of the refusal."""
    try:
        enter(*args, **options)
        return 0
    except LoginError as e:
        return e.code


def policy_of(session):
    """{key: value} of the welcome's policy."""
    return {k.partition(":")[2]: v[0] for k, v in session.welcome.items() if k.startswith("policy:")}


# ---- which policy -------------------------------------------------------------------------------

@pytest.mark.parametrize("user, want", [
    ("plain", {"MaxMac": 0, "MaxIP": 0, "TimeOut": 20, "MaxConnection": 32, "Access": 1}),
    ("own", {"MaxMac": 9, "MaxIP": 0, "TimeOut": 7}),
    ("member", {"MaxMac": 0, "MaxIP": 8, "TimeOut": 9}),
    ("bare", {"MaxMac": 0, "MaxIP": 0, "TimeOut": 20}),
    ("tagged", {"VLanId": 7, "AutoDisconnect": 3600, "MaxUpload": 4294967295}),
])
def test_user_then_group_then_default(enter, user, want):
    """As a whole, no key of the one with the other; told in the welcome."""
    session = enter("DEFAULT", user)
    got = policy_of(session)
    assert {k: got[k] for k in want} == want
    assert session.timeout_s == got["TimeOut"]
    assert got["Ver3"] == 1 and len(got) == 39


@pytest.mark.parametrize("user, login, want", [
    ("plain", {}, (1, 1, 0)),
    ("plain", BRIDGE, (0, 0, 0)),
    ("nobridge", BRIDGE, (1, 0, 0)),
    ("norouting", BRIDGE, (0, 1, 0)),
    ("watcher", {}, (1, 1, 0)),
    ("watcher", MONITOR, (1, 1, 1)),
])
def test_policy_of_the_mode(enter, user, login, want):
    """The session's own copy of NoBridge, NoRouting and MonitorPort."""
    got = policy_of(enter("DEFAULT", user, **login))
    assert (got["NoBridge"], got["NoRouting"], got["MonitorPort"]) == want


@pytest.mark.parametrize("name", ["Some VPN Server", "A Bridge of ours"])
def test_products_that_bridge(enter, name):
    """Their name is as good as asking for bridge mode (wire.md 3.1)."""
    got = policy_of(enter("DEFAULT", "plain", client={"client_str": name}, hello=name))
    assert got["NoBridge"] == got["NoRouting"] == 0


def test_from_the_same_host(enter):
    """Neither is forced on who runs where the server runs."""
    got = policy_of(enter("DEFAULT", "plain", host="127.0.0.1", node="server"))
    assert got["NoBridge"] == got["NoRouting"] == 0


def test_connections(enter):
    """The smaller of wish and policy."""
    assert enter("DEFAULT", "few", max_connection=8).welcome["max_connection"] == [4]
    assert enter("DEFAULT", "few", max_connection=3).welcome["max_connection"] == [3]


def test_fenced_in(enter):
    """Admin options bound the policy of everybody."""
    session = enter("FENCED", "u", qos=1, max_connection=8)
    got = policy_of(session)
    assert got["MaxDownload"] == 3000000 and got["MaxUpload"] == 4000000
    assert got["NoBridge"] == got["NoRouting"] == 1
    assert session.welcome["qos"] == [0]


# ---- who is refused -----------------------------------------------------------------------------

@pytest.mark.parametrize("hub, user, login, want", [
    ("DEFAULT", "denied", {}, 12),
    ("DEFAULT", "denied", {"password": "wrong"}, 9),
    ("DEFAULT", "expired", {}, 12),
    ("DEFAULT", "expired", {"password": "wrong"}, 9),
    ("DEFAULT", "later", {}, 0),
    ("DEFAULT", "plain", MONITOR, 107),
    ("DEFAULT", "watcher", MONITOR, 0),
    ("DEFAULT", "denied", MONITOR, 12),
    ("DEFAULT", "neither", {}, 0),
    ("DEFAULT", "neither", BRIDGE, 108),
    ("DEFAULT", "neither", {**BRIDGE, **MONITOR}, 107),
    ("DEFAULT", "nobridge", BRIDGE, 0),
    ("DEFAULT", "norouting", BRIDGE, 0),
    pytest.param("DEFAULT", "empty", {"password": ""}, 0, marks=NO_TOOL),
    ("FENCED", "u", {}, 0),
    pytest.param("FENCED", "empty", {"password": ""}, 51, marks=NO_TOOL),
    ("FENCED", "empty", {"password": "x"}, 9),
    ("FENCED", "guest", {}, 51),
    ("FENCED", "watcher", MONITOR, 51),
    ("FENCED", "u", BRIDGE, 108),
    ("HALFOPEN", "u", BRIDGE, 0),
    ("NEWER", "u", {}, 87),
    ("NEWER", "u", {"password": "wrong"}, 9),
    ("NEWER", "u", {"client": {"client_build": 9675}}, 0),
    ("NEWER", "u", {"client": {"client_str": "something else"}}, 0),
    ("BRANDED", "u", {}, 127),
    ("BRANDED", "u", {"client_id": 4711}, 0),
    ("REFUSES", "u", {}, 109),
    ("DEFAULT", "administrator", {"password": "adminpw"}, 0),
    ("DEFAULT", "administrator", {"password": "wrong"}, 9),
    ("DEFAULT", "Administrator", {"password": "adminpw", **MONITOR}, 0),
    ("OPEN", "administrator", {"password": ""}, 51),
    ("OPEN", "administrator", {"password": "x"}, 9),
])
def test_code(enter, hub, user, login, want):
    """policy.md 7, each by itself, and of two the earlier."""
    assert code(enter, hub, user, **login) == want


@NO_TOOL
def test_empty_password_on_the_same_host(enter):
    """There it is allowed."""
    assert code(enter, "FENCED", "empty", "", host="127.0.0.1", node="server") == 0


def test_no_save_password_is_told_with_the_refusal(enter):
    """A client is to ask again, and not to keep what it was told (wire.md 4.3)."""
    with pytest.raises(LoginError) as e:
        enter("DEFAULT", "nosave")
    assert e.value.reply["no_save_password"] == [1]


def test_source_addresses(lab, enter):
    """The smallest matching priority decides, IPv6 is another list, other hubs do not care."""
    lab.nodes["wire"].ip(f"addr add {OTHER4}/24 dev eth0")
    assert code(enter, "SOURCES", "u") == 0
    assert code(enter, "SOURCES", "u", source=OTHER4) == 109
    assert code(enter, "SOURCES", "u", "wrong", source=OTHER4) == 109
    # The original refuses IPv6 where the list has nothing but IPv4 in it.
    assert lab.kind != "patchbay" or code(enter, "SOURCES", "u", host=SERVER6) == 0
    assert code(enter, "DEFAULT", "plain", source=OTHER4) == 0


def test_quiet_about_new_versions(enter):
    """SuppressClientUpdateNotification is told in the welcome."""
    name = "suppress_client_update_notification"
    assert [enter(hub, "u").welcome.get(name, [0]) for hub in ("STILL", "HALFOPEN")] == [[1], [0]]


# ---- the own password ---------------------------------------------------------------------------

def change(lab, hub, user, old, new):
    """The answer to a user who wants another password (wire.md 3.5)."""
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888))
    proof = pack.sha0(pack.hashed_password(user, old) + session.random)
    reply = session.conn.pack({"method": "password", "hubname": hub, "username": user, "secure_old_password": proof,
                               "new_password": pack.hashed_password(user, new)})
    session.close()
    return pack.first(reply, "error")


@pytest.mark.parametrize("hub, user, old, want", [
    ("NONE", "plain", "pw", 8), ("DEFAULT", "nobody", "pw", 69), ("DEFAULT", "plain", "wrong", 69),
    ("DEFAULT", "guest", "x", 68), ("DEFAULT", "fixed", "pw", 52), ("FIXED", "u", "pw", 52)])
def test_password_change_refused(lab, enter, hub, user, old, want):
    """Wrong, impossible, or forbidden by FixPassword or deny_change_user_password; nothing has changed."""
    assert change(lab, hub, user, old, "new") == want
    if want == 52:
        assert code(enter, hub, user, old) == 0


def test_password_change(lab, enter):
    """The new one is good from now on, and after a restart; the old one is not."""
    assert change(lab, "DEFAULT", "changes", "pw", "new") == 0
    assert code(enter, "DEFAULT", "changes", "pw") == 9
    session = enter("DEFAULT", "changes", "new")
    assert policy_of(session)["TimeOut"] == 20
    assert change(lab, "DEFAULT", "changes", "new", "pw") == 0
    if lab.kind == "patchbay":
        assert "password changed" in lab.server.log() and lab.server.counters()["password_changed"] == 2


# ---- how many -----------------------------------------------------------------------------------

def test_multi_logins(lab, enter):
    """The third at one time is refused, unless an installation comes back; one that has gone makes room."""
    pc = [os.urandom(16) for _ in range(3)]
    enter("DEFAULT", "twice", UniqueId=pc[0])
    second = enter("DEFAULT", "twice", UniqueId=pc[1])
    assert code(enter, "DEFAULT", "TWICE", UniqueId=pc[2]) == 20
    assert code(enter, "DEFAULT", "twice", UniqueId=pc[2], **MONITOR) == 107
    assert code(enter, "DEFAULT", "twice", UniqueId=pc[1]) == 0
    assert code(enter, "DEFAULT", "plain", UniqueId=pc[2]) == 0
    lab.server.delete_session("DEFAULT", second.name)
    for s in lab.server.sessions("DEFAULT"):
        if s["user"].lower() == "twice" and not s["name"].endswith("-" + second.name.rpartition("-")[2]):
            lab.server.delete_session("DEFAULT", s["name"])
    assert code(enter, "DEFAULT", "twice", UniqueId=pc[2]) == 0


def test_multi_logins_of_the_hub(enter):
    """max_multilogins_per_user bounds also who has no bound of its own."""
    enter("FENCED", "u", UniqueId=os.urandom(16))
    assert code(enter, "FENCED", "u", UniqueId=os.urandom(16)) == 20


@pytest.mark.parametrize("hub", ["FULL", "BOUNDED"])
def test_sessions_of_the_hub(lab, enter, hub):
    """MaxSession, and the admin option; a session that ends makes room."""
    first = enter(hub, "u")
    assert code(enter, hub, "u") == 16
    assert code(enter, hub, "u", "wrong") == 9
    lab.server.delete_session(hub, first.name)
    assert code(enter, hub, "u") == 0


def test_sessions_by_mode(enter):
    """One client, two bridges."""
    enter("MODES", "u")
    assert code(enter, "MODES", "v") == 16
    enter("MODES", "v", **BRIDGE)
    enter("MODES", "v", **BRIDGE)
    assert code(enter, "MODES", "v", **BRIDGE) == 16


# ---- what is shown, and how it ends -------------------------------------------------------------

def test_administrator(enter):
    """Its name, and a policy that lets it monitor without a limiter."""
    session = enter("DEFAULT", "administrator", "adminpw", **MONITOR)
    got = policy_of(session)
    assert session.name.startswith("SID-ADMINISTRATOR-")
    assert got["MonitorPort"] == 1 and got["NoBroadcastLimiter"] == 1


@pytest.mark.patchbay
def test_expires_while_logged_in(make_lab):
    """The session ends with the account."""
    lab = make_lab(hubs=[Hub("DEFAULT", [])])
    lab.server.start()
    # Time enough for a login on a busy machine.
    soon = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(seconds=8)
    lab.server.ctl("user", "create", "DEFAULT", "u", "--password", "pw", "--expires", soon.strftime("%Y-%m-%dT%H:%M:%SZ"))
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "u", "pw").wait_ready()
    assert session.wait_end(60) == "close_notify"
    wait_for("the session to go", lambda: not lab.server.sessions("DEFAULT"))
    assert datetime.datetime.now(datetime.timezone.utc) >= soon
    with pytest.raises(LoginError) as e:
        Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "u", "pw")
    assert e.value.code == 12
    assert "expired" in lab.server.log()
    lab.close()
