# SPDX-License-Identifier: BSD-3-Clause
"""What the machine adds by itself to a time that a test has taken."""

import threading
import time

TICK_S = 0.01


class Stalls(threading.Thread):
    """How long this machine keeps a thread waiting for a CPU, at worst, while the `with` block lasts (or until `over` is set)."""

    def __init__(self):
        super().__init__(daemon=True)
        self.worst_s, self.over = 0.0, threading.Event()

    def run(self):
        while not self.over.is_set():
            before = time.monotonic()
            time.sleep(TICK_S)
            self.worst_s = max(self.worst_s, time.monotonic() - before - TICK_S)

    def added_s(self, times=4):
        """What may be allowed for them: an answer passes some processes, each of which may have to wait so long."""
        return times * self.worst_s

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.join()
