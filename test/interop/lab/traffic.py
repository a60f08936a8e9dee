# SPDX-License-Identifier: BSD-3-Clause
"""Traffic between two connected stock clients."""

import json

from .client import NIC
from .netns import wait_for
from .topology import SERVER4

FLOOR_BITS = 20e6  # far below what any machine does; a broken path does not get there


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
                                     timeout_s=(seconds or 60) + 30, check=False).stdout)
    daemon.wait()
    assert "error" not in got, f"{got.get('error')} {out.read_text()[-500:]}"
    return got["end"]


def all_sizes(one, other):
    """0 % loss with ordinary, full (1514) and smallest (42, ARP and empty ping) frames, both ways."""
    for here, there in ((one, other), (other, one)):
        here.node.ip(f"neigh flush dev {NIC}")
        for size in (56, 1472, 0):
            assert here.ping(there.address, 20, size) == (20, 20), f"payload {size}"


def both_ways(one, other, seconds=2):
    """TCP from here and from there moves bytes, and nothing breaks."""
    for options in ((), ("-R",)):
        bits = iperf(one, other, seconds, *options)["sum_received"]["bits_per_second"]
        assert bits > FLOOR_BITS, f"{options or 'there'}: {bits / 1e6:.0f} Mbit/s"
