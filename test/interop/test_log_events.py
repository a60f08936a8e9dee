# SPDX-License-Identifier: BSD-3-Clause
"""Stations and leases in the security log, each with a hub that wants the line and one that does not; and the syslog
server as it is set at run time, with the original's tool. (What frames and logins leave: test_logs.py.)
"""

import itertools
import re
import socket

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from lab import SERVER4, Hub, User, frames, wait_for
from lab.admin import Rpc, vpncmd
from lab.wireclient import LoginError, Session, connect

pytestmark = pytest.mark.patchbay
BRIDGE = {"require_bridge_routing_mode": 1}
TELLS = {"NoMacAddressLog": False, "NoDhcpPacketLogOutsideHub": False}
HEAVY = {**TELLS, "DoNotSaveHeavySecurityLogs": True}
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module", name="lab", params=[1, 2], ids=["one worker", "two workers"])
def fixture_lab(request, make_lab):
    """A hub as hubs are by default, and one that tells everything; the same without violations; two to switch."""
    users = [User("alice", "pw"), User("bob", "pw"), User("few", "pw", policy={"MaxMac": 3})]
    lab = make_lab(hubs=[Hub("DEFAULT", users), Hub("TELLS", users, options=TELLS), Hub("HEAVY", users, options=HEAVY),
                         Hub("QUIET", users), Hub("LOUD", users)],
                   settings={"lcores": {"workers": request.param}})
    lab.server.start()
    yield lab
    lab.close()


@pytest.fixture(name="pair", params=["DEFAULT", "TELLS"])
def fixture_pair(request, lab, balanced):  # pylint: disable=unused-argument
    """(hub, alice, bob)"""
    joined = [Session(connect(lab.nodes["wire"], SERVER4, 8888)).login(request.param, user, "pw", **BRIDGE).wait_ready()
              for user in ("alice", "bob")]
    yield request.param, *joined
    for session in joined:
        session.close()


def text_of(mac):
    """As the log writes it."""
    return ":".join(f"{b:02x}" for b in mac)


def lines(lab, hub, event, mac):
    """Lines of the security log about this address."""
    path = lab.server.state / f"logs/security_log/{hub}/sec.log"
    text = path.read_text("utf-8") if path.exists() else ""
    return [line for line in text.splitlines() if f" {event} " in line and f"mac={text_of(mac)}" in line]


def moved(lab, hub, alice, bob):
    """A station that moves from alice to bob; its line is there in every hub, and comes behind all earlier ones."""
    mac = frames.mac(next(NUMBERS), 0x41)
    alice.send(frames.frame(frames.BROADCAST, mac))
    assert bob.wait_frame(lambda f: f[6:12] == mac)
    bob.send(frames.frame(frames.BROADCAST, mac))
    assert alice.wait_frame(lambda f: f[6:12] == mac)
    return wait_for("the line about a move", lambda: lines(lab, hub, "mac moved", mac))[0], mac


def test_stations(lab, pair):
    """A new address is told where the option says so; a move always, with both sessions."""
    hub, alice, bob = pair
    mac = frames.mac(next(NUMBERS), 0x40)
    alice.send(frames.frame(frames.BROADCAST, mac))
    assert bob.wait_frame(lambda f: f[6:12] == mac)
    line, other = moved(lab, hub, alice, bob)
    assert re.search(r'user="bob" hub="\w+" session="SID-BOB-\d+" .*other="SID-ALICE-\d+"', line), line
    # One sender's notices keep their order: what was to be told of the first is told.
    learned = lines(lab, hub, "mac learned", mac)
    if hub == "DEFAULT":
        assert not learned and not lines(lab, hub, "mac learned", other)
    else:
        (line,) = learned
        assert 'user="alice"' in line and re.search(r'session="SID-ALICE-\d+"', line), line
    # Known already: no second line.
    alice.send(frames.frame(frames.BROADCAST, mac))
    moved(lab, hub, alice, bob)
    assert lines(lab, hub, "mac learned", mac) == learned


def lease(client, address):
    """A DHCP server's acknowledgement."""
    return bytes(Ether(dst="ff:ff:ff:ff:ff:ff", src="02:00:00:00:42:01") / IP(src="10.9.0.1", dst="255.255.255.255")
                 / UDP(sport=67, dport=68) / BOOTP(op=2, xid=7, yiaddr=address, siaddr="10.9.0.1", chaddr=client)
                 / DHCP(options=[("message-type", "ack"), ("server_id", "10.9.0.1"), ("lease_time", 3600), "end"]))


def test_leases(lab, pair):
    """A lease of a station in the hub is told; of one that is not, where the option says so."""
    hub, alice, bob = pair
    known, unknown = frames.mac(next(NUMBERS), 0x43), frames.mac(next(NUMBERS), 0x44)
    bob.send(frames.frame(frames.BROADCAST, known))
    assert alice.wait_frame(lambda f: f[6:12] == known)
    alice.send(lease(unknown, "10.9.0.8"), lease(known, "10.9.0.7"))
    line = wait_for("the lease's line", lambda: lines(lab, hub, "dhcp lease", known))[0]
    assert 'lease=10.9.0.7' in line and 'server=10.9.0.1' in line and 'user="bob"' in line, line
    assert re.search(r'session="SID-BOB-\d+" .*other="SID-ALICE-\d+"', line), line
    outside = lines(lab, hub, "dhcp lease", unknown)
    assert len(outside) == (hub == "TELLS") and all("lease=10.9.0.8" in one for one in outside)
    # A request is no lease.
    assert not lines(lab, hub, "dhcp lease", frames.mac(1, 0x42))


