# SPDX-License-Identifier: BSD-3-Clause
"""The directory on the disk: killed, full, edited by hand, read again, large; and what was answered is there."""

import base64
import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import threading
import time

import pytest

from lab import SERVER4, LabError, certs, frames, wait_for
from lab.disk import OwnDisk
from lab.wireclient import LoginError, Session, connect

pytestmark = pytest.mark.patchbay

LONG = bool(os.environ.get("PATCHBAY_LONG"))
NAME, NOTE = "山田 太郎", "一行目\n二行目 \"引用\" \\ 円"


class Socket:
    """One connection to the admin socket, one call after the other."""

    def __init__(self, lab):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(str(lab.server.state / "admin.sock"))
        self.file = self.sock.makefile("rb")

    def call(self, method, **params):
        """The result; LabError if it was refused, OSError or ValueError if the daemon has gone."""
        self.sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        got = json.loads(self.file.readline())
        if "error" in got:
            raise LabError(f"{method}: {got['error']}")
        return got["result"]

    def close(self):
        """Both files."""
        self.file.close()
        self.sock.close()


@pytest.fixture(name="lab")
def fixture_lab(make_lab):
    """A server that runs."""
    lab = make_lab()
    lab.server.start()
    return lab


def user(name, **more):
    """Parameters of CreateUser and SetUser."""
    return {"HubName_str": "DEFAULT", "Name_str": name, "AuthType_u32": 1, "Auth_Password_str": "pw", **more}


def users(lab, hub="DEFAULT"):
    """Names and notes of the hub's users."""
    return {u["Name_str"]: u for u in lab.server.rpc("EnumUser", HubName_str=hub)["UserList"]}


def hubs(lab):
    """Their names."""
    return [h["HubName_str"] for h in lab.server.rpc("EnumHub")["HubList"]]


def cpu_ns(lab):
    """What the daemon's control thread and the store's have computed; the disk's moods do not count."""
    tasks = f"/proc/{lab.server.process.pid}/task"
    total = 0
    for tid in os.listdir(tasks):
        with open(f"{tasks}/{tid}/comm", encoding="utf-8") as f:
            mine = f.read().startswith("pb-store") or int(tid) == lab.server.process.pid
        if mine:
            with open(f"{tasks}/{tid}/schedstat", encoding="utf-8") as f:
                total += int(f.read().split()[0])
    return total


