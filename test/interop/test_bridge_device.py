# SPDX-License-Identifier: BSD-3-Clause
"""Local bridges to devices of DPDK: those that need no hardware, and everything that can be wrong with one."""

import os
import re
import statistics
import time

import pytest

from lab import LabError, books, bridges, frames, wait_for
from lab.bridges import TapHost
from lab.server import mac_text

pytestmark = pytest.mark.patchbay


@pytest.fixture(scope="module", name="lab", params=[1, 3], ids=["one worker", "three workers"])
def fixture_lab(request, make_lab):
    """A server with so many workers."""
    # virtio-user needs memory in one piece: hugepages that somebody has reserved on this machine are many.
    lab = make_lab(settings={"lcores": {"workers": request.param}, "eal": {"hugepages": False}})
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
    assert one.ping(two.address, 10) == (10, 10)
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


def test_more_queues_than_workers(lab, balanced):  # pylint: disable=unused-argument
    """
    Five queues: every one is polled, as evenly as it goes. A frame that came in several buffers and fits no single one
    (net_pcap makes such of 5000 bytes) is dropped and counted as too long; what is around it passes.
    """
    server, tap = lab.server, TapHost(lab, "qtap", "192.168.61.31", hub="SECOND")
    def too_long():
        (total,) = books.level(books.read(server), "total")
        return total["drop_in"]["long"]
    files = [bridges.write_pcap(lab.nodes["server"].folder / f"queue{q}.pcap", [
        frames.frame(frames.BROADCAST, frames.mac(2 * q, 62)), frames.frame(frames.BROADCAST, frames.mac(99, 62), 5000),
        frames.frame(frames.BROADCAST, frames.mac(2 * q + 1, 62))]) for q in range(5)]
    before = too_long()
    with tap.packets() as sock:
        bridges.create_device(server, "SECOND", ",".join(["net_pcap_many", *(f"rx_pcap={f}" for f in files)]), "many")
        spread = [[q for q in queues if q.startswith("many/")] for queues in bridges.queues(server).values()]
        assert sorted(sum(spread, [])) == [f"many/{q}" for q in range(5)]
        assert max(map(len, spread)) - min(map(len, spread)) <= 1
        missing = {frames.mac(n, 62) for n in range(10)}
        while missing:
            missing.discard(sock.recv(4096)[6:12])
    wait_for("five that were too long", lambda: too_long() == before + 5)
    assert not any(m["mac"].endswith(":63") for m in server.macs("SECOND"))
    bridges.delete(server, "SECOND", "many")
    tap.unplug()


def test_limit_broadcast(lab, balanced):  # pylint: disable=unused-argument
    """A bridge is no source of storms unless that is asked for; then it is limited as any session."""
    server, pcap = lab.server, lab.nodes["server"].folder / "storm.pcap"
    def storms():
        (total,) = books.level(books.read(server), "total")
        return total["drop_in"]["storm"]
    bridges.write_pcap(pcap, [frames.flood(frames.mac(1, 64), 1, 64)] * 400)
    for name, option in (("free", ()), ("limited", ("--limit-broadcast",))):
        before = storms()
        server.ctl("bridge", "create", "SECOND", "--dev", f"net_pcap_{name},rx_pcap={pcap}", "--name", name, *option)
        wait_for("all of them", lambda: bridges.rows(server)[name]["Recv.BroadcastCount"] == 400)
        # A second's worth may pass, and on a slow machine what leaks meanwhile.
        if name == "free":
            assert storms() == before
        else:
            wait_for("what was too much, counted", lambda: storms() - before > 200)
        bridges.delete(server, "SECOND", name)


