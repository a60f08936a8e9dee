# SPDX-License-Identifier: BSD-3-Clause
"""A minimal VPN client of our own, written from wire.md alone.

It does what the stock client cannot be told to do: IPv6, one TLS version only, skipping the login,
resetting the TCP connection, staying silent, and telling how exactly the other side ended.

    conn = connect(node, "10.77.0.1", 8888)            TCP and TLS, nothing else yet
    session = Session(conn)                            signature and hello
    session.login("DEFAULT", "u", password="p")        welcome -> data phase, or LoginError
    session.send(frame); session.wait_frame(lambda f: ...)

A Session reads and sends keep-alives on a thread of its own per connection once it is logged in.
"""

import collections
import os
import select
import socket
import ssl
import struct
import threading
import time
import zlib

from . import pack
from .netns import PATIENCE_S, LabError

KEEPALIVE = 0xFFFFFFFF
TAG = "9C37197CA7C2428388C2E6E59B829B30"
VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
PLAIN, ENDED = "plain", "ended"


class LoginError(Exception):
    """The server's error PACK; `code` is the number of wire.md 4.4."""

    def __init__(self, reply):
        self.reply = reply
        self.code = pack.first(reply, "error")
        super().__init__(f"error {self.code}")


class Ended(Exception):
    """The other side ended the connection where an answer was due."""