def test_cost_does_not_grow(lab):
    """Users one by one over one connection; the last cost no more than the first, and a change is quick."""
    count, parts = 9000 if LONG else 1500, 3
    admin, took, cost = Socket(lab), [], []
    for part in range(parts):
        began = cpu_ns(lab)
        for i in range(part * count // parts, (part + 1) * count // parts):
            admin.call("CreateUser", **user(f"u{i}"))
        cost.append((cpu_ns(lab) - began) / (count / parts) / 1e3)
    print(f"us of CPU for a user: {cost}")
    assert 0 < cost[-1] < 3 * cost[0] + 200  # a saved directory costs 2000 and more
    for i in range(0, count, count // 100):
        began = time.monotonic()
        admin.call("SetUser", **user(f"u{i}", Note_utf="changed"))
        took.append(time.monotonic() - began)
    assert statistics.median(took) < 0.25  # with what the disk takes
    state = admin.call("PatchbayGetStore")
    assert state["Changes_u64"] >= count and state["Refused_u64"] == 0
    admin.close()
    lab.server.kill()
    lab.server.start()
    assert len([n for n in users(lab) if n.startswith("u")]) == count


def change_until_gone(lab, number, answered):
    """One administrator: creates, changes and deletes users of its own; remembers what was answered last."""
    serial = 0
    try:
        admin = Socket(lab)  # closed by the daemon's end
        while True:
            name = f"c{number}-{serial % 7}"
            gone = answered.get(name, (None, None))[0] is None
            note = f"{serial} " + "x" * random.randrange(300)
            answered[name] = (answered.get(name, (None, None))[0], "?")
            if gone:
                admin.call("CreateUser", **user(name, Note_utf=note, Realname_utf=note))
                answered[name] = (note, None)
            elif serial % 3 == 0:
                admin.call("DeleteUser", HubName_str="DEFAULT", Name_str=name)
                answered[name] = (None, None)
            else:
                admin.call("SetUser", **user(name, Note_utf=note, Realname_utf=note))
                answered[name] = (note, None)
            serial += 1
    except (OSError, ValueError):
        pass  # killed: one change may be there or not


def test_killed_at_random(lab):
    """Four administrators change without pause, kill -9: every answered change is there, and no half of one."""
    answered = [{} for _ in range(4)]
    for _ in range(12 if LONG else 3):
        threads = [threading.Thread(target=change_until_gone, args=(lab, i, answered[i])) for i in range(4)]
        for t in threads:
            t.start()
        time.sleep(random.uniform(0.3, 1.5))
        lab.server.kill()
        for t in threads:
            t.join()
        lab.server.start()
        found = users(lab)
        for mine in answered:
            for name, (note, open_end) in list(mine.items()):
                there = found[name]["Note_utf"] if name in found else None
                if open_end is None:
                    assert there == note, name
                elif name in found:  # whole, whichever it is
                    shown = lab.server.rpc("GetUser", HubName_str="DEFAULT", Name_str=name)
                    assert shown["Realname_utf"] == shown["Note_utf"]
                mine[name] = (there, None)
    assert sum(len(mine) for mine in answered) > 8


def test_disk_full(make_lab):
    """A change is refused with its reason, sessions and reading go on, and all is well with room again."""
    lab = make_lab()
    disk = OwnDisk(lab, "1m")
    node, state = disk.node, disk.state
    disk.start()

    def ctl(*argv, ok=True):
        done = disk.ctl(*argv)
        assert (done.returncode == 0) == ok, done.stdout + done.stderr
        return done.stdout + done.stderr

    ctl("user", "create", "DEFAULT", "alice", "--password", "alicepw")
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "alice", "alicepw")
    node.run("sh", "-c", f"head -c 2000000 /dev/zero > {state}/filler", check=False)
    said = ctl("user", "create", "DEFAULT", "lost", "--note", "n" * 4000, "--password", "x", ok=False)
    for _ in range(20):  # a page of the journal may have had room
        if "nothing was changed" in said:
            break
        said = ctl("user", "set", "DEFAULT", "alice", "--note", "n" * 4000, ok=False)
    assert "nothing was changed" in said and "No space left" in said
    assert "lost" not in ctl("user", "list", "DEFAULT")
    assert session.name in ctl("session", "list", "DEFAULT")
    node.run("mount", "-o", "remount,ro", state, check=False)
    node.run("rm", "-f", f"{state}/filler", check=False)
    node.run("mount", "-o", "remount,rw", state)
    node.run("rm", "-f", f"{state}/filler")
    ctl("user", "create", "DEFAULT", "found", "--password", "x")
    session.close()
    disk.again()
    assert "found" in ctl("user", "list", "DEFAULT") and "lost" not in ctl("user", "list", "DEFAULT")


def veth_to(lab, name):
    """A cable between the server, where it is veth0, and another machine; not yet up."""
    server, far = lab.nodes["server"], lab.node(name)
    subprocess.run(["nsenter", f"--net=/proc/{server.init_pid}/ns/net", "ip", "link", "add", "veth0", "type", "veth",
                    "peer", "name", "eth0", "netns", str(far.init_pid)], check=True)
    far.ip("link set eth0 up")
    server.ip("link set veth0 up")


def test_every_store_on_a_full_disk(make_lab):
    """Everything that is written is on a disk that fills up: journal, folding, history, certificate, totals, logs, the record of
    offloads. What cannot be written is refused or counted, by name; nothing that was there is lost; and all of it goes on.
    """
    lab = make_lab(settings={"counters": {"save_s": 1}, "log": {"min_free_mb": 0}})
    disk = OwnDisk(lab, "2m")
    node, state, ctl = disk.node, disk.state, disk.ctl

    def shown(*argv):
        done = ctl("--json", *argv)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def login(name):
        return Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", name, "x")

    def there(*names):
        return node.run("sh", "-c", f"cd {state} && md5sum {' '.join(names)}").stdout

    def veth_is_offloaded():
        return "tcp-segmentation-offload: on" in node.run("ethtool", "-k", "veth0").stdout

    def bridge():
        (row,) = shown("bridge", "list")["LocalBridgeList"]
        return row
    disk.start()
    for name in ("alice", "bob"):
        assert ctl("user", "create", "DEFAULT", name, "--password", "x").returncode == 0
        assert ctl("store", "flush").returncode == 0  # each a version
    # Its device is not there yet.
    assert ctl("bridge", "create", "DEFAULT", "--dev", "net_af_packet0,iface=veth0", "--name", "veth").returncode == 0
    one, two = login("alice").wait_ready(), login("bob").wait_ready()
    assert ctl("store", "flush").returncode == 0
    kept = "directory.cfg directory.cfg.1 server.key server.crt counters".split()
    # Room for a few pages of journal: a change that is answered before there is none.
    node.run("sh", "-c", f"head -c 4000000 /dev/zero > {state}/filler; truncate -s -32768 {state}/filler", check=False)
    answered, said = 0, ""
    for n in range(40):
        done = ctl("user", "set", "DEFAULT", "alice", "--note", f"{n} " + "n" * 4000)
        if done.returncode:
            said = done.stderr
            break
        answered = n
    assert "nothing was changed" in said and "No space left" in said, said
    node.run("sh", "-c", f"head -c 100000 /dev/zero >> {state}/filler", check=False)  # the last page, too
    before = there(*kept)
    flush = ctl("store", "flush")
    assert flush.returncode == 1 and "No space left" in flush.stderr, flush
    assert there(*kept) == before
    wait_for("totals refused", lambda: shown("rpc", "PatchbayGetStore")["CountersError_str"] == "No space left on device", 60)
    done = ctl("certificate", "regenerate", "full.example")
    assert done.returncode == 1 and "No space left" in done.stderr, done
    lost = shown("log", "status")["LostDisk_u64"]
    for _ in range(400):
        login("bob").close()
        if shown("log", "status")["LostDisk_u64"] > lost:
            break
    assert shown("log", "status")["LostDisk_u64"] > lost
    veth_to(lab, "far")
    wait_for("the bridge, with a warning", lambda: bridge()["PatchbayState_str"] == "up" and
             "offloads of veth0 stay on (No space left on device)" in lab.server.log(), 60)
    assert veth_is_offloaded()  # what could not be written down is not done
    # Nobody who is there has felt it.
    sent = frames.frame(frames.BROADCAST, frames.mac(1, 0x77), 60)
    one.send(sent)
    assert two.wait_frame(lambda f: f == sent)
    assert there(*kept) == before and lab.server.process.poll() is None
    node.run("rm", f"{state}/filler")
    assert ctl("user", "set", "DEFAULT", "bob", "--note", "with room").returncode == 0
    assert ctl("store", "flush").returncode == 0
    wait_for("totals saved", lambda: not shown("rpc", "PatchbayGetStore")["CountersError_str"], 60)
    assert ctl("certificate", "regenerate", "room.example").returncode == 0
    assert ctl("bridge", "delete", "DEFAULT", "veth").returncode == 0
    assert ctl("bridge", "create", "DEFAULT", "--dev", "net_af_packet0,iface=veth0", "--name", "veth").returncode == 0
    wait_for("the bridge", lambda: bridge()["PatchbayState_str"] == "up" and not veth_is_offloaded(), 60)
    assert "veth0" in node.run("cat", f"{state}/offloads").stdout
    logins = shown("user", "show", "DEFAULT", "bob")["NumLogin_u32"]
    one.close()
    two.close()
    assert ctl("store", "flush").returncode == 0
    disk.again()
    assert shown("user", "show", "DEFAULT", "alice")["Note_utf"].split()[0] == str(answered)
    assert shown("user", "show", "DEFAULT", "bob")["Note_utf"] == "with room"
    assert shown("user", "show", "DEFAULT", "bob")["NumLogin_u32"] == logins
    assert "room.example" in certs.openssl("x509", "-noout", "-subject", data=node.run("cat", f"{state}/server.crt").stdout.encode()).decode()
    lab.close()


def test_read_only(make_lab, tmp_path):
    """The state's file system becomes read-only and comes back: changes are refused meanwhile, everything else goes on."""
    lab = make_lab(settings={"log": {"directory": str(tmp_path)}})  # an open log would keep it from being read-only
    disk = OwnDisk(lab, "4m")
    node, state, ctl = disk.node, disk.state, disk.ctl
    # Held open for writing all the time: elsewhere, as the logs.
    lock = tmp_path / "lock"
    lock.touch()
    node.run("touch", f"{state}/lock")
    node.run("mount", "--bind", lock, f"{state}/lock")
    disk.start()

    def changes(name):
        """0, or what was said."""
        done = ctl("user", "create", "DEFAULT", name, "--password", "x")
        return done.stderr if done.returncode else 0

    assert [changes(name) for name in ("alice", "bob")] == [0, 0]
    assert ctl("store", "flush").returncode == 0  # what has been folded is held open by nobody
    one, two = (Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", name, "x").wait_ready()
                for name in ("alice", "bob"))
    passed = iter(range(100))

    def passes():
        sent = frames.frame(frames.BROADCAST, frames.mac(1, 92), 60 + next(passed))
        one.send(sent)
        return two.wait_frame(lambda f: f == sent)
    assert passes()
    node.run("mount", "-o", "remount,ro", state)
    for _ in range(2):
        said = changes("lost")
        assert said and "nothing was changed" in said and "Read-only file system" in said, said
    assert ctl("store", "flush").returncode != 0
    assert passes() and "lost" not in ctl("user", "list", "DEFAULT").stdout
    Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "bob", "x").close()
    node.run("mount", "-o", "remount,rw", state)
    assert changes("found") == 0 and passes()
    assert one.name in ctl("session", "list", "DEFAULT").stdout
    one.close()
    two.close()
    disk.again("last.log")
    shown = ctl("user", "list", "DEFAULT").stdout
    assert all(name in shown for name in ("alice", "bob", "found")) and "lost" not in shown


