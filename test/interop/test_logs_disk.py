# SPDX-License-Identifier: BSD-3-Clause
"""Logs that can be relied on: nobody forges a line, nothing is lost when files are changed, little when the process is
killed; a full disk and a stuck syslog server cost lines and nothing else. And the tools that read them.
"""

import csv
import json
import os
import re
import signal
import socket
import struct
import time

import pytest

from lab import SERVER4, Hub, User, frames, wait_for
from lab.admin import Rpc, RpcError, vpncmd
from lab.server import ROOT
from lab.wireclient import LoginError, Session, connect

pytestmark = pytest.mark.patchbay

BRIDGE = {"require_bridge_routing_mode": 1}
NAMES = ['quo"te,comma', "利用者", "back\\slash", "a' b=c"]
FAIL2BAN = ROOT / "config/fail2ban.conf.sample"
TWO = frames.mac(2)


def start(make_lab, name="DEFAULT", **settings):
    """A lab with one hub whose packet log takes everything."""
    lab = make_lab(hubs=[Hub(name, [User("guest", "pw"), *(User(n, "pw") for n in NAMES)])],
                   settings={"log": settings} if settings else {})
    lab.server.start()
    lab.server.ctl("log", "set", name, "--packet", "yes", "all=header")
    return lab


def folder(lab):
    """Where the logs are."""
    return lab.server.state / "logs"


def login(lab, user="guest", password="pw", hub="DEFAULT"):
    """A session in bridge mode."""
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888))
    return session.login(hub, user, password, **BRIDGE).wait_ready()


def numbered(number, src):
    """A broadcast-free frame that carries a number where its log line shows it: UDP's source port and address."""
    ip = struct.pack(">BBHHHBBHIHH", 0x45, 0, 46, 0, 0, 64, 17, 0, 0x0A090000 | number >> 16, 0x0A09, 0x0002)
    return TWO + src + b"\x08\0" + ip + struct.pack(">HHHH", number & 0xFFFF, 9999, 26, 0) + bytes(18)


def numbers(text):
    """The numbers of all lines for port 9999."""
    return [(int(c[10].split(".")[3]) << 16) + int(re.sub(r".*\((\d+)\)", r"\1", c[11]))
            for c in csv.reader(text.splitlines()) if len(c) == 20 and c[13] == "9999"]


def packet_text(lab):
    """All packet log files, old ones first, each of them whole lines."""
    paths = list((folder(lab) / "packet_log/DEFAULT").glob("pkt*.log"))
    out = ""
    for path in sorted(paths, key=lambda p: (p.stat().st_mtime_ns, p.name)):
        text = path.read_bytes().decode("utf-8")
        assert text == "" or text.endswith("\r\n"), f"{path.name} ends in the middle of a line"
        out += text
    return out


def pair_of(lab):
    """Two sessions, the second known by its address."""
    one, two = login(lab), login(lab)
    two.send(frames.frame(frames.BROADCAST, TWO))
    assert one.wait_frame(lambda f: f[6:12] == TWO)
    return one, two


# ---- who said that --------------------------------------------------------------------------------

