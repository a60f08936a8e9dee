# SPDX-License-Identifier: BSD-3-Clause
"""Two real clients through Patchbay, through the original, and a bare TLS relay: the same traffic, one run.

What is measured: iperf3 TCP from client a to client b over the virtual LAN, one TCP connection per
session, UDP acceleration off (checked in the clients' status), the same cipher everywhere. Servers take
turns, so that a noisy neighbour hits both; medians and spread are printed, ratios are what counts.

With --udp the clients use UDP acceleration, version 2 (checked as well); there is no relay then.

CPU is user + system time of the whole server process, all threads and children, per gigabyte (10^9
bytes) that iperf3 received.
"""

import json
import pathlib
import re
import statistics
import sys
import time

from lab.netns import LabError, children, wait_for
from lab.server import BUILD
from lab.topology import SERVER4, Lab

from . import table

TICKS = 100  # USER_HZ, fixed by the kernel's ABI
KINDS = ("patchbay", "softether")
UDP_ACTIVE = "UDP Acceleration is Active"


def tree(pid):
    """The process and all its descendants."""
    return [pid] + [p for child in children(pid) for p in tree(child)]


def cpu_s(pid):
    """User + system seconds of a process tree so far."""
    total = 0
    for p in tree(pid):
        with open(f"/proc/{p}/stat", encoding="ascii") as f:
            fields = f.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


def switches(pid):
    """Context switches of all threads of a process tree so far."""
    total = 0
    for p in tree(pid):
        for task in pathlib.Path(f"/proc/{p}/task").iterdir():
            total += sum(int(n) for n in re.findall(r"ctxt_switches:\s+(\d+)", (task / "status").read_text()))
    return total


def run_ns(pid):
    """Nanoseconds on a CPU of all threads of a process tree, finer than cpu_s."""
    return sum(int((task / "schedstat").read_text().split()[0])
               for p in tree(pid) for task in pathlib.Path(f"/proc/{p}/task").iterdir())


def rss_mib(pid):
    """Resident memory of a process tree."""
    text = "".join(open(f"/proc/{p}/status", encoding="ascii").read() for p in tree(pid))
    return sum(int(n) for n in re.findall(r"VmRSS:\s+(\d+)", text)) / 1024


def build_lab(kind, udp):
    """A lab with two clients in one hub, connected; UDP acceleration off, or in use by both."""
    lab = Lab(kind)
    try:
        lab.server.start()
        for name, user, address in (("a", "alice", "192.168.50.1"), ("b", "bob", "192.168.50.2")):
            lab.client(name, address).join(SERVER4, 8888, "DEFAULT", user, f"{user}pw", udp=udp)
        a, b = lab.clients["a"], lab.clients["b"]
        wait_for(f"{kind}: b answers a", lambda: a.reaches(b.address), 15)
        if udp:
            wait_for(f"{kind}: UDP in use", lambda: all(c.status().get(UDP_ACTIVE) == "Yes" for c in (a, b)), 30, 1)
        lab.sink = b.node.spawn("iperf3", "-s", "-B", b.address, log="iperf3.log")
        return lab
    except BaseException:
        print(lab.report(), file=sys.stderr)
        lab.close()
        raise


def check_modes(lab, udp):
    """What the clients say of their session: cipher; LabError unless UDP acceleration is as it should be."""
    ciphers = set()
    for client in lab.clients.values():
        status = client.status()
        said = {k: v for k, v in status.items() if "UDP Acceleration" in k}
        if not said or any(v != ("Yes" if udp else "No") for v in said.values()):
            raise LabError(f"{lab.kind}: UDP acceleration is not {'in use' if udp else 'off'}: {said or status}")
        if status.get("Number of TCP Connections", "1") != "1":
            raise LabError(f"{lab.kind}: not one TCP connection: {status}")
        ciphers.add(next(v for k, v in status.items() if k.startswith("Encryption")))
    return re.search(r"[A-Z0-9]+[_-][A-Z0-9_-]+", " ".join(sorted(ciphers)))[0]