def test_edited_and_read_again(lab):
    """Edited by hand while it runs: noticed, kept; wrong: told, nothing changed; right: in force, sessions go on."""
    file = lab.server.state / "directory.cfg"
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "alice", "alicepw")
    lab.server.rpc("CreateUser", **user("first"))
    lab.server.rpc("Flush")  # now it is of the daemon's own hand
    good = file.read_text("utf-8")
    broken = good.replace('name = "alice"', 'nome = "alice"', 1)
    file.write_text(broken, "utf-8")
    lab.server.rpc("CreateUser", **user("meanwhile"))
    with pytest.raises(LabError, match="somebody else wrote"):
        lab.server.rpc("Flush")
    assert lab.server.rpc("PatchbayGetStore")["Edited_bool"]
    assert file.read_text("utf-8") == broken
    with pytest.raises(LabError, match="nome"):
        lab.server.rpc("PatchbayReload")
    os.kill(lab.server.process.pid, signal.SIGHUP)
    wait_for("told", lambda: "not read again" in lab.server.log(), 60)
    assert "meanwhile" in users(lab) and "alice" in users(lab)

    edited = good.replace("hubs = (\n", 'hubs = (\n\t{ name = "BYHAND"; users = ( { name = "eve"; auth = "password"; '
                          'password = "evepw"; } ); },\n', 1)
    file.write_text(edited, "utf-8")
    os.kill(lab.server.process.pid, signal.SIGHUP)
    wait_for("in force", lambda: "BYHAND" in hubs(lab), 60)
    Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("BYHAND", "eve", "evepw").close()
    assert session.name in [s["name"] for s in lab.server.sessions("DEFAULT")]
    assert "meanwhile" in users(lab), "a change made since the edit"
    lab.server.rpc("Flush")
    assert "evepw" not in lab.server.stored() and "BYHAND" in file.read_text("utf-8")
    # Gone from the file: gone with its sessions; the other hub's session does not notice.
    text = file.read_text("utf-8")
    begin = text.index('\t{\n\t\tname = "BYHAND"')
    end = text.index("\n\t}", begin) + 3
    end += text[end:].startswith(",\n") and 2
    file.write_text((text[:begin] + text[end:]).replace(",\n\n);", "\n);"), "utf-8")
    lab.server.rpc("PatchbayReload")
    assert "BYHAND" not in hubs(lab)
    assert session.name in [s["name"] for s in lab.server.sessions("DEFAULT")]
    session.close()


