# SPDX-License-Identifier: BSD-3-Clause
"""Echo requests whose late answers count as answers.

ping(8) ends twice the longest round trip behind its last packet, once anything has been answered. On a machine
that stands still for a moment just then, answers that are under way pass for lost ones (b83b7ee, and a run of
2026-11-27: one of three). This waits for as long as it is told.
"""

import array
import os
import select
import socket
import struct
import sys
import time

REQUEST = {socket.AF_INET: 8, socket.AF_INET6: 128}
ANSWER = {socket.AF_INET: 0, socket.AF_INET6: 129}
PROTOCOL = {socket.AF_INET: socket.IPPROTO_ICMP, socket.AF_INET6: socket.IPPROTO_ICMPV6}
PATIENCE_S = 5.0  # at least, where some of many have been answered


def family_of(address):
    """AF_INET or AF_INET6."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def checksum(data):
    """The Internet checksum, as it is stored."""
    words = array.array("H", data + b"\0" * (len(data) % 2))
    total = sum(words)
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return (~total & 0xffff).to_bytes(2, sys.byteorder)


def request(family, ident, seq, size):
    """A message; the kernel fills in the checksum of ICMPv6."""
    payload = bytes(i & 0xff for i in range(size))
    head = struct.pack("!BBHHH", REQUEST[family], 0, 0, ident, seq)
    if family == socket.AF_INET:
        head = head[:2] + checksum(head + payload) + head[4:]
    return head + payload


def answer(family, ident, data):
    """The sequence number that this answers, or None."""
    if family == socket.AF_INET and data:
        data = data[4 * (data[0] & 15):]
    if len(data) < 8:
        return None
    kind, _, _, whose, seq = struct.unpack("!BBHHH", data[:8])
    return seq if (kind, whose) == (ANSWER[family], ident) else None


def collect(sock, family, ident, answered, until):
    """Takes what comes into the set `answered`, until then or until one has come."""
    if not select.select([sock], [], [], max(0.0, until - time.monotonic()))[0]:
        return
    try:
        answered.add(answer(family, ident, sock.recv(65536)))
    except OSError:
        pass  # an error that some router or our own ARP tells of: no answer
    answered.discard(None)


def echo(sock, address, count, size, interval, wait_s):
    """The numbers, from 1 to count, of those answered, of so many requests on a raw socket of this address's family.

    Waits behind the last for wait_s, or for PATIENCE_S if some are answered; not at all if all are.
    """
    family, ident = family_of(address), int.from_bytes(os.urandom(2), "big")
    answered = set()
    try:
        sock.connect((address, 0))
    except OSError:
        return answered
    due = time.monotonic()
    for seq in range(1, count + 1):
        try:
            sock.send(request(family, ident, seq, size))
        except OSError:
            pass  # lost
        due = max(due + interval, time.monotonic()) if seq < count else time.monotonic()
        while seq < count and time.monotonic() < due:
            collect(sock, family, ident, answered, due)
    while len(answered) < count:
        until = due + (max(wait_s, PATIENCE_S) if answered else wait_s)
        if time.monotonic() >= until:
            break
        collect(sock, family, ident, answered, until)
    return answered
