# SPDX-License-Identifier: BSD-3-Clause
"""Local bridges to kernel interfaces that are there already: what the kernel does to frames must not show.

    far (eth0) ==== veth0 on the server, borrowed by a PMD - DEFAULT - TAP near

Both ends of the veth keep the offloads they are born with: its frames carry no checksums, and none of them
was ever cut to fit a wire.
"""

import collections
import contextlib
import re
import socket
import struct
import subprocess

import pytest

from lab import books, bridges, frames, wait_for
from lab.bridges import TapHost
from lab.server import mac_text
from lab.traffic import FLOOR_BITS, TURNS, iperf

pytestmark = pytest.mark.patchbay
Far = collections.namedtuple("Far", "node address")
NEAR, FAR = "192.168.63.1", "192.168.63.2"
UNWANTED = ("rx-gro", "tx-generic-segmentation", "tx-tcp-segmentation", "tx-tcp6-segmentation")


@pytest.fixture(scope="module", name="lab", params=[1, 3], ids=["one worker", "three workers"])
def fixture_lab(request, make_lab):
    """A server with so many workers, a TAP and a veth."""
    lab = make_lab(settings={"lcores": {"workers": request.param}})
    lab.server.start()
    lab.near = TapHost(lab, "near", NEAR)
    lab.far = lab.node("far")
    plug_veth(lab)
    yield lab
    bridges.end(lab)


def plug_veth(lab):
    """The cable between server and far."""
    server = lab.nodes["server"]
    subprocess.run(["nsenter", f"--net=/proc/{server.init_pid}/ns/net", "ip", "link", "add", "veth0", "type", "veth",
                    "peer", "name", "eth0", "netns", str(lab.far.init_pid)], check=True)
    server.ip("link set veth0 up")
    lab.far.ip(f"addr add {FAR}/24 dev eth0")
    lab.far.ip("link set eth0 up")


def features(node, card):
    """{feature: on} of an interface."""
    out = node.run("ethtool", "-k", card).stdout
    return {name: state == "on" for name, state in re.findall(r"^\s*([\w-]+): (on|off)", out, re.M)}


def drops(server, way, name):
    """A drop counter of the whole server."""
    (total,) = books.level(books.read(server), "total")
    return total[way][name]


@pytest.fixture(name="veth")
def fixture_veth(lab):
    """The veth bridged for one test."""
    got = bridges.create_device(lab.server, "DEFAULT", "net_af_packet0,iface=veth0", "veth")
    yield got
    bridges.delete(lab.server, "DEFAULT", "veth")


def test_offloads_are_off_and_come_back(lab, balanced):  # pylint: disable=unused-argument
    """GRO, TSO and GSO of the interface, also with two bridges on it; and not if they are to stay."""
    server = lab.nodes["server"]
    server.run("ethtool", "-K", "veth0", "gro", "on")
    def ours():
        now = features(server, "veth0")
        return [now["generic-receive-offload"], now["generic-segmentation-offload"], now["tcp-segmentation-offload"]]
    before, rest = ours(), features(server, "veth0")
    assert all(before)
    assert features(lab.far, "eth0")["tcp-segmentation-offload"]
    bridges.create_device(lab.server, "DEFAULT", "net_af_packet0,iface=veth0", "veth")
    bridges.create_device(lab.server, "SECOND", "net_af_packet1,iface=veth0", "twice")
    assert not any(ours())
    # The other end of a veth segments while this one has an XDP program.
    assert not features(lab.far, "eth0")["tcp-segmentation-offload"]
    bridges.delete(lab.server, "DEFAULT", "veth")
    assert not any(ours())
    bridges.delete(lab.server, "SECOND", "twice")
    assert ours() == before and features(server, "veth0") == rest
    assert features(lab.far, "eth0")["tcp-segmentation-offload"]
    assert "prog/xdp" not in server.ip("link show veth0").stdout
    lab.server.ctl("bridge", "create", "DEFAULT", "--dev", "net_af_packet0,iface=veth0", "--name", "kept", "--keep-offloads")
    bridges.wait_up(lab.server, "kept")
    assert features(server, "veth0") == rest
    bridges.delete(lab.server, "DEFAULT", "kept")


