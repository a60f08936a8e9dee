# SPDX-License-Identifier: BSD-3-Clause
"""Security policies and hub filters as frames meet them: reference/policy.md 2 to 4, hub.md 3 to 9.

For each rule a frame that must pass and one that must not, the latter sent first: frames of one sender keep
their order, so that the arrival of the one says that the other was dropped. On one worker and, for Patchbay,
again with sender and receiver on different ones; with --server=softether the original is asked the same.
"""

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, UDP
from scapy.layers.inet6 import ICMPv6ND_RA, IPv6
from scapy.layers.l2 import Ether

from lab import Hub, User, frames
from lab.rules import KINDS, drops, make
from lab.sessions import BRIDGE

# key, side, kind that is dropped, kind that passes (to everybody).
IN, OUT = "in", "out"
ROWS = [
    ("NoServer", IN, "answer", "syn"), ("NoServer", IN, "answer", "answer6"),
    ("NoServerV6", IN, "answer6", "answer"),
    ("ArpDhcpOnly", IN, "udp", "arp"), ("ArpDhcpOnly", IN, "other", "discover"),
    ("ArpDhcpOnly", IN, "answer6", "ns"), ("ArpDhcpOnly", OUT, "udp", "arp"),
    ("FilterIPv4", IN, "udp", "udp6"), ("FilterIPv4", IN, "arp", "other"), ("FilterIPv4", OUT, "arp", "udp6"),
    ("FilterIPv6", IN, "udp6", "udp"), ("FilterIPv6", OUT, "ns", "udp"),
    ("FilterNonIP", IN, "ipx", "arp"), ("FilterNonIP", OUT, "other", "udp6"),
    ("DHCPFilter", IN, "discover", "udp"), ("DHCPFilter", OUT, "offer", "udp"),
    ("DHCPv6Filter", IN, "solicit", "udp6"), ("DHCPv6Filter", OUT, "advertise", "udp6"),
    ("DHCPNoServer", IN, "offer", "discover"), ("DHCPv6NoServer", IN, "advertise", "solicit"),
    ("RSandRAFilter", IN, "rs", "ns"), ("RSandRAFilter", IN, "ra", "na"), ("RSandRAFilter", OUT, "ra", "ns"),
    ("RAFilter", IN, "ra", "rs"),
]
HUB_ROWS = [
    ("FilterPPPoE", "pppoe", "ipx"), ("FilterOSPF", "ospf", "udp"), ("FilterIPv4", "udp", "udp6"),
    ("FilterIPv4", "arp", "other"), ("FilterIPv6", "udp6", "udp"), ("FilterNonIP", "ipx", "arp"),
    ("FilterBPDU", "bpdu", "ipx"),
]
# From the EtherType on, zeros behind it; length of the frame; whether it goes nowhere (hub.md 3 step 5).
HEADERS = [
    ("IPv4, half a header", "0800 45 00 001c", 33, True), ("IPv4, options cut off", "0800 46 00 0014", 34, False),
    ("IPv4, header length 16", "0800 44 00 001c", 42, False), ("IPv4, version 5", "0800 55 00 001c", 42, False),
    ("IPv4 of some protocol", "0800 45 00 0014 0000 0000 40 fd", 34, False),
    ("IPv4, length below its header", "0800 45 00 0013", 60, True),
    ("TCP, cut", "0800 45 00 0027 0000 0000 40 06", 53, True),
    ("TCP, said to be cut", "0800 45 00 0027 0000 0000 40 06", 80, True),
    ("TCP", "0800 45 00 0028 0000 0000 40 06", 54, False),
    ("TCP, not the first fragment", "0800 45 00 001c 0000 0009 40 06", 42, False),
    ("UDP, cut", "0800 45 00 001b 0000 0000 40 11", 41, True), ("UDP", "0800 45 00 001c 0000 0000 40 11", 42, False),
    ("ICMP, cut", "0800 45 00 0017 0000 0000 40 01", 37, True), ("ICMP", "0800 45 00 0018 0000 0000 40 01", 38, False),
    ("ARP, cut", "0806 0001 0800 06 04 0001", 41, True), ("ARP", "0806 0001 0800 06 04 0001", 42, False),
    ("IPv6, half a header", "86dd 6000 0000", 53, True), ("IPv6, version 4", "86dd 4000 0000 0014 06", 74, True),
    ("IPv6 TCP, cut", "86dd 6000 0000 0013 06", 80, True), ("IPv6 TCP", "86dd 6000 0000 0014 06", 74, False),
    ("IPv6 UDP, cut", "86dd 6000 0000 0007 11", 61, True), ("IPv6 UDP", "86dd 6000 0000 0008 11", 62, False),
]
# The original does not look into a tag (hub.md 9, us: classify through it), nor count extension headers.
OUR_HEADERS = [
    ("ARP in a tag, cut", "8100 0005 0806 0001 0800 06 04 0001", 45, True),
    ("ARP in a tag", "8100 0005 0806 0001 0800 06 04 0001", 46, False),
    ("IPv6, chain that does not end", "86dd 6000 0000", 62, True),
]
OTHER = {
    "limited": {"MaxMac": 1, "MaxIP": 2, "MaxIPv6": 2}, "private": {"PrivacyFilter": True}, "checkmac": {"CheckMac": True},
    "checkip": {"CheckIP": True}, "checkip6": {"CheckIPv6": True}, "tag7": {"VLanId": 7}, "norouter": {"NoIPv6DefaultRouterInRA": True},
    "leased": {"DHCPForce": True}, "watcher": {"MonitorPort": True}, "guest": {},
}


