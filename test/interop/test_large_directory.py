# SPDX-License-Identifier: BSD-3-Clause
"""A directory as large as it may get, 10 000 users and 32 768 access rules: read again and given out while others go on.

Whoever logs in or administers meanwhile does not wait for it. (That nothing of it is done in one go is for the unit tests
access_start and admin_directory to say, which count steps; here the whole of it is looked at, with a limit that a busy
machine keeps.)
"""

import base64
import os
import re
import signal
import threading
import time

import pytest

from lab import SERVER4, Hub, User, frames, wait_for
from lab.admin import Api, Rpc
from lab.netns import LabError
from lab.stalls import Stalls
from lab.wireclient import LoginError, Session, connect

pytestmark = pytest.mark.patchbay

USERS, RULES = 10_000, 32_768
PATIENCE_S = 4.0  # as elsewhere: for a login beside something long
BRIDGE = {"require_bridge_routing_mode": 1}
DROPPED, PASSES = 9, 7


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """A small hub; the large one is read while it runs."""
    lab = make_lab(hubs=[Hub("DEFAULT", [User("guest")])])
    lab.server.start()
    return lab


def big_hub():
    """The text of a hub: the rules differ by their source, and a late one counts for every frame of the test."""
    rules = [f'{{ priority = {n + 1}; drop = true; protocol = 17; source = "10.{88 + (n >> 16)}.{n >> 8 & 255}.{n & 255}"; }}'
             for n in range(RULES - 1)]
    rules.append(f'{{ priority = {RULES}; drop = true; protocol = 17; destination_ports = "{DROPPED}"; }}')
    users = [f'{{ name = "u{n}"; auth = "anonymous"; note = "someone with a note of usual length, number {n}"; }}' for n in range(USERS)]
    return (f'{{ name = "BIG"; access = (\n{",".join(rules)}\n); users = (\n{",".join(users)}\n); }}')


class Others:
    """Beside a test: people log in, an administrator asks; how long the slowest answer took, and how many there were."""

    def __init__(self, lab):
        self.lab, self.times, self.over, self.stalls = lab, [], threading.Event(), Stalls()
        self.threads = [threading.Thread(target=self.run, args=(what,), daemon=True) for what in (self.login, self.administer)]

    def login(self):
        """From the first packet to the session."""
        Session(connect(self.lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest").close()

    def administer(self):
        """One call on the local socket."""
        self.lab.server.rpc("GetServerStatus")

    def run(self, what):
        """Again and again."""
        while not self.over.is_set():
            began = time.monotonic()
            what()
            self.times.append(time.monotonic() - began)
            time.sleep(0.03)

    def served(self):
        """Many were, and none had to wait for the long work."""
        worst = max(self.times)
        print(f"{len(self.times)} answers beside, the slowest {worst:.3f} s; the machine's own stalls {self.stalls.worst_s:.3f} s")
        assert len(self.times) > 10 and worst < PATIENCE_S + self.stalls.added_s(), (worst, self.stalls.worst_s)

    def __enter__(self):
        self.stalls.start()
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.stalls.over.set()
        for t in (*self.threads, self.stalls):
            t.join()


def udp(src, port):
    """A frame to a destination port."""
    ip = b"\x45\0\0\x2e\0\0\0\0\x40\x11\0\0" + bytes((10, 9, 0, 1, 10, 9, 0, 2))
    return frames.BROADCAST + src + b"\x08\0" + ip + (4000).to_bytes(2, "big") + port.to_bytes(2, "big") + b"\0\x1a\0\0" + bytes(18)


def test_read_again(lab):
    """SIGHUP with a hub more that is as large as one may be: nobody waits, its list is compiled beside, and no frame is before its rule."""
    file = lab.server.state / "directory.cfg"
    lab.server.rpc("Flush")
    text = file.read_text("utf-8")
    end = re.search(r"\}(?=\s*\);\s*$)", text).end()  # of the last hub
    file.write_text(text[:end] + ",\n" + big_hub() + text[end:], encoding="utf-8")
    with Others(lab) as others:
        os.kill(lab.server.process.pid, signal.SIGHUP)
        # Whoever is in as soon as there is a hub to be in: what is to be dropped never comes.
        sessions = []

        def joined():
            try:
                sessions.append(Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("BIG", "u9999", **BRIDGE).wait_ready())
                return True
            except LoginError as refused:
                assert refused.code == 8
                return False
        wait_for("the hub", joined, 180)
        assert joined()
        one, two = sessions
        sent = 0

        def passes():
            nonlocal sent
            sent += 1
            src = frames.mac(sent, 0x61)
            one.send(udp(src, DROPPED), udp(src, PASSES))
            return two.wait_frame(lambda f: f[6:12] == src and f[37] == PASSES, 1)

        def passes_at_last():
            try:
                return bool(passes())
            except (TimeoutError, AssertionError):
                return False
        wait_for("frames", passes_at_last, 180)
        for _ in range(20):
            wait_for("frames", passes)
        assert not [f for f in two.take_all() if f[37:38] == bytes((DROPPED,))]
    log = lab.server.log()
    assert "hub BIG: frames pass as soon as its 32768 access rules have been compiled" in log
    assert log.index("hub BIG: frames pass") < log.index("hub BIG is online")
    others.served()
    for s in sessions:
        s.close()


def test_given_out(lab):
    """GetConfig in every encoding, by several at a time: the whole of it each time, and nobody else waits."""
    lab.server.rpc("CreateUser", HubName_str="DEFAULT", Name_str="before", AuthType_u32=0)
    lab.server.rpc("Flush")  # from here on the file has times of creation, too
    with Api(lab.nodes["wire"], SERVER4) as api, Rpc(lab.nodes["wire"], SERVER4) as rpc, Others(lab) as others:
        texts = [base64.b64decode(api.call("GetConfig")["FileData_bin"]), rpc.call("GetConfig")["FileData"][0],
                 base64.b64decode(lab.server.rpc("GetConfig")["FileData_bin"])]
        got, threads = [], []
        for _ in range(6):
            threads.append(threading.Thread(target=lambda: got.append(lab.server.rpc("GetConfig")), daemon=True))
            threads[-1].start()
        for t in threads:
            t.join(180)
        assert len(got) == 6
    texts += [base64.b64decode(g["FileData_bin"]) for g in got]
    assert len(set(texts)) == 1
    text = texts[0].decode()
    assert all(f'name = "u{n}";' in text for n in (0, 1, USERS - 1)) and text.count("priority = ") >= RULES
    others.served()
    # What is answered is in it at once.
    lab.server.rpc("CreateUser", HubName_str="DEFAULT", Name_str="afterwards", AuthType_u32=0)
    assert b'"afterwards"' in base64.b64decode(lab.server.rpc("GetConfig")["FileData_bin"])


def test_edited_meanwhile(lab):
    """A file that was edited and not read is not what is in force: said, and not given out for it."""
    file = lab.server.state / "directory.cfg"
    lab.server.rpc("Flush")
    good = file.read_bytes()
    file.write_bytes(good + b"\n")
    with pytest.raises(LabError, match="store reload"):
        lab.server.rpc("GetConfig")
    lab.server.rpc("PatchbayReload")
    assert b'"afterwards"' in base64.b64decode(lab.server.rpc("GetConfig")["FileData_bin"])
