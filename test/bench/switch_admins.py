# SPDX-License-Identifier: BSD-3-Clause
"""What a hundred administrators cost the frames of a worker that polls at full rate.

The worker's own counters, in short windows in turns: alone; with a program of nobody's that computes on the other CPU;
with the administrators there, who list and change without pause (test/interop/lab/crowd.py). The second says what any
neighbour costs: two CPUs share caches and memory, and on a virtual machine perhaps a core. Administrators are judged
against that.
"""

import json
import os
import signal
import statistics
import subprocess
import sys
import time

from lab.server import ADMIN_PASSWORD, BUILD, ROOT

from .switch_tools import BenchError, wait_for

COUNTS = {"pack": 40, "json": 40, "local": 20}
PORT = 48888
WINDOW_S = 0.7
TURNS = 20
SPINNER = "import array\na = array.array('Q', bytes(1 << 18))\nwhile True:\n    a = a[:]\n"


class Beside:
    """Something on the CPUs that are not the workers', while go() says so."""

    def __init__(self, cpus, argv, log, env=None):
        others = os.sched_getaffinity(0) - set(cpus)
        if not others:
            raise BenchError("admins: there has to be another CPU than the worker's")
        with open(log, "wb") as out:
            self.process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "taskset", "-c", ",".join(map(str, others)), *argv],
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env)

    def close(self):
        """End it."""
        self.process.kill()
        self.process.wait()


class Crowd(Beside):
    """The administrators; they call while a file is there."""

    def __init__(self, tool):
        self.go, self.log = tool.folder / "go", tool.folder / "crowd.log"
        self.stop()
        super().__init__(tool.cpus, [sys.executable, "-m", "lab.crowd", self.go, tool.socket, "127.0.0.1", str(PORT), tool.HUB,
                                     *map(str, COUNTS.values())], self.log,
                         {**os.environ, "PYTHONPATH": f"{ROOT}/test/interop", "PYTHONDONTWRITEBYTECODE": "1"})
        wait_for("a hundred administrators", lambda: "ready" in self.log.read_text("utf-8"), 120, self.process, self.log)

    def start(self):
        """They call."""
        self.go.touch()

    def stop(self):
        """They wait."""
        self.go.unlink(missing_ok=True)

    def ended(self):
        """What came of it."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(150)
        got = json.loads(self.log.read_text("utf-8").splitlines()[-1])
        if got["wrong"] or got["stuck"]:
            raise BenchError(f"admins: {got}")
        return got


class Spinner:
    """Copies a quarter of a megabyte over and over."""

    def __init__(self, tool):
        self.beside = Beside(tool.cpus, [sys.executable, "-c", SPINNER], tool.folder / "spinner.log")
        self.stop()

    def start(self):
        """It runs."""
        self.beside.process.send_signal(signal.SIGCONT)

    def stop(self):
        """It waits."""
        self.beside.process.send_signal(signal.SIGSTOP)

    def close(self):
        """End it."""
        self.beside.close()


def meter(tool):
    """(busy cycles of the worker, frames in, frames dropped)"""
    (row,) = tool.ctl("lcore", "list")["LcoreList"]
    stats = next(r for r in tool.books()[1]["StatsList"] if r["Level_str"] == "total")
    return row["BusyCycles_u64"], stats["In_u64"], sum(n for k, n in stats.items() if "Drop" in k)


def window(tool, neighbour):
    """Cycles a frame and drops beside a neighbour (None: nobody)."""
    if neighbour:
        neighbour.start()
    time.sleep(0.1)
    before = meter(tool)
    time.sleep(WINDOW_S)
    after = meter(tool)
    if neighbour:
        neighbour.stop()
    time.sleep(0.1)
    return (after[0] - before[0]) / (after[1] - before[1]), after[2] - before[2]


def measure(tool, progress):
    """
    A tool whose bridges are up and whose stations are known: {"alone", "computing", "admins": {"cycles": lower
    quartile, "median", "drops"}, "ratio", "to_computing", "calls"}.
    """
    subprocess.run([BUILD / "controlplane/patchbayctl", "--socket", tool.socket, "server", "password"], check=True,
                   input=f"{ADMIN_PASSWORD}\n", text=True, stdout=subprocess.DEVNULL)
    spinner, crowd = None, None
    try:
        spinner = Spinner(tool)
        progress("admins: a hundred logins")
        crowd = Crowd(tool)
        neighbours = {"alone": None, "computing": spinner, "admins": crowd}
        got = {name: [] for name in neighbours}
        for turn in range(TURNS):
            progress(f"admins: turn {turn + 1} of {TURNS}")
            for name, neighbour in neighbours.items():
                got[name].append(window(tool, neighbour))
        said = crowd.ended()
    finally:
        for one in (spinner, crowd):
            if one is not None:
                one.close()
    out = {name: {"cycles": statistics.quantiles([c for c, _ in w], n=4)[0], "median": statistics.median(c for c, _ in w),
                  "drops": sum(d for _, d in w)} for name, w in got.items()}
    out["ratio"] = out["admins"]["cycles"] / out["alone"]["cycles"]
    out["to_computing"] = out["admins"]["cycles"] / out["computing"]["cycles"]
    out["calls"] = sum(k["calls"] for k in said["kinds"].values())
    out["changes"] = sum(k["changes"] for k in said["kinds"].values())
    return out


def rows(got):
    """For table.show()."""
    return [(name, f"{got[name]['cycles']:.0f}", f"{got[name]['median']:.0f}", f"{got[name]['drops']}")
            for name in ("alone", "computing", "admins")]
