# SPDX-License-Identifier: BSD-3-Clause
"""What each mode of a session looks like on the wire, seen by tshark and by a client that is in a hurry."""

import ctypes
import os
import pathlib
import socket
import struct
import zlib

import pytest

from lab import SERVER4, frames, pack
from lab.capture import Capture
from lab.server import default_hubs
from lab.wireclient import Session, connect

PORT = 8888
HANDSHAKE, DATA = 22, 23
RECORD = 16384

pytestmark = pytest.mark.patchbay


@pytest.fixture(name="dial")
def fixture_dial(lab):
    """A TLS connection from the wire host."""
    return lambda: connect(lab.nodes["wire"], SERVER4, PORT)


@pytest.fixture(name="login")
def fixture_login(dial, balanced):  # pylint: disable=unused-argument
    """login(connections, **modes): a session with that many connections, all of which have been heard on."""
    made = []

    def make(connections=1, **modes):
        session = Session(dial()).login("DEFAULT", "guest", max_connection=connections, **modes)
        made.append(session)
        while len(session.links) < connections:
            session.rejoin(dial())
        return session.wait_ready()

    yield make
    for session in made:
        session.close()


@pytest.fixture(name="capture")
def fixture_capture(lab):
    """capture(): see lab.capture."""
    return lambda: Capture(lab.nodes["wire"], PORT)


def flood_to(source, *others, size=60, number=1, first=False):
    """Send a broadcast and wait until all others have it."""
    sent = bytearray(frames.frame(frames.BROADCAST, frames.mac(id(source) & 0xFFFF, 0x53), size))
    if first:  # IPv4 with a type of service
        sent[12:16] = b"\x08\x00\x45\xb8"
        sent[16:18] = struct.pack(">H", size - 14)
        sent[23] = 17
        sent[24:26] = checksum(bytes(sent[14:24]) + b"\0\0" + bytes(sent[26:34]))
    sent[-4:] = struct.pack(">I", number)
    source.send(bytes(sent))
    for other in others:
        assert other.wait_frame(lambda f: f == sent)
    return bytes(sent)


def checksum(header):
    """Of an IPv4 header whose own checksum is 0."""
    total = sum(struct.unpack(f">{len(header) // 2}H", header))
    total = (total >> 16) + (total & 0xFFFF)
    return struct.pack(">H", ~(total + (total >> 16)) & 0xFFFF)


def test_encrypted(login, capture):
    """Nothing but TLS: a small record after idleness, full ones under load, none longer than allowed."""
    one, other = login(), login()
    with capture() as quiet:
        flood_to(one, other)
    # Group, size, frame; type and tag of TLS 1.3.
    small = [n for s in quiet.of(other.conn, False) for n in s["lengths"]]
    assert small and min(small) <= 4 + 4 + 60 + 17 + 8, small
    unicast = frames.frame(frames.mac(id(other) & 0xFFFF, 0x53), frames.mac(id(one) & 0xFFFF, 0x53), 1514)
    flood_to(other, one)
    turns = []
    while not turns or len(turns[-1]) >= 240 or turns[-1][len(turns[-1]) // 2] <= RECORD * 0.9:
        # 120 records would hold all; a turn that found little makes a shorter one, as most do where the sender gets no CPU.
        assert len(turns) < 4, turns
        with capture() as load:
            for _ in range(12):  # 1.8 MB: less than may wait for a reader that gets no CPU
                one.send(*[unicast] * 100)
            assert len(other.wait_frames(1200, lambda f: f == unicast)) == 1200
        turns.append(sorted(n for s in load.of(other.conn, False) for n in s["lengths"] if n > 1000))
        assert turns[-1][-1] <= RECORD + 17
        assert {t for s in load.segments for t in s["types"]} == {DATA}
        for conn in (one.conn, other.conn):
            assert unicast[12:100] not in load.payload(conn, True) + load.payload(conn, False)


def server_sockets(pid):
    """{port of the peer: a copy of the socket} of TCP connections of another process (pidfd_getfd(2))."""
    out, syscall, process = {}, ctypes.CDLL(None, use_errno=True).syscall, os.pidfd_open(pid)
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        number = 438  # SYS_pidfd_getfd, the same on all machines
        fd = syscall(number, process, int(entry.name), 0) if entry.readlink().name.startswith("socket:") else -1
        if fd < 0:
            continue
        sock = socket.socket(fileno=fd)
        try:
            out[sock.getpeername()[1]] = sock
        except (OSError, IndexError):  # a listener, or no TCP at all
            sock.close()
    os.close(process)
    return out


def test_socket_options(lab, login):
    """On every connection of a session, in raw mode as well: no waiting for full segments, and little unsent in the kernel."""
    sessions = [login(2), login(2, use_encrypt=0)]
    sockets = server_sockets(lab.server.process.pid)
    for link in (link for session in sessions for link in session.links):
        sock = sockets[link.conn.port]
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert RECORD * 2 <= sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT) <= 262144
    for sock in sockets.values():
        sock.close()


def blocks(data):
    """The blocks of a raw stream that begins with a group or keep-alive; what is cut off at its end is left."""
    out, at = [], 0
    while at + 8 <= len(data):
        count, size = struct.unpack_from(">II", data, at)
        if count == 0xFFFFFFFF:
            at += 8 + size
            continue
        at += 4
        for _ in range(count):
            (size,) = struct.unpack_from(">I", data, at)
            out.append(data[at + 4:at + 4 + size])
            at += 4 + size
    return out


