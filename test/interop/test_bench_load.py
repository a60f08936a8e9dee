# SPDX-License-Identifier: BSD-3-Clause
"""patchbay-bench, the load generator of scripts/bench: that it counts right. Nothing here judges a speed.

What it makes of each frame, and of its own lateness, test/unit/load_count_test.c asks; here it has a real server.
"""

import argparse
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from lab.server import BUILD, ROOT

BENCH = BUILD / "test/bench/patchbay-bench"


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """A server; the generator runs in its network."""
    lab = make_lab()
    lab.server.start()
    return lab


def argv(lab, *options):
    """Its command line."""
    return ["nsenter", f"--net=/proc/{lab.server.node.init_pid}/ns/net", "--", BENCH, "--server", "127.0.0.1:8888", "--json",
            *map(str, options)]


def bench(lab, *options, code=0):
    """Run it against the server; its JSON."""
    done = subprocess.run(argv(lab, "--quiet", *options), capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture(name="rule")
def fixture_rule(lab):
    """rule(...): what happens to all UDP, and so to all frames of the generator."""
    yield lambda *conditions: lab.server.ctl("access", "add", "DEFAULT", "priority=10", "protocol=17", *conditions)
    lab.server.ctl("access", "delete", "DEFAULT", "1")


@pytest.mark.parametrize("modes", [
    ("--size", "1514"), ("--size", "64", "--compress"), ("--size", "mix", "--no-encrypt"),
    ("--tls", "1.2", "--connections", "4"), ("--cipher", "TLS_CHACHA20_POLY1305_SHA256", "--sessions", "8"),
    ("--compress", "--no-encrypt", "--connections", "2", "--fill", "random")], ids=" ".join)
def test_every_frame_is_counted(lab, modes):
    """Few frames at a time: each arrives once, in whatever mode."""
    got, _ = bench(lab, "--count", 300, "--window", 20, *modes)
    sessions = int(modes[modes.index("--sessions") + 1]) if "--sessions" in modes else 2
    assert got["sessions"] == sessions
    assert got["sent"] == sessions * 300
    assert got["frames"] == sessions * 300
    assert (got["lost"], got["duplicated"], got["misrouted"], got["corrupt"]) == (0, 0, 0, 0)
    # Each session's frames while it was measured, which was until all were there.
    assert got["fairness"]["slowest"] == got["fairness"]["median"] == got["fairness"]["fastest"] > 0
    assert got["fairness"]["starved"] == 0
    if "--connections" in modes:
        assert got["connections"] == sessions * int(modes[modes.index("--connections") + 1])
    if "--cipher" in modes:
        assert got["cipher"] == "TLS_CHACHA20_POLY1305_SHA256"


def test_echo(lab):
    """What goes out at a low rate comes back, with a time for each."""
    got, _ = bench(lab, "--echo", "--rate", 400, "--seconds", 1, "--warmup", 0, "--size", 200,
                   "--pid", lab.server.process.pid)
    assert got["lost"] == 0
    assert got["latency"]["kind"] == "round trip"
    assert got["latency"]["count"] > 0
    assert got["latency"]["p50_us"] <= got["latency"]["p99_us"] <= got["latency"]["max_us"]
    assert got["rss_idle"] > 0


def test_losses(lab, rule):
    """Of frames that the hub loses and swaps it says so: nothing else of this file would notice if it did not."""
    rule("loss=30")
    got, _ = bench(lab, "--rate", 500, "--seconds", 1, "--warmup", 0, "--size", 64)
    assert got["sent"] * 0.15 < got["lost"] < got["sent"] * 0.5
    assert (got["reordered"], got["duplicated"]) == (0, 0)
    lab.server.ctl("access", "delete", "DEFAULT", "1")
    rule("delay=60", "jitter=100")
    got, _ = bench(lab, "--rate", 500, "--seconds", 1, "--warmup", 0, "--size", 64)
    assert got["reordered"] > 0 and (got["lost"], got["duplicated"]) == (0, 0)


def test_round_trips(lab, rule):
    """A delay of 50 ms each way is in every round trip: twice."""
    rule("delay=50")
    got, _ = bench(lab, "--echo", "--rate", 200, "--seconds", 1, "--warmup", 0)
    assert 100000 * 0.98 < got["latency"]["p50_us"] <= got["latency"]["p999_us"] <= got["latency"]["max_us"]


def test_its_own_fault(lab):
    """It stands still for 0.6 s: the frames that were due meanwhile count as late, it says that it was the bottleneck, and
    shows all the time where it is."""
    with subprocess.Popen(argv(lab, "--rate", 200, "--seconds", 3, "--warmup", 0), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True) as process:
        said = []
        for line in process.stderr:
            said.append(line)
            if "measuring" in line:
                break
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.6)
        process.send_signal(signal.SIGCONT)
        said += process.stderr
        got = json.load(process.stdout)
        assert process.wait(60) == 0
    shown = re.compile(r"\[\d\d:\d\d:\d\d] measuring: 2 of 2 sessions, 2 connections, \d+\.\d+ million frames/s\n")
    assert len([line for line in said if shown.fullmatch(line)]) >= 2, said
    assert got["lost"] == 0
    assert got["latency"]["max_us"] > 550000 and got["latency"]["p99_us"] > 300000
    assert "late" in got["generator"]["bottleneck"]


