# SPDX-License-Identifier: BSD-3-Clause
"""Access lists as frames meet them: reference/access-list.md.

For each field a frame that a rule must drop and one that it must let pass, the former sent first: frames of one sender
keep their order, so that the arrival of the one says that the other was dropped. On one worker and, for Patchbay, again
with sender and receiver on different ones; with --server=softether the original is asked the same.
"""

import re
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment
from scapy.layers.l2 import ARP, Dot1Q, Ether

from lab import SERVER4, Group, Hub, User, frames, wait_for
from lab.access import add, ip6, record
from lab.admin import Rpc, RpcError, vpncmd
from lab.rules import drops
from lab.server import ROOT
from lab.sessions import BRIDGE
from lab.wireclient import Session, connect

IN4 = {"src": "10.9.0.1", "dst": "10.9.0.2"}
IN6 = {"src": "fd00::1", "dst": "fd00::2"}

KINDS = {
    "syn": IP(**IN4) / TCP(sport=4000, dport=80, flags="S"),
    "answer": IP(**IN4) / TCP(sport=80, dport=4000, flags="SA"),
    "data": IP(**IN4) / TCP(sport=4000, dport=80, flags="A") / b"data",
    "udp": IP(**IN4) / UDP(sport=4000, dport=80) / b"udp",
    "udp81": IP(**IN4) / UDP(sport=4000, dport=81) / b"udp",
    "udp5000": IP(**IN4) / UDP(sport=5000, dport=80) / b"udp",
    "other_src": IP(src="10.8.0.1", dst="10.9.0.2") / UDP(sport=4000, dport=80) / b"udp",
    "other_dst": IP(src="10.9.0.1", dst="10.8.0.2") / UDP(sport=4000, dport=80) / b"udp",
    "icmp": IP(**IN4) / ICMP(),
    "gre": IP(**IN4, proto=47) / bytes(24),
    "fragment": IP(**IN4, proto=17, frag=20) / bytes(24),
    "syn6": IPv6(**IN6) / TCP(sport=4000, dport=80, flags="S"),
    "udp6": IPv6(**IN6) / UDP(sport=4000, dport=80) / b"udp6",
    "udp6_81": IPv6(**IN6) / UDP(sport=4000, dport=81) / b"udp6",
    "udp6_options": IPv6(**IN6) / IPv6ExtHdrDestOpt() / UDP(sport=4000, dport=80) / b"udp6",
    "fragment6": IPv6(**IN6) / IPv6ExtHdrFragment(nh=17, offset=20, id=7) / bytes(24),
    "icmp6": IPv6(**IN6) / ICMPv6EchoRequest(),
    "other_src6": IPv6(src="fd01::1", dst="fd00::2") / UDP(sport=4000, dport=80) / b"udp6",
    "other_dst6": IPv6(src="fd00::1", dst="fd01::2") / UDP(sport=4000, dport=80) / b"udp6",
    "arp": ARP(psrc="10.9.0.1", pdst="10.9.0.2"),
    "tagged": Dot1Q(vlan=5) / IP(**IN4) / UDP(sport=4000, dport=80) / b"udp",
}



def v4(side, address, mask="255.255.255.255"):
    """An IPv4 condition."""
    return {f"{side}IpAddress": address, f"{side}SubnetMask": mask}


def v6(side, address, mask="ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"):
    """An IPv6 condition."""
    return {"IsIPv6": True, f"{side}IpAddress6": ip6(address), f"{side}SubnetMask6": ip6(mask)}


def ports(side, first, last):
    """A range of ports."""
    return {f"{side}PortStart": first, f"{side}PortEnd": last}


