# SPDX-License-Identifier: BSD-3-Clause
"""Stock clients whose sessions live on different worker lcores: every frame crosses a ring.

(Frames between lcores in detail, with our own client: test_hub.py.)
"""

import pytest

from lab.traffic import TURNS, all_sizes, both_ways, iperf, join

pytestmark = pytest.mark.patchbay


@pytest.fixture(scope="module", name="lab")
def fixture_lab(make_lab):
    """Two workers, two clients."""
    lab = make_lab(settings={"lcores": {"workers": 2}})
    lab.server.start()
    lab.client("a", "192.168.50.1")
    lab.client("b", "192.168.50.2")
    return lab


def test_two_workers(lab, balanced):  # pylint: disable=unused-argument
    """One session per worker; ping and iperf3 both ways."""
    a, b = lab.clients["a"], lab.clients["b"]
    join(a)
    join(b)
    assert [row["sessions"] for row in lab.server.lcores()] == [1, 1]
    all_sizes(a, b)
    both_ways(a, b)
    lost = [iperf(a, b, 1, "-u", "-l", 1472, "-b", "10M")["sum"]["lost_percent"] for _ in range(TURNS)]
    assert min(lost) < 1, lost


def test_pinned(lab):
    """Each worker is pinned to one CPU of its own."""
    cpus = [row["cpu"] for row in lab.server.lcores()]
    assert len(set(cpus)) == 2
    pinned = []
    for task in lab.server.threads():
        if task["name"].startswith(("worker", "lcore", "rte-worker")):
            pinned.append(task["cpus"])
    assert sorted(pinned) == sorted(str(c) for c in cpus)


def test_session_ends_on_the_other_worker(lab, balanced):  # pylint: disable=unused-argument
    """A session goes while the other worker sends to it; nothing but that session is disturbed."""
    a, b = lab.clients["a"], lab.clients["b"]
    join(a)
    join(b)
    name = b.session_name()
    assert any(a.ping(b.address, 20) == (20, 20) for _ in range(TURNS))
    lab.server.delete_session("DEFAULT", name)
    assert a.ping(b.address, 20, wait_s=1)[1] < 20
    b.leave()
    join(b)
    all_sizes(a, b)
