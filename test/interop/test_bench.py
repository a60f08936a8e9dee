# SPDX-License-Identifier: BSD-3-Clause
"""scripts/bench: that benchmarks run and print their tables, in windows so short that the figures mean nothing: none is judged."""

import json
import os
import subprocess
import sys

import pytest

from lab.server import ROOT

pytestmark = [pytest.mark.patchbay, pytest.mark.skipif(os.cpu_count() < 2, reason="what measures and what is measured want a CPU each")]


@pytest.fixture(name="bench")
def fixture_bench(tmp_path):
    """bench(name, *options): what it prints, line by line, and its --json."""
    def bench(name, *options):
        done = subprocess.run([sys.executable, "-B", "-m", "bench.main", name, *options, "--json", tmp_path / "figures"],
                              env={**os.environ, "PYTHONPATH": f"{ROOT}/test:{ROOT}/test/interop"},
                              capture_output=True, text=True, timeout=300, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.splitlines(), json.loads((tmp_path / "figures").read_text("utf-8"))

    return bench


def row_of(lines, begin):
    """The words of the row that begins so."""
    (row,) = [line.split() for line in lines if line.startswith(begin)]
    return row


def test_session(bench):
    """A row: both servers, the floor, the ratios."""
    lines, got = bench("session", "--rows", "1-session", "--turns", "1", "--seconds", "0.5")
    assert row_of(lines, "row ")[:5] == ["row", "unit", "patchbay", "original", "floor"]
    row = got["summary"]["1-session"]
    assert row_of(lines, "1-session ")[1] == row["unit"]
    assert all(row[who]["median"] > 0 for who in ("patchbay", "softether", "floor"))
    assert row["to_original"] > 0 and row["to_floor"] > 0


def test_pktgen(bench):
    """Two trials of a rate that is no effort; frames are counted at both ends."""
    lines, got = bench("pktgen", "--sizes", "64,1518", "--seconds", "0.1", "--steps", "1", "--tries", "1", "--max-rate", "10000")
    assert row_of(lines, "frame ")[1:5] == ["Mpps", "without", "loss", "Gbit/s"]
    for size, row in zip((64, 1518), got["rows"], strict=True):
        assert row_of(lines, f"{size} ")[-1] == str(len(row["trials"]))
        (trial,) = row["trials"]
        assert row["size"] == size and trial["sent"] > 0 and trial["received"] > 0


@pytest.mark.skipif(not os.environ.get("PATCHBAY_LONG"), reason="20 s, and programs that take a CPU before all others; PATCHBAY_LONG=1")
def test_switch(bench):
    """The smallest table."""
    lines, got = bench("switch", "--parts", "table", "--macs", "16", "--rounds", "1", "--seconds", "1", "--no-ovs")
    assert row_of(lines, "MACs a side")[3:5] == ["Mpps", "spread"]
    for name in ("io", "patchbay", "macswap"):
        assert row_of(lines, f"16 {name} ")
        assert got["table"]["16"][name]["mpps"] > 0
