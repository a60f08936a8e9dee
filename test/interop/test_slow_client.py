# SPDX-License-Identifier: BSD-3-Clause
# serial: iperf3 at full rate wants the machine to itself
"""One slow receiver never stalls others."""

import os
import signal

import pytest

from lab import books
from lab.client import NIC
from lab.netns import children
from lab.pair import Pair
from lab.traffic import iperf

# 40 Mbit/s of datagrams: more in three seconds than sockets and staging take.
FLOOD = """
import socket, sys, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    for _ in range(36):
        s.sendto(bytes(1400), (sys.argv[1], 9))
    time.sleep(0.01)
"""


@pytest.mark.patchbay
def test_stopped_client(lab, balanced):  # pylint: disable=unused-argument
    """A client that is stopped reads nothing and says nothing: the others do not notice.

    Frames for it are dropped within its bounds, and when it goes on it is the same session still.
    """
    busy, idle = (Pair(lab, number).join() for number in (1, 2))
    for pair in (busy, idle):
        pair.pings()
    sender, stopped = idle.clients

    def rate():
        """TCP between the others while one more sends datagrams to the client in question."""
        flood = sender.node.spawn("/usr/bin/python3", "-c", FLOOD, stopped.address)
        bits = iperf(*busy.clients, 3)["sum_received"]["bits_per_second"]
        flood.signal(signal.SIGTERM)
        flood.wait()
        return bits

    sender.node.ip(f"neigh replace {stopped.address} lladdr {stopped.mac()} dev {NIC} nud permanent")
    with_it, without = rate(), []
    pids = [stopped.process.pid, *children(stopped.process.pid)]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        # It may not cost them anything; that the machine is busy with other things may. (It stays the same session for 20 s.)
        while not without or without[-1] <= with_it / 3:
            assert len(without) < 3, f"{without} bit/s, {with_it} before"
            without.append(rate())
    finally:
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
    dropped = {name: n for row in books.read(lab.server) if row["name"] == idle.names[1]
               for name, n in row["drop_out"].items() if n}
    assert dropped and set(dropped) <= {"staging_full", "staging_age", "staging_flood"}, dropped
    idle.reach()
    assert stopped.session_name() == idle.names[1]
    assert stopped.status()["Number of Established Sessions"] == "1 Times"
    busy.pings()
