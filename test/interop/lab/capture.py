# SPDX-License-Identifier: BSD-3-Clause
"""What tshark sees on a node's cable."""

import signal
import time

from .netns import wait_for


class Capture:
    """A capture in the background of TCP to and from a port, while the `with` block lasts; then its segments.

    segments: [{"port": the client's, "out": sent by the client, "types": TLS record types that end in it,
    "lengths": of their bodies, "payload": bytes, "udp": a datagram and no segment, "address": of the sender, "from":
    the sender's UDP port, "time": when it was seen, in seconds}]

    `ports`: libpcap's filter instead, also of UDP; then "out" says that the node itself sent it.
    """

    FIELDS = ("tcp.srcport", "tcp.dstport", "tls.record.content_type", "tls.record.opaque_type", "tls.record.length",
              "tcp.payload", "udp.payload", "ip.src", "udp.srcport", "frame.time_epoch")

    def __init__(self, node, port, interface="eth0", ports=None):
        self.node, self.port, self.interface = node, port, interface
        self.filter = ports or f"tcp port {port}"
        self.own = node.ip(f"-4 -o addr show {interface}").stdout.split()[3].split("/")[0] if ports else None
        self.file = node.folder / "capture.pcapng"
        self.segments = []
        self.process = None

    def __enter__(self):
        self.file.unlink(missing_ok=True)
        # Room in the kernel (MiB) for all that may come while the writer gets no CPU: a gap would make nonsense of what follows.
        self.process = self.node.spawn("tshark", "-q", "-B", "64", "-i", self.interface, "-f", self.filter,
                                       "-w", self.file, log="tshark.log")
        # It writes the file's head when it begins, and the log's line when it listens.
        wait_for("tshark", lambda: self.file.exists() and self.file.stat().st_size > 0
                 and "Capturing on" in (self.node.folder / "tshark.log").read_text("utf-8"), 60)
        return self

    def __exit__(self, *error):
        # What was sent last may not have been written yet, by somebody who waits for a CPU.
        size, now = -1, time.time()

        def settled():
            nonlocal size
            last, size = size, self.file.stat().st_size
            return size == last

        def beyond():
            """Over UDP there are keep-alives without end: one that is younger than what was to be seen stands behind that."""
            times = self.node.run("tshark", "-r", self.file, "-T", "fields", "-e", "frame.time_epoch", check=False).stdout.split()
            return times and float(times[-1]) > now
        wait_for("the capture to settle", beyond if self.own else settled, step_s=0.8)
        self.process.signal(signal.SIGINT)
        self.process.wait()
        (self.node.folder / "tshark.log").unlink()
        if not error[0]:
            self.read()

    def read(self):
        """Take the file apart."""
        args = [arg for field in self.FIELDS for arg in ("-e", field)]
        out = self.node.run("tshark", "-r", self.file, "-d", f"tcp.port=={self.port},tls", "-Y", "tcp.len > 0 or udp",
                            "-T", "fields", *args, timeout_s=60).stdout
        for line in out.splitlines():
            source, target, types, opaque, lengths, payload, datagram, address, port, when = line.split("\t")
            outwards = address == self.own if self.own else int(target) == self.port
            numbers = [n for n in (types + "," + opaque).split(",") if n]
            self.segments.append({
                "port": int((source if outwards else target) or 0), "out": outwards, "types": [int(n) for n in numbers],
                "lengths": [int(n) for n in lengths.split(",") if n], "payload": bytes.fromhex(payload or datagram),
                "udp": bool(datagram), "address": address, "from": int(port or 0), "time": float(when)})

    def of(self, conn, outwards):
        """Segments of a wireclient connection in one direction."""
        return [s for s in self.segments if s["port"] == conn.port and s["out"] == outwards]

    def payload(self, conn, outwards):
        """All bytes of a connection in one direction."""
        return b"".join(s["payload"] for s in self.of(conn, outwards))
