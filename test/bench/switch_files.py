# SPDX-License-Identifier: BSD-3-Clause
"""The frames of `scripts/bench switch` as pcap files: 60 bytes, UDP in IPv4 between private addresses."""

import random
import struct

from lab.bridges import write_pcap

FRAME_BYTES = 60
SIDE_A, SIDE_B, SIDE_C, SIDE_STORM = 0x0A, 0x0B, 0x0C, 0x55
BROADCAST = b"\xff" * 6


def mac(side, n):
    """Station n of a side."""
    return struct.pack(">BBI", 0x02, side, n)


def address(side, n):
    """Its address, in 10.0.0.0/8."""
    return struct.pack(">I", 10 << 24 | (side & 7) << 21 | n & 0x1FFFFF)


def frame(dst, src, dst_ip, src_ip, stamp=0):
    """One frame; `stamp` is its UDP payload's first 8 bytes."""
    head = struct.pack(">BBHHHBBH4s4s", 0x45, 0, 46, 0, 0, 64, 17, 0, src_ip, dst_ip)
    total = sum(struct.unpack(">10H", head))
    total = (total & 0xFFFF) + (total >> 16)
    total = (total & 0xFFFF) + (total >> 16)
    head = head[:10] + struct.pack(">H", ~total & 0xFFFF) + head[12:]
    return dst + src + b"\x08\x00" + head + struct.pack(">HHHHQ", 1000, 2000, 26, 0, stamp) + bytes(10)


def stamp_of(data):
    """The stamp of a frame."""
    return struct.unpack_from(">Q", data, 42)[0]


def between(side, other, pairs):
    """Frames from station s of `side` to station d of `other`, for each pair (s, d)."""
    for s, d in pairs:
        yield frame(mac(other, d), mac(side, s), address(other, d), address(side, s))


def conversation(folder, macs, parts=1):
    """
    Files of two ports with `macs` stations on each side, one frame per station in each, in random order, each
    station talking to one of the other side. parts: so many files a port, for as many queues.
    """
    rng = random.Random(macs)
    a, b = list(range(macs)), list(range(macs))
    rng.shuffle(a)
    rng.shuffle(b)
    there = list(zip(a, b))
    back = [(y, x) for x, y in there]
    rng.shuffle(back)
    files = []
    for name, side, other, pairs in (("a", SIDE_A, SIDE_B, there), ("b", SIDE_B, SIDE_A, back)):
        files.append([write_pcap(f"{folder}/{name}{macs}.{i}of{parts}.pcap", between(side, other, pairs[i::parts]))
                      for i in range(parts)])
    return files


def announcements(path, side, macs, times):
    """Each station of a side says where it is, so often that some of it comes after the table has grown."""
    return write_pcap(path, (frame(BROADCAST, mac(side, i), b"\xff" * 4, address(side, i))
                             for _ in range(times) for i in range(macs)))


def storm(path, frames, side, macs):
    """Frames from as many invented stations to known ones of `side`."""
    rng = random.Random(frames)
    return write_pcap(path, (frame(mac(side, rng.randrange(macs)), b"\x02" + rng.randbytes(5), address(side, 0),
                                   address(SIDE_STORM, rng.randrange(1 << 21))) for _ in range(frames)))
