# SPDX-License-Identifier: BSD-3-Clause
# serial: iperf3 wants the machine to itself
"""What two of Debian's softether-vpnclient and the server agree upon for a session, and that it carries."""

import os
import struct
import time

import pytest

from lab import SERVER4, frames, pack, wait_for
from lab.server import default_hubs
from lab.traffic import all_sizes, both_ways, iperf, join
from lab.wireclient import Session, connect

ADDRESS_A, ADDRESS_B = "192.168.50.1", "192.168.50.2"


def rows_of(*short, more=()):
    """Rows of a table of cases; `more` only with PATCHBAY_LONG=1, because each takes some 20 s."""
    return [*short, *(more if os.environ.get("PATCHBAY_LONG") else ())]


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """Server and two clients."""
    lab = make_lab()
    lab.server.start()
    lab.client("a", ADDRESS_A)
    lab.client("b", ADDRESS_B)
    return lab


@pytest.fixture(name="pair")
def fixture_pair(lab, balanced):  # pylint: disable=unused-argument
    """pair(**modes): both clients, connected with the same modes; the books are checked after the test."""
    clients = [lab.clients["a"], lab.clients["b"]]

    def make(connections=1, **modes):
        for client in clients:
            join(client, connections=connections, **modes)
        wait_for("all connections", lambda: all(
            row["count"] == max(connections, 2 if modes.get("half") else 1) for row in rows(lab, clients)),
            10 + 2 * connections)
        return clients

    yield make
    for client in clients:
        if client.account:
            client.leave()


def rows(lab, clients):
    """What the server lists of the sessions of these clients."""
    names = [c.session_name() for c in clients]
    return [{"name": r["Name_str"], "granted": r["MaxNumTcp_u32"], "count": r["CurrentNumTcp_u32"]}
            for r in lab.server.rpc("EnumSession", HubName_str="DEFAULT")["SessionList"] if r["Name_str"] in names]


def connections(lab, client):
    """Names of the connections of a client's session."""
    return [c["name"] for c in lab.server.connections() if c["session"] == client.session_name()]


@pytest.mark.patchbay
@pytest.mark.parametrize("count", rows_of(2, 32, more=[8]))
def test_connections(lab, pair, count):
    """That many TCP connections each; the order of frames survives as far as TCP inside needs it."""
    a, b = pair(count)
    assert [r["granted"] for r in rows(lab, (a, b))] == [count, count]
    all_sizes(a, b)
    both_ways(a, b)
    sent = iperf(a, b, 2, "-b", "5M")["sum_sent"]
    assert sent["retransmits"] <= 2, sent  # a quiet session stays on one connection, in order


@pytest.mark.patchbay
def test_closed_connections_are_replaced(lab, pair):
    """The stock client replaces what an administrator closes; the other connections live on."""
    a, b = pair(8)
    for _ in range(3):
        before = connections(lab, a)
        for victim in (before[0], before[-1]):
            lab.server.ctl("connection", "close", victim)
        wait_for("both to be gone", lambda left=before[1:-1]: connections(lab, a)[:len(left)] == left, 5)
        assert a.ping(b.address, 5)[1] == 5
        wait_for("new ones", lambda: len(connections(lab, a)) == 8, 10)
        assert set(before[1:-1]) <= set(connections(lab, a))
    assert a.ping(b.address, 20) == (20, 20)
    time.sleep(1)
    assert len(connections(lab, a)) == 8


@pytest.mark.patchbay
@pytest.mark.parametrize("count", rows_of(3, more=[2, 8]))
def test_half_duplex(lab, pair, count):
    """Connections with a direction, also an odd number of them."""
    a, b = pair(count, half=True)
    assert [r["granted"] for r in rows(lab, (a, b))] == [count, count]
    assert lab.server.rpc("GetSessionStatus", HubName_str="DEFAULT",
                          Name_str=a.session_name())["HalfConnection_bool"]
    all_sizes(a, b)
    both_ways(a, b)


@pytest.mark.patchbay
def test_half_duplex_loses_a_direction(lab, pair):
    """Both connections of one direction closed: they come back in that direction."""
    a, b = pair(3, half=True)
    first, *others = connections(lab, a)  # 2, 1, 1 (wire.md 5.3)
    for victims in ([first], others):
        for victim in victims:
            lab.server.ctl("connection", "close", victim)
        wait_for("them to be gone", lambda gone=set(victims): not gone & set(connections(lab, a)), 5)
        wait_for("traffic again", lambda: a.ping(b.address, 3)[1] == 3, 10)
        wait_for("three connections", lambda: len(connections(lab, a)) == 3, 10)
    all_sizes(a, b)