@pytest.mark.parametrize("form", ["text", "json"])
def test_names(make_lab, form):
    """Names with quotes, commas, newlines, of any script: what a parser gets back is what they are."""
    lab = start(make_lab, format=form)
    sessions = [login(lab, name) for name in NAMES]
    for n, session in enumerate(sessions):
        session.send(frames.frame(frames.BROADCAST, frames.mac(n, 5)))
    forged = 'evil"\r\n2026-01-01 00:00:00.000 login refused ip=192.0.2.99 port=1 user="'
    with pytest.raises(LoginError):
        login(lab, forged, "x")
    with pytest.raises(LoginError):
        login(lab, "guest", "wrong", hub='no\n"hub')
    packets = folder(lab) / "packet_log/DEFAULT/pkt.log"
    wait_for("the packet log", lambda: packets.exists() and packets.read_text("utf-8").count("FFFFFFFFFFFF") >= len(NAMES))
    for log, cnt in (("server_log/vpn.log", 2), ("security_log/DEFAULT/sec.log", 1)):
        wait_for("the refusals", lambda log=log, cnt=cnt: (folder(lab) / log).read_text("utf-8").count("login refused") >= cnt)
    text = packets.read_bytes().decode("utf-8")
    security = (folder(lab) / "security_log/DEFAULT/sec.log").read_bytes().decode("utf-8")
    server = (folder(lab) / "server_log/vpn.log").read_bytes().decode("utf-8")
    want = {f"SID-{n.upper()}-{i}" for i, n in enumerate(NAMES, 1)}
    if form == "json":
        rows = [json.loads(line) for line in text.split("\n")[:-1]]
        assert {r["source_session"] for r in rows} == want
        events = [json.loads(line) for line in security.split("\n")[:-1]]
        assert [e["user"] for e in events if e["event"] == "login accepted"] == NAMES
        assert [e["user"] for e in events if e["event"] == "login refused"] == [forged]
        assert [json.loads(line)["hub"] for line in server.split("\n")[:-1] if "no\\n" in line] == ['no\n"hub']
    else:
        rows = list(csv.reader(text.split("\r\n")[:-1]))
        assert all(len(r) == 20 for r in rows)
        assert {r[2].replace("\\\\", "\\") for r in rows} == want
        for line in (security + server).split("\r\n")[:-1]:
            assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} ", line) and "\n" not in line
        assert "利用者" in security
        address = lab.nodes["wire"].run("hostname", "-I").stdout.split()[0]
        # As fail2ban does: the date is taken out, then the expression looks at the rest.
        expression = re.search("^failregex = (.*)$", FAIL2BAN.read_text("utf-8"), re.M)[1].replace("<HOST>", r"(?P<host>[\w.:]+)")
        found = [re.search(expression, line[19:]) for line in server.split("\r\n")]
        assert [m["host"] for m in found if m] == [address, address]
    for session in sessions:
        session.close()
    lab.close()


# ---- nothing is lost ------------------------------------------------------------------------------

def test_rotation(make_lab):
    """Files are changed under load, by size and by the second: every frame has its line, once; so for who follows."""
    lab = start(make_lab, file_bytes=30000)
    lab.server.ctl("log", "rotation", "DEFAULT", "--packet", "second", "--security", "hour")
    one, two = pair_of(lab)
    socket_path = lab.server.state / "admin.sock"
    follow = lab.server.node.spawn(lab.server.ctl_path, "--socket", socket_path, "log", "follow", "packet", "DEFAULT",
                                   "--all", log="follow.log")
    followed = lab.server.node.folder / "follow.log"
    one.send(numbered(0, frames.mac(1)))
    wait_for("the first line", lambda: follow.poll() is not None or numbers(followed.read_text("utf-8", "replace")) == [0])
    sent, end = 1, time.monotonic() + 3.5
    while time.monotonic() < end or sent < 4000:
        one.send(*(numbered(sent + n, frames.mac(1)) for n in range(50)))
        sent += 50
        time.sleep(0.005)
        # No faster than a busy machine writes: some thousands may wait, for which there is room.
        if sent % 1000 == 1:
            wait_for("those of before", lambda sent=sent: lab.server.rpc("PatchbayGetLogStatus")["Written_u64"] >= sent - 2000)
    last = numbered(sent - 1, frames.mac(1))
    assert two.wait_frame(lambda f: f == last)
    wait_for("the last line", lambda: sent - 1 in numbers(packet_text(lab)))
    assert sorted(numbers(packet_text(lab))) == list(range(sent))
    assert len(list((folder(lab) / "packet_log/DEFAULT").glob("pkt_*~*.log"))) > 2
    assert lab.server.ctl("log", "status")["Unlogged_u64"] == 0
    wait_for("what follow printed", lambda: follow.poll() is not None
             or sent - 1 in numbers(followed.read_text("utf-8", "replace")), 120)
    assert follow.poll() is None, followed.read_text("utf-8", "replace")[-300:]
    assert sorted(set(numbers(followed.read_text("utf-8", "replace")))) == list(range(sent))
    follow.signal(signal.SIGTERM)
    # Killed: what was sent a second ago is there, without anybody's having asked for it, and no half line.
    one.send(*(numbered(sent + n, frames.mac(1)) for n in range(100)))
    assert two.wait_frame(lambda f: f == numbered(sent + 99, frames.mac(1)))
    wait_for("them on the disk", lambda: sent + 99 in numbers(packet_text(lab)), 10)
    one.send(*(numbered(sent + 100 + n, frames.mac(1)) for n in range(100)))
    lab.server.kill()
    got = set(numbers(packet_text(lab)))
    assert set(range(sent + 100)) <= got
    lab.server.start()
    assert login(lab).name
    wait_for("the log goes on", lambda: len(re.findall(
        "login accepted", (folder(lab) / "security_log/DEFAULT/sec.log").read_text("utf-8"))) == 3)
    lab.close()


