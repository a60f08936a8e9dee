# SPDX-License-Identifier: BSD-3-Clause
"""The server under test: Patchbay, or Debian's SoftEther server to keep the tests honest.

Both offer the same few operations, so that a test says what a VPN server must do and not whose it
is. What only one of them has is told apart with `server.kind`.
"""

import base64
import contextlib
import csv
import dataclasses
import io
import json
import os
import pathlib
import re
import signal
import socket
import time

from . import hugepages, pack
from .netns import LabError, wait_for, children

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("PATCHBAY_BUILD") or ROOT / "build")  # of all our programs
SOFTETHER = "/usr/libexec/softether"
ADMIN_PASSWORD = "adminpw"  # of the server (Patchbay) and of all hubs
STOCK_FOLDERS = ("lib", "log", "run")


@dataclasses.dataclass
class User:
    """A user of a hub; no password means anonymous, "" is one. policy: {key: bool or number}."""
    name: str
    password: str | None = None
    group: str | None = None
    policy: dict | None = None
    expires: str | None = None  # 2020-01-01T00:00:00Z


@dataclasses.dataclass
class Group:
    """A group of a hub."""
    name: str
    policy: dict | None = None


@dataclasses.dataclass
class Hub:
    """A virtual hub as the tests want it."""
    name: str
    users: list
    online: bool = True
    require_encryption: bool = False
    groups: list = dataclasses.field(default_factory=list)
    options: dict = dataclasses.field(default_factory=dict)
    admin_options: dict = dataclasses.field(default_factory=dict)
    sources: list = dataclasses.field(default_factory=list)  # (priority, deny, address/prefix)
    max_sessions: int = 0
    managed: list = dataclasses.field(default_factory=list)  # networks for the IP table (Patchbay only)
    password: str = "adminpw"  # of its administrator; "" = none


def default_hubs():
    """What most tests use."""
    users = [User("alice", "alicepw"), User("bob", "bobpw"), User("guest")]
    return [Hub("DEFAULT", users), Hub("SECOND", users), Hub("CLOSED", users, online=False)]


def stock_binds(folder):
    """The three folders of the stock programs, private to one node."""
    return [(f"{folder}/{d}", f"/var/{d}/softether" if d != "run" else "/run/softether")
            for d in STOCK_FOLDERS]


PROMPT = re.compile(r"^VPN (?:Client|Server)(?:/[^>\n]*)?>(.*)\n", re.M)  # what vpncmd writes before a command, which it repeats
TRIES = 5
STALLED_S = 1.5  # what fails sooner was refused or cut off by a server, and is no matter of patience


def persistent(run):
    """What comes of a run of vpncmd, as of one that could connect: it has little patience with who gets no CPU for two seconds.

    The result has `took_s`.
    """
    for _ in range(TRIES):
        began = time.monotonic()
        done = run()
        done.took_s = time.monotonic() - began
        # With a prompt it got as far as the first command.
        if not done.returncode or "(Error code: 1)" not in done.stdout or PROMPT.search(done.stdout) or done.took_s < STALLED_S:
            break
    return done


def cut_off(stdout):
    """Where the connection was lost under a script, for the same reason: the number of commands that succeeded before; else None."""
    for number, text in enumerate(PROMPT.split(stdout)[2::2]):
        if "Error code: " in text:
            return number if "(Error code: 3)" in text else None
    return None


def vpncmd(node, *target_and_commands, commands=(), timeout_s=180.0):
    """Run vpncmd with a script of commands; its output, LabError if any command failed."""
    script, left, out = node.folder / "vpncmd.in", list(commands), ""
    for _ in range(TRIES):
        script.write_text("\n".join(left) + "\n", encoding="utf-8")
        done = persistent(lambda: node.run("vpncmd", *target_and_commands, f"/IN:{script}", timeout_s=timeout_s, check=False))
        out += done.stdout
        if not done.returncode:
            return out
        number = cut_off(done.stdout)
        if number is None or done.took_s < STALLED_S:
            break
        left = left[number:]
    raise LabError(f"vpncmd {'; '.join(commands)}: {done.stdout[-1500:]}{done.stderr}")


