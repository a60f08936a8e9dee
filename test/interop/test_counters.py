# SPDX-License-Identifier: BSD-3-Clause
"""Traffic and logins over restarts: saved now and then and at the end, restored at the start; nothing else hangs on them."""

import re
import signal
import zlib

import pytest

from lab import SERVER4, wait_for
from lab.netns import LabError
from lab.server import Group, Hub, User
from lab.wireclient import Session, connect

pytestmark = pytest.mark.patchbay

TRAFFIC = ("Recv.BroadcastBytes_u64", "Recv.BroadcastCount_u64", "Recv.UnicastBytes_u64", "Recv.UnicastCount_u64",
           "Send.BroadcastBytes_u64", "Send.BroadcastCount_u64", "Send.UnicastBytes_u64", "Send.UnicastCount_u64")


@pytest.fixture(name="make")
def fixture_make(make_lab):
    """make(**settings): a server with users, one of them in a group."""
    def make(**settings):
        users = [User("alice", "alicepw", group="staff"), User("bob", "bobpw"), User("idle", "pw")]
        lab = make_lab(hubs=[Hub("DEFAULT", users, groups=[Group("staff")]), Hub("OTHER", [])], settings=settings)
        lab.server.start()
        return lab
    return make


def talk(lab, frames=10):
    """alice and bob log in and say something to each other and to all."""
    both = [Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", u, f"{u}pw").wait_ready()
            for u in ("alice", "bob")]
    macs = [bytes([2, 0, 0, 0, 7, i]) for i in range(2)]
    both[0].send(b"\xff" * 6 + macs[0] + b"\x88\xb5" + bytes(46))
    both[1].send(b"\xff" * 6 + macs[1] + b"\x88\xb5" + bytes(46))
    both[1].wait_frame(lambda f: f[6:12] == macs[0])
    both[0].wait_frame(lambda f: f[6:12] == macs[1])
    for i in range(frames):
        both[0].send(macs[1] + macs[0] + b"\x88\xb5" + bytes([i]) + bytes(99))
    both[1].wait_frames(frames, lambda f: f[:6] == macs[1])
    for session in both:
        lab.server.delete_session("DEFAULT", session.name)
        session.close()
    wait_for("both have left", lambda: not lab.server.sessions("DEFAULT"))


def counted(lab):
    """Everything that is to come back, by object."""
    rpc = lab.server.rpc
    out = {"server": {k: rpc("GetServerStatus")[k] for k in TRAFFIC}}
    for hub in ("DEFAULT", "OTHER"):
        got = rpc("GetHubStatus", HubName_str=hub)
        out[hub] = {k: got[k] for k in (*TRAFFIC, "NumLogin_u32", "LastLoginTime_dt", "LastCommTime_dt")}
    for row in rpc("EnumHub")["HubList"]:
        assert {k: row[f"Ex.{k}"] for k in TRAFFIC} == {k: out[row["HubName_str"]][k] for k in TRAFFIC}
        assert row["NumLogin_u32"] == out[row["HubName_str"]]["NumLogin_u32"]
    out["staff"] = {k: rpc("GetGroup", HubName_str="DEFAULT", Name_str="staff")[k] for k in TRAFFIC}
    for row in rpc("EnumUser", HubName_str="DEFAULT")["UserList"]:
        got = rpc("GetUser", HubName_str="DEFAULT", Name_str=row["Name_str"])
        out[row["Name_str"]] = {k: got[k] for k in (*TRAFFIC, "NumLogin_u32", "PatchbayLastLoginTime_dt")}
        assert (row["NumLogin_u32"], row["LastLoginTime_dt"]) == (got["NumLogin_u32"], got["PatchbayLastLoginTime_dt"])
        assert {k: row[f"Ex.{k}"] for k in TRAFFIC} == {k: got[k] for k in TRAFFIC}
    return out


def saves(lab):
    """How often the file was written since the start."""
    return lab.server.rpc("PatchbayGetStore")["CountersSaves_u64"]


def test_over_a_restart(make):
    """All of it comes back after an orderly end, goes on from there, and is shown."""
    lab = make()
    talk(lab)
    before = counted(lab)
    assert before["alice"]["Send.UnicastCount_u64"] == 10 and before["alice"]["Send.BroadcastCount_u64"] >= 1
    assert before["bob"]["Recv.UnicastCount_u64"] == 10 and before["alice"]["NumLogin_u32"] == 1
    assert before["staff"]["Send.UnicastCount_u64"] == 10 and before["DEFAULT"]["NumLogin_u32"] == 2
    assert before["idle"]["NumLogin_u32"] == 0 and before["OTHER"]["LastLoginTime_dt"].startswith("1970")
    assert saves(lab) == 0
    assert lab.server.stop() == 0
    lab.server.start()
    assert counted(lab) == before
    talk(lab)
    after = counted(lab)
    assert after["alice"]["Send.UnicastCount_u64"] == 20 and after["alice"]["NumLogin_u32"] == 2
    assert after["server"]["Recv.UnicastBytes_u64"] == 2 * before["server"]["Recv.UnicastBytes_u64"]
    lab.server.stop()
    lab.server.start()
    assert counted(lab) == after
    for command, pattern in (("user list DEFAULT", r"alice +staff .* 2 +20\d\d-"), ("hub show DEFAULT", r"Logins +4\n"),
                             ("user show DEFAULT alice", r"From the user +20\n"), ("hub list", r"DEFAULT .* 4 +20\d\d-")):
        assert re.search(pattern, lab.server.ctl_run(*command.split(), as_json=False).stdout), command


