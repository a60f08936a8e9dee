# SPDX-License-Identifier: BSD-3-Clause
# serial: iperf3 wants the machine to itself
"""What two of Debian's softether-vpnclient and the server agree upon for a session, and that it carries."""

import time

import pytest

from lab import wait_for
from lab.traffic import all_sizes, both_ways, iperf, join

ADDRESS_A, ADDRESS_B = "192.168.50.1", "192.168.50.2"


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
@pytest.mark.parametrize("count", [2, 8, 32])
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
@pytest.mark.parametrize("count", [2, 3, 8])
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
