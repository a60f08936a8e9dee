# SPDX-License-Identifier: BSD-3-Clause
"""Keys and options that take more than two frames to see: tables, storms, tags, quotas, loops (hub.md 3 to 9).

As in test_policy.py what must pass and what must not, on one worker and again with sender and receiver on
different ones. One hub per option; its opposite is DEFAULT, which has none.
"""

import pathlib
import re

import pytest
from scapy.layers.dhcp import BOOTP, DHCP
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.inet6 import ICMPv6ND_RA, IPv6
from scapy.layers.l2 import Ether

from lab import SERVER6, Hub, User, books, frames, wait_for
from lab.bridges import TapHost
from lab.rules import bpdu, drops, make
from lab.sessions import BRIDGE, go_round

pytestmark = pytest.mark.patchbay

USERS = [
    User("guest", "pw"), User("counted", "pw", policy={"MaxIP": 4, "MaxIPv6": 5}),
    User("noserver", "pw", policy={"NoServer": True}), User("loud", "pw", policy={"NoBroadcastLimiter": True}),
    User("private", "pw", policy={"PrivacyFilter": True, "NoBroadcastLimiter": True}),
    User("private2", "pw", policy={"PrivacyFilter": True, "NoBroadcastLimiter": True}),
    User("tag7", "pw", policy={"VLanId": 7}), User("norouting6", "pw", policy={"NoRoutingV6": True}),
    User("norouter6", "pw", policy={"NoIPv6DefaultRouterInRAWhenIPv6": True}),
    User("slowup", "pw", policy={"MaxUpload": 8000}), User("slowdown", "pw", policy={"MaxDownload": 8000}),
    User("noqos", "pw", policy={"NoQoS": True}),
]
HUBS = {
    "DEFAULT": {}, "NOTABLE": {"NoIpTable": True}, "ALL4": {"ManageOnlyPrivateIP": False},
    "ALL6": {"ManageOnlyLocalUnicastIPv6": False}, "OPAQUE": {"DisableIPParsing": True, "FilterIPv4": True},
    "STORM5": {"BroadcastStormDetectionThreshold": 5}, "STRICT": {"BroadcastLimiterStrictMode": True},
    "ROUTER6": {"NoIPv6DefaultRouterInRAWhenIPv6": False}, "BPDU": {"NoLookBPDUBridgeId": True},
    "NOVLAN": {"NoManageVlanId": True}, "TPID": {"VlanTypeId": 0x88A8}, "MSS": {"AdjustTcpMssValue": 1000},
    "MSSOFF": {"AdjustTcpMssValue": 1000, "DisableAdjustTcpMss": True},
    "LOCALGW": {"RemoveDefGwOnDhcpForLocalhost": False}, "MOVES": {"DisableCheckMacOnLocalBridge": True},
    "PRIVBC": {"DropBroadcastsInPrivacyFilterMode": False}, "PRIVARP": {"DropArpInPrivacyFilterMode": False},
    "SAMEUSER": {"AllowSameUserInPrivacyFilterMode": True}, "QUOTA": {"FloodingSendQueueBufferQuota": 100000},
    "DORMANT": {"DetectDormantSessionInterval": 1}, "NOLOOP": {"PatchbayLoopGuard": 0},
    "BLOCK": {"PatchbayLoopGuard": 2, "PatchbayLoopBlockSeconds": 3},
    "NOPOLL4": {"NoAddressPollingIPv4": True}, "NOPOLL6": {"NoAddressPollingIPv6": True},
}


@pytest.fixture(scope="module", name="lab", params=[1, 2], ids=["one worker", "two workers"])
def fixture_lab(request, make_lab):
    """A hub for each option, all with the same users."""
    lab = make_lab(hubs=[*(Hub(name, USERS, options=options) for name, options in HUBS.items()),
                         Hub("RANGES", USERS, managed=["198.51.100.0/29", "2001:db8:1::/48"])],
                   settings={"lcores": {"workers": request.param}})
    lab.workers = request.param
    lab.server.start()
    yield lab
    lab.close()


def drop_cnt(lab, way, reason):
    """Sum over all workers."""
    (total,) = books.level(books.read(lab.server), "total")
    return total[f"drop_{way}"][reason]


