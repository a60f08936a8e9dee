# SPDX-License-Identifier: BSD-3-Clause
"""patchbayctl sets up who may come in and how: its words are proved by logins and by what the daemon listens on."""

import json
import os
import re
import socket
import ssl
import subprocess

import pytest

from lab import SERVER4, certs, wait_for
from lab.admin import Rpc, RpcError
from lab.radius import FakeRadius
from lab.server import Hub, User
from lab.wireclient import Session, connect, tcp

pytestmark = pytest.mark.patchbay

FAKE4 = "10.77.0.11"


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """One hub with a user; everything else is made by patchbayctl."""
    lab = make_lab(hubs=[Hub("DEFAULT", [User("alice", "alicepw")])])
    lab.server.start()
    lab.nodes["wire"].run("sh", "-c", "for i in $(seq 100 139); do ip addr add 10.77.0.$i/24 dev eth0; done")
    lab.sources = iter(range(100, 140))
    return lab


@pytest.fixture(scope="module", name="pki")
def fixture_pki(tmp_path_factory):
    """An authority and two that it signed."""
    folder = tmp_path_factory.mktemp("pki")
    ca = certs.make(folder, "ca", "/CN=Test CA", ca=True)
    return {"folder": folder, "ca": ca, "one": certs.make(folder, "one", "/CN=one", issuer=ca, serial=0x1f03),
            "two": certs.make(folder, "two", "/CN=two", issuer=ca, serial=0x1f04)}