def test_flood_to_one_queue(lab, balanced):  # pylint: disable=unused-argument
    """A device with one transmit queue gets each flooded frame once, whichever worker received it, padded."""
    tap = TapHost(lab, "src", "192.168.61.30")
    pcap = lab.nodes["server"].folder / "flood.pcap"
    bridges.create_device(lab.server, "DEFAULT", f"net_pcap_flood,tx_pcap={pcap}", "flood")
    sent = [frames.frame(frames.BROADCAST, frames.mac(i, 61), size) for i, size in enumerate((42, 60, 64, 1514))]
    with tap.packets() as sock:
        for frame in sent:
            sock.send(frame)
    # The kernel floods, too, when an interface comes up: it is not their number that says that ours are through.
    wait_for("the last of them", lambda: mac_text(sent[-1][6:12]) in {m["mac"] for m in lab.server.macs("DEFAULT")})
    lab.server.rpc("PatchbayQuiesce")
    bridges.delete(lab.server, "DEFAULT", "flood")
    tap.unplug()
    got = [f for f in bridges.pcap_frames(pcap) if f[12:14] == sent[0][12:14]]
    assert got == [f + bytes(max(0, 60 - len(f))) for f in sent]


KINDS = {
    "null": "net_null0,no-rx=1",
    "ring": "net_ring0",
    "pcap": "net_pcap0,tx_pcap={folder}/kinds.pcap",
    "tap": "net_tap0,iface=dtap0",
    "memif": "net_memif5,role=server,socket={folder}/memif.sock,socket-abstract=no",
    "vhost": "net_vhost5,iface={folder}/kinds.sock",
    "af_packet": "net_af_packet5,iface=lo",
}


@pytest.mark.parametrize("lab", [1], indirect=True, ids=["one worker"])
@pytest.mark.parametrize("pmd", KINDS)
def test_every_kind(lab, balanced, pmd):  # pylint: disable=unused-argument
    """Each driver of the list comes, takes floods where it has a link, and goes; twice. (af_xdp: test_bridge_netdev.)"""
    server, tap = lab.server, TapHost(lab, "kinds", "192.168.61.70", hub="SECOND")
    devargs = KINDS[pmd].format(folder=lab.nodes["server"].folder)
    for _ in range(2):
        bridges.create_device(server, "SECOND", devargs, pmd, wait=False)
        wait_for("up", lambda: bridges.rows(server)[pmd]["State"] == "up")
        assert bridges.rows(server)[pmd]["Driver"] == f"net_{pmd}"
        assert bridges.rows(server)[pmd]["Link"] == (pmd not in ("memif", "vhost"))
        with tap.packets() as sock:
            sock.send(frames.arp_request(bytes.fromhex(tap.mac().replace(":", "")), tap.address, "192.168.61.71"))
        if bridges.rows(server)[pmd]["Link"]:
            wait_for("the flood", lambda: bridges.rows(server)[pmd]["Send.BroadcastCount"] > 0)
        if pmd == "tap":
            # The kernel is the neighbour: its own interface, our frames.
            lab.nodes["server"].ip("addr add 192.168.61.72/24 dev dtap0")
            tap.node.ip(f"neigh flush dev {tap.card}")  # its address is a new one each time
            for size in (0, 56, 1472):
                assert tap.ping("192.168.61.72", 10, size) == (10, 10), f"payload {size}"
        if pmd == "ring":
            # What goes in comes out: the 13-second rule keeps the echo from taking the sender's address.
            wait_for("echo", lambda: bridges.rows(server)[pmd]["Recv.BroadcastCount"] > 0)
            owner = {m["mac"]: m["session"] for m in server.macs("SECOND")}[tap.mac()]
            assert owner == bridges.rows(server)["kinds"]["SessionName"]
        bridges.delete(server, "SECOND", pmd)
    tap.unplug()


def test_virtio_user(lab, balanced):  # pylint: disable=unused-argument
    """vhost in one hub and virtio-user in the other, in one process: ping through both."""
    server, folder = lab.server, lab.nodes["server"].folder
    bridges.create_device(server, "DEFAULT", f"net_vhost6,iface={folder}/own.sock", "host", wait=False)
    wait_for("up", lambda: bridges.rows(server)["host"]["State"] == "up")
    bridges.create_device(server, "SECOND", f"net_virtio_user6,path={folder}/own.sock", "guest", wait=False)
    bridges.wait_up(server, "host", "guest")
    one, two = TapHost(lab, "v1", "192.168.61.81"), TapHost(lab, "v2", "192.168.61.82", hub="SECOND")
    wait_for("a frame through", lambda: one.ping(two.address, 1, wait_s=1)[1] == 1)
    for size in (0, 56, 1472):
        assert one.ping(two.address, 10, size) == (10, 10), f"payload {size}"
    bridges.delete(server, "SECOND", "guest")
    bridges.delete(server, "DEFAULT", "host")
    for host in (one, two):
        host.unplug()


