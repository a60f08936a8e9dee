# SPDX-License-Identifier: BSD-3-Clause
# sanitize
"""From TCP to the welcome, with our own client: transports, answers, error codes (wire.md 1 to 4)."""

import re
import socket
import ssl
import warnings

import pytest

from lab import SERVER4, SERVER6, frames, pack
from lab.admin import Rpc
from lab.wireclient import Ended, LoginError, Session, TAG, connect, tcp

PORTS = (8888, 443, 992)
HOSTS = (SERVER4, SERVER6)


@pytest.fixture(name="dial")
def fixture_dial(lab):
    """dial(**options): a TLS connection from the wire host; closed after the test."""
    open_ones = []

    def dial(host=SERVER4, port=8888, node=None, **options):
        conn = connect(node or lab.nodes["wire"], host, port, **options)
        open_ones.append(conn)
        return conn

    yield dial
    for conn in open_ones:
        conn.close()


def echo_between(one, other):
    """Two sessions of a hub: a broadcast and an answer to its sender."""
    a, b = frames.mac(1), frames.mac(2)
    hello = frames.frame(frames.BROADCAST, a, 60)
    one.send(hello)
    assert other.wait_frame(lambda f: f == hello)
    answer = frames.frame(a, b, 1514)
    other.send(answer)
    assert one.wait_frame(lambda f: f == answer)


def refused(session, *args, **options):
    """The code a login is refused with."""
    with pytest.raises(LoginError) as e:
        session.login(*args, **options)
    return e.value.code


@pytest.mark.parametrize("tls", ["1.2", "1.3"])
@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("port", PORTS)
def test_every_way_in(dial, port, host, tls):
    """Each port, address family and TLS version leads to a session that carries frames."""
    one = Session(dial(host, port, tls=tls)).login("DEFAULT", "alice", "alicepw").wait_ready()
    other = Session(dial(host, port, tls=tls)).login("DEFAULT", "guest").wait_ready()
    assert one.conn.tls.version() == f"TLSv{tls}"
    echo_between(one, other)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_loopback(lab, dial, host):
    """From the server's own machine."""
    here = lab.nodes["server"]
    one = Session(dial(host, node=here)).login("DEFAULT", "alice", "alicepw").wait_ready()
    other = Session(dial(host, node=here)).login("DEFAULT", "bob", "bobpw").wait_ready()
    echo_between(one, other)


@pytest.mark.parametrize("name", ["10.77.0.1/tcp", "10.77.0.1", "some.name.example", "a b"])
def test_any_server_name(dial, name):
    """Stock clients send whatever stands in their host setting as SNI, verbatim (wire.md 1.2)."""
    Session(dial(server_name=name)).login("DEFAULT", "guest")


def test_same_certificate_everywhere(dial):
    """A client compares the certificates of a session's connections byte by byte (wire.md 5.4)."""
    assert len({dial(h, p).certificate() for h in HOSTS for p in PORTS}) == 1


def test_hello(dial):
    """The hello carries a product name, a version and 20 bytes that are never the same."""
    hellos = [Session(dial()).hello for _ in range(2)]
    assert len(pack.first(hellos[0], "random")) == 20
    assert hellos[0]["random"] != hellos[1]["random"]
    assert pack.first(hellos[0], "hello") and pack.first(hellos[0], "version") >= 400


def test_welcome(dial):
    """What the client needs from the welcome is there, in the form stock servers use."""
    session = Session(dial()).login("DEFAULT", "alice", "alicepw", max_connection=8)
    got = {k: v[0] for k, v in session.welcome.items()}
    assert re.fullmatch(r"SID-ALICE-\d+", got["session_name"])
    assert re.fullmatch(r"CID-\d+", got["connection_name"])
    assert len(got["session_key"]) == 20
    assert 1 <= got["max_connection"] <= 8 and got["use_encrypt"] == 1
    assert got["timeout"] == 20000
    assert got["policy:Access"] == 1 and got["policy:Ver3"] == 1
    assert got["policy:NoBridge"] == got["policy:NoRouting"] == 1


def test_session_names_count_up(dial):
    """Two sessions of one user are told apart, and sessions have different keys."""
    one, other = (Session(dial()).login("DEFAULT", "bob", "bobpw") for _ in range(2))
    assert one.name != other.name and one.key != other.key
    assert int(other.name.rpartition("-")[2]) > int(one.name.rpartition("-")[2])


def test_names_in_any_case(dial):
    """Hub and user names ignore case; the session is named in capitals."""
    assert Session(dial()).login("default", "Alice", "alicepw").name.startswith("SID-ALICE-")


def test_anonymous_user_takes_anything(dial):
    """A user registered as anonymous is let in whatever is presented (wire.md 3.2.1)."""
    Session(dial()).login("DEFAULT", "guest", "whatever")


