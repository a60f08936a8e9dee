# SPDX-License-Identifier: BSD-3-Clause
"""The telco's set-up: a packet generator in a process of its own, wired to two vhost ports of a hub.

    generator, CPU 0 (virtio-user 0) ==== vhost west - hub DEFAULT - vhost east ==== (virtio-user 1) generator
                                             patchbayd, one worker, CPU 1

For each frame size the highest rate at which no frame is lost, after RFC 2544: a binary search over the offered rate,
the frames counted at both ends. The figure is what was really sent in the best of the trials without loss. A trial
in which the generator itself could not keep its rate (more than 3 % of the frames late) says nothing about the
appliance, and ends the search upwards: then the figure is a lower bound, marked >.

Frame sizes count as on the wire, with 4 bytes FCS, as everybody's do: 64 is 60 bytes of frame. With two CPUs the
generator fills one and the appliance the other, and the kernel, the vhost thread and whatever else runs take their
share of both: a loss at a high rate may be a moment without CPU. So each rate has a few tries, and --tolerance.
"""

import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time

from lab import bridges
from lab.netns import LabError, wait_for
from lab.server import BUILD
from lab.topology import Lab

from . import table

FLOWGEN_SIZE = 304  # testpmd's flowgen knows one size only, 300 bytes and FCS
SIZES = (64, 128, 256, 512, 1024, 1280, 1518)
FCS = 4
GENERATOR_CPU, WORKER_CPU, RECEIVER_CPU = 0, 1, 2
LATE_SHARE = 0.03
PACED = BUILD / "test/bench/paced"
NAMES = ("west", "east")