class StockServer:
    """Debian's softether-vpnserver on a node of the lab."""

    kind = "softether"
    wrap = ()  # what stands before its command line: taskset and the like
    binds = staticmethod(stock_binds)

    def __init__(self, node, hubs=None, ports=(8888, 443, 992)):
        self.node, self.hubs, self.ports = node, hubs or default_hubs(), tuple(ports)
        self.process = None
        self.made = False

    def start(self, timeout_s=90.0):
        """Start and wait until it can be logged in to."""
        self.process = self.node.spawn(*self.wrap, f"{SOFTETHER}/vpnserver/vpnserver", "execsvc", log="server.log")
        wait_for("vpnserver: control port", lambda: self.node.run(
            "vpncmd", "localhost:5555", "/SERVER", "/CMD", "About", check=False).returncode == 0, timeout_s)
        if not self.made:
            self.configure()
            self.made = True
        return self

    def configure(self):
        """Hubs, users and ports."""
        do = [f"ListenerCreate {p}" for p in self.ports if p not in (443, 992)] + ["HubDelete DEFAULT"]
        for hub in self.hubs:
            do += [f"HubCreate {hub.name} /PASSWORD:{hub.password}", f"Hub {hub.name}"]
            for group in hub.groups:
                do += [f"GroupCreate {group.name} /REALNAME:none /NOTE:none"]
                do += self.policy("Group", group)
            for user in hub.users:
                do += [f"UserCreate {user.name} /GROUP:{user.group or 'none'} /REALNAME:none /NOTE:none"]
                do += [f"UserAnonymousSet {user.name}"] if user.password is None else \
                    [f"UserPasswordSet {user.name} /PASSWORD:{user.password}"] if user.password else []
                do += self.policy("User", user)
                if user.expires:
                    day, _, clock = user.expires.rstrip("Z").partition("T")
                    do += [f'UserExpiresSet {user.name} /EXPIRES:"{day.replace("-", "/")} {clock}"']
            do += [f"ExtOptionSet {k} /VALUE:{int(v)}" for k, v in hub.options.items()]
            do += [f"AdminOptionSet {k} /VALUE:{int(v)}" for k, v in hub.admin_options.items()]
            do += [f"AcAdd{'6' if ':' in address else ''} {'deny' if deny else 'allow'} /PRIORITY:{priority} /IP:{address}"
                   for priority, deny, address in hub.sources]
            do += [f"SetMaxSession {hub.max_sessions}"] if hub.max_sessions else []
            do += [] if hub.online else ["Offline"]
        self.control(*do)

    @staticmethod
    def policy(kind, owner):
        """Commands that give a user or group its policy."""
        return [f"{kind}PolicySet {owner.name} /NAME:{k} /VALUE:{('no', 'yes')[v] if isinstance(v, bool) else v}"
                for k, v in (owner.policy or {}).items()]

    def control(self, *commands, csv_out=False):
        """Commands of vpncmd's server mode."""
        return vpncmd(self.node, "localhost:5555", "/SERVER", *(["/CSV"] if csv_out else []), commands=commands)

    def table(self, hub, command):
        """Rows of a vpncmd list as dictionaries."""
        out = self.control(f"Hub {hub}", command, csv_out=True)
        lines = out.splitlines()
        start = max(i for i, line in enumerate(lines) if line.endswith(f">{command}")) + 1
        return list(csv.DictReader(io.StringIO("\n".join(lines[start:]))))

    def sessions(self, hub):
        """[{name, user}] of the VPN sessions of a hub."""
        return [{"name": row["Session Name"], "user": row["User Name"]}
                for row in self.table(hub, "SessionList")]

    def macs(self, hub):
        """[{mac, session}], MAC in small letters with colons."""
        return [{"mac": row["MAC Address"].lower().replace("-", ":"), "session": row["Session Name"]}
                for row in self.table(hub, "MacTable")]

    def delete_session(self, hub, name):
        """Remove a session as an administrator does."""
        self.control(f"Hub {hub}", f"SessionDisconnect {name}")

    def stop(self, timeout_s=60.0):
        """An orderly end."""
        self.node.run("vpnserver", "stop", timeout_s=timeout_s)
        return self.process.wait(timeout_s)

    def kill(self):
        """SIGKILL, as when the machine's memory ran out."""
        for pid in [*children(self.process.pid), self.process.pid]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def log(self):
        """What the server printed and logged."""
        return "\n".join(p.read_text("utf-8", "replace")
                         for p in sorted((self.node.folder / "log").rglob("*.log")))


