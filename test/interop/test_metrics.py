# SPDX-License-Identifier: BSD-3-Clause
# sanitize
"""/metrics: who may read it, what stands in it, and what Debian's promtool and prometheus say of it."""

import contextlib
import itertools
import json
import re
import socket
import time
import urllib.request

import pytest

from lab import SERVER4, Hub, User, frames, wait_for
from lab.wireclient import LoginError, Session, connect

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


def exchange(lab, request, timeout_s=60.0):
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
            sock.settimeout(60)
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


class Logs:
    """A server whose logs are all on a small disk of their own, and what /metrics says of them."""

    FAMILIES = [("lines_written", "log", log) for log in ("server", "security", "packet")] + [
        ("lines_refused", "log", log) for log in ("server", "security", "packet")] + [
        ("lines_dropped", "at", at) for at in ("event_ring", "packet_ring", "syslog", "notice_ring", "limit")]

    def __init__(self, make_lab):
        users = [User("guest", "pw"), User("few", "pw", policy={"MaxMac": 3})]
        self.lab = make_lab(hubs=[Hub("DEFAULT", users, options={"NoMacAddressLog": False})])
        self.node, self.names = self.lab.server.node, itertools.count()
        self.disk = self.node.folder / "disk"
        self.disk.mkdir()
        self.lab.server.settings = {"metrics": {"address": "127.0.0.1", "port": PORT, "token": TOKEN}, "log": {
            "directory": str(self.disk), "min_free_mb": 0, "ring_bytes": 65536}}
        self.node.run("mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", self.disk)
        self.lab.server.start()

    def now(self):
        """{family, label: number}"""
        got = samples(get(self.lab)[2])
        out = {(family, label): got[f"patchbay_log_{family}_total", frozenset([f'{name}="{label}"'])]
               for family, name, label in self.FAMILIES}
        return {**out, "sent": got["patchbay_log_lines_sent_total", frozenset()]}

    def rest(self):
        """The numbers when two looks more than a second apart see the same: notices and losses are told by the second."""
        def still():
            before = self.now()
            time.sleep(1.3)
            return before == self.now() and before
        return wait_for("the logs to be at rest", still, 60)

    def on_disk(self, log):
        """Lines that stand in files."""
        return self.node.run("sh", "-c", f"cat $(find '{self.disk}/{log}_log' -name '*.log')").stdout.count("\n")

    def check(self):
        """Whatever was written stands there."""
        now = self.rest()
        for log in ("server", "security", "packet"):
            assert now["lines_written", log] == self.on_disk(log), log
        status = self.lab.server.ctl("log", "status")
        assert [status[f"{n}_u64"] for n in ("LostRing", "Unlogged", "LostSyslog", "NoticesLost", "NoticesHeld", "Sent")] == [
            *(now["lines_dropped", at] for at in ("event_ring", "packet_ring", "syslog", "notice_ring", "limit")), now["sent"]]
        assert status["LostDisk_u64"] == sum(now["lines_refused", log] for log in ("server", "security", "packet"))
        return now

    def login(self, user="guest", password="pw"):
        """A session in bridge mode."""
        session = Session(connect(self.lab.nodes["wire"], SERVER4, 8888))
        return session.login("DEFAULT", user, password, require_bridge_routing_mode=1).wait_ready()

    def status(self, name):
        """A number of `patchbayctl log status`, as it is now."""
        return self.lab.server.ctl("log", "status")[f"{name}_u64"]

    def end(self, *sessions):
        """They leave at once: no line about them comes later."""
        for session in sessions:
            self.lab.server.delete_session("DEFAULT", session.name)
            session.close()

    def refusals(self, cnt):
        """So many lines in the security log, and in the server log."""
        for _ in range(cnt):
            with pytest.raises(LoginError):  # each another account: who guesses has to wait
                Session(connect(self.lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", f"nobody{next(self.names)}", "x")


@pytest.fixture(scope="module", name="logs")
def fixture_logs(make_lab):
    """Ended with its tests: the port is in use in its own network only."""
    logs = Logs(make_lab)
    yield logs
    logs.node.run("umount", "-l", logs.disk)
    logs.lab.close()


def test_log_lines(logs):
    """Lines written are those on the disk; of frames to be logged each has a line, or is dropped, or refused by the disk."""
    one, two = logs.login(), logs.login()
    there = frames.mac(1, 0x60)
    two.send(frames.frame(frames.BROADCAST, there))
    assert one.wait_frame(lambda f: f[6:12] == there)
    one.send(frames.frame(there, frames.mac(2, 0x60)))
    assert two.wait_frame(lambda f: f[:6] == there)
    before = logs.check()
    logs.refusals(3)
    after = logs.check()
    assert after["lines_written", "security"] == before["lines_written", "security"] + 3
    assert after["lines_written", "server"] == before["lines_written", "server"] + 3
    logs.lab.server.ctl("log", "set", "DEFAULT", "--packet", "yes", "all=header")
    before, sent = after, 0

    def send(cnt, size):
        for at in range(0, cnt, 50):
            one.send(*(frames.frame(there, frames.mac(2, 0x60), size) for _ in range(min(50, cnt - at))))
        assert len(two.wait_frames(cnt, lambda f: f[:6] == there)) == cnt
        return cnt

    sent += send(40, 100)
    after = logs.check()
    assert after["lines_written", "packet"] == before["lines_written", "packet"] + sent == before["lines_written", "packet"] + 40
    # More than the ring holds at once; "lines lost" is a line more in this log, and one in each of the other two.
    logs.lab.server.ctl("log", "set", "DEFAULT", "--packet", "yes", "all=full")
    before, sent = after, 0
    while logs.status("Unlogged") == before["lines_dropped", "packet_ring"]:
        sent += send(50, 1500)
    after = logs.check()
    gone = after["lines_dropped", "packet_ring"] - before["lines_dropped", "packet_ring"]
    told = logs.node.run("grep", "-c", "lines lost", logs.disk / "packet_log/DEFAULT/pkt.log").stdout
    assert after["lines_written", "packet"] - before["lines_written", "packet"] == sent - gone + int(told)
    # And more than the disk holds.
    logs.lab.server.ctl("log", "set", "DEFAULT", "--packet", "yes", "all=header")
    before, sent = after, 0
    logs.node.run("sh", "-c", f"head -c 9m /dev/zero > {logs.disk}/filler", check=False)
    while logs.status("LostDisk") < 20:
        sent += send(50, 60)
    # Not switched off before: what waits on its way would go unseen.
    after = logs.check()
    lost = after["lines_refused", "packet"] - before["lines_refused", "packet"]
    gone = after["lines_dropped", "packet_ring"] - before["lines_dropped", "packet_ring"]
    assert lost >= 20
    told = logs.node.run("grep", "-c", "No space left", logs.disk / "packet_log/DEFAULT/pkt.log", check=False).stdout
    assert after["lines_written", "packet"] - before["lines_written", "packet"] == sent - lost - gone + int(told)
    logs.node.run("rm", logs.disk / "filler")
    logs.lab.server.ctl("log", "set", "DEFAULT", "--packet", "no")
    logs.end(one, two)


def test_log_syslog(logs, tmp_path):
    """Sent is what the server got; what it does not take is dropped."""
    before = logs.check()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as server:
        server.bind(str(tmp_path / "log"))
        server.setblocking(False)
        logs.lab.server.ctl("syslog", "set", str(tmp_path / "log"), "packet")
        logs.refusals(4)
        after = logs.check()
        got = 0
        with contextlib.suppress(BlockingIOError):
            while server.recv(8192):
                got += 1
        assert after["sent"] - before["sent"] == got >= 4
    before = after
    logs.refusals(5)
    after = logs.check()
    assert after["lines_dropped", "syslog"] - before["lines_dropped", "syslog"] == 5 and after["sent"] == before["sent"]
    logs.lab.server.ctl("syslog", "off")


def test_log_notices(logs):
    """Stations and broken rules of which nobody is told: at the limit of their kind, and where a worker has too many."""
    few, other = logs.login("few"), logs.login()
    before = logs.check()
    macs = [frames.mac(n, 0x61) for n in range(400)]
    few.send(*(frames.frame(frames.BROADCAST, m) for m in macs[:3]))
    assert other.wait_frame(lambda f: f[6:12] == macs[2])
    for at in range(3, 400, 50):
        few.send(*(frames.frame(frames.BROADCAST, m) for m in macs[at:at + 50]))
    wait_for("too many", lambda: logs.now()["lines_dropped", "notice_ring"] > before["lines_dropped", "notice_ring"])
    after = logs.check()
    gone = {at: after["lines_dropped", at] - before["lines_dropped", at] for at in ("notice_ring", "limit")}
    told = logs.node.run("grep", "-c", "policy violation .*user=.few. .*mac=02:61:", logs.disk / "security_log/DEFAULT/sec.log").stdout
    # Each of the 397 is told, held back or lost.
    assert int(told) + gone["limit"] + gone["notice_ring"] == 397, (told, gone)
    logs.end(few, other)


def test_telemetry(lab):
    """DPDK's telemetry socket has the workers' cycles and books too; a wrong index is an error, not the end."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as sock:
        sock.settimeout(60)
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
            sock.settimeout(60)
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

    wait_for("prometheus scrapes", lambda: query("up") == [1.0], 180)
    assert query("patchbay_hubs") == [float(len(lab.server.rpc("EnumHub")["HubList"]))]
    assert query("sum(patchbay_drops_total)")