def test_full_disk(make_lab):
    """A disk that is full costs lines, which are counted and told once; frames pass, and lines go on when there is room."""
    lab = make_lab(hubs=[Hub("DEFAULT", [User("guest", "pw")])])
    disk = lab.server.node.folder / "disk"
    disk.mkdir()
    lab.server.settings = {"log": {"directory": str(disk), "min_free_mb": 0}}
    lab.server.node.run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", disk)
    lab.server.start()
    lab.server.ctl("log", "set", "DEFAULT", "--packet", "yes", "all=full")
    one, two = pair_of(lab)

    def status(what):
        return lab.server.ctl("log", "status")[what]

    def burst(base):
        one.send(*(numbered(base + n, frames.mac(1)) for n in range(200)))
        last = numbered(base + 199, frames.mac(1))
        assert two.wait_frame(lambda f: f == last)

    sent = 0
    while status("LostDisk_u64") == 0:
        assert sent < 20000
        burst(sent)
        sent += 200
    burst(sent)
    wait_for("lines that were lost", lambda: status("LostDisk_u64") >= 100)
    lab.server.node.run("mount", "-o", "remount,size=4m", disk)
    path = disk / "packet_log/DEFAULT/pkt.log"

    def text():
        return lab.server.node.run("cat", path).stdout

    def goes_on():
        burst(sent + 200)
        return sent + 399 in numbers(text())

    wait_for("lines to go on", goes_on, 60, 0.5)
    # Told when there was room again: perhaps once before, when the last page had some. All of them, and no more.
    def found():
        return re.findall(r"lines lost lines=(\d+) error=\"No space left on device\"", text())

    wait_for("the numbers to agree", lambda: sum(map(int, found())) == status("LostDisk_u64"))
    assert 1 <= len(found()) <= 3
    lab.server.node.run("umount", "-l", disk)
    lab.close()


def test_stuck_syslog(make_lab, tmp_path):
    """A syslog server that does not read: nothing waits, lines are counted; told when it reads again; RFC 5424."""
    path = str(tmp_path / "log")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(path)
        lab = start(make_lab, syslog=path)
        one, two = pair_of(lab)
        got, sent = server.recv(4096), 0
        assert re.match(rb"<8\d>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ patchbayd \d+ (server|security|packet) ", got)
        while lab.server.ctl("log", "status")["LostSyslog_u64"] == 0:
            assert sent < 20000
            one.send(*(numbered(sent + n, frames.mac(1)) for n in range(200)))
            sent += 200
            last = numbered(sent - 1, frames.mac(1))
            assert two.wait_frame(lambda f, last=last: f == last)
        server.setblocking(False)
        told = []

        def read_all():
            one.send(numbered(1, frames.mac(1)))
            while True:
                try:
                    told.append(server.recv(4096))
                except BlockingIOError:
                    return [int(n) for line in told for n in re.findall(rb"lines lost lines=(\d+) ", line)]

        wait_for("the line about them", read_all)
        # On a busy machine the server may have fallen behind once more since: each time is told, once.
        wait_for("all that was lost, told", lambda: sum(read_all()) == lab.server.ctl("log", "status")["LostSyslog_u64"])
        assert [line for line in told if b" packet [hub@0 name=\"DEFAULT\"] " in line]
        assert not (folder(lab) / "packet_log/DEFAULT/pkt.log").exists()  # sent, so not on disk
        lab.close()


# ---- tools ----------------------------------------------------------------------------------------

@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """The usual one, with a few lines in its logs."""
    lab = make_lab(hubs=[Hub("DEFAULT", [User("guest", "pw")]),
                         Hub("SECOND", [User("guest", "pw")], admin_options={"no_change_log_config": True})])
    lab.server.start()
    yield lab
    lab.close()


