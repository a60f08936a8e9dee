# SPDX-License-Identifier: BSD-3-Clause
"""What takes long must not be felt elsewhere: a device that blocks while it is probed, a very long list.

Beside each, frames go through the hub and people log in. With one worker: it would have nobody to hide behind.
"""

import contextlib
import os
import pathlib
import re
import struct
import time

import pytest

from lab import SERVER4, bridges, wait_for
from lab.bridges import TapHost
from lab.stalls import Stalls
from lab.wireclient import Session, connect

pytestmark = pytest.mark.patchbay

LOGIN_S = 4.0  # a probe that held them up would do it for ever, a long list for as long as it takes
LISTED = 1048576 if os.environ.get("PATCHBAY_LONG") else 131072


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """A server with one worker, two TAPs and a place to log in from."""
    lab = make_lab(settings={"lcores": {"workers": 1}})
    lab.server.start()
    lab.host("other")
    lab.one, lab.two = TapHost(lab, "one", "192.168.65.1"), TapHost(lab, "two", "192.168.65.2")
    yield lab
    bridges.end(lab)


def login_s(lab):
    """Seconds a login takes, from the first packet to the session."""
    began = time.monotonic()
    session = Session(connect(lab.nodes["other"], SERVER4, 8888)).login("DEFAULT", "alice", "alicepw")
    took = time.monotonic() - began
    session.close()
    return took


def late(lab):
    """How often some worker was seen to report nothing for a second."""
    return sum(r["LateReports_u64"] for r in lab.server.rpc("PatchbayEnumLcore")["LcoreList"])


@contextlib.contextmanager
def undisturbed(lab):
    """Inside: pings every 2 ms, none of which may be lost; and no worker may be late."""
    before, ping = late(lab), lab.one.node.pings(lab.two.address, 0.002)
    wait_for("answers", ping.answered)
    with Stalls() as stalls:
        yield
    answered, missing = ping.stop()
    assert not missing, f"{len(missing)} lost, {answered} answered"
    # A machine that gives nobody a CPU for so long is none of the worker's doing.
    assert late(lab) == before or stalls.worst_s > 0.5


def test_a_probe_that_blocks(lab, balanced):  # pylint: disable=unused-argument
    """net_pcap opens its file while it is probed; a FIFO without a writer blocks whoever does that, for as long as it likes."""
    server, fifo = lab.server, lab.nodes["server"].folder / "fifo.pcap"
    os.mkfifo(fifo)
    with undisturbed(lab):
        bridges.create_device(server, "SECOND", f"net_pcap_fifo,rx_pcap={fifo}", "stuck", wait=False)
        wait_for("opening", lambda: bridges.rows(server)["stuck"]["State"] == "opening")
        began, times = time.monotonic(), []
        while time.monotonic() - began < 3:
            time.sleep(0.05)
            times.append(login_s(lab))
            assert bridges.rows(server)["stuck"]["State"] == "opening"
        assert max(times) < LOGIN_S, times
        # What needs no slow helper is done at once; the bridge behind it waits in line and says so.
        server.ctl("bridge", "create", "SECOND", "--tap", "behind")
        assert bridges.rows(server)["behind"]["State"] == "opening"
        # Somebody writes: no capture at all, so the driver refuses it, and the line moves on.
        with open(fifo, "wb") as f:
            f.write(bytes(64))
        bridges.wait_up(server, "behind")
        fifo.unlink()
        reason = wait_for("a reason", lambda: bridges.rows(server)["stuck"]["Error"])
        assert "net_pcap_fifo" in reason
    for name in ("stuck", "behind"):
        bridges.delete(server, "SECOND", name)


def test_a_probe_that_never_ends(make_lab):
    """The daemon ends in order all the same: the helper that hangs in the driver is left where it is."""
    lab = make_lab()
    lab.server.start()
    fifo = lab.nodes["server"].folder / "fifo.pcap"
    os.mkfifo(fifo)
    bridges.create_device(lab.server, "DEFAULT", f"net_pcap_fifo,rx_pcap={fifo}", "stuck", wait=False)
    wait_for("opening", lambda: bridges.rows(lab.server)["stuck"]["State"] == "opening")
    lab.server.stop(60)
    assert not list(lab.folder.glob("**/core*"))
    lab.close()


def stations(path, count, times):
    """A capture in which `count` stations say something to the next of them, several times over."""
    def mac(i):
        return struct.pack(">BBI", 2, 0x65, i % count)
    rest = struct.pack(">H", 0x88B5) + bytes(46)
    head = struct.pack("<IIII", 0, 0, 60, 60)
    once = b"".join(head + mac(i + 1) + mac(i) + rest for i in range(count))
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for _ in range(times):
            f.write(once)


def test_a_long_list(lab, balanced):  # pylint: disable=unused-argument
    """A table of many addresses is listed (PATCHBAY_LONG: of 1 048 576): every one is there, nobody waits for it."""
    server, pcap = lab.server, lab.nodes["server"].folder / "stations.pcap"
    server.ctl("hub", "create", "LONG", "--max-macs", str(2 * LISTED))
    stations(pcap, LISTED, 4)
    def known():
        (hub,) = [h for h in server.rpc("EnumHub")["HubList"] if h["HubName_str"] == "LONG"]
        return hub["NumMacTables_u32"]
    # What comes while the table grows may not be learned, so they say it again.
    for turn in range(8):
        bridges.create_device(server, "LONG", f"net_pcap_many{turn},rx_pcap={pcap},tx_pcap=/dev/null", f"many{turn}")
        if turn:
            bridges.delete(server, "LONG", f"many{turn - 1}")
        with contextlib.suppress(Exception):
            wait_for("all of them", lambda: known() >= LISTED, 5)
            break
    assert known() >= LISTED
    usual, listing, answers = [login_s(lab) for _ in range(5)], [], 0
    out = lab.nodes["server"].folder / "list.json"
    with undisturbed(lab):
        began = time.monotonic()
        # The command runs in the background and its output is counted afterwards.
        process = lab.nodes["server"].spawn(server.ctl_path, "--socket", server.state / "admin.sock", "--json", "mac", "list", "LONG",
                                            log=out.name)
        while process.poll() is None:
            listing.append(login_s(lab))
            time.sleep(0.02)
            answers += 1
        took = time.monotonic() - began
    assert process.poll() == 0
    macs = re.findall(rb'"MacAddress_bin": ?"([^"]*)"', pathlib.Path(out).read_bytes())
    assert len(set(macs)) >= LISTED
    print(f"{len(macs)} rows in {took:.1f} s; logins beside: {answers}, median {sorted(listing)[answers // 2]:.3f} s, "
          f"longest {max(listing):.3f} s; before: {max(usual):.3f} s")
    assert max(listing) < LOGIN_S, listing
