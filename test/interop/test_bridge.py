# SPDX-License-Identifier: BSD-3-Clause
# serial: iperf3 wants the machine to itself
"""Local bridges to TAPs: each stands in a machine of its own, the hub is the only wire between them.

With one, two and eight workers: eight on fewer CPUs are pre-empted anywhere, and nothing may stall or leak.
"""

import os

import pytest

from lab import books, bridges, frames, wait_for
from lab.bridges import TapHost
from lab.client import NIC
from lab.traffic import FLOOR_BITS, TURNS, both_ways, iperf, join

pytestmark = pytest.mark.patchbay


@pytest.fixture(scope="module", name="lab", params=[1, 2, 8], ids=["one worker", "two workers", "eight workers"])
def fixture_lab(request, make_lab):
    """A server with so many workers and two TAPs."""
    lab = make_lab(settings={"lcores": {"workers": request.param}})
    lab.server.start()
    lab.workers = request.param
    lab.one, lab.two = TapHost(lab, "one", "192.168.60.1"), TapHost(lab, "two", "192.168.60.2")
    yield lab
    bridges.end(lab)


def test_it_is_a_session(lab, balanced):  # pylint: disable=unused-argument
    """Name, address, queues on every worker, an entry in the MAC table."""
    got = bridges.rows(lab.server)
    assert [got[n]["SessionName"] for n in ("one", "two")] == ["SID-LOCALBRIDGE-1", "SID-LOCALBRIDGE-2"]
    assert lab.one.mac().startswith("5e:") and lab.one.mac() != lab.two.mac()
    assert got["one"]["Mac"] == lab.one.mac()
    assert lab.one.ping(lab.two.address, 3) == (3, 3)
    assert {m["mac"]: m["session"] for m in lab.server.macs("DEFAULT")}[lab.one.mac()] == "SID-LOCALBRIDGE-1"
    assert {s["name"]: s["user"] for s in lab.server.sessions("DEFAULT")} == {
        "SID-LOCALBRIDGE-1": "Local Bridge", "SID-LOCALBRIDGE-2": "Local Bridge"}
    assert bridges.queues(lab.server) == {i: [f"one/{i}", f"two/{i}"] for i in range(lab.workers)}
    (hub,) = [h for h in lab.server.rpc("EnumHub")["HubList"] if h["HubName_str"] == "DEFAULT"]
    assert hub["NumSessions_u32"] == 2


def test_frames_of_all_sizes(lab, balanced):  # pylint: disable=unused-argument
    """42 to 1514 bytes, the short ones padded to 60, every byte as it was."""
    one, two = lab.one, lab.two
    with one.packets() as sender, two.packets() as receiver:
        for size in (42, 59, 60, 61, 64, 128, 1000, 1513, 1514):
            sent = frames.frame(frames.BROADCAST, frames.mac(1, 60), size)
            sender.send(sent)
            while True:
                got = receiver.recv(4096)
                if got[12:14] == sent[12:14] and got[6:12] == sent[6:12]:
                    break
            assert got == sent + bytes(max(0, 60 - size)), f"{size} bytes"


def test_ping_and_arping(lab, balanced):  # pylint: disable=unused-argument
    """All sizes both ways, 0 % loss; ARP."""
    for here, there in ((lab.one, lab.two), (lab.two, lab.one)):
        here.node.ip(f"neigh flush dev {here.card}")
        for size in (0, 56, 1472):
            assert here.ping(there.address, 20, size) == (20, 20), f"payload {size}"
        assert here.arping(there.address) == 3


def test_iperf(lab, balanced):  # pylint: disable=unused-argument
    """TCP both ways; the frames are the ones that were sent, also with the kernel's offloads on."""
    both_ways(lab.one, lab.two)


def test_flood_and_unicast(lab, balanced):  # pylint: disable=unused-argument
    """A third TAP gets floods and nothing that is for others."""
    three = TapHost(lab, "three", "192.168.60.3")
    lab.one.ping(lab.two.address, 1)
    before = bridges.rows(lab.server)["three"]["Send.UnicastCount"]
    lab.one.ping(lab.two.address, 50)
    assert bridges.rows(lab.server)["three"]["Send.UnicastCount"] == before
    assert three.ping(lab.one.address, 5) == (5, 5)
    three.unplug()


def test_to_a_vpn_client(lab, balanced):  # pylint: disable=unused-argument
    """From the bridged side to a stock client and back; and the client gets an address from a server there."""
    def dropped():
        (total,) = books.level(books.check(lab.server), "total")
        # The hub asks who is there (hub.md 5.4), and the answers go no further.
        return sum(total["drop_out"].values()) + sum(total["drop_in"].values()) - total["drop_in"]["probe_mac"]
    a = lab.client("a", "192.168.60.11")
    join(a)
    before = dropped()
    for size in (56, 1472, 0):
        assert any(a.ping(lab.one.address, 20, size) == (20, 20) for _ in range(TURNS)), f"payload {size}"
        assert any(lab.one.ping(a.address, 20, size) == (20, 20) for _ in range(TURNS)), f"payload {size}"
    lease(lab.one, a)
    assert dropped() == before
    both_ways(a, lab.one)
    a.leave()