def transfer(lab, seconds):
    """One iperf3 run: Gbit/s, server CPU-s per GB, and the clients' for comparison."""
    a, b = lab.clients["a"], lab.clients["b"]
    pids = {"server": lab.server.process.pid, "a": a.process.pid, "b": b.process.pid}
    before = {k: cpu_s(p) for k, p in pids.items()}
    done = a.node.run("iperf3", "-c", b.address, "-t", seconds, "-J", timeout_s=seconds + 30)
    used = {k: cpu_s(p) - before[k] for k, p in pids.items()}
    received = json.loads(done.stdout)["end"]["sum_received"]
    gigabytes = received["bytes"] / 1e9
    return {"gbit_s": received["bits_per_second"] / 1e9, "bytes": received["bytes"],
            "cpu_s_per_gb": used["server"] / gigabytes,
            "clients_cpu_s_per_gb": (used["a"] + used["b"]) / gigabytes,
            "retransmits": json.loads(done.stdout)["end"]["sum_sent"].get("retransmits")}


def round_trips(lab, count=200):
    """Milliseconds of `count` pings on the idle hub."""
    a, b = lab.clients["a"], lab.clients["b"]
    out = a.node.run("ping", "-n", "-c", count, "-i", "0.02", b.address, timeout_s=60).stdout
    times = [float(t) for t in re.findall(r"time=([\d.]+)", out)]
    if len(times) < count:
        raise LabError(f"{lab.kind}: {count - len(times)} of {count} pings lost")
    return times


def idle(lab, seconds):
    """Share of a core, context switches a second and memory with two idle sessions."""
    pid = lab.server.process.pid
    ns0, sw0, t0 = run_ns(pid), switches(pid), time.monotonic()
    time.sleep(seconds)
    span = time.monotonic() - t0
    return {"core_percent": (run_ns(pid) - ns0) / 1e7 / span, "switches_s": (switches(pid) - sw0) / span,
            "rss_mib": rss_mib(pid)}


def relay(cipher, seconds, cpu):
    """The floor, on the CPU that Patchbay's worker has."""
    from subprocess import run  # pylint: disable=import-outside-toplevel
    out = run([str(BUILD / "test/bench/tls_relay"), "--cipher", cipher, "--seconds", str(seconds),
               *(["--cpu", str(cpu)] if cpu >= 0 else [])], check=True, capture_output=True, text=True).stdout
    return json.loads(out)


def spread(values):
    """Median and range."""
    return {"median": statistics.median(values), "min": min(values), "max": max(values)}


def worker_cpu(lab):
    """CPU of Patchbay's first worker, -1 if it floats."""
    rows = lab.server.ctl("lcore", "list")
    text = json.dumps(rows)
    found = re.search(r'"Cpu_[a-z0-9]+": (-?\d+)', text, re.IGNORECASE)
    return int(found[1]) if found else -1


def measure(turns, seconds, idle_seconds, progress, udp=False):
    """Everything; returns the result as plain values."""
    labs = {}
    try:
        for kind in KINDS:
            progress(f"{kind}: starting with two clients")
            labs[kind] = build_lab(kind, udp)
        ciphers = {k: check_modes(lab, udp) for k, lab in labs.items()}
        cipher = ciphers["patchbay"]
        if set(ciphers.values()) != {cipher}:
            raise LabError(f"different ciphers: {ciphers}")
        cpu = worker_cpu(labs["patchbay"])
        result = {"ciphers": ciphers, "turns": turns, "seconds": seconds, "udp": udp, "runs": {k: [] for k in KINDS},
                  "relay": [], "rtt_ms": {k: [] for k in KINDS}}
        for turn in range(turns):
            for kind in KINDS:
                progress(f"turn {turn + 1}/{turns}: {kind}: ping, then iperf3 for {seconds} s")
                result["rtt_ms"][kind] += round_trips(labs[kind])
                result["runs"][kind].append(transfer(labs[kind], seconds))
            if not udp:
                progress(f"turn {turn + 1}/{turns}: relay for {seconds} s")
                result["relay"].append(relay(cipher, seconds, cpu))
        for kind in KINDS:
            check_modes(labs[kind], udp)
        # One at a time: a neighbour's timers would be seen in nothing but this machine's noise.
        result["idle"] = {}
        for kind in KINDS:
            progress(f"{kind}: idle for {idle_seconds} s")
            result["idle"][kind] = idle(labs[kind], idle_seconds)
        return result
    finally:
        for lab in labs.values():
            lab.close()


