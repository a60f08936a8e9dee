# SPDX-License-Identifier: BSD-3-Clause
# long
# sanitize
"""UDP acceleration (wire.md section 7): stock clients, one of them behind a router that blocks and renumbers,
and our own client for what stock clients never do.

       server 10.77.0.1 ---- wan0 ---- a (stock)     b is behind: 10.77.0.x  mid  10.78.0.1 ---- 10.78.0.2  b (stock)

The tests of a lab build on each other and stand in an order: a path needs 10 s to be ready, which is waited for
as seldom as possible, and once behind the tests that stand between.
PATCHBAY_LONG=1 adds the other modes, each with a wait of its own.
"""

import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from lab import SERVER4, SERVER6, frames, pack, wait_for
from lab.capture import Capture
from lab.netns import LabError
from lab.server import default_hubs
from lab.client import NIC, StockClient
from lab.stalls import Stalls
from lab.traffic import TURNS, all_sizes, both_ways, iperf, join
from lab.udpclient import UdpPath
from lab.wireclient import Session, connect

pytestmark = pytest.mark.patchbay
LONG = bool(os.environ.get("PATCHBAY_LONG"))
PORT = 40000


def behind(lab):
    """A router on the server's network, and a node behind it."""
    mid = lab.host("mid")
    node = lab.node("b", binds=StockClient.binds(lab.folder / "b"))
    subprocess.run(["nsenter", f"--net=/proc/{mid.init_pid}/ns/net", "ip", "link", "add", "in0", "type", "veth",
                    "peer", "name", "eth0", "netns", str(node.init_pid)], check=True)
    mid.ip("addr add 10.78.0.1/24 dev in0")
    mid.ip("link set in0 up")
    node.ip("addr add 10.78.0.2/24 dev eth0")
    node.ip("link set eth0 up")
    node.ip("route add default via 10.78.0.1")
    mid.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
    # The server's machine knows no way to 10.78: TCP is masqueraded, UDP renumbered without memory.
    nft(mid, "add table ip mid", "add chain ip mid post { type nat hook postrouting priority 100; }",
        "add rule ip mid post oifname eth0 meta l4proto tcp masquerade",
        "add chain ip mid raw { type filter hook prerouting priority -300; }",
        "add rule ip mid raw meta l4proto udp notrack",
        "add chain ip mid out { type filter hook postrouting priority 0; }",
        "add chain ip mid in { type filter hook prerouting priority -150; }",
        "add chain ip mid block { type filter hook forward priority 0; }")
    return mid, node


def nft(node, *commands):
    """Commands of nft(8)."""
    node.run("nft", "; ".join(commands))


def renumber(mid, port, address=None):
    """From now on the client's UDP port, and its address, look like these; what goes to others is lost."""
    outside = address or mid.ip("-4 -o addr show eth0").stdout.split()[3].split("/")[0]
    inside = inner_port(mid)
    nft(mid, "flush chain ip mid out", "flush chain ip mid in",
        f"add rule ip mid out oifname eth0 udp dport {PORT} ip saddr set {outside} udp sport set {port}",
        f"add rule ip mid in iifname eth0 ip daddr {outside} udp dport {port} ip daddr set 10.78.0.2 udp dport set {inside}")


def inner_port(mid):
    """The stock client's UDP port, as it sends from it."""
    if not hasattr(mid, "inner_port"):
        with mid.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800)) as sock:
            sock.bind(("in0", 0x0800))
            sock.settimeout(10)
            while True:
                packet = sock.recv(2048)
                if packet[23] == 17 and packet[30:34] == socket.inet_aton(SERVER4):
                    mid.inner_port = int.from_bytes(packet[34:36], "big")
                    break
    return mid.inner_port


def status(lab, name):
    """What the server says of a session."""
    return lab.server.rpc("GetSessionStatus", HubName_str="DEFAULT", Name_str=name)


def sockets(lab):
    """Sums over the server's UDP sockets."""
    rows = lab.server.rpc("PatchbayEnumUdp")["UdpList"]
    return {k.rpartition("_")[0]: sum(r[k] for r in rows) for k in rows[0]}


def active(lab, *clients):
    """Whether the server sends to all of them over UDP."""
    return all(status(lab, c.session_name())["IsUsingUdpAcceleration_bool"] for c in clients)


