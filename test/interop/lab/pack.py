# SPDX-License-Identifier: BSD-3-Clause
"""PACK and SHA-0, written from wire.md sections 2 and 3.2.2 alone.

A second, independent hand at the same text: the daemon's own encoder must not be what checks it.
"""

import struct

INT, DATA, STR, UNISTR, INT64 = range(5)
MASK = 0xFFFFFFFF


def sha0(data):
    """The 1993 hash: SHA-1 without the rotation in the message schedule."""
    h = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0]
    bits = len(data) * 8
    data += b"\x80" + bytes((55 - len(data)) % 64) + struct.pack(">Q", bits)
    for at in range(0, len(data), 64):
        w = list(struct.unpack_from(">16I", data, at))
        for t in range(16, 80):
            w.append(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16])
        a, b, c, d, e = h
        for t in range(80):
            if t < 20:
                f, k = (b & c) | (~b & d), 0x5A827999
            elif t < 40:
                f, k = b ^ c ^ d, 0x6ED9EBA1
            elif t < 60:
                f, k = (b & c) | (b & d) | (c & d), 0x8F1BBCDC
            else:
                f, k = b ^ c ^ d, 0xCA62C1D6
            a, b, c, d, e = (((a << 5 | a >> 27) + f + e + k + w[t]) & MASK,
                             a, (b << 30 | b >> 2) & MASK, c, d)
        h = [(x + y) & MASK for x, y in zip(h, (a, b, c, d, e))]
    return struct.pack(">5I", *h)


def hashed_password(user, password):
    """What a server stores for a user with a password."""
    return sha0(password.encode() + user.encode().upper())


def encode(elements):
    """{name: value or [values]} to bytes. int -> int, bytes -> data, str -> str, (type, value) -> as told."""
    out = struct.pack(">I", len(elements))
    for name, values in elements.items():
        if not isinstance(values, list):
            values = [values]
        kinds = {bool: INT, int: INT, bytes: DATA, str: STR}
        typed = [v if isinstance(v, tuple) else (kinds[type(v)], v) for v in values]
        out += struct.pack(">I", len(name) + 1) + name.encode() + struct.pack(">II", typed[0][0], len(typed))
        for kind, v in typed:
            if kind == INT:
                out += struct.pack(">I", int(v))
            elif kind == INT64:
                out += struct.pack(">Q", v)
            else:
                v = v.encode() if isinstance(v, str) else v
                v += b"\0" if kind == UNISTR else b""
                out += struct.pack(">I", len(v)) + v
    return out


def decode(data):
    """Bytes to {name: [values]}; ValueError on anything that section 2 does not allow."""
    at = 0

    def take(fmt):
        nonlocal at
        size = struct.calcsize(fmt)
        if at + size > len(data):
            raise ValueError("PACK: truncated")
        (v,) = struct.unpack_from(fmt, data, at)
        at += size
        return v

    def take_bytes(size):
        return take(f">{size}s")

    out, seen = {}, set()
    for _ in range(take(">I")):
        size = take(">I")
        if not 2 <= size <= 64:
            raise ValueError(f"PACK: name length {size}")
        name = take_bytes(size - 1).decode()
        if name.lower() in seen:
            raise ValueError(f"PACK: {name} twice")
        seen.add(name.lower())
        kind, count = take(">I"), take(">I")
        if not 1 <= count <= 262144:
            raise ValueError(f"PACK: {name}: {count} values")
        values = []
        for _ in range(count):
            if kind == INT:
                values.append(take(">I"))
            elif kind == INT64:
                values.append(take(">Q"))
            elif kind == DATA:
                values.append(take_bytes(take(">I")))
            elif kind == STR:
                values.append(take_bytes(take(">I")).decode())
            elif kind == UNISTR:
                text = take_bytes(take(">I"))
                if text[-1:] != b"\0":
                    raise ValueError(f"PACK: {name}: no NUL at the end")
                values.append(text[:-1].decode())
            else:
                raise ValueError(f"PACK: {name}: type {kind}")
        out[name] = values
    return out


def first(pack, name, default=None):
    """First value of an element."""
    return pack[name][0] if name in pack else default
