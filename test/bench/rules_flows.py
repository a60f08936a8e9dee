# SPDX-License-Identifier: BSD-3-Clause
"""Access rules of a hub beside OpenFlow flows of OVS-DPDK: as many, the same frames, one polling core each.

Two net_pcap ports that play a file for ever (no NIC, no socket, no TLS; switch.py), 512 stations on each side that talk
to one partner each, from 32 ports: UDP in IPv4, 60 bytes. Ten rules are about ports, a thousand about stations, 32 768
about both, so that every frame meets one and all are met alike; the same about ports or stations that nobody has, so that
no frame meets any. OVS gets the same as flows with the NORMAL action above its own default flow, which says NORMAL, too.
"""

import random
import signal
import statistics
import struct
import tempfile
import time

from lab.bridges import write_pcap

from . import switch_files as files
from . import table
from .switch import terminated
from .switch_tools import MBUF_BYTES, Ovs, Patchbay, Testpmd, hugepages, pcap_devargs, tsc_hz, wait_for

STATIONS = 512  # of a side
PORTS = 32
PORT_FIRST = 1024  # a multiple of 32: OpenFlow has masks for ports, not ranges
FRAMES = STATIONS * PORTS  # of a file: each station from each port once
RULES = (10, 1000, 32768)
SIDES = (files.SIDE_A, files.SIDE_B)
MEMORY_MIB = 300 + 2 * FRAMES * MBUF_BYTES // 1048576


def frame(side, other, station, port):
    """A frame of a station to its partner."""
    data = files.frame(files.mac(other, station), files.mac(side, station), files.address(other, station),
                       files.address(side, station))
    return data[:36] + struct.pack(">H", port) + data[38:]


def play(folder):
    """The file of each side."""
    made = []
    for side, other in (SIDES, SIDES[::-1]):
        pairs = [(s, PORT_FIRST + p) for s in range(STATIONS) for p in range(PORTS)]
        random.Random(side).shuffle(pairs)
        made.append(write_pcap(f"{folder}/rules{side}.pcap", (frame(side, other, s, p) for s, p in pairs)))
    return made


def conditions(count, kind):
    """`count` rules: (source address, first port, how many); None and 0: any. Miss: what no frame has."""
    shift = 4096 if kind == "miss" else 0
    absent = 1 << 16 if kind == "miss" else 0
    if count == 10:
        # 32 ports among ten: six times four, four times two.
        sizes = [4] * 6 + [2] * 4
        return [(None, PORT_FIRST + shift + sum(sizes[:i]), size) for i, size in enumerate(sizes)]
    stations = [files.address(side, s + absent) for s in range(STATIONS) for side in SIDES]
    if count == 1000:
        return [(address, 0, 0) for address in stations[:count]]
    return [(address, PORT_FIRST + p + shift, 1) for p in range(PORTS) for address in stations][:count]


def dotted(address):
    """As people write it."""
    return ".".join(map(str, address))


def as_rules(some):
    """For `patchbayctl access replace`."""
    def text(number, rule):
        address, port, size = rule
        return (f"{{ priority = {number + 1}; protocol = 17;"
                + (f' source = "{dotted(address)}";' if address else "")
                + (f' destination_ports = "{port}-{port + size - 1}";' if size else "") + " }")
    return ",\n".join(text(n, r) for n, r in enumerate(some))


def as_flows(some):
    """For `ovs-ofctl add-flows`."""
    def text(number, rule):
        address, port, size = rule
        return (f"priority={60000 - number % 50000},udp" + (f",nw_src={dotted(address)}" if address else "")
                + (f",tp_dst={port:#x}/{0x10000 - size:#x}" if size else "") + ",actions=NORMAL")
    return "\n".join(text(n, r) for n, r in enumerate(some))