@pytest.mark.parametrize("hub, told", [("TELLS", 1), ("HEAVY", 0)])
def test_violation(lab, balanced, hub, told):  # pylint: disable=unused-argument
    """A frame that breaks a policy has its line, unless DoNotSaveHeavySecurityLogs; one that breaks none never has."""
    few, bob = (Session(connect(lab.nodes["wire"], SERVER4, 8888)).login(hub, user, "pw", **BRIDGE).wait_ready()
                for user in ("few", "bob"))
    macs = [frames.mac(next(NUMBERS), 0x45) for _ in range(5)]
    few.send(*(frames.frame(frames.BROADCAST, mac) for mac in macs[:4]))
    assert bob.wait_frame(lambda f: f[6:12] == macs[2])
    # Its first address moves away, so that there is room for one more: one sender's notices keep their order.
    bob.send(frames.frame(frames.BROADCAST, macs[0]))
    assert few.wait_frame(lambda f: f[6:12] == macs[0])
    few.send(frames.frame(frames.BROADCAST, macs[4]))
    wait_for("the line of the last address", lambda: lines(lab, hub, "mac learned", macs[4]))
    found = [lines(lab, hub, "policy violation", mac) for mac in macs]
    assert [len(lines_) for lines_ in found] == [0, 0, 0, told, 0], found
    assert all('user="few"' in line and re.search(r'session="SID-FEW-\d+"', line) for line in found[3])
    few.close()
    bob.close()


def test_security_log_off(lab):
    """Logins, refusals, ends, and the hub's own coming and going: where the log is off there is none, until it is on."""
    events = ["login accepted", "login refused", "session ended", "hub offline", "hub online"]

    def text(hub):
        path = lab.server.state / f"logs/security_log/{hub}/sec.log"
        return path.read_text("utf-8") if path.exists() else ""

    def happens(hub):
        session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login(hub, "alice", "pw").wait_ready()
        with pytest.raises(LoginError):
            Session(connect(lab.nodes["wire"], SERVER4, 8888)).login(hub, "alice", "wrong")
        lab.server.delete_session(hub, session.name)
        session.close()
        lab.server.ctl("hub", "offline", hub)
        lab.server.ctl("hub", "online", hub)

    lab.server.ctl("log", "set", "QUIET", "--security", "no")
    before = text("QUIET")
    happens("QUIET")
    happens("LOUD")  # behind it in the same log thread
    wait_for("all lines", lambda: all(f" {event} " in text("LOUD") for event in events))
    assert text("QUIET") == before
    lab.server.ctl("log", "set", "QUIET", "--security", "yes")
    here = len(text("QUIET"))
    happens("QUIET")
    wait_for("all lines, now that it is on", lambda: all(f" {event} " in text("QUIET")[here:] for event in events))


def test_syslog(lab):
    """SyslogEnable, SyslogGet and SyslogDisable: in force at once, by name or address, and after a restart."""
    with lab.server.node.socket(kind=socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(1)
        port = server.getsockname()[1]
        done = vpncmd(lab.server.node, [f"SyslogEnable 2 /HOST:localhost:{port}", "SyslogGet"])
        assert [d.error for d in done] == [0, 0], "\n".join(d.text for d in done)
        assert "localhost" in done[1].text and str(port) in done[1].text, done[1].text

        def seen():
            # Until the name is known lines are lost: whoever comes then has his.
            session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "alice", "pw").wait_ready()
            session.close()
            try:
                while not re.match(rb'<\d+>1 .* security \[hub@0 name="DEFAULT"\] login accepted .*user="alice"', server.recv(4096)):
                    pass
            except TimeoutError:
                return False
            return True

        path = lab.server.state / "logs/security_log/DEFAULT/sec.log"

        def on_disk():
            return path.read_text("utf-8") if path.exists() else ""

        before = on_disk()
        for _ in range(2):
            wait_for("the login at the syslog server", seen, 90)
            # Once more after a restart.
            lab.server.kill()
            lab.server.start()
        assert on_disk() == before  # sent, so not on disk
        with Rpc(lab.nodes["wire"], SERVER4, hub="DEFAULT") as rpc:
            got = rpc.call("GetSysLog")
            assert (got["SaveType"], got["Hostname"], got["Port"]) == ([0], [""], [0])
        assert lab.server.rpc("GetSysLog") == {"SaveType_u32": 2, "Hostname_str": "localhost", "Port_u32": port}
        done = vpncmd(lab.server.node, ["SyslogDisable", "SyslogGet"])
        assert [d.error for d in done] == [0, 0]
        session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "alice", "pw").wait_ready()
        wait_for("lines on disk again", lambda: on_disk() != before)
        session.close()
