# SPDX-License-Identifier: BSD-3-Clause
# sanitize
"""The method table as a whole: who may call what, that nothing refused changes anything, and that no secret leaves.

Every test goes through the daemon's own list of methods, in every encoding: JSON on the local socket and over HTTPS, and PACK.
"""

import base64
import hashlib
import json
import pathlib

import pytest

from lab import SERVER4, certs, pack
from lab.admin import Api, Client, Rpc, RpcError
from lab.methods import CALLS, HUB, SERVER, json_params, pack_params
from lab.server import Group, Hub, User
from lab.wireclient import Ended, LoginError, Session, connect

pytestmark = pytest.mark.patchbay

CHANGES = ("runs", "stored")


def hubs():
    """Two hubs that have the same in them."""
    return [Hub(name, [User("alice", "alicepw"), User("guest")], groups=[Group("staff")], password="hubpw")
            for name in ("DEFAULT", "SECOND")]


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """A server with two hubs."""
    lab = make_lab(hubs=hubs())
    lab.server.start()
    return lab


@pytest.fixture(scope="module", name="methods")
def fixture_methods(lab):
    """{method: (role, effect, fields)} as the daemon tells it."""
    rows = lab.server.rpc("PatchbayEnumMethod")["MethodList"]
    return {m["Name_str"]: (m["Role_str"], m["Effect_str"],
                            lab.server.rpc("PatchbayEnumMethod", Name_str=m["Name_str"])["FieldList"]) for m in rows}


class Caller(Client):
    """Somebody with a right, in one encoding."""

    def __init__(self, lab, encoding, who, methods):
        self.encoding, self.methods, self.lab = encoding, methods, lab
        hub, password = {"server": ("", "adminpw"), "own": ("DEFAULT", "hubpw"), "other": ("SECOND", "hubpw")}[who]
        if encoding != "local":
            self.conn = (Api if encoding == "api" else Rpc)(lab.nodes["wire"], SERVER4, hub=hub, password=password)

    def raw(self, method, params):
        """The error of a call with parameters in the encoding's own form, and its answer as text or bytes."""
        try:
            if self.encoding == "local":
                answer = local_call(self.lab.server, method, params)
            else:
                answer = self.conn.call(method, **params)
        except RpcError as refused:
            return refused.code, str(refused)
        except Ended as gone:
            raise AssertionError(f"{method} {params}: {gone}") from gone
        return 0, answer

    def call(self, method, params):
        """The same with parameters in the names of the PACK."""
        fields = [f for f in self.methods[method][2] if f["Where_str"] == "request"]
        form = pack_params if self.encoding == "pack" else json_params
        return self.raw(method, form(params, fields))


def local_call(server, method, params):
    """A call on the local socket; RpcError with the code."""
    got = server.rpc_answer(method, params)
    if "error" in got:
        raise RpcError(got["error"]["code"], got["error"]["message"])
    return got["result"]


def right_call(method, hub):
    """Parameters of a call that is right but for who makes it."""
    call = CALLS[method]
    return {**({"HubName": hub} if call.role == HUB else {}), **call.params}


def everything(server):
    """What an administrator could have changed, and how often the store was written."""
    status = server.rpc("PatchbayGetStore")
    return (base64.b64decode(server.rpc("GetConfig")["FileData_bin"]), server.rpc("EnumListener")["ListenerList"],
            {k: status[k] for k in status if k.startswith("Changes")}, server.rpc("GetServerCert")["Cert_bin"])


# ---- roles ----------------------------------------------------------------------------------------

def test_table_is_known(methods):
    """A method that is added to the daemon has to be added to lab/methods.py, with its rights."""
    assert set(methods) == set(CALLS)
    wrong = {n: (role, CALLS[n].role) for n, (role, _, _) in methods.items() if role != CALLS[n].role}
    assert not wrong, "the daemon's role, and that of logging-admin.md"


