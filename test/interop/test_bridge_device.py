# SPDX-License-Identifier: BSD-3-Clause
"""Local bridges to devices of DPDK: those that need no hardware, and everything that can be wrong with one."""

import collections
import pathlib
import re
import socket
import struct
import subprocess
import time

import pytest

from lab import LabError, books, bridges, frames, wait_for
from lab.bridges import TapHost
from lab.server import mac_text
from lab.traffic import FLOOR_BITS, iperf

pytestmark = pytest.mark.patchbay
Far = collections.namedtuple("Far", "node address")


@pytest.fixture(scope="module", name="lab", params=[1, 3], ids=["one worker", "three workers"])
def fixture_lab(request, make_lab):
    """A server with so many workers."""
    lab = make_lab(settings={"lcores": {"workers": request.param}})
    lab.server.start()
    lab.workers = request.param
    yield lab
    bridges.end(lab)


def waits_for(server, name):
    """What a bridge waits for, once it says so."""
    return wait_for(f"{name}: reason", lambda: bridges.rows(server)[name]["State"] == "waiting"
                    and bridges.rows(server)[name]["Error"])


def test_ring_joins_two_hubs(lab, balanced):  # pylint: disable=unused-argument
    """Two rings of one pair: what one hub sends the other receives. Kernel interfaces at both ends."""
    server = lab.server
    bridges.create_device(server, "DEFAULT", "net_memif0,role=server,socket=/m.sock,socket-abstract=yes", "left", wait=False)
    bridges.create_device(server, "SECOND", "net_memif1,role=client,socket=/m.sock,socket-abstract=yes", "right", wait=False)
    bridges.wait_up(server, "left", "right")
    one, two = TapHost(lab, "one", "192.168.61.1"), TapHost(lab, "two", "192.168.61.2", hub="SECOND")
    for size in (0, 56, 1472):
        assert one.ping(two.address, 20, size) == (20, 20), f"payload {size}"
        assert two.ping(one.address, 20, size) == (20, 20), f"payload {size}"
    left = bridges.rows(server)["left"]
    assert left["Driver"] == "net_memif" and left["RxQueues"] >= 1
    # The link goes down with the other side: its addresses go, the bridge stays.
    assert any(m["session"] == left["SessionName"] for m in server.macs("DEFAULT"))
    bridges.delete(server, "SECOND", "right")
    wait_for("link down", lambda: not bridges.rows(server)["left"]["Link"])
    assert bridges.rows(server)["left"]["State"] == "up"
    assert not any(m["session"] == left["SessionName"] for m in server.macs("DEFAULT"))
    bridges.create_device(server, "SECOND", "net_memif1,role=client,socket=/m.sock,socket-abstract=yes", "right")
    bridges.wait_up(server, "left")
    assert one.ping(two.address, 10, wait_s=5) == (10, 10)
    for hub, name in (("DEFAULT", "left"), ("SECOND", "right")):
        bridges.delete(server, hub, name)
    one.unplug()
    two.unplug()


def test_queues_are_spread(lab, balanced):  # pylint: disable=unused-argument
    """Each worker gets its share; a device with one queue goes to who has least."""
    names = [f"n{i}" for i in range(lab.workers)]
    for name in names:
        bridges.create_device(lab.server, "SECOND", f"net_pcap_{name},tx_pcap={lab.nodes['server'].folder}/{name}.pcap", name)
    spread = bridges.queues(lab.server)
    assert sorted(q for queues in spread.values() for q in queues) == [f"{n}/0" for n in names]
    assert all(len(queues) == 1 for queues in spread.values())
    for name in names:
        bridges.delete(lab.server, "SECOND", name)
    assert not any(bridges.queues(lab.server).values())


