# SPDX-License-Identifier: BSD-3-Clause
# sanitize
"""Logins by RADIUS: Debian's freeradius, and a server of our own that lies, is late, says it twice or nothing."""

import socket
import threading
import time

import pytest

from lab import SERVER4, wait_for
from lab.admin import Rpc, vpncmd
from lab.radius import CHALLENGE, REJECT, FakeRadius, FreeRadius
from lab.server import Hub, User
from lab.wireclient import Ended, LoginError, Session, connect

pytestmark = pytest.mark.patchbay

SECRET = "testing 123"
USERS = """
carol	Cleartext-Password := "carolpw"
	Reply-Message = "hello",
	Tunnel-Private-Group-Id:0 = "77"
anyone	Cleartext-Password := "anyonepw"
dave	Cleartext-Password := "davepw"
"""
FAKE4 = "10.77.0.11"


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """Hub REAL asks freeradius, FAKE our own server; GONE one that is not there."""
    lab = make_lab(hubs=[Hub("REAL", [User("alice", "alicepw"), User("guest")]), Hub("FAKE", []), Hub("GONE", [])])
    lab.server.start()
    lab.radius = FreeRadius(lab.server.node, USERS, SECRET).start()
    run(lab, "REAL", f'RadiusServerSet 127.0.0.1:1812 "/SECRET:{SECRET}" /RETRY_INTERVAL:1000',
        *(f"UserCreate {u} /GROUP:none /REALNAME:none /NOTE:none" for u in ("carol", "boss")),
        "UserRadiusSet carol /ALIAS:none", "UserRadiusSet boss /ALIAS:dave")
    run(lab, "FAKE", f"RadiusServerSet {FAKE4}:1812 /SECRET:fake /RETRY_INTERVAL:1000",
        "UserCreate u /GROUP:none /REALNAME:none /NOTE:none", "UserRadiusSet u /ALIAS:none")
    run(lab, "GONE", "RadiusServerSet 10.77.0.99:1812 /SECRET:gone /RETRY_INTERVAL:1000",
        "UserCreate u /GROUP:none /REALNAME:none /NOTE:none", "UserRadiusSet u /ALIAS:none")
    yield lab
    lab.radius.stop()


def run(lab, hub, *commands):
    """Commands of vpncmd in a hub, all of which succeed."""
    done = vpncmd(lab.server.node, [f"Hub {hub}", *commands])
    assert [d.error for d in done] == [0] * (len(commands) + 1), "\n".join(d.text for d in done)
    return done[1:]


class Try:
    """A login that goes on in the background."""

    def __init__(self, lab, hub, user, password, new=True):
        self.conn = connect(lab.nodes["wire"], SERVER4, 8888, timeout_s=90)
        self.version = {"client_ver": 502, "client_build": 5187} if new else {}
        self.session, self.error, self.words = Session(self.conn), None, 0
        self.credentials = (hub, user, password)
        self.took = time.monotonic()
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        """Reads answers until one is no no-op."""
        hub, user, password = self.credentials
        pack_of = self.conn.read_http

        def skipping(**options):
            while True:
                status, head, body = pack_of(**options)
                if b"noop" not in body:
                    return status, head, body
                self.words += 1
        self.conn.read_http = skipping
        try:
            self.session.login(hub, user, plain=password, **self.version)
            self.error = 0
        except LoginError as refused:
            self.error = refused.code
        except (Ended, OSError, ValueError):
            self.error = -1
        self.took = time.monotonic() - self.took

    def result(self, close=True):
        """The error, 0 = in."""
        self.thread.join(120)
        assert not self.thread.is_alive()
        if close:
            self.session.close()
        return self.error


def login(lab, hub, user, password):
    """0 or the error."""
    return Try(lab, hub, user, password).result()


# ---- freeradius -----------------------------------------------------------------------------------

def test_freeradius(lab):
    """Right and wrong passwords, another name there, a stranger, and what stays local."""
    assert login(lab, "REAL", "carol", "carolpw") == 0
    assert login(lab, "REAL", "CAROL", "carolpw") == 0  # the user's own spelling goes there
    assert login(lab, "REAL", "carol", "wrong") == 9
    assert login(lab, "REAL", "carol", "") == 9
    assert login(lab, "REAL", "boss", "davepw") == 0
    assert login(lab, "REAL", "dave", "davepw") == 9  # no such user, and no *
    assert login(lab, "REAL", "alice", "alicepw") == 0
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888))
    with pytest.raises(LoginError) as refused:  # a proof says nothing to a RADIUS server
        session.login("REAL", "carol", password="carolpw")
    assert refused.value.code == 9
    counters = lab.server.counters()
    assert counters["radius_accepted"] >= 3 and counters["radius_rejected"] >= 1
    assert counters["radius_unsigned"] == counters["radius_forged"] == 0