def wait_active(lab, *clients, timeout_s=60):
    """Until it does; seconds that took."""
    began = time.monotonic()
    wait_for("UDP in use", lambda: active(lab, *clients), timeout_s)
    return time.monotonic() - began


def in_use(lab, pair):
    """Both clients with UDP in use both ways: after a moment in which the whole machine stood still that takes ten seconds."""
    wait_active(lab, *pair)
    wait_for("the clients to say so", lambda: all(c.status().get("UDP Acceleration is Active") == "Yes" for c in pair))
    return pair


def moved(lab, client, port, address=None):
    """The client's UDP comes from elsewhere from now on: followed at once, without ten seconds on TCP, if the machine does not stand still."""
    wait_active(lab, client)
    before = status(lab, client.session_name())["PatchbayUdpMoves_u64"]
    with Stalls() as stalls:
        renumber(lab.mid, port, address)
        wait_for("the move", lambda: status(lab, client.session_name())["PatchbayUdpMoves_u64"] > before)
        took = wait_active(lab, client)
    assert took < 8 + stalls.added_s(), (took, stalls.worst_s)


def over_udp(lab, one, other):
    """Frames between the two, and where they went: over UDP both, TCP hardly used.

    A machine that stands still for two seconds sends both sides back to TCP, as they should go: then once more.
    """
    tried = []
    while not tried or not went_by_udp(*tried[-1]):
        assert len(tried) < TURNS, tried
        wait_active(lab, one, other)
        before = [status(lab, c.session_name()) for c in (one, other)]
        all_sizes(one, other)
        tried.append((before, [status(lab, c.session_name()) for c in (one, other)]))


def went_by_udp(before, now):
    """Whether the frames of all_sizes() did."""
    def grown(was, is_, name):
        return is_[f"{name}_u64"] - was[f"{name}_u64"]
    return all(grown(*pair, f"PatchbayUdpFrames{way}") >= 120 for pair in zip(before, now) for way in ("In", "Out")) and all(
        grown(*pair, size) < 5000 for pair in zip(before, now) for size in ("TotalSendSizeReal", "TotalRecvSizeReal"))


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """Server, a, and b behind mid; nobody connected."""
    lab = make_lab()
    lab.server.start()
    lab.client("a", "192.168.50.1")
    lab.mid, node = behind(lab)
    lab.clients["b"] = StockClient(node, "192.168.50.2").start()
    return lab


@pytest.fixture(scope="module", name="own")
def fixture_own(lab):
    """Our own client with version 1 over UDP, and another session that listens."""
    udp = UdpPath(lab.nodes["wire"])
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest", **udp.offer())
    udp.start(session, SERVER4)
    other = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest").wait_ready()
    yield session, udp, other
    udp.close()
    session.close()
    other.close()


@pytest.fixture(scope="module", name="zipped")
def fixture_zipped(lab):
    """Our own client once more, in a session that compresses."""
    udp = UdpPath(lab.nodes["wire"])
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest", use_compress=1, **udp.offer())
    udp.start(session, SERVER4)
    yield session, udp
    udp.close()
    session.close()


@pytest.fixture(scope="module", name="pair")
def fixture_pair(lab, own, zipped):  # pylint: disable=unused-argument
    """Both stock clients with UDP in use, b behind the renumbering router."""
    a, b = lab.clients["a"], lab.clients["b"]
    join(b, udp=True)
    renumber(lab.mid, 50001)
    # Between these two it logged in.
    a.create("lab", SERVER4, 8888, "DEFAULT", "alice", "alicepw", udp=True)
    with Stalls() as stalls:
        earliest = time.monotonic()
        a.connect("lab", wait=False)
        wait_for("a's session", lambda: "alice" in [s["user"] for s in lab.server.sessions("DEFAULT")], 60)
        latest = time.monotonic()
        a.wait_connected()
        wait_for("UDP in use by a", lambda: active(lab, a), 60)
        lab.took = time.monotonic() - latest - stalls.added_s(), time.monotonic() - earliest
    wait_active(lab, a, b)
    yield a, b
    for client in (a, b):
        if client.account:
            client.leave()


