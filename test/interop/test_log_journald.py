# SPDX-License-Identifier: BSD-3-Clause
"""Log lines in a real journald, which runs beside the daemon in its machine: each with the fields of its log and hub, whole,
and nobody's name is another field. It may be gone for a while, which costs lines that are counted, and nothing else.
"""

import json
import pathlib
import re
import time

import pytest

from lab import SERVER4, Hub, User, frames, wait_for
from lab.netns import LabError
from lab.wireclient import LoginError, Session, connect

pytestmark = pytest.mark.patchbay

JOURNALD = "/lib/systemd/systemd-journald"
CONF = "[Journal]\nStorage=volatile\nReadKMsg=no\nAudit=no\nSeal=no\nRateLimitIntervalSec=0\nForwardToSyslog=no\nForwardToWall=no\n"
BRIDGE = {"require_bridge_routing_mode": 1}
FORGED = 'evil\nPRIORITY=0\nPATCHBAY_HUB=OTHER\nMESSAGE=login accepted user="root"'


class Journal:
    """journald in the server's machine, in a /run of its own."""

    SOCKETS = "/run/systemd/journal/socket", "/run/systemd/journal/dev-log"

    def __init__(self, node):
        self.node, self.process = node, None
        node.run("mount", "-t", "tmpfs", "tmpfs", "/run")
        node.run("mkdir", "-p", "/run/systemd/journald.conf.d", "/run/log")
        node.run("tee", "/run/systemd/journald.conf.d/lab.conf", text=CONF)
        machine = node.folder / "machine-id"
        machine.write_text("0123456789abcdef0123456789abcdef\n", "ascii")
        if not pathlib.Path("/etc/machine-id").exists():
            pathlib.Path("/etc/machine-id").touch()
        node.run("mount", "--bind", machine, "/etc/machine-id")

    def start(self):
        """Until its sockets are there."""
        self.process = self.node.spawn(JOURNALD, log="journald.log")
        wait_for("journald's sockets", lambda: self.process.poll() is not None or all(self.node.run(
            "test", "-S", name, check=False).returncode == 0 for name in self.SOCKETS))
        if self.process.poll() is not None:
            raise LabError(f"journald ended: {(self.node.folder / 'journald.log').read_text('utf-8')}")

    def stop(self):
        """It is gone, and so are its sockets."""
        self.process.signal(15)
        self.process.wait()
        self.node.run("rm", "-f", *self.SOCKETS)

    def entries(self, *matches):
        """What journalctl finds."""
        out = self.node.run("journalctl", "--directory=/run/log/journal", "-o", "json", "--all", "--no-pager", *matches, check=False).stdout
        return [json.loads(line) for line in out.splitlines()]


def text(value):
    """A field: journalctl shows as a list of bytes what is not printable."""
    return bytes(value).decode("utf-8") if isinstance(value, list) else value


@pytest.fixture(name="journaled")
def fixture_journaled(make_lab):
    """Makes a lab whose server logs as it is told, to a real journald: (lab, journal)."""
    labs = []

    def make(**log):
        labs.append(make_lab(hubs=[Hub("DEFAULT", [User("guest", "pw")]), Hub("OTHER", [User("guest", "pw")])], settings={"log": log}))
        journal = Journal(labs[0].server.node)
        try:
            journal.start()
        except LabError as e:
            pytest.skip(f"journald cannot run here: {e}")
        labs[0].server.start()
        return labs[0], journal

    if not pathlib.Path(JOURNALD).exists():
        pytest.skip(f"{JOURNALD} is missing: apt-get install systemd")
    yield make
    for lab in labs:
        lab.close()


def login(lab, hub="DEFAULT", user="guest", password="pw"):
    """A session in bridge mode."""
    return Session(connect(lab.nodes["wire"], SERVER4, 8888)).login(hub, user, password, **BRIDGE).wait_ready()


def settled(lab):
    """Whether lines were lost, and no more of them are."""
    lost = lost_lines(lab)
    time.sleep(1)
    return lost >= 4 and lost_lines(lab) == lost


def lost_lines(lab):
    """Lines that journald did not take; the number comes a while behind them."""
    return lab.server.ctl("log", "status")["LostSyslog_u64"]


def lose_lines(lab, journal, one, two, sent):
    """No journald for a while: logins and frames go on, and lines are lost."""
    journal.stop()
    for _ in range(3):
        with pytest.raises(LoginError):
            login(lab, user="nobody", password="x")
    one.send(sent)
    assert two.wait_frame(lambda f: f == sent)
    wait_for("lines to be lost", lambda: settled(lab))
    journal.start()


def all_told(lab, journal, pattern, *matches):
    """Of each line that was lost it has been told, once: the number that the daemon has, in one line or, where it came in pieces, more."""
    told = [int(n) for e in journal.entries(*matches) for n in re.findall(pattern, text(e["MESSAGE"]))]
    return told and sum(told) == lost_lines(lab)