def text(mac_):
    """As scapy wants it."""
    return mac_.hex(":")


def packet(src_mac, body, dst=frames.BROADCAST):
    """An Ethernet frame around it."""
    return bytes(Ether(dst=text(dst), src=text(src_mac)) / body)


def arrived(receiver, sent, last):
    """Which of the frames sent came before the last one, which must."""
    got = []
    assert receiver.wait_frame(lambda f: got.append(f) or f == last)
    return [f for f in sent if f in got]


# ---- address tables -----------------------------------------------------------------------------

@pytest.mark.parametrize("hub, net, lost", [
    ("DEFAULT", "10.9.5", 1), ("NOTABLE", "10.9.5", 0), ("DEFAULT", "198.51.100", 0), ("ALL4", "198.51.100", 1),
    ("RANGES", "198.51.100", 1), ("RANGES", "198.51.101", 0), ("RANGES", "10.9.5", 1)])
def test_managed_ipv4(join, mac, hub, net, lost):
    """ManageOnlyPrivateIP, NoIpTable, managed: whose fifth address is one too many."""
    sender, receiver = join("counted", hub), join(hub=hub)
    sent = [frames.arp_request(mac(1), f"{net}.{n}", f"{net}.99") for n in range(1, 6)]
    last = make("other", frames.BROADCAST, mac(1))
    sender.send(*sent, last)
    assert arrived(receiver, sent, last) == sent[:5 - lost]


@pytest.mark.parametrize("hub, net, lost", [
    ("DEFAULT", "fe80::", 1), ("DEFAULT", "2001:db8::", 0), ("ALL6", "2001:db8::", 1), ("NOTABLE", "fe80::", 0),
    ("RANGES", "2001:db8:1::", 1), ("RANGES", "2001:db8:2::", 0)])
def test_managed_ipv6(join, mac, hub, net, lost):
    """ManageOnlyLocalUnicastIPv6, NoIpTable: the sixth."""
    sender, receiver = join("counted", hub), join(hub=hub)
    sent = [packet(mac(1), IPv6(src=f"{net}{n}", dst="ff02::9") / UDP(sport=1000, dport=1001) / bytes(9))
            for n in range(1, 7)]
    last = make("other", frames.BROADCAST, mac(1))
    sender.send(*sent, last)
    assert arrived(receiver, sent, last) == sent[:6 - lost]


def test_managed_at_run_time(lab, join, mac):
    """`patchbayctl hub set --managed` is in force for the next address of a running session; what is wrong changes nothing."""
    sender, receiver = join("counted"), join()

    def lost(net, by, number=1):
        sent = [frames.arp_request(mac(number), f"{net}.{10 * number + n}", f"{net}.99") for n in range(1, 6)]
        last = make("other", frames.BROADCAST, mac(number))
        by.send(*sent, last)
        return 5 - len(arrived(receiver, sent, last))
    assert lost("192.0.2", sender) == 0
    lab.server.ctl("hub", "set", "DEFAULT", "--managed", "198.18.0.0/24, 2001:db8::/32")
    assert lab.server.rpc("GetHub", HubName_str="DEFAULT")["PatchbayManaged_str"] == "198.18.0.0/24,2001:db8::/32"
    assert lost("198.18.0", sender) == 1
    done = lab.server.ctl_run("hub", "set", "DEFAULT", "--managed", "198.18.0.0/33")
    assert done.returncode == 1 and "PatchbayManaged" in done.stderr and "0 to 32" in done.stderr, done
    assert "198.18.0.0/24" in lab.server.stored()
    lab.server.ctl("hub", "set", "DEFAULT", "--managed", "")
    assert lost("198.18.0", join("counted"), 2) == 0  # of the other nothing is forgotten


def test_no_routing_v6(join, mac):
    """NoRoutingV6: fifteen link-local addresses, and no sixteenth; what has no address passes."""
    sender, receiver = join("norouting6"), join()
    sent = [packet(mac(1), IPv6(src=f"fe80::{n:x}", dst=f"ff02::1:{n:x}") / UDP(sport=1000, dport=1001) / bytes(9))
            for n in range(1, 17)]
    last = make("other", frames.BROADCAST, mac(1))
    sender.send(*sent, last)
    assert arrived(receiver, sent, last) == sent[:15]