# A rule that drops, the kind it must drop, one it must not.
ROWS = [
    (v4("Src", "10.9.0.1"), "udp", "other_src"), (v4("Src", "10.9.0.0", "255.255.0.0"), "udp", "other_src"),
    (v4("Src", "0.0.0.1", "0.0.0.255"), "udp", "udp6"),
    (v4("Dest", "10.9.0.2"), "udp", "other_dst"), (v4("Dest", "10.9.0.0", "255.255.0.0"), "icmp", "other_dst"),
    (v6("Src", "fd00::1"), "udp6", "other_src6"), (v6("Src", "fd00::", "ffff::"), "udp6", "other_src6"),
    (v6("Dest", "fd00::2"), "udp6", "other_dst6"), (v6("Dest", "fd00::", "ffff::"), "icmp6", "other_dst6"),
    (v4("Src", "10.9.0.1"), "icmp", "udp6"), (v6("Src", "fd00::1"), "icmp6", "udp"),
    ({"Protocol": 17}, "udp", "syn"), ({"Protocol": 6}, "data", "udp"), ({"Protocol": 1}, "icmp", "udp"),
    ({"Protocol": 47}, "gre", "udp"), ({"Protocol": 17}, "fragment", "icmp"), ({"Protocol": 17}, "udp", "udp6"),
    ({"Protocol": 17, "IsIPv6": True}, "udp6", "udp"), ({"Protocol": 58, "IsIPv6": True}, "icmp6", "udp6"),
    ({"Protocol": 17, "IsIPv6": True}, "udp6_options", "syn6"), ({"Protocol": 17, "IsIPv6": True}, "fragment6", "syn6"),
    (ports("Dest", 80, 80), "udp", "udp81"), (ports("Dest", 80, 80), "syn", "icmp"),
    (ports("Dest", 70, 80), "udp", "udp81"), (ports("Dest", 80, 80), "udp", "fragment"),
    (ports("Dest", 80, 20), "udp", "udp81"), (ports("Dest", 0, 80), "udp", "udp81"),
    (ports("Src", 4000, 4000), "udp", "udp5000"), (ports("Src", 3000, 4000), "data", "udp5000"),
    ({**ports("Dest", 80, 80), "IsIPv6": True}, "udp6", "udp6_81"),
    ({"SrcUsername": "alice"}, "udp", None), ({"SrcUsername": "ALICE"}, "arp_not", None),
    ({"SrcUsername": "corp\\alice"}, "udp", None), ({"SrcUsername": "staff"}, "udp6", None),
    ({"CheckSrcMac": True, "SrcMacAddress": "mac", "SrcMacMask": b"\xff" * 6}, "udp", "from_other_mac"),
    ({"CheckSrcMac": True, "SrcMacAddress": "mac", "SrcMacMask": b"\0\0\0\0\0\xff"}, "ipx", "from_other_mac"),
    ({"CheckDstMac": True, "DstMacAddress": b"\xff" * 6, "DstMacMask": b"\xff" * 6}, "udp", "to_group"),
    ({"CheckDstMac": True, "DstMacAddress": b"\xff" * 6, "DstMacMask": b"\1\0\0\0\0\xff"}, "ipx", "to_group"),
    ({"CheckTcpState": True, "Established": True}, "data", "syn"),
    ({"CheckTcpState": True, "Established": True}, "answer", "syn"),
    ({"CheckTcpState": True, "Established": False}, "syn", "data"),
    ({"CheckTcpState": True, "Established": False}, "syn", "udp"),
    ({"CheckTcpState": True, "Established": False, "IsIPv6": True}, "syn6", "syn"),
    ({}, "udp", "arp"), ({}, "ipx", "arp"), ({}, "udp6", "arp"), ({}, "tagged", "arp"), ({"IsIPv6": True}, "udp", "arp"),
]


# Fields that are no condition of a frame, and DestUsername, which takes two receivers: where they are seen to act, and not to.
ELSEWHERE = {
    "Note": ["test_vpncmd"], "Active": ["test_order"], "Priority": ["test_order"], "Discard": ["test_order"],
    "DestUsername": ["test_receiver"], "Delay": ["test_delay_and_loss"], "Loss": ["test_delay_and_loss"],
    "Jitter": ["test_jitter"], "RedirectUrl": ["test_redirect"],
}


def make(kind, mac):
    """A frame of one of the kinds."""
    src, dst = mac(1), frames.BROADCAST
    if kind == "from_other_mac":
        kind, src = "udp", mac(2)
    elif kind == "to_group":
        kind, dst = "udp", b"\1\0\x5e\0\0\x07"
    elif kind == "ipx":
        return frames.frame(dst, src, 60, ethertype=0x8137)
    body = KINDS[kind].copy()
    if kind == "arp":
        body.hwsrc = src.hex(":")
    return bytes(Ether(dst=dst.hex(":"), src=src.hex(":")) / body)


@pytest.fixture(scope="module", name="lab", params=[1, 2], ids=["one worker", "two workers"])
def fixture_lab(request, make_lab, kind):
    """Two users, one in a group."""
    if kind != "patchbay" and request.param > 1:
        pytest.skip("only Patchbay has workers")
    users = [User("alice", "pw", group="staff"), User("bob", "pw"), User("watcher", "pw", policy={"MonitorPort": True})]
    hubs = [Hub("DEFAULT", users, groups=[Group("staff")]),
            Hub("ARP", users, groups=[Group("staff")], options={"ApplyIPv4AccessListOnArpPacket": True})]
    lab = make_lab(hubs=hubs, **({"settings": {"lcores": {"workers": request.param}}} if kind == "patchbay" else {}))
    lab.server.start()
    yield lab
    lab.close()


