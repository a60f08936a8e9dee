# SPDX-License-Identifier: BSD-3-Clause
# sanitize
"""What peers are shown of the server: certificate and ciphers changed while it runs; and the service begun anew."""

import base64
import signal
import ssl

import pytest

from lab import SERVER4, certs, wait_for
from lab.admin import Rpc, RpcError, relative, vpncmd
from lab.disk import OwnDisk
from lab.netns import LabError
from lab.server import ADMIN_PASSWORD
from lab.wireclient import Session, connect

pytestmark = pytest.mark.patchbay


def shown(lab, node="wire", **options):
    """The certificate of a handshake, DER."""
    conn = connect(lab.nodes[node], SERVER4, 8888, **options)
    der = conn.certificate()
    conn.close()
    return der


def join(lab, **options):
    """A session that is ready."""
    session = Session(connect(lab.nodes["wire"], SERVER4, 8888))
    return session.login("DEFAULT", "guest", **options).wait_ready()


def key_der(made):
    """A private key as tools send it."""
    return certs.openssl("rsa", "-in", made.key, "-outform", "DER", "-traditional")


def files(lab):
    """What is on the disk: key, certificate, and what should not be there."""
    return {p.name: p.read_bytes() for p in lab.server.state.glob("server.*")}


def code(call, *args, **kwargs):
    """The error of a call, 0 if there is none."""
    try:
        call(*args, **kwargs)
        return 0
    except RpcError as refused:
        return refused.code


@pytest.fixture(name="rpc")
def fixture_rpc(lab):
    """The server's administrator."""
    with Rpc(lab.nodes["wire"], SERVER4) as rpc:
        yield rpc


# ---- certificate ----------------------------------------------------------------------------------

def test_by_the_tool(lab):
    """vpncmd shows, sets and makes certificates; sessions live on; the key is told to nobody."""
    folder = lab.server.node.folder
    made = certs.make(folder, "shop", "/CN=shop.example/O=日本", serial=77)
    session = join(lab)
    before = shown(lab)
    done = vpncmd(lab.server.node, [f"ServerCertGet {relative(folder / 'old.cer')}", f"ServerKeyGet {relative(folder / 'old.key')}",
                                    f"ServerCertSet /LOADCERT:{made.cert} /LOADKEY:{made.key}",
                                    f"ServerCertGet {relative(folder / 'new.cer')}"])
    assert [d.error for d in done if not d.command.startswith("ServerKeyGet")] == [0, 0, 0], done
    assert certs.openssl("x509", "-in", folder / "old.cer", "-outform", "DER") == before
    assert certs.openssl("x509", "-in", folder / "new.cer", "-outform", "DER") == made.der == shown(lab)
    key = folder / "old.key"
    assert not key.exists() or b"PRIVATE" not in key.read_bytes()
    (done,) = vpncmd(lab.server.node, ["ServerCertRegenerate vpn.example"])
    assert done.error == 0
    text = certs.openssl("x509", "-inform", "DER", "-noout", "-subject", "-ext", "subjectAltName", data=shown(lab)).decode()
    assert "CN = vpn.example" in text and "DNS:vpn.example" in text
    # On every listener, and after a power cut.
    new = shown(lab)
    other = connect(lab.nodes["wire"], SERVER4, 443)
    assert other.certificate() == new
    other.close()
    assert session.name in [s["name"] for s in lab.server.sessions("DEFAULT")]
    session.close()
    lab.server.kill()
    lab.server.start()
    assert shown(lab) == new