@pytest.mark.parametrize("encoding", ["local", "api", "pack"])
def test_roles(lab, methods, encoding):
    """Each method as the administrator of the server, of this hub, and of another: done, or 52 and nothing changed."""
    callers = {"local": ["server"]}.get(encoding, ["other", "own", "server"])
    wrong = []

    def ask(caller, who, methods):
        for method in methods:
            got, text = caller.call(method, right_call(method, "DEFAULT"))
            if got not in (CALLS[method].passes if methods is allowed else (52,)):
                wrong.append((who, method, got, text if got else ""))

    for who in callers:
        allowed = [m for m, c in sorted(CALLS.items())
                   if who == "server" or (c.role == HUB and who == "own" and not c.fenced) or c.role not in (HUB, SERVER)]
        refused = sorted(set(CALLS) - set(allowed))
        with Caller(lab, encoding, who, methods) as caller:
            before = everything(lab.server)
            ask(caller, who, refused)
            assert everything(lab.server) == before, who
            ask(caller, who, allowed)
    assert not wrong


def test_nobody(lab, methods):
    """Without a password, with a wrong one, or with another hub's: no method at all."""
    for options in ({"password": None}, {"password": "wrong"}, {"hub": "DEFAULT", "password": "adminpw"}):
        names = sorted(methods)
        while names:
            # As many as one connection may ask before it has said who it is; those with a password have to wait for each.
            some, names = names[:15], names[15:] if options["password"] is None else []
            with Api(lab.nodes["wire"], SERVER4, **options) as one:
                for method in some[:15 if options["password"] is None else 1]:
                    with pytest.raises(RpcError) as refused:
                        one.call(method)
                    assert refused.value.code == 401, method
    for options in ({"password": "wrong"}, {"hub": "DEFAULT", "password": "adminpw"}):
        with pytest.raises(RpcError) as refused:
            Rpc(lab.nodes["wire"], SERVER4, **options)
        assert refused.value.code == 12
    done = lab.server.node.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", lab.server.ctl_path, "--socket",
                               lab.server.state / "admin.sock", "status", check=False)
    assert done.returncode != 0


def test_lists_show_the_own_hub_alone(lab, methods):
    """What everybody may call tells a hub's administrator nothing of other hubs."""
    lab.server.rpc("CreateHub", HubName_str="HIDDENHUB")
    for encoding in ("api", "pack"):
        with Caller(lab, encoding, "own", methods) as caller:
            for method, call in sorted(CALLS.items()):
                if methods[method][1] == "reads" and call.role != SERVER:
                    got, answer = caller.call(method, right_call(method, "DEFAULT"))
                    assert got in call.passes, method
                    assert "HIDDENHUB" not in repr(answer), method
    lab.server.rpc("DeleteHub", HubName_str="HIDDENHUB")


# ---- what is wrong changes nothing ------------------------------------------------------------------

def wrong_values(field, as_json):
    """[(what, value)] that this field cannot have.

    To a PACK's reader an element of another type is not there, nor, where nothing may be left out, is an empty one or 0.
    """
    kind, least, most = field["Type_str"], field["Min_u64"], field["Max_u64"]
    out = []
    if kind in ("str", "ustr", "data"):
        text = kind != "data"
        if most < 70000:
            out.append(("too long", ("x" if text else b"x") * (most + 1)))
        if least > 0 and (as_json or least > 1 or field["Required_bool"]):
            out.append(("too short", ("" if text else b"") if least == 1 else ("x" if text else b"x") * (least - 1)))
        out += [("a number", 5)] if as_json else []
    elif kind in ("int", "int64"):
        if most < 2**32 - 1:
            out.append(("too large", most + 1))
        if least > 0 and (as_json or least > 1 or field["Required_bool"]):
            out.append(("too small", least - 1))
        out += [("text", "x"), ("below 0", -1)] if as_json else []
        out += [("wider than it is", 2**62)] if as_json and kind == "int" else []
    elif kind in ("bool", "ip") and as_json:
        out.append(("text", "x"))
    elif kind == "rows" and as_json:
        out += [("no list", 5), ("no records", [5])]
    return out


def form(value, kind, as_json):
    """A wrong value in its encoding."""
    if as_json:
        return base64.b64encode(value).decode() if isinstance(value, bytes) else value
    return ({"int": 0, "int64": 4, "str": 2, "ustr": 3, "data": 1}[kind], value)


