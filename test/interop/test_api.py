# SPDX-License-Identifier: BSD-3-Clause
# sanitize
"""JSON-RPC over HTTPS at /api/: the same methods, roles and bounds as vpncmd's."""

import json

import pytest

from lab import SERVER4, wait_for
from lab.admin import Api, Rpc, RpcError
from lab.wireclient import Ended, Session, connect

pytestmark = pytest.mark.patchbay

HELLO = {"jsonrpc": "2.0", "id": "1", "method": "Test", "params": {"IntValue_u32": 7}}


@pytest.fixture(name="api")
def fixture_api(lab):
    """api(**options): a connection to the API."""
    made = []

    def make(**options):
        made.append(Api(lab.nodes["wire"], SERVER4, **options))
        return made[-1]

    yield make
    for one in made:
        one.close()


def refused(call, *args, **kwargs):
    """The code of an error."""
    with pytest.raises(RpcError) as error:
        call(*args, **kwargs)
    return error.value.code


def test_calls(lab, api):
    """Results and errors, on one connection; what the local socket answers too."""
    server = api()
    assert server.call("Test", IntValue_u32=5, UniStrValue_utf="日本語") == {
        "IntValue_u32": 5, "Int64Value_u64": 0, "StrValue_str": "5", "UniStrValue_utf": "日本語"}
    assert server.call("EnumHub")["HubList"] == lab.server.rpc("EnumHub")["HubList"]
    assert refused(server.call, "NoSuch") == 33
    assert refused(server.call, "EnumSession", HubName_str="NONE") == 8
    assert refused(server.call, "EnumSession") == 38
    assert server.post(b"garbage")[0] == 200
    assert server.call("GetServerInfo")["ServerType_u32"] == 0
    assert server.post(json.dumps(HELLO).encode(), "/api")[0] == 200
    state = {c["PatchbayState_str"] for c in server.call("EnumConnection")["ConnectionList"]}
    assert state == {"admin"}


def test_who_may(api):
    """Server and hub by header or Basic; 401 otherwise, and the connection may try again."""
    assert api(basic=True).call("GetCaps")
    assert api(hub="administrator", basic=True).call("EnumConnection")
    hub = api(hub="default")
    assert [h["HubName_str"] for h in hub.call("EnumHub")["HubList"]] == ["DEFAULT"]
    assert refused(hub.call, "EnumConnection") == 52
    assert refused(hub.call, "EnumSession", HubName_str="SECOND") == 52
    assert refused(api(password="wrong").call, "Test") == 401
    assert refused(api(hub="NONE").call, "Test") == 401
    none = api(password=None)
    assert refused(none.call, "Test") == 401
    none.headers["X-VPNADMIN-PASSWORD"] = "adminpw"
    assert none.call("Test")
    # Other credentials on a connection that was let in: refused, and its end.
    none.headers["X-VPNADMIN-HUBNAME"] = "DEFAULT"
    assert refused(none.call, "Test") == 401
    assert none.conn.drain() == "close_notify"


def test_disconnect_oneself(lab, api):
    """Who ends his own connection has his answer, and then it is over; the daemon is well."""
    one = api()
    name, = [c["Name_str"] for c in one.call("EnumConnection")["ConnectionList"]]
    assert one.call("DisconnectConnection", Name_str=name) == {"Name_str": name}
    with pytest.raises(Ended):
        one.conn.recv_exactly(1)
    wait_for("the connection gone", lambda: not lab.server.connections())
    with Rpc(lab.nodes["wire"], SERVER4) as two:
        name, = [c["name"] for c in lab.server.connections()]
        assert two.call("DisconnectConnection", Name=name)["Name"] == [name]
        assert two.ended()


def test_pages_of_others(api):
    """A page from elsewhere that makes a browser ask gets nothing; our own may."""
    body = json.dumps(HELLO).encode()
    assert api().post(body, headers={"Origin": "https://evil.example"})[0] == 403
    assert api().post(body, headers={"Origin": "null"})[0] == 403
    assert api().post(body, headers={"Origin": f"https://{SERVER4}:8888"})[0] == 200


def test_no_password_no_way_in(make_lab):
    """While the server has no password nobody gets in, with whatever he brings."""
    lab = make_lab(hubs=[])
    lab.server.start()
    for options in ({"password": "x"}, {"password": "", "basic": True}, {"hub": "DEFAULT", "password": "x"}):
        with Api(lab.nodes["wire"], SERVER4, **options) as one:
            assert refused(one.call, "Test") == 401
    lab.close()


def test_bounds(lab, api):
    """Too long, without a length, after half a request: an end, and nothing else suffers."""
    long = api()
    assert long.post(b"x" * 70000)[0] == 403
    assert long.conn.drain(10)
    assert api().post(json.dumps(HELLO).encode(), headers={"Transfer-Encoding": "chunked"})[0] == 411
    # Behind the login the same.
    for body, headers in ((b"x" * 70000, {}), (b"{}", {"Transfer-Encoding": "chunked"})):
        one = api()
        assert one.call("Test")
        assert one.post(body, headers=headers)[0] == 411
        assert one.conn.drain(10)
    # What one may ask before he has said who he is, is counted with all other requests.
    one = api(password="wrong")
    one.headers.pop("X-VPNADMIN-PASSWORD")
    for _ in range(19):
        assert one.post(b"{}")[0] == 401
    one.conn.send_http("POST", "/api/", b"{}", one.headers)
    assert one.conn.drain() == "close_notify"
    assert api().call("Test")
    assert Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "guest").close() is None


def test_long_answers_are_streamed(lab, api):
    """A list longer than what fits at once comes in chunks, and is whole."""
    with_rows = api()
    many = [Rpc(lab.nodes["wire"], SERVER4) for _ in range(150)]
    rows = with_rows.call("EnumConnection")["ConnectionList"]
    assert len(rows) >= 150 and with_rows.chunks > 1
    for rpc in many:
        rpc.close()
    assert with_rows.call("Test") and with_rows.chunks == 0