def lease(lan, client):
    """dnsmasq behind the bridge, dhclient behind the session."""
    folder = client.node.folder
    server = lan.node.spawn(
        "dnsmasq", "--no-daemon", "--conf-file=/dev/null", "--port=0", f"--interface={lan.card}", "--bind-interfaces",
        "--user=root", "--pid-file=", f"--dhcp-leasefile={lan.node.folder}/leases", "--dhcp-range=192.168.60.100,192.168.60.110,1h",
        log="dnsmasq.log")
    wait_for("dnsmasq", lambda: "DHCP, IP range" in (lan.node.folder / "dnsmasq.log").read_text("utf-8"))
    asker = client.node.spawn("dhclient", "-4", "-d", "-1", "-v", "-sf", "/bin/true", "-cf", "/dev/null", "--no-pid",
                              "-lf", folder / "dhclient.leases", NIC, log="dhclient.log")
    wait_for("a lease", lambda: "DHCPACK of 192.168.60.1" in (folder / "dhclient.log").read_text("utf-8"), 90)
    asker.signal(15)
    asker.wait()
    assert client.mac() in (lan.node.folder / "leases").read_text("utf-8")
    server.signal(15)
    server.wait()


def test_hot_add_and_remove(lab, balanced):  # pylint: disable=unused-argument
    """While two talk a third comes and goes, with two workers a hundred times: not one frame of the two is lost."""
    spare = lab.node("spare")
    ping = lab.one.node.pings(lab.two.address, 0.002, 1000)
    host = TapHost(lab, "spare", "192.168.60.9", node=spare)
    for turn in range(100 if lab.workers == 2 or os.environ.get("PATCHBAY_LONG") else 10):
        if turn:
            host.plug()
        host.ping(lab.one.address, 2, wait_s=1)
        host.unplug()
    answered, missing = ping.stop()
    assert not missing, f"{len(missing)} lost, {answered} answered"
    assert lab.server.macs("DEFAULT") == [m for m in lab.server.macs("DEFAULT") if m["session"]]


def test_interface_down_and_up(lab, balanced):  # pylint: disable=unused-argument
    """What the kernel does not take is counted as `device`, and nothing else suffers."""
    def dropped():
        (total,) = books.level(books.read(lab.server), "total")
        return total["drop_out"]["device"]
    before = dropped()
    lab.two.node.ip(f"link set {lab.two.card} down")
    assert lab.one.arping(lab.two.address, 1, 2) == 0
    assert dropped() > before
    lab.two.node.ip(f"link set {lab.two.card} up")
    assert lab.one.ping(lab.two.address, 10)[1] == 10


def test_interface_deleted(lab, balanced):  # pylint: disable=unused-argument
    """Somebody deletes the interface: the bridge makes it again, a second later."""
    lab.one.ping(lab.two.address, 1)
    lab.two.node.ip(f"link del {lab.two.card}")
    server = lab.nodes["server"]
    wait_for("the TAP again", lambda: server.ip(f"link show {lab.two.card}", check=False).returncode == 0)
    bridges.wait_up(lab.server, "two")
    lab.two.take()
    assert lab.one.ping(lab.two.address, 10) == (10, 10)
    assert "its device has gone" in lab.server.log()


@pytest.mark.parametrize("lab", [1], indirect=True, ids=["one worker"])
def test_idle_costs_nothing(lab, balanced):  # pylint: disable=unused-argument
    """TAPs without traffic cost as little as none: nobody polls them."""
    share = bridges.busy_share(lab.server, 0.01)
    for host in (lab.one, lab.two):
        host.unplug()
    without = bridges.busy_share(lab.server, 0.01)
    for host in (lab.one, lab.two):
        host.plug()
    print(f"idle: {100 * share:.2f} % of a CPU with two TAPs, {100 * without:.2f} % without")
    assert share < without + 0.01


def test_memory_comes_back(lab):
    """No frame buffer is missing after all that."""
    bridges.all_is_back(lab.server)


def test_restart(lab):
    """Bridges are there again after a restart, in any end."""
    assert lab.server.stop() == 0
    lab.server.start()
    bridges.wait_up(lab.server, "one", "two")
    lab.server.kill()
    lab.server.start()
    bridges.wait_up(lab.server, "one", "two")
    for host in (lab.one, lab.two):
        host.take()
    assert lab.one.ping(lab.two.address, 10) == (10, 10)
    assert any(iperf(lab.one, lab.two, 1)["sum_received"]["bits_per_second"] > FLOOR_BITS for _ in range(TURNS))
