# SPDX-License-Identifier: BSD-3-Clause
"""The three session modes with Debian's client, and what its administrator's tool sets (hub.md 6 and 8)."""

import re
import socket

import pytest

from lab import SERVER4, Group, Hub, LabError, User, frames, wait_for
from lab.client import NIC
from lab.netns import PATIENCE_S
from lab.wireclient import Session, connect

HUBS = [Hub("DEFAULT", [
    User("plain", "pw"),
    User("neither", "pw", policy={"NoBridge": True, "NoRouting": True}),
    User("watcher", "pw", policy={"MonitorPort": True}),
    User("short", "pw", policy={"AutoDisconnect": 6}),
    User("guest"),
], groups=[Group("g")])]
HOSTS = 5


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """Two stock clients; behind the card of `a` there is a Linux bridge with hosts."""
    lab = make_lab(hubs=HUBS)
    lab.server.start()
    lab.client("a", "192.168.50.1")
    lab.client("b", "192.168.50.2")
    lab.client("c", "192.168.50.3")
    node = lab.nodes["a"]
    # Nothing but what a test sends: no neighbour discovery of the machine's own.
    node.run("sh", "-c", "for f in /proc/sys/net/ipv6/conf/*/disable_ipv6; do echo 1 > $f; done")
    node.ip("link add lan type bridge")
    node.ip("link set lan address 02:50:00:00:00:fe")
    node.ip("link set lan up")
    for i in range(HOSTS):
        node.ip(f"link add h{i} address {frames.mac(i, 80).hex(':')} type veth peer name p{i}")
        node.ip(f"link set p{i} master lan up")
        node.ip(f"link set h{i} up")
    yield lab
    for client in lab.clients.values():
        if client.account:
            client.leave()


def rows(lab, name):
    """MAC addresses behind a session."""
    return {m["mac"] for m in lab.server.macs("DEFAULT") if m["session"] == name}


def hosts_speak(lab, wire, hub_session, all_pass=False):
    """Each host behind the bridge sends a broadcast three times: which of them come out at `wire`."""
    node = lab.nodes["a"]
    node.ip(f"link set {NIC} master lan")
    sent = {}
    for i in range(HOSTS):
        sent[i] = frames.frame(frames.BROADCAST, frames.mac(i, 80), 80)
        with node.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
            sock.bind((f"h{i}", 0))
            for _ in range(3):
                sock.send(sent[i])
        # One after the other, so that the order of learning is that of sending. Those behind may be lost.
        wire.wait_frame(lambda f, i=i: f == sent[i], PATIENCE_S if all_pass or i < 2 else 1.0)
    known = rows(lab, hub_session)
    node.ip(f"link set {NIC} nomaster")
    return {i for i in range(HOSTS) if frames.mac(i, 80).hex(":") in known}, known


def test_client_mode_and_bridge_mode(lab):
    """A bridge behind a client mode session: three MAC addresses, no fourth; in bridge mode all of them."""
    a = lab.clients["a"]
    wire = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest").wait_ready()
    a.join(SERVER4, 8888, "DEFAULT", "plain", "pw")
    heard, known = hosts_speak(lab, wire, a.session_name())
    assert len(known) == 3 and heard < set(range(HOSTS)), known
    assert heard == set(range(len(heard))), "the first ones go on, the later ones are lost"
    a.join(SERVER4, 8888, "DEFAULT", "plain", "pw", bridge=True)
    heard, known = hosts_speak(lab, wire, a.session_name(), True)
    assert heard == set(range(HOSTS)), known
    lab.server.delete_session("DEFAULT", wire.name)
    wire.close()
    a.leave()


def test_bridge_mode_denied(lab):
    """Error 108, as the client tells its user."""
    a = lab.clients["a"]
    a.create("denied", SERVER4, 8888, "DEFAULT", "neither", "pw", bridge=True, retry_s=60)
    a.connect("denied", wait=False)
    wait_for("error 108", lambda: a.last_error() == 108, 60)
    a.leave()
    a.join(SERVER4, 8888, "DEFAULT", "neither", "pw")
    a.leave()


