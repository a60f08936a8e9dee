# SPDX-License-Identifier: BSD-3-Clause
"""Long access lists while frames pass: rules that are added one by one, and whole lists in the place of others. What all
of them let through arrives, each frame once and in order; what any of them drops never does.

With PATCHBAY_LONG=1 it is 32 768 rules, and the times of issue 6 are asked for.
"""

import json
import os
import socket
import struct
import threading
import time

import pytest

from lab import frames
from lab.sessions import alice_and_bob, two_users

pytestmark = pytest.mark.patchbay
LONG = os.environ.get("PATCHBAY_LONG") == "1"
ADDED = 32768 if LONG else 400
REPLACED = 32768 if LONG else 3000
TURNS = 2 if LONG else 6
PASSES, DROPPED = 7, 9  # destination ports
BOB = frames.mac(2, 0x51)


def numbered(number, port):
    """UDP to this port with a number in it."""
    head = struct.pack(">BBHHHBBHIH", 0x45, 0, 46, 0, 0, 64, 17, 0, 0x0A090001, 0x0A09) + b"\0\2"
    return BOB + frames.mac(1, 0x51) + b"\x08\0" + head + struct.pack(">HHHHI", 4000, port, 26, 0, number) + bytes(14)


class Stream(threading.Thread):
    """alice sends frames of both kinds without end; counts."""

    def __init__(self, session):
        super().__init__(daemon=True)
        self.session, self.sent, self.over = session, 0, threading.Event()
        self.start()

    def run(self):
        while not self.over.is_set():
            self.session.send(*(numbered(self.sent + n // 2, DROPPED if n % 2 else PASSES) for n in range(32)))
            self.sent += 16
            time.sleep(0.01)  # what a busy machine still reads

    def stop(self):
        """How many of each kind were sent."""
        self.over.set()
        self.join()
        return self.sent


@pytest.fixture(name="lab", params=[1, 2], ids=["one worker", "two workers"])
def fixture_lab(request, make_lab):
    """A hub."""
    lab = two_users(make_lab, request.param)
    yield lab
    lab.close()


@pytest.fixture(name="ends")
def fixture_ends(lab, balanced):  # pylint: disable=unused-argument
    """alice and bob, who is known."""
    ends = alice_and_bob(lab)
    ends[1].send(frames.frame(frames.BROADCAST, BOB))
    assert ends[0].wait_frame(lambda f: f[6:12] == BOB)
    yield ends
    for end in ends:
        end.close()


def port_of(frame):
    """Destination port of a frame of ours."""
    return struct.unpack_from(">H", frame, 36)[0]


def all_arrived(bob, count):
    """Every frame that passes, once and in order, and no other."""
    got, last, end = [], numbered(count - 1, PASSES), time.monotonic() + 120
    while last not in got[-64:]:
        assert time.monotonic() < end, f"{len(got)} of {count} frames"
        got += [f for f in bob.take_all() if f[6:12] == frames.mac(1, 0x51)]
        time.sleep(0.01)
    assert {port_of(f) for f in got} == {PASSES}, "a frame passed that every list drops"
    numbers = [struct.unpack_from(">I", f, 42)[0] for f in got]
    assert numbers == list(range(count)), f"{len(numbers)} of {count}, or in another order"


class Admin:
    """A connection to the admin socket, for many calls."""

    def __init__(self, lab):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(lab.server.state / "admin.sock"))
        self.answers = self.sock.makefile("rb")

    def call(self, method, **params):
        """One method; its result."""
        self.sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        got = json.loads(self.answers.readline())
        assert "error" not in got, got
        return got["result"]

    def close(self):
        """End it."""
        self.answers.close()
        self.sock.close()


def host_rule(number):
    """A rule that no frame here matches, each another."""
    return f'{{ priority = {number + 10}; drop = true; protocol = 17; source = "10.77.{number >> 8 & 255}.{number & 255}"; ' \
           f'source_ports = "{1 + (number >> 16)}"; }}'


DROP = f'{{ priority = 5; drop = true; protocol = 17; destination_ports = "{DROPPED}"; }}'


def test_one_by_one(lab, ends, record_property):
    """Each rule is answered when it is in force, and no frame notices the others."""
    admin = Admin(lab)
    admin.call("PatchbayAddAccess", HubName_str="DEFAULT", Rule_str=DROP)
    stream = Stream(ends[0])
    begun = time.monotonic()
    for number in range(ADDED - 1):
        admin.call("PatchbayAddAccess", HubName_str="DEFAULT", Rule_str=host_rule(number))
    took = time.monotonic() - begun
    all_arrived(ends[1], stream.stop())
    record_property("seconds", took)
    print(f"{ADDED} rules one by one: {took:.1f} s, {1000 * took / ADDED:.2f} ms a rule")
    assert took < 300
    rows = lab.server.ctl("access", "list", "DEFAULT")["AccessList"]
    assert len(rows) == ADDED and rows[0]["PatchbayHits_u64"] == stream.sent
    assert not any(row["PatchbayHits_u64"] for row in rows[1:])
    # The last one is in force, at once.
    admin.call("DeleteAccess", HubName_str="DEFAULT", Id_u32=rows[-1]["UniqueId_u32"])
    admin.call("PatchbayAddAccess", HubName_str="DEFAULT",
               Rule_str=f'{{ priority = 99999; drop = true; protocol = 17; destination_ports = "{PASSES}"; }}')
    ends[1].take_all()
    ends[0].send(numbered(1 << 24, PASSES), frames.frame(BOB, frames.mac(1, 0x52)))
    assert ends[1].wait_frame(lambda f: f[6:12] == frames.mac(1, 0x52))
    assert not [f for f in ends[1].take_all() if f[6:12] == frames.mac(1, 0x51)]
    admin.close()


def test_replaced(lab, ends, tmp_path, record_property):
    """Lists in the place of lists: what both let through never stops, what both drop never passes."""
    paths = []
    for half in range(2):
        rules = [DROP] + [host_rule(half * REPLACED + n) for n in range(REPLACED - 1)]
        paths.append(tmp_path / f"list{half}")
        paths[-1].write_text(",\n".join(rules), "utf-8")
    lab.server.ctl("access", "replace", "DEFAULT", str(paths[1]))
    stream = Stream(ends[0])
    slowest = 0
    for turn in range(TURNS):
        begun = time.monotonic()
        lab.server.ctl("access", "replace", "DEFAULT", str(paths[turn % 2]))
        slowest = max(slowest, time.monotonic() - begun)
    all_arrived(ends[1], stream.stop())
    record_property("seconds", slowest)
    print(f"{REPLACED} rules replaced in at most {slowest:.2f} s")
    assert slowest < (10 if LONG else 110)
    rows = lab.server.ctl("access", "list", "DEFAULT")["AccessList"]
    assert len(rows) == REPLACED and rows[0]["DestPortEnd_u32"] == DROPPED