def test_anybody(lab):
    """User *: whoever the server knows and the hub does not, under the own name; not in place of a local user."""
    run(lab, "REAL", "UserCreate * /GROUP:none /REALNAME:none /NOTE:none", "UserRadiusSet * /ALIAS:none")
    trying = Try(lab, "REAL", "anyone", "anyonepw")
    assert trying.result(close=False) == 0
    assert "anyone" in [s["user"] for s in lab.server.sessions("REAL")]
    trying.session.close()
    assert login(lab, "REAL", "alice", "anyonepw") == 9
    assert login(lab, "REAL", "*", "anyonepw") == 9
    assert login(lab, "REAL", "administrator", "anyonepw") == 9
    assert login(lab, "REAL", "Cascade", "anyonepw") == 9
    run(lab, "REAL", "UserDelete *")
    assert login(lab, "REAL", "anyone", "anyonepw") == 9


def test_vlan(lab):
    """The VLAN of the reply becomes the session's, or a reply without one is refused."""
    run(lab, "REAL", "ExtOptionSet AssignVLanIdByRadiusAttribute /VALUE:1",
        "ExtOptionSet DenyAllRadiusLoginWithNoVlanAssign /VALUE:1")
    trying = Try(lab, "REAL", "carol", "carolpw")
    assert trying.result(close=False) == 0
    assert trying.session.welcome["vlan_id"] == [77]
    trying.session.close()
    assert login(lab, "REAL", "boss", "davepw") == 12
    run(lab, "REAL", "ExtOptionSet AssignVLanIdByRadiusAttribute /VALUE:0",
        "ExtOptionSet DenyAllRadiusLoginWithNoVlanAssign /VALUE:0")


def test_stock_client(lab):
    """The stock client's own way (/TYPE:radius), also with a server that takes its time."""
    client = lab.client("a", "192.168.50.1")
    client.create("r", SERVER4, 8888, "REAL", "carol")
    client.control("AccountPasswordSet r /PASSWORD:carolpw /TYPE:radius")
    client.connect("r")
    assert client.session_name() in [s["name"] for s in lab.server.sessions("REAL") if s["user"] == "carol"]
    client.leave()

    def slowly(request, server):
        if len(server.requests) == 1:
            threading.Timer(3, server.send, (request.reply(), request.peer)).start()
    client.create("s", SERVER4, 8888, "FAKE", "u", retry_s=60)
    client.control("AccountPasswordSet s /PASSWORD:x /TYPE:radius")
    with FakeRadius(lab.nodes["wire"], FAKE4, 1812, "fake", slowly):
        client.connect("s", timeout_s=60)
    assert client.session_name() in [s["name"] for s in lab.server.sessions("FAKE") if s["user"] == "u"]
    client.leave()


def test_unsigned_freeradius(lab):
    """As Debian ships it, it does not sign: the log says so, and whoever accepts that gets in."""
    lab.radius.stop()
    plain = FreeRadius(lab.server.node, USERS, SECRET, sign=False).start()
    lab.server.rpc("SetHubRadius", HubName_str="REAL", RadiusServerName_str="127.0.0.1", RadiusRetryTimeout_u32=2000)
    assert login(lab, "REAL", "carol", "carolpw") == 9
    assert "reason=radius_unsigned" in lab.server.log()
    lab.server.rpc("SetHubRadius", HubName_str="REAL", RadiusServerName_str="127.0.0.1", RadiusRetryTimeout_u32=15000,
                   PatchbayRequireMessageAuthenticator_bool=False)
    assert login(lab, "REAL", "carol", "carolpw") == 0
    plain.stop()
    lab.server.rpc("SetHubRadius", HubName_str="REAL", RadiusServerName_str="127.0.0.1",
                   PatchbayRequireMessageAuthenticator_bool=True)
    lab.radius = FreeRadius(lab.server.node, USERS, SECRET).start()


# ---- servers that are not what they should be -----------------------------------------------------

