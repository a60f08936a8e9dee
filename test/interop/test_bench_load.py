# SPDX-License-Identifier: BSD-3-Clause
"""patchbay-bench, the load generator of scripts/bench: that it counts right. Nothing here judges a speed."""

import argparse
import importlib
import json
import os
import subprocess
import sys

import pytest

from lab.server import BUILD, ROOT

BENCH = BUILD / "test/bench/patchbay-bench"


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """A server; the generator runs in its network."""
    lab = make_lab()
    lab.server.start()
    return lab


def bench(lab, *options, code=0):
    """Run it against the server; its JSON."""
    done = subprocess.run(["nsenter", f"--net=/proc/{lab.server.node.init_pid}/ns/net", "--", BENCH,
                           "--server", "127.0.0.1:8888", "--json", "--quiet", *map(str, options)],
                          capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout), done.stderr


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
    done = subprocess.run([BENCH, *wrong], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 2
    assert "patchbay-bench" in done.stderr


def test_help_and_nobody_there():
    """--help is no error; a server that is not there is one, in words."""
    done = subprocess.run([BENCH, "--help"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 0 and "--sessions" in done.stdout
    done = subprocess.run([BENCH, "--server", "127.0.0.1:1", "--quiet"], capture_output=True, text=True, timeout=20, check=False)
    assert done.returncode == 1 and "patchbay-bench" in done.stderr


def test_a_row_that_fails(monkeypatch):
    """scripts/bench session goes on behind a row that failed, says which it was, and main.py makes an exit status of it."""
    monkeypatch.setattr(sys, "path", [str(ROOT / "test"), *sys.path])
    session = importlib.import_module("bench.session")
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
