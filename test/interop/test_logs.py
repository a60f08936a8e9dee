# SPDX-License-Identifier: BSD-3-Clause
"""Packet and security logs as an auditor reads them: reference/logging-admin.md 1 to 3.

For each kind of frame that can be logged the frames that must be and those that must not, on one worker and, for
Patchbay, again with sender and receiver on different ones; --server=softether asks the original the same.
"""

import datetime
import re
import ssl
import time

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.dns import DNS, DNSQR
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6ND_NS, ICMPv6ND_RA, IPv6, IPv6ExtHdrFragment)
from scapy.layers.l2 import ARP, Ether

from lab import SERVER4, Hub, User, frames, wait_for
from lab.server import ROOT
from lab.wireclient import LoginError, Session, connect

BRIDGE = {"require_bridge_routing_mode": 1}
TWO = frames.mac(2)
V4, V6 = {"src": "10.9.0.1", "dst": "10.9.0.2"}, {"src": "fd00::1", "dst": "fd00::2"}
HTTP = b"GET /path HTTP/1.1\r\nHost: www.example.com\r\nUser-Agent: agent\r\n\r\n"
IKE = b"\1" * 8 + bytes(8) + b"\x01\x10\x02\0" + bytes(7) + b"\x1c"
VPNCMD = ("tcpconn", "tcpdata", "dhcp", "udp", "icmp", "ip", "arp", "ether")
KINDS = ("tcp_connections", "tcp", "dhcp", "udp", "icmp", "ip", "arp", "ethernet")
COLUMNS = 20
TYPE, SUBTYPE, NOTE, DATA = 8, 9, 16, 17


def hello(name):
    """The ClientHello of a TLS client that wants this server."""
    out = ssl.MemoryBIO()
    tls = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    with pytest.raises(ssl.SSLWantReadError):
        tls.do_handshake()
    return out.read()


def tcp(dport, flags, payload=b"", ip=None):
    """A TCP segment."""
    return (ip or IP(**V4)) / TCP(sport=4000, dport=dport, flags=flags, seq=100, ack=8) / payload


