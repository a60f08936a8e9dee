# SPDX-License-Identifier: BSD-3-Clause
"""Patchbay's hub between two polled devices, beside testpmd and OVS-DPDK: the same files, one worker core.

The generator is net_pcap with infinite_rx=1 on two ports: frames of 60 bytes that a core finds in its memory,
so that no NIC is needed; what the generator itself costs is what testpmd costs in io mode on the same files, and
"above io" is what a switch adds. Everything runs in one go and in turns on the same CPU, which should be
isolated and has to be idle; on a machine with other tenants only the ratios mean something.

Parts: table (16 to 1 048 576 MACs), verify (stamped frames, each once, in order, on the right port), scaling
(two workers, and the hop over the ring between them), flood (cost of a copy), storm (learning under a storm of
invented addresses), admins (what a hundred administrators cost a frame). With --pci the devices are two NICs with a generator behind them, which sends what
test/bench/switch_files.py describes; then only the table is measured.
"""

import collections
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from lab.bridges import write_pcap

from . import switch_admins as admins
from . import switch_files as files
from . import table
from .switch_tools import (MBUF_BYTES, OVS, BenchError, Ovs, Patchbay, Testpmd, Workers, hugepages, pcap_devargs, tsc_hz,
                           undisturbed, wait_for)

MACS = (16, 1024, 16384, 131072, 1048576)
OVS_MACS = 16384
PARTS = ("table", "verify", "scaling", "flood", "storm", "admins")
BASE_MIB = 300
SETTLE_S = 60
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python does not name it


def add_arguments(parser):
    """Options of this benchmark."""
    parser.add_argument("--parts", default=",".join(PARTS), help="some of " + ", ".join(PARTS))
    parser.add_argument("--macs", default=",".join(map(str, MACS)), help="stations on each side, one frame each")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="windows per figure; median and spread (3)")
    parser.add_argument("--seconds", type=int, default=2, metavar="S", help="length of a window (2)")
    parser.add_argument("--cpu", type=int, default=1, metavar="N", help="CPU of the worker (1)")
    parser.add_argument("--second-cpu", type=int, default=0, metavar="N", help="of the second one, for scaling (0)")
    parser.add_argument("--pci", default="", metavar="A,B", help="two PCI addresses instead of net_pcap")
    parser.add_argument("--no-ovs", action="store_true", help="leave OVS-DPDK out")