@pytest.mark.parametrize("hub, user, options, code", [
    ("DEFAULT", "alice", {"password": "wrong"}, 9),
    ("DEFAULT", "alice", {"password": ""}, 9),
    ("DEFAULT", "nobody", {"password": "alicepw"}, 9),
    ("DEFAULT", "alice", {"authtype": 0}, 9),
    ("DEFAULT", "x" * 255, {"password": "p"}, 9),
    ("NOSUCH", "alice", {"password": "alicepw"}, 8),
    ("CLOSED", "alice", {"password": "alicepw"}, 10),
    ("DEFAULT", "alice", {"authtype": 96}, 7),
    ("DEFAULT", "alice", {"authtype": 97}, 7),
    ("DEFAULT", "alice", {"authtype": 98}, 7),
    ("DEFAULT", "alice", {"authtype": 50}, 7),
])
def test_refused(dial, hub, user, options, code):
    """The error codes of wire.md 4.4, in the order of policy.md 7."""
    assert refused(Session(dial()), hub, user, **options) == code


def test_stale_random_is_worthless(dial):
    """A recorded proof does not open a second connection."""
    first, second = Session(dial()), Session(dial())
    second.random = first.random
    assert refused(second, "DEFAULT", "alice", "alicepw") == 9


@pytest.mark.patchbay
def test_refusal_ends_with_close_notify(dial):
    """After its error the server ends orderly, once the client has spoken again (wire.md 4.3)."""
    session = Session(dial())
    assert refused(session, "DEFAULT", "alice", "wrong") == 9
    session.conn.send_http("POST", "/vpnsvc/vpn.cgi", pack.encode({"pencore": b"x"}),
                           {"Content-Type": "application/octet-stream"})
    assert session.conn.drain() == "close_notify"
    assert session.conn.tcp_end() == "eof"


def test_unknown_method(dial):
    """Error 4."""
    reply = Session(dial()).conn.pack({"method": "dance", **Session.CLIENT})
    assert pack.first(reply, "error") == 4


def test_missing_method(dial):
    """Error 4."""
    assert pack.first(Session(dial()).conn.pack({"x": 1}), "error") == 4


@pytest.mark.parametrize("body", [b"", b"\0\0\0\1", b"\xff" * 64, b"\0\0\0\1\0\0\0\5erro\0\0\0\x09\0\0\0\1"])
def test_broken_pack(dial, body):
    """What is no PACK is answered like a lost connection: error 3, then the end.

    The stock server takes an element of unknown type for an absent one, hence the 4.
    """
    conn = Session(dial()).conn
    conn.send_http("POST", "/vpnsvc/vpn.cgi", body, {"Content-Type": "application/octet-stream"})
    try:
        assert pack.first(pack.decode(conn.read_http()[2]), "error") in (3, 4)
    except Ended:
        pass
    conn.send_http("POST", "/vpnsvc/vpn.cgi", b"x", {"Content-Type": "application/octet-stream"})
    assert conn.drain()


def test_oversized_pack(dial):
    """65536 bytes are read, one more is refused."""
    conn = Session(dial()).conn
    reply = conn.pack({"method": "dance", "pencore": bytes(65000)})
    assert pack.first(reply, "error") == 4
    conn = Session(dial()).conn
    conn.send_http("POST", "/vpnsvc/vpn.cgi", b"", {"Content-Type": "application/octet-stream",
                                                    "Content-Length": 65537})
    conn.send(bytes(1000))
    try:
        assert pack.first(pack.decode(conn.read_http()[2]), "error") == 3
    except Ended:
        pass


def test_enum_hub(dial):
    """Hub names without a login."""
    reply = Session(dial()).conn.pack({"method": "enum_hub", **Session.CLIENT})
    assert {"DEFAULT", "SECOND"} <= set(reply["HubName"])
    assert pack.first(reply, "NumHub") == len(reply["HubName"])
    assert "error" not in reply


def test_message_of_the_hub(lab, dial):
    """What an administrator sets is shown to whoever logs in from then on, byte for byte; and no longer when it is taken away."""
    (hub,) = [h for h in lab.server.hubs if h.name == "DEFAULT"]

    def shown():
        session = Session(dial()).login("DEFAULT", "guest")
        session.close()
        return session.welcome.get("Msg", [b""])[0]
    with Rpc(lab.nodes["wire"], SERVER4, hub="DEFAULT", password=hub.password) as rpc:
        assert rpc.call("GetHubMsg", HubName="DEFAULT").get("Msg", [b""]) == [b""] and shown() == b""
        for text in ("お知らせ: 土曜日は休みです\r\n\t\"second\" line \\ of it", "短", "x" * 20000):
            rpc.call("SetHubMsg", HubName="DEFAULT", Msg=text.encode())
            assert rpc.call("GetHubMsg", HubName="DEFAULT")["Msg"] == [text.encode()]
            assert shown() == text.encode()
        rpc.call("SetHubMsg", HubName="DEFAULT", Msg=b"")
        assert rpc.call("GetHubMsg", HubName="DEFAULT").get("Msg", [b""]) == [b""] and shown() == b""