# name: frame, the kinds that log it alone, columns 9 to 17 of its line (None: the servers differ, see the manual).
ALL_TCP, ALL_UDP, ALL_IP = {"tcp", "ip", "ethernet"}, {"udp", "ip", "ethernet"}, {"ip", "ethernet"}
NAMES = {"tcp_connections"}  # what tells what a connection is for
A4 = ["10.9.0.1", "4000", "10.9.0.2"]
FRAMES = {
    "syn": (tcp(80, "S"), ALL_TCP | NAMES,
            ["TCP_CONNECTv4", "SYN", *A4, "http(80)", "100", "8", "WindowSize=8192"]),
    "syn+ack": (tcp(5001, "SA"), ALL_TCP | NAMES,
                ["TCP_CONNECTv4", "SYN+ACK", *A4, "5001", "100", "8", "WindowSize=8192"]),
    "fin": (tcp(80, "FA"), ALL_TCP | NAMES,
            ["TCP_CONNECTv4", "FIN+ACK", *A4, "http(80)", "100", "8", "WindowSize=8192"]),
    "rst": (tcp(80, "R"), ALL_TCP | NAMES,
            ["TCP_CONNECTv4", "RST", *A4, "http(80)", "100", "8", "WindowSize=8192"]),
    "data": (tcp(5001, "PA", b"x" * 40), ALL_TCP,
             ["TCP_DATAv4", "PSH+ACK", *A4, "5001", "100", "8", "WindowSize=8192"]),
    "data to http": (tcp(80, "PA", b"not a request"), ALL_TCP,
                     ["TCP_DATAv4", "PSH+ACK", *A4, "http(80)", "100", "8", "WindowSize=8192"]),
    "ack": (tcp(443, "A"), ALL_TCP, ["TCP_DATAv4", "ACK", *A4, "https(443)", "100", "8", "WindowSize=8192"]),
    "http": (tcp(80, "PA", HTTP), ALL_TCP | NAMES,
             ["TCP_DATAv4", "PSH+ACK", *A4, "http(80)", "100", "8",
              "WindowSize=8192 HttpMethod=GET HttpUrl=http://www.example.com/path HttpProtocol=HTTP/1.1 HttpUserAgent=agent"]),
    "tls": (tcp(443, "PA", hello("secret.example.com")), ALL_TCP | NAMES,
            ["TCP_DATAv4", "PSH+ACK", *A4, "https(443)", "100", "8",
             "WindowSize=8192 HttpMethod=SSL_Connect HttpUrl=https://secret.example.com/"]),
    "syn6": (tcp(80, "S", ip=IPv6(**V6)), ALL_TCP | NAMES,
             ["TCP_CONNECTv6", "SYN", "fd00::1", "4000", "fd00::2", "http(80)", "100", "8", "WindowSize=8192"]),
    "data6": (tcp(5001, "PA", b"x", IPv6(**V6)), ALL_TCP,
              ["TCP_DATAv6", "PSH+ACK", "fd00::1", "4000", "fd00::2", "5001", "100", "8", "WindowSize=8192"]),
    "udp": (IP(**V4) / UDP(sport=4000, dport=4001) / b"payload", ALL_UDP, ["UDPv4", "-", *A4, "4001", "-", "-", "-"]),
    "udp6": (IPv6(**V6) / UDP(sport=4000, dport=4001) / b"payload", ALL_UDP,
             ["UDPv6", "-", "fd00::1", "4000", "fd00::2", "4001", "-", "-", "-"]),
    "dns": (IP(**V4) / UDP(sport=4000, dport=53) / DNS(rd=1, qd=DNSQR(qname="www.example.com")), ALL_UDP | NAMES,
            ["DNSv4", "DNS_Query", *A4, "domain(53)", "-", "-", "www.example.com"]),
    "dns answer": (IP(**V4) / UDP(sport=53, dport=4000) / DNS(qr=1, qd=DNSQR(qname="a.example")), ALL_UDP,
                   ["UDPv4", "-", "10.9.0.1", "domain(53)", "10.9.0.2", "4000", "-", "-", "-"]),
    "ike": (IP(**V4) / UDP(sport=500, dport=500) / IKE, ALL_UDP | NAMES,
            ["IKE_CONNECTv4", "MainMode", "10.9.0.1", "isakmp(500)", "10.9.0.2", "isakmp(500)", "-", "-",
             "InitiatorCookie=72340172838076673 ResponderCookie=0 Version=0x10 ExchangeType=0x2 Flag=0x0 MessageId=0 "
             "MessageSize=28"]),
    "openvpn": (IP(**V4) / UDP(sport=4000, dport=1194) / b"\x3812345678\0\0\0\0\0", ALL_UDP | NAMES,
                ["OPENVPN_CONNECTv4", "-", *A4, "openvpn(1194)", "-", "-", "-"]),
    "dhcp": (IP(src="0.0.0.0", dst="255.255.255.255") / UDP(sport=68, dport=67)
             / BOOTP(op=1, xid=0x12345678, chaddr=b"\2\0\0\0\0\1") / DHCP(options=[("message-type", "discover"), "end"]),
             ALL_UDP | {"dhcp"},
             ["DHCPv4", "Request", "0.0.0.0", "bootpc(68)", "255.255.255.255", "bootps(67)", "-", "-",
              "TransactionId=305419896 ClientIP=0.0.0.0 YourIP=0.0.0.0 ServerIP=0.0.0.0 RelayIP=0.0.0.0"]),
    "dhcp answer": (IP(src="10.9.0.1", dst="255.255.255.255") / UDP(sport=67, dport=68)
                    / BOOTP(op=2, xid=7, yiaddr="10.9.0.7", siaddr="10.9.0.1", chaddr=b"\2\0\0\0\0\1")
                    / DHCP(options=[("message-type", "ack"), "end"]), ALL_UDP | {"dhcp"},
                    ["DHCPv4", "Response", "10.9.0.1", "bootps(67)", "255.255.255.255", "bootpc(68)", "-", "-",
                     "TransactionId=7 ClientIP=0.0.0.0 YourIP=10.9.0.7 ServerIP=10.9.0.1 RelayIP=0.0.0.0"]),
    "ping": (IP(**V4) / ICMP(type=8, id=5, seq=6) / b"abcdef", ALL_IP | {"icmp"},
             ["ICMPv4", "Echo Request", "10.9.0.1", "-", "10.9.0.2", "-", "-", "-", "-"]),
    "ping6": (IPv6(**V6) / ICMPv6EchoRequest(id=3, data=b"xyz"), ALL_IP | {"icmp"}, None),
    "ns": (IPv6(src="fe80::901", dst="ff02::1") / ICMPv6ND_NS(tgt="fe80::902"), ALL_IP | {"icmp"}, None),
    "ra": (IPv6(src="fe80::901", dst="ff02::1") / ICMPv6ND_RA(routerlifetime=0), ALL_IP | {"icmp"},
           ["ICMPv6", "Router Advertisement", "fe80::901", "-", "ff02::1", "-", "-", "-",
            "CurHopLimit=0 Flags=0x08 Lifetime=0"]),
    "gre": (IP(**V4, proto=47) / bytes(24), ALL_IP,
            ["IPv4(0x2F)", "-", "10.9.0.1", "-", "10.9.0.2", "-", "-", "-", "-"]),
    "fragment": (IP(**V4, proto=17, frag=100) / bytes(24), ALL_IP,
                 ["IPv4_Fragment(0x11)", "-", "10.9.0.1", "-", "10.9.0.2", "-", "-", "-", "-"]),
    "fragment6": (IPv6(**V6) / IPv6ExtHdrFragment(offset=10, nh=17) / bytes(24), ALL_IP,
                  ["IPv6_Fragment(0x11)", "-", "fd00::1", "-", "fd00::2", "-", "-", "-", "-"]),
    "proto6": (IPv6(**V6, nh=89) / bytes(24), ALL_IP,
               ["IPv6(0x59)", "-", "fd00::1", "-", "fd00::2", "-", "-", "-", "-"]),
    "arp": (ARP(op=1, hwsrc="02:00:00:00:00:01", psrc="10.9.0.1", pdst="10.9.0.2"), {"arp", "ethernet"},
            ["ARPv4", "Request", "-", "-", "-", "-", "-", "-", "Who has 10.9.0.2? Please Tell 020000000001(10.9.0.1)"]),
    "arp answer": (ARP(op=2, hwsrc="02:00:00:00:00:01", psrc="10.9.0.1", pdst="10.9.0.2"), {"arp", "ethernet"},
                   ["ARPv4", "Response", "-", "-", "-", "-", "-", "-", "020000000001 has 10.9.0.1"]),
    "ipx": (0x8137, {"ethernet"}, ["Proto=0x8137", *["-"] * 8]),
    "pppoe": (0x8864, {"ethernet"}, ["Proto=0x8864", *["-"] * 8]),
}
OPTIONS = {  # hub option: (frames it leaves out, frames it leaves, the kind that has them all)
    "NoIPv4PacketLog": ({"udp", "syn", "arp"}, {"udp6", "ipx"}, "ethernet"),
    "NoIPv6PacketLog": ({"udp6", "syn6"}, {"udp", "arp", "ipx"}, "ethernet"),
    "DisableHttpParsing": ({"http"}, {"syn", "dns"}, "tcp_connections"),
}