def test_in_use(lab, pair, balanced):  # pylint: disable=unused-argument
    """10 to 11 s after login (a loaded machine is given more); both sides say so; frames go there."""
    a, b = pair
    least, most = lab.took
    assert 9.5 < most and least < 16, lab.took
    for client in pair:
        got = status(lab, client.session_name())
        assert got["PatchbayUdpVersion_u32"] == 2 and got["IsUdpAccelerationEnabled_bool"] and got["PatchbayUdpFastDetect_bool"]
        wait_for("the client to say so", lambda c=client: c.status().get("UDP Acceleration is Active") == "Yes")
    listed = {r["Name_str"]: r["PatchbayUdp_str"] for r in lab.server.rpc("EnumSession", HubName_str="DEFAULT")["SessionList"]}
    assert {listed[c.session_name()] for c in pair} == {"v2"}
    over_udp(lab, a, b)
    both_ways(a, b)
    rows = lab.server.ctl_run("udp", "list", as_json=False).stdout.splitlines()
    assert rows[0].split()[:4] == ["LCORE", "IP", "PORT", "SESSIONS"] and rows[1].split()[:4] == ["0", "4", str(PORT), "4"]


def test_segment_size(lab, pair):
    """TCP inside is told how much fits: 1309 bytes, 12 of them for time stamps (7.6)."""
    a, b = in_use(lab, pair)
    daemon = b.node.spawn("iperf3", "-s", "-1", "-B", b.address, log="iperf3.log")
    wait_for("iperf3 server", lambda: b.node.run("ss", "-Hltn", "sport = :5201").stdout)
    got = json.loads(a.node.run("iperf3", "-c", b.address, "-J", "-n", "20M").stdout)
    daemon.wait()
    assert got["start"]["tcp_mss_default"] in (1297, 1309), got["start"]


def test_on_the_wire(lab, pair, balanced):  # pylint: disable=unused-argument
    """tshark sees datagrams of the lengths that the document allows, in which nothing can be read, and hardly any TCP."""
    a, b = in_use(lab, pair)
    mark = b"PATCHBAY"
    # Some at once leave the server as one message; here each is to be seen as a cable has it, not as two kernels hand it on.
    lab.server.node.run("ethtool", "-K", "to-a", "tx-udp-segmentation", "off")
    with Capture(a.node, 8888, ports=f"udp port {PORT} or tcp port 8888") as seen:
        for size in (56, 1321):  # a short frame, and a full TCP segment's
            assert a.node.run("ping", "-n", "-q", "-i", "0.05", "-c", "30", "-s", size, "-p", mark.hex(),
                              b.address, timeout_s=60).returncode == 0
    for outwards in (True, False):
        datagrams = [s["payload"] for s in seen.segments if s["udp"] and s["out"] == outwards]
        assert len(datagrams) >= 40
        assert max(map(len, datagrams)) <= 1426  # wire.md 7.3
        assert len([d for d in datagrams if len(d) >= 1400]) >= 20
        assert len({d[:12] for d in datagrams}) == len(datagrams)  # nonces
        assert not any(mark in d for d in datagrams)
    assert sum(len(s["payload"]) for s in seen.segments if not s["udp"]) < 5000


def test_port_changes(lab, pair, balanced):  # pylint: disable=unused-argument
    """A NAT that gives b another port: followed at once, without ten seconds on TCP, and no ping is lost for long."""
    a, b = pair
    moved(lab, b, 50002)
    wait_for("frames both ways", lambda: a.ping(b.address, 3)[1] == 3)
    over_udp(lab, a, b)


def test_address_changes(lab, pair, balanced):  # pylint: disable=unused-argument
    """A NAT that gives b another address: found by its key among all sessions, and followed as a port is."""
    a, b = pair
    lab.mid.ip("addr add 10.77.0.250/24 dev eth0")
    moved(lab, b, 50002, "10.77.0.250")
    wait_for("frames both ways", lambda: a.ping(b.address, 3)[1] == 3)
    with Capture(lab.mid, 8888, ports=f"udp port {PORT}") as seen:
        over_udp(lab, a, b)
    assert {s["address"] for s in seen.segments} == {"10.77.0.250", SERVER4}


class Arrivals(threading.Thread):
    """When frames of ICMP came to a client's card."""

    def __init__(self, client):
        super().__init__(daemon=True)
        self.sock = client.node.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.sock.bind((NIC, 0x0800))
        self.sock.settimeout(0.1)
        self.times, self.over = [], threading.Event()

    def run(self):
        while not self.over.is_set():
            try:
                frame, address = self.sock.recvfrom(2048)
            except TimeoutError:
                continue
            if address[2] != socket.PACKET_OUTGOING and frame[23] == socket.IPPROTO_ICMP:
                self.times.append(time.monotonic())
        self.sock.close()

    def gap(self):
        """The longest time without any."""
        return max(later - before for before, later in zip(self.times, self.times[1:]))


