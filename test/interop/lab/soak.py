# SPDX-License-Identifier: BSD-3-Clause
"""Sessions under random ends of everything: connections, sessions, clients, the daemon.

Six sessions of our own client in random modes and a pair of stock clients live in one hub. Once in a while
one of them loses a connection (ours by FIN, RST or close_notify; those of stock clients are closed by the
server, wire.md 1.2), is deleted, stopped or killed, or the daemon ends. What must hold meanwhile and after it:

- no connection ends without somebody having ended it, none brings bytes that are not blocks, and each frame
  that arrives is one that was sent, whole;
- the books balance whenever they are asked for;
- the daemon ends with status 0, which under sanitizers means without a leak, and has reported nothing;
- in the end everybody reaches everybody, and (without sanitizers) the daemon has not grown.
"""

import collections
import contextlib
import os
import random
import re
import signal
import time
import zlib

from . import books, frames
from .netns import LabError, children, wait_for
from .topology import SERVER4
from .wireclient import Ended, LoginError, Session, connect

OWN = 6
PORT = 8888
MARK = b"soak"
REPORTS = re.compile(r"runtime error:|ERROR: \w*Sanitizer|SUMMARY: \w*Sanitizer|Assertion|PANIC")
GROWTH_KB = 32 * 1024
STORY = 80  # of what happened last, told when something did not hold


class Failed(AssertionError):
    """Something that must hold did not."""


class Own:
    """A session of our own client that is made anew whenever it is gone."""

    def __init__(self, soak, number):
        self.soak, self.number, self.mac = soak, number, frames.mac(number, 0x5A)
        self.session, self.wanted, self.sent, self.got = None, 1, 0, 0
        self.ours = set()  # links that we ended, or asked to be ended

    def login(self):
        """A new session with random modes."""
        pick = self.soak.random
        self.wanted = pick.choice((1, 1, 2, 3, 4))
        modes = {name: pick.getrandbits(1) for name in ("use_encrypt", "use_compress", "half_connection", "qos")}
        # Half of what a single connection cannot have would leave it deaf for good.
        modes["half_connection"] &= self.wanted > 1
        self.session = Session(self.soak.dial()).login("DEFAULT", "guest", max_connection=self.wanted, **modes)
        self.ours.clear()
        self.soak.count(f"login {' '.join(n for n, on in modes.items() if on) or 'plain'}",
                        f"{self}, {self.wanted} connections")

    def __str__(self):
        return f"own {self.number} ({self.session.name if self.session else 'nobody'})"

    def state(self):
        """Each link of ours, for people."""
        return f"{self}: wants {self.wanted}, sent {self.sent}, got {self.got}: " + "; ".join(
            f"{link.conn.sock.fileno()} direction {link.conn.direction}"
            f"{' ended by ' + str(link.conn.end) if link.conn.end else ''}{' error ' + repr(link.error) if link.error else ''}"
            f"{' (meant)' if link in self.ours else ''}" for link in self.session.links) if self.session else f"{self}"

    def links(self):
        """Those that are up."""
        return [link for link in self.session.links if not link.stopping.is_set() and not link.conn.end] \
            if self.session else []

    def check(self):
        """Whether all ends were meant, and everything that came is what somebody sent."""
        if not self.session:
            return
        for link in self.session.links:
            if link.error is not None and not isinstance(link.error, OSError):
                raise Failed(f"session {self.number}: {link.error!r}")
            if link.conn.end and link not in self.ours:
                raise Failed(f"session {self.number} ({self.session.name}): a connection ended by itself: "
                             f"{link.conn.end}, {link.error!r}")
        for frame in self.session.take_all():
            if frame[14:18] == MARK:
                if zlib.crc32(frame[:-4]) != int.from_bytes(frame[-4:], "big"):
                    raise Failed(f"session {self.number}: a frame of {len(frame)} bytes that nobody sent")
                self.got += 1
        self.session.links = [link for link in self.session.links if link.is_alive() or link not in self.ours]

    def grow(self):
        """Log in, or open one more connection if some are missing."""
        try:
            if not self.session:
                self.login()
            elif len(self.links()) < self.wanted:
                self.session.rejoin(self.soak.dial())
                self.soak.count("joined", str(self))
        except LoginError as e:
            self.soak.count(f"refused with {e.code}", str(self))
            # 15: the server has not heard of the end of one yet. 13: the session is gone.
            if e.code not in (13, 15):
                raise Failed(f"session {self.number}: error {e.code}") from e
            if e.code == 13:
                self.forget()

    def forget(self):
        """The session is over; what is left of it is ours."""
        if self.session:
            self.ours.update(self.session.links)
            for link in self.session.links:
                link.conn.close()
        self.session = None

    def lose(self):
        """A connection ends, one way or another."""
        if self.links():
            link = self.soak.random.choice(self.links())
            self.ours.add(link)
            how = self.soak.random.choice(("reset", "fin", "close_notify"))
            self.soak.count(how, f"{self}, direction {link.conn.direction}")
            if how == "reset":
                link.conn.reset()
            else:
                link.conn.close(notify=how == "close_notify")

    def talk(self):
        """Frames of all sizes to one of the others or to all."""
        target = self.soak.random.choice([frames.BROADCAST] + [own.mac for own in self.soak.own if own is not self])
        batch = []
        for _ in range(self.soak.random.randint(1, 40)):
            self.sent += 1
            body = MARK + self.sent.to_bytes(8, "big") + bytes(self.soak.random.randint(0, 1480))
            frame = target + self.mac + b"\x88\xb5" + body
            batch.append(frame + zlib.crc32(frame).to_bytes(4, "big"))
        if any(link.conn.direction != 1 for link in self.links()):
            self.session.send(*batch)


