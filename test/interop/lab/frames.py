# SPDX-License-Identifier: BSD-3-Clause
"""Ethernet frames made by hand, so that every byte and every length is known."""

import os
import struct

BROADCAST = b"\xff" * 6
TEST_TYPE = 0x88B5  # IEEE 802 local experimental EtherType: no stack answers it


def mac(number, group=0):
    """A locally administered unicast address; group keeps the tests apart."""
    return struct.pack(">BBI", 0x02, group, number)


def frame(dst, src, size=60, payload=b"", ethertype=TEST_TYPE):
    """A frame of exactly `size` bytes (at least header and payload), filled up at random."""
    head = dst + src + struct.pack(">H", ethertype) + payload
    return head + os.urandom(max(0, size - len(head)))


def flood(src, number, size):
    """A broadcast that the storm limiter does not add to the others: an IPv4 destination of its own (hub.md 7)."""
    head = struct.pack(">BBHHHBBHII", 0x45, 0, size - 14, 0, 0, 64, 253, 0, 0x0A010001, 0x0A020000 + number)
    return frame(BROADCAST, src, size, head, 0x0800)


def arp_request(src, sender_ip, target_ip):
    """The 42 bytes of an ARP request, unpadded as they travel in a session."""
    return (BROADCAST + src + struct.pack(">HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + src
            + bytes(map(int, sender_ip.split("."))) + bytes(6) + bytes(map(int, target_ip.split("."))))


def arp_reply_from(frame_, ip):
    """Whether a frame is the ARP reply of this address."""
    return (frame_[12:14] == b"\x08\x06" and frame_[20:22] == b"\x00\x02"
            and frame_[28:32] == bytes(map(int, ip.split("."))))
