# SPDX-License-Identifier: BSD-3-Clause
"""Sessions under load: Patchbay, the original and a bare relay, each on one CPU, in turns, one run.

The load generator (patchbay-bench) has CPU 0 for itself; the server, with all its threads, has CPU 1, and so
has the relay. All talk over the loopback of a network namespace. Servers take turns, so that a noisy neighbour
hits all; medians and range of the turns are printed, ratios are what counts. CPU is user + system time of the
whole server process.

The original drops and stalls when it is offered more small frames at once than it likes, so each server is tried
with several numbers of frames under way per session and measured with the one at which a frame costs it least.

The default takes less than ten minutes: it says which row it is at, how long each took and how much is left. A row
that fails is named, at once and at the end, and costs the others nothing.
"""

import dataclasses
import json
import statistics
import subprocess
import time

from lab.netns import LabError
from lab.server import BUILD, Hub, User
from lab.topology import Lab

from . import table

KINDS = ("patchbay", "softether")
PORT = 8888
LOAD_CPU, SERVER_CPU = 0, 1
BENCH = BUILD / "test/bench/patchbay-bench"
RELAY = BUILD / "test/bench/tls_relay"
AES256 = "TLS_AES_256_GCM_SHA384"
WINDOWS = (128, None)  # frames under way per session; None: patchbay-bench's own choice


@dataclasses.dataclass
class Row:
    """One line of the table. `beside`: options of a second run of Patchbay that the row is judged against."""
    name: str
    options: str
    floor: str | None = AES256  # suite of the relay; "plain"; None: no relay
    relayed: int = 0  # connections of the relay, a record of each under way; 0: one each way, as much as goes
    unit: str = "cpu_s_per_gb"
    what: str = "traffic"  # traffic, logins, memory, rtt
    beside: str | None = None
    windows: tuple = (None,)
    fresh: bool = False  # servers without the sessions of earlier rows
    slow: bool = False  # the original takes one turn only, unless --full
    full: bool = False  # with --full only
    full_windows: tuple = ()  # tried instead of `windows` with --full
    seconds: float = 0  # at least so long a run
    weight: float = 1  # of its time, for telling how much is left


ROWS = [
    Row("64", "--size 64", unit="cpu_s_per_million_frames", windows=WINDOWS),
    Row("512", "--size 512", windows=WINDOWS),
    Row("1514", "--size 1514", windows=WINDOWS),
    Row("mix", "--size mix", windows=WINDOWS),
    Row("1-session", "--sessions 1 --pattern sink", unit="cpu_s_per_wire_gb"),
    Row("16-sessions", "--sessions 16"),
    Row("256-sessions", "--sessions 256"),
    # Longer, because each session has a two-thousandth of the frames by which it is compared with the others.
    Row("2000-sessions", "--sessions 2000", beside="--sessions 16", relayed=2000, fresh=True, slow=True, seconds=4,
        weight=5),
    Row("8-connections", "--connections 8"),
    Row("aes128", "--cipher TLS_AES_128_GCM_SHA256", floor="TLS_AES_128_GCM_SHA256"),
    Row("chacha20", "--cipher TLS_CHACHA20_POLY1305_SHA256", floor="TLS_CHACHA20_POLY1305_SHA256"),
    Row("plain", "--no-encrypt", floor="plain"),
    Row("compress", "--compress", beside="--size 1514", windows=WINDOWS),
    Row("tls1.2", "--tls 1.2", full=True),
    Row("64-8-connections", "--size 64 --connections 8", unit="cpu_s_per_million_frames", windows=WINDOWS, full=True),
    Row("64-plain", "--size 64 --no-encrypt", floor="plain", unit="cpu_s_per_million_frames", windows=WINDOWS, full=True),
    Row("compress-64", "--size 64 --compress", beside="--size 64", windows=WINDOWS, full=True),
    Row("compress-plain", "--no-encrypt --compress", floor="plain", beside="--no-encrypt", windows=WINDOWS, full=True),
    Row("all-to-one", "--sessions 16 --pattern all-to-one", full=True),
    # No floor: the relay's is of bytes that come in, and here each goes out 255 times.
    Row("one-to-all", "--sessions 256 --pattern one-to-all --rate 20", floor=None, unit="cpu_s_per_million_frames",
        full=True),
    # A TCP segment of 1309 bytes in its frame. Each run waits ten seconds for its paths, so what serves both servers
    # best is not searched for each time: 128 frames under way did in each --full run.
    Row("udp", "--udp 2 --size 1363", floor=None, windows=(128,), full_windows=(32, 128), weight=5),
    # Peers that batch as Patchbay does: what a cascade between two of its kind costs.
    Row("udp-groups", "--udp 2 --udp-groups --size 1363", floor=None, windows=(32, 128), full=True),
    Row("logins", "--pattern idle --seconds 0.1 --sessions 200", floor=None, unit="login_ms", what="logins"),
    Row("memory", "--pattern idle --seconds 3 --sessions 2000", floor=None, unit="kib_per_session", what="memory",
        fresh=True, slow=True, weight=2),
    Row("rtt", "--echo", floor=None, unit="p50_us", what="rtt", weight=1.5),
]
SHORT = {"softether": {"memory": "--pattern idle --seconds 3 --sessions 500"}}  # unless --full