class Soak:
    """Run it: Soak(lab, seconds, seed).run()"""

    def __init__(self, lab, seconds, seed, say=print, kill=False):
        self.lab, self.seconds, self.seed, self.say, self.kill = lab, seconds, seed, say, kill
        self.random = random.Random(seed)
        self.own = []
        self.stock = []
        self.counts = {}
        self.story = collections.deque(maxlen=STORY)
        self.began = 0.0

    def count(self, what, to=""):
        """Something happened."""
        self.counts[what] = self.counts.get(what, 0) + 1
        self.story.append(f"{time.monotonic() - self.began:8.3f} s  {what} {to}")

    def tell(self):
        """What happened last, and where everybody stands."""
        self.say(f"seed {self.seed}; the last things that happened before {time.monotonic() - self.began:.3f} s:")
        for line in self.story:
            self.say(line)
        for own in self.own:
            self.say(own.state())

    def dial(self):
        """TCP and TLS to the server."""
        return connect(self.lab.nodes["wire"], SERVER4, PORT)

    def start(self):
        """Clients and sessions, on a server that runs."""
        self.stock = [self.lab.client(name, f"192.168.50.{k}") for k, name in enumerate(("a", "b"), 1)]
        for k, client in enumerate(self.stock):
            client.join(SERVER4, PORT, "DEFAULT", "guest", connections=4, compress=bool(k), encrypt=not k)
        self.own = [Own(self, number) for number in range(OWN)]
        for own in self.own:
            own.grow()

    # ---- what may happen ----

    def stock_connection(self):
        """An administrator closes a connection of a stock client."""
        names = {c.session_name() for c in self.stock}
        mine = [c["name"] for c in self.lab.server.connections() if c["session"] in names]
        name = self.random.choice(mine) if mine else None
        if mine and self.lab.server.ctl_run("connection", "close", name).returncode == 0:
            self.count("stock connection closed", name)

    def delete(self):
        """An administrator deletes a session, whosever."""
        names = [s["name"] for s in self.lab.server.sessions("DEFAULT")]
        if not names:
            return
        name = self.random.choice(names)
        for own in self.own:
            if own.session and own.session.name == name:
                own.ours.update(own.session.links)
        try:
            self.lab.server.delete_session("DEFAULT", name)
            self.count("session deleted", name)
        except LabError:
            pass  # it ended meanwhile

    def stop_client(self):
        """A stock client stands still for a second."""
        client = self.random.choice(self.stock)
        self.count("stock client stopped", client.node.name)
        pids = [client.process.pid, *children(client.process.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(1)
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)

    def kill_client(self):
        """A stock client is killed and begins anew."""
        client = self.random.choice(self.stock)
        self.count("stock client killed", client.node.name)
        client.kill()
        client.account = None
        client.start()
        with contextlib.suppress(LabError):  # killed before it had written it down
            client.control("AccountDelete lab")
        client.join(SERVER4, PORT, "DEFAULT", "guest", connections=3)

    def restart(self):
        """The daemon ends and begins anew; the stock clients find back by themselves."""
        for own in self.own:
            if own.session:
                own.ours.update(own.session.links)
        if self.kill and self.random.random() < 0.3:
            self.lab.server.kill()
            self.count("daemon killed")
        else:
            self.end_daemon()
            self.count("daemon ended")
        for own in self.own:
            own.forget()
        self.lab.server.start(60)
        self.meet()

    # ---- what must hold ----

    def end_daemon(self):
        """An orderly end. Under sanitizers it takes its time."""
        status = self.lab.server.stop(60)
        self.reports()
        if status != 0:
            raise Failed(f"the daemon ended with {status}")

    def reports(self):
        """Nothing in the daemon's output that a sanitizer or an assertion wrote."""
        found = REPORTS.search(self.lab.server.log())
        if found:
            raise Failed(f"the daemon's log has {found[0]!r}")

    def meet(self):
        """The stock clients reach each other."""
        a, b = self.stock
        wait_for("the stock clients to meet", lambda: a.reaches(b.address), 180, 0.5)

    def check(self):
        """Between any two steps."""
        if self.lab.server.process.poll() is not None:
            raise Failed(f"the daemon ended with {self.lab.server.process.poll()}")
        for own in self.own:
            own.check()

    def everybody(self):
        """All sessions complete, and a broadcast of each reaches all others."""
        for own in self.own:
            wait_for("all connections", lambda own=own: self.complete(own), 120, 0.1)
        for own in self.own:
            sent = frames.frame(frames.BROADCAST, own.mac, 200)
            deaf = [other for other in self.own if other is not own]
            # Said again each second: what was sent to all before may have used up what the storm limiter allows.
            for _ in range(20):
                own.session.send(sent)
                deaf = [other for other in deaf if not other.session.wait_frame(lambda f, sent=sent: f == sent, 1)]
                if not deaf:
                    break
            if deaf:
                raise Failed(f"{', '.join(map(str, deaf))} do not hear {own}")
        self.meet()

    def complete(self, own):
        """Whether one has all its connections; opens one if not."""
        try:
            own.grow()
        except (OSError, Ended) as e:
            # As in step(): it was begun while something ended.
            self.count(type(e).__name__, str(own))
        own.check()
        return own.session and len(own.links()) >= own.wanted

    def memory_kb(self):
        """Resident memory of the daemon."""
        with open(f"/proc/{self.lab.server.process.pid}/status", encoding="ascii") as f:
            return int(re.search(r"VmRSS:\s+(\d+)", f.read())[1])

    # ---- the run ----

    def step(self):
        """One thing happens to somebody."""
        own = self.random.choice(self.own)
        events = [(60, own.talk), (16, own.grow), (8, own.lose), (1, self.delete), (2, self.stock_connection),
                  (0.15, self.stop_client), (0.1, self.kill_client)]
        try:
            self.random.choices([e for _, e in events], [w for w, _ in events])[0]()
        except (OSError, Ended) as e:
            # A connection that we use while it ends, or that is refused in the middle of its negotiation.
            self.count(type(e).__name__, str(own))

    def run(self, restart_every_s=30):
        """The whole of it; Failed or LabError if something did not hold, and the story of it is told."""
        self.began = time.monotonic()
        try:
            return self.live(restart_every_s)
        except Exception:
            self.tell()
            raise

    def live(self, restart_every_s):
        """From the first login to the last."""
        self.start()
        self.meet()
        restart_at = self.began + min(restart_every_s, self.seconds / 2)
        warm_kb = told = 0
        while (now := time.monotonic()) < self.began + self.seconds:
            self.step()
            self.check()
            if now >= restart_at:
                books.check(self.lab.server, 60)
                self.restart()
                restart_at = time.monotonic() + restart_every_s
                warm_kb = 0
            elif not warm_kb and now > restart_at - restart_every_s / 2:
                warm_kb = self.memory_kb()
            if now - told > 10:
                told = now
                self.say(f"{now - self.began:5.0f} s  {sum(own.got for own in self.own)} frames, {self.memory_kb()} kB, "
                         + ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items()) if "login" not in what))
        self.everybody()
        books.check(self.lab.server, 60)
        grown = self.memory_kb() - (warm_kb or self.memory_kb())
        for client in self.stock:
            client.leave()
        for own in self.own:
            own.forget()
        self.end_daemon()
        if sum(own.got for own in self.own) < 100:
            raise Failed(f"next to nothing arrived: {[own.got for own in self.own]}")
        self.say(f"done: {sum(own.sent for own in self.own)} frames sent, {sum(own.got for own in self.own)} arrived; "
                 + ", ".join(f"{n} {what}" for what, n in sorted(self.counts.items())))
        return grown