class Bench:
    """One run: options, folder, results."""

    def __init__(self, args, progress, folder):
        self.args, self.progress, self.folder = args, progress, folder
        self.hz = tsc_hz()
        self.pci = args.pci
        self.conversations = {}

    def conversation(self, macs, parts=1):
        """Files of a conversation, made once."""
        key = macs, parts
        if key not in self.conversations:
            self.conversations[key] = files.conversation(self.folder, macs, parts)
        return self.conversations[key]

    def devices(self, macs, parts=1):
        """Devargs of both ports."""
        if self.pci:
            return self.pci
        return [pcap_devargs(f"net_pcap_{name}", some) for name, some in zip("ab", self.conversation(macs, parts))]

    def memory(self, macs):
        """MiB a tool needs for the frames of both files, and more."""
        return BASE_MIB + 2 * macs * MBUF_BYTES // 1048576

    def figure(self, rates, more=None):
        """Median, spread and cycles of some windows."""
        middle = statistics.median(rates)
        return {"mpps": middle / 1e6, "lowest": min(rates) / 1e6, "highest": max(rates) / 1e6,
                "cycles": self.hz / middle, **(more or {})}

    # ---- one tool, one row ----

    def testpmd(self, macs, mode, cpus, parts=1):
        """A figure of testpmd."""
        with hugepages(self.memory(macs)):
            tool = Testpmd(self.folder, self.devices(macs, parts), mode, cpus, 2 * macs, bool(self.pci))
            try:
                return self.figure(*tool.windows(self.args.rounds, self.args.seconds))
            finally:
                tool.close()

    def patchbay(self, macs, cpus, parts=1):
        """A figure of the hub: every frame switched to one port, none flooded or dropped."""
        with hugepages(self.memory(macs) + 100):
            tool = Patchbay(self.folder, cpus, self.memory(macs), max(65536, 4 * macs), bool(self.pci))
            try:
                for name, devargs in zip("ab", self.devices(macs, parts)):
                    tool.bridge(name, devargs)
                try:
                    wait_for("all MACs known and nothing flooded", lambda: settled(tool, 2 * macs), SETTLE_S)
                except BenchError as e:
                    raise BenchError(f"{e}{state(tool)}") from e
                return self.figure(*switched(tool, self.args.rounds, self.args.seconds))
            finally:
                tool.close()

    def ovs(self, macs, settings):
        """A figure of OVS when its upcalls have ceased."""
        # Its pool of 262 144 buffers of 3 KiB, or half of it.
        with hugepages(1400):
            tool = None
            try:
                tool = Ovs(self.folder, self.args.cpu, 1200, macs, settings)
                for name, devargs in zip("ab", self.devices(macs)):
                    tool.port(name, devargs)
                tool.warm(0 if self.pci else 2 * macs)
                rates, more = tool.windows(self.args.rounds, self.args.seconds)
                return self.figure(rates, {"settings": settings, **more})
            finally:
                if tool is not None:
                    tool.close()

    # ---- parts ----

    def table(self):
        """All tools on the same files."""
        rows = {}
        for macs in map(int, self.args.macs.split(",")):
            row = rows[macs] = {}
            self.progress(f"{macs} MACs: testpmd io")
            row["io"] = self.testpmd(macs, "io", [self.args.cpu])
            self.progress(f"{macs} MACs: Patchbay")
            row["patchbay"] = self.patchbay(macs, [self.args.cpu])
            if macs <= OVS_MACS and not self.args.no_ovs:
                for settings in ({"emc-insert-inv-prob": 1}, {"emc-insert-inv-prob": 0, "smc-enable": "true"}):
                    self.progress(f"{macs} MACs: OVS-DPDK with {settings}")
                    got = self.ovs(macs, settings)
                    if got["mpps"] > row.get("ovs", {"mpps": 0})["mpps"]:
                        row["ovs"] = got
            self.progress(f"{macs} MACs: testpmd macswap")
            row["macswap"] = self.testpmd(macs, "macswap", [self.args.cpu])
            for name in row:
                row[name]["above_io"] = row[name]["cycles"] - row["io"]["cycles"]
        return rows

    def verify(self):
        """Stamped frames between three stations' ports, at a rate at which nothing may be lost."""
        self.progress("verify: stamped frames")
        return verify(self)

    def scaling(self):
        """Two workers with two queues a port beside testpmd, and with one queue a port: the ring hop."""
        macs, one, two = 1024, [self.args.cpu], [self.args.second_cpu, self.args.cpu]
        got = {}
        for name, run in (("io 1", lambda: self.testpmd(macs, "io", one, 1)),
                          ("io 2", lambda: self.testpmd(macs, "io", two, 2)),
                          ("patchbay 1", lambda: self.patchbay(macs, one, 2)),
                          ("patchbay 2", lambda: self.patchbay(macs, two, 2)),
                          ("patchbay ring hop", lambda: self.patchbay(macs, two, 1))):
            self.progress(f"scaling: {name}")
            got[name] = run()
        got["scaling"] = {"io": got["io 2"]["mpps"] / got["io 1"]["mpps"],
                          "patchbay": got["patchbay 2"]["mpps"] / got["patchbay 1"]["mpps"]}
        return got

    def flood(self):
        """One broadcast source to 2, 16 and 31 devices that only take references (Debian's DPDK has 32), and to TAPs."""
        source = write_pcap(f"{self.folder}/broadcast.pcap", (files.frame(
            files.BROADCAST, files.mac(files.SIDE_A, 0), b"\xff" * 4, files.address(files.SIDE_A, 0), i) for i in range(1024)))
        rows = []
        for kind, count in (("ring", 2), ("ring", 16), ("ring", 31), ("tap", 2), ("tap", 16), ("tap", 128)):
            self.progress(f"flood: {count} {kind} ports")
            memory = BASE_MIB + 8 * count
            with hugepages(memory + 100):
                tool = Patchbay(self.folder, [self.args.cpu], memory, 1024)
                try:
                    for i in range(count):
                        tool.bridge(f"{kind}{i}", f"net_null{i},no-rx=1" if kind == "ring" else f"pbb{i}", kind == "tap")
                    tool.bridge("source", pcap_devargs("net_pcap_s", [source]))
                    time.sleep(1)
                    rates, more = copied(tool, self.args.rounds, self.args.seconds)
                    rows.append({"kind": kind, "ports": count, **self.figure(rates), **more})
                    if more["copies_per_frame"] < count * 0.999 and kind == "ring":
                        raise BenchError(f"flood to {count}: {more['copies_per_frame']} copies of a frame")
                finally:
                    tool.close()
        return rows

    def storm(self):
        """
        Port b talks to stations that port c has announced, at full rate; port a sends to stations of b, in one
        run from known stations and in the other each frame from an invented one.
        """
        known, frames, bound, got = 1024, 524288, 65536, {}
        quiet = files.announcements(f"{self.folder}/c.pcap", files.SIDE_C, known, 512)
        traffic = write_pcap(f"{self.folder}/storm_b.pcap", files.between(
            files.SIDE_B, files.SIDE_C, ((i, (i * 7) % known) for i in range(known))))
        sources = {"known": write_pcap(f"{self.folder}/storm_known.pcap", files.between(
            files.SIDE_A, files.SIDE_B, ((i * 13 % known, i * 5 % known) for i in range(frames)))),
                   "storm": files.storm(f"{self.folder}/storm_a.pcap", frames, files.SIDE_B, known)}
        memory = self.memory(frames)
        for name, source in sources.items():
            self.progress(f"storm: {name} addresses on the first port")
            with hugepages(memory + 100):
                tool = Patchbay(self.folder, [self.args.cpu], memory, bound)
                try:
                    tool.bridge("b", pcap_devargs("net_pcap_b", [traffic]))
                    tool.bridge("c", f"net_pcap_c,rx_pcap={quiet},tx_pcap=/dev/null")
                    wait_for("announcements", lambda t=tool: t.hub()["NumMacTables_u32"] >= 2 * known, 20)
                    tool.bridge("a", pcap_devargs("net_pcap_a", [source]))
                    time.sleep(2)
                    got[name] = self.stormed(tool)
                finally:
                    tool.close()
        got["kept"] = got["storm"]["mpps"] / got["known"]["mpps"]
        return got

    def admins(self):
        """A hundred administrators beside frames at full rate."""
        with hugepages(self.memory(1024) + 100):
            tool = Patchbay(self.folder, [self.args.cpu], self.memory(1024), 65536)
            try:
                for name, devargs in zip("ab", self.devices(1024)):
                    tool.bridge(name, devargs)
                wait_for("all MACs known and nothing flooded", lambda: settled(tool, 2048), SETTLE_S)
                return admins.measure(tool, self.progress)
            finally:
                tool.close()

    def stormed(self, tool):
        """Rate of port b alone, and what became of all."""
        entries = [0]
        def window():
            before = time.monotonic(), tool.bridges()["b"]["Patchbay.Recv.UnicastCount_u64"]
            until = before[0] + self.args.seconds
            while time.monotonic() < until:
                entries.append(tool.hub()["NumMacTables_u32"])
                time.sleep(0.1)
            after = time.monotonic(), tool.bridges()["b"]["Patchbay.Recv.UnicastCount_u64"]
            return (after[1] - before[1]) / (after[0] - before[0])
        began, first = tool.books()
        rates, said = undisturbed(Workers(tool.process.pid, tool.cpus), self.args.rounds, window)
        ended, last = tool.books()
        delta = difference(first, last)
        hub = tool.hub()
        return {**self.figure(rates), "all_mpps": delta["In_u64"] / (ended - began) / 1e6, **said,
                "flooded": delta["Flooded_u64"], "dropped": drops(delta), "most_entries": max(entries),
                "bound": hub["PatchbayMaxMacTables_u32"], "learned": hub["PatchbayMacLearned_u64"],
                "evicted": hub["PatchbayMacEvicted_u64"], "refused": hub["PatchbayMacNotLearnedFull_u64"],
                "rationed": hub["PatchbayMacNotLearnedRationed_u64"]}


