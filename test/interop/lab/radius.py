# SPDX-License-Identifier: BSD-3-Clause
"""RADIUS servers for the lab: Debian's freeradius, and one of our own that answers as a test wants.

Ours is written from RFC 2865 and 2869 alone.
"""

import hashlib
import hmac
import os
import select
import socket
import struct
import threading

from .netns import wait_for

ACCEPT, REJECT, CHALLENGE = 2, 3, 11
MESSAGE_AUTHENTICATOR = 80

CONFIG = """
name = lab
raddbdir = {folder}
logdir = {folder}
run_dir = {folder}
libdir = /usr/lib/freeradius
max_request_time = 30
hostname_lookups = no
security {{
	max_attributes = 200
	reject_delay = 0
	status_server = no
	allow_vulnerable_openssl = yes
}}
client lab {{
	ipaddr = {client}
	secret = "{secret}"
	require_message_authenticator = yes
}}
modules {{
	pap {{
	}}
	files {{
		filename = {folder}/users
	}}
}}
server lab {{
	listen {{
		type = auth
		ipaddr = {address}
		port = {port}
	}}
	authorize {{
		files
		pap
	}}
	authenticate {{
		Auth-Type PAP {{
			pap
		}}
	}}
	post-auth {{
		{sign}
		Post-Auth-Type REJECT {{
			{sign}
		}}
	}}
}}
"""


SIGN = "update reply { Message-Authenticator := 0x00 }"


class FreeRadius:
    """Debian's freeradius on a node. users: the text of its file of that name.

    Before 3.2.5 it signs replies only where it is told to (`sign`), as its makers advise since CVE-2024-3596.
    """

    def __init__(self, node, users, secret, address="127.0.0.1", client="127.0.0.1", port=1812, sign=True):
        self.node, self.address = node, address
        folder = node.folder / "radius"
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "radiusd.conf").write_text(CONFIG.format(folder=folder, secret=secret, address=address,
                                                           client=client, port=port,
                                                           sign=SIGN if sign else ""))
        (folder / "users").write_text(users)
        (folder / "dictionary").write_text("$INCLUDE /usr/share/freeradius/dictionary\n")
        self.folder, self.process = folder, None

    def start(self):
        """Start and wait until it takes requests."""
        self.process = self.node.spawn("/usr/sbin/freeradius", "-fxx", "-l", "stdout", "-d", self.folder,
                                       "-n", "radiusd", log="freeradius.log")
        wait_for("freeradius: ready", lambda: "Ready to process requests" in self.log(), 60)
        return self

    def log(self):
        """What it said."""
        return self.node.run("tail", "-c", "100000", self.node.folder / "freeradius.log").stdout.rpartition("FreeRADIUS Version")[2]

    def stop(self):
        """End it."""
        self.process.signal(15)
        self.process.wait(60)


class Request:
    """One Access-Request as it came in."""

    def __init__(self, data, peer, secret):
        self.data, self.peer, self.secret = data, peer, secret
        self.code, self.identifier, self.size = struct.unpack(">BBH", data[:4])
        self.authenticator = data[4:20]
        self.attributes = []
        at = 20
        while at < len(data):
            kind, size = data[at], data[at + 1]
            self.attributes.append((kind, data[at + 2:at + size]))
            at += size

    def get(self, kind):
        """The first attribute of a kind, None without."""
        return next((value for k, value in self.attributes if k == kind), None)

    def password(self):
        """The User-Password in clear."""
        out, before, hidden = b"", self.authenticator, self.get(2)
        for at in range(0, len(hidden), 16):
            mask = hashlib.md5(self.secret + before).digest()
            before = hidden[at:at + 16]
            out += bytes(a ^ b for a, b in zip(before, mask))
        return out.rstrip(b"\0").decode()

    def signed(self):
        """Whether the Message-Authenticator is right."""
        mac = self.get(MESSAGE_AUTHENTICATOR)
        at = self.data.index(bytes((MESSAGE_AUTHENTICATOR, 18)) + mac) + 2
        blank = self.data[:at] + bytes(16) + self.data[at + 16:]
        return mac == hmac.new(self.secret, blank, "md5").digest()

    def reply(self, code=ACCEPT, identifier=None, attributes=b"", signed=True, secret=None, authenticator=None):
        """A reply, right in all that is not asked to be wrong."""
        secret = self.secret if secret is None else secret
        identifier = self.identifier if identifier is None else identifier
        body = (bytes((MESSAGE_AUTHENTICATOR, 18)) + bytes(16) if signed else b"") + attributes
        head = struct.pack(">BBH", code, identifier & 255, 20 + len(body))
        if signed:
            mac = hmac.new(secret, head + self.authenticator + body, "md5").digest()
            body = body[:2] + mac + body[18:]
        right = hashlib.md5(head + self.authenticator + body + secret).digest()
        return head + (authenticator or right) + body


class FakeRadius(threading.Thread):
    """A server that hands every request to answer(request, server), which sends what it likes."""

    def __init__(self, node, address, port, secret, answer):
        super().__init__(daemon=True)
        self.secret, self.answer = secret.encode(), answer
        self.sock = node.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((address, port))
        self.requests, self.ended, self.failure = [], threading.Event(), None
        self.wake_r, self.wake_w = os.pipe()
        self.start()

    def run(self):
        while not self.ended.is_set():
            ready, _, _ = select.select([self.sock, self.wake_r], [], [])
            if self.sock not in ready:
                continue
            try:
                request = Request(*self.sock.recvfrom(4096), self.secret)
                self.requests.append(request)
                self.answer(request, self)
            except Exception as e:  # pylint: disable=broad-except
                self.failure = e

    def send(self, data, peer):
        """From the server's own address."""
        self.sock.sendto(data, peer)

    def close(self):
        """End it; what went wrong in answer() is raised here."""
        self.ended.set()
        os.write(self.wake_w, b"x")
        self.join(5)
        self.sock.close()
        if self.failure:
            raise self.failure

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