def test_children_of_the_server(lab):
    """The CPU of what the server has started belongs to it."""
    with subprocess.Popen(["sh", "-c", "while :; do :; done & wait"], start_new_session=True) as server:
        try:
            got, _ = bench(lab, "--rate", 100, "--seconds", 1, "--warmup", 0, "--pid", server.pid)
        finally:
            os.killpg(server.pid, signal.SIGKILL)
    assert got["cpu_s"] > 0


def test_patterns(lab):
    """Broadcasts reach all others, at a rate that no storm limiter minds; all reach one."""
    got, _ = bench(lab, "--pattern", "one-to-all", "--sessions", 4, "--rate", 10, "--count", 10)
    assert (got["sent"], got["frames"], got["lost"]) == (10, 30, 0)
    got, _ = bench(lab, "--pattern", "all-to-one", "--sessions", 4, "--count", 100, "--window", 10)
    assert (got["sent"], got["frames"], got["lost"]) == (300, 300, 0)


def test_many_addresses(lab):
    """The hub is told a hundred addresses without a hundred floods to a hundred sessions, and then knows all of them."""
    def floods():
        return lab.server.rpc("GetHubStatus", HubName_str="DEFAULT")["Recv.BroadcastCount_u64"]

    before = floods()
    got, _ = bench(lab, "--sessions", 100, "--count", 5)
    assert (got["sent"], got["frames"], got["lost"], got["misrouted"]) == (500, 500, 0, 0)
    assert floods() - before <= 5


@pytest.mark.skipif(not os.environ.get("PATCHBAY_LONG"), reason="12 s each; PATCHBAY_LONG=1")
@pytest.mark.parametrize("modes", [("--udp", "2"), ("--udp", "1", "--compress"), ("--udp", "2", "--no-encrypt")], ids=" ".join)
def test_udp_acceleration(lab, modes):
    """Every frame goes by UDP, and arrives."""
    got, _ = bench(lab, "--count", 100, "--window", 8, *modes)
    assert (got["frames"], got["lost"]) == (200, 0)
    assert got["by_udp"] >= 200


def test_refused(lab):
    """A login that is refused is told, with the server's reason, and is the exit status."""
    got, words = bench(lab, "--hub", "NOWHERE", code=1)
    assert got["failed"] == 2 and got["sessions"] == 0
    assert "no such hub" in words


@pytest.mark.parametrize("wrong", [
    [], ["--server", "nowhere"], ["--server", "127.0.0.1:1", "--sessions", "3"], ["--no-such-option"],
    ["--server", "127.0.0.1:1", "--size", "63"], ["--server", "127.0.0.1:1", "--cipher", "NONE"],
    ["--server", "127.0.0.1:1", "--echo"], ["--server", "127.0.0.1:1", "more"]], ids=" ".join)