def run_json(argv, timeout_s=300):
    """The JSON that a program prints; LabError with its words if it fails."""
    done = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout_s, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(map(str, argv))}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


class Bed:
    """The two servers, each pinned to one CPU."""

    def __init__(self, progress):
        self.progress, self.labs = progress, {}

    def lab(self, kind):
        """The running server of a kind."""
        if kind not in self.labs:
            self.progress(f"{kind}: starting")
            lab = Lab(kind, hubs=[Hub("DEFAULT", [User("guest")])])
            lab.server.wrap = ("taskset", "-c", str(SERVER_CPU))
            self.labs[kind] = lab
            lab.server.start()
        return self.labs[kind]

    def close(self, kind=None):
        """End one or all."""
        for name in [kind] if kind else list(self.labs):
            if name in self.labs:
                self.labs.pop(name).close()

    def load(self, kind, options):
        """One run of patchbay-bench."""
        lab = self.lab(kind)
        run = run_json(["nsenter", f"--net=/proc/{lab.server.node.init_pid}/ns/net", "--", BENCH,
                        "--server", f"127.0.0.1:{PORT}", "--cpu", LOAD_CPU, "--pid", lab.server.process.pid,
                        "--quiet", "--json", *options.split()])
        if "--udp" in options and run["by_udp"] < run["frames"]:
            raise LabError(f"{kind}: {run['by_udp']} of {run['frames']} frames came by UDP")
        return run


def value_of(row, run):
    """The number that a row is about; lower is better in all units."""
    if row.what == "logins":
        return run["login_cpu_s"] * 1e3 / run["sessions"]
    if row.what == "memory":
        return (run["rss_idle"] - run["rss_before"]) / 1024 / run["sessions"]
    if row.what == "rtt":
        return run["latency"]["p50_us"]
    return run[row.unit]


def with_window(options, window):
    """Options with a number of frames under way."""
    return f"{options} --window {window}" if window else options


def best_window(bed, row, kind, full):
    """The window at which a frame costs this server least."""
    windows = row.full_windows if full and row.full_windows else row.windows
    if len(windows) == 1:
        return windows[0]
    cost = {}
    for window in windows:
        run = bed.load(kind, with_window(f"{row.options} --warmup 0.3 --seconds 0.7", window))
        cost[window] = run["cpu_s"] / run["frames"] if run["frames"] else float("inf")
    return min(cost, key=cost.get)


def floor_run(row, seconds):
    """What the bare relay, the handshake or zlib costs, in the row's unit; None without one."""
    if row.what == "logins":
        return run_json([RELAY, "--handshakes", 300, "--cpu", SERVER_CPU])["cpu_ms_each"]
    if row.floor is None:
        return None
    cipher = ["--plain"] if row.floor == "plain" else ["--cipher", row.floor]
    many = ["--connections", row.relayed] if row.relayed else []
    return run_json([RELAY, *cipher, *many, "--seconds", max(1, round(seconds)), "--cpu", SERVER_CPU])["cpu_s_per_gb"]


def zlib_alone(row, kind):
    """CPU seconds per GB of zlib's own work, for before and behind a run of ours: clocks change from second to second."""
    if kind != "patchbay" or "--compress" not in row.options:
        return None
    sizes = row.options.replace("--no-encrypt", "")
    return run_json([BENCH, "--zlib-alone", "--cpu", SERVER_CPU, "--seconds", 1, *sizes.split()])["cpu_s_per_gb"]


def measure_row(bed, row, args, rate):
    """All turns of one row."""
    out = {"runs": {k: [] for k in KINDS}, "beside": [], "floor": [], "zlib": [], "window": {}}
    timing = "" if row.what in ("logins", "memory") else f" --warmup 0.4 --seconds {max(args.seconds, row.seconds)}"
    options = row.options + timing + (f" --rate {rate:.0f}" if row.what == "rtt" else "")
    # What is compared within some per cent, on machines whose clocks wander by more.
    turns = max(args.turns, 5) if row.what == "rtt" or "--compress" in row.options else args.turns
    for turn in range(turns):
        for kind in KINDS:
            if turn and row.slow and not args.full and kind == "softether":
                continue
            if row.fresh or row.what == "memory":
                bed.close(kind)
            bed.progress(f"{row.name}: turn {turn + 1}/{turns}: {kind}")
            if kind not in out["window"]:
                out["window"][kind] = best_window(bed, row, kind, args.full)
            mine = options if args.full else SHORT.get(kind, {}).get(row.name, options)
            alone = zlib_alone(row, kind)
            out["runs"][kind].append(bed.load(kind, with_window(mine, out["window"][kind])))
            if alone is not None:
                out["zlib"].append((alone + zlib_alone(row, kind)) / 2)
            if row.fresh and kind == "softether":
                bed.close(kind)
        floor = floor_run(row, args.seconds / 2)
        if floor is not None:
            out["floor"].append(floor)
        if row.beside:
            out["beside"].append(bed.load("patchbay", row.beside + timing))
    return out