def test_disable_ip_parsing(join, mac):
    """DisableIPParsing: neither the policy nor the filter of the hub looks inside; elsewhere they do."""
    answer = make("answer", frames.BROADCAST, mac(1))
    sender, receiver = join("noserver", "OPAQUE"), join(hub="OPAQUE")
    sender.send(answer)
    assert receiver.wait_frame(lambda f: f == answer)
    drops(join("noserver"), join(), answer, make("syn", frames.BROADCAST, mac(1)))


def test_polling(lab, join, mac):
    """NoAddressPollingIPv4 and 6: who is known is asked after, in one family, the other or both."""
    asked = {"DEFAULT": {4, 6}, "NOPOLL4": {6}, "NOPOLL6": {4}}
    if lab.workers > 1:
        pytest.skip("twelve seconds, and the hub asks from the control thread")
    sessions = {hub: join(hub=hub) for hub in asked}
    other = [join(hub=hub) for hub in asked]
    for session in sessions.values():
        session.send(frames.arp_request(mac(1), "10.9.6.1", "10.9.6.2"), make("ns", frames.BROADCAST, mac(1)))
    kinds = {b"\x08\x06": 4, b"\x86\xdd": 6}
    got = {hub: set() for hub in asked}

    def complete():
        for hub, session in sessions.items():
            got[hub] |= {kinds[f[12:14]] for f in session.take_all() if f[6:8] == b"\0\xae" and f[:6] == mac(1)}
        return got == asked

    wait_for("probes of the two families", complete, 90)
    assert not [f for s in other for f in s.take_all() if f[6:8] == b"\0\xae"], "a probe went to somebody else"


# ---- storms -------------------------------------------------------------------------------------

@pytest.mark.parametrize("hub, user, least, most", [
    ("DEFAULT", "guest", 32, 199), ("DEFAULT", "loud", 200, 200), ("STORM5", "guest", 5, 60), ("STORM5", "loud", 200, 200)])
def test_storm(join, mac, hub, user, least, most):
    """BroadcastStormDetectionThreshold, NoBroadcastLimiter: of 200 floods at once, one source's; others pass."""
    sender, receiver = join(user, hub), join(hub=hub)
    sent = [make("other", frames.BROADCAST, mac(1)) for _ in range(200)]
    last = make("udp", frames.BROADCAST, mac(2))
    sender.send(*sent, last)
    assert least <= len(arrived(receiver, sent, last)) <= most


@pytest.mark.parametrize("hub, least, most", [("DEFAULT", 200, 200), ("STRICT", 32, 199)])
def test_storm_strict(join, mac, hub, least, most):
    """BroadcastLimiterStrictMode: a source that floods to ever other addresses is one source."""
    sender, receiver = join(hub=hub), join(hub=hub)
    sent = [frames.flood(mac(1), n, 80) for n in range(200)]
    last = make("udp", frames.BROADCAST, mac(2))
    sender.send(*sent, last)
    assert least <= len(arrived(receiver, sent, last)) <= most


def test_flood_quota(lab, join, mac):
    """FloodingSendQueueBufferQuota: while floods wait for one who does not read, there are less for all; unicast passes."""
    stuck, sender, reader = join(hub="QUOTA"), join("loud", "QUOTA"), join("loud", "QUOTA")
    reader.send(make("other", frames.BROADCAST, mac(3)))
    stuck.links[-1].reading = False
    before = drop_cnt(lab, "out", "flood_quota")
    for _ in range(400):
        sender.send(*[frames.frame(frames.BROADCAST, mac(2), 1500) for _ in range(64)])
        if drop_cnt(lab, "out", "flood_quota") > before:
            break
    assert drop_cnt(lab, "out", "flood_quota") > before
    alone = make("other", mac(3), mac(2))
    sender.send(alone)
    assert reader.wait_frame(lambda f: f == alone)
    lab.server.delete_session("QUOTA", stuck.name)
    flood = make("other", frames.BROADCAST, mac(2))

    def passes():
        sender.send(flood)
        return reader.wait_frame(lambda f: f == flood, 1)

    wait_for("floods to pass again", passes)