@pytest.mark.parametrize("lab", [1], indirect=True, ids=["one worker"])
def test_offloads_come_back_after_a_kill(lab):
    """What a killed daemon left off is on again when the next one has let go of it, and at once if that one has no use for it."""
    server, record = lab.nodes["server"], lab.server.state / "offloads"
    def ours():
        now = features(server, "veth0")
        return [now["generic-receive-offload"], now["generic-segmentation-offload"], now["tcp-segmentation-offload"]]
    rest = features(server, "veth0")
    assert all(ours()) and not record.exists()
    bridges.create_device(lab.server, "DEFAULT", "net_af_packet0,iface=veth0", "veth")
    assert not any(ours()) and "veth0" in record.read_text("utf-8")
    for _ in range(2):
        lab.server.kill()
        assert not any(ours())
        lab.server.start()
        bridges.wait_up(lab.server, "veth")
        assert not any(ours())
        assert "offloads of 1 kernel interfaces" in lab.server.log()
    bridges.delete(lab.server, "DEFAULT", "veth")
    assert features(server, "veth0") == rest and not record.exists()
    # The same without a bridge at the next start, and a record of another boot, which says nothing here.
    bridges.create_device(lab.server, "DEFAULT", "net_af_packet0,iface=veth0", "veth")
    lab.server.kill()
    written = record.read_text("utf-8")
    record.write_text(re.sub("^boot ....", "boot 0000", written), encoding="utf-8")
    offline = [*lab.server.state.glob("directory*")]
    kept = {path: path.read_bytes() for path in offline}
    for path in offline:
        path.unlink()
    for text, on in ((record.read_text("utf-8"), False), (written, True)):
        record.write_text(text, encoding="utf-8")
        lab.server.start()
        assert all(ours()) == on and not record.exists()
        lab.server.kill()
    for path in lab.server.state.glob("directory*"):
        path.unlink()
    for path, data in kept.items():
        path.write_bytes(data)
    lab.server.start()
    bridges.wait_up(lab.server, "veth", "near")
    bridges.delete(lab.server, "DEFAULT", "veth")
    assert features(server, "veth0") == rest
    lab.near.take()


def enough(sender, receiver):
    """TCP as fast as what does not work never is, in a second or in another one."""
    bits = []
    while not bits or bits[-1] <= FLOOR_BITS:
        assert len(bits) < TURNS, f"{bits} bit/s from {sender.address}"
        bits.append(iperf(sender, receiver, 1)["sum_received"]["bits_per_second"])


def test_default_offloads(lab, veth, balanced):  # pylint: disable=unused-argument
    """Ping and TCP both ways with a kernel that leaves checksums and segments to hardware."""
    assert veth["Driver"] == "net_af_packet" and not veth["Note"]
    super_frames = drops(lab.server, "drop_in", "super_frame")
    for size in (0, 56, 1472):
        assert lab.near.ping(FAR, 10, size) == (10, 10), f"payload {size}"
    for sender, receiver in ((Far(lab.far, FAR), lab.near), (lab.near, Far(lab.far, FAR))):
        enough(sender, receiver)
    assert drops(lab.server, "drop_in", "super_frame") == super_frames


