# SPDX-License-Identifier: BSD-3-Clause
"""What `scripts/bench switch` measures: Patchbay, testpmd and OVS-DPDK, started alike, each on the same CPU."""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import time

from lab.hugepages import reserved
from lab.server import BUILD

OVS = "/usr/lib/openvswitch-switch-dpdk/ovs-vswitchd-dpdk"
OVS_SCHEMA = "/usr/share/openvswitch/vswitch.ovsschema"
TESTPMD_MBUF = 1792  # as Patchbay's for frames of 1600: at 16 384 stations the room makes a quarter of io's cycles
MBUF_BYTES = 2560  # a buffer of 2 KiB with its heads, and its part of the pool


class BenchError(Exception):
    """Something did not start or did not answer; its text says what."""


def tsc_hz():
    """Ticks of the clock in which cycles are given: what the kernel measured, else the nominal rate."""
    with open("/proc/cpuinfo", encoding="ascii") as f:
        text = f.read()
    nominal = re.search(r"@ ([\d.]+)GHz", text)
    done = subprocess.run(["dmesg"], capture_output=True, text=True, check=False).stdout
    found = re.findall(r"(?:Refined TSC clocksource calibration|tsc: Detected): ([\d.]+) MHz", done)
    if found:
        return float(found[-1]) * 1e6
    if nominal:
        return float(nominal.group(1)) * 1e9
    return float(re.search(r"cpu MHz\s*: ([\d.]+)", text).group(1)) * 1e6


@contextlib.contextmanager
def hugepages(mib):
    """At least so many MiB in free pages while it lasts; the old number afterwards."""
    with reserved(mib) as reason:
        if reason:
            raise BenchError(f"{reason}: leave the largest number of MACs out (--macs), or free memory")
        yield


def first(argv, log, **how):
    """
    A program whose threads go before others': who else wants the measured CPU gets a hundredth of it. Where the kernel
    shares it among sessions before it looks at the threads of each, that has to be said of the session too. It ends
    with us, whatever ends us.
    """
    with open(log, "ab") as out:
        process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "nice", "-n", "-20", *argv], stdin=subprocess.DEVNULL,
                                   stdout=out, stderr=subprocess.STDOUT, start_new_session=True, **how)
    with contextlib.suppress(OSError):
        pathlib.Path(f"/proc/{process.pid}/autogroup").write_text("-20", encoding="ascii")
    return process


class Workers:
    """
    The threads of a program that are pinned to our CPUs: how much of them they get, and how busy the other CPUs are.
    A worker that polls wants the whole CPU: what somebody else had of it is missing in its rate. And others on
    other CPUs take the cache they share: of that OVS at 1 024 stations, whose exact-match cache does not fit the one
    of its CPU, lost two thirds of its rate while this program lost a tenth.
    """

    WHOLE = 0.97  # a kernel has little things to do as well
    CALM = 0.25   # and the program threads that do not poll

    def __init__(self, pid, cpus):
        self.tasks = pathlib.Path(f"/proc/{pid}/task")
        self.cpus = {str(c) for c in cpus}
        self.last = self.read()

    def read(self):
        """(time, {thread: (seconds of CPU time, its CPU)}, {CPU: (seconds of anything, idle, taken by the hypervisor)})"""
        ran, times = {}, {}
        for task in self.tasks.iterdir():
            with contextlib.suppress(OSError):
                status = (task / "status").read_text(encoding="utf-8")
                cpus = re.search(r"Cpus_allowed_list:\s*(\S+)", status)[1]
                if cpus in self.cpus:
                    ran[task.name] = int((task / "schedstat").read_text(encoding="ascii").split()[0]) / 1e9, cpus
        for line in pathlib.Path("/proc/stat").read_text(encoding="ascii").splitlines():
            if found := re.match(r"cpu(\d+) ", line):
                t = [int(n) / os.sysconf("SC_CLK_TCK") for n in line.split()[1:9]]
                times[found[1]] = sum(t), t[3] + t[4], t[7]
        return time.monotonic(), ran, times

    def since(self):
        """
        Since the last call: what the busiest thread of each of our CPUs had of it, the least of these; and how busy
        the busiest of the others was.
        """
        (began, before, then), self.last = self.last, self.read()
        ended, after, now = self.last
        best, others = dict.fromkeys(self.cpus, 0.0), 0.0
        for task, (ran, cpu) in after.items():
            best[cpu] = max(best[cpu], (ran - before.get(task, (0.0, cpu))[0]) / (ended - began))
        for cpu in now.keys() & then.keys():
            whole, idle, stolen = (b - a for a, b in zip(then[cpu], now[cpu]))
            if cpu in best:
                best[cpu] -= stolen / (ended - began)
            elif whole > 0:
                others = max(others, 1 - idle / whole)
        return max(0.0, min(best.values())), others