def test_dormant(lab, join, mac):
    """DetectDormantSessionInterval: who is silent gets no floods, what is for him alone he gets, and who speaks gets all."""
    sender, silent, other = join(hub="DORMANT"), join(hub="DORMANT"), join(hub="DORMANT")
    silent.send(make("other", frames.BROADCAST, mac(2)))
    assert sender.wait_frame(lambda f: f[6:12] == mac(2))
    flood = make("udp", frames.BROADCAST, mac(1))

    def slept():
        silent.take_all()
        other.send(make("ipx", frames.BROADCAST, mac(3)))
        sender.send(flood)
        assert other.wait_frame(lambda f: f == flood)
        sender.send(make("syn", mac(2), mac(1)))
        got = []
        assert silent.wait_frame(lambda f: got.append(f) or f == make("syn", mac(2), mac(1)))
        return flood not in got

    wait_for("the silent one to be left out", slept)
    assert drop_cnt(lab, "out", "dormant") > 0

    def awake():
        # A machine that stands still for a second puts it to sleep again.
        silent.send(make("other", frames.BROADCAST, mac(2)))
        assert sender.wait_frame(lambda f: f[6:12] == mac(2))
        sender.send(flood)
        return silent.wait_frame(lambda f: f == flood, 1)

    wait_for("who speaks to get all", awake)


# ---- loops --------------------------------------------------------------------------------------

@pytest.mark.parametrize("hub", ["DEFAULT", "NOLOOP", "BLOCK"])
def test_loop(lab, join, mac, hub):
    """PatchbayLoopGuard: an alarm; none; the younger of two ports blocked for PatchbayLoopBlockSeconds."""
    one, other, third = join("loud", hub), join("loud", hub), join(hub=hub)
    said = len(lab.server.log())

    def told():
        go_round(one, other, mac(1))
        return re.search(rf"(?i)loop.*{hub}|{hub}.*loop", lab.server.log()[said:])

    if hub == "NOLOOP":
        for _ in range(3):
            assert not told()
    else:
        wait_for("the log to tell of a loop", told, 60)
    hello = make("other", frames.BROADCAST, mac(2))

    def passes():
        other.send(hello)
        return third.wait_frame(lambda f: f == hello, 0.3)

    if hub == "BLOCK":
        dropped = drop_cnt(lab, "in", "loop")
        wait_for("the port to be blocked", lambda: go_round(one, other, mac(1)) or (
            not passes() and drop_cnt(lab, "in", "loop") > dropped), 60)
        free = make("udp", frames.BROADCAST, mac(3))
        one.send(free)
        assert third.wait_frame(lambda f: f == free), "the older port is not"
    wait_for("frames to pass", passes)


# ---- what is changed in frames ------------------------------------------------------------------

@pytest.mark.parametrize("hub, sent, want", [
    ("DEFAULT", 1460, 1460), ("MSS", 1460, 1000), ("MSS", 900, 900), ("MSSOFF", 1460, 1460)])
def test_mss(join, mac, hub, sent, want):
    """AdjustTcpMssValue, DisableAdjustTcpMss: of a SYN, downwards only, and the checksum is right."""
    sender, receiver = join(hub=hub), join(hub=hub)

    def syn(mss):
        return packet(mac(1), IP(src="10.9.0.1", dst="10.9.0.2") / TCP(flags="S", options=[("MSS", mss)]))

    sender.send(syn(sent))
    assert receiver.wait_frame(lambda f: f[6:12] == mac(1)) == syn(want)


@pytest.mark.parametrize("hub, user, six, edited", [
    ("ROUTER6", "norouter6", True, True), ("ROUTER6", "norouter6", False, False), ("ROUTER6", "guest", True, False),
    ("DEFAULT", "guest", True, True), ("DEFAULT", "guest", False, False)])
def test_router_when_ipv6(join, mac, hub, user, six, edited):
    """NoIPv6DefaultRouterInRAWhenIPv6, of the policy and of the hub: for sessions that come by IPv6 alone."""
    sender = join(hub=hub)
    receiver = join(user, hub, **({"host": SERVER6} if six else {}))
    sender.send(make("ra", frames.BROADCAST, mac(1)))
    want = Ether(make("ra", frames.BROADCAST, mac(1)))
    if edited:
        want[ICMPv6ND_RA].routerlifetime = 0
        del want[ICMPv6ND_RA].cksum
    assert receiver.wait_frame(lambda f: f[6:12] == mac(1)) == bytes(want)


