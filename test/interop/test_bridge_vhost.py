# SPDX-License-Identifier: BSD-3-Clause
"""vhost-user ports and, as their peer, Debian's testpmd with two virtio-user ports: a wire between two hubs.

    TAP one - DEFAULT - vhost west ==== testpmd, io forwarding ==== vhost east - SECOND - TAP two

The peer comes and goes as virtual machines do; the bridges wait for it. Once with ordinary memory on both sides, and
once with hugepages, which the test reserves.
"""

import contextlib
import os
import shutil

import pytest

from lab import bridges, hugepages, wait_for
from lab.bridges import TapHost

SERVER_MIB, PEER_MIB = 320, 128
TESTPMD = shutil.which("dpdk-testpmd")
pytestmark = [pytest.mark.patchbay, pytest.mark.skipif(TESTPMD is None, reason="no dpdk-testpmd (dpdk-dev)")]


class Peer:
    """testpmd; its memory is one memfd, which vhost-user can share."""

    def __init__(self, lab, huge):
        self.memory = ["--in-memory", "--single-file-segments"] if huge else ["--no-huge", "--no-shconf"]
        self.node, self.folder = lab.nodes["peer"], lab.nodes["server"].folder
        self.prefix = lab.folder.name
        self.process = None

    def start(self):
        """Returns when it forwards."""
        log = self.node.folder / "testpmd.log"
        log.unlink(missing_ok=True)
        cpus = sorted(os.sched_getaffinity(0))[:2]
        self.process = self.node.spawn(
            "nice", "-n", "10", TESTPMD, "--lcores", f"0@{cpus[0]},1@{cpus[-1]}", *self.memory, "-m", str(PEER_MIB), "--no-pci",
            "--file-prefix", self.prefix, *(f"--vdev=net_virtio_user{i},path={self.folder}/{name}.sock"
                                       for i, name in enumerate(("west", "east"))),
            "--", "--forward-mode=io", "--auto-start", "--stats-period=60", "--total-num-mbufs=4096",
            log="testpmd.log")
        wait_for("testpmd", lambda: "packet forwarding" in log.read_text("utf-8", "replace"), 60)

    def kill(self):
        """Without any goodbye."""
        if self.process is None:
            return
        self.process.signal(9)
        self.process.wait()
        self.process = None
        shutil.rmtree(f"/var/run/dpdk/{self.prefix}", ignore_errors=True)


def wait_through(lab):
    """A queue of the peer may come a moment after its link: what is sent before that is counted `device`."""
    bridges.wait_up(lab.server, "west", "east")
    wait_for("a frame through the peer", lambda: lab.one.ping(lab.two.address, 1, wait_s=1)[1] == 1)


def serve(lab):
    """A peer that forwards: the one that is there, or a new one."""
    if lab.peer.process is None:
        lab.peer.start()
    wait_through(lab)


def forsake(lab):
    """No peer."""
    lab.peer.kill()
    wait_for("link down", lambda: not bridges.rows(lab.server)["west"]["Link"])


@pytest.fixture(scope="module", name="lab", params=[(1, False), (2, True)], ids=["one worker", "two workers, hugepages"])
def fixture_lab(request, make_lab):
    """Two hubs, each with a TAP and a vhost port; the peer is not there yet."""
    workers, huge = request.param
    with hugepages.reserved(SERVER_MIB + PEER_MIB) if huge else contextlib.nullcontext("") as reason:
        if reason:
            pytest.skip(reason)
        yield from labs(make_lab, workers, huge)


def labs(make_lab, workers, huge):
    """One lab, taken down."""
    eal = {"hugepages": huge, **({"memory_mb": SERVER_MIB} if huge else {})}
    lab = make_lab(settings={"lcores": {"workers": workers}, "eal": eal})
    try:
        yield from wired(lab, huge)
    finally:
        lab.close()  # before its hugepages go


def wired(lab, huge):
    """With its ports, and a peer that has not been started."""
    lab.server.start()
    assert (", hugepages" in lab.server.log()) == huge
    lab.node("peer")
    for hub, name in (("DEFAULT", "west"), ("SECOND", "east")):
        bridges.create_device(lab.server, hub, f"net_vhost_{name},iface={lab.nodes['server'].folder}/{name}.sock",
                              name, wait=False)
        wait_for(f"{name} open", lambda name=name: bridges.rows(lab.server)[name]["State"] == "up")
    lab.one, lab.two = TapHost(lab, "one", "192.168.62.1"), TapHost(lab, "two", "192.168.62.2", hub="SECOND")
    lab.peer = Peer(lab, huge)
    yield lab
    bridges.end(lab)


def test_waits_for_its_peer(lab, balanced):  # pylint: disable=unused-argument
    """Without a peer the link is down and floods are not even tried."""
    forsake(lab)
    before = bridges.rows(lab.server)["west"]["Send.BroadcastCount"]
    assert lab.one.arping("192.168.62.2", 1, 2) == 0
    assert bridges.rows(lab.server)["west"]["Send.BroadcastCount"] == before


def test_frames_pass(lab, balanced):  # pylint: disable=unused-argument
    """All sizes both ways through the peer."""
    serve(lab)
    for size in (0, 56, 1472):
        assert lab.one.ping(lab.two.address, 20, size) == (20, 20), f"payload {size}"
        assert lab.two.ping(lab.one.address, 20, size) == (20, 20), f"payload {size}"
    assert any(m["session"] == bridges.rows(lab.server)["west"]["SessionName"] for m in lab.server.macs("DEFAULT"))


def test_peer_killed_and_back(lab, balanced):  # pylint: disable=unused-argument
    """Its addresses go with it; the bridge waits and serves the next one."""
    serve(lab)
    for _ in range(2):
        forsake(lab)
        assert bridges.rows(lab.server)["west"]["State"] == "up"
        assert not any(m["session"] == bridges.rows(lab.server)["west"]["SessionName"]
                       for m in lab.server.macs("DEFAULT"))
        assert lab.one.arping(lab.two.address, 1, 2) == 0
        serve(lab)
        assert lab.one.ping(lab.two.address, 20) == (20, 20)


def test_removed_under_its_peer(lab, balanced):  # pylint: disable=unused-argument
    """Deleting and making the port again while the peer runs: it reconnects or is started anew, as its driver likes."""
    serve(lab)
    bridges.delete(lab.server, "SECOND", "east")
    lab.peer.kill()
    bridges.create_device(lab.server, "SECOND", f"net_vhost_east,iface={lab.nodes['server'].folder}/east.sock", "east",
                          wait=False)
    wait_for("east open", lambda: bridges.rows(lab.server)["east"]["State"] == "up")
    serve(lab)
    assert lab.one.ping(lab.two.address, 20) == (20, 20)
    lab.peer.kill()


def test_memory_comes_back(lab):
    """The peer was killed in the middle of whatever it did, and no frame buffer is missing."""
    lab.peer.kill()
    for hub, name in (("DEFAULT", "west"), ("SECOND", "east")):
        bridges.delete(lab.server, hub, name)
    bridges.all_is_back(lab.server)