def test_super_frames_are_named(lab, balanced):  # pylint: disable=unused-argument
    """With offloads that stay on, what no hub can carry is counted as what it is."""
    lab.server.ctl("bridge", "create", "DEFAULT", "--dev", "net_af_packet0,iface=veth0", "--name", "kept", "--keep-offloads")
    bridges.wait_up(lab.server, "kept")
    before = drops(lab.server, "drop_in", "super_frame"), drops(lab.server, "drop_in", "long")
    daemon = lab.near.node.spawn("iperf3", "-s", "-1", "-B", NEAR, log="iperf3.log")
    wait_for("iperf3 server", lambda: lab.near.node.run("ss", "-Hltn", "sport = :5201").stdout)
    client = lab.far.spawn("iperf3", "-c", NEAR, "-t", "30", log="iperf3.log")
    try:
        wait_for("super frames", lambda: drops(lab.server, "drop_in", "super_frame") > before[0])
        assert drops(lab.server, "drop_in", "long") == before[1]
    finally:
        for process in (client, daemon):
            process.signal(9)
            process.wait()
        bridges.delete(lab.server, "DEFAULT", "kept")


@pytest.mark.parametrize("lab", [1], indirect=True, ids=["one worker"])  # tshark takes its time
def test_checksums_are_right(lab, veth, balanced):  # pylint: disable=unused-argument
    """What left its checksum to hardware has a right one behind the hub, says tshark: UDP and TCP, IPv4 and IPv6."""
    near, far = lab.near, lab.far
    near.node.ip(f"-6 addr add fd63::1/64 dev {near.card} nodad")
    far.ip("-6 addr add fd63::2/64 dev eth0 nodad")
    for address in (NEAR, "fd63::1"):
        assert far.ping(address, 1, 56, 0.1, 5) == (1, 1)
    pcap = near.node.folder / "checksum.pcap"
    dump = near.node.spawn("tshark", "-q", "-i", near.card, "-w", pcap, "udp port 9 or tcp port 5202", log="tshark.log")
    def sums():
        """{(of IPv4's header, of TCP, of UDP): frames}; 1 = good, IPv6 has none of its own."""
        out = near.node.run(
            "tshark", "-r", pcap, "-Y", f"ip.src == {FAR} or ipv6.src == fd63::2", "-T", "fields", "-E", "separator=,",
            "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE",
            "-e", "ip.checksum.status", "-e", "tcp.checksum.status", "-e", "udp.checksum.status",
            timeout_s=60, check=False).stdout
        return collections.Counter(tuple(line.split(",")) for line in out.splitlines())
    def udp_seen():
        """tshark says that it captures a moment before it does."""
        for family, address in ((socket.AF_INET, NEAR), (socket.AF_INET6, "fd63::1")):
            with far.socket(family, socket.SOCK_DGRAM) as sock:
                for size in (0, 1, 2, 999, 1400):
                    sock.sendto(bytes(i % 251 for i in range(size)), (address, 9))
        return sum(n for status, n in sums().items() if status[2]) >= 2 * 5
    wait_for("UDP in the capture", udp_seen, 90, 0.5)
    for family, address in ((socket.AF_INET, NEAR), (socket.AF_INET6, "fd63::1")):
        with near.node.socket(family) as listener, far.socket(family) as sock:
            listener.bind((address, 5202))
            listener.listen()
            sock.connect((address, 5202))
            sock.sendall(b"patchbay" * 4096)
            sock.shutdown(socket.SHUT_WR)
            taken, _ = listener.accept()
            with taken:
                got = b""
                while chunk := taken.recv(65536):
                    got += chunk
            assert got == b"patchbay" * 4096
    wait_for("TCP in the capture", lambda: sum(n for status, n in sums().items() if status[1]) >= 2 * 24, 90, 0.5)
    dump.signal(2)
    dump.wait()
    assert set(sums()) == {("1", "1", ""), ("1", "", "1"), ("", "1", ""), ("", "", "1")}, sums()