@pytest.fixture(name="rpc")
def fixture_rpc(lab):
    """The server's administrator, and no rules afterwards."""
    password = {} if lab.server.kind == "patchbay" else {"password": ""}
    with Rpc(lab.nodes["wire"], SERVER4, **password) as rpc:
        yield rpc
        for hub in ("DEFAULT", "ARP"):
            for unique in rpc.call("EnumAccess", HubName=hub).get("UniqueId", []):
                rpc.call("DeleteAccess", HubName=hub, Id=unique)


@pytest.fixture(name="join")
def fixture_join(lab, balanced):  # pylint: disable=unused-argument
    """join(user): a session in bridge/router mode."""
    joined = []

    def join(user, hub="DEFAULT", **options):
        session = Session(connect(lab.nodes["wire"], SERVER4, 8888))
        joined.append(session.login(hub, user, "pw", **(options or BRIDGE)))
        return session.wait_ready()

    yield join
    for session in joined:
        session.close()


@pytest.mark.parametrize("rule, blocked, passes", ROWS, ids=[f"{n}-{r[1]}-{r[2]}" for n, r in enumerate(ROWS)])
def test_field(rpc, join, mac, rule, blocked, passes):
    """A rule drops what it names and nothing else."""
    rule = {name: mac(1) if v == "mac" else v for name, v in rule.items()}
    alice, bob = join("alice"), join("bob")
    add(rpc, **rule)
    if passes is not None:
        drops(alice, bob, make(blocked, mac), make(passes, mac))
        return
    # A rule about a sender: the same frame from another one passes, and ARP of this one.
    blocked = make("udp" if blocked == "arp_not" else blocked, mac)
    drops(alice, bob, blocked, make("arp", mac))
    bob.send(blocked)
    assert alice.wait_frame(lambda f: f == blocked)


def test_fragment_over_flags(lab, rpc, join, mac):
    """A fragment that writes over TCP's flags goes nowhere while a rule asks for those; in the original it passes."""
    alice, bob = join("alice"), join("bob")
    over, behind = (bytes(Ether(dst="ff:ff:ff:ff:ff:ff", src=mac(1).hex(":")) / IP(**IN4, proto=6, frag=frag)
                          / (b"\0\0\0\1\x50\x02\xff\xff" * 3)) for frag in (1, 2))
    alice.send(over)
    assert bob.wait_frame(lambda f: f == over)
    add(rpc, CheckTcpState=True, Established=False, **ports("Dest", 80, 80))
    if lab.server.kind == "patchbay":
        drops(alice, bob, over, behind)
    else:
        drops(alice, bob, make("syn", mac), over)
    drops(alice, bob, make("syn", mac), behind)


def test_receiver(rpc, join, mac):
    """A rule that names a receiver is asked for each: bob loses what the watcher and alice's friend see."""
    alice, bob = join("alice"), join("bob")
    watcher = join("watcher", require_monitor_mode=1)
    add(rpc, DestUsername="bob", **v4("Src", "10.9.0.1"))
    drops(alice, bob, make("udp", mac), make("udp6", mac))
    assert watcher.wait_frame(lambda f: f == make("udp", mac))
    # Unicast: known behind bob.
    bob.send(frames.frame(frames.BROADCAST, mac(7), 60))
    assert alice.wait_frame(lambda f: f[6:12] == mac(7))
    to_bob = [mac(7) + make(kind, mac)[6:] for kind in ("udp", "udp6")]
    drops(alice, bob, *to_bob)
    # To a group: nobody of it gets it.
    add(rpc, priority=50, DestUsername="staff", **v6("Src", "fd00::1"))
    drops(bob, alice, make("udp6", mac), make("icmp", mac))


