# SPDX-License-Identifier: BSD-3-Clause
"""Debian's softether-vpnclient, unmodified, driven through vpncmd.

One virtual LAN card (`vpn_vpn0`) per client, one account at a time. UDP acceleration is switched off
in every account: it is the clients' default and would carry the frames past what is tested here.
"""

import csv
import io
import os
import re
import signal

from .netns import LabError, children, wait_for
from .server import SOFTETHER, stock_binds, vpncmd

NIC = "vpn_vpn0"


class StockClient:
    """The client program on a node, with an address on its virtual LAN card."""

    binds = staticmethod(stock_binds)

    def __init__(self, node, address):
        self.node, self.address = node, address
        self.process = None
        self.account = None
        self.made = False

    def start(self):
        """Start the program and wait until it can be driven."""
        self.process = self.node.spawn(f"{SOFTETHER}/vpnclient/vpnclient", "execsvc", log="client.log")
        wait_for("vpnclient: control port", lambda: self.node.run(
            "vpncmd", "localhost", "/CLIENT", "/CMD", "About", check=False).returncode == 0, 60)
        if not self.made:
            self.control("NicCreate vpn0")
            self.made = True
        # The card is born with the program and forgets its address with it.
        wait_for("vpnclient: LAN card", lambda: self.node.ip(f"link show {NIC}", check=False).returncode == 0)
        self.node.ip(f"addr add {self.address}/24 dev {NIC}")
        self.node.ip(f"link set {NIC} up")
        return self

    def control(self, *commands, csv_out=False):
        """Commands of vpncmd's client mode."""
        return vpncmd(self.node, "localhost", "/CLIENT", *(["/CSV"] if csv_out else []), commands=commands)

    def create(self, account, host, port, hub, user, password=None, tcp_only=True, connections=1,
               retry_s=5, half=False, encrypt=True, compress=False, life_s=0, qos=False, udp=False,
               bridge=False, monitor=False):
        """Make an account. tcp_only appends /tcp to the host: no probe, and a way back after a crash."""
        name = f"{host}/tcp" if tcp_only else host
        self.control(
            f"AccountCreate {account} /SERVER:{name}:{port} /HUB:{hub} /USERNAME:{user} /NICNAME:vpn0",
            f"AccountPasswordSet {account} /PASSWORD:{password} /TYPE:standard" if password
            else f"AccountAnonymousSet {account}",
            f"AccountRetrySet {account} /NUM:999 /INTERVAL:{retry_s}",
            f"AccountDetailSet {account} /MAXTCP:{connections} /INTERVAL:1 /TTL:{life_s} "
            f"/HALF:{'yes' if half else 'no'} /BRIDGE:{'yes' if bridge else 'no'} "
            f"/MONITOR:{'yes' if monitor else 'no'} /NOTRACK:yes /NOQOS:{'no' if qos else 'yes'} /DISABLEUDP:{'no' if udp else 'yes'}",
            f"AccountEncrypt{'Enable' if encrypt else 'Disable'} {account}",
            f"AccountCompress{'Enable' if compress else 'Disable'} {account}")

    def connect(self, account, wait=True, timeout_s=60.0):
        """Connect, by default waiting for the session."""
        self.control(f"AccountConnect {account}")
        self.account = account
        if wait:
            self.wait_connected(timeout_s)
        return self

    def join(self, host, port, hub, user, password=None, **options):
        """Leave what is connected, make a fresh account and connect with it."""
        if self.account:
            self.leave()
        self.create("lab", host, port, hub, user, password, **options)
        return self.connect("lab")

    def leave(self):
        """Disconnect and delete the account."""
        account, self.account = self.account, None
        for command in (f"AccountDisconnect {account}", f"AccountDelete {account}"):
            try:
                self.control(command)
            except LabError:
                if "Delete" in command:
                    raise

    def status(self):
        """AccountStatusGet as {item: value}, {} while not connected."""
        try:
            out = self.control(f"AccountStatusGet {self.account}", csv_out=True)
        except LabError:
            return {}
        rows = csv.reader(io.StringIO(out))
        return {row[0]: row[1] for row in rows if len(row) == 2}

    def connected(self):
        """Whether the session is established (which it also claims while only rejoining)."""
        return "Established" in self.status().get("Session Status", "")

    def wait_connected(self, timeout_s=60.0):
        """Wait for the session."""
        wait_for(f"client {self.node.name}: session established ({self.last_error()})", self.connected, timeout_s, 0.1)

    def session_name(self):
        """The session's name as the server gave it."""
        return self.status().get("Session Name")

    def mac(self):
        """MAC address of the virtual LAN card."""
        return re.search("link/ether ([0-9a-f:]{17})", self.node.ip(f"link show {NIC}").stdout)[1]

    def log(self):
        """The client's own log."""
        return "\n".join(p.read_text("utf-8", "replace")
                         for p in sorted((self.node.folder / "log").rglob("*.log")))

    def errors(self):
        """Error codes the client has logged, in order; 6, our own disconnecting, left out."""
        return [int(n) for n in re.findall(r"\(code (\d+)\)", self.log()) if n != "6"]

    def last_error(self):
        """The last of them, None without."""
        return (self.errors() or [None])[-1]

    def ping(self, address, count=10, size=56, interval=0.01, wait_s=5):
        """(sent, received) of echo requests; `size` is the payload: 1472 makes frames of 1514, 0 of 42.

        While the client is not connected its card is down, and they do not even begin: (count, 0).
        """
        return self.node.ping(address, count, size, interval, wait_s)

    def reaches(self, address):
        """One ping, one answer."""
        return self.ping(address, 1, wait_s=1)[1] == 1

    def kill(self):
        """SIGKILL to the client and its worker process: no goodbye of any kind but the kernel's."""
        for pid in [*children(self.process.pid), self.process.pid]:
            os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self):
        """An orderly end, configuration kept."""
        self.node.run("vpnclient", "stop")
        self.process.wait()