def test_out_of_memory(lab, balanced):  # pylint: disable=unused-argument
    """Bridges until the memory is used up: the one too many says so, the others run, and room lets it up."""
    server, names = lab.server, []
    for i in range(60):
        names.append(f"m{i}")
        server.ctl("bridge", "create", "SECOND", "--dev", f"net_null{20 + i},size=64,no-rx=1", "--name", names[-1],
                   "--max-frame", "9216")
        wait_for("up or not", lambda: bridges.rows(server)[names[-1]]["State"] == "up" or bridges.rows(server)[names[-1]]["Error"])
        if bridges.rows(server)[names[-1]]["Error"]:
            break
    assert re.search("no memory for .*eal.memory_mb", bridges.rows(server)[names[-1]]["Error"])
    assert all(bridges.rows(server)[n]["State"] == "up" for n in names[:-1]) and len(names) > 2
    bridges.delete(server, "SECOND", names.pop(0))
    bridges.wait_up(server, names[-1])
    for name in names:
        bridges.delete(server, "SECOND", name)


@pytest.mark.parametrize("lab", [1], indirect=True, ids=["one worker"])
def test_idle_costs_little(lab, balanced):  # pylint: disable=unused-argument
    """Two polled ports, no interrupt, no traffic: under 5 % of a CPU, and less than a millisecond to the first frame.

    The best of a few looks: what a busy machine adds to them is not what is asked.
    """
    server = lab.server
    one, two = TapHost(lab, "i1", "192.168.61.91"), TapHost(lab, "i2", "192.168.61.92")
    three = TapHost(lab, "i3", "192.168.61.93", hub="SECOND")
    def answer_ms(address):
        out = one.node.run("ping", "-n", "-c", 11, "-i", 0.1, address).stdout
        return statistics.median([float(ms) for ms in re.findall(r"time=([\d.]+)", out)][1:])
    bridges.create_device(server, "DEFAULT", "net_memif7,role=server,socket=/idle.sock,socket-abstract=yes", "left", wait=False)
    bridges.create_device(server, "SECOND", "net_memif8,role=client,socket=/idle.sock,socket-abstract=yes", "right", wait=False)
    bridges.wait_up(server, "left", "right")
    assert one.ping(three.address, 3) == (3, 3)
    added = []
    for _ in range(5):
        # There and back is twice through a polled port.
        added.append((answer_ms(three.address) - answer_ms(two.address)) / 2)
        if added[-1] < 1:
            break
    assert min(added) < 1, added
    share = bridges.busy_share(server, 0.05)
    print(f"idle: {100 * share:.1f} % of a CPU; first frame {1000 * min(added):.0f} us later")
    assert share < 0.05
    for hub, name in (("DEFAULT", "left"), ("SECOND", "right")):
        bridges.delete(server, hub, name)
    for host in (one, two, three):
        host.unplug()


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
    """A device at full rate comes and goes, with three workers a hundred times: other ports lose nothing, memory comes back."""
    server = lab.server
    one, two = TapHost(lab, "a", "192.168.61.51"), TapHost(lab, "b", "192.168.61.52")
    ping = one.node.pings(two.address, 0.005)
    for _ in range(100 if lab.workers == 3 or os.environ.get("PATCHBAY_LONG") else 20):
        bridges.create_device(server, "SECOND", "net_null5,size=64", "blast")
        assert bridges.device_pools(server)
        bridges.delete(server, "SECOND", "blast")
    answered, missing = ping.stop()
    assert not missing, f"{len(missing)} lost, {answered} answered"
    one.unplug()
    two.unplug()
    books.check(server)
    bridges.all_is_back(server)