@pytest.fixture(scope="module", name="lab", params=[1, 2], ids=["one worker", "two workers"])
def fixture_lab(request, make_lab, kind):
    """A user for each key and a hub for each option."""
    if kind != "patchbay" and request.param > 1:
        pytest.skip("only Patchbay has workers")
    users = [User(key.lower(), "pw", policy={key: True}) for key in dict.fromkeys(row[0] for row in ROWS)]
    users += [User(name, "pw", policy=policy or None) for name, policy in OTHER.items()]
    hubs = [Hub("DEFAULT", users)]
    hubs += [Hub(option, [User("guest", "pw")], options={option: True})
             for option in dict.fromkeys(row[0] for row in HUB_ROWS)]
    lab = make_lab(hubs=hubs, **({"settings": {"lcores": {"workers": request.param}}} if kind == "patchbay" else {}))
    lab.workers = request.param
    lab.server.start()
    yield lab
    lab.close()


@pytest.mark.parametrize("key, side, blocked, passes", ROWS, ids=["-".join(row) for row in ROWS])
def test_key(join, mac, key, side, blocked, passes):
    """A policy drops what it names and nothing else, on the side that it names."""
    one, other = join(key.lower()), join()
    sender, receiver = (one, other) if side == IN else (other, one)
    drops(sender, receiver, make(blocked, frames.BROADCAST, mac(1)), make(passes, frames.BROADCAST, mac(1)))


@pytest.mark.parametrize("option, blocked, passes", HUB_ROWS, ids=["-".join(row) for row in HUB_ROWS])
def test_hub_option(join, mac, option, blocked, passes):
    """A filter of a hub holds for everybody in it."""
    sender, receiver = join(hub=option), join(hub=option)
    drops(sender, receiver, make(blocked, frames.BROADCAST, mac(1)), make(passes, frames.BROADCAST, mac(1)))


@pytest.mark.parametrize("user", ["guest", "noserver"], ids=["no rule", "a rule"])
def test_headers(lab, join, mac, user):
    """Packets whose headers are cut off go nowhere, and all others do, whether or not a rule looks into them."""
    sender, receiver = join(user), join()
    receiver.send(make("other", frames.BROADCAST, mac(2)))
    assert sender.wait_frame(lambda f: f[6:12] == mac(2))
    rows = HEADERS + (OUR_HEADERS if lab.kind == "patchbay" else [])
    # What comes out may lack its end, where that is not the packet's: told apart by source.
    sent = [(mac(2) + mac(10 + i) + bytes.fromhex(row[1])).ljust(row[2], b"\0") for i, row in enumerate(rows)]
    sender.send(*sent, make("other", mac(2), mac(1)))
    got = []
    assert receiver.wait_frame(lambda f: got.append(f[6:12]) or f[6:12] == mac(1))
    assert {row[0] for i, row in enumerate(rows) if mac(10 + i) not in got} == {row[0] for row in rows if row[3]}


def test_limits(join, mac):
    """MaxMac 1 is 3 and MaxIP 2 is 4 (policy.md 15, 16)."""
    sender, receiver = join("limited"), join()
    for n in range(1, 4):
        sender.send(make("other", frames.BROADCAST, mac(n)))
    drops(sender, receiver, make("other", frames.BROADCAST, mac(4)), make("other", frames.BROADCAST, mac(2)))
    arps = [frames.arp_request(mac(1), f"10.9.1.{n}", "10.9.1.99") for n in range(1, 6)]
    sender.send(*arps[:4])
    drops(sender, receiver, arps[4], frames.arp_request(mac(1), "10.9.1.3", "10.9.1.98"))


