# SPDX-License-Identifier: BSD-3-Clause
"""Logins by certificate: with the stock client, and with what it cannot be told to do.

Users and authorities are set up by the real vpncmd.
"""

import pytest

from lab import SERVER4, certs, wait_for
from lab.admin import Api, vpncmd
from lab.wireclient import LoginError, Session, connect

pytestmark = pytest.mark.patchbay


@pytest.fixture(scope="module", name="pki")
def fixture_pki(tmp_path_factory):
    """An authority, what it signed, and what it did not."""
    folder = tmp_path_factory.mktemp("pki")
    ca = certs.make(folder, "ca", "/CN=Test CA/O=Lab/C=JP", ca=True)
    return {
        "ca": ca,
        "signed": certs.make(folder, "signed", "/CN=signed/O=Lab", issuer=ca, serial=0x1f03),
        "other": certs.make(folder, "other", "/CN=other/O=Lab", issuer=ca, serial=0x1f04),
        "alone": certs.make(folder, "alone", "/CN=alone"),
        "ended": certs.make(folder, "ended", "/CN=ended", issuer=ca, days=-1),
        "small": certs.make(folder, "small", "/CN=small", bits=512),
        "server": certs.make(folder, "server", "/CN=srv", issuer=ca, extra=("extendedKeyUsage = serverAuth",)),
    }


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab, pki):
    """One user for each kind of rule, made by vpncmd."""
    lab = make_lab()
    lab.server.start()
    # Failures are counted by source: each login comes from another.
    lab.nodes["wire"].run("sh", "-c", "for i in $(seq 100 179); do ip addr add 10.77.0.$i/24 dev eth0; done")
    new = [f"UserCreate {u} /GROUP:none /REALNAME:none /NOTE:none" for u in ("exact", "any", "named", "numbered")]
    run(lab, *new, f"UserCertSet exact /LOADCERT:{pki['alone'].cert}",
        "UserSignedSet any /CN:none /SERIAL:none", "UserSignedSet named /CN:SIGNED /SERIAL:none",
        "UserSignedSet numbered /CN:none /SERIAL:1f03", f"CAAdd {away(pki['ca'].cert)}")
    return lab


def away(path):
    """A path as vpncmd takes it where it has no name: not with a slash first."""
    return "../" * 16 + str(path).lstrip("/")


def run(lab, *commands, hub="DEFAULT"):
    """Commands of vpncmd in a hub, all of which succeed."""
    done = vpncmd(lab.server.node, [f"Hub {hub}", *commands])
    assert [d.error for d in done] == [0] * (len(commands) + 1), "\n".join(d.text for d in done)
    return done[1:]


SOURCES = iter(range(100, 180))


def session_of(lab):
    """A connection from an address that nobody has used yet."""
    return Session(connect(lab.nodes["wire"], SERVER4, 8888, source=f"10.77.0.{next(SOURCES)}"))


def login(lab, user, made, random=None, **more):
    """0, or the error of a login with a certificate and a proof made with its key."""
    session = session_of(lab)
    ask = {"authtype": 3, "cert": made.der, "sign": made.prove(random or session.random), **more}
    return session.refusal("DEFAULT", user, **ask)


@pytest.mark.parametrize("user, cert, error", [
    ("exact", "alone", 0), ("exact", "signed", 9), ("EXACT", "alone", 0),
    ("any", "signed", 0), ("any", "other", 0), ("any", "alone", 9), ("any", "ended", 9), ("any", "server", 9), ("any", "ca", 0),
    ("named", "signed", 0), ("named", "other", 9), ("numbered", "signed", 0), ("numbered", "other", 9),
    ("nobody", "signed", 9), ("alice", "signed", 9), ("guest", "alone", 0)])
def test_rules(lab, pki, user, cert, error):
    """The very certificate; any that the authority signed; with a name; with a number; dates and purposes."""
    assert login(lab, user, pki[cert]) == error


