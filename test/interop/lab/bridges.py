# SPDX-License-Identifier: BSD-3-Clause
"""Local bridges of the server under test: TAPs that stand in machines of their own, DPDK's virtual devices."""

import contextlib
import json
import pathlib
import re
import socket
import struct
import subprocess
import time

from . import frames
from .netns import PATIENCE_S, LabError, wait_for

ETH_P_ALL = 0x0003


def rows(server):
    """{name: record} of all bridges, field names without suffix."""
    return {r["PatchbayName_str"]: {k.rpartition("_")[0].removeprefix("Patchbay").removeprefix("."): v for k, v in r.items()}
            for r in server.rpc("EnumLocalBridge")["LocalBridgeList"]}


def wait_up(server, *names, timeout_s=PATIENCE_S):
    """Wait until these bridges are up with a link; their records."""
    def up():
        got = rows(server)
        return all(n in got and got[n]["State"] == "up" and got[n]["Link"] for n in names) and got
    try:
        return wait_for(f"bridges {names} up", up, timeout_s)
    except LabError as e:
        raise LabError(f"{e}\n{json.dumps(rows(server), indent=1)}") from None


def create_device(server, hub, devargs, name, wait=True):
    """Bridge the hub to a device."""
    server.ctl("bridge", "create", hub, "--dev", devargs, "--name", name)
    return wait_up(server, name)[name] if wait else None


def delete(server, hub, name):
    """End a bridge; it is gone on return."""
    server.ctl("bridge", "delete", hub, name)
    assert name not in rows(server)


def queues(server):
    """{lcore: ["bridge/queue", ...]}"""
    return {r["Index_u32"]: r["Queues_str"].split() for r in server.rpc("PatchbayEnumLcore")["LcoreList"]}


def telemetry(server, command):
    """The answer of DPDK's own telemetry socket in the daemon."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.connect(str(server.state / "dpdk/patchbay/dpdk_telemetry.v2"))
        sock.recv(65536)
        sock.send(command.encode())
        return next(iter(json.loads(sock.recv(65536)).values()))


def device_pools(server):
    """Pools that devices receive into, also those of closed ones that miss a frame buffer."""
    return [name for name in telemetry(server, "/mempool/list") if "_dev_" in name]


def pcap_frames(path):
    """All frames of a pcap file."""
    out, data = [], pathlib.Path(path).read_bytes()
    at = 24
    while at < len(data):
        (length,) = struct.unpack_from("<I", data, at + 8)
        out.append(data[at + 16:at + 16 + length])
        at += 16 + length
    return out


def write_pcap(path, frames):
    """A pcap file of these frames."""
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for data in frames:
            f.write(struct.pack("<IIII", 0, 0, len(data), len(data)) + data)
    return path


def all_is_back(server):
    """No frame buffer is missing: of closed devices' pools, which go when they are complete, and of the workers'."""
    wait_for("pools of devices gone", lambda: not device_pools(server))
    wait_for("frame buffers back", lambda: server.rpc("PatchbayQuiesce")["FrameBuffers_u32"] == 0)


def busy_share(server, enough, looks=5):
    """Least share of a CPU that the server took in a second, in so many looks or until it is below `enough`."""
    def busy_s():
        return sum(int((task / "schedstat").read_text().split()[0])
                   for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()) / 1e9
    least = 1.0
    for _ in range(looks):
        before, began = busy_s(), time.monotonic()
        time.sleep(1)
        least = min(least, (busy_s() - before) / (time.monotonic() - began))
        if least < enough:
            break
    return least


def end(lab):
    """The server's end: in order, and without a core file."""
    assert lab.server.stop() == 0
    cores = [p for folder in (lab.folder, pathlib.Path.cwd()) for p in folder.glob("**/core*" if folder == lab.folder else "core*")
             if p.is_file()]
    assert not cores, cores
    lab.close()


class TapHost:
    """A machine whose only card is a TAP of the server."""

    def __init__(self, lab, name, address, hub="DEFAULT", node=None):
        self.lab, self.name, self.address, self.hub = lab, name, address, hub
        self.node = node or lab.node(name)
        self.card = f"tap_{name}"
        self.plug()

    def plug(self):
        """Create the bridge and move its interface here."""
        self.lab.server.ctl("bridge", "create", self.hub, "--tap", self.name)
        wait_up(self.lab.server, self.name)
        self.take()

    def take(self):
        """Move the interface from the server to here and give it its address."""
        # Not with the server's ip(8): it would look the process up in the server's own /proc.
        subprocess.run(["nsenter", f"--net=/proc/{self.lab.nodes['server'].init_pid}/ns/net", "ip", "link", "set",
                        self.card, "netns", str(self.node.init_pid)], check=True)
        self.node.ip(f"addr add {self.address}/24 dev {self.card}")
        self.node.ip(f"link set {self.card} up")

    def unplug(self):
        """Delete the bridge; the interface goes with it."""
        delete(self.lab.server, self.hub, self.name)
        assert self.node.ip(f"link show {self.card}", check=False).returncode != 0, "the TAP is still there"

    def mac(self):
        """MAC address of the card."""
        return re.search("link/ether ([0-9a-f:]{17})", self.node.ip(f"link show {self.card}").stdout)[1]

    def packets(self):
        """A packet socket on the card: frames as they are, both ways."""
        sock = self.node.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        sock.bind((self.card, ETH_P_ALL))
        sock.settimeout(PATIENCE_S)
        return sock

    def arping(self, address, count=3, wait_s=10):
        """How many of so many ARP requests are answered, each within so long."""
        me = bytes.fromhex(self.mac().replace(":", ""))
        answers = 0
        with self.packets() as sock:
            for _ in range(count):
                sock.send(frames.arp_request(me, self.address, address))
                end = time.monotonic() + wait_s
                with contextlib.suppress(TimeoutError):
                    while (left := end - time.monotonic()) > 0:
                        sock.settimeout(left)
                        if frames.arp_reply_from(sock.recv(2048), address):
                            answers += 1
                            break
        return answers

    def ping(self, address, count=10, size=56, interval=0.01, wait_s=5):
        """(sent, received), as StockClient.ping."""
        return self.node.ping(address, count, size, interval, wait_s)
