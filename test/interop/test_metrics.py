# SPDX-License-Identifier: BSD-3-Clause
# sanitize
"""/metrics: who may read it, what stands in it, and what Debian's promtool and prometheus say of it."""

import contextlib
import json
import re
import socket
import urllib.request

import pytest

from lab import SERVER4, frames, wait_for
from lab.wireclient import Session, connect

pytestmark = pytest.mark.patchbay

PORT = 9464
TOKEN = "t0k'en~with.marks=="
OPENMETRICS = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5"
SAMPLE = re.compile(r'^([a-z_0-9]+)(?:\{(.*)\})? (\d+)$')


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """A server that offers metrics to whoever has the token."""
    lab = make_lab(settings={"metrics": {"address": "127.0.0.1", "port": PORT, "token": TOKEN}})
    lab.server.start()
    return lab


def exchange(lab, request, timeout_s=15.0):
    """What the server answers to these bytes, until it ends the connection."""
    with lab.server.node.socket() as sock:
        sock.settimeout(timeout_s)
        sock.connect(("127.0.0.1", PORT))
        got = b""
        with contextlib.suppress(ConnectionResetError):
            sock.sendall(request)
            while piece := sock.recv(65536):
                got += piece
    return got


def get(lab, target="/metrics", method="GET", token=TOKEN, accept=None):
    """(status, headers, body)"""
    lines = [f"{method} {target} HTTP/1.1", "Host: metrics"]
    lines += [f"Authorization: Bearer {token}"] if token is not None else []
    lines += [f"Accept: {accept}"] if accept else []
    head, _, body = exchange(lab, "\r\n".join(lines + ["", ""]).encode()).partition(b"\r\n\r\n")
    status, *headers = head.decode().split("\r\n")
    return int(status.split(" ")[1]), dict(h.lower().split(": ", 1) for h in headers), body.decode()


def samples(text):
    """{(name, frozenset of labels): number}; every line is a sample or a comment."""
    out = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name, labels, number = SAMPLE.match(line).groups()
            key = name, frozenset((labels or "").split(",")) - {""}
            assert key not in out, line
            out[key] = int(number)
    return out


def value(lab, name, *labels):
    """One number, as it is now: texts may be a second old."""
    return samples(get(lab)[2])[name, frozenset(labels)]


def test_who_may(lab):
    """The token and nothing else opens; other pages and methods are not there."""
    assert get(lab)[0] == 200
    for token in (None, "", "x", TOKEN + "x", TOKEN[:-1], TOKEN.upper()):
        status, headers, body = get(lab, token=token)
        assert (status, body) == (401, "") and headers["www-authenticate"] == "bearer", token
    assert get(lab, "/")[0] == get(lab, "/metrics/x")[0] == 404
    assert get(lab, method="POST")[0] == 405
    status, headers, body = get(lab, method="HEAD")
    assert status == 200 and int(headers["content-length"]) > 1000 and body == ""


def test_hostile(lab):
    """Garbage, a head that never ends, half a request, and more connections than there may be: the daemon is well."""
    assert exchange(lab, b"\0\1\2\r\n\r\n") == b""
    assert exchange(lab, b"GET /metrics HTTP/1.1\r\n" + b"X: y\r\n" * 3000) == b""
    with contextlib.ExitStack() as stack:
        many = [stack.enter_context(lab.server.node.socket()) for _ in range(40)]
        for sock in many:
            sock.settimeout(15)
            sock.connect(("127.0.0.1", PORT))
        for sock in many[16:]:
            with contextlib.suppress(ConnectionResetError):
                assert sock.recv(1) == b""
        # The others said nothing: after METRICS_PATIENCE_S their places are free again.
        assert [sock.recv(1) for sock in many[:16]] == [b""] * 16
    wait_for("served again", lambda: get(lab)[0] == 200)