def test_what_is_asked(lab):
    """The request, as a server sees it."""
    with FakeRadius(lab.nodes["wire"], FAKE4, 1812, "fake", lambda q, s: s.send(q.reply(), q.peer)) as server:
        assert login(lab, "FAKE", "u", "päss") == 0
        assert login(lab, "FAKE", "u", "p" * 128) == 0
        asked = len(server.requests)
        assert login(lab, "FAKE", "u", "p" * 129) == 9
        assert len(server.requests) == asked
    request = server.requests[0]
    assert request.code == 1 and request.signed() and request.attributes[0][0] == 80
    assert (request.get(1), request.password()) == (b"u", "päss")
    assert server.requests[1].password() == "p" * 128
    assert request.get(30) == b"FAKE" and request.get(31) == request.get(66) == b"10.77.0.11"
    assert request.get(33) == b"L2:SEVPN" and request.get(32)
    assert server.requests[0].authenticator != server.requests[1].authenticator


def forgeries(request):
    """Replies that are wrong in one thing each."""
    return [
        request.reply(identifier=request.identifier + 1), request.reply(secret=b"guess"),
        request.reply(authenticator=bytes(16)), request.reply(signed=False),
        request.reply(signed=False, attributes=bytes((80, 18)) + bytes(16)),
        request.reply(code=4), request.reply()[:19], request.reply()[:-1], b"", b"\x02",
        request.reply(attributes=b"\x12\x00"), request.reply(attributes=b"\x12\xff")]


def test_forged(lab):
    """Not one of many forgeries is believed; and none of them keeps the right answer from counting."""
    before = lab.server.counters()
    other = lab.nodes["wire"].socket(kind=2)
    other.bind((FAKE4, 0))  # the right address, another port

    def lies(request, server):
        for data in forgeries(request):
            server.send(data, request.peer)
        other.sendto(request.reply(), request.peer)
        lab_side.sendto(request.reply(), ("127.0.0.1", request.peer[1]))
    lab_side = lab.server.node.socket(kind=2)  # another address, knowing all
    with FakeRadius(lab.nodes["wire"], FAKE4, 1812, "fake", lies) as server:
        trying = Try(lab, "FAKE", "u", "x")
        wait_for("asked twice", lambda: len(server.requests) >= 2)
        assert trying.error is None
        server.answer = lambda q, s: (lies(q, s), s.send(q.reply(), q.peer))
        assert trying.result() == 0
        # And the other way round: forged refusals shut nobody out.
        server.requests.clear()
        server.answer = lambda q, s: [s.send(d, q.peer) for d in (
            q.reply(REJECT, secret=b"guess"), q.reply(REJECT, signed=False), q.reply())]
        assert login(lab, "FAKE", "u", "x") == 0
    other.close()
    lab_side.close()
    after = lab.server.counters()
    assert after["radius_forged"] >= before["radius_forged"] + 6
    assert after["radius_unsigned"] >= before["radius_unsigned"] + 2
    assert after["radius_malformed"] >= before["radius_malformed"] + 10
    assert after["radius_foreign"] >= before["radius_foreign"] + 2


def test_late_and_twice(lab):
    """A reply after the next request counts; the same one twice, or one after the end, does nothing."""
    def late(request, server):
        if len(server.requests) == 2:
            for _ in range(3):
                server.send(server.requests[0].reply(), request.peer)
    with FakeRadius(lab.nodes["wire"], FAKE4, 1812, "fake", late) as server:
        assert login(lab, "FAKE", "u", "x") == 0
        assert server.requests[0].data == server.requests[1].data  # a repetition is one
        server.send(server.requests[0].reply(REJECT), server.requests[0].peer)
        server.requests.clear()
        server.answer = lambda q, s: (s.send(q.reply(REJECT), q.peer), s.send(q.reply(), q.peer))
        assert login(lab, "FAKE", "u", "x") == 9
        server.answer = lambda q, s: s.send(q.reply(CHALLENGE), q.peer)
        assert login(lab, "FAKE", "u", "x") == 9
        server.answer = lambda q, s: s.send(q.reply(), q.peer)
        assert login(lab, "FAKE", "u", "x") == 0


def test_next_server(lab):
    """A server that is silent is followed by the next, also one that is a name."""
    (lab.server.node.folder / "x").write_text("")
    run(lab, "FAKE", f'RadiusServerSet "10.77.0.99 no.such.name.invalid,{FAKE4}" /SECRET:fake /RETRY_INTERVAL:1000')
    with FakeRadius(lab.nodes["wire"], FAKE4, 1812, "fake", lambda q, s: s.send(q.reply(), q.peer)):
        assert login(lab, "FAKE", "u", "x") == 0
    run(lab, "FAKE", f"RadiusServerSet {FAKE4}:1812 /SECRET:fake /RETRY_INTERVAL:1000")