def test_public_addresses_are_not_counted(join, mac):
    """What the IP table does not manage is not limited, in client mode either (hub.md 5.1)."""
    sender, receiver = join("guest", require_bridge_routing_mode=0), join()
    sent = [frames.arp_request(mac(1), f"198.51.100.{n}", "198.51.100.99") for n in range(1, 9)]
    sender.send(*sent)
    got = []
    assert receiver.wait_frame(lambda f: got.append(f) or f == sent[-1])
    assert [f for f in got if f in sent] == sent


def test_limit_ipv6(join, mac):
    """MaxIPv6 2 is 5 (policy.md 29)."""
    sender, receiver = join("limited"), join()

    def packet(host, to):
        return bytes(Ether(dst="ff:ff:ff:ff:ff:ff", src=":".join(f"{b:02x}" for b in mac(1)))
                     / IPv6(src=f"fe80::a0{host}", dst=f"fe80::{to}") / UDP(sport=1000, dport=1001) / bytes(24))

    sender.send(*(packet(n, 99) for n in range(1, 6)))
    drops(sender, receiver, packet(6, 99), packet(3, 98))


@pytest.mark.parametrize("user, mode", [("guest", {"require_bridge_routing_mode": 0}), ("guest", BRIDGE)],
                         ids=["client", "bridge"])
def test_modes(join, mac, user, mode):
    """Client mode loses the 4th MAC and the 5th address, bridge mode nothing (hub.md 6)."""
    sender, receiver = join(user, **mode), join()
    sent = [make("other", frames.BROADCAST, mac(n)) for n in range(1, 7)]
    sent += [frames.arp_request(mac(1), f"10.9.2.{n}", "10.9.2.99") for n in range(1, 7)]
    sent.append(make("other", frames.BROADCAST, mac(1)))
    sender.send(*sent)
    got = []
    assert receiver.wait_frame(lambda f: got.append(f) or f == sent[-1])
    lost = [n for n, f in enumerate(sent) if f not in got]
    assert lost == ([3, 4, 5, 10, 11] if mode != BRIDGE else [])


@pytest.mark.parametrize("user, blocked", [("checkmac", "other"), ("checkip", "arp"), ("checkip6", "udp6")])
def test_duplicates(join, mac, user, blocked):
    """An address that somebody else used within 13 s."""
    owner, thief = join(), join(user)
    # Of its own: the original lets no IPv6 address move while a session that has gone is still in its list.
    sent, stolen = (make(blocked, frames.BROADCAST, m).replace(bytes.fromhex("0901"), bytes.fromhex("0933"))
                    for m in (mac(1), mac(1) if user == "checkmac" else mac(2)))
    owner.send(sent)
    assert thief.wait_frame(lambda f: f[6:12] == mac(1))
    drops(thief, owner, stolen, make("ipx", frames.BROADCAST, mac(2)))


def test_privacy(join, mac):
    """Both have the filter: nothing passes between them, broadcasts and ARP included; others see all."""
    one, two, other = join("private"), join("private"), join()
    one.send(make("arp", frames.BROADCAST, mac(1)), make("udp", frames.BROADCAST, mac(1)))
    assert other.wait_frame(lambda f: f[12:14] == b"\x08\0")
    other.send(make("other", frames.BROADCAST, mac(3)))
    assert two.wait_frame(lambda f: f[6:12] == mac(3))
    two.send(make("other", mac(1), mac(2)), make("other", mac(3), mac(2)))
    assert other.wait_frame(lambda f: f[6:12] == mac(2))
    other.send(make("ipx", frames.BROADCAST, mac(3)))
    for private in (one, two):
        got = []
        assert private.wait_frame(lambda f, got=got: got.append(f) or f[12:14] == b"\x81\x37")
        assert not [f for f in got if f[6:12] in (mac(1), mac(2))]