def test_flood_to_one_queue(lab, balanced):  # pylint: disable=unused-argument
    """A device with one transmit queue gets each flooded frame once, whichever worker received it, padded."""
    tap = TapHost(lab, "src", "192.168.61.30")
    pcap = lab.nodes["server"].folder / "flood.pcap"
    bridges.create_device(lab.server, "DEFAULT", f"net_pcap_flood,tx_pcap={pcap}", "flood")
    sent = [frames.frame(frames.BROADCAST, frames.mac(i, 61), size) for i, size in enumerate((42, 60, 64, 1514))]
    with tap.packets() as sock:
        for frame in sent:
            sock.send(frame)
    wait_for("floods", lambda: bridges.rows(lab.server)["flood"]["Send.BroadcastCount"] >= len(sent))
    bridges.delete(lab.server, "DEFAULT", "flood")
    tap.unplug()
    got = [f for f in bridges.pcap_frames(pcap) if f[12:14] == sent[0][12:14]]
    assert got == [f + bytes(max(0, 60 - len(f))) for f in sent]


def test_wrong_devices(lab, balanced):  # pylint: disable=unused-argument
    """A clear reason for each, said once; the rest runs."""
    server = lab.server
    tap = TapHost(lab, "ok", "192.168.61.40")
    wrong = {"nonsense": ("net_nosuchdriver0", "neither a PCI address nor a virtual device"),
             "pci": ("0000:ff:1f.7", "No such device"),
             "noiface": ("net_af_packet3,iface=nosuchcard", "there is no interface nosuchcard"),
             "args": ("net_null7,nonsense=1", "device net_null7")}
    for name, (devargs, _) in wrong.items():
        bridges.create_device(server, "DEFAULT", devargs, name, wait=False)
    for name, (_, says) in wrong.items():
        assert says in waits_for(server, name)
    bridges.create_device(server, "DEFAULT", "net_null8", "null")
    bridges.create_device(server, "SECOND", "net_null8", "twice", wait=False)
    assert "in use already" in waits_for(server, "twice")
    bridges.delete(server, "DEFAULT", "null")
    bridges.wait_up(server, "twice")
    time.sleep(2.5)
    for name, (_, says) in wrong.items():
        assert len(re.findall(f"bridge {name} waits", server.log())) == 1, server.log()[-3000:]
    assert tap.ping("192.168.61.40", 1) == (1, 1)
    for hub, name in [("DEFAULT", n) for n in wrong] + [("SECOND", "twice")]:
        bridges.delete(server, hub, name)
    tap.unplug()


def test_wrong_requests(lab):
    """What is refused at once, and what the same pair again means."""
    server = lab.server
    for argv in (("DEFAULT",), ("DEFAULT", "--tap", "a", "--dev", "net_null0")):
        assert server.ctl_run("bridge", "create", *argv).returncode == 2
    for argv in (("DEFAULT", "--tap", "twelve_chars"), ("DEFAULT", "--dev", "net null"), ("a/b", "--tap", "x")):
        assert server.ctl_run("bridge", "create", *argv).returncode == 1
    with pytest.raises(LabError, match="29"):
        server.rpc("DeleteLocalBridge", HubNameLB_str="DEFAULT", DeviceName_str="nosuch")
    server.ctl("bridge", "create", "LATER", "--tap", "later")
    server.ctl("bridge", "create", "LATER", "--tap", "later")
    assert "no such hub" in waits_for(server, "later")
    assert len(bridges.rows(server)) == 1
    assert server.ctl_run("bridge", "create", "LATER", "--dev", "net_null1", "--name", "later").returncode == 1
    bridges.delete(server, "LATER", "later")


def test_hot_add_and_remove(lab, balanced):  # pylint: disable=unused-argument
    """A device at full rate comes and goes thirty times: other ports lose nothing, memory comes back."""
    server = lab.server
    one, two = TapHost(lab, "a", "192.168.61.51"), TapHost(lab, "b", "192.168.61.52")
    ping = one.node.pings(two.address, 0.005)
    for _ in range(30):
        bridges.create_device(server, "SECOND", "net_null5,size=64", "blast")
        assert bridges.device_pools(server)
        bridges.delete(server, "SECOND", "blast")
    answered, missing = ping.stop()
    assert not missing, f"{len(missing)} lost, {answered} answered"
    one.unplug()
    two.unplug()
    books.check(server)
    bridges.all_is_back(server)