class Patchbay:
    """patchbayd of this tree on a node of the lab."""

    kind = "patchbay"
    wrap = ()

    @staticmethod
    def binds(_folder):
        """Patchbay needs no folder but the one it is told."""
        return []

    def __init__(self, node, hubs=None, ports=(8888, 443, 992), settings=None, embedded=False):
        """settings: groups of patchbay.cfg; hubs=[]: leave the directory to the first start;
        embedded: no configuration file either."""
        self.node, self.ports, self.embedded = node, tuple(ports), embedded
        self.hubs = default_hubs() if hubs is None else hubs
        self.settings = settings or {}
        self.daemon = BUILD / "controlplane/patchbayd"
        self.ctl_path = BUILD / "controlplane/patchbayctl"
        if not self.daemon.exists():
            raise LabError(f"{self.daemon}: not built (ninja -C {BUILD})")
        self.state = node.folder / "state"
        self.config = node.folder / "patchbay.cfg"
        self.process = None
        self.starts = 0

    def write_config(self):
        """patchbay.cfg from the defaults and `settings`.

        No hugepages unless asked for: what somebody else has reserved may be gone when several start at once.
        """
        self.config.write_text(config_text({"listeners": [{"port": p} for p in self.ports],
                                            "eal": {"hugepages": False},
                                            **self.settings}), encoding="utf-8")

    def write_directory(self):
        """The directory file, written by us only before the very first start."""
        self.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.state / "directory.cfg").write_text(directory_text(self.hubs), encoding="utf-8")

    def command(self, *options):
        """The command line that starts the daemon."""
        return [self.daemon, *([] if self.embedded else ["--config", self.config]), "--state", self.state, *options]

    def start(self, timeout_s=60.0, limit_files=None, wait=True):
        """Start and wait for the admin socket; the output of each start is a file of its own."""
        if not self.starts:
            self.write_config()
            if self.hubs:
                self.write_directory()
        self.starts += 1
        with hugepages.undisturbed() if self.embedded else contextlib.nullcontext():
            self.process = self.node.spawn(*self.wrap, *self.command(), log=f"patchbayd.{self.starts}.log",
                                           limit_files=limit_files)
            if wait:
                wait_for("patchbayd: ready", self.ready, timeout_s)
        return self

    def ready(self):
        """Whether the daemon answers; LabError if it has ended instead."""
        if self.process.poll() is not None:
            raise LabError(f"patchbayd ended with {self.process.poll()}:\n{self.log()[-3000:]}")
        return self.ctl_run("status").returncode == 0

    def ctl_run(self, *argv, as_json=True):
        """Run patchbayctl and return the CompletedProcess."""
        return self.node.run(self.ctl_path, "--socket", self.state / "admin.sock",
                             *(["--json"] if as_json else []), *argv, check=False)

    def ctl(self, *argv):
        """A command's JSON, LabError if it failed."""
        done = self.ctl_run(*argv)
        if done.returncode:
            raise LabError(f"patchbayctl {' '.join(argv)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return json.loads(done.stdout or "null")

    def rpc_answer(self, method, params, timeout_s=60):
        """Call a method of the admin socket; the whole answer."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(timeout_s)
            sock.connect(str(self.state / "admin.sock"))
            sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
            with sock.makefile("rb") as answer:
                return json.loads(answer.readline())

    def rpc(self, method, **params):
        """The result of a call on the admin socket, LabError with the code if it was refused."""
        got = self.rpc_answer(method, params)
        if "error" in got:
            raise LabError(f"{method}: {got['error']}")
        return got["result"]

    def stored(self):
        """What is on the disk, the journal included: every change that was answered is in there."""
        files = sorted(self.state.glob("directory.journal.*")) + [self.state / "directory.cfg"]
        return "".join(f.read_text("utf-8") for f in files if f.exists())

    def hub_list(self):
        """[{name, online}]"""
        return [{"name": r["HubName_str"], "online": r["Online_bool"]} for r in self.rpc("EnumHub")["HubList"]]

    def sessions(self, hub):
        """[{name, user, lcore}] of the VPN sessions of a hub."""
        return [{"name": r["Name_str"], "user": r["Username_str"], "lcore": r["PatchbayLcore_u32"]}
                for r in self.rpc("EnumSession", HubName_str=hub)["SessionList"]]

    def macs(self, hub):
        """[{mac, session}], MAC in small letters with colons."""
        return [{"mac": mac_text(base64.b64decode(r["MacAddress_bin"])), "session": r["SessionName_str"]}
                for r in self.rpc("EnumMacTable", HubName_str=hub)["MacTable"]]

    def connections(self):
        """[{name, state, session, peer}]; session is "" before login."""
        return [{"name": r["Name_str"], "state": r["PatchbayState_str"], "session": r["PatchbaySessionName_str"],
                 "peer": r["Hostname_str"]} for r in self.rpc("EnumConnection")["ConnectionList"]]

    def lcores(self):
        """[{index, cpu, sessions}] of the workers."""
        return [{"index": r["Index_u32"], "cpu": r["Cpu_u32"], "sessions": r["Sessions_u32"]}
                for r in self.rpc("PatchbayEnumLcore")["LcoreList"]]

    def listeners(self):
        """[{port, open}]"""
        return [{"port": r["Ports_u32"], "open": r["Enables_bool"] and not r["Errors_bool"]}
                for r in self.rpc("EnumListener")["ListenerList"]]

    def counters(self):
        """Counters of everything before login, by name."""
        return {r["Name_str"]: r["Value_u64"] for r in self.rpc("PatchbayGetListenerCounters")["CounterList"]}

    def delete_session(self, hub, name):
        """Remove a session as an administrator does."""
        self.ctl("session", "delete", hub, name)

    def threads(self):
        """[{name, cpus}] of the daemon's threads; cpus as in /proc, e.g. "0-1"."""
        out = []
        for task in pathlib.Path(f"/proc/{self.process.pid}/task").iterdir():
            status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines())
            out.append({"name": status["Name"], "cpus": status["Cpus_allowed_list"]})
        return out

    def cpu_seconds(self):
        """CPU time that the daemon has used so far."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self, timeout_s=60.0):
        """SIGTERM; the exit code."""
        self.process.signal(signal.SIGTERM)
        return self.process.wait(timeout_s)

    def kill(self):
        """SIGKILL, as when the machine's memory ran out."""
        self.process.signal(signal.SIGKILL)
        self.process.wait()

    def log(self):
        """What all starts printed."""
        return "\n".join(p.read_text("utf-8", "replace")
                         for p in sorted(self.node.folder.glob("patchbayd.*.log")))