class Connection:
    """One TCP connection, with TLS in memory so that the way it ends can be told.

    `end` is None while open, then how the peer ended it: "close_notify" (TLS alert), "eof" (a bare
    FIN) or "reset". `after_alert` tells what TCP did behind a close_notify: "eof" or "reset".
    """

    def __init__(self, sock, tls=None, server_name=None, timeout_s=PATIENCE_S):
        self.sock = sock
        self.port = sock.getsockname()[1]
        sock.settimeout(timeout_s)
        self.timeout_s = timeout_s
        self.end = None
        self.lock = threading.RLock()
        self.raw = False
        self.direction = 0
        self.link = None
        self.unread = b""
        self.append = b""  # raw bytes for the same segment as the next record
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        if tls:
            context.minimum_version = context.maximum_version = VERSIONS[tls]
        self.inbox, self.outbox = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.inbox, self.outbox, server_hostname=server_name)

    def handshake(self):
        """Run the TLS handshake; Ended or ssl.SSLError if it fails."""
        while True:
            try:
                self.tls.do_handshake()
                self._flush()
                return self
            except ssl.SSLWantReadError:
                self._flush()
                if not self._fill(self.timeout_s):
                    raise Ended(f"in the TLS handshake: {self.end or 'silence'}") from None
            except ssl.SSLError:
                self._flush()
                raise

    def certificate(self):
        """The server's certificate in DER."""
        return self.tls.getpeercert(binary_form=True)

    def _flush(self):
        data = self.outbox.read()
        if data:
            self.sock.sendall(data + self.append)
            self.append = b""

    def _fill(self, timeout_s):
        """Read once from the socket into TLS. False on silence or when the stream has ended."""
        if self.end:
            return False
        ready, _, _ = select.select([self.sock], [], [], max(timeout_s, 0))
        if not ready:
            return False
        try:
            data = self.sock.recv(65536)
        except ConnectionResetError:
            self.end = "reset"
            return False
        if not data:
            self.inbox.write_eof()
            self.end = "eof"
            return False
        self.inbox.write(data)
        return True

    def send(self, data):
        """Send plaintext (through TLS unless `raw`)."""
        with self.lock:
            if self.raw:
                self.sock.sendall(data)
                return
            for at in range(0, len(data), 16384):
                self.tls.write(data[at:at + 16384])
            self._flush()

    def recv(self, timeout_s=None):
        """Some plaintext; b"" when nothing came in time or the connection has ended (see `end`)."""
        if self.unread:
            data, self.unread = self.unread, b""
            return data
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while True:
            with self.lock:
                if self.raw:
                    if self.inbox.pending:
                        return self.inbox.read()
                else:
                    try:
                        data = self.tls.read(65536)
                        if data:
                            return data
                        self.end = "close_notify"
                        return b""
                    except ssl.SSLWantReadError:
                        self._flush()
                    except ssl.SSLZeroReturnError:
                        self.end = "close_notify"
                        return b""
                    except ssl.SSLError:
                        self.end = self.end or "eof"
                        return b""
            if not self._fill(deadline - time.monotonic()):
                if self.end == "eof" and not self.raw:
                    continue
                return b""

    def recv_exactly(self, size, timeout_s=None):
        """size bytes of plaintext or Ended."""
        out = b""
        deadline = time.monotonic() + (self.timeout_s if timeout_s is None else timeout_s)
        while len(out) < size:
            data = self.recv(deadline - time.monotonic())
            if not data:
                raise Ended(self.end or "silence")
            out += data
        self.unread = out[size:]
        return out[:size]

    def read_line(self):
        """One line without CR LF."""
        line = b""
        while not line.endswith(b"\n"):
            line += self.recv_exactly(1)
        return line.rstrip(b"\r\n").decode("latin-1")

    def http(self, method, target, body=b"", headers=None, version="HTTP/1.1"):
        """Send a request and return (status, headers with small names, body)."""
        self.send_http(method, target, body, headers, version)
        return self.read_http(head=method == "HEAD" and target == "/")

    def send_http(self, method, target, body=b"", headers=None, version="HTTP/1.1"):
        """Send a request only."""
        head = {"Host": "vpn", "Connection": "Keep-Alive", **(headers or {})}
        if body or method == "POST":
            head["Content-Length"] = len(body)
        text = f"{method} {target} {version}\r\n" + "".join(f"{k}: {v}\r\n" for k, v in head.items())
        self.send(text.encode() + b"\r\n" + body)

    def read_http(self, head=False):
        """Read one reply. `head`: the length header may stand without a body."""
        status = int(self.read_line().split(" ")[1])
        got = {}
        while line := self.read_line():
            name, _, value = line.partition(":")
            got[name.strip().lower()] = value.strip()
        size = int(got.get("content-length", "0"))
        body = b"" if head and "content-length" not in got else self.recv_exactly(size)
        return status, got, body

    def pack(self, elements, target="/vpnsvc/vpn.cgi"):
        """Send a PACK and return the answer's PACK."""
        return pack.decode(self.http("POST", target, pack.encode(elements),
                                     {"Content-Type": "application/octet-stream"})[2])

    def drain(self, timeout_s=PATIENCE_S):
        """Read until the end and return how it ended, None if it has not within the time."""
        deadline = time.monotonic() + timeout_s
        while not self.end and time.monotonic() < deadline:
            self.recv(deadline - time.monotonic())
        return self.end

    def tcp_end(self, timeout_s=PATIENCE_S):
        """What TCP says behind the end of TLS: "eof", "reset" or None (still open)."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.sock], [], [], left)[0]:
                try:
                    if not self.sock.recv(65536):
                        return "eof"
                except ConnectionResetError:
                    return "reset"
        return None

    def stop_link(self):
        """Stop the data phase's thread, if there is one, before the socket goes."""
        if self.link and self.link is not threading.current_thread():
            self.link.stopping.set()
            self.link.join(5)

    def close(self, notify=True):
        """Orderly end; without `notify` as stock peers do it, a FIN alone."""
        self.stop_link()
        try:
            with self.lock:
                if notify and not self.raw:
                    try:
                        self.tls.unwrap()
                    except ssl.SSLError:
                        pass
                    self._flush()
                self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.sock.close()

    def reset(self):
        """End with a RST, as a network that lost its state does."""
        self.stop_link()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