def test_vlan(lab, veth, balanced):  # pylint: disable=unused-argument
    """802.1Q between two kernels: the tag that one of them keeps beside the frame is in it behind the hub."""
    near, far = lab.near, lab.far
    if near.node.ip(f"link add link {near.card} name v7 type vlan id 7", check=False).returncode:
        pytest.skip("this kernel has no 802.1Q interfaces (CONFIG_VLAN_8021Q)")
    near.node.ip("link del v7")
    for node, card, address in ((near.node, near.card, "192.168.64.1"), (far, "eth0", "192.168.64.2")):
        node.ip(f"link add link {card} name v7 type vlan id 7")
        node.ip(f"addr add {address}/24 dev v7")
        node.ip("link set v7 up")
    for size in (0, 56, 1468):
        assert near.node.ping("192.168.64.2", 10, size, 0.01, 5) == (10, 10), f"payload {size}"
        assert far.ping("192.168.64.1", 10, size, 0.01, 5) == (10, 10), f"payload {size}"
    enough(Far(far, "192.168.64.2"), Far(near.node, "192.168.64.1"))
    # The same addresses without and with the tag are two entries (hub.md 4).
    vlans = {r["VlanId_u32"] for r in lab.server.rpc("EnumMacTable", HubName_str="DEFAULT")["MacTable"]}
    assert vlans == {0, 7}
    for node in (near.node, far):
        node.ip("link del v7")


def test_tag_is_put_back(lab, balanced):  # pylint: disable=unused-argument
    """Byte by byte: priority and all, on frames of all sizes."""
    server = lab.nodes["server"]
    pcap = server.folder / "tagged.pcap"
    bridges.create_device(lab.server, "SECOND", "net_af_packet1,iface=veth0", "veth")
    bridges.create_device(lab.server, "SECOND", f"net_pcap_tagged,tx_pcap={pcap}", "tagged")
    sent = [frames.frame(frames.BROADCAST, frames.mac(i, 62), size, b"\x60\x07\x88\xb5", ethertype=0x8100)
            for i, size in enumerate((64, 200, 1514))]
    with lab.far.socket(socket.AF_PACKET, socket.SOCK_RAW) as sock:
        sock.bind(("eth0", 0))
        for frame in sent:
            sock.send(frame)
    # (Their number would not do: the kernel's neighbour discovery floods, too.)
    wait_for("frames", lambda: {m["mac"] for m in lab.server.macs("SECOND")} >= {mac_text(f[6:12]) for f in sent})
    lab.server.rpc("PatchbayQuiesce")
    for name in ("veth", "tagged"):
        bridges.delete(lab.server, "SECOND", name)
    assert [f for f in bridges.pcap_frames(pcap) if f[12:14] == b"\x81\x00"] == sent


SOL_PACKET, PACKET_AUXDATA = 263, 8  # linux/if_packet.h
VLAN_VALID, TPID_VALID = 0x10, 0x40


def whole(sock):
    """The next frame that came in, its tag in its place: a kernel keeps that beside what it hands out."""
    while True:
        data, ancillary, _, address = sock.recvmsg(4096, 256)
        if address[2] == socket.PACKET_OUTGOING:
            continue
        for level, kind, aux in ancillary:
            if (level, kind) != (SOL_PACKET, PACKET_AUXDATA):
                continue
            status, _, _, _, _, tci, tpid = struct.unpack_from("IIIHHHH", aux)
            if status & VLAN_VALID:
                data = data[:12] + struct.pack(">HH", tpid if status & TPID_VALID else 0x8100, tci) + data[12:]
        return data