def add_arguments(parser):
    """Options of `scripts/bench pktgen`."""
    parser.add_argument("--sizes", type=lambda s: [int(x) for x in s.split(",")], default=list(SIZES),
                        help="frame sizes with FCS (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=2.0, help="length of a trial (default: %(default)s; RFC 2544: 60)")
    parser.add_argument("--steps", type=int, default=8, help="steps of the search (default: %(default)s)")
    parser.add_argument("--max-rate", type=float, default=8e6, help="frames/s to begin with (default: %(default)g)")
    parser.add_argument("--tolerance", type=float, default=0.0, help="share of frames that may be lost (default: 0)")
    parser.add_argument("--tries", type=int, default=2, help="tries of a rate before it counts as too high (default: %(default)s)")
    parser.add_argument("--generator", choices=("paced", "testpmd", "flowgen"), default="paced",
                        help="testpmd: no search, it sends (txonly) and another takes (rxonly) as fast as they can; with "
                        "fewer than three CPUs they take turns on one, and nearly all is lost. flowgen: the same with 1024 "
                        f"flows, of {FLOWGEN_SIZE} bytes")
    parser.add_argument("--pktgen", metavar="PATH", help="run this Pktgen-DPDK on the ports, with its own console; from the "
                        "third CPU on if there is one")


class Setup:
    """The appliance and its two vhost ports; the far side is somebody else's."""

    def __init__(self):
        self.lab = Lab(settings={"lcores": {"workers": 1, "cpus": [WORKER_CPU], "poll": "always"}})
        try:
            self.lab.server.start()
            self.folder = self.lab.nodes["server"].folder
            self.peer = self.lab.node("generator")
            for name in NAMES:
                bridges.create_device(self.lab.server, "DEFAULT", f"net_vhost_{name},iface={self.folder}/{name}.sock", name, wait=False)
                wait_for(f"{name} open", lambda name=name: bridges.rows(self.lab.server)[name]["State"] == "up")
        except BaseException:
            self.lab.close()
            raise

    def eal(self, *names, lcores=str(GENERATOR_CPU), tag=""):
        """Arguments that give a program these ports. Its memory is one memfd, which vhost-user can share."""
        return ["--lcores", lcores, "--no-huge", "-m", "256", "--no-pci", "--no-shconf", "--no-telemetry", "--file-prefix", self.prefix(tag),
                *(f"--vdev=net_virtio_user{i},path={self.folder}/{name}.sock" for i, name in enumerate(names))]

    def prefix(self, tag=""):
        """Name of a program's folder below /var/run/dpdk."""
        return self.lab.folder.name + tag

    def drops(self):
        """What the appliance says it dropped, by reason."""
        (total,) = [r for r in self.lab.server.rpc("PatchbayGetStats")["StatsList"] if r["Level_str"] == "total"]
        found = {k.rpartition("_")[0]: v for k, v in total.items() if k.startswith("Drop")}
        return {k: v for k, v in found.items() if v}

    def close(self):
        """End everything."""
        self.lab.close()
        for path in pathlib.Path("/var/run/dpdk").glob(f"{self.lab.folder.name}*"):
            shutil.rmtree(path, ignore_errors=True)


# ---- paced: the search ---------------------------------------------------------------------------

class Paced:
    """test/bench/paced on the generator's node, driven by lines."""

    def __init__(self, setup):
        self.log = open(setup.folder / "paced.log", "wb")  # pylint: disable=consider-using-with
        self.process = subprocess.Popen(  # pylint: disable=consider-using-with
            setup.peer.enter(PACED, *setup.eal(*NAMES)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.until("ready")

    def until(self, begin):
        """The next line that begins so."""
        for line in self.process.stdout:
            if line.startswith(begin):
                return line
        raise LabError(f"the generator has ended: {pathlib.Path(self.log.name).read_text('utf-8', 'replace')[-2000:]}")

    def trial(self, rate, size, seconds):
        """One trial; the counts of both ends."""
        self.process.stdin.write(f"{rate:.0f} {size - FCS} {seconds}\n")
        self.process.stdin.flush()
        return json.loads(self.until("{"))

    def close(self):
        """It ends with its input."""
        self.process.stdin.close()
        self.process.wait(10)
        self.log.close()


def passes(generator, rate, size, args, trials):
    """"yes", "lost" or "late", after a few tries."""
    verdict = "late"
    for _ in range(args.tries):
        got = {"rate": rate, **generator.trial(rate, size, args.seconds)}
        trials.append(got)
        if got["late"] > LATE_SHARE * got["due"]:
            continue
        if got["sent"] - got["received"] <= args.tolerance * got["sent"]:
            return "yes"
        verdict = "lost"
    return verdict


def search(generator, size, args):
    """The highest rate without loss between 0 and --max-rate."""
    low, high, trials, bound = 0.0, args.max_rate, [], False
    for step in range(args.steps):
        rate = high if step == 0 else (low + high) / 2
        verdict = passes(generator, rate, size, args, trials)
        if verdict == "yes":
            low = rate
            bound = step == 0
            if bound:
                break
        else:
            high = rate
            bound = verdict == "late"
    sent = max((t["sent"] / args.seconds for t in trials if t["rate"] == low), default=0.0)
    return {"size": size, "frames_per_s": sent, "bits_per_s": sent * (size + 20) * 8, "lower_bound": bound,
            "disordered": sum(t["disordered"] for t in trials), "trials": trials}


def run_paced(setup, args, progress):
    """All sizes; the rows of the result."""
    generator, rows = Paced(setup), []
    try:
        for size in args.sizes:
            rows.append(search(generator, size, args))
            progress(f"{size} bytes: {rows[-1]['frames_per_s'] / 1e6:.2f} Mpps, {len(rows[-1]['trials'])} trials")
    finally:
        generator.close()
    table.show(["frame", "Mpps without loss", "Gbit/s on a wire", "disordered", "trials"],
               [[r["size"], f"{'>' if r['lower_bound'] else ''}{r['frames_per_s'] / 1e6:.2f}", f"{r['bits_per_s'] / 1e9:.2f}",
                 r["disordered"], len(r["trials"])] for r in rows])
    return rows


# ---- testpmd: as fast as it is let ---------------------------------------------------------------

def testpmd(setup, name, mode, *options):
    """Start testpmd with one port, as the far end of `name`."""
    cpu = GENERATOR_CPU if name == "west" or len(os.sched_getaffinity(0)) < 3 else RECEIVER_CPU
    # The forwarding core shares its CPU with the one that only waits.
    return setup.peer.spawn("dpdk-testpmd", *setup.eal(name, lcores=f"(0,1)@{cpu}", tag=name), "--", f"--forward-mode={mode}", "--auto-start",
                            "--total-num-mbufs=8192", "--stats-period=3600", *options, log=f"{name}.log")


def totals(setup, name):
    """(RX-packets, TX-packets) that testpmd prints at its end."""
    text = (setup.peer.folder / f"{name}.log").read_text("utf-8", "replace")
    end = text[text.rindex("Accumulated forward statistics"):]
    return [int(re.search(rf"{way}-packets: (\d+)", end)[1]) for way in ("RX", "TX")]


def run_testpmd(setup, args, progress):
    """One sends, one receives: on a CPU each if there are three."""
    rows, flows = [], args.generator == "flowgen"
    for size in [FLOWGEN_SIZE] if flows else args.sizes:
        receiver = testpmd(setup, "east", "rxonly")
        bridges.wait_up(setup.lab.server, "east", timeout_s=20)
        sender = testpmd(setup, "west", *(["flowgen"] if flows else ["txonly", f"--txpkts={size - FCS}"]))
        bridges.wait_up(setup.lab.server, "west", timeout_s=20)
        began = time.monotonic()
        time.sleep(args.seconds)
        sender.signal(signal.SIGINT)
        sender.wait(20)
        took = time.monotonic() - began
        time.sleep(0.3)
        receiver.signal(signal.SIGINT)
        receiver.wait(20)
        sent, received = totals(setup, "west")[1], totals(setup, "east")[0]
        rows.append({"size": size, "seconds": took, "sent": sent, "received": received})
        progress(f"{size} bytes: {received / took / 1e6:.2f} Mpps")
        for name in NAMES:
            (setup.peer.folder / f"{name}.log").unlink()
            wait_for("link down", lambda name=name: not bridges.rows(setup.lab.server)[name]["Link"])
    table.show(["frame", "sent Mpps", "received Mpps", "lost %"],
               [[r["size"], f"{r['sent'] / r['seconds'] / 1e6:.2f}", f"{r['received'] / r['seconds'] / 1e6:.2f}",
                 f"{100 * (1 - r['received'] / max(1, r['sent'])):.2f}"] for r in rows])
    return rows


# ---- Pktgen-DPDK ---------------------------------------------------------------------------------

def run_pktgen(setup, args):
    """Its own console in the foreground; `quit` there ends the set-up."""
    program = pathlib.Path(args.pktgen).resolve()
    # Its lcore 0 has the console, lcore 1 sends and receives on both ports: never on the appliance's CPU.
    cpu = GENERATOR_CPU if len(os.sched_getaffinity(0)) < 3 else RECEIVER_CPU
    command = [program, *setup.eal(*NAMES, lcores=f"0@{GENERATOR_CPU},1@{cpu}"), "--", "-P", "-T", "-m", "1.[0-1]"]
    print("$ " + " ".join(map(str, command)))
    return [{"pktgen": subprocess.run(setup.peer.enter(*command), check=False, cwd=program.parent).returncode}]


def main(args, progress):
    """Set up, measure, say what the appliance dropped."""
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("the generator and the appliance need a CPU each")
    if args.pktgen and not os.access(args.pktgen, os.X_OK):
        sys.exit(f"--pktgen: {args.pktgen} is no program; Debian has none, Pktgen-DPDK builds usr/local/bin/pktgen or build/app/pktgen")
    setup = Setup()
    try:
        if args.pktgen:
            rows = run_pktgen(setup, args)
        elif args.generator in ("testpmd", "flowgen"):
            rows = run_testpmd(setup, args, progress)
        else:
            rows = run_paced(setup, args, progress)
        drops = setup.drops()
        print("dropped by the appliance over all trials:", ", ".join(f"{k} {v}" for k, v in drops.items()) or "nothing")
        return {"rows": rows, "drops": drops}
    finally:
        setup.close()
