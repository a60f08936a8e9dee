# SPDX-License-Identifier: BSD-3-Clause
"""Hubs, users, groups and policies changed while the daemon runs: patchbayctl, what is on disk, what runs."""

import json
import os
import threading

import pytest

from lab import SERVER4, LabError, books, frames, wait_for
from lab.netns import PATIENCE_S
from lab.wireclient import Session, connect

pytestmark = pytest.mark.patchbay


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """A server with several workers."""
    lab = make_lab(settings={"lcores": {"workers": 3}})
    lab.server.start()
    return lab


def ctl(lab, *argv, ok=True, text=None):
    """patchbayctl as a person types it: its output; `text` on standard input."""
    node, server = lab.nodes["server"], lab.server
    line = [server.ctl_path, "--socket", server.state / "admin.sock", *argv]
    if text is not None:
        line = ["sh", "-c", 'printf "%s\\n" "$0" | "$@"', text, *line]
    done = node.run(*line, check=False)
    assert (done.returncode == 0) == ok, done.stdout + done.stderr
    return done.stdout + done.stderr


def log_in(lab, hub, user, password=None, **more):
    """A session from the wire host."""
    return Session(connect(lab.nodes["wire"], SERVER4, 8888)).login(hub, user, password, **more)


def code(lab, *args, **more):
    """0, or the code of the refusal."""
    return Session(connect(lab.nodes["wire"], SERVER4, 8888)).refusal(*args, **more)


def test_a_hub_from_nothing(lab):
    """Hub, group, user, policy; log in with it; all there after a restart, and no password in the file."""
    ctl(lab, "hub", "create", "LAB", "--max-sessions", "3", "--no-enum", "yes")
    ctl(lab, "group", "create", "LAB", "staff", "--real-name", "Everybody")
    ctl(lab, "group", "policy", "LAB", "staff", "MaxMac=7", "timeout=9", "NoBridge=yes")
    ctl(lab, "user", "create", "LAB", "eve", "--password", "secret-1", "--group", "staff", "--note", "n")
    ctl(lab, "user", "create", "LAB", "anon", "--anonymous", "--expires", "2020-01-01")
    session = log_in(lab, "LAB", "eve", "secret-1")
    assert session.welcome["policy:MaxMac"] == [7] and session.timeout_s == 9
    assert code(lab, "LAB", "anon") == 12
    session.close()
    lab.server.delete_session("LAB", session.name)
    assert lab.server.stop() == 0
    text = (lab.server.state / "directory.cfg").read_text("utf-8")
    assert "secret-1" not in text and "MaxMac = 7" in text
    lab.server.start()
    assert code(lab, "LAB", "eve", "secret-1") == 0
    shown = ctl(lab, "user", "show", "LAB", "eve")
    assert "staff" in shown and "secret" not in shown
    rows = {r["Name_str"]: r for r in lab.server.ctl("user", "list", "LAB")["UserList"]}
    assert rows["eve"]["PatchbayPolicy_str"] == "group" and rows["anon"]["Expires_dt"].startswith("2020-01-01")
    assert ctl(lab, "hub", "delete", "LAB")
    assert code(lab, "LAB", "eve", "secret-1") == 8


def test_policy_keys(lab):
    """Set one by one, the others stay; taken away; what is out of range names key and range."""
    ctl(lab, "user", "create", "DEFAULT", "p", "--password", "x")
    ctl(lab, "user", "policy", "DEFAULT", "p", "MaxIP=6", "MonitorPort=yes")
    ctl(lab, "user", "policy", "DEFAULT", "p", "maxmac=5", "MonitorPort=0")
    record = lab.server.ctl("user", "policy", "DEFAULT", "p")
    assert record["policy:MaxIP_u32"] == 6 and record["policy:MaxMac_u32"] == 5
    assert record["policy:MonitorPort_bool"] is False and record["policy:MaxConnection_u32"] == 32
    said = ctl(lab, "user", "policy", "DEFAULT", "p", "MaxConnection=33", ok=False)
    assert "MaxConnection" in said and "1 to 32" in said
    said = ctl(lab, "user", "policy", "DEFAULT", "p", "Nonsense=1", ok=False)
    assert "Nonsense" in said and "policy list" in said
    assert "yes or no" in ctl(lab, "user", "policy", "DEFAULT", "p", "Access=maybe", ok=False)
    assert lab.server.ctl("user", "policy", "DEFAULT", "p") == {**record, "UpdatedTime_dt": record["UpdatedTime_dt"]}
    ctl(lab, "user", "policy", "DEFAULT", "p", "--remove")
    assert "No policy" in ctl(lab, "user", "policy", "DEFAULT", "p")
    explained = ctl(lab, "policy", "list")
    assert all(w in explained for w in ("MaxUpload", "bit/s", "4294967295", "AutoDisconnect", "VLanId"))
    assert len(lab.server.ctl("policy", "list")["PolicyList"]) == 38


