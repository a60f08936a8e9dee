# SPDX-License-Identifier: BSD-3-Clause
"""The lab: one server, two stock clients, room for our own client.

              10.77.0.1  fd77::1
        +------------- server ---------------+
        |  patchbayd (or the stock server)   |
        |  bridge wan0                       |
        +---+-------------+-------------+----+
            | eth0 .11    | eth0 .12    | eth0 .13
        +---+---+     +---+---+     +---+----+
        |   a   |     |   b   |     |  wire  |   each box: network, mount and process
        | stock |     | stock |     | own    |   namespaces of its own
        +-------+     +-------+     +--------+
         vpn_vpn0      vpn_vpn0
        192.168.50.1  192.168.50.2      <- the virtual LAN, switched by the hub
"""

import json
import pathlib
import shutil
import tempfile

from .client import StockClient
from .netns import Node, link
from .server import KINDS, Patchbay

SERVER4, SERVER6 = "10.77.0.1", "fd77::1"


class Lab:
    """Nodes, a server, clients. Use as a context manager: leaving it ends everything."""

    def __init__(self, kind="patchbay", folder=None, tied=True, **server_options):
        self.kind, self.tied = kind, tied
        self.own_folder = folder is None
        self.folder = pathlib.Path(folder or tempfile.mkdtemp(prefix="patchbay-lab."))
        self.nodes, self.clients = {}, {}
        self.server = None
        self.hosts = 10
        try:
            server = self.node("server", binds=KINDS[kind].binds(self.folder / "server"))
            # An address of its own: else the bridge takes that of a port, a new one with each new port.
            server.ip("link add wan0 address 02:77:00:00:00:01 type bridge")
            server.ip("link set wan0 up")
            server.ip(f"addr add {SERVER4}/24 dev wan0")
            server.ip(f"addr add {SERVER6}/64 dev wan0 nodad")
            self.server = KINDS[kind](server, **server_options)
        except BaseException:
            self.close()
            raise

    def node(self, name, net=None, binds=()):
        """A bare node, not connected to anything."""
        self.nodes[name] = Node(name, self.folder / name, net, binds, self.tied)
        return self.nodes[name]

    def host(self, name, binds=()):
        """A node with a cable to the server; the n-th has the addresses .10+n."""
        node = self.node(name, binds=binds)
        self.hosts += 1
        link(self.nodes["server"], node, "wan0", f"10.77.0.{self.hosts}/24", f"fd77::{self.hosts}/64")
        return node

    def client(self, name, address, on_server=False):
        """A running stock client; on_server puts it into the server's network, for loopback."""
        binds = StockClient.binds(self.folder / name)
        node = self.node(name, self.nodes["server"], binds) if on_server else self.host(name, binds)
        self.clients[name] = StockClient(node, address).start()
        return self.clients[name]

    def save(self):
        """Write down what `load` needs."""
        (self.folder / "lab.json").write_text(json.dumps({
            "kind": self.kind, "nodes": [n.describe() for n in self.nodes.values()],
            "clients": {n: c.address for n, c in self.clients.items()}}), encoding="utf-8")

    @classmethod
    def load(cls, folder):
        """A lab that another process built and saved; FileNotFoundError without one."""
        self = cls.__new__(cls)
        self.folder, self.own_folder, self.tied, self.hosts = pathlib.Path(folder), False, False, 10
        saved = json.loads((self.folder / "lab.json").read_text("utf-8"))
        self.kind = saved["kind"]
        self.nodes = {n["name"]: Node.attach(n, self.folder / n["name"]) for n in saved["nodes"]}
        self.server = KINDS[self.kind](self.nodes["server"])
        self.clients = {n: StockClient(self.nodes[n], a) for n, a in saved["clients"].items()}
        for client in self.clients.values():
            client.account = "lab"
        return self

    def report(self):
        """What a person wants to read when a test has failed."""
        out = [f"--- server log\n{self.server.log()[-6000:]}"] if self.server else []
        if isinstance(self.server, Patchbay) and self.server.process and self.server.process.poll() is None:
            for command in ("connection list", "session list", "stats"):
                out.append(f"--- patchbayctl {command}\n{self.server.ctl_run(*command.split(), as_json=False).stdout}")
        out += [f"--- client {n}\n{c.log()[-1500:]}" for n, c in self.clients.items()]
        return "\n".join(out)

    def close(self):
        """End every process and remove the folder if it is ours."""
        for node in reversed(self.nodes.values()):
            node.close()
        if self.own_folder:
            shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
