# SPDX-License-Identifier: BSD-3-Clause
"""The options by which the server's administrator fences in a hub's (hub.md 11.2): the same commands of the real
vpncmd in a hub without any and in a hub with all of them.

With --server=softether Debian's server is asked the same. Those of users' logins are in test_policy_login.py.
"""

import re

import pytest

from lab import SERVER4, Hub, User, certs, frames, wait_for
from lab.admin import relative, vpncmd
from lab.wireclient import Session, connect

HUB_PASSWORD = "adminpw"
LIMITS = {"max_users": 3, "max_groups": 1, "max_accesslists": 1}
FENCES = [
    "deny_hub_admin_change_ext_option", "no_change_users", "no_change_groups", "no_online", "no_offline",
    "no_change_log_config", "no_disconnect_session", "no_delete_iptable", "no_delete_mactable", "no_enum_session",
    "no_query_session", "no_change_admin_password", "no_change_access_list", "no_change_access_control_list",
    "no_change_cert_list", "no_change_crl_list", "no_read_log_file"]
RULE = ("/MEMO:m /PRIORITY:{} /SRCUSERNAME: /DESTUSERNAME: /SRCMAC: /DESTMAC: /SRCIP:0.0.0.0/0 /DESTIP:0.0.0.0/0 /PROTOCOL: "
        "/SRCPORT: /DESTPORT: /TCPSTATE:")
USERS = [User("guest", "pw"), User("other", "pw")]


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """Hubs: open; with all fences up; with limits; with the options that change what is taken."""
    lab = make_lab(hubs=[
        Hub("OPEN", USERS, admin_options={"allow_hub_admin_change_option": True}),
        Hub("FENCED", USERS, admin_options={name: True for name in FENCES}),
        Hub("LIMITED", USERS, admin_options=LIMITS),
        Hub("BENT", USERS, admin_options={"no_delay_jitter_packet_loss": True, "no_change_log_switch_type": True,
                                          "no_access_list_include_file": True}),
    ])
    lab.server.start()
    yield lab
    lab.close()


def run(lab, hub, *commands):
    """What the hub's administrator gets: [(command, error)], and the texts."""
    port = 8888 if lab.kind == "patchbay" else 5555
    done = vpncmd(lab.server.node, commands, port=port, hub=hub, password=HUB_PASSWORD)
    return {d.command: d.error for d in done}, {d.command: d.text for d in done}


def session(lab, hub):
    """A session that is in all tables."""
    made = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login(hub, "guest", "pw").wait_ready()
    made.send(frames.arp_request(frames.mac(1, 90), "10.9.90.1", "10.9.90.9"))
    wait_for("the MAC table", lambda: lab.server.macs(hub))
    return made


def fenced(lab, hub):
    """{option: (error, of which command)}: one command for each fence."""
    one = session(lab, hub)
    cert = certs.make(lab.server.node.folder, f"ca-{hub}", f"/CN={hub}", ca=True).cert
    by = {
        "deny_hub_admin_change_ext_option": "ExtOptionSet NoIpTable /VALUE:0",
        "no_change_users": "UserCreate new /GROUP:none /REALNAME:none /NOTE:none",
        "no_change_groups": "GroupCreate new /REALNAME:none /NOTE:none",
        "no_change_log_config": "LogDisable packet", "no_delete_iptable": "IpDelete 1", "no_delete_mactable": "MacDelete 1",
        "no_enum_session": "SessionList", "no_query_session": f"SessionGet {one.name}",
        "no_change_admin_password": f"SetHubPassword {HUB_PASSWORD}", "no_change_access_list": "AccessAdd pass " + RULE.format(9),
        "no_change_access_control_list": "AcAdd allow /PRIORITY:1 /IP:10.0.0.0/8",
        "no_change_cert_list": f"CAAdd {relative(cert)}",
        "no_change_crl_list": "CrlAdd /SERIAL:01 /MD5: /SHA1: /CN:a /O: /OU: /C: /ST: /L:",
        "no_read_log_file": "LogFileList", "no_disconnect_session": f"SessionDisconnect {one.name}",
        "no_offline": "Offline", "no_online": "Online",
    }
    errors, _ = run(lab, hub, *by.values())
    one.close()
    return {option: errors[command] for option, command in by.items()}