def test_proof(lab, pki):
    """Whoever has the certificate but not the key, or another connection's proof, stays outside."""
    alone, signed = pki["alone"], pki["signed"]
    assert login(lab, "exact", alone, random=bytes(20)) == 9
    stolen = certs.Certificate(alone.cert, signed.key)
    assert login(lab, "exact", stolen) == 9
    assert login(lab, "exact", alone, sign=b"") == 9
    assert login(lab, "exact", alone, cert=b"") == 9
    assert login(lab, "exact", alone, cert=alone.cert.read_bytes()) == 9  # PEM
    assert login(lab, "exact", alone, cert=b"\x30\x82" + bytes(60000)) == 9
    assert login(lab, "exact", alone) == 0
    # Another method is no way in for one of these, nor is this one for a user with a password.
    for credentials in ({"password": ""}, {"plain": ""}, {"password": "x"}, {}):
        session = session_of(lab)
        with pytest.raises(LoginError) as refused:
            session.login("DEFAULT", "exact", **credentials)
        assert refused.value.code == 9
        session.close()


def test_revocation(lab, pki):
    """Revoked by serial number, by name, by digest; taken back; other certificates are not touched."""
    rows = run(lab, "CrlAdd /SERIAL:001f03 /MD5: /SHA1: /CN: /O: /OU: /C: /ST: /L:",
               "CrlList")[-1].rows()
    assert login(lab, "any", pki["signed"]) == 9
    assert login(lab, "any", pki["other"]) == 0
    (row,) = rows
    key = row["ID"]
    got = run(lab, f"CrlGet {key}")[-1]
    assert "1F" in got.text.upper()
    run(lab, f"CrlDel {key}")
    assert login(lab, "any", pki["signed"]) == 0
    with Api(lab.nodes["wire"], SERVER4, hub="DEFAULT") as api:
        api.call("AddCrl", HubName_str="default", CommonName_utf="Alone")
        assert login(lab, "exact", pki["alone"]) == 9
        (row,) = api.call("EnumCrl", HubName_str="DEFAULT")["CRLList"]
        api.call("SetCrl", HubName_str="default", Key_u32=row["Key_u32"], CommonName_utf="nobody")
        assert login(lab, "exact", pki["alone"]) == 0
        api.call("DelCrl", HubName_str="default", Key_u32=row["Key_u32"])


def test_after_a_restart(lab, pki):
    """Users, authorities and revocations are where they were; then the authority goes, and who it signed with it."""
    run(lab, "CrlAdd /SERIAL:1f04 /MD5: /SHA1: /CN: /O: /OU: /C: /ST: /L:")
    lab.server.kill()
    lab.server.start()
    assert [login(lab, u, pki[c]) for u, c in (("exact", "alone"), ("any", "signed"), ("any", "other"),
                                               ("numbered", "other"))] == [0, 0, 9, 9]
    listed = run(lab, "CAList", f"UserCertGet exact /SAVECERT:{lab.folder}/exact.crt")[0].items()
    assert listed["Issued to"] == listed["Issuer"] == "Test CA, Lab, JP"  # as Debian's server has it
    assert certs.openssl("x509", "-in", lab.folder / "exact.crt", "-outform", "DER") == pki["alone"].der
    run(lab, f"CAGet {listed['ID']} /SAVECERT:{lab.folder}/ca.crt", f"CADelete {listed['ID']}")
    assert certs.openssl("x509", "-in", lab.folder / "ca.crt", "-outform", "DER") == pki["ca"].der
    assert login(lab, "any", pki["signed"]) == 9
    assert login(lab, "exact", pki["alone"]) == 0
    run(lab, f"CAAdd {away(pki['ca'].cert)}")
    assert login(lab, "any", pki["signed"]) == 0


def test_stock_client(lab, pki):
    """The stock client with certificate and key."""
    client = lab.client("a", "192.168.50.1")
    client.create("c", SERVER4, 8888, "DEFAULT", "named")
    client.control(f"AccountCertSet c /LOADCERT:{pki['signed'].cert} /LOADKEY:{pki['signed'].key}")
    client.connect("c")
    assert client.session_name() in [s["name"] for s in lab.server.sessions("DEFAULT") if s["user"] == "named"]
    client.leave()
    client.create("d", SERVER4, 8888, "DEFAULT", "named", retry_s=60)
    client.control(f"AccountCertSet d /LOADCERT:{pki['other'].cert} /LOADKEY:{pki['other'].key}")
    client.connect("d", wait=False)
    wait_for("the client was refused", lambda: 9 in client.errors(), 60)
    client.leave()