def test_blocked(lab, pair, balanced):  # pylint: disable=unused-argument
    """Without UDP both sides are back on TCP within 2.5 s: so long no ping arrives, at b (server) and at a (client).

    A ping every 50 ms each way, so the gap is the 2.1 s of fast detection and at most one of them. What the machine
    adds by itself is measured beside it: a path is given up by a timer and the first frame over TCP passes four
    processes, of which each may have to wait for a CPU as long as the thread that does nothing but look at the clock.
    """
    a, b = in_use(lab, pair)
    watchers = [Arrivals(a), Arrivals(b)]
    stalls = Stalls()
    for thread in (*watchers, stalls):
        thread.start()
    ping = a.node.spawn("ping", "-n", "-q", "-i", "0.05", "-w", "30", b.address, log="ping.log")
    wait_for("pings both ways", lambda: all(len(w.times) > 20 for w in watchers))
    nft(lab.mid, "add rule ip mid block meta l4proto udp counter drop")
    began = time.monotonic()
    wait_for("TCP", lambda: not active(lab, b), step_s=0.02)
    # Those under way when the rule came may be late ones; behind half a second there are none.
    wait_for("pings again", lambda: all(w.times[-1] > began + 1.5 and len([t for t in w.times if t > began + 0.5]) > 5
                                        for w in watchers))
    for thread in (*watchers, stalls):
        thread.over.set()
        thread.join()
    ping.signal(signal.SIGINT)
    ping.wait()
    gaps = [w.gap() for w in watchers]
    assert all(1.5 < gap < 2.5 + stalls.added_s() for gap in gaps), (gaps, stalls.worst_s)
    # Where everything stood still for longer than the path may be silent, a is back on TCP as well, as it should be.
    assert (active(lab, a) or stalls.worst_s > 1) and not active(lab, b)
    all_sizes(a, b)
    nft(lab.mid, "flush chain ip mid block")
    lab.again = []
    name, began = b.session_name(), time.monotonic()

    def watch():
        wait_for("UDP again", lambda: status(lab, name)["IsUsingUdpAcceleration_bool"], 60)
        lab.again.append(time.monotonic() - began)
    lab.watcher = threading.Thread(target=watch)  # test_unblocked() asks it
    lab.watcher.start()


def test_compressed(lab, own, zipped, balanced):  # pylint: disable=unused-argument
    """Both ways, each datagram for itself: what does not get shorter goes as it is (wire.md 7.3)."""
    session, udp = zipped
    wait_for("UDP in use", lambda: status(lab, session.name)["IsUsingUdpAcceleration_bool"], 60)
    other = own[2]
    for number, text in enumerate((bytes(600), bytes(1500), os.urandom(1200), b"")):
        # Each session has one address for all of them: three are what a client may have.
        sent, back = (frames.frame(frames.BROADCAST, frames.mac(n, group), 0, text) for n, group in ((1, 0x62), (2, 0x60)))
        udp.send(sent, bool(text))
        assert other.wait_frame(lambda f, sent=sent: f == sent), number
        other.send(back)
        assert udp.wait_frame(lambda f, back=back: f == back) == (back, number < 2), number
    assert udp.bad == 0


def test_version_1(lab, own, balanced):  # pylint: disable=unused-argument
    """What peers before 2019 speak, both ways, compressed and not."""
    session, udp, other = own
    wait_for("UDP in use", lambda: status(lab, session.name)["IsUsingUdpAcceleration_bool"], 60)
    assert status(lab, session.name)["PatchbayUdpVersion_u32"] == 1
    src = frames.mac(1, 0x60)
    for size in (14, 60, 1363, 1514, 1600):
        for compress in (False, True):
            sent = frames.frame(frames.BROADCAST, src, size)
            udp.send(sent, compress)
            assert other.wait_frame(lambda f, sent=sent: f == sent), (size, compress)
        back = frames.frame(frames.BROADCAST, frames.mac(2, 0x60), size)
        other.send(back)
        got = udp.wait_frame(lambda f, back=back: f == back)
        assert got == (back, False), size
    assert udp.bad == 0