def test_from_the_next_login_on(lab):
    """A change leaves running sessions alone, says so, and ends them on demand."""
    ctl(lab, "user", "create", "DEFAULT", "r", "--password", "x")
    session = log_in(lab, "DEFAULT", "r", "x").wait_ready()
    said = ctl(lab, "user", "policy", "DEFAULT", "r", "Access=no")
    assert "1 running session" in said and "--end-sessions" in said
    assert code(lab, "DEFAULT", "r", "x") == 12
    assert session.wait_end(1) is None
    said = ctl(lab, "user", "policy", "DEFAULT", "r", "Access=yes", "--end-sessions")
    assert "running" not in said
    assert session.wait_end() == "close_notify"
    assert code(lab, "DEFAULT", "r", "x") == 0


def test_traffic_of_users_and_groups(lab):
    """What sessions sent and got stands with user and group while they run, once they have ended, and after a change."""
    ctl(lab, "group", "create", "DEFAULT", "counted")
    ctl(lab, "user", "create", "DEFAULT", "count", "--password", "x", "--group", "counted")
    one, two = (log_in(lab, "DEFAULT", u, p).wait_ready() for u, p in (("count", "x"), ("guest", None)))
    third = log_in(lab, "DEFAULT", "count", "x").wait_ready()

    def traffic(method="GetUser", name="count", prefix=""):
        got = lab.server.rpc(method, HubName_str="DEFAULT", Name_str=name) if isinstance(name, str) else name
        return {way: [got[f"{prefix}{way}.{kind}_u64"] for kind in (
            "UnicastCount", "UnicastBytes", "BroadcastCount", "BroadcastBytes")] for way in ("Send", "Recv")}

    before = traffic(name="guest")
    assert traffic() == {"Send": [0] * 4, "Recv": [0] * 4}
    one.send(frames.frame(frames.BROADCAST, frames.mac(1, 70), 100))
    for other in (two, third):
        assert other.wait_frame(lambda f: f[6:12] == frames.mac(1, 70))
    two.send(frames.frame(frames.mac(1, 70), frames.mac(2, 70), 200))
    assert one.wait_frame(lambda f: f[6:12] == frames.mac(2, 70))
    one.send(*(frames.frame(frames.mac(2, 70), frames.mac(1, 70), 300) for _ in range(3)))
    assert two.wait_frames(3, lambda f: f[:6] == frames.mac(2, 70))
    # Both sessions of the user: the broadcast of the one is what the other got.
    want = {"Send": [3, 900, 1, 100], "Recv": [1, 200, 1, 100]}
    wait_for("the totals of a running session", lambda: traffic() == want)
    assert traffic("GetGroup", "counted") == want
    (row,) = [r for r in lab.server.ctl("user", "list", "DEFAULT")["UserList"] if r["Name_str"] == "count"]
    assert row["IsTrafficFilled_bool"] and traffic(name=row, prefix="Ex.") == want
    assert traffic(name="guest")["Send"][0] == before["Send"][0] + 1
    for session in (one, third):
        lab.server.delete_session("DEFAULT", session.name)
    ctl(lab, "user", "set", "DEFAULT", "count", "--note", "changed")
    ctl(lab, "group", "set", "DEFAULT", "counted", "--note", "changed")
    assert traffic() == want and traffic("GetGroup", "counted") == want
    again = log_in(lab, "DEFAULT", "count", "x").wait_ready()
    again.send(frames.frame(frames.BROADCAST, frames.mac(3, 70), 100))
    assert two.wait_frame(lambda f: f[6:12] == frames.mac(3, 70))
    wait_for("the totals of both", lambda: traffic()["Send"] == [3, 900, 2, 200])
    said = ctl(lab, "user", "show", "DEFAULT", "count")
    assert "From the user" in said and "900" in said
    for session in (two, again):
        lab.server.delete_session("DEFAULT", session.name)
    ctl(lab, "user", "delete", "DEFAULT", "count")
    ctl(lab, "group", "delete", "DEFAULT", "counted")


