# SPDX-License-Identifier: BSD-3-Clause
"""Two stock clients that are used together. Safe to use beside other pairs on threads of their own."""

from . import books
from .client import NIC
from .netns import wait_for
from .topology import SERVER4
from .traffic import both_ways

GROW_S = 60  # beyond a second for each connection


class Pair:
    """Two stock clients in hub DEFAULT, and what is done with them."""

    def __init__(self, lab, number):
        self.lab = lab
        self.clients = [lab.client(f"{side}{number}", f"192.168.50.{10 * number + k}")
                        for k, side in enumerate("ab", 1)]
        self.names = []

    def join(self, connections=1, granted=None, **modes):
        """Both log in with these modes; wait for all connections."""
        for client in self.clients:
            client.join(SERVER4, 8888, "DEFAULT", "guest", connections=connections, **modes)
        self.names = [client.session_name() for client in self.clients]
        granted = granted or connections
        wait_for(f"{granted} connections each of {self.names}: {self.rows()}", lambda: all(
            (row["MaxNumTcp_u32"], row["CurrentNumTcp_u32"]) == (granted, granted) for row in self.rows()),
            granted + GROW_S, 0.2)
        return self

    def rows(self):
        """What the server lists of the two sessions."""
        return [row for row in self.lab.server.rpc("EnumSession", HubName_str="DEFAULT")["SessionList"]
                if row["Name_str"] in self.names]

    def connections(self, side=0):
        """Names of the connections of one of the sessions, oldest first."""
        return [c["name"] for c in self.lab.server.connections() if c["session"] == self.names[side]]

    def close(self, *connections):
        """An administrator closes them, orderly; wait until they are gone."""
        for connection in connections:
            self.lab.server.ctl("connection", "close", connection)
        wait_for("them to be gone", lambda: not set(connections) & set(self.connections()))

    def status(self):
        """What the server says of the first session."""
        return self.lab.server.rpc("GetSessionStatus", HubName_str="DEFAULT", Name_str=self.names[0])

    def dropped(self):
        """Frames of the two sessions that the server dropped, by reason; answers to its own probes are meant to be."""
        mine = [row for row in books.read(self.lab.server)
                if row["level"] == "session" and row["name"] in self.names]
        assert len(mine) == 2, [row["name"] for row in books.read(self.lab.server)]
        return {(row["name"], reason): n for row in mine for way in ("drop_in", "drop_out")
                for reason, n in row[way].items() if n and reason != "probe_mac"}

    def pings(self):
        """Ordinary, full and smallest frames both ways. The server drops none of them.

        The clients do, on a busy machine: one in some thousands between card and session.
        """
        before = self.dropped()
        for here, there in (self.clients, self.clients[::-1]):
            here.node.ip(f"neigh flush dev {NIC}")
            for size in (56, 1472, 0):
                got = here.ping(there.address, 20, size)[1]
                assert got >= 19, f"payload {size}: {got} of 20"
        now = self.dropped()
        assert now == before, f"{before} became {now}"

    def carries(self, megabytes=4):
        """Pings, and so much TCP each way."""
        self.pings()
        both_ways(*self.clients, megabytes)

    def reach(self):
        """Wait until the two reach each other."""
        wait_for("traffic", lambda: self.clients[0].ping(self.clients[1].address, 3)[1] == 3, 60)
