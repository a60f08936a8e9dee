# SPDX-License-Identifier: BSD-3-Clause
"""One machine of the lab: a network, mount and process namespace of its own.

Every program of a machine runs inside its process namespace, whose first process is held by an
`unshare --kill-child`. Ending that one process, by its id, ends everything that was ever started on
the machine, whatever forked in between, and the kernel removes the interfaces with it. That is the
whole teardown, and it also happens when the test runner itself is killed (see `tie`).
"""

import contextlib
import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

from . import echo

LIBC = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNET = 0x40000000
PR_SET_PDEATHSIG = 1

PATIENCE_S = 30.0  # for what takes a moment: a machine that is three times as slow, or stands still for some seconds, is no failure

# The first process only holds the namespaces and, being a shell that waits, reaps orphans.
PINGER = pathlib.Path(__file__).with_name("pinger.py")
HOLD = "ip link set lo up; echo ready; while :; do sleep 3600 & wait $!; done"


class LabError(Exception):
    """Something of the lab itself failed, as opposed to what is tested."""


def wait_for(what, check, timeout_s=PATIENCE_S, step_s=0.05):
    """Poll check() until it returns something true, and return that; LabError names `what`."""
    end = time.monotonic() + timeout_s
    while True:
        got = check()
        if got:
            return got
        if time.monotonic() > end:
            raise LabError(f"timed out after {timeout_s:g} s: {what}")
        time.sleep(step_s)


def children(pid):
    """Direct children of a process, [] when it is gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(c) for c in f.read().split()]
    except OSError:
        return []


def start_time(pid):
    """Start of a process in clock ticks since boot; with the id it names a process for good."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as f:
            return int(f.read().rpartition(")")[2].split()[19])
    except OSError:
        return None