def test_order(rpc, join, mac):
    """By priority; of equals those that pass first; a rule behind one that names a receiver waits for it."""
    alice, bob = join("alice"), join("bob")
    add(rpc, priority=20, **v4("Src", "10.9.0.1"))
    add(rpc, priority=10, drop=False, Protocol=1)
    drops(alice, bob, make("udp", mac), make("icmp", mac))
    add(rpc, priority=20, drop=False, **ports("Dest", 81, 81))
    drops(alice, bob, make("udp", mac), make("udp81", mac))
    listed = rpc.call("EnumAccess", HubName="DEFAULT")
    assert listed["Id"] == [1, 2, 3] and listed["Priority"] == [10, 20, 20] and listed["Discard"] == [0, 0, 1]
    # Disabled, it does not count.
    records = [{k: v[i] for k, v in listed.items() if len(v) == 3 and not k.startswith("Patchbay")} for i in range(3)]
    records[2]["Active"] = 0
    rpc.call("SetAccessList", HubName="DEFAULT", **{k: [r[k] for r in records] for k in records[0]})
    alice.send(make("udp", mac))
    assert bob.wait_frame(lambda f: f == make("udp", mac))


def test_arp_by_option(rpc, join, mac):
    """With the hub's option IPv4 rules see senders and targets of ARP."""
    alice, bob = join("alice", "ARP"), join("bob", "ARP")
    add(rpc, hub="ARP", **v4("Src", "10.9.0.1"))
    drops(alice, bob, make("arp", mac), frames.arp_request(mac(1), "10.9.0.3", "10.9.0.2"))
    add(rpc, hub="ARP", priority=50, Protocol=6)
    drops(alice, bob, make("arp", mac), frames.arp_request(mac(1), "10.9.0.3", "10.9.0.2"))


@pytest.mark.parametrize("rule", [{}, {"IsIPv6": True}], ids=["IPv4", "IPv6"])
def test_arp_by_bare_rule(rpc, join, mac, rule):
    """With that option a rule without conditions, of either family, matches ARP; without it, it does not."""
    alice, bob = join("alice", "ARP"), join("bob", "ARP")
    add(rpc, hub="ARP", **rule)
    add(rpc, hub="ARP", priority=50, drop=False, Protocol=1)
    drops(alice, bob, make("arp", mac), make("icmp", mac))
    alice, bob = join("alice"), join("bob")
    add(rpc, **rule)
    drops(alice, bob, make("udp", mac), make("arp", mac))


def test_stored(lab, rpc):
    """What a list makes of a rule: priority 0 is one, ends of port ranges are put in order, ids are places, unique ids stay."""
    add(rpc, priority=7, **ports("Dest", 50, 0))
    add(rpc, priority=0, **ports("Src", 0, 100))
    listed = rpc.call("EnumAccess", HubName="DEFAULT")
    assert listed["Priority"] == [0, 7] and listed["Id"] == [1, 2]
    assert (listed["DestPortStart"][1], listed["DestPortEnd"][1]) == (50, 50)
    assert (listed["SrcPortStart"][0], listed["SrcPortEnd"][0]) == (0, 100)
    rpc.call("DeleteAccess", HubName="DEFAULT", Id=1)
    again = rpc.call("EnumAccess", HubName="DEFAULT")
    # The original numbers rules anew when one is added, not when one goes.
    assert again["Id"] == [1 if lab.server.kind == "patchbay" else 2] and again["UniqueId"] == [listed["UniqueId"][1]]
    rpc.call("DeleteAccess", HubName="DEFAULT", Id=again["UniqueId"][0])
    assert not rpc.call("EnumAccess", HubName="DEFAULT").get("Id")


def test_delay_and_loss(rpc, join, mac):
    """A delay of 300 ms is that long; a loss of 50 per cent is about that."""
    alice, bob = join("alice"), join("bob")
    add(rpc, drop=False, Delay=300, Protocol=1)
    add(rpc, drop=False, Loss=50, Protocol=17)
    sent = time.monotonic()
    alice.send(make("icmp", mac), make("syn", mac))
    got = []
    assert bob.wait_frame(lambda f: got.append(f) or f == make("icmp", mac))
    took = time.monotonic() - sent
    assert make("syn", mac) in got[:-1] and 0.29 < took < 5
    # Unicast, so that no storm limiter counts.
    bob.send(frames.frame(frames.BROADCAST, mac(7), 60))
    assert alice.wait_frame(lambda f: f[6:12] == mac(7))
    for _ in range(10):
        alice.send(*([mac(7) + make("udp", mac)[6:]] * 40))
    alice.send(mac(7) + make("syn", mac)[6:])
    assert bob.wait_frame(lambda f: f == mac(7) + make("syn", mac)[6:])
    assert 100 < sum(f == mac(7) + make("udp", mac)[6:] for f in bob.take_all()) < 300


