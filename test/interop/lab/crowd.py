# SPDX-License-Identifier: BSD-3-Clause
"""Many administrators at once, who list and change without pause: PACK over TLS, JSON over HTTPS, the local socket.

A program of its own, so that its threads keep nobody else waiting:

    python3 -m lab.crowd GO SOCKET HOST PORT HUB PACK JSON LOCAL

calls while the file GO is there and waits while it is not; ends with SIGTERM and prints one JSON object: calls and
changes that were answered, per kind of connection the fewest of one of them, the longest answer, and what was refused.
"""

import json
import os
import pathlib
import signal
import socket
import sys
import threading
import time

from .admin import Api, Rpc
from .wireclient import Ended

PATIENCE_S = 120.0


class Here:
    """This process stands in the network where it is to call from."""

    @staticmethod
    def socket(family=socket.AF_INET, kind=socket.SOCK_STREAM):
        """As Node.socket()."""
        return socket.socket(family, kind)


class Local:
    """JSON-RPC on the daemon's socket, kept open."""

    def __init__(self, path):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE_S)
        self.sock.connect(path)
        self.file = self.sock.makefile("rb")

    def call(self, method, **params):
        """A method's result, RuntimeError if it was refused."""
        self.sock.sendall(json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode() + b"\n")
        got = json.loads(self.file.readline() or b"{}")
        if "result" not in got:
            raise RuntimeError(f"{method}: {got.get('error', 'no answer')}")
        return got["result"]


class JsonCaller:
    """One who lists, and changes a user, a group and a rule of its own."""

    def __init__(self, api, hub, name):
        self.call, self.hub, self.name, self.turn = api.call, hub, name, 0
        self.call("CreateUser", HubName_str=hub, Name_str=name, AuthType_u32=0)

    def lists(self):
        """One list or status, another each time."""
        h = {"HubName_str": self.hub}
        self.turn += 1
        what = [("EnumUser", h), ("EnumSession", h), ("EnumHub", {}), ("EnumMacTable", h), ("GetHubStatus", h), ("EnumAccess", h),
                ("EnumConnection", {}), ("GetServerStatus", {}), ("EnumIpTable", h), ("GetUser", {**h, "Name_str": self.name})]
        method, params = what[self.turn % len(what)]
        self.call(method, **params)

    def changes(self):
        """One change, another each time."""
        h, turn = {"HubName_str": self.hub}, self.turn % 4
        if turn == 0:
            self.call("SetUser", **h, Name_str=self.name, AuthType_u32=0, Note_utf=f"note {self.turn}",
                      UsePolicy_bool=True, **{"policy:Access_bool": True, "policy:MaxUpload_u32": 1000000 + self.turn})
        elif turn == 1:
            self.call("CreateGroup", **h, Name_str=f"g-{self.name}", Note_utf="for a moment")
        elif turn == 2:
            self.call("DeleteGroup", **h, Name_str=f"g-{self.name}")
        else:
            self.call("SetHubExtOptions", **h, AdminOptionList=[{"Name_str": "DetectDormantSessionInterval",
                                                                 "Value_u32": self.turn % 7 * 100}])


class PackCaller:
    """The same with PACKs."""

    def __init__(self, rpc, hub, name):
        self.call, self.hub, self.name, self.turn = rpc.call, hub, name, 0
        self.call("CreateUser", HubName=hub, Name=name, AuthType=0)

    def lists(self):
        """One list or status, another each time."""
        h = {"HubName": self.hub}
        self.turn += 1
        what = [("EnumUser", h), ("EnumSession", h), ("EnumHub", {}), ("EnumMacTable", h), ("GetHubStatus", h), ("EnumAccess", h),
                ("GetServerStatus", {}), ("EnumListener", {}), ("GetUser", {**h, "Name": self.name})]
        method, params = what[self.turn % len(what)]
        self.call(method, **params)

    def changes(self):
        """One change, another each time."""
        turn = self.turn % 3
        if turn == 0:
            self.call("SetUser", HubName=self.hub, Name=self.name, AuthType=0, Note=f"note {self.turn}")
        elif turn == 1:
            self.call("CreateGroup", HubName=self.hub, Name=f"g-{self.name}")
        else:
            self.call("DeleteGroup", HubName=self.hub, Name=f"g-{self.name}")


def patient(caller):
    """A hundred threads of this program share what a busy machine leaves it: silence is judged by the test's end."""
    caller.conn.timeout_s = PATIENCE_S
    if isinstance(caller, Rpc):
        caller.recv = lambda: Rpc.recv(caller, PATIENCE_S)
    return caller


class Caller(threading.Thread):
    """One connection's thread."""

    def __init__(self, kind, make, name, crowd):
        super().__init__(daemon=True)
        self.kind, self.make, self.called, self.crowd = kind, make, name, crowd
        self.calls = self.changed = 0
        self.longest, self.wrong = 0.0, None
        self.ready = threading.Event()

    def run(self):
        try:
            caller = self.make(self.called)
            self.ready.set()
            while not self.crowd.ended.is_set():
                if not self.crowd.go.exists():
                    time.sleep(0.02)
                    continue
                for do in (caller.lists, caller.changes):
                    began = time.monotonic()
                    do()
                    self.longest = max(self.longest, time.monotonic() - began)
                    self.calls += 1
                self.changed += 1
        except (OSError, RuntimeError, Ended, ValueError, KeyError) as e:
            self.wrong = f"{self.called}: {e!r}"
        except Exception as e:  # pylint: disable=broad-except
            self.wrong = f"{self.called}: {e!r}"
        self.ready.set()


class Crowd:
    """All of them."""

    def __init__(self, go, path, host, port, hub, counts):
        self.go, self.ended = pathlib.Path(go), threading.Event()
        ways = {"pack": lambda name: PackCaller(patient(Rpc(Here, host, port)), hub, name),
                "json": lambda name: JsonCaller(patient(Api(Here, host, port)), hub, name),
                "local": lambda name: JsonCaller(Local(path), hub, name)}
        self.callers = [Caller(kind, ways[kind], f"{kind}{i}", self) for kind, cnt in counts.items() for i in range(cnt)]

    def run(self):
        """Until SIGTERM; what came of it."""
        for caller in self.callers:
            caller.start()
            caller.ready.wait(PATIENCE_S)  # one login after the other
        print("ready", flush=True)
        signal.sigwait({signal.SIGTERM})
        self.ended.set()
        for caller in self.callers:
            caller.join(PATIENCE_S)
        by_kind = {}
        for caller in self.callers:
            by_kind.setdefault(caller.kind, []).append(caller)
        return {"wrong": [c.wrong for c in self.callers if c.wrong], "stuck": [c.called for c in self.callers if c.is_alive()],
                "longest_s": max(c.longest for c in self.callers),
                "kinds": {k: {"connections": len(v), "calls": sum(c.calls for c in v), "changes": sum(c.changed for c in v),
                              "fewest": min(c.calls for c in v)} for k, v in by_kind.items()}}


def main(argv):
    """See above."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    go, path, host, port, hub, *counts = argv
    crowd = Crowd(go, path, host, int(port), hub, dict(zip(("pack", "json", "local"), map(int, counts))))
    print(json.dumps(crowd.run()), flush=True)
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
