# SPDX-License-Identifier: BSD-3-Clause
"""Front of the benchmarks: `scripts/bench NAME`."""

import argparse
import importlib
import json
import sys
import time

NAMES = ("interop", "session", "rules", "switch", "pktgen")


def progress(text):
    """One line on stderr with the time, so that long work shows where it is."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


def main():
    """Parse, run, write JSON if asked."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description="Measure Patchbay beside its peers.")
    sub = parser.add_subparsers(dest="name", required=True)
    for name in NAMES:
        module = importlib.import_module(f"bench.{name}")
        one = sub.add_parser(name, help=module.__doc__.splitlines()[0])
        module.add_arguments(one)
        one.add_argument("--json", metavar="FILE", help="write everything measured as JSON")
        one.set_defaults(module=module)
    args = parser.parse_args()
    result = args.module.main(args, progress)
    if args.json:
        with open(args.json, "w", encoding="utf-8") as f:
            json.dump(result, f, indent=1)
    if isinstance(result, dict) and result.get("failed"):
        sys.exit(1)


if __name__ == "__main__":
    main()