# ---- reading Patchbay's books ----

def total(stats):
    """The record of everything."""
    return next(r for r in stats["StatsList"] if r["Level_str"] == "total")


def difference(first, last):
    """What was counted in between."""
    a, b = total(first), total(last)
    return {k: b[k] - a[k] for k in b if isinstance(b[k], int) and not isinstance(b[k], bool)}


def drops(delta):
    """Reasons and numbers of what was dropped."""
    return {k: n for k, n in delta.items() if "Drop" in k and n}


def state(tool):
    """What the hub's books say, without the zeros: for an error's text."""
    books = {**{k: v for k, v in tool.hub().items() if "Mac" in k}, **total(tool.books()[1])}
    return ", ".join(f"{k} {v}" for k, v in books.items() if v and isinstance(v, int))


def settled(tool, macs):
    """All known, and nothing flooded for a while."""
    if tool.hub()["NumMacTables_u32"] < macs:
        return False
    first = tool.books()[1]
    time.sleep(0.3)
    return difference(first, tool.books()[1])["Flooded_u64"] == 0


def switched(tool, rounds, seconds):
    """Frames per second that went to one port each; complains if anything else became of one."""
    start = tool.books()
    rates, said = undisturbed(Workers(tool.process.pid, tool.cpus), rounds, lambda: rate(tool, seconds, "Switched_u64"))
    delta = difference(start[1], tool.books()[1])
    if delta["Flooded_u64"]:
        raise BenchError(f"{delta['Flooded_u64']} of {delta['In_u64']} frames were flooded")
    return rates, {"dropped": drops(delta), **said}