def tcp(node, host, port, timeout_s=PATIENCE_S, source=None):
    """A TCP connection from a node of the lab."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = node.socket(family)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(timeout_s)
        if source:
            sock.bind((source, 0))
        sock.connect((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def connect(node, host, port, tls=None, server_name=None, timeout_s=PATIENCE_S, source=None):
    """TCP and TLS from a node of the lab; tls "1.2", "1.3" or None for the best of both."""
    sock = tcp(node, host, port, timeout_s, source)
    try:
        return Connection(sock, tls, server_name, timeout_s).handshake()
    except BaseException:
        sock.close()
        raise


class Session:
    """A VPN session over one or more connections."""

    CLIENT = {"client_str": "Patchbay test VPN Client", "client_ver": 501, "client_build": 9674}

    def __init__(self, conn, signature=b"VPNCONNECT"):
        self.conn = conn
        status, _, body = conn.http("POST", "/vpnsvc/connect.cgi", signature,
                                    {"Content-Type": "image/jpeg"})
        if status != 200:
            raise LabError(f"signature answered with {status}")
        self.hello = pack.decode(body)
        self.random = pack.first(self.hello, "random")
        self.welcome = None
        self.key = None
        self.timeout_s = 20.0
        self.cond = threading.Condition()
        self.frames = collections.deque()
        self.keepalives = 0
        self.compress = False
        self.links = []

    def credentials(self, user, password=None, authtype=None, plain=None):
        """The login elements that prove who we are."""
        if authtype is None:
            authtype = 2 if plain is not None else 0 if password is None else 1
        out = {"username": user, "authtype": authtype}
        if password is not None:
            out["secure_password"] = pack.sha0(pack.hashed_password(user, password) + self.random)
        if plain is not None:
            out["plain_password"] = plain
        return out

    def login(self, hub, user, password=None, authtype=None, plain=None, start=True, **more):
        """Log in and, unless start=False, enter the data phase. LoginError on refusal."""
        ask = {"method": "login", "hubname": hub, **self.credentials(user, password, authtype, plain),
               **self.CLIENT, "hello": self.CLIENT["client_str"], "protocol": 0, "max_connection": 1,
               "use_encrypt": 1, "use_compress": 0, "half_connection": 0, "qos": 0,
               "unique_id": os.urandom(20), "pencore": os.urandom(33), **more}
        self.accept(self.conn.pack(ask))
        if start:
            self.start()
        return self

    def refusal(self, *args, **more):
        """0, or the code of the refusal, of a login(); the session is over in either case."""
        try:
            self.login(*args, **more)
        except LoginError as refused:
            return refused.code
        finally:
            self.close()
        return 0

    def accept(self, reply):
        """Take a welcome PACK apart."""
        if pack.first(reply, "error", 0):
            raise LoginError(reply)
        self.welcome = reply
        self.key = pack.first(reply, "session_key")
        self.timeout_s = pack.first(reply, "timeout") / 1000
        self.conn.raw = not pack.first(reply, "use_encrypt", 0)
        self.compress = bool(pack.first(reply, "use_compress", 0))
        self.conn.direction = 2 if pack.first(reply, "half_connection", 0) else 0

    @property
    def name(self):
        """Session name as the server gave it."""
        return pack.first(self.welcome, "session_name")

    def start(self, **options):
        """Enter the data phase on the connection last logged in or joined."""
        self.links.append(Link(self, self.conn, **options))
        return self

    def rejoin(self, conn, start=True, append=b"", **options):
        """additional_connect over a fresh connection; LoginError on refusal. `append`: raw bytes right behind it."""
        other = Session(conn)
        conn.append = append
        reply = conn.pack({"method": "additional_connect", "session_key": self.key, **self.CLIENT})
        if pack.first(reply, "error", 0):
            raise LoginError(reply)
        conn.raw = self.conn.raw
        conn.direction = pack.first(reply, "direction", 0)
        self.conn = conn
        if start:
            self.start(**options)
        return other.hello

    def send(self, *frames):
        """Send frames as one group on the connection that joined last of those we may send on."""
        link = [link for link in self.links if link.conn.direction != 1 and not link.stopping.is_set()][-1]
        blocks = [zlib.compress(f) for f in frames] if self.compress else frames
        link.conn.send(struct.pack(">I", len(blocks)) + b"".join(struct.pack(">I", len(b)) + b for b in blocks))

    def wait_frame(self, wanted=lambda frame: True, timeout_s=PATIENCE_S):
        """Take the first frame that `wanted` accepts out of what came; None in time = None."""
        deadline = time.monotonic() + timeout_s
        with self.cond:
            while True:
                for frame in self.frames:
                    if wanted(frame):
                        self.frames.remove(frame)
                        return frame
                left = deadline - time.monotonic()
                if left <= 0:
                    return None
                self.cond.wait(left)

    def wait_frames(self, count, wanted=lambda frame: True, timeout_s=PATIENCE_S):
        """Up to count frames that `wanted` accepts, in the order they came."""
        deadline, out = time.monotonic() + timeout_s, []
        while len(out) < count:
            frame = self.wait_frame(wanted, deadline - time.monotonic())
            if frame is None:
                break
            out.append(frame)
        return out

    def take_all(self):
        """All frames received so far."""
        with self.cond:
            out = list(self.frames)
            self.frames.clear()
        return out

    def wait_ready(self, timeout_s=PATIENCE_S):
        """Wait for the first keep-alive: the hint that the server's side is set up (wire.md 6.9)."""
        with self.cond:
            if not self.cond.wait_for(lambda: self.keepalives, timeout_s):
                raise LabError("no keep-alive from the server")
        return self

    def wait_end(self, timeout_s=PATIENCE_S):
        """How the connection that joined last was ended by the server, None if it was not."""
        return self.links[-1].wait_end(timeout_s)

    def close(self, notify=True):
        """Close all connections; the server keeps the session until its time-out."""
        for conn in [link.conn for link in self.links] or [self.conn]:
            conn.close(notify)