def make(name, number):
    """The frame of this name; its source MAC says which it is."""
    body, src = FRAMES[name][0], frames.mac(number, 9)
    if isinstance(body, int):
        return frames.frame(TWO, src, 60, ethertype=body)
    return bytes(Ether(dst="02:00:00:00:00:02", src=":".join(f"{b:02x}" for b in src)) / body.copy())


def log_set(lab, hub, **kinds):
    """What the packet log of a hub takes: {kind: header or full}; all others nothing."""
    if lab.kind == "patchbay":
        lab.server.rpc("SetHubLog", HubName_str=hub, SavePacketLog_bool=True, PacketLogConfigList=[
            {"PacketLogConfig_u32": ("none", "header", "full").index(kinds.get(k, "none"))} for k in KINDS])
    else:
        lab.server.control(f"Hub {hub}", "LogEnable packet", *[
            f"LogPacketSaveType /TYPE:{v} /SAVE:{kinds.get(k, 'none')}" for k, v in zip(KINDS, VPNCMD)])


def log_text(lab, kind, hub, stem):
    """All of a log as it stands on disk, old files first."""
    folder = lab.server.node.folder / ("state/logs" if lab.kind == "patchbay" else "log") / f"{kind}_log" / hub
    paths = sorted(folder.glob(f"{stem}_*.log")) + sorted(folder.glob(f"{stem}.log"))
    return "".join(p.read_bytes().decode("utf-8") for p in paths)