def test_killed(make):
    """What was saved last is there; the directory is whole; a user made anew begins at zero."""
    lab = make(counters={"save_s": 1})
    talk(lab)
    wait_for("a save", lambda: saves(lab) >= 1 and "user" in (lab.server.state / "counters").read_text())
    before, was = counted(lab), saves(lab)
    wait_for("a second look", lambda: "user" in (lab.server.state / "counters").read_text())
    lab.server.rpc("Flush")
    assert counted(lab) == before and saves(lab) - was <= 1, "nothing was counted, nothing is written"
    # Deleted and made again: another one, who has no past, although the file still has it when the power goes.
    lab.server.ctl("user", "delete", "DEFAULT", "bob")
    lab.server.kill()
    lab.server.start()
    assert counted(lab) == {k: v for k, v in before.items() if k != "bob"}
    stored = (lab.server.state / "counters").read_text()
    assert " bob\n" in stored
    lab.server.ctl("user", "create", "DEFAULT", "bob", "--password", "x")
    lab.server.kill()
    (lab.server.state / "counters").write_text(stored)
    lab.server.start()
    again = counted(lab)
    assert again["bob"]["NumLogin_u32"] == 0 and again["bob"]["Recv.UnicastCount_u64"] == 0
    assert again["alice"] == before["alice"]


def test_damaged_file(make):
    """The save before it is taken, and said; without any all begins at zero: a start is never refused for it."""
    lab = make()
    talk(lab)
    lab.server.rpc("Flush")
    first = counted(lab)
    talk(lab)
    lab.server.stop()
    path = lab.server.state / "counters"
    path.write_bytes(path.read_bytes()[:-20])
    lab.server.start()
    assert counted(lab) == first and "counters: damaged" in lab.server.log()
    lab.server.kill()
    for name in ("counters", "counters.1"):
        (lab.server.state / name).write_bytes(b"\0nonsense")
    lab.server.start()
    assert counted(lab)["alice"]["NumLogin_u32"] == 0 and "counted from zero" in lab.server.log()
    talk(lab)
    lab.server.stop()
    lab.server.start()
    assert counted(lab)["alice"]["NumLogin_u32"] == 1


def test_disk_refuses(make):
    """Said once and shown; changes and logins go on; the next save that can be made has everything."""
    lab = make(counters={"save_s": 1})
    (lab.server.state / "counters.new").mkdir()
    talk(lab)
    error = wait_for("a refusal", lambda: lab.server.rpc("PatchbayGetStore")["CountersError_str"])
    assert error and lab.server.ctl_run("store", "flush").returncode == 1
    lab.server.ctl("user", "create", "DEFAULT", "new", "--password", "x")
    talk(lab)
    (lab.server.state / "counters.new").rmdir()
    wait_for("a save", lambda: not lab.server.rpc("PatchbayGetStore")["CountersError_str"])
    lab.server.rpc("Flush")
    before = counted(lab)
    lab.server.kill()
    assert lab.server.log().count("traffic and logins could not be saved") == 1
    lab.server.start()
    assert counted(lab) == before


def test_ten_thousand_users(make_lab):
    """All of whom have been there: one file, one write, read again at once."""
    lab = make_lab(hubs=[Hub("DEFAULT", [User(f"user{i:05d}", "pw") for i in range(10000)])])
    lab.server.start()
    lab.server.rpc("Flush")
    lab.server.stop()
    path = lab.server.state / "counters"
    text = path.read_text()[:-len("end 00000000\n")] + "".join(
        f"user 0 {i + 1} 1700000000000 0 {' '.join(str(i * 1000003 + n) for n in range(8))} user{i:05d}\n" for i in range(10000))
    path.write_text(f"{text}end {zlib.crc32(text.encode()):08x}\n")
    lab.server.start()
    rows = lab.server.rpc("EnumUser", HubName_str="DEFAULT")["UserList"]
    assert [r["NumLogin_u32"] for r in sorted(rows, key=lambda r: r["Name_str"])] == list(range(1, 10001))
    lab.server.process.signal(signal.SIGTERM)
    lab.server.process.wait()
    again = path.read_text()
    assert again.splitlines()[1:-1] == text.splitlines()[1:]
    with pytest.raises(LabError):
        lab.server.ready()
