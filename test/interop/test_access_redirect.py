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
from lab.access import add
from lab.admin import Rpc
from lab.wireclient import Session, connect

BOB = frames.mac(2, 0x61)
NAME = "Al ice+ü"  # to be escaped
ODD = "al@corp"  # too, and the original has such users
LONG = "ü" * 100  # 600 characters where it is escaped, and again in the session's name


@pytest.fixture(scope="module", name="lab", params=[1, 2], ids=["one worker", "two workers"])
def fixture_lab(request, make_lab, kind):
    """A user whose name a URL cannot have as it is."""
    if kind != "patchbay" and request.param > 1:
        pytest.skip("only Patchbay has workers")
    users = [User("bob", "pw"), User(ODD, "pw")] + ([User(NAME, "pw"), User(LONG, "pw")] if kind == "patchbay" else [])
    lab = make_lab(hubs=[Hub("DEFAULT", users)], **({"settings": {"lcores": {"workers": request.param}}} if kind == "patchbay" else {}))
    lab.server.start()
    yield lab
    lab.close()


def asked(lab, url, user=NAME):
    """The address that a browser of this user is sent to, and his session."""
    with Rpc(lab.nodes["wire"], SERVER4, **({} if lab.kind == "patchbay" else {"password": ""})) as rpc:
        add(rpc, priority=5, drop=False, RedirectUrl=url, DestPortStart=80, DestPortEnd=80)
        alice = Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", user, "pw").wait_ready()
        segment = Ether(dst=BOB.hex(":"), src=frames.mac(1, 0x61).hex(":")) / IP(src="10.9.0.1", dst="10.9.0.2") / TCP(
            sport=4000, dport=80, flags="A") / b"GET / HTTP/1.0\r\n\r\n"
        alice.send(bytes(segment))
        answer = alice.wait_frame(lambda f: b"302" in f)
        name = alice.name
        alice.close()
        rpc.call("DeleteAccess", HubName="DEFAULT", Id=1)
    assert answer
    packet = Ether(answer)
    sums = packet[IP].chksum, packet[TCP].chksum
    del packet[IP].chksum, packet[TCP].chksum
    again = Ether(bytes(packet))
    assert sums == (again[IP].chksum, again[TCP].chksum)
    return re.search(rb"\r\nLocation: ([^\r\n]*)\r\n", bytes(packet[TCP].payload)).group(1).decode("ascii"), name


@pytest.mark.parametrize("user_name", ["bob", ODD, NAME])
def test_with_secret(lab, user_name):
    """User, session, address and time of now, and a hash that only who knows the secret can make."""
    if user_name == NAME and lab.kind != "patchbay":
        pytest.skip("the original has no such user")
    before = datetime.datetime.utcnow().replace(microsecond=0)
    got, session = asked(lab, "http://example.net/?who=<INFO>&x=1|hush", user_name)
    after = datetime.datetime.utcnow()
    assert got.startswith("http://example.net/?who=") and got.endswith("&x=1") and "hush" not in got and " " not in got
    tag = urllib.parse.unquote(got[len("http://example.net/?who="):-len("&x=1")])
    # What the original takes for a name goes as it is; ours escapes what a URL must not have.
    assert user_name == NAME or tag in got
    user, name, address, when, digest = tag.split("|")
    assert user == user_name and name == session
    assert address == lab.nodes["wire"].run("hostname", "-I").stdout.split()[0]
    assert before <= datetime.datetime.strptime(when, "%Y%m%d%H%M%S") <= after
    assert digest == hashlib.sha1((tag[:-len(digest)] + "hush").encode()).hexdigest().upper()


@pytest.mark.parametrize("url, got", [
    ("http://example.net/?who=<INFO>", None), ("http://example.net/|plain", None), ("http://example.net/<INFO>|", "http://example.net/<INFO>"),
    ("http://example.net/a|b", None), ("http://example.net/|x<INFO>", "http://example.net/")])
def test_without(lab, url, got):
    """No secret, or no tag: the address as it was written; with a tag, what is behind the last | is nobody's business."""
    assert asked(lab, url, "bob")[0] == (got or url)


@pytest.mark.patchbay
def test_too_long(lab):
    """Who does not fit into an address is not told, and neither is the secret."""
    assert asked(lab, "http://example.net/?who=<INFO>&x=1|hush", LONG)[0] == "http://example.net/?who=<INFO>&x=1"