def packet_lines(lab, hub):
    """Lines of a packet log as lists of columns."""
    return [line.split(",") for line in log_text(lab, "packet", hub, "pkt").split("\r\n") if line]


class Pair:
    """Two sessions of a hub; the one sends to the other."""

    def __init__(self, lab, hub):
        self.lab, self.hub = lab, hub
        self.one, self.two = self.join(), self.join()
        self.two.send(frames.frame(frames.BROADCAST, TWO))
        assert self.one.wait_frame(lambda f: f[6:12] == TWO)
        self.barriers = 0

    def join(self):
        """A session in bridge mode."""
        session = Session(connect(self.lab.nodes["wire"], SERVER4, 8888))
        return session.login(self.hub, "guest", "pw", **BRIDGE).wait_ready()

    def close(self):
        """Both leave."""
        self.one.close()
        self.two.close()

    def logged(self, names, wanted, **kinds):
        """{name: columns} of the lines that these frames made, when such kinds are logged."""
        log_set(self.lab, self.hub, **kinds)
        if self.lab.kind != "patchbay":
            time.sleep(0.3)  # its settings come into force by and by
        before = len(packet_lines(self.lab, self.hub))
        self.one.send(*(make(name, n) for n, name in enumerate(names)))
        end = frames.frame(TWO, frames.mac(1, 8), 60, ethertype=0x9000)
        self.one.send(end)
        assert self.two.wait_frame(lambda f: f == end)
        # Behind them one that is logged for certain: one sender's lines keep their order.
        log_set(self.lab, self.hub, ethernet="header")
        self.barriers += 1
        barrier = frames.mac(self.barriers, 7)
        mark = barrier.hex().upper()
        self.one.send(frames.frame(TWO, barrier, 60, ethertype=0x9000))
        wait_for(f"the log of {wanted}", lambda: any(
            line[4] == mark for line in packet_lines(self.lab, self.hub)[before:]))
        by_mac = {frames.mac(n, 9).hex().upper(): name for n, name in enumerate(names)}
        return {by_mac[line[4]]: line for line in packet_lines(self.lab, self.hub)[before:] if line[4] in by_mac}


@pytest.fixture(scope="module", name="lab", params=[1, 2], ids=["one worker", "two workers"])
def fixture_lab(request, make_lab, kind):
    """Hubs that log all of their frames, each with an option."""
    if kind != "patchbay" and request.param > 1:
        pytest.skip("only Patchbay has workers")
    users = [User("guest", "pw"), User("picky", "pw", policy={"FilterIPv4": True}),
             User("watcher", "pw", policy={"MonitorPort": True})]
    hubs = [Hub("DEFAULT", users), Hub("LIMIT", users, options={"MaxLoggedPacketsPerMinute": 5}),
            Hub("PHYS", users, options={"NoPhysicalIPOnPacketLog": True}),
            *(Hub(option, users, options={option: True}) for option in OPTIONS)]
    lab = make_lab(hubs=hubs, **({"settings": {"lcores": {"workers": request.param}}} if kind == "patchbay" else {}))
    lab.server.start()
    yield lab
    lab.close()