def undisturbed(workers, count, window):
    """
    `count` windows in which the workers had their CPUs and others were calm: window() measures one and returns its
    figures. One that was disturbed is taken again, up to as many times as there are to be. Returns the best of them,
    and the worst that can be said of these: {"cpu": share, "others": share}.
    """
    got = []
    workers.since()
    while len(got) < 2 * count and sum(cpu >= workers.WHOLE and others <= workers.CALM for cpu, others, _ in got) < count:
        figures = window()
        got.append((*workers.since(), figures))
    got.sort(key=lambda one: (one[0] < workers.WHOLE, one[1]))
    got = got[:count]
    return [one[2] for one in got], {"cpu": min(one[0] for one in got), "others": max(one[1] for one in got)}


def wait_for(what, test, timeout_s=60.0, process=None, log=None):
    """test() until it is true."""
    end = time.monotonic() + timeout_s
    while True:
        got = test()
        if got:
            return got
        dead = process is not None and process.poll() is not None
        if dead or time.monotonic() > end:
            tail = pathlib.Path(log).read_text("utf-8", "replace")[-1500:] if log else ""
            raise BenchError(f"{what}: {'it ended' if dead else 'nothing after'} {timeout_s:.0f} s\n{tail}")
        time.sleep(0.05)


def end(process):
    """Ask a program of ours to end, and see to it."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def pcap_devargs(name, files, tx=None):
    """A device that receives these files for ever, one queue each."""
    return ",".join([name, *(f"rx_pcap={f}" for f in files), *([f"tx_pcap={tx}"] if tx else ["infinite_rx=1"])])


class Testpmd:
    """Frames from port 0 to port 1 and back, untouched (io) or with addresses swapped (macswap)."""

    def __init__(self, folder, devices, mode, cpus, frames, pci):
        lcores = ",".join(["0@0", *(f"{i + 1}@{c}" for i, c in enumerate(cpus))])
        queues = str(len(cpus))
        self.cpus = cpus
        self.log = f"{folder}/testpmd.log"
        pathlib.Path(self.log).unlink(missing_ok=True)
        self.process = first(
            ["dpdk-testpmd", f"--lcores={lcores}", "--in-memory", "--no-telemetry", f"--file-prefix=bench{os.getpid()}",
             *(["-a" + d for d in devices] if pci else ["--no-pci", *(f"--vdev={d}" for d in devices)]), "--",
             f"--forward-mode={mode}", f"--nb-cores={len(cpus)}", f"--rxq={queues}", f"--txq={queues}",
             f"--total-num-mbufs={frames + 32768}", f"--mbuf-size={TESTPMD_MBUF}", "--burst=64", "--rxd=512", "--txd=512", "--auto-start",
             "--stats-period=1", "--no-lsc-interrupt"], self.log)

    def rates(self):
        """Frames per second of both ports, one number for each second so far."""
        text = pathlib.Path(self.log).read_text("utf-8", "replace")
        pps = [int(n) for n in re.findall(r"Rx-pps:\s+(\d+)", text)]
        return [sum(two) for two in zip(pps[::2], pps[1::2])]

    def windows(self, count, seconds):
        """Frames per second in each of `count` windows."""
        def window():
            need = len(self.rates()) + seconds
            wait_for("testpmd", lambda: len(self.rates()) >= need, 60 + seconds, self.process, self.log)
            return sum(self.rates()[need - seconds:need]) / seconds
        wait_for("testpmd", lambda: len(self.rates()) > 2, 60, self.process, self.log)
        return undisturbed(Workers(self.process.pid, self.cpus), count, window)

    def close(self):
        """End it."""
        end(self.process)


class Patchbay:
    """patchbayd with one hub, as an operator has it; bridges are made as an operator makes them."""

    HUB = "BENCH"

    def __init__(self, folder, cpus, memory_mib, max_macs, pci=False):
        self.cpus = cpus
        self.folder = pathlib.Path(folder) / "patchbay"
        self.folder.mkdir(exist_ok=True)
        state = self.folder / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        self.log = f"{self.folder}/log"
        self.socket = f"{state}/admin.sock"
        options = f'options = "--in-memory --no-telemetry -m {memory_mib}{"" if pci else " --no-pci"}";'
        (self.folder / "patchbay.cfg").write_text(
            f"eal = {{ {options} }};\n"
            f"lcores = {{ workers = {len(cpus)}; cpus = [{', '.join(map(str, cpus))}]; poll = \"always\"; }};\n"
            f"listeners = ( {{ port = 48888; }} );\n", encoding="utf-8")
        (state / "directory.cfg").write_text(
            f'version = 1;\nhubs = ( {{ name = "{self.HUB}"; max_macs = {max_macs}; }} );\n', encoding="utf-8")
        pathlib.Path(self.log).unlink(missing_ok=True)
        self.process = first(
            [BUILD / "controlplane/patchbayd", "--config", self.folder / "patchbay.cfg", "--state", state], self.log)
        try:
            wait_for("patchbayd", self.ready, 60, self.process, self.log)
        except BaseException:
            self.close()
            raise

    def ctl(self, *argv, check=True):
        """A command's JSON."""
        done = subprocess.run([BUILD / "controlplane/patchbayctl", "--socket", self.socket, "--json", *map(str, argv)],
                              capture_output=True, text=True, check=False)
        if done.returncode and check:
            raise BenchError(f"patchbayctl {' '.join(map(str, argv))}: {done.stdout}{done.stderr}")
        return json.loads(done.stdout or "null") if not done.returncode else None

    def ready(self):
        """Whether it answers."""
        return self.ctl("status", check=False) is not None

    def bridge(self, name, devargs, tap=False):
        """A bridge, up."""
        self.ctl("bridge", "create", self.HUB, "--tap" if tap else "--dev", devargs, "--name", name)
        wait_for(f"bridge {name}", lambda: self.bridges()[name]["PatchbayState_str"] == "up", 120, self.process, self.log)

    def bridges(self):
        """Rows of the bridges by name."""
        return {r["PatchbayName_str"]: r for r in self.ctl("bridge", "list")["LocalBridgeList"]}

    def hub(self):
        """The hub and its MAC table."""
        return self.ctl("hub", "show", self.HUB)

    def books(self):
        """(time, counters) of all workers together."""
        before = time.monotonic()
        stats = self.ctl("stats")
        return (before + time.monotonic()) / 2, stats

    def close(self):
        """End it."""
        end(self.process)