def test_version_1_on_the_wire(lab, own, balanced):  # pylint: disable=unused-argument
    """tshark sees the server's datagrams come from its port, of the lengths of 7.3, none twice, nothing readable in them,
    and keep-alives at their interval."""
    session, udp, other = own
    wait_for("UDP in use", lambda: status(lab, session.name)["IsUsingUdpAcceleration_bool"], 60)
    mark, sizes = b"PATCHBAY" * 4, (60, 600, 1363)  # the last leaves no room for padding
    with Capture(lab.nodes["wire"], 8888, ports=f"udp port {udp.sock.getsockname()[1]}") as seen:
        for size in sizes:
            back = frames.frame(frames.BROADCAST, frames.mac(2, 0x60), size, mark)
            other.send(back)
            assert udp.wait_frame(lambda f, back=back: f == back), size
        heard = len(udp.came)
        wait_for("keep-alives", lambda: sum(not frame for _, frame, _ in udp.came[heard:]) >= 5)
    came = [s for s in seen.segments if not s["out"]]
    assert {(s["udp"], s["address"], s["from"]) for s in came} == {(True, SERVER4, PORT)}
    assert len({s["payload"][:20] for s in came}) == len(came)  # IVs
    assert not any(mark in s["payload"] for s in came)
    # IV, header, frame (0: keep-alive), padding, zero bytes; others' floods are among them.
    lengths = [(udp.open(s["payload"])[4], len(s["payload"])) for s in came]
    assert all(n - 63 - size in range(32) and n <= 1426 for size, n in lengths), lengths
    assert {0, *sizes} <= {size for size, _ in lengths}
    quiet = [s["time"] for s, (size, _) in zip(came, lengths) if not size]
    gaps = [after - before for before, after in zip(quiet, quiet[1:])]
    # Half a second to one; a machine that is busy makes some longer.
    assert sum(gaps) / len(gaps) > 0.45 and min(gaps) < 1.5, gaps


def test_forged_repeated_foreign(lab, own, balanced):  # pylint: disable=unused-argument
    """Each costs a counter, and none of them a frame or the session."""
    session, udp, other = own
    wait_for("UDP in use", lambda: status(lab, session.name)["IsUsingUdpAcceleration_bool"], 60)
    before, socket_before = status(lab, session.name), sockets(lab)
    sent = frames.frame(frames.BROADCAST, frames.mac(3, 0x60))
    udp.send(sent)
    assert other.wait_frame(lambda f: f == sent)
    for _ in range(20):
        udp.sock.sendto(udp.last, udp.server)  # once more
        udp.sock.sendto(os.urandom(90), udp.server)  # from our address, with nobody's key
        udp.sock.sendto(udp.build(sent, cookie=1), udp.server)
        udp.sock.sendto(udp.build(sent, tick=1 if udp.now() > 40000 else udp.now()), udp.server)
    with lab.nodes["wire"].socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for i in range(300):
            stranger.sendto(os.urandom(60 + i), udp.server)
        for _ in range(5):
            stranger.sendto(udp.last, udp.server)  # stolen: opens, but is old
            stranger.sendto(os.urandom(3000), udp.server)
            stranger.sendto(b"", udp.server)

    def counted():
        now, sums = status(lab, session.name), sockets(lab)
        return (now["PatchbayUdpRepeated_u64"] - before["PatchbayUdpRepeated_u64"] >= 25
                and now["PatchbayUdpForged_u64"] - before["PatchbayUdpForged_u64"] >= 20
                and now["PatchbayUdpMalformed_u64"] - before["PatchbayUdpMalformed_u64"] >= 20
                and sums["Truncated"] - socket_before["Truncated"] == 5
                and sums["Foreign"] + sums["OverBudget"] - socket_before["Foreign"] - socket_before["OverBudget"] >= 305)
    try:
        wait_for("all counted", counted)
    except LabError:
        raise AssertionError((before, status(lab, session.name), socket_before, sockets(lab))) from None
    time.sleep(0.2)
    assert sum(f == sent for f in other.take_all()) <= 20  # those with an old tick, where the clock is young
    assert status(lab, session.name)["PatchbayUdpMoves_u64"] == before["PatchbayUdpMoves_u64"]
    assert status(lab, session.name)["IsUsingUdpAcceleration_bool"]