def test_fences(lab):
    """Each command works without its option and is refused with it: 52, but for what is not there any more (29)."""
    free, shut = fenced(lab, "OPEN"), fenced(lab, "FENCED")
    assert set(FENCES) == set(shut)
    # The tables' entries have no number 1 for certain: 29 says that the fence let the command through.
    assert {o: e for o, e in free.items() if e not in (0, 29)} == {}
    assert [o for o, e in free.items() if e == 29 and o not in ("no_delete_iptable", "no_delete_mactable")] == []
    assert {o: e for o, e in shut.items() if e != 52} == {}


def test_who_may_change_them(lab):
    """The hub's administrator himself only with allow_hub_admin_change_option."""
    command = "AdminOptionSet max_users /VALUE:77"
    assert run(lab, "OPEN", command)[0] == {command: 0}
    assert run(lab, "FENCED", command)[0] == {command: 52}
    assert "77" in run(lab, "OPEN", "AdminOptionList")[1]["AdminOptionList"]
    assert "77" not in run(lab, "FENCED", "AdminOptionList")[1]["AdminOptionList"]


def test_limits(lab):
    """As many users, groups and access rules as there may be, and not one more (63, 64, 62)."""
    commands = [f"{what} {name} {more}" for what, more in (
        ("UserCreate", "/GROUP:none /REALNAME:none /NOTE:none"), ("GroupCreate", "/REALNAME:none /NOTE:none"))
        for name in ("one", "two")] + ["AccessAdd pass " + RULE.format(n) for n in (1, 2)]
    assert list(run(lab, "LIMITED", *commands)[0].values()) == [0, 63, 0, 64, 0, 62]


def test_parts_that_are_left_out(lab):
    """Delay, jitter and loss of a rule are zeroed, when log files change stays as it is."""
    ex = "AccessAddEx pass " + RULE.format(1) + " /DELAY:100 /JITTER:10 /LOSS:5 /REDIRECTURL:"
    get = "AccessList"
    for hub, kept in (("OPEN", True), ("BENT", False)):
        before = re.search(r"Switch Cycle.*", run(lab, hub, "LogGet")[1]["LogGet"])[0]
        errors, texts = run(lab, hub, ex, get, "LogSwitchSet security /SWITCH:hour", "LogGet")
        assert set(errors.values()) == {0}, errors
        assert bool(re.search(r"Delay|100 ?ms|[Jj]itter", texts[get])) == kept, texts[get]
        assert (re.search(r"Switch Cycle.*", texts["LogGet"])[0] != before) == kept


def test_include(lab):
    """Rules that take their users from a file: taken where nothing forbids it, and in neither form where the option does.

    The original takes such a rule without its user, for everybody then, and says nothing; Patchbay refuses it (52).
    """
    for name in ("SRCUSERNAME:", "DESTUSERNAME:"):
        for form in ("include:", "EXCLUDE:"):
            command = "AccessAdd pass " + RULE.format(5).replace(f"/{name}", f"/{name}{form}some.txt")
            plain = command.replace(form, "")
            for hub, refused in (("OPEN", False), ("BENT", True)):
                errors, texts = run(lab, hub, command, plain, "AccessList")
                listed = f"{form}some.txt" in texts["AccessList"]
                assert listed != refused, texts["AccessList"]
                assert errors[plain] == 0
                if lab.kind == "patchbay":
                    assert errors[command] == (52 if refused else 0)
    assert "some.txt" in run(lab, "BENT", "AccessList")[1]["AccessList"]