def test_monitor(lab):
    """tcpdump on a monitoring client's card shows a ping between two others; what it sends reaches nobody."""
    a, b = lab.clients["a"], lab.clients["b"]
    b.join(SERVER4, 8888, "DEFAULT", "watcher", "pw", monitor=True)
    a.join(SERVER4, 8888, "DEFAULT", "plain", "pw")
    wire = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest").wait_ready()
    dump = lab.nodes["b"].spawn("tcpdump", "-l", "-n", "-e", "-i", NIC, "ether", "proto", "0x88b5",
                                log="tcpdump.log")
    seen = lab.nodes["b"].folder / "tcpdump.log"
    wait_for("tcpdump", lambda: "listening on" in seen.read_text("utf-8", "replace"), 60)
    card = bytes.fromhex(a.mac().replace(":", ""))
    with lab.nodes["a"].socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((NIC, 0))
        there = frames.BROADCAST + card + b"\x88\xb5" + b"there" + bytes(60)
        back = card + frames.mac(2, 81) + b"\x88\xb5" + b"back!" + bytes(60)
        sock.send(there)
        assert wire.wait_frame(lambda f: f == there)
        wire.send(back)
    wait_for("both on the monitor", lambda: len(re.findall("ethertype", seen.read_text("utf-8", "replace"))) >= 2)
    with lab.nodes["b"].socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind((NIC, 0))
        injected = frames.BROADCAST + frames.mac(9, 81) + b"\x88\xb5" + b"inject" + bytes(60)
        for _ in range(5):
            sock.send(injected)
    assert wire.wait_frame(lambda f: f == injected, 2.0) is None
    assert frames.mac(9, 81).hex(":") not in {m["mac"] for m in lab.server.macs("DEFAULT")}
    if lab.kind == "patchbay":
        modes = {r["Username_str"]: r["PatchbayMode_str"]
                 for r in lab.server.rpc("EnumSession", HubName_str="DEFAULT")["SessionList"]}
        assert {"watcher": "monitor", "plain": "client", "guest": "client"}.items() <= modes.items()
        assert "monitor" in lab.server.ctl_run("session", "list", as_json=False).stdout
    dump.signal(15)
    lab.server.delete_session("DEFAULT", wire.name)
    wire.close()
    a.leave()
    b.leave()


def test_monitor_of_a_ping(lab):
    """A ping between two others, whole, on the card of a third who cannot answer it in their stead."""
    a, b, c = (lab.clients[name] for name in "abc")
    b.join(SERVER4, 8888, "DEFAULT", "watcher", "pw", monitor=True)
    a.join(SERVER4, 8888, "DEFAULT", "plain", "pw")
    c.join(SERVER4, 8888, "DEFAULT", "guest")
    dump = lab.nodes["b"].spawn("tcpdump", "-l", "-n", "-i", NIC, "icmp or arp", log="ping.log")
    seen = lab.nodes["b"].folder / "ping.log"
    wait_for("tcpdump", lambda: "listening on" in seen.read_text("utf-8", "replace"), 60)
    assert any(a.ping(c.address, 5) == (5, 5) for _ in range(3))

    def both():
        text = seen.read_text("utf-8", "replace")
        return all(re.search(rf"{one.address} > {other.address}: ICMP echo {what}", text)
                   for one, other, what in ((a, c, "request"), (c, a, "reply")))

    wait_for("request and reply on the monitor's card", both)
    # Its own card has an address too, and nobody answers there: what it sends is dropped.
    assert b.ping(a.address, 2, wait_s=1)[1] == 0
    assert a.ping(b.address, 2, wait_s=1)[1] == 0
    dump.signal(15)
    for client in (a, b, c):
        client.leave()


@pytest.mark.patchbay
def test_auto_disconnect(lab):
    """The stock client ends by itself and stays away; one that does not obey is ended a little later."""
    b = lab.clients["b"]
    wire = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "short", "pw").wait_ready()
    b.join(SERVER4, 8888, "DEFAULT", "short", "pw", retry_s=1)
    assert wire.wait_end(90) == "close_notify"
    # The session's end is written behind the goodbye.
    wait_for("the log to say so", lambda: "auto_disconnect" in lab.server.log())

    def there():
        return [s for s in lab.server.sessions("DEFAULT") if s["user"].lower() == "short"]

    wait_for("no session", lambda: not there(), 60)
    # No retry within some retry intervals.
    with pytest.raises(LabError):
        wait_for("a session that must not come", there, 4)
    b.leave()