class Flows:
    """One run: both tools, all cases."""

    def __init__(self, args, progress, folder):
        self.args, self.folder = args, folder
        self.begun, self.say = time.monotonic(), progress
        self.files = play(folder)
        wanted = [int(n) for n in args.rules.split(",")]
        if not wanted or set(wanted) - set(RULES):
            raise SystemExit(f"--rules: should be some of {', '.join(map(str, RULES))}")
        self.cases = [(0, "none")] + [(n, kind) for n in RULES if n in wanted for kind in ("hit", "miss")] + [
            (0, "none again")]  # how far two figures of the same are apart
        self.hz = tsc_hz()

    def progress(self, text):
        """Where it is, and since when."""
        self.say(f"[{time.monotonic() - self.begun:3.0f} s] {text}")

    def devices(self):
        """Devargs of both ports."""
        return [pcap_devargs(f"net_pcap_{name}", [f]) for name, f in zip("ab", self.files)]

    def figure(self, rates):
        """Cycles a frame and Mpps of some windows."""
        middle = statistics.median(rates)
        return {"mpps": middle / 1e6, "cycles": self.hz / middle, "lowest": min(rates) / 1e6, "highest": max(rates) / 1e6}

    def io(self):
        """What the devices themselves cost."""
        with hugepages(MEMORY_MIB):
            tool = Testpmd(self.folder, self.devices(), "io", [self.args.cpu], 2 * FRAMES, False)
            try:
                return self.figure(tool.windows(self.args.windows, 1)[0])
            finally:
                tool.close()

    def patchbay(self):
        """{case: figure} of the hub."""
        got = {}
        with hugepages(MEMORY_MIB + 100):
            tool = Patchbay(self.folder, [self.args.cpu], MEMORY_MIB, 65536)
            try:
                for name, devargs in zip("ab", self.devices()):
                    tool.bridge(name, devargs)
                wait_for("all MACs known", lambda: tool.hub()["NumMacTables_u32"] >= 2 * STATIONS, 60)
                for count, kind in self.cases:
                    self.progress(f"Patchbay: {count} rules, {kind}")
                    got[f"{count} {kind}"] = self.patchbay_case(tool, conditions(count, kind) if count else [], kind)
            finally:
                tool.close()
        return got

    def patchbay_case(self, tool, some, kind):
        """One list; that it does what it should is seen in its counters."""
        path = f"{self.folder}/rules.list"
        with open(path, "w", encoding="utf-8") as f:
            f.write(as_rules(some))
        tool.ctl("access", "replace", tool.HUB, path)
        time.sleep(0.3)
        rates = []
        for _ in range(self.args.windows):
            first = tool.books()
            time.sleep(1)
            last = tool.books()
            rates.append((switched(last) - switched(first)) / (last[0] - first[0]))
        # Hits are read when nothing is measured: 32 768 rows.
        hits = [r["PatchbayHits_u64"] for r in tool.ctl("access", "list", tool.HUB)["AccessList"]] if some else []
        return {**self.figure(rates), "rules_hit": sum(h > 0 for h in hits), "rules": len(hits), "kind": kind}

    def ovs(self):
        """{case: figure} of OVS, once its upcalls have ceased."""
        got = {}
        with hugepages(1400):
            tool = Ovs(self.folder, self.args.cpu, 1200, 2 * STATIONS, {"emc-insert-inv-prob": 1})
            try:
                for name, devargs in zip("ab", self.devices()):
                    tool.port(name, devargs)
                for count, kind in self.cases:
                    self.progress(f"OVS-DPDK: {count} flows, {kind}")
                    self.ovs_flows(tool, conditions(count, kind) if count else [])
                    warm = tool.warm(0, 40)
                    rates, more = tool.windows(self.args.windows, 1)
                    got[f"{count} {kind}"] = {**self.figure(rates), "warm": warm, **more}
            finally:
                tool.close()
        return got

    def ovs_flows(self, tool, some):
        """These flows and the default one, no other."""
        path = f"{self.folder}/flows.list"
        with open(path, "w", encoding="utf-8") as f:
            f.write("delete\nadd priority=0,actions=NORMAL\n" + "".join(f"add {flow}\n" for flow in as_flows(some).splitlines()))
        # In one piece: one by one each would have all flows of the datapath looked at again, which takes minutes under traffic.
        tool.run("ovs-ofctl", "--bundle", "add-flows", f"unix:{tool.folder}/br0.mgmt", path)


def switched(books):
    """Frames so far that went to one port each."""
    return next(r for r in books[1]["StatsList"] if r["Level_str"] == "total")["Switched_u64"]


def show(got, cases):
    """One row a case: both tools, each beside its own first row."""
    rows = []
    for count, kind in cases:
        case = f"{count} {kind}"
        row = [f"{count:,} {kind}" if count else kind]
        for tool in ("patchbay", "ovs"):
            one = got.get(tool, {}).get(case)
            none = got.get(tool, {}).get("0 none")
            row += [f"{one['mpps']:.2f}", f"{one['cycles']:.0f}", f"{one['cycles'] - got['io']['cycles']:.0f}",
                    f"{one['cycles'] / none['cycles']:.2f}"] if one else ["-"] * 4
        both = [got[t][case]["mpps"] for t in ("patchbay", "ovs") if case in got.get(t, {})]
        rows.append(row + [f"{both[0] / both[1]:.1f}" if len(both) == 2 else "-"])
    print(f"\ntwo net_pcap ports, 60 bytes, 1024 stations; testpmd io: {got['io']['mpps']:.2f} Mpps, "
          f"{got['io']['cycles']:.0f} cycles/frame")
    table.show(["rules or flows", "Patchbay Mpps", "cycles", "above io", "x none", "OVS-DPDK Mpps", "cycles", "above io", "x none",
                "Patchbay/OVS"], rows)


def main(args, progress):
    """Measure, print, return everything."""
    # timeout(1) and kill too end the tools we started and give the hugepages back.
    signal.signal(signal.SIGTERM, terminated)
    with tempfile.TemporaryDirectory(prefix="pb-rules-") as folder:
        run = Flows(args, progress, folder)
        got = {"io": run.io(), "patchbay": run.patchbay()}
        if not args.no_ovs:
            got["ovs"] = run.ovs()
    show(got, run.cases)
    return got
