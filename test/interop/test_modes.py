# SPDX-License-Identifier: BSD-3-Clause
# long
"""What two of Debian's softether-vpnclient and the server agree upon for a session, and that it carries.

A connection more a second is all that a stock client opens, so most of the time is waiting. The cases are
therefore spread over several pairs of clients in one hub, each pair on a thread of its own, and a test only
waits for the outcome of its case. Nothing is timed: what is checked comes true on a slow machine too.
"""

import concurrent.futures
import os
import signal
import time

import pytest

from lab import SERVER4, books, wait_for
from lab.client import NIC
from lab.netns import children
from lab.traffic import iperf

pytestmark = pytest.mark.patchbay

GROW_S = 60  # beyond a second for each connection

# 40 Mbit/s of datagrams: more in three seconds than sockets and staging take.
FLOOD = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for _ in range(36):
        s.sendto(bytes(1400), (sys.argv[1], 9))
    time.sleep(0.01)
"""


class Pair:
    """Two stock clients in hub DEFAULT, and what is done with them."""

    def __init__(self, lab, number):
        self.lab = lab
        self.clients = [lab.client(f"{side}{number}", f"192.168.50.{10 * number + k}")
                        for k, side in enumerate("ab", 1)]
        self.names = []

    def join(self, connections=1, granted=None, **modes):
        """Both log in with these modes; wait for all connections."""
        for client in self.clients:
            client.join(SERVER4, 8888, "DEFAULT", "guest", connections=connections, **modes)
        self.names = [client.session_name() for client in self.clients]
        granted = granted or connections
        wait_for(f"{granted} connections each of {self.names}: {self.rows()}", lambda: all(
            (row["MaxNumTcp_u32"], row["CurrentNumTcp_u32"]) == (granted, granted) for row in self.rows()),
            granted + GROW_S, 0.2)
        return self

    def rows(self):
        """What the server lists of the two sessions."""
        return [row for row in self.lab.server.rpc("EnumSession", HubName_str="DEFAULT")["SessionList"]
                if row["Name_str"] in self.names]

    def connections(self, side=0):
        """Names of the connections of one of the sessions, oldest first."""
        return [c["name"] for c in self.lab.server.connections() if c["session"] == self.names[side]]

    def close(self, *connections):
        """An administrator closes them, orderly; wait until they are gone."""
        for connection in connections:
            self.lab.server.ctl("connection", "close", connection)
        wait_for("them to be gone", lambda: not set(connections) & set(self.connections()), 10)

    def status(self):
        """What the server says of the first session."""
        return self.lab.server.rpc("GetSessionStatus", HubName_str="DEFAULT", Name_str=self.names[0])

    def dropped(self):
        """Frames of the two sessions that the server dropped, whatever the reason."""
        mine = [row for row in books.read(self.lab.server)
                if row["level"] == "session" and row["name"] in self.names]
        assert len(mine) == 2, [row["name"] for row in books.read(self.lab.server)]
        return sum(sum(row["drop_in"].values()) + sum(row["drop_out"].values()) for row in mine)

    def pings(self):
        """Ordinary, full and smallest frames both ways. The server drops none of them.

        The clients do, on a busy machine: one in some thousands between card and session.
        """
        before = self.dropped()
        for here, there in (self.clients, self.clients[::-1]):
            here.node.ip(f"neigh flush dev {NIC}")
            for size in (56, 1472, 0):
                got = here.ping(there.address, 20, size)[1]
                assert got >= 19, f"payload {size}: {got} of 20"
        assert self.dropped() == before

    def carries(self, megabytes=4):
        """Pings, and so much TCP each way."""
        self.pings()
        for options in ((), ("-R",)):
            got = iperf(*self.clients, None, "-n", f"{megabytes}M", *options)
            # What was still under way at the end is not in the receiver's sum.
            assert got["sum_sent"]["bytes"] >= megabytes * 1e6 and got["sum_received"]["bytes"] > megabytes * 2.5e5

    def reach(self):
        """Wait until the two reach each other."""
        wait_for("traffic", lambda: self.clients[0].ping(self.clients[1].address, 3)[1] == 3, 20)


def mode(connections=1, granted=None, **modes):
    """A case: the modes are granted, both sides say so, and the sessions carry frames of all sizes."""
    def run(pair):
        pair.join(connections, granted, **modes)
        status, client = pair.status(), pair.clients[0].status()
        assert status["UseEncrypt_bool"] == modes.get("encrypt", True)
        assert (status["CipherName_str"] != "") == modes.get("encrypt", True)
        assert client["Encryption"].startswith("Enabled" if modes.get("encrypt", True) else "Disabled")
        assert status["UseCompress_bool"] == modes.get("compress", False)
        assert client["Use of Compression"].startswith("Yes" if modes.get("compress", False) else "No")
        assert status["HalfConnection_bool"] == modes.get("half", False)
        assert status["QoS_bool"] == modes.get("qos", False)
        pair.carries()
    return run


def order(pair):
    """A quiet session stays on one of its connections, so TCP inside sees no reordering."""
    pair.join(2)
    pair.carries()
    sent = iperf(*pair.clients, 2, "-b", "4M")["sum_sent"]
    assert sent["retransmits"] <= 4, sent


def closed_connections(pair):
    """The stock client replaces what an administrator closes; the other connections live on."""
    pair.join(8)
    before = pair.connections()
    pair.close(before[0], before[-1])
    assert pair.connections()[:6] == before[1:-1]
    pair.pings()
    wait_for("new ones", lambda: len(pair.connections()) == 8, 60)
    assert set(before[1:-1]) <= set(pair.connections())
    pair.carries()


def lost_direction(pair):
    """Both connections of one direction closed: they come back in that direction."""
    pair.join(3, half=True)
    first, *others = pair.connections()  # 2, 1, 1 (wire.md 5.3)
    for victims in ([first], others):
        pair.close(*victims)
        pair.reach()
        wait_for("three connections", lambda: len(pair.connections()) == 3, 60)
    pair.carries()


def mixed_modes(pair):
    """Modes belong to a session, not to the hub; an end by the server is survived in raw mode too."""
    pair.join()
    pair.clients[0].join(SERVER4, 8888, "DEFAULT", "guest", connections=2, encrypt=False)
    pair.names[0] = pair.clients[0].session_name()
    wait_for("two connections", lambda: len(pair.connections()) == 2, 60)
    pair.close(pair.connections()[0])
    wait_for("two connections", lambda: len(pair.connections()) == 2, 60)
    pair.carries()


def lifetimes(pair):
    """Connections that live for four seconds, under load: replaced, and the sessions are the same ones."""
    pair.join(4, life_s=4)
    before = {name for side in (0, 1) for name in pair.connections(side)}
    assert iperf(*pair.clients, 10, "-b", "50M")["sum_received"]["bytes"] > 1e6
    assert not before & {name for side in (0, 1) for name in pair.connections(side)}
    assert [client.session_name() for client in pair.clients] == pair.names
    assert len(pair.rows()) == 2
    assert all(client.status()["Number of Established Sessions"] == "1 Times" for client in pair.clients)


# A list for each pair of clients, about equally long: it is the waiting that counts.
PLAN = [
    {"32": mode(32)},
    {"32 compressed": mode(32, compress=True)},
    {"8 closed and replaced": closed_connections, "8 compressed": mode(8, compress=True)},
    {"1": mode(), "1 compressed": mode(compress=True), "2 in order": order, "2 compressed": mode(2, compress=True),
     "priority": mode(1, 2, qos=True)},
    {"half duplex, direction lost": lost_direction, "half duplex compressed": mode(4, half=True, compress=True),
     "half duplex not encrypted, priority": mode(4, half=True, encrypt=False, qos=True)},
    {"not encrypted": mode(encrypt=False), "2 not encrypted compressed": mode(2, encrypt=False, compress=True),
     "one encrypted, one not": mixed_modes, "lifetimes": lifetimes},
]


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """Server and the pairs."""
    lab = make_lab()
    lab.server.start()
    return lab


@pytest.fixture(scope="module", name="pairs")
def fixture_pairs(lab):
    """The clients."""
    return [Pair(lab, number) for number in range(1, len(PLAN) + 1)]


@pytest.fixture(scope="module", name="outcomes")
def fixture_outcomes(pairs):
    """{name of a case: its future}. The threads live as long as the programs that they have started."""
    out = {}
    with concurrent.futures.ThreadPoolExecutor(len(PLAN)) as pool:
        def run(pair, cases, futures):
            for name, case in cases.items():
                try:
                    futures[name].set_result(case(pair))
                except BaseException as e:  # pylint: disable=broad-except
                    futures[name].set_exception(e)
        for pair, cases in zip(pairs, PLAN):
            out |= {name: concurrent.futures.Future() for name in cases}
            pool.submit(run, pair, cases, out)
        yield out


@pytest.mark.parametrize("name", [name for cases in PLAN for name in cases])
def test_mode(outcomes, name):
    """Each case of the plan."""
    outcomes[name].result(timeout=300)


def test_stopped_client(lab, outcomes, pairs):
    """A client that is stopped reads nothing and says nothing: the others do not notice.

    Frames for it are dropped within its bounds, and when it goes on it is the same session still.
    """
    concurrent.futures.wait(outcomes.values(), 300)
    (busy, idle) = pairs[:2]
    for pair in (busy, idle):
        pair.join()
        pair.pings()
    sender, stopped = idle.clients

    def rate():
        """TCP between the others while one more sends datagrams to the client in question."""
        flood = sender.node.spawn("/usr/bin/python3", "-c", FLOOD, stopped.address)
        bits = iperf(*busy.clients, 3)["sum_received"]["bits_per_second"]
        flood.signal(signal.SIGTERM)
        flood.wait(20)
        return bits

    sender.node.ip(f"neigh replace {stopped.address} lladdr {stopped.mac()} dev {NIC} nud permanent")
    with_it = rate()
    pids = [stopped.process.pid, *children(stopped.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        without = rate()
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
    # It may not cost them anything; that the machine is busy with other things may.
    assert without > with_it / 3, f"{without / 1e6:.0f} Mbit/s, {with_it / 1e6:.0f} before"
    dropped = {name: n for row in books.read(lab.server) if row["name"] == idle.names[1]
               for name, n in row["drop_out"].items() if n}
    assert dropped and set(dropped) <= {"staging_full", "staging_age", "staging_flood"}, dropped
    idle.reach()
    assert stopped.session_name() == idle.names[1]
    assert stopped.status()["Number of Established Sessions"] == "1 Times"
    busy.pings()


def test_books(lab, outcomes):
    """After all that the books balance."""
    concurrent.futures.wait(outcomes.values(), 300)
    time.sleep(0.5)
    books.check(lab.server, 10)