def test_redirect(rpc, join, mac):
    """A request is answered with a redirection in the server's name, and goes no further."""
    alice, bob = join("alice", require_bridge_routing_mode=0), join("bob")
    add(rpc, drop=False, RedirectUrl="http://example.net/sorry", **ports("Dest", 80, 80))
    drops(alice, bob, make("data", mac), make("syn", mac))
    got = []
    got.append(alice.wait_frame(lambda f: b"302" in f))
    assert got[0]
    answer = Ether(got[0])
    assert answer[IP].src == "10.9.0.2" and answer[TCP].dport == 4000 and answer[TCP].flags == "PA"
    assert answer[TCP].ack == 4 and b"http://example.net/sorry" in bytes(answer[TCP].payload)
    sums = answer[IP].chksum, answer[TCP].chksum
    del answer[IP].chksum, answer[TCP].chksum
    again = Ether(bytes(answer))
    assert sums == (again[IP].chksum, again[TCP].chksum)


@pytest.mark.patchbay
def test_user_list(lab, rpc, join, mac):
    """include: and exclude: by a file; a change of it is noticed."""
    lists = lab.server.state / "lists"
    lists.mkdir(exist_ok=True)
    (lists / "some").write_text("# these\ncorp\\Alice ; with a domain\n", "utf-8")
    lab.server.rpc("SetHubExtOptions", HubName_str="DEFAULT",
                   AdminOptionList=[{"Name_str": "AccessListIncludeFileCacheLifetime", "Value_u32": 0}])
    alice, bob = join("alice"), join("bob")
    add(rpc, SrcUsername="include:some", Protocol=17)
    drops(alice, bob, make("udp", mac), make("icmp", mac))
    add(rpc, SrcUsername="exclude:some", Protocol=6)
    drops(bob, alice, make("syn", mac), make("udp", mac))
    (lists / "some").write_text("nobody\n", "utf-8")

    def passes():
        alice.send(make("udp", mac))
        return bob.wait_frame(lambda f: f == make("udp", mac), 0.3)

    wait_for("the list is read again", passes, 60)
    with pytest.raises(RpcError):
        add(rpc, SrcUsername="include:../server.key")


@pytest.mark.patchbay
def test_errors_and_counters(lab, rpc, join, mac):
    """A value out of its range names itself; hits are counted; `access test` agrees."""
    alice, bob = join("alice"), join("bob")
    done = lab.server.ctl_run("access", "add", "DEFAULT", "delay=10001")
    assert done.returncode and "delay" in done.stderr and "10000" in done.stderr
    with pytest.raises(RpcError) as refused:
        add(rpc, Jitter=101)
    assert refused.value.code == 38
    lab.server.ctl("access", "add", "DEFAULT", "priority=7", "drop=true", "source=10.9.0.0/16", "destination_ports=70-80",
                   "source_user=staff")
    drops(alice, bob, make("udp", mac), make("udp81", mac))
    (row,) = lab.server.ctl("access", "list", "DEFAULT")["AccessList"]
    assert row["PatchbayHits_u64"] == 1 and row["DestPortEnd_u32"] == 80
    frame = make("udp", mac).hex()
    assert lab.server.ctl("access", "test", "DEFAULT", frame, "--from", "alice")["Id_u32"] == 1
    assert lab.server.ctl("access", "test", "DEFAULT", frame, "--from", "bob")["Id_u32"] == 0
    lab.server.ctl("access", "disable", "DEFAULT", "1")
    alice.send(make("udp", mac))
    assert bob.wait_frame(lambda f: f == make("udp", mac))
    lab.server.ctl("access", "enable", "DEFAULT", str(row["UniqueId_u32"]))
    drops(alice, bob, make("udp", mac), make("udp81", mac))
    lab.server.ctl("access", "delete", "DEFAULT", "1")
    alice.send(make("udp", mac))
    assert bob.wait_frame(lambda f: f == make("udp", mac))


@pytest.mark.patchbay
def test_whole_list(lab, rpc, join, mac, tmp_path):  # pylint: disable=unused-argument
    """32 768 rules in one call while frames pass; the last one is in force."""
    alice, bob = join("alice"), join("bob")
    rules = [f'{{ priority = {n + 1}; drop = true; protocol = 17; source = "10.{n % 8}.{n // 8 % 256}.{n // 2048}"; '
             f'destination_ports = "{1000 + n % 32}"; }}' for n in range(32767)]
    rules.append('{ priority = 40000; drop = true; source = "10.9.0.1"; protocol = 17; }')
    path = tmp_path / "rules"
    path.write_text(",\n".join(rules), "utf-8")
    begun = time.monotonic()
    lab.server.ctl("access", "replace", "DEFAULT", str(path))
    assert time.monotonic() - begun < 110  # 10 s on a machine of its own
    drops(alice, bob, make("udp", mac), make("icmp", mac))
    lab.server.ctl("access", "delete", "DEFAULT", "32768")
    alice.send(make("udp", mac))
    assert bob.wait_frame(lambda f: f == make("udp", mac))
    path.write_text("", "utf-8")
    lab.server.ctl("access", "replace", "DEFAULT", str(path))