def test_own_port_changes(lab, own, balanced):  # pylint: disable=unused-argument
    """Found by its key at another port; frames wait for an answer from there, and no ten seconds."""
    session, udp, other = own
    wait_for("UDP in use", lambda: status(lab, session.name)["IsUsingUdpAcceleration_bool"], 60)
    moves = status(lab, session.name)["PatchbayUdpMoves_u64"]
    udp.rebind(lab.nodes["wire"])
    wait_for("the move", lambda: status(lab, session.name)["PatchbayUdpMoves_u64"] == moves + 1)
    wait_for("UDP in use", lambda: status(lab, session.name)["IsUsingUdpAcceleration_bool"], 8)
    back = frames.frame(frames.BROADCAST, frames.mac(4, 0x60))
    other.send(back)
    assert udp.wait_frame(lambda f: f == back)


def test_no_answer_no_frames(lab, balanced):  # pylint: disable=unused-argument
    """An address that says nothing gets keep-alives at their interval, and not one frame, however much whoever asked for
    it says: that who speaks without having heard is answered sooner (here each 50 ms) is his own affair.
    """
    victim = UdpPath(lab.nodes["mid"])
    address = lab.nodes["mid"].ip("-4 -o addr show eth0").stdout.split()[3].split("/")[0]
    udp = UdpPath(lab.nodes["wire"])
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login(
        "DEFAULT", "guest", **udp.offer(ip=address, port=victim.sock.getsockname()[1]))
    other = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest").wait_ready()
    victim.key, victim.encrypted = udp.key, True
    victim.start(session, SERVER4, speak=False)
    assert udp.accept(session, SERVER4)
    began = time.monotonic()
    while time.monotonic() < began + 4:
        other.send(*(frames.frame(frames.BROADCAST, frames.mac(5, 0x60)) for _ in range(10)))
        for _ in range(2):
            udp.sock.sendto(udp.build(), udp.server)  # its echo says that it has heard nothing
            time.sleep(0.05)
    came, took = list(victim.came), time.monotonic() - began
    assert 3 <= len(came) <= 2 + took / 0.45, came
    assert not any(frame for _, frame, _ in came)
    gaps = [b[0] - a[0] for a, b in zip(came, came[1:])]
    assert sum(gaps) / len(gaps) > 0.45, gaps
    answers = 0
    try:
        while udp.sock.recv(4096):
            answers += 1
    except TimeoutError:
        pass
    assert answers > len(came) + 3, (answers, came)
    for end in (udp, victim):
        end.close()
    session.close()
    other.close()


def test_unblocked(lab, pair, balanced):  # pylint: disable=unused-argument
    """On UDP 10 to 13 s after it went again (a loaded machine is given more), both ways."""
    a, b = pair
    lab.watcher.join()
    assert lab.again and 9.5 < lab.again[0] < 20, lab.again
    wait_for("frames both ways", lambda: a.ping(b.address, 3)[1] == 3)
    over_udp(lab, a, b)
    assert status(lab, b.session_name())["PatchbayUdpFallbacks_u64"] >= 1


def test_refused(make_lab):
    """By the hub's option, by the configuration; and a version that is too old."""
    hubs = default_hubs()
    hubs[0].options = {"DisableUdpAcceleration": True}
    lab = make_lab(hubs=hubs, settings={"udp_acceleration": {"min_version": 2, "first_port": 51000}})
    lab.server.start()
    for hub, version, granted in (("DEFAULT", 2, 0), ("SECOND", 1, 0), ("SECOND", 2, 2)):
        udp = UdpPath(lab.nodes["wire"])
        session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login(hub, "guest", **udp.offer(version))
        assert pack.first(session.welcome, "udp_acceleration_version", 0) == granted, (hub, version)
        assert pack.first(session.welcome, "udp_acceleration_server_port", 0) == (51000 if granted else 0)
        assert session.wait_ready()
        assert lab.server.node.run("ss", "-Hlun", "sport = :51000").stdout.count(":51000") >= 1
        session.close()
        udp.close()