def test_password(lab):
    """From standard input, so that it stands in no list of processes."""
    ctl(lab, "user", "create", "DEFAULT", "pw", "--password", "-", text="first one")
    assert code(lab, "DEFAULT", "pw", "first one") == 0
    ctl(lab, "user", "password", "DEFAULT", "pw", text="second")
    assert code(lab, "DEFAULT", "pw", "first one") == 9
    assert code(lab, "DEFAULT", "pw", "second") == 0
    ctl(lab, "user", "set", "DEFAULT", "pw", "--anonymous")
    assert code(lab, "DEFAULT", "pw") == 0
    ctl(lab, "user", "delete", "DEFAULT", "pw")
    assert code(lab, "DEFAULT", "pw", "second") == 9
    ctl(lab, "hub", "password", "SECOND", text="hub pw")
    assert code(lab, "SECOND", "administrator", "hub pw", require_monitor_mode=1) == 0


def test_options_in_force_at_once(lab):
    """A hub filter stops what it names for sessions that run already, and lets it through again."""
    one, two = (log_in(lab, "DEFAULT", u, p).wait_ready() for u, p in (("alice", "alicepw"), ("guest", None)))
    other = frames.frame(frames.BROADCAST, frames.mac(1), 60)

    def passes(frame, timeout_s=PATIENCE_S):
        one.send(frame)
        return two.wait_frame(lambda f: f == frame, timeout_s) is not None

    assert passes(other)
    ctl(lab, "hub", "option", "DEFAULT", "FilterNonIP=yes")
    assert not passes(other, 1.5)
    ctl(lab, "hub", "option", "DEFAULT", "filternonip=0")
    assert passes(other)
    said = ctl(lab, "hub", "option", "DEFAULT", "VlanTypeId=1", ok=False)
    assert "VlanTypeId" in said and "1536 to 65535" in said
    assert "NoSuch" in ctl(lab, "hub", "option", "DEFAULT", "NoSuch=1", ok=False)
    ctl(lab, "hub", "admin-option", "DEFAULT", "max_users=1")
    assert "too many users" in ctl(lab, "user", "create", "DEFAULT", "one-more", "--anonymous", ok=False)
    ctl(lab, "hub", "admin-option", "DEFAULT", "max_users=0", "max_groups=1")
    ctl(lab, "group", "create", "DEFAULT", "only")
    assert "too many groups" in ctl(lab, "group", "create", "DEFAULT", "one-more", ok=False)
    ctl(lab, "group", "delete", "DEFAULT", "only")
    ctl(lab, "hub", "admin-option", "DEFAULT", "max_groups=0")
    for s in (one, two):
        lab.server.delete_session("DEFAULT", s.name)


def test_sources(lab):
    """Added, told, in force for the next login, deleted."""
    ctl(lab, "source", "add", "SECOND", "deny", "10.77.0.0/24", "--priority", "20")
    ctl(lab, "source", "add", "SECOND", "allow", "10.77.0.11", "--priority", "10")
    ctl(lab, "source", "add", "SECOND", "deny", "fd77::/64")
    rows = lab.server.ctl("source", "list", "SECOND")["ACList"]
    assert [(r["PatchbayNetwork_str"], r["Deny_bool"]) for r in rows] == [
        ("10.77.0.11", False), ("10.77.0.0/24", True), ("fd77::/64", True)]
    assert code(lab, "SECOND", "alice", "alicepw") == 0
    ctl(lab, "source", "delete", "SECOND", "1")
    assert code(lab, "SECOND", "alice", "alicepw") == 109
    ctl(lab, "source", "add", "SECOND", "allow", "10.77.0.0/33", ok=False)
    for _ in range(2):
        ctl(lab, "source", "delete", "SECOND", "1")
    assert code(lab, "SECOND", "alice", "alicepw") == 0


class Flood(threading.Thread):
    """Broadcasts and unicast from one session to all until it is told or its session ends."""

    def __init__(self, session, n):
        super().__init__(daemon=True)
        self.session, self.n, self.sent, self.stop = session, n, 0, threading.Event()
        self.start()

    def run(self):
        try:
            while not self.stop.is_set():
                self.session.send(*[frames.frame(frames.mac(i), frames.mac(self.n), 200) for i in range(8)],
                                  frames.frame(frames.BROADCAST, frames.mac(self.n), 100))
                self.sent += 9
        except (OSError, ValueError, IndexError):
            pass