def test_noop(dial):
    """A client that waits for its user says so and may then still log in (wire.md 1.7)."""
    session = Session(dial())
    for _ in range(5):
        reply = session.conn.pack({"error": 0, "noop": 1})
        assert pack.first(reply, "noop") and not pack.first(reply, "error", 0)
    session.login("DEFAULT", "guest")


def test_noop_not_for_ever(dial):
    """30 times, not more."""
    session = Session(dial())
    with pytest.raises((Ended, OSError, ValueError, AssertionError)):
        for _ in range(40):
            assert pack.first(session.conn.pack({"error": 0, "noop": 1}), "noop")


def test_probe_then_signature(dial, kind):
    """GET / is answered with something a racing client accepts, and the connection goes on."""
    conn = dial()
    status, headers, body = conn.http("GET", "/", headers={"X-VPN": "1"})
    assert 0 < len(body) < 1048576 and int(headers["content-length"]) == len(body)
    if kind == "patchbay":
        assert status == 200 and TAG in body[:1023].decode()
    Session(conn).login("DEFAULT", "guest")


@pytest.mark.parametrize("method, target, status", [
    ("GET", "/other", 404), ("HEAD", "/", None), ("PUT", "/", 501), ("DELETE", "/x", 501)])
def test_other_requests(dial, method, target, status):
    """Unrelated requests are answered and leave the connection usable (wire.md 1.6)."""
    conn = dial()
    got = conn.http(method, target)[0]
    assert status in (None, got)
    Session(conn).login("DEFAULT", "guest")


def test_request_budget(dial):
    """The signature may be the 19th request; a 20th is not read."""
    conn = dial()
    for _ in range(18):
        assert conn.http("GET", "/nothing")[0] == 404
    Session(conn).login("DEFAULT", "guest")
    conn = dial()
    with pytest.raises((Ended, OSError)):
        for _ in range(20):
            conn.http("GET", "/nothing")
    assert conn.end


def test_post_of_wrong_length(dial, kind):
    """403 without a look at it, and nothing more on this connection."""
    conn = dial()
    assert conn.http("POST", "/vpnsvc/connect.cgi", b"x" * 100)[0] == 403
    if kind == "patchbay":
        assert conn.drain() == "close_notify"
    else:
        with pytest.raises((Ended, OSError)):
            conn.timeout_s = 3
            conn.http("GET", "/")


def test_wrong_signature_may_try_again(dial):
    """Acceptable length, wrong content: 403 and still open."""
    conn = dial()
    assert conn.http("POST", "/vpnsvc/connect.cgi", b"x" * 10)[0] == 403
    Session(conn).login("DEFAULT", "guest")


@pytest.mark.parametrize("request_", [
    b"nonsense\r\n\r\n", b"GET / HTTP/1.1\r\nno colon here\r\n\r\n", b"GET / HTTP/1.1\r\nEmpty:\r\n\r\n",
    b"\r\n\r\n", b"\0" * 64 + b"\n\n", b"A" * 5000 + b"\r\n\r\n"])
def test_malformed_request(dial, request_):
    """Nothing is answered, the connection ends."""
    conn = dial()
    conn.send(request_)
    data = conn.recv()
    assert data == b"" and conn.end, f"answered {data!r}"


@pytest.mark.patchbay
def test_closed_with_close_notify(dial):
    """Also where it is the server that loses patience."""
    conn = dial()
    conn.send(b"nonsense\r\n\r\n")
    assert conn.drain() == "close_notify" and conn.tcp_end() == "eof"


@pytest.mark.parametrize("first", [b"GET / HTTP/1.0\r\n\r\n", b"SSH-2.0-x\r\n", b"\x16\x03", b"\xff" * 300,
                                   b"\x80\x2e\x01\x00\x02" + bytes(41)])
def test_not_tls(lab, first):
    """What is no TLS is closed (a partial hello at the latest with the login time)."""
    sock = tcp(lab.nodes["wire"], SERVER4, 8888, timeout_s=90)
    with sock:
        sock.sendall(first)
        if first == b"\x16\x03":
            sock.shutdown(socket.SHUT_WR)
        try:
            while sock.recv(4096):
                pass
        except ConnectionResetError:
            pass


def test_old_tls_is_refused(lab):
    """TLS 1.1 and below."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        context.wrap_socket(tcp(lab.nodes["wire"], SERVER4, 8888)).close()