def test_refused(lab, rpc):
    """What is no pair changes nothing: neither what is shown nor a file."""
    folder = lab.server.node.folder
    one, two = certs.make(folder, "one", "/CN=one"), certs.make(folder, "two", "/CN=two")
    weak = certs.make(folder, "weak", "/CN=weak", bits=1024)
    ec = folder / "ec.key"
    certs.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", ec)
    ec_cert = certs.openssl("req", "-x509", "-new", "-key", ec, "-subj", "/CN=ec", "-outform", "DER", "-config", "/dev/null")
    ec_key = certs.openssl("pkey", "-in", ec, "-outform", "DER")
    before, seen = files(lab), shown(lab)
    for cert, key in [(one.der, key_der(two)), (b"x", key_der(one)), (one.der, b"x"), (one.der + b"x", key_der(one)),
                      (one.der, key_der(one) + b"x"), (weak.der, key_der(weak)), (ec_cert, ec_key), (key_der(one), one.der)]:
        assert code(rpc.call, "SetServerCert", Cert=cert, Key=key) == 4
    assert code(rpc.call, "SetServerCert", Cert=one.der) == 38
    assert code(rpc.call, "SetServerCert", Cert=b"0" * 40000, Key=b"x") == 38
    assert code(rpc.call, "RegenerateServerCert", StrValue="x" * 65) == 38
    assert code(rpc.call, "RegenerateServerCert", StrValue="") == 38
    with Rpc(lab.nodes["wire"], SERVER4, hub="DEFAULT") as hub:
        assert code(hub.call, "SetServerCert", Cert=one.der, Key=key_der(one)) == 52
        assert code(hub.call, "RegenerateServerCert", StrValue="x") == 52
    assert (files(lab), shown(lab)) == (before, seen)
    # A comma begins no second name.
    rpc.call("RegenerateServerCert", StrValue="a.example,IP:192.0.2.1")
    text = certs.openssl("x509", "-inform", "DER", "-noout", "-text", data=shown(lab)).decode()
    assert "CN = \"a.example,IP:192.0.2.1\"" in text and "Alternative" not in text


def test_chain(lab, rpc):
    """Certificates between ours and an authority are kept, told, and shown to peers: one that knows the authority is content."""
    folder = lab.server.node.folder
    root = certs.make(folder, "root", "/CN=root", ca=True)
    middle = certs.make(folder, "middle", "/CN=middle", issuer=root, ca=True)
    leaf = certs.make(folder, "leaf", "/CN=leaf.example", issuer=middle, extra=["subjectAltName = DNS:leaf.example"])
    rpc.call("SetServerCert", Cert=leaf.der, Key=key_der(leaf), Chain=[middle.der])
    got = rpc.call("GetServerCert")
    assert (got["Cert"], got["Chain"], got["Flag1"]) == ([leaf.der], [middle.der], [0])
    assert "Key" not in got
    context = ssl.create_default_context(cafile=root.cert)
    with lab.nodes["wire"].socket() as sock:
        sock.connect((SERVER4, 8888))
        context.wrap_socket(sock, server_hostname="leaf.example").close()
    with pytest.raises(RpcError) as refused:
        rpc.call("SetServerCert", Cert=leaf.der, Key=key_der(leaf), Chain=[middle.der, b"x"])
    assert refused.value.code == 4
    assert rpc.call("GetServerCert")["Chain"] == [middle.der]
    lab.server.rpc("SetServerCert", Cert_bin=base64.b64encode(root.der).decode(), Key_bin=base64.b64encode(key_der(root)).decode())
    got = rpc.call("GetServerCert")
    assert (got["Cert"], got["Flag1"], got.get("Chain", [])) == ([root.der], [1], [])


def test_sessions_that_still_dial(lab, rpc):
    """A client leaves when an additional connection shows another certificate: it is shown the old one until it has them all."""
    lab.host("elsewhere")
    session = join(lab, max_connection=2)
    old = shown(lab)
    rpc.call("RegenerateServerCert", StrValue="new.example")
    new = shown(lab, "elsewhere")
    assert new != old
    assert shown(lab) == old, "one connection of that session is missing"
    # With the ciphers of now: what was taken out of use is not for those who come back, either.
    rpc.call("SetServerCipher", String="AES128-SHA")
    conn = connect(lab.nodes["wire"], SERVER4, 8888, tls="1.2")
    assert (conn.certificate(), conn.tls.cipher()[0]) == (old, "AES128-SHA")
    conn.close()
    rpc.call("SetServerCipher", String="~DEFAULT~")
    conn = connect(lab.nodes["wire"], SERVER4, 8888)
    assert conn.certificate() == old
    session.rejoin(conn)
    assert shown(lab) == new
    lab.server.delete_session("DEFAULT", session.name)
    wait_for("its end", lambda: not lab.server.sessions("DEFAULT"))
    session.close()
    # Its first connection showed the new one, and so does the next.
    session = join(lab, max_connection=2)
    assert shown(lab) == new
    lab.server.delete_session("DEFAULT", session.name)
    session.close()
    wait_for("its end", lambda: not lab.server.sessions("DEFAULT"))