class Link(threading.Thread):
    """The data phase on one connection: reads, takes apart, sends keep-alives."""

    def __init__(self, session, conn, keepalive=True, reading=True):
        super().__init__(daemon=True)
        self.session = session
        self.conn = conn
        self.keepalive = keepalive and conn.direction != 1
        self.reading = reading
        self.error = None
        self.stopping = threading.Event()
        conn.link = self
        self.start()

    def run(self):
        data, next_keepalive = b"", time.monotonic()
        while not self.stopping.is_set() and not self.conn.end:
            try:
                if self.keepalive and time.monotonic() >= next_keepalive:
                    body = os.urandom(37)
                    self.conn.send(struct.pack(">II", KEEPALIVE, len(body)) + body)
                    next_keepalive = time.monotonic() + self.session.timeout_s / 5
                if not self.reading:
                    self.stopping.wait(0.1)
                    continue
                data = self.parse(data + self.conn.recv(0.1))
            except (OSError, ValueError, ssl.SSLError) as e:
                self.error = e
                if isinstance(e, ConnectionResetError):
                    self.conn.end = self.conn.end or "reset"
                elif isinstance(e, OSError):
                    self.conn.drain(1.0)
                break
        with self.session.cond:
            self.session.cond.notify_all()

    def parse(self, data):
        """Take whole groups out of `data`, return the rest. A group's blocks are taken one by one."""
        while True:
            if len(data) < 4:
                return data
            (count,) = struct.unpack_from(">I", data)
            if count == KEEPALIVE:
                if len(data) < 8:
                    return data
                (size,) = struct.unpack_from(">I", data, 4)
                if size > 512:
                    raise ValueError(f"keep-alive of {size} bytes")
                if len(data) < 8 + size:
                    return data
                data = data[8 + size:]
                with self.session.cond:
                    self.session.keepalives += 1
                    self.session.cond.notify_all()
                continue
            at, frames = 4, []
            for _ in range(count):
                if len(data) < at + 4:
                    return data
                (size,) = struct.unpack_from(">I", data, at)
                if size > 3200:
                    raise ValueError(f"block of {size} bytes")
                if len(data) < at + 4 + size:
                    return data
                block = data[at + 4:at + 4 + size]
                frames.append(zlib.decompress(block) if self.session.compress else block)
                at += 4 + size
            data = data[at:]
            with self.session.cond:
                self.session.frames.extend(frames)
                self.session.cond.notify_all()

    def wait_end(self, timeout_s=PATIENCE_S):
        """How the server ended this connection, None if it did not in time."""
        self.join(timeout_s)
        return self.conn.end