def test_numbers(lab):
    """Sessions, logins by result, frames and drops as patchbayctl has them; all families, in both forms."""
    before = value(lab, "patchbay_logins_total", 'result="accepted"')
    with contextlib.closing(Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", "alice", "alicepw")) as one:
        one.send(*(frames.flood(frames.mac(1), n, 80) for n in range(7)))
        wait_for("frames are counted", lambda: value(
            lab, "patchbay_hub_frames_total", 'hub="DEFAULT"', 'direction="in"', 'cast="broadcast"') >= 7)
        wait_for("one session", lambda: value(lab, "patchbay_sessions") == 1)
        assert value(lab, "patchbay_hub_sessions", 'hub="DEFAULT"') == 1
        lab.server.delete_session("DEFAULT", lab.server.sessions("DEFAULT")[0]["name"])
    assert value(lab, "patchbay_logins_total", 'result="accepted"') == before + 1
    wait_for("no session", lambda: value(lab, "patchbay_sessions") == 0)
    text = get(lab)[2]
    got = samples(text)
    books = lab.server.rpc("PatchbayGetStats")
    total = next(row for row in books["StatsList"] if row["Level_str"] == "total")
    for reason in (r["Name_str"] for r in books["ReasonList"]):
        way, name = reason.split(".", 1)
        label = frozenset([f'direction="{way[4:].lower()}"', f'reason="{name}"'])
        assert got["patchbay_drops_total", label] == total[f"{reason}_u64"], reason
    assert got["patchbay_hubs", frozenset()] == len(lab.server.rpc("EnumHub")["HubList"])
    assert got["patchbay_lcore_busy_cycles_total", frozenset(['lcore="0"'])] > 0
    # The other form: the same samples, the families of counters without their ending, and an end.
    status, headers, other = get(lab, accept=OPENMETRICS)
    assert status == 200 and headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert other.endswith("\n# EOF\n") and "# TYPE patchbay_drops counter\n" in other
    assert samples(other).keys() == got.keys()


def test_hubs_come_and_go(lab):
    """A hub has its series as long as it is there."""
    def labels():
        return {label for name, labels in samples(get(lab)[2]) if name == "patchbay_hub_online" for label in labels}

    lab.server.rpc("CreateHub", HubName_str="New (1) #2 a+b@c")
    wait_for("the new hub", lambda: 'hub="New (1) #2 a+b@c"' in labels())
    lab.server.rpc("DeleteHub", HubName_str="New (1) #2 a+b@c")
    wait_for("only the old ones", lambda: labels() == {'hub="DEFAULT"', 'hub="SECOND"', 'hub="CLOSED"'})


def test_telemetry(lab):
    """DPDK's telemetry socket has the workers' cycles and books too; a wrong index is an error, not the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(10)
        sock.connect(str(lab.server.state / "dpdk/patchbay/dpdk_telemetry.v2"))
        json.loads(sock.recv(65536))

        def ask(command):
            sock.send(command.encode())
            return json.loads(sock.recv(65536))[command.split(",")[0]]

        assert ask("/patchbay/lcores") == [0]
        one = ask("/patchbay/lcore,0")
        assert one["busy_cycles"] > 0 and one["in_frames"] >= one["switched"] + one["flooded"]
        reasons = {r["Name_str"].replace("DropIn.", "drop_in/").replace("DropOut.", "drop_out/")
                   for r in lab.server.rpc("PatchbayGetStats")["ReasonList"]}
        assert reasons == {name for name in one if name.startswith("drop_")}
        for wrong in ("", ",1", ",-1", ",0x", ",99999999999999999999"):
            assert not ask(f"/patchbay/lcore{wrong}")


def test_promtool(lab):
    """promtool finds nothing to say against names, types and help."""
    done = lab.server.node.run("promtool", "check", "metrics", text=get(lab)[2], check=False)
    assert done.returncode == 0 and not done.stdout.strip() and not done.stderr.strip(), done.stdout + done.stderr


def test_prometheus(lab):
    """The real one scrapes it, as OpenMetrics and with the token."""
    node = lab.server.node
    config = node.folder / "prometheus.yml"
    config.write_text(json.dumps({"scrape_configs": [{
        "job_name": "patchbay", "scrape_interval": "1s", "authorization": {"credentials": TOKEN},
        "static_configs": [{"targets": [f"127.0.0.1:{PORT}"]}]}]}), encoding="utf-8")
    node.spawn("prometheus", f"--config.file={config}", f"--storage.tsdb.path={node.folder}/prometheus",
               "--web.listen-address=127.0.0.1:9090", log="prometheus.log")

    def query(what):
        with node.socket() as sock:
            sock.settimeout(10)
            with contextlib.suppress(ConnectionRefusedError):
                sock.connect(("127.0.0.1", 9090))
                sock.sendall(f"GET /api/v1/query?query={what} HTTP/1.0\r\n\r\n".encode())
                got = b""
                while piece := sock.recv(65536):
                    got += piece
                body = got.partition(b"\r\n\r\n")[2]
                result = json.loads(body)["data"]["result"] if body.startswith(b"{") else []
                return [float(r["value"][1]) for r in result]
        return []

    wait_for("prometheus scrapes", lambda: query("up") == [1.0], 60)
    assert query("patchbay_hubs") == [float(len(lab.server.rpc("EnumHub")["HubList"]))]
    assert query("sum(patchbay_drops_total)")