def test_put_there_by_hand(lab):
    """Files of somebody else (certbot) come into force at SIGHUP; what is wrong with them is told, and nothing happens."""
    state = lab.server.state
    made = certs.make(lab.server.node.folder, "hand", "/CN=hand")
    good, seen = files(lab), shown(lab)
    (state / "server.crt").write_bytes(made.cert.read_bytes())
    lab.server.process.signal(signal.SIGHUP)
    wait_for("a word", lambda: "server.key is not the key of server.crt" in lab.server.log())
    assert shown(lab) == seen
    (state / "server.key").write_bytes(made.key.read_bytes())
    lab.server.process.signal(signal.SIGHUP)
    wait_for("the new certificate", lambda: shown(lab) == made.der)
    assert files(lab) != good


def test_cut_off(lab):
    """Killed between the two files a change is completed by the next start; before them it was never there."""
    state = lab.server.state
    lab.server.kill()
    made = certs.make(lab.server.node.folder, "cut", "/CN=cut")
    (state / "server.key").write_bytes(made.key.read_bytes())
    (state / "server.crt.next").write_bytes(made.cert.read_bytes())
    lab.server.start()
    assert shown(lab) == made.der
    assert set(files(lab)) == {"server.key", "server.crt"}
    lab.server.kill()
    late = certs.make(lab.server.node.folder, "late", "/CN=late")
    (state / "server.key.next").write_bytes(late.key.read_bytes())
    (state / "server.crt.next").write_bytes(late.cert.read_bytes())
    lab.server.start()
    assert shown(lab) == made.der
    assert set(files(lab)) == {"server.key", "server.crt"}


def test_disk_full(make_lab):
    """Where there is no room the change is refused, and the old certificate is the one, now and after a restart."""
    lab = make_lab()
    node, state = lab.server.node, lab.server.state
    lab.server.write_directory()
    directory = state.rename(node.folder / "directory") / "directory.cfg"
    disk = OwnDisk(lab, "1m")
    node.run("cp", directory, state)
    disk.start()

    def there():
        return node.run("sh", "-c", f"cd {state} && md5sum server.*").stdout

    seen, before = shown(lab), there()
    node.run("sh", "-c", f"head -c 2000000 /dev/zero > {state}/filler", check=False)
    with Rpc(lab.nodes["wire"], SERVER4) as rpc:
        assert code(rpc.call, "RegenerateServerCert", StrValue="x") == 23
        assert code(rpc.call, "SetServerCipher", String="AES256-GCM-SHA384") == 23
        assert rpc.call("GetServerCipher")["String"] == ["~DEFAULT~"]
        assert (shown(lab), there()) == (seen, before)
        node.run("rm", f"{state}/filler")
        rpc.call("RegenerateServerCert", StrValue="x")
    assert shown(lab) != seen
    lab.close()


# ---- ciphers --------------------------------------------------------------------------------------

def negotiated(lab, tls):
    """(version, cipher) of a handshake, or None."""
    try:
        conn = connect(lab.nodes["wire"], SERVER4, 8888, tls=tls)
    except ssl.SSLError:
        return None
    cipher = conn.tls.cipher()[0]
    conn.close()
    return cipher