@pytest.mark.patchbay
def test_vpncmd(lab):
    """AccessAdd and its relatives of the real tool."""
    def run(*commands):
        done = vpncmd(lab.server.node, ["Hub DEFAULT", *commands])
        assert len(done) == 1 + len(commands) and not [d for d in done if d.error], done
        return done[-1]

    common = "/SRCUSERNAME:alice /DESTUSERNAME: /SRCMAC: /DESTMAC: "
    run("AccessAdd discard /MEMO:one /PRIORITY:100 " + common + "/SRCIP:10.0.0.0/8 /DESTIP:0.0.0.0/0 /PROTOCOL:tcp "
        "/SRCPORT: /DESTPORT:80-90 /TCPSTATE:Unestablished")
    run("AccessAddEx pass /MEMO:two /PRIORITY:50 " + common + "/SRCIP:0.0.0.0/0 /DESTIP:0.0.0.0/0 /PROTOCOL:udp "
        "/SRCPORT: /DESTPORT:53 /TCPSTATE: /DELAY:10 /JITTER:20 /LOSS:30 /REDIRECTURL:")
    run("AccessAdd6 discard /MEMO:six /PRIORITY:200 " + common + "/SRCIP:fd00::/16 /DESTIP:::/0 /PROTOCOL:58 "
        "/SRCPORT: /DESTPORT: /TCPSTATE:")
    rows = lab.server.rpc("EnumAccess", HubName_str="DEFAULT")["AccessList"]
    assert [r["Note_utf"] for r in rows] == ["two", "one", "six"]
    assert [r["Delay_u32"] for r in rows] == [10, 0, 0] and [r["IsIPv6_bool"] for r in rows] == [False, False, True]
    listed = run("AccessList").rows()
    assert [r["ID"] for r in listed] == ["1", "2", "3"]
    run("AccessDisable 2")
    assert not lab.server.rpc("EnumAccess", HubName_str="DEFAULT")["AccessList"][1]["Active_bool"]
    run("AccessEnable 2")
    assert lab.server.rpc("EnumAccess", HubName_str="DEFAULT")["AccessList"][1]["Active_bool"]
    for _ in range(3):
        run("AccessDelete 1")
    assert not lab.server.rpc("EnumAccess", HubName_str="DEFAULT")["AccessList"]


@pytest.mark.patchbay
def test_every_field_has_its_rows():
    """Each field of a rule, by the program's table: rows with a frame that it drops and one that it does not, or a test."""
    table = (ROOT / "controlplane/admin/access_methods.c").read_text("utf-8")
    table = table[table.index('ADMIN_USTR("Note"'):table.index('ADMIN_DATA("DestSubnetMask6"')] + 'ADMIN_DATA("DestSubnetMask6"'
    fields = re.findall(r'ADMIN_\w+\("(\w+)"', table)
    assert len(fields) > 30 and set(fields) == set(record(1, True)) - {n for n in record(1, True) if "@" in n}
    # In a row a field is looked at if it is not what it is without: both frames are there, one of them dropped for it.
    nothing = record(1, True)
    rows = {field: [r for r, blocked, passes in ROWS if field in r and r[field] not in (nothing[field], "0.0.0.0")
                    and (passes or field == "SrcUsername") and blocked != passes] for field in fields}
    assert {f for f in fields if not rows[f]} == set(ELSEWHERE)
    tests = "".join((ROOT / f"test/interop/test_access{end}.py").read_text("utf-8") for end in ("", "_special"))
    assert all(re.search(rf"^def {name}\(", tests, re.M) for names in ELSEWHERE.values() for name in names)
    # Both families, both sides, and both answers of what has two.
    for field in ("Protocol", "DestPortStart", "CheckTcpState"):
        assert {bool(r.get("IsIPv6")) for r in rows[field]} == {False, True}, field
    assert {r["Established"] for r, _, _ in ROWS if "Established" in r} == {False, True}