def fastest(frame):
    """What zlib's level 1 makes of a frame with a window that just holds it; the header names level and window."""
    state = zlib.compressobj(1, zlib.DEFLATED, 11, 5)
    return state.compress(frame) + state.flush()


@pytest.mark.parametrize("compress", [0, 1])
def test_not_encrypted(login, dial, capture, compress):
    """TLS for the login and for joining, then blocks in the clear, compressed (for speed) or not."""
    one, other = login(2, use_encrypt=0, use_compress=compress), login()
    with capture() as seen:
        sent = flood_to(one, other)
        back = flood_to(other, one, number=2)
        one.conn.close()
        one.rejoin(dial())
        late = flood_to(one, other, number=3)
    old, new = one.links[0].conn, one.links[-1].conn
    unpack = zlib.decompress if compress else bytes
    assert sent in [unpack(b) for b in blocks(seen.payload(one.links[1].conn, True))]
    came = [b for conn in (old, one.links[1].conn) for b in blocks(seen.payload(conn, False))]
    assert back in [unpack(b) for b in came]
    assert not compress or all(b == fastest(unpack(b)) for b in came)
    # The new one begins with a handshake, and its data stand behind the last record of its request.
    assert HANDSHAKE in {t for s in seen.of(new, True) for t in s["types"]}
    wire = seen.payload(new, True)
    while wire[0] in (20, 21, HANDSHAKE, DATA):
        wire = wire[5 + struct.unpack_from(">H", wire, 3)[0]:]
    assert late in [unpack(b) for b in blocks(wire)]


def test_half_duplex(login, capture):
    """Each connection has data one way, and in the other not even a keep-alive."""
    one, other = login(5, half_connection=1), login()
    with capture() as seen:
        for number in range(10):
            flood_to(one, other, number=number)
            flood_to(other, one, number=number + 100)
    used = {}
    for link in one.links:
        ways = {way: len(seen.payload(link.conn, way)) for way in (True, False)}
        if link.conn.direction == 2:
            assert ways[False] == 0
        else:
            assert link.conn.direction == 1 and ways[True] == 0
        used[link.conn.direction] = used.get(link.conn.direction, 0) + sum(ways.values())
    assert [link.conn.direction for link in one.links] == [2, 1, 1, 2, 1]
    assert used[1] > 600 and used[2] > 600


def test_priority(login, capture):
    """Frames with a type of service come on the connection that joined last, others on the one before."""
    one, other = login(3, qos=1), login()
    assert pack.first(one.welcome, "qos") == 1
    with capture() as seen:
        for number in range(10):
            flood_to(other, one, size=100, number=number, first=True)
            flood_to(other, one, size=500, number=number)
    def records(link, frame_bytes):
        """Records that hold one such frame: group, size, frame; TLS adds 17 or more."""
        return sum(n - 25 - frame_bytes in range(16) for s in seen.of(link.conn, False) for n in s["lengths"])

    assert [records(link, 100) for link in one.links[:2]] == [0, 0] and records(one.links[2], 500) == 0
    assert records(one.links[2], 100) == 10 and records(one.links[1], 500) == 10 and records(one.links[0], 500) == 0


def test_login_and_frames_in_one_segment(lab, dial, login):
    """What a hasty client puts behind its login's TLS record is data (wire.md 6.6)."""
    other = login()
    conn = dial()
    hasty = Session(conn)
    sent = frames.frame(frames.BROADCAST, frames.mac(7, 0x51))
    conn.append = struct.pack(">II", 1, len(sent)) + sent
    hasty.login("DEFAULT", "guest", use_encrypt=0)
    assert conn.raw
    assert other.wait_frame(lambda f: f == sent)
    # The same behind the request of an additional connection.
    conn = dial()
    sent = frames.frame(frames.BROADCAST, frames.mac(9, 0x51))
    hasty.rejoin(conn, append=struct.pack(">II", 1, len(sent)) + sent)
    assert other.wait_frame(lambda f: f == sent)
    back = frames.frame(frames.BROADCAST, frames.mac(8, 0x51))
    other.send(back)
    assert hasty.wait_frame(lambda f: f == back)
    hasty.close()


def test_encryption_required(make_lab):
    """A hub that requires it grants encryption whatever is asked."""
    hubs = default_hubs()
    hubs[0].require_encryption = True
    lab = make_lab(hubs=hubs)
    lab.server.start()
    session = Session(connect(lab.nodes["wire"], SERVER4, PORT)).login("DEFAULT", "guest", use_encrypt=0)
    assert pack.first(session.welcome, "use_encrypt") == 1
    session.wait_ready().close()


def test_compressed_and_not(login):
    """One session compresses, the other does not; both see the same frames, of all sizes."""
    zipped, plain = login(use_compress=1), login()
    for size in (14, 42, 60, 600, 1514, 1600):
        for here, there in ((zipped, plain), (plain, zipped)):
            sent = frames.frame(frames.BROADCAST, frames.mac(id(here) & 0xFFFF, 0x52), size)
            here.send(sent)
            assert there.wait_frame(lambda f, sent=sent: f == sent)