def summarise(result):
    """Medians, ratios and the verdict on each target of the first-light issue, or the one for UDP."""
    runs, out = result["runs"], {}
    for key in ("cpu_s_per_gb", "gbit_s") if result["relay"] else ():
        out[f"relay_{key}"] = spread([r[key] for r in result["relay"]])
    for kind in KINDS:
        for key in ("cpu_s_per_gb", "gbit_s", "clients_cpu_s_per_gb"):
            out[f"{kind}_{key}"] = spread([r[key] for r in runs[kind]])
        out[f"{kind}_rtt_ms"] = spread(result["rtt_ms"][kind])
    ours, theirs = out["patchbay_cpu_s_per_gb"]["median"], out["softether_cpu_s_per_gb"]["median"]
    if result["udp"]:
        out["targets"] = [("UDP acceleration: CPU per GB against the original", ours / theirs, "<=", 0.4)]
        return out
    still = result["idle"]["patchbay"]
    out["targets"] = [
        ("CPU per GB against the original", ours / theirs, "<=", 0.65),
        ("CPU per GB against the relay", ours / out["relay_cpu_s_per_gb"]["median"], "<=", 1.7),
        ("throughput against the original",
         out["patchbay_gbit_s"]["median"] / out["softether_gbit_s"]["median"], ">=", 1.0),
        ("ping round trip against the original",
         out["patchbay_rtt_ms"]["median"] / out["softether_rtt_ms"]["median"], "<=", 1.0),
        ("idle, % of a core", still["core_percent"], "<", 0.5),
        ("idle, context switches a second", still["switches_s"], "<", 30),
        ("resident memory, MiB", still["rss_mib"], "<", 200)]
    return out


def show(result, summary):
    """The table for people."""
    rows = []
    for name, prefix in (("patchbay", "patchbay_"), ("softether", "softether_"), ("bare relay", "relay_")):
        if prefix == "relay_" and result["udp"]:
            continue
        row = [name]
        for key, form in (("gbit_s", "{:.2f}"), ("cpu_s_per_gb", "{:.2f}"), ("rtt_ms", "{:.3f}")):
            s = summary.get(prefix + key)
            row.append(f"{form} ({form}..{form})".format(s["median"], s["min"], s["max"]) if s else "-")
        still = result["idle"].get(name)
        row += [f"{still['core_percent']:.2f}", f"{still['switches_s']:.0f}", f"{still['rss_mib']:.0f}"] if still else ["-"] * 3
        rows.append(row)
    print(f"iperf3 TCP, one connection, {result['seconds']} s x {result['turns']} turns, "
          f"UDP acceleration {'in use' if result['udp'] else 'off'}, ciphers {result['ciphers']}")
    table.show(["server", "Gbit/s", "CPU-s/GB", "ping ms", "idle % core", "idle switches/s", "RSS MiB"], rows)
    print()
    table.show(["target", "reached", "wanted", ""],
               [[t, f"{v:.2f}", f"{op} {want}", "ok" if table.holds(v, op, want) else "NOT REACHED"]
                for t, v, op, want in summary["targets"]])


def add_arguments(parser):
    """Arguments of `scripts/bench interop`."""
    parser.add_argument("--turns", type=int, default=3, help="runs per server, in turns (default 3)")
    parser.add_argument("--seconds", type=int, default=8, help="length of one iperf3 run (default 8)")
    parser.add_argument("--udp", action="store_true", help="with UDP acceleration instead of TLS alone")
    parser.add_argument("--idle", type=int, default=30, help="seconds of the idle measurement (default 30)")


def main(args, progress):
    """Measure and print; returns what --json writes."""
    result = measure(args.turns, args.seconds, args.idle, progress, args.udp)
    summary = summarise(result)
    show(result, summary)
    return {"interop": result, "summary": summary}