def rate(tool, seconds, what):
    """How many a second of what the books count."""
    last = tool.books()
    time.sleep(seconds)
    now = tool.books()
    return difference(last[1], now[1])[what] / (now[0] - last[0])


def copied(tool, rounds, seconds):
    """Copies per second of flooded frames."""
    start = tool.books()
    rates, said = undisturbed(Workers(tool.process.pid, tool.cpus), rounds, lambda: rate(tool, seconds, "Copies_u64"))
    delta = difference(start[1], tool.books()[1])
    return rates, {"copies_per_frame": delta["Copies_u64"] / max(1, delta["Flooded_u64"]), "dropped": drops(delta),
                   **said}


# ---- verification ----

class Cable:
    """A veth: one end is bridged through net_af_packet, at the other we send and listen."""

    def __init__(self, n):
        self.bridged, self.ours = f"pbv{n}", f"pbw{n}"
        # What a run that was killed has left.
        subprocess.run(["ip", "link", "del", self.bridged], check=False, capture_output=True)
        ip("link", "add", self.bridged, "type", "veth", "peer", "name", self.ours)
        for name in (self.bridged, self.ours):
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6").write_text("1", encoding="ascii")
            ip("link", "set", name, "up")
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0800))
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        self.socket.bind((self.ours, 0))
        self.socket.setblocking(False)
        self.got = []

    def drain(self):
        """Takes what has arrived (a packet socket also sees what we send)."""
        while True:
            try:
                data, meta = self.socket.recvfrom(2048)
            except BlockingIOError:
                return
            if meta[2] != socket.PACKET_OUTGOING:
                self.got.append(data[:files.FRAME_BYTES])

    def close(self):
        """Gone with both ends."""
        self.socket.close()
        subprocess.run(["ip", "link", "del", self.bridged], check=False, capture_output=True)


def ip(*argv):
    """The command."""
    subprocess.run(["ip", *argv], check=True)


def announce(tool, cables, stations):
    """Each station says where it is, again if it has to: whose only frame comes while the table grows is not learned."""
    for _ in range(5):
        for n, cable in enumerate(cables):
            for s in range(stations):
                cable.socket.send(files.frame(files.BROADCAST, files.mac(n, s), b"\xff" * 4, files.address(n, s)))
                time.sleep(0.0002)
        time.sleep(0.5)
        if tool.hub()["NumMacTables_u32"] == len(cables) * stations:
            return
    raise BenchError(f"not every station is known: {state(tool)}")