@pytest.mark.parametrize("encoding", ["local", "api", "pack"])
def test_malformed(lab, methods, encoding):
    """Every field of every method that changes something, too long, out of range, of another type, missing: 38, and all is as it was."""
    as_json = encoding != "pack"
    wrong, tried = [], 0
    with Caller(lab, encoding, "server", methods) as caller:
        before = everything(lab.server)
        for method, (_, effect, all_fields) in sorted(methods.items()):
            if effect not in CHANGES:
                continue
            fields = [f for f in all_fields if f["Where_str"] == "request" and f["Type_str"] != "traffic"]
            build = json_params if as_json else pack_params
            right = build(right_call(method, "DEFAULT"), fields)
            for f in fields:
                name = f["JsonName_str"] if as_json else f["Name_str"]
                cases = [(what, {**right, name: form(v, f["Type_str"], as_json)}) for what, v in wrong_values(f, as_json)]
                if f["Required_bool"]:
                    cases.append(("missing", {k: v for k, v in right.items() if k != name}))
                for what, params in cases:
                    if encoding == "api" and len(json.dumps(params)) > 60000:
                        continue  # the bound of the request is another test's
                    got, _ = caller.raw(method, params)
                    tried += 1
                    if got != 38:
                        wrong.append((method, name, what, got))
            if as_json:
                got, _ = caller.raw(method, {**right, "NoSuchField_str": "x"})
                wrong += [(method, "a field it does not have", got)] if got != 38 else []
            if CALLS[method].role == HUB:
                for hub, code in (("NOHUB", 8), ("x" * 255, 8), ("", 38), ("x" * 256, 38), ("a\x01b", 8)):
                    got, _ = caller.raw(method, {**right, **build({"HubName": hub}, fields)})
                    wrong += [(method, hub, got)] if got != code else []
    assert not wrong, wrong[:20]
    assert tried > (300 if as_json else 150)
    assert everything(lab.server) == before


def test_duplicates(lab, methods):
    """What is there already: the protocol's error, and nothing changed."""
    ca = certs.make(lab.server.node.folder, "ca", "/CN=ca", ca=True)
    server = lab.server
    made = [("CreateHub", {"HubName": "TWICE"}, 57), ("CreateListener", {"Port": 5599, "Enable": False}, 54),
            ("CreateUser", {"HubName": "TWICE", "Name": "u", "AuthType": 0}, 66),
            ("CreateUser", {"HubName": "TWICE", "Name": "U", "AuthType": 0}, 66),
            ("CreateGroup", {"HubName": "TWICE", "Name": "g"}, 67),
            ("AddLocalBridge", {"HubNameLB": "TWICE", "DeviceName": "pbtwice", "TapMode": True}, 0),
            ("AddCa", {"HubName": "TWICE", "Cert": ca.der}, 0)]
    with Caller(lab, "pack", "server", methods) as caller, Caller(lab, "api", "server", methods) as other:
        for method, params, _ in made:
            assert caller.call(method, params)[0] in (0, 66), method
        before = everything(server)
        for method, params, code in made:
            assert (caller.call(method, params)[0], other.call(method, params)[0]) == (code, code), method
        for method, params in [("CreateHub", {"HubName": "twice"}), ("CreateUser", {"HubName": "twice", "Name": "u", "AuthType": 0})]:
            assert caller.call(method, params)[0] in (57, 66)
        after = everything(server)
        assert after[:2] == before[:2]
        for method, params in [("DeleteLocalBridge", {"HubNameLB": "TWICE", "DeviceName": "pbtwice", "TapMode": True}),
                               ("DeleteHub", {"HubName": "TWICE"}), ("DeleteListener", {"Port": 5599})]:
            assert caller.call(method, params)[0] == 0, method


# ---- secrets --------------------------------------------------------------------------------------

# Exceptions, each with its reason: method -> names of secrets it may tell. There are none: the original tells the server's
# administrator the private key (GetServerCert) and everybody's hashes (GetUser, GetConfig), and Patchbay does not.
TOLD = {}


def spellings(secret):
    """How bytes may stand in an answer."""
    out = {secret, secret.hex().encode(), secret.hex().upper().encode(), base64.b64encode(secret).rstrip(b"=")}
    # Base64 of something longer that has it in it: at each of the three offsets the middle is the same.
    for shift in (1, 2):
        coded = base64.b64encode(bytes(shift) + secret)
        out.add(coded[4:-4])
    return [s for s in out if len(s) >= 8]


def flat(answer):
    """All bytes of an answer, whatever its encoding."""
    if isinstance(answer, dict):
        return b"\n".join(str(k).encode() + b"\n" + flat(v) for k, v in answer.items())
    if isinstance(answer, list):
        return b"\n".join(map(flat, answer))
    return answer if isinstance(answer, bytes) else str(answer).encode()