@pytest.mark.patchbay
@pytest.mark.parametrize("count, half", rows_of((1, False), (3, True), more=[(2, False), (8, False)]))
def test_no_encryption(lab, pair, count, half):
    """The login in TLS, frames below it; the server and the client both say so."""
    a, b = pair(count, half=half, encrypt=False)
    assert a.status()["Encryption"].startswith("Disabled")
    status = lab.server.rpc("GetSessionStatus", HubName_str="DEFAULT", Name_str=a.session_name())
    assert not status["UseEncrypt_bool"] and status["CipherName_str"] == ""
    all_sizes(a, b)
    both_ways(a, b)


@pytest.mark.patchbay
def test_one_encrypted_one_not(lab, pair):
    """Modes belong to a session, not to the hub; an end by the server is survived in raw mode too."""
    _, b = pair()
    a = lab.clients["a"]
    join(a, connections=2, encrypt=False)
    wait_for("two connections", lambda: len(connections(lab, a)) == 2, 10)
    all_sizes(a, b)
    lab.server.ctl("connection", "close", connections(lab, a)[0])
    wait_for("one connection", lambda: len(connections(lab, a)) == 1, 5, 0.05)
    wait_for("two connections", lambda: len(connections(lab, a)) == 2, 10)
    all_sizes(a, b)


@pytest.mark.patchbay
def test_login_and_frames_in_one_segment(lab, balanced):  # pylint: disable=unused-argument
    """What a hasty client puts behind its login's TLS record is data (wire.md 6.6)."""
    other = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest").wait_ready()
    conn = connect(lab.nodes["wire"], SERVER4, 8888)
    hasty = Session(conn)
    sent = frames.frame(frames.BROADCAST, frames.mac(7, 0x51))
    conn.append = struct.pack(">II", 1, len(sent)) + sent
    hasty.login("DEFAULT", "guest", use_encrypt=0)
    assert conn.raw
    assert other.wait_frame(lambda f: f == sent)
    back = frames.frame(frames.BROADCAST, frames.mac(8, 0x51))
    other.send(back)
    assert hasty.wait_frame(lambda f: f == back)
    hasty.close()
    other.close()


@pytest.mark.patchbay
def test_encryption_required(make_lab):
    """A hub that requires it grants encryption whatever is asked."""
    hubs = default_hubs()
    hubs[0].require_encryption = True
    lab = make_lab(hubs=hubs)
    lab.server.start()
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest", use_encrypt=0)
    assert pack.first(session.welcome, "use_encrypt") == 1
    session.wait_ready().close()


@pytest.mark.patchbay
@pytest.mark.parametrize("count, half, encrypt", rows_of(
    (1, False, True), (2, False, False), more=[(8, False, True), (3, True, True)]))
def test_compression(lab, pair, count, half, encrypt):
    """Every block a zlib stream, with and without TLS; the server and the client both say so."""
    a, b = pair(count, half=half, encrypt=encrypt, compress=True)
    assert a.status()["Use of Compression"].startswith("Yes")
    status = lab.server.rpc("GetSessionStatus", HubName_str="DEFAULT", Name_str=a.session_name())
    assert status["UseCompress_bool"] and status["UseEncrypt_bool"] == encrypt
    all_sizes(a, b)
    both_ways(a, b)


@pytest.mark.patchbay
def test_compressed_and_not(lab, balanced):  # pylint: disable=unused-argument
    """One session compresses, the other does not; both see the same frames, of all sizes."""
    zipped, plain = (Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest", use_compress=c)
                     for c in (1, 0))
    for session in (zipped, plain):
        session.wait_ready()
    for size in (14, 42, 60, 600, 1514, 1600):
        for here, there in ((zipped, plain), (plain, zipped)):
            sent = frames.frame(frames.BROADCAST, frames.mac(id(here) & 0xFFFF, 0x52), size)
            here.send(sent)
            assert there.wait_frame(lambda f, sent=sent: f == sent)
    for session in (zipped, plain):
        session.close()


@pytest.mark.patchbay
def test_lifetimes(lab, pair):
    """Connections that live for four seconds, under load: replaced, and the sessions are the same ones."""
    a, b = pair(4, life_s=4)
    names = [a.session_name(), b.session_name()]
    before = set(connections(lab, a))
    assert iperf(a, b, 10)["sum_received"]["bits_per_second"] > 1e6
    assert not before & set(connections(lab, a))
    assert [a.session_name(), b.session_name()] == names
    assert len(rows(lab, (a, b))) == 2