def test_vlan(join, mac):
    """Tagged on the way in, untagged on the way out, and nothing without the tag."""
    one, two, trunk = join("tag7"), join("tag7"), join()
    plain = make("other", frames.BROADCAST, mac(1))
    one.send(plain)
    assert two.wait_frame(lambda f: f == plain)
    assert trunk.wait_frame(lambda f: f == plain[:12] + b"\x81\0\0\7" + plain[12:])
    untagged = make("other", frames.BROADCAST, mac(4))
    wrong = untagged[:12] + b"\x81\0\0\x08" + untagged[12:]
    right = untagged[:12] + b"\x81\0\0\7" + untagged[12:]
    trunk.send(untagged, wrong, right)
    got = []
    assert two.wait_frame(lambda f: got.append(f) or f == untagged)
    assert got == [untagged] and not two.take_all()
    # The same for one receiver alone, within the VLAN and out of it; a tag of the sender's own stays.
    two.send(make("other", frames.BROADCAST, mac(2)))
    trunk.send(right[:6] + mac(3) + right[12:])
    for station in (2, 3):
        assert one.wait_frame(lambda f, station=station: f[6:12] == mac(station))
    for kind in ("syn", "arp", "udp6", "ipx"):
        for tag in (b"", b"\x81\0\0\x09"):
            within, out = (make(kind, mac(to), mac(1)) for to in (2, 3))
            within, out = (f[:12] + tag + f[12:] for f in (within, out))
            one.send(within, out)
            assert two.wait_frame(lambda f, within=within: f == within)
            assert trunk.wait_frame(lambda f, out=out: f == out[:12] + b"\x81\0\0\7" + out[12:])


@pytest.mark.patchbay
def test_router_advertisement(join, mac):
    """Router lifetime 0 for the one, as it was for the other; the checksum is right.

    The original edits the frame that others get too (policy.md 4), so it is not asked.
    """
    sender, edited, other = join(), join("norouter"), join()
    sent = make("ra", frames.BROADCAST, mac(1))
    sender.send(sent)
    assert other.wait_frame(lambda f: f == sent)
    got = []
    assert edited.wait_frame(lambda f: f[6:12] == mac(1) and not got.append(f))
    want = Ether(sent)
    want[ICMPv6ND_RA].routerlifetime = 0
    del want[ICMPv6ND_RA].cksum
    assert got[0] == bytes(want)


def test_dhcp_force(join, mac):
    """A source address is good once a server assigned it to this session."""
    client, server = join("leased"), join()
    of = KINDS["udp"].copy()
    of[IP].src = "10.9.3.7"
    to = {"dst": ":".join(f"{b:02x}" for b in mac(9)), "src": ":".join(f"{b:02x}" for b in mac(1))}
    udp = bytes(Ether(**to) / of)
    server.send(make("other", frames.BROADCAST, mac(9)))
    assert client.wait_frame(lambda f: f[6:12] == mac(9))
    drops(client, server, udp, make("discover", frames.BROADCAST, mac(1)))
    ack = (Ether(src=to["dst"], dst=to["src"]) / IP(src="10.9.3.1", dst="10.9.3.7") / UDP(sport=67, dport=68)
           / BOOTP(op=2, yiaddr="10.9.3.7", chaddr=mac(1)) / DHCP(options=[("message-type", "ack"), "end"]))
    server.send(bytes(ack))
    assert client.wait_frame(lambda f: f == bytes(ack))
    client.send(udp)
    assert server.wait_frame(lambda f: f == udp)


def test_monitor(join, mac):
    """A monitoring session sees each frame once, in order, and injects nothing."""
    one, two = join(), join()
    two.send(make("other", frames.BROADCAST, mac(2)))
    assert one.wait_frame(lambda f: f[6:12] == mac(2))
    monitor = join("watcher", require_monitor_mode=1)
    monitor.send(make("other", frames.BROADCAST, mac(3)))
    sent = [frames.frame(dst, mac(1)) for _ in range(5) for dst in (mac(2), frames.BROADCAST, mac(2))]
    one.send(*sent)
    assert two.wait_frame(lambda f: f == sent[-1])
    got = []
    assert monitor.wait_frame(lambda f: got.append(f) or f == sent[-1])
    assert [f for f in got if f[6:12] == mac(1)] == sent
    assert not [f for f in two.take_all() + one.take_all() if f[6:12] == mac(3)]


def test_monitor_sees_what_receivers_do_not(join, mac):
    """It is fed before the receiver's policy and the privacy filter are asked (hub.md 8)."""
    one, two = join("private"), join("private")
    two.send(make("other", frames.BROADCAST, mac(2)))
    monitor = join("watcher", require_monitor_mode=1)
    one.send(make("other", mac(2), mac(1)), make("ipx", frames.BROADCAST, mac(1)))
    got = []
    assert monitor.wait_frame(lambda f: got.append(f) or f[6:14] == mac(1) + b"\x81\x37")
    assert [f for f in got if f[:12] == mac(2) + mac(1)]
    assert not [f for f in two.take_all() if f[6:12] == mac(1)]
