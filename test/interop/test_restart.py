# SPDX-License-Identifier: BSD-3-Clause
# long
"""Stock clients come back: from a restart, a crash, a lost connection, a deleted session."""

import time

import pytest

from lab import SERVER4, wait_for
from lab.traffic import TURNS

RETRY_S = 5
BACK_S = 90  # retry interval, what the client spends on the dead connection, and slack


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """Server and two clients."""
    lab = make_lab()
    lab.server.start()
    lab.client("a", "192.168.50.1")
    lab.client("b", "192.168.50.2")
    return lab


@pytest.fixture(name="pair")
def fixture_pair(lab, kind, balanced):  # pylint: disable=unused-argument
    """pair(b_tcp_only): both clients logged in, by default the second with probe where it can recover."""
    def join(b_tcp_only=kind == "softether"):
        a, b = lab.clients["a"], lab.clients["b"]
        a.join(SERVER4, 8888, "DEFAULT", "alice", "alicepw", retry_s=RETRY_S)
        b.join(SERVER4, 443, "DEFAULT", "bob", "bobpw", tcp_only=b_tcp_only, retry_s=RETRY_S)
        wait_for("first ping", lambda: a.reaches(b.address))
        return a, b
    return join


def wait_back(a, b, timeout_s=BACK_S):
    """Until the two reach each other again."""
    wait_for("the clients to reach each other again", lambda: a.reaches(b.address), timeout_s, 0.2)
    assert any(a.ping(b.address, 20) == (20, 20) for _ in range(TURNS))


def test_orderly_restart(lab, pair):
    """SIGTERM and a new start: both clients return by themselves, also the one without /tcp."""
    a, b = pair()
    lab.server.stop()
    assert not a.reaches(b.address)
    lab.server.start()
    wait_back(a, b)


def test_crash(lab, pair):
    """SIGKILL and a new start: clients whose host ends in /tcp return (others cannot, wire.md 1.2)."""
    a, b = pair(b_tcp_only=True)
    lab.server.kill()
    lab.server.start()
    wait_back(a, b)


def test_deleted_session(lab, pair):
    """The client logs in again and gets another session; the other client's stays."""
    a, b = pair()
    old, other = a.session_name(), b.session_name()
    lab.server.delete_session("DEFAULT", old)
    wait_for("the session to go", lambda: old not in [s["name"] for s in lab.server.sessions("DEFAULT")])
    wait_back(a, b)
    names = [s["name"] for s in lab.server.sessions("DEFAULT")]
    assert old not in names and other in names


@pytest.mark.patchbay
def test_connection_lost_alone(lab, pair):
    """The TCP connection closed by the server: the client rejoins the same session, within 2 s if the machine lets it."""
    took = []
    for _ in range(3):
        a, b = pair()
        name = a.session_name()
        (connection,) = [c["name"] for c in lab.server.connections() if c["session"] == name]
        lab.server.ctl("connection", "close", connection)
        began = time.monotonic()
        wait_for("the client to be heard again", lambda: a.ping(b.address, 1, wait_s=0.2)[1], step_s=0.02)
        took.append(time.monotonic() - began)
        rows = [c for c in lab.server.connections() if c["session"] == name]
        assert len(rows) == 1 and rows[0]["name"] != connection
        assert a.session_name() == name and a.status()["Number of Established Sessions"] == "1 Times"
        assert name in [s["name"] for s in lab.server.sessions("DEFAULT")]
        time.sleep(1.2)  # the client leaves a second between two attempts to join (wire.md 5.2)
    assert min(took) < 2, took


def test_killed_client(lab, pair):
    """SIGKILL to a client: its session and MAC stay until the time-out of 20 s and go then."""
    a, b = pair()
    name, mac = a.session_name(), a.mac()

    def session_there():
        return name in [s["name"] for s in lab.server.sessions("DEFAULT")]

    def mac_there():
        return mac in [m["mac"] for m in lab.server.macs("DEFAULT")]

    assert session_there() and mac_there()
    began = time.monotonic()
    a.kill()
    try:
        while time.monotonic() - began < 17:
            there = session_there() and mac_there()
            assert there or time.monotonic() - began > 18
            time.sleep(1)
        wait_for("session to end", lambda: not session_there(), 30, 0.2)
        took = time.monotonic() - began
        # The stock server adds what it waits for a last keep-alive, and a busy machine some seconds.
        assert 18 < took < 32, f"after {took:.1f} s"
        assert not mac_there()
        assert b.session_name() in [s["name"] for s in lab.server.sessions("DEFAULT")]
    finally:
        a.account = None
        a.start()
        a.control("AccountDelete lab")


def test_long_enough_for_keep_alives(lab, pair):
    """An idle session is kept by keep-alives beyond its time-out: same session, no rejoin."""
    a, b = pair()
    names = {a.session_name(), b.session_name()}
    end = time.monotonic() + 25
    while time.monotonic() < end:
        time.sleep(1)
    assert {a.session_name(), b.session_name()} == names
    assert a.status()["Number of Established Sessions"] == "1 Times"
    assert any(a.ping(b.address, 20) == (20, 20) for _ in range(TURNS))
    assert names <= {s["name"] for s in lab.server.sessions("DEFAULT")}