@pytest.mark.parametrize("hub, local, kept", [
    ("DEFAULT", True, False), ("DEFAULT", False, True), ("LOCALGW", True, True)])
def test_gateway_for_this_host(join, mac, hub, local, kept):
    """RemoveDefGwOnDhcpForLocalhost: an answer to a client on the server's host loses its router."""
    server = join(hub=hub)
    client = join(hub=hub, **({"host": "127.0.0.1", "node": "server"} if local else {}))
    offer = packet(mac(1), IP(src="10.9.0.1", dst="255.255.255.255") / UDP(sport=67, dport=68) / BOOTP(
        op=2, yiaddr="10.9.0.7", chaddr=mac(2)) / DHCP(options=[
            ("message-type", "offer"), ("router", "10.9.0.1"), ("lease_time", 60), "end"]))
    server.send(offer)
    got = client.wait_frame(lambda f: f[6:12] == mac(1))
    options = {o[0] for o in Ether(got)[DHCP].options if isinstance(o, tuple)}
    assert ("router" in options) == kept and "lease_time" in options


def test_vlan_type(join, mac):
    """VlanTypeId: what is put in front of a frame from a VLAN, and what is taken off."""
    one, trunk = join("tag7", "TPID"), join(hub="TPID")
    plain = make("udp", frames.BROADCAST, mac(1))
    one.send(plain)
    assert trunk.wait_frame(lambda f: f[6:12] == mac(1)) == plain[:12] + b"\x88\xa8\0\7" + plain[12:]
    plain = make("udp", frames.BROADCAST, mac(2))
    trunk.send(plain[:12] + b"\x81\0\0\7" + plain[12:], plain[:12] + b"\x88\xa8\0\7" + plain[12:])
    got = []
    assert one.wait_frame(lambda f: got.append(f) or f == plain)
    assert got == [plain]


# ---- the MAC table ------------------------------------------------------------------------------

@pytest.mark.parametrize("hub, alone", [("DEFAULT", False), ("NOVLAN", True)])
def test_manage_vlan(join, mac, hub, alone):
    """NoManageVlanId: one address behind a tag and without is one entry, so a frame for it is no flood."""
    station, sender, third = join(hub=hub), join(hub=hub), join(hub=hub)
    hello = make("other", frames.BROADCAST, mac(1))
    station.send(hello[:12] + b"\x81\0\0\x09" + hello[12:])
    assert sender.wait_frame(lambda f: f[6:12] == mac(1)) and third.wait_frame(lambda f: f[6:12] == mac(1))
    sender.send(make("udp", mac(1), mac(2)), make("other", frames.BROADCAST, mac(2)))
    assert station.wait_frame(lambda f: f == make("udp", mac(1), mac(2)))
    got = []
    assert third.wait_frame(lambda f: got.append(f) or f[:6] == frames.BROADCAST)
    assert (len(got) == 1) == alone


@pytest.mark.parametrize("hub, learned", [("DEFAULT", 9), ("BPDU", 1)])
def test_bridge_id(lab, join, mac, hub, learned):
    """NoLookBPDUBridgeId: of a BPDU the bridge's address is learned, or the frame's."""
    sender, receiver = join(hub=hub), join(hub=hub)
    sender.send(bpdu(mac(1), mac(9)))
    assert receiver.wait_frame(lambda f: f[6:12] == mac(1))
    known = {m["mac"] for m in lab.server.macs(hub)}
    assert text(mac(learned)) in known and text(mac(10 - learned)) not in known


@pytest.mark.parametrize("hub, lost", [("DEFAULT", True), ("MOVES", False)])
def test_check_mac_on_local_bridge(lab, join, mac, hub, lost):
    """DisableCheckMacOnLocalBridge: a MAC that a session used within 13 s comes out of a bridge."""
    owner, watcher = join(hub=hub), join(hub=hub)
    tap = TapHost(lab, f"b{lab.workers}{hub[:4].lower()}", "192.168.61.1", hub=hub)
    try:
        owner.send(make("other", frames.BROADCAST, mac(1)))
        assert watcher.wait_frame(lambda f: f[6:12] == mac(1))
        moved = make("ipx", frames.BROADCAST, mac(1))
        free = make("ipx", frames.BROADCAST, mac(2))
        with tap.packets() as sock:
            sock.send(moved)
            sock.send(free)
        got = []
        assert watcher.wait_frame(lambda f: got.append(f) or f == free)
        assert (moved not in got) == lost
    finally:
        tap.unplug()