def test_rules_without_ids(lab):
    """Access rules that a person wrote have no ids, and edits go by them: each reading of the file means the same rules by the same."""
    file = lab.server.state / "directory.cfg"
    lab.server.rpc("Flush")
    rules = ", ".join(f'{{ priority = {n}; drop = true; protocol = {p}; note = "{note}"; }}'
                      for n, p, note in [(10, 6, "one"), (20, 17, "two"), (20, 17, "two"), (20, 17, "two"), (30, 1, "three")])
    file.write_text(file.read_text("utf-8").replace('name = "DEFAULT";', f'name = "DEFAULT";\naccess = ( {rules} );', 1), "utf-8")
    lab.server.rpc("PatchbayReload")

    def listed():
        return {(r["Id_u32"], r["Note_utf"]) for r in lab.server.rpc("EnumAccess", HubName_str="DEFAULT")["AccessList"]}

    def ids():
        text = base64.b64decode(lab.server.rpc("GetConfig")["FileData_bin"]).decode()
        return {(int(i), n) for i, n in re.findall(r'id = (\d+)L; .*note = "(\w+)"', text)}
    mine = ids()
    assert sorted(n for _, n in mine) == ["one", "three", "two", "two", "two"] and ids() == mine
    places = [r["Note_utf"] for r in lab.server.rpc("EnumAccess", HubName_str="DEFAULT")["AccessList"]]
    lab.server.rpc("DeleteAccess", HubName_str="DEFAULT", Id_u32=places.index("one") + 1)
    places.remove("one")
    lab.server.rpc("DeleteAccess", HubName_str="DEFAULT", Id_u32=places.index("two") + 1)
    kept = ["three", "two", "two"]
    for again in (lambda: None, lambda: lab.server.rpc("Flush")):
        assert sorted(n for _, n in listed()) == kept and ids() < mine
        again()
        lab.server.kill()
        lab.server.start()
    assert sorted(n for _, n in listed()) == kept and ids() < mine