def test_bad_arguments(wrong):
    """Exit status 2 and words."""
    done = subprocess.run([BENCH, *wrong], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert "patchbay-bench" in done.stderr


def test_help_and_nobody_there():
    """--help is no error; a server that is not there is one, in words."""
    done = subprocess.run([BENCH, "--help"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0 and "--sessions" in done.stdout
    done = subprocess.run([BENCH, "--server", "127.0.0.1:1", "--quiet"], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1 and "patchbay-bench" in done.stderr


@pytest.fixture(name="session")
def fixture_session(monkeypatch):
    """The module behind scripts/bench session."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "test"), *sys.path])
    return importlib.import_module("bench.session")


def test_rows(session):
    """What the default and --full measure, and that the generator understands every row: it gets as far as the server."""
    def chosen(**wish):
        return [row.name for row in session.chosen(argparse.Namespace(**{"rows": None, "full": False, **wish}))]

    default, full = chosen(), chosen(full=True)
    assert {"64", "512", "1514", "mix", "1-session", "16-sessions", "256-sessions", "2000-sessions", "8-connections", "aes128",
            "chacha20", "plain", "compress", "udp", "logins", "memory", "rtt"} == set(default)
    assert full == [row.name for row in session.ROWS] and set(full) - set(default) == {
        row.name for row in session.ROWS if row.full}
    assert chosen(rows="udp-groups,64") == ["64", "udp-groups"]
    with pytest.raises(SystemExit):
        chosen(rows="no-such-row")
    for row in session.ROWS:
        for options in filter(None, (row.options, row.beside)):
            more = ["--seconds", "0.1", *(["--rate", "1"] if row.what == "rtt" else [])]
            done = subprocess.run([BENCH, "--server", "127.0.0.1:1", "--quiet", *options.split(), *more],
                                  capture_output=True, text=True, timeout=60, check=False)
            assert done.returncode == 1 and "the connection ended" in done.stderr, (row.name, done.stderr)


def test_table(session, capsys):
    """Medians, ranges and ratios, against the same mode of the original, the relay and what the issue wants."""
    def run(cost, lost=0, **more):
        return {"cpu_s_per_gb": cost, "cpu_s_per_wire_gb": cost / 2, "gbit_s": 1.0, "lost": lost, "reordered": 0, "frames": 1000,
                "generator": {"bottleneck": None}, **more}

    row = next(r for r in session.ROWS if r.name == "1514")
    got = {"runs": {"patchbay": [run(c) for c in (1.5, 9.0, 1.0)], "softether": [run(c, 2) for c in (4.0, 3.0, 2.0)]},
           "beside": [], "floor": [0.5, 0.6, 0.7], "zlib": [], "window": {}}
    said = session.summarise_row(row, got)
    assert said["patchbay"] == {"median": 1.5, "min": 1.0, "max": 9.0} and said["softether"]["median"] == 3.0
    assert said["to_original"] == 0.5 and said["to_floor"] == pytest.approx(0.75 / 0.6) and said["softether_lost"] == 6
    reached = session.targets({"1514": got}, {"1514": {**said, "took_s": 3}})
    assert [(value, op, wanted) for _, value, op, wanted in reached] == [
        (pytest.approx(1.25), "<=", 1.4), (0.5, "<=", 0.55)]
    session.show({"1514": {**said, "took_s": 3}}, [*reached, ("worse", 3.0, "<=", 2)])
    shown = capsys.readouterr().out
    assert "1.50 (1.00..9.00)" in shown and shown.count(" ok") == 2 and shown.count("NOT REACHED") == 1


def test_a_row_that_fails(monkeypatch, session):
    """scripts/bench session goes on behind a row that failed, says which it was, and main.py makes an exit status of it."""
    done, closed = [], []

    def measure_row(_bed, row, _args, _rate):
        done.append(row.name)
        if row.name == "mix":
            raise session.LabError("the server is gone")
        return {"runs": {kind: [] for kind in session.KINDS}, "beside": [], "floor": [], "zlib": [], "window": {}}

    monkeypatch.setattr(session, "measure_row", measure_row)
    monkeypatch.setattr(session.Bed, "close", lambda *_: closed.append(len(done)))
    said = session.main(argparse.Namespace(rows="64,mix,logins", full=False, seconds=1, turns=1), lambda text: None)
    assert done == ["64", "mix", "logins"] and closed == [2, 3]
    assert list(said["summary"]) == ["64", "logins"] and said["failed"] == {"mix": "LabError: the server is gone"}