def test_ciphers(lab, rpc):
    """Names of either version of TLS; what nobody knows is refused; in force at the next handshake, and kept."""
    node = lab.server.node
    session = join(lab)
    known = rpc.call("GetServerCipherList")["String"][0].split(";")
    assert {"TLS_AES_256_GCM_SHA384", "ECDHE-RSA-AES256-GCM-SHA384", "AES128-SHA"} <= set(known)
    usual = negotiated(lab, "1.2"), negotiated(lab, "1.3")
    get, setting, again = vpncmd(node, ["ServerCipherGet", "ServerCipherSet aes128-sha", "ServerCipherGet"])
    assert "~DEFAULT~" in get.text and "AES256-GCM-SHA384" in get.text
    assert setting.error == 0 and " AES128-SHA\n" in again.text
    assert (negotiated(lab, "1.2"), negotiated(lab, "1.3")) == ("AES128-SHA", usual[1])
    (wrong,) = vpncmd(node, ["ServerCipherSet nonsense"])
    assert wrong.error == 38
    assert code(rpc.call, "SetServerCipher", String="x" * 2000) == 38
    assert code(rpc.call, "SetServerCipher", String="AES128-SHA\nx") == 38
    assert rpc.call("GetServerCipher")["String"] == ["AES128-SHA"]
    rpc.call("SetServerCipher", String="TLS_AES_128_GCM_SHA256, ECDHE-RSA-AES128-GCM-SHA256;ECDHE-RSA-AES256-GCM-SHA384")
    both = "ECDHE-RSA-AES128-GCM-SHA256", "TLS_AES_128_GCM_SHA256"
    assert (negotiated(lab, "1.2"), negotiated(lab, "1.3")) in (both, ("ECDHE-RSA-AES256-GCM-SHA384", both[1]))
    assert rpc.call("GetServerCipher")["PatchbayInForce"] == [
        "TLS_AES_128_GCM_SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384"]
    assert session.name in [s["name"] for s in lab.server.sessions("DEFAULT")]
    session.close()
    lab.server.kill()
    lab.server.start()
    assert negotiated(lab, "1.3") == both[1]
    with Rpc(lab.nodes["wire"], SERVER4) as other:
        assert other.call("SetServerCipher", String="~DEFAULT~")
        with Rpc(lab.nodes["wire"], SERVER4, hub="DEFAULT") as hub:
            assert code(hub.call, "SetServerCipher", String="") == 52
    assert (negotiated(lab, "1.2"), negotiated(lab, "1.3")) == usual
    lab.server.rpc("Flush")
    assert "ciphers" not in (lab.server.state / "directory.cfg").read_text("utf-8")


# ---- anew -----------------------------------------------------------------------------------------

def test_reboot(lab):
    """Answered, ended in good order, begun again with the same process id and threads where they were; nothing is lost."""
    session = join(lab)
    pid = lab.server.process.pid
    threads = sorted((t["name"], t["cpus"]) for t in lab.server.threads() if t["name"].startswith(("pb-", "patchbayd")))
    started = lab.server.rpc("GetServerStatus")["StartTime_dt"]
    lab.server.rpc("CreateHub", HubName_str="KEPT")
    (done,) = vpncmd(lab.server.node, ["Reboot"])
    assert done.error == 0
    assert session.wait_end()

    def anew():
        try:
            if lab.server.rpc("GetServerStatus")["StartTime_dt"] <= started:
                return False
            join(lab).close()  # the listeners come after the socket of patchbayctl
            return True
        except (OSError, ValueError, LabError):
            return False
    wait_for("patchbayd again", anew, 90)
    assert lab.server.process.poll() is None and lab.server.process.pid == pid
    assert "KEPT" in [h["name"] for h in lab.server.hub_list()]
    assert sorted((t["name"], t["cpus"]) for t in lab.server.threads()
                  if t["name"].startswith(("pb-", "patchbayd"))) == threads
    with Rpc(lab.nodes["wire"], SERVER4, password=ADMIN_PASSWORD) as rpc:
        assert code(rpc.call, "RebootServer", IntValue=1) == 33
    with Rpc(lab.nodes["wire"], SERVER4, hub="DEFAULT") as hub:
        assert code(hub.call, "RebootServer") == 52
    assert lab.server.stop() == 0
