# SPDX-License-Identifier: BSD-3-Clause
"""What access rules do beside the rows of test_access.py: sessions that are nobody's, under the names that lists show,
jitter, and how much may wait for a delay.
"""

import re
import struct
import time

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import Ether

from lab import books, frames, wait_for
from lab.bridges import TapHost
from lab.server import ROOT
from lab.sessions import alice_and_bob, two_users

pytestmark = pytest.mark.patchbay
PARK = (ROOT / "dataplane/hub_access_priv.h").read_text("utf-8")
ALICE, BOB, HOST = frames.mac(1, 0x71), frames.mac(2, 0x71), frames.mac(3, 0x71)


@pytest.fixture(scope="module", name="lab", params=[1, 2], ids=["one worker", "two workers"])
def fixture_lab(request, make_lab):
    """Two users."""
    lab = two_users(make_lab, request.param)
    yield lab
    lab.close()


@pytest.fixture(name="ends")
def fixture_ends(lab, balanced):  # pylint: disable=unused-argument
    """alice and bob, each known by an address; no rules afterwards."""
    ends = alice_and_bob(lab)
    for end, other, mac in ((ends[0], ends[1], ALICE), (ends[1], ends[0], BOB)):
        end.send(frames.frame(frames.BROADCAST, mac))
        assert other.wait_frame(lambda f, mac=mac: f[6:12] == mac)
    yield ends
    for end in ends:
        end.close()
    while lab.server.ctl("access", "list", "DEFAULT")["AccessList"]:
        lab.server.ctl("access", "delete", "DEFAULT", "1")


def packet(dst, src, body):
    """A frame."""
    return bytes(Ether(dst=dst.hex(":"), src=src.hex(":")) / IP(src="10.9.0.1", dst="10.9.0.2") / body)


def test_local_bridge(lab, ends):
    """Local Bridge, as a sender and as a receiver."""
    tap = TapHost(lab, "special", "192.168.71.2")
    udp, icmp = UDP(sport=4000, dport=80) / b"udp", ICMP()
    with tap.packets() as sock:
        lab.server.ctl("access", "add", "DEFAULT", "priority=10", "drop=true", "protocol=17", 'source_user="Local Bridge"')
        sock.send(packet(ALICE, HOST, udp))
        sock.send(packet(ALICE, HOST, icmp))
        got = []
        assert ends[0].wait_frame(lambda f: got.append(f) or f == packet(ALICE, HOST, icmp))
        assert packet(ALICE, HOST, udp) not in got
        # Of others, and to it, the same passes.
        ends[1].send(packet(ALICE, BOB, udp))
        assert ends[0].wait_frame(lambda f: f == packet(ALICE, BOB, udp))
        ends[0].send(packet(HOST, ALICE, udp))
        assert seen(sock, packet(HOST, ALICE, udp))[-1] == packet(HOST, ALICE, udp)
        lab.server.ctl("access", "delete", "DEFAULT", "1")
        lab.server.ctl("access", "add", "DEFAULT", "priority=10", "drop=true", "protocol=17", 'destination_user="local bridge"')
        ends[0].send(packet(HOST, ALICE, udp), packet(HOST, ALICE, icmp))
        assert packet(HOST, ALICE, udp) not in seen(sock, packet(HOST, ALICE, icmp))
        ends[0].send(packet(BOB, ALICE, udp))
        assert ends[1].wait_frame(lambda f: f == packet(BOB, ALICE, udp))
    tap.unplug()


def seen(sock, last):
    """What arrives at a TAP, up to this frame."""
    got = []
    while not got or got[-1] != last:
        got.append(sock.recv(2048)[:len(last)])
    return got


def numbers_of(lab, ends, *conditions):
    """The order in which 64 numbered datagrams arrive, and the longest one was on its way."""
    lab.server.ctl("access", "add", "DEFAULT", "priority=10", "protocol=17", *conditions)
    sent = time.monotonic()
    ends[0].send(*(packet(BOB, ALICE, UDP(sport=4000, dport=80) / struct.pack(">I", n)) for n in range(64)))
    got = ends[1].wait_frames(64, lambda f: f[6:12] == ALICE and f[23] == 17)
    took = time.monotonic() - sent
    lab.server.ctl("access", "delete", "DEFAULT", "1")
    return [struct.unpack(">I", bytes(Ether(f)[UDP].payload)[:4])[0] for f in got], took


def test_jitter(lab, ends):
    """With jitter some overtake others; with the delay alone, or for another protocol, none does. None is lost."""
    order, took = numbers_of(lab, ends, "delay=300", "jitter=100")
    assert sorted(order) == list(range(64)) and order != sorted(order) and took > 0.3
    order, took = numbers_of(lab, ends, "delay=300")
    assert order == list(range(64)) and took > 0.29
    lab.server.ctl("access", "add", "DEFAULT", "priority=5", "protocol=6", "delay=300", "jitter=100")
    order, took = numbers_of(lab, ends)
    assert order == list(range(64))


def test_delay_is_bounded(lab, ends):
    """Of one rule and session so many frames wait, or so many bytes; the rest are counted, and no other session's."""
    frames_max, bytes_max = (int(re.search(rf"#define {name}\s+\(?(\d+)u?(?: << 10\))?", PARK)[1]) for name in (
        "PARK_RULE_FRAMES", "PARK_RULE_BYTES"))
    bytes_max <<= 10

    def numbers():
        (total,) = books.level(books.read(lab.server), "total")
        state = lab.server.rpc("EnumAccess", HubName_str="DEFAULT", PatchbayStateOnly_bool=True)
        return total["drop_in"]["access_delay"], state["PatchbayParked_u64"]

    def send(session, dst, src, cnt, size):
        body = UDP(sport=4000, dport=80) / bytes(size - 42)
        for at in range(0, cnt, 50):
            session.send(*[packet(dst, src, body)] * min(50, cnt - at))

    dropped, waiting = numbers()
    assert waiting == 0
    lab.server.ctl("access", "add", "DEFAULT", "priority=10", "protocol=17", "delay=10000")
    send(ends[0], BOB, ALICE, frames_max + 176, 60)
    wait_for("frames beyond the bound to be counted", lambda: numbers() == (dropped + 176, frames_max))
    # The other session has a bound of its own, which its bytes reach before its frames do.
    fit = bytes_max // 1500
    send(ends[1], ALICE, BOB, fit + 51, 1500)
    wait_for("bytes beyond the bound to be counted", lambda: numbers() == (dropped + 176 + 51, frames_max + fit))
    # What no rule delays passes meanwhile; every frame has met the rule.
    ends[0].send(packet(BOB, ALICE, ICMP()))
    assert ends[1].wait_frame(lambda f: f == packet(BOB, ALICE, ICMP()))
    (row,) = lab.server.ctl("access", "list", "DEFAULT")["AccessList"]
    assert row["PatchbayHits_u64"] == frames_max + 176 + fit + 51