def unfold(answer, as_json):
    """The answer, and what its binary fields have in them."""
    whole = flat(answer)
    if not as_json:
        return whole

    def walk(value, name=""):
        if isinstance(value, dict):
            for k, v in value.items():
                yield from walk(v, k)
        elif isinstance(value, list):
            for v in value:
                yield from walk(v, name)
        elif name.endswith("_bin"):
            yield base64.b64decode(value)
    return whole + b"\n" + b"\n".join(walk(answer))


def test_no_secret_leaves(make_lab):
    """Secrets of every kind are set, and used; then every method that reads is called in every encoding by everybody who may."""
    lab = make_lab(hubs=hubs(), settings={"metrics": {"port": 9955, "token": "metrics-token-3141"}})
    server = lab.server
    server.start()
    node = server.node
    methods = {m["Name_str"]: (m["Role_str"], m["Effect_str"],
                               server.rpc("PatchbayEnumMethod", Name_str=m["Name_str"])["FieldList"])
               for m in server.rpc("PatchbayEnumMethod")["MethodList"]}
    made = certs.make(node.folder, "own", "/CN=own")
    key = certs.openssl("rsa", "-in", made.key, "-outform", "DER", "-traditional")
    server.rpc("SetServerCert", Cert_bin=base64.b64encode(made.der).decode(), Key_bin=base64.b64encode(key).decode())
    server.rpc("SetHubRadius", HubName_str="DEFAULT", RadiusServerName_str="192.0.2.9", RadiusSecret_str="radius-secret-2718")
    server.rpc("CreateUser", HubName_str="DEFAULT", Name_str="carol", AuthType_u32=1, Auth_Password_str="carol-password-1618")
    secrets = {"metrics token": b"metrics-token-3141", "radius secret": b"radius-secret-2718", "user password": b"carol-password-1618",
               "user hash": pack.hashed_password("carol", "carol-password-1618"), "other hash": pack.hashed_password("alice", "alicepw"),
               "hub hash": pack.sha0(b"hubpw"), "hub vpn hash": pack.sha0(b"hubpwADMINISTRATOR"),
               "server hash": pack.sha0(b"adminpw"), "nt hash": hashlib.new("md4", "alicepw".encode("utf-16le")).digest()
               if "md4" in hashlib.algorithms_available else bytes(16),
               **{f"private key at {at}": key[at:at + 24] for at in range(300, len(key) - 24, 120)}}
    if secrets["nt hash"] == bytes(16):
        del secrets["nt hash"]
    # What an import left for later has passwords of cascades in it.
    config = ("declare root\n{\n\tdeclare VirtualHUB\n\t{\n\t\tdeclare IMPORTED\n\t\t{\n\t\t\tdeclare CascadeList\n\t\t\t{\n"
              "\t\t\t\tdeclare Cascade0\n\t\t\t\t{\n\t\t\t\t\tbool Online true\n\t\t\t\t\tdeclare ClientAuth\n\t\t\t\t\t{\n"
              "\t\t\t\t\t\tuint AuthType 2\n\t\t\t\t\t\tstring PlainPassword cascade-password-1414\n\t\t\t\t\t\tstring Username x\n"
              "\t\t\t\t\t}\n\t\t\t\t}\n\t\t\t}\n\t\t}\n\t}\n}\n")
    server.rpc("PatchbayUpload", Offset_u32=0, Data_bin=base64.b64encode(config.encode()).decode())
    server.rpc("PatchbayImport")
    secrets["cascade password"] = b"cascade-password-1414"
    on_disk = server.stored().encode() + (server.state / "server.key").read_bytes()
    assert b"cascade-password-1414" in on_disk and b"radius-secret-2718" in on_disk, "the test searches for what is there"
    needles = [(name, s) for name, secret in secrets.items() for s in spellings(secret)]
    # Attempts that fail and that succeed, so that logs have had their chance.
    for password in ("carol-password-1618", "carol-password-1618x"):
        try:
            Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "carol", plain=password).close()
        except LoginError:
            pass
    asked, found = 0, []
    for encoding in ("local", "api", "pack"):
        for who in ["server"] if encoding == "local" else ["server", "own"]:
            with Caller(lab, encoding, who, methods) as caller:
                calls = [(m, right_call(m, "DEFAULT")) for m, (_, effect, _) in methods.items() if effect == "reads"]
                calls += [("GetUser", {"HubName": "DEFAULT", "Name": "carol"}), ("GetUser", {"HubName": "DEFAULT", "Name": "guest"})]
                calls += [("GetHub", {"HubName": "IMPORTED"}), ("GetConnectionInfo", {"Name": "CID-1"})]
                answer = caller.call("EnumLogFile", {})[1]
                paths = answer["FilePath"] if encoding == "pack" else [r["FilePath_str"] for r in answer["LogFiles"]]
                calls += [("ReadLogFile", {"FilePath": p}) for p in paths]
                for method, params in calls:
                    code, answer = caller.call(method, params)
                    asked += code == 0
                    seen = unfold(answer, encoding != "pack")
                    found += [(encoding, who, method, name) for name, s in needles
                              if s in seen and name not in TOLD.get(method, ())]
    assert not found
    assert asked > 150
    # Nor in what everybody on the machine may see.
    log = server.log().encode()
    assert not [name for name, s in needles if s in log]
    lab.close()