@pytest.mark.parametrize("near_far", [("on", "on"), ("off", "off"), ("on", "off"), ("off", "on")], ids="-".join)
@pytest.mark.parametrize("lab", [1], indirect=True, ids=["one worker"])
def test_tags_pass_both_ways(lab, balanced, near_far):  # pylint: disable=unused-argument
    """Tagged frames through the bridged interface, in and out, whichever end takes tags out and puts them in: every bit arrives.

    Needs no VLAN interface, which not every kernel has (test_vlan).
    """
    server, near, far = lab.nodes["server"], lab.near, lab.far
    group = ("on", "off").index(near_far[0]) + 2 * ("on", "off").index(near_far[1])  # nobody's address moves within 13 s
    with contextlib.ExitStack() as stack:
        for node, card, state in ((server, "veth0", near_far[0]), (far, "eth0", near_far[1])):
            node.run("ethtool", "-K", card, "rxvlan", state, "txvlan", state)
            stack.callback(node.run, "ethtool", "-K", card, "rxvlan", "on", "txvlan", "on")
            now = features(node, card)
            assert now["rx-vlan-offload"] == now["tx-vlan-offload"] == (state == "on")
        bridges.create_device(lab.server, "DEFAULT", "net_af_packet0,iface=veth0", "veth")
        stack.callback(bridges.delete, lab.server, "DEFAULT", "veth")
        one, two = stack.enter_context(near.packets()), stack.enter_context(far.socket(socket.AF_PACKET, socket.SOCK_RAW))
        two.bind(("eth0", 0x0003))
        two.settimeout(30)
        for sock in (one, two):
            sock.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
        # Priority 7, drop eligible, VLAN 4094; priority alone; a tag inside a tag. All sizes.
        tags = (b"\xff\xfe\x88\xb5", b"\x60\x00\x88\xb5", b"\x20\x07\x81\x00\x00\x08\x88\xb5")
        for first, sender, receiver in ((1, two, one), (100, one, two)):
            for n, (tag, size) in enumerate((tag, size) for tag in tags for size in (64, 200, 1514)):
                sent = frames.frame(frames.BROADCAST, frames.mac(first + n, 66 + group), size, tag, ethertype=0x8100)
                sender.send(sent)
                got = whole(receiver)
                while got[6:12] != sent[6:12]:
                    got = whole(receiver)
                assert got == sent, f"{tag.hex()}, {size} bytes"


def test_link_and_loss_of_the_interface(lab, balanced):  # pylint: disable=unused-argument
    """Carrier gone, set down, deleted, made again: the bridge says so, forgets its MACs, waits, and goes on."""
    server = lab.nodes["server"]
    got = bridges.create_device(lab.server, "DEFAULT", "net_af_packet0,iface=veth0", "veth")
    def learned():
        return any(m["session"] == got["SessionName"] for m in lab.server.macs("DEFAULT"))
    for down, up in (((lab.far, "eth0 down"), (lab.far, "eth0 up")), ((server, "veth0 down"), (server, "veth0 up"))):
        wait_for("frames", lambda: lab.near.ping(FAR, 3, wait_s=1) == (3, 3) and learned())
        down[0].ip(f"link set {down[1]}")
        wait_for("link down", lambda: not bridges.rows(lab.server)["veth"]["Link"])
        wait_for("its addresses gone", lambda: not learned())
        assert bridges.rows(lab.server)["veth"]["State"] == "up"
        up[0].ip(f"link set {up[1]}")
        bridges.wait_up(lab.server, "veth")
    server.ip("link del veth0")
    wait_for("waiting", lambda: bridges.rows(lab.server)["veth"]["State"] == "waiting"
             and "no interface veth0" in bridges.rows(lab.server)["veth"]["Error"])
    plug_veth(lab)
    bridges.wait_up(lab.server, "veth")
    lab.near.node.ip(f"neigh flush dev {lab.near.card}")
    assert lab.near.ping(FAR, 10) == (10, 10)
    bridges.delete(lab.server, "DEFAULT", "veth")


def test_af_xdp(lab, balanced):  # pylint: disable=unused-argument
    """The same interface through AF_XDP, where the kernel has it."""
    lab.server.ctl("bridge", "create", "DEFAULT", "--dev", "net_af_xdp0,iface=veth0", "--name", "xdp")
    state = wait_for("up or a reason", lambda: bridges.rows(lab.server)["xdp"]["Error"]
                     or bridges.rows(lab.server)["xdp"]["State"] == "up")
    try:
        if state is not True:
            pytest.skip(f"no AF_XDP here: {state}")
        for size in (0, 56, 1472):
            assert lab.near.ping(FAR, 10, size) == (10, 10), f"payload {size}"
    finally:
        bridges.delete(lab.server, "DEFAULT", "xdp")


