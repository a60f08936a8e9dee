# SPDX-License-Identifier: BSD-3-Clause
# long
"""Two of Debian's softether-vpnclient, unmodified, talk through a hub of the server."""

import pytest

from lab import SERVER4, wait_for
from lab.client import NIC
from lab.traffic import TURNS, all_sizes, both_ways, iperf, join

ADDRESS_A, ADDRESS_B, ADDRESS_C = "192.168.50.1", "192.168.50.2", "192.168.50.3"


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """Server and two clients."""
    lab = make_lab()
    lab.server.start()
    lab.client("a", ADDRESS_A)
    lab.client("b", ADDRESS_B)
    return lab


@pytest.fixture(name="a")
def fixture_a(lab, balanced):  # pylint: disable=unused-argument
    """The first client, not connected; the server's books are checked after the test."""
    yield lab.clients["a"]
    if lab.clients["a"].account:
        lab.clients["a"].leave()


@pytest.fixture(name="b")
def fixture_b(lab):
    """The second client, not connected."""
    yield lab.clients["b"]
    if lab.clients["b"].account:
        lab.clients["b"].leave()


@pytest.mark.parametrize("port", [8888, 443, 992])
@pytest.mark.parametrize("tcp_only", [True, False], ids=["host with /tcp", "host with probe"])
def test_ports(a, b, port, tcp_only):
    """Every port, with and without the racing client's probe."""
    join(a, port, tcp_only=tcp_only)
    join(b, port, tcp_only=tcp_only)
    all_sizes(a, b)
    if tcp_only:
        both_ways(a, b)
    assert a.status()["UDP Acceleration is Active"] == "No"


def test_crossing_ports(lab, a, b):
    """Listeners are equal: different ports lead to the same hub, and the server lists both sessions."""
    join(a, 443)
    join(b, 992)
    all_sizes(a, b)
    names = {s["name"]: s["user"] for s in lab.server.sessions("DEFAULT")}
    assert names[a.session_name()] == "alice" and names[b.session_name()] == "bob"
    table = {m["mac"]: m["session"] for m in lab.server.macs("DEFAULT")}
    assert table[a.mac()] == a.session_name() and table[b.mac()] == b.session_name()


def test_udp_of_both_sizes(a, b):
    """iperf3 UDP with frames of 1514 and of 58 bytes arrives (its least payload is 16)."""
    join(a)
    join(b)
    for length, rate in ((1472, "10M"), (16, "500k")):
        for options in ((), ("-R",)):
            ends = []
            while not ends or ends[-1]["lost_percent"] >= 1:
                assert len(ends) < TURNS, f"length {length}: {ends}"
                ends.append(iperf(a, b, 1, "-u", "-l", length, "-b", rate, *options)["sum"])
            assert ends[-1]["packets"] > 300


def test_loopback(lab, a):
    """A client on the server's own machine, over 127.0.0.1, and one that comes by cable."""
    c = lab.clients.get("c") or lab.client("c", ADDRESS_C, on_server=True)
    c.join("127.0.0.1", 8888, "DEFAULT", "guest", tcp_only=False)
    join(a)
    for here, there in ((a, c), (c, a)):
        for size in (56, 1472, 0):
            assert any(here.ping(there.address, 20, size) == (20, 20) for _ in range(TURNS))
    c.leave()


@pytest.mark.parametrize("hub, user, password, code", [
    ("DEFAULT", "alice", "wrong", 9), ("DEFAULT", "nobody", "x", 9), ("NOSUCH", "alice", "alicepw", 8),
    ("CLOSED", "alice", "alicepw", 10)])
def test_what_a_refused_client_shows(a, hub, user, password, code):
    """The stock client understands the refusal and logs its code."""
    before = len(a.errors())
    a.create("refused", SERVER4, 8888, hub, user, password)
    a.connect("refused", wait=False)
    try:
        wait_for("the client's error", lambda: a.errors()[before:], 60)
        assert set(a.errors()[before:]) == {code}
    finally:
        a.leave()


def test_hubs_are_apart(a, b):
    """Clients in two hubs do not meet, in one they do."""
    join(a, hub="DEFAULT")
    join(b, hub="SECOND")
    assert a.ping(b.address, 3, wait_s=1)[1] == 0
    join(a, hub="SECOND")
    all_sizes(a, b)


def test_two_pairs_with_equal_addresses(lab, a, b):
    """Two hubs, in both the same IP addresses, both busy: each pair sees its own peer."""
    others = [lab.clients.get(n) or lab.client(n, addr) for n, addr in (("a2", ADDRESS_A), ("b2", ADDRESS_B))]
    join(a)
    join(b)
    for client in others:
        client.join(SERVER4, 8888, "SECOND", "guest")
    for here, there in ((a, b), others):
        here.node.ip(f"neigh flush dev {NIC}")
        assert any(here.ping(there.address, 20) == (20, 20) for _ in range(TURNS))
        seen = here.node.ip(f"neigh show {there.address} dev {NIC}").stdout
        assert there.mac() in seen
    for client in others:
        client.leave()