def config_text(value, indent=0):
    """Python values as libconfig text: dict group, list list, str, bool, int."""
    pad = "\t" * indent
    if isinstance(value, dict):
        return "".join(f"{pad}{k} = {config_value(v, indent)};\n" for k, v in value.items())
    return config_value(value, indent)


def config_value(value, indent=0):
    """One value of config_text."""
    pad = "\t" * indent
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) + ("L" if value > 0x7fffffff else "")  # else it is a negative one to libconfig
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)  # libconfig knows no \\u
    if isinstance(value, dict):
        return "{\n" + config_text(value, indent + 1) + pad + "}"
    if isinstance(value, tuple):
        return "[" + ", ".join(config_value(v, indent) for v in value) + "]"
    return "(" + ", ".join(config_value(v, indent) for v in value) + ")"


def directory_text(hubs):
    """The directory file with these hubs and users."""
    return config_text({"admin_password_hash": pack.sha0(ADMIN_PASSWORD.encode()).hex(), "hubs": [
        {"name": h.name, "online": h.online, "require_encryption": h.require_encryption,
         "max_sessions": h.max_sessions, "admin_password": h.password, "options": h.options,
         "admin_options": h.admin_options, "managed": h.managed,
         "sources": [{"priority": p, "deny": d, "address": a} for p, d, a in h.sources],
         "groups": [{"name": g.name, **({} if g.policy is None else {"policy": g.policy})} for g in h.groups],
         "users": [
            {"name": u.name, **({"auth": "anonymous"} if u.password is None else
                                {"auth": "password", "password_hash": pack.hashed_password(u.name, u.password).hex()}),
             **({} if u.group is None else {"group": u.group}),
             **({} if u.policy is None else {"policy": u.policy}),
             **({} if u.expires is None else {"expires": u.expires})}
            for u in h.users]} for h in hubs]})


KINDS = {"patchbay": Patchbay, "softether": StockServer}


def mac_text(mac):
    """Six bytes as small letters with colons."""
    return re.sub("(..)(?!$)", r"\1:", mac.hex())
