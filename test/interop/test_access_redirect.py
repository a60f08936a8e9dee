# SPDX-License-Identifier: BSD-3-Clause
"""Redirections that say who is sent (access-list.md 5): <INFO> in the address and a secret behind it. With a secret the web
server learns user, session, address and time, and can check them; without one the tag stays as it is.
"""

import datetime
import hashlib
import re
import urllib.parse

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether

from lab import SERVER4, Hub, User, frames
from lab.wireclient import Session, connect

pytestmark = pytest.mark.patchbay
BOB = frames.mac(2, 0x61)
NAME = "Al ice+ü"  # to be escaped
LONG = "ü" * 100  # 600 characters where it is escaped, and again in the session's name


@pytest.fixture(scope="module", name="lab", params=[1, 2], ids=["one worker", "two workers"])
def fixture_lab(request, make_lab):
    """A user whose name a URL cannot have as it is."""
    lab = make_lab(hubs=[Hub("DEFAULT", [User(NAME, "pw"), User("bob", "pw"), User(LONG, "pw")])], settings={"lcores": {"workers": request.param}})
    lab.server.start()
    yield lab
    lab.close()


def asked(lab, url, user=NAME):
    """The address that a browser of this user is sent to, and his session."""
    lab.server.ctl("access", "add", "DEFAULT", "priority=5", f'redirect="{url}"', "destination_ports=80")
    alice = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", user, "pw").wait_ready()
    segment = Ether(dst=BOB.hex(":"), src=frames.mac(1, 0x61).hex(":")) / IP(src="10.9.0.1", dst="10.9.0.2") / TCP(
        sport=4000, dport=80, flags="A") / b"GET / HTTP/1.0\r\n\r\n"
    alice.send(bytes(segment))
    answer = alice.wait_frame(lambda f: b"302" in f)
    name = alice.name
    alice.close()
    lab.server.ctl("access", "delete", "DEFAULT", "1")
    assert answer
    packet = Ether(answer)
    sums = packet[IP].chksum, packet[TCP].chksum
    del packet[IP].chksum, packet[TCP].chksum
    again = Ether(bytes(packet))
    assert sums == (again[IP].chksum, again[TCP].chksum)
    return re.search(rb"\r\nLocation: ([^\r\n]*)\r\n\r\n$", bytes(packet[TCP].payload)).group(1).decode("ascii"), name


def test_with_secret(lab):
    """User, session, address and time of now, and a hash that only who knows the secret can make."""
    before = datetime.datetime.utcnow().replace(microsecond=0)
    got, session = asked(lab, "http://example.net/?who=<INFO>&x=1|hush")
    after = datetime.datetime.utcnow()
    assert got.startswith("http://example.net/?who=") and got.endswith("&x=1") and "hush" not in got and " " not in got
    tag = urllib.parse.unquote(got[len("http://example.net/?who="):-len("&x=1")])
    user, name, address, when, digest = tag.split("|")
    assert user == NAME and name == session
    assert address == lab.nodes["wire"].run("hostname", "-I").stdout.split()[0]
    assert before <= datetime.datetime.strptime(when, "%Y%m%d%H%M%S") <= after
    assert digest == hashlib.sha1((tag[:-len(digest)] + "hush").encode()).hexdigest()


@pytest.mark.parametrize("url", ["http://example.net/?who=<INFO>", "http://example.net/|plain", "http://example.net/<INFO>|"])
def test_without(lab, url):
    """No secret, or no tag: the address as it was written."""
    assert asked(lab, url, "bob")[0] == url


def test_too_long(lab):
    """Who does not fit into an address is not told, and neither is the secret."""
    assert asked(lab, "http://example.net/?who=<INFO>&x=1|hush", LONG)[0] == "http://example.net/?who=<INFO>&x=1"