@pytest.fixture(scope="module", name="by_kind")
def fixture_by_kind(lab):
    """by_kind(kind): the lines of all frames when only this kind is logged."""
    pair = Pair(lab, "DEFAULT")
    got = {}

    def by_kind(kind, how="header"):
        if (kind, how) not in got:
            got[kind, how] = pair.logged(FRAMES, kind, **{kind: how})
        return got[kind, how]

    yield by_kind
    pair.close()


@pytest.mark.parametrize("taken", KINDS)
@pytest.mark.parametrize("name", FRAMES)
def test_kind(by_kind, name, taken):
    """A kind takes the frames that are of it, and no others."""
    assert (name in by_kind(taken)) == (taken in FRAMES[name][1])


@pytest.mark.parametrize("name", [n for n, row in FRAMES.items() if row[2]])
def test_line(lab, by_kind, name):
    """What a line says of a frame: columns as the original has them."""
    line = by_kind("ethernet")[name]
    assert len(line) == COLUMNS
    datetime.datetime.strptime(f"{line[0]} {line[1]}000", "%Y-%m-%d %H:%M:%S.%f")
    assert re.fullmatch(r"SID-GUEST-\d+", line[2]) and re.fullmatch(r"SID-GUEST-\d+", line[3]) and line[2] != line[3]
    assert line[5] == "020000000002"
    frame = make(name, 0)
    assert line[6] == f"0x{frame[12:14].hex().upper()}" and line[7] == str(len(frame))
    assert [c.strip() for c in line[TYPE:DATA]] == FRAMES[name][2]
    assert line[DATA] == "-"
    address = str(lab.nodes["wire"].run("hostname", "-I").stdout.split()[0])
    assert line[18:] == [address, address]


def test_full(by_kind):
    """All bytes of those kinds that want them, in hex."""
    got = by_kind("udp", "full")
    for n, name in enumerate(FRAMES):
        if "udp" in FRAMES[name][1]:
            assert got[name][DATA] == make(name, n).hex().upper()


def test_flood(lab):
    """What goes to nobody in particular has no receiver."""
    pair = Pair(lab, "PHYS")
    log_set(lab, "PHYS", ethernet="header")
    if lab.kind != "patchbay":
        time.sleep(0.3)
    source = frames.mac(77, 6)
    pair.one.send(frames.frame(frames.BROADCAST, source))
    line = wait_for("the line", lambda: [c for c in packet_lines(lab, "PHYS") if c[4] == source.hex().upper()])[0]
    assert line[3] == "-" and line[5] == "FFFFFFFFFFFF"
    assert len(line) == COLUMNS - 2  # NoPhysicalIPOnPacketLog
    pair.close()


@pytest.mark.parametrize("option", OPTIONS)
def test_option(lab, option):
    """Options of a hub that leave frames out."""
    left_out, left, kind = OPTIONS[option]
    pair = Pair(lab, option)
    got = pair.logged(sorted(left_out | left), option, **{kind: "header"})
    assert set(got) == left
    pair.close()


def test_limit(lab):
    """MaxLoggedPacketsPerMinute: of each sender; what would be a line more is dropped, not only unlogged, but monitored."""
    pair = Pair(lab, "LIMIT")
    monitor = Session(connect(lab.nodes["wire"], SERVER4, 8888))
    monitor.login("LIMIT", "watcher", "pw", require_monitor_mode=1).wait_ready()
    log_set(lab, "LIMIT", udp="header")
    if lab.kind != "patchbay":
        time.sleep(0.3)
    udp, arp = make("udp", 50), make("arp", 50)
    pair.one.send(*[udp] * 9, arp)
    got = []
    assert pair.two.wait_frame(lambda f: got.append(f) or f == arp)
    assert got.count(udp) == 5
    seen = []
    assert monitor.wait_frame(lambda f: seen.append(f) or f == arp)
    assert seen.count(udp) == 9
    monitor.close()
    back = frames.mac(50, 9) + TWO + udp[12:]
    pair.two.send(*[back] * 3)
    assert len(pair.one.wait_frames(3, lambda f: f == back)) == 3
    pair.close()


