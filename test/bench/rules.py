# SPDX-License-Identifier: BSD-3-Clause
"""Rules: cycles per frame on one worker without rules, with the default policy, with every key, with a monitor,
with a packet log of all headers (and the same when nobody reads it and its ring is full).

Measured between two ports that take and give plain bytes (rules_bench.c), so that the rules are what is seen.
All cases in one process, by turns in an order drawn anew each time; the runs' medians are printed, ratios are what counts.

After that, access rules between two polled devices, beside as many flows of OVS-DPDK (rules_flows.py).
"""

import json
import pathlib
import statistics
import subprocess

from lab.server import BUILD

from . import rules_flows, table
from .switch_tools import OVS

BENCH = BUILD / "test/bench/rules_bench"
WANTED = {"default": 1.05, "every": 2.0, "monitor": 2.0, "log": 2.0, "log_full": 2.0,
          "access_10": 1.5, "access_10_miss": 1.5, "access_1000": 2.2, "access_1000_miss": 2.2,
          "access_32768": 5.0, "access_32768_miss": 5.0}
NONE = {"log_full": "none_again", "none_again": "none_again"}  # measured beside them; all others: "none"


def add_arguments(parser):
    """Command line."""
    parser.add_argument("--turns", type=int, default=5, help="runs (default 5)")
    parser.add_argument("--macs", type=int, default=1024, help="stations (default 1024)")
    parser.add_argument("--bursts", type=int, default=20000, help="bursts per case, side and run (default 20000)")
    parser.add_argument("--burst", type=int, default=64, help="frames per burst (default 64)")
    parser.add_argument("--parts", default="cycles,flows", help="cycles, flows or both (default)")
    parser.add_argument("--windows", type=int, default=3, help="flows: windows of a second per figure (default 3)")
    parser.add_argument("--cpu", type=int, default=1, metavar="N", help="flows: CPU of the worker (1)")
    parser.add_argument("--rules", default="10,1000,32768", help="flows: how many, of 10, 1000 and 32768 (default all)")
    parser.add_argument("--no-ovs", action="store_true", help="flows: leave OVS-DPDK out")


def one(args):
    """A run: {case: what rules_bench says}."""
    done = subprocess.run([BENCH, str(args.macs), str(args.bursts), str(args.burst)], stdout=subprocess.PIPE,
                          text=True, check=True)
    return {row["case"]: row for row in map(json.loads, done.stdout.splitlines())}


def cycles(args, progress):
    """On the bare worker: all kinds of rules."""
    turns = []
    for turn in range(args.turns):
        progress(f"turn {turn + 1} of {args.turns}")
        turns.append(one(args))
    rows = []
    for case in turns[0]:
        ratio = statistics.median(t[case]["cycles"] / t[NONE.get(case, "none")]["cycles"] for t in turns)
        cycles = [t[case]["cycles"] for t in turns]
        wanted = WANTED.get(case)
        verdict = "" if wanted is None else f"<= {wanted}: {'yes' if table.holds(ratio, '<=', wanted) else 'NO'}"
        rows.append([case, f"{statistics.median(cycles):.1f}", f"{min(cycles):.1f}..{max(cycles):.1f}",
                     f"{statistics.median(t[case]['ns'] for t in turns):.1f}", f"{ratio:.2f}", verdict])
    table.show(["rules", "cycles/frame", "range", "ns/frame", "x none", "wanted"], rows)
    return turns


def main(args, progress):
    """Measure, print, return everything."""
    parts = args.parts.split(",")
    if "flows" in parts and not args.no_ovs and not pathlib.Path(OVS).exists():
        raise SystemExit(f"{OVS} is missing: apt-get install openvswitch-switch-dpdk, or --no-ovs")
    got = {}
    if "cycles" in parts:
        got["turns"] = cycles(args, progress)
    if "flows" in parts:
        got["flows"] = rules_flows.main(args, progress)
    return got