def spread(values):
    """Median and range, None without values."""
    if not values:
        return None
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def summarise_row(row, got):
    """Medians and ratios of one row."""
    out = {"unit": row.unit}
    for kind in KINDS:
        out[kind] = spread([value_of(row, r) for r in got["runs"][kind]])
        out[f"{kind}_gbit_s"] = spread([r["gbit_s"] for r in got["runs"][kind]])
        out[f"{kind}_lost"] = sum(r["lost"] for r in got["runs"][kind])
        out[f"{kind}_reordered"] = sum(r["reordered"] for r in got["runs"][kind])
        out[f"{kind}_bottleneck"] = sum(1 for r in got["runs"][kind] if r["generator"]["bottleneck"])
    out["floor"], out["zlib"] = spread(got["floor"]), spread(got["zlib"])
    ours, theirs = out["patchbay"], out["softether"]
    if ours and theirs and theirs["median"]:
        out["to_original"] = ours["median"] / theirs["median"]
    if ours and out["floor"]:
        against = [r["cpu_s_per_wire_gb"] for r in got["runs"]["patchbay"]] if row.what == "traffic" else [ours["median"]]
        out["to_floor"] = statistics.median(against) / out["floor"]["median"]
    return out


def median_of(runs, pick):
    """Median of something of each run."""
    return statistics.median(pick(r) for r in runs) if runs else None


def reordered_per_million(runs):
    """Frames that came behind a later one of their stream, over all runs."""
    frames = sum(r["frames"] for r in runs)
    return sum(r["reordered"] for r in runs) * 1e6 / frames if frames else None


def targets(results, summary):
    """What the issue wants to be reached: (text, value, comparison, wanted)."""
    out = []

    def want(text, value, op, wanted):
        if value is not None:
            out.append((text, value, op, wanted))

    def ratio(name, key):
        return summary.get(name, {}).get(key)

    want("1514: CPU per GB against the relay", ratio("1514", "to_floor"), "<=", 1.4)
    want("1514: CPU per GB against the original", ratio("1514", "to_original"), "<=", 0.55)
    want("64: CPU per GB on the wire against the relay", ratio("64", "to_floor"), "<=", 5)
    if ratio("64", "to_original"):
        want("64: frames per CPU second against the original", 1 / ratio("64", "to_original"), ">=", 4)
    want("UDP acceleration: CPU per GB against the original", ratio("udp", "to_original"), "<=", 0.4)
    if "compress" in results and results["compress"]["beside"]:
        got = results["compress"]
        without = median_of(got["beside"], lambda r: r["cpu_s_per_gb"])
        want("compression: what it adds against zlib alone", statistics.median(
            (r["cpu_s_per_gb"] - without) / alone for r, alone in zip(got["runs"]["patchbay"], got["zlib"])), "<=", 1.2)
    if "2000-sessions" in results:
        got = results["2000-sessions"]
        want("2000 sessions: CPU per GB against 16",
             median_of(got["runs"]["patchbay"], lambda r: r["cpu_s_per_gb"]) /
             median_of(got["beside"], lambda r: r["cpu_s_per_gb"]), "<=", 1.5)
        want("2000 sessions: slowest against median", median_of(
            got["runs"]["patchbay"], lambda r: r["fairness"]["slowest"] / r["fairness"]["median"]), ">=", 0.5)
    for name, text in (("8-connections", "8 connections"), ("64-8-connections", "8 connections, 64 bytes")):
        if name in results:
            ours, theirs = (reordered_per_million(results[name]["runs"][kind]) for kind in KINDS)
            if theirs is not None:
                want(f"{text}: frames out of order per million, against the original's", ours, "<=", round(theirs, 1))
    if "rtt" in results:
        runs = results["rtt"]["runs"]
        for key in ("p50_us", "p99_us"):
            theirs = median_of(runs["softether"], lambda r, k=key: r["latency"][k])
            if theirs:
                want(f"round trip {key[:3]} against the original",
                     median_of(runs["patchbay"], lambda r, k=key: r["latency"][k]) / theirs, "<=", 1)
    if "memory" in summary and summary["memory"]["patchbay"]:
        want("KiB per idle session", summary["memory"]["patchbay"]["median"], "<=", 48)
    want("logins: CPU against the bare handshake", ratio("logins", "to_floor"), "<=", 1.7)
    if ratio("logins", "to_original"):
        want("logins per CPU second against the original", 1 / ratio("logins", "to_original"), ">=", 3)
    return out