def test_refused_by_the_receiver(lab):
    """A frame that the receiver's policy keeps from it stands in no log."""
    pair = Pair(lab, "DEFAULT")
    picky = Session(connect(lab.nodes["wire"], SERVER4, 8888))
    picky.login("DEFAULT", "picky", "pw", **BRIDGE).wait_ready()
    there = frames.mac(66, 6)
    picky.send(frames.frame(frames.BROADCAST, there))
    assert pair.one.wait_frame(lambda f: f[6:12] == there)
    log_set(lab, "DEFAULT", ethernet="header")
    if lab.kind != "patchbay":
        time.sleep(0.3)
    refused, passes = make("udp", 67), make("udp6", 68)
    pair.one.send(there + refused[6:], there + passes[6:])
    assert picky.wait_frame(lambda f: f[12:14] == b"\x86\xdd")
    macs = wait_for("the line", lambda: (lambda m: m if frames.mac(68, 9).hex().upper() in m else None)(
        {line[4] for line in packet_lines(lab, "DEFAULT")}))
    assert frames.mac(67, 9).hex().upper() not in macs
    picky.close()
    pair.close()


def test_security_log(lab):
    """Logins, good and bad, one line each with the user and the address; local time, CR LF."""
    pair = Pair(lab, "DEFAULT")
    with pytest.raises(LoginError):
        Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest", "wrong")
    address = lab.nodes["wire"].run("hostname", "-I").stdout.split()[0]
    failed = r"login refused ip=[^ ]+ port=\d+ user=\"guest\"" if lab.kind == "patchbay" else r"User authentication failed.*\"guest\""

    def text():
        got = log_text(lab, "security", "DEFAULT", "sec")
        return got if re.search(failed, got) else None

    got = wait_for("the refused login", text)
    pair.close()
    assert got.endswith("\r\n")
    for line in got.split("\r\n")[:-1]:
        assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} \S", line) and "\n" not in line
    line = re.search(failed + ".*", got)[0]
    assert address in line


@pytest.mark.patchbay
def test_every_kind_has_its_rows(lab):
    """Each kind of the program's table takes some of the frames above and not others; each option about logs has a row."""
    table = (ROOT / "controlplane/directory_log_file.c").read_text("utf-8")
    names = re.findall(r'"(\w+)"', re.search(r"kind_names\[[^{]*\{(.*?)\}", table, re.S)[1])
    assert tuple(names) == KINDS and len(KINDS) == 8
    shown = lab.server.ctl("rpc", "GetHubLog", '{"HubName_str": "DEFAULT"}')["PacketLogConfigList"]
    assert len(shown) == 16  # and 8 of them the protocol's, unused
    for kind in KINDS[:-1]:
        assert 0 < sum(kind in row[1] for row in FRAMES.values()) < len(FRAMES), kind
    # The last takes everything, and some that no other does: who takes all others does not see them.
    assert [name for name, row in FRAMES.items() if row[1] == {KINDS[-1]}]
    tests = "".join(p.read_text("utf-8") for p in (ROOT / "test/interop").glob("test_log*.py"))
    options = re.findall(r"X\((\w+), \d+, \d+, \d+u?,\s+NOW", (ROOT / "controlplane/option_keys.h").read_text("utf-8"))
    about = [o for o in options if re.search("Log|Http", o)]
    assert len(about) >= 8, about
    assert not [o for o in about if not re.search(rf'"{o}["=]', tests)]