def test_dead_server(lab):
    """Logins that wait for a server that is not there delay nobody else's, are kept with words, and end; nor do they count as guesses."""
    lab.server.rpc("SetHubRadius", HubName_str="GONE", RadiusServerName_str="10.77.0.99", RadiusRetryTimeout_u32=12000)
    waiting = [Try(lab, "GONE", "u", "x", new=i % 2) for i in range(8)]
    for user, password in (("carol", "carolpw"), ("alice", "alicepw")) * 2:
        assert login(lab, "REAL", user, password) == 0
    assert all(t.error is None for t in waiting)
    assert [t.result() for t in waiting] == [9] * 8
    assert all(10 < t.took < 60 for t in waiting)
    assert [min(t.words, 1) for t in waiting] == [0, 1] * 4  # older clients would take a word for an error
    assert "reason=radius_silent" in lab.server.log()
    # Nobody guessed: the next does not have to wait for its turn.
    lab.server.rpc("SetHubRadius", HubName_str="GONE", RadiusServerName_str=FAKE4, RadiusSecret_str="fake")
    with FakeRadius(lab.nodes["wire"], FAKE4, 1812, "fake", lambda q, s: s.send(q.reply(), q.peer)):
        trying = Try(lab, "GONE", "u", "x")
        assert trying.result() == 0 and trying.took < 10


def test_the_clock_tells_nothing(lab):
    """A refusal takes as long where nobody was asked as where the server said no, so that nobody learns whose user is whose."""
    lab.server.rpc("CreateHub", HubName_str="SLOW")
    lab.server.rpc("SetHubRadius", HubName_str="SLOW", RadiusServerName_str=FAKE4, RadiusSecret_str="fake", RadiusRetryInterval_u32=5000)
    lab.server.rpc("CreateUser", HubName_str="SLOW", Name_str="theirs", AuthType_u32=4)
    lab.server.rpc("CreateUser", HubName_str="SLOW", Name_str="ours", AuthType_u32=1, Auth_Password_str="ourspw")

    def slowly(request, server):
        threading.Timer(0.8, server.send, (request.reply(REJECT), request.peer)).start()

    def took(user, password, error):
        trying = Try(lab, "SLOW", user, password)
        assert trying.result() == error
        return trying.took
    with FakeRadius(lab.nodes["wire"], FAKE4, 1812, "fake", slowly) as server:
        assert took("theirs", "x", 9) > 0.78 and len(server.requests) == 1
        late = [took(user, "x", 9) for user in ("nobody", "ours", "administrator2", "*")]
        assert min(late) > 0.78, late
        assert len(server.requests) == 1
        # Who is right waits for nothing.
        assert min(took("ours", "ourspw", 0) for _ in range(3)) < 0.78


def test_peer_that_leaves(lab):
    """Whoever leaves while his login waits is forgotten with what was asked about him."""
    lab.server.rpc("SetHubRadius", HubName_str="GONE", RadiusServerName_str="10.77.0.99", RadiusSecret_str="gone", RadiusRetryTimeout_u32=60000)
    before = lab.server.counters()["radius_asked"]
    trying = [Try(lab, "GONE", "u", "x") for _ in range(4)]
    wait_for("all are asked about", lambda: lab.server.counters()["radius_asked"] == before + 4)
    for t in trying:
        t.conn.sock.shutdown(socket.SHUT_RDWR)
    wait_for("forgotten", lambda: not [c for c in lab.server.connections() if not c["session"]])


def test_secret_stays(lab):
    """The secret is in the file and nowhere else; what is read may be written back; a restart keeps all."""
    with Rpc(lab.nodes["wire"], SERVER4) as rpc:
        got = rpc.call("GetHubRadius", HubName="REAL")
        assert got["RadiusSecret"] == [""] and got["RadiusServerName"] == ["127.0.0.1"]
        rpc.call("SetHubRadius", **{k: v[0] for k, v in got.items()})
    text = run(lab, "REAL", "RadiusServerGet")[0].text
    assert SECRET not in text and "127.0.0.1" in text
    assert SECRET not in lab.server.log()
    lab.server.kill()
    lab.server.start()
    assert login(lab, "REAL", "carol", "carolpw") == 0
    run(lab, "REAL", "RadiusServerDelete")
    assert not lab.server.rpc("GetHubRadius", HubName_str="REAL")["PatchbayHasSecret_bool"]
    assert login(lab, "REAL", "carol", "carolpw") == 9