class Ovs:
    """ovs-vswitchd with DPDK, its own database and sockets; one bridge, the NORMAL action."""

    def __init__(self, folder, cpu, memory_mib, macs, settings):
        self.cpu = cpu
        self.folder = pathlib.Path(folder) / "ovs"
        self.folder.mkdir(exist_ok=True)
        for old in self.folder.iterdir():
            old.unlink()
        self.env = {**os.environ, **{k: str(self.folder) for k in ("OVS_RUNDIR", "OVS_DBDIR", "OVS_LOGDIR")}}
        self.log = f"{self.folder}/log"
        database = self.folder / "conf.db"
        self.run("ovsdb-tool", "create", database, OVS_SCHEMA)
        try:
            self.start(database, cpu, memory_mib, macs, settings)
        except BaseException:
            self.close()
            raise

    def start(self, database, cpu, memory_mib, macs, settings):
        """The database, the switch, the bridge."""
        with open(self.log, "wb") as log:
            self.db = subprocess.Popen(["ovsdb-server", database, f"--remote=punix:{self.folder}/db.sock"],
                                       env=self.env, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)
            wait_for("ovsdb-server", (self.folder / "db.sock").exists, 20, self.db)
            self.vsctl("--no-wait", "init")
            self.vsctl("--no-wait", "set", "Open_vSwitch", ".", "other_config:dpdk-init=true",
                       f"other_config:pmd-cpu-mask={1 << cpu:#x}", "other_config:dpdk-lcore-mask=0x1",
                       f"other_config:dpdk-socket-mem={memory_mib}", "other_config:dpdk-extra=--no-pci --in-memory",
                       "other_config:flow-limit=2000000", "other_config:max-idle=600000",
                       *(f"other_config:{k}={v}" for k, v in settings.items()))
        self.process = first([OVS, f"unix:{self.folder}/db.sock", f"--unixctl={self.folder}/ctl"], self.log, env=self.env)
        self.vsctl("--timeout=60", "add-br", "br0", "--", "set", "bridge", "br0", "datapath_type=netdev",
                   f"other_config:mac-table-size={4 * macs + 1024}", "other_config:mac-aging-time=3600")

    def run(self, *argv, check=True):
        """A command in its world."""
        done = subprocess.run([str(a) for a in argv], env=getattr(self, "env", None), capture_output=True, text=True,
                              check=False)
        if done.returncode and check:
            raise BenchError(f"{' '.join(map(str, argv))}: {done.stdout}{done.stderr}")
        return done.stdout

    def vsctl(self, *argv):
        """ovs-vsctl"""
        return self.run("ovs-vsctl", f"--db=unix:{self.folder}/db.sock", *argv)

    def appctl(self, *argv):
        """ovs-appctl"""
        return self.run("ovs-appctl", "-t", f"{self.folder}/ctl", *argv)

    def port(self, name, devargs):
        """A port of the bridge."""
        self.vsctl("--timeout=60", "add-port", "br0", name, "--", "set", "Interface", name, "type=dpdk",
                   f"options:dpdk-devargs={devargs}")
        wait_for(f"OVS port {name}", lambda: f" {name} " in self.appctl("dpif/show"), 60,
                 self.process, self.log)

    def counts(self):
        """(time, frames received, frames that missed the datapath's tables)"""
        before = time.monotonic()
        text = self.appctl("dpif-netdev/pmd-stats-show").split("main thread")[0]
        now = (before + time.monotonic()) / 2
        def get(key):
            return sum(int(n) for n in re.findall(rf"{key}:\s+(\d+)", text))
        return now, get("packets received"), get("miss with success upcall") + get("miss with failed upcall"), {
            "emc": get("emc hits"), "smc": get("smc hits"), "megaflow": get("megaflow hits")}

    def flows(self):
        """Flows of the datapath."""
        found = re.findall(r"flows\s*:\s*\(current (\d+)\)", self.appctl("upcall/show"))
        return int(found[0]) if found else 0

    def warm(self, expected, timeout_s=90):
        """Until it has flows for all and no frame has missed for two seconds; what is measured before that is not it."""
        deadline = time.monotonic() + timeout_s
        last, calm = self.counts(), 0
        while time.monotonic() < deadline:
            time.sleep(1)
            now = self.counts()
            calm = calm + 1 if now[2] == last[2] and now[1] > last[1] and self.flows() >= expected * 0.95 else 0
            if calm == 2:
                return
            last = now
        raise BenchError(f"OVS is not warm after {timeout_s} s: {self.flows()} flows of {expected}, "
                         f"{last[2]} frames missed so far")

    def windows(self, count, seconds):
        """Frames per second in each window, and what was hit."""
        def window():
            before = self.counts()
            time.sleep(seconds)
            now = self.counts()
            frames = max(1, now[1] - before[1])
            return {"rate": frames / (now[0] - before[0]), "upcalls": now[2] - before[2],
                    "hits": {k: (now[3][k] - before[3][k]) / frames for k in now[3]}}
        got, said = undisturbed(Workers(self.process.pid, [self.cpu]), count, window)
        return [w["rate"] for w in got], {
            **said, "flows": self.flows(), "upcalls": sum(w["upcalls"] for w in got),
            "hits": {k: sum(w["hits"][k] for w in got) / count for k in got[0]["hits"]}}

    def close(self):
        """End both."""
        if hasattr(self, "process"):
            end_term(self.process)
        if hasattr(self, "db"):
            end_term(self.db)


def end_term(process):
    """OVS ends by SIGTERM."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
