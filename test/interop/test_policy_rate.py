# SPDX-License-Identifier: BSD-3-Clause
# serial: what iperf3 gets through a limit is timed
"""MaxUpload and MaxDownload as TCP feels them: from a stock client to a bridged machine and back."""

import pytest

from lab import SERVER4, Hub, User, bridges
from lab.bridges import TapHost
from lab.traffic import TURNS, iperf

pytestmark = pytest.mark.patchbay

LIMIT = 10_000_000
BURST = LIMIT / 2  # 500 ms (dataplane/meter.h)
SECONDS = 4
HUBS = [Hub("DEFAULT", [User("both", "pw", policy={"MaxUpload": LIMIT, "MaxDownload": LIMIT})])]


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """A limited client, and a TAP in a machine of its own."""
    lab = make_lab(hubs=HUBS)
    lab.server.start()
    lab.client("a", "192.168.60.9")
    lab.tap = TapHost(lab, "far", "192.168.60.1")
    lab.clients["a"].join(SERVER4, 8888, "DEFAULT", "both", "pw")
    yield lab
    lab.clients["a"].leave()
    bridges.end(lab)


@pytest.mark.parametrize("options", [(), ("-R",)], ids=["upload", "download"])
def test_tcp_through_a_limit(lab, options):
    """At least 90 % of the limit, counted in frames as the limit is, and never more than all of it and a burst."""
    best = 0
    for _ in range(TURNS):
        got = iperf(lab.clients["a"], lab.tap, SECONDS, *options)["sum_received"]
        # Of 1514 bytes that the limit counts 1448 are the stream's.
        bits = got["bytes"] * 8 * 1514 / 1448
        assert bits <= LIMIT * got["seconds"] + BURST + 1514 * 8, got
        best = max(best, got["bytes"] * 8 / got["seconds"] * 1514 / 1448)
        if best >= 0.9 * LIMIT:
            break
    assert best >= 0.9 * LIMIT, f"{best / 1e6:.2f} Mbit/s"