def test_signals_on_top_of_each_other(lab):
    """SIGHUP while the last one is still being served, with much to complain about: told, and nothing else."""
    file = lab.server.state / "directory.cfg"
    lab.server.rpc("Flush")
    good = file.read_text("utf-8")
    file.write_text(good + "".join(f"wrong{i} = {i};\n" for i in range(2000)), "utf-8")
    before = lab.server.log().count("not read again")
    for _ in range(100):
        os.kill(lab.server.process.pid, signal.SIGHUP)
        time.sleep(0.002)
    wait_for("told", lambda: lab.server.log().count("not read again") > before, 60)
    file.write_text(good, "utf-8")
    wait_for("read", lambda: not refused_reload(lab), 60)
    assert "alice" in users(lab)


def refused_reload(lab):
    """Whether the directory could not be read now, because that is under way."""
    try:
        lab.server.rpc("PatchbayReload")
    except LabError as error:
        assert "already" in str(error), error
        return True
    return False


def test_listeners_read_again(lab):
    """patchbay.cfg at SIGHUP: a port more, one less; wrong: told and kept."""
    os.kill(lab.server.process.pid, signal.SIGHUP)
    wait_for("read", lambda: "patchbay.cfg read again" in lab.server.log(), 60)
    text = lab.server.config.read_text("utf-8")
    lab.server.config.write_text(text + "\nnonsense = 1;\n", "utf-8")
    os.kill(lab.server.process.pid, signal.SIGHUP)
    wait_for("told", lambda: "nonsense" in lab.server.log() and "not taken" in lab.server.log(), 60)
    lab.server.ports = [8888, 4433]
    lab.server.write_config()
    os.kill(lab.server.process.pid, signal.SIGHUP)
    wait_for("in force", lambda: sorted(l["Ports_u32"] for l in lab.server.rpc("EnumListener")["ListenerList"])
             == [4433, 8888], 60)
    connect(lab.nodes["wire"], SERVER4, 4433).close()


def test_config_get_and_set(lab):
    """The text is given out without secrets, and taken back with them as they were."""
    got = lab.server.rpc("GetConfig")
    text = base64.b64decode(got["FileData_bin"]).decode()
    assert got["FileName_str"] == "directory.cfg" and "alice" in text
    assert '_hash = "kept"' in text and 'hash = "' not in text.replace('hash = "kept"', "")

    def put(config):
        lab.server.rpc("SetConfig", FileData_bin=base64.b64encode(config.encode()).decode())

    put(text.replace('name = "alice";', f'name = "alice";\n note = "{NAME}";', 1))
    assert users(lab)["alice"]["Note_utf"] == NAME
    Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "alice", "alicepw").close()
    with pytest.raises(LabError, match="there was none"):
        put(text.replace('name = "alice";', 'name = "alicia";', 1))
    with pytest.raises(LabError, match="include"):
        put(text + "\n@include \"/etc/passwd\"\n")
    with pytest.raises(LabError):
        put("declare nothing")
    lab.server.kill()
    lab.server.start()
    assert users(lab)["alice"]["Note_utf"] == NAME
    Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "alice", "alicepw").close()


def test_japanese_byte_for_byte(lab):
    """Names and notes come back from JSON, the command line and the disk as they were given."""
    ctl = [lab.server.ctl_path, "--socket", lab.server.state / "admin.sock"]
    lab.nodes["server"].run(*ctl, "user", "create", "DEFAULT", NAME, "--password", "pw", "--note", NOTE)
    for _ in range(2):
        got = lab.server.rpc("GetUser", HubName_str="DEFAULT", Name_str=NAME)
        assert (got["Name_str"], got["Note_utf"]) == (NAME, NOTE)
        shown = lab.server.ctl("user", "show", "DEFAULT", NAME)
        assert (shown["Name_str"], shown["Note_utf"]) == (NAME, NOTE)
        lab.server.kill()
        lab.server.start()
    lab.server.rpc("Flush")
    assert NAME in (lab.server.state / "directory.cfg").read_text("utf-8")
    Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", NAME, "pw").close()
    with pytest.raises(LoginError):
        Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", NAME, "wrong")