def memory_of(pid):
    """What a process may write to, piece by piece, each with the end of the one before."""
    with open(f"/proc/{pid}/mem", "rb", 0) as mem:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text("ascii").splitlines():
            where, how = line.split()[:2]
            first, last = (int(x, 16) for x in where.split("-"))
            if not how.startswith("rw") or last - first > 1 << 32:  # a sanitizer's shadow has terabytes
                continue
            kept = b""
            for at in range(first, last, 1 << 22):
                mem.seek(at)
                try:
                    piece = kept + mem.read(min(1 << 22, last - at))
                except OSError:
                    break
                yield piece
                kept = piece[-4096:]


def test_no_secret_stays(make_lab):
    """Passwords and keys that were sent are nowhere in the daemon's memory when the call is answered: not in buffers that are free again."""
    lab = make_lab(hubs=hubs())
    server = lab.server
    server.start()
    made = certs.make(server.node.folder, "sent", "/CN=sent")
    key = certs.openssl("rsa", "-in", made.key, "-outform", "DER", "-traditional")
    coded = base64.b64encode(key)
    # Of the private exponent. (As bytes OpenSSL 3.0 leaves some of it behind itself when it has read a key.)
    secrets = {"key in Base64": coded[420:480]}

    def secret(encoding, what):
        """A long one, of which pieces are looked for: who gets a freed block next overwrites its beginning only."""
        text = "".join(f"{what}-by-{encoding}-{n:02};" for n in range(30))[:240]
        for at in range(40, 220, 30):
            secrets[f"{encoding} {what} {at}"] = text[at:at + 24].encode()
        return text
    methods = {m["Name_str"]: (m["Role_str"], m["Effect_str"], server.rpc("PatchbayEnumMethod", Name_str=m["Name_str"])["FieldList"])
               for m in server.rpc("PatchbayEnumMethod")["MethodList"]}
    for encoding in ("local", "api", "pack"):
        with Caller(lab, encoding, "server", methods) as caller:
            for method, params in [
                    ("CreateUser", {"HubName": "DEFAULT", "Name": encoding, "AuthType": 1, "Auth_Password": secret(encoding, "user")}),
                    ("SetUser", {"HubName": "DEFAULT", "Name": encoding, "AuthType": 1, "Auth_Password": secret(encoding, "again")}),
                    ("SetUser", {"HubName": "DEFAULT", "Name": "nobody", "AuthType": 1, "Auth_Password": secret(encoding, "refused")}),
                    ("SetHub", {"HubName": "SECOND", "AdminPasswordPlainText": secret(encoding, "hub")}),
                    ("SetServerCert", {"Cert": made.der, "Key": key})]:
                code = caller.call(method, params)[0]
                assert code == (29 if params.get("Name") == "nobody" else 0), (encoding, method, code)
            caller.call("GetServerStatus", {})
    server.rpc("Flush")  # the store's buffers hold hashes only; they are not looked for here
    found = {}
    for piece in memory_of(server.process.pid):
        for name, value in secrets.items():
            at = piece.find(value)
            if at >= 0:
                found[name] = piece[max(0, at - 40):at + 80]
    assert not found, found
    server.stop()