def test_one_socket_per_worker(make_lab):
    """Whatever the number of sessions: a port names a worker, which drives the sockets itself (architecture.md 6.9)."""
    lab = make_lab(settings={"lcores": {"workers": 2}})
    lab.server.start()

    def seen():
        rows = lab.server.rpc("PatchbayEnumUdp")["UdpList"]
        return ([(r["Lcore_u32"], r["IpVersion_u32"], r["Port_u32"]) for r in rows],
                lab.server.node.run("ss", "-Hlun").stdout.count("\n"), len(lab.server.threads()))

    made = [Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest").wait_ready()]
    before, told = seen(), []
    assert {(lcore, port) for lcore, _, port in before[0]} == {(0, PORT), (1, PORT + 1)} and before[1] == len(before[0])
    for _ in range(6):
        udp = UdpPath(lab.nodes["wire"])
        session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest", **udp.offer()).wait_ready()
        told.append(pack.first(session.welcome, "udp_acceleration_server_port"))
        assert status(lab, session.name)["PatchbayUdpPort_u32"] == told[-1]
        made += [session, udp]
    assert sorted(told) == [PORT] * 3 + [PORT + 1] * 3
    assert seen() == before
    assert sorted(r["Sessions_u32"] for r in lab.server.rpc("PatchbayEnumUdp")["UdpList"])[-2:] == [3, 3]
    for end in made:
        end.close()


@pytest.mark.skipif(not LONG, reason="PATCHBAY_LONG=1")
@pytest.mark.parametrize("settings, options, family", [
    ({"max_version": 1}, {}, 4), ({}, {"compress": True}, 4), ({}, {"encrypt": False}, 4),
    ({}, {"encrypt": False, "compress": True}, 4), ({}, {"connections": 4}, 4), ({}, {"connections": 3, "half": True}, 4),
    ({"first_port": 51000}, {}, 4)])
def test_modes(make_lab, settings, options, family):  # pylint: disable=unused-argument
    """The stock client with every other mode of its session."""
    lab = make_lab(settings={"udp_acceleration": settings} if settings else {})
    lab.server.start()
    a, b = lab.client("a", "192.168.50.1"), lab.client("b", "192.168.50.2")
    for client in (a, b):
        join(client, udp=True, **options)
    wait_active(lab, a, b)
    wait_for("the clients as well", lambda: all(c.status()["UDP Acceleration is Active"] == "Yes" for c in (a, b)))
    got = status(lab, a.session_name())
    assert got["PatchbayUdpVersion_u32"] == settings.get("max_version", 2)
    assert got["PatchbayUdpPort_u32"] == settings.get("first_port", PORT)
    over_udp(lab, a, b)
    both_ways(a, b)
    lab.close()


@pytest.mark.skipif(not LONG, reason="PATCHBAY_LONG=1")
def test_ip6(lab):
    """Over IPv6, where stock clients do not go: version 1, ready, frames both ways."""
    udp = UdpPath(lab.nodes["wire"], socket.AF_INET6)
    session = Session(connect(lab.nodes["wire"], SERVER6, 8888)).login("DEFAULT", "guest", **udp.offer())
    udp.start(session, SERVER6)
    other = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest").wait_ready()
    wait_for("UDP in use", lambda: status(lab, session.name)["IsUsingUdpAcceleration_bool"], 60)
    sent, back = (frames.frame(frames.BROADCAST, frames.mac(n, 0x61), 1343) for n in (1, 2))
    udp.send(sent)
    assert other.wait_frame(lambda f: f == sent)
    other.send(back)
    assert udp.wait_frame(lambda f: f == back)
    udp.close()
    session.close()
    other.close()


@pytest.mark.skipif(not LONG, reason="PATCHBAY_LONG=1")
def test_under_load(lab, pair, balanced):  # pylint: disable=unused-argument
    """iperf3 for a while, the port changed and UDP blocked and unblocked under it: it never breaks."""
    a, b = pair
    out = b.node.folder / "iperf3.log"
    daemon = b.node.spawn("iperf3", "-s", "-1", "-B", b.address, log="iperf3.log")
    wait_for("iperf3 server", lambda: b.node.run("ss", "-Hltn", "sport = :5201").stdout)
    client = a.node.spawn("iperf3", "-c", b.address, "-t", "45", log="iperf3.client.log")
    time.sleep(4)
    renumber(lab.mid, 50003)
    time.sleep(6)
    nft(lab.mid, "add rule ip mid block meta l4proto udp counter drop")
    time.sleep(8)
    nft(lab.mid, "flush chain ip mid block")
    assert client.wait(60) == 0, out.read_text()
    daemon.wait()
    assert iperf(a, b, 1)["sum_received"]["bytes"] > 0