def ctl(lab, *argv, stdin=None):
    """As people call it: what it prints."""
    done = subprocess.run([lab.server.ctl_path, "--socket", lab.server.state / "admin.sock", *map(str, argv)],
                          input=stdin, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, f"{argv}: {done.stdout}{done.stderr}"
    return done.stdout


def wrong(lab, *argv, status=(1, 2), stdin=""):
    """A refusal with a sentence."""
    done = subprocess.run([lab.server.ctl_path, "--socket", lab.server.state / "admin.sock", *map(str, argv)],
                          input=stdin, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode in status and done.stderr.startswith("patchbayctl: ") and not done.stdout, done
    return done.stderr


def login(lab, user, made=None, port=8888, **ask):
    """0, or the error of a login, each from another address."""
    session = Session(connect(lab.nodes["wire"], SERVER4, port, source=f"10.77.0.{next(lab.sources)}"))
    if made is not None:
        ask = {"authtype": 3, "cert": made.der, "sign": made.prove(session.random)}
    return session.refusal("DEFAULT", user, **ask)


def test_listeners(lab):
    """Created, closed, opened and deleted while the daemon runs; both ends of it seen from the wire."""
    def reached():
        try:
            tcp(lab.nodes["wire"], SERVER4, 7777).close()
            return True
        except OSError:
            return False
    assert not reached()
    assert ctl(lab, "listener", "create", 7777) == "listener created\n" and reached()
    assert "there is a listener" in wrong(lab, "listener", "create", 7777, status=(1,))
    assert ctl(lab, "listener", "disable", 7777) and not reached()
    assert re.search(r"^ *7777 +no", ctl(lab, "listener", "list"), re.M)
    assert lab.server.ctl("listener", "enable", "7777")["Port_u32"] == 7777 and reached()
    assert lab.server.ctl("completion", "words", "--", "listener", "delete", "7") == ["7777"]
    ctl(lab, "listener", "delete", 7777)
    assert not reached() and "no listener" in wrong(lab, "listener", "enable", 7777, status=(1,))
    ctl(lab, "listener", "create", 7778, "--disabled")
    assert {"port": 7778, "open": False} in lab.server.listeners()
    ctl(lab, "listener", "delete", 7778)
    wrong(lab, "listener", "create", 70000)


def test_server_password(lab):
    """The old one opens nothing any more, the new one does; an empty one only where it is meant."""
    def administer(password):
        try:
            with Rpc(lab.nodes["wire"], SERVER4, password=password) as rpc:
                return len(rpc.call("GetServerInfo")) > 0
        except RpcError:
            return False
    assert administer("adminpw")
    assert ctl(lab, "server", "password", stdin="neues Kennwort\n") == "password set\n"
    assert not administer("adminpw")
    lab.server.stop()
    lab.server.start()
    assert administer("neues Kennwort")
    assert "--remove" in wrong(lab, "server", "password", stdin="\n")
    assert administer("neues Kennwort")
    ctl(lab, "server", "password", "--remove")
    assert not administer("")
    ctl(lab, "server", "password", stdin="adminpw\n")


def test_passwords_of_any_length(lab):
    """255 bytes are a password; more are refused, and not cut to something that nobody has typed."""
    whole = "p" * 255
    ctl(lab, "hub", "password", "DEFAULT", stdin=whole + "\n")
    with Rpc(lab.nodes["wire"], SERVER4, hub="DEFAULT", password=whole):
        pass
    assert "at most 255" in wrong(lab, "hub", "password", "DEFAULT", stdin=whole + "q\n")
    assert "at most 255" in wrong(lab, "user", "set", "DEFAULT", "alice", "--password", "-", stdin="p" * 5000)
    with Rpc(lab.nodes["wire"], SERVER4, hub="DEFAULT", password=whole):
        pass
    ctl(lab, "hub", "password", "DEFAULT", stdin=lab.server.hubs[0].password + "\n")


def test_message(lab, tmp_path):
    """What a hub tells people: set from words or a file, shown, kept over a restart, fenced, taken away."""
    text = "お知らせ\n\"quoted\" \\ line\n"
    file = tmp_path / "message"
    file.write_text(text, encoding="utf-8")
    assert ctl(lab, "hub", "message", "DEFAULT") == ""
    ctl(lab, "hub", "message", "DEFAULT", "--file", str(file))
    assert ctl(lab, "hub", "message", "DEFAULT") == text
    with Rpc(lab.nodes["wire"], SERVER4, hub="DEFAULT", password=lab.server.hubs[0].password) as rpc:
        for bad in (b"\xff", b"a\0b", b"\x07", b"x" * 20001, "名".encode() * 20001, b"x" * 60001):
            with pytest.raises(RpcError) as refused:
                rpc.call("SetHubMsg", HubName="DEFAULT", Msg=bad)
            assert refused.value.code == 38, bad[:10]
        ctl(lab, "hub", "admin-option", "DEFAULT", "no_change_msg=yes")
        with pytest.raises(RpcError) as refused:
            rpc.call("SetHubMsg", HubName="DEFAULT", Msg=b"mine")
        assert refused.value.code == 52
        ctl(lab, "hub", "admin-option", "DEFAULT", "no_change_msg=no")
    lab.server.kill()
    lab.server.start()
    assert ctl(lab, "hub", "message", "DEFAULT") == text
    assert "--file" in wrong(lab, "hub", "message", "DEFAULT", "--text", "x", "--file", "y")
    ctl(lab, "hub", "message", "DEFAULT", "--text", "")
    assert ctl(lab, "hub", "message", "DEFAULT") == ""
    lab.server.rpc("Flush")
    assert "message" not in (lab.server.state / "directory.cfg").read_text("utf-8")


def test_certificates(lab, pki):
    """Users with a certificate, users of an authority with rules, revocations; each proved by a login."""
    one, two = pki["one"], pki["two"]
    der = pki["folder"] / "one.der"
    der.write_bytes(one.der)
    ctl(lab, "user", "create", "DEFAULT", "pem", "--certificate", one.cert)
    ctl(lab, "user", "create", "DEFAULT", "der", "--certificate", der)
    ctl(lab, "user", "create", "DEFAULT", "any", "--signed")
    ctl(lab, "user", "create", "DEFAULT", "numbered", "--signed", "--serial", "1F:04")
    assert [login(lab, "pem", one), login(lab, "der", one), login(lab, "pem", two)] == [0, 0, 9]
    assert login(lab, "any", one) == 9
    assert ctl(lab, "ca", "add", "DEFAULT", pki["ca"].cert) == "authority added\n"
    assert [login(lab, u, c) for u, c in (("any", one), ("numbered", one), ("numbered", two))] == [0, 9, 0]
    ctl(lab, "user", "set", "DEFAULT", "numbered", "--serial", "", "--common-name", "one")
    assert [login(lab, "numbered", one), login(lab, "numbered", two)] == [0, 9]
    shown = ctl(lab, "user", "show", "DEFAULT", "numbered")
    assert re.search(r"^Authentication +signed$", shown, re.M) and re.search(r"^  common name +one$", shown, re.M)
    (row,) = lab.server.ctl("ca", "list", "DEFAULT")["CAList"]
    key = str(row["Key_u32"])
    assert "Test CA" in ctl(lab, "ca", "list", "DEFAULT")
    shown = pki["folder"] / "shown.pem"
    shown.write_text(ctl(lab, "ca", "show", "DEFAULT", key))
    assert certs.openssl("x509", "-in", shown, "-outform", "DER") == pki["ca"].der
    assert lab.server.ctl("completion", "words", "--", "ca", "show", "DEFAULT", "") == [key]
    ctl(lab, "crl", "add", "DEFAULT", "--serial", "1f03")
    assert [login(lab, "any", one), login(lab, "any", two)] == [9, 0]
    (row,) = lab.server.ctl("crl", "list", "DEFAULT")["CRLList"]
    revoked = str(row["Key_u32"])
    assert re.search("^Serial +1f03$", ctl(lab, "crl", "show", "DEFAULT", revoked), re.M)
    ctl(lab, "crl", "set", "DEFAULT", revoked, "--common-name", "two")
    assert [login(lab, "any", one), login(lab, "any", two)] == [0, 9]
    ctl(lab, "crl", "delete", "DEFAULT", revoked)
    assert login(lab, "any", two) == 0
    ctl(lab, "ca", "delete", "DEFAULT", key)
    assert login(lab, "any", two) == 9
    ctl(lab, "user", "set", "DEFAULT", "any", "--password", "-", stdin="pw\n")
    assert [login(lab, "any", two), login(lab, "any", password="pw")] == [9, 0]


def test_certificates_that_are_none(lab, pki, tmp_path):
    """Files that cannot be what they should, and options that do not go together, change nothing."""
    text = tmp_path / "text"
    text.write_text("hello\n")
    broken = tmp_path / "broken.pem"
    broken.write_text("-----BEGIN CERTIFICATE-----\nAAA*\n-----END CERTIFICATE-----\n")
    key = tmp_path / "key.pem"
    key.write_bytes(pki["one"].key.read_bytes())
    for path, word in ((text, "no certificate"), (broken, "damaged"), (key, "no certificate"),
                       (tmp_path / "absent", "No such file"), (tmp_path, "directory")):
        assert word in wrong(lab, "user", "create", "DEFAULT", "nobody", "--certificate", path, status=(2,))
        assert word in wrong(lab, "ca", "add", "DEFAULT", path, status=(2,))
    for options in (["--signed", "--radius"], ["--password", "x", "--anonymous"], [], ["--serial", "1"],
                    ["--signed", "--serial", "123"], ["--signed", "--serial", "xy"], ["--anonymous", "--serial", "12"],
                    ["--password", "x", "--radius-name", "y"]):
        wrong(lab, "user", "create", "DEFAULT", "nobody", *options, status=(2,))
    assert "nobody" not in ctl(lab, "user", "list", "DEFAULT")
    wrong(lab, "crl", "add", "DEFAULT", status=(1,))
    wrong(lab, "crl", "delete", "DEFAULT", "77", status=(1,))
    wrong(lab, "ca", "show", "DEFAULT", "77", status=(1,))


def test_radius(lab):
    """Set piece by piece; a user of that kind, under another name there; the secret stays where it is."""
    ctl(lab, "radius", "set", "DEFAULT", "--servers", FAKE4, "--secret", "-", stdin="geheim\n")
    ctl(lab, "radius", "set", "DEFAULT", "--timeout", "7000", "--realm", "lab")
    shown = lab.server.ctl("radius", "show", "DEFAULT")
    assert (shown["RadiusServerName_str"], shown["RadiusRetryTimeout_u32"], shown["PatchbayRealm_str"],
            shown["PatchbayHasSecret_bool"]) == (FAKE4, 7000, "lab", True)
    assert "geheim" not in json.dumps(shown) and "geheim" not in ctl(lab, "radius", "show", "DEFAULT")
    assert "given anew" in wrong(lab, "radius", "set", "DEFAULT", "--servers", "10.77.0.99", status=(1,))
    ctl(lab, "user", "create", "DEFAULT", "carol", "--radius", "--radius-name", "caroline")
    with FakeRadius(lab.nodes["wire"], FAKE4, 1812, "geheim", lambda r, s: s.send(r.reply(), r.peer)) as radius:
        assert login(lab, "carol", plain="pw") == 0
        assert radius.requests[-1].get(1) == b"caroline@lab"
    ctl(lab, "radius", "delete", "DEFAULT")
    assert lab.server.ctl("radius", "show", "DEFAULT")["PatchbayHasSecret_bool"] is False
    assert "RadiusSecret" in wrong(lab, "radius", "set", "DEFAULT", "--servers", FAKE4, status=(1,))


def handshake(lab, version=None):
    """(certificate in DER, cipher) of a TLS handshake with the server."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers("ALL:@SECLEVEL=0")
    if version:
        context.maximum_version = version
    with context.wrap_socket(tcp(lab.nodes["wire"], SERVER4, 8888)) as tls:
        return tls.getpeercert(True), tls.cipher()[0]


def test_server_certificate(lab, pki, tmp_path):
    """What is printed is what a client is shown: the first one, one that is set (PEM, DER), one that is made."""
    def printed():
        shown = tmp_path / "shown.pem"
        shown.write_text(ctl(lab, "certificate", "show"))
        return certs.openssl("x509", "-in", shown, "-outform", "DER")
    assert printed() == handshake(lab)[0]
    one, two = pki["one"], pki["two"]
    assert ctl(lab, "certificate", "set", one.cert, one.key) == "certificate set\n"
    assert printed() == handshake(lab)[0] == one.der
    # Not its key: refused, and nothing changes.
    wrong(lab, "certificate", "set", two.cert, one.key)
    wrong(lab, "certificate", "set", two.cert, two.cert, status=(2,))
    assert handshake(lab)[0] == one.der
    cert, key = tmp_path / "two.der", tmp_path / "two.key.der"
    cert.write_bytes(two.der)
    key.write_bytes(certs.openssl("pkey", "-in", two.key, "-outform", "DER"))
    ctl(lab, "certificate", "set", cert, key)
    assert printed() == handshake(lab)[0] == two.der
    assert ctl(lab, "certificate", "regenerate", "vpn.example") == "certificate made\n"
    made = handshake(lab)[0]
    assert printed() == made != two.der
    assert b"CN = vpn.example" in certs.openssl("x509", "-inform", "DER", "-noout", "-subject", data=made)
    lab.server.kill()
    lab.server.start()
    assert handshake(lab)[0] == made


def test_server_cipher(lab):
    """Set, refused and given back; each seen in the next handshake."""
    def agreed():
        return handshake(lab, ssl.TLSVersion.TLSv1_2)[1]
    usual = agreed()
    assert usual != "AES128-SHA" and "~DEFAULT~" in ctl(lab, "server", "cipher")
    assert ctl(lab, "server", "cipher", "AES128-SHA") == "ciphers set\n"
    assert agreed() == "AES128-SHA"
    assert lab.server.ctl("server", "cipher")["String_str"] == "AES128-SHA"
    assert re.search("^In force .*AES128-SHA", ctl(lab, "server", "cipher"), re.M)
    wrong(lab, "server", "cipher", "nonsense", status=(1,))
    assert agreed() == "AES128-SHA"
    ctl(lab, "server", "cipher", "~DEFAULT~")
    assert agreed() == usual


def test_syslog(lab):
    """Which lines go where: shown, set, off; what is sent comes as a datagram, to an address or a UNIX socket."""
    shown = lab.server.ctl("syslog", "show")
    assert (shown["SaveType_u32"], shown["Hostname_str"]) == (0, "")
    assert re.search("^Lines +off$", ctl(lab, "syslog", "show"), re.M)

    def seen(sock):
        """A login's line."""
        Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "alice", "alicepw").close()
        try:
            while b"login accepted" not in sock.recv(4096):
                pass
        except TimeoutError:
            return False
        return True
    with lab.server.node.socket(kind=socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(1)
        port = sock.getsockname()[1]
        assert ctl(lab, "syslog", "set", "127.0.0.1", "security", "--port", port) == "syslog server set\n"
        assert lab.server.ctl("syslog", "show") == {"SaveType_u32": 2, "Hostname_str": "127.0.0.1", "Port_u32": port}
        assert re.search(r"^Lines +security\nHost +127\.0\.0\.1\nPort +\d+$", ctl(lab, "syslog", "show"), re.M)
        wait_for("the login's line", lambda: seen(sock), 90)
        assert "should be server, security or packet" in wrong(lab, "syslog", "set", "127.0.0.1", "all", status=(2,))
        path = lab.server.node.folder / "log.sock"
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as local:
            local.bind(str(path))
            local.settimeout(1)
            ctl(lab, "syslog", "set", path, "packet")
            wait_for("the login's line on the UNIX socket", lambda: seen(local), 90)
        # Off: on disk again, and nothing more is sent.
        assert ctl(lab, "syslog", "off") == "no lines are sent any more\n"
        assert lab.server.ctl("syslog", "show")["SaveType_u32"] == 0
        sent = lab.server.ctl("log", "status")["Sent_u64"]
        file = lab.server.state / "logs/security_log/DEFAULT/sec.log"
        before = file.stat().st_size if file.exists() else 0
        Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "alice", "alicepw").close()
        wait_for("the line on disk", lambda: file.exists() and file.stat().st_size > before)
        assert lab.server.ctl("log", "status")["Sent_u64"] == sent


def test_every_command_is_described(lab):
    """Each command: help that names an existing method, an entry in the man page, its words in the completion."""
    methods = {m["Name_str"] for m in lab.server.ctl("methods")["MethodList"]}
    typed = re.findall(r"^  ([a-z]+(?: [a-z-]+)?)\b", ctl(lab, "--help").split("Commands:\n")[1].split("\n\n")[0], re.M)
    assert len(typed) > 90
    page = open(os.path.join(os.path.dirname(__file__), "../../config/patchbayctl.1"), encoding="utf-8").read().replace("\\-", "-")
    for command in typed:
        words = command.split()
        text = ctl(lab, *words, "--help")
        called = re.search(r"^Calls (\w+)", text, re.M)
        assert called is None or called[1] in methods, command
        assert re.search(rf'^\.(?:B|BI|BR) "?{re.escape(command)}\b', page, re.M), f"{command}: not in patchbayctl.1"
        assert words[-1] in lab.server.ctl("completion", "words", "--", *words)