@pytest.mark.parametrize("form", ["text", "json"])
def test_journald(journaled, form):
    """journalctl finds lines by log and hub, whole and as they were; a name forges nothing; journald may go and come."""
    lab, journal = journaled(syslog="journald", format=form)
    one, two = login(lab), login(lab)
    other = login(lab, "OTHER")
    with pytest.raises(LoginError):
        login(lab, user=FORGED, password="x")

    def events(*matches):
        return [text(e["MESSAGE"]) for e in journal.entries(*matches)]

    def of(word, lines):
        return [x for x in lines if (json.loads(x).get("event") == word if form == "json" else x.startswith(f"{word} "))]

    ours = ("PATCHBAY_LOG=security", "PATCHBAY_HUB=DEFAULT")
    wait_for("the refused login", lambda: of("login refused", events(*ours)))
    assert len(of("login accepted", events(*ours))) == 2 and len(of("login accepted", events("PATCHBAY_HUB=OTHER"))) == 1
    (line,) = of("login refused", events(*ours))
    if form == "json":
        assert json.loads(line)["user"] == FORGED
    else:
        assert 'user="evil\\nPRIORITY=0\\nPATCHBAY_HUB=OTHER\\nMESSAGE=login accepted user=\\"root\\""' in line
    assert not journal.entries("PRIORITY=0")
    entry = journal.entries(*ours)[0]
    assert (entry["PRIORITY"], entry["SYSLOG_FACILITY"], entry["SYSLOG_IDENTIFIER"], entry["_TRANSPORT"]) == (
        "5", "10", "patchbayd", "journal")
    assert events("PATCHBAY_LOG=server"), "the server log"
    # Packets: a line of the whole frame is longer than a syslog server has to take.
    two.send(frames.frame(frames.BROADCAST, frames.mac(2)))
    assert one.wait_frame(lambda f: f[6:12] == frames.mac(2))
    lab.server.ctl("log", "set", "DEFAULT", "--packet", "yes", "all=full")
    sent = frames.frame(frames.mac(2), frames.mac(1), 1500)
    one.send(sent)
    (packet,) = wait_for("the packet", lambda: journal.entries("PATCHBAY_LOG=packet", "PATCHBAY_HUB=DEFAULT"))
    assert sent.hex().upper() in text(packet["MESSAGE"]) and packet["PRIORITY"] == "6"
    # No journald: sessions come and frames pass; what is lost is counted, and told when it is back.
    lose_lines(lab, journal, one, two, sent)
    other.close()
    with pytest.raises(LoginError):
        login(lab, "OTHER", "again", "x")
    wait_for("lines again", lambda: [x for x in of("login refused", events("PATCHBAY_HUB=OTHER")) if "again" in x])
    assert len(of("login refused", events(*ours))) == 1
    pattern = r'"event":"lines lost".*"lines":(\d+),' if form == "json" else r"^lines lost .*lines=(\d+) "
    wait_for("all that was lost, told", lambda: all_told(lab, journal, pattern, "PATCHBAY_LOG=server"))


def test_dev_log(journaled, tmp_path):
    """Behind /dev/log the same journald: RFC 5424 whose severity and facility it knows, and whose header it takes for text."""
    link = tmp_path / "log"  # as /dev/log is one
    link.symlink_to(Journal.SOCKETS[1])
    lab, journal = journaled(syslog=str(link))
    one, two = login(lab), login(lab)
    with pytest.raises(LoginError):
        login(lab, user=FORGED, password="x")
    entry = wait_for("the refused login", lambda: [e for e in journal.entries() if " login refused " in text(e["MESSAGE"])])[0]
    assert (entry["PRIORITY"], entry["SYSLOG_FACILITY"], entry["_TRANSPORT"]) == ("5", "10", "syslog")
    message = text(entry["MESSAGE"])
    assert message.startswith("1 2") and f' patchbayd {entry["_PID"]} security [hub@0 name="DEFAULT"] login refused ' in message
    assert 'user="evil\\nPRIORITY=0\\nPATCHBAY_HUB=OTHER\\nMESSAGE=login accepted user=\\"root\\""' in message
    assert not journal.entries("PRIORITY=0") and not journal.entries("PATCHBAY_HUB=OTHER")
    # As much of a long line as every receiver takes.
    two.send(frames.frame(frames.BROADCAST, frames.mac(2)))
    assert one.wait_frame(lambda f: f[6:12] == frames.mac(2))
    lab.server.ctl("log", "set", "DEFAULT", "--packet", "yes", "all=full")
    sent = frames.frame(frames.mac(2), frames.mac(1), 1500)
    one.send(sent)
    (packet,) = wait_for("the packet", lambda: [e for e in journal.entries("PRIORITY=6") if ' packet [hub@0 name="DEFAULT"] ' in text(e["MESSAGE"])])
    assert sent.hex().upper()[:1000] in text(packet["MESSAGE"]) and len(text(packet["MESSAGE"])) == 2048 - len("<86>")
    # It may go and come here, too.
    lose_lines(lab, journal, one, two, sent)
    with pytest.raises(LoginError):
        login(lab, user="again", password="x")
    wait_for("lines again", lambda: [e for e in journal.entries() if 'user="again"' in text(e["MESSAGE"])])
    wait_for("all that was lost, told", lambda: all_told(lab, journal, r" lines lost .*lines=(\d+) "))