def test_jumbo(lab, balanced):  # pylint: disable=unused-argument
    """Frames of 9014 bytes between ports that were configured for them; others and their own limit hold."""
    server, far = lab.nodes["server"], lab.far
    lab.server.ctl("bridge", "create", "DEFAULT", "--dev", "net_af_packet0,iface=veth0", "--name", "short", "--max-frame", "9014")
    reason = wait_for("reason", lambda: bridges.rows(lab.server)["short"]["Error"])
    assert "framesz=16384,blocksz=65536" in reason
    bridges.delete(lab.server, "DEFAULT", "short")
    wide = "net_af_packet0,iface=veth0,framesz=16384,blocksz=65536,framecnt=64"
    lab.server.ctl("bridge", "create", "DEFAULT", "--dev", wide, "--name", "wide", "--max-frame", "9014")
    lab.server.ctl("bridge", "create", "DEFAULT", "--tap", "wide2", "--max-frame", "9014")
    bridges.wait_up(lab.server, "wide", "wide2")
    assert bridges.rows(lab.server)["wide"]["MaxFrame"] == 9014
    host = TapHost.__new__(TapHost)
    host.lab, host.name, host.address, host.hub, host.card = lab, "wide2", "192.168.63.3", "DEFAULT", "tap_wide2"
    host.node = lab.nodes.get("wide2") or lab.node("wide2")
    host.take()
    # The MTU of an interface is the operator's.
    assert "mtu 1500" in server.ip("link show veth0").stdout
    for node, card in ((server, "veth0"), (far, "eth0"), (host.node, host.card)):
        node.ip(f"link set {card} mtu 9000")
    for size in (56, 1472, 8972):
        assert host.ping(FAR, 10, size) == (10, 10), f"payload {size}"
    assert Far(far, FAR).node.ping("192.168.63.3", 10, 8972, 0.01, 5) == (10, 10)
    # Towards a port without: dropped on the way out; from it: on the way in.
    before = drops(lab.server, "drop_out", "oversize")
    assert host.ping(NEAR, 3, 1400) == (3, 3)
    assert host.ping(NEAR, 3, 8972, wait_s=1)[1] == 0
    assert drops(lab.server, "drop_out", "oversize") >= before + 3
    lab.near.node.ip(f"link set {lab.near.card} mtu 9000")
    before = drops(lab.server, "drop_in", "long")
    assert lab.near.ping(FAR, 3, 8972, wait_s=1)[1] == 0
    assert drops(lab.server, "drop_in", "long") >= before + 3
    for node, card in ((server, "veth0"), (far, "eth0"), (lab.near.node, lab.near.card)):
        node.ip(f"link set {card} mtu 1500")
    host.unplug()
    bridges.delete(lab.server, "DEFAULT", "wide")


def test_monitor(lab, balanced):  # pylint: disable=unused-argument
    """A bridge that may only receive: what it sends is dropped by name, and nothing is learned from it."""
    lab.server.ctl("bridge", "create", "DEFAULT", "--dev", "net_af_packet0,iface=veth0", "--name", "spy", "--monitor")
    bridges.wait_up(lab.server, "spy")
    assert bridges.rows(lab.server)["spy"]["Monitor"]
    before = drops(lab.server, "drop_in", "receive_only")
    assert lab.far.ping(NEAR, 2, 56, 0.1, 1)[1] == 0
    wait_for("drops", lambda: drops(lab.server, "drop_in", "receive_only") > before)
    name = bridges.rows(lab.server)["spy"]["SessionName"]
    assert not any(m["session"] == name for m in lab.server.macs("DEFAULT"))
    bridges.delete(lab.server, "DEFAULT", "spy")


def test_memory_comes_back(lab):
    """No frame buffer of any device is missing."""
    bridges.all_is_back(lab.server)