def under_traffic(lab, hub, count=9):
    """Sessions on all workers that send to each other."""
    sessions = [log_in(lab, hub, "u") for _ in range(count)]
    for s in sessions:
        s.wait_ready()
    assert len({s["lcore"] for s in lab.server.sessions(hub)}) == 3
    floods = [Flood(s, i) for i, s in enumerate(sessions)]
    wait_for("traffic", lambda: all(f.sent > 100 for f in floods), 120)
    return sessions, floods


def all_gone(sessions, floods):
    """Everybody was told, politely."""
    for s in sessions:
        assert s.wait_end(60) == "close_notify"
    for f in floods:
        f.stop.set()
        f.join(60)


def test_offline_and_deleted_under_traffic(lab):
    """All sessions end while they send from three workers; books balance, others feel nothing; three rounds."""
    bystander = log_in(lab, "SECOND", "alice", "alicepw").wait_ready()
    ctl(lab, "hub", "create", "BUSY")
    ctl(lab, "user", "create", "BUSY", "u", "--anonymous")
    for _ in range(2):
        sessions, floods = under_traffic(lab, "BUSY")
        ctl(lab, "hub", "offline", "BUSY")
        assert lab.server.sessions("BUSY") == []
        all_gone(sessions, floods)
        books.check(lab.server)
        assert code(lab, "BUSY", "u") == 10
        ctl(lab, "hub", "online", "BUSY")
    sessions, floods = under_traffic(lab, "BUSY")
    name = sessions[0].name
    lab.server.delete_session("BUSY", name)
    assert sessions[0].wait_end() == "close_notify"
    ctl(lab, "hub", "delete", "BUSY")
    all_gone(sessions, floods)
    assert code(lab, "BUSY", "u") == 8
    # The same name again is another hub.
    ctl(lab, "hub", "create", "BUSY")
    assert lab.server.ctl("user", "list", "BUSY")["UserList"] == []
    ctl(lab, "hub", "delete", "BUSY")
    assert bystander.wait_end(0.5) is None
    lab.server.delete_session("SECOND", bystander.name)


def test_bridge_of_a_hub_that_goes(lab):
    """A TAP closes with its hub and is back when the hub is."""
    def state():
        (row,) = lab.server.ctl("bridge", "list")["LocalBridgeList"]
        return row["PatchbayState_str"], row["PatchbayError_str"]

    ctl(lab, "hub", "create", "LAN")
    ctl(lab, "bridge", "create", "LAN", "--tap", "lan9")
    wait_for("bridge up", lambda: state()[0] == "up")
    ctl(lab, "hub", "offline", "LAN")
    assert state() == ("waiting", "the hub is offline")
    ctl(lab, "hub", "online", "LAN")
    wait_for("bridge up again", lambda: state()[0] == "up")
    ctl(lab, "hub", "delete", "LAN")
    assert state()[0] == "waiting" and "no such hub" in state()[1]
    ctl(lab, "hub", "create", "LAN")
    wait_for("bridge up in the new hub", lambda: state()[0] == "up")
    ctl(lab, "bridge", "delete", "LAN", "lan9")
    ctl(lab, "hub", "delete", "LAN")


def test_disk_that_refuses(lab):
    """Nothing is changed, and the answer says so."""
    lab.server.rpc("Flush")  # so that the next change begins a segment of the journal
    in_the_way = lab.server.state / f"directory.journal.{lab.server.rpc('PatchbayGetStore')['Segment_u64']}"
    os.mkdir(in_the_way)
    try:
        said = ctl(lab, "user", "create", "DEFAULT", "lost", "--anonymous", ok=False)
        assert "nothing was changed" in said
        assert code(lab, "DEFAULT", "lost") == 9
    finally:
        os.rmdir(in_the_way)
    ctl(lab, "user", "create", "DEFAULT", "found", "--anonymous")
    assert code(lab, "DEFAULT", "found") == 0


def test_json_everywhere(lab):
    """Every list has it."""
    for line in ("user list DEFAULT", "group list DEFAULT", "policy list", "source list DEFAULT",
                 "hub option DEFAULT", "hub admin-option DEFAULT", "user show DEFAULT alice"):
        assert isinstance(json.loads(ctl(lab, *line.split(), "--json")), dict), line
    with pytest.raises(LabError):
        lab.server.ctl("user", "show", "DEFAULT", "nobody")
