# SPDX-License-Identifier: BSD-3-Clause
"""Administrators from the network: the real vpncmd, and our own clients of the PACK RPC and of JSON over HTTPS.

Ours are written from admin-rpc.md alone, as wireclient.py is from wire.md.
"""

import base64
import csv
import dataclasses
import io
import json
import os
import re
import struct

from . import pack
from .netns import PATIENCE_S
from .server import ADMIN_PASSWORD, persistent
from .wireclient import Ended, connect

USAGE = re.compile(r"/HELP\" to see|Cannot find specified file|first select the Virtual Hub")  # then it asks the server nothing
ERROR = re.compile(r"Error occurred\. \(Error code: (\d+)\)")


@dataclasses.dataclass
class Done:
    """One command of a vpncmd script: what it said, and with which error (0: none)."""
    command: str
    error: int
    text: str

    def rows(self):
        """The table it printed (with /CSV), as dictionaries."""
        return list(csv.DictReader(io.StringIO(self.text)))

    def items(self):
        """A table of two columns, Item and Value, as one dictionary."""
        return {row["Item"]: row["Value"] for row in self.rows()}


def vpncmd(node, commands, port=8888, hub=None, password=ADMIN_PASSWORD, host="localhost", timeout_s=180.0):
    """Run a script of commands in the real vpncmd, as the server's or (hub=) a hub's administrator: [Done].

    A script goes on behind a command that fails. A login that fails gives one Done without a command.
    """
    script = node.folder / "vpncmd.in"
    script.write_text("\n".join(commands) + "\n", encoding="utf-8")
    target = [f"{host}:{port}", "/SERVER", *([f"/HUB:{hub}"] if hub else []),
              *([f"/PASSWORD:{password}"] if password else []), "/CSV", f"/IN:{script}"]
    run = persistent(lambda: node.run("env", "LANG=C.UTF-8", "vpncmd", *target, timeout_s=timeout_s, check=False))
    # Prompts end in the command that was read, so that each is the head of what it printed.
    pieces = re.split(r"^VPN Server(?:/[^>\n]*)?>(.*)\n", run.stdout, flags=re.M)
    out = []
    for command, text in zip(pieces[1::2], pieces[2::2]):
        if USAGE.search(text):
            raise AssertionError(f"vpncmd did not understand: {command}\n{text}")
        error = ERROR.search(text)
        out.append(Done(command, int(error[1]) if error else 0, text))
    if not out:
        error = ERROR.search(run.stdout)
        out.append(Done("", int(error[1]) if error else run.returncode, run.stdout))
    return out


def relative(path):
    """A path as an argument of a command: one that begins with a slash is an option to vpncmd."""
    return os.path.relpath(path)


class RpcError(Exception):
    """The server refused a call, or the login."""

    def __init__(self, code, what=""):
        super().__init__(f"error {code} {what}")
        self.code = code


class Client:
    """Has a connection, and leaves at the end of a with."""

    conn = None

    def close(self):
        """Leave."""
        if self.conn is not None:
            self.conn.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Rpc(Client):
    """An administrator's connection of our own."""

    def __init__(self, node, host, port=8888, hub="", password=ADMIN_PASSWORD, **options):
        self.conn = connect(node, host, port, **options)
        hello = pack.decode(self.conn.http("POST", "/vpnsvc/connect.cgi", b"VPNCONNECT")[2])
        proof = pack.sha0(pack.sha0(password.encode()) + hello["random"][0])
        answer = self.conn.pack({"method": "admin", "client_str": "lab", "client_ver": 501, "client_build": 9674,
                                 "accept_empty_password": True, "secure_password": proof,
                                 **({"hubname": hub} if hub else {})})
        if pack.first(answer, "error", 0):
            code = pack.first(answer, "error")
            self.close()
            raise RpcError(code, "login")

    def send(self, body):
        """One frame."""
        self.conn.send(struct.pack(">I", len(body)) + body)

    def recv(self, timeout_s=60.0):
        """One frame's PACK."""
        (size,) = struct.unpack(">I", self.conn.recv_exactly(4, timeout_s))
        return pack.decode(self.conn.recv_exactly(size, timeout_s))

    def call(self, method, **params):
        """A method's answer, {name: [values]}; RpcError if it was refused."""
        self.send(pack.encode({"function_name": method, **params}))
        answer = self.recv()
        if pack.first(answer, "error", 0):
            raise RpcError(pack.first(answer, "error"), method)
        return answer

    def ended(self, timeout_s=PATIENCE_S):
        """Whether the server ends the connection, without a word but TLS's."""
        try:
            self.conn.recv_exactly(1, timeout_s)
        except Ended:
            return self.conn.end == "close_notify"
        return False


class Api(Client):
    """JSON-RPC 2.0 over HTTPS, on one connection that is kept."""

    def __init__(self, node, host, port=8888, hub="", password=ADMIN_PASSWORD, basic=False):
        self.conn = connect(node, host, port)
        self.headers = {"Content-Type": "application/json", "Host": f"{host}:{port}"}
        if password is None:
            pass
        elif basic:
            self.headers["Authorization"] = "Basic " + base64.b64encode(f"{hub}:{password}".encode()).decode()
        else:
            self.headers["X-VPNADMIN-PASSWORD"] = password
            if hub:
                self.headers["X-VPNADMIN-HUBNAME"] = hub
        self.chunks = 0  # of the last answer

    def post(self, body, target="/api/", headers=None, version="HTTP/1.1"):
        """Send a body; (status, body)."""
        self.conn.send_http("POST", target, body, {**self.headers, **(headers or {})}, version)
        status = int(self.conn.read_line().split(" ")[1])
        got = {}
        while line := self.conn.read_line():
            name, _, value = line.partition(":")
            got[name.strip().lower()] = value.strip()
        self.chunks = 0
        if got.get("transfer-encoding") != "chunked":
            return status, self.conn.recv_exactly(int(got["content-length"]))
        out = b""
        while size := int(self.conn.read_line(), 16):
            out += self.conn.recv_exactly(size)
            assert self.conn.read_line() == ""
            self.chunks += 1
        assert self.conn.read_line() == ""
        return status, out

    def call(self, method, **params):
        """A method's result; RpcError if it was refused."""
        status, body = self.post(json.dumps({"jsonrpc": "2.0", "id": "1", "method": method, "params": params}).encode())
        if status != 200:
            raise RpcError(status, "HTTP")
        answer = json.loads(body)
        if "error" in answer:
            raise RpcError(answer["error"]["code"], answer["error"]["message"])
        return answer["result"]