def tie():
    """Runs in a child before exec: die with the thread that started us."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A program on a node. `pid` is the program's own id, seen from outside."""

    def __init__(self, popen, name):
        self.popen = popen
        self.name = name
        self.pid = wait_for(f"{name}: start", lambda: (children(popen.pid) or [None])[0]
                            or (popen.poll() is not None and -1))

    def poll(self):
        """Exit code or None. A death by signal shows as -N or 128+N."""
        return self.popen.poll()

    def signal(self, number):
        """Send a signal to the program itself."""
        if self.pid > 0 and self.poll() is None:
            # It may have ended, and its end not have come through nsenter yet.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def wait(self, timeout_s=60.0):
        """Exit code; LabError when it has not ended by then. A kernel that takes a LAN card down takes its time."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                return self.popen.wait(min(timeout_s, 1))
            except subprocess.TimeoutExpired:
                if time.monotonic() > end:
                    raise LabError(f"{self.name}: still running after {timeout_s:g} s") from None
            # nsenter stops itself when its program is stopped, and nobody tells it that the program goes on.
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.popen.pid, signal.SIGCONT)


class Pings:
    """Echo requests without end in the background (pinger.py), judged by the numbers of the answers.

    Whenever it is ended, its last requests may be under way: what comes behind the last answer is not lost.
    """

    def __init__(self, node, address, interval, size=56):
        self.log = node.folder / f"ping-{address}.log"
        self.log.unlink(missing_ok=True)
        self.process = node.spawn("/usr/bin/python3", "-B", PINGER, address, interval, size, log=self.log.name)

    def answered(self):
        """Sequence numbers in the order in which the answers came, up to now. (They count to 65535 and on from 0.)"""
        turn, last, out = 0, 0, []
        # What is not a whole line yet is not there yet.
        for n in re.findall(r"^(\d+)\n", self.log.read_text("utf-8"), re.M):
            turn += 65536 if last - int(n) > 32768 else 0
            last = int(n)
            out.append(turn + last)
        return out

    def stop(self):
        """End it. The number of answers, each of another request; and the requests before the last answered that have none."""
        wait_for("an answer to ping", self.answered)
        self.process.signal(signal.SIGINT)
        self.process.wait()
        got = self.answered()
        assert len(set(got)) == len(got), "some request was answered twice"
        return len(got), sorted(set(range(1, max(got))) - set(got))


class Node:
    """A machine. Create, use, `close`. `net` names a node to share the network namespace with."""

    def __init__(self, name, folder, net=None, binds=(), tied=True):
        self.name = name
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.tied = tied
        script = ""
        for source, target in binds:
            pathlib.Path(source).mkdir(parents=True, exist_ok=True)
            pathlib.Path(target).mkdir(parents=True, exist_ok=True)
            script += f"mount --bind '{source}' '{target}' && "
        cmd = ["unshare", "-m", "-p", "--fork", "--kill-child=SIGKILL", "--mount-proc"]
        cmd += [] if net else ["-n"]
        if net:
            cmd = ["nsenter", f"--net=/proc/{net.init_pid}/ns/net", "--"] + cmd
        self.holder = subprocess.Popen(  # pylint: disable=consider-using-with
            cmd + ["--", "bash", "-c", script + HOLD], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
            preexec_fn=tie if tied else None)
        line = self.holder.stdout.readline()
        if line != b"ready\n":
            self.holder.kill()
            raise LabError(f"node {name}: {line.decode()} (namespaces need root)")
        self.holder_pid = self.holder.pid
        self.init_pid = children(self.holder_pid)[0]

    @classmethod
    def attach(cls, saved, folder):
        """A node that another process created, from what `describe` returned."""
        self = cls.__new__(cls)
        self.name, self.folder, self.tied, self.holder = saved["name"], pathlib.Path(folder), False, None
        self.holder_pid, self.init_pid = saved["holder"], saved["init"]
        self.started = saved["started"]
        return self

    def describe(self):
        """What `attach` needs, as plain values."""
        return {"name": self.name, "holder": self.holder_pid, "init": self.init_pid,
                "started": start_time(self.holder_pid)}

    def alive(self):
        """Whether the namespaces still stand."""
        if self.holder:
            return self.holder.poll() is None
        return start_time(self.holder_pid) == self.started is not None

    def enter(self, *argv):
        """The command line that runs argv on this node."""
        return ["nsenter", "-t", str(self.init_pid), "-m", "-n", "-p", "--", *map(str, argv)]

    def spawn(self, *argv, log=None, limit_files=None, env=None):
        """Start a program in the background, its output in `log` (a name in the node's folder)."""
        argv = [str(a) for a in argv]
        if limit_files:
            argv = ["prlimit", f"--nofile={limit_files}", "--", *argv]
        name = os.path.basename(argv[0])
        with open(self.folder / (log or f"{name}.log"), "ab") as out:
            popen = subprocess.Popen(  # pylint: disable=consider-using-with
                self.enter(*argv), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                start_new_session=True, env=env, preexec_fn=tie if self.tied else None)
        return Process(popen, f"{self.name}/{name}")

    def run(self, *argv, timeout_s=120.0, check=True, text=None):
        """Run a program to its end and return the CompletedProcess with stdout and stderr as text."""
        popen = subprocess.Popen(
            self.enter(*argv), text=True, start_new_session=True,
            stdin=subprocess.DEVNULL if text is None else subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = popen.communicate(text, timeout_s)
        except subprocess.TimeoutExpired:
            for pid in children(popen.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            popen.kill()
            popen.communicate()
            raise LabError(f"{self.name}: {' '.join(map(str, argv))}: over {timeout_s:g} s") from None
        done = subprocess.CompletedProcess(argv, popen.returncode, out, err)
        if check and done.returncode:
            raise LabError(f"{self.name}: {' '.join(map(str, argv))}: exit {done.returncode}\n{out}{err}")
        return done

    def ping(self, address, count, size, interval, wait_s):
        """(count, answered) of echo requests with `size` bytes of payload; (count, 0) if they cannot even begin."""
        family = echo.family_of(address)
        with self.socket(family, socket.SOCK_RAW, echo.PROTOCOL[family]) as sock:
            return count, len(echo.echo(sock, address, count, size, interval, wait_s))

    def pings(self, address, interval, size=56):
        """Starts an endless ping."""
        return Pings(self, address, interval, size)

    def ip(self, *argv, check=True):
        """ip(8) on this node; one string is split at blanks."""
        if len(argv) == 1:
            argv = argv[0].split()
        return self.run("ip", *argv, check=check)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_STREAM, proto=0):
        """A socket that lives in this node's network although this process does not.

        A thread joins the namespace, opens the socket and ends; the socket stays where it was born.
        """
        box = []

        def born():
            try:
                with open(f"/proc/{self.init_pid}/ns/net", "rb") as f:
                    if LIBC.setns(f.fileno(), CLONE_NEWNET):
                        raise OSError(ctypes.get_errno(), "setns")
                box.append(socket.socket(family, kind, proto))
            except OSError as e:
                box.append(e)

        t = threading.Thread(target=born)
        t.start()
        t.join()
        if isinstance(box[0], OSError):
            raise box[0]
        return box[0]

    def close(self):
        """End every process of the node. Safe to call twice."""
        if not self.alive():
            return
        os.kill(self.holder_pid, signal.SIGKILL)
        if self.holder:
            self.holder.wait()
            self.holder.stdout.close()
        wait_for(f"{self.name}: end", lambda: not self.alive())


def link(hub_node, node, bridge, address4, address6):
    """A cable from `node` (interface eth0, with the addresses) to a bridge on `hub_node`."""
    port = f"to-{node.name}"[:15]
    hub_node_pid, node_pid = hub_node.init_pid, node.init_pid
    subprocess.run(["nsenter", f"--net=/proc/{hub_node_pid}/ns/net", "ip", "link", "add", port,
                    "type", "veth", "peer", "name", "eth0", "netns", str(node_pid)], check=True)
    hub_node.ip(f"link set {port} master {bridge} up")
    node.ip("link set eth0 up")
    node.ip(f"addr add {address4} dev eth0")
    node.ip(f"addr add {address6} dev eth0 nodad")