# ---- privacy ------------------------------------------------------------------------------------

@pytest.mark.parametrize("hub, to, passes", [
    ("DEFAULT", "private2", []), ("PRIVBC", "private2", ["udp"]), ("PRIVARP", "private2", ["arp"]),
    ("SAMEUSER", "private2", []), ("SAMEUSER", "private", ["arp", "udp", "ipx"]), ("DEFAULT", "private", [])])
def test_privacy_options(join, mac, hub, to, passes):
    """DropBroadcastsInPrivacyFilterMode, DropArp..., AllowSameUser...: broadcast, ARP and unicast between two."""
    one, two, other = join("private", hub), join(to, hub), join("loud", hub)
    two.send(make("other", frames.BROADCAST, mac(2)))
    other.send(make("other", frames.BROADCAST, mac(3)))
    assert one.wait_frame(lambda f: f[6:12] == mac(3)) and two.wait_frame(lambda f: f[6:12] == mac(3))
    sent = {"arp": make("arp", frames.BROADCAST, mac(1)), "udp": make("udp", frames.BROADCAST, mac(1)),
            "ipx": make("ipx", mac(2), mac(1))}
    one.send(*sent.values(), make("ipx", frames.BROADCAST, mac(1)), make("syn", mac(3), mac(1)))
    assert other.wait_frame(lambda f: f == make("syn", mac(3), mac(1)))
    last = make("syn", frames.BROADCAST, mac(3))
    other.send(last)
    got = []
    assert two.wait_frame(lambda f: got.append(f) or f == last)
    assert [kind for kind, f in sent.items() if f in got] == passes


# ---- rates --------------------------------------------------------------------------------------

@pytest.mark.parametrize("user, up", [("slowup", True), ("slowdown", False)])
def test_limit(join, mac, user, up):
    """MaxUpload, MaxDownload of 8 kbit/s: ten frames at once and then nothing; ARP passes, the other way is free."""
    slow, other = join(user), join()
    sender, receiver = (slow, other) if up else (other, slow)
    sent = [frames.flood(mac(1), n, 1514) for n in range(30)]
    last = frames.arp_request(mac(1), "10.9.7.1", "10.9.7.2")
    sender.send(*sent, last)
    assert 10 <= len(arrived(receiver, sent, last)) <= 14
    back = [frames.flood(mac(2), n, 1514) for n in range(30)]
    receiver.send(*back)
    assert sender.wait_frames(30, lambda f: f in back) == back


def test_no_qos(join):
    """NoQoS: whoever asks is granted priority, unless the policy says no."""
    assert join("guest", qos=1, max_connection=8, **BRIDGE).welcome["qos"] == [1]
    assert join("noqos", qos=1, max_connection=8, **BRIDGE).welcome["qos"] == [0]


# ---- none is forgotten --------------------------------------------------------------------------

# What these are about is seen in logs, at a RADIUS server or in access lists, and stands in the tests of those.
NOT_HERE = re.compile("Log|Http|Radius|AccessList|SecureNAT")


def test_every_key_and_option_has_a_row(lab):
    """Each of the 38 keys, and each option of a hub that is in force, stands in some test of frames or logins."""
    root = pathlib.Path(__file__).parent.parent.parent
    tests = "\n".join(p.read_text("utf-8") for p in (root / "test/interop").glob("test_*.py"))
    keys = {r["Key_str"] for r in lab.server.ctl("policy", "list")["PolicyList"]}
    assert len(keys) == 38
    options = (root / "controlplane/option_keys.h").read_text("utf-8")
    names = set(re.findall(r"X\((\w+), \d+, \d+, \d+u?,\s+(?:NOW|LOGIN|ADMIN)", options))
    assert len(names) > 40
    missing = {n for n in keys | names if not NOT_HERE.search(n) and not re.search(rf'"{n}["=]', tests)}
    assert not missing
