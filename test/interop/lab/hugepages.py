# SPDX-License-Identifier: BSD-3-Clause
"""Hugepages for a test: reserved for its time, and the machine's number of them as it was afterwards."""

import contextlib
import fcntl
import pathlib
import re

from .netns import LabError, wait_for

NUMBER = pathlib.Path("/proc/sys/vm/nr_hugepages")
LOCK = "/run/lock/patchbay-hugepages"  # whoever changes the number holds it: it is one for the whole machine


def counts():
    """{Total, Free, Rsvd, ...} of pages of the default size, and their size in MiB."""
    text = pathlib.Path("/proc/meminfo").read_text("ascii")
    return {**{k: int(n) for k, n in re.findall(r"HugePages_(\w+):\s+(\d+)", text)},
            "Size": int(re.search(r"Hugepagesize:\s+(\d+) kB", text)[1]) // 1024}


@contextlib.contextmanager
def locked(how):
    """Meanwhile nobody else has this lock, or with LOCK_SH nobody who would be disturbed."""
    pathlib.Path(LOCK).parent.mkdir(parents=True, exist_ok=True)
    with open(LOCK, "w", encoding="ascii") as lock:
        fcntl.flock(lock, how)
        yield


@contextlib.contextmanager
def reserved(mib):
    """Yields "" while so many MiB are free that nobody has been promised, or the reason why they are not.

    Who has mapped some of them has to end within the block.
    """
    with locked(fcntl.LOCK_EX):
        now = counts()
        before = int(NUMBER.read_text("ascii"))
        missing = max(0, -(-mib // now["Size"]) - (now["Free"] - now["Rsvd"]))
        try:
            NUMBER.write_text(str(before + missing), encoding="ascii")
            got = int(NUMBER.read_text("ascii")) - before
            yield "" if got >= missing else f"the kernel gives {got} hugepages of {now['Size']} MiB, not {missing}"
        finally:
            NUMBER.write_text(str(before), encoding="ascii")
            # Those that are still mapped count, until whoever has them is gone. What went wrong before is not to be hidden by this.
            with contextlib.suppress(LabError):
                wait_for("hugepages given back", lambda: counts()["Total"] <= now["Total"])


@contextlib.contextmanager
def undisturbed():
    """Meanwhile nothing is reserved by a test: for the start of a daemon that takes hugepages when it sees them free."""
    with locked(fcntl.LOCK_SH):
        yield
