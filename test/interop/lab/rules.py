# SPDX-License-Identifier: BSD-3-Clause
"""What the tests of policies, hub options and access lists share: frames of each kind, and that one of two is dropped."""

from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dhcp6 import DHCP6_Advertise, DHCP6_Solicit
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_RS, IPv6
from scapy.layers.l2 import ARP, Ether

from . import frames

IN4 = {"src": "10.9.0.1", "dst": "10.9.0.2"}
IN6 = {"src": "fe80::901", "dst": "ff02::1"}
OF_DHCP = {"src": "0.0.0.0", "dst": "255.255.255.255"}

KINDS = {
    "syn": IP(**IN4) / TCP(sport=4000, dport=80, flags="S"),
    "answer": IP(**IN4) / TCP(sport=80, dport=4000, flags="SA"),
    "answer6": IPv6(**IN6) / TCP(sport=80, dport=4000, flags="SA"),
    "udp": IP(**IN4) / UDP(sport=4000, dport=4001) / b"udp4",
    "udp6": IPv6(**IN6) / UDP(sport=4000, dport=4001) / b"udp6",
    "icmp": IP(**IN4) / ICMP(),
    "arp": ARP(psrc="10.9.0.1", pdst="10.9.0.2"),
    "discover": IP(**OF_DHCP) / UDP(sport=68, dport=67) / BOOTP(op=1, chaddr=b"\2\0\0\0\0\1") / DHCP(
        options=[("message-type", "discover"), "end"]),
    "offer": IP(src="10.9.0.1", dst="255.255.255.255") / UDP(sport=67, dport=68) / BOOTP(
        op=2, yiaddr="10.9.0.7", chaddr=b"\2\0\0\0\0\1") / DHCP(options=[("message-type", "offer"), "end"]),
    "solicit": IPv6(**IN6) / UDP(sport=546, dport=547) / DHCP6_Solicit(trid=1),
    "advertise": IPv6(**IN6) / UDP(sport=547, dport=546) / DHCP6_Advertise(trid=1),
    "rs": IPv6(**IN6) / ICMPv6ND_RS(),
    "ra": IPv6(**IN6) / ICMPv6ND_RA(routerlifetime=1800),
    "ns": IPv6(**IN6) / ICMPv6ND_NS(tgt="fe80::902"),
    "na": IPv6(**IN6) / ICMPv6ND_NA(tgt="fe80::901"),
    "ospf": IP(**IN4, proto=89) / bytes(24),
}
RAW = {"ipx": 0x8137, "pppoe": 0x8864, "other": frames.TEST_TYPE}


def bpdu(src, bridge):
    """A configuration BPDU of a bridge."""
    return (b"\1\x80\xc2\0\0\0" + src + b"\0\x26\x42\x42\x03" + bytes(5) + b"\x80\0" + bridge + bytes(4)
            + b"\x80\0" + bridge + bytes(18))


def make(kind, dst, src):
    """A frame of one of the kinds."""
    if kind == "bpdu":
        return bpdu(src, src)
    if kind in RAW:
        return frames.frame(dst, src, 60, ethertype=RAW[kind])
    body = KINDS[kind].copy()
    if kind == "arp":
        body.hwsrc = ":".join(f"{b:02x}" for b in src)
    return bytes(Ether(dst=":".join(f"{b:02x}" for b in dst), src=":".join(f"{b:02x}" for b in src)) / body)


def drops(sender, receiver, blocked, passes):
    """Of two frames sent one after the other only the second arrives."""
    sender.send(blocked, passes)
    before = []

    def arrived(frame):
        before.append(frame)
        return frame == passes

    assert receiver.wait_frame(arrived), "what must pass did not"
    assert blocked not in before + receiver.take_all(), "what must not pass did"