def test_vpncmd(lab):
    """What the original's tool sets and reads."""
    done = vpncmd(lab.server.node, [
        "Hub DEFAULT", "LogGet", "LogEnable packet", "LogSwitchSet packet /SWITCH:hour", "LogSwitchSet security /SWITCH:month",
        "LogPacketSaveType /TYPE:udp /SAVE:full", "LogPacketSaveType /TYPE:tcpconn /SAVE:none", "LogDisable security", "LogGet",
        "LogEnable security"])
    assert [d.error for d in done] == [0] * len(done), "\n".join(d.text for d in done)

    def values(d):
        return [row["Value"] for row in d.rows() if row["Item"].strip()]

    before, after = values(done[1]), values(done[8])
    # Of a log that is not kept the tool tells no more.
    assert before == ["Enable", "Switch in Every Day", "Disable"]
    assert after[:3] == ["Disable", "Enable", "Switch in Every Hour"] and len(after) == 11
    none, header, full = after[4], after[5], after[6]
    assert len({none, header, full}) == 3
    assert after[3:] == [none, none, header, full, none, none, none, none], after
    assert lab.server.ctl("rpc", "GetHubLog", '{"HubName_str": "DEFAULT"}')["PacketLogSwitchType_u32"] == 3
    one, two = pair_of(lab)
    one.send(numbered(5, frames.mac(1)))
    assert two.wait_frame(lambda f: f == numbered(5, frames.mac(1)))
    wait_for("the line", lambda: 5 in numbers(packet_text(lab)))
    out = lab.server.node.folder / "got.log"
    listed, got, missing = vpncmd(lab.server.node, [
        "LogFileList", f"LogFileGet packet_log/DEFAULT/pkt.log /SERVER:none /SAVEPATH:{out}",
        "LogFileGet packet_log/DEFAULT/nothing.log /SERVER:none /SAVEPATH:/dev/null"])
    assert listed.error == 0 and "packet_log/DEFAULT/pkt.log" in listed.text, listed.text
    assert got.error == 0, got.text
    assert "download failed" in missing.text, missing.text
    assert 5 in numbers(out.read_bytes().decode("utf-8").lstrip("\ufeff"))


def test_who_may(lab):
    """Hub administrators: their own hub's logs, within the options."""
    with Rpc(lab.nodes["wire"], SERVER4, hub="DEFAULT") as rpc:
        listed = rpc.call("EnumLogFile")["FilePath"]
        assert "security_log/DEFAULT/sec.log" in listed and not [p for p in listed if "/DEFAULT/" not in p]
        assert rpc.call("ReadLogFile", FilePath="security_log/DEFAULT/sec.log", Offset=0)["Buffer"]
        for path in ("server_log/vpn.log", "security_log/SECOND/sec.log", "../directory.cfg", "server_log/../../directory.cfg"):
            with pytest.raises(RpcError) as refused:
                rpc.call("ReadLogFile", FilePath=path, Offset=0)
            assert refused.value.code == 29
    with Rpc(lab.nodes["wire"], SERVER4, hub="SECOND") as rpc:
        with pytest.raises(RpcError) as refused:
            rpc.call("SetHubLog", HubName="SECOND", SavePacketLog=True)
        assert refused.value.code == 52


def test_settings_last(lab):
    """Settings stand in the directory, in words, and outlive the daemon."""
    lab.server.ctl("log", "set", "SECOND", "--packet", "yes", "arp=full", "tcp=header")
    lab.server.ctl("log", "rotation", "SECOND", "--packet", "minute")
    before = lab.server.ctl("log", "kinds", "SECOND")
    lab.server.kill()
    lab.server.start()
    assert lab.server.ctl("log", "kinds", "SECOND") == before
    assert [r["PacketLogConfig_u32"] for r in before["PacketLogConfigList"]][:8] == [1, 1, 1, 0, 0, 0, 2, 0]
    for words in (["log", "set", "SECOND", "arp=half"], ["log", "set", "SECOND", "x=full"], ["log", "get", "packet"],
                  ["log", "rotation", "SECOND", "--packet", "week"]):
        assert lab.server.ctl_run(*words).returncode == 2
    assert os.path.exists(lab.server.state / "logs/server_log/vpn.log")
    wait_for("the change", lambda: "administration by=\"local\"" in lab.server.ctl_run(
        "log", "get", "server", as_json=False).stdout)
