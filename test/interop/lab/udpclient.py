# SPDX-License-Identifier: BSD-3-Clause
"""UDP acceleration of our own client, written from wire.md section 7 alone: version 1 and plain.

    udp = UdpPath(node)                             a socket with an offer to log in with
    session.login("DEFAULT", "u", **udp.offer())
    udp.start(session)                              keep-alives on a thread of its own
    udp.send(frame); udp.wait_frame(...)

Everything that came is kept with its time, so that tests can judge what was sent where and how often.
"""

import hashlib
import os
import socket
import struct
import threading
import time
import zlib

from . import pack
from .netns import PATIENCE_S

HEADER = struct.Struct(">IQQHB")


def rc4(key, data):
    """The stream cipher of version 1."""
    s, j = list(range(256)), 0
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) & 255
        s[i], s[j] = s[j], s[i]
    out, i, j = bytearray(), 0, 0
    for byte in data:
        i = (i + 1) & 255
        j = (j + s[i]) & 255
        s[i], s[j] = s[j], s[i]
        out.append(byte ^ s[(s[i] + s[j]) & 255])
    return bytes(out)


class UdpPath:
    """One side of the UDP path of a session of wireclient.py."""

    def __init__(self, node, family=socket.AF_INET, encrypted=True):
        self.sock = node.socket(family, socket.SOCK_DGRAM)
        self.sock.bind(("", 0))
        self.sock.settimeout(0.05)
        self.encrypted = encrypted
        self.key = os.urandom(20)
        self.peer_key = self.cookie = self.peer_cookie = self.server = None
        self.cond = threading.Condition()
        self.came = []  # (time, bytes of frame or b"", compressed)
        self.bad = 0
        self.peer_tick = 0
        self.echoed = 0
        self.stopping = threading.Event()
        self.mute = threading.Event()
        self.thread = None
        self.last = b""  # the last datagram with a frame that we sent

    def offer(self, version=1, ip=None, port=None):
        """Elements of the login."""
        return {"use_udp_acceleration": 1, "udp_acceleration_version": 1, "udp_acceleration_max_version": version,
                **({"udp_acceleration_client_ip": struct.unpack("<I", socket.inet_aton(ip))[0],
                    "udp_acceleration_client_ip@ipv6_bool": 0, "udp_acceleration_client_ip@ipv6_array": bytes(16),
                    "udp_acceleration_client_ip@ipv6_scope_id": 0} if ip else {}),
                "udp_acceleration_client_port": port or self.sock.getsockname()[1],
                "udp_acceleration_client_key": self.key,
                "udp_acceleration_client_key_v2": os.urandom(128),
                "support_hmac_on_udp_acceleration": 1, "support_udp_accel_fast_disconnect_detect": 1,
                **({} if self.encrypted else {"use_encrypt": 0})}

    def accept(self, session, host):
        """Read the welcome; False if the server refused."""
        if not pack.first(session.welcome, "use_udp_acceleration", 0):
            return False
        self.peer_key = pack.first(session.welcome, "udp_acceleration_server_key")
        self.cookie = pack.first(session.welcome, "udp_acceleration_client_cookie")
        self.peer_cookie = pack.first(session.welcome, "udp_acceleration_server_cookie")
        self.server = (host, pack.first(session.welcome, "udp_acceleration_server_port"))
        return True

    def start(self, session, host, speak=True):
        """Read, and unless told otherwise send keep-alives."""
        assert self.accept(session, host), session.welcome
        if not speak:
            self.mute.set()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        return self

    @staticmethod
    def now():
        """Our tick."""
        return int(time.monotonic() * 1000) + 1

    def build(self, frame=b"", compress=False, tick=None, cookie=None):
        """A datagram."""
        data = zlib.compress(frame) if compress else frame
        body = HEADER.pack(self.peer_cookie if cookie is None else cookie, tick or self.now(), self.peer_tick,
                           len(data), compress) + data
        if not self.encrypted:
            return body
        iv = os.urandom(20)
        return iv + rc4(hashlib.sha1(self.key + iv).digest(), body + bytes(7) + bytes(20))

    def open(self, datagram):
        """(plain body, cookie, tick, echo, size, flag) of a datagram from the server; None if it is not from there."""
        body = datagram
        if self.encrypted:
            body = rc4(hashlib.sha1(self.peer_key + datagram[:20]).digest(), datagram[20:])
            if body[-20:] != bytes(20):
                return None
        head = HEADER.unpack_from(body)
        return (body, *head) if head[0] == self.cookie else None

    def read(self, datagram):
        """Take one apart; False if it is none of ours."""
        opened = self.open(datagram)
        if not opened:
            return False
        body, _, tick, echo, size, flag = opened
        data = body[HEADER.size:HEADER.size + size]
        self.peer_tick = max(self.peer_tick, tick)
        self.echoed = max(self.echoed, echo)
        with self.cond:
            self.came.append((time.monotonic(), zlib.decompress(data) if flag == 1 else data, flag == 1))
            self.cond.notify_all()
        return True

    def send(self, frame, compress=False):
        """A frame."""
        self.last = self.build(frame, compress)
        self.sock.sendto(self.last, self.server)

    def run(self):
        """Keep-alives out, everything in."""
        due = 0.0
        while not self.stopping.is_set():
            if not self.mute.is_set() and time.monotonic() >= due:
                self.sock.sendto(self.build(), self.server)
                due = time.monotonic() + 0.5
            try:
                datagram = self.sock.recv(4096)
            except TimeoutError:
                continue
            except OSError:
                continue  # rebind() closed it under us
            if not self.read(datagram):
                self.bad += 1

    def wait_frame(self, wanted, timeout_s=PATIENCE_S):
        """The first frame that came over UDP and that `wanted` accepts."""
        deadline = time.monotonic() + timeout_s
        with self.cond:
            while True:
                for _, frame, compressed in self.came:
                    if frame and wanted(frame):
                        return frame, compressed
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self.cond.wait(left)

    def rebind(self, node):
        """Another port from now on, as behind a NAT that forgot us."""
        old, self.sock = self.sock, node.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("", 0))
        self.sock.settimeout(0.05)
        old.close()

    def close(self):
        """End the thread and the socket."""
        self.stopping.set()
        if self.thread:
            self.thread.join(5)
        self.sock.close()
