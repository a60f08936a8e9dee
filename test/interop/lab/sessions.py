# SPDX-License-Identifier: BSD-3-Clause
"""Sessions of our own client that send frames to each other, where it matters on which worker they sit."""

import contextlib
import itertools

from . import frames
from .netns import LabError
from .server import Hub, User
from .topology import SERVER4
from .wireclient import Session, connect

BRIDGE = {"require_bridge_routing_mode": 1}
GROUPS = itertools.count(0x40)


def fresh_macs():
    """mac(n): addresses that no other test uses."""
    group = next(GROUPS) % 256
    return lambda n: frames.mac(n, group)


def two_users(make_lab, workers):
    """A running lab whose hub has alice and bob."""
    lab = make_lab(hubs=[Hub("DEFAULT", [User("alice", "pw"), User("bob", "pw")])],
                   settings={"lcores": {"workers": workers}})
    lab.server.start()
    return lab


def alice_and_bob(lab):
    """A session of each, in bridge/router mode."""
    return [Session(connect(lab.nodes["wire"], SERVER4, 8888)).login("DEFAULT", user, "pw", **BRIDGE).wait_ready()
            for user in ("alice", "bob")]


def go_round(one, other, src, count=24):
    """Frames that come back where they did not come from."""
    for n in range(count):
        sent = frames.flood(src, n, 100)
        one.send(sent)
        if not other.wait_frame(lambda f, sent=sent: f == sent, 0.5):
            return  # the port is blocked
        other.send(sent)


class Sessions:
    """Sessions of one test. Where the server has several workers, the second sits on another one than the first."""

    def __init__(self, lab):
        self.lab, self.made = lab, []

    def _log_in(self, hub, user, password, node, host, options):
        session = Session(connect(self.lab.nodes[node], host, 8888))
        return session.login(hub, user, password, **options)

    def lcore(self, session, hub):
        """Worker of a session."""
        return {s["name"]: s["lcore"] for s in self.lab.server.sessions(hub)}[session.name]

    def join(self, user="guest", hub="DEFAULT", *, password="pw", node="wire", host=SERVER4, **options):
        """A session in bridge/router mode, unless `options` of the login say what else."""
        spare = []
        options = options or BRIDGE
        session = self._log_in(hub, user, password, node, host, options)
        if len(self.made) == 1 and getattr(self.lab, "workers", 1) > 1:
            first = self.lcore(*self.made[0])
            # Who comes to the worker with fewest sessions: one more, and it is the other one's turn.
            while self.lcore(session, hub) == first:
                assert len(spare) < 8, "all sessions come to one worker"
                spare.append(session)
                session = self._log_in(hub, user, password, node, host, options)
            for one in spare:
                self.lab.server.delete_session(hub, one.name)
                one.close()
        self.made.append((session, hub))
        return session.wait_ready()

    def end(self):
        """All of them leave; the server forgets them at once where it can be told to."""
        for session, hub in self.made:
            if self.lab.kind == "patchbay" and session.name in [s["name"] for s in self.lab.server.sessions(hub)]:
                # It may end by itself meanwhile.
                with contextlib.suppress(LabError):
                    self.lab.server.delete_session(hub, session.name)
            session.close()
