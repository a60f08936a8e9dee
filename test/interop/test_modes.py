# SPDX-License-Identifier: BSD-3-Clause
# long
"""What two of Debian's softether-vpnclient and the server agree upon for a session, and that it carries.

A connection more a second is all that a stock client opens, so most of the time is waiting. The cases are
therefore spread over several pairs of clients in one hub, each pair on a thread of its own, and a test only
waits for the outcome of its case. Nothing is timed: what is checked comes true on a slow machine too.
"""

import concurrent.futures
import time

import pytest

from lab import SERVER4, books, wait_for
from lab.pair import Pair
from lab.traffic import TURNS, iperf

pytestmark = pytest.mark.patchbay

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
    # Clients lose frames on a busy machine, and TCP takes for lost what stood still: not in each of some runs.
    sent = []
    while not sent or sent[-1]["retransmits"] > 4:
        assert len(sent) < TURNS, sent
        sent.append(iperf(*pair.clients, 2, "-b", "4M")["sum_sent"])


def closed_connections(pair):
    """The stock client replaces what an administrator closes; the other connections live on."""
    pair.join(8)
    assert not pair.status()["HalfConnection_bool"] and not pair.status()["UseCompress_bool"]
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
    assert pair.status()["HalfConnection_bool"] and not pair.status()["UseCompress_bool"]
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
    # One after the other, a second apart at best.
    wait_for("all connections to be others", lambda: not before & {name for side in (0, 1) for name in pair.connections(side)}, 60)
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
    outcomes[name].result(timeout=600)


def test_books(lab, outcomes):
    """After all that the books balance."""
    concurrent.futures.wait(outcomes.values(), 600)
    time.sleep(0.5)
    books.check(lab.server, 30)
