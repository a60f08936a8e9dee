# SPDX-License-Identifier: BSD-3-Clause
"""Traffic between two connected stock clients."""

import json

from .client import NIC
from .netns import wait_for
from .topology import SERVER4

FLOOR_BITS = 20e6  # far below what any machine does; a broken path does not get there
TURNS = 5  # for a stock client that loses a frame, as it does on a busy machine now and then


def join(client, port=8888, hub="DEFAULT", **options):
    """Log the client in as the user that belongs to it."""
    user = {"a": "alice", "b": "bob", "c": "guest"}[client.node.name]
    return client.join(SERVER4, port, hub, user, None if user == "guest" else f"{user}pw", **options)


def iperf(client, server, seconds=2, *options):
    """One iperf3 run from client to server over the VPN; the sums of its report. `seconds` None: the options say."""
    if seconds is not None:
        options = ("-t", seconds, *options)
    out = server.node.folder / "iperf3.log"
    daemon = server.node.spawn("iperf3", "-s", "-1", "-B", server.address, log="iperf3.log")
    wait_for("iperf3 server", lambda: server.node.run("ss", "-Hltn", "sport = :5201").stdout)
    got = json.loads(client.node.run("iperf3", "-c", server.address, "-J", *options,
                                     timeout_s=(seconds or 60) + 120, check=False).stdout)
    daemon.wait()
    assert "error" not in got, f"{got.get('error')} {out.read_text()[-500:]}"
    return got["end"]


def all_sizes(one, other):
    """0 % loss with ordinary, full (1514) and smallest (42, ARP and empty ping) frames, both ways."""
    for here, there in ((one, other), (other, one)):
        here.node.ip(f"neigh flush dev {NIC}")
        for size in (56, 1472, 0):
            assert any(here.ping(there.address, 20, size) == (20, 20) for _ in range(TURNS)), f"payload {size}"


def both_ways(one, other, megabytes=8):
    """So much TCP from here and from there, however long it takes: nothing breaks."""
    for options in ((), ("-R",)):
        got = iperf(one, other, None, "-n", f"{megabytes}M", *options)
        # What was still under way at the end is not in the receiver's sum.
        assert got["sum_sent"]["bytes"] >= megabytes * 1e6, options
        assert got["sum_received"]["bytes"] > megabytes * 2.5e5, options