def text_of(s, form="{:.2f}"):
    """Median and range as text."""
    return f"{form} ({form}..{form})".format(s["median"], s["min"], s["max"]) if s else "-"


def show(summary, reached):
    """The tables for people."""
    rows = []
    for name, s in summary.items():
        rows.append([name, s["unit"], text_of(s["patchbay"]), text_of(s["softether"]), text_of(s["floor"]),
                     f"{s['to_original']:.2f}" if "to_original" in s else "-",
                     f"{s['to_floor']:.2f}" if "to_floor" in s else "-",
                     f"{s['patchbay_gbit_s']['median']:.2f}" if s["patchbay_gbit_s"] else "-",
                     f"{s['softether_gbit_s']['median']:.2f}" if s["softether_gbit_s"] else "-",
                     f"{s['patchbay_lost']}/{s['softether_lost']}",
                     f"{s['patchbay_reordered']}/{s['softether_reordered']}",
                     f"{s['took_s']:.0f}"])
    table.show(["row", "unit", "patchbay", "original", "floor", "to original", "to floor", "Gbit/s", "original's",
                "lost", "reordered", "s"], rows)
    print()
    if reached:
        table.show(["target", "reached", "wanted", ""],
                   [[t, f"{v:.2f}", f"{op} {want}", "ok" if table.holds(v, op, want) else "NOT REACHED"]
                    for t, v, op, want in reached])


def add_arguments(parser):
    """Arguments of `scripts/bench session`."""
    parser.add_argument("--turns", type=int, default=3, help="runs per server and row, in turns (default 3)")
    parser.add_argument("--seconds", type=float, default=1.2, help="length of what is measured in a run (default 1.2)")
    parser.add_argument("--full", action="store_true", help="every row, and the original as often as Patchbay")
    parser.add_argument("--rows", metavar="NAME,...", help=f"only these: {', '.join(r.name for r in ROWS)}")


def chosen(args):
    """The rows to measure."""
    if not args.rows:
        return [r for r in ROWS if args.full or not r.full]
    names = args.rows.split(",")
    unknown = set(names) - {r.name for r in ROWS}
    if unknown:
        raise SystemExit(f"scripts/bench session: no such row: {', '.join(sorted(unknown))}")
    return [r for r in ROWS if r.name in names]


def capacity(bed, results, args):
    """Frames a second of 1514 bytes that the original can do."""
    runs = results.get("1514", {}).get("runs", {}).get("softether")
    if not runs:
        runs = [bed.load("softether", f"--size 1514 --warmup 0.4 --seconds {args.seconds}")]
    return statistics.median(r["frames_per_s"] for r in runs)


def measure(bed, args, progress):
    """
    All rows: ({row: its turns}, {row: medians}, {row: why it failed}). One that fails costs the others nothing but new
    servers: an hour's bench does not end at its last row.
    """
    results, summary, failed = {}, {}, {}
    rows = chosen(args)
    began, done, total = time.monotonic(), 0, sum(row.weight for row in rows)
    for number, row in enumerate(rows, 1):
        at = time.monotonic()
        left = f", about {(at - began) * (total - done) / done:.0f} s left" if done else ""
        progress(f"row {number} of {len(rows)}: {row.name}{left}")
        try:
            rate = capacity(bed, results, args) / 10 if row.what == "rtt" else 0
            got = measure_row(bed, row, args, rate)
            results[row.name], summary[row.name] = got, summarise_row(row, got)
            summary[row.name]["took_s"] = time.monotonic() - at
            progress(f"{row.name}: took {time.monotonic() - at:.0f} s")
        except (LabError, OSError, subprocess.SubprocessError, ValueError, LookupError, ArithmeticError) as why:
            failed[row.name] = f"{type(why).__name__}: {why}"
            progress(f"{row.name}: FAILED: {failed[row.name]}")
            bed.close()
        done += row.weight
    return results, summary, failed


def main(args, progress):
    """Measure and print; returns what --json writes, with what failed in it, for the exit status."""
    bed = Bed(progress)
    began = time.monotonic()
    try:
        results, summary, failed = measure(bed, args, progress)
    finally:
        bed.close()
    reached = targets(results, summary)
    show(summary, reached)
    for name, why in failed.items():
        print(f"FAILED {name}: {why}")
    progress(f"took {time.monotonic() - began:.0f} s")
    return {"session": results, "summary": summary, "targets": reached, "failed": failed}