def verify(bench, ports=4, stations=256, count=40000):
    """Every station sends to stations of the other ports; each frame bears its number."""
    cables = []
    with hugepages(BASE_MIB + 100):
        tool = Patchbay(bench.folder, [bench.args.cpu], BASE_MIB, 65536)
        try:
            for n in range(ports):
                cables.append(Cable(n))
                tool.bridge(f"v{n}", f"net_af_packet{n},iface={cables[n].bridged}")
            announce(tool, cables, stations)
            time.sleep(0.5)
            for cable in cables:
                cable.drain()
                cable.got.clear()
            expected = collections.defaultdict(list)
            for i in range(1, count + 1):
                source, target = i % ports, (i % ports + 1 + i // ports % (ports - 1)) % ports
                cables[source].socket.send(files.frame(
                    files.mac(target, i * 31 % stations), files.mac(source, i * 17 % stations),
                    files.address(target, i * 31 % stations), files.address(source, i * 17 % stations), i))
                expected[source, target].append(i)
                if i % 16 == 0:
                    time.sleep(0.001)
                    for cable in cables:
                        cable.drain()
            time.sleep(1)
            wrong = lost = 0
            for target, cable in enumerate(cables):
                cable.drain()
                seen = collections.defaultdict(list)
                for data in cable.got:
                    seen[data[7], target].append(files.stamp_of(data))
                for source in range(ports):
                    if source == target:
                        wrong += len(seen[source, target])
                        continue
                    got, want = seen[source, target], expected[source, target]
                    lost += len(want) - len(got)
                    wrong += sum(1 for a, b in zip(got, want) if a != b) + max(0, len(got) - len(want))
            return {"frames": count, "misdelivered": wrong, "lost": lost}
        finally:
            tool.close()
            for cable in cables:
                cable.close()


# ---- tables for people ----

def mark(ok):
    """A target reached or not."""
    return "reached" if ok else "NOT reached"


def disturbed(figure):
    """Whether its worker did not have its CPU, or others were busy beside it, also when windows were taken again."""
    cpu, others = figure.get("cpu", 1), figure.get("others", 0)
    return (f" DISTURBED: had {cpu:.0%} of its CPU" if cpu < Workers.WHOLE else "") + \
        (f" others busy {others:.0%}" if others > Workers.CALM else "")


def show_table(rows):
    """Mpps, cycles, cycles above io, ratios."""
    out = []
    for macs, row in rows.items():
        for name in ("io", "macswap", "patchbay", "ovs"):
            if name in row:
                r = row[name]
                note = f"{r['flows']} flows, hits {', '.join(f'{k} {v:.0%}' for k, v in r['hits'].items())}, " \
                    f"{r['upcalls']} upcalls" if "flows" in r else ""
                note += disturbed(r)
                out.append((f"{macs} {name}", f"{r['mpps']:.1f}", f"{r['lowest']:.1f}-{r['highest']:.1f}",
                            f"{r['cycles']:.0f}", f"{r['above_io']:.0f}", note))
    table.show(("MACs a side", "Mpps", "spread", "cycles", "above io", ""), out)
    for macs, wanted in ((1024, 2), (16384, 4)):
        if macs in rows and "ovs" in rows[macs]:
            ratio = rows[macs]["patchbay"]["mpps"] / rows[macs]["ovs"]["mpps"]
            print(f"Patchbay / OVS-DPDK at {macs}: {ratio:.2f} (wanted {wanted}: {mark(ratio >= wanted)})")
    for macs, wanted in ((16384, 1.3), (1048576, 3)):
        if macs in rows and 1024 in rows:
            ratio = rows[macs]["patchbay"]["above_io"] / rows[1024]["patchbay"]["above_io"]
            print(f"cycles above io at {macs} / at 1024: {ratio:.2f} (wanted at most {wanted}: {mark(ratio <= wanted)})")


def show(result):
    """Everything that was measured."""
    if "table" in result:
        show_table(result["table"])
    if "verify" in result:
        v = result["verify"]
        print(f"\n{v['frames']} stamped frames: {v['misdelivered']} misdelivered, {v['lost']} lost")
    if "scaling" in result:
        s = result["scaling"]
        print()
        table.show(("two workers", "Mpps", "spread", "cycles a core", ""), [
            (name, f"{r['mpps']:.1f}", f"{r['lowest']:.1f}-{r['highest']:.1f}",
             f"{r['cycles'] * (1 if name.endswith('1') else 2):.0f}", disturbed(r)) for name, r in s.items() if name != "scaling"])
        ratio = s["scaling"]["patchbay"] / s["scaling"]["io"]
        print(f"one core to two: testpmd io x{s['scaling']['io']:.2f}, Patchbay x{s['scaling']['patchbay']:.2f}; "
              f"of it {ratio:.2f} (wanted 0.9: {mark(ratio >= 0.9)})")
    if "flood" in result:
        print()
        table.show(("flood to", "copies/s (M)", "cycles a copy", "copies a frame", ""), [
            (f"{r['ports']} {r['kind']}", f"{r['mpps']:.1f}", f"{r['cycles']:.0f}", f"{r['copies_per_frame']:.1f}",
             disturbed(r))
            for r in result["flood"]])
    if "storm" in result:
        s = result["storm"]
        print()
        table.show(("known traffic beside", "Mpps", "all Mpps", "flooded", "dropped", "entries", "bound", "given way", "refused",
                    "not tried", ""), [
            (name, f"{s[name]['mpps']:.1f}", f"{s[name]['all_mpps']:.1f}", s[name]["flooded"],
             sum(s[name]["dropped"].values()), s[name]["most_entries"], s[name]["bound"], s[name]["evicted"],
             s[name]["refused"], s[name]["rationed"], disturbed(s[name])) for name in ("known", "storm")])
        print(f"kept under the storm: {s['kept']:.0%} (wanted 70 %: {mark(s['kept'] >= 0.7)})")
    if "admins" in result:
        a = result["admins"]
        print()
        table.show(("beside the worker", "cycles a frame", "median", "dropped"), admins.rows(a))
        print(f"{a['calls']} calls, {a['changes']} changes; against alone {a['ratio']:.3f} (wanted 1.05: {mark(a['ratio'] <= 1.05)}), "
              f"against any neighbour {a['to_computing']:.3f}")


def terminated(*_):
    """Ends in order; timeout(1) sends its signal twice, and the second may not disturb that."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(143)


PCI = pathlib.Path("/sys/bus/pci/devices")
PCI_DRIVERS = ("vfio-pci", "igb_uio", "uio_pci_generic", "mlx4_core", "mlx5_core")  # mlx: DPDK works beside the kernel's


def pci_addresses(text):
    """Two addresses of cards that DPDK can have, in full; [] for none. SystemExit says what is wrong with them."""
    found = [p if p.count(":") == 2 else f"0000:{p}" for p in text.split(",") if p]
    if not found:
        return []
    for address in found:
        if not re.fullmatch(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7]", address):
            raise SystemExit(f"--pci: {address} is no PCI address such as 0000:03:00.0")
        if not (PCI / address).exists():
            raise SystemExit(f"--pci: there is no device {address}; scripts/bind lists what there is")
        driver = (PCI / address / "driver").resolve().name if (PCI / address / "driver").exists() else "no driver"
        if driver not in PCI_DRIVERS:
            raise SystemExit(f"--pci: {address} belongs to {driver}; scripts/bind {address} gives it to DPDK")
    if len(set(found)) != 2:
        raise SystemExit("--pci: two different addresses, A,B: the hub is bridged to both")
    return found


def main(args, progress):
    """Run the parts and print them."""
    parts = [p for p in args.parts.split(",") if p]
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"--parts: {', '.join(unknown)}? Known are {', '.join(PARTS)}.")
    args.pci = pci_addresses(args.pci)
    if args.pci and parts != ["table"]:
        progress("--pci: of the parts only the table is measured")
        parts = ["table"]
    if not pathlib.Path(OVS).exists() and not args.no_ovs:
        raise SystemExit(f"{OVS} is missing: apt-get install openvswitch-switch-dpdk, or --no-ovs")
    # timeout(1) and kill too end the tools we started and give the hugepages back.
    signal.signal(signal.SIGTERM, terminated)
    folder = tempfile.mkdtemp(prefix="patchbay-switch.")
    try:
        bench = Bench(args, progress, folder)
        result, failed = {"machine": machine(bench.hz)}, {}
        for part in parts:
            try:
                result[part] = getattr(bench, part)()
            except (BenchError, OSError, subprocess.SubprocessError) as e:
                failed[part] = str(e)
                progress(f"{part} FAILED: {e}")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print(f"{time.strftime('%Y-%m-%d')}, {result['machine']['cpu']}, {result['machine']['cpus']} CPUs, "
          f"TSC {bench.hz / 1e9:.2f} GHz, Linux {result['machine']['kernel']}")
    show(result)
    if "verify" in result and (result["verify"]["misdelivered"] or result["verify"]["lost"]):
        failed["verify"] = "frames misdelivered or lost, see above"
    for part, why in failed.items():
        print(f"\nFAILED: {part}: {why}")
    if failed:
        result["failed"] = failed
    return result


def machine(hz):
    """What it was measured on."""
    text = pathlib.Path("/proc/cpuinfo").read_text(encoding="ascii")
    return {"cpu": text.partition("model name\t: ")[2].partition("\n")[0], "cpus": os.cpu_count(), "tsc_hz": hz,
            "kernel": os.uname().release, "date": time.strftime("%Y-%m-%dT%H:%M:%S")}
